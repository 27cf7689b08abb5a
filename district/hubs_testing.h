/*
 * For tests of several hubs in one process: each with its own ledger, store and thread, joined by a carrier in memory that can be cut, and
 * that can lose answers and double everything. What the hubs are (areas, departments, contracts), and what else becomes of what they say,
 * is each test's own.
 */
#ifndef DISTRICT_HUBS_TESTING_H
#define DISTRICT_HUBS_TESTING_H

#include "base/test.h"
#include "district/inside.h"

#define HUBS_MAX 3

/* ---- the carrier ---- */
struct wire {
    struct district_carrier carrier;
    int self;
};
extern pthread_mutex_t ether_lock; /* also of what a test's own send keeps */
void set_ether(bool is_cut, bool loses_answers, bool doubles);
void ether_carry(int from, int to, struct str bytes); /* or not, as it was set; a test's send calls it under the lock */
void ether_post(int from, int to, struct str bytes);  /* whatever was set; under the lock */

/* ---- the hubs ---- */
struct hubs_testing {
    int n;
    const char *const *areas;
    const struct hub_system_ops *const *connectors;
    struct district_carrier carrier; /* each gets one of these; `start` and `stop` are ours */
    bool are_witnesses;              /* of each other's ledgers */
    size_t streams_max;              /* kept for others, below {data}/streams; 0: none are */
    int64_t use_ms, twin_ms;         /* as in struct district_options */
};
struct one {
    struct wire wire;
    char dir[128], data[160], witness_dir[192], witness_key[192], streams_dir[192], streams_key[192];
    struct crypto_key *key;
    struct ledger *ledger;
    struct bus *bus;
    struct hub *hub;
    struct district *district;
};
extern struct one ones[HUBS_MAX];
extern struct loop *loop; /* the test's */

/* A folder for all, the loop, an ether that carries; `what` is kept until hubs_finish(), which all hubs have to be up for. */
void hubs_init(const struct hubs_testing *what, const char *name);
void hubs_finish(void);
/* The folders of a hub, and the files that every city has. */
void hubs_make_city(int at, const char *areas, const char *parties, const char *federation);
void write_file(const char *dir, const char *name, const char *text);
void remove_tree(const char *path);
void go_up(int at);
enum err try_to_go_up(int at, struct diag_list *ret_diags); /* up to the start of its joint, which may be refused */
void go_down(int at);

size_t count_leaves(int at, const char *part, const char *and); /* that hold both */

#endif
