/* Of what comes from a department's own process: whose word an alert is, and how records are named. */
#include "hub/alert.h"
#include "hub/audit.h"
#include "system/bus/codec.h"

#include <inttypes.h>
#include <stdio.h>

bool system_bus_alert_is_own(struct str party, const struct value *row)
{
    struct str key = row[HUB_ALERT_KEY].s, area, name;
    for (int i = 0; i < HUB_ALERT_TIME; i++)
        if (row[i].type != VALUE_TEXT)
            return false;
    if (!str_cut(party, '/', &area, &name) || key.len <= party.len)
        return false;
    return hub_audit_tells(row[HUB_ALERT_KIND].s) && str_equal(row[HUB_ALERT_AREA].s, area) && str_equal(row[HUB_ALERT_PARTY].s, party) &&
           str_equal(str_slice(key, 0, party.len), party) && key.ptr[party.len] == '/' && str_is_empty(row[HUB_ALERT_RECEIPT].s);
}

void system_bus_records_name(uint64_t epoch, uint64_t first, size_t n, char out[SYSTEM_BUS_RECORDS_NAME])
{
    snprintf(out, SYSTEM_BUS_RECORDS_NAME, "%" PRIx64 "/%" PRIu64 "+%zu", epoch, first, n);
}
