/*
 * The carrier over NATS: each hub listens to one subject of its own, and every message on it is sealed in a session of the two hubs
 * (bus/session.h), so that the servers on the way can neither read nor forge it. Leaf nodes carry the subjects along the tree of hubs.
 *
 *     cb.hangzhou.xihu.hub.district.IN     'H' hello | 'W' length of area, area, welcome | 'M' sealed message (docs/district.md)
 *
 * A hub opens a session to each of its peers, and another one when the peer was not heard for a while, since it may have been started anew.
 */
#ifndef DISTRICT_WIRE_H
#define DISTRICT_WIRE_H

#include "district/join.h"

struct wire;

struct wire_options {
    const struct federation *federation;
    struct str area;
    /* the bus: as bus/link.h has them; NULL where not given. Copied */
    const char *url, *nkey_file, *ca_file, *cert_file, *tls_key_file;
    const char *key_path; /* the hub's own private key, made when it is not there; the public half goes beside it, with ".pub" */
    struct clock *clock;  /* the system's: sessions compare it with the other hub's */
};

/* ERR_IO, ERR_SYNTAX: the key; told in `diag`. The public half is also put where the federation says, when that is a file that is missing.
 */
enum err wire_create(const struct wire_options *options, struct diag *diag, struct wire **ret_wire) MUST_CHECK;
void wire_destroy(struct wire *wire); /* after district_stop(); takes NULL */
struct district_carrier *wire_carrier(struct wire *wire);

#endif
