/*
 * What the files of hub/ offer each other, by file; for hub/ alone.
 */
#ifndef HUB_PARTS_H
#define HUB_PARTS_H

#include "hub/state.h"

/* ---- hub/resource.c ---- */
/* Declares the resources of `list` (the node `resources:`) for a party. */
enum err hub_declare(
    struct hub *hub, struct str party, struct hub_system *system, struct yaml_node list, struct diag_list *diags) MUST_CHECK;
/* A resource declared in code. */
enum err hub_declare_own(struct hub *hub, const struct hub_resource *resource, struct hub_entry **ret_entry) MUST_CHECK;
enum err hub_read_title(
    struct yaml_node node, const char *key, bool required, struct diag_list *diags, struct str *ret_zh, struct str *ret_en) MUST_CHECK;
/* In the order of their enumerations, NULL-terminated. */
extern const char *const hub_use_names[];
extern const char *const hub_state_names[];
extern const char *const hub_kind_names[];
extern const char *const hub_class_names[];

/* ---- hub/contract.c ---- */
enum err hub_contract_load(struct hub *hub, struct yaml_node root, struct diag_list *diags) MUST_CHECK;
/* The same without entering it: a draft. `root` and `arena` live as long as the contract. */
enum err hub_contract_read(
    struct hub *hub, struct arena *arena, struct yaml_node root, struct diag_list *diags, struct hub_contract **ret_contract) MUST_CHECK;
#define HUB_CONTENT_MAX (1u << 20)
/* The RFC 8785 form of what both parties sign, appended to `out`. */
enum err hub_contract_content(const struct hub_contract *contract, struct buf *out) MUST_CHECK;

/* ---- hub/index.c ---- */
#define HUB_NEW_CONTRACTS_MAX 4096 /* come into force in one run; past it they wait for a restart */
enum err hub_contract_add(struct hub *hub, struct hub_contract *contract) MUST_CHECK; /* by name; while loading */
enum err hub_contracts_index(struct hub *hub) MUST_CHECK;                             /* all that were added */
enum err hub_contracts_reserve(struct hub *hub) MUST_CHECK;                           /* before uses are served */
/* One more: while loading, or on the hub's loop. ERR_FULL. */
enum err hub_contract_enter(struct hub *hub, struct hub_contract *contract) MUST_CHECK;
struct hub_contract *hub_contract_lookup(const struct hub *hub, struct str name);
/* First of the contracts of this consumer on this resource; NULL: none. */
struct hub_contract *hub_contract_first(const struct hub *hub, struct str consumer, struct str resource);
/* Decides at `now`; permitted uses are counted when `count`. ERR_STATE: permitted, but the reservation on disk has to come first
 * (not counted). Otherwise ERR_OK with the rule. */
enum err hub_contract_decide(
    struct hub_contract *contract, const struct decide_request *request, struct wall_time now, bool count, int *ret_rule) MUST_CHECK;

/* ---- hub/choose.c ---- */
struct hub_refusal hub_refusal_of(const struct hub_contract *contract, int rule);
struct hub_refusal hub_refusal_unknown(void); /* an unknown resource and one without a contract look the same */
/* The contract under which the use is permitted: the one named, or the first by name that permits. ERR_STATE: try again when the
 * reservation is on disk. ERR_NOT_FOUND, ERR_DENIED, ERR_BUSY: *ret_refusal is the one nearest to a permit. */
enum err hub_choose(struct hub *hub, const struct decide_request *request, struct str contract_name, struct wall_time now, bool count,
    struct hub_contract **ret_contract, struct hub_refusal *ret_refusal) MUST_CHECK;

/* A use that is permitted when a quota's reservation is on disk (ERR_STATE): embedded in it, asked again then. */
struct hub_waiter {
    void (*again)(struct hub_waiter *waiter); /* on the hub's loop */
    struct hub_waiter *next;
};
#define HUB_CALLS_WAITING_MAX 1024                                    /* past it 429 */
bool hub_wait(struct hub *hub, struct hub_waiter *waiter) MUST_CHECK; /* false: too many wait; any thread */
void hub_waiters_resume(struct hub *hub);

/* ---- hub/quota.c ---- */
enum err hub_quota_open(struct hub *hub, struct diag_list *diags) MUST_CHECK; /* {data}/hub.sqlite: counters, states of contracts */
void hub_quota_close(struct hub *hub);                                        /* writes the exact counts */
void hub_quota_take(struct hub_contract *contract, struct wall_time now, struct decide_counters *ret_before);
void hub_quota_give_back(struct hub_contract *contract, struct wall_time now);
void hub_quota_give_back_unused(struct hub_contract *contract, struct wall_time now); /* day and month; the second's stays counted */
/* Uses of the running day and month. Any thread. */
void hub_quota_used(const struct hub_contract *contract, struct wall_time now, int64_t *ret_day, int64_t *ret_month);
/* Is what was taken counted on disk? When not, the writing is on its way. */
bool hub_quota_is_reserved(struct hub_contract *contract);
/* Remembers state and hash of a contract: a leaf is written for a contract from a file only when they are others. */
void hub_quota_remember(struct hub_contract *contract);

/* ---- hub/leaf.c ---- */
#define HUB_LEAF_MAX 2560
struct hub_leaf {
    char bytes[HUB_LEAF_MAX];
    size_t len;
    uint8_t salt[32];
};
enum err hub_leaf_prepare(struct hub_contract *contract) MUST_CHECK;
struct hub_intent {
    struct hub_contract *contract;
    const char *use;
    const struct str *fields;
    size_t n_fields;
    struct str request;         /* canonical JSON, committed to */
    const struct str *subjects; /* canonical JSON of each personal key alone */
    size_t n_subjects;          /* at most HUB_SUBJECTS_MAX */
    struct str twin;            /* the receipt at the asker's hub; empty: asked here */
    struct wall_time now;
};
enum err hub_leaf_intent(struct hub *hub, const struct hub_intent *intent, struct hub_leaf *leaf) MUST_CHECK;
#define HUB_REQUEST_MAX 8192 /* 64 fields of 64 bytes */
/* What a use without a key asked for, in RFC 8785 form: {"fields":[…],"key":{},"purpose":…,"resource":…}, `key` only with `has_key`. Check
 * out->err. */
struct str hub_request_write(struct buf *out, const struct hub_contract *contract, const struct str *fields, size_t n_fields, bool has_key);
struct hub_outcome {
    uint64_t intent;
    uint64_t n_rows;
    struct str answer; /* bytes committed to; or: */
    bool has_digest;
    struct sha256 digest;           /* of a stream's window, committed to as its 32 bytes */
    bool is_object;                 /* the next three are told */
    uint64_t n_bytes, first, total; /* given to the network, from where on, of how many there are */
    const char *status;             /* "ok", "unavailable", … */
    struct str twin;                /* the receipt at the provider's hub; empty: served here, or not */
    int64_t duration_us;
    struct wall_time now;
};
/* What an outcome says of an error: "ok", "timeout", "busy" …; static. */
const char *hub_outcome_status(enum err err);
enum err hub_leaf_outcome(struct hub *hub, const struct hub_outcome *outcome, struct hub_leaf *leaf) MUST_CHECK;
/* A leaf that nobody waits for: appended, and again while the ledger is full. `finished` runs once, with the outcome, and owns the memory
 * from then on: on the hub's loop when `contract` is set, else on the ledger's thread or the hub's loop. Any thread. */
struct hub_follow {
    struct hub *hub;
    struct ledger_append append;
    struct loop_timer retry;
    struct loop_task task;
    void (*finished)(struct hub_follow *follow, enum err err);
    struct hub_contract *contract; /* whose state the leaf tells; else NULL */
    struct hub_leaf leaf;
};
void hub_follow_start(struct hub *hub, struct hub_follow *follow);
/* Tells a contract's state; remembers it once the leaf is durable. Any thread. */
enum err hub_leaf_tell_contract(struct hub_contract *contract) MUST_CHECK;
struct hub_note;
enum err hub_leaf_case(struct hub *hub, const struct hub_note *note, struct hub_leaf *leaf) MUST_CHECK; /* hub/note.h */
/* "hangzhou.log/48211" */
void hub_receipt(struct hub *hub, uint64_t index, char out[HUB_RECEIPT_MAX]);

/* ---- hub/epoch.c ---- */
struct hub_epoch { /* one civil day's keys */
    int64_t day;
    uint8_t salt_key[32], subject_key[32]; /* derived of the file's, so that one use of the key tells nothing about another */
    struct hub_epoch *next;
};
enum err hub_epochs_create(struct hub *hub) MUST_CHECK;
void hub_epochs_destroy(struct hub *hub);
/* The keys of `wall`'s day, made when there are none yet; they live as long as the hub. Any thread. */
enum err hub_epoch_get(struct hub *hub, struct wall_time wall, const struct hub_epoch **ret_epoch) MUST_CHECK;
/* Without making any: ERR_NOT_FOUND when they were erased. */
enum err hub_epoch_read(struct hub *hub, struct wall_time wall, struct hub_epoch *ret_epoch) MUST_CHECK;
/* Erases the keys that are older than hub->epochs_kept_ms; the disk is asked once a day. On the hub's loop. */
void hub_epochs_drop_old(struct hub *hub);
void hub_salt(const struct hub_epoch *epoch, const uint8_t nonce[16], uint8_t ret_salt[32]);

/* ---- hub/query.c ---- */
enum err hub_queries_create(struct hub *hub) MUST_CHECK;
void hub_queries_stop(struct hub *hub); /* those that run or wait are refused; joins the threads. While the systems still answer */
void hub_queries_destroy(struct hub *hub);

size_t hub_queries_n_waiting(struct hub *hub);
#define HUB_QUERIES_WAITING_MAX 64 /* past it 429 */

/* ---- hub/query_door.c: POST /hub/v1/query ---- */
struct http_exchange;
#define HUB_QUERY_BODY_MAX 65536
void hub_query_handle(struct http_exchange *x, void *hub);
void hub_subscribe_handle(struct http_exchange *x, void *hub); /* hub/subscribe_door.c: GET /hub/v1/subscribe/… */

/* ---- hub/source.c ---- */
enum err hub_sources_create(struct hub *hub) MUST_CHECK;
void hub_sources_destroy(struct hub *hub);
void hub_sources_tell_all(struct hub *hub); /* a new subscriber came; any thread */
/* How many are fresh, stale, down (by enum hub_health). Any thread. */
void hub_sources_count(const struct hub *hub, size_t ret_n[HUB_DOWN + 1], size_t *ret_reports);
#define HUB_SOURCES_MAX 20000        /* a large city's cameras */
#define HUB_SOURCE_REPORTS_MAX 40000 /* on their way to the loop */

/* ---- hub/alert.c ---- */
enum err hub_alert_declare(struct hub *hub) MUST_CHECK;

/* ---- hub/catalog.c ---- */
struct json_writer;
void hub_put_title(struct json_writer *w, const char *key, struct str zh, struct str en);
void hub_put_party(struct json_writer *w, const struct hub *hub, const char *key, struct str name); /* {"party":…,"title":…} */
void hub_put_fields(struct json_writer *w, const struct hub_resource *resource);
void hub_put_fields_as(struct json_writer *w, const char *key, const struct hub_resource *resource);
extern const struct http_route hub_catalog_routes[];
extern const size_t hub_n_catalog_routes;

/* ---- hub/act_door.c ---- */
extern const struct http_route hub_act_routes[];
extern const size_t hub_n_act_routes;

/* ---- hub/door.c ---- */
/* How each handler of a use begins: `size` zeroed bytes in the exchange's arena, and the resource that the path {area}/{party}/{name}
 * names. NULL: no memory, and answered. */
void *hub_door_begin(struct http_exchange *x, size_t size, struct str *ret_resource) MUST_CHECK;
void hub_reply_refusal(struct http_exchange *x, const struct hub_refusal *refusal);
extern const struct http_route hub_routes[];
extern const size_t hub_n_routes;
extern const char hub_schemas[], hub_desk_schemas[]; /* hub/door.schema.json, hub/desk.schema.json */

#endif
