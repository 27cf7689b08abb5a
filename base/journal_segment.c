/*
 * One segment of a journal as bytes. See base/journal_segment.h for the format and why it can tell torn from damaged.
 */
#include "base/journal_segment.h"
#include "base/bytes.h"
#include "base/file.h"

#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static const char segment_magic[20] = {'c', 'i', 't', 'y', 'b', 'r', 'a', 'i', 'n', ' ', 'j', 'o', 'u', 'r', 'n', 'a', 'l', ' ', '1', '\n'};
static const char batch_magic[4] = {'C', 'B', 'J', 'B'};

static uint32_t crc_of(uint32_t crc, const void *ptr, size_t len)
{
    return (uint32_t)crc32_z(crc, ptr, len);
}

void segment_head_write(const struct segment_head *head, uint8_t out[SEGMENT_HEADER_SIZE])
{
    struct bytes_writer writer;
    bytes_writer_init(&writer, out, SEGMENT_HEADER_SIZE);
    bytes_write(&writer, segment_magic, sizeof segment_magic);
    bytes_write_u64be(&writer, head->first_index);
    bytes_write_u64be(&writer, head->salt);
    bytes_write_u32be(&writer, crc_of(0, out, writer.len));
}

enum err segment_head_read(const uint8_t bytes[SEGMENT_HEADER_SIZE], struct segment_head *ret_head)
{
    struct bytes_reader reader;
    bytes_reader_init(&reader, bytes, SEGMENT_HEADER_SIZE);
    struct str magic = bytes_read_str(&reader, sizeof segment_magic);
    struct segment_head head = {.first_index = bytes_read_u64be(&reader)};
    head.salt = bytes_read_u64be(&reader);
    uint32_t crc = bytes_read_u32be(&reader);
    if (memcmp(magic.ptr, segment_magic, sizeof segment_magic) != 0 || crc != crc_of(0, bytes, SEGMENT_HEADER_SIZE - 4))
        return ERR_CORRUPT;
    *ret_head = head;
    return ERR_OK;
}

static uint32_t batch_head_crc(const uint8_t *bytes, uint64_t salt)
{
    uint8_t salt_bytes[8];
    struct bytes_writer writer;
    bytes_writer_init(&writer, salt_bytes, sizeof salt_bytes);
    bytes_write_u64be(&writer, salt);
    return crc_of(crc_of(0, salt_bytes, sizeof salt_bytes), bytes, BATCH_HEADER_SIZE - 4);
}

void batch_head_write(const struct batch_head *head, uint64_t salt, uint8_t out[BATCH_HEADER_SIZE])
{
    struct bytes_writer writer;
    bytes_writer_init(&writer, out, BATCH_HEADER_SIZE);
    bytes_write(&writer, batch_magic, sizeof batch_magic);
    bytes_write_u32be(&writer, head->n_records);
    bytes_write_u64be(&writer, head->first_index);
    bytes_write_u32be(&writer, head->body_len);
    bytes_write_u32be(&writer, head->body_crc);
    bytes_write_u32be(&writer, batch_head_crc(out, salt));
}

enum err batch_head_read(const uint8_t bytes[BATCH_HEADER_SIZE], uint64_t salt, struct batch_head *ret_head)
{
    struct bytes_reader reader;
    bytes_reader_init(&reader, bytes, BATCH_HEADER_SIZE);
    struct str magic = bytes_read_str(&reader, sizeof batch_magic);
    struct batch_head head = {.n_records = bytes_read_u32be(&reader)};
    head.first_index = bytes_read_u64be(&reader);
    head.body_len = bytes_read_u32be(&reader);
    head.body_crc = bytes_read_u32be(&reader);
    uint32_t crc = bytes_read_u32be(&reader);
    if (memcmp(magic.ptr, batch_magic, sizeof batch_magic) != 0 || crc != batch_head_crc(bytes, salt))
        return ERR_CORRUPT;
    /* the check says that we wrote it; these hold for all that we write */
    if (head.body_len > BATCH_BODY_MAX || (uint64_t)head.n_records * 4 > head.body_len)
        return ERR_CORRUPT;
    *ret_head = head;
    return ERR_OK;
}

uint32_t batch_body_crc(const void *body, size_t len)
{
    return crc_of(0, body, len);
}

enum err batch_load(int fd, uint64_t at, uint64_t salt, struct batch_head *ret_head, struct buf *body)
{
    uint8_t bytes[BATCH_HEADER_SIZE];
    struct batch_head head;
    enum err err = file_read_at(fd, bytes, sizeof bytes, at);
    if (!err)
        err = batch_head_read(bytes, salt, &head);
    if (err)
        return err;
    buf_reset(body);
    if (head.body_len > 0) {
        char *to = buf_reserve(body, head.body_len);
        if (!to)
            return body->err;
        err = file_read_at(fd, to, head.body_len, at + BATCH_HEADER_SIZE);
        if (err)
            return err;
        buf_advance(body, head.body_len);
    }
    if (batch_body_crc(body->ptr, body->len) != head.body_crc)
        return ERR_CORRUPT;
    *ret_head = head;
    return ERR_OK;
}

bool batch_next(struct batch_cursor *cursor, struct str *ret_record)
{
    struct bytes_reader reader;
    bytes_reader_init(&reader, cursor->left.ptr, cursor->left.len);
    uint32_t len = bytes_read_u32be(&reader);
    struct str record = bytes_read_str(&reader, len);
    if (reader.err)
        return false;
    cursor->left = str_slice(cursor->left, 4 + (size_t)len, cursor->left.len);
    *ret_record = record;
    return true;
}

/* Is there a batch header of this segment anywhere from `at` on? Reads in windows that overlap by a header less one byte. */
static enum err find_batch_after(int fd, uint64_t at, uint64_t size, uint64_t salt, struct buf *window, bool *ret_found)
{
    const size_t window_size = 1u << 16;
    *ret_found = false;
    while (at < size && size - at >= BATCH_HEADER_SIZE) {
        size_t len = size - at < window_size ? (size_t)(size - at) : window_size;
        buf_reset(window);
        char *bytes = buf_reserve(window, len);
        if (!bytes)
            return window->err;
        enum err err = file_read_at(fd, bytes, len, at);
        if (err)
            return err;
        for (size_t i = 0; i + BATCH_HEADER_SIZE <= len; i++) {
            struct batch_head head;
            if (bytes[i] == batch_magic[0] && !batch_head_read((const uint8_t *)bytes + i, salt, &head)) {
                *ret_found = true;
                return ERR_OK;
            }
        }
        at += len - BATCH_HEADER_SIZE + 1;
    }
    return ERR_OK;
}

static enum err scan_batches(int fd, uint64_t size, struct buf *body, struct segment_scan *scan)
{
    while (scan->end < size) {
        struct batch_head head;
        enum err err = batch_load(fd, scan->end, scan->head.salt, &head, body);
        if (!err && head.first_index != scan->next_index) {
            scan->damaged_at = scan->end;
            return ERR_CORRUPT;
        }
        if (err == ERR_CORRUPT) {
            bool is_followed;
            err = find_batch_after(fd, scan->end + 1, size, scan->head.salt, body, &is_followed);
            scan->is_torn = !is_followed;
            scan->damaged_at = scan->end;
            return err ? err : is_followed ? ERR_CORRUPT : ERR_OK;
        }
        if (err)
            return err;
        scan->end += BATCH_HEADER_SIZE + (uint64_t)head.body_len;
        scan->next_index += head.n_records;
        scan->is_closed = head.n_records == 0;
    }
    return ERR_OK;
}

enum err segment_scan(int fd, uint64_t first_index, struct segment_scan *ret_scan)
{
    struct segment_scan scan = {.next_index = first_index};
    struct stat status;
    if (fstat(fd, &status) != 0)
        return ERR_IO;
    uint64_t size = (uint64_t)status.st_size;
    uint8_t bytes[SEGMENT_HEADER_SIZE];
    enum err err = file_read_at(fd, bytes, size < sizeof bytes ? (size_t)size : sizeof bytes, 0);
    if (err)
        return err;
    /* the header is durable before the first batch is written, so a broken one means damage as soon as there is more than it */
    if (size < sizeof bytes || segment_head_read(bytes, &scan.head)) {
        scan.is_torn = size > 0;
        if (size <= sizeof bytes)
            err = ERR_OK;
        else
            err = ERR_CORRUPT;
        *ret_scan = scan;
        return err;
    }
    if (scan.head.first_index != first_index) {
        *ret_scan = scan;
        return ERR_CORRUPT;
    }
    scan.end = SEGMENT_HEADER_SIZE;
    struct buf body;
    buf_init(&body, BATCH_BODY_MAX);
    err = scan_batches(fd, size, &body, &scan);
    buf_finish(&body);
    *ret_scan = scan;
    return err;
}
