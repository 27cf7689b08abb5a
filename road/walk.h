/*
 * Short ways by distance, as map matching needs them: from the end of one edge to the starts of a handful of others, no farther than so
 * many metres. Dijkstra's search over the turns, which stops as soon as it knows them all; a hierarchy would be slower here, since
 * most of these ways are an edge or two long. One walk is one thread's, and nothing is allocated by a search.
 */
#ifndef ROAD_WALK_H
#define ROAD_WALK_H

#include "road/hierarchy.h"

#define ROAD_WALK_EXPANDED_MAX 4096u /* edges looked at in one search: some five kilometres around in a city */

struct road_walk;

/* `hierarchy` is kept, for its turns. ERR_NO_MEMORY. */
enum err road_walk_create(const struct road_hierarchy *hierarchy, struct road_walk **ret_walk) MUST_CHECK;
void road_walk_destroy(struct road_walk *walk); /* takes NULL */
/* Metres from the end of `from` to the start of each of to[n], junctions included; INFINITY: not within `max_m`. An edge may be asked
 * for twice, and `from` itself: the way round. */
void road_walk_find(struct road_walk *walk, uint32_t from, const uint32_t *to, uint32_t n, double max_m, double *ret_m);
/* The edges of the way that the last search found to `to`, after the first edge, up to and with `to`; borrowed until the next search. */
const uint32_t *road_walk_path(struct road_walk *walk, uint32_t to, uint32_t *ret_n);

#endif
