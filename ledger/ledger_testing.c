/*
 * What the ledger's tests share. See ledger/ledger_testing.h.
 */
#include "ledger/ledger_testing.h"

#include "base/mem.h"
#include "base/test.h"
#include "ledger/note.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct str testing_leaf(uint64_t i, char out[512])
{
    int n = snprintf(out, 512, "{\"type\":\"intent\",\"n\":%" PRIu64 ",\"fill\":\"", i);
    size_t len = (size_t)n + (size_t)(i * 131 % 350);
    memset(out + n, 'a' + (int)(i % 26), len - (size_t)n);
    memcpy(out + len, "\"}", 3);
    return (struct str){out, len + 2};
}

struct crypto_key *testing_key(void)
{
    static struct crypto_key *key;
    static const uint8_t seed[32] = "a seed of tests, and no secret..";
    if (!key)
        assert_ok(crypto_key_from_seed(seed, &key));
    return key;
}

void testing_vkey(char out[160])
{
    uint8_t public_key[32];
    struct buf vkey;
    buf_init(&vkey, 159);
    crypto_key_public(testing_key(), public_key);
    assert_ok(ledger_vkey(STR(TESTING_ORIGIN), public_key, &vkey));
    assert_ok(str_to_c(buf_str(&vkey), out, 160));
    buf_finish(&vkey);
}

static struct sha256 slow_root(const struct sha256 *hashes, uint64_t n)
{
    if (n == 0)
        return merkle_empty_root();
    if (n == 1)
        return hashes[0];
    uint64_t k = 1;
    while (k * 2 < n)
        k *= 2;
    struct sha256 left = slow_root(hashes, k), right = slow_root(hashes + k, n - k);
    return merkle_node_hash(&left, &right);
}

struct sha256 testing_root(uint64_t n)
{
    static struct sha256 *hashes; /* kept; malloc, so that leak checks of base/mem.h do not see it */
    static uint64_t n_hashes;
    if (n > n_hashes) {
        hashes = realloc(hashes, n * sizeof *hashes);
        assert_non_null(hashes);
        for (; n_hashes < n; n_hashes++) {
            char text[512];
            hashes[n_hashes] = merkle_leaf_hash(testing_leaf(n_hashes, text));
        }
    }
    return slow_root(hashes, n);
}

enum err testing_open(const char *dir, struct file_ops *files, size_t journal_max_bytes, struct diag *diag, struct ledger **ret_ledger)
{
    struct ledger_options options = {
        .dir = dir,
        .origin = STR(TESTING_ORIGIN),
        .key = testing_key(),
        .clock = clock_system(),
        .files = files,
        .checkpoint_ms = 1000000, /* only when told */
        .journal_max_bytes = journal_max_bytes,
    };
    return ledger_open(&options, diag, ret_ledger);
}

struct waiting {
    struct ledger_append append;
    char text[512];
    struct appending *appending;
};

struct appending {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    uint64_t n_done;
};

static void note_done(struct ledger_append *append)
{
    struct waiting *waiting = container_of(append, struct waiting, append);
    struct appending *appending = waiting->appending;
    pthread_mutex_lock(&appending->mutex);
    appending->n_done++;
    pthread_cond_signal(&appending->wake);
    pthread_mutex_unlock(&appending->mutex);
}

static void wait_for(struct appending *appending, uint64_t n)
{
    pthread_mutex_lock(&appending->mutex);
    while (appending->n_done < n)
        pthread_cond_wait(&appending->wake, &appending->mutex);
    pthread_mutex_unlock(&appending->mutex);
}

uint64_t testing_append(struct ledger *ledger, uint64_t from, uint64_t to, bool at_once, struct file_sim *sim, enum err *ret_err)
{
    struct appending appending = {.n_done = 0};
    struct waiting *waiting = calloc((size_t)(to - from) + 1, sizeof *waiting);
    uint64_t n = 0, n_acknowledged = from;
    assert_non_null(waiting);
    pthread_mutex_init(&appending.mutex, NULL);
    pthread_cond_init(&appending.wake, NULL);
    *ret_err = ERR_OK;
    for (uint64_t i = from; i < to && !*ret_err; i++) {
        struct waiting *w = &waiting[n];
        w->appending = &appending;
        w->append = (struct ledger_append){.leaf = testing_leaf(i, w->text), .done = note_done};
        *ret_err = ledger_append(ledger, &w->append);
        if (*ret_err)
            break;
        n++;
        if (at_once)
            continue;
        wait_for(&appending, n);
        *ret_err = w->append.err;
        if (sim && !w->append.err)
            file_sim_mark(sim, testing_mark(i + 1, ledger_n_published(ledger)));
    }
    wait_for(&appending, n);
    for (uint64_t i = 0; i < n && !waiting[i].append.err; i++) {
        assert_int_equal(waiting[i].append.index, from + i);
        n_acknowledged = from + i + 1;
    }
    if (!*ret_err && n > 0)
        *ret_err = waiting[n - 1].append.err;
    pthread_cond_destroy(&appending.wake);
    pthread_mutex_destroy(&appending.mutex);
    free(waiting);
    return n_acknowledged;
}

void testing_append_all(struct ledger *ledger, uint64_t from, uint64_t to)
{
    enum err err;
    assert_int_equal(testing_append(ledger, from, to, true, NULL, &err), to);
    assert_ok(err);
}

static uint64_t check_note(struct str note)
{
    char vkey[160];
    struct note_verifier verifier;
    struct checkpoint checkpoint;
    struct str text;
    testing_vkey(vkey);
    assert_ok(note_verifier_parse(str_from_c(vkey), &verifier, NULL));
    assert_ok(note_open(note, &verifier, &text, NULL));
    assert_ok(checkpoint_parse(text, &checkpoint, NULL));
    assert_str(checkpoint.origin, TESTING_ORIGIN);
    struct sha256 root = testing_root(checkpoint.size);
    assert_memory_equal(&root, &checkpoint.root, sizeof root);
    return checkpoint.size;
}

uint64_t testing_check_checkpoint_file(const char *static_dir)
{
    char path[FILE_PATH_MAX];
    struct buf note;
    buf_init(&note, NOTE_MAX);
    assert_ok(file_join(path, static_dir, "checkpoint"));
    enum err err = file_read(path, &note);
    uint64_t size = err == ERR_NOT_FOUND ? 0 : check_note(buf_str(&note));
    buf_finish(&note);
    return size;
}

uint64_t testing_check(struct ledger *ledger)
{
    struct buf bytes;
    buf_init(&bytes, NOTE_MAX);
    uint64_t n = ledger_n_durable(ledger), published = 0;
    enum err err = ledger_checkpoint(ledger, &bytes);
    if (err != ERR_BUSY) {
        assert_ok(err);
        published = check_note(buf_str(&bytes));
    }
    assert_true(published <= n);
    /* A sample: that all of them are right the checkpoint's root says, once all are under it. */
    for (uint64_t i = 0; i < n; i += i + 1 < n && i + 17 >= n ? n - 1 - i : 17) {
        char text[512];
        struct str leaf = testing_leaf(i, text);
        buf_reset(&bytes);
        assert_ok(ledger_leaf(ledger, i, &bytes));
        assert_int_equal(bytes.len, leaf.len);
        assert_memory_equal(bytes.ptr, leaf.ptr, leaf.len);
    }
    buf_finish(&bytes);
    return n;
}
