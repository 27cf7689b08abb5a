/*
 * A ledger in memory for tests: leaves, and the moment they become durable in the test's hand.
 */
#include "hub/fake.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LEAVES_MAX 100000

struct ledger {
    pthread_mutex_t lock;
    char *leaves[LEAVES_MAX];
    size_t lengths[LEAVES_MAX];
    size_t n;
    bool is_holding;
    enum err refuse, broken;
    struct ledger_append *held[LEAVES_MAX];
    size_t n_held;
};

static struct ledger the_ledger = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct ledger *fake_ledger(void)
{
    return &the_ledger;
}

void fake_ledger_reset(void)
{
    for (size_t i = 0; i < the_ledger.n; i++)
        free(the_ledger.leaves[i]);
    the_ledger.n = the_ledger.n_held = 0;
    the_ledger.is_holding = false;
    the_ledger.refuse = the_ledger.broken = ERR_OK;
}

static void done_task(struct loop_task *task)
{
    struct ledger_append *append = container_of(task, struct ledger_append, journal.task);
    append->done(append);
}

/* Under the lock. */
static void settle(struct ledger_append *append)
{
    append->err = the_ledger.broken;
    if (!append->err) {
        char *copy = malloc(append->leaf.len + 1); /* not the code under test: no fault is injected here */
        assert(copy);
        memcpy(copy, append->leaf.ptr, append->leaf.len);
        copy[append->leaf.len] = '\0';
        append->index = the_ledger.n;
        the_ledger.leaves[the_ledger.n] = copy;
        the_ledger.lengths[the_ledger.n++] = append->leaf.len;
    }
    if (!append->loop) { /* as the journal: on its own thread */
        append->done(append);
        return;
    }
    append->journal.task.fn = done_task;
    loop_post(append->loop, &append->journal.task);
}

enum err ledger_append(struct ledger *ledger, struct ledger_append *append)
{
    pthread_mutex_lock(&ledger->lock);
    enum err err = ledger->refuse;
    if (!err && ledger->is_holding)
        ledger->held[ledger->n_held++] = append;
    else if (!err)
        settle(append);
    pthread_mutex_unlock(&ledger->lock);
    return err;
}

void fake_ledger_hold(bool hold)
{
    pthread_mutex_lock(&the_ledger.lock);
    the_ledger.is_holding = hold;
    for (size_t i = 0; !hold && i < the_ledger.n_held; i++)
        settle(the_ledger.held[i]);
    if (!hold)
        the_ledger.n_held = 0;
    pthread_mutex_unlock(&the_ledger.lock);
}

void fake_ledger_refuse(enum err err)
{
    the_ledger.refuse = err;
}

void fake_ledger_break(enum err err)
{
    the_ledger.broken = err;
}

size_t fake_ledger_n(void)
{
    pthread_mutex_lock(&the_ledger.lock);
    size_t n = the_ledger.n;
    pthread_mutex_unlock(&the_ledger.lock);
    return n;
}

struct str fake_ledger_leaf(size_t at)
{
    assert(at < the_ledger.n);
    return (struct str){the_ledger.leaves[at], the_ledger.lengths[at]};
}

size_t fake_ledger_count(const char *part)
{
    size_t n = 0;
    for (size_t i = 0; i < the_ledger.n; i++)
        n += strstr(the_ledger.leaves[i], part) != NULL;
    return n;
}

struct str ledger_origin(const struct ledger *ledger)
{
    return STR("h.log");
}
