/* The server on real sockets: what it answers, what it refuses, and that nobody can hold it up. */
#include "base/mem.h"
#include "http/test_server.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX (400 << 10)
#define N_CONNECTIONS_MAX 1000

static char answer[ANSWER_MAX];

static int setup(void **state)
{
    static struct test_server server;

    memset(&server, 0, sizeof(server));
    server.limits.idle_timeout_s = 30;
    test_server_start(&server);
    *state = &server;
    return 0;
}

static int teardown(void **state)
{
    test_server_stop(*state);
    return mem_n_live() == 0 ? 0 : -1;
}

static void answers(void **state)
{
    struct test_server *t = *state;
    static const struct {
        const char *request;
        int status;
        const char *says;
    } rows[] = {
        {"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", 200, "{\"hello\":\"world\"}"},
        {"GET /later HTTP/1.1\r\nHost: h\r\n\r\n", 200, "{\"later\":true}"},
        {"GET /hello HTTP/1.0\r\n\r\n", 200, "{\"hello\":\"world\"}"},
        {"HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n", 200, "Content-Length: 17"},
        {"GET /echo/a%20b?p=1&q=%E6%B5%99+2 HTTP/1.1\r\nHost: h\r\nUser-Agent: t\r\n\r\n", 200,
            "\"path\":\"/echo/a%20b\",\"name\":\"a b\",\"q\":\"浙 2\",\"agent\":\"t\""},
        {"GET /echo/x HTTP/1.1\r\nHost: h\r\n\r\n", 200, "X-Echo: yes"},
        {"GET /echo/x HTTP/1.1\r\nHost: h\r\nCookie: a=b; theme=dark\r\n\r\n", 200, "\"from\":\"127.0.0.1\",\"theme\":\"dark\""},
        {"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 404, "\"status\":404"},
        {"GET /echo/../secret HTTP/1.1\r\nHost: h\r\n\r\n", 400, "the path is not well formed"},
        {"GET /echo/%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400, "the path is not well formed"},
        {"GET /echo/x?q=%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "the query is not well formed"},
        {"POST /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 405, "Allow: GET, HEAD"},
        {"OPTIONS /private/x HTTP/1.1\r\nHost: h\r\n\r\n", 405, "Allow: GET, POST, DELETE, HEAD"},
        {"TRACE /hello HTTP/1.1\r\nHost: h\r\n\r\n", 405, "Allow: GET, HEAD"},
        {"GET /err/8 HTTP/1.1\r\nHost: h\r\n\r\n", 404, "unknown here, or not for you"},
        {"GET /err/10 HTTP/1.1\r\nHost: h\r\n\r\n", 404, "unknown here, or not for you"},
        {"GET /err/12 HTTP/1.1\r\nHost: h\r\n\r\n", 429, "Retry-After: 1"},
        {"GET /err/14 HTTP/1.1\r\nHost: h\r\n\r\n", 503, "application/problem+json"},
        {"GET /err/13 HTTP/1.1\r\nHost: h\r\n\r\n", 504, "Gateway Timeout"},
        {"GET /err/4 HTTP/1.1\r\nHost: h\r\n\r\n", 507, "the disk is full"},
        {"GET /err/11 HTTP/1.1\r\nHost: h\r\n\r\n", 401, "WWW-Authenticate: Bearer"},
        {"POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}", 200, "{}"},
        {"POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json; charset=utf-8\r\nTransfer-Encoding: "
         "chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n",
            200, "{}"},
        {"POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 6\r\n\r\n{\"a\":1", 400, "JSON, line 1"},
        {"POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"a\":1,\"a\":2}", 400,
            "duplicate"},
        {"POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n{\"a\":1}", 415, "application/json"},
        {"GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 413, "takes no body"},
        {"POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 1001\r\n\r\n", 413, NULL},
        {"POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n", 413,
            "larger than this route"},
        {"POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n", 413,
            "larger than this route"},
        {"POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n", 404, "nothing at this path"},
        {"POST /json HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\n{\"a\":1}", 400, NULL},
        {"POST /json HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL},
        {"POST /json HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, NULL},
        {"POST /json HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x\r\n\r\n{}", 400, NULL},
        {"POST /json HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \r\n\r\n{}", 400, NULL},
        {"POST /json HTTP/1.1\r\nHost: h\r\nContent-Length: -7\r\n\r\n{\"a\":1}", 400, NULL},
        {"GET /hello HTTP/1.1\r\n\r\n", 400, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = test_connect(t->port), status;
        test_send_c(fd, rows[i].request);
        if (!rows[i].says && rows[i].status == 413) { /* the body comes, is read and dropped, and the refusal follows */
            memset(answer, 'x', 1001);
            test_send(fd, answer, 1001);
        }
        status = test_read_answer(fd, answer, sizeof(answer), strncmp(rows[i].request, "HEAD", 4) == 0);
        close(fd);
        if (status != rows[i].status || (rows[i].says && !strstr(answer, rows[i].says)))
            fail_msg("row %zu: %d, not %d with \"%s\":\n%s\n---\n%s", i, status, rows[i].status, rows[i].says ? rows[i].says : "",
                rows[i].request, answer);
    }
}

static void answers_large(void **state)
{
    struct test_server *t = *state;

    assert_int_equal(test_ask(t->port, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
    assert_int_equal(strlen(strstr(answer, "\r\n\r\n") + 4), 300000);
}

/* A chunked body does not say its length beforehand. */
static void refuses_bodies_that_grow(void **state)
{
    struct test_server *t = *state;
    int fd = test_connect(t->port), status;

    memset(answer, 'x', 0x400);
    test_send_c(fd, "POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 4; i++) {
        test_send_c(fd, "400\r\n");
        test_send(fd, answer, 0x400);
        test_send_c(fd, "\r\n");
    }
    test_send_c(fd, "0\r\n\r\n");
    status = test_read_answer(fd, answer, sizeof(answer), false);
    assert_int_equal(status, 413);
    close(fd);

    memset(answer, 'x', 0x400);
    fd = test_connect(t->port); /* one that does not stop is cut off */
    test_send_c(fd, "POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1000; i++) {
        test_send_c(fd, "400\r\n");
        test_send(fd, answer, 0x400);
        test_send_c(fd, "\r\n");
    }
    assert_true(test_is_closed(fd));
    close(fd);
}

static void refuses_what_is_no_http(void **state)
{
    static struct test_server server, *t = &server;
    static char large[64 << 10];
    static const char *const requests[] = {"\r\n\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "GET /hello HTTP/9.9\r\nHost: h\r\n\r\n", "GET /hello\r\nHost: h\r\n\r\n", "GET /hello HTTP/1.1\r\nHost\r\n\r\n",
        "GET /hello HTTP/1.1\r\n: x\r\n\r\n", "{}{}{}{}\n\n\n",
        "POST /json HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /json HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n"};

    memset(&server, 0, sizeof(server));
    /* An end that comes together with the bytes before it is sometimes seen only when the connection has been silent for its time. */
    server.limits.idle_timeout_s = 2;
    test_server_start(&server);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        int fd = test_connect(t->port), status;
        test_send_c(fd, requests[i]);
        shutdown(fd, SHUT_WR);
        status = test_read_answer(fd, answer, sizeof(answer), false);
        if (status != 0 && (status < 400 || status >= 600) && i != 4) /* HTTP/0.9 has no status */
            fail_msg("request %zu is answered %d", i, status);
        close(fd);
    }
    memset(large, 'a', sizeof(large));
    for (int at = 0; at < 3; at++) { /* a name, a value and a path without an end */
        static const char *const heads[] = {"GET /hello HTTP/1.1\r\nHost: h\r\n", "GET /hello HTTP/1.1\r\nHost: h\r\nX: ", "GET /"};
        int fd = test_connect(t->port), status;
        test_send_c(fd, heads[at]);
        test_send(fd, large, sizeof(large));
        status = test_read_answer(fd, answer, sizeof(answer), false);
        if (status != 0 && status != 413 && status != 414 && status != 431)
            fail_msg("endless %s is answered %d", heads[at], status);
        assert_true(test_is_closed(fd));
        close(fd);
    }
    for (int n = 63; n <= 1500; n += 1437) { /* names in the query: as many as there may be, and as many as fit in the head */
        int fd = test_connect(t->port);
        struct buf request;
        buf_init(&request, 16 << 10);
        buf_append_c(&request, "GET /hello?a");
        for (int i = 0; i < n; i++)
            buf_append_c(&request, "&a=b");
        buf_append_c(&request, " HTTP/1.1\r\nHost: h\r\n\r\n");
        test_send(fd, request.ptr, request.len);
        assert_int_equal(test_read_answer(fd, answer, sizeof(answer), false), n == 63 ? 200 : 0);
        if (n > 63)
            assert_true(test_is_closed(fd));
        buf_finish(&request);
        close(fd);
    }
    assert_int_equal(test_ask(t->port, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
    test_server_stop(&server);
    assert_int_equal(mem_n_live(), 0);
}

static void answers_a_pipeline_in_order(void **state)
{
    struct test_server *t = *state;
    int fd = test_connect(t->port);
    struct buf requests;

    buf_init(&requests, 1 << 20);
    for (int i = 0; i < 100; i++)
        buf_printf(&requests, "GET %s%d HTTP/1.1\r\nHost: h\r\n\r\n", i % 3 ? "/echo/" : "/later?", i);
    test_send(fd, requests.ptr, requests.len);
    for (int i = 0; i < 100; i++) {
        char wanted[32];
        snprintf(wanted, sizeof(wanted), i % 3 ? "\"name\":\"%d\"" : "\"later\":true", i);
        assert_int_equal(test_read_answer(fd, answer, sizeof(answer), false), 200);
        if (!strstr(answer, wanted))
            fail_msg("answer %d is %s", i, answer);
    }
    buf_finish(&requests);
    close(fd);
}

static int connections[N_CONNECTIONS_MAX];

static void connect_all(struct test_server *t, int n)
{
    for (int i = 0; i < n; i++)
        connections[i] = test_connect(t->port);
}

static void close_all(int n)
{
    for (int i = 0; i < n; i++)
        close(connections[i]);
}

/* 128 is the size of the library's batch of events, at which its own thread stalls. */
static void serves_many_connections(void **state)
{
    struct test_server *t = *state;
    static const int counts[] = {1, 64, 127, 128, 129, 256, 1000};

    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        int n = counts[c];
        connect_all(t, n);
        for (int round = 0; round < 6; round++) {
            const char *request = round % 2 ? "GET /later HTTP/1.1\r\nHost: h\r\n\r\n" : "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
            for (int i = 0; i < n; i++)
                test_send_c(connections[i], request);
            for (int i = 0; i < n; i++)
                if (test_read_answer(connections[i], answer, sizeof(answer), false) != 200)
                    fail_msg("%d connections, round %d: connection %d has no answer", n, round, i);
        }
        close_all(n);
    }
}

static void idle_ones_do_not_matter(void **state)
{
    struct test_server *t = *state;
    int fd;

    connect_all(t, N_CONNECTIONS_MAX);
    for (int i = 0; i < N_CONNECTIONS_MAX; i += 2)
        test_send_c(connections[i], "GET /hel"); /* half of them have begun */
    fd = test_connect(t->port);
    for (int i = 0; i < 1000; i++) {
        test_send_c(fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_int_equal(test_read_answer(fd, answer, sizeof(answer), false), 200);
    }
    close(fd);
    test_send_c(connections[0], "lo HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(test_read_answer(connections[0], answer, sizeof(answer), false), 200);
    close_all(N_CONNECTIONS_MAX);
}

/* Each sends a byte now and then, in its own part of a request; all are cut off, nobody else notices. */
static void slow_senders_are_cut_off(void **state)
{
    static struct test_server server;
    static const char *const heads[] = {"", "GET /hello HTTP/1.1\r\nHost: h\r\nX: ",
        "POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"};
    int fds[3], open = 3;

    memset(&server, 0, sizeof(server));
    server.limits.idle_timeout_s = 1;
    test_server_start(&server);
    for (int i = 0; i < 3; i++) {
        fds[i] = test_connect(server.port);
        test_send_c(fds[i], heads[i]);
    }
    for (int round = 0; round < 50 && open; round++) {
        open = 0;
        for (int i = 0; i < 3; i++) {
            struct pollfd poll_fd = {.fd = fds[i], .events = POLLIN | POLLRDHUP};
            test_send_c(fds[i], "a");
            open += poll(&poll_fd, 1, 0) == 0;
        }
        assert_int_equal(test_ask(server.port, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
        usleep(200000);
    }
    assert_int_equal(open, 0);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    test_server_stop(&server);
    assert_int_equal(mem_n_live(), 0);
}

/* Bodies that wait for their end hold memory: all together they may hold so much. */
static void limits_bodies_together(void **state)
{
    static struct test_server server;
    static const char head[] = "POST /private/x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good-token\r\nContent-Length: 60000\r\n\r\n";
    int fds[3];

    memset(&server, 0, sizeof(server));
    server.limits.bodies_max = 150000;
    test_server_start(&server);
    memset(answer, 'x', 60000);
    for (int i = 0; i < 3; i++) {
        fds[i] = test_connect(server.port);
        test_send(fds[i], head, sizeof(head) - 1);
        test_send(fds[i], answer, 59999);
        usleep(50000); /* it has come before the next begins */
    }
    for (int i = 2; i >= 0; i--) {
        test_send_c(fds[i], "x");
        assert_int_equal(test_read_answer(fds[i], answer, sizeof(answer), false), i == 2 ? 503 : 200);
    }
    memset(answer, 'x', 60000);
    test_send(fds[2], head, sizeof(head) - 1); /* now there is room */
    test_send(fds[2], answer, 60000);
    assert_int_equal(test_read_answer(fds[2], answer, sizeof(answer), false), 200);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    test_server_stop(&server);
    assert_int_equal(mem_n_live(), 0);
}

static void takes_heads_up_to_its_limit(void **state)
{
    struct test_server *t = *state;
    static char request[8 << 10];
    int n = snprintf(request, sizeof(request), "GET /hello HTTP/1.1\r\nHost: h\r\nX: ");

    memset(request + n, 'a', 7500);
    snprintf(request + n + 7500, sizeof(request) - (size_t)n - 7500, "\r\n\r\n");
    assert_int_equal(test_ask(t->port, request, answer, sizeof(answer)), 200);
}

static void nothing(void *t) {}

/* What was sent before has been seen by the server. */
static void be_seen(struct test_server *t)
{
    for (int i = 0; i < 3; i++)
        test_server_call(t, nothing);
}

/* Places on which something is asked are taken from nobody. */
static void limits_connections(void **state)
{
    static struct test_server server;
    int n_served = 0;

    memset(&server, 0, sizeof(server));
    server.limits.n_connections = 10;
    test_server_start(&server);
    for (int i = 0; i < 15; i++) {
        connections[i] = test_connect(server.port);
        test_send_c(
            connections[i], "POST /private/x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good-token\r\nContent-Length: 4\r\n\r\nab");
        be_seen(&server);
    }
    for (int i = 0; i < 15; i++) {
        test_send_c(connections[i], "cd");
        n_served += test_read_answer(connections[i], answer, sizeof(answer), false) == 200;
    }
    assert_int_equal(n_served, 10);
    close(connections[0]);
    be_seen(&server);
    assert_int_equal(test_ask(server.port, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
    for (int i = 1; i < 15; i++)
        close(connections[i]);
    test_server_stop(&server);
    assert_int_equal(mem_n_live(), 0);
}

/* Many times more connections than there are places, that say nothing or never the whole: who asks comes through, and who has asked
 * before keeps its place. */
static void silence_gives_way(void **state)
{
    static struct test_server server;
    static const char ask[] = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
    int n_closed = 0;

    memset(&server, 0, sizeof(server));
    server.limits.n_connections = 16;
    test_server_start(&server);
    int good = test_connect(server.port);
    for (int i = 0; i < 300; i++) {
        connections[i] = test_connect(server.port);
        test_send_c(connections[i], i % 3 == 0 ? "" : i % 3 == 1 ? "GET /hel" : "GET /hello HTTP/1.1\r\nX: ");
        be_seen(&server);
        if (i % 10 == 0)
            assert_int_equal(test_ask(server.port, ask, answer, sizeof(answer)), 200);
        if (i % 5 == 0) {
            test_send_c(good, ask);
            assert_int_equal(test_read_answer(good, answer, sizeof(answer), false), 200);
        }
    }
    close(good);
    for (int i = 0; i < 300; i++) {
        struct pollfd poll_fd = {.fd = connections[i], .events = POLLIN | POLLRDHUP};
        n_closed += poll(&poll_fd, 1, 0) == 1;
        close(connections[i]);
    }
    assert_in_range(n_closed, 280, 299); /* the newest are still waited for */
    /* Those that asked once and hold their place since: the one that has been idle longest goes first. */
    for (int i = 0; i < 30; i++) {
        connections[i] = test_connect(server.port);
        test_send_c(connections[i], ask);
        assert_int_equal(test_read_answer(connections[i], answer, sizeof(answer), false), 200);
    }
    assert_true(test_is_closed(connections[0]));
    test_send_c(connections[29], ask);
    assert_int_equal(test_read_answer(connections[29], answer, sizeof(answer), false), 200);
    for (int i = 0; i < 30; i++)
        close(connections[i]);
    test_server_stop(&server);
    assert_int_equal(mem_n_live(), 0);
}

static void replies_when_the_handler_wants(void **state)
{
    struct test_server *t = *state;
    int fd = test_connect(t->port);

    test_send_c(fd, "GET /keep HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(test_ask(t->port, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
    test_server_call(t, test_server_reply_kept);
    assert_int_equal(test_read_answer(fd, answer, sizeof(answer), false), 200);
    assert_non_null(strstr(answer, "kept"));

    test_send_c(fd, "GET /keep HTTP/1.1\r\nHost: h\r\n\r\n"); /* who asked has gone when the reply comes */
    assert_int_equal(test_ask(t->port, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
    close(fd);
    usleep(20000);
    test_server_call(t, test_server_reply_kept);
    assert_int_equal(test_ask(t->port, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
}

static void a_reply_may_come_after_the_server(void **state)
{
    static struct test_server server;
    int fd;

    memset(&server, 0, sizeof(server));
    test_server_start(&server);
    fd = test_connect(server.port);
    test_send_c(fd, "GET /keep HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(test_ask(server.port, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
    test_server_stop(&server);
    assert_int_equal(server.n_kept, 1);
    test_server_reply_kept(&server);
    close(fd);
    assert_int_equal(mem_n_live(), 0);
}

static void says_when_the_port_is_taken(void **state)
{
    struct test_server *t = *state;
    struct diag diag = {""};

    assert_err(http_port_check("127.0.0.1", t->port, &diag), ERR_EXISTS);
    assert_non_null(strstr(diag.text, "another program listens on 127.0.0.1 port"));
    assert_non_null(strstr(diag.text, "--port"));
    assert_err(http_port_check("brain.local", 80, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "is not an IP address"));
    assert_ok(http_port_check("127.0.0.1", 0, &diag));
}

static void two_servers_share_a_port(void **state)
{
    static struct test_server one, two;

    memset(&one, 0, sizeof(one));
    one.share_port = true;
    test_server_start(&one);
    memset(&two, 0, sizeof(two));
    two.share_port = true;
    two.port = one.port;
    test_server_start(&two);
    for (int i = 0; i < 50; i++)
        assert_int_equal(test_ask(one.port, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
    test_server_stop(&one);
    for (int i = 0; i < 50; i++)
        assert_int_equal(test_ask(two.port, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
    test_server_stop(&two);
    assert_int_equal(mem_n_live(), 0);
}

/* Each allocation of a request fails once: the client gets an answer or a closed connection, the next one is served. */
static void survives_failing_memory(void **state)
{
    struct test_server *t = *state;
    static const char *const requests[] = {"GET /later HTTP/1.1\r\nHost: h\r\n\r\n", "GET /large HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /json HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
        "POST /private/x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good-token\r\nContent-Length: 2\r\n\r\n{}"};

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        int n_failed = 0;
        for (uint64_t nth = 1; nth < 12; nth++) {
            mem_fail_nth(nth);
            int status = test_ask(t->port, requests[i], answer, sizeof(answer));
            mem_fail_nth(0);
            if (status != 200 && status != 503 && status != 0)
                fail_msg("%s: %d when allocation %d fails", requests[i], status, (int)nth);
            n_failed += status != 200;
            assert_int_equal(test_ask(t->port, requests[i], answer, sizeof(answer)), 200);
        }
        if (i == 1)
            assert_true(n_failed > 0); /* the others' memory is in the pool already */
    }
}

static void sends_files(void **state)
{
    struct test_server *t = *state;
    char folder[] = "/tmp/http_test_XXXXXX", path[128], request[512];
    const char *etag;
    static const char *const names[] = {"a.js", "a.js.br", "a.js.gz", "page.html"};

    assert_non_null(mkdtemp(folder));
    snprintf(t->folder, sizeof(t->folder), "%s", folder);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fprintf(file, "content of %s", names[i]);
        fclose(file);
    }
    assert_int_equal(test_ask(t->port, "GET /files/a.js HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
    assert_non_null(strstr(answer, "\r\n\r\ncontent of a.js"));
    assert_non_null(strstr(answer, "Content-Type: text/javascript"));
    assert_non_null(strstr(answer, "X-Content-Type-Options: nosniff"));
    assert_non_null(strstr(answer, "Cache-Control: max-age=60"));
    etag = strstr(answer, "ETag: ");
    assert_non_null(etag);
    snprintf(request, sizeof(request), "GET /files/a.js HTTP/1.1\r\nHost: h\r\nIf-None-Match: %.*s\r\n\r\n", (int)strcspn(etag + 6, "\r"),
        etag + 6);
    assert_int_equal(test_ask(t->port, request, answer, sizeof(answer)), 304);

    assert_int_equal(
        test_ask(t->port, "GET /files/a.js HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip, br\r\n\r\n", answer, sizeof(answer)), 200);
    assert_non_null(strstr(answer, "\r\n\r\ncontent of a.js.br"));
    assert_non_null(strstr(answer, "Content-Encoding: br"));
    assert_non_null(strstr(answer, "Content-Type: text/javascript"));
    assert_int_equal(
        test_ask(t->port, "GET /files/a.js HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip;q=0.5, br;q=0\r\n\r\n", answer, sizeof(answer)),
        200);
    assert_non_null(strstr(answer, "\r\n\r\ncontent of a.js.gz"));

    assert_int_equal(test_ask(t->port, "GET /files/page.html HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
    assert_non_null(strstr(answer, "Content-Security-Policy: default-src 'self'"));
    assert_int_equal(test_ask(t->port, "HEAD /files/page.html HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 200);
    assert_non_null(strstr(answer, "Content-Length: 20"));
    assert_int_equal(test_ask(t->port, "GET /files/none.js HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 404);
    assert_int_equal(test_ask(t->port, "GET /files/ HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 404); /* a folder */
    assert_int_equal(test_ask(t->port, "GET /files/..%2f..%2fetc/passwd HTTP/1.1\r\nHost: h\r\n\r\n", answer, sizeof(answer)), 400);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_large, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bodies_that_grow, setup, teardown),
        cmocka_unit_test(refuses_what_is_no_http),
        cmocka_unit_test_setup_teardown(answers_a_pipeline_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(serves_many_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_ones_do_not_matter, setup, teardown),
        cmocka_unit_test(slow_senders_are_cut_off),
        cmocka_unit_test_setup_teardown(takes_heads_up_to_its_limit, setup, teardown),
        cmocka_unit_test(limits_bodies_together),
        cmocka_unit_test(limits_connections),
        cmocka_unit_test(silence_gives_way),
        cmocka_unit_test_setup_teardown(replies_when_the_handler_wants, setup, teardown),
        cmocka_unit_test(a_reply_may_come_after_the_server),
        cmocka_unit_test_setup_teardown(says_when_the_port_is_taken, setup, teardown),
        cmocka_unit_test(two_servers_share_a_port),
        cmocka_unit_test_setup_teardown(survives_failing_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(sends_files, setup, teardown),
    };
    struct rlimit limit = {0};

    getrlimit(RLIMIT_NOFILE, &limit); /* both ends of 1,000 connections are in this process */
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
