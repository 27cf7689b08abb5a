/* Ranges and entity tags: a row for each kind of header. */
#include "base/test.h"
#include "http/range.h"

static void ranges(void **state)
{
    static const struct {
        const char *header;
        uint64_t total;
        int status;
        uint64_t first, n;
    } rows[] = {
        {"", 10, 200, 0, 10},
        {"bytes=0-0", 10, 206, 0, 1},
        {"bytes=0-9", 10, 206, 0, 10},
        {"bytes=2-", 10, 206, 2, 8},
        {"bytes=9-9", 10, 206, 9, 1},
        {"bytes=5-99", 10, 206, 5, 5},
        {"bytes=-3", 10, 206, 7, 3},
        {"bytes=-99", 10, 206, 0, 10},
        {"BYTES = 1-2 ", 10, 206, 1, 2},
        {"bytes=0-99999999999999999999999999", 10, 206, 0, 10},
        {"bytes=-99999999999999999999999999", 10, 206, 0, 10},
        {"bytes=10-", 10, 416, 0, 0},
        {"bytes=99999999999999999999999999-", 10, 416, 0, 0},
        {"bytes=10-12", 10, 416, 0, 0},
        {"bytes=-0", 10, 416, 10, 0},
        {"bytes=0-", 0, 416, 0, 0},
        {"bytes=-5", 0, 200, 0, 0},
        {"bytes=5-2", 10, 200, 0, 10},
        {"bytes=a-2", 10, 200, 0, 10},
        {"bytes=1-2-3", 10, 200, 0, 10},
        {"bytes=-", 10, 200, 0, 10},
        {"bytes=1 -2", 10, 200, 0, 10},
        {"bytes=+1-2", 10, 200, 0, 10},
        {"bytes", 10, 200, 0, 10},
        {"rows=1-2", 10, 200, 0, 10},
        {"bytes=0-1,4-5", 10, 200, 0, 10},
        {"bytes=1-", UINT64_MAX, 206, 1, UINT64_MAX - 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_range range = {77, 77};
        int status = http_range_read(str_from_c(rows[i].header), rows[i].total, &range);
        if (status != rows[i].status || (status != 416 && (range.first != rows[i].first || range.n != rows[i].n)))
            fail_msg("\"%s\" of %llu: %d, %llu and %llu bytes", rows[i].header, (unsigned long long)rows[i].total, status,
                (unsigned long long)range.first, (unsigned long long)range.n);
    }
}

static void tags(void **state)
{
    static const struct {
        const char *list, *etag;
        bool strong, weak;
    } rows[] = {
        {"\"a\"", "\"a\"", true, true},
        {"\"a\", \"b\"", "\"b\"", true, true},
        {"\"ab\"", "\"a\"", false, false},
        {"W/\"a\"", "\"a\"", false, true},
        {"\"a\"", "W/\"a\"", false, true},
        {"W/\"a\"", "W/\"a\"", false, true},
        {"W/\"a\",\"a\"", "\"a\"", true, true},
        {"\"x,y\" , \"a\"", "\"a\"", true, true},
        {" * ", "\"a\"", true, true},
        {"", "\"a\"", false, false},
        {"a", "\"a\"", false, false},
        {"\"a", "\"a\"", false, false},
        {"Sun, 22 Nov 2026 09:00:00 GMT", "\"a\"", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str list = str_from_c(rows[i].list), etag = str_from_c(rows[i].etag);
        if (http_etag_among(list, etag, true) != rows[i].strong || http_etag_among(list, etag, false) != rows[i].weak)
            fail_msg("%s among %s", rows[i].etag, rows[i].list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges), cmocka_unit_test(tags)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
