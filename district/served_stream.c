/*
 * Windows of streams for another hub: each a use as anybody's here (hub/giving.h), decided and with both leaves. What is new is taken from
 * the record (district/streams.c) when it is asked for, with the fields asked for alone; where there is nothing new the answer waits for
 * it, WAIT_MS at most.
 */
#include "base/mem.h"
#include "district/parts.h"
#include "hub/asking.h"
#include "hub/pack.h"

#include <string.h>

#define WAIT_MS 1000
#define CREDIT (300u << 10) /* bytes of records in one answer, and the record that did not fit any more: below DISTRICT_ANSWER_MAX */

/* ---- an answer ---- */

static void refuse(struct serving *serving, enum err err, int rule)
{
    serving->last = err;
    serving_send_error(serving, err, rule, str_from_c(serving->giving.receipt));
}

/* The fields asked for, in their order; told to the window. */
static enum err put_record(struct hub_pack *pack, const struct rows *all, int64_t time_ms)
{
    struct serving *serving = pack->context;
    struct rows *rows;
    enum err err = rows_project(all, serving->map, serving->giving.n_fields, &rows);
    if (err)
        return err;
    if (hub_put_rows(&pack->bytes, rows, 0, DISTRICT_ANSWER_MAX, false) < rows_n(rows))
        err = ERR_TOO_LARGE;
    if (!err)
        err = pack->bytes.err ? pack->bytes.err : hub_giving_add(&serving->giving, rows);
    rows_release(rows);
    return err;
}

static struct hub_place_kept kept(const struct serving *serving)
{
    return district_stream_place(serving->district, serving->stream, serving->contract, serving->take.epoch);
}

/* `pack` NULL: nothing, but that it goes on at `first`. */
static void answer(struct serving *serving, const struct hub_pack *pack, uint64_t first)
{
    struct district *district = serving->district;
    const struct hub_place_kept place = kept(serving);
    struct hub_taken taken;
    hub_pack_answer(pack, place.epoch, place.end, first, clock_wall(district->clock), &taken);
    buf_reset(&district->out);
    district_reply_write(&(struct district_reply){0}, &district->out);
    hub_taken_write(&taken, &district->out);
    serving_send(serving, str_from_c(serving->giving.receipt));
}

static void read_on(struct serving *serving, uint64_t from)
{
    struct hub_pack pack = {.resource = serving->stream->resource,
        .stream = serving->stream->record,
        .mask = UINT64_MAX,
        .credit = CREDIT,
        .max = DISTRICT_ANSWER_MAX,
        .part = "district",
        .put = put_record,
        .context = serving};
    if (hub_pack_read(&pack, from))
        refuse(serving, ERR_UNAVAILABLE, 0);
    else
        answer(serving, &pack, 0);
    hub_pack_finish(&pack);
}

/* ---- what there is ---- */

static enum hub_place_give look(const struct serving *serving, uint64_t *ret_from)
{
    const struct hub_place_kept place = kept(serving);
    return hub_place_give(&place, serving->take.epoch, serving->take.from, ret_from);
}

static void serve(struct serving *serving)
{
    struct district *district = serving->district;
    uint64_t from;
    int rule;
    enum err err = hub_giving_may(&serving->giving, &rule);
    if (err) {
        refuse(serving, ERR_DENIED, rule);
        return;
    }
    if (serving->take.epoch == kept(serving).epoch)
        district_stream_confirm(district, serving->stream, serving->contract, serving->take.confirmed);
    enum hub_place_give what = look(serving, &from);
    if (what == HUB_PLACE_RENEW) {
        district_stream_renew(district, serving->stream, serving->contract);
        what = look(serving, &from);
    }
    if (what == HUB_PLACE_READ) {
        read_on(serving, from);
    } else if (what == HUB_PLACE_TELL) {
        uint64_t agreed = kept(serving).agreed, confirmed = serving->take.confirmed;
        /* From here on it is this consumer's; who goes on where it was has confirmed what it says, as far as the numberings agree. */
        district_stream_confirm(district, serving->stream, serving->contract, !agreed ? from : confirmed < agreed ? confirmed : agreed);
        answer(serving, NULL, from);
    } else {
        serving->is_waiting = true;
        serving->due.ns = clock_mono(district->clock).ns + WAIT_MS * INT64_C(1000000);
    }
}

static bool is_ready(struct serving *serving, bool is_over)
{
    uint64_t from;
    return is_over || atomic_load_explicit(&serving->is_cancelled, memory_order_relaxed) ||
           clock_mono(serving->district->clock).ns >= serving->due.ns || look(serving, &from) != HUB_PLACE_WAIT;
}

void serving_streams_tend(struct district *district, bool is_over)
{
    for (struct serving *serving = district->serving; serving;) {
        uint64_t from;
        if (!serving->is_waiting || !is_ready(serving, is_over)) {
            serving = serving->next;
            continue;
        }
        serving->is_waiting = false;
        if (is_over || look(serving, &from) != HUB_PLACE_READ)
            answer(serving, NULL, serving->take.from);
        else
            serve(serving);
        serving = district->serving; /* others may have ended with it */
    }
}

/* ---- a window ---- */

static void started(struct hub_giving *giving)
{
    struct serving *serving = container_of(giving, struct serving, giving);
    if (giving->refusal.err) { /* that there is no contract is not told apart from a denial */
        serving->last = giving->refusal.err == ERR_NOT_FOUND ? ERR_DENIED : giving->refusal.err;
        serving_send_error(serving, serving->last, giving->refusal.rule, STR_NONE);
        return;
    }
    if (atomic_load_explicit(&serving->is_cancelled, memory_order_relaxed)) { /* they did not wait for it */
        hub_giving_end(giving, ERR_CANCELLED);
        serving_send_error(serving, ERR_CANCELLED, 0, str_from_c(giving->receipt));
        return;
    }
    serving->is_window = true;
    serve(serving);
}

static bool has_room(const struct serving *serving)
{
    size_t n = 0;
    for (const struct serving *one = serving->district->serving; one; one = one->next)
        n += one->stream && one->peer == serving->peer;
    return n < DISTRICT_WINDOWS_OF_PEER;
}

static bool find_contract(struct serving *serving, struct str name)
{
    struct district *district = serving->district;
    for (size_t i = 0; i < district->state->n_contracts; i++)
        if (str_equal(district->contracts[i], name)) {
            serving->contract = i;
            return true;
        }
    return false;
}

static enum err copy_fields(struct serving *serving, const struct district_question *question, struct str *fields)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < question->n_fields && !err; i++) {
        int at = hub_field_find(question->resource, question->fields[i]);
        if (at < 0)
            return ERR_DENIED;
        serving->map[i] = (uint16_t)at;
        fields[i] = question->resource->fields[at].name;
    }
    return err;
}

enum err serving_stream_start(struct serving *serving, const struct hub_contract_info *info, const struct district_question *question)
{
    struct district *district = serving->district;
    if (!has_room(serving)) {
        metric_add(&district->figures.windows_full, 1);
        return ERR_FULL;
    }
    struct str *fields = arena_alloc_zero(&serving->arena, question->n_fields + 1, sizeof *fields);
    serving->map = arena_alloc_zero(&serving->arena, question->n_fields + 1, sizeof *serving->map);
    if (!fields || !serving->map)
        return ERR_NO_MEMORY;
    enum err err = copy_fields(serving, question, fields);
    struct district_stream *stream = district_stream_find(district, question->resource);
    if (!err && (!stream || !find_contract(serving, info->name)))
        err = ERR_UNAVAILABLE; /* signed a moment ago, or the disk has refused */
    if (err)
        return err;
    serving->stream = stream;
    serving->take = question->take;
    serving->giving = (struct hub_giving){
        SERVING_USE_OF(info, serving),
        .fields = fields,
        .n_fields = question->n_fields,
        .loop = district->loop,
        .started = started,
    };
    hub_giving_start(district->hub, &serving->giving);
    return ERR_OK;
}

void serving_stream_take(struct serving *serving, const struct district_question *question)
{
    if (serving->last || question->what != DISTRICT_TAKE) {
        refuse(serving, serving->last ? serving->last : ERR_RANGE, 0);
        return;
    }
    enum err err = hub_giving_has_room(&serving->giving);
    if (err) { /* as if they had ended it: the next window is decided and counted anew */
        serving->last = err;
        serving_stream_end(serving);
        refuse(serving, err, 0);
        return;
    }
    serving->take = question->take;
    serve(serving);
}

void serving_stream_end(struct serving *serving)
{
    if (!serving->is_ended)
        hub_giving_end(&serving->giving, serving->last);
    serving->is_ended = true;
}
