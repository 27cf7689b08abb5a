/* Tables of travel times: any bytes give times that can be routed with, or an error with words. */
#include "road/route.h"
#include "road/weights.h"

#include <assert.h>
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "<net><edge id=\"a\" from=\"j\" to=\"k\"><lane id=\"a_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"0,0 500,0\"/></edge>"
    "<edge id=\"b\" from=\"k\" to=\"j\"><lane id=\"b_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"500,0 0,0\"/></edge>"
    "<junction id=\"j\" type=\"priority\" x=\"0\" y=\"0\"/><junction id=\"k\" type=\"priority\" x=\"500\" y=\"0\"/>"
    "<connection from=\"a\" to=\"b\" fromLane=\"0\" toLane=\"0\"/><connection from=\"b\" to=\"a\" fromLane=\"0\" toLane=\"0\"/></net>";

static uint64_t n_told;

static void on_broken(void *context, const char *told)
{
    (void)context;
    assert(told[0] != 0);
    n_told++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct road_network *network = NULL;
    struct road_router *router = NULL;
    if (road_network_parse((struct str){text, sizeof(text) - 1}, "fuzz.net.xml", NULL, &network) != ERR_OK)
        return 0;
    float edge_s[2];
    struct diag diag = {""};
    struct road_table table = {.on_broken = on_broken};
    n_told = 0;
    enum err err = road_weights_parse(network, (struct str){(const char *)data, size}, "fuzz.csv", &table, edge_s, &diag);
    assert(err == ERR_OK || diag.text[0] != 0);
    assert(n_told == table.n_broken && table.n_broken <= table.n_lines);
    if (err == ERR_OK && road_router_create(network, &router) == ERR_OK) {
        road_router_set_times(router, edge_s);
        uint32_t ms = road_route_ms(router, 0, 0);
        assert(ms >= 2 && ms <= ROAD_ROUTE_MAX_MS);
    }
    road_router_destroy(router);
    road_network_destroy(network);
    return 0;
}
