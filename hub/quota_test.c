/*
 * Quotas of a contract: exact over a clean stop, never exceeded over a kill, among threads; and uses counted that no quota limits.
 */
#include "hub/call_testing.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static int make_day_quota(void **state)
{
    struct diag_list diags;
    fake_city_make(&call_city);
    call_city.ledger = fake_ledger();
    fake_city_write(&call_city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\n"
        "fields: [plate, colour]\npurpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nper_day: 1000\n"
        "from: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    return fake_city_load(&call_city, &diags) != ERR_OK;
}

static void quota_of_the_day(void **state)
{
    assert_int_equal(call_count_until(11), 1000);
    call_reload();
    assert_int_equal(call_count_until(11), 0);
    clock_fake_advance_ms(&call_city.clock, 86400000);
    assert_int_equal(call_count_until(11), 1000);
    clock_fake_advance_ms(&call_city.clock, -86400000); /* a clock that jumps back gives nothing back */
    assert_int_equal(call_count_until(11), 0);
}

/* A clean stop remembers exactly. */
static void quota_after_a_stop(void **state)
{
    struct asked asked;
    for (int i = 0; i < 100; i++) {
        call_ask(&asked);
        hub_call_start(call_city.hub, &asked.call);
        for (int j = 0; j < 1000 && asked.n_done == 0; j++)
            assert_ok(loop_run_once(call_city.loop, 10));
    }
    call_reload();
    assert_int_equal(call_count_until(11), 900);
}

/* Nothing when there is no such file. */
static void copy_file(const char *from, const char *to)
{
    char bytes[4096];
    FILE *in = fopen(from, "r");
    if (!in)
        return;
    FILE *out = fopen(to, "w");
    assert_non_null(out);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* The file as it is now is what a kill would leave. */
static void kill_it(void)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char path[3][160], kept[3][160];
    struct diag_list diags;
    for (int i = 0; i < 3; i++) {
        snprintf(path[i], sizeof path[i], "%s/hub.sqlite%s", call_city.data, endings[i]);
        snprintf(kept[i], sizeof kept[i], "%s/kept%s", call_city.dir, endings[i]);
        remove(kept[i]);
        copy_file(path[i], kept[i]);
    }
    fake_city_unload(&call_city);
    for (int i = 0; i < 3; i++) {
        remove(path[i]);
        copy_file(kept[i], path[i]);
    }
    assert_ok(fake_city_load(&call_city, &diags));
}

/* After a kill the counter is too high by less than a block, never too low. */
static void quota_after_a_kill(void **state)
{
    struct asked asked;
    for (int i = 0; i < 100; i++) {
        call_ask(&asked);
        hub_call_start(call_city.hub, &asked.call);
        for (int j = 0; j < 1000 && asked.n_done == 0; j++)
            assert_ok(loop_run_once(call_city.loop, 10));
    }
    kill_it();
    int n = call_count_until(11);
    assert_true(n <= 900);
    assert_true(n >= 900 - 300);
}

/* How many uses of the day the catalog would show. */
static int64_t shown(void)
{
    int64_t day, month;
    hub_quota_used(hub_contract_lookup(call_city.hub, STR("h/c-17")), clock_wall(&call_city.clock.clock), &day, &month);
    assert_int_equal(day, month);
    return day;
}

static void use(int n)
{
    struct asked asked;
    for (int i = 0; i < n; i++) {
        call_ask(&asked);
        call_start(&asked);
        assert_int_equal(asked.call.refusal.err, ERR_OK);
    }
}

/* Uses that no quota limits are counted, too: a kill forgets those of the last ten seconds, not more. */
static void usage_after_a_kill(void **state)
{
    use(7);
    kill_it();
    assert_int_equal(shown(), 0);
    use(7);
    for (int i = 0; i < 11; i++) {
        clock_fake_advance_ms(&call_city.clock, 1000);
        fake_city_spin(&call_city);
    }
    while (call_city.hub->usage.is_writing)
        assert_ok(loop_run_once(call_city.loop, 10));
    use(2);
    assert_int_equal(shown(), 9);
    kill_it();
    assert_int_equal(shown(), 7);
    use(1);
    call_reload(); /* a clean stop forgets none */
    assert_int_equal(shown(), 8);
}

static void quota_of_the_second(void **state)
{
    fake_city_write(&call_city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\n"
        "fields: [plate, colour]\npurpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nper_second: 3\n"
        "from: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    call_reload();
    assert_int_equal(call_count_until(10), 3);
    clock_fake_advance_ms(&call_city.clock, 1000);
    assert_int_equal(call_count_until(10), 3);
    struct asked asked;
    call_ask(&asked);
    call_start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_BUSY);
}

/* ---- several threads at once ---- */

#define N_THREADS 3
#define N_EACH 300 /* all of them fit among those that wait for the first reservation */

struct caller {
    struct loop_thread *thread;
    struct asked *asked; /* [N_EACH] */
    _Atomic int n_done, n_permitted;
};
static struct caller callers[N_THREADS];

static void counted(struct hub_call *call)
{
    struct caller *caller = call->context;
    atomic_fetch_add(&caller->n_permitted, call->refusal.err == ERR_OK);
    assert_true(call->refusal.err == ERR_OK || call->refusal.rule == 12);
    atomic_fetch_add(&caller->n_done, 1);
}

static void call_many(void *context)
{
    struct caller *caller = context;
    for (int i = 0; i < N_EACH; i++) {
        struct asked *asked = &caller->asked[i];
        call_ask(asked);
        asked->call.loop = loop_thread_loop(caller->thread);
        asked->call.done = counted;
        asked->call.context = caller;
        hub_call_start(call_city.hub, &asked->call);
    }
}

/* Calls from three threads share one quota: exactly as many are permitted as it says. */
static void quota_among_threads(void **state)
{
    int n_done = 0, n_permitted = 0;
    fake_city_write(&call_city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\n"
        "fields: [plate, colour]\npurpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nper_month: 500\n"
        "from: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    call_reload();
    for (int i = 0; i < N_THREADS; i++) {
        callers[i].n_done = callers[i].n_permitted = 0;
        callers[i].asked = calloc(N_EACH, sizeof(struct asked));
        assert_ok(loop_thread_start(clock_system(), "caller", &callers[i].thread));
    }
    for (int i = 0; i < N_THREADS; i++)
        loop_thread_call(callers[i].thread, call_many, &callers[i]);
    for (int i = 0; i < 3000 && n_done < N_THREADS * N_EACH; i++) { /* the hub's loop: reservations */
        assert_ok(loop_run_once(call_city.loop, 10));
        clock_fake_advance_ms(&call_city.clock, 10);
        n_done = n_permitted = 0;
        for (int j = 0; j < N_THREADS; j++) {
            n_done += callers[j].n_done;
            n_permitted += callers[j].n_permitted;
        }
    }
    assert_int_equal(n_done, N_THREADS * N_EACH);
    assert_int_equal(n_permitted, 500);
    for (int i = 0; i < N_THREADS; i++) {
        loop_thread_stop(callers[i].thread);
        free(callers[i].asked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(quota_of_the_day, make_day_quota, call_finish),
        cmocka_unit_test_setup_teardown(quota_after_a_stop, make_day_quota, call_finish),
        cmocka_unit_test_setup_teardown(quota_after_a_kill, make_day_quota, call_finish),
        cmocka_unit_test_setup_teardown(usage_after_a_kill, call_make, call_finish),
        cmocka_unit_test_setup_teardown(quota_of_the_second, call_make, call_finish),
        cmocka_unit_test_setup_teardown(quota_among_threads, call_make, call_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
