/*
 * The connector to a department's MariaDB or MySQL: in place, read-only, through libmariadb on a few threads (README.md).
 */
#ifndef SYSTEM_MARIADB_MARIADB_H
#define SYSTEM_MARIADB_MARIADB_H

#include "hub/system.h"

extern const struct hub_system_ops system_mariadb_ops;

#endif
