/*
 * The decision: one row and its neighbours for each rule of docs/decide.md, the order of the rules, and the strict form of a line.
 */
#include "base/buf.h"
#include "base/test.h"
#include "hub/decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct str uses[] = {STR_INIT("call"), STR_INIT("query")};
static const struct str granted[] = {STR_INIT("plate"), STR_INIT("colour"), STR_INIT("seats")};
static const struct str asked[] = {STR_INIT("seats"), STR_INIT("plate")};
static const struct str not_granted[] = {STR_INIT("plate"), STR_INIT("owner")};
static const struct str longer[] = {STR_INIT("plates")};
static const struct str shorter[] = {STR_INIT("plat")};

struct row {
    const char *what;
    int rule;
    struct decide_contract contract;
    struct decide_request request;
    int64_t now_ms;
    struct decide_counters counters;
};

/* Everything permits; each row then changes one thing. */
static struct row base(void)
{
    return (struct row){
        .contract = {.state = STR("agreed"),
            .provider = STR("h/police"),
            .consumer = STR("h/parking"),
            .resource = STR("h/police/vehicle"),
            .purpose = STR("parking.settle"),
            .uses = uses,
            .n_uses = 2,
            .fields = granted,
            .n_fields = 3,
            .from_ms = 1000,
            .until_ms = 2000,
            .fresh_until_ms = 1900,
            .per_second = 5,
            .per_day = 50,
            .per_month = 500,
            .min_subjects = DECIDE_NONE},
        .request = {.party = STR("h/parking"),
            .resource = STR("h/police/vehicle"),
            .use = STR("call"),
            .purpose = STR("parking.settle"),
            .fields = asked,
            .n_fields = 2,
            .subjects = DECIDE_NONE},
        .now_ms = 1500,
        .counters = {4, 49, 499},
    };
}

#define ROW(what_, rule_, change_)                                                                                                         \
    do {                                                                                                                                   \
        struct row r = base();                                                                                                             \
        change_;                                                                                                                           \
        int got = decide(&r.contract, &r.request, r.now_ms, &r.counters);                                                                  \
        if (got != (rule_))                                                                                                                \
            fail_msg("%s: rule %d, expected %d", what_, got, rule_);                                                                       \
    } while (0)

static void each_rule(void **state)
{
    ROW("all is well", 0, (void)r);
    ROW("1 drafted", 1, r.contract.state = STR("drafted"));
    ROW("1 offered", 1, r.contract.state = STR("offered"));
    ROW("1 suspended", 1, r.contract.state = STR("suspended"));
    ROW("1 ended", 1, r.contract.state = STR("ended"));
    ROW("1 empty", 1, r.contract.state = STR_NONE);
    ROW("1 case matters", 1, r.contract.state = STR("Agreed"));
    ROW("2 a millisecond early", 2, r.now_ms = 999);
    ROW("2 the first millisecond", 0, r.now_ms = 1000);
    ROW("2 none", 0, (r.contract.from_ms = DECIDE_NONE, r.now_ms = -5));
    ROW("3 the last millisecond", 0, (r.contract.fresh_until_ms = DECIDE_NONE, r.now_ms = 1999));
    ROW("3 over", 3, r.now_ms = 2000);
    ROW("3 none", 0, (r.contract.until_ms = DECIDE_NONE, r.contract.fresh_until_ms = DECIDE_NONE, r.now_ms = INT64_C(1) << 52));
    ROW("4 still fresh", 0, r.now_ms = 1899);
    ROW("4 not fresh", 4, r.now_ms = 1900);
    ROW("4 none", 0, (r.contract.fresh_until_ms = DECIDE_NONE, r.now_ms = 1950));
    ROW("5 another party", 5, r.request.party = STR("h/other"));
    ROW("5 the provider itself", 5, r.request.party = STR("h/police"));
    ROW("5 a prefix", 5, r.request.party = STR("h/park"));
    ROW("6 another resource", 6, r.request.resource = STR("h/police/driver"));
    ROW("7 another use", 7, r.request.use = STR("subscribe"));
    ROW("7 second of the list", 0, r.request.use = STR("query"));
    ROW("7 no use at all", 7, r.contract.n_uses = 0);
    ROW("8 another purpose", 8, r.request.purpose = STR("parking.settl"));
    ROW("9 none asked", 9, r.request.n_fields = 0);
    ROW("9 one not granted", 9, r.request.fields = not_granted);
    ROW("9 longer name", 9, (r.request.fields = longer, r.request.n_fields = 1));
    ROW("9 shorter name", 9, (r.request.fields = shorter, r.request.n_fields = 1));
    ROW("9 nothing granted", 9, r.contract.n_fields = 0);
    ROW("10 reached", 10, r.counters.second = 5);
    ROW("10 past", 10, r.counters.second = 6);
    ROW("10 none", 0, (r.contract.per_second = DECIDE_NONE, r.counters.second = INT64_C(1) << 40));
    ROW("10 zero permits nothing", 10, (r.contract.per_second = 0, r.counters.second = 0));
    ROW("11 reached", 11, r.counters.day = 50);
    ROW("11 none", 0, (r.contract.per_day = DECIDE_NONE, r.counters.day = 51));
    ROW("12 reached", 12, r.counters.month = 500);
    ROW("12 none", 0, (r.contract.per_month = DECIDE_NONE, r.counters.month = 501));
    ROW("13 not a statistic", 13, r.contract.min_subjects = 10);
    ROW("13 one below", 13, (r.contract.min_subjects = 10, r.request.subjects = 9));
    ROW("13 just enough", 0, (r.contract.min_subjects = 10, r.request.subjects = 10));
    ROW("13 subjects without a minimum", 0, r.request.subjects = 0);
}

/* With everything wrong the first rule denies; mending rule by rule, each one shows in its turn. */
static void first_that_fails(void **state)
{
    struct row good = base(), r = base();
    good.contract.min_subjects = 3;
    good.request.subjects = 3;
    r.contract.state = STR("ended");
    r.contract.from_ms = 1501;
    r.contract.until_ms = 1500;
    r.contract.fresh_until_ms = 1500;
    r.request =
        (struct decide_request){.party = STR("x"), .resource = STR("x"), .use = STR("x"), .purpose = STR("x"), .subjects = DECIDE_NONE};
    r.counters = (struct decide_counters){5, 50, 500};
    r.contract.min_subjects = 3;
    for (int rule = 1; rule <= 13; rule++) {
        assert_int_equal(decide(&r.contract, &r.request, r.now_ms, &r.counters), rule);
        switch (rule) {
        case 1:
            r.contract.state = good.contract.state;
            break;
        case 2:
            r.contract.from_ms = good.contract.from_ms;
            break;
        case 3:
            r.contract.until_ms = good.contract.until_ms;
            break;
        case 4:
            r.contract.fresh_until_ms = good.contract.fresh_until_ms;
            break;
        case 5:
            r.request.party = good.request.party;
            break;
        case 6:
            r.request.resource = good.request.resource;
            break;
        case 7:
            r.request.use = good.request.use;
            break;
        case 8:
            r.request.purpose = good.request.purpose;
            break;
        case 9:
            r.request.fields = good.request.fields;
            r.request.n_fields = good.request.n_fields;
            break;
        case 10:
            r.counters.second = 4;
            break;
        case 11:
            r.counters.day = 49;
            break;
        case 12:
            r.counters.month = 499;
            break;
        default:
            r.request.subjects = 3;
        }
    }
    assert_int_equal(decide(&r.contract, &r.request, r.now_ms, &r.counters), 0);
}

static void rule_texts(void **state)
{
    for (int i = 0; i < DECIDE_N_RULES; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(decide_rule_text(i), decide_rule_text(j));
    assert_string_equal(decide_rule_text(99), "no such rule");
}

/* ---- lines ---- */

#define CONTRACT                                                                                                                           \
    "\"contract\":{\"state\":\"agreed\",\"provider\":\"p\",\"consumer\":\"c\",\"resource\":\"r\",\"uses\":[\"call\"],\"fields\":[\"a\"],"  \
    "\"purpose\":\"u\",\"from_ms\":0,\"until_ms\":null,\"fresh_until_ms\":null,\"per_second\":null,\"per_day\":null,\"per_month\":null,"   \
    "\"min_subjects\":null}"
#define REQUEST "\"request\":{\"party\":\"c\",\"resource\":\"r\",\"use\":\"call\",\"fields\":[\"a\"],\"purpose\":\"u\",\"subjects\":null}"
#define COUNTERS "\"counters\":{\"second\":0,\"day\":0,\"month\":0}"
#define LINE "{" CONTRACT "," REQUEST ",\"now_ms\":1," COUNTERS "}"

static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    size_t size = strlen(text) + strlen(to) + 1;
    char *out = malloc(size);
    snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

static void expect_bytes(struct str line, const char *expected)
{
    struct buf answer;
    buf_init(&answer, 4096);
    decide_line(line, &answer);
    assert_ok(answer.err);
    if (expected[0] == '{')
        assert_str(buf_str(&answer), expected);
    else if (!str_starts_with(buf_str(&answer), STR("{\"error\":\"")))
        fail_msg("%.*s: accepted as %.*s", (int)line.len, line.ptr, (int)answer.len, answer.ptr);
    buf_finish(&answer);
}

static void expect_line(const char *line, const char *expected)
{
    expect_bytes(str_from_c(line), expected);
}

static void lines(void **state)
{
    static const struct {
        const char *from, *to, *expected;
    } rows[] = {
        {"\"now_ms\":1", "\"now_ms\":1", "{\"permit\":true,\"rule\":0}"},
        {"\"now_ms\":1", "\"now_ms\":-1", "{\"permit\":false,\"rule\":2}"},
        {"\"now_ms\":1", "\"now_ms\":9007199254740992", "{\"permit\":true,\"rule\":0}"},
        {"\"now_ms\":1", "\"now_ms\":9007199254740993", "error"},
        {"\"now_ms\":1", "\"now_ms\":-9007199254740993", "error"},
        {"\"now_ms\":1", "\"now_ms\":1.0", "error"},
        {"\"now_ms\":1", "\"now_ms\":1e3", "error"},
        {"\"now_ms\":1", "\"now_ms\":\"1\"", "error"},
        {"\"now_ms\":1", "\"now_ms\":null", "error"},
        {"\"now_ms\":1", "\"now_ms\":true", "error"},
        {"\"now_ms\":1", "\"now_ms\":01", "error"},
        {"\"now_ms\":1", "\"now_ms\":99999999999999999999999", "error"},
        {"\"now_ms\":1", "\"now_ms\":1,\"now_ms\":1", "error"},
        {"\"now_ms\":1", "\"now_ms\":1,\"more\":1", "error"},
        {"\"now_ms\":1,", "", "error"},
        {"\"state\":\"agreed\"", "\"state\":\"agreed\",\"state\":\"agreed\"", "error"},
        {"\"state\":\"agreed\"", "\"state\":\"ended\"", "{\"permit\":false,\"rule\":1}"},
        {"\"state\":\"agreed\"", "\"state\":null", "error"},
        {"\"state\":\"agreed\"", "\"state\":\"agreed\",\"rows\":\"\"", "error"},
        {"\"uses\":[\"call\"]", "\"uses\":[]", "{\"permit\":false,\"rule\":7}"},
        {"\"uses\":[\"call\"]", "\"uses\":[1]", "error"},
        {"\"uses\":[\"call\"]", "\"uses\":\"call\"", "error"},
        {"\"uses\":[\"call\"]", "\"uses\":null", "error"},
        {"\"fields\":[\"a\"],\"purpose\":\"u\",\"subjects\"", "\"fields\":[],\"purpose\":\"u\",\"subjects\"",
            "{\"permit\":false,\"rule\":9}"},
        {"\"subjects\":null", "\"subjects\":0.5", "error"},
        {"\"per_second\":null", "\"per_second\":0", "{\"permit\":false,\"rule\":10}"},
        {"\"per_day\":null", "\"per_day\":-1", "{\"permit\":false,\"rule\":11}"},
        {"\"per_month\":null", "\"per_month\":\"none\"", "error"},
        {"\"min_subjects\":null", "\"min_subjects\":1", "{\"permit\":false,\"rule\":13}"},
        {"\"second\":0", "\"second\":null", "error"},
        {"\"second\":0", "\"second\":0,\"hour\":0", "error"},
        {"\"consumer\":\"c\"", "\"consumer\":\"c\\u0000\"", "{\"permit\":false,\"rule\":5}"},
        {"\"purpose\":\"u\",\"from", "\"purpose\":\"\\u0075\",\"from", "{\"permit\":true,\"rule\":0}"},
        {"}", "", "error"},
        {"{\"contract\"", "[{\"contract\"", "error"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *line = replaced(LINE, rows[i].from, rows[i].to);
        expect_line(line, rows[i].expected);
        free(line);
    }
    expect_line("", "error");
    expect_line("[]", "error");
    expect_bytes(STR(LINE "\0"), "error");
    char *zero = replaced(LINE, "\"min_subjects\":null", "\"min_subjects\":null@");
    size_t length = strlen(zero);
    *strchr(zero, '@') = 0; /* jansson alone would swallow it */
    expect_bytes((struct str){zero, length}, "error");
    free(zero);
    expect_line("{}", "error");
    expect_line(LINE " x", "error");
    expect_line(LINE "\r", "{\"permit\":true,\"rule\":0}");
    expect_line("{\"contract\":[],\"request\":[],\"now_ms\":1,\"counters\":[]}", "error");
    expect_line("\xff", "error");
}

static void deep_nesting(void **state)
{
    static char line[200000];
    memset(line, '[', sizeof line - 1);
    expect_line(line, "error");
}

/* One answer a line, also for a line past the limit, an empty one and a last one without its newline. */
static void stdio(void **state)
{
    char *input = NULL, *output = NULL;
    size_t n_input = 0, n_output = 0;
    FILE *w = open_memstream(&input, &n_input);
    fprintf(w, "%s\n\n", LINE);
    for (size_t i = 0; i < DECIDE_LINE_MAX + 10; i++)
        fputc(' ', w);
    fprintf(w, "\n%s", LINE);
    fclose(w);
    FILE *in = tmpfile(), *out = open_memstream(&output, &n_output);
    assert_non_null(in);
    assert_int_equal(fwrite(input, 1, n_input, in), n_input);
    rewind(in);
    assert_ok(hub_decide_stdio(fileno(in), out));
    fclose(in);
    fclose(out);
    assert_string_equal(output,
        "{\"permit\":true,\"rule\":0}\n{\"error\":\"the line is not JSON\"}\n{\"error\":\"the line is longer than 1 MiB\"}\n"
        "{\"permit\":true,\"rule\":0}\n");
    free(input);
    free(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule),
        cmocka_unit_test(first_that_fails),
        cmocka_unit_test(rule_texts),
        cmocka_unit_test(lines),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(stdio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
