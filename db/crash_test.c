/* kill -9 of a process that writes: whatever it was told to be committed is there afterwards, ten times. */
#include "db/db.h"

#include "base/test.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_KILLS 10
#define N_IN_FLIGHT 64

struct one {
    struct db_write write;
    int64_t k;
    int ack_fd;
    _Atomic bool is_free;
};

static enum err run_one(struct db_write *write, struct db *db)
{
    struct one *one = container_of(write, struct one, write);
    struct db_statement *statement = NULL;
    bool has_row = false;
    enum err err = db_cached(db, "INSERT INTO t VALUES (?1)", NULL, &statement);
    if (err == ERR_OK)
        err = db_bind(statement, 1, value_integer(one->k));
    if (err == ERR_OK)
        err = db_step(statement, &has_row);
    if (statement != NULL)
        db_reset(statement);
    return err;
}

/* The acknowledgement: one whole number into a pipe, which survives this process. */
static void acknowledge(struct db_write *done)
{
    struct one *one = container_of(done, struct one, write);
    if (done->err != ERR_OK || write(one->ack_fd, &one->k, sizeof one->k) != sizeof one->k)
        _exit(1);
    atomic_store(&one->is_free, true);
}

static void child(const char *path, int ack_fd, int64_t first_k)
{
    static struct one ones[N_IN_FLIGHT];
    struct db *db = NULL;
    struct db_writer *writer = NULL;
    if (db_open(path, NULL, &db) != ERR_OK || db_exec(db, "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY)", NULL) != ERR_OK ||
        db_writer_create(db, N_IN_FLIGHT, &writer) != ERR_OK)
        _exit(2);
    for (size_t i = 0; i < N_IN_FLIGHT; i++)
        ones[i] = (struct one){.write = {.run = run_one, .done = acknowledge}, .ack_fd = ack_fd, .is_free = true};
    for (int64_t k = first_k;; k++) {
        struct one *one = &ones[k % N_IN_FLIGHT];
        while (!atomic_load(&one->is_free))
            usleep(20);
        atomic_store(&one->is_free, false);
        one->k = k;
        if (db_writer_submit(writer, &one->write) != ERR_OK)
            _exit(3);
    }
}

static bool has_row_k(struct db *db, int64_t k)
{
    struct db_statement *statement = NULL;
    bool has_row = false;
    assert_ok(db_cached(db, "SELECT 1 FROM t WHERE k = ?1", NULL, &statement));
    assert_ok(db_bind(statement, 1, value_integer(k)));
    assert_ok(db_step(statement, &has_row));
    db_reset(statement);
    return has_row;
}

static void acknowledged_writes_survive(void **state)
{
    char dir[] = "/tmp/citybrain_crash_XXXXXX", path[64], name[80];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/own.sqlite", dir);
    int64_t n_acknowledged = 0, next_k = 0;
    for (int kill_at = 0; kill_at < N_KILLS; kill_at++) {
        int ends[2], status = 0;
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(ends[0]);
            child(path, ends[1], next_k);
        }
        close(ends[1]);
        /* Some writes first, so that no round is empty; then the kill lands anywhere in a round of the writer. */
        static int64_t acknowledged[1 << 20];
        size_t n = 0;
        while (n < 20 + 37 * (size_t)kill_at && read(ends[0], &acknowledged[n], sizeof(int64_t)) == sizeof(int64_t))
            n++;
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (n < sizeof acknowledged / sizeof acknowledged[0] && read(ends[0], &acknowledged[n], sizeof(int64_t)) == sizeof(int64_t))
            n++;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        close(ends[0]);
        struct db *db = NULL;
        assert_ok(db_open(path, NULL, &db));
        for (size_t i = 0; i < n; i++) {
            if (!has_row_k(db, acknowledged[i]))
                fail_msg("write %lld was acknowledged and is lost", (long long)acknowledged[i]);
            if (acknowledged[i] >= next_k)
                next_k = acknowledged[i] + 1;
        }
        next_k += N_IN_FLIGHT; /* written and not acknowledged: allowed to be there */
        n_acknowledged += (int64_t)n;
        db_close(db);
    }
    assert_true(n_acknowledged >= 20 * N_KILLS);
    const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(acknowledged_writes_survive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
