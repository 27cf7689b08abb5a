/*
 * What the files of objects offer each other and the rest of hub/; for hub/ alone.
 */
#ifndef HUB_OBJECT_PARTS_H
#define HUB_OBJECT_PARTS_H

#include "hub/object.h"
#include "hub/parts.h"

/* ---- hub/object.c ---- */
void hub_object_drop(struct hub_entry *entry);
struct hub_blob *hub_blob_hold(struct hub_entry *entry); /* NULL: nothing was put yet */
void hub_blob_release(struct hub_blob *blob);            /* takes NULL */

/* ---- hub/object_use.c ---- */
enum err hub_objects_create(struct hub *hub) MUST_CHECK;
void hub_objects_stop(struct hub *hub); /* waits until none of a department's is open, ten seconds at most. On the hub's loop */
void hub_objects_destroy(struct hub *hub);
const struct hub_blob *hub_object_blob(const struct hub_object_use *use); /* between its `ready` and its end; NULL: a department's */

/* ---- hub/object_door.c ---- */
extern const struct http_route hub_object_routes[];
extern const size_t hub_n_object_routes;

#endif
