/* Sealing and opening of one record (record.h). Pure: keys, bytes and numbers come in. */
#include "system/vehicle_camera/record.h"

#include <string.h>

#define RECORD_VERSION 1
#define RECORD_LABEL "citybrain passages"

void record_key_derive(struct seal_key *key, const uint8_t master[32], const uint8_t start[RECORD_START_SIZE])
{
    seal_key_derive(key, STR(RECORD_LABEL), master, start);
}

size_t record_size(const struct passage *const *passages, size_t n)
{
    size_t size = RECORD_HEAD_SIZE + RECORD_TAG_SIZE;
    for (size_t i = 0; i < n; i++)
        size += 5 + passages[i]->camera.len + passages[i]->id.len + passages[i]->plate_len + passages[i]->plate_class_len +
                passages[i]->vehicle_len + 28;
    return size;
}

static void write_head(const struct record_head *head, uint8_t out[RECORD_HEAD_SIZE])
{
    struct bytes_writer writer;
    bytes_writer_init(&writer, out, RECORD_HEAD_SIZE);
    bytes_write_u8(&writer, RECORD_VERSION);
    bytes_write(&writer, head->start, RECORD_START_SIZE);
    bytes_write_u64be(&writer, head->counter);
    bytes_write_u64be(&writer, (uint64_t)head->arrived_ms);
    bytes_write_u64be(&writer, head->n_before);
    bytes_write_u32be(&writer, head->n);
}

static void write_text(struct bytes_writer *writer, const char *ptr, size_t len)
{
    bytes_write_u8(writer, (uint8_t)len);
    bytes_write(writer, ptr, len);
}

static void write_passage(struct bytes_writer *writer, const struct passage *passage)
{
    write_text(writer, passage->camera.ptr, passage->camera.len);
    write_text(writer, passage->id.ptr, passage->id.len);
    write_text(writer, passage->plate, passage->plate_len);
    write_text(writer, passage->plate_class, passage->plate_class_len);
    write_text(writer, passage->vehicle, passage->vehicle_len);
    bytes_write_u64be(writer, (uint64_t)passage->time_ms);
    bytes_write_u16be(writer, (uint16_t)passage->lane);
    bytes_write_u16be(writer, (uint16_t)passage->confidence);
    bytes_write_f64be(writer, passage->speed_mps);
    bytes_write_u64be(writer, passage->fingerprint);
}

enum err record_seal(const struct seal_key *key, const struct record_head *head, const struct passage *const *passages, struct buf *plain,
    uint8_t *out, size_t *ret_len)
{
    size_t room = record_size(passages, head->n);
    struct bytes_writer writer;
    buf_reset(plain);
    char *bytes = buf_reserve(plain, room);
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    bytes_writer_init(&writer, bytes, room);
    for (uint32_t i = 0; i < head->n; i++)
        write_passage(&writer, passages[i]);
    if (writer.err != ERR_OK)
        return writer.err;
    write_head(head, out);
    enum err err = seal_make(
        key, head->counter, (struct str){(const char *)out, RECORD_HEAD_SIZE}, (struct str){bytes, writer.len}, out + RECORD_HEAD_SIZE);
    if (err == ERR_OK)
        *ret_len = RECORD_HEAD_SIZE + writer.len + RECORD_TAG_SIZE;
    return err;
}

enum err record_head_read(struct str record, struct record_head *ret_head)
{
    struct bytes_reader reader;
    struct record_head head;
    bytes_reader_init(&reader, record.ptr, record.len);
    uint8_t version = bytes_read_u8(&reader);
    struct str start = bytes_read_str(&reader, RECORD_START_SIZE);
    head.counter = bytes_read_u64be(&reader);
    head.arrived_ms = (int64_t)bytes_read_u64be(&reader);
    head.n_before = bytes_read_u64be(&reader);
    head.n = bytes_read_u32be(&reader);
    if (reader.err != ERR_OK || version != RECORD_VERSION || head.n > RECORD_PASSAGES_MAX || bytes_reader_left(&reader) < RECORD_TAG_SIZE)
        return ERR_CORRUPT;
    memcpy(head.start, start.ptr, RECORD_START_SIZE);
    *ret_head = head;
    return ERR_OK;
}

enum err record_open(struct str record, const uint8_t master[32], struct seal_key *key, struct buf *plain, struct record_head *ret_head,
    struct bytes_reader *ret_reader)
{
    struct record_head head;
    enum err err = record_head_read(record, &head);
    if (err != ERR_OK)
        return err;
    seal_key_need(key, STR(RECORD_LABEL), master, head.start);
    struct str sealed = str_slice(record, RECORD_HEAD_SIZE, record.len - RECORD_HEAD_SIZE);
    buf_reset(plain);
    uint8_t *bytes = (uint8_t *)buf_reserve(plain, sealed.len);
    if (bytes == NULL)
        return plain->err;
    err = seal_open(key, head.counter, str_slice(record, 0, RECORD_HEAD_SIZE), sealed, bytes);
    if (err != ERR_OK)
        return err;
    bytes_reader_init(ret_reader, bytes, sealed.len - RECORD_TAG_SIZE);
    *ret_head = head;
    return ERR_OK;
}

static struct str read_text(struct bytes_reader *reader)
{
    return bytes_read_str(reader, bytes_read_u8(reader));
}

/* Into the passage's own bytes; false when it is too long for them. */
static bool read_short_text(struct bytes_reader *reader, char *out, size_t max, uint8_t *ret_len)
{
    struct str text = read_text(reader);
    if (text.len > max)
        return false;
    if (text.len != 0)
        memcpy(out, text.ptr, text.len);
    *ret_len = (uint8_t)text.len;
    return true;
}

enum err record_next(struct bytes_reader *reader, const struct record_head *head, struct passage *ret_passage)
{
    struct passage passage;
    memset(&passage, 0, sizeof passage);
    passage.camera = read_text(reader);
    passage.id = read_text(reader);
    bool fits = read_short_text(reader, passage.plate, PASSAGE_PLATE_MAX, &passage.plate_len) &&
                read_short_text(reader, passage.plate_class, PASSAGE_CLASS_MAX, &passage.plate_class_len) &&
                read_short_text(reader, passage.vehicle, PASSAGE_VEHICLE_MAX, &passage.vehicle_len);
    passage.time_ms = (int64_t)bytes_read_u64be(reader);
    passage.arrived_ms = head->arrived_ms;
    passage.lane = (int16_t)bytes_read_u16be(reader);
    passage.confidence = (int16_t)bytes_read_u16be(reader);
    passage.speed_mps = bytes_read_f64be(reader);
    passage.fingerprint = bytes_read_u64be(reader);
    if (!fits || reader->err != ERR_OK)
        return ERR_CORRUPT;
    passage.is_whole = passage.vehicle_len > 0;
    *ret_passage = passage;
    return ERR_OK;
}
