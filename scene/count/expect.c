/* Time-outs that follow the network and the observations; see expect.h. */
#include "scene/count/expect.h"

#include <math.h>

#define V_LOW 0.0625
#define BINS_PER_DOUBLING (COUNT_GAP_BINS / 10.0) /* ten doublings, 1/16 to 64 */
#define PRIOR_WEIGHT 30.0                         /* gaps that the prior is worth, city-wide */
#define CAMERA_PRIOR_WEIGHT 8.0                   /* the same at one camera */
#define ENDED_PRIOR_WEIGHT 30.0
#define PRIOR_GAP_S 120.0
#define PLURAL_PRIOR 0.8 /* share of chains with a second sighting */

static double value_of_bin(int bin)
{
    return V_LOW * exp2((bin + 0.5) / BINS_PER_DOUBLING);
}

static int bin_of_value(double v)
{
    int bin = (int)floor(log2(fmax(v, V_LOW) / V_LOW) * BINS_PER_DOUBLING);
    return bin < COUNT_GAP_BINS ? bin : COUNT_GAP_BINS - 1;
}

void count_expect_init(struct count_expect *expect, const struct count_settings *settings, double trip_s)
{
    *expect = (struct count_expect){.settings = *settings, .trip_s = trip_s, .faded_s = INT64_MIN};
    count_expect_solve(expect, 0);
    expect->faded_s = INT64_MIN;
}

/* Observed over free-flow time between cameras, city-wide. */
static double city_ratio(const struct count_expect *expect)
{
    double prior_base_s = 60 * PRIOR_WEIGHT;
    return (expect->sum_gap_s + prior_base_s * expect->settings.ratio_prior) / (expect->sum_base_s + prior_base_s);
}

/* The prior's weight of gap `v`: exponential with mean 1, in the width of the bin. */
static double prior_of_bin(int bin)
{
    double low = V_LOW * exp2(bin / BINS_PER_DOUBLING), high = V_LOW * exp2((bin + 1) / BINS_PER_DOUBLING);
    return PRIOR_WEIGHT * ((bin == 0 ? 1 : exp(-low)) - (bin == COUNT_GAP_BINS - 1 ? 0 : exp(-high)));
}

/* What time-outs of tau add less what they miss, a chain. Rises with tau. */
static double balance(const double *weights, double total, double links, double after, double tau)
{
    double missed = 0;
    for (int i = bin_of_value(tau); i < COUNT_GAP_BINS; i++)
        missed += weights[i] * fmax(value_of_bin(i) - tau, 0);
    return tau - links * missed / total - after;
}

static void fade(struct count_expect *expect, int64_t now_s)
{
    if (expect->faded_s == INT64_MIN || now_s < expect->faded_s) {
        expect->faded_s = now_s;
        return;
    }
    double elapsed_s = (double)(now_s - expect->faded_s), keep = exp(-elapsed_s / expect->settings.fade_s);
    double keep_chains = exp(-elapsed_s / expect->settings.fade_chains_s);
    for (int i = 0; i < COUNT_GAP_BINS; i++)
        expect->bins[i] *= keep;
    expect->sum_v *= keep;
    expect->sum_v2 *= keep;
    expect->sum_w *= keep;
    expect->sum_gap_s *= keep;
    expect->sum_base_s *= keep;
    expect->sum_links *= keep_chains;
    expect->sum_ended *= keep_chains;
    expect->sum_plural *= keep_chains;
    expect->faded_s = now_s;
}

void count_expect_solve(struct count_expect *expect, int64_t now_s)
{
    fade(expect, now_s);
    double weights[COUNT_GAP_BINS], total = 0;
    for (int i = 0; i < COUNT_GAP_BINS; i++) {
        weights[i] = expect->bins[i] + prior_of_bin(i);
        total += weights[i];
    }
    /* The prior's first two moments are 1 and 2. */
    double mean = expect->sum_v + PRIOR_WEIGHT, square = expect->sum_v2 + 2 * PRIOR_WEIGHT;
    double gap_s = (expect->sum_gap_s + PRIOR_GAP_S * PRIOR_WEIGHT) / (expect->sum_w + PRIOR_WEIGHT);
    double links_prior = fmax(expect->trip_s * city_ratio(expect) / gap_s, 1);
    double ended = fmax(expect->sum_ended, 0) + ENDED_PRIOR_WEIGHT;
    double links = (expect->sum_links + ENDED_PRIOR_WEIGHT * links_prior) / ended;
    expect->plural = (fmax(expect->sum_plural, 0) + ENDED_PRIOR_WEIGHT * PLURAL_PRIOR) / ended;
    expect->residual = square / (2 * mean);
    double after = expect->plural * expect->settings.residual_share * expect->residual;
    double low = 0, high = 64;
    for (int i = 0; i < 40; i++) {
        double middle = (low + high) / 2;
        if (balance(weights, total, links, after, middle) < 0)
            low = middle;
        else
            high = middle;
    }
    expect->tau = (low + high) / 2;
}

double count_expect_gap_s(const struct count_expect *expect, const struct count_camera_gaps *gaps, double base_s)
{
    double ratio = city_ratio(expect);
    return (gaps->sum_gap_s + CAMERA_PRIOR_WEIGHT * base_s * ratio) / (gaps->sum_w + CAMERA_PRIOR_WEIGHT);
}

void count_expect_observe(
    struct count_expect *expect, struct count_camera_gaps *gaps, int64_t now_s, double gap_s, double expected_s, double base_s)
{
    double v = gap_s / expected_s;
    expect->bins[bin_of_value(v)] += 1;
    expect->sum_w += 1;
    expect->sum_links += 1;
    expect->sum_v += v;
    expect->sum_v2 += v * v;
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

void count_expect_end(struct count_expect *expect, uint64_t n, uint64_t n_single)
{
    expect->sum_ended += (double)n;
    expect->sum_plural += (double)(n - n_single);
}

void count_expect_return(struct count_expect *expect, bool is_single)
{
    expect->sum_ended -= 1;
    expect->sum_plural -= is_single ? 0 : 1;
}

double count_expect_timeout_s(const struct count_expect *expect, double expected_s)
{
    return fmin(fmax(expect->tau * expected_s, expect->settings.timeout_min_s), expect->settings.timeout_max_s);
}

double count_expect_lead_s(const struct count_expect *expect, double expected_s)
{
    return expect->plural * expect->settings.lead_share * expect->residual * expected_s;
}
