/*
 * One process of the hub asks another about its log, on a real nats-server and over the real ledger: an answer, nobody there, nothing to
 * answer with, nonsense; and a party that is none of the hub's processes, which hears nothing.
 */
#include "base/test.h"
#include "bus/link_testing.h"
#include "hub/fake_door.h"
#include "system/bus/system_bus.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define HUB STR("h/hub")
#define POLICE STR("h/police")
#define LOG STR("h.log.r1")
#define MINE STR("{\"plate\":\"浙A1\"}")

static struct fake_door door;
static struct nats_testing server;
static struct loop *loop;
static struct bus_link *links[2];
static struct bus_peer *desk, *replica, *stranger;
static struct sign_key *keys[2];
static struct sign_public public[2];
static struct hub_uses *uses;
static struct system_bus_others others = {.party = "h/hub"};

static enum err key_of(void *context, struct str party, struct sign_public *ret_key)
{
    if (!str_equal(party, HUB) && !str_equal(party, POLICE))
        return ERR_NOT_FOUND;
    *ret_key = public[str_equal(party, POLICE)];
    return ERR_OK;
}

static void on_question(void *context, struct bus_question *question)
{
    assert_true(hub_uses_question_is(bus_question_bytes(question)));
    system_bus_other_question(door.city.hub, question);
}

static struct bus_peer *make_peer(struct bus_link *link, struct str name, bool answers)
{
    char log_door[SYSTEM_BUS_LOG_DOOR];
    struct bus_peer *peer;
    system_bus_log_door(LOG, log_door);
    const struct bus_peer_options options = {.link = link,
        .name = name,
        .key = keys[str_equal(name, POLICE)],
        .clock = clock_system(),
        .loop = loop,
        .key_of = key_of,
        .on_question = answers ? on_question : NULL,
        .door = answers ? log_door : NULL,
        .is_reserved = true};
    assert_ok(bus_peer_create(&options, &peer));
    return peer;
}

static void open_uses(struct fake_door *unused)
{
    struct diag_list diags = {0};
    char path[256];
    snprintf(path, sizeof path, "%s/uses.sqlite", door.city.data);
    assert_ok(hub_uses_open(door.city.hub, path, &diags, &uses));
}

static int start(void **state)
{
    fake_city_make(&door.city);
    fake_city_write(&door.city, "systems/police.yaml",
        "party: h/police\nconnector: fake\nresources:\n"
        "  - name: vehicle\n    title: {zh: 车, en: Vehicles}\n    kind: table\n    fields:\n"
        "      - {name: plate, type: text, class: personal, key: true}\n      - {name: colour, type: text, class: open}\n"
        "  - name: passage\n    title: {zh: 过车, en: Passages}\n    kind: stream\n    fields:\n"
        "      - {name: camera, type: text, class: internal}\n      - {name: plate, type: text, class: personal}\n"
        "      - {name: time, type: time, class: internal}\n");
    fake_system.n_rows = 1;
    door.open_more = open_uses;
    fake_door_start(&door);
    nats_testing_start(&server, false);
    assert_ok(loop_create(clock_system(), &loop));
    for (int i = 0; i < 2; i++) {
        assert_ok(sign_key_make(SIGN_ED25519, &keys[i]));
        sign_key_public(keys[i], &public[i]);
        nats_testing_link(&server, i, &links[i]);
    }
    desk = make_peer(links[0], HUB, false);
    stranger = make_peer(links[0], POLICE, false);
    replica = make_peer(links[1], HUB, true);
    others.peer = desk;
    hub_others_set(door.city.hub, system_bus_ask_other, &others);
    return 0;
}

static int finish(void **state)
{
    bus_peer_destroy(desk);
    bus_peer_destroy(stranger);
    bus_peer_destroy(replica);
    bus_link_close(links[0]);
    bus_link_close(links[1]);
    for (int i = 0; i < 5; i++)
        assert_ok(loop_run_once(loop, 1));
    hub_uses_close(uses);
    fake_door_stop(&door);
    loop_destroy(loop);
    for (int i = 0; i < 2; i++)
        sign_key_destroy(keys[i]);
    nats_testing_end(&server);
    return 0;
}

struct asking {
    struct hub_others_ask ask;
    struct bus_ask bus;
    struct buf answer;
    enum err err;
    bool is_done;
};

static bool is_done(void *asking)
{
    return ((struct asking *)asking)->is_done;
}

static void on_other(struct hub_others_ask *ask)
{
    struct asking *asking = container_of(ask, struct asking, ask);
    asking->err = ask->err;
    buf_append_str(&asking->answer, ask->answer);
    asking->is_done = true;
}

static void on_bus(struct bus_ask *ask)
{
    struct asking *asking = container_of(ask, struct asking, bus);
    asking->err = ask->err;
    asking->is_done = true;
}

static enum err ask_log(struct str log, struct str bytes, struct buf *answer)
{
    struct asking asking = {.ask = {.log = log, .bytes = bytes, .loop = loop, .done = on_other}};
    buf_init(&asking.answer, 1 << 20);
    system_bus_ask_other(&others, &asking.ask);
    assert_true(nats_testing_until(loop, is_done, &asking));
    if (answer)
        buf_append_str(answer, buf_str(&asking.answer));
    buf_finish(&asking.answer);
    return asking.err;
}

/* At once; on a machine that has much to do when the time is over. */
static void is_unanswered(enum err err)
{
    assert_true(err == ERR_UNAVAILABLE || err == ERR_TIMEOUT);
}

static void list(struct buf *out)
{
    const struct hub_uses_question question = {.what = HUB_USES_LIST, .subject = MINE, .before = HUB_USES_FROM_TOP, .n_max = 10};
    buf_init(out, 1024);
    hub_uses_question_write(&question, out);
}

static void answered_by_the_process_with_the_log(void **state)
{
    struct hub_uses_part part = {.log = LOG, .before = HUB_USES_FROM_TOP};
    struct buf question, answer;
    struct arena arena;
    char out[4096];
    enum err err = ERR_UNAVAILABLE;
    assert_int_equal(fake_door_ask(&door, "POST", "/hub/v1/call/h/police/vehicle", "parking",
                         "{\"purpose\":\"parking.settle\",\"key\":{\"plate\":\"浙A1\"},\"fields\":[\"colour\"]}", out, sizeof out),
        200);
    list(&question);
    buf_init(&answer, 1 << 20);
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 1000 && (err == ERR_UNAVAILABLE || err == ERR_TIMEOUT); i++) { /* its subscription is on its way */
        err = ask_log(LOG, buf_str(&question), &answer);
        assert_ok(loop_run_once(loop, 10));
    }
    assert_ok(err);
    assert_ok(hub_uses_part_read(&arena, buf_str(&answer), 10, &part));
    assert_ok(part.err);
    assert_int_equal(part.n, 1);
    assert_str(part.uses[0].consumer, "h/parking");
    assert_true(part.is_complete && !part.has_more);
    is_unanswered(ask_log(STR("h.log.r2"), buf_str(&question), NULL)); /* nobody writes it */
    is_unanswered(ask_log(LOG, STR("\1\100 nonsense"), NULL));
    buf_finish(&question);
    buf_finish(&answer);
    arena_finish(&arena);
}

/* With a good key of its own, at the right door: it hears nothing of anybody. */
static void nobody_else_is_told(void **state)
{
    char log_door[SYSTEM_BUS_LOG_DOOR];
    struct asking asking = {0};
    struct buf question;
    uint64_t n_sessions = bus_peer_counts(replica).n_accepted;
    list(&question);
    system_bus_log_door(LOG, log_door);
    asking.bus =
        (struct bus_ask){.party = HUB, .door = log_door, .bytes = buf_str(&question), .timeout_ms = 500, .loop = loop, .done = on_bus};
    bus_peer_ask(stranger, &asking.bus);
    assert_true(nats_testing_until(loop, is_done, &asking));
    is_unanswered(asking.err);
    assert_true(bus_peer_counts(replica).n_accepted > n_sessions); /* who it is was believed */
    buf_finish(&question);
}

static void without_an_index_or_a_process(void **state)
{
    struct buf question;
    list(&question);
    hub_uses_close(uses);
    uses = NULL;
    is_unanswered(ask_log(LOG, buf_str(&question), NULL));
    bus_peer_destroy(replica);
    replica = NULL;
    assert_ok(loop_run_once(loop, 1));
    is_unanswered(ask_log(LOG, buf_str(&question), NULL));
    buf_finish(&question);
}

static void a_door_for_each_log(void **state)
{
    char one[SYSTEM_BUS_LOG_DOOR], other[SYSTEM_BUS_LOG_DOOR];
    system_bus_log_door(LOG, one);
    system_bus_log_door(STR("h.log.r2"), other);
    assert_int_equal(strlen(one), SYSTEM_BUS_LOG_DOOR - 1);
    assert_string_not_equal(one, other);
    assert_true(one[0] == 'L' && strspn(one + 1, "0123456789ABCDEF") == SYSTEM_BUS_LOG_DOOR - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answered_by_the_process_with_the_log), cmocka_unit_test(nobody_else_is_told),
        cmocka_unit_test(without_an_index_or_a_process), cmocka_unit_test(a_door_for_each_log)};
    return cmocka_run_group_tests(tests, start, finish);
}
