/*
 * Places in a stream from afar: each rule by itself, and both sides together from a seed: answers that are lost and come twice, who asks
 * and who gives starting anew at any moment, disks of an older day, a record that drops its oldest. Held: who goes on asking without a
 * start gets each record once and in order, or is told how many are gone; after a start at most what was not confirmed comes again.
 */
#include "hub/place.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void asks(void **state)
{
    struct hub_place place = {0};
    size_t skip;
    assert_int_equal(hub_place_answer(&place, 7, 100, 3, &skip), 0); /* begins where it is told */
    assert_true(skip == 0 && place.next == 100);
    place.next += 3;
    assert_int_equal(hub_place_answer(&place, 7, 100, 5, &skip), 0);
    assert_int_equal(skip, 3); /* known by their numbers */
    place.next += 2;
    assert_int_equal(hub_place_answer(&place, 7, 100, 2, &skip), 0);
    assert_int_equal(skip, 2);
    assert_int_equal(hub_place_answer(&place, 7, 110, 1, &skip), 5); /* what lay between is not there any more */
    assert_true(skip == 0 && place.next == 110);
    assert_int_equal(hub_place_answer(&place, 7, UINT64_MAX - 1, 1, &skip), UINT64_MAX - 1 - 110); /* a liar harms its own stream */
    assert_int_equal(hub_place_answer(&place, 8, 0, 1, &skip), 0);                                 /* another numbering */
    assert_true(skip == 0 && place.next == 0 && place.confirmed == 0 && place.marked == 0);
    place = (struct hub_place){.epoch = 8, .next = 20, .confirmed = 5, .marked = 18};
    assert_int_equal(hub_place_answer(&place, 9, 15, 0, &skip), 0);              /* which agrees with the last one up to there: */
    assert_true(place.next == 15 && place.confirmed == 5 && place.marked == 15); /* what was confirmed is that still, and no more */
}

static void confirms(void **state)
{
    struct hub_place place = {.epoch = 1};
    place.next = 10;
    hub_place_confirm(&place, HUB_PLACE_CONFIRM_MS); /* marked now … */
    assert_true(place.confirmed == 0 && place.marked == 10);
    place.next = 20;
    hub_place_confirm(&place, 2 * HUB_PLACE_CONFIRM_MS - 1);
    assert_int_equal(place.confirmed, 0);
    hub_place_confirm(&place, 2 * HUB_PLACE_CONFIRM_MS); /* … confirmed so much later */
    assert_true(place.confirmed == 10 && place.marked == 20);
}

static void gives(void **state)
{
    struct hub_place_kept kept = {.epoch = 5, .first = 10, .end = 20, .confirmed = 15};
    uint64_t from;
    assert_int_equal(hub_place_give(&kept, 5, 12, &from), HUB_PLACE_READ);
    assert_int_equal(from, 12);
    assert_int_equal(hub_place_give(&kept, 5, 3, &from), HUB_PLACE_READ); /* the oldest there is */
    assert_int_equal(from, 10);
    assert_int_equal(hub_place_give(&kept, 5, 20, &from), HUB_PLACE_WAIT);
    assert_int_equal(hub_place_give(&kept, 5, 21, &from), HUB_PLACE_RENEW);
    assert_int_equal(hub_place_give(&kept, 5, UINT64_MAX, &from), HUB_PLACE_RENEW);
    assert_int_equal(hub_place_give(&kept, 4, 99, &from), HUB_PLACE_TELL);
    assert_int_equal(from, 15);
    kept.confirmed = UINT64_MAX; /* never */
    assert_int_equal(hub_place_give(&kept, 0, 0, &from), HUB_PLACE_TELL);
    assert_int_equal(from, 20);
    kept.agreed = 17; /* an earlier life's numbers, up to there: who goes on is where it was, or where the two part */
    assert_int_equal(hub_place_give(&kept, 4, 12, &from), HUB_PLACE_TELL);
    assert_int_equal(from, 12);
    assert_int_equal(hub_place_give(&kept, 4, 19, &from), HUB_PLACE_TELL);
    assert_int_equal(from, 17);
    assert_int_equal(hub_place_give(&kept, 4, 3, &from), HUB_PLACE_TELL);
    assert_int_equal(from, 3); /* also when that is dropped: it asks from there, and is told how many are gone */
    kept.agreed = 0;
    kept.confirmed = 2; /* dropped since */
    assert_int_equal(hub_place_give(&kept, 0, 0, &from), HUB_PLACE_TELL);
    assert_int_equal(from, 2);
}

/* The oldest are dropped and the record begins another life while who asks is away: it is told how many are gone all the same. */
static void a_gap_and_another_life_at_once(void **state)
{
    struct hub_place place = {.epoch = 4, .next = 100, .confirmed = 90, .marked = 95};
    struct hub_place_kept kept = {.epoch = 5, .first = 130, .end = 150, .confirmed = 90, .agreed = 110};
    uint64_t from, n_gone = 0;
    size_t skip;
    assert_int_equal(hub_place_give(&kept, place.epoch, place.next, &from), HUB_PLACE_TELL);
    n_gone += hub_place_answer(&place, kept.epoch, from, 0, &skip);
    assert_int_equal(hub_place_give(&kept, place.epoch, place.next, &from), HUB_PLACE_READ);
    assert_int_equal(from, 130);
    n_gone += hub_place_answer(&place, kept.epoch, from, 20, &skip);
    assert_true(n_gone == 30 && skip == 0 && place.next == 130);
    place = (struct hub_place){0}; /* one that was started anew goes on from what was confirmed */
    kept.agreed = 0;
    assert_int_equal(hub_place_give(&kept, 0, 0, &from), HUB_PLACE_TELL);
    n_gone = hub_place_answer(&place, kept.epoch, from, 0, &skip);
    assert_int_equal(hub_place_give(&kept, place.epoch, place.next, &from), HUB_PLACE_READ);
    n_gone += hub_place_answer(&place, kept.epoch, from, 20, &skip);
    assert_int_equal(n_gone, 40);
}

/* ---- both sides ---- */

#define RECORDS_MAX 4096
#define KEPT_MAX 200
#define EPOCHS_MAX 256

struct side {
    struct hub_place_kept kept;
    uint64_t given_epoch;                /* counted up */
    uint64_t agreed[EPOCHS_MAX];         /* of earlier ones */
    int values[RECORDS_MAX];             /* what stands at a number */
    struct hub_place place;              /* of who asks */
    int n_got[RECORDS_MAX];              /* times a value was handed over */
    int last;                            /* handed over since the last start, numbers and values grow */
    uint64_t n_gone, n_dropped, n_never; /* told to be gone; dropped; gone with a disk before they were handed over */
    int n_values;
};

static uint64_t random_state;

static uint64_t below(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

static void keep(struct side *side)
{
    if (side->kept.end == RECORDS_MAX || side->n_values == RECORDS_MAX)
        return;
    side->values[side->kept.end++] = side->n_values++;
    uint64_t floor = side->kept.end > KEPT_MAX ? side->kept.end - KEPT_MAX : 0;
    if (side->kept.first < floor) {
        side->n_dropped += floor - side->kept.first;
        side->kept.first = floor;
    }
}

struct answer {
    uint64_t epoch, first, n;
    bool is_one;
};

static struct answer give(struct side *side, uint64_t epoch, uint64_t from, uint64_t confirmed)
{
    struct answer answer = {.epoch = side->kept.epoch, .is_one = true};
    if (epoch == side->kept.epoch && confirmed <= side->kept.end &&
        (side->kept.confirmed == UINT64_MAX || confirmed > side->kept.confirmed))
        side->kept.confirmed = confirmed;
    side->kept.agreed = epoch == side->kept.epoch ? side->kept.end : side->agreed[epoch];
    enum hub_place_give what = hub_place_give(&side->kept, epoch, from, &answer.first);
    if (what == HUB_PLACE_RENEW) {
        answer.epoch = side->kept.epoch = ++side->given_epoch;
        what = hub_place_give(&side->kept, epoch, from, &answer.first);
        assert_int_equal(what, HUB_PLACE_TELL);
    }
    if (what == HUB_PLACE_TELL && side->kept.confirmed == UINT64_MAX)
        side->kept.confirmed = answer.first; /* from here on it is this asker's */
    if (what == HUB_PLACE_READ)
        answer.n = 1 + below(side->kept.end - answer.first);
    return answer;
}

static void take(struct side *side, struct answer answer)
{
    size_t skip;
    bool is_anew = answer.epoch != side->place.epoch, is_first = side->place.epoch == 0;
    uint64_t before = side->place.next;
    side->n_gone += hub_place_answer(&side->place, answer.epoch, answer.first, answer.n, &skip);
    if (is_first)
        side->last = -1;
    else if (answer.n > skip && !is_anew)
        assert_int_equal(answer.first + skip, before > answer.first ? before : answer.first);
    for (uint64_t i = skip; i < answer.n; i++) {
        int value = side->values[side->place.next++];
        assert_true(value > side->last); /* in order, none twice */
        side->last = value;
        side->n_got[value]++;
    }
}

/* A disk of an older day: its last records are gone, and it begins another life, with other events under their numbers. */
static void be_older(struct side *side)
{
    for (uint64_t n = below(20); n > 0; n--)
        side->n_never += side->n_got[side->values[--side->kept.end]] == 0;
    if (side->kept.confirmed != UINT64_MAX && side->kept.confirmed > side->kept.end)
        side->kept.confirmed = side->kept.end;
    side->agreed[side->kept.epoch] = side->kept.end;
    for (size_t i = 0; i < EPOCHS_MAX; i++)
        side->agreed[i] = side->agreed[i] < side->kept.end ? side->agreed[i] : side->kept.end;
    side->kept.epoch = ++side->given_epoch;
    assert_true(side->given_epoch < EPOCHS_MAX);
    for (uint64_t n = below(40); n > 0; n--)
        keep(side);
}

static void one_seed(uint64_t seed, uint64_t *n_again)
{
    static struct side side;
    struct answer flying[4] = {{0}};
    int64_t now_ms = 0;
    uint64_t n_cut = 0;
    bool has_started = false, was_old = false;
    memset(&side, 0, sizeof side);
    side.kept = (struct hub_place_kept){.epoch = side.given_epoch = 1, .confirmed = UINT64_MAX};
    side.last = -1;
    random_state = seed * 2654435761u + 88172645463325252u;
    take(&side, give(&side, 0, 0, 0)); /* it has begun: nothing from here on is lost on it */
    for (int i = 0; i < 4000; i++, now_ms += (int64_t)below(100)) {
        bool is_calm = i > 3500;
        if (!is_calm && below(2))
            keep(&side);
        if (!is_calm && seed % 4 != 0 && below(400) == 0) { /* who asks is killed */
            memset(&side.place, 0, sizeof side.place);
            memset(flying, 0, sizeof flying);
            side.last = -1;
            has_started = true;
        }
        if (!is_calm && seed % 3 == 0 && below(900) == 0 && side.kept.end > side.kept.first + 20) { /* a disk of an older day */
            be_older(&side);
            memset(flying, 0, sizeof flying); /* what stands in an answer is looked up when it is taken: it would be of the new life */
            was_old = true;
        }
        if (!is_calm && below(400) == 0) /* a cut, in which its place may be dropped */
            n_cut = below(3 * KEPT_MAX);
        if (!is_calm && n_cut > 0) {
            n_cut--;
            continue;
        }
        hub_place_confirm(&side.place, now_ms);
        struct answer answer = give(&side, side.place.epoch, side.place.next, side.place.confirmed);
        uint64_t slot = below(4);
        if (is_calm || below(3)) /* else it is lost, or comes late */
            take(&side, answer);
        else if (!has_started && !was_old)
            flying[slot] = answer;
        if (flying[slot].is_one && flying[slot].epoch == side.place.epoch && below(2))
            take(&side, flying[slot]); /* a second time, or late */
    }
    assert_int_equal(side.place.next, side.kept.end);
    uint64_t n_lost = 0;
    for (int value = 0; value < side.n_values; value++) {
        n_lost += side.n_got[value] == 0;
        *n_again += side.n_got[value] > 1;
        assert_true(side.n_got[value] <= 1 || has_started);
    }
    for (uint64_t number = side.kept.first; number < side.kept.end; number++)
        assert_true(side.n_got[side.values[number]] > 0); /* of what is there nothing was skipped */
    if (!was_old)
        assert_true(n_lost <= side.n_dropped); /* and no other */
    if (!has_started)
        assert_int_equal(n_lost, side.n_gone + side.n_never); /* told to the last one, also over another life of the record */
}

static void each_once_from_seeds(void **state)
{
    const char *seeds = getenv("PLACE_SEEDS");
    uint64_t n = seeds ? strtoull(seeds, NULL, 10) : 400, n_again = 0;
    for (uint64_t seed = 1; seed <= n; seed++) {
        fprintf(stderr, "\rseed %llu ", (unsigned long long)seed);
        one_seed(seed, &n_again);
    }
    printf("%llu seeds, %llu records again after a start\n", (unsigned long long)n, (unsigned long long)n_again);
    assert_true(n_again > n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(asks), cmocka_unit_test(confirms), cmocka_unit_test(gives),
        cmocka_unit_test(a_gap_and_another_life_at_once), cmocka_unit_test(each_once_from_seeds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
