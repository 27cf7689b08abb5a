/*
 * An aggregate over one resource, asked of its department as a whole: left alone SQLite would pull every row for count(*).
 *
 *     SELECT kind, count(*) AS n, avg(weight) FROM "h/police/vehicle" WHERE seats > 2 GROUP BY kind HAVING n > 3 ORDER BY n DESC
 *
 * becomes one asking for kind, count(*), sum(weight), count(weight) under the condition seats > 2, and a statement over its answer:
 *
 *     SELECT "g0" , "g1" AS n , (CAST("g2" AS REAL)/"g3") FROM groups WHERE n > 3 ORDER BY n DESC
 *
 * What is not understood here (joins, sub-selects, conditions beyond those of a contract's rows:, group_concat …) is left to SQLite over
 * rows. The condition is typed by db/sql.h; of its text nothing gets to a department.
 */
#include "base/clock.h"
#include "hub/query_parts.h"

#include <stdio.h>
#include <string.h>

#define TOKENS_MAX 1024

enum token_kind { WORD, QUOTED, TEXT, NUMBER, PARAMETER, SIGN };
struct token {
    enum token_kind kind;
    struct str raw;  /* as it stands */
    struct str name; /* of WORD and QUOTED */
    int parameter;
};

struct reader {
    struct query *query;
    struct query_grouping *grouping;
    struct token tokens[TOKENS_MAX];
    size_t n_tokens;
    size_t select, from, where, group, having, order, limit, end; /* places of the clauses' first words; end: there is none */
    struct str alias;
    uint64_t hidden; /* columns whose name is an alias of the answer too */
    struct buf sql;
};

/* ---- tokens ---- */

static bool is_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The length of the token at the text's beginning; 0: none that is known here. */
static size_t token_length(struct str text, enum token_kind *ret_kind)
{
    char c = text.ptr[0], next = text.len > 1 ? text.ptr[1] : '\0';
    size_t n = 1;
    if (c == '"' || c == '`' || c == '\'') {
        *ret_kind = c == '\'' ? TEXT : QUOTED;
        const char *end = memchr(text.ptr + 1, c, text.len - 1);
        n = end ? (size_t)(end - text.ptr) + 1 : 0;
        return n && n < text.len && text.ptr[n] == c ? 0 : n; /* doubled quotes are left to SQLite */
    }
    if (is_start(c)) {
        *ret_kind = WORD;
        while (n < text.len && (is_start(text.ptr[n]) || is_digit(text.ptr[n])))
            n++;
        return n < text.len && text.ptr[n] == '\'' ? 0 : n; /* x'00' */
    }
    if (is_digit(c) || (c == '.' && is_digit(next))) {
        *ret_kind = NUMBER;
        while (n < text.len && (is_digit(text.ptr[n]) || text.ptr[n] == '.' || (text.ptr[n] | 0x20) == 'e' ||
                                   ((text.ptr[n] == '+' || text.ptr[n] == '-') && (text.ptr[n - 1] | 0x20) == 'e')))
            n++;
        return n;
    }
    if (c == '?') {
        *ret_kind = PARAMETER;
        while (n < text.len && is_digit(text.ptr[n]))
            n++;
        return n;
    }
    *ret_kind = SIGN;
    if ((c == '-' && next == '-') || (c == '/' && next == '*') || !strchr("()+-*/%<>=!|,.;&~", c))
        return 0;
    bool is_double = (c == '<' && (next == '>' || next == '=' || next == '<')) || (c == '>' && (next == '=' || next == '>')) ||
                     (c == '!' && next == '=') || (c == '=' && next == '=') || (c == '|' && next == '|');
    return is_double ? 2 : 1;
}

static bool tokenise(struct reader *reader)
{
    struct str text = str_trim(reader->query->asked->sql);
    int n_parameters = 0;
    while (text.len) {
        struct token *token = &reader->tokens[reader->n_tokens];
        size_t n = reader->n_tokens < TOKENS_MAX ? token_length(text, &token->kind) : 0;
        if (n == 0)
            return false;
        token->raw = str_slice(text, 0, n);
        token->name = token->kind == QUOTED ? str_slice(text, 1, n - 2) : token->raw;
        if (token->kind == PARAMETER) { /* numbered as SQLite does, since those of the WHERE go away */
            uint64_t number = (uint64_t)n_parameters + 1;
            if (n > 1 && (str_to_u64(str_slice(text, 1, n), &number) || number > HUB_QUERY_PARAMETERS_MAX))
                return false;
            token->parameter = (int)number;
            n_parameters = (int)number > n_parameters ? (int)number : n_parameters;
        }
        reader->n_tokens++;
        text = str_trim(str_slice(text, n, text.len));
    }
    if (reader->n_tokens && str_equal_c(reader->tokens[reader->n_tokens - 1].raw, ";"))
        reader->n_tokens--;
    return reader->n_tokens > 0;
}

static bool is_word(const struct reader *reader, size_t at, const char *word)
{
    return at < reader->n_tokens && reader->tokens[at].kind == WORD && str_equal_nocase(reader->tokens[at].raw, str_from_c(word));
}

static bool is_sign(const struct reader *reader, size_t at, const char *sign)
{
    return at < reader->n_tokens && reader->tokens[at].kind == SIGN && str_equal_c(reader->tokens[at].raw, sign);
}

/* The first words of the clauses, in their order; false: a statement of another kind. */
static bool find_clauses(struct reader *reader)
{
    static const char *const foreign[] = {
        "DISTINCT", "UNION", "EXCEPT", "INTERSECT", "JOIN", "OVER", "FILTER", "WINDOW", "WITH", "VALUES", "EXISTS", "COLLATE", "ALL"};
    static const char *const clauses[] = {"FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT"};
    size_t *const places[] = {&reader->from, &reader->where, &reader->group, &reader->having, &reader->order, &reader->limit};
    size_t n_found = 0;
    int depth = 0;
    if (!is_word(reader, 0, "SELECT"))
        return false;
    reader->end = reader->n_tokens;
    for (size_t i = 0; i < 6; i++)
        *places[i] = reader->end;
    for (size_t at = 1; at < reader->n_tokens; at++) {
        depth += is_sign(reader, at, "(") - is_sign(reader, at, ")");
        if (is_word(reader, at, "SELECT") || (is_word(reader, at, "DISTINCT") && !is_sign(reader, at - 1, "(")))
            return false;
        for (size_t i = 1; i < sizeof foreign / sizeof *foreign; i++)
            if (is_word(reader, at, foreign[i]))
                return false;
        for (size_t i = n_found; i < 6 && depth == 0; i++)
            if (is_word(reader, at, clauses[i])) {
                *places[i] = at;
                n_found = i + 1;
                break;
            }
    }
    return depth == 0 && reader->from < reader->end;
}

static size_t next_clause(const struct reader *reader, size_t at)
{
    const size_t places[] = {reader->from, reader->where, reader->group, reader->having, reader->order, reader->limit};
    size_t next = reader->end;
    for (size_t i = 0; i < 6; i++)
        if (places[i] > at && places[i] < next)
            next = places[i];
    return next;
}

/* FROM "resource" [[AS] alias] */
static bool read_from(struct reader *reader)
{
    size_t at = reader->from + 1, end = next_clause(reader, reader->from);
    if (at >= end || reader->tokens[at].kind != QUOTED)
        return false;
    for (size_t i = 0; i < reader->query->n_tables; i++)
        if (str_equal(reader->query->tables[i].name, reader->tokens[at].name))
            reader->grouping->table = &reader->query->tables[i];
    at++;
    if (is_word(reader, at, "AS"))
        at++;
    if (at < end && reader->tokens[at].kind == WORD)
        reader->alias = reader->tokens[at++].raw;
    return reader->grouping->table && at == end;
}

/* ---- columns ---- */

/* A column at `at`, with the table's alias before it or not: its place in the table, and how many tokens. */
static bool read_column(const struct reader *reader, size_t at, size_t *ret_column, size_t *ret_n)
{
    const struct query_table *table = reader->grouping->table;
    size_t n = 1;
    if (at >= reader->n_tokens || (reader->tokens[at].kind != WORD && reader->tokens[at].kind != QUOTED))
        return false;
    if (is_sign(reader, at + 1, ".")) {
        struct str before = reader->tokens[at].name;
        bool is_ours = str_is_empty(reader->alias) ? str_equal(before, table->name) : str_equal_nocase(before, reader->alias);
        if (!is_ours || at + 2 >= reader->n_tokens)
            return false;
        at += 2;
        n = 3;
    }
    for (size_t i = 0; i < table->n_columns; i++)
        if (str_equal_nocase(table->columns[i].name, reader->tokens[at].name)) {
            *ret_column = i;
            *ret_n = n;
            return true;
        }
    return false;
}

/* SQLite's own reading of the statement is what was decided on: a field that it does not read (an alias of that name) is not ours to ask.
 */
static bool is_read(const struct reader *reader, size_t column)
{
    return reader->grouping->table->read >> column & 1;
}

/* The output's number, new or old. */
static bool want(struct reader *reader, struct sql_output output, size_t *ret_number)
{
    struct query_grouping *grouping = reader->grouping;
    for (size_t i = 0; i < grouping->n_outputs; i++)
        if (grouping->outputs[i].column == output.column && grouping->outputs[i].aggregate == output.aggregate) {
            *ret_number = i;
            return true;
        }
    if (grouping->n_outputs == HUB_FIELDS_MAX)
        return false;
    grouping->outputs[grouping->n_outputs] = output;
    *ret_number = grouping->n_outputs++;
    return true;
}

static bool read_groups(struct reader *reader)
{
    size_t at = reader->group + 2, end = next_clause(reader, reader->group), number;
    if (reader->group == reader->end)
        return true;
    if (!is_word(reader, reader->group + 1, "BY"))
        return false;
    for (;;) {
        size_t column, n;
        if (!read_column(reader, at, &column, &n) || !is_read(reader, column) ||
            !want(reader, (struct sql_output){reader->grouping->table->fields[column], SQL_PLAIN}, &number))
            return false;
        at += n;
        if (at == end)
            break;
        if (!is_sign(reader, at++, ","))
            return false;
    }
    reader->grouping->n_groups = reader->grouping->n_outputs;
    return true;
}

/* ---- the statement over the groups ---- */

/* count(*), count([DISTINCT] column), sum avg min max total (column): written as what stands for it; *ret_n tokens. 0: none is here. */
static bool write_aggregate(struct reader *reader, size_t at, size_t *ret_n)
{
    static const char *const names[] = {"count", "sum", "min", "max", "avg", "total"};
    static const enum sql_aggregate aggregates[] = {SQL_COUNT, SQL_SUM, SQL_MIN, SQL_MAX, SQL_SUM, SQL_SUM};
    size_t which = 0, column, n, number, count;
    bool is_distinct = is_word(reader, at + 2, "DISTINCT");
    *ret_n = 0;
    while (which < 6 && !is_word(reader, at, names[which]))
        which++;
    if (which == 6 || !is_sign(reader, at + 1, "("))
        return true;
    if (which == 0 && is_sign(reader, at + 2, "*") && is_sign(reader, at + 3, ")")) {
        if (!want(reader, (struct sql_output){0, SQL_COUNT_ALL}, &number))
            return false;
        buf_printf(&reader->sql, " \"g%zu\"", number);
        *ret_n = 4;
        return true;
    }
    size_t from = at + 2 + is_distinct;
    if (!read_column(reader, from, &column, &n) || !is_read(reader, column) || !is_sign(reader, from + n, ")") ||
        (is_distinct && which != 0))
        return false;
    enum value_type type = reader->grouping->table->columns[column].type;
    uint16_t field = reader->grouping->table->fields[column];
    bool is_sum = aggregates[which] == SQL_SUM;
    if ((is_sum && type != VALUE_INTEGER && type != VALUE_REAL) || (!is_sum && which != 0 && type == VALUE_BYTES) ||
        !want(reader, (struct sql_output){field, is_distinct ? SQL_COUNT_DISTINCT : aggregates[which]}, &number))
        return false;
    if (which == 4) {
        if (!want(reader, (struct sql_output){field, SQL_COUNT}, &count))
            return false;
        buf_printf(&reader->sql, " (CAST(\"g%zu\" AS REAL)/\"g%zu\")", number, count);
    } else {
        buf_printf(&reader->sql, which == 5 ? " CAST(ifnull(\"g%zu\", 0) AS REAL)" : " \"g%zu\"", number);
    }
    *ret_n = from + n + 1 - at;
    return true;
}

/* A column outside of an aggregate has to be one of the groups'. */
static bool write_column(struct reader *reader, size_t column)
{
    uint16_t field = reader->grouping->table->fields[column];
    for (size_t i = 0; i < reader->grouping->n_groups; i++)
        if (reader->grouping->outputs[i].column == field) {
            buf_printf(&reader->sql, " \"g%zu\"", i);
            return true;
        }
    return false;
}

/* Does an operand stand before, so that this is an alias without AS? */
static bool is_after_operand(const struct reader *reader, size_t at)
{
    size_t column, n;
    enum token_kind kind = at > 0 ? reader->tokens[at - 1].kind : SIGN;
    return kind == SIGN ? is_sign(reader, at - 1, ")") : kind != WORD || read_column(reader, at - 1, &column, &n);
}

static bool write_tokens(struct reader *reader, size_t from, size_t to)
{
    for (size_t at = from; at < to;) {
        const struct token *token = &reader->tokens[at];
        size_t n, column;
        bool is_alias = at > 0 && is_word(reader, at - 1, "AS");
        if (!is_alias && (!write_aggregate(reader, at, &n)))
            return false;
        if (is_after_operand(reader, at) && read_column(reader, at, &column, &n))
            return false; /* an alias without AS that is a field too: let SQLite say what is meant */
        if (is_alias && read_column(reader, at, &column, &n))
            reader->hidden |= UINT64_C(1) << column;
        if (!is_alias && n) {
            at += n;
            continue;
        }
        if (!is_alias && read_column(reader, at, &column, &n) && !is_sign(reader, at + n, "(")) {
            bool is_alias_too = at > reader->from && (reader->hidden >> column & 1);
            if (is_alias_too || !write_column(reader, column))
                return false;
            at += n;
            continue;
        }
        bool is_star =
            is_sign(reader, at, "*") && (at == reader->select + 1 || is_sign(reader, at - 1, ",") || is_sign(reader, at - 1, "."));
        if (is_star || is_sign(reader, at, ".") || is_sign(reader, at, ";"))
            return false;
        buf_append_byte(&reader->sql, ' ');
        if (token->kind == PARAMETER)
            buf_printf(&reader->sql, "?%d", token->parameter);
        else
            buf_append_str(&reader->sql, token->raw);
        at++;
    }
    return true;
}

static bool write_statement(struct reader *reader)
{
    buf_append_c(&reader->sql, "SELECT");
    if (!write_tokens(reader, 1, reader->from))
        return false;
    buf_append_c(&reader->sql, " FROM groups");
    if (reader->having < reader->end) {
        buf_append_c(&reader->sql, " WHERE");
        if (!write_tokens(reader, reader->having + 1, next_clause(reader, reader->having)))
            return false;
    }
    size_t rest = reader->order < reader->end ? reader->order : reader->limit;
    return write_tokens(reader, rest, reader->end) && !reader->sql.err;
}

/* ---- the condition ---- */

static bool append_literal(struct buf *out, struct value value)
{
    switch (value.type) {
    case VALUE_TEXT:
        buf_append_byte(out, '\'');
        for (size_t i = 0; i < value.s.len; i++)
            buf_append_c(out, value.s.ptr[i] == '\'' ? "''" : (char[]){value.s.ptr[i], '\0'});
        buf_append_byte(out, '\'');
        return true;
    case VALUE_INTEGER:
        buf_printf(out, "%lld", (long long)value.i);
        return true;
    case VALUE_REAL:
        buf_printf(out, "%.17g", value.r);
        return true;
    default:
        return false;
    }
}

/* A time written as text is text to SQLite, and would be a time to the condition: not the same question. */
static bool is_time_text(struct str text)
{
    struct wall_time wall;
    return wall_parse_rfc3339(text, &wall) == ERR_OK;
}

static bool is_keyword(const struct reader *reader, size_t at)
{
    static const char *const words[] = {"AND", "OR", "NOT", "IN", "LIKE", "BETWEEN", "IS", "NULL", "TRUE", "FALSE"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(reader, at, words[i]))
            return true;
    return false;
}

static bool read_where(struct reader *reader)
{
    struct query *query = reader->query;
    const struct hub_resource *resource = &reader->grouping->table->entry->resource;
    struct buf text;
    bool is_fine = true;
    if (reader->where == reader->end)
        return true;
    buf_init(&text, SQL_CONDITION_MAX);
    for (size_t at = reader->where + 1, end = next_clause(reader, reader->where), n, column; at < end && is_fine; at += n) {
        const struct token *token = &reader->tokens[at];
        n = 1;
        buf_append_byte(&text, ' ');
        if (read_column(reader, at, &column, &n)) {
            is_fine = is_read(reader, column);
            buf_printf(&text, "\"" STR_FORMAT "\"", STR_ARG(reader->grouping->table->columns[column].name));
        } else if (token->kind == PARAMETER) {
            bool is_given = (size_t)token->parameter <= query->asked->n_parameters;
            struct value value = is_given ? query->asked->parameters[token->parameter - 1] : VALUE_NONE;
            is_fine = append_literal(&text, value) && !(value.type == VALUE_TEXT && is_time_text(value.s));
            n = 1;
        } else {
            n = 1;
            /* Any other name would be looked up among all fields of the resource, granted or not. */
            is_fine = token->kind != QUOTED && (token->kind != WORD || is_keyword(reader, at)) &&
                      !(token->kind == TEXT && is_time_text(str_slice(token->raw, 1, token->raw.len - 2)));
            bool is_minus = is_sign(reader, at, "-") && at + 1 < end && reader->tokens[at + 1].kind == NUMBER;
            buf_append_str(&text, token->raw);
            if (is_minus) {
                buf_append_str(&text, reader->tokens[at + 1].raw);
                n = 2;
            }
        }
    }
    is_fine =
        is_fine && !text.err &&
        !sql_condition_parse(&query->arena, buf_str(&text), resource->columns, resource->n_fields, NULL, &reader->grouping->condition);
    is_fine = is_fine && !arena_copy_str(&query->arena, str_trim(buf_str(&text)), &reader->grouping->where);
    buf_finish(&text);
    return is_fine;
}

enum err query_group_recognise(struct query *query, struct query_grouping *ret_grouping, bool *ret_is)
{
    struct reader *reader = arena_alloc_zero(&query->arena, 1, sizeof *reader);
    if (!reader)
        return ERR_NO_MEMORY;
    *ret_grouping = (struct query_grouping){0};
    *ret_is = false;
    reader->query = query;
    reader->grouping = ret_grouping;
    buf_init(&reader->sql, 2 * HUB_QUERY_SQL_MAX);
    bool is = tokenise(reader) && find_clauses(reader) && read_from(reader) && read_groups(reader) && write_statement(reader) &&
              read_where(reader);
    bool has_aggregate = ret_grouping->n_outputs > ret_grouping->n_groups;
    enum err err = ERR_OK;
    if (is && !has_aggregate && ret_grouping->n_groups) {
        size_t number;
        is = want(reader, (struct sql_output){0, SQL_COUNT_ALL}, &number); /* groups without a figure are groups too */
        has_aggregate = is;
    }
    if (is && has_aggregate)
        err = arena_copy_str(&query->arena, buf_str(&reader->sql), &ret_grouping->sql);
    *ret_is = is && has_aggregate && !err;
    buf_finish(&reader->sql);
    return err;
}

enum err query_group_fetch(struct query *query, const struct query_grouping *grouping)
{
    const struct query_asking asking = {
        .outputs = grouping->outputs, .n_outputs = grouping->n_outputs, .condition = grouping->condition, .limit = -1};
    const struct sql_select select = {.columns = grouping->table->entry->resource.columns};
    struct query_table *groups = &query->groups;
    struct rows *rows;
    bool is_statistic = grouping->table->contract->terms.min_subjects != DECIDE_NONE;
    enum err err = is_statistic ? query_statistic_fetch(query, grouping, &rows) : query_fetch(grouping->table, &asking, &rows);
    if (err)
        return err;
    *groups = (struct query_table){.query = query, .name = STR("groups"), .n_rows = (int64_t)rows_n(rows), .read = UINT64_MAX};
    for (size_t i = 0; i < grouping->n_outputs; i++) {
        err = arena_printf(&query->arena, &groups->columns[i].name, "g%zu", i);
        if (err)
            return err;
        groups->columns[i].type = sql_output_type(&select, &grouping->outputs[i]);
    }
    groups->n_columns = grouping->n_outputs;
    groups->given = query_set_new(groups);
    if (!groups->given)
        return query_fail(query, ERR_NO_MEMORY, "no memory");
    for (size_t i = 0; i < grouping->n_outputs; i++)
        groups->given->places[i] = (uint8_t)(i + 1);
    groups->given->n_outputs = grouping->n_outputs;
    err = query_set_add(groups->given, rows);
    if (!err)
        err = query_table_register(groups);
    query->has_groups = !err;
    return err;
}
