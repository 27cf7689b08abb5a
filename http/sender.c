/*
 * Long bodies: an answer of known length whose bytes come from a source, piece by piece, while they are sent.
 *
 * The library asks for bytes only when the network takes them, and the source is asked for a piece only then: so a slow reader costs one
 * piece, and slows the source. Who reads so slowly that a place would be held for ever is cut. A reader who has gone is noticed at the next
 * piece.
 *
 * Two ends have to come before a sender is over: the library lets the answer go, and tells how the request ended.
 */
#include "http/internal.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#define SENDER_BLOCK (64u << 10) /* the library's own buffer, which goes out in one write */

static void list_add(struct http_sender *sender)
{
    struct http_server *server = sender->server;

    server->n_senders++;
    sender->next = server->senders;
    if (sender->next)
        sender->next->previous = sender;
    server->senders = sender;
}

static void list_remove(struct http_sender *sender)
{
    struct http_server *server = sender->server;

    server->n_senders--;
    if (sender->previous)
        sender->previous->next = sender->next;
    else
        server->senders = sender->next;
    if (sender->next)
        sender->next->previous = sender->previous;
}

static void end(struct http_sender *sender)
{
    bool is_whole = sender->is_complete && !sender->is_broken && sender->n_given == sender->source.n_bytes;

    list_remove(sender);
    sender->source.closed(sender->source.context, is_whole, sender->n_given);
    mem_free(sender);
}

/* The library lets the answer go. */
static void on_free(void *cls)
{
    struct http_sender *sender = cls;

    sender->is_let_go = true;
    sender->fd = -1;
    if (!sender->exchange)
        end(sender);
}

void http_sender_completed(struct http_sender *sender, bool is_complete)
{
    sender->exchange = NULL;
    sender->is_complete = is_complete;
    if (sender->is_let_go)
        end(sender);
}

/* The library asks for bytes to send. */
static ssize_t on_read(void *cls, uint64_t position, char *out, size_t max)
{
    struct http_sender *sender = cls;
    size_t n;

    if (sender->n_taken == sender->piece.len && !sender->is_wanted && !sender->is_broken) {
        sender->is_wanted = true;
        sender->source.want(sender->source.context);
    }
    if (sender->is_broken)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (sender->is_wanted) {
        sender->is_suspended = true;
        MHD_suspend_connection(sender->mhd);
        return 0;
    }
    n = sender->piece.len - sender->n_taken;
    n = n < max ? n : max;
    memcpy(out, sender->piece.ptr + sender->n_taken, n);
    sender->n_taken += n;
    sender->n_given += n;
    return (ssize_t)n;
}

static void wake(struct http_sender *sender)
{
    if (sender->is_suspended) {
        sender->is_suspended = false;
        MHD_resume_connection(sender->mhd);
    }
    sender->server->must_run = true;
}

void http_sender_give(struct http_sender *sender, struct str piece)
{
    assert(loop_is_current(sender->server->loop));
    assert(sender->is_wanted && piece.len > 0 && piece.len <= sender->source.n_bytes - sender->n_given);
    sender->piece = piece;
    sender->n_taken = 0;
    sender->is_wanted = false;
    wake(sender);
}

void http_sender_fail(struct http_sender *sender)
{
    assert(loop_is_current(sender->server->loop));
    sender->is_broken = true;
    wake(sender);
}

static struct http_sender *sender_create(struct http_exchange *x, const struct http_body_source *source)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_sender *sender = mem_alloc_zero(1, sizeof(*sender));

    if (!sender)
        return NULL;
    *sender = (struct http_sender){.server = x->server,
        .exchange = x,
        .mhd = x->mhd,
        .fd = info ? info->connect_fd : -1,
        .source = *source,
        .started = clock_mono(loop_clock(x->server->loop))};
    list_add(sender);
    return sender;
}

enum err http_reply_body(
    struct http_exchange *x, int status, const char *content_type, const struct http_body_source *source, struct http_sender **ret_sender)
{
    struct http_sender *sender;
    struct MHD_Response *response;

    if (!x->server || x->server->n_senders >= x->server->limits.n_senders) {
        if (x->server)
            metric_add(&x->server->n_refused_senders, 1);
        http_reply_err(x, ERR_FULL, STR("too many long answers are on their way; try again"));
        return ERR_FULL;
    }
    sender = sender_create(x, source);
    response = sender ? MHD_create_response_from_callback(source->n_bytes, SENDER_BLOCK, on_read, sender, on_free) : NULL;
    if (!response) {
        if (sender)
            list_remove(sender);
        mem_free(sender);
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return ERR_NO_MEMORY;
    }
    x->sender = sender;
    *ret_sender = sender;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type) != MHD_YES) {
        MHD_destroy_response(response); /* the connection is closed, and `closed` follows */
        response = NULL;
    }
    http_exchange_answer(x, status, response);
    return ERR_OK;
}

void http_senders_break_all(struct http_server *server)
{
    for (struct http_sender *sender = server->senders; sender; sender = sender->next) {
        sender->is_broken = true;
        wake(sender);
    }
}

void http_senders_check(struct http_server *server, struct mono_time now)
{
    for (struct http_sender *sender = server->senders; sender; sender = sender->next) {
        int64_t allowed_ms =
            ((int64_t)server->limits.idle_timeout_s + 1) * 1000 + (int64_t)(sender->n_given / server->limits.sender_slowest) * 1000;
        if (sender->fd < 0 || sender->is_broken || mono_ms_between(sender->started, now) <= allowed_ms)
            continue;
        sender->is_broken = true;
        shutdown(sender->fd, SHUT_RDWR); /* wakes the library also when it waits for this socket to take more */
        wake(sender);
    }
}
