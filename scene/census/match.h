/*
 * Which sightings are of one object: a partition of them, drawn by Markov chain Monte Carlo from how likely each grouping is under the
 * errors of place, the density of objects around, each survey's misses and doubles, and classes misread. docs/census.md, "Matching".
 *
 * Drawn, not chosen: the one likeliest partition joins neighbours more often than they are one, and would count too few.
 */
#ifndef SCENE_CENSUS_MATCH_H
#define SCENE_CENSUS_MATCH_H

#include "scene/census/detect.h"
#include "scene/census/near.h"
#include "scene/census/random.h"

#define MATCH_NONE UINT32_MAX
#define MATCH_KINDS_MAX 4 /* classes that one object is read as; another is not joined to it */
#define MATCH_CACHE 4096u /* logs of chances, by what saw and covered */
#define MATCH_DOUBLES_KEPT 16u

struct match_cluster {
    double weight, x, y, square; /* sums over its sightings, weighted by 1 / error² */
    double log_weight, log_density;
    double score;
    uint32_t n;
    uint16_t covers, area;
    uint8_t n_kinds;
    struct {
        uint8_t class, n;
    } kinds[MATCH_KINDS_MAX];
    uint8_t counts[CENSUS_SURVEYS_MAX]; /* of its sightings, at most 255 */
};

struct match {
    const struct census_sighting *sightings; /* borrowed */
    const struct detect *detect;             /* borrowed */
    uint32_t n;
    double origin_x, origin_y;
    struct near near;
    double *log_density;            /* [n] of objects, a square metre, less the log of its class's share */
    double *log_weight;             /* [n] of 1 / error² */
    uint32_t *cluster_of;           /* [n] */
    struct match_cluster *clusters; /* [n]; n == 0: free */
    uint32_t *free_clusters;
    uint32_t n_free;
    /* what is drawn with the partition */
    double duplicates[CENSUS_SURVEYS_MAX]; /* chance of a further sighting, each time */
    double error_scale, misread;
    double crowding;                  /* density of objects around one nearer than the ring, over that in the ring */
    double share[CENSUS_CLASSES_MAX]; /* of the objects */
    /* what the scores are made of */
    double log_doubles[CENSUS_SURVEYS_MAX][MATCH_DOUBLES_KEPT], log_further[CENSUS_SURVEYS_MAX];
    double log_share[CENSUS_CLASSES_MAX], log_plane /* log(2 pi scale²) */, log_read, log_misread;
    struct {
        uint64_t key;
        double log_chance;
    } cache[MATCH_CACHE];
    struct census_random random;
};

/* Borrows the sightings and the detection until finish; all alone at first. ERR_FULL: too many at one place; ERR_NO_MEMORY. Finish it in
 * any case. */
enum err match_init(
    struct match *match, const struct census_sighting *sightings, uint32_t n, const struct detect *detect, uint64_t seed) MUST_CHECK;
void match_finish(struct match *match);
/* Draws doubles, errors, misreads, shares and density from the partition as it stands; call it when detection has changed, too. */
void match_draw(struct match *match);
/* Joins clusters wherever that is likelier: a start, and no draw. */
void match_join(struct match *match);
/* Each sighting once out of its cluster and into one drawn; then clusters parted and joined as a whole, about as often. */
void match_sweep(struct match *match);

static inline uint16_t match_seen(const struct match_cluster *cluster)
{
    uint16_t seen = 0;
    for (uint32_t k = 0; k < CENSUS_SURVEYS_MAX; k++)
        if (cluster->counts[k] > 0)
            seen |= (uint16_t)(1u << k);
    return seen;
}

/* What most of its sightings say; of equals the lower. Its index in `kinds`. */
static inline uint32_t match_kind(const struct match_cluster *cluster)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < cluster->n_kinds; i++)
        if (cluster->kinds[i].n > cluster->kinds[best].n ||
            (cluster->kinds[i].n == cluster->kinds[best].n && cluster->kinds[i].class < cluster->kinds[best].class))
            best = i;
    return best;
}

#endif
