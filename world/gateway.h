/*
 * A department's gateway at its MQTT broker: where terminals, detectors and boxes beside the road speak to. Without a broker what would
 * have been said is lost, as a gateway's is: it is tried again, and counted by whoever speaks.
 */
#ifndef WORLD_GATEWAY_H
#define WORLD_GATEWAY_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct world_broker {
    char broker[512]; /* a name, or the path of a Unix socket; "": the city has none */
    int64_t port;     /* 0: a Unix socket */
    char topic[128];  /* "cb/hangzhou/gps/taxi" */
};

struct gateway;

/* Kept: `what`. `name` is what the broker knows it by. Connects by itself. ERR_NO_MEMORY. */
enum err gateway_create(const struct world_broker *what, const char *name, struct gateway **ret_gateway) MUST_CHECK;
void gateway_destroy(struct gateway *gateway); /* takes NULL */
/* Looks after the connection. Never waits. */
void gateway_tick(struct gateway *gateway, struct mono_time now);
/* A message to its topic; false: it is lost, as the broker is away or behind. */
bool gateway_send(struct gateway *gateway, struct str body);
bool gateway_is_connected(const struct gateway *gateway);
uint64_t gateway_n_sent(const struct gateway *gateway); /* messages that the broker acknowledged */

#endif
