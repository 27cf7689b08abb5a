/* The client against the real SUMO on a network of four junctions: a vehicle drives over a loop, a signal is set, SUMO dies. */
#include "base/test.h"
#include "traci/client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct fixture {
    char folder[64];
    pid_t sumo;
    uint16_t port;
    struct traci_client *client;
};

static pid_t spawn(const char *const argv[])
{
    pid_t pid = -1;
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, 1, 2), 0);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
        fail_msg("%s cannot be started; mend: apt-get install sumo", argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static uint16_t free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/traci-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    setenv("SUMO_HOME", "/usr/share/sumo", 0);
    char net[96], loops[96], port[16];
    (void)snprintf(net, sizeof net, "%s/net.xml", f->folder);
    (void)snprintf(loops, sizeof loops, "%s/loops.xml", f->folder);
    const char *const make[] = {"netgenerate", "-X", "never", "--grid", "--grid.number", "2", "--grid.length", "120",
        "--default.lanenumber", "1", "--default-junction-type", "traffic_light", "--grid.attach-length", "100", "-o", net, NULL};
    int status = -1;
    assert_true(waitpid(spawn(make), &status, 0) > 0);
    assert_int_equal(status, 0);
    FILE *file = fopen(loops, "w");
    assert_non_null(file);
    (void)fputs("<additional><vType id=\"car\" vClass=\"passenger\"/>"
                "<inductionLoop id=\"L1\" lane=\"bottom0A0_0\" pos=\"-5\" freq=\"900\" file=\"NUL\"/></additional>",
        file);
    assert_int_equal(fclose(file), 0);
    f->port = free_port();
    (void)snprintf(port, sizeof port, "%u", f->port);
    const char *const run[] = {
        "sumo", "-n", net, "-a", loops, "-X", "never", "--remote-port", port, "--num-clients", "1", "--no-step-log", "true", NULL};
    f->sumo = spawn(run);
    enum err err = ERR_UNAVAILABLE;
    for (int i = 0; i < 400 && err == ERR_UNAVAILABLE; i++) {
        err = traci_connect(f->port, &f->client);
        if (err)
            (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    assert_ok(err);
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    traci_close(f->client);
    if (f->sumo > 0)
        (void)waitpid(f->sumo, NULL, 0);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/net.xml", f->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/loops.xml", f->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/NUL", f->folder);
    (void)unlink(path);
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

struct ride {
    int n_left;
    double speed_mps;
    int32_t arrived;
};

static void watch(void *context, const struct traci_variable *variable)
{
    struct ride *ride = context;
    struct bytes_reader reader = variable->value;
    uint32_t n;
    struct traci_crossing crossing;
    struct traci_value value;
    if (variable->domain == TRACI_LOOP) {
        assert_ok(traci_read_crossings(&reader, &n));
        for (; n > 0; n--) {
            assert_ok(traci_read_crossing(&reader, &crossing));
            if (crossing.left_s < 0)
                continue;
            assert_str(crossing.vehicle, "v1");
            ride->n_left++;
            ride->speed_mps = crossing.length_m / (crossing.left_s - crossing.entered_s);
        }
    } else if (variable->variable == TRACI_ARRIVED) {
        assert_ok(traci_read_value(&reader, &value));
        ride->arrived += value.i;
    }
}

static void a_vehicle_drives_over_a_loop(void **state)
{
    struct fixture *f = *state;
    int32_t api, n;
    char name[64];
    assert_ok(traci_version(f->client, &api, name, sizeof name));
    assert_int_equal(api, 20);
    assert_string_equal(name, "SUMO 1.15.0");
    const uint8_t crossings[] = {TRACI_VEHICLE_DATA}, arrived[] = {TRACI_ARRIVED};
    assert_ok(traci_subscribe_later(f->client, TRACI_LOOP, STR("L1"), crossings, 1));
    assert_ok(traci_subscribe_later(f->client, TRACI_LOOP, STR("none"), crossings, 1));
    assert_ok(traci_subscribe(f->client, TRACI_SIMULATION, STR(""), arrived, 1));
    assert_err(traci_subscribe(f->client, TRACI_LOOP, STR("no such loop"), crossings, 1), ERR_DENIED);
    const struct str edges[] = {STR_INIT("bottom0A0"), STR_INIT("A0A1")};
    assert_ok(traci_add_route(f->client, STR("r"), edges, 2));
    struct traci_departure departure = {STR("v1"), STR("r"), STR("car"), STR("best"), STR("base"), STR("max")};
    assert_ok(traci_add_vehicle(f->client, &departure));
    departure.vehicle = STR("v2");
    departure.route = STR("no such route");
    assert_ok(traci_add_vehicle(f->client, &departure));
    struct ride ride = {0};
    assert_ok(traci_step(f->client, 0, watch, &ride));
    assert_int_equal(traci_n_refused(f->client), 2); /* the loop and the route that are not there */
    assert_non_null(strstr(traci_refusal(f->client), "no such route"));
    assert_ok(traci_get_i32(f->client, TRACI_VEHICLE, TRACI_N_IDS, STR(""), &n));
    assert_int_equal(n, 1);
    for (int i = 0; i < 200 && ride.arrived == 0; i++)
        assert_ok(traci_step(f->client, 0, watch, &ride));
    assert_int_equal(ride.arrived, 1);
    assert_int_equal(ride.n_left, 1);
    assert_true(ride.speed_mps > 2 && ride.speed_mps < 15);
}

static void take_text(void *context, const struct traci_variable *variable)
{
    struct bytes_reader reader = variable->value;
    struct traci_value value;
    assert_ok(traci_read_value(&reader, &value));
    (void)snprintf(context, 32, STR_FORMAT, STR_ARG(value.s));
}

static void a_signal_is_set_and_read(void **state)
{
    struct fixture *f = *state;
    struct ride ride = {0};
    char text[32];
    assert_ok(traci_get(f->client, TRACI_SIGNAL, TRACI_SIGNAL_STATE, STR("A0"), take_text, text));
    size_t n = strlen(text);
    char red[32] = {0};
    memset(red, 'r', n);
    assert_ok(traci_set_signal(f->client, STR("A0"), TRACI_SIGNAL_STATE, value_text(str_from_c(red))));
    assert_ok(traci_step(f->client, 0, watch, &ride));
    assert_ok(traci_get(f->client, TRACI_SIGNAL, TRACI_SIGNAL_STATE, STR("A0"), take_text, text));
    assert_string_equal(text, red);
    assert_ok(traci_set_signal(f->client, STR("A0"), TRACI_SIGNAL_SET_PROGRAM, value_text(STR("0"))));
    assert_ok(traci_set_signal(f->client, STR("A0"), TRACI_SIGNAL_SET_PHASE, value_integer(2)));
    assert_ok(traci_set_signal(f->client, STR("A0"), TRACI_SIGNAL_SET_DURATION, value_real(25)));
    assert_ok(traci_step(f->client, 0, watch, &ride));
    int32_t phase;
    assert_ok(traci_get_i32(f->client, TRACI_SIGNAL, TRACI_SIGNAL_PHASE, STR("A0"), &phase));
    assert_int_equal(phase, 2);
    assert_int_equal(traci_n_refused(f->client), 0);
    assert_ok(traci_set_signal(f->client, STR("A0"), TRACI_SIGNAL_SET_PHASE, value_text(STR("two")))); /* of another type */
    assert_ok(traci_step(f->client, 0, watch, &ride));
    assert_int_equal(traci_n_refused(f->client), 1);
}

static void sumo_dies(void **state)
{
    struct fixture *f = *state;
    struct ride ride = {0};
    assert_ok(traci_step(f->client, 0, watch, &ride));
    assert_int_equal(kill(f->sumo, SIGKILL), 0);
    assert_true(waitpid(f->sumo, NULL, 0) == f->sumo);
    f->sumo = 0;
    assert_err(traci_step(f->client, 0, watch, &ride), ERR_UNAVAILABLE);
    struct traci_client *other;
    assert_err(traci_connect(f->port, &other), ERR_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_vehicle_drives_over_a_loop, start, stop),
        cmocka_unit_test_setup_teardown(a_signal_is_set_and_read, start, stop),
        cmocka_unit_test_setup_teardown(sumo_dies, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
