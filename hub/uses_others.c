/*
 * Uses at other processes of this hub: which logs there are, how one of them is asked, and what this process answers when it is asked.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/feed.h"
#include "hub/uses_inside.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define ASKED_OF_US_MAX 256  /* questions of other processes under way; more are ERR_FULL */
#define ARENA_MAX (1u << 20) /* of one page: 200 uses */
#define ANSWER_MAX ((HUB_USES_JSON_MAX > HUB_USES_ANSWER_MAX ? HUB_USES_JSON_MAX : HUB_USES_ANSWER_MAX) + 64)

_Static_assert(HUB_USES_LOG_MAX == USES_INDEX_LOG_MAX, "one length of a log's name");
_Static_assert(HUB_NAME_MAX <= HUB_USES_TEXT_MAX, "no name that there may be is cut or refused");
_Static_assert(HUB_USES_LOG_MAX + 22 <= HUB_RECEIPT_MAX, "a receipt is a log's name, a slash, and a number");

/* ---- which logs there are ---- */

enum err uses_read_logs(struct hub_uses *uses)
{
    struct uses_log logs[HUB_USES_LOGS_MAX - 1];
    size_t n = 0;
    enum err err = uses_index_read_logs(uses->index, logs, HUB_USES_LOGS_MAX - 1, &n);
    int64_t from = clock_wall(uses->hub->clock).ms - uses->hub->epochs_kept_ms;
    for (size_t i = 0; i < n && !err; i++)
        if (logs[i].heard_ms >= from)
            uses->logs[uses->n_logs++] = logs[i];
    return err;
}

void uses_keep_logs(struct hub_uses *uses)
{
    struct uses_log logs[HUB_USES_LOGS_MAX - 1];
    pthread_mutex_lock(&uses->logs_lock);
    size_t n = uses->n_logs;
    bool are_new = uses->are_logs_new;
    memcpy(logs, uses->logs, n * sizeof *logs);
    uses->are_logs_new = false;
    pthread_mutex_unlock(&uses->logs_lock);
    enum err err = are_new ? uses_index_write_logs(uses->index, logs, n) : ERR_OK;
    if (err)
        log_write(LOG_ERROR, "hub", "the list of the hub's logs could not be stored; a process that is away now may be forgotten",
            LOG_ERR(err), LOG_END);
}

/* Its own place, a free one, or that of the one longest unheard. Under the lock. */
static struct uses_log *place_of(struct hub_uses *uses, struct str log)
{
    struct uses_log *oldest = &uses->logs[0];
    for (size_t i = 0; i < uses->n_logs; i++) {
        struct uses_log *one = &uses->logs[i];
        if (str_equal_c(log, one->name))
            return one;
        oldest = one->heard_ms < oldest->heard_ms ? one : oldest;
    }
    return uses->n_logs < HUB_USES_LOGS_MAX - 1 ? &uses->logs[uses->n_logs++] : oldest;
}

static struct hub_uses *lock_uses(struct hub *hub)
{
    pthread_mutex_lock(&hub->waiting_lock);
    return hub->noting.uses;
}

static void unlock_uses(struct hub *hub)
{
    pthread_mutex_unlock(&hub->waiting_lock);
}

bool hub_uses_met(struct hub *hub, struct str log)
{
    struct hub_uses *uses = lock_uses(hub);
    bool is_one = log.len < HUB_USES_LOG_MAX && !str_is_empty(hub_uses_log_name(hub_log(hub), log));
    if (uses && is_one) {
        pthread_mutex_lock(&uses->logs_lock);
        struct uses_log *one = place_of(uses, log);
        snprintf(one->name, sizeof one->name, STR_FORMAT, STR_ARG(log));
        one->heard_ms = clock_wall(hub->clock).ms;
        uses->are_logs_new = true;
        pthread_mutex_unlock(&uses->logs_lock);
    }
    unlock_uses(hub);
    return is_one;
}

size_t hub_uses_logs(struct hub *hub, char logs[][HUB_USES_LOG_MAX])
{
    size_t n = 0;
    struct hub_uses *uses = lock_uses(hub);
    if (uses) {
        pthread_mutex_lock(&uses->logs_lock);
        int64_t from = clock_wall(hub->clock).ms - hub->epochs_kept_ms;
        for (size_t i = 0; i < uses->n_logs; i++)
            if (uses->logs[i].heard_ms >= from) /* of an older one nothing can be linked to anybody any more */
                memcpy(logs[n++], uses->logs[i].name, HUB_USES_LOG_MAX);
        pthread_mutex_unlock(&uses->logs_lock);
    }
    unlock_uses(hub);
    return n;
}

bool hub_uses_knows(struct hub *hub, struct str log)
{
    char logs[HUB_USES_LOGS_MAX][HUB_USES_LOG_MAX];
    size_t n = hub_uses_logs(hub, logs);
    for (size_t i = 0; i < n; i++)
        if (str_equal_c(log, logs[i]))
            return true;
    return false;
}

/* ---- asking ---- */

bool hub_others_take(struct hub *hub, size_t n)
{
    if (atomic_fetch_add(&hub->others.n_questions, n) + n <= HUB_USES_QUESTIONS_MAX)
        return true;
    atomic_fetch_sub(&hub->others.n_questions, n);
    metric_add(&hub->others.n_questions_refused, 1);
    return false;
}

void hub_others_give_back(struct hub *hub, size_t n)
{
    atomic_fetch_sub(&hub->others.n_questions, n);
}

void hub_others_set(struct hub *hub, void (*ask)(void *context, struct hub_others_ask *ask), void *context)
{
    hub->others.context = context;
    hub->others.ask = ask;
}

struct refusing {
    struct loop_task task;
    struct hub_others_ask *ask;
};

static void on_refused(struct loop_task *task)
{
    struct refusing *refusing = container_of(task, struct refusing, task);
    struct hub_others_ask *ask = refusing->ask;
    mem_free(refusing);
    ask->done(ask);
}

void hub_others_ask(struct hub *hub, struct hub_others_ask *ask)
{
    ask->answer = STR_NONE;
    if (hub->others.ask) {
        hub->others.ask(hub->others.context, ask);
        return;
    }
    struct refusing *refusing = mem_alloc(sizeof *refusing);
    ask->err = refusing ? ERR_UNAVAILABLE : ERR_NO_MEMORY;
    if (!refusing) {
        ask->done(ask);
        return;
    }
    *refusing = (struct refusing){.task.fn = on_refused, .ask = ask};
    loop_post(ask->loop, &refusing->task);
}

/* ---- answering ---- */

static void write_part(struct hub_uses *uses, const struct hub_uses_question *question, struct buf *out)
{
    struct hub_uses_part part = {.log = hub_log(uses->hub), .before = question->before};
    struct arena arena;
    int64_t n_days = 0;
    arena_init(&arena, ARENA_MAX);
    part.err = uses_collect(uses, question->subject, question->n_max, &arena, &part, &n_days);
    hub_uses_part_write(&part, out);
    arena_finish(&arena);
}

static void write_json(struct hub_uses *uses, const struct hub_uses_question *question, struct buf *out)
{
    struct buf json;
    buf_init(&json, HUB_USES_JSON_MAX);
    enum err err = question->what == HUB_USES_OPENING ? hub_opening_write(uses->hub, question->index, question->party, &json)
                                                      : hub_receipt_write(uses->hub, question->index, &json);
    hub_uses_json_write(question->what, err, buf_str(&json), out);
    buf_finish(&json);
}

static void answer_on_thread(struct loop_task *task)
{
    struct hub_uses_asked *asked = container_of(task, struct hub_uses_asked, task);
    struct hub_uses *uses = asked->uses;
    struct hub_uses_question question;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    if (hub_uses_question_read(asked->bytes, &question) == ERR_OK) {
        if (question.what == HUB_USES_LIST)
            write_part(uses, &question, &out);
        else
            write_json(uses, &question, &out);
    }
    atomic_fetch_sub(&uses->n_asked, 1);
    asked->done(asked, out.err ? STR_NONE : buf_str(&out));
    buf_finish(&out);
}

void hub_uses_answer(struct hub *hub, struct hub_uses_asked *asked)
{
    struct hub_uses *uses = lock_uses(hub);
    bool is_taken = uses && atomic_fetch_add(&uses->n_asked, 1) < ASKED_OF_US_MAX;
    if (uses && !is_taken)
        atomic_fetch_sub(&uses->n_asked, 1);
    if (is_taken) { /* under the lock: it is not closed before the thread has it */
        asked->uses = uses;
        asked->task.fn = answer_on_thread;
        loop_post(loop_thread_loop(uses->thread), &asked->task);
    }
    unlock_uses(hub);
    if (!is_taken)
        asked->done(asked, STR_NONE);
}

/* ---- the use that a receipt names ---- */

static enum err copy_use(struct hub_use_ask *ask, const struct hub_use_info *use)
{
    const struct str from[] = {use->consumer, use->provider, use->resource, use->contract, use->purpose, use->use};
    struct str *const to[] = {
        &ask->info.consumer, &ask->info.provider, &ask->info.resource, &ask->info.contract, &ask->info.purpose, &ask->info.use};
    enum err err = ERR_OK;
    ask->info = (struct hub_use_info){.index = use->index, .time_ms = use->time_ms};
    for (size_t i = 0; i < sizeof from / sizeof *from && !err; i++)
        err = arena_copy_str(ask->arena, from[i], to[i]);
    return err;
}

/* The newest before the next leaf: this one, or it is not about the person. */
static void on_found(struct hub_others_ask *other)
{
    struct hub_use_ask *ask = container_of(other, struct hub_use_ask, other);
    struct hub_uses_part part = {.before = (int64_t)ask->index + 1};
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    ask->err = other->err ? other->err : hub_uses_part_read(&arena, other->answer, 1, &part);
    if (!ask->err)
        ask->err = part.err                                          ? part.err
                   : part.n == 1 && part.uses[0].index == ask->index ? copy_use(ask, &part.uses[0])
                   : part.is_complete                                ? ERR_NOT_FOUND
                                                                     : ERR_UNAVAILABLE; /* its index is behind */
    arena_finish(&arena);
    hub_others_give_back(ask->hub, 1);
    hub_work_end(ask->hub);
    ask->done(ask);
}

static void find_elsewhere(struct hub_use_ask *ask, struct str log)
{
    const struct hub_uses_question question = {
        .what = HUB_USES_LIST, .subject = ask->subject, .before = (int64_t)ask->index + 1, .n_max = 1};
    struct buf bytes;
    buf_init(&bytes, HUB_USES_SUBJECT_MAX + 64);
    hub_uses_question_write(&question, &bytes);
    ask->other = (struct hub_others_ask){.log = log, .bytes = buf_str(&bytes), .loop = ask->loop, .done = on_found};
    hub_work_begin(ask->hub);
    hub_others_ask(ask->hub, &ask->other);
    buf_finish(&bytes);
}

void hub_use_find(struct hub *hub, struct hub_use_ask *ask)
{
    struct str log, number;
    ask->hub = hub;
    ask->err = ERR_NOT_FOUND;
    bool is_receipt = str_cut_last(ask->receipt, '/', &log, &number) && str_to_u64(number, &ask->index) == ERR_OK &&
                      ask->index < INT64_MAX - 1 && !str_is_empty(ask->subject);
    if (is_receipt && !str_equal(log, hub_log(hub)) && hub_uses_knows(hub, log)) {
        if (hub_others_take(hub, 1)) {
            find_elsewhere(ask, log);
            return;
        }
        ask->err = ERR_FULL;
    }
    if (is_receipt && str_equal(log, hub_log(hub)))
        ask->err = hub_use_of_subject(hub, ask->index, ask->subject, ask->arena, &ask->info);
    ask->done(ask);
}
