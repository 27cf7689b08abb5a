/* Tables from outside, and travel times read from them. */
#include "road/table.h"

#include "base/mem.h"
#include "base/test.h"
#include "road/test_net.h"
#include "road/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct seen {
    char text[4096]; /* lines and complaints, one after the other */
    size_t len;
    double last_share;
};

static void note(struct seen *seen, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct seen *seen, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(seen->text + seen->len, sizeof(seen->text) - seen->len, format, args);
    va_end(args);
    assert_true(n >= 0 && seen->len + (size_t)n < sizeof(seen->text));
    seen->len += (size_t)n;
}

static const char *on_header(void *context, uint32_t present)
{
    return present & 1 ? NULL : "there is no column \"a\"; add it";
}

static const char *on_line(void *context, const struct str *fields)
{
    if (str_equal_c(fields[0], "bad"))
        return "it is bad";
    note(context, "[" STR_FORMAT "|" STR_FORMAT "]", STR_ARG(fields[0]), STR_ARG(fields[1]));
    return NULL;
}

static void on_broken(void *context, const char *text)
{
    note(context, "<%s>", text);
}

static void on_progress(void *context, double share)
{
    struct seen *seen = context;
    assert_true(share > seen->last_share && share <= 1);
    seen->last_share = share;
}

static const char *const columns[] = {"a", "b", NULL};

static struct road_table table_of(struct seen *seen)
{
    *seen = (struct seen){.len = 0};
    return (struct road_table){columns, on_header, on_line, on_broken, on_progress, seen, 0, 0};
}

static void lines_come_by_column(void **state)
{
    static const struct {
        const char *text, *expected;
        uint64_t n_lines, n_broken;
    } rows[] = {
        {"a,b\n1,2\n3,4", "[1|2][3|4]", 2, 0},
        {"\xef\xbb\xbf b , other ,a\r\n1,2,3\r\n\r\n4,5,6\r\n", "[3|1][6|4]", 2, 0},
        {"a\n1\n", "[1|]", 1, 0},
        {"a,b\n1,\n,\n", "[1|][|]", 2, 0},
        {"a,b\n1\n1,2,3\nbad,0\n1,2\n", "<t.csv:2: fewer fields than columns><t.csv:3: more fields than columns><t.csv:4: it is bad>[1|2]",
            4, 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen;
        struct road_table table = table_of(&seen);
        assert_ok(road_table_parse(&table, str_from_c(rows[i].text), "t.csv", NULL));
        assert_string_equal(seen.text, rows[i].expected);
        assert_int_equal(table.n_lines, rows[i].n_lines);
        assert_int_equal(table.n_broken, rows[i].n_broken);
    }
}

static void a_bad_first_line_ends_it(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"", "t.csv:1: the file is empty; its first line names the columns"},
        {"b,c\n1,2\n", "t.csv:1: there is no column \"a\"; add it"},
        {"a,b,a\n1,2,3\n", "t.csv:1: column \"a\" is there twice; rename one"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen;
        struct diag diag = {""};
        struct road_table table = table_of(&seen);
        assert_err(road_table_parse(&table, str_from_c(rows[i].text), "t.csv", &diag), ERR_SYNTAX);
        assert_string_equal(diag.text, rows[i].expected);
    }
    struct seen seen;
    struct diag diag = {""};
    struct road_table table = table_of(&seen);
    assert_err(road_table_read(&table, "/tmp/there/is/no/such.csv", &diag), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "cannot open"));
}

/* Longer than what is read at once, with a line that is longer than any may be in it, and one longer than what is read. */
static void a_long_file_is_read_in_pieces(void **state)
{
    char path[] = "/tmp/citybrain-table-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "wb");
    assert_non_null(file);
    fprintf(file, "a\n");
    for (int i = 0; i < 40000; i++)
        fprintf(file, "bad\n");
    for (int i = 0; i < ROAD_TABLE_LINE_MAX + 1; i++)
        fputc('x', file);
    fprintf(file, "\n1\n");
    for (int i = 0; i < 700000; i++)
        fputc('x', file);
    fprintf(file, "\n2\n");
    for (int i = 0; i < 40000; i++)
        fprintf(file, "bad\n");
    fprintf(file, "3");
    fclose(file);
    struct seen seen;
    struct road_table table = table_of(&seen);
    table.on_broken = NULL;
    assert_ok(road_table_read(&table, path, NULL));
    assert_string_equal(seen.text, "[1|][2|][3|]");
    assert_int_equal(table.n_lines, 80005);
    assert_int_equal(table.n_broken, 80002);
    assert_true(seen.last_share == 1);
    mem_fail_nth(1);
    enum err err = road_table_read(&table, path, NULL);
    mem_fail_nth(0);
    assert_err(err, ERR_NO_MEMORY);
    unlink(path);
}

static void travel_times_come_from_a_table(void **state)
{
    struct road_network *network = NULL;
    assert_ok(road_network_parse(STR(NET_HEAD NET_FLAT NET_BODY NET_TAIL), "test.net.xml", NULL, &network));
    float edge_s[6];
    struct seen seen = {.len = 0};
    struct road_table table = {.on_broken = on_broken, .context = &seen};
    assert_ok(road_weights_parse(network,
        STR("time_s,edge,n,speed_mps,seconds\n60,AB,3,7,\n60,BC,1,2,50.5\n60,BD,1,,closed\n60,XX,1,7,\n60,CB,1,0,\n60,DB,1,,-1\n60,DB,1,,"
            "\n"),
        "w.csv", &table, edge_s, NULL));
    assert_true(fabsf(edge_s[road_edge_find(network, STR("AB"))] - 70) < 1e-4F);
    assert_true(fabsf(edge_s[road_edge_find(network, STR("BC"))] - 50.5F) < 1e-4F);
    assert_true(isinf(edge_s[road_edge_find(network, STR("BD"))]));
    assert_true(fabsf(edge_s[road_edge_find(network, STR("CB"))] - 35) < 1e-4F); /* free flow, as nobody told better */
    assert_int_equal(table.n_lines, 7);
    assert_int_equal(table.n_broken, 4);
    assert_non_null(strstr(seen.text, "<w.csv:5: the network has no such edge><w.csv:6: speed_mps must be"));
    struct diag diag = {""};
    assert_err(road_weights_parse(network, STR("edge,n\n"), "w.csv", &table, edge_s, &diag), ERR_SYNTAX);
    assert_string_equal(diag.text, "w.csv:1: there is neither a column \"seconds\" nor \"speed_mps\"; add one");
    road_network_destroy(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_by_column),
        cmocka_unit_test(a_bad_first_line_ends_it),
        cmocka_unit_test(a_long_file_is_read_in_pieces),
        cmocka_unit_test(travel_times_come_from_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
