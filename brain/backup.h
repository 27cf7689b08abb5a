/*
 * `citybrain backup` and `citybrain restore`: all that a brain itself keeps, copied while it runs, and put back (docs/operate.md).
 *
 * A backup is a folder of the form of a data folder, with backup.json, which names each file with its digest and is written last: a folder
 * without it is no backup. What departments and the simulated world keep is theirs and is left out.
 */
#ifndef BRAIN_BACKUP_H
#define BRAIN_BACKUP_H

#include "base/diag.h"
#include "brain/city.h"

#include <stdint.h>

#define BACKUP_FORMAT 1 /* what this program writes; a newer one is refused */
#define BACKUP_MANIFEST "backup.json"
#define BACKUP_MANIFEST_MAX (256u << 20) /* bytes: some hundred thousand files */

struct backup_report {
    size_t n_files;
    uint64_t n_bytes, published, durable; /* leaves under the checkpoint, and in all */
};

/* Into `to`, which is not there or empty. Nothing that was acknowledged before the call is missing. */
enum err backup_make(const struct city *city, const char *to, struct diag *diag, struct backup_report *ret_report) MUST_CHECK;
/* The ledger of one folder of the form of a data folder into another's. */
enum err backup_copy_ledger(
    const struct city *city, const char *from_dir, const char *to_dir, struct backup_report *report, struct diag *diag) MUST_CHECK;
/* Every file against its digest, then into the city's data folder, which is not there or empty: it has all of it or is not made. */
enum err backup_restore(const struct city *city, const char *from, struct diag *diag, struct backup_report *ret_report) MUST_CHECK;

#endif
