/*
 * A record on the disk: a part of a batch, as u64, whose highest byte is its form and the others the bytes kept before it, over the
 * journal's life: so how much waits is told without opening it. Form 0: then what goes out (hub/events.h), as files before November 2026
 * have it. Form 1: 16 bytes of the start, u64 its counter, and what goes out, sealed under the label "citybrain streams" (base/seal.h).
 */
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/log.h"
#include "hub/asking.h"
#include "hub/record_inside.h"

#include <string.h>

#define FORM_SHIFT 56
#define SEALED 1
#define SEALED_HEAD (8 + SEAL_START_SIZE + 8)
#define SEAL_LABEL "citybrain streams"

static enum err key_refused(const struct hub_record *record, enum err err, struct diag *diag)
{
    return diag_set(diag, err, record->options.key_path, 0, "the key of kept streams cannot be read or made: %s", err_text(err));
}

enum err record_read_key(struct hub_record *record, struct diag *diag)
{
    if (!record->options.key_path || record->has_key)
        return ERR_OK;
    enum err err = crypto_key_file_read(record->options.key_path, record->master);
    record->has_key = !err;
    return err && err != ERR_NOT_FOUND ? key_refused(record, err, diag) : ERR_OK;
}

enum err record_begin_sealing(struct hub_record *record, struct diag *diag)
{
    uint8_t start[SEAL_START_SIZE];
    if (!record->options.key_path || record->sealing.is_set)
        return ERR_OK;
    enum err err = crypto_key_file(record->options.key_path, record->master);
    if (err)
        return key_refused(record, err, diag);
    record->has_key = true;
    crypto_random(start, sizeof start);
    seal_key_derive(&record->sealing, STR(SEAL_LABEL), record->master, start);
    return ERR_OK;
}

void record_put(struct hub_record *record, uint64_t n_before, struct buf *out)
{
    const size_t start = out->len;
    const struct str plain = buf_str(&record->plain);
    if (!record->sealing.is_set) {
        hub_put_number(out, n_before, 8);
        buf_append_str(out, plain);
        return;
    }
    hub_put_number(out, (uint64_t)SEALED << FORM_SHIFT | n_before, 8);
    buf_append(out, record->sealing.start, SEAL_START_SIZE);
    hub_put_number(out, record->n_sealed, 8);
    uint8_t *room = (uint8_t *)buf_reserve(out, plain.len + SEAL_TAG_SIZE);
    if (!room)
        return;
    enum err err = seal_make(&record->sealing, record->n_sealed++, (struct str){out->ptr + start, SEALED_HEAD}, plain, room);
    if (err)
        out->err = err;
    else
        buf_advance(out, plain.len + SEAL_TAG_SIZE);
}

uint64_t record_bytes_before(struct str record)
{
    struct bytes_reader in;
    bytes_reader_init(&in, record.ptr, record.len);
    return bytes_read_u64be(&in) & ((UINT64_C(1) << FORM_SHIFT) - 1);
}

static uint64_t form_of(struct str record)
{
    struct bytes_reader in;
    bytes_reader_init(&in, record.ptr, record.len);
    return bytes_read_u64be(&in) >> FORM_SHIFT;
}

/* Into stream->opened. */
static enum err open_sealed(struct hub_record_stream *stream, struct str record)
{
    struct bytes_reader in;
    bytes_reader_init(&in, record.ptr, record.len);
    uint64_t form = bytes_read_u64be(&in) >> FORM_SHIFT;
    struct str start = bytes_read_str(&in, SEAL_START_SIZE);
    uint64_t counter = bytes_read_u64be(&in);
    struct str sealed = bytes_read_str(&in, bytes_reader_left(&in));
    enum err err = in.err || form != SEALED ? ERR_CORRUPT : !stream->record->has_key ? ERR_CRYPTO : ERR_OK;
    buf_reset(&stream->opened);
    uint8_t *room = err ? NULL : (uint8_t *)buf_reserve(&stream->opened, sealed.len + 1);
    if (!err && !room)
        err = stream->opened.err;
    if (!err) {
        seal_key_need(&stream->opening, STR(SEAL_LABEL), stream->record->master, (const uint8_t *)start.ptr);
        err = seal_open(&stream->opening, counter, str_slice(record, 0, SEALED_HEAD), sealed, room);
    }
    if (!err)
        buf_advance(&stream->opened, sealed.len - SEAL_TAG_SIZE);
    return err;
}

enum err record_check_key(struct hub_record_stream *stream, struct str record)
{
    bool is_known = form_of(record) == 0 || (stream->opening.is_set && record.len >= SEALED_HEAD &&
                                                memcmp(record.ptr + 8, stream->opening.start, SEAL_START_SIZE) == 0);
    return is_known ? ERR_OK : open_sealed(stream, record);
}

struct str record_get(struct hub_record_stream *stream, struct str record)
{
    if (form_of(record) == 0)
        return str_slice(record, 8, record.len - 8);
    enum err err = open_sealed(stream, record);
    if (!err)
        return buf_str(&stream->opened);
    if (!stream->is_told)
        log_write(LOG_ERROR, "hub", "a kept record cannot be opened: is its key file the one it was written under?",
            LOG_STR("resource", stream->resource->name), LOG_ERR(err), LOG_END);
    stream->is_told = true;
    return STR_NONE;
}
