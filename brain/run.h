/*
 * The composition: everything in one process, in the order in which it needs each other, taken down in the opposite order.
 */
#ifndef BRAIN_RUN_H
#define BRAIN_RUN_H

#include "base/diag.h"
#include "base/str.h"
#include "brain/bus.h"

#include <stdint.h>

#define RUN_HTTP_LOOPS_MAX 16

struct run_options {
    const char *city_dir, *data_dir; /* data_dir NULL: var/CITY */
    const char *web_dir;             /* the built screens; NULL: cockpit/web/dist beside the working folder */
    const char *port_file;           /* where the port is written once it listens; NULL: nowhere. For port 0 */
    const char *over_bus;            /* parties reached over the bus, commas between them; NULL: none, and no bus */
    struct brain_bus_options bus;
    int port; /* -1: as city.yaml says; 0: any */
    int n_http_loops;
    const char *replica; /* `citybrain hub`: its name; NULL: it has the desk, and all else */
    bool is_district;    /* `citybrain district`: the city has to be joined to others */
    double speed;        /* of the city's clock; 1 but for demonstrations */
};

/* Runs until SIGINT or SIGTERM. What goes wrong at the start is told on standard error, a line each, with the mend. Returns the exit
 * status. */
int run_city(const struct run_options *options);

/* `citybrain check`: every file of a city, nothing touched. Returns the exit status; prints each error, or that there are none. */
int check_city(const char *city_dir, const char *data_dir);

#endif
