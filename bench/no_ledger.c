/*
 * For measuring alone: what a call costs without its evidence. This stands in for ledger_append() when the program is linked once more with
 * -Wl,--wrap=ledger_append (bench/meson.build): a leaf is durable at once, and nowhere. The program itself has no such switch.
 */
#include "ledger/ledger.h"

#include <stdatomic.h>

/* The linker's names. */
enum err __wrap_ledger_append(struct ledger *ledger, struct ledger_append *append); // NOLINT(bugprone-reserved-identifier)

static void done_task(struct loop_task *task)
{
    struct ledger_append *append = container_of(task, struct ledger_append, journal.task);
    append->done(append);
}

enum err __wrap_ledger_append(struct ledger *ledger, struct ledger_append *append) // NOLINT(bugprone-reserved-identifier)
{
    static _Atomic uint64_t n;
    append->err = ERR_OK;
    append->index = atomic_fetch_add_explicit(&n, 1, memory_order_relaxed);
    if (!append->loop) { /* as the journal: on a thread of no loop */
        append->done(append);
        return ERR_OK;
    }
    append->journal.task.fn = done_task;
    loop_post(append->loop, &append->journal.task);
    return ERR_OK;
}
