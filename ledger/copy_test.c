/* Copies of a ledger that goes on being written, with segments so small that they are dropped under the copier's hands: each copy opens,
 * and has all that was acknowledged before it began. And what a copy refuses. */
#include "base/test.h"
#include "ledger/copy.h"
#include "ledger/ledger_testing.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COPIES 3
#define SEGMENT 4096

static char root[FILE_PATH_MAX], live[FILE_PATH_MAX];
static struct file_ops *files;

static int make_root(void **state)
{
    file_sim_make_root(root);
    assert_ok(file_join(live, root, "live"));
    files = file_sim_unsynced_ops();
    return 0;
}

static int remove_root(void **state)
{
    file_sim_remove_tree(root);
    return 0;
}

static struct ledger_copy copy_to(char path[FILE_PATH_MAX], const char *name)
{
    assert_ok(file_join(path, root, name));
    return (struct ledger_copy){.from = live, .to = path, .origin = STR(TESTING_ORIGIN), .key = testing_key()};
}

struct writing {
    struct ledger *ledger;
    _Atomic uint64_t n_acknowledged;
    _Atomic bool ends;
    enum err err;
};

static void *write_on(void *context)
{
    struct writing *writing = context;
    while (!atomic_load(&writing->ends) && !writing->err) {
        uint64_t from = atomic_load(&writing->n_acknowledged);
        uint64_t to = testing_append(writing->ledger, from, from + 40, true, NULL, &writing->err);
        atomic_store(&writing->n_acknowledged, to);
        if (from % 200 == 0 && !writing->err)
            writing->err = ledger_publish(writing->ledger);
        usleep(500); /* some ten thousand a second, and not as fast as they come: the tests' own tree is slow */
    }
    return NULL;
}

static void a_copy_has_what_was_acknowledged(void **state)
{
    struct writing writing = {0};
    struct diag diag = {""};
    pthread_t thread;
    uint64_t last = 0;
    assert_ok(testing_open(live, files, SEGMENT, NULL, &writing.ledger));
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writing), 0);
    for (int i = 0; i < COPIES; i++) {
        char path[FILE_PATH_MAX], name[32];
        struct ledger *copied;
        snprintf(name, sizeof name, "copy-%d", i);
        struct ledger_copy copy = copy_to(path, name);
        while (atomic_load(&writing.n_acknowledged) < last + 200) /* so much comes between two copies */
            usleep(200);
        last = atomic_load(&writing.n_acknowledged);
        enum err err = ledger_copy(&copy, &diag);
        if (err)
            fail_msg("copy %d: %s", i, diag.text);
        if (copy.durable < last || copy.published > copy.durable)
            fail_msg("copy %d has %" PRIu64 " leaves, %" PRIu64 " published; %" PRIu64 " were acknowledged before", i, copy.durable,
                copy.published, last);
        assert_ok(testing_open(path, files, SEGMENT, NULL, &copied));
        assert_ok(ledger_publish(copied));
        assert_int_equal(testing_check(copied), copy.durable);
        ledger_close(copied);
        file_sim_remove_tree(path);
    }
    atomic_store(&writing.ends, true);
    pthread_join(thread, NULL);
    assert_ok(writing.err);
    ledger_close(writing.ledger);
}

static void make_live(uint64_t n)
{
    struct ledger *ledger;
    assert_ok(testing_open(live, files, 0, NULL, &ledger));
    testing_append_all(ledger, 0, n);
    ledger_close(ledger);
}

static void an_empty_ledger_is_copied(void **state)
{
    char path[FILE_PATH_MAX];
    struct ledger *copied;
    struct diag diag = {""};
    make_live(0);
    struct ledger_copy copy = copy_to(path, "copy");
    assert_ok(ledger_copy(&copy, &diag));
    assert_int_equal(copy.durable, 0);
    assert_ok(testing_open(path, files, 0, NULL, &copied));
    ledger_close(copied);
}

static void flip(const char *name, off_t at)
{
    char path[FILE_PATH_MAX], byte;
    assert_ok(file_join(path, live, name));
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void a_changed_log_is_not_copied(void **state)
{
    static const struct {
        const char *file;
        off_t at;
        enum err err;
        const char *words;
    } rows[] = {
        {"log/tile/entries/000", 20, ERR_CORRUPT, "do not hash to the root"},
        {"log/tile/entries/001.p/44", 0, ERR_CORRUPT, "is missing or damaged"}, /* a length */
        {"log/checkpoint", 15, ERR_CRYPTO, "is no checkpoint of the log"},
    };
    char path[FILE_PATH_MAX];
    make_live(300);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag diag = {""};
        struct ledger_copy copy = copy_to(path, "copy");
        flip(rows[i].file, rows[i].at);
        enum err err = ledger_copy(&copy, &diag);
        if (err != rows[i].err || !strstr(diag.text, rows[i].words))
            fail_msg("row %zu: %s, \"%s\"", i, err_text(err), diag.text);
        flip(rows[i].file, rows[i].at);
        file_sim_remove_tree(path);
    }
    struct diag diag = {""};
    struct ledger_copy copy = copy_to(path, "copy");
    assert_ok(ledger_copy(&copy, &diag)); /* and every change was undone */
    assert_int_equal(copy.durable, 300);
    assert_int_equal(copy.published, 300);
    assert_err(ledger_copy(&copy, &diag), ERR_EXISTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_has_what_was_acknowledged, make_root, remove_root),
        cmocka_unit_test_setup_teardown(an_empty_ledger_is_copied, make_root, remove_root),
        cmocka_unit_test_setup_teardown(a_changed_log_is_not_copied, make_root, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
