/*
 * Statistics-only contracts (min_subjects: k). The contract's text and boolean fields part the rows into cells; cells of fewer than k rows
 * are left out, once for all, and whatever is asked is answered from the others. So each answer is made of whole cells of at least k, and
 * so is each difference of two answers: a tracker finds nothing to subtract, and no refusal depends on what was asked before. The cells are
 * taken once a day (the hub's zone), so that asking again and again does not show a row coming. All this holds for one set of cells: while
 * a second such contract would part the same rows otherwise, neither is answered; and one that comes after another on the same day, with
 * other cells, waits for the next (hub/query_day.c).
 *
 * k counts people: rows, or, where the resource has a `subject:`, its distinct values.
 *
 * Numbers are figures, not conditions: sum, avg, total and count of them, and of a cell only where at least k rows have one. What this does
 * not hide is in docs/query.md.
 */
#include "base/mem.h"
#include "hub/query_parts.h"

#include <stdio.h>
#include <string.h>

#define CELLS_MAX 20000 /* of one contract: kept in memory */

struct hub_statistic {
    const struct hub_contract *contract;
    int64_t day;
    struct rows *rows; /* dimensions, count(*), then sum and count of each number; in the order of the contract's fields */
    struct hub_statistic *next;
};

static bool is_dimension(enum value_type type)
{
    return type == VALUE_TEXT || type == VALUE_BOOLEAN;
}

static bool is_figure(enum value_type type)
{
    return type == VALUE_INTEGER || type == VALUE_REAL;
}

/* ---- the cells ---- */

struct layout { /* of a row of cells */
    struct sql_output outputs[3 * HUB_FIELDS_MAX];
    size_t n_outputs, n_dimensions, first_figure;
    bool has_subject; /* behind count(*) stands how many people these rows are about */
};

static void lay_out(const struct hub_contract *contract, struct layout *layout)
{
    const struct hub_field *fields = contract->entry->resource.fields;
    *layout = (struct layout){0};
    for (size_t i = 0; i < contract->terms.n_fields; i++)
        if (is_dimension(fields[contract->field_ats[i]].type))
            layout->outputs[layout->n_outputs++] = (struct sql_output){contract->field_ats[i], SQL_PLAIN};
    layout->n_dimensions = layout->n_outputs;
    layout->outputs[layout->n_outputs++] = (struct sql_output){0, SQL_COUNT_ALL};
    const struct hub_field *subject = contract->entry->resource.subject;
    layout->has_subject = subject != NULL;
    if (subject)
        layout->outputs[layout->n_outputs++] = (struct sql_output){(uint16_t)(subject - fields), SQL_COUNT_DISTINCT};
    layout->first_figure = layout->n_outputs;
    for (size_t i = 0; i < contract->terms.n_fields; i++)
        if (is_figure(fields[contract->field_ats[i]].type)) {
            layout->outputs[layout->n_outputs++] = (struct sql_output){contract->field_ats[i], SQL_SUM};
            layout->outputs[layout->n_outputs++] = (struct sql_output){contract->field_ats[i], SQL_COUNT};
        }
}

/* Without the small ones; a figure that fewer than k people of a cell have is left out of it. How many have it is not asked: of D people
 * with N rows, of which C have the figure, at least D - (N - C) do. */
static enum err keep_cells(const struct layout *layout, const struct rows *all, int64_t k, struct rows **ret_rows)
{
    struct value values[3 * HUB_FIELDS_MAX];
    struct rows *rows;
    enum err err = rows_create(layout->n_outputs, QUERY_FETCH_BYTES_MAX, &rows);
    if (err)
        return err;
    for (size_t i = 0; i < rows_n(all) && !err; i++) {
        memcpy(values, rows_at(all, i), layout->n_outputs * sizeof *values);
        int64_t n_rows = values[layout->n_dimensions].i, n_people = layout->has_subject ? values[layout->n_dimensions + 1].i : n_rows;
        if (n_people < k)
            continue;
        for (size_t j = layout->first_figure; j < layout->n_outputs; j += 2)
            if (n_people - (n_rows - values[j + 1].i) < k) {
                values[j] = VALUE_NONE;
                values[j + 1] = value_integer(0);
            }
        err = rows_add(rows, values);
    }
    if (err)
        rows_release(rows);
    else
        *ret_rows = rows;
    return err;
}

bool hub_statistic_is_cells(const struct hub_contract *contract, const struct hub_fetch *fetch)
{
    struct layout layout;
    lay_out(contract, &layout);
    if (fetch->n_outputs != layout.n_outputs || fetch->n_where || fetch->also || fetch->n_order)
        return false;
    for (size_t i = 0; i < layout.n_outputs; i++) {
        struct sql_output asked = fetch->outputs[i], cell = layout.outputs[i];
        if (asked.aggregate != cell.aggregate || (cell.aggregate != SQL_COUNT_ALL && asked.column != cell.column))
            return false;
    }
    return true;
}

enum err hub_statistic_keep(const struct hub_contract *contract, const struct rows *all, struct rows **ret_rows)
{
    struct layout layout;
    lay_out(contract, &layout);
    return keep_cells(&layout, all, contract->terms.min_subjects, ret_rows);
}

static enum err take_cells(struct query_table *table, const struct layout *layout, struct rows **ret_rows)
{
    const struct query_asking asking = {
        .outputs = layout->outputs, .n_outputs = layout->n_outputs, .limit = CELLS_MAX, .why = "cells of the day"};
    struct rows *all;
    enum err err = query_fetch(table, &asking, &all);
    if (err)
        return err;
    if (rows_n(all) == CELLS_MAX)
        return query_fail(table->query, ERR_TOO_LARGE,
            STR_FORMAT ": the contract's fields part the rows into more than %d cells; fewer text fields are needed", STR_ARG(table->name),
            CELLS_MAX);
    err = keep_cells(layout, all, table->contract->terms.min_subjects, ret_rows);
    return err ? query_fail(table->query, err, "%s", err_text(err)) : ERR_OK;
}

static bool has_same_cells(const struct hub_contract *a, const struct hub_contract *b)
{
    return a->terms.n_fields == b->terms.n_fields && a->terms.min_subjects == b->terms.min_subjects && str_equal(a->rows, b->rows) &&
           memcmp(a->field_ats, b->field_ats, a->terms.n_fields * sizeof *a->field_ats) == 0;
}

/* Its own of the day, or those of a contract before it that parts the rows in the same way. */
static struct hub_statistic *find_kept(struct hub_statistics *all, const struct hub_contract *contract, int64_t day, bool is_own)
{
    struct hub_statistic *kept = all->first;
    for (; kept; kept = kept->next) {
        const struct hub_contract *other = kept->contract;
        if (is_own ? other == contract
                   : kept->rows && kept->day >= day && other->entry == contract->entry &&
                         str_equal(other->terms.consumer, contract->terms.consumer) && has_same_cells(other, contract))
            break;
    }
    return kept;
}

/* Its own place, made when there is none. NULL: no memory. Under the lock. */
static struct hub_statistic *own_kept(struct hub_statistics *all, const struct hub_contract *contract)
{
    struct hub_statistic *kept = find_kept(all, contract, 0, true);
    if (kept || !(kept = mem_alloc_zero(1, sizeof *kept)))
        return kept;
    *kept = (struct hub_statistic){.contract = contract, .next = all->first};
    all->first = kept;
    return kept;
}

/* Not under the lock: the department may be at a hub that just now asks us for cells of ours. */
static enum err own_cells(struct query_table *table, const struct layout *layout, int64_t day)
{
    struct rows *rows = NULL;
    enum err err = query_day_claim(table);
    if (!err)
        err = take_cells(table, layout, &rows);
    if (!err && hub_statistic_remember(table->contract, day, rows))
        err = query_fail(table->query, ERR_NO_MEMORY, "no memory");
    rows_release(rows);
    return err;
}

/* The day's cells, held for the query. One at a time: two first askings would see two states of the table. A clock that jumps back does
 * not take them anew. */
static enum err cells_of(struct query_table *table, const struct layout *layout, struct rows **ret_rows)
{
    struct query *query = table->query;
    struct hub_statistics *all = hub_query_statistics(query->hub);
    int64_t day = wall_day_number(query->now, query->hub->zone);
    enum err err = ERR_OK;
    pthread_mutex_lock(&all->lock);
    while (all->is_taking && !query_is_over(query)) {
        pthread_mutex_unlock(&all->lock);
        (void)!loop_run_once(query->loop, 5);
        pthread_mutex_lock(&all->lock);
    }
    struct hub_statistic *kept = find_kept(all, table->contract, day, false);
    if (!kept && all->is_taking) {
        err = query_engine_err(query, SQLITE_INTERRUPT);
    } else if (!kept) {
        all->is_taking = true;
        pthread_mutex_unlock(&all->lock);
        err = own_cells(table, layout, day);
        pthread_mutex_lock(&all->lock);
        all->is_taking = false;
        kept = err ? NULL : find_kept(all, table->contract, day, false);
    }
    if (kept)
        *ret_rows = rows_hold(kept->rows);
    pthread_mutex_unlock(&all->lock);
    return err;
}

void hub_statistics_finish(struct hub_statistics *statistics)
{
    for (struct hub_statistic *one = statistics->first, *next; one; one = next) {
        next = one->next;
        rows_release(one->rows);
        mem_free(one);
    }
    pthread_mutex_destroy(&statistics->lock);
}

/* ---- asking them ---- */

/* The cells as a table of SQLite: dimensions by their names, "#n", "#s NAME", "#c NAME". */
static enum err enter_cells(struct query_table *of, const struct layout *layout, struct rows *rows)
{
    struct query *query = of->query;
    const struct hub_resource *resource = &of->entry->resource;
    const struct sql_select select = {.columns = resource->columns};
    struct query_table *cells = &query->cells;
    enum err err = ERR_OK;
    if (layout->n_outputs > HUB_FIELDS_MAX)
        return query_fail(query, ERR_TOO_LARGE, "the contract grants more figures than a statistic may have");
    *cells = (struct query_table){.query = query, .name = STR("cells"), .n_rows = (int64_t)rows_n(rows), .is_decided = true};
    for (size_t i = 0; i < layout->n_outputs && !err; i++) {
        struct sql_output output = layout->outputs[i];
        struct str name = resource->fields[output.column].name;
        cells->columns[i] = (struct sql_column){name, sql_output_type(&select, &output)};
        if (output.aggregate == SQL_COUNT_ALL)
            cells->columns[i].name = STR("#n");
        else if (output.aggregate == SQL_COUNT_DISTINCT)
            cells->columns[i].name = STR("#d");
        else if (output.aggregate != SQL_PLAIN)
            err = arena_printf(
                &query->arena, &cells->columns[i].name, "#%c " STR_FORMAT, output.aggregate == SQL_SUM ? 's' : 'c', STR_ARG(name));
    }
    cells->n_columns = layout->n_outputs;
    cells->given = err ? NULL : query_set_new(cells);
    if (!cells->given)
        return query_fail(query, ERR_NO_MEMORY, "no memory");
    for (size_t i = 0; i < layout->n_outputs; i++)
        cells->given->places[i] = (uint8_t)(i + 1);
    cells->given->n_outputs = layout->n_outputs;
    err = query_set_add(cells->given, rows);
    return err ? err : query_table_register(cells);
}

/* One output of the grouping over the cells; false: not a statistic that a cell can give. */
static bool put_output(const struct query_table *table, struct sql_output output, struct buf *sql)
{
    const struct hub_field *field = &table->entry->resource.fields[output.column];
    bool is_of_dimension = is_dimension(field->type);
    switch ((enum sql_aggregate)output.aggregate) {
    case SQL_COUNT_ALL:
        buf_append_c(sql, "ifnull(sum(\"#n\"), 0)");
        return true;
    case SQL_PLAIN:
        buf_printf(sql, "\"" STR_FORMAT "\"", STR_ARG(field->name));
        return is_of_dimension;
    case SQL_COUNT:
        if (is_of_dimension)
            buf_printf(sql, "ifnull(sum(CASE WHEN \"" STR_FORMAT "\" IS NULL THEN 0 ELSE \"#n\" END), 0)", STR_ARG(field->name));
        else
            buf_printf(sql, "ifnull(sum(\"#c " STR_FORMAT "\"), 0)", STR_ARG(field->name));
        return is_of_dimension || is_figure(field->type);
    case SQL_SUM:
        buf_printf(sql, "sum(\"#s " STR_FORMAT "\")", STR_ARG(field->name));
        return is_figure(field->type);
    case SQL_MIN:
    case SQL_MAX:
    case SQL_COUNT_DISTINCT:
        buf_printf(sql, "%s(%s\"" STR_FORMAT "\")",
            output.aggregate == SQL_MIN   ? "min"
            : output.aggregate == SQL_MAX ? "max"
                                          : "count",
            output.aggregate == SQL_COUNT_DISTINCT ? "DISTINCT " : "", STR_ARG(field->name));
        return is_of_dimension;
    }
    return false;
}

static enum err write_sql(struct query *query, const struct query_grouping *grouping, struct buf *sql)
{
    const struct query_table *table = grouping->table;
    buf_append_c(sql, "SELECT ");
    for (size_t i = 0; i < grouping->n_outputs; i++) {
        buf_append_c(sql, i ? ", " : "");
        if (!put_output(table, grouping->outputs[i], sql))
            return query_fail(query, ERR_RANGE,
                "under a statistics-only contract text and boolean fields part the rows, and numbers are counted, summed and averaged; "
                "\"" STR_FORMAT "\" cannot be asked so",
                STR_ARG(table->entry->resource.fields[grouping->outputs[i].column].name));
    }
    buf_append_c(sql, ", ifnull(sum(\"#n\"), 0) FROM cells");
    if (grouping->where.len)
        buf_printf(sql, " WHERE (" STR_FORMAT ")", STR_ARG(grouping->where));
    for (size_t i = 0; i < grouping->n_groups; i++)
        buf_printf(
            sql, "%s\"" STR_FORMAT "\"", i ? ", " : " GROUP BY ", STR_ARG(table->entry->resource.fields[grouping->outputs[i].column].name));
    return sql->err;
}

static struct value read_cell(sqlite3_stmt *statement, int at, enum value_type type)
{
    switch (sqlite3_column_type(statement, at)) {
    case SQLITE_INTEGER:
        return type == VALUE_REAL ? value_real(sqlite3_column_double(statement, at))
                                  : (struct value){.type = type, .i = sqlite3_column_int64(statement, at)};
    case SQLITE_FLOAT:
        return value_real(sqlite3_column_double(statement, at));
    case SQLITE_TEXT:
        return value_text((struct str){(const char *)sqlite3_column_text(statement, at), (size_t)sqlite3_column_bytes(statement, at)});
    default:
        return VALUE_NONE;
    }
}

/* Runs it; *ret_subjects is how many rows of the table stand behind all groups together. */
static enum err read_groups(
    struct query *query, const struct query_grouping *grouping, sqlite3_stmt *statement, struct rows *rows, int64_t *ret_subjects)
{
    const struct sql_select select = {.columns = grouping->table->entry->resource.columns};
    struct value values[HUB_FIELDS_MAX];
    int code, n = (int)grouping->n_outputs;
    *ret_subjects = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < n; i++)
            values[i] = read_cell(statement, i, sql_output_type(&select, &grouping->outputs[i]));
        *ret_subjects += sqlite3_column_int64(statement, n);
        enum err err = rows_add(rows, values);
        if (err)
            return query_fail(query, err, "%s", err_text(err));
    }
    return code == SQLITE_DONE ? ERR_OK : query_engine_err(query, code);
}

/* Another contract in force that would part the same rows into other cells: what one leaves out would be the difference to the other. */
static const struct hub_contract *other_cells(const struct hub_contract *mine)
{
    const struct hub_contract *other = hub_contract_first(mine->hub, mine->terms.consumer, mine->terms.resource);
    for (; other; other = other->next_same)
        if (other != mine && other->terms.min_subjects != DECIDE_NONE && atomic_load(&other->state) == HUB_AGREED &&
            !has_same_cells(mine, other))
            return other;
    return NULL;
}

static enum err check_alone(const struct query_table *table)
{
    const struct hub_contract *mine = table->contract, *other = other_cells(mine);
    return other ? query_fail(table->query, ERR_RANGE,
                       "contracts " STR_FORMAT " and " STR_FORMAT " would together tell what each leaves out; end one of them",
                       STR_ARG(mine->name), STR_ARG(other->name))
                 : ERR_OK;
}

/* ---- the provider's own side (hub/provide.c): its memory is this process's, the hub's claim of the day stands on disk ---- */

bool hub_statistic_is_alone(const struct hub_contract *contract, int64_t day)
{
    struct hub_statistics *all = hub_query_statistics(contract->hub);
    bool is_alone = !other_cells(contract);
    pthread_mutex_lock(&all->lock);
    for (const struct hub_statistic *kept = all->first; kept && is_alone; kept = kept->next)
        is_alone = !kept->rows || kept->day < day || kept->contract->entry != contract->entry ||
                   !str_equal(kept->contract->terms.consumer, contract->terms.consumer) || has_same_cells(kept->contract, contract);
    pthread_mutex_unlock(&all->lock);
    return is_alone;
}

struct rows *hub_statistic_kept(const struct hub_contract *contract, int64_t day)
{
    struct hub_statistics *all = hub_query_statistics(contract->hub);
    pthread_mutex_lock(&all->lock);
    const struct hub_statistic *kept = find_kept(all, contract, day, false);
    struct rows *rows = kept ? rows_hold(kept->rows) : NULL;
    pthread_mutex_unlock(&all->lock);
    return rows;
}

enum err hub_statistic_remember(const struct hub_contract *contract, int64_t day, struct rows *rows)
{
    struct hub_statistics *all = hub_query_statistics(contract->hub);
    pthread_mutex_lock(&all->lock);
    struct hub_statistic *kept = own_kept(all, contract);
    if (kept && (!kept->rows || kept->day < day)) {
        rows_release(kept->rows);
        kept->rows = rows_hold(rows);
        kept->day = day;
    }
    pthread_mutex_unlock(&all->lock);
    return kept ? ERR_OK : ERR_NO_MEMORY;
}

enum err query_statistic_fetch(struct query *query, const struct query_grouping *grouping, struct rows **ret_rows)
{
    struct query_table *table = grouping->table;
    struct layout layout;
    struct rows *cells = NULL, *rows = NULL;
    sqlite3_stmt *statement = NULL;
    struct buf sql;
    int64_t n_subjects = 0;
    buf_init(&sql, 1u << 17);
    lay_out(table->contract, &layout);
    enum err err = check_alone(table);
    if (!err)
        err = write_sql(query, grouping, &sql);
    if (!err)
        err = cells_of(table, &layout, &cells);
    if (!err)
        err = enter_cells(table, &layout, cells);
    query->is_own = true; /* over the cells, by us */
    if (!err && sqlite3_prepare_v2(query->db, sql.ptr, (int)sql.len, &statement, NULL) != SQLITE_OK)
        err = query_fail(query, ERR_RANGE, "under a statistics-only contract only text and boolean fields stand in conditions and groups");
    query->is_own = false;
    if (!err)
        err = rows_create(grouping->n_outputs, QUERY_FETCH_BYTES_MAX, &rows) ? query_fail(query, ERR_NO_MEMORY, "no memory") : ERR_OK;
    if (!err)
        err = read_groups(query, grouping, statement, rows, &n_subjects);
    sqlite3_finalize(statement);
    buf_finish(&sql);
    if (!err && n_subjects < table->contract->terms.min_subjects) {
        query->refusal = hub_refusal_of(table->contract, DECIDE_SUBJECTS);
        err = query->refusal.err;
    }
    if (cells) { /* the table of cells borrows from them */
        enum err one = query_keep_rows(query, cells);
        err = err ? err : one;
    }
    if (rows) {
        enum err one = query_keep_rows(query, rows);
        err = err ? err : one;
    }
    if (!err)
        *ret_rows = rows;
    return err;
}
