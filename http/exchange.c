/*
 * One request: from its line to the end of its answer, as the library calls us.
 *
 *   on_line        the target is copied, an exchange begins
 *   on_request 1   headers: framing, route, method, access, limits; a refusal is made here and sent below
 *   on_request 2…  body, appended up to the route's limit
 *   on_request n   the whole request is there: the handler runs, or the refusal goes out
 *   on_request n+1 after a reply that came later
 *   on_completed   sent, or the client has gone
 *
 * Answering in the first call would make the library close the connection (and cost three times as much): that is done only
 * when the body is too large to be read for nothing.
 */
#include "http/internal.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#define DISCARD_MAX (64u << 10) /* of a body that nobody wants, read so that the connection can go on */
#define POOLED_MAX 256          /* exchanges kept for reuse: as many as are under way at once on a busy loop */
#define QUERY_NAMES_MAX 64      /* our widest route takes six */
#define BODY_KEPT_MAX (16u << 10)

static struct http_exchange *exchange_take(struct http_server *server)
{
    struct http_exchange *x = server->pool;

    if (x) {
        server->pool = x->next_pooled;
        server->n_pooled--;
        return x;
    }
    x = mem_alloc_zero(1, sizeof(*x));
    if (!x)
        return NULL;
    arena_init(&x->arena, server->limits.exchange_memory_max);
    buf_init(&x->body, 0);
    return x;
}

static void exchange_free(struct http_exchange *x)
{
    arena_finish(&x->arena);
    buf_finish(&x->body);
    mem_free(x);
}

/* Back to the pool with its arena's first block, everything else zero. */
static void exchange_give_back(struct http_exchange *x)
{
    struct http_server *server = x->server;
    struct arena arena;
    struct buf body;

    if (x->json)
        json_decref(x->json);
    if (x->response)
        MHD_destroy_response(x->response);
    if (server)
        server->n_body_bytes -= x->n_body_bytes;
    if (!server || server->n_pooled >= POOLED_MAX) {
        exchange_free(x);
        return;
    }
    if (x->body.cap > BODY_KEPT_MAX)
        buf_finish(&x->body);
    arena_reset(&x->arena);
    buf_reset(&x->body);
    arena = x->arena;
    body = x->body;
    memset(x, 0, sizeof(*x));
    x->arena = arena;
    x->body = body;
    x->next_pooled = server->pool;
    server->pool = x;
    server->n_pooled++;
}

void http_exchange_free_pool(struct http_server *server)
{
    while (server->pool) {
        struct http_exchange *x = server->pool;
        server->pool = x->next_pooled;
        exchange_free(x);
    }
    server->n_pooled = 0;
}

/* The library keeps each name in the block that its answer has to fit in, too, and when that is full it says nothing for ever. */
static bool has_too_many_names(struct str query)
{
    size_t n = 0;

    for (size_t i = 0; i < query.len; i++)
        n += query.ptr[i] == '&';
    return n >= QUERY_NAMES_MAX;
}

void *http_exchange_on_line(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct http_server *server = cls;
    struct http_exchange *x = exchange_take(server);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    if (!x)
        return NULL;
    x->server = server;
    x->mhd = mhd;
    x->connection = info ? info->socket_context : NULL;
    x->started = clock_mono(loop_clock(server->loop));
    if (x->connection)
        x->connection->exchange = x;
    if (arena_copy_str(&x->arena, str_from_c(uri), &x->target)) {
        x->must_close = true;
        return x;
    }
    x->path = x->target;
    if (!str_cut(x->target, '?', &x->path, &x->query_text))
        x->query_text = STR_NONE;
    if (has_too_many_names(x->query_text) && x->connection && x->connection->fd >= 0)
        shutdown(x->connection->fd, SHUT_RDWR);
    return x;
}

/* ---- headers ---- */

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_size, const char *value, size_t value_size)
{
    struct http_exchange *x = cls;
    struct str name = {key, key_size}, text = {value, value_size};

    switch (key_size) {
    case 4:
        if (str_equal_nocase(name, STR("host"))) {
            x->host = text;
            x->n_host++;
        }
        break;
    case 6:
        if (str_equal_nocase(name, STR("origin")))
            x->origin = text;
        else if (str_equal_nocase(name, STR("expect")))
            x->expects_continue = true;
        else if (str_equal_nocase(name, STR("cookie")))
            x->cookie = text;
        break;
    case 12:
        if (str_equal_nocase(name, STR("content-type")))
            x->content_type = text;
        break;
    case 13:
        if (str_equal_nocase(name, STR("authorization"))) {
            x->authorization = text;
            x->n_authorization++;
        }
        break;
    case 14:
        if (str_equal_nocase(name, STR("content-length"))) {
            x->content_length = text;
            x->n_content_length++;
        } else if (str_equal_nocase(name, STR("sec-fetch-site"))) {
            x->sec_fetch_site = text;
        }
        break;
    case 17:
        if (str_equal_nocase(name, STR("transfer-encoding"))) {
            x->n_transfer_encoding++;
            x->has_other_encoding = x->has_other_encoding || !str_equal_nocase(text, STR("chunked"));
        }
        break;
    default:
        break;
    }
    return MHD_YES;
}

static bool method_parse(const char *name, enum http_method *ret_method)
{
    static const char *const names[] = {"GET", "POST", "PUT", "DELETE", "HEAD"};

    for (int i = 0; i < HTTP_N_METHODS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_method = (enum http_method)i;
            return true;
        }
    }
    return false;
}

static void refuse_method(struct http_exchange *x, uint32_t methods)
{
    static const char *const names[] = {"GET", "POST", "PUT", "DELETE", "HEAD"};
    char text[64] = "";

    for (int i = 0; i < HTTP_N_METHODS; i++) {
        bool is_allowed = (methods >> i & 1) || (i == HTTP_HEAD && (methods >> HTTP_GET & 1));
        if (!is_allowed)
            continue;
        if (text[0])
            strncat(text, ", ", sizeof(text) - strlen(text) - 1);
        strncat(text, names[i], sizeof(text) - strlen(text) - 1);
    }
    http_add_header(x, "Allow", str_from_c(text));
    http_reply_refusal(x, 405, "this path does not take this method");
}

/* Two readings of where a request ends are how requests are smuggled past a proxy. Of an encoding that is not "chunked" the library would
 * wait for the connection's end. */
static bool framing_is_sound(struct http_exchange *x, uint64_t *ret_length)
{
    *ret_length = 0;
    if (x->has_other_encoding || x->n_content_length > 1 || (x->n_content_length && x->n_transfer_encoding) || x->n_transfer_encoding > 1 ||
        x->n_host > 1)
        return false;
    return x->n_content_length == 0 || !str_to_u64(x->content_length, ret_length);
}

static enum err find_route(struct http_exchange *x)
{
    uint32_t methods = 0;
    enum err err;

    err = method_parse(x->method_name, &x->method) ? ERR_OK : ERR_UNSUPPORTED;
    if (!err) {
        err = http_routes_match(x->server->routes, x->method, x->path, &x->arena, &x->match);
        methods = x->match.methods;
    } else if (http_routes_match(x->server->routes, HTTP_GET, x->path, &x->arena, &x->match) != ERR_NOT_FOUND) {
        methods = x->match.methods;
        x->match = (struct http_match){0};
    }
    switch (err) {
    case ERR_OK:
        break;
    case ERR_UNSUPPORTED:
        refuse_method(x, methods);
        break;
    case ERR_SYNTAX:
        http_reply_refusal(x, 400, "the path is not well formed");
        break;
    case ERR_TOO_LARGE:
    case ERR_NOT_FOUND:
        http_reply_refusal(x, 404, "there is nothing at this path");
        break;
    default:
        http_reply_refusal(x, 503, "not enough memory");
    }
    return err;
}

static enum err check_query(struct http_exchange *x)
{
    enum err err = http_query_check(x->query_text, &x->arena);

    if (err == ERR_SYNTAX)
        http_reply_refusal(x, 400, "the query is not well formed");
    else if (err)
        http_reply_refusal(x, 503, "not enough memory");
    return err;
}

/* Everything that can be said once the headers are there. Either nothing is replied, or the refusal is. */
static void check_request(struct http_exchange *x, uint64_t *ret_length)
{
    const struct http_route *route;

    MHD_get_connection_values_n(x->mhd, MHD_HEADER_KIND, on_header, x);
    if (!framing_is_sound(x, ret_length)) {
        *ret_length = UINT64_MAX; /* where this request ends is not known: the connection must not go on */
        http_reply_refusal(x, 400, "Content-Length or Transfer-Encoding do not say where the request ends");
        return;
    }
    if (find_route(x) || check_query(x) || http_access_check(x))
        return;
    route = x->match.routed->route;
    x->body.max = route->body_max;
    if (*ret_length > route->body_max)
        http_reply_refusal(x, 413, route->body_max ? "the body is larger than this route takes" : "this route takes no body");
}

static enum MHD_Result queue(struct http_exchange *x)
{
    enum MHD_Result result;

    if (!x->response)
        return MHD_NO;
    result = MHD_queue_response(x->mhd, (unsigned int)x->status, x->response);
    MHD_destroy_response(x->response);
    x->response = NULL;
    return result;
}

/* A stream outlives its exchange by hours: the exchange's memory is given back at once. */
static enum MHD_Result queue_stream(struct http_exchange *x, void **exchange)
{
    enum MHD_Result result = queue(x);

    if (x->connection) {
        x->connection->exchange = NULL;
        x->connection->is_stream = true;
    }
    *exchange = NULL;
    exchange_give_back(x);
    return result;
}

static enum MHD_Result on_headers(struct http_exchange *x, const char *method)
{
    uint64_t length;

    x->state = EXCHANGE_BODY;
    x->method_name = method;
    if (x->must_close)
        return MHD_NO;
    check_request(x, &length);
    if (x->must_close)
        return MHD_NO;
    if (x->response && (length > DISCARD_MAX || x->expects_continue))
        return queue(x); /* before the body: the library closes the connection after it */
    return MHD_YES;
}

static enum MHD_Result on_body(struct http_exchange *x, const char *bytes, size_t *size)
{
    size_t n = *size;

    *size = 0;
    if (!x->response) {
        x->n_body_bytes += n;
        x->server->n_body_bytes += n;
        if (x->server->n_body_bytes > x->server->limits.bodies_max) {
            metric_add(&x->server->n_refused_bodies, 1);
            http_reply_refusal(x, 503, "too much is being sent just now");
            return MHD_YES;
        }
        buf_append(&x->body, bytes, n);
        if (x->body.err == ERR_TOO_LARGE)
            http_reply_refusal(x, 413, "the body is larger than this route takes");
        else if (x->body.err)
            http_reply_refusal(x, 503, "not enough memory");
        return MHD_YES;
    }
    x->n_discarded += n;
    return x->n_discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

enum MHD_Result http_exchange_on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **exchange)
{
    struct http_exchange *x = *exchange;

    if (!x)
        return MHD_NO;
    if (x->state == EXCHANGE_LINE)
        return on_headers(x, method);
    if (*upload_size > 0)
        return on_body(x, upload, upload_size);
    if (!x->response && !x->must_close && x->state == EXCHANGE_BODY) {
        x->state = EXCHANGE_HANDLING;
        x->match.routed->route->handle(x, x->match.routed->context);
        if (x->state == EXCHANGE_HANDLING) {
            x->state = EXCHANGE_WAITING;
            MHD_suspend_connection(mhd);
            return MHD_YES;
        }
    }
    if (x->must_close)
        return MHD_NO;
    if (x->state == EXCHANGE_WAITING)
        return MHD_YES;
    if (x->is_stream)
        return queue_stream(x, exchange);
    return queue(x);
}

void http_exchange_on_closed(struct http_exchange *x)
{
    x->connection = NULL;
    if (x->state == EXCHANGE_LINE) /* what broke in its first line is never "completed" */
        exchange_give_back(x);
}

void http_exchange_on_completed(void *cls, struct MHD_Connection *mhd, void **exchange, enum MHD_RequestTerminationCode code)
{
    struct http_exchange *x = *exchange;

    if (!x)
        return;
    *exchange = NULL;
    if (x->connection) {
        x->connection->exchange = NULL;
        x->connection->has_served |= code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
        x->connection->quiet_since = clock_mono(loop_clock(x->server->loop));
    }
    x->connection = NULL;
    if (x->sender)
        http_sender_completed(x->sender, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    if (x->state == EXCHANGE_WAITING) { /* the server goes; the handler's reply will free it */
        x->server->n_body_bytes -= x->n_body_bytes;
        x->server = NULL;
        x->mhd = NULL;
        return;
    }
    exchange_give_back(x);
}
