/* The journal: any kill and any power cut, replayed from the trace of what was done to the disk, loses nothing that was acknowledged. */
#include "base/journal_testing.h"
#include "base/test.h"

#include <inttypes.h>

/* A session with several segments, several openings, drops; each acknowledgement is marked. */
static void write_trace(struct testing_fixture *f, int n_rounds, int n_each)
{
    uint64_t n = 0;
    for (int round = 0; round < n_rounds; round++) {
        struct journal *journal;
        assert_ok(testing_open(f->dir, file_sim_ops(f->sim), 1500, NULL, &journal));
        for (int i = 0; i < n_each; i++) {
            assert_ok(testing_add(journal, n++));
            file_sim_mark(f->sim, n);
        }
        journal_close(journal);
    }
}

static void replay_trace(enum file_sim_crash crash, int n_seeds)
{
    struct testing_fixture f;
    testing_setup(&f);
    write_trace(&f, 4, 20);
    struct file_sim_replay *replay;
    uint64_t n_marked = 0, n_crashes = 0;
    assert_ok(file_sim_replay_create(f.sim, &replay));
    char dir[FILE_PATH_MAX];
    assert_ok(file_join(dir, f.other, "j"));
    while (file_sim_replay_step(replay, &n_marked)) {
        for (int seed = 0; seed < n_seeds; seed++, n_crashes++) {
            struct diag diag = {""};
            struct journal *journal;
            assert_ok(file_sim_replay_crash(replay, crash, n_crashes, f.other));
            enum err err = testing_open(dir, file_sim_unsynced_ops(), 1500, &diag, &journal);
            if (err)
                fail_msg("crash %" PRIu64 ": %s: %s", n_crashes, err_text(err), diag.text);
            uint64_t n = testing_check(journal, 0);
            if (n < n_marked)
                fail_msg("crash %" PRIu64 ": %" PRIu64 " acknowledged, %" PRIu64 " there", n_crashes, n_marked, n);
            assert_ok(testing_add(journal, n));
            journal_close(journal);
        }
    }
    assert_int_equal(n_marked, 80);
    assert_true(n_crashes > 400);
    file_sim_replay_destroy(replay);
    testing_finish(&f);
}

static void any_kill_loses_nothing_acknowledged(void **state)
{
    replay_trace(FILE_SIM_KILL, 2);
}

static void any_power_cut_loses_nothing_acknowledged(void **state)
{
    replay_trace(FILE_SIM_POWER, 8);
}

/* What an opening found after a kill counts as durable, although no sync of the dead process vouched for it: a power cut after that
 * opening must not take it back. */
static void what_an_opening_found_survives_a_power_cut(void **state)
{
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct testing_fixture f;
        struct journal *journal;
        testing_setup(&f);
        enum err err = ERR_OK;
        file_sim_die(f.sim, nth, nth);
        if (!testing_open(f.dir, file_sim_ops(f.sim), 1000, NULL, &journal)) {
            testing_fill(journal, 0, 12, &err);
            journal_close(journal);
        }
        file_sim_die(f.sim, 0, 0);
        assert_ok(testing_open(f.dir, file_sim_ops(f.sim), 1000, NULL, &journal));
        uint64_t n_found = journal_n_durable(journal), n_marked = 0;
        file_sim_mark(f.sim, n_found + 1);
        journal_close(journal);
        struct file_sim_replay *replay;
        char dir[FILE_PATH_MAX];
        assert_ok(file_join(dir, f.other, "j"));
        assert_ok(file_sim_replay_create(f.sim, &replay));
        while (n_marked == 0 && file_sim_replay_step(replay, &n_marked)) {
        }
        assert_int_equal(n_marked, n_found + 1);
        for (uint64_t seed = 0; seed < 8; seed++) {
            assert_ok(file_sim_replay_crash(replay, FILE_SIM_POWER, seed, f.other));
            assert_ok(testing_open(dir, file_sim_unsynced_ops(), 1000, NULL, &journal));
            assert_int_equal(testing_check(journal, 0), n_found);
            journal_close(journal);
        }
        file_sim_replay_destroy(replay);
        testing_finish(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_kill_loses_nothing_acknowledged),
        cmocka_unit_test(any_power_cut_loses_nothing_acknowledged),
        cmocka_unit_test(what_an_opening_found_survives_a_power_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
