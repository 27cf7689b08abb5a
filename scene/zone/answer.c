/* One SELECT, and its rows held against the plates that were asked for. */
#include "scene/zone/answer.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

const char *const zone_pass_fields[5] = {"plate", "zone", "valid_from", "valid_until", NULL};
enum { PASS_PLATE, PASS_ZONE, PASS_FROM, PASS_UNTIL, PASS_N_FIELDS };

size_t zone_ask_write(const struct zone_ask *ask, struct str resource, struct buf *out, struct value parameters[ZONE_PARAMETERS_MAX])
{
    int64_t earliest_ms = INT64_MAX;
    buf_append_c(out, "SELECT plate, zone, valid_from, valid_until FROM \"");
    buf_append_str(out, resource);
    buf_append_c(out, "\" WHERE plate IN (");
    for (uint32_t i = 0; i < ask->n; i++) {
        const struct zone_check *check = &ask->checks[i];
        buf_append_c(out, i == 0 ? "?" : ", ?");
        parameters[i] = value_text((struct str){check->plate, check->plate_len});
        earliest_ms = check->time_ms < earliest_ms ? check->time_ms : earliest_ms;
    }
    buf_append_c(out, ") AND valid_until > ?");
    parameters[ask->n] = value_integer(earliest_ms);
    return ask->n + 1;
}

static uint16_t zones_of(const struct zones *zones, const json_t *name)
{
    if (json_is_null(name) || json_string_length(name) == 0)
        return UINT16_MAX;
    for (size_t i = 0; i < zones->n; i++)
        if (strcmp(zones->zones[i].name, json_string_value(name)) == 0)
            return (uint16_t)(1u << i);
    return 0;
}

static enum err read_time(const json_t *json, int64_t *ret_ms)
{
    struct wall_time wall;
    if (!json_is_string(json) || wall_parse_rfc3339((struct str){json_string_value(json), json_string_length(json)}, &wall) != ERR_OK)
        return ERR_SYNTAX;
    *ret_ms = wall.ms;
    return ERR_OK;
}

static bool is_form(const json_t *root)
{
    const json_t *columns = json_object_get(root, "columns");
    if (!json_is_array(columns) || json_array_size(columns) != PASS_N_FIELDS || !json_is_array(json_object_get(root, "rows")))
        return false;
    for (size_t i = 0; i < PASS_N_FIELDS; i++) {
        const char *name = json_string_value(json_array_get(columns, i));
        if (name == NULL || strcmp(name, zone_pass_fields[i]) != 0)
            return false;
    }
    return true;
}

/* One row, for each check of its plate. */
static enum err add_row(const json_t *row, const struct zone_ask *ask, const struct zones *zones, struct zone_pass *passes, size_t *n)
{
    struct zone_pass pass = {0};
    const json_t *plate = json_array_get(row, PASS_PLATE), *zone = json_array_get(row, PASS_ZONE);
    if (!json_is_array(row) || json_array_size(row) != PASS_N_FIELDS || !json_is_string(plate) ||
        (!json_is_string(zone) && !json_is_null(zone)) || read_time(json_array_get(row, PASS_FROM), &pass.from_ms) != ERR_OK ||
        read_time(json_array_get(row, PASS_UNTIL), &pass.until_ms) != ERR_OK)
        return ERR_SYNTAX;
    pass.zones = zones_of(zones, zone);
    struct str text = {json_string_value(plate), json_string_length(plate)};
    for (uint32_t i = 0; i < ask->n; i++) {
        if (!str_equal(text, (struct str){ask->checks[i].plate, ask->checks[i].plate_len}))
            continue;
        if (*n == ZONE_PASSES_MAX)
            return ERR_TOO_LARGE;
        pass.check = i;
        passes[(*n)++] = pass;
    }
    return ERR_OK;
}

static enum err read_root(
    const json_t *root, const struct zone_ask *ask, const struct zones *zones, struct zone_pass *passes, size_t *ret_n, char *ret_receipt)
{
    const json_t *rows = json_object_get(root, "rows");
    const char *receipt = json_string_value(json_object_get(json_array_get(json_object_get(root, "receipts"), 0), "receipt"));
    size_t n = 0;
    if (!is_form(root) || receipt == NULL || strlen(receipt) >= ZONE_RECEIPT_MAX)
        return ERR_SYNTAX;
    if (!json_is_false(json_object_get(root, "truncated")))
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        enum err err = add_row(json_array_get(rows, i), ask, zones, passes, &n);
        if (err != ERR_OK)
            return err;
    }
    *ret_n = n;
    snprintf(ret_receipt, ZONE_RECEIPT_MAX, "%s", receipt);
    return ERR_OK;
}

enum err zone_answer_read(struct str json, const struct zone_ask *ask, const struct zones *zones, struct zone_pass passes[ZONE_PASSES_MAX],
    size_t *ret_n, char ret_receipt[ZONE_RECEIPT_MAX])
{
    json_t *root = NULL;
    enum err err = json_read(json, NULL, &root);
    if (err != ERR_OK)
        return err == ERR_NO_MEMORY ? err : ERR_SYNTAX;
    err = read_root(root, ask, zones, passes, ret_n, ret_receipt);
    json_decref(root);
    return err;
}
