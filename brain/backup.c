/*
 * The order is what makes a copy of moving parts one whole. Our stores come first, then the ledger, then the secrets:
 *   - a store never says more than the ledger holds (a leaf without its effect may stand, an effect without its leaf may not);
 *   - no leaf and no passage lacks the day's key that it was made under, since keys are made before they are used.
 * Each part is copied whole at a moment after the backup began, so nothing acknowledged before that is missing.
 */
#include "brain/backup.h"

#include "base/journal.h"
#include "base/json.h"
#include "base/mem.h"
#include "brain/backup_files.h"
#include "brain/files.h"
#include "db/db.h"
#include "ledger/copy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum pass { PASS_STORES, PASS_REST, PASS_SECRETS };

struct making {
    const char *from, *to;
    enum pass pass;
    struct json_writer *w; /* of the manifest */
    struct backup_report report;
};

/* Not a brain's own, or of the moment. */
static bool is_left_out(struct str path, bool is_folder)
{
    if (is_folder)
        return str_equal_c(path, "departments") || str_equal_c(path, "world");
    return str_ends_with(path, STR("-wal")) || str_ends_with(path, STR("-shm")) || str_ends_with(path, STR(".tmp")) ||
           str_ends_with(path, STR(".log")) || str_ends_with(path, STR("/lock")) || str_equal_c(path, BACKUP_MANIFEST);
}

static bool has_journal(const char *path)
{
    char lock[FILE_PATH_MAX];
    return file_join(lock, path, "lock") == ERR_OK && access(lock, F_OK) == 0;
}

/* Opened once, so that a torn tail is cut and what is digested is what will be opened again. */
static enum err copy_journal(const char *from, const char *to, struct diag *diag)
{
    struct journal *journal;
    struct journal_held *held = NULL;
    const struct journal_options options = {.dir = to, .record_max_bytes = JOURNAL_APPEND_MAX};
    enum err err = journal_hold(from, diag, &held);
    if (err == ERR_OK)
        err = journal_held_copy(held, to, diag);
    journal_held_release(held);
    if (err == ERR_OK)
        err = journal_open(&options, diag, &journal);
    if (err == ERR_OK)
        journal_close(journal);
    return err;
}

static enum err copy_part(void *context, const char *relative, bool is_folder, bool *ret_enter, struct diag *diag)
{
    const struct making *making = context;
    struct str path = str_from_c(relative);
    char from[FILE_PATH_MAX], to[FILE_PATH_MAX];
    bool is_secret = str_starts_with(path, STR("secrets")), is_store = str_ends_with(path, STR(".sqlite"));
    enum pass pass = is_secret ? PASS_SECRETS : is_store ? PASS_STORES : PASS_REST;
    enum err err = file_join(from, making->from, relative);
    if (err == ERR_OK)
        err = file_join(to, making->to, relative);
    if (err != ERR_OK)
        return err;
    if (is_folder) {
        bool is_journal = has_journal(from);
        *ret_enter = !is_left_out(path, true) && !str_equal_c(path, "ledger") && !is_journal;
        if (!is_journal || making->pass != PASS_REST || str_equal_c(path, "ledger"))
            return ERR_OK;
        return copy_journal(from, to, diag);
    }
    if (is_left_out(path, false) || pass != making->pass)
        return ERR_OK;
    err = backup_make_parent(making->to, relative, diag);
    if (err == ERR_OK)
        err = is_store ? db_backup(from, to, diag) : file_copy(from, to);
    if (err == ERR_NOT_FOUND) /* a day's key that was erased this moment */
        return ERR_OK;
    return err == ERR_OK || diag->text[0] ? err : diag_set(diag, err, from, 0, "cannot be copied to %s: %s", to, err_text(err));
}

enum err backup_copy_ledger(
    const struct city *city, const char *from_dir, const char *to_dir, struct backup_report *report, struct diag *diag)
{
    char from[FILE_PATH_MAX], to[FILE_PATH_MAX], secret[FILE_PATH_MAX];
    struct crypto_key *key = NULL;
    struct buf seed;
    buf_init(&seed, 64);
    enum err err = file_join(secret, from_dir, "secrets/ledger");
    if (err == ERR_OK)
        err = file_read(secret, &seed);
    if (err == ERR_OK && seed.len != 32)
        err = ERR_CORRUPT;
    if (err == ERR_OK)
        err = crypto_key_from_seed((const uint8_t *)seed.ptr, &key);
    if (err != ERR_OK) {
        buf_finish(&seed);
        return diag_set(diag, err, secret, 0, "the ledger's key cannot be read: %s; is this a data folder?", err_text(err));
    }
    crypto_wipe(seed.ptr, seed.len);
    buf_finish(&seed);
    err = file_join(from, from_dir, "ledger");
    if (err == ERR_OK)
        err = file_join(to, to_dir, "ledger");
    struct ledger_copy copy = {.from = from, .to = to, .origin = city->log_origin, .key = key};
    if (err == ERR_OK)
        err = ledger_copy(&copy, diag);
    report->published = copy.published;
    report->durable = copy.durable;
    crypto_key_destroy(key);
    return err;
}

/* ---- the manifest ---- */

static enum err put_file(void *context, const char *relative, bool is_folder, bool *ret_enter, struct diag *diag)
{
    struct making *making = context;
    char path[FILE_PATH_MAX], hex[65];
    struct sha256 digest;
    uint64_t n_bytes;
    enum err err = file_join(path, making->to, relative);
    if (err != ERR_OK || is_folder)
        return err != ERR_OK ? err : backup_sync_folder(path);
    if (is_left_out(str_from_c(relative), false))
        return ERR_OK;
    err = backup_digest(path, &digest, &n_bytes);
    if (err != ERR_OK)
        return diag_set(diag, err, path, 0, "cannot be read: %s", err_text(err));
    crypto_hex(digest.bytes, sizeof(digest.bytes), hex);
    json_begin_object(making->w);
    json_field_c(making->w, "path", relative);
    json_field_i64(making->w, "bytes", (int64_t)n_bytes);
    json_field_c(making->w, "sha256", hex);
    json_end_object(making->w);
    making->report.n_files++;
    making->report.n_bytes += n_bytes;
    return ERR_OK;
}

static enum err write_manifest(const struct city *city, struct making *making, struct wall_time begun, struct diag *diag)
{
    char path[FILE_PATH_MAX], time[40];
    struct buf out;
    struct json_writer w;
    buf_init(&out, BACKUP_MANIFEST_MAX);
    json_writer_init(&w, &out);
    making->w = &w;
    wall_format_rfc3339(begun, (struct time_zone){0}, time);
    json_begin_object(&w);
    json_field_i64(&w, "backup", BACKUP_FORMAT);
    json_field_c(&w, "version", CITYBRAIN_VERSION);
    json_field_str(&w, "city", city->name);
    json_field_str(&w, "log", city->log_origin);
    json_field_c(&w, "begun", time);
    json_field_i64(&w, "published", (int64_t)making->report.published);
    json_field_i64(&w, "durable", (int64_t)making->report.durable);
    json_key(&w, "files");
    json_begin_array(&w);
    enum err err = backup_walk(making->to, put_file, making, diag);
    json_end_array(&w);
    json_end_object(&w);
    if (err == ERR_OK)
        err = out.err;
    if (err == ERR_OK)
        err = file_join(path, making->to, BACKUP_MANIFEST);
    if (err == ERR_OK)
        err = file_replace(file_ops_system(), path, buf_str(&out));
    buf_finish(&out);
    return err;
}

enum err backup_make(const struct city *city, const char *to, struct diag *diag, struct backup_report *ret_report)
{
    struct making making = {.from = city->data_dir, .to = to};
    struct wall_time begun = clock_wall(clock_system());
    enum err err = backup_check_empty(to, "give a folder of its own to each backup", diag);
    if (err == ERR_OK)
        err = files_make_private(to, diag); /* it holds secrets, also in a folder that was there */
    for (making.pass = PASS_STORES; err == ERR_OK && making.pass <= PASS_REST; making.pass++)
        err = backup_walk(making.from, copy_part, &making, diag);
    if (err == ERR_OK)
        err = backup_copy_ledger(city, making.from, to, &making.report, diag);
    if (err == ERR_OK)
        err = backup_walk(making.from, copy_part, &making, diag); /* the secrets */
    if (err == ERR_OK)
        err = write_manifest(city, &making, begun, diag);
    if (err == ERR_OK)
        *ret_report = making.report;
    return err == ERR_OK || diag->text[0] ? err : diag_set(diag, err, to, 0, "the backup could not be made: %s", err_text(err));
}
