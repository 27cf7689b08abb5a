/*
 * `citybrain subscribe`: a stream's rows from the shell, as a party, for a purpose, through the running brain's door (server-sent events,
 * docs/hub.md). A row a line, as JSON, with the receipt of the window that it came in:
 *
 *     {"contract":"hangzhou/c-44","receipt":"hangzhou.log/48211","row":{"area":"hangzhou","name":"flow","value":812}}
 */
#ifndef HUB_CLI_SUBSCRIBE_H
#define HUB_CLI_SUBSCRIBE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdio.h>

#define HUB_CLI_EVENT_MAX (2u << 20) /* bytes of one event: a rows event has at most 640 KiB */

struct hub_cli_subscribe {
    const char *url;      /* "http://127.0.0.1:8080" */
    const char *token;    /* of the party */
    const char *resource; /* "hangzhou/scene.count/indicator" */
    const char *purpose;
    const char *fields; /* "name,value"; NULL: all that a contract for this purpose grants */
    uint64_t n_rows;    /* ends after so many; 0: goes on */
};

/* Rows on `out`, flushed with each event; a refusal, the end of the contract, or what broke in words on `error`. Returns the exit code: 0
 * as many rows as were asked for, 1 refused or ended by the hub, 2 not reached, broken off or asked wrongly. */
int hub_cli_subscribe(const struct hub_cli_subscribe *subscribe, FILE *out, FILE *error);

/* ---- what comes, as it comes ---- */

struct hub_cli_events {
    FILE *out, *error; /* error NULL: what was left out is told to nobody */
    uint64_t n_left;   /* UINT64_MAX: without end */
    /* kept */
    struct buf line, data;
    char event[16], contract[256], receipt[256];
    bool is_enough, is_ended;
    int rule; /* is_ended: why; 0: not told */
};
void hub_cli_events_init(struct hub_cli_events *events, FILE *out, uint64_t n_rows);
void hub_cli_events_finish(struct hub_cli_events *events);
/* Bytes of the answer, cut anywhere. ERR_CANCELLED: that was enough, or the hub said that it ended; ERR_SYNTAX: no such form;
 * ERR_TOO_LARGE; ERR_IO: `out` takes no more. */
enum err hub_cli_events_take(struct hub_cli_events *events, struct str bytes) MUST_CHECK;

#endif
