/*
 * The tests' tables of queries in real servers: table a in SQLite, b in PostgreSQL, c in MariaDB. Started by tests/servers.py.
 */
#include "system/mariadb/mariadb.h"
#include "system/postgres/postgres.h"
#include "tests/query/query_city.h"

#include <libpq-fe.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STATEMENT_MAX 1024

static const char *need(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fail_msg("%s is not set; mend: run it as tests/servers.py postgres mariadb -- PROGRAM", name);
    return value;
}

/* The password's file of both, and the name of the table that `sql` makes. */
static void prepare(const struct fake_city *city, const char *sql, char table[64])
{
    char path[256];
    snprintf(path, sizeof path, "%s/secrets", city->data);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/secrets/department", city->data);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("x\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(sscanf(sql, "CREATE TABLE %63s", table), 1);
}

/* ---- PostgreSQL ---- */

static void postgres_run(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%.200s: %s", sql, PQresultErrorMessage(result));
    PQclear(result);
}

/* A time is a column of its own type there. */
static void postgres_make(const struct fake_city *city, const char *department, const char *sql)
{
    char text[STATEMENT_MAX], table[64];
    prepare(city, sql, table);
    snprintf(text, sizeof text, "host=%s port=%s user=postgres dbname=department", need("CITYBRAIN_POSTGRES_SOCKET_DIR"),
        need("CITYBRAIN_POSTGRES_PORT"));
    PGconn *pg = PQconnectdb(text);
    if (PQstatus(pg) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(pg));
    postgres_run(pg, "SET client_min_messages = error; DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hub') THEN CREATE "
                     "ROLE hub LOGIN PASSWORD 'x'; END IF; END $$");
    snprintf(text, sizeof text, "DROP TABLE IF EXISTS %s", table);
    postgres_run(pg, text);
    postgres_run(pg, sql);
    snprintf(text, sizeof text,
        "ALTER TABLE %s ALTER COLUMN w TYPE timestamptz USING timestamptz 'epoch' + w * interval '1 millisecond'; GRANT SELECT ON %s TO "
        "hub",
        table, table);
    postgres_run(pg, text);
    PQfinish(pg);
}

static void server_describe(const char *connector, const char *port, char *out, size_t size)
{
    snprintf(out, size,
        "connector: %s\nconnection: {host: 127.0.0.1, port: %s, database: department, user: hub, password_file: "
        "\"{data}/secrets/department\", "
        "timeout: 30s}\n",
        connector, need(port));
}

static void postgres_describe(const struct fake_city *city, const char *department, char *out, size_t size)
{
    server_describe("postgres", "CITYBRAIN_POSTGRES_PORT", out, size);
}

static const struct query_engine postgres = {"postgres", &system_postgres_ops, postgres_make, postgres_describe};

/* ---- MariaDB ---- */

static void mariadb_run(MYSQL *mysql, const char *sql)
{
    int code = mysql_query(mysql, sql);
    while (code == 0) {
        mysql_free_result(mysql_store_result(mysql));
        code = mysql_next_result(mysql);
    }
    if (code > 0)
        fail_msg("%.200s: %s", sql, mysql_error(mysql));
}

static void mariadb_make(const struct fake_city *city, const char *department, const char *sql)
{
    char text[STATEMENT_MAX], table[64];
    MYSQL *mysql = mysql_init(NULL);
    prepare(city, sql, table);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    snprintf(text, sizeof text, "%s/socket", need("CITYBRAIN_MARIADB_SOCKET_DIR"));
    if (!mysql_real_connect(mysql, NULL, "root", NULL, "department", 0, text, CLIENT_MULTI_STATEMENTS))
        fail_msg("%s", mysql_error(mysql));
    snprintf(text, sizeof text,
        "ALTER DATABASE department CHARACTER SET utf8mb4; CREATE OR REPLACE USER hub@'%%' IDENTIFIED BY 'x'; GRANT SELECT ON department.* "
        "TO "
        "hub@'%%'; DROP TABLE IF EXISTS %s",
        table);
    mariadb_run(mysql, text);
    mariadb_run(mysql, sql);
    /* the hub's zone is the city's, +08:00 */
    snprintf(text, sizeof text,
        "ALTER TABLE %s ADD COLUMN v DATETIME(3); UPDATE %s SET v = TIMESTAMPADD(MICROSECOND, (w + 28800000) * 1000, TIMESTAMP'1970-01-01 "
        "00:00:00'); ALTER TABLE %s DROP COLUMN w, CHANGE v w DATETIME(3)",
        table, table, table);
    mariadb_run(mysql, text);
    mysql_close(mysql);
}

static void mariadb_describe(const struct fake_city *city, const char *department, char *out, size_t size)
{
    server_describe("mariadb", "CITYBRAIN_MARIADB_PORT", out, size);
}

static const struct query_engine mariadb = {"mariadb", &system_mariadb_ops, mariadb_make, mariadb_describe};

const struct query_engine *const query_engines[] = {&query_engine_sqlite, &postgres, &mariadb};
const size_t query_n_engines = 3;
