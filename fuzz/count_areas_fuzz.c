/* The areas of `citybrain count`: any bytes give areas of which every edge has one, parents before children, or are refused with words. */
#include "scene/count/areas.h"

#include <assert.h>
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "<net><edge id=\"a\" from=\"j\" to=\"j\"><lane id=\"a_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"0,0 500,0\"/></edge>"
    "<edge id=\"b\" from=\"j\" to=\"j\"><lane id=\"b_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"500,0 1000,0\"/></edge>"
    "<junction id=\"j\" type=\"priority\" x=\"0\" y=\"0\"/></net>";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct road_network *network = NULL;
    struct count_areas areas;
    struct diag diag = {""};
    enum err made = road_network_parse((struct str){text, sizeof(text) - 1}, "fuzz.net.xml", &diag, &network);
    assert(made == ERR_OK);
    enum err err = count_areas_parse((struct str){(const char *)data, size}, "fuzz.geojson", network, &diag, &areas);
    assert(err == ERR_OK || diag.text[0] != 0);
    for (size_t i = 0; err == ERR_OK && i < areas.n; i++)
        assert(areas.parents[i] < (int32_t)i && areas.n_edges[i] <= network->n_edges);
    for (uint32_t i = 0; err == ERR_OK && i < network->n_edges; i++)
        assert(areas.edge_areas[i] < areas.n);
    count_areas_finish(&areas);
    road_network_destroy(network);
    return 0;
}
