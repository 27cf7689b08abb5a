/* Rows: what is copied, what the limit counts, projection, sharing, and every failing allocation. */
#include "base/mem.h"
#include "base/rows.h"
#include "base/test.h"

#include <string.h>

static void copies_and_projects(void **state)
{
    struct rows *rows = NULL, *projected = NULL;
    char plate[] = "浙A12345";
    const uint16_t map[] = {2, 0};

    assert_ok(rows_create(3, 1 << 20, &rows));
    for (int i = 0; i < 100; i++) {
        const struct value row[] = {value_text(str_from_c(plate)), value_integer(i), value_real(i / 2.0)};
        assert_ok(rows_add(rows, row));
    }
    memset(plate, 'x', sizeof(plate) - 1); /* the batch has its own copy */
    assert_int_equal(rows_n(rows), 100);
    assert_int_equal(rows_n_fields(rows), 3);
    assert_int_equal(rows_n_bytes(rows), 100 * (3 * sizeof(struct value) + 9));
    assert_str(rows_at(rows, 99)[0].s, "浙A12345");
    assert_int_equal(rows_at(rows, 42)[1].i, 42);

    assert_ok(rows_project(rows, map, 2, &projected));
    rows_release(rows_hold(rows));
    rows_release(rows); /* the projection stands on its own */
    assert_int_equal(rows_n(projected), 100);
    assert_int_equal(rows_n_fields(projected), 2);
    assert_int_equal(rows_n_bytes(projected), 100 * (2 * sizeof(struct value) + 9));
    assert_true(rows_at(projected, 7)[0].r == 3.5);
    assert_str(rows_at(projected, 7)[1].s, "浙A12345");
    rows_release(projected);
    rows_release(NULL);
    assert_int_equal(mem_n_live(), 0);
}

static void the_limit_counts_values_and_text(void **state)
{
    struct rows *rows = NULL;
    const struct value row[] = {value_text(STR("1234567890"))};
    const size_t row_bytes = sizeof(struct value) + 10;

    assert_ok(rows_create(1, 3 * row_bytes, &rows));
    for (int i = 0; i < 3; i++)
        assert_ok(rows_add(rows, row));
    assert_err(rows_add(rows, row), ERR_TOO_LARGE);
    assert_int_equal(rows_n(rows), 3);
    rows_release(rows);
    assert_ok(rows_create(1, 5, &rows));
    assert_err(rows_add(rows, row), ERR_TOO_LARGE);
    assert_int_equal(rows_n(rows), 0);
    rows_release(rows);
}

static enum err scenario(void)
{
    struct rows *rows = NULL, *projected = NULL;
    const uint16_t map[] = {1};
    enum err err = rows_create(2, 1 << 20, &rows);

    for (int i = 0; i < 20 && !err; i++) {
        const struct value row[] = {value_integer(i), value_text(STR("text"))};
        err = rows_add(rows, row);
    }
    if (!err)
        err = rows_project(rows, map, 1, &projected);
    rows_release(projected);
    rows_release(rows);
    return err;
}

static void survives_failing_memory(void **state)
{
    enum err err = ERR_NO_MEMORY;

    for (uint64_t nth = 1; err; nth++) {
        mem_fail_nth(nth);
        err = scenario();
        mem_fail_nth(0);
        if (err)
            assert_err(err, ERR_NO_MEMORY);
        else
            assert_true(nth > 5);
        assert_int_equal(mem_n_live(), 0);
    }
}

static void values(void **state)
{
    enum value_type type = VALUE_NULL;
    double r = 0;

    for (int i = VALUE_BOOLEAN; i <= VALUE_BYTES; i++) {
        assert_ok(value_type_parse(str_from_c(value_type_name((enum value_type)i)), &type));
        assert_int_equal(type, i);
    }
    assert_err(value_type_parse(STR("null"), &type), ERR_NOT_FOUND);
    assert_err(value_type_parse(STR("string"), &type), ERR_NOT_FOUND);
    assert_true(value_equal(value_text(STR("a")), value_text(STR("a"))));
    assert_false(value_equal(value_text(STR("a")), value_text(STR("b"))));
    assert_false(value_equal(value_integer(1), value_real(1)));
    assert_false(value_equal(value_integer(1), value_time(1)));
    assert_true(value_equal(VALUE_NONE, VALUE_NONE));
    assert_true(value_to_real(value_integer(3), &r) && r == 3);
    assert_true(value_to_real(value_real(2.5), &r) && r == 2.5);
    assert_false(value_to_real(value_text(STR("3")), &r));
    assert_false(value_to_real(VALUE_NONE, &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_and_projects),
        cmocka_unit_test(the_limit_counts_values_and_text),
        cmocka_unit_test(survives_failing_memory),
        cmocka_unit_test(values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
