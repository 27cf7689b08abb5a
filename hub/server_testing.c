/*
 * What the tests of connectors to database servers share.
 */
#include "hub/server_testing.h"

#include "base/mem.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *fake_server_need(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fail_msg("%s is not set; mend: run it as tests/servers.py SERVER -- PROGRAM", name);
    return value;
}

#define CONNECTION                                                                                                                         \
    "connection: {host: 127.0.0.1, port: %d, database: department, user: %s, password_file: \"{data}/secrets/department\", timeout: "      \
    "%s%s}\nresources:\n"

void fake_server_write(
    const struct fake_server *server, int port, const char *user, const char *timeout, const char *more, const char *resources)
{
    char text[8192];
    int n = snprintf(text, sizeof text, CONNECTION "%s", port, user, timeout, more, resources);
    assert_true(n > 0 && (size_t)n < sizeof text);
    fake_department_write(server->city, server->ops->connector, text);
}

void fake_server_make(const struct fake_server *server)
{
    static const struct hub_system_ops *connectors[2];
    connectors[0] = server->ops;
    fake_department_make(server->city, connectors);
    fake_department_secret(server->city, "department", "geheim 雨\n");
    fake_department_grant(server->city, FAKE_VEHICLE_GRANTED, NULL);
    fake_server_write(server, server->port(), "hub", "500ms", "", FAKE_VEHICLE);
}

void fake_server_unmake(const struct fake_server *server)
{
    if (server->city->hub)
        fake_city_unload(server->city);
    if (*server->proxy)
        fake_proxy_stop(*server->proxy);
    *server->proxy = NULL;
    fake_department_finish(server->city);
}

void fake_server_behind_a_proxy(const struct fake_server *server)
{
    *server->proxy = fake_proxy_start(server->port());
    fake_server_write(server, fake_proxy_port(*server->proxy), "hub", "500ms", "", FAKE_VEHICLE);
}

const struct fake_answer *fake_server_ask(const struct fake_server *server, const char *plate)
{
    const struct value value = value_text(str_from_c(plate));
    return fake_ask(
        server->city, &(struct fake_question){.outputs = {"plate", "colour", "seats"}, .where = {{"plate", SQL_EQ, &value, 1}}});
}

void fake_server_until_it_answers(const struct fake_server *server)
{
    enum err err = ERR_UNAVAILABLE;
    for (int i = 0; i < 150 && err; i++) {
        err = fake_server_ask(server, "A00003")->err;
        if (err)
            usleep(50000);
    }
    assert_ok(err);
}

/* A question that is under way when the department goes may also wait out its time. */
void fake_server_until_it_is_gone(const struct fake_server *server)
{
    enum err err = ERR_OK;
    for (int i = 0; i < 150 && err != ERR_UNAVAILABLE; i++)
        err = fake_server_ask(server, "A00003")->err;
    assert_err(err, ERR_UNAVAILABLE);
}

/* ---- answers ---- */

void fake_server_answers(const struct fake_server *server)
{
    fake_department_load(server->city);
    const struct value plate = value_text(STR("A00003"));
    const struct fake_answer *answer =
        fake_ask(server->city, &(struct fake_question){.outputs = {"plate", "colour", "kind", "seats", "mass", "price", "weight", "height",
                                                           "rate", "electric", "since", "bought", "day", "photo"},
                                   .where = {{"plate", SQL_EQ, &plate, 1}}});
    assert_ok(answer->err);
    /* 2024-03-01 00:00:02.123 and 2024-03-03 in Shanghai */
    assert_string_equal(
        answer->text, "A00003|white|k3|3|30000000000|3|1.5|0.75|0.375|true|@1700000000003|@1709222402123|@1709395200000|0003");
    assert_string_equal(fake_server_ask(server, "' OR 1=1 --")->text, "");
    assert_string_equal(fake_server_ask(server, "a00003")->text, ""); /* whatever the department's collation folds */
    assert_string_equal(fake_server_ask(server, "A00003 ")->text, "");
    assert_ok(fake_server_ask(server, "A00002")->err);
    assert_string_equal(fake_server_ask(server, "A00002")->text, "A00002|NULL|2");
}

void fake_server_types(const struct fake_server *server)
{
    fake_department_load(server->city);
    static const struct {
        const char *column;
        struct value value;
        const char *plates;
    } rows[] = {
        {"plate", {VALUE_TEXT, .s = STR_INIT("A00007")}, "A00007"},
        {"kind", {VALUE_TEXT, .s = STR_INIT("k6")}, "A00006;A00013;A00020"},
        {"seats", {VALUE_INTEGER, .i = 4}, "A00004;A00009;A00014"},
        {"seats", {VALUE_INTEGER, .i = INT64_MAX}, ""},
        {"seats", {VALUE_INTEGER, .i = INT64_MIN}, ""},
        {"mass", {VALUE_INTEGER, .i = 90000000000}, "A00009"},
        {"price", {VALUE_INTEGER, .i = 11}, "A00011"},
        {"weight", {VALUE_REAL, .r = 6.5}, "A00013"},
        {"height", {VALUE_REAL, .r = 1.25}, "A00005"},
        {"rate", {VALUE_REAL, .r = 0.125}, "A00001"},
        {"electric", {VALUE_BOOLEAN, .i = 1}, "A00001;A00003;A00005"},
        {"since", {VALUE_TIME, .i = 1700000000012}, "A00012"},
        {"bought", {VALUE_TIME, .i = 1709222400123}, "A00001"},
        {"day", {VALUE_TIME, .i = 1709136000000}, "A00000"},
        {"photo", {VALUE_BYTES, .s = {"\0\x0f", 2}}, "A00015"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct fake_answer *answer = fake_ask(server->city,
            &(struct fake_question){
                .outputs = {"plate"}, .where = {{rows[i].column, SQL_EQ, &rows[i].value, 1}}, .order = {"plate"}, .n_rows_max = 3});
        assert_ok(answer->err);
        if (strcmp(answer->text, rows[i].plates) != 0)
            fail_msg("row %zu, %s: %s", i, rows[i].column, answer->text);
    }
    const struct value bounds[] = {value_time(1700000000100), value_time(1700000000102)};
    const struct fake_answer *answer =
        fake_ask(server->city, &(struct fake_question){.outputs = {"plate", "since"},
                                   .where = {{"since", SQL_GT, &bounds[0], 1}, {"since", SQL_LE, &bounds[1], 1}},
                                   .order = {"-since"}});
    assert_string_equal(answer->text, "A00102|@1700000000102;A00101|@1700000000101");
    answer = fake_ask(server->city, &(struct fake_question){.outputs = {"count(*)", "count(colour)", "count(distinct kind)", "sum(mass)",
                                                                "sum(weight)", "max(since)", "min(plate)"}});
    assert_string_equal(answer->text, "2000|1334|7|19990000000000000|999500|@1700000001999|A00000");
    answer = fake_ask(server->city, &(struct fake_question){.outputs = {"colour", "count(*)"}, .order = {"colour"}});
    assert_string_equal(answer->text, "NULL|666;black|667;white|667");
}

void fake_server_rows_granted(const struct fake_server *server)
{
    fake_department_grant(server->city, FAKE_VEHICLE_GRANTED,
        "seats IN (3, 4) AND owner <> 'owner 4' AND since < '2023-11-14T22:13:20.010Z' AND day >= '2024-02-29T00:00:00+08:00'");
    fake_department_load(server->city);
    assert_int_equal(fake_server_ask(server, "A00003")->n_rows, 1);
    assert_int_equal(fake_server_ask(server, "A00004")->n_rows, 0);
    assert_int_equal(fake_server_ask(server, "A00002")->n_rows, 0);
    assert_int_equal(fake_server_ask(server, "A00009")->n_rows, 1);
    assert_int_equal(fake_server_ask(server, "A00013")->n_rows, 0);
    assert_string_equal(fake_ask(server->city, &(struct fake_question){.outputs = {"count(*)"}})->text, "3");
}

void fake_server_shapes(const struct fake_server *server)
{
    static const char *const all[] = {"plate", "colour", "kind", "seats", "mass", "price", "weight", "height"};
    fake_department_load(server->city);
    const struct value plate = value_text(STR("A00003"));
    for (unsigned round = 0; round < 2; round++)
        for (unsigned bits = 1; bits < 256; bits++) {
            struct fake_question question = {.where = {{"plate", SQL_EQ, &plate, 1}}};
            size_t n = 0;
            for (unsigned i = 0; i < 8; i++)
                if (bits >> i & 1)
                    question.outputs[n++] = all[i];
            const struct fake_answer *answer = fake_ask(server->city, &question);
            assert_ok(answer->err);
            assert_int_equal(answer->n_rows, 1);
        }
    struct value keys[SQL_IN_MAX];
    char texts[SQL_IN_MAX][8];
    for (size_t i = 0; i < SQL_IN_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "A%05zu", 2 * i);
        keys[i] = value_text(str_from_c(texts[i]));
    }
    assert_string_equal(
        fake_ask(server->city, &(struct fake_question){.outputs = {"count(*)"}, .where = {{"plate", SQL_IN, keys, SQL_IN_MAX}}})->text,
        "1000");
}

/* ---- the file ---- */

void fake_server_wrong_files(const struct fake_server *server, const struct fake_wrong_file *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct diag_list diags;
        char text[2048], place[160];
        snprintf(text, sizeof text,
            "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {%s}\n    fields:\n      - {name: plate, type: "
            "text, "
            "class: open, key: true}\n      - %s\n",
            rows[i].bind, rows[i].field);
        fake_server_write(server, server->port(), "hub", "500ms", rows[i].more, text);
        fake_department_grant(server->city, "[plate]", NULL);
        if (fake_city_load(server->city, &diags) == ERR_OK)
            fail_msg("row %zu was accepted", i);
        snprintf(place, sizeof place, "%s/systems/police.yaml:%d: ", server->city->dir, rows[i].line);
        if (rows[i].says && (strncmp(diags.diags[0].text, place, strlen(place)) != 0 || !strstr(diags.diags[0].text, rows[i].says)))
            fail_msg("row %zu should say \"%s\" at line %d: %s", i, rows[i].says, rows[i].line, diags.diags[0].text);
        fake_city_unload(server->city);
    }
    struct diag_list diags; /* a superuser is refused when the city is loaded */
    fake_server_write(server, server->port(), "boss", "500ms", "", FAKE_VEHICLE);
    fake_department_grant(server->city, FAKE_VEHICLE_GRANTED, NULL);
    assert_err(fake_city_load(server->city, &diags), ERR_DENIED);
    assert_non_null(strstr(diags.diags[0].text, "systems/police.yaml:3: the role is a superuser"));
    fake_city_unload(server->city);
}

/* ---- away, slow, changed ---- */

void fake_server_away_and_back(const struct fake_server *server)
{
    fake_server_behind_a_proxy(server);
    fake_proxy_set(*server->proxy, FAKE_PROXY_CLOSED);
    fake_department_load(server->city);
    fake_server_until_it_is_gone(server);
    fake_proxy_set(*server->proxy, FAKE_PROXY_PASS);
    fake_server_until_it_answers(server);
    fake_proxy_set(*server->proxy, FAKE_PROXY_CLOSED);
    fake_server_until_it_is_gone(server);
    for (int i = 0; i < 20; i++)
        assert_err(fake_server_ask(server, "A00003")->err, ERR_UNAVAILABLE);
    fake_proxy_set(*server->proxy, FAKE_PROXY_PASS);
    fake_server_until_it_answers(server);
}

void fake_server_sessions_end(const struct fake_server *server, size_t n, const char *sql)
{
    enum { MOST = 2000 };
    static struct fake_asking *askings[MOST];
    static char plates[MOST][24];
    static struct value values[MOST];
    size_t n_ok = 0;
    assert_true(n <= MOST);
    fake_server_write(server, server->port(), "hub", "15s", "", FAKE_VEHICLE); /* time enough to come back on a busy machine */
    fake_department_load(server->city);
    fake_server_until_it_answers(server);
    for (size_t i = 0; i < n; i++) {
        snprintf(plates[i], sizeof plates[i], "A%05zu", i);
        values[i] = value_text(str_from_c(plates[i]));
        askings[i] =
            fake_ask_start(server->city, &(struct fake_question){.outputs = {"plate"}, .where = {{"plate", SQL_EQ, &values[i], 1}}});
        if (i % (n / 4) == n / 8)
            server->sql(sql);
    }
    for (size_t i = 0; i < n; i++)
        n_ok += fake_ask_end(server->city, askings[i]) == ERR_OK;
    print_message("%zu of %zu calls answered over 4 rounds of ended sessions\n", n_ok, n);
    assert_int_equal(n_ok, n);
}

void fake_server_slow_view(const struct fake_server *server, const char *sql, const char *timeout)
{
    server->sql(sql);
    fake_server_write(server, server->port(), "hub", timeout, "",
        "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {view: slow}\n    fields:\n      - {name: plate, type: "
        "text, class: open, key: true}\n"
        "      - {name: colour, type: text, class: open}\n      - {name: seats, type: integer, class: open}\n");
    fake_department_grant(server->city, "[plate, colour, seats]", NULL);
    fake_department_load(server->city);
    fake_server_until_it_answers(server);
}

struct fake_asking *fake_server_ask_slowly(const struct fake_server *server)
{
    static const struct value slow = {VALUE_TEXT, .s = STR_INIT("A00001")};
    return fake_ask_start(server->city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &slow, 1}}});
}

void fake_server_askers_who_go(const struct fake_server *server, size_t n, const char *count)
{
    struct fake_asking *askings[3];
    char all[8];
    assert_true(n <= 3);
    snprintf(all, sizeof all, "%zu", n);
    for (size_t i = 0; i < n; i++)
        askings[i] = fake_server_ask_slowly(server);
    for (int i = 0; i < 1000 && strcmp(server->sql(count), all) != 0; i++) {
        assert_ok(fake_server_ask(server, "A00003")->err);
        usleep(20000);
    }
    assert_string_equal(server->sql(count), all);
    struct mono_time gone = clock_mono(clock_system());
    for (size_t i = 0; i < n; i++)
        fake_ask_cancel(askings[i]);
    for (int i = 0; i < 1000 && strcmp(server->sql(count), "0") != 0; i++)
        assert_ok(fake_server_ask(server, "A00003")->err);
    print_message("the server was done with %zu statements %lld ms after their askers went\n", n,
        (long long)mono_ms_between(gone, clock_mono(clock_system())));
    assert_string_equal(server->sql(count), "0");
    for (size_t i = 0; i < n; i++)
        assert_err(fake_ask_end(server->city, askings[i]), ERR_CANCELLED);
}

void fake_server_full_queue(const struct fake_server *server, size_t n_max, const char *lock, const char *unlock)
{
    struct fake_asking **askings = malloc(3 * n_max * sizeof *askings);
    size_t n_full = 0;
    assert_non_null(askings);
    fake_department_load(server->city);
    fake_server_until_it_answers(server);
    server->sql(lock); /* nothing moves on meanwhile */
    for (size_t i = 0; i < 3 * n_max; i++)
        askings[i] = fake_ask_start(server->city, &(struct fake_question){.outputs = {"plate"}, .n_rows_max = 1});
    server->sql(unlock);
    for (size_t i = 0; i < 3 * n_max; i++)
        n_full += fake_ask_end(server->city, askings[i]) == ERR_FULL;
    free(askings);
    print_message("%zu of %zu refused as the queue was full\n", n_full, 3 * n_max);
    assert_true(n_full >= 2 * n_max - n_max / 10);
    assert_int_equal(fake_department_figure(server->city, "citybrain_queue_refused_total{queue=\"department\",of=\"police\"}"), n_full);
    fake_server_until_it_answers(server);
}

void fake_server_closes_in_the_midst(const struct fake_server *server)
{
    for (int life = 0; life < 12; life++) {
        struct fake_asking *askings[50];
        fake_department_load(server->city);
        for (int i = 0; i < 50; i++)
            askings[i] = fake_ask_start(server->city, &(struct fake_question){.outputs = {"plate"}});
        usleep(3000u * (unsigned)(life % 4));
        hub_stop(server->city->hub);
        for (int i = 0; i < 50; i++) {
            enum err err = fake_ask_end(server->city, askings[i]);
            assert_true(err == ERR_OK || err == ERR_UNAVAILABLE);
        }
        fake_city_unload(server->city);
    }
}

/* ---- nothing is written ---- */

static size_t n_answered, n_good;
static void counted(struct hub_fetch *fetch)
{
    n_answered++;
    n_good += fetch->err == ERR_OK && rows_n(fetch->rows) == 1;
    rows_release(fetch->rows);
}

void fake_server_call_often(const struct fake_server *server, const char *const *evil, size_t n_evil)
{
    enum { SLOTS = 50 };
    static struct hub_fetch fetches[SLOTS];
    static struct sql_constraint keys[SLOTS];
    static struct value values[SLOTS];
    static char texts[SLOTS][80];
    static const struct sql_output outputs[] = {{.column = 0}, {.column = 1}};
    void *plan = fake_department_plan(server->city);
    n_answered = n_good = 0;
    for (size_t n = 0; n < FAKE_SERVER_CALLS; n += SLOTS) {
        for (size_t i = 0; i < SLOTS; i++) {
            if (i % 2)
                snprintf(texts[i], sizeof texts[i], "A%05zu", (n + i) % 2000);
            else
                snprintf(texts[i], sizeof texts[i], "%s", evil[n / SLOTS % n_evil]);
            values[i] = value_text(str_from_c(texts[i]));
            keys[i] = (struct sql_constraint){.column = 0, .op = SQL_EQ, .n_values = 1, .values = &values[i]};
            fetches[i] = (struct hub_fetch){.outputs = outputs,
                .n_outputs = 2,
                .where = &keys[i],
                .n_where = 1,
                .n_rows_max = 10,
                .n_bytes_max = 10000,
                .loop = server->city->loop,
                .done = counted};
            server->ops->tables->fetch(plan, &fetches[i]);
        }
        for (int i = 0; i < 3000 && n_answered < n + SLOTS; i++)
            assert_ok(loop_run_once(server->city->loop, 10));
        assert_int_equal(n_answered, n + SLOTS);
    }
    assert_int_equal(n_good, n_answered / 2);
}

size_t fake_server_attempts(const struct fake_server *server, const char *user, const char *const *selects, size_t n)
{
    size_t n_refused = 0;
    for (size_t i = 0; i < n; i++) {
        struct diag_list diags;
        char resources[1000];
        snprintf(resources, sizeof resources,
            "  - name: vehicle\n    title: {zh: 车, en: V}\n    kind: table\n    bind: {select: \"%s\"}\n    fields:\n      - {name: "
            "plate, type: text, class: "
            "open, key: true}\n      - {name: colour, type: text, class: open}\n",
            selects[i]);
        fake_server_write(server, server->port(), user, "500ms", "", resources);
        fake_department_grant(server->city, "[plate, colour]", NULL);
        bool is_refused = fake_city_load(server->city, &diags) != ERR_OK;
        for (int j = 0; j < 3 && !is_refused; j++)
            is_refused = fake_ask(server->city, &(struct fake_question){.outputs = {"plate", "colour"}, .n_rows_max = 2})->err != ERR_OK;
        n_refused += is_refused;
        fake_city_unload(server->city);
    }
    return n_refused;
}
