/* Trips: where they begin and end, by which way. See demand.h. */
#include "world/demand.h"

#include "base/mem.h"
#include "road/route.h"

#include <math.h>

#define ATTEMPTS 12        /* draws until a pair of ends has a way worth driving */
#define TRIP_MIN_S 150.0   /* shorter ones are walked */
#define ROUTE_MAX_S 7200.0 /* longer than any way through the map */
#define SIGNAL_S 16.0      /* mean wait at a signal, and at a junction without one; for planning only */
#define JUNCTION_S 3.0
#define M_PER_DEGREE 111320.0

/* A set of edges, drawn by weight. */
struct choice {
    uint32_t *edges;
    double *sums; /* running */
    uint32_t n;
};

struct demand {
    const struct demand_plan *plan;
    const struct road_network *network;
    struct rng rng;
    struct road_router *router;
    float *edge_s; /* [n_edges] for the router; varies */
    struct choice home, work, from_outside, to_outside;
    uint32_t *trip; /* the way handed out */
    uint32_t trip_cap;
};

static bool starts_with(struct str s, const char *prefix)
{
    return str_starts_with(s, str_from_c(prefix));
}

/* How much living there is along a metre of such a road. Types are OpenStreetMap's, as netconvert passes them on. */
static double living(const struct road_edge *edge)
{
    if (starts_with(edge->type, "highway.trunk") || starts_with(edge->type, "highway.motorway"))
        return 0;
    if (starts_with(edge->type, "highway.primary"))
        return 0.35;
    if (starts_with(edge->type, "highway.secondary"))
        return 0.7;
    return starts_with(edge->type, "highway.tertiary") ? 1 : 1.4;
}

static double metres_between(struct road_point a, struct road_point b)
{
    double dy = (a.lat - b.lat) * M_PER_DEGREE, dx = (a.lon - b.lon) * M_PER_DEGREE * cos(a.lat * M_PI / 180);
    return hypot(dx, dy);
}

static double pull(const struct demand_plan *plan, struct road_point place)
{
    double sum = 1;
    for (size_t i = 0; i < plan->n_centres; i++) {
        double r = metres_between(place, plan->centres[i].place) / plan->centres[i].reach_m;
        sum += plan->centres[i].pull * exp(-r * r / 2);
    }
    return sum;
}

static enum err choice_init(struct choice *choice, uint32_t limit)
{
    choice->edges = mem_alloc_zero(limit, sizeof *choice->edges);
    choice->sums = mem_alloc_zero(limit, sizeof *choice->sums);
    return choice->edges && choice->sums ? ERR_OK : ERR_NO_MEMORY;
}

static void choice_finish(struct choice *choice)
{
    mem_free(choice->edges);
    mem_free(choice->sums);
}

static void choice_add(struct choice *choice, uint32_t edge, double weight)
{
    if (weight <= 0)
        return;
    choice->edges[choice->n] = edge;
    choice->sums[choice->n] = weight + (choice->n ? choice->sums[choice->n - 1] : 0);
    choice->n++;
}

static uint32_t choice_draw(const struct choice *choice, struct rng *rng)
{
    double want = rng_unit(rng) * choice->sums[choice->n - 1];
    uint32_t low = 0, high = choice->n - 1;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (choice->sums[mid] > want)
            high = mid;
        else
            low = mid + 1;
    }
    return choice->edges[low];
}

/* A junction where the drawing stops: one neighbour only. */
static enum err find_ends(const struct road_network *network, bool **ret_is_end)
{
    bool *is_end = mem_alloc_zero(network->n_junctions + 1, sizeof *is_end);
    uint32_t *neighbour = mem_alloc(sizeof *neighbour * (network->n_junctions + 1));
    if (!is_end || !neighbour) {
        mem_free(is_end);
        mem_free(neighbour);
        return ERR_NO_MEMORY;
    }
    for (uint32_t j = 0; j < network->n_junctions; j++)
        neighbour[j] = ROAD_NONE;
    for (uint32_t e = 0; e < network->n_edges; e++) {
        uint32_t ends[2] = {network->edges[e].from, network->edges[e].to};
        for (int i = 0; i < 2; i++) {
            uint32_t *known = &neighbour[ends[i]];
            if (*known == ROAD_NONE) {
                *known = ends[1 - i];
                is_end[ends[i]] = true;
            } else if (*known != ends[1 - i]) {
                is_end[ends[i]] = false;
                *known = ends[i]; /* its own number: never a neighbour, so it stays no end */
            }
        }
    }
    mem_free(neighbour);
    *ret_is_end = is_end;
    return ERR_OK;
}

static void add_ends(struct demand *demand, const bool *is_end)
{
    const struct road_network *network = demand->network;
    for (uint32_t e = 0; e < network->n_edges; e++) {
        const struct road_edge *edge = &network->edges[e];
        if (edge->n_car_lanes == 0 || edge->length_m < 25)
            continue;
        double width = edge->n_car_lanes * edge->speed_mps;
        bool begins = is_end[edge->from], ends = is_end[edge->to];
        if (begins)
            choice_add(&demand->from_outside, e, width * width);
        if (ends)
            choice_add(&demand->to_outside, e, width * width);
        if (begins || ends)
            continue;
        struct road_point middle = road_edge_middle(network, e);
        choice_add(&demand->home, e, living(edge) * edge->length_m);
        choice_add(&demand->work, e, living(edge) * edge->length_m * pull(demand->plan, middle));
    }
}

static float vary(struct demand *demand, uint32_t e)
{
    const struct road_edge *edge = &demand->network->edges[e];
    double wait = demand->network->junctions[edge->to].has_signal ? SIGNAL_S : JUNCTION_S;
    double dislike = living(edge) > 1 ? 1.5 : 1; /* few drive through small streets that are not theirs */
    return (float)((road_edge_free_flow_s(edge) * dislike + wait) * (0.9 + 0.6 * rng_unit(&demand->rng)));
}

enum err demand_create(const struct demand_plan *plan, const struct road_network *network, uint64_t seed, struct demand **ret_demand)
{
    bool *is_end = NULL;
    struct demand *demand = mem_alloc_zero(1, sizeof *demand);
    if (!demand)
        return ERR_NO_MEMORY;
    *demand = (struct demand){.plan = plan, .network = network, .rng = {seed}, .trip_cap = network->n_edges + 1};
    enum err err = choice_init(&demand->home, network->n_edges + 1);
    err = err ? err : choice_init(&demand->work, network->n_edges + 1);
    err = err ? err : choice_init(&demand->from_outside, network->n_edges + 1);
    err = err ? err : choice_init(&demand->to_outside, network->n_edges + 1);
    err = err ? err : find_ends(network, &is_end);
    err = err ? err : road_router_create(network, &demand->router);
    if (err)
        goto done;
    demand->edge_s = mem_alloc(sizeof *demand->edge_s * (network->n_edges + 1));
    demand->trip = mem_alloc(sizeof *demand->trip * demand->trip_cap);
    if (!demand->edge_s || !demand->trip) {
        err = ERR_NO_MEMORY;
        goto done;
    }
    add_ends(demand, is_end);
    if (!demand->home.n || !demand->work.n || !demand->from_outside.n || !demand->to_outside.n) {
        err = ERR_NOT_FOUND;
        goto done;
    }
    for (uint32_t e = 0; e < network->n_edges; e++)
        demand->edge_s[e] = vary(demand, e);
    road_router_set_times(demand->router, demand->edge_s);
done:
    mem_free(is_end);
    if (err)
        demand_destroy(demand);
    else
        *ret_demand = demand;
    return err;
}

void demand_destroy(struct demand *demand)
{
    if (!demand)
        return;
    choice_finish(&demand->home);
    choice_finish(&demand->work);
    choice_finish(&demand->from_outside);
    choice_finish(&demand->to_outside);
    road_router_destroy(demand->router);
    mem_free(demand->edge_s);
    mem_free(demand->trip);
    mem_free(demand);
}

/* 1 in the morning, 0 in the evening, between them at noon. */
static double morningness(double second)
{
    double hour = fmod(second, DEMAND_DAY_S) / 3600;
    return fmin(1, fmax(0, (14 - hour) / 3));
}

static enum demand_kind draw_kind(struct demand *demand, double morning)
{
    double want = rng_unit(&demand->rng), sum = 0;
    for (int kind = 0; kind < DEMAND_N_KINDS - 1; kind++) {
        sum += morning * demand->plan->morning[kind] + (1 - morning) * demand->plan->evening[kind];
        if (want < sum)
            return (enum demand_kind)kind;
    }
    return DEMAND_THROUGH;
}

enum err demand_next(struct demand *demand, double second, struct demand_trip *ret_trip)
{
    const struct road_limits limits = {.max_s = ROUTE_MAX_S, .max_expanded = demand->network->n_edges};
    double morning = morningness(second);
    for (uint32_t i = 0; i < 1 + demand->network->n_edges / 256; i++) {
        uint32_t e = rng_below(&demand->rng, demand->network->n_edges);
        demand->edge_s[e] = vary(demand, e);
    }
    road_router_set_times(demand->router, demand->edge_s);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        enum demand_kind kind = draw_kind(demand, morning);
        bool to_work = rng_chance(&demand->rng, 0.15 + 0.7 * morning);
        const struct choice *origins = kind == DEMAND_IN || kind == DEMAND_THROUGH ? &demand->from_outside
                                       : to_work                                   ? &demand->home
                                                                                   : &demand->work;
        const struct choice *ends = kind == DEMAND_OUT || kind == DEMAND_THROUGH ? &demand->to_outside
                                    : to_work                                    ? &demand->work
                                                                                 : &demand->home;
        uint32_t from = choice_draw(origins, &demand->rng), to = choice_draw(ends, &demand->rng);
        struct road_route route;
        if (from == to || road_route_find(demand->router, from, to, &limits, &route) || route.time_s < TRIP_MIN_S ||
            route.n_edges + 1 > demand->trip_cap)
            continue;
        demand->trip[0] = from;
        for (uint32_t i = 0; i < route.n_edges; i++)
            demand->trip[i + 1] = route.edges[i];
        *ret_trip = (struct demand_trip){demand->trip, route.n_edges + 1, route.time_s};
        return ERR_OK;
    }
    return ERR_NOT_FOUND;
}

double demand_mean_time_s(struct demand *demand, double second)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < 200; i++) {
        struct demand_trip trip;
        if (demand_next(demand, second, &trip))
            continue;
        sum += trip.time_s;
        n++;
    }
    return n ? sum / n : TRIP_MIN_S;
}

void demand_cut(struct demand *demand, struct demand_trip *trip)
{
    double gone = rng_unit(&demand->rng) * trip->time_s;
    while (trip->n_edges > 2 && gone > 0) {
        trip->edges++;
        trip->n_edges--;
        gone -= (double)demand->edge_s[trip->edges[0]];
    }
    trip->time_s *= 0.5;
}
