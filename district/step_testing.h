/*
 * For the test of the step: four hubs (a city, two districts, a street) simulated around the real district_step(), each with a ledger whose
 * leaves become durable later, a book, contracts and agreements, joined by a network that cuts, loses, doubles, delays and reorders. All of
 * it from a seed. What happens to them, and what has to hold, is the test's (district/step_test.c).
 */
#ifndef DISTRICT_STEP_TESTING_H
#define DISTRICT_STEP_TESTING_H

#include "base/test.h"
#include "district/step.h"

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

bool sim_are_peers(int a, int b);
size_t sim_slot_of(int node, int other);
int64_t sim_below(struct sim *sim, int64_t n);
bool sim_chance(struct sim *sim, int per_mille);
void sim_step(struct sim *sim, int at, struct district_event event);
size_t sim_append(struct sim *sim, int at, struct leaf leaf);
void sim_land(struct sim *sim);
/* The end of a use at its asker; `is_undone`: it certainly was not done. */
void sim_end_use(struct sim *sim, int at, uint64_t intent, bool is_known, bool is_undone);
const struct leaf *sim_naming_leaf(const struct node *node, size_t n, int other, uint64_t intent);
void sim_harden(struct sim *sim, int at);
void sim_read_on(struct sim *sim, int at);
void sim_follow(struct sim *sim, int at, bool is_told);
void sim_start(struct sim *sim, int at);
void sim_stop(struct sim *sim, int at);

#endif
