/*
 * Receipts: proven, refused or unreadable, and no byte of one can be changed without being noticed.
 */
#include "base/test.h"
#include "ledger/ledger_testing.h"
#include "ledger/verify.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static void expect(struct str text, const char *vkey, enum verify_result result, const char *cause)
{
    struct verify_report report;
    verify_receipt(text, "r.json", str_from_c(vkey), NULL, &report);
    if (report.result != result || !strstr(report.diag.text, cause))
        fail_msg("%d, \"%s\" is not %d, \"%s\"", (int)report.result, report.diag.text, (int)result, cause);
}

static void receipts_are_proven_refused_or_unreadable(void **state)
{
    struct ledger *ledger;
    struct verify_report report;
    struct buf receipt;
    uint8_t public_key[32];
    char vkey[160], path[FILE_PATH_MAX];
    testing_vkey(vkey);
    crypto_key_public(testing_key(), public_key);
    buf_init(&receipt, VERIFY_FILE_MAX);
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    testing_append_all(ledger, 0, 300);
    assert_ok(ledger_publish(ledger));
    assert_ok(verify_write_receipt(ledger, 211, public_key, &receipt));
    verify_receipt(buf_str(&receipt), "r.json", STR_NONE, NULL, &report);
    assert_int_equal(report.result, VERIFY_PROVEN);
    assert_true(report.is_key_from_file);
    assert_int_equal(report.index, 211);
    assert_int_equal(report.size, 300);
    assert_string_equal(report.receipt, "hangzhou.log/211");
    verify_receipt(buf_str(&receipt), "r.json", str_from_c(vkey), NULL, &report);
    assert_int_equal(report.result, VERIFY_PROVEN);
    assert_false(report.is_key_from_file);

    static const uint8_t seed[32] = {1};
    struct crypto_key *other;
    struct buf other_vkey;
    assert_ok(crypto_key_from_seed(seed, &other));
    crypto_key_public(other, public_key);
    buf_init(&other_vkey, 200);
    assert_ok(ledger_vkey(STR(TESTING_ORIGIN), public_key, &other_vkey));
    buf_append_byte(&other_vkey, 0);
    expect(buf_str(&receipt), other_vkey.ptr, VERIFY_REFUSED, "r.json: no signature is of the key \"hangzhou.log\"");
    buf_finish(&other_vkey);
    crypto_key_destroy(other);

    expect(buf_str(&receipt), "nonsense", VERIFY_UNREADABLE, "not of the form NAME+ID+KEY");
    expect(STR("{}"), "", VERIFY_UNREADABLE, "no \"receipt\"");
    expect(STR("[]"), "", VERIFY_UNREADABLE, "is a JSON object");
    expect(STR("{"), "", VERIFY_UNREADABLE, "r.json");
    expect(STR("{\"receipt\":\"a/1\"}"), "", VERIFY_UNREADABLE, "no \"leaf\"");
    expect(STR("{\"receipt\":\"a/1\",\"leaf\":\"\"}"), "", VERIFY_UNREADABLE, "no \"proof\"");
    expect(STR("{\"receipt\":\"a/1\",\"leaf\":\"\",\"proof\":\"\"}"), "", VERIFY_UNREADABLE, "no \"vkey\"");
    expect(STR("{\"receipt\":\"a/1\",\"leaf\":\"\",\"proof\":\"\",\"vkey\":1}"), "", VERIFY_UNREADABLE, "\"vkey\" is not text");
    expect(STR("{\"receipt\":\"a\",\"leaf\":\"\",\"proof\":\"\"}"), "", VERIFY_UNREADABLE, "not of the form LOG/INDEX");
    expect(STR("{\"receipt\":\"a/01\",\"leaf\":\"\",\"proof\":\"\"}"), "", VERIFY_UNREADABLE, "not of the form LOG/INDEX");
    expect(STR("{\"receipt\":\"a/1\",\"leaf\":\"\",\"proof\":\"\",\"more\":1}"), "", VERIFY_UNREADABLE, "a member \"more\"");
    expect(STR("{\"receipt\":\"a/1\",\"leaf\":\"\",\"proof\":\"\",\"proof\":\"\"}"), "", VERIFY_UNREADABLE, "r.json");
    char *large = calloc(1, VERIFY_FILE_MAX + 1);
    assert_non_null(large);
    expect((struct str){large, VERIFY_FILE_MAX + 1}, "", VERIFY_UNREADABLE, "r.json");
    free(large);

    assert_ok(file_join(path, root, "r.json"));
    verify_receipt_file(path, STR_NONE, NULL, &report);
    assert_int_equal(report.result, VERIFY_UNREADABLE);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_int_equal(write(fd, receipt.ptr, receipt.len), receipt.len);
    close(fd);
    verify_receipt_file(path, str_from_c(vkey), NULL, &report);
    assert_int_equal(report.result, VERIFY_PROVEN);
    buf_finish(&receipt);
    ledger_close(ledger);
}

/* No byte of a receipt can be changed without being noticed, but in its own vkey when another is given. */
static void every_changed_byte_of_a_receipt_is_noticed(void **state)
{
    struct ledger *ledger;
    struct buf receipt;
    uint8_t public_key[32];
    char vkey[160];
    testing_vkey(vkey);
    crypto_key_public(testing_key(), public_key);
    buf_init(&receipt, VERIFY_FILE_MAX);
    assert_ok(testing_open(root, files, 0, NULL, &ledger));
    testing_append_all(ledger, 0, 20);
    assert_ok(ledger_publish(ledger));
    assert_ok(verify_write_receipt(ledger, 13, public_key, &receipt));
    const char *own = memmem(receipt.ptr, receipt.len, "\"vkey\":", 7);
    assert_non_null(own);
    size_t end = (size_t)(own - receipt.ptr), n_refused = 0;
    for (size_t at = 0; at < end; at++) {
        struct verify_report report;
        receipt.ptr[at] ^= 1;
        verify_receipt(buf_str(&receipt), "r.json", str_from_c(vkey), NULL, &report);
        if (report.result == VERIFY_PROVEN)
            fail_msg("byte %zu of " STR_FORMAT, at, STR_ARG(buf_str(&receipt)));
        n_refused += report.result == VERIFY_REFUSED;
        receipt.ptr[at] ^= 1;
    }
    assert_true(n_refused > end / 2);
    buf_finish(&receipt);
    ledger_close(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(receipts_are_proven_refused_or_unreadable, make_root, remove_root),
        cmocka_unit_test_setup_teardown(every_changed_byte_of_a_receipt_is_noticed, make_root, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
