/* Static files and health. Only names that the screens' build makes are served: no dots that climb, no hidden files. */
#include "brain/web.h"

#include "base/file.h"
#include "ledger/ledger.h"
#include "ledger/policy.h"

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

/* Whether checkpoints get their quorum, and who does not cosign; nothing of it is a secret, policy and checkpoints being public. */
static void put_ledger(struct json_writer *w, struct ledger *ledger)
{
    struct ledger_status status;
    ledger_status(ledger, &status);
    json_key(w, "ledger");
    json_begin_object(w);
    json_field_i64(w, "durable", (int64_t)status.n_durable);
    json_field_i64(w, "published", (int64_t)status.n_published);
    json_field_bool(w, "halted", status.is_halted);
    json_key(w, "witnesses");
    json_begin_array(w);
    for (size_t i = 0; i < status.n_witnesses; i++) {
        json_begin_object(w);
        json_field_str(w, "name", status.witnesses[i].name);
        json_field_bool(w, "cosigns", status.witnesses[i].cosigns);
        json_field_i64(w, "size", (int64_t)status.witnesses[i].size);
        if (!status.witnesses[i].cosigns)
            json_field_c(w, "why", status.witnesses[i].trouble);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

static void handle_policy(struct http_exchange *x, void *context)
{
    const struct web *web = context;
    struct buf text;
    buf_init(&text, POLICY_FILE_MAX + 1);
    enum err err = web->policy_path ? file_read(web->policy_path, &text) : ERR_NOT_FOUND;
    if (err)
        http_reply_err(x, err, STR("this ledger has no witnesses"));
    else
        http_reply(x, 200, "text/plain; charset=utf-8", buf_str(&text));
    buf_finish(&text);
}

static void handle_health(struct http_exchange *x, void *context)
{
    const struct web *web = context;
    struct buf out;
    struct json_writer w;
    buf_init(&out, 32 * 1024);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_c(&w, "status", "ok");
    json_field_c(&w, "version", CITYBRAIN_VERSION);
    json_field_str(&w, "city", web->city);
    if (web->policy_path)
        put_ledger(&w, web->ledger);
    json_end_object(&w);
    http_reply_json(x, out.err ? 500 : 200, buf_str(&out));
    buf_finish(&out);
}

const struct http_route web_routes[] = {
    {HTTP_GET, "/health", HTTP_PUBLIC, 0, handle_health, "Is the brain up", .answer = "Health"},
    {HTTP_GET, "/log/v1/policy", HTTP_PUBLIC, 0, handle_policy, "The policy of the ledger's witnesses (C2SP tlog-policy)",
        .media_type = "text/plain"},
    {HTTP_GET, "/", HTTP_PUBLIC, 0, handle_index, "The cockpit", .media_type = "text/html"},
    {HTTP_GET, "/assets/{rest...}", HTTP_PUBLIC, 0, handle_asset, "Static files of the screens", .media_type = "*/*"},
    {HTTP_GET, "/{file}", HTTP_PUBLIC, 0, handle_file, "Static files of the screens", .media_type = "*/*"},
};
const size_t web_n_routes = sizeof(web_routes) / sizeof(web_routes[0]);
