/*
 * What journal.c (open, append, the thread) and journal_read.c (readers) share. Private to base/journal*.c.
 */
#ifndef BASE_JOURNAL_PRIVATE_H
#define BASE_JOURNAL_PRIVATE_H

#include "base/journal.h"
#include "base/journal_segment.h"

#include <pthread.h>
#include <stdatomic.h>

struct journal {
    char dir[FILE_PATH_MAX - 64]; /* room for "/<20 digits>.journal" */
    struct journal_options options;
    struct file_ops *files;
    int lock_fd;
    pthread_t thread;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;   /* the thread has work, or is to end */
    struct journal_append *first, *last;
    size_t queued_bytes; /* appended and not yet durable */
    bool is_closing, is_idle;
    enum err stopped;
    uint64_t *segments; /* first indexes, ascending; the last is the one being written */
    size_t n_segments, cap_segments;

    _Atomic uint64_t n_durable;
    struct metric_counter n_refused, n_bytes;
    struct metric_histogram sync_took; /* write and fdatasync of a batch */

    /* the thread's own */
    int fd;
    uint64_t at, next_index, salt, segment_first_index;
    uint64_t room;        /* filled with zeros up to here, or the end of the last batch */
    bool is_closed;       /* the file ends with the empty batch of a clean close */
    bool is_closing_file; /* nothing is filled ahead any more */
    struct buf batch;
    struct str *records; /* of the batch, for on_durable */
    size_t cap_records;
};

/* "<dir>/<first index, 20 digits>.journal" */
void journal_segment_path(const struct journal *journal, uint64_t first_index, char out[FILE_PATH_MAX]);
enum err journal_recover(struct journal *journal, struct diag *diag) MUST_CHECK;
/* Makes the file of a new newest segment durable and turns the thread to it; the list of segments is the caller's. */
enum err journal_start_segment(struct journal *journal, uint64_t first_index) MUST_CHECK;
enum err journal_reserve_segment(struct journal *journal) MUST_CHECK; /* room for one more in the list */

#endif
