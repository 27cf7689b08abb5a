/*
 * What the scene says: figures each second as rows of its streams, the zones once as an object for maps, a breach as an alert. No plate is
 * in any of it: an alert names the vehicle by its pseudonym of the day, and where and when it was seen.
 */
#include "base/json.h"
#include "base/log.h"
#include "hub/alert.h"
#include "hub/indicator.h"
#include "scene/zone/classes.h"
#include "scene/zone/inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROWS_BYTES_MAX (1u << 20)
#define GEOJSON_BYTES_MAX (4u << 20)

/* By the order of enum zone_group. */
static const struct {
    const char *zh, *en;
} group_titles[ZONE_N_GROUPS] = {{"本地", "local"}, {"本地新能源", "local new-energy"}, {"省内外市", "the province's other"},
    {"省内外市新能源", "the province's other new-energy"}, {"外省", "another province's"}, {"外省新能源", "another province's new-energy"},
    {"特殊", "special"}};

/* ---- figures ---- */

enum source { FROM_NOW, FROM_THROUGH, FROM_BREACHES };

static const struct {
    const char *name;
    enum source source;
    enum zone_class class;
} indicators[] = {
    {"zone_now", FROM_NOW, ZONE_CLASS_ALL},
    {"zone_now_local", FROM_NOW, ZONE_CLASS_LOCAL},
    {"zone_now_province", FROM_NOW, ZONE_CLASS_PROVINCE},
    {"zone_now_other", FROM_NOW, ZONE_CLASS_OTHER},
    {"zone_today", FROM_THROUGH, ZONE_CLASS_ALL},
    {"zone_today_local", FROM_THROUGH, ZONE_CLASS_LOCAL},
    {"zone_today_province", FROM_THROUGH, ZONE_CLASS_PROVINCE},
    {"zone_today_other", FROM_THROUGH, ZONE_CLASS_OTHER},
    {"zone_today_new_energy", FROM_THROUGH, ZONE_CLASS_NEW_ENERGY},
    {"zone_breaches", FROM_BREACHES, ZONE_CLASS_ALL},
};

/* Of an area: its zones together, less who was seen in several of them. */
static double area_value(
    const struct zone_updates *updates, const struct zone_area_figures *area, uint16_t zones, enum source source, enum zone_class class)
{
    double sum = 0, n_seen = 0,
           n_different = source == FROM_NOW ? zone_class_seen_now(area->now, class) : zone_class_seen_today(area->through, class);
    for (unsigned left = zones; left != 0; left &= left - 1) {
        const struct zone_figures *zone = &updates->figures[__builtin_ctz(left)];
        sum += source == FROM_NOW ? zone_class_now(zone, class).value : zone_class_today(zone, class).value;
        n_seen += source == FROM_NOW ? zone_class_seen_now(zone->now, class) : zone_class_seen_today(zone->through, class);
    }
    return n_seen > 0 ? sum * n_different / n_seen : sum;
}

/* A zone that was never heard is silent since the start. */
static int64_t stale_since(const struct scene_zone *scene, const struct zone_figures *figures)
{
    return figures->stale_since_ms == 0 ? scene->started_ms : figures->stale_since_ms;
}

/* Of two zones: as long as the one that is silent for longer. */
static int64_t earlier(int64_t a, int64_t b)
{
    return a == ZONE_FRESH || (b != ZONE_FRESH && b < a) ? b : a;
}

static struct value since_or_none(int64_t stale_since_ms)
{
    return stale_since_ms == ZONE_FRESH ? VALUE_NONE : value_time(stale_since_ms);
}

/* What the zones of an area have in common: when one is silent nothing is known of them together. */
struct together {
    int64_t stale_since_ms, missing_since_ms, n_passages;
    uint64_t breaches;
};

static struct together zones_together(const struct scene_zone *scene, uint16_t zones, const struct zone_figures *figures)
{
    struct together sum = {.stale_since_ms = ZONE_FRESH, .missing_since_ms = ZONE_FRESH};
    for (unsigned left = zones; left != 0; left &= left - 1) {
        const struct zone_figures *of_zone = &figures[__builtin_ctz(left)];
        sum.stale_since_ms = earlier(sum.stale_since_ms, stale_since(scene, of_zone));
        sum.missing_since_ms = earlier(sum.missing_since_ms, of_zone->missing_since_ms);
        sum.n_passages += of_zone->n_passages;
        sum.breaches += of_zone->breaches;
    }
    return sum;
}

/* One indicator of the zones of an area. What is of the day is told also when passages of it are missing, as what it is at least, and since
 * when. */
static enum err add_indicator(const struct scene_zone *scene, struct rows *rows, size_t nth, size_t at, const struct zone_updates *updates,
    const struct together *together, int64_t now_ms)
{
    const struct zone_area *area = &scene->zones.areas[at];
    enum source source = indicators[nth].source;
    double value = source == FROM_BREACHES ? (double)together->breaches
                                           : area_value(updates, &updates->areas[at], area->zones, source, indicators[nth].class);
    int64_t missing_since_ms = source == FROM_NOW ? ZONE_FRESH : together->missing_since_ms;
    struct value values[HUB_INDICATOR_N_FIELDS] = {
        [HUB_INDICATOR_NAME] = value_text(str_from_c(indicators[nth].name)),
        [HUB_INDICATOR_AREA] = value_text(str_from_c(area->name)),
        [HUB_INDICATOR_TIME] = value_time(now_ms),
        [HUB_INDICATOR_PERIOD_MS] = value_integer(1000),
        [HUB_INDICATOR_VALUE] = together->stale_since_ms == ZONE_FRESH ? value_real(value) : VALUE_NONE,
        [HUB_INDICATOR_N] = value_integer(together->n_passages),
        [HUB_INDICATOR_STALE_SINCE] = since_or_none(earlier(together->stale_since_ms, missing_since_ms)),
        [HUB_INDICATOR_BASIS] = value_text(str_from_c(scene->basis)),
    };
    return rows_add(rows, values);
}

static enum err add_indicators(const struct scene_zone *scene, struct rows *rows, const struct zone_updates *updates, int64_t now_ms)
{
    enum err err = ERR_OK;
    for (size_t at = 0; at < scene->zones.n_areas; at++) {
        struct together together = zones_together(scene, scene->zones.areas[at].zones, updates->figures);
        for (size_t nth = 0; nth < sizeof(indicators) / sizeof(indicators[0]) && err == ERR_OK; nth++)
            err = add_indicator(scene, rows, nth, at, updates, &together, now_ms);
    }
    struct value values[HUB_INDICATOR_N_FIELDS] = {
        [HUB_INDICATOR_NAME] = value_text(STR("zone_checks_waiting")),
        [HUB_INDICATOR_AREA] = value_text(area_at(scene->tree, 0)->name),
        [HUB_INDICATOR_TIME] = value_time(now_ms),
        [HUB_INDICATOR_PERIOD_MS] = value_integer(1000),
        [HUB_INDICATOR_VALUE] = value_real(zone_n_waiting(scene->core)),
        [HUB_INDICATOR_N] = value_integer((int64_t)zone_counters(scene->core)->n_asked),
        [HUB_INDICATOR_STALE_SINCE] = VALUE_NONE,
        [HUB_INDICATOR_BASIS] = value_text(STR_NONE),
    };
    return err == ERR_OK ? rows_add(rows, values) : err;
}

static struct value real_or_none(double real, bool is_known)
{
    return is_known && isfinite(real) ? value_real(real) : VALUE_NONE;
}

static enum err add_state(const struct scene_zone *scene, struct rows *rows, size_t zone, enum zone_class class,
    const struct zone_figures *figures, int64_t now_ms)
{
    bool is_fresh = figures->stale_since_ms == ZONE_FRESH;
    struct zone_estimate now = zone_class_now(figures, class), today = zone_class_today(figures, class);
    struct value values[HUB_ZONE_STATE_N_FIELDS] = {
        [HUB_ZONE_STATE_ZONE] = value_text(str_from_c(scene->zones.zones[zone].name)),
        [HUB_ZONE_STATE_AREA] = value_text(str_from_c(scene->zones.zones[zone].area)),
        [HUB_ZONE_STATE_CLASS] = value_text(str_from_c(zone_class_names[class])),
        [HUB_ZONE_STATE_TIME] = value_time(now_ms),
        [HUB_ZONE_STATE_NOW] = real_or_none(now.value, is_fresh),
        [HUB_ZONE_STATE_NOW_LOW] = real_or_none(now.low, is_fresh),
        [HUB_ZONE_STATE_NOW_HIGH] = real_or_none(now.high, is_fresh),
        [HUB_ZONE_STATE_TODAY] = real_or_none(today.value, is_fresh),
        [HUB_ZONE_STATE_TODAY_LOW] = real_or_none(today.low, is_fresh),
        [HUB_ZONE_STATE_TODAY_HIGH] = real_or_none(today.high, is_fresh),
        [HUB_ZONE_STATE_BREACHES] = class == ZONE_CLASS_ALL ? value_integer((int64_t)figures->breaches) : VALUE_NONE,
        [HUB_ZONE_STATE_STALE_SINCE] = since_or_none(stale_since(scene, figures)),
        [HUB_ZONE_STATE_MISSING_SINCE] = since_or_none(figures->missing_since_ms),
    };
    return rows_add(rows, values);
}

static enum err add_states(const struct scene_zone *scene, struct rows *rows, const struct zone_figures *figures, int64_t now_ms)
{
    enum err err = ERR_OK;
    for (size_t zone = 0; zone < scene->zones.n; zone++)
        for (int class = 0; class < ZONE_N_CLASSES && err == ERR_OK; class ++)
            err = add_state(scene, rows, zone, (enum zone_class) class, &figures[zone], now_ms);
    return err;
}

/* What is refused now is told anew in a second. Takes `rows`. */
static void publish(struct scene_zone *scene, const struct hub_resource *resource, struct rows *rows, enum err err)
{
    if (err == ERR_OK)
        err = hub_publish(scene->hub, resource, rows);
    rows_release(rows);
    if (err == ERR_OK)
        return;
    scene->n_dropped++;
    if ((scene->n_dropped & (scene->n_dropped - 1)) == 0) /* so that a long trouble does not fill the log */
        log_write(LOG_WARNING, "scene/zone", "figures of a second were not taken", LOG_STR("resource", resource->name), LOG_ERR(err),
            LOG_INT("dropped", (int64_t)scene->n_dropped), LOG_END);
}

void zone_tell_figures(struct scene_zone *scene, const struct zone_updates *updates, int64_t now_ms)
{
    struct rows *rows = NULL;
    enum err err = rows_create(HUB_INDICATOR_N_FIELDS, ROWS_BYTES_MAX, &rows);
    if (err == ERR_OK)
        err = add_indicators(scene, rows, updates, now_ms);
    publish(scene, scene->indicator, rows, err);
    rows = NULL;
    err = rows_create(HUB_ZONE_STATE_N_FIELDS, ROWS_BYTES_MAX, &rows);
    if (err == ERR_OK)
        err = add_states(scene, rows, updates->figures, now_ms);
    publish(scene, scene->zone_state, rows, err);
}

/* ---- the map ---- */

static void put_polygon(struct json_writer *w, const struct zone *zone)
{
    json_begin_array(w);
    json_begin_array(w);
    for (size_t i = 0; i <= zone->n_points; i++) { /* closed, as RFC 7946 wants it */
        json_begin_array(w);
        json_put_fixed(w, zone->points[i % zone->n_points].lon, 6);
        json_put_fixed(w, zone->points[i % zone->n_points].lat, 6);
        json_end_array(w);
    }
    json_end_array(w);
    json_end_array(w);
}

enum err zone_put_object(struct scene_zone *scene)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, GEOJSON_BYTES_MAX);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_c(&w, "type", "FeatureCollection");
    json_key(&w, "features");
    json_begin_array(&w);
    for (size_t i = 0; i < scene->zones.n; i++) {
        const struct zone *zone = &scene->zones.zones[i];
        json_begin_object(&w);
        json_field_c(&w, "type", "Feature");
        json_key(&w, "properties");
        json_begin_object(&w);
        json_field_c(&w, "kind", "zone");
        json_field_c(&w, "zone", zone->name);
        json_field_c(&w, "area", zone->area);
        json_field_c(&w, "zh", zone->title_zh);
        json_field_c(&w, "en", zone->title_en);
        json_end_object(&w);
        json_key(&w, "geometry");
        json_begin_object(&w);
        json_field_c(&w, "type", "Polygon");
        json_key(&w, "coordinates");
        put_polygon(&w, zone);
        json_end_object(&w);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    enum err err = out.err;
    if (err == ERR_OK)
        err = hub_object_put(scene->hub, scene->zone, STR("application/geo+json"), buf_str(&out));
    buf_finish(&out);
    return err;
}

/* ---- alerts ---- */

void zone_alert_add(struct scene_zone *scene, const struct zone_breach *breach, const char *receipt)
{
    if (scene->n_alerts == ZONE_ALERTS_MAX) {
        scene->first_alert = (scene->first_alert + 1) % ZONE_ALERTS_MAX;
        scene->n_alerts--;
        metric_add(&scene->measured.alerts_lost, 1);
        uint64_t n_lost = metric_get(&scene->measured.alerts_lost);
        if ((n_lost & (n_lost - 1)) == 0)
            log_write(LOG_ERROR, "scene/zone", "a breach was told to nobody: the stream of alerts is behind",
                LOG_INT("lost", (int64_t)n_lost), LOG_END);
    }
    struct zone_alert *alert = &scene->alerts[(scene->first_alert + scene->n_alerts++) % ZONE_ALERTS_MAX];
    alert->breach = *breach;
    snprintf(alert->receipt, sizeof(alert->receipt), "%s", receipt);
}

static enum err send(struct scene_zone *scene, const struct zone_alert *alert)
{
    const struct zone_breach *breach = &alert->breach;
    const struct zone *zone = &scene->zones.zones[breach->zone];
    const struct zone_camera *camera = &scene->cameras[breach->camera];
    struct str device = str_map_key(&scene->camera_names, breach->camera);
    struct time_zone time_zone = scene->zones.time_zone;
    char day[40], time[40], key[160], zh[256], en[256], detail[256];
    wall_format_rfc3339((struct wall_time){(int64_t)breach->day * 86400000}, (struct time_zone){0}, day);
    wall_format_rfc3339((struct wall_time){breach->time_ms}, time_zone, time);
    snprintf(key, sizeof(key), "%s/%.10s/%s", zone->name, day, breach->pseudonym);
    snprintf(zh, sizeof(zh), "%s:%s号牌车辆未持通行证", zone->title_zh, group_titles[breach->group].zh);
    snprintf(en, sizeof(en), "%s: a vehicle with %s plates has no pass", zone->title_en, group_titles[breach->group].en);
    /* Facts behind a code, which each screen says in its reader's language (cockpit/web/src/i18n/cases.ts). */
    snprintf(detail, sizeof(detail), "zone_seen|%.10s %.8s|" STR_FORMAT "|%s", time, time + 11, STR_ARG(device), breach->pseudonym);
    struct hub_alert told = {.kind = STR("zone.breach"),
        .area = camera->area >= 0 ? area_at(scene->tree, (size_t)camera->area)->name : str_from_c(zone->area),
        .party = scene->party,
        .key = str_from_c(key),
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .detail = str_from_c(detail),
        .receipt = str_from_c(alert->receipt)};
    return hub_alert(scene->hub, &told);
}

void zone_alerts_send(struct scene_zone *scene)
{
    while (scene->n_alerts > 0 && send(scene, &scene->alerts[scene->first_alert]) == ERR_OK) {
        scene->first_alert = (scene->first_alert + 1) % ZONE_ALERTS_MAX;
        scene->n_alerts--;
    }
}
