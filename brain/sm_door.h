/*
 * The doors of the parallel log in SM3 and SM2: what /log/v1 is for the ledger, below /log-sm/v1. Mounted only where a city has that log.
 */
#ifndef BRAIN_SM_DOOR_H
#define BRAIN_SM_DOOR_H

#include "http/server.h"

extern const struct http_route sm_door_routes[]; /* context: the struct ledger */
extern const size_t sm_door_n_routes;

#endif
