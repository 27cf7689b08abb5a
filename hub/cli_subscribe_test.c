/*
 * What the shell's subscription makes of what comes: rows with the receipt of their window, cut at every byte; what is enough; what is no
 * event of a hub's.
 */
#include "hub/cli_subscribe.h"

#include "base/mem.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW(receipt_) "event: window\ndata: {\"contract\":\"h/c-1\",\"receipt\":\"" receipt_ "\"}\n\n"
#define ROWS(rows_) "event: rows\ndata: " rows_ "\n\n"
#define PING "event: ping\ndata: {}\n\n"
#define LINE(receipt_, row_) "{\"contract\":\"h/c-1\",\"receipt\":\"" receipt_ "\",\"row\":" row_ "}\n"

static char printed[4096];

/* Takes `text` in two parts, cut at `cut`; what was printed is in `printed`. */
static enum err take(const char *text, size_t cut, uint64_t n_rows, int *ret_rule)
{
    struct hub_cli_events events;
    FILE *out = fmemopen(printed, sizeof printed, "w");
    assert_non_null(out);
    hub_cli_events_init(&events, out, n_rows);
    enum err err = hub_cli_events_take(&events, (struct str){text, cut});
    if (!err)
        err = hub_cli_events_take(&events, (struct str){text + cut, strlen(text) - cut});
    *ret_rule = events.is_ended ? events.rule : -1;
    assert_int_equal(events.is_enough, n_rows && events.n_left == 0);
    hub_cli_events_finish(&events);
    fclose(out);
    return err;
}

static void rows_with_their_receipts(void **state)
{
    static const struct {
        const char *text, *printed;
        uint64_t n_rows;
        enum err err;
        int rule;
    } cases[] = {
        {"retry: 2000\n\n" PING WINDOW("h.log/7") ROWS("[{\"b\":1.5,\"a\":\"浙\"},{\"a\":null}]") PING WINDOW("h.log/9")
                ROWS("[{\"a\":2}]"),
            LINE("h.log/7", "{\"a\":\"浙\",\"b\":1.5}") LINE("h.log/7", "{\"a\":null}") LINE("h.log/9", "{\"a\":2}"), 0, ERR_OK, -1},
        {WINDOW("h.log/7") ROWS("[{\"a\":1},{\"a\":2},{\"a\":3}]") ROWS("[{\"a\":4}]"),
            LINE("h.log/7", "{\"a\":1}") LINE("h.log/7", "{\"a\":2}"), 2, ERR_CANCELLED, -1},
        {WINDOW("h.log/7") ROWS("[{\"a\":1}]") "event: end\ndata: {\"rule\":2}\n\n", LINE("h.log/7", "{\"a\":1}"), 5, ERR_CANCELLED, 2},
        {"event: end\r\ndata: {}\r\n\r\n", "", 0, ERR_CANCELLED, 0},
        {"event: window\ndata: {\"contract\":\"h/c-1\",\ndata: \"receipt\":\"h.log/7\"}\n\n" ROWS("[{\"a\":1}]"),
            LINE("h.log/7", "{\"a\":1}"), 0, ERR_OK, -1},
        {": nobody's\nevent: of a later hub\ndata: no JSON\n\n" PING, "", 0, ERR_OK, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 0; cut <= strlen(cases[i].text); cut++) {
            int rule;
            memset(printed, 0, sizeof printed);
            assert_int_equal(take(cases[i].text, cut, cases[i].n_rows, &rule), cases[i].err);
            assert_string_equal(printed, cases[i].printed);
            assert_int_equal(rule, cases[i].rule);
        }
}

static void what_is_no_event_of_a_hubs(void **state)
{
    static const char *const texts[] = {ROWS("[{\"a\":1}]"), /* under no receipt */
        WINDOW("h.log/7") ROWS("{\"a\":1}"), WINDOW("h.log/7") ROWS("[1]"), WINDOW("h.log/7") ROWS("[{\"a\":1}"),
        WINDOW("h.log/7") ROWS(""), "event: window\ndata: {\"contract\":\"h/c-1\"}\n\n", "event: window\ndata: []\n\n",
        "event: end\ndata: {\n\n"};
    int rule;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_err(take(texts[i], strlen(texts[i]) / 2, 0, &rule), ERR_SYNTAX);
    struct hub_cli_events events; /* a line without an end */
    static char much[65536];
    enum err err = ERR_OK;
    memset(much, 'x', sizeof much);
    hub_cli_events_init(&events, stdout, 0);
    for (size_t n = 0; n <= HUB_CLI_EVENT_MAX && !err; n += sizeof much)
        err = hub_cli_events_take(&events, (struct str){much, sizeof much});
    assert_err(err, ERR_TOO_LARGE);
    hub_cli_events_finish(&events);
    assert_int_equal(mem_n_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_with_their_receipts), cmocka_unit_test(what_is_no_event_of_a_hubs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
