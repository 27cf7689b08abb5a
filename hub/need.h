/*
 * What a scene or a cockpit means to use, said of a city's files before anything runs: is the resource there, of this kind, with these
 * fields, and does a contract grant them for the purpose? `citybrain check` asks this where the running brain would ask decide().
 *
 * It decides nothing, and tells only what no time mends: a contract that is not agreed or in force yet, suspended, out of freshness or
 * quota passes, as a running scene waits for it (hub/keep.h); one that has ended does not.
 */
#ifndef HUB_NEED_H
#define HUB_NEED_H

#include "base/yaml.h"
#include "hub/hub.h"

struct hub_need {
    struct str party; /* who needs it */
    struct str resource, purpose;
    enum hub_kind kind;
    const char *const *fields; /* [n_fields] */
    size_t n_fields;
};

/* Errors in `diags`, at `node` (where a file names the resource): ERR_NOT_FOUND, ERR_UNSUPPORTED (another kind), ERR_DENIED. Any thread. */
enum err hub_need_check(const struct hub *hub, const struct hub_need *need, struct yaml_node node, struct diag_list *diags) MUST_CHECK;

#endif
