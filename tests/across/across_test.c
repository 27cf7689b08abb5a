/*
 * Two hubs in one process, a city's and a district's, each with its own ledger, store and thread and a department in SQLite, joined by a
 * carrier in memory that counts what it carries, can be cut, and can lose answers and double everything: queries and acts go across, in
 * both directions, as they go within one hub, and leave one receipt in either ledger.
 */
#include "base/mem.h"
#include "base/test.h"
#include "district/inside.h"
#include "hub/act.h"
#include "hub/query.h"
#include "hub/reading.h"
#include "system/sqlite/sqlite.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CITY, XIHU, N_HUBS };
static const char *const areas[] = {"h", "h.x"};

#define N_SESSIONS 20000 /* parked: what one message cannot carry */
#define N_VEHICLES 1200
#define K 10

/* ---- the ether ---- */

static struct ether {
    pthread_mutex_t lock;
    struct district *districts[N_HUBS];
    struct loop *loops[N_HUBS];
    bool is_cut, loses_answers, doubles;
    size_t n_forwards, n_largest;
} ether = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct packet {
    struct loop_task task;
    struct district *to;
    int from;
    struct buf bytes;
};

static void deliver(struct loop_task *task)
{
    struct packet *packet = container_of(task, struct packet, task);
    district_receive(packet->to, packet->from, buf_str(&packet->bytes));
    buf_finish(&packet->bytes);
    mem_free(packet);
}

struct wire {
    struct district_carrier carrier;
    int self;
};

static void post(int from, int to, struct str bytes)
{
    struct packet *packet = mem_alloc_zero(1, sizeof *packet);
    assert_non_null(packet);
    *packet = (struct packet){.task = {.fn = deliver}, .to = ether.districts[to], .from = from};
    buf_init(&packet->bytes, 1u << 20);
    buf_append_str(&packet->bytes, bytes);
    loop_post(ether.loops[to], &packet->task);
}

static enum err wire_start(struct district_carrier *carrier, struct district *district, struct loop *loop, struct diag *diag)
{
    struct wire *wire = container_of(carrier, struct wire, carrier);
    pthread_mutex_lock(&ether.lock);
    ether.districts[wire->self] = district;
    ether.loops[wire->self] = loop;
    pthread_mutex_unlock(&ether.lock);
    return ERR_OK;
}

static void wire_send(struct district_carrier *carrier, int hub, struct str bytes)
{
    struct wire *wire = container_of(carrier, struct wire, carrier);
    pthread_mutex_lock(&ether.lock);
    ether.n_forwards += bytes.ptr[1] == DISTRICT_FORWARD;
    ether.n_largest = bytes.len > ether.n_largest ? bytes.len : ether.n_largest;
    if (ether.loops[hub] && !ether.is_cut && !(ether.loses_answers && bytes.ptr[1] == DISTRICT_ANSWER))
        for (int i = 0; i < (ether.doubles ? 2 : 1); i++)
            post(wire->self, hub, bytes);
    pthread_mutex_unlock(&ether.lock);
}

static void wire_stop(struct district_carrier *carrier)
{
    pthread_mutex_lock(&ether.lock);
    ether.loops[container_of(carrier, struct wire, carrier)->self] = NULL;
    pthread_mutex_unlock(&ether.lock);
}

/* A hub's key: of its number. */
static struct crypto_key *key_of(int hub)
{
    uint8_t seed[32] = {(uint8_t)(hub + 40)};
    struct crypto_key *key;
    assert_ok(crypto_key_from_seed(seed, &key));
    return key;
}

static bool is_forging; /* the district's hub signs with another's key */

static enum err wire_sign(struct district_carrier *carrier, struct str text, uint8_t ret_signature[SIGN_SIGNATURE_LEN])
{
    int self = container_of(carrier, struct wire, carrier)->self;
    struct crypto_key *key = key_of(is_forging && self == XIHU ? 9 : self);
    enum err err = crypto_sign(key, text, ret_signature);
    crypto_key_destroy(key);
    return err;
}

static enum err wire_check(struct district_carrier *carrier, int hub, struct str text, const uint8_t signature[SIGN_SIGNATURE_LEN])
{
    struct crypto_key *key = key_of(hub);
    uint8_t public_key[32];
    crypto_key_public(key, public_key);
    crypto_key_destroy(key);
    return crypto_verify(public_key, text, signature);
}

static enum err wire_key(struct district_carrier *carrier, int hub, char ret_key[SIGN_TEXT_MAX])
{
    struct crypto_key *key = key_of(hub);
    struct sign_public public_key = {.algorithm = SIGN_ED25519, .len = 32};
    crypto_key_public(key, public_key.bytes);
    crypto_key_destroy(key);
    sign_public_text(&public_key, ret_key);
    return ERR_OK;
}

static void set_ether(bool is_cut, bool loses_answers, bool doubles)
{
    pthread_mutex_lock(&ether.lock);
    ether.is_cut = is_cut;
    ether.loses_answers = loses_answers;
    ether.doubles = doubles;
    pthread_mutex_unlock(&ether.lock);
}

static size_t forwards(void)
{
    pthread_mutex_lock(&ether.lock);
    size_t n = ether.n_forwards;
    pthread_mutex_unlock(&ether.lock);
    return n;
}

static size_t largest(void)
{
    pthread_mutex_lock(&ether.lock);
    size_t n = ether.n_largest;
    pthread_mutex_unlock(&ether.lock);
    return n;
}

/* ---- the hubs ---- */

static struct one {
    struct wire wire;
    char dir[128], data[160];
    struct crypto_key *key;
    struct ledger *ledger;
    struct bus *bus;
    struct hub *hub;
    struct district *district;
} ones[N_HUBS];
static char folder[64];
static struct loop *loop;

#define KEY "\"ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""
static const char federation_text[] =
    "hubs:\n  - {area: h, log: h.log, key: " KEY "}\n  - {area: h.x, log: hx.log, key: " KEY "}\nagreements:\n"
    "  - {agreement: h/a-1, hubs: [h, h.x], fresh_for: 4s, from: 2026-01-01, until: 2099-01-01, legal_basis: {zh: 依, en: law},"
    " state: {h: agreed, h.x: agreed}}\n";
static const char areas_text[] = "areas:\n  - {name: h, title: {zh: 杭, en: H}, level: city}\n"
                                 "  - {name: h.x, title: {zh: 西, en: X}, level: district}\n";
static const char parties_text[] = "parties:\n  - {name: h/police, title: {zh: 警, en: Police}, kind: department}\n"
                                   "  - {name: h.x/lots, title: {zh: 泊, en: Lots}, kind: department}\n"
                                   "  - {name: h/parking, title: {zh: 泊, en: Parking}, kind: program}\n"
                                   "  - {name: h.x/gate, title: {zh: 门, en: Gate}, kind: program}\n";
#define FIELD(name_, type_, more_) "      - {name: " name_ ", type: " type_ ", class: internal" more_ "}\n"
/* Declared the same on both sides, bound only at home. */
#define TABLE(name_, bind_, fields_) "  - name: " name_ "\n    title: {zh: 表, en: Table}\n    kind: table\n" bind_ "    fields:\n" fields_
#define COMMAND(name_, bind_, more_)                                                                                                       \
    "  - name: " name_ "\n    title: {zh: 令, en: Command}\n    kind: command\n" more_ bind_                                               \
    "    fields:\n" FIELD("lot", "text", ", key: true")
#define RUN(name_)                                                                                                                         \
    "    bind:\n      file: \"{data}/inbox.sqlite\"\n      run: \"INSERT INTO " name_                                                      \
    " (act_key, lot) VALUES (:act_key, :lot) ON CONFLICT (act_key) DO NOTHING\"\n      answer: \"SELECT lot FROM " name_                   \
    " WHERE act_key = :act_key\"\n"
#define VEHICLE FIELD("plate", "text", ", key: true") FIELD("colour", "text", "")
#define SESSION FIELD("plate", "text", ", key: true") FIELD("minutes", "integer", "") FIELD("note", "text", "")
#define VISIT FIELD("ward", "text", ", key: true") FIELD("fee", "integer", "")
#define SLOW FIELD("n", "integer", ", key: true")
static const char police_here[] =
    "party: h/police\nconnector: sqlite\nconnection: {file: \"{data}/police.sqlite\", timeout: 5s}\nresources:\n" TABLE(
        "vehicle", "    bind: {table: vehicle}\n", VEHICLE);
static const char police_there[] = "party: h/police\nconnector: district\nresources:\n" TABLE("vehicle", "", VEHICLE);
static const char lots_here[] =
    "party: h.x/lots\nconnector: sqlite\nconnection: {file: \"{data}/lots.sqlite\", timeout: 5s}\nresources:\n" TABLE(
        "session", "    bind: {table: session}\n", SESSION) TABLE("visit", "    bind: {table: visit}\n", VISIT) TABLE("slow",
        "    bind: {select: \"SELECT a.minutes AS n FROM session a, session b, session c WHERE a.minutes + b.minutes + c.minutes < 0\"}\n",
        SLOW) COMMAND("open", RUN("gate_open"), "") COMMAND("ring", RUN("ring"), "    at_most_once: true\n");
static const char lots_there[] = "party: h.x/lots\nconnector: district\nresources:\n" TABLE("session", "", SESSION)
    TABLE("visit", "", VISIT) TABLE("slow", "", SLOW) COMMAND("open", "", "") COMMAND("ring", "", "    at_most_once: true\n");

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void write_contract(
    const char *dir, const char *name, const char *resource, const char *consumer, const char *uses, const char *fields, const char *more)
{
    char file[64], text[1024], provider[64];
    snprintf(provider, sizeof provider, "%s", resource);
    *strrchr(provider, '/') = '\0';
    snprintf(file, sizeof file, "contracts/%s.yaml", strrchr(name, '/') + 1);
    snprintf(text, sizeof text,
        "contract: %s\nprovider: %s\nconsumer: %s\nresource: %s\nuses: [%s]\nfields: [%s]\npurpose: parking.settle\n"
        "legal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2099-01-01\nkeep: 1h\nstate: agreed\n%s",
        name, provider, consumer, resource, uses, fields, more);
    write_file(dir, file, text);
}

static sqlite3 *open_database(int at, const char *name)
{
    char path[256];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/%s.sqlite", ones[at].data, name);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void make_database(int at, const char *name, const char *sql)
{
    sqlite3 *db = open_database(at, name);
    char *error = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    sqlite3_close(db);
}

static int64_t ask_database(int at, const char *name, const char *sql)
{
    sqlite3 *db = open_database(at, name);
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return n;
}

static void write_city(int at)
{
    static const char *const folders[] = {"", "/systems", "/contracts", "/data", "/data/ledger", "/data/store"};
    struct one *one = &ones[at];
    char path[256];
    snprintf(one->dir, sizeof one->dir, "%s/%s", folder, areas[at]);
    snprintf(one->data, sizeof one->data, "%s/data", one->dir);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s%s", one->dir, folders[i]);
        mkdir(path, 0700);
    }
    write_file(one->dir, "areas.yaml", areas_text);
    write_file(one->dir, "parties.yaml", parties_text);
    write_file(one->dir, "federation.yaml", federation_text);
    write_file(one->dir, "systems/police.yaml", at == CITY ? police_here : police_there);
    write_file(one->dir, "systems/lots.yaml", at == XIHU ? lots_here : lots_there);
    write_contract(one->dir, "h.x/c-1", "h.x/lots/session", "h/parking", "call, query", "plate, minutes, note", "");
    write_contract(one->dir, "h.x/c-2", "h.x/lots/visit", "h/parking", "query", "ward, fee", "min_subjects: 10\n");
    write_contract(one->dir, "h.x/c-3", "h.x/lots/slow", "h/parking", "query", "n", "");
    write_contract(one->dir, "h.x/c-4", "h.x/lots/open", "h/parking", "act", "lot", "");
    write_contract(one->dir, "h.x/c-5", "h.x/lots/ring", "h/parking", "act", "lot", "");
    write_contract(one->dir, "h/c-12", "h/police/vehicle", "h.x/gate", "query", "plate, colour", "");
    write_contract(one->dir, at == CITY ? "h/c-19" : "h.x/c-19", at == CITY ? "h/police/vehicle" : "h.x/lots/session",
        at == CITY ? "h/parking" : "h.x/gate", "query", at == CITY ? "plate, colour" : "plate, minutes", "");
    make_database(CITY == at ? CITY : XIHU, at == CITY ? "police" : "lots",
        at == CITY ? "CREATE TABLE vehicle (plate TEXT PRIMARY KEY, colour TEXT);"
                     "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1200) INSERT INTO vehicle"
                     " SELECT 'A' || n, CASE n % 3 WHEN 0 THEN 'red' ELSE 'blue' END FROM c"
                   : "CREATE TABLE session (plate TEXT, minutes INTEGER, note TEXT); CREATE INDEX session_plate ON session (plate);"
                     "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 20000) INSERT INTO session"
                     " SELECT 'A' || n, n % 240, printf('%0100d', n) FROM c;"
                     "CREATE TABLE visit (ward TEXT, fee INTEGER);"
                     "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 45) INSERT INTO visit"
                     " SELECT CASE WHEN n <= 25 THEN 'east' WHEN n <= 40 THEN 'west' ELSE 'rare' END, n FROM c");
    make_database(
        at, "inbox", "CREATE TABLE gate_open (act_key TEXT PRIMARY KEY, lot TEXT); CREATE TABLE ring (act_key TEXT PRIMARY KEY, lot TEXT)");
}

static void check(enum err err, const struct diag_list *diags)
{
    for (size_t i = 0; i < diags->n; i++)
        print_error("%s\n", diags->diags[i].text);
    assert_ok(err);
}

static void go_up(int at)
{
    static const struct hub_system_ops *const connectors[] = {&system_sqlite_ops, &district_system_ops, NULL};
    struct one *one = &ones[at];
    struct diag_list diags = {0};
    struct diag diag = {""};
    struct federation *federation;
    uint8_t seed[32] = {(uint8_t)at};
    char path[256], ledger_dir[256], store[256];
    snprintf(path, sizeof path, "%s/federation.yaml", one->dir);
    snprintf(ledger_dir, sizeof ledger_dir, "%s/ledger", one->data);
    snprintf(store, sizeof store, "%s/store/district.sqlite", one->data);
    one->wire = (struct wire){
        .carrier = {.start = wire_start, .send = wire_send, .stop = wire_stop, .sign = wire_sign, .check = wire_check, .key = wire_key},
        .self = at};
    check(federation_load(path, one->data, TIME_ZONE_SHANGHAI, &diags, &federation), &diags);
    assert_ok(crypto_key_from_seed(seed, &one->key));
    const struct district_options options = {.federation = federation,
        .area = str_from_c(areas[at]),
        .clock = clock_system(),
        .carrier = &one->wire.carrier,
        .store_path = store,
        .use_ms = 1500};
    check(district_create(&options, &diags, &one->district), &diags);
    const struct ledger_options ledger_options = {
        .dir = ledger_dir, .origin = federation->hubs[at].log, .key = one->key, .clock = clock_system()};
    assert_ok(ledger_open(&ledger_options, &diag, &one->ledger));
    assert_ok(bus_create(&one->bus));
    const struct hub_options hub_options = {.city_dir = one->dir,
        .data_dir = one->data,
        .area = str_from_c(areas[at]),
        .zone = TIME_ZONE_SHANGHAI,
        .clock = clock_system(),
        .loop = loop,
        .district = one->district,
        .bus = one->bus,
        .ledger = one->ledger,
        .ledger_key = one->key,
        .connectors = connectors};
    check(hub_create(&hub_options, &diags, &one->hub), &diags);
    assert_ok(hub_start(one->hub));
    check(district_start(one->district, one->hub, one->ledger, &diags), &diags);
}

static void go_down(int at)
{
    struct one *one = &ones[at];
    district_stop(one->district);
    hub_stop(one->hub);
    ledger_close(one->ledger);
    assert_ok(loop_run_once(loop, 0));
    hub_destroy(one->hub);
    district_destroy(one->district);
    bus_destroy(one->bus);
    crypto_key_destroy(one->key);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    return remove(path);
}

/* ---- using ---- */

struct queried {
    struct hub_query query;
    bool is_done;
    enum err err;
    int rule;
    char text[512];
    json_t *json;
};

static void queried(struct hub_query *query)
{
    struct queried *one = container_of(query, struct queried, query);
    one->is_done = true;
    one->err = query->refusal.err;
    one->rule = query->refusal.rule;
    snprintf(one->text, sizeof one->text, "%s", query->refusal.diag.text);
    if (!one->err)
        assert_ok(json_read(query->json, NULL, &one->json));
}

static void query_start(struct queried *one, int at, const char *party, const char *sql)
{
    *one = (struct queried){.query = {.party = str_from_c(party),
                                .purpose = STR("parking.settle"),
                                .sql = str_from_c(sql),
                                .is_explain = true,
                                .loop = loop,
                                .done = queried}};
    hub_query_start(ones[at].hub, &one->query);
}

static void query_await(struct queried *one)
{
    while (!one->is_done)
        assert_ok(loop_run_once(loop, 100));
}

static struct queried query(int at, const char *party, const char *sql)
{
    struct queried one;
    query_start(&one, at, party, sql);
    query_await(&one);
    return one;
}

/* The rows as JSON. */
static void assert_rows(struct queried one, const char *expected)
{
    if (one.err)
        fail_msg("%s: %s", err_text(one.err), one.text);
    char *rows = json_dumps(json_object_get(one.json, "rows"), JSON_COMPACT);
    assert_string_equal(rows, expected);
    free(rows);
    json_decref(one.json);
}

static void pass(int64_t ms)
{
    struct mono_time from = clock_mono(clock_system());
    while (mono_ms_between(from, clock_mono(clock_system())) < ms)
        assert_ok(loop_run_once(loop, 20));
}

/* Until the hubs have heard of each other. */
static void await_link(void)
{
    static const struct {
        int at;
        const char *party, *sql;
    } sides[] = {
        {CITY, "h/parking", "SELECT count(*) FROM \"h.x/lots/session\""}, {XIHU, "h.x/gate", "SELECT count(*) FROM \"h/police/vehicle\""}};
    for (size_t side = 0; side < 2; side++)
        for (int i = 0;; i++) {
            struct queried one = query(sides[side].at, sides[side].party, sides[side].sql);
            json_decref(one.json);
            if (!one.err)
                break;
            assert_true(i < 600);
            pass(50);
        }
}

struct acted {
    struct hub_act act;
    bool is_done;
    struct hub_refusal refusal;
    enum hub_act_state state;
    bool is_repeated, may_repeat;
    char text[256];
};

static void acted(struct hub_act *act)
{
    struct acted *one = container_of(act, struct acted, act);
    one->is_done = true;
    one->refusal = act->refusal;
    one->state = act->state;
    one->is_repeated = act->is_repeated;
    one->may_repeat = act->may_repeat;
    if (!act->refusal.err)
        assert_ok(str_to_c(act->json, one->text, sizeof one->text));
}

static struct acted act(const char *resource, const char *key, const char *lot)
{
    static const struct str names[] = {STR_INIT("lot")};
    const struct value value = value_text(str_from_c(lot));
    struct acted one = {.act = {.party = STR("h/parking"),
                            .resource = str_from_c(resource),
                            .purpose = STR("parking.settle"),
                            .key = str_from_c(key),
                            .names = names,
                            .values = &value,
                            .n_values = 1,
                            .loop = loop,
                            .done = acted}};
    hub_act_start(ones[CITY].hub, &one.act);
    while (!one.is_done)
        assert_ok(loop_run_once(loop, 100));
    return one;
}

#define SERVED "\"twin\":\"h.log/"
#define NAMED "\"twin\":\"hx.log/"
#define AGREEMENT "\"type\":\"agreement\""
#define INTENT "\"type\":\"intent\""
#define OUTCOME "\"type\":\"outcome\""

static size_t count_leaves(int at, const char *part, const char *and)
{
    struct buf leaf;
    size_t n = 0;
    buf_init(&leaf, LEDGER_LEAF_MAX);
    for (uint64_t i = 0; i < ledger_n_durable(ones[at].ledger); i++) {
        buf_reset(&leaf);
        assert_ok(ledger_leaf(ones[at].ledger, i, &leaf));
        n += memmem(leaf.ptr, leaf.len, part, strlen(part)) && memmem(leaf.ptr, leaf.len, and, strlen(and));
    }
    buf_finish(&leaf);
    return n;
}

static void await_leaves(int at, const char *part, const char *and, size_t n)
{
    for (int i = 0; i < 1200 && count_leaves(at, part, and) < n; i++)
        pass(20);
    assert_int_equal(count_leaves(at, part, and), n);
}

static int go_up_all(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/citybrain-across-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_ok(loop_create(clock_system(), &loop));
    set_ether(false, false, false);
    for (int at = 0; at < N_HUBS; at++) {
        write_city(at);
        go_up(at);
    }
    await_link();
    return 0;
}

static int go_down_all(void **state)
{
    for (int at = N_HUBS; at-- > 0;)
        go_down(at);
    loop_destroy(loop);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

/* As many leaves that name the provider's as it served uses, in either direction: an outcome, or one of its own where the answer was lost.
 */
static void await_twins(void)
{
    size_t served[N_HUBS] = {0}, named[N_HUBS] = {1, 1};
    for (int i = 0; i < 1200 && (served[XIHU] != named[CITY] || served[CITY] != named[XIHU]); i++) {
        pass(20);
        served[XIHU] = count_leaves(XIHU, SERVED, INTENT);
        served[CITY] = count_leaves(CITY, NAMED, INTENT);
        named[CITY] = count_leaves(CITY, NAMED, "") - served[CITY];
        named[XIHU] = count_leaves(XIHU, SERVED, "") - served[XIHU];
    }
    assert_int_equal(served[XIHU], named[CITY]);
    assert_int_equal(served[CITY], named[XIHU]);
}

struct looking { /* at what a district's thread has */
    struct district *district;
    size_t n_serving, n_held;
};

static void look(void *context)
{
    struct looking *looking = context;
    looking->n_serving = looking->district->serving != NULL;
    looking->n_held = looking->district->n_held;
}

static struct looking look_at(int at)
{
    struct looking looking = {.district = ones[at].district};
    loop_thread_call(looking.district->thread, look, &looking);
    return looking;
}

/* ---- queries ---- */

/* A join of the asker's own thousand with the other's twenty thousand is a handful of askings; so is an aggregate, of either side. */
static void queries_go_both_ways_with_few_askings(void **state)
{
    size_t n_served = count_leaves(XIHU, SERVED, INTENT), n = forwards();
    assert_rows(query(CITY, "h/parking",
                    "SELECT v.colour, count(*), sum(s.minutes) FROM \"h/police/vehicle\" v JOIN \"h.x/lots/session\" s USING (plate)"
                    " WHERE v.colour = 'red' GROUP BY v.colour"),
        "[[\"red\",400,47400]]");
    print_message("a join of %d with %d: %zu askings across\n", N_VEHICLES, N_SESSIONS, forwards() - n);
    assert_true(forwards() - n <= 5);
    n = forwards();
    assert_rows(
        query(CITY, "h/parking", "SELECT minutes, count(*) FROM \"h.x/lots/session\" WHERE minutes < 2 GROUP BY minutes ORDER BY 1"),
        "[[0,83],[1,84]]");
    assert_int_equal(forwards() - n, 1);
    n = forwards();
    assert_rows(query(XIHU, "h.x/gate",
                    "SELECT s.plate, v.colour FROM \"h.x/lots/session\" s JOIN \"h/police/vehicle\" v USING (plate) WHERE s.minutes = 3"
                    " ORDER BY 1 LIMIT 2"),
        "[[\"A243\",\"red\"],[\"A3\",\"red\"]]");
    assert_true(forwards() - n <= 4);
    assert_rows(query(CITY, "h/parking",
                    "SELECT plate, minutes FROM \"h.x/lots/session\" WHERE plate IN ('A7', 'A70', 'none') AND minutes >= 7 ORDER BY plate"),
        "[[\"A7\",7],[\"A70\",70]]");
    /* One use a resource, however many its askings; each leaf names the other's, once. */
    await_leaves(XIHU, SERVED, INTENT, n_served + 3);
    await_twins();
    pass(500);
    for (int at = 0; at < N_HUBS; at++)
        assert_int_equal(look_at(at).n_serving, 0); /* none stays open */
}

static void an_answer_of_many_messages_comes_in_pieces(void **state)
{
    size_t n = forwards();
    pthread_mutex_lock(&ether.lock);
    ether.n_largest = 0;
    pthread_mutex_unlock(&ether.lock);
    assert_rows(query(CITY, "h/parking", "SELECT count(*), sum(length(note || plate)) FROM \"h.x/lots/session\""), "[[20000,2108894]]");
    print_message("%d rows of 100 bytes in %zu parts, the largest message %zu bytes\n", N_SESSIONS, forwards() - n, largest());
    assert_true(forwards() - n >= 4 && forwards() - n <= 8);
    assert_true(largest() <= DISTRICT_ANSWER_MAX + 64);
    pass(500);
    assert_int_equal(look_at(XIHU).n_held, 0);
}

struct read_try {
    struct hub_reading reading;
    struct hub_fetch fetch;
    bool is_done;
};

static void tried(struct hub_fetch *fetch)
{
    container_of(fetch, struct read_try, fetch)->is_done = true;
}

static void started(struct hub_reading *reading)
{
    struct read_try *one = container_of(reading, struct read_try, reading);
    assert_ok(reading->refusal.err);
    hub_reading_fetch(reading, &one->fetch);
}

/* What a hub that asks otherwise than ours would be told by the provider's. */
static enum err try_to_read(struct sql_output output, struct sql_constraint *where)
{
    static const struct str fields[] = {STR_INIT("ward"), STR_INIT("fee")};
    struct read_try one = {.reading = {.party = STR("h/parking"),
                               .resource = STR("h.x/lots/visit"),
                               .purpose = STR("parking.settle"),
                               .contract = STR("h.x/c-2"),
                               .twin = STR("elsewhere.log/0"),
                               .fields = fields,
                               .n_fields = 2,
                               .loop = loop,
                               .started = started},
        .fetch = {.outputs = &output,
            .n_outputs = 1,
            .where = where,
            .n_where = where ? 1 : 0,
            .n_rows_max = 10,
            .n_bytes_max = 10000,
            .loop = loop,
            .done = tried}};
    hub_reading_start(ones[XIHU].hub, &one.reading);
    while (!one.is_done)
        assert_ok(loop_run_once(loop, 100));
    rows_release(one.fetch.rows);
    hub_reading_end(&one.reading, 0, crypto_sha256(STR_NONE), one.fetch.err);
    return one.fetch.err;
}

static void statistics_only_holds_at_the_provider(void **state)
{
    assert_rows(query(CITY, "h/parking", "SELECT ward, count(*), sum(fee) FROM \"h.x/lots/visit\" GROUP BY ward ORDER BY ward"),
        "[[\"east\",25,325],[\"west\",15,495]]"); /* the five of the third ward are fewer than k, and never left */
    assert_rows(query(CITY, "h/parking", "SELECT count(*) FROM \"h.x/lots/visit\""), "[[40]]");
    struct queried rows = query(CITY, "h/parking", "SELECT ward, fee FROM \"h.x/lots/visit\"");
    assert_err(rows.err, ERR_DENIED);
    const struct value rare = value_text(STR("rare"));
    struct sql_constraint where = {.column = 0, .op = SQL_EQ, .n_values = 1, .values = &rare};
    assert_err(try_to_read((struct sql_output){1, SQL_PLAIN}, NULL), ERR_DENIED);
    assert_err(try_to_read((struct sql_output){1, SQL_SUM}, &where), ERR_DENIED);
    assert_err(try_to_read((struct sql_output){0, SQL_COUNT_ALL}, &where), ERR_DENIED);
}

static void who_goes_away_ends_what_is_done_for_it(void **state)
{
    struct queried one;
    size_t n = count_leaves(XIHU, "cancelled", OUTCOME);
    query_start(&one, CITY, "h/parking", "SELECT n FROM \"h.x/lots/slow\" WHERE n > 5");
    pass(300);
    assert_false(one.is_done);
    atomic_store(&one.query.is_cancelled, true);
    query_await(&one);
    assert_err(one.err, ERR_CANCELLED);
    await_leaves(XIHU, "cancelled", OUTCOME, n + 1); /* the department's statement has ended, too */
    pass(500);
    assert_int_equal(look_at(XIHU).n_serving, 0);
}

static void a_query_over_a_cut_link_fails_and_leaves_twins(void **state)
{
    struct queried one;
    size_t n = count_leaves(CITY, "\"type\":\"twin\"", "");
    set_ether(false, true, false);
    one = query(CITY, "h/parking", "SELECT count(*) FROM \"h.x/lots/session\" WHERE minutes = 9");
    assert_err(one.err, ERR_TIMEOUT);
    set_ether(false, false, true);
    await_leaves(CITY, "\"type\":\"twin\"", "", n + 1); /* served there, not answered here: named all the same */
    assert_rows(query(CITY, "h/parking", "SELECT count(*) FROM \"h.x/lots/session\" WHERE minutes = 9"), "[[84]]");
    set_ether(false, false, false);
}

/* ---- acts ---- */

static void an_act_is_done_once_by_its_key(void **state)
{
    set_ether(false, true, true); /* its answers are lost, and everything comes twice */
    for (int i = 0; i < 2; i++) {
        struct acted lost = act("h.x/lots/open", "k-1", "lot-7");
        assert_ok(lost.refusal.err);
        assert_int_equal(lost.state, HUB_ACT_UNKNOWN);
        assert_true(lost.may_repeat);
    }
    set_ether(false, false, true);
    for (int i = 0; i < 200; i++) {
        struct acted again = act("h.x/lots/open", "k-1", "lot-7");
        assert_ok(again.refusal.err);
        assert_int_equal(again.state, HUB_ACT_KNOWN);
        assert_string_equal(again.text, "{\"lot\":\"lot-7\"}");
        assert_true(i == 0 || again.is_repeated);
    }
    set_ether(false, false, false);
    assert_int_equal(ask_database(XIHU, "inbox", "SELECT count(*) FROM gate_open"), 1);
    assert_err(act("h.x/lots/open", "k-1", "lot-8").refusal.err, ERR_EXISTS);
    go_down(CITY); /* what it knew is on disk; what it does not know, the provider's hub knows */
    go_up(CITY);
    await_link();
    assert_true(act("h.x/lots/open", "k-1", "lot-7").is_repeated);
    struct acted other = act("h.x/lots/open", "k-2", "lot-7");
    assert_int_equal(other.state, HUB_ACT_KNOWN);
    assert_int_equal(ask_database(XIHU, "inbox", "SELECT count(*) FROM gate_open"), 2);
    await_twins();
    await_leaves(XIHU, SERVED, "\"use\":\"act\"", 2);
}

/* The provider's hub forgets what it did not write down: the department still knows the key. */
static void a_restart_between_does_not_act_again(void **state)
{
    set_ether(false, true, false);
    assert_int_equal(act("h.x/lots/open", "k-9", "lot-9").state, HUB_ACT_UNKNOWN);
    set_ether(false, false, false);
    go_down(XIHU);
    go_up(XIHU);
    await_link();
    struct acted again = act("h.x/lots/open", "k-9", "lot-9");
    assert_int_equal(again.state, HUB_ACT_KNOWN);
    assert_int_equal(ask_database(XIHU, "inbox", "SELECT count(*) FROM gate_open WHERE lot = 'lot-9'"), 1);
}

static void at_most_once_ends_unknown_and_is_never_repeated(void **state)
{
    set_ether(false, true, false);
    struct acted lost = act("h.x/lots/ring", "r-1", "lot-1");
    assert_ok(lost.refusal.err);
    assert_int_equal(lost.state, HUB_ACT_UNKNOWN);
    assert_false(lost.may_repeat);
    set_ether(false, false, false);
    size_t n = forwards();
    for (int i = 0; i < 3; i++) {
        struct acted again = act("h.x/lots/ring", "r-1", "lot-1");
        assert_int_equal(again.state, HUB_ACT_UNKNOWN); /* people look after it: hub/act.h */
        assert_true(again.is_repeated);
    }
    assert_int_equal(forwards(), n);
    assert_int_equal(ask_database(XIHU, "inbox", "SELECT count(*) FROM ring"), 1);
    assert_int_equal(act("h.x/lots/ring", "r-2", "lot-1").state, HUB_ACT_KNOWN);
}

/* ---- agreements ---- */

/* The newest leaf about the agreement. */
static json_t *agreement_leaf(int at)
{
    struct buf leaf;
    json_t *json = NULL;
    buf_init(&leaf, LEDGER_LEAF_MAX);
    for (uint64_t i = ledger_n_durable(ones[at].ledger); i-- > 0 && !json;) {
        buf_reset(&leaf);
        assert_ok(ledger_leaf(ones[at].ledger, i, &leaf));
        if (memmem(leaf.ptr, leaf.len, AGREEMENT, strlen(AGREEMENT)))
            assert_ok(json_read(buf_str(&leaf), NULL, &json));
    }
    buf_finish(&leaf);
    return json;
}

/* One word of a leaf, checked as a stranger would: from the leaf and the agreement's text alone. */
static void check_word(const json_t *leaf, const char *area, const char *state)
{
    const json_t *word = json_object_get(json_object_get(leaf, "hubs"), area);
    const char *signature = json_string_value(json_object_get(word, "signature"));
    struct sign_public key;
    struct str text;
    struct arena arena;
    uint8_t bytes[SIGN_SIGNATURE_LEN];
    assert_string_equal(json_string_value(json_object_get(word, "state")), state);
    assert_int_equal(strlen(signature), 2 * sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        unsigned byte;
        assert_int_equal(sscanf(signature + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    arena_init(&arena, 4096);
    assert_ok(sign_public_read(str_from_c(json_string_value(json_object_get(word, "key"))), &key));
    assert_ok(arena_printf(&arena, &text, "citybrain agreement v1\n%s\n%s\n%s\n%s\n%lld\n",
        json_string_value(json_object_get(leaf, "agreement")), json_string_value(json_object_get(leaf, "sha256")), area, state,
        (long long)json_integer_value(json_object_get(word, "since_ms"))));
    assert_ok(sign_check(&key, text, bytes));
    arena_finish(&arena);
}

static void await_words(int at, const char *city, const char *xihu, size_t n)
{
    await_leaves(at, AGREEMENT, "", n);
    json_t *leaf = agreement_leaf(at);
    check_word(leaf, "h", city);
    check_word(leaf, "h.x", xihu);
    json_decref(leaf);
}

/* Each change of either side is a leaf in both ledgers, with both signatures; a restart writes none again. */
static void an_agreements_changes_stand_in_both_ledgers(void **state)
{
    static const enum district_agreement steps[] = {DISTRICT_SUSPENDED, DISTRICT_AGREED};
    size_t n[N_HUBS];
    for (int at = 0; at < N_HUBS; at++)
        await_words(at, "agreed", "agreed", 1);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(district_agree(ones[XIHU].district, STR("h"), steps[i]));
        for (int at = 0; at < N_HUBS; at++)
            await_words(at, "agreed", district_agreement_names[steps[i]], 2 + i);
    }
    for (int at = 0; at < N_HUBS; at++)
        n[at] = count_leaves(at, AGREEMENT, "");
    set_ether(true, false, false); /* said while the other cannot hear it: at home at once, there when it hears */
    assert_ok(district_agree(ones[CITY].district, STR("h.x"), DISTRICT_SUSPENDED));
    await_words(CITY, "suspended", "agreed", n[CITY] + 1);
    assert_int_equal(count_leaves(XIHU, AGREEMENT, ""), n[XIHU]);
    go_down(CITY);
    go_up(CITY);
    set_ether(false, false, false);
    await_words(XIHU, "suspended", "agreed", n[XIHU] + 1);
    assert_ok(district_agree(ones[CITY].district, STR("h.x"), DISTRICT_AGREED));
    await_link();
    await_words(XIHU, "agreed", "agreed", n[XIHU] + 2);
    await_words(CITY, "agreed", "agreed", n[CITY] + 2);
    is_forging = true; /* a word that its hub did not sign is not written down */
    assert_ok(district_agree(ones[XIHU].district, STR("h"), DISTRICT_SUSPENDED));
    pass(1500);
    is_forging = false;
    assert_int_equal(count_leaves(CITY, AGREEMENT, ""), n[CITY] + 2);
    assert_ok(district_agree(ones[XIHU].district, STR("h"), DISTRICT_AGREED));
    await_words(CITY, "agreed", "agreed", n[CITY] + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(queries_go_both_ways_with_few_askings),
        cmocka_unit_test(an_answer_of_many_messages_comes_in_pieces), cmocka_unit_test(statistics_only_holds_at_the_provider),
        cmocka_unit_test(who_goes_away_ends_what_is_done_for_it), cmocka_unit_test(a_query_over_a_cut_link_fails_and_leaves_twins),
        cmocka_unit_test(an_act_is_done_once_by_its_key), cmocka_unit_test(a_restart_between_does_not_act_again),
        cmocka_unit_test(at_most_once_ends_unknown_and_is_never_repeated), cmocka_unit_test(an_agreements_changes_stand_in_both_ledgers)};
    return cmocka_run_group_tests(tests, go_up_all, go_down_all);
}
