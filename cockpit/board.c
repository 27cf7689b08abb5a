/* The board's tables: values by indicator and area, and edges, roads and sources by name. */
#include "cockpit/board.h"

#include "base/mem.h"
#include "base/str_map.h"
#include "hub/indicator.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

const char *const cockpit_source_fields[COCKPIT_N_SOURCE_FIELDS] = {
    "party", "source", "area", "title_zh", "title_en", "lon", "lat", "health", "last_heard", "since", "detail"};
enum {
    SOURCE_PARTY,
    SOURCE_SOURCE,
    SOURCE_AREA,
    SOURCE_ZH,
    SOURCE_EN,
    SOURCE_LON,
    SOURCE_LAT,
    SOURCE_HEALTH,
    SOURCE_HEARD,
    SOURCE_SINCE,
    SOURCE_DETAIL
};

#define WORDS_MAX 1024 /* a city has a handful; what is past it is not shown */

/* An array that grows beside a str_map: one element a key. */
struct table {
    struct str_map map;
    void *items;
    uint32_t cap;
    size_t item_size;
};

struct cockpit_board {
    const struct cockpit_config *config;
    const struct area_tree *areas;
    struct cockpit_value *values; /* [indicator][area] */
    int64_t *last_sample_ms;      /* by indicator */
    struct table edges, roads, junctions, zones, sources;
    struct str_map words; /* that many roads have in common: levels, formulas */
    struct arena text;    /* titles of sources */
    struct arena titles;  /* of junctions */
    struct cockpit_recorded *recorded;
    size_t n_recorded;
    uint64_t number, n_refused;
    bool sources_changed;
};

static void table_init(struct table *table, uint32_t limit, uint64_t seed, size_t item_size)
{
    *table = (struct table){.item_size = item_size};
    str_map_init(&table->map, limit, seed);
}

static void table_finish(struct table *table)
{
    str_map_finish(&table->map);
    mem_free(table->items);
}

/* The element of `key`, zeroed when new. */
static enum err table_at(struct table *table, struct str key, void **ret_item, struct str *ret_key, bool *ret_is_new)
{
    uint32_t at, n = table->map.n;
    if (n == table->cap) {
        uint32_t cap = table->cap ? table->cap * 2 : 64;
        void *items = mem_resize(table->items, cap * table->item_size);
        if (!items)
            return ERR_NO_MEMORY;
        table->items = items;
        table->cap = cap;
    }
    enum err err = str_map_add(&table->map, key, &at);
    if (err != ERR_OK)
        return err;
    char *item = (char *)table->items + at * table->item_size;
    *ret_is_new = at == n;
    if (at == n)
        memset(item, 0, table->item_size);
    *ret_item = item;
    *ret_key = str_map_key(&table->map, at);
    return ERR_OK;
}

enum err cockpit_board_create(
    const struct cockpit_config *config, const struct area_tree *areas, uint64_t seed, struct cockpit_board **ret_board)
{
    size_t n_indicators = cockpit_config_n(config), n_areas = area_n(areas);
    struct cockpit_board *board = mem_alloc_zero(1, sizeof(*board));
    if (!board)
        return ERR_NO_MEMORY;
    *board = (struct cockpit_board){.config = config, .areas = areas};
    table_init(&board->edges, COCKPIT_EDGES_MAX, seed, sizeof(struct cockpit_edge));
    table_init(&board->roads, COCKPIT_ROADS_MAX, seed, sizeof(struct cockpit_road));
    table_init(&board->junctions, COCKPIT_JUNCTIONS_MAX, seed, sizeof(struct cockpit_junction));
    table_init(&board->zones, COCKPIT_ZONES_MAX, seed, sizeof(struct cockpit_zone));
    table_init(&board->sources, COCKPIT_SOURCES_MAX, seed, sizeof(struct cockpit_source));
    str_map_init(&board->words, WORDS_MAX, seed);
    arena_init(&board->text, COCKPIT_SOURCES_MAX * 256u);
    arena_init(&board->titles, COCKPIT_JUNCTIONS_MAX * 600u);
    board->values = mem_alloc_zero(n_indicators * n_areas + 1, sizeof(*board->values));
    board->last_sample_ms = mem_alloc_zero(n_indicators + 1, sizeof(*board->last_sample_ms));
    board->recorded = mem_alloc_zero(COCKPIT_RECORDED_MAX, sizeof(*board->recorded));
    if (!board->values || !board->last_sample_ms || !board->recorded) {
        cockpit_board_destroy(board);
        return ERR_NO_MEMORY;
    }
    *ret_board = board;
    return ERR_OK;
}

void cockpit_board_destroy(struct cockpit_board *board)
{
    if (!board)
        return;
    table_finish(&board->edges);
    table_finish(&board->roads);
    table_finish(&board->junctions);
    table_finish(&board->zones);
    table_finish(&board->sources);
    str_map_finish(&board->words);
    arena_finish(&board->text);
    arena_finish(&board->titles);
    mem_free(board->values);
    mem_free(board->last_sample_ms);
    mem_free(board->recorded);
    mem_free(board);
}

uint64_t cockpit_board_n_refused(const struct cockpit_board *board)
{
    return board->n_refused;
}

/* ---- rows ---- */

static void copy_text(char *out, size_t size, struct str s)
{
    size_t len = s.len < size - 1 ? s.len : size - 1;
    if (len > 0)
        memcpy(out, s.ptr, len);
    out[len] = '\0';
}

static int64_t integer_of(struct value value)
{
    return value.type == VALUE_INTEGER || value.type == VALUE_TIME ? value.i : 0;
}

static bool is_text(struct value value)
{
    return value.type == VALUE_TEXT;
}

/* The text as the board keeps it, once for all that say it; empty when there is none. */
static struct str word_of(struct cockpit_board *board, struct value value)
{
    uint32_t at;
    bool is_kept = is_text(value) && !str_is_empty(value.s) && str_map_add(&board->words, value.s, &at) == ERR_OK;
    return is_kept ? str_map_key(&board->words, at) : STR_NONE;
}

static int level_of(struct value value)
{
    return value.type == VALUE_INTEGER && value.i >= 0 && value.i < COCKPIT_LEVELS_MAX ? (int)value.i : -1;
}

static enum err refuse(struct cockpit_board *board, enum err err)
{
    board->n_refused++;
    return err;
}

static struct cockpit_value *value_slot(struct cockpit_board *board, int indicator, int area)
{
    return &board->values[(size_t)indicator * area_n(board->areas) + (size_t)area];
}

enum err cockpit_board_indicator(struct cockpit_board *board, struct str source, const struct value *row, const struct hub_window *window,
    bool *ret_record, int *ret_indicator, int *ret_area, struct cockpit_value *ret_value)
{
    if (!is_text(row[HUB_INDICATOR_NAME]) || !is_text(row[HUB_INDICATOR_AREA]) || row[HUB_INDICATOR_TIME].type != VALUE_TIME)
        return refuse(board, ERR_SYNTAX);
    int indicator = cockpit_config_find(board->config, row[HUB_INDICATOR_NAME].s);
    int area = area_find(board->areas, row[HUB_INDICATOR_AREA].s);
    /* A name counts only from the stream that its declaration names: nobody else may set the city's figures. */
    if (indicator < 0 || area < 0 || !str_equal(cockpit_config_at(board->config, (size_t)indicator)->source, source))
        return refuse(board, ERR_NOT_FOUND);
    const struct cockpit_indicator *declared = cockpit_config_at(board->config, (size_t)indicator);
    struct cockpit_value *slot = value_slot(board, indicator, area);
    struct cockpit_value value = {.is_there = true,
        .time = {row[HUB_INDICATOR_TIME].i},
        .period_ms = integer_of(row[HUB_INDICATOR_PERIOD_MS]),
        .n = integer_of(row[HUB_INDICATOR_N]),
        .stale_since_ms = integer_of(row[HUB_INDICATOR_STALE_SINCE]),
        .usual = slot->usual,
        .has_usual = slot->has_usual};
    value.has_number = value_to_real(row[HUB_INDICATOR_VALUE], &value.number);
    /* A source that has learned its usual day knows it better than the mean of the last seven. */
    value.has_source_usual = value_to_real(row[HUB_INDICATOR_USUAL], &value.source_usual);
    copy_text(value.receipt, sizeof(value.receipt), window->receipt);
    copy_text(value.contract, sizeof(value.contract), window->contract);
    if (is_text(row[HUB_INDICATOR_BASIS]))
        copy_text(value.basis, sizeof(value.basis), row[HUB_INDICATOR_BASIS].s);
    if (is_text(row[HUB_INDICATOR_MADE_BY]))
        copy_text(value.made_by, sizeof(value.made_by), row[HUB_INDICATOR_MADE_BY].s);
    *ret_record = !declared->is_sampled && value.period_ms == declared->period_ms;
    *ret_indicator = indicator;
    *ret_area = area;
    *ret_value = value;
    /* The screen follows the newest; when nothing can be said the last number stays, greyed, with its own time. */
    bool is_newer = value.time.ms >= slot->time.ms;
    bool is_live = value.period_ms < declared->period_ms || *ret_record;
    if (is_newer && is_live) {
        if (!value.has_number && slot->has_number) {
            value.has_number = true;
            value.number = slot->number;
            value.time = slot->time;
            if (value.stale_since_ms == 0)
                value.stale_since_ms = slot->time.ms;
        }
        *slot = value;
    }
    return ERR_OK;
}

/* As far as anybody sees it: cockpit_view_edges() writes two decimals, the flow without. */
static bool shows_the_same(const struct cockpit_edge *a, const struct cockpit_edge *b)
{
    return a->has_speed == b->has_speed && a->has_delay == b->has_delay && a->has_flow == b->has_flow && a->level == b->level &&
           round(a->speed_mps * 100) == round(b->speed_mps * 100) && round(a->delay_index * 100) == round(b->delay_index * 100) &&
           round(a->flow_vph) == round(b->flow_vph);
}

enum err cockpit_board_road_state(struct cockpit_board *board, const struct value *row)
{
    void *item;
    struct str name;
    bool is_new;
    if (!is_text(row[HUB_ROAD_STATE_EDGE]))
        return refuse(board, ERR_SYNTAX);
    enum err err = table_at(&board->edges, row[HUB_ROAD_STATE_EDGE].s, &item, &name, &is_new);
    if (err != ERR_OK)
        return refuse(board, err);
    struct cockpit_edge *edge = item, now = {.edge = name, .time = {integer_of(row[HUB_ROAD_STATE_TIME])}};
    now.has_speed = value_to_real(row[HUB_ROAD_STATE_SPEED_MPS], &now.speed_mps);
    now.has_delay = value_to_real(row[HUB_ROAD_STATE_DELAY_INDEX], &now.delay_index);
    now.has_flow = value_to_real(row[HUB_ROAD_STATE_FLOW_VPH], &now.flow_vph);
    now.level = level_of(row[HUB_ROAD_STATE_LEVEL]);
    now.area = is_new ? -1 : edge->area;
    now.changed = !is_new && shows_the_same(edge, &now) ? edge->changed : board->number + 1;
    *edge = now;
    return ERR_OK;
}

enum err cockpit_board_edge_area(struct cockpit_board *board, struct str edge_name, struct str area)
{
    void *item;
    struct str name;
    bool is_new;
    enum err err = table_at(&board->edges, edge_name, &item, &name, &is_new);
    if (err != ERR_OK)
        return refuse(board, err);
    struct cockpit_edge *edge = item;
    int at = area_find(board->areas, area);
    if (edge->changed && edge->area != at)
        edge->changed = board->number + 1; /* nobody was told of it while it lay nowhere */
    edge->edge = name;
    edge->area = at;
    return ERR_OK;
}

enum err cockpit_board_road_index(struct cockpit_board *board, const struct value *row)
{
    void *item;
    struct str key;
    bool is_new;
    char text[512];
    if (!is_text(row[HUB_ROAD_INDEX_ROAD]) || !is_text(row[HUB_ROAD_INDEX_AREA]))
        return refuse(board, ERR_SYNTAX);
    struct str area = row[HUB_ROAD_INDEX_AREA].s, road = row[HUB_ROAD_INDEX_ROAD].s;
    int area_at = area_find(board->areas, area);
    if (area_at < 0)
        return refuse(board, ERR_NOT_FOUND);
    if (area.len + 1 + road.len > sizeof(text))
        return refuse(board, ERR_TOO_LARGE);
    memcpy(text, area.ptr, area.len);
    text[area.len] = '/';
    if (road.len > 0)
        memcpy(text + area.len + 1, road.ptr, road.len);
    enum err err = table_at(&board->roads, (struct str){text, area.len + 1 + road.len}, &item, &key, &is_new);
    if (err != ERR_OK)
        return refuse(board, err);
    struct cockpit_road *at = item;
    *at = (struct cockpit_road){.road = str_slice(key, area.len + 1, key.len),
        .area = area_at,
        .time = {integer_of(row[HUB_ROAD_INDEX_TIME])},
        .n = integer_of(row[HUB_ROAD_INDEX_N]),
        .level = level_of(row[HUB_ROAD_INDEX_LEVEL]),
        .n_levels = (int)integer_of(row[HUB_ROAD_INDEX_LEVELS]),
        .level_title = {word_of(board, row[HUB_ROAD_INDEX_LEVEL_ZH]), word_of(board, row[HUB_ROAD_INDEX_LEVEL_EN])},
        .made_by = word_of(board, row[HUB_ROAD_INDEX_MADE_BY]),
        .sources = word_of(board, row[HUB_ROAD_INDEX_SOURCES])};
    at->has_usual = value_to_real(row[HUB_ROAD_INDEX_USUAL], &at->usual);
    at->usual_state = word_of(board, row[HUB_ROAD_INDEX_USUAL_STATE]);
    at->usual_since_ms = integer_of(row[HUB_ROAD_INDEX_USUAL_SINCE]);
    at->usual_days = integer_of(row[HUB_ROAD_INDEX_USUAL_DAYS]);
    at->has_vehicles = value_to_real(row[HUB_ROAD_INDEX_VEHICLES], &at->vehicles) &&
                       value_to_real(row[HUB_ROAD_INDEX_VEHICLES_LOW], &at->vehicles_low) &&
                       value_to_real(row[HUB_ROAD_INDEX_VEHICLES_HIGH], &at->vehicles_high);
    at->has_vehicle_km = value_to_real(row[HUB_ROAD_INDEX_VEHICLE_KM_PH], &at->vehicle_km_ph);
    at->has_delay = value_to_real(row[HUB_ROAD_INDEX_DELAY_INDEX], &at->delay_index);
    if (!value_to_real(row[HUB_ROAD_INDEX_SPEED_MPS], &at->speed_mps) || !value_to_real(row[HUB_ROAD_INDEX_LENGTH_M], &at->length_m))
        at->has_delay = false; /* a road with half of its figures is not ranked */
    at->has_flow = value_to_real(row[HUB_ROAD_INDEX_FLOW_VPH], &at->flow_vph);
    return ERR_OK;
}

enum err cockpit_board_junction(struct cockpit_board *board, const struct value *row)
{
    void *item;
    struct str key;
    bool is_new;
    if (!is_text(row[HUB_JUNCTION_INDEX_JUNCTION]) || !is_text(row[HUB_JUNCTION_INDEX_TITLE]) || !is_text(row[HUB_JUNCTION_INDEX_AREA]))
        return refuse(board, ERR_SYNTAX);
    int area = area_find(board->areas, row[HUB_JUNCTION_INDEX_AREA].s);
    if (area < 0)
        return refuse(board, ERR_NOT_FOUND);
    enum err err = table_at(&board->junctions, row[HUB_JUNCTION_INDEX_JUNCTION].s, &item, &key, &is_new);
    if (err != ERR_OK)
        return refuse(board, err);
    struct cockpit_junction *at = item;
    struct str title = at->title; /* as first told, so that the arena stays bounded */
    if (is_new && arena_copy_str(&board->titles, row[HUB_JUNCTION_INDEX_TITLE].s, &title) != ERR_OK)
        title = key;
    *at = (struct cockpit_junction){.junction = key,
        .title = title,
        .area = area,
        .time = {integer_of(row[HUB_JUNCTION_INDEX_TIME])},
        .n = integer_of(row[HUB_JUNCTION_INDEX_N]),
        .made_by = word_of(board, row[HUB_JUNCTION_INDEX_MADE_BY])};
    at->is_there = value_to_real(row[HUB_JUNCTION_INDEX_DELAY_S], &at->delay_s) &&
                   value_to_real(row[HUB_JUNCTION_INDEX_DELAY_INDEX], &at->delay_index) &&
                   value_to_real(row[HUB_JUNCTION_INDEX_LON], &at->place.lon) && value_to_real(row[HUB_JUNCTION_INDEX_LAT], &at->place.lat);
    return ERR_OK;
}

static void read_estimate(const struct value *value, struct cockpit_estimate *ret)
{
    struct cockpit_estimate now = {.is_there = value_to_real(value[0], &now.value)};
    now.has_interval = value_to_real(value[1], &now.low) && value_to_real(value[2], &now.high);
    if (now.is_there)
        *ret = now;
}

/* Which of the zone's classes a row tells of; one more when it is new. ERR_FULL. */
static enum err class_at(struct cockpit_board *board, struct cockpit_zone *zone, struct value name, size_t *ret_at)
{
    size_t at = 0;
    while (at < zone->n_classes && !str_equal(zone->classes[at].name, name.s))
        at++;
    if (at == zone->n_classes) {
        struct str word = word_of(board, name);
        if (at == COCKPIT_ZONE_CLASSES_MAX || str_is_empty(word))
            return ERR_FULL;
        zone->classes[at].name = word;
        zone->n_classes++;
    }
    *ret_at = at;
    return ERR_OK;
}

enum err cockpit_board_zone_state(struct cockpit_board *board, const struct value *row, const struct hub_window *window)
{
    void *item;
    struct str key;
    bool is_new;
    size_t at;
    if (!is_text(row[HUB_ZONE_STATE_ZONE]) || !is_text(row[HUB_ZONE_STATE_AREA]) || !is_text(row[HUB_ZONE_STATE_CLASS]))
        return refuse(board, ERR_SYNTAX);
    int area = area_find(board->areas, row[HUB_ZONE_STATE_AREA].s);
    if (area < 0)
        return refuse(board, ERR_NOT_FOUND);
    enum err err = table_at(&board->zones, row[HUB_ZONE_STATE_ZONE].s, &item, &key, &is_new);
    if (err != ERR_OK)
        return refuse(board, err);
    struct cockpit_zone *zone = item;
    zone->zone = key;
    zone->area = area;
    err = class_at(board, zone, row[HUB_ZONE_STATE_CLASS], &at);
    if (err != ERR_OK)
        return refuse(board, err);
    zone->time.ms = integer_of(row[HUB_ZONE_STATE_TIME]);
    zone->stale_since_ms = integer_of(row[HUB_ZONE_STATE_STALE_SINCE]);
    zone->missing_since_ms = integer_of(row[HUB_ZONE_STATE_MISSING_SINCE]);
    copy_text(zone->receipt, sizeof(zone->receipt), window->receipt);
    read_estimate(&row[HUB_ZONE_STATE_NOW], &zone->classes[at].now);
    read_estimate(&row[HUB_ZONE_STATE_TODAY], &zone->classes[at].today);
    if (row[HUB_ZONE_STATE_BREACHES].type == VALUE_INTEGER) {
        zone->has_breaches = true;
        zone->breaches = row[HUB_ZONE_STATE_BREACHES].i;
    }
    return ERR_OK;
}

static enum hub_health health_of(struct value value)
{
    if (is_text(value) && str_equal_c(value.s, "fresh"))
        return HUB_FRESH;
    return is_text(value) && str_equal_c(value.s, "stale") ? HUB_STALE : HUB_DOWN;
}

enum err cockpit_board_source(struct cockpit_board *board, const struct value *row)
{
    void *item;
    struct str key;
    bool is_new;
    char text[512];
    if (!is_text(row[SOURCE_PARTY]) || !is_text(row[SOURCE_SOURCE]) || !is_text(row[SOURCE_AREA]))
        return refuse(board, ERR_SYNTAX);
    struct str party = row[SOURCE_PARTY].s, source = row[SOURCE_SOURCE].s;
    int area = area_find(board->areas, row[SOURCE_AREA].s);
    if (area < 0 || party.len + 1 + source.len > sizeof(text))
        return refuse(board, area < 0 ? ERR_NOT_FOUND : ERR_TOO_LARGE);
    memcpy(text, party.ptr, party.len);
    text[party.len] = ' ';
    memcpy(text + party.len + 1, source.ptr, source.len);
    enum err err = table_at(&board->sources, (struct str){text, party.len + 1 + source.len}, &item, &key, &is_new);
    if (err != ERR_OK)
        return refuse(board, err);
    struct cockpit_source *at = item;
    if (is_new) { /* titles stay as first told, so that the arena stays bounded */
        if (is_text(row[SOURCE_ZH]) && arena_copy_str(&board->text, row[SOURCE_ZH].s, &at->title_zh) != ERR_OK)
            at->title_zh = STR_NONE;
        if (is_text(row[SOURCE_EN]) && arena_copy_str(&board->text, row[SOURCE_EN].s, &at->title_en) != ERR_OK)
            at->title_en = STR_NONE;
    }
    at->party = str_slice(key, 0, party.len);
    at->source = str_slice(key, party.len + 1, key.len);
    at->area = area;
    at->health = health_of(row[SOURCE_HEALTH]);
    at->last_heard_ms = integer_of(row[SOURCE_HEARD]);
    at->since_ms = integer_of(row[SOURCE_SINCE]);
    if (!value_to_real(row[SOURCE_LON], &at->place.lon) || !value_to_real(row[SOURCE_LAT], &at->place.lat))
        at->place = (struct point){0, 0};
    copy_text(at->detail, sizeof(at->detail), is_text(row[SOURCE_DETAIL]) ? row[SOURCE_DETAIL].s : STR_NONE);
    board->sources_changed = true;
    return ERR_OK;
}

void cockpit_board_recorded(struct cockpit_board *board, int indicator, int area, const struct cockpit_value *value)
{
    struct cockpit_value *slot = value_slot(board, indicator, area);
    slot->usual = value->usual;
    slot->has_usual = value->has_usual;
    if (board->n_recorded == COCKPIT_RECORDED_MAX)
        return;
    struct cockpit_recorded *recorded = &board->recorded[board->n_recorded++];
    *recorded = (struct cockpit_recorded){
        .indicator = indicator, .area = area, .time = value->time, .has_number = value->has_number, .number = value->number};
    memcpy(recorded->receipt, value->receipt, sizeof(recorded->receipt));
}

/* ---- what comes out ---- */

static void roll_up_all(struct cockpit_board *board)
{
    for (size_t i = 0; i < cockpit_config_n(board->config); i++)
        cockpit_roll_up(cockpit_config_at(board->config, i), board->areas, value_slot(board, (int)i, 0));
}

void cockpit_board_sample(struct cockpit_board *board, struct wall_time now,
    void (*put)(void *context, int indicator, int area, const struct cockpit_value *value), void *context)
{
    roll_up_all(board);
    for (size_t i = 0; i < cockpit_config_n(board->config); i++) {
        const struct cockpit_indicator *indicator = cockpit_config_at(board->config, i);
        if (!indicator->is_sampled || indicator->period_ms <= 0)
            continue;
        int64_t due_ms = now.ms / indicator->period_ms * indicator->period_ms;
        bool is_first = board->last_sample_ms[i] == 0;
        if (due_ms <= board->last_sample_ms[i])
            continue;
        board->last_sample_ms[i] = due_ms;
        for (size_t area = 0; !is_first && area < area_n(board->areas); area++) {
            struct cockpit_value value = *value_slot(board, (int)i, (int)area);
            if (!value.is_there)
                continue;
            value.has_number = value.has_number && cockpit_stale_since(indicator, &value, now) == 0;
            value.time.ms = due_ms;
            value.period_ms = indicator->period_ms;
            put(context, (int)i, (int)area, &value);
        }
    }
}

static void forget_old(struct cockpit_board *board, struct wall_time now)
{
    struct cockpit_edge *edges = board->edges.items;
    for (uint32_t i = 0; i < board->edges.map.n; i++)
        if ((edges[i].has_speed || edges[i].has_delay || edges[i].has_flow) && now.ms - edges[i].time.ms > COCKPIT_KEEP_MS) {
            edges[i].has_delay = edges[i].has_speed = edges[i].has_flow = false;
            edges[i].flow_vph = 0;
            edges[i].level = -1;
            edges[i].changed = board->number + 1;
        }
    struct cockpit_road *roads = board->roads.items;
    for (uint32_t i = 0; i < board->roads.map.n; i++)
        if (now.ms - roads[i].time.ms > COCKPIT_KEEP_MS)
            roads[i].has_delay = false;
    struct cockpit_junction *junctions = board->junctions.items;
    for (uint32_t i = 0; i < board->junctions.map.n; i++)
        if (now.ms - junctions[i].time.ms > COCKPIT_JUNCTION_KEEP_MS)
            junctions[i].is_there = false;
}

static enum err copy_array(const void *items, size_t n, size_t size, void *ret_copy)
{
    void *copy = mem_alloc(n * size + 1);
    if (!copy)
        return ERR_NO_MEMORY;
    if (n > 0)
        memcpy(copy, items, n * size);
    memcpy(ret_copy, &copy, sizeof(copy));
    return ERR_OK;
}

enum err cockpit_board_snapshot(struct cockpit_board *board, struct wall_time now, struct cockpit_snapshot **ret_snapshot)
{
    roll_up_all(board);
    forget_old(board, now);
    struct cockpit_snapshot *s = mem_alloc_zero(1, sizeof(*s));
    if (!s)
        return ERR_NO_MEMORY;
    atomic_init(&s->n_refs, 1);
    s->number = board->number + 1;
    s->time = now;
    s->config = board->config;
    s->areas = board->areas;
    s->n_edges = board->edges.map.n;
    s->n_roads = board->roads.map.n;
    s->n_junctions = board->junctions.map.n;
    s->n_zones = board->zones.map.n;
    s->n_sources = board->sources.map.n;
    s->n_recorded = board->n_recorded;
    s->sources_changed = board->sources_changed;
    enum err err = copy_array(board->values, cockpit_config_n(board->config) * area_n(board->areas), sizeof(*s->values), &s->values);
    if (err == ERR_OK)
        err = copy_array(board->edges.items, s->n_edges, sizeof(*s->edges), &s->edges);
    if (err == ERR_OK)
        err = copy_array(board->roads.items, s->n_roads, sizeof(*s->roads), &s->roads);
    if (err == ERR_OK)
        err = copy_array(board->junctions.items, s->n_junctions, sizeof(*s->junctions), &s->junctions);
    if (err == ERR_OK)
        err = copy_array(board->zones.items, s->n_zones, sizeof(*s->zones), &s->zones);
    if (err == ERR_OK)
        err = copy_array(board->sources.items, s->n_sources, sizeof(*s->sources), &s->sources);
    if (err == ERR_OK)
        err = copy_array(board->recorded, s->n_recorded, sizeof(*s->recorded), &s->recorded);
    if (err != ERR_OK) {
        cockpit_snapshot_release(s);
        return err;
    }
    board->number++;
    board->n_recorded = 0;
    board->sources_changed = false;
    *ret_snapshot = s;
    return ERR_OK;
}
