/*
 * Wire bytes: a reader and a writer with checked bounds. No pointer arithmetic elsewhere.
 *
 * The first failure sticks: read everything, then look at `err` once. Reads after a failure give zeros.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/err.h"
#include "base/str.h"

struct bytes_reader {
    const uint8_t *ptr; /* borrowed */
    size_t len, at;
    enum err err; /* ERR_SYNTAX once a read went past the end */
};

struct bytes_writer {
    uint8_t *ptr; /* borrowed */
    size_t cap, len;
    enum err err; /* ERR_TOO_LARGE once a write went past the end */
};

void bytes_reader_init(struct bytes_reader *reader, const void *ptr, size_t len);
size_t bytes_reader_left(const struct bytes_reader *reader);
uint8_t bytes_read_u8(struct bytes_reader *reader);
uint16_t bytes_read_u16be(struct bytes_reader *reader);
uint32_t bytes_read_u32be(struct bytes_reader *reader);
uint64_t bytes_read_u64be(struct bytes_reader *reader);
uint32_t bytes_read_u32le(struct bytes_reader *reader);
uint64_t bytes_read_u64le(struct bytes_reader *reader);
double bytes_read_f64be(struct bytes_reader *reader);
struct str bytes_read_str(struct bytes_reader *reader, size_t len); /* borrows from the input */

void bytes_writer_init(struct bytes_writer *writer, void *ptr, size_t cap);
void bytes_write_u8(struct bytes_writer *writer, uint8_t value);
void bytes_write_u16be(struct bytes_writer *writer, uint16_t value);
void bytes_write_u32be(struct bytes_writer *writer, uint32_t value);
void bytes_write_u64be(struct bytes_writer *writer, uint64_t value);
void bytes_write_u32le(struct bytes_writer *writer, uint32_t value);
void bytes_write_u64le(struct bytes_writer *writer, uint64_t value);
void bytes_write_f64be(struct bytes_writer *writer, double value);
void bytes_write(struct bytes_writer *writer, const void *ptr, size_t len);

#endif
