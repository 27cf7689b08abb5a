/*
 * The declared fields of the streams of indicators and of the road's state, by name, in their order.
 */
#include "hub/indicator.h"

const char *const hub_indicator_field_names[HUB_INDICATOR_N_FIELDS_MAX] = {
    "name", "area", "time", "period_ms", "value", "n", "stale_since", "basis", "made_by", "usual"};

const char *const hub_road_state_field_names[HUB_ROAD_STATE_N_FIELDS] = {
    "edge", "time", "speed_mps", "delay_index", "flow_vph", "n", "sources", "level", "made_by"};

const char *const hub_road_index_field_names[HUB_ROAD_INDEX_N_FIELDS] = {"road", "area", "time", "speed_mps", "delay_index", "flow_vph",
    "length_m", "n", "sources", "vehicle_km_ph", "level", "levels", "level_zh", "level_en", "made_by", "usual", "usual_state",
    "usual_since", "usual_days", "vehicles", "vehicles_low", "vehicles_high"};

const char *const hub_junction_index_field_names[HUB_JUNCTION_INDEX_N_FIELDS] = {
    "junction", "title", "area", "time", "lon", "lat", "delay_s", "delay_index", "n", "made_by"};

const char *const hub_zone_state_field_names[HUB_ZONE_STATE_N_FIELDS] = {"zone", "area", "class", "time", "now", "now_low", "now_high",
    "today", "today_low", "today_high", "breaches", "stale_since", "missing_since"};
