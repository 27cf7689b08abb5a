/*
 * A viewer belongs to its connection's loop, and its own timer sends; whoever has written only marks it, under the list's lock. So nothing
 * is posted to a loop that a viewer has left, and a storm of changes costs each viewer two events a second.
 */
#include "business/case/live.h"

#include "base/arena.h"
#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#define BEAT_MS 500
#define PING_BEATS 20 /* 10 s */
#define WHO_MAX 4096  /* bytes of a viewer's names */

struct live_viewer {
    struct case_live *live;
    struct live_viewer *next, **at;
    struct http_stream *stream;
    struct loop_timer beat;
    unsigned n_beats;
    _Atomic bool is_told;
    struct case_viewer who;
    struct arena arena;
};

struct case_live {
    pthread_mutex_t lock; /* guards the list */
    struct live_viewer *viewers;
};

/* ---- what has changed ---- */

static bool copy(struct str from, char *to, size_t size)
{
    return str_to_c(from, to, size) == ERR_OK;
}

void case_changes_add(struct case_changes *changes, const struct case_record *record)
{
    struct case_change *change = &changes->at[changes->n];
    if (changes->is_many || changes->n == CASE_CHANGES_MAX) {
        changes->is_many = true;
        return;
    }
    changes->is_many = !copy(record->area, change->area, sizeof change->area) ||
                       !copy(record->party, change->party, sizeof change->party) ||
                       !copy(record->owner, change->owner, sizeof change->owner);
    change->is_private = record->is_private;
    changes->n++;
}

static bool concerns(const struct case_changes *changes, const struct case_viewer *who)
{
    for (size_t i = 0; i < changes->n && !changes->is_many; i++) {
        const struct case_change *change = &changes->at[i];
        const struct case_record record = {.area = str_from_c(change->area),
            .party = str_from_c(change->party),
            .owner = str_from_c(change->owner),
            .is_private = change->is_private};
        if (case_may_see(&record, who))
            return true;
    }
    return changes->is_many;
}

void case_live_tell(struct case_live *live, const struct case_changes *changes)
{
    if (changes->n == 0 && !changes->is_many)
        return;
    pthread_mutex_lock(&live->lock);
    for (struct live_viewer *viewer = live->viewers; viewer; viewer = viewer->next)
        if (concerns(changes, &viewer->who))
            atomic_store(&viewer->is_told, true);
    pthread_mutex_unlock(&live->lock);
}

/* ---- a viewer, on its loop ---- */

/* The viewer may be gone afterwards: one that is too slow is closed. */
static void send_event(struct live_viewer *viewer, const char *event)
{
    char text[64];
    int len = snprintf(text, sizeof text, "{\"time\":%" PRId64 "}", clock_wall(loop_clock(viewer->beat.loop)).ms);
    if (http_stream_send(viewer->stream, event, (struct str){text, (size_t)len}))
        return; /* it is being closed, and comes back by itself */
}

static void on_beat(struct loop_timer *timer)
{
    struct live_viewer *viewer = container_of(timer, struct live_viewer, beat);
    if (loop_timer_start(timer->loop, timer, BEAT_MS)) {
        http_stream_close(viewer->stream); /* no memory: rather gone than silent */
        return;
    }
    viewer->n_beats++;
    if (atomic_exchange(&viewer->is_told, false))
        send_event(viewer, "changed");
    else if (viewer->n_beats % PING_BEATS == 0)
        send_event(viewer, "ping");
}

static void on_close(void *context)
{
    struct live_viewer *viewer = context;
    loop_timer_stop(&viewer->beat);
    pthread_mutex_lock(&viewer->live->lock);
    *viewer->at = viewer->next;
    if (viewer->next)
        viewer->next->at = viewer->at;
    pthread_mutex_unlock(&viewer->live->lock);
    arena_finish(&viewer->arena);
    mem_free(viewer);
}

static enum err copy_who(struct live_viewer *viewer, const struct case_viewer *who)
{
    viewer->who = *who;
    enum err err = arena_copy_str(&viewer->arena, who->party, &viewer->who.party);
    if (!err)
        err = arena_copy_str(&viewer->arena, who->acts_for, &viewer->who.acts_for);
    if (!err)
        err = arena_copy_str(&viewer->arena, who->area, &viewer->who.area);
    if (!err)
        err = arena_copy_str(&viewer->arena, who->person, &viewer->who.person);
    return err;
}

void case_live_open(struct case_live *live, struct http_exchange *x, const struct case_viewer *who)
{
    struct loop *loop = http_loop(x);
    struct live_viewer *viewer = mem_alloc_zero(1, sizeof *viewer);
    if (!viewer) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    *viewer = (struct live_viewer){.live = live, .beat = {.fn = on_beat, .loop = loop}};
    arena_init(&viewer->arena, WHO_MAX);
    enum err err = copy_who(viewer, who);
    if (!err)
        err = loop_timer_start(loop, &viewer->beat, BEAT_MS);
    if (err)
        http_reply_err(x, err, STR_NONE);
    else
        err = http_reply_stream(x, on_close, viewer, &viewer->stream); /* has replied by itself when it fails */
    if (err) {
        loop_timer_stop(&viewer->beat);
        arena_finish(&viewer->arena);
        mem_free(viewer);
        return;
    }
    pthread_mutex_lock(&live->lock);
    viewer->next = live->viewers;
    viewer->at = &live->viewers;
    if (viewer->next)
        viewer->next->at = &viewer->next;
    live->viewers = viewer;
    pthread_mutex_unlock(&live->lock);
    send_event(viewer, "ping");
}

/* ---- life ---- */

enum err case_live_create(struct case_live **ret_live)
{
    struct case_live *live = mem_alloc_zero(1, sizeof *live);
    if (!live)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&live->lock, NULL);
    *ret_live = live;
    return ERR_OK;
}

void case_live_destroy(struct case_live *live)
{
    if (!live)
        return;
    assert(!live->viewers);
    pthread_mutex_destroy(&live->lock);
    mem_free(live);
}
