/*
 * A city for tests of queries.
 */
#include "tests/query/query_city.h"

#include "system/sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct fake_city query_city;

/* ---- SQLite ---- */

static void sqlite_make(const struct fake_city *city, const char *department, const char *sql)
{
    char path[256], *error = NULL;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/%s.sqlite", city->data, department);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    sqlite3_close(db);
}

static void sqlite_describe(const struct fake_city *city, const char *department, char *out, size_t size)
{
    snprintf(out, size, "connector: sqlite\nconnection: {file: \"{data}/%s.sqlite\", timeout: 20s}\n", department);
}

const struct query_engine query_engine_sqlite = {"sqlite", &system_sqlite_ops, sqlite_make, sqlite_describe};

/* ---- the city ---- */

#define ENGINES_MAX 8
static const struct hub_system_ops *connectors[ENGINES_MAX + 1];

void query_city_make(void)
{
    static const char *const gone[] = {
        "contracts/c-1.yaml", "contracts/c-2.yaml", "contracts/c-17.yaml", "systems/police.yaml", "scenes/count.yaml"};
    fake_city_make(&query_city);
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        fake_city_write(&query_city, gone[i], NULL);
    mkdir(query_city.data, 0700);
    memset(connectors, 0, sizeof connectors);
    query_city.ledger = fake_ledger();
    query_city.real_clock = clock_system();
    query_city.connectors = connectors;
}

void query_city_department(const struct query_engine *engine, const char *party, const char *sql, const char *resources)
{
    static char text[1 << 16];
    char file[128], head[512];
    size_t at = 0;
    while (connectors[at] && connectors[at] != engine->ops)
        at++;
    connectors[at] = engine->ops;
    engine->make(&query_city, party, sql);
    engine->describe(&query_city, party, head, sizeof head);
    snprintf(file, sizeof file, "systems/%s.yaml", party);
    snprintf(text, sizeof text, "party: h/%s\n%sresources:\n%s", party, head, resources);
    fake_city_write(&query_city, file, text);
}

void query_city_contract(int number, const char *provider, const char *resource, const char *fields, const char *more)
{
    char file[64], text[2048];
    snprintf(file, sizeof file, "contracts/c-%d.yaml", number);
    snprintf(text, sizeof text,
        "contract: h/c-%d\nprovider: h/%s\nconsumer: h/parking\nresource: h/%s/%s\nuses: [query]\nfields: [%s]\n"
        "purpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n%s",
        number, provider, provider, resource, fields, more);
    fake_city_write(&query_city, file, text);
}

void query_city_start(void)
{
    struct diag_list diags;
    if (fake_city_load(&query_city, &diags))
        fail_msg("%s", diags.n ? diags.diags[0].text : "?");
}

void query_city_finish(void)
{
    if (query_city.hub)
        fake_city_unload(&query_city);
    fake_city_remove(&query_city);
    fake_ledger_reset();
}

/* ---- asking ---- */

static struct query_answer answered;
static int n_done;

static void done(struct hub_query *query)
{
    n_done++;
    answered = (struct query_answer){.err = query->refusal.err, .rule = query->refusal.rule};
    snprintf(answered.text, sizeof answered.text, "%s", query->refusal.diag.text);
    if (!query->refusal.err)
        assert_ok(json_read(query->json, NULL, &answered.json));
}

struct query_answer query_ask(const char *sql, const struct value *parameters, size_t n_parameters)
{
    struct hub_query query = {
        .party = STR("h/parking"),
        .purpose = STR("parking.settle"),
        .sql = str_from_c(sql),
        .parameters = parameters,
        .n_parameters = n_parameters,
        .is_explain = true,
        .loop = query_city.loop,
        .done = done,
    };
    size_t i;
    json_t *part;
    n_done = 0;
    hub_query_start(query_city.hub, &query);
    for (int round = 0; round < 20000 && n_done == 0; round++)
        assert_ok(loop_run_once(query_city.loop, 10));
    assert_int_equal(n_done, 1);
    json_array_foreach(json_object_get(answered.json, "explain"), i, part)
    {
        size_t n_trips = (size_t)json_integer_value(json_object_get(part, "round_trips"));
        answered.n_trips += n_trips;
        answered.n_rows += (size_t)json_integer_value(json_object_get(part, "rows"));
        if (strstr(json_string_value(json_object_get(part, "asked")), "for the plan"))
            answered.n_plan_trips += n_trips;
    }
    return answered;
}

void query_answer_drop(struct query_answer *answer)
{
    json_decref(answer->json);
    answer->json = NULL;
}
