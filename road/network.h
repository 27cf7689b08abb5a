/*
 * The road network (路网): directed edges with their lanes, junctions, and the connections between them, as a SUMO network
 * file (.net.xml) gives them. netconvert is the door for OpenStreetMap and every other source.
 *
 * Read once, then immutable: any thread may look. Geometry comes out in WGS 84; a network without a projection
 * (projParameter "!") keeps its own metres, and `is_geographic` says so. Internal edges (inside junctions), crossings and
 * footpaths are not edges here; what driving through a junction takes is kept with the connection.
 *
 * What it does not keep: signal programs, lane-changing rules, roundabouts, prohibitions.
 */
#ifndef ROAD_NETWORK_H
#define ROAD_NETWORK_H

#include "base/diag.h"
#include "base/str.h"
#include "base/str_map.h"

#define ROAD_FILE_MAX (2048ull << 20) /* bytes: China's largest city is about 600 MB as .net.xml */
#define ROAD_EDGES_MAX 2000000u
#define ROAD_JUNCTIONS_MAX 2000000u
#define ROAD_LANES_PER_EDGE_MAX 64u
#define ROAD_POINTS_MAX 32000000u /* of all shapes */
#define ROAD_CONNECTIONS_MAX 16000000u
#define ROAD_XML_DEPTH_MAX 16         /* netconvert writes 4 levels */
#define ROAD_XML_TOKEN_MAX (4u << 20) /* bytes of one tag or comment */
#define ROAD_NAME_MAX 256u            /* bytes of an id, name or type */

#define ROAD_NONE UINT32_MAX /* no such edge, junction or name */

struct road_point {
    double lon, lat; /* WGS 84, degrees; metres east and north where the network has no projection */
};

struct road_lane {
    double length_m, speed_mps; /* speed limit */
    uint32_t first_point, n_points;
    bool is_for_cars;
};

struct road_edge {
    struct str id;        /* "E12#1" */
    struct str name;      /* "天目山路"; may be empty */
    struct str type;      /* "highway.secondary"; may be empty */
    uint32_t name_number; /* equal for edges of one name; ROAD_NONE without one */
    uint32_t from, to;    /* junctions */
    uint32_t first_lane, n_lanes, n_car_lanes;
    double length_m, speed_mps;     /* of the fastest car lane (of any lane, where no car may drive) */
    uint32_t first_point, n_points; /* shape of the middle car lane, at least 2 points, in driving direction */
    uint32_t first_out, n_out;      /* connections that leave it */
};

struct road_junction {
    struct str id;
    struct road_point point;
    bool has_signal; /* a traffic light */
};

struct road_connection {
    uint32_t from, to;           /* edges */
    uint16_t from_lane, to_lane; /* counted from the kerb */
    float crossing_m;            /* way through the junction; 0 when the file has no internal lanes */
    float crossing_s;            /* at its own speed limit */
    bool has_signal, is_for_cars;
    char direction; /* 's'traight, 'l'eft, 'r'ight, 't'urn, 'L', 'R' partly; '?' */
};

struct road_network {
    const struct road_edge *edges;
    uint32_t n_edges;
    const struct road_lane *lanes;
    uint32_t n_lanes;
    const struct road_junction *junctions;
    uint32_t n_junctions;
    const struct road_connection *connections; /* by `from`, in the file's order within it */
    uint32_t n_connections;
    const struct road_point *points;
    uint32_t n_points;
    const struct str_map *edge_ids, *junction_ids, *names; /* ids and names by number */
    bool is_geographic;
    struct road_point low, high; /* corners around all shapes */
};

/* `path`: a .net.xml. Errors tell file, line, cause and mend in `diag` (may be NULL): ERR_NOT_FOUND (the
 * file, or a junction or edge that it names), ERR_IO, ERR_SYNTAX, ERR_RANGE, ERR_EXISTS (an id twice), ERR_TOO_LARGE,
 * ERR_UNSUPPORTED (projection, document type), ERR_NO_MEMORY. */
enum err road_network_load(const char *path, struct diag *diag, struct road_network **ret_network) MUST_CHECK;
/* The same from memory; `name` stands for the path in errors. */
enum err road_network_parse(struct str bytes, const char *name, struct diag *diag, struct road_network **ret_network) MUST_CHECK;
void road_network_destroy(struct road_network *network); /* takes NULL */

uint32_t road_edge_find(const struct road_network *network, struct str id); /* ROAD_NONE */
/* Seconds over the edge at its speed limit, without the junction at its end. */
double road_edge_free_flow_s(const struct road_edge *edge);
/* The place at a share (0 to 1) of its shape's length, and the degrees from north of the way there; `ret_heading` may be NULL. */
struct road_point road_edge_at(const struct road_network *network, uint32_t edge, double share, double *ret_heading);
/* The place halfway along its shape. */
struct road_point road_edge_middle(const struct road_network *network, uint32_t edge);
/* Degrees clockwise from north, 0 to 360, of the way from `a` to `b`. */
double road_heading(const struct road_network *network, struct road_point a, struct road_point b);

#endif
