/* What a consumer may know of a resource: its fields, and its own contracts on it. By hub/catalog.c; for hub/ alone. */
#ifndef HUB_TERMS_H
#define HUB_TERMS_H

#include "base/json.h"
#include "hub/hub.h"

void hub_put_resource(struct json_writer *w, const struct hub_resource *resource); /* its members */
/* {…,"contracts":[{"contract":…,"purpose":…,"state":…,"fields":[…]},…]}. ERR_NOT_FOUND: no such resource, or no contract. */
enum err hub_terms_write(const struct hub *hub, struct str party, struct str name, struct buf *out) MUST_CHECK;

#endif
