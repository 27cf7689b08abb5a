/* What is said of a need that the city's files do not meet, and that a met one passes. */
#include "hub/need.h"

#include "base/test.h"
#include "hub/fake.h"

#include <stdio.h>
#include <string.h>

#define CONTRACT(state, from, until)                                                                                                       \
    "contract: h/c-3\nprovider: h/police\nconsumer: h/parking\nresource: h/police/passage\nuses: [subscribe]\nfields: [time]\n"            \
    "purpose: p\nlegal_basis: {zh: 依, en: law}\nfrom: " from "\nuntil: " until "\nkeep: 1h\nstate: " state "\n"

static const char *const camera_time[] = {"time", "camera"}, *const plate[] = {"plate"}, *const speed[] = {"speed"},
                         *const bytes[] = {"bytes"};

static const struct {
    const char *party, *resource, *purpose;
    enum hub_kind kind;
    const char *const *fields;
    size_t n_fields;
    enum err err;
    const char *says; /* NULL: nothing */
} rows[] = {
    {"h/count", "h/police/passage", "traffic.count", HUB_STREAM, camera_time, 2, ERR_OK, NULL},
    {"h/cockpit", "h/count/road", "cockpit.show", HUB_OBJECT, bytes, 1, ERR_OK, NULL},
    {"h/count", "h/police/passages", "traffic.count", HUB_STREAM, camera_time, 2, ERR_NOT_FOUND,
        "there is no resource \"h/police/passages\""},
    {"h/count", "h/police/vehicle", "traffic.count", HUB_STREAM, camera_time, 2, ERR_UNSUPPORTED, "of kind table; a stream is wanted"},
    {"h/count", "h/police/passage", "traffic.count", HUB_STREAM, speed, 1, ERR_NOT_FOUND, "has no field \"speed\""},
    {"h/count", "h/police/passage", "traffic.count", HUB_STREAM, plate, 1, ERR_DENIED, "contract h/c-1 does not grant the field \"plate\""},
    {"h/count", "h/police/passage", "traffic.signal", HUB_STREAM, camera_time, 2, ERR_DENIED,
        "no contract lets h/count use h/police/passage for traffic.signal"},
    {"h/cockpit", "h/police/passage", "traffic.count", HUB_STREAM, camera_time, 2, ERR_DENIED, "no contract lets h/cockpit use"},
};

static const struct {
    const char *contract;
    enum err err;
    const char *says;
} states[] = {
    {CONTRACT("agreed", "2026-01-01", "2028-01-01"), ERR_OK, NULL},
    {CONTRACT("suspended", "2026-01-01", "2028-01-01"), ERR_OK, NULL},
    {CONTRACT("offered", "2027-12-31", "2028-01-01"), ERR_OK, NULL},
    {CONTRACT("ended", "2026-01-01", "2028-01-01"), ERR_DENIED,
        "contract h/c-3 has ended, and h/parking needs it for h/police/passage; mend its state:"},
    {CONTRACT("agreed", "2026-01-01", "2026-01-02"), ERR_DENIED,
        "contract h/c-3 has ended, and h/parking needs it for h/police/passage; mend its until:"},
};

static void expect(const struct hub *hub, const struct hub_need *need, enum err wanted, const char *says, size_t row)
{
    struct yaml *yaml;
    struct diag_list diags = {0};
    assert_ok(yaml_load_str(STR("# a file\nsource: x\n"), "file.yaml", NULL, &yaml));
    assert_err(hub_need_check(hub, need, yaml_get(yaml_root(yaml), "source"), &diags), wanted);
    if (says && (diags.n != 1 || !strstr(diags.diags[0].text, says) || strncmp(diags.diags[0].text, "file.yaml:2: ", 13) != 0))
        fail_msg("row %zu: says \"%s\", not \"%s\"", row, diags.n ? diags.diags[0].text : "", says);
    if (!says)
        assert_int_equal(diags.n, 0);
    yaml_destroy(yaml);
}

static void needs_are_held_against_the_files(void **state)
{
    struct fake_city city;
    struct diag_list diags;
    fake_city_make(&city);
    city.ledger = fake_ledger();
    assert_ok(fake_city_load(&city, &diags));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct hub_need need = {.party = str_from_c(rows[i].party),
            .resource = str_from_c(rows[i].resource),
            .purpose = str_from_c(rows[i].purpose),
            .kind = rows[i].kind,
            .fields = rows[i].fields,
            .n_fields = rows[i].n_fields};
        expect(city.hub, &need, rows[i].err, rows[i].says, i);
    }
    fake_city_unload(&city);
    fake_city_remove(&city);
    fake_ledger_reset();
}

static void what_has_ended_does_not_come_back(void **state)
{
    const struct hub_need need = {STR("h/parking"), STR("h/police/passage"), STR("p"), HUB_STREAM, camera_time, 1, false, 0};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct fake_city city;
        struct diag_list diags;
        fake_city_make(&city);
        city.ledger = fake_ledger();
        fake_city_write(&city, "contracts/c-3.yaml", states[i].contract);
        assert_ok(fake_city_load(&city, &diags));
        expect(city.hub, &need, states[i].err, states[i].says, i);
        fake_city_unload(&city);
        fake_city_remove(&city);
        fake_ledger_reset();
    }
}

/* A query is another use than a call, and rows are kept no longer than the contract says. */
static void queries_and_keeping(void **state)
{
    static const struct {
        const char *uses, *keep;
        int64_t keep_ms;
        enum err err;
        const char *says;
    } kept[] = {
        {"query", "1min", 60000, ERR_OK, NULL},
        {"call, query", "1min", 0, ERR_OK, NULL},
        {"query", "1min", 60001, ERR_DENIED, "contract h/c-3 lets rows be kept for 60 s, and h/parking keeps them for 60 s"},
        {"call", "1min", 60000, ERR_DENIED, "does not grant the use \"query\""},
    };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct fake_city city;
        struct diag_list diags;
        char contract[512];
        struct hub_need need = {STR("h/parking"), STR("h/police/vehicle"), STR("p"), HUB_TABLE, plate, 1, true, kept[i].keep_ms};
        fake_city_make(&city);
        city.ledger = fake_ledger();
        (void)snprintf(contract, sizeof contract,
            "contract: h/c-3\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [%s]\nfields: [plate]\npurpose: "
            "p\n"
            "legal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: %s\nstate: agreed\n",
            kept[i].uses, kept[i].keep);
        fake_city_write(&city, "contracts/c-3.yaml", contract);
        assert_ok(fake_city_load(&city, &diags));
        expect(city.hub, &need, kept[i].err, kept[i].says, i);
        fake_city_unload(&city);
        fake_city_remove(&city);
        fake_ledger_reset();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_are_held_against_the_files),
        cmocka_unit_test(what_has_ended_does_not_come_back),
        cmocka_unit_test(queries_and_keeping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
