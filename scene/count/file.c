/* The count from files; see file.h. */
#include "scene/count/file.h"

#include "base/mem.h"
#include "base/outs.h"
#include "base/str_map.h"
#include "road/table.h"
#include "scene/count/areas.h"
#include "scene/count/clones.h"
#include "scene/count/gps_file.h"
#include "scene/count/heard.h"
#include "scene/count/loops_file.h"
#include "scene/count/passages.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SEED 0x636f756e74u

struct run {
    struct count_files *files;
    struct diag *diag;
    struct road_network *network;
    struct count_areas areas;
    struct count_index *index;
    struct count *count;
    struct str_map cameras;
    const struct road_table *camera_table; /* while it is read */
    uint32_t *camera_numbers;              /* by number of `cameras`; COUNT_NONE: it found no room */
    uint16_t *camera_areas;                /* the same */
    struct count_heard heard;              /* of a part: by any */
    struct count_parts *parts;             /* NULL: all of it is here */
    enum err parts_err;                    /* of a part; what is read after it is not counted */
    uint32_t n_standing;                   /* cameras on the network */
    struct count_reading reading;
    struct count_loops_file loops;
    struct count_gps_file *points;                                                               /* NULL: none */
    enum err points_err;                                                                         /* reading them */
    FILE *counts, *roads, *areas_out, *clones, *health, *indices, *junctions, *on_edges, *flows; /* NULL: not asked for */
    uint32_t *camera_names;                                                                      /* number in `cameras`, by the core's */
    int64_t next_s;    /* time of the next row; INT64_MIN before the first arrival */
    int64_t latest_ms; /* arrival */
    bool is_held;      /* one far ahead of the others, until the next tells whether to believe it */
    struct count_record held;
    /* Read and not yet counted, in their order: long enough for memory to answer. */
    struct count_event ahead[COUNT_RING];
    struct count_ahead fetched[COUNT_RING];
    uint32_t n_put, n_taken;
};

/* ---- cameras ---- */

#define BEYOND_M 1     /* and a hundredth of the edge: lanes of one edge differ a little in length */
#define BEYOND_TOLD 5u /* by name; all are counted */

enum { CAMERA_NAME, CAMERA_EDGE, CAMERA_POS };
static const char *const camera_columns[] = {"camera", "edge", "pos_m", NULL};

static const char *on_camera_header(void *context, uint32_t present)
{
    static const char *const missing[] = {
        "it has neither the column \"camera\" nor \"edge\"; it needs both, and may have pos_m,x,y: is it a table of cameras?",
        "it has no column \"edge\", the one at whose end the camera stands; add it",
        "it has no column \"camera\", its name; add it",
        NULL,
    };
    return missing[present & 3u];
}

static void tell(void *context, const char *text)
{
    const struct run *run = context;
    if (run->files->on_broken != NULL)
        run->files->on_broken(run->files->context, text);
}

/* A camera counts for the whole of its edge, wherever it stands; one beyond the edge's end was placed on another network. */
static void look_at_place(struct run *run, const struct str *fields, const struct road_edge *edge)
{
    struct count_files *files = run->files;
    char text[320];
    double pos_m;
    if (str_to_double(fields[CAMERA_POS], &pos_m) != ERR_OK || pos_m <= edge->length_m * 1.01 + BEYOND_M)
        return;
    if (files->n_cameras_beyond++ >= BEYOND_TOLD)
        return;
    snprintf(text, sizeof(text), "%.150s:%llu: camera \"%.*s\" is beyond the edge's end, %.0f m of %.0f: another network?",
        files->cameras_path, (unsigned long long)run->camera_table->line,
        (int)(fields[CAMERA_NAME].len < 60 ? fields[CAMERA_NAME].len : 60), fields[CAMERA_NAME].ptr, pos_m, edge->length_m);
    tell(run, text);
}

static const char *on_camera(void *context, const struct str *fields)
{
    struct run *run = context;
    if (str_is_empty(fields[CAMERA_NAME]) || str_is_empty(fields[CAMERA_EDGE]))
        return "a camera needs a name and an edge";
    uint32_t edge = road_edge_find(run->network, fields[CAMERA_EDGE]);
    if (edge == ROAD_NONE)
        return "the network has no such edge";
    if (str_map_find(&run->cameras, fields[CAMERA_NAME]) >= 0)
        return "the camera is there twice";
    uint32_t number;
    if (str_map_add(&run->cameras, fields[CAMERA_NAME], &number) != ERR_OK)
        return "more cameras than the settings allow";
    if (count_camera_add(run->count, edge, &run->camera_numbers[number]) != ERR_OK) {
        run->camera_numbers[number] = COUNT_NONE;
        return "no room for another camera";
    }
    run->camera_areas[number] = run->areas.edge_areas[edge];
    run->camera_names[run->camera_numbers[number]] = number;
    run->n_standing++;
    look_at_place(run, fields, &run->network->edges[edge]);
    return NULL;
}

static enum err read_cameras(struct run *run)
{
    struct count_files *files = run->files;
    struct road_table table = {
        .columns = camera_columns, .on_header = on_camera_header, .on_line = on_camera, .on_broken = tell, .context = run};
    run->camera_table = &table;
    enum err err = road_table_read(&table, files->cameras_path, run->diag);
    run->camera_table = NULL;
    files->n_cameras_broken = table.n_broken;
    if (err == ERR_OK && run->n_standing == 0)
        err = diag_set(run->diag, ERR_NOT_FOUND, files->cameras_path, 0,
            "none of its %llu cameras stands on an edge of %s; give the network that the cameras were placed on",
            (unsigned long long)table.n_lines, files->network_path);
    return err;
}

/* ---- rows out ---- */

static void write_areas(struct run *run, const struct count_area_figures *figures)
{
    for (size_t i = 1; i < run->areas.n; i++) {
        struct count_interval told = count_heard_told(&run->heard, figures, i);
        if (!isnan(told.value))
            fprintf(run->areas_out, "%lld," STR_FORMAT ",%.1f,%.1f,%.1f\n", (long long)run->next_s, STR_ARG(run->areas.names[i]),
                told.value, told.low, told.high);
    }
}

static struct str name_of(const struct run *run, uint32_t camera)
{
    return str_map_key(&run->cameras, run->camera_names[camera]);
}

static void write_clones(struct run *run, const struct count_clone *clones, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct count_sighting *seen[] = {&clones[i].first.a, &clones[i].first.b, &clones[i].second.a, &clones[i].second.b};
        fprintf(run->clones, "%lld", (long long)run->next_s);
        for (int k = 0; k < 4; k++) {
            fprintf(run->clones, "," STR_FORMAT ",%lld", STR_ARG(name_of(run, seen[k]->camera)),
                (long long)count_camera_time(run->count, seen[k]->camera, seen[k]->time_ms));
            if (k == 1)
                fprintf(run->clones, ",%.1f", clones[i].first.least_s);
        }
        fputc('\n', run->clones);
    }
}

static void write_health(const struct run *run)
{
    FILE *file = run->health;
    for (uint32_t c = 0; c < count_n_cameras(run->count); c++) {
        struct count_camera_health health;
        count_camera_health(run->count, c, &health);
        fprintf(file, STR_FORMAT ",%.0f,%.0f,", STR_ARG(name_of(run, c)), health.clock_s * 1000, health.clock_within_s * 1000);
        if (!isnan(health.recall))
            fprintf(file, "%.3f", health.recall);
        fprintf(file, ",%u,%d\n", health.n_recall, health.is_silent);
    }
}

/* A number, or nothing: what cannot be said is an empty field. */
static void write_real(FILE *file, int decimals, double real)
{
    fputc(',', file);
    if (isfinite(real))
        fprintf(file, "%.*f", decimals, real);
}

static void write_indices(struct run *run, const struct count_area_figures *figures)
{
    for (size_t i = 0; i < run->areas.n; i++) {
        if (isnan(figures[i].delay_index))
            continue;
        fprintf(run->indices, "%lld," STR_FORMAT, (long long)run->next_s, STR_ARG(run->areas.names[i]));
        write_real(run->indices, 3, figures[i].speed_mps);
        write_real(run->indices, 3, figures[i].delay_index);
        write_real(run->indices, 3, figures[i].congestion_index);
        write_real(run->indices, 1, figures[i].vehicle_km_ph);
        fprintf(run->indices, ",%s\n", count_index_made_by(run->index));
    }
}

/* Of edges on which less than a twentieth of a vehicle is to be expected, nothing is written. */
static void write_on_edges(struct run *run)
{
    for (uint32_t e = 0; e < run->network->n_edges; e++) {
        struct count_interval on = count_edge_vehicles(run->count, e);
        if (on.value >= 0.05)
            fprintf(run->on_edges, "%lld," STR_FORMAT ",%.1f,%.1f,%.1f\n", (long long)run->next_s, STR_ARG(run->network->edges[e].id),
                on.value, on.low, on.high);
    }
}

static void write_flows(struct run *run, const struct count_updates *updates)
{
    for (uint32_t i = 0; i < updates->n_edges; i++) {
        const struct count_edge_state *state = &updates->edges[i];
        if (!isnan(state->flow_vph))
            fprintf(run->flows, "%lld," STR_FORMAT ",%.1f,%s\n", (long long)run->next_s, STR_ARG(run->network->edges[state->edge].id),
                state->flow_vph, (state->sources & COUNT_SOURCE_LOOP) != 0 ? "loop" : "camera");
    }
}

static void write_junctions(struct run *run, const struct count_updates *updates)
{
    for (uint32_t i = 0; i < updates->n_junctions; i++) {
        const struct count_junction_state *state = &updates->junctions[i];
        fprintf(run->junctions, "%lld," STR_FORMAT ",%u,%.1f,%.3f\n", (long long)run->next_s,
            STR_ARG(run->network->junctions[state->junction].id), state->n, state->delay_s, state->delay_index);
    }
}

static void write_tables(void *context, const struct count_updates *updates)
{
    struct run *run = context;
    struct count_interval city = count_heard_told(&run->heard, updates->areas, 0);
    if (!isnan(city.value)) {
        fprintf(run->counts, "%lld,%.1f,%.1f,%.1f\n", (long long)run->next_s, city.value, city.low, city.high);
        run->files->n_rows++;
    }
    if (run->areas_out != NULL)
        write_areas(run, updates->areas);
    if (run->clones != NULL)
        write_clones(run, updates->clones, updates->n_clones);
    if (run->indices != NULL)
        write_indices(run, updates->areas);
    if (run->junctions != NULL)
        write_junctions(run, updates);
    if (run->on_edges != NULL)
        write_on_edges(run);
    if (run->flows != NULL)
        write_flows(run, updates);
    for (uint32_t i = 0; run->roads != NULL && i < updates->n_edges; i++) {
        const struct count_edge_state *state = &updates->edges[i];
        if (isnan(state->speed_mps))
            continue;
        fprintf(run->roads, "%lld," STR_FORMAT ",%u,%.3f,%.3f\n", (long long)run->next_s, STR_ARG(run->network->edges[state->edge].id),
            state->n, state->speed_mps, state->delay_index);
    }
}

static void step(struct run *run, const struct count_event *event)
{
    const struct count_files_parts *joined = run->files->joined;
    struct count_updates updates;
    if (joined == NULL) {
        count_step(run->count, event, &updates);
        if (event->type != COUNT_PASSAGE && event->type != COUNT_LOOP)
            write_tables(run, &updates);
        return;
    }
    if (run->parts_err == ERR_OK && count_parts_is_full(run->parts))
        count_parts_mark(run->parts);
    if (run->parts_err == ERR_OK)
        run->parts_err = count_parts_put(run->parts, event);
    if (run->parts_err == ERR_OK && count_parts_is_asking(run->parts))
        run->parts_err = joined->wait(joined->context, run->parts, run->diag);
}

static void count_next(struct run *run)
{
    step(run, &run->ahead[run->n_taken++ % COUNT_RING]);
}

/* Flow, speed and delay; who asks for none of them need not wait for them. The vehicles are the same. */
static bool asks_figures(const struct count_files *files)
{
    return files->roads_path != NULL || files->indices_path != NULL || files->junctions_path != NULL || files->flows_path != NULL;
}

/* What loops told until then, after the passages that had arrived before it. */
static void take_loops(struct run *run, int64_t until_ms)
{
    struct count_event event = {.type = COUNT_LOOP};
    while (run->loops.file != NULL && count_loops_file_next(&run->loops, until_ms, &event.loop)) {
        while (run->n_taken != run->n_put)
            count_next(run);
        step(run, &event);
    }
}

/* What floating cars told until then, likewise. */
static void take_points(struct run *run, int64_t until_ms)
{
    while (run->n_taken != run->n_put)
        count_next(run);
    if (run->points != NULL && run->points_err == ERR_OK)
        run->points_err = count_gps_file_take(run->points, until_ms);
}

static void write_row(struct run *run)
{
    take_loops(run, run->next_s * 1000);
    take_points(run, run->next_s * 1000);
    struct count_event event = {.type = asks_figures(run->files) ? COUNT_TICK : COUNT_TICK_VEHICLES, .now_ms = run->next_s * 1000};
    step(run, &event);
    run->next_s += run->files->every_s;
}

static int64_t first_row_from(const struct run *run, int64_t arrived_ms)
{
    int64_t every_ms = run->files->every_s * 1000;
    return (arrived_ms + every_ms - 1) / every_ms * run->files->every_s;
}

/* Every row that is due before something arrives at `arrived_ms`. */
static void write_rows_before(struct run *run, int64_t arrived_ms)
{
    const struct count_files *files = run->files;
    while (run->next_s * 1000 < arrived_ms && (files->until_s < 0 || run->next_s <= files->until_s))
        write_row(run);
}

/* ---- passages, in the order of their arrival ---- */

/* It is put where it waits at once: a copy would have to wait for its own writing. */
static void put(struct run *run, const struct count_record *record, int64_t arrived_ms)
{
    uint32_t at = run->n_put++ % COUNT_RING;
    struct count_event *event = &run->ahead[at];
    event->type = COUNT_PASSAGE;
    event->passage.vehicle = record->vehicle;
    event->passage.camera = run->camera_numbers[record->camera];
    event->passage.time_ms = record->pass_ms;
    event->passage.arrived_ms = arrived_ms;
    event->passage.confidence = record->confidence == COUNT_CONFIDENCE_NONE ? 0 : record->confidence > 0 ? record->confidence : 1;
    event->ahead = &run->fetched[at];
    count_fetch(run->count, run->ahead, run->fetched, run->n_put, run->n_put - run->n_taken);
}

static void take(struct run *run, const struct count_record *record)
{
    int64_t arrived_ms = record->arrived_ms;
    bool is_first = run->next_s == INT64_MIN;
    if (!is_first && arrived_ms < run->latest_ms) {
        arrived_ms = run->latest_ms;
        run->files->n_back++;
    }
    if (!is_first && arrived_ms - run->latest_ms > COUNT_GAP_MAX_MS) {
        char text[320];
        snprintf(text, sizeof(text), "%.150s:%llu: it arrives %lld days after the line before; no rows between", run->reading.path,
            (unsigned long long)record->line, (long long)((arrived_ms - run->latest_ms) / 86400000));
        tell(run, text);
        run->files->n_jumps++;
        is_first = true;
    }
    if (is_first)
        run->next_s = first_row_from(run, arrived_ms);
    write_rows_before(run, arrived_ms);
    take_loops(run, arrived_ms);
    if (run->points != NULL && count_gps_file_is_due(run->points, arrived_ms))
        take_points(run, arrived_ms);
    run->latest_ms = arrived_ms;
    count_heard_take(&run->heard, &run->files->settings, run->camera_areas[record->camera], record->pass_ms, arrived_ms);
    if (run->files->n_parts > 1 && count_part_of(record->vehicle, run->files->n_parts) != run->files->part)
        return; /* another process counts it; its time is everybody's */
    if (run->n_put - run->n_taken == COUNT_RING)
        count_next(run);
    put(run, record, arrived_ms);
}

static const char far_ahead[] = "it arrives more than an hour ahead of the lines around it";

static const char *on_record(void *context, const struct count_record *record)
{
    struct run *run = context;
    if (run->camera_numbers[record->camera] == COUNT_NONE)
        return count_unknown_camera;
    if (run->is_held) {
        run->is_held = false;
        if (record->arrived_ms >= run->held.arrived_ms - COUNT_BACK_MAX_MS)
            take(run, &run->held);
        else
            count_reading_tell(&run->reading, run->held.line, far_ahead);
    }
    if (run->next_s == INT64_MIN || record->arrived_ms - run->latest_ms > COUNT_AHEAD_MAX_MS) {
        run->is_held = true;
        run->held = *record;
        run->held.plate = STR_NONE;
        return NULL;
    }
    if (run->latest_ms - record->arrived_ms > COUNT_BACK_MAX_MS)
        return "it arrives more than ten minutes before the line above";
    take(run, record);
    return NULL;
}

static void on_progress(void *context, double share)
{
    const struct run *run = context;
    if (run->files->on_progress != NULL)
        run->files->on_progress(run->files->context, share);
}

/* Where there is a table of them. */
static enum err open_loops(struct run *run)
{
    run->loops = (struct count_loops_file){.network = run->network, .on_broken = tell, .context = run};
    return run->files->loops_path != NULL ? count_loops_file_open(&run->loops, run->files->loops_path, run->diag) : ERR_OK;
}

/* Of a table whose loops are all on other roads nothing was used. */
static enum err end_loops(struct run *run)
{
    struct count_files *files = run->files;
    if (run->loops.file == NULL)
        return ERR_OK;
    enum err err = count_loops_file_end(&run->loops, run->diag);
    files->n_loop_lines = run->loops.n_lines;
    files->n_broken += run->loops.n_broken;
    memcpy(files->n_loop_rows, count_loop_rows(run->count), sizeof(files->n_loop_rows));
    if (err == ERR_OK && run->loops.n_unknown > 0 && run->loops.n_unknown == run->loops.n_lines)
        err = diag_set(run->diag, ERR_NOT_FOUND, files->loops_path, 0,
            "none of its %llu rows is of an edge of %s; give the network that the loops are in", (unsigned long long)run->loops.n_lines,
            files->network_path);
    return err;
}

static void on_drive(void *context, const struct count_drive *drive)
{
    count_drive(((struct run *)context)->count, drive);
}

static enum err open_points(struct run *run)
{
    const struct count_gps_file_asked asked = {run->files->points_path, count_hierarchy(run->count), on_drive, tell, run};
    return asked.path != NULL ? count_gps_file_open(&asked, run->diag, &run->points) : ERR_OK;
}

static enum err end_points(struct run *run)
{
    struct count_files *files = run->files;
    if (run->points == NULL)
        return ERR_OK;
    enum err err = run->points_err == ERR_OK ? count_gps_file_end(run->points) : run->points_err;
    files->n_point_lines = count_gps_file_n_lines(run->points);
    files->n_broken += count_gps_file_n_broken(run->points);
    for (int i = 0; i < COUNT_GPS_N_VERDICTS; i++)
        files->n_points[i] = count_gps_file_n(run->points, i);
    return err;
}

static enum err read_passages(struct run *run)
{
    struct count_files *files = run->files;
    run->reading = (struct count_reading){
        .cameras = &run->cameras, .on_record = on_record, .on_broken = tell, .on_progress = on_progress, .context = run};
    enum err err = open_loops(run);
    if (err == ERR_OK)
        err = open_points(run);
    if (err == ERR_OK)
        err = count_passages_read(&run->reading, files->passages_path, run->diag);
    if (err == ERR_OK && run->is_held) {
        /* Nothing comes after it that could tell; a week is what a lonely passage may be away. */
        if (run->next_s == INT64_MIN || run->held.arrived_ms - run->latest_ms <= COUNT_GAP_MAX_MS)
            take(run, &run->held);
        else
            count_reading_tell(&run->reading, run->held.line, far_ahead);
    }
    while (run->n_taken != run->n_put)
        count_next(run);
    files->n_lines = run->reading.n_lines;
    files->n_broken = run->reading.n_broken;
    if (err == ERR_OK && run->next_s == INT64_MIN && run->reading.n_unknown > 0)
        err = diag_set(run->diag, ERR_NOT_FOUND, files->passages_path, 0,
            "none of its %llu passages can be used, %llu of them as their camera is not in %s; give the cameras that they are of",
            (unsigned long long)files->n_lines, (unsigned long long)run->reading.n_unknown, files->cameras_path);
    if (err != ERR_OK || run->next_s == INT64_MIN)
        return err;
    bool is_too_late = files->until_s > (run->latest_ms + COUNT_GAP_MAX_MS) / 1000;
    while (files->until_s < 0 || is_too_late ? run->next_s * 1000 <= run->latest_ms : run->next_s <= files->until_s)
        write_row(run);
    if (is_too_late)
        err = diag_set(run->diag, ERR_RANGE, files->passages_path, 0,
            "the last passage arrives at %lld s, and the rows end there: --until %lld is more than a week later; give a time of the same "
            "clock",
            (long long)run->latest_ms / 1000, (long long)files->until_s);
    return err;
}

/* ---- the run ---- */

/* Areas that will have no row are told once. */
static enum err tell_empty_areas(struct run *run)
{
    bool *has_camera = mem_alloc_zero(run->areas.n, sizeof(*has_camera));
    if (has_camera == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < run->cameras.n; i++)
        for (int32_t a = run->camera_numbers[i] != COUNT_NONE ? (int32_t)run->camera_areas[i] : -1; a >= 0; a = run->areas.parents[a])
            has_camera[a] = true;
    for (size_t i = 1; i < run->areas.n; i++) {
        char text[520];
        snprintf(text, sizeof(text), "%.150s: area \"" STR_FORMAT "\" has no %s; it has no rows", run->files->areas_path,
            STR_ARG(run->areas.names[i]), run->areas.n_edges[i] == 0 ? "road of the network" : "camera");
        if (!has_camera[i])
            tell(run, text);
    }
    mem_free(has_camera);
    return ERR_OK;
}

static enum err load_index(struct run *run)
{
    struct diag_list diags = {.n = 0};
    enum err err = run->files->index_path != NULL ? count_index_load(run->files->index_path, &diags, &run->index) : ERR_OK;
    if (err == ERR_OK || diags.n == 0)
        return err;
    for (size_t i = 1; i < diags.n; i++) /* the others; the first is the reason to end */
        tell(run, diags.diags[i].text);
    return diag_set(run->diag, err, NULL, 0, "%s", diags.diags[0].text);
}

#define N_OUTS 9

struct out {
    const char *path, *header;
    FILE **file;
};

static void list_outs(struct run *run, struct out outs[N_OUTS])
{
    const struct count_files *files = run->files;
    const struct out all[N_OUTS] = {
        {files->counts_path, "time_s,count,low,high", &run->counts},
        {files->roads_path, "time_s,edge,n,speed_mps,delay_index", &run->roads},
        {files->areas_out_path, "time_s,area,count,low,high", &run->areas_out},
        {files->clones_path,
            "time_s,camera_a,pass_time_ms_a,camera_b,pass_time_ms_b,least_s,camera_c,pass_time_ms_c,camera_d,pass_time_ms_d", &run->clones},
        {files->health_path, "camera,clock_ms,clock_within_ms,recall,n_recall,silent", &run->health},
        {files->indices_path, "time_s,area,speed_mps,delay_index,congestion_index,vehicle_km_ph,made_by", &run->indices},
        {files->junctions_path, "time_s,junction,n,delay_s,delay_index", &run->junctions},
        {files->on_edges_path, "time_s,edge,count,low,high", &run->on_edges},
        {files->flows_path, "time_s,edge,flow_vph,source", &run->flows},
    };
    memcpy(outs, all, sizeof(all));
}

static enum err open_outs(struct run *run)
{
    const struct count_files *files = run->files;
    const char *const read[] = {files->network_path, files->cameras_path, files->passages_path, files->areas_path, files->index_path,
        files->loops_path, files->points_path};
    struct outs taken = {.n = 0};
    struct out outs[N_OUTS];
    enum err err = ERR_OK;
    list_outs(run, outs);
    for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++)
        outs_spare(&taken, read[i]);
    for (size_t i = 0; i < N_OUTS && err == ERR_OK; i++) {
        if (outs[i].path == NULL)
            continue;
        err = outs_open(&taken, outs[i].path, run->diag, outs[i].file);
        if (err == ERR_OK)
            fprintf(*outs[i].file, "%s\n", outs[i].header);
    }
    return err;
}

/* The first of them that is not whole is told, unless `err` is told already. */
static enum err close_outs(struct run *run, enum err err)
{
    struct out outs[N_OUTS];
    list_outs(run, outs);
    for (size_t i = 0; i < N_OUTS; i++) {
        enum err closed = outs_close(*outs[i].file, outs[i].path, err == ERR_OK ? run->diag : NULL);
        err = err != ERR_OK ? err : closed;
    }
    return err;
}

static void ask_part(void *context, uint32_t part, struct str question)
{
    const struct run *run = context;
    run->files->joined->ask(run->files->joined->context, part, question);
}

/* Where the plates are in other processes. */
static enum err join_parts(struct run *run, const struct count_map *map)
{
    const struct count_files_parts *joined = run->files->joined;
    if (joined == NULL)
        return ERR_OK;
    const struct count_parts_options options = {.count = run->count,
        .map = map,
        .settings = &run->files->settings,
        .run = joined->run,
        .n = joined->n,
        .ask = ask_part,
        .on_updates = write_tables,
        .context = run};
    return count_parts_create(&options, &run->parts);
}

/* What came after the last row. */
static enum err end_parts(struct run *run)
{
    const struct count_files_parts *joined = run->files->joined;
    if (joined == NULL)
        return ERR_OK;
    if (run->parts_err == ERR_OK)
        count_parts_flush(run->parts);
    if (run->parts_err == ERR_OK && count_parts_is_asking(run->parts))
        run->parts_err = joined->wait(joined->context, run->parts, run->diag);
    run->files->parts_counters = count_parts_counters(run->parts);
    return run->parts_err;
}

static enum err prepare(struct run *run)
{
    struct count_files *files = run->files;
    if (files->every_s < 1 || files->every_s > 86400)
        return diag_set(run->diag, ERR_RANGE, NULL, 0, "--every is %lld; give it 1 to 86400 seconds", (long long)files->every_s);
    enum err err = road_network_load(files->network_path, run->diag, &run->network);
    if (err != ERR_OK)
        return err;
    files->settings.stale_after_ms = COUNT_TIME_FILE_MAX;
    err = files->areas_path != NULL ? count_areas_load(files->areas_path, run->network, run->diag, &run->areas)
                                    : count_areas_whole(run->network, &run->areas);
    run->camera_numbers = mem_alloc_zero(files->settings.cameras_max, sizeof(*run->camera_numbers));
    run->camera_areas = mem_alloc_zero(files->settings.cameras_max, sizeof(*run->camera_areas));
    run->camera_names = mem_alloc_zero(files->settings.cameras_max, sizeof(*run->camera_names));
    if (err == ERR_OK && files->n_parts > 1)
        err = count_heard_init(&run->heard, &run->areas);
    if (err == ERR_OK && (run->camera_numbers == NULL || run->camera_areas == NULL || run->camera_names == NULL))
        err = ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = load_index(run);
    struct count_map map = {run->network, run->areas.edge_areas, run->areas.parents, run->areas.n, run->index, !asks_figures(files)};
    if (err == ERR_OK)
        err = count_create(&files->settings, &map, &run->count);
    if (err == ERR_OK)
        err = join_parts(run, &map);
    if (err == ERR_OK)
        err = read_cameras(run);
    if (err == ERR_OK)
        err = tell_empty_areas(run);
    if (err == ERR_OK)
        err = open_outs(run);
    return err;
}

enum err count_files_run(struct count_files *files, struct diag *diag)
{
    struct run run = {.files = files, .diag = diag, .next_s = INT64_MIN};
    files->n_lines = files->n_broken = files->n_cameras_broken = files->n_cameras_beyond = files->n_rows = files->n_back = files->n_jumps =
        files->n_evicted = 0;
    str_map_init(&run.cameras, files->settings.cameras_max, SEED);
    enum err err = prepare(&run);
    if (err == ERR_OK)
        err = read_passages(&run);
    if (err == ERR_OK)
        err = end_parts(&run);
    if (err == ERR_OK)
        err = end_loops(&run);
    if (err == ERR_OK)
        err = end_points(&run);
    if (err == ERR_OK && run.health != NULL)
        write_health(&run);
    if (run.count != NULL) {
        files->counters = *count_counters(run.count);
        files->n_evicted = count_known_vehicles(run.count)->n_evicted;
    }
    err = close_outs(&run, err);
    count_loops_file_close(&run.loops);
    count_gps_file_close(run.points);
    count_parts_destroy(run.parts);
    count_destroy(run.count);
    count_index_destroy(run.index);
    count_areas_finish(&run.areas);
    road_network_destroy(run.network);
    mem_free(run.camera_numbers);
    mem_free(run.camera_areas);
    mem_free(run.camera_names);
    count_heard_finish(&run.heard);
    str_map_finish(&run.cameras);
    return err;
}
