/* A need held against the registry: resource, kind, fields, contract. The first that fails is told. */
#include "hub/need.h"

#include "hub/parts.h"

#include <stdio.h>

static const char *use_of(const struct hub_need *need)
{
    return hub_use_names[need->kind == HUB_STREAM    ? HUB_SUBSCRIBE
                         : need->kind == HUB_COMMAND ? HUB_ACT
                         : need->is_query            ? HUB_QUERY
                                                     : HUB_CALL];
}

static bool is_among(struct str name, const struct str *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_equal(names[i], name))
            return true;
    return false;
}

/* What a contract lacks for the need: its error; ERR_OK when it lacks nothing. */
static enum err check_terms(
    const struct hub_need *need, const struct hub_contract *contract, int64_t now_ms, struct yaml_node node, struct diag_list *diags)
{
    const struct decide_contract *terms = &contract->terms;
    if (!is_among(str_from_c(use_of(need)), terms->uses, terms->n_uses))
        return yaml_error(node, diags, ERR_DENIED,
            "contract " STR_FORMAT " does not grant the use \"%s\"; add it to its uses:", STR_ARG(contract->name), use_of(need));
    if (atomic_load(&contract->state) == HUB_ENDED || now_ms >= terms->until_ms)
        return yaml_error(node, diags, ERR_DENIED,
            "contract " STR_FORMAT " has ended, and " STR_FORMAT " needs it for " STR_FORMAT "; mend its %s:, or agree a new one",
            STR_ARG(contract->name), STR_ARG(need->party), STR_ARG(need->resource), now_ms >= terms->until_ms ? "until" : "state");
    if (contract->keep_ms >= 0 && need->keep_ms > contract->keep_ms)
        return yaml_error(node, diags, ERR_DENIED,
            "contract " STR_FORMAT " lets rows be kept for %lld s, and " STR_FORMAT
            " keeps them for %lld s; mend its keep:, or what is kept here",
            STR_ARG(contract->name), (long long)(contract->keep_ms / 1000), STR_ARG(need->party), (long long)(need->keep_ms / 1000));
    for (size_t i = 0; i < need->n_fields; i++)
        if (!is_among(str_from_c(need->fields[i]), terms->fields, terms->n_fields))
            return yaml_error(node, diags, ERR_DENIED,
                "contract " STR_FORMAT " does not grant the field \"%s\", which " STR_FORMAT " reads; add it to its fields:",
                STR_ARG(contract->name), need->fields[i], STR_ARG(need->party));
    return ERR_OK;
}

static enum err check_contracts(const struct hub *hub, const struct hub_need *need, struct yaml_node node, struct diag_list *diags)
{
    const struct hub_contract *last = NULL;
    int64_t now_ms = clock_wall(hub->clock).ms;
    for (const struct hub_contract *c = hub_contract_first(hub, need->party, need->resource); c; c = c->next_same) {
        if (!str_equal(c->purpose, need->purpose))
            continue;
        if (check_terms(need, c, now_ms, node, NULL) == ERR_OK)
            return ERR_OK;
        last = c;
    }
    if (last)
        return check_terms(need, last, now_ms, node, diags);
    return yaml_error(node, diags, ERR_DENIED,
        "no contract lets " STR_FORMAT " use " STR_FORMAT " for " STR_FORMAT "; it needs an agreed one in contracts/", STR_ARG(need->party),
        STR_ARG(need->resource), STR_ARG(need->purpose));
}

enum err hub_need_check(const struct hub *hub, const struct hub_need *need, struct yaml_node node, struct diag_list *diags)
{
    const struct hub_resource *resource = hub_resource_find(hub, need->resource);
    if (!resource)
        return yaml_error(node, diags, ERR_NOT_FOUND,
            "there is no resource \"" STR_FORMAT "\"; declare it in a file of systems/ or scenes/, or mend the name",
            STR_ARG(need->resource));
    if (resource->kind != need->kind)
        return yaml_error(node, diags, ERR_UNSUPPORTED, "\"" STR_FORMAT "\" is a resource of kind %s; a %s is wanted here",
            STR_ARG(need->resource), hub_kind_names[resource->kind], hub_kind_names[need->kind]);
    for (size_t i = 0; i < need->n_fields; i++)
        if (hub_field_find(resource, str_from_c(need->fields[i])) < 0)
            return yaml_error(node, diags, ERR_NOT_FOUND, "\"" STR_FORMAT "\" has no field \"%s\", which " STR_FORMAT " reads",
                STR_ARG(need->resource), need->fields[i], STR_ARG(need->party));
    return check_contracts(hub, need, node, diags);
}
