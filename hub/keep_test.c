/*
 * Kept subscriptions: what ended begins again when the contract permits, without its owner's doing, and says so meanwhile.
 */
#include "base/mem.h"
#include "base/test.h"
#include "hub/fake.h"
#include "hub/keep.h"
#include "hub/negotiate.h"

#include <stdio.h>
#include <string.h>

static struct fake_city city;

struct taker {
    size_t n_rows;
    char last[32];
};

static void take(void *context, const struct hub_window *window, struct rows *rows)
{
    struct taker *taker = context;
    taker->n_rows += rows_n(rows);
    const struct value *value = rows_at(rows, rows_n(rows) - 1);
    snprintf(taker->last, sizeof taker->last, STR_FORMAT, STR_ARG(value->s));
}

/* The cockpit sees the health of sources: c-9. */
static int make(void **state)
{
    struct diag_list diags;
    fake_city_make(&city);
    fake_city_write(&city, "contracts/c-9.yaml",
        "contract: h/c-9\nprovider: h/hub\nconsumer: h/cockpit\nresource: h/hub/source\nuses: [subscribe]\n"
        "fields: [health, source]\npurpose: cockpit.show\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\n"
        "until: 2028-01-01\nkeep: 24h\nstate: agreed\n");
    city.ledger = fake_ledger();
    return fake_city_load(&city, &diags) != ERR_OK;
}

static int finish(void **state)
{
    fake_city_unload(&city);
    fake_city_remove(&city);
    fake_ledger_reset();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

static const struct str camera[] = {STR_INIT("camera")};

static struct hub_subscribe_options options_for(struct taker *taker)
{
    return (struct hub_subscribe_options){
        .party = STR("h/count"),
        .resource = STR("h/police/passage"),
        .purpose = STR("traffic.count"),
        .fields = camera,
        .n_fields = 1,
        .loop = city.loop,
        .when_full = BUS_REFUSE,
        .on_rows = take,
        .context = taker,
    };
}

static struct hub_keep *watch_sources(struct taker *taker)
{
    static const struct str health[] = {STR_INIT("health")};
    struct hub_subscribe_options options = options_for(taker);
    struct hub_keep *keep;
    options.party = STR("h/cockpit");
    options.resource = STR("h/hub/source");
    options.purpose = STR("cockpit.show");
    options.fields = health;
    assert_ok(hub_keep_start(city.hub, &options, NULL, &keep));
    return keep;
}

static void publish(const char *name)
{
    const struct value values[] = {value_text(str_from_c(name)), value_text(STR("浙A12345")), value_time(1)};
    struct rows *rows;
    assert_ok(rows_create(3, 1 << 20, &rows));
    assert_ok(rows_add(rows, values));
    assert_ok(hub_publish(city.hub, hub_resource_find(city.hub, STR("h/police/passage")), rows));
    rows_release(rows);
    fake_city_spin(&city);
}

static void step(enum negotiate_event event)
{
    assert_ok(fake_city_step(&city, "h/c-1", event));
    fake_city_spin(&city);
}

/* Time passes in steps, as timers that start timers want it: of a second, or of the longest pause between two tries. */
static void pass(int n_seconds)
{
    for (int step; n_seconds > 0; n_seconds -= step) {
        step = n_seconds > HUB_KEEP_RETRY_MS / 1000 ? HUB_KEEP_RETRY_MS / 1000 : 1;
        clock_fake_advance_ms(&city.clock, 1000 * step);
        fake_city_spin(&city);
    }
}

static void suspended_and_agreed_again(void **state)
{
    struct taker taker = {0}, sources = {0};
    struct hub_subscribe_options options = options_for(&taker);
    struct hub_keep *keep, *watch = watch_sources(&sources);
    assert_ok(hub_keep_start(city.hub, &options, NULL, &keep));
    publish("c1");
    assert_int_equal(taker.n_rows, 1);
    assert_int_equal(sources.n_rows, 0); /* nothing to tell while all is well */
    step(NEGOTIATE_SUSPEND);
    publish("c2");
    assert_int_equal(taker.n_rows, 1);
    assert_string_equal(sources.last, "stale");
    pass(60);
    publish("c3");
    assert_int_equal(taker.n_rows, 1); /* still suspended */
    step(NEGOTIATE_RESUME);
    pass(HUB_KEEP_RETRY_MS / 1000);
    assert_string_equal(sources.last, "fresh");
    publish("c4");
    assert_int_equal(taker.n_rows, 2);
    assert_string_equal(taker.last, "c4");
    hub_keep_stop(keep);
    hub_keep_stop(watch);
}

/* Also who comes while the contract is suspended gets its rows later: a restart of the program needs nobody's hand. */
static void begun_while_suspended(void **state)
{
    struct taker taker = {0}, sources = {0};
    struct hub_subscribe_options options = options_for(&taker);
    struct hub_keep *keep, *watch = watch_sources(&sources);
    step(NEGOTIATE_SUSPEND);
    assert_ok(hub_keep_start(city.hub, &options, NULL, &keep));
    fake_city_spin(&city);
    assert_string_equal(sources.last, "stale");
    publish("c1");
    step(NEGOTIATE_RESUME);
    pass(1);
    publish("c2");
    assert_int_equal(taker.n_rows, 1);
    assert_string_equal(taker.last, "c2");
    hub_keep_stop(keep);
    hub_keep_stop(watch);
}

static void what_no_time_mends_is_refused(void **state)
{
    static const struct str plate[] = {STR_INIT("plate")};
    struct taker taker = {0};
    struct hub_subscribe_options options = options_for(&taker);
    struct hub_refusal why = {0};
    struct hub_keep *keep = NULL;
    options.fields = plate;
    assert_err(hub_keep_start(city.hub, &options, &why, &keep), ERR_DENIED);
    assert_int_equal(why.rule, 9);
    options.resource = STR("h/police/nothing");
    assert_err(hub_keep_start(city.hub, &options, &why, &keep), ERR_DENIED);
    assert_null(keep);
}

/* The evidence cannot be kept: the stream ends and, when the ledger takes leaves again, goes on. */
static void ledger_gone_for_a_while(void **state)
{
    struct taker taker = {0};
    struct hub_subscribe_options options = options_for(&taker);
    struct hub_keep *keep;
    fake_ledger_break(ERR_IO);
    assert_ok(hub_keep_start(city.hub, &options, NULL, &keep));
    fake_city_spin(&city);
    publish("c1");
    pass(5);
    fake_ledger_break(ERR_OK);
    pass(HUB_KEEP_RETRY_MS / 1000);
    publish("c2");
    assert_int_equal(taker.n_rows, 1);
    hub_keep_stop(keep);
}

/* The day's windows are used up: the provider goes on, and with the next day so do the rows. */
static void the_next_day(void **state)
{
    struct taker taker = {0};
    struct diag_list diags;
    struct hub_keep *keep;
    fake_city_unload(&city);
    fake_city_write(&city, "contracts/c-1.yaml",
        "contract: h/c-1\nprovider: h/police\nconsumer: h/count\nresource: h/police/passage\nuses: [subscribe]\n"
        "fields: [camera, time]\npurpose: traffic.count\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\n"
        "until: 2028-01-01\nkeep: 24h\nstate: agreed\nper_day: 2\n");
    assert_ok(fake_city_load(&city, &diags));
    struct hub_subscribe_options options = options_for(&taker);
    options.limit = 4;
    assert_ok(hub_keep_start(city.hub, &options, NULL, &keep));
    for (size_t i = 1; i <= 2; i++) { /* one row a window, however long the disk takes to reserve it */
        publish("c1");
        for (int j = 0; j < 1000 && taker.n_rows < i; j++) {
            clock_fake_advance_ms(&city.clock, 10);
            fake_city_spin(&city);
        }
        assert_int_equal(taker.n_rows, i);
        pass(10);
        fake_city_spin(&city);
    }
    for (int i = 0; i < 10; i++) { /* more than its queue holds */
        publish("c1");
        pass(2);
    }
    assert_int_equal(taker.n_rows, 2);
    clock_fake_advance_ms(&city.clock, 86400000);
    pass(HUB_KEEP_RETRY_MS / 1000);
    publish("c2");
    for (int j = 0; j < 1000 && taker.n_rows < 3; j++) {
        clock_fake_advance_ms(&city.clock, 10);
        fake_city_spin(&city);
    }
    assert_int_equal(taker.n_rows, 3);
    assert_string_equal(taker.last, "c2");
    hub_keep_stop(keep);
}

/* A beginning again asks for what was kept since the ending, never for what was had before. */
static void replays_only_since_the_ending(void **state)
{
    struct taker taker = {0};
    struct hub_subscribe_options options = options_for(&taker);
    struct hub_keep *keep;
    int64_t start_ms = clock_wall(&city.clock.clock).ms;
    options.from_ms = start_ms - 600000;
    fake_system.n_replay = 1;
    assert_ok(hub_keep_start(city.hub, &options, NULL, &keep));
    for (int i = 0; i < 1000 && taker.n_rows < 1; i++)
        assert_ok(loop_run_once(city.loop, 10));
    assert_int_equal(fake_system.replay_from_ms, start_ms - 600000);
    pass(100);
    step(NEGOTIATE_SUSPEND);
    publish("c1");
    assert_int_equal(taker.n_rows, 1);
    int64_t ended_ms = clock_wall(&city.clock.clock).ms;
    pass(30);
    step(NEGOTIATE_RESUME);
    pass(HUB_KEEP_RETRY_MS / 1000);
    for (int i = 0; i < 1000 && taker.n_rows < 2; i++)
        assert_ok(loop_run_once(city.loop, 10));
    assert_int_equal(fake_system.replay_from_ms, ended_ms);
    step(NEGOTIATE_SUSPEND);
    publish("c2");
    pass(1200);
    step(NEGOTIATE_RESUME);
    pass(HUB_KEEP_RETRY_MS / 1000);
    for (int i = 0; i < 1000 && taker.n_rows < 3; i++)
        assert_ok(loop_run_once(city.loop, 10));
    assert_in_range(clock_wall(&city.clock.clock).ms - fake_system.replay_from_ms, 600000, 600000 + 2 * HUB_KEEP_RETRY_MS);
    hub_keep_stop(keep);
}

static void each_allocation_fails_once(void **state)
{
    bool is_served = false;
    for (uint64_t n = 1; !is_served && n < 200; n++) {
        struct taker taker = {0};
        struct hub_subscribe_options options = options_for(&taker);
        struct hub_keep *keep = NULL;
        mem_fail_nth(n);
        enum err err = hub_keep_start(city.hub, &options, NULL, &keep);
        mem_fail_nth(0);
        if (err) {
            assert_null(keep);
            continue;
        }
        fake_city_spin(&city);
        pass(2);
        publish("c1");
        is_served = taker.n_rows == 1 && n > 8;
        hub_keep_stop(keep);
        fake_city_spin(&city);
    }
    assert_true(is_served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(suspended_and_agreed_again, make, finish),
        cmocka_unit_test_setup_teardown(begun_while_suspended, make, finish),
        cmocka_unit_test_setup_teardown(what_no_time_mends_is_refused, make, finish),
        cmocka_unit_test_setup_teardown(ledger_gone_for_a_while, make, finish),
        cmocka_unit_test_setup_teardown(the_next_day, make, finish),
        cmocka_unit_test_setup_teardown(replays_only_since_the_ending, make, finish),
        cmocka_unit_test_setup_teardown(each_allocation_fails_once, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
