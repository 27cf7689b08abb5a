/*
 * For this folder's tests: a department with a table in the server that tests/servers.py has started, and the department's own side of it.
 */
#ifndef SYSTEM_MARIADB_TESTING_H
#define SYSTEM_MARIADB_TESTING_H

#include "hub/parts.h"
#include "hub/server_testing.h"
#include "system/mariadb/inside.h"

extern struct fake_city mariadb_city;
extern struct fake_proxy *mariadb_proxy;
extern const struct fake_server mariadb_server;

MYSQL *mariadb_admin(void);
/* The first value of the last answer, as text, until the next. */
const char *mariadb_sql(const char *sql);
/* A cmocka setup: the table of 2,000 vehicles made anew, users, a city that is not loaded yet. */
int mariadb_make(void **state);
int mariadb_unmake(void **state);
struct mariadb_system *mariadb_the_system(void);

#endif
