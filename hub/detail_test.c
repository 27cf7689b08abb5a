/* Details: written, taken apart, said in English; what has no code stays somebody's words. */
#include "base/test.h"
#include "hub/detail.h"

#include <stdio.h>
#include <string.h>

static void as_written_so_read(void **state)
{
    static const struct {
        const char *detail, *code;
        size_t n;
        const char *parameters[4];
        const char *english;
    } rows[] = {
        {"never", "never", 0, {NULL}, "not heard since the start"},
        {"silent|60", "silent", 1, {"60"}, "no passage and no keepalive for more than 60 s"},
        {"value_type|colour|text", "value_type", 2, {"colour", "text"}, "field \"colour\" holds a value that is not of type text"},
        {"field_type|n|h/police/vehicle|integer|text", "field_type", 4, {"n", "h/police/vehicle", "integer", "text"},
            "field \"n\" of h/police/vehicle is declared as integer, but the column is text"},
        {"file_closed|near \"||\": error", "file_closed", 1, {"near \"||\": error"}, "the file does not open (near \"||\": error)"},
        {"value_type|colour", "value_type", 2, {"colour", ""}, "field \"colour\" holds a value that is not of type "},
        {"no such table: car", "words", 1, {"no such table: car"}, "it says: no such table: car"},
        {"nothing|much", "words", 1, {"nothing|much"}, "it says: nothing|much"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str code, parameters[HUB_DETAIL_PARAMETERS_MAX];
        char english[HUB_DETAIL_MAX];
        size_t n = hub_detail_split(str_from_c(rows[i].detail), &code, parameters);
        assert_true(str_equal_c(code, rows[i].code));
        assert_int_equal(n, rows[i].n);
        for (size_t j = 0; j < n; j++)
            assert_true(str_equal_c(parameters[j], rows[i].parameters[j]) || (!parameters[j].len && !rows[i].parameters[j][0]));
        hub_detail_english(str_from_c(rows[i].detail), english, sizeof english);
        assert_string_equal(english, rows[i].english);
    }
}

static void fits_its_room(void **state)
{
    char detail[12], english[10];
    hub_detail_put(detail, sizeof detail, HUB_DETAIL(silent), "%d", 123456789);
    assert_string_equal(detail, "silent|1234");
    hub_detail_put(detail, 4, HUB_DETAIL(silent), "%d", 1);
    assert_string_equal(detail, "sil");
    hub_detail_english(STR("silent|60"), english, sizeof english);
    assert_string_equal(english, "no passag");
    hub_detail_english(STR(""), english, sizeof english);
    assert_string_equal(english, "");
    assert_string_equal(HUB_DETAIL(never), "never");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_written_so_read),
        cmocka_unit_test(fits_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
