/* Two hubs of the same files: hub/feed_testing.h. */
#include "hub/feed_testing.h"

#include "base/mem.h"
#include "base/test.h"

#include <stdio.h>

struct fake_city desk, police;
struct hub_feed_place place;
struct sign_key *keys[2];
struct diag_list diags;

void feed_write_files(struct fake_city *city, int key, const char *state)
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

int feed_start(void **state)
{
    assert_ok(sign_key_make(SIGN_ED25519, &keys[0]));
    assert_ok(sign_key_make(SIGN_SM2, &keys[1]));
    fake_ledger_reset();
    fake_city_make(&desk);
    fake_city_make(&police);
    desk.ledger = police.ledger = fake_ledger();
    police.follows = "h/police";
    feed_write_files(&desk, 0, "agreed");
    feed_write_files(&police, 0, "agreed");
    assert_ok(fake_city_load(&desk, &diags));
    assert_ok(fake_city_load(&police, &diags));
    place = (struct hub_feed_place){0};
    return 0;
}

int feed_finish(void **state)
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

size_t feed_follow_as(struct str party)
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

size_t feed_follow(void)
{
    return feed_follow_as(STR("h/police"));
}

void feed_advance(int64_t ms)
{
    clock_fake_advance_ms(&police.clock, ms);
    clock_fake_advance_ms(&desk.clock, ms);
    assert_ok(loop_run_once(desk.loop, 0)); /* its tick */
}
