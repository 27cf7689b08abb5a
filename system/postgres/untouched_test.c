/*
 * The department's database is as it was: after 10,000 calls and every attempt to write that we can think of, its own statistics count no
 * row written and its schema and rows are the same, byte for byte. Also with a role that could write.
 */
#include "system/postgres/postgres_testing.h"

#include "base/crypto.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the server itself has counted; statistics are told late, so the sessions that tell have to be gone. */
static const char *written(void)
{
    postgres_sql("SELECT pg_stat_force_next_flush()");
    return postgres_sql(
        "SELECT (SELECT sum(n_tup_ins) || '/' || sum(n_tup_upd) || '/' || sum(n_tup_del) FROM pg_stat_user_tables) || ' ' || (SELECT "
        "tup_inserted || '/' || tup_updated || '/' || tup_deleted || ' temp ' || temp_files FROM pg_stat_database WHERE datname = "
        "current_database()) || ' wal ' || (SELECT count(*) FROM pg_class) || ' ' || (SELECT coalesce(sum(last_value), 0) FROM "
        "pg_sequences)");
}

static const char *rows_now(void)
{
    return postgres_sql("SELECT md5(string_agg(v::text || xmin || xmax || ctid, '' ORDER BY plate)) || (SELECT md5(string_agg(e::text, "
                        "'')) FROM evil e) FROM vehicle v");
}

/* The schema as pg_dump writes it. */
static struct sha256 schema_now(void)
{
    static char dump[1 << 20];
    char command[400];
    size_t n = 0, got;
    snprintf(command, sizeof command, "pg_dump -s -h %s -p %s -U postgres department", fake_server_need("CITYBRAIN_POSTGRES_SOCKET_DIR"),
        fake_server_need("CITYBRAIN_POSTGRES_PORT"));
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    while ((got = fread(dump + n, 1, sizeof dump - n, pipe)) > 0)
        n += got;
    assert_int_equal(pclose(pipe), 0);
    assert_true(n > 1000 && n < sizeof dump);
    char *line = NULL; /* newer ones put a random word into \restrict */
    for (const char *word = "\\restrict"; (line = strstr(dump, word)) != NULL;)
        memset(line, '-', strcspn(line, "\n"));
    for (const char *word = "\\unrestrict"; (line = strstr(dump, word)) != NULL;)
        memset(line, '-', strcspn(line, "\n"));
    return crypto_sha256((struct str){dump, n});
}

static void sessions_end(void)
{
    for (int i = 0; i < 500 && strcmp(postgres_sql("SELECT count(*) FROM pg_stat_activity WHERE usename IN ('hub', 'writer')"), "0") != 0;
         i++)
        usleep(10000);
}

/* Bindings that write when they are asked, if they are let. */
static size_t attempts(const char *user)
{
    static const char *const selects[] = {
        "SELECT plate, writes() AS colour FROM vehicle",
        "SELECT plate, nextval('counter')::text AS colour FROM vehicle",
        "SELECT plate, setval('counter', 99)::text AS colour FROM vehicle",
        "SELECT plate, set_config('transaction_read_only', 'off', false) AS colour FROM vehicle WHERE writes() IS NOT NULL",
        "SELECT plate, set_config('default_transaction_read_only', 'off', false) AS colour FROM vehicle",
        "SELECT plate, pg_notify('x', 'y')::text AS colour FROM vehicle",
        "SELECT plate, colour FROM rule_view",
        "SELECT plate, colour FROM vehicle FOR UPDATE",
        "TABLE vehicle; DELETE FROM vehicle",
        "INSERT INTO vehicle (plate) VALUES ('x') RETURNING plate, colour",
    };
    return fake_server_attempts(&postgres_server, user, selects, sizeof selects / sizeof *selects);
}

static void as_a_role(const char *user)
{
    static const char *const evil[] = {"'; DELETE FROM vehicle; --", "A'||(SELECT nextval('counter'))||'", "\\'; DROP TABLE vehicle; --",
        "$1; UPDATE vehicle SET colour = ''"};
    char before[256], rows[256];
    struct sha256 schema = schema_now();
    sessions_end();
    snprintf(before, sizeof before, "%s", written());
    snprintf(rows, sizeof rows, "%s", rows_now());
    fake_department_load(&postgres_city);
    fake_server_call_often(&postgres_server, evil, sizeof evil / sizeof *evil);
    fake_city_unload(&postgres_city);
    size_t n_refused = attempts(user);
    sessions_end();
    struct sha256 schema_after = schema_now();
    assert_string_equal(written(), before);
    assert_string_equal(rows_now(), rows);
    assert_memory_equal(schema.bytes, schema_after.bytes, 32);
    print_message("%s: %d calls, 10 bindings that would write (%zu refused, the others wrote nothing): the database counts none: %s\n",
        user, FAKE_SERVER_CALLS, n_refused, before);
    assert_true(n_refused >= 8);
}

static int make(void **state)
{
    postgres_make(state);
    postgres_sql("CREATE TABLE evil (n int); CREATE SEQUENCE counter; CREATE FUNCTION writes() RETURNS text LANGUAGE plpgsql AS $$ BEGIN "
                 "INSERT INTO evil VALUES "
                 "(1); RETURN 'x'; END $$; CREATE VIEW rule_view AS SELECT plate, writes() AS colour FROM vehicle; GRANT SELECT ON "
                 "rule_view TO hub, writer; GRANT "
                 "SELECT ON evil TO hub; GRANT ALL ON evil, counter TO writer; GRANT USAGE ON counter TO hub; INSERT INTO evil VALUES (0)");
    return 0;
}

static void the_role_that_reads(void **state)
{
    as_a_role("hub");
}

static void a_role_that_could_write(void **state)
{
    postgres_system_file(postgres_port(), "writer", "500ms", "", FAKE_VEHICLE);
    as_a_role("writer");
    /* the session refuses by itself, whatever is sent over it */
    static const char *const statements[] = {
        "INSERT INTO evil VALUES (1)", "DELETE FROM vehicle", "SELECT nextval('counter')", "CREATE TABLE x (a int)"};
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    PGconn *pg;
    postgres_system_file(postgres_port(), "writer", "500ms", "", FAKE_VEHICLE);
    fake_department_grant(&postgres_city, FAKE_VEHICLE_GRANTED, NULL);
    fake_department_load(&postgres_city);
    struct mono_time deadline = {clock_mono(clock_system()).ns + INT64_C(5000000000)};
    assert_ok(postgres_session_open(postgres_the_system(), NULL, deadline, detail, &pg));
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        PGresult *result = PQexec(pg, statements[i]);
        assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "25006");
        PQclear(result);
    }
    PQfinish(pg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_role_that_reads, make, postgres_unmake),
        cmocka_unit_test_setup_teardown(a_role_that_could_write, make, postgres_unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
