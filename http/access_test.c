/* Who gets in: tokens, sessions and what a browser must prove, Digest through curl and by hand. Everybody else is refused. */
#include "base/crypto.h"
#include "base/mem.h"
#include "http/client.h"
#include "http/test_server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CAMERA "33010600001190000001"

static char answer[1 << 16];

static int setup(void **state)
{
    static struct test_server server;

    memset(&server, 0, sizeof(server));
    test_server_start(&server);
    *state = &server;
    return 0;
}

static int teardown(void **state)
{
    test_server_stop(*state);
    return mem_n_live() == 0 ? 0 : -1;
}

static void knows_who_asks(void **state)
{
    struct test_server *t = *state;
#define GET_PRIVATE "GET /private/x HTTP/1.1\r\nHost: brain:8080\r\n"
#define POST_PRIVATE "POST /private/x HTTP/1.1\r\nHost: brain:8080\r\nContent-Length: 2\r\n"
#define SESSION "Cookie: theme=dark; citybrain=good-session\r\n"
#define JSON "Content-Type: application/json\r\n"
    static const struct {
        const char *request;
        int status;
        const char *says;
    } rows[] = {
        {GET_PRIVATE "\r\n", 401, "WWW-Authenticate: Bearer"},
        {GET_PRIVATE "Authorization: Bearer good-token\r\n\r\n", 200, "\"party\":\"hangzhou/scene.parking\""},
        {GET_PRIVATE "Authorization: bearer good-token\r\n\r\n", 200, "Cache-Control: no-store"},
        {GET_PRIVATE "Authorization: Bearer bad-token\r\n\r\n", 401, "not known"},
        {GET_PRIVATE "Authorization: Bearer \r\n\r\n", 401, "token"},
        {GET_PRIVATE "Authorization: Basic Z29vZA==\r\n\r\n", 401, "bearer token"},
        {GET_PRIVATE "Authorization: Bearer good-token\r\nAuthorization: Bearer x\r\n\r\n", 401, "more than one"},
        {GET_PRIVATE "Authorization: Bearer bad-token\r\n" SESSION "\r\n", 401,
            "not known"}, /* a wrong token is not made good by a cookie */
        {GET_PRIVATE SESSION "\r\n", 200, "\"person\":\"mayor\""},
        {GET_PRIVATE "Cookie: citybrain=bad\r\n\r\n", 401, "sign in again"},
        {GET_PRIVATE "Cookie: xcitybrain=good-session\r\n\r\n", 401, "sign in"},
        {GET_PRIVATE SESSION "Sec-Fetch-Site: cross-site\r\n\r\n", 200,
            "mayor"}, /* reading changes nothing, and the reader cannot see it */
        {POST_PRIVATE "Authorization: Bearer good-token\r\n\r\n{}", 200, "\"body\":2"},
        {POST_PRIVATE SESSION JSON "\r\n{}", 200, "mayor"},
        {POST_PRIVATE SESSION JSON "Sec-Fetch-Site: same-origin\r\nOrigin: http://brain:8080\r\n\r\n{}", 200, "mayor"},
        {POST_PRIVATE SESSION JSON "Sec-Fetch-Site: cross-site\r\n\r\n{}", 403, "another site"},
        {POST_PRIVATE SESSION JSON "Sec-Fetch-Site: same-site\r\n\r\n{}", 403, "another site"},
        {POST_PRIVATE SESSION JSON "Origin: http://evil.example\r\n\r\n{}", 403, "another site"},
        {POST_PRIVATE SESSION JSON "Origin: http://brain:8081\r\n\r\n{}", 403, "another site"},
        {POST_PRIVATE SESSION JSON "Origin: null\r\n\r\n{}", 403, "another site"},
        {POST_PRIVATE SESSION JSON "Origin: https://brain:8080\r\n\r\n{}", 200, "mayor"}, /* nginx in front speaks TLS */
        {POST_PRIVATE SESSION "Content-Type: text/plain\r\n\r\n{}", 415, "application/json"},
        {POST_PRIVATE SESSION "\r\n{}", 415, "application/json"},
        {"DELETE /private/x HTTP/1.1\r\nHost: brain:8080\r\n" SESSION "\r\n", 200, "mayor"},
        {"DELETE /private/x HTTP/1.1\r\nHost: brain:8080\r\n" SESSION "Origin: http://evil.example\r\n\r\n", 403, "another site"},
        {"POST /json HTTP/1.1\r\nHost: brain:8080\r\nContent-Length: 2\r\n" JSON "Origin: http://evil.example\r\n\r\n{}", 403,
            "another site"},
        {"POST /signed/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n" SESSION "\r\n{}", 200, "\"party\":\"\""},
        {"POST /signed/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", 200, "\"body\":2"},
        {"POST /camera/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", 401,
            "Digest realm=\"citybrain\", qop=\"auth\", algorithm=\"MD5\""},
        {"POST /camera/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nAuthorization: Bearer good-token\r\n\r\n{}", 401, "Digest realm"},
        {"POST /camera/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nAuthorization: Digest username=\"" CAMERA "\"\r\n\r\n{}", 401,
            "nonce="},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status = test_ask(t->port, rows[i].request, answer, sizeof(answer));
        if (status != rows[i].status || !strstr(answer, rows[i].says))
            fail_msg("row %zu: %d, not %d with \"%s\":\n%s\n---\n%s", i, status, rows[i].status, rows[i].says, rows[i].request, answer);
    }
}

/* Each kind of route asked by each kind of asker; to whom it is not open it looks like /nothing, byte for byte but for the path. */
static void a_route_is_open_to_its_own_askers(void **state)
{
    struct test_server *t = *state;
    static const char *const askers[] = {"", "Authorization: Bearer good-token\r\n", "Cookie: citybrain=good-session\r\n",
        "Cookie: citybrain=citizens-session\r\n", "Cookie: citybrain=good-session\r\nAuthorization: Bearer good-token\r\n"};
    static const struct {
        const char *request;
        int status[5]; /* nobody, a program, an official, a citizen, a program that shows an official's cookie */
    } rows[] = {
        {"GET /hello", {200, 200, 200, 200, 200}},
        {"GET /private/x", {401, 200, 200, 200, 200}},
        {"GET /official/x", {401, 404, 200, 404, 404}},
        {"POST /official/x", {401, 404, 200, 404, 404}},
        {"GET /official-stream", {401, 404, 200, 404, 404}},
        {"GET /citizen/x", {401, 404, 404, 200, 404}},
        {"GET /nothing", {404, 404, 404, 404, 404}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t who = 0; who < 5; who++) {
            char request[512];
            snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s%s\r\n%s", rows[i].request, askers[who],
                rows[i].request[0] == 'P' ? "Content-Type: application/json\r\nContent-Length: 2\r\n" : "",
                rows[i].request[0] == 'P' ? "{}" : "");
            int fd = test_connect(t->port), status;
            test_send_c(fd, request);
            status = test_read_answer(fd, answer, sizeof(answer), strstr(rows[i].request, "stream") != NULL);
            close(fd);
            if (status != rows[i].status[who])
                fail_msg("%s by asker %zu: %d", rows[i].request, who, status);
            if (status == 404 && !strstr(rows[i].request, "stream"))
                assert_non_null(strstr(answer, "\"detail\":\"there is nothing at this path\""));
        }
}

static int ask_as_camera(struct test_server *t, const char *user, const char *password, char *out, size_t size)
{
    struct http_response response;
    char url[64];
    int status;

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/camera/x?y=1", t->port);
    assert_ok(http_client_perform(
        &(struct http_request){.method = "POST", .url = url, .digest_user = user, .digest_password = password, .body = STR("{\"a\":1}")},
        &response));
    status = response.status;
    snprintf(out, size, STR_FORMAT, STR_ARG(buf_str(&response.body)));
    buf_finish(&response.body);
    return status;
}

static void cameras_sign_with_digest(void **state)
{
    struct test_server *t = *state;
    char body[1024];

    assert_int_equal(ask_as_camera(t, CAMERA, "camera-secret", body, sizeof(body)), 200);
    assert_non_null(strstr(body, "\"party\":\"hangzhou/police\""));
    assert_non_null(strstr(body, "\"device\":\"" CAMERA "\""));
    assert_non_null(strstr(body, "\"body\":7"));
    assert_int_equal(ask_as_camera(t, CAMERA, "wrong", body, sizeof(body)), 401);
    assert_int_equal(ask_as_camera(t, "33010600001190000002", "camera-secret", body, sizeof(body)), 401);
}

/* Signs a request for `uri` with the nonce that the last answer offers, and sends it to `target`. */
static int sign(struct test_server *t, const char *nonce, const char *uri, const char *target, int nc)
{
    char ha1[33], ha2[33], response[33], line[1024];

    crypto_md5_hex(STR(CAMERA ":citybrain:camera-secret"), ha1);
    snprintf(line, sizeof(line), "POST:%s", uri);
    crypto_md5_hex(str_from_c(line), ha2);
    snprintf(line, sizeof(line), "%s:%s:%08x:0a4f113b:auth:%s", ha1, nonce, (unsigned)nc, ha2);
    crypto_md5_hex(str_from_c(line), response);
    snprintf(line, sizeof(line),
        "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nAuthorization: Digest username=\"" CAMERA
        "\", realm=\"citybrain\", nonce=\"%s\", uri=\"%s\", response=\"%s\", qop=auth, nc=%08x, cnonce=\"0a4f113b\"\r\n\r\n{}",
        target, nonce, uri, response, (unsigned)nc);
    return test_ask(t->port, line, answer, sizeof(answer));
}

static void replayed_answers_are_stale(void **state)
{
    struct test_server *t = *state;
    char nonce[49];
    const char *found;

    assert_int_equal(test_ask(t->port, "POST /camera/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", answer, sizeof(answer)), 401);
    assert_null(strstr(answer, "stale"));
    found = strstr(answer, "nonce=\"");
    assert_non_null(found);
    snprintf(nonce, sizeof(nonce), "%.48s", found + 7);
    assert_int_equal(sign(t, nonce, "/camera/x", "/camera/x", 1), 200);
    assert_int_equal(sign(t, nonce, "/camera/x", "/camera/x", 1), 401);
    assert_non_null(strstr(answer, "stale=true"));
    assert_int_equal(sign(t, nonce, "/camera/x", "/camera/x", 2), 200);
    assert_int_equal(sign(t, nonce, "/camera/x", "/camera/y", 3), 400); /* signed for another address */
    assert_int_equal(sign(t, nonce, "/camera/x", "/camera/x?y=1", 3), 400);
    assert_int_equal(sign(t, nonce, "http://brain/camera/x", "/camera/x", 3), 200);
    nonce[0] = nonce[0] == '0' ? '1' : '0';
    assert_int_equal(sign(t, nonce, "/camera/x", "/camera/x", 4), 401); /* not a nonce of ours */
    assert_non_null(strstr(answer, "stale=true"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(knows_who_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_route_is_open_to_its_own_askers, setup, teardown),
        cmocka_unit_test_setup_teardown(cameras_sign_with_digest, setup, teardown),
        cmocka_unit_test_setup_teardown(replayed_answers_are_stale, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
