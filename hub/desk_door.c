/*
 * The desk's door: contracts as lists and one by one with their history, and the steps that people take (docs/contract.md).
 *
 * Who sees a contract: its two sides, but a draft only its drafter's; who audits sees all but drafts. Who operates the systems sees none.
 * A contract that one may not see and one that does not exist look the same.
 */
#include "base/json.h"
#include "hub/desk.h"

#include <string.h>

#define LIST_MAX (32u << 20)
#define DETAIL_MAX (4u << 20)
#define EVENT_BODY_MAX 4096

/* ---- who sees what ---- */

static enum negotiate_side side_of(const struct hub_contract *contract, const struct http_identity *who)
{
    enum negotiate_side side = hub_desk_side(contract, who);
    if (side == NEGOTIATE_NOBODY && str_equal(contract->terms.provider, who->party))
        side = NEGOTIATE_PROVIDER;
    if (side == NEGOTIATE_NOBODY && str_equal(contract->terms.consumer, who->party))
        side = NEGOTIATE_CONSUMER;
    return side;
}

static bool may_see(const struct hub_contract *contract, const struct http_identity *who)
{
    enum negotiate_side side = side_of(contract, who);
    if (who->roles & HTTP_OPERATE)
        return false;
    if (contract->life.state == HUB_DRAFTED && contract->life.drafter != side)
        return false;
    return side != NEGOTIATE_NOBODY || who->roles & HTTP_AUDIT;
}

/* A consumer that only its post's name makes one may look, not act. */
static struct negotiate_act act_of(const struct hub_contract *contract, const struct http_identity *who, int event)
{
    return (struct negotiate_act){
        .event = (enum negotiate_event)event, .side = hub_desk_side(contract, who), .may_manage = who->roles & HTTP_MANAGE};
}

enum view { VIEW_PARTY, VIEW_MINE, VIEW_TO_SIGN, VIEW_IN_FORCE, VIEW_HISTORY, VIEW_UNKNOWN };

static enum view view_of(struct str name)
{
    static const char *const names[] = {"", "mine", "to-sign", "in-force", "history"};
    for (int i = 0; i < VIEW_UNKNOWN; i++)
        if (str_equal_c(name, names[i]))
            return (enum view)i;
    return VIEW_UNKNOWN;
}

static bool is_in_view(const struct hub_contract *contract, const struct http_identity *who, enum view view, int64_t now_ms)
{
    enum hub_contract_state state = contract->life.state;
    struct negotiate_act sign = act_of(contract, who, NEGOTIATE_SIGN);
    switch (view) {
    case VIEW_PARTY:
        return side_of(contract, who) != NEGOTIATE_NOBODY && state != HUB_DRAFTED;
    case VIEW_MINE:
        return side_of(contract, who) != NEGOTIATE_NOBODY && state != HUB_ENDED;
    case VIEW_TO_SIGN:
        return who->roles & HTTP_AUDIT ? state == HUB_OFFERED : negotiate_may(&contract->life, &sign, now_ms);
    case VIEW_IN_FORCE:
        return state == HUB_AGREED || state == HUB_SUSPENDED;
    case VIEW_HISTORY:
        return state == HUB_ENDED;
    case VIEW_UNKNOWN:
        break;
    }
    return false;
}

/* ---- writing one ---- */

static void put_bound(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, key);
    if (value == DECIDE_NONE)
        json_put_null(w);
    else
        json_put_i64(w, value);
}

static void put_names(struct json_writer *w, const char *key, const struct str *names, size_t n)
{
    json_key(w, key);
    json_begin_array(w);
    for (size_t i = 0; i < n; i++)
        json_put_str(w, names[i]);
    json_end_array(w);
}

static void put_party_title(struct json_writer *w, const struct hub *hub, const char *key, struct str name)
{
    const struct hub_party *party = hub_party_find(hub, name);
    hub_put_title(w, key, party ? party->title_zh : name, party ? party->title_en : name);
}

static void put_terms(struct json_writer *w, const struct hub_contract *contract)
{
    const struct hub_resource *resource = &contract->entry->resource;
    const struct decide_contract *terms = &contract->terms;
    json_field_str(w, "contract", contract->name);
    json_field_str(w, "provider", terms->provider);
    put_party_title(w, contract->hub, "provider_title", terms->provider);
    json_field_str(w, "consumer", terms->consumer);
    put_party_title(w, contract->hub, "consumer_title", terms->consumer);
    json_field_str(w, "resource", terms->resource);
    hub_put_title(w, "resource_title", resource->title_zh, resource->title_en);
    json_field_c(w, "kind", hub_kind_names[resource->kind]);
    put_names(w, "uses", terms->uses, terms->n_uses);
    put_names(w, "fields", terms->fields, terms->n_fields);
    json_field_str(w, "rows", contract->rows);
    json_field_str(w, "purpose", contract->purpose);
    hub_put_title(w, "legal_basis", contract->legal_basis_zh, contract->legal_basis_en);
    put_bound(w, "per_second", terms->per_second);
    put_bound(w, "per_day", terms->per_day);
    put_bound(w, "per_month", terms->per_month);
    put_bound(w, "min_subjects", terms->min_subjects);
    put_bound(w, "from_ms", terms->from_ms);
    put_bound(w, "until_ms", terms->until_ms);
    put_bound(w, "fresh_for_ms", contract->fresh_for_ms);
    put_bound(w, "fresh_until_ms", atomic_load(&contract->fresh_until_ms));
    put_bound(w, "keep_ms", contract->keep_ms);
}

static void put_signed(struct json_writer *w, const char *key, bool has_signed, const struct hub_signature *signature)
{
    json_key(w, key);
    json_begin_object(w);
    json_field_bool(w, "signed", has_signed);
    put_bound(w, "time", signature && signature->is_there ? signature->time_ms : DECIDE_NONE);
    json_end_object(w);
}

/* Under the desk's lock. */
static void put_life(struct json_writer *w, const struct hub_contract *contract, const struct hub_paper *paper,
    const struct http_identity *who, struct wall_time now)
{
    const struct negotiate *life = &contract->life;
    const struct hub_signature *signed_by = contract->signed_by;
    int64_t day, month;
    hub_quota_used(contract, now, &day, &month);
    json_field_c(w, "state", hub_state_names[life->state]);
    json_field_c(w, "made", paper ? "here" : "file");
    json_field_c(w, "side", negotiate_side_names[side_of(contract, who)]);
    json_field_c(w, "drafter", negotiate_side_names[life->drafter]);
    json_field_c(w, "suspended_by", negotiate_side_names[life->suspended_by]);
    put_bound(w, "confirmed_ms", life->confirmed_ms);
    put_signed(w, "provider_signed", life->has_provider_signed, signed_by ? &signed_by[HUB_SIGNED_PROVIDER] : NULL);
    put_signed(w, "consumer_signed", life->has_consumer_signed, signed_by ? &signed_by[HUB_SIGNED_CONSUMER] : NULL);
    json_field_i64(w, "today", day);
    json_field_i64(w, "month", month);
    json_key(w, "may");
    json_begin_array(w);
    for (int event = 0; event < NEGOTIATE_EXPIRE; event++) {
        struct negotiate_act act = act_of(contract, who, event);
        bool is_file_change = !paper && event == NEGOTIATE_CHANGE;
        if (!is_file_change && negotiate_may(life, &act, now.ms))
            json_put_c(w, negotiate_event_names[event]);
    }
    json_end_array(w);
}

static void put_contract(struct json_writer *w, const struct hub_contract *contract, const struct hub_paper *paper,
    const struct http_identity *who, struct wall_time now)
{
    char hash[65];
    crypto_hex(contract->hash.bytes, sizeof contract->hash.bytes, hash);
    put_terms(w, contract);
    put_life(w, contract, paper, who, now);
    json_field_c(w, "sha256", hash);
}

/* ---- GET /hub/v1/contracts?view= ---- */

struct listing {
    struct json_writer w;
    const struct http_identity *who;
    enum view view;
    struct wall_time now;
};

static void list_one(struct listing *list, const struct hub_contract *contract, const struct hub_paper *paper)
{
    if (!may_see(contract, list->who) || !is_in_view(contract, list->who, list->view, list->now.ms))
        return;
    json_begin_object(&list->w);
    put_contract(&list->w, contract, paper, list->who, list->now);
    json_end_object(&list->w);
}

static void handle_list(struct http_exchange *x, void *context)
{
    struct hub *hub = context;
    struct buf out;
    struct listing list = {.who = http_identity(x), .view = view_of(http_query(x, "view")), .now = clock_wall(hub->clock)};
    if (list.view == VIEW_UNKNOWN) {
        http_reply_problem(x, 400, STR("view is one of mine, to-sign, in-force and history"), -1);
        return;
    }
    if (list.who->roles & HTTP_OPERATE) {
        http_reply_problem(x, 403, str_from_c(negotiate_rule_text(NEGOTIATE_ROLE)), NEGOTIATE_ROLE);
        return;
    }
    buf_init(&out, LIST_MAX);
    json_writer_init(&list.w, &out);
    json_begin_array(&list.w);
    pthread_mutex_lock(&hub->desk.lock);
    for (const struct hub_paper *paper = hub->desk.papers; paper; paper = paper->next) /* the newest first */
        list_one(&list, paper->contract, paper);
    for (size_t i = 0; i < hub->n_contracts; i++)
        if (hub->contracts[i]->arena == &hub->arena) /* from a file */
            list_one(&list, hub->contracts[i], NULL);
    pthread_mutex_unlock(&hub->desk.lock);
    json_end_array(&list.w);
    if (out.err)
        http_reply_err(x, out.err, STR_NONE);
    else
        http_reply_json(x, 200, buf_str(&out));
    buf_finish(&out);
}

/* ---- GET /hub/v1/contracts/{area}/{index} ---- */

struct reading { /* in the exchange's arena */
    struct db_write write;
    struct hub *hub;
    struct http_exchange *x;
    struct str name;
    struct buf out;
};

static void reply_unknown(struct http_exchange *x)
{
    http_reply_problem(x, 404, str_from_c(negotiate_rule_text(NEGOTIATE_STRANGER)), NEGOTIATE_STRANGER);
}

static enum err run_history(struct db_write *write, struct db *db)
{
    struct reading *reading = container_of(write, struct reading, write);
    return hub_desk_history(reading->hub, db, reading->name, &reading->out);
}

static void history_done(struct db_write *write)
{
    struct reading *reading = container_of(write, struct reading, write);
    buf_append(&reading->out, "}", 1);
    enum err err = write->err ? write->err : reading->out.err;
    if (err)
        http_reply_err(reading->x, err, STR_NONE);
    else
        http_reply_json(reading->x, 200, buf_str(&reading->out));
    buf_finish(&reading->out);
}

static void put_signature(struct json_writer *w, const char *key, const struct hub_signature *signature)
{
    char text[SIGN_TEXT_MAX], hex[2 * SIGN_SIGNATURE_LEN + 1];
    if (!signature->is_there)
        return;
    sign_public_text(&signature->key, text);
    crypto_hex(signature->bytes, SIGN_SIGNATURE_LEN, hex);
    json_key(w, key);
    json_begin_object(w);
    json_field_c(w, "key", text);
    json_field_c(w, "signature", hex);
    json_end_object(w);
}

/* All but the history, and without the last brace. Under the desk's lock. */
static void put_detail(struct json_writer *w, struct hub *hub, const struct hub_contract *contract, const struct http_identity *who)
{
    const struct hub_paper *paper = hub_desk_paper(hub, contract->name);
    struct buf content;
    buf_init(&content, HUB_CONTENT_MAX);
    json_begin_object(w);
    put_contract(w, contract, paper, who, clock_wall(hub->clock));
    hub_put_fields_as(w, "resource_fields", &contract->entry->resource);
    json_key(w, "signatures");
    json_begin_object(w);
    if (contract->signed_by) {
        put_signature(w, "consumer", &contract->signed_by[HUB_SIGNED_CONSUMER]);
        put_signature(w, "provider", &contract->signed_by[HUB_SIGNED_PROVIDER]);
    }
    json_end_object(w);
    if (!hub_contract_content(contract, &content)) {
        json_key(w, "content");
        json_put_raw(w, buf_str(&content));
    }
    json_key(w, "history");
    buf_finish(&content);
}

static enum err contract_name(struct http_exchange *x, struct str *ret_name)
{
    return arena_printf(
        http_arena(x), ret_name, STR_FORMAT "/" STR_FORMAT, STR_ARG(http_param(x, "area")), STR_ARG(http_param(x, "index")));
}

static void handle_one(struct http_exchange *x, void *context)
{
    struct hub *hub = context;
    struct reading *reading = arena_alloc_zero(http_arena(x), 1, sizeof *reading);
    struct json_writer w;
    struct str name;
    if (!reading || contract_name(x, &name)) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    buf_init(&reading->out, DETAIL_MAX);
    json_writer_init(&w, &reading->out);
    pthread_mutex_lock(&hub->desk.lock);
    const struct hub_contract *contract = hub_desk_find(hub, name);
    bool is_seen = contract && may_see(contract, http_identity(x));
    if (is_seen)
        put_detail(&w, hub, contract, http_identity(x));
    pthread_mutex_unlock(&hub->desk.lock);
    if (!is_seen) {
        reply_unknown(x);
        return;
    }
    reading->hub = hub;
    reading->x = x;
    reading->name = name;
    reading->write = (struct db_write){.run = run_history, .loop = http_loop(x), .done = history_done};
    enum err err = hub->writer ? db_writer_submit(hub->writer, &reading->write) : ERR_UNAVAILABLE;
    if (err) {
        buf_finish(&reading->out);
        http_reply_err(x, err, STR_NONE);
    }
}

/* ---- POST: the steps ---- */

static int status_of(const struct hub_desk_ask *ask)
{
    if (ask->rule == NEGOTIATE_ROLE)
        return 403;
    if (ask->rule == NEGOTIATE_STRANGER || ask->rule == NEGOTIATE_DRAFTER)
        return 404;
    return 409;
}

static void step_done(struct hub_desk_ask *ask)
{
    struct http_exchange *x = ask->context;
    struct json_writer w;
    struct buf out;
    if (ask->rule) {
        http_reply_problem(x, status_of(ask), str_from_c(ask->diag.text), ask->rule);
        return;
    }
    if (ask->err == ERR_BUSY || ask->err == ERR_DENIED || ask->err == ERR_RANGE) {
        int status = ask->err == ERR_BUSY ? 409 : ask->err == ERR_RANGE ? 400 : 403;
        http_reply_problem(x, status, str_from_c(ask->diag.text), -1);
        return;
    }
    if (ask->err) {
        http_reply_err(x, ask->err, str_from_c(ask->diag.text));
        return;
    }
    buf_init(&out, EVENT_BODY_MAX);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_str(&w, "contract", ask->name);
    json_field_c(&w, "state", hub_state_names[ask->next.state]);
    json_key(&w, "receipt");
    if (ask->receipt[0])
        json_put_c(&w, ask->receipt);
    else
        json_put_null(&w);
    json_end_object(&w);
    http_reply_json(x, ask->event == HUB_DRAFT ? 201 : 200, buf_str(&out));
    buf_finish(&out);
}

static void start(struct http_exchange *x, struct hub *hub, int event, struct str name, struct hub_desk_ask *ask)
{
    ask->hub = hub;
    ask->who = *http_identity(x);
    ask->event = event;
    ask->contract = name;
    ask->loop = http_loop(x);
    ask->done = step_done;
    ask->context = x;
    hub_desk_start(ask);
}

static void handle_draft(struct http_exchange *x, void *context)
{
    json_t *body;
    if (http_body_json(x, &body))
        return;
    struct hub_desk_ask *ask = arena_alloc_zero(http_arena(x), 1, sizeof *ask);
    if (!ask) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    ask->terms = http_body(x);
    start(x, context, HUB_DRAFT, STR_NONE, ask);
}

static void handle_event(struct http_exchange *x, void *context)
{
    json_t *body;
    struct str name;
    int event = 0;
    if (http_body_json(x, &body))
        return;
    while (negotiate_event_names[event] && !str_equal_c(http_param(x, "event"), negotiate_event_names[event]))
        event++;
    if (event >= NEGOTIATE_EXPIRE) {
        http_reply_problem(x, 404, STR("a contract's steps are change, offer, sign, suspend, resume, revoke, withdraw and confirm"), -1);
        return;
    }
    struct hub_desk_ask *ask = arena_alloc_zero(http_arena(x), 1, sizeof *ask);
    if (!ask || contract_name(x, &name)) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    ask->terms = http_body(x);
    bool has_key = json_get_str(body, "key", &ask->key) == ERR_OK,
         has_signature = json_get_str(body, "signature", &ask->signature) == ERR_OK;
    size_t n_known = event == NEGOTIATE_SIGN && has_key && has_signature ? 2 : 0;
    if (!json_is_object(body) || (event != NEGOTIATE_CHANGE && json_object_size(body) != n_known)) {
        http_reply_problem(x, 400,
            event == NEGOTIATE_SIGN
                ? STR("the body is {}, or {\"key\":\"ed25519:…\",\"signature\":\"…\"} of a party that keeps its key itself")
                : STR("the body of this step is {}"),
            -1);
        return;
    }
    start(x, context, event, name, ask);
}

const struct http_route hub_desk_routes[] = {
    {HTTP_GET, "/hub/v1/contracts", HTTP_SIGNED_IN, 0, handle_list,
        "The contracts that the asker is a party of; with view= mine, to-sign, in-force or history", .answer = "Contracts",
        .query = "view?"},
    {HTTP_GET, "/hub/v1/contracts/unfit", HTTP_SIGNED_IN, 0, hub_misfit_list,
        "The asker's contracts that do not fit their resource any more and are out of force", .answer = "UnfitContracts"},
    {HTTP_POST, "/hub/v1/contracts", HTTP_SIGNED_IN, HUB_TERMS_MAX, handle_draft, "Draft a contract", .body = "ContractDraft",
        .answer = "ContractStepped", .status = 201},
    {HTTP_GET, "/hub/v1/contracts/{area}/{index}", HTTP_SIGNED_IN, 0, handle_one, "A contract in full, with its history",
        .answer = "ContractInFull"},
    {HTTP_POST, "/hub/v1/contracts/{area}/{index}/{event}", HTTP_SIGNED_IN, HUB_TERMS_MAX, handle_event,
        "A step of a contract: change, offer, sign, suspend, resume, revoke, withdraw, confirm", .body = "ContractStepBody",
        .answer = "ContractStepped"},
};
const size_t hub_n_desk_routes = sizeof hub_desk_routes / sizeof *hub_desk_routes;
