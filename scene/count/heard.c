/* Where any part has heard something; see heard.h. */
#include "scene/count/heard.h"

#include "base/mem.h"

#include <math.h>

enum err count_heard_init(struct count_heard *heard, const struct count_areas *of)
{
    heard->areas = mem_alloc_zero(of->n, sizeof(*heard->areas));
    if (heard->areas == NULL)
        return ERR_NO_MEMORY;
    heard->of = of;
    return ERR_OK;
}

void count_heard_take(struct count_heard *heard, const struct count_settings *settings, size_t area, int64_t pass_ms, int64_t arrived_ms)
{
    if (heard->of == NULL || pass_ms > arrived_ms + settings->future_max_ms || pass_ms < arrived_ms - settings->late_max_ms)
        return;
    for (int32_t a = (int32_t)area; a >= 0 && !heard->areas[a]; a = heard->of->parents[a])
        heard->areas[a] = true;
}

struct count_interval count_heard_told(const struct count_heard *heard, const struct count_area_figures *figures, size_t area)
{
    const struct count_area_figures *told = &figures[area];
    if (isnan(told->vehicles) && heard->of != NULL && heard->areas[area])
        return (struct count_interval){0, 0, 0};
    return (struct count_interval){.value = told->vehicles, .low = told->low, .high = told->high};
}

void count_heard_finish(struct count_heard *heard)
{
    mem_free(heard->areas);
    *heard = (struct count_heard){NULL, NULL};
}
