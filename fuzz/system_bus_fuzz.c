/*
 * What a department's process is asked, and what it answers, over hostile bytes, by their first letter: q a question, r rows, a a command's
 * answer, h health, o an opened object, p a piece of it. An accepted question is written back as one that is accepted, with the same
 * columns.
 */
#include "system/bus/codec.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hub_field fields[] = {{.name = STR_INIT("plate"), .type = VALUE_TEXT, .is_key = true},
    {.name = STR_INIT("seats"), .type = VALUE_INTEGER}, {.name = STR_INIT("weight"), .type = VALUE_REAL}};
static const struct sql_column columns[] = {
    {STR_INIT("plate"), VALUE_TEXT}, {STR_INIT("seats"), VALUE_INTEGER}, {STR_INIT("weight"), VALUE_REAL}};
static const struct hub_resource table = {
    .name = STR_INIT("h/police/vehicle"), .kind = HUB_TABLE, .fields = fields, .columns = columns, .n_fields = 3};
static const struct hub_resource command = {
    .name = STR_INIT("h/police/ring"), .kind = HUB_COMMAND, .fields = fields, .columns = columns, .n_fields = 3};

static const struct hub_resource picture = {
    .name = STR_INIT("h/health/xray"), .kind = HUB_OBJECT, .fields = fields, .columns = columns, .n_fields = 3};

static const struct hub_resource *find(void *context, struct str name)
{
    if (str_equal(name, picture.name))
        return &picture;
    return str_equal(name, table.name) ? &table : str_equal(name, command.name) ? &command : NULL;
}

static void question(struct str input)
{
    struct arena arena;
    struct buf again;
    struct system_bus_question first, second;
    arena_init(&arena, 1u << 24);
    buf_init(&again, 1u << 24);
    if (!system_bus_question_read(&arena, input, find, NULL, &first) && first.what == SYSTEM_BUS_FETCH) {
        system_bus_fetch_write(&first.head, first.resource, &first.fetch, &again);
        if (!again.err && !system_bus_question_read(&arena, buf_str(&again), find, NULL, &second))
            assert(second.fetch.n_outputs == first.fetch.n_outputs && second.fetch.n_where == first.fetch.n_where &&
                   sql_condition_columns(second.fetch.also) == sql_condition_columns(first.fetch.also));
    }
    if (!system_bus_question_read(&arena, input, find, NULL, &first) && first.what == SYSTEM_BUS_READ) {
        buf_reset(&again);
        system_bus_object_write(SYSTEM_BUS_READ, first.resource, &first.object, &again);
        assert(!again.err && !system_bus_question_read(&arena, buf_str(&again), find, NULL, &second));
        assert(second.object.n == first.object.n && second.object.at == first.object.at && first.object.n <= 128u << 10);
    }
    buf_finish(&again);
    arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum value_type types[] = {VALUE_TEXT, VALUE_INTEGER};
    struct str input = {(const char *)data + 1, size ? size - 1 : 0}, answer;
    struct system_bus_health health;
    struct rows *rows;
    bool is_truncated;
    enum err told;
    if (size == 0)
        return 0;
    if (data[0] == 'q')
        question(input);
    else if (data[0] == 'r' && !rows_create(2, 1u << 20, &rows)) {
        if (!system_bus_rows_read(input, types, 2, rows, &is_truncated, &told))
            assert(rows_n(rows) <= input.len);
        rows_release(rows);
    } else if (data[0] == 'a' && !system_bus_act_answer_read(input, &answer, &told))
        assert(answer.len <= input.len);
    else if (data[0] == 'h' && !system_bus_health_answer_read(input, &health))
        assert(health.health <= HUB_DOWN);
    else if (data[0] == 'o') {
        struct hub_object_ask ask = {0};
        if (!system_bus_opened_read(input, &ask, &told) && !told)
            assert(!strpbrk(ask.media_type, "\r\n") && !strpbrk(ask.version, "\r\n\""));
    } else if (data[0] == 'p' && !system_bus_piece_read(input, &answer, &told) && !told)
        assert(answer.len <= input.len);
    return 0;
}
