/*
 * A department's SQLite file through the hub: only what is granted, nothing written, and each way in which the file can be wrong.
 */
#include "system/sqlite/sqlite.h"

#include "base/mem.h"
#include "base/test.h"
#include "hub/fake.h"
#include "hub/parts.h"
#include "system/sqlite/inside.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake_city city;
static const struct hub_system_ops *const connectors[] = {&system_sqlite_ops, NULL};
static char db_path[128];

#define HEAD "party: h/police\nconnector: sqlite\nconnection: {file: \"{data}/police.sqlite\", timeout: 300ms}\nresources:\n"
#define VEHICLE                                                                                                                            \
    "  - name: vehicle\n    title: {zh: 车, en: Vehicles}\n    kind: table\n    bind: {table: vehicle}\n    fields:\n"                    \
    "      - {name: plate, type: text, class: personal, key: true}\n"                                                                      \
    "      - {name: colour, type: text, class: internal, key: true}\n"                                                                     \
    "      - {name: seats, type: integer, class: internal}\n"                                                                              \
    "      - {name: weight, type: real, class: internal}\n"                                                                                \
    "      - {name: electric, type: boolean, class: open}\n"                                                                               \
    "      - {name: since, type: time, class: internal}\n"                                                                                 \
    "      - {name: owner, type: text, class: secret}\n"
#define CONTRACT                                                                                                                           \
    "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\n"                                \
    "fields: [plate, colour, seats, weight, electric, since]\npurpose: parking.settle\nlegal_basis: {zh: 依, en: law}\n"                  \
    "from: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n"

static void run_sql(const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    sqlite3_close(db);
}

static void make_db(void)
{
    mkdir(city.data, 0700);
    remove(db_path);
    run_sql("CREATE TABLE vehicle (plate TEXT PRIMARY KEY, colour TEXT, seats INTEGER, weight REAL, electric INTEGER, since INTEGER, owner "
            "TEXT) WITHOUT ROWID;"
            "CREATE TABLE hidden (secret TEXT); INSERT INTO hidden VALUES ('geheim');"
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1999)"
            "INSERT INTO vehicle SELECT printf('A%05d', i), CASE i % 3 WHEN 0 THEN 'white' WHEN 1 THEN 'black' ELSE NULL END, i % 5, i / "
            "2.0, i % 2, "
            "1700000000000 + i, 'owner ' || i FROM n;");
}

static int make(void **state)
{
    fake_city_make(&city);
    city.ledger = fake_ledger();
    city.connectors = connectors;
    city.real_clock = clock_system();
    snprintf(db_path, sizeof db_path, "%s/police.sqlite", city.data);
    fake_city_write(&city, "contracts/c-1.yaml", NULL);
    fake_city_write(&city, "contracts/c-17.yaml", CONTRACT);
    fake_city_write(&city, "systems/police.yaml", HEAD VEHICLE);
    make_db();
    return 0;
}

static int finish(void **state)
{
    if (city.hub)
        fake_city_unload(&city);
    fake_city_remove(&city);
    fake_ledger_reset();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

static void load(void)
{
    struct diag_list diags;
    if (fake_city_load(&city, &diags))
        fail_msg("%s", diags.n ? diags.diags[0].text : "?");
}

/* ---- asking ---- */

static int n_done;
static char answer[4096];
static size_t n_rows;
static bool is_truncated;

static void done(struct hub_call *call)
{
    n_done++;
    n_rows = call->rows ? rows_n(call->rows) : 0;
    is_truncated = call->is_truncated;
    snprintf(answer, sizeof answer, STR_FORMAT, STR_ARG(call->json));
}

static enum err ask(const char *key, struct value value, const struct str *fields, size_t n_fields)
{
    struct str key_name = str_from_c(key);
    struct hub_call call = {
        .party = STR("h/parking"),
        .resource = STR("h/police/vehicle"),
        .purpose = STR("parking.settle"),
        .key_names = &key_name,
        .key_values = &value,
        .n_keys = 1,
        .fields = fields,
        .n_fields = n_fields,
        .loop = city.loop,
        .done = done,
    };
    n_done = 0;
    hub_call_start(city.hub, &call);
    for (int i = 0; i < 1000 && n_done == 0; i++)
        assert_ok(loop_run_once(city.loop, 10));
    assert_int_equal(n_done, 1);
    fake_city_spin(&city);
    return call.refusal.err;
}

static const struct str every[] = {
    STR_INIT("since"), STR_INIT("plate"), STR_INIT("colour"), STR_INIT("seats"), STR_INIT("weight"), STR_INIT("electric")};

static enum err ask_plate(const char *plate)
{
    return ask("plate", value_text(str_from_c(plate)), every, 6);
}

static void answers(void **state)
{
    load();
    assert_ok(ask_plate("A00003"));
    assert_string_equal(answer, "[{\"since\":\"2023-11-14T22:13:20.003Z\",\"plate\":\"A00003\",\"colour\":\"white\",\"seats\":3,\"weight\":"
                                "1.5,\"electric\":true}]");
    assert_ok(ask_plate("A00002"));
    assert_non_null(strstr(answer, "\"colour\":null,\"seats\":2,\"weight\":1,\"electric\":false"));
    assert_ok(ask_plate("B"));
    assert_string_equal(answer, "[]");
    assert_ok(ask_plate("' OR 1=1 --"));
    assert_string_equal(answer, "[]");
    assert_ok(ask("colour", value_text(STR("white")), every + 1, 2));
    assert_int_equal(n_rows, 667);
    assert_false(is_truncated);
}

static void more_than_a_call_carries(void **state)
{
    run_sql("UPDATE vehicle SET colour = 'white'");
    load();
    assert_ok(ask("colour", value_text(STR("white")), every + 1, 2));
    assert_int_equal(n_rows, HUB_ROWS_MAX);
    assert_true(is_truncated);
}

static void bytes_have_a_limit(void **state)
{
    run_sql("UPDATE vehicle SET colour = 'white'; UPDATE vehicle SET plate = plate || printf('%.*c', 3000, 'x')");
    load();
    assert_err(ask("colour", value_text(STR("white")), every + 1, 2), ERR_TOO_LARGE);
    assert_ok(ask("colour", value_text(STR("black")), every + 1, 2));
}

/* The predicate of the contract holds whatever is asked, and may use fields that are not granted. */
static void rows_granted(void **state)
{
    fake_city_write(&city, "contracts/c-17.yaml", CONTRACT "rows: \"seats IN (3, 4) AND owner <> 'owner 4'\"\n");
    load();
    assert_ok(ask_plate("A00003"));
    assert_int_equal(n_rows, 1);
    assert_ok(ask_plate("A00004"));
    assert_int_equal(n_rows, 0);
    assert_ok(ask_plate("A00002"));
    assert_int_equal(n_rows, 0);
}

/* What is not granted is not in the statement. */
static void columns_granted(void **state)
{
    struct buf sql;
    struct arena arena;
    const struct value *parameters, key = value_text(STR("A"));
    size_t n;
    load();
    const struct hub_contract *contract = hub_contract_lookup(city.hub, STR("h/c-17"));
    const struct sql_output outputs[] = {{1, SQL_PLAIN}, {2, SQL_PLAIN}};
    const struct sql_constraint where = {0, SQL_EQ, 1, &key};
    const struct hub_fetch fetch = {.outputs = outputs, .n_outputs = 2, .where = &where, .n_where = 1, .n_rows_max = 10};
    const struct sql_select select = hub_plan_select(contract->plan, ((const struct hub_plan *)contract->plan)->table->own, &fetch);
    buf_init(&sql, SQLITE_SQL_MAX);
    arena_init(&arena, 1 << 16);
    buf_append_c(&sql, "EXPLAIN QUERY PLAN ");
    assert_ok(sql_text(&select, SQL_SQLITE, &sql, &arena, &parameters, &n));
    assert_str(buf_str(&sql), "EXPLAIN QUERY PLAN SELECT \"colour\", \"seats\" FROM (SELECT \"plate\", \"colour\", \"seats\", "
                              "\"weight\", \"electric\", \"since\", \"owner\" FROM \"vehicle\") t "
                              "WHERE \"plate\" COLLATE BINARY = ?1 LIMIT ?2");
    sqlite3 *db; /* and the key uses the department's own index */
    sqlite3_stmt *plan;
    assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql.ptr, (int)sql.len, &plan, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(plan), SQLITE_ROW);
    assert_non_null(strstr((const char *)sqlite3_column_text(plan, 3), "SEARCH vehicle USING PRIMARY KEY (plate=?)"));
    sqlite3_finalize(plan);
    sqlite3_close(db);
    buf_finish(&sql);
    arena_finish(&arena);
}

static void malicious_predicates(void **state)
{
    static const char *const predicates[] = {
        "1) UNION SELECT secret, 1, 1, 1, 1, 1 FROM hidden WHERE (1",
        "1; DROP TABLE vehicle",
        "1 -- ",
        "1 /* ",
        "(1",
        "1)",
        "plate = ?1",
        "plate = :x",
        "plate IN (SELECT secret FROM hidden)",
        "exists(select 1 from sqlite_master)",
        "load_extension('x')",
        "randomblob(1000000000) IS NOT NULL",
        "raise(abort, 'x')",
        "\\\"secret\\\" = 'x'",
        "nothing = 1",
        "plate = 'x",
        "   ",
    };
    for (size_t i = 0; i < sizeof predicates / sizeof *predicates; i++) {
        struct diag_list diags;
        char text[2048];
        snprintf(text, sizeof text, CONTRACT "rows: \"%s\"\n", predicates[i]);
        fake_city_write(&city, "contracts/c-17.yaml", text);
        if (fake_city_load(&city, &diags) == ERR_OK)
            fail_msg("accepted: %s", predicates[i]);
        if (!strstr(diags.diags[0].text, "contracts/c-17.yaml:13: "))
            fail_msg("%s: no place: %s", predicates[i], diags.diags[0].text);
        fake_city_unload(&city);
    }
}

static void wrong_files(void **state)
{
    static const struct {
        const char *text;
        int line;
        const char *says;
    } rows[] = {
        {"party: h/police\nconnector: sqlite\nresources:\n" VEHICLE, 1, "connection: is missing"},
        {"party: h/police\nconnector: sqlite\nconnection: {fil: x}\nresources:\n" VEHICLE, 3, "file"},
        {"party: h/police\nconnector: sqlite\nconnection: {file: x, timeout: 5min}\nresources:\n" VEHICLE, 3, "between 1ms and 60s"},
        {"party: h/police\nconnector: sqlite\nconection: {file: x}\nresources:\n" VEHICLE, 3, "connection"},
        {HEAD VEHICLE "      - {name: phone, type: text, class: secret}\n", 17, "field \"phone\" is not to be had"},
        {HEAD "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {table: vehicle}\n    fields:\n      - {name: "
              "plate, type: text, class: personal, key: true}\n"
              "      - {name: seats, type: text, class: open}\n",
            11, "is declared as text, but the department's column is INTEGER"},
        {HEAD "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {table: vehicles}\n    fields:\n      - {name: "
              "plate, type: text, class: personal, key: true}\n",
            10, "no such table: vehicles"},
        {HEAD "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    fields:\n      - {name: plate, type: text, class: "
              "personal, key: true}\n",
            5, "needs one binding"},
        {HEAD "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {tabel: vehicle}\n    fields:\n      - {name: "
              "plate, type: text, class: personal, key: true}\n",
            8, "table"},
        {HEAD "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {select: \"DELETE FROM vehicle RETURNING "
              "plate\"}\n    fields:\n      - {name: plate, type: text, class: personal, key: true}\n",
            10, "not to be had"},
        {HEAD "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {select: \"SELECT sql AS plate FROM "
              "sqlite_master\"}\n    fields:\n      - {name: plate, type: text, class: personal, key: true}\n",
            10, "prohibited"},
        {HEAD "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: stream\n    fields:\n      - {name: plate, type: text, class: "
              "personal, key: true}\n",
            5, "offers tables and commands only"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list diags;
        char place[160];
        fake_city_write(&city, "systems/police.yaml", rows[i].text);
        assert_int_not_equal(fake_city_load(&city, &diags), ERR_OK);
        snprintf(place, sizeof place, "%s/systems/police.yaml:%d: ", city.dir, rows[i].line);
        if (strncmp(diags.diags[0].text, place, strlen(place)) != 0 || !strstr(diags.diags[0].text, rows[i].says))
            fail_msg("row %zu: should say \"%s\" at line %d: %s", i, rows[i].says, rows[i].line, diags.diags[0].text);
        fake_city_unload(&city);
    }
}

static void a_select_of_the_department(void **state)
{
    fake_city_write(&city, "systems/police.yaml",
        HEAD "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {select: \"SELECT plate, upper(colour) AS paint "
             "FROM vehicle\"}\n    fields:\n"
             "      - {name: plate, type: text, class: personal, key: true}\n      - {name: paint, type: text, class: open}\n");
    fake_city_write(&city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\nfields: [paint]\n"
        "purpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    static const struct str paint[] = {STR_INIT("paint")};
    load();
    assert_ok(ask("plate", value_text(STR("A00000")), paint, 1));
    assert_string_equal(answer, "[{\"paint\":\"WHITE\"}]");
}

/* Down is an answer, not a crash; when the file comes back, so does the department. */
static void missing_file(void **state)
{
    char away[160];
    snprintf(away, sizeof away, "%s.away", db_path);
    assert_int_equal(rename(db_path, away), 0);
    load();
    assert_err(ask_plate("A00003"), ERR_UNAVAILABLE);
    assert_int_equal(fake_ledger_count("\"status\":\"unavailable\""), 1);
    assert_int_equal(rename(away, db_path), 0);
    enum err err = ERR_UNAVAILABLE;
    for (int i = 0; i < 50 && err; i++) {
        usleep(100000);
        err = ask_plate("A00003");
    }
    assert_ok(err);
    assert_int_equal(n_rows, 1);
    make_db(); /* replaced by another file: the old one is not asked any more */
    run_sql("UPDATE vehicle SET colour = 'pink'");
    for (int i = 0; i < 50 && !strstr(answer, "pink"); i++) {
        usleep(100000);
        assert_ok(ask_plate("A00003"));
    }
    assert_non_null(strstr(answer, "pink"));
}

static void locked_file(void **state)
{
    sqlite3 *db;
    load();
    assert_ok(ask_plate("A00003"));
    assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_err(ask_plate("A00003"), ERR_UNAVAILABLE);
    assert_err(ask_plate("A00003"), ERR_UNAVAILABLE);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    enum err err = ERR_UNAVAILABLE;
    for (int i = 0; i < 50 && err; i++) {
        usleep(50000);
        err = ask_plate("A00003");
    }
    assert_ok(err);
}

static void corrupt_file(void **state)
{
    FILE *file = fopen(db_path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database\n", file);
    fclose(file);
    load();
    assert_err(ask_plate("A00003"), ERR_UNAVAILABLE);
}

static void damaged_page(void **state)
{
    FILE *file = fopen(db_path, "r+");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    for (long at = 8192; at < size; at += 64) {
        fseek(file, at, SEEK_SET);
        fputs("\xff\xff\xff\xff", file);
    }
    fclose(file);
    load();
    assert_err(ask_plate("A00003"), ERR_UNAVAILABLE);
    assert_err(ask("colour", value_text(STR("white")), every + 1, 2), ERR_UNAVAILABLE);
}

/* The declared type is held row by row: SQLite columns take anything. */
static void wrong_type_in_a_row(void **state)
{
    run_sql("UPDATE vehicle SET seats = 'many' WHERE plate = 'A00003'; UPDATE vehicle SET electric = 2 WHERE plate = 'A00004'");
    load();
    assert_err(ask_plate("A00003"), ERR_UNAVAILABLE);
    assert_err(ask_plate("A00004"), ERR_UNAVAILABLE);
    assert_ok(ask_plate("A00005"));
}

static void slow_statement(void **state)
{
    fake_city_write(&city, "systems/police.yaml",
        HEAD "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {select: \"SELECT a.plate, count(*) AS n FROM "
             "vehicle a, vehicle b, vehicle c WHERE "
             "b.owner <> c.owner GROUP BY a.owner\"}\n    fields:\n"
             "      - {name: plate, type: text, class: personal, key: true}\n      - {name: n, type: integer, class: open}\n");
    fake_city_write(&city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\nfields: [n]\n"
        "purpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    static const struct str n[] = {STR_INIT("n")};
    load();
    assert_err(ask("plate", value_text(STR("A00000")), n, 1), ERR_TIMEOUT);
}

/* ---- parts of a query ---- */

static struct hub_fetch *answered_fetch;
static void keep(struct hub_fetch *fetch)
{
    answered_fetch = fetch;
}

/* "1|x;2|NULL;" of a fetch's rows. */
static const char *fetch_rows(struct hub_fetch *fetch)
{
    static char out[4096];
    size_t len = 0;
    fetch->loop = city.loop;
    fetch->done = keep;
    fetch->n_bytes_max = fetch->n_bytes_max ? fetch->n_bytes_max : 1 << 20;
    answered_fetch = NULL;
    system_sqlite_ops.tables->fetch(hub_contract_lookup(city.hub, STR("h/c-17"))->plan, fetch);
    for (int i = 0; i < 1000 && !answered_fetch; i++)
        assert_ok(loop_run_once(city.loop, 10));
    out[0] = '\0';
    for (size_t i = 0; !fetch->err && i < rows_n(fetch->rows); i++)
        for (size_t j = 0; j < fetch->n_outputs; j++) {
            struct value value = rows_at(fetch->rows, i)[j];
            const char *end = j + 1 < fetch->n_outputs ? "|" : ";";
            if (value.type == VALUE_NULL)
                len += (size_t)snprintf(out + len, sizeof out - len, "NULL%s", end);
            else if (value.type == VALUE_TEXT)
                len += (size_t)snprintf(out + len, sizeof out - len, STR_FORMAT "%s", STR_ARG(value.s), end);
            else if (value.type == VALUE_REAL)
                len += (size_t)snprintf(out + len, sizeof out - len, "%g%s", value.r, end);
            else
                len += (size_t)snprintf(out + len, sizeof out - len, "%lld%s", (long long)value.i, end);
        }
    rows_release(fetch->rows);
    return out;
}

static void parts_of_a_query(void **state)
{
    fake_city_write(&city, "contracts/c-17.yaml", CONTRACT "rows: \"seats <> 4\"\n");
    load();
    const struct sql_output figures[] = {{1, SQL_PLAIN}, {0, SQL_COUNT_ALL}, {2, SQL_SUM}, {3, SQL_MAX}, {0, SQL_MIN}};
    const struct sql_order by_colour = {1, true};
    const struct value seats[] = {value_integer(1), value_integer(2), value_integer(4)}, low = value_text(STR("A00003"));
    const struct sql_constraint where[] = {{2, SQL_IN, 3, seats}, {0, SQL_GT, 1, &low}};
    struct hub_fetch groups = {
        .outputs = figures, .n_outputs = 5, .where = where, .n_where = 1, .order = &by_colour, .n_order = 1, .n_rows_max = 9};
    assert_string_equal(fetch_rows(&groups), "white|266|399|996|A00006;black|267|400|998|A00001;NULL|267|401|998.5|A00002;");
    const struct sql_output plates[] = {{0, SQL_PLAIN}};
    struct hub_fetch some = {.outputs = plates, .n_outputs = 1, .where = where, .n_where = 2, .n_rows_max = 2};
    assert_string_equal(fetch_rows(&some), "A00006;A00007;");
    assert_true(some.is_truncated);
    some = (struct hub_fetch){.outputs = plates, .n_outputs = 1, .n_rows_max = 100000, .n_bytes_max = 1000};
    assert_string_equal(fetch_rows(&some), "");
    assert_err(some.err, ERR_TOO_LARGE);
    const struct sql_output sum[] = {{5, SQL_SUM}};
    some = (struct hub_fetch){.outputs = sum, .n_outputs = 1, .n_rows_max = 1};
    fetch_rows(&some);
    assert_err(some.err, ERR_UNSUPPORTED);
}

/* ---- in place: many askings leave the file as it was ---- */

static struct sha256 hash_file(void)
{
    static char bytes[8 << 20];
    FILE *file = fopen(db_path, "r");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(n < sizeof bytes);
    return crypto_sha256((struct str){bytes, n});
}

#define N_ASKINGS 100000 /* the million is in bench/ */
#define N_SLOTS 1000

static struct {
    struct hub_fetch fetch;
    char plate[8];
    struct value key;
    struct sql_constraint where;
} slots[N_SLOTS];
static const struct sql_output answer_at[] = {{0, SQL_PLAIN}, {2, SQL_PLAIN}};
static size_t n_answered;

static void fetched(struct hub_fetch *fetch)
{
    assert_ok(fetch->err);
    assert_int_equal(rows_n(fetch->rows), 1);
    rows_release(fetch->rows);
    n_answered++;
}

static void leaves_the_file_alone(void **state)
{
    load();
    struct sha256 before = hash_file();
    struct stat was, is;
    assert_int_equal(stat(db_path, &was), 0);
    void *plan = hub_contract_lookup(city.hub, STR("h/c-17"))->plan;
    n_answered = 0;
    for (size_t n = 0; n < N_ASKINGS; n += N_SLOTS) {
        for (size_t i = 0; i < N_SLOTS; i++) {
            snprintf(slots[i].plate, sizeof slots[i].plate, "A%05zu", (n + i) % 2000);
            slots[i].key = value_text(str_from_c(slots[i].plate));
            slots[i].where = (struct sql_constraint){0, SQL_EQ, 1, &slots[i].key};
            slots[i].fetch = (struct hub_fetch){.outputs = answer_at,
                .n_outputs = 2,
                .where = &slots[i].where,
                .n_where = 1,
                .n_rows_max = 10,
                .n_bytes_max = 4096,
                .loop = city.loop,
                .done = fetched};
            system_sqlite_ops.tables->fetch(plan, &slots[i].fetch);
        }
        while (n_answered < n + N_SLOTS)
            assert_ok(loop_run_once(city.loop, 100));
    }
    struct sha256 after = hash_file();
    assert_memory_equal(before.bytes, after.bytes, 32);
    assert_int_equal(stat(db_path, &is), 0);
    assert_int_equal(was.st_mtim.tv_sec, is.st_mtim.tv_sec);
    assert_int_equal(was.st_mtim.tv_nsec, is.st_mtim.tv_nsec);
    char beside[160]; /* and nothing beside it */
    snprintf(beside, sizeof beside, "%s-journal", db_path);
    assert_int_equal(access(beside, F_OK), -1);
    snprintf(beside, sizeof beside, "%s-wal", db_path);
    assert_int_equal(access(beside, F_OK), -1);
}

/* More than the queue holds is refused at once, and every asking is answered, once. */
static struct hub_fetch fetches[40000];
static size_t n_full;

static void counted(struct hub_fetch *fetch)
{
    n_answered++;
    n_full += fetch->err == ERR_FULL;
    rows_release(fetch->rows);
}

static void full_queue(void **state)
{
    const struct value key = value_text(STR("A00003"));
    const struct sql_constraint where = {0, SQL_EQ, 1, &key};
    sqlite3 *db;
    load();
    void *plan = hub_contract_lookup(city.hub, STR("h/c-17"))->plan;
    assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK); /* the thread waits for the lock meanwhile */
    n_full = 0;
    for (int round = 0; round < 20 && n_full == 0; round++) { /* on a slow machine the thread may empty the queue as fast as it fills */
        n_answered = 0;
        for (size_t i = 0; i < 40000; i++) {
            fetches[i] = (struct hub_fetch){.outputs = answer_at,
                .n_outputs = 2,
                .where = &where,
                .n_where = 1,
                .n_rows_max = 1,
                .n_bytes_max = 4096,
                .loop = city.loop,
                .done = counted};
            system_sqlite_ops.tables->fetch(plan, &fetches[i]);
        }
        for (size_t idle = 0, before = 0; idle < 1000 && n_answered < 40000; before = n_answered) {
            assert_ok(loop_run_once(city.loop, 10));
            idle = n_answered == before ? idle + 1 : 0; /* ten seconds without an answer, not in all */
        }
        assert_int_equal(n_answered, 40000);
    }
    assert_int_not_equal(n_full, 0);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* ---- long ones, and askers who go ---- */

struct long_one {
    struct hub_fetch fetch;
    _Atomic bool is_cancelled;
    bool is_done;
};

static void long_done(struct hub_fetch *fetch)
{
    rows_release(fetch->rows);
    ((struct long_one *)(void *)fetch)->is_done = true;
}

/* Two that run for a minute, one that waits behind them; calls go on; when their askers have gone all three end. */
static void a_long_query_holds_up_no_call(void **state)
{
    static const struct str fields[] = {STR_INIT("seats")};
    static const struct sql_output sum[] = {{1, SQL_SUM}};
    static struct long_one longs[3];
    fake_city_write(&city, "systems/police.yaml",
        "party: h/police\nconnector: sqlite\nconnection: {file: \"{data}/police.sqlite\", timeout: 60s}\nresources:\n" VEHICLE
        "  - name: crowd\n    title: {zh: 众, en: Crowd}\n    kind: table\n    bind: {select: \"SELECT a.plate, a.seats + b.seats * "
        "c.seats AS seats FROM "
        "vehicle a, vehicle b, vehicle c\"}\n    fields:\n      - {name: plate, type: text, class: internal, key: true}\n"
        "      - {name: seats, type: integer, class: internal}\n");
    fake_city_write(&city, "contracts/c-18.yaml",
        "contract: h/c-18\nprovider: h/police\nconsumer: h/parking\nresource: h/police/crowd\nuses: [query]\nfields: [plate, seats]\n"
        "purpose: parking.plan\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    load();
    void *plan = hub_contract_lookup(city.hub, STR("h/c-18"))->plan;
    for (size_t i = 0; i < 3; i++) {
        longs[i] = (struct long_one){.fetch = {.outputs = sum,
                                         .n_outputs = 1,
                                         .n_rows_max = 1,
                                         .n_bytes_max = 4096,
                                         .is_long = true,
                                         .is_cancelled = &longs[i].is_cancelled,
                                         .loop = city.loop,
                                         .done = long_done}};
        system_sqlite_ops.tables->fetch(plan, &longs[i].fetch);
    }
    for (int i = 0; i < 200; i++)
        assert_ok(ask("plate", value_text(STR("A00003")), fields, 1));
    assert_false(longs[0].is_done || longs[1].is_done || longs[2].is_done);
    for (size_t i = 0; i < 3; i++)
        atomic_store(&longs[i].is_cancelled, true);
    for (int i = 0; i < 3000 && !(longs[0].is_done && longs[1].is_done && longs[2].is_done); i++)
        assert_ok(loop_run_once(city.loop, 10));
    for (size_t i = 0; i < 3; i++)
        assert_err(longs[i].fetch.err, ERR_CANCELLED);
    assert_ok(ask("plate", value_text(STR("A00003")), fields, 1)); /* and the department was never down for it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, make, finish),
        cmocka_unit_test_setup_teardown(more_than_a_call_carries, make, finish),
        cmocka_unit_test_setup_teardown(bytes_have_a_limit, make, finish),
        cmocka_unit_test_setup_teardown(rows_granted, make, finish),
        cmocka_unit_test_setup_teardown(columns_granted, make, finish),
        cmocka_unit_test_setup_teardown(malicious_predicates, make, finish),
        cmocka_unit_test_setup_teardown(wrong_files, make, finish),
        cmocka_unit_test_setup_teardown(a_select_of_the_department, make, finish),
        cmocka_unit_test_setup_teardown(missing_file, make, finish),
        cmocka_unit_test_setup_teardown(locked_file, make, finish),
        cmocka_unit_test_setup_teardown(corrupt_file, make, finish),
        cmocka_unit_test_setup_teardown(damaged_page, make, finish),
        cmocka_unit_test_setup_teardown(wrong_type_in_a_row, make, finish),
        cmocka_unit_test_setup_teardown(slow_statement, make, finish),
        cmocka_unit_test_setup_teardown(parts_of_a_query, make, finish),
        cmocka_unit_test_setup_teardown(leaves_the_file_alone, make, finish),
        cmocka_unit_test_setup_teardown(full_queue, make, finish),
        cmocka_unit_test_setup_teardown(a_long_query_holds_up_no_call, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
