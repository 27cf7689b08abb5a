/*
 * What the pipeline (askings over one connection) and the connector (its connections and who waits) ask of each other.
 */
#ifndef SYSTEM_POSTGRES_PIPELINE_H
#define SYSTEM_POSTGRES_PIPELINE_H

#include "system/postgres/inside.h"

/* ---- pipeline.c: askings over one connection ---- */
void postgres_send(struct postgres_connection *connection, struct postgres_run *run); /* answers it, or has it under way */
void postgres_send_ping(struct postgres_connection *connection);
/* Ends the statement that another process of ours runs; our role may, and needs no second way to the server for it. */
void postgres_send_cancel(struct postgres_connection *connection, int process);
void postgres_push_out(struct postgres_connection *connection); /* what was sent since the last time goes to the server */
void postgres_ready(void *connection, uint32_t epoll_events);   /* the watch's */

void postgres_move_others(struct postgres_connection *connection); /* what is under way behind the first asking is asked elsewhere */

/* ---- postgres.c: what the pipeline tells ---- */
void postgres_answer(struct postgres_system *system, struct postgres_run *run, enum err err);
void postgres_again(struct postgres_system *system, struct postgres_run *run); /* was interrupted by no fault of its own */
void postgres_note_ran(struct postgres_connection *connection, const struct postgres_sent *sent, bool is_certain); /* for the audit */
/* Closes a connection; what is under way on it is asked again elsewhere. `why` NULL: by no fault. */
void postgres_drop(struct postgres_connection *connection, const char *why);
void postgres_settle(struct postgres_system *system); /* after something ended: hands out what waits */

#endif
