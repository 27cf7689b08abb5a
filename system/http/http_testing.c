/*
 * A small HTTP server with a thread a connection, for tests only.
 */
#include "system/http/http_testing.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64

_Atomic size_t web_n_requests, web_n_connections;
struct web_request web_last;
static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;
static int listener = -1, port;
static _Atomic bool is_stopping;
static _Atomic(web_answer_fn) answer_fn;
static pthread_t acceptor, threads[CONNECTIONS_MAX];
static size_t n_threads;

void web_write(int fd, const char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

bool web_reply(int fd, int status, const char *headers, const char *body)
{
    char head[2048];
    body = body ? body : ""; /* a test fails allocations of ours too */
    snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n", status, headers,
        strlen(body));
    web_write(fd, head);
    web_write(fd, body);
    return true;
}

bool web_parameter(const struct web_request *request, const char *name, char *out, size_t size)
{
    const char *at = strchr(request->target, '?');
    size_t len = strlen(name);
    for (; at; at = strchr(at, '&')) {
        at++;
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            snprintf(out, size, "%.*s", (int)strcspn(at + len + 1, "&"), at + len + 1);
            return true;
        }
    }
    return false;
}

/* A request with its head and body; false: the connection ended. */
static bool read_request(int fd, struct web_request *request)
{
    size_t len = 0, need = 0;
    for (;;) {
        struct pollfd waits = {.fd = fd, .events = POLLIN};
        if (atomic_load(&is_stopping))
            return false;
        if (poll(&waits, 1, 20) <= 0)
            continue;
        ssize_t n = recv(fd, request->text + len, sizeof request->text - 1 - len, 0);
        if (n <= 0)
            return false;
        request->text[len += (size_t)n] = '\0';
        const char *end = strstr(request->text, "\r\n\r\n"), *said = strstr(request->text, "Content-Length: ");
        if (!end)
            continue;
        need = (size_t)(end + 4 - request->text) + (said && said < end ? strtoul(said + 16, NULL, 10) : 0);
        if (len < need)
            continue;
        request->body = end + 4;
        return sscanf(request->text, "%7s %4095s", request->method, request->target) == 2;
    }
}

static void *serve(void *context)
{
    int fd = (int)(intptr_t)context, one = 1;
    struct web_request *request = calloc(1, sizeof *request);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    while (read_request(fd, request)) {
        atomic_fetch_add(&web_n_requests, 1);
        pthread_mutex_lock(&last_lock);
        web_last = *request;
        pthread_mutex_unlock(&last_lock);
        if (!atomic_load(&answer_fn)(request, fd))
            break;
        request->text[0] = '\0';
    }
    close(fd);
    free(request);
    return NULL;
}

static void *accept_all(void *unused)
{
    while (!atomic_load(&is_stopping)) {
        struct pollfd waits = {.fd = listener, .events = POLLIN};
        int fd = poll(&waits, 1, 20) > 0 ? accept(listener, NULL, NULL) : -1;
        if (fd < 0)
            continue;
        atomic_fetch_add(&web_n_connections, 1);
        if (n_threads == CONNECTIONS_MAX || pthread_create(&threads[n_threads], NULL, serve, (void *)(intptr_t)fd) != 0)
            close(fd);
        else
            n_threads++;
    }
    return unused;
}

int web_start(web_answer_fn answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int one = 1;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    address.sin_port = htons((uint16_t)port); /* the second time the same */
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 64), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    port = ntohs(address.sin_port);
    atomic_store(&is_stopping, false);
    web_set(answer);
    atomic_store(&web_n_requests, 0);
    atomic_store(&web_n_connections, 0);
    n_threads = 0;
    assert_int_equal(pthread_create(&acceptor, NULL, accept_all, NULL), 0);
    return port;
}

void web_set(web_answer_fn answer)
{
    atomic_store(&answer_fn, answer);
}

int web_port(void)
{
    return port;
}

void web_stop(void)
{
    if (listener < 0)
        return;
    atomic_store(&is_stopping, true);
    pthread_join(acceptor, NULL);
    for (size_t i = 0; i < n_threads; i++)
        pthread_join(threads[i], NULL);
    close(listener);
    listener = -1;
}

/* ---- the good department ---- */

void web_row(size_t i, struct buf *out)
{
    static const char *const colours[] = {"\"white\"", "\"black\"", "null"};
    buf_printf(out,
        "{\"id\":\"A%05zu\",\"look\":{\"colour\":%s},\"seats\":%zu,\"price\":\"%zu.5\",\"electric\":%d,\"since\":%zu,\"owner\":\"owner "
        "%zu\"}",
        i, colours[i % 3], i % 5 + 1, i, i % 2 == 1, 1700000000 + i, i);
}

static bool is_wanted(const struct web_request *request, size_t i)
{
    char text[64], plate[16];
    snprintf(plate, sizeof plate, "A%05zu", i);
    if (web_parameter(request, "plate", text, sizeof text) && strcmp(text, plate) != 0)
        return false;
    if (web_parameter(request, "seats", text, sizeof text) && strtoul(text, NULL, 10) != i % 5 + 1)
        return false;
    return !web_parameter(request, "from", text, sizeof text) || strtoul(text, NULL, 10) <= 1700000000 + i;
}

static bool one_row(const struct web_request *request, int fd)
{
    struct buf body;
    size_t i = strtoul(request->target + strlen("/v1/vehicles/A"), NULL, 10);
    buf_init(&body, 4096);
    web_row(i, &body);
    buf_append(&body, "", 1);
    bool is_there = strncmp(request->target, "/v1/vehicles/A", 14) == 0 && i < WEB_ROWS && strlen(request->target) == 19;
    bool goes_on = is_there ? web_reply(fd, 200, "", body.ptr) : web_reply(fd, 404, "", "{\"detail\":\"none\"}");
    buf_finish(&body);
    return goes_on;
}

bool web_good(const struct web_request *request, int fd)
{
    char text[64], link[256] = "";
    size_t limit = 50, from = 0, n = 0, at = 0;
    struct buf body;
    bool goes_on;
    if (strncmp(request->target, "/v1/vehicles/", 13) == 0)
        return one_row(request, fd);
    if (strcmp(request->target, "/v1/health") == 0)
        return web_reply(fd, 200, "", "{}");
    if (web_parameter(request, "limit", text, sizeof text))
        limit = strtoul(text, NULL, 10);
    if (web_parameter(request, "page", text, sizeof text))
        from = (strtoul(text, NULL, 10) - 1) * limit;
    else if (web_parameter(request, "offset", text, sizeof text) || web_parameter(request, "cursor", text, sizeof text))
        from = strtoul(text, NULL, 10);
    buf_init(&body, 1u << 20);
    buf_append_c(&body, "{\"data\":{\"items\":[");
    for (size_t i = 0; i < WEB_ROWS && n < limit; i++) {
        if (!is_wanted(request, i) || at++ < from)
            continue;
        buf_append_c(&body, n++ ? "," : "");
        web_row(i, &body);
    }
    bool has_more = n == limit;
    buf_printf(&body, "]},\"next\":%s%zu%s}", has_more ? "\"" : "null,\"was\":", from + n, has_more ? "\"" : "");
    buf_append(&body, "", 1);
    if (has_more)
        snprintf(link, sizeof link,
            "Link: </v1/vehicles?cursor=%zu&limit=%zu>; title=\"a,b\"; rel=\"last next\", </v1/vehicles>; rel=first\r\n", from + n, limit);
    goes_on = strncmp(request->target, "/v1/vehicles", 12) == 0 ? web_reply(fd, 200, link, body.ptr) : web_reply(fd, 404, "", "{}");
    buf_finish(&body);
    return goes_on;
}

/* ---- the city ---- */

struct fake_city web_city;

void web_city_make(const char *binding, const char *more)
{
    static const struct hub_system_ops *const connectors[] = {&system_http_ops, NULL};
    char text[4096];
    fake_department_make(&web_city, connectors);
    snprintf(text, sizeof text,
        "connection:\n  url: http://127.0.0.1:%d/v1\n  timeout: 2s\n%sresources:\n  - {name: vehicle, title: {zh: 车, en: V}, kind: table, "
        "bind: {%s}, " WEB_FIELDS,
        port, more, binding);
    fake_department_write(&web_city, "http", text);
    fake_department_grant(&web_city, "[plate, colour, seats, price, electric, since]", NULL);
}

void web_city_finish(void)
{
    if (!web_city.hub) /* the load was refused */
        fake_city_unload(&web_city);
    fake_department_finish(&web_city);
    memset(&web_city, 0, sizeof web_city);
}

const struct fake_answer *web_ask(const char *plate)
{
    const struct value value = value_text(str_from_c(plate));
    return fake_ask(&web_city, &(struct fake_question){.outputs = {"plate", "colour", "seats"}, .where = {{"plate", SQL_EQ, &value, 1}}});
}
