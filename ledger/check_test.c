/*
 * An insider edits the log's files: a bit of any byte of any of them is found, and named. CITYBRAIN_FLIPS=N: how many bytes, evenly over
 * all (200, and the whole checkpoint), 0: every one; CITYBRAIN_ENTRIES=N: of a log of so many entries (10,000, and at most that).
 */
#include "base/test.h"
#include "ledger/check.h"
#include "ledger/ledger_testing.h"
#include "ledger/tile.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_LEAVES_MAX 10000
#define N_FILES 100

static char root[FILE_PATH_MAX], dir[FILE_PATH_MAX];
static struct note_verifier verifier;
static struct ledger_checked checked;
static struct log_file {
    char path[FILE_PATH_MAX];
    int level; /* TILE_ENTRIES; -2: the checkpoint */
    uint64_t n;
    off_t len;
} all[N_FILES];
static size_t n_all;
static uint64_t n_leaves;

static void add_file(int level, uint64_t n, size_t width)
{
    struct stat status;
    struct log_file *file = &all[n_all++];
    assert_true(n_all <= N_FILES);
    file->level = level;
    file->n = n;
    if (level == -2)
        assert_ok(file_join(file->path, dir, "checkpoint"));
    else
        assert_ok(tile_path(file->path, dir, level, n, width));
    if (stat(file->path, &status) != 0)
        fail_msg("%s is not there", file->path);
    file->len = status.st_size;
}

static int make(void **state)
{
    struct ledger *ledger;
    static char vkey[160]; /* the verifier borrows */
    const char *given = getenv("CITYBRAIN_ENTRIES");
    n_leaves = given ? strtoull(given, NULL, 10) : N_LEAVES_MAX;
    assert_in_range(n_leaves, 1, N_LEAVES_MAX);
    file_sim_make_root(root);
    assert_ok(testing_open(root, file_sim_unsynced_ops(), 0, NULL, &ledger));
    testing_append_all(ledger, 0, n_leaves);
    ledger_close(ledger);
    assert_ok(file_join(dir, root, "log"));
    testing_vkey(vkey);
    assert_ok(note_verifier_parse(str_from_c(vkey), &verifier, NULL));
    n_all = 0;
    add_file(-2, 0, 0);
    for (int level = TILE_ENTRIES; level <= 1; level++) {
        uint64_t n = merkle_level_size(n_leaves, level < 0 ? 0 : (uint32_t)level);
        for (uint64_t at = 0; at < n; at += MERKLE_TILE)
            add_file(level, at / MERKLE_TILE, n - at < MERKLE_TILE ? (size_t)(n - at) : MERKLE_TILE);
    }
    return 0;
}

static int finish(void **state)
{
    file_sim_remove_tree(root);
    return 0;
}

static void flip(const char *path, off_t at, int bit)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= (uint8_t)(1 << bit);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* Which entry of a bundle the byte belongs to. */
static uint64_t entry_at(const struct log_file *file, off_t at)
{
    struct buf bundle;
    struct str entry;
    off_t from = 0;
    uint64_t index = file->n * MERKLE_TILE;
    buf_init(&bundle, TILE_BUNDLE_MAX);
    assert_ok(file_read(file->path, &bundle));
    for (;; index++) {
        assert_ok(tile_bundle_entry(str_slice(buf_str(&bundle), (size_t)from, bundle.len), 0, &entry));
        from += 2 + (off_t)entry.len;
        if (at < from)
            break;
    }
    buf_finish(&bundle);
    return index;
}

/* What has to be said of a change there. */
static void place_of(const struct log_file *file, off_t at, char out[128])
{
    if (file->level == -2)
        snprintf(out, 128, "checkpoint");
    else if (file->level == TILE_ENTRIES)
        snprintf(out, 128, "entry %" PRIu64, entry_at(file, at));
    else
        snprintf(out, 128, "hash %d of tile/%d/%03" PRIu64, (int)(at / 32), file->level, file->n);
}

/* "entry 12" is not "entry 123". */
static bool names(const char *text, const char *place)
{
    const char *found = strstr(text, place);
    char next = found ? found[strlen(place)] : '\0';
    return found && !(next >= '0' && next <= '9');
}

static void the_whole_log_is_proven(void **state)
{
    struct diag diag = {""};
    if (ledger_check(dir, &verifier, &checked, &diag))
        fail_msg("%s", diag.text);
    assert_int_equal(checked.size, n_leaves);
}

static void every_change_is_found_and_named(void **state)
{
    const char *given = getenv("CITYBRAIN_FLIPS");
    size_t n_flips = given ? strtoul(given, NULL, 10) : TEST_TIMES(200), n = 0, n_wrong = 0;
    off_t total = 0, step;
    for (size_t i = 0; i < n_all; i++)
        total += all[i].len;
    step = n_flips ? total / (off_t)n_flips + 1 : 1;
    off_t next = 0, before = 0;
    for (size_t i = 0; i < n_all; before += all[i].len, i++)
        for (; next < before + all[i].len; next += i == 0 ? 1 : step, n++) { /* of the checkpoint every one */
            char place[128];
            struct diag diag = {""};
            off_t at = next - before;
            place_of(&all[i], at, place);
            flip(all[i].path, at, (int)(n % 8));
            enum err err = ledger_check(dir, &verifier, &checked, &diag);
            flip(all[i].path, at, (int)(n % 8));
            if ((err != ERR_CORRUPT && err != ERR_CRYPTO) || !names(diag.text, place)) {
                n_wrong++;
                fprintf(stderr, "%s, byte %lld: %s, \"%s\", not \"%s\"\n", all[i].path, (long long)at, err_text(err), diag.text, place);
            }
        }
    printf("%zu changes in %lld bytes of %zu files of a log of %" PRIu64 " entries: %zu not found or not named\n", n, (long long)total,
        n_all, n_leaves, n_wrong);
    assert_int_equal(n_wrong, 0);
    struct diag diag = {""};
    assert_ok(ledger_check(dir, &verifier, &checked, &diag)); /* and every change was undone */
}

static void what_is_missing_is_named(void **state)
{
    for (size_t i = 0; i < n_all; i += 7) {
        char away[FILE_PATH_MAX];
        struct diag diag = {""};
        assert_ok(file_join(away, root, "away"));
        assert_int_equal(rename(all[i].path, away), 0);
        enum err err = ledger_check(dir, &verifier, &checked, &diag);
        assert_int_equal(rename(away, all[i].path), 0);
        assert_true(err == ERR_CORRUPT || (err == ERR_NOT_FOUND && all[i].level == -2));
        assert_non_null(strstr(diag.text, all[i].level == -2 ? "checkpoint" : "missing"));
    }
}

/* Another's key, and a log that was made anew with another: its entries are of its own root, and that is signed by nobody. */
static void another_key_is_refused(void **state)
{
    struct note_verifier other = verifier;
    struct diag diag = {""};
    ((uint8_t *)&other)[sizeof other / 2] ^= 1;
    assert_int_not_equal(ledger_check(dir, &other, &checked, &diag), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_log_is_proven),
        cmocka_unit_test(every_change_is_found_and_named),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(another_key_is_refused),
    };
    return cmocka_run_group_tests(tests, make, finish);
}
