/*
 * For tests of doors: the fake city behind a real HTTP server with the real ledger, each on a loop of its own. Tokens are parties' names:
 * "parking" speaks for h/parking; "citizen" is a person with the plate 浙A1 and the licence 990.
 */
#ifndef HUB_FAKE_DOOR_H
#define HUB_FAKE_DOOR_H

#include "hub/fake.h"

#define FAKE_DOOR_MOUNTS_MAX 64

struct fake_door {
    struct fake_city city;
    struct loop_thread *hub_thread, *http_thread;
    struct http_server *server;
    struct http_mount mounts[FAKE_DOOR_MOUNTS_MAX];
    struct crypto_key *key;
    struct clock *clock; /* given by the test: the hub's; NULL: the system's */
    uint16_t port;
    char url[64];
    struct diag_list diags;
    void (*open_more)(struct fake_door *door); /* given by the test: what has a door beside the hub's, once it has started; NULL: nothing */
    struct http_mount more;
    enum err err;
};

void fake_door_start(struct fake_door *door);       /* after fake_city_make(&door->city) */
void fake_door_end(struct fake_door *door);         /* it may start again, with what is on disk */
void fake_door_stop(struct fake_door *door);        /* and removes the city */
void fake_door_stop_server(struct fake_door *door); /* before what it gave a door to is closed */
/* Runs `fn` on the hub's loop. */
void fake_door_on_hub(struct fake_door *door, void (*fn)(void *context), void *context);
/* One request; token NULL: none. Returns the status; the body NUL-terminated in `out`. */
int fake_door_ask(
    struct fake_door *door, const char *method, const char *path, const char *token, const char *body, char *out, size_t size);

#endif
