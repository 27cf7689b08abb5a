/*
 * Questions as text: each dialect's words, the parameters, what is refused; and on SQLite what they mean.
 */
#include "db/sql.h"

#include "base/mem.h"
#include "base/test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sql_column columns[] = {
    {STR_INIT("plate"), VALUE_TEXT},
    {STR_INIT("seats"), VALUE_INTEGER},
    {STR_INIT("weight"), VALUE_REAL},
    {STR_INIT("electric"), VALUE_BOOLEAN},
    {STR_INIT("since"), VALUE_TIME},
    {STR_INIT("photo"), VALUE_BYTES},
    {STR_INIT("owner-name"), VALUE_TEXT},
};
enum { PLATE, SEATS, WEIGHT, ELECTRIC, SINCE, PHOTO, OWNER, N_COLUMNS };

static struct arena arena;
static struct buf text;

static int make(void **state)
{
    arena_init(&arena, 16u << 20);
    buf_init(&text, 1u << 20);
    return 0;
}

static int finish(void **state)
{
    arena_finish(&arena);
    buf_finish(&text);
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

static const struct sql_condition *parse(const char *rows)
{
    const struct sql_condition *condition = NULL;
    struct diag diag = {""};
    if (sql_condition_parse(&arena, str_from_c(rows), columns, N_COLUMNS, &diag, &condition))
        fail_msg("%s: %s", rows, diag.text);
    return condition;
}

static const char *shown(struct value value)
{
    static char out[8][64];
    static int at;
    char *one = out[at = (at + 1) % 8];
    switch (value.type) {
    case VALUE_NULL:
        return "NULL";
    case VALUE_TEXT:
    case VALUE_BYTES:
        snprintf(one, 64, "'" STR_FORMAT "'", STR_ARG(value.s));
        break;
    case VALUE_REAL:
        snprintf(one, 64, "%g", value.r);
        break;
    default:
        snprintf(one, 64, "%lld", (long long)value.i);
    }
    return one;
}

/* "… WHERE <this> | parameters" */
static const char *written(const struct sql_select *select, enum sql_dialect dialect)
{
    static char out[8192];
    const struct value *parameters, *alone;
    size_t n, n_alone;
    buf_reset(&text);
    assert_ok(sql_text(select, dialect, &text, &arena, &parameters, &n));
    assert_ok(sql_text(select, dialect, NULL, &arena, &alone, &n_alone));
    assert_int_equal(n, n_alone);
    int len = snprintf(out, sizeof out, STR_FORMAT " |", STR_ARG(buf_str(&text)));
    for (size_t i = 0; i < n; i++) {
        assert_true(value_equal(parameters[i], alone[i]));
        len += snprintf(out + len, sizeof out - (size_t)len, " %s", shown(parameters[i]));
    }
    return out;
}

static const struct sql_output seats_out[] = {{SEATS, SQL_PLAIN}};

static const char *condition_in(const char *rows, enum sql_dialect dialect)
{
    struct sql_select select = {
        .source = STR("v"), .columns = columns, .rows = parse(rows), .outputs = seats_out, .n_outputs = 1, .limit = -1};
    const char *all = written(&select, dialect);
    return strstr(all, " WHERE ") + 7;
}

#define KEY "CONVERT(`plate` USING utf8mb4) COLLATE utf8mb4_nopad_bin"

static void conditions(void **state)
{
    static const struct {
        const char *rows;
        const char *in[4]; /* NULL: not looked at */
    } table[] = {
        {"plate = 'A'", {"\"plate\" COLLATE BINARY = ?1 | 'A'", "\"plate\" = $1::text | 'A'", "(`plate` = ? AND " KEY " = ?) | 'A' 'A'",
                            "\"plate\" = ? | 'A'"}},
        {"'A' < plate", {"\"plate\" COLLATE BINARY > ?1 | 'A'", "\"plate\" COLLATE \"C\" > $1::text | 'A'", KEY " > ? | 'A'", NULL}},
        {"seats <> 4 or not (seats >= 2 and weight < 3)",
            {"(\"seats\" <> ?1 OR (NOT (\"seats\" >= ?2 AND \"weight\" < ?3))) | 4 2 3",
                "(\"seats\" <> $1::bigint OR (NOT (\"seats\" >= $2::bigint AND \"weight\" < $3::double precision))) | 4 2 3", NULL, NULL}},
        {"plate NOT IN ('it''s', 'b', 'c')",
            {"(NOT \"plate\" COLLATE BINARY IN (?1, ?2, ?3, ?4)) | 'it's' 'b' 'c' 'c'",
                "(NOT \"plate\" IN ($1::text, $2::text, $3::text, $4::text)) | 'it's' 'b' 'c' 'c'",
                "(NOT (`plate` IN (?, ?, ?, ?) AND " KEY " IN (?, ?, ?, ?))) | 'it's' 'b' 'c' 'c' 'it's' 'b' 'c' 'c'", NULL}},
        {"plate LIKE 'A*%b_!'", {"\"plate\" GLOB ?1 | 'A[*]*b?!'", "\"plate\" LIKE $1::text ESCAPE '!' | 'A*%b_!!'",
                                    "(`plate` LIKE ? ESCAPE '!' AND " KEY " LIKE ? ESCAPE '!') | 'A*%b_!!' 'A*%b_!!'", NULL}},
        {"plate LIKE 'Az%'", {"(\"plate\" COLLATE BINARY >= ?1 AND \"plate\" COLLATE BINARY < ?2) | 'Az' 'A{'",
                                 "\"plate\" LIKE $1::text ESCAPE '!' | 'Az%'", NULL, NULL}},
        {"plate LIKE '%'", {"\"plate\" = \"plate\" |", "\"plate\" = \"plate\" |", NULL, NULL}}, /* unknown of NULL, as its NOT is */
        {"seats BETWEEN 1 AND 3.0", {"(\"seats\" >= ?1 AND \"seats\" <= ?2) | 1 3", NULL, NULL, NULL}},
        {"electric = TRUE and weight = -2", {"(\"electric\" = ?1 AND \"weight\" = ?2) | 1 -2",
                                                "(\"electric\" = $1::boolean AND \"weight\" = $2::double precision) | 1 -2", NULL, NULL}},
        {"since >= '1970-01-01T08:00:01+08:00'", {"\"since\" >= ?1 | 1000", "\"since\" >= $1::bigint | 1000", "`since` >= ? | 1000", NULL}},
        {"\"owner-name\" = plate", {"\"owner-name\" COLLATE BINARY = \"plate\" COLLATE BINARY |",
                                       "\"owner-name\" COLLATE \"C\" = \"plate\" COLLATE \"C\" |", NULL, NULL}},
        {"photo is not null and not not plate is null", {"((NOT \"photo\" IS NULL) AND \"plate\" IS NULL) |", NULL, NULL, NULL}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int dialect = 0; dialect < 4; dialect++)
            if (table[i].in[dialect])
                assert_string_equal(condition_in(table[i].rows, (enum sql_dialect)dialect), table[i].in[dialect]);
}

static void refused_conditions(void **state)
{
    static const char *const table[][2] = {
        {"", "at character 1: a value is missing"},
        {"plate", "at character 6: a comparison is missing"},
        {"plate = ", "at character 9: a value is missing"},
        {"colour = 'x'", "no field \"colour\""},
        {"plate = x", "no field \"x\""},
        {"plate = 4", "a value of type integer stands beside one of type text"},
        {"seats = 2.5", "write a whole number"},
        {"seats = 'x'", "write a whole number"},
        {"since > 'yesterday'", "write a time like"},
        {"electric > TRUE", "a boolean knows = and <> only"},
        {"electric = 1", "write TRUE or FALSE"},
        {"photo = 'x'", "bytes do not compare"},
        {"photo IN ('x')", "bytes do not compare"},
        {"plate = seats", "only when they are of one type"},
        {"1 = 1", "a test names a field"},
        {"1 IN (1)", "a test names a field"},
        {"1 IS NULL", "a test names a field"},
        {"plate LIKE 4", "LIKE compares a field of type text"},
        {"seats LIKE '4'", "LIKE compares a field of type text"},
        {"seats IN ()", "a value is missing"},
        {"seats IN (1", "\")\" is missing"},
        {"seats IN (SELECT 1)", "a value is missing"},
        {"(seats = 1", "\")\" is missing"},
        {"seats = 1)", "whole before here"},
        {"seats = 1; DROP TABLE x", "this sign has no place"},
        {"seats = 1 -- ", "this sign has no place"},
        {"seats = ?1", "this sign has no place"},
        {"seats = 1 seats = 2", "whole before here"},
        {"plate = 'x", "a quote does not end"},
        {"seats NOT 4", "after NOT comes"},
        {"seats BETWEEN 1", "AND is missing"},
        {"seats = 99999999999999999999", "not a number of 64 bits"},
        {"seats = 1e999", "not a number"},
        {"plate = '\xff'", "a value is missing"},
        {"lower(plate) = 'x'", "no field \"lower\""},
        {"seats IS 4", "write IS NULL"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct sql_condition *condition;
        struct diag diag = {""};
        assert_err(sql_condition_parse(&arena, str_from_c(table[i][0]), columns, N_COLUMNS, &diag, &condition), ERR_SYNTAX);
        if (!strstr(diag.text, table[i][1]))
            fail_msg("%s: %s", table[i][0], diag.text);
    }
    char deep[400];
    memset(deep, '(', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    const struct sql_condition *condition;
    assert_err(sql_condition_parse(&arena, str_from_c(deep), columns, N_COLUMNS, NULL, &condition), ERR_SYNTAX);
}

static void constraints(void **state)
{
    const struct value a = value_text(STR("a_%")), three[] = {value_integer(3), value_integer(1), VALUE_NONE},
                       nul = value_text(STR("x\0y"));
    struct sql_constraint where[] = {{PLATE, SQL_PREFIX, 1, &a}, {SEATS, SQL_IN, 3, three}, {SINCE, SQL_IS_NULL, 0, NULL}};
    const struct sql_order order[] = {{PLATE, true}, {SEATS, false}};
    const struct sql_output outputs[] = {{PLATE, SQL_PLAIN}, {SEATS, SQL_PLAIN}};
    struct sql_select select = {.source = STR("(SELECT \"plate\" FROM \"v\")"),
        .columns = columns,
        .outputs = outputs,
        .n_outputs = 2,
        .where = where,
        .n_where = 3,
        .order = order,
        .n_order = 2,
        .limit = 10};
    assert_string_equal(written(&select, SQL_SQLITE),
        "SELECT \"plate\", \"seats\" FROM (SELECT \"plate\" FROM \"v\") t "
        "WHERE (\"plate\" COLLATE BINARY >= ?1 AND \"plate\" COLLATE BINARY < ?2) AND \"seats\" IN (?3, ?4, ?5, ?6) AND \"since\" IS NULL "
        "ORDER BY \"plate\" COLLATE BINARY DESC, \"seats\" LIMIT ?7 | 'a_%' 'a_&' 3 1 NULL NULL 10");
    select.source = STR("v");
    assert_string_equal(written(&select, SQL_POSTGRES),
        "SELECT \"plate\", \"seats\" FROM v t "
        "WHERE \"plate\" LIKE $1::text ESCAPE '!' AND \"seats\" IN ($2::bigint, $3::bigint, $4::bigint, $5::bigint) AND \"since\" IS NULL "
        "ORDER BY \"plate\" COLLATE \"C\" DESC NULLS LAST, \"seats\" NULLS FIRST LIMIT $6::bigint | 'a!_!%%' 3 1 NULL NULL 10");
    assert_string_equal(written(&select, SQL_ANSI),
        "SELECT \"plate\", \"seats\" FROM v t "
        "WHERE \"plate\" LIKE ? ESCAPE '!' AND \"seats\" IN (?, ?, ?, ?) AND \"since\" IS NULL ORDER BY CASE WHEN \"plate\" IS NULL THEN 1 "
        "ELSE 0 END, \"plate\" DESC, CASE WHEN \"seats\" IS NULL THEN 0 ELSE 1 END, \"seats\" | 'a!_!%%' 3 1 NULL NULL");
    where[0] = (struct sql_constraint){PLATE, SQL_EQ, 1, &nul};
    select.n_where = 1;
    select.n_order = 0;
    assert_string_equal(
        written(&select, SQL_POSTGRES), "SELECT \"plate\", \"seats\" FROM v t WHERE \"plate\" = $1::text LIMIT $2::bigint | NULL 10");
    const struct value *parameters;
    size_t n;
    where[0].op = SQL_LT;
    assert_err(sql_text(&select, SQL_POSTGRES, NULL, &arena, &parameters, &n), ERR_RANGE);
    where[0] = (struct sql_constraint){SEATS, SQL_EQ, 1, &a};
    assert_err(sql_text(&select, SQL_SQLITE, NULL, &arena, &parameters, &n), ERR_RANGE);
    where[0] = (struct sql_constraint){SEATS, SQL_PREFIX, 1, three};
    assert_err(sql_text(&select, SQL_SQLITE, NULL, &arena, &parameters, &n), ERR_UNSUPPORTED);
    static struct value many[SQL_IN_MAX + 1];
    where[0] = (struct sql_constraint){SEATS, SQL_IN, SQL_IN_MAX + 1, many};
    assert_err(sql_text(&select, SQL_SQLITE, NULL, &arena, &parameters, &n), ERR_TOO_LARGE);
}

static void aggregates(void **state)
{
    const struct sql_output outputs[] = {{PLATE, SQL_PLAIN}, {0, SQL_COUNT_ALL}, {SEATS, SQL_SUM}, {ELECTRIC, SQL_MIN}, {PLATE, SQL_MAX},
        {PLATE, SQL_COUNT_DISTINCT}, {WEIGHT, SQL_SUM}};
    struct sql_select select = {.source = STR("v"), .columns = columns, .outputs = outputs, .n_outputs = 7, .limit = -1};
    assert_string_equal(written(&select, SQL_SQLITE),
        "SELECT \"plate\" COLLATE BINARY, COUNT(*), SUM(\"seats\"), MIN(\"electric\"), "
        "MAX(\"plate\" COLLATE BINARY), COUNT(DISTINCT \"plate\" COLLATE BINARY), SUM(CAST(\"weight\" AS REAL)) FROM v t "
        "GROUP BY \"plate\" COLLATE BINARY |");
    assert_string_equal(written(&select, SQL_POSTGRES),
        "SELECT \"plate\" COLLATE \"C\", COUNT(*), SUM(\"seats\")::bigint, "
        "bool_and(\"electric\"), MAX(\"plate\" COLLATE \"C\"), COUNT(DISTINCT \"plate\" COLLATE \"C\"), SUM(\"weight\") FROM v t "
        "GROUP BY \"plate\" COLLATE \"C\" |");
    assert_int_equal(sql_output_type(&select, &outputs[1]), VALUE_INTEGER);
    assert_int_equal(sql_output_type(&select, &outputs[4]), VALUE_TEXT);
    const struct sql_output bad[] = {{PLATE, SQL_SUM}, {PHOTO, SQL_MIN}, {SINCE, SQL_SUM}};
    const struct value *parameters;
    size_t n;
    for (size_t i = 0; i < 3; i++) {
        select.outputs = &bad[i];
        select.n_outputs = 1;
        assert_err(sql_text(&select, SQL_POSTGRES, NULL, &arena, &parameters, &n), ERR_UNSUPPORTED);
    }
}

/* ---- what it means, on SQLite ---- */

static sqlite3 *db;

static int count(const struct sql_select *select)
{
    const struct value *parameters;
    size_t n;
    sqlite3_stmt *statement;
    int n_rows = 0;
    buf_reset(&text);
    assert_ok(sql_text(select, SQL_SQLITE, &text, &arena, &parameters, &n));
    if (sqlite3_prepare_v2(db, text.ptr, (int)text.len, &statement, NULL) != SQLITE_OK)
        fail_msg(STR_FORMAT ": %s", STR_ARG(buf_str(&text)), sqlite3_errmsg(db));
    assert_int_equal(sqlite3_bind_parameter_count(statement), n);
    for (size_t i = 0; i < n; i++) {
        if (parameters[i].type == VALUE_TEXT)
            sqlite3_bind_text(statement, (int)i + 1, parameters[i].s.ptr, (int)parameters[i].s.len, SQLITE_STATIC);
        else if (parameters[i].type == VALUE_REAL)
            sqlite3_bind_double(statement, (int)i + 1, parameters[i].r);
        else if (parameters[i].type != VALUE_NULL)
            sqlite3_bind_int64(statement, (int)i + 1, parameters[i].i);
    }
    while (sqlite3_step(statement) == SQLITE_ROW)
        n_rows++;
    sqlite3_finalize(statement);
    return n_rows;
}

/* Case and padding count, whatever the department declared. */
static void bytes_decide(void **state)
{
    static const struct {
        const char *rows;
        int n;
    } table[] = {
        {"plate = 'abc'", 1},
        {"plate = 'ABC'", 1},
        {"plate IN ('ABC', 'abc ')", 2},
        {"plate <> 'abc'", 3},
        {"plate > 'Z'", 3},
        {"plate LIKE 'a%'", 2},
        {"plate LIKE '%C'", 1},
        {"plate LIKE 'a_c'", 1},
        {"plate LIKE 'abc'", 1},
        {"plate LIKE 'a*%'", 0},
        {"plate LIKE '[%'", 1},
        {"NOT plate LIKE 'a%'", 2},
        {"plate IS NULL", 1},
        {"NOT (plate = 'abc')", 3},
        {"plate = 'abc' OR plate IS NULL", 2},
        {"plate = \"owner-name\"", 1},
        {"since BETWEEN '1970-01-01T00:00:00Z' AND 2000", 2},
    };
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                         "CREATE TABLE v (plate TEXT COLLATE NOCASE, seats INTEGER, since INTEGER, \"owner-name\" TEXT);"
                         "INSERT INTO v VALUES ('abc', 1, 1000, 'ABC'), ('ABC', 2, 2000, 'ABC'), ('abc ', 3, 3000, NULL), (NULL, 4, NULL, "
                         "NULL), ('[a', 5, -1, 'x')",
                         NULL, NULL, NULL),
        SQLITE_OK);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sql_select select = {
            .source = STR("v"), .columns = columns, .rows = parse(table[i].rows), .outputs = seats_out, .n_outputs = 1, .limit = -1};
        if (count(&select) != table[i].n)
            fail_msg("%s: %d rows instead of %d", table[i].rows, count(&select), table[i].n);
    }
    const struct value prefixes[] = {value_text(STR("a")), value_text(STR("")), value_text(STR("ABC"))};
    const int n[] = {2, 4, 1};
    for (size_t i = 0; i < 3; i++) {
        const struct sql_constraint where = {PLATE, SQL_PREFIX, 1, &prefixes[i]};
        struct sql_select select = {
            .source = STR("v"), .columns = columns, .outputs = seats_out, .n_outputs = 1, .where = &where, .n_where = 1, .limit = -1};
        assert_int_equal(count(&select), n[i]);
    }
    const struct sql_output groups[] = {{PLATE, SQL_PLAIN}, {0, SQL_COUNT_ALL}};
    struct sql_select select = {.source = STR("v"), .columns = columns, .outputs = groups, .n_outputs = 2, .limit = -1};
    assert_int_equal(count(&select), 5);
    sqlite3_close(db);
}

/* What the parser takes SQLite takes too, whose own has 100 places: chains as long and nests as deep as they may be. */
static void the_largest_conditions(void **state)
{
    static const char *const words[][2] = {{" OR ", " OR "}, {" AND ", " AND "}, {" OR ", " AND "}};
    static char rows[8192];
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE v (plate TEXT, seats INTEGER, since INTEGER)", NULL, NULL, NULL), SQLITE_OK);
    struct sql_select select = {.source = STR("(SELECT * FROM v)"), .columns = columns, .outputs = seats_out, .n_outputs = 1, .limit = 10};
    for (size_t i = 0; i < 3; i++) {
        size_t n = (size_t)snprintf(rows, sizeof rows, "seats = 0");
        for (int k = 1; k < 256; k++)
            n += (size_t)snprintf(rows + n, sizeof rows - n, "%sseats = %d", words[i][k % 2], k);
        select.rows = parse(rows);
        assert_int_equal(count(&select), 0);
    }
    size_t n = 0;
    for (int k = 0; k < 9; k++)
        n += (size_t)snprintf(rows + n, sizeof rows - n, "NOT (seats = %d OR plate = 'x' AND ", k);
    n += (size_t)snprintf(rows + n, sizeof rows - n, "NOT seats NOT BETWEEN 1 AND 2");
    memset(rows + n, ')', 9);
    rows[n + 9] = '\0';
    select.rows = parse(rows);
    assert_int_equal(count(&select), 0);
    sqlite3_close(db);
}

/* One shape, one text. */
static void shapes(void **state)
{
    const struct value values[] = {value_integer(1), value_integer(2), value_integer(3), value_integer(4), value_integer(5)};
    const struct value empty = value_text(STR("")), full = value_text(STR("x"));
    struct sql_constraint where = {SEATS, SQL_IN, 3, values};
    struct sql_select select = {
        .source = STR("v"), .columns = columns, .outputs = seats_out, .n_outputs = 1, .where = &where, .n_where = 1, .limit = -1};
    uint8_t a[SQL_SHAPE_MAX], b[SQL_SHAPE_MAX];
    size_t n = sql_shape(&select, a);
    where.n_values = 4;
    assert_int_equal(sql_shape(&select, b), n);
    assert_memory_equal(a, b, n);
    where.n_values = 5;
    assert_int_equal(sql_shape(&select, b), n);
    assert_memory_not_equal(a, b, n);
    where = (struct sql_constraint){PLATE, SQL_PREFIX, 1, &full};
    n = sql_shape(&select, a);
    where.values = &empty;
    assert_int_equal(sql_shape(&select, b), n);
    assert_memory_not_equal(a, b, n);
    select.limit = 5;
    sql_shape(&select, a);
    assert_memory_not_equal(a, b, n);
    const struct value odd = value_text(STR("\xff"));
    where.values = &odd;
    assert_int_equal(sql_shape(&select, a), 0);
}

/* A column of the department's own type: what the connector wants around a value is around each that meets it, and no other. */
static void own_types(void **state)
{
    static const struct sql_column own[] = {
        {STR_INIT("plate"), VALUE_TEXT, NULL, "::bpchar"}, {STR_INIT("since"), VALUE_TIME, "to_timestamp(", "::bigint / 1000.0)"}};
    const struct value times[] = {value_time(1), value_time(2)}, plate = value_text(STR("A"));
    const struct sql_output output = {.column = 1};
    const struct sql_constraint where[] = {{.column = 1, .op = SQL_IN, .n_values = 2, .values = times},
        {.column = 1, .op = SQL_GE, .n_values = 1, .values = times}, {.column = 0, .op = SQL_EQ, .n_values = 1, .values = &plate}};
    const struct sql_select select = {
        .source = STR("s"), .columns = own, .outputs = &output, .n_outputs = 1, .where = where, .n_where = 3, .limit = 9};
    const struct value *parameters;
    size_t n;
    assert_ok(sql_text(&select, SQL_POSTGRES, &text, &arena, &parameters, &n));
    assert_str(buf_str(&text),
        "SELECT \"since\" FROM s t WHERE \"since\" IN (to_timestamp($1::bigint / 1000.0), to_timestamp($2::bigint / 1000.0)) AND "
        "\"since\" >= to_timestamp($3::bigint / 1000.0) AND \"plate\" = $4::bpchar LIMIT $5::bigint");
    assert_int_equal(n, 5);
}

/* A time that an engine's own type cannot hold: equal to none, and else as the last one that it can. */
static void times_beyond(void **state)
{
    static const struct sql_column own[] = {{STR_INIT("since"), VALUE_TIME, "to_timestamp(", "::bigint / 1000.0)"}};
    const struct value far = value_time(INT64_MAX), early = value_time(INT64_MIN);
    const struct sql_output output = {.column = 0};
    const struct sql_constraint where[] = {{.column = 0, .op = SQL_EQ, .n_values = 1, .values = &far},
        {.column = 0, .op = SQL_LT, .n_values = 1, .values = &far}, {.column = 0, .op = SQL_GE, .n_values = 1, .values = &early}};
    const struct sql_select select = {
        .source = STR("s"), .columns = own, .outputs = &output, .n_outputs = 1, .where = where, .n_where = 3, .limit = 9};
    static const int64_t last[] = {[SQL_POSTGRES] = INT64_C(9224318015999999), [SQL_MARIADB] = INT64_C(253402300799999)};
    const struct value *parameters;
    size_t n;
    for (enum sql_dialect dialect = SQL_SQLITE; dialect <= SQL_MARIADB; dialect++) {
        assert_ok(sql_text(&select, dialect, &text, &arena, &parameters, &n));
        bool is_sqlite = dialect == SQL_SQLITE;
        assert_int_equal(parameters[0].type, is_sqlite ? VALUE_TIME : VALUE_NULL);
        for (size_t i = 1; i < n && !is_sqlite; i++)
            assert_false(parameters[i].type == VALUE_TIME && (parameters[i].i == INT64_MAX || parameters[i].i == INT64_MIN));
        bool has_last = false;
        for (size_t i = 1; i < n; i++)
            has_last = has_last || (parameters[i].type == VALUE_TIME && parameters[i].i == (is_sqlite ? INT64_MAX : last[dialect]));
        assert_true(has_last);
    }
}

static void without_memory(void **state)
{
    enum err err = ERR_NO_MEMORY;
    for (uint64_t nth = 1; err; nth++) {
        struct arena small;
        const struct sql_condition *condition;
        arena_init(&small, 1 << 20);
        mem_fail_nth(nth);
        err = sql_condition_parse(
            &small, STR("plate IN ('a', 'b') AND (seats > 3 OR plate LIKE 'x%')"), columns, N_COLUMNS, NULL, &condition);
        mem_fail_nth(0);
        arena_finish(&small);
        assert_true(err == ERR_OK || err == ERR_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(conditions, make, finish),
        cmocka_unit_test_setup_teardown(refused_conditions, make, finish),
        cmocka_unit_test_setup_teardown(constraints, make, finish),
        cmocka_unit_test_setup_teardown(aggregates, make, finish),
        cmocka_unit_test_setup_teardown(bytes_decide, make, finish),
        cmocka_unit_test_setup_teardown(the_largest_conditions, make, finish),
        cmocka_unit_test_setup_teardown(shapes, make, finish),
        cmocka_unit_test_setup_teardown(own_types, make, finish),
        cmocka_unit_test_setup_teardown(times_beyond, make, finish),
        cmocka_unit_test_setup_teardown(without_memory, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
