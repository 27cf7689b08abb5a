/* When a twin has to be there: the rules, a row each. What is done about it stands in join_test.c. */
#include "district/twin.h"

#include "base/test.h"

#include <stdio.h>

#define WAIT 1000

static struct twin_watch watch;
static int64_t now;

/* A moment later: up to where twins are to be looked for; 0: not yet. Whoever looks remembers it. */
static uint64_t later(int64_t ms, bool is_up, uint64_t n_mine, uint64_t got)
{
    uint64_t to = 0;
    now += ms;
    if (!twin_step(&watch, is_up, n_mine, got, now, WAIT, &to))
        return 0;
    assert_true(to > watch.checked && to <= n_mine);
    return watch.checked = to;
}

static int make(void **state)
{
    watch = (struct twin_watch){0};
    now = 5;
    return 0;
}

static void after_the_wait_they_have_to_be_there(void **state)
{
    assert_int_equal(later(0, true, 7, 0), 0); /* 12 */
    assert_int_equal(later(WAIT - 1, true, 9, 3), 0);
    assert_int_equal(later(1, true, 12, 5), 7); /* those of the wait's beginning */
    assert_int_equal(later(1, true, 12, 5), 0);
    assert_int_equal(later(WAIT, true, 12, 5), 12);
    assert_int_equal(later(WAIT, true, 12, 5), 0); /* nothing new */
    assert_int_equal(later(WAIT, true, 12, 9), 0);
}

static void a_cut_link_has_no_time(void **state)
{
    assert_int_equal(later(0, true, 7, 0), 0);
    assert_int_equal(later(WAIT - 1, true, 7, 0), 0);
    assert_int_equal(later(1, false, 7, 0), 0); /* 10 */
    assert_int_equal(later(100 * WAIT, false, 7, 0), 0);
    assert_int_equal(later(1, true, 7, 0), 0);
    assert_int_equal(later(WAIT - 1, true, 7, 0), 0);
    assert_int_equal(later(1, true, 7, 0), 7);
}

static void who_catches_up_is_waited_for(void **state)
{
    uint64_t got = 0;
    later(0, true, 7, got);
    for (int i = 0; i < 50; i++)
        assert_int_equal(later(WAIT / 2, true, 7, got += 2000), 0); /* 11 */
    assert_int_equal(later(WAIT, true, 7, got), 7);
}

static void many_uses_are_no_catching_up(void **state)
{
    uint64_t n = 1, checked = 0;
    for (int i = 0; i < 50; i++, n += 100000) {
        uint64_t to = later(WAIT / 4, true, n, n);
        checked = to ? to : checked;
    }
    assert_true(checked > 4000000);
}

int main(void)
{
#define EACH(test_) cmocka_unit_test_setup(test_, make)
    const struct CMUnitTest tests[] = {
        EACH(after_the_wait_they_have_to_be_there),
        EACH(a_cut_link_has_no_time),
        EACH(who_catches_up_is_waited_for),
        EACH(many_uses_are_no_catching_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
