/*
 * Load for the counting scene's measurements (bench/count/speed_bench.py): vehicles that drive about a road network, read by cameras at the
 * end of every edge, and what the core alone does with them.
 *
 *     count_load write NETWORK FOLDER N    N passages into FOLDER: passages.csv, cameras.csv, areas.geojson, camera_areas.csv
 *     count_load floor FOLDER SECONDS      the same file through a plain hash map: "seen in the last SECONDS" per area, every second, to
 *                                          floor.csv
 *     count_load live NETWORK [FOLDER]     50,000 passages a second as they come, 300,000 vehicles: count_live_p99_ms and others; with a
 *                                          folder while a snapshot is written into it: count_live_snapshot_p99_ms and others
 *     count_load memory NETWORK FOLDER     3,000,000 plates, 300,000 of them on the road: count_memory_mb; and while they are written into
 * a snapshot there: count_memory_snapshot_mb
 *
 * A vehicle turns at random, takes longer than free flow by a constant and a drawn share, and ends its trip after fifteen edges in the
 * mean; another begins somewhere else. 95 of 100 are read, two of those wrongly. The same arguments give the same bytes. No traffic is
 * simulated here: that is for accuracy_bench.py.
 */
#include "base/mem.h"
#include "scene/count/core.h"
#include "scene/count/passages.h"
#include "scene/count/snapshot.h"
#include "scene/keeper.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_LIVE 300000u
#define CITY_RATE 5000.0  /* passages a second of such a city: one camera a minute each */
#define LIVE_RATE 50000.0 /* what is designed for */
#define TRIP_EDGES 15.0
#define RECALL 0.95
#define MISREAD 0.02
#define ARRIVES_MS 300
#define SQUARES 4 /* areas: so many by so many rectangles */
#define PLATE_LEN 10

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "count_load: %s\n", what);
    exit(1);
}

static double now_s(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint64_t chance = 88172645463325252u;

static uint64_t draw(void)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance;
}

static double draw_share(void)
{
    return (double)(draw() >> 11) / 9007199254740992.0;
}

/* ---- the vehicles ---- */

struct vehicle {
    double at_s; /* when it leaves its edge */
    uint32_t edge, number;
};

struct passage {
    int64_t pass_ms;
    uint32_t edge, number; /* of the plate */
};

struct traffic {
    struct road_network *network;
    struct vehicle *heap; /* [N_LIVE] the earliest first */
    double stretch;       /* of free flow, for the wanted rate */
    uint32_t n_numbers;
};

static double drive_s(const struct traffic *traffic, uint32_t edge)
{
    return fmax(road_edge_free_flow_s(&traffic->network->edges[edge]) * traffic->stretch * (0.7 + 0.6 * draw_share()), 0.05);
}

static void sift(struct traffic *traffic, uint32_t at)
{
    struct vehicle moved = traffic->heap[at];
    for (uint32_t child; (child = 2 * at + 1) < N_LIVE; at = child) {
        if (child + 1 < N_LIVE && traffic->heap[child + 1].at_s < traffic->heap[child].at_s)
            child++;
        if (traffic->heap[child].at_s >= moved.at_s)
            break;
        traffic->heap[at] = traffic->heap[child];
    }
    traffic->heap[at] = moved;
}

static void put_on_the_road(struct traffic *traffic)
{
    const struct road_network *network = traffic->network;
    traffic->n_numbers = 0;
    for (uint32_t i = 0; i < N_LIVE; i++) {
        uint32_t edge = (uint32_t)(draw() % network->n_edges);
        traffic->heap[i] = (struct vehicle){drive_s(traffic, edge) * draw_share(), edge, traffic->n_numbers++};
    }
    for (uint32_t i = N_LIVE / 2; i-- > 0;)
        sift(traffic, i);
}

/* The next passage that a camera reads, in the order of time. */
static struct passage next_passage(struct traffic *traffic)
{
    const struct road_network *network = traffic->network;
    for (;;) {
        struct vehicle *first = &traffic->heap[0];
        struct passage passage = {(int64_t)(first->at_s * 1000), first->edge, first->number};
        const struct road_edge *edge = &network->edges[first->edge];
        if (edge->n_out > 0 && draw_share() >= 1 / TRIP_EDGES) {
            first->edge = network->connections[edge->first_out + draw() % edge->n_out].to;
        } else {
            first->edge = (uint32_t)(draw() % network->n_edges);
            first->number = traffic->n_numbers++;
        }
        first->at_s += drive_s(traffic, first->edge);
        sift(traffic, 0);
        if (draw_share() >= RECALL)
            continue;
        if (draw_share() < MISREAD)
            passage.number = UINT32_MAX - (uint32_t)(draw() % 1000000000);
        return passage;
    }
}

#define TRIED 600000u /* passages from which it is seen how long an edge takes where vehicles are */

static void begin(struct traffic *traffic, const char *path, double rate)
{
    struct diag diag = {""};
    if (road_network_load(path, &diag, &traffic->network) != ERR_OK)
        die(diag.text);
    traffic->heap = mem_alloc(N_LIVE * sizeof(*traffic->heap));
    if (traffic->heap == NULL)
        die("no memory");
    traffic->stretch = 1;
    put_on_the_road(traffic);
    struct passage passage = {0};
    for (uint32_t i = 0; i < TRIED; i++)
        passage = next_passage(traffic);
    traffic->stretch = TRIED / ((double)passage.pass_ms / 1000) / rate;
    put_on_the_road(traffic);
}

/* Different for different numbers; as long as most plates. */
static struct str plate_of(uint32_t number, char out[16])
{
    int n = snprintf(out, 16, "浙A%0*X", PLATE_LEN - 4, number);
    return (struct str){out, (size_t)n};
}

/* ---- files ---- */

static FILE *open_in(const char *folder, const char *name, const char *mode)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, mode);
    if (file == NULL)
        die(path);
    return file;
}

static unsigned square_of(const struct road_network *network, uint32_t edge)
{
    struct road_point middle = road_edge_middle(network, edge);
    double x = (middle.lon - network->low.lon) / (network->high.lon - network->low.lon);
    double y = (middle.lat - network->low.lat) / (network->high.lat - network->low.lat);
    unsigned column = (unsigned)fmin(x * SQUARES, SQUARES - 1), row = (unsigned)fmin(y * SQUARES, SQUARES - 1);
    return row * SQUARES + column;
}

static void write_places(const struct road_network *network, const char *folder)
{
    FILE *cameras = open_in(folder, "cameras.csv", "w"), *areas = open_in(folder, "camera_areas.csv", "w");
    fprintf(cameras, "camera,edge,pos_m,x,y\n");
    fprintf(areas, "camera,area\n");
    for (uint32_t i = 0; i < network->n_edges; i++) {
        fprintf(cameras, "C%05u," STR_FORMAT ",%.2f,0,0\n", i, STR_ARG(network->edges[i].id), network->edges[i].length_m);
        fprintf(areas, "C%05u,%u\n", i, square_of(network, i));
    }
    fclose(cameras);
    fclose(areas);
    FILE *squares = open_in(folder, "areas.geojson", "w");
    fprintf(squares, "{\"type\":\"FeatureCollection\",\"features\":[");
    double width = (network->high.lon - network->low.lon) / SQUARES, height = (network->high.lat - network->low.lat) / SQUARES;
    for (unsigned i = 0; i < SQUARES * SQUARES; i++) {
        double west = network->low.lon + i % SQUARES * width, south = network->low.lat + (double)(i / SQUARES) * height;
        fprintf(squares,
            "%s{\"type\":\"Feature\",\"properties\":{\"area\":\"%u\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
            "[[[%.9f,%.9f],[%.9f,%.9f],[%.9f,%.9f],[%.9f,%.9f],[%.9f,%.9f]]]}}",
            i ? "," : "", i, west, south, west + width, south, west + width, south + height, west, south + height, west, south);
    }
    fprintf(squares, "]}\n");
    fclose(squares);
}

static void write_files(const char *network, const char *folder, uint64_t n)
{
    struct traffic traffic = {0};
    begin(&traffic, network, CITY_RATE);
    write_places(traffic.network, folder);
    FILE *file = open_in(folder, "passages.csv", "w");
    fprintf(file, COUNT_PASSAGES_HEADER "\n");
    int64_t last_ms = 0;
    for (uint64_t i = 0; i < n; i++) {
        char plate[16];
        struct passage passage = next_passage(&traffic);
        last_ms = passage.pass_ms + ARRIVES_MS;
        fprintf(file, "%lld,%lld,C%05u,1," STR_FORMAT ",97\n", (long long)passage.pass_ms, (long long)last_ms, passage.edge,
            STR_ARG(plate_of(passage.number, plate)));
    }
    if (fclose(file) != 0)
        die("the disk is full");
    printf("%lld\n", (long long)last_ms);
}

/* ---- the floor ---- */

#define FLOOR_SLOTS (1u << 21)

struct floor_seen {
    uint64_t key;
    int64_t at_ms;
    uint32_t area;
};

struct floor_state {
    struct floor_seen *slots;
    struct {
        uint32_t slot;
        int64_t at_ms;
    } * queue; /* in the order of arrival */
    uint64_t n_queue, first, cap_queue, n_known;
    int64_t timeout_ms, next_ms;
    unsigned *areas; /* by camera */
    int64_t counts[SQUARES * SQUARES];
    FILE *out;
};

static void floor_second(struct floor_state *state)
{
    for (; state->first < state->n_queue && state->queue[state->first].at_ms <= state->next_ms - state->timeout_ms; state->first++) {
        const struct floor_seen *seen = &state->slots[state->queue[state->first].slot];
        if (seen->at_ms == state->queue[state->first].at_ms)
            state->counts[seen->area]--;
    }
    for (unsigned i = 0; i < SQUARES * SQUARES; i++)
        fprintf(state->out, "%lld,%u,%lld\n", (long long)(state->next_ms / 1000), i, (long long)state->counts[i]);
    state->next_ms += 1000;
}

static const char *floor_passage(void *context, const struct count_record *record)
{
    struct floor_state *state = context;
    if (state->next_ms == 0)
        state->next_ms = (record->arrived_ms + 999) / 1000 * 1000;
    while (state->next_ms < record->arrived_ms)
        floor_second(state);
    uint32_t at = (uint32_t)((record->vehicle * 0x9E3779B97F4A7C15u) >> 43);
    while (state->slots[at].key != 0 && state->slots[at].key != record->vehicle)
        at = (at + 1) & (FLOOR_SLOTS - 1);
    struct floor_seen *seen = &state->slots[at];
    state->n_known += seen->key == 0;
    if (state->n_known > FLOOR_SLOTS / 4 * 3)
        die("more plates than the floor has room for");
    if (seen->key != 0 && seen->at_ms > state->next_ms - 1000 - state->timeout_ms)
        state->counts[seen->area]--;
    *seen = (struct floor_seen){record->vehicle, record->arrived_ms, state->areas[record->camera]};
    state->counts[seen->area]++;
    if (state->n_queue == state->cap_queue)
        die("more passages than the floor has room for");
    state->queue[state->n_queue].slot = at;
    state->queue[state->n_queue++].at_ms = record->arrived_ms;
    return NULL;
}

static void measure_floor(const char *folder, const char *timeout)
{
    struct str_map cameras;
    uint64_t timeout_s;
    char path[1024], line[64];
    if (str_to_u64(str_from_c(timeout), &timeout_s) != ERR_OK)
        die("SECONDS is no number");
    struct floor_state state = {.slots = mem_alloc_zero(FLOOR_SLOTS, sizeof(*state.slots)),
        .cap_queue = 1u << 24,
        .timeout_ms = (int64_t)timeout_s * 1000,
        .areas = mem_alloc_zero(COUNT_CAMERAS_FILE_MAX, sizeof(*state.areas)),
        .out = open_in(folder, "floor.csv", "w")};
    state.queue = mem_alloc(state.cap_queue * sizeof(*state.queue));
    if (state.slots == NULL || state.areas == NULL || state.queue == NULL)
        die("no memory");
    str_map_init(&cameras, COUNT_CAMERAS_FILE_MAX, 1);
    FILE *table = open_in(folder, "camera_areas.csv", "r");
    while (fgets(line, sizeof(line), table) != NULL) {
        struct str name, area;
        uint64_t number;
        uint32_t camera;
        if (str_cut(str_trim(str_from_c(line)), ',', &name, &area) && str_to_u64(area, &number) == ERR_OK &&
            str_map_add(&cameras, name, &camera) == ERR_OK)
            state.areas[camera] = (unsigned)number;
    }
    fclose(table);
    struct count_reading reading = {.cameras = &cameras, .on_record = floor_passage, .context = &state};
    struct diag diag = {""};
    snprintf(path, sizeof(path), "%s/passages.csv", folder);
    if (count_passages_read(&reading, path, &diag) != ERR_OK || reading.n_broken > 0)
        die(diag.text[0] ? diag.text : "a broken line");
    fclose(state.out);
    printf("count_floor_per_s %.0f passages/s\n", (double)reading.n_lines / now_s(CLOCK_PROCESS_CPUTIME_ID));
}

/* ---- the core alone ---- */

struct core {
    struct count *count;
    struct count_updates updates;
    uint16_t *edge_areas;
};

static void core_begin(struct core *core, const struct road_network *network)
{
    static const int32_t no_parent[] = {-1};
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    settings.stale_after_ms = COUNT_TIME_FILE_MAX;
    core->edge_areas = mem_alloc_zero(network->n_edges, sizeof(*core->edge_areas));
    struct count_map map = {network, core->edge_areas, no_parent, 1};
    uint32_t camera;
    if (core->edge_areas == NULL || count_create(&settings, &map, &core->count) != ERR_OK)
        die("no memory");
    for (uint32_t i = 0; i < network->n_edges; i++)
        if (count_camera_add(core->count, i, &camera) != ERR_OK || camera != i)
            die("no room for a camera");
}

static void core_passage(struct core *core, struct passage passage)
{
    char plate[16];
    struct count_event event = {.type = COUNT_PASSAGE,
        .passage = {.vehicle = str_hash(plate_of(passage.number, plate)),
            .camera = passage.edge,
            .time_ms = passage.pass_ms,
            .arrived_ms = passage.pass_ms + ARRIVES_MS}};
    count_step(core->count, &event, &core->updates);
}

static double core_tick(struct core *core, int64_t now_ms, bool is_whole)
{
    struct count_event event = {.type = is_whole ? COUNT_TICK : COUNT_TICK_VEHICLES, .now_ms = now_ms};
    count_step(core->count, &event, &core->updates);
    return core->updates.areas[0].vehicles;
}

#define WARM_S 60
#define LIVE_S 10
#define WHOLE_TICKS 20 /* once a second also for every road's flow and speed, as the scene does */
#define KEPT_TICK 100  /* a snapshot is written after so many: in the middle, so that it comes six times as often as in a city */
#define TICK_MS 50     /* how often the count is asked for: what a passage waits for it is in its latency */

static struct scene_keeper *keep_in(const char *folder)
{
    char path[1024];
    struct scene_keeper *keeper;
    snprintf(path, sizeof(path), "%s/count.snapshot", folder);
    if (scene_keeper_create(path, COUNT_SNAPSHOT_MAX, "count_load", &keeper) != ERR_OK)
        die(path);
    return keeper;
}

/* As the scene does each minute (kept.c): into memory here, then sealed and written by the keeper's thread. Seconds it took here. */
static double keep(struct core *core, struct scene_keeper *keeper)
{
    double start = now_s(CLOCK_MONOTONIC);
    struct buf *out = scene_keeper_begin(keeper);
    if (out == NULL)
        die("the snapshot before is still being written");
    count_snapshot_write(core->count, STR_NONE, out);
    if (out->err != ERR_OK)
        die("the snapshot cannot be written");
    scene_keeper_commit(keeper);
    return now_s(CLOCK_MONOTONIC) - start;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure_live(const char *network, const char *folder)
{
    struct traffic traffic = {0};
    struct core core = {0};
    begin(&traffic, network, LIVE_RATE);
    core_begin(&core, traffic.network);
    struct passage passage = next_passage(&traffic);
    int64_t warm_ms = WARM_S * 1000 + ARRIVES_MS;
    uint64_t n_warm = 0, cap = (uint64_t)(LIVE_RATE * LIVE_S), n = 0, n_told = 0, n_ticks = 0;
    double began = now_s(CLOCK_PROCESS_CPUTIME_ID), counted = 0, in_ticks = 0;
    for (int64_t tick_ms = 1000; passage.pass_ms + ARRIVES_MS < warm_ms; passage = next_passage(&traffic), n_warm++) {
        for (; tick_ms < passage.pass_ms + ARRIVES_MS; tick_ms += 1000)
            core_tick(&core, tick_ms, true);
        core_passage(&core, passage);
    }
    fprintf(stderr, "count_load: %llu passages to warm up, %.1f s of CPU with their making\n", (unsigned long long)n_warm,
        now_s(CLOCK_PROCESS_CPUTIME_ID) - began);
    struct passage *due = mem_alloc(cap * sizeof(*due));
    double *latency = mem_alloc(cap * sizeof(*latency));
    if (due == NULL || latency == NULL)
        die("no memory");
    for (; n < cap; passage = next_passage(&traffic), n++) {
        due[n] = passage; /* at the very rate, whatever the drawing made of it */
        due[n].pass_ms = warm_ms - ARRIVES_MS + (int64_t)((double)n * 1000 / LIVE_RATE);
    }
    struct scene_keeper *keeper = folder != NULL ? keep_in(folder) : NULL;
    double start = now_s(CLOCK_MONOTONIC), cpu = now_s(CLOCK_PROCESS_CPUTIME_ID), kept_s = 0;
    for (uint64_t at = 0; n_told < n;) {
        double next_s = ++n_ticks * TICK_MS / 1000.0, tick_s;
        while ((tick_s = now_s(CLOCK_MONOTONIC) - start) < next_s || at == n_told) {
            int64_t now_ms = warm_ms + (int64_t)(tick_s * 1000);
            uint64_t before = at;
            while (at < n && due[at].pass_ms + ARRIVES_MS <= now_ms)
                core_passage(&core, due[at++]);
            if (at == before)
                usleep(500);
        }
        counted = core_tick(&core, warm_ms + (int64_t)(tick_s * 1000), n_ticks % WHOLE_TICKS == 0);
        double told_s = now_s(CLOCK_MONOTONIC) - start;
        in_ticks += told_s - tick_s;
        for (; n_told < at; n_told++)
            latency[n_told] = told_s - (double)(due[n_told].pass_ms + ARRIVES_MS - warm_ms) / 1000;
        if (keeper != NULL && n_ticks == KEPT_TICK)
            kept_s = keep(&core, keeper);
    }
    double took = now_s(CLOCK_MONOTONIC) - start;
    qsort(latency, n, sizeof(*latency), by_size);
    scene_keeper_destroy(keeper);
    if (keeper != NULL) {
        printf("count_live_snapshot_p99_ms %.1f ms\n", latency[n * 99 / 100] * 1000);
        printf("count_live_snapshot_most_ms %.1f ms\n", latency[n - 1] * 1000);
        printf("count_live_snapshot_stop_ms %.1f ms\n", kept_s * 1000);
        fprintf(stderr, "count_load: %u vehicles kept\n", count_known_vehicles(core.count)->n_known);
        return;
    }
    printf("count_live_per_s %.0f passages/s\n", (double)n / took);
    printf("count_live_p50_ms %.1f ms\n", latency[n / 2] * 1000);
    printf("count_live_p99_ms %.1f ms\n", latency[n * 99 / 100] * 1000);
    printf("count_live_core_pct %.1f %%\n", (now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) / took * 100);
    printf("count_live_tick_ms %.2f ms\n", in_ticks / (double)n_ticks * 1000);
    fprintf(stderr, "count_load: %.0f vehicles counted, %u driving\n", counted, N_LIVE);
}

static double resident_mb(const char *which)
{
    char line[256];
    double kb = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL)
        if (strncmp(line, which, strlen(which)) == 0)
            kb = strtod(line + strlen(which) + 1, NULL);
    if (status != NULL)
        fclose(status);
    return kb / 1024;
}

#define KNOWN 3000000u
#define KNOWN_S 1500 /* in which all of them are seen */

/* Most are seen once and away from the road since; the last are seen again and again. */
static void measure_memory(const char *network, const char *folder)
{
    struct diag diag = {""};
    struct road_network *roads = NULL;
    struct core core = {0};
    if (road_network_load(network, &diag, &roads) != ERR_OK)
        die(diag.text);
    double without = resident_mb("VmRSS");
    core_begin(&core, roads);
    double counted = 0;
    for (uint32_t i = 0, tick_s = 1; i < KNOWN + 2 * N_LIVE; i++) {
        uint32_t number = i < KNOWN ? i : KNOWN - N_LIVE + i % N_LIVE;
        int64_t pass_ms = (int64_t)((double)i / (KNOWN + 2.0 * N_LIVE) * KNOWN_S * 1000);
        for (; tick_s * 1000 <= pass_ms; tick_s += 10)
            counted = core_tick(&core, tick_s * 1000, true);
        core_passage(&core, (struct passage){pass_ms, (uint32_t)(draw() % roads->n_edges), number});
    }
    printf("count_memory_mb %.0f MB\n", resident_mb("VmHWM"));
    printf("count_memory_known %u plates\n", count_known_vehicles(core.count)->n_known);
    struct scene_keeper *keeper = keep_in(folder);
    double kept_s = keep(&core, keeper);
    scene_keeper_destroy(keeper);
    printf("count_memory_snapshot_mb %.0f MB\n", resident_mb("VmHWM"));
    printf("count_memory_snapshot_stop_ms %.0f ms\n", kept_s * 1000);
    fprintf(stderr, "count_load: %.0f MB of it are the network and the program; %.0f counted\n", without, counted);
}

int main(int argc, char **argv)
{
    uint64_t n = 0;
    if (argc == 5 && strcmp(argv[1], "write") == 0 && str_to_u64(str_from_c(argv[4]), &n) == ERR_OK)
        write_files(argv[2], argv[3], n);
    else if (argc == 4 && strcmp(argv[1], "floor") == 0)
        measure_floor(argv[2], argv[3]);
    else if ((argc == 3 || argc == 4) && strcmp(argv[1], "live") == 0)
        measure_live(argv[2], argv[3]); /* NULL stands behind the last */
    else if (argc == 4 && strcmp(argv[1], "memory") == 0)
        measure_memory(argv[2], argv[3]);
    else
        die("write NETWORK FOLDER N | floor FOLDER SECONDS | live NETWORK [FOLDER] | memory NETWORK FOLDER");
    return 0;
}
