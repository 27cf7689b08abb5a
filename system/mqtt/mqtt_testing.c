/*
 * A city with one stream from a broker, for tests.
 */
#include "system/mqtt/mqtt_testing.h"

#include "base/mem.h"
#include "hub/parts.h"

#include <stdio.h>
#include <string.h>

struct fake_city mq_city;
struct buf mq_rows;
size_t mq_n_rows;
static struct hub_subscription *subscription;

void mq_city_make(int port, const char *more, const char *bind)
{
    static const struct hub_system_ops *const connectors[] = {&system_mqtt_ops, NULL};
    char text[4096];
    fake_department_make(&mq_city, connectors);
    snprintf(text, sizeof text,
        "connection:\n  host: 127.0.0.1\n  port: %d\n%sresources:\n  - {name: vehicle, title: {zh: 位, en: P}, kind: stream, bind: "
        "{%s}, " MQ_FIELDS,
        port, more, bind);
    fake_department_write(&mq_city, "mqtt", text);
    fake_city_write(&mq_city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [subscribe]\n"
        "fields: [vehicle, fleet, lat, speed, at]\npurpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: "
        "2038-01-01\n"
        "keep: 1h\nstate: agreed\n");
    buf_init(&mq_rows, 8u << 20);
    mq_n_rows = 0;
}

static void take(void *context, const struct hub_window *window, struct rows *rows)
{
    for (size_t i = 0; i < rows_n(rows); i++) {
        fake_row_text(rows_at(rows, i), rows_n_fields(rows), &mq_rows);
        buf_append_c(&mq_rows, ";");
        mq_n_rows++;
    }
}

void mq_city_load(size_t limit)
{
    static const struct str fields[] = {STR_INIT("vehicle"), STR_INIT("fleet"), STR_INIT("lat"), STR_INIT("speed"), STR_INIT("at")};
    fake_department_load(&mq_city);
    const struct hub_subscribe_options options = {.party = STR("h/parking"),
        .resource = STR("h/police/vehicle"),
        .purpose = STR("parking.settle"),
        .fields = fields,
        .n_fields = 5,
        .loop = mq_city.loop,
        .limit = limit,
        .when_full = BUS_REFUSE,
        .on_rows = take};
    assert_ok(hub_subscribe(mq_city.hub, &options, NULL, &subscription));
}

void mq_city_unload(void)
{
    hub_unsubscribe(subscription);
    subscription = NULL;
    fake_city_unload(&mq_city);
}

void mq_city_finish(void)
{
    if (mq_city.hub)
        hub_unsubscribe(subscription);
    else
        fake_city_unload(&mq_city); /* the load was refused */
    subscription = NULL;
    buf_finish(&mq_rows);
    fake_department_finish(&mq_city);
    memset(&mq_city, 0, sizeof mq_city);
}

const struct mqtt_system *mq_system(void)
{
    const struct hub_resource *resource = hub_resource_find(mq_city.hub, STR("h/police/vehicle"));
    return ((struct hub_entry *)names_get(&mq_city.hub->entry_names, resource->name))->system->system;
}

bool mq_wait(bool (*is_so)(const void *context), const void *context)
{
    const struct mono_time begun = clock_mono(clock_system());
    while (!is_so(context) && mono_ms_between(begun, clock_mono(clock_system())) < 30000)
        assert_ok(loop_run_once(mq_city.loop, 5));
    return is_so(context);
}

static bool has_rows(const void *n)
{
    return mq_n_rows >= *(const size_t *)n;
}

void mq_wait_rows(size_t n)
{
    if (!mq_wait(has_rows, &n))
        fail_msg("%zu of %zu rows: " STR_FORMAT, mq_n_rows, n, STR_ARG(buf_str(&mq_rows)));
}

struct wanted {
    enum hub_health health;
    const char *detail;
};

static bool has_health(const void *context)
{
    const struct wanted *wanted = context;
    struct hub_department *department = (struct hub_department *)&mq_system()->department;
    pthread_mutex_lock(&department->lock);
    bool is_so = department->reported.ns && department->health == wanted->health &&
                 strncmp(department->detail, wanted->detail, strlen(wanted->detail)) == 0;
    pthread_mutex_unlock(&department->lock);
    return is_so;
}

void mq_wait_health(enum hub_health health, const char *detail)
{
    if (!mq_wait(has_health, &(struct wanted){health, detail}))
        fail_msg("never %d %s, but %d %s", health, detail, mq_system()->department.health, mq_system()->department.detail);
}

struct counted {
    enum mqtt_count count;
    uint64_t n;
};

static bool has_count(const void *context)
{
    const struct counted *counted = context;
    return mqtt_count(mq_system(), counted->count) >= counted->n;
}

void mq_wait_count(enum mqtt_count count, uint64_t n)
{
    if (!mq_wait(has_count, &(struct counted){count, n}))
        fail_msg("count %d is %llu, not %llu", (int)count, (unsigned long long)mqtt_count(mq_system(), count), (unsigned long long)n);
}

const char *mq_position(const char *vehicle, unsigned serial)
{
    static _Thread_local char text[400];
    snprintf(text, sizeof text,
        "{\"phone\":\"%s\",\"serial\":%u,\"lat\":30274100,\"lng\":120155100,\"speed\":356,\"time\":\"231115061320\",\"driver\":\"Li\"}",
        vehicle, serial);
    return text;
}
