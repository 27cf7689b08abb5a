/*
 * What SQLite asks of a virtual table, served with as few askings of the department as can be.
 *
 * Left alone SQLite asks a virtual table once for each outer row of a join. Here the second such asking shows which of its values change
 * and in which field of another table's current row they stand; from then on the keys of up to 1,024 coming rows are asked for at once, and
 * the next askings find their rows here. A wrong guess costs an asking, never a row: what is kept for a key is what the department
 * answers for that key, and SQLite checks every row again. When no field is seen to hold the keys (a join on an expression), a table of
 * moderate size is fetched whole; the number of askings, rows and bytes of a query is bounded in any case.
 */
#include "hub/query_parts.h"

#include <string.h>

/* ---- what is asked ---- */

struct asked { /* the values of one xFilter, typed */
    struct sql_constraint where[QUERY_ARGS_MAX];
    struct value values[QUERY_ARGS_MAX];
    uint32_t pushed; /* arguments that are in `where` */
    bool is_empty, is_exact;
    int64_t limit; /* < 0: none; with what OFFSET skips */
};

static uint8_t op_of(int op)
{
    switch (op) {
    case SQLITE_INDEX_CONSTRAINT_GT:
        return SQL_GT;
    case SQLITE_INDEX_CONSTRAINT_GE:
        return SQL_GE;
    case SQLITE_INDEX_CONSTRAINT_LT:
        return SQL_LT;
    case SQLITE_INDEX_CONSTRAINT_LE:
        return SQL_LE;
    case SQLITE_INDEX_CONSTRAINT_ISNULL:
        return SQL_IS_NULL;
    case SQLITE_INDEX_CONSTRAINT_ISNOTNULL:
        return SQL_NOT_NULL;
    case SQLITE_INDEX_CONSTRAINT_LIKE:
    case SQLITE_INDEX_CONSTRAINT_GLOB:
        return SQL_PREFIX;
    default:
        return SQL_EQ;
    }
}

/* IN (…): all of its values that a row can have. */
static enum err read_set(
    struct query_cursor *cursor, size_t at, enum value_type type, sqlite3_value *list, struct asked *asked, bool *ret_is)
{
    struct arena *arena = &cursor->table->query->arena;
    struct value *values = NULL;
    size_t n = 0, cap = 0;
    sqlite3_value *item;
    *ret_is = true;
    for (int code = sqlite3_vtab_in_first(list, &item); code == SQLITE_OK && item; code = sqlite3_vtab_in_next(list, &item)) {
        uint8_t op = SQL_EQ;
        struct value value;
        enum fit fit = query_fit_value(type, item, &op, &value);
        if (fit == IS_EMPTY)
            continue;
        if (fit == IS_OTHER) {
            *ret_is = false;
            return ERR_OK;
        }
        if (n == cap) {
            struct value *more = arena_alloc(arena, (cap ? 2 * cap : 64) * sizeof *more);
            if (!more)
                return query_fail(cursor->table->query, ERR_TOO_LARGE, "a list of more values than a query may hold");
            if (n)
                memcpy(more, values, n * sizeof *more);
            values = more;
            cap = cap ? 2 * cap : 64;
        }
        if (value_copy(arena, value, &values[n++]))
            return query_fail(cursor->table->query, ERR_TOO_LARGE, "a list of more values than a query may hold");
    }
    asked->is_empty = asked->is_empty || n == 0;
    asked->where[at].op = SQL_IN;
    asked->where[at].values = values;
    asked->where[at].n_values = n;
    return ERR_OK;
}

/* LIKE and GLOB up to their first sign that is not itself. */
static struct str literal_start(struct str pattern, int op)
{
    size_t n = 0;
    const char *signs = op == SQLITE_INDEX_CONSTRAINT_GLOB ? "*?[" : "%_";
    while (n < pattern.len && !strchr(signs, pattern.ptr[n]))
        n++;
    return str_slice(pattern, 0, n);
}

static enum err read_argument(struct query_cursor *cursor, size_t at, sqlite3_value *from, struct asked *asked)
{
    const struct query_arg *arg = &cursor->plan->args[at];
    if (arg->op == SQLITE_INDEX_CONSTRAINT_LIMIT || arg->op == SQLITE_INDEX_CONSTRAINT_OFFSET) {
        int64_t n = sqlite3_value_int64(from);
        bool is_limit = arg->op == SQLITE_INDEX_CONSTRAINT_LIMIT;
        if (is_limit && sqlite3_value_type(from) == SQLITE_INTEGER && n >= 0 && n <= QUERY_FETCH_ROWS_MAX)
            asked->limit = n;
        else if (!is_limit && asked->limit >= 0 && n > 0)
            asked->limit = n <= QUERY_FETCH_ROWS_MAX ? asked->limit + n : -1;
        return ERR_OK;
    }
    struct sql_constraint *where = &asked->where[at];
    enum value_type type = cursor->table->columns[arg->column].type;
    bool is_pushed = true;
    *where = (struct sql_constraint){.column = cursor->table->fields[arg->column], .op = op_of(arg->op), .n_values = 1};
    if (arg->is_in) {
        enum err err = read_set(cursor, at, type, from, asked, &is_pushed);
        if (err)
            return err;
    } else if (where->op == SQL_IS_NULL || where->op == SQL_NOT_NULL) {
        where->n_values = 0;
    } else {
        enum fit fit = query_fit_value(type, from, &where->op, &asked->values[at]);
        if (where->op == SQL_PREFIX && fit == FITS)
            asked->values[at].s = literal_start(asked->values[at].s, arg->op);
        if (where->op == SQL_PREFIX && asked->values[at].s.len == 0)
            fit = fit == FITS ? IS_OTHER : fit;
        where->values = &asked->values[at];
        asked->is_empty = asked->is_empty || fit == IS_EMPTY;
        is_pushed = fit == FITS;
    }
    if (is_pushed)
        asked->pushed |= UINT32_C(1) << at;
    else
        asked->is_exact = false;
    return ERR_OK;
}

static bool same_constraint(const struct sql_constraint *a, const struct sql_constraint *b)
{
    if (a->column != b->column || a->op != b->op || a->n_values != b->n_values)
        return false;
    for (size_t i = 0; i < a->n_values; i++)
        if (!value_equal(a->values[i], b->values[i]))
            return false;
    return true;
}

/* The arguments in which this asking differs from what a set was asked with; its key aside. */
static uint32_t differing(const struct query_set *set, const struct query_plan *plan, const struct asked *asked)
{
    uint32_t differ = 0;
    size_t k = 0;
    for (size_t i = 0; i < plan->n_args; i++) {
        bool is_in_set = set->args >> i & 1, is_asked = asked->pushed >> i & 1;
        if (is_in_set && !(is_asked && same_constraint(&set->where[k], &asked->where[i])))
            differ |= UINT32_C(1) << i;
        k += is_in_set;
    }
    return differ;
}

/* ---- where keys come from ---- */

/* Fields of the other tables' current rows that hold the value; of those seen before, when some still do. */
static void see_sources(const struct query_cursor *cursor, size_t arg, enum value_type type, struct value value)
{
    struct query_source *sources = cursor->plan->sources[arg], seen[HUB_QUERY_TABLES_MAX] = {0}, still[HUB_QUERY_TABLES_MAX] = {0};
    size_t n = 0, n_still = 0;
    for (const struct query_cursor *c = cursor->table->query->cursors; c && n < HUB_QUERY_TABLES_MAX; c = c->next) {
        if (c == cursor || !c->at || !c->set || !c->table->entry || c->plan == cursor->plan)
            continue;
        const struct value *row = c->set->entries[c->at - 1].values;
        seen[n].plan = c->plan;
        for (size_t i = 0; i < c->set->n_outputs; i++) {
            struct value key;
            if (query_fit_key(type, row[i], &key) && value_equal(key, value))
                seen[n].columns |= UINT64_C(1) << i;
        }
        n += seen[n].columns != 0;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < HUB_QUERY_TABLES_MAX; j++)
            if (sources[j].plan == seen[i].plan && (sources[j].columns & seen[i].columns))
                still[n_still++] = (struct query_source){seen[i].plan, seen[i].columns & sources[j].columns};
    if (n < HUB_QUERY_TABLES_MAX)
        seen[n] = (struct query_source){0};
    memcpy(sources, n_still ? still : seen, sizeof seen);
}

/* The keys of the coming rows of the source, into `keys` from *n on; each gets its slot. */
static enum err foresee(const struct query_cursor *cursor, struct query_set *set, enum value_type type, struct value *keys, size_t *n)
{
    const struct query_source *source = &cursor->plan->sources[set->key_arg][0];
    const struct query_cursor *outer = cursor->table->query->cursors;
    while (outer && (outer->plan != source->plan || !outer->at || !outer->set))
        outer = outer->next;
    if (!source->plan || !outer)
        return ERR_OK;
    size_t place = (size_t)__builtin_ctzll(source->columns), n_entries = outer->set->n_entries;
    for (size_t i = 0; i < n_entries && *n < SQL_IN_MAX; i++) {
        struct value key;
        if (!query_fit_key(type, outer->set->entries[(outer->at - 1 + i) % n_entries].values[place], &key) ||
            query_key_slot(set, key, false))
            continue;
        if (!query_key_slot(set, key, true))
            return query_fail(cursor->table->query, ERR_NO_MEMORY, "no memory");
        keys[(*n)++] = key;
    }
    return ERR_OK;
}

/* ---- serving ---- */

/* A set that will be asked with the arguments `args` of this asking. */
static enum err make_set(struct query_cursor *cursor, const struct asked *asked, uint32_t args, int key_arg, struct query_set **ret_set)
{
    struct query_table *table = cursor->table;
    struct query_plan *plan = cursor->plan;
    struct arena *arena = &table->query->arena;
    struct query_set *set = query_set_new(table);
    struct sql_constraint *where = arena_alloc(arena, (QUERY_ARGS_MAX + 1) * sizeof *where);
    if (!set || !where)
        return query_fail(table->query, ERR_NO_MEMORY, "no memory");
    for (size_t i = 0; i < plan->n_args; i++) {
        if (!(args >> i & 1))
            continue;
        struct value *values = arena_alloc(arena, (asked->where[i].n_values + 1) * sizeof *values);
        if (!values)
            return query_fail(table->query, ERR_NO_MEMORY, "no memory");
        for (size_t j = 0; j < asked->where[i].n_values; j++)
            if (value_copy(arena, asked->where[i].values[j], &values[j]))
                return query_fail(table->query, ERR_NO_MEMORY, "no memory");
        where[set->n_where] = asked->where[i];
        where[set->n_where++].values = values;
    }
    set->where = where;
    set->args = args;
    set->order = plan->order;
    set->n_order = plan->n_order;
    set->key_arg = key_arg;
    uint64_t wanted = plan->columns & table->read;
    if (key_arg >= 0) {
        wanted |= UINT64_C(1) << plan->args[key_arg].column;
        set->key = table->fields[plan->args[key_arg].column];
    }
    for (size_t i = 0; i < table->n_columns; i++)
        if (wanted >> i & 1) {
            set->outputs[set->n_outputs] = (struct sql_output){.column = table->fields[i]};
            set->places[table->fields[i]] = (uint8_t)++set->n_outputs;
        }
    if (set->n_outputs == 0) { /* only that there is a row */
        set->outputs[set->n_outputs++] = (struct sql_output){.column = table->used_ats[0]};
        set->places[table->used_ats[0]] = 1;
    }
    *ret_set = set;
    return ERR_OK;
}

/* Asks with a set's constraints and one more; a list that is too long for one asking goes in several. */
static enum err ask(struct query_set *set, const struct sql_constraint *more, int64_t limit)
{
    struct sql_constraint where[QUERY_ARGS_MAX + 1];
    size_t n = set->n_where, n_long = 0, at_long = 0;
    memcpy(where, set->where, n * sizeof *where);
    if (more)
        where[n++] = *more;
    for (size_t i = 0; i < n;) {
        if (where[i].op == SQL_IN && where[i].n_values > SQL_IN_MAX) {
            if (n_long++ > 0) { /* one long list is enough; SQLite checks the other */
                where[i] = where[--n];
                continue;
            }
            at_long = i;
        }
        i++;
    }
    size_t n_values = n_long ? where[at_long].n_values : 1;
    const struct value *values = n_long ? where[at_long].values : NULL;
    for (size_t from = 0; from < n_values; from += SQL_IN_MAX) {
        if (n_long) {
            where[at_long].values = values + from;
            where[at_long].n_values = n_values - from < SQL_IN_MAX ? n_values - from : SQL_IN_MAX;
        }
        const struct query_asking asking = {.outputs = set->outputs,
            .n_outputs = set->n_outputs,
            .where = where,
            .n_where = n,
            .order = set->order,
            .n_order = set->n_order,
            .limit = n_long ? -1 : limit};
        struct rows *rows;
        enum err err = query_fetch(set->table, &asking, &rows);
        if (!err)
            err = query_set_add(set, rows);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* The rows of one key: kept, or asked for together with those that will come next. */
static enum err serve_key(struct query_cursor *cursor, struct query_set *set, struct value key)
{
    struct query *query = cursor->table->query;
    struct query_key *slot = query_key_slot(set, key, false);
    if (!slot && set->is_complete) {
        cursor->set = set;
        return ERR_OK; /* at the end */
    }
    if (!slot) {
        enum value_type type = cursor->table->entry->resource.columns[set->key].type;
        struct value keys[SQL_IN_MAX];
        size_t n = 1;
        see_sources(cursor, (size_t)set->key_arg, type, key);
        enum err err = value_copy(&query->arena, key, &keys[0]) ? ERR_NO_MEMORY : ERR_OK;
        if (err || !query_key_slot(set, keys[0], true))
            return query_fail(query, ERR_NO_MEMORY, "no memory");
        err = foresee(cursor, set, type, keys, &n);
        cursor->plan->n_singles += n == 1;
        const struct sql_constraint in = {.column = set->key, .op = n == 1 ? SQL_EQ : SQL_IN, .n_values = n, .values = keys};
        if (!err)
            err = ask(set, &in, -1);
        if (err)
            return err;
        slot = query_key_slot(set, key, false);
    }
    cursor->set = set;
    cursor->is_keyed = true;
    cursor->at = slot->first;
    return ERR_OK;
}

static void serve_whole(struct query_cursor *cursor, struct query_set *set)
{
    cursor->set = set;
    cursor->is_keyed = false;
    cursor->at = set->n_entries > 0;
}

/* Which of the changing arguments is the key: one that is a key of the resource, else the first. -1: none. */
static int choose_key(const struct query_cursor *cursor, const struct asked *asked)
{
    const struct query_plan *plan = cursor->plan;
    int found = -1;
    for (size_t i = 0; i < plan->n_args; i++) {
        if (!(plan->varying & asked->pushed & (UINT32_C(1) << i)) || asked->where[i].op != SQL_EQ)
            continue;
        bool is_key = cursor->table->entry->resource.fields[asked->where[i].column].is_key;
        if (found < 0 || (is_key && !cursor->table->entry->resource.fields[asked->where[found].column].is_key))
            found = (int)i;
    }
    return found;
}

/* Nobody can tell which keys come next: is the table small enough to be had whole? */
static bool can_be_whole(struct query_cursor *cursor)
{
    if (cursor->plan->n_singles <= QUERY_SINGLES_MAX)
        return false;
    query_estimate(cursor->table);
    return cursor->table->n_rows >= 0 && cursor->table->n_rows <= QUERY_WHOLE_MAX;
}

static enum err serve_new(struct query_cursor *cursor, const struct asked *asked)
{
    struct query_plan *plan = cursor->plan;
    struct query_set *set = NULL;
    for (size_t i = 0; i < plan->n_args; i++) /* the first asking is looked at too: the second tells then which field it was */
        if ((asked->pushed >> i & 1) && asked->where[i].op == SQL_EQ)
            see_sources(cursor, i, cursor->table->columns[plan->args[i].column].type, asked->values[i]);
    int key = plan->varying ? choose_key(cursor, asked) : -1;
    bool is_whole = plan->varying && can_be_whole(cursor);
    if (cursor->table->query->refusal.err)
        return cursor->table->query->refusal.err;
    enum err err = make_set(cursor, asked, key >= 0 || is_whole ? asked->pushed & ~plan->varying : asked->pushed, key, &set);
    if (err)
        return err;
    set->is_complete = is_whole;
    if (key >= 0 && !is_whole) {
        plan->set = set;
        return serve_key(cursor, set, asked->values[key]);
    }
    plan->n_singles++;
    bool is_limited = asked->limit >= 0 && asked->is_exact && !is_whole;
    err = ask(set, NULL, is_limited ? asked->limit : -1);
    if (err)
        return err;
    plan->set = set;
    set->limit = is_limited ? asked->limit : -1;
    if (key >= 0)
        return serve_key(cursor, set, asked->values[key]);
    serve_whole(cursor, set);
    return ERR_OK;
}

enum err query_serve(struct query_cursor *cursor, sqlite3_value **argv)
{
    struct query_plan *plan = cursor->plan;
    struct asked asked = {.is_exact = true, .limit = -1};
    cursor->at = 0;
    cursor->set = NULL;
    uint64_t declared = cursor->table->n_columns < 64 ? (UINT64_C(1) << cursor->table->n_columns) - 1 : UINT64_MAX;
    if (!cursor->table->contract || (plan->columns & declared & ~cursor->table->read))
        return query_fail(cursor->table->query, ERR_DENIED, "a field would be read that was not decided on");
    for (size_t i = 0; i < plan->n_args; i++) {
        enum err err = read_argument(cursor, i, argv[i], &asked);
        if (err)
            return err;
    }
    if (asked.is_empty)
        return ERR_OK;
    struct query_set *set = plan->set;
    if (!set)
        return serve_new(cursor, &asked);
    plan->varying |= differing(set, plan, &asked);
    if (set->limit >= 0 || differing(set, plan, &asked))
        return serve_new(cursor, &asked);
    if (set->key_arg < 0) {
        serve_whole(cursor, set);
        return ERR_OK;
    }
    if (!(asked.pushed >> set->key_arg & 1) || (!set->is_complete && can_be_whole(cursor)))
        return serve_new(cursor, &asked);
    return serve_key(cursor, set, asked.values[set->key_arg]);
}

enum err query_advance(struct query_cursor *cursor)
{
    const struct query_set *set = cursor->set;
    if (cursor->is_keyed)
        cursor->at = set->entries[cursor->at - 1].next;
    else
        cursor->at = cursor->at < set->n_entries ? cursor->at + 1 : 0;
    /* SQLite hands a LIMIT over also when it filters by a condition that it does not hand over (a field compared with another of the same
     * row). It shows here, when it goes on past the last row. */
    if (!cursor->at && set->limit >= 0 && (int64_t)set->n_entries >= set->limit) {
        cursor->table->query->needs_all = true;
        return query_fail(cursor->table->query, ERR_STATE, "once again without the limit");
    }
    return ERR_OK;
}
