/* Vehicles in transit of the whole city; see transit.h. */
#include "scene/count/transit.h"

#include <math.h>

#define AGAIN_MAX 0.995 /* P of first sightings, for Chao's estimate */

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
    double after_s = balance->ends.before * free_s + balance->ends.waits_after * (way_s - free_s);
    return coming * (way_s > 0 ? after_s / way_s : balance->ends.waits_after) * open->ending / open->expected;
}

/* Those who follow each other by chance are n P (1 - P) in the balance and less in the table, which knows their ages; what is wrong with
 * either beyond chance is a share of its passages, and of its vehicles, the more the longer the queues. */
static double weight_of_table(
    const struct count_balance *balance, const struct count_open *open, const struct count_alive *alive, double coming)
{
    const struct count_settings *settings = &balance->settings;
    double passages = open->expected + open->ending;
    double chance = passages > 0 ? open->expected * open->ending / passages : 0;
    double more = fmax(chance + pow(settings->sd_balance * passages, 2) - alive->variance, 0);
    double jam = fmin(fmax((balance->late_share - settings->jam_from) / settings->jam_from, 0), 1);
    /* At a start it knows of nobody who comes. */
    double wrong =
        pow((settings->sd_table + settings->sd_table_jam * jam) * alive->coming, 2) + pow(coming / (1 + balance->table.n_gaps), 2);
    if (balance->table.way_s <= 0)
        return 0;
    double known = balance->table.n_gaps / (1 + balance->table.n_gaps);
    return more + wrong > 0 ? known * more / (more + wrong) : 0;
}

/* Vehicles that no camera has seen yet at `now_ms`: by Little's law, where `way_s` is from one sighting to the next. */
static double unseen_of(const struct count_balance *balance, double way_s, double window_s)
{
    /* To its first camera a vehicle is on its way as long, but that in free flow it is as far as the network says: the queue is the same.
     */
    double lead_s = way_s + (balance->ends.before - 1) * free_of(balance, way_s);
    double before = lead_s * balance->n_first * (1 - balance->ghosts) / window_s;
    /* Of trips seen n times there are f_n; those never seen are f_1^2 / 2 f_2 (Chao 1984). f_1 = 1 - p_1, f_2 = p_1 (1 - p_2). */
    double p1 = fmin(balance->again[0] / fmax(1 - balance->ghosts, 0.01), AGAIN_MAX), p2 = fmin(balance->again[1], AGAIN_MAX);
    double never = fmin((1 - p1) * (1 - p1) / fmax(2 * p1 * (1 - p2), 1e-3), 1);
    return before * (1 + balance->settings.never_seen * never);
}

struct count_transit count_transit_city(const struct count_balance *balance, const struct count_open *open, double coming, int64_t now_ms)
{
    struct count_alive alive = count_lifetable_alive(&balance->table, now_ms, balance->again);
    double weight = weight_of_table(balance, open, &alive, coming);
    struct count_transit transit = {.balanced = (1 - weight) * coming, .tabled = weight * alive.coming};
    double n_again = balance->n_passages - balance->n_first, known_s = (double)(now_ms - balance->begun_ms) / 1000;
    if (transit.balanced + transit.tabled <= 0 || n_again <= 0 || balance->begun_ms == INT64_MIN || known_s <= 0)
        return transit;
    /* Little's law: a vehicle is between two cameras for coming / rate seconds; a start knows of no longer way than itself. */
    double window_s = count_balance_window_s(balance, now_ms);
    transit.way_s = fmin(coming / n_again * window_s, known_s);
    transit.way_s += weight * (balance->table.way_s * count_lifetable_first_ratio(&balance->table) - transit.way_s);
    transit.unseen = unseen_of(balance, transit.way_s, window_s);
    return transit;
}
