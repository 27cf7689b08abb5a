/*
 * kill -9 of a process that runs the door under load, ten times and more: no acknowledged passage is lost, none counts twice.
 *
 * The child has the whole connector behind a real HTTP server; this process sends bulks from several connections and keeps the list of
 * what was acknowledged. After each kill the journal is opened and replayed. Unacknowledged bulks are sent again to the next child, as a
 * camera would.
 */
#include "system/vehicle_camera/test_door.h"

#include "base/file_sim.h"
#include "base/mem.h"
#include "base/test.h"
#include "system/vehicle_camera/store.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_KILLS 12
#define N_SENDERS 3
#define BULK 20
#define N_PASSAGES_MAX (1 << 20)

static struct test_door door;
static unsigned char acknowledged[N_PASSAGES_MAX], replayed[N_PASSAGES_MAX];
static _Atomic uint32_t next_number;
static _Atomic bool must_stop;
static _Atomic uint32_t n_acknowledged;

/* ---- the child ---- */

static void run_child(int port_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    test_door_open(&door);
    uint16_t port = http_server_port(door.server);
    if (write(port_fd, &port, sizeof port) != sizeof port)
        _exit(1);
    for (;;)
        pause();
}

static pid_t start_child(uint16_t *ret_port)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        run_child(ends[1]);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], ret_port, sizeof *ret_port), sizeof *ret_port);
    close(ends[0]);
    return pid;
}

/* ---- the senders ---- */

struct sender {
    pthread_t thread;
    uint16_t port;
    uint32_t first; /* of the bulk that is not acknowledged yet; UINT32_MAX: none */
};

static void make_bulk(struct buf *body, uint32_t first)
{
    char id[32], plate[32], now[15];
    wall_format_compact(clock_wall(clock_system()), TIME_ZONE_SHANGHAI, now);
    buf_append_c(body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[");
    for (uint32_t i = first; i < first + BULK; i++) {
        snprintf(id, sizeof id, "id-%u", i);
        snprintf(plate, sizeof plate, "N%u", i);
        fake_vehicle(body, id, FAKE_CAMERA_1, plate, now);
        buf_append_c(body, i + 1 < first + BULK ? "," : "]}}");
    }
}

static bool is_acknowledged(const struct http_response *response)
{
    size_t n = 0;
    const char *at = response->body.ptr, *end = at + response->body.len;
    for (; response->status == 200 && (at = memmem(at, (size_t)(end - at), "\"StatusCode\":\"0\"", 16)) != NULL; at++)
        n++;
    return n == BULK;
}

static void *send_all(void *context)
{
    struct sender *sender = context;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/VIID/MotorVehicles", sender->port);
    while (!atomic_load(&must_stop)) {
        struct buf body;
        struct http_response response;
        if (sender->first == UINT32_MAX)
            sender->first = atomic_fetch_add(&next_number, BULK);
        buf_init(&body, 1 << 20);
        make_bulk(&body, sender->first);
        const struct http_request request = {.method = "POST",
            .url = url,
            .digest_user = FAKE_CAMERA_1,
            .digest_password = door.password,
            .content_type = "application/VIID+JSON",
            .body = buf_str(&body)};
        enum err err = http_client_perform(&request, &response);
        if (err == ERR_OK && is_acknowledged(&response)) {
            memset(acknowledged + sender->first, 1, BULK);
            atomic_fetch_add(&n_acknowledged, BULK);
            sender->first = UINT32_MAX;
        }
        if (err == ERR_OK)
            buf_finish(&response.body);
        buf_finish(&body);
    }
    return NULL;
}

/* ---- the check ---- */

static enum err collect(void *context, struct rows *rows)
{
    for (size_t i = 0; i < rows_n(rows); i++) {
        struct str plate = rows_at(rows, i)[PASSAGE_PLATE].s;
        uint64_t number = 0;
        assert_ok(str_to_u64(str_slice(plate, 1, plate.len - 1), &number));
        assert_true(number < N_PASSAGES_MAX);
        replayed[number]++;
    }
    return ERR_OK;
}

static void check_journal(void)
{
    struct diag diag = {""};
    struct store *store = NULL;
    const struct store_options options = {
        .data_dir = door.data, .clock = clock_system(), .kept_ms = 86400000, .accept_past_ms = 86400000, .accept_future_ms = 300000};
    enum err err = store_open(&options, &diag, &store);
    if (err != ERR_OK)
        fail_msg("%s: %s", err_text(err), diag.text);
    memset(replayed, 0, sizeof replayed);
    while (!store_is_ready(store))
        usleep(1000);
    assert_ok(store_replay(store, (struct wall_time){0}, collect, NULL));
    store_close(store);
    for (uint32_t i = 0; i < atomic_load(&next_number); i++) {
        if (acknowledged[i] && replayed[i] == 0)
            fail_msg("passage %u was acknowledged and is lost", i);
        if (replayed[i] > 1)
            fail_msg("passage %u is there %d times", i, replayed[i]);
    }
}

static void no_acknowledged_passage_is_lost(void **state)
{
    static struct sender senders[N_SENDERS];
    signal(SIGPIPE, SIG_IGN);
    file_sim_make_root(door.data);
    test_door_open(&door); /* makes the password, and shows that it can be closed */
    char password[sizeof door.password];
    memcpy(password, door.password, sizeof password);
    test_door_close(&door);
    for (size_t i = 0; i < N_SENDERS; i++)
        senders[i].first = UINT32_MAX;
    for (int round = 0; round < N_KILLS; round++) {
        uint16_t port = 0;
        int status = 0;
        uint32_t before = atomic_load(&n_acknowledged);
        pid_t pid = start_child(&port);
        memcpy(door.password, password, sizeof password);
        atomic_store(&must_stop, false);
        for (size_t i = 0; i < N_SENDERS; i++) {
            senders[i].port = port;
            assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
        }
        for (int i = 0; i < 20000 && atomic_load(&n_acknowledged) < before + 5 * BULK * N_SENDERS; i++)
            usleep(1000);
        usleep((useconds_t)(round * 1700 % 5000)); /* anywhere in a batch */
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        atomic_store(&must_stop, true);
        for (size_t i = 0; i < N_SENDERS; i++)
            pthread_join(senders[i].thread, NULL);
        assert_true(atomic_load(&n_acknowledged) >= before + 5 * BULK * N_SENDERS);
        check_journal();
    }
    file_sim_remove_tree(door.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_acknowledged_passage_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
