/*
 * Where the rows of streams go beside, or instead of, this process's own subscribers: onto its disk, until those afar have them
 * (hub/record.h). A department's own process has no subscribers, and keeps all (hub_options.keeper, system/bus); a hub that is joined to
 * others keeps what it gives them (hub_options.tee, district); any other brain keeps nothing.
 */
#ifndef HUB_KEEPER_H
#define HUB_KEEPER_H

#include "hub/hub.h"

struct hub_keeper {
    /* For hub_publish(): any thread, never blocks. ERR_FULL: slow the source. */
    enum err (*keep)(struct hub_keeper *keeper, const struct hub_resource *resource, struct rows *rows);
    /* For hub_publish_settle(): blocks until all that was kept before is on disk. */
    enum err (*settle)(struct hub_keeper *keeper);
    /* For hub_publish_settled(): posts settle->task to settle->loop when all that was kept of the stream before is on disk. Any thread. */
    void (*settled)(struct hub_keeper *keeper, const struct hub_resource *resource, struct hub_settle *settle);
};

/* From now on rows of the stream go to hub_options.tee as well, or no more. Any thread. */
void hub_stream_tee(const struct hub_resource *resource, bool is_teed);

#endif
