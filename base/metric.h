/*
 * Figures for who operates a brain: counters, gauges and histograms, written as Prometheus text (exposition format 0.0.4).
 *
 * Whoever has a figure keeps it: a counter or a histogram is embedded in its owner and touched with relaxed atomics, what is a state (a
 * queue's length) is looked at when somebody asks. A folder describes its figures in a constant table of `struct metric` and tells them in
 * one function, x_measure(x, page); the composition lists those functions and has the page (brain/operate.c). So there is no registry
 * that lives beside its owners, and nothing global.
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/buf.h"

#include <stdatomic.h>

#define METRIC_LABELS_MAX 3
#define METRIC_FAMILIES_MAX 256    /* names on one page; the page says so when there are more, and leaves them out */
#define METRIC_PAGE_MAX (8u << 20) /* bytes: a thousand departments with their histograms take 4 MB */

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* One row of a folder's table. Base units: seconds, bytes; a counter's name ends with _total. */
struct metric {
    const char *name;
    enum metric_kind kind;
    const char *help;
    const char *labels[METRIC_LABELS_MAX]; /* their names; NULL: no more */
};

struct metric_counter {
    _Atomic uint64_t n;
};

static inline void metric_add(struct metric_counter *counter, uint64_t n)
{
    atomic_fetch_add_explicit(&counter->n, n, memory_order_relaxed);
}

static inline uint64_t metric_get(const struct metric_counter *counter)
{
    return atomic_load_explicit(&counter->n, memory_order_relaxed);
}

/* How long something takes: 16 bounds from 100 µs to 10 s (metric.c), and what is above them. */
#define METRIC_BOUNDS 16
struct metric_histogram {
    _Atomic uint64_t buckets[METRIC_BOUNDS + 1]; /* not cumulative */
    _Atomic uint64_t sum_us;
};
/* Two relaxed additions; any thread. Below 0 counts as 0. */
void metric_observe_us(struct metric_histogram *histogram, int64_t us);

/* ---- a page: one answer to one asking ---- */
struct metric_page;
enum err metric_page_create(struct metric_page **ret_page) MUST_CHECK;
void metric_page_destroy(struct metric_page *page); /* takes NULL */
/* `labels`: as many values as the metric has names (METRIC_VALUES(…)), NULL without. Values of one metric may come at any time and from
 * several owners; the page brings them together. What there is no memory for is told by metric_page_write(). `metric` and its texts live as
 * long as the page; label values are copied, and may hold anything. */
void metric_put(struct metric_page *page, const struct metric *metric, double value, const struct str *labels);
void metric_put_count(struct metric_page *page, const struct metric *metric, uint64_t value, const struct str *labels);
void metric_put_counter(
    struct metric_page *page, const struct metric *metric, const struct metric_counter *counter, const struct str *labels);
void metric_put_histogram(
    struct metric_page *page, const struct metric *metric, const struct metric_histogram *histogram, const struct str *labels);
#define METRIC_VALUES(...) ((const struct str[]){__VA_ARGS__})
/* Every bounded queue, list and place of the program is told by this one, in the families citybrain_queue_length, _limit and
 * _refused_total, so that one alert covers them all. `refused`: how often there was no room; NULL: not counted. */
void metric_put_queue(
    struct metric_page *page, const char *name, struct str of, uint64_t n, uint64_t limit, const struct metric_counter *refused);
/* The whole page appended to `out`, in the order in which the metrics came first. ERR_NO_MEMORY, ERR_TOO_LARGE, ERR_FULL. */
enum err metric_page_write(const struct metric_page *page, struct buf *out) MUST_CHECK;

#endif
