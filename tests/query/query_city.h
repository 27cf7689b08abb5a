/*
 * A city for tests of queries: departments with a database of an engine each, a consumer with contracts, and asking.
 */
#ifndef TESTS_QUERY_QUERY_CITY_H
#define TESTS_QUERY_QUERY_CITY_H

#include "base/test.h"
#include "hub/fake.h"
#include "hub/query.h"

/* A database engine that the tests' tables can live in. Another connector joins in by one more of these. */
struct query_engine {
    const char *name;
    const struct hub_system_ops *ops;
    /* Makes the database of a department (an empty one) and runs the SQL: CREATE TABLE and INSERT as all engines know them, with the
     * types TEXT, BIGINT, DOUBLE PRECISION, BOOLEAN (TRUE, FALSE). */
    void (*make)(const struct fake_city *city, const char *department, const char *sql);
    /* The lines `connector:` and `connection:` of the department's file. */
    void (*describe)(const struct fake_city *city, const char *department, char *out, size_t size);
};
extern const struct query_engine query_engine_sqlite;
/* Those that a program is linked with: query_engines.c, or with real servers tests/connectors/query_servers.c. */
extern const struct query_engine *const query_engines[];
extern const size_t query_n_engines;

struct query_answer {
    enum err err;
    int rule;
    char text[512];         /* of the refusal */
    json_t *json;           /* NULL: refused */
    size_t n_trips, n_rows; /* of the explanation, all departments */
    size_t n_plan_trips;    /* of them for the plan */
};

extern struct fake_city query_city;
void query_city_make(void); /* the folder, with the consumer h/parking and no contracts */
/* systems/NAME.yaml of party h/NAME's, with the resources' YAML (indented by two). */
void query_city_department(const struct query_engine *engine, const char *party, const char *sql, const char *resources);
/* contracts/c-N.yaml of h/parking with the purpose parking.settle; `more`: further lines. */
void query_city_contract(int number, const char *provider, const char *resource, const char *fields, const char *more);
void query_city_start(void);
void query_city_finish(void);
struct query_answer query_ask(const char *sql, const struct value *parameters, size_t n_parameters);
void query_answer_drop(struct query_answer *answer);

#endif
