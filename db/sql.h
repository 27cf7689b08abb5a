/*
 * A question to one table as a typed tree, and its text in the dialect of a department's database: only the columns asked for, the
 * contract's rows, the asker's constraints; values as bound parameters, always. No text of a caller gets into SQL.
 *
 * The meaning is the same on every engine, SQLite's: text compares byte for byte and without padding, whatever collation the department
 * chose; LIKE is case-sensitive; NULL stands before every value in an order; a time is an integer of milliseconds since 1970 UTC. What the
 * connector has to see to: a PostgreSQL column with a non-deterministic collation and a MariaDB session with max_sort_length below the
 * longest text are refused or mended there. SQL_ANSI cannot name a collation: its text compares as the database's own does.
 */
#ifndef DB_SQL_H
#define DB_SQL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/value.h"

enum sql_dialect { SQL_SQLITE, SQL_POSTGRES, SQL_MARIADB, SQL_ANSI /* ODBC */ };

struct sql_column { /* of the table as the resource declares it */
    struct str name;
    enum value_type type;
    /* What a connector has written around each value that meets this column, where the department's column has a type of its own: for a
     * timestamp "to_timestamp(" and "::bigint / 1000.0)". Kept; NULL: the usual cast. */
    const char *before, *after;
};

/* ---- a contract's `rows:`: a condition over the columns; total, typed, the same meaning in every dialect (docs/contract.md) ----
 *   condition = and {OR and}; and = not {AND not}; not = [NOT] test
 *   test = operand (= <> != < <= > >=) operand | operand [NOT] IN (literal, …) | operand [NOT] LIKE 'text' | operand [NOT] BETWEEN l AND l
 *        | operand IS [NOT] NULL | (condition);   operand = column | "column" | literal;   literal = 'text' | number | TRUE | FALSE
 * Text compares byte for byte; LIKE is case-sensitive, % and _ stand for any run and for one character, nothing escapes them. A time column
 * takes a time in RFC 3339 as text, or milliseconds; a real one any number, an integer one whole numbers; booleans know = and <> only;
 * bytes IS NULL only. Two columns compare when they are of one type; a test names at least one column. */
#define SQL_CONDITION_MAX 8192 /* bytes of a condition's text: a contract is read by people */
struct sql_condition;
enum err sql_condition_parse(struct arena *arena, struct str text, const struct sql_column *columns, size_t n_columns, struct diag *diag,
    const struct sql_condition **ret_condition) MUST_CHECK; /* ERR_SYNTAX with place, cause and mend; copies; columns by their index */
struct str sql_condition_source(const struct sql_condition *condition); /* the text that it was parsed from */
uint64_t sql_condition_columns(const struct sql_condition *condition);  /* that it reads, a bit each of the first 64; NULL: none */
/* The value that a column has in every row for which the condition holds, where that is plain to see (an = under ANDs); NULL: it is not. */
const struct value *sql_condition_fixed(const struct sql_condition *condition, uint16_t column);

enum sql_op { SQL_EQ, SQL_NE, SQL_LT, SQL_LE, SQL_GT, SQL_GE, SQL_IN, SQL_PREFIX /* LIKE 'x%' */, SQL_IS_NULL, SQL_NOT_NULL };
struct sql_constraint {
    uint16_t column;
    uint8_t op;
    size_t n_values; /* EQ … GE, PREFIX: 1; IN: 1 … SQL_IN_MAX; the two of NULL: 0 */
    const struct value *values;
};
/* Of no row a COUNT is 0 and the others NULL. A SUM of integers is an integer; past 64 bits the asking fails (SQLite and PostgreSQL say so
 * themselves; MariaDB answers a decimal, which the connector reads as text and refuses with ERR_RANGE). A SUM of reals adds in the order in
 * which the database reads. SUM knows integers and reals, MIN and MAX all but bytes. */
enum sql_aggregate { SQL_PLAIN, SQL_COUNT_ALL, SQL_COUNT, SQL_COUNT_DISTINCT, SQL_SUM, SQL_MIN, SQL_MAX };
struct sql_output {
    uint16_t column; /* COUNT_ALL: ignored */
    uint8_t aggregate;
};
struct sql_order {
    uint16_t column;
    bool is_descending;
};

#define SQL_IN_MAX                                                                                                                         \
    1024 /* keys of one batch: a join of 100,000 keys is 98 round trips, a statement stays under every server's parameter limit */

struct sql_select {
    struct str source; /* the SQL after FROM, the department's own binding: "(SELECT "a", "b" FROM "vehicle")"; it gets the alias t */
    const struct sql_column *columns;
    const struct sql_condition *rows; /* NULL: all */
    const struct sql_condition *also; /* the asker's own, beside `where`; NULL: none. Such a select has no shape */
    const struct sql_output *outputs; /* with an aggregate among them the plain ones are the GROUP BY */
    size_t n_outputs;
    const struct sql_constraint *where; /* all of them */
    size_t n_where;
    const struct sql_order *order;
    size_t n_order;
    int64_t limit; /* < 0: none. SQL_ANSI writes none: the connector stops reading */
    bool is_odbc;  /* placeholders are ? in every dialect */
};

/* The text, and the parameters in the order of their placeholders (?1… for SQLite, $1… for PostgreSQL, ? for the others). An IN list is
 * padded to the next power of two by repeating its last value, so that few shapes are ever prepared. `text` NULL: the parameters alone, for
 * a text that is kept prepared. Texts borrow from the select where they can, else from the arena. ERR_RANGE: a value is not of its column's
 * type, or one that the engine cannot hold (PostgreSQL: a NUL) where that could matter; ERR_UNSUPPORTED: an aggregate or operation that the
 * column's type does not know; ERR_TOO_LARGE: more than SQL_IN_MAX values. */
enum err sql_text(const struct sql_select *select, enum sql_dialect dialect, struct buf *text, struct arena *arena,
    const struct value **ret_parameters, size_t *ret_n) MUST_CHECK;
/* What `output` is of: COUNT an integer, SUM, MIN, MAX and plain ones the column's type. */
enum value_type sql_output_type(const struct sql_select *select, const struct sql_output *output);
/* Two selects of one source, one condition and one shape have the same text. Returns the length, at most SQL_SHAPE_MAX; 0: too long to be
 * worth keeping. */
#define SQL_SHAPE_MAX 256
size_t sql_shape(const struct sql_select *select, uint8_t out[SQL_SHAPE_MAX]);
/* A name in the dialect's quotes; ERR_SYNTAX: a quote or a NUL in it. */
enum err sql_append_name(struct buf *text, enum sql_dialect dialect, struct str name) MUST_CHECK;

#endif
