/*
 * What the journal's tests share: a folder with a simulated disk, records with a number in them, and reading all of them back. For tests.
 *
 * The oracle is the client's own list: record i has the bytes testing_text(i), and the largest number acknowledged is a mark in the trace.
 */
#ifndef BASE_JOURNAL_TESTING_H
#define BASE_JOURNAL_TESTING_H

#include "base/file_sim.h"
#include "base/journal.h"

struct testing_fixture {
    char root[FILE_PATH_MAX], dir[FILE_PATH_MAX], other[FILE_PATH_MAX];
    struct file_sim *sim;
};
void testing_setup(struct testing_fixture *f);
void testing_finish(struct testing_fixture *f);

/* Record `i`: its number and some bytes, from 7 to about 300 long. */
struct str testing_text(uint64_t i, char out[512]);
enum err testing_open(
    const char *dir, struct file_ops *files, size_t segment_max, struct diag *diag, struct journal **ret_journal) MUST_CHECK;
/* Appends record `i` and waits until it is durable; it must get the number `i`. */
enum err testing_add(struct journal *journal, uint64_t i) MUST_CHECK;
/* Appends until the journal stops; returns how many were acknowledged. */
uint64_t testing_fill(struct journal *journal, uint64_t from, uint64_t n, enum err *ret_err);

struct testing_reading {
    uint64_t next;
    bool is_right;
};
/* For journal_read(): is each record the next one, with its own bytes? */
bool testing_check_record(void *context, uint64_t index, struct str record);
/* Every record from `from` on is there, in order, with its own bytes; returns how many the journal has. */
uint64_t testing_check(struct journal *journal, uint64_t from);

#endif
