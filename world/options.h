/* cityworld's command line. */
#ifndef WORLD_OPTIONS_H
#define WORLD_OPTIONS_H

#include "world/faults.h"

#include <stdint.h>

struct world_options {
    const char *city_dir, *data_dir;
    const char *brain; /* "http://127.0.0.1:8080"; NULL: as the city's file says */
    int port;          /* of the brain; 0: as the city's file says */
    double speed;      /* simulated seconds in one; the brain is to run with the same */
    double from_s;     /* second of the day at which the city comes alive */
    uint64_t seed;
    double peak; /* vehicles; 0: as the city's file says */
    struct faults faults;
    bool is_check;       /* read the city's files, tell every mistake, end */
    uint32_t rehearse_s; /* over 0: no brain; run so many seconds, tell how traffic does, end */
};

/* Ends the process with a line and a mend when the command line is wrong, and after --help. */
void world_options_parse(int argc, char **argv, struct world_options *ret_options);

#endif
