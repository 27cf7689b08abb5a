/* Lines of audits: as the servers wrote them (PostgreSQL 15 with pgaudit 1.7, MariaDB 10.11), and as somebody might forge them. */
#include "hub/audit_line.h"

#include "base/test.h"

#include <stdio.h>
#include <string.h>

#define HEAD                                                                                                                               \
    "{\"timestamp\":\"2026-11-22 09:09:58.743 "                                                                                            \
    "UTC\",\"user\":\"clerk\",\"dbname\":\"department\",\"pid\":25131,\"remote_host\":\"[local]\","                                        \
    "\"session_id\":\"6b02b166.622b\",\"line_num\":3,\"ps\":\"SELECT\",\"txid\":0,\"error_severity\":\"LOG\",\"message\":"
#define TAIL ",\"application_name\":\"x \\\"y\\\"\",\"backend_type\":\"client backend\",\"query_id\":0}"
#define ASSERT_NAME(name_, literal_) assert_string_equal(name_, literal_)

static struct hub_audit_line line;

static enum hub_audit_what pg(const char *text)
{
    hub_audit_line_read(HUB_AUDIT_PGAUDIT, str_from_c(text), false, &line);
    return line.what;
}

static enum hub_audit_what server(const char *text)
{
    hub_audit_line_read(HUB_AUDIT_SERVER_AUDIT, str_from_c(text), false, &line);
    return line.what;
}

static void a_read_of_postgres(void **state)
{
    (void)state;
    assert_int_equal(pg(HEAD "\"AUDIT: OBJECT,12,1,READ,SELECT,TABLE,public.vehicle,<not logged>,<not logged>\"" TAIL), HUB_AUDIT_READ);
    assert_true(line.session == (UINT64_C(0x6b02b166) << 32 | 0x622b));
    assert_true(line.session == hub_audit_session_read(STR("6b02b166.622b")));
    assert_int_equal(line.number, 3);
    assert_int_equal(line.statement, 12);
    ASSERT_NAME(line.role, "clerk");
    ASSERT_NAME(line.address, "[local]");
    ASSERT_NAME(line.database, "department");
    ASSERT_NAME(line.table, "public.vehicle");
}

static void names_that_need_quoting(void **state)
{
    (void)state;
    assert_int_equal(
        pg(HEAD "\"AUDIT: SESSION,1,1,READ,SELECT,TABLE,\\\"public.\\\"\\\"odd,na\\u0007me\\\"\\\"\\\",select 1\"" TAIL), HUB_AUDIT_READ);
    ASSERT_NAME(line.table, "public.\"odd,na?me\"");
    assert_int_equal(pg(HEAD "\"AUDIT: OBJECT,1,1,READ,SELECT,TABLE,public.车辆,x\"" TAIL), HUB_AUDIT_READ);
    ASSERT_NAME(line.table, "public.车辆");
}

static void what_is_no_read(void **state)
{
    static const char *const others[] = {
        HEAD "\"connection received\"" TAIL,
        HEAD "\"AUDIT: OBJECT,1,1,WRITE,UPDATE,TABLE,public.vehicle,x,y\"" TAIL,
        HEAD "\"AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>\"" TAIL,
        HEAD "\"said AUDIT: OBJECT,1,1,READ,SELECT,TABLE,public.vehicle,x,y\"" TAIL,
        HEAD "\"AUDIT: OBJECT,1,1,READ,SELECT,TABLE,public.vehicle,x,y\",\"backend_type\":\"parallel worker\",\"leader_pid\":7}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(pg(others[i]), HUB_AUDIT_OTHER);
        assert_int_equal(line.number, 3); /* known all the same: it counts as a line of its session */
    }
}

static void what_cannot_be_read(void **state)
{
    static const char *const broken[] = {
        "",
        "nonsense",
        "{",
        "{}x",
        "[1]",
        HEAD "\"connection received\"",
        HEAD "\"AUDIT: OBJECT,1\"" TAIL,
        HEAD "\"AUDIT: OBJECT,x,1,READ,SELECT,TABLE,public.vehicle,x,y\"" TAIL,
        HEAD "\"AUDIT: NONSENSE,1,1,READ,SELECT,TABLE,public.vehicle,x,y\"" TAIL,
        HEAD "\"AUDIT: OBJECT,1,1,READ,SELECT,TABLE,\\\"public.vehicle,x,y\"" TAIL,
        "{\"session_id\":\"nonsense\",\"message\":\"AUDIT: OBJECT,1,1,READ,SELECT,TABLE,public.vehicle,x,y\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_int_equal(pg(broken[i]), HUB_AUDIT_UNREADABLE);
}

static void of_a_long_line_the_beginning_counts(void **state)
{
    static char text[100000];
    (void)state;
    memset(text, 'x', sizeof text);
    int n = snprintf(text, sizeof text, "%s", HEAD "\"AUDIT: OBJECT,1,1,READ,SELECT,TABLE,public.vehicle,select");
    text[n] = ' ';
    hub_audit_line_read(HUB_AUDIT_PGAUDIT, (struct str){text, sizeof text}, true, &line);
    assert_int_equal(line.what, HUB_AUDIT_READ);
    ASSERT_NAME(line.table, "public.vehicle");
    hub_audit_line_read(HUB_AUDIT_SERVER_AUDIT, (struct str){text, sizeof text}, true, &line);
    assert_int_equal(line.what, HUB_AUDIT_UNREADABLE);
}

static void a_read_of_mariadb(void **state)
{
    (void)state;
    assert_int_equal(server("20261122 09:10:00,vm,clerk,127.0.0.1,7,15,READ,department,vehicle,"), HUB_AUDIT_READ);
    assert_int_equal(line.session, 7);
    assert_int_equal(line.statement, 15);
    assert_int_equal(line.number, 0);
    ASSERT_NAME(line.role, "clerk");
    ASSERT_NAME(line.address, "127.0.0.1");
    ASSERT_NAME(line.database, "department");
    ASSERT_NAME(line.table, "vehicle");
    assert_int_equal(server("20261122 09:10:00,vm,a,b'c,127.0.0.1,8,26,READ,department,odd,na'me,"), HUB_AUDIT_READ);
    ASSERT_NAME(line.role, "a,b'c");
    ASSERT_NAME(line.table, "odd,na'me");
    assert_int_equal(server("20261122 09:10:00,vm,clerk,127.0.0.1,7,0,CONNECT,department,,0"), HUB_AUDIT_OTHER);
    assert_int_equal(server("20261122 09:10:00,vm,clerk,127.0.0.1,7,3,WRITE,department,vehicle,"), HUB_AUDIT_OTHER);
}

/* Who may choose the name of a role, or of a table, writes what looks like another line: such a line is told, not believed. */
static void a_forged_name_is_not_believed(void **state)
{
    static const char *const forged[] = {
        "20261122 09:10:00,vm,x,h,1,2,QUERY,d,127.0.0.1,8,26,READ,department,vehicle,",
        "20261122 09:10:00,vm,clerk,127.0.0.1,7,15,READ,department,t,h,1,2,WRITE,d,x,",
        "20261122 09:10:00,vm,clerk,127.0.0.1,7,15,READ",
        "20261122,vm,clerk,127.0.0.1,7,15,READ,department,vehicle,",
        "20261122 09:10:00,vm,clerk,127.0.0.1,0,15,READ,department,vehicle,",
        "vehicle,",
    };
    (void)state;
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++)
        assert_int_equal(server(forged[i]), HUB_AUDIT_UNREADABLE);
}

static void names_are_printable(void **state)
{
    char text[600], name[400];
    (void)state;
    memset(name, 'n', sizeof name);
    memcpy(name + 124, "杭州", 6); /* the limit falls into a character */
    snprintf(text, sizeof text, "20261122 09:10:00,vm,%.300s,127.0.0.1,7,15,READ,department,vehicle,", name);
    assert_int_equal(server(text), HUB_AUDIT_READ);
    assert_int_equal(strlen(line.role), 127);
    assert_true(str_is_utf8(str_from_c(line.role)));
    assert_int_equal(server("20261122 09:10:00,vm,a\xff\x1b[31m,127.0.0.1,7,15,READ,department,vehicle,"), HUB_AUDIT_READ);
    ASSERT_NAME(line.role, "a??[31m");
}

static void sessions(void **state)
{
    static const char *const wrong[] = {"", ".", "1", "1.", ".1", "1.2.3", "123456789.1", "1.G", "1.-1"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_true(hub_audit_session_read(str_from_c(wrong[i])) == 0);
    assert_true(hub_audit_session_read(STR("1.a")) == (UINT64_C(1) << 32 | 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_of_postgres),
        cmocka_unit_test(names_that_need_quoting),
        cmocka_unit_test(what_is_no_read),
        cmocka_unit_test(what_cannot_be_read),
        cmocka_unit_test(of_a_long_line_the_beginning_counts),
        cmocka_unit_test(a_read_of_mariadb),
        cmocka_unit_test(a_forged_name_is_not_believed),
        cmocka_unit_test(names_are_printable),
        cmocka_unit_test(sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
