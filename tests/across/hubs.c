/* The carrier, the hubs' files, their life, and what tests ask of them: tests/across/hubs.h. */
#include "tests/across/hubs.h"

#include "system/files/files.h"
#include "system/push/push.h"
#include "system/sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const areas[] = {"h", "h.x"};

/* ---- the carrier ---- */

static size_t n_forwards, n_largest; /* under the ether's lock */
struct str (*_Atomic answer_lies)(struct str message);

static void wire_send(struct district_carrier *carrier, int hub, struct str bytes)
{
    struct wire *wire = container_of(carrier, struct wire, carrier);
    pthread_mutex_lock(&ether_lock);
    n_forwards += bytes.ptr[1] == DISTRICT_FORWARD;
    n_largest = bytes.len > n_largest ? bytes.len : n_largest;
    struct str (*lies)(struct str message) = answer_lies;
    if (lies && bytes.ptr[1] == DISTRICT_ANSWER)
        bytes = lies(bytes);
    ether_carry(wire->self, hub, bytes);
    pthread_mutex_unlock(&ether_lock);
}

/* A hub's key: of its number. */
static struct crypto_key *key_of(int hub)
{
    uint8_t seed[32] = {(uint8_t)(hub + 40)};
    struct crypto_key *key;
    assert_ok(crypto_key_from_seed(seed, &key));
    return key;
}

bool is_forging;

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

void send_as(int from, int to, struct str bytes)
{
    pthread_mutex_lock(&ether_lock);
    ether_post(from, to, bytes);
    pthread_mutex_unlock(&ether_lock);
}

size_t forwards(void)
{
    pthread_mutex_lock(&ether_lock);
    size_t n = n_forwards;
    pthread_mutex_unlock(&ether_lock);
    return n;
}

void largest_reset(void)
{
    pthread_mutex_lock(&ether_lock);
    n_largest = 0;
    pthread_mutex_unlock(&ether_lock);
}

size_t largest(void)
{
    pthread_mutex_lock(&ether_lock);
    size_t n = n_largest;
    pthread_mutex_unlock(&ether_lock);
    return n;
}

/* ---- the hubs ---- */

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
#define OBJECT(name_, bind_, key_)                                                                                                         \
    "  - name: " name_ "\n    title: {zh: 图, en: Picture}\n    kind: object\n" bind_ "    fields:\n" key_ FIELD("bytes", "bytes", "")
#define PHOTO FIELD("number", "integer", ", key: true")
#define PLAN FIELD("lot", "text", ", key: true")
#define SLOW FIELD("n", "integer", ", key: true")
#define STREAM(name_, fields_) "  - name: " name_ "\n    title: {zh: 流, en: Stream}\n    kind: stream\n    fields:\n" fields_
#define PASSAGE FIELD("number", "integer", "") FIELD("text", "text", "") FIELD("more", "text", "")
static const char police_pushes[] = "party: h/police\nconnector: push\nresources:\n" STREAM("alarm", PASSAGE);
static const char lots_push[] = "party: h.x/lots\nconnector: push\nresources:\n" STREAM("passage", PASSAGE) STREAM("stay", PASSAGE);
static const char police_here[] =
    "party: h/police\nconnector: sqlite\nconnection: {file: \"{data}/police.sqlite\", timeout: 5s}\nresources:\n" TABLE(
        "vehicle", "    bind: {table: vehicle}\n", VEHICLE);
static const char police_there[] =
    "party: h/police\nconnector: district\nresources:\n" TABLE("vehicle", "", VEHICLE) OBJECT("photo", "", PHOTO) STREAM("alarm", PASSAGE);
static const char police_folder[] = "party: h/police\nconnector: files\nconnection: {folder: \"{data}/objects\"}\nresources:\n" OBJECT(
    "photo", "    bind: {file: \"{number}.png\"}\n", PHOTO);
static const char lots_folder[] = "party: h.x/lots\nconnector: files\nconnection: {folder: \"{data}/objects\"}\nresources:\n" OBJECT(
    "plan", "    bind: {file: \"{lot}.svg\"}\n", PLAN);
static const char lots_here[] =
    "party: h.x/lots\nconnector: sqlite\nconnection: {file: \"{data}/lots.sqlite\", timeout: 5s}\nresources:\n" TABLE(
        "session", "    bind: {table: session}\n", SESSION) TABLE("visit", "    bind: {table: visit}\n", VISIT) TABLE("slow",
        "    bind: {select: \"SELECT a.minutes AS n FROM session a, session b, session c WHERE a.minutes + b.minutes + c.minutes < 0\"}\n",
        SLOW) COMMAND("open", RUN("gate_open"), "") COMMAND("ring", RUN("ring"), "    at_most_once: true\n");
static const char lots_there[] = "party: h.x/lots\nconnector: district\nresources:\n" TABLE("session", "", SESSION)
    TABLE("visit", "", VISIT) TABLE("slow", "", SLOW) COMMAND("open", "", "") COMMAND("ring", "", "    at_most_once: true\n")
        OBJECT("plan", "", PLAN) STREAM("passage", PASSAGE) STREAM("stay", PASSAGE);

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

int64_t ask_database(int at, const char *name, const char *sql)
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

/* What stands at a place of an object: another byte when pieces are exchanged, left out or doubled. */
char byte_at(uint64_t at)
{
    return (char)(at * 31 + at / 4096 * 7 + at / HUB_OBJECT_PIECE);
}

void make_object(int at, const char *name, size_t n)
{
    char path[256];
    snprintf(path, sizeof path, "%s/objects/%s", ones[at].data, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    for (size_t i = 0; i < n; i++)
        fputc(byte_at(i), out);
    assert_int_equal(fclose(out), 0);
}

static void write_city(int at)
{
    const struct one *one = &ones[at];
    char path[256];
    hubs_make_city(at, areas_text, parties_text, federation_text);
    snprintf(path, sizeof path, "%s/objects", one->data);
    mkdir(path, 0700);
    write_file(one->dir, "systems/police.yaml", at == CITY ? police_here : police_there);
    write_file(one->dir, "systems/lots.yaml", at == XIHU ? lots_here : lots_there);
    write_file(one->dir, "systems/folder.yaml", at == CITY ? police_folder : lots_folder);
    write_file(one->dir, "systems/push.yaml", at == CITY ? police_pushes : lots_push);
    make_object(at, at == CITY ? "7.png" : "a.svg", OBJECT_BYTES);
    write_contract(one->dir, "h.x/c-1", "h.x/lots/session", "h/parking", "call, query", "plate, minutes, note", "");
    write_contract(one->dir, "h.x/c-2", "h.x/lots/visit", "h/parking", "query", "ward, fee", "min_subjects: 10\n");
    write_contract(one->dir, "h.x/c-3", "h.x/lots/slow", "h/parking", "query", "n", "");
    write_contract(one->dir, "h.x/c-4", "h.x/lots/open", "h/parking", "act", "lot", "");
    write_contract(one->dir, "h.x/c-5", "h.x/lots/ring", "h/parking", "act", "lot", "");
    write_contract(one->dir, "h.x/c-6", "h.x/lots/plan", "h/parking", "call", "bytes", "");
    write_contract(one->dir, "h.x/c-7", "h.x/lots/passage", "h/parking", "subscribe", "number, text", "");
    write_contract(one->dir, "h.x/c-8", "h.x/lots/stay", "h/parking", "subscribe", "number", "");
    write_contract(one->dir, "h/c-14", "h/police/alarm", "h.x/gate", "subscribe", "text, number", "");
    write_contract(one->dir, "h/c-13", "h/police/photo", "h.x/gate", "call", "bytes", "");
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

void be_refused_without_key(int at)
{
    struct diag_list diags = {0};
    char key[256], away[256];
    snprintf(key, sizeof key, "%s/secrets/streams", ones[at].data);
    snprintf(away, sizeof away, "%s/secrets/away", ones[at].data);
    assert_int_equal(rename(key, away), 0);
    assert_err(try_to_go_up(at, &diags), ERR_CRYPTO);
    assert_int_equal(diags.n, 1);
    assert_memory_equal(diags.diags[0].text, key, strlen(key));
    assert_non_null(strstr(diags.diags[0].text, "put that file back as it was"));
    go_down(at);
    assert_int_equal(access(key, F_OK), -1);
    assert_int_equal(rename(away, key), 0);
}

/* ---- using ---- */

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

void query_start(struct queried *one, int at, const char *party, const char *sql)
{
    *one = (struct queried){.query = {.party = str_from_c(party),
                                .purpose = STR("parking.settle"),
                                .sql = str_from_c(sql),
                                .is_explain = true,
                                .loop = loop,
                                .done = queried}};
    hub_query_start(ones[at].hub, &one->query);
}

void query_await(struct queried *one)
{
    while (!one->is_done)
        assert_ok(loop_run_once(loop, 100));
}

struct queried query(int at, const char *party, const char *sql)
{
    struct queried one;
    query_start(&one, at, party, sql);
    query_await(&one);
    return one;
}

/* The rows as JSON. */
void assert_rows(struct queried one, const char *expected)
{
    if (one.err)
        fail_msg("%s: %s", err_text(one.err), one.text);
    char *rows = json_dumps(json_object_get(one.json, "rows"), JSON_COMPACT);
    assert_string_equal(rows, expected);
    free(rows);
    json_decref(one.json);
}

void pass(int64_t ms)
{
    struct mono_time from = clock_mono(clock_system());
    while (mono_ms_between(from, clock_mono(clock_system())) < ms)
        assert_ok(loop_run_once(loop, 20));
}

/* Until the hubs have heard of each other. */
void await_link(void)
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

void await_leaves(int at, const char *part, const char *and, size_t n)
{
    for (int i = 0; i < 1200 && count_leaves(at, part, and) < n; i++)
        pass(20);
    assert_int_equal(count_leaves(at, part, and), n);
}

int go_up_all(void **state)
{
    static const struct hub_system_ops *const connectors[] = {
        &system_sqlite_ops, &system_files_ops, &system_push_ops, &district_system_ops, NULL};
    static const struct hubs_testing hubs = {.n = N_HUBS,
        .areas = areas,
        .connectors = connectors,
        .carrier = {.send = wire_send, .sign = wire_sign, .check = wire_check, .key = wire_key},
        .streams_max = 1,
        .use_ms = 1500};
    hubs_init(&hubs, "across");
    for (int at = 0; at < N_HUBS; at++) {
        write_city(at);
        go_up(at);
    }
    await_link();
    return 0;
}

int go_down_all(void **state)
{
    hubs_finish();
    return 0;
}

/* As many leaves that name the provider's as it served uses, in either direction: an outcome, or one of its own where the answer was lost.
 */
void await_twins(void)
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

static void look(void *context)
{
    struct looking *looking = context;
    looking->n_serving = looking->district->serving != NULL;
    looking->n_held = looking->district->n_held;
    looking->n_objects = looking->district->n_objects;
}

struct looking look_at(int at)
{
    struct looking looking = {.district = ones[at].district};
    loop_thread_call(looking.district->thread, look, &looking);
    return looking;
}
