/*
 * A stream's events as bytes: a record is a part of a batch, as a journal keeps it (hub/record.h) and as it goes to whoever subscribes from
 * afar: from a department's own process to the hub (system/bus), from one hub to another (district). Fields go by name. Pure; what is read
 * is bounded and checked. docs/bus.md has the bytes.
 */
#ifndef HUB_EVENTS_H
#define HUB_EVENTS_H

#include "base/buf.h"
#include "hub/hub.h"

#define HUB_EVENTS_PART (200u * 1024) /* bytes of rows in a record, and the row that did not fit any more */

/* From row `from` on; returns how many rows it holds. Errors stick in `out`. */
size_t hub_events_write(int64_t now_ms, const struct hub_resource *resource, const struct rows *rows, size_t from, struct buf *out);
/* Back, with the fields of `resource` alone: by their names; those that the writer did not have are NULL. `mask`: of these fields, others
 * are NULL too. ERR_SYNTAX, also for a value of another type. */
enum err hub_events_read(
    struct str bytes, const struct hub_resource *resource, uint64_t mask, int64_t *ret_time_ms, struct rows **ret_rows) MUST_CHECK;

/* What is answered to who asks for what is new: records [first, first + n) of the numbering `epoch`. first > what was asked for: there is
 * nothing before. */
#define HUB_TAKEN_MAX 256
struct hub_taken {
    uint64_t epoch, first;
    int64_t watermark_ms; /* all that was accepted before then is in this answer, or was in one before */
    size_t n;
    struct str records[HUB_TAKEN_MAX];
};
void hub_taken_write(const struct hub_taken *taken, struct buf *out);
enum err hub_taken_read(struct str bytes, struct hub_taken *ret_taken, enum err *ret_err) MUST_CHECK; /* borrows; *ret_err: what is told */

#endif
