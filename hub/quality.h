/*
 * Quality checks (数据质量检查) that a department promises of its own tables, in its own file:
 *
 *     quality:
 *       - {check: "plate IS NOT NULL", share: 0.99}      of all rows
 *       - {fresh: 1d, field: updated}                    its newest value is no older
 *
 * The hub asks the department for counts alone, every ten minutes, one check after the other; no row leaves, and nobody else's use it is.
 * What came of it stands in the catalog; a check that begins to fail is an alert, and so a case for who provides the table (kind
 * data.quality). One that is good again is a green alert, also when the department was silent in between or the hub was started anew: so
 * each check's first good look after a start is told, too.
 */
#ifndef HUB_QUALITY_H
#define HUB_QUALITY_H

#include "base/json.h"
#include "base/loop.h"
#include "base/yaml.h"

#include <pthread.h>

#define HUB_QUALITY_CHECKS_MAX 16 /* of one resource */

/* In a grant's `contract`: not one, but a check. No contract has this name, for it names no area. */
#define HUB_QUALITY_GRANT "quality"

struct hub;
struct hub_entry;
struct hub_fetch;
struct hub_quality_check;

struct hub_quality {                             /* the hub's */
    pthread_mutex_t lock;                        /* guards what came of the checks */
    struct hub_quality_check *first, *under_way; /* as loaded; the one that the department is asked about */
    bool is_unanswered;                          /* one of this round */
    struct loop_timer timer;
};

/* The `quality:` of a resource whose fields are read; while the city is loaded. Errors are told with their place. */
enum err hub_quality_read(struct hub *hub, struct hub_entry *entry, struct diag_list *diags) MUST_CHECK;
enum err hub_quality_start(struct hub *hub) MUST_CHECK; /* on the hub's loop; nothing to do without checks */
void hub_quality_stop(struct hub *hub);
/* The plan of the check whose asking `fetch` is, as the file of this process has it; NULL: it is none. Any thread. */
void *hub_quality_plan(const struct hub_entry *entry, const struct hub_fetch *fetch);
void hub_quality_put(struct json_writer *w, struct hub *hub, const struct hub_entry *entry); /* any thread: "quality":[…] */

#endif
