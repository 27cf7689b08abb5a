/*
 * What the connectors to departments' databases share: the department's file (paths, secrets, bindings, the place of a field for errors)
 * and how a source's health is told.
 */
#ifndef HUB_DEPARTMENT_H
#define HUB_DEPARTMENT_H

#include "hub/system.h"

#include <pthread.h>

#define HUB_DEPARTMENT_PATH_MAX 1024
#define HUB_DEPARTMENT_SECRET_MAX 256 /* bytes of a password with its NUL */
#define HUB_DEPARTMENT_DETAIL_MAX 200 /* of a health report; never data, a path or a secret */

struct hub_department { /* embedded in a connector's system */
    struct hub *hub;
    struct clock *clock;
    const char *connector; /* static */
    const char *city_dir, *data_dir;
    struct arena arena;           /* for what lives as long as the system */
    struct str party, name, area; /* owned by the arena */
    struct str source;            /* "postgres/police" */
    struct yaml_node root;        /* of the file; lives as long as the hub */
    pthread_mutex_t lock;         /* guards what follows */
    struct mono_time reported;
    enum hub_health health;
    struct wall_time last_heard;
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    struct mono_time stale_since; /* the last error of single answers */
};

/* Copies the strings of `env`; checks the root's keys and that `connection:` is a map, returned. */
enum err hub_department_init(struct hub_department *department, const struct hub_system_env *env, const char *connector,
    struct yaml_node root, struct diag_list *diags, struct yaml_node *ret_connection) MUST_CHECK;
void hub_department_finish(struct hub_department *department);

/* ---- the file ---- */
/* `file` absolute, relative to the city's folder, or below "{data}/". ERR_TOO_LARGE. */
enum err hub_department_path(const struct hub_department *department, struct str file, char out[HUB_DEPARTMENT_PATH_MAX]) MUST_CHECK;
/* The path of the member `key`, when it is there: out is "" otherwise. Of a secret (a key that ends in "_file") also "env:" and a variable
 * CITYBRAIN_SECRET_…, for hub_department_secret(). */
enum err hub_department_get_path(const struct hub_department *department, struct yaml_node connection, const char *key,
    struct diag_list *diags, char out[HUB_DEPARTMENT_PATH_MAX]) MUST_CHECK;
/* The first line of a secret's file, or the variable that "env:…" names. Read anew at each connecting, so that a password can be changed.
 * ERR_NOT_FOUND, ERR_IO; ERR_DENIED: others than its owner may read the file; ERR_TOO_LARGE. */
enum err hub_department_secret(const char *path, char out[HUB_DEPARTMENT_SECRET_MAX]) MUST_CHECK;
/* Where a resource's field is declared; the resource itself when there is no such field. For errors. */
struct yaml_node hub_department_field_node(const struct hub_department *department, const struct hub_resource *resource, struct str field);
enum hub_binding { HUB_BIND_TABLE, HUB_BIND_VIEW, HUB_BIND_SELECT };
/* `bind: {table: …}`, `{view: …}` or `{select: …}`. */
enum err hub_department_binding(const struct hub_department *department, const struct hub_resource *resource, struct yaml_node binding,
    struct diag_list *diags, enum hub_binding *ret_kind, struct str *ret_text) MUST_CHECK;

/* What does not fit of a resource's field: the first is kept in *wrong (in `arena`) for the health report, a code of hub/detail.h with
 * field, resource and `more` ("|a|b"), and each is told at its place, as `text`, when there are `diags`: then `err` is returned. */
enum err hub_department_wrong(const struct hub_department *department, const struct hub_resource *resource, size_t field,
    struct arena *arena, struct str *wrong, struct diag_list *diags, enum err err, const char *code, const char *more,
    const char *text) MUST_CHECK;

/* ---- `connection:` of a database server: host, port, database, user, password_file, tls, tls_ca, timeout, connections, zone ---- */
enum hub_tls { HUB_TLS_DISABLE, HUB_TLS_REQUIRE, HUB_TLS_VERIFY_CA, HUB_TLS_VERIFY_FULL };
struct hub_server {
    char host[256], database[128], user[128], password_file[HUB_DEPARTMENT_PATH_MAX], tls_ca[HUB_DEPARTMENT_PATH_MAX];
    int port;
    enum hub_tls tls;
    struct time_zone zone; /* of columns without one */
    int64_t timeout_ms;    /* of one statement */
    size_t n_connections;
};
#define HUB_SERVER_CONNECTIONS_MAX 16
struct hub_server_form {
    int port;                     /* where the file names none */
    const char *const *more_keys; /* the connector's own, NULL-terminated; NULL: none */
    bool is_database;             /* has to name database and user, may have timeout and connections */
};
/* server->zone holds the city's before. */
enum err hub_department_read_server(const struct hub_department *department, struct yaml_node connection,
    const struct hub_server_form *form, struct diag_list *diags, struct hub_server *server) MUST_CHECK;

/* ---- figures ---- */
#define HUB_DEPARTMENT_QUEUE "department" /* askings accepted and not answered, in the families of every queue (base/metric.h) */
void hub_department_measure_connections(struct metric_page *page, struct str name, uint64_t n);

/* ---- health ---- */
/* Told to the hub when it changes and now and then; a change is logged. HUB_DOWN and back are told at once, HUB_STALE (single answers with
 * errors) at most once a second, and holds for a second against HUB_FRESH: a bad row among good ones does not flood the log. `detail` is
 * a code with parameters (hub/detail.h). Any thread. */
void hub_department_report(struct hub_department *department, enum hub_health health, const char *detail);
/* It is there: fresh stays fresh, and what is not keeps its reason. */
void hub_department_heard(struct hub_department *department);

#endif
