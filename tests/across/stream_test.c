/*
 * Streams between two hubs, both ways: in windows with a receipt in either ledger; over cut links, lost and doubled messages, and stops of
 * either hub each event comes once and in order to who goes on, and to who begins anew at most what was not confirmed comes again.
 *
 * Accepted is what was published and settled, as a source is told.
 */
#include "tests/across/hubs.h"

#include "base/bytes.h"
#include "district/parts.h"
#include "hub/place.h"

#include <stdlib.h>

#define SUBSCRIBE "\"use\":\"subscribe\""
#define NUMBERS_MAX 100000
#define N_WINDOWS_MAX 64
#define N_ROUNDS_MAX 5

struct sub {
    struct hub_subscription *subscription;
    int at;
    int64_t last;
    size_t n_rows, n_windows, rows_of[N_WINDOWS_MAX];
    char receipt[HUB_RECEIPT_MAX];
    bool is_ended, may_repeat;
    int rule;
    uint8_t n_got[NUMBERS_MAX];
};
static struct sub subs[2];
static int64_t next_number;

static void on_rows(void *context, const struct hub_window *window, struct rows *rows)
{
    struct sub *sub = context;
    size_t number = sub->at == CITY ? 0 : 1; /* as the fields were asked for */
    assert_false(sub->is_ended);
    if (!str_equal_c(window->receipt, sub->receipt))
        assert_true(++sub->n_windows <= N_WINDOWS_MAX);
    sub->rows_of[sub->n_windows - 1] += rows_n(rows);
    assert_ok(str_to_c(window->receipt, sub->receipt, sizeof sub->receipt));
    assert_int_equal(rows_n_fields(rows), 2);
    for (size_t i = 0; i < rows_n(rows); i++) {
        const struct value *values = rows_at(rows, i);
        char text[32];
        assert_int_equal(values[number].type, VALUE_INTEGER);
        int64_t n = values[number].i;
        snprintf(text, sizeof text, "event %lld", (long long)n);
        assert_true(str_equal_c(values[1 - number].s, text));
        if (n <= sub->last && !sub->may_repeat)
            fail_msg("event %lld after %lld", (long long)n, (long long)sub->last); /* in order, none twice */
        sub->last = n > sub->last ? n : sub->last;
        sub->n_rows++;
        sub->n_got[n]++;
    }
}

static void on_end(void *context, const struct hub_refusal *why)
{
    struct sub *sub = context;
    sub->is_ended = true;
    sub->rule = why->rule;
}

static enum err begin(struct sub *sub, int at)
{
    static const struct str fields[2][2] = {{STR_INIT("number"), STR_INIT("text")}, {STR_INIT("text"), STR_INIT("number")}};
    const struct hub_subscribe_options options = {.party = at == CITY ? STR("h/parking") : STR("h.x/gate"),
        .resource = at == CITY ? STR("h.x/lots/passage") : STR("h/police/alarm"),
        .purpose = STR("parking.settle"),
        .fields = fields[at],
        .n_fields = 2,
        .loop = loop,
        .when_full = BUS_REFUSE,
        .on_rows = on_rows,
        .on_end = on_end,
        .context = sub};
    sub->at = at;
    sub->last = -1;
    sub->is_ended = false;
    sub->n_windows = 0;
    memset(sub->rows_of, 0, sizeof sub->rows_of);
    sub->receipt[0] = '\0';
    return hub_subscribe(ones[at].hub, &options, NULL, &sub->subscription);
}

static void begin_soon(struct sub *sub, int at) /* the copy of the contract may have to be confirmed */
{
    for (int i = 0; begin(sub, at); i++) {
        assert_true(i < 1200);
        pass(50);
    }
}

static void finish(struct sub *sub)
{
    hub_unsubscribe(sub->subscription);
    sub->subscription = NULL;
}

/* One batch of `n` events of the hub's own stream; accepted when it returns. */
static void publish(int at, int n)
{
    const struct hub_resource *resource = hub_resource_find(ones[at].hub, at == XIHU ? STR("h.x/lots/passage") : STR("h/police/alarm"));
    struct rows *rows;
    enum err err;
    assert_non_null(resource);
    assert_ok(rows_create(3, 1u << 20, &rows));
    for (int i = 0; i < n; i++) {
        char text[32];
        assert_true(next_number < NUMBERS_MAX);
        snprintf(text, sizeof text, "event %lld", (long long)next_number);
        const struct value values[] = {value_integer(next_number++), value_text(str_from_c(text)), value_text(STR("nobodys-affair"))};
        assert_ok(rows_add(rows, values));
    }
    while ((err = hub_publish(ones[at].hub, resource, rows)) == ERR_FULL)
        pass(5);
    assert_ok(err);
    rows_release(rows);
    assert_ok(hub_publish_settle(ones[at].hub));
}

static void await_number(const struct sub *sub, int64_t number)
{
    for (int i = 0; i < 3000 && sub->last < number; i++)
        pass(20);
    assert_int_equal(sub->last, number);
}

static void assert_each(const struct sub *sub, int64_t from, int64_t to)
{
    for (int64_t n = from; n < to; n++)
        if (sub->n_got[n] == 0)
            fail_msg("event %lld is lost", (long long)n);
}

/* It has begun: what is accepted from now on is its own. */
static void await_begun(struct sub *sub)
{
    for (int i = 0; sub->last < 0; i++) {
        assert_true(i < 1200);
        publish(1 - sub->at, 1);
        pass(50);
    }
    await_number(sub, next_number - 1);
}

/* At the city, with nothing counted as received; the first number that is published from now on. */
static int64_t begin_anew(struct sub *sub)
{
    memset(sub->n_got, 0, sizeof sub->n_got);
    begin_soon(sub, CITY);
    await_begun(sub);
    return next_number;
}

/* That a ledger's outcomes name. */
static size_t rows_in_leaves(int at)
{
    static const char key[] = "\"rows\":";
    struct buf leaf;
    size_t n = 0;
    buf_init(&leaf, LEDGER_LEAF_MAX);
    for (uint64_t i = 0; i < ledger_n_durable(ones[at].ledger); i++) {
        buf_reset(&leaf);
        assert_ok(ledger_leaf(ones[at].ledger, i, &leaf));
        const char *rows = memmem(leaf.ptr, leaf.len, key, strlen(key));
        if (rows && memmem(leaf.ptr, leaf.len, OUTCOME, strlen(OUTCOME)))
            n += strtoul(rows + strlen(key), NULL, 10); /* a comma follows */
    }
    buf_finish(&leaf);
    return n;
}

/* As many windows as time makes. */
static void exchange(void)
{
    for (int at = 0; at < N_HUBS; at++) {
        subs[at] = (struct sub){0};
        begin_soon(&subs[at], at);
        await_begun(&subs[at]);
    }
    for (int at = 0; at < N_HUBS; at++) {
        int64_t from = next_number;
        for (int i = 0; i < 20; i++) {
            publish(1 - at, 1 + i);
            pass(i % 3);
        }
        await_number(&subs[at], next_number - 1);
        assert_each(&subs[at], from, next_number);
    }
    for (int at = 0; at < N_HUBS; at++)
        finish(&subs[at]);
}

/* Were the same windows told on both sides? Where an answer came too late, the rows in it were given again in the next window, and the
 * provider's leaves name them twice. */
static bool exchange_is_told_the_same(void)
{
    size_t before[N_HUBS], windows_before[N_HUBS], n_rows = 0;
    bool is_same = true;
    char rows[64];
    for (int at = 0; at < N_HUBS; at++) {
        before[at] = rows_in_leaves(at);
        windows_before[at] = count_leaves(1 - at, SUBSCRIBE, at == CITY ? SERVED : NAMED);
    }
    exchange();
    for (int at = 0; at < N_HUBS; at++)
        n_rows += subs[at].n_rows;
    for (int at = 0; at < N_HUBS; at++) {
        for (int i = 0; i < 3000 && rows_in_leaves(at) < before[at] + n_rows; i++)
            pass(20);
        assert_true(rows_in_leaves(at) >= before[at] + n_rows);
    }
    await_twins();
    for (int at = 0; at < N_HUBS; at++)
        is_same = is_same && rows_in_leaves(at) == before[at] + n_rows;
    for (int at = 0; at < N_HUBS && is_same; at++) {
        assert_true(count_leaves(1 - at, SUBSCRIBE, at == CITY ? SERVED : NAMED) >= windows_before[at] + subs[at].n_windows);
        for (size_t i = 0; i < subs[at].n_windows; i++) {
            snprintf(rows, sizeof rows, "\"rows\":%zu,", subs[at].rows_of[i]);
            assert_true(count_leaves(CITY, rows, OUTCOME) > 0);
            assert_true(count_leaves(XIHU, rows, OUTCOME) > 0);
        }
    }
    return is_same;
}

static void go_both_ways(void **state)
{
    for (int i = 0; !exchange_is_told_the_same(); i++)
        assert_true(i < N_ROUNDS_MAX);
    char command[300];
    snprintf(command, sizeof command, "grep -rq nobodys-affair '%s/streams'", ones[XIHU].data); /* what nobody was granted */
    assert_int_not_equal(system(command), 0);
    snprintf(command, sizeof command, "grep -rq event '%s/streams'", ones[XIHU].data); /* nor, in the clear, what was */
    assert_int_not_equal(system(command), 0);
}

/* One more than are kept is not: told, not given, and the others go on. */
static void a_stream_too_many(void **state)
{
    static const char refused[] = "citybrain_queue_refused_total{queue=\"district_streams\",of=\"\"} 1\n";
    struct metric_page *page;
    struct buf text;
    assert_false(hub_is_subscribed(hub_resource_find(ones[XIHU].hub, STR("h.x/lots/stay"))));
    assert_true(hub_is_subscribed(hub_resource_find(ones[XIHU].hub, STR("h.x/lots/passage"))));
    assert_ok(metric_page_create(&page));
    buf_init(&text, 1u << 20);
    district_measure(ones[XIHU].district, page);
    assert_ok(metric_page_write(page, &text));
    buf_append_byte(&text, '\0');
    if (text.err || !strstr(text.ptr, refused))
        fail_msg("%s", text.ptr);
    buf_finish(&text);
    metric_page_destroy(page);
}

static void over_cut_links(void **state)
{
    struct sub *sub = &subs[CITY];
    begin_soon(sub, CITY);
    await_begun(sub);
    int64_t from = next_number;
    set_ether(true, false, false); /* longer than the other's word holds: the subscription waits, it does not end */
    for (int i = 0; i < 45; i++) {
        publish(XIHU, 20);
        pass(100);
    }
    assert_int_equal(sub->last, from - 1);
    set_ether(false, true, false); /* what is asked comes there, the answers do not come back */
    pass(1700);
    assert_int_equal(sub->last, from - 1);
    publish(XIHU, 5);
    set_ether(false, false, true); /* everything twice */
    await_number(sub, next_number - 1);
    publish(XIHU, 5);
    await_number(sub, next_number - 1);
    set_ether(false, false, false);
    assert_each(sub, from, next_number);
    assert_false(sub->is_ended);
    finish(sub);
    await_twins();
}

static void look_at_link(void *context)
{
    *(bool *)context = ones[CITY].district->state->peers[0].is_up;
}

/* A subscription that cannot have anything begins no windows: neither ledger grows by it, and no use is counted. */
static void a_cut_link_costs_no_leaves(void **state)
{
    struct sub *sub = &subs[CITY];
    bool is_up = true;
    begin_soon(sub, CITY);
    await_begun(sub);
    int64_t from = next_number;
    set_ether(true, false, false);
    for (int i = 0; is_up; i++) {
        assert_true(i < 3000);
        pass(20);
        loop_thread_call(ones[CITY].district->thread, look_at_link, &is_up);
    }
    pass(2000); /* the asking under way ends, and what it was asked under */
    size_t n = count_leaves(CITY, SUBSCRIBE, INTENT);
    pass(7000);
    assert_int_equal(count_leaves(CITY, SUBSCRIBE, INTENT), n);
    set_ether(false, false, false);
    publish(XIHU, 5);
    await_number(sub, next_number - 1);
    assert_each(sub, from, next_number);
    finish(sub);
    await_twins();
}

static void over_stops_of_the_provider(void **state)
{
    struct sub *sub = &subs[CITY];
    begin_soon(sub, CITY);
    await_begun(sub);
    int64_t from = next_number;
    for (int i = 0; i < 2; i++) {
        publish(XIHU, 10);
        if (i)
            pass(200);
        publish(XIHU, 10);
        go_down(XIHU);
        pass(300);
        go_up(XIHU);
        publish(XIHU, 10);
    }
    await_number(sub, next_number - 1);
    assert_each(sub, from, next_number);
    assert_false(sub->is_ended);
    finish(sub);
    await_twins();
}

/* What it was told to keep and the other has not had is not passed over: it starts again with its key, and that comes. */
static void a_provider_without_its_key_does_not_start(void **state)
{
    struct sub *sub = &subs[CITY];
    begin_soon(sub, CITY);
    await_begun(sub);
    set_ether(true, false, false);
    publish(XIHU, 5);
    go_down(XIHU);
    be_refused_without_key(XIHU);
    go_up(XIHU);
    set_ether(false, false, false);
    await_number(sub, next_number - 1);
    finish(sub);
    await_twins();
}

/* The provider's disk comes back with an older day's copy and gives its numbers to other events, more than were lost: all of those come. */
static void over_an_older_disk_of_the_provider(void **state)
{
    struct sub *sub = &subs[CITY];
    const char *data = ones[XIHU].data;
    char command[600];
    int64_t from = begin_anew(sub);
    publish(XIHU, 1);
    await_number(sub, next_number - 1);
    snprintf(command, sizeof command, "cp -r '%s/streams' '%s/older'", data, data); /* while nothing is written */
    assert_int_equal(system(command), 0);
    for (int i = 0; i < 20; i++)
        publish(XIHU, 1);
    await_number(sub, next_number - 1);
    set_ether(true, false, false);
    go_down(XIHU);
    snprintf(command, sizeof command, "rm -r '%s/streams' && mv '%s/older' '%s/streams'", data, data, data);
    assert_int_equal(system(command), 0);
    go_up(XIHU);
    for (int i = 0; i < 40; i++)
        publish(XIHU, 1);
    set_ether(false, false, false);
    await_number(sub, next_number - 1);
    for (int64_t n = from; n < next_number; n++)
        assert_int_equal(sub->n_got[n], 1);
    finish(sub);
    await_twins();
}

/* Where the provider knows the city to be. */
static void look_at_place(void *context)
{
    struct hub_place_kept *place = context;
    struct district *district = ones[XIHU].district;
    const struct district_stream *stream = district_stream_find(district, hub_resource_find(ones[XIHU].hub, STR("h.x/lots/passage")));
    assert_non_null(stream);
    for (size_t i = 0; i < district->state->n_contracts; i++)
        if (str_equal_c(district->contracts[i], "h.x/c-7"))
            *place = district_stream_place(district, stream, i, 0);
}

static void await_confirmed(void)
{
    struct hub_place_kept place = {.confirmed = UINT64_MAX};
    for (int i = 0; i < 3000; i++) {
        loop_thread_call(ones[XIHU].district->thread, look_at_place, &place);
        if (place.confirmed == place.end)
            return;
        pass(20);
    }
    fail_msg("confirmed up to %llu of %llu", (unsigned long long)place.confirmed, (unsigned long long)place.end);
}

static void over_a_stop_of_the_consumer(void **state)
{
    struct sub *sub = &subs[CITY];
    int64_t from = begin_anew(sub);
    publish(XIHU, 10);
    await_number(sub, next_number - 1);
    await_confirmed();
    int64_t confirmed = next_number;
    publish(XIHU, 10);
    await_number(sub, next_number - 1);
    finish(sub);
    go_down(CITY);
    publish(XIHU, 10); /* nobody is there */
    pass(300);
    go_up(CITY);
    begin_soon(sub, CITY);
    await_number(sub, next_number - 1);
    assert_each(sub, from, next_number);
    for (int64_t n = from; n < confirmed; n++)
        assert_int_equal(sub->n_got[n], 1);
    for (int64_t n = confirmed; n < next_number; n++)
        assert_true(sub->n_got[n] <= 2); /* at most what was not confirmed comes again */
    finish(sub);
    await_twins();
}

/* A subscriber that stands still takes nothing; and one whose contract rests waits, and goes on. */
static void waits_for_its_subscriber_and_its_contract(void **state)
{
    struct sub *sub = &subs[CITY];
    begin_soon(sub, CITY);
    await_begun(sub);
    int64_t from = next_number;
    hub_subscription_pause(sub->subscription, true);
    size_t n = 0;
    for (int i = 0; n != forwards(); i++) { /* the asking under way ends */
        assert_true(i < 40);
        n = forwards();
        pass(1500);
    }
    publish(XIHU, 10);
    pass(1500);
    assert_int_equal(forwards(), n);
    assert_true(sub->last < from);
    hub_subscription_pause(sub->subscription, false);
    await_number(sub, next_number - 1);
    assert_ok(district_agree(ones[XIHU].district, STR("h"), DISTRICT_SUSPENDED));
    pass(300);
    publish(XIHU, 10);
    pass(1000);
    assert_int_equal(sub->last, next_number - 11);
    assert_ok(district_agree(ones[XIHU].district, STR("h"), DISTRICT_AGREED));
    await_number(sub, next_number - 1);
    assert_each(sub, from, next_number);
    finish(sub);
    await_twins();
}

/* ---- liars ---- */

static void put(uint8_t *at, uint64_t number)
{
    for (int i = 8; i-- > 0; number >>= 8)
        at[i] = (uint8_t)number;
}

static _Atomic int lie;
static uint8_t lying[1u << 20];

/* Behind the message's head (01, kind, boot, intent, leaf, part, whether there is one: 31 bytes): rule, more, two of an error, epoch,
 * first, watermark, how many. */
static struct str lies(struct str message)
{
    size_t at = 31 + 2 + 2;
    if (message.len < at + 26 || message.len > sizeof lying)
        return message;
    memcpy(lying, message.ptr, message.len);
    size_t n = message.len;
    switch (lie) {
    case 0:
        put(lying + at + 8, UINT64_MAX / 2); /* numbers that were never given */
        break;
    case 1:
        lying[at + 24] = 0xff; /* more records than there may be */
        break;
    default:
        memset(lying + at + 26, 0xff, n - at - 26); /* records of any length */
    }
    return (struct str){(const char *)lying, n};
}

static void a_provider_that_lies_harms_nobody_else(void **state)
{
    struct sub *sub = &subs[CITY];
    begin_soon(sub, CITY);
    await_begun(sub);
    int64_t from = next_number;
    sub->may_repeat = true; /* who is told that it is far on and believes it, asks from there, and is told anew */
    for (lie = 0; lie < 3; lie++) {
        size_t n = forwards();
        answer_lies = lies;
        publish(XIHU, 3);
        while (forwards() < n + 2)
            pass(20);
    }
    answer_lies = NULL;
    publish(XIHU, 3);
    await_number(sub, next_number - 1);
    assert_each(sub, from, next_number); /* its own stream, too, when it is honest again */
    finish(sub);
    await_twins();
}

/* What a hub may ask however it likes: of its own contract, as one window of number `intent`. */
static void ask_as_city(uint64_t intent, uint32_t part, const char *field, struct district_take take)
{
    static const struct hub_resource any = {.name = STR_INIT("h.x/lots/passage"), .kind = HUB_STREAM};
    const struct str fields[] = {str_from_c(field)};
    const struct district_question question = {.what = part ? DISTRICT_TAKE : DISTRICT_WINDOW,
        .contract = STR("h.x/c-7"),
        .resource = &any,
        .fields = fields,
        .n_fields = 1,
        .take = take};
    struct district_message message = {.kind = DISTRICT_FORWARD, .boot = ones[CITY].district->state->boot};
    uint8_t head[DISTRICT_MESSAGE_MAX];
    struct bytes_writer out;
    struct buf bytes;
    message.forward.intent = intent;
    message.forward.to_boot = ones[XIHU].district->state->boot;
    message.forward.part = part;
    bytes_writer_init(&out, head, sizeof head);
    district_message_write(&message, &out);
    buf_init(&bytes, 4096);
    buf_append(&bytes, head, out.len);
    district_question_write(&question, &bytes);
    assert_ok(bytes.err);
    send_as(CITY, XIHU, buf_str(&bytes));
    buf_finish(&bytes);
}

#define LIAR                                                                                                                               \
    (UINT64_C(1)                                                                                                                           \
        << 20) /* from here on its intents: uses that its ledger does not have; their receipts are a case there, and are not sworn to */
static _Atomic size_t n_answers_seen;
static struct str counts(struct str message)
{
    struct bytes_reader in;
    bytes_reader_init(&in, message.ptr, message.len);
    bytes_read_u16be(&in); /* format and kind */
    bytes_read_u64be(&in); /* boot */
    n_answers_seen += bytes_read_u64be(&in) >= LIAR;
    return message;
}

/* None was opened for it. */
static void assert_unserved(uint64_t intent)
{
    char twin[64];
    snprintf(twin, sizeof twin, SERVED "%llu\"", (unsigned long long)intent);
    assert_int_equal(count_leaves(XIHU, SUBSCRIBE, twin), 0);
}

static void an_asker_that_lies_harms_nobody_else(void **state)
{
    static const struct district_take takes[] = {{0, 0, 0}, {1, UINT64_MAX, UINT64_MAX}, {UINT64_MAX, 7, UINT64_MAX}, {0, UINT64_MAX, 0}};
    struct sub *sub = &subs[CITY];
    begin_soon(sub, CITY);
    await_begun(sub);
    int64_t from = next_number;
    answer_lies = counts;
    n_answers_seen = 0;
    for (size_t i = 0; i < sizeof takes / sizeof *takes; i++) {
        ask_as_city(LIAR + i, 0, "more", takes[i]);         /* a field that was not granted */
        ask_as_city(LIAR + 100 + i, 1, "number", takes[i]); /* a window that is not open */
    }
    publish(XIHU, 5);
    await_number(sub, next_number - 1);
    for (int i = 0; i < 3000 && n_answers_seen < sizeof takes / sizeof *takes; i++)
        pass(20);
    assert_true(n_answers_seen >= sizeof takes / sizeof *takes);
    for (size_t i = 0; i < sizeof takes / sizeof *takes; i++) {
        assert_unserved(LIAR + i);
        assert_unserved(LIAR + 100 + i);
    }
    answer_lies = NULL;
    publish(XIHU, 5);
    await_number(sub, next_number - 1);
    assert_each(sub, from, next_number);
    finish(sub);
    await_twins();
}

/* ---- a window that its asker never ends ---- */

static struct { /* of the last answer; written on a district's thread */
    _Atomic uint64_t intent, epoch, next;
    _Atomic uint32_t part;
    _Atomic int told;
    _Atomic bool is_gone; /* nothing of that number is open there */
} heard;

static struct str hears(struct str bytes)
{
    static struct hub_taken taken; /* one answer at a time */
    struct district_message message;
    struct district_reply reply;
    struct str rest, body;
    enum err told;
    if (district_message_read(bytes, &message, &rest) || message.kind != DISTRICT_ANSWER)
        return bytes;
    heard.is_gone = district_reply_read(rest, &reply, &body) || hub_taken_read(body, &taken, &told);
    heard.told = heard.is_gone ? ERR_OK : told;
    if (!heard.is_gone && !told) {
        heard.epoch = taken.epoch;
        heard.next = taken.first + taken.n;
    }
    heard.intent = message.answer.intent;
    heard.part = message.answer.part;
    return bytes;
}

/* Another part of the window that stands still, until it was answered. */
static void ask_on(uint64_t intent)
{
    uint32_t part = heard.part;
    for (int i = 0; heard.part == part && heard.intent == intent && !heard.is_gone; i++) {
        assert_true(i < 600);
        ask_as_city(intent, part + 1, "number", (struct district_take){heard.epoch, heard.next, 0}); /* taken on once, however often sent */
        pass(100);
    }
}

static size_t n_cut(void)
{
    return count_leaves(XIHU, OUTCOME, "\"status\":\"too_large\"") + count_leaves(XIHU, OUTCOME, "\"status\":\"timeout\"");
}

/* While the subscriber stands still its window is not ended; its part goes on in its name. False: on a slow machine it had ended before. */
static bool take_without_end(struct sub *sub, size_t *ret_n_cut)
{
    hub_subscription_pause(sub->subscription, true);
    pass(1500); /* the asking under way ends */
    uint64_t intent = heard.intent;
    *ret_n_cut = n_cut();
    while (!heard.told && !heard.is_gone) {
        publish(XIHU, 2000);
        ask_on(intent);
    }
    return !heard.is_gone && (heard.told == ERR_TOO_LARGE || heard.told == ERR_TIMEOUT);
}

static void a_window_that_is_never_ended_is_cut(void **state)
{
    struct sub *sub = &subs[CITY];
    size_t n;
    sub->may_repeat = false;
    answer_lies = hears;
    begin_soon(sub, CITY);
    await_begun(sub);
    int64_t from = next_number;
    for (int i = 0; !take_without_end(sub, &n); i++) {
        assert_true(i < 5);
        hub_subscription_pause(sub->subscription, false);
        publish(XIHU, 1);
        await_number(sub, next_number - 1);
    }
    for (int i = 0; i < 1200 && n_cut() == n; i++)
        pass(20);
    assert_int_equal(n_cut(), n + 1); /* its outcome is written, though they did not end it, */
    int told = heard.told;
    ask_on(heard.intent); /* and nothing more comes under it; */
    assert_true(heard.is_gone || heard.told == told);
    hub_subscription_pause(sub->subscription, false);
    await_number(sub, next_number - 1);
    answer_lies = NULL;
    assert_each(sub, from, next_number); /* under the next one all that it did not have */
    assert_false(sub->is_ended);
    finish(sub);
    await_twins();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(go_both_ways), cmocka_unit_test(a_stream_too_many),
        cmocka_unit_test(over_cut_links), cmocka_unit_test(a_cut_link_costs_no_leaves), cmocka_unit_test(over_stops_of_the_provider),
        cmocka_unit_test(a_provider_without_its_key_does_not_start), cmocka_unit_test(over_an_older_disk_of_the_provider),
        cmocka_unit_test(over_a_stop_of_the_consumer), cmocka_unit_test(waits_for_its_subscriber_and_its_contract),
        cmocka_unit_test(a_provider_that_lies_harms_nobody_else), cmocka_unit_test(an_asker_that_lies_harms_nobody_else),
        cmocka_unit_test(a_window_that_is_never_ended_is_cut)};
    return cmocka_run_group_tests(tests, go_up_all, go_down_all);
}
