/*
 * One city in several processes: each counts the vehicles whose hash is its part. What of the sums is that of one process, exactly, and
 * what only nearly; and what three million plates take of memory. The traffic is a made town's (traffic_testing.h).
 */
#include "scene/count/state.h"
#include "scene/count/traffic_testing.h"

#include <stdlib.h>

#define T0 ((int64_t)1700000000000)
#define FOR_MS ((int64_t)1800 * 1000)
#define PARTS_MAX 8

static struct town town;

struct part {
    struct count *count;
    uint32_t cameras[TOWN_EDGES];
};

static int setup(void **state)
{
    struct town_options options = {.coverage = 0.6, .recall = 0.9, .n_trips = 24000, .for_ms = FOR_MS, .n_cloned = 50, .misread = 0.02};
    town_make(&town, &options, 29);
    return 0;
}

static int teardown(void **state)
{
    town_finish(&town);
    return 0;
}

static void begin(struct part *part, const struct count_settings *settings)
{
    assert_ok(count_create(settings, &town.map, &part->count));
    for (uint32_t e = 0; e < TOWN_EDGES; e++)
        if (town.has_camera[e])
            assert_ok(count_camera_add(part->count, e, &part->cameras[e]));
}

static void step(struct part *part, uint64_t vehicle, uint32_t edge, int64_t time_ms, int64_t arrived_ms)
{
    struct count_event event = {.type = COUNT_PASSAGE, .passage = {vehicle, part->cameras[edge], T0 + time_ms, T0 + arrived_ms}};
    struct count_updates updates;
    count_step(part->count, &event, &updates);
}

static const struct count_area_figures *tick(struct part *part, int64_t now_ms, struct count_updates *updates)
{
    struct count_event event = {.type = COUNT_TICK, .now_ms = T0 + now_ms};
    count_step(part->count, &event, updates);
    return updates->areas;
}

struct curves {
    double vehicles, error, largest; /* mean of one process; mean and largest difference of the sums, over it */
    double flow_error;
    int n;
};

/* Flows of edges, which add up; areas' flows are means over what each part has observed. */
static double flow_of(const struct count_updates *updates, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += isnan(updates->edges[i].flow_vph) ? 0 : updates->edges[i].flow_vph;
    return sum;
}

static struct curves compare(uint32_t n_parts, struct part *one, struct part *parts)
{
    struct curves curves = {0};
    int64_t next_ms = 0;
    struct count_updates updates;
    for (size_t i = 0; i < town.n_passages && next_ms < FOR_MS; i++) {
        const struct town_passage *passage = &town.passages[i];
        for (; next_ms < passage->arrived_ms; next_ms += 10000) {
            double whole = tick(one, next_ms, &updates)[0].vehicles, flow = flow_of(&updates, updates.n_edges), sum = 0, sum_flow = 0;
            bool is_all_told = next_ms % 120000 == 0;
            for (uint32_t p = 0; p < n_parts; p++) {
                sum += tick(&parts[p], next_ms, &updates)[0].vehicles;
                sum_flow += flow_of(&updates, updates.n_edges);
            }
            if (next_ms < 600000)
                continue;
            curves.vehicles += whole;
            curves.error += fabs(sum - whole);
            curves.largest = fmax(curves.largest, fabs(sum - whole) / whole);
            if (is_all_told && flow > 0)
                curves.flow_error = fmax(curves.flow_error, fabs(sum_flow - flow) / flow);
            curves.n++;
        }
        step(one, passage->vehicle, passage->edge, passage->time_ms, passage->arrived_ms);
        step(&parts[count_part_of(passage->vehicle, n_parts)], passage->vehicle, passage->edge, passage->time_ms, passage->arrived_ms);
    }
    curves.error /= curves.vehicles;
    curves.vehicles /= curves.n;
    return curves;
}

/* Every passage is one part's, and all of a vehicle's are the same one's: what is counted by the vehicle adds up exactly. What is learned
 * from the vehicles is learned from fewer of them by each. */
static void parts_add_up(void **state)
{
    static const uint32_t sizes[] = {2, 4, PARTS_MAX};
    static const double most_off[] = {0.02, 0.04, 0.09}, most_off_ever[] = {0.04, 0.09, 0.2}; /* docs/scale.md, and a half more */
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        static struct part one, parts[PARTS_MAX];
        begin(&one, &settings);
        for (uint32_t p = 0; p < sizes[s]; p++)
            begin(&parts[p], &settings);
        struct curves curves = compare(sizes[s], &one, parts);
        struct count_counters sum = {0};
        const struct count_counters *whole = count_counters(one.count);
        uint64_t n_known = 0, least = UINT64_MAX, most = 0;
        for (uint32_t p = 0; p < sizes[s]; p++) {
            const struct count_counters *counters = count_counters(parts[p].count);
            sum.n_passages += counters->n_passages;
            sum.n_duplicates += counters->n_duplicates;
            sum.n_late += counters->n_late;
            sum.n_future += counters->n_future;
            sum.n_links += counters->n_links;
            n_known += count_known_vehicles(parts[p].count)->n_known;
            least = counters->n_passages < least ? counters->n_passages : least;
            most = counters->n_passages > most ? counters->n_passages : most;
        }
        print_message(
            "%u parts: %llu passages, of these %llu to %llu each; %.0f vehicles in the mean, the sums differ by %.2f %% in the mean, at "
            "most %.1f %%; flows by at most %.2f %%\n",
            sizes[s], (unsigned long long)whole->n_passages, (unsigned long long)least, (unsigned long long)most, curves.vehicles,
            curves.error * 100, curves.largest * 100, curves.flow_error * 100);
        assert_true(sum.n_passages == whole->n_passages && sum.n_duplicates == whole->n_duplicates);
        assert_true(sum.n_late == whole->n_late && sum.n_future == whole->n_future);
        assert_true(curves.error < most_off[s] && curves.largest < most_off_ever[s]);
        assert_true(curves.flow_error < 0.005);
        assert_true(least * 2 > most);
        assert_true(fabs((double)sum.n_links - (double)whole->n_links) <= 0.005 * (double)whole->n_links);
        assert_true(fabs((double)n_known - count_known_vehicles(one.count)->n_known) <= 0.005 * (double)n_known);
        count_destroy(one.count);
        for (uint32_t p = 0; p < sizes[s]; p++)
            count_destroy(parts[p].count);
    }
}

/*
 * The bytes of every table, as allocated, with a tenth of the plates seen again in the last minutes and as many cameras as the settings
 * allow. 300,000 plates by default, and what they take is scaled up; COUNT_PLATES=3000000 does all of it.
 */
static void three_million_plates_fit(void **state)
{
    static struct part part;
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    const char *asked = getenv("COUNT_PLATES");
    uint32_t n_known = asked != NULL ? (uint32_t)strtoul(asked, NULL, 10) : 300000, n_live = n_known / 10, n_watched = 0;
    uint32_t watched[TOWN_EDGES], camera;
    settings.vehicles_max = n_known;
    begin(&part, &settings);
    for (uint32_t e = 0; e < TOWN_EDGES; e++)
        if (town.has_camera[e])
            watched[n_watched++] = e;
    while (count_camera_add(part.count, watched[0], &camera) == ERR_OK)
        continue;
    size_t empty = count_memory(part.count);
    for (uint32_t i = 0; i < n_known + n_live; i++) {
        int64_t at_ms = (int64_t)((double)i / n_known * 1500000);
        uint32_t plate = i < n_known ? i : n_known - (i - n_known) - 1;
        step(&part, (uint64_t)(plate + 1) * 0x9E3779B97F4A7C15u, watched[i % n_watched], at_ms, at_ms + 200);
    }
    size_t bytes = count_memory(part.count);
    double all = (double)empty + (double)(bytes - empty) * 3e6 / n_known;
    print_message("%u plates known, %u cameras: %.1f MB, of these %.1f MB for plates; 3,000,000 plates: %.1f MB\n",
        count_known_vehicles(part.count)->n_known, count_n_cameras(part.count), (double)bytes / 1e6, (double)(bytes - empty) / 1e6,
        all / 1e6);
    assert_int_equal(count_known_vehicles(part.count)->n_known, n_known);
    assert_true(bytes - empty >= (size_t)n_known * sizeof(struct count_vehicle));
    assert_true(all <= 400e6);
    count_destroy(part.count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_add_up), cmocka_unit_test(three_million_plates_fit)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
