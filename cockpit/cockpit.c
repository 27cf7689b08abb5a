/* The cockpit's loop: subscriptions, the board, records, snapshots. */
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "cockpit/cockpit_internal.h"
#include "hub/indicator.h"
#include "hub/keep.h"
#include "hub/need.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#define TICK_MS 1000

/* ---- snapshots ---- */

static void take_snapshot(struct cockpit *cockpit)
{
    struct cockpit_snapshot *snapshot;
    struct cockpit_face *faces[COCKPIT_FACES_MAX];
    if (cockpit_board_snapshot(cockpit->board, clock_wall(cockpit->options.clock), &snapshot) != ERR_OK) {
        log_write(LOG_WARNING, "cockpit", "no memory for a snapshot; the screens keep the last one", LOG_END);
        return;
    }
    cockpit->last_snapshot = clock_mono(cockpit->options.clock);
    pthread_mutex_lock(&cockpit->mutex);
    struct cockpit_snapshot *old = cockpit->latest;
    cockpit->latest = cockpit_snapshot_hold(snapshot);
    size_t n = cockpit->n_faces;
    memcpy(faces, cockpit->faces, n * sizeof(struct cockpit_face *));
    pthread_mutex_unlock(&cockpit->mutex);
    cockpit_snapshot_release(old);
    for (size_t i = 0; i < n; i++)
        cockpit_face_give(faces[i], snapshot);
    cockpit_snapshot_release(snapshot);
}

static void on_snapshot_timer(struct loop_timer *timer)
{
    take_snapshot(container_of(timer, struct cockpit, snapshot_timer));
}

/* Something changed: a snapshot soon, but not more often than the gap. */
static void want_snapshot(struct cockpit *cockpit)
{
    if (cockpit->snapshot_timer.heap_at != 0)
        return;
    int64_t since_ms = mono_ms_between(cockpit->last_snapshot, clock_mono(cockpit->options.clock));
    int64_t wait_ms = since_ms < COCKPIT_SNAPSHOT_GAP_MS ? COCKPIT_SNAPSHOT_GAP_MS - since_ms : 0;
    if (loop_timer_start(loop_thread_loop(cockpit->thread), &cockpit->snapshot_timer,
            wait_ms > COCKPIT_COALESCE_MS ? wait_ms : COCKPIT_COALESCE_MS) != ERR_OK)
        take_snapshot(cockpit);
}

/* ---- records ---- */

static void put_record(void *context, int indicator, int area, const struct cockpit_value *value)
{
    struct cockpit *cockpit = context;
    struct cockpit_record record = {.indicator = cockpit_config_at(cockpit->options.config, (size_t)indicator)->name,
        .area = area_at(hub_areas(cockpit->options.hub), (size_t)area)->name,
        .value = *value};
    enum err err = cockpit_store_put(cockpit->store, &record);
    if (err != ERR_OK) {
        metric_add(&cockpit->n_records_lost, 1);
        log_write(LOG_ERROR, "cockpit", "a value was not recorded: the store is behind", LOG_ERR(err),
            LOG_STR("indicator", record.indicator), LOG_STR("area", record.area), LOG_END);
    }
}

static void on_recorded(void *context, const struct cockpit_record *record, enum err err)
{
    struct cockpit *cockpit = context;
    if (err != ERR_OK) {
        metric_add(&cockpit->n_records_lost, 1);
        log_write(LOG_ERROR, "cockpit", "a value was not recorded", LOG_ERR(err), LOG_STR("indicator", record->indicator),
            LOG_STR("area", record->area), LOG_END);
        return;
    }
    int indicator = cockpit_config_find(cockpit->options.config, record->indicator);
    int area = area_find(hub_areas(cockpit->options.hub), record->area);
    cockpit_board_recorded(cockpit->board, indicator, area, &record->value);
    want_snapshot(cockpit);
}

static void on_tick(struct loop_timer *timer)
{
    struct cockpit *cockpit = container_of(timer, struct cockpit, tick_timer);
    cockpit_board_sample(cockpit->board, clock_wall(cockpit->options.clock), put_record, cockpit);
    want_snapshot(cockpit); /* what has gone stale must show, also when nothing comes any more */
    enum err err = loop_timer_start(timer->loop, timer, TICK_MS);
    if (err != ERR_OK)
        log_write(LOG_ERROR, "cockpit", "the tick stopped", LOG_ERR(err), LOG_END);
}

/* ---- streams ---- */

/* `row`: of `n` fields; the last ones a source may leave out. */
static void take_indicator(struct cockpit *cockpit, struct str source, const struct value *row, size_t n, const struct hub_window *window)
{
    bool is_record;
    struct value whole[HUB_INDICATOR_N_FIELDS_MAX] = {VALUE_NONE};
    memcpy(whole, row, (n < HUB_INDICATOR_N_FIELDS_MAX ? n : HUB_INDICATOR_N_FIELDS_MAX) * sizeof(*row));
    int indicator, area;
    struct cockpit_value value;
    enum err err = cockpit_board_indicator(cockpit->board, source, whole, window, &is_record, &indicator, &area, &value);
    if (err == ERR_OK && is_record)
        put_record(cockpit, indicator, area, &value);
}

static void on_rows(void *context, const struct hub_window *window, struct rows *rows)
{
    struct cockpit_stream *stream = context;
    struct cockpit *cockpit = stream->cockpit;
    enum err err = ERR_OK;
    for (size_t i = 0; i < rows_n(rows); i++) {
        const struct value *row = rows_at(rows, i);
        if (stream->kind == COCKPIT_STREAM_INDICATOR)
            take_indicator(cockpit, stream->resource, row, rows_n_fields(rows), window);
        else if (stream->kind == COCKPIT_STREAM_ROAD_STATE)
            err = cockpit_board_road_state(cockpit->board, row);
        else if (stream->kind == COCKPIT_STREAM_ROAD_INDEX)
            err = cockpit_board_road_index(cockpit->board, row);
        else if (stream->kind == COCKPIT_STREAM_JUNCTION_INDEX)
            err = cockpit_board_junction(cockpit->board, row);
        else if (stream->kind == COCKPIT_STREAM_ZONE_STATE)
            err = cockpit_board_zone_state(cockpit->board, row, window);
        else
            err = cockpit_board_source(cockpit->board, row);
    }
    if (err != ERR_OK)
        log_write(LOG_INFO, "cockpit", "a row was left out", LOG_ERR(err), LOG_STR("resource", stream->resource), LOG_END);
    want_snapshot(cockpit);
}

static enum err add_stream(
    struct cockpit *cockpit, enum cockpit_stream_kind kind, struct str resource, const char *const *fields, size_t n_fields)
{
    struct str names[HUB_FIELDS_MAX];
    if (str_is_empty(resource))
        return ERR_OK;
    for (size_t i = 0; i < cockpit->n_streams; i++)
        if (str_equal(cockpit->streams[i].resource, resource))
            return ERR_OK;
    if (cockpit->n_streams == COCKPIT_STREAMS_MAX)
        return ERR_FULL;
    for (size_t i = 0; i < n_fields; i++)
        names[i] = str_from_c(fields[i]);
    struct cockpit_stream *stream = &cockpit->streams[cockpit->n_streams];
    *stream = (struct cockpit_stream){.cockpit = cockpit, .kind = kind, .resource = resource};
    const struct cockpit_needs *needs = cockpit_config_needs(cockpit->options.config);
    struct hub_subscribe_options options = {.party = needs->party,
        .resource = resource,
        .purpose = needs->purpose,
        .fields = names,
        .n_fields = n_fields,
        .loop = loop_thread_loop(cockpit->thread),
        .when_full = kind == COCKPIT_STREAM_INDICATOR ? BUS_REFUSE : BUS_DROP_OLDEST,
        .on_rows = on_rows,
        .context = stream};
    struct hub_refusal refusal = {0};
    enum err err = hub_keep_start(cockpit->options.hub, &options, &refusal, &stream->keep);
    if (err == ERR_NO_MEMORY)
        return err;
    if (err != ERR_OK)
        log_write(LOG_WARNING, "cockpit", "a stream is not to be had; its figures stay stale", LOG_ERR(err), LOG_STR("resource", resource),
            LOG_INT("rule", refusal.rule), LOG_END);
    cockpit->n_streams++;
    return ERR_OK;
}

/* What a source tells of its formulas is asked for where it does, and the contract grants it. */
static size_t indicator_fields(const struct cockpit *cockpit, struct str source)
{
    const struct cockpit_needs *needs = cockpit_config_needs(cockpit->options.config);
    const struct hub_need all = {needs->party, source, needs->purpose, HUB_STREAM, hub_indicator_field_names, HUB_INDICATOR_N_FIELDS_MAX};
    enum err err = hub_need_check(cockpit->options.hub, &all, (struct yaml_node){NULL, 0}, NULL);
    return err == ERR_OK ? HUB_INDICATOR_N_FIELDS_MAX : HUB_INDICATOR_N_FIELDS;
}

static void subscribe_all(void *context)
{
    struct cockpit *cockpit = context;
    const struct cockpit_needs *needs = cockpit_config_needs(cockpit->options.config);
    enum err err = ERR_OK;
    for (size_t i = 0; i < cockpit_config_n(cockpit->options.config) && err == ERR_OK; i++) {
        struct str source = cockpit_config_at(cockpit->options.config, i)->source;
        err = add_stream(cockpit, COCKPIT_STREAM_INDICATOR, source, hub_indicator_field_names, indicator_fields(cockpit, source));
    }
    if (err == ERR_OK)
        err = add_stream(cockpit, COCKPIT_STREAM_ROAD_STATE, needs->road_state, hub_road_state_field_names, HUB_ROAD_STATE_N_FIELDS);
    if (err == ERR_OK)
        err = add_stream(cockpit, COCKPIT_STREAM_ROAD_INDEX, needs->road_index, hub_road_index_field_names, HUB_ROAD_INDEX_N_FIELDS);
    if (err == ERR_OK)
        err = add_stream(
            cockpit, COCKPIT_STREAM_JUNCTION_INDEX, needs->junction_index, hub_junction_index_field_names, HUB_JUNCTION_INDEX_N_FIELDS);
    if (err == ERR_OK)
        err = add_stream(cockpit, COCKPIT_STREAM_ZONE_STATE, needs->zone_state, hub_zone_state_field_names, HUB_ZONE_STATE_N_FIELDS);
    if (err == ERR_OK)
        err = add_stream(cockpit, COCKPIT_STREAM_SOURCE, needs->source, cockpit_source_fields, COCKPIT_N_SOURCE_FIELDS);
    if (err == ERR_OK)
        err = loop_timer_start(loop_thread_loop(cockpit->thread), &cockpit->tick_timer, TICK_MS);
    if (err != ERR_OK)
        log_write(LOG_ERROR, "cockpit", "not all streams were subscribed", LOG_ERR(err), LOG_END);
}

/* ---- the roads ---- */

/* Which area each edge lies in, so that a viewer's map shows the state of its own area's roads only. */
static enum err learn_edge_areas(struct cockpit *cockpit, struct str geojson)
{
    json_t *root;
    struct diag diag = {""};
    enum err err = json_read(geojson, &diag, &root);
    if (err != ERR_OK)
        return err;
    const json_t *features = json_object_get(root, "features");
    for (size_t i = 0; i < json_array_size(features); i++) {
        const json_t *properties = json_object_get(json_array_get(features, i), "properties");
        struct str edge, area;
        if (json_get_str(properties, "edge", &edge) == ERR_OK && json_get_str(properties, "area", &area) == ERR_OK)
            err = cockpit_board_edge_area(cockpit->board, edge, area);
    }
    json_decref(root);
    return err;
}

static void start_on_loop(void *context)
{
    struct cockpit *cockpit = context;
    cockpit_object_ask(&cockpit->roads);
    cockpit_object_ask(&cockpit->zones);
}

/* ---- life ---- */

enum err cockpit_create(const struct cockpit_options *options, struct diag *diag, struct cockpit **ret_cockpit)
{
    uint64_t seed;
    struct cockpit *cockpit = mem_alloc_zero(1, sizeof(*cockpit));
    if (!cockpit)
        return ERR_NO_MEMORY;
    cockpit->options = *options;
    cockpit->snapshot_timer.fn = on_snapshot_timer;
    cockpit->tick_timer.fn = on_tick;
    cockpit_object_init(&cockpit->roads, cockpit, "roads", cockpit_config_needs(options->config)->road, learn_edge_areas);
    cockpit_object_init(&cockpit->zones, cockpit, "zones", cockpit_config_needs(options->config)->zone, NULL);
    pthread_mutex_init(&cockpit->mutex, NULL);
    crypto_random(&seed, sizeof(seed));
    enum err err = cockpit_board_create(options->config, hub_areas(options->hub), seed, &cockpit->board);
    if (err == ERR_OK)
        err = loop_thread_start(options->clock, "cockpit", &cockpit->thread);
    if (err == ERR_OK)
        err = cockpit_store_open(options->store_path, cockpit->thread, options->clock, on_recorded, cockpit, diag, &cockpit->store);
    if (err != ERR_OK) {
        cockpit_destroy(cockpit);
        return err;
    }
    cockpit_store_on_failed_sync(cockpit->store, options->fatal, options->fatal_context);
    loop_thread_call(cockpit->thread, subscribe_all, cockpit);
    *ret_cockpit = cockpit;
    return ERR_OK;
}

void cockpit_start(struct cockpit *cockpit)
{
    loop_thread_call(cockpit->thread, start_on_loop, cockpit);
}

static void stop_on_loop(void *context)
{
    struct cockpit *cockpit = context;
    cockpit->is_stopping = true;
    for (size_t i = 0; i < cockpit->n_streams; i++)
        hub_keep_stop(cockpit->streams[i].keep);
    cockpit->n_streams = 0;
    loop_timer_stop(&cockpit->tick_timer);
    loop_timer_stop(&cockpit->snapshot_timer);
    cockpit_object_stop(&cockpit->roads);
    cockpit_object_stop(&cockpit->zones);
}

static void nothing(void *context) {}

void cockpit_settle(struct cockpit *cockpit)
{
    if (cockpit && cockpit->thread)
        loop_thread_call(cockpit->thread, nothing, NULL);
}

void cockpit_stop(struct cockpit *cockpit)
{
    if (!cockpit)
        return;
    if (cockpit->thread)
        loop_thread_call(cockpit->thread, stop_on_loop, cockpit);
    cockpit_store_close(cockpit->store);
    cockpit->store = NULL;
    if (cockpit->thread) /* what the store told last may have asked for one more snapshot */
        loop_thread_call(cockpit->thread, stop_on_loop, cockpit);
}

void cockpit_destroy(struct cockpit *cockpit)
{
    if (!cockpit)
        return;
    cockpit_stop(cockpit);
    loop_thread_stop(cockpit->thread);
    cockpit_snapshot_release(cockpit->latest);
    cockpit_bytes_release(cockpit->roads.kept);
    cockpit_bytes_release(cockpit->zones.kept);
    cockpit_board_destroy(cockpit->board);
    pthread_mutex_destroy(&cockpit->mutex);
    mem_free(cockpit);
}

void cockpit_measure(struct cockpit *cockpit, struct metric_page *page)
{
    static const struct metric lost = {
        "citybrain_cockpit_records_lost_total", METRIC_COUNTER, "Values for the record that the store had no room for", {NULL}};
    cockpit_store_measure(cockpit->store, page);
    metric_put_counter(page, &lost, &cockpit->n_records_lost, NULL);
}
