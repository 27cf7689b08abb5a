/*
 * Errors: one enumeration for the whole program, one table that gives each its words.
 *
 * Leaf code returns an `enum err` and never logs; the loop that owns the work logs once, with context.
 * An error that a person must mend carries its place and its mend beside the code, in a `struct diag` (base/diag.h).
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
    ERR_OK = 0,
    ERR_NO_MEMORY, /* an allocation failed, or an arena reached its limit */
    ERR_FULL,      /* a bounded queue, list or buffer is at its named limit */
    ERR_IO,        /* the operating system refused to read or write; errno tells more */
    ERR_DISK_FULL, /* ENOSPC or EDQUOT: nothing more may be acknowledged */
    ERR_SYNTAX,    /* bytes from outside are not of the form they claim */
    ERR_RANGE,     /* a value is outside of what its field allows */
    ERR_TOO_LARGE, /* a payload, depth or count is over its named limit */
    ERR_NOT_FOUND,
    ERR_EXISTS,          /* a name or key is given twice */
    ERR_DENIED,          /* who asks has no right to it */
    ERR_UNAUTHENTICATED, /* nobody knows who asks */
    ERR_BUSY,            /* try again later: over a rate, or a lock is held */
    ERR_TIMEOUT,
    ERR_UNAVAILABLE, /* a department's system is down */
    ERR_STATE,       /* the object is not in a state that allows this */
    ERR_CORRUPT,     /* our own stored bytes fail their check */
    ERR_CRYPTO,      /* a signature, tag or key is refused */
    ERR_UNSUPPORTED,
    ERR_CANCELLED,
    ERR_COUNT
};

/* A few plain words for an error, never NULL; static storage. */
const char *err_text(enum err err);

/* What the operating system's `errno_value` means here: ENOSPC and EDQUOT are ERR_DISK_FULL, ENOMEM ERR_NO_MEMORY, ENOENT ERR_NOT_FOUND,
 * EEXIST ERR_EXISTS, EACCES and EPERM ERR_DENIED, the rest ERR_IO. */
enum err err_from_errno(int errno_value);

#endif
