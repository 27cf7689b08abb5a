/*
 * Publishing through the real door: accepted rows reach a subscriber, and each way in which a posting can be wrong.
 */
#include "system/push/push.h"

#include "base/test.h"
#include "hub/fake_door.h"
#include "system/push/postings.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fake_door door;
static char out[4096];
static _Atomic size_t n_rows;
static struct hub_subscription *subscription;

#define PATH "/hub/v1/publish/h/world/truth"

static const struct hub_system_ops *const connectors[] = {&fake_system_ops, &system_push_ops, NULL};

static int make(void **state)
{
    fake_city_make(&door.city);
    door.city.connectors = connectors;
    fake_city_write(&door.city, "parties.yaml",
        "parties:\n  - {name: h/police, title: {zh: 警, en: Police}, kind: department}\n  - {name: h/parking, title: {zh: 泊, en: "
        "Parking}, kind: program}\n"
        "  - {name: h/count, title: {zh: 数, en: Count}, kind: scene}\n  - {name: h/cockpit, title: {zh: 舱, en: Cockpit}, kind: program}\n"
        "  - {name: h/world, title: {zh: 世, en: World}, kind: program}\n");
    fake_city_write(&door.city, "systems/world.yaml",
        "party: h/world\nconnector: push\nconnection: {per_second: 100, silent_after: 60s}\nresources:\n  - name: truth\n    title: {zh: "
        "真, en: Truth}\n    kind: stream\n"
        "    fields:\n      - {name: name, type: text, class: open}\n      - {name: time, type: time, class: open}\n      - {name: value, "
        "type: real, class: open}\n");
    fake_city_write(&door.city, "contracts/c-6.yaml",
        "contract: h/c-6\nprovider: h/world\nconsumer: h/cockpit\nresource: h/world/truth\nuses: [subscribe]\nfields: [name, "
        "value]\npurpose: cockpit.show\n"
        "legal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2030-01-01\nkeep: 24h\nstate: agreed\n");
    fake_door_start(&door);
    return 0;
}

static int finish(void **state)
{
    fake_door_stop(&door);
    return 0;
}

static int post(const char *token, const char *body)
{
    return fake_door_ask(&door, "POST", PATH, token, body, out, sizeof out);
}

static void take(void *context, const struct hub_window *window, struct rows *rows)
{
    assert_int_equal(rows_n_fields(rows), 2);
    atomic_fetch_add(&n_rows, rows_n(rows));
}

static void subscribe(void *context)
{
    static const struct str fields[] = {STR_INIT("name"), STR_INIT("value")};
    const struct hub_subscribe_options options = {.party = STR("h/cockpit"),
        .resource = STR("h/world/truth"),
        .purpose = STR("cockpit.show"),
        .fields = fields,
        .n_fields = 2,
        .loop = door.city.loop,
        .on_rows = take};
    assert_ok(hub_subscribe(door.city.hub, &options, NULL, &subscription));
}

static void unsubscribe(void *context)
{
    hub_unsubscribe(subscription);
}

static void accepted(void **state)
{
    fake_door_on_hub(&door, subscribe, NULL);
    assert_int_equal(
        post("world", "{\"events\":[{\"name\":\"a\",\"time\":1795000000000,\"value\":1},{\"value\":2.5,\"name\":\"b\",\"time\":null}]}"),
        200);
    assert_string_equal(out, "{\"accepted\":2}");
    assert_int_equal(post("world", "{\"events\":[{\"name\":\"a\",\"time\":\"2026-11-22T08:30:00+08:00\"}]}"), 200);
    assert_int_equal(post("world", "{\"events\":[]}"), 200);
    for (int i = 0; i < 500 && n_rows < 3; i++)
        usleep(10000);
    assert_int_equal(n_rows, 3);
    fake_door_on_hub(&door, unsubscribe, NULL);
}

static void refused(void **state)
{
    static const char *const bodies[] = {"", "[]", "{}", "{\"events\":{}}", "{\"events\":[1]}", "{\"events\":[{}],\"more\":1}",
        "{\"events\":[{\"name\":1}]}", "{\"events\":[{\"value\":\"1\"}]}", "{\"events\":[{\"time\":\"yesterday\"}]}",
        "{\"events\":[{\"other\":1}]}", "{\"events\":[{\"name\":\"a\",\"name\":\"b\"}]}",
        "{\"events\":[{\"name\":\"good\"},{\"name\":[]}]}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        if (post("world", bodies[i]) != 400)
            fail_msg("%s: %s", bodies[i], out);
    assert_non_null(strstr(out, "event 1: ")); /* the place */
    assert_int_equal(post("police", "{\"events\":[]}"), 404);
    assert_int_equal(post(NULL, "{\"events\":[]}"), 401);
    assert_int_equal(fake_door_ask(&door, "POST", "/hub/v1/publish/h/police/passage", "police", "{\"events\":[]}", out, sizeof out), 404);
}

/* {"events":[{},{},…]} */
static void write_events(int n, char *body, size_t size)
{
    snprintf(body, size, "{\"events\":[{}");
    for (int i = 1; i < n; i++)
        strncat(body, ",{}", size - strlen(body) - 1);
    strncat(body, "]}", size - strlen(body) - 1);
}

static void too_fast(void **state)
{
    static char body[8192];
    write_events(101, body, sizeof body);
    assert_int_equal(post("world", body), 413); /* a second never holds so many: waiting would not help */
    write_events(80, body, sizeof body);
    assert_int_equal(post("world", body), 200);
    assert_int_equal(post("world", body), 429);
    usleep(1100000);
    assert_int_equal(post("world", body), 200);
}

static void too_large(void **state)
{
    size_t size = (1u << 20) + 100;
    char *body = malloc(size);
    memset(body, ' ', size - 1);
    body[size - 1] = '\0';
    int status = post("world", body);
    assert_true(status == 413 ||
                status == 0); /* 0: the server has answered and hung up while this end still sends, and the answer is lost to the reset */
    free(body);
}

static void named_goes_on_once(void **state)
{
    static const char one[] = "{\"events\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"posting\":\"p/1\"}";
    static const char *const wrong[] = {"{\"events\":[],\"posting\":\"\"}", "{\"events\":[],\"posting\":7}",
        "{\"events\":[],\"posting\":null}",
        "{\"events\":[],\"posting\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}", "{\"posting\":\"p\"}"};
    static char many[8192];
    n_rows = 0;
    fake_door_on_hub(&door, subscribe, NULL);
    assert_int_equal(post("world", one), 200);
    assert_string_equal(out, "{\"accepted\":2}");
    for (int i = 0; i < 200; i++) { /* more than the rate would take */
        assert_int_equal(post("world", one), 200);
        assert_string_equal(out, "{\"accepted\":2,\"repeated\":true}");
    }
    assert_int_equal(post("world", "{\"events\":[{\"name\":\"c\"}],\"posting\":\"p/1\"}"), 409);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (post("world", wrong[i]) != 400)
            fail_msg("%s: %s", wrong[i], out);
    write_events(101, many, sizeof many); /* refused: the name is free again */
    snprintf(many + strlen(many) - 1, sizeof many - strlen(many), ",\"posting\":\"p/2\"}");
    assert_int_equal(post("world", many), 413);
    assert_int_equal(post("world", many), 413);
    assert_int_equal(post("world", "{\"events\":[{\"name\":\"d\"}],\"posting\":\"p/2\"}"), 200);
    for (int i = 0; i < 500 && n_rows < 3; i++)
        usleep(10000);
    usleep(50000);
    assert_int_equal(n_rows, 3);
    fake_door_on_hub(&door, unsubscribe, NULL);
}

/* The ring itself: what is under way is not had twice and not pushed out, the oldest goes. */
static void names_in_a_ring(void **state)
{
    struct push_postings *postings;
    struct str resource = STR("h/world/truth"), body = STR("b");
    size_t n = 0;
    char name[16];
    assert_ok(push_postings_create(&postings));
    assert_ok(push_postings_begin(postings, resource, STR("x"), body, &n));
    assert_int_equal(push_postings_begin(postings, resource, STR("x"), body, &n), ERR_BUSY);
    assert_int_equal(push_postings_begin(postings, resource, STR("x"), STR("c"), &n), ERR_STATE);
    assert_ok(push_postings_begin(postings, STR("h/world/truthx"), STR(""), body, &n));
    for (int i = 0; i < 3 * POSTINGS_KEPT; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_ok(push_postings_begin(postings, resource, str_from_c(name), body, &n));
        push_postings_end(postings, resource, str_from_c(name), true, 7);
        assert_int_equal(push_postings_begin(postings, resource, str_from_c(name), body, &n), ERR_EXISTS);
        assert_int_equal(n, 7);
    }
    assert_int_equal(push_postings_begin(postings, resource, STR("x"), body, &n), ERR_BUSY);
    assert_ok(push_postings_begin(postings, resource, STR("1"), body, &n)); /* long gone */
    push_postings_end(postings, resource, STR("x"), false, 0);
    assert_ok(push_postings_begin(postings, resource, STR("x"), STR("c"), &n));
    push_postings_destroy(postings);
    assert_ok(push_postings_create(&postings));
    for (int i = 0; i < POSTINGS_KEPT; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_ok(push_postings_begin(postings, resource, str_from_c(name), body, &n));
    }
    assert_int_equal(push_postings_begin(postings, resource, STR("one more"), body, &n), ERR_BUSY);
    push_postings_destroy(postings);
    push_postings_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepted, make, finish),
        cmocka_unit_test_setup_teardown(refused, make, finish),
        cmocka_unit_test_setup_teardown(too_fast, make, finish),
        cmocka_unit_test_setup_teardown(named_goes_on_once, make, finish),
        cmocka_unit_test(names_in_a_ring),
        cmocka_unit_test_setup_teardown(too_large, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
