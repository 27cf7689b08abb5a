/* Induction loops in a snapshot; see snapshot.h. */
#include "scene/count/snapshot_walk.h"

static void walk_lanes(struct walk *walk, struct count_loop *loop)
{
    uint32_t n = loop->n_told_lanes;
    walk_u32(walk, &n, loop->n_lanes, "a loop's lanes");
    for (uint32_t i = 0; i < n && walk->err == ERR_OK; i++) {
        struct count_loop_lane *lane = &loop->lanes[i];
        uint32_t number = lane->number;
        walk_u32(walk, &number, UINT8_MAX, "a loop's lane");
        walk_u32(walk, &lane->period_ms, COUNT_LOOP_PERIOD_MAX_MS, "a loop's interval");
        walk_past(walk, &lane->to_ms);
        walk_real(walk, &lane->n, 0, HUGE_SUM);
        walk_real(walk, &lane->s, 0, HUGE_SUM);
        if (!(lane->s > 0) || (number == 0 && n != 1))
            fail(walk, ERR_CORRUPT, "a loop's lane");
        lane->number = (uint8_t)number;
    }
    loop->n_told_lanes = (uint8_t)(walk->err == ERR_OK ? n : 0);
}

static void walk_bins(struct walk *walk, struct count_loop *loop)
{
    uint32_t closed = (uint32_t)loop->closed, most = (uint32_t)(2 * COUNT_TIME_MAX_MS / COUNT_LOOP_BIN_MS) + 1;
    bool has_bins = loop->bins != NULL;
    walk_bool(walk, &has_bins);
    if (!has_bins || walk->err != ERR_OK)
        return;
    if (is_reading(walk))
        loop->bins = count_loop_bins();
    if (loop->bins == NULL) {
        fail(walk, ERR_NO_MEMORY, "a loop's bins");
        return;
    }
    walk_u32(walk, &closed, most, "a loop's bins");
    loop->closed = (int32_t)closed;
    for (uint32_t i = 0; i < COUNT_LOOP_BINS && walk->err == ERR_OK; i++) {
        struct count_loop_bin *bin = &loop->bins[i];
        uint32_t number = (uint32_t)bin->number;
        walk_u32(walk, &number, most, "a bin");
        bin->number = (int32_t)number;
        walk_u32(walk, &bin->n_read, UINT32_MAX, "a bin");
        walk_float(walk, &bin->n_passed, 0, 1e9F);
        walk_float(walk, &bin->told, 0, 1e6F);
    }
    walk_real(walk, &loop->n_read, 0, HUGE_SUM);
    walk_real(walk, &loop->n_passed, 0, HUGE_SUM);
}

void count_snapshot_loops(struct walk *walk, struct count_loops *loops)
{
    uint32_t n = loops->n;
    walk_u32(walk, &n, COUNT_LOOPS_MAX, "the loops");
    for (uint32_t i = 0; i < n && walk->err == ERR_OK; i++) {
        uint32_t edge = is_reading(walk) ? 0 : loops->loops[i].edge;
        walk_u32(walk, &edge, loops->network->n_edges - 1, "a loop's edge");
        if (is_reading(walk) && loops->edge_loops != NULL && loops->edge_loops[edge] != 0)
            fail(walk, ERR_CORRUPT, "an edge whose loops are there twice");
        if (walk->err != ERR_OK)
            return;
        struct count_loop *loop = is_reading(walk) ? count_loops_place(loops, edge) : &loops->loops[i];
        if (loop == NULL) {
            fail(walk, ERR_NO_MEMORY, "the loops");
            return;
        }
        walk_lanes(walk, loop);
        walk_bins(walk, loop);
    }
    walk_time(walk, &loops->faded_ms);
    for (int i = 0; i < COUNT_LOOP_N_VERDICTS; i++)
        walk_u64(walk, &loops->n_rows[i]);
}
