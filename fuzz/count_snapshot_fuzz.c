/*
 * Snapshots of a count: one that the program wrote just now, with wrong bytes in it, sealed so that the digest keeps nothing out, is
 * refused with words or gives a count that goes on, and whose own snapshot is read again. The input says what is wrong: how much of it is
 * left (u16; 0: all of it), then places (u16) and what is added to the byte there. So the seeds do not age with the format.
 */
#include "scene/count/snapshot.h"
#include "scene/keeper.h"

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

static void write_it(const struct count *count, struct buf *bytes)
{
    buf_reset(bytes);
    count_snapshot_write(count, STR("x"), bytes);
}

/* Of a count of two cameras that has seen a little. */
static void make_snapshot(const struct count_map *map, struct buf *bytes)
{
    const struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    struct count *count = NULL;
    enum err err = count_create(&settings, map, &count);
    for (uint32_t edge = 0, camera; edge < 2 && err == ERR_OK; edge++)
        err = count_camera_add(count, edge, &camera);
    assert(err == ERR_OK);
    go_on(count, T0);
    write_it(count, bytes);
    assert(bytes->err == ERR_OK && bytes->len > 1000);
    count_destroy(count);
}

static void spoil(struct buf *bytes, const uint8_t *data, size_t size)
{
    size_t n_left = size >= 2 ? (size_t)(data[0] << 8 | data[1]) : 0;
    for (size_t i = 2; i + 3 <= size; i += 3)
        bytes->ptr[(size_t)(data[i] << 8 | data[i + 1]) % bytes->len] += (char)data[i + 2];
    if (n_left > 0 && n_left < bytes->len)
        bytes->len = n_left;
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
    make_snapshot(&map, &bytes);
    spoil(&bytes, data, size);
    scene_seal(&bytes);
    if (read_it(&bytes, &map, &count) == ERR_OK) {
        go_on(count, T0 + 500000);
        go_on(count, T0);
        write_it(count, &bytes);
        scene_seal(&bytes);
        if (bytes.err == ERR_OK && read_it(&bytes, &map, &again) != ERR_OK)
            assert(0 && "what it wrote itself is refused");
        count_destroy(again);
        count_destroy(count);
    }
    buf_finish(&bytes);
    road_network_destroy(network);
    return 0;
}
