/*
 * A condition's tree, between its parser (sql_condition.c) and the dialects (sql_text.c).
 */
#ifndef DB_SQL_INTERNAL_H
#define DB_SQL_INTERNAL_H

#include "db/sql.h"

enum sql_node { SQL_NODE_AND, SQL_NODE_OR, SQL_NODE_NOT, SQL_NODE_COMPARE, SQL_NODE_IN, SQL_NODE_LIKE, SQL_NODE_IS_NULL };

struct sql_operand {
    bool is_column;
    uint16_t column;
    struct value literal; /* not NULL */
};

/* BETWEEN is an AND of two comparisons, NOT IN and their like a NOT around; in SQL's logic of three values they are the same. */
struct sql_condition {
    enum sql_node kind;
    enum sql_op op;                    /* COMPARE: EQ … GE */
    const struct sql_condition *a, *b; /* AND, OR; NOT: a */
    struct sql_operand left, right;    /* left: a column, always; right: of COMPARE */
    const struct value *values;        /* IN */
    size_t n_values;
    struct str pattern; /* LIKE */
    struct str source;  /* of a whole condition: its text */
};

#endif
