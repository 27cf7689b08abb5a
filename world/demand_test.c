/* Demand: the curve, the file's errors, and trips on a grid of streets drawn by this test. */
#include "base/buf.h"
#include "base/test.h"
#include "world/demand.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N 6 /* junctions a side; one more road leads out of each on the border */

static void junction(struct buf *net, int x, int y, const char *type)
{
    buf_printf(net, "<junction id=\"%d/%d\" type=\"%s\" x=\"%d\" y=\"%d\" incLanes=\"\" intLanes=\"\" shape=\"%d,%d %d,%d\"/>\n", x, y,
        type, x * 300, y * 300, x * 300, y * 300, x * 300 + 1, y * 300);
}

static bool is_inside(int x, int y)
{
    return x >= 0 && x < N && y >= 0 && y < N;
}

static bool is_there(int x, int y)
{
    return is_inside(x, y) || (is_inside(x, y == -1 ? 0 : y == N ? N - 1 : y) && (y == -1 || y == N));
}

static void edge(struct buf *net, int x, int y, int dx, int dy)
{
    if (!is_there(x, y) || !is_there(x + dx, y + dy) || (!is_inside(x, y) && !is_inside(x + dx, y + dy)))
        return;
    buf_printf(net,
        "<edge id=\"%d/%d>%d/%d\" from=\"%d/%d\" to=\"%d/%d\" type=\"highway.%s\"><lane id=\"%d/%d>%d/%d_0\" index=\"0\" speed=\"10\" "
        "length=\"290\" shape=\"%d,%d %d,%d\"/></edge>\n",
        x, y, x + dx, y + dy, x, y, x + dx, y + dy, y % 2 ? "residential" : "primary", x, y, x + dx, y + dy, x * 300, y * 300,
        (x + dx) * 300, (y + dy) * 300);
}

static void connections(struct buf *net, int x, int y)
{
    static const int way[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    for (int in = 0; in < 4; in++)
        for (int out = 0; out < 4; out++) {
            int fx = x - way[in][0], fy = y - way[in][1], tx = x + way[out][0], ty = y + way[out][1];
            if ((in + 2) % 4 == out || !is_there(fx, fy) || !is_there(tx, ty))
                continue;
            buf_printf(net, "<connection from=\"%d/%d>%d/%d\" to=\"%d/%d>%d/%d\" fromLane=\"0\" toLane=\"0\" dir=\"s\" state=\"M\"/>\n", fx,
                fy, x, y, x, y, tx, ty);
        }
}

static struct road_network *grid(void)
{
    struct buf net;
    buf_init(&net, 4u << 20);
    buf_append_c(&net, "<net version=\"1.16\"><location netOffset=\"0,0\" convBoundary=\"0,0,1500,1500\" origBoundary=\"0,0,1500,1500\" "
                       "projParameter=\"!\"/>\n");
    static const int way[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    for (int x = 0; x < N; x++)
        for (int y = -1; y <= N; y++)
            for (int w = 0; w < 4; w++)
                edge(&net, x, y, way[w][0], way[w][1]);
    for (int x = 0; x < N; x++)
        for (int y = -1; y <= N; y++)
            junction(&net, x, y, is_inside(x, y) ? "priority" : "dead_end");
    for (int x = 0; x < N; x++)
        for (int y = 0; y < N; y++)
            connections(&net, x, y);
    buf_append_c(&net, "</net>\n");
    struct road_network *network = NULL;
    struct diag diag = {""};
    assert_ok(net.err);
    if (road_network_parse(buf_str(&net), "grid", &diag, &network))
        fail_msg("%s", diag.text);
    buf_finish(&net);
    return network;
}

static struct demand_plan a_plan(void)
{
    return (struct demand_plan){.peak = 100,
        .n_points = 3,
        .points = {{6 * 3600, 0.2}, {8 * 3600, 1.0}, {20 * 3600, 0.4}},
        .morning = {0.4, 0.3, 0.1, 0.2},
        .evening = {0.4, 0.1, 0.3, 0.2}};
}

static void the_curve_goes_round_midnight(void **state)
{
    const struct demand_plan plan = a_plan();
    static const struct {
        double hour, share;
    } rows[] = {{6, 0.2}, {7, 0.6}, {8, 1}, {14, 0.7}, {20, 0.4}, {1, 0.3}, {25, 0.3}, {-23, 0.3}, {24 * 9 + 7, 0.6}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(fabs(demand_share(&plan, rows[i].hour * 3600) - rows[i].share) < 1e-9);
}

static void trips_can_be_driven(void **state)
{
    struct road_network *network = grid();
    const struct demand_plan plan = a_plan();
    struct demand *demand, *twin;
    assert_ok(demand_create(&plan, network, 42, &demand));
    assert_ok(demand_create(&plan, network, 42, &twin));
    int n_from_outside = 0, n = 2000;
    for (int i = 0; i < n; i++) {
        struct demand_trip trip, same;
        assert_ok(demand_next(demand, 8 * 3600, &trip));
        assert_ok(demand_next(twin, 8 * 3600, &same));
        assert_int_equal(trip.n_edges, same.n_edges); /* one seed, one city */
        assert_memory_equal(trip.edges, same.edges, trip.n_edges * sizeof *trip.edges);
        assert_true(trip.n_edges >= 2 && trip.time_s >= 150);
        for (uint32_t e = 0; e + 1 < trip.n_edges; e++) {
            const struct road_edge *edge = &network->edges[trip.edges[e]];
            bool is_connected = false;
            for (uint32_t c = 0; c < edge->n_out; c++)
                is_connected |= network->connections[edge->first_out + c].to == trip.edges[e + 1];
            assert_true(is_connected);
        }
        double begin = network->junctions[network->edges[trip.edges[0]].from].point.lat; /* metres here */
        n_from_outside += begin < 0 || begin > 300 * (N - 1);
        uint32_t last = trip.edges[trip.n_edges - 1], before = trip.n_edges;
        demand_cut(demand, &trip);
        demand_cut(twin, &same);
        assert_true(trip.n_edges >= 2 && trip.n_edges <= before && trip.edges[trip.n_edges - 1] == last);
    }
    /* Half of the morning's trips come from outside (in and through), some fewer are too short to count. */
    assert_true(n_from_outside > n * 4 / 10 && n_from_outside < n * 7 / 10);
    assert_true(demand_mean_time_s(demand, 8 * 3600) > 150);
    demand_destroy(demand);
    demand_destroy(twin);
    road_network_destroy(network);
}

static const char good[] =
    "peak: 100\ncurve:\n  - {at: \"06:00\", share: 0.2}\n  - {at: \"08:00\", share: 1}\ncentres:\n"
    "  - {title: x, place: [120.1, 30.2], reach_m: 800, pull: 3}\n"
    "morning: {inner: 0.4, in: 0.3, out: 0.1, through: 0.2}\nevening: {inner: 0.4, in: 0.1, out: 0.3, through: 0.2}\n";

static enum err load(const char *from, const char *to, struct diag_list *diags, struct demand_plan *ret_plan)
{
    char text[2048], path[64] = "/tmp/world-demand-XXXXXX";
    (void)snprintf(text, sizeof text, "%s", good);
    if (from) {
        char *at = strstr(text, from), rest[2048];
        assert_non_null(at);
        (void)snprintf(rest, sizeof rest, "%s", &at[strlen(from)]);
        *at = 0;
        (void)snprintf(&text[strlen(text)], sizeof text - strlen(text), "%s%s", to, rest);
    }
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    enum err err = demand_plan_load(path, diags, ret_plan);
    (void)unlink(path);
    return err;
}

static void errors_name_their_line(void **state)
{
    static const struct {
        const char *from, *to, *words;
    } rows[] = {
        {"peak: 100", "peak: 0", ":1: peak 0"},
        {"\"08:00\"", "\"8 o'clock\"", ":4: \"8 o'clock\" is no time of day"},
        {"share: 1}", "share: 1.2}", ":4: share 1.2"},
        {"\"08:00\"", "\"05:00\"", ":4: this point is not later"},
        {"[120.1, 30.2]", "[120.1]", ":6: place is not"},
        {"reach_m: 800", "reach_m: 0", ":6: reach_m"},
        {"out: 0.1", "out: 0.2", ":7: the shares add up to 1.1"},
        {"evening:", "night:", "night"},
        {"pull: 3", "pul: 3", ":6:"},
    };
    struct demand_plan plan;
    assert_ok(load(NULL, NULL, NULL, &plan));
    assert_int_equal(plan.n_points, 2);
    assert_int_equal(plan.n_centres, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static struct diag_list diags;
        diags.n = 0;
        assert_true(load(rows[i].from, rows[i].to, &diags, &plan) != ERR_OK);
        assert_true(diags.n > 0);
        if (!strstr(diags.diags[0].text, rows[i].words))
            fail_msg("\"%s\" does not say \"%s\"", diags.diags[0].text, rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_curve_goes_round_midnight),
        cmocka_unit_test(trips_can_be_driven),
        cmocka_unit_test(errors_name_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
