/* What serve.c (questions) and serve_object.c (objects) of the department's side share. All on the server's loop. */
#ifndef SYSTEM_BUS_SERVE_INSIDE_H
#define SYSTEM_BUS_SERVE_INSIDE_H

#include "system/bus/codec.h"
#include "system/bus/system_bus.h"

#include <stdatomic.h>

#define SERVE_SYSTEMS_MAX 64 /* of a department */

struct serve_known { /* a source's health as this process's connectors tell it */
    char source[128], detail[HUB_DETAIL_MAX];
    enum hub_health health;
    int64_t last_heard_ms;
};

struct serve_objects;
struct serve_streams;

struct system_bus_server {
    struct system_bus_served *served; /* what is told of the journal */
    struct system_bus_server_options options;
    char asker[BUS_PARTY_MAX + 1];
    struct bus_subscription *sources;
    struct serve_known known[SERVE_SYSTEMS_MAX];
    size_t n_known, n_under_way;
    struct serving *fetches; /* that run, so that they can be cancelled */
    struct serve_objects *objects;
    struct serve_streams *streams; /* NULL: none are kept here */
    _Atomic uint64_t n_served;
};

struct serving { /* a question */
    struct system_bus_server *server;
    struct bus_question *question;
    struct arena arena;
    struct system_bus_question asked;
    struct buf act_answer, line;
    struct str record;
    struct journal_append append;
    bool is_written, is_asked;
    void (*both)(struct serving *serving); /* written down, and the department has answered */
    _Atomic bool is_cancelled;
    struct serving *next, **at; /* of fetches; or next of the reads that wait */
    struct serve_object *object;
    struct hub_record_stream *stream;
    char records[SYSTEM_BUS_RECORDS_NAME]; /* that the answer to a TAKE holds */
    struct mono_time due;                  /* of a TAKE that waits */
    struct hub_object_ask ask;
};

/* ---- serve.c ---- */
/* The last part of the answer; ends the question, and `serving`. */
void serve_answer(struct serving *serving, struct buf *answer);
void serve_refuse(struct serving *serving, enum err err);
/* Into the journal of what was served. Not ERR_OK: `both` may be called as if it had failed there. */
void serve_write_down(struct serving *serving);
void serve_asked(struct serving *serving); /* the department has answered */

/* ---- serve_object.c ---- */
enum err serve_objects_create(struct system_bus_server *server) MUST_CHECK;
void serve_objects_stop(struct system_bus_server *server); /* closes them all; while their systems are open */
void serve_objects_destroy(struct system_bus_server *server);
void serve_object(struct serving *serving); /* OPEN, READ */
void serve_object_close(struct system_bus_server *server, uint64_t handle);

/* ---- serve_stream.c ---- */
enum err serve_streams_create(struct system_bus_server *server) MUST_CHECK;
void serve_streams_stop(struct system_bus_server *server);
void serve_streams_destroy(struct system_bus_server *server);
void serve_stream(struct serving *serving); /* TAKE */

#endif
