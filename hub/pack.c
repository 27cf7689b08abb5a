/* See hub/pack.h. */
#include "hub/pack.h"

#include "base/log.h"

/* False: that was enough, or it cannot be read here. */
static bool take_record(void *context, uint64_t index, struct str record)
{
    struct hub_pack *pack = context;
    struct rows *rows;
    int64_t time_ms;
    if (pack->n == HUB_TAKEN_MAX || pack->bytes.len > pack->credit)
        return false;
    enum err err = hub_events_read(record, pack->resource, pack->mask, &time_ms, &rows);
    if (err) { /* of older files, in which a field had another type */
        if (pack->n > 0)
            return false; /* numbers in an answer follow each other: it is the first of the next one */
        log_write(LOG_ERROR, pack->part, "a kept record does not fit the files any more, and is passed over",
            LOG_STR("resource", pack->resource->name), LOG_ERR(err), LOG_END);
        pack->next = index + 1;
        return true;
    }
    pack->err = pack->put(pack, rows, time_ms);
    pack->err = pack->err ? pack->err : pack->bytes.err;
    rows_release(rows);
    if (pack->err)
        return false;
    pack->ends[pack->n++] = pack->bytes.len;
    pack->next = index + 1;
    pack->newest_ms = time_ms;
    return true;
}

enum err hub_pack_read(struct hub_pack *pack, uint64_t from)
{
    buf_init(&pack->bytes, pack->max);
    pack->next = from;
    pack->n = 0;
    pack->err = ERR_OK;
    enum err err = hub_record_read(pack->stream, from, take_record, pack);
    err = err ? err : pack->err;
    if (err)
        log_write(LOG_ERROR, pack->part, "kept records cannot be given", LOG_STR("resource", pack->resource->name), LOG_ERR(err), LOG_END);
    return err;
}

void hub_pack_answer(
    const struct hub_pack *pack, uint64_t epoch, uint64_t end, uint64_t first, struct wall_time now, struct hub_taken *ret_taken)
{
    ret_taken->epoch = epoch;
    ret_taken->first = pack ? pack->next - pack->n : first;
    ret_taken->n = pack ? pack->n : 0;
    ret_taken->watermark_ms = !pack || pack->next >= end ? now.ms : pack->newest_ms;
    for (size_t i = 0; i < ret_taken->n; i++) {
        size_t start = i ? pack->ends[i - 1] : 0;
        ret_taken->records[i] = str_slice(buf_str(&pack->bytes), start, pack->ends[i] - start);
    }
}

void hub_pack_finish(struct hub_pack *pack)
{
    buf_finish(&pack->bytes);
}
