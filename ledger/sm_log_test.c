/*
 * Tests of the parallel log: the tree against the definition with SM3, the two logs over each other's checkpoints, starts without it,
 * damage, and crashes after any operation on files. What it says is held against another's SM2 and SM3 in tests/ledger_verify_sm.
 */
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/test.h"
#include "ledger/ledger_testing.h"
#include "ledger/proof.h"
#include "ledger/sm_log.h"
#include "ledger/verify.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SM_ORIGIN "hangzhou.log.sm"

static char root[FILE_PATH_MAX];
static struct sign_key *sm_key;

static int setup(void **state)
{
    log_set_level((enum log_level)0);
    file_sim_make_root(root);
    assert_ok(sign_key_read(STR("citybrain-key:sm2:128b2fa8bd433c6c068c8d803dff79792a519a55171b1b650c23661d15897263"), &sm_key));
    return 0;
}

static int finish(void **state)
{
    sign_key_destroy(sm_key);
    file_sim_remove_tree(root);
    return 0;
}

static enum err open_with(
    const char *dir, struct file_ops *files, const struct sign_key *key, struct diag *diag, struct ledger **ret_ledger)
{
    struct ledger_options options = {.dir = dir,
        .origin = STR(TESTING_ORIGIN),
        .key = testing_key(),
        .clock = clock_system(),
        .sm_origin = STR(SM_ORIGIN),
        .sm_key = key,
        .files = files,
        .checkpoint_ms = 1000000};
    return ledger_open(&options, diag, ret_ledger);
}

static struct sha256 slow_root(const struct sha256 *hashes, uint64_t n)
{
    if (n == 1)
        return hashes[0];
    uint64_t k = 1;
    while (k * 2 < n)
        k *= 2;
    struct sha256 left = slow_root(hashes, k), right = slow_root(hashes + k, n - k);
    char bytes[64];
    memcpy(bytes, left.bytes, 32);
    memcpy(bytes + 32, right.bytes, 32);
    return crypto_sm3_2(STR("\x01"), (struct str){bytes, sizeof bytes});
}

/* The published checkpoint of the parallel log: signed, and its root that of the ledger's leaves by the definition. Gives its size. */
static uint64_t check(struct ledger *ledger)
{
    struct sm_log *log = ledger_sm_log(ledger);
    struct note_verifier verifier;
    struct checkpoint checkpoint;
    struct buf note, vkey, leaf;
    struct str text;
    char path[FILE_PATH_MAX];
    buf_init(&note, NOTE_MAX);
    buf_init(&vkey, 1000);
    buf_init(&leaf, LEDGER_LEAF_MAX);
    assert_ok(file_join(path, sm_log_static_dir(log), "checkpoint"));
    enum err err = file_read(path, &note);
    if (err == ERR_NOT_FOUND)
        return 0;
    assert_ok(err);
    assert_ok(sm_log_vkey(log, &vkey));
    assert_ok(note_verifier_parse(buf_str(&vkey), &verifier, NULL));
    assert_int_equal(verifier.type, NOTE_SM2);
    assert_ok(note_open(buf_str(&note), &verifier, &text, NULL));
    assert_ok(checkpoint_parse(text, &checkpoint, NULL));
    assert_str(checkpoint.origin, SM_ORIGIN);
    struct sha256 *hashes = calloc(checkpoint.size, sizeof *hashes);
    for (uint64_t i = 0; i < checkpoint.size; i++) {
        buf_reset(&leaf);
        assert_ok(ledger_leaf(ledger, i, &leaf));
        hashes[i] = crypto_sm3_2((struct str){"\x00", 1}, buf_str(&leaf));
    }
    struct sha256 wanted = slow_root(hashes, checkpoint.size);
    assert_memory_equal(&wanted, &checkpoint.root, sizeof wanted);
    free(hashes);
    buf_finish(&note);
    buf_finish(&vkey);
    buf_finish(&leaf);
    return checkpoint.size;
}

struct one {
    struct ledger_append append;
    char text[512];
    _Atomic bool is_done;
};

static void note_done(struct ledger_append *append)
{
    container_of(append, struct one, append)->is_done = true;
}

/* One after the other; anchors come in between, so a leaf is not that of its place. */
static enum err try_append(struct ledger *ledger, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct one one = {.is_done = false};
        one.append = (struct ledger_append){.leaf = testing_leaf(i, one.text), .done = note_done};
        enum err err = ledger_append(ledger, &one.append);
        while (!err && !one.is_done)
            usleep(20);
        err = err ? err : one.append.err;
        if (err)
            return err;
    }
    return ERR_OK;
}

static void append(struct ledger *ledger, size_t n)
{
    assert_ok(try_append(ledger, n));
}

static void settle(struct ledger *ledger) /* anchors that were appended are durable */
{
    uint64_t n = ledger_n_durable(ledger);
    for (int quiet = 0; quiet < 20; quiet++) {
        usleep(2000);
        if (ledger_n_durable(ledger) != n) {
            n = ledger_n_durable(ledger);
            quiet = 0;
        }
    }
}

static void the_tree_is_sm3s_at_every_size(void **state)
{
    static const size_t steps[] = {1, 1, 1, 4, 200, 46, 1, 1, 250, 300};
    struct ledger *ledger;
    assert_ok(open_with(root, file_sim_unsynced_ops(), sm_key, NULL, &ledger));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        append(ledger, steps[i]);
        assert_ok(ledger_publish(ledger));
        settle(ledger);
        assert_ok(ledger_publish(ledger));
        assert_int_equal(check(ledger), ledger_n_published(ledger));
    }
    ledger_close(ledger);
}

/* Each publication puts both checkpoints into both logs, and an idle ledger does not grow. */
static void each_log_takes_the_others_checkpoint(void **state)
{
    struct ledger *ledger;
    struct buf leaf;
    int n_of_log = 0, n_of_sm = 0;
    buf_init(&leaf, LEDGER_LEAF_MAX);
    assert_ok(
        open_with(root, file_sim_unsynced_ops(), NULL, NULL, &ledger)); /* the first is published at once; so that the counts are even */
    append(ledger, 1);
    ledger_close(ledger);
    assert_ok(open_with(root, file_sim_unsynced_ops(), sm_key, NULL, &ledger));
    append(ledger, 1);
    assert_ok(ledger_publish(ledger));
    settle(ledger);
    assert_int_equal(ledger_n_durable(ledger), 4);
    for (int i = 0; i < 5; i++) {
        append(ledger, 3);
        assert_ok(ledger_publish(ledger));
        settle(ledger);
    }
    assert_int_equal(ledger_n_durable(ledger), 4 + 5 * (3 + 2));
    for (int i = 0; i < 5; i++) {
        assert_ok(ledger_publish(ledger));
        settle(ledger);
    }
    assert_int_equal(ledger_n_durable(ledger), 4 + 5 * (3 + 2));
    for (uint64_t i = 0; i < 29; i++) {
        struct str type, origin, note, text;
        struct checkpoint checkpoint;
        json_t *json;
        buf_reset(&leaf);
        assert_ok(ledger_leaf(ledger, i, &leaf));
        assert_ok(json_read(buf_str(&leaf), NULL, &json));
        assert_ok(json_get_str(json, "type", &type));
        if (str_equal_c(type, "checkpoint")) {
            assert_ok(json_get_str(json, "log", &origin));
            assert_ok(json_get_str(json, "note", &note));
            assert_ok(note_text(note, &text, NULL));
            assert_ok(checkpoint_parse(text, &checkpoint, NULL));
            assert_true(str_equal(checkpoint.origin, origin));
            assert_true(checkpoint.size <= i);
            n_of_log += str_equal_c(origin, TESTING_ORIGIN);
            n_of_sm += str_equal_c(origin, SM_ORIGIN);
        }
        json_decref(json);
    }
    assert_int_equal(n_of_log, 6);
    assert_int_equal(n_of_sm, 6);
    buf_finish(&leaf);
    ledger_close(ledger);
}

static void receipts_hold_in_both(void **state)
{
    struct ledger *ledger;
    struct buf receipt;
    struct verify_report report;
    uint8_t public_key[32];
    buf_init(&receipt, VERIFY_FILE_MAX);
    assert_ok(open_with(root, file_sim_unsynced_ops(), sm_key, NULL, &ledger));
    append(ledger, 300);
    assert_ok(ledger_publish(ledger));
    crypto_key_public(testing_key(), public_key);
    for (uint64_t i = 0; i < 300; i += 23) {
        buf_reset(&receipt);
        assert_ok(verify_write_sm_receipt(ledger, i, &receipt));
        verify_receipt(buf_str(&receipt), "r", STR_NONE, NULL, &report);
        assert_int_equal(report.result, VERIFY_PROVEN);
        char name[64];
        snprintf(name, sizeof name, SM_ORIGIN "/%" PRIu64, i);
        assert_string_equal(report.receipt, name);
        char *at = memmem(receipt.ptr, receipt.len, "type", 4); /* another leaf; an anchor has a type, too */
        *at ^= 1;
        verify_receipt(buf_str(&receipt), "r", STR_NONE, NULL, &report);
        assert_int_equal(report.result, VERIFY_REFUSED);
        buf_reset(&receipt);
        assert_ok(verify_write_receipt(ledger, i, public_key, &receipt));
        verify_receipt(buf_str(&receipt), "r", STR_NONE, NULL, &report);
        assert_int_equal(report.result, VERIFY_PROVEN);
    }
    assert_err(verify_write_sm_receipt(ledger, 999999, &receipt), ERR_NOT_FOUND);
    ledger_close(ledger);
    buf_finish(&receipt);
}

/* A city that had none gets one: it begins with what there is; and it may be away for a while. */
static void it_can_begin_later(void **state)
{
    struct ledger *ledger;
    assert_ok(open_with(root, file_sim_unsynced_ops(), NULL, NULL, &ledger));
    append(ledger, 700);
    assert_null(ledger_sm_log(ledger));
    ledger_close(ledger);
    assert_ok(open_with(root, file_sim_unsynced_ops(), sm_key, NULL, &ledger));
    assert_int_equal(check(ledger), 700);
    append(ledger, 10);
    ledger_close(ledger);
    assert_ok(open_with(root, file_sim_unsynced_ops(), NULL, NULL, &ledger));
    append(ledger, 300);
    ledger_close(ledger);
    assert_ok(open_with(root, file_sim_unsynced_ops(), sm_key, NULL, &ledger));
    assert_int_equal(check(ledger), ledger_n_published(ledger));
    append(ledger, 1);
    assert_ok(ledger_publish(ledger));
    assert_true(check(ledger) >= 1011);
    ledger_close(ledger);
}

static void another_key_is_refused(void **state)
{
    struct ledger *ledger;
    struct sign_key *other;
    struct diag diag = {""};
    assert_ok(sign_key_make(SIGN_SM2, &other));
    assert_ok(open_with(root, file_sim_unsynced_ops(), sm_key, NULL, &ledger));
    append(ledger, 10);
    ledger_close(ledger);
    assert_err(open_with(root, file_sim_unsynced_ops(), other, &diag, &ledger), ERR_CORRUPT);
    assert_non_null(strstr(diag.text, "log-sm3/checkpoint"));
    sign_key_destroy(other);
}

static enum err live(const char *dir, struct file_sim *sim)
{
    struct ledger *ledger;
    enum err err = open_with(dir, file_sim_ops(sim), sm_key, NULL, &ledger);
    if (err)
        return err;
    for (int i = 0; i < 6 && !err; i++) {
        err = try_append(ledger, 1);
        if (!err)
            err = ledger_publish(ledger);
        settle(ledger);
    }
    ledger_close(ledger);
    return err;
}

/* After a kill or a power cut at any operation both logs open, are of the same leaves, and go on. */
static void crashes_leave_both_whole(void **state)
{
    struct file_sim *sim;
    struct file_sim_replay *replay;
    char dir[FILE_PATH_MAX], other[FILE_PATH_MAX], other_dir[FILE_PATH_MAX];
    uint64_t mark, n_crashes = 0;
    file_sim_make_root(other);
    assert_ok(file_join(dir, root, "ledger"));
    assert_ok(file_join(other_dir, other, "ledger"));
    assert_ok(file_sim_create(root, &sim));
    assert_ok(live(dir, sim));
    assert_ok(file_sim_replay_create(sim, &replay));
    while (file_sim_replay_step(replay, &mark))
        for (int crash = 0; crash < 2; crash++, n_crashes++) {
            struct ledger *ledger;
            struct diag diag = {""};
            assert_ok(file_sim_replay_crash(replay, crash ? FILE_SIM_POWER : FILE_SIM_KILL, n_crashes, other));
            if (open_with(other_dir, file_sim_unsynced_ops(), sm_key, &diag, &ledger))
                fail_msg("crash %" PRIu64 ": %s", n_crashes, diag.text);
            assert_ok(ledger_publish(ledger));
            uint64_t published = ledger_n_published(ledger), size = check(ledger);
            if (size < published)
                fail_msg("crash %" PRIu64 ": %" PRIu64 " of %" PRIu64, n_crashes, size, published);
            ledger_close(ledger);
        }
    assert_true(n_crashes > 300);
    file_sim_replay_destroy(replay);
    file_sim_destroy(sim);
    file_sim_remove_tree(other);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_tree_is_sm3s_at_every_size),
        TEST(each_log_takes_the_others_checkpoint),
        TEST(receipts_hold_in_both),
        TEST(it_can_begin_later),
        TEST(another_key_is_refused),
        TEST(crashes_leave_both_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
