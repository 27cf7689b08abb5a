/*
 * What a department's file says about its interface: where it is, how each resource is asked, where its rows and fields stand; held against
 * one real answer where the file allows to ask for one. A department that is down is no error of its file.
 */
#include "system/http/inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 5000 /* of one asking with all its pages, unless the file says otherwise */
#define CONNECTIONS 4
#define SAMPLE_MS 3000 /* for the one answer at loading */

/* ---- connection: ---- */

static enum err read_url(struct http_system *system, struct yaml_node connection, struct diag_list *diags)
{
    struct str url, rest, host, path = STR_NONE;
    enum err err = yaml_get_str(connection, "url", true, diags, &url);
    struct yaml_node node = yaml_get(connection, "url");
    if (err)
        return err;
    bool is_secure = str_starts_with(url, STR("https://"));
    while (url.len > 0 && url.ptr[url.len - 1] == '/')
        url.len--;
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= ' ' || (unsigned char)url.ptr[i] >= 0x7f || strchr("?#@\\\"<>{}", url.ptr[i]))
            return yaml_error(node, diags, ERR_SYNTAX,
                "url: takes a scheme, a host, a port and a path; a name and a password do not stand in it, write user: and password_file:");
    rest = is_secure ? str_slice(url, 8, url.len) : str_starts_with(url, STR("http://")) ? str_slice(url, 7, url.len) : STR_NONE;
    if (rest.len == 0 || rest.ptr[0] == '/')
        return yaml_error(node, diags, ERR_SYNTAX, "url: begins with https:// and a host");
    host = rest;
    const char *slash = memchr(rest.ptr, '/', rest.len);
    if (slash) {
        host.len = (size_t)(slash - rest.ptr);
        path = str_slice(rest, host.len, rest.len);
    }
    system->is_here = str_starts_with(host, STR("127.")) || str_starts_with(host, STR("localhost")) || str_starts_with(host, STR("[::1]"));
    if (!is_secure && !system->is_here)
        return yaml_error(node, diags, ERR_RANGE, "url: over http:// anybody on the way could answer for the department; write https://");
    struct str origin = {url.ptr, url.len - path.len};
    if (str_to_c(origin, system->origin, sizeof system->origin) || str_to_c(url, system->base, sizeof system->base))
        return yaml_error(node, diags, ERR_TOO_LARGE, "url: is too long");
    return ERR_OK;
}

static enum err get_text(struct yaml_node connection, const char *key, struct diag_list *diags, char *out, size_t size)
{
    struct str text;
    enum err err = yaml_get_str(connection, key, false, diags, &text);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f)
            text.len = 0;
    if (str_is_empty(text) || str_to_c(text, out, size))
        return yaml_error(yaml_get(connection, key), diags, ERR_RANGE, "%s: is empty, too long, or has white space", key);
    return ERR_OK;
}

static enum err read_secrets(struct http_system *system, struct yaml_node connection, struct diag_list *diags)
{
    const struct hub_department *department = &system->department;
    enum err err = get_text(connection, "user", diags, system->user, sizeof system->user);
    if (!err)
        err = hub_department_get_path(department, connection, "password_file", diags, system->password_file);
    if (!err)
        err = hub_department_get_path(department, connection, "token_file", diags, system->token_file);
    if (!err)
        err = get_text(connection, "token_header", diags, system->token_header, sizeof system->token_header);
    if (!err)
        err = hub_department_get_path(department, connection, "tls_ca", diags, system->ca_file);
    if (!err)
        err = get_text(connection, "health", diags, system->health_path, sizeof system->health_path);
    if (err)
        return err;
    if ((system->user[0] != '\0') != (system->password_file[0] != '\0') || (system->user[0] && system->token_file[0]))
        return yaml_error(connection, diags, ERR_SYNTAX, "give user: with password_file:, or token_file:, or none of them");
    if (system->token_header[0] && !system->token_file[0])
        return yaml_error(connection, diags, ERR_SYNTAX, "token_header: says where the token goes; it needs token_file:");
    if (system->health_path[0] && system->health_path[0] != '/')
        return yaml_error(yaml_get(connection, "health"), diags, ERR_SYNTAX, "health: is a path that begins with /");
    return ERR_OK;
}

enum err http_read_connection(struct http_system *system, struct yaml_node connection, struct diag_list *diags)
{
    static const char *const keys[] = {"url", "user", "password_file", "token_file", "token_header", "tls_ca", "health", "timeout",
        "connections", "rows_max", "zone", NULL};
    struct str zone;
    system->timeout_ms = TIMEOUT_MS;
    system->n_connections = CONNECTIONS;
    system->rows_max = HTTP_ROWS_MAX;
    enum err err = yaml_check_keys(connection, keys, diags);
    if (!err)
        err = read_url(system, connection, diags);
    if (!err)
        err = read_secrets(system, connection, diags);
    if (err)
        return err;
    err = yaml_get_duration_ms(connection, "timeout", false, diags, &system->timeout_ms);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_i64(connection, "connections", false, diags, 1, HUB_SERVER_CONNECTIONS_MAX, &system->n_connections);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_i64(connection, "rows_max", false, diags, 1, HTTP_ROWS_MAX, &system->rows_max);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_str(connection, "zone", false, diags, &zone);
    if (!err && time_zone_parse(zone, &system->zone))
        err = yaml_error(yaml_get(connection, "zone"), diags, ERR_RANGE, "zone: takes Asia/Shanghai, UTC or an offset as +08:00");
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (system->timeout_ms < 1 || system->timeout_ms > 60000)
        return yaml_error(yaml_get(connection, "timeout"), diags, ERR_RANGE, "the time for an asking lies between 1ms and 60s");
    return ERR_OK;
}

/* ---- requests ---- */

/* "/v1/lots/{lot}" in parts. */
static enum err read_template(struct http_system *system, const struct hub_resource *resource, struct yaml_node node, struct str text,
    struct diag_list *diags, uint64_t *used, struct http_template *ret)
{
    struct http_part *parts = arena_alloc_zero(&system->department.arena, HTTP_PARTS_MAX, sizeof *parts);
    size_t n = 0;
    if (!parts)
        return ERR_NO_MEMORY;
    for (struct str rest = text; rest.len > 0; n++) {
        const char *open = memchr(rest.ptr, '{', rest.len);
        size_t before = open ? (size_t)(open - rest.ptr) : rest.len;
        if (n == HTTP_PARTS_MAX)
            return yaml_error(node, diags, ERR_TOO_LARGE, "more than %d parts and placeholders", HTTP_PARTS_MAX);
        if (before > 0) {
            parts[n] = (struct http_part){.text = str_slice(rest, 0, before)};
            rest = str_slice(rest, before, rest.len);
            continue;
        }
        const char *close = memchr(rest.ptr, '}', rest.len);
        struct str name = close ? (struct str){rest.ptr + 1, (size_t)(close - rest.ptr - 1)} : STR_NONE;
        bool is_low = str_ends_with(name, STR(">=")), is_high = str_ends_with(name, STR("<="));
        name.len -= is_low || is_high ? 2 : 0;
        int field = hub_field_find(resource, name);
        if (field < 0 || resource->fields[field].type == VALUE_BYTES)
            return yaml_error(node, diags, ERR_NOT_FOUND,
                "\"" STR_FORMAT "\": a placeholder is {field}, {field>=} or {field<=} of a declared field that is no bytes", STR_ARG(text));
        parts[n] = (struct http_part){is_low ? HTTP_GE : is_high ? HTTP_LE : HTTP_EQ, (uint16_t)field, STR_NONE};
        if (parts[n].kind == HTTP_EQ)
            *used |= UINT64_C(1) << field;
        rest = str_slice(rest, (size_t)(close + 1 - rest.ptr), rest.len);
    }
    *ret = (struct http_template){parts, n};
    return ERR_OK;
}

static enum err read_parameters(struct http_system *system, const struct hub_resource *resource, struct yaml_node map, const char *key,
    struct diag_list *diags, uint64_t *used, struct http_parameter *parameters, size_t *ret_n)
{
    if (yaml_is_none(map))
        return ERR_OK;
    if (yaml_kind(map) != YAML_MAP || yaml_n_items(map) > HTTP_PARAMETERS_MAX)
        return yaml_error(
            map, diags, ERR_SYNTAX, "%s: is a map of at most %d names, {name: \"{field}\", other: constant}", key, HTTP_PARAMETERS_MAX);
    for (size_t i = 0; i < yaml_n_items(map); i++) {
        struct yaml_node value = yaml_map_value(map, i);
        if (yaml_kind(value) != YAML_SCALAR)
            return yaml_error(value, diags, ERR_SYNTAX, "%s: takes texts with placeholders", key);
        parameters[i].name = yaml_text(yaml_map_key(map, i));
        enum err err = read_template(system, resource, value, yaml_text(value), diags, used, &parameters[i].value);
        if (err)
            return err;
        ++*ret_n;
    }
    return ERR_OK;
}

static enum err read_form(struct http_system *system, const struct hub_resource *resource, struct yaml_node binding,
    struct diag_list *diags, struct http_form *form)
{
    struct yaml_node get = yaml_get(binding, "get"), post = yaml_get(binding, "post"), node = yaml_is_none(get) ? post : get;
    if (yaml_is_none(get) == yaml_is_none(post) || yaml_kind(node) != YAML_SCALAR || !str_starts_with(yaml_text(node), STR("/")))
        return yaml_error(binding, diags, ERR_SYNTAX, "the binding needs get: /path or post: /path, one of the two, from the url: on");
    struct str path = yaml_text(node);
    for (size_t i = 0; i < path.len; i++)
        if ((unsigned char)path.ptr[i] <= ' ' || (unsigned char)path.ptr[i] >= 0x7f || strchr("?#\\\"", path.ptr[i]))
            return yaml_error(node, diags, ERR_SYNTAX, "a path has neither blanks nor ? and #; parameters stand under query:");
    form->is_post = !yaml_is_none(post);
    form->has_body = !yaml_is_none(yaml_get(binding, "body"));
    if (form->has_body && !form->is_post)
        return yaml_error(yaml_get(binding, "body"), diags, ERR_SYNTAX, "body: goes with post:");
    enum err err = read_template(system, resource, node, path, diags, &form->used, &form->path);
    if (!err)
        err = read_parameters(system, resource, yaml_get(binding, "query"), "query", diags, &form->used, form->query, &form->n_query);
    if (!err)
        err = read_parameters(system, resource, yaml_get(binding, "body"), "body", diags, &form->used, form->body, &form->n_body);
    return err;
}

/* ---- tables ---- */

static enum err read_pointer(
    struct http_system *system, struct yaml_node map, const char *key, struct diag_list *diags, struct hub_pointer *ret)
{
    struct yaml_node node = yaml_get(map, key);
    if (yaml_is_none(node))
        return ERR_OK;
    if (yaml_kind(node) != YAML_SCALAR || hub_pointer_parse(&system->department.arena, yaml_text(node), ret))
        return yaml_error(node, diags, ERR_SYNTAX, "%s: is a pointer into the answer, /data/items; left out: the whole answer", key);
    return ERR_OK;
}

static enum err read_pages(struct http_system *system, struct yaml_node binding, struct diag_list *diags, struct http_pages *pages)
{
    static const char *const keys[] = {"by", "parameter", "first", "size_parameter", "size", "next", NULL};
    static const char *const ways[] = {"page", "offset", "cursor", "link", NULL};
    struct yaml_node node = yaml_get(binding, "pages");
    size_t way;
    if (yaml_is_none(node))
        return ERR_OK;
    enum err err = yaml_kind(node) == YAML_MAP ? yaml_check_keys(node, keys, diags)
                                               : yaml_error(node, diags, ERR_SYNTAX,
                                                     "pages: is a map, {by: page, parameter: page, size_parameter: limit, size: 100}");
    if (!err)
        err = yaml_get_choice(node, "by", true, diags, ways, &way);
    if (err)
        return err;
    pages->by = (enum http_paging)(HTTP_BY_NUMBER + way);
    pages->first = pages->by == HTTP_BY_NUMBER ? 1 : 0;
    err = yaml_get_str(node, "parameter", pages->by != HTTP_BY_LINK, diags, &pages->parameter);
    if (err && pages->by != HTTP_BY_LINK)
        return err;
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_i64(node, "first", false, diags, 0, 1, &pages->first);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_str(node, "size_parameter", false, diags, &pages->size_parameter);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_i64(node, "size", !str_is_empty(pages->size_parameter), diags, 1, 100000, &pages->size);
    if (err && (err != ERR_NOT_FOUND || !str_is_empty(pages->size_parameter)))
        return err;
    if (pages->by == HTTP_BY_CURSOR && yaml_is_none(yaml_get(node, "next")))
        return yaml_error(node, diags, ERR_NOT_FOUND, "pages: by cursor need next:, where the answer has the next one's, as /meta/next");
    return read_pointer(system, node, "next", diags, &pages->next);
}

static enum err read_required(
    const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags, struct http_table *table)
{
    struct yaml_node list = yaml_get(binding, "required");
    for (size_t i = 0; i < table->form.path.n; i++)
        if (table->form.path.parts[i].kind == HTTP_EQ)
            table->required |= UINT64_C(1) << table->form.path.parts[i].field;
        else if (table->form.path.parts[i].kind != HTTP_LITERAL)
            return yaml_error(binding, diags, ERR_SYNTAX, "a path has {field} only; {field>=} and {field<=} stand under query: or body:");
    if (yaml_is_none(list))
        return ERR_OK;
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        int field = yaml_kind(list) == YAML_LIST ? hub_field_find(resource, yaml_text(yaml_item(list, i))) : -1;
        if (field < 0 || !(table->form.used >> field & 1))
            return yaml_error(list, diags, ERR_NOT_FOUND, "required: is a list of fields that stand as {field} in the request");
        table->required |= UINT64_C(1) << field;
    }
    return ERR_OK;
}

/* ---- held against a real answer ---- */

static enum err judge(
    struct http_system *system, const struct http_table *table, const json_t *json, struct yaml_node binding, struct diag_list *diags)
{
    const struct hub_resource *resource = table->resource;
    const json_t *rows = hub_pointer_find(&table->rows, json), *row = json_is_array(rows) ? json_array_get(rows, 0) : rows;
    struct value values[HUB_FIELDS_MAX];
    struct arena arena;
    enum err err = ERR_OK;
    if (!json_is_array(rows) && !json_is_object(rows))
        return yaml_error(binding, diags, ERR_NOT_FOUND, "where rows: points the answer has no list; mend rows:");
    arena_init(&arena, HTTP_PAGE_BYTES);
    for (size_t i = 0; i < resource->n_fields && row; i++) {
        size_t field = i;
        struct yaml_node place = hub_department_field_node(&system->department, resource, resource->fields[i].name);
        bool is_there = false;
        for (size_t j = 0; j < (json_is_array(rows) ? json_array_size(rows) : 1) && !is_there; j++)
            is_there = hub_pointer_find(&table->mapping.fields[i].at, json_is_array(rows) ? json_array_get(rows, j) : rows) != NULL;
        enum err one = ERR_OK;
        if (!is_there)
            one = yaml_error(place, diags, ERR_NOT_FOUND,
                "field \"" STR_FORMAT "\" is in no row of the department's answer; mend fields: of the binding",
                STR_ARG(resource->fields[i].name));
        else if (hub_mapping_row(&table->mapping, row, UINT64_C(1) << i, &arena, values, &field) == ERR_SYNTAX)
            one = yaml_error(place, diags, ERR_RANGE,
                "field \"" STR_FORMAT "\" is not of type %s in the department's answer; mend its type: or form:",
                STR_ARG(resource->fields[i].name), value_type_name(resource->fields[i].type));
        err = err ? err : one;
    }
    arena_finish(&arena);
    return err;
}

/* `sample:`, values to ask with, as constants of the fields' types. */
static enum err read_sample(
    const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags, struct value *values, struct http_given *given)
{
    struct yaml_node map = yaml_get(binding, "sample");
    for (size_t i = 0; i < (yaml_is_none(map) ? 0 : yaml_n_items(map)); i++) {
        int field = yaml_kind(map) == YAML_MAP ? hub_field_find(resource, yaml_text(yaml_map_key(map, i))) : -1;
        struct str text = yaml_kind(map) == YAML_MAP ? yaml_text(yaml_map_value(map, i)) : STR_NONE;
        enum value_type type = field < 0 ? VALUE_NULL : resource->fields[field].type;
        if (type != VALUE_TEXT && type != VALUE_INTEGER)
            return yaml_error(map, diags, ERR_RANGE, "sample: gives values of text and integer fields, {lot: \"L-1\"}");
        values[field] = value_text(text);
        if (type == VALUE_INTEGER)
            values[field] = value_integer(0);
        if (type == VALUE_INTEGER && str_to_i64(text, &values[field].i))
            return yaml_error(map, diags, ERR_RANGE, "sample: \"" STR_FORMAT "\" is no whole number", STR_ARG(text));
        given->eq[field] = &values[field];
    }
    return ERR_OK;
}

static enum err try_sample(
    struct http_system *system, struct http_table *table, struct yaml_node binding, struct diag_list *diags, const struct http_given *given)
{
    struct http_response response;
    struct buf url, body;
    json_t *json = NULL;
    const struct http_at at = {&table->pages, table->pages.first, STR_NONE};
    buf_init(&url, HTTP_URL_MAX);
    buf_init(&body, HTTP_BODY_MAX);
    enum err err = http_form_write(system, &table->form, &table->mapping, given, &at, &url, &body);
    buf_append_byte(&url, '\0');
    if (!err && !url.err)
        err = http_sample(system, &table->form, url.ptr, buf_str(&body), SAMPLE_MS, &response);
    bool is_answered = !err && !url.err;
    if (err == ERR_UNAVAILABLE ||
        err == ERR_TIMEOUT) /* no error of the file: a certificate that ran out must not keep a city from starting */
        system->is_sampled_down = true;
    if (err == ERR_UNAVAILABLE &&
        (system->has_secret || (!system->token_file[0] && !system->password_file[0]))) /* else it is told already */
        hub_department_report(&system->department, HUB_DOWN, http_unreachable(system->tls));
    err = ERR_OK;
    if (is_answered && response.status / 100 == 2) {
        struct diag why = {0};
        if (json_read(buf_str(&response.body), &why, &json))
            err = yaml_error(binding, diags, ERR_SYNTAX, "the department's answer is not JSON (%s); mend the path", why.text);
        else
            err = judge(system, table, json, binding, diags);
        json_decref(json);
    } else if (is_answered && response.status >= 400 && response.status < 500 && response.status != 429 &&
               response.status != table->none_status) {
        err = yaml_error(binding, diags, ERR_NOT_FOUND,
            "the department's interface answers with status %d; mend the path, the parameters or the secret", response.status);
    }
    if (is_answered)
        buf_finish(&response.body);
    buf_finish(&url);
    buf_finish(&body);
    return err;
}

static enum err bind_table(
    struct http_system *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    static const char *const keys[] = {"get", "post", "query", "body", "rows", "fields", "pages", "required", "none", "sample", NULL};
    struct value values[HUB_FIELDS_MAX];
    struct http_given given = {0};
    struct hub_table *entered;
    struct http_table *table = arena_alloc_zero(&system->department.arena, 1, sizeof *table);
    if (!table)
        return ERR_NO_MEMORY;
    table->resource = resource;
    enum err err = yaml_check_keys(binding, keys, diags);
    if (!err)
        err = read_form(system, resource, binding, diags, &table->form);
    if (!err)
        err = read_pointer(system, binding, "rows", diags, &table->rows);
    if (!err)
        err = hub_mapping_read(&system->department, resource, binding, system->zone, diags, &table->mapping);
    if (!err)
        err = read_pages(system, binding, diags, &table->pages);
    if (!err)
        err = read_required(resource, binding, diags, table);
    if (err)
        return err;
    err = yaml_get_i64(binding, "none", false, diags, 204, 499, &table->none_status);
    if (!err || err == ERR_NOT_FOUND)
        err = read_sample(resource, binding, diags, values, &given);
    if (err)
        return err;
    err = hub_tables_enter(&system->tables, &system->department, resource, table, &entered);
    if (err)
        return err;
    bool is_askable = !system->is_sampled_down;
    for (size_t i = 0; i < resource->n_fields; i++)
        is_askable = is_askable && (!(table->required >> i & 1) || given.eq[i]);
    return is_askable ? try_sample(system, table, binding, diags, &given) : ERR_OK;
}

/* ---- commands ---- */

static enum err bind_command(
    struct http_system *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    static const char *const keys[] = {"post", "query", "body", "keeps_key", "key_header", "fields", NULL};
    bool keeps_key = false;
    struct http_command *command = arena_alloc_zero(&system->department.arena, 1, sizeof *command);
    if (!command)
        return ERR_NO_MEMORY;
    command->resource = resource;
    command->key_header = STR("Idempotency-Key");
    enum err err = yaml_check_keys(binding, keys, diags);
    if (!err)
        err = read_form(system, resource, binding, diags, &command->form);
    if (!err)
        err = hub_mapping_read(&system->department, resource, binding, system->zone, diags, &command->mapping);
    if (err)
        return err;
    err = yaml_get_bool(binding, "keeps_key", false, diags, &keeps_key);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_str(binding, "key_header", false, diags, &command->key_header);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (!str_is_name(command->key_header) && !str_equal(command->key_header, STR("Idempotency-Key")))
        for (size_t i = 0; i < command->key_header.len; i++)
            if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", command->key_header.ptr[i]) ||
                command->key_header.len > 64)
                return yaml_error(yaml_get(binding, "key_header"), diags, ERR_RANGE, "key_header: is a header's name");
    if (keeps_key == resource->is_at_most_once)
        return yaml_error(binding, diags, ERR_NOT_FOUND,
            keeps_key
                ? "keeps_key: and at_most_once: exclude each other; leave out one"
                : "nobody could tell whether the command was done; write keeps_key: true when the interface does a key once and answers "
                  "the second time as the first, or declare at_most_once: true");
    command->next = system->commands;
    system->commands = command;
    return ERR_OK;
}

enum err http_bind(void *context, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    struct http_system *system = context;
    struct yaml_node place = hub_department_field_node(&system->department, resource, STR_NONE);
    if (resource->kind != HUB_TABLE && resource->kind != HUB_COMMAND)
        return yaml_error(place, diags, ERR_UNSUPPORTED, "connector http offers tables and commands; write kind: table");
    if (yaml_is_none(binding) || yaml_kind(binding) != YAML_MAP)
        return yaml_error(place, diags, ERR_SYNTAX, "resource \"" STR_FORMAT "\" needs bind: {get: /path, …} (docs/connector.md)",
            STR_ARG(resource->name));
    return resource->kind == HUB_TABLE ? bind_table(system, resource, binding, diags) : bind_command(system, resource, binding, diags);
}
