/* The clocks of cameras; see clocks.h. */
#include "scene/count/clocks.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MS 600000
#define FASTER 1.25      /* the fastest drive faster than the limit, by this */
#define HEARD_LEAST 20u  /* passages before arrivals are believed */
#define DRIVEN_LEAST 6u  /* vehicles before a way is */
#define HEARD_ENOUGH 50u /* for a window */
#define DRIVEN_ENOUGH 20u
#define HELD_MAX 5u
#define SIDE_LEAST 2u   /* ways on one side before they bound anything: one may have the wrong clock at its other end */
#define WAY_MAX_S 300.0 /* longer ways have no least time worth the name */
#define SLACK_S 2.0     /* travel times contradict from here on; below, a clock that is behind and a slow way look alike */
#define MAP_S 12.0      /* travel times alone contradict from here on: maps have errors, too */
#define LATER_SHARE 10u /* arrivals tell something where one in so many passages is later than the least by GRAIN_S */
#define WIDE_S 20.0     /* bounds further apart than this have no middle worth the name ... */
#define INWARD_S 5.0    /* ... and it is this far inside the nearer one */
#define PROMPT_S 5.0    /* a passage that took longer than its camera's others by this was held up */
#define STEP_MS 1000    /* of a change that makes earlier passages incomparable */
#define ROUNDS 4
#define GRAIN_S 0.02 /* an error is moved by no less */

/* ---- least times ---- */

static const struct count_least least_none = {.least_s = {{INFINITY, INFINITY, INFINITY}, {INFINITY, INFINITY, INFINITY}}};

static void least_put(struct count_least *least, double value_s)
{
    float *at = least->least_s[0], value = (float)value_s;
    if (least->n[0] < UINT32_MAX)
        least->n[0]++;
    for (int i = 0; i < COUNT_CLOCK_LEAST; i++)
        if (value < at[i]) {
            float larger = at[i];
            at[i] = value;
            value = larger;
        }
}

static void least_turn(struct count_least *least, uint8_t *n_held, uint32_t n_enough)
{
    if (least->n[0] < n_enough && *n_held < HELD_MAX) {
        ++*n_held;
        return;
    }
    *n_held = 0;
    struct count_least turned = least_none;
    memcpy(turned.least_s[1], least->least_s[0], sizeof(turned.least_s[1]));
    turned.n[1] = least->n[0];
    *least = turned;
}

/* Of both windows; INFINITY before there are enough. */
static double least_of(const struct count_least *least, uint32_t n_least)
{
    if (least->n[0] + (uint64_t)least->n[1] < n_least)
        return INFINITY;
    return (double)fminf(least->least_s[0][COUNT_CLOCK_LEAST - 1], least->least_s[1][COUNT_CLOCK_LEAST - 1]);
}

/* ---- making ---- */

void count_clocks_init(struct count_clocks *clocks)
{
    *clocks = (struct count_clocks){.turned_ms = INT64_MIN};
}

void count_clocks_finish(struct count_clocks *clocks)
{
    mem_free(clocks->clocks);
    mem_free(clocks->scratch);
    mem_free(clocks->n_scratch);
    *clocks = (struct count_clocks){.turned_ms = INT64_MIN};
}

static void clock_clear(struct count_clock *clock)
{
    *clock = (struct count_clock){.delay = least_none, .uncertain_s = COUNT_CLOCK_UNKNOWN_S, .changed_ms = INT64_MIN};
}

void count_clocks_clear(struct count_clocks *clocks)
{
    for (uint32_t i = 0; i < clocks->n; i++)
        clock_clear(&clocks->clocks[i]);
    clocks->delay_s = 0;
    clocks->turned_ms = INT64_MIN;
}

enum err count_clocks_add(struct count_clocks *clocks)
{
    if (clocks->n == clocks->cap) {
        uint32_t cap = clocks->cap == 0 ? 64 : clocks->cap * 2;
        struct count_clock *grown = mem_resize_lines(clocks->clocks, clocks->n * sizeof(*grown), cap * sizeof(*grown));
        clocks->clocks = grown != NULL ? grown : clocks->clocks;
        double *scratch = mem_resize(clocks->scratch, (size_t)cap * COUNT_CLOCK_SIDE * sizeof(*scratch));
        clocks->scratch = scratch != NULL ? scratch : clocks->scratch;
        uint8_t *n_scratch = mem_resize(clocks->n_scratch, cap);
        clocks->n_scratch = n_scratch != NULL ? n_scratch : clocks->n_scratch;
        if (grown == NULL || scratch == NULL || n_scratch == NULL)
            return ERR_NO_MEMORY;
        clocks->cap = cap;
    }
    clock_clear(&clocks->clocks[clocks->n++]);
    return ERR_OK;
}

/* ---- passages ---- */

void count_clocks_hear(struct count_clocks *clocks, uint32_t camera, int64_t time_ms, int64_t arrived_ms)
{
    assert(camera < clocks->n);
    struct count_clock *clock = &clocks->clocks[camera];
    double delay_s = (double)(arrived_ms - time_ms) / 1000;
    clock->n_later += delay_s > (double)clock->delay.least_s[0][0] + GRAIN_S;
    clock->n_heard++;
    least_put(&clock->delay, delay_s);
}

int64_t count_clocks_correct(const struct count_clocks *clocks, uint32_t camera, int64_t time_ms)
{
    return time_ms - (int64_t)(clocks->clocks[camera].error_s * 1000);
}

static struct count_least *way_to(struct count_clock *clock, uint32_t to, double road_s)
{
    uint32_t least = 0;
    for (uint32_t i = 0; i < clock->n_ways; i++)
        if (clock->to[i] == to)
            return &clock->over[i];
    for (uint32_t i = 1; i < clock->n_ways; i++) {
        const struct count_least *one = &clock->over[i], *other = &clock->over[least];
        least = (uint64_t)one->n[0] + one->n[1] < (uint64_t)other->n[0] + other->n[1] ? i : least;
    }
    if (clock->n_ways < COUNT_CLOCK_WAYS)
        least = clock->n_ways++;
    clock->to[least] = to;
    clock->road_s[least] = (float)road_s;
    clock->over_held[least] = 0;
    clock->over[least] = least_none;
    return &clock->over[least];
}

void count_clocks_fetch(const struct count_clocks *clocks, uint32_t from, uint32_t to)
{
    const struct count_clock *clock = &clocks->clocks[from];
    uint32_t k = 0;
    for (uint32_t i = 0; i < COUNT_CLOCK_WAYS; i++)
        k = clock->to[i] == to ? i : k;
    __builtin_prefetch(&clock->over[k]);
}

void count_clocks_way(
    struct count_clocks *clocks, uint32_t from, uint32_t to, double road_s, int64_t left_ms, int64_t came_ms, int64_t arrived_ms)
{
    struct count_clock *a = &clocks->clocks[from], *b = &clocks->clocks[to];
    if (from == to || road_s <= 0 || road_s > WAY_MAX_S || left_ms < a->changed_ms || came_ms < b->changed_ms)
        return;
    double delay_s = least_of(&b->delay, HEARD_LEAST);
    /* Held up on its way to us, it may have been before the other. */
    if (isfinite(delay_s) && (double)(arrived_ms - came_ms) / 1000 - b->error_s - delay_s > PROMPT_S)
        return;
    double over_s = (double)(came_ms - left_ms) / 1000 + b->error_s - a->error_s - road_s;
    if (fabs(over_s) < 2 * COUNT_CLOCK_MAX_S)
        least_put(way_to(a, to, road_s), over_s);
}

/* ---- learning ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Few, of which qsort() would take longer to begin. */
static void sort_few(double *values, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        double value = values[i];
        uint32_t at = i;
        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
}

/* The city's cameras' delays in the median: what arrivals take, where the clocks are right on the whole. */
static void learn_delay(struct count_clocks *clocks)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < clocks->n; i++) {
        double delay_s = least_of(&clocks->clocks[i].delay, HEARD_LEAST);
        if (isfinite(delay_s))
            clocks->scratch[n++] = delay_s;
    }
    if (n == 0)
        return;
    qsort(clocks->scratch, n, sizeof(*clocks->scratch), by_size);
    /* Most ways are quick, and so are most clocks right: a median beyond that is no delay but a common error, which moves nobody. */
    clocks->delay_s = fmin(fmax(clocks->scratch[n / 2], -SLACK_S), SLACK_S);
}

/* What may lie below the free-flow time of a way: those who drive faster. */
static double faster_s(const struct count_clock *clock, uint32_t way)
{
    return (double)clock->road_s[way] * (1 - 1 / FASTER);
}

/* Bounds from above for every camera, by the ways that lead there. */
static void gather(struct count_clocks *clocks)
{
    memset(clocks->n_scratch, 0, clocks->n);
    for (uint32_t i = 0; i < clocks->n; i++)
        for (uint32_t k = 0; k < clocks->clocks[i].n_ways; k++) {
            const struct count_clock *clock = &clocks->clocks[i];
            double over_s = least_of(&clock->over[k], DRIVEN_LEAST);
            uint32_t to = clock->to[k];
            if (!isfinite(over_s) || clocks->n_scratch[to] == COUNT_CLOCK_SIDE)
                continue;
            clocks->scratch[(size_t)to * COUNT_CLOCK_SIDE + clocks->n_scratch[to]++] = clock->error_s + over_s + faster_s(clock, k);
        }
}

/* What the travel times leave for a camera's error. */
struct bounds {
    double low_s, high_s;
    double one_high_s; /* from above by one way alone, where there are not enough */
};

static struct bounds bounds_of(struct count_clocks *clocks, uint32_t camera)
{
    double *highs = &clocks->scratch[(size_t)camera * COUNT_CLOCK_SIDE], lows[COUNT_CLOCK_WAYS];
    uint32_t n_highs = clocks->n_scratch[camera], n_lows = 0;
    const struct count_clock *clock = &clocks->clocks[camera];
    for (uint32_t k = 0; k < clock->n_ways; k++) {
        double over_s = least_of(&clock->over[k], DRIVEN_LEAST);
        if (isfinite(over_s))
            lows[n_lows++] = clocks->clocks[clock->to[k]].error_s - over_s - faster_s(clock, k);
    }
    sort_few(highs, n_highs);
    sort_few(lows, n_lows);
    double high_s = n_highs == 0 ? INFINITY : highs[n_highs / 2];
    return (struct bounds){n_lows < SIDE_LEAST ? -INFINITY : lows[(n_lows - 1) / 2], n_highs < SIDE_LEAST ? INFINITY : high_s, high_s};
}

/* Do arrivals tell anything, or are they the camera's own times over again? */
static bool is_live(const struct count_clock *clock)
{
    return clock->n_later * LATER_SHARE >= clock->n_heard;
}

/* `error_s` where the travel times allow it; otherwise inside of what they do allow. */
static double within(const struct bounds *bounds, double error_s, double slack_s)
{
    double half_s = (bounds->high_s - bounds->low_s) / 2;
    if (error_s >= bounds->low_s - slack_s && error_s <= bounds->high_s + slack_s)
        return error_s;
    if (half_s <= WIDE_S / 2)
        return (bounds->low_s + bounds->high_s) / 2;
    return error_s < bounds->low_s ? bounds->low_s + fmin(half_s, INWARD_S) : bounds->high_s - fmin(half_s, INWARD_S);
}

/* Arrivals tell the error where they are quick; where they look late, travel times tell whether the clock is behind or the way to us slow.
 */
static void learn_clock(struct count_clocks *clocks, uint32_t camera)
{
    struct count_clock *clock = &clocks->clocks[camera];
    double delay_s = least_of(&clock->delay, HEARD_LEAST);
    if (!isfinite(delay_s))
        return;
    struct bounds bounds = bounds_of(clocks, camera);
    if (bounds.low_s > bounds.high_s)
        bounds.low_s = bounds.high_s = (bounds.low_s + bounds.high_s) / 2; /* the neighbours are not yet agreed */
    double half_s = (bounds.high_s - bounds.low_s) / 2, error_s = clocks->delay_s - delay_s;
    clock->uncertain_s = isfinite(half_s) ? fmin(fmax(half_s, SLACK_S), COUNT_CLOCK_UNKNOWN_S / 2) : COUNT_CLOCK_UNKNOWN_S;
    if (!is_live(clock)) {
        error_s = within(&bounds, 0, MAP_S);
    } else if (error_s >= -SLACK_S) {
        clock->uncertain_s =
            SLACK_S; /* nothing arrives before it was, and hardly anybody's way to us is slow by just what his clock is ahead */
    } else if (bounds.one_high_s < -SLACK_S) {
        bounds.high_s = fmin(bounds.high_s, bounds.one_high_s);
        error_s = fmax(within(&bounds, error_s, SLACK_S), error_s);
    } else {
        error_s = 0; /* nobody says that it is the clock */
    }
    if (fabs(error_s) > COUNT_CLOCK_MAX_S) {
        error_s = 0;
        clock->uncertain_s = COUNT_CLOCK_UNKNOWN_S;
    }
    if (fabs(error_s - clock->error_s) >= GRAIN_S)
        clock->error_s = error_s;
}

void count_clocks_learn(struct count_clocks *clocks, int64_t now_ms)
{
    if (clocks->n == 0)
        return;
    if (clocks->turned_ms == INT64_MIN)
        clocks->turned_ms = now_ms;
    learn_delay(clocks);
    bool is_moved = true; /* when no error moved in a round, none will in the next */
    for (int round = 0; round < ROUNDS && is_moved; round++) {
        is_moved = false;
        gather(clocks);
        for (uint32_t i = 0; i < clocks->n; i++) {
            double before_s = clocks->clocks[i].error_s;
            learn_clock(clocks, i);
            is_moved |= clocks->clocks[i].error_s != before_s;
            if (fabs(clocks->clocks[i].error_s - before_s) * 1000 >= STEP_MS)
                clocks->clocks[i].changed_ms = now_ms;
        }
    }
    if (now_ms - clocks->turned_ms < WINDOW_MS)
        return;
    clocks->turned_ms = now_ms;
    for (uint32_t i = 0; i < clocks->n; i++) {
        struct count_clock *clock = &clocks->clocks[i];
        least_turn(&clock->delay, &clock->delay_held, HEARD_ENOUGH);
        clock->n_heard /= 2;
        clock->n_later /= 2;
        for (uint32_t k = 0; k < clock->n_ways; k++)
            least_turn(&clock->over[k], &clock->over_held[k], DRIVEN_ENOUGH);
    }
}
