/* See hub/place.h. */
#include "hub/place.h"

#include <stdbool.h>

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void hub_place_confirm(struct hub_place *place, int64_t now_ms)
{
    if (now_ms - place->marked_ms < HUB_PLACE_CONFIRM_MS)
        return;
    place->confirmed = place->marked;
    place->marked = place->next;
    place->marked_ms = now_ms;
}

uint64_t hub_place_answer(struct hub_place *place, uint64_t epoch, uint64_t first, size_t n, size_t *ret_skip)
{
    *ret_skip = 0;
    if (epoch != place->epoch) { /* the first answer; or its record has begun another life, and agrees with what came up to `first` */
        bool is_first = place->epoch == 0;
        place->epoch = epoch;
        place->next = first;
        place->confirmed = is_first ? first : least(place->confirmed, first);
        place->marked = is_first ? first : least(place->marked, first);
        return 0;
    }
    uint64_t n_gone = first > place->next ? first - place->next : 0;
    place->next += n_gone;
    uint64_t n_known = place->next - first;
    *ret_skip = n_known < n ? (size_t)n_known : n;
    return n_gone;
}

enum hub_place_give hub_place_give(const struct hub_place_kept *kept, uint64_t epoch, uint64_t from, uint64_t *ret_from)
{
    if (epoch != kept->epoch) {
        *ret_from = least(kept->agreed ? least(from, kept->agreed) : kept->confirmed, kept->end);
        return HUB_PLACE_TELL;
    }
    if (from > kept->end)
        return HUB_PLACE_RENEW;
    *ret_from = from > kept->first ? from : kept->first;
    return *ret_from < kept->end ? HUB_PLACE_READ : HUB_PLACE_WAIT;
}
