/*
 * An HTTP load generator for calls: keep-alive connections on one epoll, closed loop (each connection asks again at once) or open loop (a
 * fixed rate; latency counts from the moment a request was due, so that waiting in line is not hidden).
 *
 *     call_load [-m MARK] [-r RECEIPTS] PORT TOKEN PATH KEYS_FILE BODY CONNECTIONS SECONDS [RATE]
 *
 * In BODY the text KEY is replaced by a line of KEYS_FILE, one after the other. A good answer is a 200 that holds MARK ("receipt":" unless
 * said; a peer's has another). Prints "n rps p50_ms p99_ms errors" and exits 1 when any answer was not good.
 *
 * With -r it is patient, as a client is that wants its answer: what was cut off or refused is asked again, still due when it first was,
 * until it is answered; the numbers of the receipts it was given go to the file RECEIPTS, a line each. What has no answer 60 s after the
 * end stays unanswered. Then it prints "n rps p50_ms p99_ms unanswered cut refused longest_ms", and exits 1 when any stayed unanswered.
 *
 * Sockets alone: what is measured must not share code with what measures.
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
#define KEYS_MAX 2000000
#define LATENCIES_MAX 20000000
#define AGAIN_NS INT64_C(50000000) /* after a cut or a refusal */
#define PATIENCE_NS INT64_C(60000000000)
#define IMPATIENCE_NS INT64_C(10000000000)

struct connection {
    int fd;
    bool is_busy;
    int64_t due_ns;   /* of the request under way */
    int64_t again_ns; /* it is to be asked again then; 0: its answer is waited for */
    const char *key;
    size_t len;
    char answer[ANSWER_MAX];
};

struct load {
    const char *path, *token, *body, *mark;
    int port;
    char **keys;
    size_t n_keys, next_key;
    struct connection *connections;
    int n_connections, epoll;
    int64_t start_ns, end_ns, interval_ns; /* interval 0: closed loop */
    int64_t next_due_ns;
    FILE *receipts; /* not NULL: patient */
    uint32_t *latencies_us;
    size_t n, n_errors, n_empty, n_cut, n_refused, n_unanswered;
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

/* ---- connections ---- */

static bool connect_one(struct load *load, struct connection *c)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)load->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0)
        fail("socket");
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) { /* on this machine: at once, or refused */
        close(c->fd);
        c->fd = -1;
        return false;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event);
    return true;
}

static void connect_all(struct load *load)
{
    load->epoll = epoll_create1(0);
    for (int i = 0; i < load->n_connections; i++)
        if (!connect_one(load, &load->connections[i]))
            fail("connect");
}

/* The connection is of no use any more; what was asked over it is asked again. */
static void cut(struct load *load, struct connection *c)
{
    if (!load->receipts)
        fail("the connection ended");
    load->n_cut += c->is_busy;
    close(c->fd);
    c->fd = -1;
    c->again_ns = now_ns() + AGAIN_NS;
}

/* ---- asking ---- */

static void send_request(struct load *load, struct connection *c)
{
    char request[REQUEST_MAX], body[1024];
    const char *mark = strstr(load->body, "KEY");
    int n_body = mark ? snprintf(body, sizeof body, "%.*s%s%s", (int)(mark - load->body), load->body, c->key, mark + 3)
                      : snprintf(body, sizeof body, "%s", load->body);
    int n = snprintf(request, sizeof request,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
        load->path, load->token, n_body, body);
    c->len = 0;
    c->again_ns = 0;
    if (n <= 0 || (size_t)n >= sizeof request)
        fail("the request is too long");
    if (send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        cut(load, c);
}

static void ask(struct load *load, struct connection *c, int64_t due_ns)
{
    c->key = load->keys[load->next_key++ % load->n_keys];
    c->is_busy = true;
    c->due_ns = due_ns;
    send_request(load, c);
}

static void ask_again(struct load *load)
{
    int64_t now = now_ns();
    for (int i = 0; i < load->n_connections; i++) {
        struct connection *c = &load->connections[i];
        if (c->again_ns == 0 || c->again_ns > now)
            continue;
        if (c->fd < 0 && !connect_one(load, c))
            c->again_ns = now + AGAIN_NS;
        else if (c->is_busy)
            send_request(load, c);
        else
            c->again_ns = 0;
    }
}

/* ---- answers ---- */

/* The whole length of the answer that begins in `c`; 0: not all of its head is there. */
static size_t answer_length(const struct connection *c)
{
    static const char name[] = "content-length: ";
    const char *end = memmem(c->answer, c->len, "\r\n\r\n", 4);
    if (!end)
        return 0;
    for (const char *line = c->answer; line < end; line = (const char *)memchr(line, '\n', (size_t)(end - line) + 2) + 1)
        if (strncasecmp(line, name, sizeof name - 1) == 0)
            return (size_t)(end - c->answer) + 4 + strtoul(line + sizeof name - 1, NULL, 10);
    fail("an answer without Content-Length");
    return 0;
}

/* {"…","receipt":"hangzhou.log/48211"} → its number. */
static void note_receipt(struct load *load, const struct connection *c)
{
    const char *receipt = strstr(c->answer, load->mark), *number = receipt ? strchr(receipt + strlen(load->mark), '/') : NULL;
    if (number)
        fprintf(load->receipts, "%lu\n", strtoul(number + 1, NULL, 10));
}

static void take_answer(struct load *load, struct connection *c)
{
    int64_t latency_us = (now_ns() - c->due_ns) / 1000;
    bool is_good = c->len > 12 && memcmp(c->answer + 9, "200", 3) == 0 && strstr(c->answer, load->mark);
    if (load->receipts && !is_good) {
        load->n_refused++;
        c->again_ns = now_ns() + AGAIN_NS;
        return;
    }
    if (load->receipts)
        note_receipt(load, c);
    if (!is_good && load->n_errors++ == 0)
        fprintf(stderr, "call_load: first error: %.*s\n", (int)(c->len < 400 ? c->len : 400), c->answer);
    load->n_empty += is_good && strstr(c->answer, "{\"rows\":[]");
    if (load->n < LATENCIES_MAX)
        load->latencies_us[load->n] = latency_us > UINT32_MAX ? UINT32_MAX : (uint32_t)latency_us;
    load->n++;
    c->is_busy = false;
}

static void on_readable(struct load *load, struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->len, sizeof c->answer - c->len - 1, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        cut(load, c);
        return;
    }
    c->len += (size_t)n;
    c->answer[c->len] = '\0';
    size_t whole = answer_length(c);
    if (whole >= sizeof c->answer)
        fail("an answer is too long");
    if (whole == 0 || c->len < whole)
        return;
    take_answer(load, c);
    if (load->interval_ns == 0 && now_ns() < load->end_ns)
        ask(load, c, now_ns());
}

/* ---- running ---- */

/* Open loop: sends what is due on connections that are free; what finds none stays due. */
static void send_due(struct load *load)
{
    int64_t now = now_ns();
    for (int i = 0; i < load->n_connections && load->next_due_ns <= now && load->next_due_ns < load->end_ns; i++)
        if (!load->connections[i].is_busy && load->connections[i].fd >= 0) {
            ask(load, &load->connections[i], load->next_due_ns);
            load->next_due_ns += load->interval_ns;
        }
}

static bool is_any_open(const struct load *load)
{
    for (int i = 0; i < load->n_connections; i++)
        if (load->connections[i].is_busy)
            return true;
    return load->receipts && load->next_due_ns < load->end_ns;
}

static void give_up(struct load *load)
{
    if (!load->receipts)
        fail("answers are missing 10 s after the end");
    for (int i = 0; i < load->n_connections; i++)
        load->n_unanswered += load->connections[i].is_busy;
    for (; load->next_due_ns < load->end_ns; load->next_due_ns += load->interval_ns)
        load->n_unanswered++;
}

static void run(struct load *load)
{
    struct epoll_event events[256];
    for (int i = 0; load->interval_ns == 0 && i < load->n_connections; i++)
        ask(load, &load->connections[i], now_ns());
    while (now_ns() < load->end_ns || is_any_open(load)) {
        struct timespec wait = {.tv_nsec = 1000000};
        if (load->interval_ns) {
            send_due(load);
            int64_t left = load->next_due_ns - now_ns();
            wait.tv_nsec = left < 20000 ? 20000 : left > 1000000 ? 1000000 : left;
        }
        int n = epoll_pwait2(load->epoll, events, 256, &wait, NULL);
        for (int i = 0; i < n; i++)
            on_readable(load, events[i].data.ptr);
        if (load->receipts)
            ask_again(load);
        if (now_ns() > load->end_ns + (load->receipts ? PATIENCE_NS : IMPATIENCE_NS)) {
            give_up(load);
            return;
        }
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
    load->keys = (char **)calloc(KEYS_MAX, sizeof(char *));
    if (!file || !load->keys)
        fail(path);
    while (load->n_keys < KEYS_MAX && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        load->keys[load->n_keys++] = strdup(line);
    }
    fclose(file);
    if (load->n_keys == 0)
        fail("no keys");
}

static void print(const struct load *load)
{
    double elapsed_s = (double)(now_ns() - load->start_ns) * 1e-9;
    size_t n = load->n < LATENCIES_MAX ? load->n : LATENCIES_MAX;
    qsort(load->latencies_us, n, sizeof *load->latencies_us, by_value);
    double p50_ms = n ? load->latencies_us[n / 2] / 1000.0 : 0, p99_ms = n ? load->latencies_us[n * 99 / 100] / 1000.0 : 0;
    printf("%zu %.0f %.3f %.3f ", load->n, (double)load->n / elapsed_s, p50_ms, p99_ms);
    if (load->receipts)
        printf("%zu %zu %zu %.0f\n", load->n_unanswered, load->n_cut, load->n_refused, n ? load->latencies_us[n - 1] / 1000.0 : 0);
    else
        printf("%zu\n", load->n_errors + load->n_empty);
}

static int usage(void)
{
    fprintf(stderr, "call_load [-m MARK] [-r RECEIPTS] PORT TOKEN PATH KEYS_FILE BODY CONNECTIONS SECONDS [RATE]\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct load load = {.mark = "\"receipt\":\""};
    for (int option; (option = getopt(argc, argv, "m:r:")) != -1;) {
        if (option == 'm')
            load.mark = optarg;
        else if (option != 'r' || !(load.receipts = fopen(optarg, "w")))
            return usage();
    }
    char **words = argv + optind;
    if (argc - optind < 7)
        return usage();
    double seconds = strtod(words[6], NULL), rate = argc - optind > 7 ? strtod(words[7], NULL) : 0;
    load.port = (int)strtol(words[0], NULL, 10);
    load.token = words[1];
    load.path = words[2];
    load.body = words[4];
    load.n_connections = (int)strtol(words[5], NULL, 10);
    if (load.n_connections < 1 || load.n_connections > CONNECTIONS_MAX || seconds <= 0 || (load.receipts && rate <= 0))
        return usage();
    read_keys(&load, words[3]);
    load.connections = calloc((size_t)load.n_connections, sizeof *load.connections);
    load.latencies_us = malloc(LATENCIES_MAX * sizeof *load.latencies_us);
    if (!load.connections || !load.latencies_us)
        fail("memory");
    connect_all(&load);
    load.start_ns = load.next_due_ns = now_ns();
    load.end_ns = load.start_ns + (int64_t)(seconds * 1e9);
    load.interval_ns = rate > 0 ? (int64_t)(1e9 / rate) : 0;
    run(&load);
    print(&load);
    if (load.receipts && fclose(load.receipts) != 0)
        fail("the receipts cannot be written");
    for (size_t i = 0; i < load.n_keys; i++)
        free(load.keys[i]);
    free((void *)load.keys);
    free(load.connections);
    free(load.latencies_us);
    return load.n_errors + load.n_empty + load.n_unanswered ? 1 : 0;
}
