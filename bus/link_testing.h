/*
 * A real nats-server for tests: on loopback, in a folder of its own, with nkeys and, if wanted, TLS. Killed with the test.
 */
#ifndef BUS_LINK_TESTING_H
#define BUS_LINK_TESTING_H

#include "base/loop.h"
#include "bus/link.h"

#include <sys/types.h>

#define NATS_TESTING_USERS 3

struct nats_testing {
    char folder[64];
    char keys[NATS_TESTING_USERS][128]; /* files of seeds; the last one's public half the server does not know */
    char ca[128], other_ca[128];        /* who signed the server's certificate, and somebody else */
    char url[64];
    int port;
    bool has_tls;
    pid_t pid;
};

void nats_testing_start(struct nats_testing *server, bool has_tls); /* asserts; the test fails with a mend when there is no nats-server */
void nats_testing_kill(struct nats_testing *server);                /* kill -9 */
void nats_testing_again(struct nats_testing *server);               /* on the same port */
void nats_testing_end(struct nats_testing *server);                 /* and removes the folder */
void nats_testing_pause(struct nats_testing *server, bool is_paused);

/* Runs the loop until *flag (an atomic or a plain one of this thread) is true; fails the test after a minute. */
bool nats_testing_until(struct loop *loop, bool (*is_true)(void *context), void *context);
void nats_testing_link(struct nats_testing *server, int user, struct bus_link **ret_link); /* and waits until it is up */

#endif
