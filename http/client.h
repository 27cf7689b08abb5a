/*
 * The HTTP client: libcurl. A waiting form for tools, and a form on a loop for programs that keep many requests going.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/buf.h"
#include "base/loop.h"

#define HTTP_CLIENT_BODY_MAX (64u << 20)
#define HTTP_CLIENT_WANTED_MAX 4

/* Why a server could not be trusted, of a request that ended with ERR_UNAVAILABLE. */
enum http_tls_fault {
    HTTP_TLS_NONE,   /* it was not that */
    HTTP_TLS_SPEECH, /* it speaks no TLS, or none that is accepted here */
    HTTP_TLS_ISSUER, /* nobody who is trusted here vouches for its certificate */
    HTTP_TLS_NAME,   /* the certificate is another name's */
    HTTP_TLS_TIME,   /* it has expired, or is not valid yet */
    HTTP_TLS_FILE,   /* `ca_file` cannot be read as certificates */
};

struct http_request {
    const char *method;
    const char *url;
    const char *bearer;      /* NULL: none */
    const char *digest_user; /* NULL: no Digest */
    const char *digest_password;
    const char *basic_user; /* NULL: no Basic */
    const char *basic_password;
    const char *ca_file;   /* who vouches for the server, in PEM; NULL: whom the system trusts */
    bool is_path_as_it_is; /* a segment ".." is sent, not taken out */
    const char *content_type;
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    struct str body;            /* borrowed until the answer */
    int64_t timeout_ms;         /* 0: 10 s */
    size_t answer_max;          /* bytes of the answer's body; 0: HTTP_CLIENT_BODY_MAX */
    /* http_client_perform(): takes the body of a 200 or 206 as it comes, instead of keeping it; an error ends the request. NULL: keep it.
     * With it `timeout_ms` is how long nothing may come. */
    enum err (*on_bytes)(void *context, struct str bytes);
    void *context;
    enum http_tls_fault *ret_tls;               /* set before the end is told; lives until then. NULL: nobody asks */
    const char *wanted[HTTP_CLIENT_WANTED_MAX]; /* http_client_perform(): names of headers of the answer that are told */
};

struct http_response {
    int status;
    struct buf body;        /* the caller's buf_finish() */
    char cookie[160];       /* http_client_perform(): "name=value" of the answer's Set-Cookie, for who signs in; "": none */
    int64_t retry_after_ms; /* the answer's Retry-After, as seconds or a date; -1: none */
    char link[1024];        /* its Link headers, with ", " between them; "": none, or longer */
    char wanted[HTTP_CLIENT_WANTED_MAX][160]; /* in the order of request->wanted; "": not there, or longer */
};

/* Waits. ERR_UNAVAILABLE: nobody listens, or the connection broke; ERR_TIMEOUT; ERR_SYNTAX: not a URL of http or https; ERR_TOO_LARGE: an
 * answer past `answer_max`; a status of 4xx or 5xx is ERR_OK. Redirects are not followed, proxies of the environment not used. */
enum err http_client_perform(const struct http_request *request, struct http_response *ret_response) MUST_CHECK;

/* On a loop, connections kept alive, at most `n_connections` to a host. */
struct http_client;
enum err http_client_create(struct loop *loop, uint32_t n_connections, struct http_client **ret_client) MUST_CHECK;
void http_client_destroy(struct http_client *client); /* takes NULL; pending requests end with ERR_CANCELLED first */
/* With Digest, requests of one user reuse the nonce of the one before, so that only the first is asked to sign. `done` runs once on the
 * loop with the outcome; `response` is borrowed and NULL unless err is ERR_OK. Strings of `request` are copied, the body too. */
enum err http_client_start(struct http_client *client, const struct http_request *request,
    void (*done)(void *context, enum err err, const struct http_response *response), void *context) MUST_CHECK;
/* Nobody waits any more for the request that was started with this context: its connection is closed, and its `done` runs with
 * ERR_CANCELLED before this returns. On the loop. */
void http_client_cancel(struct http_client *client, const void *context);

#endif
