/*
 * Counters in a fixed table: four places for each hash, the one whose failure is oldest gives way. Keyed with random bytes, so that nobody
 * can choose names that push a certain counter out.
 */
#include "business/party/limit.h"

#include "base/crypto.h"
#include "base/mem.h"

#include <string.h>

#define N_SETS 2048
#define N_WAYS 4

struct counter {
    uint64_t key;
    int32_t n; /* 0: free */
    struct mono_time last;
};

struct party_limit {
    uint8_t secret[32];
    struct counter sets[N_SETS][N_WAYS];
};

enum kind { BY_PAIR, BY_NAME, BY_ADDRESS, N_KINDS };

static const int32_t free_failures[N_KINDS] = {PARTY_FAILURES_PAIR, PARTY_FAILURES_NAME, PARTY_FAILURES_ADDRESS};

enum err party_limit_create(struct party_limit **ret_limit)
{
    struct party_limit *limit = mem_alloc_zero(1, sizeof(*limit));
    if (!limit)
        return ERR_NO_MEMORY;
    crypto_random(limit->secret, sizeof(limit->secret));
    *ret_limit = limit;
    return ERR_OK;
}

void party_limit_destroy(struct party_limit *limit)
{
    mem_free(limit);
}

static uint64_t key_of(const struct party_limit *limit, enum kind kind, struct str name, struct str address)
{
    /* hashes of the parts, so that no two pairs run together into the same bytes */
    struct sha256 parts[2] = {crypto_sha256(kind == BY_ADDRESS ? STR_NONE : name), crypto_sha256(kind == BY_NAME ? STR_NONE : address)};
    uint8_t bytes[1 + sizeof(parts)] = {(uint8_t)kind};
    memcpy(bytes + 1, parts, sizeof(parts));
    struct sha256 hash = crypto_hmac_sha256(
        (struct str){(const char *)limit->secret, sizeof(limit->secret)}, (struct str){(const char *)bytes, sizeof(bytes)});
    uint64_t key;
    memcpy(&key, hash.bytes, sizeof(key));
    return key;
}

static struct counter *find(const struct party_limit *limit, uint64_t key)
{
    const struct counter *set = limit->sets[key % N_SETS];
    for (size_t way = 0; way < N_WAYS; way++)
        if (set[way].n > 0 && set[way].key == key)
            return (struct counter *)&set[way];
    return NULL;
}

static bool is_forgotten(const struct counter *counter, struct mono_time now)
{
    return mono_ms_between(counter->last, now) > PARTY_FAILURE_FORGET_MS;
}

bool party_limit_must_wait(const struct party_limit *limit, struct str name, struct str address, struct mono_time now)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        const struct counter *counter = find(limit, key_of(limit, (enum kind)kind, name, address));
        if (counter && counter->n >= free_failures[kind] && mono_ms_between(counter->last, now) < PARTY_FAILURE_WAIT_MS)
            return true;
    }
    return false;
}

/* The counter of `key`, or the free or oldest place of its set. */
static struct counter *take(struct party_limit *limit, uint64_t key)
{
    struct counter *set = limit->sets[key % N_SETS], *oldest = &set[0], *found = find(limit, key);
    if (found)
        return found;
    for (size_t way = 0; way < N_WAYS; way++) {
        if (set[way].n == 0)
            return &set[way];
        if (set[way].last.ns < oldest->last.ns)
            oldest = &set[way];
    }
    oldest->n = 0;
    return oldest;
}

void party_limit_failed(struct party_limit *limit, struct str name, struct str address, struct mono_time now)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        uint64_t key = key_of(limit, (enum kind)kind, name, address);
        struct counter *counter = take(limit, key);
        if (counter->n > 0 && is_forgotten(counter, now))
            counter->n = 0;
        counter->key = key;
        counter->n += counter->n < INT32_MAX;
        counter->last = now;
    }
}

void party_limit_succeeded(struct party_limit *limit, struct str name, struct str address)
{
    struct counter *counter = find(limit, key_of(limit, BY_PAIR, name, address));
    if (counter)
        counter->n = 0;
}
