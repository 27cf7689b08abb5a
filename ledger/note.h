/*
 * Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint): text, an empty line, signature lines. Pure.
 *
 *     hangzhou.log                                     origin, the name of the log
 *     70000                                            tree size
 *     WXlTQm0n9dHDZ0C1E/0OSYZ2gkbkyhrwf+0SZrmDzpQ=     root, Base64
 *
 *     — hangzhou.log 3tN6kZ…                           em dash, key name, Base64 of key id (4 bytes) and signature
 *
 * Two kinds of key are known here: a log's, Ed25519 over the text (type 1), and a witness's (type 4, C2SP tlog-cosignature): Ed25519 over
 * "cosignature/v1\ntime T\n" and the text, with T in the line. Signatures of other keys are passed over, as the specification demands.
 */
#ifndef LEDGER_NOTE_H
#define LEDGER_NOTE_H

#include "base/buf.h"
#include "base/crypto.h"
#include "base/diag.h"
#include "base/sign.h"

#define NOTE_MAX (1u << 20)     /* bytes of a note; far over any checkpoint with its cosignatures */
#define NOTE_SIGNATURES_MAX 100 /* the specification asks for at least 16 */

/* The signature types of C2SP signed-note. 0xff is for those without a number: behind it stand NOTE_SM2_NAME and the 65 bytes of the point.
 */
enum note_type { NOTE_LOG = 1, NOTE_WITNESS = 4, NOTE_SM2 = 0xff };
#define NOTE_SM2_NAME "SM2 with SM3, citybrain"

struct note_verifier {
    struct str name; /* borrowed from the text that was parsed */
    uint32_t id;
    enum note_type type;
    uint8_t key[SIGN_PUBLIC_MAX]; /* 32 bytes; 65 with NOTE_SM2 */
};

/* The first four bytes of SHA-256(name || "\n" || type || public key). ERR_NO_MEMORY. */
enum err note_key_id(struct str name, enum note_type type, const uint8_t *public_key, uint32_t *ret_id) MUST_CHECK;
/* Not empty, UTF-8, without spaces of Unicode and without '+'. */
bool note_is_key_name(struct str name);
/* A log's key, "name+hex id+Base64(0x01 || key)", or a parallel log's. ERR_SYNTAX; ERR_UNSUPPORTED (neither Ed25519 nor SM2); ERR_CRYPTO
 * (the id is not the key's); told in `diag`. */
enum err note_verifier_parse(struct str vkey, struct note_verifier *ret_verifier, struct diag *diag) MUST_CHECK;
/* The same of a witness's key, whose first byte is 0x04. */
enum err note_witness_parse(struct str vkey, struct note_verifier *ret_verifier, struct diag *diag) MUST_CHECK;
/* Appends the vkey text of a log. ERR_RANGE (no key name), ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err note_vkey_write(struct str name, const uint8_t public_key[32], struct buf *out) MUST_CHECK;
enum err note_sm2_vkey_write(struct str name, const struct sign_key *key, struct buf *out) MUST_CHECK;
enum err note_witness_vkey_write(struct str name, const uint8_t public_key[32], struct buf *out) MUST_CHECK;

/* Appends `text` (which ends with a newline) and its signature. ERR_RANGE, ERR_CRYPTO, ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err note_sign(struct str text, struct str name, const struct crypto_key *key, struct buf *out) MUST_CHECK;
/* The same with an SM2 key. */
enum err note_sign_sm2(struct str text, struct str name, const struct sign_key *key, struct buf *out) MUST_CHECK;
/* Appends one signature line to `out`: the witness `name` vouches for the checkpoint `text` as of `time_s` (POSIX seconds, not negative).
 */
enum err note_cosign(struct str text, struct str name, const struct crypto_key *key, int64_t time_s, struct buf *out) MUST_CHECK;
/* The text of a note that bears a valid signature of `verifier`. ERR_SYNTAX: no note; ERR_CRYPTO: no signature of that key, or a wrong one;
 * told in `diag`. Borrows from `note`. */
enum err note_open(struct str note, const struct note_verifier *verifier, struct str *ret_text, struct diag *diag) MUST_CHECK;
/* The same; appends the first line that this key signed to `line` (NULL: not wanted), and with a witness's key gives the time it vouches
 * for there (a log's: 0). ERR_NOT_FOUND: no line is of this key. */
enum err note_open_line(struct str note, const struct note_verifier *verifier, struct str *ret_text, struct buf *line, int64_t *ret_time_s,
    struct diag *diag) MUST_CHECK;
/* The text of a note, whoever signed it. ERR_SYNTAX. Borrows. */
enum err note_text(struct str note, struct str *ret_text, struct diag *diag) MUST_CHECK;

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
