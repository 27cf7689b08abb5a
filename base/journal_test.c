/*
 * Tests of the journal: what is acknowledged is there after any failure of the disk, any kill and any power cut.
 *
 * The oracle is the client's own list: record i has the bytes text_of(i), and the largest number acknowledged is a mark in the trace.
 */
#include "base/file_sim.h"
#include "base/journal.h"
#include "base/journal_segment.h"
#include "base/mem.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char root[FILE_PATH_MAX], dir[FILE_PATH_MAX], other[FILE_PATH_MAX];
    struct file_sim *sim;
};

static void setup(struct fixture *f)
{
    file_sim_make_root(f->root);
    assert_ok(file_sim_create(f->root, &f->sim));
    assert_ok(file_join(f->dir, f->root, "j"));
    file_sim_make_root(f->other);
}

static void finish(struct fixture *f)
{
    file_sim_destroy(f->sim);
    file_sim_remove_tree(f->root);
    file_sim_remove_tree(f->other);
}

/* Record `i`: its number and some bytes, from 7 to about 300 long. */
static struct str text_of(uint64_t i, char out[512])
{
    int n = snprintf(out, 512, "#%" PRIu64 ":", i);
    size_t len = (size_t)n + (size_t)(i * 37 % 293);
    memset(out + n, 'a' + (int)(i % 26), len - (size_t)n);
    return (struct str){out, len};
}

static enum err open_journal(const char *dir, struct file_ops *files, size_t segment_max, struct diag *diag, struct journal **ret_journal)
{
    struct journal_options options = {.dir = dir, .files = files, .segment_max_bytes = segment_max, .record_max_bytes = 4096};
    return journal_open(&options, diag, ret_journal);
}

struct reading {
    uint64_t next;
    bool is_right;
};

static bool check_record(void *context, uint64_t index, struct str record)
{
    struct reading *reading = context;
    char text[512];
    if (index != reading->next || !str_equal(record, text_of(index, text)))
        reading->is_right = false;
    reading->next = index + 1;
    return true;
}

/* Every record from `from` on is there, in order, with its own bytes; returns how many the journal has. */
static uint64_t check_all(struct journal *journal, uint64_t from)
{
    struct reading reading = {.next = from, .is_right = true};
    assert_ok(journal_read(journal, from, check_record, &reading));
    assert_true(reading.is_right);
    assert_int_equal(reading.next, journal_n_durable(journal));
    return reading.next;
}

static enum err add(struct journal *journal, uint64_t i)
{
    char text[512];
    uint64_t index = 0;
    enum err err = journal_append_wait(journal, text_of(i, text), &index);
    if (!err)
        assert_int_equal(index, i);
    return err;
}

static void keeps_records_over_segments_and_openings(void **state)
{
    struct fixture f;
    setup(&f);
    uint64_t n = 0;
    for (int round = 0; round < 5; round++) {
        struct journal *journal;
        assert_ok(open_journal(f.dir, NULL, 2000, NULL, &journal));
        assert_int_equal(check_all(journal, 0), n);
        for (int i = 0; i < 30; i++)
            assert_ok(add(journal, n++));
        check_all(journal, 0);
        check_all(journal, n / 2);
        check_all(journal, n);
        journal_close(journal);
    }
    finish(&f);
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
    struct fixture f;
    setup(&f);
    struct durable_log log = {.is_in_order = true};
    struct journal_options options = {.dir = f.dir, .on_durable = note_durable, .context = &log, .segment_max_bytes = 20000};
    struct journal *journal;
    assert_ok(journal_open(&options, NULL, &journal));
    pthread_t threads[N_THREADS];
    char texts[N_EACH][512]; /* read by all threads, so made before any of them */
    struct str records[N_EACH];
    for (int i = 0; i < N_EACH; i++)
        records[i] = text_of((uint64_t)i, texts[i]);
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
    assert_ok(open_journal(f.dir, NULL, 0, NULL, &journal));
    assert_int_equal(journal_n_durable(journal), N_THREADS * N_APPENDS * N_EACH);
    journal_close(journal);
    finish(&f);
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
    struct fixture f;
    setup(&f);
    struct journal *journal;
    assert_ok(loop_create(clock_system(), &done_loop));
    assert_ok(open_journal(f.dir, NULL, 0, NULL, &journal));
    struct str record = STR("r");
    struct journal_append append = {.records = &record, .n = 1, .loop = done_loop, .done = note_loop};
    assert_ok(journal_append(journal, &append));
    assert_ok(loop_run(done_loop));
    assert_true(was_on_loop);
    journal_close(journal);
    loop_destroy(done_loop);
    finish(&f);
}

/* ---- limits ---- */

static void ignore_done(struct journal_append *append)
{
    mem_free(container_of(append, struct sent, append));
}

static void refuses_what_is_over_a_limit(void **state)
{
    struct fixture f;
    setup(&f);
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
    finish(&f);
}

static void only_one_opens_it(void **state)
{
    struct fixture f;
    setup(&f);
    struct journal *journal, *second;
    struct diag diag = {""};
    assert_ok(open_journal(f.dir, NULL, 0, NULL, &journal));
    assert_err(open_journal(f.dir, NULL, 0, &diag, &second), ERR_STATE);
    assert_non_null(strstr(diag.text, "another process has this journal open"));
    journal_close(journal);
    assert_ok(open_journal(f.dir, NULL, 0, NULL, &journal));
    journal_close(journal);
    finish(&f);
}

static void drops_whole_old_segments(void **state)
{
    struct fixture f;
    setup(&f);
    struct journal *journal;
    assert_ok(open_journal(f.dir, NULL, 1000, NULL, &journal));
    for (uint64_t i = 0; i < 60; i++)
        assert_ok(add(journal, i));
    assert_ok(journal_drop_before(journal, 0));
    assert_int_equal(journal_first_index(journal), 0);
    struct journal_reader *reader;
    assert_ok(journal_reader_create(journal, 0, &reader));
    assert_ok(journal_drop_before(journal, 30));
    uint64_t first = journal_first_index(journal);
    assert_in_range(first, 1, 30);
    check_all(journal, first);
    struct reading reading = {.next = 0, .is_right = true};
    assert_err(journal_read(journal, first - 1, check_record, &reading), ERR_NOT_FOUND);
    assert_err(journal_reader_read(reader, check_record, &reading), ERR_NOT_FOUND);
    journal_reader_destroy(reader);
    assert_ok(journal_drop_before(journal, 1000)); /* the newest stays */
    first = journal_first_index(journal);
    assert_in_range(first, 31, 59);
    journal_close(journal);
    assert_ok(open_journal(f.dir, NULL, 1000, NULL, &journal));
    assert_int_equal(journal_first_index(journal), first);
    assert_int_equal(check_all(journal, first), 60);
    journal_close(journal);
    finish(&f);
}

struct some {
    uint64_t n_left, next;
};

static bool take_some(void *context, uint64_t index, struct str record)
{
    struct some *some = context;
    char text[512];
    assert_int_equal(index, some->next);
    assert_true(str_equal(record, text_of(index, text)));
    some->next++;
    return --some->n_left > 0;
}

static void a_reader_follows_piece_by_piece(void **state)
{
    struct fixture f;
    setup(&f);
    struct journal *journal;
    struct journal_reader *reader;
    struct some some = {.next = 0};
    char texts[7][512];
    assert_ok(open_journal(f.dir, NULL, 1500, NULL, &journal));
    assert_ok(journal_reader_create(journal, 0, &reader));
    for (uint64_t i = 0; i < 70; i += 7) {
        struct str records[7];
        for (uint64_t k = 0; k < 7; k++)
            records[k] = text_of(i + k, texts[k]);
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
    finish(&f);
}

/* ---- damage ---- */

static size_t file_size(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (size_t)status.st_size;
}

static void flip(const char *path, size_t at, int bit)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= (uint8_t)(1 << bit);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

/* After a clean close a flipped bit anywhere is refused, and the place is named; back in place, all is well. */
static void refuses_every_flipped_byte(void **state)
{
    struct fixture f;
    setup(&f);
    struct journal *journal;
    char path[FILE_PATH_MAX];
    assert_ok(open_journal(f.dir, file_sim_unsynced_ops(), 0, NULL, &journal));
    for (uint64_t i = 0; i < 12; i++)
        assert_ok(add(journal, i));
    journal_close(journal);
    assert_ok(file_join(path, f.dir, "00000000000000000000.journal"));
    size_t size = file_size(path), closing = size - BATCH_HEADER_SIZE;
    for (size_t at = 0; at < closing; at++) {
        struct diag diag = {""};
        flip(path, at, (int)(at % 8));
        assert_err(open_journal(f.dir, file_sim_unsynced_ops(), 0, &diag, &journal), ERR_CORRUPT);
        assert_non_null(strstr(diag.text, "00000000000000000000.journal"));
        assert_non_null(strstr(diag.text, "damaged at byte"));
        flip(path, at, (int)(at % 8));
    }
    assert_ok(open_journal(f.dir, file_sim_unsynced_ops(), 0, NULL, &journal));
    assert_int_equal(check_all(journal, 0), 12);
    journal_close(journal);
    assert_int_equal(file_size(path), size); /* opening and closing alone adds nothing */
    finish(&f);
}

/* Every length to which a crash may have cut the file: what is whole stays, and writing goes on. */
static void cuts_every_torn_tail(void **state)
{
    struct fixture f;
    setup(&f);
    struct journal *journal;
    char path[FILE_PATH_MAX];
    size_t ends[9];
    assert_ok(file_join(path, f.dir, "00000000000000000000.journal"));
    assert_ok(open_journal(f.dir, file_sim_unsynced_ops(), 0, NULL, &journal));
    for (uint64_t i = 0; i < 8; i++) {
        ends[i] = file_size(path);
        assert_ok(add(journal, i));
    }
    ends[8] = file_size(path);
    journal_close(journal);
    struct buf whole;
    buf_init(&whole, 1 << 20);
    assert_ok(file_read(path, &whole));
    for (size_t len = 0; len <= whole.len; len++) {
        int fd = open(path, O_WRONLY | O_TRUNC);
        assert_int_equal(pwrite(fd, whole.ptr, len, 0), len);
        close(fd);
        uint64_t expected = 0;
        while (expected < 8 && ends[expected + 1] <= len)
            expected++;
        assert_ok(open_journal(f.dir, file_sim_unsynced_ops(), 0, NULL, &journal));
        assert_int_equal(check_all(journal, 0), expected);
        assert_int_equal(file_size(path), len < SEGMENT_HEADER_SIZE ? SEGMENT_HEADER_SIZE : len == whole.len ? len : ends[expected]);
        assert_ok(add(journal, expected));
        journal_close(journal);
        assert_ok(open_journal(f.dir, file_sim_unsynced_ops(), 0, NULL, &journal));
        assert_int_equal(check_all(journal, 0), expected + 1);
        journal_close(journal);
    }
    buf_finish(&whole);
    finish(&f);
}

static void damage_in_an_older_segment_is_found_when_read(void **state)
{
    struct fixture f;
    setup(&f);
    struct journal *journal;
    struct diag diag = {""};
    char path[FILE_PATH_MAX];
    assert_ok(open_journal(f.dir, NULL, 1000, NULL, &journal));
    for (uint64_t i = 0; i < 40; i++)
        assert_ok(add(journal, i));
    journal_close(journal);
    assert_ok(file_join(path, f.dir, "00000000000000000000.journal"));
    flip(path, 200, 3);
    struct reading reading = {.next = 0, .is_right = true};
    assert_ok(open_journal(f.dir, NULL, 1000, NULL, &journal));
    assert_err(journal_read(journal, 0, check_record, &reading), ERR_CORRUPT);
    journal_close(journal);
    flip(path, 200, 3);
    assert_int_equal(truncate(path, (off_t)file_size(path) - 300), 0); /* a segment that lost its end */
    assert_ok(open_journal(f.dir, NULL, 1000, NULL, &journal));
    assert_err(journal_read(journal, 0, check_record, &reading), ERR_CORRUPT);
    journal_close(journal);
    flip(path, 22, 1);
    assert_err(open_journal(f.dir, NULL, 1000, &diag, &journal), ERR_CORRUPT);
    assert_non_null(strstr(diag.text, "header at byte 0 is damaged"));
    finish(&f);
}

/* ---- the disk fails ---- */

/* Appends until the journal stops; returns how many were acknowledged. */
static uint64_t append_until_it_stops(struct journal *journal, uint64_t from, uint64_t n, enum err *ret_err)
{
    *ret_err = ERR_OK;
    for (uint64_t i = from; i < from + n && !*ret_err; i++) {
        *ret_err = add(journal, i);
        if (*ret_err)
            return i;
    }
    return from + n;
}

/* The nth operation fails, for every n: nothing acknowledged is lost, the journal stays stopped, and the next opening recovers. */
static void any_failing_operation_stops_it_and_loses_nothing(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    static const enum err expected[] = {ERR_IO, ERR_DISK_FULL};
    for (size_t e = 0; e < 2; e++) {
        for (uint64_t nth = 1;; nth++) {
            struct fixture f;
            setup(&f);
            file_sim_fail(f.sim, nth, errors[e]);
            struct journal *journal;
            struct diag diag = {""};
            uint64_t n_acknowledged = 0;
            enum err err = open_journal(f.dir, file_sim_ops(f.sim), 1000, &diag, &journal);
            bool has_opened = !err;
            if (err) {
                assert_err(err, expected[e]);
                assert_true(diag.text[0] != 0);
            } else {
                n_acknowledged = append_until_it_stops(journal, 0, 20, &err);
                assert_err(journal_error(journal), err);
                if (err) {
                    assert_err(err, expected[e]);
                    assert_err(add(journal, n_acknowledged), expected[e]);
                }
                journal_close(journal);
            }
            assert_ok(open_journal(f.dir, NULL, 1000, NULL, &journal));
            assert_true(check_all(journal, 0) >= n_acknowledged);
            journal_close(journal);
            bool is_past_all = has_opened && !err && file_sim_n_ops(f.sim) < nth;
            finish(&f);
            if (is_past_all)
                break;
        }
    }
}

static void a_failed_sync_is_never_tried_again(void **state)
{
    struct fixture f;
    setup(&f);
    struct journal *journal;
    assert_ok(open_journal(f.dir, file_sim_ops(f.sim), 0, NULL, &journal));
    assert_ok(add(journal, 0));
    file_sim_fail_sync(f.sim, 1);
    assert_err(add(journal, 1), ERR_IO);
    uint64_t n_ops = file_sim_n_ops(f.sim);
    assert_err(add(journal, 1), ERR_IO);
    assert_int_equal(file_sim_n_ops(f.sim), n_ops);
    journal_close(journal);
    assert_int_equal(file_sim_n_ops(f.sim), n_ops);
    finish(&f);
}

static void short_writes_are_completed(void **state)
{
    struct fixture f;
    setup(&f);
    struct journal *journal;
    file_sim_short_writes(f.sim, true);
    assert_ok(open_journal(f.dir, file_sim_ops(f.sim), 1000, NULL, &journal));
    for (uint64_t i = 0; i < 20; i++)
        assert_ok(add(journal, i));
    journal_close(journal);
    assert_ok(open_journal(f.dir, NULL, 1000, NULL, &journal));
    assert_int_equal(check_all(journal, 0), 20);
    journal_close(journal);
    finish(&f);
}

static void a_full_disk_stops_it_at_any_byte(void **state)
{
    for (uint64_t room = 1; room < 2500; room += 61) {
        struct fixture f;
        setup(&f);
        struct journal *journal;
        enum err err;
        file_sim_limit(f.sim, room);
        err = open_journal(f.dir, file_sim_ops(f.sim), 1000, NULL, &journal);
        uint64_t n_acknowledged = 0;
        if (!err) {
            n_acknowledged = append_until_it_stops(journal, 0, 40, &err);
            journal_close(journal);
        }
        assert_err(err, ERR_DISK_FULL);
        assert_ok(open_journal(f.dir, NULL, 1000, NULL, &journal)); /* there is room again */
        uint64_t n = check_all(journal, 0);
        assert_true(n >= n_acknowledged);
        assert_ok(add(journal, n));
        journal_close(journal);
        finish(&f);
    }
}

static void memory_that_fails_fails_the_append_alone(void **state)
{
    for (uint64_t nth = 1;; nth++) {
        struct fixture f;
        setup(&f);
        int64_t n_live = mem_n_live();
        struct journal *journal;
        mem_fail_nth(nth);
        enum err err = open_journal(f.dir, NULL, 1000, NULL, &journal);
        bool has_failed = err != ERR_OK;
        if (err) {
            assert_err(err, ERR_NO_MEMORY);
        } else {
            uint64_t n = 0;
            for (int i = 0; i < 40; i++) {
                err = add(journal, n);
                has_failed |= err != ERR_OK;
                if (err)
                    assert_err(err, ERR_NO_MEMORY);
                else
                    n++;
            }
            mem_fail_nth(0);
            assert_ok(journal_error(journal));
            assert_int_equal(check_all(journal, 0), n);
            journal_close(journal);
        }
        mem_fail_nth(0);
        assert_int_equal(mem_n_live(), n_live);
        finish(&f);
        if (!has_failed)
            break;
    }
}

/* ---- crashes, replayed from the trace ---- */

/* A session with several segments, several openings, drops; each acknowledgement is marked. */
static void write_trace(struct fixture *f, int n_rounds, int n_each)
{
    uint64_t n = 0;
    for (int round = 0; round < n_rounds; round++) {
        struct journal *journal;
        assert_ok(open_journal(f->dir, file_sim_ops(f->sim), 1500, NULL, &journal));
        for (int i = 0; i < n_each; i++) {
            assert_ok(add(journal, n++));
            file_sim_mark(f->sim, n);
        }
        journal_close(journal);
    }
}

static void replay_trace(enum file_sim_crash crash, int n_seeds)
{
    struct fixture f;
    setup(&f);
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
            enum err err = open_journal(dir, file_sim_unsynced_ops(), 1500, &diag, &journal);
            if (err)
                fail_msg("crash %" PRIu64 ": %s: %s", n_crashes, err_text(err), diag.text);
            uint64_t n = check_all(journal, 0);
            if (n < n_marked)
                fail_msg("crash %" PRIu64 ": %" PRIu64 " acknowledged, %" PRIu64 " there", n_crashes, n_marked, n);
            assert_ok(add(journal, n));
            journal_close(journal);
        }
    }
    assert_int_equal(n_marked, 80);
    assert_true(n_crashes > 400);
    file_sim_replay_destroy(replay);
    finish(&f);
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
        struct fixture f;
        struct journal *journal;
        setup(&f);
        enum err err = ERR_OK;
        file_sim_die(f.sim, nth, nth);
        if (!open_journal(f.dir, file_sim_ops(f.sim), 1000, NULL, &journal)) {
            append_until_it_stops(journal, 0, 12, &err);
            journal_close(journal);
        }
        file_sim_die(f.sim, 0, 0);
        assert_ok(open_journal(f.dir, file_sim_ops(f.sim), 1000, NULL, &journal));
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
            assert_ok(open_journal(dir, file_sim_unsynced_ops(), 1000, NULL, &journal));
            assert_int_equal(check_all(journal, 0), n_found);
            journal_close(journal);
        }
        file_sim_replay_destroy(replay);
        finish(&f);
    }
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
        cmocka_unit_test(a_reader_follows_piece_by_piece),
        cmocka_unit_test(refuses_every_flipped_byte),
        cmocka_unit_test(cuts_every_torn_tail),
        cmocka_unit_test(damage_in_an_older_segment_is_found_when_read),
        cmocka_unit_test(any_failing_operation_stops_it_and_loses_nothing),
        cmocka_unit_test(a_failed_sync_is_never_tried_again),
        cmocka_unit_test(short_writes_are_completed),
        cmocka_unit_test(a_full_disk_stops_it_at_any_byte),
        cmocka_unit_test(memory_that_fails_fails_the_append_alone),
        cmocka_unit_test(any_kill_loses_nothing_acknowledged),
        cmocka_unit_test(any_power_cut_loses_nothing_acknowledged),
        cmocka_unit_test(what_an_opening_found_survives_a_power_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
