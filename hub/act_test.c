/*
 * Acts with a department and a ledger that do what the test says: nothing is asked before its receipt is durable, a key acts once and is
 * answered again, what is certainly not done may be asked again, what nobody knows is asked again or, at most once, never.
 */
#include "hub/act.h"

#include "base/mem.h"
#include "base/test.h"
#include "hub/alert.h"
#include "hub/fake.h"
#include "hub/keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fake_city city;

static void load_city(void)
{
    struct diag_list diags;
    if (fake_city_load(&city, &diags) != ERR_OK)
        fail_msg("%s", diags.diags[0].text);
}

static int make(void **state)
{
    fake_city_make(&city);
    fake_city_write(&city, "systems/gate.yaml",
        "party: h/police\nconnector: fake\nresources:\n"
        "  - name: open\n    title: {zh: 开, en: Open}\n    kind: command\n    fields:\n"
        "      - {name: gate, type: text, class: internal, key: true}\n      - {name: seconds, type: integer, class: internal}\n"
        "      - {name: plate, type: text, class: personal}\n"
        "  - name: ring\n    title: {zh: 铃, en: Ring}\n    kind: command\n    at_most_once: true\n    fields:\n"
        "      - {name: gate, type: text, class: internal, key: true}\n");
    static const char *const resources[] = {"police/open", "police/ring", "hub/alert"};
    for (size_t i = 0; i < 3; i++) {
        char file[64], text[1024];
        snprintf(file, sizeof file, "contracts/c-%zu.yaml", 50 + i);
        snprintf(text, sizeof text,
            "contract: h/c-%zu\nprovider: h/%.*s\nconsumer: h/parking\nresource: h/%s\nuses: [%s]\nfields: [%s]\npurpose: gate.use\n"
            "legal_basis: {zh: 依, en: law}\nper_day: 1000\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n",
            50 + i, (int)strcspn(resources[i], "/"), resources[i], resources[i], i < 2 ? "act" : "subscribe",
            i == 0   ? "gate, seconds"
            : i == 1 ? "gate"
                     : "kind, key");
        fake_city_write(&city, file, text);
    }
    city.ledger = fake_ledger();
    load_city();
    return 0;
}

static int finish(void **state)
{
    fake_city_unload(&city);
    fake_city_remove(&city);
    fake_ledger_reset();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

/* ---- one act ---- */

struct asked {
    struct hub_act act;
    struct str names[4];
    struct value values[4];
    bool is_done;
    char json[256];
};

static void done(struct hub_act *act)
{
    struct asked *asked = act->context;
    asked->is_done = true;
    snprintf(asked->json, sizeof asked->json, STR_FORMAT, STR_ARG(act->json));
}

static void begin(struct asked *asked, const char *resource, const char *key, const char *gate)
{
    *asked = (struct asked){.act = {.party = STR("h/parking"),
                                .resource = str_from_c(resource),
                                .purpose = STR("gate.use"),
                                .key = str_from_c(key),
                                .loop = city.loop,
                                .done = done}};
    asked->names[0] = STR("gate");
    asked->values[0] = value_text(str_from_c(gate));
    asked->act.names = asked->names;
    asked->act.values = asked->values;
    asked->act.n_values = 1;
    asked->act.context = asked;
}

static void spin_until_done(const struct asked *asked)
{
    for (int i = 0; i < 2000 && !asked->is_done; i++) {
        clock_fake_advance_ms(&city.clock, 10); /* a quota's reservation is waited for by a timer */
        fake_city_spin(&city);
    }
    assert_true(asked->is_done);
    fake_city_spin(&city);
}

static void run(struct asked *asked, const char *resource, const char *key, const char *gate)
{
    begin(asked, resource, key, gate);
    hub_act_start(city.hub, &asked->act);
    spin_until_done(asked);
}

#define OPEN "h/police/open"
#define RING "h/police/ring"

static void a_key_acts_once(void **state)
{
    struct asked first, again;
    size_t n_leaves = fake_ledger_count("\"use\":\"act\"");
    run(&first, OPEN, "k1", "north");
    assert_ok(first.act.refusal.err);
    assert_int_equal(first.act.state, HUB_ACT_KNOWN);
    assert_false(first.act.is_repeated);
    assert_string_equal(first.json, "{\"number\":1}");
    assert_string_equal(fake_system.act_key, "h/parking k1");
    for (int i = 0; i < 20; i++) {
        run(&again, OPEN, "k1", "north");
        assert_ok(again.act.refusal.err);
        assert_true(again.act.is_repeated);
        assert_string_equal(again.json, first.json);
        assert_string_equal(again.act.receipt, first.act.receipt);
    }
    assert_int_equal(fake_system.n_acted, 1);
    assert_int_equal(fake_ledger_count("\"use\":\"act\""), n_leaves + 1); /* nothing was used again */
    run(&again, OPEN, "k1", "south");
    assert_err(again.act.refusal.err, ERR_EXISTS);
    run(&again, OPEN, "k2", "north");
    assert_int_equal(fake_system.n_acted, 2);
    fake_city_unload(&city);
    load_city();
    run(&again, OPEN, "k1", "north");
    assert_true(again.act.is_repeated);
    assert_string_equal(again.act.receipt, first.act.receipt);
    assert_int_equal(fake_system.n_acted, 2);
}

static void nothing_is_asked_before_its_receipt(void **state)
{
    struct asked asked;
    size_t n = fake_system.n_acted;
    fake_ledger_hold(true);
    begin(&asked, OPEN, "k3", "north");
    hub_act_start(city.hub, &asked.act);
    for (int i = 0; i < 20; i++) {
        clock_fake_advance_ms(&city.clock, 10);
        fake_city_spin(&city);
    }
    assert_int_equal(fake_system.n_acted, n);
    assert_false(asked.is_done);
    fake_ledger_hold(false);
    spin_until_done(&asked);
    assert_int_equal(fake_system.n_acted, n + 1);
    fake_ledger_break(ERR_IO);
    run(&asked, OPEN, "k4", "north");
    assert_err(asked.act.refusal.err, ERR_UNAVAILABLE);
    fake_ledger_break(ERR_OK);
    assert_int_equal(fake_system.n_acted, n + 1);
    run(&asked, OPEN, "k4", "north");
    assert_ok(asked.act.refusal.err);
}

static void what_is_wrong_is_refused(void **state)
{
    struct asked asked;
    size_t n = fake_system.n_acted;
    static const struct {
        const char *resource, *key;
        enum err err;
    } rows[] = {{"h/police/none", "k", ERR_NOT_FOUND}, {"h/police/vehicle", "k", ERR_NOT_FOUND}, {OPEN, "", ERR_RANGE},
        {OPEN, "a b", ERR_RANGE}, {OPEN, "号", ERR_RANGE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(&asked, rows[i].resource, rows[i].key, "north");
        assert_err(asked.act.refusal.err, rows[i].err);
    }
    begin(&asked, OPEN, "w1", "north"); /* a parameter that is not granted */
    asked.names[1] = STR("plate");
    asked.values[1] = value_text(STR("A1"));
    asked.act.n_values = 2;
    hub_act_start(city.hub, &asked.act);
    spin_until_done(&asked);
    assert_err(asked.act.refusal.err, ERR_DENIED);
    assert_int_equal(asked.act.refusal.rule, 9);
    begin(&asked, OPEN, "w2", "north"); /* the compulsory one is missing, another has the wrong type */
    asked.names[0] = STR("seconds");
    hub_act_start(city.hub, &asked.act);
    spin_until_done(&asked);
    assert_err(asked.act.refusal.err, ERR_RANGE);
    begin(&asked, OPEN, "w3", "north");
    asked.act.party = STR("h/count");
    hub_act_start(city.hub, &asked.act);
    spin_until_done(&asked);
    assert_err(asked.act.refusal.err, ERR_NOT_FOUND);
    assert_int_equal(fake_system.n_acted, n);
}

static void the_departments_word_is_kept(void **state)
{
    struct asked asked;
    fake_system.act_err = ERR_RANGE;
    run(&asked, OPEN, "r1", "north");
    assert_int_equal(asked.act.state, HUB_ACT_REFUSED);
    fake_system.act_err = ERR_OK;
    size_t n = fake_system.n_acted;
    run(&asked, OPEN, "r1", "north");
    assert_int_equal(asked.act.state, HUB_ACT_REFUSED);
    assert_true(asked.act.is_repeated);
    assert_string_equal(asked.json, "\"no\"");
    assert_int_equal(fake_system.n_acted, n);
}

static void not_done_may_be_asked_again(void **state)
{
    static const char *const resources[] = {OPEN, RING};
    for (size_t i = 0; i < 2; i++) {
        struct asked asked;
        size_t n = fake_system.n_acted;
        fake_system.act_err = ERR_UNAVAILABLE;
        run(&asked, resources[i], "n1", "north");
        assert_err(asked.act.refusal.err, ERR_UNAVAILABLE);
        fake_system.act_err = ERR_OK;
        run(&asked, resources[i], "n1", "north");
        assert_int_equal(asked.act.state, HUB_ACT_KNOWN);
        assert_false(asked.act.is_repeated);
        assert_int_equal(fake_system.n_acted, n + 2);
    }
}

/* What a repeat did not do, the asking before it may have done: nobody knows, and the key stays the first request's. */
static void a_repeat_that_did_nothing(void **state)
{
    struct asked asked;
    fake_system.act_err = ERR_TIMEOUT;
    run(&asked, OPEN, "p1", "north");
    assert_int_equal(asked.act.state, HUB_ACT_UNKNOWN);
    static const enum err errs[] = {ERR_UNAVAILABLE, ERR_FULL};
    for (size_t i = 0; i < 2; i++) {
        fake_system.act_err = errs[i];
        run(&asked, OPEN, "p1", "north");
        assert_ok(asked.act.refusal.err);
        assert_int_equal(asked.act.state, HUB_ACT_UNKNOWN);
        assert_true(asked.act.may_repeat);
    }
    fake_ledger_break(ERR_IO); /* not asked at all */
    run(&asked, OPEN, "p1", "north");
    assert_err(asked.act.refusal.err, ERR_UNAVAILABLE);
    fake_ledger_break(ERR_OK);
    fake_system.act_err = ERR_OK;
    size_t n = fake_system.n_acted;
    run(&asked, OPEN, "p1", "south");
    assert_err(asked.act.refusal.err, ERR_EXISTS);
    assert_int_equal(fake_system.n_acted, n);
    run(&asked, OPEN, "p1", "north");
    assert_int_equal(asked.act.state, HUB_ACT_KNOWN);
}

/* The same of two askings at a time: what the first did not do, the second may have done. */
static void an_asking_beside_another(void **state)
{
    struct asked first, second;
    fake_system.is_holding = true;
    begin(&first, OPEN, "p2", "north");
    hub_act_start(city.hub, &first.act);
    for (int i = 0; i < 2000 && !fake_system.held_act; i++) {
        clock_fake_advance_ms(&city.clock, 10);
        fake_city_spin(&city);
        usleep(500);
    }
    assert_non_null(fake_system.held_act);
    fake_system.is_holding = false;
    fake_system.act_err = ERR_TIMEOUT;
    run(&second, OPEN, "p2", "north");
    assert_int_equal(second.act.state, HUB_ACT_UNKNOWN);
    fake_system.act_err = ERR_UNAVAILABLE;
    fake_system_release();
    spin_until_done(&first);
    assert_ok(first.act.refusal.err);
    assert_int_equal(first.act.state, HUB_ACT_UNKNOWN);
    fake_system.act_err = ERR_OK;
    run(&second, OPEN, "p2", "south");
    assert_err(second.act.refusal.err, ERR_EXISTS);
    run(&second, OPEN, "p2", "north");
    assert_int_equal(second.act.state, HUB_ACT_KNOWN);
}

static _Atomic size_t n_alerts;

static void on_alert(void *context, const struct hub_window *window, struct rows *rows)
{
    for (size_t i = 0; i < rows_n(rows); i++)
        n_alerts += str_equal_c(rows_at(rows, i)[0].s, "act.unknown");
}

static struct hub_keep *watch_alerts(void)
{
    static const struct str fields[] = {STR_INIT("kind"), STR_INIT("key")};
    const struct hub_subscribe_options options = {.party = STR("h/parking"),
        .resource = STR("h/hub/alert"),
        .purpose = STR("gate.use"),
        .fields = fields,
        .n_fields = 2,
        .loop = city.loop,
        .when_full = BUS_REFUSE,
        .on_rows = on_alert};
    struct hub_keep *keep;
    assert_ok(hub_keep_start(city.hub, &options, NULL, &keep));
    fake_city_spin(&city);
    return keep;
}

static void unknown_outcomes(void **state)
{
    struct asked asked;
    struct hub_keep *keep = watch_alerts();
    fake_system.act_err = ERR_TIMEOUT;
    run(&asked, OPEN, "u1", "north");
    assert_int_equal(asked.act.state, HUB_ACT_UNKNOWN);
    assert_true(asked.act.may_repeat);
    run(&asked, RING, "u1", "north");
    assert_int_equal(asked.act.state, HUB_ACT_UNKNOWN);
    assert_false(asked.act.may_repeat);
    fake_system.act_err = ERR_OK;
    size_t n = fake_system.n_acted;
    run(&asked, OPEN, "u1", "north"); /* the department keeps the key */
    assert_int_equal(asked.act.state, HUB_ACT_KNOWN);
    assert_int_equal(fake_system.n_acted, n + 1);
    for (int i = 0; i < 10; i++) {
        run(&asked, RING, "u1", "north"); /* nobody asks again */
        assert_int_equal(asked.act.state, HUB_ACT_UNKNOWN);
    }
    assert_int_equal(fake_system.n_acted, n + 1);
    for (int i = 0; i < 1000 && n_alerts == 0; i++) {
        usleep(1000);
        fake_city_spin(&city);
    }
    assert_true(n_alerts >= 1);
    hub_keep_stop(keep);
}

/* Under way when the program ended: the same key is asked again, or at most once never. */
static void under_way_at_the_end(void **state)
{
    static const char *const resources[] = {OPEN, RING};
    for (size_t i = 0; i < 2; i++) {
        struct asked asked, meanwhile;
        fake_system.is_holding = true;
        begin(&asked, resources[i], "e1", "north");
        hub_act_start(city.hub, &asked.act);
        for (int j = 0; j < 2000 && !fake_system.held_act; j++) {
            clock_fake_advance_ms(&city.clock, 10);
            fake_city_spin(&city);
            usleep(500);
        }
        assert_non_null(fake_system.held_act);
        if (i == 1) {
            run(&meanwhile, resources[i], "e1", "north");
            assert_err(meanwhile.act.refusal.err, ERR_BUSY);
        }
        /* As after a kill: what the store says of the key is all that is left. */
        char command[512];
        snprintf(command, sizeof command, "cp %s/act.sqlite %s/act.copy && cp %s/act.sqlite-wal %s/act.copy-wal", city.data, city.data,
            city.data, city.data);
        assert_int_equal(system(command), 0);
        fake_system_release();
        spin_until_done(&asked);
        assert_int_equal(asked.act.state, HUB_ACT_KNOWN);
        fake_city_unload(&city);
        snprintf(command, sizeof command, "mv %s/act.copy %s/act.sqlite && mv %s/act.copy-wal %s/act.sqlite-wal && rm -f %s/act.sqlite-shm",
            city.data, city.data, city.data, city.data, city.data);
        assert_int_equal(system(command), 0);
        load_city();
        size_t n = fake_system.n_acted;
        run(&asked, resources[i], "e1", "north");
        assert_int_equal(asked.act.state, i == 0 ? HUB_ACT_KNOWN : HUB_ACT_UNKNOWN);
        assert_int_equal(fake_system.n_acted, n + (i == 0));
        assert_true(i == 0 || strncmp(asked.act.receipt, "h.log/", 6) == 0);
    }
}

static _Atomic bool is_slow_done;

static void slow_done(struct hub_act *act)
{
    is_slow_done = true;
    usleep(200000);
}

/* The hub ends while another thread is being told: it waits for the outcome. */
static void the_end_waits(void **state)
{
    struct asked asked;
    struct loop_thread *thread;
    run(&asked, OPEN, "w1", "north"); /* the quota is reserved from here on */
    assert_ok(loop_thread_start(clock_system(), "asker", &thread));
    begin(&asked, OPEN, "w2", "north");
    asked.act.loop = loop_thread_loop(thread);
    asked.act.done = slow_done;
    size_t n = fake_ledger_count("\"type\":\"outcome\"");
    hub_act_start(city.hub, &asked.act);
    for (int i = 0; i < 2000 && !is_slow_done; i++)
        usleep(1000);
    assert_true(is_slow_done);
    fake_city_unload(&city);
    assert_int_equal(fake_ledger_count("\"type\":\"outcome\""), n + 1);
    loop_thread_stop(thread);
    load_city();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_acts_once),
        cmocka_unit_test(nothing_is_asked_before_its_receipt),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(the_departments_word_is_kept),
        cmocka_unit_test(not_done_may_be_asked_again),
        cmocka_unit_test(a_repeat_that_did_nothing),
        cmocka_unit_test(an_asking_beside_another),
        cmocka_unit_test(unknown_outcomes),
        cmocka_unit_test(under_way_at_the_end),
        cmocka_unit_test(the_end_waits),
    };
    return cmocka_run_group_tests(tests, make, finish);
}
