/*
 * A witness's memory on disk. See ledger/witness_store.h.
 */
#include "ledger/witness_store.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define VKEY_MAX 512
#define STEM_LENGTH 16 /* hexadecimal digits that name a log's files */

struct stored_log {
    char vkey[VKEY_MAX]; /* what the key's name borrows from */
    char stem[STEM_LENGTH + 1];
    bool has_fork_stored;
};

struct witness_store {
    char dir[FILE_PATH_MAX], name[256];
    struct note_verifier own;
    const struct crypto_key *key;
    struct file_ops *files;
    int lock_fd;
    enum err err; /* the disk's; sticks */
    size_t n_logs;
    struct witness_log logs[WITNESS_LOGS_MAX];
    struct stored_log stored[WITNESS_LOGS_MAX];
};

/* ---- opening ---- */

static enum err lock(struct witness_store *store, struct diag *diag)
{
    char path[FILE_PATH_MAX];
    enum err err = file_join(path, store->dir, "lock");
    if (err)
        return err;
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0)
        return diag_set(diag, err_from_errno(errno), path, 0, "the file cannot be made (%s)", strerror(errno));
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return diag_set(diag, ERR_STATE, store->dir, 0,
            "another witness works in this folder; two that share a key and know nothing of each other could cosign a fork. Stop the "
            "other");
    return ERR_OK;
}

enum err witness_store_open(const struct witness_store_options *options, struct diag *diag, struct witness_store **ret_store)
{
    struct witness_store *store = mem_alloc_zero(1, sizeof *store);
    if (!store)
        return ERR_NO_MEMORY;
    store->lock_fd = -1;
    store->key = options->key;
    store->files = options->files ? options->files : file_ops_system();
    enum err err = ERR_OK;
    if (!note_is_key_name(options->name) || str_to_c(options->name, store->name, sizeof store->name))
        err = diag_set(diag, ERR_RANGE, NULL, 0, "the witness's name \"" STR_FORMAT "\" is empty, too long, or holds a space or '+'",
            STR_ARG(options->name));
    if (!err && str_to_c(str_from_c(options->dir), store->dir, sizeof store->dir))
        err = diag_set(diag, ERR_TOO_LARGE, options->dir, 0, "the folder's path is too long");
    if (!err) {
        store->own = (struct note_verifier){.name = str_from_c(store->name), .type = NOTE_WITNESS};
        crypto_key_public(store->key, store->own.key);
        err = note_key_id(store->own.name, NOTE_WITNESS, store->own.key, &store->own.id);
    }
    if (!err && (err = file_make_dirs(store->files, store->dir)))
        diag_set(diag, err, store->dir, 0, "the folder cannot be made (%s)", strerror(errno));
    if (!err)
        err = lock(store, diag);
    if (err)
        witness_store_close(store);
    else
        *ret_store = store;
    return err;
}

void witness_store_close(struct witness_store *store)
{
    if (!store)
        return;
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    mem_free(store);
}

/* ---- logs ---- */

static enum err log_path(const struct witness_store *store, const struct stored_log *stored, const char *suffix, char out[FILE_PATH_MAX])
{
    char name[STEM_LENGTH + 32];
    snprintf(name, sizeof name, "%s%s", stored->stem, suffix);
    return file_join(out, store->dir, name);
}

/* What was cosigned last: signed by this witness, and of this log. */
static enum err read_log(struct witness_store *store, const struct stored_log *stored, struct witness_log *log, struct diag *diag)
{
    char path[FILE_PATH_MAX];
    struct diag cause = {""};
    struct checkpoint checkpoint;
    struct str text;
    struct buf note;
    buf_init(&note, WITNESS_BODY_MAX);
    enum err err = log_path(store, stored, ".note", path);
    if (!err)
        err = file_read(path, &note);
    if (err == ERR_NOT_FOUND) { /* never cosigned */
        buf_finish(&note);
        return ERR_OK;
    }
    if (!err)
        err = note_open(buf_str(&note), &store->own, &text, &cause);
    if (!err)
        err = checkpoint_parse(text, &checkpoint, &cause);
    if (!err && !str_equal(checkpoint.origin, log->key.name))
        err = diag_set(&cause, ERR_CORRUPT, NULL, 0, "the checkpoint is of another log");
    if (!err) {
        log->size = checkpoint.size;
        log->root = checkpoint.root;
    }
    buf_finish(&note);
    if (err && err != ERR_NO_MEMORY)
        return diag_set(diag, ERR_CORRUPT, path, 0,
            "what this witness cosigned last cannot be read (%s); restore the newest copy of this file: without it the witness would "
            "forget what "
            "it has sworn to",
            cause.text[0] ? cause.text : err_text(err));
    return err;
}

enum err witness_store_add_log(struct witness_store *store, struct str vkey, struct diag *diag)
{
    char path[FILE_PATH_MAX];
    if (store->n_logs == WITNESS_LOGS_MAX)
        return diag_set(diag, ERR_FULL, NULL, 0, "a witness knows at most %d logs; let another one take the rest", WITNESS_LOGS_MAX);
    struct stored_log *stored = &store->stored[store->n_logs];
    struct witness_log *log = &store->logs[store->n_logs];
    *stored = (struct stored_log){.stem = ""};
    *log = (struct witness_log){.root = merkle_empty_root()};
    if (str_to_c(vkey, stored->vkey, sizeof stored->vkey))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the log's verifier key is too long");
    enum err err = note_verifier_parse(str_from_c(stored->vkey), &log->key, diag);
    if (!err && log->key.type != NOTE_LOG)
        err = diag_set(
            diag, ERR_UNSUPPORTED, NULL, 0, "the log's key is not Ed25519; the witness protocol knows logs of SHA-256 and Ed25519 only");
    for (size_t i = 0; i < store->n_logs && !err; i++)
        if (str_equal(store->logs[i].key.name, log->key.name))
            err = diag_set(diag, ERR_EXISTS, NULL, 0, "the log \"" STR_FORMAT "\" is given twice", STR_ARG(log->key.name));
    if (err)
        return err;
    struct sha256 hash = crypto_sha256(log->key.name);
    crypto_hex(hash.bytes, STEM_LENGTH / 2, stored->stem);
    err = log_path(store, stored, ".fork-2.note", path);
    if (!err) {
        stored->has_fork_stored = access(path, F_OK) == 0;
        err = read_log(store, stored, log, diag);
    }
    if (!err)
        store->n_logs++;
    return err;
}

size_t witness_store_n_logs(const struct witness_store *store)
{
    return store->n_logs;
}

const struct witness_log *witness_store_log(const struct witness_store *store, size_t at)
{
    return &store->logs[at];
}

/* ---- requests ---- */

/* The body's checkpoint with nothing but the log's own line, appended to `out`. */
static enum err put_note(const struct witness_log *log, struct str body, struct buf *out)
{
    struct witness_request request;
    struct str text;
    int64_t time_s;
    struct buf line;
    buf_init(&line, WITNESS_BODY_MAX);
    enum err err = witness_request_parse(body, &request, NULL);
    if (!err)
        err = note_open_line(request.note, &log->key, &text, &line, &time_s, NULL);
    if (!err) {
        buf_append_str(out, text);
        buf_append_byte(out, '\n');
        buf_append_str(out, buf_str(&line));
        err = out->err;
    }
    buf_finish(&line);
    return err;
}

/* Both sides of a fork, once for a log. The one that was cosigned is copied, since the next checkpoint replaces its file. */
static enum err store_fork(struct witness_store *store, size_t at, struct str body)
{
    struct stored_log *stored = &store->stored[at];
    char path[FILE_PATH_MAX];
    struct buf note;
    if (stored->has_fork_stored)
        return ERR_OK;
    buf_init(&note, WITNESS_BODY_MAX);
    enum err err = log_path(store, stored, ".note", path);
    if (!err)
        err = file_read(path, &note);
    if (!err)
        err = log_path(store, stored, ".fork-1.note", path);
    if (!err)
        err = file_replace(store->files, path, buf_str(&note));
    buf_reset(&note);
    if (!err)
        err = put_note(&store->logs[at], body, &note);
    if (!err)
        err = log_path(store, stored, ".fork-2.note", path);
    if (!err)
        err = file_replace(store->files, path, buf_str(&note));
    stored->has_fork_stored = !err;
    buf_finish(&note);
    return err;
}

/* Durable first, then told: the line is made before the file, but leaves only after it. */
static enum err cosign(struct witness_store *store, const struct witness_verdict *verdict, struct str body, int64_t time_s, struct buf *out)
{
    struct witness_log *log = &store->logs[verdict->log];
    char path[FILE_PATH_MAX];
    struct buf note, line;
    buf_init(&note, WITNESS_BODY_MAX);
    buf_init(&line, 4096);
    enum err err = note_cosign(verdict->text, store->own.name, store->key, time_s, &line);
    if (!err)
        err = put_note(log, body, &note);
    if (!err) {
        buf_append_str(&note, buf_str(&line));
        buf_append_str(out, buf_str(&line));
        err = note.err ? note.err : out->err;
    }
    if (!err)
        err = log_path(store, &store->stored[verdict->log], ".note", path);
    if (!err)
        err = store->err = file_replace(store->files, path, buf_str(&note));
    if (!err) {
        log->size = verdict->checkpoint.size;
        log->root = verdict->checkpoint.root;
    }
    buf_finish(&note);
    buf_finish(&line);
    return err;
}

enum err witness_store_add_checkpoint(
    struct witness_store *store, struct str body, int64_t time_s, struct buf *out, struct witness_answer *ret_answer)
{
    struct witness_verdict verdict;
    if (store->err)
        return store->err;
    enum err err = witness_step(store->logs, store->n_logs, body, &verdict);
    if (!err && verdict.status == WITNESS_COSIGN)
        err = cosign(store, &verdict, body, time_s, out);
    if (!err && verdict.is_fork)
        err = store->err = store_fork(store, verdict.log, body);
    if (!err && verdict.status == WITNESS_CONFLICT) {
        buf_printf(out, "%" PRIu64 "\n", verdict.known_size);
        err = out->err;
    }
    if (err) {
        buf_reset(out); /* nothing that is not stored is told */
        return err;
    }
    bool is_known = verdict.status != WITNESS_UNKNOWN_LOG && verdict.status != WITNESS_MALFORMED;
    *ret_answer = (struct witness_answer){.status = verdict.status,
        .origin = is_known ? store->logs[verdict.log].key.name : STR_NONE,
        .size = verdict.status == WITNESS_COSIGN ? verdict.checkpoint.size : verdict.known_size,
        .is_fork = verdict.is_fork,
        .diag = verdict.diag};
    return ERR_OK;
}
