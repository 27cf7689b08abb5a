/* What desk.c and door.c share; nobody else includes it. */
#ifndef BUSINESS_CASE_DESK_INTERNAL_H
#define BUSINESS_CASE_DESK_INTERNAL_H

#include "business/case/desk.h"
#include "business/case/leaf.h"
#include "business/case/live.h"
#include "business/case/store.h"
#include "hub/keep.h"

struct case_input { /* one subscribed stream */
    struct case_desk *desk;
    struct hub_keep *keep;
    bool is_sources;
};

struct case_desk {
    struct case_desk_options options;
    struct case_rules *rules;
    struct case_words words;
    struct loop_thread *thread, *reader_thread;
    struct db_writer *writer;
    struct db *reader;
    struct case_live *live;
    struct case_input inputs[CASE_STREAMS_MAX + 1];
    size_t n_inputs;
    struct case_leaves leaves;
    struct loop_timer tick;
    _Atomic int n_ticks_waiting;
    int64_t looked_at_keeps_ms; /* the writer's thread */
    struct diag_list *diags;    /* during the start */
    enum err start_err;
};

/* A write: what came in a batch of a stream, a look at the deadlines, or one person's step. */
struct case_write {
    struct db_write write;
    struct case_desk *desk;
    enum { CASE_WRITE_ALERTS, CASE_WRITE_SOURCES, CASE_WRITE_TICK, CASE_WRITE_STEP } kind;
    struct wall_time now;
    struct rows *rows; /* ALERTS, SOURCES; held */
    /* STEP */
    int64_t id; /* 0: a new case, event.what is CASE_ALERT */
    struct case_event event;
    struct case_viewer viewer;
    struct buf json; /* the case afterwards */
    struct case_changes changes;
    void (*done)(struct case_write *write);
    void *context;
};

/* On any thread; the write's strings live until `done`. ERR_FULL. */
enum err case_desk_submit(struct case_write *write) MUST_CHECK;

extern const char case_schemas[]; /* business/case/door.schema.json */
extern const struct http_route case_routes[];
extern const size_t case_n_routes;

#endif
