/*
 * Two hubs in one process, a city's and a district's, each with its own ledger, store and thread and departments in SQLite and a folder,
 * joined by a carrier in memory that counts what it carries, can be cut, and can lose answers and double everything.
 */
#ifndef ACROSS_HUBS_H
#define ACROSS_HUBS_H

#include "base/mem.h"
#include "district/hubs_testing.h"
#include "hub/object.h"
#include "hub/query.h"

#include <stdio.h>
#include <string.h>

enum { CITY, XIHU, N_HUBS };

#define N_SESSIONS 20000 /* parked: what one message cannot carry */
#define N_VEHICLES 1200
#define OBJECT_BYTES 3000000 /* 23 pieces */

/* ---- the carrier ---- */
extern struct str (*_Atomic answer_lies)(struct str message); /* what goes instead; on a district's thread; NULL: honest */
void send_as(int from, int to, struct str bytes);             /* a message of nobody's */
size_t forwards(void);                                        /* questions carried so far */
void largest_reset(void);
size_t largest(void);   /* message since then */
extern bool is_forging; /* the district's hub signs with another's key */

/* ---- the hubs ---- */
int go_up_all(void **state); /* of a group of tests, and its end */
int go_down_all(void **state);
void be_refused_without_key(int at); /* one that is down: its start without the key of its kept streams */
void pass(int64_t ms);
void await_link(void);                                           /* until the hubs have heard of each other */
int64_t ask_database(int at, const char *name, const char *sql); /* one number of a department's */
char byte_at(uint64_t at); /* of an object: another one when pieces are exchanged, left out or doubled */
void make_object(int at, const char *name, size_t n);

struct looking { /* at what a district's thread has */
    struct district *district;
    size_t n_serving, n_held, n_objects;
};
struct looking look_at(int at);

/* ---- queries ---- */
struct queried {
    struct hub_query query;
    bool is_done;
    enum err err;
    int rule;
    char text[512];
    json_t *json;
};
void query_start(struct queried *one, int at, const char *party, const char *sql);
void query_await(struct queried *one);
struct queried query(int at, const char *party, const char *sql);
void assert_rows(struct queried one, const char *expected); /* the rows as JSON */

/* ---- leaves ---- */
#define SERVED "\"twin\":\"h.log/"
#define NAMED "\"twin\":\"hx.log/"
#define AGREEMENT "\"type\":\"agreement\""
#define INTENT "\"type\":\"intent\""
#define OUTCOME "\"type\":\"outcome\""
#define GONE "\"status\":\"cancelled\""
void await_leaves(int at, const char *part, const char *and, size_t n);
/* As many leaves that name the provider's as it served uses, in either direction: an outcome, or one of its own. */
void await_twins(void);

#endif
