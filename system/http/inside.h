/*
 * What the files of this folder share.
 */
#ifndef SYSTEM_HTTP_INSIDE_H
#define SYSTEM_HTTP_INSIDE_H

#include "http/client.h"
#include "hub/department_table.h"
#include "hub/mapping.h"
#include "system/http/http.h"

#include <stdatomic.h>

#define HTTP_PARAMETERS_MAX 16
#define HTTP_PARTS_MAX 16          /* of a path or a parameter */
#define HTTP_URL_MAX 8192          /* what servers take in a request line */
#define HTTP_BODY_MAX 65536        /* of a question */
#define HTTP_CURSOR_MAX 1024       /* bytes of a page's cursor */
#define HTTP_PAGE_BYTES (4u << 20) /* of one answer; past it ERR_TOO_LARGE */
#define HTTP_PAGES_MAX 1000        /* of one asking */
#define HTTP_ROWS_MAX 100000       /* that one asking may read, unless the file says fewer */
#define HTTP_ROWS_BYTES (32u << 20)
#define HTTP_OPEN_MAX 1000 /* askings and acts accepted and not answered; past it ERR_FULL */
#define HTTP_FAN_MAX 64    /* values of an IN that are asked one by one where the interface could also give all */
#define HTTP_TRIES_MAX 5   /* of one page whose answer was "later" */
#define HTTP_OUTPUTS_MAX (2 * HUB_FIELDS_MAX)

/* ---- what a request is made of: binding.c reads it, request.c writes it ---- */

enum http_part_kind { HTTP_LITERAL, HTTP_EQ /* {field} */, HTTP_GE /* {field>=} */, HTTP_LE /* {field<=} */ };
struct http_part {
    enum http_part_kind kind;
    uint16_t field;
    struct str text;
};
struct http_template {
    const struct http_part *parts;
    size_t n;
};
struct http_parameter {
    struct str name;
    struct http_template value;
};
struct http_form {
    bool is_post, has_body;
    struct http_template path;
    struct http_parameter query[HTTP_PARAMETERS_MAX], body[HTTP_PARAMETERS_MAX];
    size_t n_query, n_body;
    uint64_t used; /* fields that stand as {field}, a bit each */
};

enum http_paging { HTTP_ONE_PAGE, HTTP_BY_NUMBER, HTTP_BY_OFFSET, HTTP_BY_CURSOR, HTTP_BY_LINK };
struct http_pages {
    enum http_paging by;
    struct str parameter, size_parameter;
    int64_t first, size; /* size 0: not said; a page without rows is the last one */
    struct hub_pointer next;
};

struct http_table {
    const struct hub_resource *resource;
    struct http_form form;
    struct hub_pointer rows;
    struct hub_mapping mapping;
    struct http_pages pages;
    uint64_t required;   /* fields without whose value nothing can be asked */
    int64_t none_status; /* of an answer that means "no rows"; 0: none */
};

struct http_command {
    const struct hub_resource *resource;
    struct http_form form;
    struct hub_mapping mapping;
    struct str key_header;
    struct http_command *next;
};

/* What is known of each field for one request; NULL: nothing. Borrows from the asking. */
struct http_given {
    const struct value *eq[HUB_FIELDS_MAX], *ge[HUB_FIELDS_MAX], *le[HUB_FIELDS_MAX];
};
struct http_at { /* the page that is wanted */
    const struct http_pages *pages;
    int64_t number; /* page or offset */
    struct str cursor;
};

struct http_system;
/* The URL and the body of a question. ERR_NOT_FOUND: no row can have such a value (a path's segment cannot be "", "." or ".."), or a value
 * of the path is not given. */
enum err http_form_write(const struct http_system *system, const struct http_form *form, const struct hub_mapping *mapping,
    const struct http_given *given, const struct http_at *at, struct buf *url, struct buf *body) MUST_CHECK;
/* The URL of a Link header's rel="next" (RFC 8288), the same origin's only. ERR_NOT_FOUND: there is none; ERR_DENIED: another origin's. */
enum err http_link_next(const struct http_system *system, struct str links, struct buf *url) MUST_CHECK;

/* ---- sieve.c: the rows of one asking in an SQLite of their own in memory, where the contract's rows, the asker's constraints and
 * aggregates mean the same as everywhere ---- */
struct http_sieve;
enum err http_sieve_open(const struct hub_plan *plan, const struct hub_fetch *fetch, struct http_sieve **ret_sieve) MUST_CHECK;
void http_sieve_close(struct http_sieve *sieve); /* takes NULL */
/* One row with all the resource's fields. ERR_TOO_LARGE: more rows or bytes than may wait here. */
enum err http_sieve_add(struct http_sieve *sieve, const struct value *values) MUST_CHECK;
/* What is asked of the rows added since the last time, appended to fetch->rows, which it makes. */
enum err http_sieve_take(struct http_sieve *sieve, struct hub_fetch *fetch) MUST_CHECK;

/* ---- ask.c: one asking, on the system's loop ---- */
struct http_run;
struct http_lane { /* one page at a time, for one key after the other */
    struct http_run *run;
    size_t key;
    int64_t number;
    size_t n_pages, n_tries;
    struct buf url, body, cursor;
    bool is_waiting;
    struct http_lane *next; /* of those that wait for a connection or the end of a pause */
};

struct http_system {
    struct hub_department department;
    char origin[300], base[600]; /* "https://host:8443", and with the path before every resource's */
    bool is_here;
    char ca_file[HUB_DEPARTMENT_PATH_MAX], token_file[HUB_DEPARTMENT_PATH_MAX], password_file[HUB_DEPARTMENT_PATH_MAX];
    char user[128], token_header[64], health_path[256];
    struct time_zone zone;
    int64_t timeout_ms, rows_max, n_connections;
    struct hub_tables tables; /* each one's `own`: struct http_table */
    struct http_command *commands;
    bool is_sampled_down; /* did not answer while the city was loaded */

    struct loop_thread *thread;
    _Atomic size_t n_open;
    struct metric_counter n_refused; /* at HTTP_OPEN_MAX */
    _Atomic bool is_stopping;
    struct loop_timer loaded; /* of the hub's loop */
    struct loop_task start;
    /* the thread's */
    struct loop *loop;
    struct http_client *client;
    struct loop_timer look;
    struct http_lane *waiting, **last_waiting;
    struct http_lane *active[HUB_SERVER_CONNECTIONS_MAX]; /* whose requests are under way */
    _Atomic size_t n_active;                              /* changed by the thread alone */
    enum http_tls_fault tls;                              /* of the request that ended last */
    char secret[HUB_DEPARTMENT_SECRET_MAX], header[HUB_DEPARTMENT_SECRET_MAX + 80];
    struct mono_time secret_read, health_asked;
    bool is_down, health_asking, has_secret;
    int64_t back_off_ms;
    struct mono_time open_again; /* nothing is asked before */
};

void http_fetch(void *plan, struct hub_fetch *fetch);
/* Sends what waits, as far as connections are free, and refuses what waited too long. */
void http_pump(struct http_system *system);
/* Ends the requests under way of askers who have gone. */
void http_end_cancelled(struct http_system *system);
/* What an answer, or none, says of the department. */
void http_tell(struct http_system *system, enum err err, const struct http_response *response);
const char *http_unreachable(enum http_tls_fault tls); /* a code of hub/detail.h */

/* ---- command.c ---- */
void http_act(void *system, struct hub_ask *ask);

/* ---- http.c ---- */
/* A request with the system's secrets, on its loop; `done` as http_client_start(). `form` NULL: a GET. ERR_UNAVAILABLE: no secret. */
enum err http_request(struct http_system *system, const struct http_form *form, struct str url, struct str body, int64_t timeout_ms,
    const char *extra_header, void (*done)(void *context, enum err err, const struct http_response *response), void *context) MUST_CHECK;

/* The same, waiting: while the city is loaded. */
enum err http_sample(struct http_system *system, const struct http_form *form, const char *url, struct str body, int64_t timeout_ms,
    struct http_response *ret_response) MUST_CHECK;

/* ---- binding.c ---- */
enum err http_read_connection(struct http_system *system, struct yaml_node connection, struct diag_list *diags) MUST_CHECK;
enum err http_bind(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags) MUST_CHECK;

#endif
