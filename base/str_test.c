/* Strings, buffers, arenas, wire bytes: tables, limits, and each allocation failing once. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/diag.h"
#include "base/mem.h"
#include "base/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void every_error_has_words(void **state)
{
    for (int i = 0; i < ERR_COUNT; i++)
        assert_true(strlen(err_text((enum err)i)) > 3);
    assert_int_equal(err_from_errno(ENOSPC), ERR_DISK_FULL);
    assert_int_equal(err_from_errno(EIO), ERR_IO);
}

static void a_diag_names_place_and_mend(void **state)
{
    struct diag diag = {""};
    assert_err(diag_set(&diag, ERR_RANGE, "city.yaml", 3, "port %d", 99), ERR_RANGE);
    assert_string_equal(diag.text, "city.yaml:3: port 99");
    assert_err(diag_set(NULL, ERR_IO, "x", 1, "y"), ERR_IO);
    struct diag_list *list = mem_alloc_zero(1, sizeof(*list));
    for (int i = 0; i < DIAG_LIST_MAX + 5; i++)
        diag_add(list, ERR_SYNTAX, NULL, 0, "%0600d", i); /* longer than a diag holds: cut, never overrun */
    assert_int_equal(list->n, DIAG_LIST_MAX);
    assert_int_equal(list->n_dropped, 5);
    assert_int_equal(strlen(list->diags[0].text), DIAG_TEXT_MAX - 1);
    mem_free(list);
}

static void numbers_are_strict(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        int64_t value;
    } rows[] = {
        {"0", ERR_OK, 0},
        {"-1", ERR_OK, -1},
        {"9223372036854775807", ERR_OK, INT64_MAX},
        {"-9223372036854775808", ERR_OK, INT64_MIN},
        {"9223372036854775808", ERR_RANGE, 0},
        {"-9223372036854775809", ERR_RANGE, 0},
        {"99999999999999999999", ERR_RANGE, 0},
        {"", ERR_SYNTAX, 0},
        {"-", ERR_SYNTAX, 0},
        {"+1", ERR_SYNTAX, 0},
        {" 1", ERR_SYNTAX, 0},
        {"1x", ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t value = 0;
        assert_err(str_to_i64(str_from_c(rows[i].text), &value), rows[i].err);
        assert_int_equal(value, rows[i].value);
    }
    double real = 0;
    assert_ok(str_to_double(STR("-12.5e-1"), &real));
    assert_true(real == -1.25);
    static const char *const refused[] = {"", ".5", "1.", "1e", "inf", "nan", "0x10", "1 ", "1,5", "-"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_err(str_to_double(str_from_c(refused[i]), &real), ERR_SYNTAX);
    assert_err(str_to_double(STR("1e999"), &real), ERR_RANGE);
    assert_true(real == -1.25);
}

/* Short numbers are read without strtod(), to the last bit alike. */
static void reals_are_strtods(void **state)
{
    uint64_t chance = 88172645463325252u;
    for (int i = 0; i < 300000; i++) {
        chance ^= chance << 13, chance ^= chance >> 7, chance ^= chance << 17;
        char text[40];
        snprintf(text, sizeof(text), "%s%0*llu.%0*llu", chance & 1 ? "-" : "", (int)(chance >> 1 & 7),
            (unsigned long long)(chance >> (28 + chance % 36)), (int)(chance >> 4 & 7),
            (unsigned long long)(chance >> 8 & 0xfffffff) >> (chance >> 40 & 0x1f));
        double real = 0, expected = strtod(text, NULL);
        assert_ok(str_to_double(str_from_c(text), &real));
        assert_memory_equal(&real, &expected, sizeof(real));
    }
    static const char *const texts[] = {
        "0", "-0", "-0.0", "999999999999999", "9999999999999999", "0.000000000000001", "1234567890.12345", "00000000000000001"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        double real = 1, expected = strtod(texts[i], NULL);
        assert_ok(str_to_double(str_from_c(texts[i]), &real));
        assert_memory_equal(&real, &expected, sizeof(real));
    }
}

/* Hints about large blocks change nothing of what is in them, whatever they are given. */
static void hints_about_memory_change_nothing(void **state)
{
    const size_t size = 9u << 20;
    mem_expect_random((size_t)3 << 20);
    mem_expect_random(SIZE_MAX);
    char *block = mem_alloc(size), *small = mem_alloc_zero(1, 1u << 20);
    memset(block, 'x', size);
    mem_advise_random(block, size);
    mem_advise_random(block + 1, 100);
    block = mem_resize(block, 2 * size);
    mem_advise_random(block, 2 * size);
    for (size_t i = 0; i < size; i += 511)
        assert_int_equal(block[i], 'x');
    for (size_t i = 0; i < 1u << 20; i += 511)
        assert_int_equal(small[i], 0);
    mem_free(block);
    mem_free(small);
}

static void cutting_and_comparing(void **state)
{
    struct str head, tail;
    assert_true(str_cut(STR("a/b/c"), '/', &head, &tail));
    assert_str(head, "a");
    assert_str(tail, "b/c");
    assert_true(str_cut_last(STR("a/b/c"), '/', &head, &tail));
    assert_str(head, "a/b");
    assert_str(tail, "c");
    assert_false(str_cut(STR_NONE, '/', &head, &tail));
    assert_str(head, "a/b");
    assert_true(str_starts_with(STR("hangzhou.xihu"), STR("hangzhou")));
    assert_false(str_starts_with(STR("hang"), STR("hangzhou")));
    assert_true(str_ends_with(STR("a.yaml"), STR(".yaml")));
    assert_true(str_compare(STR("a"), STR("ab")) < 0 && str_compare(STR("b"), STR("ab")) > 0 && str_compare(STR("x"), STR("x")) == 0);
    assert_true(str_equal_nocase(STR("Content-TYPE"), STR("content-type")));
    assert_str(str_trim(STR(" \t a b\r\n")), "a b");
    assert_str(str_slice(STR("abc"), 1, 99), "bc");
    assert_str(str_slice(STR("abc"), 9, 1), "");
    char out[4];
    assert_ok(str_to_c(STR("abc"), out, sizeof(out)));
    assert_err(str_to_c(STR("abcd"), out, sizeof(out)), ERR_TOO_LARGE);
    assert_err(str_to_c(STR("a\0b"), out, sizeof(out)), ERR_SYNTAX);
    assert_true(str_hash(STR("")) == 0xcbf29ce484222325u && str_hash(STR("a")) == 0xaf63dc4c8601ec8cu); /* the published FNV-1a vectors */
}

static void names_and_utf8(void **state)
{
    assert_true(str_is_name(STR("hangzhou.xihu_1-a")));
    static const char *const bad_names[] = {"", ".a", "A", "a b", "a/b", "翠"};
    for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++)
        assert_false(str_is_name(str_from_c(bad_names[i])));
    assert_true(str_is_utf8(STR("天目山路 \xF0\x9F\x9A\x97")));
    static const char *const bad_utf8[] = {
        "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5", "\x80", "\xE4\xBA", "\xF0\x80\x80\x80"};
    for (size_t i = 0; i < sizeof(bad_utf8) / sizeof(bad_utf8[0]); i++)
        assert_false(str_is_utf8(str_from_c(bad_utf8[i])));
}

static void a_buf_grows_to_its_limit(void **state)
{
    struct buf buf;
    buf_init(&buf, 1000);
    for (int i = 0; i < 100; i++)
        buf_printf(&buf, "%09d", i);
    assert_int_equal(buf.err, ERR_OK);
    assert_int_equal(buf.len, 900);
    assert_memory_equal(buf.ptr + 891, "000000099", 9);
    char block[200] = {0};
    buf_append(&buf, block, sizeof(block));
    assert_int_equal(buf.err, ERR_TOO_LARGE);
    buf_append_c(&buf, "x");
    assert_int_equal(buf.len, 900);
    buf_reset(&buf);
    buf_append_c(&buf, "again");
    assert_str(buf_str(&buf), "again");
    buf_finish(&buf);
    for (uint64_t n = 1; n <= 2; n++) {
        buf_init(&buf, 1000);
        mem_fail_nth(n);
        buf_append(&buf, block, 200);
        buf_append(&buf, block, 200);
        assert_int_equal(buf.err, ERR_NO_MEMORY);
        mem_fail_nth(0);
        buf_finish(&buf);
    }
}

static void an_arena_gives_back_at_once(void **state)
{
    int64_t n_live = mem_n_live();
    struct arena arena;
    arena_init(&arena, 100000);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++) {
            char *p = arena_alloc(&arena, (size_t)i % 90);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            memset(p, i, (size_t)i % 90);
        }
        arena_reset(&arena);
        assert_int_equal(mem_n_live(), n_live + 1);
    }
    assert_null(arena_alloc(&arena, 100001));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc_zero(&arena, SIZE_MAX, 2));
    assert_non_null(arena_alloc(&arena, 60000));
    assert_null(arena_alloc(&arena, 60000));
    struct str text;
    assert_ok(arena_printf(&arena, &text, "%s-%d", "c", 17));
    assert_str(text, "c-17");
    assert_int_equal(text.ptr[text.len], 0);
    arena_finish(&arena);
    assert_int_equal(mem_n_live(), n_live);
    arena_init(&arena, 100000);
    mem_fail_nth(1);
    assert_null(arena_alloc(&arena, 1));
    assert_non_null(arena_alloc(&arena, 1));
    arena_finish(&arena);
}

static void wire_bytes_keep_their_bounds(void **state)
{
    uint8_t bytes[64];
    struct bytes_writer writer;
    bytes_writer_init(&writer, bytes, sizeof(bytes));
    bytes_write_u8(&writer, 0x7E);
    bytes_write_u16be(&writer, 0x0102);
    bytes_write_u32be(&writer, 0x03040506);
    bytes_write_u64be(&writer, 0x0708090A0B0C0D0Eu);
    bytes_write_u32le(&writer, 0x03040506);
    bytes_write_u64le(&writer, 0x0708090A0B0C0D0Eu);
    bytes_write_f64be(&writer, -2.5);
    bytes_write(&writer, "end", 3);
    assert_int_equal(writer.err, ERR_OK);
    assert_int_equal(bytes[1], 1);
    assert_int_equal(bytes[15], 6); /* little end first */
    struct bytes_reader reader;
    bytes_reader_init(&reader, bytes, writer.len);
    assert_int_equal(bytes_read_u8(&reader), 0x7E);
    assert_int_equal(bytes_read_u16be(&reader), 0x0102);
    assert_int_equal(bytes_read_u32be(&reader), 0x03040506);
    assert_true(bytes_read_u64be(&reader) == 0x0708090A0B0C0D0Eu);
    assert_int_equal(bytes_read_u32le(&reader), 0x03040506);
    assert_true(bytes_read_u64le(&reader) == 0x0708090A0B0C0D0Eu);
    assert_true(bytes_read_f64be(&reader) == -2.5);
    assert_int_equal(bytes_reader_left(&reader), 3);
    assert_int_equal(bytes_read_u32be(&reader), 0);
    assert_int_equal(reader.err, ERR_SYNTAX);
    assert_str(bytes_read_str(&reader, 3), ""); /* the failure sticks */
    bytes_writer_init(&writer, bytes, 3);
    bytes_write_u32be(&writer, 1);
    bytes_write_u8(&writer, 1);
    assert_int_equal(writer.err, ERR_TOO_LARGE);
    assert_int_equal(writer.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_words),
        cmocka_unit_test(a_diag_names_place_and_mend),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(reals_are_strtods),
        cmocka_unit_test(hints_about_memory_change_nothing),
        cmocka_unit_test(cutting_and_comparing),
        cmocka_unit_test(names_and_utf8),
        cmocka_unit_test(a_buf_grows_to_its_limit),
        cmocka_unit_test(an_arena_gives_back_at_once),
        cmocka_unit_test(wire_bytes_keep_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
