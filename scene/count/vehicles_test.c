/* The table of vehicles: against a plain list under a printed seed, at its limits, and without memory. */
#include "scene/count/vehicles.h"

#include "base/mem.h"
#include "scene/count/city_testing.h"

#include <time.h>

static uint32_t sight(struct count_vehicles *vehicles, uint64_t key, int64_t now_ms)
{
    uint32_t at = count_vehicles_find(vehicles, key);
    if (at == COUNT_NONE)
        return count_vehicles_add(vehicles, key, 0, now_ms);
    if (now_ms >= (int64_t)vehicles->slab[at].last_ms)
        count_vehicle_move(&vehicles->slab[at], 0, now_ms);
    return at;
}

static void oldest_are_forgotten_in_order(void **state)
{
    struct count_vehicles vehicles;
    count_vehicles_init(&vehicles, 100, 10000);
    sight(&vehicles, 1, 0);
    sight(&vehicles, 2, 1000);
    sight(&vehicles, 3, 2000);
    sight(&vehicles, 1, 9000); /* renewed */
    count_vehicles_expire(&vehicles, 11000);
    assert_int_equal(vehicles.n_known, 3); /* 2 was seen exactly 10 s ago */
    count_vehicles_expire(&vehicles, 11001);
    assert_int_equal(vehicles.n_known, 2);
    assert_int_equal(count_vehicles_find(&vehicles, 2), COUNT_NONE);
    count_vehicles_expire(&vehicles, 15000);
    assert_int_equal(vehicles.n_known, 1);
    assert_int_not_equal(count_vehicles_find(&vehicles, 1), COUNT_NONE);
    count_vehicles_finish(&vehicles);
}

/* As a snapshot has them, in no order; further apart than there are spans, too. */
static void the_older_may_come_later(void **state)
{
    struct count_vehicles vehicles;
    const int64_t far_ms = (int64_t)(COUNT_SPANS + 100) * COUNT_SPAN_MS;
    count_vehicles_init(&vehicles, 100, 2400000);
    sight(&vehicles, 1, 2000000);
    sight(&vehicles, 2, 100000);
    sight(&vehicles, 3, 1000000);
    sight(&vehicles, 4, far_ms);
    sight(&vehicles, 5, 50000);
    count_vehicles_expire(&vehicles, 2450000);
    assert_int_equal(vehicles.n_known, 5);
    static const struct {
        int64_t seen_ms;
        uint64_t key;
    } order[] = {{50000, 5}, {100000, 2}, {1000000, 3}, {2000000, 1}};
    for (int i = 0; i < 4; i++) {
        count_vehicles_expire(&vehicles, order[i].seen_ms + 2400000);
        assert_int_not_equal(count_vehicles_find(&vehicles, order[i].key), COUNT_NONE);
        count_vehicles_expire(&vehicles, order[i].seen_ms + 2400001);
        assert_int_equal(count_vehicles_find(&vehicles, order[i].key), COUNT_NONE);
        assert_int_equal(vehicles.n_known, 4 - i);
    }
    count_vehicles_expire(&vehicles, far_ms + 2400000);
    assert_int_equal(vehicles.n_known, 1);
    count_vehicles_expire(&vehicles, far_ms + 2400001);
    assert_int_equal(vehicles.n_known, 0);
    count_vehicles_finish(&vehicles);
}

/* Years later, and after all were forgotten, time begins where the next one is seen. */
static void time_may_jump(void **state)
{
    struct count_vehicles vehicles;
    const int64_t year_ms = (int64_t)365 * 86400 * 1000;
    count_vehicles_init(&vehicles, 100, 2400000);
    for (uint64_t i = 0; i < 50; i++)
        sight(&vehicles, i, (int64_t)i * 60000);
    sight(&vehicles, 7, 2 * year_ms); /* before anybody was forgotten */
    count_vehicles_expire(&vehicles, 2 * year_ms + 2400000);
    assert_int_equal(vehicles.n_known, 1);
    count_vehicles_expire(&vehicles, 2 * year_ms + 2400001);
    assert_int_equal(vehicles.n_known, 0);
    sight(&vehicles, 8, year_ms);
    count_vehicles_expire(&vehicles, year_ms + 2400000);
    assert_int_equal(vehicles.n_known, 1);
    count_vehicles_expire(&vehicles, year_ms + 2400001);
    assert_int_equal(vehicles.n_known, 0);
    count_vehicles_finish(&vehicles);
}

/* Seen again and again it is counted as often as the classes of sightings need, and no further. */
static void sightings_have_an_end(void **state)
{
    struct count_vehicles vehicles;
    count_vehicles_init(&vehicles, 100, 2400000);
    uint32_t at = sight(&vehicles, 1, 1000);
    assert_true(count_vehicle_before_ms(&vehicles.slab[at]) == INT64_MIN);
    for (uint32_t i = 0; i < COUNT_SIGHTINGS_MAX + 10; i++)
        sight(&vehicles, 1, 2000 + i);
    assert_int_equal(vehicles.slab[at].n_sightings, COUNT_SIGHTINGS_MAX);
    assert_int_equal(vehicles.slab[at].has_twin, 0);
    assert_true(count_vehicle_before_ms(&vehicles.slab[at]) == 2000 + (int64_t)COUNT_SIGHTINGS_MAX + 8);
    count_vehicles_finish(&vehicles);
}

/* At the limit the one that was heard of longest ago goes; a million plates take no more room than a thousand. */
static void memory_is_bounded(void **state)
{
    struct count_vehicles vehicles;
    int64_t before = mem_n_live();
    count_vehicles_init(&vehicles, 1000, 1000000000);
    for (uint64_t i = 0; i < 1000000; i++)
        assert_int_not_equal(sight(&vehicles, i * 0x9E3779B97F4A7C15u, (int64_t)i), COUNT_NONE);
    assert_int_equal(vehicles.n_known, 1000);
    assert_int_equal(vehicles.n_slab, 1000);
    assert_int_equal(vehicles.n_evicted, 999000);
    assert_int_equal(count_vehicles_find(&vehicles, 998999 * 0x9E3779B97F4A7C15u), COUNT_NONE);
    assert_int_not_equal(count_vehicles_find(&vehicles, 999000 * 0x9E3779B97F4A7C15u), COUNT_NONE);
    assert_int_equal(mem_n_live(), before + 3);
    count_vehicles_finish(&vehicles);
    assert_int_equal(mem_n_live(), before);
}

#define N_KEYS 600

static void agrees_with_a_plain_list(void **state)
{
    uint64_t seed = (uint64_t)time(NULL) * 2654435761u + 1, first_seed = seed;
    struct count_vehicles vehicles;
    count_vehicles_init(&vehicles, N_KEYS, 5000);
    int64_t last_ms[N_KEYS];
    for (int i = 0; i < N_KEYS; i++)
        last_ms[i] = -1000000;
    int64_t now_ms = 0;
    for (int step = 0; step < 100000; step++) {
        now_ms += (int64_t)(random_next(&seed) % 40);
        uint64_t key = random_next(&seed) % N_KEYS;
        int64_t seen_ms = now_ms - (int64_t)(random_next(&seed) % 8 == 0 ? random_next(&seed) % 6000 : 0); /* some come late */
        seen_ms = seen_ms > 0 ? seen_ms : 0;
        bool is_new = count_vehicles_find(&vehicles, key * key * 7919) == COUNT_NONE;
        sight(&vehicles, key * key * 7919, seen_ms);
        last_ms[key] = is_new || seen_ms > last_ms[key] ? seen_ms : last_ms[key];
        if (step % 10 != 0)
            continue;
        count_vehicles_expire(&vehicles, now_ms);
        uint32_t n = 0;
        for (uint64_t k = 0; k < N_KEYS; k++) {
            bool is_known = now_ms - last_ms[k] <= 5000;
            n += is_known;
            if (step % 500 == 0 && is_known != (count_vehicles_find(&vehicles, k * k * 7919) != COUNT_NONE))
                fail_msg("seed %llu, step %d, key %llu", (unsigned long long)first_seed, step, (unsigned long long)k);
        }
        if (n != vehicles.n_known)
            fail_msg("seed %llu, step %d: %u known, expected %u", (unsigned long long)first_seed, step, vehicles.n_known, n);
    }
    count_vehicles_clear(&vehicles);
    assert_int_equal(vehicles.n_known, 0);
    assert_int_equal(count_vehicles_find(&vehicles, 0), COUNT_NONE);
    count_vehicles_finish(&vehicles);
    print_message("seed %llu\n", (unsigned long long)first_seed);
}

/* Growing fails: the oldest goes instead. Not even the first fits: COUNT_NONE. */
static void goes_on_without_memory(void **state)
{
    struct count_vehicles vehicles;
    count_vehicles_init(&vehicles, 1u << 20, 1000000);
    mem_fail_nth(1);
    assert_int_equal(sight(&vehicles, 1, 0), COUNT_NONE);
    mem_fail_nth(2);
    assert_int_equal(sight(&vehicles, 1, 0), COUNT_NONE);
    mem_fail_nth(0);
    for (uint64_t i = 0; i < 1024; i++)
        assert_int_not_equal(sight(&vehicles, i, (int64_t)i), COUNT_NONE);
    mem_fail_nth(1);
    assert_int_not_equal(sight(&vehicles, 5000, 2000), COUNT_NONE);
    mem_fail_nth(0);
    assert_int_equal(vehicles.n_known, 1024);
    assert_int_equal(vehicles.n_evicted, 1);
    assert_int_equal(count_vehicles_find(&vehicles, 0), COUNT_NONE);
    count_vehicles_finish(&vehicles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oldest_are_forgotten_in_order),
        cmocka_unit_test(the_older_may_come_later),
        cmocka_unit_test(time_may_jump),
        cmocka_unit_test(sightings_have_an_end),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(agrees_with_a_plain_list),
        cmocka_unit_test(goes_on_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
