/*
 * Signed notes and checkpoints. See ledger/note.h.
 */
#include "ledger/note.h"

#include <inttypes.h>
#include <string.h>

#define DASH "\xe2\x80\x94 "        /* em dash, space */
#define COSIGNATURE_LENGTH (8 + 64) /* POSIX seconds, big-endian; Ed25519 */

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

/* A key as it stands in a vkey and in what its id is made of: the type's byte, with SM2 its name, the key. */
static void put_key(enum note_type type, const uint8_t *public_key, struct buf *out)
{
    buf_append_byte(out, (char)type);
    if (type == NOTE_SM2)
        buf_append_c(out, NOTE_SM2_NAME);
    buf_append(out, public_key, type == NOTE_SM2 ? 65 : 32);
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

enum err note_key_id(struct str name, enum note_type type, const uint8_t *public_key, uint32_t *ret_id)
{
    struct buf bytes;
    buf_init(&bytes, NOTE_MAX);
    buf_append_str(&bytes, name);
    buf_append_byte(&bytes, '\n');
    put_key(type, public_key, &bytes);
    enum err err = bytes.err;
    if (!err)
        *ret_id = get_u32(crypto_sha256(buf_str(&bytes)).bytes);
    buf_finish(&bytes);
    return err;
}

static enum err write_vkey(struct str name, enum note_type type, const uint8_t *public_key, struct buf *out)
{
    uint32_t id;
    struct buf key;
    if (!note_is_key_name(name))
        return ERR_RANGE;
    enum err err = note_key_id(name, type, public_key, &id);
    if (err)
        return err;
    buf_init(&key, 256);
    put_key(type, public_key, &key);
    buf_append_str(out, name);
    buf_printf(out, "+%08" PRIx32 "+", id);
    crypto_base64(buf_str(&key), out);
    err = key.err;
    buf_finish(&key);
    return err ? err : out->err;
}

enum err note_vkey_write(struct str name, const uint8_t public_key[32], struct buf *out)
{
    return write_vkey(name, NOTE_LOG, public_key, out);
}

enum err note_witness_vkey_write(struct str name, const uint8_t public_key[32], struct buf *out)
{
    return write_vkey(name, NOTE_WITNESS, public_key, out);
}

enum err note_sm2_vkey_write(struct str name, const struct sign_key *key, struct buf *out)
{
    struct sign_public public_key;
    sign_key_public(key, &public_key);
    return public_key.algorithm == SIGN_SM2 ? write_vkey(name, NOTE_SM2, public_key.bytes, out) : ERR_UNSUPPORTED;
}

/* The Base64 part of a vkey: the type's byte, then the key. A log's key may be either of the two; *type becomes what it is. */
static enum err parse_key_bytes(struct str base64, enum note_type *type, uint8_t ret_key[SIGN_PUBLIC_MAX], struct diag *diag)
{
    static const struct str sm2 = STR_INIT("\xff" NOTE_SM2_NAME);
    struct buf bytes;
    buf_init(&bytes, 4096); /* keys of other types may be longer */
    enum err err = base64.len <= 4096 ? crypto_unbase64(base64, &bytes) : ERR_SYNTAX;
    struct str key = buf_str(&bytes);
    if (!err && *type == NOTE_LOG && str_starts_with(key, sm2))
        *type = NOTE_SM2;
    size_t head = *type == NOTE_SM2 ? sm2.len : 1, wanted = *type == NOTE_SM2 ? 65 : 32;
    if (err)
        diag_set(diag, err, NULL, 0, "the verifier key's last part is not Base64");
    else if (key.len == 0 || (*type != NOTE_SM2 && key.ptr[0] != (char)*type))
        err = diag_set(diag, ERR_UNSUPPORTED, NULL, 0, "the verifier key is not of type %d, %s", (int)*type,
            *type == NOTE_LOG ? "a log's (Ed25519), nor of SM2's, the only ones known here" : "a witness's (Ed25519 cosignatures)");
    else if (key.len - head != wanted)
        err = diag_set(diag, ERR_SYNTAX, NULL, 0, "an %s key has %zu bytes; this one has %zu", wanted == 32 ? "Ed25519" : "SM2", wanted,
            key.len - head);
    else
        memcpy(ret_key, key.ptr + head, wanted);
    buf_finish(&bytes);
    return err;
}

static enum err parse_vkey(struct str vkey, enum note_type type, struct note_verifier *ret_verifier, struct diag *diag)
{
    struct str rest, id_text, key_text;
    struct note_verifier verifier = {.type = type};
    uint8_t id_bytes[4];
    if (!str_cut(vkey, '+', &verifier.name, &rest) || !str_cut(rest, '+', &id_text, &key_text))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the verifier key is not of the form NAME+ID+KEY");
    if (!note_is_key_name(verifier.name))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the verifier key's name is empty or holds a space");
    if (id_text.len != 8 || crypto_unhex(id_text, id_bytes, sizeof id_bytes))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the verifier key's id is not 8 hexadecimal digits");
    enum err err = parse_key_bytes(key_text, &verifier.type, verifier.key, diag);
    if (!err)
        err = note_key_id(verifier.name, verifier.type, verifier.key, &verifier.id);
    if (err)
        return err;
    uint32_t id = get_u32(id_bytes);
    if (id != verifier.id)
        return diag_set(
            diag, ERR_CRYPTO, NULL, 0, "the verifier key's id %08" PRIx32 " is not that of its name and key, %08" PRIx32, id, verifier.id);
    *ret_verifier = verifier;
    return ERR_OK;
}

enum err note_verifier_parse(struct str vkey, struct note_verifier *ret_verifier, struct diag *diag)
{
    return parse_vkey(vkey, NOTE_LOG, ret_verifier, diag);
}

enum err note_witness_parse(struct str vkey, struct note_verifier *ret_verifier, struct diag *diag)
{
    return parse_vkey(vkey, NOTE_WITNESS, ret_verifier, diag);
}

/* ---- signing ---- */

static void put_u32(uint32_t number, uint8_t out[4])
{
    for (size_t i = 0; i < 4; i++)
        out[i] = (uint8_t)(number >> (24 - 8 * i));
}

static void put_line(struct str name, const uint8_t *bytes, size_t len, struct buf *out)
{
    buf_append_c(out, DASH);
    buf_append_str(out, name);
    buf_append_byte(out, ' ');
    crypto_base64((struct str){(const char *)bytes, len}, out);
    buf_append_byte(out, '\n');
}

/* The note of a text with one signature. */
static enum err write_note(
    struct str text, struct str name, enum note_type type, const uint8_t *public_key, const uint8_t signature[64], struct buf *out)
{
    uint8_t bytes[4 + 64];
    uint32_t id;
    enum err err = note_key_id(name, type, public_key, &id);
    if (err)
        return err;
    put_u32(id, bytes);
    memcpy(bytes + 4, signature, 64);
    buf_append_str(out, text);
    buf_append_byte(out, '\n');
    put_line(name, bytes, sizeof bytes, out);
    return out->err;
}

enum err note_sign(struct str text, struct str name, const struct crypto_key *key, struct buf *out)
{
    uint8_t public_key[32], signature[64];
    if (!note_is_key_name(name) || !str_ends_with(text, STR("\n")))
        return ERR_RANGE;
    crypto_key_public(key, public_key);
    enum err err = crypto_sign(key, text, signature);
    return err ? err : write_note(text, name, NOTE_LOG, public_key, signature, out);
}

enum err note_sign_sm2(struct str text, struct str name, const struct sign_key *key, struct buf *out)
{
    struct sign_public public_key;
    uint8_t signature[SIGN_SIGNATURE_LEN];
    sign_key_public(key, &public_key);
    if (!note_is_key_name(name) || !str_ends_with(text, STR("\n")) || public_key.algorithm != SIGN_SM2)
        return ERR_RANGE;
    enum err err = sign_make(key, text, signature);
    return err ? err : write_note(text, name, NOTE_SM2, public_key.bytes, signature, out);
}

/* What a witness signs: when, and the whole text. */
static void put_cosigned(struct str text, int64_t time_s, struct buf *out)
{
    buf_printf(out, "cosignature/v1\ntime %" PRId64 "\n", time_s);
    buf_append_str(out, text);
}

enum err note_cosign(struct str text, struct str name, const struct crypto_key *key, int64_t time_s, struct buf *out)
{
    uint8_t public_key[32], bytes[4 + COSIGNATURE_LENGTH];
    uint32_t id;
    struct buf message;
    if (!note_is_key_name(name) || !str_ends_with(text, STR("\n")) || time_s < 0)
        return ERR_RANGE;
    crypto_key_public(key, public_key);
    buf_init(&message, NOTE_MAX + 64);
    put_cosigned(text, time_s, &message);
    enum err err = message.err;
    if (!err)
        err = note_key_id(name, NOTE_WITNESS, public_key, &id);
    if (!err)
        err = crypto_sign(key, buf_str(&message), bytes + 4 + 8);
    buf_finish(&message);
    if (err)
        return err;
    put_u32(id, bytes);
    put_u32((uint32_t)((uint64_t)time_s >> 32), bytes + 4);
    put_u32((uint32_t)time_s, bytes + 8);
    put_line(name, bytes, sizeof bytes, out);
    return out->err;
}

/* ---- opening ---- */

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

/* The signature proper, without its key id. ERR_CRYPTO. */
static enum err check_signature(
    const struct note_verifier *verifier, struct str text, const uint8_t *signature, size_t len, int64_t *ret_time_s)
{
    if (verifier->type == NOTE_LOG) {
        *ret_time_s = 0;
        return len == 64 ? crypto_verify(verifier->key, text, signature) : ERR_CRYPTO;
    }
    if (verifier->type == NOTE_SM2) {
        struct sign_public public_key = {.algorithm = SIGN_SM2, .len = 65};
        memcpy(public_key.bytes, verifier->key, 65);
        *ret_time_s = 0;
        return len == SIGN_SIGNATURE_LEN ? sign_check(&public_key, text, signature) : ERR_CRYPTO;
    }
    if (len != COSIGNATURE_LENGTH || signature[0] > 0x7f) /* the time has 63 bits */
        return ERR_CRYPTO;
    struct buf message;
    *ret_time_s = (int64_t)((uint64_t)get_u32(signature) << 32 | get_u32(signature + 4));
    buf_init(&message, NOTE_MAX + 64);
    put_cosigned(text, *ret_time_s, &message);
    enum err err = message.err ? message.err : crypto_verify(verifier->key, buf_str(&message), signature + 8);
    buf_finish(&message);
    return err;
}

/* One signature line. *ret_is_valid: it is of this key, and right. ERR_CRYPTO: of this key, and wrong. */
static enum err check_line(
    struct str line, struct str text, const struct note_verifier *verifier, struct buf *bytes, bool *ret_is_valid, int64_t *ret_time_s)
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
    if (get_u32(p) != verifier->id || !str_equal(name, verifier->name))
        return ERR_OK;
    err = check_signature(verifier, text, p + 4, bytes->len - 4, ret_time_s);
    *ret_is_valid = !err;
    return err;
}

static enum err open_note(struct str note, struct str *ret_text, struct str *ret_signatures, struct diag *diag)
{
    if (note.len > NOTE_MAX || has_control_bytes(note) || !str_is_utf8(note) || !split(note, ret_text, ret_signatures))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "this is no signed note: a text, an empty line, then signature lines");
    return ERR_OK;
}

enum err note_text(struct str note, struct str *ret_text, struct diag *diag)
{
    struct str text = STR_NONE, signatures;
    enum err err = open_note(note, &text, &signatures, diag);
    if (!err)
        *ret_text = text;
    return err;
}

/* Tells which signature failed, and how. */
static enum err tell_signature(enum err err, int n, const struct note_verifier *verifier, struct diag *diag)
{
    if (err == ERR_SYNTAX)
        return diag_set(diag, err, NULL, 0, "signature line %d of the note is malformed", n);
    if (err == ERR_CRYPTO)
        return diag_set(diag, err, NULL, 0, "the signature of \"" STR_FORMAT "\" is wrong: the note was changed, or another key signed it",
            STR_ARG(verifier->name));
    return err;
}

enum err note_open_line(struct str note, const struct note_verifier *verifier, struct str *ret_text, struct buf *line_out,
    int64_t *ret_time_s, struct diag *diag)
{
    struct str text = STR_NONE, signatures = STR_NONE, line = STR_NONE, first = STR_NONE;
    enum err err = open_note(note, &text, &signatures, diag);
    if (err)
        return err;
    struct buf bytes;
    buf_init(&bytes, NOTE_MAX);
    int64_t time_s = 0;
    int n = 0;
    while (!err && note_next_line(&signatures, &line)) {
        bool is_valid;
        int64_t line_time_s;
        err = ++n > NOTE_SIGNATURES_MAX ? ERR_SYNTAX : check_line(line, text, verifier, &bytes, &is_valid, &line_time_s);
        if (err || !is_valid || first.len > 0)
            continue;
        first = (struct str){line.ptr, line.len + 1}; /* with its newline */
        time_s = line_time_s;
    }
    buf_finish(&bytes);
    if (err)
        return tell_signature(err, n, verifier, diag);
    if (first.len == 0)
        return diag_set(diag, ERR_NOT_FOUND, NULL, 0, "no signature is of the key \"" STR_FORMAT "\" (%08" PRIx32 ")",
            STR_ARG(verifier->name), verifier->id);
    if (line_out)
        buf_append_str(line_out, first);
    if (line_out && line_out->err)
        return line_out->err;
    *ret_text = text;
    *ret_time_s = time_s;
    return ERR_OK;
}

enum err note_open(struct str note, const struct note_verifier *verifier, struct str *ret_text, struct diag *diag)
{
    int64_t time_s;
    enum err err = note_open_line(note, verifier, ret_text, NULL, &time_s, diag);
    return err == ERR_NOT_FOUND ? ERR_CRYPTO : err;
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
