/*
 * A department's audit (审计) watched: the file that its database's own audit writes is followed, and reconciled with what the hub's
 * connector read. What does not fit is told as an alert, and becomes a case (docs/reconcile.md). One thread a department that has `audit:`
 * in its file. The connector tells of its sessions and statements; nobody else needs to know of this.
 *
 * Where the file was read to, the hub's sessions and the findings stand in {data}/store/audit-NAME.sqlite, written together: after a kill
 * every line counts once.
 */
#ifndef HUB_AUDIT_H
#define HUB_AUDIT_H

#include "hub/department.h"
#include "hub/reconcile.h"

struct hub_audit;

bool hub_audit_tells(struct str kind); /* is it a kind of alert that audits tell? */

/* The member `audit:` of the department's file; *ret_audit stays NULL when there is none. `database`: only reads in it count. Nothing
 * happens before the hub's loop runs. */
enum err hub_audit_open(struct hub_department *department, const struct hub_system_env *env, enum hub_audit_form form, const char *database,
    struct diag_list *diags, struct hub_audit **ret_audit) MUST_CHECK;
void hub_audit_close(struct hub_audit *audit); /* after the connector's threads; takes NULL */

/* The four below take NULL: a department without an audit. */
void hub_audit_measure(struct hub_audit *audit, struct metric_page *page, struct str name); /* any thread; `name`: the system's */
/* A session is the hub's own: known, and on disk, when it returns. Before anything is read over it; on a thread that may wait. */
enum err hub_audit_opened(struct hub_audit *audit, uint64_t session) MUST_CHECK;
void hub_audit_closed(struct hub_audit *audit, uint64_t session); /* any thread */
/* A statement that reads ran over it; or, not `is_certain`, may have run: it failed, or its answer was not waited for. Any thread. */
void hub_audit_ran(struct hub_audit *audit, uint64_t session, bool is_certain);

#endif
