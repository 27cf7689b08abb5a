/* A grid of cells, sightings in the order of their cells; see near.h. */
#include "scene/census/near.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Squared distance, in errors of it, past which two are never one: 1 in 10^6; 1 in 400 with errors half again as large. */
#define GATE 27.0
/* Density is counted in a ring: nearer than its inner edge a sighting's doubles lie (1 in 100 past it), and wide enough for a few others.
 */
#define RING_ERRORS 4.3
#define RING_WIDE 2.0 /* outer edge over the inner, at first; twice as wide until RING_OTHERS are in it */
#define RING_WIDEST 8.0
#define RING_OTHERS 2.0
#define RING_MIN_M 4.0
#define SMOOTH_WEIGHT 20.0 /* sightings that the mean of a class weighs beside those around */
#define CELL_MAX 4096u     /* sightings in a cell: a dozen trees a square metre, which is an attack or a broken file */

struct placed {
    uint64_t cell;
    uint32_t sighting;
};

static int compare_cells(const void *a, const void *b)
{
    const struct placed *left = a, *right = b;
    if (left->cell != right->cell)
        return left->cell < right->cell ? -1 : 1;
    return left->sighting < right->sighting ? -1 : left->sighting > right->sighting;
}

static uint32_t first_of(const struct placed *cells, uint32_t n, uint64_t cell)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cells[middle].cell < cell)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct nearest {
    uint32_t sightings[NEAR_MAX];
    double ratios[NEAR_MAX];
    uint32_t n;
};

struct grid {
    const struct census_sighting *sightings;
    uint32_t n;
    double cell_m;
    struct placed *cells; /* [n] in order */
};

static uint64_t cell_of(const struct grid *grid, const struct census_sighting *one, int dx, int dy)
{
    uint64_t column = (uint64_t)((int64_t)floor((one->x_m - grid->sightings[0].x_m) / grid->cell_m) + dx + (1 << 30)),
             row = (uint64_t)((int64_t)floor((one->y_m - grid->sightings[0].y_m) / grid->cell_m) + dy + (1 << 30));
    return column << 32 | (row & 0xffffffffu);
}

/* Keeps the nearest, in errors. */
static void add_near(struct nearest *near, uint32_t sighting, double ratio)
{
    if (near->n < NEAR_MAX) {
        near->sightings[near->n] = sighting;
        near->ratios[near->n++] = ratio;
        return;
    }
    uint32_t worst = 0;
    for (uint32_t i = 1; i < near->n; i++)
        if (near->ratios[i] > near->ratios[worst])
            worst = i;
    if (ratio < near->ratios[worst]) {
        near->sightings[worst] = sighting;
        near->ratios[worst] = ratio;
    }
}

static double far2_between(const struct census_sighting *one, const struct census_sighting *other)
{
    double x = other->x_m - one->x_m, y = other->y_m - one->y_m;
    return x * x + y * y;
}

/* A mean over sightings. */
static double count_around(struct near *near, const struct grid *grid)
{
    double inner2 = near->inner_m * near->inner_m, outer2 = near->outer_m * near->outer_m, sum = 0;
    for (uint32_t at = 0; at < grid->n; at++) {
        const struct census_sighting *one = &grid->sightings[at];
        uint32_t around = 0;
        for (int dx = -1; dx <= 1; dx++)
            for (int dy = -1; dy <= 1; dy++) {
                uint64_t cell = cell_of(grid, one, dx, dy);
                for (uint32_t i = first_of(grid->cells, grid->n, cell); i < grid->n && grid->cells[i].cell == cell; i++) {
                    const struct census_sighting *other = &grid->sightings[grid->cells[i].sighting];
                    double far2 = far2_between(one, other);
                    around += far2 > inner2 && far2 <= outer2 && other->survey == one->survey && other->class == one->class;
                }
            }
        near->around[at] = (float)around;
        sum += around;
    }
    return sum / grid->n;
}

static void look_near(const struct grid *grid, uint32_t at, struct nearest *nearest)
{
    const struct census_sighting *one = &grid->sightings[at];
    nearest->n = 0;
    for (int dx = -1; dx <= 1; dx++)
        for (int dy = -1; dy <= 1; dy++) {
            uint64_t cell = cell_of(grid, one, dx, dy);
            for (uint32_t i = first_of(grid->cells, grid->n, cell); i < grid->n && grid->cells[i].cell == cell; i++) {
                const struct census_sighting *other = &grid->sightings[grid->cells[i].sighting];
                double errors2 = (double)one->error_m * one->error_m + (double)other->error_m * other->error_m;
                double ratio = far2_between(one, other) / errors2;
                if (grid->cells[i].sighting != at && ratio <= GATE)
                    add_near(nearest, grid->cells[i].sighting, ratio);
            }
        }
}

/* One survey's own sightings need no matching to tell how thick objects stand around one, but each alone tells little: the mean over the
 * cells around, and of the whole class. */
static enum err smooth_density(struct near *near, const struct grid *grid)
{
    double all[CENSUS_CLASSES_MAX] = {0}, n_all[CENSUS_CLASSES_MAX] = {0};
    float *smooth = mem_alloc_zero(grid->n, sizeof(*smooth));
    if (smooth == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < grid->n; i++) {
        all[grid->sightings[i].class] += near->around[i];
        n_all[grid->sightings[i].class]++;
    }
    for (uint32_t at = 0; at < grid->n; at++) {
        const struct census_sighting *one = &grid->sightings[at];
        double sum = SMOOTH_WEIGHT * all[one->class] / n_all[one->class], n = SMOOTH_WEIGHT;
        for (int dx = -1; dx <= 1; dx++)
            for (int dy = -1; dy <= 1; dy++) {
                uint64_t cell = cell_of(grid, one, dx, dy);
                for (uint32_t i = first_of(grid->cells, grid->n, cell); i < grid->n && grid->cells[i].cell == cell; i++)
                    if (grid->sightings[grid->cells[i].sighting].class == one->class) {
                        sum += near->around[grid->cells[i].sighting];
                        n++;
                    }
            }
        smooth[at] = (float)(sum / n);
    }
    mem_free(near->around);
    near->around = smooth;
    return ERR_OK;
}

static enum err find_neighbours(struct near *near, const struct grid *grid)
{
    size_t cap = 8u * (size_t)grid->n + NEAR_MAX, used = 0;
    near->neighbours = mem_alloc(cap * sizeof(*near->neighbours));
    if (near->neighbours == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < grid->n; i++) {
        struct nearest nearest;
        look_near(grid, i, &nearest);
        if (used + nearest.n > cap) {
            cap *= 2;
            uint32_t *more = mem_resize(near->neighbours, cap * sizeof(*more));
            if (more == NULL)
                return ERR_NO_MEMORY;
            near->neighbours = more;
        }
        memcpy(near->neighbours + used, nearest.sightings, nearest.n * sizeof(*nearest.sightings));
        used += nearest.n;
        near->starts[i + 1] = (uint32_t)used;
    }
    return ERR_OK;
}

/* Sightings of one's own survey within one's errors, a mean: those nearer than the ring, scaled to the circle of two errors. */
static double how_crowded(const struct near *near, const struct census_sighting *sightings, uint32_t n)
{
    double others = 0, error2 = 0;
    for (uint32_t i = 0; i < n; i++) {
        error2 += (double)sightings[i].error_m * sightings[i].error_m / n;
        for (uint32_t j = near->starts[i]; j < near->starts[i + 1]; j++)
            others += sightings[near->neighbours[j]].survey == sightings[i].survey &&
                      far2_between(&sightings[i], &sightings[near->neighbours[j]]) <= near->inner_m * near->inner_m;
    }
    return others / n * 4 * error2 / (near->inner_m * near->inner_m);
}

static enum err fill(struct grid *grid, double cell_m)
{
    grid->cell_m = cell_m;
    for (uint32_t i = 0; i < grid->n; i++)
        grid->cells[i] = (struct placed){cell_of(grid, &grid->sightings[i], 0, 0), i};
    qsort(grid->cells, grid->n, sizeof(*grid->cells), compare_cells);
    for (uint32_t i = CELL_MAX; i < grid->n; i++)
        if (grid->cells[i].cell == grid->cells[i - CELL_MAX].cell)
            return ERR_FULL;
    return ERR_OK;
}

enum err near_init(struct near *near, const struct census_sighting *sightings, uint32_t n)
{
    double error_max = 0, errors = 0;
    for (uint32_t i = 0; i < n; i++) {
        error_max = fmax(error_max, sightings[i].error_m);
        errors += sightings[i].error_m;
    }
    double inner_m = fmax(RING_MIN_M, RING_ERRORS * errors / n), gate_m = sqrt(2 * GATE) * error_max;
    *near = (struct near){.inner_m = inner_m, .outer_m = RING_WIDE * inner_m};
    struct grid grid = {.sightings = sightings, .n = n, .cells = mem_alloc_zero(n, sizeof(*grid.cells))};
    near->around = mem_alloc_zero(n, sizeof(*near->around));
    near->starts = mem_alloc_zero((size_t)n + 1, sizeof(*near->starts));
    enum err err = near->around == NULL || near->starts == NULL || grid.cells == NULL ? ERR_NO_MEMORY : ERR_OK;
    if (err == ERR_OK)
        err = fill(&grid, fmax(near->outer_m, gate_m));
    if (err == ERR_OK)
        err = find_neighbours(near, &grid);
    while (err == ERR_OK && count_around(near, &grid) < RING_OTHERS && near->outer_m < RING_WIDEST * inner_m) {
        near->outer_m *= 2;
        err = fill(&grid, fmax(near->outer_m, gate_m));
    }
    if (err == ERR_OK)
        err = smooth_density(near, &grid);
    if (err == ERR_OK)
        near->crowd = how_crowded(near, sightings, n);
    near->ring_m2 = M_PI * (near->outer_m * near->outer_m - inner_m * inner_m);
    mem_free(grid.cells);
    return err;
}

void near_finish(struct near *near)
{
    mem_free(near->around);
    mem_free(near->starts);
    mem_free(near->neighbours);
    *near = (struct near){.ring_m2 = 0};
}
