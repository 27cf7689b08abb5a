/*
 * The description of the HTTP interface (OpenAPI 3.1), made from the mounted route tables themselves, so that it cannot fall behind them.
 *
 * It says for each route its path, method, parameters, who may ask, and its summary; bodies are described in docs/.
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

/* Appends the description as one JSON object; failures stick in `out`. */
void http_openapi_write(const struct http_openapi *openapi, struct buf *out);

/* GET /docs/openapi.json, for those signed in; mount it with a struct http_openapi as context. */
extern const struct http_route http_openapi_routes[1];

#endif
