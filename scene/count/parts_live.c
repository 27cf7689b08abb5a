/* The scene's plates in other processes; see parts_live.h. */
#include "scene/count/parts_live.h"

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>

static void ask(void *context, uint32_t part, struct str question)
{
    struct count_live *live = context;
    live->options.env->parts->ask(live->link, part, question);
}

static void on_updates(void *context, const struct count_updates *updates)
{
    struct count_live *live = context;
    live->has_tick = false;
    live->told_ms = updates->time_ms;
    for (size_t i = 0; live->stale != NULL && i < live->map.n_areas; i++)
        live->stale[i].is_told = updates->areas[i].is_told;
    live->options.on_updates(live->options.context, updates);
}

static void on_answer(void *context, uint32_t part, struct str answer)
{
    struct count_live *live = context;
    enum err err = count_parts_answer(live->parts, part, answer);
    if (err == ERR_OK || live->is_broken)
        return;
    live->is_broken = true; /* not here: it is the parts' own call */
    log_write(LOG_ERROR, "scene/count",
        err == ERR_STATE
            ? "a part has not kept the vehicles that it should have, and what it was asked since is not here; the count begins anew"
            : "a part counts another city, or is another version, or tells what cannot be; the count begins anew",
        LOG_INT("part", part + 1), LOG_ERR(err), LOG_END);
}

static void on_taken(void *context, const struct count_event *event)
{
    struct count_live *live = context;
    live->options.on_taken(live->options.context, event);
}

static void on_mark(void *context, const struct count_parts_mark *mark)
{
    struct count_live *live = context;
    live->options.on_mark(live->options.context, mark);
}

/* A new run: with its first question the parts go on from the mark, or forget their vehicles. */
static enum err begin(struct count_live *live)
{
    struct count_parts_options options = {.count = live->options.count,
        .map = &live->map,
        .settings = &live->settings,
        .n = live->n,
        .from = live->options.from,
        .ask = ask,
        .on_updates = on_updates,
        .on_taken = on_taken,
        .on_mark = on_mark,
        .context = live};
    const struct scene_parts_options link = {
        .party = live->options.env->party, .loop = live->options.env->loop, .n = live->n, .on_answer = on_answer, .context = live};
    while (options.run == 0)
        crypto_random(&options.run, sizeof(options.run));
    live->is_broken = live->has_tick = false;
    live->n_begun++;
    enum err err = count_parts_create(&options, &live->parts);
    live->options.from = NULL;
    return err == ERR_OK ? live->options.env->parts->open(live->options.env->parts_context, &link, &live->link) : err;
}

static void end(struct count_live *live)
{
    if (live->link != NULL)
        live->options.env->parts->close(live->link);
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

enum err count_live_start(struct count_live *live, const struct count_live_options *options)
{
    *live =
        (struct count_live){.options = *options, .map = *options->map, .settings = *options->settings, .n = live->n, .told_ms = INT64_MIN};
    live->options.map = &live->map;
    live->options.settings = &live->settings;
    if (live->n == 0)
        return ERR_OK;
    live->stale = mem_alloc_zero(live->map.n_areas, sizeof(*live->stale));
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
    count_reset(live->options.count);
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
    if (live->n > 0) {
        put(live, event);
        return;
    }
    count_step(live->options.count, event, &updates);
    if (event->type == COUNT_PASSAGE)
        live->options.on_taken(live->options.context, event);
}

void count_live_mark(struct count_live *live, const struct count_parts_mark *held)
{
    static const struct count_parts_mark none = {.n = 0};
    if (live->n == 0) {
        on_mark(live, &none);
    } else if (live->parts != NULL) {
        count_parts_hold(live->parts, held != NULL ? held : &none);
        count_parts_mark(live->parts);
    }
}

bool count_live_is_full(const struct count_live *live)
{
    return live->parts != NULL && count_parts_is_full(live->parts);
}

/* A part's health, as that of any source. */
static void report(struct count_live *live, uint32_t part, bool is_silent)
{
    char name[32], zh[64], en[64];
    snprintf(name, sizeof(name), "count/part-%u", part + 1);
    snprintf(zh, sizeof(zh), "数数:号牌第 %u 部分(共 %u)", part + 1, live->n);
    snprintf(en, sizeof(en), "Counting: part %u of %u of the plates", part + 1, live->n);
    struct hub_source source = {.party = live->options.env->party,
        .source = str_from_c(name),
        .area = area_at(hub_areas(live->options.env->hub), 0)->name,
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .health = is_silent ? HUB_DOWN : HUB_FRESH,
        .last_heard = is_silent ? (struct wall_time){live->told_ms > 0 ? live->told_ms : 0} : clock_wall(live->options.env->clock)};
    hub_source_report(live->options.env->hub, &source);
}

static void report_parts(struct count_live *live)
{
    for (uint32_t i = 0; i < live->n; i++) {
        bool is_silent = live->link != NULL && live->options.env->parts->waited_ms(live->link, i) > live->settings.stale_after_ms;
        if (is_silent && (!live->is_silent[i] || !live->is_reported))
            log_write(LOG_WARNING, "scene/count", "a part of the plates does not answer; no figure is told without it",
                LOG_INT("part", i + 1), LOG_INT("of", live->n), LOG_END);
        if (is_silent != live->is_silent[i] || !live->is_reported)
            report(live, i, is_silent);
        live->is_silent[i] = is_silent;
    }
    live->is_reported = true;
}

/* What a killing would cost, before it does. */
static void tell_bare(struct count_live *live)
{
    if (live->parts == NULL)
        return;
    uint64_t n_bare = count_parts_counters(live->parts).n_bare;
    if (n_bare > live->n_bare && (n_bare & (n_bare - 1)) == 0)
        log_write(LOG_WARNING, "scene/count",
            "not every part keeps its vehicles, so no snapshot is kept here; start them with --data, and see their logs",
            LOG_INT("times", (int64_t)n_bare), LOG_END);
    live->n_bare = n_bare;
    for (uint32_t i = 0; i < live->n; i++) {
        bool is_bare = count_parts_is_bare(live->parts, i);
        if (is_bare && !live->is_bare[i])
            log_write(LOG_WARNING, "scene/count",
                "a part keeps nothing, and more was asked of it than is held here; started anew it would cost the count its memory",
                LOG_INT("part", i + 1), LOG_INT("of", live->n), LOG_END);
        live->is_bare[i] = is_bare;
    }
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
        count_step(live->options.count, event, &updates);
        on_updates(live, &updates);
        return NULL;
    }
    if (!live->has_tick || live->is_broken) {
        live->has_tick = true;
        put(live, event);
    }
    report_parts(live);
    tell_bare(live);
    bool is_stale = live->told_ms != INT64_MIN && event->now_ms - live->told_ms > live->settings.stale_after_ms;
    return is_stale ? stale_figures(live) : NULL;
}
