/*
 * Pages out of several logs: whatever the logs, the pages' size and who is silent when, paging to the end shows every use once and, while
 * all answer, in the order of time. And the bytes: back as they were, cut anywhere none, changed anywhere no harm.
 */
#include "hub/uses_page.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGS_MAX 5
#define USES_MAX 60
#define N_CASES 3000

static uint64_t state = 20261123;
static size_t below(size_t n) /* splitmix64 */
{
    uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (size_t)((z ^ z >> 31) % n);
}

static const char *const names[LOGS_MAX] = {"h.log", "h.log.r1", "h.log.r2", "h.log.a_b", "h.log.z-9"};

struct log { /* the newest last, as a log grows */
    struct hub_use_info uses[USES_MAX];
    size_t n, seen[USES_MAX];
    uint64_t end;
};

static struct hub_use_info a_use(uint64_t index, int64_t time_ms)
{
    return (struct hub_use_info){.index = index,
        .time_ms = time_ms,
        .use = STR("call"),
        .consumer = STR("h/parking"),
        .provider = STR("h/police"),
        .resource = STR("h/police/vehicle"),
        .contract = STR("h/c-17"),
        .purpose = STR("parking.settle")};
}

static void fill(struct log *log)
{
    uint64_t index = below(3);
    int64_t time_ms = (int64_t)below(50);
    log->n = below(USES_MAX + 1);
    for (size_t i = 0; i < log->n; i++) {
        log->uses[i] = a_use(index, time_ms);
        log->seen[i] = 0;
        index += 1 + below(4);
        time_ms += (int64_t)below(20); /* several at one moment, too */
    }
    log->end = index + below(3);
}

/* What the process with this log answers: at most n_max, and now and then fewer than it could. */
static void answer(const struct log *log, size_t n_max, struct hub_uses_part *part, struct hub_use_info *room)
{
    size_t n = log->n, most = below(4) ? n_max : 1 + below(n_max);
    part->uses = room;
    part->n = 0;
    part->end = log->end;
    part->is_complete = true;
    while (n > 0 && (int64_t)log->uses[n - 1].index >= part->before)
        n--;
    for (; n > 0 && part->n < most; n--)
        room[part->n++] = log->uses[n - 1];
    part->has_more = n > 0;
}

static size_t mark(struct log *logs, size_t n_logs, const struct hub_uses_taken *taken)
{
    for (size_t i = 0; i < n_logs; i++)
        for (size_t k = 0; k < logs[i].n && str_equal_c(taken->part->log, names[i]); k++)
            if (logs[i].uses[k].index == taken->use->index)
                return ++logs[i].seen[k];
    return 0;
}

/* Pages until there is no next one; a log may be silent for some pages. Returns whether all answered always. */
static bool page_to_the_end(struct log *logs, size_t n_logs, bool may_be_silent)
{
    static struct hub_use_info rooms[LOGS_MAX][HUB_USES_PAGE_MAX];
    static struct hub_uses_taken taken[HUB_USES_PAGE_MAX];
    struct buf cursor;
    int64_t last_ms = INT64_MAX;
    bool has_next = true, all_answered = true;
    buf_init(&cursor, HUB_USES_CURSOR_MAX);
    for (size_t n_pages = 0; has_next; n_pages++) {
        struct hub_uses_part parts[LOGS_MAX] = {0};
        size_t n_max = 1 + below(20);
        assert_true(n_pages < LOGS_MAX * USES_MAX + 2); /* a page has one use at least, or is the last */
        for (size_t i = 0; i < n_logs; i++)
            parts[i] = (struct hub_uses_part){.log = str_from_c(names[i]), .before = HUB_USES_FROM_TOP};
        if (n_pages)
            assert_ok(hub_uses_cursor_read(buf_str(&cursor), parts, n_logs));
        for (size_t i = 0; i < n_logs; i++) {
            if (i > 0 && may_be_silent && below(5) == 0) {
                parts[i].err = ERR_TIMEOUT;
                all_answered = false;
            } else
                answer(&logs[i], n_max, &parts[i], rooms[i]);
        }
        size_t n = hub_uses_merge(parts, n_logs, n_max, taken);
        assert_true(n <= n_max);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(mark(logs, n_logs, &taken[i]), 1); /* never twice */
            assert_true(!all_answered || taken[i].use->time_ms <= last_ms);
            last_ms = taken[i].use->time_ms;
        }
        has_next = hub_uses_has_next(parts, n_logs);
        assert_true(n > 0 || !has_next);
        buf_reset(&cursor);
        hub_uses_cursor_write(parts, n_logs, &cursor);
        assert_ok(cursor.err);
        if (n_pages == 0 && below(2)) /* what is used meanwhile is of no later page */
            for (size_t i = 0; i < n_logs; i++)
                if (!parts[i].err && logs[i].n < USES_MAX) {
                    logs[i].uses[logs[i].n] = a_use(logs[i].end, 10000);
                    logs[i].seen[logs[i].n++] = 1; /* may not be seen: mark() would count two */
                    logs[i].end++;
                }
    }
    buf_finish(&cursor);
    return all_answered;
}

static void every_use_once(void **unused)
{
    static struct log logs[LOGS_MAX];
    size_t n = TEST_TIMES(N_CASES), n_uses = 0;
    fprintf(stderr, "seed %llu\n", (unsigned long long)state);
    for (size_t c = 0; c < n; c++) {
        size_t n_logs = 1 + below(LOGS_MAX);
        for (size_t i = 0; i < n_logs; i++)
            fill(&logs[i]);
        bool all_answered = page_to_the_end(logs, n_logs, c % 2);
        for (size_t i = 0; i < n_logs; i++)
            for (size_t k = 0; k < logs[i].n && (all_answered || i == 0); k++, n_uses++)
                assert_int_equal(logs[i].seen[k], 1);
    }
    fprintf(stderr, "%zu pagings, %zu uses, each once\n", n, n_uses);
}

/* Silent on the first page, it is shown from its top on a later one; silent in the middle, from where it stopped. */
static void one_that_comes_back(void **unused)
{
    struct hub_use_info own[] = {a_use(9, 90), a_use(5, 50)}, other[] = {a_use(7, 95), a_use(3, 40)};
    struct hub_uses_part parts[] = {
        {.log = STR("h.log"), .before = HUB_USES_FROM_TOP, .uses = own, .n = 2, .end = 10},
        {.log = STR("h.log.r1"), .before = HUB_USES_FROM_TOP, .err = ERR_UNAVAILABLE},
    };
    struct hub_uses_taken taken[2];
    struct buf cursor;
    buf_init(&cursor, 256);
    assert_int_equal(hub_uses_merge(parts, 2, 1, taken), 1);
    hub_uses_cursor_write(parts, 2, &cursor);
    assert_str(buf_str(&cursor), "9");
    assert_ok(hub_uses_cursor_read(buf_str(&cursor), parts, 2));
    assert_true(parts[0].before == 9 && parts[1].before == HUB_USES_FROM_TOP);
    parts[0].uses++;
    parts[0].n = 1;
    parts[1] = (struct hub_uses_part){.log = STR("h.log.r1"), .before = HUB_USES_FROM_TOP, .uses = other, .n = 2, .end = 8};
    assert_int_equal(hub_uses_merge(parts, 2, 1, taken), 1);
    assert_int_equal(taken[0].use->index, 7);
    buf_reset(&cursor);
    hub_uses_cursor_write(parts, 2, &cursor);
    assert_str(buf_str(&cursor), "9,r1:7");
    assert_ok(hub_uses_cursor_read(buf_str(&cursor), parts, 2));
    parts[1].err = ERR_TIMEOUT; /* its place is kept */
    assert_int_equal(hub_uses_merge(parts, 2, 1, taken), 1);
    buf_reset(&cursor);
    hub_uses_cursor_write(parts, 2, &cursor);
    assert_str(buf_str(&cursor), "5,r1:7");
    buf_finish(&cursor);
}

static void cursors(void **unused)
{
    static const char *const bad[] = {
        "x", "-1", "1,", ",r1:2", "1,r1", "1,r1:", "1,r1:x", "1,r1:-2", "1 ", "99999999999999999999", "1,,r1:2"};
    struct hub_uses_part parts[] = {{.log = STR("h.log"), .before = 1}, {.log = STR("h.log.r1"), .before = 2}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_err(hub_uses_cursor_read(str_from_c(bad[i]), parts, 2), ERR_SYNTAX);
        assert_true(parts[0].before == 1 && parts[1].before == 2);
    }
    assert_ok(hub_uses_cursor_read(STR("48211,gone:9,r1:17"), parts, 2)); /* a process that is none any more */
    assert_true(parts[0].before == 48211 && parts[1].before == 17);
    assert_ok(hub_uses_cursor_read(STR("5"), parts, 2));
    assert_true(parts[0].before == 5 && parts[1].before == HUB_USES_FROM_TOP);
}

static void names_of_logs(void **unused)
{
    static const char *const bad[] = {"h.log", "h.log.", "h.lo.r1", "x.log.r1", "h.log.r1.r2", "h.log.sm", "h.log.R1", "h.log./x", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(str_is_empty(hub_uses_log_name(STR("h.log"), str_from_c(bad[i]))));
    assert_str(hub_uses_log_name(STR("h.log"), STR("h.log.r1")), "r1");
}

static void questions(void **unused)
{
    const struct hub_uses_question asked[] = {
        {.what = HUB_USES_LIST, .subject = STR("{\"plate\":\"浙A1\"}"), .before = HUB_USES_FROM_TOP, .n_max = 200},
        {.what = HUB_USES_RECEIPT, .index = 48211},
        {.what = HUB_USES_OPENING, .index = 7, .party = STR("h/parking")},
    };
    struct hub_uses_question question;
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        buf_reset(&out);
        hub_uses_question_write(&asked[i], &out);
        assert_true(hub_uses_question_is(buf_str(&out)));
        assert_ok(hub_uses_question_read(buf_str(&out), &question));
        assert_true(question.what == asked[i].what && question.before == asked[i].before && question.n_max == asked[i].n_max);
        assert_true(
            question.index == asked[i].index && str_equal(question.subject, asked[i].subject) && str_equal(question.party, asked[i].party));
        for (size_t len = 0; len < out.len; len++)
            assert_err(hub_uses_question_read((struct str){out.ptr, len}, &question), ERR_SYNTAX);
        buf_append_byte(&out, 'x');
        assert_err(hub_uses_question_read(buf_str(&out), &question), ERR_SYNTAX);
    }
    buf_reset(&out);
    hub_uses_question_write(&(struct hub_uses_question){.what = HUB_USES_LIST, .subject = STR("{}"), .n_max = 201}, &out);
    assert_err(hub_uses_question_read(buf_str(&out), &question), ERR_SYNTAX);
    buf_finish(&out);
}

static void answers(void **unused)
{
    struct hub_use_info uses[] = {a_use(9, 90), a_use(5, 50), a_use(4, 40)};
    struct hub_uses_part part = {.before = 10, .uses = uses, .n = 3, .end = 12, .is_complete = true, .has_more = true};
    struct hub_uses_part read = {.log = STR("h.log.r1"), .before = 10};
    struct arena arena;
    struct buf out;
    arena_init(&arena, 1u << 20);
    buf_init(&out, HUB_USES_ANSWER_MAX);
    hub_uses_part_write(&part, &out);
    assert_ok(hub_uses_part_read(&arena, buf_str(&out), 3, &read));
    assert_true(read.n == 3 && read.has_more && read.is_complete && read.end == 12 && str_equal_c(read.log, "h.log.r1"));
    assert_true(read.uses[1].index == 5 && read.uses[1].time_ms == 50 && str_equal_c(read.uses[1].purpose, "parking.settle"));
    assert_err(hub_uses_part_read(&arena, buf_str(&out), 2, &read), ERR_SYNTAX); /* more than were asked for */
    read.before = 9;
    assert_err(hub_uses_part_read(&arena, buf_str(&out), 3, &read), ERR_SYNTAX); /* not before what was said */
    read.before = 10;
    for (size_t len = 0; len < out.len; len++)
        assert_err(hub_uses_part_read(&arena, (struct str){out.ptr, len}, 3, &read), ERR_SYNTAX);
    for (size_t i = 0; i < out.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            struct hub_uses_part any = {.before = 10};
            struct arena short_one;
            arena_init(&short_one, 1u << 16);
            out.ptr[i] ^= (char)(1 << bit);
            enum err err = hub_uses_part_read(&short_one, buf_str(&out), 3, &any);
            assert_true(err == ERR_OK || err == ERR_SYNTAX);
            out.ptr[i] ^= (char)(1 << bit);
            arena_finish(&short_one);
        }
    buf_reset(&out);
    uses[2].index = 5; /* twice */
    hub_uses_part_write(&part, &out);
    assert_err(hub_uses_part_read(&arena, buf_str(&out), 3, &read), ERR_SYNTAX);
    buf_reset(&out);
    part.err = ERR_BUSY;
    hub_uses_part_write(&part, &out);
    assert_ok(hub_uses_part_read(&arena, buf_str(&out), 3, &read));
    assert_int_equal(read.err, ERR_BUSY);
    buf_finish(&out);
    arena_finish(&arena);
}

/* More than a message holds: as many as fit, and the rest on the next page. */
static void a_page_that_does_not_fit(void **unused)
{
    static char text[500];
    static struct hub_use_info uses[HUB_USES_PAGE_MAX];
    struct hub_uses_part part = {.before = HUB_USES_FROM_TOP, .uses = uses, .n = HUB_USES_PAGE_MAX, .end = 1000, .is_complete = true};
    struct hub_uses_part read = {.before = HUB_USES_FROM_TOP};
    struct arena arena;
    struct buf out;
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < HUB_USES_PAGE_MAX; i++) {
        struct str long_one = {text, sizeof text};
        uses[i] = (struct hub_use_info){900 - i, 1, long_one, long_one, long_one, long_one, long_one, long_one};
    }
    arena_init(&arena, 1u << 20);
    buf_init(&out, HUB_USES_ANSWER_MAX);
    hub_uses_part_write(&part, &out);
    assert_ok(out.err);
    assert_ok(hub_uses_part_read(&arena, buf_str(&out), HUB_USES_PAGE_MAX, &read));
    assert_true(read.has_more && read.n > 100 && read.n < HUB_USES_PAGE_MAX);
    buf_finish(&out);
    arena_finish(&arena);
}

/* Written and read by one bound: at it whole, past it cut at a character's end, so that one long text hides no log. */
static void texts_at_their_bound(void **unused)
{
    static char text[HUB_USES_TEXT_MAX + 8];
    memset(text, 'a', sizeof text);
    memcpy(text + HUB_USES_TEXT_MAX - 2, "\xe6\xb5\x99", 3); /* 浙, over the bound */
    static const struct {
        size_t len, shown;
    } rows[] = {{HUB_USES_TEXT_MAX - 2, HUB_USES_TEXT_MAX - 2}, {HUB_USES_TEXT_MAX + 1, HUB_USES_TEXT_MAX - 2},
        {HUB_USES_TEXT_MAX + 8, HUB_USES_TEXT_MAX - 2}};
    struct arena arena;
    struct buf out;
    arena_init(&arena, 1u << 20);
    buf_init(&out, HUB_USES_ANSWER_MAX);
    for (size_t i = 0; i <= sizeof rows / sizeof *rows; i++) {
        bool is_plain = i == sizeof rows / sizeof *rows;
        struct hub_use_info use = a_use(9, 90);
        struct hub_uses_part part = {.before = 10, .uses = &use, .n = 1, .end = 12}, read = {.before = 10};
        if (is_plain)
            memset(text, 'a', sizeof text);
        use.purpose = (struct str){text, is_plain ? HUB_USES_TEXT_MAX : rows[i].len};
        buf_reset(&out);
        hub_uses_part_write(&part, &out);
        assert_ok(hub_uses_part_read(&arena, buf_str(&out), 1, &read));
        assert_int_equal(read.uses[0].purpose.len, is_plain ? HUB_USES_TEXT_MAX : rows[i].shown);
        assert_memory_equal(read.uses[0].purpose.ptr, text, read.uses[0].purpose.len);
        assert_str(read.uses[0].contract, "h/c-17");
    }
    buf_finish(&out);
    arena_finish(&arena);
}

static void receipts_at_their_bound(void **unused)
{
    struct str json = {malloc(HUB_USES_JSON_MAX + 1), HUB_USES_JSON_MAX}, read;
    enum err told;
    struct buf out;
    assert_non_null(json.ptr);
    memset((char *)json.ptr, 'x', HUB_USES_JSON_MAX + 1);
    buf_init(&out, HUB_USES_JSON_MAX + 64);
    hub_uses_json_write(HUB_USES_RECEIPT, ERR_OK, json, &out);
    assert_ok(out.err);
    assert_ok(hub_uses_json_read(HUB_USES_RECEIPT, buf_str(&out), &read, &told));
    assert_true(told == ERR_OK && str_equal(read, json));
    buf_reset(&out);
    json.len++; /* no such receipt can be: it is said, instead of an answer that nobody reads */
    hub_uses_json_write(HUB_USES_RECEIPT, ERR_OK, json, &out);
    assert_ok(out.err);
    assert_ok(hub_uses_json_read(HUB_USES_RECEIPT, buf_str(&out), &read, &told));
    assert_int_equal(told, ERR_TOO_LARGE);
    buf_finish(&out);
    free((char *)json.ptr);
}

static void what_stands_behind_a_receipt(void **unused)
{
    struct buf out;
    struct str json;
    enum err told;
    buf_init(&out, 4096);
    hub_uses_json_write(HUB_USES_RECEIPT, ERR_OK, STR("{\"receipt\":\"h.log.r1/7\"}"), &out);
    assert_ok(hub_uses_json_read(HUB_USES_RECEIPT, buf_str(&out), &json, &told));
    assert_int_equal(told, ERR_OK);
    assert_str(json, "{\"receipt\":\"h.log.r1/7\"}");
    assert_err(hub_uses_json_read(HUB_USES_OPENING, buf_str(&out), &json, &told), ERR_SYNTAX);
    for (size_t len = 0; len < out.len; len++)
        assert_err(hub_uses_json_read(HUB_USES_RECEIPT, (struct str){out.ptr, len}, &json, &told), ERR_SYNTAX);
    for (enum err err = ERR_NOT_FOUND; err <= ERR_STATE; err++)
        if (err == ERR_NOT_FOUND || err == ERR_BUSY || err == ERR_STATE) {
            buf_reset(&out);
            hub_uses_json_write(HUB_USES_OPENING, err, STR_NONE, &out);
            assert_ok(hub_uses_json_read(HUB_USES_OPENING, buf_str(&out), &json, &told));
            assert_int_equal(told, err);
        }
    buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_use_once),
        cmocka_unit_test(one_that_comes_back),
        cmocka_unit_test(cursors),
        cmocka_unit_test(names_of_logs),
        cmocka_unit_test(questions),
        cmocka_unit_test(answers),
        cmocka_unit_test(a_page_that_does_not_fit),
        cmocka_unit_test(texts_at_their_bound),
        cmocka_unit_test(receipts_at_their_bound),
        cmocka_unit_test(what_stands_behind_a_receipt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
