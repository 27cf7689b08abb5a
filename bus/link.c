/*
 * The link's life and its sending side. A thread "bus" owns both connections: it makes them (that may block for seconds, so no loop that
 * serves others does it), sends what waits in the queue, and looks each second whether libnats has given one up for good. Lost ones libnats
 * makes again by itself.
 *
 * While the link is down nothing is kept to be sent later: who asks is told at once, and what must arrive lies in its sender's own record.
 */
#include "bus/link_inside.h"

#include "base/log.h"
#include "base/mem.h"
#include "bus/nkey.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OUT_MAX 16384      /* messages that wait for the link's thread */
#define ATTEND_MS 1000     /* a connection that is not there is tried again */
#define SWEEP_MS 20        /* time-outs are looked for while requests are under way */
#define CONNECT_MS 2000    /* for one server to answer */
#define RECONNECT_MS 200   /* between libnats' own attempts */
#define WRITE_MS 5000      /* a server that takes nothing for so long is lost */
#define PING_MS 5000       /* a link that was cut without a word is lost after two of these */
#define CLOSED_WITHIN_S 10 /* libnats' last word; it comes at once */

/* ---- errors ---- */

enum err link_err(natsStatus status)
{
    switch (status) {
    case NATS_OK:
        return ERR_OK;
    case NATS_NO_MEMORY:
        return ERR_NO_MEMORY;
    case NATS_MAX_PAYLOAD:
        return ERR_TOO_LARGE;
    case NATS_INVALID_SUBJECT:
    case NATS_INVALID_ARG:
        return ERR_SYNTAX;
    case NATS_TIMEOUT:
        return ERR_TIMEOUT;
    case NATS_NOT_PERMITTED:
    case NATS_CONNECTION_AUTH_FAILED:
        return ERR_DENIED;
    case NATS_SSL_ERROR:
        return ERR_CRYPTO;
    default:
        return ERR_UNAVAILABLE;
    }
}

/* ---- what libnats tells, on a thread of its own ---- */

bool bus_link_is_up(const struct bus_link *link)
{
    return atomic_load(&link->connections[LINK_BULK].is_up) && atomic_load(&link->connections[LINK_PROMPT].is_up);
}

static void changed(struct bus_link *link, const char *detail)
{
    bool is_up = bus_link_is_up(link);
    if (atomic_exchange(&link->was_up, is_up) == is_up)
        return;
    log_write(is_up ? LOG_NOTICE : LOG_WARNING, "bus", is_up ? "the link is up" : "the link is down", LOG_TEXT("name", link->name),
        LOG_TEXT("detail", detail), LOG_END);
    if (link->on_change)
        link->on_change(link->context, is_up, detail);
}

static void went_down(struct link_connection *connection, const char *detail)
{
    struct bus_link *link = connection->link;
    if (!atomic_exchange(&connection->is_up, false))
        return;
    atomic_fetch_add(&link->n_lost_links, 1);
    changed(link, detail);
    if (connection == &link->connections[LINK_PROMPT] && !atomic_load(&link->is_closing) && !atomic_exchange(&link->is_lost_posted, true))
        loop_post(loop_thread_loop(link->thread), &link->lost);
}

static void on_disconnected(natsConnection *nats, void *context)
{
    went_down(context, "the connection to the server was lost");
}

static void on_reconnected(natsConnection *nats, void *context)
{
    struct link_connection *connection = context;
    atomic_store(&connection->is_up, true);
    changed(connection->link, "connected again");
}

static void on_closed(natsConnection *nats, void *context)
{
    struct link_connection *connection = context;
    went_down(connection, "the server refuses the connection");
    sem_post(&connection->closed);
}

static void on_error(natsConnection *nats, natsSubscription *subscription, natsStatus status, void *context)
{
    struct link_connection *connection = context;
    const char *text = NULL;
    if (status == NATS_NOT_PERMITTED && natsConnection_GetLastError(nats, &text) != NATS_OK && text)
        log_write(LOG_WARNING, "bus", "the server does not permit this client a subject; see its permissions",
            LOG_TEXT("name", connection->link->name), LOG_TEXT("detail", text), LOG_END);
    else
        log_write(LOG_WARNING, "bus", "the client library reports an error", LOG_TEXT("detail", natsStatus_GetText(status)), LOG_END);
}

static void on_lost(struct loop_task *task)
{
    struct bus_link *link = container_of(task, struct bus_link, lost);
    atomic_store(&link->is_lost_posted, false);
    link_requests_end(link, 0, ERR_IO); /* sent, and nobody knows */
}

/* ---- connections, on the link's thread ---- */

static natsStatus set_servers(natsOptions *options, const char *servers)
{
    char text[LINK_TEXT_MAX];
    const char *urls[LINK_SERVERS_MAX];
    int n = 0;
    snprintf(text, sizeof text, "%s", servers);
    for (char *at = text, *rest; at && n < LINK_SERVERS_MAX; at = rest) {
        rest = strchr(at, ',');
        if (rest)
            *rest++ = '\0';
        while (*at == ' ')
            at++;
        urls[n++] = at;
    }
    return natsOptions_SetServers(options, urls, n);
}

static natsStatus set_security(natsOptions *options, const struct bus_link *link)
{
    natsStatus status = NATS_OK;
    if (link->nkey[0])
        status = natsOptions_SetNKeyFromSeed(options, link->nkey, link->nkey_file);
    if (status == NATS_OK && (link->ca_file[0] || strncmp(link->servers, "tls:", 4) == 0))
        status = natsOptions_SetSecure(options, true);
    if (status == NATS_OK && link->ca_file[0])
        status = natsOptions_LoadCATrustedCertificates(options, link->ca_file);
    if (status == NATS_OK && link->cert_file[0])
        status = natsOptions_LoadCertificatesChain(options, link->cert_file, link->key_file);
    return status;
}

static natsStatus make_options(struct link_connection *connection, bool is_prompt, natsOptions **ret_options)
{
    const struct bus_link *link = connection->link;
    natsOptions *options = NULL;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = set_servers(options, link->servers);
    if (status == NATS_OK)
        status = set_security(options, link);
    if (status == NATS_OK)
        status = natsOptions_SetName(options, link->name);
    if (status == NATS_OK)
        status = natsOptions_SetTimeout(options, CONNECT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetMaxReconnect(options, -1);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectWait(options, RECONNECT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectJitter(options, RECONNECT_MS, RECONNECT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(options, PING_MS);
    if (status == NATS_OK)
        status = natsOptions_SetMaxPingsOut(options, 1);
    if (status == NATS_OK)
        status = natsOptions_SetWriteDeadline(options, WRITE_MS);
    if (status == NATS_OK)
        status = natsOptions_UseGlobalMessageDelivery(options, true);
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(options, is_prompt);
    if (status == NATS_OK)
        status = natsOptions_SetDisconnectedCB(options, on_disconnected, connection);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectedCB(options, on_reconnected, connection);
    if (status == NATS_OK)
        status = natsOptions_SetClosedCB(options, on_closed, connection);
    if (status == NATS_OK)
        status = natsOptions_SetErrorHandler(options, on_error, connection);
    if (status == NATS_OK)
        *ret_options = options;
    else
        natsOptions_Destroy(options);
    return status;
}

/* Everything that was subscribed to, and the inbox, on a connection that is new. */
static void subscribe_all(struct link_connection *connection)
{
    struct bus_link *link = connection->link;
    bool is_prompt = connection == &link->connections[LINK_PROMPT];
    char pattern[LINK_INBOX_MAX + 2];
    if (is_prompt) {
        snprintf(pattern, sizeof pattern, "%s*", link->inbox);
        if (natsConnection_Subscribe(&connection->inbox, connection->nats, pattern, link_on_answer, link) != NATS_OK)
            connection->inbox = NULL;
    }
    for (struct bus_link_subscription *one = link->subscriptions; one; one = one->next)
        if (one->subscriber.is_bulk != is_prompt)
            link_subscribe_one(one, connection->nats);
}

static void destroy_nats(struct link_connection *connection)
{
    if (connection->inbox)
        natsSubscription_Destroy(connection->inbox);
    connection->inbox = NULL;
    natsConnection_Destroy(connection->nats);
    connection->nats = NULL;
}

static void connect_one(struct link_connection *connection, bool is_prompt)
{
    struct bus_link *link = connection->link;
    natsOptions *options = NULL;
    natsConnection *nats = NULL;
    pthread_mutex_lock(&link->lock);
    bool was_closed = connection->nats && natsConnection_IsClosed(connection->nats);
    bool is_there = connection->nats && !was_closed;
    pthread_mutex_unlock(&link->lock);
    if (is_there)
        return;
    if (was_closed) { /* libnats gives up when it is refused twice; the server may know us by now */
        sem_wait(&connection->closed);
        pthread_mutex_lock(&link->lock);
        for (struct bus_link_subscription *one = link->subscriptions; one; one = one->next)
            if (one->subscriber.is_bulk != is_prompt && one->nats) {
                natsSubscription_Destroy(one->nats);
                one->nats = NULL;
            }
        destroy_nats(connection);
        pthread_mutex_unlock(&link->lock);
    }
    natsStatus status = make_options(connection, is_prompt, &options);
    if (status == NATS_OK)
        status = natsConnection_Connect(&nats, options);
    natsOptions_Destroy(options);
    if (status != NATS_OK) {
        if (!link->is_told_away)
            log_write(LOG_WARNING, "bus", "the server cannot be reached; tried for ever", LOG_TEXT("name", link->name),
                LOG_TEXT("servers", link->servers), LOG_TEXT("detail", natsStatus_GetText(status)), LOG_END);
        link->is_told_away = true;
        return;
    }
    pthread_mutex_lock(&link->lock);
    connection->nats = nats;
    subscribe_all(connection);
    pthread_mutex_unlock(&link->lock);
    /* Before it is told as up, the server knows the subscriptions: an answer has somewhere to go. */
    if (natsConnection_FlushTimeout(nats, CONNECT_MS) != NATS_OK)
        return; /* lost again; libnats is at it and will say so */
    atomic_store(&connection->is_up, true);
    link->is_told_away = link->is_told_away && !bus_link_is_up(link);
    changed(link, "connected");
}

static void on_attend(struct loop_timer *timer)
{
    struct bus_link *link = container_of(timer, struct bus_link, attend);
    connect_one(&link->connections[LINK_PROMPT], true);
    connect_one(&link->connections[LINK_BULK], false);
    if (loop_timer_start(timer->loop, timer, ATTEND_MS))
        log_write(LOG_ERROR, "bus", "no memory for a timer", LOG_END);
}

/* ---- sending ---- */

static void send_one(struct link_outgoing *item)
{
    struct bus_link *link = item->link;
    struct link_connection *connection = &link->connections[item->is_prompt ? LINK_PROMPT : LINK_BULK];
    const char *subject = item->text, *reply = subject + item->subject_len + 1, *bytes = reply + item->reply_len + 1;
    natsStatus status = NATS_CONNECTION_DISCONNECTED;
    if (atomic_load(&connection->is_up)) /* then `nats` is there, and this thread alone takes it away */
        status = item->reply_len ? natsConnection_PublishRequest(connection->nats, subject, reply, bytes, (int)item->len)
                                 : natsConnection_Publish(connection->nats, subject, bytes, (int)item->len);
    if (status == NATS_OK)
        atomic_fetch_add(&link->n_sent, 1);
    else if (item->request) /* a failed write may have written a part: only a link that was known to be down is certain */
        link_requests_end(link, item->request,
            status == NATS_CONNECTION_DISCONNECTED ? ERR_UNAVAILABLE
            : status == NATS_MAX_PAYLOAD           ? ERR_TOO_LARGE
                                                   : ERR_IO);
    mem_free(item);
}

static void on_out(void *context, void **items, size_t n)
{
    struct bus_link *link = context;
    for (size_t i = 0; i < n; i++)
        send_one(items[i]);
    if (!atomic_load(&link->is_closing) && !link->sweep.heap_at && loop_timer_start(loop_thread_loop(link->thread), &link->sweep, SWEEP_MS))
        log_write(LOG_ERROR, "bus", "no memory for a timer", LOG_END);
}

enum err link_send(struct bus_link *link, bool is_prompt, uint32_t request, struct str subject, struct str reply, struct str bytes)
{
    if (bytes.len > BUS_MESSAGE_MAX || subject.len > BUS_SUBJECT_MAX || reply.len > BUS_SUBJECT_MAX)
        return ERR_TOO_LARGE;
    if (str_is_empty(subject))
        return ERR_SYNTAX;
    if (!atomic_load(&link->connections[is_prompt ? LINK_PROMPT : LINK_BULK].is_up) || atomic_load(&link->is_closing))
        return ERR_UNAVAILABLE;
    struct link_outgoing *item = mem_alloc(sizeof *item + subject.len + reply.len + bytes.len + 2);
    if (!item)
        return ERR_NO_MEMORY;
    *item = (struct link_outgoing){
        .link = link, .is_prompt = is_prompt, .request = request, .subject_len = subject.len, .reply_len = reply.len, .len = bytes.len};
    char *at = item->text;
    memcpy(at, subject.ptr, subject.len);
    at[subject.len] = '\0';
    at += subject.len + 1;
    if (reply.len)
        memcpy(at, reply.ptr, reply.len);
    at[reply.len] = '\0';
    if (bytes.len)
        memcpy(at + reply.len + 1, bytes.ptr, bytes.len);
    enum err err = queue_push(link->out, item);
    if (err)
        mem_free(item);
    return err;
}

enum err bus_link_publish(struct bus_link *link, struct str subject, struct str bytes)
{
    return link_send(link, false, 0, subject, STR_NONE, bytes);
}

enum err bus_link_answer(struct bus_link *link, struct str reply, struct str bytes)
{
    return link_send(link, true, 0, reply, STR_NONE, bytes);
}

static void on_sweep(struct loop_timer *timer)
{
    struct bus_link *link = container_of(timer, struct bus_link, sweep);
    if (link_requests_sweep(link) && loop_timer_start(timer->loop, timer, SWEEP_MS))
        log_write(LOG_ERROR, "bus", "no memory for a timer", LOG_END);
}

/* ---- life ---- */

static enum err copy_text(char out[LINK_TEXT_MAX], const char *text, bool is_file, struct diag *diag)
{
    int len = snprintf(out, LINK_TEXT_MAX, "%s", text ? text : "");
    if (len < 0 || len >= LINK_TEXT_MAX)
        return diag_set(diag, ERR_TOO_LARGE, NULL, 0, "the bus: \"%.40s…\" is longer than %d bytes", text, LINK_TEXT_MAX - 1);
    if (is_file && text && access(text, R_OK) != 0)
        return diag_set(diag, ERR_NOT_FOUND, text, 0, "the file cannot be read; check its path and rights");
    return ERR_OK;
}

static enum err read_options(struct bus_link *link, const struct bus_link_options *options, struct diag *diag)
{
    char *nuid = NULL;
    link->clock = options->clock;
    link->on_change = options->on_change;
    link->context = options->context;
    enum err err = copy_text(link->servers, options->url, false, diag);
    if (!err)
        err = copy_text(link->name, options->name, false, diag);
    if (!err)
        err = copy_text(link->nkey_file, options->nkey_file, true, diag);
    if (!err)
        err = copy_text(link->ca_file, options->ca_file, true, diag);
    if (!err)
        err = copy_text(link->cert_file, options->cert_file, true, diag);
    if (!err)
        err = copy_text(link->key_file, options->key_file, true, diag);
    if (!err && !link->servers[0])
        err = diag_set(diag, ERR_SYNTAX, NULL, 0, "the bus has no address; give nats://HOST:PORT or tls://HOST:PORT");
    if (!err && link->nkey_file[0])
        err = bus_nkey_public(link->nkey_file, diag, link->nkey);
    if (err)
        return err;
    if (natsInbox_Create(&nuid) != NATS_OK) /* "_INBOX." and 22 letters by chance */
        return ERR_NO_MEMORY;
    /* Below the client's own key, so that a server's permissions can keep others from listening. */
    snprintf(link->inbox, sizeof link->inbox, "_INBOX.%s%s%s.", link->nkey, link->nkey[0] ? "." : "", nuid + strlen("_INBOX."));
    natsInbox_Destroy(nuid);
    return ERR_OK;
}

void bus_link_hold(struct bus_link *link)
{
    atomic_fetch_add(&link->n_holders, 1);
}

void bus_link_release(struct bus_link *link)
{
    if (atomic_fetch_sub(&link->n_holders, 1) != 1)
        return;
    for (size_t i = 0; i < LINK_CONNECTIONS; i++)
        sem_destroy(&link->connections[i].closed);
    pthread_mutex_destroy(&link->lock);
    mem_free(link);
}

static void first_attend(void *context)
{
    struct bus_link *link = context;
    if (loop_timer_start(loop_thread_loop(link->thread), &link->attend, 0))
        log_write(LOG_ERROR, "bus", "no memory for a timer", LOG_END);
}

enum err bus_link_open(const struct bus_link_options *options, struct diag *diag, struct bus_link **ret_link)
{
    if (nats_Open(-1) != NATS_OK)
        return ERR_NO_MEMORY;
    struct bus_link *link = mem_alloc_zero(1, sizeof *link);
    if (!link)
        return ERR_NO_MEMORY;
    atomic_store(&link->n_holders, 1);
    pthread_mutex_init(&link->lock, NULL);
    link_requests_init(link);
    for (size_t i = 0; i < LINK_CONNECTIONS; i++) {
        link->connections[i].link = link;
        sem_init(&link->connections[i].closed, 0, 0);
    }
    link->attend.fn = on_attend;
    link->sweep.fn = on_sweep;
    link->lost.fn = on_lost;
    enum err err = read_options(link, options, diag);
    if (!err)
        err = loop_thread_start(link->clock, "bus", &link->thread);
    if (!err)
        err = queue_create(loop_thread_loop(link->thread), OUT_MAX, on_out, link, &link->out);
    if (err) {
        loop_thread_stop(link->thread);
        bus_link_release(link);
        return err;
    }
    *ret_link = link;
    loop_thread_call(link->thread, first_attend, link);
    return ERR_OK;
}

static void close_one(struct link_connection *connection)
{
    struct timespec until;
    struct bus_link *link = connection->link;
    atomic_store(&connection->is_up, false);
    if (!connection->nats)
        return;
    natsConnection_Close(connection->nats);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSED_WITHIN_S;
    while (sem_timedwait(&connection->closed, &until) != 0)
        if (errno != EINTR) {
            log_write(LOG_WARNING, "bus", "the client library did not say that a connection is closed", LOG_END);
            bus_link_hold(link); /* it may still speak of it: better a leak at the end */
            break;
        }
    pthread_mutex_lock(&link->lock);
    destroy_nats(connection);
    pthread_mutex_unlock(&link->lock);
}

void bus_link_close(struct bus_link *link)
{
    if (!link)
        return;
    atomic_store(&link->is_closing, true);
    loop_thread_stop(link->thread); /* nothing is sent any more */
    for (size_t i = 0; i < LINK_CONNECTIONS; i++)
        close_one(&link->connections[i]);
    link_requests_end(link, 0, ERR_CANCELLED);
    queue_destroy(link->out);
    bus_link_release(link);
}

struct bus_link_counts bus_link_counts(const struct bus_link *link)
{
    return (struct bus_link_counts){.n_sent = atomic_load(&link->n_sent),
        .n_received = atomic_load(&link->n_received),
        .n_dropped = atomic_load(&link->n_dropped),
        .n_lost_links = atomic_load(&link->n_lost_links)};
}
