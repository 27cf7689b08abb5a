/*
 * The store: durable and encrypted before `done`, each passage once over restarts, replay in order, retention, a full disk, a failed
 * fsync, a hub that is behind, no memory.
 */
#include "system/vehicle_camera/store.h"

#include "base/crypto.h"
#include "base/file_sim.h"
#include "base/mem.h"
#include "base/test.h"
#include "system/vehicle_camera/test_hub.h"

#include <dirent.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_MS 1795320000000LL /* 2026-11-22 12:00:00 in China */
#define HOUR_MS 3600000LL

static struct {
    char dir[FILE_PATH_MAX];
    struct clock_fake clock;
    struct yaml *yaml;
    struct camera_list cameras;
    struct loop *loop;
    struct store *store;
    _Atomic int fatal;
    _Atomic int n_fatal;
} f;

static enum err publish(void *context, struct rows *rows)
{
    return hub_publish(NULL, &fake_passage, rows);
}

static void on_fatal(void *context, enum err err)
{
    atomic_store(&f.fatal, (int)err);
    atomic_fetch_add(&f.n_fatal, 1);
}

static struct store_options options(void)
{
    return (struct store_options){.data_dir = f.dir,
        .clock = &f.clock.clock,
        .zone = TIME_ZONE_SHANGHAI,
        .kept_ms = 7 * 24 * HOUR_MS,
        .accept_past_ms = 24 * HOUR_MS,
        .accept_future_ms = 300000,
        .cameras = &f.cameras,
        .publish = publish,
        .fatal = on_fatal};
}

static void open_store(const struct store_options *o)
{
    struct diag diag = {""};
    enum err err = store_open(o, &diag, &f.store);
    if (err != ERR_OK)
        fail_msg("%s: %s", err_text(err), diag.text);
    for (int i = 0; i < 5000 && !store_is_ready(f.store); i++)
        usleep(1000);
    assert_true(store_is_ready(f.store));
}

static void close_store(void)
{
    store_close(f.store);
    f.store = NULL;
}

static void reopen(const struct store_options *o)
{
    close_store();
    fake_hub_reset();
    open_store(o);
}

static int set_up(void **state)
{
    struct diag_list *diags = calloc(1, sizeof *diags);
    memset(&f, 0, sizeof f);
    file_sim_make_root(f.dir);
    clock_fake_init(&f.clock, (struct wall_time){NOW_MS});
    enum err err = yaml_load_str(str_from_c(fake_city_file), "cameras.yaml", diags, &f.yaml);
    if (err == ERR_OK)
        err = camera_list_load(&f.cameras, yaml_root(f.yaml), NULL, diags);
    if (err == ERR_OK)
        err = loop_create(&f.clock.clock, &f.loop);
    fake_hub_reset();
    free(diags);
    return err != ERR_OK;
}

static int tear_down(void **state)
{
    mem_fail_nth(0);
    close_store();
    loop_destroy(f.loop);
    camera_list_finish(&f.cameras);
    yaml_destroy(f.yaml);
    file_sim_remove_tree(f.dir);
    fake_hub_reset();
    return 0;
}

/* Passages named PREFIX0000, PREFIX0001 … with plates of the same name. */
#define N_MAX 3000
struct many {
    struct passage passages[N_MAX];
    char names[N_MAX][24];
    size_t n;
};

static void make_many(struct many *many, const char *prefix, size_t first, size_t n)
{
    const struct camera *camera = camera_find(&f.cameras, STR(FAKE_CAMERA_1));
    many->n = n;
    for (size_t i = 0; i < n; i++) {
        struct passage *p = &many->passages[i];
        snprintf(many->names[i], sizeof many->names[i], "%s%04zu", prefix, first + i);
        *p = (struct passage){.id = str_from_c(many->names[i]),
            .camera = camera->device,
            .at = camera,
            .time_ms = clock_wall(&f.clock.clock).ms - 1000,
            .arrived_ms = clock_wall(&f.clock.clock).ms,
            .speed_mps = NAN,
            .lane = 2,
            .confidence = -1,
            .is_whole = true,
            .plate_class_len = 2};
        p->plate_len = (uint8_t)strlen(many->names[i]);
        memcpy(p->plate, many->names[i], p->plate_len);
        memcpy(p->plate_class, "02", 2);
    }
}

struct one_take {
    struct store_take take;
    bool has_ended;
};

static void on_done(struct store_take *take)
{
    container_of(take, struct one_take, take)->has_ended = true;
}

static enum err start_take(struct many *many, struct one_take *one)
{
    memset(one, 0, sizeof *one);
    one->take.loop = f.loop;
    one->take.done = on_done;
    enum err err = store_take(f.store, many->passages, many->n, &one->take);
    one->has_ended = err == ERR_OK && one->take.is_done;
    return err;
}

static enum err end_take(struct one_take *one)
{
    while (!one->has_ended)
        assert_ok(loop_run_once(f.loop, 100));
    enum err err = one->take.err;
    store_take_finish(&one->take);
    return err;
}

/* Takes and waits: what a request is answered. */
static enum err take(const char *prefix, size_t first, size_t n, size_t *ret_n_new)
{
    static struct many many;
    struct one_take one;
    make_many(&many, prefix, first, n);
    enum err err = start_take(&many, &one);
    if (err != ERR_OK)
        return err;
    err = end_take(&one);
    if (ret_n_new != NULL)
        *ret_n_new = one.take.n_new;
    return err;
}

/* Is this text in any file below the folder? */
static bool is_on_disk(const char *dir, const char *text)
{
    char path[2048];
    bool is_found = false;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *entry = readdir(d); entry != NULL && !is_found; entry = readdir(d)) {
        struct stat st;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        assert_int_equal(stat(path, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            is_found = is_on_disk(path, text);
            continue;
        }
        struct buf bytes;
        buf_init(&bytes, 64u << 20);
        assert_ok(file_read(path, &bytes));
        is_found = bytes.len > 0 && memmem(bytes.ptr, bytes.len, text, strlen(text)) != NULL;
        buf_finish(&bytes);
    }
    closedir(d);
    return is_found;
}

/* ---- taking ---- */

static void takes_and_publishes_in_order(void **state)
{
    const struct store_options o = options();
    char text[64], vehicle[64];
    size_t n_new = 0;
    open_store(&o);
    assert_ok(take("P", 0, 2500, &n_new)); /* three records */
    assert_int_equal(n_new, 2500);
    assert_ok(take("Q", 0, 1, &n_new));
    fake_hub_wait(2501);
    for (size_t i = 0; i < 2500; i++) {
        char wanted[24];
        snprintf(wanted, sizeof wanted, "P%04zu", i);
        fake_hub_text(i, PASSAGE_PLATE, text, sizeof text);
        assert_string_equal(text, wanted);
    }
    fake_hub_text(2500, PASSAGE_PLATE, text, sizeof text);
    assert_string_equal(text, "Q0000");
    fake_hub_text(0, PASSAGE_VEHICLE, vehicle, sizeof vehicle);
    assert_int_equal(strlen(vehicle), PASSAGE_VEHICLE_MAX);
    fake_hub_text(1, PASSAGE_VEHICLE, text, sizeof text);
    assert_string_not_equal(text, vehicle);
    assert_int_equal(atomic_load(&f.n_fatal), 0);
}

static void a_plate_is_nowhere_on_disk(void **state)
{
    const struct store_options o = options();
    open_store(&o);
    assert_ok(take("ZHEA777", 0, 100, NULL));
    close_store();
    assert_false(is_on_disk(f.dir, "ZHEA777"));
    assert_false(is_on_disk(f.dir, FAKE_CAMERA_1)); /* nor where it was */
    struct stat st;
    char path[2048];
    snprintf(path, sizeof path, "%s/secrets/journal", f.dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_vehicle_has_one_pseudonym_a_day(void **state)
{
    const struct store_options o = options();
    char first[64], again[64], next_day[64];
    open_store(&o);
    assert_ok(take("P", 1, 1, NULL));
    fake_hub_wait(1);
    fake_hub_text(0, PASSAGE_VEHICLE, first, sizeof first);
    clock_fake_advance_ms(&f.clock, HOUR_MS);
    reopen(&o);
    static struct many many;
    struct one_take one;
    make_many(&many, "P", 1, 1);
    many.passages[0].id = STR("another id");
    assert_ok(start_take(&many, &one));
    assert_ok(end_take(&one));
    fake_hub_wait(1);
    fake_hub_text(0, PASSAGE_VEHICLE, again, sizeof again);
    assert_string_equal(first, again); /* also after a restart */
    clock_fake_advance_ms(&f.clock, 24 * HOUR_MS);
    make_many(&many, "P", 1, 1);
    many.passages[0].id = STR("tomorrow's id");
    assert_ok(start_take(&many, &one));
    assert_ok(end_take(&one));
    fake_hub_wait(2);
    fake_hub_text(1, PASSAGE_VEHICLE, next_day, sizeof next_day);
    assert_string_not_equal(first, next_day);
    /* a plate that was not read whole names nobody */
    make_many(&many, "P", 2, 1);
    many.passages[0].is_whole = false;
    assert_ok(start_take(&many, &one));
    assert_ok(end_take(&one));
    fake_hub_wait(3);
    assert_int_equal(fake_hub_value(2, PASSAGE_VEHICLE).type, VALUE_NULL);
}

/* Rule 8: the same MotorVehicleID again is answered 0 and counted once: in one request, in the next one, and after a restart. */
static void a_repeat_counts_once(void **state)
{
    const struct store_options o = options();
    static struct many many;
    struct one_take one;
    size_t n_new = 0;
    open_store(&o);
    make_many(&many, "P", 0, 10);
    many.passages[9] = many.passages[0];
    assert_ok(start_take(&many, &one));
    assert_ok(end_take(&one));
    assert_int_equal(one.take.n_new, 9);
    assert_ok(take("P", 0, 12, &n_new)); /* nine old, three new: 9, 10, 11 */
    assert_int_equal(n_new, 3);
    assert_ok(take("P", 0, 12, &n_new));
    assert_int_equal(n_new, 0);
    fake_hub_wait(12);
    reopen(&o);
    assert_ok(take("P", 0, 13, &n_new));
    assert_int_equal(n_new, 1);
    fake_hub_wait(1);
    /* the same id of another camera is another passage */
    const struct camera *other = camera_find(&f.cameras, STR(FAKE_CAMERA_2));
    make_many(&many, "P", 0, 1);
    many.passages[0].camera = other->device;
    many.passages[0].at = other;
    assert_ok(start_take(&many, &one));
    assert_ok(end_take(&one));
    assert_int_equal(one.take.n_new, 1);
}

/* A repeat of what is still on its way to the disk is not answered before that is there. */
static void a_repeat_waits_for_the_first(void **state)
{
    struct file_sim *sim = NULL;
    struct store_options o = options();
    static struct many many;
    struct one_take first, second;
    assert_ok(file_sim_create(f.dir, &sim));
    o.files = file_sim_ops(sim);
    open_store(&o);
    file_sim_fail_sync(sim, 1);
    make_many(&many, "P", 0, 100);
    assert_ok(start_take(&many, &first));
    enum err err = start_take(&many, &second);
    assert_err(end_take(&first), ERR_IO);
    if (err == ERR_OK) /* it came before the failure: then it failed with it */
        err = end_take(&second);
    assert_err(err, ERR_IO);
    close_store();
    file_sim_destroy(sim);
}

static void remembers_within_its_limit(void **state)
{
    struct store_options o = options();
    size_t n_new = 0;
    o.n_repeats = 4000;
    open_store(&o);
    for (size_t i = 0; i < 5; i++)
        assert_ok(take("P", i * 1000, 1000, &n_new));
    assert_ok(take("P", 4000, 1000, &n_new)); /* the newest half of the limit is always there */
    assert_int_equal(n_new, 0);
    assert_ok(take("P", 3000, 1000, &n_new));
    assert_int_equal(n_new, 0);
    reopen(&o);
    assert_ok(take("P", 4000, 1000, &n_new));
    assert_int_equal(n_new, 0);
}

/* ---- replay ---- */

struct replayed {
    size_t n, n_batches;
    char first[32], last[32], vehicle[32];
    double lon;
    size_t fail_at;
};

static enum err collect(void *context, struct rows *rows)
{
    struct replayed *r = context;
    if (r->fail_at != 0 && ++r->n_batches == r->fail_at)
        return ERR_CANCELLED;
    const struct value *first = rows_at(rows, 0), *last = rows_at(rows, rows_n(rows) - 1);
    if (r->n == 0)
        assert_ok(str_to_c(first[PASSAGE_PLATE].s, r->first, sizeof r->first));
    assert_ok(str_to_c(last[PASSAGE_PLATE].s, r->last, sizeof r->last));
    assert_ok(str_to_c(last[PASSAGE_VEHICLE].s, r->vehicle, sizeof r->vehicle));
    r->lon = first[PASSAGE_LON].r;
    r->n += rows_n(rows);
    return ERR_OK;
}

static void replays_from_a_time(void **state)
{
    const struct store_options o = options();
    struct replayed r = {0};
    char vehicle[64];
    open_store(&o);
    for (size_t hour = 0; hour < 20; hour++) {
        assert_ok(take("P", hour * 10, 10, NULL));
        clock_fake_advance_ms(&f.clock, HOUR_MS);
    }
    fake_hub_wait(200);
    fake_hub_text(199, PASSAGE_VEHICLE, vehicle, sizeof vehicle);
    assert_ok(store_replay(f.store, (struct wall_time){0}, collect, &r));
    assert_int_equal(r.n, 200);
    assert_string_equal(r.first, "P0000");
    assert_string_equal(r.last, "P0199");
    assert_string_equal(r.vehicle, vehicle); /* the pseudonym of then */
    assert_true(r.lon == 120.13);
    reopen(&o);
    r = (struct replayed){0};
    assert_ok(store_replay(f.store, (struct wall_time){NOW_MS + 5 * HOUR_MS}, collect, &r));
    assert_int_equal(r.n, 150);
    assert_string_equal(r.first, "P0050");
    r = (struct replayed){0};
    assert_ok(store_replay(f.store, (struct wall_time){NOW_MS + 100 * HOUR_MS}, collect, &r));
    assert_int_equal(r.n, 0);
    r = (struct replayed){.fail_at = 3};
    assert_err(store_replay(f.store, (struct wall_time){0}, collect, &r), ERR_CANCELLED);
    assert_int_equal(r.n, 20);
}

static void key_of_day(struct wall_time wall, char *path, size_t size)
{
    struct civil_time day = civil_from_wall(wall, TIME_ZONE_SHANGHAI);
    snprintf(path, size, "%s/secrets/day/%04d-%02d-%02d", f.dir, day.year, day.month, day.day);
}

static void drops_what_is_past_its_retention(void **state)
{
    struct store_options o = options();
    struct replayed r = {0};
    o.segment_max_bytes = 2000;
    o.kept_ms = 24 * HOUR_MS;
    open_store(&o);
    for (size_t hour = 0; hour < 100; hour++) {
        assert_ok(take("P", hour * 20, 20, NULL));
        clock_fake_advance_ms(&f.clock, HOUR_MS);
    }
    fake_hub_wait(2000);
    store_drop_old(f.store);
    for (int i = 0; i < 2000; i++) {
        r = (struct replayed){0};
        assert_ok(store_replay(f.store, (struct wall_time){0}, collect, &r));
        if (r.n <= 26 * 20)
            break;
        usleep(1000);
    }
    assert_in_range(r.n, 24 * 20, 26 * 20); /* what is kept, to the segment */
    char key[FILE_PATH_MAX + 64];
    key_of_day((struct wall_time){NOW_MS}, key, sizeof key);
    for (int i = 0; i < 2000 && access(key, F_OK) == 0; i++)
        usleep(1000);
    assert_int_not_equal(access(key, F_OK), 0); /* and the first day's key is gone */
    key_of_day((struct wall_time){NOW_MS + 99 * HOUR_MS}, key, sizeof key);
    assert_int_equal(access(key, F_OK), 0);
    close_store();
    open_store(&o); /* finds its way in what is left */
}

/* More than a start reads at once: the door says busy, then everything is remembered. */
static void recalls_a_long_journal(void **state)
{
    const struct store_options o = options();
    size_t n_new = 0;
    open_store(&o);
    for (size_t i = 0; i < 300; i++)
        assert_ok(take("P", i * 3, 3, NULL));
    reopen(&o);
    assert_ok(take("P", 0, 901, &n_new));
    assert_int_equal(n_new, 1);
}

/* ---- limits and failures ---- */

static void slows_the_sender_when_the_hub_is_behind(void **state)
{
    struct store_options o = options();
    o.n_unpublished_max = 1000;
    open_store(&o);
    fake_hub_refuse(true);
    assert_ok(take("P", 0, 600, NULL));
    assert_err(take("Q", 0, 600, NULL), ERR_FULL); /* before anything is written */
    assert_ok(take("R", 0, 400, NULL));
    while (fake_hub_n_refused() < 3)
        usleep(1000);
    assert_int_equal(fake_hub_n(), 0);
    fake_hub_refuse(false);
    fake_hub_wait(1000);
    size_t n_new = 0;
    assert_ok(take("Q", 0, 600, &n_new)); /* what was refused is not taken for a repeat */
    assert_int_equal(n_new, 600);
    fake_hub_wait(1600);
}

static void stops_when(void (*break_disk)(struct file_sim *sim), enum err wanted)
{
    struct file_sim *sim = NULL;
    struct store_options o = options();
    struct replayed r = {0};
    size_t n_taken = 0;
    assert_ok(file_sim_create(f.dir, &sim));
    o.files = file_sim_ops(sim);
    open_store(&o);
    assert_ok(take("P", 0, 100, NULL));
    break_disk(sim);
    enum err err = ERR_OK;
    for (size_t i = 1; i < 1000 && err == ERR_OK; i++) {
        err = take("P", i * 100, 100, NULL);
        n_taken = err == ERR_OK ? i : n_taken;
    }
    assert_err(err, wanted);
    assert_err(take("Q", 0, 1, NULL), wanted); /* for good */
    assert_err(store_error(f.store), wanted);
    assert_int_equal(atomic_load(&f.fatal), (int)wanted);
    assert_int_equal(atomic_load(&f.n_fatal), 1);
    o.files = NULL;
    reopen(&o); /* as after a restart with room on the disk */
    assert_ok(store_replay(f.store, (struct wall_time){0}, collect, &r));
    assert_true(r.n >= (n_taken + 1) * 100); /* all that was acknowledged, perhaps more */
    size_t n_new = 0;
    assert_ok(take("P", 0, 100, &n_new));
    assert_int_equal(n_new, 0);
    close_store();
    file_sim_destroy(sim);
}

static void fill_disk(struct file_sim *sim)
{
    file_sim_limit(sim, 100000);
}

static void break_sync(struct file_sim *sim)
{
    file_sim_fail_sync(sim, 3);
}

static void a_full_disk_stops_it(void **state)
{
    stops_when(fill_disk, ERR_DISK_FULL);
}

static void a_failed_fsync_stops_it(void **state)
{
    stops_when(break_sync, ERR_IO);
}

static void refuses_another_key(void **state)
{
    const struct store_options o = options();
    struct diag diag = {""};
    char path[2048];
    open_store(&o);
    assert_ok(take("P", 0, 10, NULL));
    close_store();
    snprintf(path, sizeof path, "%s/secrets/journal", f.dir);
    assert_int_equal(unlink(path), 0);
    assert_err(store_open(&o, &diag, &f.store), ERR_CRYPTO);
    assert_non_null(strstr(diag.text, "put back the key"));
}

static void a_refused_take_leaves_no_trace(void **state)
{
    const struct store_options o = options();
    static struct many many;
    size_t n_new = 0;
    bool has_passed = false;
    open_store(&o);
    assert_ok(take("A", 0, 1, NULL)); /* the day's key and the buffers are there */
    size_t round = 0;
    for (uint64_t nth = 1; !has_passed; nth++, round++) {
        struct one_take one;
        assert_true(nth < 100);
        make_many(&many, "P", round * 20, 20);
        mem_fail_nth(nth);
        enum err err = start_take(&many, &one);
        mem_fail_nth(0);
        if (err == ERR_OK) {
            err = end_take(&one);
            /* the journal's own thread may have been the one without memory: then nothing is taken any more, and that is said */
            has_passed = err == ERR_OK;
            if (!has_passed) {
                assert_err(err, ERR_NO_MEMORY);
                assert_int_equal(atomic_load(&f.fatal), ERR_NO_MEMORY);
                reopen(&o);
                atomic_store(&f.n_fatal, 0);
            }
            continue;
        }
        assert_err(err, ERR_NO_MEMORY);
        assert_ok(take("P", round * 20, 20, &n_new)); /* all of it is new */
        assert_int_equal(n_new, 20);
    }
}

static void opening_survives_each_failed_allocation(void **state)
{
    const struct store_options o = options();
    bool has_passed = false;
    open_store(&o);
    assert_ok(take("P", 0, 100, NULL));
    close_store();
    int64_t n_before = mem_n_live();
    for (uint64_t nth = 1; !has_passed; nth++) {
        struct diag diag = {""};
        assert_true(nth < 200);
        mem_fail_nth(nth);
        enum err err = store_open(&o, &diag, &f.store);
        mem_fail_nth(0);
        has_passed = err == ERR_OK;
        if (!has_passed) {
            assert_err(err, ERR_NO_MEMORY);
            assert_int_equal(mem_n_live(), n_before);
        }
    }
}

int main(void)
{
#define ROW(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(takes_and_publishes_in_order),
        ROW(a_plate_is_nowhere_on_disk),
        ROW(a_vehicle_has_one_pseudonym_a_day),
        ROW(a_repeat_counts_once),
        ROW(a_repeat_waits_for_the_first),
        ROW(remembers_within_its_limit),
        ROW(replays_from_a_time),
        ROW(drops_what_is_past_its_retention),
        ROW(recalls_a_long_journal),
        ROW(slows_the_sender_when_the_hub_is_behind),
        ROW(a_full_disk_stops_it),
        ROW(a_failed_fsync_stops_it),
        ROW(refuses_another_key),
        ROW(a_refused_take_leaves_no_trace),
        ROW(opening_survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
