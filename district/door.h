/* The routes of a hub that is joined to others; their context is the struct district. */
#ifndef DISTRICT_DOOR_H
#define DISTRICT_DOOR_H

#include "http/server.h"

extern const struct http_route district_routes[];
extern const size_t district_n_routes;
extern const char district_schemas[]; /* district/door.schema.json */

#endif
