/*
 * The hub's own structures, for hub/ alone: what is loaded (immutable once hub_create() returned, but for new contracts (hub/index.c)) and
 * what moves (atomics, or under the lock named beside it).
 */
#ifndef HUB_STATE_H
#define HUB_STATE_H

#include "base/metric.h"
#include "base/yaml.h"
#include "db/db.h"
#include "hub/decide.h"
#include "hub/feed_state.h"
#include "hub/names.h"
#include "hub/negotiate.h"
#include "hub/quality.h"
#include "hub/seen.h"
#include "hub/usage.h"

#include <pthread.h>

#define HUB_NAME_MAX 200 /* "area/party/name", each part at most 64 bytes */

struct hub_blob { /* an object's bytes; shared by reference count */
    _Atomic int n_refs;
    struct str media_type, bytes; /* in one block with this struct */
    struct sha256 digest;
};

/* A department's system: one file of systems/. */
struct hub_system {
    const struct hub_system_ops *ops;
    void *system; /* NULL: did not open */
    struct str name, party;
    struct yaml_node root;
    struct http_mount mount; /* n_routes 0: no door */
    struct metric_counter n_asked, n_answered;
    struct metric_counter failed[ERR_COUNT];
    struct metric_histogram took; /* from asking to the answer's arrival on the asker's loop */
    struct hub_system *next;
};

struct hub_offer; /* hub/offer.c */

/* A resource, with what the hub keeps beside it. */
struct hub_entry {
    struct hub_resource resource; /* first: the public face is the entry's address */
    struct hub_system *system;    /* NULL: a scene's or the hub's own */
    struct hub_offer *offer;      /* a scene's table (hub/offer.c), whose system is `scene`; NULL: another */
    struct yaml_node node, binding;
    struct str subject; /* on the bus: slashes become dots */
    bool has_personal_key;
    bool is_kept;                            /* a stream whose rows go to hub->keeper */
    _Atomic bool is_teed;                    /* one whose rows go to hub->tee as well */
    _Atomic int64_t watermark_ms;            /* 0: none was told */
    const struct hub_quality_check *quality; /* the first of its own, which follow each other; NULL: none */
    const struct hub_field *object_key;      /* of an object: what it is asked by; NULL: there is one alone */
    pthread_mutex_t lock;                    /* guards the two below */
    struct hub_subscription *subscriptions;
    struct hub_blob *blob;
    struct metric_counter n_refused; /* batches, since a subscriber that must not lose was behind */
};

struct hub_contract {
    struct hub *hub;
    struct arena *arena; /* the hub's; of one that was drafted at run time its own */
    struct str name, purpose;
    const struct hub_party *consumer;
    struct hub_entry *entry;
    struct decide_contract terms;          /* as decide() takes it; `state` and `fresh_until_ms` are filled in at each decision */
    const uint16_t *field_ats;             /* the granted fields' places in the resource */
    struct str rows;                       /* as the file has it; */
    const struct sql_condition *condition; /* and typed; NULL: all rows */
    struct str legal_basis_zh, legal_basis_en;
    int64_t keep_ms, fresh_for_ms, confirmed_ms; /* DECIDE_NONE: not given */
    enum hub_contract_state file_state;
    struct yaml_node node;
    struct sha256 hash;
    struct str leaf_head, leaf_middle, leaf_resource; /* ready pieces of an intent leaf (hub/leaf.c) */
    void *plan;                                       /* compiled by the connector; NULL: none */
    _Atomic int64_t n_rows, n_rows_ms;                /* how many rows it grants, when that was counted (hub/query_fetch.c); 0: never */
    bool is_copy;                                     /* its home is another hub (hub_contract_told()) */
    bool is_new;                                      /* its leaf is still to be written */
    struct hub_feed_entry feed;
    struct hub_contract *_Atomic next_same; /* of the same consumer and resource, by name */
    struct negotiate life;                  /* where it stands; the desk's, under its lock */
    struct hub_signature *signed_by;        /* HUB_N_SIGNED, given at run time, as `life`; NULL: agreed by its file */
    int64_t step_minute;                    /* the running minute, and the steps taken in it; the hub's loop's */
    unsigned n_steps;
    bool is_at_desk;   /* a step of it is being written; as `life` */
    _Atomic int state; /* the same for decisions, which take no lock */
    _Atomic int64_t fresh_until_ms;
    _Atomic uint64_t second; /* packed as hub_quota's */
    struct hub_quota quotas[QUOTA_N];
};

struct hub_paper;  /* hub/desk.h */
struct hub_misfit; /* hub/misfit.c */
struct hub_desk {
    pthread_mutex_t lock; /* guards papers, and life and is_at_desk of every contract; written by the hub's loop alone */
    struct hub_paper *papers, *retired;
    size_t n_papers, n_drafts;
    const struct hub_misfit *misfits; /* made at the start */
    uint64_t next_number;
};

struct hub_epochs;  /* hub/epoch.c */
struct hub_sources; /* hub/source.c */
struct hub_acts;    /* hub/act_store.c */
struct hub_queries; /* hub/query.c */
struct hub_waiter;  /* hub/parts.h */
struct hub_objects; /* hub/object_use.c */

struct hub_figures {                                                /* what the hub counts of its uses: hub/measure.c */
    struct metric_counter decided[HUB_ACT + 1][DECIDE_N_RULES + 1]; /* by use and rule; the last: no such resource, or no contract */
    struct metric_counter ended[HUB_ACT + 1][ERR_COUNT];
    struct metric_histogram took[HUB_ACT + 1];
    struct metric_counter n_calls_refused, n_queries_refused, n_reports_refused, n_leaves_delayed;
};

struct hub {
    struct hub_figures figures;
    struct district *district;
    const struct hub_reach *reach; /* while the city is loaded */
    struct arena arena;            /* everything loaded */
    struct clock *clock;
    struct loop *loop;
    struct time_zone zone;
    struct bus *bus;
    struct ledger *ledger;
    const struct crypto_key *ledger_key;
    struct str city_dir, data_dir, area; /* NUL-terminated */
    bool is_check, is_started, is_demo;
    _Atomic bool is_stopping;
    const struct hub_system_ops *const *connectors;
    struct hub_keeper *keeper, *tee;
    void (*fatal)(void *context, const char *part, enum err err);
    void *fatal_context;
    uint64_t n_ticks;

    struct area_tree *areas;
    struct yaml **yamls; /* they own the names */
    size_t n_yamls, cap_yamls;
    struct hub_party *parties;
    size_t n_parties;
    struct names party_names;
    struct hub_system *systems;
    struct hub_entry **entries;
    size_t n_entries, cap_entries;
    struct names entry_names;
    struct hub_contract **contracts;
    _Atomic size_t n_contracts; /* only grows; what stands below it stays in its place once the hub has started */
    size_t cap_contracts;
    struct names contract_names, contract_uses; /* by name; by consumer and resource */

    uint64_t nonce_head; /* random at start; with the counter it never repeats */
    _Atomic uint64_t nonce_next;
    struct hub_epochs *epochs;
    int64_t epochs_kept_ms;
    struct hub_sources *sources;
    struct hub_acts *acts; /* hub/act_store.h; NULL with check_only */
    struct hub_desk desk;
    struct hub_feed feed;
    struct hub_quality quality;
    struct hub_usage usage;
    struct hub_queries *queries;
    struct hub_objects *objects;
    struct hub_entry *source_entry; /* AREA/hub/source */
    struct hub_entry *alert_entry;  /* AREA/hub/alert */
    struct db_writer *writer;       /* {data}/hub.sqlite; NULL with check_only */
    struct loop_timer tick;         /* confirms contracts with fresh_for, resumes calls that wait */
    _Atomic int64_t n_in_flight;    /* uses and leaves that will touch the hub again: hub_work_begin(), hub_work_end() */

    pthread_mutex_t waiting_lock; /* guards what follows */
    struct hub_waiter *waiting;
    size_t n_waiting;
    struct hub_noting noting; /* of whom rows were about */

    struct hub_others others; /* processes of this hub */
};

/* What is under way on any thread holds the hub: hub_destroy() waits until as many have ended as have begun. */
static inline void hub_work_begin(struct hub *hub)
{
    atomic_fetch_add_explicit(&hub->n_in_flight, 1, memory_order_relaxed);
}

/* The hub may be gone when it returns: the last thing that one does with it. */
static inline void hub_work_end(struct hub *hub)
{
    atomic_fetch_sub_explicit(&hub->n_in_flight, 1, memory_order_release);
}

static inline const struct hub_entry *hub_entry_of(const struct hub_resource *resource)
{
    return (const struct hub_entry *)(const void *)resource;
}

#endif
