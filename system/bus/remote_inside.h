/* What remote.c (tables, commands, health) and remote_object.c (objects) of the hub's side share. */
#ifndef SYSTEM_BUS_REMOTE_INSIDE_H
#define SYSTEM_BUS_REMOTE_INSIDE_H

#include "hub/provide.h"
#include "hub/registry.h"
#include "system/bus/codec.h"
#include "system/bus/system_bus.h"

#include <pthread.h>
#include <stdatomic.h>

#define REMOTE_ON_TOP_MS 2000 /* the way there and back, and a session */

struct bus_watch;
struct remote { /* a system of a department's that is reached over the bus */
    struct system_bus_reach *reach;
    struct remote *next_remote; /* of reach->remotes: open systems */
    struct hub *hub;
    struct clock *clock;
    struct loop *loop;
    struct arena arena;
    struct str party, name, area, source;
    int64_t timeout_ms;
    struct remote_plan *plans;
    struct loop_timer look;
    struct bus_ask health;
    bool is_looking, is_closed;
    struct bus_watch *twins; /* what it served against our ledger; NULL with check_only */
    int64_t last_heard_ms;
    atomic_size_t n_holders; /* the system, and each asking under way */
    struct remote_stream *streams;
    /* fetches under way whose askers may go */
    struct loop_task watch_task;
    struct loop_timer watch; /* runs while there are some */
    pthread_mutex_t lock;    /* guards the next two */
    struct remote_fetch *watched;
    bool is_watching;
};

void remote_hold(struct remote *remote);
void remote_release(struct remote *remote);
/* A question whose answer nobody waits for. Takes no `question`; its error is the end of it. Any thread. */
void remote_tell(struct remote *remote, const struct buf *question);
/* The receipt's name of an intent, and the hash of a contract's content. ERR_UNAVAILABLE: no such contract here. */
enum err remote_head(struct remote *remote, struct str contract, bool has_intent, uint64_t intent, char receipt[HUB_RECEIPT_MAX],
    struct sha256 *ret_hash) MUST_CHECK;
/* What an asker may be told of an error between here and the department. `is_told`: the department's process said it. */
enum err remote_err(enum err err, bool is_told);

extern const struct hub_system_objects remote_objects;

/* ---- remote_stream.c ---- */
enum err remote_stream_bind(struct remote *remote, const struct hub_resource *resource) MUST_CHECK; /* begins when the loop does */
/* What the department's own process has to tell, as alerts of this hub's; of the department's systems one takes them. */
enum err remote_alerts_bind(struct remote *remote) MUST_CHECK;
void remote_streams_close(struct remote *remote);

#endif
