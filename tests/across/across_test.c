/*
 * Queries and acts go across, in both directions, as they go within one hub, and leave one receipt in either ledger; an agreement's changes
 * stand in both. Objects: object_test.c.
 */
#include "tests/across/hubs.h"

#include "hub/act.h"
#include "hub/reading.h"

struct acted {
    struct hub_act act;
    bool is_done;
    struct hub_refusal refusal;
    enum hub_act_state state;
    bool is_repeated, may_repeat;
    char text[256];
};

static void acted(struct hub_act *act)
{
    struct acted *one = container_of(act, struct acted, act);
    one->is_done = true;
    one->refusal = act->refusal;
    one->state = act->state;
    one->is_repeated = act->is_repeated;
    one->may_repeat = act->may_repeat;
    if (!act->refusal.err)
        assert_ok(str_to_c(act->json, one->text, sizeof one->text));
}

static struct acted act(const char *resource, const char *key, const char *lot)
{
    static const struct str names[] = {STR_INIT("lot")};
    const struct value value = value_text(str_from_c(lot));
    struct acted one = {.act = {.party = STR("h/parking"),
                            .resource = str_from_c(resource),
                            .purpose = STR("parking.settle"),
                            .key = str_from_c(key),
                            .names = names,
                            .values = &value,
                            .n_values = 1,
                            .loop = loop,
                            .done = acted}};
    hub_act_start(ones[CITY].hub, &one.act);
    while (!one.is_done)
        assert_ok(loop_run_once(loop, 100));
    return one;
}

/* ---- queries ---- */

/* A join of the asker's own thousand with the other's twenty thousand is a handful of askings; so is an aggregate, of either side. */
static void queries_go_both_ways_with_few_askings(void **state)
{
    size_t n_served = count_leaves(XIHU, SERVED, INTENT), n = forwards();
    assert_rows(query(CITY, "h/parking",
                    "SELECT v.colour, count(*), sum(s.minutes) FROM \"h/police/vehicle\" v JOIN \"h.x/lots/session\" s USING (plate)"
                    " WHERE v.colour = 'red' GROUP BY v.colour"),
        "[[\"red\",400,47400]]");
    print_message("a join of %d with %d: %zu askings across\n", N_VEHICLES, N_SESSIONS, forwards() - n);
    assert_true(forwards() - n <= 5);
    n = forwards();
    assert_rows(
        query(CITY, "h/parking", "SELECT minutes, count(*) FROM \"h.x/lots/session\" WHERE minutes < 2 GROUP BY minutes ORDER BY 1"),
        "[[0,83],[1,84]]");
    assert_int_equal(forwards() - n, 1);
    n = forwards();
    assert_rows(query(XIHU, "h.x/gate",
                    "SELECT s.plate, v.colour FROM \"h.x/lots/session\" s JOIN \"h/police/vehicle\" v USING (plate) WHERE s.minutes = 3"
                    " ORDER BY 1 LIMIT 2"),
        "[[\"A243\",\"red\"],[\"A3\",\"red\"]]");
    assert_true(forwards() - n <= 4);
    assert_rows(query(CITY, "h/parking",
                    "SELECT plate, minutes FROM \"h.x/lots/session\" WHERE plate IN ('A7', 'A70', 'none') AND minutes >= 7 ORDER BY plate"),
        "[[\"A7\",7],[\"A70\",70]]");
    /* One use a resource, however many its askings; each leaf names the other's, once. */
    await_leaves(XIHU, SERVED, INTENT, n_served + 3);
    await_twins();
    pass(500);
    for (int at = 0; at < N_HUBS; at++)
        assert_int_equal(look_at(at).n_serving, 0); /* none stays open */
}

static void an_answer_of_many_messages_comes_in_pieces(void **state)
{
    size_t n = forwards();
    largest_reset();
    assert_rows(query(CITY, "h/parking", "SELECT count(*), sum(length(note || plate)) FROM \"h.x/lots/session\""), "[[20000,2108894]]");
    print_message("%d rows of 100 bytes in %zu parts, the largest message %zu bytes\n", N_SESSIONS, forwards() - n, largest());
    assert_true(forwards() - n >= 4 && forwards() - n <= 8);
    assert_true(largest() <= DISTRICT_ANSWER_MAX + 64);
    pass(500);
    assert_int_equal(look_at(XIHU).n_held, 0);
}

struct read_try {
    struct hub_reading reading;
    struct hub_fetch fetch;
    bool is_done;
};

static void tried(struct hub_fetch *fetch)
{
    container_of(fetch, struct read_try, fetch)->is_done = true;
}

static void started(struct hub_reading *reading)
{
    struct read_try *one = container_of(reading, struct read_try, reading);
    assert_ok(reading->refusal.err);
    hub_reading_fetch(reading, &one->fetch);
}

/* What a hub that asks otherwise than ours would be told by the provider's. */
static enum err try_to_read(struct sql_output output, struct sql_constraint *where)
{
    static const struct str fields[] = {STR_INIT("ward"), STR_INIT("fee")};
    struct read_try one = {.reading = {.party = STR("h/parking"),
                               .resource = STR("h.x/lots/visit"),
                               .purpose = STR("parking.settle"),
                               .contract = STR("h.x/c-2"),
                               .twin = STR("elsewhere.log/0"),
                               .fields = fields,
                               .n_fields = 2,
                               .loop = loop,
                               .started = started},
        .fetch = {.outputs = &output,
            .n_outputs = 1,
            .where = where,
            .n_where = where ? 1 : 0,
            .n_rows_max = 10,
            .n_bytes_max = 10000,
            .loop = loop,
            .done = tried}};
    hub_reading_start(ones[XIHU].hub, &one.reading);
    while (!one.is_done)
        assert_ok(loop_run_once(loop, 100));
    rows_release(one.fetch.rows);
    hub_reading_end(&one.reading, 0, crypto_sha256(STR_NONE), one.fetch.err);
    return one.fetch.err;
}

static void statistics_only_holds_at_the_provider(void **state)
{
    assert_rows(query(CITY, "h/parking", "SELECT ward, count(*), sum(fee) FROM \"h.x/lots/visit\" GROUP BY ward ORDER BY ward"),
        "[[\"east\",25,325],[\"west\",15,495]]"); /* the five of the third ward are fewer than k, and never left */
    assert_rows(query(CITY, "h/parking", "SELECT count(*) FROM \"h.x/lots/visit\""), "[[40]]");
    struct queried rows = query(CITY, "h/parking", "SELECT ward, fee FROM \"h.x/lots/visit\"");
    assert_err(rows.err, ERR_DENIED);
    const struct value rare = value_text(STR("rare"));
    struct sql_constraint where = {.column = 0, .op = SQL_EQ, .n_values = 1, .values = &rare};
    assert_err(try_to_read((struct sql_output){1, SQL_PLAIN}, NULL), ERR_DENIED);
    assert_err(try_to_read((struct sql_output){1, SQL_SUM}, &where), ERR_DENIED);
    assert_err(try_to_read((struct sql_output){0, SQL_COUNT_ALL}, &where), ERR_DENIED);
}

static void who_goes_away_ends_what_is_done_for_it(void **state)
{
    struct queried one;
    size_t n = count_leaves(XIHU, "cancelled", OUTCOME);
    query_start(&one, CITY, "h/parking", "SELECT n FROM \"h.x/lots/slow\" WHERE n > 5");
    pass(300);
    assert_false(one.is_done);
    atomic_store(&one.query.is_cancelled, true);
    query_await(&one);
    assert_err(one.err, ERR_CANCELLED);
    await_leaves(XIHU, "cancelled", OUTCOME, n + 1); /* the department's statement has ended, too */
    pass(500);
    assert_int_equal(look_at(XIHU).n_serving, 0);
}

static void a_query_over_a_cut_link_fails_and_leaves_twins(void **state)
{
    struct queried one;
    size_t n = count_leaves(CITY, "\"type\":\"twin\"", "");
    set_ether(false, true, false);
    one = query(CITY, "h/parking", "SELECT count(*) FROM \"h.x/lots/session\" WHERE minutes = 9");
    assert_err(one.err, ERR_TIMEOUT);
    set_ether(false, false, true);
    await_leaves(CITY, "\"type\":\"twin\"", "", n + 1); /* served there, not answered here: named all the same */
    assert_rows(query(CITY, "h/parking", "SELECT count(*) FROM \"h.x/lots/session\" WHERE minutes = 9"), "[[84]]");
    set_ether(false, false, false);
}

/* ---- acts ---- */

static void an_act_is_done_once_by_its_key(void **state)
{
    set_ether(false, true, true); /* its answers are lost, and everything comes twice */
    for (int i = 0; i < 2; i++) {
        struct acted lost = act("h.x/lots/open", "k-1", "lot-7");
        assert_ok(lost.refusal.err);
        assert_int_equal(lost.state, HUB_ACT_UNKNOWN);
        assert_true(lost.may_repeat);
    }
    set_ether(false, false, true);
    for (int i = 0; i < 200; i++) {
        struct acted again = act("h.x/lots/open", "k-1", "lot-7");
        assert_ok(again.refusal.err);
        assert_int_equal(again.state, HUB_ACT_KNOWN);
        assert_string_equal(again.text, "{\"lot\":\"lot-7\"}");
        assert_true(i == 0 || again.is_repeated);
    }
    set_ether(false, false, false);
    assert_int_equal(ask_database(XIHU, "inbox", "SELECT count(*) FROM gate_open"), 1);
    assert_err(act("h.x/lots/open", "k-1", "lot-8").refusal.err, ERR_EXISTS);
    go_down(CITY); /* what it knew is on disk; what it does not know, the provider's hub knows */
    go_up(CITY);
    await_link();
    assert_true(act("h.x/lots/open", "k-1", "lot-7").is_repeated);
    struct acted other = act("h.x/lots/open", "k-2", "lot-7");
    assert_int_equal(other.state, HUB_ACT_KNOWN);
    assert_int_equal(ask_database(XIHU, "inbox", "SELECT count(*) FROM gate_open"), 2);
    await_twins();
    await_leaves(XIHU, SERVED, "\"use\":\"act\"", 2);
}

/* The provider's hub forgets what it did not write down: the department still knows the key. */
static void a_restart_between_does_not_act_again(void **state)
{
    set_ether(false, true, false);
    assert_int_equal(act("h.x/lots/open", "k-9", "lot-9").state, HUB_ACT_UNKNOWN);
    set_ether(false, false, false);
    go_down(XIHU);
    go_up(XIHU);
    await_link();
    struct acted again = act("h.x/lots/open", "k-9", "lot-9");
    assert_int_equal(again.state, HUB_ACT_KNOWN);
    assert_int_equal(ask_database(XIHU, "inbox", "SELECT count(*) FROM gate_open WHERE lot = 'lot-9'"), 1);
}

static void at_most_once_ends_unknown_and_is_never_repeated(void **state)
{
    set_ether(false, true, false);
    struct acted lost = act("h.x/lots/ring", "r-1", "lot-1");
    assert_ok(lost.refusal.err);
    assert_int_equal(lost.state, HUB_ACT_UNKNOWN);
    assert_false(lost.may_repeat);
    set_ether(false, false, false);
    size_t n = forwards();
    for (int i = 0; i < 3; i++) {
        struct acted again = act("h.x/lots/ring", "r-1", "lot-1");
        assert_int_equal(again.state, HUB_ACT_UNKNOWN); /* people look after it: hub/act.h */
        assert_true(again.is_repeated);
    }
    assert_int_equal(forwards(), n);
    assert_int_equal(ask_database(XIHU, "inbox", "SELECT count(*) FROM ring"), 1);
    assert_int_equal(act("h.x/lots/ring", "r-2", "lot-1").state, HUB_ACT_KNOWN);
}

/* ---- agreements ---- */

/* The newest leaf about the agreement. */
static json_t *agreement_leaf(int at)
{
    struct buf leaf;
    json_t *json = NULL;
    buf_init(&leaf, LEDGER_LEAF_MAX);
    for (uint64_t i = ledger_n_durable(ones[at].ledger); i-- > 0 && !json;) {
        buf_reset(&leaf);
        assert_ok(ledger_leaf(ones[at].ledger, i, &leaf));
        if (memmem(leaf.ptr, leaf.len, AGREEMENT, strlen(AGREEMENT)))
            assert_ok(json_read(buf_str(&leaf), NULL, &json));
    }
    buf_finish(&leaf);
    return json;
}

/* One word of a leaf, checked as a stranger would: from the leaf and the agreement's text alone. */
static void check_word(const json_t *leaf, const char *area, const char *state)
{
    const json_t *word = json_object_get(json_object_get(leaf, "hubs"), area);
    const char *signature = json_string_value(json_object_get(word, "signature"));
    struct sign_public key;
    struct str text;
    struct arena arena;
    uint8_t bytes[SIGN_SIGNATURE_LEN];
    assert_string_equal(json_string_value(json_object_get(word, "state")), state);
    assert_int_equal(strlen(signature), 2 * sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        unsigned byte;
        assert_int_equal(sscanf(signature + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    arena_init(&arena, 4096);
    assert_ok(sign_public_read(str_from_c(json_string_value(json_object_get(word, "key"))), &key));
    assert_ok(arena_printf(&arena, &text, "citybrain agreement v1\n%s\n%s\n%s\n%s\n%lld\n",
        json_string_value(json_object_get(leaf, "agreement")), json_string_value(json_object_get(leaf, "sha256")), area, state,
        (long long)json_integer_value(json_object_get(word, "since_ms"))));
    assert_ok(sign_check(&key, text, bytes));
    arena_finish(&arena);
}

static void await_words(int at, const char *city, const char *xihu, size_t n)
{
    await_leaves(at, AGREEMENT, "", n);
    json_t *leaf = agreement_leaf(at);
    check_word(leaf, "h", city);
    check_word(leaf, "h.x", xihu);
    json_decref(leaf);
}

/* Each change of either side is a leaf in both ledgers, with both signatures; a restart writes none again. */
static void an_agreements_changes_stand_in_both_ledgers(void **state)
{
    static const enum district_agreement steps[] = {DISTRICT_SUSPENDED, DISTRICT_AGREED};
    size_t n[N_HUBS];
    for (int at = 0; at < N_HUBS; at++)
        await_words(at, "agreed", "agreed", 1);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(district_agree(ones[XIHU].district, STR("h"), steps[i]));
        for (int at = 0; at < N_HUBS; at++)
            await_words(at, "agreed", district_agreement_names[steps[i]], 2 + i);
    }
    for (int at = 0; at < N_HUBS; at++)
        n[at] = count_leaves(at, AGREEMENT, "");
    set_ether(true, false, false); /* said while the other cannot hear it: at home at once, there when it hears */
    assert_ok(district_agree(ones[CITY].district, STR("h.x"), DISTRICT_SUSPENDED));
    await_words(CITY, "suspended", "agreed", n[CITY] + 1);
    assert_int_equal(count_leaves(XIHU, AGREEMENT, ""), n[XIHU]);
    go_down(CITY);
    go_up(CITY);
    set_ether(false, false, false);
    await_words(XIHU, "suspended", "agreed", n[XIHU] + 1);
    assert_ok(district_agree(ones[CITY].district, STR("h.x"), DISTRICT_AGREED));
    await_link();
    await_words(XIHU, "agreed", "agreed", n[XIHU] + 2);
    await_words(CITY, "agreed", "agreed", n[CITY] + 2);
    is_forging = true; /* a word that its hub did not sign is not written down */
    assert_ok(district_agree(ones[XIHU].district, STR("h"), DISTRICT_SUSPENDED));
    pass(1500);
    is_forging = false;
    assert_int_equal(count_leaves(CITY, AGREEMENT, ""), n[CITY] + 2);
    assert_ok(district_agree(ones[XIHU].district, STR("h"), DISTRICT_AGREED));
    await_words(CITY, "agreed", "agreed", n[CITY] + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(queries_go_both_ways_with_few_askings),
        cmocka_unit_test(an_answer_of_many_messages_comes_in_pieces), cmocka_unit_test(statistics_only_holds_at_the_provider),
        cmocka_unit_test(who_goes_away_ends_what_is_done_for_it), cmocka_unit_test(a_query_over_a_cut_link_fails_and_leaves_twins),
        cmocka_unit_test(an_act_is_done_once_by_its_key), cmocka_unit_test(a_restart_between_does_not_act_again),
        cmocka_unit_test(at_most_once_ends_unknown_and_is_never_repeated), cmocka_unit_test(an_agreements_changes_stand_in_both_ledgers)};
    return cmocka_run_group_tests(tests, go_up_all, go_down_all);
}
