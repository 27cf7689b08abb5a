/*
 * OpenAPI 3.1 from route tables.
 *
 * A path holds all its methods in one object, so the routes are written path by path: at each route that is the first of its path, all
 * others of the same path follow. A few hundred routes make that quadratic search cheap.
 */
#include "http/openapi.h"

#include <stdio.h>
#include <string.h>

#define DESCRIPTION_MAX (4u << 20)

struct cursor {
    size_t mount, route;
};

static const struct http_route *route_at(const struct http_openapi *openapi, struct cursor at)
{
    return &openapi->mounts[at.mount].routes[at.route];
}

/* The next route in the order of the mounts; false after the last. */
static bool next_route(const struct http_openapi *openapi, struct cursor *at)
{
    at->route++;
    while (at->mount < openapi->n_mounts && at->route >= openapi->mounts[at->mount].n_routes) {
        at->mount++;
        at->route = 0;
    }
    return at->mount < openapi->n_mounts;
}

static bool first_route(const struct http_openapi *openapi, struct cursor *ret_at)
{
    *ret_at = (struct cursor){0, SIZE_MAX};
    return next_route(openapi, ret_at); /* SIZE_MAX + 1 is 0: the first route of the first mount that has any */
}

static bool is_first_of_path(const struct http_openapi *openapi, struct cursor at)
{
    struct cursor other;

    for (bool more = first_route(openapi, &other); more; more = next_route(openapi, &other)) {
        if (other.mount == at.mount && other.route == at.route)
            return true;
        if (strcmp(route_at(openapi, other)->pattern, route_at(openapi, at)->pattern) == 0)
            return false;
    }
    return false;
}

/* "{rest...}" is "{rest}" here: OpenAPI has no parameter that takes slashes. */
static void put_path(struct json_writer *w, const char *pattern)
{
    char path[256];
    size_t n = 0;

    for (const char *p = pattern; *p && n + 1 < sizeof(path); p++)
        if (strncmp(p, "...}", 4) == 0)
            p += 2;
        else
            path[n++] = *p;
    json_key_str(w, (struct str){path, n});
}

static void put_parameter(struct json_writer *w, struct str name, const char *in, bool is_required)
{
    json_begin_object(w);
    json_field_str(w, "name", name);
    json_field_c(w, "in", in);
    json_field_bool(w, "required", is_required);
    json_key(w, "schema");
    json_put_raw(w, STR("{\"type\":\"string\"}"));
    json_end_object(w);
}

static void put_parameters(struct json_writer *w, const struct http_route *route)
{
    const char *pattern = route->pattern;
    struct str name, rest = str_from_c(route->query ? route->query : "");

    if (!strchr(pattern, '{') && str_is_empty(rest))
        return;
    json_key(w, "parameters");
    json_begin_array(w);
    for (const char *p = strchr(pattern, '{'); p; p = strchr(p + 1, '{'))
        put_parameter(w, (struct str){p + 1, strcspn(p + 1, "}.")}, "path", true);
    for (bool more = !str_is_empty(rest); more;) {
        more = str_cut(rest, ' ', &name, &rest);
        if (!more)
            name = rest;
        bool is_optional = str_ends_with(name, STR("?"));
        put_parameter(w, str_slice(name, 0, name.len - is_optional), "query", !is_optional);
    }
    json_end_array(w);
}

/* For those who list the routes in groups: a door's first word, "hub" of "/hub/v1/call/…"; "brain" of what stands at the top. */
static void put_tag(struct json_writer *w, const char *pattern)
{
    size_t len = strcspn(pattern + 1, "/{");

    json_key(w, "tags");
    json_begin_array(w);
    json_put_str(w, pattern[1 + len] == '/' ? (struct str){pattern + 1, len} : STR("brain"));
    json_end_array(w);
}

static void put_security(struct json_writer *w, enum http_access access)
{
    json_key(w, "security");
    switch (access) {
    case HTTP_PUBLIC:
    case HTTP_SIGNED_BODY:
        json_put_raw(w, STR("[]"));
        break;
    case HTTP_SIGNED_IN:
        json_put_raw(w, STR("[{\"token\":[]},{\"session\":[]}]"));
        break;
    case HTTP_OFFICIAL: /* what stands in the list are roles (OpenAPI 3.1, Security Requirement Object) */
        json_put_raw(w, STR("[{\"session\":[\"official\"]}]"));
        break;
    case HTTP_CITIZEN:
        json_put_raw(w, STR("[{\"session\":[\"citizen\"]}]"));
        break;
    case HTTP_DIGEST:
        json_put_raw(w, STR("[{\"digest\":[]}]"));
        break;
    }
}

/* "application/json":{"schema":{"$ref":…}}; without a schema any value is one. */
static void put_content(struct json_writer *w, const char *media_type, const char *schema)
{
    json_key(w, media_type);
    json_begin_object(w);
    if (schema) {
        char ref[128];
        int len = snprintf(ref, sizeof(ref), "#/components/schemas/%s", schema);
        json_key(w, "schema");
        json_begin_object(w);
        json_field_str(w, "$ref", (struct str){ref, (size_t)len < sizeof(ref) ? (size_t)len : sizeof(ref) - 1});
        json_end_object(w);
    }
    json_end_object(w);
}

static void put_request(struct json_writer *w, const struct http_route *route)
{
    json_key(w, "requestBody");
    json_begin_object(w);
    json_field_bool(w, "required", true);
    json_key(w, "content");
    json_begin_object(w);
    put_content(w, "application/json", route->body);
    if (route->media_type && route->refusal) /* a door that speaks JSON under a name of its own takes both */
        put_content(w, route->media_type, route->body);
    json_end_object(w);
    json_end_object(w);
}

static void put_answers(struct json_writer *w, const struct http_route *route)
{
    bool is_empty = !route->answer && !route->media_type;
    char status[16];

    json_key(w, "responses");
    json_begin_object(w);
    snprintf(status, sizeof(status), "%d", route->status ? route->status : is_empty ? 204 : 200);
    json_key(w, status);
    json_begin_object(w);
    json_field_c(w, "description", is_empty ? "Done" : "OK");
    if (!is_empty) {
        json_key(w, "content");
        json_begin_object(w);
        put_content(w, route->media_type ? route->media_type : "application/json", route->answer);
        json_end_object(w);
    }
    json_end_object(w);
    json_key(w, "default");
    json_begin_object(w);
    json_field_c(w, "description", "A problem (RFC 9457)");
    json_key(w, "content");
    json_begin_object(w);
    put_content(w, "application/problem+json", "Problem");
    if (route->refusal)
        put_content(w, route->media_type ? route->media_type : "application/json", route->refusal);
    json_end_object(w);
    json_end_object(w);
    json_end_object(w);
}

static void put_route(struct json_writer *w, const struct http_route *route)
{
    static const char *const methods[] = {"get", "post", "put", "delete", "head"};

    json_key(w, methods[route->method]);
    json_begin_object(w);
    json_field_c(w, "summary", route->summary ? route->summary : "");
    put_tag(w, route->pattern);
    put_parameters(w, route);
    if (route->body_max > 0)
        put_request(w, route);
    put_security(w, route->access);
    put_answers(w, route);
    json_end_object(w);
}

/* The members of an object that is JSON already, among those of the object that is being written. */
static void put_members(struct json_writer *w, const char *object)
{
    struct str text = str_trim(str_from_c(object));

    if (text.len > 2)
        json_put_raw(w, str_slice(text, 1, text.len - 2));
}

/* Several mounts of one folder (a connector's, one a system) bring the same schemas. */
static bool has_come_before(const struct http_openapi *openapi, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (openapi->mounts[i].schemas == openapi->mounts[at].schemas)
            return true;
    return openapi->mounts[at].schemas == http_schemas;
}

static void put_components(struct json_writer *w, const struct http_openapi *openapi)
{
    json_key(w, "components");
    json_begin_object(w);
    json_key(w, "securitySchemes");
    json_put_raw(w, STR("{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
                        "\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"citybrain\"},"
                        "\"digest\":{\"type\":\"http\",\"scheme\":\"digest\"}}"));
    json_key(w, "schemas");
    json_begin_object(w);
    put_members(w, http_schemas);
    for (size_t i = 0; i < openapi->n_mounts; i++)
        if (openapi->mounts[i].schemas && !has_come_before(openapi, i))
            put_members(w, openapi->mounts[i].schemas);
    json_end_object(w);
    json_end_object(w);
}

void http_openapi_write(const struct http_openapi *openapi, struct buf *out)
{
    struct cursor at, other;
    struct json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    json_field_c(&w, "openapi", "3.1.0");
    json_field_c(&w, "jsonSchemaDialect", "https://json-schema.org/draft/2020-12/schema");
    json_key(&w, "info");
    json_begin_object(&w);
    json_field_c(&w, "title", openapi->title);
    json_field_c(&w, "version", openapi->version);
    json_end_object(&w);
    json_key(&w, "paths");
    json_begin_object(&w);
    for (bool more = first_route(openapi, &at); more; more = next_route(openapi, &at)) {
        if (!is_first_of_path(openapi, at))
            continue;
        put_path(&w, route_at(openapi, at)->pattern);
        json_begin_object(&w);
        for (bool others = first_route(openapi, &other); others; others = next_route(openapi, &other))
            if (strcmp(route_at(openapi, other)->pattern, route_at(openapi, at)->pattern) == 0)
                put_route(&w, route_at(openapi, other));
        json_end_object(&w);
    }
    json_end_object(&w);
    put_components(&w, openapi);
    json_end_object(&w);
}

static void on_description(struct http_exchange *x, void *context)
{
    struct buf out;

    buf_init(&out, DESCRIPTION_MAX);
    http_openapi_write(context, &out);
    if (out.err)
        http_reply_err(x, out.err, STR_NONE);
    else
        http_reply_json(x, 200, buf_str(&out));
    buf_finish(&out);
}

const struct http_route http_openapi_routes[1] = {
    {HTTP_GET, "/docs/openapi.json", HTTP_SIGNED_IN, 0, on_description, "This description (OpenAPI 3.1)", .answer = "OpenApi"},
};
