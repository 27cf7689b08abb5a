/*
 * Tables as a department's file binds them, held against the database, and grants compiled for them.
 */
#include "hub/department_table.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum err hub_tables_enter(struct hub_tables *tables, struct hub_department *department, const struct hub_resource *resource, void *own,
    struct hub_table **ret_table)
{
    struct hub_table *table = arena_alloc_zero(&department->arena, 1, sizeof *table);
    if (!table)
        return ERR_NO_MEMORY;
    table->resource = resource;
    table->own = own;
    table->at = tables->n++;
    table->next = tables->first;
    tables->first = table;
    *ret_table = table;
    return ERR_OK;
}

enum err hub_tables_add(struct hub_tables *tables, struct hub_department *department, const struct hub_resource *resource,
    struct yaml_node binding, struct diag_list *diags, struct hub_table **ret_table)
{
    enum hub_binding kind;
    struct str text;
    struct hub_table *table;
    if (resource->kind != HUB_TABLE)
        return yaml_error(hub_department_field_node(department, resource, STR_NONE), diags, ERR_UNSUPPORTED,
            "connector %s offers tables and commands only; write kind: table or kind: command", department->connector);
    enum err err = hub_department_binding(department, resource, binding, diags, &kind, &text);
    if (!err)
        err = hub_tables_enter(tables, department, resource, NULL, &table);
    if (err)
        return err;
    table->kind = kind;
    table->text = text;
    *ret_table = table;
    return ERR_OK;
}

enum err hub_tables_compile(struct hub_tables *tables, void *system, const struct hub_grant *grant, void **ret_plan)
{
    const struct hub_table *table = tables->first;
    while (table && table->resource != grant->resource)
        table = table->next;
    if (!table)
        return ERR_OK; /* its binding was refused, and told */
    struct hub_plan *plan = mem_alloc_zero(1, sizeof *plan);
    if (!plan)
        return ERR_NO_MEMORY;
    plan->system = system;
    plan->table = table;
    plan->rows = grant->rows;
    for (size_t i = 0; i < grant->n_fields; i++)
        plan->granted |= UINT64_C(1) << grant->fields[i];
    plan->next = tables->plans;
    tables->plans = plan;
    *ret_plan = plan;
    return ERR_OK;
}

void hub_tables_finish(struct hub_tables *tables)
{
    for (struct hub_plan *plan = tables->plans, *next; plan; plan = next) {
        next = plan->next;
        mem_free(plan);
    }
    tables->plans = NULL;
}

static void answered(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

void hub_fetch_answer(struct hub_fetch *fetch, enum err err)
{
    fetch->err = err;
    fetch->task.fn = answered;
    loop_post(fetch->loop, &fetch->task);
}

struct sql_select hub_plan_select(const struct hub_plan *plan, const struct hub_seen *seen, const struct hub_fetch *fetch)
{
    for (size_t i = 0; i < fetch->n_outputs; i++)
        assert(fetch->outputs[i].aggregate == SQL_COUNT_ALL || plan->granted >> fetch->outputs[i].column & 1); /* decided so */
    return (struct sql_select){
        .source = seen->source,
        .columns = seen->columns,
        .rows = plan->rows,
        .also = fetch->also,
        .outputs = fetch->outputs,
        .n_outputs = fetch->n_outputs,
        .where = fetch->where,
        .n_where = fetch->n_where,
        .order = fetch->order,
        .n_order = fetch->n_order,
        .limit = (int64_t)fetch->n_rows_max + 1,
    };
}

void hub_table_append_name(struct buf *sql, enum sql_dialect dialect, struct str name)
{
    if (sql_append_name(sql, dialect, name) && !sql->err)
        sql->err = ERR_SYNTAX;
}

void hub_table_append(struct buf *sql, enum sql_dialect dialect, const struct hub_table *table)
{
    struct str schema, name = table->text;
    if (table->kind == HUB_BIND_SELECT) {
        buf_append_c(sql, "(");
        buf_append_str(sql, table->text);
        buf_append_c(sql, "\n) b"); /* the line's end closes a comment at the SELECT's */
        return;
    }
    if (str_cut(table->text, '.', &schema, &name)) {
        hub_table_append_name(sql, dialect, schema);
        buf_append_c(sql, ".");
    }
    hub_table_append_name(sql, dialect, name);
}

void hub_table_append_select(struct buf *sql, enum sql_dialect dialect, const struct hub_table *table, int only)
{
    const struct hub_resource *resource = table->resource;
    buf_append_c(sql, "SELECT ");
    for (size_t i = 0; i < resource->n_fields; i++) {
        if (only >= 0 && i != (size_t)only)
            continue;
        buf_append_c(sql, i && only < 0 ? ", " : "");
        hub_table_append_name(sql, dialect, resource->fields[i].name);
    }
    buf_append_c(sql, " FROM ");
    hub_table_append(sql, dialect, table);
}

/* ---- holding one against the other ---- */

enum err hub_look_wrong(const struct hub_look *look, size_t field, enum err err, const char *code, const char *more, const char *text)
{
    return hub_department_wrong(
        look->department, look->table->resource, field, look->arena, &look->seen->wrong, look->diags, err, code, more, text);
}

/* Refused together: which fields are it? */
static enum err find_refused(const struct hub_look *look, const char *all_words)
{
    char words[HUB_WORDS_MAX] = "", text[HUB_WORDS_MAX + 200];
    enum err first = ERR_OK;
    for (size_t i = 0; i < look->table->resource->n_fields; i++) {
        enum err err = look->describe(look->context, (int)i, words);
        if (err == ERR_OK)
            continue;
        if (err != ERR_SYNTAX)
            return err;
        snprintf(text, sizeof text,
            "is not to be had from the department's database: %s; mend the field's name or bind:, or the rights of the connection's user",
            words);
        enum err told = hub_look_wrong(look, i, ERR_NOT_FOUND, HUB_DETAIL(field_refused), "", text);
        first = first ? first : told;
    }
    if (str_is_empty(look->seen->wrong)) { /* one by one it goes, together it does not */
        snprintf(text, sizeof text, "cannot be asked together with the other fields: %s", all_words);
        first = hub_look_wrong(look, 0, ERR_UNSUPPORTED, HUB_DETAIL(field_alone), "", text);
    }
    return first;
}

enum err hub_look_describe(const struct hub_look *look)
{
    char words[HUB_WORDS_MAX] = "";
    enum err err = look->describe(look->context, -1, words);
    return err == ERR_SYNTAX ? find_refused(look, words) : err;
}

enum err hub_look_unfit(const struct hub_look *look, size_t field, const char *there, const char *takes)
{
    enum value_type type = look->table->resource->fields[field].type;
    const char *name = value_type_name(type);
    char more[160], text[400];
    snprintf(more, sizeof more, "|%s|%s", name, there ? there : "-");
    snprintf(text, sizeof text,
        "is declared as %s, but the department's column is %s; a%s %s field takes %s: declare the type that is there, or bind a SELECT "
        "that converts it",
        name, there ? there : "of another type", type == VALUE_INTEGER ? "n" : "", name, takes);
    return hub_look_wrong(look, field, ERR_RANGE, HUB_DETAIL(field_type), more, text);
}
