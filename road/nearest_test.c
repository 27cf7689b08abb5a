/* The nearest road: a small network by hand, and random ones against asking every segment. */
#include "road/nearest.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/test.h"
#include "road/test_net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct road_network *parse(struct str text)
{
    struct road_network *network = NULL;
    struct diag diag = {""};
    if (road_network_parse(text, "test.net.xml", &diag, &network) != ERR_OK)
        fail_msg("%s", diag.text);
    return network;
}

struct row {
    double x, y, heading; /* heading < 0: none */
    double max_m;
    const char *edge; /* NULL: none */
    double distance_m, offset_m;
};

/* In the flat network of test_net.h: AB's middle lane lies at y 498.4, BA's at 501.6. */
static const struct row rows[] = {
    {250, 497, -1, 50, "AB", 1.4, 250}, {250, 497, 90, 50, "AB", 1.4, 250},
    {250, 497, 270, 50, "BA", 4.6, 240},                                    /* the heading wins over the distance */
    {250, 497, 0, 50, NULL, 0, 0},                                          /* no road to the north within 50 m */
    {250, 560, -1, 50, NULL, 0, 0},                                         /* too far */
    {250, 560, -1, 60, "BA", 58.4, 240}, {-30, 498.4, 80, 50, "AB", 30, 0}, /* before its beginning */
    {503.6, 755, 10, 50, "BD", 2, 245},                                     /* in the second segment of the shape */
    {490, 498.4, 90, 50, "AB", 0, 490},                                     /* a camera at the stop line */
    {490, 498.4, 130.5, 50, "AB", 0, 490},                                  /* 40.5 degrees off: within 45 */
    {490, 498.4, 140, 50, "DB", 14.322011032, 490},                         /* 50 degrees off AB, 40 off DB: hypot(8.4, 11.6) m away */
};

static void finds_by_place_and_heading(void **state)
{
    struct road_network *network = parse(STR(NET_HEAD NET_FLAT NET_BODY NET_TAIL));
    struct road_nearest *nearest = NULL;
    assert_ok(road_nearest_create(network, &nearest));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct road_nearest_query query = {.point = {row->x, row->y},
            .has_heading = row->heading >= 0,
            .heading = row->heading,
            .heading_tolerance = 45,
            .max_distance_m = row->max_m,
            .cars_only = true};
        struct road_match match;
        bool is_found = road_nearest_find(nearest, &query, &match);
        if (is_found != (row->edge != NULL))
            fail_msg("row %zu: found %d", i, is_found);
        if (!is_found)
            continue;
        if (!str_equal_c(network->edges[match.edge].id, row->edge) || fabs(match.distance_m - row->distance_m) > 1e-7 ||
            fabs(match.offset_m - row->offset_m) > 1e-6)
            fail_msg("row %zu: edge " STR_FORMAT ", %.6f m off, at %.6f m", i, STR_ARG(network->edges[match.edge].id), match.distance_m,
                match.offset_m);
    }
    struct road_nearest_query nowhere = {.point = {NAN, 0}, .max_distance_m = 1e9};
    struct road_match unused;
    assert_false(road_nearest_find(nearest, &nowhere, &unused));
    road_nearest_destroy(nearest);
    road_network_destroy(network);
}

/* In WGS 84: the same stop line, found from its degrees (by Krüger's series); 5 m more to the east. */
static void finds_on_the_globe(void **state)
{
    struct road_network *network = parse(STR(NET_HEAD NET_UTM NET_BODY NET_TAIL));
    struct road_nearest *nearest = NULL;
    assert_ok(road_nearest_create(network, &nearest));
    struct road_nearest_query query = {.point = {120.125499768 + 5 / 96200.0, 30.281684711},
        .has_heading = true,
        .heading = 90,
        .heading_tolerance = 45,
        .max_distance_m = 30};
    struct road_match match;
    assert_true(road_nearest_find(nearest, &query, &match));
    assert_str(network->edges[match.edge].id, "AB");
    assert_true(fabs(match.distance_m - 5) < 0.05);
    assert_true(fabs(match.offset_m - 490) < 0.1);
    /* UTM's north is turned by 1.45 degrees here: (120.13 - 123) * sin(30.28). */
    assert_true(fabs(match.heading - 88.55) < 0.1);
    road_nearest_destroy(nearest);
    road_network_destroy(network);
}

/* ---- random networks ---- */

static uint64_t seed;

static double random_unit(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) / 9007199254740992.0;
}

static void write_random_network(struct buf *text, int n_edges)
{
    buf_append_c(text, NET_HEAD NET_FLAT);
    for (int i = 0; i < n_edges; i++) {
        double x = random_unit() * 5000, y = random_unit() * 3000;
        buf_printf(text,
            "<edge id=\"e%d\" from=\"J\" to=\"J\"><lane id=\"e%d_0\" index=\"0\" speed=\"10\" length=\"100\" shape=\"%.3f,%.3f", i, i, x,
            y);
        int n = 1 + (int)(random_unit() * 5);
        for (int k = 0; k < n; k++) {
            x += random_unit() * 200 - 100;
            y += random_unit() * 200 - 100;
            buf_printf(text, " %.3f,%.3f", x, y);
        }
        buf_append_c(text, "\"/></edge>\n");
    }
    buf_append_c(text, "<junction id=\"J\" type=\"dead_end\" x=\"0\" y=\"0\"/>" NET_TAIL);
}

/* Every segment of an edge asked, in metres. */
static double slow_edge_distance(const struct road_network *network, const struct road_nearest_query *query, uint32_t i)
{
    double best = INFINITY;
    for (uint32_t k = 0; k + 1 < network->edges[i].n_points; k++) {
        struct road_point a = network->points[network->edges[i].first_point + k];
        struct road_point b = network->points[network->edges[i].first_point + k + 1];
        double dx = b.lon - a.lon, dy = b.lat - a.lat;
        double off = fmod(fabs(atan2(dx, dy) * 180 / M_PI - query->heading), 360);
        if (query->has_heading && fmin(off, 360 - off) > query->heading_tolerance)
            continue;
        double t = ((query->point.lon - a.lon) * dx + (query->point.lat - a.lat) * dy) / (dx * dx + dy * dy);
        t = t < 0 ? 0 : t > 1 ? 1 : t;
        best = fmin(best, hypot(a.lon + t * dx - query->point.lon, a.lat + t * dy - query->point.lat));
    }
    return best;
}

static double slow_distance(const struct road_network *network, const struct road_nearest_query *query)
{
    double best = INFINITY;
    for (uint32_t i = 0; i < network->n_edges; i++)
        best = fmin(best, slow_edge_distance(network, query, i));
    return best;
}

/* The nearest so many: each as far as asked by itself, none left out that is nearer than the last. */
static void check_around(const struct road_network *network, const struct road_nearest *nearest, const struct road_nearest_query *query)
{
    struct road_match matches[ROAD_AROUND_MAX];
    uint32_t max = 1 + (uint32_t)(random_unit() * (ROAD_AROUND_MAX - 1)), n = road_nearest_around(nearest, query, matches, max),
             n_within = 0;
    for (uint32_t i = 0; i < n; i++) {
        assert_true(fabs(matches[i].distance_m - slow_edge_distance(network, query, matches[i].edge)) < 1e-6);
        assert_true(i == 0 || matches[i].distance_m >= matches[i - 1].distance_m);
        for (uint32_t k = 0; k < i; k++)
            assert_true(matches[k].edge != matches[i].edge);
    }
    double bound = n == max ? matches[n - 1].distance_m - 1e-9 : query->max_distance_m;
    for (uint32_t e = 0; e < network->n_edges; e++)
        n_within += slow_edge_distance(network, query, e) <= bound;
    assert_true(n_within <= n && (n == max || n_within == n));
}

static void agrees_with_asking_every_segment(void **state)
{
    uint64_t first_seed = (uint64_t)time(NULL) * 2654435761u + 1;
    seed = first_seed;
    static const int sizes[] = {1, 2, 16, 17, 300, 2000};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct buf text;
        buf_init(&text, 4u << 20);
        write_random_network(&text, sizes[s]);
        assert_ok(text.err);
        struct road_network *network = parse(buf_str(&text));
        struct road_nearest *nearest = NULL;
        assert_ok(road_nearest_create(network, &nearest));
        for (int i = 0; i < 300; i++) {
            struct road_nearest_query query = {.point = {random_unit() * 6000 - 500, random_unit() * 4000 - 500},
                .has_heading = random_unit() < 0.5,
                .heading = random_unit() * 360,
                .heading_tolerance = 20,
                .max_distance_m = 400};
            double expected = slow_distance(network, &query);
            struct road_match match;
            bool is_found = road_nearest_find(nearest, &query, &match);
            if (is_found != (expected <= 400) || (is_found && fabs(match.distance_m - expected) > 1e-6))
                fail_msg("seed %llu, %d edges, question %d: %.9f, expected %.9f", (unsigned long long)first_seed, sizes[s], i,
                    is_found ? match.distance_m : -1, expected);
            check_around(network, nearest, &query);
        }
        road_nearest_destroy(nearest);
        road_network_destroy(network);
        buf_finish(&text);
    }
    print_message("seed %llu\n", (unsigned long long)first_seed);
}

static void memory_may_fail_anywhere(void **state)
{
    struct road_network *network = parse(STR(NET_HEAD NET_FLAT NET_BODY NET_TAIL));
    int64_t before = mem_n_live();
    for (uint64_t nth = 1;; nth++) {
        struct road_nearest *nearest = NULL;
        mem_fail_nth(nth);
        enum err err = road_nearest_create(network, &nearest);
        mem_fail_nth(0);
        if (err == ERR_OK) {
            assert_true(nth > 3);
            road_nearest_destroy(nearest);
            break;
        }
        assert_err(err, ERR_NO_MEMORY);
        assert_int_equal(mem_n_live(), before);
    }
    road_network_destroy(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_place_and_heading),
        cmocka_unit_test(finds_on_the_globe),
        cmocka_unit_test(agrees_with_asking_every_segment),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
