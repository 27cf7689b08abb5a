/* Following a file over what happens to it: half lines, rotations, cuts, restarts; and a property under a seed. */
#include "hub/tail.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char dir[64], path[96], other[96];
static struct hub_tail *tail;

static void append(const char *file, const char *text)
{
    FILE *out = fopen(file, "a");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static int make(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/citybrain-tail-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/audit.log", dir);
    snprintf(other, sizeof other, "%s/audit.log.1", dir);
    return 0;
}

static int unmake(void **state)
{
    char command[128];
    (void)state;
    hub_tail_close(tail);
    tail = NULL;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static void begin(const char *at, struct hub_tail_place from)
{
    hub_tail_close(tail);
    assert_ok(hub_tail_open(at, &from, &tail));
}

/* All lines that are there now, each with a "|" behind it; "!" where something was lost, "~" behind one that was cut. */
static const char *lines(void)
{
    static char text[4096];
    text[0] = '\0';
    size_t n = 0;
    for (int i = 0; i < 6; i++) { /* a file is left when twice nothing more came */
        struct str line;
        bool is_cut, is_lost;
        enum err err;
        do {
            err = hub_tail_next(tail, &line, &is_cut, &is_lost);
            n += (size_t)snprintf(text + n, sizeof text - n, "%s", is_lost ? "!" : "");
            if (!err)
                n += (size_t)snprintf(text + n, sizeof text - n, STR_FORMAT "%s|", STR_ARG(str_slice(line, 0, 40)), is_cut ? "~" : "");
        } while (!err);
        assert_int_equal(err, ERR_NOT_FOUND);
    }
    return text;
}

/* A file that has `before`, and gets `then` while it is read: what is given of that. */
static void begin_behind(const char *before, const char *then, const char *given)
{
    append(path, before);
    begin(path, (struct hub_tail_place){0});
    append(path, then);
    assert_string_equal(lines(), given);
}

static void begins_behind_what_is_there(void **state)
{
    (void)state;
    append(path, "old\nha");
    begin(path, (struct hub_tail_place){0});
    append(path, "lf\nnew\n");
    assert_string_equal(lines(), "half|new|"); /* a half line is given when it is whole */
    append(path, "x");
    assert_string_equal(lines(), "");
    append(path, "y\n\n");
    assert_string_equal(lines(), "xy||");
}

static void waits_for_a_file(void **state)
{
    (void)state;
    begin(path, (struct hub_tail_place){0});
    assert_false(hub_tail_has_file(tail));
    assert_string_equal(lines(), "");
    append(path, "first\n");
    assert_string_equal(lines(), "first|"); /* from its beginning: it came after us */
    assert_true(hub_tail_has_file(tail));
}

static void goes_on_after_a_restart(void **state)
{
    (void)state;
    begin_behind("one\n", "two\nthree\nfo", "two|three|");
    struct hub_tail_place place = hub_tail_place(tail);
    append(path, "ur\nfive\n");
    begin(path, place);
    assert_string_equal(lines(), "four|five|");
}

static void follows_a_renaming(void **state)
{
    (void)state;
    begin_behind("one\n", "two\n", "two|");
    assert_int_equal(rename(path, other), 0);
    append(other, "three\n"); /* its writer did not notice yet */
    assert_string_equal(lines(), "three|");
    append(path, ""); /* made, and empty: the writer may still write to the old one */
    append(other, "four\n");
    assert_string_equal(lines(), "four|");
    append(path, "five\n");
    assert_string_equal(lines(), "five|");
    append(path, "six\n");
    assert_string_equal(lines(), "six|"); /* and never back */
}

static void finds_the_renamed_file_after_a_restart(void **state)
{
    char third[96];
    (void)state;
    snprintf(third, sizeof third, "%s/audit.log.2", dir);
    begin_behind("one\n", "two\n", "two|");
    struct hub_tail_place place = hub_tail_place(tail);
    append(path, "three\n");
    assert_int_equal(rename(path, third), 0);
    usleep(20000); /* the times of files are this coarse */
    append(other, "four\n");
    usleep(20000);
    append(path, "five\n");
    begin(path, place);
    assert_string_equal(lines(), "three|four|five|");
}

static void a_pattern_has_new_files(void **state)
{
    char pattern[96], first[96], second[96], foreign[96];
    (void)state;
    snprintf(pattern, sizeof pattern, "%s/postgresql-*.json", dir);
    snprintf(first, sizeof first, "%s/postgresql-sun.json", dir);
    snprintf(second, sizeof second, "%s/postgresql-mon.json", dir);
    snprintf(foreign, sizeof foreign, "%s/postgresql-mon.log", dir);
    append(first, "one\n");
    begin(pattern, (struct hub_tail_place){0});
    append(first, "two\n");
    assert_string_equal(lines(), "two|");
    append(foreign, "no\n");
    append(second, "three\n");
    assert_string_equal(lines(), "three|");
}

static void tells_what_was_cut(void **state)
{
    (void)state;
    begin_behind("one\n", "two\nthree\n", "two|three|");
    assert_int_equal(truncate(path, 0), 0);
    append(path, "4\n");
    assert_string_equal(lines(), "!4|");
}

static void tells_what_is_gone(void **state)
{
    (void)state;
    begin_behind("one\ntwo\n", "three\n", "three|");
    struct hub_tail_place place = hub_tail_place(tail);
    append(path, "four\n"); /* and nobody read it */
    assert_int_equal(unlink(path), 0);
    append(path, "five\n");
    begin(path, place);
    assert_string_equal(lines(), "!five|");
}

static void another_file_of_the_same_inode_is_none(void **state)
{
    (void)state;
    begin_behind("one\ntwo\n", "three\n", "three|");
    struct hub_tail_place place = hub_tail_place(tail);
    FILE *file = fopen(path, "r+"); /* the same inode and a longer file, but not the one that was read */
    assert_non_null(file);
    fputs("eins\nzwei\ndrei\n", file);
    fclose(file);
    begin(path, place);
    assert_string_equal(lines(), "!eins|zwei|drei|");
}

static void a_long_line_is_cut(void **state)
{
    char *text = malloc(3 * HUB_TAIL_LINE_MAX + 1);
    (void)state;
    assert_non_null(text);
    append(path, "");
    begin(path, (struct hub_tail_place){0});
    append(path, "a\n");
    memset(text, 'x', 3 * HUB_TAIL_LINE_MAX);
    text[3 * HUB_TAIL_LINE_MAX] = '\0';
    append(path, text);
    append(path, "\nb\n");
    free(text);
    assert_string_equal(lines(), "a|xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx~|b|");
}

static void memory_runs_out(void **state)
{
    (void)state;
    const struct hub_tail_place none = {0};
    mem_fail_nth(1);
    assert_int_equal(hub_tail_open(path, &none, &tail), ERR_NO_MEMORY);
    mem_fail_nth(0);
}

/* Whatever is written, rotated and restarted in between: each line comes once, in order, and nothing is called lost. */
static void every_line_comes_once(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    (void)state;
    print_message("seed %u\n", seed);
    append(path, "");
    begin(path, (struct hub_tail_place){0});
    unsigned written = 0, given = 0, n_rotated = 0;
    char text[160];
    for (int round = 0; round < 2000; round++) {
        unsigned what = (unsigned)rand_r(&seed) % 100;
        struct stat status;
        if (what < 60) {
            snprintf(text, sizeof text, "line %u\n", written++);
            append(path, text);
        } else if (what < 65 && stat(path, &status) == 0 && status.st_size > 0) {
            /* What a rotation leaves behind has been read soon: the tail goes to a file only when it has bytes. */
            snprintf(text, sizeof text, "%s.%u", path, n_rotated++);
            assert_int_equal(rename(path, text), 0);
            usleep(5000);
        } else if (what < 70) {
            struct hub_tail_place place = hub_tail_place(tail);
            if (place.inode)
                begin(path, place);
        } else {
            struct str line;
            bool is_cut, is_lost;
            enum err err;
            while ((err = hub_tail_next(tail, &line, &is_cut, &is_lost)) == ERR_OK) {
                snprintf(text, sizeof text, "line %u", given++);
                assert_str(line, text);
                assert_false(is_cut || is_lost);
            }
            assert_int_equal(err, ERR_NOT_FOUND);
        }
    }
    for (int i = 0; i < 300 && given < written; i++) {
        struct str line;
        bool is_cut, is_lost;
        while (hub_tail_next(tail, &line, &is_cut, &is_lost) == ERR_OK)
            given++;
    }
    assert_int_equal(given, written);
    print_message("%u lines over %u rotations\n", written, n_rotated);
}

int main(void)
{
#define EACH(test_) cmocka_unit_test_setup_teardown(test_, make, unmake)
    const struct CMUnitTest tests[] = {
        EACH(begins_behind_what_is_there),
        EACH(waits_for_a_file),
        EACH(goes_on_after_a_restart),
        EACH(follows_a_renaming),
        EACH(finds_the_renamed_file_after_a_restart),
        EACH(a_pattern_has_new_files),
        EACH(tells_what_was_cut),
        EACH(tells_what_is_gone),
        EACH(another_file_of_the_same_inode_is_none),
        EACH(a_long_line_is_cut),
        EACH(memory_runs_out),
        EACH(every_line_comes_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
