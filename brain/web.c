/* Static files and health. Only names that the screens' build makes are served: no dots that climb, no hidden files. */
#include "brain/web.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_LEN_MAX 1024

static bool is_plain_path(struct str path)
{
    struct str part, rest = path;
    bool is_more = true;
    while (is_more) {
        is_more = str_cut(rest, '/', &part, &rest);
        if (!is_more)
            part = rest;
        if (part.len == 0 || part.ptr[0] == '.' || memchr(part.ptr, '\\', part.len) || memchr(part.ptr, '\0', part.len))
            return false;
    }
    return true;
}

static void reply_web(struct http_exchange *x, const struct web *web, const char *folder, struct str name, const char *cache)
{
    char path[PATH_LEN_MAX];
    int len = is_plain_path(name) && web->dir ? snprintf(path, sizeof(path), "%s/%s" STR_FORMAT, web->dir, folder, STR_ARG(name)) : -1;
    if (len > 0 && len < PATH_LEN_MAX)
        http_reply_file(x, path, cache);
    else
        http_reply_problem(x, 404, STR("no such file"), -1);
}

static void handle_index(struct http_exchange *x, void *context)
{
    const struct web *web = context;
    char path[PATH_LEN_MAX];
    if (web->dir && snprintf(path, sizeof(path), "%s/index.html", web->dir) < PATH_LEN_MAX && access(path, R_OK) == 0)
        http_reply_file(x, path, "no-cache");
    else
        http_reply(x, 200, "text/html; charset=utf-8",
            STR("<!doctype html><meta charset=utf-8><title>citybrain</title><p>The screens are not built: <code>cd cockpit/web && npm ci "
                "&& npm run build</code>, "
                "or start with <code>make run</code>."));
}

static void handle_asset(struct http_exchange *x, void *context)
{
    reply_web(x, context, "assets/", http_param(x, "rest"), "public, max-age=31536000, immutable");
}

static void handle_file(struct http_exchange *x, void *context)
{
    reply_web(x, context, "", http_param(x, "file"), "public, max-age=3600");
}

static void handle_health(struct http_exchange *x, void *context)
{
    const struct web *web = context;
    struct buf out;
    struct json_writer w;
    buf_init(&out, 1000);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_c(&w, "status", "ok");
    json_field_c(&w, "version", CITYBRAIN_VERSION);
    json_field_str(&w, "city", web->city);
    json_end_object(&w);
    http_reply_json(x, 200, buf_str(&out));
    buf_finish(&out);
}

const struct http_route web_routes[] = {
    {HTTP_GET, "/health", HTTP_PUBLIC, 0, handle_health, "Is the brain up"},
    {HTTP_GET, "/", HTTP_PUBLIC, 0, handle_index, "The cockpit"},
    {HTTP_GET, "/assets/{rest...}", HTTP_PUBLIC, 0, handle_asset, "Static files of the screens"},
    {HTTP_GET, "/{file}", HTTP_PUBLIC, 0, handle_file, "Static files of the screens"},
};
const size_t web_n_routes = sizeof(web_routes) / sizeof(web_routes[0]);
