/*
 * The step and the bytes. One delivery is under way at a time for a party: it holds many messages, so waiting for its acknowledgement costs
 * little, and what is sent again is never more than one delivery. Acknowledgements are cumulative.
 *
 * After a start the first delivery is empty: what the other side has must be less than what our store had given numbers to when it was
 * opened. If it is not, the store is a copy of an older day, and new messages would carry numbers that the other side has seen: it would
 * take them for old. Then the numbering begins anew, under a later `stream`.
 */
#include "bus/outbox.h"

#include "base/bytes.h"

#define VERSION 1
#define HEAD 27 /* version, stream, first, kept, n */

static void acknowledged(struct bus_outbox *outbox, const struct bus_outbox_event *event, struct bus_outbox_updates *updates)
{
    if (event->stream != outbox->stream) {
        if (event->stream > outbox->stream) /* a numbering that this store does not know of */
            updates->must_renew = true;
        return;
    }
    if (event->number >= (outbox->unsure ? outbox->unsure : outbox->next)) {
        updates->must_renew = true;
        return;
    }
    outbox->unsure = 0;
    outbox->again_ms = 0;
    outbox->is_under_way = false; /* also when it is an older one's: the rest is sent, at worst again */
    if (event->number >= outbox->first) {
        updates->forget = event->number;
        outbox->first = event->number + 1;
    }
}

void bus_outbox_step(struct bus_outbox *outbox, const struct bus_outbox_event *event, struct bus_outbox_updates *ret_updates)
{
    struct bus_outbox_updates updates = {.wait_ms = -1};
    switch (event->kind) {
    case BUS_OUTBOX_ADDED:
        if (!outbox->stream) { /* the first one ever */
            outbox->stream = event->stream;
            outbox->first = 1;
        }
        if (event->number > outbox->next)
            outbox->next = event->number;
        break;
    case BUS_OUTBOX_ACK:
        acknowledged(outbox, event, &updates);
        break;
    case BUS_OUTBOX_UP:
        outbox->is_under_way = false;
        outbox->again_ms = 0;
        break;
    case BUS_OUTBOX_TICK:
        break;
    }
    if (!updates.must_renew && outbox->first < outbox->next) {
        if (!outbox->is_under_way || outbox->due.ns <= event->now.ns)
            updates.send_from = outbox->first, updates.is_probe = outbox->unsure != 0;
        else
            updates.wait_ms = (outbox->due.ns - event->now.ns + 999999) / 1000000;
    }
    *ret_updates = updates;
}

void bus_outbox_sent(struct bus_outbox *outbox, struct mono_time now)
{
    outbox->again_ms = outbox->again_ms ? 2 * outbox->again_ms : BUS_OUTBOX_AGAIN_MS;
    if (outbox->again_ms > BUS_OUTBOX_AGAIN_MAX_MS)
        outbox->again_ms = BUS_OUTBOX_AGAIN_MAX_MS;
    outbox->is_under_way = true;
    outbox->due.ns = now.ns + outbox->again_ms * 1000000;
}

struct bus_delivery bus_outbox_probe(const struct bus_outbox *outbox)
{
    return (struct bus_delivery){.stream = outbox->stream, .first = outbox->first, .kept = outbox->first};
}

enum err bus_delivery_write(const struct bus_delivery *delivery, struct buf *out)
{
    size_t len = HEAD;
    struct bytes_writer writer;
    for (size_t i = 0; i < delivery->n; i++)
        len += 4 + delivery->messages[i].len;
    void *room = buf_reserve(out, len);
    if (!room)
        return out->err;
    bytes_writer_init(&writer, room, len);
    bytes_write_u8(&writer, VERSION);
    bytes_write_u64be(&writer, delivery->stream);
    bytes_write_u64be(&writer, delivery->first);
    bytes_write_u64be(&writer, delivery->kept);
    bytes_write_u16be(&writer, (uint16_t)delivery->n);
    for (size_t i = 0; i < delivery->n; i++) {
        bytes_write_u32be(&writer, (uint32_t)delivery->messages[i].len);
        bytes_write(&writer, delivery->messages[i].ptr, delivery->messages[i].len);
    }
    if (!writer.err)
        buf_advance(out, writer.len);
    return writer.err;
}

enum err bus_delivery_read(struct str bytes, struct bus_delivery *ret_delivery)
{
    struct bytes_reader reader;
    struct bus_delivery delivery = {0};
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    uint8_t version = bytes_read_u8(&reader);
    delivery.stream = bytes_read_u64be(&reader);
    delivery.first = bytes_read_u64be(&reader);
    delivery.kept = bytes_read_u64be(&reader);
    delivery.n = bytes_read_u16be(&reader);
    if (reader.err || version != VERSION || delivery.n > BUS_OUTBOX_BATCH || delivery.kept == 0 || delivery.first < delivery.kept ||
        delivery.first > UINT64_MAX / 2)
        return ERR_SYNTAX;
    for (size_t i = 0; i < delivery.n; i++)
        delivery.messages[i] = bytes_read_str(&reader, bytes_read_u32be(&reader));
    if (reader.err || bytes_reader_left(&reader))
        return ERR_SYNTAX;
    *ret_delivery = delivery;
    return ERR_OK;
}

enum err bus_ack_write(uint64_t stream, uint64_t last, struct buf *out)
{
    uint8_t room[17];
    struct bytes_writer writer;
    bytes_writer_init(&writer, room, sizeof room);
    bytes_write_u8(&writer, VERSION);
    bytes_write_u64be(&writer, stream);
    bytes_write_u64be(&writer, last);
    buf_append(out, room, sizeof room);
    return out->err;
}

enum err bus_ack_read(struct str bytes, uint64_t *ret_stream, uint64_t *ret_last)
{
    struct bytes_reader reader;
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    uint8_t version = bytes_read_u8(&reader);
    uint64_t stream = bytes_read_u64be(&reader), last = bytes_read_u64be(&reader);
    if (reader.err || bytes_reader_left(&reader) || version != VERSION)
        return ERR_SYNTAX;
    *ret_stream = stream;
    *ret_last = last;
    return ERR_OK;
}
