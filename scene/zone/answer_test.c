/* What is asked of the table of passes, and what is made of its answers: of good ones, and of any other. */
#include "scene/zone/answer.h"

#include "base/test.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "{\"columns\":[\"plate\",\"zone\",\"valid_from\",\"valid_until\"],\"rows\":["
#define TAIL "],\"truncated\":false,\"receipts\":[{\"contract\":\"h/c-1\",\"resource\":\"h/permit/pass\",\"receipt\":\"h.log/7\"}]}"
#define ROW(plate_, zone_) "[\"" plate_ "\"," zone_ ",\"2026-09-21T00:00:00.000Z\",\"2026-09-22T00:00:00.000Z\"]"

static struct zones zones = {.n = 2, .zones = {{.name = "inner"}, {.name = "outer"}}};
static struct zone_pass passes[ZONE_PASSES_MAX];

static struct zone_ask ask_of(const char *const *plates, uint32_t n)
{
    struct zone_ask ask = {.number = 1, .n = n};
    for (uint32_t i = 0; i < n; i++) {
        ask.checks[i].time_ms = 1000 - (int64_t)i;
        ask.checks[i].plate_len = (uint8_t)strlen(plates[i]);
        memcpy(ask.checks[i].plate, plates[i], strlen(plates[i]));
    }
    return ask;
}

static void asks(void **state)
{
    static const char *const plates[] = {"沪A12345", "苏E12345", "沪A12345"};
    struct zone_ask ask = ask_of(plates, 3);
    struct value parameters[ZONE_PARAMETERS_MAX];
    struct buf sql;
    buf_init(&sql, 16384);
    assert_int_equal(zone_ask_write(&ask, STR("h/permit/pass"), &sql, parameters), 4);
    assert_str(
        buf_str(&sql), "SELECT plate, zone, valid_from, valid_until FROM \"h/permit/pass\" WHERE plate IN (?, ?, ?) AND valid_until > ?");
    assert_str(parameters[1].s, "苏E12345");
    assert_true(parameters[3].type == VALUE_INTEGER && parameters[3].i == 998); /* the earliest passage's */
    buf_reset(&sql);
    ask.n = ZONE_ASK_MAX;
    assert_int_equal(zone_ask_write(&ask, STR("h/permit/pass"), &sql, parameters), 100);
    assert_ok(sql.err);
    buf_finish(&sql);
}

static void reads(void **state)
{
    static const char *const plates[] = {"沪A12345", "苏E12345", "沪A12345"};
    struct zone_ask ask = ask_of(plates, 3);
    char receipt[ZONE_RECEIPT_MAX];
    size_t n = 0;
    assert_ok(zone_answer_read(
        STR(HEAD ROW("沪A12345", "null") "," ROW("苏E12345", "\"outer\"") "," ROW("苏E12345", "\"moon\"") "," ROW("皖A12345", "\"\"") TAIL),
        &ask, &zones, passes, &n, receipt));
    assert_string_equal(receipt, "h.log/7");
    assert_int_equal(n, 4); /* the first plate was asked for twice, the last never */
    assert_true(passes[0].check == 0 && passes[0].zones == UINT16_MAX && passes[1].check == 2 && passes[1].zones == UINT16_MAX);
    assert_true(passes[2].check == 1 && passes[2].zones == 2 && passes[3].zones == 0);
    assert_true(passes[0].from_ms == 1789948800000 && passes[0].until_ms - passes[0].from_ms == 86400000);
    assert_ok(zone_answer_read(STR(HEAD TAIL), &ask, &zones, passes, &n, receipt));
    assert_int_equal(n, 0);
}

static void what_is_no_answer(void **state)
{
    static const struct {
        const char *json;
        enum err err;
    } cases[] = {
        {"", ERR_SYNTAX},
        {"[]", ERR_SYNTAX},
        {"{}", ERR_SYNTAX},
        {"{\"columns\":[],\"rows\":[],\"truncated\":false,\"receipts\":[{\"receipt\":\"h.log/7\"}]}", ERR_SYNTAX},
        {"{\"columns\":[\"plate\",\"valid_from\",\"zone\",\"valid_until\"],\"rows\":[],\"truncated\":false,\"receipts\":[{\"receipt\":\"h."
         "log/7\"}]}",
            ERR_SYNTAX},
        {HEAD "],\"truncated\":false,\"receipts\":[]}", ERR_SYNTAX}, /* nothing would prove that it was asked */
        {HEAD "],\"truncated\":true,\"receipts\":[{\"receipt\":\"h.log/7\"}]}", ERR_TOO_LARGE},
        {HEAD "],\"receipts\":[{\"receipt\":\"h.log/7\"}]}", ERR_TOO_LARGE},
        {HEAD "1" TAIL, ERR_SYNTAX},
        {HEAD "[]" TAIL, ERR_SYNTAX},
        {HEAD "[null,null,\"2026-09-21T00:00:00.000Z\",\"2026-09-22T00:00:00.000Z\"]" TAIL, ERR_SYNTAX},
        {HEAD "[\"a\",7,\"2026-09-21T00:00:00.000Z\",\"2026-09-22T00:00:00.000Z\"]" TAIL, ERR_SYNTAX},
        {HEAD "[\"a\",null,1,\"2026-09-22T00:00:00.000Z\"]" TAIL, ERR_SYNTAX},
        {HEAD "[\"a\",null,\"2026-09-21T00:00:00.000Z\",\"soon\"]" TAIL, ERR_SYNTAX},
    };
    static const char *const plates[] = {"沪A12345"};
    struct zone_ask ask = ask_of(plates, 1);
    char receipt[ZONE_RECEIPT_MAX] = "as it was";
    size_t n = 77;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_err(zone_answer_read(str_from_c(cases[i].json), &ask, &zones, passes, &n, receipt), cases[i].err);
    assert_int_equal(n, 77);
    assert_string_equal(receipt, "as it was");
}

static void more_than_is_used(void **state)
{
    static const char *const plates[] = {"a"};
    struct zone_ask ask = ask_of(plates, 1);
    struct buf json;
    char receipt[ZONE_RECEIPT_MAX];
    size_t n = 0;
    buf_init(&json, 1 << 20);
    buf_append_c(&json, HEAD ROW("a", "null"));
    for (size_t i = 0; i < ZONE_PASSES_MAX; i++)
        buf_append_c(&json, "," ROW("a", "null"));
    buf_append_c(&json, TAIL);
    assert_ok(json.err);
    assert_err(zone_answer_read(buf_str(&json), &ask, &zones, passes, &n, receipt), ERR_TOO_LARGE);
    buf_finish(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks), cmocka_unit_test(reads), cmocka_unit_test(what_is_no_answer), cmocka_unit_test(more_than_is_used)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
