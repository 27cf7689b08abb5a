/*
 * The hub's door for programs and screens: HTTP and JSON (docs/hub.md; schemas of what is taken and answered: door.schema.json). Who asks
 * is known before a handler runs; what it may ask is the contracts' affair. What is denied and what does not exist look the same, but for
 * the consumer of the contract, who is told the rule.
 *
 * The ledger's tiles, proofs and key are public: they hold no personal data, and their worth is that strangers check them.
 */
#include "base/log.h"
#include "http/server.h"
#include "hub/desk.h"
#include "hub/note.h"
#include "hub/object_parts.h"
#include "hub/problem.h"
#include "hub/terms.h"
#include "hub/uses_inside.h"
#include "ledger/retention.h"
#include "ledger/tile.h"
#include "ledger/verify.h"

#include <stdio.h>
#include <string.h>

#define CALL_BODY_MAX 65536
#define LIST_MAX (32u << 20)
#define LOOK_MS 250 /* how soon a call ends whose asker has gone */
#define PROOF_MAX 65536

_Static_assert(HUB_USES_JSON_MAX <= VERIFY_FILE_MAX, "what is given out can be verified");
_Static_assert(HUB_USES_JSON_MAX >= 6 * LEDGER_LEAF_MAX + PROOF_MAX, "the longest leaf, all of it escaped, with its proof");

void hub_reply_refusal(struct http_exchange *x, const struct hub_refusal *refusal)
{
    struct http_problem problem = hub_problem_of(refusal);
    http_reply_problem(x, problem.status, problem.detail, problem.rule);
}

void *hub_door_begin(struct http_exchange *x, size_t size, struct str *ret_resource)
{
    void *asking = arena_alloc_zero(http_arena(x), 1, size);
    if (asking && !arena_printf(http_arena(x), ret_resource, STR_FORMAT "/" STR_FORMAT "/" STR_FORMAT, STR_ARG(http_param(x, "area")),
                      STR_ARG(http_param(x, "party")), STR_ARG(http_param(x, "name"))))
        return asking;
    http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
    return NULL;
}

/* ---- POST /hub/v1/call/{area}/{party}/{name} ---- */

struct calling {
    struct hub_call call;
    struct http_exchange *x;
    struct loop_timer look;
};

/* It takes long: is its asker still there? */
static void look(struct loop_timer *timer)
{
    struct calling *calling = container_of(timer, struct calling, look);
    if (http_is_gone(calling->x))
        atomic_store(&calling->call.is_cancelled, true);
    else if (loop_timer_start(calling->call.loop, timer, LOOK_MS))
        log_write(LOG_WARNING, "hub", "a call's asker cannot be looked at", LOG_END);
}

static void call_done(struct hub_call *call)
{
    static const char head[] = "{\"rows\":", middle[] = ",\"truncated\":", tail[] = ",\"receipt\":\"";
    struct calling *calling = call->context;
    struct http_exchange *x = calling->x;
    loop_timer_stop(&calling->look);
    if (call->refusal.err) {
        hub_reply_refusal(x, &call->refusal);
        return;
    }
    struct str truncated = call->is_truncated ? STR("true") : STR("false"), receipt = str_from_c(call->receipt);
    struct buf body;
    buf_init(&body, call->json.len + 512);
    char *at = buf_reserve(&body, call->json.len + 512);
    if (!at) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    buf_append(&body, head, sizeof head - 1);
    buf_append_str(&body, call->json);
    buf_append(&body, middle, sizeof middle - 1);
    buf_append_str(&body, truncated);
    buf_append(&body, tail, sizeof tail - 1);
    buf_append_str(&body, receipt);
    buf_append(&body, "\"}", 2);
    http_reply_json(x, 200, buf_str(&body));
    buf_finish(&body);
}

static struct str text_of(const json_t *json)
{
    return (struct str){json_string_value(json), json_string_length(json)};
}

static enum err read_fields(struct arena *arena, const json_t *list, struct hub_call *call)
{
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > HUB_FIELDS_MAX)
        return ERR_SYNTAX;
    struct str *fields = arena_alloc_zero(arena, n + 1, sizeof *fields);
    if (!fields)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_string(item))
            return ERR_SYNTAX;
        fields[i] = text_of(item);
    }
    call->fields = fields;
    call->n_fields = n;
    return ERR_OK;
}

/* As the resource's field is declared; otherwise as JSON has it, and the call says later that the type is wrong: before the decision
 * nobody learns what a resource holds. */
static struct value key_value(const struct hub_resource *resource, struct str name, const json_t *json)
{
    struct value value = VALUE_NONE;
    int at = resource ? hub_field_find(resource, name) : -1;
    if (at >= 0 && json_to_value(json, resource->fields[at].type, &value) == ERR_OK)
        return value;
    if (json_is_string(json))
        return value_text(text_of(json));
    if (json_is_integer(json))
        return value_integer(json_integer_value(json));
    return VALUE_NONE;
}

static enum err read_key(struct arena *arena, const struct hub_resource *resource, json_t *object, struct hub_call *call)
{
    size_t n = json_object_size(object), at = 0;
    const char *key;
    json_t *item;
    if (!json_is_object(object) || n > HUB_FIELDS_MAX)
        return ERR_SYNTAX;
    struct str *names = arena_alloc_zero(arena, n + 1, sizeof *names);
    struct value *values = arena_alloc_zero(arena, n + 1, sizeof *values);
    if (!names || !values)
        return ERR_NO_MEMORY;
    json_object_foreach(object, key, item)
    {
        names[at] = str_from_c(key);
        values[at] = key_value(resource, names[at], item);
        at++;
    }
    call->key_names = names;
    call->key_values = values;
    call->n_keys = n;
    return ERR_OK;
}

/* What is wrong with the body; NULL: nothing. */
static const char *read_call(struct http_exchange *x, json_t *body, const struct hub_resource *resource, struct hub_call *call)
{
    static const char form[] = "the body is {\"purpose\":\"…\",\"key\":{…},\"fields\":[…]} and may have \"contract\"";
    size_t n_known = 3;
    json_t *contract = json_object_get(body, "contract");
    if (!json_is_object(body) || json_get_str(body, "purpose", &call->purpose))
        return form;
    if (contract) {
        n_known++;
        if (!json_is_string(contract))
            return "\"contract\" is a contract's name";
        call->contract = text_of(contract);
    }
    if (json_object_size(body) != n_known || !json_object_get(body, "key") || !json_object_get(body, "fields"))
        return form;
    if (read_fields(http_arena(x), json_object_get(body, "fields"), call))
        return "\"fields\" is a list of at most 64 names";
    if (read_key(http_arena(x), resource, json_object_get(body, "key"), call))
        return "\"key\" is an object of at most 64 members";
    return NULL;
}

static void handle_call(struct http_exchange *x, void *context)
{
    struct hub *hub = context;
    json_t *body;
    struct str resource;
    if (http_body_json(x, &body))
        return;
    struct calling *calling = hub_door_begin(x, sizeof *calling, &resource);
    if (!calling)
        return;
    struct hub_call *call = &calling->call;
    call->resource = resource;
    const char *wrong = read_call(x, body, hub_resource_find(hub, call->resource), call);
    if (wrong) {
        http_reply_problem(x, 400, str_from_c(wrong), -1);
        return;
    }
    calling->x = x;
    call->party = http_identity(x)->party;
    call->loop = http_loop(x);
    call->done = call_done;
    call->context = calling;
    calling->look.fn = look;
    if (loop_timer_start(call->loop, &calling->look, LOOK_MS))
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
    else
        hub_call_start(hub, call);
}

/* ---- GET /hub/v1/resources: what the asker offers or has a contract for ---- */

static void put_resource(struct json_writer *w, const struct hub_resource *resource)
{
    json_begin_object(w);
    hub_put_resource(w, resource);
    json_end_object(w);
}

static void reply_list(struct http_exchange *x, struct buf *out)
{
    if (out->err)
        http_reply_err(x, out->err, STR_NONE);
    else
        http_reply_json(x, 200, buf_str(out));
    buf_finish(out);
}

static void handle_resources(struct http_exchange *x, void *context)
{
    const struct hub *hub = context;
    struct str party = http_identity(x)->party;
    struct json_writer w;
    struct buf out;
    buf_init(&out, LIST_MAX);
    json_writer_init(&w, &out);
    json_begin_array(&w);
    for (size_t i = 0; i < hub->n_entries; i++) {
        const struct hub_resource *resource = &hub->entries[i]->resource;
        if (str_equal(resource->party, party) || hub_contract_first(hub, party, resource->name))
            put_resource(&w, resource);
    }
    json_end_array(&w);
    reply_list(x, &out);
}

/* ---- GET /hub/v1/opening/{index}: the salt of a leaf, for the parties of its use ---- */

static enum err read_leaf(struct hub *hub, uint64_t index, struct buf *bytes, json_t **ret_leaf)
{
    enum err err = ledger_leaf(hub->ledger, index, bytes);
    return err ? err : json_read(buf_str(bytes), NULL, ret_leaf);
}

/* Whose use it is: an intent names its parties, an outcome its intent. */
static enum err is_party_of(struct hub *hub, const json_t *leaf, struct str party)
{
    struct str provider, consumer, type;
    int64_t intent;
    json_t *other = NULL;
    struct buf bytes;
    enum err err = json_get_str(leaf, "type", &type);
    if (err)
        return err;
    if (str_equal(type, STR("intent"))) {
        if ((err = json_get_str(leaf, "provider", &provider)) || (err = json_get_str(leaf, "consumer", &consumer)))
            return err;
        return str_equal(provider, party) || str_equal(consumer, party) ? ERR_OK : ERR_NOT_FOUND;
    }
    if (!str_equal(type, STR("outcome")) || json_get_i64(leaf, "intent", &intent) || intent < 0)
        return ERR_NOT_FOUND;
    buf_init(&bytes, LEDGER_LEAF_MAX);
    err = read_leaf(hub, (uint64_t)intent, &bytes, &other);
    if (!err && (err = json_get_str(other, "type", &type)) == ERR_OK)
        err = str_equal(type, STR("intent")) ? is_party_of(hub, other, party) : ERR_NOT_FOUND;
    json_decref(other);
    buf_finish(&bytes);
    return err;
}

/* The salt from the day's epoch key and the leaf's nonce. ERR_NOT_FOUND: the key was erased. */
static enum err leaf_salt(struct hub *hub, const json_t *leaf, char hex[65])
{
    struct str nonce_hex;
    struct hub_epoch epoch;
    uint8_t nonce[16], salt[32];
    int64_t time_ms;
    enum err err = json_get_str(leaf, "nonce", &nonce_hex);
    if (!err)
        err = crypto_unhex(nonce_hex, nonce, sizeof nonce);
    if (!err)
        err = json_get_i64(leaf, "time_ms", &time_ms);
    if (!err)
        err = hub_epoch_read(hub, (struct wall_time){time_ms}, &epoch);
    if (err)
        return err;
    hub_salt(&epoch, nonce, salt);
    crypto_hex(salt, sizeof salt, hex);
    crypto_wipe(&epoch, sizeof epoch);
    return ERR_OK;
}

enum err hub_note_salt(const struct hub *hub, uint64_t index, char hex[65])
{
    struct buf bytes;
    struct str type;
    json_t *leaf = NULL;
    buf_init(&bytes, LEDGER_LEAF_MAX);
    enum err err = read_leaf((struct hub *)hub, index, &bytes, &leaf);
    if (!err && (json_get_str(leaf, "type", &type) != ERR_OK || !str_equal_c(type, "case")))
        err = ERR_NOT_FOUND;
    if (!err)
        err = leaf_salt((struct hub *)hub, leaf, hex);
    json_decref(leaf);
    buf_finish(&bytes);
    return err;
}

enum err hub_opening_write(struct hub *hub, uint64_t index, struct str party, struct buf *out)
{
    struct buf bytes;
    json_t *leaf = NULL;
    char salt[65];
    buf_init(&bytes, LEDGER_LEAF_MAX);
    enum err err = read_leaf(hub, index, &bytes, &leaf);
    if (!err)
        err = is_party_of(hub, leaf, party);
    if (err) {
        err = ERR_NOT_FOUND;
    } else if ((err = leaf_salt(hub, leaf, salt))) {
        err = err == ERR_NOT_FOUND ? ERR_STATE : err;
    } else {
        struct json_writer w;
        json_writer_init(&w, out);
        json_begin_object(&w);
        json_field_i64(&w, "index", (int64_t)index);
        json_field_c(&w, "salt", salt);
        json_key(&w, "leaf");
        json_put_raw(&w, buf_str(&bytes));
        json_end_object(&w);
        err = out->err;
    }
    json_decref(leaf);
    buf_finish(&bytes);
    return err;
}

void hub_reply_opening(struct http_exchange *x, enum err err, struct str json)
{
    if (err == ERR_NOT_FOUND) /* another's leaf and none look the same here; the leaf itself is public */
        http_reply_problem(x, 404, STR("there is no such leaf of a use of yours"), -1);
    else if (err)
        http_reply_problem(x, err == ERR_STATE ? 410 : 500, STR("the salt of that day was erased"), -1);
    else
        http_reply_json(x, 200, json);
}

static void reply_opening(struct http_exchange *x, struct hub *hub, uint64_t index)
{
    struct buf out;
    buf_init(&out, 2 * LEDGER_LEAF_MAX);
    enum err err = hub_opening_write(hub, index, http_identity(x)->party, &out);
    hub_reply_opening(x, err, buf_str(&out));
    buf_finish(&out);
}

static void handle_opening(struct http_exchange *x, void *context)
{
    uint64_t index;
    if (str_to_u64(http_param(x, "index"), &index))
        http_reply_problem(x, 404, STR("a leaf is named by its number"), -1);
    else
        reply_opening(x, context, index);
}

/* GET /hub/v1/outcome/{index}: the outcome of an object's use, by its intent. Another's and none look the same. */
static void handle_outcome(struct http_exchange *x, void *context)
{
    uint64_t index, outcome;
    enum err err = str_to_u64(http_param(x, "index"), &index) ? ERR_NOT_FOUND : hub_object_outcome(context, index, &outcome);
    if (err == ERR_BUSY) {
        http_add_header(x, "Retry-After", STR("1"));
        http_reply_problem(x, 409, STR("the use is not over, or its outcome is not durable yet"), -1);
    } else if (err) {
        http_reply_problem(x, 404, STR("it is none of the newest uses of objects; its outcome is in the ledger"), -1);
    } else {
        reply_opening(x, context, outcome);
    }
}

/* ---- the ledger's own files ---- */

static void reply_static(struct http_exchange *x, struct hub *hub, struct str path, const char *cache_control)
{
    char full[4096];
    int n = snprintf(full, sizeof full, "%s/" STR_FORMAT, ledger_static_dir(hub->ledger), STR_ARG(path));
    if (n < 0 || (size_t)n >= sizeof full)
        http_reply_err(x, ERR_NOT_FOUND, STR_NONE);
    else
        http_reply_file(x, full, cache_control);
}

static void handle_checkpoint(struct http_exchange *x, void *context)
{
    const struct hub *hub = context;
    struct buf note;
    buf_init(&note, PROOF_MAX);
    enum err err = ledger_checkpoint(hub->ledger, &note);
    if (err) {
        http_reply_err(x, err == ERR_BUSY ? ERR_NOT_FOUND : err, STR("the log has no checkpoint yet"));
    } else {
        http_add_header(x, "Cache-Control", STR("no-cache"));
        http_reply(x, 200, "text/plain; charset=utf-8", buf_str(&note));
    }
    buf_finish(&note);
}

static void reply_pruned(struct http_exchange *x)
{
    http_reply_problem(x, 410, STR("entries as old as this one are no longer served; the log still has and proves them, ask the city"), -1);
}

static void handle_tile(struct http_exchange *x, void *context)
{
    struct str rest = http_param(x, "rest"), path;
    if (!tile_is_path(rest) || arena_printf(http_arena(x), &path, "tile/" STR_FORMAT, STR_ARG(rest)))
        http_reply_problem(x, 404, STR("there is no such tile"), -1);
    else if (retention_is_pruned(rest, ledger_minimum(((struct hub *)context)->ledger)))
        reply_pruned(x);
    else
        reply_static(x, context, path, strstr(path.ptr, ".p/") ? "no-cache" : "public, max-age=31536000, immutable");
}

static void handle_proof(struct http_exchange *x, void *context)
{
    struct hub *hub = context;
    uint64_t index;
    struct buf proof;
    buf_init(&proof, PROOF_MAX);
    enum err err = str_to_u64(http_param(x, "index"), &index) ? ERR_NOT_FOUND : ledger_proof(hub->ledger, index, &proof);
    if (err == ERR_BUSY) {
        http_add_header(x, "Retry-After", STR("1"));
        http_reply_problem(x, 409, STR("the leaf is durable, its checkpoint comes within a second"), -1);
    } else if (err) {
        http_reply_err(x, err, STR("there is no such leaf"));
    } else {
        http_reply(x, 200, "text/plain; charset=utf-8", buf_str(&proof));
    }
    buf_finish(&proof);
}

/* All that `citybrain verify` needs, in one file (ledger/verify.h). */
enum err hub_receipt_write(struct hub *hub, uint64_t index, struct buf *out)
{
    uint8_t public_key[32];
    crypto_key_public(hub->ledger_key, public_key);
    enum err err = verify_write_receipt(hub->ledger, index, public_key, out);
    return !err && index < ledger_minimum(hub->ledger) ? ERR_STATE : err;
}

void hub_reply_receipt(struct http_exchange *x, enum err err, struct str json)
{
    if (err == ERR_BUSY) {
        http_add_header(x, "Retry-After", STR("1"));
        http_reply_problem(x, 409, STR("the leaf is durable, its checkpoint comes within a second"), -1);
    } else if (err == ERR_STATE) {
        reply_pruned(x);
    } else if (err) {
        http_reply_err(x, err, STR("there is no such leaf"));
    } else {
        http_reply_json(x, 200, json);
    }
}

static void handle_receipt(struct http_exchange *x, void *context)
{
    uint64_t index;
    struct buf receipt;
    buf_init(&receipt, HUB_USES_JSON_MAX);
    enum err err = str_to_u64(http_param(x, "index"), &index) ? ERR_NOT_FOUND : hub_receipt_write(context, index, &receipt);
    hub_reply_receipt(x, err, buf_str(&receipt));
    buf_finish(&receipt);
}

static void handle_vkey(struct http_exchange *x, void *context)
{
    struct hub *hub = context;
    uint8_t public_key[32];
    struct buf text;
    buf_init(&text, 1024);
    crypto_key_public(hub->ledger_key, public_key);
    enum err err = ledger_vkey(ledger_origin(hub->ledger), public_key, &text);
    if (err)
        http_reply_err(x, err, STR_NONE);
    else
        http_reply(x, 200, "text/plain; charset=utf-8", buf_str(&text));
    buf_finish(&text);
}

const struct http_route hub_routes[] = {
    {HTTP_POST, "/hub/v1/query", HTTP_SIGNED_IN, HUB_QUERY_BODY_MAX, hub_query_handle, "A SELECT over resources, each under its contract",
        .body = "Query", .answer = "Queried"},
    {HTTP_POST, "/hub/v1/call/{area}/{party}/{name}", HTTP_SIGNED_IN, CALL_BODY_MAX, handle_call,
        "Rows of a table by key, under a contract, with a receipt", .body = "Call", .answer = "Called"},
    {HTTP_GET, "/hub/v1/subscribe/{area}/{party}/{name}", HTTP_SIGNED_IN, 0, hub_subscribe_handle,
        "A stream's rows as server-sent events, under a contract, in windows with a receipt each", .media_type = "text/event-stream",
        .query = "purpose fields"},
    {HTTP_GET, "/hub/v1/resources", HTTP_SIGNED_IN, 0, handle_resources, "The resources that the asker offers or has a contract for",
        .answer = "Resources"},
    {HTTP_GET, "/hub/v1/opening/{index}", HTTP_SIGNED_IN, 0, handle_opening, "The salt of a leaf, for the parties of its use",
        .answer = "Opening"},
    {HTTP_GET, "/hub/v1/outcome/{index}", HTTP_SIGNED_IN, 0, handle_outcome,
        "The outcome of an object's use by its intent's number, with its salt, for the parties of the use", .answer = "Opening"},
    {HTTP_GET, "/log/v1/checkpoint", HTTP_PUBLIC, 0, handle_checkpoint, "The ledger's newest checkpoint (C2SP signed note)",
        .media_type = "text/plain"},
    {HTTP_GET, "/log/v1/tile/{rest...}", HTTP_PUBLIC, 0, handle_tile, "The ledger's tiles (C2SP tlog-tiles)",
        .media_type = "application/octet-stream"},
    {HTTP_GET, "/log/v1/proof/{index}", HTTP_PUBLIC, 0, handle_proof, "A leaf's proof of inclusion (C2SP tlog-proof)",
        .media_type = "text/plain"},
    {HTTP_GET, "/log/v1/receipt/{index}", HTTP_PUBLIC, 0, handle_receipt, "A leaf with its proof and the key: what citybrain verify reads",
        .answer = "Receipt"},
    {HTTP_GET, "/log/v1/vkey", HTTP_PUBLIC, 0, handle_vkey, "The ledger's verifier key (C2SP vkey)", .media_type = "text/plain"},
};
const size_t hub_n_routes = sizeof hub_routes / sizeof *hub_routes;

size_t hub_mounts(struct hub *hub, struct http_mount *mounts, size_t max)
{
    const struct http_mount own[] = {
        {.routes = hub_routes, .n_routes = hub_n_routes, .context = hub, .schemas = hub_schemas},
        {.routes = hub_object_routes, .n_routes = hub_n_object_routes, .context = hub},
        {.routes = hub_act_routes, .n_routes = hub_n_act_routes, .context = hub},
        {.routes = hub_catalog_routes, .n_routes = hub_n_catalog_routes, .context = hub},
        {.routes = hub_desk_routes, .n_routes = hub_n_desk_routes, .context = hub, .schemas = hub_desk_schemas},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (n++ < max)
            mounts[n - 1] = own[i];
    for (const struct hub_system *system = hub->systems; system; system = system->next)
        if (system->mount.n_routes && n++ < max)
            mounts[n - 1] = system->mount;
    return n;
}
