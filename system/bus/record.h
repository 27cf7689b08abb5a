/*
 * What a department's process has taken from its streams' sources and the hub has not confirmed yet: a journal a stream, on the
 * department's own disk. A source is told "accepted" when its rows are durable here; from then on nothing of them is lost, whoever is
 * killed.
 *
 * Bounded: RECORD_WAITING_MAX bytes unconfirmed; past it a source is refused (ERR_FULL), so that it slows down or keeps its own, and the
 * log says when that begins and ends. What was accepted is never dropped for what comes later.
 */
#ifndef SYSTEM_BUS_RECORD_H
#define SYSTEM_BUS_RECORD_H

#include "hub/keeper.h"
#include "hub/registry.h"

#define RECORD_WAITING_MAX (256u << 20)
#define RECORD_STREAMS_MAX 64 /* of a department */

struct system_bus_record; /* of all streams of a department */

/* `waiting_max`: bytes unconfirmed of one stream; 0: RECORD_WAITING_MAX. */
enum err system_bus_record_create(uint64_t waiting_max, struct system_bus_record **ret_record) MUST_CHECK;
struct hub_keeper *system_bus_record_keeper(struct system_bus_record *record); /* for hub_options; refuses until the opening */
/* After hub_create(): a folder below `dir` for each stream of `party`, and for what its own process has to tell (hub/alert.h).
 * `on_stopped`: as a journal's. */
enum err system_bus_record_open(struct system_bus_record *record, struct hub *hub, struct str party, const char *dir,
    void (*on_stopped)(void *context, enum err err), void *context, struct diag *diag) MUST_CHECK;
/* After hub_stop(). Takes NULL. */
void system_bus_record_destroy(struct system_bus_record *record);

/* ---- for whoever hands it on (serve_stream.c), on one loop ---- */

struct record_stream;
struct record_stream *record_find(struct system_bus_record *record, const struct hub_resource *resource); /* NULL: none */
/* Called on a journal's thread when something new is durable in any stream; NULL: nobody. */
void record_on_durable(struct system_bus_record *record, void (*fn)(void *context), void *context);
struct record_place {
    uint64_t epoch;                 /* of the numbering; another one when a disk came back with an older day's data */
    uint64_t first, end, confirmed; /* what is there: [first, end) */
};
struct record_place record_place(struct record_stream *stream);
/* The hub has all before `number`. Remembered on disk when it has grown; blocks for that. */
void record_confirm(struct record_stream *stream, uint64_t number);
void record_renew(struct record_stream *stream); /* a new epoch */
/* Records from `from` on: `fn` returns false when it wants no more, the record for which it does so is not taken. */
enum err record_read(
    struct record_stream *stream, uint64_t from, bool (*fn)(void *context, uint64_t index, struct str record), void *context) MUST_CHECK;

#endif
