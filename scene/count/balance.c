/* The balance of passages and next sightings; see balance.h. */
#include "scene/count/balance.h"

#include "base/mem.h"
#include "scene/count/quick.h"
#include "scene/count/transit.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define PRIOR_LEAST 0.7    /* P before anything is settled, at least ... */
#define PRIOR_MOST 0.95    /* ... and at most: a trip has some sightings, and an end */
#define PRIOR_FIRST 30.0   /* passages that it is worth ... */
#define PRIOR_PASSAGES 8.0 /* ... and the class before to the next one */
#define RATE_S 10.0        /* rates of a start are those of all its time, and of this at the least */
#define THIRD_AFTER 1.4    /* sightings that the third and fourth are after the second, in the mean */
#define FALL_MOST 2.0
#define CAMERA_PRIOR 30.0 /* passages that the city's P is worth at one camera */
#define AGAIN_MAX 0.995
#define WINDOW_MAX 8.0        /* a camera with few settled cohorts weighs at most this much more in the city's P */
#define BRANCH_LEAST 0.1      /* a next camera with a smaller share of the vehicles settles nothing */
#define BRANCHES_FULL 4096.0f /* what was learned of the next cameras is halved here, so that it can change */
#define LATENESS_SHARE 0.1    /* of a camera's lateness is its last vehicle's: one that stopped on its way is no queue */
#define PRIOR_GAPS 30.0       /* gaps that the prior of the city's mean is worth ... */
#define PRIOR_GAP_S 60.0      /* ... each of this length */
#define CAMERA_GAPS 8.0       /* gaps that the city's mean is worth at one camera */

/* Of a trip's sightings all but the last are followed by another. */
static double prior_again(const struct count_ends *ends)
{
    return fmin(fmax(1 - ends->way_s / fmax(ends->trip_s, 1), PRIOR_LEAST), PRIOR_MOST);
}

void count_balance_init(struct count_balance *balance, const struct count_settings *settings)
{
    *balance = (struct count_balance){.settings = *settings,
        .learned_ms = INT64_MIN,
        .rated_ms = INT64_MIN,
        .begun_ms = INT64_MIN,
        .ends = COUNT_ENDS_UNKNOWN,
        .fall = 1};
    int64_t n_cohorts = settings->keep_s * 1000 / COUNT_COHORT_MS + 2;
    assert(n_cohorts <= COUNT_COHORTS_MAX);
    balance->n_cohorts = (int32_t)n_cohorts;
    count_lifetable_init(&balance->table, settings->keep_s);
    for (int k = 0; k < COUNT_SIGHTINGS; k++)
        balance->again[k] = prior_again(&balance->ends);
}

/* ---- one camera ---- */

static int32_t number_of(int64_t ms)
{
    assert(ms >= 0 && ms / COUNT_COHORT_MS < INT32_MAX);
    return (int32_t)(ms / COUNT_COHORT_MS) + 1;
}

enum err count_account_init(const struct count_balance *balance, struct count_account *account, struct count_open *open, int64_t now_ms)
{
    size_t n_bytes = (size_t)balance->n_cohorts * sizeof(*account->cohorts);
    *account = (struct count_account){.cohorts = mem_resize_lines(NULL, 0, n_bytes), .open = open};
    if (account->cohorts == NULL)
        return ERR_NO_MEMORY;
    count_account_clear(balance, account);
    /* What a replay tells before the next learning is of its time, too. */
    int64_t settled_ms = now_ms == INT64_MIN ? 0 : now_ms - (int64_t)(balance->settings.settle_default_s * 1000);
    if (settled_ms > 0)
        account->settled_before = number_of(settled_ms);
    return ERR_OK;
}

void count_account_clear(const struct count_balance *balance, struct count_account *account)
{
    memset(account->cohorts, 0, (size_t)balance->n_cohorts * sizeof(*account->cohorts));
    *account = (struct count_account){
        .cohorts = account->cohorts, .open = account->open, .clock_ms = INT64_MIN, .settled_before = INT32_MIN, .share = 1};
}

void count_account_finish(struct count_account *account)
{
    mem_free(account->cohorts);
    account->cohorts = NULL;
}

/* The 1st, 2nd, 3rd-4th, 5th-6th, 7th-9th, later sightings of a trip. */
static int class_of(uint32_t n_sightings)
{
    static const uint32_t last[COUNT_SIGHTINGS - 1] = {1, 2, 4, 6, 9};
    int k = 0;
    while (k < COUNT_SIGHTINGS - 1 && n_sightings > last[k])
        k++;
    return k;
}

/* What is to be expected of `n` more unsettled passages. */
static void expect(const struct count_balance *balance, const struct count_account *account, struct count_open *open, int k, double n)
{
    double again = count_less(balance->again[k] * account->share, AGAIN_MAX);
    open->expected += n * again;
    open->ending += n * count_more(1 - again - (k == 0 ? balance->ghosts : 0), 0);
}

void count_account_fetch(const struct count_balance *balance, const struct count_account *account, int64_t seen_ms)
{
    __builtin_prefetch(&account->cohorts[(uint32_t)(seen_ms / COUNT_COHORT_MS + 1) % (uint32_t)balance->n_cohorts]);
}

void count_account_open(struct count_balance *balance, struct count_account *account, int64_t seen_ms, uint32_t n_sightings)
{
    int32_t number = number_of(seen_ms);
    struct count_cohort *cohort = &account->cohorts[number % balance->n_cohorts];
    int k = class_of(n_sightings);
    count_lifetable_open(&balance->table, seen_ms, k);
    if (cohort->number > number)
        return; /* it came later than the window is long */
    if (cohort->number < number)
        *cohort = (struct count_cohort){.number = number};
    if (balance->begun_ms == INT64_MIN || seen_ms < balance->begun_ms)
        balance->begun_ms = seen_ms;
    balance->n_passages += 1;
    balance->n_first += n_sightings == 1;
    if (cohort->n[k] == UINT16_MAX)
        return;
    cohort->n[k]++;
    cohort->open[k]++;
    if (number < account->settled_before)
        return;
    expect(balance, account, account->open, k, 1);
    account->open->n_known += 1;
}

void count_account_close(struct count_balance *balance, struct count_account *account, int64_t seen_ms, uint32_t n_sightings, double gap_s)
{
    balance->gaps_s += gap_s;
    balance->n_gaps += 1;
    account->gaps_s += gap_s;
    account->n_gaps += 1;
    int32_t number = number_of(seen_ms);
    struct count_cohort *cohort = &account->cohorts[number % balance->n_cohorts];
    int k = class_of(n_sightings);
    count_lifetable_close(&balance->table, seen_ms, k, gap_s);
    if (cohort->number != number || cohort->open[k] == 0)
        return;
    cohort->open[k]--;
    if (number < account->settled_before)
        return;
    account->open->n_again += 1;
    account->open->n_known -= 1;
}

/* The place of a next camera; the least used makes room. */
static struct count_branch *branch_of(struct count_account *account, uint32_t to)
{
    struct count_branch *least = &account->branches[0];
    for (uint32_t i = 0; i < account->n_branches; i++) {
        if (account->branches[i].to == to)
            return &account->branches[i];
        if (account->branches[i].n < least->n)
            least = &account->branches[i];
    }
    if (account->n_branches < COUNT_BRANCHES)
        least = &account->branches[account->n_branches++];
    *least = (struct count_branch){.to = to};
    return least;
}

void count_account_link(struct count_balance *balance, struct count_account *from, struct count_account *to, uint32_t to_number,
    double free_s, uint32_t n_edges, int64_t left_ms, int64_t came_ms)
{
    struct count_branch *branch = branch_of(from, to_number);
    branch->free_s = (float)free_s;
    branch->n += 1;
    int32_t left = number_of(left_ms), came = number_of(came_ms);
    branch->left = left > branch->left ? left : branch->left;
    branch->came = came > branch->came ? came : branch->came;
    if (branch->n >= BRANCHES_FULL)
        for (uint32_t i = 0; i < from->n_branches; i++)
            from->branches[i].n /= 2;
    int64_t due_ms = left_ms + (int64_t)(free_s * 1000);
    if (due_ms > to->clock_ms)
        to->clock_ms = due_ms;
    to->lateness_s += LATENESS_SHARE * (count_more((double)(came_ms - to->clock_ms) / 1000, 0) - to->lateness_s);
    balance->n_ways += n_edges > 0;
    balance->ways_s += n_edges > 0 ? free_s : 0;
}

/* ---- learning ---- */

static double mean_gap_s(const struct count_balance *balance, const struct count_account *account)
{
    double city_s = (balance->gaps_s + PRIOR_GAPS * PRIOR_GAP_S) / (balance->n_gaps + PRIOR_GAPS);
    /* While a city fills those that have ended are the short ones; the life table has the others, too. */
    double longer = fmax(balance->table.way_s / city_s, 1);
    return longer * (account->gaps_s + CAMERA_GAPS * city_s) / (account->n_gaps + CAMERA_GAPS);
}

/* Seconds since rates were looked at last. */
static double passed_s(const struct count_balance *balance, int64_t now_ms)
{
    int64_t from_ms = balance->rated_ms > balance->begun_ms ? balance->rated_ms : balance->begun_ms;
    return from_ms == INT64_MIN || from_ms > now_ms ? 0 : (double)(now_ms - from_ms) / 1000;
}

double count_balance_window_s(const struct count_balance *balance, int64_t now_ms)
{
    /* What came late is of a time that nothing was known of then. */
    double known_s = balance->begun_ms == INT64_MIN ? 0 : fmax((double)(now_ms - balance->begun_ms) / 1000, 0);
    return fmax(balance->window_s + passed_s(balance, now_ms), fmin(known_s, balance->settings.rate_least_s) / 2);
}

/* Rates change as fast as vehicles get from one camera to the next, and no faster. */
void count_balance_rate(struct count_balance *balance, int64_t now_ms)
{
    if (balance->begun_ms == INT64_MIN)
        return; /* before the first passage nobody looked: that is no time without passages */
    const struct count_settings *settings = &balance->settings;
    double known_s = fmax((double)(now_ms - balance->begun_ms) / 1000, RATE_S);
    double fade_s = fmin(fmin(fmax(settings->rate_ways * balance->way_s, settings->rate_least_s), settings->rate_most_s), known_s);
    double keep = exp(-passed_s(balance, now_ms) / fade_s);
    balance->window_s = count_balance_window_s(balance, now_ms) * keep;
    balance->n_passages *= keep;
    balance->n_first *= keep;
    balance->rated_ms = now_ms;
}

/* What is learned of the present fades. */
static void fade(struct count_balance *balance, struct count_account *accounts, uint32_t n, int64_t now_ms)
{
    double keep = balance->learned_ms == INT64_MIN ? 1 : exp(-(double)(now_ms - balance->learned_ms) / 1000 / balance->settings.fade_s);
    balance->learned_ms = now_ms;
    balance->n_gaps *= keep;
    balance->gaps_s *= keep;
    balance->n_ways *= keep;
    balance->ways_s *= keep;
    for (uint32_t i = 0; i < n; i++) {
        accounts[i].gaps_s *= keep;
        accounts[i].n_gaps *= keep;
    }
}

double count_balance_jam(const struct count_balance *balance)
{
    return fmin(fmax((balance->late_share - balance->settings.jam_from) / balance->settings.jam_from, 0), 1);
}

/* One that some came to lately: a queue shows by its discharge. */
static bool is_driven(const struct count_balance *balance, const struct count_branch *branch, int64_t now_ms)
{
    return (number_of(now_ms) - branch->came) * (double)(COUNT_COHORT_MS / 1000) < balance->settings.queue_s;
}

/* The share of the ways that lead to cameras later than signals explain. */
static double late_share(const struct count_balance *balance, const struct count_account *accounts, uint32_t n, int64_t now_ms)
{
    const struct count_settings *settings = &balance->settings;
    double all = 0, late = 0, late_s = settings->late_s + settings->late_signal_s * (balance->ends.waits - 1);
    for (uint32_t i = 0; i < n; i++) {
        double n_ways = 0;
        for (uint32_t b = 0; b < accounts[i].n_branches; b++)
            n_ways += is_driven(balance, &accounts[i].branches[b], now_ms) ? (double)accounts[i].branches[b].n : 0;
        all += n_ways;
        late += accounts[i].lateness_s > late_s ? n_ways : 0;
    }
    return all > 0 ? late / all : 0;
}

/* How the queues before a camera's next ones are. */
struct ahead {
    double n;          /* vehicles that came there; 0: nobody lately */
    double lateness_s; /* their mean */
    double due_s;      /* the least, from this camera, behind the queue */
    int32_t left;      /* cohort that has come to all of them ... */
    int32_t last;      /* ... and to one of all there are: who left later has not been overtaken anywhere; 0: unknown */
};

static struct ahead look_ahead(
    const struct count_balance *balance, const struct count_account *account, const struct count_account *accounts, int64_t now_ms)
{
    struct ahead ahead = {.due_s = INFINITY, .left = INT32_MAX};
    bool are_queues = balance->late_share > balance->settings.jam_from; /* without them silence is little traffic */
    for (uint32_t i = 0; i < account->n_branches; i++) {
        const struct count_branch *branch = &account->branches[i];
        ahead.last = branch->left > ahead.last ? branch->left : ahead.last;
        if (are_queues && !is_driven(balance, branch, now_ms))
            continue;
        ahead.n += (double)branch->n;
        ahead.lateness_s += (double)branch->n * accounts[branch->to].lateness_s;
    }
    if (ahead.n > 0)
        ahead.lateness_s /= ahead.n;
    for (uint32_t i = 0; i < account->n_branches; i++) {
        const struct count_branch *branch = &account->branches[i];
        if ((are_queues && !is_driven(balance, branch, now_ms)) || (double)branch->n <= BRANCH_LEAST * ahead.n)
            continue;
        ahead.due_s = fmin(ahead.due_s, (double)branch->free_s + accounts[branch->to].lateness_s);
        ahead.left = branch->left < ahead.left ? branch->left : ahead.left;
    }
    return ahead;
}

static bool is_kept(const struct count_balance *balance, const struct count_cohort *cohort, int32_t now)
{
    return cohort->number != 0 && cohort->number <= now && cohort->number > now - balance->n_cohorts + 1;
}

/* Of the cohorts after `from` and before `to` so many will be sighted again, or were. */
static double expected_between(
    const struct count_balance *balance, const struct count_account *account, int32_t from, int32_t to, int32_t now)
{
    double n = 0;
    for (int32_t i = 0; i < balance->n_cohorts; i++) {
        const struct count_cohort *cohort = &account->cohorts[i];
        for (int k = 0; k < COUNT_SIGHTINGS && is_kept(balance, cohort, now) && cohort->number > from && cohort->number < to; k++)
            n += cohort->n[k] * count_less(balance->again[k] * account->share, AGAIN_MAX);
    }
    return n;
}

/* Cohorts before this are settled: their vehicles would have come past the next cameras behind the queues there. */
static int32_t settled_before(
    const struct count_balance *balance, const struct count_account *account, const struct count_account *accounts, int64_t now_ms)
{
    const struct count_settings *settings = &balance->settings;
    struct ahead ahead = look_ahead(balance, account, accounts, now_ms);
    if (ahead.n > 0 && ahead.lateness_s >= settings->jam_s && ahead.left != INT32_MAX) {
        double left_ms = (double)(ahead.left - 1) * COUNT_COHORT_MS - settings->jam_margin * ahead.lateness_s * 1000;
        return left_ms <= 0 ? INT32_MIN : number_of((int64_t)left_ms);
    }
    /* In a city without queues a late vehicle is one that waited for a signal or took its time, and says nothing of the others. */
    double gap_s = mean_gap_s(balance, account), jam = count_balance_jam(balance);
    double due_s = (isinf(ahead.due_s) ? settings->settle_default_s : ahead.due_s) + settings->settle_gaps * gap_s + settings->settle_s;
    due_s += jam * (settings->late_margin * ahead.lateness_s + settings->jam_gaps * balance->late_share * gap_s);
    double settled_ms = (double)now_ms - due_s * 1000;
    int32_t settled = settled_ms <= 0 ? INT32_MIN : number_of((int64_t)settled_ms);
    /* Whom nobody behind has overtaken may stand before a closed road. */
    if (ahead.last <= 0 || ahead.last >= settled ||
        expected_between(balance, account, ahead.last, settled, number_of(now_ms)) < settings->hold_least)
        return settled;
    double held_ms = (double)now_ms - settings->hold_s * 1000;
    int32_t held = held_ms <= 0 ? 0 : number_of((int64_t)held_ms);
    held = held > ahead.last ? held : ahead.last;
    return held < settled ? held : settled;
}

/* Of one camera: settled passages and those sighted again, younger ones weighing more; and unsettled ones. */
struct account_sums {
    double settled_again[COUNT_SIGHTINGS], settled[COUNT_SIGHTINGS];
    double unsettled[COUNT_SIGHTINGS], unsettled_again;
};

static void sum_account(const struct count_balance *balance, const struct count_account *account, int32_t now, const double *weights,
    struct account_sums *ret_sums)
{
    *ret_sums = (struct account_sums){.unsettled_again = 0};
    for (int32_t i = 0; i < balance->n_cohorts; i++) {
        const struct count_cohort *cohort = &account->cohorts[i];
        if (!is_kept(balance, cohort, now))
            continue;
        bool is_settled = cohort->number < account->settled_before;
        double weight = is_settled ? weights[now - cohort->number] : 0;
        for (int k = 0; k < COUNT_SIGHTINGS; k++) {
            double n = cohort->n[k], n_again = cohort->n[k] - cohort->open[k];
            ret_sums->settled[k] += weight * n;
            ret_sums->settled_again[k] += weight * n_again;
            ret_sums->unsettled[k] += is_settled ? 0 : n;
            ret_sums->unsettled_again += is_settled ? 0 : n_again;
        }
    }
}

/* P of each class from the sums over all cameras. */
static void learn_city(struct count_balance *balance, const double *again, const double *all)
{
    double sum_again = PRIOR_FIRST * prior_again(&balance->ends), sum_all = PRIOR_FIRST;
    for (int k = 0; k < COUNT_SIGHTINGS; k++) {
        sum_again += again[k];
        sum_all += all[k];
    }
    for (int k = 0; k < COUNT_SIGHTINGS; k++) {
        double prior = k == 0 ? sum_again / sum_all : balance->again[k - 1];
        balance->again[k] = (again[k] + PRIOR_PASSAGES * prior) / (all[k] + PRIOR_PASSAGES);
    }
    /* Misread plates are sighted once. But for them a trip's first sighting is followed more often than its second one by as much as that
     * is more than the third and fourth: short trips have an end soon. */
    balance->fall = fmin(fmax(pow(balance->again[1] / fmax(balance->again[2], 0.1), 1 / THIRD_AFTER), 1), FALL_MOST);
    balance->ghosts = fmax(1 - balance->again[0] / fmin(fmax(balance->again[1], 0.3) * balance->fall, AGAIN_MAX), 0);
}

static void learn_account(const struct count_balance *balance, struct count_account *account, const struct account_sums *sums)
{
    double again = CAMERA_PRIOR, expected = CAMERA_PRIOR;
    for (int k = 0; k < COUNT_SIGHTINGS; k++) {
        again += sums->settled_again[k];
        expected += sums->settled[k] * balance->again[k];
    }
    account->share = again / expected;
    struct count_open own = {.n_again = sums->unsettled_again, .n_known = -sums->unsettled_again};
    for (int k = 0; k < COUNT_SIGHTINGS; k++) {
        expect(balance, account, &own, k, sums->unsettled[k]);
        own.n_known += sums->unsettled[k];
    }
    double coming = fmax(count_transit_coming(&own), 0); /* negative by chance */
    account->seen = coming + count_transit_ending(balance, &own, coming);
    count_open_add(account->open, &own);
}

void count_balance_learn(struct count_balance *balance, struct count_account *accounts, uint32_t n, int64_t now_ms)
{
    double again[COUNT_SIGHTINGS] = {0}, all[COUNT_SIGHTINGS] = {0}, weights[COUNT_COHORTS_MAX], older[COUNT_COHORTS_MAX + 1];
    older[balance->n_cohorts] = 0;
    for (int32_t i = balance->n_cohorts; i-- > 0;) {
        weights[i] = exp(-(double)i * COUNT_COHORT_MS / 1000 / balance->settings.settled_fade_s);
        older[i] = older[i + 1] + weights[i];
    }
    fade(balance, accounts, n, now_ms);
    balance->late_share = late_share(balance, accounts, n, now_ms);
    int32_t now = number_of(now_ms);
    struct account_sums *kept = n > 0 ? mem_alloc(n * sizeof(*kept)) : NULL, sums; /* without memory for them they are made again */
    for (uint32_t i = 0; i < n; i++) {
        accounts[i].settled_before = settled_before(balance, &accounts[i], accounts, now_ms);
        sum_account(balance, &accounts[i], now, weights, &sums);
        if (kept != NULL)
            kept[i] = sums;
        /* Each camera by its rate: those whose passages are settled soon are not more of the city for it. */
        int64_t first = (int64_t)now - accounts[i].settled_before + 1;
        double part = first < balance->n_cohorts ? older[first < 0 ? 0 : first] : 0;
        double weight = fmin(older[0] / fmax(part, 1e-9), WINDOW_MAX);
        for (int k = 0; k < COUNT_SIGHTINGS; k++) {
            again[k] += weight * sums.settled_again[k];
            all[k] += weight * sums.settled[k];
        }
    }
    learn_city(balance, again, all);
    for (uint32_t i = 0; i < n; i++) {
        if (kept == NULL)
            sum_account(balance, &accounts[i], now, weights, &sums);
        learn_account(balance, &accounts[i], kept != NULL ? &kept[i] : &sums);
    }
    mem_free(kept);
}
