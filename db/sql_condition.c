/*
 * A contract's `rows:` read and typed: a small language of its own, so that it means the same on every department's database and nothing
 * of its text ever gets there. Recursive descent over tokens; bounded in bytes, nesting and list lengths.
 */
#include "base/clock.h"
#include "db/sql_internal.h"

#include <math.h>
#include <string.h>

#define DEPTH_MAX 10      /* of parentheses and NOTs: each may take eight of the 100 places of SQLite's parser */
#define TESTS_MAX 256     /* SQLite's trees are at most 1,000 deep; a chain of ANDs or ORs is one place (db/sql_text.c) */
#define EXACT_REAL 0x1p53 /* integers up to here are reals without loss */

enum token { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_TEXT, TOKEN_NUMBER, TOKEN_SIGN };

struct parser {
    struct arena *arena;
    struct str text;
    const struct sql_column *columns;
    size_t n_columns;
    struct diag *diag;
    int depth, n_tests;
    /* the token that is looked at */
    enum token token;
    size_t from, at; /* its bytes; at: where the next begins */
    struct str word; /* of WORD, QUOTED, TEXT (unquoted), SIGN */
    struct value number;
};

static enum err parse_or(struct parser *parser, const struct sql_condition **ret);

#define PLACE "at character %zu: "
#define AT(parser_) ((parser_)->from + 1)

/* ---- tokens ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char char_at(const struct parser *parser, size_t at)
{
    return at < parser->text.len ? parser->text.ptr[at] : '\0';
}

/* 'it''s' and "column": a doubled quote stands for one. */
static enum err read_quoted(struct parser *parser, char quote)
{
    size_t room = parser->text.len - parser->from, len = 0, at = parser->from + 1;
    char *bytes = arena_alloc(parser->arena, room);
    if (!bytes)
        return ERR_NO_MEMORY;
    for (; at < parser->text.len; at++) {
        if (parser->text.ptr[at] == quote && char_at(parser, at + 1) != quote)
            break;
        if (parser->text.ptr[at] == quote)
            at++;
        bytes[len++] = parser->text.ptr[at];
    }
    if (at >= parser->text.len)
        return diag_set(parser->diag, ERR_SYNTAX, NULL, 0, PLACE "a quote does not end; close it with %c", AT(parser), quote);
    parser->token = quote == '"' ? TOKEN_QUOTED : TOKEN_TEXT;
    parser->word = (struct str){bytes, len};
    parser->at = at + 1;
    return ERR_OK;
}

static enum err read_number(struct parser *parser)
{
    size_t at = parser->from + (char_at(parser, parser->from) == '-');
    bool is_real = false;
    while (is_digit(char_at(parser, at)) || char_at(parser, at) == '.')
        is_real |= char_at(parser, at++) == '.';
    if ((char_at(parser, at) | 0x20) == 'e') {
        is_real = true;
        at++;
        at += char_at(parser, at) == '-' || char_at(parser, at) == '+';
        while (is_digit(char_at(parser, at)))
            at++;
    }
    struct str digits = str_slice(parser->text, parser->from, at - parser->from);
    parser->token = TOKEN_NUMBER;
    parser->at = at;
    parser->number = (struct value){.type = is_real ? VALUE_REAL : VALUE_INTEGER};
    enum err err = is_real ? str_to_double(digits, &parser->number.r) : str_to_i64(digits, &parser->number.i);
    if (err || is_letter(char_at(parser, at)))
        return diag_set(
            parser->diag, ERR_SYNTAX, NULL, 0, PLACE "\"" STR_FORMAT "\" is not a number of 64 bits", AT(parser), STR_ARG(digits));
    return ERR_OK;
}

static enum err read_sign(struct parser *parser)
{
    static const char *const signs[] = {"<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", ","};
    struct str rest = str_slice(parser->text, parser->from, parser->text.len);
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (str_starts_with(rest, str_from_c(signs[i]))) {
            parser->token = TOKEN_SIGN;
            parser->word = str_slice(rest, 0, strlen(signs[i]));
            parser->at = parser->from + parser->word.len;
            return ERR_OK;
        }
    return diag_set(parser->diag, ERR_SYNTAX, NULL, 0,
        PLACE
        "this sign has no place in a condition; write fields, 'text', numbers, TRUE, FALSE, = <> < <= > >= IN LIKE BETWEEN IS NULL AND OR "
        "NOT ( )",
        AT(parser));
}

static enum err next(struct parser *parser)
{
    while (parser->at < parser->text.len && strchr(" \t\r\n", parser->text.ptr[parser->at]) && parser->text.ptr[parser->at])
        parser->at++;
    parser->from = parser->at;
    if (parser->from == parser->text.len) {
        parser->token = TOKEN_END;
        return ERR_OK;
    }
    char c = char_at(parser, parser->from);
    if (c == '\'' || c == '"')
        return read_quoted(parser, c);
    if (is_digit(c) || (c == '-' && is_digit(char_at(parser, parser->from + 1))))
        return read_number(parser);
    if (!is_letter(c))
        return read_sign(parser);
    while (is_letter(char_at(parser, parser->at)) || is_digit(char_at(parser, parser->at)))
        parser->at++;
    parser->token = TOKEN_WORD;
    parser->word = str_slice(parser->text, parser->from, parser->at - parser->from);
    return ERR_OK;
}

static bool is_word(const struct parser *parser, const char *word)
{
    return parser->token == TOKEN_WORD && str_equal_nocase(parser->word, str_from_c(word));
}

static bool is_sign(const struct parser *parser, const char *sign)
{
    return parser->token == TOKEN_SIGN && str_equal_c(parser->word, sign);
}

static enum err expect_sign(struct parser *parser, const char *sign)
{
    if (!is_sign(parser, sign))
        return diag_set(parser->diag, ERR_SYNTAX, NULL, 0, PLACE "\"%s\" is missing here", AT(parser), sign);
    return next(parser);
}

/* ---- operands and their types ---- */

static struct sql_condition *new_node(struct parser *parser, enum sql_node kind)
{
    struct sql_condition *node = arena_alloc_zero(parser->arena, 1, sizeof *node);
    if (node)
        node->kind = kind;
    return node;
}

static enum err read_column(struct parser *parser, struct sql_operand *operand)
{
    for (size_t i = 0; i < parser->n_columns; i++)
        if (str_equal(parser->columns[i].name, parser->word)) {
            *operand = (struct sql_operand){.is_column = true, .column = (uint16_t)i};
            return next(parser);
        }
    return diag_set(parser->diag, ERR_SYNTAX, NULL, 0,
        PLACE "there is no field \"" STR_FORMAT "\"; name one of the resource's fields, write texts in 'single quotes'", AT(parser),
        STR_ARG(parser->word));
}

static enum err read_literal(struct parser *parser, struct value *ret_value)
{
    if (parser->token == TOKEN_NUMBER)
        *ret_value = parser->number;
    else if (parser->token == TOKEN_TEXT && str_is_utf8(parser->word) &&
             !(parser->word.len && memchr(parser->word.ptr, 0, parser->word.len)))
        *ret_value = value_text(parser->word);
    else if (is_word(parser, "TRUE") || is_word(parser, "FALSE"))
        *ret_value = value_boolean(is_word(parser, "TRUE"));
    else
        return diag_set(parser->diag, ERR_SYNTAX, NULL, 0, PLACE "a value is missing here: a 'text', a number, TRUE or FALSE", AT(parser));
    return next(parser);
}

static enum err read_operand(struct parser *parser, struct sql_operand *operand)
{
    bool is_name = parser->token == TOKEN_QUOTED || (parser->token == TOKEN_WORD && !is_word(parser, "TRUE") && !is_word(parser, "FALSE"));
    if (is_name)
        return read_column(parser, operand);
    *operand = (struct sql_operand){0};
    return read_literal(parser, &operand->literal);
}

static enum value_type type_of(const struct parser *parser, const struct sql_operand *operand)
{
    return operand->is_column ? parser->columns[operand->column].type : operand->literal.type;
}

/* The literal as a value of the type that it stands beside. */
static enum err fit(struct parser *parser, enum value_type type, struct value *literal)
{
    struct wall_time wall;
    if (literal->type == type)
        return ERR_OK;
    if (type == VALUE_REAL && literal->type == VALUE_INTEGER && fabs((double)literal->i) <= EXACT_REAL) {
        *literal = value_real((double)literal->i);
        return ERR_OK;
    }
    if (type == VALUE_INTEGER && literal->type == VALUE_REAL && fabs(literal->r) <= EXACT_REAL && literal->r == floor(literal->r)) {
        *literal = value_integer((int64_t)literal->r);
        return ERR_OK;
    }
    if (type == VALUE_TIME && literal->type == VALUE_INTEGER) {
        literal->type = VALUE_TIME;
        return ERR_OK;
    }
    if (type == VALUE_TIME && literal->type == VALUE_TEXT && !wall_parse_rfc3339(literal->s, &wall)) {
        *literal = value_time(wall.ms);
        return ERR_OK;
    }
    return diag_set(parser->diag, ERR_SYNTAX, NULL, 0, "before character %zu: a value of type %s stands beside one of type %s; write %s",
        parser->from + 1, value_type_name(literal->type), value_type_name(type),
        type == VALUE_TEXT      ? "a text in 'single quotes'"
        : type == VALUE_INTEGER ? "a whole number"
        : type == VALUE_REAL    ? "a number"
        : type == VALUE_TIME    ? "a time like '2026-11-22T08:30:00+08:00'"
        : type == VALUE_BOOLEAN ? "TRUE or FALSE"
                                : "IS NULL or IS NOT NULL: bytes do not compare");
}

static enum err no_field(struct parser *parser)
{
    return diag_set(parser->diag, ERR_SYNTAX, NULL, 0, "before character %zu: two values are compared; a test names a field", AT(parser));
}

/* Two operands of one type that compare by `op`; a column stands left afterwards. */
static enum err pair(struct parser *parser, struct sql_condition *node)
{
    static const enum sql_op mirrored[] = {
        [SQL_EQ] = SQL_EQ, [SQL_NE] = SQL_NE, [SQL_LT] = SQL_GT, [SQL_LE] = SQL_GE, [SQL_GT] = SQL_LT, [SQL_GE] = SQL_LE};
    if (!node->left.is_column) {
        struct sql_operand left = node->left;
        node->left = node->right;
        node->right = left;
        node->op = mirrored[node->op];
    }
    if (!node->left.is_column)
        return no_field(parser);
    enum value_type type = type_of(parser, &node->left);
    enum err err = ERR_OK;
    if (!node->right.is_column)
        err = fit(parser, type, &node->right.literal);
    else if (type_of(parser, &node->right) != type)
        err = diag_set(
            parser->diag, ERR_SYNTAX, NULL, 0, "before character %zu: two fields compare only when they are of one type", AT(parser));
    if (!err && type == VALUE_BYTES)
        err = diag_set(parser->diag, ERR_SYNTAX, NULL, 0, "before character %zu: bytes know IS NULL and IS NOT NULL only", AT(parser));
    if (!err && type == VALUE_BOOLEAN && node->op != SQL_EQ && node->op != SQL_NE)
        err = diag_set(parser->diag, ERR_SYNTAX, NULL, 0, "before character %zu: a boolean knows = and <> only", AT(parser));
    return err;
}

/* ---- tests ---- */

static enum err negate(struct parser *parser, bool is_negated, struct sql_condition *node, const struct sql_condition **ret)
{
    if (is_negated) {
        struct sql_condition *outer = new_node(parser, SQL_NODE_NOT);
        if (!outer)
            return ERR_NO_MEMORY;
        outer->a = node;
        node = outer;
    }
    *ret = node;
    return ERR_OK;
}

static enum err compare(struct parser *parser, const struct sql_operand *left, const struct sql_condition **ret)
{
    static const struct {
        const char *sign;
        enum sql_op op;
    } ops[] = {{"=", SQL_EQ}, {"<>", SQL_NE}, {"!=", SQL_NE}, {"<", SQL_LT}, {"<=", SQL_LE}, {">", SQL_GT}, {">=", SQL_GE}};
    struct sql_condition *node = new_node(parser, SQL_NODE_COMPARE);
    if (!node)
        return ERR_NO_MEMORY;
    node->left = *left;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (is_sign(parser, ops[i].sign)) {
            node->op = ops[i].op;
            enum err err = next(parser);
            if (!err)
                err = read_operand(parser, &node->right);
            if (!err)
                err = pair(parser, node);
            if (!err)
                *ret = node;
            return err;
        }
    return diag_set(parser->diag, ERR_SYNTAX, NULL, 0,
        PLACE "a comparison is missing here: = <> < <= > >=, IN (…), LIKE '…', BETWEEN … AND … or IS NULL", AT(parser));
}

/* After IN. */
static enum err read_list(struct parser *parser, struct sql_condition *node)
{
    struct value values[SQL_IN_MAX];
    enum value_type type = type_of(parser, &node->left);
    enum err err = expect_sign(parser, "(");
    do {
        if (!err && node->n_values > 0)
            err = next(parser); /* the comma */
        if (!err && node->n_values == SQL_IN_MAX)
            err = diag_set(parser->diag, ERR_SYNTAX, NULL, 0, PLACE "more than %d values in a list", AT(parser), SQL_IN_MAX);
        if (!err)
            err = read_literal(parser, &values[node->n_values]);
        if (!err)
            err = fit(parser, type, &values[node->n_values]);
        if (!err)
            node->n_values++;
    } while (!err && is_sign(parser, ","));
    if (!err)
        err = expect_sign(parser, ")");
    if (!err && type == VALUE_BYTES)
        err = diag_set(parser->diag, ERR_SYNTAX, NULL, 0, "before character %zu: bytes know IS NULL and IS NOT NULL only", AT(parser));
    if (err)
        return err;
    struct value *kept = arena_alloc(parser->arena, node->n_values * sizeof *kept);
    if (!kept)
        return ERR_NO_MEMORY;
    memcpy(kept, values, node->n_values * sizeof *kept);
    node->values = kept;
    return ERR_OK;
}

static enum err between(struct parser *parser, const struct sql_operand *left, struct sql_condition **ret)
{
    struct sql_condition *both = new_node(parser, SQL_NODE_AND), *low = new_node(parser, SQL_NODE_COMPARE),
                         *high = new_node(parser, SQL_NODE_COMPARE);
    if (!both || !low || !high)
        return ERR_NO_MEMORY;
    low->left = high->left = *left;
    low->op = SQL_GE;
    high->op = SQL_LE;
    enum err err = read_literal(parser, &low->right.literal);
    if (!err)
        err = pair(parser, low);
    if (!err && !is_word(parser, "AND"))
        err = diag_set(parser->diag, ERR_SYNTAX, NULL, 0, PLACE "AND is missing here: BETWEEN low AND high", AT(parser));
    if (!err)
        err = next(parser);
    if (!err)
        err = read_literal(parser, &high->right.literal);
    if (!err)
        err = pair(parser, high);
    both->a = low;
    both->b = high;
    if (!err)
        *ret = both;
    return err;
}

static enum err like(struct parser *parser, struct sql_condition *node)
{
    struct value pattern;
    if (type_of(parser, &node->left) != VALUE_TEXT || parser->token != TOKEN_TEXT)
        return diag_set(parser->diag, ERR_SYNTAX, NULL, 0, PLACE "LIKE compares a field of type text with a 'text'", AT(parser));
    enum err err = read_literal(parser, &pattern);
    node->pattern = pattern.s;
    return err;
}

/* IS [NOT] NULL */
static enum err is_null(struct parser *parser, const struct sql_operand *left, const struct sql_condition **ret)
{
    struct sql_condition *node = new_node(parser, SQL_NODE_IS_NULL);
    if (!left->is_column)
        return no_field(parser);
    enum err err = node ? next(parser) : ERR_NO_MEMORY;
    bool is_negated = !err && is_word(parser, "NOT");
    if (is_negated)
        err = next(parser);
    if (!err && !is_word(parser, "NULL"))
        err = diag_set(parser->diag, ERR_SYNTAX, NULL, 0, PLACE "write IS NULL or IS NOT NULL", AT(parser));
    if (!err)
        err = next(parser);
    if (err)
        return err;
    node->left = *left;
    return negate(parser, is_negated, node, ret);
}

static enum err parse_test(struct parser *parser, const struct sql_condition **ret)
{
    struct sql_operand left;
    if (is_sign(parser, "(")) {
        enum err inner = next(parser);
        if (!inner)
            inner = parse_or(parser, ret);
        return inner ? inner : expect_sign(parser, ")");
    }
    enum err err = read_operand(parser, &left);
    if (err)
        return err;
    if (++parser->n_tests > TESTS_MAX)
        return diag_set(parser->diag, ERR_SYNTAX, NULL, 0, PLACE "more than %d tests; join some in an IN (…)", AT(parser), TESTS_MAX);
    if (is_word(parser, "IS"))
        return is_null(parser, &left, ret);
    bool is_negated = is_word(parser, "NOT");
    if (is_negated)
        err = next(parser);
    if (err)
        return err;
    bool is_in = is_word(parser, "IN"), is_like = is_word(parser, "LIKE"), is_between = is_word(parser, "BETWEEN");
    if (!is_in && !is_like && !is_between)
        return is_negated ? diag_set(parser->diag, ERR_SYNTAX, NULL, 0, PLACE "after NOT comes IN, LIKE or BETWEEN", AT(parser))
                          : compare(parser, &left, ret);
    if (!left.is_column)
        return no_field(parser);
    struct sql_condition *node = new_node(parser, is_in ? SQL_NODE_IN : SQL_NODE_LIKE);
    err = node ? next(parser) : ERR_NO_MEMORY;
    if (err)
        return err;
    node->left = left;
    err = is_in ? read_list(parser, node) : is_like ? like(parser, node) : between(parser, &left, &node);
    return err ? err : negate(parser, is_negated, node, ret);
}

/* ---- NOT, AND, OR ---- */

static enum err parse_not(struct parser *parser, const struct sql_condition **ret)
{
    bool is_negated = false;
    enum err err = ERR_OK;
    if (++parser->depth > DEPTH_MAX)
        return diag_set(parser->diag, ERR_SYNTAX, NULL, 0, PLACE "nested deeper than %d", AT(parser), DEPTH_MAX);
    while (!err && is_word(parser, "NOT")) {
        is_negated = !is_negated; /* NOT NOT x is x, for NULL too */
        err = next(parser);
    }
    const struct sql_condition *inner = NULL;
    if (!err)
        err = parse_test(parser, &inner);
    parser->depth--;
    return err ? err : negate(parser, is_negated, (struct sql_condition *)inner, ret);
}

static enum err parse_chain(struct parser *parser, enum sql_node kind, const struct sql_condition **ret)
{
    const struct sql_condition *left = NULL, *right = NULL;
    enum err err = kind == SQL_NODE_OR ? parse_chain(parser, SQL_NODE_AND, &left) : parse_not(parser, &left);
    while (!err && is_word(parser, kind == SQL_NODE_OR ? "OR" : "AND")) {
        struct sql_condition *node = new_node(parser, kind);
        err = node ? next(parser) : ERR_NO_MEMORY;
        if (!err)
            err = kind == SQL_NODE_OR ? parse_chain(parser, SQL_NODE_AND, &right) : parse_not(parser, &right);
        if (err)
            break;
        node->a = left;
        node->b = right;
        left = node;
    }
    if (!err)
        *ret = left;
    return err;
}

static enum err parse_or(struct parser *parser, const struct sql_condition **ret)
{
    return parse_chain(parser, SQL_NODE_OR, ret);
}

enum err sql_condition_parse(struct arena *arena, struct str text, const struct sql_column *columns, size_t n_columns, struct diag *diag,
    const struct sql_condition **ret_condition)
{
    struct parser parser = {.arena = arena, .text = text, .columns = columns, .n_columns = n_columns, .diag = diag};
    const struct sql_condition *condition = NULL;
    if (text.len > SQL_CONDITION_MAX)
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the condition has %zu bytes; %d are allowed", text.len, SQL_CONDITION_MAX);
    enum err err = next(&parser);
    if (!err)
        err = parse_or(&parser, &condition);
    if (!err && parser.token != TOKEN_END)
        err =
            diag_set(diag, ERR_SYNTAX, NULL, 0, PLACE "the condition is whole before here; join its parts with AND or OR", parser.from + 1);
    struct sql_condition *whole = err ? NULL : arena_alloc(arena, sizeof *whole);
    if (!err && !whole)
        err = ERR_NO_MEMORY;
    if (!err) {
        *whole = *condition;
        err = arena_copy_str(arena, text, &whole->source);
    }
    if (!err)
        *ret_condition = whole;
    return err;
}

struct str sql_condition_source(const struct sql_condition *condition)
{
    return condition->source;
}

/* ---- looking into one ---- */

uint64_t sql_condition_columns(const struct sql_condition *condition)
{
    if (!condition)
        return 0;
    if (condition->kind == SQL_NODE_AND || condition->kind == SQL_NODE_OR || condition->kind == SQL_NODE_NOT)
        return sql_condition_columns(condition->a) | sql_condition_columns(condition->b);
    uint64_t columns = UINT64_C(1) << (condition->left.column & 63);
    if (condition->kind == SQL_NODE_COMPARE && condition->right.is_column)
        columns |= UINT64_C(1) << (condition->right.column & 63);
    return columns;
}

const struct value *sql_condition_fixed(const struct sql_condition *condition, uint16_t column)
{
    if (!condition)
        return NULL;
    if (condition->kind == SQL_NODE_AND) {
        const struct value *value = sql_condition_fixed(condition->a, column);
        return value ? value : sql_condition_fixed(condition->b, column);
    }
    bool is_fixed =
        condition->kind == SQL_NODE_COMPARE && condition->op == SQL_EQ && !condition->right.is_column && condition->left.column == column;
    return is_fixed ? &condition->right.literal : NULL;
}
