/*
 * Proving receipts offline. See ledger/verify.h.
 */
#include "ledger/verify.h"

#include "base/file.h"
#include "base/json.h"
#include "ledger/policy.h"
#include "ledger/proof.h"
#include "ledger/sm_log.h"

#include <inttypes.h>
#include <string.h>

/* The one check: leaf → proof → root → checkpoint → signature. *ret_checkpoint borrows from `proof_text`. */
static enum err check(struct str leaf, struct str proof_text, const struct note_verifier *verifier, uint64_t *ret_index,
    struct checkpoint *ret_checkpoint, struct diag *diag)
{
    struct proof proof;
    struct checkpoint checkpoint;
    struct str text;
    enum err err = proof_parse(proof_text, &proof, diag);
    if (!err)
        err = note_open(proof.checkpoint, verifier, &text, diag);
    if (!err)
        err = checkpoint_parse(text, &checkpoint, diag);
    if (err)
        return err;
    if (!str_equal(checkpoint.origin, verifier->name))
        return diag_set(diag, ERR_CRYPTO, NULL, 0, "the checkpoint is of log \"" STR_FORMAT "\", the key of \"" STR_FORMAT "\"",
            STR_ARG(checkpoint.origin), STR_ARG(verifier->name));
    enum merkle_hash by = verifier->type == NOTE_SM2 ? MERKLE_SM3 : MERKLE_SHA256;
    struct sha256 leaf_hash = merkle_leaf_hash_by(by, leaf);
    if (!merkle_check_inclusion_by(by, &proof.inclusion, proof.index, checkpoint.size, &leaf_hash, &checkpoint.root))
        return diag_set(diag, ERR_CRYPTO, NULL, 0,
            "the leaf is not entry %" PRIu64 " of the log's %" PRIu64 ": leaf, index or proof was changed", proof.index, checkpoint.size);
    *ret_index = proof.index;
    *ret_checkpoint = checkpoint;
    return ERR_OK;
}

enum err ledger_verify(struct str leaf, struct str proof, struct str vkey, uint64_t *ret_index, struct diag *diag)
{
    struct note_verifier verifier;
    struct checkpoint checkpoint;
    enum err err = note_verifier_parse(vkey, &verifier, diag);
    if (!err)
        err = check(leaf, proof, &verifier, ret_index, &checkpoint, diag);
    return err;
}

enum err ledger_vkey(struct str origin, const uint8_t public_key[32], struct buf *out)
{
    return note_vkey_write(origin, public_key, out);
}

/* ---- receipt files ---- */

struct receipt {
    struct str name, leaf, proof, vkey; /* borrow from the JSON */
    struct str origin;
    uint64_t index;
};

static enum err read_receipt(const json_t *json, struct receipt *ret_receipt, struct diag *diag)
{
    struct receipt receipt = {.vkey = STR_NONE};
    struct str index;
    if (!json_is_object(json))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "a receipt is a JSON object");
    if (json_get_str(json, "receipt", &receipt.name))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the receipt has no \"receipt\", its name as text");
    if (json_get_str(json, "leaf", &receipt.leaf))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the receipt has no \"leaf\" as text");
    if (json_get_str(json, "proof", &receipt.proof))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the receipt has no \"proof\" as text");
    enum err err = json_get_str(json, "vkey", &receipt.vkey);
    if (err && err != ERR_NOT_FOUND)
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the receipt's \"vkey\" is not text");
    if (!str_cut_last(receipt.name, '/', &receipt.origin, &index) || note_parse_number(index, &receipt.index))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the receipt's name is not of the form LOG/INDEX");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        if (strcmp(key, "receipt") && strcmp(key, "leaf") && strcmp(key, "proof") && strcmp(key, "vkey"))
            return diag_set(diag, ERR_SYNTAX, NULL, 0, "the receipt has a member \"%s\" that nothing here vouches for; remove it", key);
    }
    *ret_receipt = receipt;
    return ERR_OK;
}

/* The log's key: the one that was brought, the policy's, or else the file's own. */
static enum err find_key(const struct receipt *receipt, struct str vkey, const struct policy *policy, struct note_verifier *ret_verifier,
    bool *ret_is_from_file, struct diag *diag)
{
    const struct note_verifier *of_policy = policy ? policy_log(policy, receipt->origin) : NULL;
    *ret_is_from_file = vkey.len == 0 && !of_policy;
    if (vkey.len == 0 && policy && policy_has_logs(policy) && !of_policy)
        return diag_set(diag, ERR_CRYPTO, NULL, 0, "the log \"" STR_FORMAT "\" is none of the policy's", STR_ARG(receipt->origin));
    if (vkey.len == 0 && of_policy) {
        *ret_verifier = *of_policy;
        return ERR_OK;
    }
    if (vkey.len == 0)
        vkey = receipt->vkey;
    if (vkey.len == 0)
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the receipt has no \"vkey\"; give the log's verifier key");
    return note_verifier_parse(vkey, ret_verifier, diag);
}

static enum err check_quorum(const struct receipt *receipt, const struct policy *policy, struct diag *diag)
{
    struct proof proof = {.checkpoint = STR_NONE};
    enum err err = proof_parse(receipt->proof, &proof, diag);
    return err ? err : policy_check(policy, proof.checkpoint, diag);
}

static enum err check_receipt(
    const struct receipt *receipt, struct str vkey, const struct policy *policy, struct verify_report *report, struct diag *diag)
{
    struct note_verifier verifier;
    struct checkpoint checkpoint;
    uint64_t index;
    enum err err = find_key(receipt, vkey, policy, &verifier, &report->is_key_from_file, diag);
    if (!err)
        err = check(receipt->leaf, receipt->proof, &verifier, &index, &checkpoint, diag);
    if (!err && policy)
        err = check_quorum(receipt, policy, diag);
    if (err)
        return err;
    if (!str_equal(receipt->origin, checkpoint.origin) || receipt->index != index)
        return diag_set(diag, ERR_CRYPTO, NULL, 0,
            "the proof is of \"" STR_FORMAT "/%" PRIu64 "\", not of the receipt's name \"" STR_FORMAT "\"", STR_ARG(checkpoint.origin),
            index, STR_ARG(receipt->name));
    report->index = index;
    report->size = checkpoint.size;
    return ERR_OK;
}

void verify_receipt(struct str text, const char *name, struct str vkey, const struct policy *policy, struct verify_report *ret_report)
{
    struct receipt receipt = {.index = 0};
    struct diag cause = {""};
    json_t *json = NULL;
    *ret_report = (struct verify_report){.result = VERIFY_PROVEN};
    enum err err = text.len <= VERIFY_FILE_MAX ? json_read(text, &cause, &json) : ERR_TOO_LARGE;
    if (!err)
        err = read_receipt(json, &receipt, &cause);
    if (!err && str_to_c(receipt.name, ret_report->receipt, sizeof ret_report->receipt))
        err = diag_set(&cause, ERR_SYNTAX, NULL, 0, "the receipt's name is too long");
    if (!err)
        err = check_receipt(&receipt, vkey, policy, ret_report, &cause);
    if (json)
        json_decref(json);
    if (!err)
        return;
    ret_report->result = err == ERR_CRYPTO ? VERIFY_REFUSED : VERIFY_UNREADABLE;
    diag_set(&ret_report->diag, err, name, 0, "%s", cause.text[0] ? cause.text : err_text(err));
}

void verify_receipt_file(const char *path, struct str vkey, const struct policy *policy, struct verify_report *ret_report)
{
    struct buf text;
    buf_init(&text, VERIFY_FILE_MAX + 1);
    enum err err = file_read(path, &text);
    if (err) {
        *ret_report = (struct verify_report){.result = VERIFY_UNREADABLE};
        diag_set(&ret_report->diag, err, path, 0, "the receipt cannot be read (%s)", err_text(err));
    } else {
        verify_receipt(buf_str(&text), path, vkey, policy, ret_report);
    }
    buf_finish(&text);
}

/* Writes the parts as one file; each may have failed. */
static enum err write_receipt(
    struct str origin, uint64_t index, const struct buf *leaf, const struct buf *proof, const struct buf *vkey, struct buf *out)
{
    char name[320];
    struct json_writer writer;
    enum err err = leaf->err ? leaf->err : proof->err ? proof->err : vkey->err;
    if (err)
        return err;
    if (!str_is_utf8(buf_str(leaf)))
        return ERR_SYNTAX;
    snprintf(name, sizeof name, STR_FORMAT "/%" PRIu64, STR_ARG(origin), index);
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    json_field_c(&writer, "receipt", name);
    json_field_str(&writer, "leaf", buf_str(leaf));
    json_field_str(&writer, "proof", buf_str(proof));
    json_field_str(&writer, "vkey", buf_str(vkey));
    json_end_object(&writer);
    return out->err;
}

/* `public_key` NULL: of the parallel log. */
static enum err gather_receipt(struct ledger *ledger, uint64_t index, const uint8_t *public_key, struct buf *out)
{
    struct sm_log *sm_log = public_key ? NULL : ledger_sm_log(ledger);
    struct buf leaf, proof, vkey;
    if (!public_key && !sm_log)
        return ERR_NOT_FOUND;
    buf_init(&leaf, LEDGER_LEAF_MAX);
    buf_init(&proof, NOTE_MAX);
    buf_init(&vkey, NOTE_MAX);
    struct str origin = sm_log ? sm_log_origin(sm_log) : ledger_origin(ledger);
    enum err err = ledger_leaf(ledger, index, &leaf);
    if (!err)
        err = sm_log ? sm_log_proof(sm_log, index, &proof) : ledger_proof(ledger, index, &proof);
    if (sm_log && err == ERR_NOT_FOUND && leaf.len > 0)
        err = ERR_BUSY; /* it is there, and will be under a checkpoint in a moment */
    if (!err)
        err = sm_log ? sm_log_vkey(sm_log, &vkey) : ledger_vkey(origin, public_key, &vkey);
    if (!err)
        err = write_receipt(origin, index, &leaf, &proof, &vkey, out);
    buf_finish(&leaf);
    buf_finish(&proof);
    buf_finish(&vkey);
    return err;
}

enum err verify_write_receipt(struct ledger *ledger, uint64_t index, const uint8_t public_key[32], struct buf *out)
{
    return gather_receipt(ledger, index, public_key, out);
}

enum err verify_write_sm_receipt(struct ledger *ledger, uint64_t index, struct buf *out)
{
    return gather_receipt(ledger, index, NULL, out);
}
