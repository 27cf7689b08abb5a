/* The rules of reconciliation, a row each, and what holds whatever happens: under a seed, against the truth. */
#include "hub/reconcile.h"

#include "base/mem.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HUB_SESSION (UINT64_C(2000) << 32 | 7)
#define CLERK_SESSION (UINT64_C(2000) << 32 | 8)

static struct reconcile *core;
static struct reconcile_options options;
static int64_t now;
static uint64_t statement;

static void begin(void)
{
    reconcile_destroy(core);
    now = INT64_C(1000000000000);
    statement = 0;
    options.start_ms = now;
    assert_ok(reconcile_create(&options, &core));
}

static int make(void **state)
{
    (void)state;
    options = (struct reconcile_options){.n_own = 0};
    begin();
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    reconcile_destroy(core);
    core = NULL;
    return mem_n_live() == 0 ? 0 : 1;
}

static void tell(enum reconcile_what what, uint64_t session, uint64_t n, uint64_t n_maybe)
{
    const struct reconcile_event event = {.what = what, .session = session, .n = n, .n_maybe = n_maybe};
    reconcile_step(core, &event, now);
}

static void line(uint64_t session, const char *role, const char *table, uint64_t number, uint64_t of)
{
    struct hub_audit_line read = {.what = HUB_AUDIT_READ, .session = session, .number = number, .statement = of, .database = "d"};
    snprintf(read.role, sizeof read.role, "%s", role);
    snprintf(read.address, sizeof read.address, "10.0.0.9");
    snprintf(read.table, sizeof read.table, "%s", table);
    const struct reconcile_event event = {.what = RECONCILE_LINE, .line = &read};
    reconcile_step(core, &event, now);
}

static void reads(uint64_t session, const char *role)
{
    line(session, role, "vehicle", 0, ++statement);
}

static void pass(int64_t ms)
{
    for (int64_t end = now + ms; now < end;) {
        now += 250;
        tell(RECONCILE_TICK, 0, 0, 0);
    }
}

/* What is new since the last time: "foreign clerk vehicle 3;", in the order of the findings. */
static const char *found(void)
{
    static const char *const kinds[] = {"foreign", "unseen", "silent", "gap", "unreadable"};
    static char text[2000];
    size_t n = 0;
    text[0] = '\0';
    for (const struct reconcile_finding *finding; (finding = reconcile_take(core)) != NULL;)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%s%s%s %d%s;", kinds[finding->kind], finding->role[0] ? " " : "",
            finding->role, finding->table[0] ? " " : "", finding->table, (int)finding->n, finding->is_green ? " green" : "");
    return text;
}

static void the_hubs_own_reads_are_not_told(void **state)
{
    (void)state;
    tell(RECONCILE_OPENED, HUB_SESSION, 0, 0); /* 1 */
    reads(HUB_SESSION, "hub");                 /* the line first, then what the hub says: 3, 2 */
    tell(RECONCILE_OWN, HUB_SESSION, 1, 0);
    tell(RECONCILE_OWN, HUB_SESSION, 2, 0); /* the other way round */
    reads(HUB_SESSION, "hub");
    reads(HUB_SESSION, "hub");
    line(HUB_SESSION, "hub", "owner", 0, statement); /* another table of the same statement */
    pass(60000);
    assert_string_equal(found(), "");
}

static void a_foreign_read_is_told_at_once(void **state)
{
    (void)state;
    tell(RECONCILE_OPENED, HUB_SESSION, 0, 0);
    reads(CLERK_SESSION, "clerk"); /* 4 */
    assert_string_equal(found(), "foreign clerk vehicle 1;");
    reads(CLERK_SESSION, "clerk");
    line(CLERK_SESSION, "clerk", "vehicle", 0, statement); /* the same statement once more: a join of a table with itself */
    line(CLERK_SESSION, "clerk", "owner", 0, statement);
    assert_string_equal(found(), "foreign clerk vehicle 2;foreign clerk owner 1;");
    reads(CLERK_SESSION + 1, "hub"); /* the hub's role alone makes nobody the hub */
    assert_string_equal(found(), "foreign hub vehicle 1;");
}

static void roles_and_tables_of_the_file(void **state)
{
    static const struct str roles[] = {STR_INIT("register"), STR_INIT("backup")}, tables[] = {STR_INIT("vehicle")};
    (void)state;
    options = (struct reconcile_options){.own = roles, .n_own = 2, .tables = tables, .n_tables = 1, .database = STR("d")};
    begin();
    reads(CLERK_SESSION, "register");
    reads(CLERK_SESSION, "backup");
    line(CLERK_SESSION, "clerk", "canteen", 0, ++statement);
    assert_string_equal(found(), "");
    reads(CLERK_SESSION, "clerk");
    assert_string_equal(found(), "foreign clerk vehicle 1;");
    options.database = STR("e");
    reads(CLERK_SESSION, "clerk");
    assert_string_equal(found(), "");
}

static void one_read_too_many_in_a_session_of_the_hubs(void **state)
{
    (void)state;
    tell(RECONCILE_OPENED, HUB_SESSION, 0, 0);
    tell(RECONCILE_OWN, HUB_SESSION, 2, 0);
    reads(HUB_SESSION, "hub");
    reads(HUB_SESSION, "hub");
    reads(HUB_SESSION, "hub");
    pass(RECONCILE_WAIT_MS - 500);
    assert_string_equal(found(), "");
    pass(1000);
    assert_string_equal(found(), "foreign hub vehicle 1;"); /* 3, its end */
}

static void what_may_have_run(void **state)
{
    (void)state;
    tell(RECONCILE_OPENED, HUB_SESSION, 0, 0);
    tell(RECONCILE_OWN, HUB_SESSION, 0, 2); /* timed out, cut off: 2 */
    reads(HUB_SESSION, "hub");
    pass(60000);
    assert_string_equal(found(), "");
    reads(HUB_SESSION, "hub"); /* too late for the other one */
    pass(60000);
    assert_string_equal(found(), "foreign hub vehicle 1;");
}

static void a_use_that_is_not_in_the_audit(void **state)
{
    (void)state;
    tell(RECONCILE_OPENED, HUB_SESSION, 0, 0);
    tell(RECONCILE_OWN, HUB_SESSION, 5, 0);
    reads(HUB_SESSION, "hub");
    reads(HUB_SESSION, "hub");
    pass(RECONCILE_WAIT_MS + 500);
    assert_string_equal(found(), "unseen 3;"); /* 5 */
}

static void sessions_of_an_earlier_run(void **state)
{
    (void)state;
    tell(RECONCILE_FORMER, HUB_SESSION, 0, 0);
    reads(HUB_SESSION, "hub");
    pass(60000);
    assert_string_equal(found(), "");
}

static void sessions_that_ended(void **state)
{
    (void)state;
    tell(RECONCILE_OPENED, HUB_SESSION, 0, 0);
    tell(RECONCILE_OWN, HUB_SESSION, 1, 0);
    tell(RECONCILE_CLOSED, HUB_SESSION, 0, 0);
    reads(HUB_SESSION, "hub"); /* its line comes late */
    pass(RECONCILE_ENDED_MS + 1000);
    assert_string_equal(found(), "");
    reads(HUB_SESSION, "hub"); /* nobody's any more */
    assert_string_equal(found(), "foreign hub vehicle 1;");
}

static void a_server_that_was_started_again(void **state)
{
    (void)state;
    tell(RECONCILE_FORMER, 5, 0, 0);
    tell(RECONCILE_OPENED, 6, 0, 0);
    statement = 5000;
    reads(5, "hub"); /* read late */
    tell(RECONCILE_OWN, 6, 1, 0);
    reads(6, "hub");
    assert_string_equal(found(), "");
    statement = 1;
    reads(5, "clerk"); /* 9: the number of the connection is somebody else's now */
    assert_string_equal(found(), "foreign clerk vehicle 1;");
    tell(RECONCILE_OWN, 6, 1, 0); /* the hub's own new one, opened before that line was read */
    reads(6, "hub");
    pass(60000);
    assert_string_equal(found(), "");
}

static void missing_lines(void **state)
{
    uint64_t young = (uint64_t)(now / 1000 + 3600) << 32 | 9, old = (uint64_t)(now / 1000 - 3600) << 32 | 10;
    (void)state;
    line(old, "clerk", "vehicle", 70, 1); /* it began before us: its first lines are no affair of ours; 6 */
    line(old, "clerk", "vehicle", 71, 2);
    assert_string_equal(found(), "foreign clerk vehicle 2;");
    line(old, "clerk", "vehicle", 74, 3);
    assert_string_equal(found(), "foreign clerk vehicle 3;gap 2;");
    line(young, "clerk", "vehicle", 3, 1);
    assert_string_equal(found(), "foreign clerk vehicle 4;gap 4;");
    tell(RECONCILE_CUT, 0, 0, 0);
    assert_string_equal(found(), "gap 5;");
}

static void unreadable_lines(void **state)
{
    const struct hub_audit_line broken = {.what = HUB_AUDIT_UNREADABLE};
    const struct reconcile_event event = {.what = RECONCILE_LINE, .line = &broken};
    (void)state;
    reconcile_step(core, &event, now);
    reconcile_step(core, &event, now);
    assert_string_equal(found(), "unreadable 2;"); /* 7 */
}

static void a_silent_audit(void **state)
{
    (void)state;
    tell(RECONCILE_OPENED, HUB_SESSION, 0, 0);
    for (int i = 0; i < 8; i++) {
        tell(RECONCILE_OWN, HUB_SESSION, 1, 0);
        reads(HUB_SESSION, "hub");
        pass(5000);
    }
    assert_string_equal(found(), "");
    for (int i = 0; i < 8; i++) { /* somebody has switched it off */
        tell(RECONCILE_OWN, HUB_SESSION, 1, 0);
        pass(5000);
    }
    const char *text = found();
    assert_non_null(strstr(text, "silent 1;")); /* 8 */
    assert_non_null(strstr(text, "unseen "));
    tell(RECONCILE_OWN, HUB_SESSION, 1, 0);
    pass(5000);
    assert_null(strstr(found(), "silent")); /* told once */
    reads(HUB_SESSION, "hub");
    assert_non_null(strstr(found(), "silent 1 green;"));
}

static void nothing_read_is_no_silence(void **state)
{
    (void)state;
    tell(RECONCILE_OPENED, HUB_SESSION, 0, 0);
    tell(RECONCILE_OWN, HUB_SESSION, 1, 0);
    reads(HUB_SESSION, "hub");
    pass(600000); /* the department is down */
    assert_string_equal(found(), "");
}

static void findings_are_bounded(void **state)
{
    char role[32];
    uint64_t n_told = 0;
    (void)state;
    for (unsigned i = 0; i < 3 * RECONCILE_FINDINGS_MAX; i++) {
        snprintf(role, sizeof role, "role%u", i);
        reads(CLERK_SESSION + i, role);
    }
    tell(RECONCILE_CUT, 0, 0, 0);
    for (const struct reconcile_finding *finding; (finding = reconcile_take(core)) != NULL;)
        n_told += finding->n;
    assert_true(n_told == 3 * RECONCILE_FINDINGS_MAX + 1); /* every single one is in some finding, and the gap */
    now += RECONCILE_ANEW_MS + 1;
    reads(CLERK_SESSION, "another");
    assert_string_equal(found(), "foreign another vehicle 1;"); /* in the place of one that is over */
    reads(CLERK_SESSION, "role0");
    assert_string_equal(found(), "foreign role0 vehicle 1;"); /* counted anew */
}

static void what_was_stored(void **state)
{
    struct reconcile_finding stored = {.kind = RECONCILE_FOREIGN, .role = "clerk", .address = "10.0.0.9", .table = "vehicle", .n = 41};
    (void)state;
    stored.first_ms = stored.last_ms = now - 1000;
    reconcile_restore(core, &stored);
    assert_string_equal(found(), "");
    reads(CLERK_SESSION, "clerk");
    assert_string_equal(found(), "foreign clerk vehicle 42;");
}

static void memory_runs_out(void **state)
{
    struct reconcile *none = NULL;
    (void)state;
    mem_fail_nth(1);
    assert_err(reconcile_create(&options, &none), ERR_NO_MEMORY);
    mem_fail_nth(0);
}

/* Four sessions of the hub's and four foreign ones, lines that come late and in any order between the sessions: each foreign read is told,
 * once; none of the hub's is. */
static void every_foreign_read_and_no_other(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    (void)state;
    print_message("seed %u\n", seed);
    for (int round = 0; round < 50; round++) {
        uint64_t n_foreign = 0, n_told = 0, late[4] = {0};
        begin();
        for (uint64_t i = 0; i < 4; i++)
            tell(RECONCILE_OPENED, HUB_SESSION + 10 * i, 0, 0);
        for (int i = 0; i < 2000; i++) {
            unsigned who = (unsigned)rand_r(&seed) % 4;
            switch (rand_r(&seed) % 5) {
            case 0:
                reads(CLERK_SESSION + 10 * who, "clerk");
                n_foreign++;
                break;
            case 1: /* its line comes at once, what the hub says of it later */
                reads(HUB_SESSION + 10 * who, "hub");
                late[who]++;
                break;
            case 2:
                tell(RECONCILE_OWN, HUB_SESSION + 10 * who, late[who], 0);
                late[who] = 0;
                break;
            case 3: /* and the other way round */
                tell(RECONCILE_OWN, HUB_SESSION + 10 * who, 1, 0);
                reads(HUB_SESSION + 10 * who, "hub");
                break;
            default:
                pass(250);
            }
            for (uint64_t j = 0; j < 4 && i % 20 == 19; j++) { /* nothing waits for long */
                tell(RECONCILE_OWN, HUB_SESSION + 10 * j, late[j], 0);
                late[j] = 0;
            }
        }
        for (uint64_t j = 0; j < 4; j++)
            tell(RECONCILE_OWN, HUB_SESSION + 10 * j, late[j], 0);
        pass(60000);
        for (const struct reconcile_finding *finding; (finding = reconcile_take(core)) != NULL;) {
            assert_int_equal(finding->kind, RECONCILE_FOREIGN);
            assert_string_equal(finding->role, "clerk");
            n_told += finding->n;
        }
        assert_true(n_told == n_foreign);
    }
}

int main(void)
{
#define EACH(test_) cmocka_unit_test_setup_teardown(test_, make, unmake)
    const struct CMUnitTest tests[] = {
        EACH(the_hubs_own_reads_are_not_told),
        EACH(a_foreign_read_is_told_at_once),
        EACH(roles_and_tables_of_the_file),
        EACH(one_read_too_many_in_a_session_of_the_hubs),
        EACH(what_may_have_run),
        EACH(a_use_that_is_not_in_the_audit),
        EACH(sessions_of_an_earlier_run),
        EACH(sessions_that_ended),
        EACH(a_server_that_was_started_again),
        EACH(missing_lines),
        EACH(unreadable_lines),
        EACH(a_silent_audit),
        EACH(nothing_read_is_no_silence),
        EACH(findings_are_bounded),
        EACH(what_was_stored),
        EACH(memory_runs_out),
        EACH(every_foreign_read_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
