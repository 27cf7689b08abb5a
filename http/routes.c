/*
 * Routes: one tree for all mounts, built once and then only read.
 *
 * A path is cut at its slashes first and decoded segment by segment afterwards, so that an encoded slash can never become a border;
 * it is refused altogether, as are "." and "..": no route needs them and every path traversal does.
 */
#include "http/routes.h"

#include "base/mem.h"

#include <string.h>

#define ROUTES_MEMORY_MAX (4u << 20) /* a few hundred routes take some 100 KB */

struct node {
    struct str literal; /* of this node below its parent */
    struct node *children, *sibling;
    struct node *param; /* any one segment */
    struct node *rest;  /* everything that is left */
    const struct http_routed *routed[HTTP_N_METHODS];
};

struct http_routes {
    struct arena arena;
    struct node root;
    const struct http_routed *first;
};

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum err check_text(struct str text, bool is_query)
{
    bool is_ascii = true;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\0' || (!is_query && (is_control(c) || c == '/')))
            return ERR_SYNTAX;
        is_ascii = is_ascii && !(c & 0x80);
    }
    if (!is_query && (str_equal_c(text, ".") || str_equal_c(text, "..")))
        return ERR_SYNTAX;
    return is_ascii || str_is_utf8(text) ? ERR_OK : ERR_SYNTAX;
}

enum err http_decode(struct str text, bool is_query, struct arena *arena, struct str *ret_decoded)
{
    struct str decoded = text;

    if (text.len && (memchr(text.ptr, '%', text.len) || (is_query && memchr(text.ptr, '+', text.len)))) {
        char *out = arena_alloc(arena, text.len);
        size_t n = 0;
        if (!out)
            return ERR_NO_MEMORY;
        for (size_t i = 0; i < text.len; i++) {
            char c = text.ptr[i];
            if (c == '%') {
                bool is_whole = text.len - i > 2;
                int high = is_whole ? hex_value(text.ptr[i + 1]) : -1;
                int low = is_whole ? hex_value(text.ptr[i + 2]) : -1;
                if (high < 0 || low < 0)
                    return ERR_SYNTAX;
                c = (char)(high << 4 | low);
                i += 2;
            } else if (is_query && c == '+') {
                c = ' ';
            }
            out[n++] = c;
        }
        decoded = (struct str){out, n};
    }
    if (check_text(decoded, is_query))
        return ERR_SYNTAX;
    *ret_decoded = decoded;
    return ERR_OK;
}

/* Takes "name=value" from the front of *query; a name alone has an empty value. */
static void take_item(struct str *query, struct str *ret_name, struct str *ret_value)
{
    struct str item, rest;

    if (!str_cut(*query, '&', &item, &rest)) {
        item = *query;
        rest = STR_NONE;
    }
    if (!str_cut(item, '=', ret_name, ret_value)) {
        *ret_name = item;
        *ret_value = STR_NONE;
    }
    *query = rest;
}

enum err http_query_find(struct str query, struct str name, struct arena *arena, struct str *ret_value)
{
    while (query.len > 0) {
        struct str key, value, decoded;
        take_item(&query, &key, &value);
        enum err err = http_decode(key, true, arena, &decoded);
        if (err)
            return err;
        if (str_equal(decoded, name))
            return http_decode(value, true, arena, ret_value);
    }
    return ERR_NOT_FOUND;
}

enum err http_query_check(struct str query, struct arena *arena)
{
    while (query.len > 0) {
        struct str key, value, decoded;
        take_item(&query, &key, &value);
        enum err err = http_decode(key, true, arena, &decoded);
        if (!err)
            err = http_decode(value, true, arena, &decoded);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* ---- building ---- */

/* The segment at the front of `path` (which begins with '/'), and what follows. */
static struct str segment_of(struct str path, struct str *ret_rest)
{
    struct str segment = str_slice(path, 1, path.len);
    const char *slash = segment.len ? memchr(segment.ptr, '/', segment.len) : NULL;

    if (!slash) {
        *ret_rest = STR_NONE;
        return segment;
    }
    *ret_rest = str_slice(segment, (size_t)(slash - segment.ptr), segment.len);
    return str_slice(segment, 0, (size_t)(slash - segment.ptr));
}

static bool is_param(struct str segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

static struct node *find_literal(struct node *node, struct str literal)
{
    struct node *child = node->children;

    while (child && !str_equal(child->literal, literal))
        child = child->sibling;
    return child;
}

/* The child for one segment of a pattern, made when it is not there. */
static struct node *child_for(struct http_routes *routes, struct node *node, struct str segment, bool is_rest)
{
    struct node **at, *child;

    if (is_param(segment)) {
        at = is_rest ? &node->rest : &node->param;
        child = *at;
    } else {
        at = &node->children;
        child = find_literal(node, segment);
    }
    if (child)
        return child;
    child = arena_alloc_zero(&routes->arena, 1, sizeof(*child));
    if (!child)
        return NULL;
    child->literal = segment;
    if (at == &node->children) {
        while (*at) /* in the order of the mounts: the first ones are found first */
            at = &(*at)->sibling;
    }
    *at = child;
    return child;
}

static enum err add(struct http_routes *routes, const struct http_route *route, void *context, struct diag *diag)
{
    struct http_routed *routed = arena_alloc_zero(&routes->arena, 1, sizeof(*routed));
    struct str rest = str_from_c(route->pattern);
    struct node *node = &routes->root;
    bool is_rest = false;

    if (!routed)
        return ERR_NO_MEMORY;
    routed->figures = arena_alloc_zero(&routes->arena, 1, sizeof(*routed->figures));
    if (!routed->figures)
        return ERR_NO_MEMORY;
    routed->route = route;
    routed->context = context;
    if (!str_starts_with(rest, STR("/")))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "route \"%s\" does not begin with a slash", route->pattern);
    while (rest.len > 0) {
        struct str segment = segment_of(rest, &rest), name = str_slice(segment, 1, segment.len > 2 ? segment.len - 2 : 0);
        if (is_param(segment)) {
            is_rest = str_ends_with(name, STR("..."));
            if (routed->n_params == HTTP_PARAMS_MAX || (is_rest && rest.len > 0))
                return diag_set(diag, ERR_SYNTAX, NULL, 0, "route \"%s\": too many parameters, or more after {rest...}", route->pattern);
            routed->names[routed->n_params++] = is_rest ? str_slice(name, 0, name.len - 3) : name;
        }
        node = child_for(routes, node, segment, is_rest);
        if (!node)
            return ERR_NO_MEMORY;
    }
    if (node->routed[route->method])
        return diag_set(diag, ERR_EXISTS, NULL, 0, "route \"%s\" is there already as \"%s\"", route->pattern,
            node->routed[route->method]->route->pattern);
    node->routed[route->method] = routed;
    routed->next = routes->first;
    routes->first = routed;
    return ERR_OK;
}

enum err http_routes_create(const struct http_mount *mounts, size_t n_mounts, struct diag *diag, struct http_routes **ret_routes)
{
    struct http_routes *routes = mem_alloc_zero(1, sizeof(*routes));
    enum err err = ERR_OK;

    if (!routes)
        return ERR_NO_MEMORY;
    arena_init(&routes->arena, ROUTES_MEMORY_MAX);
    for (size_t i = 0; i < n_mounts && !err; i++)
        for (size_t j = 0; j < mounts[i].n_routes && !err; j++)
            err = add(routes, &mounts[i].routes[j], mounts[i].context, diag);
    if (err) {
        http_routes_destroy(routes);
        return err;
    }
    *ret_routes = routes;
    return ERR_OK;
}

const struct http_routed *http_routes_first(const struct http_routes *routes)
{
    return routes->first;
}

void http_routes_destroy(struct http_routes *routes)
{
    if (!routes)
        return;
    arena_finish(&routes->arena);
    mem_free(routes);
}

/* ---- matching ---- */

struct search {
    enum http_method method;
    struct str segments[HTTP_SEGMENTS_MAX]; /* decoded */
    size_t n_segments;
    struct str path;                   /* as sent */
    size_t offsets[HTTP_SEGMENTS_MAX]; /* of each segment in `path` */
    bool is_decoded;                   /* some segment differs from the path */
    struct str params[HTTP_PARAMS_MAX];
    const struct http_routed *found;
    uint32_t methods;
    size_t rest_at; /* first segment of the rest; SIZE_MAX: none */
};

static const struct http_routed *routed_at(const struct node *node, struct search *search)
{
    enum http_method method = search->method;

    for (int m = 0; m < HTTP_N_METHODS; m++)
        if (node->routed[m])
            search->methods |= 1u << m;
    if (method == HTTP_HEAD && !node->routed[HTTP_HEAD])
        method = HTTP_GET;
    return node->routed[method];
}

static bool descend(const struct node *node, struct search *search, size_t at, size_t n_params)
{
    if (at == search->n_segments) {
        search->found = routed_at(node, search);
        return search->found != NULL;
    }
    for (const struct node *child = node->children; child; child = child->sibling)
        if (str_equal(child->literal, search->segments[at])) {
            if (descend(child, search, at + 1, n_params))
                return true;
            break;
        }
    if (node->param && search->segments[at].len > 0) {
        search->params[n_params] = search->segments[at];
        if (descend(node->param, search, at + 1, n_params + 1))
            return true;
    }
    if (!node->rest)
        return false;
    search->found = routed_at(node->rest, search);
    if (search->found)
        search->rest_at = at;
    return search->found != NULL;
}

/* The segments from `at` on, decoded, with their slashes. */
static enum err rest_of(const struct search *search, size_t at, struct arena *arena, struct str *ret_rest)
{
    char *out;
    size_t n = 0;

    if (!search->is_decoded) {
        *ret_rest = str_slice(search->path, search->offsets[at], search->path.len);
        return ERR_OK;
    }
    out = arena_alloc(arena, search->path.len); /* decoding never makes it longer */
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = at; i < search->n_segments; i++) {
        if (i > at)
            out[n++] = '/';
        if (search->segments[i].len)
            memcpy(out + n, search->segments[i].ptr, search->segments[i].len);
        n += search->segments[i].len;
    }
    *ret_rest = (struct str){out, n};
    return ERR_OK;
}

static enum err split(struct search *search, struct str path, struct arena *arena)
{
    struct str rest = path;

    search->path = path;
    while (rest.len > 0) {
        size_t offset = path.len - rest.len + 1;
        struct str segment = segment_of(rest, &rest);
        struct str *decoded = &search->segments[search->n_segments];
        if (search->n_segments == HTTP_SEGMENTS_MAX)
            return ERR_TOO_LARGE;
        enum err err = http_decode(segment, false, arena, decoded);
        if (err)
            return err;
        search->is_decoded = search->is_decoded || decoded->ptr != segment.ptr;
        search->offsets[search->n_segments++] = offset;
    }
    return ERR_OK;
}

enum err http_routes_match(
    const struct http_routes *routes, enum http_method method, struct str path, struct arena *arena, struct http_match *ret_match)
{
    struct search search;
    enum err err;

    search.method = method;
    search.n_segments = 0;
    search.is_decoded = false;
    search.found = NULL;
    search.methods = 0;
    search.rest_at = SIZE_MAX;
    if (!str_starts_with(path, STR("/")))
        return ERR_NOT_FOUND; /* "*", "host:port" */
    err = split(&search, path, arena);
    if (err)
        return err;
    if (!descend(&routes->root, &search, 0, 0)) {
        ret_match->methods = search.methods;
        return search.methods ? ERR_UNSUPPORTED : ERR_NOT_FOUND;
    }
    if (search.rest_at != SIZE_MAX) {
        err = rest_of(&search, search.rest_at, arena, &search.params[search.found->n_params - 1]);
        if (err)
            return err;
    }
    ret_match->routed = search.found;
    ret_match->methods = search.methods;
    memcpy(ret_match->params, search.params, search.found->n_params * sizeof(search.params[0]));
    return ERR_OK;
}
