/* A stream's events as a department keeps them and as they go over the bus: u64 time | u16 n, names | rows as hub/asking.h has them. */
#include "hub/alert.h"
#include "hub/asking.h"
#include "hub/audit.h"
#include "system/bus/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROWS_MAX (16u << 20) /* bytes of a record's rows, unpacked */
#define FIELDS_MAX HUB_FIELDS_MAX

size_t system_bus_events_write(int64_t now_ms, const struct hub_resource *resource, const struct rows *rows, size_t from, struct buf *out)
{
    hub_put_number(out, (uint64_t)now_ms, 8);
    hub_put_number(out, resource->n_fields, 2);
    for (size_t i = 0; i < resource->n_fields; i++) {
        hub_put_text(out, resource->fields[i].name);
        hub_put_number(out, resource->fields[i].type, 1);
    }
    return hub_put_rows(out, rows, from, SYSTEM_BUS_PART, false);
}

static enum err project(const struct rows *rows, const int *from, const struct hub_resource *resource, struct rows *out)
{
    struct value values[FIELDS_MAX];
    enum err err = ERR_OK;
    for (size_t i = 0; i < rows_n(rows) && !err; i++) {
        const struct value *row = rows_at(rows, i);
        for (size_t j = 0; j < resource->n_fields; j++)
            values[j] = from[j] >= 0 ? row[from[j]] : VALUE_NONE;
        err = rows_add(out, values);
    }
    return err;
}

enum err system_bus_events_read(
    struct str bytes, const struct hub_resource *resource, uint64_t mask, int64_t *ret_time_ms, struct rows **ret_rows)
{
    struct bytes_reader in;
    enum value_type types[FIELDS_MAX];
    int from[FIELDS_MAX]; /* of each field of ours, its place in the record */
    struct rows *all = NULL, *rows = NULL;
    bool is_truncated;
    enum err told;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    int64_t time_ms = (int64_t)bytes_read_u64be(&in);
    size_t n = bytes_read_u16be(&in);
    if (in.err || n == 0 || n > FIELDS_MAX || resource->n_fields > FIELDS_MAX)
        return ERR_SYNTAX;
    for (size_t i = 0; i < resource->n_fields; i++)
        from[i] = -1;
    for (size_t i = 0; i < n; i++) {
        struct str name = hub_get_text(&in);
        types[i] = (enum value_type)bytes_read_u8(&in);
        int at = in.err ? -1 : hub_field_find(resource, name);
        if (at < 0 || !(mask >> at & 1))
            continue;
        if (types[i] != resource->fields[at].type)
            return ERR_SYNTAX;
        from[at] = (int)i;
    }
    if (in.err)
        return ERR_SYNTAX;
    struct str rest = bytes_read_str(&in, bytes_reader_left(&in));
    enum err err = rows_create(n, ROWS_MAX, &all);
    if (!err)
        err = hub_get_rows(rest, types, n, all, &is_truncated, &told);
    if (!err && told)
        err = ERR_SYNTAX;
    if (!err)
        err = rows_create(resource->n_fields, ROWS_MAX, &rows);
    if (!err)
        err = project(all, from, resource, rows);
    rows_release(all);
    if (err) {
        rows_release(rows);
        return err;
    }
    *ret_time_ms = time_ms;
    *ret_rows = rows;
    return ERR_OK;
}

bool system_bus_alert_is_own(struct str party, const struct value *row)
{
    struct str key = row[HUB_ALERT_KEY].s, area, name;
    for (int i = 0; i < HUB_ALERT_TIME; i++)
        if (row[i].type != VALUE_TEXT)
            return false;
    if (!str_cut(party, '/', &area, &name) || key.len <= party.len)
        return false;
    return hub_audit_tells(row[HUB_ALERT_KIND].s) && str_equal(row[HUB_ALERT_AREA].s, area) && str_equal(row[HUB_ALERT_PARTY].s, party) &&
           str_equal(str_slice(key, 0, party.len), party) && key.ptr[party.len] == '/' && str_is_empty(row[HUB_ALERT_RECEIPT].s);
}

void system_bus_records_name(uint64_t epoch, uint64_t first, size_t n, char out[SYSTEM_BUS_RECORDS_NAME])
{
    snprintf(out, SYSTEM_BUS_RECORDS_NAME, "%" PRIx64 "/%" PRIu64 "+%zu", epoch, first, n);
}

void system_bus_taken_write(const struct system_bus_taken *taken, struct buf *out)
{
    hub_put_error(out, ERR_OK);
    hub_put_number(out, taken->epoch, 8);
    hub_put_number(out, taken->first, 8);
    hub_put_number(out, (uint64_t)taken->watermark_ms, 8);
    hub_put_number(out, taken->n, 2);
    for (size_t i = 0; i < taken->n; i++)
        hub_put_text(out, taken->records[i]);
}

enum err system_bus_taken_read(struct str bytes, struct system_bus_taken *ret_taken, enum err *ret_err)
{
    struct bytes_reader in;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    *ret_err = hub_get_error(&in);
    if (in.err || *ret_err)
        return in.err || bytes_reader_left(&in) ? ERR_SYNTAX : ERR_OK;
    ret_taken->epoch = bytes_read_u64be(&in);
    ret_taken->first = bytes_read_u64be(&in);
    ret_taken->watermark_ms = (int64_t)bytes_read_u64be(&in);
    ret_taken->n = bytes_read_u16be(&in);
    if (in.err || ret_taken->epoch == 0 || ret_taken->n > SYSTEM_BUS_TAKEN_MAX || ret_taken->first > UINT64_MAX - ret_taken->n)
        return ERR_SYNTAX;
    for (size_t i = 0; i < ret_taken->n; i++)
        ret_taken->records[i] = hub_get_text(&in);
    return in.err || bytes_reader_left(&in) ? ERR_SYNTAX : ERR_OK;
}
