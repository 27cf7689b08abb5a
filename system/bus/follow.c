/* Follows the desk: one question is always under way; its answer is applied, and the next one goes out. Lost ones are asked again. */
#include "base/log.h"
#include "base/mem.h"
#include "hub/feed.h"
#include "system/bus/system_bus.h"

#include <stdio.h>

#define TIMEOUT_MS 3000
#define AGAIN_MS 200

struct system_bus_follower {
    struct hub *hub;
    struct bus_peer *peer;
    struct loop *loop;
    char desk[BUS_PARTY_MAX + 1];
    uint64_t process;
    struct hub_feed_place place;
    struct mono_time asked;
    struct bus_ask ask;
    struct loop_timer again;
    bool is_asking, is_closed, is_heard;
};

static void on_told(struct bus_ask *ask);

static void ask(struct system_bus_follower *follower)
{
    const struct hub_feed_question question = {.what = HUB_FEED_FOLLOW, .process = follower->process, .place = follower->place};
    struct buf bytes;
    buf_init(&bytes, 256);
    hub_feed_question_write(&question, &bytes);
    follower->asked = clock_mono(clock_system());
    follower->is_asking = true;
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

static void on_told(struct bus_ask *asked)
{
    struct system_bus_follower *follower = container_of(asked, struct system_bus_follower, ask);
    bool has_more = false;
    follower->is_asking = false;
    if (follower->is_closed) {
        mem_free(follower);
        return;
    }
    enum err err = asked->err ? asked->err : hub_feed_read(follower->hub, asked->answer, follower->asked, &follower->place, &has_more);
    note(follower, err);
    if (!err)
        ask(follower);
    else if (loop_timer_start(follower->loop, &follower->again, AGAIN_MS))
        log_write(LOG_ERROR, "bus", "no memory for a timer", LOG_END);
}

static void on_again(struct loop_timer *timer)
{
    ask(container_of(timer, struct system_bus_follower, again));
}

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
    ask(follower);
    *ret_follower = follower;
    return ERR_OK;
}

void system_bus_unfollow(struct system_bus_follower *follower)
{
    if (!follower)
        return;
    loop_timer_stop(&follower->again);
    follower->is_closed = true;
    if (!follower->is_asking)
        mem_free(follower);
}
