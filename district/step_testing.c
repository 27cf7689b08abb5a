/* The hubs and the network of a simulation: district/step_testing.h. */
#include "district/step_testing.h"

#include <stdlib.h>
#include <string.h>

static const int parents[N_NODES] = {-1, 0, 0, 1};
/* The street and the other district know nothing of each other. */
bool sim_are_peers(int a, int b)
{
    return a != b && !((a == 2 && b == 3) || (a == 3 && b == 2));
}
size_t sim_slot_of(int node, int other)
{
    size_t slot = 0;
    for (int i = 0; i < other; i++)
        slot += sim_are_peers(node, i);
    return slot;
}
static int other_of(int node, size_t slot)
{
    for (int i = 0; i < N_NODES; i++)
        if (sim_are_peers(node, i) && sim_slot_of(node, i) == slot)
            return i;
    abort();
}

static uint64_t next(struct sim *sim)
{
    sim->random ^= sim->random << 13;
    sim->random ^= sim->random >> 7;
    sim->random ^= sim->random << 17;
    return sim->random;
}
int64_t sim_below(struct sim *sim, int64_t n)
{
    return (int64_t)(next(sim) % (uint64_t)n);
}
bool sim_chance(struct sim *sim, int per_mille)
{
    return sim_below(sim, 1000) < per_mille;
}

static bool is_reachable(const struct sim *sim, int a, int b)
{
    bool on_way[N_NODES] = {false};
    for (int at = a; at >= 0; at = parents[at])
        on_way[at] = true;
    int meet = b;
    for (; !on_way[meet]; meet = parents[meet])
        if (sim->is_cut[meet])
            return false;
    for (int at = a; at != meet; at = parents[at])
        if (sim->is_cut[at])
            return false;
    return true;
}

static void apply(struct sim *sim, int at);

void sim_step(struct sim *sim, int at, struct district_event event)
{
    struct node *node = &sim->nodes[at];
    event.now_ms = sim->now_ms + node->offset_ms;
    event.wall_ms = 1000000000 + sim->now_ms + node->wall_jump_ms;
    district_step(node->state, &event, sim->updates);
    apply(sim, at);
}

size_t sim_append(struct sim *sim, int at, struct leaf leaf)
{
    struct node *node = &sim->nodes[at];
    assert_true(node->n_leaves < LEAVES_MAX);
    int64_t before = node->n_leaves ? node->leaves[node->n_leaves - 1].durable_ms : 0;
    leaf.durable_ms = sim->now_ms + sim_below(sim, 30);
    leaf.durable_ms = leaf.durable_ms > before ? leaf.durable_ms : before;
    node->is_serving[node->n_leaves] = node->is_asking[node->n_leaves] = node->is_under_way[node->n_leaves] =
        node->was_long[node->n_leaves] = node->is_aborted[node->n_leaves] = false;
    node->theirs[node->n_leaves] = 0;
    node->leaves[node->n_leaves] = leaf;
    return node->n_leaves++;
}

/* ---- the network ---- */

static void fly(struct sim *sim, int from, int to, const struct district_message *message)
{
    if (!sim->is_calm && sim_chance(sim, 50))
        return;
    int copies = !sim->is_calm && sim_chance(sim, 100) ? 2 : 1;
    for (int i = 0; i < copies && sim->n_flying < FLYING_MAX; i++) {
        int64_t delay = 1 + sim_below(sim, !sim->is_calm && sim_chance(sim, 100) ? 3000 : 40);
        sim->flying[sim->n_flying++] = (struct flying){sim->now_ms + delay, from, to, *message};
    }
}

void sim_land(struct sim *sim)
{
    for (size_t i = 0; i < sim->n_flying;) {
        if (sim->flying[i].at_ms > sim->now_ms) {
            i++;
            continue;
        }
        struct flying one = sim->flying[i];
        bool is_reached = is_reachable(sim, one.from, one.to);
        if (!is_reached && sim_chance(sim, 900)) { /* held back somewhere on the way, and out of date when it comes */
            sim->flying[i++].at_ms += 200;
            continue;
        }
        sim->flying[i] = sim->flying[--sim->n_flying];
        if (!sim->nodes[one.to].is_up || !is_reached)
            continue;
        sim_step(
            sim, one.to, (struct district_event){.kind = DISTRICT_MESSAGE, .peer = sim_slot_of(one.to, one.from), .message = &one.message});
    }
}

/* ---- what the step's updates mean here ---- */

const struct leaf *sim_naming_leaf(const struct node *node, size_t n, int other, uint64_t intent)
{
    for (size_t i = 0; i < n; i++)
        if (node->leaves[i].kind == NAMED && node->leaves[i].other == other && node->leaves[i].intent == intent)
            return &node->leaves[i];
    return NULL;
}

static void name(struct sim *sim, int at, const struct district_update *update)
{
    struct node *node = &sim->nodes[at];
    int other = other_of(at, update->peer);
    assert_false(node->naming[other].is_on);
    assert_true(update->first == node->book[other].got + 1);
    node->naming[other].is_on = true;
    node->naming[other].first = update->first;
    node->naming[other].n = update->n;
    node->naming[other].wait_for = 0;
    for (size_t i = 0; i < update->n; i++) {
        const struct district_receipt *receipt = &update->receipts[i];
        node->naming[other].receipts[i] = *receipt;
        if (receipt->kind == DISTRICT_NAMED)
            continue;
        assert_true(receipt->intent < node->n_durable && node->leaves[receipt->intent].kind == INTENT);
        if (!sim_naming_leaf(node, node->followed, other, receipt->intent)) {
            sim_append(sim, at, (struct leaf){.kind = NAMED, .other = other, .intent = receipt->intent, .theirs = receipt->leaf});
            sim->n_named++;
        }
        node->naming[other].wait_for = node->n_leaves;
    }
}

static void stand(struct sim *sim, int at, uint64_t intent, int64_t ms, bool is_over)
{
    struct node *node = &sim->nodes[at];
    assert_true(node->n_standing < PENDING_MAX);
    node->standing[node->n_standing++] =
        (struct standing){.at_ms = sim->now_ms + ms, .intent = intent, .is_long = ms > DISTRICT_OPEN_MS, .is_over = is_over};
}

void sim_end_use(struct sim *sim, int at, uint64_t intent, bool is_known, bool is_undone)
{
    struct node *node = &sim->nodes[at];
    struct leaf *leaf = &node->leaves[intent];
    struct act *act = &node->acts[leaf->other][leaf->key];
    node->is_under_way[intent] = false;
    if (leaf->use == OBJECT) /* its leaf is named when the receipt comes; the other hub is told that it is over */
        stand(sim, at, intent, 0, true);
    if (node->theirs[intent] && leaf->use == OBJECT) {
        leaf->was_answered = true;
        sim->n_answered++;
        sim->n_by_use[leaf->use]++;
    } else if (node->theirs[intent]) {
        leaf->was_answered = true;
        sim->n_answered++;
        sim->n_by_use[leaf->use]++;
        sim_append(sim, at, (struct leaf){.kind = NAMED, .other = leaf->other, .intent = intent, .theirs = node->theirs[intent] - 1});
    } else {
        sim->n_timeouts++;
    }
    if (leaf->use < ACT || act->state == DONE)
        return;
    sim->n_acts_done += is_known;
    act->state = is_known ? DONE : is_undone ? FREE : act->state;
    if (is_known)
        assert_int_equal(act->n_rows, 1);
}

/* True: its next part is to be asked. */
static bool take_reply(struct sim *sim, int at, const struct district_update *update)
{
    struct node *node = &sim->nodes[at];
    const struct leaf *leaf = &node->leaves[update->intent];
    bool is_act_known = leaf->use >= ACT && !update->err && node->acts[leaf->other][leaf->key].n_rows > 0;
    if (update->has_leaf)
        node->theirs[update->intent] = update->leaf + 1;
    if (leaf->use == QUERY && !update->err && update->has_leaf && node->n_parts[update->intent] > 0) {
        node->n_parts[update->intent]--;
        return true;
    }
    if (leaf->use == OBJECT && !update->err && update->has_leaf) {
        sim->n_long += node->was_long[update->intent];
        if (node->n_parts[update->intent] > 0) {
            bool is_long = !sim->is_calm && sim->now_ms < CHAOS_MS / 2 && sim_chance(sim, 300);
            node->n_parts[update->intent] = is_long ? 0 : node->n_parts[update->intent] - 1;
            stand(sim, at, update->intent,
                is_long ? DISTRICT_OPEN_MS + 1 + sim_below(sim, 1000) : sim_below(sim, sim->is_calm ? 200 : 1000), false);
            return false;
        }
    }
    bool is_undone = update->err == ERR_UNAVAILABLE || update->err == ERR_FULL || (!update->err && !update->has_leaf);
    sim_end_use(sim, at, update->intent, is_act_known, is_undone && !is_act_known);
    return false;
}

/* One part is served, or refused. */
static void serve(struct sim *sim, int at, int other, uint64_t intent, uint32_t part)
{
    struct node *node = &sim->nodes[at];
    struct leaf asked = sim->nodes[other].leaves[intent]; /* what the question says */
    struct district_event event = {.kind = DISTRICT_SERVE_DONE, .peer = sim_slot_of(at, other), .intent = intent, .part = part};
    if (part > 0) {
        assert_true(node->readings[other][intent].is_open && node->n_pending < PENDING_MAX);
        node->pending[node->n_pending++] = (struct pending){.at_ms = sim->now_ms + sim_below(sim, 200),
            .other = other,
            .intent = intent,
            .leaf = node->readings[other][intent].leaf,
            .part = part};
        return;
    }
    bool is_repeated = asked.use >= ACT && sim->nodes[other].acts[at][asked.key].n_rows > 0; /* given again: no leaf */
    if (node->contract[other] == AGREED && !is_repeated) {
        size_t leaf =
            sim_append(sim, at, (struct leaf){.kind = SERVED, .use = asked.use, .key = asked.key, .other = other, .intent = intent});
        node->is_serving[leaf] = true;
    } else {
        sim_step(sim, at, event);
    }
}

static void close_reading(struct node *node, int other, uint64_t intent)
{
    assert_true(node->readings[other][intent].is_open);
    node->readings[other][intent].is_open = false;
    node->n_readings--;
}

static void apply(struct sim *sim, int at)
{
    struct node *node = &sim->nodes[at];
    struct district_updates *updates = sim->updates;
    size_t n_later = 0;
    struct {
        bool is_serve;
        int other;
        uint64_t intent;
        uint32_t part;
    } later[DISTRICT_TIMEOUTS_MAX];
    for (size_t i = 0; i < updates->n; i++) {
        const struct district_update *update = &updates->items[i];
        int other = update->kind == DISTRICT_SET_CONTRACT || update->peer < node->state->n_peers ? other_of(at, update->peer) : -1;
        switch (update->kind) {
        case DISTRICT_SEND:
            fly(sim, at, other, update->message);
            break;
        case DISTRICT_SEND_RECEIPTS: {
            struct district_message message = {.kind = DISTRICT_RECEIPTS, .boot = node->boot};
            message.receipts.first = update->first;
            for (uint64_t k = update->first; k <= node->book[other].n && message.receipts.n < DISTRICT_BATCH; k++)
                message.receipts.entries[message.receipts.n++] = node->book[other].rows[k - 1].receipt;
            fly(sim, at, other, &message);
            break;
        }
        case DISTRICT_REPLY:
        case DISTRICT_SERVE:
            if (update->kind == DISTRICT_REPLY && !take_reply(sim, at, update))
                break;
            assert_true(n_later < DISTRICT_TIMEOUTS_MAX);
            later[n_later].is_serve = update->kind == DISTRICT_SERVE;
            later[n_later].other = other;
            later[n_later].part = update->part;
            later[n_later++].intent = update->intent;
            break;
        case DISTRICT_NAME:
            name(sim, at, update);
            break;
        case DISTRICT_ACKED:
            if (sim_chance(sim, 500)) /* written some time, or never */
                node->book[other].acked = update->first;
            break;
        case DISTRICT_SET_CONTRACT:
            node->copy[other] = update->state;
            node->copy_until[other] = update->until_ms;
            break;
        case DISTRICT_CLOSE:
            close_reading(node, other, update->intent);
            break;
        case DISTRICT_ABORT:
            for (size_t k = node->n_durable; k < node->n_leaves; k++)
                node->is_aborted[k] = node->is_aborted[k] || (node->leaves[k].kind == SERVED && node->leaves[k].other == other &&
                                                                 node->leaves[k].intent == update->intent);
            break;
        case DISTRICT_LINK:
            break;
        }
    }
    for (size_t i = 0; i < n_later; i++)
        if (later[i].is_serve) {
            serve(sim, at, later[i].other, later[i].intent, later[i].part);
        } else {
            sim->n_parts++;
            sim_step(sim, at,
                (struct district_event){
                    .kind = DISTRICT_ASK, .peer = sim_slot_of(at, later[i].other), .intent = later[i].intent, .is_next = true});
        }
}

/* ---- the ledger: leaves become durable, and are read back into the book ---- */

/* A use's leaf is durable: the department is asked, and the answer leaves. */
static void served(struct sim *sim, int at, const struct leaf *leaf, size_t number)
{
    struct node *node = &sim->nodes[at];
    struct district_event event = {.kind = DISTRICT_SERVE_DONE,
        .peer = sim_slot_of(at, leaf->other),
        .intent = leaf->intent,
        .has_leaf = true,
        .leaf = number,
        .is_long = leaf->use == OBJECT,
        .is_open = leaf->use == QUERY || (leaf->use == OBJECT && !node->is_aborted[number])};
    if (leaf->use >= ACT) {
        struct act *act = &sim->nodes[leaf->other].acts[at][leaf->key];
        act->n_rows += leaf->use == ACT_ONCE || act->n_rows == 0; /* the one that keeps no keys does what it is told */
        assert_int_equal(act->n_rows, 1);
    }
    if (event.is_open) {
        assert_false(node->readings[leaf->other][leaf->intent].is_open);
        node->readings[leaf->other][leaf->intent].is_open = true;
        node->readings[leaf->other][leaf->intent].leaf = number;
        node->n_readings++;
    }
    sim_step(sim, at, event);
}

void sim_harden(struct sim *sim, int at)
{
    struct node *node = &sim->nodes[at];
    while (node->n_durable < node->n_leaves && node->leaves[node->n_durable].durable_ms <= sim->now_ms) {
        size_t i = node->n_durable++;
        const struct leaf *leaf = &node->leaves[i];
        if (leaf->kind == INTENT && node->is_asking[i])
            sim_step(sim, at,
                (struct district_event){
                    .kind = DISTRICT_ASK, .peer = sim_slot_of(at, leaf->other), .intent = i, .is_long = leaf->use == OBJECT});
        if (leaf->kind == SERVED && node->is_serving[i])
            served(sim, at, leaf, i);
    }
    for (size_t i = 0; i < node->n_pending;) {
        struct pending one = node->pending[i];
        if (one.at_ms > sim->now_ms) {
            i++;
            continue;
        }
        node->pending[i] = node->pending[--node->n_pending];
        sim_step(sim, at,
            (struct district_event){.kind = DISTRICT_SERVE_DONE,
                .peer = sim_slot_of(at, one.other),
                .intent = one.intent,
                .part = one.part,
                .has_leaf = true,
                .leaf = one.leaf,
                .is_long = sim->nodes[one.other].leaves[one.intent].use == OBJECT,
                .is_open = true});
    }
}

/* Readers who have stood still long enough ask for the next part; or say that it was the last. */
void sim_read_on(struct sim *sim, int at)
{
    struct node *node = &sim->nodes[at];
    for (size_t i = 0; i < node->n_standing;) {
        struct standing one = node->standing[i];
        if (one.at_ms > sim->now_ms) {
            i++;
            continue;
        }
        node->standing[i] = node->standing[--node->n_standing];
        node->was_long[one.intent] = one.is_long;
        sim->n_parts += !one.is_over;
        sim_step(sim, at,
            (struct district_event){.kind = one.is_over ? DISTRICT_GIVE_UP : DISTRICT_ASK,
                .peer = sim_slot_of(at, node->leaves[one.intent].other),
                .intent = one.intent,
                .is_next = !one.is_over,
                .is_over = one.is_over});
    }
}

void sim_follow(struct sim *sim, int at, bool is_told)
{
    struct node *node = &sim->nodes[at];
    while (node->followed < node->n_durable) {
        size_t i = node->followed++;
        const struct leaf *leaf = &node->leaves[i];
        if (leaf->kind == INTENT)
            continue;
        uint8_t kind = leaf->kind == SERVED ? DISTRICT_SERVED : DISTRICT_NAMED;
        uint64_t n = node->book[leaf->other].n++;
        node->book[leaf->other].rows[n].receipt = (struct district_receipt){.kind = kind, .intent = leaf->intent, .leaf = i};
        if (is_told)
            sim_step(sim, at,
                (struct district_event){
                    .kind = DISTRICT_LEAF, .peer = sim_slot_of(at, leaf->other), .intent = leaf->intent, .leaf = i, .receipt_kind = kind});
    }
    for (int other = 0; other < N_NODES && is_told; other++) {
        if (!node->naming[other].is_on || node->followed < node->naming[other].wait_for)
            continue;
        node->naming[other].is_on = false;
        node->book[other].got = node->naming[other].first + node->naming[other].n - 1;
        sim_step(sim, at, (struct district_event){.kind = DISTRICT_NAMED_DONE, .peer = sim_slot_of(at, other)});
    }
}

/* ---- life and death ---- */

void sim_start(struct sim *sim, int at)
{
    struct node *node = &sim->nodes[at];
    struct district_state *state = node->state;
    memset(state, 0, sizeof *state);
    memset(node->naming, 0, sizeof node->naming);
    memset(node->is_serving, 0, sizeof node->is_serving);
    memset(node->is_asking, 0, sizeof node->is_asking);
    memset(node->is_under_way, 0, sizeof node->is_under_way);
    memset(node->readings, 0, sizeof node->readings);
    node->n_readings = node->n_pending = node->n_standing = 0;
    node->is_up = true;
    district_begin(state, ++node->boot);
    state->reader_ms = READER_MS;
    sim_follow(sim, at, false); /* the book is caught up before anything is said */
    for (int other = 0; other < N_NODES; other++) {
        node->copy[other] = SUSPENDED;
        node->copy_until[other] = -1;
        if (!sim_are_peers(at, other))
            continue;
        size_t slot = state->n_peers++;
        struct district_peer *peer = &state->peers[slot];
        memset(peer->agreement.bytes, 7, sizeof peer->agreement.bytes);
        peer->fresh_for_ms = FRESH_MS;
        peer->from_ms = 0;
        peer->until_ms = INT64_MAX;
        peer->mine = node->book[other].agreement;
        district_peer_begin(peer, node->book[other].n, node->book[other].acked, node->book[other].got);
        for (int is_home = 0; is_home < 2; is_home++) {
            struct district_contract *contract = &state->contracts[state->n_contracts++];
            contract->hash[0] = (uint8_t)(is_home ? at : other);
            contract->hash[1] = (uint8_t)(is_home ? other : at);
            contract->peer = slot;
            contract->is_home = is_home;
            contract->state = is_home ? node->contract[other] : SUSPENDED;
            contract->fresh_for_ms = FRESH_MS;
        }
    }
}

void sim_stop(struct sim *sim, int at)
{
    struct node *node = &sim->nodes[at];
    node->is_up = false;
    node->n_leaves = node->n_durable; /* what was not on the disk never was */
    node->up_at_ms = sim->now_ms + sim_below(sim, 4000);
    sim->n_restarts++;
}
