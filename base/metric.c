/*
 * The page's text. Samples of one metric must stand together, behind its # HELP and # TYPE, while they come from several owners (each
 * journal, each department): so each metric gathers its lines in a buffer of its own, and writing joins them.
 */
#include "base/metric.h"

#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct family {
    const struct metric *metric;
    struct buf lines;
};

struct metric_page {
    struct family families[METRIC_FAMILIES_MAX];
    size_t n_families;
    enum err err;
};

/* From what an answer out of memory takes to what a department's time-out is. */
static const struct {
    int64_t us;
    const char *text; /* in seconds */
} bounds[METRIC_BOUNDS] = {{100, "0.0001"}, {250, "0.00025"}, {500, "0.0005"}, {1000, "0.001"}, {2500, "0.0025"}, {5000, "0.005"},
    {10000, "0.01"}, {25000, "0.025"}, {50000, "0.05"}, {100000, "0.1"}, {250000, "0.25"}, {500000, "0.5"}, {1000000, "1"},
    {2500000, "2.5"}, {5000000, "5"}, {10000000, "10"}};

void metric_observe_us(struct metric_histogram *histogram, int64_t us)
{
    size_t at = 0;
    while (at < METRIC_BOUNDS && us > bounds[at].us)
        at++;
    atomic_fetch_add_explicit(&histogram->buckets[at], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, us > 0 ? (uint64_t)us : 0, memory_order_relaxed);
}

enum err metric_page_create(struct metric_page **ret_page)
{
    struct metric_page *page = mem_alloc_zero(1, sizeof *page);
    if (!page)
        return ERR_NO_MEMORY;
    *ret_page = page;
    return ERR_OK;
}

void metric_page_destroy(struct metric_page *page)
{
    if (!page)
        return;
    for (size_t i = 0; i < page->n_families; i++)
        buf_finish(&page->families[i].lines);
    mem_free(page);
}

/* NULL: more metrics than a page takes. */
static struct buf *lines_of(struct metric_page *page, const struct metric *metric)
{
    for (size_t i = page->n_families; i-- > 0;) /* mostly the last one again */
        if (page->families[i].metric == metric)
            return &page->families[i].lines;
    if (page->n_families == METRIC_FAMILIES_MAX) {
        page->err = ERR_FULL;
        return NULL;
    }
    struct family *family = &page->families[page->n_families++];
    family->metric = metric;
    buf_init(&family->lines, METRIC_PAGE_MAX);
    return &family->lines;
}

/* ", \ and the end of a line are escaped in a label's value; other bytes stand as they are, if they are UTF-8. */
static void put_label(struct buf *out, const char *name, struct str value)
{
    buf_append_c(out, name);
    buf_append(out, "=\"", 2);
    if (!str_is_utf8(value))
        value = STR("?");
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\n')
            buf_append(out, "\\n", 2);
        else {
            if (c == '"' || c == '\\')
                buf_append(out, "\\", 1);
            buf_append(out, &c, 1);
        }
    }
    buf_append(out, "\"", 1);
}

static void put_name(struct buf *out, const struct metric *metric, const char *suffix, const struct str *labels, const char *bound)
{
    buf_append_c(out, metric->name);
    buf_append_c(out, suffix);
    char before = '{';
    for (size_t i = 0; i < METRIC_LABELS_MAX && metric->labels[i]; i++, before = ',') {
        buf_append(out, &before, 1);
        put_label(out, metric->labels[i], labels[i]);
    }
    if (bound) {
        buf_append(out, &before, 1);
        put_label(out, "le", str_from_c(bound));
        before = ',';
    }
    if (before == ',')
        buf_append(out, "}", 1);
    buf_append(out, " ", 1);
}

void metric_put(struct metric_page *page, const struct metric *metric, double value, const struct str *labels)
{
    struct buf *out = lines_of(page, metric);
    if (!out)
        return;
    put_name(out, metric, "", labels, NULL);
    if (isfinite(value))
        buf_printf(out, "%.15g\n", value);
    else
        buf_append_c(out, isnan(value) ? "NaN\n" : value > 0 ? "+Inf\n" : "-Inf\n");
}

void metric_put_count(struct metric_page *page, const struct metric *metric, uint64_t value, const struct str *labels)
{
    struct buf *out = lines_of(page, metric);
    if (!out)
        return;
    put_name(out, metric, "", labels, NULL);
    buf_printf(out, "%" PRIu64 "\n", value);
}

void metric_put_counter(
    struct metric_page *page, const struct metric *metric, const struct metric_counter *counter, const struct str *labels)
{
    metric_put_count(page, metric, metric_get(counter), labels);
}

/* Count and buckets are of the same look, so that they fit each other; the sum may be a moment newer. */
void metric_put_histogram(
    struct metric_page *page, const struct metric *metric, const struct metric_histogram *histogram, const struct str *labels)
{
    struct buf *out = lines_of(page, metric);
    uint64_t n = 0;
    if (!out)
        return;
    for (size_t i = 0; i <= METRIC_BOUNDS; i++) {
        n += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        put_name(out, metric, "_bucket", labels, i < METRIC_BOUNDS ? bounds[i].text : "+Inf");
        buf_printf(out, "%" PRIu64 "\n", n);
    }
    put_name(out, metric, "_sum", labels, NULL);
    buf_printf(out, "%.6f\n", (double)atomic_load_explicit(&histogram->sum_us, memory_order_relaxed) / 1e6);
    put_name(out, metric, "_count", labels, NULL);
    buf_printf(out, "%" PRIu64 "\n", n);
}

void metric_put_queue(
    struct metric_page *page, const char *name, struct str of, uint64_t n, uint64_t limit, const struct metric_counter *refused)
{
    static const struct metric length = {
        "citybrain_queue_length", METRIC_GAUGE, "What a bounded queue, list or store holds now", {"queue", "of"}};
    static const struct metric most = {"citybrain_queue_limit", METRIC_GAUGE, "The most that it takes", {"queue", "of"}};
    static const struct metric no_room = {"citybrain_queue_refused_total", METRIC_COUNTER, "Refused because it was full", {"queue", "of"}};
    const struct str *labels = METRIC_VALUES(str_from_c(name), of);
    metric_put_count(page, &length, n, labels);
    metric_put_count(page, &most, limit, labels);
    if (refused)
        metric_put_counter(page, &no_room, refused, labels);
}

enum err metric_page_write(const struct metric_page *page, struct buf *out)
{
    static const char *const kinds[] = {[METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    for (size_t i = 0; i < page->n_families; i++) {
        const struct family *family = &page->families[i];
        if (family->lines.err)
            return family->lines.err;
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family->metric->name, family->metric->help, family->metric->name,
            kinds[family->metric->kind]);
        buf_append_str(out, buf_str(&family->lines));
    }
    return page->err ? page->err : out->err;
}
