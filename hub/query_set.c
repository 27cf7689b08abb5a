/*
 * Rows that a query has fetched of a table, whole or by key.
 */
#include "base/mem.h"
#include "hub/query_parts.h"

#include <string.h>

struct query_set *query_set_new(struct query_table *table)
{
    struct query *query = table->query;
    struct query_set *set = mem_alloc_zero(1, sizeof *set);
    if (!set)
        return NULL;
    set->table = table;
    set->key_arg = -1;
    set->limit = -1;
    set->next = query->sets;
    query->sets = set;
    return set;
}

static uint64_t hash_of(struct value value)
{
    if (value.type == VALUE_TEXT || value.type == VALUE_BYTES)
        return str_hash(value.s);
    return str_hash((struct str){(const char *)&value.i, sizeof value.i});
}

/* Its slot; grows when `add`. Keys were asked for by us: no more than the batches' bounds let in. NULL: not there, or no memory. */
struct query_key *query_key_slot(struct query_set *set, struct value key, bool add)
{
    if (add && 2 * (set->n_keys + 1) > set->n_slots) {
        size_t n = set->n_slots ? 2 * set->n_slots : 4096;
        struct query_key *old = set->keys, *keys = mem_alloc_zero(n, sizeof *keys);
        if (!keys)
            return NULL;
        for (size_t i = 0; i < set->n_slots; i++)
            if (old[i].is_used) {
                size_t at = hash_of(old[i].key) % n;
                while (keys[at].is_used)
                    at = (at + 1) % n;
                keys[at] = old[i];
            }
        mem_free(old);
        set->keys = keys;
        set->n_slots = n;
    }
    if (set->n_slots == 0)
        return NULL;
    size_t at = hash_of(key) % set->n_slots;
    while (set->keys[at].is_used && !value_equal(set->keys[at].key, key))
        at = (at + 1) % set->n_slots;
    if (!set->keys[at].is_used && !add)
        return NULL;
    if (!set->keys[at].is_used) {
        set->keys[at] = (struct query_key){.key = key, .is_used = true};
        set->n_keys++;
    }
    return &set->keys[at];
}

enum err query_set_add(struct query_set *set, struct rows *rows)
{
    size_t n = rows_n(rows);
    if (set->n_entries + n > set->cap_entries) {
        size_t cap = set->n_entries + n > 2 * set->cap_entries ? set->n_entries + n : 2 * set->cap_entries;
        struct query_entry *entries = mem_resize(set->entries, cap * sizeof *entries);
        if (!entries)
            return query_fail(set->table->query, ERR_NO_MEMORY, "no memory");
        set->entries = entries;
        set->cap_entries = cap;
    }
    for (size_t i = 0; i < n; i++) {
        const struct value *values = rows_at(rows, i);
        struct query_key *slot = NULL;
        if (set->key_arg >= 0) {
            struct value key;
            enum value_type type = set->table->entry->resource.columns[set->key].type;
            bool is_key = query_fit_key(type, values[set->places[set->key] - 1], &key);
            slot = is_key ? query_key_slot(set, key, set->is_complete) : NULL;
            if (!slot && is_key && set->is_complete)
                return query_fail(set->table->query, ERR_NO_MEMORY, "no memory");
            if (!slot)
                continue; /* no key, or a row that was not asked for */
        }
        set->entries[set->n_entries++] = (struct query_entry){values, 0};
        uint32_t number = (uint32_t)set->n_entries;
        if (slot && slot->last)
            set->entries[slot->last - 1].next = number;
        else if (slot)
            slot->first = number;
        if (slot)
            slot->last = number;
    }
    return ERR_OK;
}

static uint64_t hash_row(const struct query_set *set, const struct value *values)
{
    uint64_t hash = (uint64_t)set->table->query->started.ns; /* not to be foreseen by who fills a table */
    for (size_t i = 0; i < set->n_outputs; i++) {
        uint64_t one = values[i].type == VALUE_NULL ? 0 : hash_of(values[i]);
        hash = (hash ^ one ^ ((uint64_t)values[i].type << 56)) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return hash;
}

/* n-th row of its content: found by an open table over all rows of the set. */
static bool make_rowids(struct query_set *set)
{
    size_t n_slots = 64;
    while (n_slots < 2 * set->n_entries)
        n_slots *= 2;
    uint64_t *rowids = mem_resize(set->rowids, set->n_entries * sizeof *rowids);
    if (rowids)
        set->rowids = rowids;
    struct content {
        uint64_t hash, n;
    } *slots = rowids ? mem_alloc_zero(n_slots, sizeof *slots) : NULL;
    if (!slots)
        return false;
    for (size_t i = 0; i < set->n_entries; i++) {
        uint64_t hash = hash_row(set, set->entries[i].values);
        size_t at = hash % n_slots;
        while (slots[at].n && slots[at].hash != hash)
            at = (at + 1) % n_slots;
        slots[at].hash = hash;
        rowids[i] = (hash + slots[at].n++ * UINT64_C(0xD1B54A32D192ED03)) | 1;
    }
    mem_free(slots);
    set->n_rowids = set->n_entries;
    return true;
}

uint64_t query_set_rowid(struct query_set *set, size_t at)
{
    if (set->n_rowids != set->n_entries && !make_rowids(set))
        return 0;
    return set->rowids[at];
}
