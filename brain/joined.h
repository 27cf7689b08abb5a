/*
 * A city's hub joined to others: the composition of district/ with its carrier, by city.yaml's `district:`.
 */
#ifndef BRAIN_JOINED_H
#define BRAIN_JOINED_H

#include "brain/city.h"
#include "district/join.h"
#include "district/wire.h"

struct joined {
    struct district *district; /* NULL: the hub stands alone */
    char witness_dir[CITY_PATH_MAX], witness_key[CITY_PATH_MAX], streams_key[CITY_PATH_MAX];
    struct wire *wire; /* NULL with check_only */
};

struct joined_options {
    const struct city *city;
    struct clock *clock;
    const char *bus_url;                 /* instead of city.yaml's; NULL: that one */
    const struct crypto_key *ledger_key; /* NULL with check_only; kept */
    bool check_only;                     /* reads the files, touches nothing */
    void (*fatal)(void *context, const char *part, enum err err);
};

/* Before the hub. Does nothing in a city without `district:`. */
enum err joined_open(struct joined *joined, const struct joined_options *options, struct diag_list *diags) MUST_CHECK;
enum err joined_start(struct joined *joined, struct hub *hub, struct ledger *ledger, struct diag_list *diags) MUST_CHECK;
void joined_stop(struct joined *joined);  /* before hub_stop() */
void joined_close(struct joined *joined); /* after hub_destroy() */

#endif
