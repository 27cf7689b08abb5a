/*
 * For this folder's tests: a department with a table in the server that tests/servers.py has started, and the department's own side of it.
 */
#ifndef SYSTEM_POSTGRES_TESTING_H
#define SYSTEM_POSTGRES_TESTING_H

#include "hub/parts.h"
#include "hub/server_testing.h"
#include "system/postgres/inside.h"

extern struct fake_city postgres_city;
extern struct fake_proxy *postgres_proxy;
extern const struct fake_server postgres_server;

int postgres_port(void);
/* As the department's administrator; the first value of the answer as text, until the next. */
const char *postgres_sql(const char *sql);
/* systems/police.yaml; `more` of the connection, beginning with a comma. */
void postgres_system_file(int port, const char *user, const char *timeout, const char *more, const char *resources);
/* A cmocka setup: the table of 2,000 vehicles made anew, roles, a city that is not loaded yet. */
int postgres_make(void **state);
int postgres_unmake(void **state);
const struct fake_answer *postgres_ask(const char *plate);
struct postgres_system *postgres_the_system(void);

#endif
