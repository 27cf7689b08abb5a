/*
 * Queries over departments' SQLite files: few round trips, few rows, nothing but what is granted, evidence first, and every bound.
 */
#include "tests/query/query_city.h"

#include "base/mem.h"
#include "hub/parts.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define VEHICLES "200000" /* a sanitizer has to go through them within the time of a statement, on a loaded machine */
#define N_SESSIONS 1000

#define VEHICLE                                                                                                                            \
    "  - name: vehicle\n    title: {zh: 车, en: Vehicles}\n    kind: table\n    bind: {table: vehicle}\n    fields:\n"                    \
    "      - {name: plate, type: text, class: personal, key: true}\n"                                                                      \
    "      - {name: kind, type: text, class: internal}\n"                                                                                  \
    "      - {name: weight, type: integer, class: internal}\n"                                                                             \
    "      - {name: owner, type: text, class: secret}\n"
#define SESSION                                                                                                                            \
    "  - name: session\n    title: {zh: 停车, en: Sessions}\n    kind: table\n    bind: {table: session}\n    fields:\n"                 \
    "      - {name: id, type: integer, class: internal, key: true}\n"                                                                      \
    "      - {name: plate, type: text, class: personal}\n"                                                                                 \
    "      - {name: lot, type: text, class: open}\n"                                                                                       \
    "      - {name: since, type: time, class: internal}\n"                                                                                 \
    "      - {name: paid, type: boolean, class: internal}\n"                                                                               \
    "  - name: lot\n    title: {zh: 场, en: Lots}\n    kind: table\n    bind: {table: lot}\n    fields:\n"                                \
    "      - {name: lot, type: text, class: open, key: true}\n"                                                                            \
    "      - {name: area, type: text, class: open}\n"

static int make_with(const char *vehicles)
{
    char sql[1024];
    query_city_make();
    snprintf(sql, sizeof sql,
        "CREATE TABLE vehicle (plate TEXT PRIMARY KEY, kind TEXT, weight INTEGER, owner TEXT) WITHOUT ROWID;"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %s - 1)"
        "INSERT INTO vehicle SELECT printf('A%%07d', i), 'K' || (i %% 7), i %% 100, 'owner ' || i FROM n;",
        vehicles);
    query_city_department(&query_engine_sqlite, "police", sql, VEHICLE);
    query_city_department(&query_engine_sqlite, "count",
        "CREATE TABLE session (id INTEGER PRIMARY KEY, plate TEXT, lot TEXT, since INTEGER, paid INTEGER);"
        "CREATE TABLE lot (lot TEXT PRIMARY KEY, area TEXT);"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)"
        "INSERT INTO session SELECT i, printf('A%07d', (i * 37) % 5000), 'p' || (i % 20), 1700000000000 + i, i % 2 FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19)"
        "INSERT INTO lot SELECT 'p' || i, 'area' || (i % 4) FROM n;",
        SESSION);
    query_city_contract(1, "police", "vehicle", "plate, kind, weight", "");
    query_city_contract(2, "count", "session", "id, plate, lot, since, paid", "");
    query_city_contract(3, "count", "lot", "lot, area", "");
    query_city_start();
    return 0;
}

static int make(void **state)
{
    return make_with(VEHICLES);
}

static int make_large(void **state)
{
    return make_with("1000000");
}

static int make_small(void **state)
{
    return make_with("5000");
}

static int finish(void **state)
{
    query_city_finish();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

/* The rows as text; the query must be answered. */
static const char *rows_of(struct query_answer *answer, const char *sql)
{
    static char *text;
    free(text);
    if (answer->err)
        fail_msg("%s: %s: %s", sql, err_text(answer->err), answer->text);
    text = json_dumps(json_object_get(answer->json, "rows"), JSON_COMPACT | JSON_ENCODE_ANY);
    return text;
}

#define ASK(sql_) query_ask(sql_, NULL, 0)

static void joins(void **state)
{
    static const struct {
        const char *sql, *rows;
        size_t trips_max, rows_max; /* beside those for the plan */
    } table[] = {
        {"SELECT count(*), sum(v.weight) FROM \"h/count/session\" s JOIN \"h/police/vehicle\" v USING (plate)", "[[1000,49500]]", 4, 3001},
        {"SELECT count(*) FROM \"h/police/vehicle\" v, \"h/count/session\" s WHERE v.plate = s.plate AND v.kind = 'K3'", NULL, 4, 2000},
        {"SELECT count(*) FROM \"h/count/session\" s LEFT JOIN \"h/police/vehicle\" v ON v.plate = s.plate AND v.weight > 50", "[[1000]]",
            4, 2500},
        {"SELECT l.area, count(*) FROM \"h/count/lot\" l JOIN \"h/count/session\" s ON s.lot = l.lot JOIN \"h/police/vehicle\" v ON "
         "v.plate "
         "= s.plate GROUP BY 1 ORDER BY 1",
            "[[\"area0\",250],[\"area1\",250],[\"area2\",250],[\"area3\",250]]", 6, 3100},
        {"SELECT count(*) FROM \"h/police/vehicle\" WHERE plate IN (SELECT plate FROM \"h/count/session\" WHERE lot = 'p3')", "[[50]]", 3,
            110},
        {"SELECT count(*) FROM \"h/count/session\" s WHERE EXISTS (SELECT 1 FROM \"h/police/vehicle\" v WHERE v.plate = s.plate AND v.kind "
         "= "
         "'K1')",
            NULL, 4, 2000},
        {"SELECT count((SELECT weight FROM \"h/police/vehicle\" v WHERE v.plate = s.plate)) FROM \"h/count/session\" s", "[[1000]]", 4,
            3001},
        {"SELECT kind FROM \"h/police/vehicle\" WHERE plate = 'A0000003'", "[[\"K3\"]]", 1, 1},
        {"SELECT plate FROM \"h/police/vehicle\" ORDER BY plate DESC LIMIT 2 OFFSET 1", "[[\"A0199998\"],[\"A0199997\"]]", 1, 3},
        {"SELECT plate FROM \"h/police/vehicle\" WHERE weight = 7 AND plate > 'A01' LIMIT 1", "[[\"A0100007\"]]", 1, 1},
        {"SELECT plate FROM \"h/police/vehicle\" WHERE plate < 'A0000100' AND plate > kind ORDER BY plate LIMIT 1", "[]", 2, 101},
        {"SELECT count(*) FROM (SELECT 1 FROM \"h/police/vehicle\" WHERE plate LIKE 'A00001%')", "[[100]]", 1, 100},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct query_answer answer = ASK(table[i].sql);
        const char *rows = rows_of(&answer, table[i].sql);
        size_t n_trips = answer.n_trips - answer.n_plan_trips, n_rows = answer.n_rows - answer.n_plan_trips;
        printf("%zu round trips, %zu rows (plan: %zu): %s\n", n_trips, n_rows, answer.n_plan_trips, table[i].sql);
        if (table[i].rows)
            assert_string_equal(rows, table[i].rows);
        if (n_trips > table[i].trips_max || n_rows > table[i].rows_max)
            fail_msg("%zu round trips and %zu rows: %s\n%s", n_trips, n_rows, table[i].sql, json_dumps(answer.json, JSON_INDENT(1)));
        query_answer_drop(&answer);
    }
}

/* Aggregates over one resource: the groups cross, and nothing else. */
static void aggregates(void **state)
{
    static const struct {
        const char *sql, *rows;
        size_t n_rows;
    } table[] = {
        {"SELECT count(*) FROM \"h/police/vehicle\"", "[[" VEHICLES "]]", 1},
        {"SELECT count(*) n, min(weight), max(plate), avg(weight) FROM \"h/police/vehicle\" v WHERE v.kind IN ('K1', 'K2') OR v.weight = "
         "99",
            NULL, 1},
        {"SELECT kind, count(*) AS n FROM \"h/police/vehicle\" WHERE plate < 'A0000070' GROUP BY kind HAVING n > 9 AND kind <> 'K0' ORDER "
         "BY n "
         "DESC, kind LIMIT 2",
            "[[\"K1\",10],[\"K2\",10]]", 7},
        {"SELECT kind, avg(weight) AS weight FROM \"h/police/vehicle\" WHERE plate < 'A0000007' GROUP BY kind ORDER BY kind DESC LIMIT 1",
            "[[\"K6\",6]]", 7},
        {"SELECT count(DISTINCT kind) + 1 FROM \"h/police/vehicle\"", "[[8]]", 1},
        {"SELECT kind FROM \"h/police/vehicle\" GROUP BY kind ORDER BY kind DESC LIMIT 1", "[[\"K6\"]]", 7},
        {"SELECT total(weight) FROM \"h/police/vehicle\" WHERE plate = 'x'", "[[0]]", 1},
        {"SELECT sum(weight), avg(weight) FROM \"h/police/vehicle\" WHERE plate = 'x'", "[[null,null]]", 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct query_answer answer = ASK(table[i].sql);
        const char *rows = rows_of(&answer, table[i].sql);
        if (table[i].rows)
            assert_string_equal(rows, table[i].rows);
        assert_int_equal(answer.n_trips, 1);
        assert_int_equal(answer.n_rows, table[i].n_rows);
        query_answer_drop(&answer);
    }
}

/* What is not granted, not known or no SELECT. */
static void refused(void **state)
{
    static const struct {
        const char *sql;
        enum err err;
        const char *says;
    } table[] = {
        {"SELECT owner FROM \"h/police/vehicle\"", ERR_SYNTAX, "no such column: owner; granted are: "},
        {"SELECT knid FROM \"h/police/vehicle\"", ERR_SYNTAX, "kind"},
        {"SELECT kind FROM h/police/vehicle", ERR_SYNTAX, "names of resources need double quotes: \"h/police/vehicle\""},
        {"SELECT knid FROM \"h/police/nothing\"", ERR_NOT_FOUND, "no such resource, or no contract"},
        {"SELECT kind AS owner, count(*) FROM \"h/police/vehicle\" WHERE owner = 'owner 3' GROUP BY kind", ERR_OK, NULL},
        {"SELECT * FROM \"h/police/nothing\"", ERR_NOT_FOUND, "no such resource, or no contract"},
        {"SELECT * FROM \"h/count/other\"", ERR_NOT_FOUND, "no such resource, or no contract"},
        {"SELECT * FROM sqlite_master", ERR_NOT_FOUND, "no such resource"},
        {"SELECT * FROM pragma_database_list", ERR_SYNTAX, "not authorized"},
        {"SELECT * FROM pragma_table_info('h/police/vehicle')", ERR_SYNTAX, "not authorized"},
        {"SELECT * FROM json_each('[1]')", ERR_SYNTAX, ""},
        {"SELECT rowid FROM \"h/police/vehicle\"", ERR_NOT_FOUND, "no such resource"},
        {"SELECT 1", ERR_SYNTAX, "reads no resource"},
        {"", ERR_SYNTAX, "1 to 16384 bytes"},
        {"-- nothing", ERR_SYNTAX, "one SELECT"},
        {"DELETE FROM \"h/police/vehicle\"", ERR_SYNTAX, "may not be modified"},
        {"CREATE TABLE x (a)", ERR_SYNTAX, "not authorized"},
        {"PRAGMA table_list", ERR_SYNTAX, "not authorized"},
        {"ATTACH 'x' AS y", ERR_SYNTAX, "not authorized"},
        {"EXPLAIN SELECT kind FROM \"h/police/vehicle\"", ERR_SYNTAX, "one SELECT"},
        {"SELECT kind FROM \"h/police/vehicle\"; SELECT 1", ERR_SYNTAX, "one SELECT"},
        {"SELECT load_extension('x') FROM \"h/police/vehicle\"", ERR_SYNTAX, "not authorized to use function"},
        {"SELECT randomblob(100) FROM \"h/police/vehicle\"", ERR_SYNTAX, "not authorized to use function"},
        {"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n, \"h/count/lot\"", ERR_SYNTAX, "not authorized"},
        {"SELECT kind FROM \"h/police/vehicle\" WHERE plate = ?", ERR_SYNTAX, "parameter 1 is not given"},
        {"SELECT kind FROM \"h/police/vehicle\" WHERE plate = :x", ERR_SYNTAX, "parameter 1 is not given"},
        {"SELECT \"kind' FROM \"h/police/vehicle\"", ERR_SYNTAX, ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct query_answer answer = ASK(table[i].sql);
        if (answer.err != table[i].err || (table[i].says && !strstr(answer.text, table[i].says)))
            fail_msg("%s: %s: %s", table[i].sql, err_text(answer.err), answer.text);
        query_answer_drop(&answer);
    }
    assert_int_equal(fake_ledger_count("\"type\":\"intent\""), 1); /* of the one that is answered */
}

/* An alias may bear a secret field's name; the field is not asked for. */
static void aliases_reach_nothing(void **state)
{
    struct query_answer answer = ASK("SELECT kind AS owner, count(*) FROM \"h/police/vehicle\" WHERE owner = 'K3' GROUP BY kind");
    assert_string_equal(rows_of(&answer, "alias"), "[[\"K3\",714]]");
    query_answer_drop(&answer);
}

/* Each resource is a use of its own: intent, outcome, receipt; fields are those that are read, those of a USING too. */
static void leaves_receipts(void **state)
{
    const struct value lot = value_text(STR("p3"));
    size_t before = fake_ledger_n();
    struct query_answer answer = query_ask(
        "SELECT s.id, v.kind FROM \"h/count/session\" s JOIN \"h/police/vehicle\" v USING (plate) WHERE s.lot = ? AND s.id < 30", &lot, 1);
    assert_string_equal(rows_of(&answer, "join"), "[[3,\"K6\"],[23,\"K4\"]]");
    const json_t *receipts = json_object_get(answer.json, "receipts");
    assert_int_equal(json_array_size(receipts), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(receipts, 0), "contract")), "h/c-2");
    assert_string_equal(json_string_value(json_object_get(json_array_get(receipts, 1), "resource")), "h/police/vehicle");
    fake_city_spin(&query_city);
    assert_int_equal(fake_ledger_n(), before + 4);
    assert_int_equal(fake_ledger_count("\"use\":\"query\""), 2);
    struct sha256 fields = crypto_sha256(STR("[\"plate\",\"kind\"]"));
    char hex[65] = "";
    for (size_t i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", fields.bytes[i]);
    assert_int_equal(fake_ledger_count(hex), 1); /* the USING's field too */
    assert_int_equal(fake_ledger_count("\"status\":\"ok\""), 2);
    assert_int_equal(fake_ledger_count("p3"), 0); /* the question is committed to, not told */
    query_answer_drop(&answer);
}

/* The answer waits for its receipts; when none can be written there is no answer. */
static void no_answer_without_evidence(void **state)
{
    fake_ledger_refuse(ERR_DISK_FULL);
    struct query_answer answer = ASK("SELECT count(*) FROM \"h/count/lot\"");
    assert_err(answer.err, ERR_UNAVAILABLE);
    fake_ledger_refuse(ERR_OK);
    fake_ledger_break(ERR_IO);
    answer = ASK("SELECT count(*) FROM \"h/count/lot\"");
    assert_err(answer.err, ERR_UNAVAILABLE);
    fake_ledger_break(ERR_OK);
    answer = ASK("SELECT count(*) FROM \"h/count/lot\"");
    assert_ok(answer.err);
    query_answer_drop(&answer);
}

static int n_late;
static void late(struct hub_query *query)
{
    n_late++;
}

static void waits_for_the_ledger(void **state)
{
    struct hub_query query = {.party = STR("h/parking"),
        .purpose = STR("parking.settle"),
        .sql = STR("SELECT count(*) FROM \"h/count/lot\""),
        .loop = query_city.loop,
        .done = late};
    fake_ledger_hold(true);
    n_late = 0;
    hub_query_start(query_city.hub, &query);
    for (int i = 0; i < 30; i++)
        assert_ok(loop_run_once(query_city.loop, 10));
    assert_int_equal(n_late, 0);
    fake_ledger_hold(false);
    for (int i = 0; i < 500 && !n_late; i++)
        assert_ok(loop_run_once(query_city.loop, 10));
    assert_int_equal(n_late, 1);
    assert_ok(query.refusal.err);
}

/* Contract by contract: use, purpose, fields, state. */
static void under_contract(void **state)
{
    query_city_contract(2, "count", "session", "id, lot", "");
    query_city_contract(4, "count", "session", "plate", "per_day: 2\n");
    query_city_contract(5, "police", "vehicle", "weight", "min_subjects: 5\n");
    fake_city_unload(&query_city);
    query_city_start();
    struct query_answer answer = ASK("SELECT id, lot FROM \"h/count/session\" LIMIT 1");
    assert_ok(answer.err);
    query_answer_drop(&answer);
    answer = ASK("SELECT id, plate FROM \"h/count/session\" LIMIT 1"); /* granted by two, by none of them together */
    assert_int_equal(answer.rule, DECIDE_FIELDS);
    for (int i = 0; i < 3; i++) {
        answer = ASK("SELECT s.plate, l.area FROM \"h/count/session\" s, \"h/count/lot\" l LIMIT 1");
        assert_int_equal(answer.rule, i < 2 ? 0 : DECIDE_PER_DAY);
        query_answer_drop(&answer);
    }
    atomic_store(&hub_contract_lookup(query_city.hub, STR("h/c-3"))->state, HUB_SUSPENDED); /* as the desk does */
    answer = ASK("SELECT area FROM \"h/count/lot\"");
    assert_err(answer.err, ERR_DENIED);
    assert_int_equal(answer.rule, DECIDE_STATE);
}

/* What would run or grow without end is ended. */
static void bounded(void **state)
{
    static const struct {
        const char *sql;
        enum err err, or ;
    } table[] = {
        {"SELECT count(*) FROM \"h/police/vehicle\" a, \"h/police/vehicle\" b, \"h/police/vehicle\" c WHERE a.weight + b.weight = c.weight "
         "+ 1",
            ERR_TIMEOUT, ERR_TIMEOUT},
        {"SELECT group_concat(a.plate || b.plate) FROM \"h/police/vehicle\" a, \"h/police/vehicle\" b", ERR_TOO_LARGE, ERR_TIMEOUT},
        {"SELECT printf('%.*c', 1000000, 'x') FROM \"h/count/lot\"", ERR_TOO_LARGE, ERR_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct query_answer answer = ASK(table[i].sql);
        if (answer.err != table[i].err && answer.err != table[i].or)
            fail_msg("%s: %s: %s", table[i].sql, err_text(answer.err), answer.text);
        printf("%s: %s\n", table[i].sql, answer.text);
        query_answer_drop(&answer);
    }
}

#ifndef __SANITIZE_THREAD__ /* there its time is over first, after ten seconds of a whole core; query/memory is its test on the plain      \
                               build */
/* What grows in SQLite's memory, here the set of a DISTINCT over 160,000 texts of 200 kB, ends at its bound, and gives it all back. */
static void memory_is_bounded(void **state)
{
    static const char sql[] = "SELECT count(*) FROM (SELECT DISTINCT printf('%.*c', 200000, 'x') || a.lot || b.lot || c.lot || d.lot "
                              "FROM \"h/count/lot\" a, \"h/count/lot\" b, \"h/count/lot\" c, \"h/count/lot\" d)";
    int64_t before = sqlite3_memory_used();
    (void)sqlite3_memory_highwater(1);
    struct query_answer answer = ASK(sql);
    int64_t most = sqlite3_memory_highwater(0) - before;
    printf("SQLite held %lld MB more at most\n", (long long)(most >> 20));
#ifdef __SANITIZE_ADDRESS__
    if (answer.err == ERR_TIMEOUT) /* so slowly that its time is over first; the plain build's test query/memory looks at it */
        return;
#endif
    assert_err(answer.err, ERR_TOO_LARGE);
    assert_non_null(strstr(answer.text, "more memory than it may have"));
    assert_true(most > INT64_C(256) << 20 && most < INT64_C(288) << 20);
    assert_true(sqlite3_memory_used() - before < 32 << 20);
    answer = ASK("SELECT count(*) FROM \"h/count/lot\"");
    assert_string_equal(rows_of(&answer, "after it"), "[[20]]");
    query_answer_drop(&answer);
}
#endif

static void too_many_rows(void **state)
{
    struct query_answer answer = ASK("SELECT plate FROM \"h/police/vehicle\" WHERE weight <> 3");
    assert_err(answer.err, ERR_TOO_LARGE);
    answer = ASK("SELECT plate FROM \"h/police/vehicle\" WHERE plate < 'A0020000'");
    assert_ok(answer.err);
    assert_true(json_is_true(json_object_get(answer.json, "truncated")));
    assert_int_equal(json_array_size(json_object_get(answer.json, "rows")), HUB_QUERY_ROWS_MAX);
    query_answer_drop(&answer);
}

/* A query whose asker has gone ends; more than the line holds are told to come again; a stopping hub refuses. */
static void cancelled(void **state)
{
    static struct hub_query many[200];
    const char *sql =
        "SELECT count(*) FROM \"h/police/vehicle\" a, \"h/police/vehicle\" b, \"h/police/vehicle\" c WHERE a.weight + b.weight = c.weight";
    struct timespec from, to;
    n_late = 0;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (size_t i = 0; i < 200; i++) {
        many[i] = (struct hub_query){
            .party = STR("h/parking"), .purpose = STR("parking.settle"), .sql = str_from_c(sql), .loop = query_city.loop, .done = late};
        hub_query_start(query_city.hub, &many[i]);
    }
    for (int i = 0; i < 20; i++)
        assert_ok(loop_run_once(query_city.loop, 10));
    for (size_t i = 0; i < 200; i++)
        atomic_store(&many[i].is_cancelled, true);
    for (int i = 0; i < 1000 && n_late < 200; i++)
        assert_ok(loop_run_once(query_city.loop, 10));
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_int_equal(n_late, 200);
    assert_true(to.tv_sec - from.tv_sec < HUB_QUERY_TIME_MS / 1000); /* not by its time */
    size_t n_busy = 0, n_cancelled = 0;
    for (size_t i = 0; i < 200; i++) {
        n_busy += many[i].refusal.err == ERR_BUSY;
        n_cancelled += many[i].refusal.err == ERR_CANCELLED;
    }
    assert_int_equal(n_busy + n_cancelled, 200);
    assert_true(n_busy > 0 && n_cancelled >= 64);
}

static void stopping(void **state)
{
    static struct hub_query many[20];
    n_late = 0;
    for (size_t i = 0; i < 20; i++) {
        many[i] = (struct hub_query){.party = STR("h/parking"),
            .purpose = STR("parking.settle"),
            .sql = STR("SELECT count(*) FROM \"h/police/vehicle\" a, \"h/police/vehicle\" b, \"h/police/vehicle\" c WHERE a.weight + "
                       "b.weight = c.weight"),
            .loop = query_city.loop,
            .done = late};
        hub_query_start(query_city.hub, &many[i]);
    }
    fake_city_spin(&query_city);
    hub_stop(query_city.hub);
    fake_city_spin(&query_city);
    assert_int_equal(n_late, 20);
    hub_destroy(query_city.hub);
    query_city.hub = NULL;
    bus_destroy(query_city.bus);
    loop_destroy(query_city.loop);
}

static void department_down(void **state)
{
    char path[256];
    snprintf(path, sizeof path, "%s/count.sqlite", query_city.data);
    assert_int_equal(remove(path), 0);
    fake_city_unload(&query_city);
    query_city_start();
    struct query_answer answer = ASK("SELECT count(*) FROM \"h/count/lot\"");
    assert_err(answer.err, ERR_UNAVAILABLE);
    assert_non_null(strstr(answer.text, "h/count/lot: the department's system is not available"));
    fake_city_spin(&query_city);
    assert_int_equal(fake_ledger_count("\"status\":\"unavailable\""), 1);
}

/* A name: only the tests that match it. */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(joins, make, finish),
        cmocka_unit_test_setup_teardown(aggregates, make, finish),
        cmocka_unit_test_setup_teardown(refused, make_small, finish),
        cmocka_unit_test_setup_teardown(aliases_reach_nothing, make_small, finish),
        cmocka_unit_test_setup_teardown(leaves_receipts, make_small, finish),
        cmocka_unit_test_setup_teardown(no_answer_without_evidence, make_small, finish),
        cmocka_unit_test_setup_teardown(waits_for_the_ledger, make_small, finish),
        cmocka_unit_test_setup_teardown(under_contract, make_small, finish),
        cmocka_unit_test_setup_teardown(bounded, make_small, finish),
#ifndef __SANITIZE_THREAD__
        cmocka_unit_test_setup_teardown(memory_is_bounded, make_small, finish),
#endif
        cmocka_unit_test_setup_teardown(too_many_rows, make_large, finish),
        cmocka_unit_test_setup_teardown(cancelled, make_small, finish),
        cmocka_unit_test_setup_teardown(stopping, make_small, finish),
        cmocka_unit_test_setup_teardown(department_down, make_small, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
