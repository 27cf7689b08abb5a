/*
 * Positions of a gateway of JT/T 808, as JSON from a broker: an object or a list of them → rows by the mapping of docs/match.md → points →
 * a small network. Each row has one verdict, and what is told of an edge can be: a whole edge, in a time, within what the points span.
 */
#include "hub/mapping.h"
#include "scene/count/position.h"

#include <assert.h>
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1795331400000 /* 2026-11-22 15:10:00 +08:00 */
#define ROWS_MAX 300

static const char net[] =
    "<net><location netOffset=\"-13371697.23,-3539592.25\" projParameter=\"+proj=merc +R=6378137 +units=m +no_defs\"/>"
    "<edge id=\"a\" from=\"j\" to=\"k\"><lane id=\"a_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"0,0 580,0\"/></edge>"
    "<edge id=\"b\" from=\"k\" to=\"l\"><lane id=\"b_0\" index=\"0\" speed=\"10\" length=\"100\" shape=\"580,0 696,0\"/></edge>"
    "<edge id=\"c\" from=\"l\" to=\"k\"><lane id=\"c_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"696,0 696,200 580,200 "
    "580,0\"/></edge>"
    "<junction id=\"j\" type=\"priority\" x=\"0\" y=\"0\"/><junction id=\"k\" type=\"priority\" x=\"580\" y=\"0\"/>"
    "<junction id=\"l\" type=\"priority\" x=\"696\" y=\"0\"/><connection from=\"a\" to=\"b\" fromLane=\"0\" toLane=\"0\"/>"
    "<connection from=\"b\" to=\"c\" fromLane=\"0\" toLane=\"0\"/><connection from=\"c\" to=\"b\" fromLane=\"0\" toLane=\"0\"/></net>";

static const struct hub_field fields[] = {{.name = STR_INIT("vehicle"), .type = VALUE_TEXT}, {.name = STR_INIT("time"), .type = VALUE_TIME},
    {.name = STR_INIT("lon"), .type = VALUE_REAL}, {.name = STR_INIT("lat"), .type = VALUE_REAL},
    {.name = STR_INIT("speed_mps"), .type = VALUE_REAL}, {.name = STR_INIT("heading"), .type = VALUE_REAL},
    {.name = STR_INIT("status"), .type = VALUE_INTEGER}};
#define N (sizeof(fields) / sizeof(fields[0]))
static struct hub_mapped mapped[N] = {{.at = {{STR_INIT("phone")}, 1}, .form = HUB_FORM_TEXT, .scale = 1, .divisor = 1},
    {.at = {{STR_INIT("time")}, 1}, .form = HUB_FORM_COMPACT, .scale = 1, .divisor = 1},
    {.at = {{STR_INIT("lon")}, 1}, .scale = 1, .divisor = 1e6}, {.at = {{STR_INIT("lat")}, 1}, .scale = 1, .divisor = 1e6},
    {.at = {{STR_INIT("speed")}, 1}, .scale = 1, .divisor = 36}, {.at = {{STR_INIT("direction")}, 1}, .scale = 1, .divisor = 1},
    {.at = {{STR_INIT("status")}, 1}, .scale = 1, .divisor = 1}};

static struct road_network *network;
static struct road_hierarchy *hierarchy;
static struct road_nearest *nearest;

static void on_drive(void *context, const struct count_drive *drive)
{
    (void)context;
    const struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    assert(drive->edge < network->n_edges && isfinite(drive->actual_s) && drive->actual_s > 0);
    assert(drive->actual_s * 1000 <= (double)(settings.late_ms + settings.ahead_ms));
    assert(drive->free_s > 0 && drive->length_m >= network->edges[drive->edge].length_m);
    assert(drive->left_ms >= NOW - settings.late_ms && drive->left_ms <= NOW + settings.ahead_ms);
}

static bool prepare(void)
{
    return network != NULL || (road_network_parse((struct str){net, sizeof(net) - 1}, "fuzz.net.xml", NULL, &network) == ERR_OK &&
                                  road_hierarchy_create(network, &hierarchy) == ERR_OK && road_nearest_create(network, &nearest) == ERR_OK);
}

static bool take(struct count_gps *gps, const json_t *json, struct arena *arena)
{
    const struct hub_resource resource = {.fields = fields, .n_fields = N};
    const struct hub_mapping mapping = {&resource, TIME_ZONE_SHANGHAI, mapped};
    struct value values[N];
    struct count_gps_point point;
    size_t field;
    arena_reset(arena);
    if (hub_mapping_row(&mapping, json, (UINT64_C(1) << N) - 1, arena, values, &field) != ERR_OK ||
        !count_position_read(values, NOW, &point))
        return false;
    count_gps_add(gps, &point);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    struct count_gps *gps = NULL;
    json_t *json = NULL;
    struct arena arena;
    settings.follow.vehicles_max = 3;
    if (!prepare() || json_read((struct str){(const char *)data, size}, NULL, &json) != ERR_OK)
        return 0;
    arena_init(&arena, 1u << 20);
    if (count_gps_create(hierarchy, nearest, &settings, on_drive, NULL, &gps) == ERR_OK) {
        uint64_t n_points = 0, n_told = 0;
        size_t n = json_is_array(json) ? json_array_size(json) : 1;
        for (size_t i = 0; i < n && i < ROWS_MAX; i++)
            n_points += take(gps, json_is_array(json) ? json_array_get(json, i) : json, &arena);
        count_gps_tick(gps, NOW + settings.late_ms * 2);
        assert(count_gps_n_vehicles(gps) == 0);
        for (int v = 0; v < COUNT_GPS_N_VERDICTS; v++)
            n_told += count_gps_n(gps, (enum count_gps_verdict)v);
        assert(n_told == n_points);
    }
    count_gps_destroy(gps);
    arena_finish(&arena);
    json_decref(json);
    return 0;
}
