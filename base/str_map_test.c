/* The map against plain counting: numbers stay, limits hold, failing memory leaves it whole. */
#include "base/mem.h"
#include "base/str_map.h"
#include "base/test.h"

#include <stdio.h>

static struct str name(char *out, size_t size, int i)
{
    int len = snprintf(out, size, "edge-%d", i);
    return (struct str){out, (size_t)len};
}

static void numbers_keys_in_the_order_of_their_coming(void **state)
{
    struct str_map map;
    char text[32];
    uint32_t number;
    str_map_init(&map, 5000, 42);
    assert_int_equal(str_map_find(&map, STR("x")), -1);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 5000; i++) {
            assert_ok(str_map_add(&map, name(text, sizeof(text), i), &number));
            assert_int_equal(number, i);
        }
    assert_err(str_map_add(&map, STR("one more"), &number), ERR_FULL);
    assert_int_equal(str_map_find(&map, STR("one more")), -1);
    assert_int_equal(str_map_find(&map, STR("edge-4999")), 4999);
    assert_str(str_map_key(&map, 17), "edge-17");
    str_map_finish(&map);
}

static void failing_memory_leaves_it_whole(void **state)
{
    int64_t n_live = mem_n_live();
    for (uint64_t nth = 1; nth < 12; nth++) {
        struct str_map map;
        char text[32];
        uint32_t number;
        str_map_init(&map, 100, nth);
        mem_fail_nth(nth);
        int n_failed = 0;
        for (int i = 0; i < 100; i++)
            while (str_map_add(&map, name(text, sizeof(text), i), &number) != ERR_OK)
                n_failed++;
        mem_fail_nth(0);
        assert_true(n_failed <= 1);
        for (int i = 0; i < 100; i++)
            assert_int_equal(str_map_find(&map, name(text, sizeof(text), i)), i);
        str_map_finish(&map);
    }
    assert_int_equal(mem_n_live(), n_live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_keys_in_the_order_of_their_coming),
        cmocka_unit_test(failing_memory_leaves_it_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
