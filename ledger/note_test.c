/*
 * Tests of signed notes, checkpoints and proofs as text: the specifications' examples, and each way in which text can be wrong.
 */
#include "base/mem.h"
#include "base/test.h"
#include "ledger/ledger_testing.h"
#include "ledger/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The example in the documentation of golang.org/x/mod/sumdb/note. */
#define PETER_VKEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define PETER_TEXT "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
#define PETER_LINE                                                                                                                         \
    "\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
#define PETER_NOTE PETER_TEXT "\n" PETER_LINE
#define OTHER_LINE "\xe2\x80\x94 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"

static struct note_verifier peter(void)
{
    struct note_verifier verifier;
    assert_ok(note_verifier_parse(STR(PETER_VKEY), &verifier, NULL));
    return verifier;
}

static void the_published_note_is_accepted(void **state)
{
    struct note_verifier verifier = peter();
    struct str text;
    assert_int_equal(verifier.id, 0xc74f20a3);
    assert_ok(note_open(STR(PETER_NOTE), &verifier, &text, NULL));
    assert_str(text, PETER_TEXT);
    assert_ok(note_open(STR(PETER_NOTE OTHER_LINE), &verifier, &text, NULL));
    assert_ok(note_open(STR(PETER_TEXT "\n" OTHER_LINE PETER_LINE), &verifier, &text, NULL));
    struct buf vkey;
    buf_init(&vkey, 200);
    assert_ok(note_vkey_write(verifier.name, verifier.key, &vkey));
    assert_str(buf_str(&vkey), PETER_VKEY);
    buf_finish(&vkey);
}

static void verifier_keys_are_read_strictly(void **state)
{
    static const struct {
        const char *vkey;
        enum err err;
        const char *cause;
    } rows[] = {
        {"", ERR_SYNTAX, "NAME+ID+KEY"},
        {"PeterNeumann+c74f20a3", ERR_SYNTAX, "NAME+ID+KEY"},
        {"+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", ERR_SYNTAX, "empty or holds a space"},
        {"Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", ERR_SYNTAX, "empty or holds a space"},
        {"PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", ERR_SYNTAX, "8 hexadecimal digits"},
        {"PeterNeumann+c74f20ag+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", ERR_SYNTAX, "8 hexadecimal digits"},
        {"PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", ERR_CRYPTO, "not that of its name and key"},
        {"OtherNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", ERR_CRYPTO, "not that of its name and key"},
        {"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T", ERR_SYNTAX, "not Base64"},
        {"PeterNeumann+c74f20a3+", ERR_UNSUPPORTED, "not of type 1"},
        {"PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", ERR_UNSUPPORTED, "not of type 1"},
        {"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy", ERR_SYNTAX, "has 32 bytes; this one has 29"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct note_verifier verifier;
        struct diag diag = {""};
        assert_err(note_verifier_parse(str_from_c(rows[i].vkey), &verifier, &diag), rows[i].err);
        if (!strstr(diag.text, rows[i].cause))
            fail_msg("row %zu: \"%s\"", i, diag.text);
    }
}

static void names_hold_no_space_of_unicode(void **state)
{
    static const char *const good[] = {"hangzhou.log", "\xe6\x9d\xad\xe5\xb7\x9e", "a/b", "\xf0\x9f\x9a\x97"};
    static const char *const bad[] = {"", "a+b", "a b", "a\tb", "a\xc2\xa0", "\xc2\x85", "a\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x8a",
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80", "\xff", "a\xe6\x9d"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(note_is_key_name(str_from_c(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(note_is_key_name(str_from_c(bad[i])));
    struct buf out;
    uint8_t key[32] = {0};
    buf_init(&out, 1000);
    assert_err(note_vkey_write(STR("a b"), key, &out), ERR_RANGE);
    assert_err(note_sign(STR("text\n"), STR("a b"), testing_key(), &out), ERR_RANGE);
    assert_err(note_sign(STR("text"), STR("a"), testing_key(), &out), ERR_RANGE);
    buf_finish(&out);
}

static void notes_are_read_strictly(void **state)
{
    static const struct {
        const char *note;
        enum err err;
        const char *cause;
    } rows[] = {
        {"", ERR_SYNTAX, "no signed note"},
        {"\n", ERR_SYNTAX, "no signed note"},
        {PETER_TEXT, ERR_SYNTAX, "no signed note"},
        {PETER_TEXT "\n", ERR_SYNTAX, "no signed note"},
        {PETER_TEXT PETER_LINE, ERR_SYNTAX, "no signed note"},
        {PETER_TEXT "\r\n" PETER_LINE, ERR_SYNTAX, "no signed note"},
        {PETER_TEXT "\n- PeterNeumann AAAAAAA=\n", ERR_SYNTAX, "line 1 of the note is malformed"},
        {PETER_TEXT "\n\xe2\x80\x94 PeterNeumann\n", ERR_SYNTAX, "line 1"},
        {PETER_TEXT "\n\xe2\x80\x94 a+b AAAAAAA=\n", ERR_SYNTAX, "line 1"},
        {PETER_TEXT "\n\xe2\x80\x94 a !\n", ERR_SYNTAX, "line 1"},
        {PETER_TEXT "\n\xe2\x80\x94 a AAAA\n", ERR_SYNTAX, "line 1"},
        {PETER_TEXT "\n" PETER_LINE "more\n", ERR_SYNTAX, "line 2"},
        {PETER_TEXT "\n" OTHER_LINE, ERR_CRYPTO, "no signature is of the key \"PeterNeumann\" (c74f20a3)"},
        {PETER_TEXT "\n\xe2\x80\x94 PeterNeumann x08go/ZJ\n", ERR_CRYPTO, "is wrong"},
        {"A" PETER_NOTE, ERR_CRYPTO, "is wrong"},
        {PETER_TEXT "\n" PETER_NOTE, ERR_CRYPTO, "is wrong"},
    };
    struct note_verifier verifier = peter();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag diag = {""};
        struct str text;
        enum err err = note_open(str_from_c(rows[i].note), &verifier, &text, &diag);
        if (err != rows[i].err || !strstr(diag.text, rows[i].cause))
            fail_msg("row %zu: %s: \"%s\"", i, err_text(err), diag.text);
    }
}

static void notes_have_limits(void **state)
{
    struct note_verifier verifier = peter();
    struct buf note;
    struct str text;
    buf_init(&note, 4 << 20);
    buf_append_c(&note, PETER_TEXT "\n");
    for (int i = 0; i < NOTE_SIGNATURES_MAX - 1; i++)
        buf_append_c(&note, OTHER_LINE);
    buf_append_c(&note, PETER_LINE);
    assert_ok(note_open(buf_str(&note), &verifier, &text, NULL));
    buf_append_c(&note, OTHER_LINE);
    assert_err(note_open(buf_str(&note), &verifier, &text, NULL), ERR_SYNTAX);
    while (note.len <= NOTE_MAX)
        buf_append_c(&note, OTHER_LINE);
    assert_err(note_open(buf_str(&note), &verifier, &text, NULL), ERR_SYNTAX);
    buf_finish(&note);
}

static void checkpoints_are_read_strictly(void **state)
{
#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    static const struct {
        const char *text;
        const char *cause; /* NULL: good */
    } rows[] = {
        {"example.com/behind-the-sofa\n20852163\n" ROOT "\n", NULL}, /* the specification's example */
        {"a\n0\n" ROOT "\n", NULL},
        {"a\n18446744073709551615\n" ROOT "\nextension\nmore\n", NULL},
        {"", "three lines"},
        {"a\n1\n" ROOT, "three lines"},
        {"\n1\n" ROOT "\n", "origin, is empty"},
        {"a\n01\n" ROOT "\n", "not a tree size"},
        {"a\n\n" ROOT "\n", "not a tree size"},
        {"a\n-1\n" ROOT "\n", "not a tree size"},
        {"a\n18446744073709551616\n" ROOT "\n", "not a tree size"},
        {"a\n1\nCsUY\n", "not a root hash"},
        {"a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2IA\n", "not a root hash"},
        {"a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", "not a root hash"},
        {"a\n1\n" ROOT "\n\n", "extension line"},
        {"a\n1\n" ROOT "\nno end", "does not end with a newline"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct checkpoint checkpoint;
        struct diag diag = {""};
        enum err err = checkpoint_parse(str_from_c(rows[i].text), &checkpoint, &diag);
        if (rows[i].cause ? err != ERR_SYNTAX || !strstr(diag.text, rows[i].cause) : err != ERR_OK)
            fail_msg("row %zu: %s: \"%s\"", i, err_text(err), diag.text);
    }
    struct checkpoint checkpoint;
    struct buf text;
    buf_init(&text, 200);
    assert_ok(checkpoint_parse(str_from_c(rows[0].text), &checkpoint, NULL));
    assert_int_equal(checkpoint.size, 20852163);
    checkpoint_write(&checkpoint, &text);
    assert_str(buf_str(&text), rows[0].text);
    buf_finish(&text);
}

static void proofs_are_read_strictly(void **state)
{
#define MAGIC "c2sp.org/tlog-proof@v1\n"
    static const struct {
        const char *text;
        const char *cause; /* NULL: good */
    } rows[] = {
        {MAGIC "index 0\n\n", NULL},
        {MAGIC "index 73894\n" ROOT "\n" ROOT "\n\nexample.com/fancylog\n", NULL},
        {MAGIC "extra YWdl\nindex 7\n" ROOT "\n\nrest", NULL},
        {"", "first line"},
        {"c2sp.org/tlog-proof@v2\nindex 0\n\n", "first line"},
        {"c2sp.org/tlog-proof@v1", "first line"},
        {MAGIC, "no line \"index N\""},
        {MAGIC "extra YWdl\n", "no line \"index N\""},
        {MAGIC "extra YWdl\nextra YWdl\nindex 0\n\n", "no line \"index N\""},
        {MAGIC "index \n\n", "no line \"index N\""},
        {MAGIC "index 00\n\n", "no line \"index N\""},
        {MAGIC "index 1x\n\n", "no line \"index N\""},
        {MAGIC "index 1\n", "ends before its checkpoint"},
        {MAGIC "index 1\n" ROOT, "ends before its checkpoint"},
        {MAGIC "index 1\n" ROOT "\nAAAA\n\n", "hash 2 of the proof"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct proof proof;
        struct diag diag = {""};
        enum err err = proof_parse(str_from_c(rows[i].text), &proof, &diag);
        if (rows[i].cause ? err != ERR_SYNTAX || !strstr(diag.text, rows[i].cause) : err != ERR_OK)
            fail_msg("row %zu: %s: \"%s\"", i, err_text(err), diag.text);
    }
    struct proof proof;
    struct buf text;
    buf_init(&text, 2 * NOTE_MAX);
    assert_ok(proof_parse(str_from_c(rows[1].text), &proof, NULL));
    assert_int_equal(proof.index, 73894);
    assert_int_equal(proof.inclusion.n, 2);
    proof_write(&proof, &text);
    assert_str(buf_str(&text), rows[1].text);
    buf_reset(&text);
    buf_append_c(&text, MAGIC "index 1\n");
    for (int i = 0; i < MERKLE_PROOF_MAX; i++)
        buf_append_c(&text, ROOT "\n");
    buf_append_c(&text, "\n");
    assert_ok(proof_parse(buf_str(&text), &proof, NULL));
    text.len--;
    buf_append_c(&text, ROOT "\n\n");
    assert_err(proof_parse(buf_str(&text), &proof, NULL), ERR_SYNTAX);
    while (text.len <= NOTE_MAX)
        buf_append_c(&text, ROOT "\n");
    assert_err(proof_parse(buf_str(&text), &proof, NULL), ERR_SYNTAX);
    buf_finish(&text);
}

static void a_key_of_another_log_does_not_vouch(void **state)
{
    uint8_t public_key[32];
    uint64_t index;
    struct buf text, note, vkey;
    struct diag diag = {""};
    buf_init(&text, 1000);
    buf_init(&note, 2000);
    buf_init(&vkey, 200);
    crypto_key_public(testing_key(), public_key);
    assert_ok(ledger_vkey(STR("puer.log"), public_key, &vkey));
    struct checkpoint checkpoint = {.origin = STR(TESTING_ORIGIN), .size = 1, .root = merkle_leaf_hash(STR("leaf"))};
    checkpoint_write(&checkpoint, &text); /* Hangzhou's checkpoint, signed by Pu'er under its own name */
    buf_append_c(&note, MAGIC "index 0\n\n");
    assert_ok(note_sign(buf_str(&text), STR("puer.log"), testing_key(), &note));
    assert_err(ledger_verify(STR("leaf"), buf_str(&note), buf_str(&vkey), &index, &diag), ERR_CRYPTO);
    assert_non_null(strstr(diag.text, "the checkpoint is of log \"hangzhou.log\", the key of \"puer.log\""));
    buf_finish(&text);
    buf_finish(&note);
    buf_finish(&vkey);
}

/* Each allocation of a verification fails once: the answer is never "proven", nor "refused", and nothing leaks. */
static void failing_memory_is_no_verdict(void **state)
{
    uint8_t public_key[32];
    struct buf text, proof, vkey;
    buf_init(&text, 1000);
    buf_init(&proof, 2000);
    buf_init(&vkey, 200);
    crypto_key_public(testing_key(), public_key);
    assert_ok(ledger_vkey(STR(TESTING_ORIGIN), public_key, &vkey));
    struct sha256 leaf = merkle_leaf_hash(STR("leaf")), other = merkle_leaf_hash(STR("other"));
    struct checkpoint checkpoint = {.origin = STR(TESTING_ORIGIN), .size = 2, .root = merkle_node_hash(&leaf, &other)};
    struct proof first = {.index = 0, .inclusion = {.n = 1, .hashes = {other}}};
    checkpoint_write(&checkpoint, &text);
    proof_write(&first, &proof);
    assert_ok(note_sign(buf_str(&text), STR(TESTING_ORIGIN), testing_key(), &proof));
    uint64_t n_failed = 0;
    for (uint64_t nth = 1;; nth++) {
        uint64_t index = 7;
        int64_t n_live = mem_n_live();
        mem_fail_nth(nth);
        enum err err = ledger_verify(STR("leaf"), buf_str(&proof), buf_str(&vkey), &index, NULL);
        mem_fail_nth(0);
        assert_int_equal(mem_n_live(), n_live);
        assert_int_equal(index, err ? 7 : 0);
        if (!err)
            break;
        assert_err(err, ERR_NO_MEMORY);
        n_failed++;
    }
    assert_true(n_failed >= 5);
    struct buf note;
    buf_init(&note, 2000);
    mem_fail_nth(1);
    assert_err(note_sign(buf_str(&text), STR(TESTING_ORIGIN), testing_key(), &note), ERR_NO_MEMORY);
    mem_fail_nth(1);
    assert_err(note_vkey_write(STR(TESTING_ORIGIN), public_key, &note), ERR_NO_MEMORY);
    mem_fail_nth(0);
    buf_finish(&note);
    buf_finish(&text);
    buf_finish(&proof);
    buf_finish(&vkey);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_note_is_accepted),
        cmocka_unit_test(verifier_keys_are_read_strictly),
        cmocka_unit_test(names_hold_no_space_of_unicode),
        cmocka_unit_test(notes_are_read_strictly),
        cmocka_unit_test(notes_have_limits),
        cmocka_unit_test(checkpoints_are_read_strictly),
        cmocka_unit_test(proofs_are_read_strictly),
        cmocka_unit_test(a_key_of_another_log_does_not_vouch),
        cmocka_unit_test(failing_memory_is_no_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
