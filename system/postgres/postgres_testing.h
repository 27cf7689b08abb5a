/*
 * For this folder's tests: a department with a table in the server that tests/servers.py has started, and the department's own side of it.
 */
#ifndef SYSTEM_POSTGRES_TESTING_H
#define SYSTEM_POSTGRES_TESTING_H

#include "hub/department_testing.h"
#include "hub/parts.h"
#include "system/postgres/inside.h"

#define POSTGRES_VEHICLE                                                                                                                   \
    "  - name: vehicle\n    title: {zh: 车, en: Vehicles}\n    kind: table\n    bind: {table: vehicle}\n    fields:\n"                    \
    "      - {name: plate, type: text, class: personal, key: true}\n"                                                                      \
    "      - {name: colour, type: text, class: internal, key: true}\n"                                                                     \
    "      - {name: kind, type: text, class: internal}\n"                                                                                  \
    "      - {name: seats, type: integer, class: internal}\n"                                                                              \
    "      - {name: mass, type: integer, class: internal}\n"                                                                               \
    "      - {name: price, type: integer, class: internal}\n"                                                                              \
    "      - {name: weight, type: real, class: internal}\n"                                                                                \
    "      - {name: height, type: real, class: internal}\n"                                                                                \
    "      - {name: rate, type: real, class: internal}\n"                                                                                  \
    "      - {name: electric, type: boolean, class: open}\n"                                                                               \
    "      - {name: since, type: time, class: internal}\n"                                                                                 \
    "      - {name: bought, type: time, class: internal}\n"                                                                                \
    "      - {name: day, type: time, class: internal}\n"                                                                                   \
    "      - {name: photo, type: bytes, class: internal}\n"                                                                                \
    "      - {name: owner, type: text, class: secret}\n"
#define POSTGRES_GRANTED "[plate, colour, kind, seats, mass, price, weight, height, rate, electric, since, bought, day, photo]"

extern struct fake_city postgres_city;
extern struct fake_proxy *postgres_proxy; /* stopped at the end when there is one */

const char *postgres_need(const char *name); /* of the environment */
int postgres_port(void);
/* As the department's administrator; the first value of the answer as text, until the next. */
const char *postgres_sql(const char *sql);
/* systems/police.yaml; `more` of the connection, beginning with a comma. */
void postgres_system_file(int port, const char *user, const char *timeout, const char *more, const char *resources);
/* A cmocka setup: the table of 2,000 vehicles made anew, roles, a city that is not loaded yet. */
int postgres_make(void **state);
int postgres_unmake(void **state);
/* plate, colour and seats of one vehicle. */
const struct fake_answer *postgres_ask(const char *plate);
struct postgres_system *postgres_the_system(void);

#endif
