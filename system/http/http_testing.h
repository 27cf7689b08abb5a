/*
 * For this folder's tests: a department with an HTTP interface on loopback, whose answers a test writes byte by byte.
 */
#ifndef SYSTEM_HTTP_HTTP_TESTING_H
#define SYSTEM_HTTP_HTTP_TESTING_H

#include "base/test.h"
#include "hub/department_testing.h"
#include "system/http/http.h"

#include <stdatomic.h>

struct web_request {
    char method[8], target[4096], text[16384]; /* the whole request */
    const char *body;                          /* in `text` */
};
/* Writes one answer to `fd`; false: the connection is closed then. On a thread of the connection's own. */
typedef bool (*web_answer_fn)(const struct web_request *request, int fd);

int web_start(web_answer_fn answer); /* the port */
void web_set(web_answer_fn answer);
void web_stop(void);
int web_port(void);
extern _Atomic size_t web_n_requests, web_n_connections;
extern struct web_request web_last; /* the newest request; read it when nothing is asked */
bool web_reply(int fd, int status, const char *headers, const char *body);
void web_write(int fd, const char *text);
/* The query parameter of a target, as it stands; false: none. */
bool web_parameter(const struct web_request *request, const char *name, char *out, size_t size);

#define WEB_ROWS 500
#define WEB_FIELDS                                                                                                                         \
    "fields: [{name: plate, type: text, class: personal, key: true}, {name: colour, type: text, class: open}, "                            \
    "{name: seats, type: integer, class: open, key: true}, {name: price, type: real, class: open}, "                                       \
    "{name: electric, type: boolean, class: open}, {name: since, type: time, class: open}, "                                               \
    "{name: owner, type: text, class: secret}]}\n"
/* Row `i` as the department writes it. */
void web_row(size_t i, struct buf *out);
/* The interface as it should be: /v1/vehicles with plate, seats, from as filters and page, offset, cursor or link for its pages. */
bool web_good(const struct web_request *request, int fd);

extern struct fake_city web_city;
/* A city whose h/police/vehicle is bound by `binding` ("get: …, …"); more: lines of connection:, or "". Not loaded yet. */
void web_city_make(const char *binding, const char *more);
void web_city_finish(void);
const struct fake_answer *web_ask(const char *plate);

#endif
