/*
 * The provider's side of uses that another process decided (system/bus): a department's own process holds the same files, compiled its own
 * grants from them, and runs what it is asked only as far as those grant it. What is not granted does not leave the department, whoever
 * asks.
 */
#ifndef HUB_PROVIDE_H
#define HUB_PROVIDE_H

#include "hub/registry.h"

/* Starts `fetch` under this hub's own grant of `contract` on `resource`. Not ERR_OK: it was not started, and `done` does not come.
 * ERR_NOT_FOUND: no such contract here, or on another resource; ERR_STATE: its terms here are others than `hash` says; ERR_DENIED: it is
 * not in force, or a column is not granted (nor a key); ERR_UNAVAILABLE: its system did not open. Any thread. */
enum err hub_provide_fetch(
    struct hub *hub, struct str contract, struct sha256 hash, const struct hub_resource *resource, struct hub_fetch *fetch) MUST_CHECK;
/* The same for a command, for which ask->party must have a contract in force. */
enum err hub_provide_act(struct hub *hub, struct hub_ask *ask) MUST_CHECK;
/* An object: opened, and each piece read, only while the contract permits it; errors as for a table. Any thread. */
enum err hub_provide_open(
    struct hub *hub, struct str contract, struct sha256 hash, const struct hub_resource *resource, struct hub_object_ask *ask) MUST_CHECK;
enum err hub_provide_read(struct hub *hub, struct str contract, struct sha256 hash, const struct hub_resource *resource, void *object,
    struct hub_object_ask *ask) MUST_CHECK;
void hub_provide_close(const struct hub_resource *resource, void *object);
/* Of a stream: the fields that contracts in force grant to any subscriber, a bit each; 0: nobody may have a row. ERR_UNAVAILABLE: none is
 * known to be in force, and of one it is not known that it is not, since the desk was not heard yet, or not for a while: what waits goes on
 * waiting. Any thread. */
enum err hub_provide_stream(struct hub *hub, const struct hub_resource *resource, uint64_t *ret_mask) MUST_CHECK;
/* A check of `quality:` that this side's own file promises, and no other number: ERR_DENIED. */
enum err hub_provide_quality(const struct hub_resource *resource, struct hub_fetch *fetch) MUST_CHECK;
/* Name of the receipt of leaf `intent`; as HUB_RECEIPT_MAX. */
void hub_receipt_name(struct hub *hub, uint64_t intent, char out[HUB_RECEIPT_MAX]);

#endif
