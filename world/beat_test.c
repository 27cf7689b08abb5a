/* A timer beats on; one that cannot ends the loop with its error. */
#include "world/beat.h"

#include "base/mem.h"
#include "base/test.h"

#define CROWD_MAX 64 /* more timers than a loop has room for at first */

struct heart {
    struct loop_timer timer;
    struct loop *loop;
    int n, last;
    bool is_crowded; /* the last beat finds no room, and no memory to make some */
    struct loop_timer crowd[CROWD_MAX];
    enum err err;
};

static void nothing(struct loop_timer *timer) {}

/* Fills the loop's timers until one more needs memory. */
static void crowd(struct heart *heart)
{
    enum err err = ERR_OK;
    for (int i = 0; i < CROWD_MAX && !err; i++) {
        heart->crowd[i].fn = nothing;
        mem_fail_nth(1);
        err = loop_timer_start(heart->loop, &heart->crowd[i], 60000);
    }
    assert_err(err, ERR_NO_MEMORY);
    mem_fail_nth(1);
}

static void on_beat(struct loop_timer *timer)
{
    struct heart *heart = container_of(timer, struct heart, timer);
    if (++heart->n == heart->last && !heart->is_crowded) {
        loop_stop(heart->loop);
        return;
    }
    if (heart->n == heart->last)
        crowd(heart);
    beat_again(heart->loop, timer, heart->n % 2 ? 1 : -5, &heart->err);
    mem_fail_nth(0);
}

static void run(bool is_crowded, enum err err)
{
    struct heart heart = {.timer = {.fn = on_beat}, .last = 5, .is_crowded = is_crowded};
    assert_ok(loop_create(clock_system(), &heart.loop));
    assert_ok(loop_timer_start(heart.loop, &heart.timer, 0));
    assert_ok(loop_run(heart.loop)); /* for ever, if nobody stops it */
    assert_int_equal(heart.n, 5);
    assert_err(heart.err, err);
    loop_destroy(heart.loop);
}

static void it_beats_on(void **state)
{
    run(false, ERR_OK);
}

static void it_ends_the_loop_when_it_cannot(void **state)
{
    run(true, ERR_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_beats_on),
        cmocka_unit_test(it_ends_the_loop_when_it_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
