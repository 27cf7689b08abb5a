/*
 * What the server's files share: the server, its connections, its exchanges. Nobody outside of http/ includes it.
 *
 * Who owns what: the server owns connections and a pool of exchanges; a connection has at most one exchange at a time. An exchange
 * whose handler has not replied when the server goes is left to that reply, which frees it.
 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include "http/digest.h"
#include "http/routes.h"
#include "http/server.h"

#include <microhttpd.h>

#define HTTP_HEADERS_OUT_MAX 8

struct http_connection {
    struct http_server *server;
    struct http_connection *previous, *next;
    int fd;
    struct mono_time quiet_since;   /* when it last had nothing half-sent: at its start, after each answer */
    struct http_exchange *exchange; /* under way */
    bool has_served;                /* an answer was sent on it */
    bool is_stream;
    bool is_cut; /* shut down by us, the library will notice */
};

enum exchange_state {
    EXCHANGE_LINE,     /* the request line is there, headers are coming */
    EXCHANGE_BODY,     /* headers are checked, the body is coming */
    EXCHANGE_HANDLING, /* inside of the route's handler */
    EXCHANGE_WAITING,  /* the handler kept it; the connection is suspended */
    EXCHANGE_REPLIED,
};

struct http_exchange {
    struct http_server *server; /* NULL once the server is gone */
    struct http_connection *connection;
    struct MHD_Connection *mhd;
    struct http_exchange *next_pooled;
    struct arena arena;
    struct buf body;
    json_t *json; /* owned */

    enum exchange_state state;
    enum http_method method;
    const char *method_name; /* the library's */
    struct str target, path, query_text;
    struct http_match match;
    struct http_identity identity;
    struct mono_time started;
    size_t n_discarded;
    size_t n_body_bytes; /* counted in the server's */

    /* headers that the server itself looks at; they borrow from the library's memory */
    struct str authorization, content_type, content_length, origin, sec_fetch_site, host, cookie;
    uint32_t n_content_length, n_transfer_encoding, n_authorization, n_host;
    bool has_other_encoding; /* than "chunked" */
    bool expects_continue;

    /* the answer */
    struct MHD_Response *response; /* until it is queued */
    struct http_sender *sender;    /* of a long body; NULL: none, or it has told its end */
    int status;
    bool is_stream;  /* the answer goes on without the exchange */
    bool must_close; /* there is no memory for an answer */
    size_t n_headers_out;
    struct {
        const char *name;
        struct str value; /* in the arena, NUL after its end */
    } headers_out[HTTP_HEADERS_OUT_MAX];
};

struct http_credential { /* what an asker showed, kept to be asked again */
    char *text;          /* owned; NULL: nothing had to be shown */
    size_t len;
    bool is_token;           /* else a session */
    enum http_access access; /* of the route: who was let in */
};

struct http_stream {
    struct http_server *server;
    struct http_stream *previous, *next;
    struct MHD_Connection *mhd;
    int fd;
    struct buf waiting;
    size_t n_sent; /* of waiting */
    bool is_suspended, is_ending, is_broken;
    struct http_credential credential;
    struct mono_time asked; /* when the credential was last good */
    void (*on_close)(void *context);
    void (*on_empty)(void *context); /* may be NULL */
    void *context;
};

struct http_sender {
    struct http_server *server;
    struct http_sender *previous, *next;
    struct http_exchange *exchange; /* NULL once that is over */
    struct MHD_Connection *mhd;
    int fd;
    struct http_body_source source;
    struct str piece;
    size_t n_taken; /* of the piece */
    uint64_t n_given;
    struct mono_time started;
    bool is_wanted, is_suspended, is_broken;
    bool is_complete; /* the library says that all was sent */
    bool is_let_go;   /* by the library */
};

struct http_server {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct loop_watch *watch;
    struct loop_hook hook;
    struct loop_timer sweep;
    bool must_run; /* the library has something to do */
    uint16_t port;
    struct http_auth auth;
    struct http_limits limits;
    struct http_routes *routes;
    struct http_nonces *nonces;
    struct http_connection *connections, *oldest; /* list, the newest first */
    uint32_t n_cut;                               /* of them, cut by us and not noticed by the library yet */
    struct http_stream *streams;                  /* list */
    struct http_sender *senders;                  /* list */
    /* written on the loop alone, read by http_server_measure() on any */
    _Atomic uint32_t n_connections, n_streams, n_senders;
    _Atomic size_t n_body_bytes; /* of all exchanges */
    struct metric_counter n_refused_connections, n_refused_bodies, n_refused_streams, n_refused_senders, n_slow_connections, n_crowded_out,
        n_slow_viewers;
    struct http_figures unrouted; /* refused before a route was found */
    struct http_exchange *pool;
    uint32_t n_pooled;
    struct buf scratch; /* a problem's text, a status line; empty between uses */
};

/* exchange.c: the library's callbacks for one request */
void *http_exchange_on_line(void *server, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_exchange_on_request(void *server, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **exchange);
void http_exchange_on_completed(void *server, struct MHD_Connection *mhd, void **exchange, enum MHD_RequestTerminationCode code);
void http_exchange_on_closed(struct http_exchange *x); /* its connection has gone */
void http_exchange_free_pool(struct http_server *server);

/* reply.c: takes the response (NULL: no memory for it) as the answer of `x` */
void http_exchange_answer(struct http_exchange *x, int status, struct MHD_Response *response);
/* A reply that the server makes before or instead of the handler's. */
void http_reply_refusal(struct http_exchange *x, int status, const char *detail);

/* measure.c: an answer is made */
void http_measure_answer(struct http_exchange *x, int status);

/* stream.c: ends all streams when the server goes */
void http_streams_wake_all(struct http_server *server);
/* Closes those whose session or token is no longer good. */
void http_streams_check(struct http_server *server, struct mono_time now);

/* sender.c: the library has told how the exchange of this sender ended. */
void http_sender_completed(struct http_sender *sender, bool is_complete);
void http_senders_break_all(struct http_server *server);
/* Cuts those whose reader is too slow. */
void http_senders_check(struct http_server *server, struct mono_time now);

/* access.c: who is asking, and may a browser's cookie do this. ERR_OK, or the answer is made and the error returned. */
enum err http_access_check(struct http_exchange *x) MUST_CHECK;
/* What `x` showed, copied, for an answer that goes on without the exchange; http_credential_finish() wipes it. */
enum err http_access_keep(const struct http_exchange *x, struct http_credential *ret_credential) MUST_CHECK;
bool http_access_holds(const struct http_server *server, const struct http_credential *credential);
void http_credential_finish(struct http_credential *credential);

#endif
