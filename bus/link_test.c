/*
 * The link on real nats-servers: messages, groups, questions in one and in many answers, time-outs, nobody there, the limit of a
 * subscription, the server killed and back, a wrong key, a wrong certificate; and the names of subjects, which need no server.
 */
#include "base/mem.h"
#include "base/test.h"
#include "bus/link_testing.h"
#include "bus/nkey.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    struct nats_testing server;
    struct loop *loop;
    struct bus_link *asker, *answerer;
};

static struct fixture fixture;

static int start(bool has_tls)
{
    nats_testing_start(&fixture.server, has_tls);
    assert_ok(loop_create(clock_system(), &fixture.loop));
    nats_testing_link(&fixture.server, 0, &fixture.asker);
    nats_testing_link(&fixture.server, 1, &fixture.answerer);
    return 0;
}

static int start_plain(void **state)
{
    return start(false);
}

static int start_tls(void **state)
{
    return start(true);
}

static int finish(void **state)
{
    bus_link_close(fixture.asker);
    bus_link_close(fixture.answerer);
    for (int i = 0; i < 5; i++)
        assert_ok(loop_run_once(fixture.loop, 1));
    loop_destroy(fixture.loop);
    nats_testing_end(&fixture.server);
    return 0;
}

/* ---- who listens and who asks ---- */

struct listener {
    struct bus_link *link;
    struct bus_link_subscription *subscription;
    size_t n, n_wanted, n_answers; /* answers to each question */
    uint64_t sum;
    char last[64];
};

static void on_message(void *context, const struct bus_message *message)
{
    struct listener *listener = context;
    uint64_t number = 0;
    listener->n++;
    if (str_to_u64(message->bytes, &number) == ERR_OK)
        listener->sum += number;
    snprintf(listener->last, sizeof listener->last, STR_FORMAT, STR_ARG(message->bytes));
    for (size_t i = 0; i < listener->n_answers; i++) {
        char text[96];
        snprintf(text, sizeof text, "%s!%zu", listener->last, i + 1);
        assert_ok(bus_link_answer(listener->link, message->reply, str_from_c(text)));
    }
}

static void listen(struct listener *listener, struct bus_link *link, const char *pattern, const char *group, size_t limit, bool is_bulk)
{
    const struct bus_link_subscriber subscriber = {
        .loop = fixture.loop, .limit = limit, .is_bulk = is_bulk, .group = group, .on_message = on_message, .context = listener};
    listener->link = link;
    assert_ok(bus_link_subscribe(link, str_from_c(pattern), &subscriber, &listener->subscription));
}

struct question {
    struct bus_request request;
    bool is_done;
    size_t n_answers, n_wanted;
    char text[64];
    enum err err;
};

static bool on_answer(struct bus_request *request, struct str bytes)
{
    struct question *question = container_of(request, struct question, request);
    return ++question->n_answers == question->n_wanted;
}

static void on_done(struct bus_request *request)
{
    struct question *question = container_of(request, struct question, request);
    question->is_done = true;
    question->err = request->err;
    snprintf(question->text, sizeof question->text, STR_FORMAT, STR_ARG(request->answer));
}

static void ask(struct question *question, const char *subject, const char *text, size_t n_wanted, int64_t timeout_ms)
{
    *question = (struct question){.n_wanted = n_wanted,
        .request = {.subject = str_from_c(subject),
            .bytes = str_from_c(text),
            .timeout_ms = timeout_ms,
            .loop = fixture.loop,
            .on_answer = n_wanted ? on_answer : NULL,
            .done = on_done}};
    bus_link_request(fixture.asker, &question->request);
}

static bool is_done(void *context)
{
    return ((struct question *)context)->is_done;
}

static bool has_all(void *context)
{
    struct listener *listener = context;
    return listener->n >= listener->n_wanted;
}

/* Until an asking is answered: a subscription made on another connection has arrived at the server. */
static void settle(const char *subject)
{
    struct question question;
    for (int i = 0; i < 2000; i++) {
        ask(&question, subject, "0", 0, 5000);
        assert_true(nats_testing_until(fixture.loop, is_done, &question));
        if (question.err == ERR_OK)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    fail_msg("nobody answers at %s: %s", subject, err_text(question.err));
}

/* ---- the tests ---- */

static void questions_and_answers(void **state)
{
    struct listener listener = {.n_answers = 1}, many = {.n_answers = 20};
    struct question question, questions[300];
    listen(&listener, fixture.answerer, "cb.a.b.ASK", NULL, 0, false);
    listen(&many, fixture.answerer, "cb.a.many.>", NULL, 0, false);
    settle("cb.a.b.ASK");
    settle("cb.a.many.ASK");
    ask(&question, "cb.a.b.ASK", "how many", 0, 10000);
    assert_true(nats_testing_until(fixture.loop, is_done, &question));
    assert_ok(question.err);
    assert_string_equal(question.text, "how many!1");
    ask(&question, "cb.a.many.X", "rows", 20, 10000);
    assert_true(nats_testing_until(fixture.loop, is_done, &question));
    assert_string_equal(question.text, "rows!20");
    assert_int_equal(question.n_answers, 20);
    for (size_t i = 0; i < 300; i++) {
        char text[16];
        snprintf(text, sizeof text, "%zu", i);
        ask(&questions[i], "cb.a.b.ASK", text, 0, 30000);
    }
    for (size_t i = 0; i < 300; i++) {
        char text[16];
        snprintf(text, sizeof text, "%zu!1", i);
        assert_true(nats_testing_until(fixture.loop, is_done, &questions[i]));
        assert_string_equal(questions[i].text, text);
    }
    bus_link_unsubscribe(listener.subscription);
    bus_link_unsubscribe(many.subscription);
}

static void no_answer(void **state)
{
    struct listener silent = {0};
    struct question question;
    ask(&question, "cb.a.nobody.ASK", "", 0, 30000);
    assert_true(nats_testing_until(fixture.loop, is_done, &question));
    assert_err(question.err, ERR_UNAVAILABLE); /* at once, long before the time-out */
    struct listener once = {.n_answers = 1};
    listen(&once, fixture.answerer, "cb.a.half.ASK", NULL, 0, false);
    settle("cb.a.half.ASK");
    ask(&question, "cb.a.half.ASK", "two are wanted, one comes", 2, 100);
    assert_true(nats_testing_until(fixture.loop, is_done, &question));
    assert_err(question.err, ERR_TIMEOUT);
    assert_int_equal(question.n_answers, 1);
    ask(&question, "cb.a.half.ASK", "given up", 2, 30000);
    bus_link_cancel(&question.request);
    assert_true(nats_testing_until(fixture.loop, is_done, &question));
    assert_err(question.err, ERR_CANCELLED);
    listen(&silent, fixture.answerer, "cb.a.silent.ASK", NULL, 0, false);
    do /* nobody there → it has arrived, and is silent */
        ask(&question, "cb.a.silent.ASK", "", 0, 50);
    while (nats_testing_until(fixture.loop, is_done, &question) && question.err == ERR_UNAVAILABLE);
    assert_err(question.err, ERR_TIMEOUT);
    static char large[BUS_MESSAGE_MAX + 1];
    question = (struct question){
        .request = {
            .subject = STR("cb.a.half.ASK"), .bytes = {large, sizeof large}, .timeout_ms = 30000, .loop = fixture.loop, .done = on_done}};
    bus_link_request(fixture.asker, &question.request);
    assert_true(nats_testing_until(fixture.loop, is_done, &question));
    assert_err(question.err, ERR_TOO_LARGE);
    bus_link_unsubscribe(once.subscription);
    bus_link_unsubscribe(silent.subscription);
}

static void messages_and_groups(void **state)
{
    enum { N = 5000 };
    struct listener all = {.n_wanted = N + 1}, one = {0}, two = {0};
    char text[16];
    listen(&all, fixture.answerer, "cb.a.p.rows.ROWS", NULL, 2 * N, true);
    listen(&one, fixture.answerer, "cb.a.p.rows.ROWS", "hubs", 2 * N, true);
    listen(&two, fixture.asker, "cb.a.p.rows.ROWS", "hubs", 2 * N, true);
    while (all.n == 0) { /* the first to arrive says that the subscription did */
        assert_ok(bus_link_publish(fixture.asker, STR("cb.a.p.rows.ROWS"), STR("0")));
        assert_ok(loop_run_once(fixture.loop, 5));
    }
    all.n_wanted = all.n + N;
    while (bus_link_counts(fixture.asker).n_sent < 1 || all.n < 1)
        assert_ok(loop_run_once(fixture.loop, 1));
    for (uint64_t i = 1; i <= N; i++) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)i);
        while (bus_link_publish(fixture.asker, STR("cb.a.p.rows.ROWS"), str_from_c(text)) == ERR_FULL)
            assert_ok(loop_run_once(fixture.loop, 1));
    }
    bool is_all = nats_testing_until(fixture.loop, has_all, &all);
    assert_true(is_all);
    for (int i = 0; i < 100 && one.sum + two.sum < (uint64_t)N * (N + 1) / 2; i++)
        assert_ok(loop_run_once(fixture.loop, 50));
    assert_int_equal(all.sum, (uint64_t)N * (N + 1) / 2);
    assert_int_equal(one.sum + two.sum, (uint64_t)N * (N + 1) / 2); /* each went to one of the two */
    assert_true(one.n > 0 && two.n > 0);
    bus_link_unsubscribe(all.subscription);
    bus_link_unsubscribe(one.subscription);
    bus_link_unsubscribe(two.subscription);
}

/* At its limit a subscription drops the newest and counts; the subscriber's loop does not run meanwhile. */
static void a_full_subscription(void **state)
{
    struct listener slow = {0};
    listen(&slow, fixture.answerer, "cb.a.slow.ROWS", NULL, 10, false);
    for (int i = 0; i < 2000 && bus_link_counts(fixture.answerer).n_dropped < 5; i++) {
        assert_ok(bus_link_publish(fixture.asker, STR("cb.a.slow.ROWS"), STR("1")));
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    assert_true(bus_link_counts(fixture.answerer).n_dropped >= 5);
    for (int i = 0; i < 3; i++)
        assert_ok(loop_run_once(fixture.loop, 1));
    assert_true(slow.n >= 10);
    bus_link_unsubscribe(slow.subscription);
}

static bool is_up(void *context)
{
    return bus_link_is_up(fixture.asker) && bus_link_is_up(fixture.answerer);
}

static bool is_down(void *context)
{
    return !bus_link_is_up(fixture.asker) && !bus_link_is_up(fixture.answerer);
}

static bool cannot_publish(void *context)
{
    return bus_link_publish(fixture.asker, STR("cb.a.b.ROWS"), STR("x")) == ERR_UNAVAILABLE;
}

/* Killed with questions under way: they end at once, what is asked meanwhile is refused, and all works again by itself. */
static void the_server_killed_and_back(void **state)
{
    struct listener silent = {0}, listener = {.n_answers = 1};
    struct question under_way, meanwhile;
    listen(&silent, fixture.answerer, "cb.a.silent.ASK", NULL, 0, false);
    listen(&listener, fixture.answerer, "cb.a.b.ASK", NULL, 0, false);
    settle("cb.a.b.ASK"); /* subscribed later, so the other one has arrived too */
    for (int round = 0; round < 3; round++) {
        size_t n = silent.n;
        ask(&under_way, "cb.a.silent.ASK", "", 0, 600000);
        while (silent.n == n)
            assert_ok(loop_run_once(fixture.loop, 5));
        nats_testing_kill(&fixture.server);
        assert_true(nats_testing_until(fixture.loop, is_done, &under_way));
        assert_err(under_way.err, ERR_IO); /* sent, and nobody knows */
        assert_true(nats_testing_until(fixture.loop, is_down, NULL));
        ask(&meanwhile, "cb.a.b.ASK", "", 0, 600000);
        assert_true(nats_testing_until(fixture.loop, is_done, &meanwhile));
        assert_err(meanwhile.err, ERR_UNAVAILABLE);                          /* certainly not sent */
        assert_true(nats_testing_until(fixture.loop, cannot_publish, NULL)); /* the other connection sees it a moment later */
        nats_testing_again(&fixture.server);
        assert_true(nats_testing_until(fixture.loop, is_up, NULL));
        settle("cb.a.b.ASK");
    }
    assert_true(bus_link_counts(fixture.asker).n_lost_links >= 6); /* two connections, three times */
    bus_link_unsubscribe(silent.subscription);
    bus_link_unsubscribe(listener.subscription);
}

static size_t count_lines(FILE *file, const char *message)
{
    char line[1024];
    size_t n = 0;
    rewind(file);
    while (fgets(line, sizeof line, file))
        n += strstr(line, message) != NULL;
    return n;
}

static bool is_another_up(void *link)
{
    return bus_link_is_up(link);
}

/* However often it is tried, an outage is one line, and its end another. */
static void an_outage_is_told_once(void **state)
{
    const struct nats_testing *server = &fixture.server;
    const struct bus_link_options options = {.url = server->url,
        .name = "late",
        .nkey_file = server->keys[0],
        .ca_file = server->has_tls ? server->ca : NULL,
        .clock = clock_system()};
    struct bus_link *link;
    struct diag diag = {""};
    FILE *told = tmpfile();
    assert_non_null(told);
    nats_testing_kill(&fixture.server);
    assert_true(nats_testing_until(fixture.loop, is_down, NULL));
    fflush(stderr);
    int was = dup(STDERR_FILENO);
    assert_true(was >= 0 && dup2(fileno(told), STDERR_FILENO) >= 0);
    enum err err = bus_link_open(&options, &diag, &link);
    for (int i = 0; i < 300 && !err; i++) /* three attempts of two connections */
        err = loop_run_once(fixture.loop, 10);
    nats_testing_again(&fixture.server);
    bool is_back = !err && nats_testing_until(fixture.loop, is_another_up, link) && nats_testing_until(fixture.loop, is_up, NULL);
    bus_link_close(link);
    fflush(stderr);
    assert_true(dup2(was, STDERR_FILENO) >= 0);
    close(was);
    assert_true(is_back);
    assert_int_equal(count_lines(told, "\"the server cannot be reached; tried for ever\",\"name\":\"late\""), 1);
    assert_int_equal(count_lines(told, "\"the link is up\",\"name\":\"late\""), 1);
    fclose(told);
}

/* ---- who is let in ---- */

static void refused(const struct bus_link_options *options)
{
    struct bus_link *link;
    struct diag diag = {""};
    assert_ok(bus_link_open(options, &diag, &link));
    for (int i = 0; i < 30; i++) {
        assert_ok(loop_run_once(fixture.loop, 10));
        assert_false(bus_link_is_up(link));
    }
    assert_err(bus_link_publish(link, STR("cb.a.b"), STR("x")), ERR_UNAVAILABLE);
    bus_link_close(link);
}

static void strangers_are_refused(void **state)
{
    const struct nats_testing *server = &fixture.server;
    struct bus_link_options options = {.url = server->url, .name = "stranger", .ca_file = server->ca, .clock = clock_system()};
    refused(&options); /* no key */
    options.nkey_file = server->keys[2];
    refused(&options); /* a key that the server does not know */
    options.nkey_file = server->keys[0];
    options.ca_file = server->other_ca;
    refused(&options); /* a server that the client does not trust */
}

static void files_that_are_wrong(void **state)
{
    struct bus_link *link;
    struct diag diag = {""};
    const struct nats_testing *server = &fixture.server;
    struct bus_link_options options = {.url = server->url, .name = "x", .nkey_file = "/nowhere/key", .clock = clock_system()};
    assert_err(bus_link_open(&options, &diag, &link), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "/nowhere/key"));
    char config[128];
    snprintf(config, sizeof config, "%s/config", server->folder);
    options.nkey_file = config;
    assert_err(bus_link_open(&options, &diag, &link), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "bus-key"));
    options.nkey_file = NULL;
    options.url = "";
    assert_err(bus_link_open(&options, &diag, &link), ERR_SYNTAX);
    for (uint64_t nth = 1; nth < 6; nth++) { /* no memory at any step: an error, and nothing left behind */
        options.url = server->url;
        mem_fail_nth(nth);
        enum err err = bus_link_open(&options, &diag, &link);
        mem_fail_nth(0);
        if (!err)
            bus_link_close(link);
    }
}

/* ---- names ---- */

static void subjects(void **state)
{
    static const struct {
        const char *name, *subject;
    } cases[] = {
        {"hangzhou/police", "cb.hangzhou.police.X"},
        {"hangzhou.xihu/parking/lot", "cb.hangzhou.xihu.parking.lot.X"},
        {"hangzhou/scene.parking", "cb.hangzhou.scene~parking.X"},
        {"hangzhou/scene.parking/a.b", "cb.hangzhou.scene~parking.a~b.X"},
        {"police", NULL},
        {"hangzhou/*", NULL},
        {"hangzhou/>", NULL},
        {"hangzhou/police/vehicle/more", NULL},
        {"hangzhou//vehicle", NULL},
        {"hangzhou..xihu/police", NULL},
        {"hangzhou./police", NULL},
        {"hangzhou/po lice", NULL},
        {"hangzhou/po\r\nPUB x 0", NULL},
        {"HANGZHOU/police", NULL},
        {"/police", NULL},
        {"hangzhou/~police", NULL},
        {"", NULL},
    };
    char out[BUS_SUBJECT_MAX + 1];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum err err = bus_subject(str_from_c(cases[i].name), "X", out);
        assert_err(err, cases[i].subject ? ERR_OK : ERR_SYNTAX);
        if (cases[i].subject)
            assert_string_equal(out, cases[i].subject);
    }
    const struct bus_link_subscriber subscriber = {.loop = fixture.loop, .on_message = on_message};
    struct bus_link_subscription *subscription;
    static const char *const wrong[] = {"", "a..b", ".a", "a.", "a b", "a\r\nb", "*", "a.*", ">", "a.>.b", "a>"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_err(bus_link_subscribe(fixture.asker, str_from_c(wrong[i]), &subscriber, &subscription), ERR_SYNTAX);
}

static void keys(void **state)
{
    char path[160], public[BUS_NKEY_TEXT], again[BUS_NKEY_TEXT];
    struct stat status;
    struct diag diag = {""};
    snprintf(path, sizeof path, "%s/key", fixture.server.folder);
    assert_ok(bus_nkey_make(path, &diag));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_err(bus_nkey_make(path, &diag), ERR_EXISTS);
    assert_ok(bus_nkey_public(path, &diag, public));
    assert_int_equal(strlen(public), 56);
    assert_int_equal(public[0], 'U');
    assert_ok(bus_nkey_public(path, &diag, again));
    assert_string_equal(public, again);
    /* Any letter changed is found by the check sum. */
    FILE *file = fopen(path, "r+");
    char seed[64];
    assert_non_null(file);
    assert_int_equal(fread(seed, 1, 58, file), 58);
    for (size_t i = 0; i < 58; i += 5) {
        char kept = seed[i];
        seed[i] = kept == 'A' ? 'B' : 'A';
        rewind(file);
        fwrite(seed, 1, 58, file);
        fflush(file);
        assert_err(bus_nkey_public(path, &diag, again), ERR_SYNTAX);
        seed[i] = kept;
    }
    fclose(file);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(questions_and_answers),
        cmocka_unit_test(no_answer),
        cmocka_unit_test(messages_and_groups),
        cmocka_unit_test(a_full_subscription),
        cmocka_unit_test(the_server_killed_and_back),
        cmocka_unit_test(an_outage_is_told_once),
        cmocka_unit_test(files_that_are_wrong),
        cmocka_unit_test(subjects),
        cmocka_unit_test(keys),
    };
    const struct CMUnitTest tls[] = {
        cmocka_unit_test(questions_and_answers),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(the_server_killed_and_back),
    };
    int n_failed = cmocka_run_group_tests_name("plain", plain, start_plain, finish);
    return n_failed + cmocka_run_group_tests_name("tls", tls, start_tls, finish);
}
