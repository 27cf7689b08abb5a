/* Signing in through the real server: the cookie, who one is, signing out, wrong passwords, guessing, other sites' pages. */
#include "base/mem.h"
#include "base/test.h"
#include "business/party/limit.h"
#include "business/party/party_testing.h"
#include "business/party/people.h"
#include "http/client.h"
#include "http/test_server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct door {
    struct party_fixture f;
    struct party_people *people;
    struct loop_thread *thread;
    struct http_server *server;
    struct http_mount mount;
};

static void open_server(void *context)
{
    struct door *door = context;
    struct http_server_options options = {.address = "127.0.0.1",
        .mounts = &door->mount,
        .n_mounts = 1,
        .auth = {.context = door->people, .token = party_token, .session = party_session}};
    struct diag diag = {""};
    door->mount = party_mount(door->people);
    if (http_server_create(loop_thread_loop(door->thread), &options, &diag, &door->server) != ERR_OK)
        fail_msg("%s", diag.text);
}

static void close_server(void *context)
{
    struct door *door = context;
    http_server_destroy(door->server);
}

static int setup(void **state)
{
    static struct door door;
    memset(&door, 0, sizeof(door));
    party_fixture_set_up(&door.f);
    door.people = party_fixture_open(&door.f);
    assert_ok(loop_thread_start(clock_system(), "http", &door.thread));
    loop_thread_call(door.thread, open_server, &door);
    *state = &door;
    return 0;
}

static int teardown(void **state)
{
    struct door *door = *state;
    if (door->server)
        loop_thread_call(door->thread, close_server, door);
    party_close(door->people);
    loop_thread_stop(door->thread);
    party_fixture_tear_down(&door->f);
    return mem_n_live() == 0 ? 0 : -1;
}

/* The status; `out` gets the body. `cookie` and `other`: whole header lines, or NULL. */
static int ask(struct door *door, const char *method, const char *body, const char *cookie, const char *other, char *out, size_t size)
{
    const char *headers[] = {cookie ? cookie : "X-None: 1", other ? other : "X-None: 2", NULL};
    struct http_response response;
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/party/v1/session", http_server_port(door->server));
    assert_ok(http_client_perform(
        &(struct http_request){
            .method = method, .url = url, .content_type = body ? "application/json" : NULL, .headers = headers, .body = str_from_c(body)},
        &response));
    snprintf(out, size, STR_FORMAT, STR_ARG(buf_str(&response.body)));
    buf_finish(&response.body);
    return response.status;
}

/* Over a plain socket, to see the header. */
static int begin_sign_in(struct door *door, const char *name)
{
    char request[512], body[128];
    int fd = test_connect(http_server_port(door->server));
    snprintf(body, sizeof(body), "{\"name\":\"%s\",\"password\":\"" PARTY_DEMO_PASSWORD "\"}", name);
    snprintf(request, sizeof(request),
        "POST /party/v1/session HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
        body);
    test_send_c(fd, request);
    return fd;
}

/* The "Cookie: citybrain=…" line into `cookie`. */
static void sign_in(struct door *door, const char *name, char *cookie, size_t size)
{
    char answer[2048] = "";
    int fd = begin_sign_in(door, name);
    assert_int_equal(test_read_answer(fd, answer, sizeof(answer), false), 200);
    close(fd);
    const char *found = strstr(answer, "Set-Cookie: citybrain=");
    assert_non_null(found);
    assert_non_null(strstr(answer, "; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800\r\n"));
    if (found)
        snprintf(cookie, size, "Cookie: citybrain=%.64s", found + 22);
}

static void signs_in_and_out(void **state)
{
    struct door *door = *state;
    char body[2048], cookie[128];

    assert_int_equal(ask(door, "GET", NULL, NULL, NULL, body, sizeof(body)), 401);
    sign_in(door, "mayor", cookie, sizeof(cookie));
    assert_int_equal(ask(door, "GET", NULL, cookie, NULL, body, sizeof(body)), 200);
    assert_non_null(strstr(body,
        "\"person\":\"mayor\",\"party\":\"h/post.mayor\",\"for\":\"h/world\",\"roles\":[\"manage\"],\"area\":\"h\",\"level\":\"city\""));
    assert_non_null(strstr(body, "\"title\":{\"zh\":\"市长\",\"en\":\"Mayor\"}"));
    assert_non_null(strstr(body, "\"city\":{\"name\":\"h\""));
    assert_non_null(strstr(body, "\"time_zone\":\"UTC\""));
    assert_int_equal(ask(door, "DELETE", NULL, cookie, "Origin: http://evil.example", body, sizeof(body)), 403);
    assert_int_equal(ask(door, "GET", NULL, cookie, NULL, body, sizeof(body)), 200);
    assert_int_equal(ask(door, "DELETE", NULL, cookie, NULL, body, sizeof(body)), 204);
    assert_int_equal(ask(door, "GET", NULL, cookie, NULL, body, sizeof(body)), 401);
    assert_int_equal(ask(door, "DELETE", NULL, cookie, NULL, body, sizeof(body)), 401);
}

static void refuses(void **state)
{
    struct door *door = *state;
    char body[2048];
    static const struct {
        const char *body, *other;
        int status;
        const char *says;
    } rows[] = {
        {"{\"name\":\"mayor\",\"password\":\"wrong\"}", NULL, 401, "name or password is wrong"},
        {"{\"name\":\"nobody\",\"password\":\"citybrain-demo\"}", NULL, 401, "name or password is wrong"},
        {"{\"name\":\"clerk\",\"password\":\"\"}", NULL, 401, "name or password is wrong"}, /* has none */
        {"{\"name\":\"mayor\",\"password\":\"citybrain-demo\"}", "Origin: http://evil.example", 403, "another site"},
        {"{\"name\":\"mayor\"}", NULL, 400, "password"},
        {"{\"name\":1,\"password\":2}", NULL, 400, "password"},
        {"[]", NULL, 400, "password"},
        {"{\"name\":\"mayor\",\"password\":\"a\",\"password\":\"b\"}", NULL, 400, "duplicate"},
        {"{", NULL, 400, "JSON"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status = ask(door, "POST", rows[i].body, NULL, rows[i].other, body, sizeof(body));
        if (status != rows[i].status || !strstr(body, rows[i].says))
            fail_msg("row %zu: %d %s", i, status, body);
    }
}

/* On the thread that reads the clock. */
static void half_a_minute_later(void *context)
{
    struct door *door = context;
    clock_fake_advance_ms(&door->f.clock, PARTY_FAILURE_WAIT_MS + 1);
}

static void guessing_waits(void **state)
{
    struct door *door = *state;
    char body[2048], cookie[128];

    for (int i = 0; i < PARTY_FAILURES_PAIR; i++)
        assert_int_equal(ask(door, "POST", "{\"name\":\"mayor\",\"password\":\"guess\"}", NULL, NULL, body, sizeof(body)), 401);
    assert_int_equal(ask(door, "POST", "{\"name\":\"mayor\",\"password\":\"citybrain-demo\"}", NULL, NULL, body, sizeof(body)), 429);
    assert_non_null(strstr(body, "too many wrong passwords"));
    loop_thread_call(door->people->sign_in, half_a_minute_later, door);
    sign_in(door, "mayor", cookie, sizeof(cookie));
}

/* The server goes while passwords are being looked at: nothing is touched that is gone. */
static void the_server_may_go_meanwhile(void **state)
{
    struct door *door = *state;
    int fds[6];

    for (size_t i = 0; i < 6; i++)
        fds[i] = begin_sign_in(door, "mayor");
    usleep(50000); /* the first are being looked at, the last wait */
    loop_thread_call(door->thread, close_server, door);
    door->server = NULL;
    for (size_t i = 0; i < 6; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(signs_in_and_out, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(guessing_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(the_server_may_go_meanwhile, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
