/*
 * One record of the passages' journal: up to 1,000 passages of one request, sealed together.
 *
 *     version u8 = 1 | start 16 bytes | counter u64 | arrived u64 | before u64 | n u32 | sealed bytes and their tag
 *
 * The head is readable (it holds no personal data) and authenticated; the rest is AES-256-GCM. It is sealed as base/seal.h says,
 * under the label "citybrain passages": `start` is of one start of the program, and `counter` counts the records of that start.
 * `arrived` is milliseconds since 1970 of the request, `before` the passages of the journal before this record: both are for searching.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_RECORD_H
#define SYSTEM_VEHICLE_CAMERA_RECORD_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/seal.h"
#include "system/vehicle_camera/passage.h"

#define RECORD_PASSAGES_MAX 1000
#define RECORD_HEAD_SIZE 45
#define RECORD_TAG_SIZE SEAL_TAG_SIZE
/* device, id, plate, class and pseudonym with their lengths, and 28 bytes of numbers */
#define RECORD_PASSAGE_MAX (5 + CAMERA_DEVICE_MAX + PASSAGE_ID_MAX + PASSAGE_PLATE_MAX + PASSAGE_CLASS_MAX + PASSAGE_VEHICLE_MAX + 28)
#define RECORD_SIZE_MAX (RECORD_HEAD_SIZE + RECORD_PASSAGES_MAX * RECORD_PASSAGE_MAX + RECORD_TAG_SIZE)
#define RECORD_START_SIZE SEAL_START_SIZE

struct record_head {
    uint8_t start[RECORD_START_SIZE];
    uint64_t counter;
    int64_t arrived_ms;
    uint64_t n_before;
    uint32_t n;
};

/* The key of one start, derived once. */
void record_key_derive(struct seal_key *key, const uint8_t master[32], const uint8_t start[RECORD_START_SIZE]);

/* Bytes that record_seal() writes at most for these passages. */
size_t record_size(const struct passage *const *passages, size_t n);
/* `plain` is scratch; `out` holds record_size() bytes. head->start is the key's. ERR_CRYPTO, ERR_NO_MEMORY. */
enum err record_seal(const struct seal_key *key, const struct record_head *head, const struct passage *const *passages, struct buf *plain,
    uint8_t *out, size_t *ret_len) MUST_CHECK;

enum err record_head_read(struct str record, struct record_head *ret_head) MUST_CHECK; /* ERR_CORRUPT */
/* Opens a record into `plain`; `key` keeps the last start's key. ERR_CORRUPT, ERR_CRYPTO (another key file, or altered bytes). */
enum err record_open(struct str record, const uint8_t master[32], struct seal_key *key, struct buf *plain, struct record_head *ret_head,
    struct bytes_reader *ret_reader) MUST_CHECK;
/* The next passage; its strings are borrowed from `plain`, `at` is NULL. ERR_CORRUPT. */
enum err record_next(struct bytes_reader *reader, const struct record_head *head, struct passage *ret_passage) MUST_CHECK;

#endif
