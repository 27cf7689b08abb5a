/* The rules, in the order of docs/reconcile.md. */
#include "system/bus/twin.h"

#include "base/mem.h"

#include <string.h>

void bus_twin_init(struct bus_twin *twin, uint64_t leaf_next, uint64_t line_next)
{
    memset(twin, 0, sizeof *twin);
    twin->leaf_next = leaf_next;
    twin->line_next = line_next;
}

void bus_twin_finish(struct bus_twin *twin)
{
    mem_free(twin->uses);
    twin->uses = NULL;
}

static void wrong(struct bus_twin *twin, enum bus_twin_wrong what, uint64_t last)
{
    twin->n_wrong[what]++;
    twin->last[what] = last;
}

static struct bus_twin_use *find(struct bus_twin *twin, uint64_t index)
{
    size_t low = 0, high = twin->n_uses;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (twin->uses[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < twin->n_uses && twin->uses[low].index == index ? &twin->uses[low] : NULL;
}

static bool is_same(struct bus_twin_what ours, struct bus_twin_what theirs)
{
    return ours.resource == theirs.resource && (theirs.contract == 0 || ours.contract == theirs.contract);
}

bool bus_twin_is_full(const struct bus_twin *twin)
{
    return twin->n_uses >= BUS_TWIN_USES_MAX;
}

/* 14: a line is about what its leaf is about */
static void serve(struct bus_twin *twin, struct bus_twin_use *use, struct bus_twin_what theirs)
{
    use->is_served = true;
    if (!is_same(use->what, theirs))
        wrong(twin, BUS_TWIN_DIFFERS, use->index);
}

enum err bus_twin_intent(struct bus_twin *twin, uint64_t index, struct bus_twin_what what)
{
    if (twin->n_uses == twin->cap_uses) {
        size_t cap = twin->cap_uses ? twin->cap_uses * 2 : 256;
        struct bus_twin_use *uses = mem_resize(twin->uses, cap * sizeof *uses);
        if (!uses)
            return ERR_NO_MEMORY;
        twin->uses = uses;
        twin->cap_uses = cap;
    }
    struct bus_twin_use *use = &twin->uses[twin->n_uses++];
    *use = (struct bus_twin_use){.index = index, .what = what};
    for (size_t i = 0; i < twin->n_ahead;) /* their line was faster */
        if (twin->ahead[i].index == index) {
            serve(twin, use, twin->ahead[i].what);
            twin->ahead[i] = twin->ahead[--twin->n_ahead];
        } else
            i++;
    return ERR_OK;
}

void bus_twin_outcome(struct bus_twin *twin, uint64_t intent, bool is_ok, uint64_t n_rows)
{
    struct bus_twin_use *use = find(twin, intent);
    if (!use)
        return;
    use->is_answered = is_ok && (!use->what.is_query || n_rows > 0);
    use->is_over = true;
}

void bus_twin_followed(struct bus_twin *twin, uint64_t leaf_next)
{
    twin->leaf_next = leaf_next;
}

bool bus_twin_line(struct bus_twin *twin, uint64_t index, struct bus_twin_what what)
{
    struct bus_twin_use *use = find(twin, index);
    if (use) {
        serve(twin, use, what);
        return false;
    }
    if (index < twin->leaf_next)
        return true; /* settled long ago, or no intent about their data */
    if (twin->n_ahead == BUS_TWIN_AHEAD_MAX)
        wrong(twin, BUS_TWIN_UNASKED, index);
    else
        twin->ahead[twin->n_ahead++] = (struct bus_twin_ahead){.index = index, .what = what};
    return false;
}

void bus_twin_looked(struct bus_twin *twin, uint64_t index, enum bus_twin_leaf leaf)
{
    if (leaf != BUS_TWIN_FITS)
        wrong(twin, leaf == BUS_TWIN_OTHER ? BUS_TWIN_DIFFERS : BUS_TWIN_UNASKED, index);
}

void bus_twin_foreign(struct bus_twin *twin, uint64_t number)
{
    wrong(twin, BUS_TWIN_UNASKED, number);
}

void bus_twin_cut(struct bus_twin *twin, uint64_t end)
{
    wrong(twin, BUS_TWIN_CUT, end);
    twin->line_next = end;
}

/* 13: only time counts in which they were heard and their journal was read to its end. 19: but for a day at most: who serves and never
 * tells its journal is no better than who has no line. */
static void wait_for(struct bus_twin *twin, struct bus_twin_use *use, int64_t ms, bool is_current, bool is_one)
{
    bool is_open = use->is_answered && !use->is_served;
    use->age_ms += ms;
    use->waited_ms += is_open && is_current && is_one ? ms : 0;
    if (use->waited_ms >= BUS_TWIN_WAIT_MS || (is_open && is_one && use->age_ms >= BUS_TWIN_GIVEN_UP_MS))
        wrong(twin, BUS_TWIN_MISSING, use->index);
}

static bool is_settled(const struct bus_twin *twin, const struct bus_twin_use *use)
{
    if (use->is_served)
        return use->age_ms >= BUS_TWIN_KEPT_MS || twin->n_uses > BUS_TWIN_USES_MAX / 2;
    return (use->is_over && !use->is_answered) || use->waited_ms >= BUS_TWIN_WAIT_MS ||
           use->age_ms >= (use->is_over ? BUS_TWIN_GIVEN_UP_MS : BUS_TWIN_LOST_MS);
}

void bus_twin_tick(struct bus_twin *twin, int64_t ms, bool is_current, bool is_one)
{
    size_t n = 0;
    for (size_t i = 0; i < twin->n_uses; i++) {
        wait_for(twin, &twin->uses[i], ms, is_current, is_one);
        if (!is_settled(twin, &twin->uses[i]))
            twin->uses[n++] = twin->uses[i];
    }
    twin->n_uses = n;
    for (size_t i = 0; i < twin->n_ahead;) { /* 15: a leaf that does not come was never one */
        struct bus_twin_ahead *ahead = &twin->ahead[i];
        bool is_late = ahead->index < twin->leaf_next || (ahead->waited_ms += ms) >= BUS_TWIN_WAIT_MS;
        if (!is_late) {
            i++;
            continue;
        }
        wrong(twin, BUS_TWIN_UNASKED, ahead->index);
        *ahead = twin->ahead[--twin->n_ahead];
    }
}
