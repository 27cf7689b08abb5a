/*
 * A proxy on loopback between a connector and its server, for tests: one thread, poll(2), at most 64 connections.
 */
#include "base/mem.h"
#include "base/test.h"
#include "hub/department_testing.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX 64
#define SLOW_MS 20

struct fake_proxy {
    pthread_t thread;
    int port, server_port, listener;
    _Atomic int mode, mode_at;
    const char *_Atomic at; /* NULL: nothing is looked for */
    _Atomic bool is_stopping;
    _Atomic size_t n_connections;
    struct {
        int client, server;
    } pairs[PAIRS_MAX];
    size_t n;
};

static int listen_on(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static void drop(struct fake_proxy *proxy, size_t at)
{
    close(proxy->pairs[at].client);
    close(proxy->pairs[at].server);
    proxy->pairs[at] = proxy->pairs[--proxy->n];
}

static void take(struct fake_proxy *proxy)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)proxy->server_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0)
        return;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (proxy->n == PAIRS_MAX || connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
        close(client);
        close(server);
        return;
    }
    proxy->pairs[proxy->n].client = client;
    proxy->pairs[proxy->n++].server = server;
    proxy->n_connections++;
}

/* False: the connection is over. */
static bool move_bytes(struct fake_proxy *proxy, int from, int to, size_t most, bool is_swallowed, bool is_question)
{
    char bytes[16384];
    ssize_t n = recv(from, bytes, most < sizeof bytes ? most : sizeof bytes, 0);
    if (n <= 0)
        return false;
    const char *text = is_question ? proxy->at : NULL;
    if (text && memmem(bytes, (size_t)n, text, strlen(text))) {
        proxy->at = NULL;
        proxy->mode = proxy->mode_at;
    }
    for (ssize_t at = 0; at < n && !is_swallowed;) {
        ssize_t sent = send(to, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
    }
    return true;
}

static void one_round(struct fake_proxy *proxy)
{
    struct pollfd fds[2 * PAIRS_MAX + 1];
    int mode = proxy->mode;
    size_t n = proxy->n;
    if (mode == FAKE_PROXY_CLOSED && proxy->listener >= 0) {
        close(proxy->listener);
        proxy->listener = -1;
        while (proxy->n > 0)
            drop(proxy, 0);
        n = 0;
    } else if (mode != FAKE_PROXY_CLOSED && proxy->listener < 0) {
        proxy->listener = listen_on(&proxy->port);
    }
    for (size_t i = 0; i < n; i++) {
        fds[2 * i] = (struct pollfd){.fd = proxy->pairs[i].client, .events = POLLIN};
        fds[2 * i + 1] = (struct pollfd){.fd = proxy->pairs[i].server, .events = POLLIN};
    }
    fds[2 * n] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
    if (poll(fds, 2 * n + 1, SLOW_MS) <= 0)
        return;
    for (size_t i = n; i-- > 0;) {
        bool is_open = true;
        if (fds[2 * i].revents)
            is_open = move_bytes(proxy, proxy->pairs[i].client, proxy->pairs[i].server, SIZE_MAX, false, true);
        if (is_open && fds[2 * i + 1].revents)
            is_open = proxy->mode != FAKE_PROXY_CUT && move_bytes(proxy, proxy->pairs[i].server, proxy->pairs[i].client,
                                                           mode == FAKE_PROXY_SLOW ? 1 : SIZE_MAX, proxy->mode == FAKE_PROXY_SILENT, false);
        if (!is_open)
            drop(proxy, i);
    }
    if (mode == FAKE_PROXY_SLOW)
        usleep(SLOW_MS * 1000);
    if (fds[2 * n].revents)
        take(proxy);
}

static void *run(void *context)
{
    struct fake_proxy *proxy = context;
    while (!proxy->is_stopping)
        one_round(proxy);
    return NULL;
}

struct fake_proxy *fake_proxy_start(int server_port)
{
    struct fake_proxy *proxy = mem_alloc_zero(1, sizeof *proxy);
    proxy->server_port = server_port;
    proxy->listener = listen_on(&proxy->port);
    assert_true(proxy->listener >= 0);
    assert_int_equal(pthread_create(&proxy->thread, NULL, run, proxy), 0);
    return proxy;
}

int fake_proxy_port(const struct fake_proxy *proxy)
{
    return proxy->port;
}

void fake_proxy_set(struct fake_proxy *proxy, enum fake_proxy_mode mode)
{
    proxy->mode = mode;
    usleep(3 * SLOW_MS * 1000); /* it has seen it */
}

void fake_proxy_set_at(struct fake_proxy *proxy, const char *text, enum fake_proxy_mode mode)
{
    proxy->mode_at = mode;
    proxy->at = text;
}

size_t fake_proxy_n_connections(struct fake_proxy *proxy)
{
    return proxy->n_connections;
}

void fake_proxy_stop(struct fake_proxy *proxy)
{
    proxy->is_stopping = true;
    pthread_join(proxy->thread, NULL);
    while (proxy->n > 0)
        drop(proxy, 0);
    if (proxy->listener >= 0)
        close(proxy->listener);
    mem_free(proxy);
}
