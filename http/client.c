/*
 * The HTTP client on libcurl: an easy handle that waits, or a multi handle whose sockets and timer live in our loop.
 *
 * Easy handles are kept for reuse by Digest user, because curl keeps the server's nonce in them: a camera's second passage then goes out
 * signed at once instead of being asked for it again.
 */
#define ERR_STATE openssl_err_state /* a type there */
#include <openssl/x509_vfy.h>
#undef ERR_STATE

#include "http/client.h"

#include "base/mem.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define TIMEOUT_DEFAULT_MS 10000
#define IDLE_MAX 256 /* easy handles kept: as many as a city's cameras send at once */

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* One request under way, or an idle handle. */
struct transfer {
    struct transfer *previous, *next;
    struct http_client *client;
    CURL *easy;
    struct curl_slist *headers;
    char *user; /* owned; NULL: without Digest */
    struct buf body;
    const struct http_request *request; /* of one that waits; NULL on a loop */
    enum err on_bytes_err;
    enum http_tls_fault *ret_tls;
    void (*done)(void *context, enum err err, const struct http_response *response);
    void *context;
};

static int status_of(const struct transfer *transfer)
{
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *context)
{
    struct transfer *transfer = context;
    const struct http_request *request = transfer->request;
    int status = request && request->on_bytes ? status_of(transfer) : 0;

    if (status == 200 || status == 206) {
        transfer->on_bytes_err = request->on_bytes(request->context, (struct str){bytes, size * n});
        return transfer->on_bytes_err ? 0 : size * n;
    }
    buf_append(&transfer->body, bytes, size * n);
    return transfer->body.err ? 0 : size * n;
}

static enum err err_from_curl(CURLcode code, const struct buf *body)
{
    if (body->err)
        return body->err;
    switch (code) {
    case CURLE_OK:
        return ERR_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return ERR_NO_MEMORY;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ERR_SYNTAX;
    default:
        return ERR_UNAVAILABLE;
    }
}

static enum http_tls_fault tls_fault(const struct transfer *transfer, CURLcode code)
{
    long verified = X509_V_OK;

    switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
        return HTTP_TLS_SPEECH;
    case CURLE_SSL_CACERT_BADFILE:
        return HTTP_TLS_FILE;
    case CURLE_PEER_FAILED_VERIFICATION:
        break;
    default:
        return HTTP_TLS_NONE;
    }
    curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &verified);
    if (verified == X509_V_ERR_CERT_HAS_EXPIRED || verified == X509_V_ERR_CERT_NOT_YET_VALID)
        return HTTP_TLS_TIME;
    /* OpenSSL vouched for it, which libcurl notes only after it compared the name itself */
    return verified == X509_V_OK || verified == X509_V_ERR_UNSPECIFIED ? HTTP_TLS_NAME : HTTP_TLS_ISSUER;
}

static void tell_tls(const struct transfer *transfer, CURLcode code)
{
    if (transfer->ret_tls)
        *transfer->ret_tls = tls_fault(transfer, code);
}

static void transfer_destroy(struct transfer *transfer)
{
    if (!transfer)
        return;
    if (transfer->easy)
        curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    buf_finish(&transfer->body);
    mem_free(transfer->user);
    mem_free(transfer);
}

static enum err transfer_create(const char *user, struct transfer **ret_transfer)
{
    struct transfer *transfer = mem_alloc_zero(1, sizeof(*transfer));

    if (!transfer)
        return ERR_NO_MEMORY;
    buf_init(&transfer->body, HTTP_CLIENT_BODY_MAX);
    transfer->easy = curl_easy_init();
    if (user) {
        size_t size = strlen(user) + 1;
        transfer->user = mem_alloc(size);
        if (transfer->user)
            memcpy(transfer->user, user, size);
    }
    if (!transfer->easy || (user && !transfer->user)) {
        transfer_destroy(transfer);
        return ERR_NO_MEMORY;
    }
    *ret_transfer = transfer;
    return ERR_OK;
}

/* curl_easy_setopt() is a macro that checks types; its failures here are failures of memory. */
#define SET(option_, value_)                                                                                                               \
    do {                                                                                                                                   \
        if (curl_easy_setopt(easy, option_, value_) != CURLE_OK)                                                                           \
            return ERR_NO_MEMORY;                                                                                                          \
    } while (0)

static enum err set_headers(struct transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* large bodies go out at once */
    char type[256];

    if (list && request->content_type) {
        struct buf text;
        buf_init(&text, sizeof(type));
        buf_printf(&text, "Content-Type: %s", request->content_type);
        bool fits = text.err == ERR_OK && str_to_c(buf_str(&text), type, sizeof(type)) == ERR_OK;
        buf_finish(&text);
        struct curl_slist *longer = fits ? curl_slist_append(list, type) : NULL;
        if (!longer) {
            curl_slist_free_all(list);
            return fits ? ERR_NO_MEMORY : ERR_SYNTAX;
        }
        list = longer;
    }
    for (size_t i = 0; list && request->headers && request->headers[i]; i++) {
        struct curl_slist *longer = curl_slist_append(list, request->headers[i]);
        if (!longer) {
            curl_slist_free_all(list);
            return ERR_NO_MEMORY;
        }
        list = longer;
    }
    if (!list)
        return ERR_NO_MEMORY;
    curl_slist_free_all(transfer->headers);
    transfer->headers = list;
    SET(CURLOPT_HTTPHEADER, list);
    return ERR_OK;
}

static enum err set_body(CURL *easy, const struct http_request *request)
{
    bool is_head = strcmp(request->method, "HEAD") == 0;

    SET(CURLOPT_POSTFIELDS, NULL);
    if (strcmp(request->method, "GET") == 0 || is_head) {
        SET(CURLOPT_HTTPGET, 1L);
        SET(CURLOPT_NOBODY, is_head ? 1L : 0L);
        SET(CURLOPT_CUSTOMREQUEST, NULL);
        return ERR_OK;
    }
    SET(CURLOPT_NOBODY, 0L);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_CUSTOMREQUEST, strcmp(request->method, "POST") == 0 ? NULL : request->method);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    SET(CURLOPT_COPYPOSTFIELDS, request->body.len ? request->body.ptr : "");
    return ERR_OK;
}

static enum err set_auth(CURL *easy, const struct http_request *request)
{
    if (request->digest_user) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_DIGEST);
        SET(CURLOPT_USERNAME, request->digest_user);
        SET(CURLOPT_PASSWORD, request->digest_password ? request->digest_password : "");
    } else if (request->basic_user) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, request->basic_user);
        SET(CURLOPT_PASSWORD, request->basic_password ? request->basic_password : "");
        SET(CURLOPT_XOAUTH2_BEARER, NULL);
    } else if (request->bearer) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        SET(CURLOPT_XOAUTH2_BEARER, request->bearer);
    } else {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC); /* curl's default; without a name it sends nothing */
        SET(CURLOPT_USERNAME, NULL);
        SET(CURLOPT_XOAUTH2_BEARER, NULL);
    }
    return ERR_OK;
}

/* What libcurl was built with: NULL would mean that nobody is trusted. */
static const char *default_ca(void)
{
    return curl_version_info(CURLVERSION_NOW)->cainfo;
}

static enum err transfer_set(struct transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    enum err err;

    buf_reset(&transfer->body);
    transfer->ret_tls = request->ret_tls;
    transfer->body.max = request->answer_max > 0 && request->answer_max < HTTP_CLIENT_BODY_MAX ? request->answer_max : HTTP_CLIENT_BODY_MAX;
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TCP_NODELAY, 1L);
    long timeout_ms = (long)(request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_DEFAULT_MS);
    SET(CURLOPT_TIMEOUT_MS, request->on_bytes ? 0L : timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, request->on_bytes ? 1L : 0L);
    SET(CURLOPT_LOW_SPEED_TIME, request->on_bytes ? (timeout_ms + 999) / 1000 : 0L);
    SET(CURLOPT_PATH_AS_IS, request->is_path_as_it_is ? 1L : 0L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CAINFO, request->ca_file ? request->ca_file : default_ca());
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_PRIVATE, transfer);
    err = set_body(easy, request);
    if (!err)
        err = set_auth(easy, request);
    if (!err)
        err = set_headers(transfer, request);
    return err;
}

/* A header's value up to `end`; left empty when there is none, or a longer one. */
static void take_header(const struct transfer *transfer, const char *name, const char *end, char *out, size_t size)
{
    struct curl_header *header;
    if (curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return;
    size_t len = strcspn(header->value, end);
    if (len < size)
        memcpy(out, header->value, len);
}

static void take_headers(const struct transfer *transfer, struct http_response *response)
{
    struct curl_header *header;
    curl_off_t wait_s = 0;
    size_t len = 0;
    response->retry_after_ms = -1;
    if (curl_easy_header(transfer->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
        curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &wait_s) == CURLE_OK)
        response->retry_after_ms = wait_s < 86400 ? 1000 * (int64_t)wait_s : 86400000;
    for (size_t i = 0; curl_easy_header(transfer->easy, "Link", i, CURLH_HEADER, -1, &header) == CURLHE_OK; i++) {
        int n = snprintf(response->link + len, sizeof(response->link) - len, "%s%s", i ? ", " : "", header->value);
        len += n > 0 ? (size_t)n : 0;
        if (len >= sizeof(response->link)) {
            response->link[0] = '\0';
            return;
        }
    }
}

enum err http_client_perform(const struct http_request *request, struct http_response *ret_response)
{
    struct transfer *transfer;
    enum err err;

    pthread_once(&once, init);
    err = transfer_create(request->digest_user, &transfer);
    if (err)
        return err;
    transfer->request = request;
    err = transfer_set(transfer, request);
    if (!err) {
        CURLcode code = curl_easy_perform(transfer->easy);
        tell_tls(transfer, code);
        err = err_from_curl(code, &transfer->body);
    }
    if (transfer->on_bytes_err)
        err = transfer->on_bytes_err;
    if (!err) {
        *ret_response = (struct http_response){.status = status_of(transfer), .body = transfer->body};
        take_header(transfer, "Set-Cookie", ";", ret_response->cookie, sizeof(ret_response->cookie));
        take_headers(transfer, ret_response);
        for (size_t i = 0; i < HTTP_CLIENT_WANTED_MAX && request->wanted[i]; i++)
            take_header(transfer, request->wanted[i], "", ret_response->wanted[i], sizeof(ret_response->wanted[i]));
        buf_init(&transfer->body, 0); /* the body is the caller's now */
    }
    transfer_destroy(transfer);
    return err;
}

/* ---- on a loop ---- */

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer timer;
    struct transfer *busy, *idle; /* lists */
    uint32_t n_idle;
    struct socket_watch *sockets; /* list */
};

struct socket_watch {
    struct socket_watch *previous, *next;
    struct http_client *client;
    struct loop_watch *watch;
    curl_socket_t fd;
};

static void list_add(struct transfer **list, struct transfer *transfer)
{
    transfer->previous = NULL;
    transfer->next = *list;
    if (transfer->next)
        transfer->next->previous = transfer;
    *list = transfer;
}

static void list_remove(struct transfer **list, struct transfer *transfer)
{
    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        *list = transfer->next;
    if (transfer->next)
        transfer->next->previous = transfer->previous;
}

/* Ends one request: tells its owner, keeps or frees the handle. */
static void finish(struct transfer *transfer, enum err err)
{
    struct http_client *client = transfer->client;
    struct http_response response = {.status = status_of(transfer), .body = transfer->body};

    if (!err)
        take_headers(transfer, &response);
    curl_multi_remove_handle(client->multi, transfer->easy);
    list_remove(&client->busy, transfer);
    transfer->done(transfer->context, err, err ? NULL : &response);
    if (client->n_idle >= IDLE_MAX || err) {
        transfer_destroy(transfer);
        return;
    }
    client->n_idle++;
    list_add(&client->idle, transfer);
}

static void finish_those_done(struct http_client *client)
{
    CURLMsg *message;
    int n_left;

    while ((message = curl_multi_info_read(client->multi, &n_left))) {
        struct transfer *transfer = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        tell_tls(transfer, code);
        finish(transfer, err_from_curl(code, &transfer->body));
    }
}

static void on_socket_ready(void *context, uint32_t events)
{
    struct socket_watch *socket = context;
    struct http_client *client = socket->client;
    int mask = 0, n_running;

    if (events & (EPOLLIN | EPOLLHUP))
        mask |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        mask |= CURL_CSELECT_ERR;
    curl_multi_socket_action(client->multi, socket->fd, mask, &n_running); /* `socket` may be gone now */
    finish_those_done(client);
}

static void on_timer(struct loop_timer *timer)
{
    struct http_client *client = container_of(timer, struct http_client, timer);
    int n_running;

    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
    finish_those_done(client);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct http_client *client = context;

    loop_timer_stop(&client->timer);
    return timeout_ms >= 0 && loop_timer_start(client->loop, &client->timer, timeout_ms) ? -1 : 0;
}

static void socket_forget(struct http_client *client, struct socket_watch *socket)
{
    loop_unwatch(socket->watch);
    if (socket->previous)
        socket->previous->next = socket->next;
    else
        client->sockets = socket->next;
    if (socket->next)
        socket->next->previous = socket->previous;
    mem_free(socket);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *of_socket)
{
    struct http_client *client = context;
    struct socket_watch *socket = of_socket;
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

    if (what == CURL_POLL_REMOVE) {
        if (socket)
            socket_forget(client, socket);
        return 0;
    }
    /* Without memory the socket stays unwatched, and its request ends by its time: -1 would end every request of the handle, for good. */
    if (socket) {
        (void)!loop_watch_change(socket->watch, events);
        return 0;
    }
    socket = mem_alloc_zero(1, sizeof(*socket));
    if (!socket)
        return 0;
    socket->client = client;
    socket->fd = fd;
    if (loop_watch_fd(client->loop, fd, events, on_socket_ready, socket, &socket->watch)) {
        mem_free(socket);
        return 0;
    }
    socket->next = client->sockets;
    if (socket->next)
        socket->next->previous = socket;
    client->sockets = socket;
    curl_multi_assign(client->multi, fd, socket);
    return 0;
}

enum err http_client_create(struct loop *loop, uint32_t n_connections, struct http_client **ret_client)
{
    struct http_client *client = mem_alloc_zero(1, sizeof(*client));

    if (!client)
        return ERR_NO_MEMORY;
    pthread_once(&once, init);
    client->loop = loop;
    client->timer.fn = on_timer;
    client->multi = curl_multi_init();
    if (!client->multi) {
        mem_free(client);
        return ERR_NO_MEMORY;
    }
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)n_connections);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)n_connections);
    *ret_client = client;
    return ERR_OK;
}

void http_client_destroy(struct http_client *client)
{
    if (!client)
        return;
    while (client->busy)
        finish(client->busy, ERR_CANCELLED);
    while (client->idle) {
        struct transfer *transfer = client->idle;
        list_remove(&client->idle, transfer);
        transfer_destroy(transfer);
    }
    curl_multi_cleanup(client->multi);
    while (client->sockets)
        socket_forget(client, client->sockets);
    loop_timer_stop(&client->timer);
    mem_free(client);
}

void http_client_cancel(struct http_client *client, const void *context)
{
    for (struct transfer *transfer = client->busy; transfer; transfer = transfer->next) {
        if (transfer->context != context)
            continue;
        finish(transfer, ERR_CANCELLED);
        return; /* `done` may have ended or begun others */
    }
}

/* An idle handle of the same Digest user, or a new one. */
static enum err transfer_take(struct http_client *client, const char *user, struct transfer **ret_transfer)
{
    for (struct transfer *transfer = client->idle; transfer; transfer = transfer->next) {
        if (user ? !transfer->user || strcmp(transfer->user, user) != 0 : transfer->user != NULL)
            continue;
        list_remove(&client->idle, transfer);
        client->n_idle--;
        *ret_transfer = transfer;
        return ERR_OK;
    }
    return transfer_create(user, ret_transfer);
}

enum err http_client_start(struct http_client *client, const struct http_request *request,
    void (*done)(void *context, enum err err, const struct http_response *response), void *context)
{
    struct transfer *transfer;
    enum err err = transfer_take(client, request->digest_user, &transfer);

    if (err)
        return err;
    transfer->client = client;
    transfer->done = done;
    transfer->context = context;
    err = transfer_set(transfer, request);
    if (!err && curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK)
        err = ERR_NO_MEMORY;
    if (err) {
        transfer_destroy(transfer);
        return err;
    }
    list_add(&client->busy, transfer);
    return ERR_OK;
}
