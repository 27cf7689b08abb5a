/*
 * Commands: a department's own inbox in its PostgreSQL, written by a role of its own (command.c).
 */
#ifndef SYSTEM_POSTGRES_COMMAND_H
#define SYSTEM_POSTGRES_COMMAND_H

#include "system/postgres/inside.h"

extern const struct hub_command_ops postgres_command_ops;

/* session.c: connects and signs in as another role, whose transactions write and are on disk when they are acknowledged. */
enum err postgres_session_open_writer(struct postgres_system *system, const char *user, const char *password_file,
    struct mono_time deadline, char detail[HUB_DEPARTMENT_DETAIL_MAX], PGconn **ret_pg) MUST_CHECK;
/* One statement with parameters as text; the result also with ERR_SYNTAX, when the server refuses it. */
enum err postgres_session_run(struct postgres_system *system, PGconn *pg, const char *sql, int n, const char *const *values,
    struct mono_time deadline, PGresult **ret_result) MUST_CHECK;

#endif
