/* `citybrain witness FILE`: cosigns the checkpoints of logs it knows. Exit status 2: unusable file or arguments; 74: the disk refused. */
#include "brain/commands.h"
#include "brain/witness.h"

enum { WITNESS_PORT, WITNESS_PORT_FILE, WITNESS_VKEY, WITNESS_LOG };
static const struct command_option options[] = {
    {"port", "N", "instead of the port in the file (default 8091); 0 takes any free one"},
    {"port-file", "FILE", "write the port there once it listens"},
    {"vkey", NULL, "print the verifier key, which goes into the logs' policy files, and end; makes the key when there is none"},
    {"log", "LEVEL", "error, warning, notice, info or debug (default notice; info tells each answer)"},
    {NULL, NULL, NULL},
};

static int run(const struct command_line *line)
{
    double port = -1;
    if ((line->values[WITNESS_PORT] && !command_number(line->values[WITNESS_PORT], "port", 0, 65535, &port)) ||
        (line->values[WITNESS_LOG] && !command_set_log_level(line->values[WITNESS_LOG])))
        return 2;
    struct witness_run_options run_options = {.path = line->words[0],
        .port_file = line->values[WITNESS_PORT_FILE],
        .port = (int)port,
        .only_vkey = line->values[WITNESS_VKEY] != NULL};
    return run_witness(&run_options);
}

const struct command command_witness = {"witness", "FILE|DIR [--port N] [--vkey]",
    "cosigns the checkpoints of other people's logs, as FILE (or DIR/witness.yaml) says; prints its verifier key", options, 1, 1, run};
