/* Long bodies: what arrives, what the source is asked for, and what becomes of readers that are slow, gone, or one too many. */
#include "base/mem.h"
#include "http/test_server.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PIECE 100000

/* The bytes of the body are a function of their place. */
static char byte_at(uint64_t at)
{
    return (char)(at * 2654435761u >> 13);
}

struct source { /* of one body; on the server's loop */
    struct http_sender *sender;
    struct loop *loop;
    struct loop_task task;
    uint64_t n, at, fail_at;
    bool is_later, is_pending, is_closed;
    char piece[PIECE];
};

static _Atomic int n_open, n_whole, n_cut, n_wants;
static _Atomic uint64_t n_given_last;

static void let_go(struct source *source)
{
    if (source->is_closed && !source->is_pending)
        mem_free(source);
}

static void give(struct source *source)
{
    size_t n = source->n - source->at < PIECE ? (size_t)(source->n - source->at) : PIECE;

    if (source->fail_at && source->at >= source->fail_at) {
        http_sender_fail(source->sender);
        return;
    }
    for (size_t i = 0; i < n; i++)
        source->piece[i] = byte_at(source->at + i);
    source->at += n;
    http_sender_give(source->sender, (struct str){source->piece, n});
}

static void give_later(struct loop_task *task)
{
    struct source *source = container_of(task, struct source, task);

    source->is_pending = false;
    if (!source->is_closed)
        give(source);
    let_go(source);
}

static void on_want(void *context)
{
    struct source *source = context;

    atomic_fetch_add(&n_wants, 1);
    if (!source->is_later) {
        give(source);
        return;
    }
    source->is_pending = true;
    source->task.fn = give_later;
    loop_post(source->loop, &source->task);
}

static void on_closed(void *context, bool is_whole, uint64_t n_given)
{
    struct source *source = context;

    atomic_store(&n_given_last, n_given);
    atomic_fetch_add(is_whole ? &n_whole : &n_cut, 1);
    atomic_fetch_sub(&n_open, 1);
    source->is_closed = true;
    let_go(source);
}

/* /body/{n}?later=1&fail=N */
static void on_body(struct http_exchange *x, void *context)
{
    struct source *source = mem_alloc_zero(1, sizeof(*source));

    assert_non_null(source);
    source->loop = http_loop(x);
    if (str_to_u64(http_param(x, "n"), &source->n))
        source->n = 0;
    if (str_to_u64(http_query(x, "fail"), &source->fail_at))
        source->fail_at = 0;
    source->is_later = http_query(x, "later").len > 0;
    const struct http_body_source body = {.n_bytes = source->n, .want = on_want, .closed = on_closed, .context = source};
    atomic_fetch_add(&n_open, 1);
    if (http_reply_body(x, 200, "application/octet-stream", &body, &source->sender)) {
        atomic_fetch_sub(&n_open, 1);
        mem_free(source);
    }
}

static const struct http_route routes[] = {{HTTP_GET, "/body/{n}", HTTP_PUBLIC, 0, on_body, "A long body"}};

static struct test_server *start(struct http_limits limits)
{
    static struct test_server server;

    memset(&server, 0, sizeof(server));
    server.limits = limits;
    server.more = (struct http_mount){routes, 1, NULL};
    n_open = n_whole = n_cut = n_wants = 0;
    test_server_start(&server);
    return &server;
}

static void stop(struct test_server *t)
{
    test_server_stop(t);
    assert_int_equal(atomic_load(&n_open), 0);
    assert_int_equal(mem_n_live(), 0);
}

static void wait_closed(void)
{
    for (int i = 0; i < 6000 && atomic_load(&n_open) > 0; i++)
        usleep(10000);
    assert_int_equal(atomic_load(&n_open), 0);
}

static int ask(struct test_server *t, const char *method, const char *target)
{
    char request[256];
    int fd = test_connect(t->port);

    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: h\r\n\r\n", method, target);
    test_send_c(fd, request);
    return fd;
}

/* The head of an answer, up to its empty line; the status. */
static int read_head(int fd, char *out, size_t size)
{
    return test_read_answer(fd, out, size, true);
}

/* How many bytes of a body came, each the right one. */
static uint64_t read_body(int fd, uint64_t n)
{
    static char bytes[1 << 16];
    uint64_t at = 0;

    while (at < n) {
        ssize_t got = recv(fd, bytes, n - at < sizeof(bytes) ? n - at : sizeof(bytes), 0);
        if (got <= 0)
            break;
        for (ssize_t i = 0; i < got; i++)
            if (bytes[i] != byte_at(at + (uint64_t)i))
                fail_msg("byte %llu is another", (unsigned long long)at + (unsigned long long)i);
        at += (uint64_t)got;
    }
    return at;
}

static void arrives(void **state)
{
    static const char *const targets[] = {"/body/0", "/body/1", "/body/100000?later=1", "/body/3000001", "/body/3000001?later=1"};
    static const uint64_t lengths[] = {0, 1, 100000, 3000001, 3000001};
    struct test_server *t = start((struct http_limits){0});
    char head[2048], length[64];

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        int fd = ask(t, "GET", targets[i]);
        assert_int_equal(read_head(fd, head, sizeof(head)), 200);
        snprintf(length, sizeof(length), "Content-Length: %llu\r\n", (unsigned long long)lengths[i]);
        assert_non_null(strstr(head, length));
        assert_int_equal(read_body(fd, lengths[i]), lengths[i]);
        test_send_c(fd, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"); /* the connection goes on */
        assert_int_equal(test_read_answer(fd, head, sizeof(head), false), 200);
        close(fd);
    }
    wait_closed();
    assert_int_equal(atomic_load(&n_whole), 5);
    stop(t);
}

static void head_has_no_bytes(void **state)
{
    struct test_server *t = start((struct http_limits){0});
    char head[2048];
    int fd = ask(t, "HEAD", "/body/3000001");

    assert_int_equal(read_head(fd, head, sizeof(head)), 200);
    assert_non_null(strstr(head, "Content-Length: 3000001\r\n"));
    wait_closed();
    assert_int_equal(atomic_load(&n_wants), 0);
    assert_int_equal(atomic_load(&n_given_last), 0);
    close(fd);
    stop(t);
}

/* A source that fails is a connection that ends too early, not a shorter body. */
static void failure_is_seen(void **state)
{
    struct test_server *t = start((struct http_limits){0});
    char head[2048];

    for (int later = 0; later < 2; later++) {
        int fd = ask(t, "GET", later ? "/body/3000000?fail=500000&later=1" : "/body/3000000?fail=500000");
        assert_int_equal(read_head(fd, head, sizeof(head)), 200);
        assert_int_equal(read_body(fd, 3000000), 500000);
        wait_closed();
        assert_int_equal(atomic_load(&n_cut), later + 1);
        assert_int_equal(atomic_load(&n_given_last), 500000);
        close(fd);
    }
    stop(t);
}

/* One that does not read holds a piece and what the sockets hold; the source is not asked for more. */
static void slow_reader_slows_the_source(void **state)
{
    struct test_server *t = start((struct http_limits){0});
    char head[2048];
    int fd = ask(t, "GET", "/body/500000000?later=1"), before = -1, now;

    assert_int_equal(read_head(fd, head, sizeof(head)), 200);
    for (int i = 0; i < 600 && before != (now = atomic_load(&n_wants)); i++) { /* until it stands still */
        before = now;
        usleep(100000);
    }
    assert_int_equal(before, atomic_load(&n_wants));
    assert_true(before > 0 && before < 500);             /* of 5,000; the sockets of loopback hold some MB */
    assert_int_equal(read_body(fd, 60000000), 60000000); /* and goes on when it reads */
    close(fd);
    wait_closed();
    assert_int_equal(atomic_load(&n_cut), 1);
    assert_true(atomic_load(&n_given_last) >= 60000000);
    assert_true(atomic_load(&n_given_last) < 500000000);
    stop(t);
}

/* Who trickles is cut; who keeps up is not, however long it takes. */
static void trickle_is_cut(void **state)
{
    struct test_server *t = start((struct http_limits){.idle_timeout_s = 1, .sender_slowest = 50u << 20});
    char head[2048], byte;
    int fd = ask(t, "GET", "/body/500000000?later=1");
    struct timeval wait = {.tv_sec = 60};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    assert_int_equal(read_head(fd, head, sizeof(head)), 200);
    for (int i = 0; i < 6000 && atomic_load(&n_open) > 0; i++) { /* some bytes now and then, so that it is not silent */
        if (recv(fd, &byte, 1, MSG_DONTWAIT) == 0)
            break;
        usleep(10000);
    }
    wait_closed();
    assert_int_equal(atomic_load(&n_cut), 1);
    close(fd);
    stop(t);
}

static void one_too_many(void **state)
{
    struct test_server *t = start((struct http_limits){.n_senders = 1});
    char head[4096];
    int one = ask(t, "GET", "/body/500000000?later=1"), two;

    assert_int_equal(read_head(one, head, sizeof(head)), 200);
    two = ask(t, "GET", "/body/10");
    assert_int_equal(test_read_answer(two, head, sizeof(head), false), 503);
    assert_non_null(strstr(head, "Retry-After"));
    close(one);
    wait_closed();
    close(two);
    two = ask(t, "GET", "/body/10");
    assert_int_equal(read_head(two, head, sizeof(head)), 200);
    assert_int_equal(read_body(two, 10), 10);
    wait_closed();
    close(two);
    stop(t);
}

/* The server goes while bodies are on their way, one of them waiting for its source. */
static void server_goes(void **state)
{
    struct test_server *t = start((struct http_limits){0});
    char head[2048];
    int one = ask(t, "GET", "/body/500000000?later=1"), two = ask(t, "GET", "/body/500000000");

    assert_int_equal(read_head(one, head, sizeof(head)), 200);
    assert_int_equal(read_head(two, head, sizeof(head)), 200);
    stop(t);
    assert_int_equal(atomic_load(&n_cut), 2);
    close(one);
    close(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrives),
        cmocka_unit_test(head_has_no_bytes),
        cmocka_unit_test(failure_is_seen),
        cmocka_unit_test(slow_reader_slows_the_source),
        cmocka_unit_test(trickle_is_cut),
        cmocka_unit_test(one_too_many),
        cmocka_unit_test(server_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
