/* A request's target: whatever is matched, no parameter leads out of its folder. First line: the path; second: a query. */
#include "http/routes.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void nothing(struct http_exchange *x, void *context) {}

static const struct http_route routes[] = {
    {HTTP_GET, "/", HTTP_PUBLIC, 0, nothing, ""},
    {HTTP_POST, "/hub/v1/call/{area}/{party}/{name}", HTTP_SIGNED_IN, 1, nothing, ""},
    {HTTP_GET, "/hub/v1/{kind}", HTTP_SIGNED_IN, 0, nothing, ""},
    {HTTP_GET, "/assets/{rest...}", HTTP_PUBLIC, 0, nothing, ""},
    {HTTP_GET, "/{a}/{b}/tail", HTTP_PUBLIC, 0, nothing, ""},
};

/* A parameter is one segment, or several that all are names. */
static void check_param(struct str param, bool is_rest)
{
    if (param.len && memchr(param.ptr, '\0', param.len))
        abort();
    if (!is_rest && param.len && memchr(param.ptr, '/', param.len))
        abort();
    while (param.len > 0) {
        struct str head, tail;
        if (!str_cut(param, '/', &head, &tail)) {
            head = param;
            tail = STR_NONE;
        }
        if (str_equal_c(head, "..") || str_equal_c(head, "."))
            abort();
        param = tail;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_mount mount = {routes, sizeof(routes) / sizeof(routes[0]), NULL};
    struct str path = {(const char *)data, size}, query = STR_NONE, value;
    struct http_routes *table = NULL;
    struct http_match match = {0};
    struct arena arena;

    if (!str_cut(path, '\n', &path, &query))
        query = STR_NONE;
    if (http_routes_create(&mount, 1, NULL, &table))
        abort();
    arena_init(&arena, 8u << 20);
    for (int method = 0; method < HTTP_N_METHODS; method++) {
        if (http_routes_match(table, (enum http_method)method, path, &arena, &match))
            continue;
        bool is_rest = str_ends_with(str_from_c(match.routed->route->pattern), STR("...}"));
        for (size_t i = 0; i < match.routed->n_params; i++)
            check_param(match.params[i], is_rest);
    }
    if (!http_query_check(query, &arena) && http_query_find(query, STR("area"), &arena, &value) == ERR_SYNTAX)
        abort();
    arena_finish(&arena);
    http_routes_destroy(table);
    return 0;
}
