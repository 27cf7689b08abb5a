/* nats-server as a child, its configuration written here. */
#include "bus/link_testing.h"

#include "base/test.h"
#include "bus/nkey.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WITHIN_MS 60000

/* ThreadSanitizer: libnats 3.4 reads and writes one TLS connection from two threads (docs/bus.md says what that means). */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:libssl.so\nrace:libcrypto.so\n";
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static pid_t run(const struct nats_testing *server, const char *const words[])
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    int fd;
    char log[128];
    snprintf(log, sizeof log, "%s/log", server->folder);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd >= 0) {
        dup2(fd, 1);
        dup2(fd, 2);
    }
    execvp(words[0], (char *const *)(uintptr_t)words); /* execvp() does not write to them */
    _exit(127);
}

static void make_certificate(const struct nats_testing *server, const char *name)
{
    char key[128], certificate[128];
    int status;
    snprintf(key, sizeof key, "%s/%s.key", server->folder, name);
    snprintf(certificate, sizeof certificate, "%s/%s.crt", server->folder, name);
    const char *words[] = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate, NULL};
    pid_t pid = run(server, words);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool answers(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return is_there;
}

void nats_testing_again(struct nats_testing *server)
{
    char config[128];
    snprintf(config, sizeof config, "%s/config", server->folder);
    const char *words[] = {"nats-server", "-c", config, NULL};
    server->pid = run(server, words);
    for (int i = 0; i < WITHIN_MS / 10 && !answers(server->port); i++) {
        int status;
        if (waitpid(server->pid, &status, WNOHANG) == server->pid)
            fail_msg("nats-server ended at its start (see %s/log); is it installed? mend: tools/setup test", server->folder);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_true(answers(server->port));
}

void nats_testing_start(struct nats_testing *server, bool has_tls)
{
    char config[128], public[BUS_NKEY_TEXT];
    *server = (struct nats_testing){.has_tls = has_tls, .port = free_port()};
    snprintf(server->folder, sizeof server->folder, "/tmp/citybrain-bus-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    snprintf(config, sizeof config, "%s/config", server->folder);
    snprintf(server->url, sizeof server->url, "%s://localhost:%d", has_tls ? "tls" : "nats", server->port);
    FILE *file = fopen(config, "w");
    assert_non_null(file);
    fprintf(file, "host: \"127.0.0.1\"\nport: %d\n", server->port);
    if (has_tls) {
        make_certificate(server, "server");
        make_certificate(server, "other");
        snprintf(server->ca, sizeof server->ca, "%s/server.crt", server->folder);
        snprintf(server->other_ca, sizeof server->other_ca, "%s/other.crt", server->folder);
        fprintf(file, "tls { cert_file: \"%s/server.crt\", key_file: \"%s/server.key\" }\n", server->folder, server->folder);
    }
    fprintf(file, "authorization { users = [\n");
    for (int i = 0; i < NATS_TESTING_USERS; i++) {
        snprintf(server->keys[i], sizeof server->keys[i], "%s/user-%d", server->folder, i);
        assert_int_equal(bus_nkey_make(server->keys[i], NULL), ERR_OK);
        assert_int_equal(bus_nkey_public(server->keys[i], NULL, public), ERR_OK);
        if (i + 1 < NATS_TESTING_USERS) /* each listens to its own inbox only */
            fprintf(file, "  {nkey: %s, permissions: {publish: [\"cb.>\", \"_INBOX.>\"], subscribe: [\"cb.>\", \"_INBOX.%s.>\"]}}\n",
                public, public);
    }
    fprintf(file, "] }\n");
    fclose(file);
    nats_testing_again(server);
}

void nats_testing_pause(struct nats_testing *server, bool is_paused)
{
    assert_int_equal(kill(server->pid, is_paused ? SIGSTOP : SIGCONT), 0);
}

void nats_testing_kill(struct nats_testing *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void nats_testing_end(struct nats_testing *server)
{
    static const char *const names[] = {
        "config", "log", "server.key", "server.crt", "other.key", "other.crt", "user-0", "user-1", "user-2"};
    char path[128];
    nats_testing_kill(server);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", server->folder, names[i]);
        unlink(path);
    }
    rmdir(server->folder);
}

bool nats_testing_until(struct loop *loop, bool (*is_true)(void *context), void *context)
{
    struct mono_time from = clock_mono(clock_system());
    while (!is_true(context)) {
        if (mono_ms_between(from, clock_mono(clock_system())) > WITHIN_MS)
            return false;
        assert_int_equal(loop_run_once(loop, 10), ERR_OK);
    }
    return true;
}

void nats_testing_link(struct nats_testing *server, int user, struct bus_link **ret_link)
{
    struct diag diag = {""};
    struct bus_link_options options = {.url = server->url,
        .name = "test",
        .nkey_file = server->keys[user],
        .ca_file = server->has_tls ? server->ca : NULL,
        .clock = clock_system()};
    assert_int_equal(bus_link_open(&options, &diag, ret_link), ERR_OK);
    for (int i = 0; i < WITHIN_MS / 5 && !bus_link_is_up(*ret_link); i++)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    assert_true(bus_link_is_up(*ret_link));
}
