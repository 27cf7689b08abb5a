/*
 * The parts of a city's plates on the bus: the questions of scene/count/parts.h are brought to the process that has the part (`citybrain
 * count-part`), under a session of the parties, again and again until it answers.
 */
#ifndef BRAIN_COUNT_BUS_H
#define BRAIN_COUNT_BUS_H

#include "bus/peer.h"
#include "scene/count/part_wire.h"
#include "scene/scene.h"

#define COUNT_BUS_DOOR 16

/* The door of a part, from 0, at its party: "P2OF3". */
void count_bus_door(uint32_t part, uint32_t n, char out[COUNT_BUS_DOOR]);

struct count_bus_options {
    struct bus_peer *peer; /* who asks; kept */
    struct loop *loop;     /* where it all runs; kept */
    struct clock *clock;
    struct str party; /* whose processes have the parts; kept */
    uint32_t n;
    /* Each answer, borrowed. May ask again. */
    void (*on_answer)(void *context, uint32_t part, struct str answer);
    void *context;
};

struct count_bus;

enum err count_bus_create(const struct count_bus_options *options, struct count_bus **ret_bus) MUST_CHECK; /* ERR_NO_MEMORY */
/* Asks no more. What is under way must end (the peer is destroyed, the link closed) before count_bus_destroy(). */
void count_bus_stop(struct count_bus *bus);
void count_bus_destroy(struct count_bus *bus); /* takes NULL */
/* Stops it, and destroys it once nothing is under way. Takes NULL. */
void count_bus_close(struct count_bus *bus);
/* The same for scenes; their context is the peer that asks. */
extern const struct scene_parts_ops count_bus_ops;
/* count_parts_options.ask */
void count_bus_ask(void *context, uint32_t part, struct str question);
/* For how long that part has been asked in vain; 0: it is not asked. */
int64_t count_bus_waited_ms(const struct count_bus *bus, uint32_t part);
/* How the last asking of it ended: ERR_OK, ERR_TIMEOUT, ERR_UNAVAILABLE (nobody is there) ... */
enum err count_bus_err(const struct count_bus *bus, uint32_t part);

#endif
