/* Tables out: what is read is never emptied, and no two go into one file. */
#include "base/outs.h"
#include "base/test_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/citybrain_outs_XXXXXX"; /* mkdtemp() fills it in */
static char in[80], out[80], linked[80];

static int setup(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(in, sizeof(in), "%s/in.csv", folder);
    snprintf(out, sizeof(out), "%s/out.csv", folder);
    snprintf(linked, sizeof(linked), "%s/linked.csv", folder);
    return 0;
}

static int teardown(void **state)
{
    unlink(in);
    unlink(out);
    unlink(linked);
    return rmdir(folder);
}

static void holds(const char *path, const char *expected)
{
    char text[100];
    test_read(path, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void what_is_read_is_left_as_it_is(void **state)
{
    char around[120];
    struct outs outs = {.n = 0};
    struct diag diag = {""};
    FILE *file;
    test_write(in, STR("time\n1\n"));
    assert_int_equal(symlink(in, linked), 0);
    snprintf(around, sizeof(around), "%s/../%s", folder, in + 5); /* "/tmp/X/../X/in.csv" */
    outs_spare(&outs, in);
    outs_spare(&outs, NULL);
    outs_spare(&outs, "/nowhere/at/all");
    outs_spare(&outs, "/dev/null");
    const char *const paths[] = {in, linked, around};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_err(outs_open(&outs, paths[i], &diag, &file), ERR_EXISTS);
        assert_non_null(strstr(diag.text, "it is a file that is read"));
        assert_memory_equal(diag.text, paths[i], strlen(paths[i]));
        holds(in, "time\n1\n");
    }
    unlink(linked);
}

static void two_tables_want_two_files(void **state)
{
    struct outs outs = {.n = 0};
    struct diag diag = {""};
    FILE *one, *other;
    unlink(out);
    assert_err(outs_open(&outs, out, &diag, &one), ERR_OK); /* which is not there yet */
    assert_true(fputs("one\n", one) >= 0);
    assert_err(outs_open(&outs, out, &diag, &other), ERR_EXISTS);
    assert_non_null(strstr(diag.text, "two tables would go into it"));
    assert_err(outs_open(&outs, "/dev/null", &diag, &other), ERR_OK);
    assert_err(outs_close(other, "/dev/null", &diag), ERR_OK);
    assert_err(outs_open(&outs, "/dev/null", &diag, &other), ERR_OK);
    assert_err(outs_close(other, "/dev/null", &diag), ERR_OK);
    assert_err(outs_close(one, out, &diag), ERR_OK);
    holds(out, "one\n");
}

static void a_file_begins_empty_and_ends_whole_or_told(void **state)
{
    struct outs outs = {.n = 0};
    struct diag diag = {""};
    FILE *file;
    test_write(out, STR("of yesterday, and longer\n"));
    assert_err(outs_open(&outs, out, &diag, &file), ERR_OK);
    assert_true(fputs("new\n", file) >= 0);
    assert_err(outs_close(file, out, &diag), ERR_OK);
    holds(out, "new\n");
    assert_err(outs_close(NULL, out, &diag), ERR_OK);
    assert_err(outs_open(&outs, "/nowhere/at/all", &diag, &file), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "/nowhere/at/all: cannot write"));
    assert_err(outs_open(&outs, folder, &diag, &file), ERR_IO); /* a folder */
    for (int n_flushed = 0; n_flushed < 2; n_flushed++) {
        assert_err(outs_open(&outs, "/dev/full", &diag, &file), ERR_OK);
        assert_true(fputs("much\n", file) >= 0);
        if (n_flushed > 0) /* what failed in the midst is not forgotten at the end */
            assert_int_not_equal(fflush(file), 0);
        enum err err = outs_close(file, "/dev/full", &diag);
        assert_true(err == ERR_DISK_FULL || (n_flushed > 0 && err == ERR_IO));
        assert_non_null(strstr(diag.text, "/dev/full: cannot write it whole"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_left_as_it_is),
        cmocka_unit_test(two_tables_want_two_files),
        cmocka_unit_test(a_file_begins_empty_and_ends_whole_or_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
