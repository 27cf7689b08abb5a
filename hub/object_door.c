/*
 * GET and HEAD /hub/v1/object/{area}/{party}/{name}?purpose=&key=&contract= : an object's bytes (docs/object.md), whole or a range of them
 * (RFC 9110), streamed: http/sender.h asks for a piece when the network has taken the one before, hub/object.h reads it.
 *
 * Each request is one use with its own receipt, in the header Citybrain-Receipt: also the one that resumes another, or is told that nothing
 * has changed.
 */
#include "base/mem.h"
#include "http/range.h"
#include "hub/object_parts.h"

#include <stdio.h>
#include <string.h>

struct object_sending { /* not in the exchange's arena: the end comes after the exchange's */
    struct hub_object_use use;
    struct http_exchange *x; /* until it is answered */
    struct http_sender *sender;
    struct http_range range;
    bool is_head;
    enum err err; /* why the bytes ended too early */
    char etag[HUB_OBJECT_VERSION_MAX + 5];
};

/* ---- bytes ---- */

static void on_want(void *context)
{
    struct object_sending *sending = context;
    hub_object_next(&sending->use);
}

static void on_piece(struct hub_object_use *use, enum err err, struct str bytes)
{
    struct object_sending *sending = container_of(use, struct object_sending, use);
    sending->err = err;
    if (err)
        http_sender_fail(sending->sender);
    else
        http_sender_give(sending->sender, bytes);
}

static void on_closed(void *context, bool is_whole, uint64_t n_given)
{
    struct object_sending *sending = context;
    enum err err = is_whole || sending->is_head ? ERR_OK : sending->err ? sending->err : ERR_CANCELLED;
    hub_object_end(&sending->use, err, n_given);
    mem_free(sending);
}

/* ---- the answer ---- */

/* Which answer the request's conditions ask for (RFC 9110 §13.2.2): 412, 304, or by the range 200, 206, 416. */
static int choose_status(struct object_sending *sending)
{
    struct http_exchange *x = sending->x;
    struct str etag = str_from_c(sending->etag), match = http_header(x, "If-Match"), none = http_header(x, "If-None-Match"),
               only = http_header(x, "If-Range"), range = sending->use.range;
    sending->range = (struct http_range){0, sending->use.n_bytes};
    if (!str_is_empty(match) && !http_etag_among(match, etag, true))
        return 412;
    if (!str_is_empty(none) && http_etag_among(none, etag, false))
        return 304;
    if (str_is_empty(range) || (!str_is_empty(only) && !http_etag_among(only, etag, true)))
        return 200;
    return http_range_read(range, sending->use.n_bytes, &sending->range);
}

static void add_headers(struct object_sending *sending, int status)
{
    struct http_exchange *x = sending->x;
    char range[96];
    http_add_header(x, "Citybrain-Receipt", str_from_c(sending->use.receipt));
    http_add_header(x, "ETag", str_from_c(sending->etag));
    http_add_header(x, "Accept-Ranges", STR("bytes"));
    http_add_header(x, "X-Content-Type-Options", STR("nosniff"));
    if (status == 200 || status == 206) {
        http_add_header(x, "Cache-Control", STR("no-store"));
        /* a department's page would else run with the rights of who looks at it */
        http_add_header(x, "Content-Security-Policy", STR("sandbox; default-src 'none'"));
    }
    if (status == 206)
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)sending->range.first,
            (unsigned long long)(sending->range.first + sending->range.n - 1), (unsigned long long)sending->use.n_bytes);
    else
        snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)sending->use.n_bytes);
    if (status == 206 || status == 416)
        http_add_header(x, "Content-Range", str_from_c(range));
}

static void end_without_bytes(struct object_sending *sending, enum err err)
{
    hub_object_end(&sending->use, err, 0);
    mem_free(sending);
}

static void answer(struct object_sending *sending)
{
    struct hub_object_use *use = &sending->use;
    struct http_exchange *x = sending->x;
    snprintf(sending->etag, sizeof sending->etag, "%s\"%s\"", use->is_version_weak ? "W/" : "", use->version);
    int status = choose_status(sending);
    add_headers(sending, status);
    if (status == 304) {
        http_reply(x, 304, NULL, STR_NONE);
        end_without_bytes(sending, ERR_OK);
    } else if (status == 412 || status == 416) {
        http_reply_problem(x, status, status == 412 ? STR("the object is another one by now") : STR("the object is shorter than that"), -1);
        end_without_bytes(sending, ERR_RANGE);
    } else {
        const struct http_body_source source = {.n_bytes = sending->range.n, .want = on_want, .closed = on_closed, .context = sending};
        hub_object_range(use, sending->range.first, sending->range.n);
        if (http_reply_body(x, status, use->media_type, &source, &sending->sender))
            end_without_bytes(sending, ERR_BUSY);
    }
}

static void refuse(struct http_exchange *x, const struct hub_object_use *use)
{
    if (use->receipt[0])
        http_add_header(x, "Citybrain-Receipt", str_from_c(use->receipt));
    if (use->receipt[0] && use->refusal.err == ERR_NOT_FOUND) /* it was permitted to ask, and is told */
        http_reply_problem(x, 404, str_from_c(use->refusal.diag.text), -1);
    else
        hub_reply_refusal(x, &use->refusal);
}

static void on_ready(struct hub_object_use *use)
{
    struct object_sending *sending = container_of(use, struct object_sending, use);
    if (!use->refusal.err) {
        answer(sending);
        return;
    }
    refuse(sending->x, use);
    mem_free(sending);
}

/* ---- the request ---- */

static void handle_object(struct http_exchange *x, void *context)
{
    struct str resource, purpose = http_query(x, "purpose"), range = http_header(x, "Range");
    if (str_is_empty(purpose)) {
        http_reply_problem(x, 400, STR("say what for: ?purpose=CODE, and which one of several: &key=KEY"), -1);
        return;
    }
    if (!hub_door_begin(x, 1, &resource))
        return;
    struct object_sending *sending = mem_alloc_zero(1, sizeof *sending);
    if (!sending) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    sending->x = x;
    sending->is_head = http_request_method(x) == HTTP_HEAD;
    sending->use = (struct hub_object_use){
        .party = http_identity(x)->party,
        .resource = resource,
        .purpose = purpose,
        .contract = http_query(x, "contract"),
        .key = http_query(x, "key"),
        .range = sending->is_head || range.len > HUB_OBJECT_RANGE_MAX ? STR_NONE : range, /* RFC 9110 §14.2: of GET alone */
        .loop = http_loop(x),
        .ready = on_ready,
        .piece = on_piece,
    };
    hub_object_start(context, &sending->use);
}

const struct http_route hub_object_routes[] = {
    {HTTP_GET, "/hub/v1/object/{area}/{party}/{name}", HTTP_SIGNED_IN, 0, handle_object,
        "An object's bytes, whole or a range of them, under a contract; the receipt is in the header Citybrain-Receipt",
        .media_type = "*/*", .query = "purpose key? contract?"},
};
const size_t hub_n_object_routes = sizeof hub_object_routes / sizeof *hub_object_routes;
