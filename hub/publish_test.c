/*
 * Publishing: what is kept for those afar (hub/keeper.h) is handed over here too, or neither, whoever refuses it: a retry would double it.
 */
#include "base/mem.h"
#include "base/test.h"
#include "hub/fake.h"
#include "hub/keeper.h"
#include "hub/parts.h"
#include "hub/state.h"

#include <pthread.h>

static struct fake_city city;
static struct hub_keeper tee;
static const struct hub_resource *passage;
static _Atomic uint64_t n_kept, n_published;
static _Atomic bool is_over;
static enum err keep_err;

static enum err count_kept(struct hub_keeper *keeper, const struct hub_resource *resource, struct rows *rows)
{
    assert_ptr_equal(resource, passage);
    n_kept += keep_err == ERR_OK;
    return keep_err;
}

static int make(void **state)
{
    struct diag_list diags;
    fake_city_make(&city);
    city.ledger = fake_ledger();
    if (fake_city_load(&city, &diags))
        return 1;
    passage = hub_resource_find(city.hub, STR("h/police/passage"));
    tee.keep = count_kept;
    city.hub->tee = &tee;
    hub_stream_tee(passage, true);
    n_kept = n_published = 0;
    keep_err = ERR_OK;
    is_over = false;
    return 0;
}

static int finish(void **state)
{
    fake_city_unload(&city);
    fake_city_remove(&city);
    fake_ledger_reset();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

static void take(void *context, const struct hub_window *window, struct rows *rows)
{
    *(size_t *)context += rows_n(rows);
}

static void ended(void *context, const struct hub_refusal *why) {}

/* Holds at most `limit` batches. */
static struct hub_subscription *subscribe(size_t *n_rows, size_t limit)
{
    static const struct str fields[] = {STR_INIT("camera")};
    struct hub_subscription *subscription;
    const struct hub_subscribe_options options = {.party = STR("h/count"),
        .resource = STR("h/police/passage"),
        .purpose = STR("traffic.count"),
        .fields = fields,
        .n_fields = 1,
        .loop = city.loop,
        .limit = limit,
        .on_rows = take,
        .on_end = ended,
        .context = n_rows};
    assert_ok(hub_subscribe(city.hub, &options, NULL, &subscription));
    return subscription;
}

static enum err publish(void)
{
    const struct value values[] = {value_text(STR("c1")), value_text(STR("浙A12345")), value_time(1)};
    struct rows *rows;
    assert_ok(rows_create(3, 1000, &rows));
    assert_ok(rows_add(rows, values));
    enum err err = hub_publish(city.hub, passage, rows);
    rows_release(rows);
    return err;
}

static void count_batch(void *context, struct rows *rows)
{
    ++*(size_t *)context;
}

/* One beside the hub's own subscriptions, of which the hub knows nothing: the bus says no, and nothing has happened. */
static void another_on_the_bus_is_full(void **state)
{
    size_t n_rows = 0, n_batches = 0;
    struct bus_subscription *other;
    const struct bus_subscriber subscriber = {
        .loop = city.loop, .limit = 1, .when_full = BUS_REFUSE, .on_rows = count_batch, .context = &n_batches};
    struct hub_subscription *subscription = subscribe(&n_rows, 8);
    assert_ok(bus_subscribe(city.bus, hub_entry_of(passage)->subject, &subscriber, &other));
    assert_ok(publish());
    for (int i = 0; i < 3; i++)
        assert_err(publish(), ERR_FULL);
    assert_int_equal(n_kept, 1);
    fake_city_spin(&city);
    assert_true(n_rows == 1 && n_batches == 1 && hub_is_handed_over(passage));
    assert_ok(publish());
    fake_city_spin(&city);
    assert_true(n_rows == 2 && n_batches == 2 && n_kept == 2 && hub_is_handed_over(passage));
    bus_unsubscribe(other);
    hub_unsubscribe(subscription);
    fake_city_spin(&city);
}

static void the_keeper_refuses(void **state)
{
    static const enum err errs[] = {ERR_FULL, ERR_DISK_FULL, ERR_RANGE};
    size_t n_rows = 0;
    struct hub_subscription *subscription = subscribe(&n_rows, 1);
    for (size_t i = 0; i < sizeof errs / sizeof *errs; i++) {
        keep_err = errs[i];
        assert_err(publish(), errs[i]);
        fake_city_spin(&city);
    }
    assert_true(n_rows == 0 && n_kept == 0 && hub_is_handed_over(passage));
    keep_err = ERR_OK;
    assert_ok(publish()); /* the refused ones took no room */
    fake_city_spin(&city);
    assert_true(n_rows == 1 && n_kept == 1);
    hub_unsubscribe(subscription);
    fake_city_spin(&city);
}

static void *publish_on(void *context)
{
    while (!is_over)
        n_published += publish() == ERR_OK;
    return NULL;
}

/* Though full subscribers come and go. */
static void kept_or_refused(void **state)
{
    pthread_t publisher;
    assert_int_equal(pthread_create(&publisher, NULL, publish_on, NULL), 0);
    for (int i = 0; i < 60; i++) {
        size_t n_rows = 0;
        struct hub_subscription *subscription = subscribe(&n_rows, 1);
        while (publish() != ERR_FULL)
            n_published++;
        hub_unsubscribe(subscription);
        fake_city_spin(&city);
    }
    is_over = true;
    pthread_join(publisher, NULL);
    assert_int_equal(n_kept, n_published);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_on_the_bus_is_full, make, finish),
        cmocka_unit_test_setup_teardown(the_keeper_refuses, make, finish),
        cmocka_unit_test_setup_teardown(kept_or_refused, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
