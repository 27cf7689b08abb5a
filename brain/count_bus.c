/* Questions to the parts, over the bus; see count_bus.h. */
#include "brain/count_bus.h"

#include "base/log.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdio.h>

#define TIMEOUT_MS 5000 /* of one asking; a full question takes some tens of milliseconds */
#define AGAIN_MS 200

struct one_part {
    struct count_bus *bus;
    struct bus_ask ask;
    struct loop_timer again;
    char door[COUNT_BUS_DOOR];
    uint32_t number;
    struct str question; /* the owner's */
    struct mono_time since;
    bool is_asked; /* and not answered */
    enum err err;
};

struct count_bus {
    struct count_bus_options options;
    struct one_part *parts;
    uint32_t n_under_way;
    bool is_stopped, is_closed;
};

void count_bus_door(uint32_t part, uint32_t n, char out[COUNT_BUS_DOOR])
{
    snprintf(out, COUNT_BUS_DOOR, "P%uOF%u", part + 1, n);
}

static void send(struct one_part *part);

static void on_again(struct loop_timer *timer)
{
    send(container_of(timer, struct one_part, again));
}

static void on_done(struct bus_ask *ask)
{
    struct one_part *part = container_of(ask, struct one_part, ask);
    struct count_bus *bus = part->bus;
    const struct count_bus_options *options = &bus->options;
    part->err = ask->err;
    bus->n_under_way--;
    if (bus->is_stopped) {
        if (bus->is_closed && bus->n_under_way == 0)
            count_bus_destroy(bus);
        return;
    }
    if (ask->err == ERR_OK) {
        part->is_asked = false;
        options->on_answer(options->context, part->number, ask->answer);
        return;
    }
    if (loop_timer_start(options->loop, &part->again, AGAIN_MS) != ERR_OK)
        log_write(LOG_ERROR, "count", "no memory for a timer; a part is not asked again", LOG_INT("part", part->number + 1), LOG_END);
}

static void send(struct one_part *part)
{
    part->ask = (struct bus_ask){.party = part->bus->options.party,
        .bytes = part->question,
        .door = part->door,
        .timeout_ms = TIMEOUT_MS,
        .may_repeat = true,
        .loop = part->bus->options.loop,
        .done = on_done};
    part->bus->n_under_way++;
    bus_peer_ask(part->bus->options.peer, &part->ask);
}

void count_bus_ask(void *context, uint32_t number, struct str question)
{
    struct count_bus *bus = context;
    struct one_part *part = &bus->parts[number];
    part->question = question;
    part->since = clock_mono(bus->options.clock);
    part->is_asked = true;
    if (!bus->is_stopped)
        send(part);
}

int64_t count_bus_waited_ms(const struct count_bus *bus, uint32_t part)
{
    return bus->parts[part].is_asked ? mono_ms_between(bus->parts[part].since, clock_mono(bus->options.clock)) : 0;
}

enum err count_bus_err(const struct count_bus *bus, uint32_t part)
{
    return bus->parts[part].err;
}

enum err count_bus_create(const struct count_bus_options *options, struct count_bus **ret_bus)
{
    struct count_bus *bus = mem_alloc_zero(1, sizeof(*bus));
    struct one_part *parts = mem_alloc_zero(options->n, sizeof(*parts));
    if (bus == NULL || parts == NULL) {
        mem_free(bus);
        mem_free(parts);
        return ERR_NO_MEMORY;
    }
    *bus = (struct count_bus){.options = *options, .parts = parts};
    for (uint32_t i = 0; i < options->n; i++) {
        parts[i] = (struct one_part){.bus = bus, .number = i, .again = {.fn = on_again}};
        count_bus_door(i, options->n, parts[i].door);
    }
    *ret_bus = bus;
    return ERR_OK;
}

void count_bus_stop(struct count_bus *bus)
{
    bus->is_stopped = true;
    for (uint32_t i = 0; i < bus->options.n; i++)
        loop_timer_stop(&bus->parts[i].again);
}

void count_bus_destroy(struct count_bus *bus)
{
    if (bus == NULL)
        return;
    count_bus_stop(bus);
    mem_free(bus->parts);
    mem_free(bus);
}

void count_bus_close(struct count_bus *bus)
{
    if (bus == NULL)
        return;
    count_bus_stop(bus);
    bus->is_closed = true;
    if (bus->n_under_way == 0)
        count_bus_destroy(bus);
}

/* ---- for scenes ---- */

static enum err open_parts(void *context, const struct scene_parts_options *options, void **ret_parts)
{
    const struct count_bus_options of_bus = {.peer = context,
        .loop = options->loop,
        .clock = clock_system(),
        .party = options->party,
        .n = options->n,
        .on_answer = options->on_answer,
        .context = options->context};
    struct count_bus *bus = NULL;
    enum err err = count_bus_create(&of_bus, &bus);
    if (err == ERR_OK)
        *ret_parts = bus;
    return err;
}

static int64_t waited_ms(const void *parts, uint32_t part)
{
    return count_bus_waited_ms(parts, part);
}

static void close_parts(void *parts)
{
    count_bus_close(parts);
}

const struct scene_parts_ops count_bus_ops = {open_parts, count_bus_ask, waited_ms, close_parts};
