/*
 * The door over HTTP: who may speak, each request and its answer, bad bodies, a full disk, a hub that is behind, silent cameras.
 */
#include "system/vehicle_camera/test_door.h"

#include "base/file_sim.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct test_door door;
static struct clock_fake city_clock;

/* 2026-11-22 12:00:00 in China; the wall stands still, waits do not depend on it. */
#define NOW_MS 1795320000000LL
#define NOW_TEXT "20261122120000"

static int set_up(void **state)
{
    memset(&door, 0, sizeof door);
    clock_fake_init(&city_clock, (struct wall_time){NOW_MS});
    file_sim_make_root(door.data);
    door.clock = &city_clock.clock;
    fake_hub_reset();
    test_door_open(&door);
    return 0;
}

static int tear_down(void **state)
{
    test_door_close(&door);
    file_sim_remove_tree(door.data);
    fake_hub_reset();
    return 0;
}

static void reopen(const char *file)
{
    test_door_close(&door);
    fake_hub_reset();
    door.file = file;
    test_door_open(&door);
}

/* Sends and compares: the HTTP status, and the whole answer. */
static void expect(const char *device, const char *method, const char *path, const char *body, int status, const char *answer)
{
    struct buf got;
    int got_status = test_door_send(&door, device, method, path, str_from_c(body), &got);
    if (got_status != status || (answer != NULL && !str_equal_c(buf_str(&got), answer)))
        fail_msg("%s %s: %d %.*s\nwanted %d %s", method, path, got_status, (int)got.len, got.ptr, status, answer != NULL ? answer : "");
    buf_finish(&got);
}

/* The same, with a part of the answer. */
static void expect_part(const char *device, const char *method, const char *path, struct str body, int status, const char *part)
{
    struct buf got;
    int got_status = test_door_send(&door, device, method, path, body, &got);
    if (got_status != status || memmem(got.ptr, got.len, part, strlen(part)) == NULL)
        fail_msg("%s %s: %d %.*s\nwanted %d …%s…", method, path, got_status, (int)got.len, got.ptr, status, part);
    buf_finish(&got);
}

#define STATUS(id_, url_, code_, text_)                                                                                                    \
    "{\"Id\":\"" id_ "\",\"RequestURL\":\"" url_ "\",\"StatusCode\":" code_ ",\"StatusString\":\"" text_ "\",\"LocalTime\":\"" NOW_TEXT    \
    "\"}"
#define ONE(id_, url_, code_, text_) "{\"ResponseStatusObject\":" STATUS(id_, url_, code_, text_) "}"

static void register_keepalive_and_leave(void **state)
{
    const char *const device = FAKE_CAMERA_1;
    struct fake_report report;
    expect(device, "POST", "/VIID/System/Register", "{\"RegisterObject\":{\"DeviceID\":\"" FAKE_CAMERA_1 "\"}}", 200,
        ONE(FAKE_CAMERA_1, "/VIID/System/Register", "\"0\"", "注册成功"));
    expect(device, "POST", "/VIID/System/Keepalive", "{\"KeepaliveObject\":{\"DeviceID\":\"" FAKE_CAMERA_1 "\"}}", 200,
        ONE(FAKE_CAMERA_1, "/VIID/System/Keepalive", "\"0\"", "OK"));
    expect(device, "GET", "/VIID/System/Time", "", 200,
        "{\"SystemTimeObject\":{\"VIIDServerID\":\"\",\"TimeMode\":\"1\",\"LocalTime\":\"" NOW_TEXT "\",\"TimeZone\":\"+08:00\"}}");
    for (int i = 0; i < 5000 && (!fake_hub_report("camera/" FAKE_CAMERA_1, &report) || report.health != HUB_FRESH); i++)
        usleep(1000);
    assert_int_equal(report.health, HUB_FRESH);
    expect(device, "POST", "/VIID/System/UnRegister", "{\"UnRegisterObject\":{\"DeviceID\":\"" FAKE_CAMERA_1 "\"}}", 200,
        ONE(FAKE_CAMERA_1, "/VIID/System/UnRegister", "\"0\"", "注销成功"));
    for (int i = 0; i < 5000 && (!fake_hub_report("camera/" FAKE_CAMERA_1, &report) || report.health != HUB_STALE); i++)
        usleep(1000);
    assert_int_equal(report.health, HUB_STALE);
    assert_string_equal(report.detail, "unregistered");
}

static void who_may_speak(void **state)
{
    static const char *const routes[][2] = {{"POST", "/VIID/System/Register"}, {"POST", "/VIID/System/Keepalive"},
        {"POST", "/VIID/System/UnRegister"}, {"GET", "/VIID/System/Time"}, {"POST", "/VIID/MotorVehicles"},
        {"POST", "/VIID/SubscribeNotifications"}};
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        expect(NULL, routes[i][0], routes[i][1], "{}", 401, NULL);
        expect("33010600001190009999", routes[i][0], routes[i][1], "{}", 401, NULL); /* nobody's device */
    }
    char password[sizeof door.password];
    memcpy(password, door.password, sizeof password);
    door.password[0] ^= 1;
    expect(FAKE_CAMERA_1, "POST", "/VIID/MotorVehicles", "{}", 401, NULL);
    memcpy(door.password, password, sizeof password);
    expect_part(FAKE_CAMERA_1, "POST", "/VIID/System/Register", STR("{\"RegisterObject\":{\"DeviceID\":\"" FAKE_CAMERA_2 "\"}}"), 200,
        "\"StatusCode\":\"4\",\"StatusString\":\"DeviceID is not the camera that signed in by Digest");
}

static void passages_each_with_its_status(void **state)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[");
    fake_vehicle(&body, "id-1", FAKE_CAMERA_1, "浙A11111", NOW_TEXT);
    buf_append_c(&body, ",17,");
    fake_vehicle(&body, "id-2", "33010600001190009999", "浙A22222", NOW_TEXT);
    buf_append_c(&body, ",");
    fake_vehicle(&body, "id-3", FAKE_CAMERA_1, "浙A33333", "20261115120000");
    buf_append_c(&body, ",");
    fake_vehicle(&body, "id-4", FAKE_CAMERA_1, "浙A44444", "20261122115959");
    buf_append_c(&body, "]}}");
    buf_append_byte(&body, 0);
#define URL "/VIID/MotorVehicles"
    static const char answer[] = "{\"ResponseStatusListObject\":{\"ResponseStatusObject\":[" STATUS("id-1", URL, "\"0\"", "OK") "," STATUS(
        "", URL, "\"8\"", "a MotorVehicleObject is not an object") "," STATUS("id-2", URL, "\"4\"",
        "camera 33010600001190009999 is unknown here; have it put on the city's list of cameras") "," STATUS("id-3", URL, "\"8\"",
        "PassTime 20261115120000 lies 604800 s in the past, at most 86400 s are taken") "," STATUS("id-4", URL, "\"0\"", "OK") "]}}";
    expect(FAKE_CAMERA_1, "POST", URL, body.ptr, 200, answer);
    fake_hub_wait(2);
    assert_int_equal(fake_hub_count("浙A11111"), 1);
    assert_int_equal(fake_hub_count("浙A44444"), 1);
    assert_true(fake_hub_value(0, PASSAGE_TIME).i == NOW_MS);
    expect(FAKE_CAMERA_1, "POST", URL, body.ptr, 200, answer); /* sent again: the same answer, counted once */
    usleep(50000);
    assert_int_equal(fake_hub_n(), 2);
    buf_finish(&body);
}

/* Rule 1: StatusCode as an integer, by option. Rule 5: notifications, in both spellings, from a platform. */
static void options_and_notifications(void **state)
{
    static char file[4096];
    static const char line[] = "silent_after: 60s";
    const char *at = strstr(fake_city_file, line);
    assert_non_null(at);
    snprintf(file, sizeof file, "%.*s%s, status_code: integer, required: used%s", (int)(at - fake_city_file), fake_city_file, line,
        at + sizeof line - 1);
    reopen(file);
#undef URL
#define URL "/VIID/SubscribeNotifications"
    static const char body[] =
        "{\"SubscribeNotificationListObject\":{\"SubscribeNotificationObject\":["
        "{\"NotificationID\":\"n1\",\"SubscribeID\":\"s\",\"Title\":\"t\",\"TriggerTime\":\"" NOW_TEXT "\",\"InfoIDs\":\"v1\","
        "\"MotorVehicleObjectList\":{\"MotorVehicleObject\":[{\"MotorVehicleID\":\"v1\",\"DeviceID\":\"" FAKE_CAMERA_1
        "\",\"PassTime\":\"" NOW_TEXT "\",\"PlateNo\":\"浙A11111\"}]}},"
        "{\"NotificationID\":\"n2\",\"MotorVehicle0bjectList\":{\"MotorVehicleObject\":[{\"MotorVehicleID\":\"v2\",\"DeviceID\":"
        "\"" FAKE_CAMERA_2 "\",\"PassTime\":\"" NOW_TEXT "\",\"PlateNo\":\"浙A22222\"}]}},"
        "{\"NotificationID\":\"n3\",\"FaceObjectList\":{\"FaceObject\":[]}}]}}";
    expect(FAKE_PLATFORM, "POST", URL, body, 200,
        "{\"ResponseStatusListObject\":{\"ResponseStatusObject\":[" STATUS("v1", URL, "0", "OK") "," STATUS(
            "v2", URL, "0", "OK") "," STATUS("n3", URL, "0", "OK") "]}}");
    fake_hub_wait(2);
    assert_int_equal(fake_hub_count("浙A22222"), 1);
    expect(FAKE_PLATFORM, "POST", URL, "{\"SubscribeNotificationListObject\":{\"SubscribeNotificationObject\":[]}}", 200,
        "{\"ResponseStatusListObject\":{\"ResponseStatusObject\":[]}}");
#undef URL
}

static void bad_bodies(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *part;
    } rows[] = {
        {"", 400, "the body is empty"},
        {"passages", 400, "\"StatusCode\":\"7\""},
        {"{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[{]}}", 400, "line 1"},
        {"{\"MotorVehicleListObject\":\n{\"MotorVehicleObject\":\n[{\"Speed\":}]}}", 400, "line 3"},
        {"{\"MotorVehicleListObject\":{}}", 400, "\\\"MotorVehicleObject\\\" is missing"},
        {"{\"MotorVehicleListObject\":{},\"MotorVehicleListObject\":{}}", 400, "given twice"},
        {"[1,2,3]", 400, "not a JSON object"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_part(FAKE_CAMERA_1, "POST", "/VIID/MotorVehicles", str_from_c(rows[i].body), rows[i].status, rows[i].part);
    expect_part(FAKE_CAMERA_1, "POST", "/VIID/System/Register", STR("{\"RegisterObject\":{}}"), 400, "no text \\\"DeviceID\\\"");
    struct buf body;
    buf_init(&body, 32u << 20);
    buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[{\"Brand\":");
    for (int i = 0; i < 100000; i++)
        buf_append_c(&body, "[");
    for (int i = 0; i < 100000; i++)
        buf_append_c(&body, "]");
    buf_append_c(&body, "}]}}");
    expect_part(FAKE_CAMERA_1, "POST", "/VIID/MotorVehicles", buf_str(&body), 413, "nested deeper than 32 levels");
    buf_reset(&body);
    buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[{}");
    for (int i = 0; i < 10000; i++)
        buf_append_c(&body, ",{}");
    buf_append_c(&body, "]}}");
    expect_part(FAKE_CAMERA_1, "POST", "/VIID/MotorVehicles", buf_str(&body), 413, "10001 vehicles in one body");
    buf_reset(&body);
    assert_non_null(buf_reserve(&body, 9u << 20));
    memset(body.ptr, ' ', 9u << 20);
    buf_advance(&body, 9u << 20);
    struct buf answer;
    int status = test_door_send(&door, FAKE_CAMERA_1, "POST", "/VIID/MotorVehicles", buf_str(&body), &answer);
    assert_true(status == 413 || status == 0); /* http's own limit; it may hang up before all of it has come */
    if (status != 0)
        buf_finish(&answer);
    buf_finish(&body);
    assert_int_equal(fake_hub_n(), 0);
    expect_part(FAKE_CAMERA_1, "GET", "/VIID/System/Time", STR_NONE, 200, NOW_TEXT); /* and the door still stands */
}

/* The largest body that is taken: 10,000 passages, each answered. */
static void the_largest_bulk(void **state)
{
    struct buf body, answer;
    char id[32], plate[32];
    buf_init(&body, 16u << 20);
    buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[");
    for (int i = 0; i < 10000; i++) {
        snprintf(id, sizeof id, "id-%05d", i);
        snprintf(plate, sizeof plate, "浙A%05d", i);
        fake_vehicle(&body, id, FAKE_CAMERA_1, plate, NOW_TEXT);
        buf_append_c(&body, i < 9999 ? "," : "]}}");
    }
    assert_int_equal(test_door_send(&door, FAKE_CAMERA_1, "POST", "/VIID/MotorVehicles", buf_str(&body), &answer), 200);
    size_t n_ok = 0;
    for (const char *at = answer.ptr, *end = answer.ptr + answer.len;
         (at = memmem(at, (size_t)(end - at), "\"StatusCode\":\"0\"", 16)) != NULL; at++)
        n_ok++;
    assert_int_equal(n_ok, 10000);
    fake_hub_wait(10000);
    buf_finish(&answer);
    buf_finish(&body);
}

static int send_one(const char *id, const char *part)
{
    struct buf body, answer;
    buf_init(&body, 65536);
    buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[");
    fake_vehicle(&body, id, FAKE_CAMERA_1, "浙A11111", NOW_TEXT);
    buf_append_c(&body, "]}}");
    int status = test_door_send(&door, FAKE_CAMERA_1, "POST", "/VIID/MotorVehicles", buf_str(&body), &answer);
    if (part != NULL && memmem(answer.ptr, answer.len, part, strlen(part)) == NULL)
        fail_msg("%d %.*s does not say %s", status, (int)answer.len, answer.ptr, part);
    buf_finish(&answer);
    buf_finish(&body);
    return status;
}

/* The real disk's limit for this process: no status 0 any more, a clear word, and the composition is told. */
static void a_full_disk(void **state)
{
    struct rlimit old, small;
    char id[32];
    int status = 200;
    size_t n_taken = 0;
    assert_int_equal(send_one("before", "\"StatusCode\":\"0\""), 200);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN); /* then write() says EFBIG */
    small = (struct rlimit){20000, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 1000 && status == 200; i++) {
        snprintf(id, sizeof id, "id-%d", i);
        status = send_one(id, NULL);
        n_taken += status == 200;
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, 503);
    assert_true(n_taken > 10);
    assert_int_equal(
        send_one("after", "nothing is taken; keep it and send it again later"), 503); /* there is room again: a retry would lie */
    assert_int_not_equal(atomic_load(&door.fatal), ERR_OK);
    expect_part(FAKE_CAMERA_1, "GET", "/VIID/System/Time", STR_NONE, 200, NOW_TEXT);
    reopen(NULL);
    assert_int_equal(send_one("id-0", "\"StatusCode\":\"0\""), 200); /* acknowledged before: a repeat */
    assert_int_equal(send_one("after", "\"StatusCode\":\"0\""), 200);
    fake_hub_wait(1);
}

static void a_camera_that_falls_silent(void **state)
{
    struct fake_report report;
    for (int i = 0; i < 5000 && !fake_hub_report("camera/" FAKE_CAMERA_1, &report); i++)
        usleep(1000); /* all are told with the loop's first round */
    assert_int_equal(report.health, HUB_STALE);
    assert_string_equal(report.detail, "never");
    assert_int_equal(report.last_heard_ms, 0);
    assert_string_equal(report.area, "hangzhou.xihu.gudang");
    assert_string_equal(report.title_zh, "古翠路");
    assert_true(report.place.lon == 120.13 && report.place.lat == 30.28);
    assert_false(fake_hub_report("camera/" FAKE_PLATFORM, &report)); /* a platform is no camera */
    assert_int_equal(send_one("id-1", NULL), 200);
    for (int i = 0; i < 5000 && report.health != HUB_FRESH; i++) {
        usleep(1000);
        assert_true(fake_hub_report("camera/" FAKE_CAMERA_1, &report));
    }
    assert_int_equal(report.health, HUB_FRESH);
    assert_true(report.last_heard_ms == NOW_MS);
    assert_string_equal(report.detail, "");
    clock_fake_advance_ms(&city_clock, 61000);
    for (int i = 0; i < 5000 && report.health != HUB_STALE; i++) {
        usleep(1000);
        assert_true(fake_hub_report("camera/" FAKE_CAMERA_1, &report));
    }
    assert_int_equal(report.health, HUB_STALE);
    assert_string_equal(report.detail, "silent|60");
    assert_true(report.last_heard_ms == NOW_MS);
    expect_part(
        FAKE_CAMERA_1, "POST", "/VIID/System/Keepalive", STR("{\"KeepaliveObject\":{\"DeviceID\":\"" FAKE_CAMERA_1 "\"}}"), 200, "\"0\"");
    for (int i = 0; i < 5000 && report.health != HUB_FRESH; i++) {
        usleep(1000);
        assert_true(fake_hub_report("camera/" FAKE_CAMERA_1, &report));
    }
    assert_int_equal(report.health, HUB_FRESH);
}

/* What the cameras sent while the hub was behind is published when it is back. */
static void a_hub_that_is_behind(void **state)
{
    fake_hub_refuse(true);
    assert_int_equal(send_one("id-1", "\"StatusCode\":\"0\""), 200); /* durable, and room for it */
    usleep(20000);
    assert_int_equal(fake_hub_n(), 0);
    fake_hub_refuse(false);
    fake_hub_wait(1);
}

static void no_memory_is_busy_not_lost(void **state)
{
    static char id[200][16];
    int status = 0;
    assert_int_equal(send_one("warm", "\"StatusCode\":\"0\""), 200);
    for (uint64_t nth = 1; nth < 60; nth++) { /* some hit the client or the server: what counts is that nothing is acknowledged and lost */
        snprintf(id[nth], sizeof id[nth], "NTH%d", (int)nth);
        mem_fail_nth(nth);
        struct buf body, answer;
        buf_init(&body, 65536);
        mem_fail_nth(0);
        buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[");
        fake_vehicle(&body, id[nth], FAKE_CAMERA_1, id[nth], NOW_TEXT);
        buf_append_c(&body, "]}}");
        char url[256];
        struct http_response response = {0};
        snprintf(url, sizeof url, "http://127.0.0.1:%u/VIID/MotorVehicles", http_server_port(door.server));
        const struct http_request request = {
            .method = "POST", .url = url, .digest_user = FAKE_CAMERA_1, .digest_password = door.password, .body = buf_str(&body)};
        mem_fail_nth(nth);
        enum err err = http_client_perform(&request, &response);
        mem_fail_nth(0);
        answer = response.body;
        bool is_acknowledged =
            err == ERR_OK && response.status == 200 && memmem(answer.ptr, answer.len, "\"StatusCode\":\"0\"", 16) != NULL;
        status = err == ERR_OK ? response.status : 0;
        if (err == ERR_OK)
            buf_finish(&answer);
        buf_finish(&body);
        for (int i = 0; is_acknowledged && i < 5000 && fake_hub_count(id[nth]) == 0; i++)
            usleep(1000);
        if (is_acknowledged)
            assert_int_equal(fake_hub_count(id[nth]), 1);
        if (atomic_load(&door.fatal) != ERR_OK) { /* it was the journal's thread: the brain would stop */
            atomic_store(&door.fatal, ERR_OK);
            reopen(NULL);
        }
    }
    assert_int_equal(status, 200); /* the last ones had no fault left to hit */
}

/* ---- the end, in the midst of work ---- */

#define N_SENDERS 4

struct sender {
    pthread_t thread;
    int number;
    uint16_t port;
    size_t n_acknowledged;
};

static void *send_until_refused(void *context)
{
    struct sender *sender = context;
    char url[64], id[32];
    enum err err = ERR_OK;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/VIID/MotorVehicles", sender->port);
    for (size_t i = 0; err == ERR_OK; i++) {
        struct http_response response;
        struct buf body;
        buf_init(&body, 65536);
        buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[");
        snprintf(id, sizeof id, "S%dN%zu", sender->number, i);
        fake_vehicle(&body, id, FAKE_CAMERA_1, id, NOW_TEXT);
        buf_append_c(&body, "]}}");
        const struct http_request request = {
            .method = "POST", .url = url, .digest_user = FAKE_CAMERA_1, .digest_password = door.password, .body = buf_str(&body)};
        err = http_client_perform(&request, &response);
        if (err == ERR_OK) {
            sender->n_acknowledged += response.status == 200;
            buf_finish(&response.body);
        }
        buf_finish(&body);
    }
    return NULL;
}

static enum err count_rows(void *context, struct rows *rows)
{
    *(size_t *)context += rows_n(rows);
    return ERR_OK;
}

/* Requests are under way when the doors close: their answers have nowhere to go, and nothing acknowledged is missing afterwards. */
static void ends_in_the_midst_of_work(void **state)
{
    static struct sender senders[N_SENDERS];
    for (int round = 0; round < 5; round++) {
        size_t n_acknowledged = 0, n_kept = 0;
        for (int i = 0; i < N_SENDERS; i++) {
            senders[i] = (struct sender){.number = round * N_SENDERS + i, .port = http_server_port(door.server)};
            assert_int_equal(pthread_create(&senders[i].thread, NULL, send_until_refused, &senders[i]), 0);
        }
        usleep((useconds_t)(30000 + round * 1700));
        test_door_close(&door);
        for (int i = 0; i < N_SENDERS; i++) {
            pthread_join(senders[i].thread, NULL);
            n_acknowledged += senders[i].n_acknowledged;
        }
        fake_hub_reset();
        test_door_open(&door);
        assert_ok(system_vehicle_camera_ops.streams->replay(door.system, &fake_passage, (struct wall_time){0}, count_rows, &n_kept));
        assert_true(n_kept >= n_acknowledged);
        test_door_close(&door);
        file_sim_remove_tree(door.data);
        file_sim_make_root(door.data);
        test_door_open(&door);
    }
}

int main(void)
{
#define ROW(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(register_keepalive_and_leave),
        ROW(who_may_speak),
        ROW(passages_each_with_its_status),
        ROW(options_and_notifications),
        ROW(bad_bodies),
        ROW(the_largest_bulk),
        ROW(a_full_disk),
        ROW(a_camera_that_falls_silent),
        ROW(a_hub_that_is_behind),
        ROW(no_memory_is_busy_not_lost),
        ROW(ends_in_the_midst_of_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
