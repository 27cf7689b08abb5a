/*
 * A department's HTTP interface through the connector: what is asked of it, page after page, what is granted and no more, and the same
 * answers whatever the interface can do by itself.
 */
#include "system/http/http_testing.h"

#include "base/mem.h"
#include "base/test.h"
#include "hub/parts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAP                                                                                                                                \
    "fields: {plate: /id, colour: /look/colour, price: {at: /price, form: text}, electric: {at: /electric, form: number}, since: {at: "    \
    "/since, form: seconds}}"
#define LIST "get: /vehicles, rows: /data/items, " MAP

static const char *const ways[] = {
    LIST ", query: {plate: \"{plate}\", seats: \"{seats}\", from: \"{since>=}\"}, pages: {by: page, parameter: page, size_parameter: "
         "limit, size: 40}",
    LIST ", query: {limit: 7, plate: \"{plate}\"}, pages: {by: offset, parameter: offset}",
    LIST ", query: {limit: 60}, pages: {by: cursor, parameter: cursor, next: /next}",
    LIST ", query: {limit: 33}, pages: {by: link}",
    LIST ", query: {limit: 1000}",
};

/* The same questions, the same rows, whether the interface filters and however it pages. */
static void answers_alike(void **state)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        web_city_make(ways[i], "");
        fake_department_load(&web_city);
        assert_string_equal(web_ask("A00003")->text, "A00003|white|4");
        assert_string_equal(web_ask("A00002")->text, "A00002|NULL|3");
        assert_string_equal(web_ask("A09999")->text, "");
        assert_string_equal(web_ask("' OR 1=1 --&seats=1#x/../y")->text, "");
        const struct value plate = value_text(STR("A00003")), seats[] = {value_integer(5), value_integer(2), value_integer(5)};
        assert_string_equal(
            fake_ask(&web_city, &(struct fake_question){.outputs = {"price", "electric", "since"}, .where = {{"plate", SQL_EQ, &plate, 1}}})
                ->text,
            "3.5|true|@1700000003000");
        assert_string_equal(
            fake_ask(&web_city, &(struct fake_question){.outputs = {"count(*)", "count(colour)", "sum(seats)", "max(since)", "min(plate)"}})
                ->text,
            "500|334|1500|@1700000499000|A00000");
        assert_string_equal(fake_ask(&web_city, &(struct fake_question){.outputs = {"colour", "count(*)"}, .order = {"colour"}})->text,
            "NULL|166;black|167;white|167");
        const struct value since = value_time(1700000490000);
        const struct fake_answer *answer = fake_ask(&web_city,
            &(struct fake_question){
                .outputs = {"plate"}, .where = {{"seats", SQL_IN, seats, 3}, {"since", SQL_GT, &since, 1}}, .order = {"-plate"}});
        assert_string_equal(answer->text, "A00499;A00496;A00494;A00491");
        answer = fake_ask(&web_city, &(struct fake_question){.outputs = {"plate"}, .order = {"-seats", "plate"}, .n_rows_max = 2});
        assert_string_equal(answer->text, "A00004;A00009");
        assert_true(answer->is_truncated);
        answer = fake_ask(&web_city, &(struct fake_question){.outputs = {"plate"}, .n_rows_max = 500});
        assert_int_equal(answer->n_rows, 500);
        assert_false(answer->is_truncated);
        web_city_finish();
    }
}

static void asks_what_the_interface_can(void **state)
{
    web_city_make(ways[0], "");
    fake_department_load(&web_city);
    size_t before = atomic_load(&web_n_requests);
    web_ask("A 1/ü&%{}");
    assert_int_equal(atomic_load(&web_n_requests) - before, 1);
    assert_string_equal(web_last.target, "/v1/vehicles?plate=A%201%2F%C3%BC%26%25%7B%7D&page=1&limit=40");
    const struct value since = value_time(1700000490000), two[] = {value_integer(1), value_integer(2), value_integer(1)};
    before = atomic_load(&web_n_requests);
    fake_ask(&web_city, &(struct fake_question){.outputs = {"plate"}, .where = {{"since", SQL_GT, &since, 1}, {"seats", SQL_IN, two, 3}}});
    assert_int_equal(atomic_load(&web_n_requests) - before, 2); /* each value once, and few enough rows for one page each */
    assert_non_null(strstr(web_last.target, "&from=1700000490&page=1"));
    before = atomic_load(&web_n_requests); /* enough is enough: no page after the one that fills the answer */
    assert_true(fake_ask(&web_city, &(struct fake_question){.outputs = {"plate"}, .n_rows_max = 60})->is_truncated);
    assert_int_equal(atomic_load(&web_n_requests) - before, 2);
    assert_true(atomic_load(&web_n_connections) <= 5); /* four, and the one at loading */
    web_city_finish();
}

/* A contract's rows are asked for where the interface can, and hold where it cannot. */
static void rows_granted(void **state)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        web_city_make(ways[i], "");
        fake_department_grant(&web_city, "[plate, colour, since]", "seats = 3 AND since >= '2023-11-14T22:13:30Z' AND owner <> 'owner 12'");
        fake_department_load(&web_city);
        assert_int_equal(fake_ask(&web_city, &(struct fake_question){.outputs = {"plate"}})->n_rows, 97);
        if (i == 0)
            assert_non_null(strstr(web_last.target, "?seats=3&page=3"));
        const struct value hidden = value_text(STR("A00012")), shown = value_text(STR("A00017"));
        assert_int_equal(
            fake_ask(&web_city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &hidden, 1}}})->n_rows, 0);
        assert_int_equal(
            fake_ask(&web_city, &(struct fake_question){.outputs = {"colour"}, .where = {{"plate", SQL_EQ, &shown, 1}}})->n_rows, 1);
        web_city_finish();
    }
}

/* One resource a path: the key is needed, batches of keys go side by side, a 404 is no row. */
static void keys_in_the_path(void **state)
{
    static char plates[200][16];
    struct value keys[203];
    web_city_make("get: \"/vehicles/{plate}\", none: 404, sample: {plate: A00001}, " MAP, "  connections: 3\n");
    fake_department_load(&web_city);
    assert_string_equal(web_ask("A00003")->text, "A00003|white|4");
    assert_string_equal(web_ask("A09999")->text, "");
    size_t before = atomic_load(&web_n_requests);
    assert_string_equal(web_ask("..")->text, ""); /* not a path that can be, so no such row */
    assert_string_equal(web_ask("")->text, "");
    assert_int_equal(atomic_load(&web_n_requests), before);
    assert_string_equal(web_ask("../health?x=")->text, "");
    assert_string_equal(web_last.target, "/v1/vehicles/..%2Fhealth%3Fx%3D");
    assert_err(fake_ask(&web_city, &(struct fake_question){.outputs = {"plate"}})->err, ERR_RANGE);
    for (size_t i = 0; i < 200; i++) {
        snprintf(plates[i], sizeof plates[i], "A%05zu", 2 * i + 1);
        keys[i] = value_text(str_from_c(plates[i]));
    }
    keys[200] = keys[0];
    keys[201] = value_text(STR("nobody"));
    keys[202] = value_text(STR("."));
    before = atomic_load(&web_n_requests);
    const struct fake_answer *answer = fake_ask(
        &web_city, &(struct fake_question){.outputs = {"count(*)", "min(plate)", "max(plate)"}, .where = {{"plate", SQL_IN, keys, 203}}});
    assert_string_equal(answer->text, "200|A00001|A00399");
    assert_int_equal(atomic_load(&web_n_requests) - before, 201);
    web_city_finish();
}

static bool needs_secret(const struct web_request *request, int fd)
{
    bool is_known = strstr(request->text, "\r\nAuthorization: Bearer s3cret-token\r\n") ||
                    strstr(request->text, "\r\nX-Api-Key: s3cret-token\r\n") ||
                    strstr(request->text, "\r\nAuthorization: Basic aHViOnMzY3JldC10b2tlbg==\r\n");
    return is_known ? web_good(request, fd) : web_reply(fd, 401, "", "{}");
}

static void signs_in(void **state)
{
    static const char *const connections[] = {"  token_file: \"{data}/secrets/web\"\n",
        "  token_file: \"{data}/secrets/web\"\n  token_header: X-Api-Key\n", "  user: hub\n  password_file: \"{data}/secrets/web\"\n"};
    web_set(needs_secret);
    for (size_t i = 0; i < 3; i++) {
        web_city_make(ways[4], connections[i]);
        fake_department_secret(&web_city, "web", "s3cret-token\n");
        fake_department_load(&web_city);
        assert_string_equal(web_ask("A00003")->text, "A00003|white|4");
        fake_department_secret(&web_city, "web", "another\n");
        const struct mono_time begun = clock_mono(clock_system()); /* read anew after a while */
        while (web_ask("A00003")->err == ERR_OK && mono_ms_between(begun, clock_mono(clock_system())) < 20000)
            ;
        assert_err(web_ask("A00003")->err, ERR_UNAVAILABLE);
        fake_department_secret(&web_city, "web", "s3cret-token\n"); /* a refusal lets it be read at once */
        assert_ok(web_ask("A00003")->err);
        web_city_finish();
    }
}

/* A POST that reads, with its question as JSON. */
static bool searches(const struct web_request *request, int fd)
{
    static const char *const wanted = "{\"filter\":\"A00003\",\"seats\":4,\"state\":\"any\",\"limit\":100,\"offset\":0}";
    if (strcmp(request->method, "POST") != 0 || strcmp(request->target, "/v1/search?lang=zh") != 0 ||
        !strstr(request->text, "Content-Type: application/json"))
        return web_reply(fd, 400, "", "{}");
    return web_reply(fd, 200, "", strcmp(request->body, wanted) == 0 ? "[{\"plate\":\"A00003\",\"seats\":4}]" : "[]");
}

static void posts_questions(void **state)
{
    web_set(searches);
    web_city_make(
        "post: /search, query: {lang: zh}, body: {filter: \"{plate}\", seats: \"{seats}\", state: any, limit: 100}, required: [plate], "
        "pages: {by: offset, parameter: offset}",
        "");
    fake_department_load(&web_city);
    const struct value plate = value_text(STR("A00003")), seats = value_integer(4);
    const struct fake_answer *answer = fake_ask(&web_city,
        &(struct fake_question){
            .outputs = {"plate", "seats"}, .where = {{"plate", SQL_EQ, &plate, 1}, {"seats", SQL_EQ, &seats, 1}}, .n_rows_max = 0});
    if (answer->err || strcmp(answer->text, "A00003|4") != 0)
        fail_msg("%s: %s", err_text(answer->err), web_last.body);
    web_city_finish();
}

/* What is wrong in the file, or does not fit the department's answer, is said where it stands. */
static void files_that_are_wrong(void **state)
{
    static const struct {
        const char *binding, *more, *says;
    } rows[] = {
        {LIST, "  url: http://example.org\n", "twice"},
        {"rows: /data", "", "needs get: /path or post: /path"},
        {"get: vehicles", "", "needs get: /path"},
        {"get: /vehicles, body: {a: b}", "", "body: goes with post:"},
        {"get: \"/vehicles/{nobody}\"", "", "a placeholder is {field}"},
        {"get: \"/vehicles/{since>=}\"", "", "a path has {field} only"},
        {"get: /vehicles, rows: data", "", "is a pointer"},
        {"get: /vehicles, fields: {plate: id}", "", "is not a pointer"},
        {"get: /vehicles, fields: {nobody: /id}", "", "is no declared field"},
        {"get: /vehicles, fields: {plate: {at: /id, form: seconds}}", "", "has no such form"},
        {"get: /vehicles, fields: {plate: {at: /id, scale: 2}}", "", "scale: is for fields of type real"},
        {"get: /vehicles, pages: {by: cursor, parameter: c}", "", "by cursor need next:"},
        {"get: /vehicles, pages: {by: page}", "", "parameter"},
        {"get: /vehicles, pages: {by: page, parameter: p, size_parameter: s}", "", "size"},
        {"get: /vehicles, fields: {plate: {form: text}}", "", "at"},
        {"get: /vehicles, required: [plate]", "", "required: is a list of fields that stand"},
        {LIST, "  user: hub\n", "with password_file:"},
        {LIST, "  token_header: X\n", "it needs token_file:"},
        {LIST, "  timeout: 2h\n", "twice"},
        {"get: /vehicles, rows: /next", "", "has no list; mend rows:"},
        {"get: /nowhere", "", "answers with status 404"},
        {"get: /vehicles, rows: /data/items", "", "field \"plate\" is in no row"},
        {"get: /vehicles, rows: /data/items, "
         "fields: {plate: /seats, colour: /look/colour, price: {at: /price, form: text}, electric: {at: /electric, form: number}, since: "
         "{at: /since, form: seconds}}",
            "", "field \"plate\" is not of type text"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list diags;
        web_city_make(rows[i].binding, rows[i].more);
        enum err err = fake_city_load(&web_city, &diags);
        bool is_said = false;
        for (size_t j = 0; j < diags.n; j++)
            is_said |= strstr(diags.diags[j].text, rows[i].says) && strstr(diags.diags[j].text, "systems/police.yaml:");
        if (!err || !is_said)
            fail_msg("row %zu: %s: %s", i, err_text(err), diags.n ? diags.diags[0].text : "-");
        web_city_finish();
    }
}

static void addresses_that_are_wrong(void **state)
{
    static const char *const urls[] = {
        "http://example.org/v1", "https://user:x@host", "ftp://127.0.0.1", "https://", "https://host/?a", "https://host/a b"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct diag_list diags;
        char text[2048];
        web_city_make(LIST, "");
        snprintf(text, sizeof text,
            "connection: {url: \"%s\"}\nresources:\n  - {name: vehicle, title: {zh: 车, en: V}, kind: table, bind: {get: /v}, " WEB_FIELDS,
            urls[i]);
        fake_department_write(&web_city, "http", text);
        assert_true(fake_city_load(&web_city, &diags) != ERR_OK);
        if (!strstr(diags.diags[0].text, "police.yaml:3: url:"))
            fail_msg("%s: %s", urls[i], diags.diags[0].text);
        web_city_finish();
    }
}

/* Each allocation fails once: an error or an answer, never a leak or a crash. */
static void without_memory(void **state)
{
    web_city_make(ways[0], "");
    fake_department_load(&web_city);
    web_ask("A00003");
    for (uint64_t nth = 1; nth < 40; nth++) {
        const struct value plate = value_text(STR("A00003"));
        struct fake_asking *asking;
        mem_fail_nth(nth + 1); /* the first is the test's own */
        asking = fake_ask_start(&web_city, &(struct fake_question){.outputs = {"plate"}, .where = {{"plate", SQL_EQ, &plate, 1}}});
        (void)fake_ask_end(&web_city, asking);
        mem_fail_nth(0);
    }
    assert_string_equal(web_ask("A00003")->text, "A00003|white|4");
    web_city_finish();
}

/* ---- commands ---- */

static struct {
    pthread_mutex_t lock; /* of the key: connections are many */
    char key[256];
    _Atomic size_t n_done, n_asked;
    _Atomic int status;  /* of the next answers, 0: as it should be */
    _Atomic bool breaks; /* does it, and says nothing */
} inbox = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* An inbox that keeps keys. */
static bool takes_orders(const struct web_request *request, int fd)
{
    const char *key = strstr(request->text, "\r\nIdempotency-Key: ");
    char named[256] = "";
    atomic_fetch_add(&inbox.n_asked, 1);
    if (atomic_load(&inbox.status))
        return web_reply(fd, atomic_load(&inbox.status), "", "{\"detail\":\"no such place\"}");
    if (key)
        (void)!sscanf(key, "\r\nIdempotency-Key: %255[^\r]", named);
    if (strcmp(request->target, "/v1/dispatch") != 0 || strcmp(request->body, "{\"place\":\"west lake\",\"cars\":2}") != 0 || !named[0])
        return web_reply(fd, 400, "", "{\"detail\":\"odd\"}");
    pthread_mutex_lock(&inbox.lock);
    if (strcmp(inbox.key, named) != 0) {
        snprintf(inbox.key, sizeof inbox.key, "%s", named);
        atomic_fetch_add(&inbox.n_done, 1);
    }
    pthread_mutex_unlock(&inbox.lock);
    return atomic_load(&inbox.breaks) ? false : web_reply(fd, 201, "", "{\"number\":7}");
}

struct acted {
    struct hub_ask ask;
    struct buf answer;
    bool is_done;
};

static void act_done(struct hub_ask *ask)
{
    container_of(ask, struct acted, ask)->is_done = true;
}

static enum err act(const char *key, struct acted *acted)
{
    const struct value values[] = {value_text(STR("west lake")), value_integer(2)};
    const struct hub_resource *resource = hub_resource_find(web_city.hub, STR("h/police/dispatch"));
    *acted = (struct acted){.ask = {.resource = resource,
                                .key = str_from_c(key),
                                .values = values,
                                .loop = web_city.loop,
                                .done = act_done,
                                .answer = &acted->answer}};
    buf_init(&acted->answer, 65536);
    system_http_ops.act(((struct hub_entry *)names_get(&web_city.hub->entry_names, resource->name))->system->system, &acted->ask);
    for (int i = 0; i < 3000 && !acted->is_done; i++)
        assert_ok(loop_run_once(web_city.loop, 10));
    assert_true(acted->is_done);
    return acted->ask.err;
}

static int the_port;

static void write_command(const char *more, const char *binding)
{
    char text[2048];
    web_city_make(LIST, "");
    snprintf(text, sizeof text,
        "connection: {url: \"http://127.0.0.1:%d/v1\", timeout: 1s}\nresources:\n  - {name: vehicle, title: {zh: 车, en: V}, kind: table, "
        "bind: {get: \"/v/{plate}\"}, " WEB_FIELDS "  - {name: dispatch, title: {zh: 派, en: D}, kind: command, %sbind: {post: /dispatch, "
        "body: {place: \"{place}\", cars: \"{cars}\"}%s}, "
        "fields: [{name: place, type: text, class: internal}, {name: cars, type: integer, class: internal}]}\n",
        the_port, more, binding);
    fake_department_write(&web_city, "http", text);
}

static void acts_once(void **state)
{
    struct acted acted;
    struct diag_list diags;
    web_set(takes_orders);
    write_command("", ", keeps_key: true");
    fake_department_load(&web_city);
    for (int i = 0; i < 5; i++) {
        assert_ok(act("h/post.desk k-1", &acted));
        assert_string_equal((buf_append_byte(&acted.answer, '\0'), acted.answer.ptr), "{\"number\":7}");
        buf_finish(&acted.answer);
    }
    assert_int_equal(atomic_load(&inbox.n_done), 1);
    assert_string_equal(inbox.key, "\"h/post.desk k-1\"");
    static const struct {
        int status;
        enum err err;
    } rows[] = {{400, ERR_RANGE}, {422, ERR_RANGE}, {401, ERR_UNAVAILABLE}, {429, ERR_UNAVAILABLE}, {500, ERR_TIMEOUT}, {409, ERR_TIMEOUT},
        {302, ERR_TIMEOUT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        atomic_store(&inbox.status, rows[i].status);
        size_t before = atomic_load(&inbox.n_asked);
        enum err err;
        for (int tries = 0; tries < 500; tries++) { /* after a 429 it is left alone for a moment */
            err = act("h/post.desk k-2", &acted);
            if (atomic_load(&inbox.n_asked) > before)
                break;
            assert_err(err, ERR_UNAVAILABLE);
            buf_finish(&acted.answer);
            assert_ok(loop_run_once(web_city.loop, 10));
        }
        assert_err(err, rows[i].err);
        assert_int_equal(atomic_load(&inbox.n_asked), before + 1); /* never a second time by itself */
        if (err == ERR_RANGE)
            assert_string_equal((buf_append_byte(&acted.answer, '\0'), acted.answer.ptr), "\"no such place\"");
        buf_finish(&acted.answer);
    }
    atomic_store(&inbox.status, 0);
    atomic_store(&inbox.breaks, true);
    assert_err(act("h/post.desk k-3", &acted), ERR_TIMEOUT); /* it was done, and nobody here knows */
    buf_finish(&acted.answer);
    assert_int_equal(atomic_load(&inbox.n_done), 2);
    atomic_store(&inbox.breaks, false);
    web_city_finish();
    write_command("", "");
    assert_true(fake_city_load(&web_city, &diags) != ERR_OK);
    assert_non_null(strstr(diags.diags[0].text, "write keeps_key: true"));
    web_city_finish();
    write_command("at_most_once: true, ", ", keeps_key: true");
    assert_true(fake_city_load(&web_city, &diags) != ERR_OK);
    web_city_finish();
}

static int setup(void **state)
{
    the_port = web_start(web_good);
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
    const struct CMUnitTest tests[] = {TEST(answers_alike), TEST(asks_what_the_interface_can), TEST(rows_granted), TEST(keys_in_the_path),
        TEST(signs_in), TEST(posts_questions), TEST(files_that_are_wrong), TEST(addresses_that_are_wrong), TEST(without_memory),
        TEST(acts_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
