/*
 * The cores of the counting scene and of restricted zones on a file of passages, for bench/count/zone_accuracy_bench.py: what is told of
 * each zone, every so often.
 *
 *     zone_load NETWORK OUTLINES ZONES CAMERAS PASSAGES EVERY UNTIL
 *
 * OUTLINES: GeoJSON as the count takes it, in the network's coordinates. ZONES: a line a zone, "NAME LON,LAT LON,LAT …". CAMERAS: a line a
 * camera, "NAME,EDGE,LON,LAT,HEADING". PASSAGES: as `citybrain count` takes them, by when they arrived. To standard output:
 * time_s,zone,class,now,low,high,today,low,high, each EVERY seconds until UNTIL; what is not known is nan. Plates that begin with 浙A are
 * local, with 浙 of the province. The run begins at 08:00 of a day.
 */
#include "base/file.h"
#include "base/mem.h"
#include "base/str_map.h"
#include "scene/count/outlines.h"
#include "scene/zone/classes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_MS INT64_C(1789948800000) /* a Monday, 08:00 in Hangzhou */
#define AHEAD_M 60.0                    /* as scene.c */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "zone_load: %s\n", what);
    exit(1);
}

static FILE *open_or_die(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die(path);
    return file;
}

static struct zones zones;
static struct str_map camera_names;
struct load_camera {
    uint16_t held, ahead;
    uint32_t of_count;
};
static struct load_camera *cameras;
static struct road_network *network;
static struct count *count;
static struct count_outlines outlines;

static void make_count(const char *network_path, const char *outlines_path)
{
    static const int32_t no_parent[] = {-1};
    struct diag diag = {""};
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    struct buf text;
    if (road_network_load(network_path, &diag, &network) != ERR_OK)
        die(diag.text);
    const struct count_map map = {network, mem_alloc_zero(network->n_edges, sizeof(uint16_t)), no_parent, 1};
    buf_init(&text, 1u << 20);
    if (map.edge_areas == NULL || count_create(&settings, &map, &count) != ERR_OK || file_read(outlines_path, &text) != ERR_OK ||
        count_outlines_parse(buf_str(&text), network, &outlines) != ERR_OK)
        die(outlines_path);
    buf_finish(&text);
}

static void read_zones(const char *path)
{
    char line[65536];
    FILE *file = open_or_die(path);
    zones.time_zone = TIME_ZONE_SHANGHAI;
    while (fgets(line, sizeof(line), file) != NULL && zones.n < ZONES_MAX) {
        struct zone *zone = &zones.zones[zones.n];
        char *rest = NULL, *name = strtok_r(line, " \n", &rest);
        snprintf(zone->name, sizeof(zone->name), "%s", name);
        for (char *point; (point = strtok_r(NULL, " \n", &rest)) != NULL && zone->n_points < ZONE_POINTS_MAX; zone->n_points++)
            if (sscanf(point, "%lf,%lf", &zone->points[zone->n_points].lon, &zone->points[zone->n_points].lat) != 2)
                die("a point of a zone");
        zone->until_ms = INT64_MAX;
        zone_box(zone);
        zones.n++;
    }
    fclose(file);
}

static void read_cameras(const char *path)
{
    char line[256], name[64], edge[64];
    FILE *file = open_or_die(path);
    cameras = mem_alloc_zero(1 << 16, sizeof(*cameras));
    str_map_init(&camera_names, 1 << 16, 1);
    while (fgets(line, sizeof(line), file) != NULL) {
        struct zone_point place;
        double heading;
        uint32_t at;
        if (sscanf(line, "%63[^,],%63[^,],%lf,%lf,%lf", name, edge, &place.lon, &place.lat, &heading) != 5)
            die("a camera");
        if (str_map_add(&camera_names, str_from_c(name), &at) != ERR_OK)
            die("too many cameras");
        cameras[at] = (struct load_camera){zones_at(&zones, place), zones_at(&zones, zone_ahead(place, heading, AHEAD_M)), 0};
        if (count_camera_add(count, road_edge_find(network, str_from_c(edge)), &cameras[at].of_count) != ERR_OK)
            die("a camera's edge");
    }
    fclose(file);
}

static enum zone_group group_of(const char *plate)
{
    return strncmp(plate, "浙A", strlen("浙A")) == 0 ? ZONE_LOCAL : strncmp(plate, "浙", strlen("浙")) == 0 ? ZONE_PROVINCE : ZONE_OTHER;
}

static void put(struct zone_estimate estimate)
{
    printf(",%.1f,%.1f,%.1f", estimate.value, estimate.low, estimate.high);
}

static void tell(const struct zone_figures *figures, int64_t time_s)
{
    for (size_t zone = 0; zone < zones.n; zone++)
        for (int class = ZONE_CLASS_ALL; class <= ZONE_CLASS_OTHER; class ++) {
            printf("%lld,%s,%s", (long long)time_s, zones.zones[zone].name, zone_class_names[class]);
            put(zone_class_now(&figures[zone], (enum zone_class) class));
            put(zone_class_today(&figures[zone], (enum zone_class) class));
            putchar('\n');
        }
}

/* As the two scenes do, by way of the hub. */
static void hand_over(struct zone_core *core, int64_t time_ms)
{
    struct count_updates counted;
    struct zone_updates updates;
    count_step(count, &(struct count_event){.type = COUNT_TICK, .now_ms = time_ms}, &counted);
    for (size_t i = 0; i < outlines.n; i++) {
        struct count_interval on = count_outline_vehicles(count, &outlines.outlines[i]);
        struct zone_event event = {.type = ZONE_COUNTED, .counted = {(uint8_t)i, {on.value, on.low, on.high}, time_ms}};
        if (isfinite(on.value))
            zone_step(core, &event, &updates);
    }
}

/* Ticks each second up to `until_ms`; at the last one of each period the figures are told. */
static void go_on(struct zone_core *core, int64_t *now_ms, int64_t until_ms, int64_t every_s)
{
    for (; *now_ms <= until_ms; *now_ms += 1000) {
        struct zone_updates updates;
        hand_over(core, BEGIN_MS + *now_ms);
        zone_step(core, &(struct zone_event){.type = ZONE_TICK, .now_ms = BEGIN_MS + *now_ms}, &updates);
        if (*now_ms > 0 && *now_ms % (every_s * 1000) == 0)
            tell(updates.figures, *now_ms / 1000);
    }
}

int main(int argc, char **argv)
{
    struct zone_settings settings = ZONE_SETTINGS_DEFAULT;
    struct zone_core *core = NULL;
    char line[256], camera[64], plate[64];
    if (argc != 8)
        die("NETWORK OUTLINES ZONES CAMERAS PASSAGES EVERY UNTIL");
    make_count(argv[1], argv[2]);
    read_zones(argv[3]);
    read_cameras(argv[4]);
    if (zone_create(&settings, &zones, &core) != ERR_OK)
        die("no memory");
    FILE *file = open_or_die(argv[5]);
    int64_t now_ms = 0, every_s = atoll(argv[6]), until_ms = atoll(argv[7]) * 1000;
    printf("time_s,zone,class,now,now_low,now_high,today,today_low,today_high\n");
    if (fgets(line, sizeof(line), file) == NULL)
        die("no passages");
    while (fgets(line, sizeof(line), file) != NULL) {
        long long passed_ms, arrived_ms;
        int confidence;
        if (sscanf(line, "%lld,%lld,%63[^,],%*d,%63[^,],%d", &passed_ms, &arrived_ms, camera, plate, &confidence) != 5)
            die("a passage");
        int64_t at = str_map_find(&camera_names, str_from_c(camera));
        if (arrived_ms > until_ms || at < 0)
            continue;
        go_on(core, &now_ms, arrived_ms - 1, every_s);
        struct count_event passage = {.type = COUNT_PASSAGE,
            .passage = {
                str_hash(str_from_c(plate)), cameras[at].of_count, BEGIN_MS + passed_ms, BEGIN_MS + arrived_ms, (uint8_t)confidence}};
        struct count_updates counted;
        count_step(count, &passage, &counted);
        struct zone_updates updates;
        zone_step(core,
            &(struct zone_event){.type = ZONE_PASSAGE,
                .passage = {.vehicle = str_hash(str_from_c(plate)),
                    .camera = (uint32_t)at,
                    .held = cameras[at].held,
                    .ahead = cameras[at].ahead,
                    .group = (uint8_t)group_of(plate),
                    .confidence = (int16_t)confidence,
                    .time_ms = BEGIN_MS + passed_ms,
                    .arrived_ms = BEGIN_MS + arrived_ms}},
            &updates);
    }
    go_on(core, &now_ms, until_ms, every_s);
    fclose(file);
    zone_destroy(core);
    str_map_finish(&camera_names);
    mem_free(cameras);
    return 0;
}
