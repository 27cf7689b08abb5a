/*
 * HTTP Digest (RFC 2617, MD5, qop=auth): what GA/T 1400 cameras speak. Inside of http/ only (and for its tests and fuzz target).
 *
 * MD5 is weak, and its use here is the cameras' standard's, not a choice: it protects a password on the wire from being read, no more.
 * A deployment puts cameras on a network of their own. What can be done is done: nonces are ours alone, expire, and each counter
 * value counts once.
 */
#ifndef HTTP_DIGEST_H
#define HTTP_DIGEST_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

#define HTTP_NONCE_LENGTH 48
#define HTTP_NONCE_LIFE_MS (5 * 60 * 1000) /* then the client signs again with a new one ("stale") */

struct http_digest {
    struct str user, realm, nonce, uri, response, qop, nc, cnonce, algorithm; /* borrow from the header */
};

/* The value of an Authorization header that begins with "Digest ". ERR_SYNTAX: malformed, a part twice, or one missing that qop=auth needs.
 */
enum err http_digest_parse(struct str header, struct http_digest *ret_digest) MUST_CHECK;

struct http_nonces;
enum err http_nonces_create(struct http_nonces **ret_nonces) MUST_CHECK; /* its key is random: a restart makes all nonces stale */
void http_nonces_destroy(struct http_nonces *nonces);                    /* takes NULL */
/* A new nonce, NUL-terminated. */
void http_nonce_issue(struct http_nonces *nonces, struct mono_time now, char out[HTTP_NONCE_LENGTH + 1]);

/* ERR_CRYPTO: the answer is wrong; ERR_STATE: it is right, but the nonce is old, used or not ours (say stale=true); ERR_SYNTAX: it is about
 * another target. `target`: path and query as sent. `ha1`: MD5(user:realm:password) in hex. */
enum err http_digest_check(struct http_nonces *nonces, const struct http_digest *digest, const char *method, struct str target,
    const char ha1[33], struct mono_time now) MUST_CHECK;

#endif
