/* Server-sent events: what a viewer gets, and what becomes of one that is slow, gone, or one too many. */
#include "base/mem.h"
#include "http/test_server.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"

static char text[1 << 16];

static struct test_server *start(struct http_limits limits)
{
    static struct test_server server;

    memset(&server, 0, sizeof(server));
    server.limits = limits;
    test_server_start(&server);
    return &server;
}

static void stop(struct test_server *t)
{
    test_server_stop(t);
    assert_int_equal(mem_n_live(), 0);
}

/* Reads until `wanted` was seen; false at the end of the connection. */
static bool read_until(int fd, const char *wanted)
{
    size_t len = 0;

    text[0] = '\0';
    while (len + 1 < sizeof(text)) {
        ssize_t n = recv(fd, text + len, sizeof(text) - len - 1, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        text[len] = '\0';
        if (strstr(text, wanted))
            return true;
        if (strstr(text, "HTTP/1.1 503")) /* refused; the connection stays open for another request */
            return false;
    }
    return false;
}

static void send_second(void *context)
{
    struct test_server *t = context;

    for (size_t i = 0; i < t->n_streams; i++)
        assert_ok(http_stream_send(t->streams[i], "indicators", STR("{\"n\":1}")));
}

static void close_first(void *context)
{
    struct test_server *t = context;

    assert_ok(http_stream_send(t->streams[0], "last", STR("{}")));
    http_stream_close(t->streams[0]);
    assert_err(http_stream_send(t->streams[0], "more", STR("{}")), ERR_STATE);
}

static void wait_closed(struct test_server *t, int n)
{
    for (int i = 0; i < 500 && atomic_load(&t->n_closed) < n; i++)
        usleep(10000);
    assert_int_equal(atomic_load(&t->n_closed), n);
}

static void viewers_get_events(void **state)
{
    struct test_server *t = start((struct http_limits){0});
    int one = test_connect(t->port), two = test_connect(t->port);

    test_send_c(one, ASK);
    assert_true(read_until(one, "event: first\ndata: {\"n\":0}\n\n"));
    assert_non_null(strstr(text, "Content-Type: text/event-stream"));
    test_send_c(two, ASK);
    assert_true(read_until(two, "event: first"));
    test_server_call(t, send_second);
    assert_true(read_until(one, "event: indicators\ndata: {\"n\":1}\n\n"));
    assert_true(read_until(two, "event: indicators\ndata: {\"n\":1}\n\n"));
    test_server_call(t, close_first);
    assert_true(read_until(one, "event: last\ndata: {}\n\n"));
    wait_closed(t, 1);
    close(one);
    stop(t); /* ends the second */
    assert_true(test_is_closed(two));
    assert_int_equal(atomic_load(&t->n_closed), 2);
    close(two);
}

/* The time-out of silent connections is not meant for viewers: nothing is silent about one that waits. */
static void a_quiet_stream_stays(void **state)
{
    struct test_server *t = start((struct http_limits){.idle_timeout_s = 1});
    int fd = test_connect(t->port);

    test_send_c(fd, ASK);
    assert_true(read_until(fd, "event: first"));
    usleep(3200000);
    test_server_call(t, send_second);
    assert_true(read_until(fd, "event: indicators"));
    assert_int_equal(atomic_load(&t->n_closed), 0);
    close(fd);
    stop(t);
}

static void send_after_leaving(void *context)
{
    struct test_server *t = context;

    if (atomic_load(&t->n_closed) == 0)
        (void)!http_stream_send(t->streams[0], "ping", STR("{}"));
}

static void one_that_left_is_noticed(void **state)
{
    struct test_server *t = start((struct http_limits){0});
    int fd = test_connect(t->port);

    test_send_c(fd, ASK);
    assert_true(read_until(fd, "event: first"));
    close(fd);
    for (int i = 0; i < 100 && atomic_load(&t->n_closed) == 0; i++) {
        test_server_call(t, send_after_leaving);
        usleep(5000);
    }
    wait_closed(t, 1);
    stop(t);
}

/* What the socket does not take waits in the stream's queue; past its limit the viewer goes. */
static void flood(void *context)
{
    struct test_server *t = context;
    static char data[10000];
    enum err err = ERR_OK;

    memset(data, 'x', sizeof(data));
    for (int i = 0; i < 10000 && !err; i++)
        err = http_stream_send(t->streams[0], "flood", (struct str){data, sizeof(data)});
    assert_err(err, ERR_FULL);
    assert_err(http_stream_send(t->streams[0], "flood", STR("x")), ERR_STATE);
}

static void a_slow_viewer_is_cut_off(void **state)
{
    struct test_server *t = start((struct http_limits){.stream_queue_max = 100000});
    int fd = test_connect(t->port), other = test_connect(t->port), status;

    test_send_c(fd, ASK);
    assert_true(read_until(fd, "event: first"));
    for (int i = 0; i < 200; i++) { /* its socket's buffers fill while it does not read; the server goes on */
        test_server_call(t, send_second);
        test_send_c(other, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
        status = test_read_answer(other, text, sizeof(text), false);
        assert_int_equal(status, 200);
    }
    test_server_call(t, flood);
    wait_closed(t, 1);
    assert_true(test_is_closed(fd));
    close(fd);
    close(other);
    stop(t);
}

static void places_are_limited(void **state)
{
    struct test_server *t = start((struct http_limits){.n_streams = 2});
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = test_connect(t->port);
        test_send_c(fds[i], ASK);
        if (i < 2) {
            assert_true(read_until(fds[i], "event: first"));
        } else {
            assert_int_equal(test_read_answer(fds[i], text, sizeof(text), false), 503);
            assert_non_null(strstr(text, "all places for live viewers are taken"));
        }
    }
    test_server_call(t, close_first);
    wait_closed(t, 1);
    test_send_c(fds[2], ASK); /* the refused one keeps its connection, and now has a place */
    assert_true(read_until(fds[2], "event: first"));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    stop(t);
}

#define N_PARTS 300
#define PART 10000

static size_t n_parts_sent;

static void send_part(void *context)
{
    struct test_server *t = context;
    static char data[PART];

    memset(data, 'x', sizeof(data));
    if (n_parts_sent < N_PARTS) {
        n_parts_sent++;
        assert_ok(http_stream_send(t->streams[0], "part", (struct str){data, sizeof(data)}));
    }
}

static void send_parts(void *context)
{
    struct test_server *t = context;

    http_stream_on_empty(t->streams[0], send_part);
    send_part(t);
}

/* Three megabytes through a queue of 30,000 bytes: nothing is cut off, whatever the viewer's speed. */
static void what_is_larger_than_the_queue_goes_in_parts(void **state)
{
    struct test_server *t = start((struct http_limits){.stream_queue_max = 3 * PART});
    int fd = test_connect(t->port);
    size_t len = 0;

    n_parts_sent = 0;
    test_send_c(fd, ASK);
    assert_true(read_until(fd, "event: first"));
    test_server_call(t, send_parts);
    usleep(100000); /* the socket fills */
    while (len < N_PARTS * PART) {
        ssize_t n = recv(fd, text, sizeof(text), 0);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
            len += text[i] == 'x';
    }
    assert_int_equal(n_parts_sent, N_PARTS);
    assert_int_equal(len, N_PARTS * PART);
    test_server_call(t, send_second); /* and goes on */
    assert_true(read_until(fd, "event: indicators"));
    assert_int_equal(atomic_load(&t->n_closed), 0);
    close(fd);
    stop(t);
}

/* Signing out, or a token withdrawn, ends what was opened with it; streams that need nobody's name go on. */
static void a_stream_ends_with_its_session(void **state)
{
    static const char *const asks[] = {"GET /private-stream HTTP/1.1\r\nHost: h\r\nCookie: citybrain=good-session\r\n\r\n",
        "GET /private-stream HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good-token\r\n\r\n", ASK};
    struct test_server *t = start((struct http_limits){.stream_check_s = 1});
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = test_connect(t->port);
        test_send_c(fds[i], asks[i]);
        assert_true(read_until(fds[i], "event: first"));
    }
    usleep(2500000); /* asked again twice */
    test_server_call(t, send_second);
    for (int i = 0; i < 3; i++)
        assert_true(read_until(fds[i], "event: indicators"));
    assert_int_equal(atomic_load(&t->n_closed), 0);
    atomic_store(&t->is_signed_out, true);
    wait_closed(t, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(read_until(fds[i], "0\r\n\r\n")); /* the last chunk, and no event before it */
        assert_null(strstr(text, "event:"));
    }
    t->streams[0] = t->streams[2];
    t->n_streams = 1;
    test_server_call(t, send_second);
    assert_true(read_until(fds[2], "event: indicators"));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    stop(t);
}

/* Who had the right to it and has it no more, with a session that holds on. */
static void a_stream_ends_with_the_right_to_it(void **state)
{
    static const char *const asks[] = {"GET /official-stream HTTP/1.1\r\nHost: h\r\nCookie: citybrain=good-session\r\n\r\n",
        "GET /private-stream HTTP/1.1\r\nHost: h\r\nCookie: citybrain=good-session\r\n\r\n"};
    struct test_server *t = start((struct http_limits){.stream_check_s = 1});
    int fds[2];

    for (int i = 0; i < 2; i++) {
        fds[i] = test_connect(t->port);
        test_send_c(fds[i], asks[i]);
        assert_true(read_until(fds[i], "event: first"));
    }
    atomic_store(&t->is_relieved, true);
    wait_closed(t, 1);
    assert_true(read_until(fds[0], "0\r\n\r\n"));
    t->streams[0] = t->streams[1];
    t->n_streams = 1;
    test_server_call(t, send_second);
    assert_true(read_until(fds[1], "event: indicators")); /* it is for whoever is signed in */
    for (int i = 0; i < 2; i++)
        close(fds[i]);
    stop(t);
}

static void survives_failing_memory(void **state)
{
    struct test_server *t = start((struct http_limits){0});
    int n_failed = 0;

    for (uint64_t nth = 1; nth < 12; nth++) {
        int fd = test_connect(t->port);
        usleep(2000); /* the connection's own memory is not what fails here */
        mem_fail_nth(nth);
        test_send_c(fd, "GET /private-stream HTTP/1.1\r\nHost: h\r\nCookie: citybrain=good-session\r\n\r\n");
        bool came = read_until(fd, "event: first");
        mem_fail_nth(0);
        n_failed += !came; /* 503, or cut off: a browser comes back */
        close(fd);
        fd = test_connect(t->port);
        test_send_c(fd, ASK);
        assert_true(read_until(fd, "event: first"));
        close(fd);
    }
    assert_true(n_failed > 0);
    stop(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(viewers_get_events),
        cmocka_unit_test(a_quiet_stream_stays),
        cmocka_unit_test(one_that_left_is_noticed),
        cmocka_unit_test(a_slow_viewer_is_cut_off),
        cmocka_unit_test(places_are_limited),
        cmocka_unit_test(what_is_larger_than_the_queue_goes_in_parts),
        cmocka_unit_test(a_stream_ends_with_its_session),
        cmocka_unit_test(a_stream_ends_with_the_right_to_it),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
