/*
 * Tests of the witness: each answer of the specification, the memory on disk under kills, power cuts and failing disks, and the law that
 * all this is for: a log that lies, with f witnesses that lie with it, gets no quorum for two histories.
 *
 *     LEDGER_SEED=N      the first seed of the law's test (default: of the clock's; printed)
 *     LEDGER_SEEDS=N     how many (default 400; the full count of evidence is 100000)
 */
#include "base/mem.h"
#include "base/test.h"
#include "ledger/ledger_testing.h"
#include "ledger/policy.h"
#include "ledger/witness_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_MAX 600 /* leaves of a test's tree: two tiles and some */

/* ---- a log in memory ---- */

struct tree {
    struct merkle_source source; /* of its stored hashes */
    uint64_t size;
    struct sha256 hashes[N_MAX], upper[N_MAX / MERKLE_TILE + 1], roots[N_MAX + 1];
    struct merkle_edge edge;
};

static enum err read_hashes(struct merkle_source *source, uint32_t level, uint64_t first, size_t n, struct sha256 *ret_hashes)
{
    const struct tree *tree = (const struct tree *)(void *)source; /* its first member */
    memcpy(ret_hashes, (level == 0 ? tree->hashes : tree->upper) + first, n * sizeof *ret_hashes);
    return ERR_OK;
}

static enum err keep_full(void *context, uint32_t level, uint64_t n, const struct sha256 hashes[MERKLE_TILE])
{
    struct tree *tree = context;
    if (level == 0)
        tree->upper[n] = merkle_fold(hashes, MERKLE_TILE);
    return ERR_OK;
}

static void tree_init(struct tree *tree)
{
    tree->source.read = read_hashes;
    tree->size = tree->edge.size = 0;
    tree->roots[0] = merkle_empty_root();
}

static void tree_add(struct tree *tree, uint64_t leaf)
{
    char text[512];
    tree->hashes[tree->size] = merkle_leaf_hash(testing_leaf(leaf, text));
    assert_ok(merkle_edge_add(&tree->edge, &tree->hashes[tree->size], keep_full, tree));
    tree->roots[++tree->size] = merkle_edge_root(&tree->edge);
}

static struct tree *grow_tree(uint64_t size)
{
    struct tree *tree = calloc(1, sizeof *tree);
    assert_non_null(tree);
    tree_init(tree);
    while (tree->size < size)
        tree_add(tree, tree->size);
    return tree;
}

/* The checkpoint of the first `size` leaves, signed. */
static void sign(const struct tree *tree, uint64_t size, struct buf *out)
{
    struct checkpoint checkpoint = {.origin = STR(TESTING_ORIGIN), .size = size, .root = tree->roots[size]};
    struct buf text;
    buf_init(&text, 1000);
    checkpoint_write(&checkpoint, &text);
    assert_ok(note_sign(buf_str(&text), checkpoint.origin, testing_key(), out));
    buf_finish(&text);
}

/* An honest request. */
static void ask(struct tree *tree, uint64_t old_size, uint64_t size, struct buf *out)
{
    struct witness_request request = {.old_size = old_size};
    struct buf note;
    buf_init(&note, 4000);
    sign(tree, size, &note);
    request.note = buf_str(&note);
    if (old_size <= size)
        assert_ok(merkle_prove_consistency(&tree->source, old_size, size, &request.proof));
    buf_reset(out);
    witness_request_write(&request, out);
    assert_ok(out->err);
    buf_finish(&note);
}

static struct witness_log known_log(const struct tree *tree, uint64_t size)
{
    static char vkey[160];
    struct witness_log log = {.size = size, .root = tree->roots[size]};
    testing_vkey(vkey);
    assert_ok(note_verifier_parse(str_from_c(vkey), &log.key, NULL));
    return log;
}

/* ---- the specification's answers ---- */

static void honest_requests_are_cosigned(void **state)
{
    static const uint64_t sizes[] = {0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 600};
    struct tree *tree = grow_tree(N_MAX);
    struct buf body;
    buf_init(&body, WITNESS_BODY_MAX);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = i; k < sizeof sizes / sizeof *sizes; k++) {
            struct witness_log log = known_log(tree, sizes[i]);
            struct witness_verdict verdict;
            ask(tree, sizes[i], sizes[k], &body);
            assert_ok(witness_step(&log, 1, buf_str(&body), &verdict));
            assert_int_equal(verdict.status, WITNESS_COSIGN);
            assert_int_equal(verdict.checkpoint.size, sizes[k]);
            assert_true(str_starts_with(verdict.text, STR(TESTING_ORIGIN "\n")));
            assert_false(verdict.is_fork);
            if (sizes[i] == 0)
                continue;
            log.root.bytes[7] ^= 1; /* another history of the same length */
            assert_ok(witness_step(&log, 1, buf_str(&body), &verdict));
            assert_int_equal(verdict.status, i == k ? WITNESS_CONFLICT : WITNESS_NOT_CONSISTENT);
            assert_int_equal(verdict.is_fork, i == k);
        }
    buf_finish(&body);
    free(tree);
}

#define HASH_LINE "qA1bZcGKXFGJGBRqMbSVcmSkAEBHAdWYhhyRHJxxnL8=\n"

/* "%0" stands for the signed checkpoint of 20 leaves, "%U" the same of an unknown log, "%F" one whose signature is another's. */
static void make_body(const char *pattern, struct tree *tree, struct buf *out)
{
    struct buf note, other;
    struct str text;
    static const uint8_t seed[32] = "a stranger";
    struct crypto_key *stranger;
    assert_ok(crypto_key_from_seed(seed, &stranger));
    buf_init(&note, 4000);
    buf_init(&other, 4000);
    sign(tree, 20, &note);
    assert_ok(note_text(buf_str(&note), &text, NULL));
    buf_reset(out);
    for (const char *c = pattern; *c; c++) {
        buf_reset(&other);
        if (*c != '%')
            buf_append_byte(out, *c);
        else if (*++c == '0')
            buf_append_str(out, buf_str(&note));
        else if (*c == 'F')
            assert_ok(note_sign(text, STR(TESTING_ORIGIN), stranger, &other));
        else
            assert_ok(note_sign(STR("other.log\n20\n" HASH_LINE), STR("other.log"), testing_key(), &other));
        buf_append_str(out, buf_str(&other));
    }
    assert_ok(out->err);
    buf_finish(&note);
    buf_finish(&other);
    crypto_key_destroy(stranger);
}

static void each_fault_has_its_answer(void **state)
{
    static const struct {
        const char *body;
        enum witness_status status;
        uint64_t known; /* what the witness has cosigned */
        const char *told;
    } rows[] = {
        {"", 400, 0, "first line is not \"old SIZE\""},
        {"old 0", 400, 0, "first line"},
        {"old 00\n\n%0", 400, 0, "first line"},
        {"old 01\n\n%0", 400, 0, "first line"},
        {"old -1\n\n%0", 400, 0, "first line"},
        {"old  0\n\n%0", 400, 0, "first line"},
        {"old 0 \n\n%0", 400, 0, "first line"},
        {"old 18446744073709551616\n\n%0", 400, 0, "first line"},
        {"new 0\n\n%0", 400, 0, "first line"},
        {"old 0\n", 400, 0, "ends before its checkpoint"},
        {"old 0\n%0", 400, 0, "hash 1 of the consistency proof"},
        {"old 0\nAAAA\n\n%0", 400, 0, "hash 1 of the consistency proof"},
        {"old 0\n" HASH_LINE "x" HASH_LINE "\n%0", 400, 0, "hash 2 of the consistency proof"},
        {"old 0\n\n", 400, 0, "no signed note"},
        {"old 0\n\nhangzhou.log\n20\n", 400, 0, "no signed note"},
        {"old 0\n\nhangzhou.log\n\n\xe2\x80\x94 a AAAAAAA=\n", 400, 0, "at least three lines"},
        {"old 0\n\n%0more\n", 400, 0, "signature line 2 of the note is malformed"},
        {"old 0\n\n%U", 404, 0, "not one that this witness knows"},
        {"old 5\n" HASH_LINE "\n%U", 404, 0, "not one that this witness knows"},
        {"old 0\n\n%F", 403, 0, "is of the key"},
        {"old 5\n" HASH_LINE "\n%F", 403, 0, "is of the key"},
        {"old 21\n\n%0", 400, 0, "larger than the checkpoint's"},
        {"old 21\n\n%0", 400, 21, "larger than the checkpoint's"},
        {"old 7\n\n%0", 409, 0, "not that of the checkpoint cosigned last"},
        {"old 0\n\n%0", 409, 7, "not that of the checkpoint cosigned last"},
        {"old 20\n\n%0", 409, 21, "not that of the checkpoint cosigned last"},
        {"old 0\n\n%0", 409, 21, "not that of the checkpoint cosigned last"},
        {"old 0\n" HASH_LINE "\n%0", 422, 0, "does not show"},
        {"old 7\n" HASH_LINE "\n%0", 422, 7, "does not show"},
        {"old 7\n\n%0", 422, 7, "does not show"},
        {"old 20\n" HASH_LINE "\n%0", 422, 20, "does not show"},
        {"old 20\n\n%0", 200, 20, ""},
        {"old 0\n\n%0", 200, 0, ""},
    };
    struct tree *tree = grow_tree(21);
    struct buf body;
    buf_init(&body, WITNESS_BODY_MAX);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct witness_log log = known_log(tree, rows[i].known);
        struct witness_verdict verdict;
        make_body(rows[i].body, tree, &body);
        assert_ok(witness_step(&log, 1, buf_str(&body), &verdict));
        if (verdict.status != rows[i].status || !strstr(verdict.diag.text, rows[i].told) || verdict.is_fork)
            fail_msg("row %zu: %d \"%s\"", i, (int)verdict.status, verdict.diag.text);
        if (verdict.status == WITNESS_CONFLICT)
            assert_int_equal(verdict.known_size, rows[i].known);
    }
    buf_finish(&body);
    free(tree);
}

static void a_proof_has_at_most_63_hashes(void **state)
{
    struct tree *tree = grow_tree(20);
    struct witness_log log = known_log(tree, 7);
    struct witness_verdict verdict;
    struct buf body, note;
    buf_init(&body, WITNESS_BODY_MAX + 1000);
    buf_init(&note, 4000);
    sign(tree, 20, &note);
    for (int n = WITNESS_PROOF_MAX; n <= WITNESS_PROOF_MAX + 1; n++) {
        buf_reset(&body);
        buf_append_c(&body, "old 7\n");
        for (int i = 0; i < n; i++)
            buf_append_c(&body, HASH_LINE);
        buf_append_byte(&body, '\n');
        buf_append_str(&body, buf_str(&note));
        assert_ok(witness_step(&log, 1, buf_str(&body), &verdict));
        assert_int_equal(verdict.status, n == WITNESS_PROOF_MAX ? WITNESS_NOT_CONSISTENT : WITNESS_MALFORMED);
    }
    while (body.len <= WITNESS_BODY_MAX)
        buf_append_c(&body, HASH_LINE);
    assert_ok(witness_step(&log, 1, buf_str(&body), &verdict));
    assert_int_equal(verdict.status, WITNESS_MALFORMED);
    assert_non_null(strstr(verdict.diag.text, "longer than 65536 bytes"));
    buf_finish(&body);
    buf_finish(&note);
    free(tree);
}

/* ---- its memory ---- */

static char root[FILE_PATH_MAX];
static struct crypto_key *witness_key;

static int setup(void **state)
{
    static const uint8_t seed[32] = "a witness of tests";
    file_sim_make_root(root);
    assert_ok(crypto_key_from_seed(seed, &witness_key));
    return 0;
}

static int finish(void **state)
{
    crypto_key_destroy(witness_key);
    file_sim_remove_tree(root);
    return 0;
}

static enum err open_store(const char *dir, struct file_ops *files, struct diag *diag, struct witness_store **ret_store)
{
    struct witness_store_options options = {.dir = dir, .name = STR("hangzhou/police"), .key = witness_key, .files = files};
    char vkey[160];
    testing_vkey(vkey);
    struct witness_store *store = NULL;
    enum err err = witness_store_open(&options, diag, &store);
    if (!err)
        err = witness_store_add_log(store, str_from_c(vkey), diag);
    if (err)
        witness_store_close(store);
    else
        *ret_store = store;
    return err;
}

static enum err add(
    struct witness_store *store, struct tree *tree, uint64_t old_size, uint64_t size, struct buf *out, struct witness_answer *answer)
{
    struct buf body;
    buf_init(&body, WITNESS_BODY_MAX);
    ask(tree, old_size, size, &body);
    buf_reset(out);
    enum err err = witness_store_add_checkpoint(store, buf_str(&body), 1700000000 + (int64_t)size, out, answer);
    buf_finish(&body);
    return err;
}

static struct note_verifier witness_verifier(void)
{
    struct note_verifier verifier = {.name = STR("hangzhou/police"), .type = NOTE_WITNESS};
    crypto_key_public(witness_key, verifier.key);
    assert_ok(note_key_id(verifier.name, NOTE_WITNESS, verifier.key, &verifier.id));
    return verifier;
}

static void answers_and_remembers(void **state)
{
    struct tree *tree = grow_tree(30);
    struct witness_store *store = NULL, *second = NULL;
    struct witness_answer answer;
    struct buf out, note;
    struct note_verifier verifier = witness_verifier();
    struct str text;
    int64_t time_s;
    struct diag diag = {""};
    buf_init(&out, 4000);
    buf_init(&note, 4000);
    assert_ok(open_store(root, NULL, NULL, &store));
    assert_err(open_store(root, NULL, &diag, &second), ERR_STATE);
    assert_non_null(strstr(diag.text, "another witness works in this folder"));
    assert_ok(add(store, tree, 0, 10, &out, &answer));
    assert_int_equal(answer.status, 200);
    assert_str(answer.origin, TESTING_ORIGIN);
    sign(tree, 10, &note);
    buf_append_str(&note, buf_str(&out));
    assert_ok(note_open_line(buf_str(&note), &verifier, &text, NULL, &time_s, NULL));
    assert_int_equal(time_s, 1700000010);
    assert_ok(add(store, tree, 0, 12, &out, &answer));
    assert_int_equal(answer.status, 409);
    assert_str(buf_str(&out), "10\n");
    witness_store_close(store);

    assert_ok(open_store(root, NULL, NULL, &store)); /* and after a new start */
    assert_ok(add(store, tree, 0, 12, &out, &answer));
    assert_str(buf_str(&out), "10\n");
    assert_ok(add(store, tree, 10, 12, &out, &answer));
    assert_int_equal(answer.status, 200);
    assert_ok(add(store, tree, 10, 11, &out, &answer)); /* back? */
    assert_int_equal(answer.status, 409);
    assert_str(buf_str(&out), "12\n");
    assert_ok(add(store, tree, 12, 12, &out, &answer)); /* the same again is fine: its answer may have been lost */
    assert_int_equal(answer.status, 200);
    assert_int_equal(witness_store_log(store, 0)->size, 12);
    char vkey[160];
    testing_vkey(vkey);
    assert_err(witness_store_add_log(store, str_from_c(vkey), &diag), ERR_EXISTS);
    assert_err(witness_store_add_log(store, STR("nonsense"), &diag), ERR_SYNTAX);
    witness_store_close(store);
    buf_finish(&out);
    buf_finish(&note);
    free(tree);
}

static void read_note(const char *suffix, struct buf *out)
{
    char name[64], path[FILE_PATH_MAX];
    struct sha256 hash = crypto_sha256(STR(TESTING_ORIGIN));
    crypto_hex(hash.bytes, 8, name);
    snprintf(name + 16, sizeof name - 16, "%s", suffix);
    assert_ok(file_join(path, root, name));
    buf_reset(out);
    assert_ok(file_read(path, out));
}

/* Both sides of a fork are kept, and convict the log before anybody. */
static void a_fork_leaves_its_proof(void **state)
{
    struct tree *tree = grow_tree(9), *fork = grow_tree(9);
    struct witness_store *store = NULL;
    struct witness_answer answer;
    struct witness_log log = known_log(tree, 0);
    struct checkpoint sides[2];
    struct str text;
    struct buf out, notes[2];
    buf_init(&out, 4000);
    tree_add(tree, 9);
    tree_add(fork, 1000);
    tree_add(fork, 1001);
    assert_ok(open_store(root, NULL, NULL, &store));
    assert_ok(add(store, tree, 0, 10, &out, &answer));
    assert_ok(add(store, fork, 10, 10, &out, &answer));
    assert_int_equal(answer.status, 409);
    assert_str(buf_str(&out), "10\n");
    assert_true(answer.is_fork);
    assert_ok(add(store, fork, 0, 10, &out, &answer)); /* whatever old size it comes with */
    assert_true(answer.is_fork);
    assert_ok(add(store, fork, 10, 11, &out, &answer));
    assert_int_equal(answer.status, 422);
    for (int i = 0; i < 2; i++) {
        buf_init(&notes[i], 4000);
        read_note(i == 0 ? ".fork-1.note" : ".fork-2.note", &notes[i]);
        assert_ok(note_open(buf_str(&notes[i]), &log.key, &text, NULL));
        assert_ok(checkpoint_parse(text, &sides[i], NULL));
    }
    assert_int_equal(sides[0].size, sides[1].size);
    assert_memory_not_equal(&sides[0].root, &sides[1].root, sizeof sides[0].root);
    witness_store_close(store);
    buf_finish(&notes[0]);
    buf_finish(&notes[1]);
    buf_finish(&out);
    free(tree);
    free(fork);
}

/* Where `part` begins in the note, which ends without a NUL. */
static size_t place_of(const struct buf *note, struct str part)
{
    const char *at = memmem(note->ptr, note->len, part.ptr, part.len);
    assert_non_null(at);
    return (size_t)(at - note->ptr);
}

static void a_changed_memory_is_refused(void **state)
{
    struct tree *tree = grow_tree(10);
    struct witness_store *store = NULL;
    struct witness_answer answer;
    struct buf out, note;
    struct diag diag = {""};
    char name[64], path[FILE_PATH_MAX];
    buf_init(&out, 4000);
    buf_init(&note, 4000);
    assert_ok(open_store(root, NULL, NULL, &store));
    assert_ok(add(store, tree, 0, 10, &out, &answer));
    witness_store_close(store);
    read_note(".note", &note);
    struct sha256 hash = crypto_sha256(STR(TESTING_ORIGIN));
    crypto_hex(hash.bytes, 8, name);
    snprintf(name + 16, sizeof name - 16, ".note");
    assert_ok(file_join(path, root, name));
    for (size_t i = 0; i < note.len; i++) { /* every byte; the log's own line is kept for others and not read here */
        bool is_of_log = i > place_of(&note, STR("\n\n")) && i < place_of(&note, STR("\xe2\x80\x94 hangzhou/police"));
        note.ptr[i] ^= 1;
        assert_ok(file_replace(file_sim_unsynced_ops(), path, buf_str(&note)));
        note.ptr[i] ^= 1;
        enum err err = open_store(root, file_sim_unsynced_ops(), &diag, &store);
        if (!err && !is_of_log)
            fail_msg("byte %zu was changed, and nobody noticed", i);
        if (!err)
            witness_store_close(store);
        else if (err != ERR_CORRUPT || !strstr(diag.text, "restore the newest copy"))
            fail_msg("byte %zu: %s: \"%s\"", i, err_text(err), diag.text);
    }
    buf_finish(&note);
    buf_finish(&out);
    free(tree);
}

/* ---- kills, power cuts, failing disks ---- */

/* Cosigns 1, 2, 3 … on and marks each size once it was told. */
static enum err live(const char *dir, struct file_sim *sim, struct tree *tree, uint64_t n)
{
    struct witness_store *store = NULL;
    struct witness_answer answer;
    struct buf out;
    enum err err = open_store(dir, file_sim_ops(sim), NULL, &store);
    if (err)
        return err;
    buf_init(&out, 4000);
    for (uint64_t i = 0; i < n && !err; i++) {
        uint64_t known = witness_store_log(store, 0)->size;
        err = add(store, tree, known, known + 1, &out, &answer);
        if (!err)
            file_sim_mark(sim, known + 1);
        else
            assert_int_equal(out.len, 0); /* nothing is told that is not stored */
    }
    if (err)
        assert_int_equal(add(store, tree, 0, 1, &out, &answer), err); /* and it stays so */
    buf_finish(&out);
    witness_store_close(store);
    return err;
}

static void nothing_told_is_forgotten_in_a_crash(void **state)
{
    struct tree *tree = grow_tree(20);
    struct file_sim *sim;
    struct file_sim_replay *replay;
    char dir[FILE_PATH_MAX], other[FILE_PATH_MAX], other_dir[FILE_PATH_MAX];
    uint64_t mark = 0, n_crashes = 0;
    file_sim_make_root(other);
    assert_ok(file_join(dir, root, "witness"));
    assert_ok(file_join(other_dir, other, "witness"));
    assert_ok(file_sim_create(root, &sim));
    assert_ok(live(dir, sim, tree, 8));
    assert_ok(file_sim_replay_create(sim, &replay));
    while (file_sim_replay_step(replay, &mark))
        for (int crash = 0; crash < 2; crash++)
            for (uint64_t seed = 0; seed < 4; seed++, n_crashes++) {
                struct witness_store *store = NULL;
                assert_ok(file_sim_replay_crash(replay, crash ? FILE_SIM_POWER : FILE_SIM_KILL, seed, other));
                assert_ok(open_store(other_dir, file_sim_unsynced_ops(), NULL, &store));
                assert_in_range(witness_store_log(store, 0)->size, mark, mark + 1); /* one may be stored and not yet told */
                witness_store_close(store);
            }
    assert_true(n_crashes > 300);
    file_sim_replay_destroy(replay);
    file_sim_destroy(sim);
    file_sim_remove_tree(other);
    free(tree);
}

static void a_failing_disk_ends_the_witness(void **state)
{
    struct tree *tree = grow_tree(200);
    struct file_sim *sim;
    char dir[FILE_PATH_MAX];
    assert_ok(file_join(dir, root, "witness"));
    enum err err = ERR_IO;
    for (uint64_t nth = 1; err; nth++) {
        assert_ok(file_sim_create(root, &sim));
        file_sim_fail(sim, nth, EIO);
        err = live(dir, sim, tree, 3);
        assert_true(err == ERR_OK || err == ERR_IO);
        file_sim_destroy(sim);
        assert_true(nth < 100);
    }
    free(tree);
}

static void failing_memory_is_no_verdict(void **state)
{
    struct tree *tree = grow_tree(20);
    struct witness_store *store = NULL;
    struct witness_answer answer;
    struct buf out, body;
    buf_init(&out, 4000);
    buf_init(&body, WITNESS_BODY_MAX);
    assert_ok(open_store(root, file_sim_unsynced_ops(), NULL, &store));
    ask(tree, 0, 10, &body);
    enum err err = ERR_NO_MEMORY;
    int n_failed = 0;
    for (uint64_t n = 1; err; n++, n_failed++) {
        buf_finish(&out);
        buf_init(&out, 4000);
        mem_fail_nth(n);
        err = witness_store_add_checkpoint(store, buf_str(&body), 1, &out, &answer);
        mem_fail_nth(0);
        assert_true(err == ERR_OK || err == ERR_NO_MEMORY);
        assert_int_equal(witness_store_log(store, 0)->size, err ? 0 : 10);
    }
    assert_true(n_failed > 5);
    witness_store_close(store);
    buf_finish(&out);
    buf_finish(&body);
    free(tree);
}

/* ---- the law ---- */

#define LAW_WITNESSES 10
#define LAW_LEAVES 24
#define LAW_STEPS 60

static uint64_t dice_state;
static uint64_t dice(uint64_t n) /* xorshift64*; 0 to n - 1 */
{
    dice_state ^= dice_state >> 12;
    dice_state ^= dice_state << 25;
    dice_state ^= dice_state >> 27;
    return (dice_state * 0x2545f4914f6cdd1dull >> 33) % n;
}

struct law {
    size_t n, f, k;  /* witnesses; the first f lie; so many make a quorum */
    uint64_t common; /* leaves that both histories share */
    struct tree *histories[2];
    struct witness_log logs[LAW_WITNESSES];
    uint32_t cosigned[2][LAW_LEAVES + 1]; /* of each history and size: by whom */
    uint64_t n_answers[6];
};

/* The log asks witness `w` for history `h` up to `size`, as cleverly as it can: with the old size that the witness knows, and a proof from
 * either history, or with noise. */
static void ask_witness(struct law *law, size_t w, size_t h, uint64_t size, struct buf *body)
{
    struct witness_log *log = &law->logs[w];
    struct witness_verdict verdict;
    struct witness_request request = {.old_size = dice(8) ? log->size : dice(LAW_LEAVES)};
    struct tree *prover = law->histories[dice(4) ? h : 1 - h];
    struct buf note;
    if (w < law->f) { /* a liar signs whatever it is given */
        law->cosigned[h][size] |= 1u << w;
        return;
    }
    buf_init(&note, 4000);
    sign(law->histories[h], size, &note);
    request.note = buf_str(&note);
    if (request.old_size <= size)
        assert_ok(merkle_prove_consistency(&prover->source, request.old_size, size, &request.proof));
    if (request.proof.n > 0 && !dice(16))
        request.proof.hashes[dice(request.proof.n)].bytes[dice(32)] ^= 1;
    buf_reset(body);
    witness_request_write(&request, body);
    assert_ok(witness_step(log, 1, buf_str(body), &verdict));
    if (verdict.status == WITNESS_COSIGN) {
        /* a rollback of what one witness has sworn to never happens */
        assert_true(verdict.checkpoint.size >= log->size);
        log->size = verdict.checkpoint.size;
        log->root = verdict.checkpoint.root;
        law->cosigned[h][size] |= 1u << w;
    }
    buf_finish(&note);
}

/* One life of a lying log. Returns whether two checkpoints of different histories became quorums. */
static bool fork_quorum(struct law *law, uint64_t seed)
{
    struct buf body;
    bool is_quorum[2] = {false, false};
    dice_state = seed * 0x9e3779b97f4a7c15ull + 1;
    buf_init(&body, WITNESS_BODY_MAX);
    law->common = dice(LAW_LEAVES - 4);
    memset(law->cosigned, 0, sizeof law->cosigned);
    for (size_t h = 0; h < 2; h++) {
        tree_init(law->histories[h]);
        for (uint64_t i = 0; i < LAW_LEAVES; i++)
            tree_add(law->histories[h], i < law->common ? i : i + 1000 * (h + 1));
    }
    for (size_t w = 0; w < law->n; w++)
        law->logs[w] = known_log(law->histories[0], 0);
    for (int step = 0; step < LAW_STEPS; step++) { /* mostly each half of the witnesses is shown a history of its own */
        size_t w = dice(law->n);
        ask_witness(law, w, dice(8) ? w % 2 : dice(2), 1 + dice(LAW_LEAVES), &body);
    }
    /* and at the end it tries to get as many as it can for its longest histories */
    for (size_t w = 0; w < law->n; w++)
        ask_witness(law, w, w % 2, LAW_LEAVES, &body);
    for (size_t h = 0; h < 2; h++)
        for (uint64_t size = law->common + 1; size <= LAW_LEAVES; size++)
            is_quorum[h] |= (size_t)__builtin_popcount(law->cosigned[h][size]) >= law->k;
    buf_finish(&body);
    return is_quorum[0] && is_quorum[1];
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    uint64_t number;
    const char *text = getenv(name);
    return text && str_to_u64(str_from_c(text), &number) == ERR_OK ? number : otherwise;
}

static void no_quorum_for_two_histories(void **state)
{
    static const size_t sizes[] = {4, 5, 7, 10};
    uint64_t first = number_of("LEDGER_SEED", (uint64_t)time(NULL)), n_seeds = number_of("LEDGER_SEEDS", 400), n_weak = 0;
    struct law law = {.histories = {grow_tree(0), grow_tree(0)}};
    printf("LEDGER_SEED=%" PRIu64 " LEDGER_SEEDS=%" PRIu64 "\n", first, n_seeds);
    for (uint64_t seed = first; seed < first + n_seeds; seed++) {
        law.n = sizes[seed % 4];
        law.f = (law.n - 1) / 3;
        law.k = (law.n + law.f) / 2 + 1; /* evidence: k > (n + f) / 2 */
        if (fork_quorum(&law, seed))
            fail_msg("seed %" PRIu64 ": two histories with a quorum of %zu of %zu, %zu of them liars", seed, law.k, law.n, law.f);
        if (seed % 4) /* the same attack on a policy that is too weak: were it never to succeed, the test above would prove nothing */
            continue;
        law.f = 2;
        law.k = (law.n + 1) / 2;
        n_weak += fork_quorum(&law, seed);
    }
    printf("%" PRIu64 " seeds, no fork with a quorum; a weaker policy was beaten %" PRIu64 " times of %" PRIu64 "\n", n_seeds, n_weak,
        n_seeds / 4);
    assert_true(n_weak >= n_seeds / 16); /* it is more than luck */
    free(law.histories[0]);
    free(law.histories[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_requests_are_cosigned),
        cmocka_unit_test(each_fault_has_its_answer),
        cmocka_unit_test(a_proof_has_at_most_63_hashes),
        cmocka_unit_test_setup_teardown(answers_and_remembers, setup, finish),
        cmocka_unit_test_setup_teardown(a_fork_leaves_its_proof, setup, finish),
        cmocka_unit_test_setup_teardown(a_changed_memory_is_refused, setup, finish),
        cmocka_unit_test_setup_teardown(nothing_told_is_forgotten_in_a_crash, setup, finish),
        cmocka_unit_test_setup_teardown(a_failing_disk_ends_the_witness, setup, finish),
        cmocka_unit_test_setup_teardown(failing_memory_is_no_verdict, setup, finish),
        cmocka_unit_test(no_quorum_for_two_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
