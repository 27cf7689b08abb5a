/* `citybrain bus-key FILE`: the key by which a process says who it is at the bus's door. Prints the public half, for the server. */
#include "brain/commands.h"
#include "bus/nkey.h"

#include <stdio.h>

static const struct command_option options[] = {
    {"print", NULL, "of a key that is there already: print its public half"}, {NULL, NULL, NULL}};

static int run_bus_key(const struct command_line *line)
{
    struct diag diag = {""};
    char public[BUS_NKEY_TEXT];
    enum err err = line->values[0] ? ERR_OK : bus_nkey_make(line->words[0], &diag);
    if (err == ERR_OK)
        err = bus_nkey_public(line->words[0], &diag, public);
    if (err == ERR_OK)
        printf("%s\n", public);
    else
        fprintf(stderr, "citybrain bus-key: %s\n", diag.text);
    return err == ERR_OK ? 0 : 2;
}

const struct command command_bus_key = {
    "bus-key", "FILE", "makes a key for the bus in a new file, prints its public half (docs/bus.md)", options, 1, 1, run_bus_key};
