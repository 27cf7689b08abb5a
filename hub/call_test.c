/*
 * Calls and objects: both leaves, nothing before the intent is durable, the refusals, quotas and their memory across a restart.
 */
#include "base/mem.h"
#include "base/test.h"
#include "hub/fake.h"
#include "hub/negotiate.h"
#include "hub/parts.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fake_city city;

struct asked {
    struct hub_call call;
    struct str fields[2], key_names[2];
    struct value key_values[2];
    int n_done;
    size_t n_rows;
    char json[256];
};

static void done(struct hub_call *call)
{
    struct asked *asked = call->context;
    asked->n_done++;
    if (call->rows)
        asked->n_rows = rows_n(call->rows);
    snprintf(asked->json, sizeof asked->json, STR_FORMAT, STR_ARG(call->json));
}

static void ask(struct asked *asked)
{
    *asked = (struct asked){
        .fields = {STR("colour"), STR("plate")},
        .key_names = {STR("plate"), STR("kind")},
        .key_values = {value_text(STR("浙A1\"")), value_integer(2)},
    };
    asked->call = (struct hub_call){
        .party = STR("h/parking"),
        .resource = STR("h/police/vehicle"),
        .purpose = STR("parking.settle"),
        .key_names = asked->key_names,
        .key_values = asked->key_values,
        .n_keys = 1,
        .fields = asked->fields,
        .n_fields = 2,
        .loop = city.loop,
        .done = done,
        .context = asked,
    };
}

static void start(struct asked *asked)
{
    hub_call_start(city.hub, &asked->call);
    assert_int_equal(asked->n_done, 0); /* always later */
    fake_city_spin(&city);
}

static int make(void **state)
{
    struct diag_list diags;
    fake_city_make(&city);
    city.ledger = fake_ledger();
    return fake_city_load(&city, &diags) != ERR_OK;
}

static int finish(void **state)
{
    fake_city_unload(&city);
    fake_city_remove(&city);
    fake_ledger_reset();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

static void answered(void **state)
{
    struct asked asked;
    ask(&asked);
    start(&asked);
    assert_int_equal(asked.n_done, 1);
    assert_int_equal(asked.call.refusal.err, ERR_OK);
    assert_int_equal(asked.n_rows, 1);
    assert_string_equal(asked.json, "[{\"colour\":\"colour\",\"plate\":\"浙A1\\\"\"}]");
    fake_city_spin(&city);
    size_t n = fake_ledger_n();
    char receipt[HUB_RECEIPT_MAX];
    snprintf(receipt, sizeof receipt, "h.log/%zu", n - 2);
    assert_string_equal(asked.call.receipt, receipt);
    struct str intent = fake_ledger_leaf(n - 2), outcome = fake_ledger_leaf(n - 1);
    assert_true(str_starts_with(intent, STR("{\"consumer\":\"h/parking\",\"contract\":\"h/c-17\",\"contract_sha256\":\"")));
    assert_non_null(strstr(intent.ptr, "\"subject\":\""));
    assert_non_null(strstr(intent.ptr, "\"type\":\"intent\",\"use\":\"call\"}"));
    assert_non_null(strstr(outcome.ptr, "\"rows\":1,\"status\":\"ok\""));
    assert_int_equal(fake_ledger_count("浙A1"), 0); /* no personal data */
}

/* The leaves are what RFC 8785 makes of them. */
static void leaves_are_canonical(void **state)
{
    struct asked asked;
    ask(&asked);
    start(&asked);
    fake_city_spin(&city);
    for (size_t i = 0; i < fake_ledger_n(); i++) {
        json_t *json;
        struct buf canonical;
        assert_ok(json_read(fake_ledger_leaf(i), NULL, &json));
        buf_init(&canonical, 65536);
        assert_ok(json_write_canonical(json, &canonical));
        assert_true(str_equal(buf_str(&canonical), fake_ledger_leaf(i)));
        buf_finish(&canonical);
        json_decref(json);
    }
}

/* Whether `member` of the leaf is the commitment to `text`: salt = HMAC(HMAC(epoch key, "citybrain salt"), nonce). */
static void assert_opens(struct str leaf, const char *member, struct str text)
{
    uint8_t epoch[32], nonce[16];
    char path[256], expected[65];
    json_t *json;
    struct str hex, is;
    snprintf(path, sizeof path, "%s/secrets/epoch/2026-11-18", city.data);
    assert_ok(crypto_key_file(path, epoch));
    struct sha256 salt_key = crypto_hmac_sha256((struct str){(char *)epoch, 32}, STR("citybrain salt"));
    assert_ok(json_read(leaf, NULL, &json));
    assert_ok(json_get_str(json, "nonce", &hex));
    assert_ok(crypto_unhex(hex, nonce, 16));
    struct sha256 salt = crypto_hmac_sha256((struct str){(char *)salt_key.bytes, 32}, (struct str){(char *)nonce, 16});
    struct sha256 commitment = crypto_hmac_sha256((struct str){(char *)salt.bytes, 32}, text);
    crypto_hex(commitment.bytes, 32, expected);
    assert_ok(json_get_str(json, member, &is));
    assert_true(str_equal_c(is, expected));
    json_decref(json);
}

/* Anyone with the opening can check both commitments. */
static void commitments_open(void **state)
{
    struct asked asked;
    ask(&asked);
    start(&asked);
    fake_city_spin(&city);
    assert_opens(fake_ledger_leaf(fake_ledger_n() - 2), "request",
        STR("{\"fields\":[\"colour\",\"plate\"],\"key\":{\"plate\":\"浙A1\\\"\"},\"purpose\":\"parking.settle\",\"resource\":\"h/"
            "police/vehicle\"}"));
    assert_opens(fake_ledger_leaf(fake_ledger_n() - 1), "digest", str_from_c(asked.json));
}

/* A day's key is erased when the city's time for it is over; from then on nothing links that day's leaves to anybody. */
static void keys_are_forgotten_in_time(void **state)
{
    struct asked asked;
    char first[256], second[256];
    ask(&asked);
    start(&asked);
    fake_city_spin(&city);
    snprintf(first, sizeof first, "%s/secrets/epoch/2026-11-18", city.data);
    snprintf(second, sizeof second, "%s/secrets/epoch/2026-11-19", city.data);
    clock_fake_advance_ms(&city.clock, INT64_C(86400000));
    ask(&asked);
    start(&asked);
    fake_city_spin(&city);
    clock_fake_advance_ms(&city.clock, HUB_EPOCHS_KEPT_MS - INT64_C(86400000));
    fake_city_spin(&city);
    assert_int_equal(access(first, F_OK), 0);
    clock_fake_advance_ms(&city.clock, INT64_C(86400000));
    fake_city_spin(&city);
    assert_int_equal(access(first, F_OK), -1);
    assert_int_equal(access(second, F_OK), 0);
}

static void nothing_before_the_intent(void **state)
{
    struct asked asked;
    ask(&asked);
    fake_ledger_hold(true);
    start(&asked);
    assert_int_equal(fake_system.n_fetched, 1); /* asked side by side */
    assert_int_equal(asked.n_done, 0);
    fake_ledger_hold(false);
    fake_city_spin(&city);
    assert_int_equal(asked.n_done, 1);

    ask(&asked);
    fake_system.is_holding = true;
    start(&asked);
    assert_int_equal(asked.n_done, 0);
    fake_system_release();
    fake_city_spin(&city);
    assert_int_equal(asked.n_done, 1);
    assert_int_equal(asked.n_rows, 1);
}

static void ledger_gone(void **state)
{
    struct asked asked;
    ask(&asked);
    fake_ledger_break(ERR_DISK_FULL);
    start(&asked);
    assert_int_equal(asked.n_done, 1);
    assert_int_equal(asked.call.refusal.err, ERR_UNAVAILABLE);
    assert_int_equal(asked.n_rows, 0);
    assert_string_equal(asked.json, "");
    assert_string_equal(asked.call.receipt, "");
    fake_ledger_break(ERR_OK);
    ask(&asked);
    fake_ledger_refuse(ERR_FULL);
    start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_FULL);
    assert_int_equal(fake_system.n_fetched, 1); /* not asked without evidence */
    fake_ledger_refuse(ERR_OK);
}

static void department_down(void **state)
{
    static const struct {
        enum err err;
        const char *status;
    } rows[] = {{ERR_UNAVAILABLE, "unavailable"}, {ERR_TIMEOUT, "timeout"}, {ERR_TOO_LARGE, "too_large"}, {ERR_FULL, "busy"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct asked asked;
        char status[64];
        ask(&asked);
        fake_system.fetch_err = rows[i].err;
        start(&asked);
        fake_city_spin(&city);
        assert_int_equal(asked.call.refusal.err, rows[i].err);
        snprintf(status, sizeof status, "\"rows\":0,\"status\":\"%s\"", rows[i].status);
        assert_int_equal(fake_ledger_count(status), 1);
    }
}

static void refused(void **state)
{
    static const struct str owner[] = {STR_INIT("owner")};
    static const struct str no_such[] = {STR_INIT("nothing")};
    struct asked asked;
    struct {
        const char *what;
        enum err err;
        int rule;
        struct hub_call change;
    } rows[] = {
        {"another party", ERR_NOT_FOUND, 0, {.party = STR("h/count")}},
        {"unknown resource", ERR_NOT_FOUND, 0, {.resource = STR("h/police/vehicles")}},
        {"a stream", ERR_NOT_FOUND, 0, {.resource = STR("h/police/passage")}},
        {"another's contract", ERR_NOT_FOUND, 0, {.contract = STR("h/c-1")}},
        {"unknown contract", ERR_NOT_FOUND, 0, {.contract = STR("h/c-99")}},
        {"another purpose", ERR_DENIED, 8, {.purpose = STR("parking.spy")}},
        {"a field not granted", ERR_DENIED, 9, {.fields = owner, .n_fields = 1}},
        {"a field that is not", ERR_DENIED, 9, {.fields = no_such, .n_fields = 1}},
        {"not a key", ERR_RANGE, 0, {.key_names = no_such}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct hub_call *change = &rows[i].change;
        ask(&asked);
        if (change->party.ptr)
            asked.call.party = change->party;
        if (change->resource.ptr)
            asked.call.resource = change->resource;
        if (change->contract.ptr)
            asked.call.contract = change->contract;
        if (change->purpose.ptr)
            asked.call.purpose = change->purpose;
        if (change->fields) {
            asked.call.fields = change->fields;
            asked.call.n_fields = change->n_fields;
        }
        if (change->key_names)
            asked.call.key_names = change->key_names;
        start(&asked);
        assert_int_equal(asked.n_done, 1);
        if (asked.call.refusal.err != rows[i].err || asked.call.refusal.rule != rows[i].rule)
            fail_msg("%s: %s, rule %d", rows[i].what, err_text(asked.call.refusal.err), asked.call.refusal.rule);
    }
    ask(&asked);
    asked.call.n_fields = 0;
    start(&asked);
    assert_int_equal(asked.call.refusal.rule, 9);
    ask(&asked);
    asked.call.n_keys = 0;
    start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_RANGE);
    ask(&asked);
    asked.key_values[0] = value_integer(1);
    start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_RANGE);
    ask(&asked);
    asked.key_names[1] = STR("plate");
    asked.call.n_keys = 2;
    start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_RANGE);
    assert_int_equal(fake_system.n_fetched, 0);
    assert_int_equal(fake_ledger_count("\"use\":\"call\""), 0);
    ask(&asked); /* a suspension holds from the next decision on */
    assert_ok(fake_city_step(&city, "h/c-17", NEGOTIATE_SUSPEND));
    start(&asked);
    assert_int_equal(asked.call.refusal.rule, 1);
}

/* How many calls are permitted until rule `rule` denies. */
static int count_until(int rule)
{
    for (int n = 0; n < 5000; n++) {
        struct asked asked;
        ask(&asked);
        hub_call_start(city.hub, &asked.call);
        for (int i = 0; i < 1000 && asked.n_done == 0; i++)
            assert_ok(loop_run_once(city.loop, 10));
        assert_int_equal(asked.n_done, 1);
        if (asked.call.refusal.rule == rule)
            return n;
        assert_int_equal(asked.call.refusal.err, ERR_OK);
    }
    return -1;
}

static int make_day_quota(void **state)
{
    struct diag_list diags;
    fake_city_make(&city);
    city.ledger = fake_ledger();
    fake_city_write(&city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\n"
        "fields: [plate, colour]\npurpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nper_day: 1000\n"
        "from: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    return fake_city_load(&city, &diags) != ERR_OK;
}

static void reload(void)
{
    struct diag_list diags;
    fake_city_unload(&city);
    assert_ok(fake_city_load(&city, &diags));
}

static void quota_of_the_day(void **state)
{
    assert_int_equal(count_until(11), 1000);
    reload();
    assert_int_equal(count_until(11), 0);
    clock_fake_advance_ms(&city.clock, 86400000);
    assert_int_equal(count_until(11), 1000);
    clock_fake_advance_ms(&city.clock, -86400000); /* a clock that jumps back gives nothing back */
    assert_int_equal(count_until(11), 0);
}

/* A clean stop remembers exactly. */
static void quota_after_a_stop(void **state)
{
    struct asked asked;
    for (int i = 0; i < 100; i++) {
        ask(&asked);
        hub_call_start(city.hub, &asked.call);
        for (int j = 0; j < 1000 && asked.n_done == 0; j++)
            assert_ok(loop_run_once(city.loop, 10));
    }
    reload();
    assert_int_equal(count_until(11), 900);
}

/* Nothing when there is no such file. */
static void copy_file(const char *from, const char *to)
{
    char bytes[4096];
    FILE *in = fopen(from, "r");
    if (!in)
        return;
    FILE *out = fopen(to, "w");
    assert_non_null(out);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* The file as it is now is what a kill would leave. */
static void kill_it(void)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char path[3][160], kept[3][160];
    struct diag_list diags;
    for (int i = 0; i < 3; i++) {
        snprintf(path[i], sizeof path[i], "%s/hub.sqlite%s", city.data, endings[i]);
        snprintf(kept[i], sizeof kept[i], "%s/kept%s", city.dir, endings[i]);
        remove(kept[i]);
        copy_file(path[i], kept[i]);
    }
    fake_city_unload(&city);
    for (int i = 0; i < 3; i++) {
        remove(path[i]);
        copy_file(kept[i], path[i]);
    }
    assert_ok(fake_city_load(&city, &diags));
}

/* After a kill the counter is too high by less than a block, never too low. */
static void quota_after_a_kill(void **state)
{
    struct asked asked;
    for (int i = 0; i < 100; i++) {
        ask(&asked);
        hub_call_start(city.hub, &asked.call);
        for (int j = 0; j < 1000 && asked.n_done == 0; j++)
            assert_ok(loop_run_once(city.loop, 10));
    }
    kill_it();
    int n = count_until(11);
    assert_true(n <= 900);
    assert_true(n >= 900 - 300);
}

/* How many uses of the day the catalog would show. */
static int64_t shown(void)
{
    int64_t day, month;
    hub_quota_used(hub_contract_lookup(city.hub, STR("h/c-17")), clock_wall(&city.clock.clock), &day, &month);
    assert_int_equal(day, month);
    return day;
}

static void use(int n)
{
    struct asked asked;
    for (int i = 0; i < n; i++) {
        ask(&asked);
        start(&asked);
        assert_int_equal(asked.call.refusal.err, ERR_OK);
    }
}

/* Uses that no quota limits are counted, too: a kill forgets those of the last ten seconds, not more. */
static void usage_after_a_kill(void **state)
{
    use(7);
    kill_it();
    assert_int_equal(shown(), 0);
    use(7);
    for (int i = 0; i < 11; i++) {
        clock_fake_advance_ms(&city.clock, 1000);
        fake_city_spin(&city);
    }
    while (city.hub->usage.is_writing)
        assert_ok(loop_run_once(city.loop, 10));
    use(2);
    assert_int_equal(shown(), 9);
    kill_it();
    assert_int_equal(shown(), 7);
    use(1);
    reload(); /* a clean stop forgets none */
    assert_int_equal(shown(), 8);
}

static void quota_of_the_second(void **state)
{
    fake_city_write(&city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\n"
        "fields: [plate, colour]\npurpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nper_second: 3\n"
        "from: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    reload();
    assert_int_equal(count_until(10), 3);
    clock_fake_advance_ms(&city.clock, 1000);
    assert_int_equal(count_until(10), 3);
    struct asked asked;
    ask(&asked);
    start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_BUSY);
}

static void freshness(void **state)
{
    fake_city_write(&city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\n"
        "fields: [plate, colour]\npurpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nfresh_for: 1h\n"
        "from: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    reload();
    struct asked asked;
    ask(&asked);
    start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_OK);
    city.clock.wall.ms += 2 * 3600000; /* the wall clock alone: no tick has confirmed it */
    ask(&asked);
    start(&asked);
    assert_int_equal(asked.call.refusal.rule, 4);
    clock_fake_advance_ms(&city.clock, 1000);
    fake_city_spin(&city);
    ask(&asked);
    start(&asked);
    assert_int_equal(asked.call.refusal.err, ERR_OK);
}

/* ---- several threads at once ---- */

#define N_THREADS 3
#define N_EACH 300 /* all of them fit among those that wait for the first reservation */

struct caller {
    struct loop_thread *thread;
    struct asked *asked; /* [N_EACH] */
    _Atomic int n_done, n_permitted;
};
static struct caller callers[N_THREADS];

static void counted(struct hub_call *call)
{
    struct caller *caller = call->context;
    atomic_fetch_add(&caller->n_permitted, call->refusal.err == ERR_OK);
    assert_true(call->refusal.err == ERR_OK || call->refusal.rule == 12);
    atomic_fetch_add(&caller->n_done, 1);
}

static void call_many(void *context)
{
    struct caller *caller = context;
    for (int i = 0; i < N_EACH; i++) {
        struct asked *asked = &caller->asked[i];
        ask(asked);
        asked->call.loop = loop_thread_loop(caller->thread);
        asked->call.done = counted;
        asked->call.context = caller;
        hub_call_start(city.hub, &asked->call);
    }
}

/* Calls from three threads share one quota: exactly as many are permitted as it says. */
static void quota_among_threads(void **state)
{
    int n_done = 0, n_permitted = 0;
    fake_city_write(&city, "contracts/c-17.yaml",
        "contract: h/c-17\nprovider: h/police\nconsumer: h/parking\nresource: h/police/vehicle\nuses: [call]\n"
        "fields: [plate, colour]\npurpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nper_month: 500\n"
        "from: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nstate: agreed\n");
    reload();
    for (int i = 0; i < N_THREADS; i++) {
        callers[i].n_done = callers[i].n_permitted = 0;
        callers[i].asked = calloc(N_EACH, sizeof(struct asked));
        assert_ok(loop_thread_start(clock_system(), "caller", &callers[i].thread));
    }
    for (int i = 0; i < N_THREADS; i++)
        loop_thread_call(callers[i].thread, call_many, &callers[i]);
    for (int i = 0; i < 3000 && n_done < N_THREADS * N_EACH; i++) { /* the hub's loop: reservations */
        assert_ok(loop_run_once(city.loop, 10));
        clock_fake_advance_ms(&city.clock, 10);
        n_done = n_permitted = 0;
        for (int j = 0; j < N_THREADS; j++) {
            n_done += callers[j].n_done;
            n_permitted += callers[j].n_permitted;
        }
    }
    assert_int_equal(n_done, N_THREADS * N_EACH);
    assert_int_equal(n_permitted, 500);
    for (int i = 0; i < N_THREADS; i++) {
        loop_thread_stop(callers[i].thread);
        free(callers[i].asked);
    }
}

/* A call with the Nth allocation failing: always one end, an answer or a refusal. */
static void each_allocation_fails_once(void **state)
{
    bool is_answered = false;
    uint64_t n = 0;
    while (!is_answered && ++n < 1000) {
        struct asked asked;
        ask(&asked);
        mem_fail_nth(n);
        hub_call_start(city.hub, &asked.call);
        fake_city_spin(&city);
        mem_fail_nth(0);
        fake_city_spin(&city);
        assert_int_equal(asked.n_done, 1);
        is_answered = asked.call.refusal.err == ERR_OK;
    }
    assert_true(is_answered);
    assert_true(n > 3);
}

/* ---- objects ---- */

struct got {
    struct hub_object_get get;
    int n_done;
    char bytes[64];
};

static void got_done(struct hub_object_get *get)
{
    struct got *got = get->context;
    got->n_done++;
    snprintf(got->bytes, sizeof got->bytes, STR_FORMAT, STR_ARG(get->bytes));
}

static void objects(void **state)
{
    struct got got = {.get = {.party = STR("h/cockpit"),
                          .resource = STR("h/count/road"),
                          .purpose = STR("cockpit.show"),
                          .loop = city.loop,
                          .done = got_done}};
    got.get.context = &got;
    hub_object_get_start(city.hub, &got.get);
    fake_city_spin(&city);
    assert_int_equal(got.n_done, 1);
    assert_int_equal(got.get.refusal.err, ERR_UNAVAILABLE); /* its provider has not put it yet */
    const struct hub_resource *road = hub_resource_find(city.hub, STR("h/count/road"));
    assert_ok(hub_object_put(city.hub, road, STR("application/json"), STR("{\"a\":1}")));
    assert_ok(hub_object_put(city.hub, road, STR("application/json"), STR("{\"a\":2}")));
    fake_ledger_hold(true);
    hub_object_get_start(city.hub, &got.get);
    fake_city_spin(&city);
    assert_int_equal(got.n_done, 1);
    assert_ok(hub_object_put(city.hub, road, STR("application/json"), STR("{\"a\":3}")));
    fake_ledger_hold(false);
    fake_city_spin(&city);
    assert_int_equal(got.n_done, 2);
    assert_int_equal(got.get.refusal.err, ERR_OK);
    assert_string_equal(got.bytes, "{\"a\":2}"); /* as it was when it was asked for */
    assert_opens(fake_ledger_leaf(fake_ledger_n() - 2), "request",
        STR("{\"fields\":[\"bytes\"],\"key\":{},\"purpose\":\"cockpit.show\",\"resource\":\"h/count/road\"}"));
    got.get.purpose = STR("other");
    hub_object_get_start(city.hub, &got.get);
    fake_city_spin(&city);
    assert_int_equal(got.get.refusal.rule, 8);
    assert_err(hub_object_put(city.hub, hub_resource_find(city.hub, STR("h/police/vehicle")), STR("a"), STR("b")), ERR_STATE);
}

static void each_allocation_of_an_object_fails_once(void **state)
{
    struct got got = {.n_done = 0};
    uint64_t n = 0;
    assert_ok(hub_object_put(city.hub, hub_resource_find(city.hub, STR("h/count/road")), STR("text/plain"), STR("x")));
    for (int n_done = 1; n == 0 || got.get.refusal.err; n_done++) {
        got.get = (struct hub_object_get){.party = STR("h/cockpit"),
            .resource = STR("h/count/road"),
            .purpose = STR("cockpit.show"),
            .loop = city.loop,
            .done = got_done,
            .context = &got};
        mem_fail_nth(++n);
        hub_object_get_start(city.hub, &got.get);
        fake_city_spin(&city);
        mem_fail_nth(0);
        fake_city_spin(&city);
        assert_int_equal(got.n_done, n_done);
        assert_true(n < 1000);
    }
    assert_true(n > 3);
}

/* ---- the hub's end while uses are under way on another thread ---- */

static _Atomic int n_slow;

static void take_your_time(void)
{
    atomic_fetch_add(&n_slow, 1);
    usleep(200000);
}

static void slow_call_done(struct hub_call *call)
{
    take_your_time();
}

static void slow_get_done(struct hub_object_get *get)
{
    take_your_time();
}

static void the_end_waits_for_what_is_under_way(void **state)
{
    for (int is_object = 0; is_object < 2; is_object++) {
        struct diag_list diags;
        struct loop_thread *thread;
        struct asked asked;
        if (is_object)
            assert_ok(fake_city_load(&city, &diags));
        assert_ok(loop_thread_start(clock_system(), "caller", &thread));
        ask(&asked);
        asked.call.loop = loop_thread_loop(thread);
        asked.call.done = slow_call_done;
        struct hub_object_get get = {.party = STR("h/cockpit"),
            .resource = STR("h/count/road"),
            .purpose = STR("cockpit.show"),
            .loop = loop_thread_loop(thread),
            .done = slow_get_done};
        assert_ok(hub_object_put(city.hub, hub_resource_find(city.hub, get.resource), STR("text/plain"), STR("x")));
        size_t n_outcomes = fake_ledger_count("\"type\":\"outcome\"");
        atomic_store(&n_slow, 0);
        if (is_object)
            hub_object_get_start(city.hub, &get);
        else
            hub_call_start(city.hub, &asked.call);
        for (int i = 0; i < 1000 && atomic_load(&n_slow) == 0; i++)
            fake_city_spin(&city);
        fake_city_unload(&city); /* while `done` runs; the outcome is still to be written */
        assert_int_equal(fake_ledger_count("\"type\":\"outcome\""), n_outcomes + 1);
        loop_thread_stop(thread);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answered, make, finish),
        cmocka_unit_test_setup_teardown(leaves_are_canonical, make, finish),
        cmocka_unit_test_setup_teardown(commitments_open, make, finish),
        cmocka_unit_test_setup_teardown(keys_are_forgotten_in_time, make, finish),
        cmocka_unit_test_setup_teardown(nothing_before_the_intent, make, finish),
        cmocka_unit_test_setup_teardown(ledger_gone, make, finish),
        cmocka_unit_test_setup_teardown(department_down, make, finish),
        cmocka_unit_test_setup_teardown(refused, make, finish),
        cmocka_unit_test_setup_teardown(quota_of_the_day, make_day_quota, finish),
        cmocka_unit_test_setup_teardown(quota_after_a_stop, make_day_quota, finish),
        cmocka_unit_test_setup_teardown(quota_after_a_kill, make_day_quota, finish),
        cmocka_unit_test_setup_teardown(usage_after_a_kill, make, finish),
        cmocka_unit_test_setup_teardown(quota_of_the_second, make, finish),
        cmocka_unit_test_setup_teardown(freshness, make, finish),
        cmocka_unit_test_setup_teardown(quota_among_threads, make, finish),
        cmocka_unit_test_setup_teardown(each_allocation_fails_once, make, finish),
        cmocka_unit_test_setup_teardown(objects, make, finish),
        cmocka_unit_test_setup_teardown(each_allocation_of_an_object_fails_once, make, finish),
        cmocka_unit_test_setup_teardown(the_end_waits_for_what_is_under_way, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
