/* Reading zones: one function a key, so that every mistake of a zone is told at once. */
#include "scene/zone/file.h"

#include <string.h>

#define MINUTES_OF_DAY 1440

static const char *const keys[] = {
    "name", "title", "area", "polygon", "restricted", "times", "free_days", "work_days", "from", "until", NULL};
static const char *const time_keys[] = {"days", "from", "until", NULL};
static const char *const title_keys[] = {"zh", "en", NULL};
static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static enum err first_of(enum err err, enum err one)
{
    return err != ERR_OK ? err : one;
}

static enum err read_text(struct yaml_node map, const char *key, struct diag_list *diags, char *out, size_t size)
{
    struct str text;
    enum err err = yaml_get_str(map, key, true, diags, &text);
    if (err == ERR_OK && str_to_c(text, out, size) != ERR_OK)
        return yaml_error(yaml_get(map, key), diags, ERR_TOO_LARGE, "\"%s\" has more than %zu bytes; shorten it", key, size - 1);
    return err;
}

static enum err read_names(struct yaml_node node, const struct zones *zones, struct diag_list *diags, struct zone *zone)
{
    enum err err = read_text(node, "name", diags, zone->name, sizeof(zone->name));
    if (err == ERR_OK && !str_is_name(str_from_c(zone->name)))
        err = yaml_error(yaml_get(node, "name"), diags, ERR_SYNTAX, "\"%s\" is no name; use small letters, digits, _ . and -", zone->name);
    for (size_t i = 0; i < zones->n && err == ERR_OK; i++)
        if (strcmp(zones->zones[i].name, zone->name) == 0)
            err = yaml_error(yaml_get(node, "name"), diags, ERR_EXISTS, "zone \"%s\" is there twice; give one another name", zone->name);
    struct yaml_node title = yaml_get(node, "title");
    if (yaml_is_none(title) || yaml_kind(title) != YAML_MAP)
        return first_of(err, yaml_error(node, diags, ERR_NOT_FOUND, "the zone has no title; write title: {zh: …, en: …}"));
    err = first_of(err, yaml_check_keys(title, title_keys, diags));
    err = first_of(err, read_text(title, "zh", diags, zone->title_zh, sizeof(zone->title_zh)));
    return first_of(err, read_text(title, "en", diags, zone->title_en, sizeof(zone->title_en)));
}

/* ---- the polygon ---- */

static enum err read_point(struct yaml_node pair, struct diag_list *diags, struct zone_point *ret_point)
{
    struct zone_point point;
    if (yaml_kind(pair) != YAML_LIST || yaml_n_items(pair) != 2 || str_to_double(yaml_text(yaml_item(pair, 0)), &point.lon) != ERR_OK ||
        str_to_double(yaml_text(yaml_item(pair, 1)), &point.lat) != ERR_OK)
        return yaml_error(pair, diags, ERR_SYNTAX, "a point is [longitude, latitude], as in [120.15, 30.27]");
    if (point.lon < -180 || point.lon > 180 || point.lat < -85 || point.lat > 85)
        return yaml_error(pair, diags, ERR_RANGE, "a point is [longitude, latitude] in degrees (WGS 84): -180 to 180, -85 to 85");
    *ret_point = point;
    return ERR_OK;
}

static enum err read_polygon(struct yaml_node node, struct diag_list *diags, struct zone *zone)
{
    struct yaml_node list = yaml_get(node, "polygon");
    size_t n = yaml_is_none(list) || yaml_kind(list) != YAML_LIST ? 0 : yaml_n_items(list);
    if (n < 3 || n > ZONE_POINTS_MAX)
        return yaml_error(yaml_is_none(list) ? node : list, diags, ERR_RANGE,
            "the polygon of a zone is a list of 3 to %d points [longitude, latitude]", ZONE_POINTS_MAX);
    enum err err = ERR_OK;
    for (size_t i = 0; i < n; i++)
        err = first_of(err, read_point(yaml_item(list, i), diags, &zone->points[i]));
    if (err != ERR_OK)
        return err;
    if (n > 3 && memcmp(&zone->points[0], &zone->points[n - 1], sizeof(zone->points[0])) == 0)
        return yaml_error(yaml_item(list, n - 1), diags, ERR_EXISTS, "the polygon closes by itself; leave out the last point");
    zone->n_points = (uint16_t)n;
    zone_box(zone);
    if (zone->low.lon == zone->high.lon || zone->low.lat == zone->high.lat)
        return yaml_error(list, diags, ERR_RANGE, "the polygon is a line; draw one that holds something");
    if (zone_crosses_itself(zone))
        return yaml_error(list, diags, ERR_RANGE, "the polygon crosses itself; name its points in the order in which one walks around it");
    return ERR_OK;
}

/* ---- whom and when ---- */

static enum err read_restricted(struct yaml_node node, struct diag_list *diags, struct zone *zone)
{
    struct yaml_node list = yaml_get(node, "restricted");
    if (yaml_is_none(list) || yaml_kind(list) != YAML_LIST || yaml_n_items(list) == 0)
        return yaml_error(yaml_is_none(list) ? node : list, diags, ERR_NOT_FOUND,
            "restricted: lists the groups of plates that may not be here, as in [other]");
    enum err err = ERR_OK;
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        int group = zone_group_of(yaml_text(yaml_item(list, i)));
        if (group >= 0)
            zone->restricted |= (uint8_t)(1 << group);
        else
            err = first_of(
                err, yaml_error(yaml_item(list, i), diags, ERR_NOT_FOUND,
                         "\"" STR_FORMAT "\" is no group of plates; give some of local, local_new_energy, province, province_new_energy, "
                         "other, other_new_energy, special",
                         STR_ARG(yaml_text(yaml_item(list, i)))));
    }
    return err;
}

/* "07:30"; "24:00" is a day's end. */
static enum err read_minute(struct yaml_node map, const char *key, struct diag_list *diags, uint16_t *ret_minute)
{
    struct str text, hour_text, minute_text;
    uint64_t hour = 0, minute = 0;
    enum err err = yaml_get_str(map, key, true, diags, &text);
    if (err != ERR_OK)
        return err;
    if (text.len != 5 || !str_cut(text, ':', &hour_text, &minute_text) || hour_text.len != 2 || str_to_u64(hour_text, &hour) != ERR_OK ||
        str_to_u64(minute_text, &minute) != ERR_OK || minute > 59 || hour * 60 + minute > MINUTES_OF_DAY)
        return yaml_error(
            yaml_get(map, key), diags, ERR_SYNTAX, "\"" STR_FORMAT "\" is no time of day; write \"00:00\" to \"24:00\"", STR_ARG(text));
    *ret_minute = (uint16_t)(hour * 60 + minute);
    return ERR_OK;
}

static int day_of(struct str text)
{
    for (int i = 0; i < 7; i++)
        if (str_equal_c(text, day_names[i]))
            return i;
    return -1;
}

static enum err read_weekdays(struct yaml_node map, struct diag_list *diags, uint8_t *ret_days)
{
    struct yaml_node list = yaml_get(map, "days");
    if (yaml_is_none(list) || yaml_kind(list) != YAML_LIST || yaml_n_items(list) == 0)
        return yaml_error(yaml_is_none(list) ? map : list, diags, ERR_NOT_FOUND, "days: is a list of mon tue wed thu fri sat sun");
    uint8_t days = 0;
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        int day = day_of(yaml_text(yaml_item(list, i)));
        if (day < 0)
            return yaml_error(yaml_item(list, i), diags, ERR_SYNTAX,
                "\"" STR_FORMAT "\" is no weekday; give some of mon tue wed thu fri sat sun", STR_ARG(yaml_text(yaml_item(list, i))));
        days |= (uint8_t)(1 << day);
    }
    *ret_days = days;
    return ERR_OK;
}

static enum err read_time(struct yaml_node map, struct diag_list *diags, struct zone_time *ret_time)
{
    struct zone_time time = {0};
    if (yaml_kind(map) != YAML_MAP)
        return yaml_error(map, diags, ERR_SYNTAX, "a time is {days: [mon, tue], from: \"07:00\", until: \"09:00\"}");
    enum err err = yaml_check_keys(map, time_keys, diags);
    err = first_of(err, read_weekdays(map, diags, &time.days));
    err = first_of(err, read_minute(map, "from", diags, &time.from_minute));
    err = first_of(err, read_minute(map, "until", diags, &time.until_minute));
    if (err == ERR_OK && time.from_minute >= time.until_minute)
        return yaml_error(map, diags, ERR_RANGE,
            "the time ends before it begins; one that goes past midnight is two: until \"24:00\", and from \"00:00\"");
    *ret_time = time;
    return err;
}

static enum err read_times(struct yaml_node node, struct diag_list *diags, struct zone *zone)
{
    struct yaml_node list = yaml_get(node, "times");
    size_t n = yaml_is_none(list) || yaml_kind(list) != YAML_LIST ? 0 : yaml_n_items(list);
    if (n == 0 || n > ZONE_TIMES_MAX)
        return yaml_error(yaml_is_none(list) ? node : list, diags, ERR_RANGE,
            "times: lists 1 to %d times when the zone restricts, each {days: [mon], from: \"07:00\", until: \"09:00\"}", ZONE_TIMES_MAX);
    enum err err = ERR_OK;
    for (size_t i = 0; i < n; i++)
        err = first_of(err, read_time(yaml_item(list, i), diags, &zone->times[i]));
    zone->n_times = (uint16_t)n;
    return err;
}

/* "2026-10-01", all ten characters of it. */
static enum err parse_date(struct str text, int32_t *ret_day)
{
    uint64_t year, month, day;
    if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-' || str_to_u64(str_slice(text, 0, 4), &year) != ERR_OK ||
        str_to_u64(str_slice(text, 5, 2), &month) != ERR_OK || str_to_u64(str_slice(text, 8, 2), &day) != ERR_OK)
        return ERR_SYNTAX;
    struct civil_time civil = {.year = (int32_t)year, .month = (int32_t)month, .day = (int32_t)day};
    struct wall_time wall;
    enum err err = civil_to_wall(civil, (struct time_zone){0}, &wall);
    if (err == ERR_OK)
        *ret_day = zone_day(wall.ms, (struct time_zone){0});
    return err;
}

static enum err read_dates(struct yaml_node node, const char *key, struct diag_list *diags, int32_t *days, uint16_t *ret_n)
{
    struct yaml_node list = yaml_get(node, key);
    if (yaml_is_none(list))
        return ERR_OK;
    if (yaml_kind(list) != YAML_LIST || yaml_n_items(list) > ZONE_DATES_MAX)
        return yaml_error(list, diags, ERR_RANGE, "%s: is a list of at most %d dates", key, ZONE_DATES_MAX);
    for (size_t i = 0; i < yaml_n_items(list); i++)
        if (parse_date(yaml_text(yaml_item(list, i)), &days[i]) != ERR_OK)
            return yaml_error(yaml_item(list, i), diags, ERR_SYNTAX, "\"" STR_FORMAT "\" is no date; write it as 2026-10-01",
                STR_ARG(yaml_text(yaml_item(list, i))));
    *ret_n = (uint16_t)yaml_n_items(list);
    return ERR_OK;
}

/* ---- a zone, and all of them ---- */

static enum err read_force(struct yaml_node node, struct time_zone time_zone, struct diag_list *diags, struct zone *zone)
{
    enum err err = yaml_get_time_ms(node, "from", true, diags, time_zone.offset_s, &zone->from_ms);
    enum err until = yaml_get_time_ms(node, "until", false, diags, time_zone.offset_s, &zone->until_ms);
    err = first_of(err, until == ERR_NOT_FOUND ? ERR_OK : until);
    if (err == ERR_OK && zone->from_ms >= zone->until_ms)
        return yaml_error(yaml_get(node, "until"), diags, ERR_RANGE, "the rule ends before it begins; mend from: or until:");
    return err;
}

static enum err read_zone(struct yaml_node node, const struct zones *zones, bool (*has_area)(const void *context, struct str area),
    const void *context, struct diag_list *diags, struct zone *zone)
{
    if (yaml_kind(node) != YAML_MAP)
        return yaml_error(node, diags, ERR_SYNTAX, "a zone is a map with name, title, area, polygon, restricted, times and from");
    memset(zone, 0, sizeof(*zone));
    zone->until_ms = INT64_MAX;
    enum err err = yaml_check_keys(node, keys, diags);
    err = first_of(err, read_names(node, zones, diags, zone));
    enum err area = read_text(node, "area", diags, zone->area, sizeof(zone->area));
    if (area == ERR_OK && has_area != NULL && !has_area(context, str_from_c(zone->area)))
        area = yaml_error(yaml_get(node, "area"), diags, ERR_NOT_FOUND, "there is no area \"%s\"; see areas.yaml", zone->area);
    err = first_of(err, area);
    err = first_of(err, read_polygon(node, diags, zone));
    err = first_of(err, read_restricted(node, diags, zone));
    err = first_of(err, read_times(node, diags, zone));
    err = first_of(err, read_dates(node, "free_days", diags, zone->free_days, &zone->n_free));
    err = first_of(err, read_dates(node, "work_days", diags, zone->extra_days, &zone->n_extra));
    return first_of(err, read_force(node, zones->time_zone, diags, zone));
}

/* ---- the areas ---- */

static enum err add_area(struct zones *zones, struct str name, size_t zone)
{
    size_t at = 0;
    while (at < zones->n_areas && !str_equal_c(name, zones->areas[at].name))
        at++;
    if (at == ZONE_AREAS_MAX)
        return ERR_FULL;
    if (at == zones->n_areas) {
        zones->areas[at] = (struct zone_area){.zones = 0};
        memcpy(zones->areas[at].name, name.ptr, name.len);
        zones->n_areas++;
    }
    zones->areas[at].zones |= (uint16_t)(1u << zone);
    return ERR_OK;
}

/* A zone is one of its area's, and of all that hold it: their names are the beginnings of its name. */
static enum err add_areas(struct zones *zones, size_t zone, bool (*has_area)(const void *context, struct str area), const void *context)
{
    struct str name = str_from_c(zones->zones[zone].area);
    enum err err = ERR_OK;
    for (size_t len = 1; len <= name.len && err == ERR_OK; len++)
        if ((len == name.len || name.ptr[len] == '.') && (has_area == NULL || has_area(context, str_slice(name, 0, len))))
            err = add_area(zones, str_slice(name, 0, len), zone);
    return err;
}

enum err zones_read(struct yaml_node config, struct time_zone time_zone, bool (*has_area)(const void *context, struct str area),
    const void *context, struct diag_list *diags, struct zones *zones)
{
    struct yaml_node list = yaml_get(config, "zones");
    size_t n = yaml_is_none(list) || yaml_kind(list) != YAML_LIST ? 0 : yaml_n_items(list);
    zones->n = zones->n_areas = 0;
    zones->time_zone = time_zone;
    if (n == 0 || n > ZONES_MAX)
        return yaml_error(yaml_is_none(list) ? config : list, diags, ERR_RANGE, "zones: lists 1 to %d zones", ZONES_MAX);
    enum err err = ERR_OK;
    for (size_t i = 0; i < n; i++) {
        err = first_of(err, read_zone(yaml_item(list, i), zones, has_area, context, diags, &zones->zones[i]));
        zones->n = i + 1;
        if (err == ERR_OK && add_areas(zones, i, has_area, context) != ERR_OK)
            return yaml_error(
                yaml_item(list, i), diags, ERR_RANGE, "the zones' areas lie in more than %d areas; draw them in fewer", ZONE_AREAS_MAX);
    }
    return err;
}
