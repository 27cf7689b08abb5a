/*
 * Commands: a department's own inbox in its PostgreSQL, written by a role of its own (command.c).
 */
#ifndef SYSTEM_POSTGRES_COMMAND_H
#define SYSTEM_POSTGRES_COMMAND_H

#include "system/postgres/inside.h"

enum err postgres_bind_command(
    struct postgres_system *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags) MUST_CHECK;
void postgres_act(void *system, struct hub_ask *ask);      /* the slot of hub/system.h */
void postgres_acts_finish(struct postgres_system *system); /* what waits is answered: not done */

/* session.c: connects and signs in as another role, whose transactions write and are on disk when they are acknowledged. */
enum err postgres_session_open_writer(struct postgres_system *system, const char *user, const char *password_file,
    struct mono_time deadline, char detail[HUB_DEPARTMENT_DETAIL_MAX], PGconn **ret_pg) MUST_CHECK;
/* One statement with parameters as text; the result also with ERR_SYNTAX, when the server refuses it. */
enum err postgres_session_run(struct postgres_system *system, PGconn *pg, const char *sql, int n, const char *const *values,
    struct mono_time deadline, PGresult **ret_result) MUST_CHECK;

#endif
