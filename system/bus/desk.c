/*
 * The desk on the bus: tells followers what changes in contracts (hub/feed.h). A question that has nothing new to hear is kept until there
 * is something, and answered after half a second all the same, so that a change is heard at once and silence means that the way is cut.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/lease.h"
#include "system/bus/system_bus.h"

#define HOLD_MS 500
#define LOOK_MS 100
#define HELD_MAX 4096                             /* past it a question is answered at once */
#define ANSWER_MAX (HUB_FEED_PART + (256u << 10)) /* what is told last may be a contract of 64 KB, twice */

struct held {
    struct held *next;
    struct bus_question *question;
    struct hub_feed_place place;
    struct mono_time since;
};

struct system_bus_desk {
    struct hub *hub;
    struct loop *loop;
    struct held *first, **last; /* the oldest first */
    size_t n_held;
    struct loop_timer look;
    struct system_bus_programs programs;
};

static void tell(struct system_bus_desk *desk, struct bus_question *question, struct hub_feed_place place)
{
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    hub_feed_write(desk->hub, bus_question_party(question), place, &out);
    if (out.err || bus_question_answer(question, buf_str(&out), true))
        bus_question_drop(question); /* it asks again */
    buf_finish(&out);
}

static void tell_oldest(struct system_bus_desk *desk)
{
    struct held *held = desk->first;
    desk->first = held->next;
    if (!desk->first)
        desk->last = &desk->first;
    desk->n_held--;
    tell(desk, held->question, held->place);
    mem_free(held);
}

/* All of them hear of any change, also of one that is not theirs: what was confirmed is as young as the answer. */
static void on_change(void *context)
{
    struct system_bus_desk *desk = context;
    while (desk->first)
        tell_oldest(desk);
}

static void on_look(struct loop_timer *timer)
{
    struct system_bus_desk *desk = container_of(timer, struct system_bus_desk, look);
    struct mono_time now = clock_mono(clock_system());
    while (desk->first && mono_ms_between(desk->first->since, now) >= HOLD_MS)
        tell_oldest(desk);
    if (hub_feed_forget(desk->hub))
        on_change(desk);
    if (loop_timer_start(desk->loop, timer, LOOK_MS))
        log_write(LOG_ERROR, "bus", "no memory for a timer", LOG_END);
}

/* ---- leases ---- */

struct leasing {
    struct hub_lease_ask ask;
    struct bus_question *question; /* whose bytes the contract's name lies in */
};

static void on_leased(struct hub_lease_ask *ask)
{
    struct leasing *leasing = container_of(ask, struct leasing, ask);
    struct buf out;
    buf_init(&out, 64);
    hub_feed_lease_write(ask->granted, &out);
    if (out.err || bus_question_answer(leasing->question, buf_str(&out), true))
        bus_question_drop(leasing->question); /* counted as used, and nobody has it: never in favour of more uses */
    buf_finish(&out);
    mem_free(leasing);
}

static void lease(struct system_bus_desk *desk, struct bus_question *question, const struct hub_feed_question *asked)
{
    struct leasing *leasing = mem_alloc_zero(1, sizeof *leasing);
    if (!leasing) {
        bus_question_drop(question);
        return;
    }
    leasing->question = question;
    leasing->ask = (struct hub_lease_ask){
        .contract = asked->contract, .quota = asked->quota, .period = asked->period, .n = asked->n, .done = on_leased};
    hub_lease_start(desk->hub, &leasing->ask);
}

static void count(struct system_bus_desk *desk, struct bus_question *question, struct str counts)
{
    static const char counted[] = {1, HUB_FEED_COUNT};
    enum err err = hub_lease_counted(desk->hub, counts);
    if (err)
        log_write(LOG_WARNING, "bus", "a replica's counts of uses cannot be read", LOG_ERR(err), LOG_END);
    if (err || bus_question_answer(question, (struct str){counted, sizeof counted}, true))
        bus_question_drop(question);
}

/* ---- programs ---- */

static void tell_programs(struct system_bus_desk *desk, struct bus_question *question)
{
    struct buf out;
    buf_init(&out, BUS_PEER_BYTES);
    buf_append_byte(&out, SYSTEM_BUS_PROGRAMS_VERSION);
    buf_append_byte(&out, HUB_FEED_PROGRAMS);
    if (desk->programs.write)
        desk->programs.write(desk->programs.context, &out);
    enum err err = !desk->programs.write ? ERR_UNAVAILABLE : out.err ? out.err : bus_question_answer(question, buf_str(&out), true);
    if (err) { /* it asks again */
        log_write(LOG_WARNING, "bus", "a replica could not be told of the programs' tokens", LOG_ERR(err), LOG_END);
        bus_question_drop(question);
    }
    buf_finish(&out);
}

void system_bus_desk_programs(struct system_bus_desk *desk, const struct system_bus_programs *programs)
{
    desk->programs = *programs;
}

/* ---- logs ---- */

static void name_log(struct system_bus_desk *desk, struct bus_question *question, const struct hub_feed_question *asked)
{
    static const char named[] = {1, HUB_FEED_LOG};
    if (hub_uses_met(desk->hub, asked->log))
        hub_feed_named(desk->hub, asked->process);
    else
        log_write(LOG_WARNING, "bus", "a process of the hub writes a log that is none of this hub's; its uses are not shown to citizens",
            LOG_STR("log", asked->log), LOG_END);
    if (bus_question_answer(question, (struct str){named, sizeof named}, true))
        bus_question_drop(question); /* it tells again */
}

/* ---- questions ---- */

/* False: it is none, or more than may ask. */
static bool is_welcome(struct system_bus_desk *desk, struct bus_question *question, struct hub_feed_question *ret_asked)
{
    bool is_new = false, is_replica = hub_feed_is_replica(desk->hub, bus_question_party(question));
    enum err err = hub_feed_question_read(bus_question_bytes(question), ret_asked);
    if (!err && !is_replica && ret_asked->what != HUB_FEED_FOLLOW)
        err = ERR_DENIED;
    if (!err && is_replica && ret_asked->what == HUB_FEED_FOLLOW)
        err = hub_feed_met(desk->hub, ret_asked->process, &is_new);
    if (is_new)
        on_change(desk);
    if (err)
        log_write(LOG_WARNING, "bus", "a question that the desk does not answer", LOG_STR("party", bus_question_party(question)),
            LOG_ERR(err), LOG_END);
    return !err;
}

void system_bus_desk_question(void *context, struct bus_question *question)
{
    struct system_bus_desk *desk = context;
    struct hub_feed_question asked;
    if (!is_welcome(desk, question, &asked)) {
        bus_question_drop(question);
        return;
    }
    if (asked.what == HUB_FEED_LEASE) {
        lease(desk, question, &asked);
        return;
    }
    if (asked.what == HUB_FEED_PROGRAMS) {
        tell_programs(desk, question);
        return;
    }
    if (asked.what == HUB_FEED_COUNT) {
        count(desk, question, asked.counts);
        return;
    }
    if (asked.what == HUB_FEED_LOG) {
        name_log(desk, question, &asked);
        return;
    }
    struct held *held = NULL;
    if (!hub_feed_has_news(desk->hub, asked.place) && desk->n_held < HELD_MAX)
        held = mem_alloc(sizeof *held);
    if (!held) {
        tell(desk, question, asked.place);
        return;
    }
    *held = (struct held){.question = question, .place = asked.place, .since = clock_mono(clock_system())};
    *desk->last = held;
    desk->last = &held->next;
    desk->n_held++;
}

enum err system_bus_desk_create(struct hub *hub, struct loop *loop, struct system_bus_desk **ret_desk)
{
    struct system_bus_desk *desk = mem_alloc_zero(1, sizeof *desk);
    if (!desk)
        return ERR_NO_MEMORY;
    desk->hub = hub;
    desk->loop = loop;
    desk->last = &desk->first;
    desk->look.fn = on_look;
    enum err err = loop_timer_start(loop, &desk->look, LOOK_MS);
    if (err) {
        mem_free(desk);
        return err;
    }
    hub_feed_listen(hub, on_change, desk);
    *ret_desk = desk;
    return ERR_OK;
}

void system_bus_desk_destroy(struct system_bus_desk *desk)
{
    if (!desk)
        return;
    hub_feed_listen(desk->hub, NULL, NULL);
    loop_timer_stop(&desk->look);
    while (desk->first) {
        struct held *held = desk->first;
        desk->first = held->next;
        bus_question_drop(held->question);
        mem_free(held);
    }
    mem_free(desk);
}
