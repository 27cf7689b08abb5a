/*
 * Contracts made at the desk that the city's files do not fit any more: their resource has gone, or lacks a field that they grant. They are
 * out of force from the start on, stay in the store, and count again at the first start with files that fit. Read once, then never changed:
 * any thread may look.
 */
#include "base/json.h"
#include "hub/desk.h"
#include "hub/parts.h"

#define LIST_MAX (8u << 20)

struct hub_misfit {
    const struct hub_misfit *next;
    struct str contract, provider, consumer, resource, why;
    enum hub_contract_state state; /* as it was agreed, not as it counts */
};

enum err hub_misfit_keep(struct hub *hub, struct str name, struct str terms, enum hub_contract_state state, struct str why)
{
    struct str provider, consumer, resource;
    struct hub_misfit *misfit = arena_alloc_zero(&hub->arena, 1, sizeof *misfit);
    json_t *json = NULL;
    enum err err = misfit ? json_read(terms, NULL, &json) : ERR_NO_MEMORY;
    if (!err && (json_get_str(json, "provider", &provider) || json_get_str(json, "consumer", &consumer) ||
                    json_get_str(json, "resource", &resource)))
        err = ERR_SYNTAX;
    if (!err)
        err = arena_copy_str(&hub->arena, name, &misfit->contract);
    if (!err)
        err = arena_copy_str(&hub->arena, provider, &misfit->provider);
    if (!err)
        err = arena_copy_str(&hub->arena, consumer, &misfit->consumer);
    if (!err)
        err = arena_copy_str(&hub->arena, resource, &misfit->resource);
    if (!err)
        err = arena_copy_str(&hub->arena, why, &misfit->why);
    json_decref(json);
    if (err)
        return err;
    misfit->state = state;
    misfit->next = hub->desk.misfits;
    hub->desk.misfits = misfit;
    return ERR_OK;
}

static bool is_side(const struct hub_misfit *misfit, struct str party)
{
    return !str_is_empty(party) && (str_equal(misfit->provider, party) || str_equal(misfit->consumer, party));
}

static void put_misfit(struct json_writer *w, const struct hub *hub, const struct hub_misfit *misfit)
{
    json_begin_object(w);
    json_field_str(w, "contract", misfit->contract);
    hub_put_party(w, hub, "provider", misfit->provider);
    hub_put_party(w, hub, "consumer", misfit->consumer);
    json_field_str(w, "resource", misfit->resource);
    json_field_c(w, "state", hub_state_names[misfit->state]);
    json_field_str(w, "why", misfit->why);
    json_end_object(w);
}

void hub_misfit_list(struct http_exchange *x, void *context)
{
    const struct hub *hub = context;
    const struct http_identity *who = http_identity(x);
    struct json_writer w;
    struct buf out;
    if (who->roles & HTTP_OPERATE) {
        http_reply_problem(x, 403, str_from_c(negotiate_rule_text(NEGOTIATE_ROLE)), NEGOTIATE_ROLE);
        return;
    }
    buf_init(&out, LIST_MAX);
    json_writer_init(&w, &out);
    json_begin_array(&w);
    for (const struct hub_misfit *misfit = hub->desk.misfits; misfit; misfit = misfit->next)
        if (who->roles & HTTP_AUDIT || is_side(misfit, who->party) || is_side(misfit, who->acts_for))
            put_misfit(&w, hub, misfit);
    json_end_array(&w);
    if (out.err)
        http_reply_err(x, out.err, STR_NONE);
    else
        http_reply_json(x, 200, buf_str(&out));
    buf_finish(&out);
}
