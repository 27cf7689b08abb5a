/*
 * For the hub's tests: a ledger that says durable when the test says so, a department in memory, and a small city in a temporary
 * folder. The real ones are held against the hub in tests/e2e.
 */
#ifndef HUB_FAKE_H
#define HUB_FAKE_H

#include "hub/registry.h"

/* ---- ledger: one for the process ---- */
struct ledger *fake_ledger(void);
void fake_ledger_reset(void);
void fake_ledger_hold(bool hold);           /* appends wait; false: releases them, in order */
void fake_ledger_refuse(enum err err);      /* what ledger_append() returns; ERR_OK: takes them */
void fake_ledger_break(enum err err);       /* what appends end with */
size_t fake_ledger_n(void);                 /* durable leaves */
struct str fake_ledger_leaf(size_t at);     /* valid until the reset */
size_t fake_ledger_count(const char *part); /* durable leaves that hold this text */

/* ---- connector "fake": tables that answer each asked field with its name and the key, streams that replay ---- */
extern const struct hub_system_ops fake_system_ops;
struct fake_system {
    bool is_holding; /* fetches wait for fake_system_release() */
    enum err fetch_err;
    _Atomic size_t n_fetched;
    size_t n_rows;                 /* of each answer */
    int64_t n_all, n_also, newest; /* what aggregates answer: a count, one with a condition, a maximum */
    enum err act_err;              /* ERR_OK: done */
    _Atomic size_t n_acted;
    char act_key[256];
    struct hub_ask *held_act;
    size_t n_replay; /* rows to replay, one a batch */
    _Atomic int64_t replay_from_ms;
    struct hub_fetch *held;
};
extern struct fake_system fake_system;
void fake_system_release(void);

/* ---- the city: areas h and h.x, parties h/police h/parking h/count h/cockpit, table h/police/vehicle, stream h/police/passage,
 * stream h/count/indicator, object h/count/road, contracts h/c-1 (stream), h/c-2 (object), h/c-17 (table) ---- */
struct fake_city {
    char dir[64], data[80];
    struct ledger *ledger; /* given by the test */
    const struct crypto_key *ledger_key;
    struct clock_fake clock;
    struct clock *real_clock;                       /* NULL: the fake one */
    const char *follows;                            /* hub_feed_follow()'s provider; NULL: it has the desk itself */
    const struct hub_system_ops *const *connectors; /* NULL: the fake one alone */
    struct loop *loop;
    struct bus *bus;
    struct hub *hub;
};
void fake_city_make(struct fake_city *city);                                      /* the folder and its files */
void fake_city_write(struct fake_city *city, const char *file, const char *text); /* text NULL: removes it */
enum err fake_city_load(struct fake_city *city, struct diag_list *diags);         /* loop, bus, hub; started */
void fake_city_unload(struct fake_city *city);
void fake_city_remove(struct fake_city *city);
/* A step of a contract's life at the desk (hub/negotiate.h), by its provider; durable when it returns. */
enum err fake_city_step(struct fake_city *city, const char *contract, int event);
void fake_city_spin(struct fake_city *city); /* runs the loop until nothing is posted any more */

#endif
