/*
 * Commands into a department's real database through each connector to one: once a key over retries, ended sessions and lost answers;
 * refused by the department's own checks; not done while a lock is held; unknown when the answer to COMMIT is lost, and then never again
 * for what is declared at most once; each way in which the binding can be wrong.
 *
 *     tests/servers.py postgres mariadb -- PROGRAM ENGINE…
 *
 * What SQLite's own connector has besides is system/sqlite/command_test.c.
 */
#include "base/mem.h"
#include "base/test.h"
#include "hub/act.h"
#include "hub/department_testing.h"
#include "system/mariadb/mariadb.h"
#include "system/odbc/odbc.h"
#include "system/postgres/postgres.h"
#include "system/sqlite/sqlite.h"

#include <libpq-fe.h>
#include <mysql.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum server { SQLITE, POSTGRES, MARIADB };
static const struct engine {
    const char *name;
    enum server server;
    const struct hub_system_ops *ops;
    const char *connection; /* PORT in it stands for the server's */
    const char *place;      /* in bind: where the inbox is */
} engines[] = {
    {"sqlite", SQLITE, &system_sqlite_ops, "file: \"{data}/police.sqlite\", timeout: 500ms", "file: \"{data}/inbox.sqlite\""},
    {"postgres", POSTGRES, &system_postgres_ops,
        "host: 127.0.0.1, port: PORT, database: department, user: hub, password_file: \"{data}/secrets/hub\", timeout: 500ms",
        "user: inbox, password_file: \"{data}/secrets/inbox\""},
    {"mariadb", MARIADB, &system_mariadb_ops,
        "host: 127.0.0.1, port: PORT, database: department, user: hub, password_file: \"{data}/secrets/hub\", timeout: 500ms",
        "user: inbox, password_file: \"{data}/secrets/inbox\""},
    {"odbc-sqlite", SQLITE, &system_odbc_ops,
        "driver: SQLite3, dialect: sqlite, timeout: 500ms, options: {Database: \"{data}/inbox.sqlite\", Timeout: \"200\"}", ""},
    {"odbc-postgres", POSTGRES, &system_odbc_ops,
        "driver: PostgreSQL Unicode, dialect: postgres, user: hub, password_file: \"{data}/secrets/hub\", timeout: 500ms, options: "
        "{Servername: 127.0.0.1, Port: \"PORT\", Database: department}",
        "user: inbox, password_file: \"{data}/secrets/inbox\""},
    {"odbc-mariadb", MARIADB, &system_odbc_ops,
        "driver: MariaDB Unicode, dialect: mariadb, user: hub, password_file: \"{data}/secrets/hub\", timeout: 500ms, options: {SERVER: "
        "127.0.0.1, PORT: \"PORT\", DATABASE: department}",
        "user: inbox, password_file: \"{data}/secrets/inbox\""},
};
static const struct engine *engine;
static const struct hub_system_ops *connectors[2];
static struct fake_city city;
static struct fake_proxy *proxy;

/* ---- the department's own side ---- */

static const char *need(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fail_msg("%s is not set; mend: run it as tests/servers.py postgres mariadb -- PROGRAM", name);
    return value;
}

static int server_port(void)
{
    return (int)strtol(engine->server == POSTGRES  ? need("CITYBRAIN_POSTGRES_PORT")
                       : engine->server == MARIADB ? need("CITYBRAIN_MARIADB_PORT")
                                                   : "0",
        NULL, 10);
}

static const char *postgres_sql(const char *sql, char *text, size_t size)
{
    static PGconn *pg;
    char address[200];
    if (!pg) {
        snprintf(address, sizeof address, "host=%s port=%s user=postgres dbname=department", need("CITYBRAIN_POSTGRES_SOCKET_DIR"),
            need("CITYBRAIN_POSTGRES_PORT"));
        pg = PQconnectdb(address);
    }
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    snprintf(text, size, "%s", PQntuples(result) && PQnfields(result) ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return text;
}

static const char *mariadb_sql(const char *sql, char *text, size_t size)
{
    static MYSQL *mysql;
    char path[200];
    if (!mysql) {
        snprintf(path, sizeof path, "%s/socket", need("CITYBRAIN_MARIADB_SOCKET_DIR"));
        mysql = mysql_init(NULL);
        mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
        if (!mysql_real_connect(mysql, NULL, "root", NULL, "department", 0, path, CLIENT_MULTI_STATEMENTS))
            fail_msg("%s", mysql_error(mysql));
    }
    int code = mysql_query(mysql, sql);
    for (text[0] = '\0'; code == 0; code = mysql_next_result(mysql)) {
        MYSQL_RES *result = mysql_store_result(mysql);
        MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
        if (row)
            snprintf(text, size, "%s", row[0] ? row[0] : "NULL");
        mysql_free_result(result);
    }
    if (code > 0)
        fail_msg("%s: %s", sql, mysql_error(mysql));
    return text;
}

static sqlite3 *inbox;

static int take_first(void *context, int n, char **values, char **names)
{
    (void)names;
    snprintf(context, 256, "%s", n && values[0] ? values[0] : "NULL");
    return 0;
}

/* The first value of the answer, as text, until the next. */
static const char *run_sql(const char *sql)
{
    static char text[256];
    if (engine->server == POSTGRES)
        return postgres_sql(sql, text, sizeof text);
    if (engine->server == MARIADB)
        return mariadb_sql(sql, text, sizeof text);
    text[0] = '\0';
    if (sqlite3_exec(inbox, sql, take_first, text, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(inbox));
    return text;
}

static size_t end_sessions(void)
{
    static const char *const sql[] = {[SQLITE] = "SELECT 0",
        [POSTGRES] = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'inbox'",
        [MARIADB] =
            "BEGIN NOT ATOMIC DECLARE n INT DEFAULT 0; DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; FOR s IN (SELECT id FROM "
            "information_schema.processlist WHERE user = 'inbox') DO KILL s.id; SET n = n + 1; END FOR; SELECT n; END"};
    return (size_t)strtoul(run_sql(sql[engine->server]), NULL, 10);
}

/* ---- the city ---- */

#define COMMAND(name_) "  - name: " name_ "\n    title: {zh: 派, en: Send}\n    kind: command\n"
#define FIELDS                                                                                                                             \
    "    fields:\n      - {name: place, type: text, class: internal, key: true}\n      - {name: count, type: integer, class: internal}\n"  \
    "      - {name: weight, type: real, class: internal}\n      - {name: due, type: time, class: internal}\n"
#define INSERT                                                                                                                             \
    "INSERT INTO sent (k, place, count, weight, due, who, asked, receipt) VALUES (:act_key, :place, :count, :weight, :due, :act_party, "   \
    ":act_time, :act_receipt) "
#define ANSWER "SELECT number, place, count, weight, CASE WHEN due = :due THEN 'due' END AS term, NULL AS none FROM sent WHERE k = :act_key"
static const char *const inserts[] = {[SQLITE] = INSERT "ON CONFLICT (k) DO NOTHING -- not :this",
    [POSTGRES] = INSERT "ON CONFLICT (k) DO NOTHING /* not :this, nor ':that' */ -- nor :this",
    [MARIADB] = INSERT "ON DUPLICATE KEY UPDATE k = k /* not :this, nor ':that' */"};

static void write_city(int port, const char *run, const char *answer)
{
    char connection[512], text[8192];
    const char *at = strstr(engine->connection, "PORT,") ? strstr(engine->connection, "PORT,") : strstr(engine->connection, "PORT\"");
    int n = at ? (int)(at - engine->connection) : 0;
    if (at)
        snprintf(connection, sizeof connection, "%.*s%d%s", n, engine->connection, port, at + 4);
    else
        snprintf(connection, sizeof connection, "%s", engine->connection);
    snprintf(text, sizeof text,
        "connection: {%s}\nresources:\n" COMMAND("send") "    bind: {%s%srun: \"%s\"%s%s%s}\n" FIELDS COMMAND(
            "ring") "    at_most_once: "
                    "true\n    bind: {%s%srun: \"INSERT INTO rung (place) VALUES (:place)\"}\n    fields:\n      - {name: place, type: "
                    "text, class: "
                    "internal, key: true}\n",
        connection, engine->place, engine->place[0] ? ", " : "", run, answer ? ", answer: \"" : "", answer ? answer : "",
        answer ? "\"" : "", engine->place, engine->place[0] ? ", " : "");
    fake_department_write(&city, engine->ops->connector, text);
}

#define CONTRACT(n_, resource_, fields_)                                                                                                   \
    "contract: h/c-" n_ "\nprovider: h/police\nconsumer: h/parking\nresource: h/police/" resource_ "\nuses: [act]\nfields: " fields_       \
    "\npurpose: p\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n"

static const char *const tables[] = {
    [SQLITE] = "CREATE TABLE sent (number INTEGER PRIMARY KEY, k TEXT UNIQUE, place TEXT CONSTRAINT place_is_short CHECK (length(place) < "
               "10), count INTEGER, weight DOUBLE, due INTEGER, who TEXT, asked INTEGER, receipt TEXT); CREATE TABLE rung (place TEXT)",
    [POSTGRES] =
        "SET client_min_messages = error; DROP TABLE IF EXISTS sent, rung; CREATE TABLE sent (number bigserial PRIMARY KEY, k text "
        "UNIQUE, place text CONSTRAINT place_is_short CHECK (length(place) < 10), count int, weight double precision, due "
        "timestamptz, who text, asked timestamptz, receipt text); CREATE TABLE rung (place text);"
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'inbox') THEN CREATE ROLE inbox LOGIN PASSWORD 'x'; "
        "CREATE ROLE hub LOGIN PASSWORD 'x'; END IF; END $$; GRANT INSERT, SELECT ON sent, rung TO inbox; GRANT USAGE ON SEQUENCE "
        "sent_number_seq TO inbox",
    [MARIADB] =
        "DROP TABLE IF EXISTS sent, rung; CREATE TABLE sent (number BIGINT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(200) UNIQUE, place "
        "VARCHAR(200), count INT, weight DOUBLE, due DATETIME(3), who TEXT, asked DATETIME(3), receipt TEXT, CONSTRAINT "
        "place_is_short CHECK (char_length(place) < 10)) ENGINE = InnoDB CHARACTER SET utf8mb4; CREATE TABLE rung (place TEXT);"
        "CREATE OR REPLACE USER inbox@'%' IDENTIFIED BY 'x'; CREATE OR REPLACE USER hub@'%' IDENTIFIED BY 'x'; GRANT INSERT, "
        "SELECT, UPDATE ON department.sent TO inbox@'%'; GRANT INSERT ON department.rung TO inbox@'%'; GRANT USAGE ON *.* TO hub@'%'; "
        "GRANT SELECT ON department.rung TO hub@'%'",
};

static int make(void **state)
{
    (void)state;
    char path[256];
    connectors[0] = engine->ops;
    fake_department_make(&city, connectors);
    if (engine->server == SQLITE) {
        snprintf(path, sizeof path, "%s/inbox.sqlite", city.data);
        assert_int_equal(sqlite3_open(path, &inbox), SQLITE_OK);
    }
    run_sql(tables[engine->server]);
    fake_department_secret(&city, "hub", "x\n");
    fake_department_secret(&city, "inbox", "x\n");
    fake_city_write(&city, "contracts/c-17.yaml", CONTRACT("17", "send", "[place, count, weight, due]"));
    fake_city_write(&city, "contracts/c-18.yaml", CONTRACT("18", "ring", "[place]"));
    write_city(server_port(), inserts[engine->server], ANSWER);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (city.hub)
        fake_city_unload(&city);
    if (proxy)
        fake_proxy_stop(proxy);
    proxy = NULL;
    sqlite3_close(inbox);
    inbox = NULL;
    fake_department_finish(&city);
    return 0;
}

/* ---- asking ---- */

struct asked {
    struct hub_act act;
    struct str names[4];
    struct value values[4];
    bool is_done;
    char json[512];
};

static void done(struct hub_act *act)
{
    struct asked *asked = act->context;
    asked->is_done = true;
    snprintf(asked->json, sizeof asked->json, STR_FORMAT, STR_ARG(act->json));
}

static void begin(struct asked *asked, const char *resource, const char *key, const char *place)
{
    *asked = (struct asked){.act = {.party = STR("h/parking"),
                                .resource = str_from_c(resource),
                                .purpose = STR("p"),
                                .key = str_from_c(key),
                                .loop = city.loop,
                                .done = done},
        .names = {STR("place"), STR("count"), STR("weight"), STR("due")},
        .values = {value_text(str_from_c(place)), value_integer(3), value_real(2.5), value_time(INT64_C(1795343162123))}};
    asked->act.names = asked->names;
    asked->act.values = asked->values;
    asked->act.n_values = strcmp(resource, "h/police/send") == 0 ? 4 : 1;
    asked->act.context = asked;
    hub_act_start(city.hub, &asked->act);
}

static void await_answer(struct asked *asked)
{
    for (int i = 0; i < 6000 && !asked->is_done; i++)
        assert_ok(loop_run_once(city.loop, 10));
    assert_true(asked->is_done);
}

/* With what follows the answer. */
static void wait(struct asked *asked)
{
    await_answer(asked);
    fake_city_spin(&city);
}

static const struct asked *send(const char *key, const char *place)
{
    static struct asked asked;
    begin(&asked, "h/police/send", key, place);
    wait(&asked);
    return &asked;
}

static bool is_known(const struct asked *asked)
{
    return asked->act.refusal.err == ERR_OK && asked->act.state == HUB_ACT_KNOWN;
}

/* ---- tests ---- */

static void acts(void **state)
{
    (void)state;
    fake_department_load(&city);
    for (int i = 0; i < 3; i++) {
        const struct asked *asked = send("one", "杭州'");
        assert_ok(asked->act.refusal.err);
        assert_int_equal(asked->act.state, HUB_ACT_KNOWN);
        assert_int_equal(asked->act.is_repeated, i > 0);
        assert_string_equal(asked->json, "{\"number\":1,\"place\":\"杭州'\",\"count\":3,\"weight\":2.5,\"term\":\"due\",\"none\":null}");
    }
    assert_int_equal(fake_department_figure(&city, "citybrain_queue_limit{queue=\"department_acts\",of=\"police\"}"), 10000);
    assert_string_equal(run_sql("SELECT count(*) FROM sent WHERE who = 'h/parking' AND receipt LIKE 'h.log/%'"), "1");
    static const char *const lately[] = {[SQLITE] = "SELECT abs(unixepoch('now') * 1000 - asked) < 3600000 FROM sent",
        [POSTGRES] = "SELECT (abs(extract(epoch FROM now() - asked)) < 3600)::int FROM sent",
        [MARIADB] = "SELECT abs(timestampdiff(SECOND, UTC_TIMESTAMP(), asked - INTERVAL 8 HOUR)) < 3600 FROM sent"};
    assert_string_equal(run_sql(lately[engine->server]), "1"); /* the city's zone is eight hours ahead */
}

/* Keys that are asked again until they are told of, while the server ends the sessions under them, and then again and again: a thousand
 * askings and more, each key acts once. */
static void once_a_key_over_ended_sessions(void **state)
{
    enum { KEYS = 50, AT_ONCE = 25, TIMES = 20 };
    const size_t n_times = engine->ops == &system_odbc_ops ? 4 : TIMES;
    static struct asked asked[AT_ONCE];
    static char keys[AT_ONCE][16];
    size_t n_askings = 0, n_again = 0, n_killed = 0;
    (void)state;
    fake_department_load(&city);
    for (size_t first = 0; first < KEYS; first += AT_ONCE) {
        size_t n_told[AT_ONCE] = {0}, n_left = AT_ONCE;
        for (size_t round = 0; n_left > 0; round++) {
            assert_true(round < 20 * n_times);
            for (size_t i = 0; i < AT_ONCE; i++) {
                snprintf(keys[i], sizeof keys[i], "k-%zu", first + i);
                if (n_told[i] < n_times)
                    begin(&asked[i], "h/police/send", keys[i], "x");
            }
            for (size_t i = 0; i < AT_ONCE && round < 2; i++) { /* in the midst of one or the other */
                assert_ok(loop_run_once(city.loop, 1));
                n_killed += end_sessions();
            }
            for (size_t i = 0; i < AT_ONCE; i++) {
                if (n_told[i] == n_times)
                    continue;
                await_answer(&asked[i]);
                n_askings++;
                n_again += !is_known(&asked[i]);
                n_told[i] += is_known(&asked[i]);
                n_left -= n_told[i] == n_times;
            }
            fake_city_spin(&city);
        }
    }
    print_message("%s: %d keys in %zu askings, %zu of them without an answer, over %zu ended sessions\n", engine->name, KEYS, n_askings,
        n_again, n_killed);
    assert_string_equal(run_sql("SELECT count(*) FROM sent"), "50");
    assert_string_equal(run_sql("SELECT count(DISTINCT k) FROM sent"), "50");
    assert_true(n_askings >= KEYS * n_times);
    assert_true(engine->server == SQLITE || n_killed > 0);
}

/* A hub that has forgotten everything (another one) gets the answer that the department keeps. */
static void the_department_keeps_the_key(void **state)
{
    char path[256];
    (void)state;
    fake_department_load(&city);
    assert_true(is_known(send("one", "x")));
    fake_city_unload(&city);
    snprintf(path, sizeof path, "%s/act.sqlite", city.data);
    assert_int_equal(unlink(path), 0);
    fake_department_load(&city);
    const struct asked *asked = send("one", "x");
    assert_true(is_known(asked));
    assert_non_null(strstr(asked->json, "\"number\":1,"));
    assert_string_equal(run_sql("SELECT count(*) FROM sent"), "1");
}

static void refused_for_good(void **state)
{
    (void)state;
    fake_department_load(&city);
    for (int i = 0; i < 2; i++) {
        const struct asked *asked = send("long", "a place that is too long");
        assert_int_equal(asked->act.state, HUB_ACT_REFUSED);
        assert_non_null(strstr(asked->json, "place_is_short"));
    }
    assert_true(is_known(send("good", "x"))); /* and the connection goes on */
    assert_string_equal(run_sql("SELECT count(*) FROM sent"), "1");
}

static void not_done_while_locked(void **state)
{
    static const char *const lock[] = {
        [SQLITE] = "BEGIN EXCLUSIVE", [POSTGRES] = "BEGIN; LOCK TABLE sent", [MARIADB] = "LOCK TABLES sent WRITE"};
    static const char *const unlock[] = {[SQLITE] = "ROLLBACK", [POSTGRES] = "ROLLBACK", [MARIADB] = "UNLOCK TABLES"};
    (void)state;
    fake_department_load(&city);
    run_sql(lock[engine->server]);
    assert_err(send("one", "x")->act.refusal.err, ERR_UNAVAILABLE);
    run_sql(unlock[engine->server]);
    assert_string_equal(run_sql("SELECT count(*) FROM sent"), "0");
    assert_true(is_known(send("one", "x")));
}

/* Through the proxy, with connections made: what makes them says COMMIT too, as in READ COMMITTED. */
static void warm_up(void)
{
    struct asked asked;
    proxy = fake_proxy_start(server_port());
    write_city(fake_proxy_port(proxy), inserts[engine->server], ANSWER);
    fake_department_load(&city);
    assert_true(is_known(send("warm", "x")));
    begin(&asked, "h/police/ring", "warm", "x");
    wait(&asked);
    assert_true(is_known(&asked));
}

/* The department does it, and its answer to COMMIT is lost. */
static void unknown_when_the_answer_to_commit_is_lost(void **state)
{
    struct asked asked;
    (void)state;
    if (engine->server == SQLITE)
        return; /* nothing lies between */
    warm_up();
    fake_proxy_set_at(proxy, "COMMIT", FAKE_PROXY_CUT);
    const struct asked *sent = send("one", "x");
    assert_ok(sent->act.refusal.err);
    assert_int_equal(sent->act.state, HUB_ACT_UNKNOWN);
    assert_string_equal(run_sql("SELECT count(*) FROM sent"), "2");
    fake_proxy_set(proxy, FAKE_PROXY_PASS);
    sent = send("one", "x"); /* finds out */
    assert_true(is_known(sent));
    assert_non_null(strstr(sent->json, "\"number\":2,"));
    assert_string_equal(run_sql("SELECT count(*) FROM sent"), "2");

    fake_proxy_set_at(proxy, "COMMIT", FAKE_PROXY_CUT);
    for (int i = 0; i < 5; i++) { /* declared at most once: for ever */
        begin(&asked, "h/police/ring", "bell", "x");
        wait(&asked);
        assert_ok(asked.act.refusal.err);
        assert_int_equal(asked.act.state, HUB_ACT_UNKNOWN);
        fake_proxy_set(proxy, FAKE_PROXY_PASS);
    }
    assert_string_equal(run_sql("SELECT count(*) FROM rung"), "2");
    begin(&asked, "h/police/ring", "gong", "x");
    wait(&asked);
    assert_true(is_known(&asked));
    assert_string_equal(run_sql("SELECT count(*) FROM rung"), "3");
}

/* A driver that waits for ever: the act is unknown, what waits behind it is not done, and when the driver is back all goes on. */
static void a_driver_that_does_not_come_back(void **state)
{
    struct asked asked, behind;
    (void)state;
    if (engine->ops != &system_odbc_ops || engine->server == SQLITE)
        return;
    warm_up();
    fake_proxy_set_at(proxy, "COMMIT", FAKE_PROXY_SILENT);
    begin(&asked, "h/police/send", "one", "x");
    begin(&behind, "h/police/send", "two", "x");
    wait(&asked);
    assert_int_equal(asked.act.state, HUB_ACT_UNKNOWN);
    wait(&behind);
    assert_err(behind.act.refusal.err, ERR_UNAVAILABLE);
    assert_err(send("two", "x")->act.refusal.err, ERR_UNAVAILABLE);
    fake_proxy_set(proxy, FAKE_PROXY_CLOSED);
    fake_proxy_set(proxy, FAKE_PROXY_PASS);
    bool is_back = false;
    for (int i = 0; i < 200 && !is_back; i++)
        is_back = is_known(send("two", "x"));
    assert_true(is_back);
    assert_true(is_known(send("one", "x")));
    assert_string_equal(run_sql("SELECT count(*) FROM sent"), "3");
}

/* A table without transactions keeps half of a statement that fails: nobody may say that nothing was done. */
static void what_cannot_be_taken_back_is_unknown(void **state)
{
    (void)state;
    if (engine->ops != &system_mariadb_ops)
        return;
    run_sql("ALTER TABLE sent ENGINE = MyISAM");
    write_city(server_port(),
        "INSERT INTO sent (k, place) VALUES (CONCAT(:act_key, 1), 'x'), (CONCAT(:act_key, 2), 'a place that is too long')",
        "SELECT number FROM sent WHERE k = :act_key");
    fake_department_load(&city);
    const struct asked *asked = send("one", "x");
    assert_ok(asked->act.refusal.err);
    assert_int_equal(asked->act.state, HUB_ACT_UNKNOWN);
    assert_string_equal(run_sql("SELECT count(*) FROM sent"), "1");
}

static void wrong_files(void **state)
{
    const struct {
        const char *run, *answer, *told;
    } rows[] = {
        {"INSERT INTO nowhere VALUES (:act_key)", ANSWER, "refuses the command"},
        {"INSERT INTO sent (k) VALUES (:act_kye)", ANSWER, "which is no field of the command"},
        {"INSERT INTO sent (place) VALUES (:place)", ANSWER, "does not use :act_key"},
        {"INSERT INTO sent (k) VALUES (:act_key)", "SELECT number FROM sent", "does not use :act_key"},
        {"INSERT INTO sent (k) VALUES (:act_key)", NULL, "answer"},
        {"INSERT INTO sent (k) VALUES (:act_key), (", ANSWER, "refuses the command"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list diags;
        bool is_told = false;
        write_city(server_port(), rows[i].run, rows[i].answer);
        assert_true(fake_city_load(&city, &diags) != ERR_OK);
        for (size_t j = 0; j < diags.n; j++)
            is_told = is_told || strstr(diags.diags[j].text, rows[i].told);
        if (!is_told)
            fail_msg("%s, row %zu: %s", engine->name, i, diags.n ? diags.diags[0].text : "nothing");
        fake_city_unload(&city);
    }
}

static int run_all(const char *name)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(acts, make, finish),
        cmocka_unit_test_setup_teardown(once_a_key_over_ended_sessions, make, finish),
        cmocka_unit_test_setup_teardown(the_department_keeps_the_key, make, finish),
        cmocka_unit_test_setup_teardown(refused_for_good, make, finish),
        cmocka_unit_test_setup_teardown(not_done_while_locked, make, finish),
        cmocka_unit_test_setup_teardown(unknown_when_the_answer_to_commit_is_lost, make, finish),
        cmocka_unit_test_setup_teardown(a_driver_that_does_not_come_back, make, finish),
        cmocka_unit_test_setup_teardown(what_cannot_be_taken_back_is_unknown, make, finish),
        cmocka_unit_test_setup_teardown(wrong_files, make, finish),
    };
    engine = NULL;
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
        if (strcmp(engines[i].name, name) == 0)
            engine = &engines[i];
    if (!engine) {
        fprintf(stderr, "no engine \"%s\"\n", name);
        return 1;
    }
    return _cmocka_run_group_tests(name, tests, sizeof tests / sizeof *tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    int n_failed = argc < 2;
    for (int i = 1; i < argc; i++)
        n_failed += run_all(argv[i]);
    return n_failed;
}
