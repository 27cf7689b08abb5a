/* `citybrain status`: asks a running brain for its figures, as the city's monitor. Exit status 0 ready, 1 not ready, 2 not reached. */
#include "base/mem.h"
#include "brain/city.h"
#include "brain/commands.h"
#include "brain/status.h"
#include "http/client.h"
#include "hub/cli_call.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MAX (64u << 20)

enum { STATUS_AS, STATUS_JSON, STATUS_LANG, STATUS_CITY, STATUS_DATA, STATUS_URL };
static const struct command_option options[] = {
    {"as", "PARTY", "a program with the role operate (default CITY/monitor)"},
    {"json", NULL, "every figure as JSON"},
    {"lang", "zh|en", "default: as LC_ALL or LANG says"},
    {"city", "DIR", "the city's files (default city/hangzhou)"},
    {"data", "DIR", "its data folder, for the token (default var/CITY)"},
    {"url", "URL", "the brain's address (default: as city.yaml says)"},
    {NULL, NULL, NULL},
};

static bool speaks_chinese(const char *given)
{
    const char *lang = given;
    if (!lang && !((lang = getenv("LC_ALL")) && *lang) && !((lang = getenv("LC_MESSAGES")) && *lang))
        lang = getenv("LANG");
    return lang && strncmp(lang, "zh", 2) == 0;
}

/* The body of `path`; false: told on standard error. */
static bool fetch(const char *url, const char *path, const char *token, struct http_response *ret_response)
{
    char address[512];
    const struct http_request request = {.method = "GET", .url = address, .bearer = token, .answer_max = PAGE_MAX};
    enum err err = snprintf(address, sizeof(address), "%s%s", url, path) < (int)sizeof(address) ? ERR_OK : ERR_TOO_LARGE;
    if (err == ERR_OK)
        err = http_client_perform(&request, ret_response);
    if (err != ERR_OK) {
        fprintf(stderr, "citybrain status: no brain answers at %s: %s\n", url, err_text(err));
        return false;
    }
    if (ret_response->status == 200 || (ret_response->status == 503 && strcmp(path, "/readyz") == 0))
        return true;
    fprintf(stderr, "citybrain status: %s%s answered %d: " STR_FORMAT "\n", url, path, ret_response->status,
        STR_ARG(str_slice(buf_str(&ret_response->body), 0, 300)));
    buf_finish(&ret_response->body);
    return false;
}

static int show(const struct command_line *line, const struct status_of *of, const char *token)
{
    struct http_response page, ready;
    json_t *samples = NULL, *readiness = NULL;
    int status = 2;
    if (!fetch(of->url, "/readyz", NULL, &ready))
        return 2;
    if (!fetch(of->url, "/metrics", token, &page)) {
        buf_finish(&ready.body);
        return 2;
    }
    if (json_read(buf_str(&ready.body), NULL, &readiness) != ERR_OK || status_read(buf_str(&page.body), &samples) != ERR_OK)
        fprintf(stderr, "citybrain status: what answers at %s is no brain of this version\n", of->url);
    else {
        status = json_is_true(json_object_get(readiness, "ready")) ? 0 : 1;
        if (line->values[STATUS_JSON]) {
            json_object_set(readiness, "figures", samples);
            json_dumpf(readiness, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
            fputc('\n', stdout);
        } else
            status_print(samples, readiness, of, stdout);
    }
    json_decref(samples);
    json_decref(readiness);
    buf_finish(&page.body);
    buf_finish(&ready.body);
    return status;
}

static int status_of_city(const struct command_line *line, const struct city *city)
{
    char url[128], token[256], party[160], zh[256], en[256], log[256];
    snprintf(url, sizeof(url), "http://%s:%u", city->address, city->port);
    snprintf(party, sizeof(party), STR_FORMAT "/monitor", STR_ARG(city->name));
    snprintf(zh, sizeof(zh), STR_FORMAT, STR_ARG(city->title_zh));
    snprintf(en, sizeof(en), STR_FORMAT, STR_ARG(city->title_en));
    snprintf(log, sizeof(log), STR_FORMAT, STR_ARG(city->log_origin));
    const char *as = line->values[STATUS_AS] ? line->values[STATUS_AS] : party;
    if (hub_cli_token(city->data_dir, as, token, sizeof(token)) != ERR_OK) {
        fprintf(stderr, "citybrain status: %s has no token in %s/tokens; give a program of parties.yaml with roles: [operate] by --as\n",
            as, city->data_dir);
        return 2;
    }
    const struct status_of of = {.title_zh = zh,
        .title_en = en,
        .url = line->values[STATUS_URL] ? line->values[STATUS_URL] : url,
        .log = log,
        .is_zh = speaks_chinese(line->values[STATUS_LANG])};
    return show(line, &of, token);
}

static int run_status(const struct command_line *line)
{
    struct city city;
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!diags)
        return 2;
    enum err err =
        city_load(line->values[STATUS_CITY] ? line->values[STATUS_CITY] : "city/hangzhou", line->values[STATUS_DATA], diags, &city);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain status: %s\n", diags->diags[i].text);
    mem_free(diags);
    if (err != ERR_OK)
        return 2;
    int status = status_of_city(line, &city);
    city_finish(&city);
    return status;
}

const struct command command_status = {
    "status", "[--city DIR] [--json]", "how a running brain is: ledger, departments, streams, queues", options, 0, 0, run_status};
