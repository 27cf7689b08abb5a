/*
 * Alerts (告警): what the hub or a scene says to the people who have to do something, as rows of a stream with these fields. The hub's own
 * stream is AREA/hub/alert; business/case makes cases of them. A row holds no personal data: names and keys, no values.
 */
#ifndef HUB_ALERT_H
#define HUB_ALERT_H

#include "hub/hub.h"

enum {               /* the stream's fields, in this order */
    HUB_ALERT_KIND,  /* "act.unknown"; what cities' rules name (cases.yaml) */
    HUB_ALERT_AREA,  /* where */
    HUB_ALERT_PARTY, /* whose affair */
    HUB_ALERT_KEY,   /* the same alarm has the same key: it joins its case */
    HUB_ALERT_STATE, /* "red", or "green": measured again and in order */
    HUB_ALERT_TITLE_ZH,
    HUB_ALERT_TITLE_EN,
    HUB_ALERT_DETAIL,
    HUB_ALERT_RECEIPT, /* of the use it is about; may be empty */
    HUB_ALERT_TIME,
    HUB_ALERT_N_FIELDS
};
extern const char *const hub_alert_fields[]; /* their names */

struct hub_alert { /* strings are copied */
    struct str kind, area, party, key, title_zh, title_en, detail, receipt;
    bool is_green;
};
/* Publishes on AREA/hub/alert. Any thread. Whoever must be heard tells again until the thing is settled: the key makes it one case. */
enum err hub_alert(struct hub *hub, const struct hub_alert *alert) MUST_CHECK;
/* The stream itself; in a department's own process its rows go to the keeper (hub/keeper.h), and from there to the hub (system/bus). */
const struct hub_resource *hub_alert_resource(struct hub *hub);

#endif
