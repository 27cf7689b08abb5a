/* The words of each error, in one table; the build fails when one is forgotten. */
#include "base/err.h"

#include <assert.h>
#include <errno.h>

static const char *const texts[] = {
    [ERR_OK] = "no error",
    [ERR_NO_MEMORY] = "out of memory",
    [ERR_FULL] = "at its limit",
    [ERR_IO] = "input or output failed",
    [ERR_DISK_FULL] = "the disk is full",
    [ERR_SYNTAX] = "not of the expected form",
    [ERR_RANGE] = "out of range",
    [ERR_TOO_LARGE] = "too large",
    [ERR_NOT_FOUND] = "not found",
    [ERR_EXISTS] = "already there",
    [ERR_DENIED] = "denied",
    [ERR_UNAUTHENTICATED] = "not signed in",
    [ERR_BUSY] = "busy, try again later",
    [ERR_TIMEOUT] = "took too long",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_STATE] = "not possible in this state",
    [ERR_CORRUPT] = "stored data is damaged",
    [ERR_CRYPTO] = "a signature or key is refused",
    [ERR_UNSUPPORTED] = "not supported",
    [ERR_CANCELLED] = "cancelled",
};
static_assert(sizeof(texts) / sizeof(texts[0]) == ERR_COUNT, "each error has its text");

const char *err_text(enum err err)
{
    assert((unsigned)err < ERR_COUNT);
    return texts[err];
}

enum err err_from_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return ERR_DISK_FULL;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    default:
        return ERR_IO;
    }
}
