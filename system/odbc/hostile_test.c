/*
 * A database whose driver means no good (hostile_driver.c, registered in an odbcinst.ini of the test's own): rows and cells without an end,
 * values that are none, slowness, silence, deafness to SQLCancel, connections that break. Each asking ends within its time, with rows that
 * are right or with an error; memory stays bounded; nobody else is held up; and when the driver is itself again so are the answers.
 */
#include "system/odbc/hostile_driver.h"

#include "base/test.h"
#include "hub/department_testing.h"
#include "system/odbc/inside.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 200
#define WAIT_MS 30000

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_OURS false /* a sanitizer keeps what is freed, and more */
#else
#define MEMORY_IS_OURS true
#endif

static struct fake_city city;
static struct hostile *hostile;
static char folder[] = "/tmp/citybrain_odbc_hostile_XXXXXX";

static void rest(int ms)
{
    const struct timespec moment = {.tv_nsec = ms * 1000000L};
    nanosleep(&moment, NULL);
}

static void load(const char *timeout, int n_connections)
{
    static const struct hub_system_ops *const connectors[] = {&system_odbc_ops, NULL};
    char text[2000];
    atomic_store(&hostile->does, HONEST);
    fake_department_make(&city, connectors);
    fake_department_grant(&city, "[plate, seats, weight, since, photo]", NULL);
    snprintf(text, sizeof text,
        "connection: {driver: Hostile, dialect: ansi, timeout: %s, connections: %d}\nresources:\n  - {name: vehicle, title: {zh: 车, en: "
        "V}, kind: table, bind: {table: vehicle}, fields: [{name: plate, type: text, class: open, key: true}, {name: seats, type: integer, "
        "class: open}, {name: weight, type: real, class: open}, {name: since, type: time, class: open}, {name: photo, type: bytes, class: "
        "open}]}\n",
        timeout, n_connections);
    fake_department_write(&city, "odbc", text);
    fake_department_load(&city);
}

static const struct fake_question everything = {.outputs = {"plate", "seats", "weight", "since", "photo"}};
#define ROW "aa|4|2.5|@1767294245000|6161"

static bool is_honest(void)
{
    const struct fake_answer *answer = fake_ask(&city, &everything);
    return !answer->err && strcmp(answer->text, ROW ";" ROW ";" ROW) == 0;
}

static void until_honest(const char *after)
{
    const struct mono_time begun = clock_mono(clock_system());
    atomic_store(&hostile->does, HONEST);
    while (!is_honest() && mono_ms_between(begun, clock_mono(clock_system())) < WAIT_MS)
        rest(10);
    if (!is_honest())
        fail_msg("after %s: %s, %s", after, err_text(fake_ask(&city, &everything)->err), fake_ask(&city, &everything)->text);
}

/* Until `n` calls of the driver stand still; the city's loop runs meanwhile. */
static void until_standing(unsigned n)
{
    const struct mono_time begun = clock_mono(clock_system());
    while (atomic_load(&hostile->n_standing) != n && mono_ms_between(begun, clock_mono(clock_system())) < WAIT_MS)
        assert_ok(loop_run_once(city.loop, 5));
    assert_int_equal(atomic_load(&hostile->n_standing), n);
}

static void release(void)
{
    atomic_store(&hostile->is_released, true);
    until_standing(0);
    atomic_store(&hostile->is_released, false);
}

static long status_kb(const char *name)
{
    char line[200];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            kb = strtol(line + strlen(name) + 1, NULL, 10);
    if (file)
        fclose(file);
    return kb;
}

static const struct hostility_row {
    const char *what;
    enum err err;
    bool stands; /* a connection is lost to it until it is released */
} rows[N_HOSTILITIES] = {
    [HONEST] = {"honest", ERR_OK, false},
    [ENDLESS_ROWS] = {"rows without an end", ERR_OK, false},
    [ENDLESS_BYTES] = {"rows of 64 KiB without an end", ERR_TOO_LARGE, false},
    [ENDLESS_CELL] = {"a cell without an end", ERR_TOO_LARGE, false},
    [LYING_LENGTH] = {"a cell of a terabyte, it says", ERR_TOO_LARGE, false},
    [NEGATIVE_LENGTH] = {"a cell of a negative length", ERR_UNAVAILABLE, false},
    [TEXT_FOR_NUMBER] = {"a text for a number", ERR_UNAVAILABLE, false},
    [NUMBER_TOO_LARGE] = {"a number that is too large", ERR_UNAVAILABLE, false},
    [MONTH_13] = {"the thirteenth month", ERR_UNAVAILABLE, false},
    [HALF_A_PAIR] = {"half a character", ERR_UNAVAILABLE, false},
    [NOT_A_NUMBER] = {"not a number", ERR_UNAVAILABLE, false},
    [TOO_FEW_COLUMNS] = {"too few columns", ERR_UNAVAILABLE, false},
    [TOO_MANY_COLUMNS] = {"too many columns", ERR_UNAVAILABLE, false},
    [SLOW_ROWS] = {"slow rows", ERR_TIMEOUT, false},
    [SLOW_BYTES] = {"slow bytes", ERR_TIMEOUT, false},
    [HEEDFUL] = {"silence", ERR_TIMEOUT, false},
    [DEAF_EXECUTE] = {"deaf in the statement", ERR_TIMEOUT, true},
    [DEAF_FETCH] = {"deaf in a row", ERR_TIMEOUT, true},
    [DEAF_CELL] = {"deaf in a cell", ERR_TIMEOUT, true},
    [DEAF_CANCEL] = {"deaf, and SQLCancel as well", ERR_TIMEOUT, true},
    [BROKEN_EXECUTE] = {"breaks in the statement", ERR_UNAVAILABLE, false},
    [BROKEN_FETCH] = {"breaks between rows", ERR_UNAVAILABLE, false},
    [BROKEN_CELL] = {"breaks in a cell", ERR_UNAVAILABLE, false},
    [ODD_WORDS] = {"refuses without words", ERR_UNAVAILABLE, false},
};

static void each_ends(void **state)
{
    load("200ms", 2);
    until_honest("loading");
    for (int i = ENDLESS_ROWS; i < N_HOSTILITIES; i++) {
        FILE *reset = fopen("/proc/self/clear_refs", "w"); /* the peak of memory is counted anew */
        if (reset) {
            fputs("5", reset);
            fclose(reset);
        }
        long before = status_kb("VmRSS:");
        unsigned n_connects = atomic_load(&hostile->n_connects), n_fetches = atomic_load(&hostile->n_fetches),
                 n_pieces = atomic_load(&hostile->n_pieces);
        const struct mono_time begun = clock_mono(clock_system());
        atomic_store(&hostile->does, i);
        const struct fake_answer *answer = fake_ask(&city, &everything);
        int64_t ms = mono_ms_between(begun, clock_mono(clock_system()));
        long peak = status_kb("VmHWM:") - before;
        n_connects = atomic_load(&hostile->n_connects) - n_connects;
        n_fetches = atomic_load(&hostile->n_fetches) - n_fetches;
        n_pieces = atomic_load(&hostile->n_pieces) - n_pieces;
        print_message("%s: \"%s\" after %lld ms; %u rows, %u pieces, %u connections; %ld MiB more at the peak\n", rows[i].what,
            err_text(answer->err), (long long)ms, n_fetches, n_pieces, n_connects, peak / 1024);
        if (answer->err != rows[i].err && (MEMORY_IS_OURS || answer->err != ERR_TIMEOUT)) /* a sanitizer is slow */
            fail_msg("%s: %s", rows[i].what, err_text(answer->err));
        if (i == ENDLESS_ROWS && !answer->err)
            assert_true(answer->n_rows == 1000 && answer->is_truncated);
        assert_true(n_fetches <= 1001 && n_pieces <= 5500 && n_connects <= HUB_POOL_TRIES_MAX + 1);
        assert_true(ms < WAIT_MS);
        assert_true(!MEMORY_IS_OURS || peak < 32 * 1024);
        if (rows[i].stands) { /* the other connection goes on */
            until_honest(rows[i].what);
            assert_true(atomic_load(&hostile->n_standing) >= 1);
            release();
        }
        until_honest(rows[i].what);
        assert_true(!MEMORY_IS_OURS || status_kb("VmRSS:") - before < 32 * 1024);
    }
    fake_department_finish(&city);
}

/* A driver that is deaf to nothing but talks without an end gives its thread back: with one connection the next asking is served by it. */
static void the_thread_comes_back(void **state)
{
    static const enum hostility talkers[] = {SLOW_ROWS, SLOW_BYTES, HEEDFUL};
    load("1s", 1);
    for (size_t i = 0; i < sizeof talkers / sizeof *talkers; i++) {
        until_honest("loading");
        unsigned n_connects = atomic_load(&hostile->n_connects), n_cancels = atomic_load(&hostile->n_cancels);
        atomic_store(&hostile->does, (int)talkers[i]);
        assert_err(fake_ask(&city, &everything)->err, ERR_TIMEOUT);
        assert_true(atomic_load(&hostile->n_cancels) > n_cancels);
        until_honest(rows[talkers[i]].what);
        assert_int_equal(atomic_load(&hostile->n_connects), n_connects); /* by the same connection */
    }
    fake_department_finish(&city);
}

/* One SQLCancel that hangs holds up no other. */
static void a_cancel_that_hangs(void **state)
{
    load("200ms", 3);
    until_honest("loading");
    unsigned n_cancels = atomic_load(&hostile->n_cancels);
    atomic_store(&hostile->does, DEAF_CANCEL);
    struct fake_asking *hanging = fake_ask_start(&city, &everything);
    until_standing(2); /* the statement, and its SQLCancel */
    for (int i = 0; i < 3; i++) {
        atomic_store(&hostile->does, HEEDFUL);
        assert_err(fake_ask(&city, &everything)->err, ERR_TIMEOUT);
        until_standing(2); /* that one was cancelled and came back, while the first still hangs */
        until_honest("a SQLCancel that hangs");
    }
    assert_int_equal(atomic_load(&hostile->n_cancels) - n_cancels, 4);
    assert_err(fake_ask_end(&city, hanging), ERR_TIMEOUT);
    release();
    until_honest("a SQLCancel that hung");
    fake_department_finish(&city);
}

/* The asker goes: the statement is cancelled long before its time, and the asker of a deaf one is answered too. */
static void askers_who_go(void **state)
{
    static const enum hostility standing[] = {HEEDFUL, DEAF_EXECUTE};
    struct odbc_system *system;
    load("60s", 2);
    system = ((struct hub_plan *)fake_department_plan(&city))->system;
    until_honest("loading");
    for (size_t i = 0; i < 2; i++) {
        unsigned n_cancels = atomic_load(&hostile->n_cancels);
        atomic_store(&hostile->does, (int)standing[i]);
        struct fake_asking *asking = fake_ask_start(&city, &everything);
        until_standing(1);
        const struct mono_time gone = clock_mono(clock_system());
        fake_ask_cancel(asking);
        assert_err(fake_ask_end(&city, asking), ERR_CANCELLED);
        print_message("%s: answered %lld ms after the asker went, of a time of 60 s\n", rows[standing[i]].what,
            (long long)mono_ms_between(gone, clock_mono(clock_system())));
        while (atomic_load(&hostile->n_cancels) == n_cancels && mono_ms_between(gone, clock_mono(clock_system())) < WAIT_MS)
            assert_ok(loop_run_once(city.loop, 5));
        assert_int_equal(atomic_load(&hostile->n_cancels), n_cancels + 1);
        if (standing[i] == DEAF_EXECUTE)
            release();
        until_standing(0);
        until_honest("an asker who went");
    }
    assert_string_equal(system->department.detail, ""); /* the department was in no way at fault */
    fake_department_finish(&city);
}

/* Connecting hangs, also while the city is loaded: it is loaded, askings end by their time, not many connectings hang, and when the driver
 * is itself again it is served. */
static void connecting_hangs(void **state)
{
    const struct mono_time begun = clock_mono(clock_system());
    atomic_store(&hostile->no_connect, true);
    load("200ms", 2);
    print_message("the city was loaded after %lld ms\n", (long long)mono_ms_between(begun, clock_mono(clock_system())));
    enum err err = fake_ask(&city, &everything)->err;
    assert_true(err == ERR_TIMEOUT || err == ERR_UNAVAILABLE);
    assert_true(atomic_load(&hostile->n_standing) >= 1 && atomic_load(&hostile->n_standing) <= ODBC_LEFT_MAX);
    atomic_store(&hostile->no_connect, false);
    until_honest("a connecting that hangs"); /* by another one, while the first still does */
    assert_true(atomic_load(&hostile->n_standing) >= 1);
    const struct odbc_system *system = ((struct hub_plan *)fake_department_plan(&city))->system;
    release();
    until_honest("a connecting that hung");
    while (odbc_gate_n_left(system->gate) > 0 && mono_ms_between(begun, clock_mono(clock_system())) < WAIT_MS)
        rest(10);
    assert_int_equal(odbc_gate_n_left(system->gate), 0);
    fake_department_finish(&city);
    assert_int_equal(atomic_load(&hostile->n_connects), atomic_load(&hostile->n_disconnects)); /* those that nobody waited for as well */
}

/* Many at once, each asking another hostility: all are answered, the honest ones with all their rows. */
static void all_at_once(void **state)
{
    const char *given = getenv("CITYBRAIN_TEST_SEED"), *more = getenv("CITYBRAIN_TEST_ROUNDS");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    unsigned long n_rounds = more ? strtoul(more, NULL, 10) : 20;
    size_t n_errors = 0, n_asked = 0;
    printf("seed %u\n", seed);
    load("200ms", 4);
    until_honest("loading");
    long before = status_kb("VmRSS:");
    for (unsigned long round = 0; round < n_rounds; round++) {
        struct fake_asking *askings[8];
        for (size_t i = 0; i < 8; i++) {
            int what;
            do
                what = rand_r(&seed) % N_HOSTILITIES;
            while (rows[what].stands);
            atomic_store(&hostile->does, what);
            askings[i] = fake_ask_start(&city, &everything);
            rest(1);
        }
        for (size_t i = 0; i < 8; i++, n_asked++)
            n_errors += fake_ask_end(&city, askings[i]) != ERR_OK;
    }
    until_honest("all at once");
    print_message(
        "%zu askings, %zu ended with an error; %ld MiB more than before\n", n_asked, n_errors, (status_kb("VmRSS:") - before) / 1024);
    assert_true(n_errors > 0 && n_errors < n_asked);
    assert_true(!MEMORY_IS_OURS || status_kb("VmRSS:") - before < 32 * 1024);
    fake_department_finish(&city);
}

static int setup(void **state)
{
    char path[100];
    const char *driver = getenv("CITYBRAIN_HOSTILE_DRIVER");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/odbcinst.ini", folder);
    FILE *file = fopen(path, "w");
    assert_true(driver && file && fprintf(file, "[Hostile]\nDriver=%s\nThreading=0\n", driver) > 0);
    fclose(file);
    setenv("ODBCSYSINI", folder, 1); /* before the manager looks */
    void *library = dlopen(driver, RTLD_NOW);
    if (!library)
        fail_msg("%s", dlerror());
    hostile = dlsym(library, "hostile");
    assert_non_null(hostile);
    return 0;
}

static int teardown(void **state)
{
    char path[100];
    snprintf(path, sizeof path, "%s/odbcinst.ini", folder);
    remove(path);
    rmdir(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_ends), cmocka_unit_test(the_thread_comes_back),
        cmocka_unit_test(a_cancel_that_hangs), cmocka_unit_test(askers_who_go), cmocka_unit_test(connecting_hangs),
        cmocka_unit_test(all_at_once)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
