/*
 * What goes between the hub and a department's process: random askings come back as they were sent; cut, changed and lying bytes are
 * refused or mean something that could have been asked; rows in parts; a department that sends other types, more fields, or no end.
 */
#include "base/crypto.h"
#include "base/mem.h"
#include "base/test_random.h"
#include "hub/alert.h"
#include "system/bus/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed;

static uint64_t next(void)
{
    return test_random(&seed);
}

static size_t below(size_t n)
{
    return (size_t)(next() % n);
}

#define N_FIELDS 5
static const struct hub_field fields[N_FIELDS] = {
    {.name = STR_INIT("plate"), .type = VALUE_TEXT, .is_key = true},
    {.name = STR_INIT("seats"), .type = VALUE_INTEGER},
    {.name = STR_INIT("weight"), .type = VALUE_REAL},
    {.name = STR_INIT("is_new"), .type = VALUE_BOOLEAN},
    {.name = STR_INIT("since"), .type = VALUE_TIME},
};
static const struct sql_column columns[N_FIELDS] = {{STR_INIT("plate"), VALUE_TEXT}, {STR_INIT("seats"), VALUE_INTEGER},
    {STR_INIT("weight"), VALUE_REAL}, {STR_INIT("is_new"), VALUE_BOOLEAN}, {STR_INIT("since"), VALUE_TIME}};
static const struct hub_resource table = {
    .name = STR_INIT("h/police/vehicle"), .kind = HUB_TABLE, .fields = fields, .columns = columns, .n_fields = N_FIELDS};
static const struct hub_resource command = {
    .name = STR_INIT("h/police/ring"), .kind = HUB_COMMAND, .fields = fields, .columns = columns, .n_fields = N_FIELDS};

static const struct hub_resource picture = {
    .name = STR_INIT("h/health/xray"), .kind = HUB_OBJECT, .fields = fields, .columns = columns, .n_fields = N_FIELDS};

static const struct hub_resource *find(void *context, struct str name)
{
    if (str_equal(name, picture.name))
        return &picture;
    return str_equal(name, table.name) ? &table : str_equal(name, command.name) ? &command : NULL;
}

static struct value some_value(struct arena *arena, enum value_type type)
{
    struct str text;
    switch (type) {
    case VALUE_TEXT:
        assert_ok(arena_printf(arena, &text, "浙A%zu", below(100000)));
        return value_text(text);
    case VALUE_REAL:
        return value_real((double)below(1000) / 8);
    case VALUE_BOOLEAN:
        return value_boolean(below(2));
    case VALUE_TIME:
        return value_time((int64_t)next() / 2);
    default:
        return value_integer((int64_t)next());
    }
}

static void some_fetch(struct arena *arena, struct hub_fetch *fetch)
{
    static const char *const conditions[] = {
        "seats > 4", "plate LIKE '浙A%' AND is_new = TRUE", "weight BETWEEN 1 AND 2.5 OR seats IN (1, 2)"};
    struct sql_output *outputs = arena_alloc_zero(arena, 8, sizeof *outputs);
    struct sql_constraint *where = arena_alloc_zero(arena, 8, sizeof *where);
    struct sql_order *order = arena_alloc_zero(arena, 8, sizeof *order);
    *fetch = (struct hub_fetch){.n_outputs = 1 + below(8),
        .n_where = below(5),
        .n_order = below(4),
        .n_rows_max = below(100000),
        .n_bytes_max = below(1u << 30),
        .outputs = outputs,
        .where = where,
        .order = order};
    for (size_t i = 0; i < fetch->n_outputs; i++) {
        outputs[i].aggregate = (uint8_t)below(SQL_MAX + 1);
        outputs[i].column = outputs[i].aggregate == SQL_COUNT_ALL ? 0 : (uint16_t)below(N_FIELDS);
    }
    for (size_t i = 0; i < fetch->n_where; i++) {
        where[i].op = (uint8_t)below(SQL_NOT_NULL + 1);
        where[i].column = (uint16_t)below(N_FIELDS);
        where[i].n_values = where[i].op == SQL_IN ? 1 + below(40) : where[i].op >= SQL_IS_NULL ? 0 : 1;
        struct value *values = arena_alloc_zero(arena, where[i].n_values + 1, sizeof *values);
        for (size_t j = 0; j < where[i].n_values; j++)
            values[j] = some_value(arena, fields[where[i].column].type);
        where[i].values = values;
    }
    for (size_t i = 0; i < fetch->n_order; i++)
        order[i] = (struct sql_order){(uint16_t)below(N_FIELDS), below(2)};
    if (below(2))
        assert_ok(sql_condition_parse(arena, str_from_c(conditions[below(3)]), columns, N_FIELDS, NULL, &fetch->also));
}

static struct system_bus_fetch some_head(void)
{
    struct system_bus_fetch head = {.contract = STR("h/c-17"), .number = next(), .receipt = below(2) ? STR("h.log/48211") : STR_NONE};
    for (size_t i = 0; i < sizeof head.hash.bytes; i++)
        head.hash.bytes[i] = (uint8_t)next();
    return head;
}

static void askings_come_back_as_they_were(void **state)
{
    for (int round = 0; round < 400; round++) {
        struct arena arena;
        struct hub_fetch fetch;
        struct buf bytes, again;
        struct system_bus_question question;
        struct system_bus_fetch head = some_head();
        arena_init(&arena, 1u << 22);
        buf_init(&bytes, SYSTEM_BUS_MAX);
        buf_init(&again, SYSTEM_BUS_MAX);
        some_fetch(&arena, &fetch);
        system_bus_fetch_write(&head, &table, &fetch, &bytes);
        assert_ok(bytes.err);
        assert_ok(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question));
        assert_int_equal(question.what, SYSTEM_BUS_FETCH);
        assert_ptr_equal(question.resource, &table);
        assert_int_equal(question.fetch.n_outputs, fetch.n_outputs);
        assert_int_equal(sql_condition_columns(question.fetch.also), sql_condition_columns(fetch.also));
        system_bus_fetch_write(&question.head, question.resource, &question.fetch, &again);
        assert_true(str_equal(buf_str(&bytes), buf_str(&again)));
        for (size_t i = 0; i < bytes.len; i += 1 + below(4)) { /* cut */
            uint8_t *exact = malloc(i + 1);
            memcpy(exact, bytes.ptr, i);
            assert_int_not_equal(system_bus_question_read(&arena, (struct str){(char *)exact, i}, find, NULL, &question), ERR_OK);
            free(exact);
        }
        for (size_t i = 0; i < 40; i++) { /* changed: refused, or an asking that could have been sent */
            bytes.ptr[below(bytes.len)] ^= (char)(1u << below(8));
            if (system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question) || question.what != SYSTEM_BUS_FETCH)
                continue;
            for (size_t j = 0; j < question.fetch.n_outputs; j++)
                assert_true(question.fetch.outputs[j].column < N_FIELDS && question.fetch.outputs[j].aggregate <= SQL_MAX);
            for (size_t j = 0; j < question.fetch.n_where; j++)
                assert_true(question.fetch.where[j].column < N_FIELDS && question.fetch.where[j].n_values <= SQL_IN_MAX);
        }
        buf_finish(&bytes);
        buf_finish(&again);
        arena_finish(&arena);
    }
}

static void commands(void **state)
{
    struct arena arena;
    struct buf bytes;
    struct system_bus_question question;
    struct value values[N_FIELDS] = {value_text(STR("浙A1")), VALUE_NONE, value_real(1.5), value_boolean(true), value_time(7)};
    const struct hub_ask ask = {.resource = &command,
        .key = STR("h/post.x K"),
        .party = STR("h/post.x"),
        .receipt = STR("h.log/7"),
        .time = {1234},
        .values = values};
    arena_init(&arena, 1u << 20);
    buf_init(&bytes, SYSTEM_BUS_MAX);
    system_bus_act_write(&ask, &bytes);
    assert_ok(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question));
    assert_str(question.ask.key, "h/post.x K");
    assert_str(question.ask.party, "h/post.x");
    assert_str(question.ask.receipt, "h.log/7");
    assert_int_equal(question.ask.time.ms, 1234);
    for (size_t i = 0; i < N_FIELDS; i++)
        assert_true(value_equal(question.ask.values[i], values[i]));
    for (size_t i = 0; i < bytes.len; i++)
        assert_int_not_equal(system_bus_question_read(&arena, (struct str){bytes.ptr, i}, find, NULL, &question), ERR_OK);
    values[0] = value_integer(1); /* of another type than its field */
    buf_reset(&bytes);
    system_bus_act_write(&ask, &bytes);
    assert_err(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question), ERR_RANGE);
    buf_finish(&bytes);
    arena_finish(&arena);
}

static void what_is_not_there(void **state)
{
    struct arena arena;
    struct buf bytes;
    struct system_bus_question question;
    struct hub_fetch fetch;
    const struct system_bus_fetch head = {.contract = STR("h/c-1")};
    struct hub_resource other = table, wrong = command;
    arena_init(&arena, 1u << 22);
    buf_init(&bytes, SYSTEM_BUS_MAX);
    some_fetch(&arena, &fetch);
    other.name = STR("h/police/secret");
    system_bus_fetch_write(&head, &other, &fetch, &bytes);
    assert_err(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question), ERR_NOT_FOUND);
    buf_reset(&bytes);
    system_bus_fetch_write(&head, &wrong, &fetch, &bytes); /* a command asked for rows */
    assert_err(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question), ERR_NOT_FOUND);
    static const struct hub_field renamed[N_FIELDS] = {{.name = STR_INIT("owner"), .type = VALUE_TEXT},
        {.name = STR_INIT("owner"), .type = VALUE_TEXT}, {.name = STR_INIT("owner"), .type = VALUE_TEXT},
        {.name = STR_INIT("owner"), .type = VALUE_TEXT}, {.name = STR_INIT("owner"), .type = VALUE_TEXT}};
    other = table;
    other.fields = renamed; /* the hub's files declare a column that the department's do not */
    const struct sql_output plain = {.column = 0, .aggregate = SQL_PLAIN};
    fetch = (struct hub_fetch){.outputs = &plain, .n_outputs = 1};
    buf_reset(&bytes);
    system_bus_fetch_write(&head, &other, &fetch, &bytes);
    assert_err(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question), ERR_NOT_FOUND);
    fetch.n_outputs = 0;
    buf_reset(&bytes);
    system_bus_fetch_write(&head, &table, &fetch, &bytes);
    assert_err(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question), ERR_SYNTAX);
    buf_reset(&bytes);
    system_bus_health_write(STR("sqlite/police"), &bytes);
    assert_ok(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question));
    assert_str(question.system, "sqlite/police");
    buf_finish(&bytes);
    arena_finish(&arena);
}

/* Cut anywhere, or longer: refused. */
static void assert_exact(struct arena *arena, const struct buf *bytes)
{
    struct system_bus_question question;
    for (size_t i = 0; i < bytes->len; i++) {
        uint8_t *exact = malloc(i + 1);
        memcpy(exact, bytes->ptr, i);
        assert_err(system_bus_question_read(arena, (struct str){(char *)exact, i}, find, NULL, &question), ERR_SYNTAX);
        free(exact);
    }
}

static void objects(void **state)
{
    struct arena arena;
    struct buf bytes;
    struct system_bus_question question;
    const struct system_bus_object asked = {.contract = STR("h/c-50"),
        .receipt = STR("h.log/7"),
        .hash = crypto_sha256(STR("x")),
        .handle = UINT64_C(0x0123456789abcdef),
        .key = value_text(STR("X1")),
        .version = STR("1-2-3"),
        .at = UINT64_C(1) << 40,
        .n = 128u << 10,
        .is_last = true};
    arena_init(&arena, 1u << 20);
    buf_init(&bytes, SYSTEM_BUS_MAX);
    for (int what = SYSTEM_BUS_OPEN; what <= SYSTEM_BUS_READ; what++) {
        buf_reset(&bytes);
        system_bus_object_write((enum system_bus_what)what, &picture, &asked, &bytes);
        assert_ok(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question));
        assert_int_equal(question.what, what);
        assert_ptr_equal(question.resource, &picture);
        assert_str(question.object.contract, "h/c-50");
        assert_str(question.object.receipt, "h.log/7");
        assert_memory_equal(&question.object.hash, &asked.hash, sizeof asked.hash);
        assert_true(question.object.handle == asked.handle && value_equal(question.object.key, asked.key));
        if (what == SYSTEM_BUS_READ) {
            assert_true(question.object.at == asked.at && question.object.n == asked.n && question.object.is_last);
            assert_str(question.object.version, "1-2-3");
        }
        for (size_t i = 2; i < bytes.len; i++) /* cut: the name of what is asked for may be cut too, and then there is no such */
            assert_int_not_equal(system_bus_question_read(&arena, (struct str){bytes.ptr, i}, find, NULL, &question), ERR_OK);
    }
    static const uint32_t wrong[] = {0, (128u << 10) + 1, UINT32_MAX};
    for (size_t i = 0; i < 3; i++) { /* pieces that nobody reads */
        struct system_bus_object other = asked;
        other.n = wrong[i];
        buf_reset(&bytes);
        system_bus_object_write(SYSTEM_BUS_READ, &picture, &other, &bytes);
        assert_err(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question), ERR_SYNTAX);
    }
    struct system_bus_object other = asked;
    other.key = value_real(1.5); /* no key is of this type */
    buf_reset(&bytes);
    system_bus_object_write(SYSTEM_BUS_OPEN, &picture, &other, &bytes);
    assert_err(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question), ERR_SYNTAX);
    buf_reset(&bytes);
    system_bus_object_write(SYSTEM_BUS_OPEN, &table, &asked, &bytes); /* a table as an object */
    assert_err(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question), ERR_NOT_FOUND);
    buf_reset(&bytes);
    system_bus_cancel_write(77, &bytes);
    assert_ok(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question));
    assert_true(question.what == SYSTEM_BUS_CANCEL && question.head.number == 77);
    assert_exact(&arena, &bytes);
    buf_reset(&bytes);
    system_bus_close_write(78, &bytes);
    assert_ok(system_bus_question_read(&arena, buf_str(&bytes), find, NULL, &question));
    assert_true(question.what == SYSTEM_BUS_CLOSE && question.object.handle == 78);
    assert_exact(&arena, &bytes);
    buf_finish(&bytes);
    arena_finish(&arena);
}

static const struct hub_resource stream = {
    .name = STR_INIT("h/transport/alarm"), .kind = HUB_STREAM, .fields = fields, .columns = columns, .n_fields = N_FIELDS};

static const struct hub_resource *find_stream(void *context, struct str name)
{
    return str_equal(name, stream.name) ? &stream : find(context, name);
}

static void takes(void **state)
{
    struct arena arena;
    struct buf bytes;
    struct system_bus_question question;
    const struct system_bus_take take = {.epoch = UINT64_MAX, .from = 7, .confirmed = 5};
    arena_init(&arena, 1u << 16);
    buf_init(&bytes, 4096);
    system_bus_take_write(&stream, &take, &bytes);
    assert_ok(system_bus_question_read(&arena, buf_str(&bytes), find_stream, NULL, &question));
    assert_true(question.what == SYSTEM_BUS_TAKE && question.resource == &stream);
    assert_true(question.take.epoch == take.epoch && question.take.from == 7 && question.take.confirmed == 5);
    for (size_t i = 0; i < bytes.len; i++)
        assert_int_not_equal(system_bus_question_read(&arena, (struct str){bytes.ptr, i}, find_stream, NULL, &question), ERR_OK);
    buf_reset(&bytes);
    system_bus_take_write(&table, &take, &bytes);
    assert_err(system_bus_question_read(&arena, buf_str(&bytes), find_stream, NULL, &question), ERR_NOT_FOUND);
    buf_finish(&bytes);
    arena_finish(&arena);
}

/* Kept by a department whose files say more, less and otherwise than ours: by name, and by type, or not at all. */
static void events(void **state)
{
    enum { N = 3000 };
    static const struct hub_field theirs[] = {{.name = STR_INIT("secret"), .type = VALUE_TEXT},
        {.name = STR_INIT("seats"), .type = VALUE_INTEGER}, {.name = STR_INIT("plate"), .type = VALUE_TEXT}};
    static const struct hub_field others[] = {{.name = STR_INIT("seats"), .type = VALUE_TEXT}};
    struct hub_resource kept = {.name = stream.name, .kind = HUB_STREAM, .fields = theirs, .n_fields = 3};
    struct arena arena;
    struct rows *rows, *got;
    struct buf bytes;
    int64_t time_ms;
    size_t n = 0, n_parts = 0;
    arena_init(&arena, 1u << 22);
    buf_init(&bytes, 1u << 20);
    assert_ok(rows_create(3, 1u << 24, &rows));
    for (int64_t i = 0; i < N; i++) {
        const struct value values[] = {value_text(STR("a long text that is nobody's but the department's own, and stays there")),
            value_integer(i), some_value(&arena, VALUE_TEXT)};
        assert_ok(rows_add(rows, values));
    }
    for (size_t at = 0; at < N; n_parts++) {
        buf_reset(&bytes);
        at += hub_events_write(77, &kept, rows, at, &bytes);
        assert_ok(bytes.err);
        assert_ok(hub_events_read(buf_str(&bytes), &stream, UINT64_MAX, &time_ms, &got));
        assert_int_equal(time_ms, 77);
        assert_int_equal(rows_n_fields(got), N_FIELDS);
        for (size_t i = 0; i < rows_n(got); i++, n++) {
            const struct value *row = rows_at(got, i);
            assert_true(value_equal(row[0], rows_at(rows, n)[2]) && row[1].i == (int64_t)n);
            assert_true(row[2].type == VALUE_NULL && row[3].type == VALUE_NULL && row[4].type == VALUE_NULL);
        }
        rows_release(got);
    }
    assert_true(n == N && n_parts > 1);
    assert_ok(hub_events_read(buf_str(&bytes), &stream, 2, &time_ms, &got)); /* seats alone is granted */
    assert_true(rows_at(got, 0)[0].type == VALUE_NULL && rows_at(got, 0)[1].type == VALUE_INTEGER);
    rows_release(got);
    for (size_t i = 0; i < bytes.len; i += 1 + below(100))
        assert_int_not_equal(hub_events_read((struct str){bytes.ptr, i}, &stream, UINT64_MAX, &time_ms, &got), ERR_OK);
    kept.fields = others;
    kept.n_fields = 1;
    rows_release(rows);
    assert_ok(rows_create(1, 1000, &rows));
    const struct value text = value_text(STR("four"));
    assert_ok(rows_add(rows, &text));
    buf_reset(&bytes);
    assert_int_equal(hub_events_write(77, &kept, rows, 0, &bytes), 1);
    assert_err(hub_events_read(buf_str(&bytes), &stream, UINT64_MAX, &time_ms, &got), ERR_SYNTAX);
    rows_release(rows);
    buf_finish(&bytes);
    arena_finish(&arena);
}

static void taken_records(void **state)
{
    static struct hub_taken sent, got;
    struct buf bytes;
    enum err told;
    buf_init(&bytes, 1u << 16);
    sent = (struct hub_taken){.epoch = 3, .first = UINT64_C(1) << 40, .watermark_ms = 99, .n = 3};
    for (size_t i = 0; i < 3; i++)
        sent.records[i] = str_slice(STR("records"), 0, i + 2);
    hub_taken_write(&sent, &bytes);
    assert_ok(hub_taken_read(buf_str(&bytes), &got, &told));
    assert_ok(told);
    assert_true(got.epoch == 3 && got.first == sent.first && got.watermark_ms == 99 && got.n == 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(str_equal(got.records[i], sent.records[i]));
    for (size_t i = 0; i < bytes.len; i++)
        assert_err(hub_taken_read((struct str){bytes.ptr, i}, &got, &told), ERR_SYNTAX);
    sent.first = UINT64_MAX - 1; /* numbers past the end */
    buf_reset(&bytes);
    hub_taken_write(&sent, &bytes);
    assert_err(hub_taken_read(buf_str(&bytes), &got, &told), ERR_SYNTAX);
    buf_reset(&bytes);
    system_bus_error_write(ERR_DENIED, &bytes);
    assert_ok(hub_taken_read(buf_str(&bytes), &got, &told));
    assert_err(told, ERR_DENIED);
    buf_finish(&bytes);
}

/* ---- answers ---- */

/* A department's process tells of its own audit; nothing of the hub's about it, and nothing of another's. */
static void whose_alerts(void **state)
{
    static const struct {
        const char *kind, *area, *party, *key, *receipt;
        bool is_own;
    } rows[] = {{"read.foreign", "h", "h/tax", "h/tax/payers/0a", "", true}, {"audit.silent", "h", "h/tax", "h/tax/payers", "", true},
        {"twin.missing", "h", "h/tax", "h/tax/payers", "", false}, {"act.unknown", "h", "h/tax", "h/tax/payers", "", false},
        {"read", "h", "h/tax", "h/tax/payers", "", false}, {"read.foreign", "h.x", "h/tax", "h/tax/payers", "", false},
        {"read.foreign", "h", "h/police", "h/tax/payers", "", false}, {"read.foreign", "h", "h/tax", "h/police/vehicles", "", false},
        {"read.foreign", "h", "h/tax", "h/taxi/payers", "", false}, {"read.foreign", "h", "h/tax", "h/tax", "", false},
        {"read.foreign", "h", "h/tax", "", "", false}, {"read.foreign", "h", "h/tax", "h/tax/payers", "h.log/1", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct value row[HUB_ALERT_N_FIELDS];
        for (int j = 0; j < HUB_ALERT_TIME; j++)
            row[j] = value_text(STR("x"));
        row[HUB_ALERT_KIND] = value_text(str_from_c(rows[i].kind));
        row[HUB_ALERT_AREA] = value_text(str_from_c(rows[i].area));
        row[HUB_ALERT_PARTY] = value_text(str_from_c(rows[i].party));
        row[HUB_ALERT_KEY] = value_text(str_from_c(rows[i].key));
        row[HUB_ALERT_RECEIPT] = value_text(str_from_c(rows[i].receipt));
        row[HUB_ALERT_TIME] = value_time(1);
        if (system_bus_alert_is_own(STR("h/tax"), row) != rows[i].is_own)
            fail_msg("row %zu", i);
        for (int j = 0; j < HUB_ALERT_TIME; j++) {
            struct value kept = row[j];
            row[j] = VALUE_NONE; /* as of a record that has not this field */
            assert_false(system_bus_alert_is_own(STR("h/tax"), row));
            row[j] = kept;
        }
    }
}

static void opened_and_pieces(void **state)
{
    struct hub_object_ask sent = {.n_bytes = 5, .media_type = "image/png", .version = "1-2.3", .is_version_weak = true}, got = {0};
    struct buf bytes;
    struct str piece;
    enum err told;
    buf_init(&bytes, 4096);
    system_bus_opened_write(&sent, &bytes);
    assert_ok(system_bus_opened_read(buf_str(&bytes), &got, &told));
    assert_ok(told);
    assert_true(got.n_bytes == 5 && got.is_version_weak);
    assert_string_equal(got.media_type, "image/png");
    assert_string_equal(got.version, "1-2.3");
    for (size_t i = 0; i < bytes.len; i++)
        assert_err(system_bus_opened_read((struct str){bytes.ptr, i}, &got, &told), ERR_SYNTAX);
    static const char *const lying[][2] = {
        {"image/png\r\nSet-Cookie: x", "1"}, {"image/png", "1\"2"}, {"image/png", "1 2"}, {"image/png", "é"}};
    for (size_t i = 0; i < 4; i++) { /* what would go into a header as it is */
        snprintf(sent.media_type, sizeof sent.media_type, "%s", lying[i][0]);
        snprintf(sent.version, sizeof sent.version, "%s", lying[i][1]);
        buf_reset(&bytes);
        system_bus_opened_write(&sent, &bytes);
        assert_err(system_bus_opened_read(buf_str(&bytes), &got, &told), ERR_SYNTAX);
    }
    buf_reset(&bytes);
    system_bus_piece_write(STR("bytes"), &bytes);
    assert_ok(system_bus_piece_read(buf_str(&bytes), &piece, &told));
    assert_ok(told);
    assert_str(piece, "bytes");
    for (size_t i = 0; i < bytes.len; i++)
        assert_err(system_bus_piece_read((struct str){bytes.ptr, i}, &piece, &told), ERR_SYNTAX);
    buf_reset(&bytes);
    system_bus_error_write(ERR_STATE, &bytes);
    assert_ok(system_bus_piece_read(buf_str(&bytes), &piece, &told));
    assert_err(told, ERR_STATE);
    assert_ok(system_bus_opened_read(buf_str(&bytes), &got, &told));
    assert_err(told, ERR_STATE);
    buf_append_byte(&bytes, 'x'); /* nothing follows an error */
    assert_err(system_bus_piece_read(buf_str(&bytes), &piece, &told), ERR_SYNTAX);
    buf_finish(&bytes);
}

static void rows_in_parts(void **state)
{
    enum { N = 5000 };
    static const enum value_type types[] = {VALUE_TEXT, VALUE_INTEGER, VALUE_REAL};
    struct rows *sent, *got;
    struct arena arena;
    struct buf part;
    size_t at = 0, n_parts = 0;
    bool is_truncated = false;
    enum err told;
    arena_init(&arena, 1u << 24);
    buf_init(&part, 1u << 20);
    assert_ok(rows_create(3, 1u << 24, &sent));
    assert_ok(rows_create(3, 1u << 24, &got));
    for (size_t i = 0; i < N; i++) {
        struct str text;
        assert_ok(arena_printf(&arena, &text, "%0*zu", (int)below(200) + 1, i));
        const struct value values[] = {value_text(text), below(5) ? value_integer((int64_t)next()) : VALUE_NONE, value_real(0.25)};
        assert_ok(rows_add(sent, values));
    }
    for (; at < N; n_parts++) {
        buf_reset(&part);
        at += system_bus_rows_write(sent, at, true, &part);
        assert_ok(part.err);
        assert_true(part.len < SYSTEM_BUS_PART + 4096);
        assert_ok(system_bus_rows_read(buf_str(&part), types, 3, got, &is_truncated, &told));
        assert_ok(told);
    }
    assert_true(is_truncated && n_parts > 2);
    assert_int_equal(rows_n(got), N);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < 3; j++)
            assert_true(value_equal(rows_at(sent, i)[j], rows_at(got, i)[j]));
    for (size_t i = 0; i < part.len; i += 1 + below(50)) { /* cut, into rows that nobody will see */
        struct rows *lost;
        assert_ok(rows_create(3, 1u << 24, &lost));
        assert_int_not_equal(system_bus_rows_read((struct str){part.ptr, i}, types, 3, lost, &is_truncated, &told), ERR_OK);
        rows_release(lost);
    }
    static const enum value_type others[] = {VALUE_TEXT, VALUE_TEXT, VALUE_REAL};
    assert_err(system_bus_rows_read(buf_str(&part), others, 3, got, &is_truncated, &told), ERR_SYNTAX); /* other types than asked */
    assert_err(system_bus_rows_read(buf_str(&part), types, 2, got, &is_truncated, &told), ERR_SYNTAX);  /* more fields than asked */
    struct rows *small;
    buf_reset(&part);
    assert_true(system_bus_rows_write(sent, 0, false, &part) > 100);
    assert_ok(rows_create(3, 1000, &small)); /* more bytes than asked */
    assert_err(system_bus_rows_read(buf_str(&part), types, 3, small, &is_truncated, &told), ERR_TOO_LARGE);
    rows_release(small);
    rows_release(sent);
    rows_release(got);
    buf_finish(&part);
    arena_finish(&arena);
}

static void errors_and_the_rest(void **state)
{
    static const enum err known[] = {
        ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_TOO_LARGE, ERR_FULL, ERR_RANGE, ERR_DENIED, ERR_NOT_FOUND, ERR_STATE};
    struct buf bytes;
    struct rows *rows;
    bool is_truncated;
    enum err told;
    struct str answer;
    struct system_bus_health health = {HUB_STALE, 77, STR("silent|60")}, read;
    buf_init(&bytes, 4096);
    assert_ok(rows_create(1, 1000, &rows));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        buf_reset(&bytes);
        system_bus_error_write(known[i], &bytes);
        assert_ok(system_bus_rows_read(buf_str(&bytes), NULL, 1, rows, &is_truncated, &told));
        assert_err(told, known[i]);
    }
    buf_reset(&bytes);
    system_bus_error_write(ERR_CORRUPT, &bytes); /* our own affair: "any other" */
    assert_ok(system_bus_rows_read(buf_str(&bytes), NULL, 1, rows, &is_truncated, &told));
    assert_err(told, ERR_IO);
    buf_reset(&bytes);
    system_bus_act_answer_write(ERR_RANGE, STR("\"no\""), &bytes);
    assert_ok(system_bus_act_answer_read(buf_str(&bytes), &answer, &told));
    assert_str(answer, "\"no\"");
    assert_err(told, ERR_RANGE);
    for (size_t i = 0; i < bytes.len; i++)
        assert_err(system_bus_act_answer_read((struct str){bytes.ptr, i}, &answer, &told), ERR_SYNTAX);
    buf_reset(&bytes);
    system_bus_health_answer_write(&health, &bytes);
    assert_ok(system_bus_health_answer_read(buf_str(&bytes), &read));
    assert_true(read.health == HUB_STALE && read.last_heard_ms == 77);
    assert_str(read.detail, "silent|60");
    for (size_t i = 0; i < bytes.len; i++)
        assert_err(system_bus_health_answer_read((struct str){bytes.ptr, i}, &read), ERR_SYNTAX);
    buf_reset(&bytes);
    system_bus_error_write(ERR_NOT_FOUND, &bytes);
    assert_err(system_bus_health_answer_read(buf_str(&bytes), &read), ERR_NOT_FOUND);
    rows_release(rows);
    buf_finish(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(askings_come_back_as_they_were),
        cmocka_unit_test(commands),
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(objects),
        cmocka_unit_test(takes),
        cmocka_unit_test(events),
        cmocka_unit_test(taken_records),
        cmocka_unit_test(whose_alerts),
        cmocka_unit_test(opened_and_pieces),
        cmocka_unit_test(rows_in_parts),
        cmocka_unit_test(errors_and_the_rest),
    };
    seed = test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
