/*
 * The hub's leaves in the ledger: intent, outcome, contract. Written directly in RFC 8785 form (keys in order, no blanks), because
 * 20,000 uses a second leave 40,000 of them: what a contract alone decides is prepared once, the rest is copied in between. An intent
 * takes 0.14 µs so, and 1.4 µs by base/json's writer: 5 % of a core at that rate (one HMAC is 0.5 µs). hub/call_test holds each leaf
 * against the canonical form.
 *
 * A leaf holds no personal data: the request and the answer only as commitments under a salt, the subject only as a pseudonym of the
 * day (docs/hub.md). Names are [a-z0-9_.-/], so nothing here needs escaping.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/desk.h"
#include "hub/note.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define RETRY_MS 20 /* the ledger's queue is full: about one batch's time */

/* ---- writing into a leaf; names are bounded, so that running over is a broken promise, not an input ---- */

static void put(struct hub_leaf *leaf, const void *bytes, size_t len)
{
    assert(len <= sizeof leaf->bytes - leaf->len);
    memcpy(leaf->bytes + leaf->len, bytes, len);
    leaf->len += len;
}

#define PUT(leaf_, literal_) put(leaf_, literal_, sizeof(literal_) - 1)

static void put_str(struct hub_leaf *leaf, struct str s)
{
    put(leaf, s.ptr, s.len);
}

static void put_hex(struct hub_leaf *leaf, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *byte = bytes;
    assert(2 * len <= sizeof leaf->bytes - leaf->len);
    char *out = leaf->bytes + leaf->len;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[byte[i] >> 4];
        out[2 * i + 1] = digits[byte[i] & 15];
    }
    leaf->len += 2 * len;
}

static void put_i64(struct hub_leaf *leaf, int64_t i)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t left = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (i < 0)
        digits[--at] = '-';
    put(leaf, digits + at, sizeof digits - at);
}

/* The same use in another hub's ledger; receipts have no characters that need escaping (district/ sees to it). */
static void put_twin(struct hub_leaf *leaf, struct str twin)
{
    if (str_is_empty(twin))
        return;
    PUT(leaf, ",\"twin\":\"");
    put_str(leaf, twin);
    PUT(leaf, "\"");
}

/* A nonce never repeats: a random half from the start of the program, a counter as the other. What makes a salt unguessable is the
 * epoch key, not the nonce. */
static void next_nonce(struct hub *hub, uint8_t nonce[16])
{
    uint64_t count = atomic_fetch_add_explicit(&hub->nonce_next, 1, memory_order_relaxed);
    memcpy(nonce, &hub->nonce_head, 8);
    memcpy(nonce + 8, &count, 8);
}

static struct sha256 commit(const uint8_t salt[32], const void *bytes, size_t len)
{
    return crypto_hmac_sha256((struct str){(const char *)salt, 32}, (struct str){bytes, len});
}

/* ---- intent ---- */

/* {"consumer":…,"contract":…,"contract_sha256":…,"fields_sha256":" | …","nonce":" | …","provider":…,"purpose":…,"request":" | …
 * ","resource":…,"rule":0 | ,"subject":…,"time_ms":…,"twin":…,"type":"intent","use":…} */
enum err hub_leaf_prepare(struct hub_contract *contract)
{
    struct arena *arena = contract->arena;
    char hash[65];
    crypto_hex(contract->hash.bytes, sizeof contract->hash.bytes, hash);
    enum err err = arena_printf(arena, &contract->leaf_head,
        "{\"consumer\":\"" STR_FORMAT "\",\"contract\":\"" STR_FORMAT "\",\"contract_sha256\":\"%s\",\"fields_sha256\":\"",
        STR_ARG(contract->terms.consumer), STR_ARG(contract->name), hash);
    if (!err)
        err =
            arena_printf(arena, &contract->leaf_middle, "\",\"provider\":\"" STR_FORMAT "\",\"purpose\":\"" STR_FORMAT "\",\"request\":\"",
                STR_ARG(contract->terms.provider), STR_ARG(contract->purpose));
    if (!err)
        err = arena_printf(
            arena, &contract->leaf_resource, "\",\"resource\":\"" STR_FORMAT "\",\"rule\":0", STR_ARG(contract->terms.resource));
    return err;
}

/* Of the canonical JSON list of the fields asked for, in their order. */
static struct sha256 hash_fields(const struct str *fields, size_t n)
{
    char text[HUB_FIELDS_MAX * 68 + 2];
    size_t len = 0;
    text[len++] = '[';
    for (size_t i = 0; i < n && fields[i].len <= 64; i++) {
        if (i)
            text[len++] = ',';
        text[len++] = '"';
        memcpy(text + len, fields[i].ptr, fields[i].len);
        len += fields[i].len;
        text[len++] = '"';
    }
    text[len++] = ']';
    return crypto_sha256((struct str){text, len});
}

struct str hub_request_write(struct buf *out, const struct hub_contract *contract, const struct str *fields, size_t n_fields, bool has_key)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "fields");
    json_begin_array(&w);
    for (size_t i = 0; i < n_fields; i++)
        json_put_str(&w, fields[i]);
    json_end_array(&w);
    if (has_key) {
        json_key(&w, "key");
        json_begin_object(&w);
        json_end_object(&w);
    }
    json_field_str(&w, "purpose", contract->terms.purpose);
    json_field_str(&w, "resource", contract->terms.resource);
    json_end_object(&w);
    return buf_str(out);
}

/* One as text, several as a list. */
static void put_subjects(struct hub_leaf *leaf, const struct hub_epoch *epoch, const struct str *subjects, size_t n)
{
    assert(n <= HUB_SUBJECTS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct sha256 subject = crypto_hmac_sha256((struct str){(const char *)epoch->subject_key, 32}, subjects[i]);
        put_str(leaf, i > 0 ? STR(",\"") : n > 1 ? STR(",\"subject\":[\"") : STR(",\"subject\":\""));
        put_hex(leaf, subject.bytes, sizeof subject.bytes);
        put_str(leaf, i + 1 == n && n > 1 ? STR("\"]") : STR("\""));
    }
}

enum err hub_leaf_intent(struct hub *hub, const struct hub_intent *intent, struct hub_leaf *leaf)
{
    const struct hub_contract *contract = intent->contract;
    const struct hub_epoch *epoch;
    uint8_t nonce[16];
    enum err err = hub_epoch_get(hub, intent->now, &epoch);
    if (err)
        return err;
    next_nonce(hub, nonce);
    hub_salt(epoch, nonce, leaf->salt);
    struct sha256 fields = hash_fields(intent->fields, intent->n_fields);
    struct sha256 request = commit(leaf->salt, intent->request.ptr, intent->request.len);

    leaf->len = 0;
    put_str(leaf, contract->leaf_head);
    put_hex(leaf, fields.bytes, sizeof fields.bytes);
    PUT(leaf, "\",\"nonce\":\"");
    put_hex(leaf, nonce, sizeof nonce);
    put_str(leaf, contract->leaf_middle);
    put_hex(leaf, request.bytes, sizeof request.bytes);
    put_str(leaf, contract->leaf_resource);
    put_subjects(leaf, epoch, intent->subjects, intent->n_subjects);
    PUT(leaf, ",\"time_ms\":");
    put_i64(leaf, intent->now.ms);
    put_twin(leaf, intent->twin);
    PUT(leaf, ",\"type\":\"intent\",\"use\":\"");
    put_str(leaf, str_from_c(intent->use));
    PUT(leaf, "\"}");
    return ERR_OK;
}

/* ---- outcome ---- */

const char *hub_outcome_status(enum err err)
{
    switch (err) {
    case ERR_OK:
        return "ok";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_TOO_LARGE:
        return "too_large";
    case ERR_FULL:
    case ERR_BUSY:
        return "busy";
    case ERR_CANCELLED:
        return "cancelled";
    case ERR_UNAVAILABLE:
        return "unavailable";
    case ERR_STATE:
        return "changed";
    case ERR_DENIED:
        return "ended";
    case ERR_NOT_FOUND:
        return "none";
    default:
        return "failed";
    }
}

enum err hub_leaf_outcome(struct hub *hub, const struct hub_outcome *outcome, struct hub_leaf *leaf)
{
    const struct hub_epoch *epoch;
    uint8_t nonce[16];
    enum err err = hub_epoch_get(hub, outcome->now, &epoch);
    if (err)
        return err;
    next_nonce(hub, nonce);
    hub_salt(epoch, nonce, leaf->salt);
    struct sha256 digest = outcome->has_digest ? commit(leaf->salt, outcome->digest.bytes, sizeof outcome->digest.bytes)
                                               : commit(leaf->salt, outcome->answer.ptr, outcome->answer.len);
    leaf->len = 0;
    PUT(leaf, "{");
    if (outcome->is_object) {
        PUT(leaf, "\"bytes\":");
        put_i64(leaf, (int64_t)outcome->n_bytes);
        PUT(leaf, ",");
    }
    PUT(leaf, "\"digest\":\"");
    put_hex(leaf, digest.bytes, sizeof digest.bytes);
    PUT(leaf, "\",\"duration_us\":");
    put_i64(leaf, outcome->duration_us);
    if (outcome->is_object) {
        PUT(leaf, ",\"first\":");
        put_i64(leaf, (int64_t)outcome->first);
    }
    PUT(leaf, ",\"intent\":");
    put_i64(leaf, (int64_t)outcome->intent);
    PUT(leaf, ",\"nonce\":\"");
    put_hex(leaf, nonce, sizeof nonce);
    PUT(leaf, "\",\"rows\":");
    put_i64(leaf, (int64_t)outcome->n_rows);
    PUT(leaf, ",\"status\":\"");
    put_str(leaf, str_from_c(outcome->status));
    PUT(leaf, "\",\"time_ms\":");
    put_i64(leaf, outcome->now.ms);
    if (outcome->is_object) {
        PUT(leaf, ",\"total\":");
        put_i64(leaf, (int64_t)outcome->total);
    }
    put_twin(leaf, outcome->twin);
    PUT(leaf, ",\"type\":\"outcome\"}");
    return ERR_OK;
}

/* ---- steps of cases ---- */

enum err hub_leaf_case(struct hub *hub, const struct hub_note *note, struct hub_leaf *leaf)
{
    const struct hub_epoch *epoch;
    uint8_t nonce[16];
    enum err err = hub_epoch_get(hub, clock_wall(hub->clock), &epoch);
    if (err)
        return err;
    next_nonce(hub, nonce);
    hub_salt(epoch, nonce, leaf->salt);
    struct sha256 words = commit(leaf->salt, note->committed.ptr, note->committed.len);
    leaf->len = 0;
    PUT(leaf, "{");
    if (!str_is_empty(note->by)) {
        struct sha256 by = crypto_hmac_sha256((struct str){(const char *)epoch->subject_key, 32}, note->by);
        PUT(leaf, "\"by\":\"");
        put_hex(leaf, by.bytes, sizeof by.bytes);
        PUT(leaf, "\",");
    }
    PUT(leaf, "\"case\":");
    put_i64(leaf, note->of);
    PUT(leaf, ",\"nonce\":\"");
    put_hex(leaf, nonce, sizeof nonce);
    PUT(leaf, "\",\"step\":");
    put_i64(leaf, note->step);
    PUT(leaf, ",\"time_ms\":");
    put_i64(leaf, note->time.ms);
    PUT(leaf, ",\"type\":\"case\",\"what\":\"");
    put_str(leaf, note->what);
    PUT(leaf, "\",\"words\":\"");
    put_hex(leaf, words.bytes, sizeof words.bytes);
    PUT(leaf, "\"}");
    return ERR_OK;
}

/* ---- leaves that nobody waits for ---- */

static void follow_submit(struct hub_follow *follow);

static void follow_retry(struct loop_timer *timer)
{
    follow_submit(container_of(timer, struct hub_follow, retry));
}

static void follow_finish(struct hub_follow *follow, enum err err)
{
    struct hub *hub = follow->hub;
    follow->finished(follow, err);
    hub_work_end(hub);
}

static void follow_appended(struct ledger_append *append)
{
    struct hub_follow *follow = container_of(append, struct hub_follow, append);
    follow_finish(follow, append->err);
}

static void follow_again(struct loop_task *task)
{
    struct hub_follow *follow = container_of(task, struct hub_follow, task);
    enum err err = follow->hub->is_stopping ? ERR_CANCELLED : loop_timer_start(follow->hub->loop, &follow->retry, RETRY_MS);
    if (err) {
        log_write(LOG_ERROR, "hub", "a leaf could not be written", LOG_ERR(err), LOG_END);
        follow_finish(follow, err);
    }
}

static void follow_failed(struct loop_task *task)
{
    struct hub_follow *follow = container_of(task, struct hub_follow, task);
    follow_finish(follow, follow->append.err);
}

static void follow_submit(struct hub_follow *follow)
{
    /* Without a contract to remember nothing is left to do but to free it: on the ledger's own thread, not another wake of a loop. */
    follow->append = (struct ledger_append){
        .leaf = {follow->leaf.bytes, follow->leaf.len}, .loop = follow->contract ? follow->hub->loop : NULL, .done = follow_appended};
    enum err err = ledger_append(follow->hub->ledger, &follow->append);
    if (!err)
        return;
    follow->append.err = err;
    if (err == ERR_FULL)
        metric_add(&follow->hub->figures.n_leaves_delayed, 1);
    follow->task.fn = err == ERR_FULL ? follow_again : follow_failed;
    loop_post(follow->hub->loop, &follow->task);
}

void hub_follow_start(struct hub *hub, struct hub_follow *follow)
{
    follow->hub = hub;
    follow->retry = (struct loop_timer){.fn = follow_retry};
    hub_work_begin(hub);
    follow_submit(follow);
}

/* ---- contract ---- */

static void contract_told(struct hub_follow *follow, enum err err)
{
    if (!err) {
        hub_quota_remember(follow->contract);
        hub_desk_told(follow->contract, follow->append.index);
    }
    mem_free(follow);
}

enum err hub_leaf_tell_contract(struct hub_contract *contract)
{
    struct hub_follow *follow = mem_alloc_zero(1, sizeof *follow);
    if (!follow)
        return ERR_NO_MEMORY;
    struct hub_leaf *leaf = &follow->leaf;
    follow->contract = contract;
    follow->finished = contract_told;
    PUT(leaf, "{\"consumer\":\"");
    put_str(leaf, contract->terms.consumer);
    PUT(leaf, "\",\"contract\":\"");
    put_str(leaf, contract->name);
    PUT(leaf, "\",\"provider\":\"");
    put_str(leaf, contract->terms.provider);
    PUT(leaf, "\",\"purpose\":\"");
    put_str(leaf, contract->purpose);
    PUT(leaf, "\",\"resource\":\"");
    put_str(leaf, contract->terms.resource);
    PUT(leaf, "\",\"sha256\":\"");
    put_hex(leaf, contract->hash.bytes, sizeof contract->hash.bytes);
    PUT(leaf, "\",\"state\":\"");
    put_str(leaf, str_from_c(hub_state_names[atomic_load(&contract->state)]));
    PUT(leaf, "\",\"time_ms\":");
    put_i64(leaf, clock_wall(contract->hub->clock).ms);
    PUT(leaf, ",\"type\":\"contract\"}");
    hub_follow_start(contract->hub, follow);
    return ERR_OK;
}

void hub_receipt(struct hub *hub, uint64_t index, char out[HUB_RECEIPT_MAX])
{
    struct str origin = ledger_origin(hub->ledger);
    snprintf(out, HUB_RECEIPT_MAX, STR_FORMAT "/%llu", STR_ARG(origin), (unsigned long long)index);
}
