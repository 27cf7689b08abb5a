/*
 * A PostgreSQL that is away, breaks, is slow, locks, changes or has too much to do: what is told, and that the other calls go on.
 */
#include "system/postgres/postgres_testing.h"

#include "base/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Down when the city is loaded is no error of its file; when it is there, it is asked. */
static void away_and_back(void **state)
{
    fake_server_away_and_back(&postgres_server);
    postgres_sql("ALTER TABLE vehicle ALTER seats TYPE text"); /* changed while it was away: found when it is back */
    fake_proxy_set(postgres_proxy, FAKE_PROXY_CLOSED);
    fake_proxy_set(postgres_proxy, FAKE_PROXY_PASS);
    for (int i = 0; i < 100; i++) {
        assert_err(postgres_ask("A00003")->err, ERR_UNAVAILABLE);
        if (strcmp(postgres_the_system()->department.detail, "field_type|seats|h/police/vehicle|integer|text") == 0)
            return;
        usleep(50000);
    }
    fail_msg("the health says: %s", postgres_the_system()->department.detail);
}

static void sessions_that_are_ended(void **state)
{
    fake_server_sessions_end(&postgres_server, 2000, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'hub'");
}

/* A server that has nothing more to say: the time-out of our side, then it is tried anew. */
static void silence(void **state)
{
    fake_server_behind_a_proxy(&postgres_server);
    fake_department_load(&postgres_city);
    fake_server_until_it_answers(&postgres_server);
    fake_proxy_set(postgres_proxy, FAKE_PROXY_SILENT);
    struct mono_time before = clock_mono(clock_system());
    enum err err = postgres_ask("A00003")->err;
    int64_t ms = mono_ms_between(before, clock_mono(clock_system()));
    print_message("silence ended with \"%s\" after %lld ms\n", err_text(err), (long long)ms);
    assert_err(err, ERR_TIMEOUT);
    assert_true(ms >= 900 && ms < 10000);
    fake_proxy_set(postgres_proxy, FAKE_PROXY_PASS);
    fake_server_until_it_answers(&postgres_server);
}

/* A byte now and then: the time-out counts from the beginning, not from the last byte. */
static void slow_bytes(void **state)
{
    fake_server_behind_a_proxy(&postgres_server);
    fake_department_load(&postgres_city);
    fake_server_until_it_answers(&postgres_server);
    fake_proxy_set(postgres_proxy, FAKE_PROXY_SLOW);
    struct mono_time before = clock_mono(clock_system());
    assert_err(postgres_ask("A00003")->err, ERR_TIMEOUT);
    assert_true(mono_ms_between(before, clock_mono(clock_system())) < 10000);
    fake_proxy_set(postgres_proxy, FAKE_PROXY_PASS);
    fake_server_until_it_answers(&postgres_server);
}

#define SLOW                                                                                                                               \
    "CREATE FUNCTION slowly(t text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT CASE WHEN pg_sleep(CASE t WHEN 'A00001' THEN 60 ELSE " \
    "0 END) IS NULL THEN t ELSE t END $$; CREATE VIEW slow AS SELECT plate, slowly(plate) AS colour, seats FROM vehicle; GRANT SELECT ON " \
    "slow TO hub"

/* Statements that take longer than their time, and meanwhile calls that do not wait for them. */
static void slow_statements(void **state)
{
    struct fake_asking *askings[2];
    fake_server_slow_view(&postgres_server, SLOW, "500ms");
    for (size_t i = 0; i < 2; i++)
        askings[i] = fake_server_ask_slowly(&postgres_server);
    size_t n_meanwhile = 0;
    while (!fake_ask_is_done(askings[0])) {
        assert_ok(postgres_ask("A00003")->err);
        n_meanwhile++;
    }
    print_message("%zu calls answered while a statement ran into its time-out\n", n_meanwhile);
    assert_true(n_meanwhile >= 5);
    for (size_t i = 0; i < 2; i++)
        assert_err(fake_ask_end(&postgres_city, askings[i]), ERR_TIMEOUT);
    for (int i = 0;
         i < 200 && strcmp(postgres_sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'hub' AND state = 'active'"), "0") != 0; i++)
        usleep(20000);
    assert_string_equal(postgres_sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'hub' AND state = 'active'"),
        "0"); /* nothing is left running there */
}

#define ACTIVE "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hub' AND state = 'active' AND query LIKE '%slow%'"

static void askers_who_go(void **state)
{
    fake_server_slow_view(&postgres_server, SLOW, "60s");
    fake_server_askers_who_go(&postgres_server, 3, ACTIVE);
    assert_string_equal(postgres_the_system()->department.detail, ""); /* the department was in no way at fault */
}

static void locked_table(void **state)
{
    fake_department_load(&postgres_city);
    fake_server_until_it_answers(&postgres_server);
    postgres_sql("BEGIN; LOCK TABLE vehicle");
    assert_err(postgres_ask("A00003")->err, ERR_TIMEOUT);
    postgres_sql("ROLLBACK");
    fake_server_until_it_answers(&postgres_server);
}

/* One statement fails among many that are under way together: the others are answered. */
static void one_fails_among_many(void **state)
{
    enum { N = 300 };
    static struct fake_asking *askings[N];
    static const struct value big = {VALUE_INTEGER, .i = 5};
    fake_department_load(&postgres_city);
    fake_server_until_it_answers(&postgres_server);
    postgres_sql("UPDATE vehicle SET mass = 9223372036854775807 WHERE seats < 2");
    const struct value plate = value_text(STR("A00003"));
    for (size_t i = 0; i < N; i++)
        askings[i] = fake_ask_start(
            &postgres_city, i % 10 == 3 ? &(struct fake_question){.outputs = {"sum(mass)"}, .where = {{"seats", SQL_LT, &big, 1}}}
                                        : &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &plate, 1}}});
    for (size_t i = 0; i < N; i++)
        assert_err(fake_ask_end(&postgres_city, askings[i]), i % 10 == 3 ? ERR_RANGE : ERR_OK);
}

/* The department changes its table under us, and back. */
static void changed_table(void **state)
{
    fake_department_load(&postgres_city);
    fake_server_until_it_answers(&postgres_server);
    postgres_sql("ALTER TABLE vehicle RENAME colour TO paint");
    for (int i = 0; i < 100 && !strstr(postgres_the_system()->department.detail, "|colour|"); i++) {
        assert_err(postgres_ask("A00003")->err, ERR_UNAVAILABLE);
        usleep(50000);
    }
    assert_string_equal(postgres_the_system()->department.detail, "field_refused|colour|h/police/vehicle");
    postgres_sql("ALTER TABLE vehicle RENAME paint TO colour");
    fake_server_until_it_answers(&postgres_server);
    postgres_sql("ALTER TABLE vehicle ALTER seats TYPE bigint"); /* fits as well: goes on after the statement was prepared anew */
    fake_server_until_it_answers(&postgres_server);
    postgres_sql("REVOKE SELECT ON vehicle FROM hub");
    assert_err(postgres_ask("A00003")->err, ERR_UNAVAILABLE);
    postgres_sql("GRANT SELECT ON vehicle TO hub");
    fake_server_until_it_answers(&postgres_server);
}

static void full_queue(void **state)
{
    fake_server_full_queue(&postgres_server, POSTGRES_QUEUE_MAX, "BEGIN; LOCK TABLE vehicle", "ROLLBACK");
}

/* … and while a connection is made. */
static void closes_in_the_midst(void **state)
{
    fake_server_closes_in_the_midst(&postgres_server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(away_and_back, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(sessions_that_are_ended, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(silence, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(slow_bytes, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(slow_statements, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(askers_who_go, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(locked_table, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(one_fails_among_many, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(changed_table, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(full_queue, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(closes_in_the_midst, postgres_make, postgres_unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
