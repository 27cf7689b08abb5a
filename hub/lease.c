/* Both sides of leasing. A replica's quota keeps in `reserved` what it has leased of the period, as the desk's keeps what is on its disk.
 */
#include "hub/lease.h"

#include "base/bytes.h"
#include "base/log.h"
#include "hub/parts.h"

#define COUNT_BITS HUB_QUOTA_COUNT_BITS
#define WAIT_MS 1000 /* after "nothing is left", or no answer */

static uint64_t count_of(uint64_t word)
{
    return word & ((UINT64_C(1) << COUNT_BITS) - 1);
}

/* ---- at the desk ---- */

struct waiting { /* in the asker's memory */
    struct hub_waiter waiter;
    struct hub_contract *contract;
    struct hub_lease_ask *ask;
};
_Static_assert(sizeof(struct waiting) <= sizeof(((struct hub_lease_ask *)0)->hub_state), "what an asker lends us");

/* The less is left, the smaller the block: what several processes hold and do not use is little. */
static uint32_t take(struct hub_quota *quota, uint64_t period, uint32_t wanted)
{
    struct hub *hub = quota->contract->hub;
    uint64_t old = atomic_load(&quota->used), n_hubs = atomic_load(&hub->feed.n_hubs), granted;
    do {
        uint64_t used = old >> COUNT_BITS == period ? count_of(old) : 0, limit = (uint64_t)quota->limit;
        uint64_t left = used < limit ? limit - used : 0, share = left / (2 * (n_hubs ? n_hubs : 1)) + (left > 0);
        if (old >> COUNT_BITS > period)
            return 0;
        granted = wanted < share ? wanted : share;
        if (!granted)
            return 0;
        if (atomic_compare_exchange_weak(&quota->used, &old, period << COUNT_BITS | (used + granted)))
            return (uint32_t)granted;
    } while (true);
}

static void await(struct hub_waiter *waiter)
{
    struct waiting *waiting = container_of(waiter, struct waiting, waiter);
    struct hub *hub = waiting->contract->hub;
    struct hub_lease_ask *ask = waiting->ask;
    if (atomic_load(&hub->is_stopping))
        ask->granted = 0; /* taken and not given: in nobody's favour */
    else if (!hub_quota_is_reserved(waiting->contract)) {
        if (hub_wait(hub, waiter))
            return;
        ask->granted = 0; /* nobody can wait any more: what was taken is nobody's until the period ends */
    }
    ask->done(ask);
}

void hub_lease_start(struct hub *hub, struct hub_lease_ask *ask)
{
    struct hub_contract *contract = hub_contract_lookup(hub, ask->contract);
    struct waiting *waiting = (struct waiting *)(void *)ask->hub_state;
    ask->granted = 0;
    if (contract && !contract->is_copy && !hub->feed.is_follower && ask->quota >= 0 && ask->quota < QUOTA_N &&
        contract->quotas[ask->quota].limit != DECIDE_NONE && hub_quota_period(contract, ask->quota, clock_wall(hub->clock)) == ask->period)
        ask->granted = take(&contract->quotas[ask->quota], ask->period, ask->n);
    if (!ask->granted) {
        ask->done(ask);
        return;
    }
    *waiting = (struct waiting){.waiter = {.again = await}, .contract = contract, .ask = ask};
    await(&waiting->waiter);
}

struct count { /* of a replica: uses without a limit, or what it leased and did not use */
    struct str contract;
    int quota;
    uint64_t period;
    uint32_t used, back;
};

static bool next_count(struct bytes_reader *reader, struct count *ret_count)
{
    ret_count->contract = bytes_read_str(reader, bytes_read_u32be(reader));
    ret_count->quota = bytes_read_u8(reader);
    ret_count->period = bytes_read_u64be(reader);
    ret_count->used = bytes_read_u32be(reader);
    ret_count->back = bytes_read_u32be(reader);
    return !reader->err && ret_count->quota < QUOTA_N;
}

static void count(struct hub *hub, const struct count *told)
{
    struct hub_contract *contract = hub_contract_lookup(hub, told->contract);
    if (!contract || contract->is_copy || hub_quota_period(contract, told->quota, clock_wall(hub->clock)) != told->period)
        return; /* of a day that is over here */
    struct hub_quota *quota = &contract->quotas[told->quota];
    bool has_limit = quota->limit != DECIDE_NONE;
    uint64_t old = atomic_load(&quota->used), next;
    do {
        uint64_t used = old >> COUNT_BITS == told->period ? count_of(old) : 0;
        if (old >> COUNT_BITS > told->period)
            return;
        next = told->period << COUNT_BITS | (has_limit ? used - (told->back < used ? told->back : used) : used + told->used);
    } while (!atomic_compare_exchange_weak(&quota->used, &old, next));
}

enum err hub_lease_counted(struct hub *hub, struct str counts)
{
    struct bytes_reader reader, again;
    struct count told;
    bytes_reader_init(&reader, counts.ptr, counts.len);
    uint16_t n = bytes_read_u16be(&reader);
    again = reader;
    for (uint16_t i = 0; i < n; i++)
        if (!next_count(&reader, &told))
            return ERR_SYNTAX;
    if (reader.err || bytes_reader_left(&reader) != 0)
        return ERR_SYNTAX;
    for (uint16_t i = 0; i < n && next_count(&again, &told); i++)
        count(hub, &told);
    return ERR_OK;
}

/* ---- at a replica ---- */

void hub_lease_lender(struct hub *hub, void (*want)(void *context, const struct hub_lease *lease), void *context)
{
    hub->feed.want = want;
    hub->feed.lender = context;
}

static void on_want(struct loop_task *task)
{
    struct hub_quota *quota = container_of(task, struct hub_quota, lease.task);
    struct hub *hub = quota->contract->hub;
    const struct hub_lease lease = {.contract = quota->contract->name,
        .quota = (int)(quota - quota->contract->quotas),
        .period = atomic_load(&quota->used) >> COUNT_BITS,
        .n = (uint32_t)atomic_load(&quota->block),
        .of = quota};
    if (hub->feed.want && !atomic_load(&hub->is_stopping))
        hub->feed.want(hub->feed.lender, &lease);
    else
        hub_lease_told(hub, &lease, ERR_UNAVAILABLE, 0);
    hub_work_end(hub);
}

static void want(struct hub_quota *quota)
{
    struct hub *hub = quota->contract->hub;
    struct mono_time now = clock_mono(hub->clock);
    if (now.ns < atomic_load(&quota->lease.wait_until_ns) || atomic_exchange(&quota->is_writing, true))
        return;
    hub_quota_size_block(quota, now);
    quota->lease.task.fn = on_want;
    hub_work_begin(hub);
    loop_post(hub->loop, &quota->lease.task);
}

bool hub_lease_holds(struct hub_contract *contract)
{
    bool is_leased = true;
    for (int i = 0; i < QUOTA_N; i++) {
        struct hub_quota *quota = &contract->quotas[i];
        if (quota->limit == DECIDE_NONE)
            continue;
        uint64_t used = atomic_load(&quota->used), leased = atomic_load(&quota->reserved);
        bool is_same = used >> COUNT_BITS == leased >> COUNT_BITS, holds = is_same && count_of(used) <= count_of(leased);
        is_leased = is_leased && holds;
        if (!holds || count_of(used) + quota->block / 2 > count_of(leased))
            want(quota);
    }
    return is_leased;
}

int64_t hub_lease_limit(const struct hub_contract *contract, int which, struct wall_time now)
{
    const struct hub_quota *quota = &contract->quotas[which];
    if (quota->limit == DECIDE_NONE || clock_mono(contract->hub->clock).ns >= atomic_load(&quota->lease.wait_until_ns))
        return quota->limit;
    uint64_t leased = atomic_load(&quota->reserved);
    return leased >> COUNT_BITS == hub_quota_period(contract, which, now) ? (int64_t)count_of(leased) : 0;
}

void hub_lease_told(struct hub *hub, const struct hub_lease *lease, enum err err, uint32_t granted)
{
    struct hub_quota *quota = lease->of;
    uint64_t old = atomic_load(&quota->reserved); /* written here alone */
    if (!err && granted)
        atomic_store(&quota->reserved, lease->period << COUNT_BITS | ((old >> COUNT_BITS == lease->period ? count_of(old) : 0) + granted));
    else
        atomic_store(&quota->lease.wait_until_ns, clock_mono(hub->clock).ns + WAIT_MS * INT64_C(1000000));
    atomic_store(&quota->is_writing, false);
    hub_waiters_resume(hub);
}

/* ---- what the desk is told ---- */

#define COUNTS_MAX 5000           /* in one telling; the next goes on behind them */
#define COUNTS_BYTES (128u << 10) /* about */

/* Uses since the last telling; of a new period from its beginning. */
static uint32_t take_used(struct hub_quota *quota, uint64_t *ret_period)
{
    uint64_t used = atomic_load(&quota->used), told = quota->lease.told, n = count_of(used);
    *ret_period = used >> COUNT_BITS;
    if (used >> COUNT_BITS == told >> COUNT_BITS)
        n = count_of(used) > count_of(told) ? count_of(used) - count_of(told) : 0; /* fewer: one was given back meanwhile */
    if (n == 0)
        return 0;
    n = n < UINT32_MAX ? n : UINT32_MAX;
    quota->lease.told = used;
    return (uint32_t)n;
}

/* First nothing is leased any more, then it is looked how much of it was used: who takes one meanwhile is seen here, or sees that. */
static uint32_t take_unused(struct hub_quota *quota, uint64_t *ret_period)
{
    uint64_t leased = atomic_exchange(&quota->reserved, 0), used = atomic_load(&quota->used);
    uint64_t n_used = used >> COUNT_BITS == leased >> COUNT_BITS ? count_of(used) : 0;
    *ret_period = leased >> COUNT_BITS;
    if (used >> COUNT_BITS > leased >> COUNT_BITS || n_used >= count_of(leased))
        return 0;
    uint64_t n = count_of(leased) - n_used;
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static bool write_count(struct hub_quota *quota, bool is_last, struct buf *out)
{
    uint64_t period = 0;
    uint32_t used = 0, back = 0;
    if (quota->limit == DECIDE_NONE)
        used = take_used(quota, &period);
    else if (is_last)
        back = take_unused(quota, &period);
    if (!used && !back)
        return false;
    buf_append_be(out, quota->contract->name.len, 4);
    buf_append_str(out, quota->contract->name);
    buf_append_byte(out, (char)(quota - quota->contract->quotas));
    buf_append_be(out, period, 8);
    buf_append_be(out, used, 4);
    buf_append_be(out, back, 4);
    return true;
}

bool hub_lease_count_write(struct hub *hub, bool is_last, struct buf *out)
{
    size_t head = out->len, n = 0, n_contracts = atomic_load(&hub->n_contracts), at = hub->feed.count_from;
    buf_append_be(out, 0, 2);
    for (size_t i = 0; i < n_contracts; i++)
        for (int j = 0; j < QUOTA_N; j++)
            hub->contracts[i]->quotas[j].lease.told_before = hub->contracts[i]->quotas[j].lease.told;
    for (size_t i = 0; i < n_contracts && n + QUOTA_N <= COUNTS_MAX && out->len - head < COUNTS_BYTES; i++) {
        at = at < n_contracts ? at : 0;
        struct hub_contract *contract = hub->contracts[at++];
        for (int j = 0; j < QUOTA_N && !contract->is_copy; j++)
            n += write_count(&contract->quotas[j], is_last, out);
    }
    hub->feed.count_from = at;
    if (!out->err) {
        out->ptr[head] = (char)(n >> 8);
        out->ptr[head + 1] = (char)n;
    }
    return n > 0;
}

void hub_lease_count_again(struct hub *hub)
{
    for (size_t i = 0; i < atomic_load(&hub->n_contracts); i++)
        for (int j = 0; j < QUOTA_N; j++)
            hub->contracts[i]->quotas[j].lease.told = hub->contracts[i]->quotas[j].lease.told_before;
}
