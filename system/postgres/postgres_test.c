/*
 * A department's real PostgreSQL through the connector: what is granted and no more, nothing written, types both ways, and each way in
 * which the database can be away, changed or wrong. Run by tests/servers.py, which starts the server.
 */
#include "system/postgres/postgres_testing.h"

#include "base/mem.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void answers(void **state)
{
    fake_server_answers(&postgres_server);
}

static void every_type_asks(void **state)
{
    fake_server_types(&postgres_server);
}

/* Numbers as numeric, of any size and scale, against what the server itself makes of them. */
static void numbers(void **state)
{
    static const char *const texts[] = {"0", "-0.001", "12345678901234567890.5", "0.00000000012345", "1e30", "-99999999.99999", "10000",
        "0.0001", "123456789012345678901234567890123456789.123456789012345678901234567890"};
    postgres_sql("ALTER TABLE vehicle ALTER rate TYPE numeric");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char sql[300];
        snprintf(sql, sizeof sql, "UPDATE vehicle SET rate = %s WHERE plate = 'A%05zu'", texts[i], i);
        postgres_sql(sql);
    }
    postgres_sql(
        "UPDATE vehicle SET price = 123456789012 WHERE plate = 'A00000'; UPDATE vehicle SET price = -70000 WHERE plate = 'A00001'");
    fake_department_load(&postgres_city);
    const struct value end = value_text(STR("A00009"));
    const struct fake_answer *answer = fake_ask(
        &postgres_city, &(struct fake_question){.outputs = {"rate", "price"}, .where = {{"plate", SQL_LT, &end, 1}}, .order = {"plate"}});
    assert_ok(answer->err);
    assert_int_equal(answer->n_rows, 9);
    for (size_t i = 0; i < 9; i++) {
        double real = rows_at(answer->rows, i)[0].r;
        if (real != strtod(texts[i], NULL))
            fail_msg("%s came as %.17g", texts[i], real);
    }
    assert_int_equal(rows_at(answer->rows, 0)[1].i, 123456789012);
    assert_int_equal(rows_at(answer->rows, 1)[1].i, -70000);
    assert_int_equal(rows_at(answer->rows, 2)[1].i, 2);
}

/* What a value may not be: NaN, endless, a day past the calendar; told as the department's fault, and the next call goes on. */
static void values_that_are_none(void **state)
{
    static const char *const changes[] = {
        "weight = 'NaN'", "weight = 'Infinity'", "rate = 'NaN'", "since = 'infinity'", "day = '-infinity'", "bought = '20000-01-01'"};
    static const char *const columns[] = {"weight", "weight", "rate", "since", "day", "bought"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "UPDATE vehicle SET %s WHERE plate = 'A0000%zu'", changes[i], i);
        postgres_sql(sql);
    }
    fake_department_load(&postgres_city);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        char plate[16];
        snprintf(plate, sizeof plate, "A0000%zu", i);
        const struct value value = value_text(str_from_c(plate));
        assert_err(fake_ask(&postgres_city, &(struct fake_question){.outputs = {columns[i]}, .where = {{"plate", SQL_EQ, &value, 1}}})->err,
            ERR_UNAVAILABLE);
        assert_ok(postgres_ask(plate)->err);
    }
    const struct value ends = value_integer(INT64_MAX); /* a sum past 64 bits is an error of the asking */
    postgres_sql("UPDATE vehicle SET mass = 9223372036854775807");
    assert_err(
        fake_ask(&postgres_city, &(struct fake_question){.outputs = {"sum(mass)"}, .where = {{"mass", SQL_EQ, &ends, 1}}})->err, ERR_RANGE);
}

static void rows_granted(void **state)
{
    fake_server_rows_granted(&postgres_server);
}

/* The department's own indexes are used: for keys of every text type and for ranges of times. */
static void indexes_are_used(void **state)
{
    static const char *const wheres[] = {"t.\"plate\" = $1::text", "t.\"kind\" = $1::bpchar",
        "t.\"since\" >= to_timestamp($1::bigint / 1000.0)", "t.\"day\" = to_timestamp($1::bigint / 1000.0)", "t.\"price\" = $1::bigint",
        "t.\"seats\" IN ($1::bigint, 7::bigint)"};
    static const char *const values[] = {"'A00003'", "'k3'", "1700000001999", "1709136000000", "5", "100"};
    postgres_sql("CREATE INDEX ON vehicle (kind); CREATE INDEX ON vehicle (since); CREATE INDEX ON vehicle (day); CREATE INDEX ON vehicle "
                 "(price); CREATE INDEX ON "
                 "vehicle (seats); ANALYZE vehicle");
    fake_department_load(&postgres_city);
    struct hub_plan *plan = fake_department_plan(&postgres_city);
    struct arena arena;
    struct hub_seen seen;
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    PGconn *pg = NULL;
    struct mono_time deadline = {clock_mono(clock_system()).ns + INT64_C(5000000000)};
    arena_init(&arena, 1 << 20);
    assert_ok(postgres_session_open(plan->system, NULL, deadline, detail, &pg));
    assert_ok(postgres_schema_look(plan->system, pg, 0, plan->table, &arena, NULL, deadline, NULL, &seen));
    for (size_t i = 0; i < sizeof wheres / sizeof *wheres; i++) {
        char sql[4096], text[2000] = "";
        snprintf(sql, sizeof sql,
            "DEALLOCATE ALL; SET enable_seqscan = off; PREPARE q AS SELECT t.\"colour\" FROM " STR_FORMAT
            " t WHERE %s; EXPLAIN EXECUTE q(%s)",
            STR_ARG(seen.source), wheres[i], values[i]);
        PGresult *result = PQexec(pg, sql);
        for (int j = 0; j < PQntuples(result); j++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s\n", PQgetvalue(result, j, 0));
        if (!strstr(text, "Index Cond") && !strstr(text, "Index Scan"))
            fail_msg("%s: %s%s", wheres[i], text, PQresultErrorMessage(result));
        PQclear(result);
    }
    PQfinish(pg);
    arena_finish(&arena);
}

static void limits(void **state)
{
    postgres_sql("UPDATE vehicle SET colour = repeat('x', 3000), seats = 1");
    fake_department_load(&postgres_city);
    const struct value one = value_integer(1);
    const struct fake_answer *answer =
        fake_ask(&postgres_city, &(struct fake_question){.outputs = {"plate"}, .where = {{"seats", SQL_EQ, &one, 1}}});
    assert_ok(answer->err);
    assert_int_equal(answer->n_rows, 1000);
    assert_true(answer->is_truncated);
    answer =
        fake_ask(&postgres_city, &(struct fake_question){.outputs = {"plate"}, .where = {{"seats", SQL_EQ, &one, 1}}, .n_rows_max = 2000});
    assert_int_equal(answer->n_rows, 2000);
    assert_false(answer->is_truncated);
    assert_err(fake_ask(&postgres_city, &(struct fake_question){.outputs = {"colour"}})->err, ERR_TOO_LARGE); /* 3 MB in small values */
    postgres_sql("UPDATE vehicle SET colour = repeat('雨', 100000000) WHERE plate = 'A00003'");               /* 300 MB in one */
    const struct value plate = value_text(STR("A00003"));
    assert_err(fake_ask(&postgres_city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &plate, 1}}})->err,
        ERR_TOO_LARGE);
    assert_ok(fake_ask(&postgres_city, &(struct fake_question){.outputs = {"seats"}, .where = {{"plate", SQL_EQ, &plate, 1}}})->err);
    postgres_sql("UPDATE vehicle SET colour = repeat('雨', 349525) WHERE plate = 'A00003'"); /* a byte below the limit */
    assert_ok(fake_ask(
        &postgres_city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &plate, 1}}, .n_bytes_max = 2 << 20})
                  ->err);
    /* 40 MB, far past what is drained: the connection is closed, and the next one answers */
    postgres_sql("UPDATE vehicle SET colour = repeat('x', 20000)");
    assert_err(fake_ask(&postgres_city, &(struct fake_question){.outputs = {"colour"}, .n_rows_max = 100000})->err, ERR_TOO_LARGE);
    assert_ok(fake_ask(&postgres_city, &(struct fake_question){.outputs = {"seats"}, .where = {{"plate", SQL_EQ, &plate, 1}}})->err);
}

/* A column whose own length bounds it is asked for as it is; when it loses that length, its values are looked at again. */
static void lengths_of_columns(void **state)
{
    static const char guarded[] = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hub' AND query LIKE '%octet_length%'";
    fake_department_load(&postgres_city);
    const struct value plate = value_text(STR("A00003"));
    const struct fake_question short_ones = {.outputs = {"plate", "kind"}, .where = {{"plate", SQL_EQ, &plate, 1}}};
    assert_string_equal(fake_ask(&postgres_city, &short_ones)->text, "A00003|k3");
    assert_string_equal(postgres_sql(guarded), "0");
    assert_ok(fake_ask(&postgres_city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &plate, 1}}})->err);
    assert_string_not_equal(postgres_sql(guarded), "0");
    postgres_sql("ALTER TABLE vehicle ALTER kind TYPE text; UPDATE vehicle SET kind = repeat('x', 100000000) WHERE plate = 'A00003'");
    enum err err = ERR_UNAVAILABLE; /* until the connection has looked at the table anew */
    for (int i = 0; i < 200 && err == ERR_UNAVAILABLE; i++) {
        err = fake_ask(&postgres_city, &short_ones)->err;
        if (err == ERR_UNAVAILABLE)
            usleep(20000);
    }
    assert_err(err, ERR_TOO_LARGE);
    assert_string_not_equal(postgres_sql(guarded), "0");
}

/* More shapes than a connection keeps: the oldest go, on the server too, and all answer. */
static void many_shapes(void **state)
{
    fake_server_shapes(&postgres_server);
    const struct postgres_system *system = ((struct hub_plan *)fake_department_plan(&postgres_city))->system;
    for (size_t i = 0; i < system->n_connections; i++)
        assert_int_equal(system->connections[i]->n_statements, POSTGRES_STATEMENTS_MAX);
}

/* ---- the department's file ---- */

static void wrong_files(void **state)
{
    static const struct fake_wrong_file rows[] = {
        {"table: vehicle", "{name: phone, type: text, class: open}", "", 11,
            "field \"phone\" is not to be had from the department's database: column \"phone\" does not exist"},
        {"table: vehicles", "{name: colour, type: text, class: open}", "", 10, "relation \"vehicles\" does not exist"},
        {"table: other.vehicle", "{name: colour, type: text, class: open}", "", 10, "relation \"other.vehicle\" does not exist"},
        {"table: vehicle", "{name: seats, type: text, class: open}", "", 11,
            "\"seats\" is declared as text, but the department's column is integer; a text field takes text, varchar"},
        {"table: vehicle", "{name: plate2, type: text, class: open}", "", 11, "is not to be had"},
        {"table: vehicle", "{name: since, type: integer, class: open}", "", 11, "but the department's column is timestamptz"},
        {"table: vehicle", "{name: seats, type: time, class: open}", "", 11,
            "a time field takes timestamptz, timestamp, date, or a bigint"},
        {"table: vehicle", "{name: rate, type: integer, class: open}", "", 11,
            "but the department's column is numeric; an integer field takes"},
        {"table: vehicle", "{name: electric, type: integer, class: open}", "", 11, "column is boolean"},
        {"table: vehicle", "{name: photo, type: text, class: open}", "", 11, "column is bytea"},
        {"select: \"SELECT plate, gen_random_uuid() AS id FROM vehicle\"", "{name: id, type: text, class: open}", "", 11,
            "but the department's column is of another type"},
        {"select: \"DELETE FROM vehicle RETURNING plate, colour\"", "{name: colour, type: text, class: open}", "", 10, "syntax error"},
        {"select: \"SELECT plate, colour FROM vehicle) t; DROP TABLE vehicle; --\"", "{name: colour, type: text, class: open}", "", 10,
            "syntax error"},
        {"select: \"WITH gone AS (DELETE FROM vehicle RETURNING *) SELECT * FROM gone\"", "{name: colour, type: text, class: open}", "", 10,
            "data-modifying"},
        {"table: secret", "{name: colour, type: text, class: open}", "", 10, "permission denied for table secret"},
        {"tabel: vehicle", "{name: colour, type: text, class: open}", "", 8, "table"},
        {"table: vehicle", "{name: colour, type: text, class: open}", ", connections: 99", 3, "connections"},
        {"table: vehicle", "{name: colour, type: text, class: open}", ", zone: Moon", 3, "zone: takes"},
        {"table: vehicle", "{name: colour, type: text, class: open}", ", tls: verify-full", 3, "add tls_ca"},
        {"table: vehicle", "{name: colour, type: text, class: open}", ", passwort: x", 3, "passwort"},
    };
    postgres_sql("CREATE TABLE secret (plate text, colour text); INSERT INTO secret VALUES ('geheim', 'geheim')");
    fake_server_wrong_files(&postgres_server, rows, sizeof rows / sizeof *rows);
}

static void collation_that_folds(void **state)
{
    struct diag_list diags;
    postgres_sql("CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false); ALTER TABLE vehicle ALTER "
                 "colour TYPE text COLLATE folding");
    assert_int_not_equal(fake_city_load(&postgres_city, &diags), ERR_OK);
    assert_non_null(strstr(diags.diags[0].text, "field \"colour\" has a collation that holds different texts equal"));
    fake_city_unload(&postgres_city);
}

static void password_that_is_open_or_wrong(void **state)
{
    char path[256];
    fake_department_secret(&postgres_city, "department", "falsch\n"); /* down, and no error of the file */
    fake_department_load(&postgres_city);
    assert_err(postgres_ask("A00003")->err, ERR_UNAVAILABLE);
    fake_department_secret(&postgres_city, "department", "geheim 雨\n"); /* changed where it lies: the next try takes it */
    enum err err = ERR_UNAVAILABLE;
    for (int i = 0; i < 100 && err; i++) {
        usleep(100000);
        err = postgres_ask("A00003")->err;
    }
    assert_ok(err);
    fake_city_unload(&postgres_city);
    snprintf(path, sizeof path, "%s/secrets/department", postgres_city.data);
    assert_int_equal(chmod(path, 0644), 0);
    fake_department_load(&postgres_city);
    assert_err(postgres_ask("A00003")->err, ERR_UNAVAILABLE);
    fake_city_unload(&postgres_city);
}

static void tls(void **state)
{
    char more[300];
    snprintf(more, sizeof more, ", tls: verify-full, tls_ca: %s/server.crt", fake_server_need("CITYBRAIN_POSTGRES_SOCKET_DIR"));
    postgres_system_file(postgres_port(), "hub", "500ms", more, FAKE_VEHICLE);
    fake_department_load(&postgres_city);
    assert_ok(postgres_ask("A00003")->err);
    assert_string_equal(
        postgres_sql(
            "SELECT count(*) = count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'hub'"),
        "t");
    fake_city_unload(&postgres_city);
    snprintf(more, sizeof more, ", tls: verify-full, tls_ca: %s/other.crt",
        fake_server_need("CITYBRAIN_POSTGRES_SOCKET_DIR")); /* another authority */
    postgres_system_file(postgres_port(), "hub", "500ms", more, FAKE_VEHICLE);
    fake_department_load(&postgres_city);
    assert_err(postgres_ask("A00003")->err, ERR_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(every_type_asks, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(numbers, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(values_that_are_none, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(rows_granted, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(indexes_are_used, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(limits, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(lengths_of_columns, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(many_shapes, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(wrong_files, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(collation_that_folds, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(password_that_is_open_or_wrong, postgres_make, postgres_unmake),
        cmocka_unit_test_setup_teardown(tls, postgres_make, postgres_unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
