/*
 * The connector to a department's HTTP/JSON interface, in place: what it answers, read page by page, as rows of a table.
 */
#ifndef SYSTEM_HTTP_HTTP_H
#define SYSTEM_HTTP_HTTP_H

#include "hub/system.h"

extern const struct hub_system_ops system_http_ops;

#endif
