/*
 * `citybrain witness`: one witness as a small server, for a department's or a district's own machine. It shares nothing with a brain but
 * the program's file: its own key, its own memory, its own list of logs.
 */
#ifndef BRAIN_WITNESS_H
#define BRAIN_WITNESS_H

#include <stdbool.h>

#define WITNESS_PATH_MAX 512

struct witness_run_options {
    const char *path;      /* witness.yaml, or the folder that holds it */
    const char *port_file; /* where the port is written once it listens; NULL: nowhere */
    int port;              /* -1: as the file says; 0: any */
    bool only_vkey;        /* make the key if there is none, print its verifier key, and end */
};

/* Runs until SIGINT or SIGTERM; what goes wrong at the start is told on standard error. Returns the exit status. */
int run_witness(const struct witness_run_options *options);

#endif
