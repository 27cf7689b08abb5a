/*
 * `citybrain object`: an object into a file, as a party, for a purpose, through the running brain's door; then what came is held against
 * what the ledger's outcome leaf says was given.
 */
#ifndef HUB_CLI_OBJECT_H
#define HUB_CLI_OBJECT_H

#include <stdbool.h>
#include <stdio.h>

struct hub_cli_object {
    const char *url;   /* "http://127.0.0.1:8080" */
    const char *token; /* of the party */
    const char *resource, *purpose;
    const char *contract; /* NULL: the one that fits */
    const char *key;      /* NULL: an object without a key */
    const char *range;    /* "0-1023", "-100"; NULL: all */
    const char *path;     /* of the file; written beside it, and put there when it is whole and its digest is the one of the receipt */
    bool has_progress;    /* on `error`, while it comes */
};

/* One line on `out`: how many bytes, their SHA-256, type and receipt. Returns the exit code: 0 there and checked, 1 refused, or what came
 * is not what the receipt says, 2 not reached, broken off, or the file cannot be written. */
int hub_cli_object(const struct hub_cli_object *object, FILE *out, FILE *error);

#endif
