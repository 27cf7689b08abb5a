/*
 * What came before: ids of messages, since a broker may bring each one again, and the newest time of each topic. Both bounded; the oldest
 * go.
 */
#include "system/mqtt/inside.h"

#include "base/mem.h"

#include <string.h>

#define TABLE (4 * MQTT_REPEATS_MAX) /* places; a free one is 0, the others a ring's place + 1 */

static size_t place_of(const uint8_t id[16], size_t n)
{
    uint64_t hash;
    memcpy(&hash, id, sizeof hash); /* of a SHA-256: as good as any */
    return (size_t)(hash % n);
}

enum err mqtt_repeats_create(struct mqtt_system *system)
{
    system->repeats = mem_alloc_zero(MQTT_REPEATS_MAX, sizeof *system->repeats);
    system->repeat_table = mem_alloc_zero(TABLE, sizeof *system->repeat_table);
    return system->repeats && system->repeat_table ? ERR_OK : ERR_NO_MEMORY;
}

void mqtt_repeats_destroy(struct mqtt_system *system)
{
    mem_free(system->repeats);
    mem_free(system->repeat_table);
}

static size_t find(const struct mqtt_system *system, const uint8_t id[16])
{
    size_t at = place_of(id, TABLE);
    while (system->repeat_table[at] && memcmp(system->repeats[system->repeat_table[at] - 1], id, 16) != 0)
        at = (at + 1) % TABLE;
    return at;
}

bool mqtt_repeats_has(const struct mqtt_system *system, const uint8_t id[16])
{
    return system->repeat_table[find(system, id)] != 0;
}

/* Takes one out and moves those behind it up, so that a search never ends too early (Knuth, 6.4, algorithm R). */
static void take_out(struct mqtt_system *system, const uint8_t id[16])
{
    size_t hole = find(system, id);
    if (!system->repeat_table[hole])
        return;
    for (size_t at = (hole + 1) % TABLE; system->repeat_table[at]; at = (at + 1) % TABLE) {
        size_t home = place_of(system->repeats[system->repeat_table[at] - 1], TABLE);
        bool may_move = (at + TABLE - home) % TABLE >= (at + TABLE - hole) % TABLE;
        if (!may_move)
            continue;
        system->repeat_table[hole] = system->repeat_table[at];
        hole = at;
    }
    system->repeat_table[hole] = 0;
}

void mqtt_repeats_add(struct mqtt_system *system, const uint8_t id[16])
{
    size_t at = find(system, id);
    if (system->repeat_table[at])
        return;
    if (system->n_repeats == MQTT_REPEATS_MAX)
        take_out(system, system->repeats[system->at_repeat]);
    else
        system->n_repeats++;
    memcpy(system->repeats[system->at_repeat], id, 16);
    system->repeat_table[find(system, id)] = (uint16_t)(system->at_repeat + 1);
    system->at_repeat = (system->at_repeat + 1) % MQTT_REPEATS_MAX;
}

bool mqtt_is_in_time(struct mqtt_stream *stream, const uint8_t topic[16], int64_t ms)
{
    /* Eight places to look at; of those the one unused for longest is taken for a new topic. */
    struct mqtt_source *found = NULL, *oldest = NULL;
    size_t from = place_of(topic, MQTT_SOURCES_MAX);
    for (size_t i = 0; i < 8 && !found; i++) {
        struct mqtt_source *source = &stream->sources[(from + i) % MQTT_SOURCES_MAX];
        if (source->used && memcmp(source->topic, topic, 16) == 0)
            found = source;
        else if (!oldest || source->used < oldest->used)
            oldest = source;
    }
    if (!found) {
        found = oldest;
        memcpy(found->topic, topic, 16);
        found->newest_ms = ms;
    }
    found->used = ++stream->n_used;
    if (ms < found->newest_ms - stream->late_ms)
        return false;
    if (ms > found->newest_ms)
        found->newest_ms = ms;
    return true;
}
