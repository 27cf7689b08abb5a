/*
 * The cockpit (数字驾驶舱): indicators over time, rolled up the tree of areas, live on the screens.
 *
 * One value's way: the hub's `…/indicator` stream, under contract → board (newest of everything) → store when it is for the
 * record → snapshot → each HTTP loop's face → the viewers' event streams. The cockpit owns the history; nothing else does.
 *
 * Threads: the board lives on the cockpit's own loop, a face on each HTTP loop, the store on its writer and reader.
 */
#ifndef COCKPIT_COCKPIT_H
#define COCKPIT_COCKPIT_H

#include "cockpit/indicator.h"
#include "hub/hub.h"

struct cockpit;
struct cockpit_face;

struct cockpit_options {
    struct hub *hub;
    const struct cockpit_config *config; /* kept */
    const char *store_path;              /* SQLite file */
    const char *ground_path;             /* GeoJSON of water and green for the map; NULL: none */
    struct clock *clock;
    void (*fatal)(void *context, const char *part, enum err err); /* the disk refused; may be NULL */
    void *fatal_context;
};

/* Opens the store, subscribes to what the configuration names, starts its thread. A refused subscription is logged with its rule and told
 * in `diag`: the cockpit runs without it and shows that as stale. */
enum err cockpit_create(const struct cockpit_options *options, struct diag *diag, struct cockpit **ret_cockpit) MUST_CHECK;
/* Fetches what comes as an object (the roads); once the hub's loops run. */
void cockpit_start(struct cockpit *cockpit);
/* Ends the subscriptions; recorded values that wait are committed. The thread goes on, for what is still on its way to it. Takes NULL. */
void cockpit_stop(struct cockpit *cockpit);
void cockpit_settle(struct cockpit *cockpit); /* what was posted to its thread so far has run; takes NULL */
/* After every face, the ledger and the hub. Takes NULL. */
void cockpit_destroy(struct cockpit *cockpit);

void cockpit_measure(struct cockpit *cockpit, struct metric_page *page); /* any thread */

/* The cockpit's routes on one HTTP loop. */
enum err cockpit_face_create(struct cockpit *cockpit, struct loop *http_loop, struct cockpit_face **ret_face) MUST_CHECK;
struct http_mount cockpit_face_mount(struct cockpit_face *face);
void cockpit_face_destroy(struct cockpit_face *face); /* after its server is gone and its loop stopped; takes NULL */

#endif
