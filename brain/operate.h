/*
 * What operates a brain asks it (docs/operate.md): is it alive, may traffic be sent, its figures as Prometheus text.
 *
 * Health and readiness are public and say nothing of data; figures are for parties with the role `operate`.
 */
#ifndef BRAIN_OPERATE_H
#define BRAIN_OPERATE_H

#include "base/loop.h"
#include "http/server.h"

#include <pthread.h>
#include <stdatomic.h>

#define OPERATE_STUCK_MS 10000 /* the main loop has not come round for so long: whoever watches should start the program again */
#define OPERATE_DOORS_MAX 16

struct operate {
    struct clock *clock;
    struct ledger *ledger;
    struct bus *bus;
    struct bus_peer *peer;         /* to departments over NATS; NULL: none are */
    struct hub_bus_door *bus_door; /* consumers' on that bus; NULL: none */
    struct district *district;     /* joins the hub to others; NULL: it is alone */
    struct hub *hub;
    struct party_people *people;
    struct hub_uses *uses;
    struct case_desk *cases; /* NULL: the city has none */
    struct cockpit *cockpit;
    struct scenes *scenes; /* NULL: a replica */
    pthread_mutex_t lock;  /* guards the servers: one may be closed while another one is asked for figures */
    struct http_server *servers[OPERATE_DOORS_MAX];
    struct mono_time started;
    struct loop_timer beat; /* of the main loop */
    _Atomic int64_t beat_ns;
};

/* A door has opened, or (NULL) is about to close. Any thread. */
void operate_set_server(struct operate *operate, size_t door, struct http_server *server);
/* The main loop shows that it comes round, from here on. */
enum err operate_start(struct operate *operate, struct loop *loop) MUST_CHECK;

extern const char operate_schemas[]; /* brain/operate.schema.json */
extern const struct http_route operate_routes[];
extern const size_t operate_n_routes;

#endif
