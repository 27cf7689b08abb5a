/*
 * The desk over real sockets with the real ledger: a contract's whole life with its uses permitted and denied, both signatures in the
 * ledger's leaf, roles and actions as a table, drafts that are wrong, what a restart keeps, and a party that keeps its key itself.
 */
#include "base/json.h"
#include "base/mem.h"
#include "base/sign.h"
#include "base/test.h"
#include "hub/contract_verify.h"
#include "hub/desk.h"
#include "hub/fake_door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fake_door door;
static char out[200000];

#define DRAFT                                                                                                                              \
    "{\"provider\":\"h/police\",\"consumer\":\"h/parking\",\"resource\":\"h/police/vehicle\",\"uses\":[\"call\"],\"fields\":[\"plate\","   \
    "\"kind\"],\"purpose\":\"parking.check\",\"legal_basis\":{\"zh\":\"依\",\"en\":\"law\"},\"per_day\":50,\"from\":\"2026-01-01\","      \
    "\"until\":\"2028-01-01\",\"fresh_for\":\"30d\",\"keep\":\"1h\"}"
#define CALL "/hub/v1/call/h/police/vehicle"
#define NAMED                                                                                                                              \
    "{\"contract\":\"h/c-18\",\"purpose\":\"parking.check\",\"key\":{\"plate\":\"浙A1\"},\"fields\":[\"kind\"]}" /* so that the answer     \
                                                                                                                    tells its rule */
#define BODY "{\"purpose\":\"parking.check\",\"key\":{\"plate\":\"浙A1\"},\"fields\":[\"kind\"]}"

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

static int step(const char *contract, const char *event, const char *token)
{
    char path[200];
    snprintf(path, sizeof path, "/hub/v1/contracts/%s/%s", contract, event);
    return ask("POST", path, token, "{}");
}

/* A text member of the answer, copied. */
static const char *member(const char *name)
{
    static char value[200];
    struct str s;
    json_t *json;
    assert_ok(json_read(str_from_c(out), NULL, &json));
    value[0] = '\0';
    if (json_get_str(json, name, &s) == ERR_OK)
        snprintf(value, sizeof value, STR_FORMAT, STR_ARG(s));
    json_decref(json);
    return value;
}

static void get(const char *contract, const char *token)
{
    char path[200];
    snprintf(path, sizeof path, "/hub/v1/contracts/%s", contract);
    assert_int_equal(ask("GET", path, token, NULL), 200);
}

static char drafted[64];

static void draft(void)
{
    if (ask("POST", "/hub/v1/contracts", "parking-manager", DRAFT) != 201)
        fail_msg("%s", out);
    snprintf(drafted, sizeof drafted, "%s", member("contract"));
}

static void agree(void)
{
    draft();
    assert_int_equal(step(drafted, "offer", "parking-manager"), 200);
    assert_int_equal(step(drafted, "sign", "parking-manager"), 200);
    assert_int_equal(step(drafted, "sign", "police-manager"), 200);
    assert_string_equal(member("state"), "agreed");
}

/* ---- a whole life ---- */

/* The leaf that a receipt names says what the ledger holds of a step. */
static void check_signed_leaf(const char *receipt)
{
    struct buf leaf, message;
    struct hub *hub = door.city.hub;
    buf_init(&leaf, LEDGER_LEAF_MAX);
    buf_init(&message, HUB_CONTENT_MAX);
    assert_ok(ledger_leaf(door.city.ledger, strtoull(strchr(receipt, '/') + 1, NULL, 10), &leaf));
    json_t *json;
    assert_ok(json_read(buf_str(&leaf), NULL, &json));
    assert_ok(hub_desk_message(hub_contract_lookup(hub, str_from_c(drafted)), &message));
    buf_append(&leaf, "", 1); /* a NUL, for strstr() */
    static const char *const sides[] = {"provider", "consumer"};
    for (size_t i = 0; i < 2; i++) {
        json_t *one = json_object_get(json_object_get(json, "signatures"), sides[i]);
        struct sign_public key, declared;
        uint8_t signature[SIGN_SIGNATURE_LEN];
        assert_ok(sign_public_read(str_from_c(json_string_value(json_object_get(one, "key"))), &key));
        assert_ok(crypto_unhex(str_from_c(json_string_value(json_object_get(one, "signature"))), signature, sizeof signature));
        assert_ok(sign_check(&key, buf_str(&message), signature));
        assert_ok(hub_party_public(hub, i == 0 ? STR("h/police") : STR("h/parking"), &declared));
        assert_memory_equal(declared.bytes, key.bytes, key.len);
    }
    assert_non_null(strstr(leaf.ptr, "\"event\":\"sign\""));
    assert_non_null(strstr(leaf.ptr, "\"state\":\"agreed\""));
    assert_null(strstr(leaf.ptr, "manager")); /* no person in the ledger */
    json_decref(json);
    buf_finish(&leaf);
    buf_finish(&message);
}

static void a_life(void **state)
{
    char receipt[100];
    assert_int_equal(ask("POST", CALL, "parking", BODY), 404); /* no contract for it yet */
    draft();
    assert_string_equal(drafted, "h/c-18"); /* the next free number */
    assert_string_equal(member("receipt"), "");
    assert_int_equal(ask("POST", CALL, "parking", BODY), 404);
    assert_int_equal(step(drafted, "sign", "parking-manager"), 409);
    assert_int_equal(step(drafted, "offer", "parking-manager"), 200);
    assert_int_equal(ask("GET", "/hub/v1/contracts?view=to-sign", "police-manager", NULL), 200);
    assert_non_null(strstr(out, "\"h/c-18\""));
    assert_int_equal(step(drafted, "sign", "parking-manager"), 200);
    assert_string_equal(member("state"), "offered");
    assert_int_equal(ask("GET", "/hub/v1/contracts?view=to-sign", "parking-manager", NULL), 200);
    assert_string_equal(out, "[]");
    assert_int_equal(ask("POST", CALL, "parking", BODY), 404); /* one signature is none */
    assert_int_equal(step(drafted, "sign", "police-manager"), 200);
    assert_string_equal(member("state"), "agreed");
    snprintf(receipt, sizeof receipt, "%s", member("receipt"));
    check_signed_leaf(receipt);
    assert_int_equal(ask("POST", CALL, "parking", BODY), 200);
    assert_int_equal(step(drafted, "suspend", "police-manager"), 200);
    assert_int_equal(ask("POST", CALL, "parking", NAMED), 404);
    assert_non_null(strstr(out, "\"rule\":1"));
    assert_int_equal(step(drafted, "resume", "parking-manager"), 409); /* the other side suspended it */
    assert_non_null(strstr(out, "\"rule\":11"));
    assert_int_equal(step(drafted, "resume", "police-manager"), 200);
    assert_int_equal(ask("POST", CALL, "parking", BODY), 200);
    assert_int_equal(step(drafted, "confirm", "police-manager"), 200);
    assert_int_equal(step(drafted, "revoke", "police-manager"), 200);
    assert_int_equal(ask("POST", CALL, "parking", NAMED), 404);
    assert_non_null(strstr(out, "\"rule\":1"));
    assert_int_equal(step(drafted, "resume", "police-manager"), 409);

    static const char *const steps[] = {"draft", "offer", "sign", "sign", "suspend", "resume", "confirm", "revoke"};
    get(drafted, "parking-manager");
    json_t *json;
    assert_ok(json_read(str_from_c(out), NULL, &json));
    json_t *history = json_object_get(json, "history");
    assert_int_equal(json_array_size(history), 8);
    for (size_t i = 0; i < 8; i++) {
        json_t *one = json_array_get(history, i);
        assert_string_equal(json_string_value(json_object_get(one, "event")), steps[i]);
        assert_true(json_is_string(json_object_get(one, "receipt")) == (i > 0)); /* a draft is its drafter's affair */
    }
    assert_int_equal(json_integer_value(json_object_get(json, "today")), 2);
    json_decref(json);
}

/* Back and forth without end would fill ledger and history: past a limit only what takes away is done. */
static void steps_are_bounded(void **state)
{
    agree();
    int status = 200, n = 0;
    for (; n < HUB_STEPS_PER_MINUTE + 4 && status == 200; n++)
        status = step(drafted, n % 2 ? "resume" : "suspend", "police-manager");
    if (status == 200) /* a minute began meanwhile */
        for (int i = 0; i < HUB_STEPS_PER_MINUTE + 4 && status == 200; i++, n++)
            status = step(drafted, n % 2 ? "resume" : "suspend", "police-manager");
    assert_int_equal(status, 409);
    assert_non_null(strstr(out, "in a minute"));
    assert_int_equal(step(drafted, "revoke", "police-manager"), 200);
}

/* ---- proven offline ---- */

static char exported[200000];

/* The contract in full with the receipt file of one of its steps, as `citybrain contract show --json` writes it. */
static void export_with(const char *receipt)
{
    char path[100];
    get(drafted, "police-manager");
    size_t len = strlen(out) - 1; /* without the last brace */
    memcpy(exported, out, len);
    snprintf(path, sizeof path, "/log/v1/receipt/%s", strchr(receipt, '/') + 1);
    int status = ask("GET", path, NULL, NULL);
    for (int i = 0; i < 50 && status == 409; i++) {
        usleep(100000);
        status = ask("GET", path, NULL, NULL);
    }
    assert_int_equal(status, 200);
    snprintf(exported + len, sizeof exported - len, ",\"receipt\":%s}", out);
}

static int proven(const char *from, const char *to, const struct sign_public *provider, const char *words)
{
    static char text[200000];
    const char *at = from ? strstr(exported, from) : NULL;
    if (from && !at)
        fail_msg("\"%s\" does not stand in it", from);
    if (at)
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - exported), exported, to, at + strlen(from));
    else
        snprintf(text, sizeof text, "%s", exported);
    struct contract_verify verify = {.provider_key = provider};
    contract_verify(str_from_c(text), &verify);
    if (verify.result != 0 && !strstr(verify.diag.text, words))
        fail_msg("\"%s\" was told as: %s", words, verify.diag.text);
    return verify.result;
}

static void proven_offline(void **state)
{
    char agreed[100], suspended[100];
    struct sign_public own, other;
    agree();
    snprintf(agreed, sizeof agreed, "%s", member("receipt"));
    assert_int_equal(step(drafted, "suspend", "police-manager"), 200);
    snprintf(suspended, sizeof suspended, "%s", member("receipt"));
    assert_ok(hub_party_public(door.city.hub, STR("h/police"), &own));
    assert_ok(hub_party_public(door.city.hub, STR("h/parking"), &other));
    export_with(agreed);
    assert_int_equal(proven(NULL, NULL, NULL, ""), 0);
    assert_int_equal(proven(NULL, NULL, &own, ""), 0);
    assert_int_equal(proven(NULL, NULL, &other, "not the one that its party declares"), 1);
    assert_int_equal(
        proven("\"content\":{\"consumer\":\"h/parking\"", "\"content\":{\"consumer\":\"h/count\"", NULL, "terms are not those"), 1);
    assert_int_equal(proven("\"content\":{", "\"content\":{\"more\":1,", NULL, "terms are not those"), 1);
    assert_int_equal(proven("\\\"state\\\":\\\"agreed\\\"", "\\\"state\\\":\\\"agreeD\\\"", NULL, ""), 1); /* in the leaf */
    assert_int_equal(proven("\"receipt\":{", "\"receipts\":{", NULL, "no receipt"), 2);
    assert_int_equal(proven("{\"contract\"", "[\"contract\"", NULL, "no contract in JSON"), 2);
    export_with(suspended); /* signed, in the log, and yet not what brought it into force */
    assert_int_equal(proven(NULL, NULL, NULL, "did not bring the contract into force"), 1);
    draft();
    assert_int_equal(step(drafted, "offer", "parking-manager"), 200);
    export_with(member("receipt"));
    assert_int_equal(proven(NULL, NULL, NULL, "did not bring the contract into force"), 1);
}

/* ---- who may do what ---- */

static void roles_and_doors(void **state)
{
    static const struct {
        const char *token;
        int list, see_draft, see, suspend, catalog_has_users; /* status; whether the catalog names who uses it */
    } rows[] = {
        {"parking-manager", 200, 200, 200, 200, 1},
        {"police-manager", 200, 404, 200, 200, 1},
        {"police-clerk", 200, 404, 200, 403, 1},
        {"count-manager", 200, 404, 404, 404, 0},
        {"auditor", 200, 404, 200, 404, 1},
        {"operator", 403, 404, 404, 403, 1}, /* acts for the police here, yet keeps no contracts */
        {"parking", 200, 200, 200, 403, 1},  /* a program sees its own party's, and signs nothing */
        {"nobody", 401, 401, 401, 401, 0},
    };
    char path[100], other[64];
    draft();
    snprintf(other, sizeof other, "%s", drafted);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *token = rows[i].token;
        agree();
        snprintf(path, sizeof path, "/hub/v1/contracts/%s", other);
        int see_draft = ask("GET", path, token, NULL);
        snprintf(path, sizeof path, "/hub/v1/contracts/%s", drafted);
        int see = ask("GET", path, token, NULL), list = ask("GET", "/hub/v1/contracts?view=in-force", token, NULL);
        bool is_listed = list == 200 && strstr(out, drafted);
        bool has_users = ask("GET", "/hub/v1/catalog", token, NULL) == 200 && strstr(out, drafted);
        int suspend = step(drafted, "suspend", token);
        if (see_draft != rows[i].see_draft || see != rows[i].see || list != rows[i].list || suspend != rows[i].suspend ||
            has_users != rows[i].catalog_has_users || is_listed != (see == 200))
            fail_msg("%s: list %d (%d), draft %d, see %d, suspend %d, users %d: %s", token, list, is_listed, see_draft, see, suspend,
                has_users, out);
    }
    assert_int_equal(ask("GET", "/hub/v1/contracts?view=all", "auditor", NULL), 400);
    assert_int_equal(step(other, "offer", "police-manager"), 404); /* a draft of the other side does not exist */
    assert_int_equal(step(other, "withdraw", "parking-manager"), 200);
    assert_int_equal(step(other, "melt", "parking-manager"), 404);
    assert_int_equal(step("h/c-999", "suspend", "police-manager"), 404);
    assert_int_equal(step("h/c-17", "suspend", "police-manager"), 200); /* a contract from a file has the same life */
    assert_int_equal(step("h/c-17", "change", "police-manager"), 409);
}

/* ---- drafts that are wrong ---- */

static void wrong_drafts(void **state)
{
    static const struct {
        const char *from, *to, *words;
        int status;
    } rows[] = {
        {"\"kind\"]", "\"owner\"]", "is secret", 400},
        {"\"kind\"]", "\"wheels\"]", "has no field", 400},
        {"h/police/vehicle", "h/police/boat", "no resource", 400},
        {"[\"call\"]", "[\"subscribe\"]", "has no use", 400},
        {"\"2028-01-01\"", "\"2025-01-01\"", "ends before it begins", 400},
        {"parking.check", "For Parking!", "not free text", 400},
        {"\"provider\":\"h/police\"", "\"provider\":\"h/count\"", "is offered by", 400},
        {"\"consumer\":\"h/parking\"", "\"consumer\":\"h/count\"", "neither provider nor consumer", 403},
        {"\"consumer\":\"h/parking\"", "\"consumer\":\"h/police\"", "with itself", 400},
        {"\"keep\":\"1h\"", "\"kept\":\"1h\"", "keep", 400},
        {"\"per_day\":50", "\"per_day\":0", "per_day", 400},
        {"{\"provider\"", "[{\"provider\"", "", 400},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[2000];
        const char *at = strstr(DRAFT, rows[i].from);
        assert_non_null(at);
        snprintf(body, sizeof body, "%.*s%s%s", (int)(at - DRAFT), DRAFT, rows[i].to, at + strlen(rows[i].from));
        int status = ask("POST", "/hub/v1/contracts", "parking-manager", body);
        if (status != rows[i].status || !strstr(out, rows[i].words))
            fail_msg("row %zu: %d %s", i, status, out);
    }
    assert_int_equal(ask("POST", "/hub/v1/contracts", "auditor", DRAFT), 403);
    assert_int_equal(ask("POST", "/hub/v1/contracts", "parking", DRAFT), 403);
    draft();
    char path[100];
    snprintf(path, sizeof path, "/hub/v1/contracts/%s/change", drafted);
    assert_int_equal(ask("POST", path, "parking-manager", "{\"provider\":\"h/police\"}"), 400);
    char other[2000];
    const char *at = strstr(DRAFT, "\"per_day\":50");
    snprintf(other, sizeof other, "%.*s\"per_day\":7%s", (int)(at - DRAFT), DRAFT, at + strlen("\"per_day\":50"));
    assert_int_equal(ask("POST", path, "parking-manager", other), 200);
    get(drafted, "parking-manager");
    assert_non_null(strstr(out, "\"per_day\":7"));
    snprintf(path, sizeof path, "/hub/v1/contracts/%s/sign", drafted);
    assert_int_equal(ask("POST", path, "parking-manager", "{\"signature\":\"00\"}"), 400);
}

/* ---- what a restart keeps ---- */

/* The number in the first column of the first row, read from the disk by another connection: what a kill now would leave. */
static int64_t on_disk(const char *sql)
{
    char path[200];
    struct db *db;
    struct db_statement *statement;
    bool is_row = false;
    snprintf(path, sizeof path, "%s/hub.sqlite", door.city.data);
    assert_ok(db_open(path, NULL, &db));
    assert_ok(db_prepare(db, sql, NULL, &statement));
    assert_ok(db_step(statement, &is_row));
    int64_t found = is_row ? db_column(statement, 0).i : -1;
    db_statement_finish(statement);
    db_close(db);
    return found;
}

/* Whoever was told that a contract is suspended or revoked can rely on it: state and step are committed, the leaf is in the ledger. */
static void what_is_acknowledged_is_durable(void **state)
{
    static const struct {
        const char *event;
        enum hub_contract_state state;
    } rows[] = {{"suspend", HUB_SUSPENDED}, {"resume", HUB_AGREED}, {"revoke", HUB_ENDED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[100];
        assert_int_equal(step("h/c-17", rows[i].event, "police-manager"), 200);
        const char *receipt = strrchr(member("receipt"), '/');
        assert_non_null(receipt);
        int64_t leaf = strtoll(receipt + 1, NULL, 10);
        assert_int_equal(on_disk("SELECT state FROM paper WHERE contract = 'h/c-17'"), rows[i].state);
        assert_int_equal(on_disk("SELECT leaf FROM step WHERE contract = 'h/c-17' ORDER BY id DESC LIMIT 1"), leaf);
        snprintf(path, sizeof path, "/log/v1/receipt/%lld", (long long)leaf);
        for (int j = 0; j < 100 && ask("GET", path, NULL, NULL) == 409; j++) /* durable at once, its checkpoint within a second */
            usleep(50000);
        assert_int_equal(ask("GET", path, NULL, NULL), 200);
    }
    assert_int_equal(ask("POST", CALL, "parking", BODY), 404);
}

static void a_restart_keeps_all(void **state)
{
    char offered[64], agreed[64], suspended[64], hash[100];
    draft();
    snprintf(offered, sizeof offered, "%s", drafted);
    assert_int_equal(step(offered, "offer", "parking-manager"), 200);
    assert_int_equal(step(offered, "sign", "parking-manager"), 200);
    agree();
    snprintf(suspended, sizeof suspended, "%s", drafted);
    assert_int_equal(step(suspended, "suspend", "parking-manager"), 200);
    assert_int_equal(step("h/c-17", "revoke", "police-manager"), 200);
    agree();
    snprintf(agreed, sizeof agreed, "%s", drafted);
    get(agreed, "police-manager");
    snprintf(hash, sizeof hash, "%s", member("sha256"));
    fake_door_end(&door);
    fake_door_start(&door);
    assert_int_equal(ask("POST", CALL, "parking", BODY), 200);
    get(agreed, "police-manager");
    assert_string_equal(member("sha256"), hash);
    assert_int_equal(step(suspended, "resume", "police-manager"), 409);
    assert_int_equal(step(suspended, "resume", "parking-manager"), 200);
    assert_int_equal(step("h/c-17", "resume", "police-manager"), 409);
    assert_int_equal(step(offered, "sign", "parking-manager"), 409); /* it has signed already */
    assert_int_equal(step(offered, "sign", "police-manager"), 200);
    assert_string_equal(member("state"), "agreed");
    draft();
    assert_int_equal(strcmp(drafted, agreed) == 0, 0); /* no number twice */
}

/* A restart with a resource that lacks a field: the contract is out of force and says why, to its sides and to who audits, until the field
 * is back. */
static void what_fits_no_more_is_told(void **state)
{
    static const char without[] =
        "party: h/police\nconnector: fake\nresources:\n  - name: vehicle\n    title: {zh: 车, en: Vehicles}\n    kind: table\n"
        "    fields:\n      - {name: plate, type: text, class: personal, key: true}\n      - {name: colour, type: text, class: open}\n"
        "%s  - name: passage\n    title: {zh: 过车, en: Passages}\n    kind: stream\n    fields:\n"
        "      - {name: camera, type: text, class: internal}\n      - {name: plate, type: text, class: personal}\n"
        "      - {name: time, type: time, class: internal}\n";
    static const struct {
        const char *token;
        int status;
        bool is_told;
    } rows[] = {{"parking-manager", 200, true}, {"police-manager", 200, true}, {"parking", 200, true}, {"auditor", 200, true},
        {"count", 200, false}, {"operator", 403, false}, {NULL, 401, false}};
    char text[2000], ended[64];
    agree();
    snprintf(ended, sizeof ended, "%s", drafted);
    assert_int_equal(step(ended, "revoke", "police-manager"), 200); /* what has ended is nobody's trouble any more */
    agree();
    assert_int_equal(ask("GET", "/hub/v1/contracts/unfit", "auditor", NULL), 200);
    assert_string_equal(out, "[]");
    fake_door_end(&door);
    snprintf(text, sizeof text, without, "");
    fake_city_write(&door.city, "systems/police.yaml", text);
    fake_door_start(&door);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (ask("GET", "/hub/v1/contracts/unfit", rows[i].token, NULL) != rows[i].status)
            fail_msg("%s: %s", rows[i].token, out);
        assert_int_equal(rows[i].is_told, strstr(out, drafted) != NULL);
        assert_null(strstr(out, ended));
        assert_int_equal(rows[i].is_told, strstr(out, "kind") != NULL); /* the field that is missing */
    }
    assert_int_equal(ask("POST", CALL, "parking", BODY), 404);
    fake_door_end(&door);
    snprintf(text, sizeof text, without, "      - {name: kind, type: integer, class: internal, key: true}\n");
    fake_city_write(&door.city, "systems/police.yaml", text);
    fake_door_start(&door);
    assert_int_equal(ask("GET", "/hub/v1/contracts/unfit", "auditor", NULL), 200);
    assert_string_equal(out, "[]");
    assert_int_equal(ask("POST", CALL, "parking", BODY), 200);
}

/* ---- time ---- */

static void time_ends_it(void **state)
{
    char body[2000], until[32];
    const char *at = strstr(DRAFT, "2028-01-01");
    time_t soon = time(NULL) + 2 + 8 * 3600;
    struct tm tm;
    gmtime_r(&soon, &tm);
    strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%S+08:00", &tm);
    snprintf(body, sizeof body, "%.*s%s%s", (int)(at - DRAFT), DRAFT, until, at + strlen("2028-01-01"));
    if (ask("POST", "/hub/v1/contracts", "parking-manager", body) != 201)
        fail_msg("%s", out);
    snprintf(drafted, sizeof drafted, "%s", member("contract"));
    assert_int_equal(step(drafted, "offer", "parking-manager"), 200);
    for (int i = 0; i < 200; i++) {
        usleep(50000);
        get(drafted, "parking-manager");
        if (strcmp(member("state"), "ended") == 0 && strstr(out, "\"event\":\"expire\"")) /* it counts before it is written */
            break;
    }
    assert_string_equal(member("state"), "ended");
    assert_non_null(strstr(out, "\"event\":\"expire\",\"by\":\"hub\""));
}

static void freshness_runs_out(void **state)
{
    char body[2000];
    const char *at = strstr(DRAFT, "\"30d\"");
    snprintf(body, sizeof body, "%.*s\"1500ms\"%s", (int)(at - DRAFT), DRAFT, at + strlen("\"30d\""));
    assert_int_equal(ask("POST", "/hub/v1/contracts", "parking-manager", body), 201);
    snprintf(drafted, sizeof drafted, "%s", member("contract"));
    assert_int_equal(step(drafted, "offer", "parking-manager"), 200);
    assert_int_equal(step(drafted, "sign", "parking-manager"), 200);
    assert_int_equal(step(drafted, "sign", "police-manager"), 200);
    assert_int_equal(ask("POST", CALL, "parking", NAMED), 200);
    usleep(1600000);
    assert_int_equal(ask("POST", CALL, "parking", NAMED), 404);
    assert_non_null(strstr(out, "\"rule\":4")); /* not confirmed lately enough */
    assert_int_equal(step(drafted, "confirm", "parking-manager"), 409);
    assert_int_equal(step(drafted, "confirm", "police-manager"), 200);
    assert_int_equal(ask("POST", CALL, "parking", NAMED), 200);
}

/* ---- a party that keeps its key itself ---- */

static struct sign_key *own_key;

static int make_own_key(void **state)
{
    char parties[1000], text[SIGN_TEXT_MAX];
    struct sign_public public_key;
    assert_ok(sign_key_make(SIGN_SM2, &own_key));
    sign_key_public(own_key, &public_key);
    sign_public_text(&public_key, text);
    fake_city_make(&door.city);
    snprintf(parties, sizeof parties,
        "parties:\n  - {name: h/police, title: {zh: 警, en: Police}, kind: department, key: \"%s\"}\n"
        "  - {name: h/parking, title: {zh: 泊, en: Parking}, kind: program, token: demo}\n"
        "  - {name: h/count, title: {zh: 数, en: Count}, kind: scene}\n"
        "  - {name: h/cockpit, title: {zh: 舱, en: Cockpit}, kind: program}\npeople: []\n",
        text);
    fake_city_write(&door.city, "parties.yaml", parties);
    fake_door_start(&door);
    return 0;
}

static int finish_own_key(void **state)
{
    sign_key_destroy(own_key);
    return finish(state);
}

static int sign_with(const struct sign_key *key, struct str message)
{
    char path[100], body[500], text[SIGN_TEXT_MAX], hex[2 * SIGN_SIGNATURE_LEN + 1];
    uint8_t signature[SIGN_SIGNATURE_LEN];
    struct sign_public public_key;
    sign_key_public(key, &public_key);
    sign_public_text(&public_key, text);
    assert_ok(sign_make(key, message, signature));
    crypto_hex(signature, sizeof signature, hex);
    snprintf(path, sizeof path, "/hub/v1/contracts/%s/sign", drafted);
    snprintf(body, sizeof body, "{\"key\":\"%s\",\"signature\":\"%s\"}", text, hex);
    return ask("POST", path, "police-manager", body);
}

static void its_own_key(void **state)
{
    struct buf message;
    struct sign_key *other;
    buf_init(&message, HUB_CONTENT_MAX);
    draft();
    assert_int_equal(step(drafted, "offer", "parking-manager"), 200);
    assert_int_equal(step(drafted, "sign", "parking-manager"), 200);
    assert_int_equal(step(drafted, "sign", "police-manager"), 403); /* the hub does not have its key */
    assert_non_null(strstr(out, "keeps its key itself"));
    get(drafted, "police-manager");
    json_t *json;
    assert_ok(json_read(str_from_c(out), NULL, &json));
    buf_append(&message, "citybrain contract v1\n", 22);
    assert_ok(json_write_canonical(json_object_get(json, "content"), &message)); /* what docs/contract.md tells to sign */
    json_decref(json);
    assert_ok(sign_key_make(SIGN_SM2, &other));
    assert_int_equal(sign_with(other, buf_str(&message)), 409);
    assert_non_null(strstr(out, "\"rule\":9"));
    assert_int_equal(sign_with(own_key, STR("citybrain contract v1\n{}")), 409);
    assert_int_equal(sign_with(own_key, buf_str(&message)), 200);
    assert_string_equal(member("state"), "agreed");
    check_signed_leaf(member("receipt"));
    assert_int_equal(ask("POST", CALL, "parking", BODY), 200);
    sign_key_destroy(other);
    buf_finish(&message);
}

static int make_drafted(void **state)
{
    fake_city_make(&door.city);
    fake_city_write(&door.city, "contracts/c-40.yaml",
        "contract: h/c-40\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\nfields: [plate, kind]\n"
        "purpose: parking.check\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: drafted\n");
    fake_door_start(&door);
    return 0;
}

/* A draft that stands in a file has its life here, and its terms there. */
static void a_draft_in_a_file(void **state)
{
    assert_int_equal(ask("POST", "/hub/v1/contracts/h/c-40/change", "police-manager", DRAFT), 409);
    assert_non_null(strstr(out, "stand in a file"));
    assert_int_equal(step("h/c-40", "offer", "police-manager"), 200);
    assert_int_equal(step("h/c-40", "sign", "police-manager"), 200);
    assert_int_equal(step("h/c-40", "sign", "parking-manager"), 200);
    assert_int_equal(ask("POST", CALL, "parking",
                         "{\"contract\":\"h/c-40\",\"purpose\":\"parking.check\",\"key\":{\"plate\":\"浙A1\"},\"fields\":[\"kind\"]}"),
        200);
    get("h/c-40", "police-manager"); /* with both signatures, as one that was drafted here */
    json_t *json;
    assert_ok(json_read(str_from_c(out), NULL, &json));
    assert_int_equal(json_object_size(json_object_get(json, "signatures")), 2);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_life, make, finish),
        cmocka_unit_test_setup_teardown(steps_are_bounded, make, finish),
        cmocka_unit_test_setup_teardown(proven_offline, make, finish),
        cmocka_unit_test_setup_teardown(roles_and_doors, make, finish),
        cmocka_unit_test_setup_teardown(wrong_drafts, make, finish),
        cmocka_unit_test_setup_teardown(a_draft_in_a_file, make_drafted, finish),
        cmocka_unit_test_setup_teardown(what_is_acknowledged_is_durable, make, finish),
        cmocka_unit_test_setup_teardown(a_restart_keeps_all, make, finish),
        cmocka_unit_test_setup_teardown(what_fits_no_more_is_told, make, finish),
        cmocka_unit_test_setup_teardown(time_ends_it, make, finish),
        cmocka_unit_test_setup_teardown(freshness_runs_out, make, finish),
        cmocka_unit_test_setup_teardown(its_own_key, make_own_key, finish_own_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
