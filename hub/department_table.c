/*
 * Tables of a department's database as its file binds them, and grants compiled for them: what every connector to such databases has alike.
 */
#include "hub/department_pool.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

enum err hub_tables_add(struct hub_tables *tables, struct hub_department *department, const struct hub_resource *resource,
    struct yaml_node binding, struct diag_list *diags, struct hub_table **ret_table)
{
    if (resource->kind != HUB_TABLE)
        return yaml_error(hub_department_field_node(department, resource, STR_NONE), diags, ERR_UNSUPPORTED,
            "connector %s offers tables only; write kind: table", department->connector);
    struct hub_table *table = arena_alloc_zero(&department->arena, 1, sizeof *table);
    if (!table)
        return ERR_NO_MEMORY;
    table->resource = resource;
    enum err err = hub_department_binding(department, resource, binding, diags, &table->kind, &table->text);
    if (err)
        return err;
    table->at = tables->n++;
    table->next = tables->first;
    tables->first = table;
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

static void append_name(struct buf *sql, enum sql_dialect dialect, struct str name)
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
        append_name(sql, dialect, schema);
        buf_append_c(sql, ".");
    }
    append_name(sql, dialect, name);
}

void hub_table_append_select(struct buf *sql, enum sql_dialect dialect, const struct hub_table *table, int only)
{
    const struct hub_resource *resource = table->resource;
    buf_append_c(sql, "SELECT ");
    for (size_t i = 0; i < resource->n_fields; i++) {
        if (only >= 0 && i != (size_t)only)
            continue;
        buf_append_c(sql, i && only < 0 ? ", " : "");
        append_name(sql, dialect, resource->fields[i].name);
    }
    buf_append_c(sql, " FROM ");
    hub_table_append(sql, dialect, table);
}
