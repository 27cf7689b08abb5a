/*
 * Joins this hub to the others of its federation: gives the step (district/step.h) its thread, its clocks, its book, the ledger and a
 * carrier of bytes. Uses of resources at other hubs come in by the connector "district" (district/connector.c), uses asked by others go out
 * through hub_call_start() like anybody's.
 *
 * Made before the hub, since the hub's files are read with it; started after it; stopped before the hub is.
 */
#ifndef DISTRICT_JOIN_H
#define DISTRICT_JOIN_H

#include "base/metric.h"
#include "base/sign.h"
#include "district/federation.h"
#include "hub/registry.h"

struct district;

/* Carries bytes between hubs and proves who sent them; may lose, double and reorder them. All on the district's thread. */
struct district_carrier {
    enum err (*start)(struct district_carrier *carrier, struct district *district, struct loop *loop, struct diag *diag);
    void (*send)(struct district_carrier *carrier, int hub, struct str bytes); /* borrows */
    void (*stop)(struct district_carrier *carrier);
    /* This hub's signature, and whether `hub` signed; the text of a hub's public key (ERR_NOT_FOUND: not known yet). All NULL: words are
     * not signed (tests). */
    enum err (*sign)(struct district_carrier *carrier, struct str text, uint8_t ret_signature[SIGN_SIGNATURE_LEN]);
    enum err (*check)(struct district_carrier *carrier, int hub, struct str text, const uint8_t signature[SIGN_SIGNATURE_LEN]);
    enum err (*key)(struct district_carrier *carrier, int hub, char ret_key[SIGN_TEXT_MAX]);
    void (*measure)(struct district_carrier *carrier, struct metric_page *page); /* any thread; NULL: it has no figures */
};

struct district_options {
    struct federation *federation; /* taken */
    struct str area;               /* whose hub this is; kept */
    struct clock *clock;
    struct district_carrier *carrier; /* kept */
    const char *store_path;           /* of the book; copied */
    const char *streams_dir;          /* where streams that other hubs subscribe to are kept for them; NULL: none are; copied */
    const char *streams_key;          /* the file of the key under which they are sealed (hub/record.h); NULL: they are not; kept */
    size_t streams_max;               /* of those; 0: HUB_RECORD_STREAMS_MAX, the most */
    int64_t twin_ms;                  /* 0: TWIN_WAIT_MS */
    int64_t use_ms;                   /* what a part of a use waits for another hub; 0: 5 s, of queries and acts 12 s */
    /* For witnessing each other (district/witness.c); witness_dir NULL: not. Kept */
    const struct crypto_key *ledger_key;
    const char *witness_dir, *witness_key; /* what is remembered of the peers' logs; the file of the hub's own key as a witness */
    void (*fatal)(void *context, const char *part, enum err err); /* the disk refused; on the district's thread */
    void *fatal_context;
};

/* ERR_NOT_FOUND: the area has no hub in the federation; ERR_STATE: or no agreement; told in `diags`. */
enum err district_create(const struct district_options *options, struct diag_list *diags, struct district **ret_district) MUST_CHECK;
/* `citybrain check`: the hub's contracts against the agreements; nothing is started. */
enum err district_check(struct district *district, struct hub *hub, struct diag_list *diags) MUST_CHECK;
/* Contracts that join this hub to one it has no agreement with are told in `diags` and fail. */
enum err district_start(struct district *district, struct hub *hub, struct ledger *ledger, struct diag_list *diags) MUST_CHECK;
/* Uses under way end with ERR_UNAVAILABLE on their loops; leaves under way are waited for. Takes NULL, and one that was not started. */
void district_stop(struct district *district);
void district_destroy(struct district *district); /* after hub_destroy(); takes NULL */

/* From the carrier, on the district's thread: what `hub` sent. */
void district_receive(struct district *district, int hub, struct str bytes);

/* For hub_options.tee, after district_create(); NULL: none. */
struct hub_keeper *district_keeper(struct district *district);

const struct federation *district_federation(const struct district *district);
int district_self(const struct district *district);

/* What people see of a peer. */
struct district_status {
    struct str area, agreement;
    bool is_up, is_in_force;
    enum district_agreement mine, theirs;
    int64_t confirmed_ms_ago;    /* -1: never */
    uint64_t cosigned;           /* size of our checkpoint that they cosigned last */
    uint64_t n_mine, acked, got; /* receipts: mine, those they have, those of theirs that are here */
};
/* This side of the agreement with the hub of `area`, as a person decided. Waits until it is on disk. Any thread but the district's own.
 * ERR_NOT_FOUND, ERR_RANGE (suspended and agreed may follow each other; after ended comes nothing), ERR_IO. */
enum err district_agree(struct district *district, struct str area, enum district_agreement state) MUST_CHECK;

void district_measure(struct district *district, struct metric_page *page); /* any thread, while it exists */

extern const struct hub_system_ops district_system_ops; /* connector: district */

#endif
