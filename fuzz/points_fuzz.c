/* Tables of GPS points: any bytes are matched, or told as broken; each point that is not broken is told once. */
#include "road/match_file.h"

#include <assert.h>
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "<net><edge id=\"a\" from=\"j\" to=\"k\"><lane id=\"a_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"0,0 500,0\"/></edge>"
    "<edge id=\"b\" from=\"k\" to=\"j\"><lane id=\"b_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"500,3 0,3\"/></edge>"
    "<edge id=\"c\" from=\"k\" to=\"k\"><lane id=\"c_0\" index=\"0\" speed=\"10\" length=\"600\" shape=\"500,0 700,200 500,200 "
    "500,0\"/></edge>"
    "<junction id=\"j\" type=\"priority\" x=\"0\" y=\"0\"/><junction id=\"k\" type=\"priority\" x=\"500\" y=\"0\"/>"
    "<connection from=\"a\" to=\"b\" fromLane=\"0\" toLane=\"0\"/><connection from=\"a\" to=\"c\" fromLane=\"0\" toLane=\"0\"/>"
    "<connection from=\"c\" to=\"b\" fromLane=\"0\" toLane=\"0\"/></net>";

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
    struct road_hierarchy *hierarchy = NULL;
    struct road_nearest *nearest = NULL;
    if (road_network_parse((struct str){text, sizeof(text) - 1}, "fuzz.net.xml", NULL, &network) != ERR_OK)
        return 0;
    FILE *out = fopen("/dev/null", "wb");
    if (out != NULL && road_hierarchy_create(network, &hierarchy) == ERR_OK && road_nearest_create(network, &nearest) == ERR_OK) {
        struct diag diag = {""};
        struct road_match_run run = {.network = network,
            .hierarchy = hierarchy,
            .nearest = nearest,
            .settings = ROAD_MATCH_LIVE,
            .tracks_max = 2,
            .matched = out,
            .edges = out,
            .on_broken = on_broken};
        run.settings.lag = size > 0 ? 1 + data[size - 1] % 8u : 1;
        n_told = 0;
        enum err err = road_match_parse(&run, (struct str){(const char *)data, size}, "fuzz.csv", &diag);
        assert(err == ERR_OK || diag.text[0] != 0);
        assert(n_told == run.n_broken && run.n_lines - run.n_broken == run.n_matched + run.n_off + run.n_jumps);
    }
    if (out != NULL)
        fclose(out);
    road_nearest_destroy(nearest);
    road_hierarchy_destroy(hierarchy);
    road_network_destroy(network);
    return 0;
}
