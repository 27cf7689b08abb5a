/*
 * The reader of .net.xml: expat's events into a struct network_build.
 *
 * A document type is refused, and with it every entity of the file's own: a network needs none, and they are the way to make a
 * small file large. Depth, tag size, counts and number ranges are bounded; the first error stops the parser and keeps its line.
 */
#include "base/mem.h"
#include "road/network_build.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

enum inside { INSIDE_NOTHING, INSIDE_EDGE, INSIDE_INTERNAL };

struct network_xml {
    struct network_build *build;
    XML_Parser parser; /* NULL: somebody else finds the tags */
    int line;          /* then: of the current tag */
    enum err err;      /* the first; parsing stopped */
    int depth;
    bool saw_root;
    enum inside inside; /* what the current <edge> is */
    uint32_t edge;      /* number of the current edge */
    uint64_t n_fed;     /* bytes given to expat */
    uint64_t last_event_at;
};

static int line_of(struct network_xml *xml)
{
    if (xml->parser == NULL)
        return xml->line;
    XML_Size line = XML_GetCurrentLineNumber(xml->parser);
    return line > INT_MAX ? INT_MAX : (int)line;
}

static void stop(struct network_xml *xml, enum err err)
{
    if (xml->err == ERR_OK)
        xml->err = err;
    if (xml->parser != NULL)
        XML_StopParser(xml->parser, XML_FALSE);
}

#define FAIL(xml_, err_, ...) stop((xml_), diag_set((xml_)->build->diag, (err_), (xml_)->build->file, line_of(xml_), __VA_ARGS__))

/* For errors without words of their own: memory and limits. */
static void fail_plain(struct network_xml *xml, enum err err, const char *what)
{
    FAIL(xml, err, "%s: %s; use a smaller network", what, err_text(err));
}

static struct str attribute(const char **attributes, const char *name)
{
    for (size_t i = 0; attributes[i] != NULL; i += 2)
        if (attributes[i][0] == name[0] && strcmp(attributes[i], name) == 0)
            return str_from_c(attributes[i + 1]);
    return STR_NONE;
}

/* A name that must be there, of bounded length; false after an error was told. */
static bool need_name(struct network_xml *xml, const char *tag, const char **attributes, const char *name, struct str *ret_value)
{
    struct str value = attribute(attributes, name);
    if (str_is_empty(value)) {
        FAIL(xml, ERR_SYNTAX, "<%s> has no %s; give it one, or build the file again with netconvert", tag, name);
        return false;
    }
    if (value.len > ROAD_NAME_MAX) {
        FAIL(xml, ERR_TOO_LARGE, "<%s> has a %s of %zu bytes; at most %u are allowed", tag, name, value.len, ROAD_NAME_MAX);
        return false;
    }
    *ret_value = value;
    return true;
}

static bool need_real(
    struct network_xml *xml, const char *tag, const char **attributes, const char *name, double min, double max, double *ret_real)
{
    struct str text = attribute(attributes, name);
    double real;
    if (str_to_double(text, &real) != ERR_OK || real < min || real > max) {
        FAIL(xml, ERR_RANGE, "<%s> has %s=\"" STR_FORMAT "\"; it must be a number from %g to %g", tag, name,
            STR_ARG(str_slice(text, 0, 40)), min, max);
        return false;
    }
    *ret_real = real;
    return true;
}

static bool need_lane_number(struct network_xml *xml, const char **attributes, const char *name, uint16_t *ret_lane)
{
    double lane;
    if (!need_real(xml, "connection", attributes, name, 0, ROAD_LANES_PER_EDGE_MAX - 1, &lane))
        return false;
    *ret_lane = (uint16_t)lane;
    return true;
}

/* ---- numbers of edges, junctions and internal lanes, given at the first mention ---- */

static bool edge_number(struct network_xml *xml, struct str id, uint32_t *ret_number)
{
    struct network_build *build = xml->build;
    uint32_t number;
    enum err err = str_map_add(&build->edge_ids, id, &number);
    if (err == ERR_OK && number == build->n_edges) {
        err = network_build_room((void **)&build->edges, build->n_edges, &build->cap_edges, ROAD_EDGES_MAX, sizeof(*build->edges));
        if (err == ERR_OK)
            build->edges[build->n_edges++] = (struct build_edge){.first_line = line_of(xml)};
    }
    if (err != ERR_OK) {
        fail_plain(xml, err, "edges");
        return false;
    }
    *ret_number = number;
    return true;
}

static bool junction_number(struct network_xml *xml, struct str id, uint32_t *ret_number)
{
    struct network_build *build = xml->build;
    uint32_t number;
    enum err err = str_map_add(&build->junction_ids, id, &number);
    if (err == ERR_OK && number == build->n_junctions) {
        err = network_build_room(
            (void **)&build->junctions, build->n_junctions, &build->cap_junctions, ROAD_JUNCTIONS_MAX, sizeof(*build->junctions));
        if (err == ERR_OK)
            build->junctions[build->n_junctions++] = (struct build_junction){.first_line = line_of(xml)};
    }
    if (err != ERR_OK) {
        fail_plain(xml, err, "junctions");
        return false;
    }
    *ret_number = number;
    return true;
}

static bool internal_number(struct network_xml *xml, struct str id, uint32_t *ret_number)
{
    struct network_build *build = xml->build;
    uint32_t number;
    enum err err = str_map_add(&build->internal_ids, id, &number);
    if (err == ERR_OK && number == build->n_internals) {
        err = network_build_room(
            (void **)&build->internals, build->n_internals, &build->cap_internals, ROAD_CONNECTIONS_MAX, sizeof(*build->internals));
        if (err == ERR_OK)
            build->internals[build->n_internals++] = (struct build_internal){0};
    }
    if (err != ERR_OK) {
        fail_plain(xml, err, "lanes inside junctions");
        return false;
    }
    *ret_number = number;
    return true;
}

/* ---- the tags ---- */

static void on_location(struct network_xml *xml, const char **attributes)
{
    struct network_build *build = xml->build;
    if (build->has_location) {
        FAIL(xml, ERR_EXISTS, "a second <location>; keep one");
        return;
    }
    struct str offset = attribute(attributes, "netOffset"), x, y;
    if (!str_cut(offset, ',', &x, &y) || str_to_double(x, &build->offset_x) != ERR_OK || str_to_double(y, &build->offset_y) != ERR_OK) {
        FAIL(xml, ERR_SYNTAX, "<location> has netOffset=\"" STR_FORMAT "\"; it must be two numbers with a comma",
            STR_ARG(str_slice(offset, 0, 40)));
        return;
    }
    struct str projection = attribute(attributes, "projParameter");
    if (str_to_c(projection, build->projection, sizeof(build->projection)) != ERR_OK) {
        FAIL(xml, ERR_TOO_LARGE, "projParameter has %zu bytes; at most %zu are allowed", projection.len, sizeof(build->projection) - 1);
        return;
    }
    build->has_location = true;
    build->location_line = line_of(xml);
}

/* An optional text that many edges share: a name or type. `*ret_number` stays ROAD_NONE without one. */
static bool shared_text(struct network_xml *xml, struct str_map *table, struct str text, struct str *ret_text, uint32_t *ret_number)
{
    if (str_is_empty(text))
        return true;
    if (text.len > ROAD_NAME_MAX) {
        FAIL(xml, ERR_TOO_LARGE, "an edge's name or type has %zu bytes; at most %u are allowed", text.len, ROAD_NAME_MAX);
        return false;
    }
    enum err err = str_map_add(table, text, ret_number);
    if (err != ERR_OK) {
        fail_plain(xml, err, "names");
        return false;
    }
    *ret_text = str_map_key(table, *ret_number);
    return true;
}

static void on_edge(struct network_xml *xml, const char **attributes)
{
    struct str id, function = attribute(attributes, "function"), from, to;
    if (!need_name(xml, "edge", attributes, "id", &id))
        return;
    if (str_starts_with(id, STR(":")) || str_equal_c(function, "internal")) {
        xml->inside = INSIDE_INTERNAL;
        return;
    }
    if (str_equal_c(function, "crossing") || str_equal_c(function, "walkingarea"))
        return;
    uint32_t number, unused = ROAD_NONE;
    if (!need_name(xml, "edge", attributes, "from", &from) || !need_name(xml, "edge", attributes, "to", &to) ||
        !edge_number(xml, id, &number))
        return;
    struct build_edge *built = &xml->build->edges[number];
    if (built->is_declared) {
        FAIL(xml, ERR_EXISTS, "edge \"" STR_FORMAT "\" is there a second time; rename one", STR_ARG(id));
        return;
    }
    built->is_declared = true;
    struct road_edge *edge = &built->edge;
    *edge = (struct road_edge){.name_number = ROAD_NONE, .first_lane = xml->build->n_lanes};
    if (!junction_number(xml, from, &edge->from) || !junction_number(xml, to, &edge->to) ||
        !shared_text(xml, &xml->build->names, attribute(attributes, "name"), &edge->name, &edge->name_number) ||
        !shared_text(xml, &xml->build->types, attribute(attributes, "type"), &edge->type, &unused))
        return;
    xml->inside = INSIDE_EDGE;
    xml->edge = number;
}

static bool has_word(struct str list, const char *word)
{
    struct str rest = list, head, tail;
    while (str_cut(rest, ' ', &head, &tail)) {
        if (str_equal_c(head, word))
            return true;
        rest = tail;
    }
    return str_equal_c(rest, word);
}

/* SUMO: `allow` lists who may drive, `disallow` who may not; neither means everybody. */
static bool allows_cars(const char **attributes)
{
    struct str allow = attribute(attributes, "allow"), disallow = attribute(attributes, "disallow");
    if (!str_is_empty(allow))
        return has_word(allow, "passenger") || has_word(allow, "all");
    return !has_word(disallow, "passenger") && !has_word(disallow, "all");
}

/* "x,y x,y …" or "x,y,z …" into the points; false after an error was told. */
static bool read_shape(struct network_xml *xml, struct str shape, uint32_t *ret_first, uint32_t *ret_n)
{
    struct network_build *build = xml->build;
    *ret_first = build->n_points;
    struct str rest = str_trim(shape);
    while (!str_is_empty(rest)) {
        struct str word = rest, tail = STR_NONE, x, yz, y, z;
        if (!str_cut(rest, ' ', &word, &tail))
            tail = STR_NONE;
        rest = str_trim(tail);
        struct road_point point;
        bool is_pair = str_cut(word, ',', &x, &yz);
        if (is_pair && !str_cut(yz, ',', &y, &z))
            y = yz;
        if (!is_pair || str_to_double(x, &point.lon) != ERR_OK || str_to_double(y, &point.lat) != ERR_OK || point.lon > 1e9 ||
            point.lon < -1e9 || point.lat > 1e9 || point.lat < -1e9) {
            FAIL(xml, ERR_SYNTAX, "shape point \"" STR_FORMAT "\" is not \"x,y\" in metres", STR_ARG(str_slice(word, 0, 40)));
            return false;
        }
        enum err err =
            network_build_room((void **)&build->points, build->n_points, &build->cap_points, ROAD_POINTS_MAX, sizeof(*build->points));
        if (err != ERR_OK) {
            fail_plain(xml, err, "shape points");
            return false;
        }
        build->points[build->n_points++] = point;
    }
    *ret_n = build->n_points - *ret_first;
    if (*ret_n < 2) {
        FAIL(xml, ERR_SYNTAX, "a lane's shape has %u points; it needs two", *ret_n);
        return false;
    }
    return true;
}

static void on_internal_lane(struct network_xml *xml, const char **attributes)
{
    struct str id;
    double length_m, speed_mps;
    uint32_t number;
    if (!need_name(xml, "lane", attributes, "id", &id) || !need_real(xml, "lane", attributes, "length", 0, 1e6, &length_m) ||
        !need_real(xml, "lane", attributes, "speed", 0, 200, &speed_mps) || !internal_number(xml, id, &number))
        return;
    xml->build->internals[number] = (struct build_internal){(float)length_m, (float)speed_mps};
}

static void on_lane(struct network_xml *xml, const char **attributes)
{
    if (xml->inside == INSIDE_INTERNAL) {
        on_internal_lane(xml, attributes);
        return;
    }
    if (xml->inside != INSIDE_EDGE)
        return;
    struct network_build *build = xml->build;
    struct road_edge *edge = &build->edges[xml->edge].edge;
    if (edge->n_lanes >= ROAD_LANES_PER_EDGE_MAX) {
        FAIL(xml, ERR_TOO_LARGE, "an edge has more than %u lanes", ROAD_LANES_PER_EDGE_MAX);
        return;
    }
    struct road_lane lane = {.is_for_cars = allows_cars(attributes)};
    double index;
    if (!need_real(xml, "lane", attributes, "index", 0, ROAD_LANES_PER_EDGE_MAX - 1, &index) ||
        !need_real(xml, "lane", attributes, "length", 0.01, 1e6, &lane.length_m) ||
        !need_real(xml, "lane", attributes, "speed", 0.01, 200, &lane.speed_mps))
        return;
    if ((uint32_t)index != edge->n_lanes) {
        FAIL(xml, ERR_SYNTAX, "lane %u stands where lane %u should; lanes come in order", (uint32_t)index, edge->n_lanes);
        return;
    }
    if (!read_shape(xml, attribute(attributes, "shape"), &lane.first_point, &lane.n_points))
        return;
    enum err err = network_build_room((void **)&build->lanes, build->n_lanes, &build->cap_lanes, ROAD_POINTS_MAX, sizeof(*build->lanes));
    if (err != ERR_OK) {
        fail_plain(xml, err, "lanes");
        return;
    }
    build->lanes[build->n_lanes++] = lane;
    edge->n_lanes++;
}

static void on_junction(struct network_xml *xml, const char **attributes)
{
    struct str id, type = attribute(attributes, "type");
    if (str_equal_c(type, "internal"))
        return;
    uint32_t number;
    if (!need_name(xml, "junction", attributes, "id", &id) || !junction_number(xml, id, &number))
        return;
    struct build_junction *built = &xml->build->junctions[number];
    if (built->is_declared) {
        FAIL(xml, ERR_EXISTS, "junction \"" STR_FORMAT "\" is there a second time; rename one", STR_ARG(id));
        return;
    }
    built->is_declared = true;
    built->junction.has_signal = str_starts_with(type, STR("traffic_light"));
    if (!need_real(xml, "junction", attributes, "x", -1e9, 1e9, &built->junction.point.lon) ||
        !need_real(xml, "junction", attributes, "y", -1e9, 1e9, &built->junction.point.lat))
        return;
}

static void on_connection(struct network_xml *xml, const char **attributes)
{
    struct network_build *build = xml->build;
    struct str from, to, via = attribute(attributes, "via"), direction = attribute(attributes, "dir");
    if (!need_name(xml, "connection", attributes, "from", &from) || !need_name(xml, "connection", attributes, "to", &to))
        return;
    if (str_starts_with(from, STR(":")) || str_starts_with(to, STR(":")))
        return;
    struct build_connection built = {.via = ROAD_NONE, .line = line_of(xml)};
    struct road_connection *connection = &built.connection;
    if (!edge_number(xml, from, &connection->from) || !edge_number(xml, to, &connection->to) ||
        !need_lane_number(xml, attributes, "fromLane", &connection->from_lane) ||
        !need_lane_number(xml, attributes, "toLane", &connection->to_lane))
        return;
    if (!str_is_empty(via) && (via.len > ROAD_NAME_MAX || !internal_number(xml, via, &built.via)))
        return;
    connection->has_signal = !str_is_empty(attribute(attributes, "tl"));
    connection->direction = str_is_empty(direction) ? '?' : direction.ptr[0];
    enum err err = network_build_room(
        (void **)&build->connections, build->n_connections, &build->cap_connections, ROAD_CONNECTIONS_MAX, sizeof(*build->connections));
    if (err != ERR_OK) {
        fail_plain(xml, err, "connections");
        return;
    }
    build->connections[build->n_connections++] = built;
}

/* ---- expat's events ---- */

static void XMLCALL on_start(void *user, const char *tag, const char **attributes)
{
    struct network_xml *xml = user;
    xml->last_event_at = xml->n_fed;
    if (xml->err != ERR_OK)
        return;
    xml->depth++;
    if (xml->depth > ROAD_XML_DEPTH_MAX)
        FAIL(xml, ERR_TOO_LARGE, "tags are nested deeper than %d", ROAD_XML_DEPTH_MAX);
    else if (xml->depth == 1) {
        xml->saw_root = true;
        if (strcmp(tag, "net") != 0)
            FAIL(xml, ERR_SYNTAX, "the file begins with <%.40s>, not <net>; give a network that netconvert wrote", tag);
    } else if (xml->depth == 2) {
        xml->inside = INSIDE_NOTHING;
        if (strcmp(tag, "edge") == 0)
            on_edge(xml, attributes);
        else if (strcmp(tag, "junction") == 0)
            on_junction(xml, attributes);
        else if (strcmp(tag, "connection") == 0)
            on_connection(xml, attributes);
        else if (strcmp(tag, "location") == 0)
            on_location(xml, attributes);
    } else if (xml->depth == 3 && strcmp(tag, "lane") == 0) {
        on_lane(xml, attributes);
    }
}

static void XMLCALL on_end(void *user, const char *tag)
{
    struct network_xml *xml = user;
    xml->last_event_at = xml->n_fed;
    if (xml->err != ERR_OK)
        return;
    if (xml->depth == 2) {
        if (xml->inside == INSIDE_EDGE && xml->build->edges[xml->edge].edge.n_lanes == 0)
            FAIL(xml, ERR_SYNTAX, "edge \"" STR_FORMAT "\" has no lane; build the file again with netconvert",
                STR_ARG(str_map_key(&xml->build->edge_ids, xml->edge)));
        xml->inside = INSIDE_NOTHING;
    }
    xml->depth--;
}

/* Text, comments, instructions: nothing to keep, but the parser made progress. */
static void XMLCALL on_other(void *user, const char *text, int len)
{
    struct network_xml *xml = user;
    xml->last_event_at = xml->n_fed;
}

static void XMLCALL on_doctype(void *user, const char *name, const char *system_id, const char *public_id, int has_internal_subset)
{
    struct network_xml *xml = user;
    FAIL(xml, ERR_UNSUPPORTED, "a document type is declared; remove it, networks need no entities");
}

enum err network_xml_create_plain(struct network_build *build, struct network_xml **ret_xml)
{
    struct network_xml *xml = mem_alloc_zero(1, sizeof(*xml));
    if (xml == NULL)
        return ERR_NO_MEMORY;
    xml->build = build;
    *ret_xml = xml;
    return ERR_OK;
}

enum err network_xml_start(struct network_xml *xml, int line, const char *tag, const char **attributes)
{
    xml->line = line;
    on_start(xml, tag, attributes);
    return xml->err;
}

enum err network_xml_end(struct network_xml *xml, const char *tag)
{
    on_end(xml, tag);
    return xml->err;
}

enum err network_xml_error(const struct network_xml *xml)
{
    return xml->err;
}

enum err network_xml_create(struct network_build *build, struct network_xml **ret_xml)
{
    struct network_xml *xml = mem_alloc_zero(1, sizeof(*xml));
    if (xml == NULL)
        return ERR_NO_MEMORY;
    xml->build = build;
    xml->parser = XML_ParserCreate("UTF-8");
    if (xml->parser == NULL) {
        mem_free(xml);
        return ERR_NO_MEMORY;
    }
    XML_SetUserData(xml->parser, xml);
    XML_SetElementHandler(xml->parser, on_start, on_end);
    XML_SetDefaultHandler(xml->parser, on_other);
    XML_SetStartDoctypeDeclHandler(xml->parser, on_doctype);
    *ret_xml = xml;
    return ERR_OK;
}

void network_xml_destroy(struct network_xml *xml)
{
    if (xml == NULL)
        return;
    if (xml->parser != NULL)
        XML_ParserFree(xml->parser);
    mem_free(xml);
}

enum err network_xml_feed(struct network_xml *xml, struct str bytes, bool is_last)
{
    if (xml->err != ERR_OK)
        return xml->err;
    xml->n_fed += bytes.len;
    enum XML_Status status = XML_Parse(xml->parser, bytes.ptr == NULL ? "" : bytes.ptr, (int)bytes.len, is_last);
    if (xml->err != ERR_OK)
        return xml->err;
    if (status != XML_STATUS_OK) {
        enum XML_Error error = XML_GetErrorCode(xml->parser);
        FAIL(xml, error == XML_ERROR_NO_MEMORY ? ERR_NO_MEMORY : ERR_SYNTAX,
            "not well-formed XML: %s; build the file again with netconvert", XML_ErrorString(error));
    } else if (xml->n_fed - xml->last_event_at > ROAD_XML_TOKEN_MAX) {
        FAIL(xml, ERR_TOO_LARGE, "one tag or comment is longer than %u bytes", ROAD_XML_TOKEN_MAX);
    } else if (is_last && !xml->saw_root) {
        FAIL(xml, ERR_SYNTAX, "the file is empty; give a network that netconvert wrote");
    }
    return xml->err;
}
