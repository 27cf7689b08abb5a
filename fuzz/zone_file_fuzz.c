/* The zones of a city's file: any bytes give zones that hold what their limits promise, or are refused with words. */
#include "scene/zone/file.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_zone(const struct zones *zones, size_t at)
{
    const struct zone *zone = &zones->zones[at];
    assert(zone->n_points >= 3 && zone->n_points <= ZONE_POINTS_MAX && zone->n_times >= 1 && zone->n_times <= ZONE_TIMES_MAX);
    assert(zone->restricted != 0 && zone->from_ms < zone->until_ms && zone->n_free <= ZONE_DATES_MAX && zone->n_extra <= ZONE_DATES_MAX);
    assert(memchr(zone->name, 0, sizeof(zone->name)) != NULL && str_is_name(str_from_c(zone->name)));
    assert(!zone_crosses_itself(zone) && !zone_holds(zone, (struct zone_point){181, 0}));
    for (size_t i = 0; i < zone->n_times; i++)
        assert(zone->times[i].days != 0 && zone->times[i].from_minute < zone->times[i].until_minute && zone->times[i].until_minute <= 1440);
    bool is_restricted = zone_restricts(zones, at, ZONE_SPECIAL, 1790000000000);
    assert(!is_restricted || zone->restricted >> ZONE_SPECIAL & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct diag_list diags;
    static struct zones zones;
    struct yaml *yaml = NULL;
    diags.n = diags.n_dropped = 0;
    if (yaml_load_str((struct str){(const char *)data, size}, "fuzz.yaml", &diags, &yaml) != ERR_OK)
        return 0;
    diags.n = diags.n_dropped = 0;
    enum err err = zones_read(yaml_root(yaml), TIME_ZONE_SHANGHAI, NULL, NULL, &diags, &zones);
    assert(err == ERR_OK ? diags.n == 0 && zones.n >= 1 : diags.n > 0);
    for (size_t i = 0; err == ERR_OK && i < zones.n; i++)
        check_zone(&zones, i);
    yaml_destroy(yaml);
    return 0;
}
