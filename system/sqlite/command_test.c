/*
 * Commands into a department's inbox, through the hub: once a key also where its column is not unique, refused by the department's own
 * checks, not done when the file is locked or gone; each way in which the binding can be wrong.
 */
#include "base/mem.h"
#include "base/test.h"
#include "hub/act.h"
#include "hub/fake.h"
#include "system/sqlite/inside.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake_city city;
static const struct hub_system_ops *const connectors[] = {&system_sqlite_ops, NULL};
static char inbox[128];

#define HEAD "party: h/police\nconnector: sqlite\nconnection: {file: \"{data}/police.sqlite\", timeout: 300ms}\nresources:\n"
#define COMMAND "  - name: send\n    title: {zh: 派, en: Send}\n    kind: command\n"
#define FIELDS                                                                                                                             \
    "    fields:\n      - {name: place, type: text, class: internal, key: true}\n      - {name: count, type: integer, class: internal}\n"  \
    "      - {name: weight, type: real, class: internal}\n"
#define RUN                                                                                                                                \
    "\"INSERT INTO sent (k, place, count, weight, who, time, receipt) VALUES (:act_key, :place, :count, :weight, :act_party, :act_time, "  \
    ":act_receipt)\""
#define ANSWER "\"SELECT number, place, count, weight, NULL AS none FROM sent WHERE k = :act_key\""
#define BIND "    bind: {file: \"{data}/inbox.sqlite\", run: " RUN ", answer: " ANSWER "}\n"

static sqlite3 *open_inbox(void)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(inbox, &db), SQLITE_OK);
    return db;
}

static int count_rows(void)
{
    sqlite3 *db = open_inbox();
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM sent", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int n = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return n;
}

static void run_sql(sqlite3 *db, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
}

static int make(void **state)
{
    fake_city_make(&city);
    city.ledger = fake_ledger();
    city.connectors = connectors;
    city.real_clock = clock_system();
    snprintf(inbox, sizeof inbox, "%s/inbox.sqlite", city.data);
    fake_city_write(&city, "contracts/c-1.yaml", NULL);
    fake_city_write(&city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/send\nuses: [act]\nfields: [place, count, weight]\n"
        "purpose: p\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    fake_city_write(&city, "systems/police.yaml", HEAD COMMAND BIND FIELDS);
    mkdir(city.data, 0700);
    sqlite3 *db = open_inbox();
    run_sql(db, "CREATE TABLE sent (number INTEGER PRIMARY KEY, k TEXT, place TEXT CONSTRAINT place_is_short CHECK (length(place) < 10), "
                "count INTEGER,"
                " weight REAL, who TEXT, time INTEGER, receipt TEXT)"); /* k is not unique */
    sqlite3_close(db);
    return 0;
}

static int finish(void **state)
{
    if (city.hub)
        fake_city_unload(&city);
    fake_city_remove(&city);
    fake_ledger_reset();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

/* ---- asking ---- */

struct asked {
    struct hub_act act;
    struct str names[3];
    struct value values[3];
    bool is_done;
    char json[512];
};

static void done(struct hub_act *act)
{
    struct asked *asked = act->context;
    asked->is_done = true;
    snprintf(asked->json, sizeof asked->json, STR_FORMAT, STR_ARG(act->json));
}

static void begin(struct asked *asked, const char *key, const char *place)
{
    *asked = (struct asked){.act = {.party = STR("h/parking"),
                                .resource = STR("h/police/send"),
                                .purpose = STR("p"),
                                .key = str_from_c(key),
                                .loop = city.loop,
                                .done = done},
        .names = {STR("place"), STR("count"), STR("weight")},
        .values = {value_text(str_from_c(place)), value_integer(3), value_real(2.5)}};
    asked->act.names = asked->names;
    asked->act.values = asked->values;
    asked->act.n_values = 3;
    asked->act.context = asked;
    hub_act_start(city.hub, &asked->act);
}

static void wait(struct asked *asked)
{
    for (int i = 0; i < 2000 && !asked->is_done; i++)
        assert_ok(loop_run_once(city.loop, 5));
    assert_true(asked->is_done);
    fake_city_spin(&city);
}

static void load(void)
{
    struct diag_list diags;
    if (fake_city_load(&city, &diags))
        fail_msg("%s", diags.n ? diags.diags[0].text : "?");
}

static void acts_once_a_key(void **state)
{
    static struct asked asked[50];
    load();
    for (int i = 0; i < 50; i++) /* all at once: each asks the department, which has the answer already */
        begin(&asked[i], i % 2 ? "odd" : "even", i % 2 ? "north" : "south");
    for (int i = 0; i < 50; i++) {
        wait(&asked[i]);
        assert_ok(asked[i].act.refusal.err);
        assert_int_equal(asked[i].act.state, HUB_ACT_KNOWN);
        assert_string_equal(asked[i].json, asked[i % 2].json);
    }
    assert_non_null(strstr(asked[0].json, "\"place\":\"south\",\"count\":3,\"weight\":2.5,\"none\":null}"));
    assert_int_equal(count_rows(), 2);
}

static void what_the_department_refuses(void **state)
{
    struct asked asked;
    load();
    begin(&asked, "long", "a place with a long name");
    wait(&asked);
    assert_int_equal(asked.act.state, HUB_ACT_REFUSED);
    assert_string_equal(asked.json, "\"CHECK constraint failed: place_is_short\"");
    assert_int_equal(count_rows(), 0);
}

static void not_done_while_the_file_is_locked_or_gone(void **state)
{
    struct asked asked;
    char aside[160];
    load();
    sqlite3 *holder = open_inbox();
    run_sql(holder, "BEGIN EXCLUSIVE");
    begin(&asked, "k", "north");
    wait(&asked);
    assert_err(asked.act.refusal.err, ERR_UNAVAILABLE);
    run_sql(holder, "ROLLBACK");
    sqlite3_close(holder);
    snprintf(aside, sizeof aside, "%s.aside", inbox);
    assert_int_equal(rename(inbox, aside), 0);
    begin(&asked, "k", "north");
    wait(&asked);
    assert_err(asked.act.refusal.err, ERR_UNAVAILABLE);
    assert_int_equal(rename(aside, inbox), 0);
    begin(&asked, "k", "north");
    wait(&asked);
    assert_ok(asked.act.refusal.err);
    assert_int_equal(count_rows(), 1);
}

/* A statement that runs on without end is cut off, and nothing of it stays. */
static void an_endless_statement_is_cut_off(void **state)
{
    struct asked asked;
    fake_city_write(&city, "systems/police.yaml",
        HEAD COMMAND
        "    bind: {file: \"{data}/inbox.sqlite\", run: \"INSERT INTO sent (k, place) SELECT :act_key, n FROM (WITH RECURSIVE c(n) AS "
        "(SELECT 1 UNION ALL SELECT 1 FROM c) SELECT n FROM c)\", answer: " ANSWER "}\n" FIELDS);
    load();
    begin(&asked, "k", "north");
    wait(&asked);
    assert_err(asked.act.refusal.err, ERR_UNAVAILABLE);
    assert_int_equal(count_rows(), 0);
}

static void wrong_bindings(void **state)
{
    static const struct {
        const char *bind, *says;
    } rows[] = {
        {"", "bind"},
        {"    bind: {run: " RUN ", answer: " ANSWER "}\n", "file"},
        {"    bind: {file: \"{data}/inbox.sqlite\", answer: " ANSWER "}\n", "run"},
        {"    bind: {file: \"{data}/inbox.sqlite\", run: " RUN "}\n", "answer"},
        {"    bind: {file: \"{data}/inbox.sqlite\", run: " RUN ", answer: " ANSWER ", more: x}\n", "more"},
        {"    bind: {file: \"{data}/inbox.sqlite\", run: \"INSERT INTO sent (place) VALUES (:place)\", answer: " ANSWER "}\n", ":act_key"},
        {"    bind: {file: \"{data}/inbox.sqlite\", run: " RUN ", answer: \"SELECT number FROM sent\"}\n", ":act_key"},
        {"    bind: {file: \"{data}/inbox.sqlite\", run: \"INSERT INTO sent (k, place) VALUES (:act_key, :other)\", answer: " ANSWER "}\n",
            ":other"},
        {"    bind: {file: \"{data}/inbox.sqlite\", run: \"INSERT INTO nowhere (k) VALUES (:act_key)\", answer: " ANSWER "}\n", "nowhere"},
        {"    bind: {file: \"{data}/inbox.sqlite\", run: \"SELECT :act_key\", answer: " ANSWER "}\n", "changes nothing"},
        {"    bind: {file: \"{data}/inbox.sqlite\", run: " RUN ", answer: \"DELETE FROM sent WHERE k = :act_key\"}\n", "only reads"},
        {"    bind: {file: \"{data}/inbox.sqlite\", run: \"DELETE FROM sent WHERE k = :act_key; DROP TABLE sent\", answer: " ANSWER "}\n",
            "one statement"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[4096];
        struct diag_list diags;
        snprintf(text, sizeof text, HEAD COMMAND "%s" FIELDS, rows[i].bind);
        fake_city_write(&city, "systems/police.yaml", text);
        enum err err = fake_city_load(&city, &diags);
        if (!err || diags.n == 0 || !strstr(diags.diags[0].text, rows[i].says))
            fail_msg("row %zu: %s: %s", i, err_text(err), diags.n ? diags.diags[0].text : "nothing told");
        fake_city_unload(&city);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(acts_once_a_key, make, finish),
        cmocka_unit_test_setup_teardown(what_the_department_refuses, make, finish),
        cmocka_unit_test_setup_teardown(not_done_while_the_file_is_locked_or_gone, make, finish),
        cmocka_unit_test_setup_teardown(an_endless_statement_is_cut_off, make, finish),
        cmocka_unit_test_setup_teardown(wrong_bindings, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
