/*
 * Parties on a real nats-server: questions under sessions, answers in parts, strangers, the other side started anew, the server killed; and
 * somebody on the bus who hears everything and sends it again, changed, cut, to others, out of order, as fast as he can.
 */
#include "base/mem.h"
#include "base/test.h"
#include "bus/link_testing.h"
#include "bus/peer_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUB STR("hangzhou/hub")
#define POLICE STR("hangzhou/police")
#define TAX STR("hangzhou/tax")

struct fixture {
    struct nats_testing server;
    struct loop *loop;
    struct bus_link *hub_link, *police_link, *hostile_link;
    struct sign_key *keys[3]; /* hub, police, somebody else */
    struct sign_public public[3];
    struct bus_peer *hub, *police;
    size_t n_questions;
    size_t n_seen[20000]; /* how often each number was asked, as the answering side sees it */
    bool is_silent, has_tax;
    struct bus_question *held;
};

static struct fixture fixture;

static enum err key_of(void *context, struct str party, struct sign_public *ret_key)
{
    if (str_equal(party, HUB))
        *ret_key = fixture.public[0];
    else if (str_equal(party, POLICE))
        *ret_key = fixture.public[1];
    else if (fixture.has_tax && str_equal(party, TAX))
        *ret_key = fixture.public[2];
    else
        return ERR_NOT_FOUND;
    return ERR_OK;
}

/* "n" is answered "n!"; "parts n" by n parts, "large" by one as large as may be. */
static void on_question(void *context, struct bus_question *question)
{
    static char large[BUS_PEER_BYTES];
    uint64_t number = 0;
    char text[64];
    struct str bytes = bus_question_bytes(question), party = bus_question_party(question);
    fixture.n_questions++;
    assert_true(str_equal(party, HUB) || (fixture.has_tax && str_equal(party, TAX)));
    if (str_to_u64(bytes, &number) == ERR_OK && number < 20000)
        fixture.n_seen[number]++;
    if (fixture.is_silent) {
        bus_question_drop(fixture.held);
        fixture.held = question;
        return;
    }
    if (str_starts_with(bytes, STR("parts "))) {
        assert_ok(str_to_u64(str_slice(bytes, 6, bytes.len), &number));
        for (uint64_t i = 0; i < number; i++) {
            snprintf(text, sizeof text, "%llu", (unsigned long long)i);
            assert_ok(bus_question_answer(question, str_from_c(text), i + 1 == number));
        }
        return;
    }
    struct str answer = {large, sizeof large};
    if (!str_equal_c(bytes, "large")) {
        snprintf(text, sizeof text, STR_FORMAT "!", STR_ARG(bytes));
        answer = str_from_c(text);
    }
    if (bus_question_answer(question, answer, true))
        bus_question_drop(question);
}

static struct bus_peer *make_door(struct bus_link *link, struct str name, const struct sign_key *key, bool answers, const char *door)
{
    struct bus_peer *peer;
    const struct bus_peer_options options = {.link = link,
        .name = name,
        .key = key,
        .clock = clock_system(),
        .loop = fixture.loop,
        .key_of = key_of,
        .on_question = answers ? on_question : NULL,
        .door = door};
    assert_ok(bus_peer_create(&options, &peer));
    return peer;
}

static struct bus_peer *make_peer(struct bus_link *link, struct str name, const struct sign_key *key, bool answers)
{
    return make_door(link, name, key, answers, NULL);
}

struct asking {
    struct bus_ask ask;
    bool is_done;
    enum err err;
    size_t n_parts, len;
    char text[64];
};

static void on_part(struct bus_ask *ask, struct str bytes)
{
    struct asking *asking = container_of(ask, struct asking, ask);
    char text[24];
    snprintf(text, sizeof text, "%zu", asking->n_parts++);
    if (asking->n_parts > 1)
        assert_str(bytes, text);
}

static void on_done(struct bus_ask *ask)
{
    struct asking *asking = container_of(ask, struct asking, ask);
    asking->is_done = true;
    asking->err = ask->err;
    asking->len = ask->answer.len;
    snprintf(asking->text, sizeof asking->text, "%.*s", (int)(ask->answer.len < 60 ? ask->answer.len : 60),
        ask->answer.ptr ? ask->answer.ptr : "");
}

static bool is_done(void *context)
{
    return ((struct asking *)context)->is_done;
}

static void begin(struct asking *asking, struct bus_peer *peer, struct str party, const char *text, int64_t timeout_ms)
{
    *asking = (struct asking){.ask = {.party = party,
                                  .bytes = str_from_c(text),
                                  .timeout_ms = timeout_ms,
                                  .may_repeat = true,
                                  .loop = fixture.loop,
                                  .on_part = on_part,
                                  .done = on_done}};
    bus_peer_ask(peer, &asking->ask);
}

static enum err ask(struct asking *asking, struct bus_peer *peer, struct str party, const char *text, int64_t timeout_ms)
{
    begin(asking, peer, party, text, timeout_ms);
    assert_true(nats_testing_until(fixture.loop, is_done, asking));
    return asking->err;
}

/* Until it is answered: what was subscribed to has arrived at the server. */
static void settle(void)
{
    struct asking asking;
    for (int i = 0; i < 1000 && ask(&asking, fixture.hub, POLICE, "settle", 10000) != ERR_OK; i++)
        assert_ok(loop_run_once(fixture.loop, 10));
    assert_ok(asking.err);
}

static int start(void **state)
{
    memset(&fixture, 0, sizeof fixture);
    nats_testing_start(&fixture.server, false);
    assert_ok(loop_create(clock_system(), &fixture.loop));
    for (int i = 0; i < 3; i++) {
        assert_ok(sign_key_make(i == 1 ? SIGN_SM2 : SIGN_ED25519, &fixture.keys[i]));
        sign_key_public(fixture.keys[i], &fixture.public[i]);
    }
    nats_testing_link(&fixture.server, 0, &fixture.hub_link);
    nats_testing_link(&fixture.server, 1, &fixture.police_link);
    nats_testing_link(&fixture.server, 1, &fixture.hostile_link);
    fixture.hub = make_peer(fixture.hub_link, HUB, fixture.keys[0], false);
    fixture.police = make_peer(fixture.police_link, POLICE, fixture.keys[1], true);
    settle();
    return 0;
}

static int finish(void **state)
{
    bus_question_drop(fixture.held);
    bus_peer_destroy(fixture.hub);
    bus_peer_destroy(fixture.police);
    bus_link_close(fixture.hub_link);
    bus_link_close(fixture.police_link);
    bus_link_close(fixture.hostile_link);
    for (int i = 0; i < 5; i++)
        assert_ok(loop_run_once(fixture.loop, 1));
    loop_destroy(fixture.loop);
    for (int i = 0; i < 3; i++)
        sign_key_destroy(fixture.keys[i]);
    nats_testing_end(&fixture.server);
    return 0;
}

static void questions_and_parts(void **state)
{
    enum { N = 500 };
    static struct asking askings[N];
    struct asking one;
    assert_ok(ask(&one, fixture.hub, POLICE, "hello", 10000));
    assert_string_equal(one.text, "hello!");
    assert_ok(ask(&one, fixture.hub, POLICE, "parts 40", 10000));
    assert_int_equal(one.n_parts, 40);
    assert_string_equal(one.text, "39");
    assert_ok(ask(&one, fixture.hub, POLICE, "large", 10000));
    assert_int_equal(one.len, BUS_PEER_BYTES);
    for (size_t i = 0; i < N; i++) {
        char text[16];
        snprintf(text, sizeof text, "%zu", 10000 + i);
        begin(&askings[i], fixture.hub, POLICE, text, 30000);
    }
    for (size_t i = 0; i < N; i++) {
        char text[16];
        snprintf(text, sizeof text, "%zu!", 10000 + i);
        assert_true(nats_testing_until(fixture.loop, is_done, &askings[i]));
        assert_string_equal(askings[i].text, text);
        assert_int_equal(fixture.n_seen[10000 + i], 1);
    }
    assert_int_equal(bus_peer_counts(fixture.hub).n_opened, 1); /* one session for all of it */
}

/* Of four processes of a party each session goes to one; who asks for the door gets the one that has it, every time. */
static void a_door_that_one_process_has(void **state)
{
    enum { N = 12 };
    struct bus_peer *others[2], *desk = make_door(fixture.police_link, POLICE, fixture.keys[1], true, "DESK"), *askers[N];
    struct asking asking;
    uint64_t n_elsewhere = bus_peer_counts(fixture.police).n_accepted;
    for (size_t i = 0; i < 2; i++)
        others[i] = make_peer(fixture.police_link, POLICE, fixture.keys[1], true);
    settle();
    for (size_t i = 0; i < N; i++) {
        askers[i] = make_peer(fixture.hub_link, HUB, fixture.keys[0], false);
        asking = (struct asking){.ask = {.party = POLICE,
                                     .door = "DESK",
                                     .bytes = STR("at the desk"),
                                     .timeout_ms = 10000,
                                     .may_repeat = true,
                                     .loop = fixture.loop,
                                     .on_part = on_part,
                                     .done = on_done}};
        bus_peer_ask(askers[i], &asking.ask);
        assert_true(nats_testing_until(fixture.loop, is_done, &asking));
        assert_ok(asking.err);
        assert_int_equal(bus_peer_counts(desk).n_questions, i + 1);
    }
    n_elsewhere = bus_peer_counts(fixture.police).n_accepted - n_elsewhere;
    for (size_t i = 0; i < 2; i++)
        n_elsewhere += bus_peer_counts(others[i]).n_accepted;
    assert_int_equal(n_elsewhere, 0); /* settle() had its session already */
    for (size_t i = 0; i < N; i++)
        bus_peer_destroy(askers[i]);
    bus_peer_destroy(desk);
    for (size_t i = 0; i < 2; i++)
        bus_peer_destroy(others[i]);
}

/* Hellos in another's name cost the one in whose name they come, and nobody else. */
static void a_flood_in_one_partys_name(void **state)
{
    struct bus_opening opening;
    struct asking asking;
    struct buf hello;
    uint8_t secret[32];
    fixture.has_tax = true;
    struct bus_peer *tax = make_peer(fixture.hub_link, TAX, fixture.keys[2], false);
    for (int i = 0; i < 150; i++) {
        buf_init(&hello, 1024);
        crypto_random(secret, sizeof secret);
        assert_ok(bus_session_hello(HUB, fixture.keys[2], POLICE, clock_wall(clock_system()), secret, &hello, &opening));
        assert_ok(bus_link_publish(fixture.hostile_link, STR("cb.hangzhou.police.HELLO"), buf_str(&hello)));
        buf_finish(&hello);
    }
    assert_ok(ask(&asking, tax, POLICE, "5", 10000));
    for (int i = 0; i < 200 && bus_peer_counts(fixture.police).n_overrun == 0; i++)
        assert_ok(loop_run_once(fixture.loop, 50));
    assert_true(bus_peer_counts(fixture.police).n_overrun > 0);
    bus_peer_destroy(tax);
    fixture.has_tax = false;
}

/* What is before the signature, signed as of a newer program. */
static void sign_newer(struct buf *message, const struct sign_key *key)
{
    static const char head[] = "citybrain bus 1\n";
    uint8_t signature[SIGN_SIGNATURE_LEN];
    struct buf text;
    buf_init(&text, 4096);
    message->ptr[0] = BUS_PROTOCOL + 1;
    buf_append(&text, head, sizeof head - 1);
    buf_append_str(&text, buf_str(message));
    assert_ok(sign_make(key, buf_str(&text), signature));
    buf_append(message, signature, sizeof signature);
    buf_finish(&text);
}

struct hearing {
    struct bus_request request;
    bool is_done;
    uint8_t first[2];
};

static bool is_heard(void *hearing)
{
    return ((struct hearing *)hearing)->is_done;
}

static void on_hello_answered(struct bus_request *request)
{
    struct hearing *hearing = container_of(request, struct hearing, request);
    if (!request->err && request->answer.len > 2)
        memcpy(hearing->first, request->answer.ptr, 2);
    hearing->is_done = true;
}

static void answer_as_newer(void *context, const struct bus_message *message)
{
    struct sha256 digest = crypto_sha256(message->bytes);
    struct buf out;
    buf_init(&out, 1024);
    buf_append_byte(&out, 0);
    buf_append_byte(&out, BUS_OTHER);
    buf_append(&out, digest.bytes, sizeof digest.bytes);
    sign_newer(&out, fixture.keys[2]);
    assert_ok(bus_link_answer(fixture.hostile_link, message->reply, buf_str(&out)));
    buf_finish(&out);
    ++*(size_t *)context;
}

/* A newer program on the bus, on either side: nobody waits for it, both are told. */
static void a_process_of_another_protocol(void **state)
{
    const struct bus_link_subscriber subscriber = {.loop = fixture.loop, .on_message = answer_as_newer, .context = &(size_t){0}};
    struct bus_link_subscription *subscription;
    struct hearing hearing = {.is_done = false};
    struct bus_opening opening;
    struct asking asking;
    struct buf hello;
    uint8_t secret[32] = {7};
    size_t n_questions = fixture.n_questions;
    buf_init(&hello, 1024);
    assert_ok(bus_session_hello(HUB, fixture.keys[0], POLICE, clock_wall(clock_system()), secret, &hello, &opening));
    hello.len -= SIGN_SIGNATURE_LEN;
    buf_append_str(&hello, STR("what a later hello has more")); /* before its signature */
    sign_newer(&hello, fixture.keys[0]);
    hearing.request = (struct bus_request){.subject = STR("cb.hangzhou.police.HELLO"),
        .bytes = buf_str(&hello),
        .timeout_ms = 10000,
        .loop = fixture.loop,
        .done = on_hello_answered};
    bus_link_request(fixture.hub_link, &hearing.request);
    assert_true(nats_testing_until(fixture.loop, is_heard, &hearing));
    assert_true(hearing.first[0] == BUS_PROTOCOL && hearing.first[1] == BUS_OTHER);
    assert_int_equal(bus_peer_counts(fixture.police).n_other_protocol, 1);
    fixture.has_tax = true;
    assert_ok(bus_link_subscribe(fixture.hostile_link, STR("cb.hangzhou.tax.HELLO"), &subscriber, &subscription));
    for (int i = 0; i < 600 && *(size_t *)subscriber.context == 0; i++) /* its subscription is on its way */
        assert_err(ask(&asking, fixture.hub, TAX, "1", 60000), ERR_UNAVAILABLE);
    assert_true(*(size_t *)subscriber.context > 0);
    assert_true(bus_peer_counts(fixture.hub).n_other_protocol > 0);
    bus_link_unsubscribe(subscription);
    fixture.has_tax = false;
    assert_int_equal(fixture.n_questions, n_questions);
    assert_ok(ask(&asking, fixture.hub, POLICE, "6", 10000)); /* the others go on */
    buf_finish(&hello);
}

static void strangers_and_impostors(void **state)
{
    struct asking asking;
    size_t n = fixture.n_questions;
    struct bus_peer *stranger = make_peer(fixture.hostile_link, STR("hangzhou/nobody"), fixture.keys[2], false);
    struct bus_peer *impostor = make_peer(fixture.hostile_link, HUB, fixture.keys[2], false); /* the hub's name, another key */
    assert_err(ask(&asking, stranger, POLICE, "1", 10000), ERR_UNAVAILABLE);
    assert_err(ask(&asking, impostor, POLICE, "1", 10000), ERR_UNAVAILABLE);
    assert_err(ask(&asking, fixture.hub, STR("hangzhou/nobody"), "1", 10000), ERR_NOT_FOUND); /* whose key is not known is not asked */
    assert_err(ask(&asking, fixture.hub, STR("hangzhou/*"), "1", 10000), ERR_SYNTAX);
    assert_int_equal(fixture.n_questions, n);
    assert_int_equal(bus_peer_counts(fixture.police).n_strangers, 1);
    assert_true(bus_peer_counts(fixture.police).n_forged >= 1);
    bus_peer_destroy(stranger);
    bus_peer_destroy(impostor);
}

static void the_other_side_is_started_anew(void **state)
{
    struct asking asking;
    for (int i = 0; i < 3; i++) {
        bus_peer_destroy(fixture.police);
        enum err err = ERR_TIMEOUT; /* until the server has heard that nobody listens any more; then at once */
        for (int round = 0; round < 600 && err == ERR_TIMEOUT; round++)
            err = ask(&asking, fixture.hub, POLICE, "1", 100);
        assert_err(err, ERR_UNAVAILABLE);
        fixture.police = make_peer(fixture.police_link, POLICE, fixture.keys[1], true);
        settle();
        assert_ok(ask(&asking, fixture.hub, POLICE, "again", 10000));
    }
    /* Between two questions, unseen by the asker: the next is answered all the same. */
    bus_peer_destroy(fixture.police);
    fixture.police = make_peer(fixture.police_link, POLICE, fixture.keys[1], true);
    settle();
}

static void silence_and_the_servers_end(void **state)
{
    struct asking asking;
    size_t n = fixture.n_questions;
    fixture.is_silent = true;
    assert_err(ask(&asking, fixture.hub, POLICE, "1", 100), ERR_TIMEOUT);
    while (fixture.n_questions == n) /* it may have come later than it was waited for */
        assert_ok(loop_run_once(fixture.loop, 10));
    begin(&asking, fixture.hub, POLICE, "2", 600000);
    while (fixture.n_questions == n + 1)
        assert_ok(loop_run_once(fixture.loop, 10));
    nats_testing_kill(&fixture.server);
    assert_true(nats_testing_until(fixture.loop, is_done, &asking));
    assert_err(asking.err, ERR_IO); /* nobody knows */
    fixture.is_silent = false;
    assert_err(ask(&asking, fixture.hub, POLICE, "3", 600000), ERR_UNAVAILABLE);
    nats_testing_again(&fixture.server);
    settle();
}

/* ---- hostile ---- */

struct heard {
    char subject[BUS_SUBJECT_MAX + 1], reply[BUS_SUBJECT_MAX + 1];
    struct str bytes;
};

#define HEARD_MAX 4000
static struct heard heard[HEARD_MAX];
static size_t n_heard, n_said;

/* As the table makes room for others: the next question is told so, under a signature, and asked under a new session. */
static void the_other_side_lost_the_session(void **state)
{
    struct asking asking;
    struct bus_peer *police = fixture.police;
    assert_ok(ask(&asking, fixture.hub, POLICE, "7", 10000));
    uint64_t n_opened = bus_peer_counts(fixture.hub).n_opened;
    size_t n_seen = fixture.n_seen[8];
    pthread_mutex_lock(&police->lock);
    for (size_t i = 0; i < PEER_TABLE; i++) {
        peer_session_release(police->accepted[i]);
        police->accepted[i] = NULL;
    }
    police->n_held = 0;
    pthread_mutex_unlock(&police->lock);
    assert_ok(ask(&asking, fixture.hub, POLICE, "8", 10000));
    assert_string_equal(asking.text, "8!");
    assert_int_equal(fixture.n_seen[8], n_seen + 1);
    assert_int_equal(bus_peer_counts(fixture.hub).n_opened, n_opened + 1);
}

/* Who answers each question of the hub's first: "I know no such session", as well as he can without the party's key. */
static void deny(void *context, const struct bus_message *message)
{
    struct buf out;
    uint8_t old[10] = {1, BUS_UNKNOWN};
    if (!message->reply.len || message->bytes.len < 42)
        return;
    memcpy(old + 2, message->bytes.ptr + 2, 8);
    assert_ok(bus_link_answer(fixture.hostile_link, message->reply, (struct str){(char *)old, sizeof old}));
    for (int i = 0; i < 10; i++) {
        buf_init(&out, 256);
        assert_ok(bus_session_unknown(fixture.keys[2], message->bytes, &out));
        out.ptr[out.len - 1] ^= (char)i;
        assert_ok(bus_link_answer(fixture.hostile_link, message->reply, buf_str(&out)));
        buf_finish(&out);
    }
    (*(size_t *)context)++;
}

/* Whatever is said by others, a question is executed once, under one session, and answered. */
static void a_forged_unknown_does_nothing(void **state)
{
    enum { N = 40 };
    size_t n_denied = 0;
    struct bus_link_subscription *ear;
    const struct bus_link_subscriber subscriber = {.loop = fixture.loop, .limit = 20000, .on_message = deny, .context = &n_denied};
    struct asking asking;
    assert_ok(bus_link_subscribe(fixture.hostile_link, STR("cb.hangzhou.police.ASK.>"), &subscriber, &ear));
    for (int i = 0; i < 1000 && n_denied == 0; i++)
        settle();
    assert_true(n_denied > 0);
    uint64_t n_opened = bus_peer_counts(fixture.hub).n_opened, n_forged = bus_peer_counts(fixture.hub).n_forged;
    fixture.is_silent = true; /* the lies come first, for certain */
    for (size_t i = 0; i < N; i++) {
        char text[24], wanted[24];
        snprintf(text, sizeof text, "%zu", 19000 + i);
        snprintf(wanted, sizeof wanted, "%zu!", 19000 + i);
        size_t n_before = n_denied;
        begin(&asking, fixture.hub, POLICE, text, 60000);
        while (!fixture.held || n_denied == n_before)
            assert_ok(loop_run_once(fixture.loop, 10));
        for (int k = 0; k < 5; k++)
            assert_ok(loop_run_once(fixture.loop, 2));
        assert_false(asking.is_done);
        assert_ok(bus_question_answer(fixture.held, str_from_c(wanted), true));
        fixture.held = NULL;
        assert_true(nats_testing_until(fixture.loop, is_done, &asking));
        assert_ok(asking.err);
        assert_string_equal(asking.text, wanted);
        assert_int_equal(fixture.n_seen[19000 + i], 1);
    }
    fixture.is_silent = false;
    assert_int_equal(bus_peer_counts(fixture.hub).n_opened, n_opened);
    assert_true(bus_peer_counts(fixture.hub).n_forged > n_forged);
    bus_link_unsubscribe(ear);
}

/* Before the true answer can: one that is none. */
static void answer_first(const struct bus_message *message)
{
    char copy[256];
    size_t len = message->bytes.len < sizeof copy ? message->bytes.len : sizeof copy;
    memcpy(copy, message->bytes.ptr, len);
    copy[1] = n_heard % 40 == 0 ? BUS_UNKNOWN : BUS_ANSWER;
    if (bus_link_answer(fixture.hostile_link, message->reply, (struct str){copy, copy[1] == BUS_UNKNOWN ? 10 : len}) == ERR_OK)
        n_said++;
}

static void on_heard(void *context, const struct bus_message *message)
{
    if (message->reply.len && message->bytes.len > 10)
        answer_first(message);
    if (n_heard == HEARD_MAX)
        return;
    struct heard *one = &heard[n_heard];
    char *copy = malloc(message->bytes.len + 1);
    memcpy(copy, message->bytes.ptr, message->bytes.len);
    one->bytes = (struct str){copy, message->bytes.len};
    assert_ok(str_to_c(message->subject, one->subject, sizeof one->subject));
    assert_ok(str_to_c(message->reply, one->reply, sizeof one->reply));
    n_heard++;
}

/* Sends something that was heard, somehow else; answers to nobody's question go to the hub's own inbox. */
static void say(uint32_t chance)
{
    static char copy[4096];
    if (n_heard == 0)
        return;
    const struct heard *one = &heard[chance % n_heard], *other = &heard[chance / 7 % n_heard];
    struct str bytes = str_slice(one->bytes, 0, sizeof copy);
    if (bytes.len == 0)
        return;
    memcpy(copy, bytes.ptr, bytes.len);
    bytes.ptr = copy;
    switch (chance / 31 % 6) {
    case 0: /* again */
        break;
    case 1: /* changed */
        copy[chance / 97 % bytes.len] ^= (char)(1u << chance % 8);
        break;
    case 2: /* cut */
        bytes.len = chance / 97 % bytes.len;
        break;
    case 3: { /* "no such session", to whoever waits */
        uint8_t unknown[10] = {1, BUS_UNKNOWN};
        if (bytes.len >= 10)
            memcpy(unknown + 2, copy + 2, 8);
        memcpy(copy, unknown, 10);
        bytes.len = 10;
        break;
    }
    case 4: /* one's head, another's end */
        if (other->bytes.len >= bytes.len)
            memcpy(copy + bytes.len / 2, other->bytes.ptr + bytes.len / 2, bytes.len - bytes.len / 2);
        break;
    default: /* noise */
        for (size_t i = 0; i < bytes.len; i++)
            copy[i] = (char)(chance * 2654435761u >> i % 24);
    }
    bool is_answer = chance / 13 % 2 && one->reply[0];
    if (bus_link_answer(fixture.hostile_link, str_from_c(is_answer ? one->reply : other->subject), bytes) == ERR_OK)
        n_said++;
}

static void somebody_on_the_bus(void **state)
{
    enum { N = 800 };
    struct bus_link_subscription *ear;
    const struct bus_link_subscriber subscriber = {.loop = fixture.loop, .limit = 20000, .on_message = on_heard};
    struct asking asking;
    char text[24], wanted[24];
    uint32_t chance = 1;
    memset(fixture.n_seen, 0, sizeof fixture.n_seen);
    assert_ok(bus_link_subscribe(fixture.hostile_link, STR("cb.>"), &subscriber, &ear));
    while (n_heard == 0)
        settle();
    size_t n_right = 0;
    for (size_t i = 0; i < N; i++) {
        snprintf(text, sizeof text, "%zu", i);
        snprintf(wanted, sizeof wanted, "%zu!", i);
        begin(&asking, fixture.hub, POLICE, text, 20000);
        asking.ask.may_repeat = true;
        for (int k = 0; k < 6; k++)
            say(chance = chance * 1664525u + 1013904223u);
        assert_true(nats_testing_until(fixture.loop, is_done, &asking));
        if (asking.err == ERR_OK) { /* if there is an answer, it is this question's */
            assert_string_equal(asking.text, wanted);
            n_right++;
        }
    }
    for (int i = 0; i < 50; i++)
        assert_ok(loop_run_once(fixture.loop, 2));
    struct bus_peer_counts police = bus_peer_counts(fixture.police), hub = bus_peer_counts(fixture.hub);
    printf("hostile bus: %zu messages said; police: %llu malformed, %llu unknown, %llu replayed, %llu forged; hub: %llu malformed, %llu "
           "forged, "
           "%llu replayed, %llu misbound; %zu of %d answered\n",
        n_said, (unsigned long long)police.n_malformed, (unsigned long long)police.n_unknown, (unsigned long long)police.n_replayed,
        (unsigned long long)police.n_forged, (unsigned long long)hub.n_malformed, (unsigned long long)hub.n_forged,
        (unsigned long long)hub.n_replayed, (unsigned long long)hub.n_misbound, n_right, N);
    assert_true(police.n_malformed > 0 && police.n_replayed > 0 && police.n_forged > 0 && hub.n_malformed + hub.n_forged > 0);
    assert_true(n_said > 3000 && n_right > N / 2);
    for (size_t i = 0; i < N; i++)
        assert_true(fixture.n_seen[i] <= 1);
    bus_link_unsubscribe(ear);
    for (size_t i = 0; i < n_heard; i++)
        free((char *)(uintptr_t)heard[i].bytes.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_and_parts),
        cmocka_unit_test(a_door_that_one_process_has),
        cmocka_unit_test(a_process_of_another_protocol),
        cmocka_unit_test(a_flood_in_one_partys_name),
        cmocka_unit_test(strangers_and_impostors),
        cmocka_unit_test(the_other_side_is_started_anew),
        cmocka_unit_test(silence_and_the_servers_end),
        cmocka_unit_test(the_other_side_lost_the_session),
        cmocka_unit_test(a_forged_unknown_does_nothing),
        cmocka_unit_test(somebody_on_the_bus),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
