/* SUMO as a child process: see sumo.h. */
#include "world/sumo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_S 60
#define STOP_S 5
#define NO_PROGRAM 127 /* what a shell says as well */

static void wait_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* A port that nobody listens on now. Another program may take it before SUMO does; then SUMO ends and says so. */
static enum err free_port(uint16_t *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    bool is_bound =
        bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0;
    (void)close(fd);
    if (!is_bound)
        return ERR_IO;
    *ret_port = ntohs(address.sin_port);
    return ERR_OK;
}

/* In the child, between fork and exec: only what is safe there. */
static void become_sumo(const struct sumo_options *options, const char *port, const char *seed, int log, pid_t parent)
{
    const char *const argv[] = {"sumo", "-X", "never", "--net-file", options->network, "--additional-files", options->additional,
        "--remote-port", port, "--num-clients", "1", "--step-length", "1", "--seed", seed, "--no-step-log", "true",
        "--duration-log.disable", "true", "--time-to-teleport", "180", "--time-to-teleport.highways", "60", "--collision.action", "none",
        "--max-depart-delay", "60", "--device.rerouting.probability", "0.4", "--device.rerouting.period", "120",
        "--device.rerouting.adaptation-steps", "18", "--device.rerouting.adaptation-interval", "10", "--ignore-route-errors", "true",
        "--no-warnings", "true", NULL};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL); /* what the world holds back is not for its child to hold back */
    (void)setpgid(0, 0);                         /* Ctrl-C is the world's to handle */
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(NO_PROGRAM);
}

bool sumo_is_running(struct sumo *sumo)
{
    int status;
    if (sumo->pid > 0 && waitpid(sumo->pid, &status, WNOHANG) == sumo->pid)
        sumo->pid = 0;
    return sumo->pid > 0;
}

static enum err connect_to(struct sumo *sumo, uint16_t port, const char *log, struct diag *diag)
{
    for (int i = 0; i < START_S * 20; i++) {
        int status = 0;
        enum err err = traci_connect(port, &sumo->client);
        if (err != ERR_UNAVAILABLE)
            return err;
        if (waitpid(sumo->pid, &status, WNOHANG) == sumo->pid) {
            sumo->pid = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == NO_PROGRAM)
                return diag_set(diag, ERR_NOT_FOUND, NULL, 0, "sumo is not installed; mend: apt-get install sumo");
            return diag_set(diag, ERR_UNAVAILABLE, log, 0, "SUMO ended before it could be reached; its reason is in this file");
        }
        wait_ms(50);
    }
    return diag_set(diag, ERR_TIMEOUT, log, 0, "SUMO did not answer within %d s; see what it says in this file", START_S);
}

enum err sumo_start(const struct sumo_options *options, struct diag *diag, struct sumo *ret_sumo)
{
    struct sumo sumo = {0};
    uint16_t port_number;
    char port[16], seed[32];
    enum err err = free_port(&port_number);
    if (err)
        return diag_set(diag, err, NULL, 0, "no free port on this machine (%s)", strerror(errno));
    (void)snprintf(port, sizeof port, "%u", port_number);
    (void)snprintf(seed, sizeof seed, "%u", (unsigned)(options->seed % 1000000));
    if (setenv("SUMO_HOME", "/usr/share/sumo", 0) != 0)
        return ERR_NO_MEMORY;
    int log = open(options->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (log < 0)
        return diag_set(
            diag, err_from_errno(errno), options->log, 0, "cannot be written (%s); give a data folder that can", strerror(errno));
    pid_t parent = getpid();
    sumo.pid = fork();
    if (sumo.pid == 0)
        become_sumo(options, port, seed, log, parent);
    (void)close(log);
    if (sumo.pid < 0)
        return diag_set(diag, ERR_IO, NULL, 0, "SUMO cannot be started (%s)", strerror(errno));
    err = connect_to(&sumo, port_number, options->log, diag);
    if (err)
        sumo_stop(&sumo);
    else
        *ret_sumo = sumo;
    return err;
}

void sumo_stop(struct sumo *sumo)
{
    if (!sumo_is_running(sumo)) {
        traci_close(sumo->client);
        sumo->client = NULL;
        return;
    }
    traci_close(sumo->client);
    sumo->client = NULL;
    for (int i = 0; i < STOP_S * 50; i++) {
        if (!sumo_is_running(sumo))
            return;
        if (i == 25)
            (void)kill(sumo->pid, SIGTERM);
        wait_ms(20);
    }
    (void)kill(sumo->pid, SIGKILL);
    (void)waitpid(sumo->pid, NULL, 0);
    sumo->pid = 0;
}
