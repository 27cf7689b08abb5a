/*
 * A department that means no good, or is broken: every asking ends within its time, with rows that are right or with an error; nothing
 * grows, nothing is fetched from anywhere else, and when the department is itself again so are its answers.
 */
#include "system/http/http_testing.h"

#include "base/mem.h"
#include "base/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAP                                                                                                                                \
    "rows: /data/items, fields: {plate: /id, colour: /look/colour, price: {at: /price, form: text}, electric: {at: /electric, form: "      \
    "number}, since: {at: /since, form: seconds}}"
#define LIST "get: /vehicles, query: {limit: 1000}, " MAP
#define QUICK "  rows_max: 2000\n"

static void rest(int ms)
{
    const struct timespec moment = {.tv_nsec = ms * 1000000L};
    nanosleep(&moment, NULL);
}

/* A good answer comes again, within the pause that the department was given. */
static void is_itself_again(const char *what)
{
    const struct mono_time begun = clock_mono(clock_system());
    web_set(web_good);
    while (web_ask("A00003")->err && mono_ms_between(begun, clock_mono(clock_system())) < 20000)
        rest(20);
    if (strcmp(web_ask("A00003")->text, "A00003|white|4") != 0)
        fail_msg("after %s: %s", what, err_text(web_ask("A00003")->err));
}

/* ---- answers of every kind ---- */

static _Atomic(const char *) the_body;
static bool says(const struct web_request *request, int fd)
{
    return web_reply(fd, 200, "", atomic_load(&the_body));
}

#define ROW(id_, seats_) "{\"data\":{\"items\":[{\"id\":" id_ ",\"seats\":" seats_ "}]}}"
static void odd_json(void **state)
{
    static const struct {
        const char *body;
        enum err err;
    } rows[] = {
        {"", ERR_CORRUPT},
        {"<html>Sorry</html>", ERR_CORRUPT},
        {"{\"data\":{\"items\":[{\"id\":\"A00003\"", ERR_CORRUPT},
        {"{\"data\":{\"items\":[]}} trailing", ERR_CORRUPT},
        {"{\"data\":{\"items\":[]},\"data\":{\"items\":[]}}", ERR_CORRUPT},
        {"{\"data\":{\"items\":\"none\"}}", ERR_CORRUPT},
        {"{\"data\":null}", ERR_CORRUPT},
        {"{\"data\":{\"items\":[7]}}", ERR_CORRUPT},
        {"{\"data\":{\"items\":[null]}}", ERR_CORRUPT},
        {"{\"data\":{\"items\":[{\"id\":\"\xff\xfe\",\"seats\":1}]}}", ERR_CORRUPT},
        {ROW("\"a\\u0000b\"", "1"), ERR_CORRUPT},
        {ROW("7", "1"), ERR_CORRUPT},
        {ROW("[\"A00003\"]", "1"), ERR_CORRUPT},
        {ROW("\"A00003\"", "\"4\""), ERR_CORRUPT},
        {ROW("\"A00003\"", "4.5"), ERR_CORRUPT},
        {ROW("\"A00003\"", "99999999999999999999"), ERR_CORRUPT},
        {ROW("\"A00003\"", "1e999"), ERR_CORRUPT},
        {ROW("\"A00003\"", "true"), ERR_CORRUPT},
        {ROW("\"A00003\"", "{}"), ERR_CORRUPT},
        {ROW("\"A00003\"", "null"), ERR_OK},
        {"{\"data\":{\"items\":[{}]}}", ERR_OK},
        {"{\"data\":{\"items\":[[]]}}", ERR_OK},
        {"{\"data\":{\"items\":{\"id\":\"A00003\",\"seats\":4}}}", ERR_OK},
    };
    web_city_make(LIST, QUICK);
    fake_department_load(&web_city);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        the_body = rows[i].body;
        web_set(says);
        enum err err = web_ask("A00003")->err;
        if (err != rows[i].err)
            fail_msg("row %zu, %s: %s", i, rows[i].body, err_text(err));
    }
    static char deep[4096]; /* nested deeper than JSON may be here */
    memset(deep, '[', 2000);
    the_body = deep;
    assert_err(web_ask("A00003")->err, ERR_CORRUPT);
    static char huge[3u << 20]; /* one cell */
    size_t head = (size_t)snprintf(huge, sizeof huge, "{\"data\":{\"items\":[{\"seats\":1,\"id\":\"");
    memset(huge + head, 'x', 2u << 20);
    memcpy(huge + head + (2u << 20), "\"}]}}", 6);
    the_body = huge;
    assert_err(web_ask("A00003")->err, ERR_CORRUPT);
    is_itself_again("odd JSON");
    web_city_finish();
}

/* A good answer with some bytes changed: rows of the right types, or an error. */
static void changed_bytes(void **state)
{
    static char texts[300][4096]; /* each its own: another thread may still be sending the one before */
    const char *of_seed = getenv("CITYBRAIN_TEST_SEED");
    unsigned seed = of_seed ? (unsigned)strtoul(of_seed, NULL, 10) : (unsigned)time(NULL);
    struct buf body;
    size_t n_ok = 0;
    printf("seed %u\n", seed);
    buf_init(&body, sizeof texts[0] - 1);
    buf_append_c(&body, "{\"data\":{\"items\":[");
    for (size_t i = 0; i < 20; i++) {
        buf_append_c(&body, i ? "," : "");
        web_row(i, &body);
    }
    buf_append_c(&body, "]}}");
    web_city_make(LIST, QUICK);
    fake_department_load(&web_city);
    assert_ok(body.err);
    for (int i = 0; i < 300; i++) {
        char *text = texts[i];
        memcpy(text, body.ptr, body.len);
        text[body.len] = '\0';
        for (int j = rand_r(&seed) % 4; j >= 0; j--)
            text[(size_t)rand_r(&seed) % body.len] = "\"\\{}[],:0129-eE.aun \x01\x7f\x80\xff"[rand_r(&seed) % 24];
        the_body = text;
        web_set(says);
        n_ok += fake_ask(&web_city, &(struct fake_question){.outputs = {"plate", "colour", "seats", "price", "electric", "since"}})->err ==
                ERR_OK;
    }
    buf_finish(&body);
    printf("300 changed answers, %zu still JSON of the right types\n", n_ok);
    is_itself_again("changed bytes");
    web_city_finish();
}

/* ---- what has no end ---- */

static bool drips(const struct web_request *request, int fd)
{
    web_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    for (int i = 0; i < 60; i++, rest(20))
        web_write(fd, " ");
    return false;
}

static bool is_silent(const struct web_request *request, int fd)
{
    rest(900);
    return false;
}

static bool pours(const struct web_request *request, int fd)
{
    static char spaces[65537];
    memset(spaces, ' ', 65536);
    web_write(fd, "HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < 200; i++)
        web_write(fd, spaces);
    return false;
}

static bool pours_headers(const struct web_request *request, int fd)
{
    static char header[1024];
    memset(header, 'x', sizeof header - 3);
    memcpy(header, "X-H: ", 5);
    memcpy(header + sizeof header - 3, "\r\n", 3);
    web_write(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 4000; i++)
        web_write(fd, header);
    return false;
}

static bool stops_short(const struct web_request *request, int fd)
{
    web_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{\"data\":{\"items\":[]}}");
    return false;
}

static bool hangs_up(const struct web_request *request, int fd)
{
    return false;
}

static bool talks_nonsense(const struct web_request *request, int fd)
{
    web_write(fd, "220 mail.example.org ESMTP\r\n");
    return false;
}

static void without_an_end(void **state)
{
    static const struct {
        const char *what;
        web_answer_fn answer;
        enum err err, or_err;
    } rows[] = {
        {"slow bytes", drips, ERR_TIMEOUT, ERR_TIMEOUT},
        {"silence", is_silent, ERR_TIMEOUT, ERR_TIMEOUT},
        {"an endless body", pours, ERR_TOO_LARGE, ERR_TOO_LARGE},
        {"endless headers", pours_headers, ERR_UNAVAILABLE, ERR_TIMEOUT},
        {"half an answer", stops_short, ERR_UNAVAILABLE, ERR_TIMEOUT},
        {"hanging up", hangs_up, ERR_UNAVAILABLE, ERR_TIMEOUT},
        {"another protocol", talks_nonsense, ERR_UNAVAILABLE, ERR_TIMEOUT},
    };
    web_city_make(LIST, QUICK);
    char text[4096];
    snprintf(text, sizeof text,
        "connection: {url: \"http://127.0.0.1:%d/v1\", timeout: 500ms, connections: 2}\nresources:\n  - {name: vehicle, title: {zh: 车, "
        "en: V}, kind: table, bind: {" LIST "}, " WEB_FIELDS,
        web_port());
    fake_department_write(&web_city, "http", text);
    fake_department_load(&web_city);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        web_set(rows[i].answer);
        enum err err = web_ask("A00003")->err;
        if (err != rows[i].err && err != rows[i].or_err)
            fail_msg("%s: %s", rows[i].what, err_text(err));
        is_itself_again(rows[i].what);
    }
    /* More askings than connections at a silent one: all end. */
    struct fake_asking *askings[12];
    const struct value plate = value_text(STR("A00003"));
    web_set(is_silent);
    for (size_t i = 0; i < 12; i++)
        askings[i] = fake_ask_start(&web_city, &(struct fake_question){.outputs = {"plate"}, .where = {{"plate", SQL_EQ, &plate, 1}}});
    for (size_t i = 0; i < 12; i++)
        assert_err(fake_ask_end(&web_city, askings[i]), ERR_TIMEOUT);
    is_itself_again("twelve in silence");
    web_city_finish();
}

/* ---- pages ---- */

static _Atomic size_t n_pages;
static bool turns_pages(const struct web_request *request, int fd)
{
    char body[400];
    snprintf(body, sizeof body, "{\"data\":{\"items\":[{\"id\":\"x\",\"seats\":1}]},\"next\":\"%zu\"}", atomic_fetch_add(&n_pages, 1));
    return web_reply(fd, 200, "", body);
}
static bool stays_on_its_page(const struct web_request *request, int fd)
{
    return web_reply(fd, 200, "", "{\"data\":{\"items\":[]},\"next\":\"same\"}");
}
static bool has_a_long_cursor(const struct web_request *request, int fd)
{
    static char body[4000];
    size_t head = (size_t)snprintf(body, sizeof body, "{\"data\":{\"items\":[]},\"next\":\"");
    memset(body + head, 'c', 3000);
    memcpy(body + head + 3000, "\"}", 3);
    return web_reply(fd, 200, "", body);
}
static bool gives_many_rows(const struct web_request *request, int fd)
{
    struct buf body;
    buf_init(&body, 1u << 20);
    buf_append_c(&body, "{\"data\":{\"items\":[{}");
    for (int i = 0; i < 2500; i++)
        buf_append_c(&body, ",{\"id\":\"y\"}");
    buf_append(&body, "]}}", 4);
    bool goes_on = web_reply(fd, 200, "", body.ptr);
    buf_finish(&body);
    return goes_on;
}

static void pages_without_end(void **state)
{
    web_city_make("get: /vehicles, pages: {by: cursor, parameter: cursor, next: /next}, " MAP, QUICK "  connections: 2\n");
    fake_department_load(&web_city);
    web_set(turns_pages);
    enum err err = fake_ask(&web_city, &(struct fake_question){.outputs = {"count(*)"}})->err;
    assert_true(err == ERR_TOO_LARGE || err == ERR_TIMEOUT); /* a thousand pages, or the time */
    assert_true(atomic_load(&n_pages) <= 1001);
    web_set(stays_on_its_page);
    assert_err(web_ask("A00003")->err, ERR_UNAVAILABLE);
    web_set(has_a_long_cursor);
    assert_err(web_ask("A00003")->err, ERR_UNAVAILABLE);
    web_set(gives_many_rows);
    assert_err(web_ask("A00003")->err, ERR_TOO_LARGE);
    is_itself_again("pages");
    web_city_finish();
}

/* ---- elsewhere: another listener counts who comes ---- */

static _Atomic(const char *) the_link;
static bool links(const struct web_request *request, int fd)
{
    char headers[1200];
    snprintf(headers, sizeof headers, "Link: %s\r\n", atomic_load(&the_link));
    return web_reply(fd, 200, headers, "{\"data\":{\"items\":[]}}");
}
static bool redirects(const struct web_request *request, int fd)
{
    char headers[1200];
    snprintf(headers, sizeof headers, "Location: %s\r\n", atomic_load(&the_link));
    return web_reply(fd, 302, headers, "{\"data\":{\"items\":[]}}");
}

static void elsewhere(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int other = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof address) || listen(other, 8) ||
                         getsockname(other, (struct sockaddr *)&address, &size),
        0);
    static const char *const targets[] = {"<http://127.0.0.1:%d/v1/vehicles>; rel=next", "<//127.0.0.1:%d/x>; rel=next",
        "<http://127.0.0.1:%d@x/>; rel=\"next\"", "</\\\\127.0.0.1:%d/>; rel=next", "<file:///etc/passwd?%d>; rel=next",
        "<vehicles?%d>; rel=next", "<>; rel=next; x=%d", "<http://127.0.0.1:%d0000/>; rel=next"};
    static char texts[12][300];
    web_city_make("get: /vehicles, pages: {by: link}, " MAP, QUICK);
    fake_department_load(&web_city);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(texts[i], sizeof texts[i], targets[i], ntohs(address.sin_port));
#pragma GCC diagnostic pop
        the_link = texts[i];
        web_set(links);
        if (web_ask("A00003")->err != ERR_UNAVAILABLE)
            fail_msg("%s was followed", texts[i]);
    }
    the_link = "</v1/vehicles>; rel=next"; /* a circle */
    enum err err = web_ask("A00003")->err;
    assert_true(err == ERR_UNAVAILABLE || err == ERR_TOO_LARGE || err == ERR_TIMEOUT);
    the_link = "<<<,,;;rel=next"; /* none */
    assert_ok(web_ask("A00003")->err);
    for (int i = 0; i < 2; i++) {
        snprintf(texts[10 + i], sizeof texts[0], "http://127.0.0.1:%d/v1/vehicles", i ? web_port() : ntohs(address.sin_port));
        the_link = texts[10 + i];
        web_set(redirects);
        size_t before = atomic_load(&web_n_requests);
        assert_err(web_ask("A00003")->err, ERR_UNAVAILABLE);
        assert_int_equal(atomic_load(&web_n_requests), before + 1);
    }
    assert_int_equal(accept(other, NULL, NULL), -1); /* nobody came */
    close(other);
    is_itself_again("elsewhere");
    web_city_finish();
}

/* ---- later ---- */

static _Atomic size_t n_later;
static _Atomic int later_status;
static _Atomic(const char *) later_header;
static bool later_once(const struct web_request *request, int fd)
{
    if (atomic_fetch_add(&n_later, 1) == 0)
        return web_reply(fd, atomic_load(&later_status), atomic_load(&later_header), "{}");
    return web_good(request, fd);
}

static void comes_later(void **state)
{
    web_city_make(LIST, QUICK);
    fake_department_load(&web_city);
    static const int statuses[] = {429, 503};
    for (size_t i = 0; i < 2; i++) {
        atomic_store(&later_status, statuses[i]);
        later_header = i ? "Retry-After: 1\r\n" : "";
        atomic_store(&n_later, 0);
        web_set(later_once);
        assert_string_equal(web_ask("A00003")->text, "A00003|white|4"); /* within the asking's time */
        assert_int_equal(atomic_load(&n_later), 2);
    }
    later_header = "Retry-After: 86400\r\n"; /* more than anybody waits: refused at once, and nothing is sent meanwhile */
    atomic_store(&later_status, 429);
    atomic_store(&n_later, 0);
    assert_err(web_ask("A00003")->err, ERR_FULL);
    assert_err(web_ask("A00003")->err, ERR_FULL);
    assert_int_equal(atomic_load(&n_later), 1);
    web_city_finish();
}

static void away_and_back(void **state)
{
    web_city_make(LIST, QUICK "  health: /health\n");
    fake_department_load(&web_city);
    assert_ok(web_ask("A00003")->err);
    web_stop();
    assert_err(web_ask("A00003")->err, ERR_UNAVAILABLE);
    for (int i = 0; i < 20; i++)
        assert_err(web_ask("A00003")->err, ERR_UNAVAILABLE);
    web_start(web_good);
    is_itself_again("being away");
    web_city_finish();
    web_stop(); /* away while the city is loaded: no error of its file */
    web_city_make(LIST, "");
    fake_department_load(&web_city);
    web_start(web_good);
    is_itself_again("loading without it");
    web_city_finish();
}

/* ---- askers who go ---- */

static _Atomic size_t n_waiting, n_hung_up;
static bool waits_for_the_end(const struct web_request *request, int fd)
{
    char byte;
    struct pollfd waits = {.fd = fd, .events = POLLIN};
    web_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{");
    atomic_fetch_add(&n_waiting, 1);
    for (int i = 0; i < 1000; i++)
        if (poll(&waits, 1, 20) > 0 && recv(fd, &byte, 1, 0) <= 0) {
            atomic_fetch_add(&n_hung_up, 1);
            break;
        }
    return false;
}

/* What is asked for them ends at the department too, long before its time; also what waits for a connection or the end of a pause. */
static void askers_who_go(void **state)
{
    struct fake_asking *askings[6];
    char text[4096];
    web_city_make(LIST, "");
    snprintf(text, sizeof text,
        "connection: {url: \"http://127.0.0.1:%d/v1\", timeout: 60s, connections: 2}\nresources:\n  - {name: vehicle, title: {zh: 车, "
        "en: V}, kind: table, bind: {" LIST "}, " WEB_FIELDS,
        web_port());
    fake_department_write(&web_city, "http", text);
    fake_department_load(&web_city);
    web_set(waits_for_the_end);
    for (size_t i = 0; i < 6; i++)
        askings[i] = fake_ask_start(&web_city, &(struct fake_question){.outputs = {"plate"}});
    for (int i = 0; i < 6000 && atomic_load(&n_waiting) < 2; i++)
        rest(5);
    const struct mono_time gone = clock_mono(clock_system());
    for (size_t i = 1; i < 6; i++) /* two are under way, the others wait for their connections */
        fake_ask_cancel(askings[i]);
    for (size_t i = 1; i < 6; i++)
        assert_err(fake_ask_end(&web_city, askings[i]), ERR_CANCELLED);
    printf("five askings ended %lld ms after their askers went, of a time of 60 s\n",
        (long long)mono_ms_between(gone, clock_mono(clock_system())));
    for (int i = 0; i < 6000 && atomic_load(&n_hung_up) < 1; i++)
        rest(5);
    assert_int_equal(atomic_load(&n_hung_up), 1);
    assert_false(fake_ask_is_done(askings[0])); /* whose asker is still there */
    web_set(web_good);
    assert_string_equal(web_ask("A00003")->text, "A00003|white|4");
    fake_ask_cancel(askings[0]);
    assert_err(fake_ask_end(&web_city, askings[0]), ERR_CANCELLED);
    atomic_store(&later_status, 429);
    later_header = "Retry-After: 50\r\n";
    atomic_store(&n_later, 0);
    web_set(later_once);
    askings[0] = fake_ask_start(&web_city, &(struct fake_question){.outputs = {"plate"}});
    for (int i = 0; i < 6000 && atomic_load(&n_later) < 1; i++)
        assert_ok(loop_run_once(web_city.loop, 5));
    fake_ask_cancel(askings[0]);
    assert_err(fake_ask_end(&web_city, askings[0]), ERR_CANCELLED);
    web_city_finish();
}

/* The hub ends while askings are under way: each is answered. */
static void ends_meanwhile(void **state)
{
    struct fake_asking *askings[8];
    web_city_make(LIST, "");
    fake_department_load(&web_city);
    web_set(drips);
    for (size_t i = 0; i < 8; i++)
        askings[i] = fake_ask_start(&web_city, &(struct fake_question){.outputs = {"plate"}});
    for (int i = 0; i < 10; i++)
        assert_ok(loop_run_once(web_city.loop, 5));
    hub_stop(web_city.hub);
    for (size_t i = 0; i < 8; i++)
        assert_err(fake_ask_end(&web_city, askings[i]), ERR_UNAVAILABLE);
    web_city_finish();
}

static int setup(void **state)
{
    web_start(web_good);
    return 0;
}

static int teardown(void **state)
{
    web_stop();
    return 0;
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(odd_json), TEST(changed_bytes), TEST(without_an_end), TEST(pages_without_end), TEST(elsewhere),
        TEST(comes_later), TEST(askers_who_go), TEST(away_and_back), TEST(ends_meanwhile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
