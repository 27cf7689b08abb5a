/*
 * Who used my data, over the real ledger: calls by one and by several keys, queries, windows of streams; nobody else's; after a restart,
 * without the index's file, without the day's key. And pages of several processes: answers, silence, nonsense, which logs there are.
 */
#include "hub/uses.h"

#include "base/test.h"
#include "hub/fake_door.h"

#include <glob.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALL "/hub/v1/call/h/police/vehicle"
#define MINE "{\"licence\":\"990\",\"plate\":\"浙A1\"}"
#define OTHER "{\"plate\":\"浙A2\"}"
#define TERMS "legal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n"

static struct fake_door door;
static struct hub_uses *uses;
static char path[256], out[300000];
extern struct fake_system fake_system;

/* The wall clock that the test has moved on. */
static struct {
    struct clock clock;
    _Atomic int64_t ms;
} moved;

static struct wall_time moved_wall(struct clock *clock)
{
    return (struct wall_time){clock_wall(clock_system()).ms + moved.ms};
}

static struct mono_time moved_mono(struct clock *clock)
{
    return clock_mono(clock_system());
}

static void open_uses(struct fake_door *unused)
{
    struct diag_list diags = {0};
    snprintf(path, sizeof path, "%s/uses.sqlite", door.city.data);
    assert_ok(hub_uses_open(door.city.hub, path, &diags, &uses));
    door.more = hub_uses_mount(uses);
}

static int make(void **state)
{
    fake_city_make(&door.city);
    fake_city_write(&door.city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call, query]\n"
        "fields: [plate, colour, kind]\npurpose: parking.settle\n" TERMS);
    fake_city_write(&door.city, "contracts/c-1.yaml",
        "contract: h/c-1\nprovider: h/police\nconsumer: h/count\nresource: h/police/passage\nuses: [subscribe]\n"
        "fields: [camera, plate]\npurpose: traffic.count\n" TERMS);
    fake_city_write(&door.city, "systems/police.yaml",
        "party: h/police\nconnector: fake\nresources:\n"
        "  - name: vehicle\n    title: {zh: 车, en: Vehicles}\n    kind: table\n    fields:\n"
        "      - {name: plate, type: text, class: personal, key: true}\n"
        "      - {name: licence, type: text, class: personal, key: true}\n"
        "      - {name: kind, type: integer, class: internal, key: true}\n"
        "      - {name: colour, type: text, class: open}\n"
        "  - name: passage\n    title: {zh: 过车, en: Passages}\n    kind: stream\n    fields:\n"
        "      - {name: camera, type: text, class: internal}\n"
        "      - {name: plate, type: text, class: personal}\n"
        "      - {name: time, type: time, class: internal}\n");
    fake_system.n_rows = 1;
    door.open_more = open_uses;
    moved.clock = (struct clock){.wall = moved_wall, .mono = moved_mono};
    moved.ms = 0;
    door.clock = &moved.clock;
    fake_door_start(&door);
    return 0;
}

static int finish(void **state)
{
    fake_door_stop_server(&door);
    hub_uses_close(uses);
    fake_door_stop(&door);
    return 0;
}

/* The receipt's number. */
static uint64_t use(const char *where, const char *body)
{
    int status = fake_door_ask(&door, "POST", where, "parking", body, out, sizeof out);
    if (status != 200)
        fail_msg("%d: %s", status, out);
    const char *at = strstr(out, "h.log/");
    assert_non_null(at);
    return strtoull(at + strlen("h.log/"), NULL, 10);
}

static uint64_t call(const char *key)
{
    char body[256];
    snprintf(body, sizeof body, "{\"purpose\":\"parking.settle\",\"key\":%s,\"fields\":[\"colour\"]}", key);
    return use(CALL, body);
}

static uint64_t query(const char *plate)
{
    char body[512];
    snprintf(body, sizeof body,
        "{\"purpose\":\"parking.settle\",\"sql\":\"SELECT colour FROM \\\"h/police/vehicle\\\" WHERE plate = ?1\",\"parameters\":[\"%s\"]}",
        plate);
    return use("/hub/v1/query", body);
}

/* Of this person exactly these, the newest first. */
static void expect(const char *subject, const uint64_t *leaves, size_t n)
{
    uint64_t found[64];
    size_t n_found = 99;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    assert_ok(hub_uses_list(uses, str_from_c(subject), &arena, found, 64, &n_found));
    assert_int_equal(n_found, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(found[i], leaves[i]);
    arena_finish(&arena);
}

static void calls_by_one_key_and_by_several(void **state)
{
    uint64_t one = call("{\"plate\":\"浙A1\"}"), others = call("{\"plate\":\"浙A2\"}");
    uint64_t several = call("{\"plate\":\"浙A1\",\"kind\":2}");
    call("{\"kind\":2}"); /* a key that is nobody's */
    uint64_t both = call("{\"plate\":\"浙A1\",\"licence\":\"990\"}"), licence = call("{\"plate\":\"浙A9\",\"licence\":\"990\"}");
    assert_true(one < others && others < several);
    expect(MINE, (uint64_t[]){licence, both, several, one}, 4);
    expect("{\"licence\":\"990\"}", (uint64_t[]){licence, both}, 2);
    expect(OTHER, (uint64_t[]){others}, 1);
    expect("{\"plate\":\"浙A3\"}", NULL, 0);
    expect("{\"kind\":2}", NULL, 0);
}

static void queries_whose_rows_were_theirs(void **state)
{
    uint64_t mine = query("浙A1"), others = query("浙A2");
    fake_system.n_rows = 0;
    query("浙A3"); /* no row: nobody's data came */
    fake_system.n_rows = 1;
    expect(MINE, &mine, 1);
    expect(OTHER, &others, 1);
    expect("{\"plate\":\"浙A3\"}", NULL, 0);
    /* The same answer to who objects to it: theirs, or none. */
    struct hub_use_info info;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    assert_ok(hub_use_of_subject(door.city.hub, mine, STR(MINE), &arena, &info));
    assert_true(str_equal_c(info.use, "query") && str_equal_c(info.contract, "h/c-17"));
    assert_err(hub_use_of_subject(door.city.hub, others, STR(MINE), &arena, &info), ERR_NOT_FOUND);
    assert_err(hub_use_of_subject(door.city.hub, 0, STR(MINE), &arena, &info), ERR_NOT_FOUND);        /* a contract's leaf */
    assert_err(hub_use_of_subject(door.city.hub, mine + 1, STR(MINE), &arena, &info), ERR_NOT_FOUND); /* an outcome */
    assert_err(hub_use_of_subject(door.city.hub, 999999, STR(MINE), &arena, &info), ERR_NOT_FOUND);
    arena_finish(&arena);
}

/* ---- a stream ---- */

struct taker {
    struct hub_subscription *subscription;
    char receipt[HUB_RECEIPT_MAX];
    _Atomic size_t n_rows;
};

static void take(void *context, const struct hub_window *window, struct rows *rows)
{
    struct taker *taker = context;
    snprintf(taker->receipt, sizeof taker->receipt, STR_FORMAT, STR_ARG(window->receipt));
    taker->n_rows += rows_n(rows);
}

static void subscribe(void *context)
{
    static const struct str fields[] = {STR_INIT("plate"), STR_INIT("camera")};
    struct taker *taker = context;
    const struct hub_subscribe_options options = {.party = STR("h/count"),
        .resource = STR("h/police/passage"),
        .purpose = STR("traffic.count"),
        .fields = fields,
        .n_fields = 2,
        .loop = door.city.loop,
        .on_rows = take,
        .context = taker};
    struct hub_refusal refusal;
    assert_ok(hub_subscribe(door.city.hub, &options, &refusal, &taker->subscription));
}

static void publish(void *context)
{
    static const char *const plates[] = {"浙A1", "浙A2", "浙A1"};
    struct rows *rows;
    assert_ok(rows_create(3, 4096, &rows));
    for (size_t i = 0; i < 3; i++) {
        const struct value values[] = {value_text(STR("cam")), value_text(str_from_c(plates[i])), value_time(1)};
        assert_ok(rows_add(rows, values));
    }
    assert_ok(hub_publish(door.city.hub, hub_resource_find(door.city.hub, STR("h/police/passage")), rows));
    rows_release(rows);
}

static void unsubscribe(void *context)
{
    hub_unsubscribe(((struct taker *)context)->subscription);
}

static void windows_of_streams(void **state)
{
    struct taker taker = {0};
    fake_door_on_hub(&door, subscribe, &taker);
    fake_door_on_hub(&door, publish, NULL);
    for (int i = 0; i < 3000 && taker.n_rows < 3; i++)
        usleep(10000);
    assert_int_equal(taker.n_rows, 3);
    fake_door_on_hub(&door, unsubscribe, &taker);
    uint64_t window = strtoull(strchr(taker.receipt, '/') + 1, NULL, 10);
    expect(MINE, &window, 1); /* once, though twice in it */
    expect(OTHER, &window, 1);
    expect("{\"camera\":\"cam\"}", NULL, 0); /* not personal */
}

/* The index is made again of the leaves; what was noted is in it alone. */
static void over_restarts(void **state)
{
    uint64_t called = call("{\"plate\":\"浙A1\",\"kind\":1}"), queried = query("浙A1");
    const uint64_t both[] = {queried, called};
    hub_uses_close(uses); /* with what waited */
    open_uses(NULL);
    expect(MINE, both, 2);
    hub_uses_close(uses);
    assert_int_equal(remove(path), 0);
    open_uses(NULL);
    expect(MINE, &called, 1);
    query("浙A1");
    char pattern[256];
    glob_t keys;
    snprintf(pattern, sizeof pattern, "%s/secrets/epoch/*", door.city.data);
    assert_int_equal(glob(pattern, 0, NULL, &keys), 0);
    for (size_t i = 0; i < keys.gl_pathc; i++)
        assert_int_equal(remove(keys.gl_pathv[i]), 0);
    globfree(&keys);
    expect(MINE, NULL, 0);
}

/* ---- other processes ---- */

/* The process with log h.log.r1: its uses are those here, so a page has each twice; or it is silent, or says what is no answer. */
static enum { ANSWERS, IS_SILENT, TALKS_NONSENSE } other;
static _Atomic int n_others_asked;

struct answering {
    struct hub_uses_asked asked;
    struct hub_others_ask *ask;
    struct loop_task task;
    struct buf question, answer;
};

static void on_answered(struct loop_task *task)
{
    struct answering *answering = container_of(task, struct answering, task);
    struct hub_others_ask *ask = answering->ask;
    ask->answer = other == TALKS_NONSENSE ? STR("nonsense") : buf_str(&answering->answer);
    ask->done(ask);
    buf_finish(&answering->question);
    buf_finish(&answering->answer);
    free(answering);
}

static void on_ready(struct hub_uses_asked *asked, struct str answer)
{
    struct answering *answering = container_of(asked, struct answering, asked);
    buf_append_str(&answering->answer, answer);
    loop_post(answering->ask->loop, &answering->task);
}

static void ask_other(void *context, struct hub_others_ask *ask)
{
    struct answering *answering = calloc(1, sizeof *answering);
    assert_str(ask->log, "h.log.r1");
    atomic_fetch_add(&n_others_asked, 1);
    answering->ask = ask;
    answering->task.fn = on_answered;
    buf_init(&answering->question, 1 << 16);
    buf_init(&answering->answer, 1 << 20);
    buf_append_str(&answering->question, ask->bytes);
    answering->asked = (struct hub_uses_asked){.bytes = buf_str(&answering->question), .done = on_ready};
    ask->err = other == IS_SILENT ? ERR_TIMEOUT : ERR_OK;
    if (ask->err)
        loop_post(ask->loop, &answering->task);
    else
        hub_uses_answer(door.city.hub, &answering->asked);
}

static int get(const char *where, const char *token)
{
    return fake_door_ask(&door, "GET", where, token, NULL, out, sizeof out);
}

static bool has(const char *text)
{
    return strstr(out, text) != NULL;
}

static void pages_of_several_processes(void **state)
{
    uint64_t one = call("{\"plate\":\"浙A1\"}"), two = call("{\"licence\":\"990\"}");
    char text[128], next[64] = "";
    hub_others_set(door.city.hub, ask_other, NULL);
    assert_int_equal(get("/hub/v1/uses/mine", "parking"), 404);
    assert_int_equal(get("/hub/v1/uses/mine?limit=0", "citizen"), 400);
    assert_int_equal(get("/hub/v1/uses/mine?before=x", "citizen"), 400);
    assert_int_equal(get("/hub/v1/uses/mine", "citizen"), 200);
    assert_true(has("\"complete\":true,\"unanswered\":[]") && has("\"next\":null") && !has("h.log.r1"));
    assert_true(hub_uses_met(door.city.hub, STR("h.log.r1")));
    other = ANSWERS;
    assert_int_equal(get("/hub/v1/uses/mine", "citizen"), 200);
    assert_true(has("\"complete\":true,\"unanswered\":[]") && has("\"next\":null"));
    snprintf(text, sizeof text, "h.log.r1/%llu\"", (unsigned long long)one);
    assert_true(has(text));
    assert_int_equal(get("/hub/v1/uses/mine?limit=3", "citizen"), 200); /* two here and there, then one here */
    snprintf(text, sizeof text, "\"next\":\"%llu,r1:%llu\"", (unsigned long long)one, (unsigned long long)two);
    assert_true(has(text));
    snprintf(next, sizeof next, "/hub/v1/uses/mine?before=%llu,r1:%llu", (unsigned long long)one, (unsigned long long)two);
    assert_int_equal(get(next, "citizen"), 200);
    snprintf(text, sizeof text, "\"uses\":[{\"receipt\":\"h.log.r1/%llu\"", (unsigned long long)one);
    assert_true(has(text) && has("\"next\":null"));
    for (other = IS_SILENT; other <= TALKS_NONSENSE; other++) {
        assert_int_equal(get("/hub/v1/uses/mine", "citizen"), 200);
        assert_true(has("\"complete\":false,\"unanswered\":[\"h.log.r1\"]"));
        snprintf(text, sizeof text, "\"receipt\":\"h.log/%llu\"", (unsigned long long)one);
        assert_true(has(text) && !has("h.log.r1/"));
    }
}

static void what_stands_behind_receipts(void **state)
{
    uint64_t one = call("{\"plate\":\"浙A1\"}");
    char own[64], there[64], opening[64], text[64];
    snprintf(own, sizeof own, "/hub/v1/receipt/h.log/%llu", (unsigned long long)one);
    snprintf(there, sizeof there, "/hub/v1/receipt/h.log.r1/%llu", (unsigned long long)one);
    snprintf(opening, sizeof opening, "/hub/v1/opening/h.log.r1/%llu", (unsigned long long)one);
    other = ANSWERS;
    for (int i = 0; i < 6000 && get(own, "citizen") == 409; i++) /* until its checkpoint */
        usleep(10000);
    assert_int_equal(get(own, "citizen"), 200);
    snprintf(text, sizeof text, "\"receipt\":\"h.log/%llu\"", (unsigned long long)one);
    assert_true(has(text));
    assert_int_equal(get(there, "citizen"), 404); /* nobody told of such a log */
    assert_true(hub_uses_met(door.city.hub, STR("h.log.r1")));
    assert_int_equal(get(there, "citizen"), 503); /* nobody can ask it */
    hub_others_set(door.city.hub, ask_other, NULL);
    assert_int_equal(get(there, "citizen"), 200);
    assert_true(has("\"proof\":") && has("\"vkey\":"));
    assert_int_equal(get(there, NULL), 401);
    assert_int_equal(get(opening, "citizen"), 404);
    assert_int_equal(get(opening, "count"), 404);
    assert_int_equal(get(opening, "parking"), 200);
    assert_true(has("\"salt\":"));
    assert_int_equal(get("/hub/v1/receipt/h.log.r1/99999", "citizen"), 404);
    assert_int_equal(get("/hub/v1/receipt/h.log.r1/x", "citizen"), 404);
    other = IS_SILENT;
    assert_int_equal(get(there, "citizen"), 504);
    other = TALKS_NONSENSE;
    assert_int_equal(get(there, "citizen"), 503);
}

struct finding {
    struct hub_use_ask ask;
    struct arena arena;
    char receipt[64];
    atomic_bool is_done;
};

static void on_found(struct hub_use_ask *ask)
{
    atomic_store(&container_of(ask, struct finding, ask)->is_done, true);
}

static void start_finding(void *context)
{
    hub_use_find(door.city.hub, &((struct finding *)context)->ask);
}

static enum err find_use(const char *log, uint64_t index, const char *subject)
{
    struct finding finding = {.ask = {.subject = str_from_c(subject), .loop = door.city.loop, .done = on_found}};
    snprintf(finding.receipt, sizeof finding.receipt, "%s/%llu", log, (unsigned long long)index);
    arena_init(&finding.arena, 1 << 16);
    finding.ask.receipt = str_from_c(finding.receipt);
    finding.ask.arena = &finding.arena;
    fake_door_on_hub(&door, start_finding, &finding);
    while (!atomic_load(&finding.is_done))
        usleep(1000);
    if (!finding.ask.err)
        assert_true(finding.ask.info.index == index && str_equal_c(finding.ask.info.contract, "h/c-17"));
    arena_finish(&finding.arena);
    return finding.ask.err;
}

/* Who objects names a receipt: theirs, in the log that it says, or none. */
static void the_use_that_a_receipt_names(void **state)
{
    uint64_t one = call("{\"plate\":\"浙A1\"}"), others = call("{\"plate\":\"浙A2\"}"), two = call("{\"plate\":\"浙A1\"}");
    hub_others_set(door.city.hub, ask_other, NULL);
    other = ANSWERS;
    atomic_store(&n_others_asked, 0);
    assert_ok(find_use("h.log", one, MINE));
    assert_err(find_use("h.log", others, MINE), ERR_NOT_FOUND);
    assert_err(find_use("x.log", one, MINE), ERR_NOT_FOUND);
    assert_err(find_use("h.log.r1", one, MINE), ERR_NOT_FOUND);
    assert_int_equal(atomic_load(&n_others_asked), 0); /* nobody whose log is unknown */
    assert_true(hub_uses_met(door.city.hub, STR("h.log.r1")));
    assert_ok(find_use("h.log.r1", one, MINE));
    assert_ok(find_use("h.log.r1", two, MINE));
    assert_err(find_use("h.log.r1", others, MINE), ERR_NOT_FOUND);
    assert_err(find_use("h.log.r1", 99999, MINE), ERR_NOT_FOUND);
    other = IS_SILENT;
    assert_err(find_use("h.log.r1", one, MINE), ERR_TIMEOUT);
}

/* ---- the bound of questions ---- */

static struct hub_others_ask *held[HUB_USES_QUESTIONS_MAX];
static size_t n_held, n_given_up;

static void hold_question(void *context, struct hub_others_ask *ask)
{
    assert_true(n_held < HUB_USES_QUESTIONS_MAX);
    held[n_held++] = ask;
}

static void on_given_up(struct hub_use_ask *ask)
{
    n_given_up += ask->err == ERR_TIMEOUT;
}

static void fill_questions(void *asks)
{
    for (size_t i = 0; i < HUB_USES_QUESTIONS_MAX; i++)
        hub_use_find(door.city.hub, (struct hub_use_ask *)asks + i);
}

static void give_up(void *context)
{
    while (n_held > 0) {
        struct hub_others_ask *ask = held[--n_held];
        ask->err = ERR_TIMEOUT;
        ask->done(ask);
    }
}

/* As many questions at other processes as there may be, whoever asks them; one more page, receipt or objection is refused, and counted. */
static void as_many_questions_as_there_may_be(void **state)
{
    static struct hub_use_ask asks[HUB_USES_QUESTIONS_MAX];
    struct metric_page *page;
    struct buf text;
    assert_true(hub_uses_met(door.city.hub, STR("h.log.r1")));
    hub_others_set(door.city.hub, hold_question, NULL);
    for (size_t i = 0; i < HUB_USES_QUESTIONS_MAX; i++)
        asks[i] = (struct hub_use_ask){.receipt = STR("h.log.r1/7"), .subject = STR(MINE), .loop = door.city.loop, .done = on_given_up};
    fake_door_on_hub(&door, fill_questions, asks);
    assert_int_equal(n_held, HUB_USES_QUESTIONS_MAX);
    assert_int_equal(get("/hub/v1/uses/mine", "citizen"), 503);
    assert_int_equal(get("/hub/v1/receipt/h.log.r1/7", "citizen"), 503);
    assert_err(find_use("h.log.r1", 7, MINE), ERR_FULL);
    assert_int_equal(get("/hub/v1/receipt/h.log/99999", "citizen"), 404); /* what nobody has to be asked for goes on */
    assert_ok(metric_page_create(&page));
    buf_init(&text, 1u << 20);
    hub_uses_measure(uses, page);
    assert_ok(metric_page_write(page, &text));
    buf_append_byte(&text, '\0');
    assert_ok(text.err);
    if (!strstr(text.ptr, "citybrain_queue_refused_total{queue=\"hub_uses_questions\",of=\"hub\"} 3\n"))
        fail_msg("%s", text.ptr);
    buf_finish(&text);
    metric_page_destroy(page);
    fake_door_on_hub(&door, give_up, NULL);
    assert_int_equal(n_given_up, HUB_USES_QUESTIONS_MAX);
    other = ANSWERS;
    hub_others_set(door.city.hub, ask_other, NULL);
    assert_int_equal(get("/hub/v1/uses/mine", "citizen"), 200);
    assert_true(has("\"complete\":true"));
    hub_others_set(door.city.hub, hold_question, NULL);
    fake_door_on_hub(&door, fill_questions, asks); /* all places were given back: so many again, and no more */
    assert_int_equal(n_held, HUB_USES_QUESTIONS_MAX);
    assert_err(find_use("h.log.r1", 7, MINE), ERR_FULL);
    fake_door_on_hub(&door, give_up, NULL);
}

/* One that is away is named for as long as it may have uses; past the bound the one longest unheard makes room. */
static void which_logs_there_are(void **state)
{
    char logs[HUB_USES_LOGS_MAX][HUB_USES_LOG_MAX], name[32];
    static const char *const bad[] = {"h.log", "x.log.r1", "h.log.sm", "h.log.a/b", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(hub_uses_met(door.city.hub, str_from_c(bad[i])));
    assert_true(hub_uses_met(door.city.hub, STR("h.log.r1")) && hub_uses_met(door.city.hub, STR("h.log.r1")));
    assert_int_equal(hub_uses_logs(door.city.hub, logs), 1);
    fake_door_stop_server(&door);
    hub_uses_close(uses);
    assert_int_equal(hub_uses_logs(door.city.hub, logs), 0);
    open_uses(NULL);
    assert_int_equal(hub_uses_logs(door.city.hub, logs), 1);
    assert_string_equal(logs[0], "h.log.r1");
    for (int i = 2; i < HUB_USES_LOGS_MAX + 5; i++) {
        usleep(2000); /* so that one is the oldest */
        snprintf(name, sizeof name, "h.log.r%d", i);
        assert_true(hub_uses_met(door.city.hub, str_from_c(name)));
    }
    assert_int_equal(hub_uses_logs(door.city.hub, logs), HUB_USES_LOGS_MAX - 1);
    for (int i = 0; i < HUB_USES_LOGS_MAX - 1; i++)
        assert_string_not_equal(logs[i], "h.log.r1");
}

/* One that told its log each day and is away stays named over restarts; a retired one is not named any more when the keys of its last day
 * are gone, without a restart too. */
static void for_as_long_as_keys_are_kept(void **state)
{
    char logs[HUB_USES_LOGS_MAX][HUB_USES_LOG_MAX];
    assert_true(hub_uses_met(door.city.hub, STR("h.log.r1")) && hub_uses_met(door.city.hub, STR("h.log.r2")));
    moved.ms += HUB_EPOCHS_KEPT_MS - 1000 * 60;
    assert_int_equal(hub_uses_logs(door.city.hub, logs), 2);
    assert_true(hub_uses_met(door.city.hub, STR("h.log.r2")));
    moved.ms += 1000 * 61;
    assert_int_equal(hub_uses_logs(door.city.hub, logs), 1);
    assert_string_equal(logs[0], "h.log.r2");
    fake_door_stop_server(&door);
    hub_uses_close(uses);
    open_uses(NULL);
    assert_int_equal(hub_uses_logs(door.city.hub, logs), 1);
    moved.ms += HUB_EPOCHS_KEPT_MS;
    assert_int_equal(hub_uses_logs(door.city.hub, logs), 0);
    assert_true(hub_uses_met(door.city.hub, STR("h.log.r1")));
    assert_int_equal(hub_uses_logs(door.city.hub, logs), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_of_several_processes, make, finish),
        cmocka_unit_test_setup_teardown(what_stands_behind_receipts, make, finish),
        cmocka_unit_test_setup_teardown(the_use_that_a_receipt_names, make, finish),
        cmocka_unit_test_setup_teardown(as_many_questions_as_there_may_be, make, finish),
        cmocka_unit_test_setup_teardown(which_logs_there_are, make, finish),
        cmocka_unit_test_setup_teardown(for_as_long_as_keys_are_kept, make, finish),
        cmocka_unit_test_setup_teardown(calls_by_one_key_and_by_several, make, finish),
        cmocka_unit_test_setup_teardown(queries_whose_rows_were_theirs, make, finish),
        cmocka_unit_test_setup_teardown(windows_of_streams, make, finish),
        cmocka_unit_test_setup_teardown(over_restarts, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
