/*
 * The parallel log. See ledger/sm_log.h.
 */
#include "ledger/sm_log.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "ledger/builder.h"
#include "ledger/proof.h"
#include "ledger/tile.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define ANCHORS 2
#define ANCHOR_MAX 16384 /* bytes of a checkpoint as a leaf: with 32 cosignatures 6,000 */

struct anchor {
    struct ledger_append append;
    struct buf leaf;
    _Atomic bool is_busy;
};

struct sm_log {
    char static_dir[FILE_PATH_MAX], origin[256];
    const struct sign_key *key;
    struct tile_cache *cache;
    struct builder builder; /* the ledger's thread's, as are the next two */
    uint64_t n_unanchored;  /* leaves since the last anchors that are none themselves */
    struct anchor anchors[ANCHORS];
    pthread_mutex_t mutex; /* guards what follows */
    uint64_t published;
    struct buf checkpoint;
};

enum err sm_log_open(const struct sm_log_options *options, struct diag *diag, struct sm_log **ret_log)
{
    struct sm_log *log = mem_alloc_zero(1, sizeof *log);
    if (!log)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&log->mutex, NULL);
    buf_init(&log->checkpoint, NOTE_MAX);
    for (size_t i = 0; i < ANCHORS; i++)
        buf_init(&log->anchors[i].leaf, ANCHOR_MAX);
    log->key = options->key;
    enum err err = str_to_c(str_from_c(options->dir), log->static_dir, sizeof log->static_dir);
    if (!err)
        err = str_to_c(options->origin, log->origin, sizeof log->origin);
    if (!err && (err = file_make_dirs(options->files, log->static_dir)))
        diag_set(diag, err, log->static_dir, 0, "the folder cannot be made (%s)", strerror(errno));
    if (!err)
        err = builder_init(
            &log->builder, options->files, log->static_dir, str_from_c(log->origin), (struct builder_key){.sm2 = options->key}, diag);
    if (!err)
        err = tile_cache_create(log->static_dir, &log->cache);
    if (!err) {
        log->published = log->builder.published;
        buf_append_str(&log->checkpoint, buf_str(&log->builder.note));
        err = log->checkpoint.err;
    }
    if (err)
        sm_log_close(log);
    else
        *ret_log = log;
    return err;
}

void sm_log_close(struct sm_log *log)
{
    if (!log)
        return;
    builder_finish(&log->builder);
    tile_cache_destroy(log->cache);
    buf_finish(&log->checkpoint);
    for (size_t i = 0; i < ANCHORS; i++)
        buf_finish(&log->anchors[i].leaf);
    pthread_mutex_destroy(&log->mutex);
    mem_free(log);
}

/* ---- leaves ---- */

uint64_t sm_log_n_taken(const struct sm_log *log)
{
    return log->builder.edge.size;
}

static bool is_anchor(struct str leaf)
{
    return str_starts_with(leaf, STR("{\"log\":")) && str_ends_with(leaf, STR("\"type\":\"checkpoint\"}"));
}

enum err sm_log_take(struct sm_log *log, uint64_t index, struct str leaf)
{
    if (index < log->builder.edge.size)
        return ERR_OK;
    if (index > log->builder.edge.size)
        return ERR_CORRUPT;
    log->n_unanchored += !is_anchor(leaf);
    return builder_add(&log->builder, leaf);
}

static enum err take_bundle(struct sm_log *log, const char *static_dir, uint64_t n, size_t width, struct buf *bundle)
{
    size_t at = 0;
    buf_reset(bundle);
    enum err err = tile_read_bundle(static_dir, n, width, bundle);
    for (size_t i = 0; i < width && !err; i++) {
        struct str entry;
        err = tile_bundle_entry(str_slice(buf_str(bundle), at, bundle->len), 0, &entry);
        if (err)
            break;
        at += 2 + entry.len;
        err = sm_log_take(log, n * MERKLE_TILE + i, entry);
    }
    return err;
}

enum err sm_log_catch_up(struct sm_log *log, const char *static_dir, uint64_t published, struct diag *diag)
{
    struct buf bundle;
    enum err err = ERR_OK;
    if (log->builder.edge.size < published)
        log_write(LOG_NOTICE, "ledger", "the parallel log takes what the log has", LOG_STR("log", str_from_c(log->origin)),
            LOG_INT("from", (int64_t)log->builder.edge.size), LOG_INT("to", (int64_t)published), LOG_END);
    buf_init(&bundle, TILE_BUNDLE_MAX + 1);
    while (log->builder.edge.size < published && !err) {
        uint64_t n = log->builder.edge.size / MERKLE_TILE, left = published - n * MERKLE_TILE;
        err = take_bundle(log, static_dir, n, left < MERKLE_TILE ? (size_t)left : MERKLE_TILE, &bundle);
        if (err && err != ERR_NO_MEMORY)
            diag_set(diag, err, static_dir, 0,
                "entry bundle %" PRIu64 " of the log cannot be read (%s), so that the parallel log has gaps; restore it", n, err_text(err));
    }
    buf_finish(&bundle);
    if (!err)
        err = sm_log_publish(log);
    return err;
}

enum err sm_log_publish(struct sm_log *log)
{
    enum err err = builder_publish(&log->builder);
    if (err || log->builder.published == log->published)
        return err;
    pthread_mutex_lock(&log->mutex);
    buf_reset(&log->checkpoint);
    buf_append_str(&log->checkpoint, buf_str(&log->builder.note));
    err = log->checkpoint.err;
    if (!err)
        log->published = log->builder.published;
    pthread_mutex_unlock(&log->mutex);
    return err;
}

/* ---- anchors ---- */

static void note_anchored(struct ledger_append *append)
{
    struct anchor *anchor = container_of(append, struct anchor, append);
    atomic_store_explicit(&anchor->is_busy, false, memory_order_release); /* an error has stopped the ledger, which tells it */
}

static bool append_anchor(struct anchor *anchor, struct ledger *ledger, struct str origin, struct str note)
{
    struct json_writer writer;
    if (atomic_load_explicit(&anchor->is_busy, memory_order_acquire))
        return false;
    buf_reset(&anchor->leaf);
    json_writer_init(&writer, &anchor->leaf);
    json_begin_object(&writer);
    json_field_str(&writer, "log", origin);
    json_field_str(&writer, "note", note);
    json_field_c(&writer, "type", "checkpoint");
    json_end_object(&writer);
    if (anchor->leaf.err)
        return false;
    anchor->append = (struct ledger_append){.leaf = buf_str(&anchor->leaf), .done = note_anchored};
    anchor->is_busy = true;
    if (ledger_append(ledger, &anchor->append)) {
        anchor->is_busy = false;
        return false;
    }
    return true;
}

void sm_log_anchor(struct sm_log *log, struct ledger *ledger, struct str note)
{
    if (log->n_unanchored == 0 || note.len == 0 || log->builder.note.len == 0)
        return;
    bool is_one = append_anchor(&log->anchors[0], ledger, ledger_origin(ledger), note);
    if (is_one && append_anchor(&log->anchors[1], ledger, str_from_c(log->origin), buf_str(&log->builder.note)))
        log->n_unanchored = 0;
}

/* ---- asking ---- */

struct str sm_log_origin(const struct sm_log *log)
{
    return str_from_c(log->origin);
}

const char *sm_log_static_dir(const struct sm_log *log)
{
    return log->static_dir;
}

enum err sm_log_vkey(const struct sm_log *log, struct buf *out)
{
    return note_sm2_vkey_write(str_from_c(log->origin), log->key, out);
}

enum err sm_log_checkpoint(struct sm_log *log, struct buf *out)
{
    pthread_mutex_lock(&log->mutex);
    bool is_there = log->checkpoint.len > 0;
    buf_append_str(out, buf_str(&log->checkpoint));
    pthread_mutex_unlock(&log->mutex);
    return is_there ? out->err : ERR_BUSY;
}

enum err sm_log_proof(struct sm_log *log, uint64_t index, struct buf *out)
{
    struct buf note;
    buf_init(&note, NOTE_MAX);
    pthread_mutex_lock(&log->mutex);
    uint64_t size = log->published;
    buf_append_str(&note, buf_str(&log->checkpoint));
    pthread_mutex_unlock(&log->mutex);
    enum err err = index >= size ? ERR_NOT_FOUND : note.err;
    if (!err) {
        struct tile_source source;
        struct proof proof = {.index = index, .checkpoint = buf_str(&note)};
        tile_source_init(&source, log->cache, size);
        source.source.by = MERKLE_SM3;
        err = merkle_prove_inclusion(&source.source, index, size, &proof.inclusion);
        if (!err) {
            proof_write(&proof, out);
            err = out->err;
        }
    }
    buf_finish(&note);
    return err;
}
