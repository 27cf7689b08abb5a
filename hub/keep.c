/*
 * One timer and one subscription, never both.
 */
#include "hub/keep.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/parts.h"

#include <assert.h>

#define RETRY_FIRST_MS 1000
#define NAMES_MAX 65536 /* bytes of the copied options: 64 fields of 64 bytes, and four names */

struct hub_keep {
    struct hub *hub;
    struct arena arena;
    struct hub_subscribe_options options;  /* the owner's */
    struct str source;                     /* "stream/hangzhou/police/passage" */
    int64_t replay_ms;                     /* 0: none */
    struct hub_subscription *subscription; /* NULL: between two tries */
    struct loop_timer retry;
    int64_t pause_ms;
    struct wall_time ended, last_rows; /* 0 ms: never */
};

/* ---- what people see of it ---- */

static void report(struct hub_keep *keep, enum hub_health health, struct str detail)
{
    const struct hub_resource *resource = hub_resource_find(keep->hub, keep->options.resource);
    struct hub_source source = {
        .party = keep->options.party,
        .source = keep->source,
        .area = keep->hub->area,
        .title_zh = resource ? resource->title_zh : keep->options.resource,
        .title_en = resource ? resource->title_en : keep->options.resource,
        .health = health,
        .last_heard = keep->last_rows,
        .detail = detail,
    };
    hub_source_report(keep->hub, &source);
}

static const char *detail_of(const struct hub_refusal *why)
{
    static const char *const rules[DECIDE_N_RULES] = {
        [DECIDE_STATE] = HUB_DETAIL(rule_1),
        [DECIDE_NOT_YET] = HUB_DETAIL(rule_2),
        [DECIDE_OVER] = HUB_DETAIL(rule_3),
        [DECIDE_NOT_FRESH] = HUB_DETAIL(rule_4),
        [DECIDE_PER_SECOND] = HUB_DETAIL(rule_10),
        [DECIDE_PER_DAY] = HUB_DETAIL(rule_11),
        [DECIDE_PER_MONTH] = HUB_DETAIL(rule_12),
    };
    if (why->rule > 0 && why->rule < DECIDE_N_RULES && rules[why->rule])
        return rules[why->rule];
    return why->err == ERR_DENIED || why->err == ERR_NOT_FOUND ? HUB_DETAIL(no_contract)
           : why->err == ERR_NO_MEMORY                         ? HUB_DETAIL(no_memory)
                                                               : HUB_DETAIL(no_receipt);
}

/* ---- trying again ---- */

static void begin_again(struct hub_keep *keep, const struct hub_refusal *why)
{
    report(keep, HUB_STALE, str_from_c(detail_of(why)));
    if (loop_timer_start(keep->options.loop, &keep->retry, keep->pause_ms)) /* no memory for one timer: the process is at its end */
        log_write(LOG_ERROR, "hub", "a stream will not be begun again", LOG_STR("party", keep->options.party),
            LOG_STR("resource", keep->options.resource), LOG_END);
    keep->pause_ms = 2 * keep->pause_ms < HUB_KEEP_RETRY_MS ? 2 * keep->pause_ms : HUB_KEEP_RETRY_MS;
}

static void on_rows(void *context, const struct hub_window *window, struct rows *rows)
{
    struct hub_keep *keep = context;
    keep->last_rows = clock_wall(keep->hub->clock);
    keep->pause_ms = RETRY_FIRST_MS;
    keep->options.on_rows(keep->options.context, window, rows); /* may stop the keeping */
}

static void on_end(void *context, const struct hub_refusal *why)
{
    struct hub_keep *keep = context;
    log_write(LOG_WARNING, "hub", "a stream ended; it will be begun again when it is permitted", LOG_STR("party", keep->options.party),
        LOG_STR("resource", keep->options.resource), LOG_INT("rule", why->rule), LOG_ERR(why->err), LOG_END);
    hub_unsubscribe(keep->subscription);
    keep->subscription = NULL;
    keep->ended = clock_wall(keep->hub->clock);
    begin_again(keep, why);
}

static enum err begin(struct hub_keep *keep, struct hub_refusal *ret_refusal)
{
    struct hub_subscribe_options options = keep->options;
    options.on_rows = on_rows;
    options.on_end = on_end;
    options.context = keep;
    if (keep->replay_ms > 0 && keep->ended.ms > 0) {
        int64_t oldest_ms = clock_wall(keep->hub->clock).ms - keep->replay_ms;
        options.from_ms = keep->ended.ms > oldest_ms ? keep->ended.ms : oldest_ms;
    }
    return hub_subscribe(keep->hub, &options, ret_refusal, &keep->subscription);
}

static void on_retry(struct loop_timer *timer)
{
    struct hub_keep *keep = container_of(timer, struct hub_keep, retry);
    struct hub_refusal why = {0};
    enum err err = begin(keep, &why);
    if (err) {
        why.err = why.err ? why.err : err;
        begin_again(keep, &why);
        return;
    }
    log_write(LOG_NOTICE, "hub", "a stream has begun again", LOG_STR("party", keep->options.party),
        LOG_STR("resource", keep->options.resource), LOG_END);
    report(keep, HUB_FRESH, STR(""));
}

/* ---- life ---- */

static enum err copy_options(struct hub_keep *keep, const struct hub_subscribe_options *options)
{
    struct hub_subscribe_options *copy = &keep->options;
    *copy = *options;
    struct str *fields = arena_alloc_zero(&keep->arena, options->n_fields + 1, sizeof *fields);
    enum err err = fields ? arena_copy_str(&keep->arena, options->party, &copy->party) : ERR_NO_MEMORY;
    if (!err)
        err = arena_copy_str(&keep->arena, options->resource, &copy->resource);
    if (!err)
        err = arena_copy_str(&keep->arena, options->purpose, &copy->purpose);
    for (size_t i = 0; !err && i < options->n_fields; i++)
        err = arena_copy_str(&keep->arena, options->fields[i], &fields[i]);
    if (!err)
        err = arena_printf(&keep->arena, &keep->source, "stream/" STR_FORMAT, STR_ARG(options->resource));
    copy->fields = fields;
    return err;
}

/* State, dates and freshness, and the counters; the other rules are about what is asked, which stays the same. */
static bool may_pass(int rule)
{
    return (rule >= DECIDE_STATE && rule <= DECIDE_NOT_FRESH) || (rule >= DECIDE_PER_SECOND && rule <= DECIDE_PER_MONTH);
}

enum err hub_keep_start(
    struct hub *hub, const struct hub_subscribe_options *options, struct hub_refusal *ret_refusal, struct hub_keep **ret_keep)
{
    struct hub_keep *keep = mem_alloc_zero(1, sizeof *keep);
    struct hub_refusal why = {0};
    if (!keep)
        return ERR_NO_MEMORY;
    assert(!options->on_end);
    arena_init(&keep->arena, NAMES_MAX);
    keep->hub = hub;
    keep->retry.fn = on_retry;
    keep->pause_ms = RETRY_FIRST_MS;
    keep->replay_ms = options->from_ms > 0 ? clock_wall(hub->clock).ms - options->from_ms : 0;
    enum err err = options->n_fields > HUB_FIELDS_MAX ? ERR_TOO_LARGE : copy_options(keep, options);
    if (!err) {
        err = begin(keep, &why);
        if (err && may_pass(why.rule)) {
            begin_again(keep, &why);
            err = ERR_OK;
        }
    }
    if (!err) {
        *ret_keep = keep;
        return ERR_OK;
    }
    if (ret_refusal)
        *ret_refusal = why;
    hub_keep_stop(keep);
    return err;
}

void hub_keep_stop(struct hub_keep *keep)
{
    if (!keep)
        return;
    loop_timer_stop(&keep->retry);
    hub_unsubscribe(keep->subscription);
    arena_finish(&keep->arena);
    mem_free(keep);
}
