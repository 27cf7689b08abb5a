/*
 * One thread reads what the provider kept, batch by batch; the loop takes them; a count of what waits holds the thread back.
 *
 * The provider first keeps, then publishes, in one order. So what was kept before the replay ended and published after the
 * subscription began comes twice, and in the live rows it stands at the beginning: live rows are skipped while they are known, and
 * from the first unknown one on nothing is skipped any more.
 */
#include "hub/replay.h"

#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define KNOWN_MAX 65536 /* the newest replayed rows, by hash: more than is published while one batch is read */

struct item {
    struct rows *rows;
    struct item *next;
};

struct hub_replay {
    struct hub_replay_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t room;
    struct item *first, **last; /* read, on their way to the loop; under the lock */
    size_t n_items, n_waiting;
    bool is_done, is_posted, is_cancelled;
    enum err err;
    struct loop_task task;
    bool is_in_task, is_stopped;
    uint64_t *known; /* ring of hashes; the thread's until is_done */
    size_t n_known;
    bool has_ended_skipping;
};

static uint64_t hash_row(const struct value *values, size_t n)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++) {
        const struct value *v = &values[i];
        struct str s = v->type == VALUE_TEXT || v->type == VALUE_BYTES ? v->s
                       : v->type == VALUE_REAL                         ? (struct str){(const char *)&v->r, sizeof v->r}
                       : v->type == VALUE_NULL                         ? STR_NONE
                                                                       : (struct str){(const char *)&v->i, sizeof v->i};
        hash = (hash ^ (uint64_t)v->type) * UINT64_C(0x100000001b3);
        hash = (hash ^ str_hash(s)) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return hash;
}

static void free_items(struct hub_replay *replay)
{
    for (struct item *item = replay->first, *next; item; item = next) {
        next = item->next;
        rows_release(item->rows);
        mem_free(item);
    }
    replay->first = NULL;
    replay->n_items = 0;
}

static void destroy(struct hub_replay *replay)
{
    free_items(replay);
    pthread_mutex_destroy(&replay->lock);
    pthread_cond_destroy(&replay->room);
    mem_free(replay->known);
    mem_free(replay);
}

/* Under the lock. */
static void post(struct hub_replay *replay)
{
    if (replay->is_posted)
        return;
    replay->is_posted = true;
    loop_post(replay->options.loop, &replay->task);
}

static enum err emit(void *context, struct rows *rows)
{
    struct hub_replay *replay = context;
    struct rows *granted;
    enum err err = rows_project(rows, replay->options.field_map, replay->options.n_fields, &granted);
    struct item *item = err ? NULL : mem_alloc(sizeof *item);
    if (!item) {
        if (!err)
            rows_release(granted);
        return err ? err : ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < rows_n(granted); i++)
        replay->known[replay->n_known++ % KNOWN_MAX] = hash_row(rows_at(granted, i), replay->options.n_fields);
    *item = (struct item){.rows = granted};
    pthread_mutex_lock(&replay->lock);
    while (!replay->is_cancelled && replay->n_items + replay->n_waiting >= replay->options.limit)
        pthread_cond_wait(&replay->room, &replay->lock);
    bool is_cancelled = replay->is_cancelled;
    if (!is_cancelled) {
        if (!replay->first)
            replay->last = &replay->first;
        *replay->last = item;
        replay->last = &item->next;
        replay->n_items++;
        post(replay);
    }
    pthread_mutex_unlock(&replay->lock);
    if (is_cancelled) {
        rows_release(granted);
        mem_free(item);
        return ERR_CANCELLED;
    }
    return ERR_OK;
}

static void *run(void *context)
{
    struct hub_replay *replay = context;
    enum err err =
        replay->options.ops->streams->replay(replay->options.system, replay->options.resource, replay->options.from, emit, replay);
    pthread_mutex_lock(&replay->lock);
    replay->err = err;
    replay->is_done = true;
    post(replay);
    pthread_mutex_unlock(&replay->lock);
    return NULL;
}

static void on_task(struct loop_task *task)
{
    struct hub_replay *replay = container_of(task, struct hub_replay, task);
    if (replay->is_stopped) { /* stopped while this was posted */
        destroy(replay);
        return;
    }
    replay->is_in_task = true;
    bool is_end = false;
    while (!replay->is_stopped && !is_end) {
        pthread_mutex_lock(&replay->lock);
        struct item *item = replay->first;
        if (item) {
            replay->first = item->next;
            replay->n_items--;
            replay->n_waiting++;
        } else {
            replay->is_posted = false;
            is_end = true;
        }
        bool is_done = replay->is_done;
        pthread_mutex_unlock(&replay->lock);
        if (item) {
            replay->options.on_rows(replay->options.context, item->rows);
            mem_free(item);
        } else if (is_done) {
            if (replay->err && replay->err != ERR_CANCELLED)
                log_write(LOG_ERROR, "hub", "kept rows could not be read back", LOG_STR("resource", replay->options.resource->name),
                    LOG_ERR(replay->err), LOG_END);
            replay->options.on_rows(replay->options.context, NULL);
        }
    }
    replay->is_in_task = false;
    if (replay->is_stopped)
        destroy(replay);
}

enum err hub_replay_start(const struct hub_replay_options *options, struct hub_replay **ret_replay)
{
    struct hub_replay *replay = mem_alloc_zero(1, sizeof *replay);
    uint64_t *known = mem_alloc_zero(KNOWN_MAX, sizeof *known);
    if (!replay || !known) {
        mem_free(replay);
        mem_free(known);
        return ERR_NO_MEMORY;
    }
    replay->options = *options;
    replay->known = known;
    replay->task.fn = on_task;
    pthread_mutex_init(&replay->lock, NULL);
    pthread_cond_init(&replay->room, NULL);
    if (pthread_create(&replay->thread, NULL, run, replay) != 0) {
        destroy(replay);
        return ERR_NO_MEMORY;
    }
    *ret_replay = replay;
    return ERR_OK;
}

void hub_replay_wake(struct hub_replay *replay, size_t n_waiting)
{
    if (!replay)
        return;
    pthread_mutex_lock(&replay->lock);
    replay->n_waiting = n_waiting;
    pthread_cond_signal(&replay->room);
    pthread_mutex_unlock(&replay->lock);
}

static bool is_known(const struct hub_replay *replay, const struct value *values)
{
    size_t n = replay->n_known < KNOWN_MAX ? replay->n_known : KNOWN_MAX;
    uint64_t hash = hash_row(values, replay->options.n_fields);
    for (size_t i = 0; i < n; i++)
        if (replay->known[(replay->n_known - 1 - i) % KNOWN_MAX] == hash)
            return true;
    return false;
}

bool hub_replay_skip_known(struct hub_replay *replay, struct rows *live, struct rows **ret_rest)
{
    size_t n_skip = 0;
    while (!replay->has_ended_skipping && n_skip < rows_n(live)) {
        if (is_known(replay, rows_at(live, n_skip)))
            n_skip++;
        else
            replay->has_ended_skipping = true;
    }
    *ret_rest = live;
    if (n_skip == 0)
        return rows_n(live) == 0;
    if (n_skip == rows_n(live)) {
        rows_release(live);
        return true;
    }
    struct rows *rest;
    if (rows_create(rows_n_fields(live), rows_n_bytes(live) + 65536, &rest))
        return false; /* without memory: rather twice than never */
    for (size_t i = n_skip; i < rows_n(live); i++)
        if (rows_add(rest, rows_at(live, i))) {
            rows_release(rest);
            return false;
        }
    rows_release(live);
    *ret_rest = rest;
    return false;
}

void hub_replay_stop(struct hub_replay *replay)
{
    if (!replay)
        return;
    pthread_mutex_lock(&replay->lock);
    replay->is_cancelled = true;
    pthread_cond_signal(&replay->room);
    pthread_mutex_unlock(&replay->lock);
    pthread_join(replay->thread, NULL);
    replay->is_stopped = true;
    if (!replay->is_in_task && !replay->is_posted)
        destroy(replay);
}
