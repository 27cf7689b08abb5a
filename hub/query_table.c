/*
 * A resource as a virtual table of SQLite: which constraints, orders and limits a department can be asked with, and what that costs, so
 * that a small table drives a join. SQLite checks every constraint again (omit is never set): what is pushed only makes the answer smaller.
 */
#include "hub/query_parts.h"

#include <stdio.h>
#include <string.h>

#define TRIP_COST 50.0 /* of one asking, in rows */
#define ROWS_UNKNOWN 100000

struct table_vtab {
    sqlite3_vtab base; /* first */
    struct query_table *table;
};

static int code_of(enum err err)
{
    return err == ERR_NO_MEMORY ? SQLITE_NOMEM : err == ERR_CANCELLED ? SQLITE_INTERRUPT : SQLITE_ERROR;
}

/* ---- the table ---- */

/* Names that give the type back with sqlite3_column_decltype(), and the affinity that its values have. */
static const char *declared_type(enum value_type type)
{
    static const char *const types[] = {[VALUE_NULL] = "BLOB",
        [VALUE_BOOLEAN] = "BOOLEAN_INT",
        [VALUE_INTEGER] = "INTEGER",
        [VALUE_REAL] = "REAL",
        [VALUE_TEXT] = "TEXT",
        [VALUE_TIME] = "TIME_INT",
        [VALUE_BYTES] = "BLOB"};
    return types[type];
}

static int connect_table(sqlite3 *db, void *context, int argc, const char *const *argv, sqlite3_vtab **ret, char **error)
{
    struct query_table *table = context;
    struct buf sql;
    buf_init(&sql, 1u << 16);
    buf_append_c(&sql, "CREATE TABLE x(");
    for (size_t i = 0; i < table->n_columns; i++)
        buf_printf(&sql, "%s\"" STR_FORMAT "\" %s", i ? ", " : "", STR_ARG(table->columns[i].name), declared_type(table->columns[i].type));
    buf_append(&sql, ")", 2); /* with the NUL */
    struct table_vtab *vtab = sql.err ? NULL : sqlite3_malloc(sizeof *vtab);
    bool was_own = table->query->is_own;
    table->query->is_own = true; /* the authorizer would refuse a CREATE TABLE */
    int code = vtab ? sqlite3_declare_vtab(db, sql.ptr) : SQLITE_NOMEM;
    table->query->is_own = was_own;
    buf_finish(&sql);
    if (code != SQLITE_OK) {
        sqlite3_free(vtab);
        return code;
    }
    *vtab = (struct table_vtab){.table = table};
    *ret = &vtab->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *vtab)
{
    sqlite3_free(vtab);
    return SQLITE_OK;
}

/* ---- planning ---- */

static struct query_plan *new_plan(struct query_table *table, int *ret_number)
{
    struct query *query = table->query;
    if (query->n_plans == query->cap_plans) {
        size_t cap = query->cap_plans ? 2 * query->cap_plans : 32;
        struct query_plan **plans = arena_alloc(&query->arena, cap * sizeof(struct query_plan *));
        if (!plans)
            return NULL;
        if (query->n_plans)
            memcpy(plans, query->plans, query->n_plans * sizeof(struct query_plan *));
        query->plans = plans;
        query->cap_plans = cap;
    }
    struct query_plan *plan = arena_alloc_zero(&query->arena, 1, sizeof *plan);
    if (!plan)
        return NULL;
    plan->table = table;
    *ret_number = (int)query->n_plans;
    query->plans[query->n_plans++] = plan;
    return plan;
}

static bool can_push(const struct query_table *table, sqlite3_index_info *info, int at)
{
    int column = info->aConstraint[at].iColumn, op = info->aConstraint[at].op;
    if (column < 0 || (size_t)column >= table->n_columns)
        return false;
    enum value_type type = table->columns[column].type;
    switch (op) {
    case SQLITE_INDEX_CONSTRAINT_ISNULL:
        return true;
    case SQLITE_INDEX_CONSTRAINT_ISNOTNULL: /* SQLite 3.40 hands these over also when they stand in the ON of a table to the right */
        return !table->query->has_outer_join;
    case SQLITE_INDEX_CONSTRAINT_EQ:
        break;
    case SQLITE_INDEX_CONSTRAINT_GT:
    case SQLITE_INDEX_CONSTRAINT_GE:
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_LE:
        if (type == VALUE_BYTES || type == VALUE_BOOLEAN)
            return false;
        break;
    case SQLITE_INDEX_CONSTRAINT_LIKE:
    case SQLITE_INDEX_CONSTRAINT_GLOB:
        return type == VALUE_TEXT && !table->query->has_outer_join;
    default:
        return false;
    }
    /* SQLite 3.40 makes one IN of "t COLLATE NOCASE = 'x' OR t = 'y'" and says that it is BINARY. */
    if (type == VALUE_TEXT && table->query->has_collate && op == SQLITE_INDEX_CONSTRAINT_EQ && sqlite3_vtab_in(info, at, -1))
        return false;
    return type != VALUE_TEXT || sqlite3_stricmp(sqlite3_vtab_collation(info, at), "BINARY") == 0;
}

/* How much of the rows a constraint leaves; guessed, as databases guess it that keep no statistics. */
static double left_by(const struct query_table *table, const struct query_arg *arg, double rows)
{
    const struct hub_field *field = &table->entry->resource.fields[table->fields[arg->column]];
    size_t n_keys = 0;
    for (size_t i = 0; i < table->entry->resource.n_fields; i++)
        n_keys += table->entry->resource.fields[i].is_key;
    switch (arg->op) {
    case SQLITE_INDEX_CONSTRAINT_EQ: {
        double one = field->is_key && n_keys == 1 ? 1 : field->is_key ? rows / 1000 : rows / 20;
        return arg->is_in ? (one < 1 ? 1 : one) * 10 : one;
    }
    case SQLITE_INDEX_CONSTRAINT_LIKE:
    case SQLITE_INDEX_CONSTRAINT_GLOB:
        return rows / 10;
    case SQLITE_INDEX_CONSTRAINT_ISNULL:
        return rows / 20;
    case SQLITE_INDEX_CONSTRAINT_ISNOTNULL:
        return rows;
    default:
        return rows / 3;
    }
}

/* True: all of the order can be had, and SQLite is told so. */
static bool take_order(struct query_plan *plan, sqlite3_index_info *info)
{
    const struct query_table *table = plan->table;
    if (info->nOrderBy > QUERY_ORDER_MAX)
        return false;
    for (size_t i = 0; i < plan->n_args; i++)
        if (plan->args[i].is_in && info->nOrderBy > 0)
            return false; /* batches of keys would break it */
    for (int i = 0; i < info->nOrderBy; i++) {
        int column = info->aOrderBy[i].iColumn;
        if (column < 0 || (size_t)column >= table->n_columns || table->columns[column].type == VALUE_BYTES)
            return false;
    }
    for (int i = 0; i < info->nOrderBy; i++)
        plan->order[i] = (struct sql_order){table->fields[info->aOrderBy[i].iColumn], info->aOrderBy[i].desc};
    plan->n_order = (size_t)info->nOrderBy;
    info->orderByConsumed = info->nOrderBy > 0;
    return true;
}

static void add_arg(struct query_plan *plan, sqlite3_index_info *info, int at, bool is_in)
{
    sqlite3_value *value;
    plan->args[plan->n_args++] = (struct query_arg){
        .column = (uint16_t)info->aConstraint[at].iColumn,
        .op = info->aConstraint[at].op,
        .is_in = is_in,
        .is_constant = sqlite3_vtab_rhs_value(info, at, &value) == SQLITE_OK,
    };
    info->aConstraintUsage[at].argvIndex = (int)plan->n_args;
}

static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    struct query_table *table = ((struct table_vtab *)vtab)->table;
    struct query_plan *plan = new_plan(table, &info->idxNum);
    if (!plan)
        return SQLITE_NOMEM;
    plan->columns = info->colUsed;
    if (!table->is_decided) { /* the authorizer is not asked for the columns of a USING */
        table->read |= info->colUsed & (table->n_columns < 64 ? (UINT64_C(1) << table->n_columns) - 1 : UINT64_MAX);
        table->is_used = true;
    }
    double rows = table->n_rows < 0 ? ROWS_UNKNOWN : (double)table->n_rows;
    bool is_whole = true, has_join_key = false;
    int limit = -1, offset = -1;
    for (int i = 0; i < info->nConstraint && table->entry; i++) {
        int op = info->aConstraint[i].op;
        if (op == SQLITE_INDEX_CONSTRAINT_LIMIT || op == SQLITE_INDEX_CONSTRAINT_OFFSET) {
            is_whole = is_whole && info->aConstraint[i].usable;
            *(op == SQLITE_INDEX_CONSTRAINT_LIMIT ? &limit : &offset) = i;
        } else if (!info->aConstraint[i].usable || plan->n_args >= QUERY_ARGS_MAX - 2 || !can_push(table, info, i)) {
            is_whole = false;
        } else {
            bool is_in = op == SQLITE_INDEX_CONSTRAINT_EQ && sqlite3_vtab_in(info, i, -1);
            if (is_in)
                sqlite3_vtab_in(info, i, 1); /* the whole set at once */
            add_arg(plan, info, i, is_in);
            const struct query_arg *arg = &plan->args[plan->n_args - 1];
            is_whole = is_whole && op != SQLITE_INDEX_CONSTRAINT_LIKE && op != SQLITE_INDEX_CONSTRAINT_GLOB;
            has_join_key = has_join_key || (op == SQLITE_INDEX_CONSTRAINT_EQ && !is_in && !arg->is_constant);
            rows = left_by(table, arg, rows);
        }
    }
    if (limit >= 0 && is_whole && !table->query->needs_all && take_order(plan, info)) {
        add_arg(plan, info, limit, false);
        if (offset >= 0)
            add_arg(plan, info, offset, false);
    }
    rows = rows < 1 ? 1 : rows;
    info->estimatedRows = (sqlite3_int64)rows;
    info->estimatedCost = (has_join_key ? 2.0 : TRIP_COST) + rows; /* keys of a join go in batches, a thousand to an asking */
    return SQLITE_OK;
}

/* ---- reading ---- */

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **ret)
{
    struct query_table *table = ((struct table_vtab *)vtab)->table;
    struct query_cursor *cursor = sqlite3_malloc(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    *cursor = (struct query_cursor){.table = table, .next = table->query->cursors};
    table->query->cursors = cursor;
    *ret = &cursor->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    struct query_cursor *cursor = (struct query_cursor *)base;
    struct query_cursor **at = &cursor->table->query->cursors;
    while (*at != cursor)
        at = &(*at)->next;
    *at = cursor->next;
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv)
{
    struct query_cursor *cursor = (struct query_cursor *)base;
    cursor->plan = cursor->table->query->plans[number];
    if (!cursor->table->entry) {
        cursor->set = cursor->table->given;
        cursor->is_keyed = false;
        cursor->at = cursor->set->n_entries > 0;
        return SQLITE_OK;
    }
    enum err err = query_serve(cursor, argv);
    return err ? code_of(err) : SQLITE_OK;
}

static int next_row(sqlite3_vtab_cursor *base)
{
    enum err err = query_advance((struct query_cursor *)base);
    return err ? code_of(err) : SQLITE_OK;
}

static int is_at_end(sqlite3_vtab_cursor *base)
{
    return ((struct query_cursor *)base)->at == 0;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int at)
{
    struct query_cursor *cursor = (struct query_cursor *)base;
    uint16_t field = cursor->table->entry ? cursor->table->fields[at] : (uint16_t)at;
    if (!cursor->set->places[field])
        return SQLITE_OK; /* not read by the statement */
    struct value value = cursor->set->entries[cursor->at - 1].values[cursor->set->places[field] - 1];
    switch (value.type) {
    case VALUE_NULL:
        break;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        sqlite3_result_int64(context, value.i);
        break;
    case VALUE_REAL:
        sqlite3_result_double(context, value.r);
        break;
    case VALUE_TEXT: /* what was fetched lives until the statement is gone */
        sqlite3_result_text(context, value.s.ptr ? value.s.ptr : "", (int)value.s.len, SQLITE_STATIC);
        break;
    case VALUE_BYTES:
        sqlite3_result_blob(context, value.s.ptr ? value.s.ptr : "", (int)value.s.len, SQLITE_STATIC);
        break;
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    struct query_cursor *cursor = (struct query_cursor *)base;
    uint64_t id = query_set_rowid(cursor->set, cursor->at - 1);
    *ret = (sqlite3_int64)id;
    return id ? SQLITE_OK : SQLITE_NOMEM;
}

/* Without xCreate: a table that is there by its module's name. */
static const sqlite3_module module = {
    .iVersion = 1,
    .xConnect = connect_table,
    .xBestIndex = best_index,
    .xDisconnect = disconnect_table,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next_row,
    .xEof = is_at_end,
    .xColumn = column,
    .xRowid = rowid,
};

enum err query_table_register(struct query_table *table)
{
    char name[HUB_NAME_MAX];
    enum err err = str_to_c(table->name, name, sizeof name);
    if (!err && sqlite3_create_module_v2(table->query->db, name, &module, table, NULL) != SQLITE_OK)
        err = ERR_NO_MEMORY;
    return err;
}
