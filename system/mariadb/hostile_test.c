/*
 * A MariaDB that means no good: a real one behind a proxy that changes, cuts, repeats and swells what it says, after a true greeting or in
 * its midst. Each asking ends within its time, memory stays bounded, nothing of a wrong type comes through, and when the server is itself
 * again so are the answers. Run by tests/servers.py, which starts the server.
 */
#include "system/mariadb/mariadb.h"

#include "base/mem.h"
#include "base/test.h"
#include "hub/department_testing.h"

#include <arpa/inet.h>
#include <mysql.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum attack { NONE, CHANGED, CUT, REPEATED, SWOLLEN, ENDLESS_PACKETS, EMPTY_PACKETS, ENDLESS_ROWS, N_ATTACKS };
static const char *const names[] = {"none", "changed bytes", "cut off", "repeated for ever", "a packet without an end",
    "packets without an end", "empty packets without an end", "rows without an end"};
#define PEERS_MAX 512

static _Atomic int attack;
static _Atomic bool is_stopping;
static int listener, server_port, proxy_port;
static pthread_t acceptor, peers[PEERS_MAX];
static size_t n_peers;
static _Atomic unsigned seed, n_poured;
static struct fake_city city;

/* ---- the proxy ---- */

static bool put(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* A whole answer with rows: all but its end, and then its last row again and again, numbered as it has to be. */
static bool pour_rows(int fd, const unsigned char *bytes, size_t n)
{
    static _Thread_local unsigned char rows[256][128];
    size_t at = 0, row = 0, n_packets = 0, len = 0, n_row = 0;
    for (; at + 4 < n; at += 4 + len) {
        len = bytes[at] | (size_t)bytes[at + 1] << 8 | (size_t)bytes[at + 2] << 16;
        if (at + 4 + len > n || (row && bytes[at + 4] == 0xfe && len < 9))
            break;
        if (n_packets++ > 8 && bytes[at + 4] == 0 && len < sizeof rows[0] - 4) {
            row = at;
            n_row = 4 + len;
        }
    }
    if (!row || at + 4 + len > n)
        return put(fd, bytes, n);
    for (size_t i = 0; i < 256; i++) {
        memcpy(rows[i], bytes + row, n_row);
        rows[i][3] = (unsigned char)(bytes[at + 3] + i);
    }
    atomic_fetch_add(&n_poured, 1);
    for (bool goes_on = put(fd, bytes, at); goes_on && !atomic_load(&is_stopping);)
        for (size_t i = 0; i < 256 && goes_on; i++)
            goes_on = put(fd, rows[i], n_row);
    return false;
}

/* What the server said, as the attack has it; false: the connection ends. */
static bool pass_on(int fd, unsigned char *bytes, size_t n, unsigned *random)
{
    static const unsigned char swollen[] = {0xff, 0xff, 0xff, 1}, packet[] = {5, 0, 0, 1, 'x', 'x', 'x', 'x', 'x'}, empty[] = {0, 0, 0, 1};
    static const unsigned char filling[65536];
    switch ((enum attack)atomic_load(&attack)) {
    case CHANGED:
        for (int i = rand_r(random) % 4; i >= 0; i--)
            bytes[(size_t)rand_r(random) % n] = (unsigned char)rand_r(random);
        return put(fd, bytes, n);
    case CUT:
        (void)put(fd, bytes, (size_t)rand_r(random) % n);
        return false;
    case REPEATED:
        while (!atomic_load(&is_stopping))
            if (!put(fd, bytes, n))
                return false;
        return false;
    case SWOLLEN:
        if (!put(fd, swollen, sizeof swollen))
            return false;
        while (!atomic_load(&is_stopping))
            if (!put(fd, filling, sizeof filling))
                return false;
        return false;
    case ENDLESS_PACKETS:
    case EMPTY_PACKETS:
        for (bool is_empty = atomic_load(&attack) == EMPTY_PACKETS; !atomic_load(&is_stopping);)
            if (!put(fd, is_empty ? empty : packet, is_empty ? sizeof empty : sizeof packet))
                return false;
        return false;
    case ENDLESS_ROWS:
        return pour_rows(fd, bytes, n);
    default:
        return put(fd, bytes, n);
    }
}

static void *serve(void *context)
{
    unsigned char bytes[65536];
    int client = (int)(intptr_t)context, one = 1, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)server_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned random = atomic_fetch_add(&seed, 1);
    bool goes_on = connect(server, (struct sockaddr *)&address, sizeof address) == 0;
    struct timeval patience = {.tv_sec = 2};
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    while (goes_on && !atomic_load(&is_stopping)) {
        struct pollfd waits[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        if (poll(waits, 2, 50) <= 0)
            continue;
        if (waits[0].revents) {
            ssize_t n = recv(client, bytes, sizeof bytes, 0);
            goes_on = n > 0 && put(server, bytes, (size_t)n);
        }
        if (goes_on && waits[1].revents) {
            ssize_t n = recv(server, bytes, sizeof bytes, 0);
            goes_on = n > 0 && pass_on(client, bytes, (size_t)n, &random);
        }
    }
    close(server);
    close(client);
    return NULL;
}

static void *accept_all(void *unused)
{
    while (!atomic_load(&is_stopping)) {
        struct pollfd waits = {.fd = listener, .events = POLLIN};
        int fd = poll(&waits, 1, 50) > 0 ? accept(listener, NULL, NULL) : -1;
        if (fd < 0)
            continue;
        if (n_peers == PEERS_MAX || pthread_create(&peers[n_peers], NULL, serve, (void *)(intptr_t)fd) != 0)
            close(fd);
        else
            n_peers++;
    }
    return unused;
}

/* ---- the city ---- */

static const char *need(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fail_msg("%s is not set; mend: run it as tests/servers.py mariadb -- PROGRAM", name);
    return value;
}

static void run_sql(const char *sql)
{
    char path[300];
    MYSQL *mysql = mysql_init(NULL);
    snprintf(path, sizeof path, "%s/socket", need("CITYBRAIN_MARIADB_SOCKET_DIR"));
    assert_non_null(mysql_real_connect(mysql, NULL, "root", NULL, "department", 0, path, CLIENT_MULTI_STATEMENTS));
    int code = mysql_query(mysql, sql);
    while (code == 0) {
        mysql_free_result(mysql_store_result(mysql));
        code = mysql_next_result(mysql);
    }
    if (code > 0)
        fail_msg("%s", mysql_error(mysql));
    mysql_close(mysql);
}

static int make(void **state)
{
    static const struct hub_system_ops *const connectors[] = {&system_mariadb_ops, NULL};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char text[2000];
    const char *given = getenv("CITYBRAIN_TEST_SEED");
    atomic_store(&seed, given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL));
    printf("seed %u\n", atomic_load(&seed));
    server_port = (int)strtol(need("CITYBRAIN_MARIADB_PORT"), NULL, 10);
    run_sql("CREATE TABLE vehicle (plate VARCHAR(20) PRIMARY KEY, colour TEXT, seats INT, since DATETIME(3), photo VARBINARY(10)) "
            "CHARACTER SET utf8mb4; INSERT INTO vehicle SELECT "
            "CONCAT('A', LPAD(seq, 5, '0')), ELT(1 + seq % 2, 'white', NULL), seq % 5, NOW(3), 'x' FROM seq_0_to_499; CREATE USER hub@'%' "
            "IDENTIFIED BY 'geheim'; GRANT SELECT ON department.* TO hub@'%'");
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 32) ||
                         getsockname(listener, (struct sockaddr *)&address, &size),
        0);
    proxy_port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&acceptor, NULL, accept_all, NULL), 0);
    fake_department_make(&city, connectors);
    fake_department_secret(&city, "department", "geheim\n");
    fake_department_grant(&city, "[plate, colour, seats, since, photo]", NULL);
    snprintf(text, sizeof text,
        "connection: {host: 127.0.0.1, port: %d, database: department, user: hub, password_file: \"{data}/secrets/department\", timeout: "
        "300ms, connections: 2}\nresources:\n"
        "  - {name: vehicle, title: {zh: 车, en: V}, kind: table, bind: {table: vehicle}, fields: [{name: plate, type: text, class: open, "
        "key: true}, {name: colour, type: text, class: open}, "
        "{name: seats, type: integer, class: open}, {name: since, type: time, class: open}, {name: photo, type: bytes, class: open}]}\n",
        proxy_port);
    fake_department_write(&city, "mariadb", text);
    fake_department_load(&city);
    return 0;
}

static int finish(void **state)
{
    fake_city_unload(&city);
    atomic_store(&is_stopping, true);
    pthread_join(acceptor, NULL);
    for (size_t i = 0; i < n_peers; i++)
        pthread_join(peers[i], NULL);
    close(listener);
    fake_department_finish(&city);
    return 0;
}

static enum err ask(void)
{
    const struct fake_answer *answer =
        fake_ask(&city, &(struct fake_question){.outputs = {"plate", "colour", "seats", "since", "photo"}, .n_rows_max = 50});
    for (size_t i = 0; i < answer->n_rows && !answer->err; i++) {
        const struct value *values = rows_at(answer->rows, i);
        assert_true(values[0].type == VALUE_TEXT && str_is_utf8(values[0].s));
        assert_true(values[2].type == VALUE_INTEGER || values[2].type == VALUE_NULL);
        assert_true(values[3].type == VALUE_TIME || values[3].type == VALUE_NULL);
    }
    return answer->err;
}

static void attacks(void **state)
{
    struct rusage before, after;
    size_t n_errors = 0, n_asked = 0;
    const struct value plate = value_text(STR("A00002"));
    getrusage(RUSAGE_SELF, &before);
    for (int which = CHANGED; which < N_ATTACKS; which++) {
        /* Rows can be poured only where an answer came whole and in time: on a slow machine that takes more tries. */
        const struct mono_time first = clock_mono(clock_system());
        for (int i = 0; i < (which == CHANGED || which == CUT ? 15 : 3) || (which == ENDLESS_ROWS && !atomic_load(&n_poured));
             i++, n_asked++) {
            if (mono_ms_between(first, clock_mono(clock_system())) > 120000)
                fail_msg("%s: nothing came of it in two minutes", names[which]);
            atomic_store(&attack, which);
            n_errors += ask() != ERR_OK;
            if (i % 2) /* half of them meet the attack in the greeting, the others later */
                continue;
            atomic_store(&attack, NONE);
            (void)ask();
        }
        atomic_store(&attack, NONE);
        const struct mono_time begun = clock_mono(clock_system());
        const struct fake_answer *answer;
        do /* each connection that met the attack has to go first */
            answer =
                fake_ask(&city, &(struct fake_question){.outputs = {"plate", "colour", "seats"}, .where = {{"plate", SQL_EQ, &plate, 1}}});
        while (answer->err && mono_ms_between(begun, clock_mono(clock_system())) < 30000);
        if (answer->err || strcmp(answer->text, "A00002|white|2") != 0)
            fail_msg("after %s: %s %s", names[which], err_text(answer->err), answer->text);
    }
    getrusage(RUSAGE_SELF, &after);
    printf("%zu askings under attack, %zu ended with an error; %ld MB at the most, %ld MB before\n", n_asked, n_errors,
        after.ru_maxrss / 1024, before.ru_maxrss / 1024);
    print_message("%u answers poured rows\n", atomic_load(&n_poured));
    assert_true(n_errors > 10);
    assert_true(atomic_load(&n_poured) > 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* a sanitizer keeps what is freed, and more */
    assert_true(after.ru_maxrss - before.ru_maxrss < 300 * 1024);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(attacks, make, finish)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
