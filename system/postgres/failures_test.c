/*
 * A PostgreSQL that is away, breaks, is slow, locks, changes or has too much to do: what is told, and that the other calls go on.
 */
#include "system/postgres/postgres_testing.h"

#include "base/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void behind_a_proxy(void)
{
    postgres_proxy = fake_proxy_start(postgres_port());
    postgres_system_file(fake_proxy_port(postgres_proxy), "hub", "500ms", "", POSTGRES_VEHICLE);
}

static void until_it_answers(void)
{
    enum err err = ERR_UNAVAILABLE;
    for (int i = 0; i < 150 && err; i++) {
        err = postgres_ask("A00003")->err;
        if (err)
            usleep(50000);
    }
    assert_ok(err);
}

/* A question that is under way when the department goes may also wait out its time. */
static void until_it_is_gone(void)
{
    enum err err = ERR_OK;
    for (int i = 0; i < 150 && err != ERR_UNAVAILABLE; i++)
        err = postgres_ask("A00003")->err;
    assert_err(err, ERR_UNAVAILABLE);
}

/* Down when the city is loaded is no error of its file; when it is there, it is asked. */
static void away_and_back(void **state)
{
    behind_a_proxy();
    fake_proxy_set(postgres_proxy, FAKE_PROXY_CLOSED);
    fake_department_load(&postgres_city);
    until_it_is_gone();
    fake_proxy_set(postgres_proxy, FAKE_PROXY_PASS);
    until_it_answers();
    fake_proxy_set(postgres_proxy, FAKE_PROXY_CLOSED);
    until_it_is_gone();
    for (int i = 0; i < 20; i++)
        assert_err(postgres_ask("A00003")->err, ERR_UNAVAILABLE);
    fake_proxy_set(postgres_proxy, FAKE_PROXY_PASS);
    until_it_answers();
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

/* Sessions ended under hundreds of calls: every call is answered, with its row. */
static void sessions_that_are_ended(void **state)
{
    enum { N = 2000 };
    static struct fake_asking *askings[N];
    postgres_system_file(postgres_port(), "hub", "5s", "", POSTGRES_VEHICLE); /* time enough to come back on a busy machine */
    fake_department_load(&postgres_city);
    until_it_answers();
    static char plates[N][8];
    static struct value values[N];
    size_t n_ok = 0, n_killed = 0;
    for (size_t i = 0; i < N; i++) {
        snprintf(plates[i], sizeof plates[i], "A%05zu", i);
        values[i] = value_text(str_from_c(plates[i]));
        askings[i] =
            fake_ask_start(&postgres_city, &(struct fake_question){.outputs = {"plate"}, .where = {{"plate", SQL_EQ, &values[i], 1}}});
        if (i % 500 == 250)
            n_killed += postgres_sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'hub'")[0] != '0';
    }
    for (size_t i = 0; i < N; i++)
        n_ok += fake_ask_end(&postgres_city, askings[i]) == ERR_OK;
    print_message("%zu of %d calls answered over %zu rounds of ended sessions\n", n_ok, N, n_killed);
    assert_int_equal(n_ok, N);
    assert_true(n_killed > 0);
}

/* A server that has nothing more to say: the time-out of our side, then it is tried anew. */
static void silence(void **state)
{
    behind_a_proxy();
    fake_department_load(&postgres_city);
    until_it_answers();
    fake_proxy_set(postgres_proxy, FAKE_PROXY_SILENT);
    struct mono_time before = clock_mono(clock_system());
    enum err err = postgres_ask("A00003")->err;
    int64_t ms = mono_ms_between(before, clock_mono(clock_system()));
    print_message("silence ended with \"%s\" after %lld ms\n", err_text(err), (long long)ms);
    assert_err(err, ERR_TIMEOUT);
    assert_true(ms >= 900 && ms < 10000);
    fake_proxy_set(postgres_proxy, FAKE_PROXY_PASS);
    until_it_answers();
}

/* A byte now and then: the time-out counts from the beginning, not from the last byte. */
static void slow_bytes(void **state)
{
    behind_a_proxy();
    fake_department_load(&postgres_city);
    until_it_answers();
    fake_proxy_set(postgres_proxy, FAKE_PROXY_SLOW);
    struct mono_time before = clock_mono(clock_system());
    assert_err(postgres_ask("A00003")->err, ERR_TIMEOUT);
    assert_true(mono_ms_between(before, clock_mono(clock_system())) < 10000);
    fake_proxy_set(postgres_proxy, FAKE_PROXY_PASS);
    until_it_answers();
}

/* Statements that take longer than their time, and meanwhile calls that do not wait for them. */
static void slow_statements(void **state)
{
    postgres_sql(
        "CREATE FUNCTION slowly(t text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT CASE WHEN pg_sleep(CASE t WHEN 'A00001' THEN 30 "
        "ELSE 0 END) IS NULL "
        "THEN t ELSE t END $$; CREATE VIEW slow AS SELECT plate, slowly(plate) AS colour, seats FROM vehicle; GRANT SELECT ON slow TO hub");
    postgres_system_file(postgres_port(), "hub", "500ms", "",
        "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {view: slow}\n    fields:\n      - {name: plate, type: "
        "text, class: open, key: true}\n"
        "      - {name: colour, type: text, class: open}\n      - {name: seats, type: integer, class: open}\n");
    fake_department_grant(&postgres_city, "[plate, colour, seats]", NULL);
    fake_department_load(&postgres_city);
    until_it_answers();
    const struct value slow = value_text(STR("A00001"));
    struct fake_asking *askings[2];
    for (size_t i = 0; i < 2; i++)
        askings[i] = fake_ask_start(&postgres_city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &slow, 1}}});
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

/* Statements that would run for a minute: when their askers have gone, the server is done with them; others' calls never notice. */
static void askers_who_go(void **state)
{
    postgres_sql(
        "CREATE FUNCTION slowly(t text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT CASE WHEN pg_sleep(CASE t WHEN 'A00001' THEN 60 "
        "ELSE 0 END) IS NULL THEN t ELSE t END $$; CREATE VIEW slow AS SELECT plate, slowly(plate) AS colour, seats FROM vehicle; "
        "GRANT SELECT ON slow TO hub");
    postgres_system_file(postgres_port(), "hub", "60s", "",
        "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {view: slow}\n    fields:\n      - {name: plate, type: "
        "text, class: open, key: true}\n"
        "      - {name: colour, type: text, class: open}\n      - {name: seats, type: integer, class: open}\n");
    fake_department_grant(&postgres_city, "[plate, colour, seats]", NULL);
    fake_department_load(&postgres_city);
    until_it_answers();
    const struct value slow = value_text(STR("A00001"));
    struct fake_asking *askings[3];
    for (size_t i = 0; i < 3; i++)
        askings[i] = fake_ask_start(&postgres_city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &slow, 1}}});
    for (int i = 0; i < 1000 && strcmp(postgres_sql(ACTIVE), "3") != 0; i++) {
        assert_ok(postgres_ask("A00003")->err);
        usleep(20000);
    }
    assert_string_equal(postgres_sql(ACTIVE), "3");
    struct mono_time gone = clock_mono(clock_system());
    for (size_t i = 0; i < 3; i++)
        fake_ask_cancel(askings[i]);
    for (int i = 0; i < 1000 && strcmp(postgres_sql(ACTIVE), "0") != 0; i++)
        assert_ok(postgres_ask("A00003")->err);
    print_message("the server was done with three statements %lld ms after their askers went\n",
        (long long)mono_ms_between(gone, clock_mono(clock_system())));
    assert_string_equal(postgres_sql(ACTIVE), "0");
    for (size_t i = 0; i < 3; i++)
        assert_err(fake_ask_end(&postgres_city, askings[i]), ERR_CANCELLED);
    assert_string_equal(postgres_the_system()->department.detail, ""); /* the department was in no way at fault */
}

static void locked_table(void **state)
{
    fake_department_load(&postgres_city);
    until_it_answers();
    postgres_sql("BEGIN; LOCK TABLE vehicle");
    assert_err(postgres_ask("A00003")->err, ERR_TIMEOUT);
    postgres_sql("ROLLBACK");
    until_it_answers();
}

/* One statement fails among many that are under way together: the others are answered. */
static void one_fails_among_many(void **state)
{
    enum { N = 300 };
    static struct fake_asking *askings[N];
    static const struct value big = {VALUE_INTEGER, .i = 5};
    fake_department_load(&postgres_city);
    until_it_answers();
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
    until_it_answers();
    postgres_sql("ALTER TABLE vehicle RENAME colour TO paint");
    for (int i = 0; i < 100 && !strstr(postgres_the_system()->department.detail, "|colour|"); i++) {
        assert_err(postgres_ask("A00003")->err, ERR_UNAVAILABLE);
        usleep(50000);
    }
    assert_string_equal(postgres_the_system()->department.detail, "field_refused|colour|h/police/vehicle");
    postgres_sql("ALTER TABLE vehicle RENAME paint TO colour");
    until_it_answers();
    postgres_sql("ALTER TABLE vehicle ALTER seats TYPE bigint"); /* fits as well: goes on after the statement was prepared anew */
    until_it_answers();
    postgres_sql("REVOKE SELECT ON vehicle FROM hub");
    assert_err(postgres_ask("A00003")->err, ERR_UNAVAILABLE);
    postgres_sql("GRANT SELECT ON vehicle TO hub");
    until_it_answers();
}

/* More than may wait is refused at once; every asking is answered, once. */
static void full_queue(void **state)
{
    enum { N = 3 * POSTGRES_QUEUE_MAX };
    static struct fake_asking *askings[N];
    size_t n_full = 0, n_ok = 0;
    fake_department_load(&postgres_city);
    postgres_sql("BEGIN; LOCK TABLE vehicle"); /* nothing moves on meanwhile */
    for (size_t i = 0; i < N; i++)
        askings[i] = fake_ask_start(&postgres_city, &(struct fake_question){.outputs = {"plate"}, .n_rows_max = 1});
    postgres_sql("ROLLBACK");
    for (size_t i = 0; i < N; i++) {
        enum err err = fake_ask_end(&postgres_city, askings[i]);
        n_full += err == ERR_FULL;
        n_ok += err == ERR_OK;
    }
    print_message("%zu of %d refused as the queue was full, %zu answered\n", n_full, N, n_ok);
    assert_true(n_full >= N - POSTGRES_QUEUE_MAX - POSTGRES_QUEUE_MAX / 10);
    assert_int_equal(fake_department_figure(&postgres_city, "citybrain_queue_refused_total{queue=\"department\",of=\"police\"}"), n_full);
    until_it_answers();
}

/* Closed while askings are under way and while a connection is made: all of them are answered. */
static void closes_in_the_midst(void **state)
{
    for (int life = 0; life < 12; life++) {
        struct fake_asking *askings[50];
        fake_department_load(&postgres_city);
        for (int i = 0; i < 50; i++)
            askings[i] = fake_ask_start(&postgres_city, &(struct fake_question){.outputs = {"plate"}});
        for (int i = 0; i < life % 4; i++)
            usleep(3000);
        hub_stop(postgres_city.hub);
        for (int i = 0; i < 50; i++) {
            enum err err = fake_ask_end(&postgres_city, askings[i]);
            assert_true(err == ERR_OK || err == ERR_UNAVAILABLE);
        }
        fake_city_unload(&postgres_city);
    }
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
