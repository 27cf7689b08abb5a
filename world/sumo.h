/*
 * SUMO as a child process: started without a window and without network (-X never), told to listen for TraCI on a port of its
 * own, ended with its parent. Its standard output and error go to a file.
 */
#ifndef WORLD_SUMO_H
#define WORLD_SUMO_H

#include "base/diag.h"
#include "traci/client.h"

#include <sys/types.h>

struct sumo {
    pid_t pid; /* 0: not running */
    struct traci_client *client;
};

struct sumo_options {
    const char *network;    /* .net.xml */
    const char *additional; /* vehicle types and loops */
    const char *log;        /* where it speaks to */
    uint64_t seed;
};

/* Starts and connects, waiting at most 60 s for it to have read the network. ERR_NOT_FOUND: no SUMO on this machine; ERR_UNAVAILABLE: it
 * ended, its log says why; ERR_TIMEOUT. */
enum err sumo_start(const struct sumo_options *options, struct diag *diag, struct sumo *ret_sumo) MUST_CHECK;
void sumo_stop(struct sumo *sumo); /* asks it to end, waits 5 s, then kills; harmless when not running */
bool sumo_is_running(struct sumo *sumo);

#endif
