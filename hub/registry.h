/*
 * The registry (目录): what a city's files declare, read once and then immutable: areas, parties, department systems, resources and
 * contracts. Also the hub's life: create, start, stop, destroy.
 *
 * Files of a city read here (docs/city.md): areas.yaml, parties.yaml (`parties:`), systems/, contracts/, and of scenes/
 * the keys `party:` and `resources:`. What a scene computes, people and cockpits are read elsewhere.
 */
#ifndef HUB_REGISTRY_H
#define HUB_REGISTRY_H

#include "base/crypto.h"
#include "hub/hub.h"
#include "hub/system.h"

#define HUB_PARTIES_MAX 100000  /* a city's departments, companies, hospitals, scenes and posts */
#define HUB_RESOURCES_MAX 20000 /* Hangzhou's hub told of 6,000 interfaces (reference/city.md §3) */
#define HUB_CONTRACTS_MAX 200000
#define HUB_SYSTEMS_MAX 1000
/* Records of data given to others are kept for at least three years (网络数据安全管理条例 art 12); without its key a leaf is none any more.
 */
#define HUB_EPOCHS_KEPT_MS_MIN (1096 * INT64_C(86400000))
#define HUB_EPOCHS_KEPT_MS (1100 * INT64_C(86400000))

struct hub_party {
    struct str name; /* "hangzhou/police" */
    struct str title_zh, title_en;
    struct str key;  /* its public key as text (base/sign.h); empty: not declared */
    struct str kind; /* "department", "company", "scene", "post", "program" */
};

enum hub_contract_state { HUB_DRAFTED, HUB_OFFERED, HUB_AGREED, HUB_SUSPENDED, HUB_ENDED };

/* A contract as people read it: "why this number" shows it. Strings live as long as the hub. */
struct hub_contract_info {
    struct str name, provider, consumer, resource, purpose;
    struct str legal_basis_zh, legal_basis_en;
    const struct str *fields;
    size_t n_fields;
    int64_t from_ms, until_ms; /* INT64_MIN: no bound */
    int64_t keep_ms;           /* how long the consumer may keep the data */
    int64_t fresh_for_ms;      /* how long a copy of it holds without word from its home hub; INT64_MIN: as long as the hubs agreed */
    enum hub_contract_state state;
    struct sha256 hash; /* of its content in canonical JSON (docs/hub.md) */
};

struct hub_options {
    const char *city_dir; /* "city/hangzhou" */
    const char *data_dir;
    struct str area; /* whose hub it is: "hangzhou" */
    struct time_zone zone;
    int64_t epochs_kept_ms; /* when the salts of receipts and their subjects' pseudonyms are forgotten; 0: HUB_EPOCHS_KEPT_MS */
    struct clock *clock;
    struct loop *loop;             /* the hub's own */
    struct district *district;     /* joins it to other hubs; NULL: it is alone. Kept */
    const struct hub_reach *reach; /* NULL: every system by its own connector. Borrowed during hub_create() */
    struct hub_keeper *tee;        /* where rows of streams go as well that hub_stream_tee() names (hub/keeper.h); NULL: none. Kept */
    struct hub_keeper *keeper;     /* where rows of systems' streams go instead of to subscribers (hub/keeper.h); NULL: none. Kept */
    struct bus *bus;               /* NULL only with check_only, as the next two */
    struct ledger *ledger;
    const struct crypto_key *ledger_key;                          /* for GET /log/v1/vkey; borrowed */
    const struct hub_system_ops *const *connectors;               /* NULL-terminated */
    bool is_demo;                                                 /* the hub may hold the keys of parties, so that signing can be shown */
    bool check_only;                                              /* citybrain check: reads the files, touches and starts nothing */
    void (*fatal)(void *context, const char *part, enum err err); /* handed to the systems (hub/system.h); may be NULL */
    void *fatal_context;
};

/* Reads the city, opens its systems. Every error is told in `diags`; the first is returned. Strings of `options` are copied. */
enum err hub_create(const struct hub_options *options, struct diag_list *diags, struct hub **ret_hub) MUST_CHECK;
/* Writes the leaves of new and changed contracts; from here on uses are served. Before or on the hub's loop. */
enum err hub_start(struct hub *hub) MUST_CHECK;
/* No more uses; closes the systems and their threads, and waits for the uses under way: the ledger may be closed next. On the hub's loop's
 * thread, when the doors are closed and subscriptions ended. */
void hub_stop(struct hub *hub);
/* After hub_stop() and ledger_close(), while the loops that made uses still exist. Takes NULL. */
void hub_destroy(struct hub *hub);

/* The doors of the hub and of its connectors: the first `max` of them; returns how many there are, also when more than `max`. They live as
 * long as the hub. */
size_t hub_mounts(struct hub *hub, struct http_mount *mounts, size_t max);

/* http_auth.digest_ha1 for the systems' doors; `hub` must be cast to its context. ERR_UNAUTHENTICATED: no system knows the user. */
enum err hub_digest_ha1(const struct hub *hub, struct str user, char ret_ha1[33], struct http_identity *ret_identity) MUST_CHECK;

/* What keeps the hub from serving: systems that did not open, doors that are still starting, of how many. Any thread. */
struct hub_readiness {
    size_t n_systems, n_closed, n_starting;
    bool is_started, is_stopping;
    bool is_cut_off; /* a follower that has heard nothing of the desk for a minute */
};
void hub_readiness(struct hub *hub, struct hub_readiness *ret_readiness);
/* Decisions, uses, departments, streams, sources, contracts. Any thread, while the doors are open. */
void hub_measure(struct hub *hub, struct metric_page *page);

const struct hub_party *hub_party_find(const struct hub *hub, struct str name); /* NULL: none. Any thread */
size_t hub_n_resources(const struct hub *hub);
const struct hub_resource *hub_resource_at(const struct hub *hub, size_t at);
size_t hub_n_contracts(const struct hub *hub);
/* False: no such contract. Any thread. */
bool hub_contract_at(const struct hub *hub, size_t at, struct hub_contract_info *ret_info) MUST_CHECK;
bool hub_contract_find(const struct hub *hub, struct str name, struct hub_contract_info *ret_info) MUST_CHECK;
/* The contract in force under which `consumer` may use `resource` for `purpose`; the first by name. */
bool hub_contract_for(
    const struct hub *hub, struct str consumer, struct str resource, struct str purpose, struct hub_contract_info *ret_info) MUST_CHECK;

/* What the home hub says of a contract of which this one has a copy, because its resource is there: its state, and until when (wall clock,
 * ms) it may be believed. No other word changes a copy's state. Any thread. ERR_NOT_FOUND: no copy of that name; ERR_RANGE: no such state.
 */
enum err hub_contract_told(struct hub *hub, struct str name, int state, int64_t fresh_until_ms) MUST_CHECK;
/* Whether the hub has only a copy of it. */
bool hub_contract_is_copy(const struct hub *hub, struct str name);

#endif
