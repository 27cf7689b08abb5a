/* The journal: a disk or a memory that fails, in any operation, loses nothing that was acknowledged. */
#include "base/journal_testing.h"
#include "base/mem.h"
#include "base/test.h"

#include <errno.h>

/* The nth operation fails, for every n: nothing acknowledged is lost, the journal stays stopped, and the next opening recovers. */
static void any_failing_operation_stops_it_and_loses_nothing(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    static const enum err expected[] = {ERR_IO, ERR_DISK_FULL};
    for (size_t e = 0; e < 2; e++) {
        for (uint64_t nth = 1;; nth++) {
            struct testing_fixture f;
            testing_setup(&f);
            file_sim_fail(f.sim, nth, errors[e]);
            struct journal *journal;
            struct diag diag = {""};
            uint64_t n_acknowledged = 0;
            enum err err = testing_open(f.dir, file_sim_ops(f.sim), 1000, &diag, &journal);
            bool has_opened = !err;
            if (err) {
                assert_err(err, expected[e]);
                assert_true(diag.text[0] != 0);
            } else {
                n_acknowledged = testing_fill(journal, 0, 20, &err);
                assert_err(journal_error(journal), err);
                if (err) {
                    assert_err(err, expected[e]);
                    assert_err(testing_add(journal, n_acknowledged), expected[e]);
                }
                journal_close(journal);
            }
            assert_ok(testing_open(f.dir, NULL, 1000, NULL, &journal));
            assert_true(testing_check(journal, 0) >= n_acknowledged);
            journal_close(journal);
            bool is_past_all = has_opened && !err && file_sim_n_ops(f.sim) < nth;
            testing_finish(&f);
            if (is_past_all)
                break;
        }
    }
}

static void a_failed_sync_is_never_tried_again(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct journal *journal;
    assert_ok(testing_open(f.dir, file_sim_ops(f.sim), 0, NULL, &journal));
    assert_ok(testing_add(journal, 0));
    file_sim_fail_sync(f.sim, 1);
    assert_err(testing_add(journal, 1), ERR_IO);
    uint64_t n_ops = file_sim_n_ops(f.sim);
    assert_err(testing_add(journal, 1), ERR_IO);
    assert_int_equal(file_sim_n_ops(f.sim), n_ops);
    journal_close(journal);
    assert_int_equal(file_sim_n_ops(f.sim), n_ops);
    testing_finish(&f);
}

static void short_writes_are_completed(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct journal *journal;
    file_sim_short_writes(f.sim, true);
    assert_ok(testing_open(f.dir, file_sim_ops(f.sim), 1000, NULL, &journal));
    for (uint64_t i = 0; i < 20; i++)
        assert_ok(testing_add(journal, i));
    journal_close(journal);
    assert_ok(testing_open(f.dir, NULL, 1000, NULL, &journal));
    assert_int_equal(testing_check(journal, 0), 20);
    journal_close(journal);
    testing_finish(&f);
}

static void a_full_disk_stops_it_at_any_byte(void **state)
{
    for (uint64_t room = 1; room < 2500; room += 61) {
        struct testing_fixture f;
        testing_setup(&f);
        struct journal *journal;
        enum err err;
        file_sim_limit(f.sim, room);
        err = testing_open(f.dir, file_sim_ops(f.sim), 1000, NULL, &journal);
        uint64_t n_acknowledged = 0;
        if (!err) {
            n_acknowledged = testing_fill(journal, 0, 40, &err);
            journal_close(journal);
        }
        assert_err(err, ERR_DISK_FULL);
        assert_ok(testing_open(f.dir, NULL, 1000, NULL, &journal)); /* there is room again */
        uint64_t n = testing_check(journal, 0);
        assert_true(n >= n_acknowledged);
        assert_ok(testing_add(journal, n));
        journal_close(journal);
        testing_finish(&f);
    }
}

static void memory_that_fails_fails_the_append_alone(void **state)
{
    for (uint64_t nth = 1;; nth++) {
        struct testing_fixture f;
        testing_setup(&f);
        int64_t n_live = mem_n_live();
        struct journal *journal;
        mem_fail_nth(nth);
        enum err err = testing_open(f.dir, NULL, 1000, NULL, &journal);
        bool has_failed = err != ERR_OK;
        if (err) {
            assert_err(err, ERR_NO_MEMORY);
        } else {
            uint64_t n = 0;
            for (int i = 0; i < 40; i++) {
                err = testing_add(journal, n);
                has_failed |= err != ERR_OK;
                if (err)
                    assert_err(err, ERR_NO_MEMORY);
                else
                    n++;
            }
            mem_fail_nth(0);
            assert_ok(journal_error(journal));
            assert_int_equal(testing_check(journal, 0), n);
            journal_close(journal);
        }
        mem_fail_nth(0);
        assert_int_equal(mem_n_live(), n_live);
        testing_finish(&f);
        if (!has_failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_failing_operation_stops_it_and_loses_nothing),
        cmocka_unit_test(a_failed_sync_is_never_tried_again),
        cmocka_unit_test(short_writes_are_completed),
        cmocka_unit_test(a_full_disk_stops_it_at_any_byte),
        cmocka_unit_test(memory_that_fails_fails_the_append_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
