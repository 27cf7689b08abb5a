/* Little's law, and shares. */
#include "scene/zone/estimate.h"

#include <math.h>
#include <stddef.h>

#define NORMAL_90 1.6449 /* standard deviations within which 90 % of a normal variable lie, both sides */
#define GAP_MAX_S 1800.0 /* more is another visit */
#define GAPS_MIN 100u    /* of less the mean is nothing */
#define WITH_COUNT_MIN 0.8
#define ALL_MIN_S 600.0
#define SD_TODAY 0.15 /* of the factor's logarithm: on Nanchang's flow 1, by coverage and zone */
#define FACTOR_MAX 50.0

void zone_stays_tick(struct zone_stays *stays, double seconds, const struct zone_estimate *counted)
{
    stays->all_s += seconds;
    if (counted == NULL)
        return;
    stays->with_count_s += seconds;
    stays->counted_s += counted->value * seconds;
}

void zone_stays_gap(struct zone_stays *stays, double gap_s, bool is_within)
{
    if (gap_s < 0 || gap_s > GAP_MAX_S)
        return;
    stays->n_gaps++;
    stays->inside_s += is_within ? gap_s : gap_s / 2;
}

/* Vehicles times seconds in the zone are known twice: as the count has them, of all; and of those that were seen, from their sightings and
 * a mean gap each for what lies before the first of them and after the last. */
double zone_stays_factor(const struct zone_stays *stays)
{
    if (stays->n_gaps < GAPS_MIN || stays->all_s < ALL_MIN_S || stays->with_count_s < WITH_COUNT_MIN * stays->all_s)
        return NAN;
    double gap_s = stays->inside_s / (double)stays->n_gaps, n_ends = fmax((double)stays->n_headed - (double)stays->n_gaps, 0);
    double seen_s = stays->inside_s + gap_s * ((double)stays->n_found + n_ends);
    double factor = seen_s > 0 ? stays->counted_s / stays->with_count_s * stays->all_s / seen_s : NAN;
    return factor < 1 ? 1 : factor > FACTOR_MAX ? FACTOR_MAX : factor;
}

struct zone_estimate zone_estimate_now(double n_seen, double n_all_seen, const struct zone_estimate *counted)
{
    if (counted == NULL || n_all_seen <= 0)
        return (struct zone_estimate){n_seen, NAN, NAN};
    double share = n_seen / n_all_seen, value = counted->value * share;
    double sd_all = (counted->high - counted->low) / 2 / NORMAL_90 * share;
    /* Who of so many is of the class is drawn from those that were seen; one more, so that none among a few is not certainly none. */
    double sd_share = counted->value * sqrt(share * (1 - share) / n_all_seen + (n_seen < n_all_seen ? 1 / pow(n_all_seen + 1, 2) : 0));
    double sd = sqrt(sd_all * sd_all + sd_share * sd_share);
    return (struct zone_estimate){value, fmax(value - NORMAL_90 * sd, 0), value + NORMAL_90 * sd};
}

struct zone_estimate zone_estimate_today(double n_seen, double factor)
{
    if (!(factor >= 1))
        return (struct zone_estimate){n_seen, NAN, NAN};
    double value = n_seen * factor, spread = exp(NORMAL_90 * SD_TODAY), noise = NORMAL_90 * sqrt(n_seen + 1);
    return (struct zone_estimate){value, fmax(value / spread - noise, 0), value * spread + noise};
}
