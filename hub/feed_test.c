/*
 * The feed between two hubs of the same files: a desk, and a department's own process that follows it. What happens at the desk counts
 * there; what the desk does not confirm in time does not; and the desk's word alone opens nothing of the department's.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/test.h"
#include "hub/desk.h"
#include "hub/feed_testing.h"
#include "hub/provide.h"

#include <stdio.h>
#include <string.h>

#define DRAFT                                                                                                                              \
    "{\"provider\":\"h/police\",\"consumer\":\"h/parking\",\"resource\":\"h/police/vehicle\",\"uses\":[\"call\"],\"fields\":[\"plate\","   \
    "\"colour\"],\"purpose\":\"parking.check\",\"legal_basis\":{\"zh\":\"依\",\"en\":\"law\"},\"from\":\"2026-01-01\","                   \
    "\"until\":\"2028-01-01\",\"keep\":\"1h\"}"
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

static void what_happens_at_the_desk(void **state)
{
    assert_err(ask("h/c-17"), ERR_UNAVAILABLE); /* nothing was heard yet */
    assert_int_equal(hub_feed_age_ms(police.hub), INT64_MAX);
    feed_follow();
    assert_ok(ask("h/c-17"));
    assert_ok(ask("h/c-30"));
    assert_false(hub_feed_has_news(desk.hub, place));
    assert_ok(fake_city_step(&desk, "h/c-17", NEGOTIATE_SUSPEND));
    assert_true(hub_feed_has_news(desk.hub, place));
    feed_follow();
    assert_err(ask("h/c-17"), ERR_DENIED);
    assert_ok(ask("h/c-30"));
    assert_ok(fake_city_step(&desk, "h/c-17", NEGOTIATE_RESUME));
    feed_follow();
    assert_ok(ask("h/c-17"));
    assert_ok(fake_city_step(&desk, "h/c-17", NEGOTIATE_REVOKE));
    feed_follow();
    assert_err(ask("h/c-17"), ERR_DENIED);
    assert_err(fake_city_step(&police, "h/c-30", NEGOTIATE_SUSPEND), ERR_STATE); /* a follower takes no step of its own */
}

static void an_old_word(void **state)
{
    feed_follow();
    feed_advance(4999);
    assert_ok(ask("h/c-30"));
    feed_advance(1);
    assert_err(ask("h/c-30"), ERR_DENIED); /* its own limit, 5 s */
    assert_ok(ask("h/c-17"));
    feed_advance(HUB_FEED_FRESH_MS - 5001);
    assert_ok(ask("h/c-17"));
    police.clock.wall.ms -= 600000; /* a wall clock put back makes nothing fresh */
    feed_advance(1);
    assert_err(ask("h/c-17"), ERR_DENIED);
    feed_follow();
    assert_ok(ask("h/c-17"));
    assert_ok(ask("h/c-30"));
}

/* What waits of a stream is passed over when nobody may have it, and not while it is not known whether somebody may. */
static void who_may_have_a_stream(void **state)
{
    const struct hub_resource *passage = hub_resource_find(police.hub, STR("h/police/passage"));
    uint64_t mask = 0;
    assert_err(hub_provide_stream(police.hub, passage, &mask), ERR_UNAVAILABLE); /* nothing was heard yet */
    feed_follow();
    assert_ok(hub_provide_stream(police.hub, passage, &mask));
    assert_true(mask != 0);
    feed_advance(HUB_FEED_FRESH_MS);
    assert_err(hub_provide_stream(police.hub, passage, &mask), ERR_UNAVAILABLE); /* nor for too long */
    feed_follow();
    assert_ok(hub_provide_stream(police.hub, passage, &mask));
    assert_ok(fake_city_step(&desk, "h/c-1", NEGOTIATE_SUSPEND));
    feed_follow();
    assert_ok(hub_provide_stream(police.hub, passage, &mask));
    assert_int_equal(mask, 0);
    feed_advance(HUB_FEED_FRESH_MS);
    assert_ok(hub_provide_stream(police.hub, passage, &mask)); /* an old no is no yes either */
    assert_int_equal(mask, 0);
}

static void on_step(struct hub_desk_ask *asked)
{
    *(bool *)asked->context = true;
}

/* Not in force; `is_there`: in the department's files. */
static void assert_not_yet(const char *name, bool is_there)
{
    feed_follow();
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
    feed_follow();
    agree("h/c-31", false);
    feed_follow();
    assert_ok(ask("h/c-31"));
    assert_ok(fake_city_step(&desk, "h/c-31", NEGOTIATE_REVOKE));
    feed_follow();
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
    feed_follow();
    assert_err(ask("h/c-20"), ERR_DENIED);
    agree("h/c-20", true);
    feed_follow();
    assert_ok(ask("h/c-20"));
    assert_ok(fake_city_step(&desk, "h/c-20", NEGOTIATE_SUSPEND));
    feed_follow();
    assert_err(ask("h/c-20"), ERR_DENIED);
    assert_ok(fake_city_step(&desk, "h/c-20", NEGOTIATE_RESUME));
    for (int i = 0; i < 2; i++) {
        fake_city_unload(i ? &police : &desk);
        assert_ok(fake_city_load(i ? &police : &desk, &diags));
        place = i ? (struct hub_feed_place){0} : place;
        feed_follow();
        assert_ok(ask("h/c-20"));
    }
    fake_city_unload(&police); /* held back by the department's own file it is not in force, signed or not */
    write_c_20("offered", "suspended");
    assert_ok(fake_city_load(&police, &diags));
    place = (struct hub_feed_place){0};
    feed_follow();
    assert_err(ask("h/c-20"), ERR_DENIED);
    fake_city_unload(&police);
    fake_city_unload(&desk); /* the desk's file alone says that it is in force: nobody signed */
    write_c_20("agreed", "offered");
    assert_ok(fake_city_load(&desk, &diags));
    assert_ok(fake_city_load(&police, &diags));
    place = (struct hub_feed_place){0};
    feed_follow();
    assert_err(ask("h/c-20"), ERR_DENIED);
    fake_city_write(&desk, "contracts/c-20.yaml", NULL);
    fake_city_write(&police, "contracts/c-20.yaml", NULL);
}

/* The desk has other keys for the police than the police themselves: whoever signed there, it was not they. */
static void not_without_its_own_signature(void **state)
{
    fake_city_unload(&police);
    feed_write_files(&police, 1, "suspended");
    assert_ok(fake_city_load(&police, &diags));
    feed_follow();
    assert_ok(ask("h/c-17"));
    assert_err(ask("h/c-30"), ERR_DENIED); /* its own file holds it back, whatever the desk says */
    agree("h/c-31", false);
    feed_follow();
    assert_err(ask("h/c-31"), ERR_NOT_FOUND);
    fake_city_unload(&police); /* a replica of the hub takes the desk's word */
    police.follows = "";
    place = (struct hub_feed_place){0};
    assert_ok(fake_city_load(&police, &diags));
    feed_follow_as(STR("h/hub"));
    assert_ok(ask("h/c-30"));
    assert_ok(ask("h/c-31"));
}

static void the_desk_is_started_anew(void **state)
{
    feed_follow();
    assert_ok(fake_city_step(&desk, "h/c-17", NEGOTIATE_SUSPEND));
    fake_city_unload(&desk);
    fake_city_write(&desk, "contracts/c-30.yaml", NULL); /* and has one contract less */
    assert_ok(fake_city_load(&desk, &diags));
    assert_true(hub_feed_has_news(desk.hub, place));
    feed_follow();
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
    feed_follow();
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
    size_t n = feed_follow();
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
        cmocka_unit_test_setup_teardown(what_happens_at_the_desk, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(an_old_word, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(who_may_have_a_stream, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(a_contract_made_at_run_time, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(offered_in_the_files, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(not_without_its_own_signature, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(the_desk_is_started_anew, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(parts_and_shares, feed_start, feed_finish),
        cmocka_unit_test_setup_teardown(what_is_no_answer, feed_start, feed_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
