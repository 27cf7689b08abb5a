/*
 * What goes between the sums of a count and a part of its plates, over hostile bytes, by their first letter: q questions to a part, each as
 * run u8, number u8, length u16 and what follows upon the head; a the answer to the sums, likewise without its head. The head is put before
 * by this file, as its city cannot be guessed. A question that was answered gets the same answer again; snapshots lie in memory. What the
 * sums were told, they go on with.
 */
#include "scene/count/part.h"
#include "scene/count/parts.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define T0 ((int64_t)1700000000000)

static const char text[] =
    "<net><edge id=\"a\" from=\"j\" to=\"k\" name=\"A\"><lane id=\"a_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"0,0 "
    "500,0\"/></edge>"
    "<edge id=\"b\" from=\"k\" to=\"j\" name=\"B\"><lane id=\"b_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"500,0 0,0\"/></edge>"
    "<junction id=\"j\" type=\"priority\" x=\"0\" y=\"0\"/><junction id=\"k\" type=\"priority\" x=\"500\" y=\"0\"/>"
    "<connection from=\"a\" to=\"b\" fromLane=\"0\" toLane=\"0\"/><connection from=\"b\" to=\"a\" fromLane=\"0\" toLane=\"0\"/></net>";

static struct count_settings settings = COUNT_SETTINGS_DEFAULT;
static struct buf slots[COUNT_PART_SLOTS];

static enum err write_slot(void *context, uint32_t slot, struct str bytes)
{
    buf_reset(&slots[slot]);
    buf_append_str(&slots[slot], bytes);
    return slots[slot].err;
}

static enum err read_slot(void *context, uint32_t slot, struct buf *out)
{
    buf_append_str(out, buf_str(&slots[slot]));
    return slots[slot].len == 0 ? ERR_NOT_FOUND : out->err;
}

static void refused(void *context, uint32_t slot, const char *why)
{
    assert(0 && "what it wrote itself is refused");
}

/* The next question of the input behind its head; false at the end. */
static bool next(struct bytes_reader *in, uint64_t city, struct buf *question)
{
    struct count_part_head head = {.run = bytes_read_u8(in), .city = city, .n_parts = 2};
    head.number = bytes_read_u8(in);
    struct str body = bytes_read_str(in, bytes_read_u16be(in));
    buf_reset(question);
    count_part_put_head(question, &head);
    buf_append_str(question, body);
    return in->err == ERR_OK;
}

static void ask(const struct count_map *map, struct bytes_reader *in)
{
    static const struct count_part_store store = {write_slot, read_slot, refused, NULL};
    struct count_part *part = NULL;
    struct buf question, answer;
    buf_init(&question, COUNT_PART_BYTES_MAX);
    buf_init(&answer, COUNT_PART_BYTES_MAX);
    for (uint32_t i = 0; i < COUNT_PART_SLOTS; i++)
        buf_init(&slots[i], (size_t)1 << 26);
    enum err err = count_part_create(&settings, map, 0, 2, &store, &part);
    assert(err == ERR_OK);
    while (next(in, count_part_city(map->network, &settings), &question)) {
        struct str first, second;
        if (count_part_answer(part, buf_str(&question), &first) != ERR_OK)
            continue;
        buf_reset(&answer);
        buf_append_str(&answer, first);
        err = count_part_answer(part, buf_str(&question), &second);
        assert(err == ERR_OK && (answer.ptr[COUNT_PART_HEAD_LEN] > COUNT_PART_KEPT || str_equal(buf_str(&answer), second)));
    }
    count_part_destroy(part);
    for (uint32_t i = 0; i < COUNT_PART_SLOTS; i++)
        buf_finish(&slots[i]);
    buf_finish(&answer);
    buf_finish(&question);
}

static void on_ask(void *context, uint32_t part, struct str question) {}
static void on_updates(void *context, const struct count_updates *updates) {}

static void answer(const struct count_map *map, struct str body)
{
    struct count *count = NULL;
    struct count_parts *parts = NULL;
    struct buf bytes;
    uint32_t camera;
    buf_init(&bytes, COUNT_PART_BYTES_MAX);
    enum err err = count_create(&settings, map, &count);
    for (uint32_t edge = 0; edge < 2 && err == ERR_OK; edge++)
        err = count_camera_add(count, edge, &camera);
    const struct count_parts_options options = {
        .count = count, .map = map, .settings = &settings, .run = 1, .n = 1, .ask = on_ask, .on_updates = on_updates};
    if (err == ERR_OK)
        err = count_parts_create(&options, &parts);
    for (uint32_t i = 0; i < 4 && err == ERR_OK; i++) {
        struct count_event event = {.type = COUNT_PASSAGE, .passage = {i % 2, i % 2, T0 + i * 60, T0 + i * 60, 90}};
        err = count_parts_put(parts, &event);
    }
    assert(err == ERR_OK);
    count_parts_flush(parts);
    const struct count_part_head head = {.run = 1, .number = 1, .city = count_part_city(map->network, &settings), .n_parts = 1};
    count_part_put_head(&bytes, &head);
    buf_append_str(&bytes, body);
    struct count_event tick = {.type = COUNT_TICK, .now_ms = T0 + 60000};
    if (count_parts_answer(parts, 0, buf_str(&bytes)) == ERR_OK)
        err = count_parts_put(parts, &tick);
    assert(err == ERR_OK);
    count_parts_destroy(parts);
    count_destroy(count);
    buf_finish(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t edge_areas[2] = {0, 0};
    static const int32_t parents[1] = {-1};
    static struct road_network *network;
    struct bytes_reader in;
    struct diag diag = {""};
    if (network == NULL && road_network_parse((struct str){text, sizeof(text) - 1}, "fuzz.net.xml", &diag, &network) != ERR_OK)
        assert(0 && "the network");
    const struct count_map map = {.network = network, .edge_areas = edge_areas, .area_parents = parents, .n_areas = 1};
    settings.cameras_max = 16;
    settings.vehicles_max = 1000;
    settings.pairs_max = 64;
    bytes_reader_init(&in, data, size);
    uint8_t what = bytes_read_u8(&in);
    if (what == 'q')
        ask(&map, &in);
    else if (what == 'a')
        answer(&map, bytes_read_str(&in, bytes_reader_left(&in)));
    return 0;
}
