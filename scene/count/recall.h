/*
 * How many of those that pass it does a camera read? Learned from re-sightings: a vehicle seen at A and then at C, where the way needs B.
 *
 * A *gap* is two cameras A and C with one camera B between them on the fastest way, where every way past B takes so long that a vehicle
 * that came from A to C in less time must have passed B. Of such vehicles some were read at B, some were not: the share is B's recall. A
 * vehicle that was seen at neither end says nothing, so the ends' own recall does not matter.
 *
 * A gap is found by the first vehicle that B missed, and counted from the next one on, so that finding it favours nobody. Misread plates
 * count as missed. Bounded: COUNT_RECALL_GAPS gaps, the row's longest unused makes room; at most COUNT_RECALL_SEARCHES ways past a camera
 * are looked for between two rounds of learning.
 */
#ifndef SCENE_COUNT_RECALL_H
#define SCENE_COUNT_RECALL_H

#include "road/route.h"

#include <stdbool.h>
#include <stdint.h>

#define COUNT_RECALL_GAPS 16384u /* a power of two */
#define COUNT_RECALL_SEARCHES 32
#define COUNT_RECALL_EXPANDED 1500u
#define COUNT_RECALL_PAST_S 600.0 /* a way past a camera is looked for this far */
#define COUNT_RECALL_LEAST 30.0   /* vehicles that a recall is told from */
#define COUNT_RECALL_FADE_S 3600.0

struct count_recall_gap {
    uint32_t from, to; /* cameras */
    uint32_t between;  /* the camera in the middle */
    float past_s;      /* who takes less cannot have come past it */
    uint64_t used;     /* 0: free */
};
#define COUNT_RECALL_NONE UINT32_MAX

struct count_recall_camera {
    uint32_t edge;
    bool is_silent;          /* the owner's: it misses nobody */
    double n_read, n_missed; /* faded */
};

struct count_recall {
    struct count_recall_gap *gaps; /* in rows of eight */
    uint32_t *tags;                /* [COUNT_RECALL_GAPS] what tells the gaps of a row apart, nearly always; 0: free */
    struct count_recall_camera *cameras;
    uint32_t n, cap;
    uint32_t *edge_cameras; /* [n_edges] the camera at the end of the edge; COUNT_RECALL_NONE where there is not one alone */
    uint32_t n_edges;
    uint64_t used;
    int32_t n_searches; /* left until the next round */
    int64_t faded_ms;
};

enum err count_recall_init(struct count_recall *recall, uint32_t n_edges) MUST_CHECK; /* ERR_NO_MEMORY */
void count_recall_finish(struct count_recall *recall);
void count_recall_clear(struct count_recall *recall);                             /* what was learned; the cameras stay */
enum err count_recall_add(struct count_recall *recall, uint32_t edge) MUST_CHECK; /* the next camera. ERR_NO_MEMORY */

/* A vehicle came to camera `to`, `gap_s` after it was at `from`; in between it was at `middle`, or nowhere (COUNT_RECALL_NONE). */
struct count_recall_pass {
    uint32_t from, middle, to;
    double gap_s;
};
/* Counts it, where there is a gap between the two. Where none is known and it was nowhere in between: looks for one on the fastest way,
 * `edges`, the last camera's among them and the first one's not. */
void count_recall_pass(
    struct count_recall *recall, struct road_router *router, const struct count_recall_pass *pass, const uint32_t *edges, uint32_t n_edges);
/* After gaps were put into the table by the caller. */
void count_recall_retag(struct count_recall *recall);
/* A pair of cameras will be asked for soon: its row is fetched into the cache. */
void count_recall_fetch(const struct count_recall *recall, uint32_t from, uint32_t to);
/* Fades, and allows new searches. */
void count_recall_learn(struct count_recall *recall, int64_t now_ms);
/* NAN when it rests on less than COUNT_RECALL_LEAST vehicles. *ret_n: on how many; may be NULL. */
double count_recall_of(const struct count_recall *recall, uint32_t camera, double *ret_n);

#endif
