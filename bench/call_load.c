/*
 * An HTTP load generator for calls: keep-alive connections on one epoll, closed loop (each connection asks again at once) or open loop (a
 * fixed rate; latency counts from the moment a request was due, so that waiting in line is not hidden).
 *
 *     call_load PORT TOKEN PATH KEYS_FILE BODY CONNECTIONS SECONDS [RATE]
 *
 * In BODY the text KEY is replaced by a line of KEYS_FILE, one after the other. Prints "n rps p50_ms p99_ms errors" and exits 1 when any
 * answer was not a 200 with a receipt. Sockets alone: what is measured must not share code with what measures.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define ANSWER_MAX 16384
#define REQUEST_MAX 4096
#define KEYS_MAX 1000000
#define LATENCIES_MAX 20000000

struct connection {
    int fd;
    bool is_busy;
    int64_t due_ns; /* of the request under way */
    size_t len;
    char answer[ANSWER_MAX];
};

struct load {
    const char *path, *token, *body;
    char **keys;
    size_t n_keys, next_key;
    struct connection *connections;
    int n_connections, epoll;
    int64_t start_ns, end_ns, interval_ns; /* interval 0: closed loop */
    int64_t next_due_ns;
    uint32_t *latencies_us;
    size_t n, n_errors, n_empty;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "call_load: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void connect_all(struct load *load, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    load->epoll = epoll_create1(0);
    for (int i = 0; i < load->n_connections; i++) {
        struct connection *c = &load->connections[i];
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
            fail("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event);
    }
}

static void ask(struct load *load, struct connection *c, int64_t due_ns)
{
    char request[REQUEST_MAX], body[1024];
    const char *key = load->keys[load->next_key++ % load->n_keys], *mark = strstr(load->body, "KEY");
    int n_body = mark ? snprintf(body, sizeof body, "%.*s%s%s", (int)(mark - load->body), load->body, key, mark + 3)
                      : snprintf(body, sizeof body, "%s", load->body);
    int n = snprintf(request, sizeof request,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
        load->path, load->token, n_body, body);
    c->is_busy = true;
    c->due_ns = due_ns;
    c->len = 0;
    if (n <= 0 || (size_t)n >= sizeof request || send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        fail("send");
}

/* The whole length of the answer that begins in `c`; 0: not all of its head is there. */
static size_t answer_length(const struct connection *c)
{
    const char *end = memmem(c->answer, c->len, "\r\n\r\n", 4);
    if (!end)
        return 0;
    const char *length = memmem(c->answer, (size_t)(end - c->answer), "Content-Length: ", 16);
    if (!length)
        fail("an answer without Content-Length");
    return (size_t)(end - c->answer) + 4 + strtoul(length + 16, NULL, 10);
}

static void take_answer(struct load *load, struct connection *c)
{
    int64_t latency_us = (now_ns() - c->due_ns) / 1000;
    bool is_good = c->len > 12 && memcmp(c->answer + 9, "200", 3) == 0 && memmem(c->answer, c->len, "\"receipt\":\"", 11);
    if (!is_good && load->n_errors++ == 0)
        fprintf(stderr, "call_load: first error: %.*s\n", (int)(c->len < 400 ? c->len : 400), c->answer);
    load->n_empty += is_good && memmem(c->answer, c->len, "{\"rows\":[]", 10);
    if (load->n < LATENCIES_MAX)
        load->latencies_us[load->n] = (uint32_t)latency_us;
    load->n++;
    c->is_busy = false;
}

static void on_readable(struct load *load, struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->len, sizeof c->answer - c->len - 1, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        fail("the connection ended");
    c->len += (size_t)n;
    c->answer[c->len] = '\0';
    size_t whole = answer_length(c);
    if (whole == 0 || c->len < whole)
        return;
    take_answer(load, c);
    if (load->interval_ns == 0 && now_ns() < load->end_ns)
        ask(load, c, now_ns());
}

/* Open loop: sends what is due on connections that are free; what finds none stays due. */
static void send_due(struct load *load)
{
    int64_t now = now_ns();
    for (int i = 0; i < load->n_connections && load->next_due_ns <= now && load->next_due_ns < load->end_ns; i++)
        if (!load->connections[i].is_busy) {
            ask(load, &load->connections[i], load->next_due_ns);
            load->next_due_ns += load->interval_ns;
        }
}

static bool is_any_busy(const struct load *load)
{
    for (int i = 0; i < load->n_connections; i++)
        if (load->connections[i].is_busy)
            return true;
    return false;
}

static void run(struct load *load)
{
    struct epoll_event events[256];
    for (int i = 0; load->interval_ns == 0 && i < load->n_connections; i++)
        ask(load, &load->connections[i], now_ns());
    while (now_ns() < load->end_ns || is_any_busy(load)) {
        struct timespec wait = {.tv_nsec = 1000000};
        if (load->interval_ns) {
            send_due(load);
            int64_t left = load->next_due_ns - now_ns();
            wait.tv_nsec = left < 20000 ? 20000 : left > 1000000 ? 1000000 : left;
        }
        int n = epoll_pwait2(load->epoll, events, 256, &wait, NULL);
        for (int i = 0; i < n; i++)
            on_readable(load, events[i].data.ptr);
        if (now_ns() > load->end_ns + INT64_C(10000000000))
            fail("answers are missing 10 s after the end");
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void read_keys(struct load *load, const char *path)
{
    char line[256];
    FILE *file = fopen(path, "r");
    if (!file)
        fail(path);
    load->keys = calloc(KEYS_MAX, sizeof(char *));
    while (load->n_keys < KEYS_MAX && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        load->keys[load->n_keys++] = strdup(line);
    }
    fclose(file);
    if (load->n_keys == 0)
        fail("no keys");
}

int main(int argc, char **argv)
{
    if (argc < 8) {
        fprintf(stderr, "call_load PORT TOKEN PATH KEYS_FILE BODY CONNECTIONS SECONDS [RATE]\n");
        return 2;
    }
    struct load load = {.token = argv[2], .path = argv[3], .body = argv[5], .n_connections = (int)strtol(argv[6], NULL, 10)};
    double seconds = strtod(argv[7], NULL), rate = argc > 8 ? strtod(argv[8], NULL) : 0;
    if (load.n_connections < 1 || load.n_connections > CONNECTIONS_MAX || seconds <= 0)
        return 2;
    read_keys(&load, argv[4]);
    load.connections = calloc((size_t)load.n_connections, sizeof *load.connections);
    load.latencies_us = malloc(LATENCIES_MAX * sizeof *load.latencies_us);
    connect_all(&load, (int)strtol(argv[1], NULL, 10));
    load.start_ns = load.next_due_ns = now_ns();
    load.end_ns = load.start_ns + (int64_t)(seconds * 1e9);
    load.interval_ns = rate > 0 ? (int64_t)(1e9 / rate) : 0;
    run(&load);
    double elapsed_s = (double)(now_ns() - load.start_ns) * 1e-9;
    size_t n = load.n < LATENCIES_MAX ? load.n : LATENCIES_MAX;
    qsort(load.latencies_us, n, sizeof *load.latencies_us, by_value);
    size_t half = n / 2, p99 = n * 99 / 100, n_bad = load.n_errors + load.n_empty;
    printf("%zu %.0f %.3f %.3f %zu\n", load.n, (double)load.n / elapsed_s, load.latencies_us[half] / 1000.0,
        load.latencies_us[p99] / 1000.0, n_bad);
    for (size_t i = 0; i < load.n_keys; i++)
        free(load.keys[i]);
    free((void *)load.keys);
    free(load.connections);
    free(load.latencies_us);
    return n_bad ? 1 : 0;
}
