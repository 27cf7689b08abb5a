/*
 * What is kept of this hub's streams for those who subscribe at other hubs: a record on disk a stream (hub/record.h), with the fields alone
 * that contracts with them grant, from the moment at which such a contract is in force. It is filled as the rows are published, so a source
 * that was told "accepted" has been told so of both.
 *
 * Each contract has a place in it: its consumer's, confirmed by that. What all have is let go. Past DISTRICT_KEPT_MAX of a stream the
 * oldest quarter goes too, whoever does not have it: a consumer that stays away must not stop the sources here. It is told the gap when it
 * comes back, and counted.
 */
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "district/parts.h"

#define HARD_MAX (2 * (uint64_t)DISTRICT_KEPT_MAX) /* only while this thread stands still; past it sources are refused */

struct hub_keeper *district_keeper(struct district *district)
{
    return district && district->record ? hub_record_keeper(district->record) : NULL;
}

struct district_stream *district_stream_find(struct district *district, const struct hub_resource *resource)
{
    for (size_t i = 0; i < district->n_streams; i++)
        if (district->streams[i].resource == resource)
            return &district->streams[i];
    return NULL;
}

/* ---- what is kept ---- */

static size_t streams_max(const struct district *district)
{
    size_t max = district->options.streams_max;
    return max && max < HUB_RECORD_STREAMS_MAX ? max : HUB_RECORD_STREAMS_MAX;
}

static enum err open_stream(struct district *district, const struct hub_resource *resource, struct diag *diag)
{
    struct hub_record_stream *record;
    if (district->n_streams == streams_max(district))
        return diag_set(diag, ERR_FULL, NULL, 0,
            "%zu streams are kept for other hubs, as many as may be; end the contracts of one that is not needed, and start this hub anew",
            district->n_streams);
    enum err err = hub_record_open_stream(district->record, resource, district->streams_dir, diag, &record);
    if (!err)
        district->streams[district->n_streams++] = (struct district_stream){.resource = resource, .record = record};
    return err;
}

/* Told once. */
static void tell_unkept(
    struct district *district, size_t contract, const struct hub_resource *resource, enum err err, const struct diag *diag)
{
    bool *is_told = &district->places[contract].is_told;
    if (err && !*is_told) {
        metric_add(&district->figures.streams_full, err == ERR_FULL);
        log_write(LOG_ERROR, "district", "a stream is not kept for another hub, which gets nothing of it",
            LOG_STR("resource", resource->name), LOG_STR("contract", district->contracts[contract]), LOG_ERR(err),
            LOG_STR("detail", str_from_c(diag->text)), LOG_END);
    }
    *is_told = err != ERR_OK;
}

/* The stream of a contract that is at home here and in force; NULL: another one. */
static const struct hub_resource *stream_of(struct district *district, size_t contract, struct hub_contract_info *info)
{
    if (!district->state->contracts[contract].is_home || !hub_contract_find(district->hub, district->contracts[contract], info))
        return NULL;
    const struct hub_resource *resource = hub_resource_find(district->hub, info->resource);
    return resource && resource->kind == HUB_STREAM ? resource : NULL;
}

static uint64_t mask_of(const struct hub_contract_info *info, const struct hub_resource *resource)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < info->n_fields; i++) {
        int at = hub_field_find(resource, info->fields[i]);
        mask |= at >= 0 ? UINT64_C(1) << at : 0;
    }
    return mask;
}

/* At the start: ends with the first error but ERR_FULL. */
static enum err look(struct district *district, bool is_start, struct diag *diag)
{
    struct hub_contract_info info;
    uint64_t masks[HUB_RECORD_STREAMS_MAX] = {0};
    for (size_t i = 0; district->record && i < district->state->n_contracts; i++) {
        const struct hub_resource *resource = stream_of(district, i, &info);
        if (!resource || info.state != HUB_AGREED)
            continue;
        enum err err = district_stream_find(district, resource) ? ERR_OK : open_stream(district, resource, diag);
        if (err && err != ERR_FULL && is_start)
            return err;
        tell_unkept(district, i, resource, err, diag);
        if (!err)
            masks[district_stream_find(district, resource) - district->streams] |= mask_of(&info, resource);
    }
    for (size_t i = 0; i < district->n_streams; i++) {
        struct district_stream *stream = &district->streams[i];
        if (stream->mask == masks[i])
            continue;
        stream->mask = masks[i];
        if (stream->mask)
            hub_record_mask(stream->record, stream->mask);
        hub_stream_tee(stream->resource, stream->mask != 0);
    }
    return ERR_OK;
}

void district_streams_look(struct district *district)
{
    struct diag diag = {""};
    (void)look(district, false, &diag); /* each was told */
}

enum err district_streams_begin(struct district *district, struct diag *diag)
{
    return look(district, true, diag);
}

/* ---- places ---- */

static struct district_place *place_of(struct district *district, size_t contract)
{
    struct district_place *place = &district->places[contract];
    struct book_place known;
    if (place->is_read)
        return place;
    enum err err = book_place(district->book, district->contracts[contract], &known);
    if (!err)
        *place = (struct district_place){.epoch = known.epoch, .turn = known.turn, .confirmed = known.confirmed, .is_known = true};
    place->is_read = !err || err == ERR_NOT_FOUND;
    return place;
}

struct hub_place_kept district_stream_place(
    struct district *district, const struct district_stream *stream, size_t contract, uint64_t asked_epoch)
{
    struct hub_record_place record = hub_record_place(stream->record);
    const struct district_place *place = place_of(district, contract);
    uint64_t agreed = hub_record_agreed(stream->record, place->epoch);
    return (struct hub_place_kept){.epoch = record.epoch ^ place->turn,
        .first = record.first,
        .end = record.end,
        /* Of another numbering nothing can be said, so all that is there comes again: rather twice than never. */
        .confirmed = !place->is_known            ? UINT64_MAX
                     : place->confirmed < agreed ? place->confirmed
                                                 : agreed,
        .agreed = hub_record_agreed(stream->record, asked_epoch ^ place->turn)};
}

void district_stream_confirm(struct district *district, const struct district_stream *stream, size_t contract, uint64_t number)
{
    struct hub_record_place record = hub_record_place(stream->record);
    struct district_place *place = place_of(district, contract);
    if (number > record.end || (place->is_known && place->epoch == record.epoch && number <= place->confirmed))
        return;
    place->is_known = place->is_new = true;
    place->epoch = record.epoch;
    place->confirmed = number;
}

void district_stream_renew(struct district *district, const struct district_stream *stream, size_t contract)
{
    struct hub_record_place record = hub_record_place(stream->record);
    struct district_place *place = place_of(district, contract);
    crypto_random(&place->turn, sizeof place->turn);
    place->turn &= ~UINT64_C(1); /* an epoch is odd, never 0 */
    place->confirmed = place->confirmed < record.end ? place->confirmed : record.end;
    place->is_new = true;
}

static void write_places(struct district *district)
{
    for (size_t i = 0; i < district->state->n_contracts; i++) {
        struct district_place *place = &district->places[i];
        if (!place->is_new)
            continue;
        const struct book_place known = {place->epoch, place->turn, place->confirmed};
        enum err err = book_set_place(district->book, district->contracts[i], &known);
        if (err) {
            district_fail(district, err);
            return;
        }
        place->is_new = false;
    }
}

/* Up to where all have it who have ever asked. */
static uint64_t all_have(struct district *district, const struct district_stream *stream)
{
    struct hub_contract_info info;
    uint64_t least = hub_record_place(stream->record).end;
    for (size_t i = 0; i < district->state->n_contracts; i++) {
        if (stream_of(district, i, &info) != stream->resource || info.state == HUB_ENDED)
            continue;
        uint64_t place = district_stream_place(district, stream, i, 0).confirmed;
        least = place < least ? place : least;
    }
    return least;
}

void district_streams_tend(struct district *district)
{
    if (!district->record)
        return;
    write_places(district); /* before anything is let go by them */
    for (size_t i = 0; i < district->n_streams && !district->is_broken; i++) {
        struct district_stream *stream = &district->streams[i];
        hub_record_confirm(stream->record, all_have(district, stream));
        if (hub_record_n_waiting(stream->record) <= DISTRICT_KEPT_MAX)
            continue;
        uint64_t n = hub_record_trim(stream->record, DISTRICT_KEPT_MAX / 4 * 3);
        metric_add(&district->figures.stream_dropped, n);
        log_write(LOG_WARNING, "district", "a stream is not taken by the hub that subscribed to it; the oldest is dropped",
            LOG_STR("resource", stream->resource->name), LOG_INT("records", (int64_t)n), LOG_END);
    }
}

/* ---- life ---- */

void district_streams_close(struct district *district)
{
    hub_record_destroy(district->record);
    mem_free(district->streams);
    mem_free(district->places);
}

static void stopped(void *context, enum err err)
{
    struct district *district = context;
    if (district->options.fatal)
        district->options.fatal(district->options.fatal_context, "streams", err);
}

enum err district_streams_create(struct district *district)
{
    const struct hub_record_options options = {
        .waiting_max = HARD_MAX, .on_stopped = stopped, .context = district, .key_path = district->options.streams_key};
    if (!district->options.streams_dir)
        return ERR_OK;
    enum err err = str_to_c(str_from_c(district->options.streams_dir), district->streams_dir, sizeof district->streams_dir);
    district->streams = mem_alloc_zero(HUB_RECORD_STREAMS_MAX, sizeof *district->streams);
    district->places = mem_alloc_zero(DISTRICT_CONTRACTS_MAX, sizeof *district->places);
    if (!err && (!district->streams || !district->places))
        err = ERR_NO_MEMORY;
    return err ? err : hub_record_create(&options, &district->record);
}
