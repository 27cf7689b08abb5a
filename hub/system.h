/*
 * The face of a connector: how a department's system (部门系统) is reached. One table of functions; system/sqlite is the smallest to copy.
 */
#ifndef HUB_SYSTEM_H
#define HUB_SYSTEM_H

#include "base/yaml.h"
#include "hub/hub.h"

struct hub_system_env {
    struct hub *hub;
    struct loop *loop; /* the hub's loop: timers, health reports */
    struct clock *clock;
    struct time_zone zone;
    const char *city_dir; /* paths in a city's files are relative to it; "{data}/…" to data_dir */
    const char *data_dir;
    struct str party; /* whose system it is */
    struct str name;  /* file name without ".yaml" */
    bool check_only;  /* citybrain check: look at the files, touch nothing, start nothing */
    /* Nothing may be acknowledged any more (disk full, a failed fsync): the composition stops the process. From any thread, once; may be
     * NULL in tests. */
    void (*fatal)(void *context, const char *part, enum err err);
    void *fatal_context;
};

/* What a contract grants of a table, for the connector to compile once: only these columns, only these rows. */
struct hub_grant {
    const struct hub_resource *resource;
    struct yaml_node binding; /* the resource's `bind:` of the department's file */
    const uint16_t *fields;   /* indexes of the granted fields */
    size_t n_fields;
    struct str rows_predicate; /* SQL expression over the resource's fields, from the contract; empty: all rows */
    struct yaml_node place;    /* of the predicate, or of the contract: for errors */
};

/* One asking of a compiled grant. */
struct hub_fetch {
    const uint16_t *key_fields; /* indexes of the resource's key fields that are given */
    const struct value *key_values;
    size_t n_keys;
    const uint16_t *fields; /* indexes of fields wanted, a subset of the grant, in the order of the answer */
    size_t n_fields;
    size_t n_rows_max; /* one more is asked for, to know about truncation */
    struct loop *loop; /* where `done` runs */
    void (*done)(struct hub_fetch *fetch);
    enum err err;      /* ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_TOO_LARGE, ERR_FULL */
    struct rows *rows; /* taken by the caller */
    bool is_truncated;
    struct loop_task task;  /* the connector's */
    struct hub_fetch *next; /* the connector's */
    void *system_state;     /* the connector's */
};

struct hub_system_ops {
    const char *connector; /* "sqlite": the `connector:` of a department's file */
    /* Reads `system` (the file's root), connects or, when the department is down, starts trying. On the hub's loop before it runs. Errors
     * in the file: told in diags. */
    enum err (*open)(const struct hub_system_env *env, struct yaml_node system, struct diag_list *diags, void **ret_system);
    /* The declared fields of one resource against the real one: missing or of the wrong type is an error with the place. May block; at
     * start only. Once a resource. */
    enum err (*bind)(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags);
    /* Tables: compiles a grant. May be NULL for connectors without tables. Plans live until close. */
    enum err (*compile)(void *system, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan);
    /* Tables: runs a plan. Any thread; never blocks; `done` always runs, later, on fetch->loop. */
    void (*fetch)(void *plan, struct hub_fetch *fetch);
    /* Streams: hands over what is kept since `from`, in order, in batches with the resource's declared fields. On a thread of the hub's
     * own; may be NULL. */
    enum err (*replay)(void *system, const struct hub_resource *resource, struct wall_time from,
        enum err (*emit)(void *context, struct rows *rows), void *context);
    /* Doors of its own (vehicle_camera); may be NULL. */
    void (*mount)(void *system, struct http_mount *ret_mount);
    /* Who may speak at those doors by Digest: http_auth.digest_ha1 asks each system that has this slot until one knows the user. Any
     * thread; ERR_UNAUTHENTICATED: not mine. May be NULL. */
    enum err (*digest_ha1)(void *system, struct str user, char ret_ha1[33], struct http_identity *ret_identity);
    /* Stops its threads and frees; on the hub's loop's thread after the doors closed. */
    void (*close)(void *system);
};

#endif
