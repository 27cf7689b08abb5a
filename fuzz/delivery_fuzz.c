/* An outbox's deliveries and acknowledgements over hostile bytes: what is read is written back as the same bytes. */
#include "bus/outbox.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data, size};
    struct bus_delivery delivery;
    uint64_t stream, last;
    struct buf again;
    buf_init(&again, 1u << 24);
    if (!bus_delivery_read(input, &delivery)) {
        assert(delivery.n <= BUS_OUTBOX_BATCH && delivery.kept > 0 && delivery.kept <= delivery.first);
        assert(bus_delivery_write(&delivery, &again) || str_equal(input, buf_str(&again)));
    }
    buf_reset(&again);
    if (!bus_ack_read(input, &stream, &last))
        assert(bus_ack_write(stream, last, &again) || str_equal(input, buf_str(&again)));
    buf_finish(&again);
    return 0;
}
