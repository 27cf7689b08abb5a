/*
 * What the streets need before SUMO starts: which approach each camera watches, and a loop at its stop line on every lane.
 */
#ifndef WORLD_STREETS_SETUP_H
#define WORLD_STREETS_SETUP_H

#include "world/city.h"
#include "world/streets.h"

#define STREETS_SIGHT_M 60.0       /* a camera farther from every road than this watches none */
#define STREETS_SIGHT_DEGREES 50.0 /* between its heading and the road's */
#define STREETS_COUNT_CAMERAS 3u   /* one in so many edges with a camera has its vehicles counted ... */
#define STREETS_COUNT_BARE 10u     /* ... and one in so many of the others ... */
#define STREETS_COUNT_BARE_M 60.0  /* ... that are as long as this */
#define STREETS_LOOP_BACK_M 0.5    /* of the loop from the stop line: who waits at the line has not passed it */

struct streets_sights {
    uint32_t *edges; /* owned; [n_cameras], ROAD_NONE: sees no road */
};

enum err streets_sights_init(
    const struct world_city *city, const struct road_network *network, struct streets_sights *ret_sights) MUST_CHECK;
void streets_sights_finish(struct streets_sights *sights);

enum err streets_counted_init(const struct world_city *city, const struct road_network *network, const struct streets_sights *sights,
    struct streets_counted *ret_counted) MUST_CHECK; /* ERR_NO_MEMORY */
void streets_counted_finish(struct streets_counted *counted);

/* Vehicle types and loops as SUMO's additional file. Two cameras on one approach get a loop each. ERR_NOT_FOUND with the camera that
 * sees no road, when none of them sees one. */
enum err streets_write_loops(const struct world_city *city, const struct road_network *network, const struct streets_sights *sights,
    const struct streets_counted *counted, const char *path, struct diag *diag) MUST_CHECK;
/* "c12.3": camera, and lane counted from the middle of the road from 1; `lane` counts from the kerb from 0. "l12.3": place among the
 * counted edges, of a loop that is no camera's. False for a lane where no car may drive. */
bool streets_loop_name(
    const struct road_network *network, uint32_t edge, char kind, uint32_t number, uint32_t lane, char *out, size_t size);
bool streets_parse_loop(struct str loop, char *ret_kind, uint32_t *ret_number, uint32_t *ret_lane);
/* Where an edge of SUMO lies, halfway; an edge inside a junction (":j12_3") at the junction. False: unknown here. */
bool streets_edge_place(const struct road_network *network, struct str edge, struct road_point *ret_place);

#endif
