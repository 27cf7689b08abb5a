/* Leaves about steps of cases. */
#include "hub/note.h"

#include "base/mem.h"
#include "hub/parts.h"

struct noting {
    struct hub *hub;
    struct hub_note *note;
    struct ledger_append append;
    struct hub_leaf leaf;
};

static void appended(struct ledger_append *append)
{
    struct noting *noting = container_of(append, struct noting, append);
    struct hub *hub = noting->hub;
    struct hub_note *note = noting->note;
    note->err = append->err;
    note->index = append->index;
    mem_free(noting);
    note->done(note);
    hub_work_end(hub);
}

enum err hub_note_start(struct hub *hub, struct hub_note *note)
{
    struct noting *noting = mem_alloc(sizeof *noting);
    if (!noting)
        return ERR_NO_MEMORY;
    noting->hub = hub;
    noting->note = note;
    enum err err = hub_leaf_case(hub, note, &noting->leaf);
    noting->append = (struct ledger_append){.leaf = {noting->leaf.bytes, noting->leaf.len}, .loop = note->loop, .done = appended};
    hub_work_begin(hub);
    if (!err)
        err = ledger_append(hub->ledger, &noting->append);
    if (err) {
        hub_work_end(hub);
        mem_free(noting);
    }
    return err;
}

void hub_note_receipt(const struct hub *hub, uint64_t index, char out[HUB_RECEIPT_MAX])
{
    hub_receipt((struct hub *)hub, index, out);
}
