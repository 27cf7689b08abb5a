/*
 * A count that goes on from its bytes: equal to one that was never stopped, bit for bit, where nothing was missed, and close to it where
 * a minute was replayed at once. Broken bytes are refused. The traffic is a made town's (traffic_testing.h).
 */
#include "scene/count/snapshot.h"

#include "scene/count/state.h"
#include "scene/count/traffic_testing.h"
#include "scene/keeper.h"

#define T0 ((int64_t)1700000000000)
#define FOR_MS ((int64_t)1800 * 1000)
#define STOP_MS ((int64_t)1000 * 1000)

static struct count_settings defaults = COUNT_SETTINGS_DEFAULT;
static struct town town;
static uint32_t cameras[TOWN_EDGES];

static int setup(void **state)
{
    struct town_options options = {.coverage = 0.6, .recall = 0.9, .n_trips = 5000, .for_ms = FOR_MS, .n_cloned = 100, .misread = 0.02};
    town_make(&town, &options, 23);
    return 0;
}

static int teardown(void **state)
{
    town_finish(&town);
    return 0;
}

static struct count *begin(void)
{
    struct count *count = NULL;
    assert_ok(count_create(&defaults, &town.map, &count));
    for (uint32_t e = 0; e < TOWN_EDGES; e++)
        if (town.has_camera[e])
            assert_ok(count_camera_add(count, e, &cameras[e]));
    return count;
}

static void step(struct count *count, const struct town_passage *passage)
{
    struct count_event event = {
        .type = COUNT_PASSAGE, .passage = {passage->vehicle, cameras[passage->edge], T0 + passage->time_ms, T0 + passage->arrived_ms}};
    struct count_updates updates;
    count_step(count, &event, &updates);
}

static struct count_updates tick(struct count *count, int64_t now_ms)
{
    struct count_event event = {.type = COUNT_TICK, .now_ms = T0 + now_ms};
    struct count_updates updates;
    count_step(count, &event, &updates);
    return updates;
}

/* One more from its bytes, and itself. */
static struct count *again(struct count *count, struct count **ret_read, size_t *ret_len)
{
    struct buf bytes;
    struct diag diag = {""};
    struct str extra;
    struct count *read = NULL;
    buf_init(&bytes, COUNT_SNAPSHOT_MAX);
    count_snapshot_write(count, STR("the owner's"), &bytes);
    scene_seal(&bytes);
    assert_ok(bytes.err);
    if (count_snapshot_read(buf_str(&bytes), &defaults, &town.map, &diag, &extra, &read) != ERR_OK)
        fail_msg("%s", diag.text);
    assert_str(extra, "the owner's");
    *ret_len = bytes.len;
    /* Written again it is the same. */
    struct buf twice;
    buf_init(&twice, COUNT_SNAPSHOT_MAX);
    count_snapshot_write(read, STR("the owner's"), &twice);
    scene_seal(&twice);
    assert_int_equal(twice.len, bytes.len);
    assert_memory_equal(twice.ptr, bytes.ptr, bytes.len);
    buf_finish(&twice);
    buf_finish(&bytes);
    *ret_read = read;
    return count;
}

/* All that a tick tells, as a number. */
static uint64_t told(const struct count_updates *updates)
{
    uint64_t digest = str_hash((struct str){(const char *)updates->edges, updates->n_edges * sizeof(*updates->edges)});
    const struct count_area_figures *area = &updates->areas[0];
    const double reals[] = {area->vehicles, area->unseen, area->flow_vph, area->speed_mps, area->delay_index};
    digest ^= str_hash((struct str){(const char *)reals, sizeof(reals)}) * 3;
    digest ^= updates->n_clones * 7 + updates->n_roads * 11 + (uint64_t)area->n_vehicles * 13;
    if (updates->record != NULL)
        digest ^= str_hash((struct str){(const char *)&updates->record->vehicles, sizeof(double)}) * 5;
    return digest;
}

/* Restarted as often as it ticks, and never: every tick tells the same, and as many vehicles are known. */
static void goes_on_from_its_bytes(void)
{
    struct count *whole = begin(), *broken = begin();
    int64_t next_ms = 0;
    size_t n_ticks = 0, len = 0, n_restarts = 0;
    whole->counters.n_drives = broken->counters.n_drives = 3; /* of floating cars, of which there are none here */
    for (size_t i = 0; i < town.n_passages; i++) {
        for (; next_ms < town.passages[i].arrived_ms; next_ms += 10000, n_ticks++) {
            struct count_updates a = tick(whole, next_ms), b = tick(broken, next_ms);
            if (told(&a) != told(&b) || count_known_vehicles(whole)->n_known != count_known_vehicles(broken)->n_known)
                fail_msg("after %zu restarts, at %lld s: %.9f and %.9f vehicles, %u and %u edges", n_restarts, (long long)next_ms / 1000,
                    a.areas[0].vehicles, b.areas[0].vehicles, a.n_edges, b.n_edges);
        }
        if (i % (town.n_passages / TEST_TIMES(24)) == 17) {
            struct count *read = NULL;
            count_destroy(again(broken, &read, &len));
            broken = read;
            n_restarts++;
        }
        step(whole, &town.passages[i]);
        step(broken, &town.passages[i]);
    }
    print_message(
        "%zu ticks, %zu restarts, %u vehicles known in %zu bytes\n", n_ticks, n_restarts, count_known_vehicles(broken)->n_known, len);
    assert_memory_equal(count_counters(whole), count_counters(broken), sizeof(struct count_counters));
    count_destroy(whole);
    count_destroy(broken);
}

static void a_count_goes_on_from_its_bytes(void **state)
{
    goes_on_from_its_bytes();
    defaults.keep_s = 300; /* shorter than the town's day: vehicles are forgotten, too */
    goes_on_from_its_bytes();
    defaults = COUNT_SETTINGS_DEFAULT;
}

/* As it is live: the state is from a minute before the stop, and what came since is replayed at once, without ticks. The
 * curve goes on; what is learned each half minute is learned some milliseconds sooner or later, so minutes are compared. */
static void a_minute_replayed_leaves_no_dent(void **state)
{
    struct count *whole = begin(), *broken = NULL;
    int64_t next_ms = 0;
    size_t len, first_replayed = 0;
    double largest = 0, sum_a = 0, sum_b = 0;
    int n_compared = 0;
    for (size_t i = 0; i < town.n_passages && next_ms < FOR_MS; i++) {
        int64_t arrived_ms = town.passages[i].arrived_ms;
        if (broken == NULL && arrived_ms >= STOP_MS - 60000) {
            whole = again(whole, &broken, &len);
            first_replayed = i;
        }
        for (; next_ms < arrived_ms; next_ms += 1000) {
            double a = tick(whole, next_ms).areas[0].vehicles;
            if (next_ms < STOP_MS)
                continue;
            for (; first_replayed < i; first_replayed++)
                step(broken, &town.passages[first_replayed]);
            double b = tick(broken, next_ms).areas[0].vehicles;
            sum_a += a;
            sum_b += b;
            if (++n_compared % 60 != 0)
                continue;
            largest = fmax(largest, fabs(sum_b - sum_a) / sum_a);
            sum_a = sum_b = 0;
        }
        step(whole, &town.passages[i]);
    }
    print_message(
        "a minute replayed: the means of a minute differ by at most %.1f %%, %d minutes after it\n", largest * 100, n_compared / 60);
    assert_true(n_compared > 500 && largest < 0.01);
    count_destroy(whole);
    count_destroy(broken);
}

static enum err read_bytes(struct str bytes, const struct count_settings *settings, const struct count_map *map, struct diag *diag)
{
    struct str extra;
    struct count *count = NULL;
    enum err err = count_snapshot_read(bytes, settings, map, diag, &extra, &count);
    count_destroy(count);
    return err;
}

static void broken_bytes_are_refused(void **state)
{
    struct count *count = begin();
    for (size_t i = 0; i < 2000; i++)
        step(count, &town.passages[i]);
    tick(count, town.passages[2000].arrived_ms);
    struct buf bytes;
    struct diag diag = {""};
    buf_init(&bytes, COUNT_SNAPSHOT_MAX);
    count_snapshot_write(count, STR_NONE, &bytes);
    size_t body = bytes.len;
    scene_seal(&bytes);
    assert_err(read_bytes(str_slice(buf_str(&bytes), 0, bytes.len - 1), &defaults, &town.map, &diag), ERR_CORRUPT);
    assert_err(read_bytes(STR("cbcount\n"), &defaults, &town.map, &diag), ERR_CORRUPT);
    bytes.ptr[body / 2] ^= 1;
    assert_err(read_bytes(buf_str(&bytes), &defaults, &town.map, &diag), ERR_CORRUPT);
    assert_non_null(strstr(diag.text, "not whole"));
    bytes.ptr[body / 2] ^= 1;
    /* Sealed anew, but cut or longer, or of another version, city or settings. */
    bytes.len = body - 5;
    scene_seal(&bytes);
    assert_err(read_bytes(buf_str(&bytes), &defaults, &town.map, &diag), ERR_CORRUPT);
    buf_reset(&bytes);
    count_snapshot_write(count, STR_NONE, &bytes);
    buf_append_byte(&bytes, 0);
    scene_seal(&bytes);
    assert_err(read_bytes(buf_str(&bytes), &defaults, &town.map, &diag), ERR_CORRUPT);
    buf_reset(&bytes);
    count_snapshot_write(count, STR_NONE, &bytes);
    bytes.ptr[8]++;
    scene_seal(&bytes);
    assert_err(read_bytes(buf_str(&bytes), &defaults, &town.map, &diag), ERR_UNSUPPORTED);
    bytes.ptr[8]--;
    bytes.len = body;
    scene_seal(&bytes);
    assert_ok(read_bytes(buf_str(&bytes), &defaults, &town.map, &diag));
    struct count_settings other = defaults;
    other.keep_s /= 2;
    assert_err(read_bytes(buf_str(&bytes), &other, &town.map, &diag), ERR_STATE);
    assert_non_null(strstr(diag.text, "how long a trip is waited for"));
    struct city ring;
    city_make(&ring);
    assert_err(read_bytes(buf_str(&bytes), &defaults, &ring.map, &diag), ERR_STATE);
    assert_non_null(strstr(diag.text, "the road network"));
    city_finish(&ring);
    buf_finish(&bytes);
    count_destroy(count);
}

/* Sealed nonsense is refused or taken, and what was taken goes on: nothing else may happen. */
static void sealed_nonsense_breaks_nothing(void **state)
{
    struct count *count = begin();
    for (size_t i = 0; i < 3000; i++)
        step(count, &town.passages[i]);
    tick(count, town.passages[3000].arrived_ms);
    struct buf bytes;
    buf_init(&bytes, COUNT_SNAPSHOT_MAX);
    count_snapshot_write(count, STR_NONE, &bytes);
    size_t body = bytes.len;
    uint64_t seed = 4711;
    int n_taken = 0, n = TEST_TIMES(240);
    for (int i = 0; i < n; i++) {
        size_t at = 60 + random_next(&seed) % (body - 60);
        char before = bytes.ptr[at];
        bytes.ptr[at] = (char)random_next(&seed);
        bytes.len = body;
        scene_seal(&bytes);
        struct diag diag = {""};
        struct str extra;
        struct count *read = NULL;
        if (count_snapshot_read(buf_str(&bytes), &defaults, &town.map, &diag, &extra, &read) == ERR_OK) {
            n_taken++;
            for (size_t k = 3000; k < 3200; k++)
                step(read, &town.passages[k]);
            tick(read, town.passages[3200].arrived_ms);
            tick(read, 0);
        } else {
            assert_true(diag.text[0] != 0);
        }
        count_destroy(read);
        bytes.ptr[at] = before;
    }
    print_message("%d of %d snapshots with one wrong byte, sealed, were taken\n", n_taken, n);
    buf_finish(&bytes);
    count_destroy(count);
}

static void memory_may_fail_anywhere(void **state)
{
    struct count *count = begin();
    for (size_t i = 0; i < 2000; i++)
        step(count, &town.passages[i]);
    struct buf bytes;
    buf_init(&bytes, COUNT_SNAPSHOT_MAX);
    count_snapshot_write(count, STR_NONE, &bytes);
    scene_seal(&bytes);
    int64_t live = mem_n_live();
    uint64_t nth = 1;
    enum err err;
    do {
        struct diag diag = {""};
        mem_fail_nth(nth++);
        err = read_bytes(buf_str(&bytes), &defaults, &town.map, &diag);
        mem_fail_nth(0);
        assert_int_equal(mem_n_live(), live);
    } while (err != ERR_OK && nth < 10000);
    assert_ok(err);
    assert_true(nth > 20);
    buf_finish(&bytes);
    count_destroy(count);
}

/* A number that cannot be, in the live state: the snapshot fails, so that the one before stays, and the state is left alone. */
static void what_cannot_be_is_not_written(void **state)
{
    struct count *count = begin();
    struct buf bytes;
    for (size_t i = 0; i < 1000; i++)
        step(count, &town.passages[i]);
    buf_init(&bytes, COUNT_SNAPSHOT_MAX);
    count_snapshot_write(count, STR("x"), &bytes);
    assert_ok(bytes.err);
    buf_reset(&bytes);
    count->balance.n_gaps = 1e16;
    count->cameras[0].heard.last_ms = -7;
    count_snapshot_write(count, STR("x"), &bytes);
    assert_int_equal(bytes.err, ERR_RANGE);
    assert_true(count->balance.n_gaps == 1e16 && count->cameras[0].heard.last_ms == -7);
    buf_finish(&bytes);
    count_destroy(count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_goes_on_from_its_bytes),
        cmocka_unit_test(a_minute_replayed_leaves_no_dent),
        cmocka_unit_test(broken_bytes_are_refused),
        cmocka_unit_test(sealed_nonsense_breaks_nothing),
        cmocka_unit_test(what_cannot_be_is_not_written),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
