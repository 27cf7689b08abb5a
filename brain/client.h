/* A consumer's place on the bus, for commands that ask the hub there instead of over HTTP. */
#ifndef BRAIN_CLIENT_H
#define BRAIN_CLIENT_H

#include "brain/bus.h"
#include "brain/city.h"
#include "hub/cli_bus.h"

struct brain_client { /* stays in its place while it is open */
    struct loop *loop;
    struct brain_bus bus;
    char hub[CITY_PATH_MAX], parties[CITY_PATH_MAX];
    struct hub_cli_bus cli;
};
/* `party`: who asks. Waits for the link. `wait`: seconds for each answer as text, NULL: 10. What is wrong is told in `diags`; to be closed
 * in any case. */
enum err brain_client_open(const struct brain_bus_options *options, const struct city *city, const char *party, const char *wait,
    struct diag_list *diags, struct brain_client *client) MUST_CHECK;
void brain_client_close(struct brain_client *client);

#endif
