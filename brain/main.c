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
    &command_match,
    &command_route,
    &command_passages,
    &command_password,
    &command_status,
    &command_backup,
    &command_restore,
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_commands(FILE *out)
{
    fprintf(out, "citybrain: a city's hub, scenes and cockpits in one program\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "    citybrain %-9s %-34s %s\n", commands[i]->name, commands[i]->arguments, commands[i]->summary);
    fprintf(out, "\n    citybrain COMMAND --help        all options of a command\n"
                 "    citybrain --version\n\nDocuments: docs/, beginning with ARCHITECTURE.md\n");
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
        fprintf(stderr, "citybrain: there is no command \"%s\"; these are there:\n\n", argv[1]);
    print_commands(stderr);
    return 2;
}
