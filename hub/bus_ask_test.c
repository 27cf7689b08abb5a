/*
 * What consumers ask over the bus, as bytes: random askings come back as they were; cut, changed and made-up bytes are refused or mean
 * something that could have been asked; what is over a limit is refused; answers of a hub that lies too.
 */
#include "base/test_random.h"
#include "hub/asking.h"
#include "hub/bus_ask.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 3000

static uint64_t seed;

static uint64_t next(void)
{
    return test_random(&seed);
}

static size_t below(size_t n)
{
    return (size_t)(next() % n);
}

static struct str some_text(void)
{
    static const char *const texts[] = {"", "plate", "浙A12345", "hangzhou/police/vehicle", "parking.settle", "a\"b\\c\n"};
    return str_from_c(texts[below(sizeof texts / sizeof *texts)]);
}

static struct value some_value(enum hub_bus_what what)
{
    switch (below(what == HUB_BUS_QUERY ? 5 : 6)) {
    case 0:
        return VALUE_NONE;
    case 1:
        return value_integer((int64_t)next());
    case 2:
        return value_real((double)(int64_t)next() / 7);
    case 3:
        return value_boolean(below(2) == 1);
    case 4:
        return value_text(some_text());
    default:
        return value_time((int64_t)below(1u << 30));
    }
}

static struct str names[HUB_FIELDS_MAX];
static struct value values[HUB_FIELDS_MAX];
static struct str fields[HUB_FIELDS_MAX];

static struct hub_bus_ask some_ask(void)
{
    enum hub_bus_what what = (enum hub_bus_what)(HUB_BUS_CALL + below(4));
    struct hub_bus_ask ask = {.what = what, .wait_ms = (uint32_t)next(), .names = names, .values = values, .fields = fields};
    if (what == HUB_BUS_QUERY) {
        ask.sql = some_text();
        ask.is_explain = below(2) == 1;
    } else
        ask.resource = some_text();
    if (what != HUB_BUS_TERMS) {
        ask.purpose = some_text();
        ask.n_values = 1 + below(HUB_FIELDS_MAX);
    }
    if (what == HUB_BUS_CALL || what == HUB_BUS_ACT)
        ask.contract = some_text();
    if (what == HUB_BUS_CALL)
        ask.n_fields = below(HUB_FIELDS_MAX + 1);
    if (what == HUB_BUS_ACT)
        ask.key = some_text();
    for (size_t i = 0; i < ask.n_values; i++) {
        names[i] = some_text();
        values[i] = some_value(what);
    }
    for (size_t i = 0; i < ask.n_fields; i++)
        fields[i] = some_text();
    return ask;
}

static void assert_same(const struct hub_bus_ask *a, const struct hub_bus_ask *b)
{
    assert_int_equal(a->what, b->what);
    assert_int_equal(a->wait_ms, b->wait_ms);
    assert_true(str_equal(a->resource, b->resource) && str_equal(a->purpose, b->purpose) && str_equal(a->contract, b->contract));
    assert_true(str_equal(a->key, b->key) && str_equal(a->sql, b->sql) && a->is_explain == b->is_explain);
    assert_int_equal(a->n_values, b->n_values);
    assert_int_equal(a->n_fields, b->n_fields);
    for (size_t i = 0; i < a->n_values; i++) {
        assert_true(value_equal(a->values[i], b->values[i]));
        assert_true(a->what == HUB_BUS_QUERY || str_equal(a->names[i], b->names[i]));
    }
    for (size_t i = 0; i < a->n_fields; i++)
        assert_true(str_equal(a->fields[i], b->fields[i]));
}

/* What is accepted is written again as bytes that are accepted, and mean the same. */
static bool is_accepted(struct str bytes)
{
    struct arena arena;
    struct buf again;
    struct hub_bus_ask first, second;
    arena_init(&arena, 1u << 20);
    buf_init(&again, 1u << 20);
    bool is_ok = hub_bus_ask_read(&arena, bytes, &first) == ERR_OK;
    if (is_ok) {
        hub_bus_ask_write(&first, &again);
        assert_ok(again.err);
        assert_ok(hub_bus_ask_read(&arena, buf_str(&again), &second));
        assert_same(&first, &second);
    }
    buf_finish(&again);
    arena_finish(&arena);
    return is_ok;
}

static void questions(void **state)
{
    size_t n_cut = 0, n_changed = 0, n_still = 0;
    for (int i = 0; i < TEST_TIMES(ROUNDS); i++) {
        struct arena arena;
        struct buf bytes;
        struct hub_bus_ask ask = some_ask(), read;
        arena_init(&arena, 1u << 20);
        buf_init(&bytes, 1u << 20);
        hub_bus_ask_write(&ask, &bytes);
        assert_ok(bytes.err);
        assert_true(hub_bus_ask_is(buf_str(&bytes)));
        assert_ok(hub_bus_ask_read(&arena, buf_str(&bytes), &read));
        assert_same(&ask, &read);
        assert_false(is_accepted(str_slice(buf_str(&bytes), 0, below(bytes.len)))); /* its end is told by nothing but its parts */
        n_cut++;
        buf_append_byte(&bytes, 'x');
        assert_false(is_accepted(buf_str(&bytes)));
        bytes.len--;
        for (size_t j = below(3) + 1; j > 0; j--)
            bytes.ptr[below(bytes.len)] ^= (char)(1 << below(8));
        n_still += is_accepted(buf_str(&bytes));
        n_changed++;
        buf_finish(&bytes);
        arena_finish(&arena);
    }
    fprintf(stderr, "%zu questions cut, %zu changed, of which %zu are questions still\n", n_cut, n_changed, n_still);
    assert_true(n_still < n_changed);
}

static enum err read_again(const struct hub_bus_ask *ask)
{
    struct arena arena;
    struct buf bytes;
    struct hub_bus_ask read;
    arena_init(&arena, 1u << 20);
    buf_init(&bytes, 1u << 20);
    hub_bus_ask_write(ask, &bytes);
    assert_ok(bytes.err);
    enum err err = hub_bus_ask_read(&arena, buf_str(&bytes), &read);
    buf_finish(&bytes);
    arena_finish(&arena);
    return err;
}

static void limits(void **state)
{
    static char large[HUB_BUS_ASK_MAX];
    static struct str many_names[101];
    static struct value many[101];
    memset(large, 'x', sizeof large);
    struct hub_bus_ask ask = {.what = HUB_BUS_QUERY, .purpose = STR("p"), .sql = STR("SELECT 1"), .names = many_names, .values = many};
    ask.n_values = 100;
    assert_ok(read_again(&ask));
    ask.n_values = 101;
    assert_err(read_again(&ask), ERR_SYNTAX);
    ask = (struct hub_bus_ask){.what = HUB_BUS_CALL, .names = many_names, .values = many, .n_values = HUB_FIELDS_MAX + 1};
    assert_err(read_again(&ask), ERR_SYNTAX);
    ask = (struct hub_bus_ask){.what = HUB_BUS_CALL, .fields = many_names, .n_fields = HUB_FIELDS_MAX + 1};
    assert_err(read_again(&ask), ERR_SYNTAX);
    ask = (struct hub_bus_ask){.what = HUB_BUS_TERMS, .resource = {large, sizeof large}};
    assert_err(read_again(&ask), ERR_TOO_LARGE);
    ask = (struct hub_bus_ask){.what = HUB_BUS_ACT, .key = STR("k")}; /* without a parameter */
    assert_err(read_again(&ask), ERR_SYNTAX);
    ask = (struct hub_bus_ask){.what = HUB_BUS_TERMS, .resource = STR("\xff")};
    assert_err(read_again(&ask), ERR_SYNTAX);
    ask.resource = STR("a\0b");
    assert_err(read_again(&ask), ERR_SYNTAX);
    many[0] = (struct value){.type = VALUE_BYTES, .s = STR("x")};
    ask = (struct hub_bus_ask){.what = HUB_BUS_CALL, .names = many_names, .values = many, .n_values = 1};
    assert_err(read_again(&ask), ERR_SYNTAX);
    many[0] = value_time(1);
    assert_ok(read_again(&ask));
    ask.what = HUB_BUS_QUERY;
    assert_err(read_again(&ask), ERR_SYNTAX);
}

static void answers(void **state)
{
    static const struct str asked[] = {STR_INIT("plate"), STR_INIT("seats")};
    const struct value rows_of[2][2] = {{value_text(STR("浙A1\"")), value_integer(5)}, {VALUE_NONE, value_integer(-1)}};
    struct hub_call call = {.receipt = "h.log.r1/7"};
    struct hub_bus_answer answer;
    struct buf bytes, json;
    struct json_writer w;
    bool is_truncated = false;
    buf_init(&bytes, 65536);
    buf_init(&json, 65536);
    assert_ok(rows_create(2, 65536, &call.rows));
    for (size_t i = 0; i < 2; i++)
        assert_ok(rows_add(call.rows, rows_of[i]));
    call.is_truncated = true;
    assert_int_equal(hub_bus_rows_write(&call, 0, 65536, &bytes), 2);
    assert_ok(hub_bus_answer_read(HUB_BUS_CALL, buf_str(&bytes), &answer));
    assert_str(answer.receipt, "h.log.r1/7");
    json_writer_init(&w, &json);
    json_begin_array(&w);
    assert_ok(hub_bus_rows_json(answer.rest, asked, 2, &w, &is_truncated));
    json_end_array(&w);
    assert_true(is_truncated);
    assert_str(buf_str(&json), "[{\"plate\":\"浙A1\\\"\",\"seats\":5},{\"plate\":null,\"seats\":-1}]");
    assert_err(hub_bus_rows_json(answer.rest, asked, 1, &w, &is_truncated), ERR_SYNTAX);
    for (size_t cut = 0; cut < answer.rest.len; cut++)
        assert_err(hub_bus_rows_json(str_slice(answer.rest, 0, cut), asked, 2, &w, &is_truncated), ERR_SYNTAX);
    char wrong[] = "\1\0\0\0\1\1\377"; /* a row whose value is of no type */
    assert_err(hub_bus_rows_json((struct str){wrong, sizeof wrong - 1}, asked, 1, &w, &is_truncated), ERR_SYNTAX);
    buf_reset(&bytes);
    const struct http_problem denied = {404, STR("there is no such resource, or no contract for it"), 4};
    hub_bus_problem_write(&denied, STR_NONE, &bytes);
    assert_ok(hub_bus_answer_read(HUB_BUS_ACT, buf_str(&bytes), &answer));
    assert_int_equal(answer.problem.status, 404);
    assert_int_equal(answer.problem.rule, 4);
    assert_true(str_equal(answer.problem.detail, denied.detail));
    for (size_t cut = 0; cut < bytes.len; cut++)
        assert_err(hub_bus_answer_read(HUB_BUS_ACT, str_slice(buf_str(&bytes), 0, cut), &answer), ERR_SYNTAX);
    buf_reset(&bytes);
    hub_bus_acted_write(true, false, STR("h.log/1"), STR("\"no\""), &bytes);
    assert_ok(hub_bus_answer_read(HUB_BUS_ACT, buf_str(&bytes), &answer));
    assert_true(answer.is_refused && !answer.is_repeated && answer.problem.status == 0);
    assert_str(answer.json, "\"no\"");
    for (int i = 0; i < TEST_TIMES(ROUNDS); i++) { /* whatever a hub says, it is read or refused */
        char made[64];
        for (size_t j = 0; j < sizeof made; j++)
            made[j] = (char)(j < 2 ? below(3) : next());
        if (hub_bus_answer_read((enum hub_bus_what)(HUB_BUS_CALL + below(4)), (struct str){made, below(sizeof made)}, &answer) == ERR_OK)
            assert_true(answer.json.len + answer.rest.len + answer.receipt.len <= sizeof made);
    }
    rows_release(call.rows);
    buf_finish(&bytes);
    buf_finish(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(questions), cmocka_unit_test(limits), cmocka_unit_test(answers)};
    seed = test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
