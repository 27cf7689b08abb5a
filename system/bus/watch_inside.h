/* What watch.c (rounds, telling, life), watch_leaves.c (our ledger) and watch_lines.c (their journal) share. One loop's. */
#ifndef SYSTEM_BUS_WATCH_INSIDE_H
#define SYSTEM_BUS_WATCH_INSIDE_H

#include "base/file.h"
#include "system/bus/takes.h"
#include "system/bus/twin.h"
#include "system/bus/watch.h"

#define RESOURCES_MAX 256 /* of one system */
#define BEHIND_MS 50      /* while there is more of either side */

/* Beside twin.h's: of streams. */
enum { STREAM_MISSING = BUS_TWIN_N_WRONG, STREAM_UNASKED, N_WRONG };

struct watch_stream {
    struct watch_stream *next;
    const struct hub_resource *resource;
    struct bus_takes takes;
};

struct bus_watch {
    struct hub *hub;
    struct bus_peer *const *peer;
    struct clock *clock;
    struct loop *loop;
    struct arena arena;
    struct str party, name, area;
    const struct hub_resource *resources[RESOURCES_MAX];
    size_t n_resources;
    struct watch_stream *streams;
    int64_t begun_ms; /* since their lines are looked at; -1: what stands in the journal is still from before */
    struct bus_twin twin;
    uint64_t id;       /* of the journal that twin.line_next is of; 0: none was seen */
    int64_t shared_ms; /* since another one answered */
    struct loop_timer round;
    struct bus_ask ask;
    bool is_asking, is_closed, is_current, is_behind;
    struct mono_time last;
    uint64_t n_told[N_WRONG];
    char path[FILE_PATH_MAX];
    uint64_t stored_line;
    int64_t unstored_ms;
};

/* ---- watch_leaves.c ---- */
uint64_t watch_number_of(struct str text); /* of a resource, a contract, or what an answer's records are called; 0: empty */
bool watch_is_ours(const struct bus_watch *watch, struct str resource);
void watch_follow(struct bus_watch *watch); /* what is new in our ledger, to the step */
/* Looks one of our leaves up: is it of this use? */
void watch_look(struct bus_watch *watch, uint64_t index, struct str resource, struct str contract);

/* ---- watch_lines.c ---- */
void watch_take_answer(struct bus_watch *watch, struct str bytes); /* lines of their journal, to the step */
void watch_tick_streams(struct bus_watch *watch, int64_t ms, bool is_current);

#endif
