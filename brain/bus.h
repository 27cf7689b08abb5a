/* A process's place on the bus: its link, its party with the party's key. For `citybrain run --over-bus` and `citybrain system`. */
#ifndef BRAIN_BUS_H
#define BRAIN_BUS_H

#include "brain/commands.h"
#include "bus/peer.h"
#include "hub/registry.h"

struct brain_bus_options {
    const char *url, *nkey_file, *ca_file; /* NULL: none */
    const char *party_key;                 /* file of the party's private key (`citybrain contract key`) */
    const char *parties;                   /* parties.yaml, where there is no hub to ask for the parties' public keys */
    bool is_reserved;                      /* bus_peer_options.is_reserved */
};
/* For a command's options, in this order: --bus, --bus-key, --bus-ca, --party-key; and read from `values`, which begin there. */
#define BRAIN_BUS_OPTIONS                                                                                                                  \
    {"bus", "URL", "the NATS server: nats://HOST:PORT or tls://HOST:PORT"}, {"bus-key", "FILE", "this process's key for it (bus-key)"},    \
        {"bus-ca", "FILE", "who signed the server's certificate"},                                                                         \
    {                                                                                                                                      \
        "party-key", "FILE", "the party's private key (contract key)"                                                                      \
    }
struct brain_bus_options brain_bus_read(const char *const *values);

struct brain_bus { /* stays in its place while it is open */
    struct hub *hub;
    struct yaml *parties; /* when there is no hub */
    void (*on_question)(void *context, struct bus_question *question);
    void *context;
    struct bus_link *link;
    struct bus_peer *peer;
    struct sign_key *key;
};
/* `hub`: where the parties' public keys stand, NULL: in options->parties; the party's own must be that of the file. `on_question` NULL: it
 * only asks. `door`: bus_peer_options.door. */
enum err brain_bus_open(const struct brain_bus_options *options, struct hub *hub, struct str party, struct loop *loop,
    void (*on_question)(void *context, struct bus_question *question), void *context, const char *door, struct diag_list *diags,
    struct brain_bus *bus) MUST_CHECK;
void brain_bus_close(struct brain_bus *bus);   /* the link: what is under way ends, on loops that must hear of it. Harmless when not open */
void brain_bus_destroy(struct brain_bus *bus); /* the party: when nobody asks any more. Before or after the other */

#endif
