/* The client against our own server: waiting, on a loop, and when there is nobody. */
#include "base/mem.h"
#include "http/client.h"
#include "http/test_server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CAMERA "33010600001190000001"

struct fixture {
    struct test_server server;
    struct loop *loop;
    struct http_client *client;
    int n_done, n_ok, n_cancelled, last_status;
    enum err last_err;
};

static int setup(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    test_server_start(&f.server);
    assert_ok(loop_create(clock_system(), &f.loop));
    assert_ok(http_client_create(f.loop, 8, &f.client));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    http_client_destroy(f->client);
    loop_destroy(f->loop);
    test_server_stop(&f->server);
    return mem_n_live() == 0 ? 0 : -1;
}

static const char *url_of(struct fixture *f, const char *path)
{
    static char url[128];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", f->server.port, path);
    return url;
}

static int ask(const struct http_request *request, const char *says)
{
    struct http_response response;
    int status;

    assert_ok(http_client_perform(request, &response));
    status = response.status;
    buf_append_byte(&response.body, '\0');
    if (!strstr(response.body.ptr, says))
        fail_msg("\"%s\", not \"%s\"", response.body.ptr, says);
    buf_finish(&response.body);
    return status;
}

static void waits(void **state)
{
    struct fixture *f = *state;
    struct http_response response;
    static const char *const headers[] = {"User-Agent: tester", NULL};

    assert_int_equal(ask(&(struct http_request){.method = "GET", .url = url_of(f, "/hello")}, "world"), 200);
    assert_int_equal(ask(&(struct http_request){.method = "HEAD", .url = url_of(f, "/hello")}, ""), 200);
    assert_int_equal(ask(&(struct http_request){.method = "GET", .url = url_of(f, "/echo/a"), .headers = headers}, "\"tester\""), 200);
    assert_int_equal(
        ask(&(struct http_request){.method = "GET", .url = url_of(f, "/private/a"), .bearer = "good-token"}, "scene.parking"), 200);
    assert_int_equal(ask(&(struct http_request){.method = "GET", .url = url_of(f, "/private/a"), .bearer = "bad"}, "not known"), 401);
    assert_int_equal(
        ask(&(struct http_request){.method = "DELETE", .url = url_of(f, "/private/a"), .bearer = "good-token"}, "scene.parking"), 200);
    assert_int_equal(
        ask(&(struct http_request){.method = "POST", .url = url_of(f, "/json"), .content_type = "application/json", .body = STR("{}")},
            "{}"),
        200);
    assert_int_equal(ask(&(struct http_request){.method = "GET", .url = url_of(f, "/none")}, "Not Found"), 404);

    assert_err(
        http_client_perform(&(struct http_request){.method = "GET", .url = url_of(f, "/keep"), .timeout_ms = 100}, &response), ERR_TIMEOUT);
    assert_err(http_client_perform(&(struct http_request){.method = "GET", .url = "http://127.0.0.1:1/"}, &response), ERR_UNAVAILABLE);
    assert_err(http_client_perform(&(struct http_request){.method = "GET", .url = "file:///etc/passwd"}, &response), ERR_SYNTAX);
    assert_err(http_client_perform(&(struct http_request){.method = "GET", .url = "nonsense:"}, &response), ERR_SYNTAX);
}

static void on_done(void *context, enum err err, const struct http_response *response)
{
    struct fixture *f = context;

    f->n_done++;
    f->last_err = err;
    f->n_cancelled += err == ERR_CANCELLED;
    f->last_status = response ? response->status : 0;
    f->n_ok += response && response->status == 200;
}

static void run_until(struct fixture *f, int n_done)
{
    for (int i = 0; i < 5000 && f->n_done < n_done; i++)
        assert_ok(loop_run_once(f->loop, 10));
    assert_int_equal(f->n_done, n_done);
}

static void keeps_many_going(void **state)
{
    struct fixture *f = *state;
    struct http_request request = {.method = "GET", .url = url_of(f, "/later")};

    for (int i = 0; i < 100; i++)
        assert_ok(http_client_start(f->client, &request, on_done, f));
    run_until(f, 100);
    assert_int_equal(f->n_ok, 100);

    request = (struct http_request){.method = "POST",
        .url = url_of(f, "/camera/x"),
        .digest_user = CAMERA,
        .digest_password = "camera-secret",
        .content_type = "application/VIID+JSON",
        .body = STR("{}")};
    for (int i = 0; i < 20; i++) {
        assert_ok(http_client_start(f->client, &request, on_done, f));
        run_until(f, 101 + i);
    }
    assert_int_equal(f->n_ok, 120);
    request.digest_password = "wrong";
    request.digest_user = "33010600001190000002";
    assert_ok(http_client_start(f->client, &request, on_done, f));
    run_until(f, 121);
    assert_int_equal(f->last_status, 401);
}

static void tells_what_went_wrong(void **state)
{
    struct fixture *f = *state;

    assert_ok(http_client_start(f->client, &(struct http_request){.method = "GET", .url = "http://127.0.0.1:1/"}, on_done, f));
    run_until(f, 1);
    assert_err(f->last_err, ERR_UNAVAILABLE);
    assert_ok(
        http_client_start(f->client, &(struct http_request){.method = "GET", .url = url_of(f, "/keep"), .timeout_ms = 50}, on_done, f));
    run_until(f, 2);
    assert_err(f->last_err, ERR_TIMEOUT);
}

static void ends_what_is_pending(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 5; i++)
        assert_ok(http_client_start(f->client, &(struct http_request){.method = "GET", .url = url_of(f, "/keep")}, on_done, f));
    for (int i = 0; i < 10; i++)
        assert_ok(loop_run_once(f->loop, 5));
    http_client_destroy(f->client);
    f->client = NULL;
    assert_int_equal(f->n_cancelled, 5);
}

/* The server's kept exchanges must be replied before it stops, or nobody frees them. */
static int teardown_kept(void **state)
{
    struct fixture *f = *state;

    test_server_call(&f->server, test_server_reply_kept);
    return teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(waits, setup, teardown_kept),
        cmocka_unit_test_setup_teardown(keeps_many_going, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_what_went_wrong, setup, teardown_kept),
        cmocka_unit_test_setup_teardown(ends_what_is_pending, setup, teardown_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
