/*
 * One question after the other, the first that fails answers: does the log hold the leaf; does the leaf speak of these terms, in force; did
 * both sides sign them. Nothing here asks a network, and nothing needs the hub.
 */
#include "hub/contract_verify.h"

#include "base/crypto.h"
#include "base/json.h"
#include "ledger/verify.h"

#include <stdio.h>
#include <string.h>

static const char prefix[] = "citybrain contract v1\n";

static void copy(char *out, size_t size, struct str s)
{
    snprintf(out, size, STR_FORMAT, STR_ARG(s));
}

static enum err canonical(const json_t *content, struct buf *out)
{
    return json_is_object(content) ? json_write_canonical(content, out) : ERR_SYNTAX;
}

enum err contract_file_message(struct str text, struct buf *out)
{
    json_t *file;
    enum err err = json_read(text, NULL, &file);
    if (err)
        return ERR_SYNTAX;
    buf_append(out, prefix, sizeof prefix - 1);
    err = canonical(json_object_get(file, "content"), out);
    json_decref(file);
    return err;
}

static int refuse(struct contract_verify *verify, const char *why)
{
    diag_set(&verify->diag, ERR_CRYPTO, NULL, 0, "%s", why);
    return VERIFY_REFUSED;
}

static int unreadable(struct contract_verify *verify, const char *why)
{
    diag_set(&verify->diag, ERR_SYNTAX, NULL, 0, "%s", why);
    return VERIFY_UNREADABLE;
}

/* The receipt file within the file: is its leaf in the log? */
static int check_receipt(struct contract_verify *verify, const json_t *receipt)
{
    struct verify_report report;
    struct buf text;
    if (!json_is_object(receipt))
        return unreadable(
            verify, "the file has no receipt: the contract was not in force yet when it was written, or it came from the city's files");
    buf_init(&text, VERIFY_FILE_MAX);
    enum err err = json_write_canonical(receipt, &text);
    if (!err)
        verify_receipt(buf_str(&text), "receipt", verify->vkey, NULL, &report);
    buf_finish(&text);
    if (err)
        return unreadable(verify, "the file's receipt cannot be read");
    verify->is_log_key_from_file = report.is_key_from_file;
    memcpy(verify->receipt, report.receipt, sizeof verify->receipt);
    if (report.result != VERIFY_PROVEN)
        verify->diag = report.diag;
    return report.result;
}

static int check_side(
    struct contract_verify *verify, const json_t *leaf, const char *side, const struct sign_public *expected, struct str message)
{
    const json_t *signature = json_object_get(json_object_get(leaf, "signatures"), side);
    struct sign_public key;
    struct str key_text, hex;
    uint8_t bytes[SIGN_SIGNATURE_LEN];
    char why[100];
    if (json_get_str(signature, "key", &key_text) || json_get_str(signature, "signature", &hex) || sign_public_read(key_text, &key) ||
        crypto_unhex(hex, bytes, sizeof bytes)) {
        snprintf(why, sizeof why, "the leaf holds no signature of the %s", side);
        return refuse(verify, why);
    }
    if (expected &&
        (expected->algorithm != key.algorithm || expected->len != key.len || memcmp(expected->bytes, key.bytes, key.len) != 0)) {
        snprintf(why, sizeof why, "the %s's key is not the one that its party declares", side);
        return refuse(verify, why);
    }
    if (sign_check(&key, message, bytes)) {
        snprintf(why, sizeof why, "the %s's signature is not good over these terms", side);
        return refuse(verify, why);
    }
    return VERIFY_PROVEN;
}

/* Does the leaf bring exactly these terms into force? */
static int check_leaf(struct contract_verify *verify, const json_t *leaf, const json_t *content)
{
    struct str type, contract, name, state, hash, s;
    struct buf message;
    char is[65];
    if (json_get_str(leaf, "type", &type) || !str_equal_c(type, "contract") || json_get_str(leaf, "contract", &contract) ||
        json_get_str(leaf, "state", &state) || json_get_str(leaf, "sha256", &hash))
        return refuse(verify, "the receipt is not of a contract");
    if (json_get_str(content, "contract", &name) || !str_equal(name, contract))
        return refuse(verify, "the receipt is of another contract");
    if (!str_equal_c(state, "agreed"))
        return refuse(verify, "the receipt is of a step that did not bring the contract into force");
    copy(verify->contract, sizeof verify->contract, contract);
    if (json_get_str(content, "provider", &s) == ERR_OK)
        copy(verify->provider, sizeof verify->provider, s);
    if (json_get_str(content, "consumer", &s) == ERR_OK)
        copy(verify->consumer, sizeof verify->consumer, s);
    buf_init(&message, CONTRACT_FILE_MAX);
    buf_append(&message, prefix, sizeof prefix - 1);
    int result = VERIFY_UNREADABLE;
    if (canonical(content, &message)) {
        result = unreadable(verify, "the contract's content cannot be read");
    } else {
        struct str all = buf_str(&message);
        struct sha256 digest = crypto_sha256(str_slice(all, sizeof prefix - 1, all.len));
        crypto_hex(digest.bytes, sizeof digest.bytes, is);
        result = str_equal_c(hash, is) ? check_side(verify, leaf, "provider", verify->provider_key, all)
                                       : refuse(verify, "the terms are not those that the leaf speaks of");
        if (result == VERIFY_PROVEN)
            result = check_side(verify, leaf, "consumer", verify->consumer_key, all);
    }
    buf_finish(&message);
    return result;
}

void contract_verify(struct str text, struct contract_verify *verify)
{
    json_t *file, *leaf = NULL;
    struct str leaf_text;
    struct diag diag = {""};
    if (json_read(text, &diag, &file)) {
        verify->result = unreadable(verify, "this is no contract in JSON; `citybrain contract show CONTRACT --json` writes one");
        return;
    }
    const json_t *receipt = json_object_get(file, "receipt");
    verify->result = check_receipt(verify, receipt);
    if (verify->result == VERIFY_PROVEN && (json_get_str(receipt, "leaf", &leaf_text) || json_read(leaf_text, NULL, &leaf)))
        verify->result = unreadable(verify, "the receipt's leaf cannot be read");
    if (verify->result == VERIFY_PROVEN)
        verify->result = check_leaf(verify, leaf, json_object_get(file, "content"));
    json_decref(leaf);
    json_decref(file);
}
