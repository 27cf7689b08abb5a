/*
 * A department's systems reached over the bus: `citybrain system` runs the department's connectors beside its databases and serves the hub;
 * the hub puts these systems in the place of the connectors that the same files name. docs/bus.md.
 */
#ifndef SYSTEM_BUS_H
#define SYSTEM_BUS_H

#include "base/journal.h"
#include "bus/peer.h"
#include "hub/system.h"
#include "hub/uses.h"

/* ---- the hub's side ---- */

struct system_bus_reach {       /* context of a struct hub_reach; lives as long as the hub */
    struct bus_peer *peer;      /* of the hub's party; NULL until it is there: nothing can be asked */
    const char *const *parties; /* that are reached over the bus; NULL-terminated */
    bool is_without_streams;    /* another process of this hub takes them, and what it has confirmed is gone for us */
    struct remote *remotes;     /* system/bus's own: NULL */
};
const struct hub_system_ops *system_bus_ops(void *context, struct str party, const struct hub_system_ops *declared);

/* ---- contracts as they change (hub/feed.h) ---- */

#define SYSTEM_BUS_DESK "DESK" /* the door of that process of the hub which has the desk */
struct system_bus_desk;
enum err system_bus_desk_create(struct hub *hub, struct loop *loop, struct system_bus_desk **ret_desk) MUST_CHECK;
void system_bus_desk_question(void *desk, struct bus_question *question); /* bus_peer_options.on_question, as the server's below */
void system_bus_desk_destroy(struct system_bus_desk *desk);               /* on its loop, after the peer, before the hub. Takes NULL */

/* Which programs there are and what their tokens' hashes are: the desk's process knows, replicas of the hub ask it in each of its lives.
 * What is told is the owner's own affair. Before the loop runs; the owner outlives them. */
#define SYSTEM_BUS_PROGRAMS_VERSION 1
struct system_bus_programs {
    void *context;
    void (*write)(void *context, struct buf *out);     /* at the desk; on its loop, as the next */
    enum err (*read)(void *context, struct str bytes); /* at a replica */
};
void system_bus_desk_programs(struct system_bus_desk *desk, const struct system_bus_programs *programs);

struct system_bus_follower;
void system_bus_follow_programs(struct system_bus_follower *follower, const struct system_bus_programs *programs);
/* Follows AREA/hub's desk for `hub`, on whose loop it is called; hub_feed_follow() came before. */
enum err system_bus_follow(
    struct hub *hub, struct bus_peer *peer, struct str area, struct loop *loop, struct system_bus_follower **ret_follower) MUST_CHECK;
/* A replica ends: gives back what it leased (hub/lease.h); true: the desk has been told, or cannot be. Called again until then, or for as
 * long as one waits for it; on its loop, before the link is closed. */
bool system_bus_follow_end(struct system_bus_follower *follower);
void system_bus_unfollow(
    struct system_bus_follower *follower); /* on its loop, which must have a round after the link is closed. Takes NULL */

/* ---- who used my data, at all processes of the hub (hub/uses.h) ---- */

/* The door of the process that writes a log (bus_peer_options.door). */
#define SYSTEM_BUS_LOG_DOOR 16
void system_bus_log_door(struct str log, char out[SYSTEM_BUS_LOG_DOOR]);
/* A replica: the desk hears of its log, in each of its lives and again each SYSTEM_BUS_LOG_AGAIN_MS of the hub's clock. On its loop. */
#define SYSTEM_BUS_LOG_AGAIN_MS 86400000
void system_bus_follow_log(struct system_bus_follower *follower);
struct system_bus_others { /* lives as long as the peer */
    struct bus_peer *peer;
    char party[BUS_PARTY_MAX + 1]; /* the hub's own */
};
void system_bus_ask_other(void *others, struct hub_others_ask *ask); /* for hub_others_set(); any thread */
/* A question of which hub_uses_question_is() says that it is one. On the peer's loop. */
void system_bus_other_question(struct hub *hub, struct bus_question *question);

/* ---- the department's side ---- */

struct system_bus_server;
struct hub_record; /* hub/record.h */

struct system_bus_server_options {
    struct hub *hub; /* the department's own, of the same files; not started */
    struct bus *bus; /* the one inside this process: health of sources */
    struct str area; /* the city's: AREA/hub may ask */
    struct loop *loop;
    struct hub_record *record; /* of the department's streams; NULL: none */
    struct journal *journal;   /* of what was served: a JSON text each, durable before its answer leaves */
};
enum err system_bus_server_create(const struct system_bus_server_options *options, struct system_bus_server **ret_server) MUST_CHECK;
/* bus_peer_options.on_question; `context` is the server. */
void system_bus_server_question(void *server, struct bus_question *question);
uint64_t system_bus_server_n_served(const struct system_bus_server *server);  /* any thread */
size_t system_bus_server_n_under_way(const struct system_bus_server *server); /* on its loop */
/* On its loop, when nothing comes any more; before the hub is stopped: closes what it holds open of its systems. Takes NULL. */
void system_bus_server_stop(struct system_bus_server *server);
/* On its loop, when what was under way is answered. Takes NULL. */
void system_bus_server_destroy(struct system_bus_server *server);
/* Public keys of parties, for both sides: bus_peer_options.key_of; `context` is the struct hub *. */
enum err system_bus_key_of(void *hub, struct str party, struct sign_public *ret_key);

#endif
