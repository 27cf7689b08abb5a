/*
 * A department's real MariaDB through the connector: what is granted and no more, types both ways, and each way in which
 * the database can be away, slow, changed or wrong. Run by tests/servers.py, which starts the server.
 */
#include "system/mariadb/mariadb_testing.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void answers(void **state)
{
    fake_server_answers(&mariadb_server);
}

static void every_type_asks(void **state)
{
    fake_server_types(&mariadb_server);
    static const char *const moments[] = {"since", "bought", "day"}; /* before and after every time that the database holds */
    const struct value first = value_time(INT64_MIN), last = value_time(INT64_MAX);
    for (size_t i = 0; i < 3; i++) {
        const struct fake_answer *answer = fake_ask(&mariadb_city,
            &(struct fake_question){.outputs = {"count(*)"}, .where = {{moments[i], SQL_GE, &first, 1}, {moments[i], SQL_LE, &last, 1}}});
        assert_string_equal(answer->text, "2000");
        answer = fake_ask(&mariadb_city, &(struct fake_question){.outputs = {"count(*)"}, .where = {{moments[i], SQL_GT, &last, 1}}});
        assert_string_equal(answer->text, "0");
    }
}

static void values_that_are_none(void **state)
{
    mariadb_sql(
        "SET sql_mode = ''; UPDATE vehicle SET electric = 7 WHERE plate = 'A00000'; UPDATE vehicle SET day = '0000-00-00' WHERE plate "
        "= 'A00001'; ALTER TABLE "
        "vehicle MODIFY mass BIGINT UNSIGNED; UPDATE vehicle SET mass = 18446744073709551615 WHERE plate = 'A00002'; UPDATE vehicle "
        "SET bought = '1000-01-01' "
        "WHERE plate = 'A00003'");
    static const char *const columns[] = {"electric", "day", "mass"};
    fake_department_load(&mariadb_city);
    for (size_t i = 0; i < 3; i++) {
        char plate[16];
        snprintf(plate, sizeof plate, "A0000%zu", i);
        const struct value value = value_text(str_from_c(plate));
        assert_err(fake_ask(&mariadb_city, &(struct fake_question){.outputs = {columns[i]}, .where = {{"plate", SQL_EQ, &value, 1}}})->err,
            ERR_UNAVAILABLE);
        assert_ok(fake_server_ask(&mariadb_server, plate)->err);
    }
    const struct value long_ago = value_time(-30610252800000); /* 1000-01-01 in Shanghai: no trouble with 1970 or 2038 */
    assert_string_equal(
        fake_ask(&mariadb_city, &(struct fake_question){.outputs = {"plate", "bought"}, .where = {{"bought", SQL_LE, &long_ago, 1}}})->text,
        "A00003|@-30610252800000");
    mariadb_sql("UPDATE vehicle SET mass = 9223372036854775807");
    assert_err(fake_ask(&mariadb_city, &(struct fake_question){.outputs = {"sum(mass)"}})->err, ERR_RANGE);
}

static void rows_granted(void **state)
{
    fake_server_rows_granted(&mariadb_server);
}

static void limits(void **state)
{
    mariadb_sql("UPDATE vehicle SET colour = REPEAT('x', 3000), seats = 1");
    fake_department_load(&mariadb_city);
    const struct value one = value_integer(1), plate = value_text(STR("A00003"));
    const struct fake_answer *answer =
        fake_ask(&mariadb_city, &(struct fake_question){.outputs = {"plate"}, .where = {{"seats", SQL_EQ, &one, 1}}});
    assert_int_equal(answer->n_rows, 1000);
    assert_true(answer->is_truncated);
    assert_err(fake_ask(&mariadb_city, &(struct fake_question){.outputs = {"colour"}})->err, ERR_TOO_LARGE); /* 3 MB in small values */
    mariadb_sql("SET GLOBAL max_allowed_packet = 1073741824");
    mariadb_sql(
        "SET STATEMENT max_statement_time = 0 FOR UPDATE vehicle SET colour = REPEAT('雨', 5000000) WHERE plate = 'A00003'"); /* 15 MB in
                                                                                                                                 one */
    assert_err(fake_ask(&mariadb_city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &plate, 1}}})->err,
        ERR_TOO_LARGE);
    assert_ok(fake_ask(&mariadb_city, &(struct fake_question){.outputs = {"seats"}, .where = {{"plate", SQL_EQ, &plate, 1}}})->err);
    mariadb_sql("UPDATE vehicle SET colour = REPEAT('雨', 349525) WHERE plate = 'A00003'"); /* a byte below the limit */
    assert_ok(fake_ask(
        &mariadb_city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &plate, 1}}, .n_bytes_max = 2 << 20})
                  ->err);
    mariadb_sql("UPDATE vehicle SET colour = REPEAT('x', 20000)"); /* 40 MB: the connection is given up, and the next one answers */
    assert_err(fake_ask(&mariadb_city, &(struct fake_question){.outputs = {"colour"}, .n_rows_max = 100000})->err, ERR_TOO_LARGE);
    assert_ok(fake_ask(&mariadb_city, &(struct fake_question){.outputs = {"seats"}, .where = {{"plate", SQL_EQ, &plate, 1}}})->err);
}

static void many_shapes(void **state)
{
    fake_server_shapes(&mariadb_server);
    assert_true(
        strtol(mariadb_sql("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'"), NULL,
            10) <= MARIADB_STATEMENTS_MAX * 4);
}

/* ---- the department's file ---- */

static void wrong_files(void **state)
{
    static const struct fake_wrong_file rows[] = {
        {"table: vehicle", "{name: phone, type: text, class: open}", "", 11,
            "field \"phone\" is not to be had from the department's database: Unknown column 'phone'"},
        {"table: vehicles", "{name: colour, type: text, class: open}", "", 10, "Table 'department.vehicles' doesn't exist"},
        {"table: mysql.user", "{name: User, type: text, class: open}", "", 10, NULL},
        {"table: mysql.proc", "{name: name, type: text, class: open}", "", 10, "SELECT command denied"},
        {"table: vehicle", "{name: seats, type: text, class: open}", "", 11,
            "\"seats\" is declared as text, but the department's column is INT; a text field takes CHAR, VARCHAR, TEXT or ENUM"},
        {"table: vehicle", "{name: since, type: integer, class: open}", "", 11, "column is TIMESTAMP"},
        {"table: vehicle", "{name: rate, type: integer, class: open}", "", 11, "DECIMAL with decimals"},
        {"table: vehicle", "{name: photo, type: text, class: open}", "", 11, "VARBINARY"},
        {"select: \"DELETE FROM vehicle\"", "{name: colour, type: text, class: open}", "", 10, "error in your SQL syntax"},
        {"select: \"SELECT plate, colour FROM vehicle) t; DROP TABLE vehicle; -- \"", "{name: colour, type: text, class: open}", "", 10,
            "error in your SQL syntax"},
        {"select: \"SELECT plate, colour FROM vehicle INTO OUTFILE '/tmp/x'\"", "{name: colour, type: text, class: open}", "", 10,
            "SQL syntax"},
        {"select: \"SELECT plate, ? AS colour FROM vehicle\"", "{name: colour, type: text, class: open}", "", 10, "parameter"},
        {"table: vehicle", "{name: colour, type: text, class: open}", ", connections: 99", 3, "connections"},
        {"table: vehicle", "{name: colour, type: text, class: open}", ", tls: verify-full", 3, "add tls_ca"},
    };
    fake_server_wrong_files(&mariadb_server, rows, sizeof rows / sizeof *rows);
}

/* ---- away, slow, changed ---- */

static void away_and_back(void **state)
{
    fake_server_away_and_back(&mariadb_server);
}

static void silence_and_slow_bytes(void **state)
{
    fake_server_behind_a_proxy(&mariadb_server);
    for (enum fake_proxy_mode mode = FAKE_PROXY_SILENT; mode <= FAKE_PROXY_SLOW; mode++) {
        fake_proxy_set(mariadb_proxy, FAKE_PROXY_PASS);
        fake_department_load(&mariadb_city);
        fake_server_until_it_answers(&mariadb_server);
        fake_proxy_set(mariadb_proxy, mode);
        struct mono_time before = clock_mono(clock_system());
        assert_err(fake_ask(&mariadb_city, &(struct fake_question){.outputs = {"plate"}})->err, ERR_TIMEOUT);
        int64_t ms = mono_ms_between(before, clock_mono(clock_system()));
        print_message("%s ended after %lld ms\n", mode == FAKE_PROXY_SILENT ? "silence" : "a byte each 20 ms", (long long)ms);
        assert_true(ms < 10000);
        fake_proxy_set(mariadb_proxy, FAKE_PROXY_PASS);
        fake_server_until_it_answers(&mariadb_server);
        fake_city_unload(&mariadb_city);
    }
}

static void sessions_that_are_ended(void **state)
{
    fake_server_sessions_end(&mariadb_server, 1000, "KILL USER hub");
}

static void slow_and_locked(void **state)
{
    fake_server_slow_view(&mariadb_server,
        "CREATE FUNCTION slowly(t TEXT) RETURNS TEXT RETURN IF(t = 'A00001', CONCAT(t, SLEEP(30)), t); GRANT EXECUTE ON department.* TO "
        "hub@'%'; CREATE VIEW slow AS SELECT plate, slowly(plate) AS colour, seats FROM vehicle",
        "500ms");
    struct fake_asking *asking = fake_server_ask_slowly(&mariadb_server);
    size_t n_meanwhile = 0;
    for (; !fake_ask_is_done(asking); n_meanwhile++)
        assert_ok(fake_server_ask(&mariadb_server, "A00003")->err);
    print_message("%zu calls answered while a statement ran into its time-out\n", n_meanwhile);
    assert_true(n_meanwhile >= 5);
    assert_err(fake_ask_end(&mariadb_city, asking), ERR_TIMEOUT);
    mariadb_sql("LOCK TABLES vehicle WRITE");
    assert_err(fake_server_ask(&mariadb_server, "A00003")->err, ERR_TIMEOUT);
    mariadb_sql("UNLOCK TABLES");
    fake_server_until_it_answers(&mariadb_server);
}

#define ACTIVE "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'hub' AND STATE = 'User sleep'"

static void askers_who_go(void **state)
{
    fake_server_slow_view(&mariadb_server,
        "CREATE FUNCTION slowly(t TEXT) RETURNS TEXT SQL SECURITY INVOKER RETURN IF(t = 'A00001', CONCAT(t, SLEEP(60)), t); GRANT EXECUTE "
        "ON department.* TO hub@'%'; CREATE SQL SECURITY INVOKER VIEW slow AS SELECT plate, slowly(plate) AS colour, seats FROM vehicle",
        "60s");
    fake_server_askers_who_go(&mariadb_server, 2, ACTIVE);
    assert_string_equal(mariadb_the_system()->department.detail, ""); /* the department was in no way at fault */
}

static void changed_table(void **state)
{
    fake_department_load(&mariadb_city);
    fake_server_until_it_answers(&mariadb_server);
    mariadb_sql("ALTER TABLE vehicle CHANGE colour paint LONGTEXT");
    for (int i = 0; i < 100 && !strstr(mariadb_the_system()->department.detail, "|colour|"); i++) {
        assert_err(fake_server_ask(&mariadb_server, "A00003")->err, ERR_UNAVAILABLE);
        usleep(50000);
    }
    assert_string_equal(mariadb_the_system()->department.detail, "field_refused|colour|h/police/vehicle");
    mariadb_sql("ALTER TABLE vehicle CHANGE paint colour LONGTEXT");
    fake_server_until_it_answers(&mariadb_server);
    mariadb_sql("ALTER TABLE vehicle MODIFY seats BIGINT");
    fake_server_until_it_answers(&mariadb_server);
}

static void full_queue(void **state)
{
    fake_server_full_queue(&mariadb_server, HUB_POOL_QUEUE_MAX, "LOCK TABLES vehicle WRITE", "UNLOCK TABLES");
}

static void closes_in_the_midst(void **state)
{
    fake_server_closes_in_the_midst(&mariadb_server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(every_type_asks, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(values_that_are_none, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(rows_granted, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(limits, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(many_shapes, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(wrong_files, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(away_and_back, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(silence_and_slow_bytes, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(sessions_that_are_ended, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(slow_and_locked, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(askers_who_go, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(changed_table, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(full_queue, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(closes_in_the_midst, mariadb_make, mariadb_unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
