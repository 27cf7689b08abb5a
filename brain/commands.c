/* The reader of arguments, and the commands that are only a few lines. */
#include "brain/commands.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "brain/run.h"
#include "hub/decide.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_help(const struct command *command, FILE *out)
{
    fprintf(out, "citybrain %s %s\n    %s\n", command->name, command->arguments, command->summary);
    for (size_t i = 0; command->options[i].name; i++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", command->options[i].name, command->options[i].value ? " " : "",
            command->options[i].value ? command->options[i].value : "");
        fprintf(out, "    %-24s %s\n", left, command->options[i].help);
    }
}

static int find_option(const struct command *command, struct str name)
{
    for (int i = 0; command->options[i].name; i++)
        if (str_equal_c(name, command->options[i].name))
            return i;
    return -1;
}

/* One --name, --name=value or --name value; *at is moved past a value of its own. */
static bool take_option(const struct command *command, int argc, char **argv, int *at, struct command_line *line)
{
    struct str text = str_from_c(argv[*at] + 2), name = text, value = STR_NONE;
    bool has_value = str_cut(text, '=', &name, &value);
    int option = find_option(command, name);
    if (option < 0) {
        fprintf(stderr, "citybrain %s: there is no option --" STR_FORMAT "; see citybrain %s --help\n", command->name, STR_ARG(name),
            command->name);
        return false;
    }
    if (!command->options[option].value) {
        line->values[option] = "";
        return true;
    }
    if (has_value)
        line->values[option] = value.ptr; /* the rest of an argument ends with its NUL */
    else if (*at + 1 < argc)
        line->values[option] = argv[++*at];
    else {
        fprintf(stderr, "citybrain %s: --%s needs %s behind it\n", command->name, command->options[option].name,
            command->options[option].value);
        return false;
    }
    return true;
}

int command_start(const struct command *command, int argc, char **argv)
{
    struct command_line line = {.n_words = 0};
    bool only_words = false;
    for (int at = 1; at < argc; at++) {
        if (!only_words && (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)) {
            print_help(command, stdout);
            return 0;
        }
        if (!only_words && strcmp(argv[at], "--") == 0)
            only_words = true;
        else if (!only_words && strncmp(argv[at], "--", 2) == 0) {
            if (!take_option(command, argc, argv, &at, &line))
                return 2;
        } else if (line.n_words < command->n_words_max && line.n_words < COMMAND_WORDS_MAX)
            line.words[line.n_words++] = argv[at];
        else {
            fprintf(
                stderr, "citybrain %s: \"%s\" is one argument too many; see citybrain %s --help\n", command->name, argv[at], command->name);
            return 2;
        }
    }
    if (line.n_words < command->n_words_min) {
        print_help(command, stderr);
        return 2;
    }
    return command->run(&line);
}

bool command_number(const char *text, const char *name, double min, double max, double *ret_number)
{
    double number;
    if (str_to_double(str_from_c(text), &number) == ERR_OK && number >= min && number <= max) {
        *ret_number = number;
        return true;
    }
    fprintf(stderr, "citybrain: --%s is a number from %g to %g, not \"%s\"\n", name, min, max, text);
    return false;
}

bool command_part(const char *text, unsigned n_max, unsigned *ret_part, unsigned *ret_n)
{
    unsigned part = 0, n = 0;
    char rest = 0;
    if (sscanf(text, "%5u/%5u%c", &part, &n, &rest) != 2 || part < 1 || part > n || n > n_max) {
        fprintf(stderr, "citybrain: --part is \"%s\"; give it as 2/4, the second of four, of at most %u\n", text, n_max);
        return false;
    }
    *ret_part = part - 1;
    *ret_n = n;
    return true;
}

/* ---- run ---- */

enum { RUN_DATA, RUN_PORT, RUN_HTTP_LOOPS, RUN_SPEED, RUN_WEB, RUN_PORT_FILE, RUN_LOG, RUN_OVER_BUS, RUN_BUS, RUN_NAME = RUN_BUS + 4 };
static const struct command_option run_options_table[] = {
    {"data", "DIR", "where the city keeps what it learns (default var/CITY)"},
    {"port", "N", "instead of the port of city.yaml; 0 takes any free one"},
    {"http-loops", "N", "threads that serve HTTP, 1 to 16 (default 1)"},
    {"speed", "X", "let the city's clock run X times as fast, for demonstrations (default 1)"},
    {"web", "DIR", "the built screens (default cockpit/web/dist)"},
    {"port-file", "FILE", "write the port there once it listens"},
    {"log", "LEVEL", "error, warning, notice, info or debug (default notice)"},
    {"over-bus", "AREA/PARTY,…", "these departments' systems are reached over the bus (citybrain system)"},
    BRAIN_BUS_OPTIONS,
    {NULL, NULL, NULL},
};
static const struct command_option hub_options_table[] = {
    {"data", "DIR", "where it keeps its ledger and all that it learns (default var/CITY-NAME)"},
    {"port", "N", "instead of the port of city.yaml; 0 takes any free one"},
    {"http-loops", "N", "threads that serve HTTP, 1 to 16 (default 1)"},
    {"speed", "X", "let the city's clock run X times as fast, as at the desk (default 1)"},
    {"web", "DIR", "the built screens (default cockpit/web/dist)"},
    {"port-file", "FILE", "write the port there once it listens"},
    {"log", "LEVEL", "error, warning, notice, info or debug (default notice)"},
    {"over-bus", "AREA/PARTY,…", "the departments that it can reach, each with a citybrain system"},
    BRAIN_BUS_OPTIONS,
    {"name", "NAME", "of this process among the hub's; its ledger is LOG.NAME"},
    {NULL, NULL, NULL},
};

bool command_set_log_level(const char *text)
{
    static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i]) == 0) {
            log_set_level((enum log_level)(LOG_ERROR + i));
            return true;
        }
    fprintf(stderr, "citybrain: --log is error, warning, notice, info or debug, not \"%s\"\n", text);
    return false;
}

static int start_city(const struct command_line *line, bool is_district, const char *name)
{
    double port = -1, n_http_loops = 1, speed = 1;
    if ((line->values[RUN_PORT] && !command_number(line->values[RUN_PORT], "port", 0, 65535, &port)) ||
        (line->values[RUN_HTTP_LOOPS] &&
            !command_number(line->values[RUN_HTTP_LOOPS], "http-loops", 1, RUN_HTTP_LOOPS_MAX, &n_http_loops)) ||
        (line->values[RUN_SPEED] && !command_number(line->values[RUN_SPEED], "speed", 0.01, 100, &speed)) ||
        (line->values[RUN_LOG] && !command_set_log_level(line->values[RUN_LOG])))
        return 2;
    struct run_options options = {.city_dir = line->words[0],
        .data_dir = line->values[RUN_DATA],
        .web_dir = line->values[RUN_WEB],
        .port_file = line->values[RUN_PORT_FILE],
        .over_bus = line->values[RUN_OVER_BUS],
        .bus = brain_bus_read(&line->values[RUN_BUS]),
        .port = (int)port,
        .n_http_loops = (int)n_http_loops,
        .is_district = is_district,
        .replica = name,
        .speed = speed};
    return run_city(&options);
}

static int run_run(const struct command_line *line)
{
    return start_city(line, false, NULL);
}

static int run_district(const struct command_line *line)
{
    return start_city(line, true, NULL);
}

static int run_hub(const struct command_line *line)
{
    const char *name = line->values[RUN_NAME];
    if (name && str_is_name(str_from_c(name)) && !strchr(name, '.') && strcmp(name, "sm") != 0)
        return start_city(line, false, name);
    fprintf(stderr, "citybrain hub: give --name NAME, of small letters and digits, as in --name r2; each process has its own\n");
    return 2;
}

const struct command command_district = {"district", "CITY [--data DIR] [--port N]",
    "a hub of a federation with its ledger, registry and cockpit, joined to the others over the bus", run_options_table, 1, 1,
    run_district};
const struct command command_hub = {"hub", "CITY --name NAME [--data DIR] [--port N]",
    "one more process of a city's hub, beside the one that has the desk", hub_options_table, 1, 1, run_hub};
const struct command command_run = {
    "run", "CITY [--data DIR] [--port N]", "everything in one process, until Ctrl-C", run_options_table, 1, 1, run_run};

/* ---- check ---- */

static const struct command_option check_options[] = {
    {"data", "DIR", "where the city keeps what it learns (default var/CITY)"}, {NULL, NULL, NULL}};

static int run_check(const struct command_line *line)
{
    return check_city(line->words[0], line->values[0]);
}

const struct command command_check = {
    "check", "CITY", "reads every file of a city; errors name file, line, cause and mend", check_options, 1, 1, run_check};

/* ---- decide ---- */

static const struct command_option decide_options[] = {
    {"stdio", NULL, "one JSON object a line in, one answer a line out (docs/decide.md)"}, {NULL, NULL, NULL}};

static int run_decide(const struct command_line *line)
{
    if (!line->values[0]) {
        fprintf(stderr, "citybrain decide: give --stdio; it reads one question a line from standard input\n");
        return 2;
    }
    return hub_decide_stdio(STDIN_FILENO, stdout) == ERR_OK ? 0 : 2;
}

const struct command command_decide = {
    "decide", "--stdio", "the decision over standard input and output", decide_options, 0, 0, run_decide};
