/*
 * Commands as data: options with their help text, positional arguments, a function. One reader serves them all.
 */
#ifndef BRAIN_COMMANDS_H
#define BRAIN_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#define COMMAND_OPTIONS_MAX 32
#define COMMAND_WORDS_MAX 64 /* positional arguments */

struct command_option {
    const char *name;  /* "port": given as --port N or --port=N */
    const char *value; /* what stands for the value in the help; NULL: a flag */
    const char *help;
};

struct command_line {                        /* what was given */
    const char *values[COMMAND_OPTIONS_MAX]; /* by the option's place in its table; NULL: not given; flags: "" */
    const char *words[COMMAND_WORDS_MAX];
    size_t n_words;
};

struct command {
    const char *name, *arguments, *summary;
    const struct command_option *options; /* ends with name NULL */
    size_t n_words_min, n_words_max;
    int (*run)(const struct command_line *line); /* returns the exit status */
};

/* Reads the arguments (argv[0] is the command's name) and runs it; tells what is wrong with them, exit status 2. */
int command_start(const struct command *command, int argc, char **argv);

/* A number among the options: false, told on standard error, when it is none or outside of [min, max]. */
bool command_number(const char *text, const char *name, double min, double max, double *ret_number);

/* "2/4", the second of four, as 1 of 4: false, told on standard error, when it is none or of more than n_max. */
bool command_part(const char *text, unsigned n_max, unsigned *ret_part, unsigned *ret_n);

/* The level of --log: false, told on standard error, when there is none of that name. */
bool command_set_log_level(const char *text);

extern const struct command command_backup, command_restore, command_status;
extern const struct command command_district;
extern const struct command command_hub;
extern const struct command command_bus_key, command_contract, command_run, command_check, command_act, command_call, command_query,
    command_object, command_subscribe, command_verify, command_system, command_decide, command_count, command_count_part, command_match,
    command_route, command_passages, command_password, command_witness;
extern const struct command command_census;

#endif
