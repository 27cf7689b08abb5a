/* The SQL face: settings, values, errors by name, migrations, damaged and newer files, a full disk, no memory. */
#include "db/db.h"

#include "base/mem.h"
#include "base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static char path[128];

static int set_up(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/citybrain_db_XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/own.sqlite", dir);
    return 0;
}

static int tear_down(void **state)
{
    const char *const endings[] = {"", "-wal", "-shm"};
    char name[160];
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
    return rmdir(dir);
}

static struct value one_value(struct db *db, const char *sql)
{
    struct db_statement *statement = NULL;
    bool has_row = false;
    assert_ok(db_cached(db, sql, NULL, &statement));
    assert_ok(db_step(statement, &has_row));
    assert_true(has_row);
    return db_column(statement, 0);
}

static int64_t one_integer(struct db *db, const char *sql)
{
    struct value value = one_value(db, sql);
    assert_int_equal(value.type, VALUE_INTEGER);
    return value.i;
}

static void opens_durable(void **state)
{
    struct db *db = NULL;
    struct diag diag = {""};
    assert_ok(db_open(path, &diag, &db));
    assert_str(one_value(db, "PRAGMA journal_mode").s, "wal");
    assert_int_equal(one_integer(db, "PRAGMA synchronous"), 2);
    assert_int_equal(one_integer(db, "PRAGMA foreign_keys"), 1);
    db_close(db);
    db_close(NULL);
}

static void keeps_every_type(void **state)
{
    struct db *db = NULL;
    struct db_statement *statement = NULL;
    bool has_row = false;
    const struct value in[] = {VALUE_NONE, value_boolean(true), value_integer(INT64_MIN), value_real(0.1), value_text(STR("浙A·12345")),
        value_text(STR_NONE), value_time(1795300000123), {.type = VALUE_BYTES, .s = {"a\0b", 3}}, {.type = VALUE_BYTES, .s = {NULL, 0}}};
    assert_ok(db_open(path, NULL, &db));
    assert_ok(db_prepare(db, "SELECT ?,?,?,?,?,?,?,?,?", NULL, &statement));
    for (size_t i = 0; i < 9; i++)
        assert_ok(db_bind(statement, (int)i + 1, in[i]));
    assert_err(db_bind(statement, 10, VALUE_NONE), ERR_RANGE);
    assert_ok(db_step(statement, &has_row));
    assert_true(has_row);
    assert_int_equal(db_n_columns(statement), 9);
    assert_int_equal(db_column(statement, 0).type, VALUE_NULL);
    assert_int_equal(db_column(statement, 1).i, 1);
    assert_true(db_column(statement, 2).i == INT64_MIN);
    assert_true(db_column(statement, 3).r == 0.1);
    assert_str(db_column(statement, 4).s, "浙A·12345");
    assert_int_equal(db_column(statement, 5).type, VALUE_TEXT);
    assert_int_equal(db_column(statement, 5).s.len, 0);
    assert_true(db_column(statement, 6).i == 1795300000123);
    assert_int_equal(db_column(statement, 7).type, VALUE_BYTES);
    assert_int_equal(db_column(statement, 7).s.len, 3);
    assert_int_equal(db_column(statement, 8).type, VALUE_BYTES);
    assert_ok(db_step(statement, &has_row));
    assert_false(has_row);
    db_reset(statement);
    assert_ok(db_step(statement, &has_row));
    assert_int_equal(db_column(statement, 1).type, VALUE_NULL); /* the bindings are gone */
    db_statement_finish(statement);
    db_statement_finish(NULL);
    db_close(db);
}

static void names_its_errors(void **state)
{
    struct db *db = NULL;
    struct db_statement *statement = NULL;
    struct diag diag = {""};
    assert_ok(db_open(path, NULL, &db));
    assert_ok(db_exec(db, "CREATE TABLE t(k INTEGER PRIMARY KEY, n INTEGER CHECK (n > 0)); INSERT INTO t VALUES (1, 1)", NULL));
    assert_err(db_exec(db, "INSERT INTO t VALUES (1, 1)", &diag), ERR_EXISTS);
    assert_err(db_exec(db, "INSERT INTO t VALUES (2, 0)", &diag), ERR_RANGE);
    assert_err(db_exec(db, "SELEC", &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "SELEC"));
    assert_err(db_prepare(db, "SELECT nothing FROM t", &diag, &statement), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "nothing"));
    assert_err(db_prepare(db, "", &diag, &statement), ERR_SYNTAX);
    assert_ok(db_begin(db));
    assert_ok(db_exec(db, "INSERT INTO t VALUES (3, 1)", NULL));
    db_rollback(db);
    assert_int_equal(one_integer(db, "SELECT count(*) FROM t"), 1);
    assert_ok(db_begin(db));
    assert_ok(db_exec(db, "INSERT INTO t VALUES (4, 1)", NULL));
    assert_ok(db_commit(db));
    assert_int_equal(one_integer(db, "SELECT max(k) FROM t"), 4);
    db_close(db);
}

static void refuses_what_is_no_database(void **state)
{
    struct db *db = NULL;
    struct diag diag = {""};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 200; i++)
        fputs("this is a letter, not a database\n", file);
    fclose(file);
    assert_err(db_open(path, &diag, &db), ERR_CORRUPT);
    assert_non_null(strstr(diag.text, path));
    assert_non_null(strstr(diag.text, "backup"));
    assert_null(db);
    assert_err(db_open("/tmp/citybrain_no_such_folder/own.sqlite", &diag, &db), ERR_IO);
    assert_non_null(strstr(diag.text, "/tmp/citybrain_no_such_folder/own.sqlite"));
}

static void refuses_a_damaged_page(void **state)
{
    struct db *db = NULL;
    struct diag diag = {""};
    assert_ok(db_open(path, NULL, &db));
    assert_ok(db_exec(db, "CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT)", NULL));
    assert_ok(db_exec(db,
        "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM c WHERE x<500) INSERT INTO t SELECT x, hex(randomblob(200)) FROM c",
        NULL));
    db_close(db);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    char garbage[4096];
    memset(garbage, 0xa5, sizeof garbage);
    assert_int_equal(pwrite(fd, garbage, sizeof garbage, 2 * 4096), sizeof garbage);
    close(fd);
    db = NULL;
    assert_err(db_open(path, &diag, &db), ERR_CORRUPT);
    assert_null(db);
}

static void migrates_in_order_once(void **state)
{
    const char *const first[] = {"CREATE TABLE a(x)", "ALTER TABLE a ADD COLUMN y; INSERT INTO a VALUES (1, 2)"};
    const char *const broken[] = {first[0], first[1], "INSERT INTO a VALUES (3, 4); INSERT INTO nowhere VALUES (1)"};
    struct db *db = NULL;
    struct diag diag = {""};
    assert_ok(db_open(path, NULL, &db));
    assert_ok(db_migrate(db, first, 1, &diag));
    assert_ok(db_migrate(db, first, 2, &diag));
    assert_ok(db_migrate(db, first, 2, &diag)); /* nothing left to do */
    assert_int_equal(one_integer(db, "SELECT count(*) FROM a"), 1);
    assert_err(db_migrate(db, broken, 3, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "nowhere"));
    assert_int_equal(one_integer(db, "SELECT count(*) FROM a"), 1); /* its first half is undone */
    assert_int_equal(one_integer(db, "PRAGMA user_version"), 2);
    assert_err(db_migrate(db, first, 1, &diag), ERR_UNSUPPORTED); /* the file is newer than this program */
    assert_non_null(strstr(diag.text, path));
    assert_non_null(strstr(diag.text, "newer program"));
    assert_int_equal(one_integer(db, "PRAGMA user_version"), 2);
    db_close(db);
}

static void a_full_disk_undoes_and_heals(void **state)
{
    struct db *db = NULL;
    enum err err = ERR_OK;
    assert_ok(db_open(path, NULL, &db));
    assert_ok(db_exec(db, "CREATE TABLE t(v BLOB); INSERT INTO t VALUES (1)", NULL));
    assert_ok(db_exec(db, "PRAGMA max_page_count=20", NULL));
    assert_ok(db_begin(db));
    for (int i = 0; i < 100 && err == ERR_OK; i++)
        err = db_exec(db, "INSERT INTO t VALUES (randomblob(2000))", NULL);
    assert_err(err, ERR_DISK_FULL);
    db_rollback(db);
    assert_int_equal(one_integer(db, "SELECT count(*) FROM t"), 1);
    assert_ok(db_exec(db, "PRAGMA max_page_count=2000", NULL));
    assert_ok(db_exec(db, "INSERT INTO t VALUES (2)", NULL));
    assert_int_equal(one_integer(db, "SELECT sum(v) FROM t"), 3);
    db_close(db);
}

static void keeps_cached_statements(void **state)
{
    static const char *const sql = "SELECT ?1 + 1";
    struct db *db = NULL;
    struct db_statement *a = NULL, *b = NULL;
    bool has_row = false;
    assert_ok(db_open(path, NULL, &db));
    assert_ok(db_cached(db, sql, NULL, &a));
    assert_ok(db_bind(a, 1, value_integer(41)));
    assert_ok(db_step(a, &has_row));
    assert_int_equal(db_column(a, 0).i, 42);
    assert_ok(db_cached(db, sql, NULL, &b));
    assert_ptr_equal(a, b);
    assert_ok(db_step(b, &has_row));
    assert_int_equal(db_column(b, 0).type, VALUE_NULL);
    static char texts[65][16];
    for (int i = 0; i < 63; i++) {
        snprintf(texts[i], sizeof texts[i], "SELECT %d", i);
        assert_ok(db_cached(db, texts[i], NULL, &b));
    }
    assert_err(db_cached(db, "SELECT 99", NULL, &b), ERR_FULL);
    db_close(db);
}

static void survives_each_failed_allocation(void **state)
{
    static const char *const migrations[] = {"CREATE TABLE a(x)"};
    int64_t n_before = mem_n_live();
    bool has_passed = false;
    for (uint64_t nth = 1; !has_passed; nth++) {
        struct db *db = NULL;
        struct db_statement *statement = NULL;
        assert_true(nth < 100);
        mem_fail_nth(nth);
        enum err err = db_open(path, NULL, &db);
        if (err == ERR_OK)
            err = db_migrate(db, migrations, 1, NULL);
        if (err == ERR_OK)
            err = db_prepare(db, "SELECT 1", NULL, &statement);
        mem_fail_nth(0);
        has_passed = err == ERR_OK;
        if (!has_passed)
            assert_err(err, ERR_NO_MEMORY);
        db_statement_finish(statement);
        db_close(db);
        assert_int_equal(mem_n_live(), n_before);
    }
}

/* One moment's state, while the writer is in the middle of a transaction; a newer program's file stays one. */
static void a_backup_is_of_one_moment(void **state)
{
    char copy[160];
    struct db *db = NULL, *copied = NULL;
    struct diag diag = {""};
    static const char *const migrations[] = {"CREATE TABLE t (x INTEGER)", "CREATE TABLE u (x INTEGER)"};
    snprintf(copy, sizeof copy, "%s/copy.sqlite", dir);
    assert_ok(db_open(path, &diag, &db));
    assert_ok(db_migrate(db, migrations, 2, &diag));
    assert_ok(db_exec(db, "INSERT INTO t VALUES (1), (2)", &diag));
    assert_ok(db_begin(db));
    assert_ok(db_exec(db, "INSERT INTO t VALUES (3)", &diag));
    assert_ok(db_backup(path, copy, &diag));
    assert_ok(db_commit(db));
    db_close(db);
    assert_ok(db_open(copy, &diag, &copied));
    assert_int_equal(one_integer(copied, "SELECT sum(x) FROM t"), 3);
    assert_err(db_migrate(copied, migrations, 1, &diag), ERR_UNSUPPORTED);
    db_close(copied);
    assert_int_equal(unlink(copy), 0);
    assert_err(db_backup("/nowhere/there", copy, &diag), ERR_IO);
    assert_non_null(strstr(diag.text, "/nowhere/there: cannot be copied"));
    unlink(copy);
}

int main(void)
{
#define ROW(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_backup_is_of_one_moment, set_up, tear_down),
        ROW(opens_durable),
        ROW(keeps_every_type),
        ROW(names_its_errors),
        ROW(refuses_what_is_no_database),
        ROW(refuses_a_damaged_page),
        ROW(migrates_in_order_once),
        ROW(a_full_disk_undoes_and_heals),
        ROW(keeps_cached_statements),
        ROW(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
