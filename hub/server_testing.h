/*
 * For the tests of connectors to database servers: a department with a table of 2,000 vehicles, its file, and what has to hold whichever
 * server it is. The server's own side, SQL and all, is the connector's test's.
 */
#ifndef HUB_SERVER_TESTING_H
#define HUB_SERVER_TESTING_H

#include "hub/department_testing.h"

#define FAKE_VEHICLE                                                                                                                       \
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
#define FAKE_VEHICLE_GRANTED "[plate, colour, kind, seats, mass, price, weight, height, rate, electric, since, bought, day, photo]"

struct fake_server {
    const struct hub_system_ops *ops;
    struct fake_city *city;
    struct fake_proxy **proxy;            /* stopped at the end when there is one */
    int (*port)(void);                    /* the server's */
    const char *(*sql)(const char *text); /* as its administrator; the first value of the answer, until the next */
};
const char *fake_server_need(const char *name); /* of the environment */
/* systems/police.yaml; `more` of the connection, beginning with a comma. */
void fake_server_write(
    const struct fake_server *server, int port, const char *user, const char *timeout, const char *more, const char *resources);
void fake_server_make(const struct fake_server *server); /* the city; the table is there */
void fake_server_unmake(const struct fake_server *server);
void fake_server_behind_a_proxy(const struct fake_server *server);
/* plate, colour and seats of one vehicle. */
const struct fake_answer *fake_server_ask(const struct fake_server *server, const char *plate);
void fake_server_until_it_answers(const struct fake_server *server);
void fake_server_until_it_is_gone(const struct fake_server *server);

/* ---- answers ---- */
void fake_server_answers(const struct fake_server *server);
void fake_server_types(const struct fake_server *server); /* each as a constraint: the value meets the department's own column */
void fake_server_rows_granted(const struct fake_server *server);
void fake_server_shapes(const struct fake_server *server); /* more than a connection keeps, and the largest question there is */

/* ---- the file ---- */
struct fake_wrong_file {
    const char *bind, *field, *more;
    int line;
    const char *says; /* there; NULL: anything, anywhere */
};
void fake_server_wrong_files(const struct fake_server *server, const struct fake_wrong_file *rows, size_t n);

/* ---- away, slow, changed ---- */
void fake_server_away_and_back(const struct fake_server *server); /* loaded while it is down, and there in the end */
/* n calls under which the server's sessions are ended four times: each is answered. */
void fake_server_sessions_end(const struct fake_server *server, size_t n, const char *sql);
/* A view `slow` over a statement for A00001 that takes `timeout` and longer, which `sql` makes. */
void fake_server_slow_view(const struct fake_server *server, const char *sql, const char *timeout);
struct fake_asking *fake_server_ask_slowly(const struct fake_server *server);
/* n statements of minutes: when their askers have gone the server is done with them, by its count of them; others' calls never notice. */
void fake_server_askers_who_go(const struct fake_server *server, size_t n, const char *count);
/* Three times as many as may wait, while nothing moves on: what is too much is refused, and counted. */
void fake_server_full_queue(const struct fake_server *server, size_t n_max, const char *lock, const char *unlock);
void fake_server_closes_in_the_midst(const struct fake_server *server);

/* ---- nothing is written ---- */
/* 10,000 calls, half of them through values that would write if they were pasted. */
#define FAKE_SERVER_CALLS 10000
void fake_server_call_often(const struct fake_server *server, const char *const *evil, size_t n_evil);
/* Bindings that write when they are asked, if they are let: how many are refused. */
size_t fake_server_attempts(const struct fake_server *server, const char *user, const char *const *selects, size_t n);

#endif
