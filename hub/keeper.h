/*
 * Where the rows of a department's streams go in a process that has no subscribers: onto its disk, until the hub has them (system/bus).
 * In a brain there is none, and hub_publish() hands them to the subscribers.
 */
#ifndef HUB_KEEPER_H
#define HUB_KEEPER_H

#include "hub/hub.h"

struct hub_keeper {
    /* For hub_publish(): any thread, never blocks. ERR_FULL: slow the source. */
    enum err (*keep)(struct hub_keeper *keeper, const struct hub_resource *resource, struct rows *rows);
    /* For hub_publish_settle(): blocks until all that was kept before is on disk. */
    enum err (*settle)(struct hub_keeper *keeper);
};

#endif
