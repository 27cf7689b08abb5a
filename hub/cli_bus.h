/*
 * `citybrain call`, `query` and `act` over the bus: the same uses as at the HTTP door, asked of whichever of the hub's processes takes the
 * session. It knows what a consumer knows: its own key, the hub's public one, and what the hub tells it of its contracts.
 *
 * It blocks: the loop runs here until each answer is there.
 */
#ifndef HUB_CLI_BUS_H
#define HUB_CLI_BUS_H

#include "bus/peer.h"
#include "hub/cli_call.h"
#include "hub/cli_query.h"

struct hub_cli_bus {
    struct bus_peer *peer; /* of the consumer */
    struct loop *loop;     /* the peer's */
    struct str hub;        /* the party that is asked: "hangzhou/hub" */
    const char *url;       /* for what is told when nobody answers */
    uint32_t wait_ms;      /* for each answer, at most HUB_BUS_WAIT_MAX_MS */
};

/* As hub_cli_call(), whose `url` and `token` are not used. */
int hub_cli_bus_call(const struct hub_cli_bus *bus, const struct hub_cli_call *call, FILE *out, FILE *error);
/* One call or act for each line of `in`: NAME=VALUE, several with tabs between them; of an act the first is the key alone. One line on
 * `out` for each: the answer, or the problem. Returns 0 when all were answered, 1 when some were refused, 2 when the hub was not reached.
 */
int hub_cli_bus_lines(const struct hub_cli_bus *bus, const struct hub_cli_call *call, FILE *in, FILE *out, FILE *error);
/* As hub_cli_query(). */
int hub_cli_bus_query(const struct hub_cli_bus *bus, const struct hub_cli_query *query, bool is_json, FILE *out, FILE *error);

#endif
