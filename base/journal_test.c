/* The journal: records kept over segments and openings, by many threads at once, within its limits, dropped and followed. */
#include "base/journal_testing.h"
#include "base/mem.h"
#include "base/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void keeps_records_over_segments_and_openings(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    uint64_t n = 0;
    for (int round = 0; round < 5; round++) {
        struct journal *journal;
        assert_ok(testing_open(f.dir, NULL, 2000, NULL, &journal));
        assert_int_equal(testing_check(journal, 0), n);
        for (int i = 0; i < 30; i++)
            assert_ok(testing_add(journal, n++));
        testing_check(journal, 0);
        testing_check(journal, n / 2);
        testing_check(journal, n);
        journal_close(journal);
    }
    testing_finish(&f);
}

/* ---- many threads, many records in one append ---- */

#define N_THREADS 4
#define N_APPENDS 200
#define N_EACH 5

struct durable_log {
    uint64_t next;
    bool is_in_order;
};

static void note_durable(void *context, uint64_t first_index, const struct str *records, size_t n)
{
    struct durable_log *log = context;
    log->is_in_order &= first_index == log->next && n > 0 && records[n - 1].len >= 7;
    log->next = first_index + n;
}

struct sender {
    struct journal *journal;
    struct journal_append appends[N_APPENDS];
    struct str records[N_EACH];
    _Atomic int n_done;
    bool is_in_order;
    uint64_t last;
};

struct sent {
    struct journal_append append;
};

static struct sender senders[N_THREADS];

static void note_done(struct journal_append *append)
{
    for (int i = 0; i < N_THREADS; i++) {
        struct sender *sender = &senders[i];
        if (append < sender->appends || append >= sender->appends + N_APPENDS)
            continue;
        sender->is_in_order &= append->err == ERR_OK && (sender->n_done == 0 || append->first_index >= sender->last + N_EACH);
        sender->last = append->first_index;
        sender->n_done++;
    }
}

static void *send_all(void *context)
{
    struct sender *sender = context;
    for (int i = 0; i < N_APPENDS; i++) {
        sender->appends[i] = (struct journal_append){.records = sender->records, .n = N_EACH, .done = note_done};
        if (journal_append(sender->journal, &sender->appends[i]))
            abort();
    }
    return NULL;
}

static void many_threads_share_batches(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct durable_log log = {.is_in_order = true};
    struct journal_options options = {.dir = f.dir, .on_durable = note_durable, .context = &log, .segment_max_bytes = 20000};
    struct journal *journal;
    assert_ok(journal_open(&options, NULL, &journal));
    pthread_t threads[N_THREADS];
    char texts[N_EACH][512]; /* read by all threads, so made before any of them */
    struct str records[N_EACH];
    for (int i = 0; i < N_EACH; i++)
        records[i] = testing_text((uint64_t)i, texts[i]);
    for (int t = 0; t < N_THREADS; t++) {
        senders[t] = (struct sender){.journal = journal, .is_in_order = true};
        memcpy(senders[t].records, records, sizeof records);
        assert_int_equal(pthread_create(&threads[t], NULL, send_all, &senders[t]), 0);
    }
    for (int t = 0; t < N_THREADS; t++)
        pthread_join(threads[t], NULL);
    journal_close(journal); /* waits for what is queued */
    assert_true(log.is_in_order);
    assert_int_equal(log.next, N_THREADS * N_APPENDS * N_EACH);
    for (int t = 0; t < N_THREADS; t++) {
        assert_int_equal(senders[t].n_done, N_APPENDS);
        assert_true(senders[t].is_in_order);
    }
    assert_ok(testing_open(f.dir, NULL, 0, NULL, &journal));
    assert_int_equal(journal_n_durable(journal), N_THREADS * N_APPENDS * N_EACH);
    journal_close(journal);
    testing_finish(&f);
}

/* ---- `done` on a loop ---- */

static struct loop *done_loop;
static bool was_on_loop;

static void note_loop(struct journal_append *append)
{
    was_on_loop = loop_is_current(done_loop) && append->err == ERR_OK && append->first_index == 0;
    loop_stop(done_loop);
}

static void done_runs_on_the_loop_that_was_named(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct journal *journal;
    assert_ok(loop_create(clock_system(), &done_loop));
    assert_ok(testing_open(f.dir, NULL, 0, NULL, &journal));
    struct str record = STR("r");
    struct journal_append append = {.records = &record, .n = 1, .loop = done_loop, .done = note_loop};
    assert_ok(journal_append(journal, &append));
    assert_ok(loop_run(done_loop));
    assert_true(was_on_loop);
    journal_close(journal);
    loop_destroy(done_loop);
    testing_finish(&f);
}

/* ---- limits ---- */

static void ignore_done(struct journal_append *append)
{
    mem_free(container_of(append, struct sent, append));
}

static void refuses_what_is_over_a_limit(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct journal_options options = {.dir = f.dir, .record_max_bytes = 100, .queue_max_bytes = 1000};
    struct journal *journal;
    assert_ok(journal_open(&options, NULL, &journal));
    char bytes[101] = {0};
    assert_err(journal_append_wait(journal, (struct str){bytes, 101}, NULL), ERR_TOO_LARGE);
    assert_ok(journal_append_wait(journal, (struct str){bytes, 100}, NULL));
    assert_ok(journal_append_wait(journal, STR_NONE, NULL));
    struct str many[20];
    for (size_t i = 0; i < 20; i++)
        many[i] = (struct str){bytes, 100};
    struct sent *sent = mem_alloc_zero(1, sizeof *sent);
    assert_non_null(sent);
    sent->append = (struct journal_append){.records = many, .n = 20, .done = ignore_done};
    assert_err(journal_append(journal, &sent->append), ERR_FULL); /* 2,080 bytes do not fit a queue of 1,000 */
    sent->append.n = 9;
    assert_ok(journal_append(journal, &sent->append));
    journal_close(journal);

    options = (struct journal_options){.dir = f.dir, .record_max_bytes = JOURNAL_APPEND_MAX};
    assert_ok(journal_open(&options, NULL, &journal));
    char *large = mem_alloc_zero(1, JOURNAL_APPEND_MAX);
    assert_non_null(large);
    assert_err(journal_append_wait(journal, (struct str){large, JOURNAL_APPEND_MAX}, NULL), ERR_TOO_LARGE);
    assert_ok(journal_append_wait(journal, (struct str){large, JOURNAL_APPEND_MAX - 4}, NULL));
    mem_free(large);
    journal_close(journal);
    testing_finish(&f);
}

static void only_one_opens_it(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct journal *journal, *second;
    struct diag diag = {""};
    assert_ok(testing_open(f.dir, NULL, 0, NULL, &journal));
    assert_err(testing_open(f.dir, NULL, 0, &diag, &second), ERR_STATE);
    assert_non_null(strstr(diag.text, "another process has this journal open"));
    journal_close(journal);
    assert_ok(testing_open(f.dir, NULL, 0, NULL, &journal));
    journal_close(journal);
    testing_finish(&f);
}

static void drops_whole_old_segments(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct journal *journal;
    assert_ok(testing_open(f.dir, NULL, 1000, NULL, &journal));
    for (uint64_t i = 0; i < 60; i++)
        assert_ok(testing_add(journal, i));
    assert_ok(journal_drop_before(journal, 0));
    assert_int_equal(journal_first_index(journal), 0);
    struct journal_reader *reader;
    assert_ok(journal_reader_create(journal, 0, &reader));
    assert_ok(journal_drop_before(journal, 30));
    uint64_t first = journal_first_index(journal);
    assert_in_range(first, 1, 30);
    testing_check(journal, first);
    struct testing_reading reading = {.next = 0, .is_right = true};
    assert_err(journal_read(journal, first - 1, testing_check_record, &reading), ERR_NOT_FOUND);
    assert_err(journal_reader_read(reader, testing_check_record, &reading), ERR_NOT_FOUND);
    journal_reader_destroy(reader);
    assert_ok(journal_drop_before(journal, 1000)); /* the newest stays */
    first = journal_first_index(journal);
    assert_in_range(first, 31, 59);
    journal_close(journal);
    assert_ok(testing_open(f.dir, NULL, 1000, NULL, &journal));
    assert_int_equal(journal_first_index(journal), first);
    assert_int_equal(testing_check(journal, first), 60);
    journal_close(journal);
    testing_finish(&f);
}

struct some {
    uint64_t n_left, next;
};

static bool take_some(void *context, uint64_t index, struct str record)
{
    struct some *some = context;
    char text[512];
    assert_int_equal(index, some->next);
    assert_true(str_equal(record, testing_text(index, text)));
    some->next++;
    return --some->n_left > 0;
}

/* What is open stays readable when it is dropped; behind it is nothing, which is told as that and not as damage. */
static void a_segment_dropped_under_its_reader(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct journal *journal;
    struct journal_reader *reader;
    struct some some = {.n_left = 2};
    assert_ok(testing_open(f.dir, NULL, 1000, NULL, &journal));
    for (uint64_t i = 0; i < 60; i++)
        assert_ok(testing_add(journal, i));
    assert_ok(journal_reader_create(journal, 0, &reader));
    assert_ok(journal_reader_read(reader, take_some, &some));
    assert_ok(journal_drop_before(journal, 1000)); /* this one, those that follow, all but the newest */
    some.n_left = 1000;
    assert_err(journal_reader_read(reader, take_some, &some), ERR_NOT_FOUND);
    assert_in_range(some.next, 3, journal_first_index(journal) - 1);
    journal_reader_destroy(reader);
    journal_close(journal);
    testing_finish(&f);
}

static void a_reader_follows_piece_by_piece(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct journal *journal;
    struct journal_reader *reader;
    struct some some = {.next = 0};
    char texts[7][512];
    assert_ok(testing_open(f.dir, NULL, 1500, NULL, &journal));
    assert_ok(journal_reader_create(journal, 0, &reader));
    for (uint64_t i = 0; i < 70; i += 7) {
        struct str records[7];
        for (uint64_t k = 0; k < 7; k++)
            records[k] = testing_text(i + k, texts[k]);
        struct sent *sent = mem_alloc_zero(1, sizeof *sent);
        sent->append = (struct journal_append){.records = records, .n = 7, .done = ignore_done};
        assert_ok(journal_append(journal, &sent->append));
        while (journal_n_durable(journal) < i + 7)
            usleep(100);
        some.n_left = 5; /* falls behind, stops inside of batches */
        assert_ok(journal_reader_read(reader, take_some, &some));
    }
    some.n_left = 1000;
    assert_ok(journal_reader_read(reader, take_some, &some));
    assert_int_equal(some.next, 70);
    assert_ok(journal_reader_read(reader, take_some, &some));
    journal_reader_destroy(reader);
    journal_close(journal);
    testing_finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_records_over_segments_and_openings),
        cmocka_unit_test(many_threads_share_batches),
        cmocka_unit_test(done_runs_on_the_loop_that_was_named),
        cmocka_unit_test(refuses_what_is_over_a_limit),
        cmocka_unit_test(only_one_opens_it),
        cmocka_unit_test(drops_whole_old_segments),
        cmocka_unit_test(a_segment_dropped_under_its_reader),
        cmocka_unit_test(a_reader_follows_piece_by_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
