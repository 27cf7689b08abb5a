/*
 * Signed notes and checkpoints. See ledger/note.h.
 */
#include "ledger/note.h"

#include <inttypes.h>
#include <string.h>

#define KEY_TYPE_ED25519 1
#define DASH "\xe2\x80\x94 " /* em dash, space */

/* ---- small readers ---- */

enum err note_parse_number(struct str text, uint64_t *ret_number)
{
    if (text.len > 1 && text.ptr[0] == '0')
        return ERR_SYNTAX;
    return str_to_u64(text, ret_number);
}

enum err note_parse_hash(struct str text, struct sha256 *ret_hash)
{
    if (text.len != 44)
        return ERR_SYNTAX;
    struct buf bytes;
    buf_init(&bytes, 64);
    enum err err = crypto_unbase64(text, &bytes);
    if (!err && bytes.len != sizeof ret_hash->bytes)
        err = ERR_SYNTAX;
    if (!err)
        memcpy(ret_hash->bytes, bytes.ptr, sizeof ret_hash->bytes);
    buf_finish(&bytes);
    return err;
}

bool note_next_line(struct str *rest, struct str *ret_line)
{
    return str_cut(*rest, '\n', ret_line, rest);
}

/* The code point at `at` of valid UTF-8; *ret_len is its length in bytes. */
static uint32_t code_point(struct str s, size_t at, size_t *ret_len)
{
    uint8_t lead = (uint8_t)s.ptr[at];
    size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t code = len == 1 ? lead : lead & (0x7fu >> len);
    for (size_t i = 1; i < len; i++)
        code = code << 6 | ((uint8_t)s.ptr[at + i] & 0x3f);
    *ret_len = len;
    return code;
}

static bool is_space(uint32_t code) /* White_Space of Unicode 15 */
{
    return (code >= 0x09 && code <= 0x0d) || code == 0x20 || code == 0x85 || code == 0xa0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool note_is_key_name(struct str name)
{
    if (name.len == 0 || !str_is_utf8(name))
        return false;
    for (size_t at = 0, len; at < name.len; at += len) {
        uint32_t code = code_point(name, at, &len);
        if (code == '+' || is_space(code))
            return false;
    }
    return true;
}

/* ---- keys ---- */

enum err note_key_id(struct str name, const uint8_t public_key[32], uint32_t *ret_id)
{
    struct buf bytes;
    buf_init(&bytes, NOTE_MAX);
    buf_append_str(&bytes, name);
    buf_append_byte(&bytes, '\n');
    buf_append_byte(&bytes, KEY_TYPE_ED25519);
    buf_append(&bytes, public_key, 32);
    enum err err = bytes.err;
    if (!err) {
        struct sha256 hash = crypto_sha256(buf_str(&bytes));
        *ret_id = (uint32_t)hash.bytes[0] << 24 | (uint32_t)hash.bytes[1] << 16 | (uint32_t)hash.bytes[2] << 8 | hash.bytes[3];
    }
    buf_finish(&bytes);
    return err;
}

enum err note_vkey_write(struct str name, const uint8_t public_key[32], struct buf *out)
{
    uint32_t id;
    uint8_t key[33] = {KEY_TYPE_ED25519};
    if (!note_is_key_name(name))
        return ERR_RANGE;
    enum err err = note_key_id(name, public_key, &id);
    if (err)
        return err;
    memcpy(key + 1, public_key, 32);
    buf_append_str(out, name);
    buf_printf(out, "+%08" PRIx32 "+", id);
    crypto_base64((struct str){(const char *)key, sizeof key}, out);
    return out->err;
}

/* The Base64 part of a vkey: the type's byte, then the key. */
static enum err parse_key_bytes(struct str base64, uint8_t ret_key[32], struct diag *diag)
{
    struct buf bytes;
    buf_init(&bytes, 4096); /* keys of other types may be longer */
    enum err err = base64.len <= 4096 ? crypto_unbase64(base64, &bytes) : ERR_SYNTAX;
    if (err)
        diag_set(diag, err, NULL, 0, "the verifier key's last part is not Base64");
    else if (bytes.len == 0 || bytes.ptr[0] != KEY_TYPE_ED25519)
        err = diag_set(diag, ERR_UNSUPPORTED, NULL, 0, "the verifier key is not of type 1 (Ed25519), the only one known here");
    else if (bytes.len != 33)
        err = diag_set(diag, ERR_SYNTAX, NULL, 0, "an Ed25519 key has 32 bytes; this one has %zu", bytes.len - 1);
    else
        memcpy(ret_key, bytes.ptr + 1, 32);
    buf_finish(&bytes);
    return err;
}

enum err note_verifier_parse(struct str vkey, struct note_verifier *ret_verifier, struct diag *diag)
{
    struct str rest, id_text, key_text;
    struct note_verifier verifier;
    uint8_t id_bytes[4];
    if (!str_cut(vkey, '+', &verifier.name, &rest) || !str_cut(rest, '+', &id_text, &key_text))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the verifier key is not of the form NAME+ID+KEY");
    if (!note_is_key_name(verifier.name))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the verifier key's name is empty or holds a space");
    if (id_text.len != 8 || crypto_unhex(id_text, id_bytes, sizeof id_bytes))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the verifier key's id is not 8 hexadecimal digits");
    enum err err = parse_key_bytes(key_text, verifier.key, diag);
    if (!err)
        err = note_key_id(verifier.name, verifier.key, &verifier.id);
    if (err)
        return err;
    uint32_t id = (uint32_t)id_bytes[0] << 24 | (uint32_t)id_bytes[1] << 16 | (uint32_t)id_bytes[2] << 8 | id_bytes[3];
    if (id != verifier.id)
        return diag_set(
            diag, ERR_CRYPTO, NULL, 0, "the verifier key's id %08" PRIx32 " is not that of its name and key, %08" PRIx32, id, verifier.id);
    *ret_verifier = verifier;
    return ERR_OK;
}

/* ---- notes ---- */

enum err note_sign(struct str text, struct str name, const struct crypto_key *key, struct buf *out)
{
    uint8_t public_key[32], bytes[4 + 64];
    uint32_t id;
    if (!note_is_key_name(name) || !str_ends_with(text, STR("\n")))
        return ERR_RANGE;
    crypto_key_public(key, public_key);
    enum err err = note_key_id(name, public_key, &id);
    if (!err)
        err = crypto_sign(key, text, bytes + 4);
    if (err)
        return err;
    for (size_t i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(id >> (24 - 8 * i));
    buf_append_str(out, text);
    buf_append_c(out, "\n" DASH);
    buf_append_str(out, name);
    buf_append_byte(out, ' ');
    crypto_base64((struct str){(const char *)bytes, sizeof bytes}, out);
    buf_append_byte(out, '\n');
    return out->err;
}

/* Splits at the last empty line; the text keeps its newline. */
static bool split(struct str note, struct str *ret_text, struct str *ret_signatures)
{
    for (size_t at = note.len; at >= 2; at--) {
        if (note.ptr[at - 1] != '\n' || note.ptr[at - 2] != '\n')
            continue;
        *ret_text = str_slice(note, 0, at - 1);
        *ret_signatures = str_slice(note, at, note.len);
        return ret_signatures->len > 0 && str_ends_with(*ret_signatures, STR("\n"));
    }
    return false;
}

static bool has_control_bytes(struct str note)
{
    for (size_t i = 0; i < note.len; i++)
        if ((uint8_t)note.ptr[i] < 0x20 && note.ptr[i] != '\n')
            return true;
    return false;
}

/* One signature line. *ret_is_valid: it is of this key, and right. ERR_CRYPTO: of this key, and wrong. */
static enum err check_line(struct str line, struct str text, const struct note_verifier *verifier, struct buf *bytes, bool *ret_is_valid)
{
    struct str name, base64;
    *ret_is_valid = false;
    if (!str_starts_with(line, STR(DASH)) || !str_cut(str_slice(line, sizeof DASH - 1, line.len), ' ', &name, &base64) ||
        !note_is_key_name(name))
        return ERR_SYNTAX;
    buf_reset(bytes);
    enum err err = crypto_unbase64(base64, bytes);
    if (!err && bytes->len < 5)
        err = ERR_SYNTAX;
    if (err)
        return err;
    const uint8_t *p = (const uint8_t *)bytes->ptr;
    uint32_t id = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    if (id != verifier->id || !str_equal(name, verifier->name))
        return ERR_OK;
    if (bytes->len != 4 + 64)
        return ERR_CRYPTO;
    err = crypto_verify(verifier->key, text, p + 4);
    *ret_is_valid = !err;
    return err;
}

enum err note_open(struct str note, const struct note_verifier *verifier, struct str *ret_text, struct diag *diag)
{
    struct str text, signatures, line;
    if (note.len > NOTE_MAX || has_control_bytes(note) || !str_is_utf8(note) || !split(note, &text, &signatures))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "this is no signed note: a text, an empty line, then signature lines");
    struct buf bytes;
    buf_init(&bytes, NOTE_MAX);
    enum err err = ERR_OK;
    bool is_signed = false;
    int n = 0;
    while (!err && note_next_line(&signatures, &line)) {
        bool is_valid;
        err = ++n > NOTE_SIGNATURES_MAX ? ERR_SYNTAX : check_line(line, text, verifier, &bytes, &is_valid);
        is_signed |= !err && is_valid;
    }
    buf_finish(&bytes);
    if (err == ERR_SYNTAX)
        return diag_set(diag, err, NULL, 0, "signature line %d of the note is malformed", n);
    if (err == ERR_CRYPTO)
        return diag_set(diag, err, NULL, 0, "the signature of \"" STR_FORMAT "\" is wrong: the note was changed, or another key signed it",
            STR_ARG(verifier->name));
    if (err)
        return err;
    if (!is_signed)
        return diag_set(diag, ERR_CRYPTO, NULL, 0, "no signature is of the key \"" STR_FORMAT "\" (%08" PRIx32 ")", STR_ARG(verifier->name),
            verifier->id);
    *ret_text = text;
    return ERR_OK;
}

/* ---- checkpoints ---- */

void checkpoint_write(const struct checkpoint *checkpoint, struct buf *out)
{
    buf_append_str(out, checkpoint->origin);
    buf_printf(out, "\n%" PRIu64 "\n", checkpoint->size);
    crypto_base64((struct str){(const char *)checkpoint->root.bytes, sizeof checkpoint->root.bytes}, out);
    buf_append_byte(out, '\n');
}

enum err checkpoint_parse(struct str text, struct checkpoint *ret_checkpoint, struct diag *diag)
{
    struct checkpoint checkpoint;
    struct str size, root, line;
    if (!note_next_line(&text, &checkpoint.origin) || !note_next_line(&text, &size) || !note_next_line(&text, &root))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "a checkpoint has at least three lines: origin, size, root");
    if (checkpoint.origin.len == 0)
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the checkpoint's first line, its origin, is empty");
    if (note_parse_number(size, &checkpoint.size))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the checkpoint's second line is not a tree size");
    enum err err = note_parse_hash(root, &checkpoint.root);
    if (err)
        return diag_set(diag, err, NULL, 0, "the checkpoint's third line is not a root hash in Base64");
    while (note_next_line(&text, &line))
        if (line.len == 0)
            return diag_set(diag, ERR_SYNTAX, NULL, 0, "an extension line of the checkpoint is empty");
    if (text.len > 0)
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the checkpoint does not end with a newline");
    *ret_checkpoint = checkpoint;
    return ERR_OK;
}
