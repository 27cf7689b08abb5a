/*
 * Proofs over hostile bytes: what is accepted and has no extra line is written back as the same text; nothing is proven by it.
 */
#include "ledger/ledger.h"
#include "ledger/proof.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str vkey = STR_INIT("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    struct str input = {(const char *)data, size};
    struct proof proof;
    uint64_t index;
    if (!proof_parse(input, &proof, NULL)) {
        struct buf again;
        buf_init(&again, 2 * NOTE_MAX);
        proof_write(&proof, &again);
        bool has_extra = str_starts_with(input, STR("c2sp.org/tlog-proof@v1\nextra "));
        assert(again.err || has_extra || str_equal(input, buf_str(&again)));
        buf_finish(&again);
    }
    if (!ledger_verify(STR("leaf"), input, vkey, &index, NULL)) /* this key never signed a checkpoint of a log of its name */
        assert(false);
    return 0;
}
