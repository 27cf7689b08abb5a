/*
 * The bus: order, all or none, dropping the oldest, ending at any moment, several publishers at once (run under TSan too),
 * each failed allocation.
 */
#include "bus/bus.h"

#include "base/mem.h"
#include "base/test.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static struct rows *batch(int64_t publisher, int64_t number)
{
    struct rows *rows = NULL;
    const struct value values[] = {value_integer(publisher), value_integer(number)};
    assert_ok(rows_create(2, 4096, &rows));
    assert_ok(rows_add(rows, values));
    return rows;
}

static enum err publish(struct bus *bus, const char *subject, int64_t number)
{
    struct rows *rows = batch(0, number);
    enum err err = bus_publish(bus, str_from_c(subject), rows);
    rows_release(rows);
    return err;
}

struct reader {
    struct bus *bus;
    struct bus_subscription *subscription;
    int64_t numbers[256];
    size_t n;
    int64_t end_at; /* unsubscribe inside of on_rows() at this number; 0: never */
    struct rows *kept;
};

static void on_rows(void *context, struct rows *rows)
{
    struct reader *reader = context;
    reader->numbers[reader->n++] = rows_at(rows, 0)[1].i;
    if (reader->end_at != 0 && rows_at(rows, 0)[1].i == reader->end_at) {
        reader->kept = rows_hold(rows);
        bus_unsubscribe(reader->subscription);
        reader->subscription = NULL;
    }
}

static void subscribe(
    struct bus *bus, struct loop *loop, const char *subject, size_t limit, enum bus_when_full when_full, struct reader *reader)
{
    const struct bus_subscriber subscriber = {.loop = loop, .limit = limit, .when_full = when_full, .on_rows = on_rows, .context = reader};
    *reader = (struct reader){.bus = bus};
    assert_ok(bus_subscribe(bus, str_from_c(subject), &subscriber, &reader->subscription));
}

struct fixture {
    int64_t n_live;
    struct bus *bus;
    struct loop *loop;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture.n_live = mem_n_live();
    *state = &fixture;
    return bus_create(&fixture.bus) != ERR_OK || loop_create(clock_system(), &fixture.loop) != ERR_OK;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    bus_destroy(f->bus);
    loop_destroy(f->loop);
    return mem_n_live() != f->n_live;
}

static void run(struct fixture *f)
{
    for (int i = 0; i < 4; i++)
        assert_ok(loop_run_once(f->loop, 0));
}

static void delivers_in_order_to_its_subject(void **state)
{
    struct fixture *f = *state;
    struct reader a, b, other;
    assert_ok(publish(f->bus, "hangzhou.police.passage", 1)); /* nobody listens */
    subscribe(f->bus, f->loop, "hangzhou.police.passage", 8, BUS_REFUSE, &a);
    subscribe(f->bus, f->loop, "hangzhou.police.passage", 8, BUS_DROP_OLDEST, &b);
    subscribe(f->bus, f->loop, "hangzhou.police", 8, BUS_REFUSE, &other);
    for (int64_t i = 2; i < 6; i++)
        assert_ok(publish(f->bus, "hangzhou.police.passage", i));
    assert_int_equal(a.n, 0); /* never on the publisher's call */
    run(f);
    assert_int_equal(a.n, 4);
    assert_int_equal(b.n, 4);
    assert_int_equal(other.n, 0);
    for (int64_t i = 0; i < 4; i++) {
        assert_int_equal(a.numbers[i], i + 2);
        assert_int_equal(b.numbers[i], i + 2);
    }
    bus_unsubscribe(a.subscription);
    bus_unsubscribe(b.subscription);
    bus_unsubscribe(other.subscription);
    bus_unsubscribe(NULL);
}

static void refuses_for_all_when_one_is_full(void **state)
{
    struct fixture *f = *state;
    struct reader narrow, wide;
    subscribe(f->bus, f->loop, "s", 2, BUS_REFUSE, &narrow);
    subscribe(f->bus, f->loop, "s", 8, BUS_REFUSE, &wide);
    assert_ok(publish(f->bus, "s", 1));
    assert_ok(publish(f->bus, "s", 2));
    assert_err(publish(f->bus, "s", 3), ERR_FULL);
    run(f);
    assert_int_equal(narrow.n, 2);
    assert_int_equal(wide.n, 2);
    assert_ok(publish(f->bus, "s", 4));
    run(f);
    assert_int_equal(narrow.numbers[2], 4);
    assert_int_equal(wide.numbers[2], 4);
    bus_unsubscribe(narrow.subscription);
    bus_unsubscribe(wide.subscription);
}

static enum err keep_err;
static size_t n_kept;

static enum err keep(void *context, struct rows *rows)
{
    assert_true(rows_n(rows) == 1 && context == &n_kept);
    n_kept += keep_err == ERR_OK;
    return keep_err;
}

/* Kept and handed over to all, or neither: a full subscriber before it, and who keeps after. */
static void keeps_what_all_get(void **state)
{
    struct fixture *f = *state;
    struct reader narrow;
    struct rows *rows = batch(0, 7);
    n_kept = 0;
    keep_err = ERR_OK;
    assert_ok(bus_publish_kept(f->bus, STR("s"), rows, keep, &n_kept)); /* nobody listens: it is kept all the same */
    subscribe(f->bus, f->loop, "s", 1, BUS_REFUSE, &narrow);
    keep_err = ERR_DISK_FULL;
    assert_err(bus_publish_kept(f->bus, STR("s"), rows, keep, &n_kept), ERR_DISK_FULL);
    assert_err(bus_publish_kept(f->bus, STR("nobody"), rows, keep, &n_kept), ERR_DISK_FULL);
    run(f);
    assert_true(narrow.n == 0 && n_kept == 1);
    keep_err = ERR_OK;
    assert_ok(bus_publish_kept(f->bus, STR("s"), rows, keep, &n_kept));
    assert_err(bus_publish_kept(f->bus, STR("s"), rows, keep, &n_kept), ERR_FULL);
    run(f);
    assert_true(narrow.n == 1 && n_kept == 2);
    rows_release(rows);
    bus_unsubscribe(narrow.subscription);
}

static void drops_the_oldest_and_counts(void **state)
{
    struct fixture *f = *state;
    struct reader screen;
    subscribe(f->bus, f->loop, "s", 3, BUS_DROP_OLDEST, &screen);
    for (int64_t i = 1; i <= 10; i++)
        assert_ok(publish(f->bus, "s", i));
    assert_int_equal(bus_n_dropped(screen.subscription), 7);
    run(f);
    assert_int_equal(screen.n, 3);
    assert_int_equal(screen.numbers[0], 8);
    assert_int_equal(screen.numbers[2], 10);
    bus_unsubscribe(screen.subscription);
}

static void ends_with_batches_waiting(void **state)
{
    struct fixture *f = *state;
    struct reader a;
    subscribe(f->bus, f->loop, "s", 8, BUS_REFUSE, &a);
    assert_ok(publish(f->bus, "s", 1));
    bus_unsubscribe(a.subscription);
    run(f);
    assert_int_equal(a.n, 0);
    subscribe(f->bus, f->loop, "s", 8, BUS_REFUSE, &a);
    assert_ok(publish(f->bus, "s", 1));
    bus_unsubscribe(a.subscription); /* and its loop has no round any more: bus_destroy() frees it */
}

static void ends_inside_of_its_own_call(void **state)
{
    struct fixture *f = *state;
    struct reader a;
    subscribe(f->bus, f->loop, "s", 8, BUS_REFUSE, &a);
    a.end_at = 2;
    for (int64_t i = 1; i <= 4; i++)
        assert_ok(publish(f->bus, "s", i));
    run(f);
    assert_int_equal(a.n, 2);
    assert_int_equal(rows_at(a.kept, 0)[1].i, 2); /* what was held outlives the subscription */
    rows_release(a.kept);
    assert_ok(publish(f->bus, "s", 5));
}

static void a_busy_subject_leaves_the_loop_its_turns(void **state)
{
    struct fixture *f = *state;
    struct reader a;
    subscribe(f->bus, f->loop, "s", 200, BUS_REFUSE, &a);
    for (int64_t i = 1; i <= 64; i++)
        assert_ok(publish(f->bus, "s", i));
    assert_ok(loop_run_once(f->loop, 0));
    assert_int_equal(a.n, 64);
    run(f);
    bus_unsubscribe(a.subscription);
}

/* ---- several threads ---- */

#define N_PUBLISHERS 4
#define N_BATCHES 2000

struct publisher {
    pthread_t thread;
    struct bus *bus;
    int64_t number;
    uint64_t n_refused;
};

static void *publish_all(void *context)
{
    struct publisher *publisher = context;
    for (int64_t i = 1; i <= N_BATCHES; i++) {
        struct rows *rows = batch(publisher->number, i);
        enum err err;
        while ((err = bus_publish(publisher->bus, STR("s"), rows)) == ERR_FULL) {
            publisher->n_refused++;
            usleep(50);
        }
        assert(err == ERR_OK);
        rows_release(rows);
    }
    return NULL;
}

struct counter {
    struct bus_subscription *subscription;
    _Atomic int64_t n;
    int64_t last[N_PUBLISHERS];
    bool is_out_of_order;
};

static void count(void *context, struct rows *rows)
{
    struct counter *counter = context;
    const struct value *row = rows_at(rows, 0);
    if (row[1].i <= counter->last[row[0].i])
        counter->is_out_of_order = true;
    counter->last[row[0].i] = row[1].i;
    atomic_fetch_add(&counter->n, 1);
}

struct joining {
    struct bus *bus;
    struct loop *loop;
    struct counter *counter;
    enum bus_when_full when_full;
};

static void join(void *context)
{
    struct joining *joining = context;
    const struct bus_subscriber subscriber = {
        .loop = joining->loop, .limit = 16, .when_full = joining->when_full, .on_rows = count, .context = joining->counter};
    assert(bus_subscribe(joining->bus, STR("s"), &subscriber, &joining->counter->subscription) == ERR_OK);
}

static void leave(void *context)
{
    struct counter *counter = context;
    bus_unsubscribe(counter->subscription);
}

static void many_threads_publish(void **state)
{
    struct fixture *f = *state;
    static struct publisher publishers[N_PUBLISHERS];
    static struct counter exact, lossy, visitor;
    struct loop_thread *threads[2] = {NULL, NULL};
    for (size_t i = 0; i < 2; i++)
        assert_ok(loop_thread_start(clock_system(), "bus test", &threads[i]));
    struct joining exact_joins = {f->bus, loop_thread_loop(threads[0]), &exact, BUS_REFUSE};
    struct joining lossy_joins = {f->bus, loop_thread_loop(threads[1]), &lossy, BUS_DROP_OLDEST};
    struct joining visitor_joins = {f->bus, loop_thread_loop(threads[1]), &visitor, BUS_DROP_OLDEST};
    loop_thread_call(threads[0], join, &exact_joins);
    loop_thread_call(threads[1], join, &lossy_joins);
    for (int64_t i = 0; i < N_PUBLISHERS; i++) {
        publishers[i] = (struct publisher){.bus = f->bus, .number = i};
        assert_int_equal(pthread_create(&publishers[i].thread, NULL, publish_all, &publishers[i]), 0);
    }
    for (int i = 0; i < 200; i++) { /* comes and goes in the midst of it */
        memset(&visitor, 0, sizeof visitor);
        loop_thread_call(threads[1], join, &visitor_joins);
        loop_thread_call(threads[1], leave, &visitor);
        assert_false(visitor.is_out_of_order);
    }
    for (size_t i = 0; i < N_PUBLISHERS; i++)
        pthread_join(publishers[i].thread, NULL);
    while (atomic_load(&exact.n) < N_PUBLISHERS * N_BATCHES)
        usleep(1000);
    assert_false(exact.is_out_of_order);
    uint64_t n_dropped = bus_n_dropped(lossy.subscription);
    while (atomic_load(&lossy.n) + (int64_t)n_dropped < N_PUBLISHERS * N_BATCHES)
        usleep(1000);
    assert_int_equal(atomic_load(&lossy.n) + (int64_t)n_dropped, N_PUBLISHERS * N_BATCHES);
    assert_false(lossy.is_out_of_order);
    assert_int_equal(bus_n_dropped(exact.subscription), 0);
    loop_thread_call(threads[0], leave, &exact);
    loop_thread_call(threads[1], leave, &lossy);
    for (size_t i = 0; i < 2; i++)
        loop_thread_stop(threads[i]);
}

static void survives_each_failed_allocation(void **state)
{
    struct fixture *f = *state;
    int64_t n_before = mem_n_live();
    const struct bus_subscriber subscriber = {.loop = f->loop, .limit = 4, .when_full = BUS_REFUSE, .on_rows = on_rows};
    bool has_passed = false;
    for (uint64_t nth = 1; !has_passed; nth++) {
        struct bus *bus = NULL;
        struct bus_subscription *subscription = NULL;
        assert_true(nth < 20);
        mem_fail_nth(nth);
        enum err err = bus_create(&bus);
        if (err == ERR_OK)
            err = bus_subscribe(bus, STR("s"), &subscriber, &subscription);
        mem_fail_nth(0);
        has_passed = err == ERR_OK;
        if (!has_passed)
            assert_err(err, ERR_NO_MEMORY);
        bus_unsubscribe(subscription);
        bus_destroy(bus);
        assert_int_equal(mem_n_live(), n_before);
    }
}

int main(void)
{
#define ROW(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(delivers_in_order_to_its_subject),
        ROW(refuses_for_all_when_one_is_full),
        ROW(keeps_what_all_get),
        ROW(drops_the_oldest_and_counts),
        ROW(ends_with_batches_waiting),
        ROW(ends_inside_of_its_own_call),
        ROW(a_busy_subject_leaves_the_loop_its_turns),
        ROW(many_threads_publish),
        ROW(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
