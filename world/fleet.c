/* The fleet's gateway: see fleet.h. */
#include "world/fleet.h"

#include "base/mem.h"
#include "world/gateway.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define BODY_MAX (256u << 10)
#define METRES_A_DEGREE 111195.0
#define STATUS_ON 3   /* ignition on, located */
#define STATUS_LOST 1 /* ignition on alone */

struct fleet {
    const struct world_broker *what;
    const struct brain_clock *clock;
    struct gateway *gateway;
    struct fleet_position *positions; /* [FLEET_POSITIONS_MAX] of this second */
    uint32_t n, serial;
    struct rng rng;
    struct buf body;
    uint64_t n_dropped;
};

enum err fleet_create(const struct world_city *city, const struct brain_clock *clock, uint64_t seed, struct fleet **ret_fleet)
{
    struct fleet *fleet = mem_alloc_zero(1, sizeof *fleet);
    char name[64];
    if (!fleet)
        return ERR_NO_MEMORY;
    *fleet = (struct fleet){.what = &city->fleet, .clock = clock, .rng = {seed ^ 0xF1EE7}};
    buf_init(&fleet->body, BODY_MAX);
    (void)snprintf(name, sizeof name, "gateway-%.40s-%ld", city->name, (long)getpid());
    fleet->positions = mem_alloc_zero(FLEET_POSITIONS_MAX, sizeof *fleet->positions);
    enum err err = fleet->positions ? gateway_create(fleet->what, name, &fleet->gateway) : ERR_NO_MEMORY;
    if (err) {
        fleet_destroy(fleet);
        return err;
    }
    *ret_fleet = fleet;
    return ERR_OK;
}

void fleet_destroy(struct fleet *fleet)
{
    if (!fleet)
        return;
    gateway_destroy(fleet->gateway);
    buf_finish(&fleet->body);
    mem_free(fleet->positions);
    mem_free(fleet);
}

void fleet_count(const struct fleet *fleet, struct fleet_counts *ret_counts)
{
    *ret_counts = (struct fleet_counts){gateway_n_sent(fleet->gateway), fleet->n_dropped, gateway_is_connected(fleet->gateway)};
}

/* ---- positions ---- */

static double normal(struct rng *rng) /* Box and Muller, 1958 */
{
    double radius = sqrt(-2 * log(1 - rng_unit(rng)));
    return radius * cos(2 * M_PI * rng_unit(rng));
}

void fleet_write(struct json_writer *w, const struct fleet_position *position, struct wall_time time, uint32_t serial, struct rng *rng)
{
    char phone[24], compact[15];
    bool is_lost = rng_chance(rng, FLEET_LOST);
    double north_m = FLEET_ERROR_M * normal(rng), east_m = FLEET_ERROR_M * normal(rng);
    double lat = position->point.lat + north_m / METRES_A_DEGREE;
    double lon = position->point.lon + east_m / (METRES_A_DEGREE * cos(position->point.lat * M_PI / 180));
    (void)snprintf(phone, sizeof phone, "0133%08u", position->vehicle); /* the company's own number of the terminal */
    wall_format_compact(time, TIME_ZONE_SHANGHAI, compact);
    json_begin_object(w);
    json_field_c(w, "phone", phone);
    json_field_i64(w, "serial", serial % 65536);
    json_field_i64(w, "alarm", 0);
    json_field_i64(w, "status", is_lost ? STATUS_LOST : STATUS_ON);
    json_field_i64(w, "lat", is_lost ? 0 : llround(lat * 1e6));
    json_field_i64(w, "lon", is_lost ? 0 : llround(lon * 1e6));
    json_field_i64(w, "height", is_lost ? 0 : 12);
    json_field_i64(w, "speed", llround(position->speed_mps * 36));
    json_field_i64(w, "direction", llround(position->heading) % 360);
    json_field_c(w, "time", compact + 2);
    json_end_object(w);
}

void fleet_add(struct fleet *fleet, const struct fleet_position *position)
{
    if (fleet->n < FLEET_POSITIONS_MAX)
        fleet->positions[fleet->n++] = *position;
    else
        fleet->n_dropped++;
}

/* ---- the broker ---- */

static void send(struct fleet *fleet, struct mono_time now)
{
    struct json_writer w;
    struct wall_time time = brain_clock_at(fleet->clock, now);
    buf_reset(&fleet->body);
    json_writer_init(&w, &fleet->body);
    json_begin_array(&w);
    for (uint32_t i = 0; i < fleet->n; i++)
        fleet_write(&w, &fleet->positions[i], time, fleet->serial++, &fleet->rng);
    json_end_array(&w);
    if (fleet->body.err || !gateway_send(fleet->gateway, buf_str(&fleet->body)))
        fleet->n_dropped += fleet->n;
}

void fleet_tick(struct fleet *fleet, struct mono_time now)
{
    if (!fleet->what->broker[0])
        return;
    gateway_tick(fleet->gateway, now);
    if (fleet->n > 0 && fleet->clock->is_set && gateway_is_connected(fleet->gateway))
        send(fleet, now);
    else
        fleet->n_dropped += fleet->n;
    fleet->n = 0;
}
