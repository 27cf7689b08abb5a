/*
 * A question to one table in the dialect of its database. One walk writes the text and collects the parameters; without a text it collects
 * the parameters alone, in the same order.
 *
 * How text is made to compare byte for byte:
 *   SQLite      "a" COLLATE BINARY          (the column's index is used when it was made so, which is the default)
 *   PostgreSQL  = <> IN as they are (a deterministic collation is equal only for equal bytes); order under COLLATE "C"
 *   MariaDB     CONVERT(`a` USING utf8mb4) COLLATE utf8mb4_nopad_bin; = IN LIKE stand beside their plain form, which is true at least as
 *               often and lets the column's index find the rows
 */
#include "db/sql_internal.h"

#include <assert.h>
#include <string.h>

#define COLUMNS_MAX 4096

struct writer {
    const struct sql_select *select;
    enum sql_dialect dialect;
    struct buf *text; /* NULL: parameters alone */
    struct arena *arena;
    struct value *parameters;
    size_t n, cap;
    enum err err; /* the first */
};

static void fail(struct writer *w, enum err err)
{
    if (!w->err)
        w->err = err;
}

static void put(struct writer *w, const char *text)
{
    if (w->text)
        buf_append_c(w->text, text);
}

/* ---- names and parameters ---- */

enum err sql_append_name(struct buf *text, enum sql_dialect dialect, struct str name)
{
    char quote = dialect == SQL_MARIADB ? '`' : '"';
    if (name.len == 0 || memchr(name.ptr, quote, name.len) || memchr(name.ptr, '\0', name.len))
        return ERR_SYNTAX;
    buf_append_byte(text, quote);
    buf_append_str(text, name);
    buf_append_byte(text, quote);
    return text->err;
}

static enum value_type type_of(const struct writer *w, uint16_t column)
{
    return w->select->columns[column].type;
}

static void put_name(struct writer *w, uint16_t column)
{
    if (w->text && sql_append_name(w->text, w->dialect, w->select->columns[column].name))
        fail(w, ERR_SYNTAX);
}

/* The column as it is ordered, grouped and compared. */
static void put_key(struct writer *w, uint16_t column)
{
    bool is_text = type_of(w, column) == VALUE_TEXT;
    put(w, is_text && w->dialect == SQL_MARIADB ? "CONVERT(" : "");
    put_name(w, column);
    if (is_text)
        put(w, w->dialect == SQL_SQLITE     ? " COLLATE BINARY"
               : w->dialect == SQL_POSTGRES ? " COLLATE \"C\""
               : w->dialect == SQL_MARIADB  ? " USING utf8mb4) COLLATE utf8mb4_nopad_bin"
                                            : "");
}

static const char *postgres_type(enum value_type type)
{
    switch (type) {
    case VALUE_BOOLEAN:
        return "boolean";
    case VALUE_INTEGER:
    case VALUE_TIME:
        return "bigint";
    case VALUE_REAL:
        return "double precision";
    case VALUE_BYTES:
        return "bytea";
    case VALUE_TEXT:
    case VALUE_NULL:
        break;
    }
    return "text";
}

static void put_placeholder(struct writer *w, struct value value)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 16;
        struct value *parameters = arena_alloc(w->arena, cap * sizeof *parameters);
        if (!parameters) {
            fail(w, ERR_NO_MEMORY);
            return;
        }
        if (w->n)
            memcpy(parameters, w->parameters, w->n * sizeof *parameters);
        w->parameters = parameters;
        w->cap = cap;
    }
    w->parameters[w->n++] = value;
    if (w->text && w->dialect == SQL_POSTGRES && !w->select->is_odbc)
        buf_printf(w->text, "$%zu", w->n);
    else if (w->text && w->dialect == SQL_SQLITE && !w->select->is_odbc)
        buf_printf(w->text, "?%zu", w->n);
    else
        put(w, "?");
}

static void put_parameter(struct writer *w, struct value value, enum value_type type)
{
    put_placeholder(w, value);
    if (w->text && w->dialect == SQL_POSTGRES)
        buf_printf(w->text, "::%s", postgres_type(type));
}

/* A value that meets a column. */
static void put_value(struct writer *w, uint16_t column, struct value value)
{
    const struct sql_column *it = &w->select->columns[column];
    if (!it->after) {
        put_parameter(w, value, it->type);
        return;
    }
    put(w, it->before ? it->before : "");
    put_placeholder(w, value);
    put(w, it->after);
}

/* The times that an engine's own types hold, in ms since 1970: timestamptz from 4713 BC to 294276, DATETIME from 1 to 9999. SQLite keeps
 * integers. A later one is later than all, and stands for that as the last one. */
static struct value fitting_time(const struct writer *w, enum sql_op op, int64_t ms)
{
    int64_t min = w->dialect == SQL_POSTGRES ? INT64_C(-210866803200000) : INT64_C(-62135596800000);
    int64_t max = w->dialect == SQL_POSTGRES ? INT64_C(9224318015999999) : INT64_C(253402300799999);
    if (w->dialect == SQL_SQLITE || (ms >= min && ms <= max))
        return value_time(ms);
    return op == SQL_EQ || op == SQL_IN ? VALUE_NONE : value_time(ms < min ? min : max);
}

/* Is it of the column's type, and can the engine hold it? What no row can hold is equal to none: NULL. */
static struct value fitting(struct writer *w, uint16_t column, enum sql_op op, struct value value)
{
    enum value_type type = type_of(w, column);
    if (value.type == VALUE_NULL)
        return value;
    if (type == VALUE_REAL && value.type == VALUE_INTEGER)
        return value_real((double)value.i);
    if (type == VALUE_TIME && (value.type == VALUE_INTEGER || value.type == VALUE_TIME))
        return fitting_time(w, op, value.i);
    if (type != value.type) {
        fail(w, ERR_RANGE);
    } else if (type == VALUE_TEXT && (w->dialect == SQL_POSTGRES || w->dialect == SQL_MARIADB)) {
        bool has_nul = value.s.len && memchr(value.s.ptr, '\0', value.s.len);
        if ((has_nul && w->dialect == SQL_POSTGRES) || !str_is_utf8(value.s)) {
            if (op != SQL_EQ && op != SQL_IN)
                fail(w, ERR_RANGE);
            return VALUE_NONE;
        }
    }
    return value;
}

/* ---- LIKE ---- */

/* The pattern in the engine's own words: SQLite's LIKE ignores case, its GLOB does not; the others escape with '!'. A prefix is all
 * literal. */
static struct str pattern_of(struct writer *w, struct str pattern, bool is_prefix)
{
    size_t len = 0;
    char *out = arena_alloc(w->arena, 3 * pattern.len + 1);
    if (!out) {
        fail(w, ERR_NO_MEMORY);
        return STR_NONE;
    }
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.ptr[i];
        bool is_wild = !is_prefix && (c == '%' || c == '_');
        if (w->dialect == SQL_SQLITE && is_wild) {
            out[len++] = c == '%' ? '*' : '?';
        } else if (w->dialect == SQL_SQLITE && (c == '*' || c == '?' || c == '[')) {
            memcpy(out + len, (char[]){'[', c, ']'}, 3);
            len += 3;
        } else {
            if (w->dialect != SQL_SQLITE && !is_wild && (c == '%' || c == '_' || c == '!'))
                out[len++] = '!';
            out[len++] = c;
        }
    }
    if (is_prefix)
        out[len++] = w->dialect == SQL_SQLITE ? '*' : '%';
    return (struct str){out, len};
}

/* SQLite, prefix: a >= 'x' AND a < 'y' uses the index, and no text is read twice. UTF-8 has no byte 0xff, so the last one can be raised;
 * what comes out may be no UTF-8, which ODBC cannot carry. */
static void put_prefix_range(struct writer *w, uint16_t column, struct str prefix)
{
    char *end = arena_alloc(w->arena, prefix.len);
    if (!end) {
        fail(w, ERR_NO_MEMORY);
        return;
    }
    memcpy(end, prefix.ptr, prefix.len);
    end[prefix.len - 1]++;
    put(w, "(");
    put_key(w, column);
    put(w, " >= ");
    put_parameter(w, value_text(prefix), VALUE_TEXT);
    put(w, " AND ");
    put_key(w, column);
    put(w, " < ");
    put_parameter(w, value_text((struct str){end, prefix.len}), VALUE_TEXT);
    put(w, ")");
}

static void put_like(struct writer *w, uint16_t column, struct str pattern, bool is_prefix)
{
    const char *first_wild = memchr(pattern.ptr ? pattern.ptr : "", '%', pattern.len);
    bool is_range = is_prefix; /* 'x%' alone is a prefix too */
    struct str prefix = pattern;
    if (!is_prefix && pattern.len && first_wild == pattern.ptr + pattern.len - 1 && !memchr(pattern.ptr, '_', pattern.len)) {
        is_range = true;
        prefix = str_slice(pattern, 0, pattern.len - 1);
    }
    if (is_range && prefix.len == 0 && !is_prefix) { /* in a condition it may stand under NOT, and is neither true nor false of NULL */
        put_name(w, column);
        put(w, " = ");
        put_name(w, column);
    } else if (is_range && prefix.len == 0) {
        put_name(w, column);
        put(w, " IS NOT NULL");
    } else if (is_range && w->dialect == SQL_SQLITE && !w->select->is_odbc && (unsigned char)prefix.ptr[prefix.len - 1] != 0xff) {
        put_prefix_range(w, column, prefix);
    } else {
        struct value own = value_text(pattern_of(w, prefix, is_range));
        bool is_twice = w->dialect == SQL_MARIADB;
        put(w, is_twice ? "(" : "");
        put_name(w, column);
        put(w, w->dialect == SQL_SQLITE ? " GLOB " : " LIKE ");
        put_parameter(w, own, VALUE_TEXT);
        put(w, w->dialect == SQL_SQLITE ? "" : " ESCAPE '!'");
        if (is_twice) {
            put(w, " AND ");
            put_key(w, column);
            put(w, " LIKE ");
            put_parameter(w, own, VALUE_TEXT);
            put(w, " ESCAPE '!')");
        }
    }
}

/* ---- comparisons ---- */

static const char *sign_of(enum sql_op op)
{
    static const char *const signs[] = {
        [SQL_EQ] = " = ", [SQL_NE] = " <> ", [SQL_LT] = " < ", [SQL_LE] = " <= ", [SQL_GT] = " > ", [SQL_GE] = " >= "};
    return signs[op];
}

/* Does PostgreSQL's plain column do? It keeps the index on a column of another collation usable. */
static void put_equal_side(struct writer *w, uint16_t column, enum sql_op op)
{
    if (w->dialect == SQL_POSTGRES && (op == SQL_EQ || op == SQL_NE || op == SQL_IN))
        put_name(w, column);
    else
        put_key(w, column);
}

static void put_compare(struct writer *w, uint16_t column, enum sql_op op, struct value value)
{
    enum value_type type = type_of(w, column);
    bool is_twice = w->dialect == SQL_MARIADB && type == VALUE_TEXT && op == SQL_EQ;
    value = fitting(w, column, op, value);
    if (is_twice) {
        put(w, "(");
        put_name(w, column);
        put(w, " = ");
        put_value(w, column, value);
        put(w, " AND ");
    }
    put_equal_side(w, column, op);
    put(w, sign_of(op));
    put_value(w, column, value);
    put(w, is_twice ? ")" : "");
}

static size_t padded(size_t n)
{
    size_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

static void put_list(struct writer *w, uint16_t column, const struct value *values, size_t n)
{
    put(w, " IN (");
    for (size_t i = 0, n_padded = padded(n); i < n_padded && !w->err; i++) {
        put(w, i ? ", " : "");
        put_value(w, column, fitting(w, column, SQL_IN, values[i < n ? i : n - 1]));
    }
    put(w, ")");
}

static void put_in(struct writer *w, uint16_t column, const struct value *values, size_t n)
{
    bool is_twice = w->dialect == SQL_MARIADB && type_of(w, column) == VALUE_TEXT;
    if (n == 0 || n > SQL_IN_MAX) {
        fail(w, n ? ERR_TOO_LARGE : ERR_RANGE);
        return;
    }
    if (is_twice) {
        put(w, "(");
        put_name(w, column);
        put_list(w, column, values, n);
        put(w, " AND ");
    }
    put_equal_side(w, column, SQL_IN);
    put_list(w, column, values, n);
    put(w, is_twice ? ")" : "");
}

/* ---- WHERE ---- */

static void put_condition(struct writer *w, const struct sql_condition *node);

/* a OR b OR c without parentheses between them: SQLite's parser has 100 places, and each parenthesis takes one. */
static void put_chain(struct writer *w, const struct sql_condition *node, enum sql_node kind)
{
    if (node->kind != kind) {
        put_condition(w, node);
        return;
    }
    put_chain(w, node->a, kind);
    put(w, kind == SQL_NODE_AND ? " AND " : " OR ");
    put_condition(w, node->b);
}

static void put_condition(struct writer *w, const struct sql_condition *node)
{
    switch (node->kind) {
    case SQL_NODE_AND:
    case SQL_NODE_OR:
        put(w, "(");
        put_chain(w, node, node->kind);
        put(w, ")");
        return;
    case SQL_NODE_NOT:
        put(w, "(NOT ");
        put_condition(w, node->a);
        put(w, ")");
        return;
    case SQL_NODE_COMPARE:
        if (!node->right.is_column) {
            put_compare(w, node->left.column, node->op, node->right.literal);
            return;
        }
        put_key(w, node->left.column);
        put(w, sign_of(node->op));
        put_key(w, node->right.column);
        return;
    case SQL_NODE_IN:
        put_in(w, node->left.column, node->values, node->n_values);
        return;
    case SQL_NODE_LIKE:
        put_like(w, node->left.column, node->pattern, false);
        return;
    case SQL_NODE_IS_NULL:
        put_name(w, node->left.column);
        put(w, " IS NULL");
        return;
    }
}

static void put_constraint(struct writer *w, const struct sql_constraint *constraint)
{
    switch ((enum sql_op)constraint->op) {
    case SQL_IN:
        put_in(w, constraint->column, constraint->values, constraint->n_values);
        return;
    case SQL_PREFIX:
        if (type_of(w, constraint->column) != VALUE_TEXT) {
            fail(w, ERR_UNSUPPORTED);
            return;
        }
        struct value prefix = fitting(w, constraint->column, SQL_EQ, constraint->values[0]);
        if (prefix.type == VALUE_TEXT) {
            put_like(w, constraint->column, prefix.s, true);
        } else { /* nothing begins so */
            put_name(w, constraint->column);
            put(w, " = ");
            put_parameter(w, prefix, VALUE_TEXT);
        }
        return;
    case SQL_IS_NULL:
    case SQL_NOT_NULL:
        put_name(w, constraint->column);
        put(w, constraint->op == SQL_IS_NULL ? " IS NULL" : " IS NOT NULL");
        return;
    default:
        put_compare(w, constraint->column, (enum sql_op)constraint->op, constraint->values[0]);
        return;
    }
}

static void put_where(struct writer *w)
{
    const struct sql_select *select = w->select;
    const char *before = " WHERE ";
    if (select->rows) {
        put(w, before);
        put_condition(w, select->rows);
        before = " AND ";
    }
    if (select->also) {
        put(w, before);
        put_condition(w, select->also);
        before = " AND ";
    }
    for (size_t i = 0; i < select->n_where && !w->err; i++) {
        put(w, before);
        put_constraint(w, &select->where[i]);
        before = " AND ";
    }
}

/* ---- outputs, groups, order ---- */

enum value_type sql_output_type(const struct sql_select *select, const struct sql_output *output)
{
    bool is_count = output->aggregate == SQL_COUNT_ALL || output->aggregate == SQL_COUNT || output->aggregate == SQL_COUNT_DISTINCT;
    return is_count ? VALUE_INTEGER : select->columns[output->column].type;
}

static bool has_aggregate(const struct sql_select *select)
{
    for (size_t i = 0; i < select->n_outputs; i++)
        if (select->outputs[i].aggregate != SQL_PLAIN)
            return true;
    return false;
}

static void put_extreme(struct writer *w, const struct sql_output *output)
{
    bool is_min = output->aggregate == SQL_MIN;
    if (w->dialect == SQL_POSTGRES && type_of(w, output->column) == VALUE_BOOLEAN) /* it has no min of booleans */
        put(w, is_min ? "bool_and(" : "bool_or(");
    else
        put(w, is_min ? "MIN(" : "MAX(");
    put_key(w, output->column);
    put(w, ")");
}

static void put_sum(struct writer *w, const struct sql_output *output)
{
    bool is_integer = type_of(w, output->column) == VALUE_INTEGER;
    bool is_real = type_of(w, output->column) == VALUE_REAL;
    if (!is_integer && !is_real)
        fail(w, ERR_UNSUPPORTED);
    put(w, w->dialect == SQL_SQLITE && is_real ? "SUM(CAST(" : "SUM("); /* SQLite's real columns can hold integers, which overflow */
    put_name(w, output->column);
    put(w, w->dialect == SQL_SQLITE && is_real ? " AS REAL))" : w->dialect == SQL_POSTGRES && is_integer ? ")::bigint" : ")");
}

static void put_output(struct writer *w, const struct sql_output *output, bool is_grouped)
{
    switch ((enum sql_aggregate)output->aggregate) {
    case SQL_PLAIN:
        if (is_grouped)
            put_key(w, output->column);
        else
            put_name(w, output->column);
        return;
    case SQL_COUNT_ALL:
        put(w, "COUNT(*)");
        return;
    case SQL_COUNT:
    case SQL_COUNT_DISTINCT:
        put(w, output->aggregate == SQL_COUNT ? "COUNT(" : "COUNT(DISTINCT ");
        put_key(w, output->column);
        put(w, ")");
        return;
    case SQL_SUM:
        put_sum(w, output);
        return;
    case SQL_MIN:
    case SQL_MAX:
        if (type_of(w, output->column) == VALUE_BYTES)
            fail(w, ERR_UNSUPPORTED);
        put_extreme(w, output);
        return;
    }
}

static void put_groups(struct writer *w)
{
    const char *before = " GROUP BY ";
    for (size_t i = 0; i < w->select->n_outputs; i++)
        if (w->select->outputs[i].aggregate == SQL_PLAIN) {
            put(w, before);
            put_key(w, w->select->outputs[i].column);
            before = ", ";
        }
}

static void put_order(struct writer *w)
{
    for (size_t i = 0; i < w->select->n_order; i++) {
        const struct sql_order *order = &w->select->order[i];
        put(w, i ? ", " : " ORDER BY ");
        if (w->dialect == SQL_ANSI) {
            put(w, "CASE WHEN ");
            put_name(w, order->column);
            put(w, order->is_descending ? " IS NULL THEN 1 ELSE 0 END, " : " IS NULL THEN 0 ELSE 1 END, ");
        }
        put_key(w, order->column);
        put(w, order->is_descending ? " DESC" : "");
        if (w->dialect == SQL_POSTGRES)
            put(w, order->is_descending ? " NULLS LAST" : " NULLS FIRST");
    }
}

enum err sql_text(const struct sql_select *select, enum sql_dialect dialect, struct buf *text, struct arena *arena,
    const struct value **ret_parameters, size_t *ret_n)
{
    struct writer w = {.select = select, .dialect = dialect, .text = text, .arena = arena};
    bool is_grouped = has_aggregate(select);
    assert(select->n_outputs > 0 && select->n_outputs <= COLUMNS_MAX);
    put(&w, "SELECT ");
    for (size_t i = 0; i < select->n_outputs; i++) {
        put(&w, i ? ", " : "");
        put_output(&w, &select->outputs[i], is_grouped);
    }
    put(&w, " FROM ");
    if (text)
        buf_append_str(text, select->source);
    put(&w, " t");
    put_where(&w);
    if (is_grouped)
        put_groups(&w);
    put_order(&w);
    if (select->limit >= 0 && dialect != SQL_ANSI) {
        put(&w, " LIMIT ");
        put_parameter(&w, value_integer(select->limit), VALUE_INTEGER);
    }
    if (text && text->err)
        fail(&w, text->err);
    if (w.err)
        return w.err;
    *ret_parameters = w.parameters;
    *ret_n = w.n;
    return ERR_OK;
}

/* ---- shape ---- */

static bool is_usual_prefix(struct value value)
{
    return value.type == VALUE_TEXT && str_is_utf8(value.s) && !(value.s.len && memchr(value.s.ptr, '\0', value.s.len));
}

size_t sql_shape(const struct sql_select *select, uint8_t out[SQL_SHAPE_MAX])
{
    size_t n = 0;
    if (select->also || 3 * select->n_outputs + 4 * select->n_where + 3 * select->n_order + 4 > SQL_SHAPE_MAX)
        return 0;
    out[n++] = (uint8_t)select->n_outputs;
    for (size_t i = 0; i < select->n_outputs; i++) {
        out[n++] = (uint8_t)select->outputs[i].column;
        out[n++] = (uint8_t)(select->outputs[i].column >> 8);
        out[n++] = select->outputs[i].aggregate;
    }
    out[n++] = (uint8_t)select->n_where;
    for (size_t i = 0; i < select->n_where; i++) {
        const struct sql_constraint *constraint = &select->where[i];
        uint8_t variant = 0; /* of the text: a list's padded length, an empty prefix */
        if (constraint->op == SQL_IN)
            for (size_t p = padded(constraint->n_values); p > 1; p /= 2)
                variant++;
        if (constraint->op == SQL_PREFIX && !is_usual_prefix(constraint->values[0]))
            return 0;
        if (constraint->op == SQL_PREFIX)
            variant = constraint->values[0].s.len == 0;
        out[n++] = (uint8_t)constraint->column;
        out[n++] = (uint8_t)(constraint->column >> 8);
        out[n++] = constraint->op;
        out[n++] = variant;
    }
    out[n++] = (uint8_t)select->n_order;
    for (size_t i = 0; i < select->n_order; i++) {
        out[n++] = (uint8_t)select->order[i].column;
        out[n++] = (uint8_t)(select->order[i].column >> 8);
        out[n++] = select->order[i].is_descending;
    }
    out[n++] = select->limit >= 0;
    return n;
}
