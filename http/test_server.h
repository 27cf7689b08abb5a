/*
 * For this folder's tests: a server with a few routes on a loop of its own, and sockets that speak to it byte by byte.
 */
#ifndef HTTP_TEST_SERVER_H
#define HTTP_TEST_SERVER_H

#include "base/test.h"
#include "http/server.h"

#include <stdatomic.h>

struct test_server {
    struct loop_thread *thread;
    struct http_server *server;
    struct http_limits limits;
    uint16_t port;
    bool share_port;
    char folder[64];               /* what /files/… serves */
    struct http_mount more;        /* a test's own routes */
    struct http_exchange *kept[8]; /* by /keep */
    size_t n_kept;
    struct http_stream *streams[8];
    size_t n_streams;
    _Atomic int n_closed;       /* streams whose on_close ran */
    _Atomic bool is_signed_out; /* the session that was good has ended, the token is withdrawn */
    _Atomic bool is_relieved;   /* who was at a post is a citizen now */
};

void test_server_start(struct test_server *t);
void test_server_stop(struct test_server *t);
void test_server_reply_kept(void *t); /* to what /keep kept; on the loop, or after the server ended */
/* Runs `fn(t)` on the server's loop. */
void test_server_call(struct test_server *t, void (*fn)(void *t));

int test_connect(uint16_t port);                       /* with a time-out of 10 s on reads */
void test_send(int fd, const char *bytes, size_t len); /* all of it; a broken connection is no failure */
void test_send_c(int fd, const char *text);

/* One answer: its status, 0 when the connection ended before one. `out` gets head and body, NUL-terminated. */
int test_read_answer(int fd, char *out, size_t size, bool is_head);
/* A request on a connection of its own. */
int test_ask(uint16_t port, const char *request, char *out, size_t size);
bool test_is_closed(int fd); /* waits up to 10 s for the end */

#endif
