/*
 * Reading a journal beside its writer: from the files, up to what is durable. See base/journal.h.
 *
 * What is durable never changes, so a reader needs the mutex only to find its segment. A batch is read and checked whole.
 */
#include "base/journal_private.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct journal_reader {
    struct journal *journal; /* borrowed */
    uint64_t next;           /* index of the next record to hand out */
    int fd;                  /* of the segment that holds it; -1: to be found */
    uint64_t segment;        /* its first index */
    uint64_t at;             /* offset of the batch that holds it, or of one before */
    uint64_t at_index;       /* first index of that batch */
    uint64_t salt;
    struct buf body;
};

struct taking {
    bool (*fn)(void *context, uint64_t index, struct str record);
    void *context;
    bool is_stopped;
};

enum err journal_reader_create(struct journal *journal, uint64_t from, struct journal_reader **ret_reader)
{
    struct journal_reader *reader = mem_alloc_zero(1, sizeof *reader);
    if (!reader)
        return ERR_NO_MEMORY;
    reader->journal = journal;
    reader->next = from;
    reader->fd = -1;
    buf_init(&reader->body, BATCH_BODY_MAX);
    *ret_reader = reader;
    return ERR_OK;
}

static void leave_segment(struct journal_reader *reader)
{
    if (reader->fd >= 0)
        close(reader->fd);
    reader->fd = -1;
}

void journal_reader_destroy(struct journal_reader *reader)
{
    if (!reader)
        return;
    leave_segment(reader);
    buf_finish(&reader->body);
    mem_free(reader);
}

/* The newest segment that begins at or before `index`. */
static enum err find_segment(struct journal *journal, uint64_t index, uint64_t *ret_first_index)
{
    enum err err = ERR_NOT_FOUND;
    pthread_mutex_lock(&journal->mutex);
    for (size_t i = journal->n_segments; i > 0 && err; i--) {
        if (journal->segments[i - 1] <= index) {
            *ret_first_index = journal->segments[i - 1];
            err = ERR_OK;
        }
    }
    pthread_mutex_unlock(&journal->mutex);
    return err;
}

static enum err enter_segment(struct journal_reader *reader)
{
    uint64_t first_index;
    enum err err = find_segment(reader->journal, reader->next, &first_index);
    if (err)
        return err;
    char path[FILE_PATH_MAX];
    journal_segment_path(reader->journal, first_index, path);
    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0) /* dropped since we looked, or taken away from under us */
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    uint8_t bytes[SEGMENT_HEADER_SIZE];
    struct segment_head head;
    err = file_read_at(reader->fd, bytes, sizeof bytes, 0);
    if (!err)
        err = segment_head_read(bytes, &head);
    if (!err && head.first_index != first_index)
        err = ERR_CORRUPT;
    if (err) {
        leave_segment(reader);
        return err;
    }
    reader->segment = first_index;
    reader->at = SEGMENT_HEADER_SIZE;
    reader->at_index = first_index;
    reader->salt = head.salt;
    return ERR_OK;
}

static enum err hand_out(struct journal_reader *reader, const struct batch_head *head, struct taking *taking)
{
    struct batch_cursor cursor = {buf_str(&reader->body)};
    for (uint32_t i = 0; i < head->n_records; i++) {
        struct str record;
        if (!batch_next(&cursor, &record))
            return ERR_CORRUPT;
        uint64_t index = head->first_index + i;
        if (index < reader->next)
            continue;
        reader->next = index + 1;
        if (!taking->fn(taking->context, index, record)) {
            taking->is_stopped = true;
            return ERR_OK;
        }
    }
    return ERR_OK;
}

/* The batch at the reader's place: skipped when it lies before `next`, handed out otherwise. */
static enum err read_batch(struct journal_reader *reader, struct taking *taking)
{
    uint8_t bytes[BATCH_HEADER_SIZE];
    struct batch_head head;
    enum err err = file_read_at(reader->fd, bytes, sizeof bytes, reader->at);
    if (!err)
        err = batch_head_read(bytes, reader->salt, &head);
    if (!err && head.first_index != reader->at_index)
        err = ERR_CORRUPT;
    if (err)
        return err;
    if (head.first_index + head.n_records > reader->next) {
        err = batch_load(reader->fd, reader->at, reader->salt, &head, &reader->body);
        if (!err)
            err = hand_out(reader, &head, taking);
        if (err || reader->next < head.first_index + head.n_records) /* stopped inside: the batch is read again */
            return err;
    }
    reader->at += BATCH_HEADER_SIZE + (uint64_t)head.body_len;
    reader->at_index = head.first_index + head.n_records;
    return ERR_OK;
}

/* The writer goes on to a new segment only when the old one is complete: the next record is in the segment that begins with it, if there is
 * one. What stands behind the last batch tells nothing: it may be zeros. */
static bool is_at_segment_end(struct journal_reader *reader)
{
    uint64_t segment;
    uint8_t bytes[BATCH_HEADER_SIZE];
    struct batch_head head;
    if (reader->at_index != reader->next)
        return false;
    if (find_segment(reader->journal, reader->next, &segment) == ERR_OK)
        return segment != reader->segment;
    /* It was dropped, and what follows as well: nobody knows where it ended but the segment itself. */
    return file_read_at(reader->fd, bytes, sizeof bytes, reader->at) || batch_head_read(bytes, reader->salt, &head) ||
           head.first_index != reader->at_index;
}

enum err journal_reader_read(struct journal_reader *reader, bool (*fn)(void *context, uint64_t index, struct str record), void *context)
{
    struct taking taking = {.fn = fn, .context = context};
    uint64_t end = journal_n_durable(reader->journal);
    while (reader->next < end && !taking.is_stopped) {
        enum err err = ERR_OK;
        if (reader->fd >= 0 && is_at_segment_end(reader))
            leave_segment(reader);
        if (reader->fd < 0)
            err = enter_segment(reader);
        if (!err)
            err = read_batch(reader, &taking);
        if (err)
            return err;
    }
    return ERR_OK;
}

enum err journal_read(struct journal *journal, uint64_t from, bool (*fn)(void *context, uint64_t index, struct str record), void *context)
{
    if (from < journal_first_index(journal))
        return ERR_NOT_FOUND;
    struct journal_reader *reader;
    enum err err = journal_reader_create(journal, from, &reader);
    if (err)
        return err;
    err = journal_reader_read(reader, fn, context);
    journal_reader_destroy(reader);
    return err;
}
