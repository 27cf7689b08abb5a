/*
 * A journal: an append-only file of records where one fdatasync carries many (group commit), on a thread of its own.
 *
 * What is acknowledged is on disk: an append is done only after its record's fdatasync returned. A failed write or fdatasync
 * stops the journal for good (the pages may be marked clean, so a retry would lie): every later append fails with the same
 * error, and the owner decides to stop the process. Batches carry lengths and checksums (base/journal_segment.h); opening reads
 * the newest segment whole, cuts a torn tail (never acknowledged) and refuses a damaged middle (ERR_CORRUPT, with segment and
 * offset in `diag`). Older segments are checked as they are read: a week of passages must not delay a start.
 *
 * The ledger's write-ahead log and the passages of the camera door are journals.
 */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

#include "base/diag.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/metric.h"
#include "base/str.h"

#define JOURNAL_APPEND_MAX (4u << 20) /* bytes of one append, 4 for each record's length included: one batch's body */

struct journal;

struct journal_options {
    const char *dir;          /* made when absent; one file a segment, named by its first index */
    size_t segment_max_bytes; /* a new segment starts past this; 0: 64 MiB */
    size_t queue_max_bytes;   /* appended and not yet durable; past it ERR_FULL; 0: 64 MiB */
    size_t record_max_bytes;  /* 0: 64 KiB */
    /* Called on the journal's thread when a batch is durable, before its appends are done; may be NULL. `records` are borrowed. */
    void (*on_durable)(void *context, uint64_t first_index, const struct str *records, size_t n);
    /* Called there once, when the disk has refused for good, before the appends that it refused are done; may be NULL. */
    void (*on_stopped)(void *context, enum err err);
    void *context;          /* of both */
    struct file_ops *files; /* NULL: the system's; kept */
};

/* One call that appends n records in one piece. Embedded in its owner, which keeps it and the bytes until `done`. */
struct journal_append {
    const struct str *records; /* kept until done */
    size_t n;
    struct loop *loop;                           /* where `done` runs; NULL: on the journal's own thread */
    void (*done)(struct journal_append *append); /* `err` and `first_index` are set */
    enum err err;
    uint64_t first_index; /* records are numbered from 0 over the journal's life */
    struct loop_task task;
    struct journal_append *next;
};

/* Recovers, then starts the thread. ERR_CORRUPT, ERR_IO, ERR_DISK_FULL, ERR_NO_MEMORY; ERR_STATE when the folder is open already, here or
 * in another process. */
enum err journal_open(const struct journal_options *options, struct diag *diag, struct journal **ret_journal) MUST_CHECK;
/* From any thread. ERR_FULL (slow the sender), ERR_TOO_LARGE, or the error that stopped the journal; then `done` is not called. */
enum err journal_append(struct journal *journal, struct journal_append *append) MUST_CHECK;
/* Waits until it is durable; for tools and starts, not on a loop. */
enum err journal_append_wait(struct journal *journal, struct str record, uint64_t *ret_index) MUST_CHECK;
/* Durable records from `from` on, in order, as many as there are at the moment of the call; `fn` returns false to stop. Reads the files;
 * safe beside appends. ERR_NOT_FOUND: `from` was dropped. */
enum err journal_read(
    struct journal *journal, uint64_t from, bool (*fn)(void *context, uint64_t index, struct str record), void *context) MUST_CHECK;
/* The same, piece by piece, for who follows the journal; remembers its place in the file. One thread at a time. */
struct journal_reader;
enum err journal_reader_create(struct journal *journal, uint64_t from, struct journal_reader **ret_reader) MUST_CHECK;
/* Calls `fn` for each durable record from the reader's place on; the one for which it returns false is the last. ERR_CORRUPT, ERR_IO,
 * ERR_NOT_FOUND (dropped), ERR_NO_MEMORY. */
enum err journal_reader_read(
    struct journal_reader *reader, bool (*fn)(void *context, uint64_t index, struct str record), void *context) MUST_CHECK;
void journal_reader_destroy(struct journal_reader *reader); /* takes NULL; before journal_close() */
enum err journal_error(struct journal *journal);            /* what stopped it; ERR_OK while it takes appends */
/* Its queue, its appends, how long its disk takes; `of` names it. Any thread. */
void journal_measure(struct journal *journal, struct metric_page *page, struct str of);
uint64_t journal_first_index(struct journal *journal);
uint64_t journal_n_durable(struct journal *journal); /* index of the next record to become durable */
/* Deletes whole segments whose records all lie before `index` (retention), never the newest. ERR_IO. */
enum err journal_drop_before(struct journal *journal, uint64_t index) MUST_CHECK;
/* Makes what is queued durable and stops the thread; reading goes on, appends are refused with ERR_STATE. One thread, once or more. */
void journal_stop(struct journal *journal);
/* journal_stop(), then closes. Takes NULL. */
void journal_close(struct journal *journal);

/* ---- copies, also of one that another process is writing ---- */
/* Its segments of this moment, open: dropped ones can still be copied. Each is copied as far as it reaches then, so a copy holds all that
 * was durable before the hold, from journal_held_first() on. */
struct journal_held;
enum err journal_hold(const char *dir, struct diag *diag, struct journal_held **ret_held) MUST_CHECK;
uint64_t journal_held_first(const struct journal_held *held);
/* Into the folder `to`, which is made and holds no journal. To be opened before anything else is done with it: its last batch may be torn.
 * ERR_EXISTS, ERR_IO, ERR_DISK_FULL. */
enum err journal_held_copy(const struct journal_held *held, const char *to, struct diag *diag) MUST_CHECK;
void journal_held_release(struct journal_held *held); /* takes NULL */

#endif
