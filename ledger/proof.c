/*
 * A proof as text. See ledger/proof.h.
 */
#include "ledger/proof.h"

#include <inttypes.h>

#define MAGIC "c2sp.org/tlog-proof@v1"

void proof_write(const struct proof *proof, struct buf *out)
{
    buf_printf(out, MAGIC "\nindex %" PRIu64 "\n", proof->index);
    for (size_t i = 0; i < proof->inclusion.n; i++) {
        crypto_base64((struct str){(const char *)proof->inclusion.hashes[i].bytes, 32}, out);
        buf_append_byte(out, '\n');
    }
    buf_append_byte(out, '\n');
    buf_append_str(out, proof->checkpoint);
}

static enum err parse_index(struct str *rest, uint64_t *ret_index, struct diag *diag)
{
    struct str line, prefix = STR("index "), extra = STR("extra ");
    if (!note_next_line(rest, &line) || !str_equal_c(line, MAGIC))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the proof's first line is not \"" MAGIC "\"");
    bool has_line = note_next_line(rest, &line);
    if (has_line && str_starts_with(line, extra))
        has_line = note_next_line(rest, &line);
    if (!has_line || !str_starts_with(line, prefix) || note_parse_number(str_slice(line, prefix.len, line.len), ret_index))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the proof has no line \"index N\"");
    return ERR_OK;
}

enum err proof_parse(struct str text, struct proof *ret_proof, struct diag *diag)
{
    struct proof proof = {.inclusion = {.n = 0}};
    struct str line;
    if (text.len > NOTE_MAX)
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the proof is longer than %u bytes", NOTE_MAX);
    enum err err = parse_index(&text, &proof.index, diag);
    if (err)
        return err;
    for (;;) {
        if (!note_next_line(&text, &line))
            return diag_set(diag, ERR_SYNTAX, NULL, 0, "the proof ends before its checkpoint");
        if (line.len == 0)
            break;
        if (proof.inclusion.n == MERKLE_PROOF_MAX)
            return diag_set(diag, ERR_SYNTAX, NULL, 0, "the proof has more than %d hashes", MERKLE_PROOF_MAX);
        err = note_parse_hash(line, &proof.inclusion.hashes[proof.inclusion.n++]);
        if (err)
            return diag_set(diag, err, NULL, 0, "hash %zu of the proof is not 32 bytes in Base64", proof.inclusion.n);
    }
    proof.checkpoint = text;
    *ret_proof = proof;
    return ERR_OK;
}
