/* The journal: what was flipped or torn on the disk is found, and its place named. */
#include "base/journal_segment.h"
#include "base/journal_testing.h"
#include "base/test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    struct testing_fixture f;
    testing_setup(&f);
    struct journal *journal;
    char path[FILE_PATH_MAX];
    assert_ok(testing_open(f.dir, file_sim_unsynced_ops(), 0, NULL, &journal));
    for (uint64_t i = 0; i < 12; i++)
        assert_ok(testing_add(journal, i));
    journal_close(journal);
    assert_ok(file_join(path, f.dir, "00000000000000000000.journal"));
    size_t size = file_size(path), closing = size - BATCH_HEADER_SIZE;
    for (size_t at = 0; at < closing; at++) {
        struct diag diag = {""};
        flip(path, at, (int)(at % 8));
        assert_err(testing_open(f.dir, file_sim_unsynced_ops(), 0, &diag, &journal), ERR_CORRUPT);
        assert_non_null(strstr(diag.text, "00000000000000000000.journal"));
        assert_non_null(strstr(diag.text, "damaged at byte"));
        flip(path, at, (int)(at % 8));
    }
    assert_ok(testing_open(f.dir, file_sim_unsynced_ops(), 0, NULL, &journal));
    assert_int_equal(testing_check(journal, 0), 12);
    journal_close(journal);
    assert_int_equal(file_size(path), size); /* opening and closing alone adds nothing */
    testing_finish(&f);
}

/* Every length to which a crash may have cut the file: what is whole stays, and writing goes on. */
static void cuts_every_torn_tail(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct journal *journal;
    char path[FILE_PATH_MAX];
    size_t ends[9];
    assert_ok(file_join(path, f.dir, "00000000000000000000.journal"));
    assert_ok(testing_open(f.dir, file_sim_unsynced_ops(), 0, NULL, &journal));
    ends[0] = SEGMENT_HEADER_SIZE;
    for (uint64_t i = 0; i < 8; i++) {
        char text[512];
        assert_ok(testing_add(journal, i));
        ends[i + 1] = ends[i] + BATCH_HEADER_SIZE + 4 + testing_text(i, text).len;
    }
    journal_close(journal);
    assert_int_equal(file_size(path), ends[8] + BATCH_HEADER_SIZE);
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
        assert_ok(testing_open(f.dir, file_sim_unsynced_ops(), 0, NULL, &journal));
        assert_int_equal(testing_check(journal, 0), expected);
        assert_int_equal(file_size(path), len < SEGMENT_HEADER_SIZE ? SEGMENT_HEADER_SIZE : len == whole.len ? len : ends[expected]);
        assert_ok(testing_add(journal, expected));
        journal_close(journal);
        assert_ok(testing_open(f.dir, file_sim_unsynced_ops(), 0, NULL, &journal));
        assert_int_equal(testing_check(journal, 0), expected + 1);
        journal_close(journal);
    }
    buf_finish(&whole);
    testing_finish(&f);
}

/* What a kill leaves behind the last batch are the zeros filled ahead: no damage, and cut, with a torn batch before them. */
static void zeros_ahead_are_cut(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct journal *journal;
    char path[FILE_PATH_MAX], copy[FILE_PATH_MAX];
    struct buf live;
    assert_ok(file_join(path, f.dir, "00000000000000000000.journal"));
    assert_ok(file_join(copy, f.other, "00000000000000000000.journal"));
    assert_ok(testing_open(f.dir, file_sim_unsynced_ops(), 0, NULL, &journal));
    for (uint64_t i = 0; i < 5; i++)
        assert_ok(testing_add(journal, i));
    buf_init(&live, 1 << 20);
    assert_ok(file_read(path, &live));
    journal_close(journal);
    size_t closed = file_size(path), end = closed - BATCH_HEADER_SIZE;
    assert_true(live.len > end + 1000); /* filled ahead; a clean close leaves nothing of it */
    for (size_t torn = 0; torn <= BATCH_HEADER_SIZE + 4; torn++) {
        struct buf left;
        buf_init(&left, 1 << 20);
        assert_ok(file_read(path, &left));
        memset(live.ptr + end, 0, BATCH_HEADER_SIZE);
        memcpy(live.ptr + end, left.ptr + SEGMENT_HEADER_SIZE, torn < 24 ? torn : 24); /* as far as this of a batch's head */
        buf_finish(&left);
        int fd = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(pwrite(fd, live.ptr, live.len, 0), live.len);
        close(fd);
        assert_ok(testing_open(f.other, file_sim_unsynced_ops(), 0, NULL, &journal));
        assert_int_equal(file_size(copy), end);
        assert_int_equal(testing_check(journal, 0), 5);
        assert_ok(testing_add(journal, 5));
        assert_int_equal(testing_check(journal, 0), 6);
        journal_close(journal);
    }
    buf_finish(&live);
    testing_finish(&f);
}

static void damage_in_an_older_segment_is_found_when_read(void **state)
{
    struct testing_fixture f;
    testing_setup(&f);
    struct journal *journal;
    struct diag diag = {""};
    char path[FILE_PATH_MAX];
    assert_ok(testing_open(f.dir, NULL, 1000, NULL, &journal));
    for (uint64_t i = 0; i < 40; i++)
        assert_ok(testing_add(journal, i));
    journal_close(journal);
    assert_ok(file_join(path, f.dir, "00000000000000000000.journal"));
    flip(path, 200, 3);
    struct testing_reading reading = {.next = 0, .is_right = true};
    assert_ok(testing_open(f.dir, NULL, 1000, NULL, &journal));
    assert_err(journal_read(journal, 0, testing_check_record, &reading), ERR_CORRUPT);
    journal_close(journal);
    flip(path, 200, 3);
    assert_int_equal(truncate(path, (off_t)file_size(path) - 300), 0); /* a segment that lost its end */
    assert_ok(testing_open(f.dir, NULL, 1000, NULL, &journal));
    assert_err(journal_read(journal, 0, testing_check_record, &reading), ERR_CORRUPT);
    journal_close(journal);
    flip(path, 22, 1);
    assert_err(testing_open(f.dir, NULL, 1000, &diag, &journal), ERR_CORRUPT);
    assert_non_null(strstr(diag.text, "header at byte 0 is damaged"));
    testing_finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_every_flipped_byte),
        cmocka_unit_test(cuts_every_torn_tail),
        cmocka_unit_test(zeros_ahead_are_cut),
        cmocka_unit_test(damage_in_an_older_segment_is_found_when_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
