/*
 * nkeys: the keys by which clients of a NATS server say who they are (Ed25519; a seed "SU…" in a file of its own, a public key "U…" in the
 * server's configuration). They open the server's door and nothing else: a server chooses what it wants signed, so a party's own key, which
 * signs contracts and sessions, is never used here.
 */
#ifndef BUS_NKEY_H
#define BUS_NKEY_H

#include "base/diag.h"

#define BUS_NKEY_TEXT 60 /* bytes of a seed (58) or public key (56) with its NUL, and room */

/* A new seed into a new file, mode 0600. ERR_EXISTS: there is such a file, and it stays as it is. */
enum err bus_nkey_make(const char *path, struct diag *diag) MUST_CHECK;
/* The public half of the seed in the file. ERR_NOT_FOUND, ERR_SYNTAX. */
enum err bus_nkey_public(const char *path, struct diag *diag, char ret_public[BUS_NKEY_TEXT]) MUST_CHECK;

#endif
