/* See system/bus/watch.h. One round a second: our leaves → their lines → the step (twin.c) → alerts. */
#include "system/bus/watch.h"

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/alert.h"
#include "hub/leaves.h"
#include "hub/provide.h"
#include "hub/registry.h"
#include "system/bus/codec.h"
#include "system/bus/served.h"
#include "system/bus/takes.h"
#include "system/bus/twin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROUND_MS 1000
#define BEHIND_MS 50    /* while there is more of either side */
#define LEAVES_MAX 5000 /* of one round: some milliseconds of the hub's loop */
#define ASK_TIMEOUT_MS 3000
#define STORE_MS 5000
#define RESOURCES_MAX 256 /* of one system */
#define ALONE_MS 3600000  /* since another of its processes answered: then again what is not in this one's journal is in none */
#define LINE_MAX 4096
#define EXCUSED_MS 5000 /* answers that came so soon after lines began to be looked at may have theirs before them */

/* Beside twin.h's: of streams. */
enum { STREAM_MISSING = BUS_TWIN_N_WRONG, STREAM_UNASKED, N_WRONG };

struct watch_stream {
    struct watch_stream *next;
    const struct hub_resource *resource;
    struct bus_takes takes;
};

struct bus_watch {
    struct hub *hub;
    struct bus_peer *const *peer;
    struct clock *clock;
    struct loop *loop;
    struct arena arena;
    struct str party, name, area;
    const struct hub_resource *resources[RESOURCES_MAX];
    size_t n_resources;
    struct watch_stream *streams;
    int64_t begun_ms; /* since their lines are looked at; -1: what stands in the journal is still from before */
    struct bus_twin twin;
    uint64_t id;       /* of the journal that twin.line_next is of; 0: none was seen */
    int64_t shared_ms; /* since another one answered */
    struct loop_timer round;
    struct bus_ask ask;
    bool is_asking, is_closed, is_current, is_behind;
    struct mono_time last;
    uint64_t n_told[N_WRONG];
    char path[FILE_PATH_MAX];
    uint64_t stored_line;
    int64_t unstored_ms;
};

static void release(struct bus_watch *watch)
{
    bus_twin_finish(&watch->twin);
    for (struct watch_stream *stream = watch->streams, *next; stream; stream = next) {
        next = stream->next;
        mem_free(stream);
    }
    arena_finish(&watch->arena);
    mem_free(watch);
}

/* ---- what a use is of ---- */

static uint64_t number_of(struct str text)
{
    struct bytes_reader reader;
    struct sha256 hash = crypto_sha256(text);
    bytes_reader_init(&reader, hash.bytes, sizeof hash.bytes);
    return str_is_empty(text) ? 0 : bytes_read_u64be(&reader) | 1;
}

static bool is_ours(const struct bus_watch *watch, struct str resource)
{
    for (size_t i = 0; i < watch->n_resources; i++)
        if (str_equal(watch->resources[i]->name, resource))
            return true;
    return false;
}

/* ---- our leaves ---- */

struct leaf {
    struct str type, use, resource, contract, status;
    int64_t intent, n_rows;
};

/* Borrows from the object. */
static void read_leaf(const json_t *object, struct leaf *leaf)
{
    struct str *const texts[] = {&leaf->type, &leaf->use, &leaf->resource, &leaf->contract, &leaf->status};
    static const char *const names[] = {"type", "use", "resource", "contract", "status"};
    *leaf = (struct leaf){.intent = -1};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_get_str(object, names[i], texts[i]) != ERR_OK)
            *texts[i] = STR_NONE;
    if (json_get_i64(object, "intent", &leaf->intent) != ERR_OK)
        leaf->intent = -1;
    if (json_get_i64(object, "rows", &leaf->n_rows) != ERR_OK)
        leaf->n_rows = 0;
}

static bool has(struct str text, const char *part)
{
    return text.len && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

struct following {
    struct bus_watch *watch;
    enum err err;
};

static bool follow_leaf(void *context, uint64_t index, struct str bytes)
{
    struct following *following = context;
    struct bus_watch *watch = following->watch;
    bool is_outcome = watch->twin.n_uses && has(bytes, "\"type\":\"outcome\""); /* our own canonical JSON: its form is known */
    json_t *object = NULL;
    struct leaf leaf;
    if (!is_outcome && !memmem(bytes.ptr, bytes.len, watch->party.ptr, watch->party.len))
        return true;
    if (json_read(bytes, NULL, &object) != ERR_OK)
        return true;
    read_leaf(object, &leaf);
    if (str_equal_c(leaf.type, "outcome") && leaf.intent >= 0)
        bus_twin_outcome(&watch->twin, (uint64_t)leaf.intent, str_equal_c(leaf.status, "ok"), (uint64_t)leaf.n_rows);
    else if (str_equal_c(leaf.type, "intent") && is_ours(watch, leaf.resource))
        following->err = bus_twin_intent(&watch->twin, index,
            (struct bus_twin_what){number_of(leaf.resource), number_of(leaf.contract), str_equal_c(leaf.use, "query")});
    json_decref(object);
    return following->err == ERR_OK;
}

static void follow(struct bus_watch *watch)
{
    struct following following = {.watch = watch};
    uint64_t from = watch->twin.leaf_next, end = hub_n_leaves(watch->hub), to = end - from > LEAVES_MAX ? from + LEAVES_MAX : end;
    if (from >= end || bus_twin_is_full(&watch->twin))
        return;
    enum err err = hub_leaves(watch->hub, from, to, follow_leaf, &following);
    if (err || following.err) {
        log_write(
            LOG_WARNING, "bus", "the ledger could not be followed for twins; tried again", LOG_ERR(err ? err : following.err), LOG_END);
        return;
    }
    bus_twin_followed(&watch->twin, to);
    watch->is_behind = watch->is_behind || to < end;
}

/* ---- their lines ---- */

struct looking {
    struct bus_watch *watch;
    struct str resource, contract;
    enum bus_twin_leaf found;
};

static bool look_leaf(void *context, uint64_t index, struct str bytes)
{
    struct looking *looking = context;
    json_t *object = NULL;
    struct leaf leaf;
    if (json_read(bytes, NULL, &object) != ERR_OK)
        return false;
    read_leaf(object, &leaf);
    if (str_equal_c(leaf.type, "intent") && is_ours(looking->watch, leaf.resource)) {
        bool is_same =
            str_equal(leaf.resource, looking->resource) && (str_is_empty(looking->contract) || str_equal(leaf.contract, looking->contract));
        looking->found = is_same ? BUS_TWIN_FITS : BUS_TWIN_OTHER;
    }
    json_decref(object);
    return false;
}

static void look(struct bus_watch *watch, uint64_t index, struct str resource, struct str contract)
{
    struct looking looking = {.watch = watch, .resource = resource, .contract = contract, .found = BUS_TWIN_NONE};
    enum err err = index < hub_n_leaves(watch->hub) ? hub_leaves(watch->hub, index, index + 1, look_leaf, &looking) : ERR_OK;
    if (!err)
        bus_twin_looked(&watch->twin, index, looking.found);
}

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
        bus_takes_answer(&stream->takes, number_of(str_from_c(records)), watch->begun_ms < EXCUSED_MS);
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
        bus_takes_line(&stream->takes, number_of(records));
}

static void tick_streams(struct bus_watch *watch, int64_t ms, bool is_current)
{
    watch->begun_ms += watch->begun_ms >= 0 ? ms : 0;
    for (struct watch_stream *stream = watch->streams; stream; stream = stream->next)
        bus_takes_tick(&stream->takes, ms, is_current);
}

static void take_line(struct bus_watch *watch, uint64_t number, struct str line)
{
    json_t *object = NULL;
    struct str resource = STR_NONE, contract = STR_NONE, receipt = STR_NONE, log, rest;
    uint64_t index;
    if (line.len > LINE_MAX || json_read(line, NULL, &object) != ERR_OK || json_get_str(object, "resource", &resource) != ERR_OK ||
        json_get_str(object, "receipt", &receipt) != ERR_OK) {
        bus_twin_foreign(&watch->twin, number);                      /* no line of ours */
    } else if (is_ours(watch, resource) && !str_is_empty(receipt)) { /* without a receipt they give counts alone (serve.c) */
        if (json_get_str(object, "contract", &contract) != ERR_OK)
            contract = STR_NONE;
        if (!str_cut_last(receipt, '/', &log, &rest) || str_to_u64(rest, &index) != ERR_OK)
            bus_twin_foreign(&watch->twin, number);
        else if (str_equal(log, hub_log(watch->hub))) {
            if (bus_twin_line(&watch->twin, index, (struct bus_twin_what){number_of(resource), number_of(contract), false}))
                look(watch, index, resource, contract);
        } else if (!is_of_another_process(log, hub_log(watch->hub)))
            bus_twin_foreign(&watch->twin, number);
    } else
        take_stream_line(watch, resource, object);
    json_decref(object);
}

static void take_answer(struct bus_watch *watch, struct str bytes)
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

static void on_answer(struct bus_ask *ask)
{
    struct bus_watch *watch = container_of(ask, struct bus_watch, ask);
    watch->is_asking = false;
    if (watch->is_closed) {
        release(watch);
        return;
    }
    if (ask->err == ERR_OK)
        take_answer(watch, ask->answer);
}

static void ask_them(struct bus_watch *watch)
{
    struct buf question;
    if (watch->is_asking || !*watch->peer)
        return;
    buf_init(&question, 64);
    system_bus_served_write(watch->twin.line_next, &question);
    if (!question.err) {
        watch->is_asking = true;
        watch->ask = (struct bus_ask){.party = watch->party,
            .bytes = buf_str(&question),
            .timeout_ms = ASK_TIMEOUT_MS,
            .may_repeat = true,
            .loop = watch->loop,
            .done = on_answer};
        bus_peer_ask(*watch->peer, &watch->ask);
    }
    buf_finish(&question);
}

/* ---- telling ---- */

static const struct {
    const char *kind, *zh, *en, *detail;
} kinds[] = {
    [BUS_TWIN_MISSING] = {"twin.missing", "部门进程没有留下对应记录：",
        "No line of our receipts in the journal of what was served: ", "uses are not in its journal since the start, the last"},
    [BUS_TWIN_UNASKED] = {"twin.unasked", "部门进程服务了本中枢未发出的使用：",
        "Served what the hub did not ask: ", "lines of its journal name no use of ours since the start, the last"},
    [BUS_TWIN_DIFFERS] = {"twin.differs", "部门进程的记录与凭证不一致：", "Served another thing than its receipt says: ",
        "lines of its journal are about another resource or contract since the start, the last"},
    [BUS_TWIN_CUT] = {"twin.missing", "部门进程的服务记录变短：",
        "The journal of what was served has become shorter: ", "times since the start, the last to line"},
    [STREAM_MISSING] = {"twin.missing", "部门进程没有留下所给数据流的记录：",
        "No line of a stream's rows in the journal of what was served: ",
        "answers with rows are not in its journal since the start; streams:"},
    [STREAM_UNASKED] = {"twin.unasked", "部门进程给出了本中枢未取的数据流：",
        "Gave rows of a stream that the hub did not take: ", "lines of its journal are of no answer of ours since the start; streams:"},
};

/* How many of a kind since the start, and its last. */
static uint64_t count_wrong(const struct bus_watch *watch, int what, uint64_t *ret_last)
{
    uint64_t n = 0, n_streams = 0;
    if (what < BUS_TWIN_N_WRONG) {
        *ret_last = watch->twin.last[what];
        return watch->twin.n_wrong[what];
    }
    for (const struct watch_stream *stream = watch->streams; stream; stream = stream->next) {
        uint64_t of_this = what == STREAM_MISSING ? stream->takes.n_missing : stream->takes.n_unasked;
        n += of_this;
        n_streams += of_this > 0;
    }
    *ret_last = n_streams;
    return n;
}

/* One alert about all of a kind since the last: it joins the department's case. */
static void tell(struct bus_watch *watch, int what)
{
    char zh[300], en[300], detail[400], key[200], receipt[HUB_RECEIPT_MAX];
    uint64_t last, n = count_wrong(watch, what, &last);
    if (n == watch->n_told[what])
        return;
    hub_receipt_name(watch->hub, last, receipt);
    snprintf(zh, sizeof zh, "%s" STR_FORMAT, kinds[what].zh, STR_ARG(watch->party));
    snprintf(en, sizeof en, "%s" STR_FORMAT, kinds[what].en, STR_ARG(watch->party));
    snprintf(detail, sizeof detail, "%" PRIu64 " %s %" PRIu64, n, kinds[what].detail, last);
    snprintf(key, sizeof key, STR_FORMAT "/" STR_FORMAT, STR_ARG(watch->party), STR_ARG(watch->name));
    const struct hub_alert alert = {.kind = str_from_c(kinds[what].kind),
        .area = watch->area,
        .party = watch->party,
        .key = str_from_c(key),
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .detail = str_from_c(detail),
        .receipt = what == BUS_TWIN_MISSING ? str_from_c(receipt) : STR_NONE};
    log_write(LOG_WARNING, "bus", kinds[what].kind, LOG_STR("party", watch->party), LOG_TEXT("detail", detail), LOG_END);
    if (hub_alert(watch->hub, &alert) == ERR_OK)
        watch->n_told[what] = n;
}

/* ---- the place in their journal, over a restart ---- */

static void store(struct bus_watch *watch)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 "\n", watch->id, watch->twin.line_next);
    if (watch->twin.line_next == watch->stored_line || !watch->id)
        return;
    enum err err = file_replace(file_ops_system(), watch->path, (struct str){text, (size_t)n});
    if (err)
        log_write(LOG_WARNING, "bus", "the place in a department's journal could not be stored", LOG_ERR(err), LOG_END);
    else
        watch->stored_line = watch->twin.line_next;
}

static void load(struct bus_watch *watch, uint64_t *ret_line)
{
    struct buf text;
    struct str id, line;
    buf_init(&text, 256);
    if (file_read(watch->path, &text) == ERR_OK && str_cut(buf_str(&text), ' ', &id, &line) && line.len > 1 &&
        str_to_u64(str_slice(line, 0, line.len - 1), ret_line) == ERR_OK && str_to_u64(id, &watch->id) != ERR_OK)
        *ret_line = 0; /* unreadable: from the beginning */
    buf_finish(&text);
}

/* ---- rounds ---- */

static void on_round(struct loop_timer *timer)
{
    struct bus_watch *watch = container_of(timer, struct bus_watch, round);
    struct mono_time now = clock_mono(watch->clock);
    int64_t ms = mono_ms_between(watch->last, now);
    watch->last = now;
    watch->shared_ms += watch->shared_ms < ALONE_MS ? ms : 0;
    bool was_current = watch->is_current;
    watch->is_behind = watch->is_current = false;
    follow(watch);
    ask_them(watch);
    bus_twin_tick(&watch->twin, ms, was_current, watch->shared_ms >= ALONE_MS);
    tick_streams(watch, ms, was_current && watch->shared_ms >= ALONE_MS);
    for (int what = 0; what < N_WRONG; what++)
        tell(watch, what);
    if ((watch->unstored_ms += ms) >= STORE_MS) {
        watch->unstored_ms = 0;
        store(watch);
    }
    if (loop_timer_start(timer->loop, timer, watch->is_behind ? BEHIND_MS : ROUND_MS))
        log_write(LOG_ERROR, "bus", "no memory for a timer: twins are not looked for any more", LOG_END);
}

static void on_start(struct loop_timer *timer)
{
    struct bus_watch *watch = container_of(timer, struct bus_watch, round);
    uint64_t line = 0;
    load(watch, &line);
    bus_twin_init(&watch->twin, hub_n_leaves(watch->hub), line); /* lines of before are looked at in the ledger */
    watch->stored_line = line;
    watch->last = clock_mono(watch->clock);
    timer->fn = on_round;
    on_round(timer);
}

enum err bus_watch_create(const struct hub_system_env *env, struct bus_peer *const *peer, struct bus_watch **ret_watch)
{
    struct bus_watch *watch = mem_alloc_zero(1, sizeof *watch);
    struct str rest;
    if (!watch)
        return ERR_NO_MEMORY;
    arena_init(&watch->arena, 1u << 16);
    watch->hub = env->hub;
    watch->peer = peer;
    watch->clock = env->clock;
    watch->loop = env->loop;
    watch->shared_ms = ALONE_MS;
    watch->begun_ms = -1;
    watch->round.fn = on_start;
    enum err err = arena_copy_str(&watch->arena, env->party, &watch->party);
    if (!err)
        err = arena_copy_str(&watch->arena, env->name, &watch->name);
    if (!err && snprintf(watch->path, sizeof watch->path, "%s/store/served-" STR_FORMAT, env->data_dir, STR_ARG(env->name)) >=
                    (int)sizeof watch->path)
        err = ERR_TOO_LARGE;
    if (!err && !str_cut(watch->party, '/', &watch->area, &rest))
        watch->area = watch->party;
    if (!err)
        err = loop_timer_start(env->loop, &watch->round, ROUND_MS);
    if (err)
        release(watch);
    else
        *ret_watch = watch;
    return err;
}

enum err bus_watch_resource(struct bus_watch *watch, const struct hub_resource *resource)
{
    if (resource->kind == HUB_STREAM)
        return ERR_OK;
    if (watch->n_resources == RESOURCES_MAX)
        return ERR_TOO_LARGE;
    watch->resources[watch->n_resources++] = resource;
    return ERR_OK;
}

enum err bus_watch_stream(struct bus_watch *watch, const struct hub_resource *resource)
{
    struct watch_stream *stream = mem_alloc_zero(1, sizeof *stream);
    if (!stream)
        return ERR_NO_MEMORY;
    stream->resource = resource;
    stream->next = watch->streams;
    watch->streams = stream;
    bus_takes_begin(&stream->takes);
    return ERR_OK;
}

void bus_watch_close(struct bus_watch *watch)
{
    if (!watch)
        return;
    loop_timer_stop(&watch->round);
    if (watch->round.fn == on_round)
        store(watch);
    watch->is_closed = true;
    if (!watch->is_asking)
        release(watch);
}
