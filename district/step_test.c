/*
 * Four hubs (a city, two districts, a street) simulated around the real step: links that are cut, messages lost, doubled, late and out of
 * order, hubs that stop at any moment and forget all that was not durable, steady clocks with offsets and wall clocks that jump, contracts
 * and agreements suspended and taken up again. All of it from a seed, which a failure prints.
 *
 * Held after the links healed: each leaf of a served use has exactly one leaf in the asker's log that names it, and names an intent of the
 * asker's; what was answered to an asker is in both logs; nobody waits for anything, and no use stays open. Held always: no use is begun
 * under a contract that its home hub suspended longer ago than the stated bound.
 *
 * Uses are calls, queries of several parts whose askers may go away, objects whose readers stand still between the parts, and acts: those
 * with a key that the department keeps are repeated until their answer is known; those that are done at most once are repeated only when
 * they were certainly not done, and never done twice.
 */
#include "base/mem.h"
#include "base/test.h"
#include "district/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_NODES 4
#define LEAVES_MAX 8192
#define FLYING_MAX 4096
#define CHAOS_MS 40000
#define CALM_MS 22000
#define STEP_MS 10
#define READER_MS 17000 /* for a short simulation */
#define FRESH_MS 3000
#define AGREED 2 /* HUB_AGREED of hub/registry.h: the step only hands it on */
#define SUSPENDED 3

#define KEYS_MAX 512
#define PENDING_MAX 256

enum leaf_kind { INTENT, SERVED, NAMED };
enum use_kind { CALL, QUERY, OBJECT, ACT, ACT_ONCE, N_USES };
struct leaf {
    enum leaf_kind kind;
    enum use_kind use; /* INTENT, SERVED */
    int key;           /* of an act */
    int other;
    uint64_t intent, theirs; /* NAMED: the provider's leaf */
    int64_t durable_ms;
    bool was_answered; /* INTENT: the asker got an answer with this use's receipt; NAMED, SERVED: unused */
};
struct row {
    struct district_receipt receipt;
};
struct act { /* durable, at the asker, but for `n_rows`, which the provider's department has */
    enum use_kind use;
    enum { FREE, ASKED, DONE } state;
    size_t n_rows;
};
struct pending { /* a part that is being served */
    int64_t at_ms;
    int other;
    uint64_t intent, leaf;
    uint32_t part;
};
struct standing { /* between two parts of an object, or before what is said at its end */
    int64_t at_ms;
    uint64_t intent;
    bool is_long, is_over;
};
struct flying {
    int64_t at_ms;
    int from, to;
    struct district_message message;
};
struct node {
    struct district_state *state;
    bool is_up;
    int64_t up_at_ms, offset_ms, wall_jump_ms;
    /* durable */
    uint64_t boot;
    struct leaf leaves[LEAVES_MAX];
    size_t n_leaves, n_durable;
    size_t followed; /* leaves read back into the book */
    struct {
        struct row rows[LEAVES_MAX];
        uint64_t n, acked, got;
        uint8_t agreement;
    } book[N_NODES];
    uint8_t contract[N_NODES]; /* state of the one at home here whose consumer is that node */
    int64_t suspended_ms[N_NODES];
    struct act acts[N_NODES][KEYS_MAX]; /* asked of that node, by key */
    int n_acts[N_NODES];
    /* volatile */
    int n_parts[LEAVES_MAX];     /* of this query, still to be asked */
    uint64_t theirs[LEAVES_MAX]; /* + 1: the leaf that its answer named */
    bool is_under_way[LEAVES_MAX];
    bool is_aborted[LEAVES_MAX]; /* this SERVED leaf's asker has gone before it was durable */
    bool was_long[LEAVES_MAX];   /* its reader stood still for longer than a query stays open */
    struct pending pending[PENDING_MAX];
    size_t n_pending;
    struct standing standing[PENDING_MAX];
    size_t n_standing;
    struct {
        bool is_open;
        uint64_t leaf;
    } readings[N_NODES][LEAVES_MAX]; /* by the asker's intent */
    size_t n_readings;
    uint8_t copy[N_NODES];
    int64_t copy_until[N_NODES]; /* of the contract at home there */
    bool is_serving[LEAVES_MAX]; /* this SERVED leaf's answer is due when it is durable */
    bool is_asking[LEAVES_MAX];
    struct {
        bool is_on;
        uint64_t first;
        size_t n;
        struct district_receipt receipts[DISTRICT_BATCH];
        size_t wait_for; /* followed has to reach it */
    } naming[N_NODES];
};
struct sim {
    uint64_t random;
    int64_t now_ms;
    bool is_calm;
    struct node nodes[N_NODES];
    bool is_cut[N_NODES]; /* the edge up to the parent */
    struct flying *flying;
    size_t n_flying;
    size_t n_answered, n_named, n_timeouts, n_restarts, n_parts, n_given_up, n_acts_done, n_acts_again, n_long;
    size_t n_by_use[N_USES];
    struct district_updates *updates;
};
static const int parents[N_NODES] = {-1, 0, 0, 1};
/* The street and the other district know nothing of each other. */
static bool are_peers(int a, int b)
{
    return a != b && !((a == 2 && b == 3) || (a == 3 && b == 2));
}
static size_t slot_of(int node, int other)
{
    size_t slot = 0;
    for (int i = 0; i < other; i++)
        slot += are_peers(node, i);
    return slot;
}
static int other_of(int node, size_t slot)
{
    for (int i = 0; i < N_NODES; i++)
        if (are_peers(node, i) && slot_of(node, i) == slot)
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
static int64_t below(struct sim *sim, int64_t n)
{
    return (int64_t)(next(sim) % (uint64_t)n);
}
static bool chance(struct sim *sim, int per_mille)
{
    return below(sim, 1000) < per_mille;
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

static void step(struct sim *sim, int at, struct district_event event)
{
    struct node *node = &sim->nodes[at];
    event.now_ms = sim->now_ms + node->offset_ms;
    event.wall_ms = 1000000000 + sim->now_ms + node->wall_jump_ms;
    district_step(node->state, &event, sim->updates);
    apply(sim, at);
}

static size_t append(struct sim *sim, int at, struct leaf leaf)
{
    struct node *node = &sim->nodes[at];
    assert_true(node->n_leaves < LEAVES_MAX);
    int64_t before = node->n_leaves ? node->leaves[node->n_leaves - 1].durable_ms : 0;
    leaf.durable_ms = sim->now_ms + below(sim, 30);
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
    if (!sim->is_calm && chance(sim, 50))
        return;
    int copies = !sim->is_calm && chance(sim, 100) ? 2 : 1;
    for (int i = 0; i < copies && sim->n_flying < FLYING_MAX; i++) {
        int64_t delay = 1 + below(sim, !sim->is_calm && chance(sim, 100) ? 3000 : 40);
        sim->flying[sim->n_flying++] = (struct flying){sim->now_ms + delay, from, to, *message};
    }
}

static void land(struct sim *sim)
{
    for (size_t i = 0; i < sim->n_flying;) {
        if (sim->flying[i].at_ms > sim->now_ms) {
            i++;
            continue;
        }
        struct flying one = sim->flying[i];
        bool is_reached = is_reachable(sim, one.from, one.to);
        if (!is_reached && chance(sim, 900)) { /* held back somewhere on the way, and out of date when it comes */
            sim->flying[i++].at_ms += 200;
            continue;
        }
        sim->flying[i] = sim->flying[--sim->n_flying];
        if (!sim->nodes[one.to].is_up || !is_reached)
            continue;
        step(sim, one.to, (struct district_event){.kind = DISTRICT_MESSAGE, .peer = slot_of(one.to, one.from), .message = &one.message});
    }
}

/* ---- what the step's updates mean here ---- */

static const struct leaf *naming_leaf(const struct node *node, size_t n, int other, uint64_t intent)
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
        if (!naming_leaf(node, node->followed, other, receipt->intent)) {
            append(sim, at, (struct leaf){.kind = NAMED, .other = other, .intent = receipt->intent, .theirs = receipt->leaf});
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

/* The end of a use at its asker; `is_undone`: it certainly was not done. */
static void end_use(struct sim *sim, int at, uint64_t intent, bool is_known, bool is_undone)
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
        append(sim, at, (struct leaf){.kind = NAMED, .other = leaf->other, .intent = intent, .theirs = node->theirs[intent] - 1});
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
            bool is_long = !sim->is_calm && sim->now_ms < CHAOS_MS / 2 && chance(sim, 300);
            node->n_parts[update->intent] = is_long ? 0 : node->n_parts[update->intent] - 1;
            stand(
                sim, at, update->intent, is_long ? DISTRICT_OPEN_MS + 1 + below(sim, 1000) : below(sim, sim->is_calm ? 200 : 1000), false);
            return false;
        }
    }
    bool is_undone = update->err == ERR_UNAVAILABLE || update->err == ERR_FULL || (!update->err && !update->has_leaf);
    end_use(sim, at, update->intent, is_act_known, is_undone && !is_act_known);
    return false;
}

/* One part is served, or refused. */
static void serve(struct sim *sim, int at, int other, uint64_t intent, uint32_t part)
{
    struct node *node = &sim->nodes[at];
    struct leaf asked = sim->nodes[other].leaves[intent]; /* what the question says */
    struct district_event event = {.kind = DISTRICT_SERVE_DONE, .peer = slot_of(at, other), .intent = intent, .part = part};
    if (part > 0) {
        assert_true(node->readings[other][intent].is_open && node->n_pending < PENDING_MAX);
        node->pending[node->n_pending++] = (struct pending){.at_ms = sim->now_ms + below(sim, 200),
            .other = other,
            .intent = intent,
            .leaf = node->readings[other][intent].leaf,
            .part = part};
        return;
    }
    bool is_repeated = asked.use >= ACT && sim->nodes[other].acts[at][asked.key].n_rows > 0; /* given again: no leaf */
    if (node->contract[other] == AGREED && !is_repeated) {
        size_t leaf = append(sim, at, (struct leaf){.kind = SERVED, .use = asked.use, .key = asked.key, .other = other, .intent = intent});
        node->is_serving[leaf] = true;
    } else {
        step(sim, at, event);
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
            if (chance(sim, 500)) /* written some time, or never */
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
            step(sim, at,
                (struct district_event){
                    .kind = DISTRICT_ASK, .peer = slot_of(at, later[i].other), .intent = later[i].intent, .is_next = true});
        }
}

/* ---- the ledger: leaves become durable, and are read back into the book ---- */

/* A use's leaf is durable: the department is asked, and the answer leaves. */
static void served(struct sim *sim, int at, const struct leaf *leaf, size_t number)
{
    struct node *node = &sim->nodes[at];
    struct district_event event = {.kind = DISTRICT_SERVE_DONE,
        .peer = slot_of(at, leaf->other),
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
    step(sim, at, event);
}

static void harden(struct sim *sim, int at)
{
    struct node *node = &sim->nodes[at];
    while (node->n_durable < node->n_leaves && node->leaves[node->n_durable].durable_ms <= sim->now_ms) {
        size_t i = node->n_durable++;
        const struct leaf *leaf = &node->leaves[i];
        if (leaf->kind == INTENT && node->is_asking[i])
            step(sim, at,
                (struct district_event){
                    .kind = DISTRICT_ASK, .peer = slot_of(at, leaf->other), .intent = i, .is_long = leaf->use == OBJECT});
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
        step(sim, at,
            (struct district_event){.kind = DISTRICT_SERVE_DONE,
                .peer = slot_of(at, one.other),
                .intent = one.intent,
                .part = one.part,
                .has_leaf = true,
                .leaf = one.leaf,
                .is_long = sim->nodes[one.other].leaves[one.intent].use == OBJECT,
                .is_open = true});
    }
}

/* Readers who have stood still long enough ask for the next part; or say that it was the last. */
static void read_on(struct sim *sim, int at)
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
        step(sim, at,
            (struct district_event){.kind = one.is_over ? DISTRICT_GIVE_UP : DISTRICT_ASK,
                .peer = slot_of(at, node->leaves[one.intent].other),
                .intent = one.intent,
                .is_next = !one.is_over,
                .is_over = one.is_over});
    }
}

static void follow(struct sim *sim, int at, bool is_told)
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
            step(sim, at,
                (struct district_event){
                    .kind = DISTRICT_LEAF, .peer = slot_of(at, leaf->other), .intent = leaf->intent, .leaf = i, .receipt_kind = kind});
    }
    for (int other = 0; other < N_NODES && is_told; other++) {
        if (!node->naming[other].is_on || node->followed < node->naming[other].wait_for)
            continue;
        node->naming[other].is_on = false;
        node->book[other].got = node->naming[other].first + node->naming[other].n - 1;
        step(sim, at, (struct district_event){.kind = DISTRICT_NAMED_DONE, .peer = slot_of(at, other)});
    }
}

/* ---- life and death ---- */

static void start(struct sim *sim, int at)
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
    follow(sim, at, false); /* the book is caught up before anything is said */
    for (int other = 0; other < N_NODES; other++) {
        node->copy[other] = SUSPENDED;
        node->copy_until[other] = -1;
        if (!are_peers(at, other))
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

static void stop(struct sim *sim, int at)
{
    struct node *node = &sim->nodes[at];
    node->is_up = false;
    node->n_leaves = node->n_durable; /* what was not on the disk never was */
    node->up_at_ms = sim->now_ms + below(sim, 4000);
    sim->n_restarts++;
}

static void set_contract(struct sim *sim, int at, int consumer, uint8_t state)
{
    struct node *node = &sim->nodes[at];
    if (node->contract[consumer] == state)
        return;
    node->contract[consumer] = state;
    node->suspended_ms[consumer] = sim->now_ms;
    for (size_t i = 0; i < node->state->n_contracts; i++)
        if (node->state->contracts[i].is_home && node->state->contracts[i].peer == slot_of(at, consumer)) {
            step(sim, at,
                (struct district_event){.kind = DISTRICT_MY_CONTRACT, .peer = slot_of(at, consumer), .contract = i, .state = state});
            return;
        }
}

static void set_agreement(struct sim *sim, int at, int other, uint8_t state)
{
    sim->nodes[at].book[other].agreement = state;
    step(sim, at, (struct district_event){.kind = DISTRICT_MY_AGREEMENT, .peer = slot_of(at, other), .word = {.state = state}});
}

static void use(struct sim *sim, int at, int other)
{
    struct node *node = &sim->nodes[at];
    if (node->copy[other] != AGREED || node->copy_until[other] < sim->now_ms + node->offset_ms)
        return;
    const struct node *home = &sim->nodes[other];
    /* The bound: fresh_for, and the tenth of a second between two ticks. */
    if (home->contract[at] != AGREED && sim->now_ms - home->suspended_ms[at] > FRESH_MS)
        fail_msg("a use %lld ms after its contract was suspended", (long long)(sim->now_ms - home->suspended_ms[at]));
    struct leaf leaf = {.kind = INTENT, .other = other, .use = (enum use_kind)below(sim, N_USES)};
    if (leaf.use >= ACT) { /* the one before is asked again, with its key, where that is allowed; else a new one */
        int n = node->n_acts[other];
        struct act *last = n ? &node->acts[other][n - 1] : NULL;
        bool is_again = last && (last->state == FREE || (last->state == ASKED && last->use == ACT));
        if (!is_again && n == KEYS_MAX)
            return;
        leaf.key = is_again ? n - 1 : node->n_acts[other]++;
        leaf.use = is_again ? last->use : leaf.use;
        sim->n_acts_again += is_again;
        node->acts[other][leaf.key].use = leaf.use;
        node->acts[other][leaf.key].state = ASKED;
    }
    size_t intent = append(sim, at, leaf);
    node->n_parts[intent] = (int)below(sim, 6);
    node->is_asking[intent] = node->is_under_way[intent] = true;
}

/* The asker of a use of late goes away. */
static void give_up(struct sim *sim, int at)
{
    struct node *node = &sim->nodes[at];
    size_t back = (size_t)below(sim, 20) + 1;
    if (node->n_durable < back)
        return;
    const struct leaf *leaf = &node->leaves[node->n_durable - back];
    if (leaf->kind != INTENT || leaf->use >= ACT || !node->is_under_way[node->n_durable - back])
        return;
    sim->n_given_up++;
    for (size_t i = 0; i < node->n_standing; i++)
        if (node->standing[i].intent == node->n_durable - back) { /* nothing is under way */
            node->standing[i] = node->standing[--node->n_standing];
            end_use(sim, at, node->n_durable - back, false, false);
            return;
        }
    step(sim, at, (struct district_event){.kind = DISTRICT_GIVE_UP, .peer = slot_of(at, leaf->other), .intent = node->n_durable - back});
}

static void do_something(struct sim *sim)
{
    int at = (int)below(sim, N_NODES), other = (int)below(sim, N_NODES);
    bool is_pair = sim->nodes[at].is_up && are_peers(at, other);
    if (is_pair && chance(sim, 400))
        use(sim, at, other);
    if (sim->nodes[at].is_up && chance(sim, 60))
        give_up(sim, at);
    if (sim->is_calm)
        return;
    if (chance(sim, 4))
        sim->is_cut[at] = !sim->is_cut[at];
    if (sim->nodes[at].is_up && chance(sim, 3))
        stop(sim, at);
    if (chance(sim, 5))
        sim->nodes[at].wall_jump_ms = below(sim, 400000000) - 200000000;
    if (is_pair && chance(sim, 10))
        set_contract(sim, at, other, chance(sim, 500) ? AGREED : SUSPENDED);
    if (is_pair && chance(sim, 6))
        set_agreement(sim, at, other, chance(sim, 700) ? DISTRICT_AGREED : DISTRICT_SUSPENDED);
}

static void calm_down(struct sim *sim)
{
    sim->is_calm = true;
    memset(sim->is_cut, 0, sizeof sim->is_cut);
    for (int at = 0; at < N_NODES; at++) {
        if (!sim->nodes[at].is_up)
            start(sim, at);
        sim->nodes[at].wall_jump_ms = 0;
        for (int other = 0; other < N_NODES; other++)
            if (are_peers(at, other))
                set_agreement(sim, at, other, DISTRICT_AGREED);
    }
}

static void run(struct sim *sim)
{
    for (; sim->now_ms < CHAOS_MS + CALM_MS; sim->now_ms += STEP_MS) {
        if (sim->now_ms == CHAOS_MS)
            calm_down(sim);
        land(sim);
        for (int at = 0; at < N_NODES; at++) {
            if (!sim->nodes[at].is_up && sim->now_ms >= sim->nodes[at].up_at_ms)
                start(sim, at);
            if (!sim->nodes[at].is_up)
                continue;
            harden(sim, at);
            read_on(sim, at);
            if (sim->now_ms % 50 == 0)
                follow(sim, at, true);
            if (sim->now_ms % 100 == 0)
                step(sim, at, (struct district_event){.kind = DISTRICT_TICK});
        }
        if (sim->now_ms < CHAOS_MS + CALM_MS - 10000) /* the last of them time out or are answered within the rest */
            do_something(sim);
    }
}

/* ---- what has to hold in the end ---- */

static void check_pair(const struct sim *sim, int at, int other)
{
    const struct node *node = &sim->nodes[at], *asker = &sim->nodes[other];
    const struct district_peer *peer = &node->state->peers[slot_of(at, other)];
    int64_t now_ms = sim->now_ms + node->offset_ms - STEP_MS;
    assert_true(peer->is_up);
    assert_true(district_in_force(peer, now_ms, 1000000000 + sim->now_ms));
    assert_int_equal(node->copy[other], asker->contract[at]); /* states are caught up */
    assert_true(node->copy_until[other] >= now_ms);
    assert_int_equal(peer->acked, node->book[other].n); /* all receipts are theirs, too */
    assert_int_equal(asker->book[at].got, node->book[other].n);
    for (size_t i = 0; i < node->n_durable; i++) {
        const struct leaf *leaf = &node->leaves[i];
        if (leaf->kind == SERVED && leaf->other == other) {
            size_t n_names = 0, n_served = 0;
            assert_true(leaf->intent < asker->n_durable);
            assert_int_equal(asker->leaves[leaf->intent].kind, INTENT);
            for (size_t k = 0; k < asker->n_durable; k++)
                n_names += asker->leaves[k].kind == NAMED && asker->leaves[k].other == at && asker->leaves[k].intent == leaf->intent &&
                           asker->leaves[k].theirs == i;
            for (size_t k = 0; k < node->n_durable; k++)
                n_served += node->leaves[k].kind == SERVED && node->leaves[k].other == other && node->leaves[k].intent == leaf->intent;
            assert_int_equal(n_names, 1); /* neither lost nor doubled */
            assert_int_equal(n_served, 1);
        }
        if (leaf->kind == NAMED && leaf->other == other) { /* and none was made up */
            assert_true(leaf->theirs < asker->n_durable);
            assert_int_equal(asker->leaves[leaf->theirs].kind, SERVED);
            assert_int_equal(asker->leaves[leaf->theirs].intent, leaf->intent);
        }
        if (leaf->kind == INTENT && leaf->other == other && leaf->was_answered)
            assert_non_null(naming_leaf(node, node->n_durable, other, i));
    }
}

static void simulate(struct sim *sim, uint64_t seed)
{
    struct district_state *states[N_NODES];
    sim->random = seed * 2654435761u + 88172645463325252u;
    sim->now_ms = 0;
    sim->is_calm = false;
    sim->n_flying = 0;
    memset(sim->is_cut, 0, sizeof sim->is_cut);
    for (int at = 0; at < N_NODES; at++) {
        states[at] = sim->nodes[at].state;
        memset(&sim->nodes[at], 0, sizeof sim->nodes[at]);
        sim->nodes[at].state = states[at];
        sim->nodes[at].offset_ms = below(sim, 1000000);
        for (int other = 0; other < N_NODES; other++) {
            sim->nodes[at].contract[other] = AGREED;
            sim->nodes[at].book[other].agreement = DISTRICT_AGREED;
        }
        start(sim, at);
    }
    run(sim);
    for (int at = 0; at < N_NODES; at++) {
        assert_int_equal(sim->nodes[at].state->n_asked, 0);
        assert_int_equal(sim->nodes[at].n_readings, 0);
        for (int other = 0; other < N_NODES; other++)
            if (are_peers(at, other))
                check_pair(sim, at, other);
    }
}

static void loses_and_doubles_nothing(void **state)
{
    const char *seeds = getenv("DISTRICT_SEEDS"), *first = getenv("DISTRICT_SEED");
    uint64_t n = seeds ? strtoull(seeds, NULL, 10) : 60, from = first ? strtoull(first, NULL, 10) : 1;
    struct sim *sim = mem_alloc_zero(1, sizeof *sim);
    assert_non_null(sim);
    sim->flying = mem_alloc_zero(FLYING_MAX, sizeof *sim->flying);
    sim->updates = mem_alloc_zero(1, sizeof *sim->updates);
    for (int at = 0; at < N_NODES; at++)
        sim->nodes[at].state = mem_alloc_zero(1, sizeof *sim->nodes[at].state);
    for (uint64_t seed = from; seed < from + n; seed++) {
        fprintf(stderr, "\rseed %llu ", (unsigned long long)seed);
        simulate(sim, seed);
    }
    printf("%llu seeds: %zu uses answered (%zu calls, %zu queries and %zu objects of %zu more parts, %zu acts), %zu named afterwards, %zu "
           "refused or timed "
           "out, %zu given up, %zu acts known and %zu asked again, %zu restarts\n",
        (unsigned long long)n, sim->n_answered, sim->n_by_use[CALL], sim->n_by_use[QUERY], sim->n_by_use[OBJECT], sim->n_parts,
        sim->n_by_use[ACT] + sim->n_by_use[ACT_ONCE], sim->n_named, sim->n_timeouts, sim->n_given_up, sim->n_acts_done, sim->n_acts_again,
        sim->n_restarts);
    /* The simulation does what it is for. */
    assert_true(sim->n_answered > 50 * n);
    assert_true(sim->n_named > n / 2);
    assert_true(sim->n_timeouts > n);
    assert_true(sim->n_by_use[OBJECT] > 5 * n && sim->n_long > 0);
    assert_true(sim->n_parts > 10 * n && sim->n_acts_done > 5 * n && sim->n_acts_again > n && sim->n_given_up > n);
    for (int at = 0; at < N_NODES; at++)
        mem_free(sim->nodes[at].state);
    mem_free(sim->flying);
    mem_free(sim->updates);
    mem_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(loses_and_doubles_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
