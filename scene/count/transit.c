/* Vehicles in transit of the whole city; see transit.h. */
#include "scene/count/transit.h"

#include <math.h>

#define AGAIN_MAX 0.995 /* P of first sightings, for those never seen */
#define KATZ 0.5        /* Chao's estimate is a lower bound, straight on is above: as far between */
#define KATZ_LEAST 0.33
#define PRIOR_WAYS 10.0 /* ways between two cameras that the expected one is worth */
#define START_WAYS 2.0  /* so many of these a start is long */
#define TABLE_WAYS 4.0  /* the life table has no vehicle older than the start: until so many ways it knows too few */

double count_transit_coming(const struct count_open *open)
{
    return open->expected - open->n_again;
}

/* Of a way between two cameras that takes `way_s` in the mean: what it takes in free flow. */
static double free_of(const struct count_balance *balance, double way_s)
{
    return balance->n_ways > 0 ? fmin(balance->ways_s / balance->n_ways, way_s) : 0;
}

double count_transit_ending(const struct count_balance *balance, const struct count_open *open, double coming)
{
    if (open->expected <= 0)
        return 0;
    /* Little's law again: as many as are sighted for the last time, times how long they are on their way from there. */
    double way_s = balance->way_s, free_s = free_of(balance, way_s);
    /* In a city with queues a trip's own last edge is as slow to come along as the others. */
    const struct count_ends *ends = &balance->ends;
    double after = ends->after + count_balance_jam(balance) * (ends->before - ends->after);
    double after_s = after * free_s + balance->ends.waits_after * (way_s - free_s);
    return coming * (way_s > 0 ? after_s / way_s : balance->ends.waits_after) * open->ending / open->expected;
}

/* Those who follow each other by chance are n P (1 - P) in the balance and less in the table, which knows their ages; what is wrong with
 * either beyond chance is a share of its passages, and of its vehicles, the more the longer the queues. */
static double weight_of_table(
    const struct count_balance *balance, const struct count_open *open, const struct count_alive *alive, double coming, double ways_known)
{
    const struct count_settings *settings = &balance->settings;
    double passages = open->expected + open->ending;
    double chance = passages > 0 ? open->expected * open->ending / passages : 0;
    double more = fmax(chance + pow(settings->sd_balance * passages, 2) - alive->variance, 0);
    double jam = count_balance_jam(balance);
    /* At a start it knows of nobody who comes. */
    double wrong =
        pow((settings->sd_table + settings->sd_table_jam * jam) * alive->coming, 2) + pow(coming / (1 + balance->table.n_gaps), 2);
    if (balance->table.way_s <= 0)
        return 0;
    double known = balance->table.n_gaps / (1 + balance->table.n_gaps) * fmin(ways_known / TABLE_WAYS, 1);
    return more + wrong > 0 ? known * more / (more + wrong) : 0;
}

/* Trips that end unseen, over the others. Of those seen n times there are f_n: f_1 = 1 - p_1, f_2 = p_1 (1 - p_2), f_3 = p_1 p_2 (1 - p_3).
 * Of Poisson counts (n + 1) f_(n+1) / f_n is the same for each n, and f_0 is f_1 over it (Chao 1984); where trips differ it rises with n.
 */
static double never_seen(const struct count_balance *balance)
{
    double p1 = fmin(balance->again[0] / fmax(1 - balance->ghosts, 0.01), AGAIN_MAX), p2 = fmin(balance->again[1], AGAIN_MAX);
    double p3 = p2 / balance->fall;
    double first = 2 * p1 * (1 - p2) / (1 - p1), second = 3 * p2 * (1 - p3) / (1 - p2);
    double none = fmax(first - KATZ * fmax(second - first, 0), KATZ_LEAST * first);
    return fmin((1 - p1) / fmax(none, 1e-3), 1);
}

/* Vehicles that no camera has seen yet at `now_ms`: by Little's law, where `way_s` is from one sighting to the next. */
static double unseen_of(const struct count_balance *balance, double way_s, double window_s)
{
    /* To its first camera a vehicle is on its way as long, but that in free flow it is as far as the network says: the queue is the same.
     */
    double lead_s = way_s + (balance->ends.before - 1) * free_of(balance, way_s);
    double before = lead_s * balance->n_first * (1 - balance->ghosts) / window_s;
    return before * (1 + balance->settings.never_seen * never_seen(balance));
}

struct count_transit count_transit_city(const struct count_balance *balance, const struct count_open *open, double coming, int64_t now_ms)
{
    struct count_alive alive = count_lifetable_alive(&balance->table, now_ms, balance->again);
    double known_s = balance->begun_ms == INT64_MIN ? 0 : (double)(now_ms - balance->begun_ms) / 1000;
    if (known_s <= 0 || balance->n_passages <= 0)
        return (struct count_transit){.balanced = coming};
    /* Little's law: a vehicle is between two cameras for coming / rate seconds. That holds from the start on, but those that are sighted
     * again at once are few and quick: what the network lets expect counts as well, the less the more ways the start is ago. */
    double expected_s = balance->ends.way_s, window_s = count_balance_window_s(balance, now_ms);
    double n_again = fmax(balance->n_passages - balance->n_first, 0);
    struct count_transit transit = {.known = fmin(known_s / (START_WAYS * expected_s), 1)};
    double found_s = fmin((coming * window_s + PRIOR_WAYS * expected_s) / (n_again + PRIOR_WAYS), fmax(known_s, expected_s));
    transit.way_s = expected_s + transit.known * (found_s - expected_s);
    double weight = weight_of_table(balance, open, &alive, coming, known_s / transit.way_s);
    transit.balanced = (1 - weight) * coming;
    transit.tabled = weight * alive.coming;
    transit.way_s += weight * (balance->table.way_s * count_lifetable_first_ratio(&balance->table) - transit.way_s);
    transit.unseen = unseen_of(balance, transit.way_s, window_s);
    return transit;
}
