/*
 * What the hub and a department's own process say to each other under a session: an asking of a table (struct hub_fetch), of a command
 * (struct hub_ask), of an object (struct hub_object_ask), after a stream's events and the system's health; and the answers. Bytes:
 * docs/bus.md. Columns go by name, so that two sides whose files differ never mean different fields. Pure; what is read is bounded and
 * checked before anything is done with it.
 */
#ifndef SYSTEM_BUS_CODEC_H
#define SYSTEM_BUS_CODEC_H

#include "base/rows.h"
#include "hub/events.h"
#include "hub/system.h"

#define SYSTEM_BUS_PART (200u * 1024) /* bytes of rows in one part of an answer */
#define SYSTEM_BUS_MAX (900u * 1024)  /* of a question: 64 lists of 1,024 short keys do not come up, one of long ones does */

enum system_bus_what {
    SYSTEM_BUS_FETCH = 1,
    SYSTEM_BUS_ACT = 2,
    SYSTEM_BUS_HEALTH = 3,
    SYSTEM_BUS_CANCEL = 4, /* a fetch whose asker has gone */
    SYSTEM_BUS_OPEN = 5,   /* an object; */
    SYSTEM_BUS_READ = 6,   /* a piece of it; */
    SYSTEM_BUS_CLOSE = 7,  /* no other will be read */
    SYSTEM_BUS_TAKE = 8,   /* what is new in a stream */
};

typedef const struct hub_resource *(*system_bus_find_fn)(void *context, struct str name); /* NULL: none */

/* ---- questions ---- */

struct system_bus_fetch {
    struct str contract, resource, receipt; /* receipt: of the intent; empty: not known yet (a query's) */
    struct sha256 hash;                     /* of the contract's content */
    uint64_t number;                        /* by which a FETCH can be cancelled: the asker's own, never used twice */
};
/* What a READ says is enough for a process that was started anew: it opens the object again, and sees whether it is the same one. */
struct system_bus_object {
    struct str contract, receipt;
    struct sha256 hash;
    uint64_t handle; /* chosen by the asker, at random */
    struct value key;
    struct str version; /* of a READ: as it was opened */
    uint64_t at;
    uint32_t n; /* at most HUB_OBJECT_PIECE */
    bool is_last;
};
/* Check out->err. */
void system_bus_fetch_write(
    const struct system_bus_fetch *head, const struct hub_resource *resource, const struct hub_fetch *fetch, struct buf *out);
void system_bus_act_write(const struct hub_ask *ask, struct buf *out);
void system_bus_health_write(struct str system, struct buf *out);
void system_bus_cancel_write(uint64_t number, struct buf *out);
/* OPEN or READ. */
void system_bus_object_write(
    enum system_bus_what what, const struct hub_resource *resource, const struct system_bus_object *object, struct buf *out);
void system_bus_close_write(uint64_t handle, struct buf *out);
struct system_bus_take {
    uint64_t epoch, from; /* 0 and 0: from what the asker has confirmed once */
    uint64_t confirmed;   /* the asker has no use any more for what is before; of this epoch */
};
void system_bus_take_write(const struct hub_resource *resource, const struct system_bus_take *take, struct buf *out);

struct system_bus_question {
    enum system_bus_what what;
    const struct hub_resource *resource; /* of FETCH, ACT, OPEN, READ */
    struct system_bus_fetch head;
    struct hub_fetch fetch; /* what is asked; arrays and texts in the arena, or borrowed from the bytes */
    struct hub_ask ask;
    struct str system;               /* HEALTH */
    struct system_bus_object object; /* OPEN, READ; of CLOSE the handle */
    struct system_bus_take take;
};
/* ERR_SYNTAX; ERR_NOT_FOUND: no such resource, or column; ERR_RANGE: a value of another type than its column; ERR_NO_MEMORY. */
enum err system_bus_question_read(
    struct arena *arena, struct str bytes, system_bus_find_fn find, void *context, struct system_bus_question *ret_question) MUST_CHECK;

/* ---- answers ---- */

/* An error alone, as any answer may be one; ERR_OK is none. */
void system_bus_error_write(enum err err, struct buf *out);
/* Rows from `from` on, as many as a part holds; returns how many. */
size_t system_bus_rows_write(const struct rows *rows, size_t from, bool is_truncated, struct buf *out);
/* One part: its rows are added to `rows`, whose fields must be of these types (or NULL). *ret_err: what the other side tells. */
enum err system_bus_rows_read(
    struct str bytes, const enum value_type *types, size_t n_types, struct rows *rows, bool *ret_truncated, enum err *ret_err) MUST_CHECK;
/* What was opened: n_bytes, media_type, version, is_version_weak. */
void system_bus_opened_write(const struct hub_object_ask *ask, struct buf *out);
enum err system_bus_opened_read(struct str bytes, struct hub_object_ask *ask, enum err *ret_err) MUST_CHECK;
void system_bus_piece_write(struct str piece, struct buf *out);
enum err system_bus_piece_read(struct str bytes, struct str *ret_piece, enum err *ret_err) MUST_CHECK; /* borrows */
/* A row of alerts (hub/alert.h) is `party`'s to tell: of its own database's audit, under a key that begins with its name. No alarm of the
 * hub's about it, and no other department's, is opened or closed by its word. */
bool system_bus_alert_is_own(struct str party, const struct value *row);
/* Which records an answer holds, as the journal of what was served says it: "1f2e…/7+3". */
#define SYSTEM_BUS_RECORDS_NAME 64
void system_bus_records_name(uint64_t epoch, uint64_t first, size_t n, char out[SYSTEM_BUS_RECORDS_NAME]);
void system_bus_act_answer_write(enum err err, struct str answer, struct buf *out);
enum err system_bus_act_answer_read(struct str bytes, struct str *ret_answer, enum err *ret_err) MUST_CHECK;

struct system_bus_health {
    enum hub_health health;
    int64_t last_heard_ms;
    struct str detail;
};
void system_bus_health_answer_write(const struct system_bus_health *health, struct buf *out);
enum err system_bus_health_answer_read(
    struct str bytes, struct system_bus_health *ret_health) MUST_CHECK; /* ERR_NOT_FOUND: no such system */

#endif
