/* Vehicles on edges and roads; see spread.h. */
#include "scene/count/spread.h"

#include "base/mem.h"
#include "scene/count/state.h"

#include <math.h>
#include <string.h>

#define TIMES_FROM 1.0F /* vehicles that an edge's time is taken from; of fewer it is free flow */
#define NORMAL_90 1.645

enum err count_spread_init(struct count_spread *spread, uint32_t n_edges, uint32_t n_roads)
{
    *spread = (struct count_spread){.learned_ms = INT64_MIN,
        .on_edges = mem_alloc_zero(n_edges, sizeof(*spread->on_edges)),
        .on_roads = mem_alloc_zero(n_roads + 1, sizeof(*spread->on_roads))};
    return spread->on_edges != NULL && spread->on_roads != NULL ? ERR_OK : ERR_NO_MEMORY;
}

void count_spread_finish(struct count_spread *spread)
{
    mem_free(spread->on_edges);
    mem_free(spread->on_roads);
}

void count_spread_clear(struct count_spread *spread, uint32_t n_edges, uint32_t n_roads)
{
    memset(spread->on_edges, 0, n_edges * sizeof(*spread->on_edges));
    memset(spread->on_roads, 0, (n_roads + 1) * sizeof(*spread->on_roads));
    spread->all = 0;
    spread->learned_ms = INT64_MIN;
}

/* What an edge takes now, the junction's wait at its end included. */
static double seconds_of(const struct count *count, uint32_t edge)
{
    const struct count_edge_sums *sums = &count->figures.edges[edge];
    double free_s = road_edge_free_flow_s(&count->map.network->edges[edge]);
    return sums->n >= TIMES_FROM && sums->free_s > 0 ? free_s * (double)(sums->actual_s / sums->free_s) : free_s;
}

static void put(struct count *count, uint32_t edge, double n)
{
    count->spread.on_edges[edge] += (float)n;
    count->spread.all += n;
}

static void put_on_way(struct count *count, const struct count_pair *pair, double n)
{
    double all_s = 0;
    for (uint32_t i = 0; i < pair->n_edges; i++)
        all_s += seconds_of(count, pair->edges[i]);
    for (uint32_t i = 0; i < pair->n_edges; i++)
        put(count, pair->edges[i], all_s > 0 ? n * seconds_of(count, pair->edges[i]) / all_s : n / pair->n_edges);
}

/* Those seen last at one camera. */
static void put_camera(struct count *count, uint32_t camera, double n)
{
    const struct count_account *account = &count->accounts[camera];
    double weights[COUNT_BRANCHES], n_ways = 0;
    /* Little's law: on each way as many as take it in a second, times the seconds that they are on it. */
    for (uint32_t i = 0; i < account->n_branches; i++) {
        const struct count_branch *branch = &account->branches[i];
        weights[i] = (double)branch->n * ((double)branch->free_s + count->accounts[branch->to].lateness_s);
        n_ways += weights[i];
    }
    for (uint32_t i = 0; i < account->n_branches && n_ways > 0; i++) {
        uint32_t to = account->branches[i].to;
        double part = n * weights[i] / n_ways;
        const struct count_pair *pair =
            count_travel_pair(&count->travel, camera, count->cameras[camera].edge, to, count->cameras[to].edge, COUNT_NEXT_S);
        if (pair->n_edges > 0)
            put_on_way(count, pair, part);
        else
            put(count, count->cameras[to].edge, part); /* too far to know the way: at its end, where one waits */
    }
    if (n_ways <= 0)
        put(count, count->cameras[camera].edge, n);
}

void count_spread_learn(struct count *count)
{
    if (count->spread.learned_ms == count->balance.learned_ms)
        return;
    count->spread.learned_ms = count->balance.learned_ms;
    memset(count->spread.on_edges, 0, count->map.network->n_edges * sizeof(*count->spread.on_edges));
    count->spread.all = 0;
    for (uint32_t i = 0; i < count->n_cameras; i++)
        if (count->accounts[i].seen > 0)
            put_camera(count, i, count->accounts[i].seen);
    count_spread_sum(count);
}

void count_spread_sum(struct count *count)
{
    const struct count_figures *figures = &count->figures;
    memset(count->spread.on_roads, 0, (figures->n_groups + 1) * sizeof(*count->spread.on_roads));
    for (uint32_t e = 0; e < count->map.network->n_edges; e++)
        if (figures->edge_groups[e] != COUNT_NONE)
            count->spread.on_roads[figures->edge_groups[e]] += (double)count->spread.on_edges[e];
    /* Children stand after their parents. */
    for (uint32_t i = figures->n_groups; i-- > 0;)
        if (figures->groups[i].parent != COUNT_NONE)
            count->spread.on_roads[figures->groups[i].parent] += count->spread.on_roads[i];
}

struct count_interval count_spread_tell(const struct count *count, double n)
{
    double city = count->told[0].vehicles;
    if (isnan(city) || count->spread.all <= 0)
        return (struct count_interval){NAN, NAN, NAN};
    double vehicles = n * city / count->spread.all;
    /* One more than a Poisson count's variance: where none are thought to be there may be some. */
    double sd = sqrt(vehicles + 1 + pow(count->settings.sd_spread * vehicles, 2));
    return (struct count_interval){vehicles, fmax(vehicles - NORMAL_90 * sd, 0), vehicles + NORMAL_90 * sd};
}
