/*
 * A server that speaks PostgreSQL's protocol and means no good: endless rows, a cell without an end, values that are none, garbage, notices
 * and settings without an end. Each is an error within its time and in bounded memory, which is given back, and the hub goes on.
 */
#include "system/postgres/postgres_testing.h"

#include "base/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum attack { NONE, ENDLESS_ROWS, HUGE_CELL, WRONG_LENGTH, NO_UTF8, OTHER_COLUMNS, GARBAGE, NOTICES, SETTINGS, N_ATTACKS };
static const char *const names[] = {"none", "endless rows", "a cell without an end", "an integer of 7 bytes", "text that is no UTF-8",
    "other columns", "garbage", "endless notices", "endless settings"};
static _Atomic int attack;
static int listener;
static pthread_t acceptor;

/* ---- messages ---- */

struct peer {
    int fd;
    char out[1 << 16];
    size_t n;
};

static bool flush(struct peer *peer)
{
    for (size_t at = 0; at < peer->n;) {
        ssize_t sent = send(peer->fd, peer->out + at, peer->n - at, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += (size_t)sent;
    }
    peer->n = 0;
    return true;
}

static void put(struct peer *peer, const void *bytes, size_t n)
{
    memcpy(peer->out + peer->n, bytes, n);
    peer->n += n;
}
static void put16(struct peer *peer, int value)
{
    put(peer, &(uint16_t){htons((uint16_t)value)}, 2);
}
static void put32(struct peer *peer, uint32_t value)
{
    put(peer, &(uint32_t){htonl(value)}, 4);
}
static void message(struct peer *peer, char type, const void *body, size_t n)
{
    put(peer, &type, 1);
    put32(peer, (uint32_t)n + 4);
    put(peer, body, n);
}

static void columns(struct peer *peer, const char *const *column_names, const uint32_t *oids, int n, int format)
{
    size_t len = 6;
    for (int i = 0; i < n; i++)
        len += strlen(column_names[i]) + 19;
    put(peer, "T", 1);
    put32(peer, (uint32_t)len);
    put16(peer, n);
    for (int i = 0; i < n; i++) {
        put(peer, column_names[i], strlen(column_names[i]) + 1);
        put32(peer, 0);
        put16(peer, 0);
        put32(peer, oids[i]);
        put16(peer, -1);
        put32(peer, UINT32_MAX);
        put16(peer, format);
    }
}

static void row(struct peer *peer, const struct str *cells, int n)
{
    uint32_t len = 6;
    for (int i = 0; i < n; i++)
        len += 4 + (uint32_t)cells[i].len;
    put(peer, "D", 1);
    put32(peer, len);
    put16(peer, n);
    for (int i = 0; i < n; i++) {
        put32(peer, (uint32_t)cells[i].len);
        put(peer, cells[i].ptr, cells[i].len);
    }
}

static const char *const fields[] = {"plate", "colour", "seats"};
static const uint32_t field_oids[] = {POSTGRES_TEXT, POSTGRES_TEXT, POSTGRES_INT4};

static void answer_query(struct peer *peer, const char *sql)
{
    static const char *const guard[] = {"a", "b", "c"};
    static const uint32_t texts[] = {POSTGRES_TEXT, POSTGRES_TEXT, POSTGRES_TEXT};
    static const struct str good[] = {STR_INIT("on"), STR_INIT("off"), STR_INIT("on")};
    bool is_guard = strstr(sql, "is_superuser") != NULL;
    columns(peer, guard, texts, is_guard ? 3 : 1, 0);
    if (is_guard)
        row(peer, good, 3);
    message(peer, 'C', "SELECT 1", 9);
    message(peer, 'Z', "I", 1);
}

/* What Execute is answered with. False: the client has gone. */
static bool execute(struct peer *peer)
{
    struct str good[] = {STR_INIT("A"), STR_INIT("white"), {"\0\0\0\3", 4}};
    char text[64];
    switch (atomic_load(&attack)) {
    case ENDLESS_ROWS:
        for (;;) {
            for (int i = 0; i < 500; i++)
                row(peer, good, 3);
            if (!flush(peer))
                return false;
        }
    case HUGE_CELL:
        put(peer, "D", 1);
        put32(peer, 1000000000);
        put16(peer, 3);
        put32(peer, 999999000);
        while (flush(peer)) {
            memset(peer->out, 'x', sizeof peer->out);
            peer->n = sizeof peer->out;
        }
        return false;
    case NOTICES:
        while (flush(peer))
            for (int i = 0; i < 500; i++)
                message(peer, 'N', "SNOTICE\0C00000\0Mhello\0", 23);
        return false;
    case SETTINGS:
        for (unsigned n = 0; flush(peer); n++)
            for (int i = 0; i < 500; i++) {
                size_t len = (size_t)snprintf(text, sizeof text, "setting_%u_%d", n, i) + 1;
                memcpy(text + len, "on", 3);
                message(peer, 'S', text, len + 3);
            }
        return false;
    case WRONG_LENGTH:
        good[2] = (struct str){"\0\0\0\0\0\0\3", 7};
        break;
    case NO_UTF8:
        good[1] = STR("\xff\xfe");
        break;
    case GARBAGE:
        for (int i = 0; i < 5000; i++)
            put(peer, &(char){(char)random()}, 1);
        return flush(peer);
    default:
        break;
    }
    row(peer, good, atomic_load(&attack) == OTHER_COLUMNS ? 2 : 3);
    message(peer, 'C', "SELECT 1", 9);
    return true;
}

static bool receive(int fd, void *out, size_t n)
{
    return recv(fd, out, n, MSG_WAITALL) == (ssize_t)n;
}

static void *serve(void *context)
{
    struct peer *peer = calloc(1, sizeof *peer);
    uint32_t len;
    char type, body[1 << 16];
    peer->fd = (int)(intptr_t)context;
    bool is_open = receive(peer->fd, &len, 4) && ntohl(len) < sizeof body && receive(peer->fd, body, ntohl(len) - 4);
    message(peer, 'R', "\0\0\0\0", 4);
    message(peer, 'S', "server_version\00015.0", 20);
    message(peer, 'S', "client_encoding\0UTF8", 21);
    message(peer, 'S', "default_transaction_read_only\0on", 33);
    message(peer, 'K', "\0\0\0\1\0\0\0\2", 8);
    message(peer, 'Z', "I", 1);
    while (is_open && flush(peer) && receive(peer->fd, &type, 1) && receive(peer->fd, &len, 4)) {
        size_t n = ntohl(len) - 4;
        if (n >= sizeof body || (n && !receive(peer->fd, body, n)))
            break;
        body[n] = '\0';
        if (type == 'Q')
            answer_query(peer, body);
        else if (type == 'P')
            message(peer, '1', "", 0);
        else if (type == 'B')
            message(peer, '2', "", 0);
        else if (type == 'S')
            message(peer, 'Z', "I", 1);
        else if (type == 'E')
            is_open = execute(peer);
        else if (type == 'D') {
            if (body[0] == 'S')
                message(peer, 't', "\0\0", 2);
            columns(peer, fields, field_oids, 3, body[0] != 'S');
        }
    }
    close(peer->fd);
    free(peer);
    return NULL;
}

static void *accept_all(void *context)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
    }
    return NULL;
}

/* ---- the tests ---- */

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

static void each_attack_is_an_error(void **state)
{
    for (int i = ENDLESS_ROWS; i < N_ATTACKS; i++) {
        FILE *reset = fopen("/proc/self/clear_refs", "w"); /* the peak of memory is counted anew */
        if (reset) {
            fputs("5", reset);
            fclose(reset);
        }
        long before = status_kb("VmRSS:");
        struct mono_time begun = clock_mono(clock_system());
        atomic_store(&attack, i);
        enum err err = postgres_ask("A")->err;
        int64_t ms = mono_ms_between(begun, clock_mono(clock_system()));
        long peak = status_kb("VmHWM:") - before;
        atomic_store(&attack, NONE);
        print_message("%s: \"%s\" after %lld ms, %ld MiB more at the peak\n", names[i], err_text(err), (long long)ms, peak / 1024);
        assert_int_not_equal(err, ERR_OK);
        assert_true(ms < 20000);
        /* libpq takes a message whole once it has begun, and one of 1 GB is its largest (README.md); what an honest server sends is cut
         * there */
        assert_true(!MEMORY_IS_OURS || peak < (i == HUGE_CELL ? 1100 : 128) * 1024);
        for (int again = 0; again < 100 && err; again++) {
            err = postgres_ask("A")->err;
            if (err)
                usleep(50000);
        }
        assert_ok(err); /* and the hub goes on */
        assert_true(!MEMORY_IS_OURS || status_kb("VmRSS:") - before < 128 * 1024);
    }
}

static int make(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(&acceptor, NULL, accept_all, NULL), 0);
    postgres_make(state);
    postgres_system_file(ntohs(address.sin_port), "hub", "500ms", "",
        "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {table: vehicle}\n    fields:\n      - {name: plate, "
        "type: text, class: open, key: true}\n"
        "      - {name: colour, type: text, class: open}\n      - {name: seats, type: integer, class: open}\n");
    fake_department_grant(&postgres_city, "[plate, colour, seats]", NULL);
    fake_department_load(&postgres_city);
    return 0;
}

static int finish(void **state)
{
    shutdown(listener, SHUT_RDWR);
    pthread_join(acceptor, NULL);
    close(listener);
    return postgres_unmake(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(each_attack_is_an_error, make, finish)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
