/* Sums of groups, and their estimates. */
#include "scene/zone/classes.h"

#include <math.h>

const char *const zone_class_names[ZONE_N_CLASSES] = {"all", "local", "province", "other", "special", "new_energy"};

static const unsigned groups_of[ZONE_N_CLASSES] = {
    [ZONE_CLASS_ALL] = (1u << ZONE_N_GROUPS) - 1,
    [ZONE_CLASS_LOCAL] = 1u << ZONE_LOCAL | 1u << ZONE_LOCAL_NEW_ENERGY,
    [ZONE_CLASS_PROVINCE] = 1u << ZONE_PROVINCE | 1u << ZONE_PROVINCE_NEW_ENERGY,
    [ZONE_CLASS_OTHER] = 1u << ZONE_OTHER | 1u << ZONE_OTHER_NEW_ENERGY,
    [ZONE_CLASS_SPECIAL] = 1u << ZONE_SPECIAL,
    [ZONE_CLASS_NEW_ENERGY] = 1u << ZONE_LOCAL_NEW_ENERGY | 1u << ZONE_PROVINCE_NEW_ENERGY | 1u << ZONE_OTHER_NEW_ENERGY,
};

double zone_class_seen_now(const uint32_t now[ZONE_N_GROUPS], enum zone_class class)
{
    double sum = 0;
    for (unsigned left = groups_of[class]; left != 0; left &= left - 1)
        sum += now[__builtin_ctz(left)];
    return sum;
}

double zone_class_seen_today(const uint64_t through[ZONE_N_GROUPS], enum zone_class class)
{
    double sum = 0;
    for (unsigned left = groups_of[class]; left != 0; left &= left - 1)
        sum += (double)through[__builtin_ctz(left)];
    return sum;
}

/* Of all of them the count is told also while none was seen. */
struct zone_estimate zone_class_now(const struct zone_figures *figures, enum zone_class class)
{
    double n_all = zone_class_seen_now(figures->now, ZONE_CLASS_ALL), n = zone_class_seen_now(figures->now, class);
    if (class == ZONE_CLASS_ALL)
        n = n_all = figures->is_counted ? fmax(n_all, 1) : n_all;
    return zone_estimate_now(n, n_all, figures->is_counted ? &figures->counted : NULL);
}

struct zone_estimate zone_class_today(const struct zone_figures *figures, enum zone_class class)
{
    return zone_estimate_today(zone_class_seen_today(figures->through, class), figures->factor);
}
