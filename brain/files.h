/* The few things that the composition does with folders. */
#ifndef BRAIN_FILES_H
#define BRAIN_FILES_H

#include "base/diag.h"

#include <stddef.h>

/* Calls `visit` with the path of each file of `folder` that ends in `ending`, in the order of names; stops at the first error and returns
 * it. A folder that is not there has no files. */
enum err files_each(const char *folder, const char *ending, enum err (*visit)(void *context, const char *path), void *context) MUST_CHECK;
/* Makes a folder and those above it, mode 0700: data folders hold secrets. */
enum err files_make_folder(const char *path, struct diag *diag) MUST_CHECK;

/* The same, and its mode is 0700 also when it was there before. */
enum err files_make_private(const char *path, struct diag *diag) MUST_CHECK;

/* `name` in the folder of the running program. ERR_TOO_LARGE, ERR_IO. */
enum err files_beside_program(const char *name, char *out, size_t size) MUST_CHECK;

#endif
