/*
 * Alarms of one cause are one case (rules 14 and 15 of docs/case.md): when a whole system falls silent, each area has one case with a list,
 * not one for each camera. The list is what is red now.
 */
#ifndef BUSINESS_CASE_GROUP_H
#define BUSINESS_CASE_GROUP_H

#include "business/case/case.h"
#include "db/db.h"

#define CASE_MEMBERS_MAX 10000 /* of one case; what is past it is not in the list */

extern const char case_group_migration[]; /* the list's table */

/* An alarm of a kind with `group: true`, or its end, becomes one of its group: enters or leaves the list, and gets the group's key, titles
 * and list. Of an end that others are still red after: CASE_LIST. On the writer's thread, inside of its transaction; texts into `arena`. */
enum err case_group_apply(
    struct db *db, const struct case_kind *kind, struct arena *arena, struct case_event *event, struct wall_time now) MUST_CHECK;

#endif
