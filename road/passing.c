/* Times on edges; see passing.h. */
#include "road/passing.h"

#include <math.h>

static struct road_turn turn_to(const struct road_hierarchy *hierarchy, uint32_t from, uint32_t to)
{
    for (uint32_t t = hierarchy->first_turn[from]; t < hierarchy->first_turn[from + 1]; t++)
        if (hierarchy->turns[t].to == to)
            return hierarchy->turns[t];
    return (struct road_turn){.to = to};
}

static double crossing_s(const struct road_hierarchy *hierarchy, uint32_t from, uint32_t to)
{
    return turn_to(hierarchy, from, to).crossing_ms / 1000.0;
}

/* Free-flow seconds from the place where the track is to the matched point. */
static double way_s(const struct road_passings *passings, const struct road_hierarchy *hierarchy, const struct road_matched *matched)
{
    const struct road_edge *edges = hierarchy->network->edges;
    if (matched->n_way == 0)
        return (matched->offset_m - passings->offset_m) / edges[passings->edge].speed_mps;
    double sum_s = (edges[passings->edge].length_m - passings->offset_m) / edges[passings->edge].speed_mps;
    uint32_t at = passings->edge;
    for (uint32_t i = 0; i < matched->n_way; i++) {
        uint32_t next = matched->way[i];
        double length_m = i + 1 < matched->n_way ? edges[next].length_m : matched->offset_m;
        sum_s += crossing_s(hierarchy, at, next) + length_m / edges[next].speed_mps;
        at = next;
    }
    return sum_s;
}

static void begin(struct road_passings *passings, const struct road_matched *matched)
{
    *passings = (struct road_passings){.is_on = true,
        .edge = matched->edge,
        .offset_m = matched->offset_m,
        .enter_ms = matched->fix.time_ms,
        .time_ms = matched->fix.time_ms};
}

void road_passings_end(struct road_passings *passings, road_passing_fn on_passing, void *context)
{
    if (passings->is_on)
        on_passing(context, &(struct road_passing){passings->edge, passings->enter_ms, passings->time_ms, false, 0, 0});
    *passings = (struct road_passings){.is_on = false};
}

void road_passings_add(struct road_passings *passings, const struct road_hierarchy *hierarchy, const struct road_matched *matched,
    road_passing_fn on_passing, void *context)
{
    if (matched->kind != ROAD_MATCHED)
        return;
    if (matched->is_begin || !passings->is_on) {
        road_passings_end(passings, on_passing, context);
        begin(passings, matched);
        return;
    }
    const struct road_edge *edges = hierarchy->network->edges;
    double all_s = way_s(passings, hierarchy, matched), took_ms = (double)(matched->fix.time_ms - passings->time_ms), done_s = 0;
    uint32_t at = passings->edge;
    double edge_s = (edges[at].length_m - passings->offset_m) / edges[at].speed_mps; /* from here, or the junction, to its end */
    for (uint32_t i = 0; i < matched->n_way; i++) {
        uint32_t next = matched->way[i];
        done_s += edge_s;
        int64_t left_ms = passings->time_ms + llround(all_s > 0 ? took_ms * fmin(done_s / all_s, 1) : 0);
        on_passing(context,
            &(struct road_passing){at, passings->enter_ms, left_ms, passings->is_from_start, passings->free_s, passings->length_m});
        passings->enter_ms = left_ms;
        passings->is_from_start = true;
        struct road_turn turn = turn_to(hierarchy, at, next);
        edge_s = turn.crossing_ms / 1000.0 + edges[next].length_m / edges[next].speed_mps;
        passings->free_s = edge_s;
        passings->length_m = (double)turn.crossing_m + edges[next].length_m;
        at = next;
    }
    passings->edge = at;
    /* A standing vehicle's points go back along the road; it does not. */
    passings->offset_m = matched->n_way == 0 ? fmax(passings->offset_m, matched->offset_m) : matched->offset_m;
    passings->time_ms = matched->fix.time_ms;
}
