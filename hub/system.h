/*
 * The face of a connector: how a department's system (部门系统) is reached. One table of functions; system/sqlite is the smallest to copy.
 */
#ifndef HUB_SYSTEM_H
#define HUB_SYSTEM_H

#include "base/buf.h"
#include "base/yaml.h"
#include "db/sql.h"
#include "hub/hub.h"
#include "hub/system_object.h"
#include "hub/system_stream.h"

#include <stdatomic.h>

struct district; /* district/join.h */

struct hub_system_env {
    struct hub *hub;
    struct district *district; /* joins this hub to others; NULL: it is alone */
    void *reach;               /* struct hub_reach's context */
    struct loop *loop;         /* the hub's loop: timers, health reports */
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
    const struct sql_condition
        *rows;              /* the contract's, typed, columns by the resource's fields; NULL: all rows. Lives as long as the hub */
    struct yaml_node place; /* of the condition, or of the contract: for errors */
    struct str contract;    /* its name; lives as long as the hub */
};

/* One asking of a compiled grant: a call (keys as SQL_EQ constraints) or a part of a query. Columns are indexes of the resource's fields.
 */
struct hub_fetch {
    /* asked; borrowed until `done` */
    const struct sql_output *outputs; /* in the order of the answer; only granted columns: the decision saw to it */
    size_t n_outputs;
    const struct sql_constraint *where; /* all of them hold */
    size_t n_where;
    const struct sql_condition *also; /* one more, typed over the same columns; NULL: none */
    const struct sql_order *order;
    size_t n_order;
    size_t n_rows_max;  /* one more is asked for, to know about truncation */
    size_t n_bytes_max; /* of all the rows; past it ERR_TOO_LARGE */
    uint64_t intent;    /* the use's leaf in our ledger, where it is known */
    bool has_intent;
    bool is_long;           /* a part of a query, not a call: a connector with few handles keeps it apart */
    bool is_next;           /* of a query of another hub's resource: not the first asking of its use */
    const struct str *used; /* of the same: the fields on which the use was decided */
    size_t n_used;
    /* Set, from any thread, when the asker has gone: the connector looks at it at least every HUB_CANCEL_MS while the asking waits or runs,
     * ends what the department does for it, and answers ERR_CANCELLED (or what came first). NULL: never. */
    const _Atomic bool *is_cancelled;
    struct loop *loop; /* where `done` runs */
    void (*done)(struct hub_fetch *fetch);
    /* answered */
    enum err err;      /* ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_TOO_LARGE, ERR_FULL, ERR_RANGE (a value that cannot be asked with) */
    struct rows *rows; /* values of sql_output_type() or NULL; taken by the caller */
    bool is_truncated;
    char twin[HUB_RECEIPT_MAX]; /* the other hub's receipt of this use; empty: none */
    struct loop_task task;      /* the connector's */
    struct hub_fetch *next;     /* the connector's */
    void *system_state;         /* the connector's */
};

#define HUB_CANCEL_MS 250
static inline bool hub_fetch_is_cancelled(const struct hub_fetch *fetch)
{
    return fetch->is_cancelled && atomic_load_explicit(fetch->is_cancelled, memory_order_relaxed);
}

/* One asking of a command. The connector asks its department at most once for each of these; the same key may come again in another one,
 * and the department's side sees to it that it acts once. */
struct hub_ask {
    /* asked; borrowed until `done` */
    const struct hub_resource *resource;
    struct str key;            /* "hangzhou/post.traffic-police K": unique for this command, for ever */
    struct str party, receipt; /* who asks; the intent's receipt */
    struct str contract;       /* under which it is asked */
    uint64_t intent;           /* the use's leaf in our ledger */
    struct wall_time time;
    const struct value *values; /* in the order of the resource's fields; NULL values where nothing was given */
    struct loop *loop;          /* where `done` runs */
    void (*done)(struct hub_ask *ask);
    /* answered: ERR_OK; ERR_RANGE, refused for good, words as a JSON text in `answer`; ERR_UNAVAILABLE, ERR_FULL: certainly not done;
     * any other: nobody knows */
    enum err err;
    struct buf *answer;         /* the department's answer as a JSON object */
    char twin[HUB_RECEIPT_MAX]; /* the other hub's receipt of this use; empty: none */
    struct loop_task task;      /* the connector's, as the next two */
    struct hub_ask *next;
    void *system_state;
};

/* Tables of a connector. */
struct hub_system_tables {
    /* Compiles a grant. On the hub's loop; may block, at start and when a contract comes into force. Plans live until close. */
    enum err (*compile)(void *system, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan);
    /* Runs a plan with the grant's columns and rows, whatever is asked. Any thread; never blocks; `done` always runs, later, on
     * fetch->loop. */
    void (*fetch)(void *plan, struct hub_fetch *fetch);
    /* The resource is at another hub: a plan is run when the use's intent leaf is durable, since it goes there as the use's name, and one
     * asking of a use after the other; contracts are copies, whose state the other hub tells (hub_contract_told()). */
    bool is_remote;
    bool needs_intent; /* of a call: run when its intent leaf is durable, whose number goes along */
};

/* Doors of a connector's own (vehicle_camera, push); or its figures alone. */
struct hub_system_door {
    void (*mount)(void *system, struct http_mount *ret_mount); /* routes; on the hub's loop before it runs; NULL: no door */
    /* Who may speak at them by Digest: http_auth.digest_ha1 asks each system that has it until one knows the user. Any thread;
     * ERR_UNAUTHENTICATED: not mine. May be NULL. */
    enum err (*digest_ha1)(void *system, struct str user, char ret_ha1[33], struct http_identity *ret_identity);
    /* The connector's own figures: its journal, its queues, what it refused. `name` is the system's. Any thread; may be NULL. */
    void (*measure)(void *system, struct metric_page *page, struct str name);
    bool (*is_ready)(void *system); /* may it be sent to? Any thread; NULL: from the start on */
};

struct hub_system_ops;

/* Another way to a party's systems than the connector that their files name: over the bus, or not at all. */
struct hub_reach {
    /* NULL: as declared. While the city is loaded. */
    const struct hub_system_ops *(*ops)(void *context, struct str party, const struct hub_system_ops *declared);
    void *context; /* as env->reach to those systems */
};

struct hub_system_ops {
    const char *connector; /* "sqlite": the `connector:` of a department's file */
    /* Reads `system` (the file's root), connects or, when the department is down, starts trying. On the hub's loop before it runs. Errors
     * in the file: told in diags. */
    enum err (*open)(const struct hub_system_env *env, struct yaml_node system, struct diag_list *diags, void **ret_system);
    /* The declared fields of one resource against the real one: missing or of the wrong type is an error with the place. May block; at
     * start only. Once a resource. */
    enum err (*bind)(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags);
    const struct hub_system_tables *tables;   /* NULL: offers no tables */
    const struct hub_system_streams *streams; /* may be NULL: its streams are published, and that is all */
    /* Commands: asks the department. Any thread; never blocks; `done` always runs, once, later, on ask->loop. NULL: gives no commands. */
    void (*act)(void *system, struct hub_ask *ask);
    const struct hub_system_objects *objects; /* NULL: offers no objects */
    const struct hub_system_door *door;       /* may be NULL */
    /* Stops its threads and frees; on the hub's loop's thread after the doors closed. */
    void (*close)(void *system);
};

/* Do others bring their rows to it? Such a system stays with the brain; any other can run beside its department's data. */
static inline bool hub_system_has_door(const struct hub_system_ops *ops)
{
    return ops->door && ops->door->mount;
}

#endif
