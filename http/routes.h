/*
 * The route table: patterns compiled into a tree of path segments, and the checks that a path from outside has to pass.
 *
 * Inside of http/ only (and for its tests and fuzz targets). A literal segment goes before a parameter, a parameter before the rest.
 */
#ifndef HTTP_ROUTES_H
#define HTTP_ROUTES_H

#include "http/server.h"

#define HTTP_PARAMS_MAX 8
#define HTTP_SEGMENTS_MAX 24 /* deepest path that is looked up; the longest pattern has 7 */
#define HTTP_N_METHODS 5

struct http_routes;

/* What became of the requests of one route: http/measure.c. */
#define HTTP_STATUSES 22
struct http_figures {
    struct metric_counter statuses[HTTP_STATUSES + 1]; /* the last: any other */
    struct metric_histogram took;
};

/* A route with the names of its parameters. */
struct http_routed {
    const struct http_route *route;
    void *context;
    struct str names[HTTP_PARAMS_MAX];
    size_t n_params;
    struct http_figures *figures; /* lives as long as the routes */
    const struct http_routed *next;
};

struct http_match {
    const struct http_routed *routed;
    struct str params[HTTP_PARAMS_MAX]; /* percent-decoded; borrow from the path or the arena */
    uint32_t methods;                   /* bits of the methods that the path has, also when ERR_UNSUPPORTED is returned */
};

/* ERR_SYNTAX: a pattern is malformed; ERR_EXISTS: two routes for one method and path; `diag` names the pattern. Mounts are kept. */
enum err http_routes_create(
    const struct http_mount *mounts, size_t n_mounts, struct diag *diag, struct http_routes **ret_routes) MUST_CHECK;
const struct http_routed *http_routes_first(const struct http_routes *routes); /* of all, linked by `next`; NULL: there are none */
void http_routes_destroy(struct http_routes *routes);                          /* takes NULL */

/* `path`: as sent, without the query. ERR_NOT_FOUND; ERR_UNSUPPORTED: not with this method; ERR_SYNTAX: malformed percent-encoding, an
 * encoded slash or NUL, "." or ".." as a segment, control characters, no UTF-8; ERR_TOO_LARGE: too deep; ERR_NO_MEMORY. HEAD is served by
 * GET. */
enum err http_routes_match(const struct http_routes *routes, enum http_method method, struct str path, struct arena *arena,
    struct http_match *ret_match) MUST_CHECK;

/* Percent-decodes one segment (or, with `is_query`, one name or value of a query, where '+' is a blank). Borrows from `text` when there is
 * nothing to decode. ERR_SYNTAX as above, but a query may hold slashes and dots. */
enum err http_decode(struct str text, bool is_query, struct arena *arena, struct str *ret_decoded) MUST_CHECK;

/* The value of `name` in a query string "a=1&b=2"; ERR_NOT_FOUND, ERR_SYNTAX, ERR_NO_MEMORY. The first one counts. */
enum err http_query_find(struct str query, struct str name, struct arena *arena, struct str *ret_value) MUST_CHECK;

/* Are all names and values of the query well formed? ERR_SYNTAX, ERR_NO_MEMORY. */
enum err http_query_check(struct str query, struct arena *arena) MUST_CHECK;

#endif
