/*
 * Open addressing with linear probing, at most half full. A slot is published by its name's pointer, stored last (release) and looked
 * at first (acquire); names never go away again.
 */
#include "hub/names.h"

#include "base/mem.h"

#define SLOTS_FIRST 64

void names_finish(struct names *names)
{
    mem_free(names->slots);
    *names = (struct names){0};
}

static bool is_free(const struct names_slot *slot)
{
    return !__atomic_load_n(&slot->name.ptr, __ATOMIC_ACQUIRE);
}

void *names_object(const struct names_slot *slot)
{
    return __atomic_load_n(&slot->object, __ATOMIC_ACQUIRE);
}

void names_replace(struct names_slot *slot, void *object)
{
    __atomic_store_n(&slot->object, object, __ATOMIC_RELEASE);
}

/* The slot that holds `name`, or the free one where it belongs. */
static struct names_slot *find_slot(const struct names *names, struct str name)
{
    size_t mask = names->n_slots - 1;
    size_t at = str_hash(name) & mask;
    while (!is_free(&names->slots[at]) && !str_equal(names->slots[at].name, name))
        at = (at + 1) & mask;
    return &names->slots[at];
}

static enum err grow(struct names *names, size_t n_slots)
{
    struct names bigger = {.n_slots = n_slots, .n = names->n};
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

enum err names_reserve(struct names *names, size_t n)
{
    size_t n_slots = names->n_slots ? names->n_slots : SLOTS_FIRST;
    while (n_slots < 2 * n)
        n_slots *= 2;
    return n_slots == names->n_slots ? ERR_OK : grow(names, n_slots);
}

enum err names_put(struct names *names, struct str name, void *object)
{
    enum err err = names_reserve(names, names->n + 1);
    if (err)
        return err;
    struct names_slot *slot = find_slot(names, name);
    if (!is_free(slot))
        return ERR_EXISTS;
    slot->name.len = name.len;
    names_replace(slot, object);
    names->n++;
    __atomic_store_n(&slot->name.ptr, name.ptr, __ATOMIC_RELEASE);
    return ERR_OK;
}

struct names_slot *names_slot(const struct names *names, struct str name)
{
    if (!names->n_slots || !name.ptr)
        return NULL;
    struct names_slot *slot = find_slot(names, name);
    return is_free(slot) ? NULL : slot;
}

void *names_get(const struct names *names, struct str name)
{
    struct names_slot *slot = names_slot(names, name);
    return slot ? names_object(slot) : NULL;
}
