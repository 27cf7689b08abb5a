/*
 * The hub's side of twins (twin.h): follows the hub's own leaves about a department's resources and the journal of what the department's
 * process served, and tells what does not fit as an alert. On the hub's loop.
 */
#ifndef SYSTEM_BUS_WATCH_H
#define SYSTEM_BUS_WATCH_H

#include "bus/peer.h"
#include "hub/system.h"

struct bus_watch;

/* `peer`: NULL points to nobody yet. The place in the journal is kept in {data}/store/served-NAME. */
enum err bus_watch_create(const struct hub_system_env *env, struct bus_peer *const *peer, struct bus_watch **ret_watch) MUST_CHECK;
/* A table, command or object of theirs, before it starts. Borrowed. */
enum err bus_watch_resource(struct bus_watch *watch, const struct hub_resource *resource) MUST_CHECK;
/* A stream of theirs, before it starts. Borrowed. */
enum err bus_watch_stream(struct bus_watch *watch, const struct hub_resource *resource) MUST_CHECK;
/* An answer with records of a stream came; or nobody knows whether a question was answered. On the hub's loop; takes NULL. */
void bus_watch_took(struct bus_watch *watch, const struct hub_resource *resource, uint64_t epoch, uint64_t first, size_t n);
void bus_watch_took_nothing(struct bus_watch *watch, const struct hub_resource *resource);
void bus_watch_close(struct bus_watch *watch); /* freed when what it asked is answered; takes NULL */

#endif
