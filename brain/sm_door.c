/* The parallel log's public files. See brain/sm_door.h. */
#include "brain/sm_door.h"

#include "ledger/retention.h"
#include "ledger/sm_log.h"
#include "ledger/tile.h"
#include "ledger/verify.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (1u << 20)

static void reply_tile(struct http_exchange *x, struct ledger *ledger, struct str rest, const char *cache_control)
{
    char path[FILE_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/tile/" STR_FORMAT, sm_log_static_dir(ledger_sm_log(ledger)), STR_ARG(rest));
    if (len > 0 && (size_t)len < sizeof path)
        http_reply_file(x, path, cache_control);
    else
        http_reply_problem(x, 404, STR("there is no such tile"), -1);
}

static void handle_checkpoint(struct http_exchange *x, void *context)
{
    struct buf note;
    buf_init(&note, ANSWER_MAX);
    enum err err = sm_log_checkpoint(ledger_sm_log(context), &note);
    if (err) {
        http_reply_err(x, err == ERR_BUSY ? ERR_NOT_FOUND : err, STR("the log has no checkpoint yet"));
    } else {
        http_add_header(x, "Cache-Control", STR("no-cache"));
        http_reply(x, 200, "text/plain; charset=utf-8", buf_str(&note));
    }
    buf_finish(&note);
}

static void handle_tile(struct http_exchange *x, void *context)
{
    struct str rest = http_param(x, "rest");
    if (!tile_is_path(rest))
        http_reply_problem(x, 404, STR("there is no such tile"), -1);
    else if (retention_is_pruned(rest, ledger_minimum(context)))
        http_reply_problem(x, 410, STR("entries as old as this one are no longer served; the log still has and proves them"), -1);
    else
        reply_tile(x, context, rest, memmem(rest.ptr, rest.len, ".p/", 3) ? "no-cache" : "public, max-age=31536000, immutable");
}

/* `write` appends what is asked of leaf `index`. */
static void reply_of_leaf(
    struct http_exchange *x, struct ledger *ledger, enum err (*write)(struct ledger *ledger, uint64_t index, struct buf *out), bool is_json)
{
    uint64_t index;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    enum err err = str_to_u64(http_param(x, "index"), &index) ? ERR_NOT_FOUND : write(ledger, index, &out);
    if (err == ERR_BUSY) {
        http_add_header(x, "Retry-After", STR("1"));
        http_reply_problem(x, 409, STR("the leaf is durable, its checkpoint comes within a second"), -1);
    } else if (err) {
        http_reply_err(x, err, STR("there is no such leaf"));
    } else if (is_json && index < ledger_minimum(ledger)) {
        http_reply_problem(x, 410, STR("entries as old as this one are no longer served; the log still has and proves them"), -1);
    } else if (is_json) {
        http_reply_json(x, 200, buf_str(&out));
    } else {
        http_reply(x, 200, "text/plain; charset=utf-8", buf_str(&out));
    }
    buf_finish(&out);
}

static enum err write_proof(struct ledger *ledger, uint64_t index, struct buf *out)
{
    enum err err = sm_log_proof(ledger_sm_log(ledger), index, out);
    return err == ERR_NOT_FOUND && index < ledger_n_durable(ledger) ? ERR_BUSY : err;
}

static void handle_proof(struct http_exchange *x, void *context)
{
    reply_of_leaf(x, context, write_proof, false);
}

static void handle_receipt(struct http_exchange *x, void *context)
{
    reply_of_leaf(x, context, verify_write_sm_receipt, true);
}

static void handle_vkey(struct http_exchange *x, void *context)
{
    struct buf text;
    buf_init(&text, 1024);
    enum err err = sm_log_vkey(ledger_sm_log(context), &text);
    if (err)
        http_reply_err(x, err, STR_NONE);
    else
        http_reply(x, 200, "text/plain; charset=utf-8", buf_str(&text));
    buf_finish(&text);
}

const struct http_route sm_door_routes[] = {
    {HTTP_GET, "/log-sm/v1/checkpoint", HTTP_PUBLIC, 0, handle_checkpoint, "The parallel log's newest checkpoint, signed with SM2",
        .media_type = "text/plain"},
    {HTTP_GET, "/log-sm/v1/tile/{rest...}", HTTP_PUBLIC, 0, handle_tile, "The parallel log's tiles, of SM3",
        .media_type = "application/octet-stream"},
    {HTTP_GET, "/log-sm/v1/proof/{index}", HTTP_PUBLIC, 0, handle_proof, "A leaf's proof in the parallel log", .media_type = "text/plain"},
    {HTTP_GET, "/log-sm/v1/receipt/{index}", HTTP_PUBLIC, 0, handle_receipt, "A leaf with its proof and key in the parallel log",
        .answer = "Receipt"},
    {HTTP_GET, "/log-sm/v1/vkey", HTTP_PUBLIC, 0, handle_vkey, "The parallel log's verifier key (SM2)", .media_type = "text/plain"},
};
const size_t sm_door_n_routes = sizeof(sm_door_routes) / sizeof(sm_door_routes[0]);
