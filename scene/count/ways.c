/* Ways on live travel times; see ways.h. */
#include "scene/count/ways.h"

#include "base/buf.h"
#include "base/mem.h"
#include "hub/offer.h"
#include "road/trip.h"

#include <math.h>
#include <stdio.h>

#define EDGES_BYTES_MAX (1u << 20) /* of a way's edges as text: 50,000 of them */

static const char *const field_names[] = {"from", "to", "time", "seconds", "free_flow_s", "length_m", "observed", "edges"};

struct count_ways {
    const struct count *count;
    const struct road_network *network;
    const struct road_nearest *nearest;
    struct road_router *router;
    float *known_s;                   /* [n_edges] as told last; NAN: nothing is known */
    float *edge_s;                    /* [n_edges] the same, else free flow */
    int64_t times_ms;                 /* when; INT64_MIN: never */
    struct buf edges;                 /* of the last answer */
    const struct hub_resource *route; /* offered; NULL: not */
};

enum err count_ways_find(
    const struct scene_env *env, struct yaml_node config, struct diag_list *diags, const struct hub_resource **ret_resource)
{
    char name[256];
    int len = snprintf(name, sizeof(name), STR_FORMAT "/route", STR_ARG(env->party));
    const struct hub_resource *resource = hub_resource_find(env->hub, (struct str){name, (size_t)len});
    *ret_resource = resource;
    for (size_t i = 0; resource != NULL && i < COUNT_WAYS_N_FIELDS; i++)
        if (resource->kind != HUB_TABLE || resource->n_fields != COUNT_WAYS_N_FIELDS ||
            !str_equal_c(resource->fields[i].name, field_names[i]))
            return yaml_error(config, diags, ERR_RANGE,
                "field %zu of the resource \"route\" is not \"%s\", or it is no table; docs/route.md has them in order", i + 1,
                field_names[i]);
    return ERR_OK;
}

enum err count_ways_create(const struct count *count, const struct road_nearest *nearest, struct count_ways **ret_ways)
{
    const struct road_hierarchy *hierarchy = count_hierarchy(count);
    struct count_ways *ways = mem_alloc_zero(1, sizeof(*ways));
    if (ways == NULL)
        return ERR_NO_MEMORY;
    *ways = (struct count_ways){.count = count, .network = hierarchy->network, .nearest = nearest, .times_ms = INT64_MIN};
    buf_init(&ways->edges, EDGES_BYTES_MAX);
    ways->known_s = mem_alloc(hierarchy->network->n_edges * sizeof(*ways->known_s));
    ways->edge_s = mem_alloc(hierarchy->network->n_edges * sizeof(*ways->edge_s));
    enum err err = ways->known_s != NULL && ways->edge_s != NULL ? road_router_create_on(hierarchy, &ways->router) : ERR_NO_MEMORY;
    if (err != ERR_OK) {
        count_ways_destroy(ways);
        return err;
    }
    for (uint32_t i = 0; i < ways->network->n_edges; i++)
        ways->known_s[i] = NAN;
    *ret_ways = ways;
    return ERR_OK;
}

void count_ways_destroy(struct count_ways *ways)
{
    if (ways == NULL)
        return;
    hub_offer_end(ways->route);
    road_router_destroy(ways->router);
    buf_finish(&ways->edges);
    mem_free(ways->known_s);
    mem_free(ways->edge_s);
    mem_free(ways);
}

enum err count_ways_start(const struct scene_env *env, const struct hub_resource *route, const struct count *count,
    const struct road_nearest *nearest, struct count_ways **ret_ways)
{
    struct count_ways *ways = NULL;
    if (route == NULL)
        return ERR_OK;
    enum err err = count_ways_create(count, nearest, &ways);
    if (err == ERR_OK)
        err = hub_offer_table(env->hub, route, env->loop, count_ways_answer, ways);
    if (err != ERR_OK) {
        count_ways_destroy(ways);
        return err;
    }
    ways->route = route;
    *ret_ways = ways;
    return ERR_OK;
}

void count_ways_tick(struct count_ways *ways, int64_t now_ms)
{
    if (ways == NULL || (ways->times_ms != INT64_MIN && now_ms >= ways->times_ms && now_ms - ways->times_ms < COUNT_WAYS_EVERY_MS))
        return;
    count_edge_times(ways->count, ways->known_s);
    for (uint32_t i = 0; i < ways->network->n_edges; i++)
        ways->edge_s[i] = isnan(ways->known_s[i]) ? (float)road_edge_free_flow_s(&ways->network->edges[i]) : ways->known_s[i];
    road_router_set_times(ways->router, ways->edge_s);
    ways->times_ms = now_ms;
}

/* ---- a question ---- */

struct sums {
    double free_s, length_m, known_m;
};

static void add_edge(const struct count_ways *ways, struct sums *sums, uint32_t at, double share)
{
    const struct road_edge *edge = &ways->network->edges[at];
    sums->free_s += share * road_edge_free_flow_s(edge);
    sums->length_m += share * edge->length_m;
    sums->known_m += isnan(ways->known_s[at]) ? 0 : share * edge->length_m;
}

/* What the same way takes in free flow, and how much of it anything is known of; its edges as text. */
static struct sums sum_up(struct count_ways *ways, const struct road_trip *trip)
{
    const struct road_edge *edges = ways->network->edges;
    struct sums sums = {0};
    uint32_t at = trip->first_edge;
    buf_reset(&ways->edges);
    buf_append_str(&ways->edges, edges[at].id);
    add_edge(ways, &sums, at, ((trip->n_edges > 0 ? edges[at].length_m : trip->to_m) - trip->from_m) / edges[at].length_m);
    for (uint32_t i = 0; i < trip->n_edges; i++) {
        uint32_t next = trip->edges[i];
        sums.free_s += (road_router_turn_ms(ways->router, at, next) - road_router_edge_ms(ways->router, next)) / 1000.0;
        add_edge(ways, &sums, next, i + 1 < trip->n_edges ? 1 : trip->to_m / edges[next].length_m);
        buf_append_byte(&ways->edges, ' ');
        buf_append_str(&ways->edges, edges[next].id);
        at = next;
    }
    return sums;
}

enum err count_ways_answer(void *context, const struct value *keys, struct value *ret_values)
{
    struct count_ways *ways = context;
    struct road_stop stops[2];
    struct road_trip trip;
    for (int i = COUNT_WAYS_FROM; i <= COUNT_WAYS_TO; i++)
        if (keys[i].type != VALUE_TEXT || road_stop_parse(ways->network, ways->nearest, keys[i].s, &stops[i]) != NULL)
            return ERR_RANGE;
    enum err err = road_trip_find(ways->router, &stops[0], &stops[1], &trip);
    if (err != ERR_OK)
        return err;
    struct sums sums = sum_up(ways, &trip);
    if (ways->edges.err != ERR_OK)
        return ways->edges.err;
    ret_values[COUNT_WAYS_TIME] = ways->times_ms != INT64_MIN ? value_time(ways->times_ms) : VALUE_NONE;
    ret_values[COUNT_WAYS_SECONDS] = value_real(trip.time_s);
    ret_values[COUNT_WAYS_FREE_FLOW_S] = value_real(sums.free_s);
    ret_values[COUNT_WAYS_LENGTH_M] = value_real(trip.length_m);
    ret_values[COUNT_WAYS_OBSERVED] = value_real(sums.length_m > 0 ? sums.known_m / sums.length_m : 0);
    ret_values[COUNT_WAYS_EDGES] = value_text(buf_str(&ways->edges));
    return ERR_OK;
}
