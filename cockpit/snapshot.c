/* Snapshots and their views. */
#include "cockpit/snapshot.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

struct cockpit_snapshot *cockpit_snapshot_hold(struct cockpit_snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->n_refs, 1, memory_order_relaxed);
    return snapshot;
}

void cockpit_snapshot_release(struct cockpit_snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->n_refs, 1, memory_order_acq_rel) != 1)
        return;
    mem_free(snapshot->values);
    mem_free(snapshot->edges);
    mem_free(snapshot->roads);
    mem_free(snapshot->junctions);
    mem_free(snapshot->zones);
    mem_free(snapshot->sources);
    mem_free(snapshot->recorded);
    mem_free(snapshot);
}

const struct cockpit_value *cockpit_snapshot_value(const struct cockpit_snapshot *snapshot, int indicator, int area)
{
    return &snapshot->values[(size_t)indicator * area_n(snapshot->areas) + (size_t)area];
}

void cockpit_put_number(struct json_writer *w, const struct cockpit_indicator *indicator, bool has_number, double number)
{
    if (has_number)
        json_put_fixed(w, number * indicator->scale, indicator->decimals);
    else
        json_put_null(w);
}

void cockpit_put_text(struct json_writer *w, const char *key, const struct cockpit_text *text)
{
    json_key(w, key);
    json_begin_object(w);
    json_field_str(w, "zh", text->zh);
    json_field_str(w, "en", text->en);
    json_end_object(w);
}

static struct str area_name(const struct cockpit_snapshot *s, int area)
{
    return area_at(s->areas, (size_t)area)->name;
}

static bool is_in(const struct cockpit_snapshot *s, int area, int within)
{
    return area >= 0 && area_is_within(area_name(s, area), area_name(s, within));
}

/* What both the list and the live event say of a value. */
static void put_value(
    const struct cockpit_snapshot *s, const struct cockpit_indicator *indicator, const struct cockpit_value *value, struct json_writer *w)
{
    int64_t stale_since = cockpit_stale_since(indicator, value, s->time);
    json_key(w, "value");
    cockpit_put_number(w, indicator, value->has_number, value->number);
    json_field_i64(w, "time", value->time.ms);
    json_field_i64(w, "period_ms", value->period_ms);
    json_field_i64(w, "n", value->n);
    json_field_bool(w, "stale", stale_since > 0);
    json_key(w, "stale_since");
    if (stale_since > 0)
        json_put_i64(w, stale_since);
    else
        json_put_null(w);
    json_key(w, "usual");
    cockpit_put_number(
        w, indicator, value->has_source_usual || value->has_usual, value->has_source_usual ? value->source_usual : value->usual);
    json_field_c(w, "receipt", value->receipt);
    json_field_c(w, "state", cockpit_state_name(cockpit_value_state(indicator, value, s->time)));
}

static void put_thresholds(const struct cockpit_indicator *indicator, struct json_writer *w)
{
    json_key(w, "thresholds");
    if (!indicator->has_amber && !indicator->has_red) {
        json_put_null(w);
        return;
    }
    json_begin_object(w);
    json_key(w, "amber");
    cockpit_put_number(w, indicator, indicator->has_amber, indicator->amber);
    json_key(w, "red");
    cockpit_put_number(w, indicator, indicator->has_red, indicator->red);
    json_field_c(w, "direction", indicator->is_above ? "above" : "below");
    json_end_object(w);
}

void cockpit_view_indicators(const struct cockpit_snapshot *s, int area, struct json_writer *w)
{
    json_begin_object(w);
    json_field_str(w, "area", area_name(s, area));
    json_field_i64(w, "time", s->time.ms);
    json_key(w, "indicators");
    json_begin_array(w);
    for (size_t i = 0; i < cockpit_config_n(s->config); i++) {
        const struct cockpit_indicator *indicator = cockpit_config_at(s->config, i);
        json_begin_object(w);
        json_field_str(w, "name", indicator->name);
        cockpit_put_text(w, "title", &indicator->title);
        cockpit_put_text(w, "unit", &indicator->unit);
        json_field_i64(w, "decimals", indicator->decimals);
        json_field_i64(w, "record_ms", indicator->period_ms);
        json_field_i64(w, "stale_after_ms", indicator->stale_after_ms);
        put_thresholds(indicator, w);
        put_value(s, indicator, cockpit_snapshot_value(s, (int)i, area), w);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

void cockpit_view_live(const struct cockpit_snapshot *s, int area, struct json_writer *w)
{
    json_begin_object(w);
    json_field_i64(w, "time", s->time.ms);
    json_key(w, "indicators");
    json_begin_array(w);
    for (int a = area; a < (int)area_n(s->areas); a++) {
        if (a != area && area_at(s->areas, (size_t)a)->parent != area)
            continue;
        for (size_t i = 0; i < cockpit_config_n(s->config); i++) {
            const struct cockpit_value *value = cockpit_snapshot_value(s, (int)i, a);
            if (!value->is_there)
                continue;
            json_begin_object(w);
            json_field_str(w, "name", cockpit_config_at(s->config, i)->name);
            json_field_str(w, "area", area_name(s, a));
            put_value(s, cockpit_config_at(s->config, i), value, w);
            json_end_object(w);
        }
    }
    json_end_array(w);
    json_end_object(w);
}

static void put_level(int level, struct json_writer *w)
{
    if (level >= 0)
        json_put_i64(w, level);
    else
        json_put_null(w);
}

void cockpit_view_edges(const struct cockpit_snapshot *s, int area, uint64_t after, struct cockpit_part *part, struct json_writer *w)
{
    part->n = 0;
    json_begin_object(w);
    json_field_i64(w, "time", s->time.ms);
    json_key(w, "edges");
    json_begin_array(w);
    for (; part->at < part->end && part->n < part->limit; part->at++) {
        const struct cockpit_edge *edge = &s->edges[part->at];
        if (edge->changed <= after || !is_in(s, edge->area, area))
            continue;
        part->n++;
        json_begin_array(w);
        json_put_str(w, edge->edge);
        if (edge->has_speed)
            json_put_fixed(w, edge->speed_mps, 2);
        else
            json_put_null(w);
        if (edge->has_delay)
            json_put_fixed(w, edge->delay_index, 2);
        else
            json_put_null(w);
        if (edge->has_flow)
            json_put_fixed(w, edge->flow_vph, 0);
        else
            json_put_null(w);
        put_level(edge->level, w);
        json_end_array(w);
    }
    json_end_array(w);
    json_end_object(w);
}

static int worst_first(const void *a, const void *b)
{
    const struct cockpit_road *left = *(const struct cockpit_road *const *)a, *right = *(const struct cockpit_road *const *)b;
    if (left->delay_index != right->delay_index)
        return left->delay_index > right->delay_index ? -1 : 1;
    return str_compare(left->road, right->road);
}

/* Null when the city learns no usual day. */
static void put_usual(const struct cockpit_road *road, struct json_writer *w)
{
    json_key(w, "usual");
    if (str_is_empty(road->usual_state)) {
        json_put_null(w);
        return;
    }
    json_begin_object(w);
    json_key(w, "delay_index");
    if (road->has_usual)
        json_put_fixed(w, road->usual, 2);
    else
        json_put_null(w);
    json_field_str(w, "state", road->usual_state);
    json_key(w, "since");
    if (road->usual_since_ms > 0)
        json_put_i64(w, road->usual_since_ms);
    else
        json_put_null(w);
    json_field_i64(w, "days", road->usual_days);
    json_end_object(w);
}

static void put_sources(struct str sources, struct json_writer *w)
{
    struct str one, rest;
    json_key(w, "sources");
    json_begin_array(w);
    for (; !str_is_empty(sources); sources = rest) {
        if (!str_cut(sources, ' ', &one, &rest)) {
            one = sources;
            rest = STR_NONE;
        }
        json_put_str(w, one);
    }
    json_end_array(w);
}

/* {"value", "low", "high"}; null when not known. */
static void put_vehicles(const struct cockpit_road *road, struct json_writer *w)
{
    json_key(w, "vehicles");
    if (!road->has_vehicles) {
        json_put_null(w);
        return;
    }
    json_begin_object(w);
    json_key(w, "value");
    json_put_fixed(w, road->vehicles, 0);
    json_key(w, "low");
    json_put_fixed(w, road->vehicles_low, 0);
    json_key(w, "high");
    json_put_fixed(w, road->vehicles_high, 0);
    json_end_object(w);
}

static void put_road(const struct cockpit_road *road, struct json_writer *w)
{
    json_begin_object(w);
    json_field_str(w, "road", road->road);
    json_key(w, "speed_mps");
    json_put_fixed(w, road->speed_mps, 2);
    json_key(w, "delay_index");
    json_put_fixed(w, road->delay_index, 2);
    json_key(w, "flow_vph");
    if (road->has_flow)
        json_put_fixed(w, road->flow_vph, 0);
    else
        json_put_null(w); /* floating cars alone: their speed is known, not of how many they are */
    json_key(w, "length_m");
    json_put_fixed(w, road->length_m, 0);
    json_key(w, "vehicle_km_ph");
    if (road->has_vehicle_km)
        json_put_fixed(w, road->vehicle_km_ph, 0);
    else
        json_put_null(w);
    put_vehicles(road, w);
    json_field_i64(w, "n", road->n);
    put_sources(road->sources, w);
    json_key(w, "level");
    put_level(road->level, w);
    json_field_i64(w, "levels", road->n_levels);
    cockpit_put_text(w, "level_title", &road->level_title);
    json_field_str(w, "made_by", road->made_by);
    put_usual(road, w);
    json_end_object(w);
}

void cockpit_view_ranking(const struct cockpit_snapshot *s, int area, size_t limit, struct json_writer *w, struct arena *arena)
{
    size_t n = 0;
    const struct cockpit_road **roads = arena_alloc_zero(arena, s->n_roads + 1, sizeof(const struct cockpit_road *));
    for (size_t i = 0; roads && i < s->n_roads; i++)
        if (s->roads[i].area == area && s->roads[i].has_delay)
            roads[n++] = &s->roads[i];
    if (n > 0)
        qsort(roads, n, sizeof(const struct cockpit_road *), worst_first);
    json_begin_object(w);
    json_field_str(w, "area", area_name(s, area));
    json_field_i64(w, "time", s->time.ms);
    json_key(w, "roads");
    json_begin_array(w);
    for (size_t i = 0; i < n && i < limit; i++)
        put_road(roads[i], w);
    json_end_array(w);
    json_end_object(w);
}

static int longest_first(const void *a, const void *b)
{
    const struct cockpit_junction *left = *(const struct cockpit_junction *const *)a, *right = *(const struct cockpit_junction *const *)b;
    if (left->delay_s != right->delay_s)
        return left->delay_s > right->delay_s ? -1 : 1;
    return str_compare(left->junction, right->junction);
}

static void put_junction(const struct cockpit_snapshot *s, const struct cockpit_junction *junction, struct json_writer *w)
{
    json_begin_object(w);
    json_field_str(w, "junction", junction->junction);
    json_field_str(w, "title", junction->title);
    json_field_str(w, "area", area_name(s, junction->area));
    json_field_real(w, "lon", junction->place.lon);
    json_field_real(w, "lat", junction->place.lat);
    json_key(w, "delay_s");
    json_put_fixed(w, junction->delay_s, 1);
    json_key(w, "delay_index");
    json_put_fixed(w, junction->delay_index, 2);
    json_field_i64(w, "n", junction->n);
    json_field_str(w, "made_by", junction->made_by);
    json_end_object(w);
}

void cockpit_view_junctions(const struct cockpit_snapshot *s, int area, size_t limit, struct json_writer *w, struct arena *arena)
{
    size_t n = 0;
    const struct cockpit_junction **junctions = arena_alloc_zero(arena, s->n_junctions + 1, sizeof(const struct cockpit_junction *));
    for (size_t i = 0; junctions && i < s->n_junctions; i++)
        if (s->junctions[i].is_there && is_in(s, s->junctions[i].area, area))
            junctions[n++] = &s->junctions[i];
    if (n > 0)
        qsort(junctions, n, sizeof(const struct cockpit_junction *), longest_first);
    json_begin_object(w);
    json_field_str(w, "area", area_name(s, area));
    json_field_i64(w, "time", s->time.ms);
    json_key(w, "junctions");
    json_begin_array(w);
    for (size_t i = 0; i < n && i < limit; i++)
        put_junction(s, junctions[i], w);
    json_end_array(w);
    json_end_object(w);
}

/* A code and its parameters (hub/detail.h), which the screens say in their language; null when there is nothing to say. */
static void put_detail(const char *text, struct json_writer *w)
{
    struct str code, parameters[HUB_DETAIL_PARAMETERS_MAX];
    json_key(w, "detail");
    if (!text[0]) {
        json_put_null(w);
        return;
    }
    size_t n = hub_detail_split(str_from_c(text), &code, parameters);
    json_begin_object(w);
    json_field_str(w, "code", code);
    json_key(w, "parameters");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++)
        json_put_str(w, parameters[i]);
    json_end_array(w);
    json_end_object(w);
}

static void put_source(const struct cockpit_snapshot *s, const struct cockpit_source *source, struct json_writer *w)
{
    static const char *const health[] = {"fresh", "stale", "down"};
    struct cockpit_text title = {source->title_zh, source->title_en};
    json_begin_object(w);
    json_field_str(w, "party", source->party);
    json_field_str(w, "source", source->source);
    json_field_str(w, "area", area_name(s, source->area));
    cockpit_put_text(w, "title", &title);
    if (source->place.lon != 0 || source->place.lat != 0) {
        json_field_real(w, "lon", source->place.lon);
        json_field_real(w, "lat", source->place.lat);
    }
    json_field_c(w, "health", health[source->health]);
    json_field_i64(w, "last_heard", source->last_heard_ms);
    json_field_i64(w, "since", source->since_ms);
    put_detail(source->detail, w);
    json_end_object(w);
}

void cockpit_view_sources(const struct cockpit_snapshot *s, int area, struct cockpit_part *part, struct json_writer *w)
{
    part->n = 0;
    json_begin_object(w);
    json_field_i64(w, "time", s->time.ms);
    json_key(w, "sources");
    json_begin_array(w);
    for (; part->at < part->end && part->n < part->limit; part->at++)
        if (is_in(s, s->sources[part->at].area, area)) {
            part->n++;
            put_source(s, &s->sources[part->at], w);
        }
    json_end_array(w);
    json_end_object(w);
}

void cockpit_view_recorded(const struct cockpit_snapshot *s, const struct cockpit_recorded *recorded, struct json_writer *w)
{
    const struct cockpit_indicator *indicator = cockpit_config_at(s->config, (size_t)recorded->indicator);
    json_begin_object(w);
    json_field_str(w, "indicator", indicator->name);
    json_field_str(w, "area", area_name(s, recorded->area));
    json_field_i64(w, "time", recorded->time.ms);
    json_key(w, "value");
    cockpit_put_number(w, indicator, recorded->has_number, recorded->number);
    json_field_c(w, "receipt", recorded->receipt);
    json_end_object(w);
}

/* ---- zones ---- */

static void put_since(struct json_writer *w, const char *key, int64_t since_ms)
{
    json_key(w, key);
    if (since_ms > 0)
        json_put_i64(w, since_ms);
    else
        json_put_null(w);
}

/* {"value", "low", "high"}, the last two null where there is no interval; null when not known. */
static void put_estimate(struct json_writer *w, const char *key, const struct cockpit_estimate *estimate)
{
    json_key(w, key);
    if (!estimate->is_there) {
        json_put_null(w);
        return;
    }
    const struct {
        const char *key;
        double number;
        bool is_there;
    } parts[] = {
        {"value", estimate->value, true}, {"low", estimate->low, estimate->has_interval}, {"high", estimate->high, estimate->has_interval}};
    json_begin_object(w);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        json_key(w, parts[i].key);
        if (parts[i].is_there)
            json_put_fixed(w, parts[i].number, 0);
        else
            json_put_null(w);
    }
    json_end_object(w);
}

static void put_zone(const struct cockpit_snapshot *s, const struct cockpit_zone *zone, struct json_writer *w)
{
    bool is_silent = s->time.ms - zone->time.ms > COCKPIT_ZONE_STALE_MS; /* who told of it tells no more */
    json_begin_object(w);
    json_field_str(w, "zone", zone->zone);
    json_field_str(w, "area", area_name(s, zone->area));
    json_field_i64(w, "time", zone->time.ms);
    put_since(w, "stale_since", zone->stale_since_ms > 0 || !is_silent ? zone->stale_since_ms : zone->time.ms);
    put_since(w, "missing_since", zone->missing_since_ms);
    json_key(w, "breaches");
    if (zone->has_breaches)
        json_put_i64(w, zone->breaches);
    else
        json_put_null(w);
    json_field_c(w, "receipt", zone->receipt);
    json_key(w, "classes");
    json_begin_array(w);
    for (size_t i = 0; i < zone->n_classes; i++) {
        json_begin_object(w);
        json_field_str(w, "class", zone->classes[i].name);
        put_estimate(w, "now", &zone->classes[i].now);
        put_estimate(w, "today", &zone->classes[i].today);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

void cockpit_view_zones(const struct cockpit_snapshot *s, int area, struct json_writer *w)
{
    json_begin_object(w);
    json_field_str(w, "area", area_name(s, area));
    json_field_i64(w, "time", s->time.ms);
    json_key(w, "zones");
    json_begin_array(w);
    for (size_t i = 0; i < s->n_zones; i++)
        if (is_in(s, s->zones[i].area, area))
            put_zone(s, &s->zones[i], w);
    json_end_array(w);
    json_end_object(w);
}
