/*
 * A subscription that its owner wants for good (scenes, the cockpit): when it ends, because its contract was suspended, because the
 * day's uses are used up, because evidence could not be kept, it is begun again as soon as the hub permits, without anybody's doing.
 *
 * Between two tries a second passes, then two, four, and at most HUB_KEEP_RETRY_MS; each try is one decision. Meanwhile the hub's
 * sources say that the stream `stream/RESOURCE` of this party is stale, and why; from the first success on that it is fresh again.
 *
 * An owner that asked for a replay (options.from_ms) gets one at each beginning again: of what the provider kept since the ending, but
 * of no more time than it asked for at first. So nothing comes twice; what waited in the subscription's queue at the ending is lost.
 */
#ifndef HUB_KEEP_H
#define HUB_KEEP_H

#include "hub/hub.h"

#define HUB_KEEP_RETRY_MS 15000 /* the longest pause; so long a contract may act again before its streams do */

struct hub_keep;

/*
 * As hub_subscribe(), whose options it copies; `on_end` has to be NULL. A refusal that may pass (rules 1 to 4 and 10 to 12: state,
 * dates, freshness, counters) is none here: ERR_OK, and the subscription begins later. What no time mends (no such resource, no contract
 * for this party, purpose, fields) is ERR_DENIED with its rule in *ret_refusal (may be NULL).
 */
enum err hub_keep_start(
    struct hub *hub, const struct hub_subscribe_options *options, struct hub_refusal *ret_refusal, struct hub_keep **ret_keep) MUST_CHECK;
void hub_keep_stop(struct hub_keep *keep); /* on the loop; unsubscribes; takes NULL */

#endif
