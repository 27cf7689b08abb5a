/* cityworld's command line: glibc's argp over one table. */
#include "world/options.h"

#include "base/str.h"

#include <argp.h>
#include <string.h>

const char *argp_program_version = "cityworld " CITYBRAIN_VERSION;

enum key {
    KEY_DATA = 256,
    KEY_BRAIN,
    KEY_PORT,
    KEY_SPEED,
    KEY_FROM,
    KEY_SEED,
    KEY_PEAK,
    KEY_RECALL,
    KEY_MISREAD,
    KEY_DUPLICATES,
    KEY_DEAD,
    KEY_REHEARSE,
    KEY_CHECK
};

static const struct argp_option table[] = {
    {"data", KEY_DATA, "DIR", 0, "What tools/make_city made of the city (default var/NAME)", 0},
    {"brain", KEY_BRAIN, "URL", 0, "Where the brain's doors are (default as city.yaml says)", 0},
    {"port", KEY_PORT, "N", 0, "The brain's port on the city's address", 0},
    {"speed", KEY_SPEED, "N", 0, "Simulated seconds in one, 0.1 to 100 (default 1); run the brain with the same", 0},
    {"from", KEY_FROM, "HH:MM", 0, "Hour at which the city comes alive (default 07:45)", 0},
    {"seed", KEY_SEED, "N", 0, "The same seed gives the same day (default 1)", 0},
    {"peak", KEY_PEAK, "N", 0, "Vehicles on the road at the peak (default as world/demand.yaml says)", 0},
    {"recall", KEY_RECALL, "P", 0, "Share of passages that a camera reads (default 0.95)", 1},
    {"misread", KEY_MISREAD, "P", 0, "Share of plates read wrongly (default 0.02)", 1},
    {"duplicates", KEY_DUPLICATES, "P", 0, "Share of passages sent twice (default 0.01)", 1},
    {"dead-camera", KEY_DEAD, "N", 0, "Cameras that say nothing at all (default 0)", 1},
    {"rehearse", KEY_REHEARSE, "SECONDS", 0, "Run so long without a brain, tell each minute how traffic does, and end", 2},
    {"check", KEY_CHECK, NULL, 0, "Read the city's files as at a start, tell every mistake with its place and mend, and end", 2},
    {0},
};

static void want_real(struct argp_state *state, const char *what, const char *arg, double min, double max, double *ret_value)
{
    double value;
    if (str_to_double(str_from_c(arg), &value) || value < min || value > max)
        argp_error(state, "%s: \"%s\" is not a number from %g to %g", what, arg, min, max);
    else
        *ret_value = value;
}

static void want_whole(struct argp_state *state, const char *what, const char *arg, uint64_t max, uint64_t *ret_value)
{
    uint64_t value;
    if (str_to_u64(str_from_c(arg), &value) || value > max)
        argp_error(state, "%s: \"%s\" is not a whole number up to %llu", what, arg, (unsigned long long)max);
    else
        *ret_value = value;
}

static void want_hour(struct argp_state *state, const char *arg, double *ret_second)
{
    struct str hour, minute;
    uint64_t h, m;
    if (!str_cut(str_from_c(arg), ':', &hour, &minute) || str_to_u64(hour, &h) || str_to_u64(minute, &m) || h > 23 || m > 59)
        argp_error(state, "--from: \"%s\" is no time of day; write it as 07:45", arg);
    else
        *ret_second = (double)(h * 3600 + m * 60);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct world_options *options = state->input;
    uint64_t whole = 0;
    switch (key) {
    case KEY_DATA:
        options->data_dir = arg;
        break;
    case KEY_BRAIN:
        options->brain = arg;
        break;
    case KEY_PORT:
        want_whole(state, "--port", arg, 65535, &whole);
        options->port = (int)whole;
        break;
    case KEY_SPEED:
        want_real(state, "--speed", arg, 0.1, 100, &options->speed);
        break;
    case KEY_FROM:
        want_hour(state, arg, &options->from_s);
        break;
    case KEY_SEED:
        want_whole(state, "--seed", arg, UINT64_MAX, &options->seed);
        break;
    case KEY_PEAK:
        want_real(state, "--peak", arg, 1, 1e6, &options->peak);
        break;
    case KEY_RECALL:
        want_real(state, "--recall", arg, 0, 1, &options->faults.recall);
        break;
    case KEY_MISREAD:
        want_real(state, "--misread", arg, 0, 1, &options->faults.misread);
        break;
    case KEY_DUPLICATES:
        want_real(state, "--duplicates", arg, 0, 1, &options->faults.duplicates);
        break;
    case KEY_DEAD:
        want_whole(state, "--dead-camera", arg, UINT32_MAX, &whole);
        options->faults.n_dead = (uint32_t)whole;
        break;
    case KEY_REHEARSE:
        want_whole(state, "--rehearse", arg, 1000000, &whole);
        options->rehearse_s = (uint32_t)whole;
        break;
    case KEY_CHECK:
        options->is_check = true;
        break;
    case ARGP_KEY_ARG:
        if (options->city_dir)
            argp_error(state, "one city at a time; \"%s\" is a second one", arg);
        options->city_dir = arg;
        break;
    case ARGP_KEY_END:
        if (!options->city_dir)
            argp_error(state, "name the city's folder, as city/hangzhou");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void world_options_parse(int argc, char **argv, struct world_options *ret_options)
{
    static const struct argp argp = {.options = table,
        .parser = parse,
        .args_doc = "CITY",
        .doc = "The simulated city: traffic in SUMO, read by cameras that speak to a running brain through its public doors.\v"
               "It ends with 1 when SUMO ends; started again, it goes on. The brain may come and go."};
    *ret_options = (struct world_options){
        .speed = 1, .from_s = 7.75 * 3600, .seed = 1, .faults = {.recall = 0.95, .misread = 0.02, .duplicates = 0.01}};
    (void)argp_parse(&argp, argc, argv, 0, NULL, ret_options);
}
