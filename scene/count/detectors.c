/* Rows of induction loops; see detectors.h. */
#include "scene/count/detectors.h"

#include "base/log.h"
#include "base/mem.h"

#define DISTANCE_M 40.0  /* from a detector to its road, as of a camera: a wide one */
#define HEADING_DEG 45.0 /* between the traffic that it counts and its road */
#define SEED 0x6c6f6f70u

enum { LOOP, FROM, TO, LANE, VEHICLES, LON, LAT, HEADING };

const char *const count_loop_fields[] = {"loop", "from", "to", "lane", "vehicles", "lon", "lat", "heading", NULL};

void count_detectors_init(struct count_detectors *detectors, const struct road_nearest *nearest)
{
    *detectors = (struct count_detectors){.nearest = nearest};
    str_map_init(&detectors->names, COUNT_DETECTORS_MAX, SEED);
}

void count_detectors_finish(struct count_detectors *detectors)
{
    str_map_finish(&detectors->names);
    mem_free(detectors->edges);
    detectors->edges = NULL;
    detectors->cap = 0;
}

static bool has_room(struct count_detectors *detectors)
{
    if (detectors->names.n < detectors->cap)
        return true;
    uint32_t cap = detectors->cap == 0 ? 64 : detectors->cap * 2;
    uint32_t *grown = mem_resize(detectors->edges, cap * sizeof(*grown));
    if (grown == NULL)
        return false;
    detectors->edges = grown;
    detectors->cap = cap;
    return true;
}

/* Without a place it lies nowhere: said of the row, and not kept of the detector. */
static bool find_edge(const struct count_detectors *detectors, const struct value *row, uint32_t *ret_edge)
{
    struct road_nearest_query query = {.heading_tolerance = HEADING_DEG, .max_distance_m = DISTANCE_M, .cars_only = true};
    struct road_match match;
    if (!value_to_real(row[LON], &query.point.lon) || !value_to_real(row[LAT], &query.point.lat))
        return false;
    query.has_heading = value_to_real(row[HEADING], &query.heading);
    *ret_edge = road_nearest_find(detectors->nearest, &query, &match) ? match.edge : ROAD_NONE;
    return true;
}

static uint32_t edge_of(struct count_detectors *detectors, const struct value *row)
{
    uint32_t edge, number;
    int64_t known = str_map_find(&detectors->names, row[LOOP].s);
    if (known >= 0)
        return detectors->edges[known];
    if (!has_room(detectors) || !find_edge(detectors, row, &edge) || str_map_add(&detectors->names, row[LOOP].s, &number) != ERR_OK)
        return ROAD_NONE;
    detectors->edges[number] = edge;
    if (edge == ROAD_NONE)
        log_write(LOG_WARNING, "scene/count", "an induction loop lies in no road of the network; mend its place and heading",
            LOG_STR("loop", row[LOOP].s), LOG_END);
    return edge;
}

static bool read_row(const struct value *row, int64_t now_ms, struct count_loop_row *ret_row)
{
    bool has_lane = row[LANE].type == VALUE_INTEGER;
    if (row[LOOP].type != VALUE_TEXT || str_is_empty(row[LOOP].s) || row[FROM].type != VALUE_TIME || row[TO].type != VALUE_TIME ||
        row[VEHICLES].type != VALUE_INTEGER || (!has_lane && row[LANE].type != VALUE_NULL) || (has_lane && row[LANE].i < 1))
        return false;
    return count_loop_row_make(row[FROM].i, row[TO].i, has_lane ? row[LANE].i : 0, row[VEHICLES].i, now_ms, ret_row) == COUNT_LOOP_TAKEN;
}

void count_detectors_take(struct count_detectors *detectors, const struct rows *rows, int64_t now_ms, struct count_live *live)
{
    for (size_t i = 0; i < rows_n(rows); i++) {
        struct count_event event = {.type = COUNT_LOOP};
        if (!read_row(rows_at(rows, i), now_ms, &event.loop)) {
            detectors->n_broken++;
            continue;
        }
        event.loop.edge = edge_of(detectors, rows_at(rows, i));
        if (event.loop.edge == ROAD_NONE)
            detectors->n_beside++;
        else
            count_live_passage(live, &event);
    }
}
