/* Two generations of open addressing with linear probing, at most half full (repeats.h). */
#include "system/vehicle_camera/repeats.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define SLOTS_MIN 4096

void repeats_init(struct repeats *repeats, size_t limit)
{
    memset(repeats, 0, sizeof *repeats);
    repeats->n_generation_max = limit / 2;
}

void repeats_finish(struct repeats *repeats)
{
    mem_free(repeats->young.slots);
    mem_free(repeats->old.slots);
    memset(repeats, 0, sizeof *repeats);
}

/* The fingerprint's own slot, or the free one where it belongs. The fingerprint is keyed, so its low bits are a good hash. */
static uint64_t *slot_of(const struct repeats_generation *generation, uint64_t fingerprint)
{
    size_t mask = generation->n_slots - 1, at = fingerprint & mask;
    while (generation->slots[at] != 0 && generation->slots[at] != fingerprint)
        at = (at + 1) & mask;
    return &generation->slots[at];
}

static enum err grow(struct repeats_generation *generation, size_t n_slots)
{
    struct repeats_generation larger = {.n_slots = n_slots, .n = generation->n};
    larger.slots = mem_alloc_zero(n_slots, sizeof *larger.slots);
    if (larger.slots == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < generation->n_slots; i++)
        if (generation->slots[i] != 0)
            *slot_of(&larger, generation->slots[i]) = generation->slots[i];
    mem_free(generation->slots);
    *generation = larger;
    return ERR_OK;
}

enum err repeats_reserve(struct repeats *repeats, size_t n)
{
    if (repeats->young.n > 0 && repeats->young.n + n > repeats->n_generation_max) {
        mem_free(repeats->old.slots);
        repeats->old = repeats->young;
        repeats->young = (struct repeats_generation){NULL, 0, 0};
    }
    size_t n_slots = repeats->young.n_slots > 0 ? repeats->young.n_slots : SLOTS_MIN;
    while (n_slots < 2 * (repeats->young.n + n))
        n_slots *= 2;
    return n_slots == repeats->young.n_slots ? ERR_OK : grow(&repeats->young, n_slots);
}

static uint64_t key_of(uint64_t fingerprint)
{
    return fingerprint != 0 ? fingerprint : 1; /* 0 marks a free slot */
}

bool repeats_add(struct repeats *repeats, uint64_t fingerprint)
{
    uint64_t key = key_of(fingerprint);
    if (repeats->old.slots != NULL && *slot_of(&repeats->old, key) != 0)
        return false;
    uint64_t *slot = slot_of(&repeats->young, key);
    if (*slot != 0)
        return false;
    *slot = key;
    repeats->young.n++;
    assert(2 * repeats->young.n <= repeats->young.n_slots);
    return true;
}

void repeats_undo(struct repeats *repeats, uint64_t fingerprint)
{
    uint64_t *slot = slot_of(&repeats->young, key_of(fingerprint));
    assert(*slot != 0);
    *slot = 0;
    repeats->young.n--;
}
