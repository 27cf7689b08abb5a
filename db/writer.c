/*
 * Writes from many loops, one fsync for many transactions: group commit on a thread of its own.
 *
 * One round: take what waits (to WRITER_BATCH_MAX) → BEGIN → each write in a savepoint → COMMIT (fsync) → each write's `done` is
 * posted to its loop. When the shared commit fails, or a write brought the whole transaction down (a full disk does), the writes are
 * run again one by one, so that each gets its own outcome. A failed fsync stops the writer for good.
 *
 * A mutex and a condition here, not a loop: the thread does nothing but block in SQLite.
 */
#include "db/internal.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>

#define WRITER_BATCH_MAX 1000 /* writes a commit: past it the fsync is no longer what costs, and others wait for `done` */

struct db_writer {
    struct db *db; /* the thread's, once it runs */
    size_t limit;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake;
    struct db_write *first, *last;
    size_t n_waiting;
    void (*on_failed_sync)(void *context, const char *part, enum err err); /* set before the first submit */
    void *context;
    const char *part;
    bool is_ending;
    bool has_failed; /* an fsync failed: nothing is taken any more */

    struct metric_counter n_refused, n_done, n_failed;
    struct metric_histogram commit_took;
};

static void run_done(struct loop_task *task)
{
    struct db_write *write = container_of(task, struct db_write, task);
    write->done(write);
}

static void tell_done(struct db_writer *writer, struct db_write *write, enum err err)
{
    metric_add(err ? &writer->n_failed : &writer->n_done, 1);
    write->err = err;
    write->task.fn = run_done;
    if (write->loop != NULL)
        loop_post(write->loop, &write->task);
    else
        write->done(write);
}

/* One write inside of the open transaction. *ret_is_lost: the whole transaction is gone, not only this write's part. */
static enum err run_in_savepoint(struct db *db, struct db_write *write, bool *ret_is_lost)
{
    enum err err = db_exec(db, "SAVEPOINT one", NULL);
    if (err == ERR_OK) {
        err = write->run(write, db);
        if (err != ERR_OK && !sqlite3_get_autocommit(db->sqlite) && db_exec(db, "ROLLBACK TO one", NULL) != ERR_OK)
            *ret_is_lost = true;
        if (!sqlite3_get_autocommit(db->sqlite) && db_exec(db, "RELEASE one", NULL) != ERR_OK)
            *ret_is_lost = true;
    }
    if (sqlite3_get_autocommit(db->sqlite))
        *ret_is_lost = true;
    return err;
}

/* Runs the list in one transaction, leaving each outcome in write->err. An error: nothing of it was committed. */
static enum err run_together(struct db *db, struct db_write *list)
{
    enum err err = db_begin(db);
    if (err != ERR_OK)
        return err;
    for (struct db_write *write = list; write != NULL; write = write->next) {
        bool is_lost = false;
        write->err = run_in_savepoint(db, write, &is_lost);
        if (is_lost) {
            db_rollback(db);
            return write->err != ERR_OK ? write->err : ERR_IO;
        }
    }
    return db_commit(db);
}

static enum err commit_together(struct db_writer *writer, struct db_write *list)
{
    struct db *db = writer->db;
    bool had_failed = db->has_failed_sync;
    int64_t from_ns = clock_mono(clock_system()).ns;
    enum err err = run_together(db, list);
    metric_observe_us(&writer->commit_took, (clock_mono(clock_system()).ns - from_ns) / 1000);
    if (db->has_failed_sync && !had_failed) {
        pthread_mutex_lock(&writer->lock);
        writer->has_failed = true;
        pthread_mutex_unlock(&writer->lock);
        if (writer->on_failed_sync != NULL)
            writer->on_failed_sync(writer->context, writer->part, ERR_IO);
    }
    return err;
}

static void commit_one_by_one(struct db_writer *writer, struct db_write *list)
{
    for (struct db_write *write = list, *next; write != NULL; write = next) {
        next = write->next;
        write->next = NULL;
        enum err err = writer->db->has_failed_sync ? ERR_IO : commit_together(writer, write);
        tell_done(writer, write, err != ERR_OK ? err : write->err);
    }
}

static void commit_batch(struct db_writer *writer, struct db_write *list)
{
    enum err err = commit_together(writer, list);
    if (err != ERR_OK) {
        commit_one_by_one(writer, list);
        return;
    }
    for (struct db_write *write = list, *next; write != NULL; write = next) {
        next = write->next; /* the write is its owner's again once it is done */
        tell_done(writer, write, write->err);
    }
}

/* Takes up to WRITER_BATCH_MAX writes off the queue, waiting for the first. NULL: ending, and nothing waits. */
static struct db_write *take_batch(struct db_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    while (writer->first == NULL && !writer->is_ending)
        pthread_cond_wait(&writer->wake, &writer->lock);
    struct db_write *list = writer->first, *last = list;
    size_t n = list != NULL;
    while (n > 0 && n < WRITER_BATCH_MAX && last->next != NULL) {
        last = last->next;
        n++;
    }
    if (list != NULL) {
        writer->first = last->next;
        if (writer->first == NULL)
            writer->last = NULL;
        last->next = NULL;
        writer->n_waiting -= n;
    }
    pthread_mutex_unlock(&writer->lock);
    return list;
}

static void *writer_thread(void *context)
{
    struct db_writer *writer = context;
    for (struct db_write *list = take_batch(writer); list != NULL; list = take_batch(writer))
        commit_batch(writer, list);
    return NULL;
}

enum err db_writer_create(struct db *db, size_t limit, struct db_writer **ret_writer)
{
    struct db_writer *writer = mem_alloc_zero(1, sizeof *writer);
    if (writer == NULL)
        return ERR_NO_MEMORY;
    writer->db = db;
    writer->limit = limit;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->wake, NULL);
    sigset_t all, old; /* signals belong to the main thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int code = pthread_create(&writer->thread, NULL, writer_thread, writer);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (code != 0) {
        pthread_cond_destroy(&writer->wake);
        pthread_mutex_destroy(&writer->lock);
        mem_free(writer);
        return err_from_errno(code);
    }
    (void)pthread_setname_np(writer->thread, "db writer");
    *ret_writer = writer;
    return ERR_OK;
}

void db_writer_on_failed_sync(
    struct db_writer *writer, void (*fn)(void *context, const char *part, enum err err), void *context, const char *part)
{
    writer->on_failed_sync = fn;
    writer->context = context;
    writer->part = part;
}

void db_writer_destroy(struct db_writer *writer)
{
    if (writer == NULL)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->is_ending = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
    int code = pthread_join(writer->thread, NULL);
    assert(code == 0);
    (void)code;
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->lock);
    db_close(writer->db);
    mem_free(writer);
}

enum err db_writer_submit(struct db_writer *writer, struct db_write *write)
{
    enum err err = ERR_OK;
    pthread_mutex_lock(&writer->lock);
    if (writer->has_failed) {
        err = ERR_IO;
    } else if (writer->is_ending) {
        err = ERR_STATE;
    } else if (writer->n_waiting >= writer->limit) {
        err = ERR_FULL;
    } else {
        write->next = NULL;
        if (writer->last != NULL)
            writer->last->next = write;
        else
            writer->first = write;
        writer->last = write;
        writer->n_waiting++;
        pthread_cond_signal(&writer->wake);
    }
    pthread_mutex_unlock(&writer->lock);
    if (err == ERR_FULL)
        metric_add(&writer->n_refused, 1);
    return err;
}

void db_writer_measure(struct db_writer *writer, struct metric_page *page, struct str of)
{
    static const struct metric writes = {
        "citybrain_db_writes_total", METRIC_COUNTER, "Writes of our own stores, by how they ended", {"store", "status"}};
    static const struct metric took = {
        "citybrain_db_commit_seconds", METRIC_HISTOGRAM, "One commit of many writes, with its fsync", {"store"}};
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    size_t n = writer->n_waiting;
    pthread_mutex_unlock(&writer->lock);
    metric_put_queue(page, "db_writes", of, n, writer->limit, &writer->n_refused);
    metric_put_counter(page, &writes, &writer->n_done, METRIC_VALUES(of, STR("ok")));
    metric_put_counter(page, &writes, &writer->n_failed, METRIC_VALUES(of, STR("failed")));
    metric_put_histogram(page, &took, &writer->commit_took, &of);
}
