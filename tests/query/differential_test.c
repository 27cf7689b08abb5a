/*
 * The same rows as one SQLite file: random statements over random tables, spread over departments, against one file that holds them all.
 * Seed and count: CITYBRAIN_SEED, CITYBRAIN_QUERIES. Table i lives in engine i of those that it is linked with: SQLite alone, or SQLite,
 * PostgreSQL and MariaDB (connectors/query).
 */
#include "tests/query/query_city.h"

#include "base/mem.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_QUERIES TEST_TIMES(1500)
#define N_TABLES 3

static uint64_t random_state;

static uint32_t draw(uint32_t n) /* below n; xorshift64* */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 33) % n;
}

static const char *one_of(const char *const *list, size_t n)
{
    return list[draw((uint32_t)n)];
}
#define ONE_OF(...) one_of((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* ---- data: the same text for our departments and for the one file ---- */

static const char *const names[N_TABLES] = {"a", "b", "c"};
static const size_t sizes[N_TABLES] = {40, 300, 2500};

static void write_table(struct buf *sql, size_t at)
{
    buf_printf(sql, "CREATE TABLE %s (id BIGINT, t TEXT, k BIGINT, r DOUBLE PRECISION, f BOOLEAN, w BIGINT);", names[at]);
    for (size_t i = 0; i < sizes[at]; i++) {
        buf_printf(sql, i % 100 ? ", " : "INSERT INTO %s VALUES ", names[at]);
        buf_printf(sql, "(%zu, ", i);
        if (draw(10) == 0)
            buf_append_c(sql, "NULL");
        else
            buf_printf(sql, "'%s%s'", ONE_OF("a", "A", "ab", "Ab", "杭", "a%", "_x", "b", ""), ONE_OF("", "1", "2", " ", "''", "é", "*"));
        buf_printf(sql, draw(10) ? ", %d" : ", NULL", (int)draw(60) - 5);
        buf_printf(sql, draw(10) ? ", %g" : ", NULL", (double)draw(64) / 4 - 3);
        buf_append_c(sql, draw(10) ? draw(2) ? ", TRUE" : ", FALSE" : ", NULL");
        buf_printf(sql, draw(10) ? ", %d" : ", NULL", 1000 * (int)draw(500));
        buf_append_c(sql, i % 100 == 99 || i + 1 == sizes[at] ? ");" : ")");
    }
}

/* ---- statements; a table is written as {a} ---- */

static struct buf sql;
static size_t n_from; /* tables in FROM: x0, x1 … */

static void say(const char *text)
{
    buf_append_c(&sql, text);
}

static const char *column(void)
{
    static char out[16];
    snprintf(out, sizeof out, "x%u.%s", draw((uint32_t)n_from), ONE_OF("id", "t", "k", "r", "f", "w"));
    return out;
}

static void literal(void)
{
    switch (draw(8)) {
    case 0:
        buf_printf(&sql, "%d.5", (int)draw(20) - 3);
        break;
    case 1:
        say(ONE_OF("'a'", "'A'", "'ab1'", "'5'", "'杭'", "''", "'a '", "'1e1'"));
        break;
    case 2:
        say(ONE_OF("NULL", "TRUE", "FALSE", "-1", "100000", "9223372036854775807", "-0.0", "1e300"));
        break;
    default:
        buf_printf(&sql, "%d", (int)draw(60) - 5);
    }
}

static void condition(int depth)
{
    uint32_t n = draw(depth > 0 ? 14 : 11);
    if (n >= 11) {
        say("(");
        condition(depth - 1);
        say(n == 11 ? " OR " : " AND ");
        condition(depth - 1);
        say(")");
        return;
    }
    say(draw(12) ? "" : "NOT ");
    say(column());
    switch (n) {
    case 0:
        say(ONE_OF(" IS NULL", " IS NOT NULL"));
        break;
    case 1:
        buf_printf(&sql, " LIKE '%s'", ONE_OF("a%", "A%", "%1", "a_", "ab%b", "%", "", "_x%"));
        break;
    case 2:
        buf_printf(&sql, " GLOB '%s'", ONE_OF("a*", "[aA]*", "*1", "?"));
        break;
    case 3:
        say(draw(3) ? " IN (" : " NOT IN (");
        for (uint32_t i = 0, of = draw(5) + 1; i < of; i++) {
            say(i ? ", " : "");
            literal();
        }
        say(")");
        break;
    case 4:
        say(" BETWEEN ");
        literal();
        say(" AND ");
        literal();
        break;
    case 5:
        say(ONE_OF(" = ", " < ", " <> ", " >= "));
        say(column());
        break;
    case 6:
        /* In a join SQLite 3.40 itself counts such rows by the order of its loops: it loses the collation when it carries the constant over
         * an equality (b CROSS JOIN c ON b.t = c.t WHERE c.t COLLATE NOCASE = 'AB1'). */
        say(n_from == 1 ? " COLLATE NOCASE = 'AB1'" : " = 'ab1'");
        break;
    default:
        say(ONE_OF(" = ", " = ", " < ", " <= ", " > ", " >= ", " <> ", " IS "));
        literal();
    }
}

static void where(void)
{
    uint32_t n = draw(4);
    for (uint32_t i = 0; i < n; i++) {
        say(i ? " AND " : " WHERE ");
        condition(1);
    }
}

/* FROM with joins; big × big without a key would run for ever. */
static void from(size_t n)
{
    n_from = n;
    for (size_t i = 0; i < n; i++) {
        const char *table = n > 2 ? ONE_OF("a", "b") : ONE_OF("a", "b", "c");
        if (i)
            say(ONE_OF(" JOIN ", " JOIN ", " LEFT JOIN "));
        else
            say(" FROM ");
        buf_printf(&sql, "{%s} x%zu", table, i);
        if (i) {
            const char *mine = ONE_OF("k", "id", "t", "r", "w", "k"), *theirs = draw(4) ? mine : ONE_OF("k", "id", "t", "r");
            n_from = i + 1;
            buf_printf(&sql, " ON x%zu.%s = x%u.%s", i, mine, draw((uint32_t)i), theirs);
            if (draw(6) == 0)
                say(" + 1");
            if (draw(3) == 0) {
                say(" AND ");
                condition(0);
            }
        }
    }
}

static void plain(void)
{
    say(draw(8) ? "SELECT " : "SELECT DISTINCT ");
    size_t n_before = sql.len;
    uint32_t n = draw(3) + 1;
    size_t tables = draw(3) + 1;
    n_from = tables;
    for (uint32_t i = 0; i < n; i++)
        buf_printf(&sql, "%s+%s", i ? ", " : "", column());
    (void)n_before;
    from(tables);
    where();
    if (draw(3) == 0) { /* ordered by all that is shown: a cut is the same everywhere */
        say(" ORDER BY ");
        for (uint32_t i = 0; i < n; i++)
            buf_printf(&sql, "%s%u%s", i ? ", " : "", i + 1, ONE_OF("", " DESC", ""));
        if (draw(2))
            buf_printf(&sql, " LIMIT %u OFFSET %u", draw(20), draw(5));
    }
}

/* One table, a direct column: what goes to the department with order and limit. */
static void cut(void)
{
    const char *shown = ONE_OF("id", "k", "r", "t");
    n_from = 1;
    buf_printf(&sql, "SELECT x0.%s FROM {%s} x0", shown, ONE_OF("a", "b", "c"));
    where();
    buf_printf(&sql, " ORDER BY x0.%s%s LIMIT %u OFFSET %u", shown, ONE_OF("", " DESC", " NULLS LAST"), draw(20), draw(5));
}

static void aggregate(void)
{
    const char *group = ONE_OF("x0.k", "x0.t", "x0.f", "k", "x0.r");
    bool is_grouped = draw(3) != 0;
    n_from = 1;
    buf_printf(&sql, "SELECT %s%s", is_grouped ? group : "", is_grouped ? ", " : "");
    for (uint32_t i = 0, n = draw(3) + 1; i < n; i++)
        buf_printf(&sql, "%s%s", i ? ", " : "",
            ONE_OF("count(*)", "count(x0.t)", "sum(x0.k)", "sum(r)", "min(t)", "max(x0.t)", "avg(x0.k)", "total(r)", "count(DISTINCT x0.t)",
                "count(DISTINCT k)", "min(x0.r) + 1", "max(w) - min(w)", "sum(k) * 1.0 / count(*)", "max(f)"));
    buf_printf(&sql, " FROM {%s} x0", ONE_OF("a", "b", "c"));
    where();
    if (is_grouped)
        buf_printf(&sql, " GROUP BY %s", group);
    if (is_grouped && draw(3) == 0)
        say(ONE_OF(" HAVING count(*) > 3", " HAVING sum(x0.k) > 50 OR min(r) IS NULL"));
}

static void joined_aggregate(void)
{
    say("SELECT +x0.k, count(*), sum(x1.r), count(DISTINCT x1.t)");
    from(2);
    where();
    say(" GROUP BY x0.k");
}

static void nested(void)
{
    const char *table = ONE_OF("a", "b", "c"), *other = ONE_OF("a", "b"), *key = ONE_OF("k", "t", "r");
    n_from = 1;
    switch (draw(5)) {
    case 0:
        buf_printf(&sql, "SELECT +x0.id FROM {%s} x0 WHERE x0.%s %sIN (SELECT y.%s FROM {%s} y WHERE y.id < %u)", table, key,
            ONE_OF("", "NOT "), key, other, draw(200));
        break;
    case 1:
        buf_printf(&sql, "SELECT +x0.id FROM {%s} x0 WHERE %sEXISTS (SELECT 1 FROM {%s} y WHERE y.%s = x0.%s AND y.id < %u)", table,
            ONE_OF("", "NOT "), other, key, key, draw(200));
        break;
    case 2:
        buf_printf(&sql, "SELECT +x0.id, (SELECT +y.w FROM {%s} y WHERE y.%s = x0.%s ORDER BY y.w%s LIMIT 1) FROM {%s} x0", other, key, key,
            ONE_OF("", " DESC"), table);
        break;
    case 3:
        buf_printf(&sql, "SELECT n, count(*) FROM (SELECT %s AS g, count(*) AS n FROM {%s} GROUP BY %s) GROUP BY n", key, table, key);
        break;
    default:
        buf_printf(&sql, "WITH y AS (SELECT k, t FROM {%s} WHERE id < %u) SELECT +x0.id FROM {%s} x0 JOIN y USING (%s)", other, draw(200),
            table, ONE_OF("k", "t"));
    }
}

static void compound(void)
{
    buf_printf(&sql, "SELECT +t FROM {%s} WHERE k < %u %s SELECT +t FROM {%s} WHERE r > %u", ONE_OF("a", "b"), draw(50),
        ONE_OF("UNION", "UNION ALL", "EXCEPT", "INTERSECT"), ONE_OF("a", "c"), draw(10));
}

/* {a} as ours or as the one file's. */
static void named(const struct buf *from_text, bool is_ours, struct buf *out)
{
    buf_reset(out);
    for (size_t i = 0; i < from_text->len; i++) {
        if (from_text->ptr[i] == '{') {
            char table = from_text->ptr[i + 1];
            if (is_ours)
                buf_printf(out, "\"h/d%c/%c\"", table, table);
            else
                buf_append_byte(out, table);
            i += 2;
        } else {
            buf_append_byte(out, from_text->ptr[i]);
        }
    }
    buf_append_byte(out, '\0');
}

/* ---- comparing ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct lines {
    char **lines;
    size_t n, cap;
};

static void add_line(struct lines *lines, const char *text)
{
    if (lines->n == lines->cap) {
        lines->cap = lines->cap ? 2 * lines->cap : 256;
        lines->lines = realloc(lines->lines, lines->cap * sizeof(char *));
    }
    lines->lines[lines->n++] = strdup(text);
}

static void drop_lines(struct lines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        free(lines->lines[i]);
    free(lines->lines);
    *lines = (struct lines){0};
}

static sqlite3 *whole;

static bool is_failing; /* the one file refuses it too: an overflow */

static void lines_of_file(const char *text, struct lines *lines)
{
    sqlite3_stmt *statement;
    char line[4096];
    int code;
    if (sqlite3_prepare_v2(whole, text, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(whole));
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        size_t len = 0;
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            int type = sqlite3_column_type(statement, i);
            if (type == SQLITE_FLOAT)
                len += (size_t)snprintf(line + len, sizeof line - len, "%.12g|", sqlite3_column_double(statement, i));
            else
                len += (size_t)snprintf(
                    line + len, sizeof line - len, "%s|", type == SQLITE_NULL ? "NULL" : (const char *)sqlite3_column_text(statement, i));
        }
        add_line(lines, line);
    }
    is_failing = code != SQLITE_DONE;
    sqlite3_finalize(statement);
}

static void lines_of_answer(const struct query_answer *answer, struct lines *lines)
{
    size_t i, j;
    json_t *row, *cell;
    char line[4096];
    json_array_foreach(json_object_get(answer->json, "rows"), i, row)
    {
        size_t len = 0;
        line[0] = '\0';
        json_array_foreach(row, j, cell)
        {
            if (json_is_string(cell))
                len += (size_t)snprintf(line + len, sizeof line - len, "%s|", json_string_value(cell));
            else if (json_is_number(cell))
                len += (size_t)snprintf(line + len, sizeof line - len, json_is_integer(cell) ? "%.0f|" : "%.12g|", json_number_value(cell));
            else
                len += (size_t)snprintf(line + len, sizeof line - len, "%s|", json_is_null(cell) ? "NULL" : json_is_true(cell) ? "1" : "0");
        }
        add_line(lines, line);
    }
}

static size_t n_answered, n_bounded, n_rows_fetched, n_trips;

static void compare(void)
{
    static struct buf ours, theirs;
    struct lines expected = {0}, got = {0};
    if (!ours.max) {
        buf_init(&ours, 1 << 16);
        buf_init(&theirs, 1 << 16);
    }
    named(&sql, true, &ours);
    named(&sql, false, &theirs);
    lines_of_file(theirs.ptr, &expected);
    struct query_answer answer = query_ask(ours.ptr, NULL, 0);
    if (is_failing) {
        assert_int_not_equal(answer.err, ERR_OK);
    } else if (answer.err == ERR_TOO_LARGE || answer.err == ERR_TIMEOUT) {
        n_bounded++; /* counted: they must be few */
    } else if (answer.err) {
        fail_msg("%s\n%s: %s", ours.ptr, err_text(answer.err), answer.text);
    } else if (!json_is_true(json_object_get(answer.json, "truncated"))) {
        n_answered++;
        n_rows_fetched += answer.n_rows;
        n_trips += answer.n_trips;
        lines_of_answer(&answer, &got);
        if (expected.n)
            qsort(expected.lines, expected.n, sizeof(char *), by_text);
        if (got.n)
            qsort(got.lines, got.n, sizeof(char *), by_text);
        for (size_t i = 0; i < got.n && i < expected.n; i++)
            if (strcmp(got.lines[i], expected.lines[i]) != 0)
                fail_msg("%s\nrow %zu: %s instead of %s\n%s", ours.ptr, i, got.lines[i], expected.lines[i],
                    json_dumps(json_object_get(answer.json, "explain"), JSON_INDENT(1)));
        if (got.n != expected.n)
            fail_msg("%s\n%zu rows instead of %zu\n%s", ours.ptr, got.n, expected.n,
                json_dumps(json_object_get(answer.json, "explain"), JSON_INDENT(1)));
    }
    query_answer_drop(&answer);
    drop_lines(&expected);
    drop_lines(&got);
    if (n_answered % 64 == 0)
        fake_ledger_reset();
}

#define FIELDS(table_)                                                                                                                     \
    "  - name: " table_ "\n    title: {zh: 表, en: T}\n    kind: table\n    bind: {table: " table_ "}\n    fields:\n"                      \
    "      - {name: id, type: integer, class: internal, key: true}\n      - {name: t, type: text, class: open}\n"                          \
    "      - {name: k, type: integer, class: open}\n      - {name: r, type: real, class: open}\n"                                          \
    "      - {name: f, type: boolean, class: open}\n      - {name: w, type: time, class: open}\n"

static void make_all(void)
{
    static const char *const resources[N_TABLES] = {FIELDS("a"), FIELDS("b"), FIELDS("c")}, *const departments[N_TABLES] = {
                                                                                                "da", "db", "dc"};
    struct buf text;
    char *error = NULL;
    query_city_make();
    fake_city_write(&query_city, "parties.yaml",
        "parties:\n  - {name: h/da, title: {zh: 甲, en: A}, kind: department}\n  - {name: h/db, title: {zh: 乙, en: B}, kind: department}\n"
        "  - {name: h/dc, title: {zh: 丙, en: C}, kind: department}\n  - {name: h/parking, title: {zh: 泊, en: P}, kind: program, token: "
        "demo}\n"
        "people: []\n");
    assert_int_equal(sqlite3_open(":memory:", &whole), SQLITE_OK);
    sqlite3_exec(whole, "PRAGMA case_sensitive_like = 1", NULL, NULL, NULL);
    buf_init(&text, 8u << 20);
    for (size_t i = 0; i < N_TABLES; i++) {
        buf_reset(&text);
        write_table(&text, i);
        buf_append_byte(&text, '\0');
        assert_ok(text.err);
        query_city_department(query_engines[i % query_n_engines], departments[i], text.ptr, resources[i]);
        if (sqlite3_exec(whole, text.ptr, NULL, NULL, &error) != SQLITE_OK)
            fail_msg("%s", error);
        query_city_contract((int)i + 1, departments[i], names[i], "id, t, k, r, f, w", "");
    }
    buf_finish(&text);
    query_city_start();
}

static void same_rows(void **state)
{
    static void (*const kinds[])(void) = {plain, plain, plain, cut, aggregate, aggregate, joined_aggregate, nested, nested, compound};
    const char *seed = getenv("CITYBRAIN_SEED"), *only = getenv("CITYBRAIN_ONLY"), *n = getenv("CITYBRAIN_QUERIES");
    uint64_t first = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
    size_t n_queries = n ? strtoul(n, NULL, 10) : query_n_engines > 1 ? N_QUERIES / 2 : N_QUERIES;
    random_state = first * UINT64_C(0x9E3779B97F4A7C15) + 1;
    printf("seed %llu\n", (unsigned long long)first);
    fflush(stdout);
    make_all();
    buf_init(&sql, 1 << 16);
    for (size_t i = 0; i < n_queries; i++) {
        buf_reset(&sql);
        kinds[draw(sizeof kinds / sizeof *kinds)]();
        buf_append_byte(&sql, '\0');
        sql.len--;
        assert_ok(sql.err);
        if (!only || strstr(sql.ptr, only)) /* the same data and statements, but only those that hold a text: to look at one */
            compare();
    }
    printf("%zu answered the same, %zu beyond the bounds; %zu round trips, %zu rows\n", n_answered, n_bounded, n_trips, n_rows_fetched);
    assert_true(only || (n_bounded * 10 < n_queries && n_answered * 10 > n_queries * 7));
    buf_finish(&sql);
    sqlite3_close(whole);
    query_city_finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
