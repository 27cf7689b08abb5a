/*
 * stream_rows_per_s, stream_added_p99_ms: rows published at 50,000 a second in batches of 50, through the hub's windows (decision, intent
 * leaf durable before the first row, digest, outcome leaf), to a subscriber on a loop of its own; how many arrived a second, and how much
 * later than they were published. Five seconds, real ledger. The bench fails when a row is lost.
 */
#include "base/clock.h"
#include "hub/fake_door.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SECONDS 5
#define BATCH_ROWS 50
#define BATCHES_PER_SECOND 1000
#define BATCHES (SECONDS * BATCHES_PER_SECOND)

static struct fake_door door;
static struct hub_subscription *subscription;
static _Atomic size_t n_batches, n_rows;
static int64_t added_ns[BATCHES + 1000];

static void take(void *context, const struct hub_window *window, struct rows *rows)
{
    size_t at = atomic_load(&n_batches);
    if (at < sizeof added_ns / sizeof *added_ns) /* the third field is the moment of publishing, in ns */
        added_ns[at] = clock_mono(clock_system()).ns - rows_at(rows, 0)[2].i;
    atomic_fetch_add(&n_rows, rows_n(rows));
    atomic_store(&n_batches, at + 1);
}

static void subscribe(void *context)
{
    static const struct str fields[] = {STR_INIT("camera"), STR_INIT("plate"), STR_INIT("time")};
    const struct hub_subscribe_options options = {.party = STR("h/count"),
        .resource = STR("h/police/passage"),
        .purpose = STR("traffic.count"),
        .fields = fields,
        .n_fields = 3,
        .loop = loop_thread_loop(door.http_thread),
        .limit = 1024,
        .on_rows = take};
    if (hub_subscribe(door.city.hub, &options, NULL, &subscription))
        abort();
}

static void unsubscribe(void *context)
{
    hub_unsubscribe(subscription);
}

static bool publish(const struct hub_resource *resource)
{
    const struct value values[] = {
        value_text(STR("33010600001190000001")), value_text(STR("浙A12345")), value_time(clock_mono(clock_system()).ns)};
    struct rows *rows;
    if (rows_create(3, 1 << 20, &rows))
        abort();
    for (int i = 0; i < BATCH_ROWS; i++)
        if (rows_add(rows, values))
            abort();
    enum err err = hub_publish(door.city.hub, resource, rows);
    rows_release(rows);
    return err == ERR_OK;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

int main(void)
{
    fake_city_make(&door.city);
    fake_city_write(&door.city, "contracts/c-1.yaml",
        "contract: h/c-1\nprovider: h/police\nconsumer: h/count\nresource: h/police/passage\nuses: [subscribe]\nfields: [camera, plate, "
        "time]\n"
        "purpose: traffic.count\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2100-01-01\nkeep: 24h\nstate: agreed\n");
    fake_door_start(&door);
    loop_thread_call(door.http_thread, subscribe, NULL);
    const struct hub_resource *resource = hub_resource_find(door.city.hub, STR("h/police/passage"));
    struct mono_time start = clock_mono(clock_system());
    size_t n_refused = 0;
    for (int i = 0; i < BATCHES; i++) {
        struct timespec due = {
            .tv_sec = (start.ns + i * INT64_C(1000000)) / 1000000000, .tv_nsec = (start.ns + i * INT64_C(1000000)) % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        while (!publish(resource) && n_refused++ < BATCHES)
            clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    for (int i = 0; i < 1000 && n_rows < (size_t)BATCHES * BATCH_ROWS; i++)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 10000000}, NULL);
    double elapsed_s = (double)(clock_mono(clock_system()).ns - start.ns) * 1e-9;
    size_t n = n_batches;
    loop_thread_call(door.http_thread, unsubscribe, NULL);
    fake_door_stop(&door);
    if (n_rows != (size_t)BATCHES * BATCH_ROWS) {
        fprintf(stderr, "stream_bench: %zu rows arrived, %d were published\n", (size_t)n_rows, BATCHES * BATCH_ROWS);
        return 1;
    }
    qsort(added_ns, n, sizeof *added_ns, by_value);
    printf("stream_rows_per_s %.0f rows/s\n", (double)n_rows / elapsed_s);
    size_t half = n / 2, p99 = n * 99 / 100;
    printf("stream_added_p99_ms %.2f ms\n", (double)added_ns[p99] * 1e-6);
    fprintf(stderr, "stream_bench: refused %zu batches, median %.2f ms, most %.2f ms\n", n_refused, (double)added_ns[half] * 1e-6,
        (double)added_ns[n - 1] * 1e-6);
    return 0;
}
