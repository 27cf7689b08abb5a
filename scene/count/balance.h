/*
 * The balance: how many passages are not yet followed by the next sighting, that must be?
 *
 * Every passage of a camera opens an account: with chance P the vehicle is sighted again, sooner or later. When it is, the account is
 * closed. So of n passages with r closed, n P - r are still to come, however long the queues are in which they wait: no time-out, no travel
 * time. What has to be known is P, and which passages are settled. Passages are kept for each camera in cohorts of COUNT_COHORT_MS, by how
 * many sightings the trip had before. A cohort is settled when its vehicles would have come past the next cameras even behind the queues
 * there. Settled cohorts teach P, by the number of the sighting and by the camera; the others are counted by it.
 *
 * The lateness of a camera is that of the last vehicles that came, over free flow; roads are first in, first out as a rule, so the
 * camera's clock is the latest free-flow arrival among those that have come (Newell 1993: cumulative counts of a queue). A queue shows
 * by its discharge: of those that left for a next camera long ago some stand there still when others of them come there now; where none
 * came for long, nobody stands.
 * docs/count-method.md has the formulas.
 */
#ifndef SCENE_COUNT_BALANCE_H
#define SCENE_COUNT_BALANCE_H

#include "base/mem.h"
#include "scene/count/ends.h"
#include "scene/count/lifetable.h"
#include "scene/count/settings.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#define COUNT_COHORT_MS 60000 /* passages of one camera within this are alike */
#define COUNT_COHORTS_MAX 256 /* keep_s is at most four hours */
#define COUNT_BRANCHES 8      /* next cameras that are remembered for one */

struct count_cohort {
    alignas(32) int32_t number;     /* of COUNT_COHORT_MS since the clock's epoch, from 1; 0: none */
    uint16_t n[COUNT_SIGHTINGS];    /* passages */
    uint16_t open[COUNT_SIGHTINGS]; /* of these not yet followed by another sighting */
};

struct count_branch {
    uint32_t to; /* camera */
    float free_s, n;
    int32_t left; /* cohort of the latest that came there: first in, first out, those before it have come, too, or never will */
    int32_t came; /* when the last one came, numbered as cohorts are */
};

/* Unsettled passages of a camera, or of the cameras of an area. */
struct count_open {
    double expected; /* of them are sighted again */
    double ending;   /* of them end before; misread plates are in neither */
    double n_again;  /* of them were sighted again */
    double n_known;  /* of them were not: vehicles that may be on the road */
};

static inline void count_open_add(struct count_open *to, const struct count_open *from)
{
    to->expected += from->expected;
    to->ending += from->ending;
    to->n_again += from->n_again;
    to->n_known += from->n_known;
}

/* A camera's part. */
struct count_account {
    alignas(MEM_LINE) struct count_cohort *cohorts; /* [n_cohorts of the balance], by number */
    struct count_open *open;                        /* what is unsettled where the camera is; the owner's */
    int64_t clock_ms;                               /* latest free-flow arrival among those that have come; INT64_MIN: none */
    double lateness_s;                              /* of the last ones */
    double gaps_s, n_gaps;                          /* seconds to the next sighting, faded */
    double share;           /* as learned last: of this camera's passages that are sighted again, over those of the city */
    int32_t settled_before; /* as learned last: cohorts before this one are settled */
    uint32_t n_branches;    /* up to here all that a passage needs, but of the camera it comes from: one line of the cache */
    struct count_branch branches[COUNT_BRANCHES];
    double seen; /* as learned last: vehicles seen here last that are on the road still */
};

struct count_balance {
    struct count_settings settings;
    int32_t n_cohorts;
    double again[COUNT_SIGHTINGS]; /* P */
    double ghosts;                 /* share of first sightings that are misread plates */
    double fall;                   /* P of one sighting over that of the next one */
    double late_share;             /* of the ways between cameras: those to a camera behind a queue */
    /* of now: passages, the first ones of a trip, and the seconds they came in as of the last learning */
    double n_passages, n_first, window_s;
    double way_s; /* from one sighting to the next, as learned last; the owner's: with it those fade */
    /* of now, faded with fade_s: gaps, ways found and their free-flow seconds */
    double n_gaps, gaps_s, n_ways, ways_s;
    struct count_ends ends; /* the owner's, unknown until it says */
    int64_t begun_ms;       /* the first passage; INT64_MIN: none */
    int64_t learned_ms;     /* INT64_MIN: never */
    int64_t rated_ms;       /* when rates faded last; INT64_MIN: never */
    struct count_lifetable table;
};

/* Vehicles, of a camera, an area or the city. */
struct count_seen {
    double coming; /* to be sighted again */
    double ending; /* seen for the last time, and on their way still */
};

/* Allocates nothing. */
void count_balance_init(struct count_balance *balance, const struct count_settings *settings);
/* `open` has what is unsettled where the camera is; it is kept, and kept up. `now_ms`: INT64_MIN when nothing was told yet. ERR_NO_MEMORY.
 */
enum err count_account_init(
    const struct count_balance *balance, struct count_account *account, struct count_open *open, int64_t now_ms) MUST_CHECK;
void count_account_clear(const struct count_balance *balance, struct count_account *account); /* as after init */
void count_account_finish(struct count_account *account);
/* A passage of `seen_ms` or so will come soon: what it needs is fetched into the cache. Changes nothing. */
void count_account_fetch(const struct count_balance *balance, const struct count_account *account, int64_t seen_ms);
/* A passage, the trip's `n_sightings`-th. */
void count_account_open(struct count_balance *balance, struct count_account *account, int64_t seen_ms, uint32_t n_sightings);
/* The vehicle whose last sighting was this one, at `seen_ms`, was sighted again `gap_s` later. */
void count_account_close(struct count_balance *balance, struct count_account *account, int64_t seen_ms, uint32_t n_sightings, double gap_s);
/* A vehicle came to camera `to`, last seen at camera `from` at `left_ms`; `free_s` of free flow and `n_edges` between them (0: unknown). */
void count_account_link(struct count_balance *balance, struct count_account *from, struct count_account *to, uint32_t to_number,
    double free_s, uint32_t n_edges, int64_t left_ms, int64_t came_ms);
/* Which cohorts are settled, and P of them; to be called every minute or less. `accounts` [n] are all there are, by the number of the
 * camera; to what is unsettled where each is its own is added: the caller clears that before. */
void count_balance_learn(struct count_balance *balance, struct count_account *accounts, uint32_t n, int64_t now_ms);
/* Rates of passages fade; to be called every ten seconds or so. */
void count_balance_rate(struct count_balance *balance, int64_t now_ms);
/* How much of a city with queues it is, 0 to 1. */
double count_balance_jam(const struct count_balance *balance);
/* Seconds that the faded sums of passages stand for at `now_ms`. */
double count_balance_window_s(const struct count_balance *balance, int64_t now_ms);

#endif
