/*
 * Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint): text, an empty line, signature lines. Pure.
 *
 *     hangzhou.log                                     origin, the name of the log
 *     70000                                            tree size
 *     WXlTQm0n9dHDZ0C1E/0OSYZ2gkbkyhrwf+0SZrmDzpQ=     root, Base64
 *
 *     — hangzhou.log 3tN6kZ…                           em dash, key name, Base64 of key id (4 bytes) and signature
 *
 * Only Ed25519 keys (type 1) are known here; signatures of other keys are passed over, as the specification demands.
 */
#ifndef LEDGER_NOTE_H
#define LEDGER_NOTE_H

#include "base/buf.h"
#include "base/crypto.h"
#include "base/diag.h"

#define NOTE_MAX (1u << 20)     /* bytes of a note; far over any checkpoint with its cosignatures */
#define NOTE_SIGNATURES_MAX 100 /* the specification asks for at least 16 */

struct note_verifier {
    struct str name; /* borrowed from the text that was parsed */
    uint32_t id;
    uint8_t key[32];
};

/* The first four bytes of SHA-256(name || "\n" || 0x01 || public key). ERR_NO_MEMORY. */
enum err note_key_id(struct str name, const uint8_t public_key[32], uint32_t *ret_id) MUST_CHECK;
/* Not empty, UTF-8, without spaces of Unicode and without '+'. */
bool note_is_key_name(struct str name);
/* "name+hex id+Base64(0x01 || key)". ERR_SYNTAX; ERR_UNSUPPORTED (not Ed25519); ERR_CRYPTO (the id is not the key's); told in `diag`. */
enum err note_verifier_parse(struct str vkey, struct note_verifier *ret_verifier, struct diag *diag) MUST_CHECK;
/* Appends the vkey text. ERR_RANGE (no key name), ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err note_vkey_write(struct str name, const uint8_t public_key[32], struct buf *out) MUST_CHECK;

/* Appends `text` (which ends with a newline) and its signature. ERR_RANGE, ERR_CRYPTO, ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err note_sign(struct str text, struct str name, const struct crypto_key *key, struct buf *out) MUST_CHECK;
/* The text of a note that bears a valid signature of `verifier`. ERR_SYNTAX: no note; ERR_CRYPTO: no signature of that key, or a wrong one;
 * told in `diag`. Borrows from `note`. */
enum err note_open(struct str note, const struct note_verifier *verifier, struct str *ret_text, struct diag *diag) MUST_CHECK;

struct checkpoint {
    struct str origin; /* borrowed */
    uint64_t size;
    struct sha256 root;
};
void checkpoint_write(const struct checkpoint *checkpoint, struct buf *out); /* the text; errors stick in `out` */
/* A note's text. Extension lines are allowed and passed over. ERR_SYNTAX, told in `diag`. Borrows. */
enum err checkpoint_parse(struct str text, struct checkpoint *ret_checkpoint, struct diag *diag) MUST_CHECK;

/* A decimal without sign, blanks or leading zeros. ERR_SYNTAX, ERR_RANGE. */
enum err note_parse_number(struct str text, uint64_t *ret_number) MUST_CHECK;
/* A hash in Base64: exactly 44 characters. ERR_SYNTAX. */
enum err note_parse_hash(struct str text, struct sha256 *ret_hash) MUST_CHECK;
/* Cuts the first line, without its newline. False when there is no newline. */
bool note_next_line(struct str *rest, struct str *ret_line) MUST_CHECK;

#endif
