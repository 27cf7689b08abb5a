/* The desk's door: lists and single cases are read on the reader's thread, steps are written, both answered on the exchange's own loop. */
#include "business/case/desk_internal.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "hub/registry.h"
#include "hub/uses.h"

#include <stddef.h>

#define ANSWER_MAX (8u << 20)
#define BODY_MAX 16384
#define PAGE 50

static struct case_viewer viewer_of(struct http_exchange *x)
{
    const struct http_identity *who = http_identity(x);
    return (struct case_viewer){.party = who->party,
        .acts_for = who->acts_for,
        .area = who->area,
        .person = who->person,
        .sees_all = (who->roles & HTTP_AUDIT) != 0};
}

/* ---- reading ---- */

struct reading {
    struct loop_task task;
    struct case_desk *desk;
    struct http_exchange *x;
    struct case_viewer viewer;
    struct case_filter filter;
    int64_t id; /* 0: a list */
    struct buf out;
    enum err err;
};

static void answer_reading(struct loop_task *task)
{
    struct reading *reading = container_of(task, struct reading, task);
    struct buf out = reading->out; /* the rest lies in the exchange's arena and goes with the reply */
    if (!reading->err)
        http_reply_json(reading->x, 200, buf_str(&out));
    else if (reading->err == ERR_NOT_FOUND)
        http_reply_err(reading->x, ERR_NOT_FOUND, STR("no such case"));
    else
        http_reply_err(reading->x, reading->err, STR("the cases could not be read"));
    buf_finish(&out);
}

static enum err read_case(struct reading *reading)
{
    struct case_desk *desk = reading->desk;
    struct case_record record;
    struct json_writer w;
    struct arena arena;
    arena_init(&arena, ANSWER_MAX);
    enum err err = case_store_get(desk->reader, reading->id, &arena, &record);
    if (!err && !case_may_see(&record, &reading->viewer))
        err = ERR_NOT_FOUND; /* what one may not see is not there */
    if (!err) {
        json_writer_init(&w, &reading->out);
        json_begin_object(&w);
        json_field_i64(&w, "time", clock_wall(desk->options.clock).ms);
        json_key(&w, "case");
        case_put(&w, &desk->words, &record, &reading->viewer);
        json_key(&w, "history");
        err = case_store_put_history(desk->reader, &record, &w, &desk->words, &reading->viewer);
        json_end_object(&w);
    }
    arena_finish(&arena);
    return err ? err : reading->out.err;
}

static void read_on_thread(struct loop_task *task)
{
    struct reading *reading = container_of(task, struct reading, task);
    struct case_desk *desk = reading->desk;
    if (reading->id)
        reading->err = read_case(reading);
    else
        reading->err =
            case_store_list(desk->reader, &reading->viewer, &reading->filter, &desk->words, clock_wall(desk->options.clock), &reading->out);
    reading->task.fn = answer_reading;
    loop_post(http_loop(reading->x), &reading->task);
}

static struct reading *begin_reading(struct http_exchange *x, struct case_desk *desk)
{
    struct reading *reading = arena_alloc_zero(http_arena(x), 1, sizeof *reading);
    if (!reading) {
        http_reply_err(x, ERR_NO_MEMORY, STR("no memory"));
        return NULL;
    }
    *reading = (struct reading){.desk = desk, .x = x, .viewer = viewer_of(x), .task = {.fn = read_on_thread}};
    buf_init(&reading->out, ANSWER_MAX);
    return reading;
}

static bool query_i64(struct http_exchange *x, const char *name, int64_t min, int64_t max, int64_t *ret_i)
{
    struct str text = http_query(x, name);
    return str_is_empty(text) || (str_to_i64(text, ret_i) == ERR_OK && *ret_i >= min && *ret_i <= max);
}

static void handle_list(struct http_exchange *x, void *context)
{
    struct case_filter filter = {.state = http_query(x, "state"),
        .area = http_query(x, "area"),
        .owner = http_query(x, "post"),
        .kind = http_query(x, "kind"),
        .n_max = PAGE};
    bool is_known = str_is_empty(filter.state) || str_equal_c(filter.state, "all");
    for (int i = 0; i < CASE_N_STATES; i++)
        is_known = is_known || str_equal_c(filter.state, case_state_names[i]);
    if (!is_known || !query_i64(x, "before", 1, INT64_MAX, &filter.before) || !query_i64(x, "limit", 1, CASE_PAGE_MAX, &filter.n_max)) {
        http_reply_err(x, ERR_RANGE,
            STR("state is open (not closed), assigned, doing, measuring, closed or all; before a case's number; limit 1 to 200"));
        return;
    }
    if (str_is_empty(filter.state))
        filter.state = STR("open");
    if (str_equal_c(filter.owner, "me"))
        filter.owner = http_identity(x)->party;
    struct reading *reading = begin_reading(x, context);
    if (!reading)
        return;
    reading->filter = filter;
    loop_post(loop_thread_loop(reading->desk->reader_thread), &reading->task);
}

static void handle_live(struct http_exchange *x, void *context)
{
    struct case_desk *desk = context;
    const struct case_viewer viewer = viewer_of(x);
    case_live_open(desk->live, x, &viewer);
}

static bool case_id(struct http_exchange *x, int64_t *ret_id)
{
    if (str_to_i64(http_param(x, "id"), ret_id) == ERR_OK && *ret_id > 0)
        return true;
    http_reply_err(x, ERR_NOT_FOUND, STR("no such case"));
    return false;
}

static void handle_one(struct http_exchange *x, void *context)
{
    int64_t id;
    struct reading *reading = case_id(x, &id) ? begin_reading(x, context) : NULL;
    if (!reading)
        return;
    reading->id = id;
    loop_post(loop_thread_loop(reading->desk->reader_thread), &reading->task);
}

static void put_name(struct json_writer *w, struct str zh, struct str en)
{
    json_key(w, "title");
    json_begin_object(w);
    json_field_str(w, "zh", zh);
    json_field_str(w, "en", en);
    json_end_object(w);
}

/* To whom a case can be given: the posts within the asker's area, and those above it. */
static void handle_posts(struct http_exchange *x, void *context)
{
    const struct case_desk *desk = context;
    struct str area = http_identity(x)->area;
    struct json_writer w;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, "posts");
    json_begin_array(&w);
    for (size_t i = 0; i < case_n_posts(desk->rules); i++) {
        const struct case_post *post = case_post_at(desk->rules, i);
        const struct hub_party *party = hub_party_find(desk->options.hub, post->post);
        if (case_post_find(desk->rules, post->post) != post || !party ||
            !(area_is_within(post->area, area) || area_is_within(area, post->area)))
            continue; /* a post with two duties is there once */
        json_begin_object(&w);
        json_field_str(&w, "post", post->post);
        put_name(&w, party->title_zh, party->title_en);
        json_field_str(&w, "area", post->area);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    if (out.err)
        http_reply_err(x, out.err, STR_NONE);
    else
        http_reply_json(x, 200, buf_str(&out));
    buf_finish(&out);
}

/* ---- steps ---- */

static void step_refused(struct http_exchange *x, enum err err)
{
    switch (err) {
    case ERR_NOT_FOUND:
        http_reply_err(x, err, STR("no such case"));
        return;
    case ERR_DENIED: /* seen, but not theirs to touch: not a secret */
        http_reply_problem(x, 403, STR("this case is another post's"), -1);
        return;
    case ERR_STATE:
        http_reply_problem(x, 409, STR("the case is not in a state for this; look at it again"), -1);
        return;
    case ERR_SYNTAX:
        http_reply_problem(x, 400, STR("the step needs words: {\"text\":…}"), -1);
        return;
    default:
        http_reply_err(x, err, STR("the step could not be stored"));
    }
}

static void step_done(struct case_write *write)
{
    struct http_exchange *x = write->context;
    struct buf json = write->json; /* the write lies in the exchange's arena */
    if (write->write.err)
        step_refused(x, write->write.err);
    else
        http_reply_json(x, 200, buf_str(&json));
    buf_finish(&json);
}

static struct case_write *begin_step(struct http_exchange *x, struct case_desk *desk)
{
    struct case_write *write = arena_alloc_zero(http_arena(x), 1, sizeof *write);
    if (!write) {
        http_reply_err(x, ERR_NO_MEMORY, STR("no memory"));
        return NULL;
    }
    const struct http_identity *who = http_identity(x);
    *write = (struct case_write){.desk = desk,
        .kind = CASE_WRITE_STEP,
        .now = clock_wall(desk->options.clock),
        .viewer = viewer_of(x),
        .event = {.by = who->party, .by_name = who->person},
        .done = step_done,
        .context = x};
    write->write.loop = http_loop(x);
    return write;
}

static void submit_step(struct case_write *write)
{
    enum err err = case_desk_submit(write);
    if (err)
        http_reply_err(write->context, err, STR("too many steps wait for the disk; try again"));
}

static bool read_text(struct http_exchange *x, const json_t *json, const char *key, size_t max, struct str *ret_text)
{
    enum err err = json_get_str(json, key, ret_text);
    if (err == ERR_SYNTAX || (!err && ret_text->len > max)) {
        http_reply_err(x, ERR_RANGE, STR("a text is too long, or not text"));
        return false;
    }
    *ret_text = err ? STR_NONE : str_trim(*ret_text);
    return true;
}

static void handle_step(struct http_exchange *x, void *context)
{
    static const struct {
        const char *name;
        enum case_what what;
    } steps[] = {{"assign", CASE_ASSIGN}, {"start", CASE_START}, {"comment", CASE_COMMENT}, {"close", CASE_CLOSE}, {"reopen", CASE_REOPEN}};
    size_t at = 0;
    int64_t id;
    json_t *json;
    struct str name = http_param(x, "step"), to;
    struct case_desk *desk = context;
    if (!case_id(x, &id))
        return;
    while (at < sizeof steps / sizeof *steps && !str_equal_c(name, steps[at].name))
        at++;
    if (at == sizeof steps / sizeof *steps) {
        http_reply_err(x, ERR_NOT_FOUND, STR("a step is assign, start, comment, close or reopen"));
        return;
    }
    if (http_body_json(x, &json) != ERR_OK)
        return;
    struct case_write *write = begin_step(x, desk);
    if (!write || !read_text(x, json, "text", CASE_TEXT_MAX, &write->event.text) || !read_text(x, json, "to", HUB_RECEIPT_MAX, &to))
        return;
    write->id = id;
    write->event.what = steps[at].what;
    if (write->event.what == CASE_ASSIGN) {
        const struct case_post *post = case_post_find(desk->rules, to);
        if (!post) {
            http_reply_err(x, ERR_RANGE, STR("\"to\" is a post; GET /case/v1/posts lists them"));
            return;
        }
        write->event.to = post->post;
        write->event.to_area = post->area;
    }
    submit_step(write);
}

/* ---- messages to a provider: its data is wrong (correction), poor (quality), or one objects to its use (objection) ---- */

struct message {
    const char *word, *kind, *zh, *en;
};
static const struct message messages[] = {
    {"correction", "data.correction", "数据更正请求", "Correction asked for"},
    {"quality", "data.quality", "数据质量问题", "Quality of data"},
};
static const struct message objection = {"objection", "data.objection", "对数据使用的异议", "Objection to a use"};

/* Whoever has a contract on a resource, or offers it, may say that it is wrong. */
static bool may_speak_of(const struct hub *hub, const struct hub_resource *resource, const struct http_identity *who)
{
    struct hub_contract_info info;
    if (str_equal(resource->party, who->party) || str_equal(resource->party, who->acts_for))
        return true;
    for (size_t i = 0; i < hub_n_contracts(hub); i++)
        if (hub_contract_at(hub, i, &info) && str_equal(info.resource, resource->name) && info.state == HUB_AGREED &&
            (str_equal(info.consumer, who->party) || str_equal(info.consumer, who->acts_for)))
            return true;
    return false;
}

/* The case for the provider. The key itself stays in the case, which only the provider reads; what may be told elsewhere is the commitment.
 */
static enum err fill_message(struct case_write *write, struct arena *arena, const struct message *message,
    const struct hub_resource *resource, struct str key, struct str what, struct str commitment)
{
    struct case_record *alert = &write->event.alert;
    struct str area, rest;
    enum err err = str_cut(resource->name, '/', &area, &rest) ? ERR_OK : ERR_STATE;
    if (!err)
        err = arena_printf(arena, &alert->key, "%s/" STR_FORMAT, message->kind, STR_ARG(commitment));
    if (!err)
        err = arena_printf(arena, &alert->title_zh, "%s：" STR_FORMAT, message->zh, STR_ARG(resource->title_zh));
    if (!err)
        err = arena_printf(arena, &alert->title_en, "%s: " STR_FORMAT, message->en, STR_ARG(resource->title_en));
    if (!err)
        err = arena_printf(
            arena, &alert->detail, STR_FORMAT "\n" STR_FORMAT "\n" STR_FORMAT, STR_ARG(resource->name), STR_ARG(key), STR_ARG(what));
    alert->kind = str_from_c(message->kind);
    alert->area = area;
    alert->party = resource->party;
    write->event.what = CASE_ALERT;
    return err;
}

struct correction {
    struct case_write write;
    char commitment[65], salt[65];
};

static void correction_done(struct case_write *write)
{
    struct correction *correction = container_of(write, struct correction, write);
    struct http_exchange *x = write->context;
    struct json_writer w;
    struct buf out;
    enum err err = write->write.err;
    buf_finish(&write->json);
    buf_init(&out, 1024);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_i64(&w, "case", write->id);
    json_field_c(&w, "commitment", correction->commitment);
    json_field_c(&w, "salt", correction->salt);
    json_end_object(&w);
    if (err)
        step_refused(x, err);
    else
        http_reply_json(x, 201, buf_str(&out));
    buf_finish(&out);
}

static enum err commit_key(struct correction *correction, const json_t *key, struct arena *arena, struct str *ret_key)
{
    uint8_t salt[32];
    struct buf canonical;
    buf_init(&canonical, BODY_MAX);
    enum err err = json_write_canonical(key, &canonical);
    if (!err) {
        crypto_random(salt, sizeof salt);
        struct sha256 hash = crypto_hmac_sha256((struct str){(const char *)salt, sizeof salt}, buf_str(&canonical));
        crypto_hex(salt, sizeof salt, correction->salt);
        crypto_hex(hash.bytes, sizeof hash.bytes, correction->commitment);
        err = arena_copy_str(arena, buf_str(&canonical), ret_key);
    }
    buf_finish(&canonical);
    return err;
}

/* A citizen speaks of their own data only: the resource's personal keys that are theirs, as the key of the message. NULL: none is. */
static json_t *own_key(const struct hub_resource *resource, struct str subject)
{
    json_t *own = NULL, *key = NULL, *value;
    char name[65];
    if (str_is_empty(subject) || json_read(subject, NULL, &own) != ERR_OK)
        return NULL;
    for (size_t i = 0; i < resource->n_fields; i++) {
        const struct hub_field *field = &resource->fields[i];
        if (!field->is_key || field->class < HUB_PERSONAL || str_to_c(field->name, name, sizeof name) != ERR_OK ||
            !(value = json_object_get(own, name)))
            continue;
        key = key ? key : json_object();
        json_object_set(key, name, value);
    }
    json_decref(own);
    return key;
}

static void handle_correction(struct http_exchange *x, void *context)
{
    struct case_desk *desk = context;
    const struct message *message = &messages[0];
    json_t *json;
    struct str name, what, word, key = STR_NONE;
    if (http_body_json(x, &json) != ERR_OK || !read_text(x, json, "resource", 256, &name) ||
        !read_text(x, json, "what", CASE_TEXT_MAX - 1000, &what) || !read_text(x, json, "about", 32, &word))
        return;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        if (str_equal_c(word, messages[i].word))
            message = &messages[i];
    json_t *given = json_object_get(json, "key");
    const struct hub_resource *resource = hub_resource_find(desk->options.hub, name);
    json_t *own = resource ? own_key(resource, http_identity(x)->subject) : NULL;
    if (!resource || !(own || may_speak_of(desk->options.hub, resource, http_identity(x)))) {
        http_reply_err(x, ERR_NOT_FOUND, STR("no such resource"));
        return;
    }
    if (str_is_empty(what) || (given && !json_is_object(given))) {
        http_reply_err(x, ERR_RANGE, STR("say \"what\" is wrong; \"key\" is an object as in a call"));
        json_decref(own);
        return;
    }
    struct correction *correction = arena_alloc_zero(http_arena(x), 1, sizeof *correction);
    json_t *about = own ? own : given ? json_incref(given) : json_object();
    enum err err = correction ? commit_key(correction, about, http_arena(x), &key) : ERR_NO_MEMORY;
    json_decref(about);
    if (err) {
        http_reply_err(x, err, STR("the message could not be written"));
        return;
    }
    struct case_write *begun = begin_step(x, desk);
    if (!begun)
        return;
    correction->write = *begun;
    correction->write.done = correction_done;
    err = fill_message(&correction->write, http_arena(x), message, resource, key, what, str_from_c(correction->commitment));
    if (err)
        http_reply_err(x, err, STR("the message could not be written"));
    else
        submit_step(&correction->write);
}

/* ---- POST /case/v1/objection: a citizen objects to a use of their own data; a case at the provider, once a use ---- */

struct objecting {
    struct hub_use_ask ask;
    struct http_exchange *x;
    struct case_desk *desk;
    struct str what;
};

static void refuse_objection(struct http_exchange *x, enum err err)
{
    bool is_silent = err == ERR_UNAVAILABLE || err == ERR_TIMEOUT;
    if (err == ERR_NOT_FOUND)
        http_reply_err(x, err, STR("there is no such use of your data"));
    else
        http_reply_err(x, err, is_silent ? STR("the process of the hub that keeps this receipt does not answer; try again") : STR_NONE);
}

/* A leaf that is not about this citizen, and none, are the same. */
static void on_use_found(struct hub_use_ask *ask)
{
    struct objecting *objecting = container_of(ask, struct objecting, ask);
    struct http_exchange *x = objecting->x;
    struct case_desk *desk = objecting->desk;
    struct str key;
    const struct hub_resource *resource = ask->err ? NULL : hub_resource_find(desk->options.hub, ask->info.resource);
    if (!resource) {
        refuse_objection(x, ask->err ? ask->err : ERR_NOT_FOUND);
        return;
    }
    if (str_is_empty(objecting->what)) {
        http_reply_err(x, ERR_RANGE, STR("say \"what\" you object to"));
        return;
    }
    struct case_write *write = begin_step(x, desk);
    if (!write)
        return;
    enum err err = arena_printf(http_arena(x), &key, STR_FORMAT " " STR_FORMAT " " STR_FORMAT, STR_ARG(ask->info.contract),
        STR_ARG(ask->info.consumer), STR_ARG(http_identity(x)->subject));
    if (!err)
        err = fill_message(write, http_arena(x), &objection, resource, key, objecting->what, ask->receipt);
    write->event.alert.receipt = ask->receipt;
    if (err)
        http_reply_err(x, err, STR("the objection could not be written"));
    else
        submit_step(write);
}

static void handle_objection(struct http_exchange *x, void *context)
{
    struct case_desk *desk = context;
    struct str receipt, what;
    json_t *json;
    if (http_body_json(x, &json) != ERR_OK || !read_text(x, json, "receipt", HUB_RECEIPT_MAX, &receipt) ||
        !read_text(x, json, "what", CASE_TEXT_MAX - 1000, &what))
        return;
    struct objecting *objecting = arena_alloc_zero(http_arena(x), 1, sizeof *objecting);
    if (!objecting) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    *objecting = (struct objecting){.x = x, .desk = desk, .what = what};
    objecting->ask = (struct hub_use_ask){
        .receipt = receipt, .subject = http_identity(x)->subject, .arena = http_arena(x), .loop = http_loop(x), .done = on_use_found};
    hub_use_find(desk->options.hub, &objecting->ask);
}

const struct http_route case_routes[] = {
    {HTTP_GET, "/case/v1/cases", HTTP_OFFICIAL, 0, handle_list, "Cases the asker may see, the newest first", .answer = "Cases",
        .query = "state? area? post? kind? before? limit?"},
    {HTTP_GET, "/case/v1/cases/{id}", HTTP_OFFICIAL, 0, handle_one, "One case with its history", .answer = "CaseInFull"},
    {HTTP_GET, "/case/v1/live", HTTP_OFFICIAL, 0, handle_live, "When a case changes that the asker may see, as server-sent events",
        .media_type = "text/event-stream"},
    {HTTP_GET, "/case/v1/posts", HTTP_OFFICIAL, 0, handle_posts, "Posts to which a case can be given", .answer = "CasePosts"},
    {HTTP_POST, "/case/v1/cases/{id}/{step}", HTTP_OFFICIAL, BODY_MAX, handle_step,
        "A step of a case: assign, start, comment, close, reopen", .body = "CaseStep", .answer = "Case"},
    {HTTP_POST, "/hub/v1/correction", HTTP_SIGNED_IN, BODY_MAX, handle_correction, "A message to a provider: its data is wrong or poor",
        .body = "Correction", .answer = "Corrected", .status = 201},
    {HTTP_POST, "/case/v1/objection", HTTP_CITIZEN, BODY_MAX, handle_objection, "A citizen objects to a use of their own data",
        .body = "Objection", .answer = "Case"},
};
const size_t case_n_routes = sizeof case_routes / sizeof *case_routes;
