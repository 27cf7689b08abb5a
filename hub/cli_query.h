/*
 * `citybrain query`: one statement from the shell, as a party, for a purpose, through the running brain's door.
 */
#ifndef HUB_CLI_QUERY_H
#define HUB_CLI_QUERY_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct hub_cli_query {
    const char *url;   /* "http://127.0.0.1:8080" */
    const char *token; /* of the party */
    const char *purpose;
    const char *sql;
    const char *const *parameters; /* numbers where they read as such, else texts */
    size_t n_parameters;
    bool is_explain;
};

/* The answer on `out`: a line of column names, a line a row, parted by tabs (NULL is empty), or as JSON; receipts and explanation on
 * `error`. Returns the exit code: 0 answered, 1 refused, 2 not reached or asked wrongly. */
int hub_cli_query(const struct hub_cli_query *query, bool is_json, FILE *out, FILE *error);
/* The hub's answer, printed so. */
int hub_cli_query_print(struct str body, bool is_json, FILE *out, FILE *error);

#endif
