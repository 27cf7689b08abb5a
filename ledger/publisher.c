/*
 * Rounds of publication. See ledger/publisher.h.
 */
#include "ledger/publisher.h"

#include "base/log.h"
#include "ledger/witness.h"

#include <inttypes.h>
#include <string.h>

_Static_assert(LEDGER_WITNESSES_MAX == POLICY_WITNESSES_MAX, "the status has room for each witness of a policy");

enum err publisher_init(struct publisher *publisher, const struct publisher *with, struct diag *diag)
{
    struct builder *builder = with->builder;
    const struct policy *policy = with->policy;
    struct diag cause = {""};
    uint8_t public_key[32];
    *publisher = (struct publisher){
        .builder = builder, .cache = with->cache, .policy = policy, .sender = with->sender, .ledger = with->ledger, .waits_since_ms = -1};
    pthread_mutex_init(&publisher->mutex, NULL);
    for (size_t i = 0; i < POLICY_WITNESSES_MAX; i++)
        buf_init(&publisher->answers[i].body, GATHER_ANSWER_MAX);
    gather_init(&publisher->gather, policy, builder->published);
    const struct note_verifier *log = policy_log(policy, builder->origin);
    crypto_key_public(builder->key.ed25519, public_key);
    if (policy_has_logs(policy) && (!log || memcmp(log->key, public_key, sizeof public_key) != 0))
        return diag_set(diag, ERR_RANGE, NULL, 0,
            "the policy names other logs, or another key of this one; give it the line \"log VKEY\" with the key of /log/v1/vkey");
    enum err err = builder->published > 0 ? policy_check(policy, buf_str(&builder->note), &cause) : ERR_OK;
    publisher->counts = !err; /* else cosignatures for it are gathered first of all */
    return err == ERR_NO_MEMORY ? err : ERR_OK;
}

void publisher_finish(struct publisher *publisher)
{
    gather_finish(&publisher->gather);
    for (size_t i = 0; i < POLICY_WITNESSES_MAX; i++)
        buf_finish(&publisher->answers[i].body);
    pthread_mutex_destroy(&publisher->mutex);
}

/* ---- answers ---- */

void publisher_put_answer(struct publisher *publisher, size_t witness, enum err err, int status, struct str body)
{
    pthread_mutex_lock(&publisher->mutex);
    struct publisher_answer *answer = &publisher->answers[witness];
    buf_reset(&answer->body);
    if (!err)
        buf_append_str(&answer->body, body);
    answer->err = err ? err : answer->body.err;
    answer->status = status;
    answer->is_there = true;
    pthread_mutex_unlock(&publisher->mutex);
}

static bool take_answer(struct publisher *publisher, size_t at, struct publisher_answer *ret_answer)
{
    pthread_mutex_lock(&publisher->mutex);
    struct publisher_answer *answer = &publisher->answers[at];
    bool is_there = answer->is_there;
    if (is_there) {
        *ret_answer = *answer;
        *answer = (struct publisher_answer){.is_there = false};
        buf_init(&answer->body, GATHER_ANSWER_MAX);
    }
    pthread_mutex_unlock(&publisher->mutex);
    return is_there;
}

/* A change is told once, in one line. That a witness is ahead is told only when it is ahead of all there is: while a start catches up, the
 * first rounds may be smaller than what was cosigned before a kill. */
static void tell_trouble(struct publisher *publisher, size_t at, uint64_t n_durable)
{
    const struct gather_lane *lane = &publisher->gather.lanes[at];
    struct str name = policy_witness(publisher->policy, at)->name;
    if (lane->trouble == publisher->told[at] || (lane->trouble == GATHER_AHEAD && lane->claimed_size <= n_durable))
        return;
    bool is_bad = lane->trouble != GATHER_FINE && lane->trouble != GATHER_SILENT;
    publisher->told[at] = lane->trouble;
    log_write(is_bad                           ? LOG_ERROR
              : lane->trouble == GATHER_SILENT ? LOG_WARNING
                                               : LOG_NOTICE,
        "ledger", lane->trouble == GATHER_FINE ? "a witness cosigns again" : "a witness does not cosign", LOG_STR("witness", name),
        LOG_TEXT("why", gather_trouble_text(lane->trouble)), LOG_INT("witness_size", (int64_t)lane->known_size),
        LOG_INT("size", (int64_t)publisher->gather.size), LOG_END);
}

static enum err take_answers(struct publisher *publisher, uint64_t n_durable, int64_t now_ms)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < policy_n_witnesses(publisher->policy); i++) {
        struct publisher_answer answer;
        if (!take_answer(publisher, i, &answer))
            continue;
        err = gather_answer(&publisher->gather, i, answer.err, answer.status, buf_str(&answer.body), now_ms);
        buf_finish(&answer.body);
        if (err) /* memory; the lane asks again */
            log_write(LOG_WARNING, "ledger", "a witness's answer could not be read", LOG_ERR(err), LOG_END);
        tell_trouble(publisher, i, n_durable);
    }
    return ERR_OK;
}

/* ---- requests ---- */

static enum err ask(struct publisher *publisher, size_t witness, uint64_t old_size)
{
    struct gather *gather = &publisher->gather;
    struct witness_request request = {.old_size = old_size, .note = buf_str(&gather->note)};
    struct tile_source source;
    struct buf body;
    buf_init(&body, WITNESS_BODY_MAX);
    tile_source_init(&source, publisher->cache, gather->size);
    enum err err = merkle_prove_consistency(&source.source, old_size, gather->size, &request.proof);
    if (!err) {
        witness_request_write(&request, &body);
        err = body.err;
    }
    if (!err)
        publisher->sender->send(
            publisher->sender, publisher->ledger, witness, policy_witness(publisher->policy, witness)->url, buf_str(&body));
    buf_finish(&body);
    return err;
}

static enum err ask_all(struct publisher *publisher, int64_t now_ms)
{
    size_t witness;
    uint64_t old_size;
    while (gather_next(&publisher->gather, now_ms, &witness, &old_size)) {
        enum err err = ask(publisher, witness, old_size);
        if (err == ERR_NO_MEMORY) /* as if it had been asked and had not answered */
            publisher_put_answer(publisher, witness, err, 0, STR_NONE);
        else if (err)
            return err; /* our own tiles cannot be read */
    }
    return ERR_OK;
}

/* ---- rounds ---- */

bool publisher_has_something(const struct publisher *publisher)
{
    return publisher->builder->edge.size > publisher->builder->published || (!publisher->counts && publisher->builder->edge.size > 0);
}

static enum err begin(struct publisher *publisher, int64_t now_ms)
{
    enum err err = builder_prepare(publisher->builder);
    if (!err)
        err = gather_begin(&publisher->gather, publisher->builder->prepared, buf_str(&publisher->builder->pending), now_ms);
    return err;
}

static enum err end(struct publisher *publisher)
{
    struct buf note;
    buf_init(&note, NOTE_MAX);
    gather_end(&publisher->gather, &note);
    enum err err = note.err;
    if (!err)
        err = builder_release(publisher->builder, buf_str(&note));
    buf_finish(&note);
    publisher->counts = !err;
    return err;
}

static void tell_halt(struct publisher *publisher, bool is_published, int64_t now_ms)
{
    if (is_published || !publisher_has_something(publisher))
        publisher->waits_since_ms = -1;
    else if (publisher->waits_since_ms < 0)
        publisher->waits_since_ms = now_ms;
    bool is_halted = publisher->waits_since_ms >= 0 && now_ms - publisher->waits_since_ms >= PUBLISHER_HALTED_MS;
    if (is_halted == publisher->is_halted)
        return;
    publisher->is_halted = is_halted;
    if (is_halted)
        log_write(LOG_ERROR, "ledger",
            "no quorum of witnesses: publication halts. Leaves go on being stored up to the ledger's bound, without proofs; see which "
            "witnesses "
            "do not cosign",
            LOG_INT("published", (int64_t)publisher->builder->published), LOG_INT("waiting", (int64_t)publisher->builder->edge.size),
            LOG_END);
    else
        log_write(LOG_NOTICE, "ledger", "a quorum cosigns again: publication goes on",
            LOG_INT("published", (int64_t)publisher->builder->published), LOG_END);
}

static void keep_status(struct publisher *publisher)
{
    struct ledger_status *status = &publisher->status;
    pthread_mutex_lock(&publisher->mutex);
    status->has_witnesses = true;
    status->is_halted = publisher->is_halted;
    status->n_witnesses = policy_n_witnesses(publisher->policy);
    for (size_t i = 0; i < status->n_witnesses; i++) {
        const struct gather_lane *lane = &publisher->gather.lanes[i];
        status->witnesses[i] = (struct ledger_witness_status){.name = policy_witness(publisher->policy, i)->name,
            .cosigns = lane->trouble == GATHER_FINE,
            .trouble = lane->trouble == GATHER_FINE ? "" : gather_trouble_text(lane->trouble),
            .size = lane->known_size};
    }
    pthread_mutex_unlock(&publisher->mutex);
}

void publisher_status(struct publisher *publisher, struct ledger_status *ret_status)
{
    pthread_mutex_lock(&publisher->mutex);
    *ret_status = publisher->status;
    pthread_mutex_unlock(&publisher->mutex);
}

enum err publisher_turn(struct publisher *publisher, bool must_begin, uint64_t n_durable, int64_t now_ms, bool *ret_is_published)
{
    struct gather *gather = &publisher->gather;
    *ret_is_published = false;
    enum err err = take_answers(publisher, n_durable, now_ms);
    bool is_stale = !gather->is_open || now_ms - gather->begun_ms >= GATHER_ROUND_MS;
    bool is_newer = !gather->is_open || publisher->builder->edge.size > gather->size;
    if (!err && must_begin && publisher_has_something(publisher) && is_stale && is_newer && !gather_is_met(gather))
        err = begin(publisher, now_ms);
    if (!err)
        err = ask_all(publisher, now_ms);
    if (!err && gather_is_done(gather, now_ms)) {
        err = end(publisher);
        *ret_is_published = !err;
    }
    if (!err) {
        tell_halt(publisher, *ret_is_published, now_ms);
        keep_status(publisher);
    }
    return err;
}

int64_t publisher_wait_ms(const struct publisher *publisher, int64_t now_ms)
{
    int64_t wait_ms = publisher->gather.is_open ? gather_wait_ms(&publisher->gather, now_ms) : -1;
    if (publisher->waits_since_ms >= 0 && !publisher->is_halted) {
        int64_t until_halt_ms = publisher->waits_since_ms + PUBLISHER_HALTED_MS - now_ms;
        until_halt_ms = until_halt_ms > 0 ? until_halt_ms : 0;
        wait_ms = wait_ms < 0 || until_halt_ms < wait_ms ? until_halt_ms : wait_ms;
    }
    return wait_ms;
}
