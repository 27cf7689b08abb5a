/*
 * Tables that a scene answers itself (resources of a scene's file of `kind: table`): a row for a key, computed when it is asked for. To
 * its consumers it is a table as any other: contract, decision, receipt, call.
 *
 * A call goes to the scene's own loop and waits its turn there; until the scene offers the table, and after it has ended, the table is
 * unavailable. A query may ask by the whole key alone. `rows:` of a contract and `quality:` are refused: there is nothing to look through.
 */
#ifndef HUB_OFFER_H
#define HUB_OFFER_H

#include "hub/hub.h"

#define HUB_OFFER_WAITING_MAX 4096 /* askings of one table that wait for its loop; past it ERR_FULL */

/* On the offer's loop; must not block. `keys` [fields of the resource]: NULL where none was given; at least one is. Fills `ret_values` [the
 * same], which come with the keys; text and bytes must live until it is asked again. ERR_NOT_FOUND: no such row. ERR_RANGE: no such key. */
typedef enum err hub_answer(void *context, const struct value *keys, struct value *ret_values);

/* `resource` is a table of a scene's file; all but `hub` is kept until hub_offer_end(). On `loop`'s thread, as that. ERR_STATE: no such
 * table, or it is offered already. */
enum err hub_offer_table(
    struct hub *hub, const struct hub_resource *resource, struct loop *loop, hub_answer *answer, void *context) MUST_CHECK;
void hub_offer_end(const struct hub_resource *resource); /* takes NULL, and what was never offered */

/* hub/resource.c alone: a scene's table is given a system, that nobody answers for yet. */
struct hub_entry;
enum err hub_offer_declare(struct hub *hub, struct hub_entry *entry) MUST_CHECK;

#endif
