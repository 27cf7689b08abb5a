/*
 * The department of this folder's tests.
 */
#include "system/postgres/postgres_testing.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_city postgres_city;
static const struct hub_system_ops *const connectors[] = {&system_postgres_ops, NULL};
struct fake_proxy *postgres_proxy;

const char *postgres_need(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fail_msg("%s is not set; mend: run it as tests/servers.py postgres -- PROGRAM", name);
    return value;
}

/* ---- the department's own side ---- */

static PGconn *admin(void)
{
    static PGconn *pg;
    char text[512];
    if (pg && PQstatus(pg) == CONNECTION_OK)
        return pg;
    PQfinish(pg);
    snprintf(text, sizeof text, "host=%s port=%s user=postgres dbname=department", postgres_need("CITYBRAIN_POSTGRES_SOCKET_DIR"),
        postgres_need("CITYBRAIN_POSTGRES_PORT"));
    pg = PQconnectdb(text);
    if (PQstatus(pg) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(pg));
    return pg;
}

/* The first value of the answer, as text. */
const char *postgres_sql(const char *sql)
{
    static char text[256];
    PGresult *result = PQexec(admin(), sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    snprintf(text, sizeof text, "%s", PQntuples(result) && PQnfields(result) ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return text;
}

#define MAKE                                                                                                                               \
    "SET client_min_messages = error; DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC;" \
    "CREATE TABLE vehicle (plate varchar(20) PRIMARY KEY, colour text, kind char(6), seats int, mass bigint, price numeric(12,0), weight " \
    "double precision, height real, rate numeric(10,3), electric boolean, since timestamptz(3), bought timestamp, day date, ms bigint, "   \
    "photo bytea, owner text);"                                                                                                            \
    "INSERT INTO vehicle SELECT 'A' || lpad(i::text, 5, '0'), (ARRAY['white', 'black', NULL])[1 + i % 3], 'k' || i % 7, i % 5, i * "       \
    "10000000000, i, i / 2.0, i / 4.0, i / 8.0, i % 2 = 1, to_timestamp(1700000000.0 + i / 1000.0), timestamp '2024-02-29 "                \
    "23:59:59.123456' "                                                                                                                    \
    "+ i * interval '1 second', date '2024-02-29' + i, 1700000000000 + i, decode(lpad(to_hex(i), 4, '0'), 'hex'), 'owner ' || i FROM "     \
    "generate_series(0, 1999) i; ANALYZE vehicle;"

#define CONNECTION                                                                                                                         \
    "connection: {host: 127.0.0.1, port: %d, database: department, user: %s, password_file: \"{data}/secrets/department\", timeout: "      \
    "%s%s}\nresources:\n"

void postgres_system_file(int port, const char *user, const char *timeout, const char *more, const char *resources)
{
    char text[8192];
    int n = snprintf(text, sizeof text, CONNECTION "%s", port, user, timeout, more, resources);
    assert_true(n > 0 && (size_t)n < sizeof text);
    fake_department_write(&postgres_city, "postgres", text);
}

int postgres_port(void)
{
    return (int)strtol(postgres_need("CITYBRAIN_POSTGRES_PORT"), NULL, 10);
}

int postgres_make(void **state)
{
    postgres_sql("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hub') THEN CREATE ROLE hub LOGIN PASSWORD 'geheim 雨'; "
                 "CREATE ROLE "
                 "writer LOGIN PASSWORD 'geheim 雨'; CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'geheim 雨'; END IF; END $$");
    postgres_sql(MAKE "GRANT SELECT ON ALL TABLES IN SCHEMA public TO hub; GRANT ALL ON ALL TABLES IN SCHEMA public TO writer");
    fake_department_make(&postgres_city, connectors);
    fake_department_secret(&postgres_city, "department", "geheim 雨\n");
    fake_department_grant(&postgres_city, POSTGRES_GRANTED, NULL);
    postgres_system_file(postgres_port(), "hub", "500ms", "", POSTGRES_VEHICLE);
    return 0;
}

int postgres_unmake(void **state)
{
    if (postgres_city.hub)
        fake_city_unload(&postgres_city);
    if (postgres_proxy)
        fake_proxy_stop(postgres_proxy);
    postgres_proxy = NULL;
    fake_department_finish(&postgres_city);
    return 0;
}

const struct fake_answer *postgres_ask(const char *plate)
{
    const struct value value = value_text(str_from_c(plate));
    return fake_ask(
        &postgres_city, &(struct fake_question){.outputs = {"plate", "colour", "seats"}, .where = {{"plate", SQL_EQ, &value, 1}}});
}

struct postgres_system *postgres_the_system(void)
{
    return ((struct hub_plan *)fake_department_plan(&postgres_city))->system;
}
