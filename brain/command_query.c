/* `citybrain query`: one statement through the running brain's HTTP door, as a party of this data folder, or over the bus with the party's
 * key. */
#include "base/mem.h"
#include "brain/client.h"
#include "brain/commands.h"
#include "hub/cli_call.h"
#include "hub/cli_query.h"

#include <stdio.h>

#define PARAMETERS_MAX (COMMAND_WORDS_MAX - 1)

enum { QUERY_AS, QUERY_PURPOSE, QUERY_EXPLAIN, QUERY_JSON, QUERY_CITY, QUERY_DATA, QUERY_URL, QUERY_WAIT, QUERY_BUS };
static const struct command_option options[] = {
    {"as", "PARTY", "who asks: a program of the city with a token, over the bus any party with a key: hangzhou/scene.parking"},
    {"purpose", "CODE", "what for, as the contracts say it: parking.settle"},
    {"explain", NULL, "also tell what each department was asked, how often, and how many rows came"},
    {"json", NULL, "the answer as JSON (default: lines parted by tabs)"},
    {"city", "DIR", "the city's files (default city/hangzhou)"},
    {"data", "DIR", "its data folder, for the token (default var/CITY)"},
    {"url", "URL", "the brain's address (default: as city.yaml says)"},
    {"wait", "SECONDS", "over the bus: how long to wait for the answer (default 10, at most 30)"},
    BRAIN_BUS_OPTIONS,
    {NULL, NULL, NULL},
};

static struct hub_cli_query query_of(const struct command_line *line)
{
    return (struct hub_cli_query){.purpose = line->values[QUERY_PURPOSE],
        .sql = line->words[0],
        .parameters = line->words + 1,
        .n_parameters = line->n_words - 1,
        .is_explain = line->values[QUERY_EXPLAIN] != NULL};
}

static int query_bus(const struct command_line *line, const struct city *city, struct diag_list *diags)
{
    const struct brain_bus_options bus = brain_bus_read(&line->values[QUERY_BUS]);
    const struct hub_cli_query query = query_of(line);
    struct brain_client client;
    int status = 2;
    enum err err = brain_client_open(&bus, city, line->values[QUERY_AS], line->values[QUERY_WAIT], diags, &client);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain query: %s\n", diags->diags[i].text);
    if (err == ERR_OK)
        status = hub_cli_bus_query(&client.cli, &query, line->values[QUERY_JSON] != NULL, stdout, stderr);
    brain_client_close(&client);
    return status;
}

static int query_city(const struct command_line *line, const struct city *city)
{
    char url[128], token[256];
    snprintf(url, sizeof(url), "http://%s:%u", city->address, city->port);
    if (hub_cli_token(city->data_dir, line->values[QUERY_AS], token, sizeof(token)) != ERR_OK) {
        fprintf(stderr,
            "citybrain query: %s has no token in %s/tokens; parties.yaml says who gets one, and the brain makes it at its start\n",
            line->values[QUERY_AS], city->data_dir);
        return 2;
    }
    struct hub_cli_query query = query_of(line);
    query.url = line->values[QUERY_URL] ? line->values[QUERY_URL] : url;
    query.token = token;
    return hub_cli_query(&query, line->values[QUERY_JSON] != NULL, stdout, stderr);
}

static int run_query(const struct command_line *line)
{
    struct city city;
    if (!line->values[QUERY_AS] || !line->values[QUERY_PURPOSE]) {
        fprintf(stderr, "citybrain query: give --as PARTY and --purpose CODE; no use without them\n");
        return 2;
    }
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!diags)
        return 2;
    enum err err = city_load(line->values[QUERY_CITY] ? line->values[QUERY_CITY] : "city/hangzhou", line->values[QUERY_DATA], diags, &city);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain query: %s\n", diags->diags[i].text);
    if (err != ERR_OK) {
        mem_free(diags);
        return 2;
    }
    diags->n = 0;
    int status = line->values[QUERY_BUS] ? query_bus(line, &city, diags) : query_city(line, &city);
    mem_free(diags);
    city_finish(&city);
    return status;
}

const struct command command_query = {"query", "\"SELECT …\" [PARAMETER…] --as PARTY --purpose CODE",
    "SQL across departments' tables, in place, each under its contract", options, 1, 1 + PARAMETERS_MAX, run_query};
