/*
 * How far those afar have a stream's record, and which of its numbers they may go on with. Beside the journal stands NAME.confirmed: the
 * epoch, and up to where the hub has it; then a line for each life before, the newest first: its epoch, and the number with which the next
 * one began. When that is lost, more is sent twice, nothing never.
 */
#include "base/crypto.h"
#include "base/log.h"
#include "hub/record_inside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CONFIRMED_MAX 4096

struct hub_record_place hub_record_place(struct hub_record_stream *stream)
{
    return (struct hub_record_place){
        stream->epoch, journal_first_index(stream->journal), journal_n_durable(stream->journal), stream->confirmed};
}

uint64_t hub_record_agreed(struct hub_record_stream *stream, uint64_t epoch)
{
    if (epoch == stream->epoch)
        return journal_n_durable(stream->journal);
    for (size_t i = 0; i < stream->n_lives; i++)
        if (stream->lives[i].epoch == epoch)
            return stream->lives[i].end;
    return 0;
}

static void remember(struct hub_record_stream *stream)
{
    struct buf text;
    buf_init(&text, CONFIRMED_MAX);
    buf_printf(&text, "%" PRIx64 " %" PRIu64 "\n", stream->epoch, stream->confirmed);
    for (size_t i = 0; i < stream->n_lives; i++)
        buf_printf(&text, "%" PRIx64 " %" PRIu64 "\n", stream->lives[i].epoch, stream->lives[i].end);
    enum err err = text.err ? text.err : file_replace(file_ops_system(), stream->confirmed_path, buf_str(&text));
    buf_finish(&text);
    if (err)
        log_write(LOG_WARNING, "hub", "how far the hub has a stream could not be written down; after a start more is sent twice",
            LOG_STR("resource", stream->resource->name), LOG_ERR(err), LOG_END);
}

static bool see_end(void *context, uint64_t index, struct str record)
{
    *(uint64_t *)context = record_bytes_before(record) + record.len;
    return false;
}

void hub_record_confirm(struct hub_record_stream *stream, uint64_t number)
{
    uint64_t n_bytes = 0;
    if (number <= stream->confirmed || number > journal_n_durable(stream->journal))
        return;
    /* By the last record that is confirmed: the one after it may be on its way to the disk, and waits still. */
    if (journal_read(stream->journal, number - 1, see_end, &n_bytes) || n_bytes == 0)
        return; /* its disk does not answer: nothing is dropped */
    stream->confirmed = number;
    remember(stream);
    pthread_mutex_lock(&stream->record->lock);
    stream->n_bytes_confirmed = n_bytes;
    pthread_mutex_unlock(&stream->record->lock);
    if (journal_drop_before(stream->journal, number))
        log_write(LOG_WARNING, "hub", "confirmed records stay on disk", LOG_STR("resource", stream->resource->name), LOG_END);
}

uint64_t hub_record_n_waiting(struct hub_record_stream *stream)
{
    pthread_mutex_lock(&stream->record->lock);
    uint64_t n = stream->n_bytes - stream->n_bytes_confirmed;
    pthread_mutex_unlock(&stream->record->lock);
    return n;
}

struct trimming {
    uint64_t n_bytes, index; /* stay from here on */
};

static bool look_past(void *context, uint64_t index, struct str record)
{
    struct trimming *trimming = context;
    trimming->index = index;
    return record_bytes_before(record) < trimming->n_bytes;
}

uint64_t hub_record_trim(struct hub_record_stream *stream, uint64_t n_bytes)
{
    uint64_t first = stream->confirmed;
    pthread_mutex_lock(&stream->record->lock);
    struct trimming trimming = {.n_bytes = stream->n_bytes > n_bytes ? stream->n_bytes - n_bytes : 0, .index = first};
    pthread_mutex_unlock(&stream->record->lock);
    if (journal_read(stream->journal, first, look_past, &trimming))
        return 0;
    hub_record_confirm(stream, trimming.index);
    return stream->confirmed - first;
}

static void begin_life(struct hub_record_stream *stream)
{
    crypto_random(&stream->epoch, sizeof stream->epoch);
    stream->epoch |= 1; /* never 0 */
    remember(stream);
}

void hub_record_renew(struct hub_record_stream *stream)
{
    stream->n_lives = 0;
    begin_life(stream);
}

/* ---- the beginning of a life ---- */

struct counting {
    struct hub_record_stream *stream;
    enum err err;
    uint64_t refused;
};

static bool count_one(void *context, uint64_t index, struct str record)
{
    struct counting *counting = context;
    struct hub_record_stream *stream = counting->stream;
    uint64_t before = record_bytes_before(record);
    if (index <= stream->confirmed || stream->n_bytes == 0)
        stream->n_bytes_confirmed = before;
    stream->n_bytes = before + record.len;
    if (index >= stream->confirmed)
        counting->err = record_check_key(stream, record);
    counting->refused = index;
    return !counting->err;
}

/* "hex number" of a line. */
static bool read_life(struct str *text, struct record_life *ret_life)
{
    struct str line, epoch, number;
    char hex[32];
    if (!str_cut(*text, '\n', &line, text) || !str_cut(line, ' ', &epoch, &number) || str_to_c(epoch, hex, sizeof hex) ||
        str_to_u64(number, &ret_life->end))
        return false;
    ret_life->epoch = strtoull(hex, NULL, 16);
    return ret_life->epoch != 0;
}

/* When another life begins: what was said by the last one's numbers holds up to here, also when this is a copy of an older day. */
static void read_confirmed(struct hub_record_stream *stream)
{
    struct buf text;
    struct record_life last, life;
    struct hub_record_place place = hub_record_place(stream);
    buf_init(&text, 2 * CONFIRMED_MAX);
    stream->confirmed = place.first;
    enum err err = file_read(stream->confirmed_path, &text);
    struct str rest = buf_str(&text);
    if (!err && read_life(&rest, &last) && last.end >= place.first && last.end <= place.end) { /* else of another disk's */
        stream->confirmed = last.end;
        stream->lives[stream->n_lives++] = (struct record_life){last.epoch, place.end};
        while (stream->n_lives < RECORD_LIVES_MAX && read_life(&rest, &life)) {
            life.end = life.end < place.end ? life.end : place.end;
            stream->lives[stream->n_lives++] = life;
        }
    }
    buf_finish(&text);
}

/* The folder is the confirmed numbers' file without its ending. */
static enum err refuse(const struct hub_record_stream *stream, enum err err, uint64_t number, struct diag *diag)
{
    const struct hub_record *record = stream->record;
    int n_dir = (int)(strlen(stream->confirmed_path) - strlen(RECORD_CONFIRMED));
    if (err != ERR_CRYPTO && err != ERR_CORRUPT)
        return err;
    if (err == ERR_CORRUPT)
        return diag_set(diag, err, NULL, 0,
            "%.*s: what was accepted and is not confirmed, from record %" PRIu64
            " on, is of a form that this program does not know; start the newer one that wrote it",
            n_dir, stream->confirmed_path, number);
    return diag_set(diag, err, record->options.key_path, 0,
        "%s the key of what was accepted and is not confirmed in %.*s, from record %" PRIu64
        " on; put that file back as it was, and start again (if it is gone for good, move that folder away: those records are lost then)",
        record->has_key ? "this is not" : "this file is not there, and holds", n_dir, stream->confirmed_path, number);
}

enum err record_begin_life(struct hub_record_stream *stream, struct diag *diag)
{
    struct counting counting = {.stream = stream};
    read_confirmed(stream);
    enum err err = journal_read(stream->journal, journal_first_index(stream->journal), count_one, &counting);
    if (!err && counting.err)
        return refuse(stream, counting.err, counting.refused, diag);
    if (!err)
        begin_life(stream);
    return err;
}
