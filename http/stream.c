/*
 * Server-sent events: a chunked answer that never ends, on a connection that sleeps (is suspended) while nothing waits.
 *
 * Each viewer has a bounded queue of bytes. One that does not keep up is cut off rather than slowed down for: the
 * browser comes back by itself and gets the whole state anew. A viewer who has gone is noticed at the next event, which is why a
 * stream should send something every few seconds. A stream does not outlive the session that opened it.
 */
#include "http/internal.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#define STREAM_BLOCK 512              /* the library's own buffer, which a chunked answer does not use */
#define STREAM_KEPT_MAX (8u << 10)    /* a viewer's first picture is large, what follows is small: the large block is given back */
#define STREAM_HEAD "retry: 2000\n\n" /* a browser that is cut off comes back after 2 s */

/* The library asks for bytes to send. */
static ssize_t on_read(void *cls, uint64_t position, char *out, size_t max)
{
    struct http_stream *stream = cls;
    size_t n = stream->waiting.len - stream->n_sent;

    if (stream->is_broken)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (n == 0) {
        if (stream->is_ending)
            return MHD_CONTENT_READER_END_OF_STREAM;
        stream->is_suspended = true;
        MHD_suspend_connection(stream->mhd);
        return 0;
    }
    n = n < max ? n : max;
    memcpy(out, stream->waiting.ptr + stream->n_sent, n);
    stream->n_sent += n;
    if (stream->n_sent == stream->waiting.len) {
        stream->n_sent = 0;
        if (stream->waiting.cap > STREAM_KEPT_MAX)
            buf_finish(&stream->waiting);
        buf_reset(&stream->waiting);
        if (stream->on_empty && !stream->is_ending)
            stream->on_empty(stream->context);
    }
    return (ssize_t)n;
}

static void list_add(struct http_stream *stream)
{
    struct http_server *server = stream->server;

    server->n_streams++;
    stream->next = server->streams;
    if (stream->next)
        stream->next->previous = stream;
    server->streams = stream;
}

static void list_remove(struct http_stream *stream)
{
    struct http_server *server = stream->server;

    server->n_streams--;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        server->streams = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
}

/* The library lets the answer go: the viewer is gone, or all was sent after a close. */
static void on_free(void *cls)
{
    struct http_stream *stream = cls;

    list_remove(stream);
    if (stream->on_close)
        stream->on_close(stream->context);
    buf_finish(&stream->waiting);
    http_credential_finish(&stream->credential);
    mem_free(stream);
}

static struct MHD_Response *response_of(struct http_stream *stream)
{
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_read, stream, on_free);

    if (response && (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream") != MHD_YES ||
                        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") != MHD_YES ||
                        MHD_add_response_header(response, "X-Accel-Buffering", "no") != MHD_YES)) {
        stream->on_close = NULL; /* it never began */
        MHD_destroy_response(response);
        return NULL;
    }
    if (!response) {
        stream->on_close = NULL;
        on_free(stream);
    }
    return response;
}

static enum err refuse(struct http_exchange *x, enum err err)
{
    http_reply_err(x, err, err == ERR_FULL ? STR("all places for live viewers are taken") : STR_NONE);
    return err;
}

enum err http_reply_stream(struct http_exchange *x, void (*on_close)(void *context), void *context, struct http_stream **ret_stream)
{
    struct http_server *server = x->server;
    const union MHD_ConnectionInfo *info;
    struct MHD_Response *response;
    struct http_stream *stream;

    if (!server || server->n_streams >= server->limits.n_streams) {
        if (server)
            metric_add(&server->n_refused_streams, 1);
        return refuse(x, ERR_FULL);
    }
    stream = mem_alloc_zero(1, sizeof(*stream));
    if (!stream)
        return refuse(x, ERR_NO_MEMORY);
    info = MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    *stream =
        (struct http_stream){.server = server, .mhd = x->mhd, .fd = info ? info->connect_fd : -1, .on_close = on_close, .context = context};
    list_add(stream);
    stream->asked = clock_mono(loop_clock(server->loop));
    buf_init(&stream->waiting, server->limits.stream_queue_max);
    buf_append_c(&stream->waiting, STREAM_HEAD);
    if (http_access_keep(x, &stream->credential) || stream->waiting.err) {
        stream->on_close = NULL;
        on_free(stream);
        return refuse(x, ERR_NO_MEMORY);
    }
    response = response_of(stream);
    if (!response)
        return refuse(x, ERR_NO_MEMORY);
    x->is_stream = true;
    http_exchange_answer(x, 200, response);
    *ret_stream = stream;
    return ERR_OK;
}

void http_streams_wake_all(struct http_server *server)
{
    for (struct http_stream *stream = server->streams; stream; stream = stream->next) {
        stream->is_ending = true;
        if (stream->is_suspended)
            MHD_resume_connection(stream->mhd);
        stream->is_suspended = false;
    }
}

void http_streams_check(struct http_server *server, struct mono_time now)
{
    for (struct http_stream *stream = server->streams, *next; stream; stream = next) {
        next = stream->next;
        if (stream->is_ending || mono_ms_between(stream->asked, now) < (int64_t)server->limits.stream_check_s * 1000)
            continue;
        stream->asked = now;
        if (!http_access_holds(server, &stream->credential))
            http_stream_close(stream);
    }
}

static void wake(struct http_stream *stream)
{
    if (stream->is_suspended) {
        stream->is_suspended = false;
        MHD_resume_connection(stream->mhd);
    }
    stream->server->must_run = true;
}

/* The bytes that were sent are dropped when they are more than half, so that a slow viewer's queue does not grow without end. */
static void compact(struct http_stream *stream)
{
    struct buf *waiting = &stream->waiting;

    if (stream->n_sent == 0 || stream->n_sent < waiting->len / 2)
        return;
    memmove(waiting->ptr, waiting->ptr + stream->n_sent, waiting->len - stream->n_sent);
    waiting->len -= stream->n_sent;
    stream->n_sent = 0;
}

enum err http_stream_send(struct http_stream *stream, const char *event, struct str data)
{
    struct buf *waiting = &stream->waiting;

    assert(loop_is_current(stream->server->loop));
    assert(!data.len || !memchr(data.ptr, '\n', data.len));
    if (stream->is_broken || stream->is_ending)
        return ERR_STATE;
    compact(stream);
    buf_append(waiting, "event: ", 7);
    buf_append_c(waiting, event);
    buf_append(waiting, "\ndata: ", 7);
    buf_append_str(waiting, data);
    buf_append(waiting, "\n\n", 2);
    if (waiting->err) {
        stream->is_broken = true;
        metric_add(&stream->server->n_slow_viewers, 1);
        if (stream->fd >= 0)
            shutdown(stream->fd, SHUT_RDWR); /* wakes the library also when it waits for this socket to take more */
        wake(stream);
        return ERR_FULL;
    }
    wake(stream);
    return ERR_OK;
}

void http_stream_on_empty(struct http_stream *stream, void (*fn)(void *context))
{
    assert(loop_is_current(stream->server->loop));
    stream->on_empty = fn;
}

void http_stream_close(struct http_stream *stream)
{
    assert(loop_is_current(stream->server->loop));
    stream->is_ending = true;
    wake(stream);
}
