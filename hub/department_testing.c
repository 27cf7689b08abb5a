/*
 * One department with real tables, for the connectors' tests.
 */
#include "hub/department_testing.h"

#include "base/mem.h"
#include "base/test.h"
#include "hub/parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the city ---- */

void fake_department_make(struct fake_city *city, const struct hub_system_ops *const *connectors)
{
    fake_city_make(city);
    mkdir(city->data, 0700);
    city->ledger = fake_ledger();
    city->connectors = connectors;
    city->real_clock = clock_system();
    fake_city_write(city, "contracts/c-1.yaml", NULL);
}

void fake_department_write(struct fake_city *city, const char *connector, const char *rest)
{
    char text[16384];
    int n = snprintf(text, sizeof text, "party: h/police\nconnector: %s\n%s", connector, rest);
    assert_true(n > 0 && (size_t)n < sizeof text);
    fake_city_write(city, "systems/police.yaml", text);
}

void fake_department_grant(struct fake_city *city, const char *fields, const char *rows)
{
    char text[4096];
    snprintf(text, sizeof text,
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call, query]\nfields: %s\n"
        "purpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n%s%s%s",
        fields, rows ? "rows: \"" : "", rows ? rows : "", rows ? "\"\n" : "");
    fake_city_write(city, "contracts/c-17.yaml", text);
}

void fake_department_load(struct fake_city *city)
{
    struct diag_list diags;
    if (fake_city_load(city, &diags))
        fail_msg("%s", diags.n ? diags.diags[0].text : "?");
}

void *fake_department_plan(struct fake_city *city)
{
    void *plan = hub_contract_lookup(city->hub, STR("h/c-17"))->plan;
    assert_non_null(plan);
    return plan;
}

static struct fake_answer last;

void fake_department_finish(struct fake_city *city)
{
    rows_release(last.rows);
    last.rows = NULL;
    if (city->hub)
        fake_city_unload(city);
    fake_city_remove(city);
    fake_ledger_reset();
    for (int i = 0; i < 6000 && mem_n_live() > 0;
         i++) /* a driver's thread that was left, as it did not come back, frees what it has when it does */
        usleep(10000);
    assert_int_equal(mem_n_live(), 0);
}

void fake_department_secret(struct fake_city *city, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/secrets", city->data);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/secrets/%s", city->data, name);
    remove(path);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* ---- asking ---- */

#define OUTPUTS 16
#define CONSTRAINTS 8

struct fake_asking {
    _Atomic bool is_cancelled;
    struct hub_fetch fetch;
    struct sql_output outputs[OUTPUTS];
    struct sql_constraint where[CONSTRAINTS];
    struct sql_order order[CONSTRAINTS];
    bool is_done;
};

static const struct hub_resource *the_resource(const struct fake_city *city)
{
    const struct hub_resource *resource = hub_resource_find(city->hub, STR("h/police/vehicle"));
    assert_non_null(resource);
    return resource;
}

static uint16_t column(const struct hub_resource *resource, struct str name)
{
    int at = hub_field_find(resource, name);
    if (at < 0)
        fail_msg("no field " STR_FORMAT, STR_ARG(name));
    return (uint16_t)at;
}

static struct sql_output output(const struct hub_resource *resource, const char *text)
{
    static const struct {
        const char *head;
        enum sql_aggregate aggregate;
    } heads[] = {{"count(distinct ", SQL_COUNT_DISTINCT}, {"count(", SQL_COUNT}, {"sum(", SQL_SUM}, {"min(", SQL_MIN}, {"max(", SQL_MAX}};
    struct str name = str_from_c(text);
    if (strcmp(text, "count(*)") == 0)
        return (struct sql_output){.aggregate = SQL_COUNT_ALL};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (str_starts_with(name, str_from_c(heads[i].head))) {
            size_t from = strlen(heads[i].head);
            return (struct sql_output){
                .column = column(resource, str_slice(name, from, name.len - from - 1)), .aggregate = (uint8_t)heads[i].aggregate};
        }
    return (struct sql_output){.column = column(resource, name)};
}

static void done(struct hub_fetch *fetch)
{
    container_of(fetch, struct fake_asking, fetch)->is_done = true;
}

struct fake_asking *fake_ask_start(struct fake_city *city, const struct fake_question *question)
{
    const struct hub_resource *resource = the_resource(city);
    struct fake_asking *asking = mem_alloc_zero(1, sizeof *asking);
    struct hub_fetch *fetch = &asking->fetch;
    for (size_t i = 0; i < OUTPUTS && question->outputs[i]; i++)
        asking->outputs[fetch->n_outputs++] = output(resource, question->outputs[i]);
    for (size_t i = 0; i < CONSTRAINTS && question->where[i].column; i++)
        asking->where[fetch->n_where++] = (struct sql_constraint){.column = column(resource, str_from_c(question->where[i].column)),
            .op = (uint8_t)question->where[i].op,
            .n_values = question->where[i].n,
            .values = question->where[i].values};
    for (size_t i = 0; i < CONSTRAINTS && question->order[i]; i++) {
        bool is_descending = question->order[i][0] == '-';
        asking->order[fetch->n_order++] =
            (struct sql_order){.column = column(resource, str_from_c(question->order[i] + is_descending)), .is_descending = is_descending};
    }
    fetch->outputs = asking->outputs;
    fetch->where = asking->where;
    fetch->order = asking->order;
    fetch->n_rows_max = question->n_rows_max ? question->n_rows_max : 1000;
    fetch->n_bytes_max = question->n_bytes_max ? question->n_bytes_max : 1 << 20;
    fetch->is_cancelled = &asking->is_cancelled;
    fetch->loop = city->loop;
    fetch->done = done;
    city->connectors[0]->tables->fetch(fake_department_plan(city), fetch);
    return asking;
}

void fake_ask_cancel(struct fake_asking *asking)
{
    atomic_store(&asking->is_cancelled, true);
}

bool fake_ask_is_done(const struct fake_asking *asking)
{
    return asking->is_done;
}

static void await(struct fake_city *city, const struct fake_asking *asking)
{
    struct mono_time begun = clock_mono(clock_system());
    while (!asking->is_done && mono_ms_between(begun, clock_mono(clock_system())) < 30000)
        assert_ok(loop_run_once(city->loop, 10));
    if (!asking->is_done)
        fail_msg("no answer in 30 s");
}

enum err fake_ask_end(struct fake_city *city, struct fake_asking *asking)
{
    await(city, asking);
    enum err err = asking->fetch.err;
    if (!err)
        rows_release(asking->fetch.rows);
    mem_free(asking);
    return err;
}

void fake_row_text(const struct value *values, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct value *value = &values[i];
        buf_append_c(out, i ? "|" : "");
        switch (value->type) {
        case VALUE_NULL:
            buf_append_c(out, "NULL");
            break;
        case VALUE_BOOLEAN:
            buf_append_c(out, value->i ? "true" : "false");
            break;
        case VALUE_INTEGER:
            buf_printf(out, "%lld", (long long)value->i);
            break;
        case VALUE_TIME:
            buf_printf(out, "@%lld", (long long)value->i);
            break;
        case VALUE_REAL:
            buf_printf(out, "%.17g", value->r);
            break;
        case VALUE_TEXT:
            buf_append_str(out, value->s);
            break;
        case VALUE_BYTES:
            for (size_t j = 0; j < value->s.len; j++)
                buf_printf(out, "%02x", (unsigned char)value->s.ptr[j]);
            break;
        }
    }
}

const struct fake_answer *fake_ask(struct fake_city *city, const struct fake_question *question)
{
    struct fake_asking *asking = fake_ask_start(city, question);
    struct buf text;
    await(city, asking);
    rows_release(last.rows);
    last = (struct fake_answer){.err = asking->fetch.err, .is_truncated = asking->fetch.is_truncated};
    if (!last.err) {
        last.rows = asking->fetch.rows;
        last.n_rows = rows_n(last.rows);
        buf_init(&text, sizeof last.text - 1); /* what is longer is not there for comparing */
        for (size_t i = 0; i < last.n_rows; i++) {
            buf_append_c(&text, i ? ";" : "");
            fake_row_text(rows_at(last.rows, i), rows_n_fields(last.rows), &text);
        }
        memcpy(last.text, text.len ? text.ptr : "", text.len);
        buf_finish(&text);
    }
    mem_free(asking);
    return &last;
}

uint64_t fake_department_figure(struct fake_city *city, const char *sample)
{
    struct metric_page *page;
    struct buf text;
    size_t len = strlen(sample);
    assert_ok(metric_page_create(&page));
    buf_init(&text, METRIC_PAGE_MAX);
    hub_measure(city->hub, page);
    assert_ok(metric_page_write(page, &text));
    buf_append_byte(&text, '\0');
    metric_page_destroy(page);
    const char *line = text.ptr;
    while (line && (strncmp(line, sample, len) != 0 || line[len] != ' '))
        line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
    if (!line)
        fail_msg("no figure %s", sample);
    uint64_t value = (uint64_t)strtod(line + len, NULL);
    buf_finish(&text);
    return value;
}
