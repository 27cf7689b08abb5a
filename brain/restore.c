/* Putting a backup back: looked at whole before anything is made, built beside, and named at the end. */
#include "base/json.h"
#include "brain/backup.h"
#include "brain/backup_files.h"
#include "brain/files.h"
#include "ledger/copy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct restoring {
    const struct city *city;
    const char *from;
    char to[FILE_PATH_MAX]; /* beside the data folder, until all is there */
    json_t *manifest;
    struct backup_report report;
};

static enum err read_manifest(struct restoring *r, struct diag *diag)
{
    char path[FILE_PATH_MAX];
    struct buf text;
    struct str city, log;
    int64_t format;
    struct diag cause = {""};
    buf_init(&text, BACKUP_MANIFEST_MAX);
    enum err err = file_join(path, r->from, BACKUP_MANIFEST);
    if (err == ERR_OK && (err = file_read(path, &text)) == ERR_NOT_FOUND)
        err = diag_set(
            diag, err, r->from, 0, "there is no " BACKUP_MANIFEST ": this is no backup, or one that was not finished; take another");
    if (err == ERR_OK && (err = json_read(buf_str(&text), &cause, &r->manifest)) != ERR_OK)
        err = diag_set(diag, ERR_CORRUPT, path, 0, "%s; take another backup", cause.text);
    buf_finish(&text);
    if (err != ERR_OK)
        return err;
    if (json_get_i64(r->manifest, "backup", &format) || json_get_str(r->manifest, "city", &city) ||
        json_get_str(r->manifest, "log", &log) || !json_is_array(json_object_get(r->manifest, "files")))
        return diag_set(diag, ERR_CORRUPT, path, 0, "this is no manifest of a backup");
    if (format > BACKUP_FORMAT)
        return diag_set(diag, ERR_UNSUPPORTED, path, 0,
            "the backup is of a newer program (format %lld, this one knows %d); restore it with that one", (long long)format,
            BACKUP_FORMAT);
    if (!str_equal(city, r->city->name) || !str_equal(log, r->city->log_origin))
        return diag_set(diag, ERR_RANGE, path, 0,
            "the backup is of " STR_FORMAT " with the log " STR_FORMAT ", not of " STR_FORMAT " with " STR_FORMAT, STR_ARG(city),
            STR_ARG(log), STR_ARG(r->city->name), STR_ARG(r->city->log_origin));
    return ERR_OK;
}

/* A path that leads nowhere else than below the folder. */
static bool is_below(struct str path)
{
    struct str part, rest = path;
    bool is_more = path.len > 0;
    while (is_more) {
        is_more = str_cut(rest, '/', &part, &rest);
        if (!is_more)
            part = rest;
        if (part.len == 0 || part.ptr[0] == '.')
            return false;
    }
    return path.len > 0;
}

static enum err read_file_of(const json_t *file, char *path, size_t size, struct str *ret_hex, int64_t *ret_n_bytes)
{
    struct str relative;
    if (json_get_str(file, "path", &relative) || json_get_str(file, "sha256", ret_hex) || json_get_i64(file, "bytes", ret_n_bytes) ||
        !is_below(relative))
        return ERR_CORRUPT;
    return str_to_c(relative, path, size);
}

static enum err check_file(struct restoring *r, const json_t *file, struct diag *diag)
{
    char relative[FILE_PATH_MAX], path[FILE_PATH_MAX], hex[65];
    struct str wanted;
    int64_t n_wanted;
    struct sha256 digest;
    uint64_t n_bytes;
    enum err err = read_file_of(file, relative, sizeof(relative), &wanted, &n_wanted);
    if (err != ERR_OK)
        return diag_set(diag, err, r->from, 0, BACKUP_MANIFEST " names a file without path, length or digest");
    err = file_join(path, r->from, relative);
    if (err == ERR_OK)
        err = backup_digest(path, &digest, &n_bytes);
    if (err != ERR_OK)
        return diag_set(diag, err, path, 0, "cannot be read: %s; take another backup", err_text(err));
    crypto_hex(digest.bytes, sizeof(digest.bytes), hex);
    if ((int64_t)n_bytes != n_wanted || !str_equal_c(wanted, hex))
        return diag_set(diag, ERR_CORRUPT, path, 0, "this file is not what the backup wrote; take another backup");
    r->report.n_files++;
    r->report.n_bytes += n_bytes;
    return ERR_OK;
}

static enum err restore_file(struct restoring *r, const json_t *file, struct diag *diag)
{
    char relative[FILE_PATH_MAX], from[FILE_PATH_MAX], to[FILE_PATH_MAX];
    struct str hex;
    int64_t n_bytes;
    enum err err = read_file_of(file, relative, sizeof(relative), &hex, &n_bytes);
    if (err != ERR_OK || str_starts_with(str_from_c(relative), STR("ledger/"))) /* is built anew */
        return err;
    err = backup_make_parent(r->to, relative, diag);
    if (err == ERR_OK)
        err = file_join(from, r->from, relative);
    if (err == ERR_OK)
        err = file_join(to, r->to, relative);
    if (err == ERR_OK && (err = file_copy(from, to)) != ERR_OK)
        err = diag_set(diag, err, from, 0, "cannot be copied to %s: %s", to, err_text(err));
    return err;
}

static enum err each_file(
    struct restoring *r, enum err (*fn)(struct restoring *r, const json_t *file, struct diag *diag), struct diag *diag)
{
    const json_t *files = json_object_get(r->manifest, "files");
    enum err err = ERR_OK;
    for (size_t i = 0; i < json_array_size(files) && err == ERR_OK; i++)
        err = fn(r, json_array_get(files, i), diag);
    return err;
}

static enum err sync_part(void *context, const char *relative, bool is_folder, bool *ret_enter, struct diag *diag)
{
    const struct restoring *r = context;
    char path[FILE_PATH_MAX];
    enum err err = is_folder ? file_join(path, r->to, relative) : ERR_OK;
    return err == ERR_OK && is_folder ? backup_sync_folder(path) : err;
}

static enum err name_it(struct restoring *r, struct diag *diag)
{
    char parent[FILE_PATH_MAX];
    const char *data_dir = r->city->data_dir;
    enum err err = backup_walk(r->to, sync_part, r, diag);
    if (err == ERR_OK)
        err = backup_sync_folder(r->to);
    if (err == ERR_OK && rmdir(data_dir) != 0 && errno != ENOENT)
        err = err_from_errno(errno);
    if (err == ERR_OK && rename(r->to, data_dir) != 0)
        err = err_from_errno(errno);
    if (err != ERR_OK)
        return diag_set(diag, err, r->to, 0, "could not be named %s: %s", data_dir, strerror(errno));
    snprintf(parent, sizeof(parent), "%s", data_dir);
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    return backup_sync_folder(slash ? parent : ".");
}

static enum err restore_ledger(struct restoring *r, struct diag *diag)
{
    return backup_copy_ledger(r->city, r->from, r->to, &r->report, diag);
}

enum err backup_restore(const struct city *city, const char *from, struct diag *diag, struct backup_report *ret_report)
{
    struct restoring r = {.city = city, .from = from};
    enum err err = read_manifest(&r, diag);
    if (err == ERR_OK)
        err = backup_check_empty(city->data_dir, "stop the brain and move the folder away, or give another one with --data", diag);
    if (err == ERR_OK && snprintf(r.to, sizeof(r.to), "%s.restoring", city->data_dir) >= (int)sizeof(r.to))
        err = ERR_TOO_LARGE;
    if (err == ERR_OK)
        err = backup_check_empty(r.to, "it is left of a restore that did not end; remove it", diag);
    if (err == ERR_OK)
        err = each_file(&r, check_file, diag);
    if (err == ERR_OK)
        err = files_make_private(r.to, diag);
    if (err == ERR_OK)
        err = each_file(&r, restore_file, diag);
    if (err == ERR_OK)
        err = restore_ledger(&r, diag);
    if (err == ERR_OK)
        err = name_it(&r, diag);
    json_decref(r.manifest);
    if (err == ERR_OK)
        *ret_report = r.report;
    return err == ERR_OK || diag->text[0] ? err : diag_set(diag, err, from, 0, "the backup could not be restored: %s", err_text(err));
}
