/*
 * `citybrain call` and `citybrain act`: one use from the shell, as a party, for a purpose, through the running brain's door.
 */
#ifndef HUB_CLI_CALL_H
#define HUB_CLI_CALL_H

#include "base/buf.h"

#include <stddef.h>
#include <stdio.h>

#define CLI_KEYS_MAX 16

struct hub_cli_call {
    const char *url;         /* "http://127.0.0.1:8080" */
    const char *token;       /* of the party: the content of {data}/tokens/<area>_<name> */
    const char *resource;    /* "hangzhou/police/vehicle" */
    const char *purpose;     /* "parking.settle" */
    const char *contract;    /* NULL: the one that fits */
    const char *fields;      /* "plate,status"; NULL: all that a contract for this purpose grants */
    const char *act_key;     /* NULL: a call. Else an act with this idempotency key, and `keys` are its parameters */
    const char *const *keys; /* "plate=浙A12345" */
    size_t n_keys;
};

/* The answer's JSON on `out`; a refusal in words on `error`. Returns the exit code: 0 answered, 1 refused, 2 not reached or asked wrongly.
 */
int hub_cli_call(const struct hub_cli_call *call, FILE *out, FILE *error);

/* After a refusal whose problem `body` names a rule of docs/decide.md: that rule in words, a line on `error`; else nothing. */
void hub_cli_tell_rule(struct str body, FILE *error);

/* "plate,status": the fields that a contract of call->resource for call->purpose grants; nothing when there is none. ERR_UNAUTHENTICATED,
 * ERR_UNAVAILABLE. */
enum err hub_cli_granted(const struct hub_cli_call *call, struct buf *out) MUST_CHECK;
/* A part of an address: `name` as it is, `text` percent-encoded. Errors stick in `out`. */
void hub_cli_put(struct buf *out, const char *name, const char *text);

/* Reads {data}/tokens/<area>_<name> of party "<area>/<name>" into `token`, without its newline. ERR_NOT_FOUND: it has none. */
enum err hub_cli_token(const char *data_dir, const char *party, char *token, size_t size) MUST_CHECK;

#endif
