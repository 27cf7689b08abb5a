/* The routes that belong to no folder: the screens' static files, the health check, the policy of the ledger's witnesses. */
#ifndef BRAIN_WEB_H
#define BRAIN_WEB_H

#include "http/server.h"

struct web {
    const char *dir; /* the built screens; NULL or absent: a page that says how to build them */
    struct str city; /* for the health check */
    struct ledger *ledger;
    const char *policy_path; /* of the ledger's witnesses; NULL: it has none */
};

extern const char web_schemas[]; /* brain/web.schema.json */
extern const struct http_route web_routes[];
extern const size_t web_n_routes;

#endif
