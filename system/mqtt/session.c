/*
 * The thread: one connection to the broker, and the hand-over.
 *
 * An acknowledgement leaves only after its message was handed over. libmosquitto queues a PUBACK before it shows the message; in its
 * "threaded" form it leaves the writing to us. So: read, hand over everything that came, then write. When a subscriber is behind, nothing
 * is read and nothing is written; when that lasts, the connection ends, and the broker brings what was not acknowledged again.
 */
#include "system/mqtt/inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 100
#define HOLD_LOOK_MS 10
#define BACK_OFF_FIRST_MS 200
#define BACK_OFF_MAX_MS 10000
#define SUBSCRIBERS_MS 10000 /* for so long the first subscriber is waited for */
#define READS_MAX 64         /* packets read before they are handed over */

static struct mono_time now_of(const struct mqtt_system *system)
{
    return clock_mono(system->department.clock);
}

static int64_t ms_since(const struct mqtt_system *system, struct mono_time since)
{
    return mono_ms_between(since, now_of(system));
}

/* ---- what libmosquitto calls, from within mosquitto_loop_read() ---- */

static void lose(struct mqtt_system *system, const char *detail)
{
    system->is_lost = true;
    if (!system->lost_detail)
        system->lost_detail = detail;
}

static void on_connect(struct mosquitto *client, void *context, int code)
{
    struct mqtt_system *system = context;
    if (code != 0) {
        lose(system, code == 4 || code == 5 ? HUB_DETAIL(broker_sign_in) : HUB_DETAIL(broker_refuses));
        return;
    }
    system->is_connected = true;
    for (size_t i = 0; i < system->n_streams; i++)
        if (mosquitto_subscribe(client, NULL, system->streams[i].topic, 1) != MOSQ_ERR_SUCCESS)
            lose(system, HUB_DETAIL(broker_refuses));
    if (system->will_topic[0] && mosquitto_subscribe(client, NULL, system->will_topic, 1) != MOSQ_ERR_SUCCESS)
        lose(system, HUB_DETAIL(broker_refuses));
}

static void on_subscribe(struct mosquitto *client, void *context, int message_id, int n, const int *granted)
{
    struct mqtt_system *system = context;
    for (int i = 0; i < n; i++)
        if (granted[i] > 2)
            lose(system, HUB_DETAIL(broker_topic));
    if (system->is_lost)
        return;
    system->is_subscribed = true;
    system->back_off_ms = 0;
    hub_department_report(&system->department, HUB_FRESH, "");
}

/* libmosquitto tells of each packet that it has taken whole, and of nothing else by these words. */
static void on_log(struct mosquitto *client, void *context, int level, const char *text)
{
    struct mqtt_system *system = context;
    size_t n_id = strlen(system->client_id);
    if (strncmp(text, "Client ", 7) == 0 && strncmp(text + 7, system->client_id, n_id) == 0 &&
        strncmp(text + 7 + n_id, " received ", 10) == 0)
        system->is_in_packet = false;
}

static void on_disconnect(struct mosquitto *client, void *context, int code)
{
    lose(context, HUB_DETAIL(broker_broke));
}

/* Copied and kept in order; what is too large keeps its topic, so that it can be counted. */
static void on_message(struct mosquitto *client, void *context, const struct mosquitto_message *message)
{
    struct mqtt_system *system = context;
    size_t topic = strlen(message->topic), payload = message->payloadlen > 0 ? (size_t)message->payloadlen : 0;
    bool is_large = payload > MQTT_PAYLOAD_MAX;
    size_t kept = is_large ? 0 : payload;
    if (system->n_pending >= MQTT_PENDING_MAX || system->pending_bytes + kept > MQTT_PENDING_BYTES) {
        lose(system, HUB_DETAIL(subscriber_behind));
        return;
    }
    struct mqtt_message *copy = mem_alloc(sizeof *copy + topic + 1 + kept);
    if (!copy) {
        lose(system, HUB_DETAIL(no_memory));
        return;
    }
    memcpy(copy->bytes, message->topic, topic + 1);
    if (kept)
        memcpy(copy->bytes + topic + 1, message->payload, kept);
    copy->topic = (struct str){copy->bytes, topic};
    copy->payload = (struct str){copy->bytes + topic + 1, is_large ? payload : kept};
    copy->next = NULL;
    *system->last = copy;
    system->last = &copy->next;
    system->n_pending++;
    system->pending_bytes += kept;
}

/* ---- connecting ---- */

static void drop_pending(struct mqtt_system *system)
{
    while (system->first) {
        struct mqtt_message *message = system->first;
        system->first = message->next;
        mem_free(message);
    }
    system->last = &system->first;
    atomic_store(&system->n_pending, 0);
    system->pending_bytes = 0;
}

static void close_client(struct mqtt_system *system)
{
    drop_pending(system);
    if (system->client)
        mosquitto_destroy(system->client); /* without a DISCONNECT: nothing more is written, so nothing is acknowledged */
    system->client = NULL;
    system->is_connected = system->is_subscribed = system->is_lost = system->is_in_packet = false;
}

static enum err set_tls(struct mqtt_system *system)
{
    const struct hub_server *server = &system->server;
    bool is_verified = server->tls >= HUB_TLS_VERIFY_CA;
    if (server->tls == HUB_TLS_DISABLE)
        return ERR_OK;
    int code =
        mosquitto_tls_set(system->client, is_verified ? server->tls_ca : NULL, is_verified ? NULL : "/etc/ssl/certs", NULL, NULL, NULL);
    if (!code)
        code = mosquitto_tls_opts_set(system->client, is_verified ? 1 : 0, "tlsv1.2", NULL);
    if (!code && server->tls != HUB_TLS_VERIFY_FULL)
        code = mosquitto_tls_insecure_set(system->client, true);
    return code ? ERR_CRYPTO : ERR_OK;
}

static enum err sign_in(struct mqtt_system *system, const char **detail)
{
    char password[HUB_DEPARTMENT_SECRET_MAX] = "";
    const struct hub_server *server = &system->server;
    enum err err = server->password_file[0] ? hub_department_secret(server->password_file, password) : ERR_OK;
    if (err)
        *detail = err == ERR_DENIED ? HUB_DETAIL(secret_open) : HUB_DETAIL(secret_unread);
    else if (server->user[0] && mosquitto_username_pw_set(system->client, server->user, password[0] ? password : NULL))
        err = ERR_NO_MEMORY;
    explicit_bzero(password, sizeof password);
    return err;
}

static void connect_once(struct mqtt_system *system)
{
    const char *detail = HUB_DETAIL(no_memory);
    system->began = now_of(system);
    system->lost_detail = NULL;
    system->client = mosquitto_new(system->client_id, false, system); /* the session stays at the broker while we are away */
    enum err err = system->client ? sign_in(system, &detail) : ERR_NO_MEMORY;
    if (!err && set_tls(system)) {
        err = ERR_CRYPTO;
        detail = HUB_DETAIL(broker_tls);
    }
    if (!err) {
        mosquitto_threaded_set(system->client, true);
        mosquitto_connect_callback_set(system->client, on_connect);
        mosquitto_subscribe_callback_set(system->client, on_subscribe);
        mosquitto_disconnect_callback_set(system->client, on_disconnect);
        mosquitto_message_callback_set(system->client, on_message);
        mosquitto_log_callback_set(system->client, on_log);
        int code = mosquitto_connect_async(system->client, system->server.host, system->server.port, (int)(system->keepalive_ms / 1000));
        err = code == MOSQ_ERR_SUCCESS ? ERR_OK : ERR_UNAVAILABLE;
        detail = code == MOSQ_ERR_TLS ? HUB_DETAIL(broker_tls) : HUB_DETAIL(broker_unreachable);
    }
    if (err)
        lose(system, detail);
}

/* ---- handing over ---- */

static bool is_will(struct mqtt_system *system, const struct mqtt_message *message)
{
    if (!system->will_topic[0] || !str_equal_c(message->topic, system->will_topic))
        return false;
    bool was_gone = system->is_gone;
    system->is_gone = str_equal_c(message->payload, system->will_gone);
    if (was_gone && !system->is_gone)
        hub_department_report(&system->department, HUB_FRESH, "");
    return true;
}

/* False: a subscriber is behind. */
static bool hand_over(struct mqtt_system *system, size_t *at)
{
    while (system->first) {
        struct mqtt_message *message = system->first;
        if (!is_will(system, message)) {
            if (mqtt_deliver(system, message, at))
                return false;
            system->heard = now_of(system);
        }
        *at = 0;
        system->first = message->next;
        if (!system->first)
            system->last = &system->first;
        system->n_pending--;
        system->pending_bytes -= message->payload.len <= MQTT_PAYLOAD_MAX ? message->payload.len : 0;
        mem_free(message);
    }
    return true;
}

/* ---- the thread ---- */

static void wait_for(struct mqtt_system *system, int fd, short events, int ms)
{
    struct pollfd descriptors[2] = {{.fd = system->wake_fd, .events = POLLIN}, {.fd = fd, .events = events}};
    (void)poll(descriptors, fd >= 0 ? 2 : 1, ms);
}

static bool has_ended(const struct mqtt_system *system)
{
    struct pollfd end = {.fd = mosquitto_socket(system->client), .events = POLLRDHUP};
    return poll(&end, 1, 0) > 0;
}

/* Whether what comes next may be taken. */
static bool may_read(struct mqtt_system *system, bool *ret_is_packet)
{
    *ret_is_packet = true;
    if (system->is_in_packet)
        return true;
    switch (mqtt_packet_look(system)) {
    case MQTT_PACKET_NONE:
        return false;
    case MQTT_PACKET_PART: /* poll() says at once that there is something, until the end of the connection or of the keepalive's time */
        if (has_ended(system))
            lose(system, HUB_DETAIL(broker_broke));
        else
            wait_for(system, -1, 0, HOLD_LOOK_MS);
        return false;
    case MQTT_PACKET_TOO_LARGE:
        atomic_fetch_add(&system->counts[MQTT_TOO_LARGE], 1);
        lose(system, HUB_DETAIL(broker_large));
        return false;
    case MQTT_PACKET_FOREIGN:
        lose(system, HUB_DETAIL(broker_broke));
        return false;
    case MQTT_PACKET_GREETING:
        *ret_is_packet = false;
        return true;
    case MQTT_PACKET_FITS:
        break;
    }
    system->is_in_packet = true;
    return true;
}

static bool read_all(struct mqtt_system *system)
{
    for (int i = 0; i < READS_MAX && !system->is_lost && system->n_pending < MQTT_PENDING_MAX / 2; i++) {
        bool is_packet = false;
        if (!may_read(system, &is_packet))
            return !system->is_lost;
        int code = mosquitto_loop_read(system->client, 1);
        if (code != MOSQ_ERR_SUCCESS) {
            lose(system, !system->is_connected && code == MOSQ_ERR_TLS ? HUB_DETAIL(broker_tls)
                         : !system->is_connected                       ? HUB_DETAIL(broker_unreachable)
                                                                       : HUB_DETAIL(broker_broke));
            return false;
        }
        if (system->is_in_packet || !is_packet)
            break; /* the rest has not come yet */
    }
    return !system->is_lost;
}

/* One round with a client. */
static void go_round(struct mqtt_system *system, size_t *at)
{
    int fd = mosquitto_socket(system->client);
    if (!hand_over(system, at)) { /* neither read nor written: what was not handed over is not acknowledged */
        if (!system->held_since.ns)
            system->held_since = now_of(system);
        if (ms_since(system, system->held_since) > MQTT_HOLD_MS)
            lose(system, HUB_DETAIL(subscriber_behind));
        wait_for(system, -1, 0, HOLD_LOOK_MS);
        return;
    }
    system->held_since.ns = 0;
    if (hub_publish_settle(system->department.hub)) { /* in a department's own process: acknowledged is what is on its disk */
        lose(system, HUB_DETAIL(subscriber_behind));
        return;
    }
    if (fd < 0 || mosquitto_loop_write(system->client, 1) != MOSQ_ERR_SUCCESS || mosquitto_loop_misc(system->client) != MOSQ_ERR_SUCCESS) {
        lose(system, system->is_connected ? HUB_DETAIL(broker_broke) : HUB_DETAIL(broker_unreachable));
        return;
    }
    if (!system->is_subscribed && ms_since(system, system->began) > MQTT_CONNECT_MS) {
        lose(system, HUB_DETAIL(broker_silent));
        return;
    }
    wait_for(system, fd, (short)(POLLIN | (mosquitto_want_write(system->client) ? POLLOUT : 0)), LOOK_MS);
    (void)read_all(system);
}

static void tell_health(struct mqtt_system *system)
{
    struct hub_department *department = &system->department;
    if (!system->is_subscribed)
        return;
    if (system->is_gone)
        hub_department_report(department, HUB_STALE, HUB_DETAIL(gateway_gone));
    else if (!system->heard.ns && ms_since(system, system->started) > system->silent_after_ms)
        hub_department_report(department, HUB_STALE, HUB_DETAIL(nothing_yet));
    else if (system->heard.ns && ms_since(system, system->heard) > system->silent_after_ms)
        hub_department_report(department, HUB_STALE, HUB_DETAIL(nothing_lately));
}

static void be_lost(struct mqtt_system *system)
{
    bool is_behind = system->lost_detail && str_equal_c(str_from_c(system->lost_detail), HUB_DETAIL(subscriber_behind));
    if (!atomic_load(&system->is_stopping))
        hub_department_report(
            &system->department, is_behind ? HUB_STALE : HUB_DOWN, system->lost_detail ? system->lost_detail : HUB_DETAIL(broker_broke));
    metric_add(&system->n_losts, 1);
    if (is_behind)
        metric_add(&system->n_behind, 1);
    close_client(system);
    system->back_off_ms = system->back_off_ms ? 2 * system->back_off_ms : BACK_OFF_FIRST_MS;
    if (system->back_off_ms > BACK_OFF_MAX_MS)
        system->back_off_ms = BACK_OFF_MAX_MS;
    wait_for(system, -1, 0, (int)system->back_off_ms);
}

/* What the broker kept while the brain was away comes at once, and would be lost on nobody. */
static void wait_for_subscribers(struct mqtt_system *system)
{
    bool is_awaited = false;
    while (!is_awaited && !atomic_load(&system->is_stopping) && ms_since(system, system->started) < SUBSCRIBERS_MS) {
        for (size_t i = 0; i < system->n_streams; i++)
            is_awaited |= hub_is_subscribed(system->streams[i].resource);
        if (!is_awaited)
            wait_for(system, -1, 0, HOLD_LOOK_MS);
    }
}

void *mqtt_work(void *context)
{
    struct mqtt_system *system = context;
    size_t at = 0; /* of the first message: the stream that it goes to next */
    pthread_setname_np(pthread_self(), "mqtt");
    system->started = now_of(system);
    wait_for_subscribers(system);
    while (!atomic_load(&system->is_stopping)) {
        if (!system->client) {
            at = 0;
            connect_once(system);
        }
        if (!system->is_lost)
            go_round(system, &at);
        if (system->is_lost)
            be_lost(system);
        else
            tell_health(system);
    }
    close_client(system);
    return NULL;
}
