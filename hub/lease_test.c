/*
 * Several processes of one hub: what a replica leases of a quota and gives back, what it used, rates that are shared, and figures that only
 * the desk tells.
 */
#include "hub/lease.h"

#include "base/test.h"
#include "hub/feed_testing.h"
#include "hub/parts.h"
#include "hub/query.h"

#include <stdio.h>

#define QUOTA 100
static size_t n_wants;
static bool is_desk_gone;

struct borrowing {
    struct hub_lease_ask ask;
    struct hub_lease lease;
    bool is_done;
};

static void on_lent(struct hub_lease_ask *ask)
{
    container_of(ask, struct borrowing, ask)->is_done = true;
}

/* The desk as system/bus reaches it, with an answer that comes when the desk's disk has it. */
static void on_want(void *context, const struct hub_lease *lease)
{
    struct borrowing one = {.lease = *lease};
    one.ask =
        (struct hub_lease_ask){.contract = lease->contract, .quota = lease->quota, .period = lease->period, .n = lease->n, .done = on_lent};
    n_wants++;
    if (is_desk_gone) {
        hub_lease_told(police.hub, lease, ERR_TIMEOUT, 0);
        return;
    }
    hub_lease_start(desk.hub, &one.ask);
    for (int i = 0; i < 1000 && !one.is_done; i++)
        assert_ok(loop_run_once(desk.loop, 10));
    assert_true(one.is_done);
    hub_lease_told(police.hub, lease, ERR_OK, one.ask.granted);
}

/* A use at one of the two; 0, or the rule. */
static int use(struct fake_city *city)
{
    static const struct str fields[] = {STR_INIT("plate")};
    const struct decide_request request = {.party = STR("h/count"),
        .resource = STR("h/police/vehicle"),
        .use = STR("call"),
        .purpose = STR("a.b"),
        .fields = fields,
        .n_fields = 1};
    struct hub_contract *contract = hub_contract_lookup(city->hub, STR("h/c-40"));
    int rule = -1;
    for (int i = 0; i < 1000; i++) {
        enum err err = hub_contract_decide(contract, &request, clock_wall(&city->clock.clock), true, &rule);
        if (!err)
            return rule;
        assert_err(err, ERR_STATE);
        assert_ok(loop_run_once(city->loop, 10));
    }
    fail_msg("no reservation came");
    return -1;
}

static size_t use_up(struct fake_city *city, size_t n)
{
    size_t n_permitted = 0;
    for (size_t i = 0; i < n; i++) {
        int rule = use(city);
        assert_true(rule == 0 || rule == DECIDE_PER_DAY);
        n_permitted += rule == 0;
    }
    return n_permitted;
}

/* Another one of c-30's terms, and `more`, as both have it. */
static void write_c_40(const char *more)
{
    char text[600];
    int len = snprintf(text, sizeof text, "contract: h/c-40");
    len += snprintf(text + len, sizeof text - (size_t)len, SHORT + sizeof("contract: h/c-30") - 1, "agreed");
    snprintf(text + len, sizeof text - (size_t)len, "%s", more);
    fake_city_write(&desk, "contracts/c-40.yaml", text);
    fake_city_write(&police, "contracts/c-40.yaml", text);
}

static void start_replica(void)
{
    police.follows = "";
    place = (struct hub_feed_place){0};
    assert_ok(fake_city_load(&police, &diags));
    hub_lease_lender(police.hub, on_want, NULL);
    feed_follow_as(STR("h/hub"));
}

static void a_quota_over_two_processes(void **state)
{
    fake_city_unload(&desk);
    fake_city_unload(&police);
    write_c_40("per_day: 100\n");
    assert_ok(fake_city_load(&desk, &diags));
    start_replica();
    n_wants = 0;
    is_desk_gone = false;
    size_t n = use_up(&police, 20) + use_up(&desk, 20) + use_up(&police, 20);
    assert_int_equal(n, 60);
    assert_true(n_wants > 0 && n_wants < 20); /* in blocks */
    fake_city_unload(&police);                /* killed, or stopped: what it had leased is lost */
    start_replica();
    n += use_up(&police, 1);
    is_desk_gone = true; /* it uses what it has, and then refuses */
    n += use_up(&police, QUOTA);
    assert_int_equal(use(&police), DECIDE_PER_DAY);
    is_desk_gone = false;
    feed_advance(1001);
    feed_follow_as(STR("h/hub"));
    for (int i = 0; i < 60; i++) {
        n += use_up(&desk, 2) + use_up(&police, 2);
        feed_advance(100);
        feed_follow_as(STR("h/hub"));
    }
    assert_true(n <= QUOTA && n >= QUOTA - 30);
    assert_int_equal(use(&desk), DECIDE_PER_DAY);
    assert_int_equal(use(&police), DECIDE_PER_DAY);
    fake_city_unload(&desk); /* and over a restart of the desk */
    assert_ok(fake_city_load(&desk, &diags));
    feed_follow_as(STR("h/hub"));
    assert_int_equal(use(&desk), DECIDE_PER_DAY);
    feed_advance(86400000);
    feed_follow_as(STR("h/hub"));
    assert_int_equal(use_up(&police, 5) + use_up(&desk, 5), 10); /* another day */
}

/* What the replica says, as it reaches the desk. */
static bool tell_counts(bool is_last)
{
    struct buf out;
    buf_init(&out, 1u << 16);
    bool has_some = hub_lease_count_write(police.hub, is_last, &out);
    assert_ok(out.err);
    for (size_t len = 0; has_some && len < out.len; len++)
        assert_err(hub_lease_counted(desk.hub, str_slice(buf_str(&out), 0, len)), ERR_SYNTAX);
    assert_ok(hub_lease_counted(desk.hub, buf_str(&out)));
    buf_finish(&out);
    return has_some;
}

static int64_t used_today(struct fake_city *city, const char *name)
{
    int64_t day, month;
    hub_quota_used(hub_contract_lookup(city->hub, str_from_c(name)), clock_wall(&city->clock.clock), &day, &month);
    return day;
}

/* A replica that is stopped gives back what it leased and did not use: not one use of the quota is lost, and none is had twice. */
static void what_was_leased_comes_back(void **state)
{
    fake_city_unload(&desk);
    fake_city_unload(&police);
    write_c_40("per_day: 100\n");
    assert_ok(fake_city_load(&desk, &diags));
    is_desk_gone = false;
    size_t n = 0;
    for (int i = 0; i < 3; i++) { /* started and stopped, again and again */
        start_replica();
        n += use_up(&police, 15) + use_up(&desk, 5);
        assert_int_equal(n, 20 * (i + 1));
        assert_true(tell_counts(false)); /* of the month, which has no limit; a lease counts already */
        assert_true(used_today(&desk, "h/c-40") > (int64_t)n);
        hub_lease_lender(police.hub, NULL, NULL);
        assert_true(tell_counts(true));
        assert_int_equal(used_today(&desk, "h/c-40"), n);
        assert_false(tell_counts(true)); /* never twice */
        fake_city_unload(&police);
    }
    fake_city_unload(&desk);
    assert_ok(fake_city_load(&desk, &diags));
    n += use_up(&desk, 100);
    assert_true(n == QUOTA);
    start_replica(); /* one that was stopped on the day after: that day's are nobody's any more */
    feed_advance(86400000);
    feed_follow_as(STR("h/hub"));
    assert_int_equal(use_up(&police, 1), 1);
    clock_fake_advance_ms(&desk.clock, 86400000);
    hub_lease_lender(police.hub, NULL, NULL);
    assert_true(tell_counts(true));
    assert_int_equal(used_today(&desk, "h/c-40"), 0);
}

/* Where there is no limit nothing is leased; the desk shows what was used at all of them. */
static void uses_of_a_replica_are_counted(void **state)
{
    fake_city_unload(&desk);
    fake_city_unload(&police);
    write_c_40("");
    assert_ok(fake_city_load(&desk, &diags));
    start_replica();
    assert_int_equal(use_up(&police, 7) + use_up(&desk, 2), 9);
    assert_true(tell_counts(false));
    assert_int_equal(used_today(&desk, "h/c-40"), 9);
    assert_false(tell_counts(false));
    assert_int_equal(use_up(&police, 3), 3);
    struct buf lost;
    buf_init(&lost, 1u << 16);
    assert_true(hub_lease_count_write(police.hub, false, &lost)); /* never sent: told with the next */
    buf_finish(&lost);
    hub_lease_count_again(police.hub);
    assert_int_equal(use_up(&police, 1), 1);
    assert_true(tell_counts(false));
    assert_int_equal(used_today(&desk, "h/c-40"), 13);
    feed_advance(86400000);
    feed_follow_as(STR("h/hub"));
    assert_int_equal(use_up(&police, 2), 2);
    assert_true(tell_counts(true));
    assert_int_equal(used_today(&desk, "h/c-40"), 2);
}

/* A rate is shared by those that follow, until they have been silent for so long that they deny everything. */
static void a_rate_is_shared(void **state)
{
    bool is_new;
    fake_city_unload(&desk);
    write_c_40("per_second: 10\n");
    assert_ok(fake_city_load(&desk, &diags));
    static const size_t permitted[] = {10, 5, 3, 3, 10};
    for (uint64_t i = 0; i < 5; i++) {
        size_t n = 0;
        if (i == 4) {
            feed_advance(HUB_FEED_FRESH_MS + 1);
            assert_true(hub_feed_forget(desk.hub));
            assert_false(hub_feed_forget(desk.hub));
        } else if (i > 0) {
            assert_ok(hub_feed_met(desk.hub, i < 3 ? i : 2, &is_new));
            assert_int_equal(is_new, i < 3);
        }
        for (int k = 0; k < 20; k++)
            n += use(&desk) == 0;
        assert_int_equal(n, permitted[i]);
        feed_advance(1000);
    }
    for (uint64_t i = 1; i <= HUB_REPLICAS_MAX; i++)
        assert_ok(hub_feed_met(desk.hub, i, &is_new));
    assert_err(hub_feed_met(desk.hub, 1000, &is_new), ERR_FULL);
    assert_int_equal(use(&desk), 0); /* one at least */
    assert_int_equal(use(&desk), DECIDE_PER_SECOND);
}

static void on_queried(struct hub_query *query)
{
    *(bool *)query->context = true;
}

static enum err query_figures(struct fake_city *city)
{
    bool is_done = false;
    struct hub_query query = {.party = STR("h/count"),
        .purpose = STR("a.b"),
        .sql = STR("SELECT count(*) FROM \"h/police/vehicle\""),
        .loop = city->loop,
        .done = on_queried,
        .context = &is_done};
    hub_query_start(city->hub, &query);
    while (!is_done)
        assert_ok(loop_run_once(city->loop, 10));
    return query.refusal.err;
}

/* The day's cells, and whose they are, stand at the desk: each process with its own would tell a consumer of two moments, or of two
 * contracts (hub/query_day.c). */
static void figures_are_the_desks(void **state)
{
    char text[600];
    fake_city_unload(&desk);
    fake_city_unload(&police);
    snprintf(text, sizeof text,
        "contract: h/c-41\nprovider: h/police\nconsumer: h/count\nresource: h/police/vehicle\nuses: [query]\nfields: [colour]\npurpose: "
        "a.b\n"
        "legal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nmin_subjects: 10\nstate: agreed\n");
    fake_city_write(&desk, "contracts/c-41.yaml", text);
    fake_city_write(&police, "contracts/c-41.yaml", text);
    assert_ok(fake_city_load(&desk, &diags));
    start_replica();
    fake_system.n_all = 100;
    assert_ok(query_figures(&desk));
    assert_err(query_figures(&police), ERR_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_quota_over_two_processes, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(what_was_leased_comes_back, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(uses_of_a_replica_are_counted, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(a_rate_is_shared, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(figures_are_the_desks, feed_start, feed_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
