/* The soft time-out; see expect.h. */
#include "scene/count/expect.h"

#include <assert.h>
#include <math.h>

#define V_LOW 0.0625
#define BINS_PER_DOUBLING 8.0
#define PRIOR_VEHICLES 20.0     /* vehicles that the prior of a table is worth */
#define PRIOR_GONE 50.0         /* and of these for certain never seen again: a few late returns are no rule */
#define PRIOR_GAPS 30.0         /* gaps that the prior of the city's ratio is worth ... */
#define PRIOR_GAP_S 60.0        /* ... each of this free flow */
#define CAMERA_PRIOR_WEIGHT 8.0 /* gaps that the city is worth at one camera */

static int bin_of(double v)
{
    if (!(v > V_LOW))
        return 0;
    int bin = 1 + (int)(log2(v / V_LOW) * BINS_PER_DOUBLING);
    return bin < COUNT_AGE_BINS ? bin : COUNT_AGE_BINS - 1;
}

static double width_of(const struct count_expect *expect, int bin)
{
    return expect->upper[bin] - (bin == 0 ? 0 : expect->upper[bin - 1]);
}

/* Observed over free-flow time between cameras, city-wide. */
static double city_ratio(const struct count_expect *expect)
{
    double prior_s = PRIOR_GAPS * PRIOR_GAP_S;
    return (expect->sum_gap_s + prior_s * expect->settings.ratio_prior) / (expect->sum_base_s + prior_s);
}

/* Share of sightings that are a trip's last, before any was observed: by the gaps that a trip of the network's size has. */
static double prior_ended(const struct count_expect *expect)
{
    double gap_s = (expect->sum_gap_s + PRIOR_GAPS * PRIOR_GAP_S * expect->settings.ratio_prior) / (expect->sum_w + PRIOR_GAPS);
    return 1 / (1 + fmax(expect->trip_s * city_ratio(expect) / gap_s, 1));
}

void count_expect_init(struct count_expect *expect, const struct count_settings *settings, double trip_s)
{
    *expect = (struct count_expect){.settings = *settings, .trip_s = trip_s, .faded_s = INT64_MIN};
    for (int i = 0; i < COUNT_AGE_BINS; i++)
        expect->upper[i] = V_LOW * exp2(i / BINS_PER_DOUBLING);
    count_expect_solve(expect);
}

double count_expect_gap_s(const struct count_expect *expect, const struct count_camera_gaps *gaps, double base_s)
{
    double gap_s = (gaps->sum_gap_s + CAMERA_PRIOR_WEIGHT * base_s * city_ratio(expect)) / (gaps->sum_w + CAMERA_PRIOR_WEIGHT);
    return expect->settings.slack_s + gap_s;
}

void count_expect_observe(struct count_expect *expect, struct count_camera_gaps *gaps, int64_t now_s, bool is_first, bool is_live,
    double gap_s, double expected_s, double base_s)
{
    assert(gap_s >= 0 && expected_s > 0);
    if (is_live)
        expect->tables[is_first ? COUNT_FIRST : COUNT_LATER].events[bin_of(gap_s / expected_s)] += 1;
    expect->sum_w += 1;
    expect->sum_gap_s += gap_s;
    expect->sum_base_s += base_s;
    if (now_s > gaps->faded_s) {
        double keep = gaps->sum_w > 0 ? exp(-(double)(now_s - gaps->faded_s) / expect->settings.fade_s) : 0;
        gaps->sum_gap_s *= keep;
        gaps->sum_w *= keep;
        gaps->faded_s = now_s;
    }
    gaps->sum_gap_s += gap_s;
    gaps->sum_w += 1;
}

void count_expect_fade(struct count_expect *expect, int64_t now_s)
{
    if (expect->faded_s == INT64_MIN || now_s < expect->faded_s) {
        expect->faded_s = now_s;
        return;
    }
    double keep = exp(-(double)(now_s - expect->faded_s) / expect->settings.fade_s);
    for (int t = 0; t < COUNT_TABLES; t++)
        for (int i = 0; i < COUNT_AGE_BINS; i++) {
            expect->tables[t].events[i] *= keep;
            expect->tables[t].exposure[i] *= keep;
        }
    expect->sum_gap_s *= keep;
    expect->sum_base_s *= keep;
    expect->sum_w *= keep;
    expect->faded_s = now_s;
}

void count_expect_expose(struct count_expect *expect, bool is_first, double age_s, double expected_s, double for_s)
{
    struct count_table *table = &expect->tables[is_first ? COUNT_FIRST : COUNT_LATER];
    double from = fmax(age_s - for_s, 0) / expected_s, to = age_s / expected_s;
    int last = bin_of(to);
    for (int i = bin_of(from); i <= last; i++) {
        double upper = i == last ? to : expect->upper[i];
        if (upper > from)
            table->exposure[i] += upper - from;
        from = upper;
    }
}

/* S at the upper end of each bin, and the mean gap of those seen again. */
static void survive(const struct count_expect *expect, struct count_table *table, double prior_p, double *survival)
{
    double s = 1, area = 0, ended_area = 0;
    for (int i = 0; i < COUNT_AGE_BINS; i++) {
        /* Prior: gaps exponential around the expectation, for those that come. */
        double lower = i == 0 ? 0 : expect->upper[i - 1], width = width_of(expect, i);
        double coming = (1 - prior_p) * exp(-(lower + expect->upper[i]) / 2),
               prior_exposure = (PRIOR_VEHICLES * (prior_p + coming) + PRIOR_GONE * fmin(lower / 8, 1)) * width;
        double hazard = (table->events[i] + PRIOR_VEHICLES * coming * width) / (table->exposure[i] + prior_exposure);
        double next = s * exp(-hazard * width);
        area += (s + next) / 2 * width;
        ended_area += width;
        survival[i] = s = next;
    }
    table->ended = s;
    table->mean = fmax((area - s * ended_area) / fmax(1 - s, 1e-6), 0.05);
}

void count_expect_solve(struct count_expect *expect)
{
    double survival[COUNT_TABLES][COUNT_AGE_BINS], prior_p = prior_ended(expect);
    for (int t = 0; t < COUNT_TABLES; t++)
        survive(expect, &expect->tables[t], prior_p, survival[t]);
    double first = expect->tables[COUNT_FIRST].ended, later = expect->tables[COUNT_LATER].ended;
    /* First sightings are followed less often than others by the share g of misread plates: first = g + (1 - g) later. */
    double ghosts = fmin(fmax((first - later) / fmax(1 - later, 1e-6), 0), 1);
    expect->tables[COUNT_FIRST].real = fmin((1 - ghosts) * later / fmax(first, 1e-6), 1);
    expect->tables[COUNT_LATER].real = 1;
    for (int t = 0; t < COUNT_TABLES; t++) {
        struct count_table *table = &expect->tables[t];
        double after = fmax(expect->settings.after_share * expect->tables[COUNT_LATER].mean, 0.01);
        for (int i = 0; i < COUNT_AGE_BINS; i++) {
            double gone = table->ended / survival[t][i];
            table->alive[i] = 1 - gone + gone * table->real * exp(-expect->upper[i] / after);
        }
    }
}

double count_expect_alive(const struct count_expect *expect, bool is_first, double age_s, double expected_s)
{
    const struct count_table *table = &expect->tables[is_first ? COUNT_FIRST : COUNT_LATER];
    double v = age_s / expected_s;
    int bin = bin_of(v);
    double upper = expect->upper[bin], lower = bin == 0 ? 0 : expect->upper[bin - 1];
    double at_upper = table->alive[bin];
    double at_lower = bin == 0 ? 1 - table->ended * (1 - table->real) : table->alive[bin - 1];
    double share = fmin(fmax((v - lower) / (upper - lower), 0), 1);
    return at_lower + share * (at_upper - at_lower);
}

double count_expect_lead_s(const struct count_expect *expect, double expected_s)
{
    double first = expect->tables[COUNT_FIRST].ended, later = expect->tables[COUNT_LATER].ended;
    double real = fmin((1 - first) / fmax(1 - later, 1e-6), 1);
    return real * expect->settings.lead_share * expect->tables[COUNT_LATER].mean * expected_s;
}
