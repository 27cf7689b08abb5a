/*
 * The client for SUMO's TraCI: one connection to one simulation that listens on this machine, driven by one thread.
 *
 * Calls wait for SUMO's answer; a step of the demo city takes some milliseconds. Commands without a result (adding a vehicle,
 * setting a signal) are queued and travel with the next step, so that a second of the city costs one round trip. What SUMO
 * refuses is counted and kept as text, and the step goes on: a vehicle that could not be added is no reason to stop a city.
 *
 * It does not start SUMO (world/sumo.h does) and never asks lane by lane: what is needed each step is subscribed once.
 */
#ifndef TRACI_CLIENT_H
#define TRACI_CLIENT_H

#include "base/value.h"
#include "traci/codec.h"

#define TRACI_QUEUE_MAX (4u << 20) /* bytes of commands that wait for the next step */
#define TRACI_TIMEOUT_S 120        /* a step may insert thousands of vehicles; longer means that SUMO hangs */

struct traci_client;

/* One attempt at 127.0.0.1:`port`. ERR_UNAVAILABLE: nobody listens yet; ERR_IO, ERR_NO_MEMORY. */
enum err traci_connect(uint16_t port, struct traci_client **ret_client) MUST_CHECK;
/* Says goodbye, so that SUMO ends; takes NULL. */
void traci_close(struct traci_client *client);

/* Every call below: ERR_UNAVAILABLE when SUMO is gone, ERR_TIMEOUT, ERR_SYNTAX when it speaks nonsense; after these only traci_close()
 * remains. ERR_DENIED when SUMO refuses the command: traci_refusal() says why. */

/* `ret_name` holds the program's name, cut at `size` bytes, NUL included. */
enum err traci_version(struct traci_client *client, int32_t *ret_api, char *ret_name, size_t size) MUST_CHECK;
/* One variable of one object; `fn` gets it, borrowing. */
enum err traci_get(
    struct traci_client *client, uint8_t domain, uint8_t variable, struct str object, traci_variable_fn fn, void *context) MUST_CHECK;
enum err traci_get_i32(struct traci_client *client, uint8_t domain, uint8_t variable, struct str object, int32_t *ret_i) MUST_CHECK;
/* From now to the end of the simulation; results come with each step. */
enum err traci_subscribe(struct traci_client *client, uint8_t domain, struct str object, const uint8_t *variables, size_t n) MUST_CHECK;

/* ---- queued until the next step; ERR_FULL when TRACI_QUEUE_MAX is reached ---- */
/* As traci_subscribe(), for thousands of objects: one message instead of a round trip each. */
enum err traci_subscribe_later(
    struct traci_client *client, uint8_t domain, struct str object, const uint8_t *variables, size_t n) MUST_CHECK;
enum err traci_add_route(struct traci_client *client, struct str route, const struct str *edges, size_t n) MUST_CHECK;
struct traci_departure {
    struct str vehicle, route, type;
    struct str lane, position, speed; /* as SUMO's departLane, departPos, departSpeed: "best", "random_free", "max" */
};
enum err traci_add_vehicle(struct traci_client *client, const struct traci_departure *departure) MUST_CHECK;
/* `variable` is one of TRACI_SIGNAL_STATE and TRACI_SIGNAL_SET_PROGRAM (text), TRACI_SIGNAL_SET_PHASE (integer) and
 * TRACI_SIGNAL_SET_DURATION (real, seconds); SUMO refuses a value of another type. */
enum err traci_set_signal(struct traci_client *client, struct str signal, uint8_t variable, struct value value) MUST_CHECK;

/* Sends what is queued, then steps to `until_s` (0: one step); `fn` gets the subscribed variables. */
enum err traci_step(struct traci_client *client, double until_s, traci_variable_fn fn, void *context) MUST_CHECK;

uint64_t traci_n_refused(const struct traci_client *client);  /* queued commands that SUMO refused */
const char *traci_refusal(const struct traci_client *client); /* the last refusal's words; "" */

#endif
