/* Cameras' health and alerts; see health.h. */
#include "scene/count/health.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/alert.h"
#include "scene/count/clocks.h"
#include "scene/count/resume.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROWS_BYTES_MAX (8u << 20) /* 16,384 cameras are 4 MB */

const char *const count_health_field_names[COUNT_HEALTH_N_FIELDS] = {
    "camera", "time", "heard", "silent", "clock_ms", "clock_within_ms", "recall", "n_recall"};

void count_health_finish(struct count_health *health)
{
    mem_free(health->red);
    health->red = NULL;
    health->n_red = 0;
}

/* False: the hub did not take it; who has it tells it again. */
static bool tell(struct count_health *health, const struct hub_alert *alert)
{
    if (hub_alert(health->hub, alert) == ERR_OK) {
        health->n_alerts++;
        return true;
    }
    health->n_refused++;
    if ((health->n_refused & (health->n_refused - 1)) == 0)
        log_write(LOG_WARNING, "scene/count", "an alert was not taken", LOG_STR("kind", alert->kind),
            LOG_INT("refused", (int64_t)health->n_refused), LOG_END);
    return false;
}

/* ---- plates ---- */

static int put_pair(struct count_health *health, const struct count *count, char *text, size_t cap, const struct count_apart *pair)
{
    const struct count_sighting *seen[] = {&pair->a, &pair->b};
    char times[2][40];
    for (int i = 0; i < 2; i++) {
        struct wall_time time = {count_camera_time(count, seen[i]->camera, seen[i]->time_ms)};
        wall_format_rfc3339(time, health->zone, times[i]);
    }
    struct str a = health->name_of(health->context, pair->a.camera), b = health->name_of(health->context, pair->b.camera);
    return snprintf(text, cap, STR_FORMAT " %s → " STR_FORMAT " %s: %.0f s, ≥ %.0f s\n", STR_ARG(a), times[0], STR_ARG(b), times[1],
        (double)(pair->b.time_ms - pair->a.time_ms) / 1000, pair->least_s);
}

static bool tell_clone(struct count_health *health, const struct count *count, const struct count_clone *clone)
{
    char key[32], detail[1200];
    /* Not the pseudonym's own hash: a key is kept with its case, longer than the day's pseudonyms are. */
    snprintf(key, sizeof(key), "plate-%016" PRIx64, count_clones_twin(count_clones_twin(clone->vehicle)));
    int len = put_pair(health, count, detail, sizeof(detail) / 2, &clone->first);
    len = len < 0 ? 0 : len >= (int)sizeof(detail) / 2 ? (int)sizeof(detail) / 2 - 1 : len;
    put_pair(health, count, detail + len, sizeof(detail) - (size_t)len, &clone->second);
    const struct hub_alert alert = {.kind = STR("plate.cloned"),
        .area = health->area_of(health->context, clone->second.b.camera),
        .party = health->provider,
        .key = str_from_c(key),
        .title_zh = STR("疑似套牌:同一号牌同时出现在两处"),
        .title_en = STR("One plate at two places at once: a clone?"),
        .detail = str_from_c(detail)};
    return tell(health, &alert);
}

void count_health_clones(struct count_health *health, const struct count *count, const struct count_clone *clones, uint32_t n)
{
    uint32_t n_told = 0, n_due = health->n_due;
    while (n_told < n_due && tell_clone(health, count, &health->due[n_told]))
        n_told++;
    health->n_due -= n_told;
    memmove(health->due, health->due + n_told, health->n_due * sizeof(*health->due));
    for (uint32_t i = 0; i < n; i++) {
        if (health->n_due == 0 && tell_clone(health, count, &clones[i]))
            continue;
        if (health->n_due < COUNT_CLONES_TOLD) {
            health->due[health->n_due++] = clones[i];
            continue;
        }
        health->n_lost++;
        if ((health->n_lost & (health->n_lost - 1)) == 0)
            log_write(LOG_ERROR, "scene/count", "a plate at two places is not told: too many wait for the hub",
                LOG_INT("lost", (int64_t)health->n_lost), LOG_END);
    }
}

/* ---- cameras ---- */

enum fault { FAULT_CLOCK, FAULT_RECALL, N_FAULTS = COUNT_TOLD_FAULTS };

static bool has_room(struct count_health *health, uint32_t n)
{
    if (n <= health->n_red)
        return true;
    uint8_t *grown = mem_resize(health->red, (size_t)n * N_FAULTS);
    if (grown == NULL)
        return false;
    memset(grown + (size_t)health->n_red * N_FAULTS, 0, (size_t)(n - health->n_red) * N_FAULTS);
    health->red = grown;
    health->n_red = n;
    return true;
}

static bool tell_camera(
    struct count_health *health, uint32_t camera, enum fault fault, bool is_green, const struct count_camera_health *now)
{
    struct str name = health->name_of(health->context, camera);
    char key[300], zh[200], en[200], detail[200];
    snprintf(key, sizeof(key), "camera/" STR_FORMAT "/%s", STR_ARG(str_slice(name, 0, name.len < 200 ? name.len : 200)),
        fault == FAULT_CLOCK ? "clock" : "recall");
    if (fault == FAULT_CLOCK) {
        snprintf(zh, sizeof(zh), "摄像机时钟%s%.0f 秒", now->clock_s > 0 ? "快" : "慢", fabs(now->clock_s));
        snprintf(en, sizeof(en), "A camera's clock is %.0f s %s", fabs(now->clock_s), now->clock_s > 0 ? "ahead" : "behind");
        snprintf(detail, sizeof(detail), "%+.1f s ± %.1f s", now->clock_s, now->clock_within_s);
    } else {
        snprintf(zh, sizeof(zh), "摄像机漏拍:只读出 %.0f%% 的车辆", now->recall * 100);
        snprintf(en, sizeof(en), "A camera reads only %.0f %% of the vehicles", now->recall * 100);
        snprintf(detail, sizeof(detail), "%.2f of %u", now->recall, now->n_recall);
    }
    const struct hub_alert alert = {.kind = STR("data.quality"),
        .area = health->area_of(health->context, camera),
        .party = health->provider,
        .key = str_from_c(key),
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .detail = str_from_c(detail),
        .is_green = is_green};
    return tell(health, &alert);
}

/* Red for some looks in a row is told once, and so is green after it; what the hub does not take, at the next look. Where
 * nobody knows whether red was told, green is told at once: it closes what is open, and is nothing where nothing is. */
static void judge(
    struct count_health *health, uint32_t camera, enum fault fault, bool is_red, bool is_green, const struct count_camera_health *now)
{
    uint8_t *red = &health->red[(size_t)camera * N_FAULTS + (size_t)fault], *told = &health->told[camera];
    const uint8_t bit = (uint8_t)(1u << fault), unknown = (uint8_t)(bit << COUNT_TOLD_FAULTS);
    if (*told & bit || (*told & unknown && is_green)) {
        if (is_green && tell_camera(health, camera, fault, true, now))
            *told &= (uint8_t) ~(bit | unknown);
        *red = 0;
        return;
    }
    *red = !is_red ? 0 : *red < COUNT_RED_LOOKS ? *red + 1 : *red;
    if (*red == COUNT_RED_LOOKS && tell_camera(health, camera, fault, false, now))
        *told = (uint8_t)((*told & ~unknown) | bit);
}

static enum err add_row(
    struct count_health *health, struct rows *rows, uint32_t camera, int64_t time_ms, const struct count_camera_health *now)
{
    struct value values[COUNT_HEALTH_N_FIELDS] = {
        [COUNT_HEALTH_CAMERA] = value_text(health->name_of(health->context, camera)),
        [COUNT_HEALTH_TIME] = value_time(time_ms),
        [COUNT_HEALTH_HEARD] = now->heard_ms > 0 ? value_time(now->heard_ms) : VALUE_NONE,
        [COUNT_HEALTH_SILENT] = value_boolean(now->is_silent),
        [COUNT_HEALTH_CLOCK_MS] = value_integer((int64_t)(now->clock_s * 1000)),
        [COUNT_HEALTH_CLOCK_WITHIN_MS] = value_integer((int64_t)(now->clock_within_s * 1000)),
        [COUNT_HEALTH_RECALL] = isnan(now->recall) ? VALUE_NONE : value_real(now->recall),
        [COUNT_HEALTH_N_RECALL] = value_integer(now->n_recall),
    };
    return rows_add(rows, values);
}

void count_health_tell(struct count_health *health, const struct count *count, int64_t time_ms)
{
    uint32_t n = count_n_cameras(count);
    struct rows *rows = NULL;
    if (!has_room(health, n))
        return;
    enum err err = health->camera != NULL ? rows_create(COUNT_HEALTH_N_FIELDS, ROWS_BYTES_MAX, &rows) : ERR_OK;
    for (uint32_t c = 0; c < n; c++) {
        struct count_camera_health now;
        if (str_is_empty(health->name_of(health->context, c)))
            continue;
        count_camera_health(count, c, &now);
        double clock_s = fabs(now.clock_s);
        bool is_learned = now.clock_within_s < COUNT_CLOCK_UNKNOWN_S || health->told[c] & 1u << FAULT_CLOCK;
        judge(health, c, FAULT_CLOCK, clock_s >= COUNT_CLOCK_RED_S, is_learned && clock_s < COUNT_CLOCK_GREEN_S, &now);
        bool is_known = !isnan(now.recall);
        judge(health, c, FAULT_RECALL, is_known && now.recall < COUNT_RECALL_RED, is_known && now.recall >= COUNT_RECALL_GREEN, &now);
        if (rows != NULL && err == ERR_OK)
            err = add_row(health, rows, c, time_ms, &now);
    }
    if (rows != NULL && err == ERR_OK && rows_n(rows) > 0)
        err = hub_publish(health->hub, health->camera, rows);
    rows_release(rows);
}
