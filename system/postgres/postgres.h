/*
 * The connector to a department's PostgreSQL: in place, read-only, through libpq without blocking and pipelined (README.md).
 */
#ifndef SYSTEM_POSTGRES_POSTGRES_H
#define SYSTEM_POSTGRES_POSTGRES_H

#include "hub/system.h"

extern const struct hub_system_ops system_postgres_ops;

#endif
