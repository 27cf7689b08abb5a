/*
 * The feed between two hubs of the same files: a desk, and a department's own process that follows it. What happens at the desk counts
 * there; what the desk does not confirm in time does not; and the desk's word alone opens nothing of the department's.
 */
#include "hub/lease.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/test.h"
#include "hub/desk.h"
#include "hub/fake.h"
#include "hub/provide.h"
#include "hub/query.h"

#include <stdio.h>
#include <string.h>

static struct fake_city desk, police;
static struct hub_feed_place place;
static struct sign_key *keys[2]; /* the police's, and somebody else's */
static struct diag_list diags;

#define DRAFT                                                                                                                              \
    "{\"provider\":\"h/police\",\"consumer\":\"h/parking\",\"resource\":\"h/police/vehicle\",\"uses\":[\"call\"],\"fields\":[\"plate\","   \
    "\"colour\"],\"purpose\":\"parking.check\",\"legal_basis\":{\"zh\":\"依\",\"en\":\"law\"},\"from\":\"2026-01-01\","                   \
    "\"until\":\"2028-01-01\",\"keep\":\"1h\"}"
#define SHORT                                                                                                                              \
    "contract: h/c-30\nprovider: h/police\nconsumer: h/count\nresource: h/police/vehicle\nuses: [call]\nfields: [plate, colour]\n"         \
    "purpose: a.b\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nfresh_for: 5s\nstate: %s\n"

static void write_files(struct fake_city *city, int key, const char *state)
{
    char text[1200], public[SIGN_TEXT_MAX];
    struct sign_public one;
    sign_key_public(keys[key], &one);
    sign_public_text(&one, public);
    snprintf(text, sizeof text,
        "parties:\n  - {name: h/police, title: {zh: 警, en: Police}, kind: department, key: \"%s\"}\n"
        "  - {name: h/parking, title: {zh: 泊, en: Parking}, kind: program, token: demo}\n"
        "  - {name: h/count, title: {zh: 数, en: Count}, kind: scene}\n"
        "  - {name: h/cockpit, title: {zh: 舱, en: Cockpit}, kind: program}\npeople: []\n",
        public);
    fake_city_write(city, "parties.yaml", text);
    snprintf(text, sizeof text, SHORT, state);
    fake_city_write(city, "contracts/c-30.yaml", text);
}

/* Another one, for the parking, as both have it. */
static void write_c_20(const char *at_desk, const char *at_police)
{
    struct fake_city *const cities[] = {&desk, &police};
    char text[600];
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text,
            "contract: h/c-20\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\n"
            "fields: [plate, colour]\npurpose: a.c\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\n"
            "state: %s\n",
            i ? at_police : at_desk);
        fake_city_write(cities[i], "contracts/c-20.yaml", text);
    }
}

static int start(void **state)
{
    assert_ok(sign_key_make(SIGN_ED25519, &keys[0]));
    assert_ok(sign_key_make(SIGN_SM2, &keys[1]));
    fake_ledger_reset();
    fake_city_make(&desk);
    fake_city_make(&police);
    desk.ledger = police.ledger = fake_ledger();
    police.follows = "h/police";
    write_files(&desk, 0, "agreed");
    write_files(&police, 0, "agreed");
    assert_ok(fake_city_load(&desk, &diags));
    assert_ok(fake_city_load(&police, &diags));
    place = (struct hub_feed_place){0};
    return 0;
}

static int finish(void **state)
{
    fake_city_unload(&desk);
    fake_city_unload(&police);
    fake_city_remove(&desk);
    fake_city_remove(&police);
    for (int i = 0; i < 2; i++)
        sign_key_destroy(keys[i]);
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

/* As system/bus does it, in parts of a few hundred bytes; returns how many. */
static size_t follow_as(struct str party)
{
    bool has_more = true;
    size_t n = 0;
    while (has_more) {
        struct buf out;
        struct mono_time asked = clock_mono(&police.clock.clock);
        buf_init(&out, 8000);
        hub_feed_write(desk.hub, party, place, &out);
        assert_ok(out.err);
        assert_ok(hub_feed_read(police.hub, buf_str(&out), asked, &place, &has_more));
        buf_finish(&out);
        n++;
    }
    return n;
}

static size_t follow(void)
{
    return follow_as(STR("h/police"));
}

static void on_done(struct hub_fetch *fetch) {}

/* What the department answers under a contract on its vehicles. */
static enum err ask(const char *contract)
{
    static const struct value plate = {.type = VALUE_TEXT, .s = STR_INIT("A1")};
    const struct sql_constraint by = {.column = 0, .op = SQL_EQ, .n_values = 1, .values = &plate};
    const struct sql_output colour = {.column = 2};
    struct hub_contract_info info = {0};
    struct hub_fetch fetch = {
        .outputs = &colour, .n_outputs = 1, .where = &by, .n_where = 1, .n_bytes_max = 1u << 16, .loop = police.loop, .done = on_done};
    if (!hub_contract_find(desk.hub, str_from_c(contract), &info))
        return ERR_NOT_FOUND;
    enum err err = hub_provide_fetch(police.hub, info.name, info.hash, hub_resource_find(police.hub, STR("h/police/vehicle")), &fetch);
    fake_city_spin(&police);
    if (!err)
        rows_release(fetch.rows);
    return err;
}

static void advance(int64_t ms)
{
    clock_fake_advance_ms(&police.clock, ms);
    clock_fake_advance_ms(&desk.clock, ms);
    assert_ok(loop_run_once(desk.loop, 0)); /* its tick */
}

static void what_happens_at_the_desk(void **state)
{
    assert_err(ask("h/c-17"), ERR_UNAVAILABLE); /* nothing was heard yet */
    assert_int_equal(hub_feed_age_ms(police.hub), INT64_MAX);
    follow();
    assert_ok(ask("h/c-17"));
    assert_ok(ask("h/c-30"));
    assert_false(hub_feed_has_news(desk.hub, place));
    assert_ok(fake_city_step(&desk, "h/c-17", NEGOTIATE_SUSPEND));
    assert_true(hub_feed_has_news(desk.hub, place));
    follow();
    assert_err(ask("h/c-17"), ERR_DENIED);
    assert_ok(ask("h/c-30"));
    assert_ok(fake_city_step(&desk, "h/c-17", NEGOTIATE_RESUME));
    follow();
    assert_ok(ask("h/c-17"));
    assert_ok(fake_city_step(&desk, "h/c-17", NEGOTIATE_REVOKE));
    follow();
    assert_err(ask("h/c-17"), ERR_DENIED);
    assert_err(fake_city_step(&police, "h/c-30", NEGOTIATE_SUSPEND), ERR_STATE); /* a follower takes no step of its own */
}

static void an_old_word(void **state)
{
    follow();
    advance(4999);
    assert_ok(ask("h/c-30"));
    advance(1);
    assert_err(ask("h/c-30"), ERR_DENIED); /* its own limit, 5 s */
    assert_ok(ask("h/c-17"));
    advance(HUB_FEED_FRESH_MS - 5001);
    assert_ok(ask("h/c-17"));
    police.clock.wall.ms -= 600000; /* a wall clock put back makes nothing fresh */
    advance(1);
    assert_err(ask("h/c-17"), ERR_DENIED);
    follow();
    assert_ok(ask("h/c-17"));
    assert_ok(ask("h/c-30"));
}

static void on_step(struct hub_desk_ask *asked)
{
    *(bool *)asked->context = true;
}

/* Not in force; `is_there`: in the department's files. */
static void assert_not_yet(const char *name, bool is_there)
{
    follow();
    assert_int_equal(hub_contract_find(police.hub, str_from_c(name), &(struct hub_contract_info){0}), is_there);
    if (is_there)
        assert_err(ask(name), ERR_DENIED);
}

/* Drafted by the consumer at the desk (`is_there`: it is offered already), signed by both; the police sign with the key that only they
 * have. */
static void agree(const char *name, bool is_there)
{
    struct hub_desk_ask ask = {.hub = desk.hub, .who = {.party = STR("h/post"), .roles = HTTP_MANAGE}, .loop = desk.loop};
    struct sign_public public;
    char text[SIGN_TEXT_MAX], hex[2 * SIGN_SIGNATURE_LEN + 1] = "";
    uint8_t signature[SIGN_SIGNATURE_LEN];
    static const int events[] = {HUB_DRAFT, NEGOTIATE_OFFER, NEGOTIATE_SIGN, NEGOTIATE_SIGN};
    sign_key_public(keys[0], &public);
    sign_public_text(&public, text);
    for (int i = is_there ? 2 : 0; i < 4; i++) {
        bool is_done = false;
        ask.event = events[i];
        ask.who.acts_for = i == 3 ? STR("h/police") : STR("h/parking");
        ask.contract = i ? str_from_c(name) : STR_NONE;
        ask.terms = i ? STR_NONE : STR(DRAFT);
        ask.context = &is_done;
        ask.done = on_step;
        if (i == 3) {
            struct buf message;
            buf_init(&message, HUB_CONTENT_MAX);
            assert_ok(hub_desk_message(hub_desk_find(desk.hub, str_from_c(name)), &message));
            assert_ok(sign_make(keys[0], buf_str(&message), signature));
            crypto_hex(signature, sizeof signature, hex);
            ask.key = str_from_c(text);
            ask.signature = str_from_c(hex);
            buf_finish(&message);
        }
        hub_desk_start(&ask);
        for (int round = 0; round < 1000 && !is_done; round++)
            assert_ok(loop_run_once(desk.loop, 10));
        assert_true(is_done);
        if (ask.err)
            fail_msg("step %d: %s", i, ask.diag.text);
        if (i == 2) { /* the provider has not signed: nobody hears of it */
            assert_not_yet(name, is_there);
        }
    }
}

static void a_contract_made_at_run_time(void **state)
{
    follow();
    agree("h/c-31", false);
    follow();
    assert_ok(ask("h/c-31"));
    assert_ok(fake_city_step(&desk, "h/c-31", NEGOTIATE_REVOKE));
    follow();
    assert_err(ask("h/c-31"), ERR_DENIED);
}

/* In both's files, as offered: in force at the department once its own signature came, also after the desk or the department began again.
 */
static void offered_in_the_files(void **state)
{
    fake_city_unload(&desk);
    fake_city_unload(&police);
    write_c_20("offered", "offered");
    assert_ok(fake_city_load(&desk, &diags));
    assert_ok(fake_city_load(&police, &diags));
    follow();
    assert_err(ask("h/c-20"), ERR_DENIED);
    agree("h/c-20", true);
    follow();
    assert_ok(ask("h/c-20"));
    assert_ok(fake_city_step(&desk, "h/c-20", NEGOTIATE_SUSPEND));
    follow();
    assert_err(ask("h/c-20"), ERR_DENIED);
    assert_ok(fake_city_step(&desk, "h/c-20", NEGOTIATE_RESUME));
    for (int i = 0; i < 2; i++) {
        fake_city_unload(i ? &police : &desk);
        assert_ok(fake_city_load(i ? &police : &desk, &diags));
        place = i ? (struct hub_feed_place){0} : place;
        follow();
        assert_ok(ask("h/c-20"));
    }
    fake_city_unload(&police); /* held back by the department's own file it is not in force, signed or not */
    write_c_20("offered", "suspended");
    assert_ok(fake_city_load(&police, &diags));
    place = (struct hub_feed_place){0};
    follow();
    assert_err(ask("h/c-20"), ERR_DENIED);
    fake_city_unload(&police);
    fake_city_unload(&desk); /* the desk's file alone says that it is in force: nobody signed */
    write_c_20("agreed", "offered");
    assert_ok(fake_city_load(&desk, &diags));
    assert_ok(fake_city_load(&police, &diags));
    place = (struct hub_feed_place){0};
    follow();
    assert_err(ask("h/c-20"), ERR_DENIED);
    fake_city_write(&desk, "contracts/c-20.yaml", NULL);
    fake_city_write(&police, "contracts/c-20.yaml", NULL);
}

/* The desk has other keys for the police than the police themselves: whoever signed there, it was not they. */
static void not_without_its_own_signature(void **state)
{
    fake_city_unload(&police);
    write_files(&police, 1, "suspended");
    assert_ok(fake_city_load(&police, &diags));
    follow();
    assert_ok(ask("h/c-17"));
    assert_err(ask("h/c-30"), ERR_DENIED); /* its own file holds it back, whatever the desk says */
    agree("h/c-31", false);
    follow();
    assert_err(ask("h/c-31"), ERR_NOT_FOUND);
    fake_city_unload(&police); /* a replica of the hub takes the desk's word */
    police.follows = "";
    place = (struct hub_feed_place){0};
    assert_ok(fake_city_load(&police, &diags));
    follow_as(STR("h/hub"));
    assert_ok(ask("h/c-30"));
    assert_ok(ask("h/c-31"));
}

static void the_desk_is_started_anew(void **state)
{
    follow();
    assert_ok(fake_city_step(&desk, "h/c-17", NEGOTIATE_SUSPEND));
    fake_city_unload(&desk);
    fake_city_write(&desk, "contracts/c-30.yaml", NULL); /* and has one contract less */
    assert_ok(fake_city_load(&desk, &diags));
    assert_true(hub_feed_has_news(desk.hub, place));
    follow();
    assert_err(ask("h/c-17"), ERR_DENIED);
    struct hub_contract *gone = hub_contract_lookup(police.hub, STR("h/c-30"));
    int rule = 0;
    const struct decide_request request = {.party = STR("h/count"),
        .resource = STR("h/police/vehicle"),
        .use = STR("call"),
        .purpose = STR("a.b"),
        .fields = (const struct str[]){STR_INIT("plate")},
        .n_fields = 1};
    assert_ok(hub_contract_decide(gone, &request, clock_wall(&police.clock.clock), false, &rule));
    assert_int_equal(rule, DECIDE_NOT_FRESH);
    assert_ok(fake_city_step(&desk, "h/c-17", NEGOTIATE_RESUME));
    follow();
    assert_ok(ask("h/c-17"));
}

/* In parts, whatever changes between them; and to each only what is its own. */
static void parts_and_shares(void **state)
{
    char name[40], text[600];
    fake_city_unload(&desk);
    fake_city_unload(&police);
    for (int i = 100; i < 300; i++) {
        snprintf(name, sizeof name, "contracts/c-%d.yaml", i);
        int len = snprintf(text, sizeof text, "contract: h/c-%d", i);
        snprintf(text + len, sizeof text - (size_t)len, SHORT + sizeof("contract: h/c-30") - 1, "agreed");
        fake_city_write(&desk, name, text);
        fake_city_write(&police, name, text);
    }
    assert_ok(fake_city_load(&desk, &diags));
    assert_ok(fake_city_load(&police, &diags));
    size_t n = follow();
    assert_true(n > 2); /* 202 contracts of about 55 bytes, 4,000 bytes at a time */
    assert_ok(ask("h/c-100"));
    assert_ok(ask("h/c-299"));
    struct buf out, all;
    buf_init(&out, 1u << 20);
    hub_feed_write(desk.hub, STR("h/count"), (struct hub_feed_place){0}, &out);
    buf_init(&all, 1u << 20);
    hub_feed_write(desk.hub, STR("h/hub"), (struct hub_feed_place){0}, &all);
    assert_true(out.len < 100 && all.len > 10000); /* one contract, c-2 */
    buf_finish(&out);
    buf_finish(&all);
}

/* ---- quotas ---- */

#define QUOTA 100
static size_t n_wants;
static bool is_desk_gone;

struct borrowing {
    struct hub_lease_ask ask;
    struct hub_lease lease;
    bool is_done;
};

static void on_lent(struct hub_lease_ask *ask)
{
    container_of(ask, struct borrowing, ask)->is_done = true;
}

/* The desk as system/bus reaches it, with an answer that comes when the desk's disk has it. */
static void on_want(void *context, const struct hub_lease *lease)
{
    struct borrowing one = {.lease = *lease};
    one.ask =
        (struct hub_lease_ask){.contract = lease->contract, .quota = lease->quota, .period = lease->period, .n = lease->n, .done = on_lent};
    n_wants++;
    if (is_desk_gone) {
        hub_lease_told(police.hub, lease, ERR_TIMEOUT, 0);
        return;
    }
    hub_lease_start(desk.hub, &one.ask);
    for (int i = 0; i < 1000 && !one.is_done; i++)
        assert_ok(loop_run_once(desk.loop, 10));
    assert_true(one.is_done);
    hub_lease_told(police.hub, lease, ERR_OK, one.ask.granted);
}

/* A use at one of the two; 0, or the rule. */
static int use(struct fake_city *city)
{
    static const struct str fields[] = {STR_INIT("plate")};
    const struct decide_request request = {.party = STR("h/count"),
        .resource = STR("h/police/vehicle"),
        .use = STR("call"),
        .purpose = STR("a.b"),
        .fields = fields,
        .n_fields = 1};
    struct hub_contract *contract = hub_contract_lookup(city->hub, STR("h/c-40"));
    int rule = -1;
    for (int i = 0; i < 1000; i++) {
        enum err err = hub_contract_decide(contract, &request, clock_wall(&city->clock.clock), true, &rule);
        if (!err)
            return rule;
        assert_err(err, ERR_STATE);
        assert_ok(loop_run_once(city->loop, 10));
    }
    fail_msg("no reservation came");
    return -1;
}

static size_t use_up(struct fake_city *city, size_t n)
{
    size_t n_permitted = 0;
    for (size_t i = 0; i < n; i++) {
        int rule = use(city);
        assert_true(rule == 0 || rule == DECIDE_PER_DAY);
        n_permitted += rule == 0;
    }
    return n_permitted;
}

static void start_replica(void)
{
    police.follows = "";
    place = (struct hub_feed_place){0};
    assert_ok(fake_city_load(&police, &diags));
    hub_lease_lender(police.hub, on_want, NULL);
    follow_as(STR("h/hub"));
}

static void a_quota_over_two_processes(void **state)
{
    char text[600];
    fake_city_unload(&desk);
    fake_city_unload(&police);
    int len = snprintf(text, sizeof text, "contract: h/c-40");
    snprintf(text + len, sizeof text - (size_t)len, SHORT "per_day: 100\n" + sizeof("contract: h/c-30") - 1, "agreed");
    fake_city_write(&desk, "contracts/c-40.yaml", text);
    fake_city_write(&police, "contracts/c-40.yaml", text);
    assert_ok(fake_city_load(&desk, &diags));
    start_replica();
    n_wants = 0;
    is_desk_gone = false;
    size_t n = use_up(&police, 20) + use_up(&desk, 20) + use_up(&police, 20);
    assert_int_equal(n, 60);
    assert_true(n_wants > 0 && n_wants < 20); /* in blocks */
    fake_city_unload(&police);                /* killed, or stopped: what it had leased is lost */
    start_replica();
    n += use_up(&police, 1);
    is_desk_gone = true; /* it uses what it has, and then refuses */
    n += use_up(&police, QUOTA);
    assert_int_equal(use(&police), DECIDE_PER_DAY);
    is_desk_gone = false;
    advance(1001);
    follow_as(STR("h/hub"));
    for (int i = 0; i < 60; i++) {
        n += use_up(&desk, 2) + use_up(&police, 2);
        advance(100);
        follow_as(STR("h/hub"));
    }
    assert_true(n <= QUOTA && n >= QUOTA - 30);
    assert_int_equal(use(&desk), DECIDE_PER_DAY);
    assert_int_equal(use(&police), DECIDE_PER_DAY);
    fake_city_unload(&desk); /* and over a restart of the desk */
    assert_ok(fake_city_load(&desk, &diags));
    follow_as(STR("h/hub"));
    assert_int_equal(use(&desk), DECIDE_PER_DAY);
    advance(86400000);
    follow_as(STR("h/hub"));
    assert_int_equal(use_up(&police, 5) + use_up(&desk, 5), 10); /* another day */
}

/* What the replica says, as it reaches the desk. */
static bool tell_counts(bool is_last)
{
    struct buf out;
    buf_init(&out, 1u << 16);
    bool has_some = hub_lease_count_write(police.hub, is_last, &out);
    assert_ok(out.err);
    for (size_t len = 0; has_some && len < out.len; len++)
        assert_err(hub_lease_counted(desk.hub, str_slice(buf_str(&out), 0, len)), ERR_SYNTAX);
    assert_ok(hub_lease_counted(desk.hub, buf_str(&out)));
    buf_finish(&out);
    return has_some;
}

static int64_t used_today(struct fake_city *city, const char *name)
{
    int64_t day, month;
    hub_quota_used(hub_contract_lookup(city->hub, str_from_c(name)), clock_wall(&city->clock.clock), &day, &month);
    return day;
}

/* A replica that is stopped gives back what it leased and did not use: not one use of the quota is lost, and none is had twice. */
static void what_was_leased_comes_back(void **state)
{
    char text[600];
    fake_city_unload(&desk);
    fake_city_unload(&police);
    int len = snprintf(text, sizeof text, "contract: h/c-40");
    snprintf(text + len, sizeof text - (size_t)len, SHORT "per_day: 100\n" + sizeof("contract: h/c-30") - 1, "agreed");
    fake_city_write(&desk, "contracts/c-40.yaml", text);
    fake_city_write(&police, "contracts/c-40.yaml", text);
    assert_ok(fake_city_load(&desk, &diags));
    is_desk_gone = false;
    size_t n = 0;
    for (int i = 0; i < 3; i++) { /* started and stopped, again and again */
        start_replica();
        n += use_up(&police, 15) + use_up(&desk, 5);
        assert_int_equal(n, 20 * (i + 1));
        assert_true(tell_counts(false)); /* of the month, which has no limit; a lease counts already */
        assert_true(used_today(&desk, "h/c-40") > (int64_t)n);
        hub_lease_lender(police.hub, NULL, NULL);
        assert_true(tell_counts(true));
        assert_int_equal(used_today(&desk, "h/c-40"), n);
        assert_false(tell_counts(true)); /* never twice */
        fake_city_unload(&police);
    }
    fake_city_unload(&desk);
    assert_ok(fake_city_load(&desk, &diags));
    n += use_up(&desk, 100);
    assert_true(n == QUOTA);
    start_replica(); /* one that was stopped on the day after: that day's are nobody's any more */
    advance(86400000);
    follow_as(STR("h/hub"));
    assert_int_equal(use_up(&police, 1), 1);
    clock_fake_advance_ms(&desk.clock, 86400000);
    hub_lease_lender(police.hub, NULL, NULL);
    assert_true(tell_counts(true));
    assert_int_equal(used_today(&desk, "h/c-40"), 0);
}

/* Where there is no limit nothing is leased; the desk shows what was used at all of them. */
static void uses_of_a_replica_are_counted(void **state)
{
    char text[600];
    fake_city_unload(&desk);
    fake_city_unload(&police);
    int len = snprintf(text, sizeof text, "contract: h/c-40");
    snprintf(text + len, sizeof text - (size_t)len, SHORT + sizeof("contract: h/c-30") - 1, "agreed");
    fake_city_write(&desk, "contracts/c-40.yaml", text);
    fake_city_write(&police, "contracts/c-40.yaml", text);
    assert_ok(fake_city_load(&desk, &diags));
    start_replica();
    assert_int_equal(use_up(&police, 7) + use_up(&desk, 2), 9);
    assert_true(tell_counts(false));
    assert_int_equal(used_today(&desk, "h/c-40"), 9);
    assert_false(tell_counts(false));
    assert_int_equal(use_up(&police, 3), 3);
    struct buf lost;
    buf_init(&lost, 1u << 16);
    assert_true(hub_lease_count_write(police.hub, false, &lost)); /* never sent: told with the next */
    buf_finish(&lost);
    hub_lease_count_again(police.hub);
    assert_int_equal(use_up(&police, 1), 1);
    assert_true(tell_counts(false));
    assert_int_equal(used_today(&desk, "h/c-40"), 13);
    advance(86400000);
    follow_as(STR("h/hub"));
    assert_int_equal(use_up(&police, 2), 2);
    assert_true(tell_counts(true));
    assert_int_equal(used_today(&desk, "h/c-40"), 2);
}

/* A rate is shared by those that follow, until they have been silent for so long that they deny everything. */
static void a_rate_is_shared(void **state)
{
    char text[600];
    bool is_new;
    fake_city_unload(&desk);
    int len = snprintf(text, sizeof text, "contract: h/c-40");
    snprintf(text + len, sizeof text - (size_t)len, SHORT "per_second: 10\n" + sizeof("contract: h/c-30") - 1, "agreed");
    fake_city_write(&desk, "contracts/c-40.yaml", text);
    assert_ok(fake_city_load(&desk, &diags));
    static const size_t permitted[] = {10, 5, 3, 3, 10};
    for (uint64_t i = 0; i < 5; i++) {
        size_t n = 0;
        if (i == 4) {
            advance(HUB_FEED_FRESH_MS + 1);
            assert_true(hub_feed_forget(desk.hub));
            assert_false(hub_feed_forget(desk.hub));
        } else if (i > 0) {
            assert_ok(hub_feed_met(desk.hub, i < 3 ? i : 2, &is_new));
            assert_int_equal(is_new, i < 3);
        }
        for (int k = 0; k < 20; k++)
            n += use(&desk) == 0;
        assert_int_equal(n, permitted[i]);
        advance(1000);
    }
    for (uint64_t i = 1; i <= HUB_REPLICAS_MAX; i++)
        assert_ok(hub_feed_met(desk.hub, i, &is_new));
    assert_err(hub_feed_met(desk.hub, 1000, &is_new), ERR_FULL);
    assert_int_equal(use(&desk), 0); /* one at least */
    assert_int_equal(use(&desk), DECIDE_PER_SECOND);
}

static void on_queried(struct hub_query *query)
{
    *(bool *)query->context = true;
}

static enum err query_figures(struct fake_city *city)
{
    bool is_done = false;
    struct hub_query query = {.party = STR("h/count"),
        .purpose = STR("a.b"),
        .sql = STR("SELECT count(*) FROM \"h/police/vehicle\""),
        .loop = city->loop,
        .done = on_queried,
        .context = &is_done};
    hub_query_start(city->hub, &query);
    while (!is_done)
        assert_ok(loop_run_once(city->loop, 10));
    return query.refusal.err;
}

/* The day's cells, and whose they are, stand at the desk: each process with its own would tell a consumer of two moments, or of two
 * contracts (hub/query_day.c). */
static void figures_are_the_desks(void **state)
{
    char text[600];
    fake_city_unload(&desk);
    fake_city_unload(&police);
    snprintf(text, sizeof text,
        "contract: h/c-41\nprovider: h/police\nconsumer: h/count\nresource: h/police/vehicle\nuses: [query]\nfields: [colour]\npurpose: "
        "a.b\n"
        "legal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nmin_subjects: 10\nstate: agreed\n");
    fake_city_write(&desk, "contracts/c-41.yaml", text);
    fake_city_write(&police, "contracts/c-41.yaml", text);
    assert_ok(fake_city_load(&desk, &diags));
    start_replica();
    fake_system.n_all = 100;
    assert_ok(query_figures(&desk));
    assert_err(query_figures(&police), ERR_UNAVAILABLE);
}

/* Cut anywhere it is none, and nothing of it counts; changed anywhere it does no harm. */
static void what_is_no_answer(void **state)
{
    struct buf out;
    bool has_more;
    agree("h/c-31", false);
    buf_init(&out, 1u << 20);
    hub_feed_write(desk.hub, STR("h/police"), (struct hub_feed_place){0}, &out);
    for (size_t len = 0; len < out.len; len++) {
        struct hub_feed_place none = {0};
        assert_err(hub_feed_read(police.hub, (struct str){out.ptr, len}, (struct mono_time){1}, &none, &has_more), ERR_SYNTAX);
        assert_int_equal(none.epoch, 0);
    }
    struct hub_feed_place asked = {1, 2};
    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < out.len; i++)
        for (int bit = 0; bit < 8; bit += 3) {
            out.ptr[i] ^= (char)(1 << bit);
            enum err err = hub_feed_read(police.hub, buf_str(&out), (struct mono_time){1}, &asked, &has_more);
            assert_true(err == ERR_OK || err == ERR_SYNTAX);
            out.ptr[i] ^= (char)(1 << bit);
        }
    buf_reset(&out);
    asked = (struct hub_feed_place){1, 2};
    hub_feed_question_write(&(struct hub_feed_question){.what = HUB_FEED_FOLLOW, .process = 7, .place = asked}, &out);
    struct hub_feed_question question;
    for (size_t len = 0; len < out.len; len++)
        assert_err(hub_feed_question_read((struct str){out.ptr, len}, &question), ERR_SYNTAX);
    assert_ok(hub_feed_question_read(buf_str(&out), &question));
    assert_int_equal(question.process, 7);
    assert_int_equal(question.place.number, 2);
    buf_reset(&out);
    hub_feed_question_write(&(struct hub_feed_question){.what = HUB_FEED_PROGRAMS, .process = 8}, &out);
    for (size_t len = 0; len < out.len; len++)
        assert_err(hub_feed_question_read((struct str){out.ptr, len}, &question), ERR_SYNTAX);
    assert_ok(hub_feed_question_read(buf_str(&out), &question));
    assert_true(question.what == HUB_FEED_PROGRAMS && question.process == 8);
    buf_reset(&out);
    hub_feed_question_write(&(struct hub_feed_question){.what = HUB_FEED_LOG, .process = 9, .log = STR("h.log.r1")}, &out);
    for (size_t len = 0; len < out.len; len++)
        assert_err(hub_feed_question_read((struct str){out.ptr, len}, &question), ERR_SYNTAX);
    assert_ok(hub_feed_question_read(buf_str(&out), &question));
    assert_true(question.what == HUB_FEED_LOG && question.process == 9 && str_equal_c(question.log, "h.log.r1"));
    buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_happens_at_the_desk, start, finish),
        cmocka_unit_test_setup_teardown(an_old_word, start, finish),
        cmocka_unit_test_setup_teardown(a_contract_made_at_run_time, start, finish),
        cmocka_unit_test_setup_teardown(offered_in_the_files, start, finish),
        cmocka_unit_test_setup_teardown(not_without_its_own_signature, start, finish),
        cmocka_unit_test_setup_teardown(the_desk_is_started_anew, start, finish),
        cmocka_unit_test_setup_teardown(parts_and_shares, start, finish),
        cmocka_unit_test_setup_teardown(a_quota_over_two_processes, start, finish),
        cmocka_unit_test_setup_teardown(what_was_leased_comes_back, start, finish),
        cmocka_unit_test_setup_teardown(uses_of_a_replica_are_counted, start, finish),
        cmocka_unit_test_setup_teardown(a_rate_is_shared, start, finish),
        cmocka_unit_test_setup_teardown(figures_are_the_desks, start, finish),
        cmocka_unit_test_setup_teardown(what_is_no_answer, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
