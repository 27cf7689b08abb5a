/*
 * A replica of the hub follows its desk on a real nats-server, each with a real ledger: it tells which log it writes when it hears the
 * desk, and again each day, so that who used whose data is asked for at it for as long as the days' keys are kept; and in each life of the
 * desk.
 */
#include "base/test.h"
#include "bus/link_testing.h"
#include "hub/fake.h"
#include "hub/feed.h"
#include "system/bus/system_bus.h"

#include <stdio.h>
#include <string.h>

#define HUB STR("h/hub")

enum { DESK, REPLICA, N_SIDES };
static struct side {
    struct fake_city city;
    struct crypto_key *key;
    struct ledger *ledger;
    struct bus_link *link;
    struct bus_peer *peer;
} sides[N_SIDES];
static struct nats_testing server;
static struct sign_key *key;
static struct sign_public public;
static struct system_bus_desk *desk;
static struct system_bus_follower *follower;
static size_t n_logs, n_follows;

/* The replica's clock, which the test has moved on. */
static struct {
    struct clock clock;
    int64_t ms;
} moved;

static struct wall_time moved_wall(struct clock *clock)
{
    return (struct wall_time){clock_wall(clock_system()).ms + moved.ms};
}

static struct mono_time moved_mono(struct clock *clock)
{
    return (struct mono_time){clock_mono(clock_system()).ns + moved.ms * 1000000};
}

static enum err key_of(void *context, struct str party, struct sign_public *ret_key)
{
    *ret_key = public;
    return ERR_OK;
}

static void on_question(void *context, struct bus_question *question)
{
    struct hub_feed_question asked;
    assert_ok(hub_feed_question_read(bus_question_bytes(question), &asked));
    n_follows += asked.what == HUB_FEED_FOLLOW;
    if (asked.what == HUB_FEED_LOG) {
        assert_str(asked.log, "h.log.r1");
        n_logs++;
    }
    system_bus_desk_question(desk, question);
}

static void go_up(int at)
{
    static const char *const origins[] = {"h.log", "h.log.r1"};
    struct side *side = &sides[at];
    struct diag_list diags = {0};
    struct diag diag = {""};
    char dir[128];
    const uint8_t seed[32] = {(uint8_t)(at + 1)};
    snprintf(dir, sizeof dir, "%s/ledger", side->city.data);
    assert_ok(crypto_key_from_seed(seed, &side->key));
    const struct ledger_options ledger = {.dir = dir, .origin = str_from_c(origins[at]), .key = side->key, .clock = clock_system()};
    assert_ok(ledger_open(&ledger, &diag, &side->ledger));
    side->city.ledger = side->ledger;
    side->city.ledger_key = side->key;
    side->city.real_clock = at == DESK ? clock_system() : &moved.clock;
    side->city.follows = at == DESK ? NULL : "";
    assert_ok(fake_city_load(&side->city, &diags));
    if (at == DESK)
        assert_ok(system_bus_desk_create(side->city.hub, side->city.loop, &desk));
    nats_testing_link(&server, at, &side->link);
    const struct bus_peer_options options = {.link = side->link,
        .name = HUB,
        .key = key,
        .clock = clock_system(),
        .loop = side->city.loop,
        .key_of = key_of,
        .on_question = at == DESK ? on_question : NULL,
        .door = at == DESK ? SYSTEM_BUS_DESK : NULL,
        .is_reserved = true};
    assert_ok(bus_peer_create(&options, &side->peer));
    if (at == REPLICA) {
        assert_ok(system_bus_follow(side->city.hub, side->peer, STR("h"), side->city.loop, &follower));
        system_bus_follow_log(follower);
    }
}

static void go_down(int at)
{
    struct side *side = &sides[at];
    if (at == REPLICA)
        system_bus_unfollow(follower);
    bus_peer_destroy(side->peer);
    bus_link_close(side->link);
    fake_city_spin(&side->city);
    if (at == DESK)
        system_bus_desk_destroy(desk);
    fake_city_unload(&side->city);
    ledger_close(side->ledger);
    crypto_key_destroy(side->key);
}

static int start(void **state)
{
    moved.clock = (struct clock){.wall = moved_wall, .mono = moved_mono};
    moved.ms = 0;
    n_logs = n_follows = 0;
    nats_testing_start(&server, false);
    assert_ok(sign_key_make(SIGN_ED25519, &key));
    sign_key_public(key, &public);
    for (int at = 0; at < N_SIDES; at++) {
        fake_city_make(&sides[at].city);
        go_up(at);
    }
    return 0;
}

static int finish(void **state)
{
    for (int at = N_SIDES; at-- > 0;) {
        go_down(at);
        fake_city_remove(&sides[at].city);
    }
    sign_key_destroy(key);
    nats_testing_end(&server);
    return 0;
}

static void pass(void)
{
    for (int at = 0; at < N_SIDES; at++)
        assert_ok(loop_run_once(sides[at].city.loop, 5));
}

/* It is told once more. */
static void await_told(size_t before)
{
    struct mono_time from = clock_mono(clock_system());
    while (n_logs <= before && mono_ms_between(from, clock_mono(clock_system())) < 60000)
        pass();
    assert_true(n_logs > before);
}

/* Rounds of the heartbeat in which it is not told again; but for an answer that came too late, on a machine that stood still. */
static void assert_not_again(void)
{
    bool is_told = true;
    for (int i = 0; i < 5 && is_told; i++) {
        size_t n = n_logs;
        for (size_t until = n_follows + 2; n_follows < until;)
            pass();
        is_told = n_logs > n;
    }
    assert_false(is_told);
}

static void its_log_is_told_again_each_day(void **state)
{
    await_told(0);
    assert_not_again();
    moved.ms += SYSTEM_BUS_LOG_AGAIN_MS / 2;
    assert_not_again();
    size_t n = n_logs;
    moved.ms += SYSTEM_BUS_LOG_AGAIN_MS;
    await_told(n);
    assert_not_again();
}

static void its_log_is_told_in_each_life_of_the_desk(void **state)
{
    await_told(0);
    assert_not_again();
    size_t n = n_logs;
    go_down(DESK);
    go_up(DESK);
    await_told(n);
    assert_not_again();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(its_log_is_told_again_each_day, start, finish),
        cmocka_unit_test_setup_teardown(its_log_is_told_in_each_life_of_the_desk, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
