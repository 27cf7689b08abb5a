/*
 * A network while it is being read: what network_xml.c gathers and network.c finishes. Only these two include it.
 */
#ifndef ROAD_NETWORK_BUILD_H
#define ROAD_NETWORK_BUILD_H

#include "road/network.h"

struct build_edge {
    struct road_edge edge;
    int first_line; /* where it was first mentioned */
    bool is_declared;
};

struct build_junction {
    struct road_junction junction;
    int first_line;
    bool is_declared;
};

struct build_connection {
    struct road_connection connection;
    uint32_t via; /* internal lane; ROAD_NONE */
    int line;
};

struct build_internal {
    float length_m, speed_mps; /* 0: mentioned only */
};

struct network_build {
    const char *file;  /* borrowed */
    struct diag *diag; /* borrowed; may be NULL */
    struct str_map edge_ids, junction_ids, names, types, internal_ids;
    struct build_edge *edges;         /* by number of edge_ids */
    struct build_junction *junctions; /* by number of junction_ids */
    struct build_internal *internals; /* by number of internal_ids */
    struct road_lane *lanes;
    struct build_connection *connections;
    struct road_point *points; /* in metres of the network until it is finished */
    uint32_t n_edges, cap_edges, n_junctions, cap_junctions, n_internals, cap_internals;
    uint32_t n_lanes, cap_lanes, n_connections, cap_connections, n_points, cap_points;
    /* <location> */
    bool has_location;
    int location_line;
    double offset_x, offset_y;
    char projection[512];
};

void network_build_init(struct network_build *build, const char *file, struct diag *diag);
void network_build_finish(struct network_build *build);
/* Makes room for one more of an array with `n` of `*cap` items in use. ERR_TOO_LARGE at `max`. */
enum err network_build_room(void **array, uint32_t n, uint32_t *cap, uint32_t max, size_t item_size) MUST_CHECK;

/* The XML reader: feeds bytes; `is_last` with the last ones. */
struct network_xml;
enum err network_xml_create(struct network_build *build, struct network_xml **ret_xml) MUST_CHECK;
void network_xml_destroy(struct network_xml *xml); /* takes NULL */
enum err network_xml_feed(struct network_xml *xml, struct str bytes, bool is_last) MUST_CHECK;

/* The same without its parser, for who has found the tags himself: what stands in a tag that begins on `line`. The first error stays. */
enum err network_xml_create_plain(struct network_build *build, struct network_xml **ret_xml) MUST_CHECK;
enum err network_xml_start(struct network_xml *xml, int line, const char *tag, const char **attributes) MUST_CHECK;
enum err network_xml_end(struct network_xml *xml, const char *tag) MUST_CHECK;
enum err network_xml_error(const struct network_xml *xml); /* the first */

/* The reader of plain networks, network_plain.c. */
struct network_plain {
    struct network_xml *xml; /* borrowed */
    char open[ROAD_XML_DEPTH_MAX][32];
    int depth, line;
    bool is_begun, is_over; /* over: the first tag was closed */
};
#define NETWORK_PLAIN_ZEROS 16u /* that the caller puts behind the bytes */
void network_plain_init(struct network_plain *plain, struct network_xml *xml);
/* Bytes, which it changes; those after *ret_taken are to be given again with more of them. False: the network is not plain, or not right,
 * and has to be read from its beginning by the other reader. */
bool network_plain_feed(struct network_plain *plain, char *bytes, size_t len, bool is_last, size_t *ret_taken);

/* Resolves, projects and sorts; `build` loses what the network takes. */
enum err network_build_complete(struct network_build *build, struct road_network **ret_network) MUST_CHECK;

#endif
