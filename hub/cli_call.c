/*
 * A call from the shell: asks the brain for the contract's fields and the key's types, then calls. It knows no more than any program does.
 */
#include "hub/cli_call.h"

#include "base/json.h"
#include "http/client.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX 2048
#define BODY_MAX 65536

enum err hub_cli_token(const char *data_dir, const char *party, char *token, size_t size)
{
    char path[URL_MAX];
    const char *slash = strchr(party, '/');
    if (!slash)
        return ERR_SYNTAX;
    int n = snprintf(path, sizeof path, "%s/tokens/%.*s_%s", data_dir, (int)(slash - party), party, slash + 1);
    if (n < 0 || (size_t)n >= sizeof path)
        return ERR_TOO_LARGE;
    FILE *file = fopen(path, "r");
    if (!file)
        return ERR_NOT_FOUND;
    size_t len = fread(token, 1, size - 1, file);
    fclose(file);
    while (len > 0 && isspace((unsigned char)token[len - 1]))
        len--;
    token[len] = '\0';
    return len ? ERR_OK : ERR_NOT_FOUND;
}

static enum err get_list(const struct hub_cli_call *call, const char *what, json_t **ret_list)
{
    char url[URL_MAX];
    struct http_response response;
    snprintf(url, sizeof url, "%s/hub/v1/%s", call->url, what);
    struct http_request request = {.method = "GET", .url = url, .bearer = call->token};
    enum err err = http_client_perform(&request, &response);
    if (err)
        return err;
    if (response.status != 200)
        err = response.status == 401 ? ERR_UNAUTHENTICATED : ERR_UNAVAILABLE;
    else
        err = json_read(buf_str(&response.body), NULL, ret_list);
    buf_finish(&response.body);
    return err;
}

static json_t *find_by(json_t *list, const char *member, const char *is, const char *member_2, const char *is_2)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *a = json_string_value(json_object_get(item, member));
        const char *b = member_2 ? json_string_value(json_object_get(item, member_2)) : NULL;
        if (a && strcmp(a, is) == 0 && (!member_2 || (b && strcmp(b, is_2) == 0)))
            return item;
    }
    return NULL;
}

/* The text as its field's type has it in JSON; as a text when nothing is known. */
static json_t *key_json(json_t *resource, const char *name, const char *text)
{
    json_t *field = find_by(json_object_get(resource, "fields"), "name", name, NULL, NULL);
    const char *type = json_string_value(json_object_get(field, "type"));
    int64_t i;
    double r;
    if (type && strcmp(type, "integer") == 0 && str_to_i64(str_from_c(text), &i) == ERR_OK)
        return json_integer(i);
    if (type && strcmp(type, "real") == 0 && str_to_double(str_from_c(text), &r) == ERR_OK)
        return json_real(r);
    if (type && strcmp(type, "boolean") == 0)
        return json_boolean(strcmp(text, "true") == 0 || strcmp(text, "1") == 0);
    return json_string(text);
}

void hub_cli_put(struct buf *out, const char *name, const char *text)
{
    buf_append_c(out, name);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if ((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || strchr("-_.", *c))
            buf_append_byte(out, (char)*c);
        else
            buf_printf(out, "%%%02X", *c);
}

enum err hub_cli_granted(const struct hub_cli_call *call, struct buf *out)
{
    json_t *contracts, *field;
    size_t i;
    enum err err = get_list(call, "contracts", &contracts);
    if (err)
        return err;
    json_t *contract = find_by(contracts, "resource", call->resource, "purpose", call->purpose);
    json_array_foreach(json_object_get(contract, "fields"), i, field)
    {
        if (i)
            buf_append_byte(out, ',');
        buf_append_c(out, json_string_value(field) ? json_string_value(field) : "");
    }
    json_decref(contracts);
    return out->err;
}

static json_t *fields_json(const struct hub_cli_call *call, json_t *contract)
{
    if (!call->fields && contract)
        return json_incref(json_object_get(contract, "fields"));
    json_t *list = json_array();
    for (const char *at = call->fields ? call->fields : ""; *at;) {
        size_t len = strcspn(at, ",");
        if (len)
            json_array_append_new(list, json_stringn(at, len));
        at += len + (at[len] == ',');
    }
    return list;
}

static enum err make_body(const struct hub_cli_call *call, json_t *resource, json_t *contract, struct buf *out)
{
    json_t *body = json_object(), *key = json_object();
    enum err err = ERR_OK;
    json_object_set_new(body, "purpose", json_string(call->purpose));
    if (call->contract)
        json_object_set_new(body, "contract", json_string(call->contract));
    if (call->act_key)
        json_object_set_new(body, "key", json_string(call->act_key));
    else
        json_object_set_new(body, "fields", fields_json(call, contract));
    for (size_t i = 0; i < call->n_keys && !err; i++) {
        char name[65];
        const char *is = strchr(call->keys[i], '=');
        if (!is || is == call->keys[i] || str_to_c((struct str){call->keys[i], (size_t)(is - call->keys[i])}, name, sizeof name))
            err = ERR_SYNTAX;
        else
            json_object_set_new(key, name, key_json(resource, name, is + 1));
    }
    json_object_set_new(body, call->act_key ? "parameters" : "key", key);
    if (!err)
        err = json_write_canonical(body, out);
    json_decref(body);
    return err;
}

static int tell(FILE *error, const struct hub_cli_call *call, enum err err)
{
    switch (err) {
    case ERR_UNAVAILABLE:
        fprintf(error, "citybrain call: nobody answers at %s; start the brain with: citybrain run CITY\n", call->url);
        break;
    case ERR_UNAUTHENTICATED:
        fprintf(error, "citybrain call: the brain does not know this token; is it from the same data folder?\n");
        break;
    case ERR_SYNTAX:
        fprintf(error, "citybrain call: a key is given as NAME=VALUE\n");
        break;
    default:
        fprintf(error, "citybrain call: %s\n", err_text(err));
    }
    return 2;
}

void hub_cli_tell_rule(struct str body, FILE *error)
{
    static const char *const rules[] = {NULL, "the contract is not agreed", "the contract does not hold yet", "the contract is over",
        "the contract was not confirmed lately enough", "the party is not the contract's consumer", "the resource is not the contract's",
        "the contract does not allow this use", "the purpose is not the contract's", "no fields, or some that the contract does not grant",
        "the second's limit is reached", "the day's limit is reached", "the month's limit is reached",
        "the statistic is over too few subjects"};
    json_t *problem = NULL;
    int64_t rule = 0;
    if (json_read(body, NULL, &problem) == ERR_OK && json_get_i64(problem, "rule", &rule) == ERR_OK && rule > 0 &&
        (size_t)rule < sizeof rules / sizeof *rules)
        fprintf(error, "rule %d of docs/decide.md: %s\n", (int)rule, rules[rule]);
    json_decref(problem);
}

static int post(const struct hub_cli_call *call, struct str body, FILE *out, FILE *error)
{
    char url[URL_MAX];
    struct http_response response;
    snprintf(url, sizeof url, "%s/hub/v1/%s/%s", call->url, call->act_key ? "act" : "call", call->resource);
    struct http_request request = {.method = "POST", .url = url, .bearer = call->token, .content_type = "application/json", .body = body};
    enum err err = http_client_perform(&request, &response);
    if (err)
        return tell(error, call, err);
    bool is_answered = response.status == 200;
    struct str text = buf_str(&response.body);
    fprintf(is_answered ? out : error, STR_FORMAT "\n", STR_ARG(text));
    if (!is_answered)
        hub_cli_tell_rule(text, error);
    buf_finish(&response.body);
    return is_answered ? 0 : 1;
}

int hub_cli_call(const struct hub_cli_call *call, FILE *out, FILE *error)
{
    json_t *resources = NULL, *contracts = NULL;
    struct buf body;
    int code = 2;
    buf_init(&body, BODY_MAX);
    enum err err = get_list(call, "resources", &resources);
    if (!err)
        err = get_list(call, "contracts", &contracts);
    if (!err) {
        json_t *contract = call->contract ? find_by(contracts, "contract", call->contract, NULL, NULL)
                                          : find_by(contracts, "resource", call->resource, "purpose", call->purpose);
        err = make_body(call, find_by(resources, "resource", call->resource, NULL, NULL), contract, &body);
    }
    code = err ? tell(error, call, err) : post(call, buf_str(&body), out, error);
    json_decref(resources);
    json_decref(contracts);
    buf_finish(&body);
    return code;
}
