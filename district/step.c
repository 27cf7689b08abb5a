/* The step. See district/step.h for what goes on between two hubs, and why it is enough. */
#include "district/step.h"

#include <assert.h>
#include <string.h>

const char *const district_agreement_names[] = {"none", "offered", "agreed", "suspended", "ended", NULL};

/* ---- writing updates; the bounds are sums of what one event can bring, so running over them is a broken promise ---- */

static struct district_update *put(struct district_updates *out, enum district_update_kind kind, size_t peer)
{
    assert(out->n < DISTRICT_UPDATES_MAX);
    struct district_update *update = &out->items[out->n++];
    *update = (struct district_update){.kind = kind, .peer = peer};
    return update;
}

static struct district_message *put_message(
    struct district_updates *out, const struct district_state *state, size_t peer, enum district_kind kind)
{
    assert(out->n_messages < DISTRICT_MESSAGES_MAX);
    struct district_message *message = &out->messages[out->n_messages++];
    memset(message, 0, sizeof *message);
    message->kind = (uint8_t)kind;
    message->boot = state->boot;
    put(out, DISTRICT_SEND, peer)->message = message;
    return message;
}

static size_t peer_at(const struct district_state *state, const struct district_peer *peer)
{
    return (size_t)(peer - state->peers);
}

/* ---- what stays open here ---- */

static struct district_open *find_open(struct district_peer *peer, uint64_t intent)
{
    for (size_t i = 0; i < DISTRICT_OPEN_MAX; i++)
        if (peer->open[i].is_used && peer->open[i].intent == intent)
            return &peer->open[i];
    return NULL;
}

static void close_open(struct district_open *open, size_t peer, struct district_updates *out)
{
    open->is_ending = true;
    if (open->is_busy)
        return;
    open->is_used = false;
    put(out, DISTRICT_CLOSE, peer)->intent = open->intent;
}

static void close_all(struct district_state *state, struct district_peer *peer, struct district_updates *out)
{
    for (size_t i = 0; i < DISTRICT_OPEN_MAX; i++)
        if (peer->open[i].is_used)
            close_open(&peer->open[i], peer_at(state, peer), out);
}

/* ---- the agreement ---- */

bool district_in_force(const struct district_peer *peer, int64_t now_ms, int64_t wall_ms)
{
    return peer->mine == DISTRICT_AGREED && peer->theirs == DISTRICT_AGREED &&
           memcmp(peer->agreement.bytes, peer->their_agreement.bytes, sizeof peer->agreement.bytes) == 0 && wall_ms >= peer->from_ms &&
           wall_ms < peer->until_ms && peer->confirmed_ms >= 0 && now_ms - peer->confirmed_ms <= peer->fresh_for_ms;
}

/* What the copies of the peer's contracts permit now. While the agreement rests, and until its states are held whole, nothing. */
static void tell_contracts(
    const struct district_state *state, const struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    for (size_t i = 0; i < state->n_contracts; i++) {
        const struct district_contract *contract = &state->contracts[i];
        if (contract->is_home || contract->peer != peer_at(state, peer))
            continue;
        struct district_update *update = put(out, DISTRICT_SET_CONTRACT, contract->peer);
        update->contract = i;
        update->state = contract->state;
        update->until_ms = -1;
        int64_t fresh_for_ms = contract->fresh_for_ms < peer->fresh_for_ms ? contract->fresh_for_ms : peer->fresh_for_ms;
        bool is_told = contract->told && (contract->told == peer->version || contract->told == peer->wanted_version);
        if (is_told && district_in_force(peer, event->now_ms, event->wall_ms) && event->now_ms <= peer->confirmed_ms + fresh_for_ms)
            update->until_ms = peer->confirmed_ms + fresh_for_ms;
    }
}

/* ---- beats ---- */

static void send_beat(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    struct district_message *message = put_message(out, state, peer_at(state, peer), DISTRICT_BEAT);
    message->beat.seq = ++state->beat_seq;
    message->beat.sent_ms = event->now_ms;
    message->beat.echo_boot = peer->boot;
    message->beat.echo_ms = peer->heard_sent_ms;
    message->beat.agreement = peer->agreement;
    message->beat.word = peer->mine_word;
    message->beat.version = state->version;
    message->beat.got = peer->got;
    peer->beat_sent_ms = event->now_ms;
}

static void need_states(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    struct district_message *message = put_message(out, state, peer_at(state, peer), DISTRICT_NEED);
    message->need.version = peer->wanted_version;
    message->need.at = peer->pulled;
    peer->need_sent_ms = event->now_ms;
}

static void begin_pull(struct district_state *state, struct district_peer *peer, uint64_t version, const struct district_event *event,
    struct district_updates *out)
{
    peer->wanted_version = version;
    peer->pulled = 0;
    need_states(state, peer, event, out);
}

static void send_receipts(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    if (!peer->is_up || peer->sent >= peer->n_mine)
        return;
    struct district_update *update = put(out, DISTRICT_SEND_RECEIPTS, peer_at(state, peer));
    update->first = peer->sent + 1;
    uint64_t last = peer->sent + DISTRICT_BATCH;
    peer->sent = last < peer->n_mine ? last : peer->n_mine;
    peer->receipts_sent_ms = event->now_ms;
}

static void take_acknowledgement(struct district_state *state, struct district_peer *peer, uint64_t got, const struct district_event *event,
    struct district_updates *out)
{
    if (got > peer->acked && got <= peer->n_mine) {
        peer->acked = got;
        put(out, DISTRICT_ACKED, peer_at(state, peer))->first = got;
    }
    if (peer->sent < peer->acked)
        peer->sent = peer->acked;
    /* One batch at a time is under way: the next when the last is on their disk. */
    if (peer->sent == peer->acked)
        send_receipts(state, peer, event, out);
}

static void set_link(struct district_state *state, struct district_peer *peer, bool is_up, struct district_updates *out)
{
    if (peer->is_up == is_up)
        return;
    peer->is_up = is_up;
    put(out, DISTRICT_LINK, peer_at(state, peer))->is_up = is_up;
}

static void on_beat(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    const struct district_message *message = event->message;
    if (message->boot < peer->boot || (message->boot == peer->boot && message->beat.seq <= peer->beat_seq))
        return;                       /* an older one, overtaken */
    if (message->boot > peer->boot) { /* it has started anew: what was under way to it is gone, and what it had open here */
        peer->sent = peer->acked;
        close_all(state, peer, out);
    }
    peer->boot = message->boot;
    peer->beat_seq = message->beat.seq;
    peer->heard_ms = event->now_ms;
    peer->heard_sent_ms = message->beat.sent_ms;
    peer->theirs = (uint8_t)message->beat.word.state;
    peer->their_word = message->beat.word;
    peer->their_agreement = message->beat.agreement;
    bool was_up = peer->is_up;
    set_link(state, peer, true, out);
    uint64_t version = message->beat.version;
    if (version != peer->version) {
        if (version != peer->wanted_version)
            begin_pull(state, peer, version, event, out);
    } else if (message->beat.echo_boot == state->boot && message->beat.echo_ms <= event->now_ms &&
               message->beat.echo_ms > peer->confirmed_ms) {
        /* They said so after they had heard what we sent then; so it was so at that time or later. */
        peer->confirmed_ms = message->beat.echo_ms;
    }
    tell_contracts(state, peer, event, out);
    if (!was_up) { /* do not let the other wait for its confirmation, nor for what it missed */
        peer->sent = peer->acked;
        send_beat(state, peer, event, out);
    }
    take_acknowledgement(state, peer, message->beat.got, event, out);
}

/* ---- states of contracts ---- */

static void on_need(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    if (event->message->need.version != state->version) /* another by now: the next beat says which */
        return;
    struct district_message *message = put_message(out, state, peer_at(state, peer), DISTRICT_STATES);
    uint64_t at = 0;
    message->states.version = state->version;
    message->states.at = event->message->need.at;
    for (size_t i = 0; i < state->n_contracts; i++) {
        const struct district_contract *contract = &state->contracts[i];
        if (!contract->is_home || contract->peer != peer_at(state, peer))
            continue;
        if (at++ < message->states.at || message->states.n == DISTRICT_BATCH)
            continue;
        struct district_state_entry *entry = &message->states.entries[message->states.n++];
        memcpy(entry->hash, contract->hash, sizeof entry->hash);
        entry->state = contract->state;
    }
    message->states.n_all = at;
}

static void on_states(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    const struct district_message *message = event->message;
    if (message->boot != peer->boot || message->states.version != peer->wanted_version || message->states.at != peer->pulled ||
        peer->version == peer->wanted_version)
        return; /* a repeat, or of a version that nobody waits for */
    size_t self = peer_at(state, peer);
    for (size_t k = 0; k < message->states.n; k++)
        for (size_t i = 0; i < state->n_contracts; i++) {
            struct district_contract *contract = &state->contracts[i];
            if (contract->is_home || contract->peer != self || memcmp(contract->hash, message->states.entries[k].hash, 32) != 0)
                continue;
            contract->state = message->states.entries[k].state;
            contract->told = peer->wanted_version;
        }
    peer->pulled += message->states.n;
    if (peer->pulled >= message->states.n_all)
        peer->version = peer->wanted_version;
    else if (message->states.n > 0)
        need_states(state, peer, event, out);
    tell_contracts(state, peer, event, out);
}

/* ---- uses ---- */

static void forget_asked(struct district_state *state, struct district_asked *asked, struct district_updates *out);

static struct district_asked *find_asked(struct district_state *state, size_t peer, uint64_t intent)
{
    for (size_t i = 0; i < state->n_asked; i++)
        if (state->asked[i].is_used && state->asked[i].peer == peer && state->asked[i].intent == intent)
            return &state->asked[i];
    return NULL;
}

static void reply(struct district_updates *out, size_t peer, uint64_t intent, enum err err)
{
    struct district_update *update = put(out, DISTRICT_REPLY, peer);
    update->intent = intent;
    update->err = err;
}

static struct district_asked *new_asked(struct district_state *state)
{
    for (size_t i = 0; i < state->n_asked; i++)
        if (!state->asked[i].is_used)
            return &state->asked[i];
    return state->n_asked < DISTRICT_ASKED_MAX ? &state->asked[state->n_asked++] : NULL;
}

static void on_ask(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    struct district_asked *asked = find_asked(state, event->peer, event->intent);
    /* A part behind one that was never answered: nobody there knows of it. */
    bool is_gone = event->is_next && (!asked || !asked->is_answered);
    if (is_gone || !peer->is_up || !district_in_force(peer, event->now_ms, event->wall_ms)) {
        reply(out, event->peer, event->intent, ERR_UNAVAILABLE);
        return;
    }
    if (!event->is_next) {
        asked = new_asked(state);
        if (asked)
            *asked = (struct district_asked){.is_used = true, .is_long = event->is_long, .peer = event->peer, .intent = event->intent};
    } else {
        asked->is_answered = false;
        asked->part++;
    }
    if (!asked) {
        reply(out, event->peer, event->intent, ERR_FULL);
        return;
    }
    asked->until_ms = event->now_ms + (event->wait_ms ? event->wait_ms : DISTRICT_USE_MS);
    struct district_message *message = put_message(out, state, event->peer, DISTRICT_FORWARD);
    message->forward.intent = event->intent;
    message->forward.to_boot = peer->boot;
    message->forward.part = asked->part;
}

/* The part under way has no answer that anybody waits for. */
static void end_part(struct district_state *state, struct district_asked *asked, enum err err, struct district_updates *out)
{
    reply(out, asked->peer, asked->intent, err);
    if (asked->has_leaf)
        asked->is_answered = true; /* the outcome names the leaf that an earlier part brought */
    else
        forget_asked(state, asked, out);
}

static void on_give_up(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    struct district_asked *asked = find_asked(state, event->peer, event->intent);
    bool is_under_way = asked && !asked->is_answered;
    if (!is_under_way && !event->is_over)
        return;
    /* Also of a use that nothing is known of any more: its first part may have been served after we had ceased to wait for it. */
    struct district_message *message = put_message(out, state, event->peer, DISTRICT_STOP);
    message->forward.intent = event->intent;
    message->forward.to_boot = peer->boot;
    message->forward.part = asked ? asked->part : 0;
    if (is_under_way)
        end_part(state, asked, ERR_CANCELLED, out);
    else if (asked)
        forget_asked(state, asked, out);
}

/* Has this use been taken on before, or may it have been? Remembers it. */
static bool is_repeat(struct district_peer *peer, uint64_t intent)
{
    if (intent < peer->served_floor)
        return true;
    for (size_t i = 0; i < DISTRICT_SERVED_MAX; i++)
        if (peer->served[i] == intent + 1)
            return true;
    uint64_t oldest = peer->served[peer->served_at];
    if (oldest > peer->served_floor) /* the one that is forgotten, and all before it */
        peer->served_floor = oldest;
    peer->served[peer->served_at] = intent + 1;
    peer->served_at = (peer->served_at + 1) % DISTRICT_SERVED_MAX;
    return intent < peer->served_floor;
}

static void on_forward(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    const struct district_message *message = event->message;
    uint32_t part = message->forward.part;
    struct district_open *open = part ? find_open(peer, message->forward.intent) : NULL;
    /* Asked of an earlier start of ours: nobody here knows whether it was served then. Or by one of theirs: nobody waits for it. */
    if (message->forward.to_boot != state->boot || message->boot < peer->boot || (part == 0 && is_repeat(peer, message->forward.intent)))
        return;
    if (open && (open->is_busy || part != open->part + 1)) /* it came twice, or too late */
        return;
    if ((part == 0 || open) && district_in_force(peer, event->now_ms, event->wall_ms)) {
        struct district_update *update = put(out, DISTRICT_SERVE, event->peer);
        update->intent = message->forward.intent;
        update->part = part;
        if (open) {
            open->is_busy = true;
            open->part = part;
        }
        return;
    }
    struct district_message *answer = put_message(out, state, event->peer, DISTRICT_ANSWER);
    answer->answer.intent = message->forward.intent;
    answer->answer.part = part;
}

/* The use stays open: its next part may come. */
static void keep_open(
    const struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    struct district_open *open = event->part ? find_open(peer, event->intent) : NULL;
    for (size_t i = 0; i < DISTRICT_OPEN_MAX && !open && event->part == 0; i++)
        if (!peer->open[i].is_used) {
            open = &peer->open[i];
            *open = (struct district_open){.is_used = true, .intent = event->intent};
        }
    if (!open) {
        put(out, DISTRICT_CLOSE, event->peer)->intent = event->intent;
        return;
    }
    open->is_busy = false;
    open->is_long = event->is_long;
    open->until_ms = event->now_ms + (event->is_long ? state->reader_ms : DISTRICT_OPEN_MS);
    if (open->is_ending)
        close_open(open, event->peer, out);
}

static void on_serve_done(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    struct district_message *message = put_message(out, state, event->peer, DISTRICT_ANSWER);
    message->answer.intent = event->intent;
    message->answer.part = event->part;
    message->answer.has_leaf = event->has_leaf;
    message->answer.leaf = event->leaf;
    if (event->is_open)
        keep_open(state, peer, event, out);
}

static void on_stop(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    const struct district_message *message = event->message;
    if (message->forward.to_boot != state->boot)
        return;
    struct district_open *open = find_open(peer, message->forward.intent);
    (void)is_repeat(peer, message->forward.intent); /* when it overtook the question, that is not begun */
    put(out, DISTRICT_ABORT, event->peer)->intent = message->forward.intent;
    if (open)
        close_open(open, event->peer, out);
}

static void on_answer(struct district_state *state, const struct district_event *event, struct district_updates *out)
{
    const struct district_message *message = event->message;
    struct district_asked *asked = find_asked(state, event->peer, message->answer.intent);
    if (!asked || asked->is_answered || asked->part != message->answer.part)
        return;
    struct district_update *update = put(out, DISTRICT_REPLY, event->peer);
    update->intent = asked->intent;
    update->part = asked->part;
    update->has_leaf = message->answer.has_leaf;
    update->leaf = message->answer.leaf;
    asked->has_leaf = asked->has_leaf || message->answer.has_leaf;
    if (asked->has_leaf)
        asked->is_answered = true; /* until the outcome, which names their leaf, was read back */
    else
        forget_asked(state, asked, out);
}

/* ---- receipts ---- */

/* As many of the batch as can be written down now, all in one. */
static void name_next(struct district_state *state, struct district_peer *peer, struct district_updates *out)
{
    if (peer->n_naming)
        return;
    while (peer->batch_at < peer->n_batch && peer->batch_first + peer->batch_at <= peer->got)
        peer->batch_at++;
    size_t n = 0;
    for (; peer->batch_at + n < peer->n_batch; n++) {
        const struct district_receipt *receipt = &peer->batch[peer->batch_at + n];
        const struct district_asked *asked =
            receipt->kind == DISTRICT_SERVED ? find_asked(state, peer_at(state, peer), receipt->intent) : NULL;
        /* Of a use that still waits here: its own outcome may be about to name the leaf, and nothing is named twice. */
        if (asked && !asked->is_long)
            break;
    }
    if (n == 0)
        return;
    peer->n_naming = (uint8_t)n;
    struct district_update *update = put(out, DISTRICT_NAME, peer_at(state, peer));
    update->first = peer->batch_first + peer->batch_at;
    update->receipts = &peer->batch[peer->batch_at];
    update->n = n;
}

static void forget_asked(struct district_state *state, struct district_asked *asked, struct district_updates *out)
{
    asked->is_used = false;
    name_next(state, &state->peers[asked->peer], out); /* may have waited for it */
}

static void on_receipts(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    const struct district_message *message = event->message;
    uint64_t first = message->receipts.first, after = first + message->receipts.n;
    for (size_t i = 0; i < message->receipts.n; i++) { /* what they wrote the outcome of has ended */
        const struct district_receipt *receipt = &message->receipts.entries[i];
        struct district_open *open = receipt->kind == DISTRICT_NAMED ? find_open(peer, receipt->intent) : NULL;
        if (open && !open->is_long)
            close_open(open, event->peer, out);
    }
    if (peer->batch_at < peer->n_batch) /* one batch at a time */
        return;
    if (first > peer->got + 1 || after <= peer->got + 1) {
        if (after <= peer->got + 1)
            send_beat(state, peer, event, out); /* a repeat: our word that we have them was lost */
        return;
    }
    memcpy(peer->batch, message->receipts.entries, sizeof peer->batch);
    peer->batch_first = first;
    peer->batch_at = 0;
    peer->n_batch = message->receipts.n;
    name_next(state, peer, out);
}

static void on_named(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    peer->got = peer->batch_first + peer->batch_at + peer->n_naming - 1;
    peer->batch_at = (uint8_t)(peer->batch_at + peer->n_naming);
    peer->n_naming = 0;
    name_next(state, peer, out);
    if (peer->batch_at == peer->n_batch)
        send_beat(state, peer, event, out); /* the acknowledgement */
}

static void on_leaf(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    peer->n_mine++;
    if (event->receipt_kind == DISTRICT_NAMED) {
        struct district_asked *asked = find_asked(state, event->peer, event->intent);
        if (asked && !asked->is_long)
            forget_asked(state, asked, out);
    }
    if (peer->sent == peer->acked)
        send_receipts(state, peer, event, out);
}

/* ---- time ---- */

static void time_out_uses(struct district_state *state, const struct district_event *event, struct district_updates *out)
{
    int n = 0;
    for (size_t i = 0; i < state->n_asked && n < DISTRICT_TIMEOUTS_MAX; i++) {
        struct district_asked *asked = &state->asked[i];
        if (!asked->is_used || asked->is_answered || event->now_ms < asked->until_ms)
            continue;
        end_part(state, asked, ERR_TIMEOUT, out);
        n++;
    }
    while (state->n_asked > 0 && !state->asked[state->n_asked - 1].is_used)
        state->n_asked--;
}

static void end_silent(struct district_state *state, const struct district_event *event, struct district_updates *out)
{
    int n = 0;
    for (size_t at = 0; at < state->n_peers; at++)
        for (size_t i = 0; i < DISTRICT_OPEN_MAX && n < DISTRICT_TIMEOUTS_MAX; i++) {
            struct district_open *open = &state->peers[at].open[i];
            if (!open->is_used || open->is_busy || event->now_ms < open->until_ms)
                continue;
            close_open(open, at, out);
            n++;
        }
}

static void on_tick(struct district_state *state, const struct district_event *event, struct district_updates *out)
{
    for (size_t i = 0; i < state->n_peers; i++) {
        struct district_peer *peer = &state->peers[i];
        if (peer->is_up && event->now_ms - peer->heard_ms > DISTRICT_DOWN_MS)
            set_link(state, peer, false, out);
        tell_contracts(state, peer, event, out); /* a bound that ran out is told, whatever the wall clock says */
        if (event->now_ms - peer->beat_sent_ms >= DISTRICT_BEAT_MS || peer->beat_sent_ms > event->now_ms)
            send_beat(state, peer, event, out);
        if (peer->is_up && peer->wanted_version && peer->wanted_version != peer->version &&
            event->now_ms - peer->need_sent_ms >= DISTRICT_BEAT_MS)
            need_states(state, peer, event, out);
        if (peer->is_up && peer->sent > peer->acked && event->now_ms - peer->receipts_sent_ms >= DISTRICT_RESEND_MS) {
            peer->sent = peer->acked;
            send_receipts(state, peer, event, out);
        }
    }
    time_out_uses(state, event, out);
    end_silent(state, event, out);
}

/* ---- the step ---- */

static void on_message(
    struct district_state *state, struct district_peer *peer, const struct district_event *event, struct district_updates *out)
{
    switch ((enum district_kind)event->message->kind) {
    case DISTRICT_BEAT:
        on_beat(state, peer, event, out);
        return;
    case DISTRICT_NEED:
        on_need(state, peer, event, out);
        return;
    case DISTRICT_STATES:
        on_states(state, peer, event, out);
        return;
    case DISTRICT_FORWARD:
        on_forward(state, peer, event, out);
        return;
    case DISTRICT_ANSWER:
        on_answer(state, event, out);
        return;
    case DISTRICT_RECEIPTS:
        on_receipts(state, peer, event, out);
        return;
    case DISTRICT_STOP:
        on_stop(state, peer, event, out);
        return;
    }
}

static void beat_all(struct district_state *state, size_t only, const struct district_event *event, struct district_updates *out)
{
    for (size_t i = 0; i < state->n_peers; i++)
        if (only == SIZE_MAX || only == i)
            send_beat(state, &state->peers[i], event, out);
}

void district_step(struct district_state *state, const struct district_event *event, struct district_updates *out)
{
    struct district_peer *peer = &state->peers[event->peer];
    out->n = out->n_messages = 0;
    assert(event->kind == DISTRICT_TICK || event->peer < state->n_peers);
    switch (event->kind) {
    case DISTRICT_TICK:
        on_tick(state, event, out);
        return;
    case DISTRICT_MESSAGE:
        on_message(state, peer, event, out);
        return;
    case DISTRICT_ASK:
        on_ask(state, peer, event, out);
        return;
    case DISTRICT_GIVE_UP:
        on_give_up(state, peer, event, out);
        return;
    case DISTRICT_SERVE_DONE:
        on_serve_done(state, peer, event, out);
        return;
    case DISTRICT_LEAF:
        on_leaf(state, peer, event, out);
        return;
    case DISTRICT_NAMED_DONE:
        on_named(state, peer, event, out);
        return;
    case DISTRICT_MY_AGREEMENT: /* told at once, not with the next beat */
        peer->mine = (uint8_t)event->word.state;
        peer->mine_word = event->word;
        tell_contracts(state, peer, event, out);
        beat_all(state, event->peer, event, out);
        return;
    case DISTRICT_MY_CONTRACT:
        state->contracts[event->contract].state = event->state;
        state->version++;
        beat_all(state, state->contracts[event->contract].peer, event, out);
        return;
    }
}

void district_begin(struct district_state *state, uint64_t boot)
{
    state->boot = boot;
    state->version = boot << 32;
    state->reader_ms = DISTRICT_READER_MS;
}

void district_peer_begin(struct district_peer *peer, uint64_t n_mine, uint64_t acked, uint64_t got)
{
    peer->mine_word.state = peer->mine; /* unless the caller has signed one */
    peer->n_mine = n_mine;
    peer->acked = peer->sent = acked;
    peer->got = got;
    peer->confirmed_ms = -1;
    peer->beat_sent_ms = INT64_MIN / 2;
    peer->receipts_sent_ms = INT64_MIN / 2;
}
