/*
 * One city in several processes, without the bus (joint_testing.h). The figures must be those of one process, bit for bit; what is lost,
 * comes twice, or is no answer moves nothing, and a part that is killed knows again what it knew. Over a real bus: tests/e2e/parts_test.py.
 * What is kept on disks, and sums that are killed: marks_test.c.
 */
#include "scene/count/joint_testing.h"

/* What loops on every third edge told of the minute that is over, between two passages. */
static void put_loops(struct joint *one, struct joint *joined, int64_t arrived_ms)
{
    for (uint32_t e = 0; e < TOWN_EDGES; e += 3) {
        struct count_event event = {.type = COUNT_LOOP,
            .loop = {.to_ms = arrived_ms / 60000 * 60000, .arrived_ms = arrived_ms, .edge = e, .period_ms = 60000, .vehicles = e % 17}};
        put(one, &event);
        put(joined, &event);
    }
}

/* Every tick of half an hour: one process, and n that are joined. The clock is set back once on the way. */
static void run_both(struct joint *one, struct joint *joined)
{
    int64_t next_ms = 0, shift_ms = 0;
    bool is_whole = false;
    for (size_t i = 0; i < town.n_passages; i++) {
        for (; next_ms < town.passages[i].arrived_ms; next_ms += 10000) {
            if (next_ms == 1500000)
                shift_ms = -3600000;
            struct count_event tick = {.type = COUNT_TICK, .now_ms = T0 + next_ms + shift_ms};
            put(one, &tick);
            put(joined, &tick);
            compare(one, joined);
        }
        if (!is_whole && next_ms > 300000) {
            put_up_the_rest(one);
            put_up_the_rest(joined);
            is_whole = true;
        }
        if (!is_whole && town.passages[i].edge % 5 == 0)
            continue;
        struct count_event event = passage_of(one, &town.passages[i], i);
        event.passage.time_ms += shift_ms;
        event.passage.arrived_ms += shift_ms;
        if (i % 700 == 123)
            put_loops(one, joined, event.passage.arrived_ms);
        for (int times = i % 50 == 7 ? 2 : 1; times > 0; times--) {
            put(one, &event);
            put(joined, &event);
        }
    }
    count_parts_flush(joined->parts); /* those since the last tick */
    carry(joined);
}

static void figures_are_those_of_one_process(void **state)
{
    static const uint32_t sizes[] = {1, 2, PARTS};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct joint one, joined;
        begin(&one);
        begin(&joined);
        assert_ok(join(&joined, sizes[s]));
        run_both(&one, &joined);
        compare_cameras(&one, &joined);
        const struct count_counters *a = count_counters(one.count), *b = count_counters(joined.count);
        struct count_parts_counters counters = count_parts_counters(joined.parts);
        assert_memory_equal(a, b, sizeof(*a));
        assert_memory_equal(count_loop_rows(one.count), count_loop_rows(joined.count), COUNT_LOOP_N_VERDICTS * sizeof(uint64_t));
        assert_true(count_loop_rows(one.count)[COUNT_LOOP_TAKEN] > 1000);
        assert_int_equal(counters.n_known, count_known_vehicles(one.count)->n_known);
        assert_int_equal(count_known_vehicles(joined.count)->n_known, 0);
        assert_true(joined.n_killed > 4 && counters.n_again > 100);
        assert_true(one.n_clones > 5 && a->n_duplicates > 100 && a->n_out_of_order > 100 && a->n_impossible > 20 && a->n_future > 100 &&
                    a->n_resets == 1 && a->n_links > 10000);
        print_message(
            "%u parts: %u ticks alike, %u clones; %llu passages in %llu windows and %llu questions of %.0f bytes, answers of %.0f "
            "(%.1f and %.1f a passage); %u answers lost\n",
            sizes[s], one.n_told, one.n_clones, (unsigned long long)a->n_passages, (unsigned long long)counters.n_windows,
            (unsigned long long)counters.n_questions, (double)counters.n_asked_bytes / (double)counters.n_questions,
            (double)counters.n_answered_bytes / (double)counters.n_questions, (double)counters.n_asked_bytes / (double)a->n_passages,
            (double)counters.n_answered_bytes / (double)a->n_passages, joined.n_lost);
        end(&one);
        end(&joined);
    }
}

/* A joined city of two after some minutes, with a question under way to the first part. */
static void come_to_a_question(struct joint *city)
{
    begin(city);
    assert_ok(join(city, 2));
    size_t i = 0;
    for (; town.passages[i].arrived_ms < 200000; i++)
        if (town.passages[i].edge % 5 != 0) {
            struct count_event event = passage_of(city, &town.passages[i], i);
            put(city, &event);
        }
    struct count_event tick = {.type = COUNT_TICK, .now_ms = T0 + 200000};
    assert_ok(count_parts_put(city->parts, &tick));
    assert_true(count_parts_is_awaited(city->parts, 0) && count_parts_is_awaited(city->parts, 1));
}

/* Who does not answer stops the figures; what comes meanwhile waits, and no more of it than there is room for. */
static void a_silent_part_stops_the_figures(void **state)
{
    struct joint city;
    struct str answer;
    come_to_a_question(&city);
    uint32_t n_told = city.n_told;
    assert_ok(count_part_answer(city.part[1], city.asked[1], &answer));
    assert_ok(count_parts_answer(city.parts, 1, answer));
    assert_true(count_parts_is_awaited(city.parts, 0) && !count_parts_is_awaited(city.parts, 1));
    enum err err = ERR_OK;
    uint32_t n_put = 0;
    while (err == ERR_OK) {
        struct count_event event = {.type = COUNT_PASSAGE, .passage = {n_put * 0x9E3779B97F4A7C15u, 0, T0 + 200000, T0 + 200001}};
        err = count_parts_put(city.parts, &event);
        n_put += err == ERR_OK;
    }
    assert_int_equal(err, ERR_FULL);
    assert_int_equal(n_put, COUNT_PARTS_QUEUE_MAX - 1); /* and the tick */
    assert_int_equal(city.n_told, n_told);
    carry(&city);
    assert_int_equal(city.n_told, n_told + 1);
    end(&city);
}

/* A part of another network, or another one's, counts something else, and says so. */
static void a_part_that_is_another_says_so(void **state)
{
    struct count_settings shorter = defaults;
    struct joint city;
    struct str answer;
    shorter.keep_s = 900;
    for (int what = 0; what < 3; what++) {
        come_to_a_question(&city);
        count_part_destroy(city.part[0]);
        assert_ok(count_part_create(what == 0 ? &shorter : &defaults, &town.map, what == 1, what == 2 ? 3 : 2, NULL, &city.part[0]));
        assert_ok(count_part_answer(city.part[0], city.asked[0], &answer));
        assert_int_equal(count_parts_answer(city.parts, 0, answer), ERR_UNSUPPORTED);
        end(&city);
    }
}

/* Bytes that are no question or no answer: refused, or by chance a sound one; never taken for what they are not, and nothing breaks. */
static void broken_bytes_change_nothing(void **state)
{
    struct joint city;
    struct str answer;
    come_to_a_question(&city);
    uint64_t seed = 3, n_refused = 0;
    assert_ok(count_part_answer(city.part[0], city.asked[0], &answer));
    for (int round = 0; round < 20000; round++) {
        bool is_question = round % 2 == 0;
        struct str whole = is_question ? city.asked[0] : answer;
        struct buf broken;
        struct str none;
        buf_init(&broken, COUNT_PART_BYTES_MAX);
        buf_append_str(&broken, whole);
        size_t at = random_next(&seed) % (round % 8 < 4 ? 60 : whole.len);
        if (round % 3 == 0)
            broken.len = at;
        else if (round % 3 == 1)
            broken.ptr[at] = (char)(broken.ptr[at] ^ (1 << random_next(&seed) % 8));
        else
            buf_append_byte(&broken, 0);
        /* Only what cannot have been meant: a question with another number begins something, and an answer with other numbers is one. */
        enum err err = ERR_CORRUPT;
        if (round % 3 != 1 || at < 8)
            err = is_question ? count_part_answer(city.part[0], buf_str(&broken), &none)
                              : count_parts_answer(city.parts, 0, buf_str(&broken));
        assert_true(err == ERR_SYNTAX || err == ERR_CORRUPT);
        n_refused++;
        buf_finish(&broken);
    }
    assert_true(n_refused > 0 && count_parts_is_awaited(city.parts, 0));
    assert_ok(count_part_answer(city.part[0], city.asked[0], &answer));
    assert_ok(count_parts_answer(city.parts, 0, answer));
    end(&city);
}

/* Flipped bits anywhere in an answer: what is told to the core afterwards is a move that could have been, or nothing. */
static void a_wrong_answer_breaks_nothing(void **state)
{
    struct joint city;
    struct str answer;
    uint64_t seed = 9;
    for (int round = 0; round < TEST_TIMES(60); round++) {
        come_to_a_question(&city);
        assert_ok(count_part_answer(city.part[1], city.asked[1], &answer));
        assert_ok(count_parts_answer(city.parts, 1, answer));
        assert_ok(count_part_answer(city.part[0], city.asked[0], &answer));
        struct buf broken;
        buf_init(&broken, COUNT_PART_BYTES_MAX);
        buf_append_str(&broken, answer);
        for (int i = 0; i < 3; i++) {
            size_t at = 36 + random_next(&seed) % (answer.len - 36);
            broken.ptr[at] = (char)(broken.ptr[at] ^ (1 << random_next(&seed) % 8));
        }
        enum err err = count_parts_answer(city.parts, 0, buf_str(&broken));
        assert_true(err == ERR_OK || err == ERR_SYNTAX || err == ERR_CORRUPT || err == ERR_STATE || err == ERR_UNSUPPORTED);
        struct count_event tick = {.type = COUNT_TICK, .now_ms = T0 + 240000};
        if (err == ERR_OK)
            put(&city, &tick);
        buf_finish(&broken);
        end(&city);
    }
}

static void memory_may_fail_anywhere(void **state)
{
    for (uint64_t n = 1;; n++) {
        struct joint city;
        int64_t before = mem_n_live();
        begin(&city);
        mem_fail_nth(n);
        enum err err = join(&city, 2);
        mem_fail_nth(0);
        end(&city);
        assert_int_equal(mem_n_live(), before);
        if (err == ERR_OK)
            return;
        assert_int_equal(err, ERR_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_one_process),
        cmocka_unit_test(a_silent_part_stops_the_figures),
        cmocka_unit_test(a_part_that_is_another_says_so),
        cmocka_unit_test(broken_bytes_change_nothing),
        cmocka_unit_test(a_wrong_answer_breaks_nothing),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
