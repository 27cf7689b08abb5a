/*
 * POST /hub/v1/query: a statement in, the answer out. While it runs the connection is looked at: when the asker has gone, the query ends.
 */
#include "hub/query.h"

#include "base/log.h"
#include "http/server.h"
#include "hub/parts.h"

#define LOOK_MS 200 /* how soon a query ends whose asker has gone */

struct asking {
    struct hub_query query;
    struct http_exchange *x;
    struct loop_timer look;
};

static void query_done(struct hub_query *query)
{
    struct asking *asking = query->context;
    loop_timer_stop(&asking->look);
    if (query->refusal.err)
        hub_reply_refusal(asking->x, &query->refusal);
    else
        http_reply_json(asking->x, 200, query->json);
}

static void look(struct loop_timer *timer)
{
    struct asking *asking = container_of(timer, struct asking, look);
    if (http_is_gone(asking->x))
        atomic_store(&asking->query.is_cancelled, true);
    else if (loop_timer_start(asking->query.loop, timer, LOOK_MS))
        log_write(LOG_WARNING, "hub", "a query's asker cannot be looked at", LOG_END);
}

/* As JSON has them: a text, a number, true, false, null. */
static enum err read_parameters(struct arena *arena, const json_t *list, struct hub_query *query)
{
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > HUB_QUERY_PARAMETERS_MAX)
        return ERR_SYNTAX;
    struct value *values = arena_alloc_zero(arena, n + 1, sizeof *values);
    if (!values)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        if (json_is_string(item))
            values[i] = value_text((struct str){json_string_value(item), json_string_length(item)});
        else if (json_is_integer(item))
            values[i] = value_integer(json_integer_value(item));
        else if (json_is_real(item))
            values[i] = value_real(json_real_value(item));
        else if (json_is_boolean(item))
            values[i] = value_boolean(json_is_true(item));
        else if (!json_is_null(item))
            return ERR_SYNTAX;
    }
    query->parameters = values;
    query->n_parameters = n;
    return ERR_OK;
}

static const char *read_query(struct http_exchange *x, const json_t *body, struct hub_query *query)
{
    const json_t *parameters = json_object_get(body, "parameters"), *explain = json_object_get(body, "explain");
    size_t n_known = 2 + (parameters != NULL) + (explain != NULL);
    if (!json_is_object(body) || json_get_str(body, "purpose", &query->purpose) || json_get_str(body, "sql", &query->sql) ||
        json_object_size(body) != n_known || (explain && !json_is_boolean(explain)))
        return "the body is {\"purpose\":\"…\",\"sql\":\"SELECT …\"} and may have \"parameters\":[…] and \"explain\":true";
    if (parameters && read_parameters(http_arena(x), parameters, query))
        return "\"parameters\" is a list of at most 100 texts, numbers, booleans and nulls";
    query->is_explain = json_is_true(explain);
    return NULL;
}

void hub_query_handle(struct http_exchange *x, void *hub)
{
    json_t *body;
    if (http_body_json(x, &body))
        return;
    struct asking *asking = arena_alloc_zero(http_arena(x), 1, sizeof *asking);
    if (!asking) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    struct hub_query *query = &asking->query;
    const char *wrong = read_query(x, body, query);
    if (wrong) {
        http_reply_problem(x, 400, str_from_c(wrong), -1);
        return;
    }
    asking->x = x;
    asking->look.fn = look;
    query->party = http_identity(x)->party;
    query->loop = http_loop(x);
    query->done = query_done;
    query->context = asking;
    if (loop_timer_start(query->loop, &asking->look, LOOK_MS)) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    hub_query_start(hub, query);
}
