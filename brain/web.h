/* The routes that belong to no folder: the screens' static files, the health check, the interface's description. */
#ifndef BRAIN_WEB_H
#define BRAIN_WEB_H

#include "http/server.h"

struct web {
    const char *dir;                 /* the built screens; NULL or absent: a page that says how to build them */
    struct str city;                 /* for the health check */
    const struct http_mount *mounts; /* for the description; set before the servers start */
    size_t n_mounts;
};

extern const struct http_route web_routes[];
extern const size_t web_n_routes;

#endif
