/* JSON: what is refused and why; the writer against jansson on random values; RFC 8785's appendices. */
#include "base/json.h"
#include "base/json_number.h"
#include "base/mem.h"
#include "base/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void refuses(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        const char *says;
    } rows[] = {
        {"", ERR_SYNTAX, "line 1"},
        {"{", ERR_SYNTAX, "line 1"},
        {"[1,]", ERR_SYNTAX, "column"},
        {"{\"a\":1}\n{}", ERR_SYNTAX, "line 2"},
        {"{\"a\":1,\"a\":2}", ERR_EXISTS, "duplicate"},
        {"{'a':1}", ERR_SYNTAX, "column"},
        {"[01]", ERR_SYNTAX, "column"},
        {"[NaN]", ERR_SYNTAX, "column"},
        {"[1e999]", ERR_SYNTAX, "real number overflow"},
        {"[99999999999999999999]", ERR_SYNTAX, "too big"},
        {"\"\\u0000\"", ERR_SYNTAX, "\\u0000"},
        {"\"\\ud800\"", ERR_SYNTAX, "Unicode"},
        {"\"\xff\"", ERR_SYNTAX, "decode byte"},
        {"\"\xc0\x80\"", ERR_SYNTAX, "decode byte"},
        {"\"\xed\xa0\x80\"", ERR_SYNTAX, "decode byte"},
        {"\"a\nb\"", ERR_SYNTAX, "line"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct diag diag = {""};
        json_t *json = NULL;
        assert_err(json_read(str_from_c(rows[i].text), &diag, &json), rows[i].err);
        assert_null(json);
        if (!strstr(diag.text, rows[i].says))
            fail_msg("row %zu says \"%s\", not \"%s\"", i, diag.text, rows[i].says);
    }
}

/* `n` arrays in one another. */
static struct str nested(char *out, size_t n)
{
    memset(out, '[', n);
    memset(out + n, ']', n);
    return (struct str){out, 2 * n};
}

/* jansson swallows a zero byte after a number or a word (found by tests/decide_ts). */
static void refuses_zero_bytes(void **state)
{
    (void)state;
    static const struct str texts[] = {STR_INIT("1\0"), STR_INIT("[null\0]"), STR_INIT("{\"a\":1\0}"),
        STR_INIT("\0"
                 "1"),
        STR_INIT("[1,\0 2]"), STR_INIT("\"a\0\"")};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *json = NULL;
        assert_err(json_read(texts[i], NULL, &json), ERR_SYNTAX);
        assert_null(json);
    }
}

static void bounds_nesting(void **state)
{
    static char text[400000];
    struct diag diag = {""};
    json_t *json = NULL;

    assert_ok(json_read(nested(text, JSON_DEPTH_MAX), &diag, &json));
    json_decref(json);
    json = NULL;
    assert_err(json_read(nested(text, JSON_DEPTH_MAX + 1), &diag, &json), ERR_TOO_LARGE);
    assert_err(json_read(nested(text, 200000), &diag, &json), ERR_TOO_LARGE);
    assert_null(json);
    assert_ok(json_read(STR("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[\""), NULL, &json));
    json_decref(json);
}

static void gets_members(void **state)
{
    json_t *json = NULL;
    struct str s = STR_NONE;
    int64_t i = -1;
    bool b = false;

    assert_ok(json_read(STR("{\"s\":\"\xe6\xb5\x99\",\"i\":-7,\"b\":true,\"n\":null,\"r\":1.5}"), NULL, &json));
    assert_ok(json_get_str(json, "s", &s));
    assert_str(s, "浙");
    assert_ok(json_get_i64(json, "i", &i));
    assert_int_equal(i, -7);
    assert_ok(json_get_bool(json, "b", &b));
    assert_true(b);
    assert_err(json_get_str(json, "n", &s), ERR_NOT_FOUND);
    assert_err(json_get_str(json, "x", &s), ERR_NOT_FOUND);
    assert_err(json_get_str(json, "i", &s), ERR_SYNTAX);
    assert_err(json_get_i64(json, "r", &i), ERR_SYNTAX);
    assert_err(json_get_bool(json, "i", &b), ERR_SYNTAX);
    assert_err(json_get_bool(json, "n", &b), ERR_NOT_FOUND);
    json_decref(json);
}

static void becomes_a_value(void **state)
{
    static const struct {
        const char *text;
        enum value_type type;
        enum err err;
        struct value value;
    } rows[] = {
        {"7", VALUE_INTEGER, ERR_OK, {VALUE_INTEGER, {.i = 7}}},
        {"7.0", VALUE_INTEGER, ERR_OK, {VALUE_INTEGER, {.i = 7}}},
        {"7.5", VALUE_INTEGER, ERR_SYNTAX, {0}},
        {"1e300", VALUE_INTEGER, ERR_SYNTAX, {0}},
        {"\"7\"", VALUE_INTEGER, ERR_SYNTAX, {0}},
        {"7", VALUE_REAL, ERR_OK, {VALUE_REAL, {.r = 7}}},
        {"7.25", VALUE_REAL, ERR_OK, {VALUE_REAL, {.r = 7.25}}},
        {"true", VALUE_REAL, ERR_SYNTAX, {0}},
        {"true", VALUE_BOOLEAN, ERR_OK, {VALUE_BOOLEAN, {.i = 1}}},
        {"1", VALUE_BOOLEAN, ERR_SYNTAX, {0}},
        {"\"a\"", VALUE_TEXT, ERR_OK, {VALUE_TEXT, {.s = STR_INIT("a")}}},
        {"1", VALUE_TEXT, ERR_SYNTAX, {0}},
        {"\"1970-01-01T08:00:01+08:00\"", VALUE_TIME, ERR_OK, {VALUE_TIME, {.i = 1000}}},
        {"1000", VALUE_TIME, ERR_OK, {VALUE_TIME, {.i = 1000}}},
        {"\"noon\"", VALUE_TIME, ERR_SYNTAX, {0}},
        {"null", VALUE_TEXT, ERR_OK, {VALUE_NULL, {0}}},
        {"\"AA==\"", VALUE_BYTES, ERR_SYNTAX, {0}},
        {"{}", VALUE_TEXT, ERR_SYNTAX, {0}},
        {"[]", VALUE_INTEGER, ERR_SYNTAX, {0}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct value value = value_integer(-99);
        json_t *json = NULL;
        assert_ok(json_read(str_from_c(rows[i].text), NULL, &json));
        assert_err(json_to_value(json, rows[i].type, &value), rows[i].err);
        if (!value_equal(value, rows[i].err ? value_integer(-99) : rows[i].value))
            fail_msg("row %zu gives another value", i);
        json_decref(json);
    }
}

static void writes(void **state)
{
    struct buf out;
    struct json_writer w;

    buf_init(&out, 4096);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_str(&w, "s", STR("\"\\/\b\f\n\r\t\x01\x7f浙\xff\xc3"));
    json_field_i64(&w, "i", INT64_MIN);
    json_key(&w, "u");
    json_put_u64(&w, UINT64_MAX);
    json_field_real(&w, "r", 0.1);
    json_field_real(&w, "nan", NAN);
    json_key(&w, "a");
    json_begin_array(&w);
    json_put_null(&w);
    json_put_i64(&w, -1);
    json_put_i64(&w, -2);
    json_begin_array(&w);
    json_end_array(&w);
    json_begin_object(&w);
    json_end_object(&w);
    json_put_raw(&w, STR("{\"x\":1}"));
    json_put_fixed(&w, 12.3456, 2);
    json_put_fixed(&w, -0.001, 2);
    json_put_fixed(&w, 1e300, 2);
    json_put_real(&w, 1e20);
    json_end_array(&w);
    json_field_bool(&w, "b", false);
    json_key(&w, "v");
    json_put_value(&w, (struct value){.type = VALUE_BYTES, .s = STR("foob")});
    json_key(&w, "t");
    json_put_value(&w, value_time(0));
    json_end_object(&w);
    assert_ok(out.err);
    assert_str(buf_str(&out),
        "{\"s\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f浙\xef\xbf\xbd\xef\xbf\xbd\",\"i\":-9223372036854775808,\"u\":18446744073709551615,"
        "\"r\":0.1,\"nan\":null,\"a\":[null,-1,-2,[],{},{\"x\":1},12.35,0,1e+300,100000000000000000000.0],\"b\":false,\"v\":\"Zm9vYg==\","
        "\"t\":\"1970-01-01T00:00:00.000Z\"}");
    buf_finish(&out);
}

/* RFC 8785, appendix B, and powers of two, where the nearest sixteen digits do not read back but their neighbour does. */
static void writes_numbers_as_rfc_8785(void **state)
{
    static const struct {
        uint64_t bits;
        const char *text;
    } rows[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
        {0x3d30000000000000, "5.684341886080802e-14"},
        {0x0010000000000000, "2.2250738585072014e-308"},
        {0x000fffffffffffff, "2.225073858507201e-308"},
        {0x0000000000000003, "1.5e-323"},
        {0x3ff0000000000000, "1"},
        {0x3fb999999999999a, "0.1"},
        {0x405edd2f1a9fbe77, "123.456"},
        {0x40c3880000000000, "10000"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[JSON_NUMBER_MAX];
        double r;
        memcpy(&r, &rows[i].bits, sizeof(r));
        assert_int_equal(json_number_format(r, text), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
    }
}

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void numbers_read_back_and_are_shortest(void **state)
{
    uint64_t seed = (uint64_t)time(NULL) | 1;

    printf("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = draw(&seed);
        char text[JSON_NUMBER_MAX], shorter[64];
        double r;
        if (i % 4 == 0) {
            r = (double)(int64_t)(bits >> 20) / 1000.0;
        } else if (i % 4 == 1) {
            r = ldexp(1.0, (int)(bits % 2000) - 1000);
        } else {
            memcpy(&r, &bits, sizeof(r));
            if (!isfinite(r))
                continue;
        }
        json_number_format(r, text);
        assert_true(strtod(text, NULL) == r);
        int n_digits = 0; /* significant ones */
        for (const char *p = text, *from = NULL; *p && *p != 'e'; p++) {
            if (*p >= '1' && *p <= '9')
                from = from ? from : p;
            n_digits += from && *p >= '0' && *p <= '9';
        }
        if (strchr(text, '.') && n_digits > 1) {
            snprintf(shorter, sizeof(shorter), "%.*e", n_digits - 2, r);
            if (strtod(shorter, NULL) == r)
                fail_msg("%s is not the shortest: %s", text, shorter);
        }
    }
}

static json_t *random_string(uint64_t *seed)
{
    static const char *const parts[] = {"a", "\"", "\\", "/", "\n", "\x01", "\x1f", "\x7f", "浙", "é", "\U0001F697", " "};
    char text[64] = "";

    for (uint64_t n = draw(seed) % 6; n > 0; n--)
        strncat(text, parts[draw(seed) % (sizeof(parts) / sizeof(parts[0]))], sizeof(text) - strlen(text) - 1);
    return json_string(text);
}

static json_t *random_json(uint64_t *seed, int depth)
{
    json_t *json = NULL;
    uint64_t kind = draw(seed) % (depth > 4 ? 5 : 7), n = draw(seed) % 6;

    switch (kind) {
    case 0:
        return n ? json_boolean(n & 1) : json_null();
    case 1:
        return json_integer((json_int_t)(draw(seed) << n * 10) >> draw(seed) % 64);
    case 2:
        return json_real((double)(int64_t)draw(seed) / (double)(draw(seed) | 1));
    case 3:
        return json_real(ldexp((double)draw(seed), (int)(draw(seed) % 1800) - 900));
    case 4:
        return random_string(seed);
    case 5:
        json = json_array();
        while (n-- > 0)
            json_array_append_new(json, random_json(seed, depth + 1));
        return json;
    default:
        json = json_object();
        while (n-- > 0) {
            json_t *key = random_string(seed);
            json_object_set_new(json, json_string_value(key), random_json(seed, depth + 1));
            json_decref(key);
        }
        return json;
    }
}

static void put(struct json_writer *w, json_t *json)
{
    const char *key;
    json_t *value;
    size_t i;

    switch (json_typeof(json)) {
    case JSON_OBJECT:
        json_begin_object(w);
        json_object_foreach(json, key, value)
        {
            json_key(w, key);
            put(w, value);
        }
        json_end_object(w);
        break;
    case JSON_ARRAY:
        json_begin_array(w);
        json_array_foreach(json, i, value) put(w, value);
        json_end_array(w);
        break;
    case JSON_STRING:
        json_put_c(w, json_string_value(json));
        break;
    case JSON_INTEGER:
        json_put_i64(w, json_integer_value(json));
        break;
    case JSON_REAL:
        json_put_real(w, json_real_value(json));
        break;
    case JSON_NULL:
        json_put_null(w);
        break;
    default:
        json_put_bool(w, json_is_true(json));
    }
}

/* As json_equal(), but 7.0 is 7. */
static bool same(json_t *a, json_t *b)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_number(a) && json_is_number(b))
        return json_is_integer(a) && json_is_integer(b) ? json_integer_value(a) == json_integer_value(b)
                                                        : json_number_value(a) == json_number_value(b);
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_object(a)) {
        json_object_foreach(a, key, value) if (!json_object_get(b, key) || !same(value, json_object_get(b, key))) return false;
        return json_object_size(a) == json_object_size(b);
    }
    if (json_is_array(a)) {
        json_array_foreach(a, i, value) if (!json_array_get(b, i) || !same(value, json_array_get(b, i))) return false;
        return json_array_size(a) == json_array_size(b);
    }
    return json_equal(a, b);
}

static void jansson_reads_what_is_written(void **state)
{
    uint64_t seed = (uint64_t)time(NULL) | 1;
    struct buf out, canonical;

    printf("seed %llu\n", (unsigned long long)seed);
    buf_init(&out, 1 << 20);
    buf_init(&canonical, 1 << 20);
    for (int i = 0; i < 5000; i++) {
        json_t *json = random_json(&seed, 0), *back = NULL;
        struct json_writer w;
        enum err err;
        buf_reset(&out);
        buf_reset(&canonical);
        json_writer_init(&w, &out);
        put(&w, json);
        assert_ok(out.err);
        assert_ok(json_read(buf_str(&out), NULL, &back));
        assert_true(same(json, back));
        json_decref(back);
        err = json_write_canonical(json, &canonical);
        if (err != ERR_UNSUPPORTED) { /* an integer past 2^53 */
            assert_ok(err);
            back = json_loadb(canonical.ptr, canonical.len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL); /* 1e20 has no point */
            assert_non_null(back);
            assert_true(same(json, back));
            json_decref(back);
        }
        json_decref(json);
    }
    buf_finish(&out);
    buf_finish(&canonical);
}

static void canonical_is(const char *text, const char *wanted)
{
    struct buf out;
    json_t *json = NULL;

    buf_init(&out, 4096);
    assert_ok(json_read(str_from_c(text), NULL, &json));
    assert_ok(json_write_canonical(json, &out));
    assert_str(buf_str(&out), wanted);
    json_decref(json);
    buf_finish(&out);
}

static void writes_rfc_8785(void **state)
{
    struct buf out;
    json_t *json;

    /* §3.2.2 */
    canonical_is("{\"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],"
                 "\"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\", \"literals\": [null, true, false]}",
        "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
        "\"string\":\"\u20ac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
    /* §3.2.3: by UTF-16 code units, so the emoji (D83D …) comes before U+FB33 */
    canonical_is("{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
                 "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
                 "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\",\"\u00f6\":\"Latin Small Letter O With Diaeresis\","
        "\"\u20ac\":\"Euro Sign\",\"\U0001F600\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}");
    canonical_is("{\"aa\":1,\"a\":{\"c\":[],\"b\":{}}}", "{\"a\":{\"b\":{},\"c\":[]},\"aa\":1}");
    canonical_is("9007199254740992", "9007199254740992");

    buf_init(&out, 64);
    json = json_integer(INT64_C(9007199254740993));
    assert_err(json_write_canonical(json, &out), ERR_UNSUPPORTED);
    json_decref(json);
    buf_finish(&out);
}

static void survives_failing_memory(void **state)
{
    json_t *json = NULL;
    int64_t n_live = mem_n_live();
    enum err err = ERR_NO_MEMORY;

    assert_ok(json_read(STR("{\"b\":[1,{\"d\":\"x\",\"c\":2}],\"a\":{}}"), NULL, &json));
    for (uint64_t nth = 1; err; nth++) {
        struct buf out;
        buf_init(&out, 4096);
        mem_fail_nth(nth);
        err = json_write_canonical(json, &out);
        mem_fail_nth(0);
        if (err)
            assert_err(err, ERR_NO_MEMORY);
        else
            assert_true(nth > 2);
        buf_finish(&out);
        assert_int_equal(mem_n_live(), n_live);
    }
    json_decref(json);
}

static void the_buffers_limit_holds(void **state)
{
    struct buf out;
    struct json_writer w;

    buf_init(&out, 16);
    json_writer_init(&w, &out);
    json_begin_array(&w);
    for (int i = 0; i < 100; i++)
        json_put_i64(&w, i);
    json_end_array(&w);
    assert_err(out.err, ERR_TOO_LARGE);
    buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_zero_bytes),
        cmocka_unit_test(bounds_nesting),
        cmocka_unit_test(gets_members),
        cmocka_unit_test(becomes_a_value),
        cmocka_unit_test(writes),
        cmocka_unit_test(writes_numbers_as_rfc_8785),
        cmocka_unit_test(numbers_read_back_and_are_shortest),
        cmocka_unit_test(jansson_reads_what_is_written),
        cmocka_unit_test(writes_rfc_8785),
        cmocka_unit_test(survives_failing_memory),
        cmocka_unit_test(the_buffers_limit_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
