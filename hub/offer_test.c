/* Tables that a scene answers: offered, asked, ended; on a loop of its own; what cannot be looked through. */
#include "hub/offer.h"

#include "base/mem.h"
#include "hub/call_testing.h"

#include <stdio.h>

static const char scene_yaml[] =
    "scene: count\nparty: h/count\nresources:\n"
    "  - {name: indicator, title: {zh: 指标, en: Indicators}, kind: stream, fields: [{name: name, type: text, class: open}]}\n"
    "  - name: way\n    title: {zh: 路, en: Ways}\n    kind: table\n    fields:\n"
    "      - {name: from, type: text, class: open, key: true}\n"
    "      - {name: to, type: text, class: open, key: true}\n"
    "      - {name: seconds, type: real, class: open}\n"
    "      - {name: edges, type: text, class: open}\n"
    "      - {name: secret, type: text, class: secret}\n";

#define CONTRACT                                                                                                                           \
    "contract: h/c-3\nprovider: h/count\nconsumer: h/parking\nresource: h/count/way\nuses: [call, query]\n"                                \
    "fields: [from, to, seconds, edges]\npurpose: parking.guide\nlegal_basis: {zh: 依, en: law}\n"                                        \
    "from: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n"

static int make(void **state)
{
    struct diag_list diags;
    fake_city_make(&call_city);
    call_city.ledger = fake_ledger();
    fake_city_write(&call_city, "scenes/count.yaml", scene_yaml);
    fake_city_write(&call_city, "contracts/c-2.yaml", NULL); /* of the object that is no more */
    fake_city_write(&call_city, "contracts/c-3.yaml", CONTRACT);
    return fake_city_load(&call_city, &diags) != ERR_OK;
}

struct scene {
    char edges[64];
    size_t n_asked;
};

/* From a to b it is 12.5 s over both; from x there is no way, and z is no place. */
static enum err answer(void *context, const struct value *keys, struct value *ret_values)
{
    struct scene *scene = context;
    scene->n_asked++;
    if (keys[0].type == VALUE_NULL || keys[1].type == VALUE_NULL || str_equal(keys[0].s, STR("z")))
        return ERR_RANGE;
    if (str_equal(keys[0].s, STR("x")))
        return ERR_NOT_FOUND;
    int len = snprintf(scene->edges, sizeof scene->edges, STR_FORMAT " " STR_FORMAT, STR_ARG(keys[0].s), STR_ARG(keys[1].s));
    ret_values[2] = value_real(12.5);
    ret_values[3] = value_text((struct str){scene->edges, (size_t)len});
    ret_values[4] = value_text(STR("never"));
    return ERR_OK;
}

static enum err ask(struct asked *asked, const char *from, const char *to)
{
    call_ask(asked);
    asked->call.resource = STR("h/count/way");
    asked->call.purpose = STR("parking.guide");
    asked->fields[0] = STR("edges");
    asked->fields[1] = STR("from");
    asked->key_names[0] = STR("from");
    asked->key_names[1] = STR("to");
    asked->key_values[0] = value_text(str_from_c(from));
    asked->key_values[1] = value_text(str_from_c(to));
    asked->call.n_keys = to[0] ? 2 : 1;
    call_start(asked);
    assert_int_equal(asked->n_done, 1);
    return asked->call.refusal.err;
}

static const struct hub_resource *way(void)
{
    return hub_resource_find(call_city.hub, STR("h/count/way"));
}

static void a_scene_answers_while_it_offers(void **state)
{
    struct asked asked;
    struct scene scene = {.n_asked = 0};
    assert_int_equal(ask(&asked, "a", "b"), ERR_UNAVAILABLE);
    assert_int_equal(
        hub_offer_table(call_city.hub, hub_resource_find(call_city.hub, STR("h/count/indicator")), call_city.loop, answer, &scene),
        ERR_STATE);
    assert_int_equal(
        hub_offer_table(call_city.hub, hub_resource_find(call_city.hub, STR("h/police/vehicle")), call_city.loop, answer, &scene),
        ERR_STATE);
    assert_ok(hub_offer_table(call_city.hub, way(), call_city.loop, answer, &scene));
    assert_int_equal(hub_offer_table(call_city.hub, way(), call_city.loop, answer, &scene), ERR_STATE);
    assert_int_equal(ask(&asked, "a", "b"), ERR_OK);
    assert_string_equal(asked.json, "[{\"edges\":\"a b\",\"from\":\"a\"}]");
    assert_true(asked.call.receipt[0] != 0);
    assert_int_equal(ask(&asked, "x", "b"), ERR_OK);
    assert_string_equal(asked.json, "[]");
    assert_int_equal(ask(&asked, "z", "b"), ERR_RANGE);
    assert_int_equal(ask(&asked, "a", ""), ERR_RANGE);
    assert_int_equal(scene.n_asked, 4);
    /* What the contract does not grant is not asked for. */
    call_ask(&asked);
    asked.call.resource = STR("h/count/way");
    asked.call.purpose = STR("parking.guide");
    asked.fields[0] = STR("secret");
    asked.call.n_fields = 1;
    call_start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_DENIED);
    hub_offer_end(way());
    hub_offer_end(way());
    hub_offer_end(NULL);
    assert_int_equal(ask(&asked, "a", "b"), ERR_UNAVAILABLE);
    assert_int_equal(scene.n_asked, 4);
    assert_ok(hub_offer_table(call_city.hub, way(), call_city.loop, answer, &scene)); /* a scene that begins again */
    assert_int_equal(ask(&asked, "a", "b"), ERR_OK);
    hub_offer_end(way());
}

struct other { /* the scene's own thread, held until `go` */
    struct loop_thread *thread;
    struct scene scene;
    const struct hub_resource *way;
};

static void offer(void *context)
{
    struct other *other = context;
    assert_ok(hub_offer_table(call_city.hub, other->way, loop_thread_loop(other->thread), answer, &other->scene));
}

static void end(void *context)
{
    const struct other *other = context;
    hub_offer_end(other->way);
}

/* Asked from here, answered there; what waits when it ends is told so, each once. */
static void each_asking_ends_once_over_another_thread(void **state)
{
    static struct asked asked[HUB_OFFER_WAITING_MAX / 16];
    struct other other = {.way = way()};
    assert_ok(loop_thread_start(&call_city.clock.clock, "scene", &other.thread));
    loop_thread_call(other.thread, offer, &other);
    size_t n = sizeof asked / sizeof asked[0], n_ok = 0, n_gone = 0;
    for (size_t i = 0; i < n; i++) {
        call_ask(&asked[i]);
        asked[i].call.resource = STR("h/count/way");
        asked[i].call.purpose = STR("parking.guide");
        asked[i].fields[0] = STR("seconds");
        asked[i].call.n_fields = 1;
        asked[i].key_names[0] = STR("from");
        asked[i].key_names[1] = STR("to");
        asked[i].key_values[1] = asked[i].key_values[0];
        asked[i].call.n_keys = 2;
        hub_call_start(call_city.hub, &asked[i].call);
        if (i == n / 2)
            loop_thread_call(other.thread, end, &other);
    }
    for (size_t i = 0, turns = 0; i < n && turns < 100000; turns++) {
        assert_ok(loop_run_once(call_city.loop, 10));
        while (i < n && asked[i].n_done)
            i++;
    }
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(asked[i].n_done, 1);
        n_ok += asked[i].call.refusal.err == ERR_OK;
        n_gone += asked[i].call.refusal.err == ERR_UNAVAILABLE;
    }
    assert_int_equal(n_ok + n_gone, n);
    assert_true(n_gone >= n / 2 - 1);
    assert_int_equal(n_ok, other.scene.n_asked);
    loop_thread_stop(other.thread);
}

/* There are no rows to look through: neither a condition of a contract nor a promise of quality. */
static void what_is_computed_cannot_be_searched(void **state)
{
    struct diag_list diags;
    fake_city_unload(&call_city);
    fake_city_write(&call_city, "contracts/c-3.yaml", CONTRACT "rows: \"seconds > 1\"\n");
    assert_int_equal(fake_city_load(&call_city, &diags), ERR_UNSUPPORTED);
    assert_non_null(strstr(diags.diags[0].text, "a scene computes \"h/count/way\" when it is asked; leave out rows:"));
    fake_city_unload(&call_city);
    fake_city_write(&call_city, "contracts/c-3.yaml", CONTRACT);
    char text[sizeof scene_yaml + 100];
    snprintf(text, sizeof text, "%s    quality:\n      - {check: \"seconds > 1\", share: 0.9}\n", scene_yaml);
    fake_city_write(&call_city, "scenes/count.yaml", text);
    assert_int_equal(fake_city_load(&call_city, &diags), ERR_UNSUPPORTED);
    fake_city_unload(&call_city);
    fake_city_write(&call_city, "scenes/count.yaml", scene_yaml);
    assert_ok(fake_city_load(&call_city, &diags));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_scene_answers_while_it_offers, make, call_finish),
        cmocka_unit_test_setup_teardown(each_asking_ends_once_over_another_thread, make, call_finish),
        cmocka_unit_test_setup_teardown(what_is_computed_cannot_be_searched, make, call_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
