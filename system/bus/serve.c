/*
 * The department's side. One question's way: opened by the session → read and bounded (codec.c) → looked at against this side's own files
 * (hub/provide.h) → at the same time asked of the connector and written into the journal of what was served → both there: the answer
 * leaves, in parts. What the journal does not take is not answered.
 */
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "bus/bus.h"
#include "hub/asking.h"
#include "hub/provide.h"
#include "hub/quality.h"
#include "system/bus/serve_inside.h"
#include "system/bus/served.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX (8u << 20)       /* of one question: 64 lists of 1,024 texts */
#define ROWS_MAX 1000000           /* of one answer, whatever is asked for */
#define BYTES_MAX (64u << 20)      /* the same */
#define UNDER_WAY_MAX 4096         /* questions; more are told "full" */
#define ACT_ANSWER_MAX (64u << 10) /* as hub/act.c's */

/* ---- the end ---- */

static void finish(struct serving *serving)
{
    struct system_bus_server *server = serving->server;
    bus_question_drop(serving->question);
    rows_release(serving->asked.fetch.rows);
    buf_finish(&serving->act_answer);
    buf_finish(&serving->line);
    arena_finish(&serving->arena);
    mem_free(serving);
    server->n_under_way--;
}

/* Sends one part; the last ends the question. */
static enum err send(struct serving *serving, struct buf *part, bool is_last)
{
    enum err err = part->err ? part->err : bus_question_answer(serving->question, buf_str(part), is_last);
    if (!err && is_last)
        serving->question = NULL;
    return err;
}

void serve_answer(struct serving *serving, struct buf *part)
{
    if (send(serving, part, true))
        log_write(LOG_INFO, "bus", "an answer could not be sent; who asked will hear nothing", LOG_END);
    finish(serving);
}

void serve_refuse(struct serving *serving, enum err err)
{
    struct buf part;
    buf_init(&part, 64);
    if (serving->asked.what == SYSTEM_BUS_ACT)
        system_bus_act_answer_write(err, STR_NONE, &part);
    else
        system_bus_error_write(err, &part);
    serve_answer(serving, &part);
    buf_finish(&part);
}

static enum err send_rows(struct serving *serving, struct buf *part)
{
    const struct hub_fetch *fetch = &serving->asked.fetch;
    size_t at = 0;
    enum err err;
    do {
        buf_reset(part);
        at += system_bus_rows_write(fetch->rows, at, fetch->is_truncated, part);
        if (part->err == ERR_TOO_LARGE) { /* a row that no part holds: told now, so that nobody waits for his time-out */
            buf_reset(part);
            system_bus_error_write(ERR_TOO_LARGE, part);
            at = rows_n(fetch->rows);
        }
        err = send(serving, part, at == rows_n(fetch->rows));
    } while (!err && at < rows_n(fetch->rows));
    return err;
}

static void answer(struct serving *serving)
{
    struct buf part;
    enum err err = serving->append.err ? ERR_UNAVAILABLE : ERR_OK;
    buf_init(&part, BUS_PEER_BYTES);
    if (serving->asked.what == SYSTEM_BUS_ACT) {
        /* Done, but not written down here: who asked must not take it for undone. */
        system_bus_act_answer_write(
            err && serving->asked.ask.err == ERR_OK ? ERR_IO : serving->asked.ask.err, buf_str(&serving->act_answer), &part);
        err = send(serving, &part, true);
    } else if (err || serving->asked.fetch.err) {
        system_bus_error_write(err ? err : serving->asked.fetch.err, &part);
        err = send(serving, &part, true);
    } else
        err = send_rows(serving, &part);
    if (err)
        log_write(LOG_INFO, "bus", "an answer could not be sent; who asked will hear nothing", LOG_ERR(err), LOG_END);
    atomic_fetch_add(&serving->server->n_served, 1);
    buf_finish(&part);
    finish(serving);
}

/* ---- the journal of what was served ---- */

static void written(struct journal_append *append)
{
    struct serving *serving = container_of(append, struct serving, append);
    serving->is_written = true;
    if (serving->is_asked)
        serving->both(serving);
}

void serve_asked(struct serving *serving)
{
    serving->is_asked = true;
    if (serving->is_written)
        serving->both(serving);
}

static bool is_quality(const struct system_bus_question *asked)
{
    return str_equal_c(asked->head.contract, HUB_QUALITY_GRANT);
}

/* {"time":…,"party":…,"what":"fetch","resource":…,"contract":…,"receipt":…}: who asked for what under which receipt; no value, no key. Of a
 * stream "records": which ones. */
static enum err append(struct serving *serving)
{
    static const char *const whats[] = {[SYSTEM_BUS_FETCH] = "fetch",
        [SYSTEM_BUS_ACT] = "act",
        [SYSTEM_BUS_OPEN] = "object",
        [SYSTEM_BUS_READ] = "object",
        [SYSTEM_BUS_TAKE] = "stream"};
    const struct system_bus_question *asked = &serving->asked;
    struct json_writer w;
    bool is_fetch = asked->what == SYSTEM_BUS_FETCH, is_act = asked->what == SYSTEM_BUS_ACT;
    buf_init(&serving->line, 4096);
    json_writer_init(&w, &serving->line);
    json_begin_object(&w);
    json_field_i64(&w, "time_ms", clock_wall(hub_clock(serving->server->options.hub)).ms);
    json_field_str(&w, "asker", bus_question_party(serving->question));
    json_field_c(&w, "what", is_fetch && is_quality(asked) ? "quality" : whats[asked->what]);
    json_field_str(&w, "resource", asked->resource->name);
    json_field_str(&w, "contract", is_act ? STR_NONE : is_fetch ? asked->head.contract : asked->object.contract);
    json_field_str(&w, "receipt", is_act ? asked->ask.receipt : is_fetch ? asked->head.receipt : asked->object.receipt);
    if (asked->what == SYSTEM_BUS_TAKE)
        json_field_c(&w, "records", serving->records);
    json_end_object(&w);
    if (serving->line.err)
        return serving->line.err;
    serving->record = buf_str(&serving->line);
    serving->append = (struct journal_append){.records = &serving->record, .n = 1, .loop = serving->server->options.loop, .done = written};
    return journal_append(serving->server->options.journal, &serving->append);
}

void serve_write_down(struct serving *serving)
{
    enum err err = append(serving);
    if (err) { /* the answer says so when the department has answered */
        serving->append.err = err;
        serving->is_written = true;
    }
}

/* ---- asking the connector ---- */

static void unlist(struct serving *serving)
{
    if (!serving->at)
        return;
    *serving->at = serving->next;
    if (serving->next)
        serving->next->at = serving->at;
}

static void fetched(struct hub_fetch *fetch)
{
    struct serving *serving = container_of(container_of(fetch, struct system_bus_question, fetch), struct serving, asked);
    unlist(serving);
    serve_asked(serving);
}

static void acted(struct hub_ask *ask)
{
    serve_asked(container_of(container_of(ask, struct system_bus_question, ask), struct serving, asked));
}

/* In the list before it is started; `fetched` takes it out. */
static enum err ask_table(struct serving *serving)
{
    struct system_bus_server *server = serving->server;
    struct system_bus_question *question = &serving->asked;
    struct hub_fetch *fetch = &question->fetch;
    if (str_is_empty(question->head.receipt) && !is_quality(question))
        return ERR_DENIED; /* what no leaf of the hub's stands behind */
    fetch->loop = server->options.loop;
    fetch->done = fetched;
    fetch->is_long = fetch->n_rows_max != HUB_ROWS_MAX; /* a query's, or a check's */
    fetch->is_cancelled = &serving->is_cancelled;
    fetch->n_rows_max = fetch->n_rows_max < ROWS_MAX ? fetch->n_rows_max : ROWS_MAX;
    fetch->n_bytes_max = fetch->n_bytes_max < BYTES_MAX ? fetch->n_bytes_max : BYTES_MAX;
    enum err err = is_quality(question)
                       ? hub_provide_quality(question->resource, fetch)
                       : hub_provide_fetch(server->options.hub, question->head.contract, question->head.hash, question->resource, fetch);
    if (err)
        return err;
    serving->next = server->fetches; /* `fetched` comes later, on this loop */
    serving->at = &server->fetches;
    if (serving->next)
        serving->next->at = &serving->next;
    server->fetches = serving;
    return ERR_OK;
}

static enum err ask(struct serving *serving)
{
    struct system_bus_question *question = &serving->asked;
    serving->both = answer;
    if (question->what == SYSTEM_BUS_FETCH)
        return ask_table(serving);
    question->ask.loop = serving->server->options.loop;
    question->ask.done = acted;
    question->ask.answer = &serving->act_answer;
    return hub_provide_act(serving->server->options.hub, &question->ask);
}

/* The asker has gone: what still runs for it is ended by its connector, which looks (hub_fetch.is_cancelled). */
static void cancel(struct system_bus_server *server, uint64_t number)
{
    for (struct serving *one = server->fetches; one; one = one->next)
        if (one->asked.head.number == number)
            atomic_store(&one->is_cancelled, true);
}

/* ---- health ---- */

static void tell_health(struct serving *serving)
{
    struct system_bus_server *server = serving->server;
    struct buf part;
    buf_init(&part, 1024);
    size_t at = 0;
    while (at < server->n_known && !str_equal_c(serving->asked.system, server->known[at].source))
        at++;
    if (at < server->n_known) {
        const struct serve_known *known = &server->known[at];
        const struct system_bus_health health = {known->health, known->last_heard_ms, str_from_c(known->detail)};
        system_bus_health_answer_write(&health, &part);
    } else
        system_bus_error_write(ERR_NOT_FOUND, &part);
    serve_answer(serving, &part);
    buf_finish(&part);
}

/* AREA/hub/source as hub/registry.c declares it: 1 source, 7 health, 8 last_heard, 10 detail. */
static void on_source(void *context, struct rows *rows)
{
    static const char *const names[] = {"fresh", "stale", "down"};
    struct system_bus_server *server = context;
    for (size_t i = 0; i < rows_n(rows); i++) {
        const struct value *row = rows_at(rows, i);
        struct serve_known known = {.last_heard_ms = row[8].type == VALUE_TIME ? row[8].i : 0};
        size_t at = 0;
        if (str_to_c(row[1].s, known.source, sizeof known.source) || str_to_c(row[10].s, known.detail, sizeof known.detail))
            continue;
        while (known.health < HUB_DOWN && !str_equal_c(row[7].s, names[known.health]))
            known.health++;
        while (at < server->n_known && strcmp(server->known[at].source, known.source) != 0)
            at++;
        if (at == SERVE_SYSTEMS_MAX)
            continue;
        server->known[at] = known;
        server->n_known = at == server->n_known ? at + 1 : server->n_known;
    }
}

/* ---- what was served, for who holds it against the hub's ledger (watch.h) ---- */

static void tell_served(struct system_bus_server *server, struct bus_question *question)
{
    struct buf part;
    buf_init(&part, BUS_PEER_BYTES);
    enum err err = server->served ? system_bus_served_tell(server->served, bus_question_bytes(question), &part) : ERR_UNAVAILABLE;
    if (err) {
        buf_reset(&part);
        system_bus_error_write(err, &part);
    }
    err = part.err ? part.err : bus_question_answer(question, buf_str(&part), true);
    if (err) {
        log_write(LOG_INFO, "bus", "the journal of what was served could not be told", LOG_ERR(err), LOG_END);
        bus_question_drop(question);
    }
    buf_finish(&part);
}

/* ---- a question ---- */

static const struct hub_resource *find(void *context, struct str name)
{
    return hub_resource_find(context, name);
}

/* What was to be ended is ended: also when it was over, or never began. */
static void tell_ended(struct serving *serving)
{
    struct buf part;
    buf_init(&part, 64);
    hub_put_error(&part, ERR_OK);
    serve_answer(serving, &part);
    buf_finish(&part);
}

static void serve(struct serving *serving)
{
    enum err err;
    switch (serving->asked.what) {
    case SYSTEM_BUS_HEALTH:
        tell_health(serving);
        return;
    case SYSTEM_BUS_OPEN:
    case SYSTEM_BUS_READ:
        serve_object(serving);
        return;
    case SYSTEM_BUS_TAKE:
        serve_stream(serving);
        return;
    case SYSTEM_BUS_CLOSE:
        serve_object_close(serving->server, serving->asked.object.handle);
        tell_ended(serving);
        return;
    case SYSTEM_BUS_CANCEL:
        cancel(serving->server, serving->asked.head.number);
        tell_ended(serving);
        return;
    case SYSTEM_BUS_FETCH:
    case SYSTEM_BUS_ACT:
        if ((err = ask(serving)))
            serve_refuse(serving, err);
        else
            serve_write_down(serving);
    }
}

void system_bus_server_question(void *context, struct bus_question *question)
{
    struct system_bus_server *server = context;
    if (!str_equal_c(bus_question_party(question), server->asker)) { /* another party with a key of its own: it may not ask here */
        log_write(LOG_WARNING, "bus", "only the hub may ask a department", LOG_STR("party", bus_question_party(question)), LOG_END);
        bus_question_drop(question);
        return;
    }
    if (system_bus_served_is(bus_question_bytes(question))) {
        tell_served(server, question);
        return;
    }
    struct serving *serving = mem_alloc_zero(1, sizeof *serving);
    if (!serving) {
        bus_question_drop(question);
        return;
    }
    serving->server = server;
    serving->question = question;
    server->n_under_way++;
    arena_init(&serving->arena, ARENA_MAX);
    buf_init(&serving->act_answer, ACT_ANSWER_MAX);
    enum err err = server->n_under_way > UNDER_WAY_MAX ? ERR_FULL : ERR_OK;
    if (!err)
        err = system_bus_question_read(&serving->arena, bus_question_bytes(question), find, server->options.hub, &serving->asked);
    if (err && bus_question_bytes(question).len > 1) /* refused in the form of its own answers */
        serving->asked.what = (enum system_bus_what)(unsigned char)bus_question_bytes(question).ptr[1];
    if (err) /* a resource that is not known here is one that is not granted */
        serve_refuse(serving, err == ERR_NOT_FOUND ? ERR_DENIED : err);
    else
        serve(serving);
}

/* ---- life ---- */

enum err system_bus_key_of(void *context, struct str name, struct sign_public *ret_key)
{
    const struct hub_party *party = context ? hub_party_find(context, name) : NULL;
    return party && !str_is_empty(party->key) ? sign_public_read(party->key, ret_key) : ERR_NOT_FOUND;
}

enum err system_bus_server_create(const struct system_bus_server_options *options, struct system_bus_server **ret_server)
{
    char subject[BUS_PARTY_MAX + 16];
    struct system_bus_server *server = mem_alloc_zero(1, sizeof *server);
    if (!server)
        return ERR_NO_MEMORY;
    server->options = *options;
    snprintf(server->asker, sizeof server->asker, STR_FORMAT "/hub", STR_ARG(options->area));
    snprintf(subject, sizeof subject, STR_FORMAT ".hub.source", STR_ARG(options->area));
    const struct bus_subscriber subscriber = {
        .loop = options->loop, .limit = 1024, .when_full = BUS_DROP_OLDEST, .on_rows = on_source, .context = server};
    enum err err = serve_objects_create(server);
    if (!err)
        err = serve_streams_create(server);
    if (!err)
        err = system_bus_served_create(options->journal, &server->served);
    if (!err)
        err = bus_subscribe(options->bus, str_from_c(subject), &subscriber, &server->sources);
    if (err)
        system_bus_server_destroy(server);
    else
        *ret_server = server;
    return err;
}

uint64_t system_bus_server_n_served(const struct system_bus_server *server)
{
    return atomic_load(&server->n_served);
}

size_t system_bus_server_n_under_way(const struct system_bus_server *server)
{
    return server->n_under_way;
}

void system_bus_server_stop(struct system_bus_server *server)
{
    if (!server)
        return;
    serve_streams_stop(server);
    serve_objects_stop(server);
}

void system_bus_server_destroy(struct system_bus_server *server)
{
    if (!server)
        return;
    bus_unsubscribe(server->sources);
    serve_objects_destroy(server);
    serve_streams_destroy(server);
    system_bus_served_destroy(server->served);
    mem_free(server);
}
