/* `citybrain system CITY --party AREA/PARTY --bus URL …` */
#include "brain/commands.h"
#include "brain/system.h"

#include <stdio.h>

enum { SYSTEM_PARTY, SYSTEM_DATA, SYSTEM_LOG, SYSTEM_BUS };
static const struct command_option options[] = {
    {"party", "AREA/PARTY", "whose systems"},
    {"data", "DIR", "where it keeps what it writes; \"{data}\" of the files (default var/CITY-PARTY)"},
    {"log", "LEVEL", "error, warning, notice, info or debug (default notice)"},
    BRAIN_BUS_OPTIONS,
    {NULL, NULL, NULL},
};

static int run_command_system(const struct command_line *line)
{
    if (line->values[SYSTEM_LOG] && !command_set_log_level(line->values[SYSTEM_LOG]))
        return 2;
    if (!line->values[SYSTEM_PARTY]) {
        fprintf(stderr, "citybrain system: --party says whose systems: AREA/PARTY, as in hangzhou/police\n");
        return 2;
    }
    const struct system_options system = {.city_dir = line->words[0],
        .data_dir = line->values[SYSTEM_DATA],
        .party = line->values[SYSTEM_PARTY],
        .bus = brain_bus_read(&line->values[SYSTEM_BUS])};
    return run_system(&system);
}

const struct command command_system = {
    "system", "CITY", "a department's connectors beside its databases, over the bus", options, 1, 1, run_command_system};
