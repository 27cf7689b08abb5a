/* See hub/pull.h. The place in the stream is the subscription's own; the provider keeps what was confirmed (hub/place.h). */
#include "hub/pull.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/parts.h"
#include "hub/place.h"

#define PULL_MAX (64u << 10) /* bytes of the copies */

struct hub_pull {
    struct hub_pull_options options;
    struct arena arena; /* the contract's and the fields' names: an asking may be under way when the subscription is gone */
    struct hub_place place;
    struct hub_take take;
    bool is_asking, is_stopped;
    _Atomic bool is_cancelled;
};

static void destroy(struct hub_pull *pull)
{
    hub_pull_end_window(pull);
    arena_finish(&pull->arena);
    mem_free(pull);
}

enum err hub_pull_create(const struct hub_pull_options *options, struct hub_pull **ret_pull)
{
    struct hub_pull *pull = mem_alloc_zero(1, sizeof *pull);
    if (!pull)
        return ERR_NO_MEMORY;
    arena_init(&pull->arena, PULL_MAX);
    pull->options = *options;
    struct str *fields = arena_alloc_zero(&pull->arena, options->n_fields + 1, sizeof *fields);
    enum err err = fields ? arena_copy_str(&pull->arena, options->contract, &pull->options.contract) : ERR_NO_MEMORY;
    for (size_t i = 0; !err && i < options->n_fields; i++)
        err = arena_copy_str(&pull->arena, options->fields[i], &fields[i]);
    pull->options.fields = fields;
    if (err)
        destroy(pull);
    else
        *ret_pull = pull;
    return err;
}

bool hub_pull_may_ask(const struct hub_pull *pull)
{
    const struct hub_pull_options *options = &pull->options;
    return !options->ops->may_take || options->ops->may_take(options->system);
}

bool hub_pull_is_asking(const struct hub_pull *pull)
{
    return pull->is_asking;
}

void hub_pull_end_window(struct hub_pull *pull)
{
    if (pull->take.window)
        pull->options.ops->close(pull->take.window);
    pull->take.window = NULL;
}

/* Those that did not come before, in their order, from rows[0] on; returns how many. */
static size_t place_rows(struct hub_pull *pull)
{
    struct hub_take *take = &pull->take;
    const struct hub_taken *taken = &take->taken;
    size_t skip, n = 0;
    uint64_t n_gone = hub_place_answer(&pull->place, taken->epoch, taken->first, taken->n, &skip);
    if (n_gone > 0)
        log_write(LOG_WARNING, "hub", "a stream of another hub goes on further on: what lay between is not there any more",
            LOG_STR("contract", take->contract), LOG_INT("records", (int64_t)n_gone), LOG_END);
    for (size_t i = 0; i < taken->n; i++) {
        struct rows *rows = take->rows[i];
        if (i < skip) {
            rows_release(rows);
            continue;
        }
        pull->place.next++;
        if (rows)
            take->rows[n++] = rows;
        else
            log_write(LOG_ERROR, "hub", "rows of another hub's stream are of another form than declared here, and left out",
                LOG_STR("contract", take->contract), LOG_END);
    }
    return n;
}

static void on_taken(struct hub_take *take)
{
    struct hub_pull *pull = container_of(take, struct hub_pull, take);
    struct hub *hub = pull->options.hub;
    pull->is_asking = false;
    if (pull->is_stopped) {
        for (size_t i = 0; i < take->taken.n && !take->err; i++)
            rows_release(take->rows[i]);
        destroy(pull);
    } else if (take->err) {
        pull->options.on_rows(pull->options.context, take->err, NULL, 0);
    } else {
        size_t n = place_rows(pull);
        hub_stream_watermark(take->resource, (struct wall_time){take->taken.watermark_ms});
        pull->options.on_rows(pull->options.context, ERR_OK, take->rows, n);
    }
    hub_work_end(hub);
}

void hub_pull_ask(struct hub_pull *pull, uint64_t intent)
{
    struct hub_pull_options *options = &pull->options;
    hub_place_confirm(&pull->place, clock_mono(options->hub->clock).ns / 1000000);
    void *window = pull->take.window;
    pull->take.resource = options->resource;
    pull->take.contract = options->contract;
    pull->take.fields = options->fields;
    pull->take.n_fields = options->n_fields;
    pull->take.intent = intent;
    pull->take.window = window;
    pull->take.epoch = pull->place.epoch;
    pull->take.from = pull->place.next;
    pull->take.confirmed = pull->place.confirmed;
    pull->take.is_cancelled = &pull->is_cancelled;
    pull->take.loop = options->loop;
    pull->take.done = on_taken;
    pull->take.taken.n = 0;
    pull->is_asking = true;
    hub_work_begin(options->hub); /* until on_taken() */
    options->ops->take(options->system, &pull->take);
}

void hub_pull_stop(struct hub_pull *pull)
{
    if (!pull)
        return;
    pull->is_stopped = true;
    atomic_store_explicit(&pull->is_cancelled, true, memory_order_relaxed);
    if (pull->is_asking)
        return;
    destroy(pull);
}
