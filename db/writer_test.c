/*
 * Group commit: outcomes one by one, few fsyncs for many writes, a full disk, a failed fsync, the limit, the end.
 *
 * fdatasync() is this file's own here (the library's call lands in it), so that it can be counted and made to fail.
 */
#include "db/db.h"

#include "base/mem.h"
#include "base/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic int n_syncs;
static _Atomic bool sync_fails;

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    atomic_fetch_add(&n_syncs, 1);
    if (atomic_load(&sync_fails)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static char dir[64];
static char path[128];

static int set_up(void **state)
{
    atomic_store(&sync_fails, false);
    snprintf(dir, sizeof dir, "/tmp/citybrain_writer_XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/own.sqlite", dir);
    return 0;
}

static int tear_down(void **state)
{
    const char *const endings[] = {"", "-wal", "-shm"};
    char name[160];
    atomic_store(&sync_fails, false);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
    return rmdir(dir);
}

struct insert {
    struct db_write write;
    int64_t k;
    int n_bytes;
    enum err refuse_with; /* after the insert, so that there is something to undo */
    _Atomic bool is_done;
};

static enum err run_insert(struct db_write *write, struct db *db)
{
    struct insert *insert = container_of(write, struct insert, write);
    struct db_statement *statement = NULL;
    bool has_row = false;
    enum err err = db_cached(db, "INSERT INTO t VALUES (?1, zeroblob(?2))", NULL, &statement);
    if (err == ERR_OK)
        err = db_bind(statement, 1, value_integer(insert->k));
    if (err == ERR_OK)
        err = db_bind(statement, 2, value_integer(insert->n_bytes));
    if (err == ERR_OK)
        err = db_step(statement, &has_row);
    if (statement != NULL)
        db_reset(statement);
    return err != ERR_OK ? err : insert->refuse_with;
}

static void on_done(struct db_write *write)
{
    struct insert *insert = container_of(write, struct insert, write);
    atomic_store(&insert->is_done, true);
}

static void insert_init(struct insert *insert, struct loop *loop, int64_t k, int n_bytes, enum err refuse_with)
{
    memset(insert, 0, sizeof *insert);
    insert->write.run = run_insert;
    insert->write.done = on_done;
    insert->write.loop = loop;
    insert->k = k;
    insert->n_bytes = n_bytes;
    insert->refuse_with = refuse_with;
}

static struct db_writer *open_writer(size_t limit, const char *more_sql)
{
    struct db *db = NULL;
    struct db_writer *writer = NULL;
    assert_ok(db_open(path, NULL, &db));
    assert_ok(db_exec(db, "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v BLOB)", NULL));
    if (more_sql != NULL)
        assert_ok(db_exec(db, more_sql, NULL));
    assert_ok(db_writer_create(db, limit, &writer));
    return writer;
}

static int64_t n_rows(void)
{
    struct db *db = NULL;
    struct db_statement *statement = NULL;
    bool has_row = false;
    assert_ok(db_open(path, NULL, &db));
    assert_ok(db_cached(db, "SELECT count(*) FROM t", NULL, &statement));
    assert_ok(db_step(statement, &has_row));
    int64_t n = db_column(statement, 0).i;
    db_close(db);
    return n;
}

static void wait_all(struct loop *loop, struct insert *inserts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        while (!atomic_load(&inserts[i].is_done))
            if (loop != NULL)
                assert_ok(loop_run_once(loop, 100));
            else
                usleep(100);
}

/* A write that holds the thread, so that what follows meets in one batch. */
struct hold {
    struct db_write write;
    pthread_mutex_t gate;
    _Atomic bool is_held, is_done;
};

static enum err run_hold(struct db_write *write, struct db *db)
{
    struct hold *hold = container_of(write, struct hold, write);
    atomic_store(&hold->is_held, true);
    pthread_mutex_lock(&hold->gate);
    pthread_mutex_unlock(&hold->gate);
    return ERR_OK;
}

static void hold_done(struct db_write *write)
{
    atomic_store(&container_of(write, struct hold, write)->is_done, true);
}

static void hold_start(struct hold *hold, struct db_writer *writer)
{
    memset(hold, 0, sizeof *hold);
    hold->write.run = run_hold;
    hold->write.done = hold_done;
    pthread_mutex_init(&hold->gate, NULL);
    pthread_mutex_lock(&hold->gate);
    assert_ok(db_writer_submit(writer, &hold->write));
    while (!atomic_load(&hold->is_held))
        usleep(100);
}

static void hold_end(struct hold *hold)
{
    pthread_mutex_unlock(&hold->gate);
    while (!atomic_load(&hold->is_done))
        usleep(100);
    pthread_mutex_destroy(&hold->gate);
}

#define N_MANY 500

static void many_writes_share_an_fsync(void **state)
{
    static struct insert inserts[N_MANY];
    struct loop *loop = NULL;
    struct hold hold;
    assert_ok(loop_create(clock_system(), &loop));
    struct db_writer *writer = open_writer(N_MANY, NULL);
    hold_start(&hold, writer);
    for (size_t i = 0; i < N_MANY; i++) {
        insert_init(&inserts[i], loop, (int64_t)i, 10, i % 10 == 3 ? ERR_DENIED : ERR_OK);
        assert_ok(db_writer_submit(writer, &inserts[i].write));
    }
    struct insert extra;
    insert_init(&extra, loop, 9999, 1, ERR_OK);
    assert_err(db_writer_submit(writer, &extra.write), ERR_FULL);
    int before = atomic_load(&n_syncs);
    hold_end(&hold);
    wait_all(loop, inserts, N_MANY);
    assert_true(atomic_load(&n_syncs) - before <= 4); /* the held one's commit and the batch's */
    for (size_t i = 0; i < N_MANY; i++)
        assert_err(inserts[i].write.err, i % 10 == 3 ? ERR_DENIED : ERR_OK);
    db_writer_destroy(writer);
    assert_int_equal(n_rows(), N_MANY - N_MANY / 10);
    loop_destroy(loop);
}

static void a_full_disk_costs_only_who_needs_it(void **state)
{
    static struct insert inserts[20];
    struct hold hold;
    struct db_writer *writer = open_writer(100, "PRAGMA max_page_count=12");
    hold_start(&hold, writer);
    for (size_t i = 0; i < 20; i++) {
        insert_init(&inserts[i], NULL, (int64_t)i, i == 7 ? 1000000 : 10, ERR_OK);
        assert_ok(db_writer_submit(writer, &inserts[i].write));
    }
    hold_end(&hold);
    wait_all(NULL, inserts, 20);
    for (size_t i = 0; i < 20; i++)
        assert_err(inserts[i].write.err, i == 7 ? ERR_DISK_FULL : ERR_OK);
    db_writer_destroy(writer);
    assert_int_equal(n_rows(), 19);
}

static void on_failed_sync(void *context, const char *part, enum err err)
{
    assert_string_equal(part, "test");
    assert_err(err, ERR_IO);
    atomic_fetch_add((_Atomic int *)context, 1);
}

static void a_failed_fsync_stops_the_writer(void **state)
{
    static struct insert inserts[3];
    _Atomic int n_told = 0;
    struct db_writer *writer = open_writer(100, NULL);
    db_writer_on_failed_sync(writer, on_failed_sync, &n_told, "test");
    insert_init(&inserts[0], NULL, 1, 10, ERR_OK);
    assert_ok(db_writer_submit(writer, &inserts[0].write));
    wait_all(NULL, inserts, 1);
    assert_ok(inserts[0].write.err);
    atomic_store(&sync_fails, true);
    insert_init(&inserts[1], NULL, 2, 10, ERR_OK);
    assert_ok(db_writer_submit(writer, &inserts[1].write));
    wait_all(NULL, inserts, 2);
    assert_err(inserts[1].write.err, ERR_IO);
    assert_int_equal(n_told, 1);      /* before the write's own end */
    atomic_store(&sync_fails, false); /* a retry would now succeed, and lie */
    insert_init(&inserts[2], NULL, 3, 10, ERR_OK);
    enum err err = db_writer_submit(writer, &inserts[2].write);
    if (err == ERR_OK) { /* submitted before the thread had marked itself */
        wait_all(NULL, inserts, 3);
        err = inserts[2].write.err;
    }
    assert_err(err, ERR_IO);
    db_writer_destroy(writer);
    assert_int_equal(n_told, 1);
    assert_in_range(n_rows(), 1, 2); /* the acknowledged one is there; the failed one may be */
}

static void the_end_commits_what_waits(void **state)
{
    static struct insert inserts[50];
    struct hold hold;
    struct db_writer *writer = open_writer(100, NULL);
    hold_start(&hold, writer);
    for (size_t i = 0; i < 50; i++) {
        insert_init(&inserts[i], NULL, (int64_t)i, 10, ERR_OK);
        assert_ok(db_writer_submit(writer, &inserts[i].write));
    }
    hold_end(&hold);
    db_writer_destroy(writer);
    for (size_t i = 0; i < 50; i++) {
        assert_true(inserts[i].is_done);
        assert_ok(inserts[i].write.err);
    }
    assert_int_equal(n_rows(), 50);
    db_writer_destroy(NULL);
}

struct submitter {
    pthread_t thread;
    struct db_writer *writer;
    int64_t first_k;
    struct insert inserts[200];
};

static void *submit_all(void *context)
{
    struct submitter *submitter = context;
    for (size_t i = 0; i < 200; i++) {
        insert_init(&submitter->inserts[i], NULL, submitter->first_k + (int64_t)i, 10, ERR_OK);
        while (db_writer_submit(submitter->writer, &submitter->inserts[i].write) == ERR_FULL)
            usleep(100);
    }
    return NULL;
}

static void many_threads_write(void **state)
{
    static struct submitter submitters[4];
    struct db_writer *writer = open_writer(16, NULL);
    for (size_t i = 0; i < 4; i++) {
        submitters[i].writer = writer;
        submitters[i].first_k = (int64_t)i * 1000;
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(submitters[i].thread, NULL);
    db_writer_destroy(writer);
    assert_int_equal(n_rows(), 800);
}

static void needs_its_memory(void **state)
{
    struct db *db = NULL;
    struct db_writer *writer = NULL;
    assert_ok(db_open(path, NULL, &db));
    mem_fail_nth(1);
    assert_err(db_writer_create(db, 10, &writer), ERR_NO_MEMORY);
    mem_fail_nth(0);
    db_close(db);
}

int main(void)
{
#define ROW(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(many_writes_share_an_fsync),
        ROW(a_full_disk_costs_only_who_needs_it),
        ROW(a_failed_fsync_stops_the_writer),
        ROW(the_end_commits_what_waits),
        ROW(many_threads_write),
        ROW(needs_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
