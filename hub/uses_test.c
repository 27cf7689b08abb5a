/*
 * Who used my data, over the real ledger: calls by one and by several keys, queries, windows of streams; nobody else's; after a restart,
 * without the index's file, without the day's key.
 */
#include "hub/uses.h"

#include "base/test.h"
#include "hub/fake_door.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALL "/hub/v1/call/h/police/vehicle"
#define MINE "{\"licence\":\"990\",\"plate\":\"浙A1\"}"
#define OTHER "{\"plate\":\"浙A2\"}"
#define TERMS "legal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n"

static struct fake_door door;
static struct hub_uses *uses;
static char path[256], out[70000];
extern struct fake_system fake_system;

static void open_uses(void)
{
    struct diag_list diags = {0};
    snprintf(path, sizeof path, "%s/uses.sqlite", door.city.data);
    assert_ok(hub_uses_open(door.city.hub, path, &diags, &uses));
}

static int make(void **state)
{
    fake_city_make(&door.city);
    fake_city_write(&door.city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call, query]\n"
        "fields: [plate, colour, kind]\npurpose: parking.settle\n" TERMS);
    fake_city_write(&door.city, "contracts/c-1.yaml",
        "contract: h/c-1\nprovider: h/police\nconsumer: h/count\nresource: h/police/passage\nuses: [subscribe]\n"
        "fields: [camera, plate]\npurpose: traffic.count\n" TERMS);
    fake_city_write(&door.city, "systems/police.yaml",
        "party: h/police\nconnector: fake\nresources:\n"
        "  - name: vehicle\n    title: {zh: 车, en: Vehicles}\n    kind: table\n    fields:\n"
        "      - {name: plate, type: text, class: personal, key: true}\n"
        "      - {name: licence, type: text, class: personal, key: true}\n"
        "      - {name: kind, type: integer, class: internal, key: true}\n"
        "      - {name: colour, type: text, class: open}\n"
        "  - name: passage\n    title: {zh: 过车, en: Passages}\n    kind: stream\n    fields:\n"
        "      - {name: camera, type: text, class: internal}\n"
        "      - {name: plate, type: text, class: personal}\n"
        "      - {name: time, type: time, class: internal}\n");
    fake_system.n_rows = 1;
    fake_door_start(&door);
    open_uses();
    return 0;
}

static int finish(void **state)
{
    hub_uses_close(uses);
    fake_door_stop(&door);
    return 0;
}

/* The receipt's number. */
static uint64_t use(const char *where, const char *body)
{
    int status = fake_door_ask(&door, "POST", where, "parking", body, out, sizeof out);
    if (status != 200)
        fail_msg("%d: %s", status, out);
    const char *at = strstr(out, "h.log/");
    assert_non_null(at);
    return strtoull(at + strlen("h.log/"), NULL, 10);
}

static uint64_t call(const char *key)
{
    char body[256];
    snprintf(body, sizeof body, "{\"purpose\":\"parking.settle\",\"key\":%s,\"fields\":[\"colour\"]}", key);
    return use(CALL, body);
}

static uint64_t query(const char *plate)
{
    char body[512];
    snprintf(body, sizeof body,
        "{\"purpose\":\"parking.settle\",\"sql\":\"SELECT colour FROM \\\"h/police/vehicle\\\" WHERE plate = ?1\",\"parameters\":[\"%s\"]}",
        plate);
    return use("/hub/v1/query", body);
}

/* Of this person exactly these, the newest first. */
static void expect(const char *subject, const uint64_t *leaves, size_t n)
{
    uint64_t found[64];
    size_t n_found = 99;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    assert_ok(hub_uses_list(uses, str_from_c(subject), &arena, found, 64, &n_found));
    assert_int_equal(n_found, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(found[i], leaves[i]);
    arena_finish(&arena);
}

static void calls_by_one_key_and_by_several(void **state)
{
    uint64_t one = call("{\"plate\":\"浙A1\"}"), others = call("{\"plate\":\"浙A2\"}");
    uint64_t several = call("{\"plate\":\"浙A1\",\"kind\":2}");
    call("{\"kind\":2}"); /* a key that is nobody's */
    uint64_t both = call("{\"plate\":\"浙A1\",\"licence\":\"990\"}"), licence = call("{\"plate\":\"浙A9\",\"licence\":\"990\"}");
    assert_true(one < others && others < several);
    expect(MINE, (uint64_t[]){licence, both, several, one}, 4);
    expect("{\"licence\":\"990\"}", (uint64_t[]){licence, both}, 2);
    expect(OTHER, (uint64_t[]){others}, 1);
    expect("{\"plate\":\"浙A3\"}", NULL, 0);
    expect("{\"kind\":2}", NULL, 0);
}

static void queries_whose_rows_were_theirs(void **state)
{
    uint64_t mine = query("浙A1"), others = query("浙A2");
    fake_system.n_rows = 0;
    query("浙A3"); /* no row: nobody's data came */
    fake_system.n_rows = 1;
    expect(MINE, &mine, 1);
    expect(OTHER, &others, 1);
    expect("{\"plate\":\"浙A3\"}", NULL, 0);
    /* The same answer to who objects to it: theirs, or none. */
    struct hub_use_info info;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    assert_ok(hub_use_of_subject(door.city.hub, mine, STR(MINE), &arena, &info));
    assert_true(str_equal_c(info.use, "query") && str_equal_c(info.contract, "h/c-17"));
    assert_err(hub_use_of_subject(door.city.hub, others, STR(MINE), &arena, &info), ERR_NOT_FOUND);
    assert_err(hub_use_of_subject(door.city.hub, 0, STR(MINE), &arena, &info), ERR_NOT_FOUND);        /* a contract's leaf */
    assert_err(hub_use_of_subject(door.city.hub, mine + 1, STR(MINE), &arena, &info), ERR_NOT_FOUND); /* an outcome */
    assert_err(hub_use_of_subject(door.city.hub, 999999, STR(MINE), &arena, &info), ERR_NOT_FOUND);
    arena_finish(&arena);
}

/* ---- a stream ---- */

struct taker {
    struct hub_subscription *subscription;
    char receipt[HUB_RECEIPT_MAX];
    _Atomic size_t n_rows;
};

static void take(void *context, const struct hub_window *window, struct rows *rows)
{
    struct taker *taker = context;
    snprintf(taker->receipt, sizeof taker->receipt, STR_FORMAT, STR_ARG(window->receipt));
    taker->n_rows += rows_n(rows);
}

static void subscribe(void *context)
{
    static const struct str fields[] = {STR_INIT("plate"), STR_INIT("camera")};
    struct taker *taker = context;
    const struct hub_subscribe_options options = {.party = STR("h/count"),
        .resource = STR("h/police/passage"),
        .purpose = STR("traffic.count"),
        .fields = fields,
        .n_fields = 2,
        .loop = door.city.loop,
        .on_rows = take,
        .context = taker};
    struct hub_refusal refusal;
    assert_ok(hub_subscribe(door.city.hub, &options, &refusal, &taker->subscription));
}

static void publish(void *context)
{
    static const char *const plates[] = {"浙A1", "浙A2", "浙A1"};
    struct rows *rows;
    assert_ok(rows_create(3, 4096, &rows));
    for (size_t i = 0; i < 3; i++) {
        const struct value values[] = {value_text(STR("cam")), value_text(str_from_c(plates[i])), value_time(1)};
        assert_ok(rows_add(rows, values));
    }
    assert_ok(hub_publish(door.city.hub, hub_resource_find(door.city.hub, STR("h/police/passage")), rows));
    rows_release(rows);
}

static void unsubscribe(void *context)
{
    hub_unsubscribe(((struct taker *)context)->subscription);
}

static void windows_of_streams(void **state)
{
    struct taker taker = {0};
    fake_door_on_hub(&door, subscribe, &taker);
    fake_door_on_hub(&door, publish, NULL);
    for (int i = 0; i < 3000 && taker.n_rows < 3; i++)
        usleep(10000);
    assert_int_equal(taker.n_rows, 3);
    fake_door_on_hub(&door, unsubscribe, &taker);
    uint64_t window = strtoull(strchr(taker.receipt, '/') + 1, NULL, 10);
    expect(MINE, &window, 1); /* once, though twice in it */
    expect(OTHER, &window, 1);
    expect("{\"camera\":\"cam\"}", NULL, 0); /* not personal */
}

/* The index is made again of the leaves; what was noted is in it alone. */
static void over_restarts(void **state)
{
    uint64_t called = call("{\"plate\":\"浙A1\",\"kind\":1}"), queried = query("浙A1");
    const uint64_t both[] = {queried, called};
    hub_uses_close(uses); /* with what waited */
    open_uses();
    expect(MINE, both, 2);
    hub_uses_close(uses);
    assert_int_equal(remove(path), 0);
    open_uses();
    expect(MINE, &called, 1);
    query("浙A1");
    char pattern[256];
    glob_t keys;
    snprintf(pattern, sizeof pattern, "%s/secrets/epoch/*", door.city.data);
    assert_int_equal(glob(pattern, 0, NULL, &keys), 0);
    for (size_t i = 0; i < keys.gl_pathc; i++)
        assert_int_equal(remove(keys.gl_pathv[i]), 0);
    globfree(&keys);
    expect(MINE, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_by_one_key_and_by_several, make, finish),
        cmocka_unit_test_setup_teardown(queries_whose_rows_were_theirs, make, finish),
        cmocka_unit_test_setup_teardown(windows_of_streams, make, finish),
        cmocka_unit_test_setup_teardown(over_restarts, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
