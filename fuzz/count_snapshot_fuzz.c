/*
 * Snapshots of a count: any bytes, sealed here so that the digest keeps nothing out, are refused with words or give a count that goes on,
 * and whose own snapshot is read again.
 */
#include "scene/count/snapshot.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define T0 ((int64_t)1700000000000)

static const char text[] =
    "<net><edge id=\"a\" from=\"j\" to=\"k\" name=\"A\"><lane id=\"a_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"0,0 "
    "500,0\"/></edge>"
    "<edge id=\"b\" from=\"k\" to=\"j\" name=\"B\"><lane id=\"b_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"500,0 0,0\"/></edge>"
    "<junction id=\"j\" type=\"priority\" x=\"0\" y=\"0\"/><junction id=\"k\" type=\"priority\" x=\"500\" y=\"0\"/>"
    "<connection from=\"a\" to=\"b\" fromLane=\"0\" toLane=\"0\"/><connection from=\"b\" to=\"a\" fromLane=\"0\" toLane=\"0\"/></net>";

static void go_on(struct count *count, int64_t from_ms)
{
    struct count_updates updates;
    for (int i = 0; i < 40; i++) {
        struct count_event event = {.type = COUNT_TICK, .now_ms = from_ms + i * 7000};
        if (i % 4 != 0 && count_n_cameras(count) > 0)
            event = (struct count_event){.type = COUNT_PASSAGE,
                .passage = {(uint64_t)(i % 5 + 1), (uint32_t)i % count_n_cameras(count), from_ms + i * 7000, from_ms + i * 7000 + 200, 90}};
        count_step(count, &event, &updates);
    }
}

static enum err read_it(const struct buf *bytes, const struct count_map *map, struct count **ret_count)
{
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    struct diag diag = {""};
    struct str extra;
    enum err err = count_snapshot_read(buf_str(bytes), &settings, map, &diag, &extra, ret_count);
    assert(err == ERR_OK || err == ERR_NO_MEMORY || diag.text[0] != 0);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t edge_areas[2] = {0, 0};
    static const int32_t parents[1] = {-1};
    struct road_network *network = NULL;
    struct diag diag = {""};
    struct count *count = NULL, *again = NULL;
    enum err made = road_network_parse((struct str){text, sizeof(text) - 1}, "fuzz.net.xml", &diag, &network);
    assert(made == ERR_OK);
    struct count_map map = {.network = network, .edge_areas = edge_areas, .area_parents = parents, .n_areas = 1};
    struct buf bytes;
    buf_init(&bytes, COUNT_SNAPSHOT_MAX);
    buf_append(&bytes, data, size);
    count_snapshot_seal(&bytes);
    if (read_it(&bytes, &map, &count) == ERR_OK) {
        go_on(count, T0 + 500000);
        go_on(count, T0);
        buf_reset(&bytes);
        count_snapshot_write(count, STR("x"), &bytes);
        count_snapshot_seal(&bytes);
        if (read_it(&bytes, &map, &again) != ERR_OK)
            assert(0 && "what it wrote itself is refused");
        count_destroy(again);
        count_destroy(count);
    }
    buf_finish(&bytes);
    road_network_destroy(network);
    return 0;
}
