/*
 * A broker that means no good, or is none: the connector never crashes, never takes what is not whole, comes back when the broker is itself
 * again; and the acknowledgement of a message leaves after it was handed over, seen on the wire.
 */
#include "system/mqtt/mqtt_testing.h"

#include "base/mem.h"
#include "base/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- a broker, byte by byte ---- */

typedef void (*behave_fn)(int fd); /* after CONNECT came; the connection ends when it returns */

static int listener = -1, port;
static pthread_t acceptor;
static _Atomic bool is_stopping;
static _Atomic(behave_fn) behaviour;
static _Atomic size_t n_acknowledged, n_connections;
static _Atomic unsigned n_good;
static _Atomic size_t n_poured;

static void put(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = write(fd, at, len); /* a socket, or a pipe */
        if (n <= 0)
            return;
        at += n;
        len -= (size_t)n;
    }
}

#define PUT(fd_, literal_) put(fd_, literal_, sizeof(literal_) - 1)

/* One packet of the connector's: its first byte, -1 at the end or after 50 ms without one. */
static int take_packet(int fd, uint8_t body[256], size_t *len)
{
    struct pollfd waits = {.fd = fd, .events = POLLIN};
    uint8_t head[2];
    if (poll(&waits, 1, 50) <= 0)
        return 0;
    if (recv(fd, head, 2, MSG_WAITALL) != 2 || head[1] > 127)
        return -1;
    *len = head[1];
    if (head[1] && recv(fd, body, head[1], MSG_WAITALL) != head[1])
        return -1;
    return head[0];
}

static void publish(int fd, unsigned id, const char *topic, const char *payload)
{
    uint8_t packet[600];
    size_t n_topic = strlen(topic), n_payload = strlen(payload), rest = 2 + n_topic + 2 + n_payload, at = 0;
    packet[at++] = 0x32; /* PUBLISH, QoS 1 */
    packet[at++] = (uint8_t)(0x80 | (rest & 0x7f));
    packet[at++] = (uint8_t)(rest >> 7);
    packet[at++] = 0;
    packet[at++] = (uint8_t)n_topic;
    memcpy(packet + at, topic, n_topic);
    at += n_topic;
    packet[at++] = (uint8_t)(id >> 8);
    packet[at++] = (uint8_t)id;
    memcpy(packet + at, payload, n_payload);
    put(fd, packet, at + n_payload);
}

/* Answers SUBSCRIBE and PINGREQ, counts PUBACK; false: the connection ended. */
static bool serve_once(int fd)
{
    uint8_t body[256];
    size_t len = 0;
    int kind = take_packet(fd, body, &len);
    if (kind == 0x82) {
        uint8_t answer[] = {0x90, 3, body[0], body[1], 1};
        put(fd, answer, sizeof answer);
    } else if (kind == 0xc0) {
        PUT(fd, "\xd0\x00");
    } else if (kind == 0x40) {
        atomic_fetch_add(&n_acknowledged, 1);
    }
    return kind >= 0 && !atomic_load(&is_stopping);
}

/* Until the subscription has come. */
static void greet(int fd)
{
    PUT(fd, "\x20\x02\x00\x00");
    for (int i = 0; i < 10; i++)
        if (!serve_once(fd))
            return;
}

static void is_good(int fd)
{
    greet(fd);
    for (unsigned i = 1; serve_once(fd) && atomic_load(&behaviour) == is_good; i = i % 60000 + 1)
        publish(fd, i, "cb/h/gps/x", mq_position("good", atomic_fetch_add(&n_good, 1)));
}

static void *accept_all(void *unused)
{
    while (!atomic_load(&is_stopping)) {
        struct pollfd waits = {.fd = listener, .events = POLLIN};
        int fd = poll(&waits, 1, 20) > 0 ? accept(listener, NULL, NULL) : -1;
        if (fd < 0)
            continue;
        uint8_t body[256];
        size_t len;
        struct timeval time_out = {.tv_sec = 2};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time_out, sizeof time_out);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time_out, sizeof time_out);
        atomic_fetch_add(&n_connections, 1);
        for (int i = 0; i < 40 && take_packet(fd, body, &len) == 0; i++)
            ;
        atomic_load (&behaviour)(fd);
        close(fd);
    }
    return unused;
}

/* ---- what can be wrong ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_OURS false /* a sanitizer keeps what is freed, and more */
#else
#define MEMORY_IS_OURS true
#endif

static long status_kb(const char *name)
{
    char line[200];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            kb = strtol(line + strlen(name) + 1, NULL, 10);
    if (file)
        fclose(file);
    return kb;
}

static void hangs_up(int fd) {}
static void is_silent(int fd)
{
    for (int i = 0; i < 8 && !atomic_load(&is_stopping); i++)
        usleep(50000);
}
static void speaks_http(int fd)
{
    PUT(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
}
static void refuses(int fd)
{
    PUT(fd, "\x20\x02\x00\x05");
    is_silent(fd);
}
static void refuses_topic(int fd)
{
    uint8_t body[256];
    size_t len = 0;
    PUT(fd, "\x20\x02\x00\x00");
    for (int i = 0; i < 40; i++)
        if (take_packet(fd, body, &len) == 0x82) {
            uint8_t answer[] = {0x90, 3, body[0], body[1], 0x80};
            put(fd, answer, sizeof answer);
            break;
        }
    is_silent(fd);
}
static void promises_much(int fd) /* 256 MB, of which a few bytes come */
{
    greet(fd);
    PUT(fd, "\x32\xff\xff\xff\x7f\x00\x03"
            "a/b");
    is_silent(fd);
}
static void keeps_its_promise(int fd) /* … of which all come, when somebody takes them */
{
    static char bytes[65536];
    greet(fd);
    PUT(fd, "\x32\xff\xff\xff\x7f\x00\x0d"
            "cb/h/gps/bus1");
    for (int i = 0; i < 4096 && !atomic_load(&is_stopping); i++) {
        ssize_t n = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        atomic_fetch_add(&n_poured, (size_t)n);
    }
}
static void drips(int fd) /* true messages, a byte at a time */
{
    int pipe_fds[2];
    char byte;
    greet(fd);
    assert_int_equal(pipe(pipe_fds), 0);
    for (unsigned i = 1; i <= 3; i++)
        publish(pipe_fds[1], i, "cb/h/gps/x", mq_position("good", atomic_fetch_add(&n_good, 1)));
    close(pipe_fds[1]);
    while (read(pipe_fds[0], &byte, 1) == 1 && !atomic_load(&is_stopping)) {
        put(fd, &byte, 1);
        usleep(2000);
    }
    close(pipe_fds[0]);
    is_silent(fd);
}
static void has_half_a_header(int fd)
{
    greet(fd);
    PUT(fd, "\x32\xff");
    is_silent(fd);
}
static void sends_twice_sure(int fd) /* QoS 2, whose second half never comes: somebody would have to keep them */
{
    greet(fd);
    for (int i = 1; i < 60000 && !atomic_load(&is_stopping); i++) {
        uint8_t packet[] = {0x34, 0x14, 0, 0x0d, 'c', 'b', '/', 'h', '/', 'g', 'p', 's', '/', 'b', 'u', 's', '1', (uint8_t)(i >> 8),
            (uint8_t)i, '{', '}', 0};
        if (send(fd, packet, sizeof packet, MSG_NOSIGNAL) <= 0)
            return;
    }
}
static void has_no_length(int fd)
{
    greet(fd);
    PUT(fd, "\x32\xff\xff\xff\xff\xff\xff");
    is_silent(fd);
}
static void has_odd_topics(int fd)
{
    greet(fd);
    PUT(fd, "\x30\x06\x00\x03"
            "a/+x"); /* a wildcard */
    PUT(fd, "\x30\x05\x00\x03\xff\xfe\xfd");
    PUT(fd, "\x30\x05\x00\x03"
            "a\0b");
    PUT(fd, "\x30\x02\x00\x00"); /* none */
    PUT(fd, "\x30\x04\x00\x10"
            "ab"); /* longer than the packet */
    is_silent(fd);
}
static void has_odd_qos(int fd)
{
    greet(fd);
    PUT(fd, "\x36\x07\x00\x03"
            "a/b\x00\x01");
    is_silent(fd);
}
static void greets_twice(int fd)
{
    greet(fd);
    PUT(fd, "\x20\x02\x00\x00\x20\x02\x00\x00");
    PUT(fd, "\x90\x03\x00\x63\x01\xd0\x00\x40\x02\x00\x01\x62\x02\x00\x09");
    is_silent(fd);
}
static void floods(int fd) /* QoS 0, faster than anybody reads */
{
    greet(fd);
    for (int i = 0; i < 20000 && !atomic_load(&is_stopping); i++)
        PUT(fd, "\x30\x18\x00\x0d"
                "cb/h/gps/bus1{\"a\":1 }x");
}

static void start_broker(behave_fn behave)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 8) ||
                         getsockname(listener, (struct sockaddr *)&address, &size),
        0);
    port = ntohs(address.sin_port);
    atomic_store(&is_stopping, false);
    atomic_store(&behaviour, behave);
    assert_int_equal(pthread_create(&acceptor, NULL, accept_all, NULL), 0);
}

static void stop_broker(void)
{
    atomic_store(&is_stopping, true);
    pthread_join(acceptor, NULL);
    close(listener);
}

static bool has_come_again(const void *before)
{
    return atomic_load(&n_connections) > *(const size_t *)before;
}

static void of_every_kind(void **state)
{
    static const struct {
        const char *what;
        behave_fn behave;
    } rows[] = {{"hanging up", hangs_up}, {"silence", is_silent}, {"HTTP", speaks_http}, {"a refusal", refuses},
        {"a refused topic", refuses_topic}, {"256 MB", promises_much}, {"256 MB that come", keeps_its_promise}, {"slow bytes", drips},
        {"half a header", has_half_a_header}, {"QoS 2", sends_twice_sure}, {"no length", has_no_length}, {"odd topics", has_odd_topics},
        {"QoS 3", has_odd_qos}, {"two greetings", greets_twice}, {"a flood", floods}};
    start_broker(is_good);
    mq_city_make(port, "", MQ_BIND);
    mq_city_load(0);
    mq_wait_rows(3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t before = atomic_load(&n_connections);
        FILE *reset = fopen("/proc/self/clear_refs", "w"); /* the peak of memory is counted anew */
        if (reset) {
            fputs("5", reset);
            fclose(reset);
        }
        long rss = status_kb("VmRSS:");
        atomic_store(&behaviour, rows[i].behave);
        if (!mq_wait(has_come_again, &before))
            fail_msg("%s: it never came again", rows[i].what);
        size_t good = 0;
        atomic_store(&behaviour, is_good);
        struct str all = buf_str(&mq_rows);
        for (size_t j = 0; j + 4 <= all.len; j++)
            good += memcmp(all.ptr + j, "good|", 5) == 0;
        assert_int_equal(good, mq_n_rows); /* nothing but whole messages */
        mq_wait_rows(mq_n_rows + 2);
        long peak = status_kb("VmHWM:") - rss;
        print_message(
            "%s: back after %zu connections, %ld MiB more at the peak\n", rows[i].what, atomic_load(&n_connections) - before, peak / 1024);
        assert_true(!MEMORY_IS_OURS || peak < 32 * 1024);
    }
    print_message("%zu KiB of a packet of 256 MB were taken\n", atomic_load(&n_poured) / 1024);
    assert_true(atomic_load(&n_poured) < 64u << 20); /* what fits between two sockets */
    assert_true(mqtt_count(mq_system(), MQTT_TOO_LARGE) >= 2);
    mq_city_unload();
    stop_broker();
    mq_city_finish();
}

/* Random bytes in place of packets, after a true beginning. */
static unsigned seed;
static void babbles(int fd)
{
    uint8_t bytes[512];
    greet(fd);
    for (int i = 0; i < 20; i++) {
        size_t n = 1 + (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t j = 0; j < n; j++)
            bytes[j] = (uint8_t)(rand_r(&seed) % 4 ? rand_r(&seed) : rand_r(&seed) % 8);
        bytes[0] = (uint8_t)(rand_r(&seed) % 2 ? 0x32 : bytes[0]);
        if (n > 1)
            bytes[1] = (uint8_t)(rand_r(&seed) % 4 ? n - 2 : bytes[1]) & 0x7f;
        put(fd, bytes, n);
    }
}

static void of_no_kind(void **state)
{
    const char *given = getenv("CITYBRAIN_TEST_SEED");
    seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    printf("seed %u\n", seed);
    start_broker(babbles);
    mq_city_make(port, "", MQ_BIND);
    mq_city_load(0);
    size_t before = atomic_load(&n_connections) + 4;
    assert_true(mq_wait(has_come_again, &before));
    atomic_store(&behaviour, is_good);
    mq_wait_rows(2);
    mq_city_unload();
    stop_broker();
    mq_city_finish();
}

/* ---- when the acknowledgement leaves ---- */

static void sends_five(int fd)
{
    greet(fd);
    for (unsigned i = 1; i <= 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "m%u", i);
        publish(fd, i, "cb/h/gps/five", mq_position(name, i));
    }
    while (serve_once(fd))
        ;
}

static bool is_acknowledged(const void *n)
{
    return atomic_load(&n_acknowledged) >= *(const size_t *)n;
}

static void acknowledged_after(void **state)
{
    size_t all = 5;
    start_broker(sends_five);
    atomic_store(&n_acknowledged, 0);
    mq_city_make(port, "", MQ_BIND);
    mq_city_load(2); /* two batches may wait; the loop does not run, so nobody takes them */
    const struct mono_time begun = clock_mono(clock_system());
    while (mqtt_count(mq_system(), MQTT_ROWS) < 2 && mono_ms_between(begun, clock_mono(clock_system())) < 30000)
        usleep(1000);
    usleep(300000);
    assert_int_equal(mqtt_count(mq_system(), MQTT_ROWS), 2);
    size_t early = atomic_load(&n_acknowledged);
    assert_true(early <= 2); /* the third is not handed over: neither it nor what came after it is acknowledged */
    mq_wait_rows(5);
    assert_true(mq_wait(is_acknowledged, &all));
    assert_int_equal(atomic_load(&n_acknowledged), 5);
    printf("acknowledged while the subscriber stood still: %zu of 5\n", early);
    mq_city_unload();
    stop_broker();
    mq_city_finish();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_every_kind), cmocka_unit_test(of_no_kind), cmocka_unit_test(acknowledged_after)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
