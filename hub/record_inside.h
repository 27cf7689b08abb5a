/* What record.c (keeping, life), record_place.c (how far it is had) and record_bytes.c (the form on the disk) share. */
#ifndef HUB_RECORD_INSIDE_H
#define HUB_RECORD_INSIDE_H

#include "base/buf.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/seal.h"
#include "hub/record.h"

#include <pthread.h>
#include <stdatomic.h>

#define RECORD_CONFIRMED ".confirmed" /* behind the name of the journal's folder: how far it is had */
#define RECORD_LIVES_MAX 32           /* remembered; who comes with an older one's numbers goes on from what was confirmed */

struct record_life { /* of the record, before the present one */
    uint64_t epoch, end;
};

struct hub_record_stream {
    struct hub_record *record;
    const struct hub_resource *resource;
    struct journal *journal;
    struct journal_reader *reader;
    uint64_t reader_at;      /* the next record of the reader */
    struct seal_key opening; /* of the start that sealed what was read last */
    struct buf opened;       /* that */
    bool is_told;            /* that one could not be opened */
    uint64_t epoch, confirmed;
    struct record_life lives[RECORD_LIVES_MAX]; /* the newest first */
    size_t n_lives;
    char confirmed_path[FILE_PATH_MAX];
    _Atomic uint64_t mask; /* fields that are kept */
    /* under the record's lock */
    uint64_t n_bytes, n_bytes_confirmed; /* over the journal's life */
    uint64_t n_refused;                  /* batches, since it was full; 0: it is not, by half */
    uint64_t n_appended, n_done;         /* batches */
    struct hub_settle *settles;          /* who waits for some of them */
    enum err err;
};

struct hub_record {
    struct hub_keeper keeper;
    pthread_mutex_t lock; /* guards what follows, and the streams' bytes; held while an append is handed over, so that their order is one */
    pthread_cond_t settled;
    struct hub_record_options options;
    struct hub_record_stream streams[HUB_RECORD_STREAMS_MAX];
    _Atomic size_t n_streams; /* the streams before it stay as they are */
    uint8_t master[32];       /* of options.key_path, as the next; set before the first stream that is served */
    bool has_key;             /* the file is there */
    struct seal_key sealing;  /* of this start; not set: nothing is sealed */
    uint64_t n_sealed;        /* under the lock, as the next */
    struct buf plain;         /* of one record */
    void (*on_durable)(void *context);
    void *context;
};

/* ---- record_bytes.c ---- */
/* The key of earlier starts, if its file is there. */
enum err record_read_key(struct hub_record *record, struct diag *diag) MUST_CHECK;
/* Could the record be opened? Looks once at each start that sealed some; in the order of the journal. ERR_CRYPTO: its key is not there;
 * ERR_CORRUPT: of another form. */
enum err record_check_key(struct hub_record_stream *stream, struct str record) MUST_CHECK;
/* The key of this start, when the first streams are opened and all in them can be read: only then the file is made where there is none. */
enum err record_begin_sealing(struct hub_record *record, struct diag *diag) MUST_CHECK;
/* record->plain as a record behind `out`, where errors stick. Under the lock. */
void record_put(struct hub_record *record, uint64_t n_before, struct buf *out);
uint64_t record_bytes_before(struct str record); /* bytes kept before it */
/* What goes out of a record, borrowed until the next; nothing, which no reader takes for events, of one whose key is gone. */
struct str record_get(struct hub_record_stream *stream, struct str record);

/* ---- record_place.c ---- */
/* Of a journal that was opened: how much waits, and how far it is had. Another life begins. ERR_CRYPTO: what waits cannot be opened, since
 * the key's file is gone or another one; ERR_CORRUPT. */
enum err record_begin_life(struct hub_record_stream *stream, struct diag *diag) MUST_CHECK;

#endif
