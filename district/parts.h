/*
 * The parts of a use: what asked.c, asked_object.c and asked_stream.c (ours at another hub), served.c, served_object.c and served_stream.c
 * (theirs here) share, and do for the rest of district/.
 */
#ifndef DISTRICT_PARTS_H
#define DISTRICT_PARTS_H

#include "district/inside.h"
#include "hub/act.h"
#include "hub/giving.h"
#include "hub/object.h"
#include "hub/place.h"
#include "hub/reading.h"

#define DISTRICT_LONG_MS                                                                                                                   \
    12000 /* what a part of a query, an act or an object waits: longer than the department's own time-out, which says                      \
           * more */

/* ---- ours ---- */
struct asked { /* a part that is under way */
    struct asked *next;
    struct district *district;
    size_t peer;
    uint64_t intent;
    const struct district_plan *plan; /* of a fetch */
    struct hub_fetch *fetch;          /* this, or one of the next three */
    struct hub_ask *act;
    struct hub_object_ask *object_ask;
    struct hub_take *take;
    struct district_long *object; /* of the last two */
    struct rows *rows;
    enum district_what what;
    struct mono_time since;
};

/* ---- asked.c ---- */
void district_use_ask(struct district *district, const struct district_plan *plan, struct hub_fetch *fetch);
void district_use_act(struct district *district, int hub, struct hub_ask *act);
void district_use_end(struct district *district, const struct district_update *update);
void district_use_go_on(struct district *district);   /* asks for the next piece, where one is wanted */
void district_use_give_up(struct district *district); /* those whose askers have gone */
void district_use_drop_all(struct district *district);
/* NULL: no memory, or no hub with which there is an agreement. */
struct asked *asked_create(struct district *district, int hub, uint64_t intent);
/* Into district->out. ERR_TOO_LARGE. */
enum err asked_write(struct district *district, const struct district_question *question) MUST_CHECK;
/* What stands in district->out goes out; takes `asked`, whose end comes by district_use_end(). */
void asked_drive(struct asked *asked, bool is_next, int64_t wait_ms);
/* ERR_UNAVAILABLE, and a line in the log. */
enum err asked_malformed(const struct asked *asked);
void asked_log_refusal(const struct asked *asked, int rule, enum err err);

/* ---- asked_object.c ---- */
struct district_long { /* an object or a stream's window, open at another hub; until that was told that it is over */
    struct district *district;
    int hub;
    uint64_t intent;
    struct str contract;
    struct loop_task task;
};
void district_object_open(struct district *district, int hub, struct hub_object_ask *ask);
void district_object_read(struct district_long *object, struct hub_object_ask *ask);
void district_long_close(struct district_long *object); /* any thread */
void asked_object_end(struct asked *asked, enum err err);
/* Of an answer: what the asker's hub is told. */
enum err asked_object_read(struct asked *asked, struct str bytes, int rule) MUST_CHECK;

/* ---- asked_stream.c ---- */
void district_stream_take(struct district *district, int hub, struct hub_take *take);
void asked_stream_end(struct asked *asked, enum err err);
enum err asked_stream_read(struct asked *asked, struct str bytes, int rule) MUST_CHECK;

/* ---- theirs ---- */
struct serving {
    struct serving *next;
    struct district *district;
    size_t peer;
    uint64_t intent;
    uint32_t part;
    enum district_what what;
    struct mono_time since; /* the part */
    enum err told;          /* of it */
    _Atomic bool is_cancelled;
    bool is_reading, is_object, is_window; /* started; each of them stays open */
    bool is_busy;                          /* a part is being served */
    struct arena arena, part_arena;
    struct str twin;
    struct hub_call call;
    struct hub_act act;
    struct hub_reading reading;
    struct hub_fetch fetch;
    struct hub_object_use object;
    enum err last; /* of what stays open: how its last part ended */
    /* of a reading */
    struct rows *rows; /* of the last asking */
    size_t at;         /* given so far */
    bool is_truncated;
    uint64_t n_rows;
    struct crypto_hash *digest;
    /* of an object */
    bool is_begun, is_counted; /* its range is known; it is one of district->n_objects */
    uint64_t from, left;       /* to be read */
    uint64_t n_given;
    /* of a stream's window */
    struct hub_giving giving;
    uint16_t *map;   /* of its fields in the resource */
    size_t contract; /* its place among the state's */
    struct district_stream *stream;
    struct district_take take; /* asked last */
    bool is_waiting;           /* for something to be there, */
    struct mono_time due;      /* until then */
    bool is_ended;             /* the giving: nothing more is given, though they have not said that it is over */
};

/* ---- served.c ---- */
/* Whose use it is, of what, and what for: in whatever the hub is asked to serve, a call, an act, a reading, an object or a window. */
#define SERVING_USE_OF(info_, serving_)                                                                                                    \
    .party = (info_)->consumer, .resource = (info_)->resource, .purpose = (info_)->purpose, .contract = (info_)->name,                     \
    .twin = (serving_)->twin
void district_use_serve(struct district *district, size_t peer, uint64_t intent, uint32_t part);
void district_use_abort(struct district *district, size_t peer, uint64_t intent);
void district_use_close(struct district *district, size_t peer, uint64_t intent);
void district_use_close_all(struct district *district); /* what stays open, and nobody waits for */
/* What stands in district->out leaves; what is open stays, all else is over. `receipt` may be empty. */
void serving_send(struct serving *serving, struct str receipt);
void serving_send_error(struct serving *serving, enum err err, int rule, struct str receipt);

/* ---- served_object.c ---- */
/* Not ERR_OK: it has not begun. */
enum err serving_object_start(
    struct serving *serving, const struct hub_contract_info *info, const struct district_question *question) MUST_CHECK;
void serving_object_read(struct serving *serving, const struct district_question *question);
void serving_object_end(struct serving *serving);

/* ---- served_stream.c ---- */
enum err serving_stream_start(
    struct serving *serving, const struct hub_contract_info *info, const struct district_question *question) MUST_CHECK;
void serving_stream_take(struct serving *serving, const struct district_question *question);
void serving_stream_end(struct serving *serving);
/* Those that wait for something new: answered when it is there, or `is_over`. */
void serving_streams_tend(struct district *district, bool is_over);

/* ---- streams.c: what is kept of this hub's streams for others ---- */
struct district_stream {
    const struct hub_resource *resource;
    struct hub_record_stream *record;
    uint64_t mask; /* fields that contracts of other hubs' parties grant; 0: nothing is kept */
};
struct district_place {   /* of a contract's consumer in a stream's record (hub/place.h) */
    uint64_t epoch, turn; /* the record's; what is told is their exclusive or: so one consumer's numbering begins anew alone */
    uint64_t confirmed;
    bool is_known, is_read, is_new; /* it has a place; the book was asked; and does not know it yet */
    bool is_told;                   /* that its stream is not kept */
};
void district_streams_look(struct district *district); /* at the contracts: what is to be kept */
/* The same at the start, which is refused when what was kept for others cannot be opened. ERR_CRYPTO, ERR_CORRUPT, ERR_IO … */
enum err district_streams_begin(struct district *district, struct diag *diag) MUST_CHECK;
void district_streams_tend(struct district *district); /* what all have is let go, and where they are is written down */
struct district_stream *district_stream_find(struct district *district, const struct hub_resource *resource); /* NULL: not kept */
/* Where the consumer of a contract is, by the contract's place in the state, for an asking by the numbers of `asked_epoch`. */
struct hub_place_kept district_stream_place(
    struct district *district, const struct district_stream *stream, size_t contract, uint64_t asked_epoch);
/* It has no use any more for what is before `number`. */
void district_stream_confirm(struct district *district, const struct district_stream *stream, size_t contract, uint64_t number);
void district_stream_renew(struct district *district, const struct district_stream *stream, size_t contract); /* its numbering alone */
enum err district_streams_create(struct district *district) MUST_CHECK;
void district_streams_close(struct district *district); /* after hub_stop() */

#endif
