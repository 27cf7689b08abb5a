/*
 * Contracts from the shell. A draft's file is read as YAML (JSON is YAML, too) and handed over with every scalar as text: the hub reads it
 * as it reads a city's files, and its errors are the same.
 */
#include "hub/cli_contract.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "http/client.h"
#include "hub/contract_verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URL_MAX 2048
#define BODY_MAX 65536
#define DEPTH_MAX 8
#define RECEIPT_TRIES 50 /* a leaf's checkpoint comes within a second */

/* ---- asking ---- */

/* The answer's JSON for a status of 2xx; else the problem in words on `error` and NULL with *ret_code. */
static json_t *ask(
    struct hub_cli_contract *cli, const char *method, const char *path, struct str body, FILE *error, int *ret_code, char *ret_cookie)
{
    char url[URL_MAX], cookie[200];
    const char *headers[] = {cookie, NULL};
    struct http_response response;
    json_t *json = NULL;
    snprintf(url, sizeof url, "%s%s", cli->url, path);
    snprintf(cookie, sizeof cookie, "Cookie: %s", cli->cookie);
    const struct http_request request = {.method = method,
        .url = url,
        .bearer = cli->token,
        .headers = cli->cookie[0] ? headers : NULL,
        .content_type = body.len ? "application/json" : NULL,
        .body = body};
    *ret_code = 2;
    if (http_client_perform(&request, &response)) {
        fprintf(error, "citybrain contract: nobody answers at %s; start the brain with: citybrain run CITY\n", cli->url);
        return NULL;
    }
    if (ret_cookie)
        memcpy(ret_cookie, response.cookie, sizeof cli->cookie);
    if (json_read(buf_str(&response.body), NULL, &json)) {
        fprintf(error, "citybrain contract: the brain's answer cannot be read (status %d)\n", response.status);
        json = NULL;
    } else if (response.status < 200 || response.status > 299) {
        json_t *rule = json_object_get(json, "rule");
        const char *detail = json_string_value(json_object_get(json, "detail"));
        fprintf(error, "refused: %s", detail ? detail : "no reason was given");
        if (json_is_integer(rule))
            fprintf(error, " (rule %lld)", (long long)json_integer_value(rule));
        fprintf(error, "\n");
        *ret_code = 1;
        json_decref(json);
        json = NULL;
    }
    buf_finish(&response.body);
    if (json)
        *ret_code = 0;
    return json;
}

int hub_cli_contract_sign_in(struct hub_cli_contract *cli, FILE *error)
{
    int code;
    struct buf text;
    if (cli->token)
        return 0;
    json_t *body = json_object();
    json_object_set_new(body, "name", json_string(cli->person));
    json_object_set_new(body, "password", json_string(cli->password));
    buf_init(&text, BODY_MAX);
    enum err err = json_write_canonical(body, &text);
    json_decref(body);
    json_t *answer = err ? NULL : ask(cli, "POST", "/party/v1/session", buf_str(&text), error, &code, cli->cookie);
    crypto_wipe((void *)buf_str(&text).ptr, buf_str(&text).len);
    buf_finish(&text);
    bool is_in = answer && cli->cookie[0];
    json_decref(answer);
    return is_in ? 0 : 2;
}

/* ---- telling ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

int hub_cli_contract_list(struct hub_cli_contract *cli, const char *view, FILE *out, FILE *error)
{
    char path[200];
    int code;
    size_t i;
    json_t *contract;
    snprintf(path, sizeof path, "/hub/v1/contracts%s%s", view ? "?view=" : "", view ? view : "");
    json_t *list = ask(cli, "GET", path, STR_NONE, error, &code, NULL);
    if (!list)
        return code;
    json_array_foreach(list, i, contract)
    {
        fprintf(out, "%-18s %-10s %-24s -> %-26s %-32s %s\n", text_of(contract, "contract"), text_of(contract, "state"),
            text_of(contract, "provider"), text_of(contract, "consumer"), text_of(contract, "resource"), text_of(contract, "purpose"));
    }
    json_decref(list);
    return 0;
}

static void print_names(FILE *out, const char *title, const json_t *list)
{
    size_t i;
    json_t *name;
    fprintf(out, "%-12s", title);
    json_array_foreach(list, i, name) fprintf(out, "%s%s", i ? ", " : "", json_string_value(name));
    fprintf(out, "\n");
}

static void print_contract(FILE *out, json_t *contract)
{
    size_t i;
    json_t *step;
    static const char *const members[] = {"contract", "state", "provider", "consumer", "resource", "purpose", "rows", "sha256"};
    static const char *const limits[] = {"per_second", "per_day", "per_month", "min_subjects", "today", "month"};
    for (size_t at = 0; at < sizeof members / sizeof *members; at++)
        if (*text_of(contract, members[at]))
            fprintf(out, "%-12s%s\n", members[at], text_of(contract, members[at]));
    print_names(out, "uses", json_object_get(contract, "uses"));
    print_names(out, "fields", json_object_get(contract, "fields"));
    for (size_t at = 0; at < sizeof limits / sizeof *limits; at++)
        if (json_is_integer(json_object_get(contract, limits[at])))
            fprintf(out, "%-12s%lld\n", limits[at], (long long)json_integer_value(json_object_get(contract, limits[at])));
    print_names(out, "you may", json_object_get(contract, "may"));
    json_array_foreach(json_object_get(contract, "history"), i, step)
    {
        char time[40];
        wall_format_rfc3339((struct wall_time){json_integer_value(json_object_get(step, "time"))}, (struct time_zone){0}, time);
        fprintf(out, "%s  %-9s %-9s %-10s %-18s %s\n", time, text_of(step, "event"), text_of(step, "by"), text_of(step, "state"),
            text_of(step, "person"), text_of(step, "receipt"));
    }
}

/* The receipt file of the step that brought it into force; NULL: there was none. */
static json_t *agreed_receipt(struct hub_cli_contract *cli, const json_t *contract, FILE *error)
{
    size_t i;
    json_t *step;
    const char *index = NULL;
    json_array_foreach(json_object_get(contract, "history"), i, step)
    {
        const char *slash = strchr(text_of(step, "receipt"), '/');
        if (strcmp(text_of(step, "event"), "sign") == 0 && strcmp(text_of(step, "state"), "agreed") == 0 && slash)
            index = slash + 1;
    }
    for (int tries = 0; index && tries < RECEIPT_TRIES; tries++) {
        char path[100];
        int code;
        FILE *quiet = tries + 1 < RECEIPT_TRIES ? fopen("/dev/null", "w") : NULL;
        snprintf(path, sizeof path, "/log/v1/receipt/%s", index);
        json_t *receipt = ask(cli, "GET", path, STR_NONE, quiet ? quiet : error, &code, NULL);
        if (quiet)
            fclose(quiet);
        if (receipt)
            return receipt;
        usleep(100000);
    }
    return NULL;
}

int hub_cli_contract_show(struct hub_cli_contract *cli, const char *name, bool is_json, FILE *out, FILE *error)
{
    char path[URL_MAX];
    struct buf text;
    int code;
    snprintf(path, sizeof path, "/hub/v1/contracts/%s", name);
    json_t *contract = ask(cli, "GET", path, STR_NONE, error, &code, NULL);
    if (!contract)
        return code;
    if (!is_json) {
        print_contract(out, contract);
    } else {
        json_t *receipt = agreed_receipt(cli, contract, error);
        if (receipt)
            json_object_set_new(contract, "receipt", receipt);
        buf_init(&text, CONTRACT_FILE_MAX);
        if (json_write_canonical(contract, &text))
            code = 2;
        else
            fprintf(out, STR_FORMAT "\n", STR_ARG(buf_str(&text)));
        buf_finish(&text);
    }
    json_decref(contract);
    return code;
}

/* ---- drafting ---- */

static json_t *json_of(struct yaml_node node, int depth)
{
    if (depth > DEPTH_MAX)
        return json_null();
    if (yaml_kind(node) == YAML_MAP) {
        json_t *object = json_object();
        for (size_t i = 0; i < yaml_n_items(node); i++) {
            char key[100];
            if (!str_to_c(yaml_text(yaml_map_key(node, i)), key, sizeof key))
                json_object_set_new(object, key, json_of(yaml_map_value(node, i), depth + 1));
        }
        return object;
    }
    if (yaml_kind(node) == YAML_LIST) {
        json_t *list = json_array();
        for (size_t i = 0; i < yaml_n_items(node); i++)
            json_array_append_new(list, json_of(yaml_item(node, i), depth + 1));
        return list;
    }
    return yaml_is_null(node) ? json_null() : json_stringn(yaml_text(node).ptr, yaml_text(node).len);
}

static int print_step(json_t *answer, int code, FILE *out)
{
    if (!answer)
        return code;
    const char *receipt = text_of(answer, "receipt");
    fprintf(out, "%s %s%s%s\n", text_of(answer, "contract"), text_of(answer, "state"), *receipt ? " " : "", receipt);
    json_decref(answer);
    return 0;
}

int hub_cli_contract_draft(struct hub_cli_contract *cli, const char *file, const char *change, FILE *out, FILE *error)
{
    char path[URL_MAX] = "/hub/v1/contracts";
    struct yaml *yaml;
    struct buf text;
    int code = 2;
    struct diag_list *diags = mem_alloc_zero(1, sizeof *diags);
    if (!diags)
        return 2;
    enum err err = yaml_load_file(file, diags, &yaml);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(error, "citybrain contract: %s\n", diags->diags[i].text);
    mem_free(diags);
    if (err)
        return 2;
    json_t *draft = json_of(yaml_root(yaml), 0);
    yaml_destroy(yaml);
    buf_init(&text, BODY_MAX);
    if (change)
        snprintf(path, sizeof path, "/hub/v1/contracts/%s/change", change);
    if (json_write_canonical(draft, &text))
        fprintf(error, "citybrain contract: %s is larger than a draft can be\n", file);
    else
        code = print_step(ask(cli, "POST", path, buf_str(&text), error, &code, NULL), code, out);
    json_decref(draft);
    buf_finish(&text);
    return code;
}

/* ---- steps ---- */

/* {"key":…,"signature":…} over the content of an exported contract. */
static enum err sign_text(struct str contract, const char *key_file, struct buf *ret_body, FILE *error)
{
    char key_text[SIGN_TEXT_MAX], hex[2 * SIGN_SIGNATURE_LEN + 1];
    uint8_t signature[SIGN_SIGNATURE_LEN];
    struct sign_public public_key;
    struct sign_key *key = NULL;
    struct buf file, message;
    buf_init(&file, 4096);
    buf_init(&message, CONTRACT_FILE_MAX);
    enum err err = file_read(key_file, &file);
    if (!err)
        err = sign_key_read(buf_str(&file), &key);
    if (err)
        fprintf(error, "citybrain contract: %s holds no private key; `citybrain contract key FILE` makes one\n", key_file);
    else if ((err = contract_file_message(contract, &message)))
        fprintf(error, "citybrain contract: this is no contract in JSON; `citybrain contract show CONTRACT --json` writes one\n");
    else if (!(err = sign_make(key, buf_str(&message), signature))) {
        sign_key_public(key, &public_key);
        sign_public_text(&public_key, key_text);
        crypto_hex(signature, sizeof signature, hex);
        buf_printf(ret_body, "{\"key\":\"%s\",\"signature\":\"%s\"}", key_text, hex);
        err = ret_body->err;
    }
    sign_key_destroy(key);
    buf_finish(&file);
    buf_finish(&message);
    return err;
}

int hub_cli_contract_sign_file(const char *contract_file, const char *key_file, FILE *out, FILE *error)
{
    struct buf text, body;
    buf_init(&text, CONTRACT_FILE_MAX);
    buf_init(&body, BODY_MAX);
    enum err err = file_read(contract_file, &text);
    if (err)
        fprintf(error, "citybrain contract: %s cannot be read\n", contract_file);
    else if (!(err = sign_text(buf_str(&text), key_file, &body, error)))
        fprintf(out, STR_FORMAT "\n", STR_ARG(buf_str(&body)));
    buf_finish(&text);
    buf_finish(&body);
    return err ? 2 : 0;
}

/* The same over what the door tells; the private key stays here. */
static int sign_here(struct hub_cli_contract *cli, const char *name, const char *key_file, struct buf *body, FILE *error)
{
    char path[URL_MAX];
    struct buf text;
    int code;
    snprintf(path, sizeof path, "/hub/v1/contracts/%s", name);
    json_t *contract = ask(cli, "GET", path, STR_NONE, error, &code, NULL);
    if (!contract)
        return code;
    buf_init(&text, CONTRACT_FILE_MAX);
    if (json_write_canonical(contract, &text) || sign_text(buf_str(&text), key_file, body, error))
        code = 2;
    buf_finish(&text);
    json_decref(contract);
    return code;
}

int hub_cli_contract_step(struct hub_cli_contract *cli, const char *name, const char *step, const char *key_file,
    const char *signature_file, FILE *out, FILE *error)
{
    char path[URL_MAX];
    struct buf body;
    buf_init(&body, BODY_MAX);
    int code = key_file ? sign_here(cli, name, key_file, &body, error) : 0;
    if (!code && signature_file && file_read(signature_file, &body)) {
        fprintf(error, "citybrain contract: %s cannot be read\n", signature_file);
        code = 2;
    }
    if (!code) {
        snprintf(path, sizeof path, "/hub/v1/contracts/%s/%s", name, step);
        json_t *answer = ask(cli, "POST", path, key_file || signature_file ? buf_str(&body) : STR("{}"), error, &code, NULL);
        code = print_step(answer, code, out);
    }
    buf_finish(&body);
    return code;
}
