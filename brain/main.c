/*
 * The program: a table of commands, each with its options as data. Exit status: 0 done; 1 refused or found wrong (check, verify);
 * 2 unusable arguments or input; 74 the disk refused.
 */
#include "base/log.h"
#include "brain/commands.h"

#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_run,
    &command_district,
    &command_hub,
    &command_call,
    &command_act,
    &command_query,
    &command_object,
    &command_subscribe,
    &command_check,

    &command_contract,
    &command_verify,
    &command_witness,
    &command_system,
    &command_bus_key,
    &command_decide,
    &command_count,
    &command_census,
    &command_count_part,
    &command_match,
    &command_route,
    &command_passages,
    &command_password,
    &command_status,
    &command_backup,
    &command_restore,
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

#define ARGUMENTS_WIDTH 34 /* longer ones have their line to themselves */

/* Columns of a terminal: "…" is three bytes and one column. */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void print_commands(FILE *out)
{
    fprintf(out, "citybrain: a city's hub, scenes and cockpits in one program\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        const struct command *command = commands[i];
        int pad = ARGUMENTS_WIDTH - columns_of(command->arguments);
        fprintf(out, "    citybrain %-10s %s", command->name, command->arguments);
        fprintf(out, pad >= 0 ? "%*s %s\n" : "\n%*s %s\n", pad >= 0 ? pad : 25 + ARGUMENTS_WIDTH, "", command->summary);
    }
    fprintf(out, "\n    citybrain COMMAND --help        all options of a command\n"
                 "    citybrain --version\n\nDocuments: ARCHITECTURE.md, then docs/\n");
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        printf("citybrain %s\n", CITYBRAIN_VERSION);
        return 0;
    }
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)) {
        print_commands(stdout);
        return 0;
    }
    for (size_t i = 0; argc >= 2 && i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return command_start(commands[i], argc - 1, argv + 1);
    if (argc >= 2)
        fprintf(stderr, "citybrain: there is no command \"%s\"; try citybrain --help\n", argv[1]);
    else
        print_commands(stderr);
    return 2;
}
