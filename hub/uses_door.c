/*
 * GET /hub/v1/uses/mine: asked on a door's loop → this process's own part on the index's thread and, at the same time, those of the hub's
 * other processes over the bus → all there, or given up → merged by time → answered, with who did not answer. And what stands behind a
 * receipt of any of these logs.
 */
#include "base/mem.h"
#include "hub/uses_inside.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (4u << 20)
#define ARENA_MAX (16u << 20) /* 64 pages of 200 uses */
#define QUESTION_MAX (HUB_USES_SUBJECT_MAX + 64)
#define TOO_MANY "too many ask at this moment; try again"

struct page;
struct asked {
    struct hub_others_ask ask;
    struct page *page;
    struct buf answer; /* as it came; read when all are there */
};

struct page {
    struct hub *hub;
    struct hub_uses *uses;
    struct http_exchange *x;
    struct loop *loop;
    struct str subject; /* the exchange's */
    size_t n_max, n_parts, n_pending;
    struct loop_task task;
    struct arena arena; /* of the own part, then of all */
    enum err err;
    int64_t n_days;
    bool is_unnamed;                               /* a process follows that has not told yet which log is its own */
    struct hub_uses_part parts[HUB_USES_LOGS_MAX]; /* the first: this process's own */
    struct asked asked[HUB_USES_LOGS_MAX];
    char logs[HUB_USES_LOGS_MAX][HUB_USES_LOG_MAX];
};

/* ---- the answer ---- */

static void put_use(struct json_writer *w, const struct hub *hub, struct str log, const struct hub_use_info *use)
{
    struct hub_contract_info contract;
    const struct hub_resource *resource = hub_resource_find(hub, use->resource);
    char receipt[HUB_USES_LOG_MAX + 32];
    snprintf(receipt, sizeof receipt, STR_FORMAT "/%llu", STR_ARG(log), (unsigned long long)use->index);
    json_begin_object(w);
    json_field_c(w, "receipt", receipt);
    json_field_i64(w, "time", use->time_ms);
    json_field_str(w, "use", use->use);
    hub_put_party(w, hub, "consumer", use->consumer);
    hub_put_party(w, hub, "provider", use->provider);
    json_field_str(w, "resource", use->resource);
    hub_put_title(w, "resource_title", resource ? resource->title_zh : use->resource, resource ? resource->title_en : use->resource);
    json_field_str(w, "contract", use->contract);
    json_field_str(w, "purpose", use->purpose);
    bool has_contract = hub_contract_find(hub, use->contract, &contract);
    hub_put_title(w, "legal_basis", has_contract ? contract.legal_basis_zh : STR_NONE, has_contract ? contract.legal_basis_en : STR_NONE);
    json_field_i64(w, "keep_ms", has_contract ? contract.keep_ms : 0);
    json_key(w, "may_see"); /* what the contract grants at most; which of them were asked for is in the receipt's opening */
    json_begin_array(w);
    for (size_t i = 0; has_contract && i < contract.n_fields; i++)
        json_put_str(w, contract.fields[i]);
    json_end_array(w);
    json_end_object(w);
}

static void put_next(struct json_writer *w, const struct page *page)
{
    struct buf cursor;
    json_key(w, "next");
    if (!hub_uses_has_next(page->parts, page->n_parts)) {
        json_put_null(w);
        return;
    }
    buf_init(&cursor, HUB_USES_CURSOR_MAX);
    hub_uses_cursor_write(page->parts, page->n_parts, &cursor);
    json_put_str(w, buf_str(&cursor));
    if (cursor.err) /* no page without a way on */
        w->out->err = cursor.err;
    buf_finish(&cursor);
}

static void put_page(struct page *page, struct buf *out)
{
    struct hub_uses_taken taken[HUB_USES_PAGE_MAX];
    struct json_writer w;
    bool is_complete = !page->is_unnamed;
    size_t n = hub_uses_merge(page->parts, page->n_parts, page->n_max, taken);
    for (size_t i = 0; i < page->n_parts; i++)
        is_complete = is_complete && !page->parts[i].err && page->parts[i].is_complete;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_field_i64(&w, "time", clock_wall(page->hub->clock).ms);
    json_key(&w, "subject");
    json_put_raw(&w, page->subject);
    json_field_i64(&w, "days", page->n_days);
    json_field_bool(&w, "complete", is_complete);
    json_key(&w, "unanswered");
    json_begin_array(&w);
    for (size_t i = 0; i < page->n_parts; i++)
        if (page->parts[i].err)
            json_put_str(&w, page->parts[i].log);
    json_end_array(&w);
    json_key(&w, "uses");
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++)
        put_use(&w, page->hub, taken[i].part->log, taken[i].use);
    json_end_array(&w);
    put_next(&w, page);
    json_end_object(&w);
}

/* One that answers with what is no answer has not answered. */
static void read_parts(struct page *page)
{
    for (size_t i = 1; i < page->n_parts; i++) {
        struct hub_uses_part *part = &page->parts[i];
        const struct asked *asked = &page->asked[i];
        part->err = asked->ask.err ? asked->ask.err : asked->answer.err;
        enum err err = part->err ? ERR_OK : hub_uses_part_read(&page->arena, buf_str(&asked->answer), page->n_max, part);
        if (err)
            part->err = err;
        if (part->err)
            metric_add(&page->hub->others.n_unanswered, 1);
    }
}

static void finish(struct page *page)
{
    struct hub *hub = page->hub;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    if (!page->err) {
        read_parts(page);
        put_page(page, &out);
        page->err = out.err;
    }
    http_add_header(page->x, "Cache-Control", STR("no-store"));
    if (page->err)
        http_reply_err(page->x, page->err, STR("the uses could not be read"));
    else
        http_reply_json(page->x, 200, buf_str(&out));
    buf_finish(&out);
    for (size_t i = 0; i < page->n_parts; i++)
        buf_finish(&page->asked[i].answer);
    arena_finish(&page->arena);
    hub_others_give_back(hub, page->n_parts - 1);
    mem_free(page);
    atomic_fetch_sub(&hub->others.n_asked, 1);
    hub_work_end(hub);
}

static void one_is_there(struct page *page)
{
    if (--page->n_pending == 0)
        finish(page);
}

/* ---- asking ---- */

static void on_own(struct loop_task *task)
{
    one_is_there(container_of(task, struct page, task));
}

static void collect_on_thread(struct loop_task *task)
{
    struct page *page = container_of(task, struct page, task);
    page->err = uses_collect(page->uses, page->subject, page->n_max, &page->arena, &page->parts[0], &page->n_days);
    page->task.fn = on_own;
    loop_post(page->loop, &page->task);
}

static void on_other(struct hub_others_ask *ask)
{
    struct asked *asked = container_of(ask, struct asked, ask);
    if (!ask->err)
        buf_append_str(&asked->answer, ask->answer);
    one_is_there(asked->page);
}

static void ask_other(struct page *page, size_t at)
{
    struct asked *asked = &page->asked[at];
    const struct hub_uses_question question = {
        .what = HUB_USES_LIST, .subject = page->subject, .before = page->parts[at].before, .n_max = (uint16_t)page->n_max};
    struct buf bytes;
    buf_init(&bytes, QUESTION_MAX);
    hub_uses_question_write(&question, &bytes);
    asked->page = page;
    buf_init(&asked->answer, HUB_USES_ANSWER_MAX + 64);
    asked->ask = (struct hub_others_ask){.log = page->parts[at].log, .bytes = buf_str(&bytes), .loop = page->loop, .done = on_other};
    hub_others_ask(page->hub, &asked->ask);
    buf_finish(&bytes);
}

static bool take_place(struct hub *hub)
{
    if (atomic_fetch_add(&hub->others.n_asked, 1) < HUB_USES_ASKED_MAX)
        return true;
    atomic_fetch_sub(&hub->others.n_asked, 1);
    metric_add(&hub->others.n_refused, 1);
    return false;
}

/* Whom to ask, and from where on. */
static enum err begin_page(struct page *page, struct str before)
{
    struct hub *hub = page->hub;
    page->is_unnamed = atomic_load(&hub->feed.n_unnamed) > 0;
    page->n_parts = 1 + hub_uses_logs(hub, page->logs + 1);
    page->parts[0].log = hub_log(hub);
    page->parts[0].before = HUB_USES_FROM_TOP;
    for (size_t i = 1; i < page->n_parts; i++)
        page->parts[i] = (struct hub_uses_part){.log = str_from_c(page->logs[i]), .before = HUB_USES_FROM_TOP};
    return str_is_empty(before) ? ERR_OK : hub_uses_cursor_read(before, page->parts, page->n_parts);
}

static void handle_mine(struct http_exchange *x, void *context)
{
    struct hub_uses *uses = context;
    struct hub *hub = uses->hub;
    struct str limit = http_query(x, "limit");
    int64_t n_max = 50;
    if (!str_is_empty(limit) && (str_to_i64(limit, &n_max) || n_max < 1 || n_max > HUB_USES_PAGE_MAX)) {
        http_reply_err(x, ERR_RANGE, STR("limit is from 1 to 200"));
        return;
    }
    if (!take_place(hub)) {
        http_reply_err(x, ERR_FULL, STR(TOO_MANY));
        return;
    }
    struct page *page = mem_alloc_zero(1, sizeof *page);
    if (page)
        *page = (struct page){
            .hub = hub, .uses = uses, .x = x, .loop = http_loop(x), .subject = http_identity(x)->subject, .n_max = (size_t)n_max};
    enum err err = page ? begin_page(page, http_query(x, "before")) : ERR_NO_MEMORY;
    if (!err && !hub_others_take(hub, page->n_parts - 1))
        err = ERR_FULL;
    if (err) {
        mem_free(page);
        atomic_fetch_sub(&hub->others.n_asked, 1);
        if (err == ERR_SYNTAX)
            http_reply_err(x, ERR_RANGE, STR("before is what \"next\" said"));
        else
            http_reply_err(x, err, STR(TOO_MANY));
        return;
    }
    hub_work_begin(hub);
    arena_init(&page->arena, ARENA_MAX);
    page->n_pending = page->n_parts + 1; /* and this one */
    page->task.fn = collect_on_thread;
    loop_post(loop_thread_loop(uses->thread), &page->task);
    for (size_t i = 1; i < page->n_parts; i++)
        ask_other(page, i);
    one_is_there(page);
}

/* ---- what stands behind a receipt ---- */

struct fetching {
    struct hub_others_ask ask;
    struct http_exchange *x;
    struct hub *hub;
    enum hub_uses_what what;
};

static void reply(struct http_exchange *x, enum hub_uses_what what, enum err err, struct str json)
{
    (what == HUB_USES_OPENING ? hub_reply_opening : hub_reply_receipt)(x, err, json);
}

static void on_fetched(struct hub_others_ask *ask)
{
    struct fetching *fetching = container_of(ask, struct fetching, ask);
    struct hub *hub = fetching->hub;
    struct str json = STR_NONE;
    enum err told = ERR_OK;
    enum err err = ask->err ? ask->err : hub_uses_json_read(fetching->what, ask->answer, &json, &told);
    if (err)
        http_reply_err(fetching->x, err == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE,
            STR("the process of the hub that keeps this log does not answer; try again"));
    else
        reply(fetching->x, fetching->what, told, json);
    hub_others_give_back(hub, 1);
    atomic_fetch_sub(&hub->others.n_asked, 1);
    hub_work_end(hub);
}

static void fetch_elsewhere(struct http_exchange *x, struct hub *hub, struct str log, const struct hub_uses_question *question)
{
    struct fetching *fetching = arena_alloc_zero(http_arena(x), 1, sizeof *fetching);
    struct buf bytes;
    bool has_place = fetching && take_place(hub);
    if (!has_place || !hub_others_take(hub, 1)) {
        if (has_place)
            atomic_fetch_sub(&hub->others.n_asked, 1);
        http_reply_err(x, fetching ? ERR_FULL : ERR_NO_MEMORY, STR(TOO_MANY));
        return;
    }
    buf_init(&bytes, QUESTION_MAX);
    hub_uses_question_write(question, &bytes);
    *fetching = (struct fetching){.ask = {.log = log, .bytes = buf_str(&bytes), .loop = http_loop(x), .done = on_fetched},
        .x = x,
        .hub = hub,
        .what = question->what};
    hub_work_begin(hub);
    hub_others_ask(hub, &fetching->ask);
    buf_finish(&bytes);
}

static void fetch(struct http_exchange *x, struct hub *hub, enum hub_uses_what what)
{
    struct hub_uses_question question = {.what = what, .party = http_identity(x)->party};
    struct str log = http_param(x, "log");
    struct buf json;
    if (str_to_u64(http_param(x, "index"), &question.index) || !(str_equal(log, hub_log(hub)) || hub_uses_knows(hub, log))) {
        http_reply_problem(x, 404, STR("a receipt is a log of this hub and a number"), -1);
        return;
    }
    if (!str_equal(log, hub_log(hub))) {
        fetch_elsewhere(x, hub, log, &question);
        return;
    }
    buf_init(&json, HUB_USES_JSON_MAX);
    enum err err = what == HUB_USES_OPENING ? hub_opening_write(hub, question.index, question.party, &json)
                                            : hub_receipt_write(hub, question.index, &json);
    reply(x, what, err, buf_str(&json));
    buf_finish(&json);
}

static void handle_receipt(struct http_exchange *x, void *context)
{
    fetch(x, ((struct hub_uses *)context)->hub, HUB_USES_RECEIPT);
}

static void handle_opening(struct http_exchange *x, void *context)
{
    fetch(x, ((struct hub_uses *)context)->hub, HUB_USES_OPENING);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/hub/v1/uses/mine", HTTP_CITIZEN, 0, handle_mine, "The uses of the data of the citizen who asks, the newest first",
        .answer = "MyUses", .query = "before? limit?"},
    {HTTP_GET, "/hub/v1/receipt/{log}/{index}", HTTP_SIGNED_IN, 0, handle_receipt,
        "A leaf with its proof and the key, of the log of any process of this hub: what citybrain verify reads", .answer = "Receipt"},
    {HTTP_GET, "/hub/v1/opening/{log}/{index}", HTTP_SIGNED_IN, 0, handle_opening,
        "The salt of a leaf of the log of any process of this hub, for the parties of its use", .answer = "Opening"},
};

struct http_mount hub_uses_mount(struct hub_uses *uses)
{
    return (struct http_mount){.routes = routes, .n_routes = sizeof routes / sizeof *routes, .context = uses};
}
