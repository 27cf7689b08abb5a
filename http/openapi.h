/*
 * The description of the HTTP interface (OpenAPI 3.1), made from the mounted route tables themselves, so that it cannot fall behind them.
 *
 * It says for each route its path, method, parameters, who may ask, its summary, and the schemas (JSON Schema 2020-12) of what it takes and
 * answers. A schema is written once, under a name, in a .schema.json file beside the routes; the table's row names it. Refusals are one
 * schema for all, Problem.
 */
#ifndef HTTP_OPENAPI_H
#define HTTP_OPENAPI_H

#include "http/server.h"

/* What the route below describes: the composition's own list of mounts (kept). */
struct http_openapi {
    const char *title;   /* "citybrain of Hangzhou" */
    const char *version; /* of the program */
    const struct http_mount *mounts;
    size_t n_mounts;
};

extern const char http_schemas[]; /* Problem, and this description itself */

/* Appends the description as one JSON object; failures stick in `out`. */
void http_openapi_write(const struct http_openapi *openapi, struct buf *out);

/* GET /docs/openapi.json, for those signed in; mount it with a struct http_openapi as context. */
extern const struct http_route http_openapi_routes[1];

#endif
