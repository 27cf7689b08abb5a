/* Their side of system/bus/watch.h: the lines of the department's journal of what was served, each held against our leaf or our asking. */
#include "base/bytes.h"
#include "base/json.h"
#include "base/log.h"
#include "hub/leaves.h"
#include "hub/provide.h"
#include "system/bus/codec.h"
#include "system/bus/served.h"
#include "system/bus/watch_inside.h"

#define LINE_MAX 4096
#define EXCUSED_MS 5000 /* answers that came so soon after lines began to be looked at may have theirs before them */

/* ---- whose receipts ---- */

/* "hangzhou.log" of "hangzhou.log.r1". */
static struct str city_log(struct str log)
{
    struct str city, process;
    bool is_one = str_cut_last(log, '.', &city, &process) && process.len > 1 && process.ptr[0] == 'r';
    for (size_t i = 1; is_one && i < process.len; i++)
        is_one = process.ptr[i] >= '0' && process.ptr[i] <= '9';
    return is_one ? city : log;
}

/* Another process of the hub has a log of its own, and looks after its own receipts. */
static bool is_of_another_process(struct str log, struct str ours)
{
    return str_equal(city_log(log), city_log(ours));
}

/* ---- streams ---- */

static struct watch_stream *stream_of(const struct bus_watch *watch, struct str resource)
{
    struct watch_stream *stream = watch->streams;
    while (stream && !str_equal(stream->resource->name, resource))
        stream = stream->next;
    return stream;
}

/* Of what stands in the journal now nobody here knows whether it was asked: only what comes is looked at. */
static void begin_streams(struct bus_watch *watch)
{
    watch->begun_ms = -1;
    for (struct watch_stream *stream = watch->streams; stream; stream = stream->next)
        bus_takes_begin(&stream->takes);
}

void bus_watch_took(struct bus_watch *watch, const struct hub_resource *resource, uint64_t epoch, uint64_t first, size_t n)
{
    char records[SYSTEM_BUS_RECORDS_NAME];
    struct watch_stream *stream = watch ? stream_of(watch, resource->name) : NULL;
    system_bus_records_name(epoch, first, n, records);
    if (stream && n > 0) /* an answer without any leaves no line */
        bus_takes_answer(&stream->takes, watch_number_of(str_from_c(records)), watch->begun_ms < EXCUSED_MS);
}

void bus_watch_took_nothing(struct bus_watch *watch, const struct hub_resource *resource)
{
    struct watch_stream *stream = watch ? stream_of(watch, resource->name) : NULL;
    if (stream)
        bus_takes_lost(&stream->takes);
}

static void take_stream_line(struct bus_watch *watch, struct str resource, const json_t *line)
{
    struct str records;
    struct watch_stream *stream = watch->begun_ms >= 0 ? stream_of(watch, resource) : NULL;
    if (stream && json_get_str(line, "records", &records) == ERR_OK)
        bus_takes_line(&stream->takes, watch_number_of(records));
}

void watch_tick_streams(struct bus_watch *watch, int64_t ms, bool is_current)
{
    watch->begun_ms += watch->begun_ms >= 0 ? ms : 0;
    for (struct watch_stream *stream = watch->streams; stream; stream = stream->next)
        bus_takes_tick(&stream->takes, ms, is_current);
}

/* ---- lines ---- */

static void take_line(struct bus_watch *watch, uint64_t number, struct str line)
{
    json_t *object = NULL;
    struct str resource = STR_NONE, contract = STR_NONE, receipt = STR_NONE, log, rest;
    uint64_t index;
    if (line.len > LINE_MAX || json_read(line, NULL, &object) != ERR_OK || json_get_str(object, "resource", &resource) != ERR_OK ||
        json_get_str(object, "receipt", &receipt) != ERR_OK) {
        bus_twin_foreign(&watch->twin, number);                            /* no line of ours */
    } else if (watch_is_ours(watch, resource) && !str_is_empty(receipt)) { /* without a receipt they give counts alone (serve.c) */
        if (json_get_str(object, "contract", &contract) != ERR_OK)
            contract = STR_NONE;
        if (!str_cut_last(receipt, '/', &log, &rest) || str_to_u64(rest, &index) != ERR_OK)
            bus_twin_foreign(&watch->twin, number);
        else if (str_equal(log, hub_log(watch->hub))) {
            if (bus_twin_line(&watch->twin, index, (struct bus_twin_what){watch_number_of(resource), watch_number_of(contract), false}))
                watch_look(watch, index, resource, contract);
        } else if (!is_of_another_process(log, hub_log(watch->hub)))
            bus_twin_foreign(&watch->twin, number);
    } else
        take_stream_line(watch, resource, object);
    json_decref(object);
}

void watch_take_answer(struct bus_watch *watch, struct str bytes)
{
    struct bytes_reader reader;
    struct system_bus_served_answer answer;
    if (system_bus_served_read(bytes, &reader, &answer) != ERR_OK)
        return;
    if (answer.id && watch->id && answer.id != watch->id) { /* another process of theirs, or a journal that was begun anew */
        watch->shared_ms = 0;
        watch->twin.line_next = 0;
    }
    if (answer.id != watch->id) {
        bool is_gone = watch->id && !answer.id; /* all of it */
        if (is_gone)
            bus_twin_cut(&watch->twin, 0);
        watch->id = answer.id;
        begin_streams(watch);
    }
    if (answer.from != watch->twin.line_next && answer.end >= watch->twin.line_next)
        return; /* of another place: asked anew */
    if (answer.end < watch->twin.line_next) {
        bus_twin_cut(&watch->twin, answer.end);
        begin_streams(watch);
        return;
    }
    for (uint16_t i = 0; i < answer.n && answer.from == watch->twin.line_next; i++, answer.from++) {
        struct str line = system_bus_served_line(&reader);
        if (reader.err)
            return;
        take_line(watch, answer.from, line);
        watch->twin.line_next++;
    }
    watch->is_current = watch->twin.line_next >= answer.end;
    if (watch->is_current && watch->begun_ms < 0)
        watch->begun_ms = 0;
    if (!watch->is_current && loop_timer_start(watch->loop, &watch->round, BEHIND_MS)) /* there is more */
        log_write(LOG_ERROR, "bus", "no memory for a timer: twins are not looked for any more", LOG_END);
}
