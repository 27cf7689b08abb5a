/* The desk's threads: streams and deadlines in, steps to the store. */
#include "business/case/desk_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "business/case/group.h"
#include "business/case/keep.h"
#include "hub/alert.h"

#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#define TICK_MS 1000
#define DUE_MAX 256 /* of one look at the deadlines; the rest comes a second later */
#define BATCH_ARENA_MAX (4u << 20)
#define ANSWER_MAX (1u << 20)

static const char *const source_fields[] = {"party", "source", "area", "title_zh", "title_en", "health", "since", "time"};
enum { SOURCE_PARTY, SOURCE_NAME, SOURCE_AREA, SOURCE_ZH, SOURCE_EN, SOURCE_HEALTH, SOURCE_SINCE, SOURCE_TIME };
#define N_SOURCE_FIELDS (sizeof source_fields / sizeof *source_fields)

/* ---- on the writer's thread ---- */

/* The step, stored; who has to be told of it is noted: those who see the case, and those who saw it before. */
static enum err take_step(
    struct case_write *write, struct db *db, const struct case_record *before, const struct case_event *event, struct case_step *ret_step)
{
    enum err err = case_step(write->desk->rules, before, event, write->now, ret_step);
    if (!err)
        err = case_store_put(db, ret_step, event, write->now);
    if (err || !ret_step->is_changed)
        return err;
    case_changes_add(&write->changes, &ret_step->after);
    if (before && !str_equal(before->owner, ret_step->after.owner))
        case_changes_add(&write->changes, before);
    return ERR_OK;
}

/* One event against the case with this key; with the city itself as who did it. */
static enum err step_one(struct case_write *write, struct db *db, struct arena *arena, const struct case_event *event)
{
    struct case_record before;
    enum err err = case_store_find(db, event->alert.key, arena, &before);
    if (err && err != ERR_NOT_FOUND)
        return err;
    struct case_step step;
    return take_step(write, db, err ? NULL : &before, event, &step);
}

static enum err step_by_key(struct case_write *write, struct db *db, struct arena *arena, const struct case_event *event)
{
    const struct case_kind *kind = case_kind_find(write->desk->rules, event->alert.kind);
    struct case_event grouped = *event;
    if (!kind->is_grouped)
        return step_one(write, db, arena, event);
    enum err err = ERR_OK;
    if (event->what == CASE_GREEN) /* a case of its own, from before its kind was grouped */
        err = step_one(write, db, arena, event);
    if (!err)
        err = case_group_apply(db, kind, arena, &grouped, write->now);
    return err ? err : step_one(write, db, arena, &grouped);
}

static struct str cut(struct str text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && ((unsigned char)text.ptr[max] & 0xc0) == 0x80)
        max--; /* no half of a character */
    return str_slice(text, 0, max);
}

static enum err write_alert(struct case_write *write, struct db *db, struct arena *arena, const struct value *v)
{
    struct case_event event = {.what = str_equal_c(v[HUB_ALERT_STATE].s, "green") ? CASE_GREEN : CASE_ALERT,
        .alert = {.kind = v[HUB_ALERT_KIND].s,
            .area = v[HUB_ALERT_AREA].s,
            .party = v[HUB_ALERT_PARTY].s,
            .title_zh = cut(v[HUB_ALERT_TITLE_ZH].s, 300),
            .title_en = cut(v[HUB_ALERT_TITLE_EN].s, 300),
            .detail = cut(v[HUB_ALERT_DETAIL].s, CASE_TEXT_MAX),
            .receipt = v[HUB_ALERT_RECEIPT].s}};
    enum err err = arena_printf(arena, &event.alert.key, STR_FORMAT "/" STR_FORMAT, STR_ARG(event.alert.kind), STR_ARG(v[HUB_ALERT_KEY].s));
    event.alert.key = cut(event.alert.key, CASE_KEY_MAX);
    return err ? err : step_by_key(write, db, arena, &event);
}

/* A source that has been silent for as long as its kind says is an alarm; one that speaks again is green. */
static enum err write_source(struct case_write *write, struct db *db, struct arena *arena, const struct value *v)
{
    bool is_fresh = str_equal_c(v[SOURCE_HEALTH].s, "fresh");
    struct case_event event = {.what = is_fresh ? CASE_GREEN : CASE_ALERT,
        .alert = {.kind = STR("source.stale"), .area = v[SOURCE_AREA].s, .party = v[SOURCE_PARTY].s}};
    if (!is_fresh && v[SOURCE_TIME].i - v[SOURCE_SINCE].i < case_kind_find(write->desk->rules, event.alert.kind)->after_ms)
        return ERR_OK;
    enum err err = arena_printf(
        arena, &event.alert.key, "source.stale/" STR_FORMAT "/" STR_FORMAT, STR_ARG(v[SOURCE_PARTY].s), STR_ARG(v[SOURCE_NAME].s));
    if (!err)
        err = arena_printf(arena, &event.alert.title_zh, "数据源中断：" STR_FORMAT, STR_ARG(v[SOURCE_ZH].s));
    if (!err)
        err = arena_printf(arena, &event.alert.title_en, "Source silent: " STR_FORMAT, STR_ARG(v[SOURCE_EN].s));
    event.alert.detail = v[SOURCE_NAME].s;
    event.alert.key = cut(event.alert.key, CASE_KEY_MAX);
    return err ? err : step_by_key(write, db, arena, &event);
}

static enum err write_rows(struct case_write *write, struct db *db)
{
    struct arena arena;
    enum err err = ERR_OK;
    arena_init(&arena, BATCH_ARENA_MAX);
    for (size_t i = 0; i < rows_n(write->rows) && !err; i++) {
        arena_reset(&arena);
        const struct value *values = rows_at(write->rows, i);
        err = write->kind == CASE_WRITE_ALERTS ? write_alert(write, db, &arena, values) : write_source(write, db, &arena, values);
    }
    arena_finish(&arena);
    return err;
}

/* Time has gone by for these: a deadline, or how long a closed one is kept. */
static enum err tick_each(struct case_write *write, struct db *db, const int64_t *ids, size_t n)
{
    struct arena arena;
    const struct case_event event = {.what = CASE_TICK};
    enum err err = ERR_OK;
    arena_init(&arena, BATCH_ARENA_MAX);
    for (size_t i = 0; i < n && !err; i++) {
        struct case_record before;
        struct case_step step;
        arena_reset(&arena);
        err = case_store_get(db, ids[i], &arena, &before);
        if (!err)
            err = take_step(write, db, &before, &event, &step);
        if (!err && step.rule == 16)
            err = case_keep_end(db, ids[i]);
    }
    arena_finish(&arena);
    return err;
}

/* Closed cases that have been kept for long enough are told so, and deleted when the ledger knows. */
static enum err write_ends(struct case_write *write, struct db *db)
{
    struct case_desk *desk = write->desk;
    int64_t ids[CASE_KEEP_MAX];
    size_t n = 0;
    struct arena arena;
    arena_init(&arena, BATCH_ARENA_MAX);
    enum err err = case_keep_told(db, ids, CASE_KEEP_MAX, &n);
    for (size_t i = 0; i < n && !err; i++) {
        struct case_record record;
        arena_reset(&arena);
        err = case_store_get(db, ids[i], &arena, &record);
        if (!err)
            err = case_keep_delete(db, &record);
        if (!err)
            case_changes_add(&write->changes, &record);
    }
    arena_finish(&arena);
    bool is_time = write->now.ms - desk->looked_at_keeps_ms >= CASE_KEEP_EVERY_MS || write->now.ms < desk->looked_at_keeps_ms;
    if (err || !is_time)
        return err;
    err = case_keep_ended(db, desk->rules, write->now, ids, CASE_KEEP_MAX, &n);
    if (!err && n < CASE_KEEP_MAX) /* else there is more, in a second */
        desk->looked_at_keeps_ms = write->now.ms;
    return err ? err : tick_each(write, db, ids, n);
}

static enum err write_tick(struct case_write *write, struct db *db)
{
    int64_t ids[DUE_MAX];
    size_t n = 0;
    enum err err = case_store_due(db, write->now.ms, ids, DUE_MAX, &n);
    if (!err)
        err = tick_each(write, db, ids, n);
    return err ? err : write_ends(write, db);
}

/* A person's: the case must be one they may touch, else it is not there. */
static enum err write_step(struct case_write *write, struct db *db)
{
    struct case_desk *desk = write->desk;
    struct case_record before;
    struct case_step step;
    struct json_writer w;
    struct arena arena;
    arena_init(&arena, BATCH_ARENA_MAX);
    enum err err = write->id ? case_store_get(db, write->id, &arena, &before) : ERR_OK;
    if (!err && write->id && !case_may_act(desk->rules, &before, &write->viewer))
        err = case_may_see(&before, &write->viewer) ? ERR_DENIED : ERR_NOT_FOUND;
    if (!err)
        err = take_step(write, db, write->id ? &before : NULL, &write->event, &step);
    if (!err) {
        buf_reset(&write->json);
        json_writer_init(&w, &write->json);
        case_put(&w, &desk->words, &step.after, &write->viewer);
        write->id = step.after.id;
        err = write->json.err;
    }
    arena_finish(&arena);
    return err;
}

static enum err run_write(struct db_write *base, struct db *db)
{
    struct case_write *write = container_of(base, struct case_write, write);
    switch (write->kind) {
    case CASE_WRITE_TICK:
        return write_tick(write, db);
    case CASE_WRITE_STEP:
        return write_step(write, db);
    default:
        return write_rows(write, db);
    }
}

static bool is_disk(enum err err)
{
    return err == ERR_IO || err == ERR_DISK_FULL;
}

static void write_done(struct db_write *base)
{
    struct case_write *write = container_of(base, struct case_write, write);
    struct case_desk *desk = write->desk;
    if (is_disk(base->err) && desk->options.fatal)
        desk->options.fatal(desk->options.fatal_context, "cases", base->err);
    if (!base->err)
        case_live_tell(desk->live, &write->changes);
    write->done(write);
}

enum err case_desk_submit(struct case_write *write)
{
    write->write.run = run_write;
    write->write.done = write_done;
    buf_init(&write->json, ANSWER_MAX);
    return db_writer_submit(write->desk->writer, &write->write);
}

/* ---- on the desk's thread ---- */

static void own_done(struct case_write *write)
{
    if (write->write.err && write->write.err != ERR_CANCELLED)
        log_write(LOG_ERROR, "cases", "alerts or deadlines could not be written", LOG_ERR(write->write.err), LOG_END);
    if (write->kind == CASE_WRITE_TICK)
        atomic_fetch_sub(&write->desk->n_ticks_waiting, 1);
    rows_release(write->rows);
    buf_finish(&write->json);
    mem_free(write);
}

static enum err submit_own(struct case_desk *desk, int kind, struct rows *rows)
{
    struct case_write *write = mem_alloc_zero(1, sizeof *write);
    if (!write)
        return ERR_NO_MEMORY;
    *write =
        (struct case_write){.desk = desk, .now = clock_wall(desk->options.clock), .rows = rows ? rows_hold(rows) : NULL, .done = own_done};
    write->kind = kind;
    write->write.loop = loop_thread_loop(desk->thread);
    enum err err = case_desk_submit(write);
    if (err) {
        rows_release(write->rows);
        mem_free(write);
    }
    return err;
}

static void on_rows(void *context, const struct hub_window *window, struct rows *rows)
{
    struct case_input *input = context;
    enum err err = submit_own(input->desk, input->is_sources ? CASE_WRITE_SOURCES : CASE_WRITE_ALERTS, rows);
    if (err) /* sources tell themselves again each minute; whoever alerts tells again what is not settled */
        log_write(LOG_ERROR, "cases", "alerts were left out", LOG_ERR(err), LOG_END);
}

static void look_at_deadlines(struct case_desk *desk)
{
    if (atomic_load(&desk->n_ticks_waiting) > 0)
        return;
    atomic_fetch_add(&desk->n_ticks_waiting, 1);
    if (submit_own(desk, CASE_WRITE_TICK, NULL) != ERR_OK)
        atomic_fetch_sub(&desk->n_ticks_waiting, 1);
}

static void on_tick(struct loop_timer *timer)
{
    struct case_desk *desk = container_of(timer, struct case_desk, tick);
    look_at_deadlines(desk);
    case_leaves_tick(&desk->leaves);
    enum err err = loop_timer_start(timer->loop, timer, TICK_MS);
    if (err)
        log_write(LOG_ERROR, "cases", "deadlines are not looked at any more", LOG_ERR(err), LOG_END);
}

static enum err subscribe(struct case_desk *desk, struct str resource, const char *const *fields, size_t n_fields, bool is_sources)
{
    struct str names[HUB_FIELDS_MAX];
    struct hub_refusal refusal = {0};
    struct case_input *input = &desk->inputs[desk->n_inputs];
    for (size_t i = 0; i < n_fields; i++)
        names[i] = str_from_c(fields[i]);
    *input = (struct case_input){.desk = desk, .is_sources = is_sources};
    const struct hub_subscribe_options options = {.party = case_rules_party(desk->rules),
        .resource = resource,
        .purpose = case_rules_purpose(desk->rules),
        .fields = names,
        .n_fields = n_fields,
        .loop = loop_thread_loop(desk->thread),
        .when_full = BUS_REFUSE,
        .on_rows = on_rows,
        .context = input};
    enum err err = hub_keep_start(desk->options.hub, &options, &refusal, &input->keep);
    if (err)
        return diag_add(desk->diags, err, desk->options.rules_path, 0,
            "the stream \"" STR_FORMAT "\" is not granted to \"" STR_FORMAT "\" (rule %d); write a contract", STR_ARG(resource),
            STR_ARG(options.party), refusal.rule);
    desk->n_inputs++;
    return ERR_OK;
}

static void start_on_thread(void *context)
{
    struct case_desk *desk = context;
    enum err err = ERR_OK;
    for (size_t i = 0; i < case_rules_n_alerts(desk->rules) && !err; i++)
        err = subscribe(desk, case_rules_alert(desk->rules, i), hub_alert_fields, HUB_ALERT_N_FIELDS, false);
    if (!err && !str_is_empty(case_rules_source(desk->rules)))
        err = subscribe(desk, case_rules_source(desk->rules), source_fields, N_SOURCE_FIELDS, true);
    desk->tick.fn = on_tick;
    if (!err)
        err = loop_timer_start(loop_thread_loop(desk->thread), &desk->tick, TICK_MS);
    desk->start_err = err;
}

static void stop_on_thread(void *context)
{
    struct case_desk *desk = context;
    loop_timer_stop(&desk->tick);
    case_leaves_end(&desk->leaves);
    for (size_t i = 0; i < desk->n_inputs; i++)
        hub_keep_stop(desk->inputs[i].keep);
    desk->n_inputs = 0;
}

static void nothing(void *context)
{
    (void)context;
}

static void tick_on_thread(void *context)
{
    struct case_desk *desk = context;
    look_at_deadlines(desk);
    case_leaves_tick(&desk->leaves);
}

void case_desk_tick(struct case_desk *desk)
{
    loop_thread_call(desk->thread, tick_on_thread, desk);
    while (atomic_load(&desk->n_ticks_waiting) > 0)
        loop_thread_call(desk->thread, nothing, NULL);
}

/* ---- life ---- */

enum err case_check(const char *rules_path, const struct hub *hub, struct diag_list *diags)
{
    struct case_rules *rules;
    enum err err = case_rules_load(rules_path, hub, diags, &rules);
    if (!err)
        case_rules_destroy(rules);
    return err;
}

enum err case_desk_open(const struct case_desk_options *options, struct diag_list *diags, struct case_desk **ret_desk)
{
    struct diag diag = {""};
    struct db *db = NULL;
    struct case_desk *desk = mem_alloc_zero(1, sizeof *desk);
    if (!desk)
        return ERR_NO_MEMORY;
    desk->options = *options;
    enum err err = case_rules_load(options->rules_path, options->hub, diags, &desk->rules);
    if (err)
        goto failed;
    desk->words = (struct case_words){.rules = desk->rules, .hub = options->hub};
    err = db_open(options->store_path, &diag, &db);
    if (!err)
        err = db_migrate(db, case_migrations, case_n_migrations, &diag);
    if (!err)
        err = case_keep_open(db, &diag);
    if (!err)
        err = db_open(options->store_path, &diag, &desk->reader);
    if (!err)
        err = loop_thread_start(options->clock, "cases", &desk->thread);
    if (!err)
        err = loop_thread_start(options->clock, "case-list", &desk->reader_thread);
    if (!err)
        err = case_live_create(&desk->live);
    if (!err && (err = db_writer_create(db, CASE_WRITES_MAX, &desk->writer)) == ERR_OK)
        db = NULL; /* the writer's now */
    if (!err) {
        case_leaves_init(&desk->leaves, options->hub, desk->writer, loop_thread_loop(desk->thread));
        db_writer_on_failed_sync(desk->writer, options->fatal, options->fatal_context, "cases");
        *ret_desk = desk;
        return ERR_OK;
    }
    err = diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
failed:
    db_close(db);
    case_desk_close(desk);
    return err;
}

enum err case_desk_start(struct case_desk *desk, struct diag_list *diags)
{
    desk->diags = diags;
    loop_thread_call(desk->thread, start_on_thread, desk);
    desk->diags = NULL;
    return desk->start_err;
}

void case_desk_stop(struct case_desk *desk)
{
    if (desk)
        loop_thread_call(desk->thread, stop_on_thread, desk);
}

void case_desk_settle(struct case_desk *desk)
{
    if (desk)
        loop_thread_call(desk->thread, nothing, NULL);
}

struct busy {
    struct case_desk *desk;
    bool is;
};

static void look_at_leaves(void *context)
{
    struct busy *busy = context;
    case_leaves_end(&busy->desk->leaves);
    busy->is = busy->desk->leaves.is_busy;
}

/* Leaves under way come to their end, as the ledger's appends do. */
static void await_leaves(struct case_desk *desk)
{
    struct busy busy = {.desk = desk, .is = true};
    while (busy.is) {
        loop_thread_call(desk->thread, look_at_leaves, &busy);
        if (busy.is)
            usleep(1000);
    }
}

void case_desk_close(struct case_desk *desk)
{
    if (!desk)
        return;
    if (desk->thread && desk->writer)
        await_leaves(desk);
    if (desk->reader_thread) /* what was asked for is answered */
        loop_thread_call(desk->reader_thread, nothing, NULL);
    db_writer_destroy(desk->writer);
    if (desk->thread)
        loop_thread_call(desk->thread, nothing, NULL);
    loop_thread_stop(desk->reader_thread);
    db_close(desk->reader);
    loop_thread_stop(desk->thread);
    case_leaves_finish(&desk->leaves);
    case_live_destroy(desk->live);
    case_rules_destroy(desk->rules);
    mem_free(desk);
}

struct http_mount case_mount(struct case_desk *desk)
{
    return (struct http_mount){.routes = case_routes, .n_routes = case_n_routes, .context = desk, .schemas = case_schemas};
}

void case_measure(struct case_desk *desk, struct metric_page *page)
{
    if (desk)
        db_writer_measure(desk->writer, page, STR("cases"));
}
