/*
 * Calls and objects: both leaves, nothing before the intent is durable, the refusals, and the hub's end. Quotas: quota_test.c.
 */
#include "hub/call_testing.h"

#include "base/mem.h"
#include "hub/negotiate.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void answered(void **state)
{
    struct asked asked;
    call_ask(&asked);
    call_start(&asked);
    assert_int_equal(asked.n_done, 1);
    assert_int_equal(asked.call.refusal.err, ERR_OK);
    assert_int_equal(asked.n_rows, 1);
    assert_string_equal(asked.json, "[{\"colour\":\"colour\",\"plate\":\"浙A1\\\"\"}]");
    fake_city_spin(&call_city);
    size_t n = fake_ledger_n();
    char receipt[HUB_RECEIPT_MAX];
    snprintf(receipt, sizeof receipt, "h.log/%zu", n - 2);
    assert_string_equal(asked.call.receipt, receipt);
    struct str intent = fake_ledger_leaf(n - 2), outcome = fake_ledger_leaf(n - 1);
    assert_true(str_starts_with(intent, STR("{\"consumer\":\"h/parking\",\"contract\":\"h/c-17\",\"contract_sha256\":\"")));
    assert_non_null(strstr(intent.ptr, "\"subject\":\""));
    assert_non_null(strstr(intent.ptr, "\"type\":\"intent\",\"use\":\"call\"}"));
    assert_non_null(strstr(outcome.ptr, "\"rows\":1,\"status\":\"ok\""));
    assert_int_equal(fake_ledger_count("浙A1"), 0); /* no personal data */
}

/* The leaves are what RFC 8785 makes of them. */
static void leaves_are_canonical(void **state)
{
    struct asked asked;
    call_ask(&asked);
    call_start(&asked);
    fake_city_spin(&call_city);
    for (size_t i = 0; i < fake_ledger_n(); i++) {
        json_t *json;
        struct buf canonical;
        assert_ok(json_read(fake_ledger_leaf(i), NULL, &json));
        buf_init(&canonical, 65536);
        assert_ok(json_write_canonical(json, &canonical));
        assert_true(str_equal(buf_str(&canonical), fake_ledger_leaf(i)));
        buf_finish(&canonical);
        json_decref(json);
    }
}

/* Whether `member` of the leaf is the commitment to `text`: salt = HMAC(HMAC(epoch key, "citybrain salt"), nonce). */
static void assert_opens(struct str leaf, const char *member, struct str text)
{
    uint8_t epoch[32], nonce[16];
    char path[256], expected[65];
    json_t *json;
    struct str hex, is;
    snprintf(path, sizeof path, "%s/secrets/epoch/2026-11-18", call_city.data);
    assert_ok(crypto_key_file(path, epoch));
    struct sha256 salt_key = crypto_hmac_sha256((struct str){(char *)epoch, 32}, STR("citybrain salt"));
    assert_ok(json_read(leaf, NULL, &json));
    assert_ok(json_get_str(json, "nonce", &hex));
    assert_ok(crypto_unhex(hex, nonce, 16));
    struct sha256 salt = crypto_hmac_sha256((struct str){(char *)salt_key.bytes, 32}, (struct str){(char *)nonce, 16});
    struct sha256 commitment = crypto_hmac_sha256((struct str){(char *)salt.bytes, 32}, text);
    crypto_hex(commitment.bytes, 32, expected);
    assert_ok(json_get_str(json, member, &is));
    assert_true(str_equal_c(is, expected));
    json_decref(json);
}

/* Anyone with the opening can check both commitments. */
static void commitments_open(void **state)
{
    struct asked asked;
    call_ask(&asked);
    call_start(&asked);
    fake_city_spin(&call_city);
    assert_opens(fake_ledger_leaf(fake_ledger_n() - 2), "request",
        STR("{\"fields\":[\"colour\",\"plate\"],\"key\":{\"plate\":\"浙A1\\\"\"},\"purpose\":\"parking.settle\",\"resource\":\"h/"
            "police/vehicle\"}"));
    assert_opens(fake_ledger_leaf(fake_ledger_n() - 1), "digest", str_from_c(asked.json));
}

/* A day's key is erased when the city's time for it is over; from then on nothing links that day's leaves to anybody. */
static void keys_are_forgotten_in_time(void **state)
{
    struct asked asked;
    char first[256], second[256];
    call_ask(&asked);
    call_start(&asked);
    fake_city_spin(&call_city);
    snprintf(first, sizeof first, "%s/secrets/epoch/2026-11-18", call_city.data);
    snprintf(second, sizeof second, "%s/secrets/epoch/2026-11-19", call_city.data);
    clock_fake_advance_ms(&call_city.clock, INT64_C(86400000));
    call_ask(&asked);
    call_start(&asked);
    fake_city_spin(&call_city);
    clock_fake_advance_ms(&call_city.clock, HUB_EPOCHS_KEPT_MS - INT64_C(86400000));
    fake_city_spin(&call_city);
    assert_int_equal(access(first, F_OK), 0);
    clock_fake_advance_ms(&call_city.clock, INT64_C(86400000));
    fake_city_spin(&call_city);
    assert_int_equal(access(first, F_OK), -1);
    assert_int_equal(access(second, F_OK), 0);
}

static void nothing_before_the_intent(void **state)
{
    struct asked asked;
    call_ask(&asked);
    fake_ledger_hold(true);
    call_start(&asked);
    assert_int_equal(fake_system.n_fetched, 1); /* asked side by side */
    assert_int_equal(asked.n_done, 0);
    fake_ledger_hold(false);
    fake_city_spin(&call_city);
    assert_int_equal(asked.n_done, 1);

    call_ask(&asked);
    fake_system.is_holding = true;
    call_start(&asked);
    assert_int_equal(asked.n_done, 0);
    fake_system_release();
    fake_city_spin(&call_city);
    assert_int_equal(asked.n_done, 1);
    assert_int_equal(asked.n_rows, 1);
}

static void ledger_gone(void **state)
{
    struct asked asked;
    call_ask(&asked);
    fake_ledger_break(ERR_DISK_FULL);
    call_start(&asked);
    assert_int_equal(asked.n_done, 1);
    assert_int_equal(asked.call.refusal.err, ERR_UNAVAILABLE);
    assert_int_equal(asked.n_rows, 0);
    assert_string_equal(asked.json, "");
    assert_string_equal(asked.call.receipt, "");
    fake_ledger_break(ERR_OK);
    call_ask(&asked);
    fake_ledger_refuse(ERR_FULL);
    call_start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_FULL);
    assert_int_equal(fake_system.n_fetched, 1); /* not asked without evidence */
    fake_ledger_refuse(ERR_OK);
}

static void department_down(void **state)
{
    static const struct {
        enum err err;
        const char *status;
    } rows[] = {{ERR_UNAVAILABLE, "unavailable"}, {ERR_TIMEOUT, "timeout"}, {ERR_TOO_LARGE, "too_large"}, {ERR_FULL, "busy"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct asked asked;
        char status[64];
        call_ask(&asked);
        fake_system.fetch_err = rows[i].err;
        call_start(&asked);
        fake_city_spin(&call_city);
        assert_int_equal(asked.call.refusal.err, rows[i].err);
        snprintf(status, sizeof status, "\"rows\":0,\"status\":\"%s\"", rows[i].status);
        assert_int_equal(fake_ledger_count(status), 1);
    }
}

static void refused(void **state)
{
    static const struct str owner[] = {STR_INIT("owner")};
    static const struct str no_such[] = {STR_INIT("nothing")};
    struct asked asked;
    struct {
        const char *what;
        enum err err;
        int rule;
        struct hub_call change;
    } rows[] = {
        {"another party", ERR_NOT_FOUND, 0, {.party = STR("h/count")}},
        {"unknown resource", ERR_NOT_FOUND, 0, {.resource = STR("h/police/vehicles")}},
        {"a stream", ERR_NOT_FOUND, 0, {.resource = STR("h/police/passage")}},
        {"another's contract", ERR_NOT_FOUND, 0, {.contract = STR("h/c-1")}},
        {"unknown contract", ERR_NOT_FOUND, 0, {.contract = STR("h/c-99")}},
        {"another purpose", ERR_DENIED, 8, {.purpose = STR("parking.spy")}},
        {"a field not granted", ERR_DENIED, 9, {.fields = owner, .n_fields = 1}},
        {"a field that is not", ERR_DENIED, 9, {.fields = no_such, .n_fields = 1}},
        {"not a key", ERR_RANGE, 0, {.key_names = no_such}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct hub_call *change = &rows[i].change;
        call_ask(&asked);
        if (change->party.ptr)
            asked.call.party = change->party;
        if (change->resource.ptr)
            asked.call.resource = change->resource;
        if (change->contract.ptr)
            asked.call.contract = change->contract;
        if (change->purpose.ptr)
            asked.call.purpose = change->purpose;
        if (change->fields) {
            asked.call.fields = change->fields;
            asked.call.n_fields = change->n_fields;
        }
        if (change->key_names)
            asked.call.key_names = change->key_names;
        call_start(&asked);
        assert_int_equal(asked.n_done, 1);
        if (asked.call.refusal.err != rows[i].err || asked.call.refusal.rule != rows[i].rule)
            fail_msg("%s: %s, rule %d", rows[i].what, err_text(asked.call.refusal.err), asked.call.refusal.rule);
        bool tells_keys = strstr(asked.call.refusal.diag.text, "its keys are: plate") != NULL;
        assert_int_equal(tells_keys, change->key_names != NULL); /* of a resource that is refused nothing is told */
    }
    call_ask(&asked);
    asked.call.n_fields = 0;
    call_start(&asked);
    assert_int_equal(asked.call.refusal.rule, 9);
    call_ask(&asked);
    asked.call.n_keys = 0;
    call_start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_RANGE);
    call_ask(&asked);
    asked.key_values[0] = value_integer(1);
    call_start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_RANGE);
    call_ask(&asked);
    asked.key_names[1] = STR("plate");
    asked.call.n_keys = 2;
    call_start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_RANGE);
    assert_int_equal(fake_system.n_fetched, 0);
    assert_int_equal(fake_ledger_count("\"use\":\"call\""), 0);
    call_ask(&asked); /* a suspension holds from the next decision on */
    assert_ok(fake_city_step(&call_city, "h/c-17", NEGOTIATE_SUSPEND));
    call_start(&asked);
    assert_int_equal(asked.call.refusal.rule, 1);
}

static void freshness(void **state)
{
    fake_city_write(&call_city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\n"
        "fields: [plate, colour]\npurpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nfresh_for: 1h\n"
        "from: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    call_reload();
    struct asked asked;
    call_ask(&asked);
    call_start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_OK);
    call_city.clock.wall.ms += 2 * 3600000; /* the wall clock alone: no tick has confirmed it */
    call_ask(&asked);
    call_start(&asked);
    assert_int_equal(asked.call.refusal.rule, 4);
    clock_fake_advance_ms(&call_city.clock, 1000);
    fake_city_spin(&call_city);
    call_ask(&asked);
    call_start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_OK);
}

/* A call with the Nth allocation failing: always one end, an answer or a refusal. */
static void each_allocation_fails_once(void **state)
{
    bool is_answered = false;
    uint64_t n = 0;
    while (!is_answered && ++n < 1000) {
        struct asked asked;
        call_ask(&asked);
        mem_fail_nth(n);
        hub_call_start(call_city.hub, &asked.call);
        fake_city_spin(&call_city);
        mem_fail_nth(0);
        fake_city_spin(&call_city);
        assert_int_equal(asked.n_done, 1);
        is_answered = asked.call.refusal.err == ERR_OK;
    }
    assert_true(is_answered);
    assert_true(n > 3);
}

/* ---- objects ---- */

struct got {
    struct hub_object_get get;
    int n_done;
    char bytes[64];
};

static void got_done(struct hub_object_get *get)
{
    struct got *got = get->context;
    got->n_done++;
    snprintf(got->bytes, sizeof got->bytes, STR_FORMAT, STR_ARG(get->bytes));
}

static void objects(void **state)
{
    struct got got = {.get = {.party = STR("h/cockpit"),
                          .resource = STR("h/count/road"),
                          .purpose = STR("cockpit.show"),
                          .loop = call_city.loop,
                          .done = got_done}};
    got.get.context = &got;
    hub_object_get_start(call_city.hub, &got.get);
    fake_city_spin(&call_city);
    assert_int_equal(got.n_done, 1);
    assert_int_equal(got.get.refusal.err, ERR_UNAVAILABLE); /* its provider has not put it yet */
    const struct hub_resource *road = hub_resource_find(call_city.hub, STR("h/count/road"));
    assert_ok(hub_object_put(call_city.hub, road, STR("application/json"), STR("{\"a\":1}")));
    assert_ok(hub_object_put(call_city.hub, road, STR("application/json"), STR("{\"a\":2}")));
    fake_ledger_hold(true);
    hub_object_get_start(call_city.hub, &got.get);
    fake_city_spin(&call_city);
    assert_int_equal(got.n_done, 1);
    assert_ok(hub_object_put(call_city.hub, road, STR("application/json"), STR("{\"a\":3}")));
    fake_ledger_hold(false);
    fake_city_spin(&call_city);
    assert_int_equal(got.n_done, 2);
    assert_int_equal(got.get.refusal.err, ERR_OK);
    assert_string_equal(got.bytes, "{\"a\":2}"); /* as it was when it was asked for */
    assert_opens(fake_ledger_leaf(fake_ledger_n() - 2), "request",
        STR("{\"fields\":[\"bytes\"],\"key\":{},\"purpose\":\"cockpit.show\",\"resource\":\"h/count/road\"}"));
    got.get.purpose = STR("other");
    hub_object_get_start(call_city.hub, &got.get);
    fake_city_spin(&call_city);
    assert_int_equal(got.get.refusal.rule, 8);
    assert_err(hub_object_put(call_city.hub, hub_resource_find(call_city.hub, STR("h/police/vehicle")), STR("a"), STR("b")), ERR_STATE);
}

static void each_allocation_of_an_object_fails_once(void **state)
{
    struct got got = {.n_done = 0};
    uint64_t n = 0;
    assert_ok(hub_object_put(call_city.hub, hub_resource_find(call_city.hub, STR("h/count/road")), STR("text/plain"), STR("x")));
    for (int n_done = 1; n == 0 || got.get.refusal.err; n_done++) {
        got.get = (struct hub_object_get){.party = STR("h/cockpit"),
            .resource = STR("h/count/road"),
            .purpose = STR("cockpit.show"),
            .loop = call_city.loop,
            .done = got_done,
            .context = &got};
        mem_fail_nth(++n);
        hub_object_get_start(call_city.hub, &got.get);
        fake_city_spin(&call_city);
        mem_fail_nth(0);
        fake_city_spin(&call_city);
        assert_int_equal(got.n_done, n_done);
        assert_true(n < 1000);
    }
    assert_true(n > 3);
}

/* ---- the hub's end while uses are under way on another thread ---- */

static _Atomic int n_slow;

static void take_your_time(void)
{
    atomic_fetch_add(&n_slow, 1);
    usleep(200000);
}

static void slow_call_done(struct hub_call *call)
{
    take_your_time();
}

static void slow_get_done(struct hub_object_get *get)
{
    take_your_time();
}

static void the_end_waits_for_what_is_under_way(void **state)
{
    for (int is_object = 0; is_object < 2; is_object++) {
        struct diag_list diags;
        struct loop_thread *thread;
        struct asked asked;
        if (is_object)
            assert_ok(fake_city_load(&call_city, &diags));
        assert_ok(loop_thread_start(clock_system(), "caller", &thread));
        call_ask(&asked);
        asked.call.loop = loop_thread_loop(thread);
        asked.call.done = slow_call_done;
        struct hub_object_get get = {.party = STR("h/cockpit"),
            .resource = STR("h/count/road"),
            .purpose = STR("cockpit.show"),
            .loop = loop_thread_loop(thread),
            .done = slow_get_done};
        assert_ok(hub_object_put(call_city.hub, hub_resource_find(call_city.hub, get.resource), STR("text/plain"), STR("x")));
        size_t n_outcomes = fake_ledger_count("\"type\":\"outcome\"");
        atomic_store(&n_slow, 0);
        if (is_object)
            hub_object_get_start(call_city.hub, &get);
        else
            hub_call_start(call_city.hub, &asked.call);
        for (int i = 0; i < 1000 && atomic_load(&n_slow) == 0; i++)
            fake_city_spin(&call_city);
        fake_city_unload(&call_city); /* while `done` runs; the outcome is still to be written */
        assert_int_equal(fake_ledger_count("\"type\":\"outcome\""), n_outcomes + 1);
        loop_thread_stop(thread);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answered, call_make, call_finish),
        cmocka_unit_test_setup_teardown(leaves_are_canonical, call_make, call_finish),
        cmocka_unit_test_setup_teardown(commitments_open, call_make, call_finish),
        cmocka_unit_test_setup_teardown(keys_are_forgotten_in_time, call_make, call_finish),
        cmocka_unit_test_setup_teardown(nothing_before_the_intent, call_make, call_finish),
        cmocka_unit_test_setup_teardown(ledger_gone, call_make, call_finish),
        cmocka_unit_test_setup_teardown(department_down, call_make, call_finish),
        cmocka_unit_test_setup_teardown(refused, call_make, call_finish),
        cmocka_unit_test_setup_teardown(freshness, call_make, call_finish),
        cmocka_unit_test_setup_teardown(each_allocation_fails_once, call_make, call_finish),
        cmocka_unit_test_setup_teardown(objects, call_make, call_finish),
        cmocka_unit_test_setup_teardown(each_allocation_of_an_object_fails_once, call_make, call_finish),
        cmocka_unit_test_setup_teardown(the_end_waits_for_what_is_under_way, call_make, call_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
