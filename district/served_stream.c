/*
 * Windows of streams for another hub: each a use as anybody's here (hub/giving.h), decided and with both leaves. What is new is taken from
 * the record (district/streams.c) when it is asked for, with the fields asked for alone; where there is nothing new the answer waits for
 * it, WAIT_MS at most.
 */
#include "base/log.h"
#include "base/mem.h"
#include "district/parts.h"
#include "hub/asking.h"
#include "hub/events.h"

#include <string.h>

#define WAIT_MS 1000
#define CREDIT (300u << 10) /* bytes of records in one answer, and the record that did not fit any more: below DISTRICT_ANSWER_MAX */

/* ---- an answer ---- */

struct taking {
    struct serving *serving;
    uint64_t next; /* the record after the last one taken */
    int64_t newest_ms;
    struct buf bytes; /* of the records; their ends in `ends` */
    size_t n, ends[HUB_TAKEN_MAX];
    enum err err;
};

static void refuse(struct serving *serving, enum err err, int rule)
{
    serving->last = err;
    serving_send_error(serving, err, rule, str_from_c(serving->giving.receipt));
}

static enum err put_record(struct taking *taking, const struct rows *all)
{
    struct serving *serving = taking->serving;
    struct rows *rows;
    enum err err = rows_project(all, serving->map, serving->giving.n_fields, &rows);
    if (err)
        return err;
    if (hub_put_rows(&taking->bytes, rows, 0, DISTRICT_ANSWER_MAX, false) < rows_n(rows))
        err = ERR_TOO_LARGE;
    if (!err)
        err = taking->bytes.err ? taking->bytes.err : hub_giving_add(&serving->giving, rows);
    rows_release(rows);
    return err;
}

/* False: that was enough, or it cannot be read here. */
static bool take_record(void *context, uint64_t index, struct str record)
{
    struct taking *taking = context;
    const struct hub_resource *resource = taking->serving->stream->resource;
    struct rows *rows;
    int64_t time_ms;
    if (taking->n == HUB_TAKEN_MAX || taking->bytes.len > CREDIT)
        return false;
    enum err err = hub_events_read(record, resource, UINT64_MAX, &time_ms, &rows);
    if (err) { /* of older files, in which a field had another type */
        if (taking->n > 0)
            return false; /* numbers in an answer follow each other: it is the first of the next one */
        log_write(LOG_ERROR, "district", "a kept record does not fit the files any more, and is passed over",
            LOG_STR("resource", resource->name), LOG_ERR(err), LOG_END);
        taking->next = index + 1;
        return true;
    }
    taking->err = put_record(taking, rows);
    rows_release(rows);
    if (taking->err)
        return false;
    taking->ends[taking->n++] = taking->bytes.len;
    taking->next = index + 1;
    taking->newest_ms = time_ms;
    return true;
}

static struct hub_place_kept kept(const struct serving *serving)
{
    return district_stream_place(serving->district, serving->stream, serving->contract, serving->take.epoch);
}

/* `taking` NULL: nothing, but that it goes on at `first`. */
static void answer(struct serving *serving, const struct taking *taking, uint64_t first)
{
    struct district *district = serving->district;
    const struct hub_place_kept place = kept(serving);
    struct hub_taken taken = {.epoch = place.epoch, .first = first, .n = taking ? taking->n : 0};
    taken.watermark_ms = !taking || taking->next >= place.end ? clock_wall(district->clock).ms : taking->newest_ms;
    for (size_t i = 0; i < taken.n; i++) {
        size_t start = i ? taking->ends[i - 1] : 0;
        taken.records[i] = str_slice(buf_str(&taking->bytes), start, taking->ends[i] - start);
    }
    buf_reset(&district->out);
    district_reply_write(&(struct district_reply){0}, &district->out);
    hub_taken_write(&taken, &district->out);
    serving_send(serving, str_from_c(serving->giving.receipt));
}

static void read_on(struct serving *serving, uint64_t from)
{
    struct taking taking = {.serving = serving, .next = from};
    buf_init(&taking.bytes, DISTRICT_ANSWER_MAX);
    enum err err = hub_record_read(serving->stream->record, from, take_record, &taking);
    err = err ? err : taking.err;
    if (err) {
        log_write(LOG_ERROR, "district", "kept records cannot be given", LOG_STR("resource", serving->stream->resource->name), LOG_ERR(err),
            LOG_END);
        refuse(serving, ERR_UNAVAILABLE, 0);
    } else {
        answer(serving, &taking, taking.next - taking.n);
    }
    buf_finish(&taking.bytes);
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
        .party = info->consumer,
        .resource = info->resource,
        .purpose = info->purpose,
        .contract = info->name,
        .twin = serving->twin,
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
