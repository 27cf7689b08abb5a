/* The day as bytes, written and read in the same order; see snapshot.h. */
#include "scene/zone/snapshot.h"

#include "base/bytes.h"
#include "base/crypto.h"
#include "scene/zone/state.h"

#include <math.h>
#include <string.h>

static const char magic[8] = {'c', 'b', 'z', 'o', 'n', 'e', 's', '\n'};
#define TIME_MAX_MS INT64_C(253402300800000) /* the year 10000 */
#define COUNT_MAX UINT64_C(1000000000000)

/* ---- writing ---- */

/* What the bits of a vehicle's masks mean: which zones, where; and whose. */
static struct sha256 shape_of(const struct zones *zones)
{
    struct sha256 each[ZONES_MAX] = {0};
    for (size_t i = 0; i < zones->n; i++) {
        struct sha256 parts[2] = {crypto_sha256(str_from_c(zones->zones[i].name)),
            crypto_sha256((struct str){(const char *)zones->zones[i].points, zones->zones[i].n_points * sizeof(struct zone_point)})};
        each[i] = crypto_sha256((struct str){(const char *)parts, sizeof(parts)});
    }
    struct sha256 shape = crypto_sha256((struct str){(const char *)each, zones->n * sizeof(each[0])});
    for (size_t i = 0; i < zones->n_areas; i++) {
        const struct zone_area *area = &zones->areas[i];
        struct sha256 parts[3] = {
            shape, crypto_sha256(str_from_c(area->name)), crypto_sha256((struct str){(const char *)&area->zones, sizeof(area->zones)})};
        shape = crypto_sha256((struct str){(const char *)parts, sizeof(parts)});
    }
    return shape;
}

static void write_zone(const struct zone_state *state, struct buf *out)
{
    buf_append_be(out, (uint64_t)state->heard_ms, 8);
    buf_append_be(out, (uint64_t)state->heard_gap_ms, 8);
    buf_append_be(out, (uint64_t)state->gaps.timeout_ms, 8);
    for (size_t i = 0; i < ZONE_GAP_BINS; i++)
        buf_append_be(out, state->gaps.n[i], 4);
    for (size_t i = 0; i < ZONE_N_GROUPS; i++) {
        buf_append_be(out, state->through[i], 8);
        buf_append_be(out, state->figures.through[i], 8);
    }
    buf_append_be(out, state->figures.breaches, 8);
    const struct zone_stays *stays = &state->stays;
    const double sums[] = {stays->inside_s, stays->counted_s, stays->with_count_s, stays->all_s};
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
        buf_append_be(out, (uint64_t)llround(sums[i] * 1000), 8);
    buf_append_be(out, stays->n_gaps, 8);
    buf_append_be(out, stays->n_headed, 8);
    buf_append_be(out, stays->n_found, 8);
}

static void write_area(const struct zone_area_state *area, struct buf *out)
{
    for (size_t i = 0; i < ZONE_N_GROUPS; i++) {
        buf_append_be(out, area->through[i], 8);
        buf_append_be(out, area->figures.through[i], 8);
    }
}

static bool is_of_the_day(const struct zone_core *core, const struct zone_vehicle *vehicle)
{
    return vehicle->day == core->today || vehicle->inside != 0;
}

static void write_vehicle(const struct zone_vehicle *vehicle, struct buf *out)
{
    buf_append_be(out, vehicle->id, 8);
    buf_append_be(out, (uint64_t)vehicle->seen_ms, 8);
    buf_append_be(out, (uint32_t)vehicle->day, 4);
    buf_append_be(out, vehicle->inside, 2);
    buf_append_be(out, vehicle->headed, 2);
    buf_append_be(out, vehicle->through, 2);
    buf_append_be(out, vehicle->breached, 2);
    buf_append_be(out, vehicle->group, 1);
}

void zone_snapshot_write(const struct zone_core *core, struct buf *out)
{
    struct sha256 shape = shape_of(core->zones);
    buf_append(out, magic, sizeof(magic));
    buf_append_be(out, ZONE_SNAPSHOT_VERSION, 4);
    buf_append(out, shape.bytes, sizeof(shape.bytes));
    buf_append_be(out, (uint64_t)core->now_ms, 8);
    buf_append_be(out, (uint64_t)core->missed_since_ms, 8);
    buf_append_be(out, (uint64_t)core->missed_until_ms, 8);
    for (size_t i = 0; i < core->zones->n; i++)
        write_zone(&core->states[i], out);
    for (size_t i = 0; i < core->zones->n_areas; i++)
        write_area(&core->area_states[i], out);
    for (int list = 0; list < ZONE_N_LISTS; list++) { /* in the order in which they are to be read: who was heard of longest ago, first */
        const struct zone_vehicle *vehicle = zone_vehicles_first(&core->vehicles, (enum zone_vehicle_list)list);
        for (; vehicle != NULL; vehicle = zone_vehicles_next(&core->vehicles, vehicle))
            if (is_of_the_day(core, vehicle))
                write_vehicle(vehicle, out);
    }
}

/* ---- reading ---- */

static bool read_time(struct bytes_reader *reader, bool may_be_none, int64_t *ret_time_ms)
{
    *ret_time_ms = (int64_t)bytes_read_u64be(reader);
    return (may_be_none && *ret_time_ms == INT64_MIN) || (*ret_time_ms >= 0 && *ret_time_ms <= TIME_MAX_MS);
}

static bool read_count(struct bytes_reader *reader, uint64_t max, uint64_t *ret_count)
{
    *ret_count = bytes_read_u64be(reader);
    return *ret_count <= max;
}

static bool read_stays(struct bytes_reader *reader, struct zone_stays *stays)
{
    double *const sums[] = {&stays->inside_s, &stays->counted_s, &stays->with_count_s, &stays->all_s};
    uint64_t *const counts[] = {&stays->n_gaps, &stays->n_headed, &stays->n_found};
    uint64_t ms = 0;
    bool is_right = true;
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
        is_right &= read_count(reader, COUNT_MAX * 1000, &ms);
        *sums[i] = (double)ms / 1000;
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        is_right &= read_count(reader, COUNT_MAX, counts[i]);
    return is_right;
}

static bool read_zone(struct bytes_reader *reader, struct zone_state *state)
{
    uint64_t heard_gap_ms, timeout_ms, n_gaps = 0;
    bool is_right = read_time(reader, true, &state->heard_ms);
    is_right &= read_count(reader, (uint64_t)TIME_MAX_MS, &heard_gap_ms);
    is_right &= read_count(reader, 2 * ZONE_GAP_MAX_MS, &timeout_ms);
    state->heard_gap_ms = (double)heard_gap_ms;
    for (size_t i = 0; i < ZONE_GAP_BINS; i++)
        n_gaps += state->gaps.n[i] = bytes_read_u32be(reader);
    is_right &= n_gaps <= ZONE_GAPS_MAX;
    state->gaps.n_all = (uint32_t)n_gaps;
    state->gaps.timeout_ms = (int64_t)timeout_ms;
    for (size_t i = 0; i < ZONE_N_GROUPS; i++) {
        is_right &= read_count(reader, COUNT_MAX, &state->through[i]);
        is_right &= read_count(reader, COUNT_MAX, &state->figures.through[i]);
    }
    is_right &= read_count(reader, COUNT_MAX, &state->figures.breaches);
    is_right &= read_stays(reader, &state->stays);
    state->figures.has_camera = state->heard_ms != INT64_MIN;
    return is_right && timeout_ms >= ZONE_TIMEOUT_MIN_MS;
}

static bool read_area(struct bytes_reader *reader, struct zone_area_state *area)
{
    bool is_right = true;
    for (size_t i = 0; i < ZONE_N_GROUPS; i++) {
        is_right &= read_count(reader, COUNT_MAX, &area->through[i]);
        is_right &= read_count(reader, COUNT_MAX, &area->figures.through[i]);
    }
    return is_right;
}

static enum err read_vehicle(struct bytes_reader *reader, struct zone_core *core)
{
    uint64_t id = bytes_read_u64be(reader);
    struct zone_vehicle known = {0};
    bool is_right = read_time(reader, false, &known.seen_ms);
    known.day = (int32_t)bytes_read_u32be(reader);
    known.inside = bytes_read_u16be(reader);
    known.headed = bytes_read_u16be(reader);
    known.through = bytes_read_u16be(reader);
    known.breached = bytes_read_u16be(reader);
    known.group = bytes_read_u8(reader);
    unsigned all = (1u << core->zones->n) - 1;
    is_right &= known.group < ZONE_N_GROUPS && ((known.inside | known.headed | known.through | known.breached) & ~all) == 0;
    if (reader->err != ERR_OK || !is_right || zone_vehicles_find(&core->vehicles, id) != NULL)
        return ERR_CORRUPT;
    struct zone_vehicle *vehicle = zone_add_vehicle(core, id);
    if (vehicle == NULL)
        return ERR_NO_MEMORY;
    vehicle->seen_ms = known.seen_ms;
    vehicle->day = known.day;
    vehicle->headed = known.headed;
    vehicle->through = known.through;
    vehicle->breached = known.breached;
    vehicle->group = known.group;
    zone_set_inside(core, vehicle, known.inside);
    zone_vehicles_renew(&core->vehicles, vehicle);
    return ERR_OK;
}

static enum err read_all(struct bytes_reader *reader, struct zone_core *core)
{
    bool is_right = read_time(reader, true, &core->now_ms);
    is_right &= read_time(reader, false, &core->missed_since_ms);
    is_right &= read_time(reader, false, &core->missed_until_ms);
    core->today = core->now_ms == INT64_MIN ? 0 : zone_day(core->now_ms, core->zones->time_zone);
    for (size_t i = 0; i < core->zones->n; i++)
        is_right &= read_zone(reader, &core->states[i]);
    for (size_t i = 0; i < core->zones->n_areas; i++)
        is_right &= read_area(reader, &core->area_states[i]);
    enum err err = is_right && reader->err == ERR_OK ? ERR_OK : ERR_CORRUPT;
    while (err == ERR_OK && bytes_reader_left(reader) > 0)
        err = read_vehicle(reader, core);
    return err;
}

enum err zone_snapshot_read(
    struct str bytes, const struct zone_settings *settings, const struct zones *zones, struct zone_core **ret_core, int64_t *ret_until_ms)
{
    struct bytes_reader reader;
    struct zone_core *core = NULL;
    struct sha256 shape = shape_of(zones);
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    if (!str_equal(bytes_read_str(&reader, sizeof(magic)), (struct str){magic, sizeof(magic)}))
        return ERR_CORRUPT;
    if (bytes_read_u32be(&reader) != ZONE_SNAPSHOT_VERSION)
        return ERR_UNSUPPORTED;
    if (!str_equal(bytes_read_str(&reader, sizeof(shape.bytes)), (struct str){(const char *)shape.bytes, sizeof(shape.bytes)}))
        return ERR_STATE;
    enum err err = zone_create(settings, zones, &core);
    if (err != ERR_OK)
        return err;
    err = read_all(&reader, core);
    if (err != ERR_OK) {
        zone_destroy(core);
        return err;
    }
    *ret_until_ms = core->now_ms;
    *ret_core = core;
    return ERR_OK;
}
