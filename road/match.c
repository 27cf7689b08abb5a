/* Map matching; see match.h. */
#include "road/match.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define STATES_MAX ROAD_MATCH_STATES_MAX
#define LAYERS_MIN 8u      /* a track's memory at first; it doubles up to the lag */
#define LOST 25.0          /* nats: a chain so much less likely than another never wins */
#define RADIUS_SIGMAS 4.0  /* states lie within so many sigma of a point … */
#define RADIUS_M 15.0      /* … and the road's own width: a shape is the line of one lane */
#define RADIUS_AGAIN 3.0   /* where there is none, once more this far */
#define BETA_SIGMA 1.0     /* beta in metres: so much a metre of sigma … */
#define BETA_S 3.0         /* … and a second between the points: turns that the straight line does not see */
#define EXPECTED_S 15.0    /* two speeds tell how far a vehicle drove, when no more time than this is between them */
#define EXPECTED_M 5.0     /* how exactly: so many metres … */
#define EXPECTED_SIGMA 0.5 /* … so much a metre of sigma … */
#define EXPECTED_MPS 2.0   /* … and so many a second */
#define EVIDENCE_S 3.0     /* errors of points closer in time are not independent: those weigh as much less */
#define HEADING_SIGMA 20.0 /* degrees: of receivers, and of a shape that the car does not follow exactly */
#define HEADING_MPS 2.0    /* slower, a heading is noise */
#define HEADING_COST_MAX 8.0
#define SPEED_MAX_MPS 60.0 /* faster is a jump */
#define BACK_SIGMAS 3.0    /* a standing vehicle's points go back along the road, too */

enum layer_kind { LAYER_STATES, LAYER_OFF, LAYER_HELD, LAYER_JUMP };

struct state {
    struct road_point point;
    double score; /* log likelihood of the best chain to here, less that of the layer's best */
    uint32_t edge;
    float offset_m, distance_m;
    float way_m;  /* from the state before */
    uint8_t back; /* the state before, in the last layer with states */
    bool is_alive;
};

struct layer { /* of one point */
    struct road_fix fix;
    enum layer_kind kind; /* LAYER_HELD: nothing led here; the next point decides whether it is a jump or a break */
    bool is_told, is_begin;
    uint8_t n, chosen;
    struct state states[STATES_MAX];
};

struct road_matcher {
    const struct road_network *network;
    const struct road_nearest *nearest;
    struct road_match_settings settings;
    struct road_walk *walk;
};

struct road_track {
    struct road_matcher *matcher;
    struct layer *layers; /* a ring; the first one may be told already, the rest is not */
    uint32_t cap, first, n;
    int64_t last_ms; /* of the newest point */
    bool has_last;
    bool has_told; /* a matched point, the way goes on from there */
    uint32_t told_edge;
    float told_offset_m;
};

enum err road_matcher_create(const struct road_hierarchy *hierarchy, const struct road_nearest *nearest,
    const struct road_match_settings *settings, struct road_matcher **ret_matcher)
{
    if (!(settings->sigma_m >= 1 && settings->sigma_m <= 200) || !(settings->gap_s > 0) || settings->lag == 0 ||
        settings->lag > ROAD_MATCH_LAG_MAX)
        return ERR_RANGE;
    struct road_matcher *matcher = mem_alloc_zero(1, sizeof(*matcher));
    if (matcher == NULL)
        return ERR_NO_MEMORY;
    *matcher = (struct road_matcher){.network = hierarchy->network, .nearest = nearest, .settings = *settings};
    enum err err = road_walk_create(hierarchy, &matcher->walk);
    if (err != ERR_OK)
        mem_free(matcher);
    else
        *ret_matcher = matcher;
    return err;
}

void road_matcher_destroy(struct road_matcher *matcher)
{
    if (matcher == NULL)
        return;
    road_walk_destroy(matcher->walk);
    mem_free(matcher);
}

enum err road_track_create(struct road_matcher *matcher, struct road_track **ret_track)
{
    struct road_track *track = mem_alloc_zero(1, sizeof(*track));
    if (track == NULL)
        return ERR_NO_MEMORY;
    track->matcher = matcher;
    *ret_track = track;
    return ERR_OK;
}

void road_track_destroy(struct road_track *track)
{
    if (track == NULL)
        return;
    mem_free(track->layers);
    mem_free(track);
}

static struct layer *layer_at(const struct road_track *track, uint32_t i)
{
    return &track->layers[(track->first + i) & (track->cap - 1)];
}

static enum err make_room(struct road_track *track)
{
    if (track->n < track->cap)
        return ERR_OK;
    uint32_t cap = track->cap == 0 ? LAYERS_MIN : track->cap * 2;
    struct layer *layers = mem_alloc(cap * sizeof(*layers));
    if (layers == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < track->n; i++)
        layers[i] = *layer_at(track, i);
    mem_free(track->layers);
    track->layers = layers;
    track->cap = cap;
    track->first = 0;
    return ERR_OK;
}

/* ---- a point's states ---- */

static double heading_cost(const struct road_fix *fix, double road_heading)
{
    if (isnan(fix->heading) || fix->speed_mps < HEADING_MPS)
        return 0;
    double off = remainder(road_heading - fix->heading, 360) / HEADING_SIGMA;
    return fmin(off * off / 2, HEADING_COST_MAX);
}

static void find_states(const struct road_matcher *matcher, struct layer *layer)
{
    double sigma = matcher->settings.sigma_m;
    struct road_match matches[STATES_MAX];
    struct road_nearest_query query = {.point = layer->fix.point, .max_distance_m = RADIUS_SIGMAS * sigma + RADIUS_M, .cars_only = true};
    uint32_t n = road_nearest_around(matcher->nearest, &query, matches, STATES_MAX);
    if (n == 0) {
        query.max_distance_m *= RADIUS_AGAIN;
        n = road_nearest_around(matcher->nearest, &query, matches, STATES_MAX);
    }
    layer->kind = n > 0 ? LAYER_STATES : LAYER_OFF;
    layer->n = (uint8_t)n;
    for (uint32_t i = 0; i < n; i++) {
        double z = matches[i].distance_m / sigma;
        layer->states[i] = (struct state){.point = matches[i].point,
            .score = -z * z / 2 - heading_cost(&layer->fix, matches[i].heading),
            .edge = matches[i].edge,
            .offset_m = (float)matches[i].offset_m,
            .distance_m = (float)matches[i].distance_m,
            .is_alive = true};
    }
}

/* ---- from one point to the next ---- */

struct step {
    double straight_m, beta_m, max_m, back_m;
    double weight;                      /* of what the next point says by itself */
    double expected_m, expected_beta_m; /* by the speeds; expected_m is NAN when they do not tell */
};

static struct step step_between(const struct road_matcher *matcher, const struct road_fix *a, const struct road_fix *b)
{
    double sigma = matcher->settings.sigma_m, dt_s = (double)(b->time_ms - a->time_ms) / 1000;
    struct step step = {.straight_m = road_distance_m(matcher->network, a->point, b->point),
        .beta_m = BETA_SIGMA * sigma + BETA_S * dt_s,
        .weight = fmin(1, dt_s / EVIDENCE_S),
        .back_m = BACK_SIGMAS * sigma + RADIUS_M};
    step.expected_m = dt_s <= EXPECTED_S ? (a->speed_mps + b->speed_mps) / 2 * dt_s : NAN;
    step.expected_beta_m = EXPECTED_M + EXPECTED_SIGMA * sigma + EXPECTED_MPS * dt_s;
    double fastest_m = SPEED_MAX_MPS * dt_s + 2 * BACK_SIGMAS * sigma;
    step.max_m = fmin(step.straight_m + LOST * step.beta_m, fastest_m);
    return step;
}

/* Metres driven from one state to each of the next layer's; INFINITY: too far. */
static void find_ways(
    const struct road_matcher *matcher, const struct state *from, const struct layer *next, const struct step *step, double *ret_m)
{
    double left_m = matcher->network->edges[from->edge].length_m - (double)from->offset_m, found_m[STATES_MAX];
    uint32_t wanted[STATES_MAX], places[STATES_MAX], n = 0;
    for (uint32_t j = 0; j < next->n; j++) {
        const struct state *to = &next->states[j];
        double ahead_m = (double)to->offset_m - (double)from->offset_m;
        ret_m[j] = INFINITY;
        if (to->edge == from->edge && ahead_m >= -step->back_m)
            ret_m[j] = ahead_m;
        else if (left_m + (double)to->offset_m <= step->max_m) {
            wanted[n] = to->edge;
            places[n++] = j;
        }
    }
    if (n == 0)
        return;
    road_walk_find(matcher->walk, from->edge, wanted, n, step->max_m - left_m, found_m);
    for (uint32_t i = 0; i < n; i++)
        ret_m[places[i]] = left_m + found_m[i] + (double)next->states[places[i]].offset_m;
}

/* Extends the chains of `from` to `to`; false when none leads there, and `to` is as it was. */
static bool extend(const struct road_matcher *matcher, const struct layer *from, struct layer *to)
{
    struct step step = step_between(matcher, &from->fix, &to->fix);
    double best[STATES_MAX], ways_m[STATES_MAX], top = -INFINITY;
    uint8_t back[STATES_MAX];
    float way_m[STATES_MAX];
    for (uint32_t j = 0; j < to->n; j++)
        best[j] = -INFINITY;
    if (step.straight_m > step.max_m)
        return false;
    for (uint32_t i = 0; i < from->n; i++) {
        if (!from->states[i].is_alive)
            continue;
        find_ways(matcher, &from->states[i], to, &step, ways_m);
        for (uint32_t j = 0; j < to->n; j++) {
            /* Going back is driving nowhere, and then as far off as it went back. */
            double off_m = ways_m[j] < 0 ? step.straight_m - ways_m[j] : fabs(ways_m[j] - step.straight_m);
            double score = from->states[i].score - off_m / step.beta_m;
            if (!isnan(step.expected_m))
                score -= fabs(fmax(ways_m[j], 0) - step.expected_m) / step.expected_beta_m;
            if (ways_m[j] > step.max_m || score <= best[j])
                continue;
            best[j] = score;
            back[j] = (uint8_t)i;
            way_m[j] = (float)ways_m[j];
        }
    }
    for (uint32_t j = 0; j < to->n; j++)
        top = fmax(top, best[j] + step.weight * to->states[j].score);
    if (isinf(top))
        return false;
    for (uint32_t j = 0; j < to->n; j++) {
        struct state *state = &to->states[j];
        state->score = best[j] + step.weight * state->score - top;
        state->is_alive = state->score >= -LOST;
        if (state->is_alive) {
            state->back = back[j];
            state->way_m = way_m[j];
        }
    }
    return true;
}

/* ---- telling ---- */

static void tell(struct road_track *track, struct layer *layer, road_matched_fn on_matched, void *context)
{
    struct road_matcher *matcher = track->matcher;
    struct road_matched matched = {.fix = layer->fix, .edge = ROAD_NONE};
    layer->is_told = true;
    if (layer->kind != LAYER_STATES) {
        matched.kind = layer->kind == LAYER_OFF ? ROAD_OFF : ROAD_JUMP;
        on_matched(context, &matched);
        return;
    }
    const struct state *state = &layer->states[layer->chosen];
    matched.is_begin = !track->has_told;
    matched.edge = state->edge;
    matched.offset_m = (double)state->offset_m;
    matched.distance_m = (double)state->distance_m;
    matched.point = state->point;
    bool is_same = state->edge == track->told_edge && fabsf(state->offset_m - track->told_offset_m - state->way_m) < 0.1F;
    if (track->has_told && !is_same) { /* the same search as when the way was weighed */
        double left_m = matcher->network->edges[track->told_edge].length_m - (double)track->told_offset_m, found_m;
        double max_m = (double)state->way_m - left_m - matched.offset_m + 0.1;
        road_walk_find(matcher->walk, track->told_edge, &state->edge, 1, max_m, &found_m);
        if (!isinf(found_m))
            matched.way = road_walk_path(matcher->walk, state->edge, &matched.n_way);
        else
            matched.is_begin = true;
    }
    track->has_told = true;
    track->told_edge = state->edge;
    track->told_offset_m = state->offset_m;
    on_matched(context, &matched);
}

/* Which states were chosen on the way to state `chosen` of layer `last`. */
static void choose_back(const struct road_track *track, uint32_t last, uint8_t chosen)
{
    for (uint32_t i = last + 1; i-- > 0;) {
        struct layer *layer = layer_at(track, i);
        if (layer->kind != LAYER_STATES)
            continue;
        layer->chosen = chosen;
        chosen = layer->states[chosen].back;
    }
}

/* Tells layers up to `last`, which stays as the first one when it has states: the next step begins there. */
static void tell_until(struct road_track *track, uint32_t last, road_matched_fn on_matched, void *context)
{
    uint32_t n_gone = 0;
    for (uint32_t i = 0; i <= last; i++) {
        struct layer *layer = layer_at(track, i);
        if (!layer->is_told)
            tell(track, layer, on_matched, context);
        n_gone += i < last || layer->kind != LAYER_STATES;
    }
    track->first = (track->first + n_gone) & (track->cap - 1);
    track->n -= n_gone;
}

static uint32_t last_with_states(const struct road_track *track)
{
    uint32_t i = track->n;
    while (i > 0 && layer_at(track, i - 1)->kind != LAYER_STATES)
        i--;
    return i > 0 ? i - 1 : ROAD_NONE;
}

static uint8_t best_state(const struct layer *layer)
{
    uint8_t best = 0;
    for (uint8_t i = 0; i < layer->n; i++)
        if (layer->states[i].is_alive && (!layer->states[best].is_alive || layer->states[i].score > layer->states[best].score))
            best = i;
    return best;
}

/* What all living chains agree on is told. */
static void tell_agreed(struct road_track *track, road_matched_fn on_matched, void *context)
{
    uint32_t at = last_with_states(track), mask = 0;
    if (at == ROAD_NONE)
        return;
    const struct layer *newest = layer_at(track, at);
    for (uint32_t i = 0; i < newest->n; i++)
        mask |= newest->states[i].is_alive ? 1u << i : 0;
    for (;; at--) {
        const struct layer *layer = layer_at(track, at);
        if (layer->kind == LAYER_STATES) {
            if (layer->is_told)
                return;
            if ((mask & (mask - 1)) == 0)
                break;
            uint32_t before = 0;
            for (uint32_t i = 0; i < layer->n; i++)
                before |= mask & 1u << i ? 1u << layer->states[i].back : 0;
            mask = before;
        }
        if (at == 0)
            return;
    }
    uint8_t chosen = (uint8_t)__builtin_ctz(mask);
    choose_back(track, at, chosen);
    for (uint32_t i = 0; i < layer_at(track, at)->n; i++)
        layer_at(track, at)->states[i].is_alive = i == chosen;
    tell_until(track, at, on_matched, context);
}

/* Past the lag the oldest is told by the best chain of now, and chains that say otherwise are given up. */
static void tell_late(struct road_track *track, road_matched_fn on_matched, void *context)
{
    uint32_t newest = last_with_states(track), first = 0;
    while (first < track->n && layer_at(track, first)->is_told)
        first++;
    if (newest == ROAD_NONE || first > newest) { /* nothing but points off the road: whoever comes back to one begins anew */
        tell_until(track, track->n - 1, on_matched, context);
        track->has_told = false;
        return;
    }
    choose_back(track, newest, best_state(layer_at(track, newest)));
    while (layer_at(track, first)->kind != LAYER_STATES)
        first++;
    uint32_t mask = 1u << layer_at(track, first)->chosen;
    for (uint32_t i = first; i <= newest; i++) {
        struct layer *layer = layer_at(track, i);
        if (layer->kind != LAYER_STATES)
            continue;
        uint32_t next = 0;
        for (uint32_t k = 0; k < layer->n; k++) {
            layer->states[k].is_alive &= i == first ? (mask >> k & 1) != 0 : (mask >> layer->states[k].back & 1) != 0;
            next |= layer->states[k].is_alive ? 1u << k : 0;
        }
        mask = next;
    }
    tell_until(track, first, on_matched, context);
}

void road_track_end(struct road_track *track, road_matched_fn on_matched, void *context)
{
    uint32_t newest = last_with_states(track);
    if (newest != ROAD_NONE && !layer_at(track, newest)->is_told)
        choose_back(track, newest, best_state(layer_at(track, newest)));
    for (uint32_t i = 0; i < track->n; i++)
        if (!layer_at(track, i)->is_told)
            tell(track, layer_at(track, i), on_matched, context);
    track->n = track->first = 0;
    track->has_told = track->has_last = false;
}

/* ---- a new point ---- */

static struct layer *push_layer(struct road_track *track, const struct road_fix *fix)
{
    struct layer *layer = layer_at(track, track->n++);
    layer->fix = *fix;
    layer->is_told = false;
    layer->chosen = 0;
    find_states(track->matcher, layer);
    return layer;
}

/* The newest layer joins the chains, begins them, or waits as a jump. False: two in a row that nothing leads to, a break. */
static bool join(struct road_track *track)
{
    struct layer *newest = layer_at(track, track->n - 1);
    if (newest->kind != LAYER_STATES)
        return true;
    enum layer_kind kind = newest->kind;
    newest->kind = LAYER_HELD; /* not itself the last with states */
    uint32_t before = last_with_states(track);
    newest->kind = kind;
    bool was_held = track->n >= 2 && layer_at(track, track->n - 2)->kind == LAYER_HELD;
    if (before == ROAD_NONE)
        return true;
    if (extend(track->matcher, layer_at(track, before), newest)) {
        if (was_held)
            layer_at(track, track->n - 2)->kind = LAYER_JUMP;
        return true;
    }
    newest->kind = LAYER_HELD;
    return !was_held;
}

enum err road_track_add(struct road_track *track, const struct road_fix *fix, road_matched_fn on_matched, void *context)
{
    if (!isfinite(fix->point.lon) || !isfinite(fix->point.lat) || (track->has_last && fix->time_ms <= track->last_ms))
        return ERR_RANGE;
    if (track->has_last && (double)(fix->time_ms - track->last_ms) > track->matcher->settings.gap_s * 1000)
        road_track_end(track, on_matched, context);
    enum err err = make_room(track);
    if (err != ERR_OK)
        return err;
    push_layer(track, fix);
    if (!join(track)) { /* what came before ends; the one held back begins anew, and this one follows it */
        struct road_fix held = layer_at(track, track->n - 2)->fix;
        track->n -= 2;
        road_track_end(track, on_matched, context);
        push_layer(track, &held);
        push_layer(track, fix);
        bool is_joined = join(track);
        assert(is_joined);
    }
    track->last_ms = fix->time_ms;
    track->has_last = true;
    tell_agreed(track, on_matched, context);
    uint32_t n_untold = track->n - (track->n > 0 && layer_at(track, 0)->is_told);
    if (n_untold > track->matcher->settings.lag)
        tell_late(track, on_matched, context);
    return ERR_OK;
}
