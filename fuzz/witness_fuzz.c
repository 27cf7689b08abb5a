/*
 * A witness's requests over hostile bytes: what is read is written back as the same bytes, nothing of a log that never signed is cosigned,
 * and an answer says why not.
 */
#include "ledger/witness.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data, size};
    struct witness_request request;
    struct witness_verdict verdict;
    struct witness_log log = {.size = 7, .root = merkle_empty_root()};
    if (note_verifier_parse(STR("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"), &log.key, NULL))
        return 0; /* out of memory */
    if (!witness_request_parse(input, &request, NULL)) {
        struct buf again;
        buf_init(&again, WITNESS_BODY_MAX);
        witness_request_write(&request, &again);
        assert(again.err || str_equal(input, buf_str(&again)));
        buf_finish(&again);
    }
    if (!witness_step(&log, 1, input, &verdict))
        assert(verdict.status != WITNESS_COSIGN && verdict.diag.text[0]);
    return 0;
}
