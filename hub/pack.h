/*
 * An answer in the making to who asks for what is new of a stream: records of what is kept (hub/record.h), each written anew with what the
 * asker may have, as many as one answer takes. A department's process packs for its hub (system/bus), a hub for another one (district).
 */
#ifndef HUB_PACK_H
#define HUB_PACK_H

#include "hub/events.h"
#include "hub/record.h"

struct hub_pack {
    /* asked; kept until hub_pack_finish() */
    const struct hub_resource *resource;
    struct hub_record_stream *stream;
    uint64_t mask;    /* of the fields, as hub_events_read()'s */
    size_t credit;    /* bytes of records; past it no more are taken: */
    size_t max;       /* room for these, and the record that did not fit any more */
    const char *part; /* of the log */
    /* Writes the rows of a record to pack->bytes. An error ends the packing. */
    enum err (*put)(struct hub_pack *pack, const struct rows *rows, int64_t time_ms);
    void *context;
    /* packed */
    uint64_t next; /* the record after the last one that was looked at */
    int64_t newest_ms;
    struct buf bytes; /* of the records; their ends in `ends` */
    size_t n, ends[HUB_TAKEN_MAX];
    enum err err;
};

/* From record `from` on. Records that cannot be read any more are passed over, which is told. Errors of the record, or of `put`. */
enum err hub_pack_read(struct hub_pack *pack, uint64_t from) MUST_CHECK;
/* What is answered at `now`, of a record whose end is `end`; borrows from the pack. `pack` NULL: nothing, but that it goes on at
 * `first`. */
void hub_pack_answer(
    const struct hub_pack *pack, uint64_t epoch, uint64_t end, uint64_t first, struct wall_time now, struct hub_taken *ret_taken);
void hub_pack_finish(struct hub_pack *pack);

#endif
