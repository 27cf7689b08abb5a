/*
 * Commands into a real PostgreSQL: once a key over retries and ended sessions, refused by the department's own checks, not done while a
 * lock is held, nothing that its role may not; each way in which the binding can be wrong.
 */
#include "base/mem.h"
#include "base/test.h"
#include "hub/act.h"
#include "system/postgres/postgres_testing.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMMAND "  - name: send\n    title: {zh: 派, en: Send}\n    kind: command\n"
#define FIELDS                                                                                                                             \
    "    fields:\n      - {name: place, type: text, class: internal, key: true}\n      - {name: count, type: integer, class: internal}\n"  \
    "      - {name: weight, type: real, class: internal}\n      - {name: due, type: time, class: internal}\n"
#define RUN                                                                                                                                \
    "\"INSERT INTO sent (k, place, count, weight, due, who, asked, receipt) VALUES (:act_key, :place, :count, :weight, :due, :act_party, " \
    ":act_time, :act_receipt::text) ON CONFLICT (k) DO NOTHING -- not :this\""
#define ANSWER "\"SELECT number, place, count, weight, due = :due AS is_due, NULL AS none FROM sent WHERE k = :act_key\""
#define BIND(run_, answer_) "    bind: {user: inbox, password_file: \"{data}/secrets/inbox\", run: " run_ ", answer: " answer_ "}\n"

static void write_city(const char *command)
{
    char text[8192];
    snprintf(text, sizeof text, "%s%s", POSTGRES_VEHICLE, command);
    postgres_system_file(postgres_port(), "hub", "2s", "", text);
}

static int make(void **state)
{
    postgres_make(state);
    postgres_sql("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'inbox') THEN CREATE ROLE inbox LOGIN PASSWORD 'geheim "
                 "箱'; END IF; END $$");
    postgres_sql(
        "CREATE TABLE sent (number bigserial PRIMARY KEY, k text UNIQUE, place text CONSTRAINT place_is_short CHECK (length(place) "
        "< 10), count int, weight double precision, due timestamptz, who text, asked timestamptz, receipt text); GRANT INSERT, SELECT "
        "ON sent TO inbox; GRANT USAGE ON SEQUENCE sent_number_seq TO inbox");
    fake_department_secret(&postgres_city, "inbox", "geheim 箱\n");
    fake_city_write(&postgres_city, "contracts/c-18.yaml",
        "contract: h/c-18\nprovider: h/police\nconsumer: h/parking\nresource: h/police/send\nuses: [act]\nfields: [place, count, weight, "
        "due]\n"
        "purpose: p\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    write_city(COMMAND BIND(RUN, ANSWER) FIELDS);
    return 0;
}

/* ---- asking ---- */

struct asked {
    struct hub_act act;
    struct str names[4];
    struct value values[4];
    bool is_done;
    char json[512];
};

static void done(struct hub_act *act)
{
    struct asked *asked = act->context;
    asked->is_done = true;
    snprintf(asked->json, sizeof asked->json, STR_FORMAT, STR_ARG(act->json));
}

static void begin(struct asked *asked, const char *key, const char *place)
{
    *asked = (struct asked){.act = {.party = STR("h/parking"),
                                .resource = STR("h/police/send"),
                                .purpose = STR("p"),
                                .key = str_from_c(key),
                                .loop = postgres_city.loop,
                                .done = done},
        .names = {STR("place"), STR("count"), STR("weight"), STR("due")},
        .values = {value_text(str_from_c(place)), value_integer(3), value_real(2.5), value_time(INT64_C(1795343162123))}};
    asked->act.names = asked->names;
    asked->act.values = asked->values;
    asked->act.n_values = 4;
    asked->act.context = asked;
    hub_act_start(postgres_city.hub, &asked->act);
}

static void wait(struct asked *asked)
{
    for (int i = 0; i < 6000 && !asked->is_done; i++)
        assert_ok(loop_run_once(postgres_city.loop, 10));
    assert_true(asked->is_done);
    fake_city_spin(&postgres_city);
}

static void acts(void **state)
{
    struct asked asked;
    fake_department_load(&postgres_city);
    for (int i = 0; i < 3; i++) {
        begin(&asked, "one", "杭州'");
        wait(&asked);
        assert_ok(asked.act.refusal.err);
        assert_int_equal(asked.act.state, HUB_ACT_KNOWN);
        assert_int_equal(asked.act.is_repeated, i > 0);
        assert_string_equal(asked.json, "{\"number\":1,\"place\":\"杭州'\",\"count\":3,\"weight\":2.5,\"is_due\":true,\"none\":null}");
    }
    assert_string_equal(
        postgres_sql("SELECT count(*) FROM sent WHERE who = 'h/parking' AND receipt LIKE 'h.log/%' AND abs(extract(epoch FROM "
                     "now() - asked)) < 3600"),
        "1");
}

#define END_SESSIONS "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'inbox'"

/* Keys that are asked again until they are told of, while the server ends the sessions under them: each acts once. */
static void once_a_key_over_ended_sessions(void **state)
{
    enum { KEYS = 200, AT_ONCE = 5 };
    static struct asked asked[AT_ONCE];
    static char keys[AT_ONCE][16];
    size_t n_askings = 0, n_again = 0, n_killed = 0;
    fake_department_load(&postgres_city);
    for (size_t first = 0; first < KEYS; first += AT_ONCE) {
        bool is_told[AT_ONCE] = {false};
        for (size_t n_told = 0, round = 0; n_told < AT_ONCE; round++) {
            assert_true(round < 200);
            for (size_t i = 0; i < AT_ONCE; i++) {
                snprintf(keys[i], sizeof keys[i], "k-%zu", first + i);
                if (!is_told[i])
                    begin(&asked[i], keys[i], "x");
            }
            for (size_t i = 0; i < AT_ONCE && round < 2; i++) { /* in the midst of one or the other */
                assert_ok(loop_run_once(postgres_city.loop, 1));
                n_killed += (size_t)strtoul(postgres_sql(END_SESSIONS), NULL, 10);
            }
            for (size_t i = 0; i < AT_ONCE; i++) {
                if (is_told[i])
                    continue;
                wait(&asked[i]);
                n_askings++;
                is_told[i] = asked[i].act.refusal.err == ERR_OK && asked[i].act.state == HUB_ACT_KNOWN;
                n_told += is_told[i];
                n_again += !is_told[i];
            }
        }
    }
    print_message("%d keys in %zu askings, %zu of them without an answer, over %zu ended sessions\n", KEYS, n_askings, n_again, n_killed);
    assert_string_equal(postgres_sql("SELECT count(*) || ' ' || count(DISTINCT k) FROM sent"), "200 200");
    assert_true(n_killed > 0);
}

/* A hub that has forgotten everything (another one) gets the answer that the department keeps. */
static void the_department_keeps_the_key(void **state)
{
    struct asked asked;
    char path[256];
    fake_department_load(&postgres_city);
    begin(&asked, "one", "x");
    wait(&asked);
    assert_int_equal(asked.act.state, HUB_ACT_KNOWN);
    fake_city_unload(&postgres_city);
    snprintf(path, sizeof path, "%s/act.sqlite", postgres_city.data);
    assert_int_equal(unlink(path), 0);
    fake_department_load(&postgres_city);
    begin(&asked, "one", "x");
    wait(&asked);
    assert_int_equal(asked.act.state, HUB_ACT_KNOWN);
    assert_non_null(strstr(asked.json, "\"number\":1,"));
    assert_string_equal(postgres_sql("SELECT count(*) FROM sent"), "1");
}

static void refused_for_good(void **state)
{
    struct asked asked;
    fake_department_load(&postgres_city);
    for (int i = 0; i < 2; i++) {
        begin(&asked, "long", "a place that is too long");
        wait(&asked);
        assert_int_equal(asked.act.state, HUB_ACT_REFUSED);
        assert_non_null(strstr(asked.json, "place_is_short"));
    }
    begin(&asked, "good", "x"); /* and the connection goes on */
    wait(&asked);
    assert_int_equal(asked.act.state, HUB_ACT_KNOWN);
}

static void not_done_while_locked(void **state)
{
    struct asked asked;
    fake_department_load(&postgres_city);
    postgres_sql("BEGIN; LOCK TABLE sent");
    begin(&asked, "one", "x");
    wait(&asked);
    assert_err(asked.act.refusal.err, ERR_UNAVAILABLE);
    postgres_sql("ROLLBACK");
    assert_string_equal(postgres_sql("SELECT count(*) FROM sent"), "0");
    begin(&asked, "one", "x");
    wait(&asked);
    assert_int_equal(asked.act.state, HUB_ACT_KNOWN);
}

static void wrong_files(void **state)
{
    static const struct {
        const char *command, *told;
    } rows[] = {
        {COMMAND BIND("\"INSERT INTO nowhere VALUES (:act_key)\"", ANSWER) FIELDS, "refuses the command"},
        {COMMAND BIND("\"INSERT INTO sent (k) VALUES (:act_kye)\"", ANSWER) FIELDS, "which is no field of the command"},
        {COMMAND BIND("\"INSERT INTO sent (place) VALUES (:place)\"", ANSWER) FIELDS, "does not use :act_key"},
        {COMMAND "    bind: {user: inbox, run: " RUN "}\n" FIELDS, "answer"},
        {COMMAND "    bind: {run: " RUN ", answer: " ANSWER "}\n" FIELDS, "user"},
        {COMMAND FIELDS, "needs bind:"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list diags;
        bool is_told = false;
        write_city(rows[i].command);
        assert_true(fake_city_load(&postgres_city, &diags) != ERR_OK);
        for (size_t j = 0; j < diags.n; j++)
            is_told = is_told || strstr(diags.diags[j].text, rows[i].told);
        if (!is_told)
            fail_msg("row %zu: %s", i, diags.n ? diags.diags[0].text : "nothing");
        fake_city_unload(&postgres_city);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(acts, make, postgres_unmake),
        cmocka_unit_test_setup_teardown(once_a_key_over_ended_sessions, make, postgres_unmake),
        cmocka_unit_test_setup_teardown(the_department_keeps_the_key, make, postgres_unmake),
        cmocka_unit_test_setup_teardown(refused_for_good, make, postgres_unmake),
        cmocka_unit_test_setup_teardown(not_done_while_locked, make, postgres_unmake),
        cmocka_unit_test_setup_teardown(wrong_files, make, postgres_unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
