/* The provider's side: what its own files grant, and nothing else, whatever the hub asks. A row for each rule of hub/provide.c. */
#include "base/test.h"
#include "hub/fake.h"
#include "hub/provide.h"

#include <string.h>

enum { PLATE, KIND, COLOUR, OWNER }; /* of h/police/vehicle: plate and kind are keys; h/c-17 grants plate and colour */

struct fixture {
    struct fake_city city;
    struct diag_list diags;
    struct hub_contract_info info;
    const struct hub_resource *vehicle;
};
static struct fixture fixture;

static bool is_done;
static void on_done(struct hub_fetch *fetch)
{
    is_done = true;
}

static int start(void **state)
{
    fake_city_make(&fixture.city);
    fake_ledger_reset();
    fixture.city.ledger = fake_ledger();
    assert_ok(fake_city_load(&fixture.city, &fixture.diags));
    assert_true(hub_contract_find(fixture.city.hub, STR("h/c-17"), &fixture.info));
    fixture.vehicle = hub_resource_find(fixture.city.hub, STR("h/police/vehicle"));
    return 0;
}

static int finish(void **state)
{
    fake_city_unload(&fixture.city);
    fake_city_remove(&fixture.city);
    return 0;
}

static enum err ask(struct str contract, const struct hub_resource *resource, struct sha256 hash, struct hub_fetch *fetch)
{
    fetch->loop = fixture.city.loop;
    fetch->done = on_done;
    fetch->n_bytes_max = 1u << 16;
    is_done = false;
    enum err err = hub_provide_fetch(fixture.city.hub, contract, hash, resource, fetch);
    fake_city_spin(&fixture.city);
    assert_int_equal(is_done, err == ERR_OK); /* `done` comes if it was started, and only then */
    if (!err)
        rows_release(fetch->rows);
    return err;
}

static void only_what_is_granted(void **state)
{
    const struct value plate = value_text(STR("A1")), kind = value_integer(2);
    const struct sql_constraint by_plate = {.column = PLATE, .op = SQL_EQ, .n_values = 1, .values = &plate};
    const struct sql_constraint by_kind = {.column = KIND, .op = SQL_EQ, .n_values = 1, .values = &kind};
    const struct sql_constraint by_owner = {.column = OWNER, .op = SQL_EQ, .n_values = 1, .values = &plate};
    const struct sql_constraint by_nothing = {.column = 77, .op = SQL_EQ, .n_values = 1, .values = &plate};
    const struct sql_order by = {.column = OWNER};
    static const struct {
        const char *why;
        uint16_t output;
        uint8_t aggregate;
        enum err err;
    } outputs[] = {
        {"granted", COLOUR, SQL_PLAIN, ERR_OK},
        {"granted, and the key", PLATE, SQL_PLAIN, ERR_OK},
        {"a key that is not granted is not answered", KIND, SQL_PLAIN, ERR_DENIED},
        {"never granted", OWNER, SQL_PLAIN, ERR_DENIED},
        {"nor as an aggregate", OWNER, SQL_MAX, ERR_DENIED},
        {"nor counted", OWNER, SQL_COUNT, ERR_DENIED},
        {"all rows may be counted", OWNER, SQL_COUNT_ALL, ERR_OK},
        {"no such column", 77, SQL_PLAIN, ERR_DENIED},
    };
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        const struct sql_output output = {.column = outputs[i].output, .aggregate = outputs[i].aggregate};
        struct hub_fetch fetch = {.outputs = &output, .n_outputs = 1, .where = &by_plate, .n_where = 1};
        enum err err = ask(STR("h/c-17"), fixture.vehicle, fixture.info.hash, &fetch);
        if (err != outputs[i].err)
            fail_msg("%s: %s", outputs[i].why, err_text(err));
    }
    const struct sql_output colour = {.column = COLOUR};
    struct hub_fetch fetch = {.outputs = &colour, .n_outputs = 1, .where = &by_kind, .n_where = 1};
    assert_ok(ask(STR("h/c-17"), fixture.vehicle, fixture.info.hash, &fetch)); /* to ask by, a key is enough */
    fetch.where = &by_owner;
    assert_err(ask(STR("h/c-17"), fixture.vehicle, fixture.info.hash, &fetch), ERR_DENIED); /* a guess is an answer too */
    fetch.where = &by_nothing;
    assert_err(ask(STR("h/c-17"), fixture.vehicle, fixture.info.hash, &fetch), ERR_DENIED);
    fetch.where = &by_plate;
    fetch.order = &by;
    fetch.n_order = 1;
    assert_err(ask(STR("h/c-17"), fixture.vehicle, fixture.info.hash, &fetch), ERR_DENIED); /* an order tells too */
    fetch.n_order = 0;
    struct arena arena;
    arena_init(&arena, 1u << 20);
    assert_ok(sql_condition_parse(&arena, STR("owner = 'x'"), fixture.vehicle->columns, fixture.vehicle->n_fields, NULL, &fetch.also));
    assert_err(ask(STR("h/c-17"), fixture.vehicle, fixture.info.hash, &fetch), ERR_DENIED);
    arena_finish(&arena);
}

static void the_contract_itself(void **state)
{
    const struct sql_output colour = {.column = COLOUR};
    struct hub_fetch fetch = {.outputs = &colour, .n_outputs = 1};
    struct sha256 other = fixture.info.hash;
    other.bytes[5] ^= 1;
    assert_err(ask(STR("h/c-99"), fixture.vehicle, fixture.info.hash, &fetch), ERR_NOT_FOUND);
    assert_err(ask(STR("h/c-1"), fixture.vehicle, fixture.info.hash, &fetch), ERR_NOT_FOUND); /* on another resource */
    assert_err(ask(STR("h/c-17"), fixture.vehicle, other, &fetch), ERR_STATE);                /* the hub's terms are others */
    fixture.city.clock.wall.ms = INT64_C(1893456000000);                                      /* 2030: it is over */
    assert_err(ask(STR("h/c-17"), fixture.vehicle, fixture.info.hash, &fetch), ERR_DENIED);
    fixture.city.clock.wall.ms = INT64_C(1577836800000); /* 2020: it has not begun */
    assert_err(ask(STR("h/c-17"), fixture.vehicle, fixture.info.hash, &fetch), ERR_DENIED);
    fixture.city.clock.wall.ms = INT64_C(1795000000000);
    assert_ok(ask(STR("h/c-17"), fixture.vehicle, fixture.info.hash, &fetch));
    struct hub_ask act = {.resource = fixture.vehicle, .party = STR("h/parking")};
    assert_err(hub_provide_act(fixture.city.hub, &act), ERR_NOT_FOUND); /* no command */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_what_is_granted), cmocka_unit_test(the_contract_itself)};
    return cmocka_run_group_tests(tests, start, finish);
}
