/* Opened for one command: a loop of its own, the party's keys from the city's parties.yaml. */
#include "brain/client.h"

#include "base/log.h"
#include "hub/bus_ask.h"

#include <stdio.h>

#define LINK_ROUNDS 500 /* of 10 ms, for the server to answer */

enum err brain_client_open(const struct brain_bus_options *options, const struct city *city, const char *party, const char *wait,
    struct diag_list *diags, struct brain_client *client)
{
    double wait_s = 10;
    struct brain_bus_options with_keys = *options;
    *client = (struct brain_client){.loop = NULL};
    log_set_level(LOG_WARNING); /* that the link is up is no news to who asks */
    if (wait && !command_number(wait, "wait", 0.1, HUB_BUS_WAIT_MAX_MS / 1e3, &wait_s))
        return ERR_RANGE;
    int len = snprintf(client->hub, sizeof(client->hub), STR_FORMAT "/hub", STR_ARG(city->name));
    enum err err = len < 0 || (size_t)len >= sizeof(client->hub) ? ERR_TOO_LARGE : city_path(city->dir, "parties.yaml", client->parties);
    if (err == ERR_OK)
        err = loop_create(clock_system(), &client->loop);
    with_keys.parties = client->parties;
    if (err == ERR_OK)
        err = brain_bus_open(&with_keys, NULL, str_from_c(party), client->loop, NULL, NULL, NULL, diags, &client->bus);
    for (int i = 0; i < LINK_ROUNDS && err == ERR_OK && !bus_link_is_up(client->bus.link); i++)
        err = loop_run_once(client->loop, 10);
    client->cli = (struct hub_cli_bus){.peer = client->bus.peer,
        .loop = client->loop,
        .hub = str_from_c(client->hub),
        .url = options->url,
        .wait_ms = (uint32_t)(wait_s * 1000)};
    return err;
}

void brain_client_close(struct brain_client *client)
{
    brain_bus_destroy(&client->bus);
    brain_bus_close(&client->bus);
    for (int i = 0; i < 2 && client->loop; i++)
        if (loop_run_once(client->loop, 0))
            break;
    loop_destroy(client->loop);
}
