/* POST /hub/v1/act/{area}/{party}/{name}: a command with its idempotency key (docs/act.md). */
#include "hub/parts.h"
#include "hub/problem.h"

#define BODY_MAX 65536

struct acting {
    struct hub_act act;
    struct http_exchange *x;
};

/* {"state":"done","answer":{…},"repeated":false,"receipt":…}; "refused" with the department's words. */
static void reply_known(struct http_exchange *x, const struct hub_act *act)
{
    struct json_writer w;
    struct buf out;
    buf_init(&out, HUB_ACT_ANSWER_MAX + 1024);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_c(&w, "state", act->state == HUB_ACT_KNOWN ? "done" : "refused");
    json_key(&w, act->state == HUB_ACT_KNOWN ? "answer" : "why");
    json_put_raw(&w, str_is_empty(act->json) ? STR("null") : act->json);
    json_field_bool(&w, "repeated", act->is_repeated);
    json_field_c(&w, "receipt", act->receipt);
    json_end_object(&w);
    if (out.err)
        http_reply_err(x, out.err, STR_NONE);
    else
        http_reply_json(x, act->state == HUB_ACT_KNOWN ? 200 : 422, buf_str(&out));
    buf_finish(&out);
}

static void act_done(struct hub_act *act)
{
    struct http_exchange *x = ((struct acting *)act->context)->x;
    struct http_problem problem = hub_act_problem(act);
    if (act->receipt[0])
        http_add_header(x, "Citybrain-Receipt", str_from_c(act->receipt));
    if (problem.status)
        http_reply_problem(x, problem.status, problem.detail, problem.rule);
    else
        reply_known(x, act);
}

/* As the parameter is declared, else as JSON has it: before the decision nobody learns what a command takes. */
static struct value value_of(const struct hub_resource *resource, struct str name, const json_t *json)
{
    struct value value = VALUE_NONE;
    int at = resource ? hub_field_find(resource, name) : -1;
    if (at >= 0 && json_to_value(json, resource->fields[at].type, &value) == ERR_OK)
        return value;
    if (json_is_string(json))
        return value_text((struct str){json_string_value(json), json_string_length(json)});
    return json_is_integer(json) ? value_integer(json_integer_value(json)) : value_boolean(json_is_true(json));
}

/* What is wrong with the body; NULL: nothing. */
static const char *read_act(struct http_exchange *x, json_t *body, const struct hub_resource *resource, struct hub_act *act)
{
    static const char form[] = "the body is {\"purpose\":\"…\",\"key\":\"…\",\"parameters\":{…}} and may have \"contract\"";
    json_t *parameters = json_object_get(body, "parameters"), *item;
    size_t n = json_object_size(parameters), n_known = 3;
    const char *name;
    if (!json_is_object(body) || json_get_str(body, "purpose", &act->purpose) || json_get_str(body, "key", &act->key) ||
        !json_is_object(parameters))
        return form;
    if (json_object_get(body, "contract")) {
        n_known++;
        if (json_get_str(body, "contract", &act->contract))
            return "\"contract\" is a contract's name";
    }
    if (json_object_size(body) != n_known || n == 0 || n > HUB_FIELDS_MAX)
        return form;
    struct str *names = arena_alloc_zero(http_arena(x), n, sizeof *names);
    struct value *values = arena_alloc_zero(http_arena(x), n, sizeof *values);
    if (!names || !values)
        return "no memory";
    act->names = names;
    act->values = values;
    json_object_foreach(parameters, name, item)
    {
        names[act->n_values] = str_from_c(name);
        values[act->n_values] = value_of(resource, names[act->n_values], item);
        act->n_values++;
    }
    return NULL;
}

static void handle_act(struct http_exchange *x, void *context)
{
    struct hub *hub = context;
    json_t *body;
    struct str resource;
    if (http_body_json(x, &body))
        return;
    struct acting *acting = hub_door_begin(x, sizeof *acting, &resource);
    if (!acting)
        return;
    struct hub_act *act = &acting->act;
    act->resource = resource;
    const char *wrong = read_act(x, body, hub_resource_find(hub, act->resource), act);
    if (wrong) {
        http_reply_problem(x, 400, str_from_c(wrong), -1);
        return;
    }
    acting->x = x;
    act->party = http_identity(x)->party;
    act->loop = http_loop(x);
    act->done = act_done;
    act->context = acting;
    hub_act_start(hub, act);
}

const struct http_route hub_act_routes[] = {
    {HTTP_POST, "/hub/v1/act/{area}/{party}/{name}", HTTP_SIGNED_IN, BODY_MAX, handle_act,
        "A command to a department's system, once by its key; 422 with the department's words when it refuses", .body = "Act",
        .answer = "Acted", .refusal = "ActRefused"},
};
const size_t hub_n_act_routes = sizeof hub_act_routes / sizeof *hub_act_routes;
