/*
 * Sources (数据源) and their health: what connectors and cameras report, published as the hub's own stream AREA/hub/source when it
 * changes, and at least every minute; a new subscriber gets all of them at once.
 *
 * Reports come from any thread; the table lives on the hub's loop.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/parts.h"

#include <string.h>

#define AGAIN_MS 60000
#define BATCH_BYTES (1u << 20)
#define N_FIELDS 12

struct known {
    struct hub_source source; /* strings in `text` */
    struct str key;
    char *text;
    struct wall_time since;
    struct mono_time published;
};

struct report {
    struct loop_task task;
    struct hub *hub;
    struct hub_source source;
    char text[];
};

struct hub_sources {
    struct names by_key;
    struct known **all;
    size_t n, cap;
    _Atomic size_t n_reports;
    _Atomic size_t n_of[HUB_DOWN + 1]; /* by health */
    _Atomic bool is_telling;
    struct loop_task tell;
    struct hub *hub;
};

static const char *const health_names[] = {"fresh", "stale", "down"};

enum err hub_sources_create(struct hub *hub)
{
    hub->sources = mem_alloc_zero(1, sizeof *hub->sources);
    if (!hub->sources)
        return ERR_NO_MEMORY;
    hub->sources->hub = hub;
    return ERR_OK;
}

static void known_destroy(struct known *known)
{
    mem_free(known->text);
    mem_free(known);
}

void hub_sources_destroy(struct hub *hub)
{
    if (!hub->sources)
        return;
    for (size_t i = 0; i < hub->sources->n; i++)
        known_destroy(hub->sources->all[i]);
    mem_free(hub->sources->all);
    names_finish(&hub->sources->by_key);
    mem_free(hub->sources);
    hub->sources = NULL;
}

/* ---- publishing ---- */

static enum err add_row(struct rows *rows, const struct known *known, struct wall_time now)
{
    const struct hub_source *source = &known->source;
    bool has_place = source->place.lon != 0 || source->place.lat != 0;
    const struct value values[N_FIELDS] = {
        value_text(source->party),
        value_text(source->source),
        value_text(source->area),
        value_text(source->title_zh),
        value_text(source->title_en),
        has_place ? value_real(source->place.lon) : VALUE_NONE,
        has_place ? value_real(source->place.lat) : VALUE_NONE,
        value_text(str_from_c(health_names[source->health])),
        source->last_heard.ms ? value_time(source->last_heard.ms) : VALUE_NONE,
        value_time(known->since.ms),
        value_text(source->detail),
        value_time(now.ms),
    };
    return rows_add(rows, values);
}

static void publish(struct hub *hub, struct known *const *some, size_t n)
{
    struct rows *rows;
    struct wall_time now = clock_wall(hub->clock);
    enum err err = rows_create(N_FIELDS, BATCH_BYTES, &rows);
    if (err)
        return;
    for (size_t i = 0; i < n && !err; i++)
        err = add_row(rows, some[i], now);
    if (!err)
        err = hub_publish(hub, &hub->source_entry->resource, rows);
    rows_release(rows);
    if (err)
        log_write(LOG_WARNING, "hub", "the health of sources could not be published", LOG_ERR(err), LOG_END);
    else
        for (size_t i = 0; i < n; i++)
            some[i]->published = clock_mono(hub->clock);
}

static void on_tell(struct loop_task *task)
{
    struct hub_sources *sources = container_of(task, struct hub_sources, tell);
    atomic_store(&sources->is_telling, false);
    for (size_t at = 0; at < sources->n; at += 256)
        publish(sources->hub, sources->all + at, sources->n - at < 256 ? sources->n - at : 256);
}

void hub_sources_tell_all(struct hub *hub)
{
    if (atomic_exchange(&hub->sources->is_telling, true))
        return;
    hub->sources->tell.fn = on_tell;
    loop_post(hub->loop, &hub->sources->tell);
}

void hub_sources_count(const struct hub *hub, size_t ret_n[HUB_DOWN + 1], size_t *ret_reports)
{
    for (size_t i = 0; i <= HUB_DOWN; i++)
        ret_n[i] = atomic_load_explicit(&hub->sources->n_of[i], memory_order_relaxed);
    *ret_reports = atomic_load_explicit(&hub->sources->n_reports, memory_order_relaxed);
}

/* ---- reports ---- */

static size_t text_size(const struct hub_source *s)
{
    return 2 * (s->party.len + s->source.len) + s->area.len + s->title_zh.len + s->title_en.len + s->detail.len + 1;
}

static struct str move_str(char **at, struct str s)
{
    struct str copy = {*at, s.len};
    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

/* The strings of `source` into `text`, which holds text_size(); the key "party\nsource" last. */
static struct hub_source copy_source(const struct hub_source *source, char *text, struct str *ret_key)
{
    struct hub_source copy = *source;
    char *at = text;
    copy.party = move_str(&at, source->party);
    copy.source = move_str(&at, source->source);
    copy.area = move_str(&at, source->area);
    copy.title_zh = move_str(&at, source->title_zh);
    copy.title_en = move_str(&at, source->title_en);
    copy.detail = move_str(&at, source->detail);
    char *key = at;
    move_str(&at, source->party);
    *at++ = '\n';
    move_str(&at, source->source);
    *ret_key = (struct str){key, (size_t)(at - key)};
    return copy;
}

static enum err add_known(struct hub_sources *sources, struct known *known)
{
    if (sources->n >= HUB_SOURCES_MAX)
        return ERR_FULL;
    if (sources->n == sources->cap) {
        size_t cap = sources->cap ? 2 * sources->cap : 64;
        struct known **all = mem_resize(sources->all, cap * sizeof(struct known *));
        if (!all)
            return ERR_NO_MEMORY;
        sources->all = all;
        sources->cap = cap;
    }
    enum err err = names_put(&sources->by_key, known->key, known);
    if (!err)
        sources->all[sources->n++] = known;
    return err;
}

static struct known *find_or_add(struct hub *hub, const struct report *report, bool *ret_is_new)
{
    struct known *known = mem_alloc_zero(1, sizeof *known);
    char *text = mem_alloc(text_size(&report->source));
    if (!known || !text) {
        mem_free(known);
        mem_free(text);
        return NULL;
    }
    known->text = text;
    known->source = copy_source(&report->source, text, &known->key);
    known->since = clock_wall(hub->clock);
    struct known *old = names_get(&hub->sources->by_key, known->key);
    if (!old) {
        *ret_is_new = true;
        if (!add_known(hub->sources, known)) {
            atomic_fetch_add(&hub->sources->n_of[known->source.health], 1);
            return known;
        }
        known_destroy(known);
        return NULL;
    }
    /* The new report takes the old one's place; the key, which the table holds, is the same text. */
    bool is_same = old->source.health == known->source.health;
    atomic_fetch_sub(&hub->sources->n_of[old->source.health], 1);
    atomic_fetch_add(&hub->sources->n_of[known->source.health], 1);
    known->since = is_same ? old->since : known->since;
    known->published = old->published;
    names_slot(&hub->sources->by_key, old->key)->name = known->key;
    struct known swap = *old;
    *old = *known;
    *known = swap;
    known_destroy(known);
    *ret_is_new = !is_same;
    return old;
}

static void on_report(struct loop_task *task)
{
    struct report *report = container_of(task, struct report, task);
    struct hub *hub = report->hub;
    bool is_new = false;
    struct known *known = find_or_add(hub, report, &is_new);
    if (!known)
        log_write(LOG_WARNING, "hub", "a source is not kept: too many, or no memory", LOG_STR("source", report->source.source), LOG_END);
    else if (is_new || mono_ms_between(known->published, clock_mono(hub->clock)) >= AGAIN_MS)
        publish(hub, &known, 1);
    atomic_fetch_sub(&hub->sources->n_reports, 1);
    mem_free(report);
}

void hub_source_report(struct hub *hub, const struct hub_source *source)
{
    struct str key;
    if (hub->is_check || atomic_fetch_add(&hub->sources->n_reports, 1) >= HUB_SOURCE_REPORTS_MAX) {
        if (!hub->is_check) {
            atomic_fetch_sub(&hub->sources->n_reports, 1);
            metric_add(&hub->figures.n_reports_refused, 1);
        }
        return;
    }
    struct report *report = mem_alloc(sizeof *report + text_size(source));
    if (!report) {
        atomic_fetch_sub(&hub->sources->n_reports, 1);
        return;
    }
    report->hub = hub;
    report->source = copy_source(source, report->text, &key);
    report->task.fn = on_report;
    loop_post(hub->loop, &report->task);
}
