/*
 * The department's database is as it was: after 10,000 calls and every attempt to write that we can think of, the server's own statistics
 * count no row written, and tables and definitions are the same. Also with a user that could write.
 */
#include "system/mariadb/mariadb_testing.h"

#include "base/test.h"

#include <stdio.h>
#include <string.h>

/* The server's own counts: rows written, by table and in all, and the checksum of each table with its definition. */
static void written(char out[512])
{
    int n = snprintf(out, 512, "%s ",
        mariadb_sql("SELECT GROUP_CONCAT(TABLE_NAME, ':', ROWS_CHANGED ORDER BY TABLE_NAME) FROM information_schema.TABLE_STATISTICS WHERE "
                    "TABLE_SCHEMA = 'department'"));
    n += snprintf(out + n, 512 - (size_t)n, "%s ",
        mariadb_sql(
            "SELECT IFNULL(SUM(ROWS_INSERTED + ROWS_UPDATED + ROWS_DELETED), 0) FROM information_schema.USER_STATISTICS WHERE USER IN "
            "('hub', 'writer')"));
    static const char *const tables[] = {"vehicle", "evil"};
    for (size_t i = 0; i < 2; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "CHECKSUM TABLE %s EXTENDED", tables[i]);
        assert_int_equal(mysql_query(mariadb_admin(), sql), 0);
        MYSQL_RES *result = mysql_store_result(mariadb_admin());
        n += snprintf(out + n, 512 - (size_t)n, "%s ", mysql_fetch_row(result)[1]);
        mysql_free_result(result);
        snprintf(sql, sizeof sql, "SHOW CREATE TABLE %s", tables[i]);
        assert_int_equal(mysql_query(mariadb_admin(), sql), 0);
        result = mysql_store_result(mariadb_admin());
        n += snprintf(out + n, 512 - (size_t)n, "%016llx ", (unsigned long long)str_hash(str_from_c(mysql_fetch_row(result)[1])));
        mysql_free_result(result);
    }
}

static size_t attempts(const char *user)
{
    static const char *const selects[] = {
        "SELECT plate, writes() AS colour FROM vehicle",
        "SELECT plate, CAST(NEXTVAL(counter) AS CHAR) AS colour FROM vehicle",
        "SELECT plate, colour FROM writing_view",
        "SELECT plate, colour FROM vehicle INTO OUTFILE 'x'",
        "SELECT plate, CAST(GET_LOCK('x', 0) AS CHAR) AS colour FROM vehicle",
        "INSERT INTO vehicle (plate) VALUES ('x') RETURNING plate, colour",
        "SELECT plate, colour FROM vehicle; DELETE FROM vehicle",
        "SELECT plate, CAST(SETVAL(counter, 99) AS CHAR) AS colour FROM vehicle",
    };
    return fake_server_attempts(&mariadb_server, user, selects, sizeof selects / sizeof *selects);
}

static void as_a_user(const char *user)
{
    static const char *const evil[] = {"'; DELETE FROM vehicle; --", "A\\'; DROP TABLE vehicle; --", "?; UPDATE vehicle SET colour = ''"};
    char before[512], after[512];
    mariadb_sql(
        "CREATE TABLE evil (n INT); INSERT INTO evil VALUES (0); CREATE SEQUENCE counter; CREATE FUNCTION writes() RETURNS TEXT "
        "MODIFIES SQL DATA BEGIN INSERT INTO "
        "evil VALUES (1); RETURN 'x'; END; CREATE VIEW writing_view AS SELECT plate, writes() AS colour FROM vehicle; GRANT EXECUTE, "
        "SELECT, INSERT ON department.* TO hub@'%'");
    fake_server_write(&mariadb_server, mariadb_server.port(), user, "500ms", "", FAKE_VEHICLE);
    written(before);
    fake_department_load(&mariadb_city);
    fake_server_call_often(&mariadb_server, evil, sizeof evil / sizeof *evil);
    fake_city_unload(&mariadb_city);
    size_t n_refused = attempts(user);
    written(after);
    assert_string_equal(after, before);
    print_message("%s: 10000 calls, 8 bindings that would write (%zu refused, the others wrote nothing): the server counts none: %s\n",
        user, n_refused, before);
    assert_true(n_refused >= 6);
    assert_string_equal(mariadb_sql("SELECT next_not_cached_value FROM counter"), "1");
}

static void nothing_is_written(void **state)
{
    as_a_user("hub");
}

static void nor_by_a_user_who_could(void **state)
{
    as_a_user("writer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_written, mariadb_make, mariadb_unmake),
        cmocka_unit_test_setup_teardown(nor_by_a_user_who_could, mariadb_make, mariadb_unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
