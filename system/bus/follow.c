/* Follows the desk: one question is always under way; its answer is applied, and the next one goes out. Lost ones are asked again. */
#include "base/log.h"
#include "base/mem.h"
#include "hub/lease.h"
#include "system/bus/system_bus.h"

#include <stdio.h>

#define TIMEOUT_MS 3000
#define AGAIN_MS 200
#define LEASE_TIMEOUT_MS 2000
#define COUNT_MS 1000
#define COUNT_TIMEOUT_MS 3000

struct system_bus_follower {
    struct hub *hub;
    struct bus_peer *peer;
    struct loop *loop;
    char desk[BUS_PARTY_MAX + 1];
    uint64_t process;
    struct hub_feed_place place;
    struct mono_time asked;
    struct bus_ask ask;
    struct loop_timer again, count;
    bool is_closed, is_heard;
    bool is_ending, is_given_back;       /* nothing is leased any more; and the desk was told so */
    size_t n_leasing, n_counting;        /* under way: leases, tellings of counts */
    struct system_bus_programs programs; /* read: NULL: nobody wants to know */
    struct bus_ask programs_ask;
    uint64_t programs_epoch, programs_asked; /* the desk's life in which they were told, and are being asked for; 0: none */
    struct bus_ask log_ask;
    struct str log;               /* this process's own; empty: it is not told */
    uint64_t log_epoch, log_told; /* the desk's life which knows this process's log, and is being told; 0: none */
    struct mono_time log_named;   /* when it heard it last */
    size_t n_holders;             /* its owner, and what is under way; on its loop */
};

static void release(struct system_bus_follower *follower)
{
    if (--follower->n_holders == 0)
        mem_free(follower);
}

static void on_told(struct bus_ask *ask);

static void ask(struct system_bus_follower *follower)
{
    const struct hub_feed_question question = {.what = HUB_FEED_FOLLOW, .process = follower->process, .place = follower->place};
    struct buf bytes;
    buf_init(&bytes, 256);
    hub_feed_question_write(&question, &bytes);
    follower->asked = clock_mono(hub_clock(follower->hub));
    follower->n_holders++;
    follower->ask = (struct bus_ask){.party = str_from_c(follower->desk),
        .door = SYSTEM_BUS_DESK,
        .bytes = buf_str(&bytes), /* without memory an empty one, which gets no answer */
        .timeout_ms = TIMEOUT_MS,
        .may_repeat = true,
        .loop = follower->loop,
        .done = on_told};
    bus_peer_ask(follower->peer, &follower->ask);
    buf_finish(&bytes);
}

static void note(struct system_bus_follower *follower, enum err err)
{
    if (follower->is_heard == !err)
        return;
    follower->is_heard = !err;
    if (err)
        log_write(
            LOG_WARNING, "bus", "the contracts' desk is not heard; what it does not confirm in time is denied", LOG_ERR(err), LOG_END);
    else
        log_write(LOG_NOTICE, "bus", "contracts are followed", LOG_TEXT("desk", follower->desk), LOG_END);
}

/* ---- programs ---- */

static enum err read_programs(struct system_bus_follower *follower, struct str answer)
{
    bool is_ours = answer.len >= 2 && answer.ptr[0] == SYSTEM_BUS_PROGRAMS_VERSION && answer.ptr[1] == HUB_FEED_PROGRAMS;
    return is_ours ? follower->programs.read(follower->programs.context, str_slice(answer, 2, answer.len)) : ERR_SYNTAX;
}

static void on_programs(struct bus_ask *asked)
{
    struct system_bus_follower *follower = container_of(asked, struct system_bus_follower, programs_ask);
    if (!follower->is_closed) {
        enum err err = asked->err ? asked->err : read_programs(follower, asked->answer);
        if (err) /* asked again when the desk is heard next */
            log_write(LOG_WARNING, "bus", "the desk did not tell of the programs' tokens", LOG_ERR(err), LOG_END);
        else
            follower->programs_epoch = follower->programs_asked;
        follower->programs_asked = 0;
    }
    release(follower);
}

/* In each life of the desk once: there they are read at its start. */
static void want_programs(struct system_bus_follower *follower)
{
    const struct hub_feed_question question = {.what = HUB_FEED_PROGRAMS, .process = follower->process};
    struct buf bytes;
    if (!follower->programs.read || follower->programs_asked || follower->programs_epoch == follower->place.epoch)
        return;
    buf_init(&bytes, 256);
    hub_feed_question_write(&question, &bytes);
    follower->programs_asked = follower->place.epoch;
    follower->n_holders++;
    follower->programs_ask = (struct bus_ask){.party = str_from_c(follower->desk),
        .door = SYSTEM_BUS_DESK,
        .bytes = buf_str(&bytes),
        .timeout_ms = TIMEOUT_MS,
        .may_repeat = true,
        .loop = follower->loop,
        .done = on_programs};
    bus_peer_ask(follower->peer, &follower->programs_ask);
    buf_finish(&bytes);
}

void system_bus_follow_programs(struct system_bus_follower *follower, const struct system_bus_programs *programs)
{
    follower->programs = *programs;
}

/* ---- this process's log ---- */

static void on_named(struct bus_ask *asked)
{
    struct system_bus_follower *follower = container_of(asked, struct system_bus_follower, log_ask);
    if (!follower->is_closed) {
        if (!asked->err) { /* else told again when the desk is heard next */
            follower->log_epoch = follower->log_told;
            follower->log_named = clock_mono(hub_clock(follower->hub));
        }
        follower->log_told = 0;
    }
    release(follower);
}

/* In each life of the desk, as soon as it is heard, and once a day, so that it knows until when there was one: there citizens ask who used
 * their data. */
static void tell_log(struct system_bus_follower *follower)
{
    const struct hub_feed_question question = {.what = HUB_FEED_LOG, .process = follower->process, .log = follower->log};
    struct buf bytes;
    bool is_known = follower->log_epoch == follower->place.epoch &&
                    mono_ms_between(follower->log_named, clock_mono(hub_clock(follower->hub))) < SYSTEM_BUS_LOG_AGAIN_MS;
    if (str_is_empty(follower->log) || follower->log_told || is_known)
        return;
    buf_init(&bytes, 512);
    hub_feed_question_write(&question, &bytes);
    follower->log_told = follower->place.epoch;
    follower->n_holders++;
    follower->log_ask = (struct bus_ask){.party = str_from_c(follower->desk),
        .door = SYSTEM_BUS_DESK,
        .bytes = buf_str(&bytes),
        .timeout_ms = TIMEOUT_MS,
        .may_repeat = true,
        .loop = follower->loop,
        .done = on_named};
    bus_peer_ask(follower->peer, &follower->log_ask);
    buf_finish(&bytes);
}

void system_bus_follow_log(struct system_bus_follower *follower)
{
    follower->log = hub_log(follower->hub);
}

static void on_told(struct bus_ask *asked)
{
    struct system_bus_follower *follower = container_of(asked, struct system_bus_follower, ask);
    bool has_more = false;
    if (follower->is_closed) {
        release(follower);
        return;
    }
    enum err err = asked->err ? asked->err : hub_feed_read(follower->hub, asked->answer, follower->asked, &follower->place, &has_more);
    note(follower, err);
    follower->n_holders--; /* its owner has it still */
    if (!err) {
        want_programs(follower);
        tell_log(follower);
        ask(follower);
    } else if (loop_timer_start(follower->loop, &follower->again, AGAIN_MS))
        log_write(LOG_ERROR, "bus", "no memory for a timer", LOG_END);
}

static void on_again(struct loop_timer *timer)
{
    ask(container_of(timer, struct system_bus_follower, again));
}

/* ---- leases ---- */

struct leasing {
    struct bus_ask ask;
    struct system_bus_follower *follower;
    struct hub_lease lease;
};

static void on_leased(struct bus_ask *ask)
{
    struct leasing *leasing = container_of(ask, struct leasing, ask);
    uint32_t granted = 0;
    enum err err = ask->err ? ask->err : hub_feed_lease_read(ask->answer, &granted);
    hub_lease_told(leasing->follower->hub, &leasing->lease, err, granted);
    leasing->follower->n_leasing--;
    release(leasing->follower);
    mem_free(leasing);
}

/* Asked twice would be leased twice: an answer that is lost is a lease that nobody uses. */
static void on_want(void *context, const struct hub_lease *lease)
{
    struct system_bus_follower *follower = context;
    struct leasing *leasing = mem_alloc_zero(1, sizeof *leasing);
    struct buf bytes;
    if (!leasing) {
        hub_lease_told(follower->hub, lease, ERR_NO_MEMORY, 0);
        return;
    }
    const struct hub_feed_question question = {.what = HUB_FEED_LEASE,
        .process = follower->process,
        .contract = lease->contract,
        .quota = (uint8_t)lease->quota,
        .period = lease->period,
        .n = lease->n};
    buf_init(&bytes, 1024);
    hub_feed_question_write(&question, &bytes);
    leasing->follower = follower;
    leasing->lease = *lease;
    follower->n_holders++;
    follower->n_leasing++;
    leasing->ask = (struct bus_ask){.party = str_from_c(follower->desk),
        .door = SYSTEM_BUS_DESK,
        .bytes = buf_str(&bytes),
        .timeout_ms = LEASE_TIMEOUT_MS,
        .loop = follower->loop,
        .done = on_leased};
    bus_peer_ask(follower->peer, &leasing->ask);
    buf_finish(&bytes);
}

/* ---- counts ---- */

struct counting {
    struct bus_ask ask;
    struct system_bus_follower *follower;
};

static void on_counted(struct bus_ask *ask)
{
    struct counting *counting = container_of(ask, struct counting, ask);
    struct system_bus_follower *follower = counting->follower;
    if (ask->err == ERR_UNAVAILABLE && !follower->is_closed) /* certainly not sent; else nobody knows, and nothing is said twice */
        hub_lease_count_again(follower->hub);
    follower->n_counting--;
    release(follower);
    mem_free(counting);
}

/* False: there is nothing to tell, or no room to. */
static bool tell_counts(struct system_bus_follower *follower)
{
    struct counting *counting = mem_alloc_zero(1, sizeof *counting);
    struct hub_feed_question question = {.what = HUB_FEED_COUNT, .process = follower->process};
    struct buf counts, bytes;
    buf_init(&counts, BUS_PEER_BYTES / 2);
    buf_init(&bytes, BUS_PEER_BYTES);
    bool has_some = counting && hub_lease_count_write(follower->hub, follower->is_ending, &counts);
    question.counts = buf_str(&counts);
    hub_feed_question_write(&question, &bytes);
    bool is_sent = has_some && !counts.err && !bytes.err;
    if (is_sent) {
        counting->follower = follower;
        follower->n_holders++;
        follower->n_counting++;
        counting->ask = (struct bus_ask){.party = str_from_c(follower->desk),
            .door = SYSTEM_BUS_DESK,
            .bytes = buf_str(&bytes),
            .timeout_ms = COUNT_TIMEOUT_MS,
            .loop = follower->loop,
            .done = on_counted};
        bus_peer_ask(follower->peer, &counting->ask);
    } else {
        if (has_some)
            hub_lease_count_again(follower->hub);
        mem_free(counting);
    }
    buf_finish(&counts);
    buf_finish(&bytes);
    return is_sent;
}

static void on_count(struct loop_timer *timer)
{
    struct system_bus_follower *follower = container_of(timer, struct system_bus_follower, count);
    if (follower->is_heard && !follower->n_counting)
        (void)tell_counts(follower);
    if (loop_timer_start(follower->loop, timer, COUNT_MS))
        log_write(LOG_ERROR, "bus", "no memory for a timer", LOG_END);
}

bool system_bus_follow_end(struct system_bus_follower *follower)
{
    if (!follower->is_ending) {
        loop_timer_stop(&follower->count);
        hub_lease_lender(follower->hub, NULL, NULL);
        follower->is_ending = true;
    }
    if (!follower->is_given_back && follower->n_leasing == 0 &&
        follower->n_counting == 0) /* with what was on its way; until there is no more */
        follower->is_given_back = !follower->is_heard || !tell_counts(follower);
    return follower->is_given_back && follower->n_counting == 0;
}

/* ---- life ---- */

enum err system_bus_follow(
    struct hub *hub, struct bus_peer *peer, struct str area, struct loop *loop, struct system_bus_follower **ret_follower)
{
    struct system_bus_follower *follower = mem_alloc_zero(1, sizeof *follower);
    if (!follower)
        return ERR_NO_MEMORY;
    follower->hub = hub;
    follower->peer = peer;
    follower->loop = loop;
    follower->again.fn = on_again;
    crypto_random(&follower->process, sizeof follower->process);
    snprintf(follower->desk, sizeof follower->desk, STR_FORMAT "/hub", STR_ARG(area));
    follower->n_holders = 1;
    hub_lease_lender(hub, on_want, follower);
    follower->count.fn = on_count;
    enum err err = loop_timer_start(loop, &follower->count, COUNT_MS);
    if (err) {
        hub_lease_lender(hub, NULL, NULL);
        mem_free(follower);
        return err;
    }
    ask(follower);
    *ret_follower = follower;
    return ERR_OK;
}

void system_bus_unfollow(struct system_bus_follower *follower)
{
    if (!follower)
        return;
    loop_timer_stop(&follower->again);
    loop_timer_stop(&follower->count);
    hub_lease_lender(follower->hub, NULL, NULL);
    follower->is_closed = true;
    release(follower);
}
