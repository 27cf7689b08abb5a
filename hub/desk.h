/*
 * The contract desk: contracts drafted at run time, and each step of any contract's life, from the asking to what is durable.
 *
 * One step's way, all on the hub's loop: who asks, which side → the rules (hub/negotiate.h) → what takes away counts at once → the leaf,
 * durable → the hub's store, durable → what gives counts now → the asker is told. So a leaf without effect may stand after a kill, an
 * effect without its leaf never does, and what was acknowledged is never lost.
 */
#ifndef HUB_DESK_H
#define HUB_DESK_H

#include "base/sign.h"
#include "hub/parts.h"

#define HUB_PAPERS_MAX 20000         /* contracts drafted here and kept */
#define HUB_DRAFTS_MAX 4096          /* drafts and changes in one run; past it they wait for a restart, which gives their memory back */
#define HUB_STEPS_PER_MINUTE 120     /* of one contract: each is a leaf for ever. Past it only what takes away is done */
#define HUB_TERMS_MAX 65536          /* bytes of a draft */
#define HUB_DRAFT NEGOTIATE_N_EVENTS /* the event that makes a contract: not of its life yet */

struct hub_signature {
    bool is_there;
    struct sign_public key;
    uint8_t bytes[SIGN_SIGNATURE_LEN];
    int64_t time_ms;
};
enum { HUB_SIGNED_PROVIDER, HUB_SIGNED_CONSUMER, HUB_N_SIGNED };

/* A contract drafted here, with what it was read from. Under the desk's lock; what it was before a change is kept to the end of the run. */
struct hub_paper {
    struct arena arena;
    struct yaml *yaml;
    struct str source; /* the draft, RFC 8785 */
    struct hub_contract *contract;
    bool is_entered; /* in the registry: it was in force at least once */
    struct hub_paper *next;
};

struct hub_desk_ask {
    /* asked; borrowed until done */
    struct hub *hub;
    struct http_identity who;
    int event;            /* enum negotiate_event, or HUB_DRAFT */
    struct str contract;  /* empty: a new draft */
    struct str terms;     /* draft, change: JSON, as a contract's file has it without name and state */
    struct str key;       /* sign: the public key as text, and */
    struct str signature; /* 128 hex digits; both empty: the hub signs with the key that it holds for the party */
    struct loop *loop;    /* where `done` runs */
    void (*done)(struct hub_desk_ask *ask);
    void *context;
    /* answered */
    int rule;     /* of docs/contract.md; 0: none refused */
    enum err err; /* ERR_OK: done and durable */
    struct diag diag;
    struct str name;               /* of the contract; lives as long as the hub */
    char receipt[HUB_RECEIPT_MAX]; /* "": this step leaves no leaf */
    /* the desk's own */
    struct loop_task task;
    struct hub_contract *target;
    struct hub_paper *paper;
    enum negotiate_side side;
    struct negotiate next;
    struct hub_signature signed_now;
    int64_t now_ms;
    struct buf leaf;
    struct ledger_append append;
    bool has_leaf;
    struct db_write write;
};
/* Any thread. `done` always runs, once, later, on `loop`. */
void hub_desk_start(struct hub_desk_ask *ask);

/* ---- hub/desk.c ---- */
struct hub_paper *hub_desk_paper(struct hub *hub, struct str name); /* under the lock; NULL: not drafted here */
/* A contract by name, also a draft; under the lock. */
struct hub_contract *hub_desk_find(struct hub *hub, struct str name);
enum negotiate_side hub_desk_side(const struct hub_contract *contract, const struct http_identity *who);
/* Reads a draft's terms. `name`: the contract's; on success the paper is its caller's to keep or to drop. */
enum err hub_desk_read(
    struct hub *hub, struct str name, struct str terms, struct diag_list *diags, struct hub_paper **ret_paper) MUST_CHECK;
void hub_paper_drop(struct hub_paper *paper); /* takes NULL */
void hub_desk_expire(struct hub *hub);        /* the hub's tick: ends what is over */
void hub_desk_destroy(struct hub *hub);

/* ---- hub/desk_leaf.c: pure ---- */
/* What a party signs: a prefix that nothing else has, and the contract's content in RFC 8785. */
enum err hub_desk_message(const struct hub_contract *contract, struct buf *out) MUST_CHECK;
/* The leaf of a step: names, state, the hash of the content, and the signatures there are. */
enum err hub_desk_leaf(const struct hub_contract *contract, const struct hub_signature *signatures, const char *event, const char *side,
    const char *state, int64_t now_ms, struct buf *out) MUST_CHECK;

/* ---- hub/desk_store.c ---- */
/* A migration of {data}/hub.sqlite. `source` is null for a contract from a file: then hash and file_state say which file was meant. */
#define HUB_DESK_TABLES                                                                                                                    \
    "CREATE TABLE paper (contract TEXT PRIMARY KEY, source TEXT, hash TEXT NOT NULL, file_state INTEGER NOT NULL, state INTEGER NOT "      \
    "NULL, "                                                                                                                               \
    "drafter INTEGER NOT NULL, suspended_by INTEGER NOT NULL, confirmed_ms INTEGER, provider_key TEXT, provider_signature TEXT, "          \
    "provider_ms INTEGER, consumer_key TEXT, consumer_signature TEXT, consumer_ms INTEGER) STRICT;"                                        \
    "CREATE TABLE step (id INTEGER PRIMARY KEY, contract TEXT NOT NULL, time_ms INTEGER NOT NULL, event TEXT NOT NULL, side TEXT NOT "     \
    "NULL, "                                                                                                                               \
    "party TEXT NOT NULL, person TEXT NOT NULL, state TEXT NOT NULL, leaf INTEGER) STRICT;"                                                \
    "CREATE INDEX step_contract ON step (contract, id);"
/* Contracts drafted here; then, once the counters are loaded, what was done at run time to those from files. */
enum err hub_desk_load(struct hub *hub, struct db *db, struct diag *diag) MUST_CHECK;
enum err hub_desk_load_steps(struct hub *hub, struct db *db, struct diag *diag) MUST_CHECK;
enum err hub_desk_store(struct hub_desk_ask *ask, struct db *db) MUST_CHECK; /* on the writer's thread */
/* A contract's state was told without the desk (from a file, at the start): a step of its history. On the hub's loop. */
void hub_desk_told(struct hub_contract *contract, uint64_t leaf);
/* The steps of a contract as a JSON array; on the writer's thread. */
enum err hub_desk_history(struct hub *hub, struct db *db, struct str contract, struct buf *out) MUST_CHECK;

/* ---- hub/party_key.c ---- */
/* The key that counts for a party: declared in parties.yaml, or the one a demo's hub made for it. ERR_NOT_FOUND: none. */
enum err hub_party_public(struct hub *hub, struct str party, struct sign_public *ret_public) MUST_CHECK;
/* Signs for a party whose key the hub holds; only in a demo. */
enum err hub_party_sign(
    struct hub *hub, struct str party, struct str message, struct diag *diag, struct hub_signature *ret_signature) MUST_CHECK;

/* ---- hub/misfit.c ---- */
/* A contract of the store that does not fit the files, and why. At the start; copies. ERR_SYNTAX: not even that can be told. */
enum err hub_misfit_keep(struct hub *hub, struct str name, struct str terms, enum hub_contract_state state, struct str why) MUST_CHECK;
void hub_misfit_list(struct http_exchange *x, void *context); /* GET /hub/v1/contracts/unfit */

/* ---- hub/desk_door.c ---- */
extern const struct http_route hub_desk_routes[];
extern const size_t hub_n_desk_routes;

#endif
