/*
 * Tables of a department's database as its file binds them, how they are held against the real ones, and grants compiled for them: what
 * every connector to tables has alike.
 */
#ifndef HUB_DEPARTMENT_TABLE_H
#define HUB_DEPARTMENT_TABLE_H

#include "hub/department.h"

/* ---- what the file says ---- */

struct hub_table { /* a resource's binding */
    const struct hub_resource *resource;
    enum hub_binding kind; /* and `text`: of those that hub_tables_add() read */
    struct str text;
    void *own; /* the connector's */
    size_t at; /* from 0, in the order of the file */
    struct hub_table *next;
};
struct hub_plan { /* a compiled grant */
    void *system;
    const struct hub_table *table;
    uint64_t granted; /* one bit a field */
    const struct sql_condition *rows;
    void *own; /* the connector's; it lives as long as the system */
    struct hub_plan *next;
};
struct hub_tables {
    struct hub_table *first;
    size_t n;
    struct hub_plan *plans;
};
/* A resource's binding read and entered; it lives in the department's arena. */
enum err hub_tables_add(struct hub_tables *tables, struct hub_department *department, const struct hub_resource *resource,
    struct yaml_node binding, struct diag_list *diags, struct hub_table **ret_table) MUST_CHECK;
/* One whose binding the connector reads itself. */
enum err hub_tables_enter(struct hub_tables *tables, struct hub_department *department, const struct hub_resource *resource, void *own,
    struct hub_table **ret_table) MUST_CHECK;
/* The slot's work: *ret_plan is untouched when the table's binding was refused. */
enum err hub_tables_compile(struct hub_tables *tables, void *system, const struct hub_grant *grant, void **ret_plan) MUST_CHECK;
void hub_tables_finish(struct hub_tables *tables); /* frees the plans */

/* Posts `done` to the asker's loop. */
void hub_fetch_answer(struct hub_fetch *fetch, enum err err);

/* ---- what the database has ---- */

struct hub_seen {                     /* a table as one connection found it */
    struct str source;                /* the SQL after FROM: only the declared fields */
    const struct sql_column *columns; /* with what a parameter needs around it */
    const void *own;                  /* what else the connector knows of the columns */
    struct str wrong;                 /* what does not fit the declaration; empty: nothing */
};
/* What an asking means to a table; the decision saw to it that only granted columns are asked (an assertion). */
struct sql_select hub_plan_select(const struct hub_plan *plan, const struct hub_seen *seen, const struct hub_fetch *fetch);
/* A quoted name. Errors of this and the next two stick in `sql`. */
void hub_table_append_name(struct buf *sql, enum sql_dialect dialect, struct str name);
/* The binding after FROM: `schema`.`table`, or the department's own SELECT in parentheses. */
void hub_table_append(struct buf *sql, enum sql_dialect dialect, const struct hub_table *table);
/* `SELECT the fields FROM the binding`; one field alone when `only` >= 0. */
void hub_table_append_select(struct buf *sql, enum sql_dialect dialect, const struct hub_table *table, int only);

/* ---- holding one against the other ---- */

#define HUB_WORDS_MAX 200
struct hub_look {
    const struct hub_department *department;
    const struct hub_table *table;
    struct arena *arena;     /* of `seen` */
    struct diag_list *diags; /* NULL: nobody reads a file; what does not fit is kept in seen->wrong alone */
    struct hub_seen *seen;
    /* Has the database describe the binding, all fields or one alone when `only` >= 0. ERR_SYNTAX: refused, why in `words`. */
    enum err (*describe)(void *context, int only, char words[HUB_WORDS_MAX]);
    void *context;
};
/* describe() of all fields and, refused, of each alone, so that each that is not to be had is told at its place; then ERR_OK with
 * seen->wrong when nobody reads a file. */
enum err hub_look_describe(const struct hub_look *look) MUST_CHECK;
enum err hub_look_wrong(
    const struct hub_look *look, size_t field, enum err err, const char *code, const char *more, const char *text) MUST_CHECK;
/* The column is `there`, and a field of its type takes `takes`. */
enum err hub_look_unfit(const struct hub_look *look, size_t field, const char *there, const char *takes) MUST_CHECK;

#endif
