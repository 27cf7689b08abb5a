/*
 * What another hub says (district/message.h, district/question.h), and what the step does about it, however it contradicts itself: frames
 * of two bytes of length and a message each. A message that is read is written back as it was; the step stays within its bounds, which it
 * asserts.
 */
#include "base/mem.h"
#include "district/question.h"
#include "district/step.h"
#include "hub/events.h"
#include "hub/place.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hub_field fields[] = {
    {.name = STR_INIT("plate"), .type = VALUE_TEXT, .is_key = true}, {.name = STR_INIT("seats"), .type = VALUE_INTEGER}};
static const struct sql_column columns[] = {{STR_INIT("plate"), VALUE_TEXT}, {STR_INIT("seats"), VALUE_INTEGER}};
static const struct hub_resource table = {
    .name = STR_INIT("h/police/vehicle"), .kind = HUB_TABLE, .fields = fields, .columns = columns, .n_fields = 2};
static const struct hub_resource command = {
    .name = STR_INIT("h/police/ring"), .kind = HUB_COMMAND, .fields = fields, .columns = columns, .n_fields = 2};
static const struct hub_resource object = {
    .name = STR_INIT("h/health/xray"), .kind = HUB_OBJECT, .fields = fields, .columns = columns, .n_fields = 1};

static const struct hub_resource stream = {
    .name = STR_INIT("h/police/passage"), .kind = HUB_STREAM, .fields = fields, .columns = columns, .n_fields = 2};

static const struct hub_resource *find(void *context, struct str contract)
{
    return str_equal(contract, STR("h/c-1"))   ? &table
           : str_equal(contract, STR("h/c-2")) ? &command
           : str_equal(contract, STR("h/c-3")) ? &object
           : str_equal(contract, STR("h/c-4")) ? &stream
                                               : NULL;
}

static void read_rest(struct str rest)
{
    static const enum value_type types[] = {VALUE_TEXT, VALUE_INTEGER};
    struct arena arena;
    struct district_question question, back;
    struct district_reply reply;
    struct str answer;
    struct rows *rows;
    struct buf out;
    bool is_truncated;
    enum err told;
    arena_init(&arena, 1u << 24);
    if (district_question_read(&arena, rest, find, NULL, &question) == ERR_OK) {
        buf_init(&out, 1u << 24);
        district_question_write(&question, &out);
        if (!out.err && !district_question_read(&arena, buf_str(&out), find, NULL, &back))
            assert(back.what == question.what && back.n_fields == question.n_fields && back.from == question.from &&
                   back.left == question.left && back.take.epoch == question.take.epoch && back.take.from == question.take.from &&
                   back.take.confirmed == question.take.confirmed && str_equal(back.key, question.key) &&
                   str_equal(back.range, question.range) && back.fetch.n_outputs == question.fetch.n_outputs &&
                   back.fetch.n_where == question.fetch.n_where);
        buf_finish(&out);
    }
    if (district_reply_read(rest, &reply, &answer))
        answer = rest;
    if (!rows_create(2, 1u << 20, &rows)) {
        if (!hub_get_rows(answer, types, 2, rows, &is_truncated, &told))
            assert(rows_n(rows) <= answer.len);
        rows_release(rows);
    }
    struct hub_object_ask ask = {0};
    if (!hub_get_opened(answer, &ask, &told) && !told)
        assert(ask.n_bytes <= INT64_MAX && memchr(ask.version, 0, sizeof ask.version) && memchr(ask.media_type, 0, sizeof ask.media_type));
    struct str piece;
    if (!hub_get_piece(answer, &piece, &told) && !told)
        assert(piece.len < answer.len);
    static struct hub_taken taken, again;
    if (!hub_taken_read(answer, &taken, &told) && !told) {
        uint64_t gone;
        struct hub_place place = {.epoch = 1, .next = 5};
        size_t skip;
        gone = hub_place_answer(&place, taken.epoch, taken.first, taken.n, &skip);
        assert(skip <= taken.n && gone <= taken.first && place.next <= UINT64_MAX - (taken.n - skip));
        buf_init(&out, 1u << 24);
        hub_taken_write(&taken, &out);
        assert(!out.err && !hub_taken_read(buf_str(&out), &again, &told) && again.n == taken.n && again.first == taken.first);
        buf_finish(&out);
    }
    arena_finish(&arena);
}

static void begin(struct district_state *state)
{
    memset(state, 0, sizeof *state);
    district_begin(state, 1);
    state->n_peers = 1;
    struct district_peer *peer = &state->peers[0];
    peer->fresh_for_ms = 5000;
    peer->until_ms = INT64_MAX;
    peer->mine = DISTRICT_AGREED;
    district_peer_begin(peer, 3, 1, 2);
    state->n_contracts = 2;
    state->contracts[0].fresh_for_ms = state->contracts[1].fresh_for_ms = 5000;
    state->contracts[1].is_home = true;
}

/* The next event, and what an honest caller answers to its updates. */
static void drive(struct district_state *state, struct district_event event, struct district_updates *updates)
{
    district_step(state, &event, updates);
    bool names = false, serves = false;
    for (size_t i = 0; i < updates->n; i++) {
        names = names || updates->items[i].kind == DISTRICT_NAME;
        if (updates->items[i].kind == DISTRICT_SERVE) {
            serves = true;
            event.intent = updates->items[i].intent;
            event.part = updates->items[i].part;
        }
    }
    event.message = NULL;
    if (serves) {
        event.kind = DISTRICT_SERVE_DONE;
        event.is_open = event.part > 0 || event.intent % 2;
        event.is_long = event.intent % 3 == 0;
        district_step(state, &event, updates);
    }
    if (names) {
        event.kind = DISTRICT_NAMED_DONE;
        district_step(state, &event, updates);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct district_state state;
    static struct district_updates updates;
    struct district_event event = {.kind = DISTRICT_ASK, .now_ms = 1, .wall_ms = 1, .intent = 7};
    struct bytes_reader in;
    bytes_reader_init(&in, data, size);
    begin(&state);
    while (!in.err && bytes_reader_left(&in) > 2) {
        struct district_message message;
        struct str rest, bytes = bytes_read_str(&in, bytes_read_u16be(&in));
        event.now_ms += 100;
        event.kind = DISTRICT_TICK;
        drive(&state, event, &updates);
        if (in.err || district_message_read(bytes, &message, &rest))
            continue;
        uint8_t again[DISTRICT_MESSAGE_MAX];
        struct bytes_writer out;
        bytes_writer_init(&out, again, sizeof again);
        district_message_write(&message, &out);
        assert(!out.err && out.len + rest.len == bytes.len);
        read_rest(rest);
        event.kind = DISTRICT_MESSAGE;
        event.message = &message;
        drive(&state, event, &updates);
        event.message = NULL;
        event.kind = DISTRICT_ASK;
        event.intent++;
        drive(&state, event, &updates);
        event.is_next = true; /* the next part, when the first was answered; else it is refused */
        drive(&state, event, &updates);
        event.is_next = false;
        event.kind = DISTRICT_GIVE_UP;
        event.intent -= 2;
        drive(&state, event, &updates);
        event.is_over = true;
        drive(&state, event, &updates);
        event.is_over = false;
        event.intent += 2;
    }
    return 0;
}
