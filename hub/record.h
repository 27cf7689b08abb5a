/*
 * What was taken from streams' sources and those afar who subscribe have not confirmed yet: a journal a stream, on this process's own disk.
 * A source is told "accepted" when its rows are durable here; from then on nothing of them is lost, whoever is killed. What lies there is
 * sealed.
 *
 * A department's own process keeps its streams so until the hub has them (system/bus), and a hub the streams that it gives to other hubs
 * (district). Bounded by options.waiting_max bytes unconfirmed: past it a source is refused (ERR_FULL), so that it slows down or keeps its
 * own; or who owns it drops the oldest before (hub_record_trim()).
 */
#ifndef HUB_RECORD_H
#define HUB_RECORD_H

#include "hub/keeper.h"
#include "hub/registry.h"

#define HUB_RECORD_STREAMS_MAX 64
#define HUB_RECORD_MAX (512u * 1024) /* bytes of one record: a part of a batch, and the row that does not fit any more */
#define HUB_RECORD_WAITING_MAX (256u << 20)

struct file_ops;
struct hub_record; /* of all streams */

struct hub_record_options {
    uint64_t waiting_max;                            /* bytes unconfirmed of a stream; 0: HUB_RECORD_WAITING_MAX */
    void (*on_stopped)(void *context, enum err err); /* as a journal's; may be NULL */
    void *context;
    struct file_ops *files; /* of the journals; NULL: the system's; kept */
    const char *key_path;   /* of 32 bytes under which records are sealed, made when absent; NULL: they are not (tests); kept */
};
enum err hub_record_create(const struct hub_record_options *options, struct hub_record **ret_record) MUST_CHECK;
struct hub_keeper *hub_record_keeper(struct hub_record *record); /* for hub_options; refuses until the opening */
/* After hub_create(): a folder below `dir` for each stream of `party`, and for what its own process has to tell (hub/alert.h). ERR_CRYPTO:
 * what was accepted and is not confirmed there was sealed under a key that key_path does not hold (any more). Then nothing is served, and
 * no key is made: what was accepted is not to be lost without a word. */
enum err hub_record_open(struct hub_record *record, struct hub *hub, struct str party, const char *dir, struct diag *diag) MUST_CHECK;
/* The same for one stream; one thread opens. ERR_FULL: more than HUB_RECORD_STREAMS_MAX. */
struct hub_record_stream;
enum err hub_record_open_stream(struct hub_record *record, const struct hub_resource *resource, const char *dir, struct diag *diag,
    struct hub_record_stream **ret_stream) MUST_CHECK;
/* After hub_stop(). Takes NULL. */
void hub_record_destroy(struct hub_record *record);

/* ---- for whoever hands it on, on one loop ---- */

struct hub_record_stream *hub_record_find(struct hub_record *record, const struct hub_resource *resource); /* NULL: none; any thread */
/* Only these fields are kept from now on, a bit each; at first all. Any thread. */
void hub_record_mask(struct hub_record_stream *stream, uint64_t mask);
/* Called on a journal's thread, under the record's lock, when something new is durable in any stream: it may post and no more. NULL:
 * nobody, also not one that was about to be called. */
void hub_record_on_durable(struct hub_record *record, void (*fn)(void *context), void *context);
struct hub_record_place {
    uint64_t epoch;                 /* of the numbering: of this life of the record, from its opening on */
    uint64_t first, end, confirmed; /* what is there: [first, end) */
};
struct hub_record_place hub_record_place(struct hub_record_stream *stream);
uint64_t hub_record_n_waiting(struct hub_record_stream *stream); /* bytes unconfirmed */
/* All have what is before `number`. Remembered on disk when it has grown; blocks for that. */
void hub_record_confirm(struct hub_record_stream *stream, uint64_t number);
/* Of what waits at most about `n_bytes` stay: the oldest are dropped. Returns how many records. */
uint64_t hub_record_trim(struct hub_record_stream *stream, uint64_t n_bytes);
/* Up to where numbers of the epoch are still those here: the end for the present one; for an earlier life's where the next one began, since
 * a copy of an older day goes on from there with other events. 0: not known. */
uint64_t hub_record_agreed(struct hub_record_stream *stream, uint64_t epoch);
void hub_record_renew(struct hub_record_stream *stream); /* a new epoch, that agrees with none */
/* Records from `from` on: `fn` returns false when it wants no more, the record for which it does so is not taken. */
enum err hub_record_read(struct hub_record_stream *stream, uint64_t from, bool (*fn)(void *context, uint64_t index, struct str record),
    void *context) MUST_CHECK;

#endif
