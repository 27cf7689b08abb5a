/*
 * Theirs here: hub_call_start(), hub_act_start(), hub_reading_start() and hub_object_start(), with the contract's own consumer and purpose,
 * so that what may be done for them is decided by the same rules and in the same place as for anybody here. A call and an act are one part;
 * a query's reading, an object (served_object.c) and a stream's window (served_stream.c) stay open until the asker's receipt, a stop or
 * silence ends them (district/step.h), and the rows of a reading's last asking are kept until then.
 */
#include "district/parts.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

#define SERVING_ARENA_MAX (1u << 20) /* a batch of keys; a use's names */
#define READING_ROWS_MAX 500000      /* of one asking */
#define READING_BYTES_MAX (32u << 20)
#define ACT_ANSWER_MAX (HUB_ACT_ANSWER_MAX + 64)

/* ---- the answer ---- */

static void release_rows(struct serving *serving)
{
    if (serving->rows)
        serving->district->n_held -= rows_n_bytes(serving->rows);
    rows_release(serving->rows);
    serving->rows = NULL;
}

static void destroy(struct serving *serving)
{
    struct serving **at = &serving->district->serving;
    while (*at && *at != serving)
        at = &(*at)->next;
    if (*at)
        *at = serving->next;
    release_rows(serving);
    serving->district->n_objects -= serving->is_counted;
    crypto_hash_destroy(serving->digest);
    arena_finish(&serving->arena);
    arena_finish(&serving->part_arena);
    mem_free(serving);
}

static bool is_open(const struct serving *serving)
{
    return serving->is_reading || serving->is_object || serving->is_window;
}

void serving_send(struct serving *serving, struct str receipt)
{
    struct district *district = serving->district;
    struct district_event event = {.kind = DISTRICT_SERVE_DONE,
        .peer = serving->peer,
        .intent = serving->intent,
        .part = serving->part,
        .is_long = serving->is_object || serving->is_window,
        .is_open = is_open(serving)};
    struct str log, index;
    event.has_leaf = str_cut_last(receipt, '/', &log, &index) && str_to_u64(index, &event.leaf) == ERR_OK;
    if (district->out.err || district->out.len > DISTRICT_ANSWER_MAX) {
        buf_reset(&district->out);
        district_reply_write(&(struct district_reply){0}, &district->out);
        hub_put_error(&district->out, ERR_TOO_LARGE);
        if (serving->what == DISTRICT_ACT)
            hub_put_text(&district->out, STR_NONE);
    }
    district_measure_part(district, serving->peer, DISTRICT_GIVEN, serving->what, serving->since, serving->told);
    district->n_under_way--;
    serving->is_busy = false;
    if (!is_open(serving))
        destroy(serving);
    district->payload = buf_str(&district->out);
    district_drive(district, event); /* may close what is open */
    district->payload = STR_NONE;
}

void serving_send_error(struct serving *serving, enum err err, int rule, struct str receipt)
{
    struct buf *out = &serving->district->out;
    serving->told = err;
    buf_reset(out);
    district_reply_write(&(struct district_reply){.rule = rule}, out);
    hub_put_error(out, err);
    if (serving->what == DISTRICT_ACT)
        hub_put_text(out, STR_NONE);
    serving_send(serving, receipt);
}

/* ---- calls ---- */

static void called(struct hub_call *call)
{
    struct serving *serving = container_of(call, struct serving, call);
    struct buf *out = &serving->district->out;
    if (call->refusal.err) {
        serving_send_error(serving, call->refusal.err, call->refusal.rule, str_from_c(call->receipt));
        return;
    }
    buf_reset(out);
    district_reply_write(&(struct district_reply){0}, out);
    if (hub_put_rows(out, call->rows, 0, DISTRICT_ANSWER_MAX, call->is_truncated) < rows_n(call->rows)) {
        serving_send_error(serving, ERR_TOO_LARGE, 0, str_from_c(call->receipt));
        return;
    }
    serving_send(serving, str_from_c(call->receipt));
}

/* Keys are all equalities of one value, outputs plain. */
static enum err start_call(struct serving *serving, const struct hub_contract_info *info, const struct district_question *question)
{
    const struct hub_fetch *fetch = &question->fetch;
    const struct hub_field *declared = question->resource->fields;
    struct str *keys = arena_alloc_zero(&serving->arena, HUB_FIELDS_MAX, sizeof *keys);
    struct str *fields = arena_alloc_zero(&serving->arena, HUB_FIELDS_MAX, sizeof *fields);
    struct value *values = arena_alloc_zero(&serving->arena, HUB_FIELDS_MAX, sizeof *values);
    if (!keys || !fields || !values)
        return ERR_NO_MEMORY;
    if (fetch->n_where > HUB_FIELDS_MAX || fetch->n_outputs > HUB_FIELDS_MAX || fetch->also || fetch->n_order)
        return ERR_UNSUPPORTED;
    for (size_t i = 0; i < fetch->n_where; i++) {
        if (fetch->where[i].op != SQL_EQ)
            return ERR_UNSUPPORTED;
        keys[i] = declared[fetch->where[i].column].name;
        values[i] = fetch->where[i].values[0];
    }
    for (size_t i = 0; i < fetch->n_outputs; i++) {
        if (fetch->outputs[i].aggregate != SQL_PLAIN)
            return ERR_UNSUPPORTED;
        fields[i] = declared[fetch->outputs[i].column].name;
    }
    serving->call = (struct hub_call){
        SERVING_USE_OF(info, serving),
        .key_names = keys,
        .key_values = values,
        .n_keys = fetch->n_where,
        .fields = fields,
        .n_fields = fetch->n_outputs,
        .loop = serving->district->loop,
        .done = called,
    };
    hub_call_start(serving->district->hub, &serving->call);
    return ERR_OK;
}

/* ---- acts ---- */

/* As the asker's hub takes a department's answer (struct hub_ask): what is not certain is ERR_TIMEOUT. */
static enum err act_err(const struct serving *serving)
{
    const struct hub_act *act = &serving->act;
    const struct hub_resource *resource = hub_resource_find(serving->district->hub, act->resource);
    if (!act->refusal.err)
        return act->state == HUB_ACT_KNOWN ? ERR_OK : act->state == HUB_ACT_REFUSED ? ERR_RANGE : ERR_TIMEOUT;
    bool may_be_under_way = act->refusal.err == ERR_BUSY && !act->refusal.rule && resource && resource->is_at_most_once;
    return may_be_under_way ? ERR_TIMEOUT : act->refusal.err;
}

static void acted(struct hub_act *act)
{
    struct serving *serving = container_of(act, struct serving, act);
    struct buf *out = &serving->district->out;
    struct buf words;
    struct json_writer w;
    enum err err = act_err(serving);
    serving->told = err;
    buf_init(&words, 4096);
    if (act->refusal.err == ERR_RANGE) { /* what was asked is wrong; nothing was done */
        json_writer_init(&w, &words);
        json_put_c(&w, act->refusal.diag.text);
    }
    buf_reset(out);
    district_reply_write(&(struct district_reply){.rule = act->refusal.rule}, out);
    hub_put_error(out, err);
    hub_put_text(out, act->refusal.err ? buf_str(&words) : err == ERR_TIMEOUT ? STR_NONE : act->json);
    buf_finish(&words);
    /* Found, not done now: the receipt is that of the asking which was answered, and names that one's twin. */
    serving_send(serving, act->is_repeated || act->refusal.err ? STR_NONE : str_from_c(act->receipt));
}

static enum err start_act(struct serving *serving, const struct hub_contract_info *info, const struct district_question *question)
{
    const struct hub_resource *resource = question->resource;
    struct str *names = arena_alloc_zero(&serving->arena, HUB_FIELDS_MAX, sizeof *names);
    struct value *values = arena_alloc_zero(&serving->arena, HUB_FIELDS_MAX, sizeof *values);
    size_t n = 0;
    if (!names || !values)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < resource->n_fields; i++)
        if (question->values[i].type != VALUE_NULL) {
            names[n] = resource->fields[i].name;
            values[n++] = question->values[i];
        }
    serving->act = (struct hub_act){
        SERVING_USE_OF(info, serving),
        .key = question->key,
        .names = names,
        .values = values,
        .n_values = n,
        .loop = serving->district->loop,
        .done = acted,
    };
    hub_act_start(serving->district->hub, &serving->act);
    return ERR_OK;
}

/* ---- readings ---- */

static void send_piece(struct serving *serving)
{
    struct buf *out = &serving->district->out;
    size_t n_all = rows_n(serving->rows), head;
    buf_reset(out);
    district_reply_write(&(struct district_reply){.is_more = true}, out);
    head = out->len;
    size_t n = hub_put_rows(out, serving->rows, serving->at, DISTRICT_PIECE, serving->is_truncated);
    serving->at += n;
    serving->n_rows += n;
    if (!out->err && serving->at == n_all)
        out->ptr[head - 1] = 0; /* no more */
    if (out->err || crypto_hash_add(serving->digest, str_slice(buf_str(out), head, out->len - head)))
        serving->last = ERR_TOO_LARGE;
    if (serving->at == n_all)
        release_rows(serving);
    serving_send(serving, str_from_c(serving->reading.receipt));
}

static void fetched(struct hub_fetch *fetch)
{
    struct serving *serving = container_of(fetch, struct serving, fetch);
    struct district *district = serving->district;
    serving->last = fetch->err;
    if (!fetch->err && district->n_held + rows_n_bytes(fetch->rows) > DISTRICT_HELD_MAX) {
        rows_release(fetch->rows);
        metric_add(&district->figures.held_full, 1);
        serving->last = ERR_FULL;
    }
    if (serving->last) {
        serving_send_error(serving, serving->last, 0, str_from_c(serving->reading.receipt));
        return;
    }
    serving->rows = fetch->rows;
    serving->at = 0;
    serving->is_truncated = fetch->is_truncated;
    district->n_held += rows_n_bytes(serving->rows);
    send_piece(serving);
}

static void fetch(struct serving *serving)
{
    struct hub_fetch *fetch = &serving->fetch;
    fetch->n_rows_max = fetch->n_rows_max < READING_ROWS_MAX ? fetch->n_rows_max : READING_ROWS_MAX;
    fetch->n_bytes_max = fetch->n_bytes_max < READING_BYTES_MAX ? fetch->n_bytes_max : READING_BYTES_MAX;
    fetch->is_cancelled = &serving->is_cancelled;
    fetch->loop = serving->district->loop;
    fetch->done = fetched;
    hub_reading_fetch(&serving->reading, fetch);
}

static void started(struct hub_reading *reading)
{
    struct serving *serving = container_of(reading, struct serving, reading);
    if (reading->refusal.err) {
        serving_send_error(serving, reading->refusal.err, reading->refusal.rule, STR_NONE);
        return;
    }
    serving->is_reading = true;
    fetch(serving);
}

static enum err start_reading(struct serving *serving, const struct hub_contract_info *info, const struct district_question *question)
{
    struct str *fields = arena_alloc_zero(&serving->arena, question->n_fields + 1, sizeof *fields);
    enum err err = fields ? crypto_hash_create(&serving->digest) : ERR_NO_MEMORY;
    for (size_t i = 0; i < question->n_fields && !err; i++)
        err = arena_copy_str(&serving->arena, question->fields[i], &fields[i]);
    if (err)
        return err;
    serving->fetch = question->fetch;
    serving->reading = (struct hub_reading){
        SERVING_USE_OF(info, serving),
        .fields = fields,
        .n_fields = question->n_fields,
        .loop = serving->district->loop,
        .started = started,
    };
    hub_reading_start(serving->district->hub, &serving->reading);
    return ERR_OK;
}

void district_use_close(struct district *district, size_t peer, uint64_t intent)
{
    struct sha256 digest;
    struct serving *serving = district->serving;
    while (serving && (serving->peer != peer || serving->intent != intent))
        serving = serving->next;
    if (!serving || !is_open(serving))
        return;
    if (serving->is_object) {
        serving_object_end(serving);
    } else if (serving->is_window) {
        serving_stream_end(serving);
    } else {
        if (crypto_hash_end(serving->digest, &digest))
            digest = crypto_sha256(STR_NONE);
        hub_reading_end(&serving->reading, serving->n_rows, digest, serving->last);
    }
    destroy(serving);
}

void district_use_abort(struct district *district, size_t peer, uint64_t intent)
{
    for (struct serving *serving = district->serving; serving; serving = serving->next)
        if (serving->peer == peer && serving->intent == intent) {
            atomic_store_explicit(&serving->is_cancelled, true, memory_order_relaxed);
            atomic_store_explicit(&serving->call.is_cancelled, true, memory_order_relaxed);
            if (serving->is_object)
                hub_object_give_up(&serving->object);
        }
}

void district_use_close_all(struct district *district)
{
    serving_streams_tend(district, true);
    for (struct serving *serving = district->serving, *next; serving; serving = next) {
        next = serving->next;
        if (is_open(serving) && !serving->is_busy)
            district_use_close(district, serving->peer, serving->intent);
        else if (serving->is_object) /* its piece is not waited for longer than need be */
            hub_object_give_up(&serving->object);
    }
}

/* ---- what comes ---- */

struct finding {
    struct district *district;
    int hub;
    struct hub_contract_info info;
};

/* A contract of a resource here with a party that is at home at just the hub that asks. */
static const struct hub_resource *find(void *context, struct str contract)
{
    struct finding *finding = context;
    const struct district *district = finding->district;
    const struct federation *federation = district->federation;
    struct hub_contract_info *info = &finding->info;
    if (!hub_contract_find(district->hub, contract, info) ||
        district_home(federation->nodes, federation->n_hubs, info->consumer) != finding->hub ||
        district_home(federation->nodes, federation->n_hubs, info->resource) != district->self)
        return NULL;
    return hub_resource_find(district->hub, info->resource);
}

static enum err read_question(struct serving *serving, struct finding *finding, struct district_question *question)
{
    struct str copy, bytes = serving->district->rest;
    enum err err = bytes.len > DISTRICT_QUESTION_MAX ? ERR_TOO_LARGE : arena_copy_str(&serving->part_arena, bytes, &copy);
    if (!err)
        err = district_question_read(&serving->part_arena, copy, find, finding, question);
    serving->what = err ? serving->what : question->what;
    return err;
}

/* The first part of a use. */
static enum err begin(struct serving *serving)
{
    struct finding finding = {.district = serving->district, .hub = serving->district->hub_of[serving->peer]};
    struct district_question question;
    enum err err = read_question(serving, &finding, &question);
    if (!err)
        err = arena_printf(&serving->arena, &serving->twin, STR_FORMAT "/%llu",
            STR_ARG(serving->district->federation->hubs[finding.hub].log), (unsigned long long)serving->intent);
    if (err)
        return err;
    switch (question.what) {
    case DISTRICT_CALL:
        return start_call(serving, &finding.info, &question);
    case DISTRICT_ACT:
        return start_act(serving, &finding.info, &question);
    case DISTRICT_QUERY:
        return start_reading(serving, &finding.info, &question);
    case DISTRICT_OBJECT:
        return serving_object_start(serving, &finding.info, &question);
    case DISTRICT_WINDOW:
        return serving_stream_start(serving, &finding.info, &question);
    case DISTRICT_MORE:
    case DISTRICT_READ:
    case DISTRICT_TAKE:
    case DISTRICT_WHATS:
        break;
    }
    return ERR_RANGE;
}

/* The next part of a reading: another asking under the same contract, or more of the last one's rows; or of an object, or a stream. */
static void go_on(struct serving *serving)
{
    struct finding finding = {.district = serving->district, .hub = serving->district->hub_of[serving->peer]};
    struct district_question question;
    arena_finish(&serving->part_arena);
    arena_init(&serving->part_arena, SERVING_ARENA_MAX);
    enum err err = read_question(serving, &finding, &question);
    if (serving->is_object) {
        if (err)
            serving_send_error(serving, err, 0, str_from_c(serving->object.receipt));
        else
            serving_object_read(serving, &question);
        return;
    }
    if (serving->is_window) {
        if (err)
            serving_send_error(serving, err, 0, str_from_c(serving->giving.receipt));
        else
            serving_stream_take(serving, &question);
        return;
    }
    if (!err && question.what == DISTRICT_MORE && serving->rows && question.from == serving->at) {
        send_piece(serving);
        return;
    }
    release_rows(serving);
    if (!err && question.what == DISTRICT_QUERY && str_equal(question.contract, serving->reading.contract)) {
        serving->fetch = question.fetch;
        fetch(serving);
        return;
    }
    serving_send_error(serving, err ? err : ERR_RANGE, 0, str_from_c(serving->reading.receipt));
}

void district_use_serve(struct district *district, size_t peer, uint64_t intent, uint32_t part)
{
    struct serving *serving = district->serving;
    if (part > 0) {
        while (serving && (serving->peer != peer || serving->intent != intent || !is_open(serving)))
            serving = serving->next;
        if (!serving) /* they time out */
            return;
        serving->part = part;
        serving->is_busy = true;
        serving->told = ERR_OK;
        serving->since = clock_mono(district->clock);
        district->n_under_way++;
        go_on(serving);
        return;
    }
    serving = mem_alloc_zero(1, sizeof *serving);
    if (!serving)
        return;
    *serving = (struct serving){.district = district,
        .peer = peer,
        .intent = intent,
        .is_busy = true,
        .since = clock_mono(district->clock),
        .next = district->serving};
    district->serving = serving;
    arena_init(&serving->arena, SERVING_ARENA_MAX);
    arena_init(&serving->part_arena, SERVING_ARENA_MAX);
    serving->what = !str_is_empty(district->rest) ? (enum district_what)district->rest.ptr[0] : DISTRICT_CALL;
    bool is_full = district->n_under_way >= DISTRICT_UNDER_WAY_MAX;
    metric_add(&district->figures.served_full, is_full);
    district->n_under_way++;
    enum err err = is_full ? ERR_FULL : begin(serving);
    if (err)
        serving_send_error(serving, err, 0, STR_NONE);
}
