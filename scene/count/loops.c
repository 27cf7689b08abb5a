/* Induction loops; see loops.h. */
#include "scene/count/loops.h"

#include "base/mem.h"
#include "road/network.h"
#include "scene/count/recall.h"

#include <math.h>
#include <string.h>

#define ALL_TOLD 0.999F /* of a bin: intervals of seconds that are no whole ones leave a little */
#define SILENT_MS 60000 /* beyond two of its intervals */

void count_loops_init(
    struct count_loops *loops, const struct road_network *network, double window_s, int64_t late_max_ms, int64_t future_max_ms)
{
    *loops = (struct count_loops){
        .network = network, .window_s = window_s, .late_max_ms = late_max_ms, .future_max_ms = future_max_ms, .faded_ms = INT64_MIN};
}

void count_loops_clear(struct count_loops *loops)
{
    for (uint32_t i = 0; i < loops->n; i++) {
        mem_free(loops->loops[i].lanes);
        mem_free(loops->loops[i].bins);
        loops->edge_loops[loops->loops[i].edge] = 0;
    }
    loops->n = 0;
    loops->faded_ms = INT64_MIN;
}

void count_loops_finish(struct count_loops *loops)
{
    count_loops_clear(loops);
    mem_free(loops->loops);
    mem_free(loops->edge_loops);
    *loops = (struct count_loops){.faded_ms = INT64_MIN};
}

const char *count_loop_verdict_text(enum count_loop_verdict verdict)
{
    static const char *const texts[COUNT_LOOP_N_VERDICTS] = {[COUNT_LOOP_TAKEN] = "taken",
        [COUNT_LOOP_NO_INTERVAL] = "its interval is not one of up to 15 minutes",
        [COUNT_LOOP_NO_COUNT] = "so many vehicles cannot have passed",
        [COUNT_LOOP_LATE] = "its interval ended too long ago",
        [COUNT_LOOP_AHEAD] = "its interval is still to come",
        [COUNT_LOOP_REPEATED] = "its interval, or a part of it, was told before",
        [COUNT_LOOP_NO_LANE] = "the road has not so many lanes, or was told as a whole",
        [COUNT_LOOP_FULL] = "more roads with loops than there is room for"};
    return texts[verdict];
}

enum count_loop_verdict count_loop_row_make(
    int64_t from_ms, int64_t to_ms, int64_t lane, int64_t vehicles, int64_t arrived_ms, struct count_loop_row *ret_row)
{
    if (from_ms < 0 || to_ms <= from_ms || to_ms - from_ms > COUNT_LOOP_PERIOD_MAX_MS)
        return COUNT_LOOP_NO_INTERVAL;
    if (vehicles < 0 || vehicles > UINT32_MAX)
        return COUNT_LOOP_NO_COUNT;
    if (lane < 0 || lane > UINT8_MAX)
        return COUNT_LOOP_NO_LANE;
    *ret_row = (struct count_loop_row){.to_ms = to_ms,
        .arrived_ms = arrived_ms,
        .period_ms = (uint32_t)(to_ms - from_ms),
        .vehicles = (uint32_t)vehicles,
        .lane = (uint8_t)lane};
    return COUNT_LOOP_TAKEN;
}

/* ---- finding ---- */

static struct count_loop *find(const struct count_loops *loops, uint32_t edge)
{
    uint32_t place = loops->edge_loops != NULL ? loops->edge_loops[edge] : 0;
    return place != 0 ? &loops->loops[place - 1] : NULL;
}

struct count_loop *count_loops_place(struct count_loops *loops, uint32_t edge)
{
    if (loops->edge_loops == NULL)
        loops->edge_loops = mem_alloc_zero(loops->network->n_edges, sizeof(*loops->edge_loops));
    if (loops->edge_loops == NULL || loops->n == COUNT_LOOPS_MAX)
        return NULL;
    if (loops->n == loops->cap) {
        uint32_t cap = loops->cap == 0 ? 64 : loops->cap * 2;
        struct count_loop *grown = mem_resize(loops->loops, cap * sizeof(*grown));
        if (grown == NULL)
            return NULL;
        loops->loops = grown;
        loops->cap = cap;
    }
    uint32_t n_lanes = loops->network->edges[edge].n_car_lanes;
    struct count_loop loop = {.edge = edge, .n_lanes = (uint8_t)(n_lanes < 1 ? 1 : n_lanes > UINT8_MAX ? UINT8_MAX : n_lanes)};
    loop.lanes = mem_alloc_zero(loop.n_lanes, sizeof(*loop.lanes));
    if (loop.lanes == NULL)
        return NULL;
    loops->loops[loops->n] = loop;
    loops->edge_loops[edge] = ++loops->n;
    return &loops->loops[loops->n - 1];
}

struct count_loop_bin *count_loop_bins(void)
{
    return mem_alloc_zero(COUNT_LOOP_BINS, sizeof(struct count_loop_bin));
}

static bool is_whole(const struct count_loop *loop)
{
    return loop->n_told_lanes > 0 && loop->lanes[0].number == 0;
}

/* The lane of that number, a new one where there is room; NULL where there is none. */
static struct count_loop_lane *lane_of(struct count_loop *loop, uint8_t number)
{
    for (uint8_t i = 0; i < loop->n_told_lanes; i++)
        if (loop->lanes[i].number == number)
            return &loop->lanes[i];
    bool is_mixed = loop->n_told_lanes > 0 && (number == 0 || is_whole(loop));
    if (is_mixed || loop->n_told_lanes == loop->n_lanes)
        return NULL;
    struct count_loop_lane *lane = &loop->lanes[loop->n_told_lanes++];
    *lane = (struct count_loop_lane){.number = number, .to_ms = INT64_MIN};
    return lane;
}

/* ---- bins ---- */

static int32_t number_of(int64_t ms)
{
    return (int32_t)(ms / COUNT_LOOP_BIN_MS) + 1;
}

/* NULL: closed, or so far ahead that it would take the place of one that is not. */
static struct count_loop_bin *bin_of(struct count_loop *loop, int32_t number)
{
    if (number <= loop->closed || number > loop->closed + COUNT_LOOP_BINS)
        return NULL;
    struct count_loop_bin *bin = &loop->bins[number % COUNT_LOOP_BINS];
    if (bin->number != number)
        *bin = (struct count_loop_bin){.number = number};
    return bin;
}

/* The vehicles of a row, evenly over its seconds. */
static void put_bins(struct count_loop *loop, const struct count_loop_row *row)
{
    int64_t from_ms = row->to_ms - row->period_ms;
    double lanes = row->lane == 0 ? 1 : (double)loop->n_lanes;
    for (int32_t number = number_of(from_ms); number <= number_of(row->to_ms - 1); number++) {
        int64_t begin_ms = (int64_t)(number - 1) * COUNT_LOOP_BIN_MS, end_ms = begin_ms + COUNT_LOOP_BIN_MS;
        double part_ms = (double)((end_ms < row->to_ms ? end_ms : row->to_ms) - (begin_ms > from_ms ? begin_ms : from_ms));
        struct count_loop_bin *bin = bin_of(loop, number);
        if (bin == NULL)
            continue;
        bin->n_passed += (float)((double)row->vehicles * part_ms / (double)row->period_ms);
        bin->told += (float)(part_ms / COUNT_LOOP_BIN_MS / lanes);
    }
}

void count_loops_read(struct count_loops *loops, uint32_t edge, int64_t seen_ms)
{
    struct count_loop *loop = find(loops, edge);
    if (loop == NULL || loop->bins == NULL)
        return;
    struct count_loop_bin *bin = bin_of(loop, number_of(seen_ms));
    if (bin != NULL)
        bin->n_read++;
}

static void close_bins(struct count_loop *loop, int32_t until)
{
    for (int32_t number = loop->closed + 1; number <= until && number <= loop->closed + COUNT_LOOP_BINS; number++) {
        const struct count_loop_bin *bin = &loop->bins[number % COUNT_LOOP_BINS];
        if (bin->number != number || bin->told < ALL_TOLD)
            continue;
        loop->n_read += bin->n_read;
        loop->n_passed += (double)bin->n_passed;
    }
    loop->closed = until > loop->closed ? until : loop->closed;
}

void count_loops_learn(struct count_loops *loops, int64_t now_ms)
{
    double keep = loops->faded_ms == INT64_MIN || now_ms < loops->faded_ms
                      ? 1
                      : exp(-(double)(now_ms - loops->faded_ms) / 1000 / COUNT_RECALL_FADE_S);
    loops->faded_ms = now_ms;
    for (uint32_t i = 0; i < loops->n; i++) {
        struct count_loop *loop = &loops->loops[i];
        if (loop->bins == NULL)
            continue;
        /* The oldest second of a report comes when the interval is over. */
        int64_t open_ms = now_ms - loops->late_max_ms - loop->lanes[0].period_ms;
        loop->n_read *= keep;
        loop->n_passed *= keep;
        if (open_ms > 0)
            close_bins(loop, number_of(open_ms) - 1);
    }
}

/* ---- rows ---- */

static bool is_too_many(const struct count_loops *loops, const struct count_loop_row *row)
{
    uint32_t n_lanes = loops->network->edges[row->edge].n_car_lanes;
    double lanes = row->lane != 0 || n_lanes < 1 ? 1 : (double)n_lanes;
    return (double)row->vehicles > COUNT_LOOP_SLACK + lanes * COUNT_LOOP_LANE_MAX_PER_S * (double)row->period_ms / 1000;
}

static enum count_loop_verdict take(struct count_loops *loops, const struct count_loop_row *row, bool has_camera)
{
    if (is_too_many(loops, row))
        return COUNT_LOOP_NO_COUNT;
    if (row->to_ms < row->arrived_ms - loops->late_max_ms)
        return COUNT_LOOP_LATE;
    if (row->to_ms > row->arrived_ms + loops->future_max_ms)
        return COUNT_LOOP_AHEAD;
    struct count_loop *loop = find(loops, row->edge);
    if (loop == NULL)
        loop = count_loops_place(loops, row->edge);
    if (loop == NULL)
        return COUNT_LOOP_FULL;
    if (has_camera && loop->bins == NULL) {
        loop->bins = count_loop_bins();
        if (loop->bins == NULL)
            return COUNT_LOOP_FULL;
        /* What its camera read before was not counted. */
        loop->closed = number_of(row->to_ms > row->arrived_ms ? row->to_ms : row->arrived_ms);
    }
    struct count_loop_lane *lane = lane_of(loop, row->lane);
    if (lane == NULL)
        return COUNT_LOOP_NO_LANE;
    if (lane->to_ms != INT64_MIN && row->to_ms - row->period_ms < lane->to_ms)
        return COUNT_LOOP_REPEATED;
    double keep = lane->to_ms == INT64_MIN ? 0 : exp(-(double)(row->to_ms - lane->to_ms) / 1000 / loops->window_s);
    lane->n = keep * lane->n + row->vehicles;
    lane->s = keep * lane->s + (double)row->period_ms / 1000;
    lane->period_ms = row->period_ms;
    lane->to_ms = row->to_ms;
    if (loop->bins != NULL)
        put_bins(loop, row);
    return COUNT_LOOP_TAKEN;
}

enum count_loop_verdict count_loops_add(struct count_loops *loops, const struct count_loop_row *row, bool has_camera)
{
    enum count_loop_verdict verdict = take(loops, row, has_camera);
    loops->n_rows[verdict]++;
    return verdict;
}

/* ---- what is known ---- */

double count_loops_flow(const struct count_loops *loops, uint32_t edge, int64_t now_ms)
{
    const struct count_loop *loop = find(loops, edge);
    if (loop == NULL || (loop->n_told_lanes < loop->n_lanes && !is_whole(loop)))
        return NAN;
    double vph = 0;
    for (uint8_t i = 0; i < loop->n_told_lanes; i++) {
        const struct count_loop_lane *lane = &loop->lanes[i];
        if (now_ms - lane->to_ms > 2 * (int64_t)lane->period_ms + SILENT_MS)
            return NAN;
        vph += 3600 * lane->n / lane->s;
    }
    return vph;
}

double count_loops_recall(const struct count_loops *loops, uint32_t edge, double *ret_n)
{
    const struct count_loop *loop = find(loops, edge);
    *ret_n = loop != NULL ? loop->n_passed : 0;
    /* Loops miss vehicles, too. */
    return *ret_n < COUNT_RECALL_LEAST ? NAN : fmin(loop->n_read / *ret_n, 1);
}
