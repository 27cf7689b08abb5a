/*
 * A hub's process on the bus between processes: reaches departments beside their data, has the contracts' desk or follows it, and answers
 * consumers. The composition of system/bus/ and hub/bus_door.h.
 */
#ifndef BRAIN_OVER_BUS_H
#define BRAIN_OVER_BUS_H

#include "brain/bus.h"
#include "business/party/party.h"
#include "hub/bus_door.h"
#include "hub/system.h"
#include "system/bus/system_bus.h"

#define OVER_BUS_MAX 16 /* departments beside their databases, as far as one command line names them */

struct over_bus { /* stays in its place */
    bool is_replica;
    char given[OVER_BUS_MAX * 64];
    const char *parties[OVER_BUS_MAX + 1];
    struct system_bus_reach reach;
    struct loop *loop;
    struct brain_bus bus;                 /* to those that are reached, that follow the contracts, that ask */
    struct system_bus_desk *desk;         /* NULL at a replica: */
    struct system_bus_follower *follower; /* it follows */
    struct hub_bus_door *door;            /* for consumers; NULL: there is no bus */
    struct system_bus_others others;      /* at the desk: how the replicas' logs are asked */
};

/* `given`: "hangzhou/police,hangzhou/health", NULL for none. Before the hub. */
enum err over_bus_read(struct over_bus *over, const char *given, bool is_replica, struct diag_list *diags) MUST_CHECK;
struct hub_reach over_bus_reach(struct over_bus *over);
/* After hub_create(). Does nothing when nothing is reached over the bus and no bus is named. */
enum err over_bus_open(struct over_bus *over, const struct brain_bus_options *options, struct hub *hub, struct str area, struct loop *loop,
    struct diag_list *diags) MUST_CHECK;
/* Replicas know programs by the tokens of the process with the desk: it tells, they read. After over_bus_open(), before the loop runs. */
void over_bus_programs(struct over_bus *over, struct party_people *people);
void over_bus_stop(struct over_bus *over);    /* before hub_stop(): consumers get their answers, then the link is closed */
void over_bus_close(struct over_bus *over);   /* after it */
void over_bus_destroy(struct over_bus *over); /* after hub_destroy() */

#endif
