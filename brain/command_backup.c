/* `citybrain backup DIR` and `citybrain restore DIR`. */
#include "base/mem.h"
#include "brain/backup.h"
#include "brain/commands.h"

#include <stdio.h>

enum { BACKUP_CITY, BACKUP_DATA };
static const struct command_option options[] = {
    {"city", "DIR", "the city's files (default city/hangzhou)"},
    {"data", "DIR", "its data folder (default var/CITY)"},
    {NULL, NULL, NULL},
};

typedef enum err (*work_fn)(const struct city *city, const char *dir, struct diag *diag, struct backup_report *ret_report);

static int work(const struct command_line *line, const char *name, const char *done, work_fn fn)
{
    struct city city;
    struct diag diag = {""};
    struct backup_report report;
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!diags)
        return 2;
    enum err err =
        city_load(line->values[BACKUP_CITY] ? line->values[BACKUP_CITY] : "city/hangzhou", line->values[BACKUP_DATA], diags, &city);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain %s: %s\n", name, diags->diags[i].text);
    mem_free(diags);
    if (err != ERR_OK)
        return 2;
    err = fn(&city, line->words[0], &diag, &report);
    if (err == ERR_OK)
        printf("%s: %zu files, %.1f MB; ledger of %llu leaves, %llu of them under a checkpoint that was checked\n", done, report.n_files,
            (double)report.n_bytes / 1e6, (unsigned long long)report.durable, (unsigned long long)report.published);
    else
        fprintf(stderr, "citybrain %s: %s\n", name, diag.text);
    city_finish(&city);
    return err == ERR_OK ? 0 : err == ERR_IO || err == ERR_DISK_FULL ? 74 : 1;
}

static int run_backup(const struct command_line *line)
{
    return work(line, "backup", "backed up", backup_make);
}

static int run_restore(const struct command_line *line)
{
    return work(line, "restore", "restored", backup_restore);
}

const struct command command_backup = {
    "backup", "DIR [--city DIR] [--data DIR]", "copies all that a brain keeps into a new folder, while it runs", options, 1, 1, run_backup};
const struct command command_restore = {"restore", "DIR [--city DIR] [--data DIR]",
    "puts a backup back into an empty data folder, every file checked", options, 1, 1, run_restore};
