/*
 * A statistics-only contract under attack: whatever is asked, every answer is made of whole cells of at least k, and so is what two answers
 * differ by. The attacker knows everything but one thing: the test plays against the true table. Seed: CITYBRAIN_SEED, pairs:
 * CITYBRAIN_PAIRS.
 */
#include "tests/query/query_city.h"

#include "base/mem.h"
#include "hub/negotiate.h"
#include "hub/provide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define K 10
#define N_PEOPLE 3000
#define N_PAIRS TEST_TIMES(10000)

static const char *const streets[] = {"gudang", "beishan", "xixi", "cuiyuan", "lingyin"};
static const char *const classes[] = {"A", "B", "C", "D"};
static const char *const flags[] = {"FALSE", "TRUE"};

static struct person {
    int street, class, flag, weight; /* -1: NULL */
} people[N_PEOPLE];
static size_t cells[6][5][3]; /* [street + 1][class + 1][flag + 1] */

static uint64_t random_state;

static uint32_t draw(uint32_t n)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 33) % n;
}

static int skewed(int n) /* the last are rare */
{
    int at = 0;
    while (at < n - 1 && draw(3) == 0)
        at++;
    return at;
}

static void write_people(struct buf *sql)
{
    memset(cells, 0, sizeof cells);
    buf_append_c(sql, "CREATE TABLE person (id BIGINT, street TEXT, class TEXT, flag BOOLEAN, weight BIGINT);");
    for (size_t i = 0; i < N_PEOPLE; i++) {
        struct person *p = &people[i];
        *p = (struct person){draw(40) ? skewed(5) : -1, skewed(4), draw(20) ? 0 : 1, draw(4) ? (int)draw(100) : -1};
        cells[p->street + 1][p->class + 1][p->flag + 1]++;
        buf_printf(sql, i % 100 ? ", " : "%sINSERT INTO person VALUES ", i ? ";" : "");
        buf_printf(sql, "(%zu, %s%s%s, '%s', %s, ", i, p->street < 0 ? "" : "'", p->street < 0 ? "NULL" : streets[p->street],
            p->street < 0 ? "" : "'", classes[p->class], flags[p->flag]);
        buf_printf(sql, p->weight < 0 ? "NULL)" : "%d)", p->weight);
    }
}

static void make_all(void)
{
    const char *seed = getenv("CITYBRAIN_SEED");
    uint64_t first = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
    struct buf sql;
    random_state = first * UINT64_C(0x9E3779B97F4A7C15) + 1;
    printf("seed %llu\n", (unsigned long long)first);
    fflush(stdout);
    query_city_make();
    buf_init(&sql, 4u << 20);
    write_people(&sql);
    buf_append_byte(&sql, '\0');
    query_city_department(&query_engine_sqlite, "police", sql.ptr,
        "  - name: person\n    title: {zh: 人, en: People}\n    kind: table\n    bind: {table: person}\n    fields:\n"
        "      - {name: id, type: integer, class: personal, key: true}\n      - {name: street, type: text, class: internal}\n"
        "      - {name: class, type: text, class: internal}\n      - {name: flag, type: boolean, class: internal}\n"
        "      - {name: weight, type: integer, class: internal}\n");
    buf_finish(&sql);
    query_city_contract(1, "police", "person", "street, class, flag, weight", "min_subjects: 10\n");
    query_city_start();
}

static int make(void **state)
{
    make_all();
    return 0;
}

static int finish(void **state)
{
    query_city_finish();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

/* ---- conditions, as SQL and as a function ---- */

struct condition {
    unsigned streets, classes, flags; /* bits of the values that hold; of NULL none does */
};

static void list(struct buf *out, const char *name, const char *const *values, size_t n, unsigned bits, bool quoted)
{
    buf_printf(out, "%s IN (", name);
    for (size_t i = 0, done = 0; i < n; i++)
        if (bits >> i & 1)
            buf_printf(out, quoted ? "%s'%s'" : "%s%s", done++ ? ", " : "", values[i]);
    buf_append_c(out, ")");
}

static bool holds(const struct condition *c, int street, int class, int flag)
{
    return street >= 0 && class >= 0 && flag >= 0 && (c->streets >> street & 1) && (c->classes >> class & 1) && (c->flags >> flag & 1);
}

static struct condition draw_condition(void)
{
    return (struct condition){1 + draw(31), 1 + draw(15), 1 + draw(3)};
}

static const char *count_sql(const struct condition *c)
{
    static char text[4096];
    struct buf out;
    buf_init(&out, sizeof text);
    buf_append_c(&out, "SELECT count(*), count(weight), sum(weight) FROM \"h/police/person\" WHERE ");
    list(&out, "street", streets, 5, c->streets, true);
    buf_append_c(&out, " AND ");
    list(&out, "class", classes, 4, c->classes, true);
    buf_append_c(&out, " AND ");
    list(&out, "flag", flags, 2, c->flags, false);
    buf_append_byte(&out, '\0');
    assert_ok(out.err);
    memcpy(text, out.ptr, out.len);
    buf_finish(&out);
    return text;
}

/* -1: refused. */
static int64_t ask_count(const struct condition *c)
{
    struct query_answer answer = query_ask(count_sql(c), NULL, 0);
    int64_t n = -1;
    if (answer.err) {
        assert_int_equal(answer.rule, 13);
    } else {
        n = json_integer_value(json_array_get(json_array_get(json_object_get(answer.json, "rows"), 0), 0));
        query_answer_drop(&answer);
    }
    if (fake_ledger_n() > 1000)
        fake_ledger_reset();
    return n;
}

static int64_t sum_of_cells(const struct condition *c)
{
    int64_t n = 0;
    for (int street = 0; street < 5; street++)
        for (int class = 0; class < 4; class ++)
            for (int flag = 0; flag < 2; flag++)
                if (holds(c, street, class, flag) && cells[street + 1][class + 1][flag + 1] >= K)
                    n += (int64_t)cells[street + 1][class + 1][flag + 1];
    return n;
}

/* Pairs of questions that differ by one person's marks, or by chance: what is told apart is nobody, or at least k. */
static void trackers_isolate_nobody(void **state)
{
    const char *n = getenv("CITYBRAIN_PAIRS");
    size_t n_pairs = n ? strtoul(n, NULL, 10) : N_PAIRS, n_answered = 0, n_refused = 0, n_tempting = 0;
    for (size_t i = 0; i < n_pairs; i++) {
        const struct person *victim = &people[draw(N_PEOPLE)];
        struct condition whole = draw_condition(), part;
        if (victim->street >= 0 && draw(2)) { /* a set with the victim's cell, and the same without */
            whole.streets |= 1u << victim->street;
            whole.classes |= 1u << victim->class;
            whole.flags = 1u << victim->flag;
            part = whole;
            *(draw(2) ? &part.streets : &part.classes) &= ~(draw(2) ? 1u << victim->street : 1u << victim->class);
            if (!part.streets || !part.classes)
                part = draw_condition();
        } else {
            part = draw_condition();
        }
        int64_t a = ask_count(&whole), b = ask_count(&part);
        assert_int_equal(a < 0 ? 0 : a, sum_of_cells(&whole)); /* whole cells of at least k, whatever was asked before */
        assert_int_equal(b < 0 ? 0 : b, sum_of_cells(&part));
        n_answered += (a >= 0) + (b >= 0);
        n_refused += (a < 0) + (b < 0);
        struct condition both = {whole.streets & part.streets, whole.classes & part.classes, whole.flags & part.flags};
        bool is_nested = both.streets == part.streets && both.classes == part.classes && both.flags == part.flags;
        int64_t difference = (a < 0 ? 0 : a) - (b < 0 ? 0 : b);
        if (is_nested && difference != 0 && llabs(difference) < K)
            fail_msg("%s: the pair tells %lld people apart", count_sql(&whole), (long long)difference);
        n_tempting += is_nested;
    }
    printf("%zu pairs, %zu of them nested: %zu answers, %zu refused; nobody told apart\n", n_pairs, n_tempting, n_answered, n_refused);
    assert_true(n_answered > n_pairs / 2 && n_tempting > n_pairs / 10);
}

static struct query_answer ask(const char *sql)
{
    return query_ask(sql, NULL, 0);
}

/* Groups are those of the cells; the total is what they add up to: nothing is left over that a small group could be told by. */
static void groups_add_up(void **state)
{
    struct query_answer groups = ask("SELECT street, class, flag, count(*) FROM \"h/police/person\" GROUP BY street, class, flag");
    assert_ok(groups.err);
    int64_t sum = 0;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(groups.json, "rows"), i, row)
    {
        assert_true(json_integer_value(json_array_get(row, 3)) >= K);
        sum += json_integer_value(json_array_get(row, 3));
    }
    query_answer_drop(&groups);
    static const char *const wholes[] = {"SELECT count(*) FROM \"h/police/person\"",
        "SELECT sum(n) FROM (SELECT 1)", /* a sub-select is no statistic */
        "SELECT count(*) FROM \"h/police/person\" WHERE street LIKE '%' OR street IS NULL"};
    for (i = 0; i < 3; i++) {
        struct query_answer whole = ask(wholes[i]);
        if (i == 1) {
            assert_int_not_equal(whole.err, ERR_OK);
            continue;
        }
        assert_ok(whole.err);
        assert_int_equal(json_integer_value(json_array_get(json_array_get(json_object_get(whole.json, "rows"), 0), 0)), sum);
        query_answer_drop(&whole);
    }
    assert_true(sum < N_PEOPLE); /* there were small cells */
}

static void figures(void **state)
{
    struct query_answer answer =
        ask("SELECT flag, avg(weight), sum(weight), count(weight), count(*) FROM \"h/police/person\" WHERE class = 'A' GROUP BY flag");
    assert_ok(answer.err);
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(answer.json, "rows"), i, row)
    {
        int64_t sum = 0, n = 0, n_all = 0;
        for (int street = -1; street < 5; street++) {
            int64_t one_sum = 0, one_n = 0, one_all = 0;
            for (size_t j = 0; j < N_PEOPLE; j++)
                if (people[j].street == street && people[j].class == 0 && people[j].flag == json_is_true(json_array_get(row, 0))) {
                    one_all++;
                    one_n += people[j].weight >= 0;
                    one_sum += people[j].weight >= 0 ? people[j].weight : 0;
                }
            n_all += one_all >= K ? one_all : 0;
            n += one_all >= K && one_n >= K ? one_n : 0;
            sum += one_all >= K && one_n >= K ? one_sum : 0;
        }
        assert_int_equal(json_integer_value(json_array_get(row, 2)), sum);
        assert_int_equal(json_integer_value(json_array_get(row, 3)), n);
        assert_int_equal(json_integer_value(json_array_get(row, 4)), n_all);
        assert_true(n == 0 || json_number_value(json_array_get(row, 1)) == (double)sum / (double)n);
    }
    assert_true(i > 0);
    query_answer_drop(&answer);
}

/* Rows, conditions on numbers, least and greatest of them, joins: none of it is a statistic. */
static void refused(void **state)
{
    static const struct {
        const char *sql;
        enum err err;
        int rule;
    } table[] = {
        {"SELECT weight FROM \"h/police/person\"", ERR_DENIED, 13},
        {"SELECT street FROM \"h/police/person\" LIMIT 1", ERR_DENIED, 13},
        {"SELECT count(*) FROM \"h/police/person\" WHERE weight > 50", ERR_RANGE, 0},
        {"SELECT count(*) FROM \"h/police/person\" GROUP BY weight", ERR_RANGE, 0},
        {"SELECT max(weight) FROM \"h/police/person\"", ERR_RANGE, 0},
        {"SELECT count(DISTINCT weight) FROM \"h/police/person\"", ERR_RANGE, 0},
        {"SELECT count(*) FROM \"h/police/person\" WHERE lower(street) = 'xixi'", ERR_DENIED, 13},
        {"SELECT count(*) FROM \"h/police/person\" a JOIN \"h/police/person\" b USING (street)", ERR_DENIED, 13},
        {"SELECT count(*) FROM (SELECT weight FROM \"h/police/person\")", ERR_DENIED, 13},
        {"SELECT count(*) FROM \"h/police/person\" WHERE street = 'nowhere'", ERR_DENIED, 13},
        {"SELECT group_concat(class) FROM \"h/police/person\"", ERR_DENIED, 13},
        {"SELECT count(*), weight FROM \"h/police/person\"", ERR_DENIED, 13},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct query_answer answer = ask(table[i].sql);
        if (answer.err != table[i].err || answer.rule != table[i].rule)
            fail_msg("%s: %s, rule %d: %s", table[i].sql, err_text(answer.err), answer.rule, answer.text);
    }
}

/* The cells are the day's: a person who comes does not show. */
static void the_day_is_one(void **state)
{
    struct condition all = {31, 15, 3};
    int64_t before = ask_count(&all);
    query_engine_sqlite.make(&query_city, "police", "INSERT INTO person VALUES (100000, 'gudang', 'A', FALSE, 1)");
    assert_int_equal(ask_count(&all), before);
}

/* ---- several rows a person ---- */

#define N_VISITS 4000

static struct visit {
    int ward, patient, fee; /* -1: NULL */
} visits[N_VISITS];

static void make_visits(void)
{
    struct buf sql;
    buf_init(&sql, 4u << 20);
    buf_append_c(&sql, "CREATE TABLE visit (id BIGINT, patient TEXT, ward TEXT, fee BIGINT);");
    for (size_t i = 0; i < N_VISITS; i++) { /* the higher the ward the fewer its patients, who come the more often */
        int ward = (int)draw(12);
        visits[i] = (struct visit){ward, draw(50) ? (int)draw((uint32_t)(30 - 2 * ward)) + 100 * ward : -1, draw(3) ? (int)draw(100) : -1};
        buf_printf(&sql, i % 100 ? ", " : "%sINSERT INTO visit VALUES ", i ? ";" : "");
        buf_printf(&sql, visits[i].patient < 0 ? "(%zu, NULL, 'w%d', " : "(%zu, 'p%d', 'w%d', ", i,
            visits[i].patient < 0 ? ward : visits[i].patient, ward);
        buf_printf(&sql, visits[i].fee < 0 ? "NULL)" : "%d)", visits[i].fee);
    }
    buf_append_byte(&sql, '\0');
    query_city_department(&query_engine_sqlite, "police", sql.ptr,
        "  - name: visit\n    title: {zh: 诊, en: Visits}\n    kind: table\n    subject: patient\n    bind: {table: visit}\n    fields:\n"
        "      - {name: id, type: integer, class: personal, key: true}\n      - {name: patient, type: text, class: secret}\n"
        "      - {name: ward, type: text, class: internal}\n      - {name: fee, type: integer, class: internal}\n");
    buf_finish(&sql);
}

/* People are counted, not rows: a ward of hundreds of visits by fewer than k patients is left out, and a sum that fewer than k may have. */
static void people_are_counted(void **state)
{
    random_state = (uint64_t)time(NULL) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    query_city_make();
    make_visits();
    query_city_contract(1, "police", "visit", "ward, fee", "min_subjects: 10\n");
    query_city_start();
    struct query_answer answer = ask("SELECT ward, count(*), sum(fee), count(fee) FROM \"h/police/visit\" GROUP BY ward");
    assert_ok(answer.err);
    size_t n_told = json_array_size(json_object_get(answer.json, "rows")), n_large = 0, n_crowded = 0;
    for (int ward = 0; ward < 12; ward++) {
        bool has_patient[2000] = {false};
        int64_t n_people = 0, n_rows = 0, n_fees = 0, fees = 0;
        for (size_t i = 0; i < N_VISITS; i++)
            if (visits[i].ward == ward) {
                n_rows++;
                n_fees += visits[i].fee >= 0;
                fees += visits[i].fee >= 0 ? visits[i].fee : 0;
                if (visits[i].patient >= 0 && !has_patient[visits[i].patient]) {
                    has_patient[visits[i].patient] = true;
                    n_people++;
                }
            }
        n_large += n_people >= K;
        n_crowded += n_people < K && n_rows >= K;
        char name[16];
        snprintf(name, sizeof name, "w%d", ward);
        size_t i;
        json_t *row, *found = NULL;
        json_array_foreach(json_object_get(answer.json, "rows"), i, row)
        {
            if (strcmp(json_string_value(json_array_get(row, 0)), name) == 0)
                found = row;
        }
        assert_int_equal(found != NULL, n_people >= K);
        if (!found)
            continue;
        assert_int_equal(json_integer_value(json_array_get(found, 1)), n_rows);
        bool is_told = n_people - (n_rows - n_fees) >= K;
        assert_int_equal(json_integer_value(json_array_get(found, 2)), is_told ? fees : 0);
        assert_int_equal(json_integer_value(json_array_get(found, 3)), is_told ? n_fees : 0);
    }
    query_answer_drop(&answer);
    assert_int_equal(n_told, n_large);
    assert_true(n_large > 0 && n_crowded > 0);
    assert_int_not_equal(ask("SELECT count(DISTINCT patient) FROM \"h/police/visit\"").err, ERR_OK); /* whose they are nobody learns */
    assert_int_not_equal(ask("SELECT count(*) FROM \"h/police/visit\" WHERE patient = 'p1'").err, ERR_OK);
    query_city_finish();
}

/* Two sets of cells of the same rows would tell what each leaves out. */
static void two_contracts_tell_no_more_than_one(void **state)
{
    query_city_make();
    make_visits();
    query_city_contract(1, "police", "visit", "fee", "min_subjects: 10\n");
    query_city_contract(2, "police", "visit", "ward, fee", "min_subjects: 10\n");
    query_city_start();
    for (int i = 0; i < 2; i++) {
        struct query_answer answer =
            ask(i ? "SELECT ward, sum(fee) FROM \"h/police/visit\" GROUP BY ward" : "SELECT sum(fee) FROM \"h/police/visit\"");
        assert_err(answer.err, ERR_RANGE);
        assert_non_null(strstr(answer.text, "would together tell"));
    }
    query_city_finish();
}

/* ---- one contract after another ---- */

#define DAY_MS INT64_C(86400000)

static const char *const succeeding[] = {"fee", "ward, fee"}; /* all rows are one cell; each ward is one */

static void write_contract(int number, const char *fields, const char *state)
{
    char file[64], text[1024];
    snprintf(file, sizeof file, "contracts/c-%d.yaml", number);
    snprintf(text, sizeof text,
        "contract: h/c-%d\nprovider: h/police\nconsumer: h/parking\nresource: h/police/visit\nuses: [query]\nfields: [%s]\n"
        "purpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: %s\n"
        "min_subjects: 10\n",
        number, fields, state);
    fake_city_write(&query_city, file, text);
}

/* The rows that the contract in force tells of altogether; -1: refused, as `err` says. */
static int64_t told_rows(enum err err)
{
    struct query_answer answer = ask("SELECT count(*) FROM \"h/police/visit\"");
    if (answer.err != err)
        fail_msg("%s: %s", err_text(answer.err), answer.text);
    assert_err(answer.err, err);
    if (err)
        return -1;
    int64_t n = json_integer_value(json_array_get(json_array_get(json_object_get(answer.json, "rows"), 0), 0));
    query_answer_drop(&answer);
    return n;
}

/* h/c-1 was asked today and ends; h/c-2 begins, in the running hub or over a restart. */
static void succeed(const char *fields, bool is_restart)
{
    assert_ok(fake_city_step(&query_city, "h/c-1", NEGOTIATE_REVOKE));
    if (is_restart) {
        fake_city_unload(&query_city);
        write_contract(1, "fee", "ended");
        write_contract(2, fields, "agreed");
        query_city_start();
    } else {
        assert_ok(fake_city_step(&query_city, "h/c-2", NEGOTIATE_RESUME));
    }
}

/* The tracker that waits for the successor: what the whole city's cell has more than the wards' cells together is the visits of wards with
 * fewer than k patients. On one day it hears one of the two, whichever is first, in one life of the hub or in two. */
static void succession_is_no_tracker(void **state)
{
    for (int round = 0; round < 8; round++) {
        bool is_restart = round & 1, is_same = round & 4;
        const char *first = succeeding[round >> 1 & 1], *second = is_same ? first : succeeding[!(round >> 1 & 1)];
        query_city_make();
        query_city.real_clock = NULL; /* days pass */
        make_visits();
        write_contract(1, first, "agreed");
        write_contract(2, second, "suspended");
        query_city_start();
        int64_t n = told_rows(ERR_OK);
        succeed(second, is_restart);
        if (is_same) {
            assert_int_equal(told_rows(ERR_OK), n);
            query_city_finish();
            continue;
        }
        for (int i = 0; i < 3; i++)
            told_rows(ERR_RANGE);
        clock_fake_advance_ms(&query_city.clock, -2 * DAY_MS); /* no clock wins it back */
        told_rows(ERR_RANGE);
        clock_fake_advance_ms(&query_city.clock, 3 * DAY_MS);
        int64_t n_next = told_rows(ERR_OK);
        assert_int_not_equal(n_next, n); /* the attack was worth it */
        query_city_finish();
    }
}

/* A department's own process (system/bus), which the hub asks for the cells: it holds k itself, whatever it is asked. */
static bool is_fetched;
static void on_fetched(struct hub_fetch *fetch)
{
    is_fetched = true;
}

static enum err provide(struct hub_fetch *fetch, const struct sql_output *outputs, size_t n)
{
    struct hub_contract_info info;
    assert_true(hub_contract_find(query_city.hub, STR("h/c-1"), &info));
    fetch->outputs = outputs;
    fetch->n_outputs = n;
    fetch->n_rows_max = 20000;
    fetch->n_bytes_max = 1u << 20;
    fetch->loop = query_city.loop;
    fetch->done = on_fetched;
    is_fetched = false;
    enum err err =
        hub_provide_fetch(query_city.hub, STR("h/c-1"), info.hash, hub_resource_find(query_city.hub, STR("h/police/person")), fetch);
    for (int i = 0; i < 1000 && !err && !is_fetched; i++)
        assert_ok(loop_run_once(query_city.loop, 10));
    return err ? err : fetch->err;
}

static void the_department_holds_k_itself(void **state)
{
    enum { ID, STREET, CLASS, FLAG, WEIGHT };
    static const struct sql_output all[] = {
        {STREET, SQL_PLAIN}, {CLASS, SQL_PLAIN}, {FLAG, SQL_PLAIN}, {0, SQL_COUNT_ALL}, {WEIGHT, SQL_SUM}, {WEIGHT, SQL_COUNT}};
    static const struct sql_output rows[] = {{STREET, SQL_PLAIN}, {CLASS, SQL_PLAIN}}, count[] = {{0, SQL_COUNT_ALL}};
    const struct value class = value_text(STR("D"));
    const struct sql_constraint where = {.column = CLASS, .op = SQL_EQ, .n_values = 1, .values = &class};
    struct hub_fetch fetch = {0}, again = {0};
    assert_err(provide(&fetch, rows, 2), ERR_DENIED);
    assert_err(provide(&fetch, count, 1), ERR_DENIED);
    assert_err(provide(&fetch, all, 5), ERR_DENIED); /* not all the cells */
    fetch.where = &where;
    fetch.n_where = 1;
    assert_err(provide(&fetch, all, 6), ERR_DENIED); /* a part of the people */
    fetch.n_where = 0;
    assert_ok(provide(&fetch, all, 6));
    size_t n_cells = 0;
    for (size_t i = 0; i < 6 * 5 * 3; i++)
        n_cells += (&cells[0][0][0])[i] >= K;
    assert_int_equal(rows_n(fetch.rows), n_cells);
    for (size_t i = 0; i < rows_n(fetch.rows); i++)
        assert_true(rows_at(fetch.rows, i)[3].i >= K);
    assert_ok(provide(&again, all, 6)); /* the same ones, all day */
    assert_ptr_equal(again.rows, fetch.rows);
    rows_release(again.rows);
    rows_release(fetch.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(trackers_isolate_nobody, make, finish),
        cmocka_unit_test_setup_teardown(groups_add_up, make, finish),
        cmocka_unit_test_setup_teardown(figures, make, finish),
        cmocka_unit_test_setup_teardown(refused, make, finish),
        cmocka_unit_test_setup_teardown(the_day_is_one, make, finish),
        cmocka_unit_test_setup_teardown(the_department_holds_k_itself, make, finish),
        cmocka_unit_test(people_are_counted),
        cmocka_unit_test(two_contracts_tell_no_more_than_one),
        cmocka_unit_test(succession_is_no_tracker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
