/*
 * Tests of the ledger as a whole: order and places of leaves, proofs, openings, damage, limits. Crashes are ledger_crash_test.c, receipts
 * receipt_test.c.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/test.h"
#include "ledger/ledger_testing.h"
#include "ledger/proof.h"
#include "ledger/retention.h"
#include "ledger/tile.h"
#include "ledger/verify.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[FILE_PATH_MAX];
static struct file_ops *files;

static int make_root(void **state)
{
    file_sim_make_root(root);
    files = file_sim_unsynced_ops();
    return 0;
}

static int remove_root(void **state)
{
    file_sim_remove_tree(root);
    return 0;
}

/* Proves leaf `index` and gives the size under which it was proven. */
static uint64_t prove(struct ledger *ledger, uint64_t index)
{
    char vkey[160], text[512], other[512];
    struct buf proof;
    uint64_t found = 0;
    struct str note_text;
    struct proof parsed;
    struct note_verifier verifier;
    struct checkpoint checkpoint;
    buf_init(&proof, NOTE_MAX);
    testing_vkey(vkey);
    assert_ok(ledger_proof(ledger, index, &proof));
    assert_ok(ledger_verify(testing_leaf(index, text), buf_str(&proof), str_from_c(vkey), &found, NULL));
    assert_int_equal(found, index);
    assert_err(ledger_verify(testing_leaf(index + 1, other), buf_str(&proof), str_from_c(vkey), &found, NULL), ERR_CRYPTO);
    assert_ok(proof_parse(buf_str(&proof), &parsed, NULL));
    assert_ok(note_verifier_parse(str_from_c(vkey), &verifier, NULL));
    assert_ok(note_open(parsed.checkpoint, &verifier, &note_text, NULL));
    assert_ok(checkpoint_parse(note_text, &checkpoint, NULL));
    buf_finish(&proof);
    return checkpoint.size;
}

static void proves_every_leaf_at_every_size(void **state)
{
    static const uint64_t sizes[] = {1, 2, 3, 7, 255, 256, 257, 300, 511, 512, 513, 700};
    struct ledger *ledger;
    struct buf out;
    uint64_t n = 0;
    buf_init(&out, NOTE_MAX);
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    assert_err(ledger_checkpoint(ledger, &out), ERR_BUSY);
    assert_err(ledger_proof(ledger, 0, &out), ERR_NOT_FOUND);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        testing_append_all(ledger, n, sizes[i]);
        assert_ok(ledger_publish(ledger));
        n = sizes[i];
        assert_int_equal(ledger_n_published(ledger), n);
        for (uint64_t k = 0; k<n; k += n> 300 ? 3 : 1)
            assert_int_equal(prove(ledger, k), n);
        assert_int_equal(prove(ledger, n - 1), n);
        assert_err(ledger_proof(ledger, n, &out), ERR_NOT_FOUND);
        assert_int_equal(testing_check(ledger), n);
    }
    buf_finish(&out);
    ledger_close(ledger);
}

static void a_leaf_without_a_checkpoint_is_busy(void **state)
{
    struct ledger *ledger;
    struct buf out;
    buf_init(&out, NOTE_MAX);
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    testing_append_all(ledger, 0, 1); /* the first is published at once */
    assert_ok(ledger_publish(ledger));
    testing_append_all(ledger, 1, 5);
    assert_err(ledger_proof(ledger, 4, &out), ERR_BUSY);
    assert_err(ledger_proof(ledger, 5, &out), ERR_NOT_FOUND);
    assert_ok(ledger_leaf(ledger, 4, &out));
    char text[512];
    assert_true(str_equal(buf_str(&out), testing_leaf(4, text)));
    assert_err(ledger_leaf(ledger, 5, &out), ERR_NOT_FOUND);
    assert_ok(ledger_publish(ledger));
    assert_int_equal(prove(ledger, 4), 5);
    buf_finish(&out);
    ledger_close(ledger);
}

static void publishes_by_itself_within_the_time(void **state)
{
    struct ledger_options options = {
        .dir = root, .origin = STR(TESTING_ORIGIN), .key = testing_key(), .clock = clock_system(), .files = files, .checkpoint_ms = 50};
    struct ledger *ledger;
    assert_ok(ledger_open(&options, NULL, &ledger));
    for (uint64_t i = 0; i < 20; i++) {
        testing_append_all(ledger, i, i + 1);
        for (int wait = 0; ledger_n_published(ledger) <= i; wait++) {
            assert_true(wait < 10000); /* a hundred times what it may take */
            usleep(1000);
        }
    }
    ledger_close(ledger);
}

static void closing_publishes_and_opening_goes_on(void **state)
{
    uint64_t n = 0;
    for (int round = 0; round < 6; round++) {
        struct ledger *ledger;
        char static_dir[FILE_PATH_MAX];
        assert_ok(testing_open(root, files, 20000, NULL, &ledger));
        assert_int_equal(ledger_n_durable(ledger), n);
        assert_int_equal(ledger_n_published(ledger), n);
        assert_int_equal(testing_check(ledger), n);
        testing_append_all(ledger, n, n + 150);
        n += 150;
        assert_ok(str_to_c(str_from_c(ledger_static_dir(ledger)), static_dir, sizeof static_dir));
        ledger_close(ledger);
        assert_int_equal(testing_check_checkpoint_file(static_dir), n);
    }
}

static size_t n_names(const char *path)
{
    DIR *dir = opendir(path);
    size_t n = 0;
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* Partial tiles stay while a checkpoint may need them, and go when the tile is full; the journal goes, too. */
static void old_partial_tiles_and_old_journals_go(void **state)
{
    struct ledger *ledger;
    char path[FILE_PATH_MAX];
    assert_ok(testing_open(root, files, 10000, NULL, &ledger));
    for (uint64_t n = 0; n < 1000; n += 50) {
        testing_append_all(ledger, n, n + 50);
        assert_ok(ledger_publish(ledger));
    }
    for (uint64_t tile = 0; tile < 4; tile++) {
        assert_ok(tile_partial_dir(path, ledger_static_dir(ledger), 0, tile));
        assert_int_equal(n_names(path), tile < 3 ? 0 : 5); /* 768 to 1000: at 800, 850, 900, 950, 1000 */
        assert_int_equal(access(path, F_OK), tile < 3 ? -1 : 0);
        assert_ok(tile_partial_dir(path, ledger_static_dir(ledger), TILE_ENTRIES, tile));
        assert_int_equal(access(path, F_OK), tile < 3 ? -1 : 0);
    }
    assert_ok(file_join(path, root, "journal"));
    assert_in_range(n_names(path), 2, 12); /* the lock, and segments of 10,000 bytes for the last 232 leaves of about 210 */
    assert_int_equal(testing_check(ledger), 1000);
    ledger_close(ledger);
}

static void a_tile_of_level_two_begins_after_65536_leaves(void **state)
{
    struct ledger *ledger;
    char path[FILE_PATH_MAX];
    struct stat status;
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    testing_append_all(ledger, 0, 70000);
    assert_ok(ledger_publish(ledger));
    static const struct {
        int level;
        uint64_t n;
        size_t width;
    } tiles[] = {{0, 272, 256}, {0, 273, 112}, {1, 0, 256}, {1, 1, 17}, {2, 0, 1}}; /* the specification's own example */
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        assert_ok(tile_path(path, ledger_static_dir(ledger), tiles[i].level, tiles[i].n, tiles[i].width));
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_size, tiles[i].width * 32);
    }
    for (uint64_t k = 0; k < 70000; k += 997)
        assert_int_equal(prove(ledger, k), 70000);
    assert_int_equal(prove(ledger, 69999), 70000);
    ledger_close(ledger);
}

/* ---- refusals at opening ---- */

static void expect_refusal(const char *cause)
{
    struct ledger *ledger;
    struct diag diag = {""};
    assert_err(testing_open(root, files, 0, &diag, &ledger), ERR_CORRUPT);
    if (!strstr(diag.text, cause))
        fail_msg("\"%s\" does not say \"%s\"", diag.text, cause);
}

static void flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void damage_at_the_right_edge_is_refused_with_its_place(void **state)
{
    struct ledger *ledger;
    char path[FILE_PATH_MAX], dir[FILE_PATH_MAX], away[FILE_PATH_MAX];
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    testing_append_all(ledger, 0, 600);
    ledger_close(ledger);
    assert_ok(file_join(dir, root, "log"));
    assert_ok(tile_path(path, dir, 0, 2, 88));
    flip(path, 100);
    expect_refusal("do not give the checkpoint's root for 600 leaves");
    flip(path, 100);
    assert_ok(tile_path(path, dir, 1, 0, 2));
    flip(path, 1);
    expect_refusal("do not give the checkpoint's root");
    flip(path, 1);
    assert_ok(file_join(away, root, "away"));
    assert_int_equal(rename(path, away), 0);
    expect_refusal("tile/1/000.p/2: the tile is missing or too short");
    assert_int_equal(rename(away, path), 0);
    assert_ok(tile_path(path, dir, TILE_ENTRIES, 2, 88));
    flip(path, 5);
    expect_refusal("tile/entries/002.p/88: the entry bundle is missing, or not that of its tile");
    flip(path, 5);
    flip(path, 0); /* a length */
    expect_refusal("the entry bundle");
    flip(path, 0);
    assert_ok(file_join(path, dir, "checkpoint"));
    for (off_t at = 0; at < 100; at += 7) {
        flip(path, at);
        expect_refusal("checkpoint:");
        flip(path, at);
    }
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    assert_int_equal(testing_check(ledger), 600);
    ledger_close(ledger);
}

static void parts_of_different_moments_are_refused(void **state)
{
    struct ledger *ledger;
    char journal[FILE_PATH_MAX], checkpoint[FILE_PATH_MAX], away[FILE_PATH_MAX];
    assert_ok(file_join(journal, root, "journal"));
    assert_ok(file_join(checkpoint, root, "log/checkpoint"));
    assert_ok(file_join(away, root, "away"));
    assert_ok(testing_open(root, files, 1000, NULL, &ledger));
    enum err err;
    assert_int_equal(testing_append(ledger, 0, 600, false, NULL, &err), 600); /* each its own batch, so that segments are many */
    ledger_close(ledger);
    assert_int_equal(rename(journal, away), 0); /* a log without its journal: acknowledged leaves may be missing */
    expect_refusal("are not of one moment");
    file_sim_remove_tree(journal);
    assert_int_equal(rename(away, journal), 0);
    assert_int_equal(rename(checkpoint, away), 0); /* a journal that begins late, without the checkpoint */
    expect_refusal("are not of one moment");
    assert_int_equal(rename(away, checkpoint), 0);
    assert_ok(testing_open(root, files, 1000, NULL, &ledger));
    assert_int_equal(testing_check(ledger), 600);
    ledger_close(ledger);
}

static void another_key_or_name_is_refused(void **state)
{
    static const uint8_t seed[32] = {1};
    struct crypto_key *other;
    struct ledger *ledger;
    struct diag diag = {""};
    assert_ok(crypto_key_from_seed(seed, &other));
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    testing_append_all(ledger, 0, 3);
    ledger_close(ledger);
    struct ledger_options options = {.dir = root, .origin = STR(TESTING_ORIGIN), .key = other, .clock = clock_system()};
    assert_err(ledger_open(&options, &diag, &ledger), ERR_CORRUPT);
    assert_non_null(strstr(diag.text, "no signature is of the key"));
    options.key = testing_key();
    options.origin = STR("puer.log");
    assert_err(ledger_open(&options, &diag, &ledger), ERR_CORRUPT);
    options.origin = STR("a name");
    assert_err(ledger_open(&options, &diag, &ledger), ERR_RANGE);
    crypto_key_destroy(other);
}

static void only_one_process_has_it_open(void **state)
{
    struct ledger *ledger, *second;
    struct diag diag = {""};
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    assert_err(testing_open(root, files, 0, &diag, &second), ERR_STATE);
    assert_true(diag.text[0] != 0);
    ledger_close(ledger);
}

/* ---- leaves of every length, limits, failing memory ---- */

static struct ledger_append one;
static _Atomic bool is_done;

static void note_one(struct ledger_append *a)
{
    is_done = true;
}

static enum err append_bytes(struct ledger *ledger, struct str leaf)
{
    is_done = false;
    one = (struct ledger_append){.leaf = leaf, .done = note_one};
    enum err err = ledger_append(ledger, &one);
    while (!err && !is_done)
        usleep(50);
    return err ? err : one.err;
}

static void leaves_have_up_to_65535_bytes(void **state)
{
    static char bytes[LEDGER_LEAF_MAX + 1];
    struct ledger *ledger;
    struct buf out;
    memset(bytes, 'x', sizeof bytes);
    buf_init(&out, NOTE_MAX);
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    assert_err(append_bytes(ledger, (struct str){bytes, LEDGER_LEAF_MAX + 1}), ERR_TOO_LARGE);
    for (uint64_t i = 0; i < 300; i++) /* a bundle at its largest */
        assert_ok(append_bytes(ledger, (struct str){bytes, i == 1 ? 0 : LEDGER_LEAF_MAX - (i % 3)}));
    assert_ok(ledger_publish(ledger));
    for (uint64_t i = 0; i < 300; i++) {
        buf_reset(&out);
        assert_ok(ledger_leaf(ledger, i, &out));
        assert_int_equal(out.len, i == 1 ? 0 : LEDGER_LEAF_MAX - (i % 3));
    }
    ledger_close(ledger);
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    buf_reset(&out);
    assert_ok(ledger_leaf(ledger, 299, &out));
    assert_int_equal(out.len, LEDGER_LEAF_MAX - 2);
    ledger_close(ledger);
    buf_finish(&out);
}

struct seen {
    uint64_t next, n, n_max;
};

static bool see_leaf(void *context, uint64_t index, struct str leaf)
{
    struct seen *seen = context;
    char text[16];
    snprintf(text, sizeof text, "leaf %d", (int)index);
    assert_int_equal(index, seen->next);
    assert_true(str_equal_c(leaf, text));
    seen->next++;
    return ++seen->n < seen->n_max;
}

static uint64_t see(struct ledger *ledger, uint64_t from, uint64_t to, uint64_t n_max)
{
    struct seen seen = {.next = from, .n_max = n_max};
    assert_ok(ledger_leaves(ledger, from, to, see_leaf, &seen));
    return seen.n;
}

static void leaves_come_in_order_from_bundles_and_journal(void **state)
{
    struct ledger *ledger;
    char text[16];
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    assert_int_equal(see(ledger, 0, UINT64_MAX, UINT64_MAX), 0);
    for (int i = 0; i < 620; i++) {
        snprintf(text, sizeof text, "leaf %d", i);
        assert_ok(append_bytes(ledger, str_from_c(text)));
        if (i == 299 || i == 511) /* two bundles, of which the second was written when it was not full; what follows waits in the journal */
            assert_ok(ledger_publish(ledger));
    }
    assert_int_equal(see(ledger, 0, UINT64_MAX, UINT64_MAX), 620);
    assert_int_equal(see(ledger, 250, 530, UINT64_MAX), 280);
    assert_int_equal(see(ledger, 255, 257, UINT64_MAX), 2);
    assert_int_equal(see(ledger, 500, UINT64_MAX, 5), 5);
    assert_int_equal(see(ledger, 600, UINT64_MAX, 5), 5);
    assert_int_equal(see(ledger, 619, UINT64_MAX, UINT64_MAX), 1);
    assert_int_equal(see(ledger, 620, UINT64_MAX, UINT64_MAX), 0);
    assert_ok(ledger_publish(ledger));
    assert_int_equal(see(ledger, 0, UINT64_MAX, UINT64_MAX), 620);
    ledger_close(ledger);
}

static void failing_memory_leaks_nothing_and_loses_nothing(void **state)
{
    uint64_t n = 0;
    for (uint64_t nth = 1, n_passed = 0; n_passed < 3; nth++) {
        int64_t n_live = mem_n_live();
        struct ledger *ledger;
        mem_fail_nth(nth);
        enum err err = testing_open(root, files, 3000, NULL, &ledger);
        if (!err) {
            uint64_t end = testing_append(ledger, n, n + 20, false, NULL, &err);
            n = end > n ? end : n;
            if (!err)
                err = ledger_publish(ledger);
            mem_fail_nth(0);
            assert_true(ledger_n_durable(ledger) >= n);
            n = ledger_n_durable(ledger);
            ledger_close(ledger);
        }
        mem_fail_nth(0);
        if (err)
            assert_err(err, ERR_NO_MEMORY);
        n_passed += !err;
        assert_int_equal(mem_n_live(), n_live);
        assert_ok(testing_open(root, files, 3000, NULL, &ledger));
        assert_int_equal(ledger_n_durable(ledger), n);
        ledger_close(ledger);
    }
    struct ledger *ledger;
    assert_ok(testing_open(root, files, 3000, NULL, &ledger));
    assert_int_equal(testing_check(ledger), n);
    ledger_close(ledger);
}

/* Four threads append one by one while tiles are built behind them and a fifth asks for proofs: no append is refused, no proof fails. */
struct busy {
    struct ledger *ledger;
    _Atomic bool must_end;
    _Atomic uint64_t n_failed, n_proofs;
};

struct busy_append {
    struct ledger_append append;
    _Atomic bool is_done;
};

static void note_busy(struct ledger_append *append)
{
    container_of(append, struct busy_append, append)->is_done = true;
}

static void *append_busily(void *context)
{
    struct busy *busy = context;
    for (int i = 0; i < 1500; i++) {
        struct busy_append mine = {.append = {.leaf = STR("{\"type\":\"intent\"}"), .done = note_busy}};
        enum err err = ledger_append(busy->ledger, &mine.append);
        while (!err && !mine.is_done)
            sched_yield();
        busy->n_failed += err || mine.append.err;
    }
    return NULL;
}

static void *prove_busily(void *context)
{
    struct busy *busy = context;
    char vkey[160];
    testing_vkey(vkey);
    for (uint64_t i = 0; !busy->must_end; i++) {
        uint64_t n = ledger_n_published(busy->ledger), found;
        struct buf proof;
        if (n == 0)
            continue;
        buf_init(&proof, NOTE_MAX);
        enum err err = ledger_proof(busy->ledger, i * 7919 % n, &proof);
        if (!err)
            err = ledger_verify(STR("{\"type\":\"intent\"}"), buf_str(&proof), str_from_c(vkey), &found, NULL);
        busy->n_failed += err != ERR_OK;
        busy->n_proofs++;
        buf_finish(&proof);
    }
    return NULL;
}

static void many_threads_append_and_prove_at_once(void **state)
{
    struct ledger_options options = {.dir = root,
        .origin = STR(TESTING_ORIGIN),
        .key = testing_key(),
        .clock = clock_system(),
        .files = files,
        .checkpoint_ms = 2,
        .journal_max_bytes = 10000};
    struct busy busy = {.must_end = false};
    pthread_t threads[4], prover;
    testing_key(); /* made on one thread */
    assert_ok(ledger_open(&options, NULL, &busy.ledger));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, append_busily, &busy), 0);
    assert_int_equal(pthread_create(&prover, NULL, prove_busily, &busy), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    busy.must_end = true;
    pthread_join(prover, NULL);
    assert_int_equal(busy.n_failed, 0);
    assert_true(busy.n_proofs > 0);
    assert_int_equal(ledger_n_durable(busy.ledger), 6000);
    ledger_close(busy.ledger);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_root, remove_root)

/* Old bundles are refused to those who ask for files; their leaves are there as before, and proven. */
static void old_entries_are_below_the_minimum(void **state)
{
    static const struct {
        const char *path;
        bool is_pruned;
    } rows[] = {{"entries/000", true}, {"entries/", false}, {"entries/001", true}, {"entries/002", false}, {"entries/003", false},
        {"entries/000.p/5", false}, {"entries/x000/001", true}, {"entries/x001/000", false}, {"0/000", false}, {"1/000", false},
        {"entries/0", false}, {"entries/x00/001", false}, {"entries/x999/x999/x999/x999/x999/x999/999", false}};
    char path[FILE_PATH_MAX];
    struct ledger *ledger;
    uint64_t minimum;
    struct wall_time now = clock_wall(clock_system());
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    testing_append_all(ledger, 0, 1100);
    assert_ok(ledger_publish(ledger));
    for (uint64_t n = 0; n < 4; n++) { /* a day apart, the newest a day old */
        struct timespec times[2] = {
            {.tv_sec = now.ms / 1000 - (4 - (int64_t)n) * 86400}, {.tv_sec = now.ms / 1000 - (4 - (int64_t)n) * 86400}};
        assert_ok(tile_path(path, ledger_static_dir(ledger), TILE_ENTRIES, n, MERKLE_TILE));
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    for (int64_t days = 0; days <= 5; days++) {
        struct wall_time since = {now.ms - days * 86400000 - 3600000};
        assert_ok(retention_minimum(ledger_static_dir(ledger), 1100, since, &minimum));
        assert_int_equal(minimum, days >= 4 ? 0 : 256 * (4 - days));
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (retention_is_pruned(str_from_c(rows[i].path), 512) != rows[i].is_pruned)
            fail_msg("row %zu", i);
    assert_false(retention_is_pruned(STR("entries/000"), 255));
    assert_int_equal(ledger_minimum(ledger), 0);
    ledger_close(ledger);
    struct ledger_options options = {.dir = root,
        .origin = STR(TESTING_ORIGIN),
        .key = testing_key(),
        .clock = clock_system(),
        .files = files,
        .checkpoint_ms = 1000000,
        .kept_ms = 2 * 86400000 + 3600000};
    assert_ok(ledger_open(&options, NULL, &ledger));
    assert_int_equal(ledger_minimum(ledger), 512);
    assert_int_equal(prove(ledger, 3), 1100);
    assert_int_equal(testing_check(ledger), 1100);
    ledger_close(ledger);
    assert_err(retention_minimum("/nowhere", 1100, now, &minimum), ERR_NOT_FOUND);
}

int main(void)
{
    log_set_level((enum log_level)0); /* failing memory is reported a hundred times */
    const struct CMUnitTest tests[] = {
        TEST(proves_every_leaf_at_every_size),
        TEST(a_leaf_without_a_checkpoint_is_busy),
        TEST(publishes_by_itself_within_the_time),
        TEST(closing_publishes_and_opening_goes_on),
        TEST(old_partial_tiles_and_old_journals_go),
        TEST(a_tile_of_level_two_begins_after_65536_leaves),
        TEST(damage_at_the_right_edge_is_refused_with_its_place),
        TEST(parts_of_different_moments_are_refused),
        TEST(another_key_or_name_is_refused),
        TEST(only_one_process_has_it_open),
        TEST(leaves_have_up_to_65535_bytes),
        TEST(leaves_come_in_order_from_bundles_and_journal),
        TEST(failing_memory_leaks_nothing_and_loses_nothing),
        TEST(many_threads_append_and_prove_at_once),
        TEST(old_entries_are_below_the_minimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
