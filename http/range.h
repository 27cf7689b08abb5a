/*
 * Parts of a body and preconditions (RFC 9110 §13, §14), as pure functions of headers.
 *
 * One range at a time: of several in a header the whole is sent, as the RFC allows. Only bytes.
 */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include "base/str.h"

struct http_range {
    uint64_t first, n; /* bytes [first, first + n) of the whole */
};

/* The status: 200 and all of it (no header, one that is not understood, several ranges), 206, or 416 (*ret_range is empty). */
int http_range_read(struct str header, uint64_t total, struct http_range *ret_range);

/* Is the entity tag (with its quotes, "W/" before a weak one) in the header's list? "*" is any. `is_strong`: weak ones never match, as
 * If-Match and If-Range want it; If-None-Match compares weakly. */
bool http_etag_among(struct str list, struct str etag, bool is_strong);

#endif
