/*
 * Subscriptions: no row before its window's receipt is durable, granted fields only, windows and their leaves, limits, revocation, replay,
 * and the health of sources as a stream.
 */
#include "base/mem.h"
#include "base/test.h"
#include "hub/fake.h"
#include "hub/negotiate.h"
#include "hub/parts.h"
#include "hub/state.h"
#include "hub/window.h"

#include <stdio.h>
#include <string.h>

static struct fake_city city;

struct taker {
    size_t n_batches, n_rows, n_fields;
    char receipt[HUB_RECEIPT_MAX], first[32], last[32];
    size_t n_receipts;
    int ended_rule;
    enum err ended;
    struct hub_subscription *unsubscribe; /* inside of the call-back */
};

static void take(void *context, const struct hub_window *window, struct rows *rows)
{
    struct taker *taker = context;
    taker->n_batches++;
    taker->n_rows += rows_n(rows);
    taker->n_fields = rows_n_fields(rows);
    if (strncmp(taker->receipt, window->receipt.ptr, window->receipt.len) != 0 || taker->receipt[window->receipt.len] != '\0') {
        snprintf(taker->receipt, sizeof taker->receipt, STR_FORMAT, STR_ARG(window->receipt));
        taker->n_receipts++;
    }
    const struct value *value = rows_at(rows, rows_n(rows) - 1);
    if (value->type == VALUE_TEXT) {
        snprintf(taker->last, sizeof taker->last, STR_FORMAT, STR_ARG(value->s));
        if (!taker->first[0])
            snprintf(taker->first, sizeof taker->first, STR_FORMAT, STR_ARG(value->s));
    }
    if (taker->unsubscribe) {
        hub_unsubscribe(taker->unsubscribe);
        taker->unsubscribe = NULL;
    }
}

static void ended(void *context, const struct hub_refusal *why)
{
    struct taker *taker = context;
    taker->ended_rule = why->rule;
    taker->ended = why->err;
}

static int make(void **state)
{
    struct diag_list diags;
    fake_city_make(&city);
    city.ledger = fake_ledger();
    return fake_city_load(&city, &diags) != ERR_OK;
}

static int finish(void **state)
{
    fake_city_unload(&city);
    fake_city_remove(&city);
    fake_ledger_reset();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

static const struct str camera_time[] = {STR_INIT("time"), STR_INIT("camera")};

static struct hub_subscribe_options options_for(struct taker *taker)
{
    return (struct hub_subscribe_options){
        .party = STR("h/count"),
        .resource = STR("h/police/passage"),
        .purpose = STR("traffic.count"),
        .fields = camera_time + 1,
        .n_fields = 1,
        .loop = city.loop,
        .on_rows = take,
        .on_end = ended,
        .context = taker,
    };
}

static enum err publish(const char *camera, size_t n)
{
    const struct value values[] = {value_text(str_from_c(camera)), value_text(STR("浙A12345")), value_time(1)};
    struct rows *rows;
    assert_ok(rows_create(3, 16u << 20, &rows));
    for (size_t i = 0; i < n; i++)
        assert_ok(rows_add(rows, values));
    enum err err = hub_publish(city.hub, hub_resource_find(city.hub, STR("h/police/passage")), rows);
    rows_release(rows);
    return err;
}

static void intent_before_rows(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    options.fields = camera_time;
    options.n_fields = 2;
    fake_ledger_hold(true);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    assert_ok(publish("c1", 2));
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 0);
    fake_ledger_hold(false);
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 2);
    assert_int_equal(taker.n_fields, 2);
    assert_int_equal(fake_ledger_count("\"use\":\"subscribe\""), 1);
    assert_int_equal(fake_ledger_count("浙A"), 0);
    char receipt[HUB_RECEIPT_MAX];
    snprintf(receipt, sizeof receipt, "h.log/%zu", fake_ledger_n() - 1);
    assert_string_equal(taker.receipt, receipt);
    hub_unsubscribe(subscription);
    fake_city_spin(&city);
    assert_int_equal(fake_ledger_count("\"rows\":2,\"status\":\"ok\""), 1);
}

static void windows_by_rows(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    for (int i = 0; i < 25; i++) {
        assert_ok(publish("c1", 1000));
        fake_city_spin(&city);
    }
    assert_int_equal(taker.n_rows, 25000);
    assert_int_equal(taker.n_receipts, 3);
    hub_unsubscribe(subscription);
    fake_city_spin(&city);
    assert_int_equal(fake_ledger_count("\"rows\":10000,"), 2);
    assert_int_equal(fake_ledger_count("\"rows\":5000,"), 1);
    assert_int_equal(fake_ledger_count("\"type\":\"outcome\""), fake_ledger_count("\"use\":\"subscribe\""));
}

static void windows_by_time(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    assert_ok(publish("c1", 1));
    fake_city_spin(&city);
    clock_fake_advance_ms(&city.clock, 9000);
    assert_ok(publish("c1", 1));
    fake_city_spin(&city);
    assert_int_equal(taker.n_receipts, 1);
    assert_int_equal(fake_ledger_count("\"use\":\"subscribe\""), 2); /* the next one is open already */
    clock_fake_advance_ms(&city.clock, 1000);
    fake_city_spin(&city);
    assert_int_equal(fake_ledger_count("\"rows\":2,"), 1); /* closed though nothing more came */
    assert_ok(publish("c1", 1));
    fake_city_spin(&city);
    assert_int_equal(taker.n_receipts, 2);
    clock_fake_advance_ms(&city.clock, 60000);
    fake_city_spin(&city);
    assert_int_equal(fake_ledger_count("\"use\":\"subscribe\""), 2); /* silence leaves no leaves */
    hub_unsubscribe(subscription);
}

static void revoked(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    assert_ok(publish("c1", 1));
    fake_city_spin(&city);
    assert_ok(fake_city_step(&city, "h/c-1", NEGOTIATE_SUSPEND));
    assert_ok(publish("c1", 1));
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 1);
    assert_int_equal(taker.ended, ERR_DENIED);
    assert_int_equal(taker.ended_rule, 1);
    hub_unsubscribe(subscription);
    struct hub_refusal refusal;
    assert_err(hub_subscribe(city.hub, &options, &refusal, &subscription), ERR_DENIED);
    assert_int_equal(refusal.rule, 1);
    assert_ok(fake_city_step(&city, "h/c-1", NEGOTIATE_RESUME));
    assert_ok(hub_subscribe(city.hub, &options, &refusal, &subscription));
    clock_fake_advance_ms(&city.clock, INT64_C(2) * 366 * 86400000); /* past `until` */
    assert_ok(publish("c1", 1));
    fake_city_spin(&city);
    assert_int_equal(taker.ended_rule, 3);
    hub_unsubscribe(subscription);
}

static void load_with_quota(const char *quota)
{
    char text[512];
    struct diag_list diags;
    fake_city_unload(&city);
    snprintf(text, sizeof text,
        "contract: h/c-1\nprovider: h/police\nconsumer: h/count\nresource: h/police/passage\nuses: [subscribe]\n"
        "fields: [camera, time]\npurpose: traffic.count\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\n"
        "until: 2028-01-01\nkeep: 24h\nstate: agreed\n%s",
        quota);
    fake_city_write(&city, "contracts/c-1.yaml", text);
    assert_ok(fake_city_load(&city, &diags));
}

/* One batch a window, until nothing more is handed over; with what the disk's reservation takes. */
static void use_windows(struct taker *taker, int n)
{
    for (int i = 0; i < n && !taker->ended; i++) {
        size_t before = taker->n_rows;
        assert_ok(publish("c1", 1)); /* the provider never waits for the next day */
        for (int j = 0; j < 1000 && taker->n_rows == before && !taker->ended; j++) {
            fake_city_spin(&city);
            clock_fake_advance_ms(&city.clock, 10);
        }
        clock_fake_advance_ms(&city.clock, 10000);
        fake_city_spin(&city);
    }
}

static void a_day_used_up_ends_it(void **state)
{
    static const struct {
        const char *quota;
        int rule;
    } rows[] = {{"per_day: 3\n", 11}, {"per_month: 3\n", 12}};
    for (size_t i = 0; i < 2; i++) {
        struct taker taker = {0};
        struct hub_subscription *subscription = NULL;
        struct hub_refusal refusal = {0};
        load_with_quota(rows[i].quota);
        struct hub_subscribe_options options = options_for(&taker);
        options.when_full = BUS_REFUSE;
        options.limit = 2;
        assert_ok(hub_subscribe(city.hub, &options, &refusal, &subscription));
        use_windows(&taker, 12);
        assert_int_equal(taker.ended, ERR_BUSY);
        assert_int_equal(taker.ended_rule, rows[i].rule);
        assert_int_equal(taker.n_rows, 3);
        hub_unsubscribe(subscription);
        subscription = NULL;
        assert_err(hub_subscribe(city.hub, &options, &refusal, &subscription), ERR_BUSY);
        assert_int_equal(refusal.rule, rows[i].rule);
        assert_null(subscription);
        clock_fake_advance_ms(&city.clock, (i == 0 ? 1 : 31) * INT64_C(86400000));
        taker.ended = ERR_OK;
        assert_ok(hub_subscribe(city.hub, &options, &refusal, &subscription));
        use_windows(&taker, 1);
        assert_int_equal(taker.n_rows, 4);
        hub_unsubscribe(subscription);
        fake_city_spin(&city);
        clock_fake_advance_ms(&city.clock, 31 * INT64_C(86400000)); /* another month: the next row's uses begin at none */
    }
}

static int64_t used_today(void)
{
    int64_t day, month;
    hub_quota_used(names_get(&city.hub->contract_names, STR("h/c-1")), clock_wall(city.hub->clock), &day, &month);
    return day;
}

/* Subscribes, stays for so long without a row, and leaves. Returns whether a window had been begun: else its use was still being reserved.
 */
static bool stay_silent(const struct hub_subscribe_options *options, int64_t ms)
{
    struct hub_subscription *subscription;
    size_t n = fake_ledger_count("\"status\":\"unused\"");
    assert_ok(hub_subscribe(city.hub, options, NULL, &subscription));
    fake_city_spin(&city);
    clock_fake_advance_ms(&city.clock, ms);
    fake_city_spin(&city);
    hub_unsubscribe(subscription);
    fake_city_spin(&city);
    size_t n_more = fake_ledger_count("\"status\":\"unused\"") - n;
    assert_true(n_more <= 1); /* one, however long it was silent */
    return n_more == 1;
}

/* Who stays a window's time without a row has used nothing; shorter ones are counted, since each costs leaves. */
static void silence_is_not_counted(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    load_with_quota("per_day: 1000\n");
    struct hub_subscribe_options options = options_for(&taker);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    use_windows(&taker, 5);
    hub_unsubscribe(subscription);
    fake_city_spin(&city);
    int64_t used = used_today();
    assert_true(used >= 5);
    for (int n = 0, i = 0; n < 5; i++) {
        assert_true(i < 10000);
        n += stay_silent(&options, i % 2 ? 3600000 : HUB_WINDOW_MS);
        assert_int_equal(used_today(), used);
        clock_fake_advance_ms(&city.clock, -(i % 2 ? 3600000 : HUB_WINDOW_MS)); /* the same day */
    }
    for (int n = 0, i = 0; n < 5; i++) {
        assert_true(i < 10000);
        n += stay_silent(&options, HUB_WINDOW_MS - 1);
        assert_int_equal(used_today(), used + n);
        clock_fake_advance_ms(&city.clock, 1 - HUB_WINDOW_MS);
    }
}

/* The last window of the day is used to its end, though the next one, asked for ahead, is refused. */
static void the_last_window_is_whole(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    load_with_quota("per_day: 1\n");
    struct hub_subscribe_options options = options_for(&taker);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    for (int i = 0; i < 10; i++) {
        assert_ok(publish("c1", 1000));
        fake_city_spin(&city);
        clock_fake_advance_ms(&city.clock, 10);
    }
    for (int i = 0; i < 500 && taker.n_rows < 10000; i++) { /* the disk may take its time to reserve the use */
        clock_fake_advance_ms(&city.clock, 10);
        fake_city_spin(&city);
    }
    assert_int_equal(taker.n_rows, 10000);
    assert_int_equal(taker.ended, ERR_OK);
    assert_ok(publish("c1", 1000));
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 10000);
    assert_int_equal(taker.ended_rule, 11);
    hub_unsubscribe(subscription);
}

/* Over the uses of a second it waits for the next one. */
static void a_second_used_up_waits(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    load_with_quota("per_second: 1\n");
    struct hub_subscribe_options options = options_for(&taker);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    for (int i = 0; i < 12; i++) { /* the second window of the same second */
        assert_ok(publish("c1", 1000));
        fake_city_spin(&city);
    }
    assert_int_equal(taker.n_rows, 10000);
    clock_fake_advance_ms(&city.clock, 1000);
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 12000);
    assert_int_equal(taker.ended, ERR_OK);
    hub_unsubscribe(subscription);
}

static void denied(void **state)
{
    static const struct str plate[] = {STR_INIT("plate")};
    static const struct {
        struct str party, resource, purpose;
        const struct str *fields;
        int rule;
    } rows[] = {
        {STR_INIT("h/cockpit"), STR_INIT("h/police/passage"), STR_INIT("traffic.count"), camera_time, 0},
        {STR_INIT("h/count"), STR_INIT("h/police/passages"), STR_INIT("traffic.count"), camera_time, 0},
        {STR_INIT("h/count"), STR_INIT("h/police/vehicle"), STR_INIT("traffic.count"), camera_time, 0},
        {STR_INIT("h/count"), STR_INIT("h/police/passage"), STR_INIT("traffic.counting"), camera_time, 8},
        {STR_INIT("h/count"), STR_INIT("h/police/passage"), STR_INIT("traffic.count"), plate, 9},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct taker taker = {0};
        struct hub_subscribe_options options = options_for(&taker);
        struct hub_subscription *subscription = NULL;
        struct hub_refusal refusal = {0};
        options.party = rows[i].party;
        options.resource = rows[i].resource;
        options.purpose = rows[i].purpose;
        options.fields = rows[i].fields;
        assert_err(hub_subscribe(city.hub, &options, &refusal, &subscription), ERR_DENIED);
        assert_null(subscription);
        assert_int_equal(refusal.rule, rows[i].rule);
    }
    assert_int_equal(fake_ledger_count("\"use\""), 0);
}

static void refuses_when_full(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    options.limit = 4;
    fake_ledger_hold(true);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    for (int i = 0; i < 4; i++) {
        assert_ok(publish("c1", 1));
        fake_city_spin(&city);
    }
    assert_err(publish("c1", 1), ERR_FULL);
    fake_ledger_hold(false);
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 4);
    assert_ok(publish("c1", 1));
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 5);
    hub_unsubscribe(subscription);
}

static void drops_the_oldest(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    options.limit = 4;
    options.when_full = BUS_DROP_OLDEST;
    fake_ledger_hold(true);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    for (int i = 0; i < 10; i++) {
        char name[2] = {(char)('0' + i), 0};
        assert_ok(publish(name, 1));
        fake_city_spin(&city);
    }
    fake_ledger_hold(false);
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 4);
    assert_string_equal(taker.first, "6");
    assert_string_equal(taker.last, "9");
    hub_unsubscribe(subscription);
}

static void ledger_gone(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    fake_ledger_break(ERR_DISK_FULL);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    assert_ok(publish("c1", 1));
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 0);
    assert_int_equal(taker.ended, ERR_DISK_FULL);
    fake_ledger_break(ERR_OK);
    hub_unsubscribe(subscription);
}

/* The ledger is behind for a while: rows wait, nothing ends. */
static void ledger_full(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    fake_ledger_refuse(ERR_FULL);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    assert_ok(publish("c1", 1));
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 0);
    fake_ledger_refuse(ERR_OK);
    clock_fake_advance_ms(&city.clock, 1000);
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 1);
    assert_int_equal(taker.ended, ERR_OK);
    hub_unsubscribe(subscription);
}

static void unsubscribes_inside(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    taker.unsubscribe = subscription;
    assert_ok(publish("c1", 3));
    assert_ok(publish("c1", 3));
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 3);
    assert_int_equal(fake_ledger_count("\"rows\":3,"), 1);
}

/* Kept rows first, in order; then live ones; what was in both comes once. */
static void replays(void **state)
{
    static const struct str plate_time[] = {STR_INIT("plate"), STR_INIT("time")};
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    struct rows *rows;
    fake_city_write(&city, "contracts/c-1.yaml",
        "contract: h/c-1\nprovider: h/police\nconsumer: h/count\nresource: h/police/passage\nuses: [subscribe]\n"
        "fields: [plate, time]\npurpose: traffic.count\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\n"
        "until: 2028-01-01\nkeep: 24h\nstate: agreed\n");
    struct diag_list diags;
    fake_city_unload(&city);
    assert_ok(fake_city_load(&city, &diags));
    fake_system.n_replay = 20;
    options.loop = city.loop;
    options.fields = plate_time;
    options.n_fields = 2;
    options.from_ms = 1;
    options.limit = 3;
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    assert_ok(rows_create(3, 1 << 20, &rows)); /* the last two of the replay, and one more */
    for (int i = 18; i < 21; i++) {
        char plate[8];
        snprintf(plate, sizeof plate, "A%d", i);
        const struct value values[] = {value_text(STR("cam")), value_text(str_from_c(plate)), value_time(i)};
        assert_ok(rows_add(rows, values));
    }
    assert_ok(hub_publish(city.hub, hub_resource_find(city.hub, STR("h/police/passage")), rows));
    rows_release(rows);
    for (int i = 0; i < 1000 && taker.n_rows < 21; i++)
        assert_ok(loop_run_once(city.loop, 10));
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 21);
    assert_string_equal(taker.first, "A0");
    assert_string_equal(taker.last, "A20");
    for (int i = 0; i < 10; i++) { /* nothing of the replay is held any more */
        assert_ok(publish("c1", 1));
        fake_city_spin(&city);
    }
    assert_int_equal(taker.n_rows, 31);
    hub_unsubscribe(subscription);
}

static void unsubscribes_while_replaying(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    fake_system.n_replay = 1000;
    options.from_ms = 1;
    options.limit = 3;
    fake_ledger_hold(true);
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    fake_city_spin(&city);
    hub_unsubscribe(subscription);
    fake_ledger_hold(false);
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 0);
}

/* Subscribing, one batch and unsubscribing with the Nth allocation failing: refused, ended or served, and nothing leaks. */
static void each_allocation_fails_once(void **state)
{
    bool is_served = false;
    uint64_t n = 0;
    while (!is_served && ++n < 1000) {
        struct taker taker = {0};
        struct hub_subscription *subscription = NULL;
        struct hub_subscribe_options options = options_for(&taker);
        mem_fail_nth(n);
        enum err err = hub_subscribe(city.hub, &options, NULL, &subscription);
        mem_fail_nth(0);
        struct rows *rows = NULL;
        const struct value values[] = {value_text(STR("c")), value_text(STR("p")), value_time(1)};
        assert_ok(rows_create(3, 1 << 20, &rows));
        assert_ok(rows_add(rows, values));
        fake_city_spin(&city);
        mem_fail_nth(n);
        enum err published = hub_publish(city.hub, hub_resource_find(city.hub, STR("h/police/passage")), rows);
        fake_city_spin(&city);
        mem_fail_nth(0);
        clock_fake_advance_ms(&city.clock, 2000); /* a retry without memory comes later */
        fake_city_spin(&city);
        rows_release(rows);
        if (err)
            assert_null(subscription);
        else if (!published)
            assert_true(taker.n_rows == 1 || taker.ended != ERR_OK);
        is_served = !err && !published && taker.n_rows == 1 && n > 20;
        hub_unsubscribe(subscription);
        fake_city_spin(&city);
    }
    assert_true(is_served);
}

static void health_of_sources(void **state)
{
    struct taker taker = {0};
    struct hub_subscription *subscription;
    struct hub_subscribe_options options = options_for(&taker);
    static const struct str health[] = {STR_INIT("health"), STR_INIT("source")};
    fake_city_unload(&city);
    fake_city_write(&city, "contracts/c-9.yaml",
        "contract: h/c-9\nprovider: h/hub\nconsumer: h/cockpit\nresource: h/hub/source\nuses: [subscribe]\n"
        "fields: [health, source]\npurpose: cockpit.show\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\n"
        "until: 2028-01-01\nkeep: 24h\nstate: agreed\n");
    struct diag_list diags;
    assert_ok(fake_city_load(&city, &diags));
    struct hub_source source = {.party = STR("h/police"), .source = STR("camera/1"), .area = STR("h.x"), .health = HUB_FRESH};
    hub_source_report(city.hub, &source);
    fake_city_spin(&city);
    options.loop = city.loop;
    options.party = STR("h/cockpit");
    options.resource = STR("h/hub/source");
    options.purpose = STR("cockpit.show");
    options.fields = health;
    options.n_fields = 2;
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 1); /* what is known, at once */
    assert_string_equal(taker.last, "fresh");
    hub_source_report(city.hub, &source);
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 1); /* nothing changed */
    source.health = HUB_DOWN;
    hub_source_report(city.hub, &source);
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 2);
    assert_string_equal(taker.last, "down");
    clock_fake_advance_ms(&city.clock, 60000);
    hub_source_report(city.hub, &source);
    fake_city_spin(&city);
    assert_int_equal(taker.n_rows, 3); /* again after a minute */
    hub_unsubscribe(subscription);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(intent_before_rows, make, finish),
        cmocka_unit_test_setup_teardown(windows_by_rows, make, finish),
        cmocka_unit_test_setup_teardown(windows_by_time, make, finish),
        cmocka_unit_test_setup_teardown(revoked, make, finish),
        cmocka_unit_test_setup_teardown(a_day_used_up_ends_it, make, finish),
        cmocka_unit_test_setup_teardown(silence_is_not_counted, make, finish),
        cmocka_unit_test_setup_teardown(the_last_window_is_whole, make, finish),
        cmocka_unit_test_setup_teardown(a_second_used_up_waits, make, finish),
        cmocka_unit_test_setup_teardown(denied, make, finish),
        cmocka_unit_test_setup_teardown(refuses_when_full, make, finish),
        cmocka_unit_test_setup_teardown(drops_the_oldest, make, finish),
        cmocka_unit_test_setup_teardown(ledger_gone, make, finish),
        cmocka_unit_test_setup_teardown(ledger_full, make, finish),
        cmocka_unit_test_setup_teardown(unsubscribes_inside, make, finish),
        cmocka_unit_test_setup_teardown(replays, make, finish),
        cmocka_unit_test_setup_teardown(unsubscribes_while_replaying, make, finish),
        cmocka_unit_test_setup_teardown(each_allocation_fails_once, make, finish),
        cmocka_unit_test_setup_teardown(health_of_sources, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
