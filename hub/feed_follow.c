/* The follower's side of the feed: contracts as the desk tells them, and how long its word counts. */
#include "hub/feed.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/desk.h"

#include <string.h>

#define VERSION 1

enum err hub_feed_follow(struct hub *hub, struct str provider)
{
    hub->feed.is_follower = true;
    for (size_t i = 0; i < hub->n_contracts; i++) {
        struct hub_contract *contract = hub->contracts[i];
        if (contract->confirmed_ms == DECIDE_NONE)
            atomic_store(&contract->fresh_until_ms, DECIDE_NONE); /* it is the feed that confirms */
        for (int j = 0; j < QUOTA_N; j++) {
            atomic_store(&contract->quotas[j].used, 0);
            atomic_store(&contract->quotas[j].reserved, 0);
        }
    }
    enum err err = arena_copy_str(&hub->arena, provider, &hub->feed.provider);
    return err ? err : hub_contracts_reserve(hub);
}

/* ---- how old it is ---- */

int64_t hub_feed_age_ms(const struct hub *hub)
{
    if (!atomic_load_explicit(&hub->feed.generation, memory_order_acquire))
        return INT64_MAX;
    return (clock_mono(hub->clock).ns - atomic_load_explicit(&hub->feed.heard_ns, memory_order_acquire)) / 1000000;
}

/* By the monotonic clock: a wall clock that is put back does not make an old word fresh. */
int64_t hub_feed_fresh_until_ms(const struct hub_contract *contract, struct wall_time now)
{
    int64_t age_ms = hub_feed_age_ms(contract->hub), confirmed_ms = atomic_load_explicit(&contract->fresh_until_ms, memory_order_relaxed);
    int64_t limit_ms = contract->fresh_for_ms == DECIDE_NONE ? HUB_FEED_FRESH_MS : contract->fresh_for_ms;
    if (age_ms >= limit_ms || atomic_load_explicit(&contract->feed.told_in, memory_order_acquire) <
                                  atomic_load_explicit(&contract->hub->feed.generation, memory_order_acquire))
        return now.ms; /* no longer */
    int64_t until_ms = now.ms + limit_ms - age_ms;
    return confirmed_ms != DECIDE_NONE && confirmed_ms < until_ms ? confirmed_ms : until_ms;
}

/* ---- one contract ---- */

struct told {
    struct str name, source; /* source: of one that is in no file */
    struct sha256 hash;
    int state;
    int64_t fresh_until_ms;
    bool is_paper, is_signed;
    struct str signature;
};

static void get_told(struct bytes_reader *reader, struct told *told)
{
    *told = (struct told){.name = bytes_read_str(reader, bytes_read_u32be(reader))};
    struct str hash = bytes_read_str(reader, sizeof told->hash.bytes);
    if (hash.len == sizeof told->hash.bytes)
        memcpy(told->hash.bytes, hash.ptr, hash.len);
    told->state = bytes_read_u8(reader);
    told->fresh_until_ms = (int64_t)bytes_read_u64be(reader);
    uint8_t terms = bytes_read_u8(reader);
    told->is_paper = terms == HUB_FEED_PAPER;
    if (told->is_paper)
        told->source = bytes_read_str(reader, bytes_read_u32be(reader));
    told->is_signed = told->is_paper ? bytes_read_u8(reader) : terms == HUB_FEED_SIGNED;
    if (told->is_signed)
        told->signature = bytes_read_str(reader, SIGN_SIGNATURE_LEN);
    if (told->state > HUB_ENDED || terms > HUB_FEED_SIGNED)
        reader->err = ERR_SYNTAX;
}

static void say(struct str contract, const char *why)
{
    log_write(LOG_WARNING, "hub", why, LOG_STR("contract", contract), LOG_END);
}

/* A department opens its data on its own signature, never on the hub's word alone. */
static bool is_signed_by_provider(struct hub *hub, const struct hub_contract *contract, const struct told *told)
{
    const struct hub_party *party = hub_party_find(hub, hub->feed.provider);
    struct sign_public key;
    struct buf message;
    if (!told->is_signed || !party || str_is_empty(party->key) || sign_public_read(party->key, &key))
        return false;
    buf_init(&message, HUB_CONTENT_MAX);
    bool is_good = str_equal(contract->terms.provider, hub->feed.provider) && hub_desk_message(contract, &message) == ERR_OK &&
                   sign_check(&key, buf_str(&message), (const uint8_t *)told->signature.ptr) == ERR_OK;
    buf_finish(&message);
    return is_good;
}

/* One that came into force at run time. NULL: it is not taken, and stays unknown. */
static struct hub_contract *enter(struct hub *hub, const struct told *told)
{
    struct diag_list *diags = mem_alloc_zero(1, sizeof *diags);
    struct hub_paper *paper = NULL;
    enum err err = diags ? hub_desk_read(hub, told->name, told->source, diags, &paper) : ERR_NO_MEMORY;
    const char *why = NULL;
    if (err)
        why = "the desk tells of a contract that does not fit this process's files; put the same files here and start it again";
    else if (!str_is_empty(hub->feed.provider) && !is_signed_by_provider(hub, paper->contract, told))
        why = "the desk tells of a contract without this department's own signature: nothing is given under it";
    else if ((err = hub_contract_enter(hub, paper->contract)))
        why = "no room for a new contract; it counts when this process starts again";
    mem_free(diags);
    if (why) {
        say(told->name, why);
        hub_paper_drop(paper);
        return NULL;
    }
    paper->is_entered = true;
    pthread_mutex_lock(&hub->desk.lock);
    paper->next = hub->desk.papers;
    hub->desk.papers = paper;
    hub->desk.n_papers++;
    pthread_mutex_unlock(&hub->desk.lock);
    return paper->contract;
}

/* What a department's own file offers it may sign at run time; what its file suspended or ended stays so. */
static bool may_be_in_force(struct hub *hub, const struct hub_contract *contract, const struct told *told)
{
    bool is_from_file = contract->arena == &hub->arena;
    if (str_is_empty(hub->feed.provider) || !is_from_file || contract->file_state == HUB_AGREED)
        return true;
    return (contract->file_state == HUB_DRAFTED || contract->file_state == HUB_OFFERED) && is_signed_by_provider(hub, contract, told);
}

static void apply(struct hub *hub, const struct told *told)
{
    struct hub_contract *contract = hub_contract_lookup(hub, told->name);
    if (!contract && told->is_paper)
        contract = enter(hub, told);
    if (!contract)
        return;
    if (!crypto_equal(contract->hash.bytes, told->hash.bytes, sizeof told->hash.bytes)) {
        say(told->name, "the desk's terms of a contract are others than this process's; it is out of force here");
        return; /* not confirmed, so denied */
    }
    if (told->state == HUB_AGREED && !may_be_in_force(hub, contract, told)) {
        say(told->name,
            "in force at the desk, but neither in this department's own files nor by its own signature: nothing is given under it");
        return;
    }
    pthread_mutex_lock(&hub->desk.lock);
    contract->life.state = (enum hub_contract_state)told->state;
    pthread_mutex_unlock(&hub->desk.lock);
    atomic_store_explicit(&contract->fresh_until_ms, told->fresh_until_ms, memory_order_relaxed);
    atomic_store_explicit(&contract->state, told->state, memory_order_release);
    atomic_store_explicit(&contract->feed.told_in, hub->feed.telling, memory_order_release);
}

/* ---- an answer ---- */

/* The desk was started anew: what it tells now counts, what it does not tell any more does not. */
static void begin_life(struct hub *hub, uint64_t epoch, struct hub_feed_place *place)
{
    if (epoch == place->epoch)
        return;
    *place = (struct hub_feed_place){.epoch = epoch};
    hub->feed.telling++; /* also when the life before was told in part only */
}

enum err hub_feed_read(struct hub *hub, struct str bytes, struct mono_time asked, struct hub_feed_place *place, bool *ret_more)
{
    struct bytes_reader reader, rest;
    struct told told;
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    uint8_t version = bytes_read_u8(&reader), what = bytes_read_u8(&reader);
    uint16_t n_hubs = bytes_read_u16be(&reader);
    uint64_t epoch = bytes_read_u64be(&reader), number = bytes_read_u64be(&reader);
    bool has_more = bytes_read_u8(&reader);
    rest = reader;
    while (!reader.err && bytes_read_u8(&reader) == 1)
        get_told(&reader, &told);
    if (reader.err || version != VERSION || what != HUB_FEED_FOLLOW || !epoch || bytes_reader_left(&reader) != 0)
        return ERR_SYNTAX; /* the whole of it, before any of it counts */
    atomic_store(&hub->feed.n_hubs, n_hubs);
    begin_life(hub, epoch, place);
    while (bytes_read_u8(&rest) == 1) {
        get_told(&rest, &told);
        apply(hub, &told);
    }
    place->number = number;
    *ret_more = has_more;
    if (has_more)
        return ERR_OK;
    atomic_store_explicit(&hub->feed.heard_ns, asked.ns, memory_order_release);
    atomic_store_explicit(&hub->feed.generation, hub->feed.telling, memory_order_release);
    return ERR_OK;
}
