/* Records: u64 time | u16 n, names with their types | rows as hub/asking.h has them. See hub/events.h. */
#include "hub/events.h"

#include "hub/asking.h"

#include <string.h>

#define ROWS_MAX (16u << 20) /* bytes of a record's rows, unpacked */
#define FIELDS_MAX HUB_FIELDS_MAX

size_t hub_events_write(int64_t now_ms, const struct hub_resource *resource, const struct rows *rows, size_t from, struct buf *out)
{
    hub_put_number(out, (uint64_t)now_ms, 8);
    hub_put_number(out, resource->n_fields, 2);
    for (size_t i = 0; i < resource->n_fields; i++) {
        hub_put_text(out, resource->fields[i].name);
        hub_put_number(out, resource->fields[i].type, 1);
    }
    return hub_put_rows(out, rows, from, HUB_EVENTS_PART, false);
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

enum err hub_events_read(struct str bytes, const struct hub_resource *resource, uint64_t mask, int64_t *ret_time_ms, struct rows **ret_rows)
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

void hub_taken_write(const struct hub_taken *taken, struct buf *out)
{
    hub_put_error(out, ERR_OK);
    hub_put_number(out, taken->epoch, 8);
    hub_put_number(out, taken->first, 8);
    hub_put_number(out, (uint64_t)taken->watermark_ms, 8);
    hub_put_number(out, taken->n, 2);
    for (size_t i = 0; i < taken->n; i++)
        hub_put_text(out, taken->records[i]);
}

enum err hub_taken_read(struct str bytes, struct hub_taken *ret_taken, enum err *ret_err)
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
    if (in.err || ret_taken->epoch == 0 || ret_taken->n > HUB_TAKEN_MAX || ret_taken->first > UINT64_MAX - ret_taken->n)
        return ERR_SYNTAX;
    for (size_t i = 0; i < ret_taken->n; i++)
        ret_taken->records[i] = hub_get_text(&in);
    return in.err || bytes_reader_left(&in) ? ERR_SYNTAX : ERR_OK;
}
