/*
 * Twins (两侧留痕): each use between two hubs leaves a leaf in either log, and each names the other (district/step.h). A twin that does not
 * come is a case: the other hub says that it served a use and has no receipt of it, or was served and does not own to it. When a twin has
 * to be there is a pure step, whose rules are numbered as in docs/reconcile.md; which are missing is a question to the book.
 */
#ifndef DISTRICT_TWIN_H
#define DISTRICT_TWIN_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define TWIN_WAIT_MS 20000 /* the link was up for so long: then what was written before it has its twin, or none */

struct twin_watch {   /* of one peer */
    uint64_t checked; /* of mine, up to this number they were looked for */
    bool is_waiting;
    uint64_t mark, got; /* how many were mine, and theirs here, when the wait began */
    int64_t since_ms;
};
/* `n_mine`, `got`: receipts of mine, and of theirs that are here. True: those behind watch->checked up to *ret_to have to have their twins
 * now; the caller looks, and sets watch->checked. */
bool twin_step(struct twin_watch *watch, bool is_up, uint64_t n_mine, uint64_t got, int64_t now_ms, int64_t wait_ms, uint64_t *ret_to);

#endif
