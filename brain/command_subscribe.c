/* `citybrain subscribe`: a stream's rows as JSON lines, through the running brain's door, as a party of this data folder. */
#include "base/mem.h"
#include "brain/city.h"
#include "brain/commands.h"
#include "hub/cli_call.h"
#include "hub/cli_subscribe.h"

#include <stdio.h>

#define ROWS_MAX 1e12

enum { SUBSCRIBE_AS, SUBSCRIBE_PURPOSE, SUBSCRIBE_FIELDS, SUBSCRIBE_ROWS, SUBSCRIBE_CITY, SUBSCRIBE_DATA, SUBSCRIBE_URL };
static const struct command_option options[] = {
    {"as", "PARTY", "who asks: a program of the city with a token, hangzhou/scene.parking"},
    {"purpose", "CODE", "what for, as the contract says it: parking.guide"},
    {"fields", "a,b", "which fields (default: all that the contract grants)"},
    {"rows", "N", "ends after so many rows (default: goes on until it is ended)"},
    {"city", "DIR", "the city's files (default city/hangzhou)"},
    {"data", "DIR", "its data folder, for the token (default var/CITY)"},
    {"url", "URL", "the brain's address (default: as city.yaml says)"},
    {NULL, NULL, NULL},
};

static int subscribe_city(const struct command_line *line, const struct city *city, uint64_t n_rows)
{
    char url[128], token[256];
    snprintf(url, sizeof(url), "http://%s:%u", city->address, city->port);
    if (hub_cli_token(city->data_dir, line->values[SUBSCRIBE_AS], token, sizeof(token)) != ERR_OK) {
        fprintf(stderr,
            "citybrain subscribe: %s has no token in %s/tokens; parties.yaml says who gets one, and the brain makes it at its start\n",
            line->values[SUBSCRIBE_AS], city->data_dir);
        return 2;
    }
    const struct hub_cli_subscribe subscribe = {.url = line->values[SUBSCRIBE_URL] ? line->values[SUBSCRIBE_URL] : url,
        .token = token,
        .resource = line->words[0],
        .purpose = line->values[SUBSCRIBE_PURPOSE],
        .fields = line->values[SUBSCRIBE_FIELDS],
        .n_rows = n_rows};
    return hub_cli_subscribe(&subscribe, stdout, stderr);
}

static int run_subscribe(const struct command_line *line)
{
    struct city city;
    double n_rows = 0;
    if (!line->values[SUBSCRIBE_AS] || !line->values[SUBSCRIBE_PURPOSE]) {
        fprintf(stderr, "citybrain subscribe: give --as PARTY and --purpose CODE; no use without them\n");
        return 2;
    }
    if (line->values[SUBSCRIBE_ROWS] && !command_number(line->values[SUBSCRIBE_ROWS], "rows", 1, ROWS_MAX, &n_rows))
        return 2;
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!diags)
        return 2;
    enum err err = city_load(
        line->values[SUBSCRIBE_CITY] ? line->values[SUBSCRIBE_CITY] : "city/hangzhou", line->values[SUBSCRIBE_DATA], diags, &city);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain subscribe: %s\n", diags->diags[i].text);
    mem_free(diags);
    if (err != ERR_OK)
        return 2;
    int status = subscribe_city(line, &city, (uint64_t)n_rows);
    city_finish(&city);
    return status;
}

const struct command command_subscribe = {"subscribe", "RESOURCE --as PARTY --purpose CODE",
    "a stream's rows as they come, a line of JSON each with its receipt, under contract", options, 1, 1, run_subscribe};
