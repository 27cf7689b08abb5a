/*
 * A department whose file means no good, or is broken: rows without an end, cells without an end, values of other types than the columns
 * say, views that call themselves, and things that are no file at all. Each asking ends within its time, with rows that are right or with
 * an error; memory stays bounded; and when the file is itself again so are the answers.
 */
#include "system/sqlite/sqlite.h"

#include "base/test.h"
#include "hub/department_testing.h"
#include "hub/desk.h"
#include "system/sqlite/inside.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_OURS false /* a sanitizer keeps what is freed, and more */
#else
#define MEMORY_IS_OURS true
#endif

#define N "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
#define MANY " FROM many a, many b, many c, many d" /* 10¹² of them */
#define GOOD "CREATE VIEW vehicle AS SELECT 'A' || v AS plate, v AS seats, v / 2.0 AS weight, 1700000000000 + v AS since FROM good"

static struct fake_city city;
static char path[200];

static long status_kb(const char *name)
{
    char line[200];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            kb = strtol(line + strlen(name) + 1, NULL, 10);
    if (file)
        fclose(file);
    return kb;
}

static void run_sql(const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
    sqlite3_close(db);
}

static void put_file(void)
{
    remove(path);
    run_sql("CREATE TABLE good (v INTEGER); INSERT INTO good VALUES (1), (2), (3); CREATE TABLE many (v INTEGER); " N
            "INSERT INTO many SELECT i FROM n LIMIT 1000; " GOOD);
}

static int make(void **state)
{
    static const struct hub_system_ops *const connectors[] = {&system_sqlite_ops, NULL};
    fake_department_make(&city, connectors);
    snprintf(path, sizeof path, "%s/police.sqlite", city.data);
    put_file();
    fake_department_write(&city, "sqlite",
        "connection: {file: \"{data}/police.sqlite\", timeout: 300ms}\nresources:\n  - {name: vehicle, title: {zh: 车, en: V}, kind: "
        "table, bind: {view: vehicle}, fields: [{name: plate, type: text, class: open, key: true}, {name: seats, type: integer, class: "
        "open}, {name: weight, type: real, class: open}, {name: since, type: time, class: open}]}\n");
    fake_department_grant(&city, "[plate, seats, weight, since]", NULL);
    fake_department_load(&city);
    return 0;
}

static int finish(void **state)
{
    fake_department_finish(&city);
    return 0;
}

static const struct fake_question everything = {.outputs = {"plate", "seats", "weight", "since"}};

static void until_good(const char *after)
{
    const struct mono_time begun = clock_mono(clock_system());
    while (strcmp(fake_ask(&city, &everything)->text, "A1|1|0.5|@1700000000001;A2|2|1|@1700000000002;A3|3|1.5|@1700000000003") != 0)
        if (mono_ms_between(begun, clock_mono(clock_system())) > 30000)
            fail_msg("after %s: %s", after, err_text(fake_ask(&city, &everything)->err));
}

/* ---- what a view can hold ---- */

#define VALUES(plate_, seats_, weight_, since_)                                                                                            \
    "SELECT " plate_ " AS plate, " seats_ " AS seats, " weight_ " AS weight, " since_ " AS since"
#define COUNT                                                                                                                              \
    {                                                                                                                                      \
        .outputs = { "count(*)" }                                                                                                          \
    }
#define SORTED                                                                                                                             \
    {                                                                                                                                      \
        .outputs = {"plate"}, .order = { "-seats" }                                                                                        \
    }
#define DISTINCT                                                                                                                           \
    {                                                                                                                                      \
        .outputs = { "count(distinct plate)" }                                                                                             \
    }
#define EVERYTHING                                                                                                                         \
    {                                                                                                                                      \
        .outputs = { "plate", "seats", "weight", "since" }                                                                                 \
    }

static void views(void **state)
{
    static const struct {
        const char *what, *select;
        struct fake_question question;
        enum err err, or_err;
    } rows[] = {
        {"rows without an end", VALUES("'A' || a.v", "b.v", "c.v / 2.0", "d.v") MANY, EVERYTHING, ERR_OK, ERR_OK},
        {"… that are counted", VALUES("'A' || a.v", "b.v", "c.v / 2.0", "d.v") MANY, COUNT, ERR_TIMEOUT, ERR_TIMEOUT},
        {"… that are put in order", VALUES("'A' || a.v", "b.v + d.v", "c.v / 2.0", "d.v") MANY, SORTED, ERR_TIMEOUT, ERR_TIMEOUT},
        {"… that are told apart", VALUES("'A' || a.v || '.' || b.v || '.' || c.v || d.v", "b.v", "c.v / 2.0", "d.v") MANY, DISTINCT,
            ERR_TIMEOUT, ERR_TIMEOUT},
        {"… of which none is the one", VALUES("'A' || a.v", "b.v", "c.v / 2.0", "d.v") MANY " WHERE a.v + b.v + c.v + d.v < 0", EVERYTHING,
            ERR_TIMEOUT, ERR_TIMEOUT},
        {"… each remembered",
            "SELECT DISTINCT 'A' || a.v AS plate, b.v AS seats, c.v / 2.0 AS weight, d.v AS since" MANY
            " WHERE a.v + b.v + c.v + d.v <> 7 ORDER BY 1 DESC",
            EVERYTHING, ERR_TIMEOUT, ERR_TIMEOUT},
        {"rows of 256 KiB without an end", VALUES("printf('%.262144c', 'x')", "b.v", "c.v / 2.0", "d.v") MANY, EVERYTHING, ERR_TOO_LARGE,
            ERR_TOO_LARGE},
        {"a recursion without an end", N VALUES("'A' || i", "i", "i / 2.0", "i") " FROM n", EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"a cell of 20 MB, which SQLite makes a NULL", VALUES("printf('%.20000000c', 'x')", "1", "1.5", "1"), EVERYTHING, ERR_OK, ERR_OK},
        {"a cell that grows without an end", VALUES("(SELECT group_concat(a.v, 'xxxxxxxxxxxxxxxx')" MANY ")", "1", "1.5", "1"), EVERYTHING,
            ERR_TIMEOUT, ERR_TOO_LARGE},
        {"a cell of cells", VALUES("replace(printf('%.60000c', 'x'), 'x', printf('%.60000c', 'y'))", "1", "1.5", "1"), EVERYTHING,
            ERR_UNAVAILABLE, ERR_TOO_LARGE},
        {"a text in a column of numbers", VALUES("'A1'", "'many'", "1.5", "1"), EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"a number's text in a column of numbers", VALUES("'A1'", "'7'", "1.5", "1"), EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"half a number", VALUES("'A1'", "1.5", "1.5", "1"), EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"infinity", VALUES("'A1'", "1", "9e999", "1"), EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"a number past 64 bits", VALUES("'A1'", "9223372036854775808", "1.5", "1"), EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"a time as a text", VALUES("'A1'", "1", "1.5", "'2026-01-01'"), EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"bytes in a column of texts", VALUES("x'00ff'", "1", "1.5", "1"), EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"a text that is no UTF-8", VALUES("CAST(x'fffe' AS TEXT)", "1", "1.5", "1"), EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"a text with a NUL", VALUES("CAST(x'410042' AS TEXT)", "1", "1.5", "1"), EVERYTHING, ERR_OK, ERR_UNAVAILABLE},
        {"another column's name", "SELECT 1 AS plate, 2 AS chairs, 3 AS weight, 4 AS since", EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"a view of itself", "SELECT * FROM vehicle", EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"a function that is not there", VALUES("steal(1)", "1", "1.5", "1"), EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"an extension", VALUES("load_extension('/tmp/x.so')", "1", "1.5", "1"), EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
        {"the file's own schema", VALUES("(SELECT sql FROM sqlite_schema)", "1", "1.5", "1"), EVERYTHING, ERR_UNAVAILABLE, ERR_UNAVAILABLE},
    };
    size_t n_errors = 0;
    until_good("loading");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char sql[2000];
        FILE *reset = fopen("/proc/self/clear_refs", "w"); /* the peak of memory is counted anew */
        if (reset) {
            fputs("5", reset);
            fclose(reset);
        }
        long before = status_kb("VmRSS:");
        snprintf(sql, sizeof sql, "BEGIN IMMEDIATE; DROP VIEW vehicle; CREATE VIEW vehicle AS %s; COMMIT", rows[i].select);
        run_sql(sql);
        const struct mono_time begun = clock_mono(clock_system());
        const struct fake_answer *answer = fake_ask(&city, &rows[i].question);
        int64_t ms = mono_ms_between(begun, clock_mono(clock_system()));
        long peak = status_kb("VmHWM:") - before;
        print_message(
            "%s: \"%s\" after %lld ms, %ld MiB more at the peak\n", rows[i].what, err_text(answer->err), (long long)ms, peak / 1024);
        if (answer->err != rows[i].err && answer->err != rows[i].or_err)
            fail_msg("%s: %s", rows[i].what, err_text(answer->err));
        if (i == 0)
            assert_true(answer->n_rows == 1000 && answer->is_truncated);
        n_errors += answer->err != ERR_OK;
        assert_true(ms < 20000);
        assert_true(!MEMORY_IS_OURS || peak < 64 * 1024);
        run_sql("BEGIN IMMEDIATE; DROP VIEW vehicle; " GOOD "; COMMIT");
        until_good(rows[i].what);
    }
    print_message("%zu views, %zu ended with an error\n", sizeof rows / sizeof *rows, n_errors);
}

/* ---- what is no file ---- */

static void no_files(void **state)
{
    static const char *const whats[] = {"a pipe", "a folder", "a device without an end", "an empty file", "a file of nothing but zeros"};
    until_good("loading");
    for (int i = 0; i < 5; i++) {
        FILE *file;
        remove(path);
        if (i == 0)
            assert_int_equal(mkfifo(path, 0600), 0);
        else if (i == 1)
            assert_int_equal(mkdir(path, 0700), 0);
        else if (i == 2)
            assert_int_equal(symlink("/dev/zero", path), 0);
        else {
            file = fopen(path, "w");
            assert_non_null(file);
            for (int j = 0; i == 4 && j < 8192; j++)
                fputc(0, file);
            fclose(file);
        }
        enum err err = ERR_OK;
        const struct mono_time begun = clock_mono(clock_system());
        for (int tries = 0; tries < 100 && !err; tries++) { /* that it is another file is looked at now and then */
            err = fake_ask(&city, &everything)->err;
            usleep(20000);
        }
        print_message("%s: \"%s\"\n", whats[i], err_text(err));
        assert_err(err, ERR_UNAVAILABLE);
        assert_true(mono_ms_between(begun, clock_mono(clock_system())) < 20000);
        remove(path);
        put_file();
        until_good(whats[i]);
    }
    fake_city_unload(&city); /* and while the city is loaded: a department that is down, no error of its file */
    for (int i = 0; i < 2; i++) {
        remove(path);
        if (i == 0)
            assert_int_equal(mkfifo(path, 0600), 0);
        else
            assert_int_equal(symlink("/dev/zero", path), 0);
        fake_department_load(&city);
        assert_err(fake_ask(&city, &everything)->err, ERR_UNAVAILABLE);
        remove(path);
        put_file();
        until_good("loading with it");
        fake_city_unload(&city);
    }
}

static void drafted(struct hub_desk_ask *ask)
{
    *(bool *)ask->context = true;
}

/* Drafting tries the statement on the hub's loop: a department that holds its file locked keeps the hub for a moment, not for as long as
 * a call would wait; and is no fault of the draft. */
static void a_locked_file_does_not_hold_the_desk(void **state)
{
    static const char terms[] = "{\"provider\":\"h/police\",\"consumer\":\"h/parking\",\"resource\":\"h/police/"
                                "vehicle\",\"uses\":[\"call\"],\"fields\":[\"plate\"],"
                                "\"purpose\":\"parking.check\",\"legal_basis\":{\"zh\":\"依\",\"en\":\"law\"},\"from\":\"2026-01-01\","
                                "\"until\":\"2028-01-01\",\"keep\":\"1h\"}";
    sqlite3 *holder;
    assert_int_equal(sqlite3_open(path, &holder), SQLITE_OK);
    assert_int_equal(sqlite3_exec(holder, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    struct mono_time from = clock_mono(clock_system());
    for (int i = 0; i < 20; i++) {
        bool is_done = false;
        struct hub_desk_ask ask = {.hub = city.hub,
            .who = {.party = STR("h/post"), .acts_for = STR("h/parking"), .roles = HTTP_MANAGE},
            .event = HUB_DRAFT,
            .terms = STR(terms),
            .loop = city.loop,
            .done = drafted,
            .context = &is_done};
        hub_desk_start(&ask);
        while (!is_done)
            assert_ok(loop_run_once(city.loop, 10));
        assert_ok(ask.err);
    }
    assert_true(mono_ms_between(from, clock_mono(clock_system())) < 20 * SQLITE_BUSY_MS);
    assert_int_equal(sqlite3_exec(holder, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(holder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(views, make, finish),
        cmocka_unit_test_setup_teardown(no_files, make, finish),
        cmocka_unit_test_setup_teardown(a_locked_file_does_not_hold_the_desk, make, finish)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
