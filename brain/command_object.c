/* `citybrain object`: an object into a file, through the running brain's door, as a party of this data folder. */
#include "base/mem.h"
#include "brain/city.h"
#include "brain/commands.h"
#include "hub/cli_call.h"
#include "hub/cli_object.h"

#include <stdio.h>
#include <unistd.h>

enum { OBJECT_AS, OBJECT_PURPOSE, OBJECT_TO, OBJECT_RANGE, OBJECT_CONTRACT, OBJECT_CITY, OBJECT_DATA, OBJECT_URL };
static const struct command_option options[] = {
    {"as", "PARTY", "who asks: a program of the city with a token, hangzhou/scene.medical"},
    {"purpose", "CODE", "what for, as the contract says it: medical.refer"},
    {"to", "FILE", "where to; it is there only when it is whole and its digest is the receipt's"},
    {"range", "A-B", "only these bytes: 0-1023, 1024- or -100 (default: all)"},
    {"contract", "ID", "under which contract (default: the one that fits)"},
    {"city", "DIR", "the city's files (default city/hangzhou)"},
    {"data", "DIR", "its data folder, for the token (default var/CITY)"},
    {"url", "URL", "the brain's address (default: as city.yaml says)"},
    {NULL, NULL, NULL},
};

static int get_object(const struct command_line *line, const struct city *city)
{
    char url[128], token[256];
    snprintf(url, sizeof(url), "http://%s:%u", city->address, city->port);
    if (hub_cli_token(city->data_dir, line->values[OBJECT_AS], token, sizeof(token)) != ERR_OK) {
        fprintf(stderr,
            "citybrain object: %s has no token in %s/tokens; parties.yaml says who gets one, and the brain makes it at its start\n",
            line->values[OBJECT_AS], city->data_dir);
        return 2;
    }
    const struct hub_cli_object object = {.url = line->values[OBJECT_URL] ? line->values[OBJECT_URL] : url,
        .token = token,
        .resource = line->words[0],
        .key = line->n_words > 1 ? line->words[1] : NULL,
        .purpose = line->values[OBJECT_PURPOSE],
        .contract = line->values[OBJECT_CONTRACT],
        .range = line->values[OBJECT_RANGE],
        .path = line->values[OBJECT_TO],
        .has_progress = isatty(STDERR_FILENO)};
    return hub_cli_object(&object, stdout, stderr);
}

static int run_object(const struct command_line *line)
{
    struct city city;
    if (!line->values[OBJECT_AS] || !line->values[OBJECT_PURPOSE] || !line->values[OBJECT_TO]) {
        fprintf(stderr, "citybrain object: give --as PARTY, --purpose CODE and --to FILE\n");
        return 2;
    }
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!diags)
        return 2;
    enum err err =
        city_load(line->values[OBJECT_CITY] ? line->values[OBJECT_CITY] : "city/hangzhou", line->values[OBJECT_DATA], diags, &city);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain object: %s\n", diags->diags[i].text);
    mem_free(diags);
    if (err != ERR_OK)
        return 2;
    int status = get_object(line, &city);
    city_finish(&city);
    return status;
}

const struct command command_object = {"object", "RESOURCE [KEY] --as PARTY --purpose CODE --to FILE",
    "an object of a department into a file, streamed, held against its receipt", options, 1, 2, run_object};
