/* The fleet's gateway: see fleet.h. */
#include "world/fleet.h"

#include "base/mem.h"

#include <math.h>
#include <mosquitto.h>
#include <stdio.h>
#include <unistd.h>

#define BODY_MAX (256u << 10)
#define METRES_A_DEGREE 111195.0
#define AGAIN_MS 3000 /* between two attempts to reach the broker */
#define KEEPALIVE_S 30
#define STATUS_ON 3   /* ignition on, located */
#define STATUS_LOST 1 /* ignition on alone */
#define ON_WAY_MAX 20 /* messages that the broker has not acknowledged; more are lost, as a gateway's are */

struct fleet {
    const struct world_fleet *what;
    const struct brain_clock *clock;
    struct mosquitto *client;
    struct fleet_position *positions; /* [FLEET_POSITIONS_MAX] of this second */
    uint32_t n, serial, n_on_way;     /* n_on_way: messages */
    struct rng rng;
    struct buf body;
    struct mono_time tried;
    bool is_tried, is_connected;
    struct fleet_counts counts;
};

static void on_connect(struct mosquitto *client, void *context, int code)
{
    struct fleet *fleet = context;
    (void)client;
    fleet->is_connected = code == 0;
}

static void on_disconnect(struct mosquitto *client, void *context, int code)
{
    struct fleet *fleet = context;
    (void)client;
    (void)code;
    fleet->is_connected = false;
}

static void on_publish(struct mosquitto *client, void *context, int message_id)
{
    struct fleet *fleet = context;
    (void)client;
    (void)message_id;
    fleet->counts.n_sent++;
    fleet->n_on_way -= fleet->n_on_way > 0;
}

enum err fleet_create(const struct world_city *city, const struct brain_clock *clock, uint64_t seed, struct fleet **ret_fleet)
{
    struct fleet *fleet = mem_alloc_zero(1, sizeof *fleet);
    char name[64];
    if (!fleet)
        return ERR_NO_MEMORY;
    *fleet = (struct fleet){.what = &city->fleet, .clock = clock, .rng = {seed ^ 0xF1EE7}};
    buf_init(&fleet->body, BODY_MAX);
    (void)mosquitto_lib_init();
    (void)snprintf(name, sizeof name, "gateway-%.40s-%ld", city->name, (long)getpid());
    fleet->positions = mem_alloc_zero(FLEET_POSITIONS_MAX, sizeof *fleet->positions);
    fleet->client = mosquitto_new(name, true, fleet);
    if (!fleet->positions || !fleet->client) {
        fleet_destroy(fleet);
        return ERR_NO_MEMORY;
    }
    mosquitto_connect_callback_set(fleet->client, on_connect);
    mosquitto_disconnect_callback_set(fleet->client, on_disconnect);
    mosquitto_publish_callback_set(fleet->client, on_publish);
    *ret_fleet = fleet;
    return ERR_OK;
}

void fleet_destroy(struct fleet *fleet)
{
    if (!fleet)
        return;
    if (fleet->client)
        mosquitto_destroy(fleet->client);
    (void)mosquitto_lib_cleanup();
    buf_finish(&fleet->body);
    mem_free(fleet->positions);
    mem_free(fleet);
}

void fleet_count(const struct fleet *fleet, struct fleet_counts *ret_counts)
{
    *ret_counts = fleet->counts;
    ret_counts->is_connected = fleet->is_connected;
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
        fleet->counts.n_dropped++;
}

/* ---- the broker ---- */

static void connect_again(struct fleet *fleet, struct mono_time now)
{
    if (fleet->is_tried && mono_ms_between(fleet->tried, now) < AGAIN_MS)
        return;
    fleet->is_tried = true;
    fleet->tried = now;
    fleet->n_on_way = 0;
    (void)mosquitto_connect_async(fleet->client, fleet->what->broker, (int)fleet->what->port, KEEPALIVE_S);
}

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
    struct str body = buf_str(&fleet->body);
    bool is_sent = fleet->body.err == ERR_OK && fleet->n_on_way < ON_WAY_MAX &&
                   mosquitto_publish(fleet->client, NULL, fleet->what->topic, (int)body.len, body.ptr, 1, false) == MOSQ_ERR_SUCCESS;
    fleet->n_on_way += is_sent;
    fleet->counts.n_dropped += is_sent ? 0 : fleet->n;
}

void fleet_tick(struct fleet *fleet, struct mono_time now)
{
    if (!fleet->what->broker[0])
        return;
    if (mosquitto_loop(fleet->client, 0, 1) != MOSQ_ERR_SUCCESS) {
        fleet->is_connected = false;
        connect_again(fleet, now);
    }
    if (fleet->n > 0 && fleet->is_connected && fleet->clock->is_set)
        send(fleet, now);
    else
        fleet->counts.n_dropped += fleet->n;
    if (fleet->n > 0 && fleet->is_connected)
        (void)mosquitto_loop(fleet->client, 0, 1);
    fleet->n = 0;
}
