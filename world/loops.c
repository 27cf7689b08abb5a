/* Induction loops that count: see loops.h. */
#include "world/loops.h"

#include "base/mem.h"
#include "world/gateway.h"

#include <stdio.h>
#include <unistd.h>

#define BODY_MAX (240u << 10) /* of a message: 256 KB are what the brain takes */
#define ROW_MAX 256u
#define SHARE 0.8 /* of its edge that lies behind a loop, as the detectors' list says: not in the middle of the junction */

struct loops {
    const struct world_city *city;
    const struct road_network *network;
    const struct brain_clock *clock;
    const struct streets_counted *counted;
    struct gateway *gateway;
    struct loops_row *rows; /* [n] one for each lane; `n` of this minute */
    uint32_t *first;        /* [streets' counted edges + 1] rows of each */
    uint32_t n;
    int64_t minute; /* that is running, of the brain's clock; 0: none yet */
    bool is_whole;  /* it was counted from its beginning */
    struct rng rng;
    struct buf body;
    uint64_t n_dropped;
};

void loops_write(struct json_writer *w, const struct road_network *network, const struct loops_row *row)
{
    double heading;
    struct road_point place = road_edge_at(network, row->edge, SHARE, &heading);
    char name[ROAD_NAME_MAX + 16], from[40], to[40];
    (void)snprintf(name, sizeof name, STR_FORMAT "#%u", STR_ARG(network->edges[row->edge].id), row->lane);
    wall_format_rfc3339((struct wall_time){row->to_ms - LOOPS_PERIOD_MS}, TIME_ZONE_SHANGHAI, from);
    wall_format_rfc3339((struct wall_time){row->to_ms}, TIME_ZONE_SHANGHAI, to);
    json_begin_object(w);
    json_field_c(w, "detector", name);
    json_field_i64(w, "lane", row->lane);
    json_field_c(w, "from", from);
    json_field_c(w, "to", to);
    json_field_i64(w, "count", row->n);
    json_field_real(w, "lon", place.lon);
    json_field_real(w, "lat", place.lat);
    json_field_real(w, "heading", heading);
    json_end_object(w);
}

enum err loops_create(const struct world_city *city, const struct road_network *network, const struct streets_counted *counted,
    const struct brain_clock *clock, uint64_t seed, struct loops **ret_loops)
{
    struct loops *loops = mem_alloc_zero(1, sizeof *loops);
    char name[96];
    if (!loops)
        return ERR_NO_MEMORY;
    *loops = (struct loops){.city = city, .network = network, .clock = clock, .counted = counted, .rng = {seed ^ 0x100B5}};
    buf_init(&loops->body, BODY_MAX);
    for (uint32_t i = 0; i < counted->n; i++)
        loops->n += network->edges[counted->edges[i]].n_car_lanes;
    loops->rows = mem_alloc_zero(loops->n + 1u, sizeof *loops->rows);
    loops->first = mem_alloc_zero(counted->n + 1u, sizeof *loops->first);
    (void)snprintf(name, sizeof name, "detectors-%.40s-%ld", city->name, (long)getpid());
    enum err err = loops->rows && loops->first ? gateway_create(&city->loops, name, &loops->gateway) : ERR_NO_MEMORY;
    if (err) {
        loops_destroy(loops);
        return err;
    }
    for (uint32_t i = 0, at = 0; i < counted->n; i++) {
        const struct road_edge *edge = &network->edges[counted->edges[i]];
        loops->first[i] = at;
        for (uint32_t lane = edge->n_lanes; lane-- > 0;) /* from the middle of the road outwards */
            if (network->lanes[edge->first_lane + lane].is_for_cars)
                loops->rows[at++] = (struct loops_row){.edge = counted->edges[i], .lane = (uint8_t)(edge->n_lanes - lane)};
        loops->first[i + 1] = at;
    }
    *ret_loops = loops;
    return ERR_OK;
}

void loops_destroy(struct loops *loops)
{
    if (!loops)
        return;
    gateway_destroy(loops->gateway);
    buf_finish(&loops->body);
    mem_free(loops->rows);
    mem_free(loops->first);
    mem_free(loops);
}

void loops_count(const struct loops *loops, struct loops_counts *ret_counts)
{
    *ret_counts = (struct loops_counts){gateway_n_sent(loops->gateway), loops->n_dropped, loops->n, gateway_is_connected(loops->gateway)};
}

void loops_add(struct loops *loops, const struct streets_passage *passage)
{
    if (passage->counted >= loops->counted->n || !rng_chance(&loops->rng, LOOPS_RIGHT))
        return;
    for (uint32_t i = loops->first[passage->counted]; i < loops->first[passage->counted + 1]; i++)
        loops->rows[i].n += loops->rows[i].lane == passage->lane;
}

/* Rows [from, until) as one message. */
static void send(struct loops *loops, uint32_t from, uint32_t until, int64_t to_ms)
{
    struct json_writer w;
    buf_reset(&loops->body);
    json_writer_init(&w, &loops->body);
    json_begin_array(&w);
    for (uint32_t i = from; i < until; i++) {
        loops->rows[i].to_ms = to_ms;
        loops_write(&w, loops->network, &loops->rows[i]);
    }
    json_end_array(&w);
    if (loops->body.err || !gateway_send(loops->gateway, buf_str(&loops->body)))
        loops->n_dropped += until - from;
}

void loops_tick(struct loops *loops, struct mono_time now)
{
    if (!loops || !loops->city->loops.broker[0])
        return;
    gateway_tick(loops->gateway, now);
    int64_t minute = loops->clock->is_set ? brain_clock_at(loops->clock, now).ms / LOOPS_PERIOD_MS : 0;
    if (minute == loops->minute)
        return;
    uint32_t at_once = BODY_MAX / ROW_MAX;
    for (uint32_t at = 0; loops->is_whole && minute == loops->minute + 1 && at < loops->n; at += at_once)
        send(loops, at, loops->n - at < at_once ? loops->n : at + at_once, minute * LOOPS_PERIOD_MS);
    for (uint32_t i = 0; i < loops->n; i++)
        loops->rows[i].n = 0;
    loops->is_whole = loops->minute > 0 && minute > 0;
    loops->minute = minute;
}
