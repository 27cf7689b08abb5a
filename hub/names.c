/*
 * Open addressing with linear probing, at most half full.
 */
#include "hub/names.h"

#include "base/mem.h"

#define SLOTS_FIRST 64

void names_finish(struct names *names)
{
    mem_free(names->slots);
    *names = (struct names){0};
}

/* The slot that holds `name`, or the free one where it belongs. */
static struct names_slot *find_slot(const struct names *names, struct str name)
{
    size_t mask = names->n_slots - 1;
    size_t at = str_hash(name) & mask;
    while (names->slots[at].name.ptr && !str_equal(names->slots[at].name, name))
        at = (at + 1) & mask;
    return &names->slots[at];
}

static enum err grow(struct names *names)
{
    struct names bigger = {.n_slots = names->n_slots ? 2 * names->n_slots : SLOTS_FIRST, .n = names->n};
    bigger.slots = mem_alloc_zero(bigger.n_slots, sizeof *bigger.slots);
    if (!bigger.slots)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < names->n_slots; i++)
        if (names->slots[i].name.ptr)
            *find_slot(&bigger, names->slots[i].name) = names->slots[i];
    mem_free(names->slots);
    *names = bigger;
    return ERR_OK;
}

enum err names_put(struct names *names, struct str name, void *object)
{
    if (2 * (names->n + 1) > names->n_slots) {
        enum err err = grow(names);
        if (err)
            return err;
    }
    struct names_slot *slot = find_slot(names, name);
    if (slot->name.ptr)
        return ERR_EXISTS;
    *slot = (struct names_slot){.name = name, .object = object};
    names->n++;
    return ERR_OK;
}

struct names_slot *names_slot(const struct names *names, struct str name)
{
    if (!names->n_slots || !name.ptr)
        return NULL;
    struct names_slot *slot = find_slot(names, name);
    return slot->name.ptr ? slot : NULL;
}

void *names_get(const struct names *names, struct str name)
{
    struct names_slot *slot = names_slot(names, name);
    return slot ? slot->object : NULL;
}
