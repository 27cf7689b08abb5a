/* Up and down in the order in which the parts need each other. */
#include "brain/over_bus.h"

#include "hub/feed.h"
#include "hub/registry.h"
#include "system/bus/absent.h"

#include <stdio.h>
#include <string.h>

#define COUNT_MS 5000 /* at the end: the desk hears what is given back */
#define DOOR_MS 500   /* at the end: answers that departments are still to give to consumers on the bus */
#define ROUND_MS 10

enum err over_bus_read(struct over_bus *over, const char *given, bool is_replica, struct diag_list *diags)
{
    size_t n = 0;
    over->is_replica = is_replica;
    if (snprintf(over->given, sizeof(over->given), "%s", given ? given : "") >= (int)sizeof(over->given))
        return diag_add(diags, ERR_TOO_LARGE, NULL, 0, "--over-bus names too many departments; %d are allowed", OVER_BUS_MAX);
    for (char *at = over->given, *rest; at && *at; at = rest) {
        rest = strchr(at, ',');
        if (rest)
            *rest++ = '\0';
        if (n == OVER_BUS_MAX)
            return diag_add(diags, ERR_TOO_LARGE, NULL, 0, "--over-bus names too many departments; %d are allowed", OVER_BUS_MAX);
        over->parties[n++] = at;
    }
    over->reach.parties = over->parties;
    over->reach.is_without_streams = is_replica;
    return ERR_OK;
}

/* A replica reaches what can be asked over the bus. All else is the desk's process's: doors where others bring their rows, databases whose
 * audit it reads. */
static const struct hub_system_ops *replica_ops(void *context, struct str party, const struct hub_system_ops *declared)
{
    const struct hub_system_ops *ops = system_bus_ops(context, party, declared);
    return ops ? ops : system_absent_ops((void *)(uintptr_t) "", party, declared);
}

struct hub_reach over_bus_reach(struct over_bus *over)
{
    return (struct hub_reach){.ops = over->is_replica ? replica_ops : system_bus_ops, .context = &over->reach};
}

/* Those who follow the contracts have the desk, consumers the door; the desk asks the replicas for citizens' uses. */
static void on_question(void *context, struct bus_question *question)
{
    struct over_bus *over = context;
    if (over->desk && !hub_bus_ask_is(bus_question_bytes(question)))
        system_bus_desk_question(over->desk, question);
    else if (over->is_replica && hub_uses_question_is(bus_question_bytes(question)))
        system_bus_other_question(over->bus.hub, question);
    else
        hub_bus_door_question(over->door, question);
}

static enum err follow(struct over_bus *over, struct hub *hub, struct str area)
{
    enum err err = hub_feed_follow(hub, STR_NONE);
    if (err == ERR_OK)
        err = system_bus_follow(hub, over->bus.peer, area, over->loop, &over->follower);
    if (err == ERR_OK)
        system_bus_follow_log(over->follower);
    return err;
}

enum err over_bus_open(struct over_bus *over, const struct brain_bus_options *options, struct hub *hub, struct str area, struct loop *loop,
    struct diag_list *diags)
{
    char name[BUS_PARTY_MAX + 1], log_door[SYSTEM_BUS_LOG_DOOR];
    struct brain_bus_options reserved = *options;
    for (size_t i = 0; over->parties[i]; i++)
        if (!hub_party_find(hub, str_from_c(over->parties[i])))
            return diag_add(diags, ERR_NOT_FOUND, "parties.yaml", 0, "--over-bus: there is no party \"%s\"", over->parties[i]);
    if (!over->parties[0] && !options->url && !over->is_replica)
        return ERR_OK;
    int len = snprintf(name, sizeof(name), STR_FORMAT "/hub", STR_ARG(area));
    if (len < 0 || (size_t)len >= sizeof(name))
        return ERR_TOO_LARGE;
    over->loop = loop;
    reserved.is_reserved = true; /* until the door is open */
    system_bus_log_door(hub_log(hub), log_door);
    enum err err = hub_bus_door_create(hub, loop, &over->door);
    if (err == ERR_OK && !over->is_replica)
        err = system_bus_desk_create(hub, loop, &over->desk);
    if (err == ERR_OK)
        err = brain_bus_open(&reserved, hub, (struct str){name, (size_t)len}, loop, on_question, over,
            over->is_replica ? log_door : SYSTEM_BUS_DESK, diags, &over->bus);
    if (err == ERR_OK && over->is_replica)
        err = follow(over, hub, area);
    over->reach.peer = over->others.peer = over->bus.peer;
    memcpy(over->others.party, name, sizeof(name));
    if (err == ERR_OK && !over->is_replica)
        hub_others_set(hub, system_bus_ask_other, &over->others);
    if (err == ERR_OK)
        hub_bus_door_open(over->door, over->bus.peer);
    return err;
}

static void write_programs(void *people, struct buf *out)
{
    party_programs_write(people, out);
}

static enum err read_programs(void *people, struct str bytes)
{
    return party_programs_read(people, bytes);
}

void over_bus_programs(struct over_bus *over, struct party_people *people)
{
    const struct system_bus_programs programs = {.context = people, .write = write_programs, .read = read_programs};
    if (over->desk)
        system_bus_desk_programs(over->desk, &programs);
    if (over->follower)
        system_bus_follow_programs(over->follower, &programs);
}

static bool has_passed(struct mono_time from, int64_t ms)
{
    return mono_ms_between(from, clock_mono(clock_system())) >= ms;
}

void over_bus_stop(struct over_bus *over)
{
    struct mono_time from = clock_mono(clock_system());
    hub_bus_door_stop(over->door);
    while (over->door && hub_bus_door_n_under_way(over->door) > 0 && !has_passed(from, DOOR_MS))
        if (loop_run_once(over->loop, ROUND_MS))
            break;
    from = clock_mono(clock_system());
    while (over->follower && !system_bus_follow_end(over->follower) && !has_passed(from, COUNT_MS))
        if (loop_run_once(over->loop, ROUND_MS))
            break;
    system_bus_unfollow(over->follower);
    brain_bus_close(&over->bus);
}

void over_bus_close(struct over_bus *over)
{
    brain_bus_destroy(&over->bus);
    system_bus_desk_destroy(over->desk);
}

void over_bus_destroy(struct over_bus *over)
{
    hub_bus_door_destroy(over->door);
}
