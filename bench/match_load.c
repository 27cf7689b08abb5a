/*
 * How fast GPS points are matched: match_load NETWORK.net.xml prints, for points that fleets of vehicles on ways drawn by chance would
 * send, with an error of 10 m in each direction:
 *
 *     match_points_per_s           one each 5 s, with speed and heading, lag 20
 *     match_bare_points_per_s      the same without speed and heading
 *     match_dense_points_per_s     one a second, without
 *     match_sparse_points_per_s    one each 30 s, without
 *     match_csv_points_per_s       the first again, from a table in memory to a table in /dev/null
 *     match_right_pct              of the first: on the right edge
 *
 * On one thread, CPU time of this thread, so that other programs on the machine do not count. Points of N_VEHICLES vehicles come mixed, by
 * time, as a gateway has them.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "road/match_file.h"
#include "road/route.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_VEHICLES 500
#define N_POINTS 200000
#define SIGMA_M 10.0
#define SEED 20261122u
#define TABLE_MAX (64u << 20)

static uint64_t state = SEED;

static double draw_unit(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) / 9007199254740992.0;
}

static double draw_normal(void) /* Box, Muller */
{
    return sqrt(-2 * log(1 - draw_unit())) * cos(2 * M_PI * draw_unit());
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct vehicle {
    uint32_t *way, n_way, at; /* edges; where on them */
    double offset_m, share;   /* of the speed limit */
};

struct sent {
    struct road_fix fix;
    uint32_t vehicle, edge;
};

struct world {
    struct road_network *network;
    struct road_hierarchy *hierarchy;
    struct road_nearest *nearest;
    struct road_router *router;
    struct vehicle vehicles[N_VEHICLES];
    struct sent *sent; /* [N_POINTS] */
    uint64_t n_told, n_right;
    uint32_t n_seen[N_VEHICLES]; /* points told of each */
};

static struct road_point place_at(const struct road_network *network, uint32_t number, double offset_m, double *ret_heading)
{
    const struct road_edge *edge = &network->edges[number];
    double total = 0, done = 0;
    for (uint32_t i = edge->first_point; i + 1 < edge->first_point + edge->n_points; i++)
        total += road_distance_m(network, network->points[i], network->points[i + 1]);
    double wanted = offset_m / edge->length_m * total;
    for (uint32_t i = edge->first_point;; i++) {
        struct road_point a = network->points[i], b = network->points[i + 1];
        double step = road_distance_m(network, a, b);
        if (done + step < wanted && i + 2 < edge->first_point + edge->n_points) {
            done += step;
            continue;
        }
        double share = step > 0 ? fmin((wanted - done) / step, 1) : 0;
        *ret_heading = road_heading(network, a, b);
        return (struct road_point){a.lon + share * (b.lon - a.lon), a.lat + share * (b.lat - a.lat)};
    }
}

/* A new way, or the next one from where the last ended. */
static void draw_way(struct world *world, struct vehicle *vehicle)
{
    const struct road_limits limits = {1e9, 0};
    struct road_route route;
    uint32_t n = world->network->n_edges, from = vehicle->n_way > 0 ? vehicle->way[vehicle->n_way - 1] : (uint32_t)(draw_unit() * n);
    while (road_route_find(world->router, from, (uint32_t)(draw_unit() * n), &limits, &route) != ERR_OK)
        from = (uint32_t)(draw_unit() * n);
    vehicle->way = realloc(vehicle->way, (route.n_edges + 1) * sizeof(*vehicle->way));
    if (vehicle->way == NULL)
        exit(2);
    vehicle->way[0] = from;
    memcpy(vehicle->way + 1, route.edges, route.n_edges * sizeof(*route.edges));
    vehicle->n_way = route.n_edges + 1;
    vehicle->at = 0;
    vehicle->share = 0.4 + 0.6 * draw_unit();
}

static void drive(struct world *world, struct vehicle *vehicle, double seconds)
{
    while (seconds > 0) {
        const struct road_edge *edge = &world->network->edges[vehicle->way[vehicle->at]];
        double speed = edge->speed_mps * vehicle->share, left_s = (edge->length_m - vehicle->offset_m) / speed;
        if (left_s > seconds) {
            vehicle->offset_m += seconds * speed;
            return;
        }
        seconds -= left_s;
        vehicle->offset_m = 0;
        if (++vehicle->at == vehicle->n_way) {
            draw_way(world, vehicle);
            vehicle->offset_m = edge->length_m; /* it stands at the end of that edge */
        }
    }
}

static void draw_points(struct world *world, double every_s, bool is_bare)
{
    double degrees = world->network->is_geographic ? 111320 : 1;
    for (uint32_t i = 0; i < N_POINTS; i++) {
        struct vehicle *vehicle = &world->vehicles[i % N_VEHICLES];
        struct sent *sent = &world->sent[i];
        drive(world, vehicle, every_s);
        double heading, speed = world->network->edges[vehicle->way[vehicle->at]].speed_mps * vehicle->share;
        struct road_point place = place_at(world->network, vehicle->way[vehicle->at], vehicle->offset_m, &heading);
        place.lon += draw_normal() * SIGMA_M / degrees / (world->network->is_geographic ? cos(place.lat * M_PI / 180) : 1);
        place.lat += draw_normal() * SIGMA_M / degrees;
        *sent = (struct sent){.vehicle = i % N_VEHICLES, .edge = vehicle->way[vehicle->at]};
        sent->fix = (struct road_fix){.time_ms = (int64_t)((1 + i / N_VEHICLES) * every_s * 1000),
            .point = place,
            .speed_mps = is_bare ? NAN : fmax(speed + draw_normal() / 2, 0),
            .heading = is_bare ? NAN : heading + 10 * draw_normal()};
    }
}

struct telling {
    struct world *world;
    uint32_t vehicle;
};

static void on_matched(void *context, const struct road_matched *matched)
{
    const struct telling *telling = context;
    struct world *world = telling->world;
    uint32_t at = world->n_seen[telling->vehicle]++ * N_VEHICLES + telling->vehicle;
    world->n_told++;
    world->n_right += matched->edge == world->sent[at].edge;
}

/* Points a second of CPU; the best of three. */
static double measure(struct world *world, double every_s, bool is_bare)
{
    struct road_track *tracks[N_VEHICLES];
    double best = 0;
    draw_points(world, every_s, is_bare);
    for (int round = 0; round < 3; round++) {
        struct road_matcher *matcher = NULL;
        struct road_match_settings settings = ROAD_MATCH_LIVE;
        settings.sigma_m = SIGMA_M;
        world->n_told = world->n_right = 0;
        memset(world->n_seen, 0, sizeof(world->n_seen));
        if (road_matcher_create(world->hierarchy, world->nearest, &settings, &matcher) != ERR_OK)
            exit(2);
        for (uint32_t v = 0; v < N_VEHICLES; v++)
            if (road_track_create(matcher, &tracks[v]) != ERR_OK)
                exit(2);
        double started = cpu_s();
        for (uint32_t i = 0; i < N_POINTS; i++) {
            struct telling telling = {world, world->sent[i].vehicle};
            if (road_track_add(tracks[telling.vehicle], &world->sent[i].fix, on_matched, &telling) != ERR_OK)
                exit(2);
        }
        for (uint32_t v = 0; v < N_VEHICLES; v++)
            road_track_end(tracks[v], on_matched, &(struct telling){world, v});
        best = fmax(best, N_POINTS / (cpu_s() - started));
        for (uint32_t v = 0; v < N_VEHICLES; v++)
            road_track_destroy(tracks[v]);
        road_matcher_destroy(matcher);
    }
    if (world->n_told != N_POINTS)
        exit(2);
    fprintf(
        stderr, "each %.0f s%s: %.2f %% on the right edge\n", every_s, is_bare ? ", bare" : "", 100.0 * (double)world->n_right / N_POINTS);
    return best;
}

/* The points of the last draw, from a table. */
static double measure_table(struct world *world)
{
    struct buf text;
    buf_init(&text, TABLE_MAX);
    buf_append_c(&text, world->network->is_geographic ? "vehicle,time_ms,lon,lat,speed,heading\n" : "vehicle,time_ms,x,y,speed,heading\n");
    for (uint32_t i = 0; i < N_POINTS; i++) {
        const struct road_fix *fix = &world->sent[i].fix;
        buf_printf(&text, "taxi%03u,%" PRId64 ",%.7f,%.7f,%.1f,%.0f\n", world->sent[i].vehicle, fix->time_ms, fix->point.lon,
            fix->point.lat, fix->speed_mps, fmod(fix->heading + 360, 360));
    }
    struct diag diag = {""};
    struct road_match_run run = {.network = world->network,
        .hierarchy = world->hierarchy,
        .nearest = world->nearest,
        .settings = ROAD_MATCH_FILE,
        .tracks_max = N_VEHICLES,
        .matched = fopen("/dev/null", "wb")};
    if (text.err != ERR_OK || run.matched == NULL)
        exit(2);
    double started = cpu_s();
    if (road_match_parse(&run, buf_str(&text), "points.csv", &diag) != ERR_OK || run.n_broken > 0) {
        fprintf(stderr, "match_load: %s, %" PRIu64 " broken\n", diag.text, run.n_broken);
        exit(1);
    }
    double took = cpu_s() - started;
    fclose(run.matched);
    buf_finish(&text);
    return N_POINTS / took;
}

int main(int argc, char **argv)
{
    struct diag diag = {""};
    struct world *world = calloc(1, sizeof(*world));
    if (world == NULL || argc != 2 || road_network_load(argv[1], &diag, &world->network) != ERR_OK) {
        fprintf(stderr, "match_load: %s\n", argc == 2 ? diag.text : "give a network");
        return 2;
    }
    world->sent = malloc(N_POINTS * sizeof(*world->sent));
    if (world->sent == NULL || road_hierarchy_create(world->network, &world->hierarchy) != ERR_OK ||
        road_nearest_create(world->network, &world->nearest) != ERR_OK || road_router_create_on(world->hierarchy, &world->router) != ERR_OK)
        return 2;
    for (uint32_t v = 0; v < N_VEHICLES; v++)
        draw_way(world, &world->vehicles[v]);
    printf("match_bare_points_per_s %.0f 1/s\n", measure(world, 5, true));
    printf("match_dense_points_per_s %.0f 1/s\n", measure(world, 1, true));
    printf("match_sparse_points_per_s %.0f 1/s\n", measure(world, 30, true));
    printf("match_points_per_s %.0f 1/s\n", measure(world, 5, false));
    printf("match_right_pct %.2f %%\n", 100.0 * (double)world->n_right / N_POINTS);
    printf("match_csv_points_per_s %.0f 1/s\n", measure_table(world));
    for (uint32_t v = 0; v < N_VEHICLES; v++)
        free(world->vehicles[v].way);
    free(world->sent);
    road_router_destroy(world->router);
    road_nearest_destroy(world->nearest);
    road_hierarchy_destroy(world->hierarchy);
    road_network_destroy(world->network);
    free(world);
    return 0;
}
