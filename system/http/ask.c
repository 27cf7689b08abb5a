/*
 * One asking on the system's loop: its constraints as requests, page after page, the rows through the sieve, within its time. Values of an
 * IN are asked one by one on a few lanes side by side; a department that says "later" (429, 503) is left alone for so long.
 */
#include "system/http/inside.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PAUSE_FIRST_MS 200 /* without a Retry-After; doubled each time */
#define PAUSE_MAX_MS 60000

struct http_run {
    struct http_system *system;
    const struct hub_plan *plan;
    struct hub_fetch *fetch;
    struct mono_time deadline;
    struct http_sieve *sieve;
    struct http_given given;
    uint64_t wanted;
    const struct sql_constraint *fan; /* asked value by value; NULL: once */
    size_t n_keys, next_key, n_lanes, n_busy, n_pages;
    bool is_whole;   /* has order or aggregates: nothing is answered before all is there */
    bool is_settled; /* nothing more is asked */
    enum err err;
    struct http_lane lanes[];
};

static const struct http_table *table_of(const struct http_run *run)
{
    return run->plan->table->own;
}

/* ---- the end ---- */

static void answered(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

static void answer(struct hub_fetch *fetch, enum err err)
{
    if (err) {
        rows_release(fetch->rows);
        fetch->rows = NULL;
        fetch->is_truncated = false;
    }
    fetch->err = err;
    fetch->task.fn = answered;
    loop_post(fetch->loop, &fetch->task);
}

static void finish(struct http_run *run)
{
    struct http_system *system = run->system;
    if (!run->err && (run->is_whole || !run->fetch->rows))
        run->err = http_sieve_take(run->sieve, run->fetch);
    http_sieve_close(run->sieve);
    for (size_t i = 0; i < run->n_lanes; i++) {
        buf_finish(&run->lanes[i].url);
        buf_finish(&run->lanes[i].body);
        buf_finish(&run->lanes[i].cursor);
    }
    answer(run->fetch, run->err);
    atomic_fetch_sub(&system->n_open, 1);
    mem_free(run);
}

static void fail(struct http_run *run, enum err err)
{
    if (!run->err)
        run->err = err;
    run->is_settled = true;
}

/* ---- lanes ---- */

static void want(struct http_lane *lane)
{
    struct http_system *system = lane->run->system;
    lane->is_waiting = true;
    lane->next = NULL;
    *system->last_waiting = lane;
    system->last_waiting = &lane->next;
}

/* Nothing is asked of a value that is NULL, which equals nothing, or of one a second time, which would bring its rows twice. */
static bool is_idle_key(const struct http_run *run, const struct http_given *given, size_t key)
{
    for (size_t i = 0; i < run->plan->table->resource->n_fields; i++)
        if ((table_of(run)->required >> i & 1) && given->eq[i]->type == VALUE_NULL)
            return true;
    for (size_t i = 0; run->fan && i < key; i++)
        if (value_equal(run->fan->values[i], run->fan->values[key]))
            return true;
    return false;
}

/* The request of the lane's page, or of its next key's first one. False: the lane has nothing more to ask. */
static bool next_page(struct http_lane *lane, bool is_begun)
{
    struct http_run *run = lane->run;
    const struct http_table *table = table_of(run);
    if (hub_fetch_is_cancelled(run->fetch))
        fail(run, ERR_CANCELLED);
    while (!run->is_settled) {
        if (!is_begun) {
            if (run->next_key == run->n_keys)
                return false;
            lane->key = run->next_key++;
            lane->number = table->pages.first;
            lane->n_pages = 0;
            buf_reset(&lane->cursor);
        }
        struct http_given given = run->given;
        if (run->fan)
            given.eq[run->fan->column] = &run->fan->values[lane->key];
        if (!is_begun && is_idle_key(run, &given, lane->key))
            continue;
        const struct http_at at = {&table->pages, lane->number, buf_str(&lane->cursor)};
        lane->n_tries = 0;
        enum err err = ERR_OK;
        if (!(is_begun && table->pages.by == HTTP_BY_LINK)) /* its URL is the link's */
            err = http_form_write(run->system, &table->form, &table->mapping, &given, &at, &lane->url, &lane->body);
        if (!err)
            return true;
        if (err != ERR_NOT_FOUND || is_begun)
            fail(run, err == ERR_NOT_FOUND ? ERR_UNAVAILABLE : err == ERR_UNSUPPORTED ? ERR_RANGE : err);
    }
    return false;
}

static void advance(struct http_lane *lane, bool is_begun)
{
    struct http_run *run = lane->run;
    if (next_page(lane, is_begun))
        want(lane);
    else if (--run->n_busy == 0)
        finish(run);
}

/* ---- answers ---- */

static void stale(struct http_run *run, enum err err, const char *detail)
{
    hub_department_report(&run->system->department, HUB_STALE, detail);
    fail(run, err);
}

static bool has_fan_value(const struct http_lane *lane, const struct value *values)
{
    const struct sql_constraint *fan = lane->run->fan;
    return !fan || value_equal(values[fan->column], fan->values[lane->key]);
}

static void take_row(struct http_lane *lane, const json_t *row, struct arena *arena)
{
    struct http_run *run = lane->run;
    const struct hub_resource *resource = run->plan->table->resource;
    struct value values[HUB_FIELDS_MAX];
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    size_t field;
    arena_reset(arena);
    enum err err = hub_mapping_row(&table_of(run)->mapping, row, run->wanted, arena, values, &field);
    if (err == ERR_SYNTAX) {
        hub_detail_put(detail, sizeof detail, HUB_DETAIL(value_type), STR_FORMAT "|%s", STR_ARG(resource->fields[field].name),
            value_type_name(resource->fields[field].type));
        stale(run, ERR_CORRUPT, detail);
        return;
    }
    if (!err && has_fan_value(lane, values))
        err = http_sieve_add(run->sieve, values);
    if (err)
        fail(run, err);
}

/* False: there is no next page. */
static bool find_next(struct http_lane *lane, const json_t *json, size_t n_rows, const char *links)
{
    struct http_run *run = lane->run;
    const struct http_pages *pages = &table_of(run)->pages;
    char text[24];
    if (pages->by == HTTP_BY_NUMBER || pages->by == HTTP_BY_OFFSET) {
        lane->number += pages->by == HTTP_BY_NUMBER ? 1 : (int64_t)n_rows;
        return n_rows > 0 && (int64_t)n_rows >= pages->size;
    }
    if (pages->by == HTTP_BY_CURSOR) {
        const json_t *next = hub_pointer_find(&pages->next, json);
        struct str cursor = {json_string_value(next), json_string_length(next)};
        if (json_is_integer(next)) {
            int n = snprintf(text, sizeof text, "%lld", (long long)json_integer_value(next));
            cursor = (struct str){text, (size_t)n};
        }
        if (cursor.len == 0)
            return false;
        bool is_same = str_equal(cursor, buf_str(&lane->cursor));
        buf_reset(&lane->cursor);
        buf_append_str(&lane->cursor, cursor);
        if (is_same || lane->cursor.err)
            stale(run, ERR_UNAVAILABLE, HUB_DETAIL(interface_pages));
        return true;
    }
    if (pages->by == HTTP_BY_LINK) {
        char before[HTTP_URL_MAX + 1] = "";
        (void)!str_to_c(buf_str(&lane->url), before, sizeof before);
        enum err err = http_link_next(run->system, str_from_c(links), &lane->url);
        if (err == ERR_NOT_FOUND)
            return false;
        if (err || str_equal_c(buf_str(&lane->url), before))
            stale(run, ERR_UNAVAILABLE, HUB_DETAIL(interface_pages));
        return true;
    }
    return false;
}

/* A list of rows, or one row as an object. */
static void take_page(struct http_lane *lane, const json_t *json, const char *links)
{
    struct http_run *run = lane->run;
    const json_t *rows = hub_pointer_find(&table_of(run)->rows, json);
    size_t n = json_is_array(rows) ? json_array_size(rows) : json_is_object(rows) ? 1 : 0;
    struct arena arena;
    if (!json_is_array(rows) && !json_is_object(rows)) {
        stale(run, ERR_CORRUPT, HUB_DETAIL(interface_json));
        advance(lane, false);
        return;
    }
    arena_init(&arena, HTTP_PAGE_BYTES);
    for (size_t i = 0; i < n && !run->is_settled; i++)
        take_row(lane, json_is_array(rows) ? json_array_get(rows, i) : rows, &arena);
    arena_finish(&arena);
    if (!run->is_settled && !run->is_whole) {
        enum err err = http_sieve_take(run->sieve, run->fetch);
        if (err)
            fail(run, err);
        else if (run->fetch->is_truncated)
            run->is_settled = true; /* enough */
    }
    bool has_next = !run->is_settled && find_next(lane, json, n, links);
    lane->n_pages++;
    if (has_next && ++run->n_pages >= HTTP_PAGES_MAX)
        stale(run, ERR_TOO_LARGE, HUB_DETAIL(interface_pages));
    advance(lane, has_next);
}

static void take_answer(struct http_lane *lane, const struct http_response *response)
{
    struct http_run *run = lane->run;
    json_t *json = NULL;
    enum err err = json_read(buf_str(&response->body), NULL, &json);
    if (err) {
        stale(run, err == ERR_NO_MEMORY ? err : ERR_CORRUPT, HUB_DETAIL(interface_json));
        advance(lane, false);
        return;
    }
    hub_department_report(&run->system->department, HUB_FRESH, "");
    take_page(lane, json, response->link);
    json_decref(json);
}

static bool is_later(const struct http_response *response)
{
    return response && (response->status == 429 || response->status == 503);
}

/* Not reached at all, or reached and not trusted. */
const char *http_unreachable(enum http_tls_fault tls)
{
    static const char *const codes[] = {[HTTP_TLS_NONE] = HUB_DETAIL(interface_unreachable),
        [HTTP_TLS_SPEECH] = HUB_DETAIL(interface_no_tls),
        [HTTP_TLS_ISSUER] = HUB_DETAIL(interface_issuer),
        [HTTP_TLS_NAME] = HUB_DETAIL(interface_name),
        [HTTP_TLS_TIME] = HUB_DETAIL(interface_expired),
        [HTTP_TLS_FILE] = HUB_DETAIL(interface_ca)};
    return codes[tls];
}

void http_tell(struct http_system *system, enum err err, const struct http_response *response)
{
    char detail[HUB_DEPARTMENT_DETAIL_MAX] = "";
    struct mono_time now = clock_mono(system->department.clock);
    bool is_unreachable = err == ERR_UNAVAILABLE;
    if (atomic_load(&system->is_stopping) || err == ERR_CANCELLED)
        return;
    if (is_later(response) || is_unreachable) {
        int64_t said_ms = response ? response->retry_after_ms : -1;
        system->back_off_ms = system->back_off_ms ? 2 * system->back_off_ms : PAUSE_FIRST_MS;
        if (system->back_off_ms > PAUSE_MAX_MS / 10)
            system->back_off_ms = PAUSE_MAX_MS / 10;
        int64_t pause_ms = said_ms < 0 ? system->back_off_ms : said_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : said_ms;
        system->open_again.ns = now.ns + pause_ms * 1000000;
    } else if (!err && response->status < 500) {
        system->back_off_ms = 0;
    }
    system->is_down = is_unreachable;
    if (is_unreachable)
        snprintf(detail, sizeof detail, "%s", http_unreachable(system->tls));
    else if (err == ERR_TIMEOUT)
        hub_detail_put(detail, sizeof detail, HUB_DETAIL(interface_slow), "%lld", (long long)system->timeout_ms);
    else if (err == ERR_TOO_LARGE)
        hub_detail_put(detail, sizeof detail, HUB_DETAIL(interface_large), "%u", HTTP_PAGE_BYTES >> 20);
    else if (!err && is_later(response))
        hub_detail_put(detail, sizeof detail, HUB_DETAIL(interface_later), "%d", response->status);
    else if (!err && response->status / 100 == 3)
        hub_detail_put(detail, sizeof detail, HUB_DETAIL(interface_redirect), "%d", response->status);
    else if (!err && response->status / 100 != 2)
        hub_detail_put(detail, sizeof detail, HUB_DETAIL(interface_status), "%d", response->status);
    if (response && (response->status == 401 || response->status == 403))
        system->secret_read.ns = 0; /* a new one may lie there */
    if (detail[0])
        hub_department_report(&system->department, is_unreachable ? HUB_DOWN : HUB_STALE, detail);
}

/* "Later": the lane waits for the end of the pause, when there is time for that. */
static bool try_again(struct http_lane *lane)
{
    const struct http_run *run = lane->run;
    if (run->is_settled || run->system->open_again.ns >= run->deadline.ns || ++lane->n_tries >= HTTP_TRIES_MAX)
        return false;
    want(lane);
    return true;
}

static void remove_active(struct http_system *system, const struct http_lane *lane)
{
    size_t i = 0;
    while (system->active[i] != lane)
        i++;
    system->active[i] = system->active[--system->n_active];
}

static void on_done(void *context, enum err err, const struct http_response *response)
{
    struct http_lane *lane = context;
    struct http_run *run = lane->run;
    struct http_system *system = run->system;
    const struct http_table *table = table_of(run);
    remove_active(system, lane);
    if (err == ERR_SYNTAX)
        err = ERR_UNAVAILABLE; /* it does not speak HTTP */
    if (response && table->none_status && response->status == table->none_status) {
        hub_department_report(&system->department, HUB_FRESH, "");
        advance(lane, false);
    } else {
        http_tell(system, err, response);
        if ((is_later(response) || err == ERR_UNAVAILABLE) && !atomic_load(&system->is_stopping) && try_again(lane)) {
            http_pump(system);
            return;
        }
        if (!err && response->status / 100 == 2) {
            take_answer(lane, response);
        } else {
            fail(run, err == ERR_CANCELLED ? ERR_UNAVAILABLE : err ? err : response->status == 429 ? ERR_FULL : ERR_UNAVAILABLE);
            advance(lane, false);
        }
    }
    if (!atomic_load(&system->is_stopping))
        http_pump(system);
}

/* ---- waiting ---- */

/* A lane goes, is dropped because its asking is over, or stays. */
static bool has_to_stay(struct http_system *system, struct http_lane *lane)
{
    struct http_run *run = lane->run;
    struct mono_time now = clock_mono(system->department.clock);
    bool is_paused = now.ns < system->open_again.ns;
    if (atomic_load(&system->is_stopping))
        fail(run, ERR_UNAVAILABLE);
    else if (hub_fetch_is_cancelled(run->fetch))
        fail(run, ERR_CANCELLED);
    else if (now.ns >= run->deadline.ns)
        fail(run, ERR_TIMEOUT);
    else if (is_paused && system->is_down && system->back_off_ms > PAUSE_FIRST_MS)
        fail(run, ERR_UNAVAILABLE); /* it was tried again, and is down */
    else if (is_paused && run->deadline.ns <= system->open_again.ns)
        fail(run, system->is_down ? ERR_UNAVAILABLE : ERR_FULL);
    if (!run->is_settled && (is_paused || system->n_active >= (size_t)system->n_connections))
        return true;
    lane->is_waiting = false;
    if (run->is_settled) {
        advance(lane, false);
        return false;
    }
    system->active[system->n_active++] = lane;
    enum err err = http_request(system, &table_of(run)->form, buf_str(&lane->url), buf_str(&lane->body),
        mono_ms_between(now, run->deadline) + 1, NULL, on_done, lane);
    if (err) {
        remove_active(system, lane);
        fail(run, err == ERR_SYNTAX ? ERR_RANGE : err);
        advance(lane, false);
    }
    return false;
}

void http_pump(struct http_system *system)
{
    struct http_lane *lane = system->waiting;
    system->waiting = NULL;
    system->last_waiting = &system->waiting;
    for (struct http_lane *next; lane; lane = next) {
        next = lane->next;
        if (has_to_stay(system, lane))
            want(lane);
    }
}

void http_end_cancelled(struct http_system *system)
{
    for (size_t i = 0; i < system->n_active;) {
        struct http_lane *lane = system->active[i];
        if (!hub_fetch_is_cancelled(lane->run->fetch)) {
            i++;
            continue;
        }
        fail(lane->run, ERR_CANCELLED);
        http_client_cancel(system->client, lane); /* on_done() takes it out of the list, and others may have come into it */
        i = 0;
    }
}

/* ---- the beginning ---- */

/* A value of an IN that the interface can be asked for is asked one by one. */
static void choose_fan(struct http_run *run)
{
    const struct hub_fetch *fetch = run->fetch;
    const struct http_table *table = table_of(run);
    run->n_keys = 1;
    for (size_t i = 0; i < fetch->n_where && !run->fan; i++) {
        const struct sql_constraint *it = &fetch->where[i];
        uint64_t bit = UINT64_C(1) << it->column;
        bool is_useful = it->op == SQL_IN && !run->given.eq[it->column] && (table->form.used & bit);
        if (!is_useful || (!(table->required & bit) && it->n_values > HTTP_FAN_MAX))
            continue;
        run->fan = it;
        run->n_keys = it->n_values;
    }
}

/* What is known of each field: the asker's own, else the contract's or the query's condition. */
static void gather(struct http_run *run)
{
    const struct hub_fetch *fetch = run->fetch;
    const struct http_table *table = table_of(run);
    struct http_given *given = &run->given;
    for (size_t i = 0; i < fetch->n_where; i++) {
        const struct sql_constraint *it = &fetch->where[i];
        run->wanted |= UINT64_C(1) << it->column;
        if (it->op == SQL_EQ)
            given->eq[it->column] = it->values;
        else if (it->op == SQL_GE || it->op == SQL_GT)
            given->ge[it->column] = it->values;
        else if (it->op == SQL_LE || it->op == SQL_LT)
            given->le[it->column] = it->values;
    }
    for (uint16_t i = 0; i < table->resource->n_fields; i++) {
        if (!given->eq[i])
            given->eq[i] = sql_condition_fixed(run->plan->rows, i);
        if (!given->eq[i])
            given->eq[i] = sql_condition_fixed(fetch->also, i);
    }
    choose_fan(run);
}

static enum err check(const struct http_run *run)
{
    const struct hub_fetch *fetch = run->fetch;
    const struct http_table *table = table_of(run);
    if (fetch->n_outputs > HTTP_OUTPUTS_MAX)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < table->resource->n_fields; i++)
        if ((table->required >> i & 1) && !run->given.eq[i] && !(run->fan && run->fan->column == i))
            return ERR_RANGE;
    return ERR_OK;
}

static void begin(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    struct http_run *run = fetch->system_state;
    struct http_system *system = run->system;
    run->wanted = sql_condition_columns(run->plan->rows) | sql_condition_columns(fetch->also);
    for (size_t i = 0; i < fetch->n_outputs; i++) {
        const struct sql_output *output = &fetch->outputs[i];
        assert(output->aggregate == SQL_COUNT_ALL || run->plan->granted >> output->column & 1); /* decided so */
        run->is_whole |= output->aggregate != SQL_PLAIN;
        run->wanted |= output->aggregate == SQL_COUNT_ALL ? 0 : UINT64_C(1) << output->column;
    }
    run->is_whole |= fetch->n_order > 0;
    for (size_t i = 0; i < fetch->n_order; i++)
        run->wanted |= UINT64_C(1) << fetch->order[i].column;
    gather(run);
    enum err err = atomic_load(&system->is_stopping) ? ERR_UNAVAILABLE : check(run);
    if (!err)
        err = http_sieve_open(run->plan, fetch, &run->sieve);
    if (err)
        fail(run, err);
    run->n_busy = run->n_keys < run->n_lanes ? run->n_keys + (run->n_keys == 0) : run->n_lanes;
    size_t n = run->n_busy;
    for (size_t i = 0; i < n; i++) /* the last one may end the run */
        advance(&run->lanes[i], false);
    http_pump(system);
}

void http_fetch(void *context, struct hub_fetch *fetch)
{
    struct hub_plan *plan = context;
    struct http_system *system = plan->system;
    size_t n_lanes = (size_t)system->n_connections;
    struct http_run *run = NULL;
    fetch->rows = NULL;
    fetch->is_truncated = false;
    enum err err = atomic_load(&system->is_stopping) || !system->thread ? ERR_UNAVAILABLE : ERR_OK;
    if (!err && atomic_fetch_add(&system->n_open, 1) >= HTTP_OPEN_MAX) {
        atomic_fetch_sub(&system->n_open, 1);
        metric_add(&system->n_refused, 1);
        err = ERR_FULL;
    }
    if (!err && !(run = mem_alloc_zero(1, sizeof *run + n_lanes * sizeof *run->lanes))) {
        atomic_fetch_sub(&system->n_open, 1);
        err = ERR_NO_MEMORY;
    }
    if (err) {
        answer(fetch, err);
        return;
    }
    run->system = system;
    run->plan = plan;
    run->fetch = fetch;
    run->n_lanes = n_lanes;
    run->deadline.ns = clock_mono(system->department.clock).ns + system->timeout_ms * 1000000;
    for (size_t i = 0; i < n_lanes; i++) {
        run->lanes[i].run = run;
        buf_init(&run->lanes[i].url, HTTP_URL_MAX);
        buf_init(&run->lanes[i].body, HTTP_BODY_MAX);
        buf_init(&run->lanes[i].cursor, HTTP_CURSOR_MAX);
    }
    fetch->system_state = run;
    fetch->task.fn = begin;
    loop_post(loop_thread_loop(system->thread), &fetch->task);
}
