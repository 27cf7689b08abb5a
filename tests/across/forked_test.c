/*
 * A hub whose peer rewrites its ledger, or changes its key: the real joint, hub and desk of cases of the one side, and the other's messages
 * made by hand of real ledgers. Each is not cosigned, an alarm of the hub, and a case with an owner and a deadline; told again it is the
 * same one.
 */
#include "base/mem.h"
#include "base/test.h"
#include "business/case/desk.h"
#include "district/inside.h"
#include "ledger/tile.h"
#include "ledger/witness.h"

#include <ftw.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEER 1 /* in federation.yaml */

static char folder[64], rules_path[160], cases_path[160];
static struct loop *loop, *joint_loop;
static struct district *joint;
static struct crypto_key *key;
static struct ledger *ledger;
static struct bus *bus;
static struct hub *hub;
static struct case_desk *desk;
static _Atomic int answered; /* the status of the last answer to a checkpoint; 0: none yet */

/* ---- the carrier: what is sent to the peer is looked at, and goes nowhere ---- */

static enum err wire_start(struct district_carrier *carrier, struct district *district, struct loop *at, struct diag *diag)
{
    joint_loop = at;
    return ERR_OK;
}

static void wire_send(struct district_carrier *carrier, int to, struct str bytes)
{
    struct bytes_reader in;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    (void)bytes_read_u8(&in);
    if (bytes_read_u8(&in) != DISTRICT_COSIGNED)
        return;
    (void)bytes_read_str(&in, bytes_read_u16be(&in));
    answered = bytes_read_u16be(&in);
}

static void wire_stop(struct district_carrier *carrier) {}

static struct district_carrier wire = {.start = wire_start, .send = wire_send, .stop = wire_stop};

static void pass(int64_t ms)
{
    struct mono_time from = clock_mono(clock_system());
    while (mono_ms_between(from, clock_mono(clock_system())) < ms)
        assert_ok(loop_run_once(loop, 20));
}

/* ---- the hub ---- */

static void write_file(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

#define HUB_KEY "\"ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""
static void write_city(void)
{
    static const char *const folders[] = {"systems", "contracts", "data"};
    for (size_t i = 0; i < 3; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    write_file("areas.yaml", "areas:\n  - {name: h, title: {zh: 杭, en: H}, level: city}\n"
                             "  - {name: h.x, title: {zh: 西, en: X}, level: district}\n");
    write_file("parties.yaml", "parties:\n  - {name: h/cases, title: {zh: 事, en: Cases}, kind: program}\n"
                               "  - {name: h/post.mayor, title: {zh: 长, en: Mayor}, kind: post}\n");
    write_file("federation.yaml", "hubs:\n  - {area: h, log: h.log, key: " HUB_KEY "}\n  - {area: h.x, log: hx.log, key: " HUB_KEY "}\n"
                                  "agreements:\n  - {agreement: h/a-1, hubs: [h, h.x], fresh_for: 4s, from: 2026-01-01, until: 2099-01-01,"
                                  " legal_basis: {zh: 依, en: law}, state: {h: agreed, h.x: agreed}}\n");
    write_file("contracts/c-1.yaml",
        "contract: h/c-1\nprovider: h/hub\nconsumer: h/cases\nresource: h/hub/alert\nuses: [subscribe]\n"
        "fields: [kind, area, party, key, state, title_zh, title_en, detail, receipt, time]\npurpose: case.handle\n"
        "legal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2099-01-01\nkeep: 1h\nstate: agreed\n");
    write_file("cases.yaml",
        "party: h/cases\npurpose: case.handle\nalerts: [h/hub/alert]\nposts:\n  - {area: h, post: h/post.mayor}\nkinds:\n"
        "  - {kind: log.forked, title: {zh: 叉, en: Forked}, deadline: 4h, close: result, reopen_within: 24h}\n"
        "  - {kind: log.key, title: {zh: 钥, en: Key}, deadline: 4h, close: result, reopen_within: 24h}\n"
        "  - {kind: other, title: {zh: 他, en: Other}, deadline: 1h, close: result, reopen_within: 24h}\n");
}

static void check(enum err err, const struct diag_list *diags)
{
    for (size_t i = 0; i < diags->n; i++)
        print_error("%s\n", diags->diags[i].text);
    assert_ok(err);
}

static int go_up(void **state)
{
    static const struct hub_system_ops *const connectors[] = {&district_system_ops, NULL};
    static char data[128], store[160], witness_dir[160], witness_key[160], ledger_dir[160], federation_path[160];
    struct diag_list diags = {0};
    struct diag diag = {""};
    struct federation *federation;
    const uint8_t seed[32] = {1};
    snprintf(folder, sizeof folder, "/tmp/citybrain-forked-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_city();
    snprintf(rules_path, sizeof rules_path, "%s/cases.yaml", folder);
    snprintf(federation_path, sizeof federation_path, "%s/federation.yaml", folder);
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(cases_path, sizeof cases_path, "%s/cases.sqlite", data);
    snprintf(store, sizeof store, "%s/district.sqlite", data);
    snprintf(witness_dir, sizeof witness_dir, "%s/witness", data);
    snprintf(witness_key, sizeof witness_key, "%s/witness-key", data);
    snprintf(ledger_dir, sizeof ledger_dir, "%s/ledger", data);
    assert_ok(loop_create(clock_system(), &loop));
    assert_ok(crypto_key_from_seed(seed, &key));
    check(federation_load(federation_path, data, TIME_ZONE_SHANGHAI, &diags, &federation), &diags);
    const struct district_options options = {.federation = federation,
        .area = STR("h"),
        .clock = clock_system(),
        .carrier = &wire,
        .store_path = store,
        .ledger_key = key,
        .witness_dir = witness_dir,
        .witness_key = witness_key};
    check(district_create(&options, &diags, &joint), &diags);
    const struct ledger_options ledger_options = {.dir = ledger_dir, .origin = STR("h.log"), .key = key, .clock = clock_system()};
    assert_ok(ledger_open(&ledger_options, &diag, &ledger));
    assert_ok(bus_create(&bus));
    const struct hub_options hub_options = {.city_dir = folder,
        .data_dir = data,
        .area = STR("h"),
        .zone = TIME_ZONE_SHANGHAI,
        .clock = clock_system(),
        .loop = loop,
        .district = joint,
        .bus = bus,
        .ledger = ledger,
        .ledger_key = key,
        .connectors = connectors};
    check(hub_create(&hub_options, &diags, &hub), &diags);
    assert_ok(hub_start(hub));
    check(district_start(joint, hub, ledger, &diags), &diags);
    const struct case_desk_options desk_options = {.hub = hub, .rules_path = rules_path, .store_path = cases_path, .clock = clock_system()};
    check(case_desk_open(&desk_options, &diags, &desk), &diags);
    check(case_desk_start(desk, &diags), &diags);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    return remove(path);
}

static int go_down(void **state)
{
    case_desk_stop(desk);
    district_stop(joint);
    hub_stop(hub);
    case_desk_close(desk);
    ledger_close(ledger);
    assert_ok(loop_run_once(loop, 0));
    hub_destroy(hub);
    district_destroy(joint);
    bus_destroy(bus);
    crypto_key_destroy(key);
    loop_destroy(loop);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

/* ---- the peer's ledgers ---- */

struct log {
    struct crypto_key *key;
    struct ledger *ledger;
    struct tile_cache *cache;
    char vkey[300];
    const char *leaves; /* what they begin with */
    int n;
};

static void open_log(struct log *log, const char *name, uint8_t key_number)
{
    const uint8_t seed[32] = {key_number};
    struct diag diag = {""};
    uint8_t public_key[32];
    struct buf text;
    char dir[128];
    *log = (struct log){.leaves = name};
    snprintf(dir, sizeof dir, "%s/%s", folder, name);
    assert_ok(crypto_key_from_seed(seed, &log->key));
    const struct ledger_options options = {.dir = dir, .origin = STR("hx.log"), .key = log->key, .clock = clock_system()};
    assert_ok(ledger_open(&options, &diag, &log->ledger));
    assert_ok(tile_cache_create(ledger_static_dir(log->ledger), &log->cache));
    buf_init(&text, sizeof log->vkey);
    crypto_key_public(log->key, public_key);
    assert_ok(ledger_vkey(STR("hx.log"), public_key, &text));
    assert_ok(str_to_c(str_trim(buf_str(&text)), log->vkey, sizeof log->vkey));
    buf_finish(&text);
}

static void close_log(struct log *log)
{
    tile_cache_destroy(log->cache);
    ledger_close(log->ledger);
    crypto_key_destroy(log->key);
}

struct adding {
    struct ledger_append append;
    sem_t done;
};

static void added(struct ledger_append *append)
{
    sem_post(&container_of(append, struct adding, append)->done);
}

static void grow(struct log *log, int n)
{
    for (int i = 0; i < n; i++) {
        char leaf[64];
        snprintf(leaf, sizeof leaf, "{\"leaf\":\"%s %d\"}", log->leaves, log->n++);
        struct adding adding = {.append = {.leaf = str_from_c(leaf), .done = added}};
        assert_int_equal(sem_init(&adding.done, 0, 0), 0);
        assert_ok(ledger_append(log->ledger, &adding.append));
        while (sem_wait(&adding.done))
            ;
        assert_ok(adding.append.err);
        sem_destroy(&adding.done);
    }
    assert_ok(ledger_publish(log->ledger));
}

struct packet {
    struct loop_task task;
    struct buf bytes;
};

static void deliver(struct loop_task *task)
{
    struct packet *packet = container_of(task, struct packet, task);
    district_receive(joint, PEER, buf_str(&packet->bytes));
    buf_finish(&packet->bytes);
    mem_free(packet);
}

/* The peer asks for a cosignature of its newest checkpoint, proven from `old_size`; what the hub answers. */
static int send_checkpoint(struct log *log, uint64_t old_size)
{
    struct packet *packet = mem_alloc_zero(1, sizeof *packet);
    struct witness_request request = {.old_size = old_size};
    struct tile_source source;
    struct buf note, body;
    size_t len = strlen(log->vkey);
    buf_init(&note, NOTE_MAX);
    buf_init(&body, WITNESS_BODY_MAX);
    assert_ok(ledger_checkpoint(log->ledger, &note));
    request.note = buf_str(&note);
    tile_source_init(&source, log->cache, (uint64_t)log->n);
    assert_ok(merkle_prove_consistency(&source.source, old_size, (uint64_t)log->n, &request.proof));
    witness_request_write(&request, &body);
    assert_ok(body.err);
    assert_non_null(packet);
    packet->task.fn = deliver;
    buf_init(&packet->bytes, WITNESS_BODY_MAX + 512);
    buf_append_byte(&packet->bytes, 1);
    buf_append_byte(&packet->bytes, DISTRICT_CHECKPOINT);
    buf_append_be(&packet->bytes, len, 2);
    buf_append(&packet->bytes, log->vkey, len);
    buf_append_str(&packet->bytes, buf_str(&body));
    buf_finish(&note);
    buf_finish(&body);
    answered = 0;
    loop_post(joint_loop, &packet->task);
    for (int i = 0; i < 6000 && !answered; i++)
        pass(10);
    return answered;
}

/* ---- what people see ---- */

/* The case of this kind as "n_alerts owner title_en deadline in hours"; waits until it was told `n` times, and checks that there is one. */
static void assert_case(const char *kind, int n, const char *expected)
{
    static const char sql[] = "SELECT count(*), max(n_alerts), max(owner || ' | ' || title_en || ' | ' || ((due_ms - opened_ms) / 3600000))"
                              " FROM cases WHERE kind = ?1";
    char found[300] = "";
    int n_cases = 0, n_alerts = 0;
    for (int i = 0; i < 3000 && n_alerts < n; i++) {
        sqlite3 *db;
        sqlite3_stmt *statement;
        pass(20);
        assert_int_equal(sqlite3_open_v2(cases_path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
        sqlite3_busy_timeout(db, 10000);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
        sqlite3_bind_text(statement, 1, kind, -1, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        n_cases = sqlite3_column_int(statement, 0);
        n_alerts = sqlite3_column_int(statement, 1);
        if (n_cases)
            snprintf(found, sizeof found, "%s", (const char *)sqlite3_column_text(statement, 2));
        sqlite3_finalize(statement);
        sqlite3_close(db);
    }
    assert_int_equal(n_cases, 1);
    assert_int_equal(n_alerts, n);
    assert_string_equal(found, expected);
}

static void a_peer_that_forks_or_changes_its_key_is_a_case(void **state)
{
    static const char forked[] = "h/post.mayor | The other ledger is not a continuation of its own past: h.x | 4";
    struct log past, other, stranger;
    open_log(&past, "past", 7);
    open_log(&other, "other", 7); /* the same log with another history */
    open_log(&stranger, "stranger", 8);
    grow(&past, 3);
    assert_int_equal(send_checkpoint(&past, 0), WITNESS_COSIGN);
    grow(&past, 2);
    assert_int_equal(send_checkpoint(&past, 3), WITNESS_COSIGN);
    grow(&other, 5);
    assert_int_equal(send_checkpoint(&other, 5), WITNESS_CONFLICT); /* two checkpoints of one size */
    assert_case("log.forked", 1, forked);
    grow(&other, 4);
    assert_int_equal(send_checkpoint(&other, 5), WITNESS_NOT_CONSISTENT); /* and one that does not follow */
    assert_case("log.forked", 2, forked);                                 /* the same case */
    grow(&stranger, 6);
    assert_int_equal(send_checkpoint(&stranger, 5), WITNESS_NOT_SIGNED);
    assert_case("log.key", 1, "h/post.mayor | The other ledger has another key than before: h.x | 4");
    grow(&past, 1);
    assert_int_equal(send_checkpoint(&past, 5), WITNESS_COSIGN); /* the true one goes on, and opens nothing */
    assert_case("log.forked", 2, forked);
    close_log(&past);
    close_log(&other);
    close_log(&stranger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_peer_that_forks_or_changes_its_key_is_a_case)};
    return cmocka_run_group_tests(tests, go_up, go_down);
}
