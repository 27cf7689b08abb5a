/* The scene's plates in other processes; see parts_live.h. */
#include "scene/count/parts_live.h"

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>

#define MARK_TICKS 60 /* a minute */

static void ask(void *context, uint32_t part, struct str question)
{
    struct count_live *live = context;
    live->env->parts->ask(live->link, part, question);
}

static void on_updates(void *context, const struct count_updates *updates)
{
    struct count_live *live = context;
    live->has_tick = false;
    live->told_ms = updates->time_ms;
    for (size_t i = 0; live->stale != NULL && i < live->map.n_areas; i++)
        live->stale[i].is_told = updates->areas[i].is_told;
    live->on_updates(live->context, updates);
}

static void on_answer(void *context, uint32_t part, struct str answer)
{
    struct count_live *live = context;
    enum err err = count_parts_answer(live->parts, part, answer);
    if (err == ERR_OK || live->is_broken)
        return;
    live->is_broken = true; /* not here: it is the parts' own call */
    log_write(LOG_ERROR, "scene/count",
        "a part has not the vehicles that it should have, nor is there here what would give it them, or it counts another city; the count "
        "begins anew",
        LOG_INT("part", part + 1), LOG_ERR(err), LOG_END);
}

/* A new run: the parts forget their vehicles with its first question. */
static enum err begin(struct count_live *live)
{
    struct count_parts_options options = {.count = live->count,
        .map = &live->map,
        .settings = &live->settings,
        .n = live->n,
        .ask = ask,
        .on_updates = on_updates,
        .context = live};
    const struct scene_parts_options link = {
        .party = live->env->party, .loop = live->env->loop, .n = live->n, .on_answer = on_answer, .context = live};
    while (options.run == 0)
        crypto_random(&options.run, sizeof(options.run));
    live->is_broken = live->has_tick = false;
    live->n_begun++;
    enum err err = count_parts_create(&options, &live->parts);
    return err == ERR_OK ? live->env->parts->open(live->env->parts_context, &link, &live->link) : err;
}

static void end(struct count_live *live)
{
    if (live->link != NULL)
        live->env->parts->close(live->link);
    count_parts_destroy(live->parts);
    live->link = NULL;
    live->parts = NULL;
}

enum err count_live_read(struct yaml_node config, const struct scene_env *env, struct diag_list *diags, struct count_live *live)
{
    int64_t n = 0;
    enum err err = yaml_get_i64(config, "parts", false, diags, 1, COUNT_PARTS_MAX, &n);
    live->n = (uint32_t)n;
    if (err == ERR_OK && n > 0 && env->parts == NULL && !env->check_only)
        return yaml_error(yaml_get(config, "parts"), diags, ERR_UNAVAILABLE,
            "parts are processes on the bus (citybrain count-part); start the brain with --bus and --party-key, or leave the key out");
    return err;
}

enum err count_live_start(struct count_live *live, const struct scene_env *env, struct count *count, const struct count_map *map,
    const struct count_settings *settings, void (*told)(void *context, const struct count_updates *updates), void *context)
{
    *live = (struct count_live){.env = env,
        .count = count,
        .map = *map,
        .settings = *settings,
        .n = live->n,
        .on_updates = told,
        .context = context,
        .told_ms = INT64_MIN};
    if (live->n == 0)
        return ERR_OK;
    live->stale = mem_alloc_zero(map->n_areas, sizeof(*live->stale));
    return live->stale == NULL ? ERR_NO_MEMORY : begin(live);
}

void count_live_stop(struct count_live *live)
{
    end(live);
    mem_free(live->stale);
    live->stale = NULL;
}

static void begin_anew(struct count_live *live)
{
    end(live);
    count_reset(live->count);
    enum err err = begin(live);
    if (err != ERR_OK) {
        live->is_broken = true; /* tried again with the next tick */
        log_write(LOG_ERROR, "scene/count", "the count cannot begin anew yet", LOG_ERR(err), LOG_END);
    }
}

static void put(struct count_live *live, const struct count_event *event)
{
    if (live->is_broken)
        begin_anew(live);
    enum err err = live->is_broken ? ERR_UNAVAILABLE : count_parts_put(live->parts, event);
    if (err == ERR_OK || live->is_broken)
        return;
    live->is_broken = true;
    log_write(LOG_ERROR, "scene/count", "a part has been silent for so long that there is no room for what waits; the count begins anew",
        LOG_INT("events", COUNT_PARTS_QUEUE_MAX), LOG_ERR(err), LOG_END);
}

void count_live_passage(struct count_live *live, const struct count_event *event)
{
    struct count_updates updates;
    if (live->n == 0)
        count_step(live->count, event, &updates);
    else
        put(live, event);
}

/* A part's health, as that of any source. */
static void report(struct count_live *live, uint32_t part, bool is_silent)
{
    char name[32], zh[64], en[64];
    snprintf(name, sizeof(name), "count/part-%u", part + 1);
    snprintf(zh, sizeof(zh), "数数:号牌第 %u 部分(共 %u)", part + 1, live->n);
    snprintf(en, sizeof(en), "Counting: part %u of %u of the plates", part + 1, live->n);
    struct hub_source source = {.party = live->env->party,
        .source = str_from_c(name),
        .area = area_at(hub_areas(live->env->hub), 0)->name,
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .health = is_silent ? HUB_DOWN : HUB_FRESH,
        .last_heard = is_silent ? (struct wall_time){live->told_ms > 0 ? live->told_ms : 0} : clock_wall(live->env->clock)};
    hub_source_report(live->env->hub, &source);
}

static void report_parts(struct count_live *live)
{
    for (uint32_t i = 0; i < live->n; i++) {
        bool is_silent = live->link != NULL && live->env->parts->waited_ms(live->link, i) > live->settings.stale_after_ms;
        if (is_silent && (!live->is_silent[i] || !live->is_reported))
            log_write(LOG_WARNING, "scene/count", "a part of the plates does not answer; no figure is told without it",
                LOG_INT("part", i + 1), LOG_INT("of", live->n), LOG_END);
        if (is_silent != live->is_silent[i] || !live->is_reported)
            report(live, i, is_silent);
        live->is_silent[i] = is_silent;
    }
    live->is_reported = true;
}

/* Of nobody anything is known, since the last tick that was told. */
static const struct count_area_figures *stale_figures(struct count_live *live)
{
    for (size_t i = 0; i < live->map.n_areas; i++)
        live->stale[i] = (struct count_area_figures){.is_told = live->stale[i].is_told,
            .stale_since_ms = live->told_ms,
            .vehicles = NAN,
            .flow_vph = NAN,
            .speed_mps = NAN,
            .delay_index = NAN,
            .congestion_index = NAN,
            .vehicle_km_ph = NAN};
    return live->stale;
}

const struct count_area_figures *count_live_tick(struct count_live *live, const struct count_event *event)
{
    struct count_updates updates;
    if (live->n == 0) {
        count_step(live->count, event, &updates);
        on_updates(live, &updates);
        return NULL;
    }
    if (!live->has_tick || live->is_broken) {
        live->has_tick = true;
        if (++live->n_ticks % MARK_TICKS == 0 && live->parts != NULL)
            count_parts_mark(live->parts);
        put(live, event);
    }
    report_parts(live);
    bool is_stale = live->told_ms != INT64_MIN && event->now_ms - live->told_ms > live->settings.stale_after_ms;
    return is_stale ? stale_figures(live) : NULL;
}
