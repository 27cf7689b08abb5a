/* Networks: what a small file says, what broken ones are refused for, and memory that fails. */
#include "road/network.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/test.h"
#include "road/test_net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct road_network *parse(const char *text)
{
    struct road_network *network = NULL;
    struct diag diag = {""};
    enum err err = road_network_parse(str_from_c(text), "test.net.xml", &diag, &network);
    if (err != ERR_OK)
        fail_msg("%s: %s", err_text(err), diag.text);
    return network;
}

static void assert_near(double a, double b, double within)
{
    if (!(fabs(a - b) <= within))
        fail_msg("%.12g is not within %g of %.12g", a, within, b);
}

static void reads_edges_lanes_and_junctions(void **state)
{
    struct road_network *network = parse(NET_HEAD NET_UTM NET_BODY NET_TAIL);
    assert_int_equal(network->n_edges, 6);
    assert_int_equal(network->n_junctions, 4);
    assert_int_equal(network->n_lanes, 8);
    assert_true(network->is_geographic);
    uint32_t ab = road_edge_find(network, STR("AB"));
    const struct road_edge *edge = &network->edges[ab];
    assert_str(edge->id, "AB");
    assert_str(edge->name, "文一路");
    assert_str(edge->type, "highway.secondary");
    assert_int_equal(edge->n_lanes, 3);
    assert_int_equal(edge->n_car_lanes, 2);
    assert_near(edge->speed_mps, 14, 1e-12);
    assert_near(edge->length_m, 490, 1e-12);
    assert_near(road_edge_free_flow_s(edge), 35, 1e-12);
    assert_str(network->junctions[edge->from].id, "A");
    assert_str(network->junctions[edge->to].id, "B");
    assert_true(network->junctions[edge->to].has_signal);
    assert_false(network->junctions[edge->from].has_signal);
    /* One name, one number; no name, none. */
    assert_int_equal(edge->name_number, network->edges[road_edge_find(network, STR("CB"))].name_number);
    assert_int_not_equal(edge->name_number, network->edges[road_edge_find(network, STR("BD"))].name_number);
    assert_int_equal(network->edges[road_edge_find(network, STR("DB"))].name_number, ROAD_NONE);
    /* Walkways and the insides of junctions are no edges. */
    assert_int_equal(road_edge_find(network, STR(":B_0")), ROAD_NONE);
    assert_int_equal(road_edge_find(network, STR(":B_w0")), ROAD_NONE);
    road_network_destroy(network);
}

static void reads_connections(void **state)
{
    struct road_network *network = parse(NET_HEAD NET_UTM NET_BODY NET_TAIL);
    assert_int_equal(network->n_connections, 6);
    const struct road_edge *ab = &network->edges[road_edge_find(network, STR("AB"))];
    assert_int_equal(ab->n_out, 3);
    const struct road_connection *out = &network->connections[ab->first_out];
    assert_int_equal(out[0].to, road_edge_find(network, STR("BC")));
    assert_near(out[0].crossing_m, 20, 1e-6);
    assert_near(out[0].crossing_s, 2, 1e-6);
    assert_true(out[0].has_signal && out[0].is_for_cars);
    assert_int_equal(out[0].direction, 's');
    assert_near(out[1].crossing_s, 2.5, 1e-6);
    assert_int_equal(out[1].direction, 'l');
    assert_false(out[2].is_for_cars); /* from the footpath */
    assert_int_equal(network->edges[road_edge_find(network, STR("BA"))].n_out, 0);
    road_network_destroy(network);
}

/* Expected places: Krüger's series for UTM (L. Krüger, 1912, to n^4), computed apart from PROJ. */
static void places_are_wgs84(void **state)
{
    struct road_network *network = parse(NET_HEAD NET_UTM NET_BODY NET_TAIL);
    const struct road_junction *a = &network->junctions[network->edges[road_edge_find(network, STR("AB"))].from];
    assert_near(a->point.lon, 120.120410870, 2e-8);
    assert_near(a->point.lat, 30.281587214, 2e-8);
    /* AB has two lanes for cars; of an even number the middle is the one nearer to the centre of the road. */
    const struct road_edge *ab = &network->edges[road_edge_find(network, STR("AB"))];
    assert_int_equal(ab->n_points, 2);
    assert_near(network->points[ab->first_point + 1].lon, 120.125499768, 2e-8);
    assert_near(network->points[ab->first_point + 1].lat, 30.281684711, 2e-8);
    road_network_destroy(network);
}

static void flat_networks_keep_their_metres(void **state)
{
    struct road_network *network = parse(NET_HEAD NET_FLAT NET_BODY NET_TAIL);
    assert_false(network->is_geographic);
    assert_near(network->low.lon, 0, 0);
    assert_near(network->low.lat, 490, 0);
    assert_near(network->high.lon, 1000, 0);
    assert_near(network->high.lat, 1000, 0);
    uint32_t bd = road_edge_find(network, STR("BD"));
    struct road_point middle = road_edge_middle(network, bd);
    assert_near(middle.lon, 501.6, 1e-9);
    assert_near(middle.lat, 755, 1e-9);
    const struct road_point *points = &network->points[network->edges[bd].first_point];
    assert_near(road_heading(network, points[0], points[1]), 0, 1e-9);
    struct road_point o = {0, 0}, east = {1, 0}, south_west = {-1, -1};
    assert_near(road_heading(network, o, east), 90, 1e-9);
    assert_near(road_heading(network, o, south_west), 225, 1e-9);
    road_network_destroy(network);
    network = parse(NET_HEAD NET_BODY NET_TAIL); /* without <location> */
    assert_false(network->is_geographic);
    road_network_destroy(network);
}

/* A degree of longitude is shorter than one of latitude: at 60° north half as long. */
static void headings_know_the_globe(void **state)
{
    struct road_network geographic = {.is_geographic = true};
    struct road_point a = {10, 60}, b = {10.002, 60.001};
    assert_near(road_heading(&geographic, a, b), 45, 0.01);
}

struct broken {
    const char *text;
    enum err err;
    const char *says; /* part of the message */
};

#define EDGE_LANE(lane_) NET_HEAD "<edge id=\"x\" from=\"A\" to=\"B\">" lane_ "</edge>\n" NET_TAIL
#define LANE(rest_) "<lane id=\"x_0\" " rest_ "/>"

static const struct broken broken[] = {
    {"", ERR_SYNTAX, "no element found"},
    {"<net></net>", ERR_SYNTAX, "no edge"},
    {"<osm version=\"0.6\"></osm>", ERR_SYNTAX, ":1: the file begins with <osm>"},
    {NET_HEAD "<edge id=\"x\"", ERR_SYNTAX, "not well-formed XML"},
    {NET_HEAD "\n\n<edge></net>", ERR_SYNTAX, ":5: "},
    {"<?xml version=\"1.0\"?>\n<!DOCTYPE net [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>\n<net>&b;</net>", ERR_UNSUPPORTED,
        ":2: a document type is declared"},
    {"<!DOCTYPE net SYSTEM \"file:///etc/passwd\"><net/>", ERR_UNSUPPORTED, "document type"},
    {"<net><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></net>",
        ERR_TOO_LARGE, "nested deeper than 16"},
    {NET_HEAD "<edge from=\"A\" to=\"B\"/>" NET_TAIL, ERR_SYNTAX, ":3: <edge> has no id"},
    {NET_HEAD "<edge id=\"x\" from=\"A\"/>" NET_TAIL, ERR_SYNTAX, "<edge> has no to"},
    {NET_HEAD "<edge id=\"x\" from=\"A\" to=\"B\"/>" NET_TAIL, ERR_SYNTAX, "edge \"x\" has no lane"},
    {EDGE_LANE(LANE("index=\"0\" speed=\"nan\" length=\"1\" shape=\"0,0 1,1\"")), ERR_RANGE, "speed=\"nan\""},
    {EDGE_LANE(LANE("index=\"0\" speed=\"0\" length=\"1\" shape=\"0,0 1,1\"")), ERR_RANGE, "speed=\"0\""},
    {EDGE_LANE(LANE("index=\"0\" speed=\"1\" length=\"-4\" shape=\"0,0 1,1\"")), ERR_RANGE, "length=\"-4\""},
    {EDGE_LANE(LANE("index=\"0\" speed=\"1\" shape=\"0,0 1,1\"")), ERR_RANGE, "length=\"\""},
    {EDGE_LANE(LANE("index=\"1\" speed=\"1\" length=\"4\" shape=\"0,0 1,1\"")), ERR_SYNTAX, "lanes come in order"},
    {EDGE_LANE(LANE("index=\"0\" speed=\"1\" length=\"4\" shape=\"0,0\"")), ERR_SYNTAX, "needs two"},
    {EDGE_LANE(LANE("index=\"0\" speed=\"1\" length=\"4\" shape=\"0,0 here\"")), ERR_SYNTAX, "\"here\" is not \"x,y\""},
    {EDGE_LANE(LANE("index=\"0\" speed=\"1\" length=\"4\" shape=\"0,0 1e300,1\"")), ERR_SYNTAX, "\"1e300,1\""},
    {EDGE_LANE(LANE("index=\"0\" speed=\"1\" length=\"4\" shape=\"0,0 1,1\"")), ERR_NOT_FOUND, ":3: junction \"A\" is named here"},
    {NET_HEAD NET_BODY "<edge id=\"AB\" from=\"A\" to=\"B\"/>" NET_TAIL, ERR_EXISTS, "edge \"AB\" is there a second time"},
    {NET_HEAD NET_BODY "<junction id=\"A\" type=\"x\" x=\"0\" y=\"0\"/>" NET_TAIL, ERR_EXISTS, "junction \"A\" is there a second time"},
    {NET_HEAD NET_BODY "<connection from=\"AB\" to=\"ZZ\" fromLane=\"0\" toLane=\"0\"/>" NET_TAIL, ERR_NOT_FOUND,
        "edge \"ZZ\" is named here"},
    {NET_HEAD NET_BODY "<connection from=\"BA\" to=\"AB\" fromLane=\"1\" toLane=\"0\"/>" NET_TAIL, ERR_RANGE,
        "a lane that its edge does not have"},
    {NET_HEAD NET_BODY "<connection from=\"BA\" to=\"AB\" fromLane=\"64\" toLane=\"0\"/>" NET_TAIL, ERR_RANGE, "fromLane=\"64\""},
    {NET_HEAD NET_FLAT NET_FLAT NET_BODY NET_TAIL, ERR_EXISTS, ":4: a second <location>"},
    {NET_HEAD "<location netOffset=\"1\" projParameter=\"!\"/>" NET_BODY NET_TAIL, ERR_SYNTAX, "netOffset=\"1\""},
    {NET_HEAD "<location netOffset=\"0,0\" projParameter=\"-\"/>" NET_BODY NET_TAIL, ERR_UNSUPPORTED, "not a PROJ string"},
    {NET_HEAD "<location netOffset=\"0,0\" projParameter=\"+proj=utm +zone=50 +nadgrids=/etc/passwd\"/>" NET_BODY NET_TAIL, ERR_UNSUPPORTED,
        "\"+nadgrids=/etc/passwd\" is not allowed"},
    {NET_HEAD "<location netOffset=\"0,0\" projParameter=\"+proj=pipeline\"/>" NET_BODY NET_TAIL, ERR_UNSUPPORTED, "pipeline"},
    {NET_HEAD "<location netOffset=\"0,0\" projParameter=\"+proj=utm +zone=99\"/>" NET_BODY NET_TAIL, ERR_UNSUPPORTED,
        "PROJ does not take"},
    {NET_HEAD "<location netOffset=\"0,0\" projParameter=\"+proj=longlat\"/>" NET_BODY NET_TAIL, ERR_UNSUPPORTED, "PROJ does not take"},
    {NET_HEAD "<edge id=\"\xff\xfe\"/>" NET_TAIL, ERR_SYNTAX, "not well-formed XML"},
};

static void broken_files_name_line_cause_and_mend(void **state)
{
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct road_network *network = NULL;
        struct diag diag = {""};
        enum err err = road_network_parse(str_from_c(broken[i].text), "test.net.xml", &diag, &network);
        if (err != broken[i].err || strstr(diag.text, broken[i].says) == NULL || strncmp(diag.text, "test.net.xml:", 13) != 0)
            fail_msg("case %zu: %s, \"%s\"", i, err_text(err), diag.text);
        assert_null(network);
    }
}

/* A comment of 6 MB is one token: refused before it grows further. */
static void long_tokens_are_refused(void **state)
{
    struct buf text;
    buf_init(&text, 8u << 20);
    buf_append_c(&text, NET_HEAD "<!--");
    char *room = buf_reserve(&text, 6u << 20);
    assert_non_null(room);
    memset(room, 'x', 6u << 20);
    buf_advance(&text, 6u << 20);
    buf_append_c(&text, "-->" NET_BODY NET_TAIL);
    struct road_network *network = NULL;
    struct diag diag = {""};
    assert_err(road_network_parse(buf_str(&text), "long.net.xml", &diag, &network), ERR_TOO_LARGE);
    assert_non_null(strstr(diag.text, "one tag or comment"));
    buf_finish(&text);
}

static void missing_files_are_named(void **state)
{
    struct road_network *network = NULL;
    struct diag diag = {""};
    assert_err(road_network_load("/nowhere/x.net.xml", &diag, &network), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "/nowhere/x.net.xml: cannot open the road network"));
}

static void files_and_memory_read_alike(void **state)
{
    char path[] = "/tmp/citybrain_network_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const char text[] = NET_HEAD NET_UTM NET_BODY NET_TAIL;
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    struct road_network *network = NULL;
    struct diag diag = {""};
    assert_ok(road_network_load(path, &diag, &network));
    assert_int_equal(network->n_edges, 6);
    road_network_destroy(network);
    unlink(path);
}

/* Every allocation fails once; nothing leaks and nothing crashes. */
/* An instruction is no mistake, and not plain: the same text with one behind its declaration is read by the other reader. */
#define NOT_PLAIN "<?other?>"
#define DECLARATION_LEN (sizeof("<?xml version=\"1.0\" encoding=\"UTF-8\"?>") - 1)

static void assert_same(const struct road_network *one, const struct road_network *other)
{
    assert_int_equal(one->n_edges, other->n_edges);
    assert_int_equal(one->n_lanes, other->n_lanes);
    assert_int_equal(one->n_junctions, other->n_junctions);
    assert_int_equal(one->n_connections, other->n_connections);
    assert_int_equal(one->n_points, other->n_points);
    assert_memory_equal(one->points, other->points, one->n_points * sizeof(*one->points));
    for (uint32_t i = 0; i < one->n_edges; i++) {
        const struct road_edge *a = &one->edges[i], *b = &other->edges[i];
        assert_true(str_equal(a->id, b->id) && str_equal(a->name, b->name) && str_equal(a->type, b->type));
        assert_true(a->from == b->from && a->to == b->to && a->n_car_lanes == b->n_car_lanes && a->n_out == b->n_out);
        assert_true(a->length_m == b->length_m && a->speed_mps == b->speed_mps && a->name_number == b->name_number);
    }
    for (uint32_t i = 0; i < one->n_junctions; i++)
        assert_true(
            str_equal(one->junctions[i].id, other->junctions[i].id) && one->junctions[i].has_signal == other->junctions[i].has_signal);
    for (uint32_t i = 0; i < one->n_connections; i++) {
        const struct road_connection *a = &one->connections[i], *b = &other->connections[i];
        assert_true(a->from == b->from && a->to == b->to && a->crossing_s == b->crossing_s && a->direction == b->direction);
    }
}

/* Both readers give the same network, and the same words for what is wrong, whatever a byte is changed to. */
static void both_readers_read_alike(void **state)
{
    static const char body[] = NET_HEAD "<!-- made by\n hand: 文 -->\n" NET_UTM NET_BODY NET_TAIL;
    static const char *const others[] = {"\"", "<", ">", "&", "/", "=", " ", "\n", "\t", "-", "!", "?", "'", "0", "9", "x", "\xe6", "\xff",
        "\x01", "\xef\xbf\xbf", "", "--", "<!--", "-->", "/>", "<a/>", "</edge>", "&amp;", " id=\"x\"", "<![CDATA[x]]>", "\xc3\xa9",
        "\r\n"};
    uint64_t chance = 88172645463325252u;
    static char plain[sizeof(body) + 16], other[sizeof(body) + 32];
    uint32_t n_read = 0, n_refused = 0;
    for (int round = 0; round < 12000; round++) {
        chance ^= chance << 13, chance ^= chance >> 7, chance ^= chance << 17;
        size_t at = DECLARATION_LEN + chance % (sizeof(body) - DECLARATION_LEN), gone = chance >> 40 & 1;
        const char *put = others[(chance >> 20) % (sizeof(others) / sizeof(others[0]))];
        int len = snprintf(plain, sizeof(plain), "%.*s%s%s", (int)at, body, put, at + gone < sizeof(body) ? body + at + gone : "");
        snprintf(other, sizeof(other), "%.*s" NOT_PLAIN "%s", (int)DECLARATION_LEN, plain, plain + DECLARATION_LEN);
        struct road_network *one = NULL, *two = NULL;
        struct diag one_diag = {""}, two_diag = {""};
        enum err err = road_network_parse((struct str){plain, (size_t)len}, "n", &one_diag, &one);
        enum err err_other = road_network_parse(str_from_c(other), "n", &two_diag, &two);
        n_read += err == ERR_OK;
        n_refused += err != ERR_OK;
        if (err == ERR_OK && err_other == ERR_OK)
            assert_same(one, two);
        else if (err != err_other || strcmp(one_diag.text, two_diag.text) != 0)
            fail_msg("%s: \"%s\" and \"%s\"", plain, one_diag.text, two_diag.text);
        road_network_destroy(one);
        road_network_destroy(two);
    }
    assert_true(n_read > 1000 && n_refused > 1000);
}

static void fail_anywhere(struct str text)
{
    int64_t before = mem_n_live();
    uint64_t nth = 1;
    for (;; nth++) {
        struct road_network *network = NULL;
        mem_fail_nth(nth);
        enum err err = road_network_parse(text, "test.net.xml", NULL, &network);
        mem_fail_nth(0);
        if (err == ERR_OK) {
            road_network_destroy(network);
            break;
        }
        assert_err(err, ERR_NO_MEMORY);
        assert_int_equal(mem_n_live(), before);
        assert_true(nth < 1000);
    }
    assert_true(nth > 10);
    assert_int_equal(mem_n_live(), before);
}

static void memory_may_fail_anywhere(void **state)
{
    fail_anywhere(STR(NET_HEAD NET_UTM NET_BODY NET_TAIL));
    fail_anywhere(STR(NET_HEAD NET_UTM NET_BODY NET_TAIL "<!-- - -->" NOT_PLAIN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_edges_lanes_and_junctions),
        cmocka_unit_test(reads_connections),
        cmocka_unit_test(places_are_wgs84),
        cmocka_unit_test(flat_networks_keep_their_metres),
        cmocka_unit_test(headings_know_the_globe),
        cmocka_unit_test(broken_files_name_line_cause_and_mend),
        cmocka_unit_test(long_tokens_are_refused),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(files_and_memory_read_alike),
        cmocka_unit_test(both_readers_read_alike),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
