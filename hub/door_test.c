/*
 * The hub's door over real sockets with the real ledger: calls with receipts that verify, refusals that tell strangers nothing, bad bodies,
 * the ledger's own files, and the command line's call.
 */
#include "base/json.h"
#include "base/test.h"
#include "http/client.h"
#include "hub/cli_call.h"
#include "hub/cli_subscribe.h"
#include "hub/fake_door.h"
#include "ledger/verify.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake_door door;
static char out[70000];

#define CALL "/hub/v1/call/h/police/vehicle"
#define BODY "{\"purpose\":\"parking.settle\",\"key\":{\"plate\":\"浙A1\"},\"fields\":[\"plate\",\"colour\"]}"

static int make(void **state)
{
    fake_city_make(&door.city);
    fake_door_start(&door);
    return 0;
}

static int finish(void **state)
{
    fake_door_stop(&door);
    return 0;
}

static int ask(const char *method, const char *path, const char *token, const char *body)
{
    return fake_door_ask(&door, method, path, token, body, out, sizeof out);
}

/* The index in the answer's receipt. */
static uint64_t receipt(void)
{
    const char *at = strstr(out, "\"receipt\":\"h.log/");
    assert_non_null(at);
    return strtoull(at + strlen("\"receipt\":\"h.log/"), NULL, 10);
}

static void a_call_and_its_receipt(void **state)
{
    char path[64], vkey[512], leaf[4096], salt[65];
    assert_int_equal(ask("POST", CALL, "parking", BODY), 200);
    assert_true(str_starts_with(
        str_from_c(out), STR("{\"rows\":[{\"plate\":\"浙A1\",\"colour\":\"colour\"}],\"truncated\":false,\"receipt\":\"h.log/")));
    uint64_t index = receipt();

    /* The consumer gets the opening, and the provider too; nobody else does. */
    snprintf(path, sizeof path, "/hub/v1/opening/%llu", (unsigned long long)index);
    assert_int_equal(ask("GET", path, "cockpit", NULL), 404);
    assert_int_equal(ask("GET", path, NULL, NULL), 401);
    assert_int_equal(ask("GET", path, "police", NULL), 200);
    assert_int_equal(ask("GET", path, "parking", NULL), 200);
    json_t *opening;
    struct buf canonical;
    assert_ok(json_read(str_from_c(out), NULL, &opening));
    buf_init(&canonical, 65536);
    assert_ok(json_write_canonical(json_object_get(opening, "leaf"), &canonical));
    snprintf(leaf, sizeof leaf, STR_FORMAT, STR_ARG(buf_str(&canonical)));
    snprintf(salt, sizeof salt, "%s", json_string_value(json_object_get(opening, "salt")));
    assert_int_equal(strlen(salt), 64);
    buf_finish(&canonical);
    json_decref(opening);

    /* Anyone can prove the leaf, within a second or so. */
    assert_int_equal(ask("GET", "/log/v1/vkey", NULL, NULL), 200);
    snprintf(vkey, sizeof vkey, "%.*s", (int)strcspn(out, "\n"), out);
    snprintf(path, sizeof path, "/log/v1/proof/%llu", (unsigned long long)index);
    int status = ask("GET", path, NULL, NULL);
    for (int i = 0; i < 50 && status == 409; i++) {
        usleep(100000);
        status = ask("GET", path, NULL, NULL);
    }
    assert_int_equal(status, 200);
    uint64_t proven = UINT64_MAX;
    struct diag diag = {0};
    enum err err = ledger_verify(str_from_c(leaf), str_from_c(out), str_from_c(vkey), &proven, &diag);
    if (err)
        fail_msg("%s: %s", err_text(err), diag.text);
    assert_int_equal(proven, index);
    char *in_leaf = strstr(leaf, "parking.settle");
    in_leaf[0] = 'b';
    assert_err(ledger_verify(str_from_c(leaf), str_from_c(out), str_from_c(vkey), &proven, &diag), ERR_CRYPTO);

    /* The same in one file, as `citybrain verify` reads it. */
    struct verify_report report;
    snprintf(path, sizeof path, "/log/v1/receipt/%llu", (unsigned long long)index);
    assert_int_equal(ask("GET", path, NULL, NULL), 200);
    verify_receipt(str_from_c(out), "receipt", str_from_c(vkey), NULL, &report);
    assert_int_equal(report.result, VERIFY_PROVEN);
    assert_int_equal(report.index, index);
    assert_int_equal(ask("GET", "/log/v1/receipt/99999999", NULL, NULL), 404);

    /* The outcome names its intent, and opens for the same parties. */
    snprintf(path, sizeof path, "/hub/v1/opening/%llu", (unsigned long long)index + 1);
    for (int i = 0; i < 50 && ask("GET", path, "parking", NULL) != 200; i++)
        usleep(20000);
    assert_non_null(strstr(out, "\"type\":\"outcome\""));
    assert_int_equal(ask("GET", path, "count", NULL), 404);
    assert_int_equal(ask("GET", "/hub/v1/opening/999999", "parking", NULL), 404);
    assert_int_equal(ask("GET", "/hub/v1/opening/0", "parking", NULL), 404); /* a contract's leaf */
    assert_int_equal(ask("GET", "/hub/v1/opening/x", "parking", NULL), 404);
}

/* Without evidence of its key a day's salts are gone for good. */
static void erased(void **state)
{
    char path[64], pattern[256];
    glob_t keys;
    assert_int_equal(ask("POST", CALL, "parking", BODY), 200);
    snprintf(path, sizeof path, "/hub/v1/opening/%llu", (unsigned long long)receipt());
    snprintf(pattern, sizeof pattern, "%s/secrets/epoch/*", door.city.data);
    assert_int_equal(glob(pattern, 0, NULL, &keys), 0);
    for (size_t i = 0; i < keys.gl_pathc; i++)
        assert_int_equal(remove(keys.gl_pathv[i]), 0);
    globfree(&keys);
    assert_int_equal(ask("GET", path, "parking", NULL), 410);
}

static void strangers_learn_nothing(void **state)
{
    static char unknown[sizeof out];
    assert_int_equal(ask("POST", "/hub/v1/call/h/police/nothing", "count", BODY), 404);
    snprintf(unknown, sizeof unknown, "%s", out);
    assert_int_equal(ask("POST", CALL, "count", BODY), 404); /* no contract */
    assert_string_equal(out, unknown);
    assert_int_equal(ask("POST", CALL, "count", "{\"purpose\":\"x\",\"key\":{\"plate\":1},\"fields\":[\"owner\"]}"), 404);
    assert_string_equal(out, unknown);
    assert_int_equal(ask("POST", "/hub/v1/call/h/police/passage", "count", BODY), 404); /* a stream of its own */
    assert_string_equal(out, unknown);
    assert_int_equal(ask("POST", CALL, NULL, BODY), 401);
    assert_int_equal(ask("POST", CALL, "wrong", BODY), 401);
    /* The contract's consumer is told the rule. */
    assert_int_equal(ask("POST", CALL, "parking", "{\"purpose\":\"parking.spy\",\"key\":{\"plate\":\"A\"},\"fields\":[\"plate\"]}"), 404);
    assert_non_null(strstr(out, "\"rule\":8"));
    assert_int_equal(
        ask("POST", CALL, "parking", "{\"purpose\":\"parking.settle\",\"key\":{\"plate\":\"A\"},\"fields\":[\"owner\"]}"), 404);
    assert_non_null(strstr(out, "\"rule\":9"));
    assert_int_equal(ask("POST", CALL, "parking",
                         "{\"purpose\":\"parking.settle\",\"contract\":\"h/c-1\",\"key\":{\"plate\":\"A\"},\"fields\":[\"plate\"]}"),
        404);
    assert_null(strstr(out, "rule"));
}

static void bad_bodies(void **state)
{
    static const struct {
        const char *body;
        int status;
    } rows[] = {
        {"", 400},
        {"{", 400},
        {"[]", 400},
        {"null", 400},
        {"{\"purpose\":\"parking.settle\"}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{\"plate\":\"A\"}}", 400},
        {"{\"purpose\":1,\"key\":{\"plate\":\"A\"},\"fields\":[\"plate\"]}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":[],\"fields\":[\"plate\"]}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{\"plate\":\"A\"},\"fields\":\"plate\"}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{\"plate\":\"A\"},\"fields\":[1]}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{\"plate\":\"A\"},\"fields\":[\"plate\"],\"more\":1}", 400},
        {"{\"purpose\":\"parking.settle\",\"contract\":17,\"key\":{\"plate\":\"A\"},\"fields\":[\"plate\"]}", 400},
        {"{\"purpose\":\"parking.settle\",\"purpose\":\"parking.settle\",\"key\":{\"plate\":\"A\"},\"fields\":[\"plate\"]}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{},\"fields\":[\"plate\"]}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{\"colour\":\"A\"},\"fields\":[\"plate\"]}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{\"plate\":1},\"fields\":[\"plate\"]}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{\"plate\":null},\"fields\":[\"plate\"]}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{\"kind\":1.5},\"fields\":[\"plate\"]}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{\"plate\":\"\xff\"},\"fields\":[\"plate\"]}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{\"plate\":\"A\",\"plate\":\"B\"},\"fields\":[\"plate\"]}", 400},
        {"{\"purpose\":\"parking.settle\",\"key\":{\"plate\":\"A\"},\"fields\":[]}", 404},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status = ask("POST", CALL, "parking", rows[i].body);
        if (status != rows[i].status || !strstr(out, "\"status\":"))
            fail_msg("row %zu: %d %s", i, status, out);
    }
    static char large[70000], deep[20000];
    memset(large, ' ', sizeof large - 1);
    assert_int_equal(ask("POST", CALL, "parking", large), 413);
    memset(deep, '[', sizeof deep - 1);
    int status = ask("POST", CALL, "parking", deep);
    assert_true(status == 400 || status == 413);
    assert_int_equal(ask("POST", CALL, "parking", BODY), 200); /* and it still answers */
}

static void departments_that_fail(void **state)
{
    fake_system.fetch_err = ERR_UNAVAILABLE;
    assert_int_equal(ask("POST", CALL, "parking", BODY), 503);
    fake_system.fetch_err = ERR_TIMEOUT;
    assert_int_equal(ask("POST", CALL, "parking", BODY), 504);
    fake_system.fetch_err = ERR_OK;
    assert_int_equal(ask("POST", "/hub/v1/contracts/h/c-17/suspend", "police-manager", "{}"), 200);
    assert_int_equal(ask("POST", CALL, "parking", BODY), 404);
    assert_non_null(strstr(out, "\"rule\":1"));
}

static int make_small_quota(void **state)
{
    fake_city_make(&door.city);
    fake_city_write(&door.city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\nfields: [plate, colour]\n"
        "purpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nper_month: 20\nfrom: 2026-01-01\nuntil: 2030-01-01\nkeep: 1h\nstate: "
        "agreed\n");
    fake_door_start(&door);
    return 0;
}

static void over_quota(void **state)
{
    int status = 200;
    for (int i = 0; i < 20 && status == 200; i++)
        status = ask("POST", CALL, "parking", BODY);
    assert_int_equal(status, 200);
    assert_int_equal(ask("POST", CALL, "parking", BODY), 429);
    assert_non_null(strstr(out, "\"rule\":12"));
}

static void objects_and_lists(void **state)
{
    assert_int_equal(ask("GET", "/hub/v1/object/h/count/road?purpose=cockpit.show", "cockpit", NULL), 503);
    assert_ok(hub_object_put(
        door.city.hub, hub_resource_find(door.city.hub, STR("h/count/road")), STR("application/geo+json"), STR("{\"type\":\"x\"}")));
    assert_int_equal(ask("GET", "/hub/v1/object/h/count/road?purpose=cockpit.show", "cockpit", NULL), 200);
    assert_string_equal(out, "{\"type\":\"x\"}");
    assert_int_equal(ask("GET", "/hub/v1/object/h/count/road", "cockpit", NULL), 400);
    assert_int_equal(ask("GET", "/hub/v1/object/h/count/road?purpose=other", "cockpit", NULL), 404);
    assert_int_equal(ask("GET", "/hub/v1/object/h/count/road?purpose=cockpit.show", "parking", NULL), 404);
    assert_int_equal(ask("GET", "/hub/v1/resources", "parking", NULL), 200);
    assert_non_null(strstr(out, "\"resource\":\"h/police/vehicle\""));
    assert_null(strstr(out, "h/police/passage"));
    assert_int_equal(ask("GET", "/hub/v1/resources", "police", NULL), 200);
    assert_non_null(strstr(out, "h/police/passage"));
    assert_int_equal(ask("GET", "/hub/v1/contracts", "parking", NULL), 200);
    assert_non_null(strstr(out, "\"contract\":\"h/c-17\""));
    assert_null(strstr(out, "h/c-1\""));
    assert_int_equal(ask("GET", "/hub/v1/contracts", NULL, NULL), 401);
}

static void the_ledgers_files(void **state)
{
    static const char *const nothing[] = {"/log/v1/tile/%2e%2e/checkpoint", "/log/v1/tile/..%2f..%2fsecrets", "/log/v1/tile//0",
        "/log/v1/tile/0/999", "/log/v1/tile/", "/log/v1/proof/99999999", "/log/v1/proof/-1", "/log/v1/proof/x"};
    assert_int_equal(ask("POST", CALL, "parking", BODY), 200);
    int status = 0;
    for (int i = 0; i < 50 && status != 200; i++) {
        usleep(100000);
        status = ask("GET", "/log/v1/checkpoint", NULL, NULL);
    }
    assert_int_equal(status, 200);
    assert_true(str_starts_with(str_from_c(out), STR("h.log\n")));
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        status = ask("GET", nothing[i], NULL, NULL);
        if (status != 404 && status != 400)
            fail_msg("%s: %d", nothing[i], status);
    }
}

static void from_the_shell(void **state)
{
    char token[128], path[160], *text = NULL, *words = NULL;
    size_t n_text, n_words;
    const char *keys[] = {"plate=浙A1"};
    snprintf(path, sizeof path, "%s/tokens", door.city.data);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/tokens/h_parking", door.city.data);
    FILE *file = fopen(path, "w");
    fputs("parking\n", file);
    fclose(file);
    assert_ok(hub_cli_token(door.city.data, "h/parking", token, sizeof token));
    assert_string_equal(token, "parking");
    assert_err(hub_cli_token(door.city.data, "h/police", token, sizeof token), ERR_NOT_FOUND);
    struct hub_cli_call call = {
        .url = door.url, .token = "parking", .resource = "h/police/vehicle", .purpose = "parking.settle", .keys = keys, .n_keys = 1};
    FILE *o = open_memstream(&text, &n_text), *e = open_memstream(&words, &n_words);
    assert_int_equal(hub_cli_call(&call, o, e), 0); /* all that is granted */
    fflush(o);
    assert_non_null(strstr(text, "{\"rows\":[{\"plate\":\"浙A1\",\"colour\":\"colour\"}]"));
    call.fields = "colour";
    assert_int_equal(hub_cli_call(&call, o, e), 0);
    fflush(o);
    assert_non_null(strstr(text, "{\"rows\":[{\"colour\":\"colour\"}]"));
    call.purpose = "other";
    assert_int_equal(hub_cli_call(&call, o, e), 1);
    fflush(e);
    assert_non_null(strstr(words, "\"rule\":8"));
    assert_non_null(strstr(words, "rule 8 of docs/decide.md: the purpose is not the contract's\n"));
    keys[0] = "plate";
    assert_int_equal(hub_cli_call(&call, o, e), 2);
    call.url = "http://127.0.0.1:1";
    assert_int_equal(hub_cli_call(&call, o, e), 2);
    fflush(e);
    assert_non_null(strstr(words, "start the brain"));
    fclose(o);
    fclose(e);
    free(text);
    free(words);
}

#define N_DOORS 40

static char door_paths[N_DOORS + 1][16];
static struct http_route door_routes[N_DOORS + 1];
static size_t n_doors;

static void handle_door(struct http_exchange *x, void *context)
{
    http_reply_json(x, 200, STR("{}"));
}

static void mount_one(void *system, struct http_mount *ret_mount)
{
    snprintf(door_paths[n_doors], sizeof door_paths[n_doors], "/door/%zu", n_doors);
    door_routes[n_doors] = (struct http_route){.pattern = door_paths[n_doors], .access = HTTP_PUBLIC, .handle = handle_door};
    *ret_mount = (struct http_mount){.routes = &door_routes[n_doors++], .n_routes = 1, .context = system};
}

static int make_many_doors(void **state)
{
    static const struct hub_system_door one_door = {.mount = mount_one};
    static struct hub_system_ops with_door;
    static const struct hub_system_ops *const connectors[] = {&with_door, NULL};
    with_door = fake_system_ops;
    with_door.door = &one_door;
    fake_city_make(&door.city);
    door.city.connectors = connectors;
    for (int i = 0; i < N_DOORS; i++) {
        char file[32], text[256];
        snprintf(file, sizeof file, "systems/d%d.yaml", i);
        snprintf(text, sizeof text,
            "party: h/police\nconnector: fake\nresources:\n"
            "  - {name: d%d, title: {zh: 物, en: D}, kind: stream, fields: [{name: a, type: text, class: open}]}\n",
            i);
        fake_city_write(&door.city, file, text);
    }
    fake_door_start(&door);
    return 0;
}

/* However many systems of a city have a door of their own, none is left out without a word. */
static void every_systems_door_is_there(void **state)
{
    struct http_mount mounts[6] = {{NULL}};
    assert_int_equal(n_doors, N_DOORS + 1); /* and systems/police.yaml */
    size_t n = hub_mounts(door.city.hub, NULL, 0);
    assert_true(n > n_doors);
    assert_int_equal(hub_mounts(door.city.hub, mounts, 5), n);
    assert_non_null(mounts[4].routes);
    assert_null(mounts[5].routes);
    for (size_t i = 0; i < n_doors; i++)
        assert_int_equal(ask("GET", door_paths[i], NULL, NULL), 200);
    assert_int_equal(ask("GET", "/hub/v1/resources", "police", NULL), 200);
    door.city.connectors = NULL;
}

/* ---- an asker who goes ---- */

static bool is_seen, is_told;

static void hold(void *context)
{
    fake_system.is_holding = true;
}

static void look_at_held(void *context)
{
    is_seen = is_seen || fake_system.held;
    is_told = fake_system.held && hub_fetch_is_cancelled(fake_system.held);
}

static void release(void *context)
{
    fake_system_release();
}

/* The department is told, while it works, that nobody waits any more. */
static void an_asker_who_goes(void **state)
{
    char url[256];
    struct http_response response;
    snprintf(url, sizeof url, "%s" CALL, door.url);
    const struct http_request request = {
        .method = "POST", .url = url, .bearer = "parking", .content_type = "application/json", .body = STR(BODY), .timeout_ms = 300};
    is_seen = is_told = false;
    loop_thread_call(door.http_thread, hold, NULL);
    assert_err(http_client_perform(&request, &response), ERR_TIMEOUT);
    for (int i = 0; i < 6000 && !is_told; i++) {
        loop_thread_call(door.http_thread, look_at_held, NULL);
        usleep(10000);
    }
    assert_true(is_seen && is_told);
    loop_thread_call(door.http_thread, release, NULL);
    assert_int_equal(ask("POST", CALL, "parking", BODY), 200);
}

/* ---- a subscription ---- */

#define N_LARGE 500
#define LARGE 6000

struct viewer {
    struct hub_cli_events events;
    bool has_begun;
};

/* Rows of `len` bytes each, which begin with their number. */
static void publish_rows(int64_t first, size_t n, size_t len)
{
    const struct hub_resource *passage = hub_resource_find(door.city.hub, STR("h/police/passage"));
    struct rows *rows;
    char *camera = malloc(len + 1);
    assert_non_null(camera);
    assert_ok(rows_create(3, 16u << 20, &rows));
    for (size_t i = 0; i < n; i++) {
        snprintf(camera, len + 1, "%08lld%0*d", (long long)first + (long long)i, (int)len - 8, 0);
        const struct value values[] = {value_text(str_from_c(camera)), value_text(STR("p")), value_time(1)};
        assert_ok(rows_add(rows, values));
    }
    assert_ok(hub_publish(door.city.hub, passage, rows));
    rows_release(rows);
    free(camera);
}

/* One batch: a row that is too large, a small one, and so once more. */
static void publish_mixed(int64_t first)
{
    const struct hub_resource *passage = hub_resource_find(door.city.hub, STR("h/police/passage"));
    struct rows *rows;
    char *camera = malloc(700001);
    assert_non_null(camera);
    assert_ok(rows_create(3, 16u << 20, &rows));
    for (int i = 0; i < 4; i++) {
        snprintf(camera, 700001, "%08lld%0*d", (long long)first + i, i % 2 ? 12 : 700000 - 8, 0);
        const struct value values[] = {value_text(str_from_c(camera)), value_text(STR("p")), value_time(1)};
        assert_ok(rows_add(rows, values));
    }
    assert_ok(hub_publish(door.city.hub, passage, rows));
    rows_release(rows);
    free(camera);
}

static enum err view(void *context, struct str bytes)
{
    struct viewer *viewer = context;
    if (!viewer->has_begun) { /* it is subscribed */
        publish_rows(0, N_LARGE, LARGE);
        publish_rows(N_LARGE, 1, 600000);
        publish_rows(N_LARGE + 1, 1, 700000); /* one too large */
        publish_rows(N_LARGE + 2, 2, 20);
        publish_mixed(N_LARGE + 4);
    }
    viewer->has_begun = true;
    return hub_cli_events_take(&viewer->events, bytes);
}

/* Three megabytes in one batch, a row as large as an event may be, and one that is larger: each row comes once, in order, or is told. */
static void rows_of_any_size(void **state)
{
    char url[256], *text = NULL, *words = NULL;
    size_t n_text, n_words;
    struct viewer viewer = {0};
    struct http_response response;
    FILE *o = open_memstream(&text, &n_text), *e = open_memstream(&words, &n_words);
    hub_cli_events_init(&viewer.events, o, N_LARGE + 5);
    viewer.events.error = e;
    snprintf(url, sizeof url, "%s/hub/v1/subscribe/h/police/passage?purpose=traffic.count&fields=camera", door.url);
    const struct http_request request = {
        .method = "GET", .url = url, .bearer = "count", .timeout_ms = 60000, .on_bytes = view, .context = &viewer};
    if (http_client_perform(&request, &response) == ERR_OK)
        buf_finish(&response.body);
    assert_true(viewer.events.is_enough);
    hub_cli_events_finish(&viewer.events);
    fclose(o);
    fclose(e);
    int64_t next = 0;
    for (const char *at = text; (at = strstr(at, "\"camera\":\"")); next++) {
        at += strlen("\"camera\":\"");
        next += next == N_LARGE + 1 || next == N_LARGE + 4 || next == N_LARGE + 6;
        char number[9] = "";
        memcpy(number, at, 8);
        assert_int_equal(strtoll(number, NULL, 10), next);
    }
    assert_int_equal(next, N_LARGE + 8);
    assert_non_null(strstr(words, "fewer of its fields"));
    free(text);
    free(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_and_its_receipt, make, finish),
        cmocka_unit_test_setup_teardown(erased, make, finish),
        cmocka_unit_test_setup_teardown(strangers_learn_nothing, make, finish),
        cmocka_unit_test_setup_teardown(bad_bodies, make, finish),
        cmocka_unit_test_setup_teardown(departments_that_fail, make, finish),
        cmocka_unit_test_setup_teardown(an_asker_who_goes, make, finish),
        cmocka_unit_test_setup_teardown(over_quota, make_small_quota, finish),
        cmocka_unit_test_setup_teardown(objects_and_lists, make, finish),
        cmocka_unit_test_setup_teardown(the_ledgers_files, make, finish),
        cmocka_unit_test_setup_teardown(from_the_shell, make, finish),
        cmocka_unit_test_setup_teardown(rows_of_any_size, make, finish),
        cmocka_unit_test_setup_teardown(every_systems_door_is_there, make_many_doors, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
