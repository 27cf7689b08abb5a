/* Folders as a backup sees them: which files are there, and their digests. */
#ifndef BRAIN_BACKUP_FILES_H
#define BRAIN_BACKUP_FILES_H

#include "base/crypto.h"
#include "base/diag.h"
#include "base/file.h"

#include <stdbool.h>
#include <stdint.h>

#define BACKUP_DEPTH_MAX 12

/* Calls `visit` with each file's and folder's path below `root`, in the order of names; of a folder for which it gives false in *ret_enter
 * nothing more. Hidden names are passed over. */
typedef enum err (*backup_visit_fn)(void *context, const char *relative, bool is_folder, bool *ret_enter, struct diag *diag);
enum err backup_walk(const char *root, backup_visit_fn visit, void *context, struct diag *diag) MUST_CHECK;
/* Digest and length of a file, which is durable afterwards. */
enum err backup_digest(const char *path, struct sha256 *ret_digest, uint64_t *ret_n_bytes) MUST_CHECK;
/* Makes `root`/folder of `relative`, mode 0700. */
enum err backup_make_parent(const char *root, const char *relative, struct diag *diag) MUST_CHECK;
/* ERR_EXISTS when there is something in the folder; one that is not there is fine. */
enum err backup_check_empty(const char *path, const char *mend, struct diag *diag) MUST_CHECK;
enum err backup_sync_folder(const char *path) MUST_CHECK;

#endif
