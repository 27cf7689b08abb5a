/* The hub's own stream of alerts. */
#include "hub/alert.h"

#include "hub/parts.h"

#define BATCH_BYTES (64u << 10)

const char *const hub_alert_fields[] = {"kind", "area", "party", "key", "state", "title_zh", "title_en", "detail", "receipt", "time", NULL};

enum err hub_alert_declare(struct hub *hub)
{
    static const struct hub_field fields[] = {
        {.name = STR_INIT("kind"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("area"), .type = VALUE_TEXT, .class = HUB_OPEN},
        {.name = STR_INIT("party"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("key"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("state"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("title_zh"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("title_en"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("detail"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("receipt"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("time"), .type = VALUE_TIME, .class = HUB_INTERNAL},
    };
    struct hub_resource resource = {
        .title_zh = STR("告警"),
        .title_en = STR("Alerts"),
        .kind = HUB_STREAM,
        .fields = fields,
        .n_fields = sizeof fields / sizeof *fields,
        .party = hub->source_entry->resource.party,
    };
    enum err err = arena_printf(&hub->arena, &resource.name, STR_FORMAT "/hub/alert", STR_ARG(hub->area));
    return err ? err : hub_declare_own(hub, &resource, &hub->alert_entry);
}

const struct hub_resource *hub_alert_resource(struct hub *hub)
{
    return &hub->alert_entry->resource;
}

enum err hub_alert(struct hub *hub, const struct hub_alert *alert)
{
    struct rows *rows;
    const struct value values[HUB_ALERT_N_FIELDS] = {
        [HUB_ALERT_KIND] = value_text(alert->kind),
        [HUB_ALERT_AREA] = value_text(alert->area),
        [HUB_ALERT_PARTY] = value_text(alert->party),
        [HUB_ALERT_KEY] = value_text(alert->key),
        [HUB_ALERT_STATE] = value_text(alert->is_green ? STR("green") : STR("red")),
        [HUB_ALERT_TITLE_ZH] = value_text(alert->title_zh),
        [HUB_ALERT_TITLE_EN] = value_text(alert->title_en),
        [HUB_ALERT_DETAIL] = value_text(alert->detail),
        [HUB_ALERT_RECEIPT] = value_text(alert->receipt),
        [HUB_ALERT_TIME] = value_time(clock_wall(hub->clock).ms),
    };
    enum err err = rows_create(HUB_ALERT_N_FIELDS, BATCH_BYTES, &rows);
    if (err)
        return err;
    err = rows_add(rows, values);
    if (!err)
        err = hub_publish(hub, &hub->alert_entry->resource, rows);
    rows_release(rows);
    return err;
}
