/*
 * What a city in several processes has on its disks (parts.h, part.h): parts and sums are killed at moments that the seed draws, disks
 * refuse at others, and all goes on from its last marks. Every tick tells what one process tells that was never ended, bit for bit; where
 * that cannot be, it is said, and nothing is told. The traffic and the bus: joint_testing.h.
 */
#include "scene/count/joint_testing.h"
#include "scene/keeper.h"

#define EVENTS_MAX 60000
#define TICK_MS 5000
#define UNTIL_MS ((int64_t)1000 * 1000)
#define BACK_AT_MS ((int64_t)850 * 1000) /* the clock is set back */
#define SLOW_BUS 3                       /* a part of the processes is asked, and the others not yet, at a killing */

/* All that the sums are told, in order; a camera that is put up is no event of the core, but one here. */
static struct {
    struct count_event events[EVENTS_MAX];
    size_t n, n_ticks, up_at;
    struct told *truth; /* [n_ticks] of one process */
    uint32_t n_cameras; /* before the others are put up */
} city;

static void add_event(const struct count_event *event)
{
    assert_true(city.n < EVENTS_MAX);
    city.events[city.n++] = *event;
    city.n_ticks += event->type == COUNT_TICK;
}

/* A quarter of an hour; the clock is set back once on the way, cameras are put up once, and some passages come twice. */
static void make_events(void)
{
    struct joint one;
    int64_t next_ms = 0, shift_ms = 0;
    begin(&one);
    put_up_the_rest(&one); /* for their numbers */
    for (size_t i = 0; i < town.n_passages && next_ms < UNTIL_MS; i++) {
        for (; next_ms < town.passages[i].arrived_ms; next_ms += TICK_MS) {
            shift_ms = next_ms >= BACK_AT_MS ? -3600000 : 0;
            struct count_event tick = {.type = COUNT_TICK, .now_ms = T0 + next_ms + shift_ms};
            if (city.up_at == 0 && next_ms > 300000)
                city.up_at = city.n;
            add_event(&tick);
        }
        if (city.up_at == 0 && town.passages[i].edge % 5 == 0)
            continue;
        struct count_event event = passage_of(&one, &town.passages[i], i);
        event.passage.time_ms += shift_ms;
        event.passage.arrived_ms += shift_ms;
        add_event(&event);
        if (i % 50 == 7)
            add_event(&event);
    }
    end(&one);
}

static int setup_events(void **state)
{
    struct joint one;
    size_t n = 0;
    if (setup(state) != 0)
        return -1;
    make_events();
    city.truth = mem_alloc_zero(city.n_ticks, sizeof(*city.truth));
    if (city.truth == NULL)
        return -1;
    begin(&one);
    city.n_cameras = count_n_cameras(one.count);
    for (size_t i = 0; i < city.n; i++) {
        if (i == city.up_at)
            put_up_the_rest(&one);
        put(&one, &city.events[i]);
        if (city.events[i].type == COUNT_TICK)
            city.truth[n++] = one.told;
    }
    end(&one);
    return 0;
}

static int teardown_events(void **state)
{
    mem_free(city.truth);
    return teardown(state);
}

/* ---- the sums and their disk ---- */

struct snapshot {
    struct count_parts_mark mark;
    struct buf bytes;
    size_t at; /* of the events: those before it are in it */
};

struct trial {
    struct joint joint; /* first: the context of its parts */
    struct joint_disk disks[PARTS];
    struct snapshot writing, held; /* on its way to the sums' disk; there */
    bool is_writing, is_there;
    size_t done, n_told; /* events in the sums; ticks told */
    uint32_t n_sums_killed, n_resumed, n_full;
    uint64_t n_again, n_marks, n_bare;
};

static void on_taken(void *context, const struct count_event *event)
{
    ((struct trial *)context)->done++;
}

static void write_snapshot(struct snapshot *snapshot, const struct joint *joint, const struct count_parts_mark *mark, size_t at)
{
    snapshot->mark = *mark;
    snapshot->at = at;
    buf_reset(&snapshot->bytes);
    count_snapshot_write(joint->count, STR_NONE, &snapshot->bytes);
    scene_seal(&snapshot->bytes);
    assert_ok(snapshot->bytes.err);
}

static void on_mark(void *context, const struct count_parts_mark *mark)
{
    struct trial *trial = context;
    assert_false(trial->is_writing);
    write_snapshot(&trial->writing, &trial->joint, mark, trial->done);
    trial->is_writing = true;
}

/* The sums' disk has taken it, or has not. */
static void end_writing(struct trial *trial, bool is_written)
{
    if (is_written) {
        struct buf before = trial->held.bytes;
        trial->held = trial->writing;
        trial->writing.bytes = before;
        trial->is_there = true;
        if (trial->joint.parts != NULL)
            count_parts_hold(trial->joint.parts, &trial->held.mark);
    }
    trial->is_writing = false;
}

static void note_counters(struct trial *trial)
{
    struct count_parts_counters counters = count_parts_counters(trial->joint.parts);
    trial->n_again += counters.n_again;
    trial->n_marks += counters.n_marks;
    trial->n_bare += counters.n_bare;
}

/* Ended without a word and begun again, from its snapshot or from nothing; the events since then are replayed. */
static void kill_sums(struct trial *trial)
{
    struct joint *joint = &trial->joint;
    struct diag diag = {""};
    struct str extra;
    note_counters(trial);
    count_parts_destroy(joint->parts);
    count_destroy(joint->count);
    joint->parts = NULL;
    joint->count = NULL;
    if (trial->is_writing)
        end_writing(trial, random_next(&joint->seed) % 2 == 0);
    trial->n_sums_killed++;
    trial->done = trial->is_there ? trial->held.at : 0;
    trial->n_resumed += trial->is_there;
    joint->run++;
    joint->from = trial->is_there ? &trial->held.mark : NULL;
    joint->n_told = 0;
    for (size_t i = 0; i < trial->done; i++)
        joint->n_told += city.events[i].type == COUNT_TICK;
    for (uint32_t i = 0; i < joint->n; i++) {
        buf_reset(&joint->kept[i]);
        joint->killed_at[i] = 0;
    }
    if (!trial->is_there) {
        struct joint fresh;
        begin(&fresh);
        joint->count = fresh.count;
    } else if (count_snapshot_read(buf_str(&trial->held.bytes), &defaults, &town.map, &diag, &extra, &joint->count) != ERR_OK) {
        fail_msg("%s", diag.text);
    }
    assert_ok(open_parts(joint));
}

/* Some of the parts have been asked, and answered, when the sums end. */
static void carry_some(struct joint *joint)
{
    for (int n = 0; n < SLOW_BUS && count_parts_is_asking(joint->parts); n++) {
        uint32_t i = (uint32_t)(random_next(&joint->seed) % joint->n);
        struct str answer;
        if (!count_parts_is_awaited(joint->parts, i))
            continue;
        assert_ok(count_part_answer(joint->part[i], joint->asked[i], &answer));
        if (random_next(&joint->seed) % 2 == 0)
            assert_ok(count_parts_answer(joint->parts, i, answer));
    }
}

static void compare_tick(struct trial *trial)
{
    const struct told *a = &city.truth[trial->joint.n_told - 1], *b = &trial->joint.told;
    trial->done++;
    if (memcmp(a, b, sizeof(*a)) != 0)
        fail_msg("after %u parts and %u sums killed, at %lld s: %.9f and %.9f vehicles, %u and %u edges", trial->joint.n_killed,
            trial->n_sums_killed, (long long)(a->time_ms - T0) / 1000, a->area.vehicles, b->area.vehicles, a->n_edges, b->n_edges);
}

static void begin_trial(struct trial *trial, uint32_t n, uint64_t seed)
{
    memset(trial, 0, sizeof(*trial));
    begin(&trial->joint);
    trial->joint.seed = seed;
    trial->joint.disks = trial->disks;
    trial->joint.on_taken = on_taken;
    trial->joint.on_mark = on_mark;
    buf_init(&trial->writing.bytes, COUNT_SNAPSHOT_MAX);
    buf_init(&trial->held.bytes, COUNT_SNAPSHOT_MAX);
    for (uint32_t i = 0; i < PARTS; i++)
        disk_init(&trial->disks[i]);
    assert_ok(join(&trial->joint, n));
}

static void end_trial(struct trial *trial)
{
    note_counters(trial);
    end(&trial->joint);
    buf_finish(&trial->writing.bytes);
    buf_finish(&trial->held.bytes);
    for (uint32_t i = 0; i < PARTS; i++)
        disk_finish(&trial->disks[i]);
}

/* What may happen between two events: to a part, to the sums, to both at once, to a disk. */
static bool misfortune(struct trial *trial)
{
    struct joint *joint = &trial->joint;
    uint64_t drawn = random_next(&joint->seed) % 80000;
    uint32_t i = (uint32_t)(random_next(&joint->seed) % joint->n);
    if (drawn < 60)
        kill_part(joint, i);
    if (drawn >= 60 && drawn < 80)
        trial->n_full += trial->disks[i].is_full = !trial->disks[i].is_full;
    if (drawn >= 80 && drawn < 400 && trial->is_writing)
        end_writing(trial, drawn % 4 != 0);
    if (drawn >= 400 && drawn < 412)
        for (uint32_t k = 0; k < joint->n; k++)
            kill_part(joint, k);
    if (drawn >= 400 && drawn < 430) {
        carry_some(joint);
        kill_sums(trial);
        return true;
    }
    return false;
}

static enum err put_at(struct joint *joint, size_t i)
{
    if (i == city.up_at && count_n_cameras(joint->count) == city.n_cameras)
        put_up_the_rest(joint);
    return count_parts_put(joint->parts, &city.events[i]);
}

static void go_through(struct trial *trial)
{
    struct joint *joint = &trial->joint;
    for (size_t i = 0; i < city.n; i++) {
        uint32_t n_told = joint->n_told;
        assert_ok(put_at(joint, i));
        if (misfortune(trial)) {
            i = trial->done - 1;
            continue;
        }
        carry(joint);
        if (joint->n_told > n_told) {
            compare_tick(trial);
            if (joint->n_told % 12 == 0 && !trial->is_writing)
                count_parts_mark(joint->parts);
        }
    }
    count_parts_flush(joint->parts);
    carry(joint);
}

static void killed_at_any_moment_all_goes_on(void **state)
{
    static const uint32_t sizes[] = {1, 2, PARTS};
    const char *asked = getenv("CITYBRAIN_SEED");
    struct trial all = {.done = 0};
    uint32_t n_killed = 0;
    bool is_whole = TEST_TIMES(8) == 8;
    for (size_t s = is_whole ? 0 : 1; s < (is_whole ? sizeof(sizes) / sizeof(sizes[0]) : 2); s++) {
        static struct trial trial;
        uint64_t seed = asked != NULL ? strtoull(asked, NULL, 10) : 4711 + s;
        print_message("%u parts, CITYBRAIN_SEED=%llu: ", sizes[s], (unsigned long long)seed);
        begin_trial(&trial, sizes[s], seed);
        go_through(&trial);
        assert_int_equal(trial.joint.n_told, city.n_ticks);
        uint32_t n_told = trial.joint.n_told;
        end_trial(&trial);
        print_message("%u ticks alike; %u parts and %u sums killed, %u of these went on from marks; %llu marks and %llu that not all kept, "
                      "%llu questions asked again\n",
            n_told, trial.joint.n_killed, trial.n_sums_killed, trial.n_resumed, (unsigned long long)trial.n_marks,
            (unsigned long long)trial.n_bare, (unsigned long long)trial.n_again);
        all.n_resumed += trial.n_resumed;
        all.n_full += trial.n_full;
        all.n_marks += trial.n_marks;
        all.n_bare += trial.n_bare;
        n_killed += trial.joint.n_killed;
    }
    if (asked == NULL && is_whole) /* what was to happen has happened */
        assert_true(n_killed > 50 && all.n_resumed > 5 && all.n_marks > 20 && all.n_bare > 5 && all.n_full > 5);
}

/* ---- what cannot go on ---- */

/* Marks at which sums and disks are looked at. */
#define MARKS 3
static struct {
    struct snapshot sums[MARKS];
    struct joint_disk disks[MARKS][2]; /* after each of them */
} kept;

static void copy_buf(const struct buf *from, struct buf *to)
{
    buf_init(to, COUNT_SNAPSHOT_MAX);
    buf_append_str(to, buf_str(from));
    assert_ok(to->err);
}

/* Two parts, without misfortunes, up to the last of the marks. */
static void keep_marks(struct trial *trial)
{
    size_t n = 0;
    begin_trial(trial, 2, 5);
    for (size_t i = 0; n < MARKS; i++) {
        assert_ok(put_at(&trial->joint, i));
        carry(&trial->joint);
        if (city.events[i].type == COUNT_TICK)
            trial->done++;
        if (i % 2000 == 1999)
            count_parts_mark(trial->joint.parts);
        if (!trial->is_writing)
            continue;
        end_writing(trial, true);
        kept.sums[n] = trial->held;
        copy_buf(&trial->held.bytes, &kept.sums[n].bytes);
        for (uint32_t p = 0; p < 2; p++)
            for (uint32_t slot = 0; slot < COUNT_PART_SLOTS; slot++)
                copy_buf(&trial->disks[p].slots[slot], &kept.disks[n][p].slots[slot]);
        n++;
    }
}

/* Sums that go on from mark `sums`, with parts whose disks are those of after mark `disks`, but part 2's of after `other`. */
static enum err go_on(size_t sums, size_t disks, size_t other)
{
    struct joint joint = {.seed = 3, .n = 2, .run = 99, .from = &kept.sums[sums].mark};
    struct joint_disk both[2] = {kept.disks[disks][0], kept.disks[other][1]};
    struct diag diag = {""};
    struct str extra, answer;
    enum err err = ERR_OK;
    joint.disks = both;
    assert_ok(count_snapshot_read(buf_str(&kept.sums[sums].bytes), &defaults, &town.map, &diag, &extra, &joint.count));
    for (uint32_t i = 0; i < 2; i++) {
        buf_init(&joint.kept[i], COUNT_PART_BYTES_MAX);
        assert_ok(make_part(&joint, i));
    }
    assert_ok(open_parts(&joint));
    for (size_t i = kept.sums[sums].at; i < kept.sums[sums].at + 3000 && err == ERR_OK; i++) {
        err = put_at(&joint, i);
        for (uint32_t p = 0; p < 2 && err == ERR_OK; p++)
            while (err == ERR_OK && count_parts_is_awaited(joint.parts, p)) {
                assert_ok(count_part_answer(joint.part[p], joint.asked[p], &answer));
                err = count_parts_answer(joint.parts, p, answer);
            }
    }
    end(&joint);
    return err;
}

/* Which of two marks it is does not matter, but all must have it: an older or a newer one is told, and nothing is counted with it. */
static void a_part_that_has_another_mark_says_so(void **state)
{
    static struct trial trial;
    keep_marks(&trial);
    assert_ok(go_on(2, 2, 2));
    assert_ok(go_on(1, 2, 2)); /* the sums' last snapshot did not come to the disk */
    assert_ok(go_on(1, 1, 2));
    assert_int_equal(go_on(0, 2, 2), ERR_STATE);
    assert_int_equal(go_on(2, 2, 1), ERR_STATE);
    assert_int_equal(go_on(2, 0, 2), ERR_STATE);
    end_trial(&trial);
    for (size_t n = 0; n < MARKS; n++) {
        buf_finish(&kept.sums[n].bytes);
        for (uint32_t p = 0; p < 2; p++)
            disk_finish(&kept.disks[n][p]);
    }
}

/* One vehicle, again and again, until so many bytes have been asked. */
static void ask_much(struct joint *joint, int64_t *now_ms, bool (*is_enough)(const struct count_parts *parts))
{
    for (uint32_t n = 0; !is_enough(joint->parts); n++) {
        struct count_event event = {.type = COUNT_PASSAGE, .passage = {4711, n % 2, T0 + *now_ms, T0 + *now_ms}};
        assert_true(n < 1000000);
        put(joint, &event);
        *now_ms += 100;
    }
}

static bool is_bare(const struct count_parts *parts)
{
    return count_parts_is_bare(parts, count_part_of(4711, 2));
}

/* A part keeps nothing, and is asked more than there is room for: that is told before it is killed, and when it is. */
static void what_is_given_up_is_told(void **state)
{
    struct joint joint;
    struct joint_disk disks[2];
    struct str answer;
    int64_t now_ms = 0;
    uint32_t part = count_part_of(4711, 2);
    for (uint32_t i = 0; i < 2; i++)
        disk_init(&disks[i]);
    disks[part].is_full = true;
    begin(&joint);
    joint.disks = disks;
    joint.asked_max = 1;
    assert_ok(join(&joint, 2));
    joint.killed_at[0] = joint.killed_at[1] = UINT64_MAX; /* but here */
    ask_much(&joint, &now_ms, count_parts_is_full);
    count_parts_mark(joint.parts); /* in vain */
    ask_much(&joint, &now_ms, is_bare);
    assert_int_equal(count_parts_counters(joint.parts).n_bare, 1);
    assert_false(count_parts_is_bare(joint.parts, 1 - part));
    assert_true(count_parts_counters(joint.parts).n_held_bytes < 4 * COUNT_PART_BYTES_MAX);
    disks[part].is_full = false; /* there is room again, and nothing is lost */
    count_parts_mark(joint.parts);
    count_parts_flush(joint.parts);
    carry(&joint);
    struct count_event tick = {.type = COUNT_TICK, .now_ms = T0 + now_ms};
    put(&joint, &tick);
    assert_true(!is_bare(joint.parts) && count_parts_counters(joint.parts).n_marks == 1);
    kill_part(&joint, part);
    disks[part].is_full = true;
    ask_much(&joint, &now_ms, is_bare);
    kill_part(&joint, part);
    struct count_event event = {.type = COUNT_PASSAGE, .passage = {4711, 0, T0 + now_ms, T0 + now_ms}};
    assert_ok(count_parts_put(joint.parts, &event));
    count_parts_flush(joint.parts);
    assert_ok(count_part_answer(joint.part[part], joint.asked[part], &answer));
    assert_int_equal(count_parts_answer(joint.parts, part, answer), ERR_STATE);
    end(&joint);
    for (uint32_t i = 0; i < 2; i++)
        disk_finish(&disks[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_that_has_another_mark_says_so),
        cmocka_unit_test(what_is_given_up_is_told),
        cmocka_unit_test(killed_at_any_moment_all_goes_on),
    };
    return cmocka_run_group_tests(tests, setup_events, teardown_events);
}
