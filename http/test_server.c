/* The server under test and the sockets against it. */
#include "http/test_server.h"

#include "base/crypto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct later {
    struct loop_task task;
    struct http_exchange *x;
};

static void on_hello(struct http_exchange *x, void *context)
{
    http_reply_json(x, 200, STR("{\"hello\":\"world\"}"));
}

static void reply_later(struct loop_task *task)
{
    struct later *later = container_of(task, struct later, task);

    http_reply_json(later->x, 200, STR("{\"later\":true}"));
}

static void on_later(struct http_exchange *x, void *context)
{
    struct later *later = arena_alloc_zero(http_arena(x), 1, sizeof(*later));

    if (!later) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    later->x = x;
    later->task.fn = reply_later;
    loop_post(http_loop(x), &later->task);
}

static void on_keep(struct http_exchange *x, void *context)
{
    struct test_server *t = context;

    assert_true(t->n_kept < 8);
    t->kept[t->n_kept++] = x;
}

void test_server_reply_kept(void *context)
{
    struct test_server *t = context;

    while (t->n_kept > 0)
        http_reply_json(t->kept[--t->n_kept], 200, STR("{\"kept\":true}"));
}

/* Says what it was asked: parameters, query, identity, length of the body. */
static void on_echo(struct http_exchange *x, void *context)
{
    struct buf out;
    struct json_writer w;

    buf_init(&out, 1 << 20);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_str(&w, "path", http_path(x));
    json_field_str(&w, "name", http_param(x, "name"));
    json_field_str(&w, "q", http_query(x, "q"));
    json_field_str(&w, "agent", http_header(x, "User-Agent"));
    json_field_str(&w, "party", http_identity(x)->party);
    json_field_str(&w, "person", http_identity(x)->person);
    json_field_str(&w, "device", http_identity(x)->device);
    json_field_i64(&w, "body", (int64_t)http_body(x).len);
    json_field_str(&w, "from", http_remote_address(x));
    json_field_str(&w, "theme", http_cookie(x, "theme"));
    json_end_object(&w);
    http_add_header(x, "X-Echo", STR("yes"));
    if (out.err)
        http_reply_err(x, out.err, STR_NONE);
    else
        http_reply_json(x, 200, buf_str(&out));
    buf_finish(&out);
}

static void on_json(struct http_exchange *x, void *context)
{
    json_t *json = NULL;

    if (http_body_json(x, &json))
        return;
    http_reply_json(x, 200, STR("{}"));
}

static void on_large(struct http_exchange *x, void *context)
{
    static char large[300000];

    memset(large, 'x', sizeof(large));
    http_reply(x, 200, "text/plain", (struct str){large, sizeof(large)});
}

static void on_err(struct http_exchange *x, void *context)
{
    int64_t err = 0;

    if (str_to_i64(http_param(x, "err"), &err))
        err = ERR_SYNTAX;
    http_reply_err(x, (enum err)err, STR_NONE);
}

static void on_file(struct http_exchange *x, void *context)
{
    struct test_server *t = context;
    char path[256];

    snprintf(path, sizeof(path), "%s/" STR_FORMAT, t->folder, STR_ARG(http_param(x, "rest")));
    http_reply_file(x, path, "max-age=60");
}

static void on_stream_closed(void *context)
{
    struct test_server *t = context;

    atomic_fetch_add(&t->n_closed, 1);
}

static void on_stream(struct http_exchange *x, void *context)
{
    struct test_server *t = context;
    struct http_stream *stream = NULL;

    if (http_reply_stream(x, on_stream_closed, t, &stream))
        return;
    t->streams[t->n_streams++ % 8] = stream;
    if (http_stream_send(stream, "first", STR("{\"n\":0}")))
        return; /* no memory: the stream is closing */
}

static const struct http_route routes[] = {
    {HTTP_GET, "/hello", HTTP_PUBLIC, 0, on_hello, "Says hello"},
    {HTTP_GET, "/later", HTTP_PUBLIC, 0, on_later, "Says it later"},
    {HTTP_GET, "/keep", HTTP_PUBLIC, 0, on_keep, "Keeps the exchange"},
    {HTTP_GET, "/echo/{name}", HTTP_PUBLIC, 0, on_echo, "Echo"},
    {HTTP_GET, "/private/{name}", HTTP_SIGNED_IN, 0, on_echo, "Echo for those signed in"},
    {HTTP_POST, "/private/{name}", HTTP_SIGNED_IN, 100000, on_echo, "Echo for those signed in"},
    {HTTP_DELETE, "/private/{name}", HTTP_SIGNED_IN, 0, on_echo, "Echo for those signed in"},
    {HTTP_GET, "/official/{name}", HTTP_OFFICIAL, 0, on_echo, "Echo for officials"},
    {HTTP_POST, "/official/{name}", HTTP_OFFICIAL, 100000, on_echo, "Echo for officials"},
    {HTTP_GET, "/citizen/{name}", HTTP_CITIZEN, 0, on_echo, "Echo for citizens"},
    {HTTP_POST, "/camera/{name}", HTTP_DIGEST, 100000, on_echo, "Echo for cameras"},
    {HTTP_POST, "/json", HTTP_PUBLIC, 1000, on_json, "Reads JSON"},
    {HTTP_POST, "/signed/{name}", HTTP_SIGNED_BODY, 1000, on_echo, "Echo for bodies that sign themselves"},
    {HTTP_GET, "/large", HTTP_PUBLIC, 0, on_large, "A large answer"},
    {HTTP_GET, "/err/{err}", HTTP_PUBLIC, 0, on_err, "An error"},
    {HTTP_GET, "/files/{rest...}", HTTP_PUBLIC, 0, on_file, "Files"},
    {HTTP_GET, "/stream", HTTP_PUBLIC, 0, on_stream, "Events"},
    {HTTP_GET, "/private-stream", HTTP_SIGNED_IN, 0, on_stream, "Events for those signed in"},
    {HTTP_GET, "/official-stream", HTTP_OFFICIAL, 0, on_stream, "Events for officials"},
};

static enum err on_token(void *context, struct str token, struct http_identity *ret_identity)
{
    const struct test_server *t = context;

    if (!str_equal_c(token, "good-token") || atomic_load(&t->is_signed_out))
        return ERR_UNAUTHENTICATED;
    *ret_identity = (struct http_identity){.party = STR("hangzhou/scene.parking"), .area = STR("hangzhou")};
    return ERR_OK;
}

static enum err on_session(void *context, struct str session, struct http_identity *ret_identity)
{
    const struct test_server *t = context;

    if (atomic_load(&t->is_signed_out))
        return ERR_UNAUTHENTICATED;
    if (str_equal_c(session, "citizens-session") || (str_equal_c(session, "good-session") && atomic_load(&t->is_relieved))) {
        *ret_identity =
            (struct http_identity){.party = STR("hangzhou/citizen"), .person = STR("liu"), .subject = STR("{\"plate\":\"A1\"}")};
        return ERR_OK;
    }
    if (!str_equal_c(session, "good-session"))
        return ERR_UNAUTHENTICATED;
    *ret_identity = (struct http_identity){.party = STR("hangzhou/post.mayor"), .area = STR("hangzhou"), .person = STR("mayor")};
    return ERR_OK;
}

static enum err on_ha1(void *context, struct str user, char ret_ha1[33], struct http_identity *ret_identity)
{
    if (!str_equal_c(user, "33010600001190000001"))
        return ERR_UNAUTHENTICATED;
    crypto_md5_hex(STR("33010600001190000001:citybrain:camera-secret"), ret_ha1);
    ret_identity->party = STR("hangzhou/police");
    return ERR_OK;
}

static void start(void *context)
{
    struct test_server *t = context;
    static struct http_mount mounts[2]; /* one server at a time, but for the test of two, which share the context */
    struct http_server_options options = {.address = "127.0.0.1",
        .port = t->port,
        .share_port = t->share_port,
        .mounts = mounts,
        .n_mounts = t->more.n_routes ? 2 : 1,
        .auth = {.context = t, .token = on_token, .session = on_session, .digest_ha1 = on_ha1},
        .limits = t->limits};
    struct diag diag = {""};

    mounts[0] = (struct http_mount){routes, sizeof(routes) / sizeof(routes[0]), t};
    mounts[1] = t->more;
    if (http_server_create(loop_thread_loop(t->thread), &options, &diag, &t->server))
        fail_msg("%s", diag.text);
    t->port = http_server_port(t->server);
}

static void stop(void *context)
{
    struct test_server *t = context;

    http_server_destroy(t->server);
    t->server = NULL;
}

void test_server_start(struct test_server *t)
{
    assert_ok(loop_thread_start(clock_system(), "http", &t->thread));
    loop_thread_call(t->thread, start, t);
}

void test_server_stop(struct test_server *t)
{
    if (t->server)
        loop_thread_call(t->thread, stop, t);
    loop_thread_stop(t->thread);
}

void test_server_call(struct test_server *t, void (*fn)(void *t))
{
    loop_thread_call(t->thread, fn, t);
}

int test_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        fail_msg("connect: %s", strerror(errno));
    return fd;
}

void test_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

void test_send_c(int fd, const char *text)
{
    test_send(fd, text, strlen(text));
}

/* Reads byte by byte up to the empty line, then as many bytes as Content-Length says: what follows stays for the next call. */
int test_read_answer(int fd, char *out, size_t size, bool is_head)
{
    size_t len = 0, body = 0;
    const char *found;

    out[0] = '\0';
    while (len < 4 || memcmp(out + len - 4, "\r\n\r\n", 4) != 0) {
        if (len + 1 >= size || recv(fd, out + len, 1, 0) != 1)
            return 0;
        out[++len] = '\0';
    }
    found = strcasestr(out, "\r\nContent-Length: ");
    if (found && !is_head)
        body = strtoul(found + 18, NULL, 10);
    while (body > 0 && len + 1 < size) {
        size_t room = size - len - 1;
        ssize_t n = recv(fd, out + len, body < room ? body : room, 0);
        if (n <= 0)
            return 0;
        len += (size_t)n;
        body -= (size_t)n;
        out[len] = '\0';
    }
    return (int)strtol(out + 9, NULL, 10);
}

int test_ask(uint16_t port, const char *request, char *out, size_t size)
{
    int fd = test_connect(port), status;

    test_send_c(fd, request);
    status = test_read_answer(fd, out, size, strncmp(request, "HEAD", 4) == 0);
    close(fd);
    return status;
}

bool test_is_closed(int fd)
{
    char byte[256];
    ssize_t n;

    do
        n = recv(fd, byte, sizeof(byte), 0);
    while (n > 0);
    return n == 0 || errno == ECONNRESET;
}
