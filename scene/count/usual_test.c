/* The usual day: kinds of day, the robust baseline under wild days, hysteresis and duration as a table, bounded memory, and what survives.
 */
#include "scene/count/usual.h"

#include "base/mem.h"
#include "scene/count/city_testing.h"

#include <string.h>

#define DAY_MS 86400000ll
#define MONDAY 1795363200000 /* 2026-11-23T00:00+08:00 less 8 h: 2026-11-22T16:00Z */
#define TICK_MS 30000

static const char rules_yaml[] =
    "days:\n  - {day: work, title: {zh: 工作日, en: Working days}, weekdays: [mon, tue, wed, thu, fri], dates: [2026-11-29]}\n"
    "  - {day: rest, title: {zh: 休息日, en: Days off}, weekdays: [sat, sun], dates: [2026-11-24, 2027-01-01]}\n"
    "least_days: 5\nbegin: 4\nend: 2\nleast_spread: 0.1\nlasts: 10min\nalerts_at: district\n";

struct rules {
    struct yaml *yaml;
    struct count_usual_rules rules;
};

static void read_rules(struct rules *r, const char *text)
{
    struct diag_list diags = {.n = 0};
    assert_ok(yaml_load_str(str_from_c(text), "u.yaml", &diags, &r->yaml));
    if (count_usual_read(yaml_root(r->yaml), &diags, &r->rules) != ERR_OK)
        fail_msg("%s", diags.diags[0].text);
}

static void days_have_kinds(void **state)
{
    static const struct {
        int64_t at_ms;
        uint8_t kind;
    } rows[] = {
        {MONDAY, 0}, {MONDAY - 1, 1}, /* the last moment of Sunday */
        {MONDAY + DAY_MS, 1},         /* 24 November, a holiday here */
        {MONDAY + 2 * DAY_MS - 1, 1}, /* to its end */
        {MONDAY + 2 * DAY_MS, 0},     /* Wednesday */
        {MONDAY + 5 * DAY_MS, 1},     /* Saturday */
        {MONDAY + 6 * DAY_MS, 0},     /* 29 November, a Sunday that is worked */
        {MONDAY + 39 * DAY_MS, 1},    /* 1 January 2027, a Friday */
    };
    struct rules r;
    read_rules(&r, rules_yaml);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (count_usual_kind(&r.rules, rows[i].at_ms, TIME_ZONE_SHANGHAI) != rows[i].kind)
            fail_msg("row %zu", i);
    yaml_destroy(r.yaml);
}

/* One quarter of an hour on a day, key 0 at this index all the time. */
static void live_slot(struct count_usual *usual, int64_t from_ms, double value)
{
    for (int64_t t = 0; t < COUNT_SLOT_MS; t += TICK_MS) {
        count_usual_begin(usual, from_ms + t);
        count_usual_take(usual, 0, value);
    }
    count_usual_begin(usual, from_ms + COUNT_SLOT_MS);
}

static double random_unit(uint64_t *seed)
{
    return (double)(random_next(seed) % 1000000) / 1e6;
}

/* 30 % of the days are wild, by any amount and in any order: the usual stays within the quiet days' own spread. */
static void wild_days_do_not_move_it(void **state)
{
    struct rules r;
    uint64_t seed = 0x5eed1;
    read_rules(&r, rules_yaml);
    print_message("seed %#llx\n", (unsigned long long)seed);
    for (int round = 0; round < TEST_TIMES(200); round++) {
        struct count_usual *usual;
        double quiet = 1 + 2 * random_unit(&seed), noise = 0.1 * random_unit(&seed);
        assert_ok(count_usual_create(&r.rules, 1, TIME_ZONE_SHANGHAI, &usual));
        int n_days = 10 + (int)(random_next(&seed) % 11), n_wild = 0;
        for (int day = 0; day < n_days; day++) {
            int since = day < COUNT_USUAL_DAYS ? day + 1 : COUNT_USUAL_DAYS;
            /* At most 30 % of those that are remembered, wherever they fall. */
            bool is_wild = random_unit(&seed) < 0.5 && (n_wild + 1) * 10 <= 3 * since && (n_days - day) > 0;
            n_wild += is_wild;
            double value = is_wild ? 60 * random_unit(&seed) : quiet * (1 + noise * (2 * random_unit(&seed) - 1));
            live_slot(usual, MONDAY + (7 * day + 2) * DAY_MS + 8 * 3600000, value); /* Wednesdays at 8 */
        }
        count_usual_begin(usual, MONDAY + (7 * n_days + 2) * DAY_MS + 8 * 3600000);
        struct count_usual_now now = count_usual_look(usual, 0);
        assert_int_equal(now.n_days, n_days < COUNT_USUAL_DAYS ? n_days : COUNT_USUAL_DAYS);
        if (!(fabs(now.usual - quiet) <= noise * quiet + 0.002))
            fail_msg("round %d: %d of %d days wild, usual %.3f of %.3f", round, n_wild, n_days, now.usual, quiet);
        assert_true(now.spread >= 0.099 * now.usual && now.spread < 0.4 * quiet);
        count_usual_destroy(usual);
    }
    yaml_destroy(r.yaml);
}

/* Learns `n` Wednesdays with index 2 at 8 o'clock; afterwards it is 8 o'clock on the next. */
static int64_t learned(struct count_usual *usual, int n)
{
    for (int day = 0; day < n; day++)
        live_slot(usual, MONDAY + (7 * day + 2) * DAY_MS + 8 * 3600000, 2);
    return MONDAY + (7 * n + 2) * DAY_MS + 8 * 3600000;
}

/* One quarter was learned by a clock years ahead, and it is in the store: once the clock is right, learning goes on, and it is told. A
 * clock that is set back by less than a day waits, as it would learn the same day twice. */
static void a_clock_years_ahead_does_not_end_learning(void **state)
{
    static const struct {
        int64_t ahead_ms;
        bool is_forgotten;
    } rows[] = {{5 * 365 * DAY_MS, true}, {DAY_MS + 4 * COUNT_SLOT_MS, true}, {DAY_MS / 2, false}};
    struct rules r;
    read_rules(&r, rules_yaml);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t at = MONDAY + 2 * DAY_MS + 8 * 3600000;
        struct count_usual *wrong, *usual;
        assert_ok(count_usual_create(&r.rules, 1, TIME_ZONE_SHANGHAI, &wrong));
        live_slot(wrong, at + rows[i].ahead_ms, 2);
        assert_ok(count_usual_create(&r.rules, 1, TIME_ZONE_SHANGHAI, &usual));
        count_usual_set_learned(usual, count_usual_learned_ms(wrong));
        for (int again = 0; again < 2; again++) { /* after a restart, and in the process that was ahead itself */
            struct count_usual *one = again == 0 ? usual : wrong;
            assert_int_equal(count_usual_begin(one, at).was_ahead, rows[i].is_forgotten);
            live_slot(one, at, 3);
            uint16_t values[COUNT_USUAL_DAYS];
            size_t n = count_usual_cell(one, 0, 0, 32, values);
            assert_int_equal(n, (again == 1 && rows[i].ahead_ms % DAY_MS == 0) + rows[i].is_forgotten);
            assert_true(!rows[i].is_forgotten || count_usual_learned_ms(one) == at + COUNT_SLOT_MS);
        }
        count_usual_destroy(wrong);
        count_usual_destroy(usual);
    }
    yaml_destroy(r.yaml);
}

static void nothing_is_said_before_enough_days(void **state)
{
    struct rules r;
    read_rules(&r, rules_yaml);
    for (int n = 0; n < 8; n++) {
        struct count_usual *usual;
        assert_ok(count_usual_create(&r.rules, 1, TIME_ZONE_SHANGHAI, &usual));
        int64_t at = learned(usual, n);
        bool was_changed = false;
        for (int64_t t = 0; t < COUNT_SLOT_MS; t += TICK_MS) {
            count_usual_begin(usual, at + t);
            was_changed |= count_usual_take(usual, 0, 9).is_changed;
        }
        struct count_usual_now now = count_usual_look(usual, 0);
        assert_int_equal(now.n_days, n);
        assert_int_equal(now.state, n < 5 ? COUNT_LEARNING : COUNT_SLOWER);
        assert_int_equal(was_changed, n >= 5);
        assert_int_equal(isnan(now.usual), n < 5);
        /* The next quarter is not known. */
        count_usual_begin(usual, at + COUNT_SLOT_MS);
        assert_true(isnan(count_usual_look(usual, 0).usual));
        count_usual_destroy(usual);
    }
    yaml_destroy(r.yaml);
}

/* Median 2, spread 0.2: abnormal from 2.8 (or 1.2), usual again below 2.4 (above 1.6). Phases of minutes at an index; NAN: not observed. */
struct course {
    struct {
        int minutes;
        double value;
    } phases[6];
    enum count_usual_state state; /* at the end */
    int since_minute;             /* of an abnormal one */
    int n_changes;
};

static const struct course courses[] = {
    {{{14, 2.0}}, COUNT_USUAL, 0, 0}, {{{14, 2.7}}, COUNT_USUAL, 0, 0}, /* high, not outside */
    {{{9, 9.0}, {5, 2.0}}, COUNT_USUAL, 0, 0},                          /* outside, not for long enough */
    {{{14, 9.0}}, COUNT_SLOWER, 0, 1}, {{{2, 2.0}, {12, 3.0}}, COUNT_SLOWER, 2, 1},
    {{{5, 9.0}, {1, 2.5}, {8, 9.0}}, COUNT_SLOWER, 0, 1}, /* between end and begin it goes on */
    {{{5, 9.0}, {1, 2.2}, {8, 9.0}}, COUNT_USUAL, 0, 0},  /* within the end it begins anew */
    {{{11, 9.0}, {3, 2.5}}, COUNT_SLOWER, 0, 1},          /* not back */
    {{{11, 9.0}, {3, 2.0}}, COUNT_SLOWER, 0, 1},          /* back, not for long enough */
    {{{14, 1.0}}, COUNT_FASTER, 0, 1},
    {{{5, 9.0}, {5, 1.0}, {4, 9.0}}, COUNT_USUAL, 0, 0}, /* out on one side, then on the other: twice begun */
    {{{5, 9.0}, {2, NAN}, {7, 9.0}}, COUNT_USUAL, 0, 0}, /* not seen is not "all the time" */
    {{{11, 9.0}, {3, NAN}}, COUNT_SLOWER, 0, 1},         /* not seen ends nothing */
};

static void it_takes_long_enough_and_ends_nearer(void **state)
{
    struct rules r;
    read_rules(&r, rules_yaml);
    for (size_t i = 0; i < sizeof(courses) / sizeof(courses[0]); i++) {
        struct count_usual *usual;
        assert_ok(count_usual_create(&r.rules, 1, TIME_ZONE_SHANGHAI, &usual));
        int64_t at = learned(usual, 6), t = at;
        int n_changes = 0;
        for (int p = 0; p < 6; p++)
            for (int64_t end = t + courses[i].phases[p].minutes * 60000; t < end; t += TICK_MS) {
                count_usual_begin(usual, t);
                if (!isnan(courses[i].phases[p].value))
                    n_changes += count_usual_take(usual, 0, courses[i].phases[p].value).is_changed;
            }
        struct count_usual_now now = count_usual_look(usual, 0);
        if (now.state != courses[i].state || n_changes != courses[i].n_changes ||
            (now.state != COUNT_USUAL && now.since_ms != at + courses[i].since_minute * 60000))
            fail_msg("course %zu: %s, %d changes", i, count_usual_state_names[now.state], n_changes);
        count_usual_destroy(usual);
    }
    yaml_destroy(r.yaml);
}

/* What began in one quarter ends in the next only where that one is known, too. */
static void an_abnormal_road_is_back_when_measured(void **state)
{
    struct rules r;
    struct count_usual *usual;
    read_rules(&r, rules_yaml);
    assert_ok(count_usual_create(&r.rules, 1, TIME_ZONE_SHANGHAI, &usual));
    for (int day = 0; day < 6; day++)
        for (int slot = 0; slot < 2; slot++)
            live_slot(usual, MONDAY + (7 * day + 2) * DAY_MS + 8 * 3600000 + slot * COUNT_SLOT_MS, 2 + slot);
    int64_t at = MONDAY + (7 * 6 + 2) * DAY_MS + 8 * 3600000;
    int64_t ended = 0;
    for (int64_t t = 0; t < 2 * COUNT_SLOT_MS; t += TICK_MS) {
        count_usual_begin(usual, at + t);
        struct count_usual_now now = count_usual_take(usual, 0, 3);
        if (now.is_changed && now.state == COUNT_USUAL)
            ended = t;
        else if (now.is_changed)
            assert_int_equal(t, 600000);
    }
    assert_int_equal(ended, COUNT_SLOT_MS + 600000); /* 3 is what the second quarter has */
    count_usual_destroy(usual);
    yaml_destroy(r.yaml);
}

static void memory_is_bounded(void **state)
{
    struct rules r;
    struct count_usual *usual;
    read_rules(&r, rules_yaml);
    uint32_t n_keys = COUNT_USUAL_BLOCKS_MAX + 100;
    assert_ok(count_usual_create(&r.rules, n_keys, TIME_ZONE_SHANGHAI, &usual));
    size_t empty = count_usual_bytes(usual);
    uint16_t value = 1500;
    uint32_t n_full = 0;
    for (uint32_t i = 0; i < n_keys; i++)
        for (uint8_t slot = 0; slot < COUNT_SLOTS; slot += 32)
            n_full += count_usual_put(usual, i, 0, slot, &value, 1) == ERR_FULL;
    assert_int_equal(n_full, 3 * 100);
    assert_true(count_usual_bytes(usual) - empty == (size_t)COUNT_USUAL_BLOCKS_MAX * COUNT_SLOTS * 32);
    /* However many days come, a cell keeps the last. */
    for (uint16_t day = 0; day < 1000; day++)
        assert_ok(count_usual_put(usual, 0, 0, 0, &day, 1));
    uint16_t values[COUNT_USUAL_DAYS];
    assert_int_equal(count_usual_cell(usual, 0, 0, 0, values), COUNT_USUAL_DAYS);
    for (int i = 0; i < COUNT_USUAL_DAYS; i++)
        assert_int_equal(values[i], 1000 - COUNT_USUAL_DAYS + i);
    count_usual_destroy(usual);
    yaml_destroy(r.yaml);
}

/* The same events give the same answers; what a store would keep, put into another, gives them, too. */
static void it_repeats_and_survives(void **state)
{
    struct rules r;
    struct count_usual *one, *two, *three;
    uint64_t seed = 0xabc;
    read_rules(&r, rules_yaml);
    print_message("seed %#llx\n", (unsigned long long)seed);
    assert_ok(count_usual_create(&r.rules, 3, TIME_ZONE_SHANGHAI, &one));
    assert_ok(count_usual_create(&r.rules, 3, TIME_ZONE_SHANGHAI, &two));
    assert_ok(count_usual_create(&r.rules, 3, TIME_ZONE_SHANGHAI, &three));
    int64_t t = MONDAY + 7 * 3600000;
    for (int day = 0; day < 14; day++)
        for (int64_t end = t + (day < 13 ? DAY_MS : 8 * 60000); t < end; t += (t / 3600000) % 24 == 0 ? TICK_MS : 600000) {
            struct count_usual_slot a = count_usual_begin(one, t), b = count_usual_begin(two, t);
            assert_memory_equal(&a, &b, sizeof(a));
            for (uint32_t key = 0; key < 3; key++) {
                double value = 1 + random_unit(&seed) * (key == 2 ? 5 : 0.2);
                struct count_usual_now x = count_usual_take(one, key, value), y = count_usual_take(two, key, value);
                assert_true(x.state == y.state && x.since_ms == y.since_ms && (x.usual == y.usual || (isnan(x.usual) && isnan(y.usual))));
            }
        }
    uint16_t values[COUNT_USUAL_DAYS];
    size_t n_cells = 0;
    for (uint32_t key = 0; key < 3; key++)
        for (uint8_t kind = 0; kind < 2; kind++)
            for (uint8_t slot = 0; slot < COUNT_SLOTS; slot++) {
                size_t n = count_usual_cell(one, key, kind, slot, values);
                assert_ok(count_usual_put(three, key, kind, slot, values, n));
                n_cells += n > 0;
            }
    assert_true(n_cells > 0);
    assert_true(count_usual_learned_ms(three) == INT64_MIN && count_usual_learned_ms(one) % COUNT_SLOT_MS == 0);
    count_usual_set_learned(three, count_usual_learned_ms(one));
    assert_int_equal(count_usual_learned_ms(three), count_usual_learned_ms(one));
    count_usual_begin(three, t);
    count_usual_begin(one, t);
    for (uint32_t key = 0; key < 3; key++) {
        struct count_usual_now x = count_usual_look(one, key), y = count_usual_look(three, key);
        assert_true(x.n_days == y.n_days && (x.usual == y.usual || (isnan(x.usual) && isnan(y.usual))));
    }
    /* A road that was slower when the process ended still is. */
    count_usual_restore(three, 1, COUNT_SLOWER, t - 5);
    assert_int_equal(count_usual_look(three, 1).state, COUNT_SLOWER);
    assert_int_equal(count_usual_look(three, 1).since_ms, t - 5);
    count_usual_destroy(one);
    count_usual_destroy(two);
    count_usual_destroy(three);
    yaml_destroy(r.yaml);
}

/* A clock that is set back learns no quarter twice; one that is not half observed is not learned. */
static void a_quarter_is_learned_once_and_whole(void **state)
{
    struct rules r;
    struct count_usual *usual;
    uint16_t values[COUNT_USUAL_DAYS];
    read_rules(&r, rules_yaml);
    assert_ok(count_usual_create(&r.rules, 1, TIME_ZONE_SHANGHAI, &usual));
    live_slot(usual, MONDAY, 2);
    assert_int_equal(count_usual_cell(usual, 0, 0, 0, values), 1);
    live_slot(usual, MONDAY, 3);
    assert_int_equal(count_usual_cell(usual, 0, 0, 0, values), 1);
    assert_int_equal(values[0], 2000);
    for (int64_t t = 0; t < COUNT_SLOT_MS; t += TICK_MS) {
        count_usual_begin(usual, MONDAY + COUNT_SLOT_MS + t);
        if (t < COUNT_SLOT_MS / 2 - TICK_MS)
            count_usual_take(usual, 0, 2);
    }
    count_usual_begin(usual, MONDAY + 2 * COUNT_SLOT_MS);
    assert_int_equal(count_usual_cell(usual, 0, 0, 1, values), 0);
    count_usual_destroy(usual);
    yaml_destroy(r.yaml);
}

static void mistakes_are_told_with_their_place(void **state)
{
    static const struct {
        const char *old, *new, *says;
    } rows[] = {
        {"least_days: 5", "least_days: 1", "u.yaml:4: "},
        {"begin: 4", "begin: 2", "u.yaml:5: begin is 2 and end 2 spreads"},
        {"least_spread: 0.1", "least_spread: 0", "u.yaml:7: least_spread is a share of the median"},
        {"lasts: 10min", "lasts: 1s", "u.yaml:8: lasts must be from 1min to 4h"},
        {"alerts_at: district", "alerts: x", "alerts_at"},
        {"[sat, sun]", "[sat, sonday]", "u.yaml:3: \"sonday\" is no weekday"},
        {"[sat, sun]", "[sat, mon]", "mon is a day of \"work\" already"},
        {"[sat, sun]", "[sat]", "sun belongs to no kind of day"},
        {"2027-01-01", "2027-13-01", "\"2027-13-01\" is no date"},
        {"2027-01-01", "2026-11-29", "2026-11-29 is there twice"},
        {"day: rest", "dya: rest", "u.yaml:3: \"dya\" is not a key here"},
        {"title: {zh: 休息日, en: Days off}, ", "", "title needs words in both languages"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1024];
        const char *at = strstr(rules_yaml, rows[i].old);
        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - rules_yaml), rules_yaml, rows[i].new, at + strlen(rows[i].old));
        struct diag_list diags = {.n = 0};
        struct yaml *yaml;
        struct count_usual_rules rules;
        assert_ok(yaml_load_str(str_from_c(text), "u.yaml", NULL, &yaml));
        assert_int_not_equal(count_usual_read(yaml_root(yaml), &diags, &rules), ERR_OK);
        bool is_said = false;
        for (size_t k = 0; k < diags.n; k++)
            is_said |= strstr(diags.diags[k].text, rows[i].says) != NULL;
        if (!is_said)
            fail_msg("row %zu: \"%s\"", i, diags.n > 0 ? diags.diags[0].text : "");
        yaml_destroy(yaml);
    }
}

static void memory_may_fail_anywhere(void **state)
{
    struct rules r;
    read_rules(&r, rules_yaml);
    for (uint64_t nth = 1;; nth++) {
        int64_t before = mem_n_live();
        struct count_usual *usual = NULL;
        mem_fail_nth(nth);
        enum err err = count_usual_create(&r.rules, 2, TIME_ZONE_SHANGHAI, &usual);
        if (err == ERR_OK)
            live_slot(usual, MONDAY, 2);
        mem_fail_nth(0);
        if (err == ERR_OK && nth == 4) /* the day was not learned, and counted; the next is */
            assert_int_equal(count_usual_n_unlearned(usual), 1);
        count_usual_destroy(usual);
        assert_int_equal(mem_n_live(), before);
        if (nth > 6)
            break;
    }
    yaml_destroy(r.yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_have_kinds),
        cmocka_unit_test(wild_days_do_not_move_it),
        cmocka_unit_test(a_clock_years_ahead_does_not_end_learning),
        cmocka_unit_test(nothing_is_said_before_enough_days),
        cmocka_unit_test(it_takes_long_enough_and_ends_nearer),
        cmocka_unit_test(an_abnormal_road_is_back_when_measured),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(it_repeats_and_survives),
        cmocka_unit_test(a_quarter_is_learned_once_and_whole),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
