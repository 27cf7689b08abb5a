/*
 * Streams at another hub: each window of a subscription here (hub/stream.c) is a use there, opened under our intent's number, and each
 * asking for what is new is a part of it. As an object's it may last, and so it is named by a leaf of its own.
 */
#include "district/parts.h"

#include "base/mem.h"
#include "hub/asking.h"

#include <string.h>

#define RECORD_ROWS_MAX (16u << 20) /* bytes of a record's rows, unpacked */

static void ended(struct loop_task *task)
{
    struct hub_take *take = container_of(task, struct hub_take, task);
    take->done(take);
}

static void end(struct hub_take *take, enum err err)
{
    take->err = err;
    take->task.fn = ended;
    loop_post(take->loop, &take->task);
}

/* ---- asking ---- */

void district_stream_take(struct district *district, int hub, struct hub_take *take)
{
    bool is_first = !take->window;
    struct asked *asked = asked_create(district, hub, take->intent);
    struct district_long *window = is_first ? mem_alloc_zero(1, sizeof *window) : take->window;
    const struct district_question question = {.what = is_first ? DISTRICT_WINDOW : DISTRICT_TAKE,
        .contract = take->contract,
        .resource = take->resource,
        .fields = take->fields,
        .n_fields = take->n_fields,
        .take = {take->epoch, take->from, take->confirmed}};
    if (!asked || !window || asked_write(district, &question)) {
        mem_free(asked);
        if (is_first)
            mem_free(window);
        end(take, ERR_UNAVAILABLE);
        return;
    }
    if (is_first)
        *window = (struct district_long){.district = district, .hub = hub, .intent = take->intent, .contract = take->contract};
    asked->what = question.what;
    asked->take = take;
    asked->object = window;
    asked_drive(asked, !is_first, 0);
}

/* ---- answers ---- */

void asked_stream_end(struct asked *asked, enum err err)
{
    struct hub_take *take = asked->take;
    if (asked->what == DISTRICT_WINDOW && err)
        district_long_close(asked->object);
    else
        take->window = asked->object;
    end(take, err);
}

static enum value_type type_of(const struct hub_resource *resource, struct str name)
{
    int at = hub_field_find(resource, name);
    return at < 0 ? VALUE_NULL : resource->fields[at].type;
}

/* NULL in *ret_rows: of another form than declared here. */
static enum err read_record(const struct hub_take *take, struct str record, struct rows **ret_rows)
{
    enum value_type types[HUB_FIELDS_MAX];
    bool is_truncated;
    enum err told = ERR_OK;
    struct rows *rows;
    for (size_t i = 0; i < take->n_fields; i++)
        types[i] = type_of(take->resource, take->fields[i]);
    enum err err = rows_create(take->n_fields, RECORD_ROWS_MAX, &rows);
    if (err)
        return err;
    err = hub_get_rows(record, types, take->n_fields, rows, &is_truncated, &told);
    if (err || told) {
        rows_release(rows);
        rows = NULL;
    }
    if (err == ERR_NO_MEMORY)
        return err;
    *ret_rows = rows;
    return ERR_OK;
}

static enum err read_records(struct hub_take *take)
{
    for (size_t i = 0; i < take->taken.n; i++) {
        enum err err = read_record(take, take->taken.records[i], &take->rows[i]);
        if (err) {
            while (i-- > 0)
                rows_release(take->rows[i]);
            take->taken.n = 0;
            return err;
        }
    }
    return ERR_OK;
}

enum err asked_stream_read(struct asked *asked, struct str bytes, int rule)
{
    struct hub_take *take = asked->take;
    enum err told = ERR_OK;
    enum err err = hub_taken_read(bytes, &take->taken, &told);
    if (err) {
        take->taken.n = 0;
        return asked_malformed(asked);
    }
    if (told) {
        take->taken.n = 0;
        asked_log_refusal(asked, rule, told);
        return told == ERR_TIMEOUT || told == ERR_FULL || told == ERR_BUSY || told == ERR_CANCELLED ? told : ERR_UNAVAILABLE;
    }
    return read_records(take);
}
