/* The balance on a street of cameras made here: known shares, queues of any length, misread plates, under a printed seed. */
#include "scene/count/balance.h"
#include "scene/count/transit.h"

#include "base/mem.h"
#include "base/test.h"

#include <math.h>
#include <time.h>

#define N_CAMERAS 12
#define N_TRIPS 6000
#define HOUR_MS 3600000

static const struct count_settings defaults = COUNT_SETTINGS_DEFAULT;

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 11;
}

static double random_share(uint64_t *seed)
{
    return (double)(random_next(seed) % 1000000) / 1e6;
}

struct street {
    struct count_balance balance;
    struct count_account accounts[N_CAMERAS];
    struct count_open opens[N_CAMERAS]; /* an area for each camera */
    int64_t now_ms, learned_ms;
};

static void street_make(struct street *street)
{
    *street = (struct street){.now_ms = HOUR_MS, .learned_ms = HOUR_MS};
    count_balance_init(&street->balance, &defaults);
    for (int i = 0; i < N_CAMERAS; i++)
        assert_ok(count_account_init(&street->balance, &street->accounts[i], &street->opens[i], INT64_MIN));
}

static void street_finish(struct street *street)
{
    for (int i = 0; i < N_CAMERAS; i++)
        count_account_finish(&street->accounts[i]);
}

static void learn(struct street *street)
{
    for (int i = 0; i < N_CAMERAS; i++)
        street->opens[i] = (struct count_open){.expected = 0};
    count_balance_learn(&street->balance, street->accounts, N_CAMERAS, street->now_ms);
}

static struct count_seen all_of(const struct street *street)
{
    struct count_seen all = {0, 0};
    for (int i = 0; i < N_CAMERAS; i++) {
        double coming = count_transit_coming(&street->opens[i]);
        all.coming += coming;
        all.ending += count_transit_ending(&street->balance, &street->opens[i], coming);
    }
    return all;
}

struct trip {
    int at;          /* camera; -1: not begun or ended */
    int64_t last_ms; /* seen there */
    int64_t next_ms; /* comes to the next camera, or ends before it */
    bool ends;
    uint32_t n;
};

/*
 * Trips begin each 500 ms at a camera by chance, go to the next one in 40 s of free flow and `queue_s` of waiting, and end before it
 * with the chance `ends`. From `jam_ms` on, nobody passes camera `jammed` any more. Returns how many are on the road and were seen.
 */
static double drive(
    struct street *street, uint64_t *seed, struct trip *trips, double ends, double queue_s, int64_t for_ms, int jammed, int64_t jam_ms)
{
    int n_trips = 0;
    double n_coming = 0;
    for (int64_t end_ms = street->now_ms + for_ms; street->now_ms < end_ms; street->now_ms += 500) {
        int64_t now_ms = street->now_ms;
        if (n_trips < N_TRIPS)
            trips[n_trips++] = (struct trip){.at = (int)(random_next(seed) % N_CAMERAS), .last_ms = now_ms, .next_ms = 0};
        for (int i = 0; i < n_trips; i++) {
            struct trip *trip = &trips[i];
            int to = (trip->at + 1) % N_CAMERAS;
            if (trip->at < 0 || trip->next_ms > now_ms || (to == jammed && now_ms >= jam_ms && trip->n > 0))
                continue;
            if (trip->n > 0 && trip->ends) {
                trip->at = -1;
                continue;
            }
            if (trip->n > 0) {
                count_account_link(
                    &street->balance, &street->accounts[trip->at], &street->accounts[to], (uint32_t)to, 40, 3, trip->last_ms, now_ms);
                count_account_close(
                    &street->balance, &street->accounts[trip->at], trip->last_ms, trip->n, (double)(now_ms - trip->last_ms) / 1000);
                trip->at = to;
            }
            trip->n++;
            trip->last_ms = now_ms;
            trip->next_ms = now_ms + 40000 + (int64_t)(queue_s * 1000);
            trip->ends = random_share(seed) < ends;
            count_account_open(&street->balance, &street->accounts[trip->at], now_ms, trip->n);
        }
        if (now_ms - street->learned_ms >= 10000) {
            street->learned_ms = now_ms;
            learn(street);
        }
    }
    for (int i = 0; i < n_trips; i++)
        n_coming += trips[i].at >= 0 && trips[i].n > 0;
    return n_coming;
}

static struct trip trips[N_TRIPS];

/* Whatever the share that ends and however long the queue: the balance is the number on the road. */
static void the_balance_is_what_is_on_the_road(void **state)
{
    static const struct {
        double ends, queue_s, within; /* within: short trips are few on the road, and chance is larger */
    } rows[] = {{0.1, 0, 0.15}, {0.1, 40, 0.15}, {0.4, 20, 0.4}, {0.25, 50, 0.25}};
    uint64_t seed = (uint64_t)time(NULL) * 2654435761u + 1, first_seed = seed;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct street street;
        street_make(&street);
        double on_road = drive(&street, &seed, trips, rows[i].ends, rows[i].queue_s, 1800000, -1, 0);
        struct count_seen all = all_of(&street);
        if (fabs((all.coming + all.ending) / on_road - 1) > rows[i].within)
            fail_msg("seed %llu row %zu: %g of %g", (unsigned long long)first_seed, i, (all.coming + all.ending), on_road);
        for (int k = 2; k < 4; k++)
            if (fabs(street.balance.again[k] - (1 - rows[i].ends)) > rows[i].within / 2)
                fail_msg("seed %llu row %zu: P %g", (unsigned long long)first_seed, i, street.balance.again[k]);
        street_finish(&street);
    }
    print_message("seed %llu\n", (unsigned long long)first_seed);
}

/* Camera 5 is shut for ten minutes. The queue before it is counted, while a time-out of minutes would have forgotten it. */
static void a_queue_is_not_forgotten(void **state)
{
    uint64_t seed = (uint64_t)time(NULL) * 2654435761u + 7, first_seed = seed;
    static struct street street;
    street_make(&street);
    /* The lateness there was of the last that came: a jam has one before it stands. */
    double on_road = drive(&street, &seed, trips, 0.15, 70, 2400000, 5, HOUR_MS + 1800000);
    double before = count_transit_coming(&street.opens[4]);
    before += count_transit_ending(&street.balance, &street.opens[4], before);
    double queued = 0;
    for (int i = 0; i < N_TRIPS; i++)
        queued += trips[i].at == 4 && trips[i].n > 0;
    struct count_seen all = all_of(&street);
    if (fabs(before / queued - 1) > 0.2 || fabs((all.coming + all.ending) / on_road - 1) > 0.2 || queued < 300)
        fail_msg("seed %llu: %g of %g in the queue, %g of %g in all", (unsigned long long)first_seed, before, queued,
            (all.coming + all.ending), on_road);
    print_message("seed %llu\n", (unsigned long long)first_seed);
    street_finish(&street);
}

/*
 * Each 4 s a vehicle passes camera 0, until `enter_s`; one in ten ends there, the others come to camera 1 a minute later. From 600 s on
 * camera 1 takes one each `each_s` in turn, or nobody (0). Who stands there after `for_s`, whoever left long ago, is counted; where nobody
 * comes any more, nobody stands.
 */
static void a_queue_shows_by_its_discharge(void **state)
{
    static const struct {
        int enter_s, each_s, for_s;
        int oldest_s; /* so long ago at least the first of those who stand passed camera 0; 0: nobody is counted */
    } rows[] = {
        {3600, 40, 4800, 3600}, /* longer than an hour in the queue */
        {3600, 12, 4800, 1800},
        {700, 0, 4200, 0}, /* all that went there ended their trips on the way */
        {3600, 4, 4800, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct street street;
        street_make(&street);
        struct count_account *from = &street.accounts[0];
        int n_left = 0, n_came = 0, came_s = 0; /* vehicle v left at 4 v; each tenth ends */
        for (int s = 0; s < rows[i].for_s; s++) {
            street.now_ms = HOUR_MS + s * 1000;
            if (s % 4 == 0 && s < rows[i].enter_s) {
                count_account_open(&street.balance, from, street.now_ms, 2);
                n_left++;
            }
            while (n_came % 10 == 9)
                n_came++;
            bool is_open = s < 600 || (rows[i].each_s > 0 && s - came_s >= rows[i].each_s);
            if (n_came < n_left && 4 * n_came + 60 <= s && is_open) {
                int64_t left_ms = HOUR_MS + n_came * 4000;
                count_account_link(&street.balance, from, &street.accounts[1], 1, 40, 3, left_ms, street.now_ms);
                count_account_close(&street.balance, from, left_ms, 2, (double)(street.now_ms - left_ms) / 1000);
                n_came++;
                came_s = s;
            }
            if (s % 30 == 29)
                learn(&street);
        }
        double stand = rows[i].oldest_s > 0 ? (n_left - n_came) * 0.9 : 0, counted = count_transit_coming(&street.opens[0]);
        if (rows[i].oldest_s > 0 && rows[i].for_s - 4 * n_came < rows[i].oldest_s)
            fail_msg("row %zu: the oldest stands for %d s", i, rows[i].for_s - 4 * n_came);
        if (fabs(counted - stand) > 0.15 * stand + 5)
            fail_msg("row %zu: %g counted, %g stand", i, counted, stand);
        street_finish(&street);
    }
}

/* Misread plates are sighted once and are no vehicles. */
static void misread_plates_are_no_vehicles(void **state)
{
    uint64_t seed = 4711;
    static struct street street;
    street_make(&street);
    for (int round = 0; round < 2; round++) {
        drive(&street, &seed, trips, 0.1, 0, 900000, -1, 0);
        for (int i = 0; i < 600; i++)
            count_account_open(&street.balance, &street.accounts[i % N_CAMERAS], street.now_ms - i * 1000, 1);
    }
    learn(&street);
    assert_true(street.balance.ghosts > 0.1 && street.balance.ghosts < 0.5);
    street_finish(&street);
}

/* Where trips are short, a sighting is followed less often the later it is; that hides how few of the first ones are, of which some are
 * misread plates. */
static void misread_plates_are_told_from_short_trips(void **state)
{
    static struct street street;
    street_make(&street);
    /* Of 1,000 trips 900 are seen twice, 756 three times, 580 four times, 406 five times; and 150 plates are misread. */
    static const int n[] = {1000, 900, 756, 580, 406};
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < n[k] + (k == 0 ? 150 : 0); i++) {
            int at = i % N_CAMERAS;
            int64_t seen_ms = HOUR_MS + k * 60000;
            count_account_open(&street.balance, &street.accounts[at], seen_ms, (uint32_t)k + 1);
            if (i < n[k + 1])
                count_account_close(&street.balance, &street.accounts[at], seen_ms, (uint32_t)k + 1, 60);
        }
    street.now_ms += 1800000;
    learn(&street);
    assert_true(fabs(street.balance.ghosts - 150.0 / 1150) < 0.04);
    street_finish(&street);
}

/* What is closed twice is closed once; a cohort is gone after keep_s, and holds what it can. */
static void cohorts_have_their_time(void **state)
{
    static struct street street;
    street_make(&street);
    struct count_account *account = &street.accounts[0];
    struct count_open *open = &street.opens[0];
    int64_t begin_ms = HOUR_MS;
    const struct count_cohort *cohort = &account->cohorts[(int32_t)(begin_ms / COUNT_COHORT_MS + 1) % street.balance.n_cohorts];
    count_account_open(&street.balance, account, begin_ms + 10000, 1);
    count_account_open(&street.balance, account, begin_ms + 20000, 3);
    assert_int_equal(cohort->open[0], 1);
    assert_int_equal(cohort->n[2], 1);
    assert_true(fabs(open->n_known - 2) < 1e-9 && fabs(open->expected - 2 * 0.95) < 1e-9);
    for (int i = 0; i < 2; i++)
        count_account_close(&street.balance, account, begin_ms + 10000, 1, 30);
    assert_int_equal(cohort->open[0], 0);
    assert_int_equal(cohort->n[0], 1);
    assert_true(fabs(open->n_known - 1) < 1e-9 && fabs(open->n_again - 1) < 1e-9);
    /* Another cohort takes its place; what is closed of it then is of no cohort. */
    int64_t later_ms = begin_ms + street.balance.n_cohorts * (int64_t)COUNT_COHORT_MS;
    count_account_open(&street.balance, account, later_ms, 1);
    assert_int_equal(cohort->n[2], 0);
    count_account_close(&street.balance, account, begin_ms + 20000, 3, 30);
    count_account_open(&street.balance, account, begin_ms + 20000, 3);
    assert_int_equal(cohort->n[2], 0);
    for (int i = 0; i < UINT16_MAX + 5; i++)
        count_account_open(&street.balance, account, later_ms, 1);
    assert_int_equal(cohort->n[0], UINT16_MAX);
    street_finish(&street);
}

/* Nine next cameras where eight have room: the least used goes. */
static void branches_are_bounded(void **state)
{
    static struct street street;
    street_make(&street);
    for (int to = 1; to <= 9; to++)
        for (int i = 0; i < (to == 3 ? 1 : 5); i++)
            count_account_link(&street.balance, &street.accounts[0], &street.accounts[to], (uint32_t)to, 40, 1, HOUR_MS, HOUR_MS + 60000);
    assert_int_equal(street.accounts[0].n_branches, COUNT_BRANCHES);
    for (int i = 0; i < COUNT_BRANCHES; i++)
        assert_int_not_equal(street.accounts[0].branches[i].to, 3);
    assert_true(fabs(street.accounts[9].lateness_s - 20 * (1 - pow(0.9, 5))) < 1e-9);
    for (int i = 0; i < 10000; i++)
        count_account_link(&street.balance, &street.accounts[0], &street.accounts[1], 1, 40, 1, HOUR_MS, HOUR_MS + 60000);
    assert_true(street.accounts[0].branches[0].n < 5000);
    street_finish(&street);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_balance_is_what_is_on_the_road),
        cmocka_unit_test(a_queue_is_not_forgotten),
        cmocka_unit_test(a_queue_shows_by_its_discharge),
        cmocka_unit_test(misread_plates_are_no_vehicles),
        cmocka_unit_test(misread_plates_are_told_from_short_trips),
        cmocka_unit_test(cohorts_have_their_time),
        cmocka_unit_test(branches_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
