/*
 * One segment of a journal as bytes: its header, its batches, and the scan that tells a torn tail from a damaged middle.
 *
 *     segment header, 40 bytes   "citybrain journal 1\n" | first index u64 | salt u64 | CRC-32 of the 36 bytes before
 *     batch header,   28 bytes   "CBJB" | n records u32 | first index u64 | body length u32 | CRC-32 of the body
 *                                | CRC-32 of salt and the 24 bytes before
 *     batch body                 n times: length u32 | bytes
 *
 * Numbers are big-endian, CRC-32 is zlib's. A batch is what one fdatasync made durable, and it is written only after the one before
 * is durable. So a broken batch with nothing valid behind it was never acknowledged (torn: cut it); with a valid batch header
 * behind it, it once was whole (damaged: refuse). The salt is random, so that no record's bytes can pass for a batch header.
 * A clean close writes a batch of no records, so that damage to the last acknowledged batch is seen, too. While a segment is written, zeros
 * may stand behind its last batch: filled ahead (journal.c), and torn like any other bytes there.
 *
 * Private to base/journal*.c. Knows nothing of threads and writes nothing.
 */
#ifndef BASE_JOURNAL_SEGMENT_H
#define BASE_JOURNAL_SEGMENT_H

#include "base/buf.h"
#include "base/err.h"

#define SEGMENT_HEADER_SIZE 40
#define BATCH_HEADER_SIZE 28
#define BATCH_BODY_MAX (4u << 20) /* what a reader holds in memory at once */

struct segment_head {
    uint64_t first_index, salt;
};

struct batch_head {
    uint64_t first_index;
    uint32_t n_records, body_len, body_crc;
};

void segment_head_write(const struct segment_head *head, uint8_t out[SEGMENT_HEADER_SIZE]);
enum err segment_head_read(const uint8_t bytes[SEGMENT_HEADER_SIZE], struct segment_head *ret_head) MUST_CHECK; /* ERR_CORRUPT */
void batch_head_write(const struct batch_head *head, uint64_t salt, uint8_t out[BATCH_HEADER_SIZE]);
enum err batch_head_read(const uint8_t bytes[BATCH_HEADER_SIZE], uint64_t salt, struct batch_head *ret_head) MUST_CHECK; /* ERR_CORRUPT */
uint32_t batch_body_crc(const void *body, size_t len);

/* The batch at `at` of `fd`: its head, and its body into `body` (emptied first). ERR_CORRUPT: not whole, or a check fails; ERR_IO,
 * ERR_NO_MEMORY. */
enum err batch_load(int fd, uint64_t at, uint64_t salt, struct batch_head *ret_head, struct buf *body) MUST_CHECK;

/* Splits a body of `n_records`; returns false at a length that does not fit. */
struct batch_cursor {
    struct str left;
};
bool batch_next(struct batch_cursor *cursor, struct str *ret_record) MUST_CHECK;

struct segment_scan {
    struct segment_head head;
    uint64_t end;        /* bytes that are whole, header included */
    uint64_t next_index; /* after the last whole batch */
    bool is_closed;      /* the last whole batch is an empty one: closed cleanly */
    bool is_torn;        /* bytes behind `end` have to be cut */
    uint64_t damaged_at; /* with ERR_CORRUPT: offset of the broken part */
};

/* Reads the newest segment, which alone may be torn. A file that has no more than a broken header was never used: ERR_OK, end 0.
 * ERR_CORRUPT (damaged_at), ERR_IO, ERR_NO_MEMORY. */
enum err segment_scan(int fd, uint64_t first_index, struct segment_scan *ret_scan) MUST_CHECK;

#endif
