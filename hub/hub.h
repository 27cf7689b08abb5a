/*
 * The hub (中枢): resources (资源) and contracts (契约), and their uses (使用), each of which leaves a receipt (凭证).
 *
 * One use's way: who asks and for what purpose → the contract found → decide() with its counters (hub/decide.h) → intent leaf
 * appended to the ledger, the department asked at the same time → both are there: the answer leaves, with the receipt → outcome
 * leaf follows. No byte of an answer leaves before its intent leaf is durable.
 *
 * Thread-safe where it says "any thread"; call-backs run on the loop that the caller names.
 */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include "base/clock.h"
#include "base/rows.h"
#include "bus/bus.h"
#include "db/sql.h"
#include "http/server.h"
#include "hub/area.h"
#include "hub/detail.h"
#include "ledger/ledger.h"

#define HUB_FIELDS_MAX                                                                                                                     \
    64 /* of one resource: the widest table of the demo has 14; GA/T 1400's passage about 70 names, of which we keep 12 */
#define HUB_ROWS_MAX 1000           /* of one call's answer; more is "truncated" */
#define HUB_ANSWER_BYTES (1u << 20) /* of one call's rows as values */
#define HUB_RECEIPT_MAX 128

enum hub_kind { HUB_TABLE, HUB_STREAM, HUB_COMMAND, HUB_OBJECT };
enum hub_use { HUB_CALL, HUB_QUERY, HUB_SUBSCRIBE, HUB_ACT };
enum hub_class { HUB_OPEN, HUB_INTERNAL, HUB_PERSONAL, HUB_SECRET };

struct hub_field {
    struct str name;
    enum value_type type;
    enum hub_class class;
    struct str meaning_zh, meaning_en, unit_zh, unit_en;
    bool is_key;
};

struct hub_resource {
    struct str name;  /* "hangzhou/police/vehicle" */
    struct str party; /* "hangzhou/police" */
    struct str title_zh, title_en;
    enum hub_kind kind;
    bool is_at_most_once;            /* a command whose department cannot keep a key: an unknown outcome is people's affair */
    const struct hub_field *subject; /* of a table: the field that says whom a row is about; NULL: each row is one person's */
    const struct hub_field *fields;
    const struct sql_column *columns; /* of a table: the same fields as db/sql.h takes them */
    size_t n_fields;
};

struct hub; /* created by brain/, see hub/registry.h for loading */

const struct hub_resource *hub_resource_find(
    const struct hub *hub, struct str name);                              /* NULL: none. Any thread; valid while the hub lives */
int hub_field_find(const struct hub_resource *resource, struct str name); /* -1: none */
const struct area_tree *hub_areas(const struct hub *hub);
struct clock *hub_clock(const struct hub *hub);
struct time_zone hub_zone(const struct hub *hub);

/* Is it at another hub, and reached over district/? */
bool hub_resource_is_remote(const struct hub_resource *resource);

/* ---- what a use was refused for: rule of docs/decide.md, or 0 with an error ---- */
struct hub_refusal {
    int rule;
    enum err err; /* ERR_DENIED, ERR_BUSY (quota), ERR_NOT_FOUND, ERR_UNAVAILABLE, ERR_TIMEOUT */
    struct diag diag;
};

/* ---- call: rows of a table by key ---- */
struct hub_call {
    /* asked; borrowed until done */
    struct str party, resource, purpose;
    struct str contract; /* empty: the one contract that fits */
    struct str twin;     /* the receipt of the same use at the asker's own hub, another one; empty: asked here */
    const struct str *key_names;
    const struct value *key_values;
    size_t n_keys;
    const struct str *fields; /* in the order wanted */
    size_t n_fields;
    _Atomic bool is_cancelled; /* set it from any thread: the asker has gone; `done` still runs */
    struct loop *loop;         /* where `done` runs */
    void (*done)(struct hub_call *call);
    void *context;
    /* answered */
    struct hub_refusal refusal; /* err ERR_OK: answered */
    struct rows *rows;          /* released by the hub after `done` returns */
    struct str json;            /* the same as a JSON list of objects: the bytes that the outcome leaf commits to; borrowed during `done` */
    bool is_truncated;
    char receipt[HUB_RECEIPT_MAX]; /* "hangzhou.log/48211" */
    void *hub_state;               /* the hub's own */
};
/* Any thread. `done` always runs, once, later, on `loop`. */
void hub_call_start(struct hub *hub, struct hub_call *call);

/* ---- streams ---- */
struct hub_window { /* the part of a subscription that one receipt covers */
    struct str contract;
    struct str receipt; /* of the window's intent leaf, durable before the first row of it was handed over */
    struct wall_time opened;
};

struct hub_subscribe_options {
    struct str party, resource, purpose;
    const struct str *fields; /* rows come with these, in this order */
    size_t n_fields;
    struct loop *loop;
    size_t limit; /* batches held; 0: 256 */
    enum bus_when_full when_full;
    int64_t from_ms; /* replay what the provider keeps since this wall time first; 0: only what comes */
    void (*on_rows)(void *context, const struct hub_window *window, struct rows *rows); /* borrows */
    void (*on_end)(void *context,
        const struct hub_refusal *why); /* the contract ended, or was suspended, or its day's or month's uses are used up; may be NULL */
    void *context;
};
struct hub_subscription;
/* On `options->loop`'s thread or before loops run. Everything in options is copied. ERR_DENIED, or ERR_BUSY (the uses of the
 * day or month are used up), with the rule in *ret_refusal (may be NULL).
 * One that is wanted for good is better begun by hub_keep_start() (hub/keep.h), which begins again what ended. */
enum err hub_subscribe(struct hub *hub, const struct hub_subscribe_options *options, struct hub_refusal *ret_refusal,
    struct hub_subscription **ret_subscription) MUST_CHECK;
/* A subscriber that has not sent on what it got takes no more: another hub's stream its provider keeps, batches of one of this hub's own
 * wait as behind any slow subscriber (`limit`, `when_full`). On the subscription's loop, also from within on_rows(). */
void hub_subscription_pause(struct hub_subscription *subscription, bool is_paused);
void hub_unsubscribe(struct hub_subscription *subscription); /* closes the window with its outcome leaf; takes NULL */

/* The provider's side: rows in the order of the resource's declared fields. Any thread. ERR_FULL: a subscriber that must not lose is
 * behind; slow the sender. */
enum err hub_publish(struct hub *hub, const struct hub_resource *resource, struct rows *rows) MUST_CHECK;

/* Blocks until what was published is on disk, in a process that keeps it there (hub/keeper.h); else at once. Before a source is told
 * "accepted". Not on a loop. */
enum err hub_publish_settle(struct hub *hub) MUST_CHECK;
/* The same for one stream without blocking: `task` runs once, later, on `loop`, with `err` set. Any thread. */
struct hub_settle {
    struct loop *loop;
    struct loop_task task;
    enum err err;
    struct hub_settle *next; /* the keeper's, as the next */
    uint64_t wanted;
};
void hub_publish_settled(struct hub *hub, const struct hub_resource *resource, struct hub_settle *settle);
/* Whether every row published so far is with those subscribers that must not lose: their on_rows() has returned. Any thread. */
bool hub_is_handed_over(const struct hub_resource *resource);
/* Up to when all that its department took has been published here; for streams that come from afar. Any thread. */
void hub_stream_watermark(const struct hub_resource *resource, struct wall_time watermark);

bool hub_is_subscribed(const struct hub_resource *resource); /* whether anybody would get a row now. Any thread */

/* ---- objects kept in memory by their provider: the road network, the list of cameras ---- */
/* Replaces the object's bytes (copied). Any thread. */
enum err hub_object_put(struct hub *hub, const struct hub_resource *resource, struct str media_type, struct str bytes) MUST_CHECK;
/* A use like any other (kind `call`, no key), of an object in memory: `done` gets the bytes, borrowed during the call, after the intent
 * leaf is durable. Those that lie at a department are read in pieces (hub/object.h): ERR_UNSUPPORTED. */
struct hub_object_get {
    struct str party, resource, purpose;
    struct loop *loop;
    void (*done)(struct hub_object_get *get);
    void *context;
    struct hub_refusal refusal;
    struct str media_type, bytes;
    struct sha256 digest;
    char receipt[HUB_RECEIPT_MAX];
    void *hub_state;
};
void hub_object_get_start(struct hub *hub, struct hub_object_get *get);

/* ---- sources and their health: what every connector and camera reports; the hub's own stream `AREA/hub/source` carries the changes ----
 */
enum hub_health { HUB_FRESH, HUB_STALE, HUB_DOWN };
struct hub_source {
    struct str party;  /* who runs it */
    struct str source; /* "camera/33010600001190000001", "sqlite/vehicle" */
    struct str area;
    struct str title_zh, title_en;
    struct point place; /* 0, 0: nowhere on the map */
    enum hub_health health;
    struct wall_time last_heard; /* 0 ms: never */
    struct str detail;           /* why: a code with parameters (hub/detail.h), empty when fresh; no personal data */
};
/* Any thread. Publishes when health changed, and at least every minute. */
void hub_source_report(struct hub *hub, const struct hub_source *source);

#endif
