/*
 * One city in several processes, without the bus: the sums and the parts of the plates in one program, with every question and answer as
 * bytes between them. The figures must be those of one process, bit for bit; what is lost, comes twice, or is no answer moves nothing. Over
 * a real bus: tests/e2e/joint_test.py. The traffic is a made town's (traffic_testing.h), with wrong clocks, clones and passages that come
 * late.
 */
#include "scene/count/part.h"
#include "scene/count/parts.h"
#include "scene/count/state.h"
#include "scene/count/traffic_testing.h"

#define T0 ((int64_t)1700000000000)
#define FOR_MS ((int64_t)1800 * 1000)
#define PARTS 5u

static const struct count_settings defaults = COUNT_SETTINGS_DEFAULT;
static struct town town;

/* What a tick told, enough of it to tell two apart. */
struct told {
    int64_t time_ms;
    struct count_area_figures area;
    uint64_t edges, roads, junctions;
    uint32_t n_edges, n_clones;
    uint64_t clones;
};

struct joint {
    struct count *count;
    uint32_t cameras[TOWN_EDGES];
    struct told told;
    uint32_t n_told, n_clones;
    /* joined */
    struct count_parts *parts;
    struct count_part *part[PARTS];
    uint32_t n;
    struct str asked[PARTS];
    struct buf kept[PARTS]; /* the last answer */
    uint64_t seed;
    uint32_t n_lost, n_restarted;
};

static int setup(void **state)
{
    struct town_options options = {.coverage = 0.6, .recall = 0.9, .n_trips = 8000, .for_ms = FOR_MS, .n_cloned = 100, .misread = 0.02};
    town_make(&town, &options, 31);
    return 0;
}

static int teardown(void **state)
{
    town_finish(&town);
    return 0;
}

static uint64_t digest(const void *ptr, size_t len)
{
    return len == 0 ? 0 : str_hash((struct str){ptr, len});
}

/* Without what the compiler leaves between its members. */
static uint64_t digest_clone(const struct count_clone *clone)
{
    const struct count_sighting *seen[] = {&clone->first.a, &clone->first.b, &clone->second.a, &clone->second.b};
    uint64_t sum = clone->vehicle + digest(&clone->first.least_s, sizeof(double)) * 3 + digest(&clone->second.least_s, sizeof(double)) * 5;
    for (int i = 0; i < 4; i++)
        sum = sum * 31 + seen[i]->camera + (uint64_t)seen[i]->time_ms * 7;
    return sum;
}

static void on_updates(void *context, const struct count_updates *updates)
{
    struct joint *city = context;
    memset(&city->told, 0, sizeof(city->told));
    city->told.time_ms = updates->time_ms;
    city->told.area = updates->areas[0];
    city->told.n_edges = updates->n_edges;
    city->told.n_clones = updates->n_clones;
    city->told.edges = digest(updates->edges, updates->n_edges * sizeof(*updates->edges));
    city->told.junctions = digest(updates->junctions, updates->n_junctions * sizeof(*updates->junctions));
    for (uint32_t i = 0; i < updates->n_roads; i++)
        city->told.roads = city->told.roads * 31 + digest(&updates->roads[i].speed_mps, sizeof(double));
    for (uint32_t i = 0; i < updates->n_clones; i++)
        city->told.clones = city->told.clones * 31 + digest_clone(&updates->clones[i]);
    city->n_clones += updates->n_clones;
    city->n_told++;
}

static void on_ask(void *context, uint32_t part, struct str question)
{
    struct joint *city = context;
    city->asked[part] = question;
}

static void begin(struct joint *city)
{
    *city = (struct joint){.seed = 5};
    assert_ok(count_create(&defaults, &town.map, &city->count));
    for (uint32_t e = 0; e < TOWN_EDGES; e++)
        if (town.has_camera[e] && e % 5 != 0) /* the fifth ones are put up later */
            assert_ok(count_camera_add(city->count, e, &city->cameras[e]));
}

static enum err join(struct joint *city, uint32_t n)
{
    struct count_parts_options options = {.count = city->count,
        .map = &town.map,
        .settings = &defaults,
        .run = 77,
        .n = n,
        .ask = on_ask,
        .on_updates = on_updates,
        .context = city};
    city->n = n;
    for (uint32_t i = 0; i < n; i++) {
        buf_init(&city->kept[i], COUNT_PART_BYTES_MAX);
        enum err err = count_part_create(&defaults, &town.map, i, n, &city->part[i]);
        if (err != ERR_OK)
            return err;
    }
    return count_parts_create(&options, &city->parts);
}

static void end(struct joint *city)
{
    count_parts_destroy(city->parts);
    for (uint32_t i = 0; i < city->n; i++) {
        count_part_destroy(city->part[i]);
        buf_finish(&city->kept[i]);
    }
    count_destroy(city->count);
}

/* Stopped and started anew, with what it left. */
static void restart(struct joint *joint, uint32_t i)
{
    struct buf bytes;
    struct diag diag = {""};
    buf_init(&bytes, COUNT_PART_BYTES_MAX * 10);
    count_part_write(joint->part[i], &bytes);
    assert_ok(bytes.err);
    count_part_destroy(joint->part[i]);
    joint->part[i] = NULL;
    assert_ok(count_part_create(&defaults, &town.map, i, joint->n, &joint->part[i]));
    if (count_part_read(joint->part[i], buf_str(&bytes), &diag) != ERR_OK)
        fail_msg("%s", diag.text);
    if (joint->n > 1) { /* another's is refused, and changes nothing */
        struct count_part *other = NULL;
        assert_ok(count_part_create(&defaults, &town.map, (i + 1) % joint->n, joint->n, &other));
        assert_int_equal(count_part_read(other, buf_str(&bytes), &diag), ERR_STATE);
        count_part_destroy(other);
    }
    buf_finish(&bytes);
    joint->n_restarted++;
}

/* The bus: the parts answer in any order; some answers are lost and asked for again, some come twice, and late. */
static void carry(struct joint *city)
{
    while (count_parts_is_asking(city->parts)) {
        uint32_t i = (uint32_t)(random_next(&city->seed) % city->n);
        struct str answer;
        if (!count_parts_is_awaited(city->parts, i))
            continue;
        assert_ok(count_part_answer(city->part[i], city->asked[i], &answer));
        if (random_next(&city->seed) % 4 == 0) {
            city->n_lost++;
            if (city->n_lost % 16 == 0)
                restart(city, i);
            continue;
        }
        if (city->kept[i].len > 0)
            assert_int_equal(count_parts_answer(city->parts, i, buf_str(&city->kept[i])), ERR_CORRUPT); /* the one before */
        buf_reset(&city->kept[i]);
        buf_append_str(&city->kept[i], answer);
        assert_ok(count_parts_answer(city->parts, i, buf_str(&city->kept[i])));
    }
}

static void put(struct joint *city, const struct count_event *event)
{
    struct count_updates updates;
    if (city->parts == NULL) {
        count_step(city->count, event, &updates);
        if (event->type == COUNT_TICK)
            on_updates(city, &updates);
        return;
    }
    assert_ok(count_parts_put(city->parts, event));
    carry(city);
}

/* With what a city does to it: one camera in seven is 20 s ahead, one in eleven is far off, one passage in a hundred comes minutes late. */
static struct count_event passage_of(const struct joint *city, const struct town_passage *passage, size_t i)
{
    uint32_t camera = city->cameras[passage->edge];
    int64_t skew_ms = camera % 7 == 3 ? 20000 : camera % 97 == 5 ? 4000000 : 0, late_ms = i % 100 == 9 ? 240000 : 0;
    return (struct count_event){.type = COUNT_PASSAGE,
        .passage = {.vehicle = passage->vehicle,
            .camera = camera,
            .time_ms = T0 + passage->time_ms + skew_ms - late_ms,
            .arrived_ms = T0 + passage->arrived_ms,
            .confidence = (uint8_t)(i % 3 == 0 ? 0 : 40 + i % 60)}};
}

static void compare(const struct joint *one, const struct joint *joined)
{
    const struct told *a = &one->told, *b = &joined->told;
    assert_int_equal(one->n_told, joined->n_told);
    if (memcmp(a, b, sizeof(*a)) != 0)
        fail_msg("at %lld s: %.9f and %.9f vehicles, %.9f and %.9f vehicles an hour, %u and %u edges, %u and %u clones",
            (long long)(a->time_ms - T0) / 1000, a->area.vehicles, b->area.vehicles, a->area.flow_vph, b->area.flow_vph, a->n_edges,
            b->n_edges, a->n_clones, b->n_clones);
}

static void compare_cameras(const struct joint *one, const struct joint *joined)
{
    assert_int_equal(count_n_cameras(one->count), count_n_cameras(joined->count));
    for (uint32_t c = 0; c < count_n_cameras(one->count); c++) {
        struct count_camera_health a, b;
        memset(&a, 0, sizeof(a));
        memset(&b, 0, sizeof(b));
        count_camera_health(one->count, c, &a);
        count_camera_health(joined->count, c, &b);
        assert_true(a.clock_s == b.clock_s && a.clock_within_s == b.clock_within_s && a.n_recall == b.n_recall &&
                    (a.recall == b.recall || (isnan(a.recall) && isnan(b.recall))));
    }
}

static void put_up_the_rest(struct joint *city)
{
    for (uint32_t e = 0; e < TOWN_EDGES; e++)
        if (town.has_camera[e] && e % 5 == 0)
            assert_ok(count_camera_add(city->count, e, &city->cameras[e]));
}

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
        assert_true(joined.n_restarted > 4);
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

/* Started anew, a part has lost its vehicles; one of another network, or another one's, counts something else. Each says so. */
static void a_part_that_is_another_says_so(void **state)
{
    struct count_settings shorter = defaults;
    struct joint city;
    struct str answer;
    shorter.keep_s = 900;
    for (int what = 0; what < 4; what++) {
        come_to_a_question(&city);
        count_part_destroy(city.part[0]);
        assert_ok(count_part_create(what == 1 ? &shorter : &defaults, &town.map, what == 2, what == 3 ? 3 : 2, &city.part[0]));
        assert_ok(count_part_answer(city.part[0], city.asked[0], &answer));
        assert_int_equal(count_parts_answer(city.parts, 0, answer), what == 0 ? ERR_STATE : ERR_UNSUPPORTED);
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
