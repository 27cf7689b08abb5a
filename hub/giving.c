/* See hub/giving.h. */
#include "hub/giving.h"

#include "base/mem.h"
#include "hub/measure.h"
#include "hub/window.h"

struct given {
    struct hub *hub;
    struct hub_giving *giving;
    struct hub_contract *contract;
    struct decide_request request;
    struct hub_window_state *window;
    struct wall_time now;
    struct mono_time began;
    struct hub_waiter waiter;
    struct loop_task task;
};

static void refused(struct loop_task *task)
{
    struct given *given = container_of(task, struct given, task);
    struct hub_giving *giving = given->giving;
    mem_free(given);
    giving->started(giving);
}

static void refuse(struct given *given, const struct hub_refusal *refusal)
{
    given->giving->refusal = *refusal;
    hub_measure_use(given->hub, HUB_SUBSCRIBE, given->began, refusal->err);
    given->task.fn = refused;
    loop_post(given->giving->loop, &given->task);
}

static void refuse_err(struct given *given, enum err err)
{
    const struct hub_refusal refusal = {.err = err};
    refuse(given, &refusal);
}

static void on_window(void *context, struct hub_window_state *window, enum err err)
{
    struct given *given = context;
    struct hub_giving *giving = given->giving;
    if (err) {
        hub_quota_give_back(given->contract, given->now);
        hub_window_close(window, "unavailable");
        refuse_err(given, ERR_UNAVAILABLE);
        return;
    }
    given->window = window; /* here, since open_window() may be under way yet on another thread */
    hub_receipt(given->hub, hub_window_intent(window), giving->receipt);
    giving->started(giving);
}

static enum err open_window(struct given *given)
{
    const struct hub_giving *giving = given->giving;
    const struct hub_window_options options = {
        .contract = given->contract,
        .fields = giving->fields,
        .n_fields = giving->n_fields,
        .twin = giving->twin,
        .loop = giving->loop,
        .now = given->now,
        .on_ready = on_window,
        .context = given,
    };
    struct hub_window_state *window; /* on_window() has it: `given` may be gone when this returns */
    return hub_window_open(&options, &window);
}

static void start(struct given *given)
{
    struct hub *hub = given->hub;
    struct hub_refusal refusal = {0};
    if (atomic_load_explicit(&hub->is_stopping, memory_order_relaxed)) {
        refuse_err(given, ERR_UNAVAILABLE);
        return;
    }
    given->now = clock_wall(hub->clock);
    enum err err = hub_choose(hub, &given->request, given->giving->contract, given->now, true, &given->contract, &refusal);
    if (err == ERR_STATE) {
        if (!hub_wait(hub, &given->waiter))
            refuse_err(given, ERR_BUSY);
        return;
    }
    if (err) {
        refuse(given, &refusal);
        return;
    }
    err = open_window(given);
    if (err) {
        hub_quota_give_back(given->contract, given->now);
        refuse_err(given, err == ERR_FULL ? err : ERR_UNAVAILABLE);
    }
}

static void start_again(struct hub_waiter *waiter)
{
    start(container_of(waiter, struct given, waiter));
}

void hub_giving_start(struct hub *hub, struct hub_giving *giving)
{
    struct given *given = mem_alloc_zero(1, sizeof *given);
    giving->refusal = (struct hub_refusal){0};
    giving->receipt[0] = '\0';
    giving->hub_state = given;
    if (!given) { /* nothing can be posted without memory */
        giving->refusal = (struct hub_refusal){.err = ERR_NO_MEMORY};
        giving->started(giving);
        return;
    }
    given->hub = hub;
    given->giving = giving;
    given->began = clock_mono(hub->clock);
    given->waiter = (struct hub_waiter){.again = start_again};
    given->request = (struct decide_request){
        .party = giving->party,
        .resource = giving->resource,
        .use = STR("subscribe"),
        .purpose = giving->purpose,
        .fields = giving->fields,
        .n_fields = giving->n_fields,
        .subjects = DECIDE_NONE,
    };
    const struct hub_entry *entry = names_get(&hub->entry_names, giving->resource);
    if (!entry || entry->resource.kind != HUB_STREAM || giving->n_fields > HUB_FIELDS_MAX || giving->n_fields == 0) {
        struct hub_refusal refusal = hub_refusal_unknown();
        refuse(given, &refusal);
        return;
    }
    start(given);
}

enum err hub_giving_may(struct hub_giving *giving, int *ret_rule)
{
    struct given *given = giving->hub_state;
    *ret_rule = 0;
    enum err err = hub_contract_decide(given->contract, &given->request, clock_wall(given->hub->clock), false, ret_rule);
    return err ? err : *ret_rule ? ERR_DENIED : ERR_OK;
}

enum err hub_giving_add(struct hub_giving *giving, const struct rows *rows)
{
    struct given *given = giving->hub_state;
    return hub_window_add(given->window, rows, clock_mono(given->hub->clock));
}

enum err hub_giving_has_room(const struct hub_giving *giving)
{
    const struct given *given = giving->hub_state;
    if (hub_window_n_rows(given->window) >= (size_t)HUB_GIVING_WINDOWS * HUB_WINDOW_ROWS)
        return ERR_TOO_LARGE;
    bool is_old = hub_window_age_ms(given->window, clock_mono(given->hub->clock)) >= (int64_t)HUB_GIVING_WINDOWS * HUB_WINDOW_MS;
    return is_old ? ERR_TIMEOUT : ERR_OK;
}

void hub_giving_end(struct hub_giving *giving, enum err err)
{
    struct given *given = giving->hub_state;
    hub_measure_use(given->hub, HUB_SUBSCRIBE, given->began, err);
    hub_window_close(given->window, hub_outcome_status(err));
    mem_free(given);
}
