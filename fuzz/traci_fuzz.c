/*
 * Fuzzes what SUMO answers to a step: the statuses and the results of subscriptions. SUMO runs on the same machine and is
 * trusted more than a camera, but its bytes come from outside all the same.
 */
#include "traci/codec.h"

static void walk(void *context, const struct traci_variable *variable)
{
    struct bytes_reader reader = variable->value;
    struct traci_value value;
    uint32_t n;
    (void)context;
    if (traci_read_crossings(&reader, &n) == ERR_OK) {
        struct traci_crossing crossing;
        while (n-- > 0 && traci_read_crossing(&reader, &crossing) == ERR_OK) {
        }
    }
    reader = variable->value;
    if (traci_read_value(&reader, &value) == ERR_OK && value.tag == TRACI_STRINGS)
        for (uint32_t i = 0; i < value.n; i++)
            (void)traci_read_string(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes_reader reader;
    bytes_reader_init(&reader, data, size);
    struct traci_status status;
    if (traci_read_status(&reader, &status) == ERR_OK && traci_read_results(&reader, walk, NULL) == ERR_OK && reader.err != ERR_OK)
        __builtin_trap(); /* a failed read that was told as a success */
    return 0;
}
