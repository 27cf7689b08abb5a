/*
 * What consumers ask of the hub over the bus, and what it answers, over hostile bytes, by their first letter: q a question, c what a call
 * is answered, s a query, a an act. An accepted question is written back as the same bytes.
 */
#include "hub/bus_ask.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void question(struct str input)
{
    struct arena arena;
    struct buf again;
    struct hub_bus_ask ask;
    arena_init(&arena, 1u << 20);
    buf_init(&again, 2 * HUB_BUS_ASK_MAX);
    if (!hub_bus_ask_read(&arena, input, &ask)) {
        hub_bus_ask_write(&ask, &again);
        assert(!again.err && str_equal(buf_str(&again), input));
    }
    buf_finish(&again);
    arena_finish(&arena);
}

static void rows(struct str input)
{
    static const struct str fields[] = {STR_INIT("plate"), STR_INIT("seats")};
    struct json_writer w;
    struct buf json;
    bool is_truncated;
    json_t *read;
    buf_init(&json, 1u << 20);
    json_writer_init(&w, &json);
    json_begin_array(&w);
    if (!hub_bus_rows_json(input, fields, 2, &w, &is_truncated)) {
        json_end_array(&w);
        if (!json.err && !json_read(buf_str(&json), NULL, &read))
            json_decref(read);
    }
    buf_finish(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data + 1, size ? size - 1 : 0};
    struct hub_bus_answer answer;
    if (size == 0)
        return 0;
    if (data[0] == 'q')
        question(input);
    enum hub_bus_what what = data[0] == 'c' ? HUB_BUS_CALL : data[0] == 'a' ? HUB_BUS_ACT : HUB_BUS_QUERY;
    if (!hub_bus_answer_read(what, input, &answer)) {
        assert(answer.json.len + answer.rest.len + answer.receipt.len <= input.len);
        rows(answer.rest);
    }
    return 0;
}
