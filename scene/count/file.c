/* The count from files; see file.h. */
#include "scene/count/file.h"

#include "base/mem.h"
#include "base/str_map.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES 4096
#define FIELDS_MAX 16
#define SEED 0x636f756e74u
#define GAP_MAX_MS ((int64_t)7 * 86400 * 1000) /* a longer gap is a broken clock, and would ask for rows without end */
#define TIME_MAX_MS ((int64_t)1 << 43)

struct run {
    struct count_files *files;
    struct diag *diag;
    struct road_network *network;
    uint16_t *edge_areas;
    struct count *count;
    struct str_map cameras;
    uint32_t *camera_numbers; /* by number of `cameras` */
    FILE *counts, *roads;
    int64_t next_s;    /* time of the next row; INT64_MIN before the first arrival */
    int64_t latest_ms; /* arrival */
    double bytes_all, bytes_done, told_share;
};

static void tell_broken(struct run *run, const char *path, uint64_t line, const char *why)
{
    run->files->n_broken++;
    if (run->files->on_broken == NULL)
        return;
    char text[256];
    snprintf(text, sizeof(text), "%.150s:%llu: %.80s", path, (unsigned long long)line, why);
    run->files->on_broken(run->files->context, text);
}

static size_t split(struct str line, struct str *fields)
{
    size_t n = 0;
    struct str head, tail;
    while (n < FIELDS_MAX - 1 && str_cut(line, ',', &head, &tail)) {
        fields[n++] = head;
        line = tail;
    }
    fields[n++] = line;
    return n;
}

/* ---- tables: each line after the header to `on_line`, which says what is wrong with it, or NULL ---- */

typedef const char *(*line_fn)(struct run *run, const struct str *fields, size_t n);

static enum err read_table(struct run *run, const char *path, const char *header, line_fn on_line)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return diag_set(run->diag, err_from_errno(errno), path, 0, "cannot open: %s; mend the path", strerror(errno));
    char line[LINE_MAX_BYTES];
    enum err err = ERR_OK;
    bool is_cut = false; /* in a line that is too long */
    for (uint64_t at = 1; err == ERR_OK && fgets(line, sizeof(line), file) != NULL;) {
        size_t len = strlen(line);
        run->bytes_done += (double)len;
        bool is_whole = len > 0 && line[len - 1] == '\n';
        if (!is_whole && !feof(file)) {
            if (!is_cut)
                tell_broken(run, path, at, "the line is too long");
            is_cut = true;
            continue;
        }
        struct str text = str_trim((struct str){line, len});
        struct str fields[FIELDS_MAX];
        const char *wrong = NULL;
        if (at == 1 && !str_equal_c(text, header))
            err = diag_set(run->diag, ERR_SYNTAX, path, 1, "the first line is not \"%s\"; add it", header);
        else if (at > 1 && !is_cut && !str_is_empty(text))
            wrong = on_line(run, fields, split(text, fields));
        if (wrong != NULL)
            tell_broken(run, path, at, wrong);
        is_cut = false;
        at++;
    }
    if (err == ERR_OK && ferror(file))
        err = diag_set(run->diag, ERR_IO, path, 0, "cannot read: %s; check the disk", strerror(errno));
    fclose(file);
    return err;
}

/* ---- cameras ---- */

static const char *on_camera(struct run *run, const struct str *fields, size_t n)
{
    if (n < 2 || str_is_empty(fields[0]))
        return "a camera needs a name and an edge";
    uint32_t edge = road_edge_find(run->network, fields[1]);
    if (edge == ROAD_NONE)
        return "the network has no such edge";
    if (str_map_find(&run->cameras, fields[0]) >= 0)
        return "the camera is there twice";
    uint32_t number;
    if (str_map_add(&run->cameras, fields[0], &number) != ERR_OK)
        return "more cameras than the settings allow";
    if (count_camera_add(run->count, edge, &run->camera_numbers[number]) != ERR_OK) {
        run->camera_numbers[number] = COUNT_NONE;
        return "no room for another camera";
    }
    return NULL;
}

/* ---- rows out ---- */

static void write_row(struct run *run)
{
    struct count_event event = {.type = COUNT_TICK, .now_ms = run->next_s * 1000};
    struct count_updates updates;
    count_step(run->count, &event, &updates);
    double vehicles = updates.areas[0].vehicles;
    if (!isnan(vehicles)) {
        fprintf(run->counts, "%lld,%.1f,%.1f,%.1f\n", (long long)run->next_s, vehicles, vehicles, vehicles);
        run->files->n_rows++;
    }
    for (uint32_t i = 0; run->roads != NULL && i < updates.n_edges; i++) {
        const struct count_edge_state *state = &updates.edges[i];
        if (isnan(state->speed_mps))
            continue;
        fprintf(run->roads, "%lld," STR_FORMAT ",%u,%.3f,%.3f\n", (long long)run->next_s, STR_ARG(run->network->edges[state->edge].id),
            state->n, state->speed_mps, state->delay_index);
    }
    run->next_s += run->files->every_s;
}

/* Every row that is due before something arrives at `arrived_ms`. */
static void write_rows_before(struct run *run, int64_t arrived_ms)
{
    const struct count_files *files = run->files;
    if (run->next_s == INT64_MIN) {
        int64_t every_ms = files->every_s * 1000;
        run->next_s = (arrived_ms + every_ms - 1) / every_ms * files->every_s;
    }
    while (run->next_s * 1000 < arrived_ms && (files->until_s < 0 || run->next_s <= files->until_s))
        write_row(run);
}

static const char *on_passage(struct run *run, const struct str *fields, size_t n)
{
    struct count_event event = {.type = COUNT_PASSAGE};
    struct count_passage *passage = &event.passage;
    run->files->n_lines++;
    double share = run->bytes_all > 0 ? run->bytes_done / run->bytes_all : 1;
    if (run->files->on_progress != NULL && share >= run->told_share + 0.01) {
        run->told_share = share;
        run->files->on_progress(run->files->context, fmin(share, 1));
    }
    if (n != 6)
        return "a passage has six fields";
    if (str_to_i64(fields[0], &passage->time_ms) != ERR_OK || str_to_i64(fields[1], &passage->arrived_ms) != ERR_OK)
        return "a time is not a whole number of milliseconds";
    if (passage->time_ms < 0 || passage->arrived_ms < 0 || passage->time_ms > TIME_MAX_MS || passage->arrived_ms > TIME_MAX_MS)
        return "a time is outside of 0 to 2^43 milliseconds";
    if (run->next_s != INT64_MIN && passage->arrived_ms - run->latest_ms > GAP_MAX_MS)
        return "it arrives more than a week after the one before";
    int64_t camera = str_map_find(&run->cameras, fields[2]);
    if (camera < 0 || run->camera_numbers[camera] == COUNT_NONE)
        return "an unknown camera";
    if (str_is_empty(fields[4]))
        return "a passage without a plate";
    passage->camera = run->camera_numbers[camera];
    passage->vehicle = str_hash(fields[4]);
    write_rows_before(run, passage->arrived_ms);
    if (passage->arrived_ms > run->latest_ms)
        run->latest_ms = passage->arrived_ms;
    struct count_updates updates;
    count_step(run->count, &event, &updates);
    return NULL;
}

/* ---- the run ---- */

static enum err open_out(struct run *run, const char *path, const char *header, FILE **ret_file)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return diag_set(run->diag, err_from_errno(errno), path, 0, "cannot write: %s; mend the path", strerror(errno));
    fprintf(file, "%s\n", header);
    *ret_file = file;
    return ERR_OK;
}

static enum err close_out(struct run *run, FILE *file, const char *path)
{
    if (file == NULL)
        return ERR_OK;
    bool is_bad = ferror(file) != 0;
    if (fclose(file) != 0 || is_bad)
        return diag_set(run->diag, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, path, 0, "cannot write it whole; free some of the disk");
    return ERR_OK;
}

static enum err prepare(struct run *run)
{
    struct count_files *files = run->files;
    if (files->every_s < 1 || files->every_s > 86400)
        return diag_set(run->diag, ERR_RANGE, NULL, 0, "--every is %lld; give it 1 to 86400 seconds", (long long)files->every_s);
    enum err err = road_network_load(files->network_path, run->diag, &run->network);
    if (err != ERR_OK)
        return err;
    static const int32_t no_parent[] = {-1};
    files->settings.stale_after_ms = TIME_MAX_MS;
    run->edge_areas = mem_alloc_zero(run->network->n_edges, sizeof(*run->edge_areas));
    run->camera_numbers = mem_alloc_zero(files->settings.cameras_max, sizeof(*run->camera_numbers));
    if (run->edge_areas == NULL || run->camera_numbers == NULL)
        return ERR_NO_MEMORY;
    struct count_map map = {run->network, run->edge_areas, no_parent, 1};
    err = count_create(&files->settings, &map, &run->count);
    if (err == ERR_OK)
        err = read_table(run, files->cameras_path, "camera,edge,pos_m,x,y", on_camera);
    if (err == ERR_OK)
        err = open_out(run, files->counts_path, "time_s,count,low,high", &run->counts);
    if (err == ERR_OK && files->roads_path != NULL)
        err = open_out(run, files->roads_path, "time_s,edge,n,speed_mps,delay_index", &run->roads);
    struct stat about;
    if (err == ERR_OK && stat(files->passages_path, &about) == 0)
        run->bytes_all = (double)about.st_size;
    run->bytes_done = 0;
    return err;
}

enum err count_files_run(struct count_files *files, struct diag *diag)
{
    struct run run = {.files = files, .diag = diag, .next_s = INT64_MIN};
    files->n_lines = files->n_broken = files->n_rows = 0;
    str_map_init(&run.cameras, files->settings.cameras_max, SEED);
    enum err err = prepare(&run);
    if (err == ERR_OK)
        err = read_table(&run, files->passages_path, "pass_time_ms,arrive_time_ms,camera,lane,plate,confidence", on_passage);
    if (err == ERR_OK && run.next_s != INT64_MIN)
        while (files->until_s < 0 ? run.next_s * 1000 <= run.latest_ms : run.next_s <= files->until_s)
            write_row(&run);
    if (run.count != NULL)
        files->counters = *count_counters(run.count);
    enum err closed = close_out(&run, run.counts, files->counts_path);
    enum err closed_roads = close_out(&run, run.roads, files->roads_path);
    if (err == ERR_OK)
        err = closed != ERR_OK ? closed : closed_roads;
    count_destroy(run.count);
    road_network_destroy(run.network);
    mem_free(run.edge_areas);
    mem_free(run.camera_numbers);
    str_map_finish(&run.cameras);
    return err;
}
