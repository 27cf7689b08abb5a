/* The numbered rules of docs/case.md, a row each; and laws that hold over any run of events. */
#include "base/mem.h"
#include "base/test.h"
#include "business/case/case.h"
#include "business/case/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIN 60000
#define T0 1795276800000

static const char rules_yaml[] =
    "party: h/case\npurpose: case.handle\nalerts: [h/hub/alert]\n"
    "posts:\n  - {area: h, post: h/post.mayor}\n  - {area: h, kind: act.unknown, post: h/post.police}\n"
    "  - {area: h.x, post: h/post.x}\n  - {area: h.x.g, post: h/post.g}\n"
    "parties:\n  - {party: h/police, area: h, post: h/post.contracts}\n"
    "kinds:\n  - {kind: source.stale, title: {zh: 断, en: s}, deadline: 30min, close: measured, measure_within: 10min, "
    "reopen_within: 24h}\n"
    "  - {kind: act.unknown, title: {zh: 令, en: a}, deadline: 15min, close: result, once: true}\n"
    "  - {kind: data.correction, title: {zh: 更, en: c}, to: party, deadline: 5d, close: result, keep: 30d}\n"
    "  - {kind: other, title: {zh: 他, en: o}, deadline: 4h, close: result, reopen_within: 1h}\n";

static struct case_rules *rules;

static enum err load(const char *text, struct diag_list *diags, struct case_rules **ret_rules)
{
    char path[] = "/tmp/case-rules-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    enum err err = case_rules_load(path, NULL, diags, ret_rules);
    unlink(path);
    return err;
}

static int set_up(void **state)
{
    struct diag_list *diags = mem_alloc_zero(1, sizeof *diags);
    if (load(rules_yaml, diags, &rules) != ERR_OK)
        fail_msg("%s", diags->diags[0].text);
    mem_free(diags);
    return 0;
}

static int tear_down(void **state)
{
    case_rules_destroy(rules);
    return 0;
}

static struct case_event alert(const char *kind, const char *area, const char *party)
{
    return (struct case_event){
        .what = CASE_ALERT, .alert = {.key = STR("k"), .kind = str_from_c(kind), .area = str_from_c(area), .party = str_from_c(party)}};
}

static struct case_record opened(const char *kind, const char *area, const char *party)
{
    struct case_step step;
    struct case_event event = alert(kind, area, party);
    assert_ok(case_step(rules, NULL, &event, (struct wall_time){T0}, &step));
    assert_int_equal(step.rule, 1);
    assert_true(step.is_new && step.is_changed);
    assert_string_equal(step.notes[0].what, "opened");
    step.after.id = 7;
    return step.after;
}

static void owners_and_deadlines(void **state)
{
    static const struct {
        const char *kind, *area, *party, *owner;
        int64_t deadline_ms;
    } rows[] = {
        {"source.stale", "h.x.g", "", "h/post.g", 30 * MIN},
        {"source.stale", "h.x.nobody", "", "h/post.x", 30 * MIN}, /* the nearest above */
        {"source.stale", "h", "", "h/post.mayor", 30 * MIN}, {"source.stale", "elsewhere", "", "h/post.mayor", 30 * MIN},
        {"act.unknown", "h", "h/police", "h/post.police", 15 * MIN}, /* the kind's own post */
        {"act.unknown", "h.x.g", "h/police", "h/post.g", 15 * MIN},
        {"data.correction", "h", "h/police", "h/post.contracts", 5 * 24 * 60 * MIN}, /* the party's */
        {"data.correction", "h.x", "h/health", "h/post.x", 5 * 24 * 60 * MIN},       /* one that named nobody: the area's */
        {"never.heard", "h.x.g", "", "h/post.g", 240 * MIN},                         /* as "other" */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct case_record r = opened(rows[i].kind, rows[i].area, rows[i].party);
        assert_str(r.owner, rows[i].owner);
        assert_int_equal(r.due_ms - T0, rows[i].deadline_ms);
        assert_int_equal(r.is_private, strcmp(rows[i].kind, "data.correction") == 0);
    }
}

enum { SAME = 99 };
#define OK ERR_OK

/* One row a rule and a refusal: a case in this state, this event → error or rule, state, due (minutes from now; -1: none), note */
static const struct rule_row {
    const char *kind;
    enum case_state from;
    int64_t due_min; /* before, from T0; 0: none */
    enum case_what what;
    const char *text;
    int64_t after_min; /* when, from T0; closed at T0 */
    enum err err;
    int rule;
    enum case_state to;
    int64_t new_due_min; /* from now; -1: none */
    const char *note;
} rule_rows[] = {
    {"source.stale", CASE_DOING, 30, CASE_ALERT, "", 1, OK, 2, CASE_DOING, 29, NULL},
    {"source.stale", CASE_MEASURING, 10, CASE_ALERT, "", 1, OK, 2, CASE_MEASURING, 9, NULL},
    {"source.stale", CASE_CLOSED, 0, CASE_ALERT, "", 60, OK, 3, CASE_OPEN, 30, "reopened"},
    {"source.stale", CASE_CLOSED, 0, CASE_ALERT, "", 24 * 60, OK, 3, CASE_OPEN, 30, "reopened"},
    {"source.stale", CASE_CLOSED, 0, CASE_ALERT, "", 24 * 60 + 1, OK, 1, CASE_OPEN, 30, "opened"},
    {"act.unknown", CASE_CLOSED, 0, CASE_ALERT, "", 999, OK, 2, CASE_CLOSED, -1, NULL},              /* once: its only case */
    {"data.correction", CASE_CLOSED, 0, CASE_ALERT, "", 1, OK, 1, CASE_OPEN, 5 * 24 * 60, "opened"}, /* no window: a case of its own */
    {"source.stale", CASE_OPEN, 30, CASE_GREEN, "", 1, OK, 4, CASE_CLOSED, -1, "measured"},
    {"source.stale", CASE_MEASURING, 10, CASE_GREEN, "", 1, OK, 4, CASE_CLOSED, -1, "measured"},
    {"source.stale", CASE_CLOSED, 0, CASE_GREEN, "", 1, OK, 0, CASE_CLOSED, -1, NULL},
    {"act.unknown", CASE_OPEN, 15, CASE_GREEN, "", 1, OK, 0, CASE_OPEN, 14, NULL},
    {"other", CASE_OPEN, 30, CASE_ASSIGN, "", 1, OK, 5, CASE_ASSIGNED, 29, "assigned"},
    {"other", CASE_DOING, 30, CASE_ASSIGN, "", 1, OK, 5, CASE_ASSIGNED, 29, "assigned"},
    {"other", CASE_CLOSED, 0, CASE_ASSIGN, "", 1, ERR_STATE, 0, 0, 0, NULL},
    {"source.stale", CASE_MEASURING, 10, CASE_ASSIGN, "", 1, ERR_STATE, 0, 0, 0, NULL},
    {"other", CASE_OPEN, 30, CASE_START, "", 1, OK, 6, CASE_DOING, 29, "started"},
    {"other", CASE_ASSIGNED, 30, CASE_START, "", 1, OK, 6, CASE_DOING, 29, "started"},
    {"other", CASE_DOING, 30, CASE_START, "", 1, ERR_STATE, 0, 0, 0, NULL},
    {"other", CASE_CLOSED, 0, CASE_START, "", 1, ERR_STATE, 0, 0, 0, NULL},
    {"other", CASE_CLOSED, 0, CASE_COMMENT, "w", 1, OK, 7, CASE_CLOSED, -1, "comment"},
    {"other", CASE_OPEN, 30, CASE_COMMENT, "", 1, ERR_SYNTAX, 0, 0, 0, NULL},
    {"other", CASE_OPEN, 30, CASE_CLOSE, "", 1, ERR_SYNTAX, 8, 0, 0, NULL},
    {"other", CASE_CLOSED, 0, CASE_CLOSE, "w", 1, ERR_STATE, 8, 0, 0, NULL},
    {"source.stale", CASE_MEASURING, 10, CASE_CLOSE, "w", 1, ERR_STATE, 8, 0, 0, NULL},
    {"other", CASE_DOING, 30, CASE_CLOSE, "w", 1, OK, 9, CASE_CLOSED, -1, "closed"},
    {"source.stale", CASE_DOING, 30, CASE_CLOSE, "w", 1, OK, 10, CASE_MEASURING, 10, "done"},
    {"other", CASE_CLOSED, 0, CASE_REOPEN, "w", 1, OK, 11, CASE_OPEN, 240, "reopened"},
    {"other", CASE_CLOSED, 0, CASE_REOPEN, "", 1, ERR_SYNTAX, 11, 0, 0, NULL},
    {"other", CASE_OPEN, 30, CASE_REOPEN, "w", 1, ERR_STATE, 11, 0, 0, NULL},
    {"source.stale", CASE_MEASURING, 10, CASE_TICK, "", 10, OK, 12, CASE_OPEN, 30, "reopened"},
    {"source.stale", CASE_MEASURING, 10, CASE_TICK, "", 9, OK, 0, CASE_MEASURING, 1, NULL},
    {"source.stale", CASE_OPEN, 30, CASE_TICK, "", 30, OK, 13, CASE_OPEN, 30, "escalated"},
    {"source.stale", CASE_OPEN, 0, CASE_TICK, "", 30, OK, 0, CASE_OPEN, -1, NULL},
    {"source.stale", CASE_CLOSED, 0, CASE_TICK, "", 999, OK, 0, CASE_CLOSED, -1, NULL},
    {"data.correction", CASE_CLOSED, 0, CASE_TICK, "", 30 * 24 * 60 - 1, OK, 0, CASE_CLOSED, -1, NULL},
    {"data.correction", CASE_CLOSED, 0, CASE_TICK, "", 30 * 24 * 60, OK, 16, CASE_CLOSED, -1, "deleted"},
    {"data.correction", CASE_DOING, 0, CASE_TICK, "", 999 * 24 * 60, OK, 0, CASE_DOING, -1, NULL}, /* work goes on */
    {"source.stale", CASE_MEASURING, 10, CASE_LIST, "", 1, OK, 15, CASE_MEASURING, 9, NULL},
    {"source.stale", CASE_CLOSED, 0, CASE_LIST, "", 1, OK, 0, CASE_CLOSED, -1, NULL},
};

static void each_rule(void **state)
{
    for (size_t i = 0; i < sizeof rule_rows / sizeof *rule_rows; i++) {
        struct case_record before = opened(rule_rows[i].kind, "h.x.g", "");
        struct case_event event =
            rule_rows[i].what == CASE_ALERT ? alert(rule_rows[i].kind, "h.x.g", "") : (struct case_event){.what = rule_rows[i].what};
        struct case_step step = {.rule = SAME};
        struct wall_time now = {T0 + rule_rows[i].after_min * MIN};
        before.state = rule_rows[i].from;
        before.closed_ms = rule_rows[i].from == CASE_CLOSED ? T0 : 0;
        before.due_ms = rule_rows[i].due_min ? T0 + rule_rows[i].due_min * MIN : 0;
        event.text = str_from_c(rule_rows[i].text);
        event.to = STR("h/post.x");
        event.to_area = STR("h.x");
        enum err err = case_step(rules, &before, &event, now, &step);
        if (err != rule_rows[i].err || (!err && (step.rule != rule_rows[i].rule || step.after.state != rule_rows[i].to)))
            fail_msg("row %zu: %s, rule %d, state %d", i, err_text(err), step.rule, (int)step.after.state);
        if (err)
            continue;
        int64_t due = rule_rows[i].new_due_min < 0 ? 0 : now.ms + rule_rows[i].new_due_min * MIN;
        if (step.after.due_ms != due)
            fail_msg("row %zu: due %lld, not %lld", i, (long long)step.after.due_ms, (long long)due);
        assert_int_equal(step.n_notes, rule_rows[i].note ? 1 : 0);
        if (rule_rows[i].note)
            assert_string_equal(step.notes[0].what, rule_rows[i].note);
        assert_int_equal(step.is_changed, rule_rows[i].rule != 0);
    }
}

/* Late at each level: one up, then again, until nobody is above. */
static void climbs_the_ladder(void **state)
{
    static const struct {
        const char *kind, *area, *party;
        const char *owners[5];
    } rows[] = {
        {"source.stale", "h.x.g", "", {"h/post.g", "h/post.x", "h/post.mayor", NULL}},
        {"act.unknown", "h.x.g", "", {"h/post.g", "h/post.x", "h/post.police", "h/post.mayor", NULL}},
        {"act.unknown", "h", "", {"h/post.police", "h/post.mayor", NULL}},
        {"data.correction", "h", "h/police", {"h/post.contracts", "h/post.mayor", NULL}},
    };
    const struct case_event tick = {.what = CASE_TICK};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct case_record r = opened(rows[i].kind, rows[i].area, rows[i].party);
        struct case_step step;
        for (size_t k = 0; rows[i].owners[k]; k++) {
            assert_str(r.owner, rows[i].owners[k]);
            assert_int_equal(r.n_escalated, k);
            assert_int_equal(r.is_late, k > 0);
            assert_ok(case_step(rules, &r, &tick, (struct wall_time){r.due_ms}, &step));
            r = step.after;
        }
        assert_int_equal(r.due_ms, 0); /* at the top it stays, without another deadline, marked as late */
        assert_string_equal(step.notes[0].what, "late");
    }
}

/* splitmix64 */
static uint64_t random_state;
static int next_random(int n)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

/* Laws over any run of events: the state is one of the five; a closed case has no deadline and a time of closing; an event that changed
 * nothing left no note; no words, no closing; numbers only grow. */
static void laws(void **state)
{
    uint64_t seed = (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    random_state = seed;
    static const char *const kinds[] = {"source.stale", "act.unknown", "data.correction", "other"};
    for (int run = 0; run < 2000; run++) {
        const char *kind = kinds[next_random(4)];
        struct case_record r = opened(kind, "h.x.g", "h/police");
        int64_t now = T0;
        for (int i = 0; i < 50; i++) {
            struct case_step step;
            struct case_event event = alert(kind, "h.x.g", "h/police");
            event.what = (enum case_what)next_random(CASE_TICK + 1);
            event.text = next_random(2) ? STR("words") : STR_NONE;
            event.to = STR("h/post.x");
            event.to_area = STR("h.x");
            now += next_random(20 * MIN);
            enum err err = case_step(rules, &r, &event, (struct wall_time){now}, &step);
            if (err)
                continue;
            assert_in_range(step.after.state, CASE_OPEN, CASE_CLOSED);
            assert_int_equal(step.after.state == CASE_CLOSED, step.after.closed_ms != 0);
            assert_true(step.after.state != CASE_CLOSED || step.after.due_ms == 0);
            assert_true(step.is_changed || step.n_notes == 0);
            assert_true(step.is_new || (step.after.n_alerts >= r.n_alerts && step.after.n_escalated >= r.n_escalated &&
                                           step.after.n_reopened >= r.n_reopened));
            assert_true(!(event.what == CASE_CLOSE && str_is_empty(event.text)));
            /* A red that is closed was measured: words alone lead to MEASURING. */
            if (strcmp(kind, "source.stale") == 0 && step.after.state == CASE_CLOSED && r.state != CASE_CLOSED)
                assert_int_equal(event.what, CASE_GREEN);
            r = step.after;
            r.id = 7;
        }
    }
}

static void who_sees_and_acts(void **state)
{
    struct case_record street = opened("source.stale", "h.x.g", "h/police"), request = opened("data.correction", "h", "h/police");
    static const struct {
        struct case_viewer viewer;
        bool street_see, street_act, request_see, request_act;
    } rows[] = {
        {{STR_INIT("h/post.g"), STR_INIT("h/post.g"), STR_INIT("h.x.g"), STR_INIT("g"), false}, true, true, false, false},
        {{STR_INIT("h/post.x"), STR_INIT("h/post.x"), STR_INIT("h.x"), STR_INIT("x"), false}, true, true, false, false},
        {{STR_INIT("h/post.mayor"), STR_INIT("h/post.mayor"), STR_INIT("h"), STR_INIT("m"), false}, true, true, false, false},
        {{STR_INIT("h/post.y"), STR_INIT("h/post.y"), STR_INIT("h.y"), STR_INIT("y"), false}, false, false, false, false},
        {{STR_INIT("h/post.clerk"), STR_INIT("h/post.clerk"), STR_INIT("h.x.gu"), STR_INIT("c"), false}, false, false, false, false},
        {{STR_INIT("h/post.contracts"), STR_INIT("h/police"), STR_INIT("h"), STR_INIT("p"), false}, true, true, true, true},
        {{STR_INIT("h/post.audit"), STR_INIT("h/post.audit"), STR_INIT("h"), STR_INIT("a"), true}, true, false, true, false},
        {{STR_INIT("h/program"), STR_INIT("h/program"), STR_INIT(""), STR_INIT(""), false}, false, false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct case_viewer *v = &rows[i].viewer;
        if (case_may_see(&street, v) != rows[i].street_see || case_may_act(rules, &street, v) != rows[i].street_act ||
            case_may_see(&request, v) != rows[i].request_see || case_may_act(rules, &request, v) != rows[i].request_act)
            fail_msg("row %zu", i);
    }
}

static void wrong_files(void **state)
{
    static const struct {
        const char *from, *to, *says;
    } rows[] = {
        {"party: h/case\n", "", "party"},
        {"alerts: [h/hub/alert]", "alerts: []", "alerts"},
        {"kind: other", "kind: others", "other"},
        {"kind: act.unknown, title", "kind: source.stale, title", "twice"},
        {"close: measured, measure_within: 10min", "close: measured", "measure_within"},
        {"close: result, keep", "close: soon, keep", "close"},
        {"keep: 30d", "keep: 30d, reopen_within: 30d", "keep"},
        {"keep: 30d", "keep: ever", "keep"},
        {"deadline: 15min", "deadline: soon", "deadline"},
        {"to: party", "to: nobody", "to"},
        {"title: {zh: 令, en: a}, ", "", "title"},
        {"{area: h.x, post", "{areas: h.x, post", "area"},
        {"purpose: case.handle", "purpose: case.handle\nmore: 1", "more"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[4096];
        const char *at = strstr(rules_yaml, rows[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - rules_yaml), rules_yaml, rows[i].to, at + strlen(rows[i].from));
        struct diag_list *diags = mem_alloc_zero(1, sizeof *diags);
        struct case_rules *wrong = NULL;
        enum err err = load(text, diags, &wrong);
        if (!err || diags->n == 0 || !strstr(diags->diags[0].text, rows[i].says))
            fail_msg("row %zu: %s, %s", i, err_text(err), diags->n ? diags->diags[0].text : "nothing told");
        mem_free(diags);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(owners_and_deadlines), cmocka_unit_test(each_rule),
        cmocka_unit_test(climbs_the_ladder), cmocka_unit_test(laws), cmocka_unit_test(who_sees_and_acts), cmocka_unit_test(wrong_files)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
