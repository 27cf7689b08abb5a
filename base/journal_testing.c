/* Shared by the journal's tests. */
#include "base/journal_testing.h"

#include "base/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void testing_setup(struct testing_fixture *f)
{
    file_sim_make_root(f->root);
    assert_ok(file_sim_create(f->root, &f->sim));
    assert_ok(file_join(f->dir, f->root, "j"));
    file_sim_make_root(f->other);
}

void testing_finish(struct testing_fixture *f)
{
    file_sim_destroy(f->sim);
    file_sim_remove_tree(f->root);
    file_sim_remove_tree(f->other);
}

struct str testing_text(uint64_t i, char out[512])
{
    int n = snprintf(out, 512, "#%" PRIu64 ":", i);
    size_t len = (size_t)n + (size_t)(i * 37 % 293);
    memset(out + n, 'a' + (int)(i % 26), len - (size_t)n);
    return (struct str){out, len};
}

enum err testing_open(const char *dir, struct file_ops *files, size_t segment_max, struct diag *diag, struct journal **ret_journal)
{
    struct journal_options options = {.dir = dir, .files = files, .segment_max_bytes = segment_max, .record_max_bytes = 4096};
    return journal_open(&options, diag, ret_journal);
}

bool testing_check_record(void *context, uint64_t index, struct str record)
{
    struct testing_reading *reading = context;
    char text[512];
    if (index != reading->next || !str_equal(record, testing_text(index, text)))
        reading->is_right = false;
    reading->next = index + 1;
    return true;
}

uint64_t testing_check(struct journal *journal, uint64_t from)
{
    struct testing_reading reading = {.next = from, .is_right = true};
    assert_ok(journal_read(journal, from, testing_check_record, &reading));
    assert_true(reading.is_right);
    assert_int_equal(reading.next, journal_n_durable(journal));
    return reading.next;
}

enum err testing_add(struct journal *journal, uint64_t i)
{
    char text[512];
    uint64_t index = 0;
    enum err err = journal_append_wait(journal, testing_text(i, text), &index);
    if (!err)
        assert_int_equal(index, i);
    return err;
}

uint64_t testing_fill(struct journal *journal, uint64_t from, uint64_t n, enum err *ret_err)
{
    *ret_err = ERR_OK;
    for (uint64_t i = from; i < from + n && !*ret_err; i++) {
        *ret_err = testing_add(journal, i);
        if (*ret_err)
            return i;
    }
    return from + n;
}
