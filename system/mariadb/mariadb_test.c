/*
 * A department's real MariaDB through the connector: what is granted and no more, nothing written, types both ways, and each way in which
 * the database can be away, slow, changed or wrong. Run by tests/servers.py, which starts the server.
 */
#include "system/mariadb/mariadb.h"

#include "base/mem.h"
#include "base/test.h"
#include "hub/department_testing.h"
#include "hub/parts.h"
#include "system/mariadb/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fake_city city;
static const struct hub_system_ops *const connectors[] = {&system_mariadb_ops, NULL};
static struct fake_proxy *proxy;

static const char *need(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fail_msg("%s is not set; mend: run it as tests/servers.py mariadb -- PROGRAM", name);
    return value;
}

static int server_port(void)
{
    return (int)strtol(need("CITYBRAIN_MARIADB_PORT"), NULL, 10);
}

/* ---- the department's own side ---- */

static MYSQL *admin(void)
{
    static MYSQL *mysql;
    char path[200];
    if (mysql)
        return mysql;
    mysql = mysql_init(NULL);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    snprintf(path, sizeof path, "%s/socket", need("CITYBRAIN_MARIADB_SOCKET_DIR"));
    if (!mysql_real_connect(mysql, NULL, "root", NULL, "department", 0, path, CLIENT_MULTI_STATEMENTS))
        fail_msg("%s", mysql_error(mysql));
    return mysql;
}

/* The first value of the last answer, as text. */
static const char *run_sql(const char *sql)
{
    static char text[512];
    text[0] = '\0';
    int code = mysql_query(admin(), sql);
    while (code == 0) {
        MYSQL_RES *result = mysql_store_result(admin());
        MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
        if (row)
            snprintf(text, sizeof text, "%s", row[0] ? row[0] : "NULL");
        mysql_free_result(result);
        code = mysql_next_result(admin());
    }
    if (code > 0)
        fail_msg("%s: %s", sql, mysql_error(admin()));
    return text;
}

#define USERS                                                                                                                               \
    "DROP DATABASE IF EXISTS department; CREATE DATABASE department CHARACTER SET utf8mb4; USE department; CREATE OR REPLACE USER "         \
    "hub@'%' "                                                                                                                              \
    "IDENTIFIED BY 'geheim 雨'; CREATE OR REPLACE USER writer@'%' IDENTIFIED BY 'geheim 雨'; CREATE OR REPLACE USER boss@'%' IDENTIFIED " \
    "BY "                                                                                                                                   \
    "'geheim 雨'; GRANT SELECT ON department.* TO hub@'%'; GRANT ALL ON department.* TO writer@'%'; GRANT ALL ON *.* TO boss@'%';"
#define MAKE                                                                                                                               \
    "SET time_zone = '+08:00'; CREATE TABLE vehicle (plate VARCHAR(20) PRIMARY KEY, colour LONGTEXT, kind CHAR(6), seats INT UNSIGNED, "   \
    "mass "                                                                                                                                \
    "BIGINT, price DECIMAL(12,0), weight DOUBLE, height FLOAT, rate DECIMAL(10,3), electric BOOLEAN, since TIMESTAMP(3) NULL, bought "     \
    "DATETIME(6), day DATE, photo VARBINARY(10), owner TEXT, KEY (kind), KEY (since), KEY (day), KEY (price));"                            \
    "INSERT INTO vehicle SELECT CONCAT('A', LPAD(seq, 5, '0')), ELT(1 + seq % 3, 'white', 'black', NULL), CONCAT('k', seq % 7), seq % 5, " \
    "seq * 10000000000, seq, seq / 2.0, seq / 4.0, seq / 8.0, seq % 2, FROM_UNIXTIME(1700000000 + seq / 1000), '2024-02-29 "               \
    "23:59:59.123456' + "                                                                                                                  \
    "INTERVAL seq SECOND, '2024-02-29' + INTERVAL seq DAY, UNHEX(LPAD(HEX(seq), 4, '0')), CONCAT('owner ', seq) FROM seq_0_to_1999;"

#define CONNECTION                                                                                                                         \
    "connection: {host: 127.0.0.1, port: %d, database: department, user: %s, password_file: \"{data}/secrets/department\", timeout: "      \
    "%s%s}\nresources:\n"
#define VEHICLE                                                                                                                            \
    "  - name: vehicle\n    title: {zh: 车, en: Vehicles}\n    kind: table\n    bind: {table: vehicle}\n    fields:\n"                    \
    "      - {name: plate, type: text, class: personal, key: true}\n"                                                                      \
    "      - {name: colour, type: text, class: internal, key: true}\n"                                                                     \
    "      - {name: kind, type: text, class: internal}\n"                                                                                  \
    "      - {name: seats, type: integer, class: internal}\n"                                                                              \
    "      - {name: mass, type: integer, class: internal}\n"                                                                               \
    "      - {name: price, type: integer, class: internal}\n"                                                                              \
    "      - {name: weight, type: real, class: internal}\n"                                                                                \
    "      - {name: height, type: real, class: internal}\n"                                                                                \
    "      - {name: rate, type: real, class: internal}\n"                                                                                  \
    "      - {name: electric, type: boolean, class: open}\n"                                                                               \
    "      - {name: since, type: time, class: internal}\n"                                                                                 \
    "      - {name: bought, type: time, class: internal}\n"                                                                                \
    "      - {name: day, type: time, class: internal}\n"                                                                                   \
    "      - {name: photo, type: bytes, class: internal}\n"                                                                                \
    "      - {name: owner, type: text, class: secret}\n"
#define GRANTED "[plate, colour, kind, seats, mass, price, weight, height, rate, electric, since, bought, day, photo]"

static void write_system(int port, const char *user, const char *timeout, const char *more, const char *resources)
{
    char text[8192];
    int n = snprintf(text, sizeof text, CONNECTION "%s", port, user, timeout, more, resources);
    assert_true(n > 0 && (size_t)n < sizeof text);
    fake_department_write(&city, "mariadb", text);
}

static int make(void **state)
{
    run_sql(USERS MAKE);
    fake_department_make(&city, connectors);
    fake_department_secret(&city, "department", "geheim 雨\n");
    fake_department_grant(&city, GRANTED, NULL);
    write_system(server_port(), "hub", "500ms", "", VEHICLE);
    return 0;
}

static int finish(void **state)
{
    if (city.hub)
        fake_city_unload(&city);
    if (proxy)
        fake_proxy_stop(proxy);
    proxy = NULL;
    fake_department_finish(&city);
    return 0;
}

static struct mariadb_system *the_system(void)
{
    return ((struct hub_plan *)fake_department_plan(&city))->system;
}

static const struct fake_answer *ask_plate(const char *plate)
{
    const struct value value = value_text(str_from_c(plate));
    return fake_ask(&city, &(struct fake_question){.outputs = {"plate", "colour", "seats"}, .where = {{"plate", SQL_EQ, &value, 1}}});
}

static void until_it_answers(void)
{
    enum err err = ERR_UNAVAILABLE;
    for (int i = 0; i < 150 && err; i++) {
        err = ask_plate("A00003")->err;
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
        err = ask_plate("A00003")->err;
    assert_err(err, ERR_UNAVAILABLE);
}

/* ---- answers ---- */

static void answers(void **state)
{
    fake_department_load(&city);
    const struct value plate = value_text(STR("A00003"));
    const struct fake_answer *answer =
        fake_ask(&city, &(struct fake_question){.outputs = {"plate", "colour", "kind", "seats", "mass", "price", "weight", "height", "rate",
                                                    "electric", "since", "bought", "day", "photo"},
                            .where = {{"plate", SQL_EQ, &plate, 1}}});
    assert_ok(answer->err);
    assert_string_equal(
        answer->text, "A00003|white|k3|3|30000000000|3|1.5|0.75|0.375|true|@1700000000003|@1709222402123|@1709395200000|0003");
    assert_string_equal(ask_plate("' OR 1=1 --")->text, "");
    assert_string_equal(ask_plate("a00003")->text, ""); /* whatever the department's collation folds */
    assert_string_equal(ask_plate("A00003 ")->text, "");
    assert_string_equal(ask_plate("A00002")->text, "A00002|NULL|2");
}

static void every_type_asks(void **state)
{
    fake_department_load(&city);
    static const struct {
        const char *column;
        struct value value;
        const char *plates;
    } rows[] = {
        {"plate", {VALUE_TEXT, .s = STR_INIT("A00007")}, "A00007"},
        {"kind", {VALUE_TEXT, .s = STR_INIT("k6")}, "A00006;A00013;A00020"},
        {"seats", {VALUE_INTEGER, .i = 4}, "A00004;A00009;A00014"},
        {"seats", {VALUE_INTEGER, .i = INT64_MAX}, ""},
        {"seats", {VALUE_INTEGER, .i = INT64_MIN}, ""},
        {"mass", {VALUE_INTEGER, .i = 90000000000}, "A00009"},
        {"price", {VALUE_INTEGER, .i = 11}, "A00011"},
        {"weight", {VALUE_REAL, .r = 6.5}, "A00013"},
        {"height", {VALUE_REAL, .r = 1.25}, "A00005"},
        {"rate", {VALUE_REAL, .r = 0.125}, "A00001"},
        {"electric", {VALUE_BOOLEAN, .i = 1}, "A00001;A00003;A00005"},
        {"since", {VALUE_TIME, .i = 1700000000012}, "A00012"},
        {"bought", {VALUE_TIME, .i = 1709222400123}, "A00001"},
        {"day", {VALUE_TIME, .i = 1709136000000}, "A00000"},
        {"photo", {VALUE_BYTES, .s = {"\0\x0f", 2}}, "A00015"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct fake_answer *answer = fake_ask(
            &city, &(struct fake_question){
                       .outputs = {"plate"}, .where = {{rows[i].column, SQL_EQ, &rows[i].value, 1}}, .order = {"plate"}, .n_rows_max = 3});
        assert_ok(answer->err);
        if (strcmp(answer->text, rows[i].plates) != 0)
            fail_msg("row %zu, %s: %s", i, rows[i].column, answer->text);
    }
    const struct value bounds[] = {value_time(1700000000100), value_time(1700000000102)};
    const struct fake_answer *answer = fake_ask(&city, &(struct fake_question){.outputs = {"plate", "since"},
                                                           .where = {{"since", SQL_GT, &bounds[0], 1}, {"since", SQL_LE, &bounds[1], 1}},
                                                           .order = {"-since"}});
    assert_string_equal(answer->text, "A00102|@1700000000102;A00101|@1700000000101");
    answer = fake_ask(&city, &(struct fake_question){.outputs = {"count(*)", "count(colour)", "count(distinct kind)", "sum(mass)",
                                                         "sum(weight)", "max(since)", "min(plate)"}});
    assert_string_equal(answer->text, "2000|1334|7|19990000000000000|999500|@1700000001999|A00000");
    answer = fake_ask(&city, &(struct fake_question){.outputs = {"colour", "count(*)"}, .order = {"colour"}});
    assert_string_equal(answer->text, "NULL|666;black|667;white|667");
    static const char *const moments[] = {"since", "bought", "day"}; /* before and after every time that the database holds */
    const struct value first = value_time(INT64_MIN), last = value_time(INT64_MAX);
    for (size_t i = 0; i < 3; i++) {
        answer = fake_ask(&city,
            &(struct fake_question){.outputs = {"count(*)"}, .where = {{moments[i], SQL_GE, &first, 1}, {moments[i], SQL_LE, &last, 1}}});
        assert_string_equal(answer->text, "2000");
        answer = fake_ask(&city, &(struct fake_question){.outputs = {"count(*)"}, .where = {{moments[i], SQL_GT, &last, 1}}});
        assert_string_equal(answer->text, "0");
    }
}

static void values_that_are_none(void **state)
{
    run_sql("SET sql_mode = ''; UPDATE vehicle SET electric = 7 WHERE plate = 'A00000'; UPDATE vehicle SET day = '0000-00-00' WHERE plate "
            "= 'A00001'; ALTER TABLE "
            "vehicle MODIFY mass BIGINT UNSIGNED; UPDATE vehicle SET mass = 18446744073709551615 WHERE plate = 'A00002'; UPDATE vehicle "
            "SET bought = '1000-01-01' "
            "WHERE plate = 'A00003'");
    static const char *const columns[] = {"electric", "day", "mass"};
    fake_department_load(&city);
    for (size_t i = 0; i < 3; i++) {
        char plate[16];
        snprintf(plate, sizeof plate, "A0000%zu", i);
        const struct value value = value_text(str_from_c(plate));
        assert_err(fake_ask(&city, &(struct fake_question){.outputs = {columns[i]}, .where = {{"plate", SQL_EQ, &value, 1}}})->err,
            ERR_UNAVAILABLE);
        assert_ok(ask_plate(plate)->err);
    }
    const struct value long_ago = value_time(-30610252800000); /* 1000-01-01 in Shanghai: no trouble with 1970 or 2038 */
    assert_string_equal(
        fake_ask(&city, &(struct fake_question){.outputs = {"plate", "bought"}, .where = {{"bought", SQL_LE, &long_ago, 1}}})->text,
        "A00003|@-30610252800000");
    run_sql("UPDATE vehicle SET mass = 9223372036854775807");
    assert_err(fake_ask(&city, &(struct fake_question){.outputs = {"sum(mass)"}})->err, ERR_RANGE);
}

static void rows_granted(void **state)
{
    fake_department_grant(&city, GRANTED,
        "seats IN (3, 4) AND owner <> 'owner 4' AND since < '2023-11-14T22:13:20.010Z' AND day >= '2024-02-29T00:00:00+08:00'");
    fake_department_load(&city);
    assert_int_equal(ask_plate("A00003")->n_rows, 1);
    assert_int_equal(ask_plate("A00004")->n_rows, 0);
    assert_int_equal(ask_plate("A00002")->n_rows, 0);
    assert_int_equal(ask_plate("A00013")->n_rows, 0);
    assert_string_equal(fake_ask(&city, &(struct fake_question){.outputs = {"count(*)"}})->text, "3");
}

static void limits(void **state)
{
    run_sql("UPDATE vehicle SET colour = REPEAT('x', 3000), seats = 1");
    fake_department_load(&city);
    const struct value one = value_integer(1), plate = value_text(STR("A00003"));
    const struct fake_answer *answer =
        fake_ask(&city, &(struct fake_question){.outputs = {"plate"}, .where = {{"seats", SQL_EQ, &one, 1}}});
    assert_int_equal(answer->n_rows, 1000);
    assert_true(answer->is_truncated);
    assert_err(fake_ask(&city, &(struct fake_question){.outputs = {"colour"}})->err, ERR_TOO_LARGE); /* 3 MB in small values */
    run_sql("SET GLOBAL max_allowed_packet = 1073741824");
    run_sql(
        "SET STATEMENT max_statement_time = 0 FOR UPDATE vehicle SET colour = REPEAT('雨', 5000000) WHERE plate = 'A00003'"); /* 15 MB in
                                                                                                                                 one */
    assert_err(
        fake_ask(&city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &plate, 1}}})->err, ERR_TOO_LARGE);
    assert_ok(fake_ask(&city, &(struct fake_question){.outputs = {"seats"}, .where = {{"plate", SQL_EQ, &plate, 1}}})->err);
    run_sql("UPDATE vehicle SET colour = REPEAT('雨', 349525) WHERE plate = 'A00003'"); /* a byte below the limit */
    assert_ok(
        fake_ask(&city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &plate, 1}}, .n_bytes_max = 2 << 20})
            ->err);
    run_sql("UPDATE vehicle SET colour = REPEAT('x', 20000)"); /* 40 MB: the connection is given up, and the next one answers */
    assert_err(fake_ask(&city, &(struct fake_question){.outputs = {"colour"}, .n_rows_max = 100000})->err, ERR_TOO_LARGE);
    assert_ok(fake_ask(&city, &(struct fake_question){.outputs = {"seats"}, .where = {{"plate", SQL_EQ, &plate, 1}}})->err);
}

static void many_shapes(void **state)
{
    static const char *const all[] = {"plate", "colour", "kind", "seats", "mass", "price", "weight", "height"};
    fake_department_load(&city);
    const struct value plate = value_text(STR("A00003"));
    for (unsigned round = 0; round < 2; round++)
        for (unsigned bits = 1; bits < 256; bits++) {
            struct fake_question question = {.where = {{"plate", SQL_EQ, &plate, 1}}};
            size_t n = 0;
            for (unsigned i = 0; i < 8; i++)
                if (bits >> i & 1)
                    question.outputs[n++] = all[i];
            assert_int_equal(fake_ask(&city, &question)->n_rows, 1);
        }
    assert_true(strtol(run_sql("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'"),
                    NULL, 10) <= MARIADB_STATEMENTS_MAX * 4);
    struct value keys[SQL_IN_MAX];
    char texts[SQL_IN_MAX][8];
    for (size_t i = 0; i < SQL_IN_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "A%05zu", 2 * i);
        keys[i] = value_text(str_from_c(texts[i]));
    }
    assert_string_equal(
        fake_ask(&city, &(struct fake_question){.outputs = {"count(*)"}, .where = {{"plate", SQL_IN, keys, SQL_IN_MAX}}})->text, "1000");
}

/* ---- the department's file ---- */

static void wrong_files(void **state)
{
#define FIELDS                                                                                                                             \
    "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {%s}\n    fields:\n      - {name: plate, type: text, "     \
    "class: open, key: true}\n"
    static const struct {
        const char *bind, *field, *more;
        int line;
        const char *says;
    } rows[] = {
        {"table: vehicle", "{name: phone, type: text, class: open}", "", 11,
            "field \"phone\" is not to be had from the department's database: Unknown column 'phone'"},
        {"table: vehicles", "{name: colour, type: text, class: open}", "", 10, "Table 'department.vehicles' doesn't exist"},
        {"table: mysql.user", "{name: User, type: text, class: open}", "", 10, "name"},
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
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list diags;
        char text[2048], place[160];
        snprintf(text, sizeof text, FIELDS "      - %s\n", rows[i].bind, rows[i].field);
        write_system(server_port(), "hub", "500ms", rows[i].more, text);
        fake_department_grant(&city, "[plate]", NULL);
        if (fake_city_load(&city, &diags) == ERR_OK)
            fail_msg("row %zu was accepted", i);
        snprintf(place, sizeof place, "%s/systems/police.yaml:%d: ", city.dir, rows[i].line);
        if (i != 2 && (strncmp(diags.diags[0].text, place, strlen(place)) != 0 || !strstr(diags.diags[0].text, rows[i].says)))
            fail_msg("row %zu should say \"%s\" at line %d: %s", i, rows[i].says, rows[i].line, diags.diags[0].text);
        fake_city_unload(&city);
    }
    struct diag_list diags;
    write_system(server_port(), "boss", "500ms", "", VEHICLE);
    fake_department_grant(&city, GRANTED, NULL);
    assert_err(fake_city_load(&city, &diags), ERR_DENIED);
    assert_non_null(strstr(diags.diags[0].text, "systems/police.yaml:3: the role is a superuser"));
    fake_city_unload(&city);
}

/* ---- away, slow, changed ---- */

static void behind_a_proxy(void)
{
    proxy = fake_proxy_start(server_port());
    write_system(fake_proxy_port(proxy), "hub", "500ms", "", VEHICLE);
}

static void away_and_back(void **state)
{
    behind_a_proxy();
    fake_proxy_set(proxy, FAKE_PROXY_CLOSED);
    fake_department_load(&city);
    until_it_is_gone();
    fake_proxy_set(proxy, FAKE_PROXY_PASS);
    until_it_answers();
    fake_proxy_set(proxy, FAKE_PROXY_CLOSED);
    until_it_is_gone();
    for (int i = 0; i < 20; i++)
        assert_err(ask_plate("A00003")->err, ERR_UNAVAILABLE);
    fake_proxy_set(proxy, FAKE_PROXY_PASS);
    until_it_answers();
}

static void silence_and_slow_bytes(void **state)
{
    behind_a_proxy();
    for (enum fake_proxy_mode mode = FAKE_PROXY_SILENT; mode <= FAKE_PROXY_SLOW; mode++) {
        fake_proxy_set(proxy, FAKE_PROXY_PASS);
        fake_department_load(&city);
        until_it_answers();
        fake_proxy_set(proxy, mode);
        struct mono_time before = clock_mono(clock_system());
        assert_err(fake_ask(&city, &(struct fake_question){.outputs = {"plate"}})->err, ERR_TIMEOUT);
        int64_t ms = mono_ms_between(before, clock_mono(clock_system()));
        print_message("%s ended after %lld ms\n", mode == FAKE_PROXY_SILENT ? "silence" : "a byte each 20 ms", (long long)ms);
        assert_true(ms < 10000);
        fake_proxy_set(proxy, FAKE_PROXY_PASS);
        until_it_answers();
        fake_city_unload(&city);
    }
}

static void sessions_that_are_ended(void **state)
{
    enum { N = 1000 };
    static struct fake_asking *askings[N];
    static char plates[N][8];
    static struct value values[N];
    size_t n_ok = 0, n_killed = 0;
    write_system(server_port(), "hub", "5s", "", VEHICLE); /* time enough to come back on a busy machine */
    fake_department_load(&city);
    until_it_answers();
    for (size_t i = 0; i < N; i++) {
        snprintf(plates[i], sizeof plates[i], "A%05zu", i);
        values[i] = value_text(str_from_c(plates[i]));
        askings[i] = fake_ask_start(&city, &(struct fake_question){.outputs = {"plate"}, .where = {{"plate", SQL_EQ, &values[i], 1}}});
        if (i % 400 == 200) {
            run_sql("KILL USER hub");
            n_killed++;
        }
    }
    for (size_t i = 0; i < N; i++)
        n_ok += fake_ask_end(&city, askings[i]) == ERR_OK;
    print_message("%zu of %d calls answered over %zu rounds of ended sessions\n", n_ok, N, n_killed);
    assert_int_equal(n_ok, N);
}

static void slow_and_locked(void **state)
{
    run_sql("CREATE FUNCTION slowly(t TEXT) RETURNS TEXT RETURN IF(t = 'A00001', CONCAT(t, SLEEP(30)), t); GRANT EXECUTE ON department.* "
            "TO hub@'%'; CREATE VIEW slow "
            "AS SELECT plate, slowly(plate) AS colour, seats FROM vehicle");
    write_system(server_port(), "hub", "500ms", "",
        "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {view: slow}\n    fields:\n      - {name: plate, type: "
        "text, class: open, key: true}\n"
        "      - {name: colour, type: text, class: open}\n      - {name: seats, type: integer, class: open}\n");
    fake_department_grant(&city, "[plate, colour, seats]", NULL);
    fake_department_load(&city);
    until_it_answers();
    const struct value slow = value_text(STR("A00001"));
    struct fake_asking *asking =
        fake_ask_start(&city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &slow, 1}}});
    size_t n_meanwhile = 0;
    for (; !fake_ask_is_done(asking); n_meanwhile++)
        assert_ok(ask_plate("A00003")->err);
    print_message("%zu calls answered while a statement ran into its time-out\n", n_meanwhile);
    assert_true(n_meanwhile >= 5);
    assert_err(fake_ask_end(&city, asking), ERR_TIMEOUT);
    run_sql("LOCK TABLES vehicle WRITE");
    assert_err(ask_plate("A00003")->err, ERR_TIMEOUT);
    run_sql("UNLOCK TABLES");
    until_it_answers();
}

#define ACTIVE "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'hub' AND STATE = 'User sleep'"

/* Statements that would run for a minute: when their askers have gone, the server is done with them; others' calls never notice. */
static void askers_who_go(void **state)
{
    run_sql(
        "CREATE FUNCTION slowly(t TEXT) RETURNS TEXT SQL SECURITY INVOKER RETURN IF(t = 'A00001', CONCAT(t, SLEEP(60)), t); GRANT EXECUTE "
        "ON department.* TO hub@'%'; CREATE SQL SECURITY INVOKER VIEW slow AS SELECT plate, slowly(plate) AS colour, seats FROM vehicle");
    write_system(server_port(), "hub", "60s", "",
        "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {view: slow}\n    fields:\n      - {name: plate, type: "
        "text, class: open, key: true}\n"
        "      - {name: colour, type: text, class: open}\n      - {name: seats, type: integer, class: open}\n");
    fake_department_grant(&city, "[plate, colour, seats]", NULL);
    fake_department_load(&city);
    until_it_answers();
    const struct value slow = value_text(STR("A00001"));
    struct fake_asking *askings[2];
    for (size_t i = 0; i < 2; i++)
        askings[i] = fake_ask_start(&city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &slow, 1}}});
    for (int i = 0; i < 1000 && strcmp(run_sql(ACTIVE), "2") != 0; i++) {
        assert_ok(ask_plate("A00003")->err);
        usleep(20000);
    }
    assert_string_equal(run_sql(ACTIVE), "2");
    struct mono_time gone = clock_mono(clock_system());
    for (size_t i = 0; i < 2; i++)
        fake_ask_cancel(askings[i]);
    for (int i = 0; i < 1000 && strcmp(run_sql(ACTIVE), "0") != 0; i++)
        assert_ok(ask_plate("A00003")->err);
    print_message("the server was done with two statements %lld ms after their askers went\n",
        (long long)mono_ms_between(gone, clock_mono(clock_system())));
    assert_string_equal(run_sql(ACTIVE), "0");
    for (size_t i = 0; i < 2; i++)
        assert_err(fake_ask_end(&city, askings[i]), ERR_CANCELLED);
    assert_string_equal(the_system()->department.detail, ""); /* the department was in no way at fault */
}

static void changed_table(void **state)
{
    fake_department_load(&city);
    until_it_answers();
    run_sql("ALTER TABLE vehicle CHANGE colour paint LONGTEXT");
    for (int i = 0; i < 100 && !strstr(the_system()->department.detail, "|colour|"); i++) {
        assert_err(ask_plate("A00003")->err, ERR_UNAVAILABLE);
        usleep(50000);
    }
    assert_string_equal(the_system()->department.detail, "field_refused|colour|h/police/vehicle");
    run_sql("ALTER TABLE vehicle CHANGE paint colour LONGTEXT");
    until_it_answers();
    run_sql("ALTER TABLE vehicle MODIFY seats BIGINT");
    until_it_answers();
}

static void full_queue(void **state)
{
    enum { N = 3 * HUB_POOL_QUEUE_MAX };
    static struct fake_asking *askings[N];
    size_t n_full = 0;
    fake_department_load(&city);
    until_it_answers();
    run_sql("LOCK TABLES vehicle WRITE");
    for (size_t i = 0; i < N; i++)
        askings[i] = fake_ask_start(&city, &(struct fake_question){.outputs = {"plate"}, .n_rows_max = 1});
    run_sql("UNLOCK TABLES");
    for (size_t i = 0; i < N; i++)
        n_full += fake_ask_end(&city, askings[i]) == ERR_FULL;
    print_message("%zu of %d refused as the queue was full\n", n_full, N);
    assert_true(n_full >= N - HUB_POOL_QUEUE_MAX - HUB_POOL_QUEUE_MAX / 10);
    assert_int_equal(fake_department_figure(&city, "citybrain_queue_refused_total{queue=\"department\",of=\"police\"}"), n_full);
}

static void closes_in_the_midst(void **state)
{
    for (int life = 0; life < 10; life++) {
        struct fake_asking *askings[50];
        fake_department_load(&city);
        for (int i = 0; i < 50; i++)
            askings[i] = fake_ask_start(&city, &(struct fake_question){.outputs = {"plate"}});
        usleep(3000u * (unsigned)(life % 4));
        hub_stop(city.hub);
        for (int i = 0; i < 50; i++) {
            enum err err = fake_ask_end(&city, askings[i]);
            assert_true(err == ERR_OK || err == ERR_UNAVAILABLE);
        }
        fake_city_unload(&city);
    }
}

/* ---- nothing is written ---- */

/* The server's own counts: rows written, by table and in all, and the checksum of each table with its definition. */
static void written(char out[512])
{
    int n = snprintf(out, 512, "%s ",
        run_sql("SELECT GROUP_CONCAT(TABLE_NAME, ':', ROWS_CHANGED ORDER BY TABLE_NAME) FROM information_schema.TABLE_STATISTICS WHERE "
                "TABLE_SCHEMA = 'department'"));
    n += snprintf(out + n, 512 - (size_t)n, "%s ",
        run_sql("SELECT IFNULL(SUM(ROWS_INSERTED + ROWS_UPDATED + ROWS_DELETED), 0) FROM information_schema.USER_STATISTICS WHERE USER IN "
                "('hub', 'writer')"));
    static const char *const tables[] = {"vehicle", "evil"};
    for (size_t i = 0; i < 2; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "CHECKSUM TABLE %s EXTENDED", tables[i]);
        assert_int_equal(mysql_query(admin(), sql), 0);
        MYSQL_RES *result = mysql_store_result(admin());
        n += snprintf(out + n, 512 - (size_t)n, "%s ", mysql_fetch_row(result)[1]);
        mysql_free_result(result);
        snprintf(sql, sizeof sql, "SHOW CREATE TABLE %s", tables[i]);
        assert_int_equal(mysql_query(admin(), sql), 0);
        result = mysql_store_result(admin());
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
    size_t n_refused = 0;
    for (size_t i = 0; i < sizeof selects / sizeof *selects; i++) {
        struct diag_list diags;
        char resources[1000];
        snprintf(resources, sizeof resources,
            "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {select: \"%s\"}\n    fields:\n      - {name: "
            "plate, type: text, class: "
            "open, key: true}\n      - {name: colour, type: text, class: open}\n",
            selects[i]);
        write_system(server_port(), user, "500ms", "", resources);
        fake_department_grant(&city, "[plate, colour]", NULL);
        bool is_refused = fake_city_load(&city, &diags) != ERR_OK;
        for (int j = 0; j < 3 && !is_refused; j++)
            is_refused = fake_ask(&city, &(struct fake_question){.outputs = {"plate", "colour"}, .n_rows_max = 2})->err != ERR_OK;
        n_refused += is_refused;
        fake_city_unload(&city);
    }
    return n_refused;
}

static size_t n_answered, n_good;
static void counted(struct hub_fetch *fetch)
{
    n_answered++;
    n_good += fetch->err == ERR_OK && rows_n(fetch->rows) == 1;
    rows_release(fetch->rows);
}

static void call_often(size_t n_calls)
{
    enum { SLOTS = 50 };
    static struct hub_fetch fetches[SLOTS];
    static struct sql_constraint keys[SLOTS];
    static struct value values[SLOTS];
    static char texts[SLOTS][80];
    static const struct sql_output outputs[] = {{.column = 0}, {.column = 1}};
    static const char *const evil[] = {"'; DELETE FROM vehicle; --", "A\\'; DROP TABLE vehicle; --", "?; UPDATE vehicle SET colour = ''"};
    void *plan = fake_department_plan(&city);
    n_answered = n_good = 0;
    for (size_t n = 0; n < n_calls; n += SLOTS) {
        for (size_t i = 0; i < SLOTS; i++) {
            if (i % 2)
                snprintf(texts[i], sizeof texts[i], "A%05zu", (n + i) % 2000);
            else
                snprintf(texts[i], sizeof texts[i], "%s", evil[n / SLOTS % 3]);
            values[i] = value_text(str_from_c(texts[i]));
            keys[i] = (struct sql_constraint){.column = 0, .op = SQL_EQ, .n_values = 1, .values = &values[i]};
            fetches[i] = (struct hub_fetch){.outputs = outputs,
                .n_outputs = 2,
                .where = &keys[i],
                .n_where = 1,
                .n_rows_max = 10,
                .n_bytes_max = 10000,
                .loop = city.loop,
                .done = counted};
            system_mariadb_ops.tables->fetch(plan, &fetches[i]);
        }
        for (int i = 0; i < 3000 && n_answered < n + SLOTS; i++)
            assert_ok(loop_run_once(city.loop, 10));
        assert_int_equal(n_answered, n + SLOTS);
    }
    assert_int_equal(n_good, n_answered / 2);
}

static void as_a_user(const char *user)
{
    char before[512], after[512];
    run_sql("CREATE TABLE evil (n INT); INSERT INTO evil VALUES (0); CREATE SEQUENCE counter; CREATE FUNCTION writes() RETURNS TEXT "
            "MODIFIES SQL DATA BEGIN INSERT INTO "
            "evil VALUES (1); RETURN 'x'; END; CREATE VIEW writing_view AS SELECT plate, writes() AS colour FROM vehicle; GRANT EXECUTE, "
            "SELECT, INSERT ON department.* TO hub@'%'");
    write_system(server_port(), user, "500ms", "", VEHICLE);
    written(before);
    fake_department_load(&city);
    call_often(10000);
    fake_city_unload(&city);
    size_t n_refused = attempts(user);
    written(after);
    assert_string_equal(after, before);
    print_message("%s: 10000 calls, 8 bindings that would write (%zu refused, the others wrote nothing): the server counts none: %s\n",
        user, n_refused, before);
    assert_true(n_refused >= 6);
    assert_string_equal(run_sql("SELECT next_not_cached_value FROM counter"), "1");
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
        cmocka_unit_test_setup_teardown(answers, make, finish),
        cmocka_unit_test_setup_teardown(every_type_asks, make, finish),
        cmocka_unit_test_setup_teardown(values_that_are_none, make, finish),
        cmocka_unit_test_setup_teardown(rows_granted, make, finish),
        cmocka_unit_test_setup_teardown(limits, make, finish),
        cmocka_unit_test_setup_teardown(many_shapes, make, finish),
        cmocka_unit_test_setup_teardown(wrong_files, make, finish),
        cmocka_unit_test_setup_teardown(away_and_back, make, finish),
        cmocka_unit_test_setup_teardown(silence_and_slow_bytes, make, finish),
        cmocka_unit_test_setup_teardown(sessions_that_are_ended, make, finish),
        cmocka_unit_test_setup_teardown(slow_and_locked, make, finish),
        cmocka_unit_test_setup_teardown(askers_who_go, make, finish),
        cmocka_unit_test_setup_teardown(changed_table, make, finish),
        cmocka_unit_test_setup_teardown(full_queue, make, finish),
        cmocka_unit_test_setup_teardown(closes_in_the_midst, make, finish),
        cmocka_unit_test_setup_teardown(nothing_is_written, make, finish),
        cmocka_unit_test_setup_teardown(nor_by_a_user_who_could, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
