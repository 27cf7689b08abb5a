/*
 * One line of a database's own audit (审计日志): who read which table, in which session, by which statement. Two forms:
 *
 *   pgaudit       PostgreSQL's log_destination = jsonlog with the extension pgaudit: one JSON object a line
 *   server_audit  MariaDB's plugin server_audit with events CONNECT, TABLE: comma-separated, nothing quoted
 *
 * The lines are hostile: whoever may connect to the database chooses names that stand in them. Of a statement nothing is read, so that no
 * value of it gets anywhere; it need not be logged at all (docs/reconcile.md).
 */
#ifndef HUB_AUDIT_LINE_H
#define HUB_AUDIT_LINE_H

#include "base/str.h"

#define HUB_AUDIT_LINE_MAX (64u << 10) /* bytes of a line that are looked at; of a longer one these */
#define HUB_AUDIT_NAME_MAX 128         /* bytes of a role, an address, a table; what is longer is cut */

enum hub_audit_form { HUB_AUDIT_PGAUDIT, HUB_AUDIT_SERVER_AUDIT };
extern const char *const hub_audit_forms[]; /* in this order; ends with NULL */

enum hub_audit_what {
    HUB_AUDIT_OTHER, /* a line about something else; `session` and `number` may be known all the same */
    HUB_AUDIT_READ,
    HUB_AUDIT_UNREADABLE, /* not of the form, or to be read in two ways */
};

struct hub_audit_line { /* texts are NUL-terminated, and printable UTF-8 whatever came */
    enum hub_audit_what what;
    uint64_t session;   /* pgaudit: start in seconds << 32 | process; server_audit: the connection's id; 0: none */
    uint64_t number;    /* of the line within its session, from 1 without gaps; 0: the form has none */
    uint64_t statement; /* the same for all lines of one statement of a session */
    char role[HUB_AUDIT_NAME_MAX], address[HUB_AUDIT_NAME_MAX], database[HUB_AUDIT_NAME_MAX];
    char table[HUB_AUDIT_NAME_MAX]; /* "public.vehicle"; server_audit: "vehicle" */
};

/* `is_cut`: the line went on. Writes all of *ret_line. */
void hub_audit_line_read(enum hub_audit_form form, struct str line, bool is_cut, struct hub_audit_line *ret_line);
/* "6b02b166.621c", as PostgreSQL writes a session, as a number; 0: not of the form. */
uint64_t hub_audit_session_read(struct str text);

#endif
