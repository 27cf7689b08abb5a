/*
 * The connector to a department's SQLite file: read-only, in place. The smallest connector: copy it to begin another (README.md).
 */
#ifndef SYSTEM_SQLITE_SQLITE_H
#define SYSTEM_SQLITE_SQLITE_H

#include "hub/system.h"

extern const struct hub_system_ops system_sqlite_ops;

#endif
