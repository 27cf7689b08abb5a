/*
 * The desk with the real store, hub and ledger: alerts and silent sources become cases, repeats join, what is acknowledged is there after
 * another opening, deadlines climb by the desk's own clock, a history cannot be changed, who may not see gets "no such case".
 */
#include "base/mem.h"
#include "base/test.h"
#include "business/case/desk_internal.h"
#include "hub/alert.h"
#include "hub/fake_door.h"
#include "hub/state.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIN 60000

static struct fake_door door;
static struct clock_fake clock_of_desk;
static struct case_desk *desk;
static char rules_path[128], store_path[128];
static struct case_viewer mayor = {STR_INIT("h/cockpit"), STR_INIT("h/cockpit"), STR_INIT("h"), STR_INIT("mayor"), false};

static void open_desk(void)
{
    struct diag_list *diags = mem_alloc_zero(1, sizeof *diags);
    const struct case_desk_options options = {
        .hub = door.city.hub, .rules_path = rules_path, .store_path = store_path, .clock = &clock_of_desk.clock};
    if (case_desk_open(&options, diags, &desk) != ERR_OK || case_desk_start(desk, diags) != ERR_OK)
        fail_msg("%s", diags->n ? diags->diags[0].text : "?");
    mem_free(diags);
}

static void close_desk(void)
{
    case_desk_stop(desk);
    /* As the program's end does: the ledger's word on the last windows still finds the loop they were made on. */
    for (int i = 0; i < 10000 && atomic_load(&door.city.hub->n_in_flight) > 0; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&door.city.hub->n_in_flight), 0);
    case_desk_close(desk);
    desk = NULL;
}

static int make(void **state)
{
    fake_city_make(&door.city);
    static const char *const contracts[][3] = {
        {"contracts/c-8.yaml", "alert", "kind, area, party, key, state, title_zh, title_en, detail, receipt, time"},
        {"contracts/c-9.yaml", "source", "party, source, area, title_zh, title_en, health, since, time"}};
    for (size_t i = 0; i < 2; i++) {
        char text[1024];
        snprintf(text, sizeof text,
            "contract: h/c-%zu\nprovider: h/hub\nconsumer: h/count\nresource: h/hub/%s\nuses: [subscribe]\nfields: [%s]\npurpose: "
            "case.handle\n"
            "legal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 24h\nstate: agreed\n",
            8 + i, contracts[i][1], contracts[i][2]);
        fake_city_write(&door.city, contracts[i][0], text);
    }
    fake_city_write(&door.city, "cases.yaml",
        "party: h/count\npurpose: case.handle\nalerts: [h/hub/alert]\nsources: h/hub/source\n"
        "posts:\n  - {area: h, post: h/cockpit}\n  - {area: h.x, post: h/parking}\nparties:\n  - {party: h/police, area: h, post: "
        "h/police}\n"
        "kinds:\n  - {kind: source.stale, title: {zh: 断, en: s}, deadline: 30min, close: measured, measure_within: 10min, reopen_within: "
        "24h}\n"
        "  - {kind: data.correction, title: {zh: 更, en: c}, to: party, deadline: 5d, close: result}\n"
        "  - {kind: many, title: {zh: 多, en: Many}, deadline: 30min, close: measured, measure_within: 10min, reopen_within: 24h, group: "
        "true}\n"
        "  - {kind: seen, title: {zh: 见, en: Seen}, deadline: 9d, close: result, keep: 20h, once: true}\n"
        "  - {kind: other, title: {zh: 他, en: o}, deadline: 1h, close: result, reopen_within: 1h}\n");
    snprintf(rules_path, sizeof rules_path, "%s/cases.yaml", door.city.dir);
    snprintf(store_path, sizeof store_path, "%s/cases.sqlite", door.city.dir);
    fake_door_start(&door);
    clock_fake_init(&clock_of_desk, (struct wall_time){INT64_C(1795276800000)});
    open_desk();
    return 0;
}

static int finish(void **state)
{
    close_desk();
    fake_door_stop(&door);
    return 0;
}

/* ---- asking, on the test's thread ---- */

static json_t *list(const struct case_viewer *viewer, const char *which)
{
    const struct case_filter filter = {.state = str_from_c(which), .n_max = 50};
    struct diag diag = {""};
    struct buf out;
    struct db *db;
    json_t *json;
    buf_init(&out, 1 << 20);
    assert_ok(db_open(store_path, &diag, &db));
    assert_ok(case_store_list(db, viewer, &filter, &desk->words, clock_wall(&clock_of_desk.clock), &out));
    db_close(db);
    assert_ok(json_read(buf_str(&out), NULL, &json));
    buf_finish(&out);
    return json;
}

static size_t count(const char *which)
{
    json_t *json = list(&mayor, which);
    size_t n = json_array_size(json_object_get(json, "cases"));
    json_decref(json);
    return n;
}

/* The newest case; its number member. */
static json_int_t number_of(const char *member)
{
    json_t *json = list(&mayor, "all");
    json_int_t n = json_integer_value(json_object_get(json_array_get(json_object_get(json, "cases"), 0), member));
    json_decref(json);
    return n;
}

static bool is_state(const char *state)
{
    json_t *json = list(&mayor, "all");
    const char *now = json_string_value(json_object_get(json_array_get(json_object_get(json, "cases"), 0), "state"));
    bool is = now && strcmp(now, state) == 0;
    json_decref(json);
    return is;
}

#define wait_until(condition_)                                                                                                             \
    do {                                                                                                                                   \
        for (int i_ = 0; i_ < 5000 && !(condition_); i_++)                                                                                 \
            usleep(2000);                                                                                                                  \
        assert_true(condition_);                                                                                                           \
    } while (0)

static void tell(const char *kind, const char *key, bool is_green)
{
    const struct hub_alert alert = {.kind = str_from_c(kind),
        .area = STR("h.x"),
        .party = STR("h/police"),
        .key = str_from_c(key),
        .title_zh = STR("告警"),
        .title_en = STR("Alert"),
        .detail = STR("detail"),
        .is_green = is_green};
    assert_ok(hub_alert(door.city.hub, &alert));
}

static void report(enum hub_health health)
{
    const struct hub_source source = {.party = STR("h/police"),
        .source = STR("camera/1"),
        .area = STR("h.x"),
        .title_zh = STR("探头"),
        .title_en = STR("Camera"),
        .health = health};
    hub_source_report(door.city.hub, &source);
}

struct asked {
    struct case_write write;
    sem_t done;
};

static void asked_done(struct case_write *write)
{
    sem_post(&container_of(write, struct asked, write)->done);
}

static enum err step(int64_t id, enum case_what what, const char *text, const struct case_viewer *viewer)
{
    struct asked asked = {.write = {.desk = desk,
                              .kind = CASE_WRITE_STEP,
                              .now = clock_wall(&clock_of_desk.clock),
                              .id = id,
                              .viewer = *viewer,
                              .event = {.what = what,
                                  .text = str_from_c(text),
                                  .by = viewer->party,
                                  .by_name = viewer->person,
                                  .to = STR("h/cockpit"),
                                  .to_area = STR("h")},
                              .done = asked_done}};
    sem_init(&asked.done, 0, 0);
    asked.write.write.loop = loop_thread_loop(door.http_thread);
    assert_ok(case_desk_submit(&asked.write));
    while (sem_wait(&asked.done) != 0)
        ;
    buf_finish(&asked.write.json);
    return asked.write.write.err;
}

/* ---- the tests, one after the other on one desk ---- */

static void an_alert_opens_one_case(void **state)
{
    for (int i = 0; i < 5; i++)
        tell("fire", "house-7", false);
    wait_until(count("open") == 1 && number_of("alerts") == 5);
    tell("fire", "house-8", false);
    wait_until(count("open") == 2);
    tell("fire", "house-8", true); /* not a measured kind: green does not close it */
    tell("fire", "house-8", false);
    wait_until(number_of("alerts") == 2);
    assert_true(is_state("open"));
}

static void people_work_on_it(void **state)
{
    const struct case_viewer other = {STR("h/count"), STR("h/count"), STR("h.y"), STR("other"), false},
                             auditor = {STR("h/world"), STR("h/world"), STR("h"), STR("auditor"), true};
    int64_t id = number_of("id");
    assert_err(step(id, CASE_START, "", &other), ERR_NOT_FOUND); /* not theirs to see */
    assert_err(step(id, CASE_START, "", &auditor), ERR_DENIED);  /* seen, not touched */
    assert_err(step(id + 100, CASE_START, "", &mayor), ERR_NOT_FOUND);
    assert_ok(step(id, CASE_ASSIGN, "", &mayor));
    assert_ok(step(id, CASE_START, "", &mayor));
    assert_err(step(id, CASE_START, "", &mayor), ERR_STATE);
    assert_err(step(id, CASE_CLOSE, "", &mayor), ERR_SYNTAX);
    assert_ok(step(id, CASE_CLOSE, "put out", &mayor));
    assert_int_equal(count("open"), 1);
    assert_int_equal(count("closed"), 1);
    tell("fire", "house-8", false); /* again within the hour */
    wait_until(is_state("open"));
    assert_int_equal(number_of("reopened"), 1);
    assert_int_equal(number_of("id"), id);
    assert_ok(step(id, CASE_CLOSE, "put out", &mayor));
    clock_fake_advance_ms(&clock_of_desk, 61 * MIN);
    tell("fire", "house-8", false); /* too late for that: a case of its own */
    wait_until(number_of("id") > id);
}

static void what_is_acknowledged_is_there_after_another_opening(void **state)
{
    size_t n = count("all");
    json_int_t id = number_of("id");
    close_desk();
    open_desk();
    assert_int_equal(count("all"), n);
    assert_int_equal(number_of("id"), id);
}

static void late_cases_climb(void **state)
{
    tell("flood", "quay", false);
    wait_until(count("open") == 3 && number_of("alerts") == 1);
    case_desk_tick(desk);
    assert_int_equal(number_of("escalated"), 0);
    clock_fake_advance_ms(&clock_of_desk, 60 * MIN);
    case_desk_tick(desk);
    assert_int_equal(number_of("escalated"), 1);
    json_t *json = list(&mayor, "open");
    json_t *first = json_array_get(json_object_get(json, "cases"), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(first, "owner"), "party")), "h/cockpit");
    assert_true(json_is_true(json_object_get(first, "late")));
    json_decref(json);
    case_desk_tick(desk); /* once a deadline */
    assert_int_equal(number_of("escalated"), 1);
}

static void a_silent_source_closes_when_it_speaks(void **state)
{
    size_t n = count("all");
    report(HUB_STALE);
    wait_until(count("all") == n + 1);
    int64_t id = number_of("id");
    assert_ok(step(id, CASE_CLOSE, "cable mended", &mayor));
    assert_true(is_state("measuring"));
    clock_fake_advance_ms(&clock_of_desk, 10 * MIN);
    case_desk_tick(desk); /* not green in time */
    assert_true(is_state("open"));
    assert_ok(step(id, CASE_CLOSE, "cable mended indeed", &mayor));
    report(HUB_FRESH);
    wait_until(is_state("closed"));
    report(HUB_STALE); /* within the day: the same case */
    wait_until(is_state("open"));
    assert_int_equal(number_of("id"), id);
    assert_int_equal(number_of("reopened"), 2);
}

/* The newest case's member is this text. */
static bool is_text(const char *member, const char *part, const char *text)
{
    json_t *json = list(&mayor, "all"), *value = json_object_get(json_array_get(json_object_get(json, "cases"), 0), member);
    const char *now = json_string_value(part ? json_object_get(value, part) : value);
    bool is = now && strcmp(now, text) == 0;
    json_decref(json);
    return is;
}

static void alarms_of_one_cause_are_one_case(void **state)
{
    char key[40];
    size_t n = count("all");
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "h/police/camera/%02d", i);
        tell("many", key, false);
    }
    wait_until(is_text("title", "en", "Many (60)"));
    assert_int_equal(count("all"), n + 1);
    int64_t id = number_of("id");
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "h/police/camera/%02d", i);
        if (i != 7)
            tell("many", key, true);
    }
    wait_until(is_text("title", "en", "Alert")); /* of the one that is left */
    assert_true(is_text("detail", NULL, "detail"));
    assert_true(is_state("open"));
    tell("many", "h/police/other/1", false); /* another system: a case of its own */
    wait_until(count("all") == n + 2);
    tell("many", "h/police/other/1", true);
    wait_until(is_state("closed"));
    tell("many", "h/police/camera/07", true);
    for (int i = 0; i < 5000; i++) {
        json_t *json = list(&mayor, "all"), *one = json_array_get(json_object_get(json, "cases"), 1);
        bool is_closed = strcmp(json_string_value(json_object_get(one, "state")), "closed") == 0;
        assert_int_equal(json_integer_value(json_object_get(one, "id")), id);
        json_decref(json);
        if (is_closed)
            break;
        usleep(2000);
    }
    tell("many", "h/police/camera/08", false); /* within the day: the same case, with a list of one */
    wait_until(count("open") > 0);
    assert_int_equal(count("all"), n + 2);
    tell("many", "h/police/camera/08", true);
    wait_until(count("all") == n + 2 && is_state("closed"));
}

static void a_history_only_grows(void **state)
{
    struct diag diag = {""};
    struct db *db;
    assert_ok(db_open(store_path, &diag, &db));
    assert_true(db_exec(db, "UPDATE step SET text = 'x'", &diag) != ERR_OK);
    assert_true(db_exec(db, "DELETE FROM step", &diag) != ERR_OK);
    db_close(db);
}

static size_t n_leaves(const char *part)
{
    struct buf leaf;
    size_t n = 0;
    buf_init(&leaf, LEDGER_LEAF_MAX);
    for (uint64_t i = 0; i < ledger_n_durable(door.city.ledger); i++) {
        buf_reset(&leaf);
        assert_ok(ledger_leaf(door.city.ledger, i, &leaf));
        n += memmem(leaf.ptr, leaf.len, part, strlen(part)) != NULL;
    }
    buf_finish(&leaf);
    return n;
}

/* Each step of every case so far, the words only as a commitment. */
static void each_step_has_its_leaf(void **state)
{
    struct diag diag = {""};
    struct db *db;
    struct db_statement *statement;
    bool is_row;
    char part[80];
    tell("other", "to be told of", false);
    wait_until(is_state("open"));
    int64_t id = number_of("id");
    assert_ok(step(id, CASE_CLOSE, "words that stand in no leaf", &mayor));
    snprintf(part, sizeof part, "\"case\":%lld,", (long long)id);
    wait_until((case_desk_tick(desk), n_leaves(part) == 2)); /* opened, closed */
    assert_int_equal(n_leaves("words that stand"), 0);
    assert_int_equal(n_leaves("h/post"), 0); /* of a post a pseudonym */
    assert_ok(db_open(store_path, &diag, &db));
    for (int i = 0; i < 5000; i++) {
        assert_ok(db_prepare(db, "SELECT count(*) FROM owed", &diag, &statement));
        assert_ok(db_step(statement, &is_row));
        int64_t n_owed = db_column(statement, 0).i;
        db_statement_finish(statement);
        if (n_owed == 0)
            break;
        case_desk_tick(desk); /* more than one batch */
        usleep(2000);
    }
    assert_ok(
        db_prepare(db, "SELECT (SELECT count(*) FROM step), (SELECT count(*) FROM leaf), (SELECT count(*) FROM owed)", &diag, &statement));
    assert_ok(db_step(statement, &is_row));
    assert_int_equal(db_column(statement, 2).i, 0);
    assert_int_equal(db_column(statement, 1).i, db_column(statement, 0).i);
    assert_int_equal(n_leaves("\"type\":\"case\""), db_column(statement, 0).i);
    db_statement_finish(statement);
    db_close(db);
}

static void a_request_is_the_providers_alone(void **state)
{
    const struct case_viewer police = {STR("h/police"), STR("h/police"), STR("h"), STR("clerk"), false};
    size_t n = count("all");
    const struct hub_alert alert = {.kind = STR("data.correction"),
        .area = STR("h"),
        .party = STR("h/police"),
        .key = STR("1"),
        .title_zh = STR("更"),
        .title_en = STR("c")};
    assert_ok(hub_alert(door.city.hub, &alert));
    json_t *json = NULL;
    for (int i = 0; i < 5000; i++) {
        json = list(&police, "open");
        if (json_array_size(json_object_get(json, "cases")) > 0 &&
            strcmp(json_string_value(json_object_get(json_array_get(json_object_get(json, "cases"), 0), "kind")), "data.correction") == 0)
            break;
        json_decref(json);
        json = NULL;
        usleep(2000);
    }
    assert_non_null(json);
    json_decref(json);
    assert_int_equal(count("all"), n); /* the mayor does not see it */
}

static int64_t number_in_store(const char *sql)
{
    struct diag diag = {""};
    struct db *db;
    struct db_statement *statement;
    bool is_row;
    assert_ok(db_open(store_path, &diag, &db));
    assert_ok(db_prepare(db, sql, &diag, &statement));
    assert_ok(db_step(statement, &is_row));
    int64_t n = db_column(statement, 0).i;
    db_statement_finish(statement);
    db_close(db);
    return n;
}

static bool is_in_store(const char *words)
{
    char *bytes;
    size_t len;
    FILE *file = fopen(store_path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    len = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(len);
    assert_int_equal(fread(bytes, 1, len, file), len);
    fclose(file);
    bool is = memmem(bytes, len, words, strlen(words)) != NULL;
    free(bytes);
    return is;
}

/* After its closing a case is kept for as long as its kind says: then its end is in the ledger, and it is not in the store any more, not
 * even in bytes that nothing points at. An open one is work, however old; one that is opened again goes on. */
static void what_was_kept_for_long_enough_is_deleted(void **state)
{
    enum { HOUR = 60 * MIN };
    char part[80], sql[120];
    size_t n = count("all");
    tell("seen", "by-chance", false);
    wait_until(count("all") == n + 1);
    int64_t id = number_of("id");
    clock_fake_advance_ms(&clock_of_desk, 40 * HOUR);
    case_desk_tick(desk);
    assert_int_equal(count("all"), n + 1);
    assert_ok(step(id, CASE_CLOSE, "words-that-have-to-go", &mayor));
    clock_fake_advance_ms(&clock_of_desk, 19 * HOUR);
    case_desk_tick(desk);
    assert_int_equal(number_in_store("SELECT count(*) FROM ending"), 0);
    tell("seen", "by-chance", false); /* once: no other case, as long as it is kept */
    wait_until(number_of("alerts") == 2);
    assert_int_equal(count("all"), n + 1);
    assert_ok(step(id, CASE_REOPEN, "not settled", &mayor));
    clock_fake_advance_ms(&clock_of_desk, 30 * HOUR);
    case_desk_tick(desk);
    assert_true(is_state("open"));
    assert_ok(step(id, CASE_CLOSE, "words-that-have-to-go", &mayor));
    clock_fake_advance_ms(&clock_of_desk, 20 * HOUR);
    snprintf(part, sizeof part, "\"case\":%lld,", (long long)id);
    wait_until((case_desk_tick(desk), count("all") == n));
    assert_int_equal(n_leaves(part), 5); /* opened, closed, reopened, closed, deleted */
    snprintf(sql, sizeof sql, "SELECT (SELECT count(*) FROM step WHERE case_id = %lld) + (SELECT count(*) FROM leaf WHERE case_id = %lld)",
        (long long)id, (long long)id);
    assert_int_equal(number_in_store(sql), 0);
    assert_int_equal(number_in_store("SELECT count(*) FROM ending"), 0);
    assert_err(step(id, CASE_COMMENT, "late", &mayor), ERR_NOT_FOUND);
    a_history_only_grows(state); /* of all others */
    close_desk();
    assert_false(is_in_store("words-that-have-to-go"));
    assert_true(is_in_store("to be told of"));
    open_desk();
    tell("seen", "by-chance", false);
    wait_until(count("all") == n + 1);
    assert_int_equal(number_of("id"), id + 1); /* a number is given once */
}

/* It cannot be deleted behind the ledger's back: a trigger holds the steps of a case whose end has no leaf yet. */
static void nothing_is_deleted_before_the_ledger_knows(void **state)
{
    struct diag diag = {""};
    struct db *db;
    close_desk();
    assert_ok(db_open(store_path, &diag, &db));
    assert_ok(db_exec(db, "INSERT INTO ending SELECT max(id) FROM cases; INSERT OR IGNORE INTO owed SELECT max(id), 1 FROM cases", &diag));
    assert_true(db_exec(db, "DELETE FROM step WHERE case_id = (SELECT max(id) FROM cases)", &diag) != ERR_OK);
    assert_ok(db_exec(db, "DELETE FROM ending", &diag));
    db_close(db);
    open_desk();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alert_opens_one_case),
        cmocka_unit_test(people_work_on_it),
        cmocka_unit_test(what_is_acknowledged_is_there_after_another_opening),
        cmocka_unit_test(late_cases_climb),
        cmocka_unit_test(a_silent_source_closes_when_it_speaks),
        cmocka_unit_test(alarms_of_one_cause_are_one_case),
        cmocka_unit_test(a_history_only_grows),
        cmocka_unit_test(each_step_has_its_leaf),
        cmocka_unit_test(a_request_is_the_providers_alone),
        cmocka_unit_test(what_was_kept_for_long_enough_is_deleted),
        cmocka_unit_test(nothing_is_deleted_before_the_ledger_knows),
    };
    return cmocka_run_group_tests(tests, make, finish);
}
