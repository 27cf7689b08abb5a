/*
 * Tests of the policy: the specification's example, each way in which a file can be wrong, who makes a quorum, and the checking of notes.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "base/test.h"
#include "ledger/ledger_testing.h"
#include "ledger/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_KEYS 6
static char vkeys[N_KEYS][200], log_vkey[200];
static struct crypto_key *keys[N_KEYS];

static int make_keys(void **state)
{
    testing_vkey(log_vkey);
    for (size_t i = 0; i < N_KEYS; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)}, public_key[32];
        char name[32];
        struct buf vkey;
        buf_init(&vkey, 199);
        snprintf(name, sizeof name, "witness-%zu", i);
        assert_ok(crypto_key_from_seed(seed, &keys[i]));
        crypto_key_public(keys[i], public_key);
        assert_ok(note_witness_vkey_write(str_from_c(name), public_key, &vkey));
        assert_ok(str_to_c(buf_str(&vkey), vkeys[i], sizeof vkeys[i]));
        buf_finish(&vkey);
    }
    return 0;
}

static int drop_keys(void **state)
{
    for (size_t i = 0; i < N_KEYS; i++)
        crypto_key_destroy(keys[i]);
    return 0;
}

/* "%0" to "%5" become the witnesses' keys, "%L" the log's. */
static void expand(const char *text, struct buf *out)
{
    for (const char *c = text; *c; c++) {
        if (*c != '%')
            buf_append_byte(out, *c);
        else if (*++c == 'L')
            buf_append_c(out, log_vkey);
        else
            buf_append_c(out, vkeys[*c - '0']);
    }
    assert_ok(out->err);
}

static enum err parse(const char *text, struct diag *diag, struct policy **ret_policy)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    expand(text, &out);
    enum err err = policy_parse(buf_str(&out), "policy", diag, ret_policy);
    buf_finish(&out);
    return err;
}

#define EXAMPLE                                                                                                                            \
    "log %L\n\nwitness X1 %0\nwitness X2 %1\nwitness X3 %2\ngroup X-witnesses 2 X1 X2 X3\n\nwitness Y1 %3 http://127.0.0.1:81/a/\n"        \
    "witness Y2 %4\n \t# a remark\nwitness\tY3\t%5 \ngroup Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\n"        \
    "quorum X-and-Y\n"

static void the_specifications_example_is_read(void **state)
{
    struct policy *policy;
    struct diag diag = {""};
    if (parse(EXAMPLE, &diag, &policy))
        fail_msg("%s", diag.text);
    assert_int_equal(policy_n_witnesses(policy), 6);
    assert_str(policy_witness(policy, 3)->url, "http://127.0.0.1:81/a");
    assert_str(policy_witness(policy, 5)->name, "Y3");
    assert_true(policy_has_logs(policy));
    assert_non_null(policy_log(policy, STR(TESTING_ORIGIN)));
    assert_null(policy_log(policy, STR("other.log")));
    for (uint32_t set = 0; set < 64; set++) {
        bool is_met = __builtin_popcount(set & 7) >= 2 && (set >> 3) != 0;
        assert_int_equal(policy_is_met(policy, set), is_met);
    }
    assert_false(policy_can_split(policy)); /* two of three X cannot be had twice */
    policy_destroy(policy);
}

static void wrong_files_are_told_with_their_line(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        const char *told;
    } rows[] = {
        {"", ERR_NOT_FOUND, "no quorum line"},
        {"quorum none", ERR_SYNTAX, "policy:1: the last line does not end"},
        {"quorum none\nquorum none\n", ERR_EXISTS, "policy:2: a policy has one quorum line"},
        {"quorum a\n", ERR_NOT_FOUND, "\"a\" is no witness or group"},
        {"quorum none x\n", ERR_SYNTAX, "\"x\" is one word too many"},
        {"witnes a %0\n", ERR_SYNTAX, "not \"witnes\""},
        {"witness\n", ERR_SYNTAX, "a name is missing"},
        {"witness none %0\n", ERR_SYNTAX, "a meaning of its own"},
        {"witness a %0\nwitness a %1\n", ERR_EXISTS, "policy:2: the name \"a\" is given twice"},
        {"witness a %0\nwitness b %0\n", ERR_EXISTS, "the key is that of \"a\", too"},
        {"witness a %L\n", ERR_UNSUPPORTED, "not of type 4, a witness's"},
        {"log %0\n", ERR_UNSUPPORTED, "not of type 1"},
        {"log %L\nlog %L\n", ERR_EXISTS, "given twice"},
        {"witness a %0 ftp://x\n", ERR_SYNTAX, "no address of http"},
        {"witness a %0 http://x y\n", ERR_SYNTAX, "one word too many"},
        {"witness a nonsense\n", ERR_SYNTAX, "NAME+ID+KEY"},
        {"witness a %0\ngroup g 0 a\n", ERR_RANGE, "0 of 1 members"},
        {"witness a %0\ngroup g 2 a\n", ERR_RANGE, "2 of 1 members"},
        {"witness a %0\ngroup g all\n", ERR_RANGE, "0 of 0 members"},
        {"witness a %0\ngroup g most a\n", ERR_SYNTAX, "not \"most\""},
        {"witness a %0\ngroup g 01 a\n", ERR_SYNTAX, "not \"01\""},
        {"witness a %0\ngroup a 1 a\n", ERR_EXISTS, "given twice"},
        {"witness a %0\ngroup g 1 a a\n", ERR_EXISTS, "would count twice"},
        {"witness a %0\ngroup g 1 a\ngroup h 1 a\n", ERR_EXISTS, "would count twice"},
        {"witness a %0\ngroup g 1 g\n", ERR_NOT_FOUND, "\"g\" is no witness or group"},
        {"witness a %0\ngroup g 1 none\n", ERR_NOT_FOUND, "\"none\" is no witness"},
        {"witness a\x01 %0\n", ERR_SYNTAX, "control character"},
        {"witness a\x7f %0\n", ERR_SYNTAX, "control character"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct policy *policy;
        struct diag diag = {""};
        enum err err = parse(rows[i].text, &diag, &policy);
        if (err != rows[i].err || !strstr(diag.text, rows[i].told))
            fail_msg("row %zu: %s: \"%s\"", i, err_text(err), diag.text);
    }
}

static void limits_are_held(void **state)
{
    struct policy *policy;
    struct diag diag = {""};
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < POLICY_WITNESSES_MAX + 1; i++) {
        uint8_t key[32] = {1, (uint8_t)i};
        buf_printf(&text, "witness w%d ", i);
        assert_ok(note_witness_vkey_write(STR("w"), key, &text));
        buf_append_byte(&text, '\n');
    }
    assert_err(policy_parse(buf_str(&text), "p", &diag, &policy), ERR_FULL);
    buf_reset(&text);
    while (text.len <= POLICY_FILE_MAX)
        buf_append_c(&text, "# much\n");
    assert_err(policy_parse(buf_str(&text), "p", &diag, &policy), ERR_TOO_LARGE);
    buf_finish(&text);
}

static void quorums_that_share_nobody_are_seen(void **state)
{
    static const struct {
        const char *text;
        bool can_split;
    } rows[] = {
        {"quorum none\n", true},
        {"witness a %0\nquorum a\n", false},
        {"witness a %0\nwitness b %1\ngroup g any a b\nquorum g\n", true},
        {"witness a %0\nwitness b %1\ngroup g all a b\nquorum g\n", false},
        {"witness a %0\nwitness b %1\nwitness c %2\nwitness d %3\ngroup g 2 a b c d\nquorum g\n", true},
        {"witness a %0\nwitness b %1\nwitness c %2\nwitness d %3\nwitness e %4\ngroup g 3 a b c d e\nquorum g\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct policy *policy;
        assert_ok(parse(rows[i].text, NULL, &policy));
        assert_int_equal(policy_can_split(policy), rows[i].can_split);
        policy_destroy(policy);
    }
}

#define TEXT TESTING_ORIGIN "\n2\nqA1bZcGKXFGJGBRqMbSVcmSkAEBHAdWYhhyRHJxxnL8=\n"

static void notes_are_held_against_it(void **state)
{
    struct policy *policy;
    struct diag diag = {""};
    struct buf note;
    uint32_t witnesses;
    buf_init(&note, NOTE_MAX);
    assert_ok(parse("witness a %0\nwitness b %1\nwitness c %2\ngroup g 2 a b c\nquorum g\n", NULL, &policy));
    assert_ok(note_sign(STR(TEXT), STR(TESTING_ORIGIN), testing_key(), &note));
    assert_err(policy_check(policy, buf_str(&note), &diag), ERR_CRYPTO);
    assert_non_null(strstr(diag.text, "0 of 3 witnesses have cosigned the checkpoint, and the policy asks for more; missing: a, b, c"));
    assert_ok(note_cosign(STR(TEXT), STR("witness-4"), keys[4], 1700000000, &note)); /* of nobody it knows */
    assert_ok(note_cosign(STR(TEXT), STR("witness-2"), keys[2], 1700000000, &note));
    assert_ok(note_cosign(STR(TEXT), STR("witness-2"), keys[2], 1700000001, &note)); /* twice is once */
    assert_err(policy_check(policy, buf_str(&note), &diag), ERR_CRYPTO);
    assert_non_null(strstr(diag.text, "1 of 3 witnesses"));
    assert_ok(note_cosign(STR(TEXT), STR("witness-0"), keys[0], 1700000000, &note));
    assert_ok(policy_check(policy, buf_str(&note), &diag));
    assert_ok(policy_cosigned(policy, buf_str(&note), &witnesses, NULL));
    assert_int_equal(witnesses, 5);
    assert_ok(note_cosign(STR("another\n"), STR("witness-1"), keys[1], 1700000000, &note)); /* a wrong one spoils it */
    assert_err(policy_check(policy, buf_str(&note), &diag), ERR_CRYPTO);
    assert_non_null(strstr(diag.text, "the signature of \"witness-1\" is wrong"));
    assert_err(policy_check(policy, STR("nothing"), &diag), ERR_SYNTAX);
    policy_destroy(policy);
    buf_finish(&note);
}

/* A cosignature made by another program over another's example is not to be had offline; so the bytes are held against the specification.
 */
static void a_cosignature_is_as_the_specification_says(void **state)
{
    static const char text[] = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    struct buf line, bytes, message;
    uint8_t public_key[32];
    struct str rest, base64;
    buf_init(&line, 1000);
    buf_init(&bytes, 1000);
    buf_init(&message, 1000);
    assert_ok(note_cosign(STR(text), STR("witness-1"), keys[1], 1679315147, &line));
    assert_true(str_starts_with(buf_str(&line), STR("\xe2\x80\x94 witness-1 ")) && str_ends_with(buf_str(&line), STR("\n")));
    assert_true(str_cut_last(buf_str(&line), ' ', &rest, &base64));
    base64.len--;
    assert_ok(crypto_unbase64(base64, &bytes));
    assert_int_equal(bytes.len, 4 + 8 + 64);
    static const uint8_t time[8] = {0, 0, 0, 0, 0x64, 0x18, 0x50, 0xcb}; /* 1679315147 */
    assert_memory_equal(bytes.ptr + 4, time, sizeof time);
    crypto_key_public(keys[1], public_key);
    buf_append_c(&message, "witness-1\n\x04");
    buf_append(&message, public_key, 32);
    struct sha256 id = crypto_sha256(buf_str(&message));
    assert_memory_equal(bytes.ptr, id.bytes, 4);
    buf_reset(&message);
    buf_append_c(&message, "cosignature/v1\ntime 1679315147\n");
    buf_append_c(&message, text);
    assert_ok(crypto_verify(public_key, buf_str(&message), (const uint8_t *)bytes.ptr + 12));
    assert_err(note_cosign(STR("x\n"), STR("witness-1"), keys[1], -1, &line), ERR_RANGE);
    assert_err(note_cosign(STR("x"), STR("witness-1"), keys[1], 1, &line), ERR_RANGE);
    assert_err(note_cosign(STR("x\n"), STR("a b"), keys[1], 1, &line), ERR_RANGE);
    buf_finish(&line);
    buf_finish(&bytes);
    buf_finish(&message);
}

static void failing_memory_is_survived(void **state)
{
    bool is_done = false;
    for (uint64_t n = 1; !is_done; n++) {
        struct policy *policy = NULL;
        struct buf text;
        buf_init(&text, 1 << 16);
        expand(EXAMPLE, &text);
        mem_fail_nth(n);
        enum err err = policy_parse(buf_str(&text), "policy", NULL, &policy);
        mem_fail_nth(0);
        is_done = err == ERR_OK;
        assert_true(is_done || err == ERR_NO_MEMORY);
        policy_destroy(policy);
        buf_finish(&text);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_specifications_example_is_read),
        cmocka_unit_test(wrong_files_are_told_with_their_line),
        cmocka_unit_test(limits_are_held),
        cmocka_unit_test(quorums_that_share_nobody_are_seen),
        cmocka_unit_test(notes_are_held_against_it),
        cmocka_unit_test(a_cosignature_is_as_the_specification_says),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
