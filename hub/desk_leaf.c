/*
 * What is signed and what the ledger holds of a contract's step (docs/contract.md has both byte for byte). A leaf holds no personal data:
 * it names parties, never people.
 */
#include "hub/desk.h"

#include "base/json.h"

static const char prefix[] = "citybrain contract v1\n";

enum err hub_desk_message(const struct hub_contract *contract, struct buf *out)
{
    buf_append(out, prefix, sizeof prefix - 1);
    return hub_contract_content(contract, out);
}

static json_t *text(struct str s)
{
    return json_stringn(s.ptr ? s.ptr : "", s.len);
}

static json_t *signature_json(const struct hub_signature *signature)
{
    char key[SIGN_TEXT_MAX], hex[2 * SIGN_SIGNATURE_LEN + 1];
    json_t *object = json_object();
    sign_public_text(&signature->key, key);
    crypto_hex(signature->bytes, SIGN_SIGNATURE_LEN, hex);
    json_object_set_new(object, "key", json_string(key));
    json_object_set_new(object, "signature", json_string(hex));
    return object;
}

enum err hub_desk_leaf(const struct hub_contract *contract, const struct hub_signature *signatures, const char *event, const char *side,
    const char *state, int64_t now_ms, struct buf *out)
{
    char hash[65];
    json_t *leaf = json_object(), *signed_by = json_object();
    crypto_hex(contract->hash.bytes, sizeof contract->hash.bytes, hash);
    json_object_set_new(leaf, "type", json_string("contract"));
    json_object_set_new(leaf, "contract", text(contract->name));
    json_object_set_new(leaf, "provider", text(contract->terms.provider));
    json_object_set_new(leaf, "consumer", text(contract->terms.consumer));
    json_object_set_new(leaf, "resource", text(contract->terms.resource));
    json_object_set_new(leaf, "purpose", text(contract->purpose));
    json_object_set_new(leaf, "sha256", json_string(hash));
    json_object_set_new(leaf, "event", json_string(event));
    json_object_set_new(leaf, "by", json_string(side));
    json_object_set_new(leaf, "state", json_string(state));
    json_object_set_new(leaf, "time_ms", json_integer(now_ms));
    if (signatures[HUB_SIGNED_PROVIDER].is_there)
        json_object_set_new(signed_by, "provider", signature_json(&signatures[HUB_SIGNED_PROVIDER]));
    if (signatures[HUB_SIGNED_CONSUMER].is_there)
        json_object_set_new(signed_by, "consumer", signature_json(&signatures[HUB_SIGNED_CONSUMER]));
    if (json_object_size(signed_by) > 0)
        json_object_set(leaf, "signatures", signed_by);
    json_decref(signed_by);
    enum err err = json_write_canonical(leaf, out);
    json_decref(leaf);
    return err;
}
