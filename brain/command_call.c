/* `citybrain call` and `citybrain act`: uses through the running brain's HTTP door, as a party of this data folder, or over the bus with
 * the party's key. */
#include "base/mem.h"
#include "brain/client.h"
#include "brain/commands.h"
#include "hub/cli_call.h"

#include <stdio.h>
#include <string.h>

/* The third is the one in which the two differ. */
enum {
    CALL_AS,
    CALL_PURPOSE,
    CALL_FIELDS,
    CALL_CONTRACT,
    CALL_CITY,
    CALL_DATA,
    CALL_URL,
    CALL_LINES,
    CALL_WAIT,
    CALL_BUS,
    ACT_KEY = CALL_FIELDS
};
static const struct command_option options[] = {
    {"as", "PARTY", "who asks: a program of the city with a token, over the bus any party with a key: hangzhou/scene.parking"},
    {"purpose", "CODE", "what for, as the contract says it: parking.settle"},
    {"fields", "a,b", "which fields (default: all that the contract grants)"},
    {"contract", "ID", "under which contract (default: the one that fits)"},
    {"city", "DIR", "the city's files (default city/hangzhou)"},
    {"data", "DIR", "its data folder, for the token (default var/CITY)"},
    {"url", "URL", "the brain's address (default: as city.yaml says)"},
    {"lines", NULL, "over the bus: one a line of standard input, KEY=VALUE, several with tabs between; a line each comes back"},
    {"wait", "SECONDS", "over the bus: how long to wait for an answer (default 10, at most 30)"},
    BRAIN_BUS_OPTIONS,
    {NULL, NULL, NULL},
};

static const struct command_option act_options[] = {
    {"as", "PARTY", "who asks: a program of the city with a token, over the bus any party with a key: hangzhou/scene.parking"},
    {"purpose", "CODE", "what for, as the contract says it: parking.obstruct"},
    {"key", "KEY", "your own name for this act: the same key acts once, however often it is asked"},
    {"contract", "ID", "under which contract (default: the one that fits)"},
    {"city", "DIR", "the city's files (default city/hangzhou)"},
    {"data", "DIR", "its data folder, for the token (default var/CITY)"},
    {"url", "URL", "the brain's address (default: as city.yaml says)"},
    {"lines", NULL, "over the bus: one a line of standard input, its key, a tab, NAME=VALUE, with tabs between; a line each comes back"},
    {"wait", "SECONDS", "over the bus: how long to wait for an answer (default 10, at most 30)"},
    BRAIN_BUS_OPTIONS,
    {NULL, NULL, NULL},
};

static struct hub_cli_call call_of(const struct command_line *line, bool is_act)
{
    return (struct hub_cli_call){.resource = line->words[0],
        .purpose = line->values[CALL_PURPOSE],
        .contract = line->values[CALL_CONTRACT],
        .fields = is_act ? NULL : line->values[CALL_FIELDS],
        .act_key = is_act ? line->values[ACT_KEY] ? line->values[ACT_KEY] : "" : NULL,
        .keys = line->words + 1,
        .n_keys = line->n_words - 1};
}

static int use_bus(const struct command_line *line, const struct city *city, bool is_act, struct diag_list *diags)
{
    const struct brain_bus_options bus = brain_bus_read(&line->values[CALL_BUS]);
    struct hub_cli_call call = call_of(line, is_act);
    struct brain_client client;
    int status = 2;
    enum err err = brain_client_open(&bus, city, line->values[CALL_AS], line->values[CALL_WAIT], diags, &client);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain %s: %s\n", is_act ? "act" : "call", diags->diags[i].text);
    if (err == ERR_OK)
        status = line->values[CALL_LINES] ? hub_cli_bus_lines(&client.cli, &call, stdin, stdout, stderr)
                                          : hub_cli_bus_call(&client.cli, &call, stdout, stderr);
    brain_client_close(&client);
    return status;
}

static int use_city(const struct command_line *line, const struct city *city, bool is_act)
{
    char url[128], token[256];
    snprintf(url, sizeof(url), "http://%s:%u", city->address, city->port);
    if (hub_cli_token(city->data_dir, line->values[CALL_AS], token, sizeof(token)) != ERR_OK) {
        fprintf(stderr, "citybrain: %s has no token in %s/tokens; parties.yaml says who gets one, and the brain makes it at its start\n",
            line->values[CALL_AS], city->data_dir);
        return 2;
    }
    struct hub_cli_call call = call_of(line, is_act);
    call.url = line->values[CALL_URL] ? line->values[CALL_URL] : url;
    call.token = token;
    return hub_cli_call(&call, stdout, stderr);
}

/* False: told. */
static bool check(const struct command_line *line, bool is_act)
{
    bool is_line = line->values[CALL_LINES] != NULL;
    if ((is_line && !line->values[CALL_BUS]) || is_line != (line->n_words == 1)) {
        fprintf(stderr, "citybrain %s: give NAME=VALUE behind the resource, or --bus and --lines\n", is_act ? "act" : "call");
        return false;
    }
    return true;
}

static int use(const struct command_line *line, bool is_act)
{
    struct city city;
    if (!check(line, is_act))
        return 2;
    if (!line->values[CALL_AS] || !line->values[CALL_PURPOSE] || (is_act && !line->values[ACT_KEY] && !line->values[CALL_LINES])) {
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
    if (err != ERR_OK) {
        mem_free(diags);
        return 2;
    }
    diags->n = 0;
    int status = line->values[CALL_BUS] ? use_bus(line, &city, is_act, diags) : use_city(line, &city, is_act);
    mem_free(diags);
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
    "a command to a department's system, once by its key, under contract", act_options, 1, 1 + CLI_KEYS_MAX, run_act};
const struct command command_call = {"call", "RESOURCE KEY=VALUE… --as PARTY --purpose CODE",
    "rows of a table by key, from a department's database, under contract", options, 1, 1 + CLI_KEYS_MAX, run_call};
