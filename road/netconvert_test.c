/*
 * The real thing: places in degrees go into netconvert (Debian's sumo), its network comes in here, and the places must come out
 * again. What it expects is what it wrote, so neither PROJ's nor netconvert's arithmetic is taken for granted.
 */
#include "road/nearest.h"
#include "road/network.h"
#include "road/route.h"

#include "base/test_files.h"

#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Four junctions around 天目山路 and 古翠路; Q's signal is for SUMO to guess the program of. */
static const char nodes[] = "<nodes>\n"
                            "<node id=\"P\" x=\"120.1200\" y=\"30.2700\"/>\n"
                            "<node id=\"Q\" x=\"120.1300\" y=\"30.2705\" type=\"traffic_light\"/>\n"
                            "<node id=\"R\" x=\"120.1400\" y=\"30.2710\"/>\n"
                            "<node id=\"S\" x=\"120.1305\" y=\"30.2800\"/>\n"
                            "</nodes>\n";
static const char edges[] = "<edges>\n"
                            "<edge id=\"PQ\" from=\"P\" to=\"Q\" numLanes=\"2\" speed=\"13.89\" name=\"天目山路\"/>\n"
                            "<edge id=\"QR\" from=\"Q\" to=\"R\" numLanes=\"2\" speed=\"13.89\" name=\"天目山路\"/>\n"
                            "<edge id=\"RQ\" from=\"R\" to=\"Q\" numLanes=\"2\" speed=\"13.89\" name=\"天目山路\"/>\n"
                            "<edge id=\"QS\" from=\"Q\" to=\"S\" numLanes=\"1\" speed=\"11.11\" name=\"古翠路\"/>\n"
                            "<edge id=\"SQ\" from=\"S\" to=\"Q\" numLanes=\"1\" speed=\"11.11\" name=\"古翠路\"/>\n"
                            "</edges>\n";

static char folder[] = "/tmp/citybrain_netconvert_XXXXXX"; /* mkdtemp() fills it in */
static char path_nodes[64], path_edges[64], path_net[64];

static int setup(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path_nodes, sizeof(path_nodes), "%s/t.nod.xml", folder);
    snprintf(path_edges, sizeof(path_edges), "%s/t.edg.xml", folder);
    snprintf(path_net, sizeof(path_net), "%s/t.net.xml", folder);
    test_write(path_nodes, str_from_c(nodes));
    test_write(path_edges, str_from_c(edges));
    const char *argv[] = {"netconvert", "-X", "never", "--no-warnings", "--proj.utm", "--node-files", path_nodes, "--edge-files",
        path_edges, "--output-file", path_net, NULL};
    pid_t pid;
    if (posix_spawnp(&pid, "netconvert", NULL, NULL, (char *const *)argv, environ) != 0)
        fail_msg("netconvert cannot be started; apt-get install sumo");
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("netconvert ended with %d; is the package sumo whole?", status);
    return 0;
}

static int teardown(void **state)
{
    unlink(path_nodes);
    unlink(path_edges);
    unlink(path_net);
    return rmdir(folder);
}

static void assert_place(const struct road_network *network, const char *id, double lon, double lat)
{
    int64_t at = str_map_find(network->junction_ids, str_from_c(id));
    assert_true(at >= 0);
    struct road_point point = network->junctions[at].point;
    /* netconvert writes centimetres: 1e-7 degrees */
    if (fabs(point.lon - lon) > 1.5e-7 || fabs(point.lat - lat) > 1.5e-7)
        fail_msg("%s lies at %.8f, %.8f", id, point.lon, point.lat);
}

static void places_come_back(void **state)
{
    struct road_network *network = NULL;
    struct diag diag = {""};
    if (road_network_load(path_net, &diag, &network) != ERR_OK)
        fail_msg("%s", diag.text);
    assert_int_equal(network->n_edges, 5);
    assert_true(network->is_geographic);
    assert_place(network, "P", 120.12, 30.27);
    assert_place(network, "Q", 120.13, 30.2705);
    assert_place(network, "R", 120.14, 30.271);
    assert_place(network, "S", 120.1305, 30.28);
    assert_true(network->junctions[str_map_find(network->junction_ids, STR("Q"))].has_signal);
    assert_str(network->edges[road_edge_find(network, STR("QS"))].name, "古翠路");
    road_network_destroy(network);
}

static void edges_are_found_and_joined(void **state)
{
    struct road_network *network = NULL;
    assert_ok(road_network_load(path_net, NULL, &network));
    struct road_nearest *nearest = NULL;
    assert_ok(road_nearest_create(network, &nearest));
    /* Halfway from Q to R, eastward and westward. */
    struct road_nearest_query query = {
        .point = {120.135, 30.27075}, .has_heading = true, .heading = 87, .heading_tolerance = 30, .max_distance_m = 20};
    struct road_match match;
    assert_true(road_nearest_find(nearest, &query, &match));
    assert_str(network->edges[match.edge].id, "QR");
    query.heading = 267;
    assert_true(road_nearest_find(nearest, &query, &match));
    assert_str(network->edges[match.edge].id, "RQ");
    struct road_router *router = NULL;
    assert_ok(road_router_create(network, &router));
    struct road_limits limits = {600, 100};
    struct road_route route;
    assert_ok(road_route_find(router, road_edge_find(network, STR("PQ")), road_edge_find(network, STR("QS")), &limits, &route));
    /* 1,054 m to the north at 11.11 m/s are 95 s, with the crossing (its length is netconvert's to choose) less than 110. */
    assert_true(route.time_s > 85 && route.time_s < 110);
    assert_true(route.length_m > 1000 && route.length_m < 1080);
    assert_true(route.length_m > network->edges[road_edge_find(network, STR("QS"))].length_m);
    road_router_destroy(router);
    road_nearest_destroy(nearest);
    road_network_destroy(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_come_back),
        cmocka_unit_test(edges_are_found_and_joined),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
