/*
 * One process of the hub asks another about its log (hub/uses.h): the desk's asks, a replica answers. Each log has a door of its own at the
 * hub's party, named after it, so that the question reaches the process that writes it.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/feed.h"
#include "system/bus/system_bus.h"

#include <stddef.h>
#include <stdio.h>

_Static_assert(HUB_USES_ANSWER_MAX + 64 <= BUS_PEER_BYTES && HUB_USES_JSON_MAX + 64 <= BUS_PEER_BYTES, "an answer is one message");

void system_bus_log_door(struct str log, char out[SYSTEM_BUS_LOG_DOOR])
{
    struct sha256 digest = crypto_sha256(log);
    char hex[2 * sizeof digest.bytes + 1];
    crypto_hex(digest.bytes, sizeof digest.bytes, hex);
    for (size_t i = 0; hex[i]; i++)
        hex[i] = (char)(hex[i] >= 'a' ? hex[i] - 'a' + 'A' : hex[i]);
    snprintf(out, SYSTEM_BUS_LOG_DOOR, "L%.14s", hex);
}

/* ---- asking ---- */

struct asking {
    struct bus_ask ask;
    struct hub_others_ask *other;
    char door[SYSTEM_BUS_LOG_DOOR];
};

static void on_answered(struct bus_ask *ask)
{
    struct asking *asking = container_of(ask, struct asking, ask);
    struct hub_others_ask *other = asking->other;
    other->err = ask->err;
    other->answer = ask->answer;
    if (!other->err && !other->answer.len) /* it has too much to do */
        other->err = ERR_UNAVAILABLE;
    other->done(other);
    mem_free(asking);
}

void system_bus_ask_other(void *context, struct hub_others_ask *other)
{
    const struct system_bus_others *others = context;
    struct asking *asking = mem_alloc_zero(1, sizeof *asking);
    if (!asking) {
        other->err = ERR_NO_MEMORY;
        other->done(other);
        return;
    }
    asking->other = other;
    system_bus_log_door(other->log, asking->door);
    asking->ask = (struct bus_ask){.party = str_from_c(others->party),
        .door = asking->door,
        .bytes = other->bytes,
        .timeout_ms = HUB_USES_WAIT_MS,
        .may_repeat = true,
        .loop = other->loop,
        .done = on_answered};
    bus_peer_ask(others->peer, &asking->ask);
}

/* ---- answering ---- */

struct answering {
    struct hub_uses_asked asked;
    struct bus_question *question; /* whose bytes are asked */
};

static void on_ready(struct hub_uses_asked *asked, struct str answer)
{
    struct answering *answering = container_of(asked, struct answering, asked);
    enum err err = bus_question_answer(answering->question, answer, true);
    if (err) {
        log_write(LOG_INFO, "bus", "an answer could not be sent; who asked will hear nothing", LOG_ERR(err), LOG_END);
        bus_question_drop(answering->question);
    }
    mem_free(answering);
}

void system_bus_other_question(struct hub *hub, struct bus_question *question)
{
    bool is_welcome = hub_feed_is_replica(hub, bus_question_party(question)); /* by its key: a process of this hub */
    struct answering *answering = is_welcome ? mem_alloc_zero(1, sizeof *answering) : NULL;
    if (!is_welcome)
        log_write(LOG_WARNING, "bus", "only the hub's own processes are told of a citizen's uses",
            LOG_STR("party", bus_question_party(question)), LOG_END);
    if (!answering) {
        bus_question_drop(question);
        return;
    }
    answering->question = question;
    answering->asked = (struct hub_uses_asked){.bytes = bus_question_bytes(question), .done = on_ready};
    hub_uses_answer(hub, &answering->asked);
}
