/* Plates and their groups, seen from 浙A and from a city that is a whole province. */
#include "system/vehicle_camera/plate.h"

#include "base/test.h"

#include <string.h>

static void groups(void **state)
{
    static const struct {
        const char *plate, *class, *group;
    } cases[] = {
        {"浙A12345", "02", "local"},
        {"浙AB12C3", "", "local"},
        {"浙AD12345", "52", "local_new_energy"},
        {"浙A12345D", "51", "local_new_energy"},
        {"浙AD12345", "02", "local_new_energy"}, /* the form says so */
        {"浙A12345", "52", "local_new_energy"},  /* the class says so */
        {"浙B12345", "02", "province"},
        {"浙CF12345", "52", "province_new_energy"},
        {"沪A12345", "02", "other"},
        {"苏ED12345", "52", "other_new_energy"},
        {"浙A1234警", "23", "special"},
        {"浙A1234学", "16", "special"},
        {"粤Z1234港", "26", "special"},
        {"沪A1234领", "04", "special"},
        {"使123456", "03", "special"},
        {"WJ浙1234X", "", "special"},
        {"KA12345", "", "special"},
        {"", "", ""},
        {"浙", "", ""},
        {"浙A", "", ""},
        {"浙A1234", "", ""},
        {"浙A1234567", "", ""},
        {"浙412345", "", ""},
        {"甲A12345", "", ""},
        {"浙A12\xe6\xb5", "", ""},
        {"警", "", ""},
        {"ABC", "", ""},
    };
    struct plate_locals locals = {.n = 0};
    assert_ok(plate_locals_add(&locals, STR("浙A")));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str group = plate_group(&locals, str_from_c(cases[i].plate), str_from_c(cases[i].class));
        if (!str_equal_c(group, cases[i].group))
            fail_msg("%s: " STR_FORMAT ", not %s", cases[i].plate, STR_ARG(group), cases[i].group);
    }
    assert_true(str_is_empty(plate_group(NULL, STR("浙A12345"), STR("02"))));
    assert_true(str_is_empty(plate_group(&(struct plate_locals){.n = 0}, STR("浙A12345"), STR("02"))));
}

static void a_city_of_its_own_province(void **state)
{
    struct plate_locals locals = {.n = 0};
    assert_ok(plate_locals_add(&locals, STR("沪")));
    assert_str(plate_group(&locals, STR("沪A12345"), STR("02")), "local");
    assert_str(plate_group(&locals, STR("沪C12345"), STR("02")), "local");
    assert_str(plate_group(&locals, STR("浙A12345"), STR("02")), "other");
    assert_ok(plate_locals_add(&locals, STR("苏E")));
    assert_ok(plate_locals_add(&locals, STR("苏U")));
    assert_str(plate_group(&locals, STR("苏U12345"), STR("02")), "local");
    assert_str(plate_group(&locals, STR("苏A12345"), STR("02")), "province");
}

static void beginnings_are_checked(void **state)
{
    static const char *const wrong[] = {"", "A", "浙a", "浙A1", "甲A", "浙1"};
    struct plate_locals locals = {.n = 0};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_err(plate_locals_add(&locals, str_from_c(wrong[i])), ERR_SYNTAX);
    for (size_t i = 0; i < PLATE_LOCALS_MAX; i++)
        assert_ok(plate_locals_add(&locals, STR("浙A")));
    assert_err(plate_locals_add(&locals, STR("浙A")), ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups), cmocka_unit_test(a_city_of_its_own_province), cmocka_unit_test(beginnings_are_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
