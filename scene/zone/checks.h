/*
 * Checks that wait for an answer of the table of passes: a bounded queue, out of which batches are asked. The one place where a plate is
 * kept, and only until its answer is there.
 */
#ifndef SCENE_ZONE_CHECKS_H
#define SCENE_ZONE_CHECKS_H

#include "base/err.h"
#include "base/str.h"

#define ZONE_PLATE_MAX 32
#define ZONE_PSEUDONYM_MAX 32
#define ZONE_ASK_MAX 99 /* plates asked for at once; with a time, the most parameters of a query (hub/query.h) */
#define ZONE_ASKS_MAX 2 /* under way at once */

struct zone_check {
    uint64_t id;     /* of the vehicle */
    int64_t time_ms; /* of the passage */
    uint32_t camera;
    uint8_t zone, group, plate_len, pseudonym_len;
    char plate[ZONE_PLATE_MAX], pseudonym[ZONE_PSEUDONYM_MAX];
};

struct zone_ask {
    uint32_t number, n; /* 0: free */
    int64_t asked_ms;
    struct zone_check checks[ZONE_ASK_MAX];
};

struct zone_checks {
    struct zone_check *ring; /* [max] */
    uint32_t max, first, n;
    uint32_t n_asked; /* in asks; they keep their room here */
    struct zone_ask asks[ZONE_ASKS_MAX];
    uint32_t next_number;
};

enum err zone_checks_init(struct zone_checks *checks, uint32_t max) MUST_CHECK;
void zone_checks_finish(struct zone_checks *checks);                                             /* wipes */
enum err zone_checks_put(struct zone_checks *checks, const struct zone_check *check) MUST_CHECK; /* copies; ERR_FULL */
/* The next up to ZONE_ASK_MAX; NULL: none waits, or as many asks as may be are under way. Those older than `from_ms` are left out and given
 * to `drop`; so are those later than `until_ms`, which our clock, set back, would keep too long. */
struct zone_ask *zone_checks_take(struct zone_checks *checks, int64_t now_ms, int64_t from_ms, int64_t until_ms,
    void (*drop)(void *context, const struct zone_check *check), void *context);
struct zone_ask *zone_checks_find(struct zone_checks *checks, uint32_t number); /* NULL: not under way */
void zone_checks_put_back(struct zone_checks *checks, struct zone_ask *ask);    /* in front of those that wait */
void zone_checks_end(struct zone_checks *checks, struct zone_ask *ask);         /* answered; its plates are wiped */

#endif
