/*
 * The outbox: its bytes, its step row by row, and a simulation: two parties with real stores, a bus that loses, doubles and reorders, both
 * sides ended and begun again at any moment, all by a printed seed. Each message must have its effect once, in order.
 */
#include "base/crypto.h"
#include "base/mem.h"
#include "base/test.h"
#include "bus/outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t seed;

static uint64_t next(void) /* splitmix64 */
{
    uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static bool once_in(uint64_t n)
{
    return next() % n == 0;
}

/* ---- the step ---- */

static void the_step(void **state)
{
    static const struct {
        const char *why;
        enum bus_outbox_event_kind kind;
        int64_t now_ms;
        uint64_t stream, number;
        bool is_sent; /* then told as sent */
        uint64_t send_from, forget;
        int64_t wait_ms;
        bool must_renew;
    } rows[] = {
        {"nothing to do", BUS_OUTBOX_TICK, 0, 0, 0, false, 0, 0, -1, false},
        {"the first one", BUS_OUTBOX_ADDED, 0, 7, 2, true, 1, 0, -1, false},
        {"under way: wait", BUS_OUTBOX_ADDED, 100, 7, 4, false, 0, 0, 400, false},
        {"lost: again", BUS_OUTBOX_TICK, 500, 0, 0, true, 1, 0, -1, false},
        {"twice as long", BUS_OUTBOX_TICK, 600, 0, 0, false, 0, 0, 900, false},
        {"acknowledged in part: the rest", BUS_OUTBOX_ACK, 700, 7, 2, true, 3, 2, -1, false},
        {"the same acknowledgement again: at worst once too often", BUS_OUTBOX_ACK, 710, 7, 2, true, 3, 0, -1, false},
        {"of another numbering, an older one", BUS_OUTBOX_ACK, 720, 6, 9, false, 0, 0, 490, false},
        {"all of it", BUS_OUTBOX_ACK, 800, 7, 3, false, 0, 3, -1, false},
        {"nothing left", BUS_OUTBOX_TICK, 900, 0, 0, false, 0, 0, -1, false},
        {"one more", BUS_OUTBOX_ADDED, 1000, 7, 5, true, 4, 0, -1, false},
        {"the other side is back: at once", BUS_OUTBOX_UP, 1010, 0, 0, true, 4, 0, -1, false},
        {"it has more than was ever sent", BUS_OUTBOX_ACK, 1100, 7, 5, false, 0, 0, -1, true},
        {"a newer numbering than ours", BUS_OUTBOX_ACK, 1200, 8, 0, false, 0, 0, -1, true},
    };
    struct bus_outbox outbox = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct bus_outbox_event event = {
            .kind = rows[i].kind, .now = {rows[i].now_ms * 1000000}, .stream = rows[i].stream, .number = rows[i].number};
        struct bus_outbox_updates updates;
        bus_outbox_step(&outbox, &event, &updates);
        if (updates.send_from != rows[i].send_from || updates.forget != rows[i].forget || updates.wait_ms != rows[i].wait_ms ||
            updates.must_renew != rows[i].must_renew)
            fail_msg("%s: send %" PRIu64 ", forget %" PRIu64 ", wait %" PRId64 ", renew %d", rows[i].why, updates.send_from, updates.forget,
                updates.wait_ms, updates.must_renew);
        if (rows[i].is_sent)
            bus_outbox_sent(&outbox, event.now);
    }
}

static void after_a_start_the_other_side_is_asked_first(void **state)
{
    struct bus_outbox outbox = {.stream = 7, .first = 3, .next = 5, .unsure = 5};
    struct bus_outbox_updates updates;
    struct bus_outbox_event event = {.kind = BUS_OUTBOX_ADDED, .stream = 7, .number = 9};
    bus_outbox_step(&outbox, &event, &updates);
    assert_true(updates.send_from == 3 && updates.is_probe);
    bus_outbox_sent(&outbox, event.now);
    struct bus_outbox kept = outbox;
    event = (struct bus_outbox_event){.kind = BUS_OUTBOX_ACK, .stream = 7, .number = 5}; /* less than is given now, more than was then */
    bus_outbox_step(&outbox, &event, &updates);
    assert_true(updates.must_renew && !updates.send_from && !updates.forget);
    outbox = kept;
    event.number = 4;
    bus_outbox_step(&outbox, &event, &updates);
    assert_true(!updates.must_renew && updates.forget == 4 && updates.send_from == 5 && !updates.is_probe);
}

static void waiting_times_end(void **state)
{
    struct bus_outbox outbox = {.stream = 1, .first = 1, .next = 2};
    for (int i = 0; i < 100; i++)
        bus_outbox_sent(&outbox, (struct mono_time){0});
    assert_int_equal(outbox.again_ms, BUS_OUTBOX_AGAIN_MAX_MS);
}

/* ---- the bytes ---- */

static void the_bytes(void **state)
{
    struct bus_delivery delivery = {.stream = 7, .first = 5, .kept = 2, .n = 3, .messages = {STR("one"), STR_NONE, STR("three")}}, again;
    struct buf bytes;
    char hex[256];
    uint64_t stream, last;
    buf_init(&bytes, 1u << 20);
    assert_ok(bus_delivery_write(&delivery, &bytes));
    crypto_hex(bytes.ptr, bytes.len, hex);
    assert_string_equal(hex, "01"
                             "0000000000000007"
                             "0000000000000005"
                             "0000000000000002"
                             "0003" /* docs/bus.md */
                             "00000003"
                             "6f6e65"
                             "00000000"
                             "00000005"
                             "7468726565");
    assert_ok(bus_delivery_read(buf_str(&bytes), &again));
    assert_int_equal(again.n, 3);
    assert_str(again.messages[0], "one");
    assert_str(again.messages[2], "three");
    for (size_t i = 0; i < bytes.len; i++)
        assert_err(bus_delivery_read((struct str){bytes.ptr, i}, &again), ERR_SYNTAX);
    buf_append_byte(&bytes, 0);
    assert_err(bus_delivery_read(buf_str(&bytes), &again), ERR_SYNTAX);
    buf_reset(&bytes);
    delivery.kept = 6; /* more than the first: a lie */
    assert_ok(bus_delivery_write(&delivery, &bytes));
    assert_err(bus_delivery_read(buf_str(&bytes), &again), ERR_SYNTAX);
    buf_reset(&bytes);
    assert_ok(bus_ack_write(7, 9, &bytes));
    assert_ok(bus_ack_read(buf_str(&bytes), &stream, &last));
    assert_int_equal(stream, 7);
    assert_int_equal(last, 9);
    for (size_t i = 0; i < bytes.len; i++)
        assert_err(bus_ack_read((struct str){bytes.ptr, i}, &stream, &last), ERR_SYNTAX);
    for (size_t i = 0; i < 3000; i++) { /* any bytes at all: an answer, and no read past the end (under ASan) */
        uint8_t *noise = malloc(40);
        size_t len = next() % 40;
        for (size_t at = 0; at < len; at++)
            noise[at] = at == 0 ? 1 : once_in(2) ? 0 : (uint8_t)next();
        (void)!bus_delivery_read((struct str){(char *)noise, len}, &again);
        free(noise);
    }
    buf_finish(&bytes);
}

/* ---- the record ---- */

static const char *const migrations[] = {bus_outbox_tables, "CREATE TABLE effect (id INTEGER PRIMARY KEY, number INTEGER NOT NULL) STRICT"};

static struct db *open_store(const char *path)
{
    struct diag diag = {""};
    struct db *db;
    assert_ok(db_open(path, &diag, &db));
    assert_ok(db_migrate(db, migrations, 2, &diag));
    assert_ok(db_exec(db, "PRAGMA synchronous = OFF", &diag)); /* power is not what this test takes away */
    return db;
}

static void remove_store(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char one[160];
    for (size_t i = 0; i < 3; i++) {
        snprintf(one, sizeof one, "%s%s", path, ends[i]);
        unlink(one);
    }
}

struct packet {
    bool is_ack;
    struct buf bytes;
};

#define PACKETS_MAX 64

struct world {
    char folder[64], sender_path[96], receiver_path[96];
    struct db *sender, *receiver;
    struct bus_outbox outbox;
    struct mono_time now;
    uint64_t n_added;
    struct packet packets[PACKETS_MAX];
    size_t n_packets;
    bool is_calm;
    uint64_t n_sent, n_restarts, n_lost, n_doubled;
};

static void put_packet(struct world *world, bool is_ack, struct str bytes)
{
    size_t n = world->is_calm ? 1 : once_in(4) ? 0 : once_in(4) ? 2 : 1;
    world->n_lost += n == 0;
    world->n_doubled += n == 2;
    for (; n > 0 && world->n_packets < PACKETS_MAX; n--) {
        struct packet *packet = &world->packets[world->n_packets++];
        packet->is_ack = is_ack;
        buf_init(&packet->bytes, 1u << 20);
        buf_append_str(&packet->bytes, bytes);
        assert_ok(packet->bytes.err);
    }
}

static void step(struct world *world, struct bus_outbox_event event)
{
    struct bus_outbox_updates updates;
    event.now = world->now;
    bus_outbox_step(&world->outbox, &event, &updates);
    if (updates.forget) {
        assert_ok(db_begin(world->sender));
        assert_ok(bus_outbox_forget(world->sender, STR("a/b"), updates.forget));
        assert_ok(db_commit(world->sender));
    }
    if (updates.must_renew) {
        assert_ok(db_begin(world->sender));
        assert_ok(bus_outbox_renew(world->sender, STR("a/b"), (struct wall_time){world->now.ns / 1000000}, &world->outbox));
        assert_ok(db_commit(world->sender));
    }
    if (updates.send_from) {
        struct arena arena;
        struct bus_delivery delivery;
        struct buf bytes;
        arena_init(&arena, 1u << 20);
        buf_init(&bytes, 1u << 20);
        if (updates.is_probe)
            delivery = bus_outbox_probe(&world->outbox);
        else
            assert_ok(bus_outbox_read(world->sender, &arena, STR("a/b"), updates.send_from, &delivery));
        assert_ok(bus_delivery_write(&delivery, &bytes));
        bus_outbox_sent(&world->outbox, world->now);
        put_packet(world, false, buf_str(&bytes));
        world->n_sent++;
        buf_finish(&bytes);
        arena_finish(&arena);
    }
}

static void add(struct world *world)
{
    char text[24];
    struct bus_outbox stored;
    snprintf(text, sizeof text, "%" PRIu64, world->n_added + 1);
    assert_ok(db_begin(world->sender));
    assert_ok(bus_outbox_add(world->sender, STR("a/b"), str_from_c(text), (struct wall_time){world->now.ns / 1000000}, &stored));
    if (once_in(10)) { /* what the message tells of was not to be: neither is the message */
        db_rollback(world->sender);
        return;
    }
    assert_ok(db_commit(world->sender));
    world->n_added++;
    step(world, (struct bus_outbox_event){.kind = BUS_OUTBOX_ADDED, .stream = stored.stream, .number = stored.next});
}

static void receive(struct world *world, struct str bytes)
{
    struct bus_delivery delivery;
    struct bus_taken taken;
    struct buf ack;
    char sql[96];
    assert_ok(bus_delivery_read(bytes, &delivery));
    assert_ok(db_begin(world->receiver));
    assert_ok(bus_inbox_take(world->receiver, STR("c/d"), &delivery, &taken));
    assert_int_equal(taken.n_lost, 0);
    for (size_t i = 0; i < taken.n; i++) {
        snprintf(sql, sizeof sql, "INSERT INTO effect (number) VALUES (" STR_FORMAT ")", STR_ARG(delivery.messages[taken.from + i]));
        assert_ok(db_exec(world->receiver, sql, NULL));
    }
    if (!world->is_calm && once_in(8)) { /* ended before the commit */
        db_rollback(world->receiver);
        return;
    }
    assert_ok(db_commit(world->receiver));
    if (!world->is_calm && once_in(8)) /* ended after it */
        return;
    buf_init(&ack, 64);
    assert_ok(bus_ack_write(taken.stream, taken.last, &ack));
    put_packet(world, true, buf_str(&ack));
    buf_finish(&ack);
}

static void carry(struct world *world)
{
    if (world->n_packets == 0)
        return;
    size_t one = next() % world->n_packets; /* any of them: they overtake each other */
    struct packet packet = world->packets[one];
    world->packets[one] = world->packets[--world->n_packets];
    uint64_t stream, last;
    if (!packet.is_ack)
        receive(world, buf_str(&packet.bytes));
    else {
        assert_ok(bus_ack_read(buf_str(&packet.bytes), &stream, &last));
        step(world, (struct bus_outbox_event){.kind = BUS_OUTBOX_ACK, .stream = stream, .number = last});
    }
    buf_finish(&packet.bytes);
}

/* What was under way to a sender that was started anew finds nobody: an acknowledgement is the answer to a question of that run. */
static void lose_acks(struct world *world)
{
    for (size_t i = 0; i < world->n_packets; i++)
        if (world->packets[i].is_ack) {
            buf_finish(&world->packets[i].bytes);
            world->packets[i--] = world->packets[--world->n_packets];
        }
}

static void restart(struct world *world)
{
    world->n_restarts++;
    if (once_in(2)) {
        db_close(world->receiver);
        world->receiver = open_store(world->receiver_path);
        return;
    }
    db_close(world->sender);
    lose_acks(world);
    world->sender = open_store(world->sender_path);
    assert_ok(bus_outbox_load(world->sender, STR("a/b"), &world->outbox));
}

static void tick(struct world *world)
{
    world->now.ns += (int64_t)(next() % 2000) * 1000000;
    step(world, (struct bus_outbox_event){.kind = BUS_OUTBOX_TICK});
}

static void open_world(struct world *world)
{
    memset(world, 0, sizeof *world);
    world->now.ns = INT64_C(1700000000000) * 1000000;
    snprintf(world->folder, sizeof world->folder, "/tmp/citybrain-outbox-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->sender_path, sizeof world->sender_path, "%s/sender", world->folder);
    snprintf(world->receiver_path, sizeof world->receiver_path, "%s/receiver", world->folder);
    world->sender = open_store(world->sender_path);
    world->receiver = open_store(world->receiver_path);
}

static void close_world(struct world *world)
{
    for (size_t i = 0; i < world->n_packets; i++)
        buf_finish(&world->packets[i].bytes);
    db_close(world->sender);
    db_close(world->receiver);
    remove_store(world->sender_path);
    remove_store(world->receiver_path);
    rmdir(world->folder);
}

/* Each number from 1 on, once, in order. */
static void check_effects(struct world *world, uint64_t n)
{
    struct db_statement *statement;
    bool is_row;
    uint64_t at = 0;
    assert_ok(db_prepare(world->receiver, "SELECT number FROM effect ORDER BY id", NULL, &statement));
    for (assert_ok(db_step(statement, &is_row)); is_row; assert_ok(db_step(statement, &is_row)))
        assert_int_equal(db_column(statement, 0).i, ++at);
    db_statement_finish(statement);
    assert_int_equal(at, n);
}

static void settle(struct world *world)
{
    world->is_calm = true;
    for (int i = 0; i < 100000 && world->outbox.first < world->outbox.next; i++) {
        carry(world);
        tick(world);
    }
    assert_true(world->outbox.first >= world->outbox.next);
}

static void a_hostile_bus(void **state)
{
    const char *given = getenv("OUTBOX_SEEDS");
    uint64_t n_seeds = 40, n_all = 0, n_sent = 0, n_restarts = 0, n_lost = 0, n_doubled = 0;
    if (given)
        assert_ok(str_to_u64(str_from_c(given), &n_seeds));
    for (uint64_t one = 0; one < n_seeds; one++) {
        static struct world world;
        open_world(&world);
        for (int i = 0; i < 300; i++)
            switch (next() % 8) {
            case 0:
            case 1:
            case 2:
                add(&world);
                break;
            case 3:
                tick(&world);
                break;
            case 4:
                if (once_in(6))
                    restart(&world);
                break;
            default:
                carry(&world);
            }
        settle(&world);
        check_effects(&world, world.n_added);
        n_all += world.n_added;
        n_sent += world.n_sent;
        n_restarts += world.n_restarts;
        n_lost += world.n_lost;
        n_doubled += world.n_doubled;
        close_world(&world);
    }
    printf("outbox: %" PRIu64 " worlds, %" PRIu64 " messages once each, in %" PRIu64 " deliveries; %" PRIu64 " lost, %" PRIu64
           " doubled, %" PRIu64 " restarts\n",
        n_seeds, n_all, n_sent, n_lost, n_doubled, n_restarts);
    assert_true(n_all > 1000 && n_lost > 100 && n_doubled > 100 && n_restarts > 50);
}

/* ---- stores of an older day ---- */

static void the_receivers_store_is_a_copy_of_an_older_day(void **state)
{
    static struct world world;
    struct bus_delivery delivery = {.n = 1, .messages = {STR("x")}};
    struct bus_taken taken;
    open_world(&world);
    world.is_calm = true;
    delivery = (struct bus_delivery){.stream = 5, .first = 51, .kept = 51, .n = 2, .messages = {STR("51"), STR("52")}};
    assert_ok(bus_inbox_take(world.receiver, STR("c/d"), &delivery, &taken)); /* it has forgotten all 50 that it had acknowledged */
    assert_int_equal(taken.n_lost, 50);
    assert_int_equal(taken.n, 2);
    assert_int_equal(taken.last, 52);
    delivery.first = 55;
    delivery.kept = 53; /* the sender still has 53: wait for it */
    assert_ok(bus_inbox_take(world.receiver, STR("c/d"), &delivery, &taken));
    assert_int_equal(taken.n, 0);
    assert_int_equal(taken.last, 52);
    delivery.stream = 4; /* of an older numbering, long on its way */
    delivery.first = delivery.kept = 1;
    assert_ok(bus_inbox_take(world.receiver, STR("c/d"), &delivery, &taken));
    assert_int_equal(taken.n, 0);
    assert_int_equal(taken.stream, 5);
    close_world(&world);
}

static void the_senders_store_is_a_copy_of_an_older_day(void **state)
{
    static struct world world;
    struct bus_outbox older;
    open_world(&world);
    world.is_calm = true;
    while (world.n_added < 5)
        add(&world);
    settle(&world);
    check_effects(&world, world.n_added);
    uint64_t n = world.n_added;
    /* As if the last two had never been added: their numbers are given again. */
    assert_ok(db_exec(world.sender, "UPDATE bus_to SET first = first - 2, next = next - 2", NULL));
    lose_acks(&world);
    assert_ok(bus_outbox_load(world.sender, STR("a/b"), &older));
    world.outbox = older;
    while (world.n_added < n + 6) /* more than were lost: some get numbers that the other side has seen, some do not */
        add(&world);
    settle(&world);
    assert_true(world.outbox.stream > older.stream);
    check_effects(&world, n + 6);
    close_world(&world);
}

static void limits(void **state)
{
    static struct world world;
    static char large[BUS_OUTBOX_BYTES + 1];
    struct bus_outbox outbox;
    struct bus_delivery delivery;
    struct arena arena;
    open_world(&world);
    memset(large, 'x', sizeof large);
    assert_err(bus_outbox_add(world.sender, STR("a/b"), (struct str){large, sizeof large}, (struct wall_time){1}, &outbox), ERR_TOO_LARGE);
    for (int i = 0; i < 3; i++)
        assert_ok(bus_outbox_add(world.sender, STR("a/b"), (struct str){large, BUS_OUTBOX_BYTES - 10}, (struct wall_time){1}, &outbox));
    arena_init(&arena, 1u << 20);
    assert_ok(bus_outbox_read(world.sender, &arena, STR("a/b"), 1, &delivery));
    assert_int_equal(delivery.n, 1); /* two of them are over a delivery's bytes */
    assert_err(bus_outbox_read(world.sender, &arena, STR("a/b"), 4, &delivery), ERR_NOT_FOUND);
    assert_err(bus_outbox_read(world.sender, &arena, STR("other/party"), 1, &delivery), ERR_NOT_FOUND);
    assert_ok(db_exec(world.sender, "DELETE FROM bus_out WHERE number = 2", NULL));
    arena_reset(&arena);
    assert_err(bus_outbox_read(world.sender, &arena, STR("a/b"), 2, &delivery), ERR_CORRUPT);
    assert_ok(db_exec(world.sender, "UPDATE bus_to SET next = 1000004", NULL));
    assert_err(bus_outbox_add(world.sender, STR("a/b"), STR("x"), (struct wall_time){1}, &outbox), ERR_FULL);
    arena_finish(&arena);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_step),
        cmocka_unit_test(after_a_start_the_other_side_is_asked_first),
        cmocka_unit_test(waiting_times_end),
        cmocka_unit_test(the_bytes),
        cmocka_unit_test(a_hostile_bus),
        cmocka_unit_test(the_receivers_store_is_a_copy_of_an_older_day),
        cmocka_unit_test(the_senders_store_is_a_copy_of_an_older_day),
        cmocka_unit_test(limits),
    };
    const char *given = getenv("SEED");
    crypto_random(&seed, sizeof seed);
    if (given && str_to_u64(str_from_c(given), &seed) != ERR_OK)
        return 2;
    printf("SEED=%" PRIu64 "\n", seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
