/* Wire bytes, one at a time, each with its check. */
#include "base/bytes.h"

#include <string.h>

void bytes_reader_init(struct bytes_reader *reader, const void *ptr, size_t len)
{
    *reader = (struct bytes_reader){.ptr = ptr, .len = len};
}

size_t bytes_reader_left(const struct bytes_reader *reader)
{
    return reader->len - reader->at;
}

static bool can_read(struct bytes_reader *reader, size_t n)
{
    if (reader->err == ERR_OK && bytes_reader_left(reader) < n)
        reader->err = ERR_SYNTAX;
    return reader->err == ERR_OK;
}

static uint64_t read_be(struct bytes_reader *reader, size_t n)
{
    uint64_t value = 0;
    if (can_read(reader, n))
        for (size_t i = 0; i < n; i++)
            value = value << 8 | reader->ptr[reader->at++];
    return value;
}

static uint64_t read_le(struct bytes_reader *reader, size_t n)
{
    uint64_t value = 0;
    if (can_read(reader, n))
        for (size_t i = 0; i < n; i++)
            value |= (uint64_t)reader->ptr[reader->at++] << (8 * i);
    return value;
}

uint8_t bytes_read_u8(struct bytes_reader *reader)
{
    return (uint8_t)read_be(reader, 1);
}
uint16_t bytes_read_u16be(struct bytes_reader *reader)
{
    return (uint16_t)read_be(reader, 2);
}
uint32_t bytes_read_u32be(struct bytes_reader *reader)
{
    return (uint32_t)read_be(reader, 4);
}
uint64_t bytes_read_u64be(struct bytes_reader *reader)
{
    return read_be(reader, 8);
}
uint32_t bytes_read_u32le(struct bytes_reader *reader)
{
    return (uint32_t)read_le(reader, 4);
}
uint64_t bytes_read_u64le(struct bytes_reader *reader)
{
    return read_le(reader, 8);
}

double bytes_read_f64be(struct bytes_reader *reader)
{
    uint64_t bits = read_be(reader, 8);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

struct str bytes_read_str(struct bytes_reader *reader, size_t len)
{
    if (!can_read(reader, len))
        return STR_NONE;
    struct str s = {(const char *)reader->ptr + reader->at, len};
    reader->at += len;
    return s;
}

void bytes_writer_init(struct bytes_writer *writer, void *ptr, size_t cap)
{
    *writer = (struct bytes_writer){.ptr = ptr, .cap = cap};
}

static bool can_write(struct bytes_writer *writer, size_t n)
{
    if (writer->err == ERR_OK && writer->cap - writer->len < n)
        writer->err = ERR_TOO_LARGE;
    return writer->err == ERR_OK;
}

static void write_be(struct bytes_writer *writer, uint64_t value, size_t n)
{
    if (can_write(writer, n))
        for (size_t i = n; i-- > 0;)
            writer->ptr[writer->len++] = (uint8_t)(value >> (8 * i));
}

static void write_le(struct bytes_writer *writer, uint64_t value, size_t n)
{
    if (can_write(writer, n))
        for (size_t i = 0; i < n; i++)
            writer->ptr[writer->len++] = (uint8_t)(value >> (8 * i));
}

void bytes_write_u8(struct bytes_writer *writer, uint8_t value)
{
    write_be(writer, value, 1);
}
void bytes_write_u16be(struct bytes_writer *writer, uint16_t value)
{
    write_be(writer, value, 2);
}
void bytes_write_u32be(struct bytes_writer *writer, uint32_t value)
{
    write_be(writer, value, 4);
}
void bytes_write_u64be(struct bytes_writer *writer, uint64_t value)
{
    write_be(writer, value, 8);
}
void bytes_write_u32le(struct bytes_writer *writer, uint32_t value)
{
    write_le(writer, value, 4);
}
void bytes_write_u64le(struct bytes_writer *writer, uint64_t value)
{
    write_le(writer, value, 8);
}

void bytes_write_f64be(struct bytes_writer *writer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    write_be(writer, bits, 8);
}

void bytes_write(struct bytes_writer *writer, const void *ptr, size_t len)
{
    if (len > 0 && can_write(writer, len)) {
        memcpy(writer->ptr + writer->len, ptr, len);
        writer->len += len;
    }
}
