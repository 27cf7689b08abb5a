/*
 * What a department's file says about its broker: where it is, and for each stream its topics and where the fields stand in a message.
 */
#include "system/mqtt/inside.h"

#include <stdio.h>
#include <string.h>

#define SILENT_MS 60000
#define KEEPALIVE_MS 30000
#define TOLERANCE_MS 300000 /* of times: late, ahead */

/* ---- connection: ---- */

static enum err read_will(struct mqtt_system *system, struct yaml_node connection, struct diag_list *diags)
{
    static const char *const keys[] = {"topic", "gone", NULL};
    struct yaml_node will = yaml_get(connection, "will");
    struct str topic, gone;
    if (yaml_is_none(will))
        return ERR_OK;
    enum err err = yaml_kind(will) == YAML_MAP ? yaml_check_keys(will, keys, diags) : ERR_SYNTAX;
    if (!err)
        err = yaml_get_str(will, "topic", true, diags, &topic);
    if (!err)
        err = yaml_get_str(will, "gone", true, diags, &gone);
    if (err)
        return err;
    if (str_to_c(topic, system->will_topic, sizeof system->will_topic) || mosquitto_pub_topic_check(system->will_topic) ||
        str_is_empty(topic) || str_is_empty(gone) || str_to_c(gone, system->will_gone, sizeof system->will_gone))
        return yaml_error(will, diags, ERR_RANGE,
            "will: {topic: a/b, gone: offline}, a topic without + and #, and the payload of the gateway's last will");
    return ERR_OK;
}

static enum err read_client(struct mqtt_system *system, struct yaml_node connection, struct diag_list *diags)
{
    struct str client;
    enum err err = yaml_get_str(connection, "client", false, diags, &client);
    if (err == ERR_NOT_FOUND) {
        snprintf(system->client_id, sizeof system->client_id, "citybrain/" STR_FORMAT "/" STR_FORMAT,
            STR_ARG(str_slice(system->department.party, 0, 40)), STR_ARG(str_slice(system->department.name, 0, 40)));
        return ERR_OK;
    }
    if (!err && (str_is_empty(client) || str_to_c(client, system->client_id, sizeof system->client_id)))
        err = yaml_error(
            yaml_get(connection, "client"), diags, ERR_RANGE, "client: is a name of 1 to 95 bytes that no other client of the broker has");
    return err;
}

enum err mqtt_read_connection(struct mqtt_system *system, struct yaml_node connection, struct diag_list *diags)
{
    static const char *const more[] = {"client", "will", "silent_after", "keepalive", NULL};
    const struct hub_server_form form = {.port = 1883, .more_keys = more};
    system->silent_after_ms = SILENT_MS;
    system->keepalive_ms = KEEPALIVE_MS;
    enum err err = hub_department_read_server(&system->department, connection, &form, diags, &system->server);
    if (err)
        return err;
    if (yaml_is_none(yaml_get(connection, "port")) && system->server.tls != HUB_TLS_DISABLE)
        system->server.port = 8883;
    if (system->server.host[0] == '/') { /* libmosquitto takes a path as a Unix socket when the port is 0 */
        if (!yaml_is_none(yaml_get(connection, "port")))
            return yaml_error(yaml_get(connection, "port"), diags, ERR_SYNTAX, "a Unix socket has no port:");
        system->server.port = 0;
    }
    if (system->server.password_file[0] && !system->server.user[0])
        return yaml_error(connection, diags, ERR_SYNTAX, "password_file: goes with user:");
    err = yaml_get_duration_ms(connection, "silent_after", false, diags, &system->silent_after_ms);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_duration_ms(connection, "keepalive", false, diags, &system->keepalive_ms);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (system->keepalive_ms < 5000 || system->keepalive_ms > 600000)
        return yaml_error(yaml_get(connection, "keepalive"), diags, ERR_RANGE, "keepalive: lies between 5s and 10min");
    err = read_client(system, connection, diags);
    return err ? err : read_will(system, connection, diags);
}

/* ---- streams ---- */

/* One fixed level at least before a wildcard: nobody means all that a broker has. */
static enum err read_topic(struct mqtt_stream *stream, struct yaml_node binding, struct diag_list *diags, size_t *ret_n_levels)
{
    struct str topic;
    size_t n_levels = 1;
    enum err err = yaml_get_str(binding, "topic", true, diags, &topic);
    if (err)
        return err;
    for (size_t i = 0; i < topic.len; i++)
        n_levels += topic.ptr[i] == '/';
    bool is_odd = str_is_empty(topic) || str_to_c(topic, stream->topic, sizeof stream->topic) || mosquitto_sub_topic_check(stream->topic) ||
                  !str_is_utf8(topic) || topic.ptr[0] == '+' || topic.ptr[0] == '#' || topic.ptr[0] == '$' || topic.ptr[0] == '/';
    if (is_odd || n_levels > MQTT_LEVELS_MAX)
        return yaml_error(yaml_get(binding, "topic"), diags, ERR_RANGE,
            "topic: has 1 to %d levels, the first one fixed; + stands for one level, # for all that follow", MQTT_LEVELS_MAX);
    *ret_n_levels = n_levels;
    return ERR_OK;
}

static enum err read_levels(struct mqtt_stream *stream, struct yaml_node binding, size_t n_levels, struct diag_list *diags)
{
    struct yaml_node map = yaml_get(binding, "levels");
    for (size_t i = 0; i < (yaml_is_none(map) ? 0 : yaml_n_items(map)); i++) {
        int field = yaml_kind(map) == YAML_MAP ? hub_field_find(stream->resource, yaml_text(yaml_map_key(map, i))) : -1;
        int64_t level = 0;
        if (field < 0 || stream->resource->fields[field].type != VALUE_TEXT || str_to_i64(yaml_text(yaml_map_value(map, i)), &level) ||
            level < 1 || (size_t)level > n_levels)
            return yaml_error(map, diags, ERR_RANGE, "levels: is {field: number}, text fields and levels of topic: from 1");
        stream->levels[field] = (uint8_t)level;
    }
    return ERR_OK;
}

static enum err read_time(struct mqtt_stream *stream, struct yaml_node binding, struct diag_list *diags)
{
    struct str name;
    stream->time = -1;
    stream->late_ms = stream->ahead_ms = TOLERANCE_MS;
    enum err err = yaml_get_str(binding, "time", false, diags, &name);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    stream->time = hub_field_find(stream->resource, name);
    if (stream->time < 0 || stream->resource->fields[stream->time].type != VALUE_TIME)
        return yaml_error(yaml_get(binding, "time"), diags, ERR_RANGE, "time: names the field of type time that says when a row was");
    err = yaml_get_duration_ms(binding, "late", false, diags, &stream->late_ms);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_duration_ms(binding, "ahead", false, diags, &stream->ahead_ms);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err read_pointer(
    struct mqtt_system *system, struct yaml_node binding, const char *key, struct diag_list *diags, struct hub_pointer *ret)
{
    struct yaml_node node = yaml_get(binding, key);
    if (yaml_is_none(node))
        return ERR_OK;
    if (yaml_kind(node) != YAML_SCALAR || hub_pointer_parse(&system->department.arena, yaml_text(node), ret))
        return yaml_error(node, diags, ERR_SYNTAX, "%s: is a pointer into the message, /positions; left out: the whole message", key);
    return ERR_OK;
}

enum err mqtt_bind(void *context, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    static const char *const keys[] = {"topic", "rows", "fields", "levels", "id", "time", "late", "ahead", NULL};
    struct mqtt_system *system = context;
    struct yaml_node place = hub_department_field_node(&system->department, resource, STR_NONE);
    size_t n_levels = 0;
    if (resource->kind != HUB_STREAM)
        return yaml_error(place, diags, ERR_UNSUPPORTED, "connector mqtt offers streams only; write kind: stream");
    if (yaml_is_none(binding) || yaml_kind(binding) != YAML_MAP)
        return yaml_error(place, diags, ERR_SYNTAX, "resource \"" STR_FORMAT "\" needs bind: {topic: a/b/+, …} (docs/connector.md)",
            STR_ARG(resource->name));
    if (system->n_streams == MQTT_RESOURCES_MAX)
        return yaml_error(place, diags, ERR_TOO_LARGE, "more than %d resources of connector mqtt in one file", MQTT_RESOURCES_MAX);
    struct mqtt_stream *stream = &system->streams[system->n_streams];
    *stream = (struct mqtt_stream){.resource = resource, .has_id = !yaml_is_none(yaml_get(binding, "id"))};
    enum err err = yaml_check_keys(binding, keys, diags);
    if (!err)
        err = read_topic(stream, binding, diags, &n_levels);
    if (!err)
        err = read_pointer(system, binding, "rows", diags, &stream->rows);
    if (!err)
        err = read_pointer(system, binding, "id", diags, &stream->id);
    if (!err)
        err = hub_mapping_read(&system->department, resource, binding, system->server.zone, diags, &stream->mapping);
    if (!err)
        err = read_levels(stream, binding, n_levels, diags);
    if (!err)
        err = read_time(stream, binding, diags);
    if (err)
        return err;
    stream->sources = arena_alloc_zero(&system->department.arena, MQTT_SOURCES_MAX, sizeof *stream->sources);
    if (!stream->sources)
        return ERR_NO_MEMORY;
    system->n_streams++;
    return ERR_OK;
}
