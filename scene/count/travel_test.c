/* Ways between cameras on the ring: times by hand, the table's replacing. */
#include "scene/count/travel.h"

#include "scene/count/city_testing.h"

static void ways_have_the_rings_times(void **state)
{
    struct city city;
    struct count_travel travel;
    city_make(&city);
    assert_ok(count_travel_init(&travel, city.network, 64));
    /* From the end of e0 to the end of e3: three edges. */
    const struct count_pair *pair = count_travel_pair(&travel, 0, city.edges[0], 1, city.edges[3], 900);
    assert_near((double)pair->free_flow_s, 150, 1e-4);
    assert_near((double)pair->edges_s, 150, 1e-4);
    assert_int_equal(pair->n_edges, 3);
    assert_int_equal(pair->edges[0], city.edges[1]);
    assert_int_equal(pair->edges[2], city.edges[3]);
    /* Once around, back to the same camera. */
    pair = count_travel_pair(&travel, 0, city.edges[0], 0, city.edges[0], 900);
    assert_near((double)pair->free_flow_s, 500, 1e-4);
    /* Not found within 100 s; found when looked for further. */
    pair = count_travel_pair(&travel, 2, city.edges[4], 3, city.edges[8], 100);
    assert_true(pair->free_flow_s <= 0 && pair->n_edges == 0);
    pair = count_travel_pair(&travel, 2, city.edges[4], 3, city.edges[8], 90);
    assert_true(pair->free_flow_s <= 0);
    pair = count_travel_pair(&travel, 2, city.edges[4], 3, city.edges[8], 300);
    assert_near((double)pair->free_flow_s, 200, 1e-4);
    count_travel_finish(&travel);
    city_finish(&city);
}

static void full_rows_replace_the_longest_unused(void **state)
{
    struct city city;
    struct count_travel travel;
    city_make(&city);
    assert_ok(count_travel_init(&travel, city.network, 8)); /* one row */
    for (uint32_t i = 0; i < 8; i++)
        count_travel_pair(&travel, i, city.edges[0], 100, city.edges[1], 900);
    assert_int_equal(travel.n_replaced, 0);
    count_travel_pair(&travel, 0, city.edges[0], 100, city.edges[1], 900); /* 0 is used again: 1 is the longest unused */
    count_travel_pair(&travel, 8, city.edges[0], 100, city.edges[1], 900);
    assert_int_equal(travel.n_replaced, 1);
    bool is_there[9] = {false};
    for (uint32_t i = 0; i < 8; i++)
        is_there[travel.pairs[i].from] = true;
    assert_true(is_there[0] && is_there[8] && !is_there[1]);
    count_travel_finish(&travel);
    city_finish(&city);
}

/* A table that forgets answers what one answers that does not, fetched ahead or not. */
static void what_was_forgotten_is_found_again(void **state)
{
    struct city city;
    struct count_travel small, large;
    city_make(&city);
    assert_ok(count_travel_init(&small, city.network, 16));
    assert_ok(count_travel_init(&large, city.network, 4096));
    uint64_t chance = 7;
    for (int i = 0; i < 5000; i++) {
        chance = chance * 6364136223846793005u + 1442695040888963407u;
        uint32_t from = (uint32_t)(chance >> 33) % 10, to = (uint32_t)(chance >> 45) % 10;
        count_travel_fetch(&small, from, to);
        count_travel_guess(&small, i % 2 ? count_travel_fetch_pair(&small, from, to) : (uint32_t)(chance >> 40) % 40);
        const struct count_pair *one = count_travel_pair(&small, from, city.edges[from], to, city.edges[to], 900);
        const struct count_pair *other = count_travel_pair(&large, from, city.edges[from], to, city.edges[to], 900);
        assert_int_equal(one->from, from);
        assert_int_equal(one->to, to);
        assert_true(one->free_flow_s > 0 && one->free_flow_s == other->free_flow_s && one->edges_s == other->edges_s);
        assert_int_equal(one->n_edges, other->n_edges);
        assert_memory_equal(one->edges, other->edges, one->n_edges * sizeof(*one->edges));
    }
    assert_true(small.n_replaced > 100 && large.n_replaced == 0);
    count_travel_finish(&small);
    count_travel_finish(&large);
    city_finish(&city);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_have_the_rings_times),
        cmocka_unit_test(full_rows_replace_the_longest_unused),
        cmocka_unit_test(what_was_forgotten_is_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
