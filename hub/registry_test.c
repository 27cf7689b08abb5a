/*
 * A city's files: what is loaded from right ones, and what is said about each wrong one.
 */
#include "base/mem.h"
#include "base/test.h"
#include "hub/fake.h"
#include "hub/negotiate.h"

#include "hub/area.h"

#include <string.h>

static struct fake_city city;

static int make(void **state)
{
    fake_city_make(&city);
    city.ledger = fake_ledger();
    return 0;
}

static int finish(void **state)
{
    fake_city_remove(&city);
    fake_ledger_reset();
    return 0;
}

static void what_is_there(void **state)
{
    struct diag_list diags;
    struct hub_contract_info info;
    assert_ok(fake_city_load(&city, &diags));
    const struct hub_resource *vehicle = hub_resource_find(city.hub, STR("h/police/vehicle"));
    assert_non_null(vehicle);
    assert_int_equal(vehicle->kind, HUB_TABLE);
    assert_int_equal(vehicle->n_fields, 4);
    assert_str(vehicle->party, "h/police");
    assert_int_equal(hub_field_find(vehicle, STR("colour")), 2);
    assert_int_equal(hub_field_find(vehicle, STR("colou")), -1);
    assert_int_equal(vehicle->fields[0].class, HUB_PERSONAL);
    assert_str(vehicle->fields[0].meaning_zh, "号牌");
    assert_str(vehicle->fields[0].meaning_en, "Plate");
    assert_str(vehicle->fields[2].meaning_en, "颜色"); /* said once, for both */
    assert_true(str_is_empty(vehicle->fields[0].unit_zh));
    assert_non_null(hub_resource_find(city.hub, STR("h/count/road")));
    assert_non_null(hub_resource_find(city.hub, STR("h/hub/source")));
    assert_null(hub_resource_find(city.hub, STR("h/police/vehicles")));
    assert_str(hub_party_find(city.hub, STR("h/parking"))->title_en, "Parking");
    assert_null(hub_party_find(city.hub, STR("h/nobody")));
    assert_true(hub_contract_find(city.hub, STR("h/c-17"), &info));
    assert_str(info.purpose, "parking.settle");
    assert_int_equal(info.keep_ms, 3600000);
    assert_int_equal(info.n_fields, 2);
    assert_int_equal(info.until_ms, INT64_C(1830268800000)); /* midnight in Shanghai */
    assert_false(hub_contract_find(city.hub, STR("h/c-18"), &info));
    assert_true(hub_contract_for(city.hub, STR("h/cockpit"), STR("h/count/road"), STR("cockpit.show"), &info));
    assert_false(hub_contract_for(city.hub, STR("h/cockpit"), STR("h/count/road"), STR("other"), &info));
    fake_city_unload(&city);
}

static _Atomic bool door_is_ready;

static void no_mount(void *system, struct http_mount *ret_mount)
{
    *ret_mount = (struct http_mount){.n_routes = 0};
}

static bool is_door_ready(void *system)
{
    return door_is_ready;
}

static void measure_door(void *system, struct metric_page *page, struct str name)
{
    static const struct metric own = {"t_own", METRIC_GAUGE, "A door's own figure", {"system"}};
    metric_put_count(page, &own, 7, &name);
}

/* A door that still reads what it took before the start keeps traffic away; the hub stops: likewise. And the door's figures are told. */
static void readiness(void **state)
{
    static const struct hub_system_door door = {.mount = no_mount, .measure = measure_door, .is_ready = is_door_ready};
    struct hub_system_ops ops = fake_system_ops;
    ops.door = &door;
    const struct hub_system_ops *const connectors[] = {&ops, NULL};
    struct diag_list diags;
    struct hub_readiness ready;
    struct metric_page *page;
    struct buf text;
    city.connectors = connectors;
    door_is_ready = false;
    assert_ok(fake_city_load(&city, &diags));
    hub_readiness(city.hub, &ready);
    assert_true(ready.is_started && !ready.is_stopping);
    assert_int_equal(ready.n_systems, 1);
    assert_int_equal(ready.n_closed, 0);
    assert_int_equal(ready.n_starting, 1);
    door_is_ready = true;
    hub_readiness(city.hub, &ready);
    assert_int_equal(ready.n_starting, 0);
    assert_ok(metric_page_create(&page));
    hub_measure(city.hub, page);
    buf_init(&text, METRIC_PAGE_MAX);
    assert_ok(metric_page_write(page, &text));
    assert_non_null(strstr(text.ptr, "\nt_own{system=\"police\"} 7\n"));
    assert_non_null(strstr(text.ptr, "\ncitybrain_hub_contracts{state=\"agreed\"} 3\n"));
    assert_non_null(strstr(text.ptr, "\ncitybrain_department_open{department=\"police\",connector=\"fake\"} 1\n"));
    buf_finish(&text);
    metric_page_destroy(page);
    fake_city_unload(&city);
    city.connectors = NULL;
}

/* A contract leaves a leaf when it is new or changed, and not again. */
static void contract_leaves(void **state)
{
    struct diag_list diags;
    assert_ok(fake_city_load(&city, &diags));
    assert_int_equal(fake_ledger_count("\"type\":\"contract\""), 3);
    fake_city_unload(&city);
    assert_ok(fake_city_load(&city, &diags));
    assert_int_equal(fake_ledger_count("\"type\":\"contract\""), 3);
    fake_city_unload(&city);
    fake_city_write(&city, "contracts/c-2.yaml",
        "contract: h/c-2\nprovider: h/count\nconsumer: h/cockpit\nresource: h/count/road\nuses: [call]\n"
        "purpose: cockpit.show\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2027-01-01\n"
        "keep: 24h\nstate: agreed\n");
    assert_ok(fake_city_load(&city, &diags));
    assert_int_equal(fake_ledger_count("\"type\":\"contract\""), 4);
    fake_city_unload(&city);
}

static void states_outlive_a_restart(void **state)
{
    struct diag_list diags;
    struct hub_contract_info info;
    assert_ok(fake_city_load(&city, &diags));
    assert_err(fake_city_step(&city, "h/c-99", NEGOTIATE_REVOKE), ERR_NOT_FOUND);
    assert_ok(fake_city_step(&city, "h/c-17", NEGOTIATE_SUSPEND));
    assert_ok(fake_city_step(&city, "h/c-1", NEGOTIATE_REVOKE));
    assert_err(fake_city_step(&city, "h/c-1", NEGOTIATE_RESUME), ERR_DENIED);
    fake_city_spin(&city);
    assert_int_equal(fake_ledger_count("\"state\":\"suspended\""), 1);
    fake_city_unload(&city);
    assert_ok(fake_city_load(&city, &diags));
    assert_true(hub_contract_find(city.hub, STR("h/c-17"), &info));
    assert_int_equal(info.state, HUB_SUSPENDED);
    assert_true(hub_contract_find(city.hub, STR("h/c-1"), &info));
    assert_int_equal(info.state, HUB_ENDED);
    fake_city_unload(&city);
}

#define CONTRACT_HEAD "contract: h/c-3\nprovider: h/police\nconsumer: h/count\n"
#define CONTRACT_TAIL                                                                                                                      \
    "purpose: traffic.count\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 24h\nstate: agreed\n"
#define STREAM "resource: h/police/passage\nuses: [subscribe]\n"
#define SYSTEM "party: h/police\nconnector: fake\nresources:\n"
#define RESOURCE "  - name: thing\n    title: {zh: 物, en: Thing}\n    kind: table\n"

/* The first error about a file must be in this line of it and say this. */
struct wrong {
    const char *file, *text;
    int line;
    const char *says;
};

static const struct wrong wrong_contracts[] = {
    {"contracts/c-3.yaml", CONTRACT_HEAD "resource: h/police/passages\nuses: [subscribe]\nfields: [time]\n" CONTRACT_TAIL, 4,
        "there is no resource \"h/police/passages\""},
    {"contracts/c-3.yaml", "contract: h/c-3\nprovider: h/count\nconsumer: h/count\n" STREAM "fields: [time]\n" CONTRACT_TAIL, 2,
        "is offered by \"h/police\", not by \"h/count\"; write provider: h/police"},
    {"contracts/c-3.yaml", "contract: h/c-3\nprovider: h/police\nconsumer: h/nobody\n" STREAM "fields: [time]\n" CONTRACT_TAIL, 3,
        "there is no party \"h/nobody\"; declare it in parties.yaml"},
    {"contracts/c-3.yaml", CONTRACT_HEAD STREAM "fields: [tim]\n" CONTRACT_TAIL, 6, "has no field \"tim\""},
    {"contracts/c-3.yaml", CONTRACT_HEAD STREAM "fields: [time, time]\n" CONTRACT_TAIL, 6, "stands twice"},
    {"contracts/c-3.yaml", CONTRACT_HEAD STREAM "fields: []\n" CONTRACT_TAIL, 6, "at least one"},
    {"contracts/c-3.yaml", CONTRACT_HEAD "resource: h/police/vehicle\nuses: [call]\nfields: [owner]\n" CONTRACT_TAIL, 6,
        "is secret and never leaves"},
    {"contracts/c-3.yaml", CONTRACT_HEAD "resource: h/police/passage\nuses: [call]\nfields: [time]\n" CONTRACT_TAIL, 5,
        "a stream has no use \"call\"; it has subscribe"},
    {"contracts/c-3.yaml", CONTRACT_HEAD STREAM "fields: [time]\nrows: x\n" CONTRACT_TAIL, 7, "rows: is for tables only"},
    {"contracts/c-3.yaml", CONTRACT_HEAD "resource: h/police/vehicle\nuses: [call]\nfields: [colour]\nrows: bad\n" CONTRACT_TAIL, 7,
        "rows: is not a condition over the fields of \"h/police/vehicle\": at character 1: there is no field \"bad\""},
    {"contracts/c-3.yaml", CONTRACT_HEAD STREAM "fields: [time]\nper_secnd: 1\n" CONTRACT_TAIL, 7, "per_second"},
    {"contracts/c-3.yaml", CONTRACT_HEAD STREAM "fields: [time]\nper_day: 0\n" CONTRACT_TAIL, 7, "per_day"},
    {"contracts/c-3.yaml", CONTRACT_HEAD STREAM "fields: [time]\nconfirmed: 2026-01-01\n" CONTRACT_TAIL, 7, "fresh_for"},
    {"contracts/c-3.yaml",
        CONTRACT_HEAD STREAM "fields: [time]\npurpose: to count the cars\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: "
                             "2028-01-01\nkeep: 24h\nstate: agreed\n",
        7, "a purpose is a code"},
    {"contracts/c-3.yaml",
        CONTRACT_HEAD STREAM
        "fields: [time]\npurpose: p\nlegal_basis: {zh: 依, en: law}\nfrom: 2028-01-01\nuntil: 2028-01-01\nkeep: 24h\nstate: agreed\n",
        10, "ends before it begins"},
    {"contracts/c-3.yaml",
        CONTRACT_HEAD STREAM "fields: [time]\npurpose: p\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 24h\nstate: agreed\n", 1,
        "legal_basis"},
    {"contracts/c-3.yaml",
        CONTRACT_HEAD STREAM
        "fields: [time]\npurpose: p\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 24h\nstate: yes\n",
        12, "state"},
    {"contracts/c-3.yaml", "contract: h/c-17\nprovider: h/police\nconsumer: h/count\n" STREAM "fields: [time]\n" CONTRACT_TAIL, 1,
        "declared twice"},
    {"contracts/c-3.yaml", "contract: h/contract\n", 1, "is not a contract's name"},
    {"contracts/c-3.yaml", "contract: k/c-3\n", 1, "there is no area \"k\""},
    {"contracts/c-3.yaml", "- a list\n", 1, "not a map"},
    {"contracts/c-3.yaml", "contract: h/c-3\ncontract: h/c-4\n", 2, ""},
};

static const struct wrong wrong_systems[] = {
    {"systems/a.yaml", "party: h/police\nconnector: oracle\nresources: []\n", 2, "there is no connector \"oracle\"; there are fake"},
    {"systems/a.yaml", "party: h/nobody\nconnector: fake\nresources: []\n", 1, "there is no party"},
    {"systems/a.yaml", "party: h/police\nconnector: fake\n", 1, "add resources:"},
    {"systems/a.yaml", SYSTEM RESOURCE, 4, "has no fields"},
    {"systems/a.yaml", SYSTEM RESOURCE "    fields:\n      - {name: phone, type: text}\n", 8,
        "field \"phone\" has no class; give it one of open, internal, personal, secret"},
    {"systems/a.yaml", SYSTEM RESOURCE "    fields:\n      - {name: phone, class: open}\n", 8, "field \"phone\" has no type"},
    {"systems/a.yaml", SYSTEM RESOURCE "    fields:\n      - {name: phone, type: string, class: open}\n", 8, "\"string\" is not a type"},
    {"systems/a.yaml", SYSTEM RESOURCE "    fields:\n      - {name: phone, type: text, class: private}\n", 8, "class"},
    {"systems/a.yaml", SYSTEM RESOURCE "    fields:\n      - {name: a, type: text, class: open, meaning: {zh: 色}}\n", 8, "en"},
    {"systems/a.yaml", SYSTEM RESOURCE "    fields:\n      - {name: a, type: text, class: open, unit: {zh: 米, fr: m}}\n", 8, "\"fr\""},
    {"systems/a.yaml", SYSTEM RESOURCE "    fields:\n      - {name: a, type: text, class: open, unit: [m]}\n", 8, "unit"},
    {"systems/a.yaml",
        SYSTEM RESOURCE "    fields:\n      - {name: a, type: text, class: open, key: true}\n      - {name: a, type: text, class: open}\n",
        9, "declared twice"},
    {"systems/a.yaml", SYSTEM RESOURCE "    fields:\n      - {name: a, type: text, class: open}\n", 4, "has no key"},
    {"systems/a.yaml", SYSTEM RESOURCE "    feilds: []\n", 7, "fields"},
    {"systems/a.yaml", SYSTEM "  - {name: o, title: {zh: 物, en: T}, kind: object, fields: [{name: bytes, type: bytes, class: open}]}\n", 4,
        "use connector: files"},
    {"systems/a.yaml", SYSTEM "  - {name: a/b, title: {zh: 物, en: T}, kind: stream}\n", 4, "is not a resource's name"},
    {"systems/a.yaml", SYSTEM "  - {name: ab, title: {zh: 物}, kind: stream, fields: [{name: a, type: text, class: open}]}\n", 4, "en"},
    {"systems/z.yaml", SYSTEM "  - {name: passage, title: {zh: 物, en: T}, kind: stream, fields: [{name: a, type: text, class: open}]}\n",
        4, "is declared twice, also in"},
};

static const struct wrong wrong_scenes[] = {
    {"scenes/b.yaml",
        "party: h/count\nresources:\n  - {name: t, title: {zh: 物, en: T}, kind: table, bind: {table: t}, fields: [{name: a, type: text, "
        "class: open, key: true}]}\n",
        3, "leave out bind:"},
    {"scenes/b.yaml",
        "party: h/count\nresources:\n  - {name: t, title: {zh: 物, en: T}, kind: table, fields: [{name: a, type: text, class: open}]}\n", 3,
        "has no key"},
    {"scenes/b.yaml",
        "party: h/count\nresources:\n  - {name: c, title: {zh: 物, en: T}, kind: command, fields: [{name: a, type: text, class: open}]}\n",
        3, "needs a connector"},
    {"scenes/b.yaml",
        "party: h/count\nresources:\n  - {name: o, title: {zh: 物, en: T}, kind: object, fields: [{name: a, type: text, class: "
        "open}]}\n",
        3, "an object has one field"},
};

static const struct wrong wrong_parties[] = {
    {"parties.yaml", "parties:\n  - {name: police, title: {zh: 警, en: P}, kind: department}\n", 2, "is not a party's name"},
    {"parties.yaml", "parties:\n  - {name: k/police, title: {zh: 警, en: P}, kind: department}\n", 2, "there is no area \"k\""},
    {"parties.yaml", "parties:\n  - {name: h/police, title: {zh: 警, en: P}, kind: ministry}\n", 2, "kind"},
    {"parties.yaml", "people: []\n", 1, "there is no party"},
};

static void expect_refused(const struct wrong *row, size_t at)
{
    struct diag_list diags;
    struct fake_city wrong;
    char place[128];
    fake_city_make(&wrong);
    wrong.ledger = fake_ledger();
    fake_city_write(&wrong, row->file, row->text);
    if (fake_city_load(&wrong, &diags) == ERR_OK)
        fail_msg("row %zu (%s): accepted", at, row->says);
    assert_int_not_equal(diags.n, 0);
    snprintf(place, sizeof place, "%s/%s:%d: ", wrong.dir, row->file, row->line);
    if (!strstr(diags.diags[0].text, row->says) || strncmp(diags.diags[0].text, place, strlen(place)) != 0)
        fail_msg("row %zu should say at line %d \"%s\", says: %s", at, row->line, row->says, diags.diags[0].text);
    fake_city_unload(&wrong);
    fake_city_remove(&wrong);
    fake_ledger_reset();
}

static void wrong_contracts_are_refused(void **state)
{
    for (size_t i = 0; i < sizeof wrong_contracts / sizeof *wrong_contracts; i++)
        expect_refused(&wrong_contracts[i], i);
}

static void wrong_systems_are_refused(void **state)
{
    for (size_t i = 0; i < sizeof wrong_systems / sizeof *wrong_systems; i++)
        expect_refused(&wrong_systems[i], i);
}

static void wrong_scenes_are_refused(void **state)
{
    for (size_t i = 0; i < sizeof wrong_scenes / sizeof *wrong_scenes; i++)
        expect_refused(&wrong_scenes[i], i);
}

static void wrong_parties_are_refused(void **state)
{
    for (size_t i = 0; i < sizeof wrong_parties / sizeof *wrong_parties; i++)
        expect_refused(&wrong_parties[i], i);
}

static void every_error_is_told(void **state)
{
    struct diag_list diags;
    fake_city_write(&city, "contracts/c-3.yaml", CONTRACT_HEAD STREAM "fields: [tim]\n" CONTRACT_TAIL);
    fake_city_write(
        &city, "contracts/c-4.yaml", "contract: h/c-4\nprovider: h/police\nconsumer: h/nobody\n" STREAM "fields: [time]\n" CONTRACT_TAIL);
    fake_city_write(&city, "systems/b.yaml", "party: h/police\nconnector: none\nresources: []\n");
    assert_int_not_equal(fake_city_load(&city, &diags), ERR_OK);
    assert_int_equal(diags.n, 3);
    fake_city_unload(&city);
}

static void check_touches_nothing(void **state)
{
    static const struct hub_system_ops *const connectors[] = {&fake_system_ops, NULL};
    struct diag_list diags = {0};
    struct hub_options options = {.city_dir = city.dir,
        .data_dir = city.data,
        .area = STR("h"),
        .zone = TIME_ZONE_SHANGHAI,
        .clock = clock_system(),
        .connectors = connectors,
        .check_only = true};
    struct hub *hub;
    assert_ok(hub_create(&options, &diags, &hub));
    assert_non_null(hub_resource_find(hub, STR("h/police/vehicle")));
    hub_stop(hub);
    hub_destroy(hub);
    assert_int_equal(diags.n, 0);
    assert_int_equal(fake_ledger_n(), 0);
    FILE *data = fopen(city.data, "r");
    assert_null(data);
    options.city_dir = "/nonexistent";
    assert_int_not_equal(hub_create(&options, &diags, &hub), ERR_OK);
    assert_int_not_equal(diags.n, 0);
}

/* Loading a city with the Nth allocation failing, for every N: an error that is told, nothing leaked, no crash. */
static void each_allocation_fails_once(void **state)
{
    uint64_t n = 0;
    enum err err = ERR_NO_MEMORY;
    while (err && ++n < 100000) {
        struct diag_list diags;
        mem_fail_nth(n);
        err = fake_city_load(&city, &diags);
        mem_fail_nth(0);
        if (err && city.hub) {
            hub_stop(city.hub);
            fake_city_spin(&city);
        }
        fake_city_unload(&city);
        fake_ledger_reset();
        if (mem_n_live() != 0)
            fail_msg("allocation %llu: %lld left", (unsigned long long)n, (long long)mem_n_live());
    }
    assert_true(n > 50);
    assert_ok(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_there, make, finish),
        cmocka_unit_test_setup_teardown(readiness, make, finish),
        cmocka_unit_test_setup_teardown(contract_leaves, make, finish),
        cmocka_unit_test_setup_teardown(states_outlive_a_restart, make, finish),
        cmocka_unit_test(wrong_contracts_are_refused),
        cmocka_unit_test(wrong_systems_are_refused),
        cmocka_unit_test(wrong_scenes_are_refused),
        cmocka_unit_test(wrong_parties_are_refused),
        cmocka_unit_test_setup_teardown(every_error_is_told, make, finish),
        cmocka_unit_test_setup_teardown(check_touches_nothing, make, finish),
        cmocka_unit_test_setup_teardown(each_allocation_fails_once, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
