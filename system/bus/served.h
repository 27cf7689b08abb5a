/*
 * The journal of what a department's process served, told to its hub on asking, which holds it against its ledger (watch.h). Lines are JSON
 * texts as serve.c writes them: who asked for what under which receipt, no value and no key. Bytes: docs/bus.md.
 */
#ifndef SYSTEM_BUS_SERVED_H
#define SYSTEM_BUS_SERVED_H

#include "base/journal.h"
#include "base/str.h"

#define SYSTEM_BUS_SERVED 32            /* beside enum system_bus_what */
#define SYSTEM_BUS_SERVED_MAX 500       /* lines of one answer */
#define SYSTEM_BUS_SERVED_BYTES 200000u /* about as many bytes */

/* ---- the hub's side ---- */
void system_bus_served_write(uint64_t from, struct buf *out);
struct bytes_reader;
struct system_bus_served_answer {
    uint64_t id; /* which journal: by its first line; 0: it is empty */
    uint64_t from, end;
    uint16_t n;
};
/* ERR_SYNTAX, or what the other side tells. `reader` is set to the lines. */
enum err system_bus_served_read(struct str bytes, struct bytes_reader *reader, struct system_bus_served_answer *ret_answer) MUST_CHECK;
struct str system_bus_served_line(struct bytes_reader *reader); /* errors stick in the reader */

/* ---- the department's side; one thread ---- */
struct system_bus_served;
enum err system_bus_served_create(struct journal *journal, struct system_bus_served **ret_served) MUST_CHECK;
void system_bus_served_destroy(struct system_bus_served *served); /* takes NULL; before the journal is closed */
bool system_bus_served_is(struct str question);
/* Reads the disk, at most about SYSTEM_BUS_SERVED_BYTES from where the last answer ended. */
enum err system_bus_served_tell(struct system_bus_served *served, struct str question, struct buf *out) MUST_CHECK;

#endif
