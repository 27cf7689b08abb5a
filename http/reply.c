/*
 * The request as handlers see it, and the replies they make.
 *
 * The bytes of an answer are copied into the exchange's arena, which lives until the answer is sent; large ones into a block of
 * their own. So the library copies nothing.
 */
#include "http/internal.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define ARENA_BODY_MAX (32u << 10) /* larger answers get a block of their own */
#define SCRATCH_KEPT_MAX (16u << 10)

/* ---- the request ---- */

struct arena *http_arena(struct http_exchange *x)
{
    return &x->arena;
}

struct loop *http_loop(struct http_exchange *x)
{
    assert(x->server); /* ended servers have no loop: keep it yourself when you reply later */
    return x->server->loop;
}

enum http_method http_request_method(const struct http_exchange *x)
{
    return x->method;
}

struct str http_path(const struct http_exchange *x)
{
    return x->path;
}

struct str http_param(const struct http_exchange *x, const char *name)
{
    const struct http_routed *routed = x->match.routed;

    for (size_t i = 0; routed && i < routed->n_params; i++)
        if (str_equal_c(routed->names[i], name))
            return x->match.params[i];
    return STR_NONE;
}

struct str http_query(const struct http_exchange *x, const char *name)
{
    struct str value = STR_NONE;
    /* decoding into its arena does not change what the exchange is */
    enum err err = http_query_find(x->query_text, str_from_c(name), &((struct http_exchange *)x)->arena, &value);

    return err ? STR_NONE : value;
}

struct str http_header(const struct http_exchange *x, const char *name)
{
    const char *value = NULL;
    size_t size = 0;

    if (!x->mhd || MHD_lookup_connection_value_n(x->mhd, MHD_HEADER_KIND, name, strlen(name), &value, &size) != MHD_YES || !value)
        return STR_NONE;
    return (struct str){value, size};
}

struct str http_body(const struct http_exchange *x)
{
    return buf_str(&x->body);
}

struct str http_remote_address(struct http_exchange *x)
{
    const union MHD_ConnectionInfo *info = x->mhd ? MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS) : NULL;
    const struct sockaddr *address = info ? info->client_addr : NULL;
    char text[INET6_ADDRSTRLEN] = "";
    struct str copy = STR_NONE;

    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text, sizeof(text));
    else if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, text, sizeof(text));
    return arena_copy_str(&x->arena, str_from_c(text), &copy) ? STR_NONE : copy;
}

bool http_is_gone(const struct http_exchange *x)
{
    const union MHD_ConnectionInfo *info = x->mhd ? MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_CONNECTION_FD) : NULL;
    struct pollfd poll_fd = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};
    return info && poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

const struct http_identity *http_identity(const struct http_exchange *x)
{
    return &x->identity;
}

/* application/json, application/VIID+JSON, application/problem+json; with or without parameters. */
static bool is_json(struct str type)
{
    struct str head = type, rest;

    if (!str_cut(type, ';', &head, &rest))
        head = type;
    head = str_trim(head);
    if (str_equal_nocase(head, STR("application/json")))
        return true;
    return head.len > 5 && str_equal_nocase(str_slice(head, head.len - 5, 5), STR("+json"));
}

enum err http_body_json(struct http_exchange *x, json_t **ret_json)
{
    struct diag diag = {""};
    enum err err;

    if (!str_is_empty(x->content_type) && !is_json(x->content_type)) {
        http_reply_problem(x, 415, STR("send JSON, with Content-Type: application/json"), -1);
        return ERR_UNSUPPORTED;
    }
    if (x->json) {
        *ret_json = x->json;
        return ERR_OK;
    }
    err = json_read(http_body(x), &diag, &x->json);
    if (err == ERR_NO_MEMORY)
        http_reply_err(x, err, STR_NONE);
    else if (err)
        http_reply_problem(x, 400, str_from_c(diag.text), -1);
    else
        *ret_json = x->json;
    return err;
}

/* ---- the reply ---- */

/* A reply that came after its server had gone: it has nowhere to go. */
static bool is_orphan(struct http_exchange *x)
{
    return x->server == NULL;
}

static void orphan_free(struct http_exchange *x)
{
    if (x->json)
        json_decref(x->json);
    arena_finish(&x->arena);
    buf_finish(&x->body);
    mem_free(x);
}

void http_add_header(struct http_exchange *x, const char *name, struct str value)
{
    struct str copy;

    if (x->n_headers_out == HTTP_HEADERS_OUT_MAX || arena_copy_str(&x->arena, value, &copy)) {
        x->must_close = true; /* an answer without a header that it needs would be another answer */
        return;
    }
    x->headers_out[x->n_headers_out].name = name;
    x->headers_out[x->n_headers_out++].value = copy;
}

void http_exchange_answer(struct http_exchange *x, int status, struct MHD_Response *response)
{
    bool was_waiting = x->state == EXCHANGE_WAITING;

    if (is_orphan(x)) {
        if (response)
            MHD_destroy_response(response);
        orphan_free(x);
        return;
    }
    assert(loop_is_current(x->server->loop));
    assert(x->state == EXCHANGE_HANDLING || x->state == EXCHANGE_WAITING || (x->state == EXCHANGE_BODY && !x->response));
    for (size_t i = 0; response && i < x->n_headers_out; i++) {
        if (MHD_add_response_header(response, x->headers_out[i].name, x->headers_out[i].value.ptr) != MHD_YES) {
            MHD_destroy_response(response);
            response = NULL;
        }
    }
    http_measure_answer(x, status);
    x->response = response;
    x->status = status;
    if (!response)
        x->must_close = true;
    if (x->state != EXCHANGE_BODY)
        x->state = EXCHANGE_REPLIED;
    if (was_waiting) {
        MHD_resume_connection(x->mhd);
        x->server->must_run = true;
    }
}

/* A response over a copy of `body`; NULL without memory. */
static struct MHD_Response *response_of(struct http_exchange *x, struct str body)
{
    char *copy;

    if (body.len <= ARENA_BODY_MAX) {
        copy = arena_alloc(&x->arena, body.len ? body.len : 1);
        if (copy && body.len)
            memcpy(copy, body.ptr, body.len);
        return copy ? MHD_create_response_from_buffer(body.len, copy, MHD_RESPMEM_PERSISTENT) : NULL;
    }
    copy = mem_alloc(body.len);
    if (!copy)
        return NULL;
    memcpy(copy, body.ptr, body.len);
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(body.len, copy, mem_free);
    if (!response)
        mem_free(copy);
    return response;
}

void http_reply(struct http_exchange *x, int status, const char *content_type, struct str body)
{
    struct MHD_Response *response = is_orphan(x) ? NULL : response_of(x, body);

    if (response && content_type && MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type) != MHD_YES) {
        MHD_destroy_response(response);
        response = NULL;
    }
    /* what one person may see must not wait in a cache for the next; answers to POST are not kept anyway */
    if (response && x->method == HTTP_GET && x->match.routed && x->match.routed->route->access != HTTP_PUBLIC &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") != MHD_YES) {
        MHD_destroy_response(response);
        response = NULL;
    }
    http_exchange_answer(x, status, response);
}

void http_reply_json(struct http_exchange *x, int status, struct str json)
{
    http_reply(x, status, "application/json", json);
}

void http_problem_write(const struct http_problem *problem, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_field_c(&w, "type", "about:blank");
    json_field_c(&w, "title", MHD_get_reason_phrase_for((unsigned int)problem->status));
    json_field_i64(&w, "status", problem->status);
    if (!str_is_empty(problem->detail))
        json_field_str(&w, "detail", problem->detail);
    if (problem->rule >= 0)
        json_field_i64(&w, "rule", problem->rule);
    json_end_object(&w);
}

void http_reply_problem(struct http_exchange *x, int status, struct str detail, int rule)
{
    struct buf *out;

    if (is_orphan(x)) {
        http_exchange_answer(x, status, NULL);
        return;
    }
    out = &x->server->scratch;
    buf_reset(out);
    http_problem_write(&(struct http_problem){status, detail, rule}, out);
    if (status == 429 || status == 503)
        http_add_header(x, "Retry-After", STR("1"));
    if (out->err)
        http_exchange_answer(x, status, NULL);
    else
        http_reply(x, status, "application/problem+json", buf_str(out));
    if (out->cap > SCRATCH_KEPT_MAX)
        buf_finish(out);
}

void http_reply_refusal(struct http_exchange *x, int status, const char *detail)
{
    http_reply_problem(x, status, str_from_c(detail), -1);
}

struct http_problem http_problem_of(enum err err, struct str detail)
{
    static const struct {
        int status;
        const char *detail; /* when the caller gives none */
    } answers[ERR_COUNT] = {
        [ERR_OK] = {500, NULL},
        [ERR_NO_MEMORY] = {503, "not enough memory"},
        [ERR_FULL] = {503, "too much is waiting already"},
        [ERR_IO] = {500, NULL},
        [ERR_DISK_FULL] = {507, "the disk is full: nothing more can be acknowledged"},
        [ERR_SYNTAX] = {400, NULL},
        [ERR_RANGE] = {400, NULL},
        [ERR_TOO_LARGE] = {413, NULL},
        [ERR_NOT_FOUND] = {404, NULL},
        [ERR_EXISTS] = {409, NULL},
        [ERR_DENIED] = {404, NULL},
        [ERR_UNAUTHENTICATED] = {401, NULL},
        [ERR_BUSY] = {429, "too many requests"},
        [ERR_TIMEOUT] = {504, "the department's system did not answer in time"},
        [ERR_UNAVAILABLE] = {503, "the department's system is not available"},
        [ERR_STATE] = {409, NULL},
        [ERR_CORRUPT] = {500, NULL},
        [ERR_CRYPTO] = {400, NULL},
        [ERR_UNSUPPORTED] = {501, NULL},
        [ERR_CANCELLED] = {503, NULL},
    };
    int status = (size_t)err < ERR_COUNT && answers[err].status ? answers[err].status : 500;

    if (err == ERR_NOT_FOUND || err == ERR_DENIED) /* denied and unknown look the same from outside, whatever the caller knows */
        detail = STR("unknown here, or not for you");
    else if (str_is_empty(detail) && (size_t)err < ERR_COUNT && answers[err].detail)
        detail = str_from_c(answers[err].detail);
    return (struct http_problem){status, detail, -1};
}

void http_reply_err(struct http_exchange *x, enum err err, struct str detail)
{
    struct http_problem problem = http_problem_of(err, detail);
    if (problem.status == 401)
        http_add_header(x, "WWW-Authenticate", STR("Bearer realm=\"citybrain\""));
    http_reply_problem(x, problem.status, problem.detail, problem.rule);
}
