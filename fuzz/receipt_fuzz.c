/*
 * Receipt files over hostile bytes: each is proven, refused or unreadable, with a reason for the last two. Under the
 * key of somebody who never signed a checkpoint nothing is proven.
 */
#include "ledger/verify.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data, size};
    struct verify_report report;
    verify_receipt(input, "receipt.json", STR_NONE, NULL, &report); /* the file's own key: anyone can make such a file */
    assert(report.result == VERIFY_PROVEN || report.diag.text[0]);
    verify_receipt(input, "receipt.json", STR("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"), NULL, &report);
    assert(report.result != VERIFY_PROVEN && report.diag.text[0]);
    return 0;
}
