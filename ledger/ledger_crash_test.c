/*
 * Tests of the ledger against crashes: a kill between any two operations on files, a power cut after any of them, a disk that fails at
 * any of them, and a real process killed a hundred times and more.
 *
 * What has to hold each time: the ledger opens; every leaf that was acknowledged is there, at its place, with its bytes; the checkpoint
 * is signed, never covers less than any that was published before, and is one of the one log that testing_leaf() defines, so that no two
 * checkpoints of a run can contradict each other.
 */
#include "base/log.h"
#include "base/test.h"
#include "ledger/ledger_testing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOURNAL_BYTES 12000 /* a segment: some fifty leaves, so that segments come and go */

struct fixture {
    char root[FILE_PATH_MAX], dir[FILE_PATH_MAX], other[FILE_PATH_MAX], other_dir[FILE_PATH_MAX];
    struct file_sim *sim;
};

static void setup(struct fixture *f)
{
    file_sim_make_root(f->root);
    file_sim_make_root(f->other);
    assert_ok(file_sim_create(f->root, &f->sim));
    assert_ok(file_join(f->dir, f->root, "ledger"));
    assert_ok(file_join(f->other_dir, f->other, "ledger"));
}

static void finish(struct fixture *f)
{
    file_sim_destroy(f->sim);
    file_sim_remove_tree(f->root);
    file_sim_remove_tree(f->other);
}

/* What the client of a run was told. */
struct told {
    uint64_t n_acknowledged, n_published;
};

/* One life of a ledger: some leaves one by one, some at once, a checkpoint after each step of `step` leaves. */
static enum err live(struct fixture *f, uint64_t n_leaves, uint64_t step, struct told *told)
{
    struct ledger *ledger;
    enum err err = testing_open(f->dir, file_sim_ops(f->sim), JOURNAL_BYTES, NULL, &ledger);
    if (err)
        return err;
    for (uint64_t n = 0; n < n_leaves && !err; n += step) {
        uint64_t from = ledger_n_durable(ledger);
        uint64_t end = testing_append(ledger, from, from + 3, false, f->sim, &err);
        if (!err && step > 3)
            end = testing_append(ledger, from + 3, from + step, true, NULL, &err);
        told->n_acknowledged = end > told->n_acknowledged ? end : told->n_acknowledged;
        if (!err)
            err = ledger_publish(ledger);
        uint64_t published = ledger_n_published(ledger);
        told->n_published = published > told->n_published ? published : told->n_published;
        file_sim_mark(f->sim, testing_mark(told->n_acknowledged, told->n_published));
    }
    ledger_close(ledger);
    return err;
}

/* Opens what a crash left, holds it against what was told, goes on with it, and holds it again. */
static void check_after(const char *dir, const struct told *told, uint64_t number)
{
    struct ledger *ledger;
    struct diag diag = {""};
    char static_dir[FILE_PATH_MAX];
    enum err err;
    assert_ok(file_join(static_dir, dir, "log"));
    uint64_t on_disk = testing_check_checkpoint_file(static_dir);
    if (on_disk < told->n_published)
        fail_msg("crash %" PRIu64 ": checkpoint of %" PRIu64 " leaves, but one of %" PRIu64 " was published", number, on_disk,
            told->n_published);
    err = testing_open(dir, file_sim_unsynced_ops(), JOURNAL_BYTES, &diag, &ledger);
    if (err)
        fail_msg("crash %" PRIu64 ": %s: %s", number, err_text(err), diag.text);
    uint64_t n = testing_check(ledger);
    if (n < told->n_acknowledged || n < on_disk)
        fail_msg("crash %" PRIu64 ": %" PRIu64 " leaves, but %" PRIu64 " were acknowledged", number, n, told->n_acknowledged);
    assert_int_equal(testing_append(ledger, n, n + 5, true, NULL, &err), n + 5);
    ledger_close(ledger);
    assert_int_equal(testing_check_checkpoint_file(static_dir), n + 5);
}

static void a_kill_at_any_operation(void **state)
{
    uint64_t n_deaths = 0;
    for (uint64_t nth = 1;; nth += TEST_STEP) {
        struct fixture f;
        struct told told = {0};
        setup(&f);
        file_sim_die(f.sim, nth, nth);
        enum err first = live(&f, 280, 70, &told), second = ERR_OK;
        if (!first)
            second = live(&f, 300, 50, &told);
        bool has_died = file_sim_n_ops(f.sim) >= nth;
        if (!has_died && (first || second))
            fail_msg("without a kill: %s, %s", err_text(first), err_text(second));
        check_after(f.dir, &told, nth);
        finish(&f);
        if (!has_died)
            break;
        n_deaths++;
    }
    assert_true(n_deaths > 150 / TEST_STEP);
}

static void a_second_kill_while_recovering(void **state)
{
    for (uint64_t nth = 20; nth < 150; nth += 13) {
        for (uint64_t again = 1; again < 60; again += 5 * TEST_STEP) {
            struct fixture f;
            struct told told = {0};
            setup(&f);
            file_sim_die(f.sim, nth, nth);
            (void)live(&f, 280, 70, &told);
            file_sim_die(f.sim, 0, 0);
            file_sim_die(f.sim, again, again);
            (void)live(&f, 100, 50, &told);
            check_after(f.dir, &told, nth * 1000 + again);
            finish(&f);
        }
    }
}

static void a_disk_that_fails_at_any_operation(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    for (size_t e = 0; e < 2; e++) {
        for (uint64_t nth = 1 + e;; nth += 2 * TEST_STEP) { /* the odd ones with one error, the even with the other */
            struct fixture f;
            struct told told = {0};
            setup(&f);
            file_sim_fail(f.sim, nth, errors[e]);
            (void)live(&f, 280, 70, &told);
            bool has_failed = file_sim_n_ops(f.sim) >= nth;
            check_after(f.dir, &told, nth);
            finish(&f);
            if (!has_failed)
                break;
        }
    }
}

/* Once tiles cannot be written, nothing more is acknowledged; a new start goes on. */
static void a_full_disk_stops_acknowledgements(void **state)
{
    struct fixture f;
    struct ledger *ledger;
    enum err err;
    setup(&f);
    assert_ok(testing_open(f.dir, file_sim_ops(f.sim), 0, NULL, &ledger));
    assert_int_equal(testing_append(ledger, 0, 50, true, NULL, &err), 50);
    assert_ok(ledger_publish(ledger)); /* the next one is only when told */
    assert_int_equal(testing_append(ledger, 50, 100, true, NULL, &err), 100);
    file_sim_limit(f.sim, 3000);
    assert_err(ledger_publish(ledger), ERR_DISK_FULL);
    assert_err(ledger_error(ledger), ERR_DISK_FULL);
    assert_int_equal(testing_append(ledger, 100, 101, true, NULL, &err), 100);
    assert_err(err, ERR_DISK_FULL);
    ledger_close(ledger);
    struct told told = {.n_acknowledged = 100};
    check_after(f.dir, &told, 0);
    finish(&f);
}

struct fatal {
    _Atomic int n, err;
};

static void note_fatal(void *context, enum err err)
{
    struct fatal *fatal = context;
    atomic_store(&fatal->err, (int)err);
    atomic_fetch_add(&fatal->n, 1);
}

/* Whether the tiles or the journal cannot be written: the owner is told, once. */
static void the_owner_is_told_that_the_disk_refused(void **state)
{
    for (int is_journal = 0; is_journal < 2; is_journal++) {
        struct fixture f;
        struct fatal fatal = {0};
        struct ledger *ledger;
        enum err err;
        setup(&f);
        struct ledger_options options = {.dir = f.dir,
            .origin = STR(TESTING_ORIGIN),
            .key = testing_key(),
            .clock = clock_system(),
            .files = file_sim_ops(f.sim),
            .checkpoint_ms = 1000000,
            .fatal = note_fatal,
            .fatal_context = &fatal};
        assert_ok(ledger_open(&options, NULL, &ledger));
        assert_int_equal(testing_append(ledger, 0, 50, true, NULL, &err), 50);
        assert_ok(ledger_publish(ledger)); /* the next one is only when told */
        assert_int_equal(testing_append(ledger, 50, 100, true, NULL, &err), 100);
        assert_int_equal(atomic_load(&fatal.n), 0);
        file_sim_limit(f.sim, 100);
        if (is_journal)
            assert_int_equal(testing_append(ledger, 100, 110, false, NULL, &err), 100);
        else
            err = ledger_publish(ledger);
        assert_err(err, ERR_DISK_FULL);
        ledger_close(ledger); /* the tiles' thread has ended: it tells after ledger_publish() returned */
        assert_int_equal(atomic_load(&fatal.n), 1);
        assert_err((enum err)atomic_load(&fatal.err), ERR_DISK_FULL);
        finish(&f);
    }
}

static void replay(enum file_sim_crash crash, uint64_t n_seeds)
{
    struct fixture f;
    struct told told = {0};
    struct file_sim_replay *walk;
    uint64_t mark = 0, n_crashes = 0, n_steps = 0;
    setup(&f);
    assert_ok(live(&f, 280, 70, &told));
    assert_ok(live(&f, 300, 50, &told));
    assert_ok(file_sim_replay_create(f.sim, &walk));
    while (file_sim_replay_step(walk, &mark)) {
        for (uint64_t seed = 0; seed < n_seeds && n_steps % TEST_STEP == 0; seed++, n_crashes++) {
            assert_ok(file_sim_replay_crash(walk, crash, n_crashes, f.other));
            struct told until_now = {.n_acknowledged = mark & UINT32_MAX, .n_published = mark >> 32};
            check_after(f.other_dir, &until_now, n_crashes);
        }
        n_steps++;
    }
    assert_int_equal(mark, testing_mark(580, 580));
    assert_true(n_crashes > 250 / TEST_STEP * n_seeds);
    file_sim_replay_destroy(walk);
    finish(&f);
}

static void any_prefix_of_the_trace_after_a_kill(void **state)
{
    replay(FILE_SIM_KILL, 1);
}

static void any_prefix_of_the_trace_after_a_power_cut(void **state)
{
    replay(FILE_SIM_POWER, 4);
}

/* ---- a real process, really killed ---- */

#define N_KILLS TEST_TIMES(120)

struct shared { /* between parent and child */
    _Atomic uint64_t n_acknowledged, n_published;
    _Atomic uint64_t n_opened;
    _Atomic int err;
};

static struct shared *map_shared(int fd)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        abort();
    return shared;
}

/* Appends without end; tells of what it was told. */
static int run_child(const char *dir, int fd)
{
    struct shared *shared = map_shared(fd);
    struct ledger_options options = {.dir = dir,
        .origin = STR(TESTING_ORIGIN),
        .key = testing_key(),
        .clock = clock_system(),
        .checkpoint_ms = 3,
        .journal_max_bytes = JOURNAL_BYTES};
    struct ledger *ledger;
    enum err err = ledger_open(&options, NULL, &ledger);
    shared->n_opened++;
    uint64_t n = err ? 0 : ledger_n_durable(ledger);
    for (uint64_t i = 0; !err && i < 400; i++) {
        n = testing_append(ledger, n, n + 1 + i % 7, true, NULL, &err);
        shared->n_published = ledger_n_published(ledger);
        shared->n_acknowledged = n;
    }
    shared->err = (int)err;
    pause();
    return 1;
}

static void a_process_killed_again_and_again(void **state)
{
    struct fixture f;
    char self[FILE_PATH_MAX] = "", fd_text[16];
    uint64_t random = 20261122;
    setup(&f);
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    int fd = memfd_create("shared", 0);
    assert_int_equal(ftruncate(fd, sizeof(struct shared)), 0);
    struct shared *shared = map_shared(fd);
    snprintf(fd_text, sizeof fd_text, "%d", fd);
    for (uint64_t kill_number = 0; kill_number < N_KILLS; kill_number++) {
        uint64_t n_opened = shared->n_opened;
        pid_t child = fork();
        if (child == 0) {
            execl(self, self, "--child", f.dir, fd_text, (char *)NULL);
            _exit(127);
        }
        random = random * 6364136223846793005u + 1442695040888963407u;
        bool is_during_opening = kill_number % 4 == 3;
        while (!is_during_opening && shared->n_opened == n_opened)
            usleep(200);
        usleep((useconds_t)((random >> 33) % 15000));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_ok((enum err)shared->err);
        if (kill_number % 5 != 4)
            continue; /* most recoveries are the next child's, killed in their turn */
        struct told told = {.n_acknowledged = shared->n_acknowledged, .n_published = shared->n_published};
        check_after(f.dir, &told, kill_number);
    }
    assert_true(shared->n_acknowledged > 8 * N_KILLS);
    munmap(shared, sizeof *shared);
    close(fd);
    finish(&f);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--child") == 0)
        return run_child(argv[2], (int)strtol(argv[3], NULL, 10));
    log_set_level((enum log_level)0); /* failing disks are reported a thousand times */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_at_any_operation),
        cmocka_unit_test(a_second_kill_while_recovering),
        cmocka_unit_test(a_disk_that_fails_at_any_operation),
        cmocka_unit_test(a_full_disk_stops_acknowledgements),
        cmocka_unit_test(the_owner_is_told_that_the_disk_refused),
        cmocka_unit_test(any_prefix_of_the_trace_after_a_kill),
        cmocka_unit_test(any_prefix_of_the_trace_after_a_power_cut),
        cmocka_unit_test(a_process_killed_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
