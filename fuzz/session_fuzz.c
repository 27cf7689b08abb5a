/*
 * A session's messages over hostile bytes, by their first letter: h hello, w welcome, q question, a answer. The keys are fixed, so the
 * seeds are true messages; nothing that differs from them in one bit is ever accepted.
 */
#include "bus/session.h"

#include <assert.h>
#include <string.h>

#define NOW ((struct wall_time){1700000000000})

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct sign_key *hub, *police;
    struct sign_public hub_public, police_public;
    struct buf hello, welcome, question, answer;
    struct bus_opening opening;
    struct bus_session asker, answerer;
    struct bus_mark question_mark;
};

static bool make(struct world *world)
{
    static const uint8_t secrets[2][32] = {"one secret of thirty-two bytes.", "two secret of thirty-two bytes."};
    const struct bus_frame frame = {.is_last = true, .bytes = STR("a question")},
                           other = {.part = 1, .is_last = true, .bytes = STR("an answer")};
    char instance[BUS_INSTANCE_MAX + 1];
    struct bus_mark mark;
    struct bus_opening opening;
    buf_init(&world->hello, 1024);
    buf_init(&world->welcome, 1024);
    buf_init(&world->question, 1024);
    buf_init(&world->answer, 1024);
    if (sign_key_read(STR("citybrain-key:ed25519:4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"), &world->hub) ||
        sign_key_read(STR("citybrain-key:ed25519:9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"), &world->police))
        return false;
    sign_key_public(world->hub, &world->hub_public);
    sign_key_public(world->police, &world->police_public);
    if (bus_session_hello(STR("hangzhou/hub"), world->hub, STR("hangzhou/police"), NOW, secrets[0], &world->hello, &world->opening) ||
        bus_session_accept(STR("hangzhou/police"), world->police, &world->hub_public, buf_str(&world->hello), NOW, secrets[1], STR("one"),
            &world->welcome, &world->answerer))
        return false;
    opening = world->opening;
    if (bus_session_complete(&opening, &world->police_public, buf_str(&world->welcome), NOW, &world->asker, instance) ||
        bus_session_seal(&world->asker, NOW, NULL, &frame, &world->question, &world->question_mark))
        return false;
    return !bus_session_seal(&world->answerer, NOW, &world->question_mark, &other, &world->answer, &mark);
}

static void finish(struct world *world)
{
    sign_key_destroy(world->hub);
    sign_key_destroy(world->police);
    buf_finish(&world->hello);
    buf_finish(&world->welcome);
    buf_finish(&world->question);
    buf_finish(&world->answer);
}

static void one(struct world *world, char kind, struct str input)
{
    static const uint8_t secret[32] = "a secret";
    uint8_t room[4096];
    struct buf out;
    struct bus_session session = world->answerer;
    struct bus_frame frame;
    struct bus_mark mark;
    struct str party;
    char instance[BUS_INSTANCE_MAX + 1];
    if (input.len > sizeof room)
        return;
    buf_init(&out, 4096);
    if (kind == 'h') {
        if (!bus_session_hello_from(input, &party))
            assert(party.len <= input.len);
        enum err err =
            bus_session_accept(STR("hangzhou/police"), world->police, &world->hub_public, input, NOW, secret, STR("two"), &out, &session);
        assert(err || str_equal(input, buf_str(&world->hello)));
    } else if (kind == 'w') {
        struct bus_opening opening = world->opening;
        assert(bus_session_complete(&opening, &world->police_public, input, NOW, &session, instance) ||
               str_equal(input, buf_str(&world->welcome)));
    } else if (kind == 'q')
        assert(bus_session_open(&session, NOW, NULL, input, room, &frame, &mark) || str_equal(input, buf_str(&world->question)));
    else if (kind == 'a') {
        session = world->asker;
        assert(bus_session_open(&session, NOW, &world->question_mark, input, room, &frame, &mark) ||
               str_equal(input, buf_str(&world->answer)));
    }
    buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {0};
    if (size > 0 && make(&world))
        one(&world, (char)data[0], (struct str){(const char *)data + 1, size - 1});
    finish(&world);
    return 0;
}
