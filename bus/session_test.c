/*
 * Sessions: opened with either algorithm; every byte of every message matters; and on a hostile bus, which replays, reorders, doubles,
 * forges and swaps as a seed says, each question comes through once and each answer fits its question only.
 */
#include "base/mem.h"
#include "base/test_random.h"
#include "bus/session.h"

#include <stdio.h>
#include <string.h>

#define HUB STR("hangzhou/hub")
#define POLICE STR("hangzhou/police")
#define NOW ((struct wall_time){1700000000000})

static uint64_t seed;

static uint64_t next(void)
{
    return test_random(&seed);
}

static void secret(uint8_t out[32])
{
    for (int i = 0; i < 32; i++)
        out[i] = (uint8_t)next();
}

struct pair {
    struct sign_key *hub_key, *police_key;
    struct sign_public hub_public, police_public;
    struct buf hello, welcome;
    struct bus_opening opening;
    struct bus_session hub, police;
    char instance[BUS_INSTANCE_MAX + 1];
};

static void open_pair(struct pair *pair, enum sign_algorithm algorithm)
{
    uint8_t bytes[32];
    memset(pair, 0, sizeof *pair);
    buf_init(&pair->hello, 4096);
    buf_init(&pair->welcome, 4096);
    assert_ok(sign_key_make(algorithm, &pair->hub_key));
    assert_ok(sign_key_make(algorithm, &pair->police_key));
    sign_key_public(pair->hub_key, &pair->hub_public);
    sign_key_public(pair->police_key, &pair->police_public);
    secret(bytes);
    assert_ok(bus_session_hello(HUB, pair->hub_key, POLICE, NOW, bytes, &pair->hello, &pair->opening));
    secret(bytes);
    assert_ok(bus_session_accept(
        POLICE, pair->police_key, &pair->hub_public, buf_str(&pair->hello), NOW, bytes, STR("one"), &pair->welcome, &pair->police));
    struct bus_opening kept = pair->opening;
    assert_ok(bus_session_complete(&pair->opening, &pair->police_public, buf_str(&pair->welcome), NOW, &pair->hub, pair->instance));
    pair->opening = kept;
    assert_string_equal(pair->instance, "one");
}

/* A message of this pair as a process of protocol 2 would sign it: docs/bus.md. */
static struct str as_newer(const struct buf *message, const struct sign_key *key, uint8_t room[4096])
{
    static const char head[] = "citybrain bus 1\n";
    uint8_t text[4096];
    size_t n_head = sizeof head - 1, n = message->len - SIGN_SIGNATURE_LEN;
    memcpy(room, message->ptr, n);
    room[0] = BUS_PROTOCOL + 1;
    memcpy(text, head, n_head);
    memcpy(text + n_head, room, n);
    assert_ok(sign_make(key, (struct str){(char *)text, n_head + n}, room + n));
    return (struct str){(char *)room, message->len};
}

static void close_pair(struct pair *pair)
{
    sign_key_destroy(pair->hub_key);
    sign_key_destroy(pair->police_key);
    buf_finish(&pair->hello);
    buf_finish(&pair->welcome);
}

/* ---- opening ---- */

static void both_have_the_same_keys(void **state)
{
    for (int algorithm = SIGN_ED25519; algorithm <= SIGN_SM2; algorithm++) {
        struct pair pair;
        struct str party;
        open_pair(&pair, (enum sign_algorithm)algorithm);
        assert_memory_equal(pair.hub.key_out, pair.police.key_in, 32);
        assert_memory_equal(pair.hub.key_in, pair.police.key_out, 32);
        assert_memory_equal(pair.hub.id, pair.police.id, 8);
        assert_memory_not_equal(pair.hub.key_in, pair.hub.key_out, 32);
        assert_ok(bus_session_hello_from(buf_str(&pair.hello), &party));
        assert_str(party, "hangzhou/hub");
        close_pair(&pair);
    }
}

/* Of two protocols on one bus both sides are told, by the other's key, and no session comes to be. */
static void another_protocol(void **state)
{
    struct pair pair, other;
    uint8_t bytes[32], hello_room[4096], other_room[4096];
    struct bus_session session;
    struct buf out;
    struct str party;
    char instance[BUS_INSTANCE_MAX + 1];
    secret(bytes);
    buf_init(&out, 4096);
    open_pair(&pair, SIGN_ED25519);
    open_pair(&other, SIGN_ED25519);
    struct str newer = as_newer(&pair.hello, pair.hub_key, hello_room);
    struct bus_opening opening = pair.opening;
    opening.hello = crypto_sha256(newer);
    assert_ok(bus_session_hello_from(newer, &party));
    assert_str(party, "hangzhou/hub");
    assert_err(bus_session_accept(POLICE, pair.police_key, &other.hub_public, newer, NOW, bytes, STR("one"), &out, &session), ERR_CRYPTO);
    assert_err(
        bus_session_accept(STR("h/tax"), pair.police_key, &pair.hub_public, newer, NOW, bytes, STR("one"), &out, &session), ERR_DENIED);
    assert_int_equal(out.len, 0); /* nobody is told anything for what he did not sign, or not to us */
    assert_err(
        bus_session_accept(POLICE, pair.police_key, &pair.hub_public, newer, NOW, bytes, STR("one"), &out, &session), ERR_UNSUPPORTED);
    assert_true(out.len == 2 + 32 + SIGN_SIGNATURE_LEN && out.ptr[0] == BUS_PROTOCOL && out.ptr[1] == BUS_OTHER);
    assert_err(bus_session_complete(&opening, &pair.police_public, buf_str(&out), NOW, &session, instance), ERR_SYNTAX); /* ours: no */
    struct str told = as_newer(&out, pair.police_key, other_room);
    assert_err(bus_session_complete(&opening, &pair.police_public, told, NOW, &session, instance), ERR_UNSUPPORTED);
    assert_err(bus_session_complete(&opening, &other.police_public, told, NOW, &session, instance), ERR_CRYPTO);
    assert_err(bus_session_complete(&pair.opening, &pair.police_public, told, NOW, &session, instance), ERR_DENIED); /* of another hello */
    for (size_t i = 0; i < told.len; i++) {
        other_room[i] ^= (uint8_t)(1u << next() % 8);
        assert_int_not_equal(bus_session_complete(&opening, &pair.police_public, told, NOW, &session, instance), ERR_UNSUPPORTED);
        memcpy(other_room, as_newer(&out, pair.police_key, (uint8_t[4096]){0}).ptr, told.len);
        assert_err(bus_session_complete(&opening, &pair.police_public, (struct str){told.ptr, i}, NOW, &session, instance), ERR_SYNTAX);
    }
    buf_finish(&out);
    close_pair(&pair);
    close_pair(&other);
}

static void each_byte_of_the_opening_matters(void **state)
{
    struct pair pair;
    uint8_t bytes[32], copy[1024];
    struct bus_session session;
    struct buf out;
    char instance[BUS_INSTANCE_MAX + 1];
    secret(bytes);
    buf_init(&out, 4096);
    open_pair(&pair, SIGN_ED25519);
    for (size_t i = 0; i < pair.hello.len; i++) {
        memcpy(copy, pair.hello.ptr, pair.hello.len);
        copy[i] ^= (uint8_t)(1u << next() % 8);
        assert_int_not_equal(bus_session_accept(POLICE, pair.police_key, &pair.hub_public, (struct str){(char *)copy, pair.hello.len}, NOW,
                                 bytes, STR("one"), &out, &session),
            ERR_OK);
        assert_err(bus_session_accept(
                       POLICE, pair.police_key, &pair.hub_public, (struct str){pair.hello.ptr, i}, NOW, bytes, STR("one"), &out, &session),
            ERR_SYNTAX);
    }
    for (size_t i = 0; i < pair.welcome.len; i++) {
        struct bus_opening opening = pair.opening;
        memcpy(copy, pair.welcome.ptr, pair.welcome.len);
        copy[i] ^= (uint8_t)(1u << next() % 8);
        assert_int_not_equal(
            bus_session_complete(&opening, &pair.police_public, (struct str){(char *)copy, pair.welcome.len}, NOW, &session, instance),
            ERR_OK);
        assert_err(
            bus_session_complete(&opening, &pair.police_public, (struct str){pair.welcome.ptr, i}, NOW, &session, instance), ERR_SYNTAX);
    }
    assert_int_equal(out.len, 0);
    buf_finish(&out);
    close_pair(&pair);
}

static void an_opening_for_others_or_of_another_time(void **state)
{
    struct pair pair, other;
    uint8_t bytes[32];
    struct bus_session session;
    struct buf out;
    char instance[BUS_INSTANCE_MAX + 1];
    secret(bytes);
    buf_init(&out, 4096);
    open_pair(&pair, SIGN_ED25519);
    open_pair(&other, SIGN_ED25519);
    struct str hello = buf_str(&pair.hello);
    struct wall_time late = {NOW.ms + BUS_SESSION_SKEW_MS + 1}, early = {NOW.ms - BUS_SESSION_SKEW_MS - 1};
    assert_err(bus_session_accept(STR("hangzhou/health"), pair.police_key, &pair.hub_public, hello, NOW, bytes, STR("one"), &out, &session),
        ERR_DENIED);
    assert_err(bus_session_accept(POLICE, pair.police_key, &pair.hub_public, hello, late, bytes, STR("one"), &out, &session), ERR_RANGE);
    assert_err(bus_session_accept(POLICE, pair.police_key, &pair.hub_public, hello, early, bytes, STR("one"), &out, &session), ERR_RANGE);
    assert_err(bus_session_accept(POLICE, pair.police_key, &other.hub_public, hello, NOW, bytes, STR("one"), &out, &session), ERR_CRYPTO);
    /* A welcome by somebody else, and the right party's to another hello. */
    struct bus_opening opening = pair.opening;
    assert_err(bus_session_complete(&opening, &other.police_public, buf_str(&pair.welcome), NOW, &session, instance), ERR_CRYPTO);
    assert_err(bus_session_complete(&opening, &other.police_public, buf_str(&other.welcome), NOW, &session, instance), ERR_DENIED);
    assert_err(bus_session_complete(&opening, &pair.police_public, buf_str(&pair.welcome), late, &session, instance), ERR_RANGE);
    for (uint64_t nth = 1; nth < 4; nth++) { /* no memory: told, and the session is not there */
        struct buf small;
        buf_init(&small, 4096);
        mem_fail_nth(nth);
        enum err err = bus_session_accept(POLICE, pair.police_key, &pair.hub_public, hello, NOW, bytes, STR("one"), &small, &session);
        mem_fail_nth(0);
        assert_true(err == ERR_OK || err == ERR_NO_MEMORY);
        buf_finish(&small);
    }
    buf_finish(&out);
    close_pair(&pair);
    close_pair(&other);
}

/* ---- messages ---- */

struct sealed {
    struct buf bytes;
    struct bus_mark mark;
};

static void seal(struct bus_session *session, const struct bus_mark *question, const char *text, uint32_t part, struct sealed *ret_sealed)
{
    const struct bus_frame frame = {.part = part, .is_last = true, .bytes = str_from_c(text)};
    buf_init(&ret_sealed->bytes, 1u << 20);
    assert_ok(bus_session_seal(session, NOW, question, &frame, &ret_sealed->bytes, &ret_sealed->mark));
    assert_true(ret_sealed->bytes.len <= frame.bytes.len + BUS_SESSION_OVERHEAD);
}

static enum err open_it(
    struct bus_session *session, const struct bus_mark *question, struct str message, struct bus_mark *ret_mark, char *out)
{
    static uint8_t room[1u << 20];
    struct bus_frame frame;
    enum err err = bus_session_open(session, NOW, question, message, room, &frame, ret_mark);
    if (!err)
        snprintf(out, 64, STR_FORMAT "#%u", STR_ARG(frame.bytes), (unsigned)frame.part);
    return err;
}

static void each_byte_of_a_message_matters(void **state)
{
    struct pair pair;
    struct sealed question, answer, empty;
    struct bus_mark mark;
    char text[64], copy[512];
    open_pair(&pair, SIGN_ED25519);
    seal(&pair.hub, NULL, "plate 浙A12345", 0, &question);
    assert_null(memmem(question.bytes.ptr, question.bytes.len, "12345", 5)); /* nobody on the way reads it */
    seal(&pair.police, &question.mark, "one row", 7, &answer);
    for (size_t i = 0; i < question.bytes.len; i++) {
        memcpy(copy, question.bytes.ptr, question.bytes.len);
        copy[i] ^= (char)(1u << next() % 8);
        assert_int_not_equal(open_it(&pair.police, NULL, (struct str){copy, question.bytes.len}, &mark, text), ERR_OK);
        assert_int_not_equal(open_it(&pair.police, NULL, (struct str){question.bytes.ptr, i}, &mark, text), ERR_OK);
    }
    for (size_t i = 0; i < answer.bytes.len; i++) {
        memcpy(copy, answer.bytes.ptr, answer.bytes.len);
        copy[i] ^= (char)(1u << next() % 8);
        assert_int_not_equal(open_it(&pair.hub, &question.mark, (struct str){copy, answer.bytes.len}, &mark, text), ERR_OK);
        assert_int_not_equal(open_it(&pair.hub, &question.mark, (struct str){answer.bytes.ptr, i}, &mark, text), ERR_OK);
    }
    /* After all that the true ones still come through, once. */
    assert_ok(open_it(&pair.police, NULL, buf_str(&question.bytes), &mark, text));
    assert_string_equal(text, "plate 浙A12345#0");
    assert_memory_equal(&mark, &question.mark, sizeof mark);
    assert_err(open_it(&pair.police, NULL, buf_str(&question.bytes), &mark, text), ERR_EXISTS);
    assert_ok(open_it(&pair.hub, &question.mark, buf_str(&answer.bytes), &mark, text));
    assert_string_equal(text, "one row#7");
    assert_err(open_it(&pair.hub, &question.mark, buf_str(&answer.bytes), &mark, text), ERR_EXISTS);
    seal(&pair.hub, NULL, "", 0, &empty);
    assert_ok(open_it(&pair.police, NULL, buf_str(&empty.bytes), &mark, text));
    assert_string_equal(text, "#0");
    buf_finish(&question.bytes);
    buf_finish(&answer.bytes);
    buf_finish(&empty.bytes);
    close_pair(&pair);
}

static void what_belongs_elsewhere(void **state)
{
    struct pair pair, other;
    struct sealed one, two, answer;
    struct bus_mark mark;
    char text[64];
    static uint8_t room[512];
    struct bus_frame frame;
    open_pair(&pair, SIGN_ED25519);
    open_pair(&other, SIGN_ED25519);
    seal(&pair.hub, NULL, "one", 0, &one);
    seal(&pair.hub, NULL, "two", 0, &two);
    seal(&pair.police, &one.mark, "to one", 0, &answer);
    assert_err(open_it(&pair.hub, &two.mark, buf_str(&answer.bytes), &mark, text), ERR_DENIED); /* to another question */
    assert_err(open_it(&other.police, NULL, buf_str(&one.bytes), &mark, text), ERR_NOT_FOUND);  /* to another session */
    assert_err(open_it(&pair.hub, NULL, buf_str(&one.bytes), &mark, text), ERR_CRYPTO);         /* back to its sender */
    assert_err(open_it(&pair.hub, &one.mark, buf_str(&two.bytes), &mark, text), ERR_SYNTAX);    /* a question as an answer */
    assert_err(open_it(&pair.police, NULL, buf_str(&answer.bytes), &mark, text), ERR_SYNTAX);   /* an answer as a question */
    struct wall_time late = {NOW.ms + BUS_SESSION_SKEW_MS + 1}, early = {NOW.ms - BUS_SESSION_SKEW_MS - 1}, never = {INT64_MIN};
    assert_err(bus_session_open(&pair.police, late, NULL, buf_str(&one.bytes), room, &frame, &mark), ERR_RANGE);
    assert_err(bus_session_open(&pair.police, early, NULL, buf_str(&one.bytes), room, &frame, &mark), ERR_RANGE);
    assert_err(bus_session_open(&pair.police, never, NULL, buf_str(&one.bytes), room, &frame, &mark), ERR_RANGE);
    assert_ok(open_it(&pair.hub, &one.mark, buf_str(&answer.bytes), &mark, text));
    assert_false(bus_session_is_old(&pair.hub, NOW));
    assert_true(bus_session_is_old(&pair.hub, (struct wall_time){NOW.ms + BUS_SESSION_LIFE_MS}));
    mem_fail_nth(1);
    struct buf out;
    buf_init(&out, 4096);
    frame = (struct bus_frame){.bytes = STR("x")};
    assert_err(bus_session_seal(&pair.hub, NOW, NULL, &frame, &out, &mark), ERR_NO_MEMORY);
    mem_fail_nth(0);
    buf_finish(&one.bytes);
    buf_finish(&two.bytes);
    buf_finish(&answer.bytes);
    close_pair(&pair);
    close_pair(&other);
}

/* A bus that does what it likes with N questions: each is opened at most once whatever comes, and exactly once if it ever came in time;
 * nothing that was never sealed is opened. */
/* "I know no such session" is the other party's word about one question, to the byte. */
static void each_byte_of_unknown_matters(void **state)
{
    for (int algorithm = SIGN_ED25519; algorithm <= SIGN_SM2; algorithm++) {
        struct pair pair;
        struct bus_frame frame = {.is_last = true, .bytes = STR("question")};
        struct bus_mark mark, other;
        struct buf question, another, unknown;
        open_pair(&pair, (enum sign_algorithm)algorithm);
        buf_init(&question, 4096);
        buf_init(&another, 4096);
        buf_init(&unknown, 4096);
        assert_ok(bus_session_seal(&pair.hub, NOW, NULL, &frame, &question, &mark));
        assert_ok(bus_session_seal(&pair.hub, NOW, NULL, &frame, &another, &other));
        assert_ok(bus_session_unknown(pair.police_key, buf_str(&question), &unknown));
        struct str said = buf_str(&unknown);
        assert_ok(bus_session_check_unknown(&pair.hub, &pair.police_public, &mark, said));
        assert_err(bus_session_check_unknown(&pair.hub, &pair.police_public, &other, said), ERR_DENIED);
        assert_err(bus_session_check_unknown(&pair.hub, &pair.hub_public, &mark, said), ERR_CRYPTO);
        for (size_t i = 0; i < said.len; i++) {
            assert_true(bus_session_check_unknown(&pair.hub, &pair.police_public, &mark, str_slice(said, 0, i)) != ERR_OK);
            unknown.ptr[i] ^= 1;
            assert_true(bus_session_check_unknown(&pair.hub, &pair.police_public, &mark, said) != ERR_OK);
            unknown.ptr[i] ^= 1;
        }
        assert_err(bus_session_unknown(pair.police_key, str_slice(buf_str(&question), 0, 41), &another), ERR_SYNTAX);
        buf_finish(&question);
        buf_finish(&another);
        buf_finish(&unknown);
        close_pair(&pair);
    }
}

static void a_hostile_bus(void **state)
{
    enum { N = 12000, STEPS = 60000 };
    static struct sealed sealed[N];
    static uint8_t n_opened[N], n_came[N];
    struct pair pair;
    size_t n = 0, n_forged = 0, n_refused = 0;
    uint64_t highest = 0;
    open_pair(&pair, SIGN_ED25519);
    memset(n_opened, 0, sizeof n_opened);
    memset(n_came, 0, sizeof n_came);
    for (size_t step = 0; step < STEPS; step++) {
        char text[64], wanted[64], copy[256];
        struct bus_mark mark;
        if (n < N && next() % 4 == 0) {
            snprintf(text, sizeof text, "%zu", n);
            seal(&pair.hub, NULL, text, 0, &sealed[n++]);
        }
        if (n == 0)
            continue;
        size_t back = next() % 8 == 0 ? 5000 : 30; /* mostly a little out of order, now and then far */
        size_t one = n - 1 - next() % (n < back ? n : back);
        struct str message = buf_str(&sealed[one].bytes);
        bool is_forged = next() % 5 == 0;
        if (is_forged) {
            memcpy(copy, message.ptr, message.len);
            copy[next() % message.len] ^= (char)(1u << next() % 8);
            message.ptr = copy;
        }
        enum err err = open_it(&pair.police, NULL, message, &mark, text);
        if (is_forged) {
            n_forged++;
            assert_int_not_equal(err, ERR_OK);
            continue;
        }
        bool is_fresh = !n_came[one] && (sealed[one].mark.counter > highest || highest - sealed[one].mark.counter < BUS_SESSION_WINDOW);
        n_came[one] = 1;
        assert_err(err, is_fresh ? ERR_OK : ERR_EXISTS);
        n_refused += err != ERR_OK;
        if (err)
            continue;
        highest = sealed[one].mark.counter > highest ? sealed[one].mark.counter : highest;
        snprintf(wanted, sizeof wanted, "%zu#0", one);
        assert_string_equal(text, wanted);
        assert_int_equal(++n_opened[one], 1);
    }
    printf("hostile bus: %zu sealed, %zu forged and refused, %zu repeated or too late and refused\n", n, n_forged, n_refused);
    assert_true(n > 10000 && n_forged > 5000 && n_refused > 5000);
    for (size_t i = 0; i < n; i++)
        buf_finish(&sealed[i].bytes);
    close_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_have_the_same_keys),
        cmocka_unit_test(another_protocol),
        cmocka_unit_test(each_byte_of_the_opening_matters),
        cmocka_unit_test(an_opening_for_others_or_of_another_time),
        cmocka_unit_test(each_byte_of_a_message_matters),
        cmocka_unit_test(what_belongs_elsewhere),
        cmocka_unit_test(each_byte_of_unknown_matters),
        cmocka_unit_test(a_hostile_bus),
    };
    seed = test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
