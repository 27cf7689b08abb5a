/* What another department says of passes: any bytes are passes of checks that were asked for, or no answer. */
#include "scene/zone/answer.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct zones zones = {.n = 2, .zones = {{.name = "inner"}, {.name = "outer"}}};
    static struct zone_ask ask = {.number = 1, .n = 2};
    static struct zone_pass passes[ZONE_PASSES_MAX];
    char receipt[ZONE_RECEIPT_MAX] = "";
    size_t n = 0;
    ask.checks[0].plate_len = ask.checks[1].plate_len = 3;
    memcpy(ask.checks[0].plate, "abc", 3);
    memcpy(ask.checks[1].plate, "def", 3);
    enum err err = zone_answer_read((struct str){(const char *)data, size}, &ask, &zones, passes, &n, receipt);
    assert(err == ERR_OK || (n == 0 && receipt[0] == 0));
    assert(n <= ZONE_PASSES_MAX && memchr(receipt, 0, sizeof(receipt)) != NULL);
    for (size_t i = 0; i < n; i++)
        assert(passes[i].check < ask.n && (passes[i].zones == UINT16_MAX || passes[i].zones < 4));
    return 0;
}
