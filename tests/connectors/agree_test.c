/*
 * The same table in SQLite, PostgreSQL and MariaDB, each behind its connector; the same random questions; the same rows. Text with Chinese,
 * emoji, spaces at its end, capitals, empty; NULL, the largest integers, reals down to minus zero, times before 1970 and after 2038.
 *
 *     tests/servers.py postgres mariadb -- PROGRAM [SEED] [QUESTIONS]
 *
 * Prints its seed. Minus zero is compared as zero: SQLite keeps no other.
 */
#include "base/mem.h"
#include "base/test.h"
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
#include <sys/stat.h>
#include <time.h>

#define N_ROWS 300
enum engine { SQLITE, POSTGRES, MARIADB, N_DATABASES, ODBC_SQLITE = N_DATABASES, ODBC_POSTGRES, ODBC_MARIADB, N_ENGINES };
static const char *const engine_names[] = {"sqlite", "postgres", "mariadb", "odbc to sqlite", "odbc to postgres", "odbc to mariadb"};
static const struct hub_system_ops *const connectors[N_ENGINES][2] = {
    {&system_sqlite_ops}, {&system_postgres_ops}, {&system_mariadb_ops}, {&system_odbc_ops}, {&system_odbc_ops}, {&system_odbc_ops}};
static struct fake_city cities[N_ENGINES];
static uint64_t seed;
static size_t n_questions = 600;

static uint64_t next(void) /* splitmix64 */
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}
static size_t below(size_t n)
{
    return (size_t)(next() % n);
}

/* ---- values ---- */

static const char *const texts[] = {"", " ", "a", "a ", "A", "a  ", "ab", "Ab", "ab%", "a_b", "杭州", "杭州市", "杭", "😀", "😀a", "é",
    "e\xcc\x81", "ß", "ss", "浙A12345", "浙a12345", "'", "\"", "\\", "\\n", "--", "a\tb", "0", "1e3", "NULL", "\xef\xbf\xbd", "z", "ÿ"};
static const int64_t integers[] = {
    0, 1, -1, 2, 7, 1000, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_C(9007199254740993), INT32_MAX, INT32_MIN};
static const double reals[] = {0.0, -0.0, 0.25, -0.25, 1.5, 1e10, -1e10, 3.75, 1000000.5, 2.0};
static const int64_t times[] = {0, 1, -1, 1700000000123, 1709222400000, 4102444800001, -2208988800000, 1700000000124, 253370736000000};
static const char *const columns[] = {"id", "t", "n", "k", "r", "b", "m"};
enum { ID, T, N, K, R, B, M, N_COLUMNS };
#define ONE(list_) list_[below(sizeof list_ / sizeof *list_)]

static struct value any(size_t column)
{
    switch (column) {
    case ID:
        return value_integer((int64_t)below(N_ROWS + 5));
    case T:
        return value_text(str_from_c(ONE(texts)));
    case N:
        return value_integer(ONE(integers));
    case K:
        return value_integer((int64_t)below(5) - 2);
    case R:
        return value_real(ONE(reals));
    case B:
        return value_boolean(below(2));
    default:
        return value_time(ONE(times));
    }
}

/* ---- the three tables ---- */

static const char *const definitions[N_DATABASES] = {
    "DROP TABLE IF EXISTS vehicle; CREATE TABLE vehicle (id INTEGER PRIMARY KEY, t TEXT, n INTEGER, k INTEGER, r REAL, b INTEGER, m "
    "INTEGER); CREATE INDEX vt ON vehicle "
    "(t); CREATE INDEX vm ON vehicle (m)",
    "DROP TABLE IF EXISTS vehicle; CREATE TABLE vehicle (id int PRIMARY KEY, t varchar(50), n bigint, k smallint, r double precision, b "
    "boolean, m timestamptz(3)); CREATE "
    "INDEX ON vehicle (t); CREATE INDEX ON vehicle (m)",
    "DROP TABLE IF EXISTS vehicle; CREATE TABLE vehicle (id INT PRIMARY KEY, t VARCHAR(50) COLLATE utf8mb4_general_ci, n BIGINT, k "
    "TINYINT, r DOUBLE, b BOOLEAN, m "
    "DATETIME(3), KEY (t), KEY (m))",
};

static void append_literal(struct buf *sql, enum engine engine, struct value value)
{
    static const char *const before[] = {"CAST(X'", "convert_from(decode('", "CONVERT(X'"}, *const after[] = {"' AS TEXT)",
                                                                                                "', 'hex'), 'UTF8')", "' USING utf8mb4)"};
    switch (value.type) {
    case VALUE_TEXT:
        buf_append_c(sql, before[engine]);
        for (size_t i = 0; i < value.s.len; i++)
            buf_printf(sql, "%02x", (unsigned char)value.s.ptr[i]);
        buf_append_c(sql, after[engine]);
        return;
    case VALUE_BOOLEAN:
        buf_append_c(sql, engine == SQLITE ? (value.i ? "1" : "0") : value.i ? "TRUE" : "FALSE");
        return;
    case VALUE_INTEGER:
        if (value.i == INT64_MIN)
            buf_append_c(sql, "(-9223372036854775807 - 1)");
        else
            buf_printf(sql, "%lld", (long long)value.i);
        return;
    case VALUE_REAL:
        buf_printf(sql, engine == POSTGRES ? "'%.17g'::double precision" : "%.17ge0", value.r);
        return;
    case VALUE_TIME:
        if (engine == SQLITE)
            buf_printf(sql, "%lld", (long long)value.i);
        else if (engine == POSTGRES)
            buf_printf(sql, "timestamptz '1970-01-01 00:00:00+00' + interval '%s%lld.%03lld second'", value.i < 0 ? "-" : "",
                (long long)llabs(value.i / 1000), (long long)llabs(value.i % 1000));
        else
            buf_printf(sql, "TIMESTAMPADD(MICROSECOND, (%lld + 28800000) * 1000, TIMESTAMP'1970-01-01 00:00:00')", (long long)value.i);
        return;
    default:
        buf_append_c(sql, "NULL");
        return;
    }
}

static PGconn *pg;
static MYSQL *mysql;
static sqlite3 *sqlite;

static const char *need(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fail_msg("%s is not set; mend: run it as tests/servers.py postgres mariadb -- PROGRAM", name);
    return value;
}

static void run_sql(enum engine engine, const char *sql)
{
    if (engine == SQLITE) {
        char *error = NULL;
        if (sqlite3_exec(sqlite, sql, NULL, NULL, &error) != SQLITE_OK)
            fail_msg("%s: %s", sql, error);
    } else if (engine == POSTGRES) {
        PGresult *result = PQexec(pg, sql);
        if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
            fail_msg("%s: %s", sql, PQresultErrorMessage(result));
        PQclear(result);
    } else {
        int code = mysql_query(mysql, sql);
        while (code == 0) {
            mysql_free_result(mysql_store_result(mysql));
            code = mysql_next_result(mysql);
        }
        if (code > 0)
            fail_msg("%s: %s", sql, mysql_error(mysql));
    }
}

static void connect_all(void)
{
    char text[400];
    snprintf(text, sizeof text, "host=%s port=%s user=postgres dbname=department", need("CITYBRAIN_POSTGRES_SOCKET_DIR"),
        need("CITYBRAIN_POSTGRES_PORT"));
    pg = PQconnectdb(text);
    mysql = mysql_init(NULL);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    snprintf(text, sizeof text, "%s/socket", need("CITYBRAIN_MARIADB_SOCKET_DIR"));
    assert_non_null(mysql_real_connect(mysql, NULL, "root", NULL, "department", 0, text, CLIENT_MULTI_STATEMENTS));
    snprintf(text, sizeof text, "%s/police.sqlite", cities[SQLITE].data);
    assert_int_equal(sqlite3_open(text, &sqlite), SQLITE_OK);
    run_sql(POSTGRES, "SET client_min_messages = error; DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hub') THEN CREATE "
                      "ROLE hub LOGIN PASSWORD 'x'; END IF; END $$");
    run_sql(MARIADB, "CREATE OR REPLACE USER hub@'%' IDENTIFIED BY 'x'; GRANT SELECT ON department.* TO hub@'%'");
}

static void fill(void)
{
    struct value rows[N_ROWS][N_COLUMNS];
    for (size_t i = 0; i < N_ROWS; i++)
        for (size_t j = 0; j < N_COLUMNS; j++)
            rows[i][j] = j == ID ? value_integer((int64_t)i) : below(8) == 0 ? VALUE_NONE : any(j);
    for (enum engine engine = 0; engine < N_DATABASES; engine++) {
        struct buf sql;
        buf_init(&sql, 4u << 20);
        run_sql(engine, definitions[engine]);
        buf_append_c(&sql, "INSERT INTO vehicle VALUES ");
        for (size_t i = 0; i < N_ROWS; i++)
            for (size_t j = 0; j < N_COLUMNS; j++) {
                buf_append_c(&sql, j ? ", " : i ? "), (" : "(");
                append_literal(&sql, engine, rows[i][j]);
            }
        buf_append(&sql, ")", 2);
        assert_ok(sql.err);
        run_sql(engine, sql.ptr);
        buf_finish(&sql);
    }
    run_sql(POSTGRES, "GRANT SELECT ON vehicle TO hub");
}

/* The same three databases, by their ODBC drivers. */
static void write_odbc(enum engine engine, char *text, size_t size, const char *resources)
{
    if (engine == ODBC_SQLITE)
        snprintf(text, size, "connection: {driver: SQLite3, dialect: sqlite, options: {Database: \"%s/police.sqlite\"}, timeout: 30s}\n%s",
            cities[SQLITE].data, resources);
    else if (engine == ODBC_POSTGRES)
        snprintf(text, size,
            "connection: {driver: PostgreSQL Unicode, dialect: postgres, options: {Servername: 127.0.0.1, Port: \"%s\", Database: "
            "department, "
            "BoolsAsChar: \"0\"}, user: hub, password_file: \"{data}/secrets/department\", timeout: 30s}\n%s",
            need("CITYBRAIN_POSTGRES_PORT"), resources);
    else
        snprintf(text, size,
            "connection: {driver: MariaDB Unicode, dialect: mariadb, options: {SERVER: 127.0.0.1, PORT: \"%s\", DATABASE: department}, "
            "user: "
            "hub, password_file: \"{data}/secrets/department\", timeout: 30s}\n%s",
            need("CITYBRAIN_MARIADB_PORT"), resources);
}

static void write_systems(void)
{
    static const char *const resources =
        "resources:\n  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {table: vehicle}\n    fields:\n"
        "      - {name: id, type: integer, class: open, key: true}\n      - {name: t, type: text, class: open}\n      - {name: n, type: "
        "integer, class: open}\n"
        "      - {name: k, type: integer, class: open}\n      - {name: r, type: real, class: open}\n      - {name: b, type: boolean, "
        "class: open}\n"
        "      - {name: m, type: time, class: open}\n";
    for (enum engine engine = 0; engine < N_ENGINES; engine++) {
        char text[2000];
        if (engine >= N_DATABASES)
            write_odbc(engine, text, sizeof text, resources);
        else if (engine == SQLITE)
            snprintf(text, sizeof text, "connection: {file: \"{data}/police.sqlite\", timeout: 30s}\n%s", resources);
        else
            snprintf(text, sizeof text,
                "connection: {host: 127.0.0.1, port: %s, database: department, user: hub, password_file: \"{data}/secrets/department\", "
                "timeout: 30s}\n%s",
                need(engine == POSTGRES ? "CITYBRAIN_POSTGRES_PORT" : "CITYBRAIN_MARIADB_PORT"), resources);
        fake_department_write(&cities[engine], connectors[engine][0]->connector, text);
    }
}

/* ---- questions ---- */

struct question {
    struct fake_question it;
    struct value values[3][8];
    char names[8][32];
    bool is_ordered;
};

static void add_where(struct question *q, size_t at)
{
    static const enum sql_op all[] = {SQL_EQ, SQL_NE, SQL_LT, SQL_LE, SQL_GT, SQL_GE, SQL_IN, SQL_IS_NULL, SQL_NOT_NULL, SQL_PREFIX};
    static const enum sql_op equal[] = {SQL_EQ, SQL_NE, SQL_IS_NULL, SQL_NOT_NULL};
    size_t column = below(N_COLUMNS), n = 1;
    enum sql_op op = column == B ? ONE(equal) : ONE(all);
    if (op == SQL_PREFIX && column != T)
        op = SQL_GE;
    if (op == SQL_IN)
        n = 1 + below(8);
    else if (op == SQL_IS_NULL || op == SQL_NOT_NULL)
        n = 0;
    for (size_t i = 0; i < n; i++)
        q->values[at][i] = any(column);
    q->it.where[at].column = columns[column];
    q->it.where[at].op = op;
    q->it.where[at].values = q->values[at];
    q->it.where[at].n = n;
}

static void ask_for_groups(struct question *q)
{
    static const char *const aggregates[] = {"count(*)", "count(t)", "count(distinct t)", "count(distinct n)", "sum(k)", "sum(r)", "min(t)",
        "max(t)", "min(n)", "max(n)", "min(r)", "max(m)", "min(m)", "max(b)", "min(b)", "count(distinct r)", "count(distinct m)"};
    size_t n = 0, n_groups = below(3), first = below(N_COLUMNS);
    for (size_t i = 0; i < n_groups; i++) {
        q->it.outputs[n] = columns[(first + i) % N_COLUMNS];
        q->it.order[n] = below(2) ? q->it.outputs[n] : (snprintf(q->names[n], sizeof q->names[n], "-%s", q->it.outputs[n]), q->names[n]);
        n++;
    }
    q->is_ordered = n_groups > 0;
    for (size_t i = 1 + below(3); i > 0; i--)
        q->it.outputs[n++] = ONE(aggregates);
}

static void make_question(struct question *q)
{
    *q = (struct question){0};
    for (size_t i = below(4); i > 0; i--)
        add_where(q, i - 1);
    for (size_t i = 0; i < 2 && !q->it.where[i].column; i++) { /* no gap before the others */
        q->it.where[i] = q->it.where[2];
        q->it.where[2].column = NULL;
    }
    q->it.n_rows_max = below(3) ? 1000 : 1 + below(20);
    if (below(3) == 0) {
        ask_for_groups(q);
        return;
    }
    size_t n = 1 + below(4);
    for (size_t i = 0; i < n; i++)
        q->it.outputs[i] = columns[below(N_COLUMNS)];
    q->is_ordered = below(4) != 0 || q->it.n_rows_max < 1000;
    for (size_t i = 0; i < 3 && q->is_ordered; i++) { /* the key last, so that the order is one */
        const char *name = i == 2 ? "id" : columns[below(N_COLUMNS)];
        snprintf(q->names[i], sizeof q->names[i], "%s%s", below(2) ? "-" : "", name);
        q->it.order[i] = q->names[i];
    }
}

static void show(const struct question *q, struct buf *out)
{
    buf_append_c(out, "SELECT");
    for (size_t i = 0; i < 16 && q->it.outputs[i]; i++)
        buf_printf(out, " %s", q->it.outputs[i]);
    for (size_t i = 0; i < 8 && q->it.where[i].column; i++) {
        buf_printf(out, " WHERE %s op %d: ", q->it.where[i].column, (int)q->it.where[i].op);
        fake_row_text(q->it.where[i].values, q->it.where[i].n, out);
    }
    for (size_t i = 0; i < 8 && q->it.order[i]; i++)
        buf_printf(out, " ORDER %s", q->it.order[i]);
    buf_printf(out, " LIMIT %zu", q->it.n_rows_max);
    buf_append_byte(out, '\0');
}

/* ---- answers ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All rows as text, sorted when no order was asked for. */
static char *ask(enum engine engine, const struct question *q)
{
    const struct fake_answer *answer = fake_ask(&cities[engine], &q->it);
    struct buf all;
    char **lines = mem_alloc_zero(answer->n_rows + 1, sizeof *lines);
    buf_init(&all, 16u << 20);
    buf_printf(&all, "%s, %zu rows%s", err_text(answer->err), answer->n_rows, answer->is_truncated ? ", more" : "");
    for (size_t i = 0; i < answer->n_rows; i++) {
        struct value values[16];
        size_t n = rows_n_fields(answer->rows);
        struct buf line;
        memcpy(values, rows_at(answer->rows, i), n * sizeof *values);
        for (size_t j = 0; j < n; j++)
            if (values[j].type == VALUE_REAL && values[j].r == 0)
                values[j].r = 0;
        buf_init(&line, 1u << 20);
        fake_row_text(values, n, &line);
        buf_append_byte(&line, '\0');
        lines[i] = line.ptr;
    }
    if (!q->is_ordered)
        qsort(lines, answer->n_rows, sizeof *lines, by_text);
    for (size_t i = 0; i < answer->n_rows; i++) {
        buf_printf(&all, "\n%s", lines[i]);
        mem_free(lines[i]);
    }
    buf_append_byte(&all, '\0');
    mem_free(lines);
    return all.ptr;
}

static void same_rows(void **state)
{
    size_t n_rows = 0;
    for (size_t at = 0; at < n_questions; at++) {
        struct question q;
        struct buf shown;
        make_question(&q);
        char *first = ask(SQLITE, &q);
        for (enum engine engine = POSTGRES; engine < N_ENGINES; engine++) {
            char *other = ask(engine, &q);
            if (strcmp(first, other) != 0) {
                buf_init(&shown, 1u << 20);
                show(&q, &shown);
                size_t same = 0; /* from the first line that differs */
                for (size_t i = 0; first[i] && first[i] == other[i]; i++)
                    same = first[i] == '\n' ? i : same;
                fail_msg("question %zu: %s\nsqlite: %.300s\n%s: %.300s", at, shown.ptr, first + same, engine_names[engine], other + same);
            }
            mem_free(other);
        }
        for (const char *c = first; *c; c++)
            n_rows += *c == '\n';
        mem_free(first);
    }
    print_message("%zu questions, %zu rows: %d connectors answer alike\n", n_questions, n_rows, (int)N_ENGINES);
}

static int make(void **state)
{
    for (enum engine engine = 0; engine < N_ENGINES; engine++) {
        fake_department_make(&cities[engine], connectors[engine]);
        fake_department_secret(&cities[engine], "department", "x\n");
        fake_department_grant(&cities[engine], "[id, t, n, k, r, b, m]", NULL);
    }
    write_systems();
    connect_all();
    fill();
    for (enum engine engine = 0; engine < N_ENGINES; engine++)
        fake_department_load(&cities[engine]);
    return 0;
}

static int finish(void **state)
{
    sqlite3_close(sqlite);
    PQfinish(pg);
    mysql_close(mysql);
    for (enum engine engine = 0; engine < N_ENGINES; engine++)
        fake_city_unload(&cities[engine]);
    for (enum engine engine = 0; engine + 1 < N_ENGINES; engine++)
        fake_city_remove(&cities[engine]);
    fake_department_finish(&cities[N_ENGINES - 1]);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(same_rows, make, finish)};
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    n_questions = argc > 2 ? strtoull(argv[2], NULL, 10) : n_questions;
    printf("seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
