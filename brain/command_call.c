/* `citybrain call` and `citybrain act`: one use through the running brain's door, as a party of this data folder. */
#include "base/mem.h"
#include "brain/city.h"
#include "brain/commands.h"
#include "hub/cli_call.h"

#include <stdio.h>
#include <string.h>

/* The third is the one in which the two differ. */
enum { CALL_AS, CALL_PURPOSE, CALL_FIELDS, CALL_CONTRACT, CALL_CITY, CALL_DATA, CALL_URL, ACT_KEY = CALL_FIELDS };
static const struct command_option options[] = {
    {"as", "PARTY", "who asks: a program of the city with a token, hangzhou/scene.parking"},
    {"purpose", "CODE", "what for, as the contract says it: parking.settle"},
    {"fields", "a,b", "which fields (default: all that the contract grants)"},
    {"contract", "ID", "under which contract (default: the one that fits)"},
    {"city", "DIR", "the city's files (default city/hangzhou)"},
    {"data", "DIR", "its data folder, for the token (default var/CITY)"},
    {"url", "URL", "the brain's address (default: as city.yaml says)"},
    {NULL, NULL, NULL},
};

static const struct command_option act_options[] = {
    {"as", "PARTY", "who asks: a program of the city with a token, hangzhou/scene.parking"},
    {"purpose", "CODE", "what for, as the contract says it: parking.obstruct"},
    {"key", "KEY", "your own name for this act: the same key acts once, however often it is asked"},
    {"contract", "ID", "under which contract (default: the one that fits)"},
    {"city", "DIR", "the city's files (default city/hangzhou)"},
    {"data", "DIR", "its data folder, for the token (default var/CITY)"},
    {"url", "URL", "the brain's address (default: as city.yaml says)"},
    {NULL, NULL, NULL},
};

static int use_city(const struct command_line *line, const struct city *city, bool is_act)
{
    char url[128], token[256];
    snprintf(url, sizeof(url), "http://%s:%u", city->address, city->port);
    if (hub_cli_token(city->data_dir, line->values[CALL_AS], token, sizeof(token)) != ERR_OK) {
        fprintf(stderr, "citybrain: %s has no token in %s/tokens; parties.yaml says who gets one, and the brain makes it at its start\n",
            line->values[CALL_AS], city->data_dir);
        return 2;
    }
    struct hub_cli_call call = {.url = line->values[CALL_URL] ? line->values[CALL_URL] : url,
        .token = token,
        .resource = line->words[0],
        .purpose = line->values[CALL_PURPOSE],
        .contract = line->values[CALL_CONTRACT],
        .fields = is_act ? NULL : line->values[CALL_FIELDS],
        .act_key = is_act ? line->values[ACT_KEY] : NULL,
        .keys = line->words + 1,
        .n_keys = line->n_words - 1};
    return hub_cli_call(&call, stdout, stderr);
}

static int use(const struct command_line *line, bool is_act)
{
    struct city city;
    if (!line->values[CALL_AS] || !line->values[CALL_PURPOSE] || (is_act && !line->values[ACT_KEY])) {
        fprintf(stderr, is_act ? "citybrain act: give --as PARTY, --purpose CODE and --key KEY; no act without them\n"
                               : "citybrain call: give --as PARTY and --purpose CODE; no use without them\n");
        return 2;
    }
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!diags)
        return 2;
    enum err err = city_load(line->values[CALL_CITY] ? line->values[CALL_CITY] : "city/hangzhou", line->values[CALL_DATA], diags, &city);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain: %s\n", diags->diags[i].text);
    mem_free(diags);
    if (err != ERR_OK)
        return 2;
    int status = use_city(line, &city, is_act);
    city_finish(&city);
    return status;
}

static int run_call(const struct command_line *line)
{
    return use(line, false);
}

static int run_act(const struct command_line *line)
{
    return use(line, true);
}

const struct command command_act = {"act", "RESOURCE NAME=VALUE… --as PARTY --purpose CODE --key KEY",
    "a command to a department's system, once by its key, under contract", act_options, 2, 1 + CLI_KEYS_MAX, run_act};
const struct command command_call = {"call", "RESOURCE KEY=VALUE… --as PARTY --purpose CODE",
    "rows of a table by key, from a department's database, under contract", options, 2, 1 + CLI_KEYS_MAX, run_call};
