/*
 * Pointers into JSON, and the forms in which departments write what they mean.
 */
#include "hub/mapping.h"

#include "base/crypto.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX (1u << 20) /* bytes of one value */
#define EXACT_REAL 0x1p53

/* ---- pointers ---- */

static enum err unescape(struct arena *arena, struct str token, struct str *ret)
{
    char *out = arena_alloc(arena, token.len);
    size_t len = 0;
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];
        if (c == '~') {
            char kind = ++i < token.len ? token.ptr[i] : '\0';
            if (kind != '0' && kind != '1')
                return ERR_SYNTAX;
            c = kind == '0' ? '~' : '/';
        }
        out[len++] = c;
    }
    *ret = (struct str){out, len};
    return ERR_OK;
}

enum err hub_pointer_parse(struct arena *arena, struct str text, struct hub_pointer *ret_pointer)
{
    struct hub_pointer pointer = {0};
    if (text.len > 0 && text.ptr[0] != '/')
        return ERR_SYNTAX;
    for (struct str rest = text; rest.len > 0;) {
        struct str token = str_slice(rest, 1, rest.len), tail = STR_NONE;
        const char *slash = memchr(token.len ? token.ptr : "", '/', token.len);
        if (slash) {
            tail = str_slice(token, (size_t)(slash - token.ptr), token.len);
            token.len = (size_t)(slash - token.ptr);
        }
        if (pointer.n == HUB_POINTER_DEPTH_MAX)
            return ERR_TOO_LARGE;
        enum err err = unescape(arena, token, &pointer.tokens[pointer.n++]);
        if (err)
            return err;
        rest = tail;
    }
    *ret_pointer = pointer;
    return ERR_OK;
}

const json_t *hub_pointer_find(const struct hub_pointer *pointer, const json_t *json)
{
    for (size_t i = 0; i < pointer->n && json; i++) {
        struct str token = pointer->tokens[i];
        uint64_t at;
        if (json_is_object(json))
            json = json_object_getn(json, token.ptr ? token.ptr : "", token.len);
        else if (json_is_array(json) && !str_to_u64(token, &at) && (token.len == 1 || token.ptr[0] != '0'))
            json = json_array_get(json, at);
        else
            json = NULL;
    }
    return json;
}

/* ---- the file ---- */

static enum err check_form(const struct hub_field *field, const struct hub_mapped *mapped, struct yaml_node node, struct diag_list *diags)
{
    bool is_time = field->type == VALUE_TIME, is_boolean = field->type == VALUE_BOOLEAN;
    bool is_number = field->type == VALUE_INTEGER || field->type == VALUE_REAL;
    bool fits = mapped->form == HUB_FORM_PLAIN    ? true
                : mapped->form == HUB_FORM_TEXT   ? is_number || is_boolean || field->type == VALUE_TEXT
                : mapped->form == HUB_FORM_NUMBER ? is_boolean
                                                  : is_time;
    if (!fits)
        return yaml_error(node, diags, ERR_RANGE,
            "field \"" STR_FORMAT
            "\" of type %s has no such form; times: seconds, local, compact; numbers and texts: text; booleans: text, "
            "number",
            STR_ARG(field->name), value_type_name(field->type));
    if ((mapped->scale != 1 || mapped->divisor != 1) && field->type != VALUE_REAL)
        return yaml_error(node, diags, ERR_RANGE, "field \"" STR_FORMAT "\": scale: is for fields of type real", STR_ARG(field->name));
    return ERR_OK;
}

static enum err read_one(struct hub_department *department, const struct hub_field *field, struct yaml_node node, struct diag_list *diags,
    struct hub_mapped *mapped)
{
    static const char *const keys[] = {"at", "form", "scale", NULL};
    static const char *const forms[] = {"plain", "seconds", "local", "compact", "text", "number", NULL};
    bool is_map = yaml_kind(node) == YAML_MAP;
    struct str text = yaml_text(node);
    size_t form = HUB_FORM_PLAIN;
    enum err err = is_map ? yaml_check_keys(node, keys, diags) : ERR_OK;
    if (!err && is_map)
        err = yaml_get_str(node, "at", true, diags, &text);
    if (err)
        return err;
    if (is_map)
        err = yaml_get_choice(node, "form", false, diags, forms, &form);
    if (is_map && (!err || err == ERR_NOT_FOUND))
        err = yaml_get_real(node, "scale", false, diags, &mapped->scale);
    if (err && err != ERR_NOT_FOUND)
        return err;
    mapped->form = (enum hub_form)form;
    double inverse = mapped->scale > 0 && mapped->scale < 1 ? nearbyint(1 / mapped->scale) : 1;
    if (inverse > 1 && inverse < EXACT_REAL && fabs(inverse * mapped->scale - 1) < 1e-12) {
        mapped->divisor = inverse;
        mapped->scale = 1;
    }
    err = yaml_kind(node) == YAML_LIST ? ERR_SYNTAX : hub_pointer_parse(&department->arena, text, &mapped->at);
    if (err)
        return yaml_error(node, diags, ERR_SYNTAX, "\"" STR_FORMAT "\" is not a pointer into JSON; write /name or /a/b, at most %d deep",
            STR_ARG(text), HUB_POINTER_DEPTH_MAX);
    return check_form(field, mapped, node, diags);
}

enum err hub_mapping_read(struct hub_department *department, const struct hub_resource *resource, struct yaml_node binding,
    struct time_zone zone, struct diag_list *diags, struct hub_mapping *ret_mapping)
{
    struct yaml_node map = yaml_get(binding, "fields");
    struct hub_mapped *fields = arena_alloc_zero(&department->arena, resource->n_fields, sizeof *fields);
    enum err err = ERR_OK;
    if (!fields)
        return ERR_NO_MEMORY;
    if (!yaml_is_none(map) && yaml_kind(map) != YAML_MAP)
        return yaml_error(map, diags, ERR_SYNTAX, "fields: is a map, {field: /pointer, …}");
    for (size_t i = 0; i < yaml_n_items(map) && !yaml_is_none(map); i++)
        if (hub_field_find(resource, yaml_text(yaml_map_key(map, i))) < 0)
            err = yaml_error(yaml_map_key(map, i), diags, ERR_NOT_FOUND,
                "\"" STR_FORMAT "\" is no declared field of the resource; declare it, or leave it out",
                STR_ARG(yaml_text(yaml_map_key(map, i))));
    for (size_t i = 0; i < resource->n_fields; i++) {
        char name[65];
        enum err one = ERR_OK;
        fields[i] = (struct hub_mapped){.at = {{resource->fields[i].name}, 1}, .scale = 1, .divisor = 1};
        struct yaml_node node = str_to_c(resource->fields[i].name, name, sizeof name) ? yaml_get(map, "") : yaml_get(map, name);
        if (!yaml_is_none(node))
            one = read_one(department, &resource->fields[i], node, diags, &fields[i]);
        err = err ? err : one;
    }
    if (!err)
        *ret_mapping = (struct hub_mapping){resource, zone, fields};
    return err;
}

/* ---- reading ---- */

static enum err read_local(struct str text, struct time_zone zone, struct value *ret_value)
{
    char stamp[48], offset[8];
    struct wall_time wall;
    int minutes = (zone.offset_s < 0 ? -zone.offset_s : zone.offset_s) / 60;
    if (text.len < 19 || text.len > 30 || (text.ptr[10] != ' ' && text.ptr[10] != 'T') || str_to_c(text, stamp, sizeof stamp))
        return ERR_SYNTAX;
    stamp[10] = 'T';
    snprintf(offset, sizeof offset, "%c%02d:%02d", zone.offset_s < 0 ? '-' : '+', minutes / 60 % 100, minutes % 60);
    memcpy(stamp + text.len, offset, strlen(offset) + 1);
    if (wall_parse_rfc3339(str_from_c(stamp), &wall))
        return ERR_SYNTAX;
    *ret_value = value_time(wall.ms);
    return ERR_OK;
}

static enum err read_compact(struct str text, struct time_zone zone, struct value *ret_value)
{
    char stamp[16];
    struct wall_time wall;
    if ((text.len != 12 && text.len != 14) || str_to_c(text, stamp + 14 - text.len, sizeof stamp - (14 - text.len)))
        return ERR_SYNTAX;
    if (text.len == 12)
        memcpy(stamp, "20", 2);
    if (wall_parse_compact(str_from_c(stamp), zone, &wall))
        return ERR_SYNTAX;
    *ret_value = value_time(wall.ms);
    return ERR_OK;
}

static enum err read_seconds(const json_t *json, struct value *ret_value)
{
    double s = json_number_value(json);
    if (!json_is_number(json) || !(fabs(s) < 1e11)) /* the year 5138 */
        return ERR_SYNTAX;
    *ret_value = value_time((int64_t)floor(s * 1000 + 0.5));
    return ERR_OK;
}

/* Numbers and booleans that stand as texts, texts that stand as numbers. */
static enum err read_text(const json_t *json, enum value_type type, struct arena *arena, struct value *ret_value)
{
    struct str text = {json_string_value(json), json_string_length(json)};
    if (type == VALUE_TEXT && json_is_integer(json)) {
        *ret_value = value_text(STR_NONE);
        return arena_printf(arena, &ret_value->s, "%lld", (long long)json_integer_value(json));
    }
    if (type == VALUE_TEXT)
        return json_to_value(json, type, ret_value);
    if (!json_is_string(json))
        return ERR_SYNTAX;
    *ret_value = (struct value){.type = type};
    if (type == VALUE_INTEGER)
        return str_to_i64(text, &ret_value->i) ? ERR_SYNTAX : ERR_OK;
    if (type == VALUE_REAL)
        return str_to_double(text, &ret_value->r) ? ERR_SYNTAX : ERR_OK;
    ret_value->i = str_equal(text, STR("true")) || str_equal(text, STR("1"));
    return ret_value->i || str_equal(text, STR("false")) || str_equal(text, STR("0")) ? ERR_OK : ERR_SYNTAX;
}

static enum err read_bytes(const json_t *json, struct arena *arena, struct value *ret_value)
{
    struct str text = {json_string_value(json), json_string_length(json)};
    struct buf bytes;
    if (!json_is_string(json))
        return ERR_SYNTAX;
    buf_init(&bytes, TEXT_MAX);
    enum err err = crypto_unbase64(text, &bytes);
    if (!err)
        err = value_copy(arena, (struct value){.type = VALUE_BYTES, .s = buf_str(&bytes)}, ret_value);
    buf_finish(&bytes);
    return err == ERR_OK || err == ERR_NO_MEMORY ? err : ERR_SYNTAX;
}

static enum err read_value(const struct hub_mapped *mapped, const json_t *json, enum value_type type, struct time_zone zone,
    struct arena *arena, struct value *ret)
{
    struct str text = {json_string_value(json), json_string_length(json)};
    *ret = VALUE_NONE;
    if (!json || json_is_null(json))
        return ERR_OK;
    if (json_is_string(json) && text.len > TEXT_MAX)
        return ERR_SYNTAX;
    switch (mapped->form) {
    case HUB_FORM_SECONDS:
        return read_seconds(json, ret);
    case HUB_FORM_LOCAL:
        return read_local(text, zone, ret);
    case HUB_FORM_COMPACT:
        return read_compact(text, zone, ret);
    case HUB_FORM_TEXT:
        return read_text(json, type, arena, ret);
    case HUB_FORM_NUMBER:
        *ret = value_boolean(json_integer_value(json) == 1);
        return json_is_integer(json) && (json_integer_value(json) == 0 || json_integer_value(json) == 1) ? ERR_OK : ERR_SYNTAX;
    case HUB_FORM_PLAIN:
        break;
    }
    return type == VALUE_BYTES ? read_bytes(json, arena, ret) : json_to_value(json, type, ret);
}

enum err hub_mapping_row(
    const struct hub_mapping *mapping, const json_t *row, uint64_t wanted, struct arena *arena, struct value *values, size_t *ret_field)
{
    const struct hub_resource *resource = mapping->resource;
    if (!json_is_object(row) && !json_is_array(row)) {
        *ret_field = 0;
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < resource->n_fields; i++) {
        const struct hub_mapped *mapped = &mapping->fields[i];
        values[i] = VALUE_NONE;
        if (!(wanted >> i & 1))
            continue;
        enum err err = read_value(mapped, hub_pointer_find(&mapped->at, row), resource->fields[i].type, mapping->zone, arena, &values[i]);
        if (!err && values[i].type == VALUE_REAL) {
            values[i].r = values[i].r * mapped->scale / mapped->divisor + 0.0; /* one zero */
            err = isfinite(values[i].r) ? ERR_OK : ERR_SYNTAX;
        }
        if (err) {
            *ret_field = i;
            return err;
        }
    }
    return ERR_OK;
}

/* ---- writing ---- */

static enum err write_time(const struct hub_mapping *mapping, enum hub_form form, int64_t ms, struct buf *out)
{
    char text[40], compact[15];
    wall_format_rfc3339((struct wall_time){ms}, mapping->zone, text);
    wall_format_compact((struct wall_time){ms}, mapping->zone, compact);
    switch (form) {
    case HUB_FORM_SECONDS:
        buf_printf(out, "%lld", (long long)(ms >= 0 ? ms / 1000 : (ms - 999) / 1000));
        break;
    case HUB_FORM_LOCAL:
        text[10] = ' ';
        buf_append(out, text, 23);
        break;
    case HUB_FORM_COMPACT:
        buf_append_c(out, compact);
        break;
    default:
        buf_append_c(out, text);
    }
    return out->err;
}

enum err hub_mapping_write(const struct hub_mapping *mapping, size_t field, struct value value, struct buf *out)
{
    const struct hub_mapped *mapped = &mapping->fields[field];
    struct json_writer w;
    switch (value.type) {
    case VALUE_TEXT:
        buf_append_str(out, value.s);
        return out->err;
    case VALUE_TIME:
        return write_time(mapping, mapped->form, value.i, out);
    case VALUE_BOOLEAN:
        buf_append_c(out, mapped->form == HUB_FORM_NUMBER ? (value.i ? "1" : "0") : value.i ? "true" : "false");
        return out->err;
    case VALUE_INTEGER:
        buf_printf(out, "%lld", (long long)value.i);
        return out->err;
    case VALUE_REAL:
        if (mapped->scale != 1 || mapped->divisor != 1)
            return ERR_UNSUPPORTED;
        json_writer_init(&w, out);
        json_put_real(&w, value.r);
        return out->err;
    case VALUE_BYTES:
    case VALUE_NULL:
        break;
    }
    return ERR_UNSUPPORTED;
}
