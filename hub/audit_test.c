/*
 * The audit's thread, with a file that the test writes: what it finds stands in its store, once, over closing and opening again; and what a
 * department's file may say of it.
 */
#include "hub/audit.h"

#include "base/mem.h"
#include "base/test.h"
#include "db/db.h"
#include "hub/fake.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fake_city city;
static struct yaml *yaml;
static struct hub_department department;
static struct hub_audit *audit;
static char file[160];

static enum err begin(const char *text, struct diag_list *diags)
{
    struct yaml_node connection;
    struct hub_system_env env = {.hub = city.hub,
        .loop = city.loop,
        .clock = clock_system(),
        .city_dir = city.dir,
        .data_dir = city.data,
        .party = STR("h/police"),
        .name = STR("police")};
    assert_ok(yaml_load_str(str_from_c(text), "police.yaml", diags, &yaml));
    assert_ok(hub_department_init(&department, &env, "postgres", yaml_root(yaml), diags, &connection));
    enum err err = hub_audit_open(&department, &env, HUB_AUDIT_PGAUDIT, "department", diags, &audit);
    if (!err)
        assert_ok(loop_run_once(city.loop, 0)); /* it begins when the hub's loop does */
    return err;
}

static void end(void)
{
    hub_audit_close(audit);
    audit = NULL;
    hub_department_finish(&department);
    yaml_destroy(yaml);
}

static void go_up(void)
{
    struct diag_list diags = {0};
    assert_ok(
        begin("party: h/police\nconnector: postgres\nconnection: {}\naudit: {file: \"{data}/audit.json\", own: [register]}\n", &diags));
    assert_non_null(audit);
}

static int make(void **state)
{
    struct diag_list diags = {0};
    fake_city_make(&city);
    city.real_clock = clock_system();
    city.ledger = fake_ledger();
    assert_ok(fake_city_load(&city, &diags));
    snprintf(file, sizeof file, "%s/audit.json", city.data);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fclose(out);
    return 0;
}

static int unmake(void **state)
{
    fake_city_unload(&city);
    fake_city_remove(&city);
    fake_ledger_reset();
    return mem_n_live() == 0 ? 0 : 1;
}

/* A read as PostgreSQL writes it. */
static void line(const char *role, const char *session, int statement)
{
    FILE *out = fopen(file, "a");
    assert_non_null(out);
    fprintf(out,
        "{\"user\":\"%s\",\"dbname\":\"department\",\"remote_host\":\"10.0.0.9\",\"session_id\":\"%s\",\"line_num\":%d,\"message\":\"AUDIT:"
        " "
        "OBJECT,%d,1,READ,SELECT,TABLE,public.vehicle,<not logged>,<not logged>\",\"backend_type\":\"client backend\"}\n",
        role, session, statement, statement);
    fclose(out);
}

/* The number of reads by a role that the store knows; its table is made by the audit. */
static int64_t found(const char *role)
{
    char path[200];
    struct diag diag = {""};
    struct db *db;
    struct db_statement *statement;
    bool is_row = false;
    snprintf(path, sizeof path, "%s/store/audit-police.sqlite", city.data);
    assert_ok(db_open(path, &diag, &db));
    assert_ok(db_prepare(db, "SELECT n FROM finding WHERE kind = 0 AND role = ?1 AND tbl = 'public.vehicle'", &diag, &statement));
    assert_ok(db_bind(statement, 1, value_text(str_from_c(role))));
    assert_ok(db_step(statement, &is_row));
    int64_t n = is_row ? db_column(statement, 0).i : 0;
    db_statement_finish(statement);
    db_close(db);
    return n;
}

static void await(const char *role, int64_t n)
{
    for (int i = 0; i < 6000 && found(role) < n; i++)
        assert_ok(loop_run_once(city.loop, 10)); /* alerts are published meanwhile */
    assert_int_equal(found(role), n);
}

/* The figures are told, and among them this one. */
static void says(const char *sample)
{
    struct metric_page *page;
    struct buf text;
    assert_ok(metric_page_create(&page));
    buf_init(&text, METRIC_PAGE_MAX);
    hub_audit_measure(audit, page, STR("police"));
    assert_ok(metric_page_write(page, &text));
    buf_append_byte(&text, '\0');
    metric_page_destroy(page);
    if (!strstr(text.ptr, sample))
        fail_msg("not there: %s\nin %s", sample, text.ptr);
    buf_finish(&text);
}

#define READS 1000
static void every_foreign_read_once_over_restarts(void **state)
{
    go_up();
    for (int i = 1; i <= READS; i++) {
        line("clerk", "10.a", i);
        line("register", "10.b", i);
        if (i % 250 == 0) { /* some of them are read, some not yet */
            end();
            go_up();
        }
    }
    await("clerk", READS);
    end();
    go_up();
    assert_int_equal(found("clerk"), READS);
    assert_int_equal(found("register"), 0);
    end();
}

static void *read_often(void *context)
{
    for (int i = 1; i <= READS; i++) {
        hub_audit_ran(audit, 0x1400000001, true);
        if (i % 100 == 0)
            usleep(1000);
    }
    return NULL;
}

static void the_hubs_own_reads_are_told_from_another_thread(void **state)
{
    pthread_t connector;
    go_up();
    assert_ok(hub_audit_opened(audit, 0x1400000001));
    assert_int_equal(pthread_create(&connector, NULL, read_often, NULL), 0);
    for (int i = 1; i <= READS; i++)
        line("hub", "14.1", i);
    line("clerk", "14.2", 1);
    assert_int_equal(pthread_join(connector, NULL), 0);
    await("clerk", 1);
    says("citybrain_audit_lines_total{department=\"police\"} 1001\n");
    says("citybrain_audit_cuts_total{department=\"police\"} 0\n");
    says("citybrain_audit_stopped{department=\"police\"} 0\n");
    says("citybrain_queue_length{queue=\"audit_sessions\",of=\"police\"} 1\n");
    hub_audit_closed(audit, 0x1400000001);
    assert_int_equal(found("hub"), 0);
    end();
    go_up(); /* the session of an earlier run is still known */
    line("hub", "14.1", READS + 1);
    line("clerk", "14.2", 2);
    await("clerk", 2);
    assert_int_equal(found("hub"), 0);
    end();
}

static void a_department_without_an_audit(void **state)
{
    struct diag_list diags = {0};
    assert_ok(begin("party: h/police\nconnector: postgres\nconnection: {}\n", &diags));
    assert_null(audit);
    assert_ok(hub_audit_opened(NULL, 7));
    hub_audit_ran(NULL, 7, true);
    hub_audit_closed(NULL, 7);
    end();
}

static void what_the_file_may_say(void **state)
{
    static const struct {
        const char *audit, *words;
    } rows[] = {
        {"audit: yes", "audit: is a map"},
        {"audit: {}", "audit: has no file"},
        {"audit: {file: x, roles: [a]}", "roles"},
        {"audit: {file: x, own: clerk}", "own: is a list"},
        {"audit: {file: x, own: [\"\"]}", "own: is a list of names"},
        {"audit: {file: x, tables: {a: b}}", "tables: is a list"},
        {"audit: {file: x, silent_after: 1s}", "silent_after: lies between 7s"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list diags = {0};
        char text[300];
        snprintf(text, sizeof text, "party: h/police\nconnector: postgres\nconnection: {}\n%s\n", rows[i].audit);
        enum err err = begin(text, &diags);
        if (!err || diags.n == 0 || !strstr(diags.diags[0].text, rows[i].words))
            fail_msg("%s: %s", rows[i].audit, diags.n ? diags.diags[0].text : err_text(err));
        assert_null(audit);
        end();
    }
}

int main(void)
{
#define EACH(test_) cmocka_unit_test_setup_teardown(test_, make, unmake)
    const struct CMUnitTest tests[] = {
        EACH(every_foreign_read_once_over_restarts),
        EACH(the_hubs_own_reads_are_told_from_another_thread),
        EACH(a_department_without_an_audit),
        EACH(what_the_file_may_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
