/*
 * Consumers on a real nats-server before a hub of the tests' city: an answer after its intent is durable and not before, refusals, limits
 * of a session, an act once, two doors in one group, and bytes under a good session that are no question.
 */
#include "base/test.h"
#include "bus/link_testing.h"
#include "hub/asking.h"
#include "hub/bus_door.h"
#include "hub/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUB STR("h/hub")
#define PARKING STR("h/parking")
#define N_HOSTILE 2000

static struct fake_city city;
static struct nats_testing server;
static struct bus_link *hub_link, *parking_link;
static struct sign_key *keys[2];
static struct sign_public public[2];
static struct hub_bus_door *door;
static struct bus_peer *hub_peer, *parking;

static enum err key_of(void *context, struct str party, struct sign_public *ret_key)
{
    if (!str_equal(party, HUB) && !str_equal(party, PARKING))
        return ERR_NOT_FOUND;
    *ret_key = public[str_equal(party, PARKING)];
    return ERR_OK;
}

struct asking {
    struct bus_ask ask;
    bool is_done;
    enum err err;
    size_t n_parts;
    char bytes[2048];
    size_t len;
};

static void on_part(struct bus_ask *ask, struct str bytes)
{
    container_of(ask, struct asking, ask)->n_parts++;
}

static void on_done(struct bus_ask *ask)
{
    struct asking *asking = container_of(ask, struct asking, ask);
    asking->is_done = true;
    asking->err = ask->err;
    asking->len = ask->answer.len < sizeof asking->bytes ? ask->answer.len : sizeof asking->bytes;
    if (asking->len)
        memcpy(asking->bytes, ask->answer.ptr, asking->len);
}

static bool is_done(void *context)
{
    return ((struct asking *)context)->is_done;
}

static void begin(struct asking *asking, struct str bytes)
{
    *asking = (struct asking){
        .ask = {
            .party = HUB, .bytes = bytes, .timeout_ms = 30000, .may_repeat = true, .loop = city.loop, .on_part = on_part, .done = on_done}};
    bus_peer_ask(parking, &asking->ask);
}

static void until(struct asking *asking)
{
    assert_true(nats_testing_until(city.loop, is_done, asking));
}

static void begin_ask(struct asking *asking, const struct hub_bus_ask *asked)
{
    struct buf bytes;
    buf_init(&bytes, HUB_BUS_ASK_MAX);
    hub_bus_ask_write(asked, &bytes);
    assert_ok(bytes.err);
    begin(asking, buf_str(&bytes));
    buf_finish(&bytes);
}

/* The status of what came; 0: answered. */
static int status_of(const struct asking *asking, enum hub_bus_what what, struct hub_bus_answer *answer)
{
    assert_ok(asking->err);
    assert_ok(hub_bus_answer_read(what, (struct str){asking->bytes, asking->len}, answer));
    return answer->problem.status;
}

static const struct str fields[] = {STR_INIT("colour"), STR_INIT("plate")};
static const struct str names[] = {STR_INIT("plate")};

static struct hub_bus_ask a_call(const struct value *key)
{
    return (struct hub_bus_ask){.what = HUB_BUS_CALL,
        .resource = STR("h/police/vehicle"),
        .purpose = STR("parking.settle"),
        .names = names,
        .values = key,
        .n_values = 1,
        .fields = fields,
        .n_fields = 2};
}

static struct bus_peer *make_peer(struct bus_link *link, struct str name, const struct sign_key *key, bool answers)
{
    struct bus_peer *peer;
    const struct bus_peer_options options = {.link = link,
        .name = name,
        .key = key,
        .clock = clock_system(),
        .loop = city.loop,
        .key_of = key_of,
        .on_question = answers ? hub_bus_door_question : NULL,
        .is_reserved = answers,
        .context = door};
    assert_ok(bus_peer_create(&options, &peer));
    return peer;
}

static int start(void **state)
{
    struct diag_list diags;
    struct asking asking;
    const struct hub_bus_ask terms = {.what = HUB_BUS_TERMS, .resource = STR("h/police/vehicle")};
    fake_city_make(&city);
    city.ledger = fake_ledger();
    assert_ok(fake_city_load(&city, &diags));
    nats_testing_start(&server, false);
    for (int i = 0; i < 2; i++) {
        assert_ok(sign_key_make(SIGN_ED25519, &keys[i]));
        sign_key_public(keys[i], &public[i]);
    }
    nats_testing_link(&server, 0, &hub_link);
    nats_testing_link(&server, 1, &parking_link);
    assert_ok(hub_bus_door_create(city.hub, city.loop, &door));
    hub_peer = make_peer(hub_link, HUB, keys[0], true);
    parking = make_peer(parking_link, PARKING, keys[1], false);
    begin_ask(&asking, &terms);
    until(&asking);
    assert_err(asking.err, ERR_UNAVAILABLE); /* nobody takes hellos before the door is open */
    hub_bus_door_open(door, hub_peer);
    for (int i = 0; i < 1000 && asking.err; i++) { /* the subscription is on its way */
        begin_ask(&asking, &terms);
        until(&asking);
        assert_ok(loop_run_once(city.loop, 10));
    }
    assert_ok(asking.err);
    return 0;
}

static int finish(void **state)
{
    hub_bus_door_stop(door);
    bus_peer_destroy(parking);
    bus_link_close(hub_link);
    bus_link_close(parking_link);
    fake_city_spin(&city);
    bus_peer_destroy(hub_peer);
    fake_city_spin(&city);
    hub_bus_door_destroy(door);
    fake_city_unload(&city);
    fake_city_remove(&city);
    fake_ledger_reset();
    for (int i = 0; i < 2; i++)
        sign_key_destroy(keys[i]);
    nats_testing_end(&server);
    return 0;
}

static bool is_fetched(void *context)
{
    return atomic_load(&fake_system.n_fetched) > *(size_t *)context;
}

static void answered_after_its_intent(void **state)
{
    const struct value key = value_text(STR("浙A1"));
    struct hub_bus_ask asked = a_call(&key);
    struct hub_bus_answer answer;
    struct asking asking;
    struct buf json;
    struct json_writer w;
    bool is_truncated;
    size_t n = atomic_load(&fake_system.n_fetched);
    fake_ledger_hold(true);
    begin_ask(&asking, &asked);
    assert_true(nats_testing_until(city.loop, is_fetched, &n));
    fake_city_spin(&city);
    assert_false(asking.is_done); /* the department has answered, the leaf is not durable */
    assert_int_equal(asking.n_parts, 0);
    fake_ledger_hold(false);
    until(&asking);
    assert_int_equal(status_of(&asking, HUB_BUS_CALL, &answer), 0);
    assert_true(str_starts_with(answer.receipt, STR("h.log/")));
    buf_init(&json, 4096);
    json_writer_init(&w, &json);
    json_begin_array(&w);
    assert_ok(hub_bus_rows_json(answer.rest, fields, 2, &w, &is_truncated));
    json_end_array(&w);
    assert_str(buf_str(&json), "[{\"colour\":\"colour\",\"plate\":\"浙A1\"}]");
    buf_finish(&json);
    fake_city_spin(&city);
    assert_true(fake_ledger_count("\"consumer\":\"h/parking\"") > 0);
}

static void refused_as_over_http(void **state)
{
    const struct value key = value_text(STR("浙A1")), number = value_integer(1);
    const struct {
        const char *resource, *purpose;
        const struct value *key;
        int status;
        bool has_rule; /* docs/decide.md; for the consumer of a contract */
    } rows[] = {{"h/police/vehicle", "parking.other", &key, 404, true}, {"h/police/none", "parking.settle", &key, 404, false},
        {"h/count/road", "parking.settle", &key, 404, false}, {"h/police/vehicle", "parking.settle", &number, 400, false}};
    char unknown[128] = "";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hub_bus_ask asked = a_call(rows[i].key);
        struct hub_bus_answer answer;
        struct asking asking;
        asked.resource = str_from_c(rows[i].resource);
        asked.purpose = str_from_c(rows[i].purpose);
        begin_ask(&asking, &asked);
        until(&asking);
        assert_int_equal(status_of(&asking, HUB_BUS_CALL, &answer), rows[i].status);
        assert_int_equal(answer.problem.rule > 0, rows[i].has_rule);
        if (rows[i].status == 404 && unknown[0]) /* what is denied and what is unknown: the same words */
            assert_str(answer.problem.detail, unknown);
        else if (rows[i].status == 404)
            assert_ok(str_to_c(answer.problem.detail, unknown, sizeof unknown));
    }
}

static bool is_full(void *context)
{
    return hub_bus_door_n_under_way(door) >= HUB_BUS_OF_SESSION_MAX;
}

/* One session has 256 askings under way; more are refused at once, and the others are answered when the department is there again. */
static void a_session_has_its_share(void **state)
{
    enum { N = HUB_BUS_OF_SESSION_MAX };
    static struct asking askings[N + 20];
    const struct value key = value_text(STR("浙A1"));
    const struct hub_bus_ask asked = a_call(&key);
    struct hub_bus_answer answer;
    fake_system.is_holding = true;
    for (size_t i = 0; i < N; i++)
        begin_ask(&askings[i], &asked);
    assert_true(nats_testing_until(city.loop, is_full, NULL));
    for (size_t i = N; i < N + 20; i++) {
        begin_ask(&askings[i], &asked);
        until(&askings[i]);
        assert_int_equal(status_of(&askings[i], HUB_BUS_CALL, &answer), 429);
    }
    fake_system_release();
    for (size_t i = 0; i < N; i++) {
        until(&askings[i]);
        assert_int_equal(status_of(&askings[i], HUB_BUS_CALL, &answer), 0);
    }
    assert_int_equal(hub_bus_door_n_under_way(door), 0);
}

static size_t below(size_t n) /* splitmix64 */
{
    static uint64_t seed = 20261122;
    uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (size_t)((z ^ z >> 31) % n);
}

/* Bytes under a good session: whatever they are, an answer comes, nothing stays under way, and what is no question is no use. */
static void hostile_bytes(void **state)
{
    const struct value key = value_text(STR("浙A1"));
    const struct hub_bus_ask asked = a_call(&key);
    struct asking asking;
    struct hub_bus_answer answer;
    struct buf bytes;
    size_t n_refused = 0, n = TEST_TIMES(N_HOSTILE);
    buf_init(&bytes, 65536);
    for (size_t i = 0; i < n; i++) {
        buf_reset(&bytes);
        hub_bus_ask_write(&asked, &bytes);
        if (i % 3 == 0)
            bytes.len = below(bytes.len);
        else if (i % 3 == 1)
            bytes.ptr[below(bytes.len)] ^= (char)(1 << below(8));
        else
            for (size_t at = 2; at < bytes.len; at++)
                bytes.ptr[at] = (char)below(256);
        begin(&asking, buf_str(&bytes));
        until(&asking);
        n_refused += status_of(&asking, HUB_BUS_CALL, &answer) != 0;
    }
    buf_finish(&bytes);
    fprintf(stderr, "%zu hostile questions, %zu refused\n", n, n_refused);
    assert_true(n_refused > n / 2);
    assert_int_equal(hub_bus_door_n_under_way(door), 0);
}

static void after_its_end(void **state)
{
    const struct value key = value_text(STR("浙A1"));
    const struct hub_bus_ask asked = a_call(&key);
    struct hub_bus_answer answer;
    struct asking asking;
    hub_bus_door_stop(door);
    begin_ask(&asking, &asked); /* under the session that stands */
    until(&asking);
    assert_int_equal(status_of(&asking, HUB_BUS_CALL, &answer), 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answered_after_its_intent), cmocka_unit_test(refused_as_over_http),
        cmocka_unit_test(a_session_has_its_share), cmocka_unit_test(hostile_bytes), cmocka_unit_test(after_its_end)};
    return cmocka_run_group_tests(tests, start, finish);
}
