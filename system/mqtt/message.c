/*
 * One message's way: topic → the streams it is of → JSON under limits → its rows by pointers → held against time and repeats → published.
 * A message of which anything is wrong is refused as a whole and counted: half of a gateway's list would look like the whole.
 */
#include "system/mqtt/inside.h"

#include "base/crypto.h"

#include <stdio.h>
#include <string.h>

static void count(struct mqtt_system *system, enum mqtt_count what, uint64_t n)
{
    atomic_fetch_add_explicit(&system->counts[what], n, memory_order_relaxed);
}

uint64_t mqtt_count(const void *context, enum mqtt_count what)
{
    const struct mqtt_system *system = context;
    return atomic_load_explicit(&system->counts[what], memory_order_relaxed);
}

/* Counted, and told with a code: no payload, no topic. */
static void refuse(struct mqtt_system *system, const struct mqtt_stream *stream, enum mqtt_count why)
{
    static const char *const codes[] = {[MQTT_TOO_LARGE] = HUB_DETAIL(message_large),
        [MQTT_NO_JSON] = HUB_DETAIL(message_json),
        [MQTT_WRONG_TYPE] = HUB_DETAIL(message_type),
        [MQTT_LATE] = HUB_DETAIL(message_late),
        [MQTT_AHEAD] = HUB_DETAIL(message_ahead)};
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    count(system, why, 1);
    hub_detail_put(detail, sizeof detail, codes[why], STR_FORMAT, STR_ARG(stream->resource->name));
    hub_department_report(&system->department, HUB_STALE, detail);
}

/* The n-th level of a topic, from 1. */
static struct str level_of(struct str topic, size_t n)
{
    struct str level = topic, rest = topic;
    for (size_t i = 0; i < n; i++) {
        struct str tail = STR_NONE;
        level = rest;
        if (!str_cut(rest, '/', &level, &tail))
            tail = STR_NONE;
        rest = tail;
    }
    return level;
}

/* 16 bytes that stand for a message of a topic's, by its own id. */
static bool identify(const struct mqtt_stream *stream, struct str topic, const json_t *json, uint8_t ret_id[16])
{
    const json_t *id = stream->has_id ? hub_pointer_find(&stream->id, json) : NULL;
    char number[24];
    struct str text = {json_string_value(id), json_string_length(id)};
    if (json_is_integer(id)) {
        int n = snprintf(number, sizeof number, "%lld", (long long)json_integer_value(id));
        text = (struct str){number, (size_t)n};
    }
    if (text.len == 0)
        return false;
    struct sha256 of_topic = crypto_sha256(topic), digest = crypto_sha256_2((struct str){(const char *)&of_topic, sizeof of_topic}, text);
    memcpy(ret_id, &digest, 16);
    return true;
}

/* ---- rows ---- */

struct reading {
    struct mqtt_system *system;
    struct mqtt_stream *stream;
    struct str topic;
    uint8_t of_topic[16];
    uint64_t wanted;
    struct arena arena;
    struct rows *rows;
};

static enum err read_row(struct reading *reading, const json_t *json, enum mqtt_count *why)
{
    struct mqtt_stream *stream = reading->stream;
    struct value values[HUB_FIELDS_MAX];
    size_t field;
    arena_reset(&reading->arena);
    enum err err = hub_mapping_row(&stream->mapping, json, reading->wanted, &reading->arena, values, &field);
    *why = MQTT_WRONG_TYPE;
    for (size_t i = 0; i < stream->resource->n_fields && !err; i++) {
        if (!stream->levels[i])
            continue;
        values[i] = value_text(level_of(reading->topic, stream->levels[i]));
        err = str_is_utf8(values[i].s) ? ERR_OK : ERR_SYNTAX;
    }
    if (err)
        return err;
    if (stream->time >= 0) {
        const struct value *time = &values[stream->time];
        if (time->type == VALUE_NULL)
            return ERR_SYNTAX;
        *why = MQTT_AHEAD;
        if (time->i > clock_wall(reading->system->department.clock).ms + stream->ahead_ms)
            return ERR_RANGE;
        *why = MQTT_LATE;
        if (!mqtt_is_in_time(stream, reading->of_topic, time->i))
            return ERR_RANGE;
    }
    return rows_add(reading->rows, values);
}

static enum err read_rows(struct reading *reading, const json_t *json, enum mqtt_count *why)
{
    const json_t *rows = hub_pointer_find(&reading->stream->rows, json);
    size_t n = json_is_array(rows) ? json_array_size(rows) : 1;
    *why = n > MQTT_ROWS_MAX ? MQTT_TOO_LARGE : MQTT_WRONG_TYPE;
    if (!rows || n > MQTT_ROWS_MAX)
        return ERR_SYNTAX;
    for (size_t i = 0; i < n; i++) {
        enum err err = read_row(reading, json_is_array(rows) ? json_array_get(rows, i) : rows, why);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err deliver_to(struct mqtt_system *system, struct mqtt_stream *stream, const struct mqtt_message *message, const json_t *json)
{
    struct reading reading = {.system = system, .stream = stream, .topic = message->topic};
    struct sha256 of_topic = crypto_sha256(message->topic);
    enum mqtt_count why = MQTT_NO_JSON;
    uint8_t id[16];
    bool has_id = json && identify(stream, message->topic, json, id);
    if (!json) {
        refuse(system, stream, message->payload.len > MQTT_PAYLOAD_MAX ? MQTT_TOO_LARGE : MQTT_NO_JSON);
        return ERR_OK;
    }
    if (has_id && mqtt_repeats_has(system, id)) {
        count(system, MQTT_REPEATS, 1);
        return ERR_OK;
    }
    memcpy(reading.of_topic, &of_topic, sizeof reading.of_topic);
    for (size_t i = 0; i < stream->resource->n_fields; i++)
        reading.wanted |= stream->levels[i] ? 0 : UINT64_C(1) << i;
    enum err err = rows_create(stream->resource->n_fields, MQTT_ROWS_BYTES, &reading.rows);
    arena_init(&reading.arena, MQTT_PAYLOAD_MAX * 2);
    if (!err)
        err = read_rows(&reading, json, &why);
    arena_finish(&reading.arena);
    if (!err)
        err = hub_publish(system->department.hub, stream->resource, reading.rows);
    if (!err) {
        count(system, MQTT_ROWS, rows_n(reading.rows));
        if (has_id)
            mqtt_repeats_add(system, id);
        hub_department_report(&system->department, HUB_FRESH, "");
    } else if (err == ERR_SYNTAX || err == ERR_RANGE || err == ERR_TOO_LARGE) {
        refuse(system, stream, err == ERR_TOO_LARGE ? MQTT_TOO_LARGE : why);
        err = ERR_OK;
    }
    rows_release(reading.rows);
    return err == ERR_NO_MEMORY ? ERR_FULL : err; /* tried again in a moment */
}

enum err mqtt_deliver(struct mqtt_system *system, const struct mqtt_message *message, size_t *at)
{
    json_t *json = NULL;
    enum err err = ERR_OK;
    if (message->payload.len <= MQTT_PAYLOAD_MAX && json_read(message->payload, NULL, &json))
        json = NULL;
    for (; *at < system->n_streams && !err; *at += !err) {
        bool is_of_it = false;
        if (mosquitto_topic_matches_sub(system->streams[*at].topic, message->topic.ptr, &is_of_it) == MOSQ_ERR_SUCCESS && is_of_it)
            err = deliver_to(system, &system->streams[*at], message, json);
    }
    json_decref(json);
    if (!err)
        count(system, MQTT_MESSAGES, 1);
    return err;
}
