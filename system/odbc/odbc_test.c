/*
 * Real databases behind their ODBC drivers: what is granted and no more, nothing written, types both ways, statements that are cancelled,
 * and each way in which a database or its driver can be away or wrong. Run by tests/servers.py, which starts the servers. That the rows are
 * the same as through the connectors of their own is tests/connectors/agree_test.c.
 */
#include "system/odbc/odbc.h"

#include "base/mem.h"
#include "base/test.h"
#include "hub/department_testing.h"
#include "system/odbc/inside.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct hub_system_ops *const connectors[] = {&system_odbc_ops, NULL};
static struct fake_city city;

static const char *need(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fail_msg("%s is not set; mend: run it as tests/servers.py postgres mariadb -- PROGRAM", name);
    return value;
}

/* The administrator's SQL, by the client of the server's own package; what it prints. */
static const char *run_sql(bool is_postgres, const char *sql)
{
    static char out[65536];
    char command[1000], path[64] = "/tmp/citybrain_odbc_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, sql, strlen(sql)) == (ssize_t)strlen(sql));
    close(fd);
    if (is_postgres)
        snprintf(command, sizeof command, "psql -X -q -A -t -v ON_ERROR_STOP=1 -h %s -p %s -U postgres -d department -f %s 2>&1",
            need("CITYBRAIN_POSTGRES_SOCKET_DIR"), need("CITYBRAIN_POSTGRES_PORT"), path);
    else
        snprintf(command, sizeof command,
            "mariadb --no-defaults --batch --skip-column-names --default-character-set=utf8mb4 --socket=%s/socket --user=root department "
            "<%s 2>&1",
            need("CITYBRAIN_MARIADB_SOCKET_DIR"), path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(out, 1, sizeof out - 1, pipe);
    out[n] = '\0';
    int code = pclose(pipe);
    remove(path);
    if (code != 0)
        fail_msg("%s: %s", sql, out);
    return out;
}

/* ---- the three databases ---- */

enum engine { POSTGRES, MARIADB, SQLITE, N_ENGINES };
static const char *const engine_names[] = {"postgres", "mariadb", "sqlite"};

static void make_table(enum engine engine)
{
    static const char *const sql[] = {
        "SET client_min_messages = error; DROP TABLE IF EXISTS vehicle; DROP SEQUENCE IF EXISTS counted; CREATE SEQUENCE counted;"
        "CREATE TABLE vehicle (plate varchar(20) PRIMARY KEY, colour text, seats int, mass bigint, price numeric(12,0), weight double "
        "precision, "
        "rate numeric(10,3), electric boolean, since timestamptz, day date, photo bytea, owner text);"
        "INSERT INTO vehicle SELECT 'A' || lpad(i::text, 5, '0'), (ARRAY['white','黑😀',NULL])[1 + i % 3], i % 5, i * 10000000000, i, i / "
        "2.0, i / 8.0, i % 2 = 1, "
        "to_timestamp(1700000000 + i / 1000.0) + interval '123 microseconds', date '2024-02-29' + i, decode(lpad(to_hex(i), 4, '0'), "
        "'hex'), 'owner ' || i FROM generate_series(0, 1999) i;"
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'odbc') THEN CREATE ROLE odbc LOGIN PASSWORD 'ge;h=e}im 雨'; END "
        "IF; END $$;"
        "GRANT SELECT ON vehicle TO odbc; GRANT ALL ON SEQUENCE counted TO odbc",
        "DROP TABLE IF EXISTS vehicle; CREATE TABLE vehicle (plate VARCHAR(20) PRIMARY KEY, colour LONGTEXT, seats INT, mass BIGINT, price "
        "DECIMAL(12,0), weight DOUBLE, "
        "rate DECIMAL(10,3), electric BOOLEAN, since DATETIME(6), day DATE, photo VARBINARY(10), owner TEXT) CHARACTER SET utf8mb4;"
        "INSERT INTO vehicle SELECT CONCAT('A', LPAD(seq, 5, '0')), ELT(1 + seq % 3, 'white', '黑😀', NULL), seq % 5, seq * 10000000000, "
        "seq, seq / 2.0, seq / 8.0, seq % 2, "
        "TIMESTAMP'2023-11-15 06:13:20.000123' + INTERVAL seq * 1000 MICROSECOND, '2024-02-29' + INTERVAL seq DAY, UNHEX(LPAD(HEX(seq), 4, "
        "'0')), CONCAT('owner ', seq) FROM seq_0_to_1999;"
        "CREATE OR REPLACE USER odbc@'%' IDENTIFIED BY 'geheim'; GRANT SELECT ON department.* TO odbc@'%'",
        "CREATE TABLE vehicle (plate VARCHAR(20) PRIMARY KEY, colour TEXT, seats INTEGER, mass BIGINT, price INTEGER, weight DOUBLE, rate "
        "DOUBLE, electric INTEGER, since BIGINT, "
        "day BIGINT, photo BLOB, owner TEXT);"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1999) INSERT INTO vehicle SELECT printf('A%05d', i), "
        "CASE i % 3 WHEN 0 THEN 'white' WHEN 1 THEN "
        "'黑😀' END, i % 5, i * 10000000000, i, i / 2.0, i / 8.0, i % 2, 1700000000000 + i, 1709136000000 + i * 86400000, CAST(char(0, i % "
        "100 + 1) AS BLOB), 'owner ' || i FROM n;",
    };
    if (engine != SQLITE) {
        run_sql(engine == POSTGRES, sql[engine]);
        return;
    }
    char path[200];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/police.sqlite", city.data);
    remove(path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql[SQLITE], NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

#define FIELDS                                                                                                                             \
    "fields: [{name: plate, type: text, class: personal, key: true}, {name: colour, type: text, class: open}, {name: seats, type: "        \
    "integer, "                                                                                                                            \
    "class: open}, {name: mass, type: integer, class: open}, {name: price, type: integer, class: open}, {name: weight, type: real, "       \
    "class: open}, "                                                                                                                       \
    "{name: rate, type: real, class: open}, {name: electric, type: boolean, class: open}, {name: since, type: time, class: open}, "        \
    "{name: day, type: time, class: open}, {name: photo, type: bytes, class: open}, {name: owner, type: text, class: secret}]}\n"

static void write_system(enum engine engine, int port, const char *more, const char *bind, const char *fields)
{
    char text[8192], options[400];
    if (engine == POSTGRES)
        snprintf(options, sizeof options,
            "driver: PostgreSQL Unicode, dialect: postgres, user: odbc, password_file: \"{data}/secrets/postgres\", options: {Servername: "
            "127.0.0.1, Port: \"%d\", "
            "Database: department, BoolsAsChar: \"0\", ByteaAsLongVarBinary: \"1\"}",
            port);
    else if (engine == MARIADB)
        snprintf(options, sizeof options,
            "driver: MariaDB Unicode, dialect: mariadb, user: odbc, password_file: \"{data}/secrets/mariadb\", options: {SERVER: "
            "127.0.0.1, PORT: \"%d\", DATABASE: department}",
            port);
    else
        snprintf(options, sizeof options, "driver: SQLite3, dialect: sqlite, options: {Database: \"{data}/police.sqlite\"}");
    snprintf(text, sizeof text, "connection: {%s%s}\nresources:\n  - {name: vehicle, title: {zh: 车, en: V}, kind: table, bind: {%s}, %s",
        options, more, bind, fields);
    fake_department_write(&city, "odbc", text);
}

static int port_of(enum engine engine)
{
    return engine == SQLITE ? 0 : (int)strtol(need(engine == POSTGRES ? "CITYBRAIN_POSTGRES_PORT" : "CITYBRAIN_MARIADB_PORT"), NULL, 10);
}

static void make(enum engine engine)
{
    fake_department_make(&city, connectors);
    fake_department_secret(&city, "postgres", "ge;h=e}im 雨\n");
    fake_department_secret(&city, "mariadb", "geheim\n");
    make_table(engine);
    fake_department_grant(&city, "[plate, colour, seats, mass, price, weight, rate, electric, since, day, photo]", NULL);
    write_system(engine, port_of(engine), "", "table: vehicle", FIELDS);
}

static void finish(void)
{
    if (!city.hub)
        fake_city_unload(&city);
    fake_department_finish(&city);
    memset(&city, 0, sizeof city);
}

static const struct fake_answer *ask_plate(const char *plate)
{
    const struct value value = value_text(str_from_c(plate));
    return fake_ask(&city, &(struct fake_question){.outputs = {"plate", "colour", "seats"}, .where = {{"plate", SQL_EQ, &value, 1}}});
}

/* ---- tests ---- */

static void answers(void **state)
{
    for (enum engine engine = 0; engine < N_ENGINES; engine++) {
        make(engine);
        fake_department_load(&city);
        const struct value plate = value_text(STR("A00004"));
        const struct fake_answer *answer = fake_ask(&city,
            &(struct fake_question){.outputs = {"plate", "colour", "seats", "mass", "price", "weight", "rate", "electric", "since", "day"},
                .where = {{"plate", SQL_EQ, &plate, 1}}});
        assert_ok(answer->err);
        if (strcmp(answer->text, "A00004|黑😀|4|40000000000|4|2|0.5|false|@1700000000004|@1709481600000") != 0)
            fail_msg("%s: %s", engine_names[engine], answer->text);
        assert_string_equal(ask_plate("' OR 1=1 --")->text, "");
        assert_string_equal(ask_plate("A00002")->text, "A00002|NULL|2");
        const struct value colour = value_text(STR("黑😀")), since = value_time(1700000000100), yes = value_boolean(true),
                           mass = value_integer(90000000000);
        const struct value weight = value_real(6.5), photo = {VALUE_BYTES, .s = {"\0\x05", 2}}, day = value_time(1709136000000);
        assert_string_equal(
            fake_ask(&city, &(struct fake_question){.outputs = {"count(*)"}, .where = {{"colour", SQL_EQ, &colour, 1}}})->text, "667");
        assert_string_equal(
            fake_ask(&city, &(struct fake_question){.outputs = {"count(*)"}, .where = {{"since", SQL_LE, &since, 1}}})->text, "101");
        assert_string_equal(
            fake_ask(&city, &(struct fake_question){.outputs = {"count(*)"}, .where = {{"electric", SQL_EQ, &yes, 1}}})->text, "1000");
        assert_string_equal(
            fake_ask(&city, &(struct fake_question){.outputs = {"plate"}, .where = {{"mass", SQL_EQ, &mass, 1}}})->text, "A00009");
        assert_string_equal(
            fake_ask(&city, &(struct fake_question){.outputs = {"plate"}, .where = {{"weight", SQL_EQ, &weight, 1}}})->text, "A00013");
        assert_string_equal(
            fake_ask(&city, &(struct fake_question){.outputs = {"plate"}, .where = {{"day", SQL_EQ, &day, 1}}})->text, "A00000");
        answer = fake_ask(&city, &(struct fake_question){.outputs = {"photo"}, .where = {{"photo", SQL_EQ, &photo, 1}}, .n_rows_max = 1});
        if (strcmp(answer->text, "0005") != 0)
            fail_msg("%s: %s, %s", engine_names[engine], err_text(answer->err), answer->text);
        answer = fake_ask(&city, &(struct fake_question){.outputs = {"plate"}, .n_rows_max = 10});
        assert_true(answer->n_rows == 10 && answer->is_truncated);
        assert_err(fake_ask(&city, &(struct fake_question){.outputs = {"plate", "mass"}, .n_rows_max = 2000, .n_bytes_max = 20000})->err,
            ERR_TOO_LARGE);
        finish();
    }
}

static void rows_granted(void **state)
{
    for (enum engine engine = 0; engine < N_ENGINES; engine++) {
        make(engine);
        fake_department_grant(
            &city, "[plate, colour, seats]", "seats IN (3, 4) AND owner <> 'owner 4' AND since < '2023-11-14T22:13:20.010Z'");
        fake_department_load(&city);
        assert_string_equal(
            fake_ask(&city, &(struct fake_question){.outputs = {"plate"}, .order = {"plate"}})->text, "A00003;A00008;A00009");
        assert_int_equal(ask_plate("A00004")->n_rows, 0);
        finish();
    }
}

/* Nothing is written: not by a binding either, whatever the role may do; the database's own counts say so. */
static void untouched(void **state)
{
    make(POSTGRES);
    const char *counts =
        "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = 'vehicle'; SELECT last_value FROM counted; "
        "SELECT md5(string_agg(v::text, '|' ORDER BY plate)) FROM vehicle v";
    char before[400];
    usleep(200000);
    snprintf(before, sizeof before, "%s", run_sql(true, counts));
    fake_department_load(&city);
    for (int i = 0; i < 20; i++)
        assert_ok(ask_plate("A00003")->err);
    finish();
    usleep(200000);
    assert_string_equal(run_sql(true, counts), before);
    make(POSTGRES);
    snprintf(before, sizeof before, "%s", run_sql(true, "SELECT last_value FROM counted"));
    write_system(POSTGRES, port_of(POSTGRES), "",
        "select: \"SELECT plate, nextval('counted')::text AS colour, seats, mass, price, weight, rate, electric, since, day, photo, owner "
        "FROM vehicle\"",
        FIELDS);
    struct diag_list diags;
    if (fake_city_load(&city, &diags) == ERR_OK)
        assert_err(ask_plate("A00003")->err, ERR_UNAVAILABLE);
    assert_string_equal(run_sql(true, "SELECT last_value FROM counted"), before);
    finish();
    make(MARIADB);
    run_sql(false, "GRANT ALL ON department.* TO odbc@'%'; CREATE OR REPLACE FUNCTION writes() RETURNS INT DETERMINISTIC MODIFIES SQL DATA "
                   "RETURN (SELECT COUNT(*) FROM vehicle)");
    run_sql(false, "CREATE OR REPLACE TABLE touched (n INT); DROP FUNCTION writes");
    char outfile[200], select[300];
    snprintf(outfile, sizeof outfile, "%s/outfile", city.data);
    snprintf(select, sizeof select, "select: \"SELECT * FROM vehicle INTO OUTFILE '%s'\"", outfile);
    write_system(MARIADB, port_of(MARIADB), "", select, FIELDS);
    assert_true(fake_city_load(&city, &diags) != ERR_OK);
    assert_int_not_equal(access(outfile, F_OK), 0);
    finish();
    make(SQLITE);
    char path[200];
    unsigned char bytes[2][100];
    snprintf(path, sizeof path, "%s/police.sqlite", city.data);
    FILE *file = fopen(path, "rb");
    assert_int_equal(fread(bytes[0], 1, 100, file), 100);
    fclose(file);
    fake_department_load(&city);
    assert_ok(ask_plate("A00003")->err);
    file = fopen(path, "rb");
    assert_int_equal(fread(bytes[1], 1, 100, file), 100); /* the header has the count of changes */
    fclose(file);
    assert_memory_equal(bytes[0], bytes[1], 100);
    finish();
}

/* A statement that takes too long is ended in the database, and does not hold up the others. */
static void slow_ones(void **state)
{
    static const char *const selects[] = {
        "SELECT plate, colour, seats, mass, price, weight, rate, electric, since, day, photo, owner FROM vehicle WHERE plate <> 'A00007' "
        "OR pg_sleep(20) IS NULL",
        "SELECT plate, colour, seats, mass, price, weight, rate, electric, since, day, photo, owner FROM vehicle WHERE plate <> 'A00007' "
        "OR (SELECT SUM(a.seq * b.seq + seats) FROM seq_1_to_1000000 a, seq_1_to_1000000 b) < 0",
        "SELECT plate, colour, seats, mass, price, weight, rate, electric, since, day, photo, owner FROM vehicle WHERE plate <> 'A00007' "
        "OR (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
        "FROM n) SELECT count(*) FROM n) < 0",
    };
    for (enum engine engine = 0; engine < N_ENGINES; engine++) {
        char bind[600];
        const struct value plate = value_text(STR("A00007"));
        make(engine);
        snprintf(bind, sizeof bind, "select: \"%s\"", selects[engine]);
        write_system(engine, port_of(engine), ", timeout: 300ms, connections: 2", bind, FIELDS);
        fake_department_load(&city);
        const struct mono_time begun = clock_mono(clock_system());
        struct fake_asking *slow =
            fake_ask_start(&city, &(struct fake_question){.outputs = {"plate"}, .where = {{"plate", SQL_EQ, &plate, 1}}});
        enum err err = fake_ask_end(&city, slow);
        if (err != ERR_TIMEOUT)
            fail_msg("%s: %s", engine_names[engine], err_text(err));
        assert_true(mono_ms_between(begun, clock_mono(clock_system())) < 15000); /* not by sleeping it out */
        for (int i = 0; i < 200 && ask_plate("A00003")->err; i++)
            usleep(10000);
        assert_string_equal(ask_plate("A00003")->text, "A00003|white|3");
        finish();
    }
}

/* The network, or the server, says nothing any more: the asker is answered, and when it speaks again so are the others. */
static void silence(void **state)
{
    for (enum engine engine = POSTGRES; engine <= MARIADB; engine++) {
        make(engine);
        struct fake_proxy *proxy = fake_proxy_start(port_of(engine));
        write_system(engine, fake_proxy_port(proxy), ", timeout: 300ms, connections: 2", "table: vehicle", FIELDS);
        fake_department_load(&city);
        for (int i = 0; i < 500 && ask_plate("A00003")->err; i++)
            usleep(10000);
        assert_ok(ask_plate("A00003")->err);
        fake_proxy_set(proxy, FAKE_PROXY_SILENT);
        enum err err = ask_plate("A00003")->err;
        if (err != ERR_TIMEOUT && err != ERR_UNAVAILABLE)
            fail_msg("%s: %s", engine_names[engine], err_text(err));
        fake_proxy_set(proxy, FAKE_PROXY_CLOSED);
        fake_proxy_set(proxy, FAKE_PROXY_PASS);
        const struct mono_time begun = clock_mono(clock_system());
        while (ask_plate("A00003")->err && mono_ms_between(begun, clock_mono(clock_system())) < 30000)
            usleep(20000);
        assert_string_equal(ask_plate("A00003")->text, "A00003|white|3");
        fake_city_unload(&city);
        fake_proxy_stop(proxy);
        finish();
    }
}

static void files_that_are_wrong(void **state)
{
    static const char *const table = "table: vehicle";
    static const struct {
        const char *more, *bind, *fields, *says;
    } rows[] = {
        {"", "table: nothing", FIELDS, "is not to be had from the department's database"},
        {"", "table: vehicle", "fields: [{name: plate, type: text, class: open, key: true}, {name: wheels, type: integer, class: open}]}\n",
            "field \"wheels\" is not to be had"},
        {"", "table: vehicle", "fields: [{name: plate, type: integer, class: open, key: true}]}\n",
            "is declared as integer, but the department's column is VARCHAR"},
        {"", "table: vehicle", "fields: [{name: plate, type: text, class: open, key: true}, {name: mass, type: text, class: open}]}\n",
            "the department's column is BIGINT"},
        {"", "table: vehicle", "fields: [{name: plate, type: text, class: open, key: true}, {name: since, type: real, class: open}]}\n",
            "the department's column is TIMESTAMP"},
        {", dsn: x", table, FIELDS, "one of the two"},
        {", timeout: 0s", table, FIELDS, "between 1ms and 60s"},
        {", password: x", table, FIELDS, "password"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list diags;
        make(POSTGRES);
        fake_department_grant(&city, "[plate]", NULL);
        write_system(POSTGRES, port_of(POSTGRES), rows[i].more, rows[i].bind, rows[i].fields);
        enum err err = fake_city_load(&city, &diags);
        if (!err || !strstr(diags.diags[0].text, rows[i].says) || !strstr(diags.diags[0].text, "systems/police.yaml:"))
            fail_msg("row %zu: %s", i, diags.n ? diags.diags[0].text : "accepted");
        finish();
    }
    static const char *const connections[] = {"driver: No Such Driver, dialect: ansi", "driver: SQLite3, dialect: dbase", "driver: SQLite3",
        "driver: SQLite3, dialect: sqlite, options: {PWD: x}"};
    static const char *const says[] = {"the driver for the database is not there", "dialect", "dialect", "does not stand here"};
    for (size_t i = 0; i < 4; i++) {
        struct diag_list diags;
        char text[2000];
        make(SQLITE);
        snprintf(text, sizeof text,
            "connection: {%s}\nresources:\n  - {name: vehicle, title: {zh: 车, en: V}, kind: table, bind: {table: vehicle}, " FIELDS,
            connections[i]);
        fake_department_write(&city, "odbc", text);
        assert_true(fake_city_load(&city, &diags) != ERR_OK);
        if (!strstr(diags.diags[0].text, says[i]))
            fail_msg("connection %zu: %s", i, diags.diags[0].text);
        finish();
    }
}

/* Away while the city is loaded: no error of its file; there when it is back. */
static void away_at_first(void **state)
{
    make(POSTGRES);
    struct fake_proxy *proxy = fake_proxy_start(port_of(POSTGRES));
    write_system(POSTGRES, fake_proxy_port(proxy), "", "table: vehicle", FIELDS);
    fake_proxy_set(proxy, FAKE_PROXY_CLOSED);
    fake_department_load(&city);
    assert_err(ask_plate("A00003")->err, ERR_UNAVAILABLE);
    fake_proxy_set(proxy, FAKE_PROXY_PASS);
    const struct mono_time begun = clock_mono(clock_system());
    while (ask_plate("A00003")->err && mono_ms_between(begun, clock_mono(clock_system())) < 30000)
        usleep(20000);
    assert_string_equal(ask_plate("A00003")->text, "A00003|white|3");
    fake_city_unload(&city);
    fake_proxy_stop(proxy);
    finish();
}

static void wide_texts(void **state)
{
    static const char *const texts[] = {"", "a", "é", "雨", "😀", "a雨😀é\x7f", "\xf4\x8f\xbf\xbf", "\xef\xbf\xbd"};
    struct arena arena;
    struct buf out;
    SQLWCHAR *wide;
    size_t n;
    arena_init(&arena, 65536);
    buf_init(&out, 65536);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_ok(odbc_to_wide(&arena, str_from_c(texts[i]), &wide, &n));
        buf_reset(&out);
        assert_ok(odbc_from_wide(wide, n, &out));
        assert_str(buf_str(&out), texts[i]);
    }
    assert_err(odbc_to_wide(&arena, STR("\xed\xa0\x80"), &wide, &n), ERR_RANGE);
    static const SQLWCHAR halves[][2] = {{0xd800, 'a'}, {0xdc00, 'a'}, {'a', 0xd800}, {0xd800, 0xd800}};
    for (size_t i = 0; i < 4; i++)
        assert_err(odbc_from_wide(halves[i], 2, &out), ERR_SYNTAX);
    buf_finish(&out);
    arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wide_texts), cmocka_unit_test(answers), cmocka_unit_test(rows_granted),
        cmocka_unit_test(untouched), cmocka_unit_test(slow_ones), cmocka_unit_test(silence), cmocka_unit_test(files_that_are_wrong),
        cmocka_unit_test(away_at_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
