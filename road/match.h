/*
 * Map matching (地图匹配): on which road, and where on it, was a vehicle whose GPS points are noisy and sparse; and which way it drove
 * between.
 *
 * A hidden Markov model (Newson, Krumm, ACM GIS 2009). States of a point are the nearest places on the edges around it. A state is the
 * likelier the nearer it lies (normal, sigma), and the better the road's direction fits the heading, where there is one and the vehicle
 * moves. A step between two states is the likelier the less the driven way differs from the straight line between the points
 * (exponential, beta, which grows with sigma and with the time between the points), and from what the two speeds, where they are told,
 * make of the time. Viterbi's algorithm finds the likeliest chain.
 *
 * On line: a point is told as soon as all chains that are still alive agree on it, at the latest `lag` points later. Off line is the same
 * with a long lag. A track breaks where too much time passed, or where no chain leads on; a single point that nothing leads to is told as
 * a jump, and the track goes on past it.
 *
 * A matcher is one thread's and serves any number of tracks, one a vehicle.
 */
#ifndef ROAD_MATCH_H
#define ROAD_MATCH_H

#include "road/nearest.h"
#include "road/walk.h"

#define ROAD_MATCH_STATES_MAX 12 /* of a point: both directions of six roads; whoever stands at a crossing has all of its roads around */
#define ROAD_MATCH_LAG_MAX 4096u

struct road_match_settings {
    double sigma_m; /* of the points' error, in each direction; 1 to 200 */
    double gap_s;   /* a longer silence breaks the track */
    uint32_t lag;   /* points; 1 to ROAD_MATCH_LAG_MAX */
};
#define ROAD_MATCH_LIVE ((struct road_match_settings){.sigma_m = 10, .gap_s = 300, .lag = 20})
#define ROAD_MATCH_FILE ((struct road_match_settings){.sigma_m = 10, .gap_s = 300, .lag = 256})

struct road_fix { /* a GPS point */
    int64_t time_ms;
    struct road_point point;
    double speed_mps; /* NAN: not told */
    double heading;   /* degrees clockwise from north; NAN: not told */
};

enum road_matched_kind {
    ROAD_MATCHED,
    ROAD_OFF,  /* no road near */
    ROAD_JUMP, /* a road is near, but no way leads there and back in the time */
};

struct road_matched {
    struct road_fix fix;
    enum road_matched_kind kind;
    bool is_begin; /* of a track: the way to here is not known */
    /* of ROAD_MATCHED only */
    uint32_t edge;
    double offset_m, distance_m; /* from the edge's start; from the fix */
    struct road_point point;     /* on the edge */
    const uint32_t *way;         /* edges driven since the matched point before, after its edge, up to and with this; borrowed */
    uint32_t n_way;              /* 0: the same edge */
};

typedef void (*road_matched_fn)(void *context, const struct road_matched *matched);

struct road_matcher;
struct road_track;

/* `hierarchy` and `nearest` are kept, and of one network. ERR_NO_MEMORY; ERR_RANGE of a setting. */
enum err road_matcher_create(const struct road_hierarchy *hierarchy, const struct road_nearest *nearest,
    const struct road_match_settings *settings, struct road_matcher **ret_matcher) MUST_CHECK;
void road_matcher_destroy(struct road_matcher *matcher); /* takes NULL; after its tracks */

enum err road_track_create(struct road_matcher *matcher, struct road_track **ret_track) MUST_CHECK; /* ERR_NO_MEMORY */
void road_track_destroy(struct road_track *track); /* takes NULL; what was not told is lost */
/* One more point; `on_matched` gets what is now certain, in the order of time. ERR_RANGE: not later than the point before, or no place;
 * ERR_NO_MEMORY: the point is lost, the track goes on. */
enum err road_track_add(struct road_track *track, const struct road_fix *fix, road_matched_fn on_matched, void *context) MUST_CHECK;
/* No more is known: the rest is told. The next point begins anew. */
void road_track_end(struct road_track *track, road_matched_fn on_matched, void *context);

#endif
