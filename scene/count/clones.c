/* Cloned plates; see clones.h. */
#include "scene/count/clones.h"

#include "base/mem.h"

#include <string.h>

#define ROW 4u

enum err count_clones_init(struct count_clones *clones)
{
    *clones = (struct count_clones){.suspects = mem_alloc_zero(COUNT_SUSPECTS, sizeof(*clones->suspects))};
    return clones->suspects == NULL ? ERR_NO_MEMORY : ERR_OK;
}

void count_clones_finish(struct count_clones *clones)
{
    mem_free(clones->suspects);
    clones->suspects = NULL;
}

void count_clones_clear(struct count_clones *clones)
{
    memset(clones->suspects, 0, COUNT_SUSPECTS * sizeof(*clones->suspects));
    clones->n_told = 0;
}

uint64_t count_clones_twin(uint64_t vehicle)
{
    /* SplitMix64's step (G. Steele et al. 2014): any other key will do that no plate has but by chance. */
    uint64_t x = (vehicle ^ 0x74776e0000000001u) + 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

bool count_clones_is_apart(double gap_s, double least_s, double uncertain_s)
{
    return least_s > COUNT_CLONE_SPEEDING * (gap_s + COUNT_CLONE_MARGIN_S + uncertain_s);
}

/* Its place; of a new one that of the row's longest unused. */
static struct count_suspect *suspect_of(struct count_clones *clones, uint64_t vehicle, int64_t now_ms)
{
    struct count_suspect *row = &clones->suspects[(count_clones_twin(vehicle) & (COUNT_SUSPECTS / ROW - 1)) * ROW], *oldest = row;
    for (uint32_t i = 0; i < ROW; i++) {
        if (row[i].vehicle == vehicle && row[i].used_ms != 0)
            return &row[i];
        if (row[i].used_ms < oldest->used_ms)
            oldest = &row[i];
    }
    *oldest = (struct count_suspect){.vehicle = vehicle, .used_ms = now_ms};
    return oldest;
}

static bool is_same(const struct count_sighting *a, const struct count_sighting *b)
{
    return a->camera == b->camera && a->time_ms == b->time_ms;
}

static bool has_common(const struct count_apart *one, const struct count_apart *other)
{
    return is_same(&one->a, &other->a) || is_same(&one->a, &other->b) || is_same(&one->b, &other->a) || is_same(&one->b, &other->b);
}

void count_clones_apart(struct count_clones *clones, uint64_t vehicle, const struct count_apart *pair, bool is_doubtful)
{
    int64_t now_ms = pair->b.time_ms;
    clones->n_apart++;
    if (is_doubtful)
        return;
    struct count_suspect *suspect = suspect_of(clones, vehicle, now_ms);
    suspect->used_ms = now_ms;
    if (suspect->first.b.time_ms == 0 || now_ms - suspect->first.a.time_ms > COUNT_CLONE_WITHIN_MS) {
        suspect->first = *pair;
        return;
    }
    if (has_common(&suspect->first, pair) || (suspect->told_ms != 0 && now_ms - suspect->told_ms < COUNT_CLONE_AGAIN_MS))
        return;
    suspect->told_ms = now_ms;
    count_clones_tell(clones, &(struct count_clone){vehicle, suspect->first, *pair});
}

void count_clones_tell(struct count_clones *clones, const struct count_clone *clone)
{
    if (clones->n_told == COUNT_CLONES_TOLD) {
        clones->n_untold++;
        return;
    }
    clones->n_found++;
    clones->told[clones->n_told++] = *clone;
}
