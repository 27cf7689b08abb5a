/*
 * Retention (C2SP tlog-tiles, "Pruning"): entries older than the log's owner says are no longer served. Nothing is deleted and no hash is
 * withheld, so every proof stays possible; the log's own folder still has the entries, for a court or for a witness far behind.
 *
 * A bundle's age is that of its file, written when it became full; a copy that lost its files' times keeps entries longer.
 */
#ifndef LEDGER_RETENTION_H
#define LEDGER_RETENTION_H

#include "base/clock.h"
#include "base/str.h"

#include <stdint.h>

/* The minimum index of the log under `static_dir` with `size` leaves: of the full bundles the first that is not older than `since`; 0 when
 * none is older. ERR_IO, ERR_NOT_FOUND (a bundle is missing), ERR_TOO_LARGE. */
enum err retention_minimum(const char *static_dir, uint64_t size, struct wall_time since, uint64_t *ret_index) MUST_CHECK;
/* Is `path` ("entries/x001/234", as behind /tile/) that of a full bundle that ends at or before `minimum`? */
bool retention_is_pruned(struct str path, uint64_t minimum);

#endif
