/*
 * Quality checks: what an alert says and when, over looks without an answer, and over restarts.
 */
#include "base/json.h"
#include "base/mem.h"
#include "base/test.h"
#include "hub/alert.h"
#include "hub/fake.h"
#include "hub/provide.h"
#include "hub/quality.h"
#include "hub/state.h"

#include <stdio.h>
#include <string.h>

#define EVERY_MS 600000
#define DAY_MS INT64_C(86400000)

static struct fake_city city;
static struct hub_subscription *subscription;
static char told[256]; /* "red 0 green 0 ": state and number of the check, since the last look at it */

static void take(void *context, const struct hub_window *window, struct rows *rows)
{
    for (size_t i = 0; i < rows_n(rows); i++) {
        const struct value *v = rows_at(rows, i);
        struct str resource, at;
        assert_str(v[1].s, "h/police");
        assert_true(str_cut_last(v[0].s, '/', &resource, &at));
        assert_str(resource, "h/police/vehicle");
        size_t n = strlen(told);
        snprintf(told + n, sizeof told - n, STR_FORMAT " " STR_FORMAT " ", STR_ARG(v[2].s), STR_ARG(at));
    }
}

static void write_city(const char *checks)
{
    char text[1024];
    snprintf(text, sizeof text,
        "party: h/police\nconnector: fake\nresources:\n"
        "  - name: vehicle\n    title: {zh: 车, en: Vehicles}\n    kind: table\n    quality: %s\n    fields:\n"
        "      - {name: plate, type: text, class: personal, key: true}\n      - {name: seats, type: integer, class: internal}\n"
        "      - {name: updated, type: time, class: internal}\n",
        checks);
    fake_city_write(&city, "systems/police.yaml", text);
}

static void load(void)
{
    static const struct str fields[] = {STR_INIT("key"), STR_INIT("party"), STR_INIT("state")};
    struct diag_list diags;
    assert_ok(fake_city_load(&city, &diags));
    const struct hub_subscribe_options options = {.party = STR("h/cockpit"),
        .resource = STR("h/hub/alert"),
        .purpose = STR("cockpit.show"),
        .fields = fields,
        .n_fields = 3,
        .loop = city.loop,
        .when_full = BUS_REFUSE,
        .on_rows = take};
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
}

static void unload(void)
{
    hub_unsubscribe(subscription);
    fake_city_spin(&city);
    fake_city_unload(&city);
}

static int make(void **state)
{
    fake_city_make(&city);
    city.ledger = fake_ledger();
    fake_city_write(&city, "scenes/count.yaml", NULL);
    fake_city_write(&city, "contracts/c-1.yaml", NULL);
    fake_city_write(&city, "contracts/c-2.yaml", NULL);
    fake_city_write(&city, "contracts/c-17.yaml", NULL);
    fake_city_write(&city, "contracts/c-9.yaml",
        "contract: h/c-9\nprovider: h/hub\nconsumer: h/cockpit\nresource: h/hub/alert\nuses: [subscribe]\nfields: [key, party, state]\n"
        "purpose: cockpit.show\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 24h\nstate: agreed\n");
    write_city("[{check: \"seats > 0\", share: 0.9}, {fresh: 1d, field: updated}]");
    told[0] = '\0';
    fake_system.n_all = 100;
    fake_system.n_also = 90;
    fake_system.newest = clock_wall(&city.clock.clock).ms;
    load();
    return 0;
}

static int finish(void **state)
{
    unload();
    fake_city_remove(&city);
    fake_ledger_reset();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

/* The next look at all checks; what was told at it. */
static const char *look(void)
{
    static char at_it[sizeof told];
    clock_fake_advance_ms(&city.clock, EVERY_MS);
    for (int i = 0; i < 4; i++)
        fake_city_spin(&city);
    snprintf(at_it, sizeof at_it, "%s", told);
    told[0] = '\0';
    return at_it;
}

static const char *states(void) /* of the catalog */
{
    static char text[128];
    struct buf json;
    struct json_writer w;
    buf_init(&json, 1u << 16);
    json_writer_init(&w, &json);
    json_begin_object(&w);
    hub_quality_put(&w, city.hub, hub_entry_of(hub_resource_find(city.hub, STR("h/police/vehicle"))));
    json_end_object(&w);
    json_t *root = json_loadb(json.ptr, json.len, 0, NULL), *one;
    size_t i;
    text[0] = '\0';
    json_array_foreach(json_object_get(root, "quality"), i, one)
    {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%s ", json_string_value(json_object_get(one, "state")));
    }
    json_decref(root);
    buf_finish(&json);
    return text;
}

static void fails_and_is_good_again(void **state)
{
    assert_string_equal(look(), "green 0 green 1 "); /* a case from before the start may wait for it */
    assert_string_equal(look(), "");
    assert_string_equal(states(), "good good ");
    fake_system.n_also = 89; /* of 100: below 0.9 */
    assert_string_equal(look(), "red 0 ");
    assert_string_equal(look(), "");
    assert_string_equal(states(), "failed good ");
    fake_system.n_also = 90;
    assert_string_equal(look(), "green 0 ");
    fake_system.newest = clock_wall(&city.clock.clock).ms - 2 * DAY_MS;
    assert_string_equal(look(), "red 1 ");
    fake_system.newest += 2 * DAY_MS;
    assert_string_equal(look(), "green 1 ");
    assert_string_equal(look(), "");
}

/* The department is silent between red and green: its green is told, and its silence is neither. */
static void over_no_answer(void **state)
{
    look();
    fake_system.n_also = 0;
    assert_string_equal(look(), "red 0 ");
    fake_system.fetch_err = ERR_UNAVAILABLE;
    assert_string_equal(look(), "");
    assert_string_equal(states(), "unavailable unavailable ");
    fake_system.fetch_err = ERR_OK;
    assert_string_equal(look(), ""); /* as red as before */
    fake_system.fetch_err = ERR_TIMEOUT;
    assert_string_equal(look(), "");
    fake_system.fetch_err = ERR_OK;
    fake_system.n_also = 100;
    assert_string_equal(look(), "green 0 ");
    assert_string_equal(states(), "good good ");
}

static void over_a_restart(void **state)
{
    look();
    fake_system.n_also = 0;
    assert_string_equal(look(), "red 0 ");
    unload();
    fake_system.n_also = 100;
    fake_system.fetch_err = ERR_UNAVAILABLE;
    load();
    assert_string_equal(look(), "");
    fake_system.fetch_err = ERR_OK;
    assert_string_equal(look(), "green 0 green 1 ");
    unload();
    fake_system.n_also = 0;
    load();
    assert_string_equal(look(), "red 0 green 1 ");
}

static void without_checks(void **state)
{
    look();
    unload();
    write_city("[]");
    load();
    assert_string_equal(look(), "");
    assert_string_equal(states(), "");
}

static void nothing(struct hub_fetch *fetch)
{
    if (!fetch->err)
        rows_release(fetch->rows);
}

/* A department's process gives another one the numbers that its own file promises, and no other. */
static void only_what_is_promised(void **state)
{
    const struct hub_resource *vehicle = hub_resource_find(city.hub, STR("h/police/vehicle"));
    int updated = hub_field_find(vehicle, STR("updated")), seats = hub_field_find(vehicle, STR("seats"));
    const struct value five = value_integer(5);
    const struct sql_constraint where = {.column = (uint16_t)seats, .op = SQL_EQ, .n_values = 1, .values = &five};
    struct arena arena;
    const struct sql_condition *promised, *other;
    arena_init(&arena, 1u << 16);
    assert_ok(sql_condition_parse(&arena, STR("seats > 0"), vehicle->columns, vehicle->n_fields, NULL, &promised));
    assert_ok(sql_condition_parse(&arena, STR("seats > 4"), vehicle->columns, vehicle->n_fields, NULL, &other));
    const struct {
        struct sql_output output;
        const struct sql_condition *also;
        size_t n_where;
        enum err err;
    } rows[] = {
        {{0, SQL_COUNT_ALL}, NULL, 0, ERR_OK},
        {{0, SQL_COUNT_ALL}, promised, 0, ERR_OK},
        {{(uint16_t)updated, SQL_MAX}, NULL, 0, ERR_OK},
        {{0, SQL_COUNT_ALL}, other, 0, ERR_DENIED},
        {{0, SQL_COUNT_ALL}, NULL, 1, ERR_DENIED},
        {{(uint16_t)updated, SQL_MAX}, promised, 0, ERR_DENIED},
        {{(uint16_t)updated, SQL_MIN}, NULL, 0, ERR_DENIED},
        {{(uint16_t)seats, SQL_MAX}, NULL, 0, ERR_DENIED},
        {{(uint16_t)updated, SQL_PLAIN}, NULL, 0, ERR_DENIED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hub_fetch fetch = {.outputs = &rows[i].output,
            .n_outputs = 1,
            .also = rows[i].also,
            .where = &where,
            .n_where = rows[i].n_where,
            .n_rows_max = 1,
            .n_bytes_max = 4096,
            .loop = city.loop,
            .done = nothing};
        assert_err(hub_provide_quality(vehicle, &fetch), rows[i].err);
        fake_city_spin(&city);
    }
    arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fails_and_is_good_again, make, finish),
        cmocka_unit_test_setup_teardown(over_no_answer, make, finish),
        cmocka_unit_test_setup_teardown(over_a_restart, make, finish),
        cmocka_unit_test_setup_teardown(without_checks, make, finish),
        cmocka_unit_test_setup_teardown(only_what_is_promised, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
