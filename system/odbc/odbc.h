/*
 * The connector to any database with an ODBC driver, through unixODBC.
 */
#ifndef SYSTEM_ODBC_ODBC_H
#define SYSTEM_ODBC_ODBC_H

#include "hub/system.h"

extern const struct hub_system_ops system_odbc_ops;

#endif
