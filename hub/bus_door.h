/*
 * The hub's door on the bus: what consumers ask by messages under keyed sessions (bus/peer.h) instead of over HTTP. Each process of the hub
 * has one; they share the hellos of the queue group, and a session stays with the process that took it. The party of the session is the
 * consumer: from there on a use's way is that of the HTTP door, by the same functions, so decisions, quotas and evidence are the same.
 *
 * Everything runs on the peer's loop.
 */
#ifndef HUB_BUS_DOOR_H
#define HUB_BUS_DOOR_H

#include "bus/peer.h"
#include "hub/bus_ask.h"

#define HUB_BUS_UNDER_WAY_MAX 4096 /* askings of all sessions; more are 503 */
#define HUB_BUS_OF_SESSION_MAX 256 /* askings of one session; more are 429 */

struct hub_bus_door;
enum err hub_bus_door_create(struct hub *hub, struct loop *loop, struct hub_bus_door **ret_door) MUST_CHECK;
/* From now on `peer` (bus_peer_options.is_reserved) takes consumers' hellos whenever this process may decide: not before it has heard the
 * desk, nor while it is cut off from it. Borrowed until hub_bus_door_stop(). */
void hub_bus_door_open(struct hub_bus_door *door, struct bus_peer *peer);
void hub_bus_door_question(void *door, struct bus_question *question);          /* bus_peer_options.on_question */
size_t hub_bus_door_n_under_way(const struct hub_bus_door *door);               /* any thread */
void hub_bus_door_measure(struct hub_bus_door *door, struct metric_page *page); /* any thread */
void hub_bus_door_stop(struct hub_bus_door *door);    /* nothing more is taken; what is under way is answered. Takes NULL */
void hub_bus_door_destroy(struct hub_bus_door *door); /* after the hub; takes NULL */

#endif
