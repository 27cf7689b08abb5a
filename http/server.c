/*
 * The server: its socket, its limits, and the library driven by our loop.
 *
 * libmicrohttpd runs without a thread of its own: with one, it was seen to stall at 256 connections. Its epoll descriptor is watched
 * by the loop, and before each wait the loop lets it run when its descriptor was ready, when one of its timers is due, or when we
 * resumed a connection. So every callback runs on the loop, and nothing here needs a lock.
 */
#include "http/internal.h"

#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Defaults of struct http_limits. */
#define CONNECTIONS_DEFAULT 4096            /* cameras of a city, and its screens; about 16 KB each */
#define IDLE_TIMEOUT_DEFAULT_S 75           /* past the minute in which a camera says that it is alive */
#define HEADER_DEFAULT (8u << 10)           /* as nginx and Apache have it */
#define EXCHANGE_MEMORY_DEFAULT (16u << 20) /* parsing a body of 8 MB */
#define BODIES_DEFAULT (256u << 20)         /* thirty of the largest bodies at a time; a camera sends again */
#define STREAMS_DEFAULT 1000                /* viewers of the brain itself; more come through `citybrain live` */
#define STREAM_QUEUE_DEFAULT (1u << 20)     /* a city's whole picture, sent at the start, and some seconds of changes */
#define STREAM_CHECK_DEFAULT_S 10           /* a hash and a look-up each: 1,000 viewers take a millisecond */
#define SENDERS_DEFAULT 64                  /* 192 KB each: 12 MB */
#define SENDER_SLOWEST_DEFAULT (8u << 10)   /* a telephone in a cellar; 2 GB then take three days, and a place that long */
#define SCRATCH_MAX (64u << 10)             /* one problem's text */
#define LISTEN_BACKLOG 1024
#define ANSWER_ROOM 4096         /* the library builds the answer's head in the same block as the request's */
#define SLOWEST_BYTES_PER_S 1024 /* a body that comes slower than this is a way to hold places */
#define SWEEP_MS 1000
#define ROOM(limit_) ((limit_) / 8) /* places kept free for who comes next, by cutting who has waited longest without asking */
#define RUNS_MAX 4                  /* of the library before one wait, so that it does not starve the loop's other work */

static struct http_limits limits_with_defaults(struct http_limits limits)
{
    if (!limits.n_connections)
        limits.n_connections = CONNECTIONS_DEFAULT;
    if (!limits.idle_timeout_s)
        limits.idle_timeout_s = IDLE_TIMEOUT_DEFAULT_S;
    if (!limits.header_max)
        limits.header_max = HEADER_DEFAULT;
    if (!limits.exchange_memory_max)
        limits.exchange_memory_max = EXCHANGE_MEMORY_DEFAULT;
    if (!limits.bodies_max)
        limits.bodies_max = BODIES_DEFAULT;
    if (!limits.n_streams)
        limits.n_streams = STREAMS_DEFAULT;
    if (!limits.stream_queue_max)
        limits.stream_queue_max = STREAM_QUEUE_DEFAULT;
    if (!limits.stream_check_s)
        limits.stream_check_s = STREAM_CHECK_DEFAULT_S;
    if (!limits.n_senders)
        limits.n_senders = SENDERS_DEFAULT;
    if (!limits.sender_slowest)
        limits.sender_slowest = SENDER_SLOWEST_DEFAULT;
    return limits;
}

/* ---- the listening socket ---- */

static enum err address_error(struct diag *diag, const char *address, uint16_t port, int errno_value)
{
    if (errno_value == EADDRINUSE)
        return diag_set(diag, ERR_EXISTS, NULL, 0,
            "another program listens on %s port %u; stop it (ss -ltnp shows it) or choose another port with --port", address, port);
    if (errno_value == EACCES)
        return diag_set(diag, ERR_DENIED, NULL, 0, "port %u needs a right that this user has not; choose one above 1023 with --port", port);
    return diag_set(diag, err_from_errno(errno_value), NULL, 0, "cannot listen on %s port %u (%s); choose an address of this machine",
        address, port, strerror(errno_value));
}

static enum err listen_open(const char *address, uint16_t port, bool share_port, struct diag *diag, int *ret_fd)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_PASSIVE}, *found = NULL;
    char service[8];
    int one = 1, fd;
    enum err err = ERR_OK;

    snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(address, service, &hints, &found) != 0)
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "\"%s\" is not an IP address; write one like 127.0.0.1", address);
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        err = address_error(diag, address, port, errno);
        goto done;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        (share_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0) ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        err = address_error(diag, address, port, errno);
        close(fd);
        goto done;
    }
    *ret_fd = fd;
done:
    freeaddrinfo(found);
    return err;
}

enum err http_port_check(const char *address, uint16_t port, struct diag *diag)
{
    int fd = -1;
    enum err err = port ? listen_open(address, port, false, diag, &fd) : ERR_OK;

    if (fd >= 0)
        close(fd);
    return err;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* A connection is a descriptor, and so is a file that is sent: the soft limit of a login shell (1,024) is too low for us. */
static void raise_descriptor_limit(uint32_t n_connections)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= n_connections + 512u)
        return;
    limit.rlim_cur = limit.rlim_max < n_connections + 512u ? limit.rlim_max : n_connections + 512u;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_write(LOG_WARNING, "http", "the limit of open files could not be raised", LOG_INT("wanted", n_connections + 512), LOG_END);
}

/* ---- connections ---- */

static void cut(struct http_connection *connection, struct metric_counter *why)
{
    connection->is_cut = true;
    connection->server->n_cut++;
    metric_add(why, 1);
    shutdown(connection->fd, SHUT_RDWR);
}

/* Has it nothing of ours under way, so that its end costs its owner no more than coming again? */
static bool may_be_crowded_out(const struct http_connection *connection)
{
    const struct http_exchange *x = connection->exchange;
    return !connection->is_stream && !connection->is_cut && connection->fd >= 0 && (!x || x->state == EXCHANGE_LINE);
}

/* Places that are held by silence go to who comes: first of those on which nothing was ever asked the oldest, then the one that has been
 * idle longest. A program that asks is older than its last answer, one that only holds a place never has one. */
static void make_room(struct http_server *server)
{
    struct http_connection *victim = server->oldest;
    while (victim && (victim->has_served || !may_be_crowded_out(victim)))
        victim = victim->previous;
    if (!victim)
        for (struct http_connection *one = server->oldest; one; one = one->previous)
            if (may_be_crowded_out(one) && (!victim || one->quiet_since.ns < victim->quiet_since.ns))
                victim = one;
    if (victim)
        cut(victim, &server->n_crowded_out);
}

static enum MHD_Result on_accept(void *cls, const struct sockaddr *address, socklen_t len)
{
    struct http_server *server = cls;

    if (server->n_connections - server->n_cut >= server->limits.n_connections - ROOM(server->limits.n_connections))
        make_room(server);
    if (server->n_connections < server->limits.n_connections)
        return MHD_YES;
    metric_add(&server->n_refused_connections, 1);
    return MHD_NO;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = cls;
    struct http_connection *connection = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        server->n_connections++;
        connection = mem_alloc_zero(1, sizeof(*connection));
        if (!connection)
            return; /* it is served, and only not watched for slowness by us */
        connection->server = server;
        connection->fd = info ? info->connect_fd : -1;
        connection->quiet_since = clock_mono(loop_clock(server->loop));
        connection->next = server->connections;
        if (connection->next)
            connection->next->previous = connection;
        else
            server->oldest = connection;
        server->connections = connection;
        *context = connection;
        return;
    }
    server->n_connections--;
    if (!connection)
        return;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    else
        server->oldest = connection->previous;
    server->n_cut -= connection->is_cut;
    if (connection->exchange)
        http_exchange_on_closed(connection->exchange);
    mem_free(connection);
    *context = NULL;
}

/* Has it taken longer than it may to send a request? The library itself only notices silence, not a byte now and then. */
static bool is_too_slow(const struct http_connection *connection, struct mono_time now)
{
    const struct http_exchange *x = connection->exchange;
    int64_t allowed_ms = ((int64_t)connection->server->limits.idle_timeout_s + 1) * 1000;

    if (connection->is_stream || connection->is_cut)
        return false;
    if (!x)
        return mono_ms_between(connection->quiet_since, now) > allowed_ms;
    if (x->state != EXCHANGE_LINE && x->state != EXCHANGE_BODY)
        return false;
    return mono_ms_between(x->started, now) > allowed_ms + (int64_t)(x->body.len * 1000 / SLOWEST_BYTES_PER_S);
}

static void on_sweep(struct loop_timer *timer)
{
    struct http_server *server = container_of(timer, struct http_server, sweep);
    struct mono_time now = clock_mono(loop_clock(server->loop));

    for (struct http_connection *connection = server->connections; connection; connection = connection->next) {
        if (is_too_slow(connection, now) && connection->fd >= 0)
            cut(connection, &server->n_slow_connections);
    }
    http_streams_check(server, now);
    http_senders_check(server, now);
    if (loop_timer_start(server->loop, timer, SWEEP_MS))
        log_write(LOG_ERROR, "http", "the sweep of slow connections has stopped: no memory", LOG_END);
}

/* ---- the loop ---- */

static void on_ready(void *context, uint32_t events)
{
    struct http_server *server = context;

    server->must_run = true;
}

/* Lets the library run; how long it may then wait: -1 for ever. */
static int before_wait(struct loop_hook *hook)
{
    struct http_server *server = container_of(hook, struct http_server, hook);
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;

    for (int i = 0; i < RUNS_MAX; i++) {
        if (server->must_run) {
            server->must_run = false;
            MHD_run(server->daemon);
        }
        if (server->must_run)
            continue;
        if (MHD_get_timeout(server->daemon, &timeout_ms) != MHD_YES)
            return -1;
        if (timeout_ms > 0)
            return timeout_ms < 60000 ? (int)timeout_ms : 60000;
        server->must_run = true;
    }
    return 0;
}

static enum err daemon_start(struct http_server *server, int listen_fd)
{
    const struct http_limits *limits = &server->limits;

    server->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, 0, on_accept, server, http_exchange_on_request, server,
            MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listen_fd, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_CONNECTION_LIMIT,
            limits->n_connections + 64u, MHD_OPTION_CONNECTION_TIMEOUT, limits->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            limits->header_max + ANSWER_ROOM, MHD_OPTION_URI_LOG_CALLBACK, http_exchange_on_line, server, MHD_OPTION_NOTIFY_CONNECTION,
            on_connection, server, MHD_OPTION_NOTIFY_COMPLETED, http_exchange_on_completed, server, MHD_OPTION_END);
    return server->daemon ? ERR_OK : ERR_IO;
}

static enum err loop_join(struct http_server *server)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    enum err err;

    if (!info)
        return ERR_UNSUPPORTED;
    err = loop_watch_fd(server->loop, info->epoll_fd, EPOLLIN, on_ready, server, &server->watch);
    if (err)
        return err;
    server->sweep.fn = on_sweep;
    err = loop_timer_start(server->loop, &server->sweep, SWEEP_MS);
    if (err)
        return err;
    server->hook.before_wait = before_wait;
    loop_add_hook(server->loop, &server->hook);
    server->must_run = true;
    return ERR_OK;
}

enum err http_server_create(
    struct loop *loop, const struct http_server_options *options, struct diag *diag, struct http_server **ret_server)
{
    struct http_server *server = mem_alloc_zero(1, sizeof(*server));
    int listen_fd = -1;
    enum err err;

    if (!server)
        return ERR_NO_MEMORY;
    server->loop = loop;
    server->auth = options->auth;
    server->limits = limits_with_defaults(options->limits);
    buf_init(&server->scratch, SCRATCH_MAX);
    raise_descriptor_limit(server->limits.n_connections);
    err = http_routes_create(options->mounts, options->n_mounts, diag, &server->routes);
    if (!err)
        err = http_nonces_create(&server->nonces);
    if (!err)
        err = listen_open(options->address, options->port, options->share_port, diag, &listen_fd);
    if (err)
        goto done;
    server->port = port_of(listen_fd);
    err = daemon_start(server, listen_fd); /* the library closes the socket from here on */
    if (err) {
        close(listen_fd);
        diag_set(diag, err, NULL, 0, "the HTTP library did not start");
        goto done;
    }
    err = loop_join(server);
done:
    if (err)
        http_server_destroy(server);
    else
        *ret_server = server;
    return err;
}

/* The library insists that nothing is suspended when it stops. */
static void resume_all(struct http_server *server)
{
    for (struct http_connection *connection = server->connections; connection; connection = connection->next) {
        struct http_exchange *x = connection->exchange;
        if (x && x->state == EXCHANGE_WAITING)
            MHD_resume_connection(x->mhd);
    }
    http_streams_wake_all(server);
    http_senders_break_all(server);
}

void http_server_destroy(struct http_server *server)
{
    if (!server)
        return;
    if (server->daemon) {
        if (server->hook.before_wait)
            loop_remove_hook(server->loop, &server->hook);
        loop_timer_stop(&server->sweep);
        loop_unwatch(server->watch);
        resume_all(server);
        MHD_stop_daemon(server->daemon);
    }
    http_exchange_free_pool(server);
    http_nonces_destroy(server->nonces);
    http_routes_destroy(server->routes);
    buf_finish(&server->scratch);
    mem_free(server);
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}
