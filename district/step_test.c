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
#include "district/step_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_contract(struct sim *sim, int at, int consumer, uint8_t state)
{
    struct node *node = &sim->nodes[at];
    if (node->contract[consumer] == state)
        return;
    node->contract[consumer] = state;
    node->suspended_ms[consumer] = sim->now_ms;
    for (size_t i = 0; i < node->state->n_contracts; i++)
        if (node->state->contracts[i].is_home && node->state->contracts[i].peer == sim_slot_of(at, consumer)) {
            sim_step(sim, at,
                (struct district_event){.kind = DISTRICT_MY_CONTRACT, .peer = sim_slot_of(at, consumer), .contract = i, .state = state});
            return;
        }
}

static void set_agreement(struct sim *sim, int at, int other, uint8_t state)
{
    sim->nodes[at].book[other].agreement = state;
    sim_step(sim, at, (struct district_event){.kind = DISTRICT_MY_AGREEMENT, .peer = sim_slot_of(at, other), .word = {.state = state}});
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
    struct leaf leaf = {.kind = INTENT, .other = other, .use = (enum use_kind)sim_below(sim, N_USES)};
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
    size_t intent = sim_append(sim, at, leaf);
    node->n_parts[intent] = (int)sim_below(sim, 6);
    node->is_asking[intent] = node->is_under_way[intent] = true;
}

/* The asker of a use of late goes away. */
static void give_up(struct sim *sim, int at)
{
    struct node *node = &sim->nodes[at];
    size_t back = (size_t)sim_below(sim, 20) + 1;
    if (node->n_durable < back)
        return;
    const struct leaf *leaf = &node->leaves[node->n_durable - back];
    if (leaf->kind != INTENT || leaf->use >= ACT || !node->is_under_way[node->n_durable - back])
        return;
    sim->n_given_up++;
    for (size_t i = 0; i < node->n_standing; i++)
        if (node->standing[i].intent == node->n_durable - back) { /* nothing is under way */
            node->standing[i] = node->standing[--node->n_standing];
            sim_end_use(sim, at, node->n_durable - back, false, false);
            return;
        }
    sim_step(
        sim, at, (struct district_event){.kind = DISTRICT_GIVE_UP, .peer = sim_slot_of(at, leaf->other), .intent = node->n_durable - back});
}

static void do_something(struct sim *sim)
{
    int at = (int)sim_below(sim, N_NODES), other = (int)sim_below(sim, N_NODES);
    bool is_pair = sim->nodes[at].is_up && sim_are_peers(at, other);
    if (is_pair && sim_chance(sim, 400))
        use(sim, at, other);
    if (sim->nodes[at].is_up && sim_chance(sim, 60))
        give_up(sim, at);
    if (sim->is_calm)
        return;
    if (sim_chance(sim, 4))
        sim->is_cut[at] = !sim->is_cut[at];
    if (sim->nodes[at].is_up && sim_chance(sim, 3))
        sim_stop(sim, at);
    if (sim_chance(sim, 5))
        sim->nodes[at].wall_jump_ms = sim_below(sim, 400000000) - 200000000;
    if (is_pair && sim_chance(sim, 10))
        set_contract(sim, at, other, sim_chance(sim, 500) ? AGREED : SUSPENDED);
    if (is_pair && sim_chance(sim, 6))
        set_agreement(sim, at, other, sim_chance(sim, 700) ? DISTRICT_AGREED : DISTRICT_SUSPENDED);
}

static void calm_down(struct sim *sim)
{
    sim->is_calm = true;
    memset(sim->is_cut, 0, sizeof sim->is_cut);
    for (int at = 0; at < N_NODES; at++) {
        if (!sim->nodes[at].is_up)
            sim_start(sim, at);
        sim->nodes[at].wall_jump_ms = 0;
        for (int other = 0; other < N_NODES; other++)
            if (sim_are_peers(at, other))
                set_agreement(sim, at, other, DISTRICT_AGREED);
    }
}

static void run(struct sim *sim)
{
    for (; sim->now_ms < CHAOS_MS + CALM_MS; sim->now_ms += STEP_MS) {
        if (sim->now_ms == CHAOS_MS)
            calm_down(sim);
        sim_land(sim);
        for (int at = 0; at < N_NODES; at++) {
            if (!sim->nodes[at].is_up && sim->now_ms >= sim->nodes[at].up_at_ms)
                sim_start(sim, at);
            if (!sim->nodes[at].is_up)
                continue;
            sim_harden(sim, at);
            sim_read_on(sim, at);
            if (sim->now_ms % 50 == 0)
                sim_follow(sim, at, true);
            if (sim->now_ms % 100 == 0)
                sim_step(sim, at, (struct district_event){.kind = DISTRICT_TICK});
        }
        if (sim->now_ms < CHAOS_MS + CALM_MS - 10000) /* the last of them time out or are answered within the rest */
            do_something(sim);
    }
}

/* ---- what has to hold in the end ---- */

static void check_pair(const struct sim *sim, int at, int other)
{
    const struct node *node = &sim->nodes[at], *asker = &sim->nodes[other];
    const struct district_peer *peer = &node->state->peers[sim_slot_of(at, other)];
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
            assert_non_null(sim_naming_leaf(node, node->n_durable, other, i));
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
        sim->nodes[at].offset_ms = sim_below(sim, 1000000);
        for (int other = 0; other < N_NODES; other++) {
            sim->nodes[at].contract[other] = AGREED;
            sim->nodes[at].book[other].agreement = DISTRICT_AGREED;
        }
        sim_start(sim, at);
    }
    run(sim);
    for (int at = 0; at < N_NODES; at++) {
        assert_int_equal(sim->nodes[at].state->n_asked, 0);
        assert_int_equal(sim->nodes[at].n_readings, 0);
        for (int other = 0; other < N_NODES; other++)
            if (sim_are_peers(at, other))
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
