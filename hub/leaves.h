/*
 * The hub's ledger as whoever compares it with another record reads it: a connector may, the ledger itself is behind the hub.
 */
#ifndef HUB_LEAVES_H
#define HUB_LEAVES_H

#include "hub/hub.h"

uint64_t hub_n_leaves(const struct hub *hub); /* durable ones; any thread */
struct str hub_log(const struct hub *hub);    /* its name, the first part of a receipt: "hangzhou.log" */
/* Leaves from `from` to before `to` in order, as far as they are durable, each given to `fn` until it returns false; `leaf` is borrowed.
 * Reads the disk; any thread. ERR_IO, ERR_CORRUPT, ERR_NO_MEMORY. */
enum err hub_leaves(const struct hub *hub, uint64_t from, uint64_t to, bool (*fn)(void *context, uint64_t index, struct str leaf),
    void *context) MUST_CHECK;

#endif
