/*
 * The HTTP server: libmicrohttpd driven by our own loops, one table of routes, one arena an exchange.
 *
 * One request's way: loop (epoll) → MHD_run → request line and headers → route looked up, method and limits checked →
 * who is speaking (token, session, Digest) → body collected to the route's limit → handler → reply. A handler may reply
 * later, from the same loop: the connection is suspended until http_reply*(). Errors are RFC 9457 problems.
 *
 * One server a loop; several servers on the same address share it with SO_REUSEPORT.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/metric.h"

struct http_server;
struct http_exchange; /* one request and its answer; lives until the answer is sent */

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_HEAD };

/* Who may ask. Nothing is HTTP_PUBLIC but the health check, the ledger's tiles, the sign-in and the screens' own static files. */
enum http_access {
    HTTP_PUBLIC,
    HTTP_SIGNED_IN,   /* a bearer token of a program or a session of a person; what of it each may see is the handler's affair */
    HTTP_OFFICIAL,    /* a session of a person at a post; to programs and citizens there is nothing at this path */
    HTTP_CITIZEN,     /* a session of a citizen, likewise */
    HTTP_DIGEST,      /* RFC 2617 Digest, MD5, qop=auth: cameras (GA/T 1400) */
    HTTP_SIGNED_BODY, /* the body bears its own signature, and the handler checks it: a witness's requests. No cookie counts, any type goes
                       */
};

/* What a person may do beside looking; GB/T 39477 keeps the three apart, so nobody has two. Bits. */
enum http_role {
    HTTP_MANAGE = 1,  /* contracts of the party they act for */
    HTTP_AUDIT = 2,   /* sees all uses and every history, signs nothing */
    HTTP_OPERATE = 4, /* health and systems, no contracts */
};

struct http_identity {
    struct str party;    /* "hangzhou/scene.parking", "hangzhou/post.mayor"; empty when public */
    struct str area;     /* the area whose subtree it may see: "hangzhou.xihu" */
    struct str person;   /* sign-in name of a person; empty for programs */
    struct str device;   /* Digest user: a camera's id; else empty */
    struct str acts_for; /* the party whose contracts a person manages: "hangzhou/police"; a program's and a post's own */
    unsigned roles;      /* bits of enum http_role; programs have none */
    /* A citizen's own keys, as canonical JSON: {\"plate\":\"浙A…\"}; empty: an official or a program. A citizen has no area. */
    struct str subject;
};

struct http_route {
    enum http_method method;
    const char *pattern; /* "/hub/v1/call/{area}/{party}/{name}"; a last "{rest...}" takes the rest of the path */
    enum http_access access;
    size_t body_max; /* bytes; 0: no body is taken */
    /* On the server's loop; must not block; replies now or keeps the exchange and replies later on the same loop. Idempotence is the
     * route's affair. */
    void (*handle)(struct http_exchange *x, void *context);
    /* For the OpenAPI description (http/openapi.h); a JSON answer without a schema fails tests/e2e/openapi_test.py. */
    const char *summary;
    const char *body;       /* schema of the request's JSON, by its name in a mount's `schemas`; NULL: no body, or any */
    const char *answer;     /* schema of the JSON of success; NULL: see media_type */
    const char *media_type; /* of success; NULL: application/json with an `answer`, and without one 204, no content */
    int status;             /* of success; 0: 200, or 204 without content */
    const char *query;      /* names in the query string, "indicator area?"; a '?' marks what may be left out */
    const char *refusal;    /* schema of refusals that are told in media_type instead of as RFC 9457 problems */
};

/* A folder's routes with the object they act on; the server takes a list of these. `routes` and `context` are kept. */
struct http_mount {
    const struct http_route *routes;
    size_t n_routes;
    void *context;
    const char *schemas; /* JSON Schemas by name, as one JSON object: a file *.schema.json, through tools/embed; NULL: none. Kept */
};

/* How the server learns who speaks; provided by the composition, called on the server's loop: they must not block. Strings in
 * *ret_identity are copied by the server into the exchange's arena. A NULL function lets nobody in. */
struct http_auth {
    void *context;
    const char *digest_realm; /* NULL: "citybrain"; digest_ha1() must use the same */
    enum err (*token)(void *context, struct str token, struct http_identity *ret_identity);     /* "Authorization: Bearer …" */
    enum err (*session)(void *context, struct str session, struct http_identity *ret_identity); /* cookie "citybrain" */
    /* Digest: MD5(user:realm:password) in hex for this user; ERR_UNAUTHENTICATED for an unknown one. */
    enum err (*digest_ha1)(void *context, struct str user, char ret_ha1[33], struct http_identity *ret_identity);
};

struct http_limits {            /* 0: the default in server.c, each with its reason */
    uint32_t n_connections;     /* past it new connections are refused */
    uint32_t idle_timeout_s;    /* a connection that says nothing is closed */
    size_t header_max;          /* request line and headers; a cookie counts twice, since the library copies it */
    size_t exchange_memory_max; /* the arena of one exchange */
    size_t bodies_max;          /* bytes of all bodies that are coming in or being handled; past it 503 */
    uint32_t n_streams;         /* server-sent event connections */
    size_t stream_queue_max;    /* bytes waiting for one slow viewer; past it the viewer is closed and may come back */
    uint32_t stream_check_s;    /* so often the session or token of an open stream is asked again */
    uint32_t n_senders;         /* long bodies on their way; past it 503 */
    uint32_t sender_slowest;    /* bytes a second: who reads slower, over the whole and past the idle time-out, is cut */
};

struct http_server_options {
    const char *address;             /* "127.0.0.1" */
    uint16_t port;                   /* 0: any, see http_server_port() */
    bool share_port;                 /* SO_REUSEPORT: one of several servers on several loops */
    const struct http_mount *mounts; /* kept */
    size_t n_mounts;
    struct http_auth auth;
    struct http_limits limits;
};

/* ERR_EXISTS with a mend in `diag` when the port is taken (checked before SO_REUSEPORT would hide it: call http_port_check() first). */
enum err http_server_create(
    struct loop *loop, const struct http_server_options *options, struct diag *diag, struct http_server **ret_server) MUST_CHECK;
void http_server_destroy(struct http_server *server); /* takes NULL; on its loop's thread or after the loop ended */
/* Requests by route and status, how long they took, connections, streams and their limits; `door` names the server. Any thread. */
void http_server_measure(struct http_server *server, struct metric_page *page, struct str door);
uint16_t http_server_port(const struct http_server *server);
enum err http_port_check(const char *address, uint16_t port, struct diag *diag) MUST_CHECK;

/* ---- the request: all strings are borrowed until the reply ---- */
struct arena *http_arena(struct http_exchange *x);
struct loop *http_loop(struct http_exchange *x);
enum http_method http_request_method(const struct http_exchange *x);
struct str http_path(const struct http_exchange *x);
struct str http_param(const struct http_exchange *x, const char *name);  /* from the pattern, percent-decoded */
struct str http_query(const struct http_exchange *x, const char *name);  /* empty when absent */
struct str http_header(const struct http_exchange *x, const char *name); /* empty when absent */
struct str http_body(const struct http_exchange *x);
struct str http_cookie(const struct http_exchange *x, const char *name); /* empty when absent */
struct str http_cookie_find(struct str cookies, const char *name);       /* the same in a header's text; the first of a name counts */
/* Who is connected, "192.0.2.7" or "2001:db8::7"; behind a proxy that is the proxy. Empty when it has gone. */
struct str http_remote_address(struct http_exchange *x);
/* Has the asker closed the connection? For replies that come later and cost much. */
bool http_is_gone(const struct http_exchange *x);
const struct http_identity *http_identity(const struct http_exchange *x);
/* The body as JSON, owned by the exchange; replies 400 with the place by itself when it is not (then returns the error: just return). */
enum err http_body_json(struct http_exchange *x, json_t **ret_json) MUST_CHECK;

/* ---- the reply: exactly one of these, on the exchange's loop; `x` is gone afterwards. Bytes are copied. ---- */
void http_add_header(struct http_exchange *x, const char *name, struct str value); /* before the reply */
void http_reply(struct http_exchange *x, int status, const char *content_type, struct str body);
void http_reply_json(struct http_exchange *x, int status, struct str json);
struct http_problem {
    int status;
    struct str detail; /* may be empty */
    int rule;          /* < 0: none */
};
/* As http_reply_err() tells an error, for doors that are not HTTP's. */
struct http_problem http_problem_of(enum err err, struct str detail);
void http_problem_write(const struct http_problem *problem, struct buf *out); /* as http_reply_problem() does; check out->err */
/* RFC 9457: {"type":"about:blank","title":…,"status":…,"detail":…,"rule":N}; rule < 0 leaves the member out. */
void http_reply_problem(struct http_exchange *x, int status, struct str detail, int rule);
/* The status and words that an error has at this door: ERR_DENIED and ERR_NOT_FOUND both 404, ERR_BUSY 429, ERR_UNAVAILABLE and ERR_FULL
 * 503, ERR_TIMEOUT 504 … */
void http_reply_err(struct http_exchange *x, enum err err, struct str detail);
/* The type that a file's ending stands for; application/octet-stream for what is not known. */
const char *http_media_type(const char *path);
/* A file from disk with its type by its ending, ETag and cache control; 404 when there is none. `path` must already be inside of a folder
 * you own. */
void http_reply_file(struct http_exchange *x, const char *path, const char *cache_control);

/* ---- a long body, read from its source while it is sent ---- */
/* The connection sleeps until a piece is there, and the source until the reader has taken the one before: one piece is held at a time. */
struct http_sender;
struct http_body_source {
    uint64_t n_bytes; /* of the body */
    /* Wants the next piece: http_sender_give() or http_sender_fail(), from within or later, on the loop. */
    void (*want)(void *context);
    /* Once, at the end; the sender is gone after it. `n_given` bytes were given to the network (an answer to HEAD has none); whole: all of
     * them, and nothing failed. */
    void (*closed)(void *context, bool is_whole, uint64_t n_given);
    void *context;
};
/* ERR_FULL, ERR_NO_MEMORY: has replied 503 by itself, or the server is gone; `closed` never runs, just return. */
enum err http_reply_body(struct http_exchange *x, int status, const char *content_type, const struct http_body_source *source,
    struct http_sender **ret_sender) MUST_CHECK;
/* Not empty, and with those before not longer than the body; borrowed until `want` or `closed` runs next. */
void http_sender_give(struct http_sender *sender, struct str piece);
void http_sender_fail(struct http_sender *sender); /* cuts the connection, so that the asker sees that it is not whole; `closed` follows */

/* ---- server-sent events ---- */
/* A stream ends with the session or token that opened it: it is asked again every `stream_check_s`, which counts as a use of the session.
 */
struct http_stream;
/* Answers 200 text/event-stream and keeps the connection open; `on_close` runs once when the viewer is gone (the stream is freed after it).
 * ERR_FULL, ERR_NO_MEMORY: has replied 503 by itself, `on_close` never runs, just return. */
enum err http_reply_stream(
    struct http_exchange *x, void (*on_close)(void *context), void *context, struct http_stream **ret_stream) MUST_CHECK;
/* One event; `data` holds no newline. ERR_FULL: the viewer was too slow and is being closed; ERR_STATE: it was closed before. On the
 * stream's loop. */
enum err http_stream_send(struct http_stream *stream, const char *event, struct str data) MUST_CHECK;
/* `fn` runs with on_close's context, on the stream's loop, each time all that was sent is on its way: what is larger than a viewer's queue
 * is sent in parts, the next from here. */
void http_stream_on_empty(struct http_stream *stream, void (*fn)(void *context));
void http_stream_close(struct http_stream *stream); /* what was sent still goes out; on_close follows */

#endif
