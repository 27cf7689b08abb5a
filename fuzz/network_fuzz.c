/* The reader of road networks: any bytes either give a network that can be searched or an error with words. */
#include "road/nearest.h"
#include "road/network.h"
#include "road/route.h"

#include <assert.h>
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void search(const struct road_network *network)
{
    struct road_nearest *nearest = NULL;
    struct road_router *router = NULL;
    struct road_nearest_query query = {.point = road_edge_middle(network, 0), .max_distance_m = 1e6};
    struct road_match match;
    struct road_limits limits = {1e6, 1000};
    struct road_route route;
    if (road_nearest_create(network, &nearest) == ERR_OK && road_nearest_find(nearest, &query, &match))
        assert(match.edge < network->n_edges);
    if (road_router_create(network, &router) == ERR_OK && road_route_find(router, 0, network->n_edges - 1, &limits, &route) == ERR_OK)
        assert(route.n_edges > 0 && route.edges[route.n_edges - 1] == network->n_edges - 1);
    road_nearest_destroy(nearest);
    road_router_destroy(router);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct road_network *network = NULL;
    struct diag diag = {""};
    enum err err = road_network_parse((struct str){(const char *)data, size}, "fuzz.net.xml", &diag, &network);
    if (err == ERR_OK)
        search(network);
    else
        assert(err == ERR_NO_MEMORY || diag.text[0] != 0);
    road_network_destroy(network);
    return 0;
}
