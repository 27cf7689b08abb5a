/* Questions and answers between the sums and the parts; see part_wire.h. */
#include "scene/count/part_wire.h"

#include "scene/count/state.h"

#include <math.h>
#include <string.h>

static const char magic[8] = {'c', 'b', 'p', 'a', 'r', 't', '2', '\n'};

#define MOVE_KIND 3u /* flags of a move */
#define MOVE_PLATE 4u
#define MOVE_SPLIT 8u
#define MOVE_SAME 16u /* the vehicle's trail is the plate's */
#define MOVE_CLONE 32u
#define MOVE_FLAGS 63u

static void put_f64(struct buf *out, double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof(bits));
    buf_append_be(out, bits, 8);
}

static uint64_t mix(uint64_t sum, uint64_t more)
{
    return (sum ^ more) * 0x9E3779B97F4A7C15u + (sum >> 29);
}

static uint64_t mix_real(uint64_t sum, double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof(bits));
    return mix(sum, bits);
}

uint64_t count_part_city(const struct road_network *network, const struct count_settings *settings)
{
    uint64_t sum = mix(mix(mix_real(1, settings->delay_min), (uint64_t)settings->keep_s), (uint64_t)settings->duplicate_ms);
    for (uint32_t i = 0; i < network->n_edges; i++) {
        const struct road_edge *edge = &network->edges[i];
        sum = mix_real(mix_real(mix(sum, str_hash(edge->id)), edge->length_m), road_edge_free_flow_s(edge));
    }
    return sum;
}

void count_part_put_head(struct buf *out, const struct count_part_head *head)
{
    buf_append(out, magic, sizeof(magic));
    buf_append_be(out, head->run, 8);
    buf_append_be(out, head->number, 8);
    buf_append_be(out, head->city, 8);
    buf_append_be(out, head->part, 2);
    buf_append_be(out, head->n_parts, 2);
}

enum err count_part_read_head(struct bytes_reader *in, struct count_part_head *ret_head)
{
    struct str found = bytes_read_str(in, sizeof(magic));
    bool is_ours = str_equal(found, (struct str){magic, sizeof(magic)});
    struct count_part_head head = {.run = bytes_read_u64be(in)};
    head.number = bytes_read_u64be(in);
    head.city = bytes_read_u64be(in);
    head.part = bytes_read_u16be(in);
    head.n_parts = bytes_read_u16be(in);
    if (in->err != ERR_OK || !is_ours)
        return ERR_SYNTAX;
    *ret_head = head;
    return ERR_OK;
}

void count_part_put_point(struct buf *out, struct count_part_point point)
{
    buf_append_be(out, point.run, 8);
    buf_append_be(out, point.number, 8);
}

struct count_part_point count_part_read_point(struct bytes_reader *in)
{
    struct count_part_point point = {.run = bytes_read_u64be(in)};
    point.number = bytes_read_u64be(in);
    return point;
}

static bool is_time(int64_t ms)
{
    return ms >= 0 && ms <= COUNT_TIME_MAX_MS;
}

void count_part_put_passage(struct buf *out, const struct count_passage *passage)
{
    buf_append_be(out, passage->vehicle, 8);
    buf_append_be(out, passage->camera, 4);
    buf_append_be(out, (uint64_t)passage->time_ms, 8);
    buf_append_be(out, (uint64_t)passage->arrived_ms, 8);
    buf_append_be(out, passage->confidence, 1);
}

enum err count_part_read_passage(struct bytes_reader *in, uint32_t n_cameras, struct count_passage *ret_passage)
{
    struct count_passage passage = {.vehicle = bytes_read_u64be(in)};
    passage.camera = bytes_read_u32be(in);
    passage.time_ms = (int64_t)bytes_read_u64be(in);
    passage.arrived_ms = (int64_t)bytes_read_u64be(in);
    passage.confidence = bytes_read_u8(in);
    if (in->err != ERR_OK)
        return ERR_SYNTAX;
    if (passage.camera >= n_cameras || !is_time(passage.time_ms) || !is_time(passage.arrived_ms))
        return ERR_CORRUPT;
    *ret_passage = passage;
    return ERR_OK;
}

/* ---- moves ---- */

static void put_trail(struct buf *out, const struct count_trail *trail)
{
    buf_append_be(out, trail->camera, 4);
    buf_append_be(out, trail->before_camera, 4);
    buf_append_be(out, (uint64_t)trail->ms, 8);
    buf_append_be(out, (uint64_t)trail->before_ms, 8);
    buf_append_be(out, trail->n_sightings, 4);
}

static bool read_trail(struct bytes_reader *in, uint32_t n_cameras, struct count_trail *ret_trail)
{
    struct count_trail *trail = ret_trail;
    trail->camera = bytes_read_u32be(in);
    trail->before_camera = bytes_read_u32be(in);
    trail->ms = (int64_t)bytes_read_u64be(in);
    trail->before_ms = (int64_t)bytes_read_u64be(in);
    trail->n_sightings = bytes_read_u32be(in);
    bool was_before = trail->before_camera < n_cameras && is_time(trail->before_ms);
    bool was_not = trail->before_camera == COUNT_NONE && trail->before_ms == INT64_MIN;
    return trail->camera < n_cameras && is_time(trail->ms) && trail->n_sightings > 0 &&
           (was_before || (was_not && trail->n_sightings == 1));
}

static void put_sighting(struct buf *out, const struct count_sighting *sighting)
{
    buf_append_be(out, sighting->camera, 4);
    buf_append_be(out, (uint64_t)sighting->time_ms, 8);
}

static bool read_sighting(struct bytes_reader *in, uint32_t n_cameras, struct count_sighting *ret_sighting)
{
    ret_sighting->camera = bytes_read_u32be(in);
    ret_sighting->time_ms = (int64_t)bytes_read_u64be(in);
    return ret_sighting->camera < n_cameras && is_time(ret_sighting->time_ms);
}

static void put_clone(struct buf *out, const struct count_clone *clone)
{
    const struct count_apart *pairs[] = {&clone->first, &clone->second};
    buf_append_be(out, clone->vehicle, 8);
    for (int i = 0; i < 2; i++) {
        put_sighting(out, &pairs[i]->a);
        put_sighting(out, &pairs[i]->b);
        put_f64(out, pairs[i]->least_s);
    }
}

static bool read_clone(struct bytes_reader *in, uint32_t n_cameras, struct count_clone *ret_clone)
{
    struct count_apart *pairs[] = {&ret_clone->first, &ret_clone->second};
    bool is_right = true;
    ret_clone->vehicle = bytes_read_u64be(in);
    for (int i = 0; i < 2; i++) {
        bool is_a = read_sighting(in, n_cameras, &pairs[i]->a), is_b = read_sighting(in, n_cameras, &pairs[i]->b);
        pairs[i]->least_s = bytes_read_f64be(in);
        is_right = is_right && is_a && is_b && isfinite(pairs[i]->least_s) && pairs[i]->least_s >= 0;
    }
    return is_right;
}

void count_part_put_move(struct buf *out, const struct count_move *move, const struct count_part_clone *clone)
{
    bool is_again = move->kind == COUNT_MOVE_AGAIN, has_same = is_again && move->is_same;
    uint32_t flags = (uint32_t)move->kind | (move->has_plate ? MOVE_PLATE : 0) | (move->is_split ? MOVE_SPLIT : 0) |
                     (has_same ? MOVE_SAME : 0) | (clone->is_there ? MOVE_CLONE : 0);
    buf_append_be(out, flags, 1);
    if (move->has_plate)
        put_trail(out, &move->plate);
    if (is_again && !has_same)
        put_trail(out, &move->last);
    if (clone->is_there)
        put_clone(out, &clone->clone);
}

enum err count_part_read_move(struct bytes_reader *in, uint32_t n_cameras, struct count_move *ret_move, struct count_part_clone *ret_clone)
{
    uint8_t flags = bytes_read_u8(in);
    struct count_move move = {
        .kind = (enum count_move_kind)(flags & MOVE_KIND), .has_plate = (flags & MOVE_PLATE) != 0, .is_split = (flags & MOVE_SPLIT) != 0};
    struct count_part_clone clone = {.is_there = (flags & MOVE_CLONE) != 0};
    bool is_again = move.kind == COUNT_MOVE_AGAIN, has_same = (flags & MOVE_SAME) != 0, is_right = (flags & ~MOVE_FLAGS) == 0;
    is_right = is_right && (!has_same || (is_again && move.has_plate));
    if (move.has_plate)
        is_right = read_trail(in, n_cameras, &move.plate) && is_right;
    move.is_same = has_same;
    if (is_again && !has_same)
        is_right = read_trail(in, n_cameras, &move.last) && is_right;
    if (clone.is_there)
        is_right = read_clone(in, n_cameras, &clone.clone) && is_right;
    if (in->err != ERR_OK)
        return ERR_SYNTAX;
    if (!is_right)
        return ERR_CORRUPT;
    *ret_move = move;
    *ret_clone = clone;
    return ERR_OK;
}
