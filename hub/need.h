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
    bool is_query;   /* of a table: by SQL, not by key */
    int64_t keep_ms; /* how long it keeps what it got; 0: no longer than it takes */
};

/* Errors in `diags`, at `node` (where a file names the resource): ERR_NOT_FOUND, ERR_UNSUPPORTED (another kind), ERR_DENIED. Any thread. */
enum err hub_need_check(const struct hub *hub, const struct hub_need *need, struct yaml_node node, struct diag_list *diags) MUST_CHECK;

/* The resource PARTY/NAME, which the party's own file declares with exactly these fields in this order (n_fields 0: they are not looked
 * at). NULL: it does not, said in `diags` at `config`; `page` is the document that lists the fields. Any thread. */
const struct hub_resource *hub_need_own(const struct hub *hub, struct str party, const char *name, const char *const *fields,
    size_t n_fields, const char *page, struct yaml_node config, struct diag_list *diags);

#endif
