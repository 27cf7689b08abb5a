/* `citybrain system`: a department's connectors in a process of its own, beside its databases, serving the hub over the bus. */
#ifndef BRAIN_SYSTEM_H
#define BRAIN_SYSTEM_H

#include "brain/bus.h"

struct system_options {
    const char *city_dir, *data_dir; /* data_dir NULL: var/CITY-PARTY */
    const char *party;
    struct brain_bus_options bus;
};
/* Runs until SIGINT or SIGTERM. What goes wrong at the start is told on standard error. Returns the exit status. */
int run_system(const struct system_options *options);

#endif
