/* Which passages were taken, over replays, requests that overtake each other, and a clock that is set back; and the bytes of it. */
#include "scene/count/resume.h"

#include "base/test.h"

#define T0 ((int64_t)1700000000000)

/* Takes these arrivals, stops, and asks all of them again: how many would be taken twice? */
static int again(const int64_t *arrivals, size_t n, size_t n_before_stop)
{
    struct count_place place = COUNT_PLACE_NONE, resume;
    int n_twice = 0;
    for (size_t i = 0; i < n_before_stop; i++)
        count_place_take(&place, T0 + arrivals[i]);
    resume = place;
    for (size_t i = 0; i < n; i++) {
        bool was_taken = count_place_was_taken(&resume, T0 + arrivals[i]);
        n_twice += !was_taken && i < n_before_stop;
        if (was_taken && i >= n_before_stop)
            fail_msg("arrival %zu was never taken", i);
    }
    return n_twice;
}

static void what_was_taken_is_passed_over(void **state)
{
    static const int64_t arrivals[] = {0, 10, 10, 10, 25, 30, 30, 9000, 9001, 20000};
    size_t n = sizeof(arrivals) / sizeof(arrivals[0]);
    for (size_t stop = 0; stop <= n; stop++)
        assert_int_equal(again(arrivals, n, stop), 0);
}

/* By some milliseconds: the place does not go back for them, or all that is between would be taken twice. */
static void requests_may_overtake(void **state)
{
    static const int64_t arrivals[] = {0, 100, 300, 290, 280, 310, 9000};
    assert_int_equal(again(arrivals, 7, 5), 0);
    assert_int_equal(again(arrivals, 7, 6), 0);
}

/* Set back by less than the core begins anew for: what comes from then on was not taken before, until the old time is reached. */
static void a_clock_set_back_takes_the_place_along(void **state)
{
    struct count_place place = COUNT_PLACE_NONE, resume;
    for (int64_t ms = 0; ms <= 300000; ms += 1000)
        count_place_take(&place, T0 + ms);
    count_place_take(&place, T0 + 60000);
    assert_true(place.arrived_ms == T0 + 60000);
    resume = place;
    assert_true(count_place_was_taken(&resume, T0 + 59000));
    assert_true(count_place_was_taken(&resume, T0 + 60000));
    assert_false(count_place_was_taken(&resume, T0 + 61000));
}

/* Set back after a start: the replay is over, and nothing of it swallows what comes. */
static void behind_the_place_nothing_is_passed_over(void **state)
{
    struct count_place resume = {T0 + 300000, 2};
    assert_true(count_place_was_taken(&resume, T0 + 300000));
    assert_false(count_place_was_taken(&resume, T0 + 301000));
    assert_true(count_place_was_taken(&resume, T0 + 299990)); /* overtaken */
    assert_false(count_place_was_taken(&resume, T0 + 306000));
    assert_false(count_place_was_taken(&resume, T0 + 100000));
}

/* ---- bytes ---- */

static struct count_resume_camera camera_of(void *context, uint32_t camera)
{
    return ((const struct count_resume_camera *)context)[camera];
}

struct read {
    struct count_resume_camera cameras[4];
    uint32_t n;
};

static enum err on_camera(void *context, uint32_t camera, struct count_resume_camera known)
{
    struct read *read = context;
    assert_int_equal(camera, read->n);
    read->cameras[read->n++] = known;
    return ERR_OK;
}

static struct count_parts_mark mark_back;

static enum err read_back(struct str bytes, uint32_t n, struct count_place *ret_place, struct read *ret_read)
{
    *ret_read = (struct read){.n = 0};
    return count_resume_read(bytes, n, ret_place, &mark_back, on_camera, ret_read);
}

static void check_bytes(const struct count_parts_mark *mark)
{
    struct count_resume_camera cameras[] = {{STR("西"), 1}, {STR_NONE, 0}, {STR("east"), 2}}; /* one was moved away */
    const struct count_place place = {T0, 7};
    struct buf bytes;
    buf_init(&bytes, 4096);
    count_resume_write(&place, mark, 3, camera_of, cameras, &bytes);
    struct count_place back;
    struct read read;
    assert_ok(read_back(buf_str(&bytes), 3, &back, &read));
    assert_true(back.arrived_ms == T0 && back.n_at == 7);
    assert_memory_equal(mark, &mark_back, sizeof(*mark));
    for (int i = 0; i < 3; i++)
        assert_true(str_equal(read.cameras[i].name, cameras[i].name) && read.cameras[i].told == cameras[i].told);
    assert_int_equal(read_back(buf_str(&bytes), 4, &back, &read), ERR_CORRUPT);
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(read_back(str_slice(buf_str(&bytes), 0, len), 3, &back, &read), ERR_CORRUPT);
    buf_append_c(&bytes, "x");
    assert_int_equal(read_back(buf_str(&bytes), 3, &back, &read), ERR_CORRUPT);
    buf_finish(&bytes);
}

static void bytes_come_back_and_broken_ones_are_refused(void **state)
{
    static const struct count_parts_mark none = {.n = 0}, three = {.run = 77, .n = 3, .n_cameras = 2, .numbers = {5, 1, 9}};
    static const struct count_parts_mark wrong[] = {{.run = 77, .n = COUNT_PARTS_MAX + 1}, {.run = 0, .n = 1, .numbers = {1}},
        {.run = 77, .n = 1, .n_cameras = 4, .numbers = {1}}, {.run = 77, .n = 2, .numbers = {1, 0}}};
    struct count_resume_camera cameras[3] = {{STR_NONE, 0}};
    check_bytes(&none);
    check_bytes(&three);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const struct count_place place = {T0, 7};
        struct count_place back;
        struct read read;
        struct buf bytes;
        buf_init(&bytes, 4096);
        count_resume_write(&place, &wrong[i], 3, camera_of, cameras, &bytes);
        assert_int_equal(read_back(buf_str(&bytes), 3, &back, &read), ERR_CORRUPT);
        buf_finish(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_taken_is_passed_over),
        cmocka_unit_test(requests_may_overtake),
        cmocka_unit_test(a_clock_set_back_takes_the_place_along),
        cmocka_unit_test(behind_the_place_nothing_is_passed_over),
        cmocka_unit_test(bytes_come_back_and_broken_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
