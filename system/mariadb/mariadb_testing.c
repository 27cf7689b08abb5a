/*
 * The department of this folder's tests.
 */
#include "system/mariadb/mariadb_testing.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_city mariadb_city;
struct fake_proxy *mariadb_proxy;

static int server_port(void)
{
    return (int)strtol(fake_server_need("CITYBRAIN_MARIADB_PORT"), NULL, 10);
}

const struct fake_server mariadb_server = {&system_mariadb_ops, &mariadb_city, &mariadb_proxy, server_port, mariadb_sql};

MYSQL *mariadb_admin(void)
{
    static MYSQL *mysql;
    char path[200];
    if (mysql)
        return mysql;
    mysql = mysql_init(NULL);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    snprintf(path, sizeof path, "%s/socket", fake_server_need("CITYBRAIN_MARIADB_SOCKET_DIR"));
    if (!mysql_real_connect(mysql, NULL, "root", NULL, "department", 0, path, CLIENT_MULTI_STATEMENTS))
        fail_msg("%s", mysql_error(mysql));
    return mysql;
}

/* The first value of the last answer, as text. */
const char *mariadb_sql(const char *sql)
{
    static char text[512];
    text[0] = '\0';
    int code = mysql_query(mariadb_admin(), sql);
    while (code == 0) {
        MYSQL_RES *result = mysql_store_result(mariadb_admin());
        MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
        if (row)
            snprintf(text, sizeof text, "%s", row[0] ? row[0] : "NULL");
        mysql_free_result(result);
        code = mysql_next_result(mariadb_admin());
    }
    if (code > 0)
        fail_msg("%s: %s", sql, mysql_error(mariadb_admin()));
    return text;
}

#define USERS                                                                                                                               \
    "DROP DATABASE IF EXISTS department; CREATE DATABASE department CHARACTER SET utf8mb4; USE department; CREATE OR REPLACE USER "         \
    "hub@'%' "                                                                                                                              \
    "IDENTIFIED BY 'geheim 雨'; CREATE OR REPLACE USER writer@'%' IDENTIFIED BY 'geheim 雨'; CREATE OR REPLACE USER boss@'%' IDENTIFIED " \
    "BY "                                                                                                                                   \
    "'geheim 雨'; GRANT SELECT ON department.* TO hub@'%'; GRANT ALL ON department.* TO writer@'%'; GRANT ALL ON *.* TO boss@'%';"
#define MAKE                                                                                                                               \
    "SET time_zone = '+08:00'; CREATE TABLE vehicle (plate VARCHAR(20) PRIMARY KEY, colour LONGTEXT, kind CHAR(6), seats INT UNSIGNED, "   \
    "mass "                                                                                                                                \
    "BIGINT, price DECIMAL(12,0), weight DOUBLE, height FLOAT, rate DECIMAL(10,3), electric BOOLEAN, since TIMESTAMP(3) NULL, bought "     \
    "DATETIME(6), day DATE, photo VARBINARY(10), owner TEXT, KEY (kind), KEY (since), KEY (day), KEY (price));"                            \
    "INSERT INTO vehicle SELECT CONCAT('A', LPAD(seq, 5, '0')), ELT(1 + seq % 3, 'white', 'black', NULL), CONCAT('k', seq % 7), seq % 5, " \
    "seq * 10000000000, seq, seq / 2.0, seq / 4.0, seq / 8.0, seq % 2, FROM_UNIXTIME(1700000000 + seq / 1000), '2024-02-29 "               \
    "23:59:59.123456' + "                                                                                                                  \
    "INTERVAL seq SECOND, '2024-02-29' + INTERVAL seq DAY, UNHEX(LPAD(HEX(seq), 4, '0')), CONCAT('owner ', seq) FROM seq_0_to_1999;"

int mariadb_make(void **state)
{
    mariadb_sql(USERS MAKE);
    fake_server_make(&mariadb_server);
    return 0;
}

int mariadb_unmake(void **state)
{
    fake_server_unmake(&mariadb_server);
    return 0;
}

struct mariadb_system *mariadb_the_system(void)
{
    return ((struct hub_plan *)fake_department_plan(&mariadb_city))->system;
}
