/*
 * The department of this folder's tests.
 */
#include "system/postgres/postgres_testing.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_city postgres_city;
struct fake_proxy *postgres_proxy;
const struct fake_server postgres_server = {&system_postgres_ops, &postgres_city, &postgres_proxy, postgres_port, postgres_sql};

/* ---- the department's own side ---- */

static PGconn *admin(void)
{
    static PGconn *pg;
    char text[512];
    if (pg && PQstatus(pg) == CONNECTION_OK)
        return pg;
    PQfinish(pg);
    snprintf(text, sizeof text, "host=%s port=%s user=postgres dbname=department", fake_server_need("CITYBRAIN_POSTGRES_SOCKET_DIR"),
        fake_server_need("CITYBRAIN_POSTGRES_PORT"));
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

void postgres_system_file(int port, const char *user, const char *timeout, const char *more, const char *resources)
{
    fake_server_write(&postgres_server, port, user, timeout, more, resources);
}

int postgres_port(void)
{
    return (int)strtol(fake_server_need("CITYBRAIN_POSTGRES_PORT"), NULL, 10);
}

int postgres_make(void **state)
{
    postgres_sql("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hub') THEN CREATE ROLE hub LOGIN PASSWORD 'geheim 雨'; "
                 "CREATE ROLE "
                 "writer LOGIN PASSWORD 'geheim 雨'; CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'geheim 雨'; END IF; END $$");
    postgres_sql(MAKE "GRANT SELECT ON ALL TABLES IN SCHEMA public TO hub; GRANT ALL ON ALL TABLES IN SCHEMA public TO writer");
    fake_server_make(&postgres_server);
    return 0;
}

int postgres_unmake(void **state)
{
    fake_server_unmake(&postgres_server);
    return 0;
}

const struct fake_answer *postgres_ask(const char *plate)
{
    return fake_server_ask(&postgres_server, plate);
}

struct postgres_system *postgres_the_system(void)
{
    return ((struct hub_plan *)fake_department_plan(&postgres_city))->system;
}
