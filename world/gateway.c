/* A gateway at a broker: see gateway.h. */
#include "world/gateway.h"

#include "base/mem.h"

#include <mosquitto.h>

#define AGAIN_MS 3000 /* between two attempts to reach the broker */
#define KEEPALIVE_S 30
#define ON_WAY_MAX 20 /* messages that the broker has not acknowledged; more are lost */

struct gateway {
    const struct world_broker *what;
    struct mosquitto *client;
    uint32_t n_on_way; /* messages */
    struct mono_time tried;
    bool is_tried, is_connected;
    uint64_t n_sent;
};

static void on_connect(struct mosquitto *client, void *context, int code)
{
    struct gateway *gateway = context;
    (void)client;
    gateway->is_connected = code == 0;
}

static void on_disconnect(struct mosquitto *client, void *context, int code)
{
    struct gateway *gateway = context;
    (void)client;
    (void)code;
    gateway->is_connected = false;
}

static void on_publish(struct mosquitto *client, void *context, int message_id)
{
    struct gateway *gateway = context;
    (void)client;
    (void)message_id;
    gateway->n_sent++;
    gateway->n_on_way -= gateway->n_on_way > 0;
}

enum err gateway_create(const struct world_broker *what, const char *name, struct gateway **ret_gateway)
{
    struct gateway *gateway = mem_alloc_zero(1, sizeof *gateway);
    if (!gateway)
        return ERR_NO_MEMORY;
    gateway->what = what;
    (void)mosquitto_lib_init();
    gateway->client = mosquitto_new(name, true, gateway);
    if (!gateway->client) {
        gateway_destroy(gateway);
        return ERR_NO_MEMORY;
    }
    mosquitto_connect_callback_set(gateway->client, on_connect);
    mosquitto_disconnect_callback_set(gateway->client, on_disconnect);
    mosquitto_publish_callback_set(gateway->client, on_publish);
    *ret_gateway = gateway;
    return ERR_OK;
}

void gateway_destroy(struct gateway *gateway)
{
    if (!gateway)
        return;
    if (gateway->client)
        mosquitto_destroy(gateway->client);
    (void)mosquitto_lib_cleanup();
    mem_free(gateway);
}

bool gateway_is_connected(const struct gateway *gateway)
{
    return gateway->is_connected;
}

uint64_t gateway_n_sent(const struct gateway *gateway)
{
    return gateway->n_sent;
}

static void connect_again(struct gateway *gateway, struct mono_time now)
{
    if (gateway->is_tried && mono_ms_between(gateway->tried, now) < AGAIN_MS)
        return;
    gateway->is_tried = true;
    gateway->tried = now;
    gateway->n_on_way = 0;
    (void)mosquitto_connect_async(gateway->client, gateway->what->broker, (int)gateway->what->port, KEEPALIVE_S);
}

void gateway_tick(struct gateway *gateway, struct mono_time now)
{
    if (!gateway->what->broker[0] || mosquitto_loop(gateway->client, 0, 1) == MOSQ_ERR_SUCCESS)
        return;
    gateway->is_connected = false;
    connect_again(gateway, now);
}

bool gateway_send(struct gateway *gateway, struct str body)
{
    if (!gateway->is_connected || gateway->n_on_way >= ON_WAY_MAX ||
        mosquitto_publish(gateway->client, NULL, gateway->what->topic, (int)body.len, body.ptr, 1, false) != MOSQ_ERR_SUCCESS)
        return false;
    gateway->n_on_way++;
    (void)mosquitto_loop(gateway->client, 0, 1);
    return true;
}
