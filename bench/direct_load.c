/*
 * The floor of the ladder (bench/hub/ladder_bench.py): the same row by the same key, asked by the client library alone, with a prepared
 * statement and a bound parameter. No contract, no receipt, no HTTP.
 *
 *     direct_load sqlite FILE SQL KEYS_FILE SECONDS [RATE]
 *     direct_load pg CONNECTION SQL KEYS_FILE SECONDS RATE DEPTH      DEPTH 1: one at a time, PQexecPrepared; more: libpq's pipeline
 *     direct_load time CONNECTION SQL TIMES                            a statement as a whole, its rows counted
 *
 * RATE 0: as fast as it goes. Otherwise open loop: latency counts from the moment a query was due. Prints "n rps p50_ms p99_ms cpu_us", CPU
 * of this process for each query (a server's is read outside); `time` prints "rows ms" for each time. Exits 1 when a key had not one row.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define KEYS_MAX 2000000
#define LATENCIES_MAX 20000000
#define DEPTH_MAX 256

struct load {
    char **keys;
    size_t n_keys, next_key;
    int64_t start_ns, end_ns, interval_ns, next_due_ns;
    double start_cpu_s;
    uint32_t *latencies_us;
    size_t n, n_wrong, n_bytes;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "direct_load: %s: %s\n", what, why);
    exit(2);
}

static void read_keys(struct load *load, const char *path)
{
    char line[256];
    FILE *file = fopen(path, "r");
    load->keys = (char **)calloc(KEYS_MAX, sizeof(char *));
    load->latencies_us = malloc(LATENCIES_MAX * sizeof *load->latencies_us);
    if (!file || !load->keys || !load->latencies_us)
        fail(path, "cannot be read");
    while (load->n_keys < KEYS_MAX && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        load->keys[load->n_keys++] = strdup(line);
    }
    fclose(file);
    if (load->n_keys == 0)
        fail(path, "no keys");
}

static void begin(struct load *load, const char *seconds, const char *rate)
{
    double per_s = rate ? strtod(rate, NULL) : 0;
    load->start_cpu_s = cpu_s();
    load->start_ns = load->next_due_ns = now_ns();
    load->end_ns = load->start_ns + (int64_t)(strtod(seconds, NULL) * 1e9);
    load->interval_ns = per_s > 0 ? (int64_t)(1e9 / per_s) : 0;
}

static const char *next_key(struct load *load)
{
    return load->keys[load->next_key++ % load->n_keys];
}

static void came(struct load *load, int64_t due_ns, bool is_one_row)
{
    load->n_wrong += !is_one_row;
    if (load->n < LATENCIES_MAX)
        load->latencies_us[load->n] = (uint32_t)((now_ns() - due_ns) / 1000);
    load->n++;
}

/* When the next is due; sleeps until then. */
static int64_t wait_until_due(struct load *load)
{
    if (load->interval_ns == 0)
        return now_ns();
    int64_t due = load->next_due_ns, left = due - now_ns();
    if (left > 0)
        nanosleep(&(struct timespec){.tv_nsec = left}, NULL);
    load->next_due_ns += load->interval_ns;
    return due;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int print(struct load *load)
{
    double elapsed_s = (double)(now_ns() - load->start_ns) * 1e-9, cpu_us = (cpu_s() - load->start_cpu_s) * 1e6 / (double)load->n;
    size_t n = load->n < LATENCIES_MAX ? load->n : LATENCIES_MAX;
    qsort(load->latencies_us, n, sizeof *load->latencies_us, by_value);
    printf("%zu %.0f %.4f %.4f %.2f\n", load->n, (double)load->n / elapsed_s, load->latencies_us[n / 2] / 1000.0,
        load->latencies_us[n * 99 / 100] / 1000.0, cpu_us);
    if (load->n_wrong)
        fprintf(stderr, "direct_load: %zu keys had not one row\n", load->n_wrong);
    return load->n_wrong ? 1 : 0;
}

/* ---- SQLite ---- */

static int run_sqlite(struct load *load, char **words, int n_words)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    if (sqlite3_open_v2(words[0], &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, words[1], -1, &statement, NULL) != SQLITE_OK)
        fail(words[0], sqlite3_errmsg(db));
    read_keys(load, words[2]);
    begin(load, words[3], n_words > 4 ? words[4] : NULL);
    while (now_ns() < load->end_ns) {
        int64_t due = wait_until_due(load);
        size_t n_rows = 0;
        sqlite3_bind_text(statement, 1, next_key(load), -1, SQLITE_STATIC);
        for (; sqlite3_step(statement) == SQLITE_ROW; n_rows++)
            for (int i = 0; i < sqlite3_column_count(statement); i++)
                load->n_bytes += strlen((const char *)sqlite3_column_text(statement, i));
        sqlite3_reset(statement);
        came(load, due, n_rows == 1);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return print(load);
}

/* ---- PostgreSQL ---- */

static PGconn *pg_connect(const char *connection)
{
    PGconn *pg = PQconnectdb(connection);
    if (PQstatus(pg) != CONNECTION_OK)
        fail(connection, PQerrorMessage(pg));
    return pg;
}

static PGconn *pg_open(const char *connection, const char *sql)
{
    PGconn *pg = pg_connect(connection);
    PGresult *result = PQprepare(pg, "q", sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail("prepare", PQerrorMessage(pg));
    PQclear(result);
    return pg;
}

static bool take_row(struct load *load, const PGresult *result)
{
    bool is_one = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    for (int i = 0; is_one && i < PQnfields(result); i++)
        load->n_bytes += (size_t)PQgetlength(result, 0, i);
    return is_one;
}

static void run_pg_one_by_one(struct load *load, PGconn *pg)
{
    const int formats[] = {1};
    while (now_ns() < load->end_ns) {
        int64_t due = wait_until_due(load);
        const char *key = next_key(load);
        const int lengths[] = {(int)strlen(key)};
        PGresult *result = PQexecPrepared(pg, "q", 1, &key, lengths, formats, 1);
        came(load, due, take_row(load, result));
        PQclear(result);
    }
}

struct pipeline {
    PGconn *pg;
    int64_t due_ns[DEPTH_MAX]; /* of what is under way, a ring */
    size_t depth, first, n;
};

/* Sends what is due, as far as the pipeline's depth goes, with one sync behind it. */
static void pipeline_send(struct load *load, struct pipeline *pipeline)
{
    const int formats[] = {1};
    bool is_any = false;
    int64_t now = now_ns();
    for (; pipeline->n < pipeline->depth && now < load->end_ns && (load->interval_ns == 0 || load->next_due_ns <= now); is_any = true) {
        const char *key = next_key(load);
        const int lengths[] = {(int)strlen(key)};
        if (!PQsendQueryPrepared(pipeline->pg, "q", 1, &key, lengths, formats, 1))
            fail("send", PQerrorMessage(pipeline->pg));
        pipeline->due_ns[(pipeline->first + pipeline->n++) % DEPTH_MAX] = load->interval_ns ? load->next_due_ns : now;
        load->next_due_ns += load->interval_ns;
    }
    if (is_any && !PQpipelineSync(pipeline->pg))
        fail("sync", PQerrorMessage(pipeline->pg));
    PQflush(pipeline->pg);
}

static void pipeline_read(struct load *load, struct pipeline *pipeline)
{
    if (!PQconsumeInput(pipeline->pg))
        fail("read", PQerrorMessage(pipeline->pg));
    while (!PQisBusy(pipeline->pg)) {
        PGresult *result = PQgetResult(pipeline->pg);
        if (!result) {
            if (pipeline->n == 0)
                return;
            continue; /* the end of one query's answer */
        }
        if (PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
            came(load, pipeline->due_ns[pipeline->first], take_row(load, result));
            pipeline->first = (pipeline->first + 1) % DEPTH_MAX;
            pipeline->n--;
        }
        PQclear(result);
    }
}

static void run_pg_pipeline(struct load *load, PGconn *pg, size_t depth)
{
    struct pipeline pipeline = {.pg = pg, .depth = depth < DEPTH_MAX ? depth : DEPTH_MAX};
    if (!PQenterPipelineMode(pg) || PQsetnonblocking(pg, 1) != 0)
        fail("pipeline", PQerrorMessage(pg));
    while (now_ns() < load->end_ns || pipeline.n) {
        pipeline_send(load, &pipeline);
        int64_t left = load->interval_ns ? load->next_due_ns - now_ns() : 100000000;
        struct timespec wait = {.tv_nsec = left < 20000 ? 20000 : left > 100000000 ? 100000000 : left};
        struct pollfd ready = {.fd = PQsocket(pg), .events = POLLIN};
        if (pipeline.n == 0)
            nanosleep(&wait, NULL);
        else if (ppoll(&ready, 1, &wait, NULL) > 0)
            pipeline_read(load, &pipeline);
    }
}

static int run_pg(struct load *load, char **words)
{
    PGconn *pg = pg_open(words[0], words[1]);
    size_t depth = strtoul(words[5], NULL, 10);
    read_keys(load, words[2]);
    begin(load, words[3], words[4]);
    if (depth <= 1)
        run_pg_one_by_one(load, pg);
    else
        run_pg_pipeline(load, pg, depth);
    PQfinish(pg);
    return print(load);
}

static int run_time(char **words)
{
    PGconn *pg = pg_connect(words[0]);
    for (long i = 0, n = strtol(words[2], NULL, 10); i < n; i++) {
        int64_t before = now_ns();
        PGresult *result = PQexec(pg, words[1]);
        if (PQresultStatus(result) != PGRES_TUPLES_OK)
            fail(words[1], PQerrorMessage(pg));
        printf("%d %.3f\n", PQntuples(result), (double)(now_ns() - before) * 1e-6);
        PQclear(result);
    }
    PQfinish(pg);
    return 0;
}

int main(int argc, char **argv)
{
    struct load load = {0};
    int code = 2;
    if (argc >= 6 && strcmp(argv[1], "sqlite") == 0)
        code = run_sqlite(&load, argv + 2, argc - 2);
    else if (argc == 8 && strcmp(argv[1], "pg") == 0)
        code = run_pg(&load, argv + 2);
    else if (argc == 5 && strcmp(argv[1], "time") == 0)
        return run_time(argv + 2);
    else
        fprintf(stderr,
            "direct_load sqlite FILE SQL KEYS SECONDS [RATE] | pg CONNECTION SQL KEYS SECONDS RATE DEPTH | time CONNECTION SQL TIMES\n");
    for (size_t i = 0; i < load.n_keys; i++)
        free(load.keys[i]);
    free((void *)load.keys);
    free(load.latencies_us);
    return code;
}
