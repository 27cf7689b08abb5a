/* A city in several processes, in one program; see joint_testing.h. */
#include "scene/count/joint_testing.h"

const struct count_settings defaults = COUNT_SETTINGS_DEFAULT;
struct town town;

int setup(void **state)
{
    struct town_options options = {.coverage = 0.6, .recall = 0.9, .n_trips = 8000, .for_ms = FOR_MS, .n_cloned = 100, .misread = 0.02};
    town_make(&town, &options, 31);
    return 0;
}

int teardown(void **state)
{
    town_finish(&town);
    return 0;
}

static uint64_t digest(const void *ptr, size_t len)
{
    return len == 0 ? 0 : str_hash((struct str){ptr, len});
}

/* Without what the compiler leaves between its members. */
static uint64_t digest_clone(const struct count_clone *clone)
{
    const struct count_sighting *seen[] = {&clone->first.a, &clone->first.b, &clone->second.a, &clone->second.b};
    uint64_t sum = clone->vehicle + digest(&clone->first.least_s, sizeof(double)) * 3 + digest(&clone->second.least_s, sizeof(double)) * 5;
    for (int i = 0; i < 4; i++)
        sum = sum * 31 + seen[i]->camera + (uint64_t)seen[i]->time_ms * 7;
    return sum;
}

static void on_updates(void *context, const struct count_updates *updates)
{
    struct joint *city = context;
    memset(&city->told, 0, sizeof(city->told));
    city->told.time_ms = updates->time_ms;
    city->told.area = updates->areas[0];
    city->told.n_edges = updates->n_edges;
    city->told.n_clones = updates->n_clones;
    city->told.edges = digest(updates->edges, updates->n_edges * sizeof(*updates->edges));
    city->told.junctions = digest(updates->junctions, updates->n_junctions * sizeof(*updates->junctions));
    for (uint32_t i = 0; i < updates->n_roads; i++)
        city->told.roads = city->told.roads * 31 + digest(&updates->roads[i].speed_mps, sizeof(double));
    for (uint32_t i = 0; i < updates->n_clones; i++)
        city->told.clones = city->told.clones * 31 + digest_clone(&updates->clones[i]);
    city->n_clones += updates->n_clones;
    city->n_told++;
}

static void on_ask(void *context, uint32_t part, struct str question)
{
    struct joint *city = context;
    city->asked[part] = question;
}

void begin(struct joint *city)
{
    *city = (struct joint){.seed = 5};
    assert_ok(count_create(&defaults, &town.map, &city->count));
    for (uint32_t e = 0; e < TOWN_EDGES; e++)
        if (town.has_camera[e] && e % 5 != 0) /* the fifth ones are put up later */
            assert_ok(count_camera_add(city->count, e, &city->cameras[e]));
}

static enum err disk_write(void *context, uint32_t slot, struct str bytes)
{
    struct joint_disk *disk = context;
    if (disk->is_full)
        return ERR_DISK_FULL;
    buf_reset(&disk->slots[slot]);
    buf_append_str(&disk->slots[slot], bytes);
    return disk->slots[slot].err;
}

static enum err disk_read(void *context, uint32_t slot, struct buf *out)
{
    struct joint_disk *disk = context;
    if (disk->slots[slot].len == 0)
        return ERR_NOT_FOUND;
    buf_append_str(out, buf_str(&disk->slots[slot]));
    return out->err;
}

static void disk_refused(void *context, uint32_t slot, const char *why)
{
    struct joint_disk *disk = context;
    disk->n_refused++;
}

void disk_init(struct joint_disk *disk)
{
    *disk = (struct joint_disk){.is_full = false};
    for (uint32_t i = 0; i < COUNT_PART_SLOTS; i++)
        buf_init(&disk->slots[i], COUNT_SNAPSHOT_MAX);
}

void disk_finish(struct joint_disk *disk)
{
    for (uint32_t i = 0; i < COUNT_PART_SLOTS; i++)
        buf_finish(&disk->slots[i]);
}

enum err make_part(struct joint *city, uint32_t i)
{
    if (city->disks != NULL)
        city->stores[i] = (struct count_part_store){disk_write, disk_read, disk_refused, &city->disks[i]};
    return count_part_create(&defaults, &town.map, i, city->n, city->disks != NULL ? &city->stores[i] : NULL, &city->part[i]);
}

/* The process ends without a word, and another one takes its place. */
void kill_part(struct joint *city, uint32_t i)
{
    count_part_destroy(city->part[i]);
    city->part[i] = NULL;
    assert_ok(make_part(city, i));
    city->n_killed++;
}

enum err open_parts(struct joint *city)
{
    struct count_parts_options options = {.count = city->count,
        .map = &town.map,
        .settings = &defaults,
        .run = city->run,
        .n = city->n,
        .from = city->from,
        .asked_max = city->asked_max,
        .ask = on_ask,
        .on_updates = on_updates,
        .on_taken = city->on_taken,
        .on_mark = city->on_mark,
        .context = city};
    return count_parts_create(&options, &city->parts);
}

enum err join(struct joint *city, uint32_t n)
{
    city->n = n;
    city->run = 77;
    for (uint32_t i = 0; i < n; i++) {
        buf_init(&city->kept[i], COUNT_PART_BYTES_MAX);
        enum err err = make_part(city, i);
        if (err != ERR_OK)
            return err;
    }
    return open_parts(city);
}

void end(struct joint *city)
{
    count_parts_destroy(city->parts);
    for (uint32_t i = 0; i < city->n; i++) {
        count_part_destroy(city->part[i]);
        buf_finish(&city->kept[i]);
    }
    count_destroy(city->count);
}

static uint64_t number_of(struct str bytes)
{
    struct count_part_head head;
    struct bytes_reader in;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    assert_ok(count_part_read_head(&in, &head));
    return head.number;
}

/* The bus: the parts answer in any order; some answers are lost and asked for again, some come twice, and late. Now and then a part is
 * killed.
 */
void carry(struct joint *city)
{
    while (count_parts_is_asking(city->parts)) {
        uint32_t i = (uint32_t)(random_next(&city->seed) % city->n);
        struct str answer;
        if (!count_parts_is_awaited(city->parts, i))
            continue;
        assert_ok(count_part_answer(city->part[i], city->asked[i], &answer));
        if (random_next(&city->seed) % 4 == 0) {
            city->n_lost++;
            if (city->n_lost % 16 == 0 && number_of(city->asked[i]) > city->killed_at[i]) { /* not while it is asked again, for ever */
                city->killed_at[i] = number_of(city->asked[i]);
                kill_part(city, i);
            }
            continue;
        }
        if (city->kept[i].len > 0 && number_of(buf_str(&city->kept[i])) != number_of(city->asked[i]))
            assert_int_equal(count_parts_answer(city->parts, i, buf_str(&city->kept[i])), ERR_CORRUPT); /* the one before */
        buf_reset(&city->kept[i]);
        buf_append_str(&city->kept[i], answer);
        assert_ok(count_parts_answer(city->parts, i, buf_str(&city->kept[i])));
    }
}

void put(struct joint *city, const struct count_event *event)
{
    struct count_updates updates;
    if (city->parts == NULL) {
        count_step(city->count, event, &updates);
        if (event->type == COUNT_TICK)
            on_updates(city, &updates);
        return;
    }
    assert_ok(count_parts_put(city->parts, event));
    carry(city);
}

/* With what a city does to it: one camera in seven is 20 s ahead, one in eleven is far off, one passage in a hundred comes minutes late. */
struct count_event passage_of(const struct joint *city, const struct town_passage *passage, size_t i)
{
    uint32_t camera = city->cameras[passage->edge];
    int64_t skew_ms = camera % 7 == 3 ? 20000 : camera % 97 == 5 ? 4000000 : 0, late_ms = i % 100 == 9 ? 240000 : 0;
    return (struct count_event){.type = COUNT_PASSAGE,
        .passage = {.vehicle = passage->vehicle,
            .camera = camera,
            .time_ms = T0 + passage->time_ms + skew_ms - late_ms,
            .arrived_ms = T0 + passage->arrived_ms,
            .confidence = (uint8_t)(i % 3 == 0 ? 0 : 40 + i % 60)}};
}

void compare(const struct joint *one, const struct joint *joined)
{
    const struct told *a = &one->told, *b = &joined->told;
    assert_int_equal(one->n_told, joined->n_told);
    if (memcmp(a, b, sizeof(*a)) != 0)
        fail_msg("at %lld s: %.9f and %.9f vehicles, %.9f and %.9f vehicles an hour, %u and %u edges, %u and %u clones",
            (long long)(a->time_ms - T0) / 1000, a->area.vehicles, b->area.vehicles, a->area.flow_vph, b->area.flow_vph, a->n_edges,
            b->n_edges, a->n_clones, b->n_clones);
}

void compare_cameras(const struct joint *one, const struct joint *joined)
{
    assert_int_equal(count_n_cameras(one->count), count_n_cameras(joined->count));
    for (uint32_t c = 0; c < count_n_cameras(one->count); c++) {
        struct count_camera_health a, b;
        memset(&a, 0, sizeof(a));
        memset(&b, 0, sizeof(b));
        count_camera_health(one->count, c, &a);
        count_camera_health(joined->count, c, &b);
        assert_true(a.clock_s == b.clock_s && a.clock_within_s == b.clock_within_s && a.n_recall == b.n_recall &&
                    (a.recall == b.recall || (isnan(a.recall) && isnan(b.recall))));
    }
}

void put_up_the_rest(struct joint *city)
{
    for (uint32_t e = 0; e < TOWN_EDGES; e++)
        if (town.has_camera[e] && e % 5 == 0)
            assert_ok(count_camera_add(city->count, e, &city->cameras[e]));
}
