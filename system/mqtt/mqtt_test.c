/*
 * A real Mosquitto through the connector: rows as they are granted, what is refused and counted, repeats, what the broker keeps while we
 * are away or behind, silence and last will, TLS and passwords. Run by tests/servers.py, which starts the broker.
 */
#include "system/mqtt/mqtt_testing.h"

#include "base/mem.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mosquitto *publisher;
static _Atomic size_t n_taken; /* by the broker */
static size_t n_sent;

static const char *need(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fail_msg("%s is not set; mend: run it as tests/servers.py mosquitto -- PROGRAM", name);
    return value;
}

static int broker_port(void)
{
    return (int)strtol(need("CITYBRAIN_MOSQUITTO_PORT"), NULL, 10);
}

static void taken(struct mosquitto *client, void *context, int message_id)
{
    atomic_fetch_add(&n_taken, 1);
}

static void send_bytes(const char *topic, const void *bytes, size_t len)
{
    assert_int_equal(mosquitto_publish(publisher, NULL, topic, (int)len, bytes, 1, false), 0);
    n_sent++;
}

static void send_text(const char *topic, const char *text)
{
    send_bytes(topic, text, strlen(text));
}

static bool all_taken(const void *unused)
{
    return atomic_load(&n_taken) == n_sent;
}

static void make(const char *more, const char *bind)
{
    static int n; /* each test has a session of its own at the broker */
    char text[1024];
    snprintf(text, sizeof text, "  client: test-%d\n%s", ++n, more);
    mq_city_make(broker_port(), text, bind);
}

/* Loaded, and heard: the subscription is at the broker. */
static void load_and_hear(void)
{
    mq_city_load(0);
    const struct mono_time begun = clock_mono(clock_system());
    while (mq_n_rows == 0 && mono_ms_between(begun, clock_mono(clock_system())) < 30000) {
        send_text("cb/h/gps/test", mq_position("hello", 1));
        for (int i = 0; i < 10 && mq_n_rows == 0; i++)
            assert_ok(loop_run_once(mq_city.loop, 10));
    }
    assert_true(mq_n_rows > 0);
    mq_wait(all_taken, NULL);
    mq_n_rows = 0;
    buf_reset(&mq_rows);
}

static void rows_come(void **state)
{
    make("", MQ_BIND);
    load_and_hear();
    send_text("cb/h/gps/bus", mq_position("013900000001", 77));
    send_text("cb/h/gps/taxi", "{\"phone\":\"京A\",\"lat\":-1,\"speed\":0,\"time\":\"20231115061320\"}");
    send_text("cb/h/gps/taxi", "{}");
    send_text("cb/h/other/taxi", mq_position("nobody", 78));
    send_text("cb/h/gps/a/b", mq_position("nobody", 79));
    send_text("cb/h/gps/end", "{\"phone\":\"end\"}");
    mq_wait_rows(4);
    assert_str(buf_str(&mq_rows), "013900000001|bus|30.274100000000001|35.600000000000001|@1700000000000;京A|taxi|-9.9999999999999995e-07|"
                                  "0|@1700000000000;NULL|taxi|NULL|NULL|NULL;end|end|NULL|NULL|NULL;");
    mq_wait_health(HUB_FRESH, "");
    mq_city_finish();
}

static void lists_of_rows(void **state)
{
    char text[200000];
    size_t len = (size_t)snprintf(text, sizeof text, "{\"batch\":{\"positions\":[{\"phone\":\"v\"}");
    make("", "topic: \"cb/h/gps/#\", rows: /batch/positions, levels: {fleet: 4}, fields: {vehicle: /phone}");
    mq_city_load(0);
    mq_wait_health(HUB_FRESH, "");
    for (int i = 0; i < 5000; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, ",{\"phone\":\"v%d\"}", i);
    snprintf(text + len, sizeof text - len, "]}}");
    send_text("cb/h/gps/bus/x", text);
    mq_wait_rows(5001);
    mq_city_finish();
}

/* Each thing that can be wrong is counted as what it is, refuses its message as a whole, and the next one comes. */
static void refusals(void **state)
{
    static char large[MQTT_PAYLOAD_MAX + 100], deep[3000];
    memset(large, ' ', sizeof large);
    memset(deep, '[', sizeof deep - 1);
    static const struct {
        const char *text;
        enum mqtt_count count;
        const char *detail;
    } rows[] = {
        {"", MQTT_NO_JSON, "message_json|h/police/vehicle"},
        {"hello", MQTT_NO_JSON, "message_json"},
        {"{\"phone\":\"a\"", MQTT_NO_JSON, "message_json"},
        {"{\"phone\":\"a\",\"phone\":\"b\"}", MQTT_NO_JSON, "message_json"},
        {"{\"phone\":\"\xff\"}", MQTT_NO_JSON, "message_json"},
        {"{\"phone\":\"a\\u0000b\"}", MQTT_NO_JSON, "message_json"},
        {deep, MQTT_NO_JSON, "message_json"},
        {large, MQTT_TOO_LARGE, "message_large"},
        {"7", MQTT_WRONG_TYPE, "message_type"},
        {"[7]", MQTT_WRONG_TYPE, "message_type"},
        {"[{\"phone\":\"a\"},{\"phone\":7}]", MQTT_WRONG_TYPE, "message_type"},
        {"{\"phone\":\"a\",\"lat\":\"30\"}", MQTT_WRONG_TYPE, "message_type"},
        {"{\"phone\":\"a\",\"time\":\"261322083000\"}", MQTT_WRONG_TYPE, "message_type"},
    };
    make("", MQ_BIND);
    load_and_hear();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t before = mqtt_count(mq_system(), rows[i].count);
        char good[20];
        snprintf(good, sizeof good, "good %zu", i);
        send_bytes("cb/h/gps/x", rows[i].text, rows[i].text == large ? sizeof large : strlen(rows[i].text));
        mq_wait_count(rows[i].count, before + 1);
        send_text("cb/h/gps/x", mq_position(good, 1000 + (unsigned)i));
        mq_wait_rows(i + 1); /* and nothing of the refused one */
    }
    const size_t n = sizeof rows / sizeof *rows;
    assert_int_equal(fake_department_figure(&mq_city, "citybrain_mqtt_refused_total{department=\"police\",why=\"no JSON\"}"), 7);
    assert_int_equal(fake_department_figure(&mq_city, "citybrain_mqtt_refused_total{department=\"police\",why=\"too large\"}"), 1);
    assert_int_equal(fake_department_figure(&mq_city, "citybrain_mqtt_refused_total{department=\"police\",why=\"wrong type\"}"), n - 8);
    assert_int_equal(
        fake_department_figure(&mq_city, "citybrain_mqtt_rows_total{department=\"police\"}"), mqtt_count(mq_system(), MQTT_ROWS));
    assert_int_equal(fake_department_figure(&mq_city, "citybrain_queue_limit{queue=\"mqtt\",of=\"police\"}"), MQTT_PENDING_MAX);
    mq_city_finish();
}

static void times_and_repeats(void **state)
{
    char text[200], stamp[40];
    make("", "topic: cb/h/gps/+, id: /serial, time: at, late: 10s, ahead: 1h, fields: {vehicle: /phone}");
    mq_city_load(0);
    mq_wait_health(HUB_FRESH, "");
    int64_t now_ms = clock_wall(clock_system()).ms;
    const struct {
        const char *topic;
        int serial, s;
        enum mqtt_count count;
    } rows[] = {
        {"cb/h/gps/a", 1, 0, MQTT_ROWS},
        {"cb/h/gps/a", 1, 0, MQTT_REPEATS},
        {"cb/h/gps/b", 1, -600, MQTT_ROWS}, /* of another topic: another message, and a time of its own */
        {"cb/h/gps/a", 2, -5, MQTT_ROWS},
        {"cb/h/gps/a", 3, -11, MQTT_LATE},
        {"cb/h/gps/a", 4, 60, MQTT_ROWS},
        {"cb/h/gps/a", 5, 40, MQTT_LATE},
        {"cb/h/gps/a", 6, 7200, MQTT_AHEAD},
        {"cb/h/gps/a", 5, 55, MQTT_ROWS}, /* what was refused was not taken */
        {"cb/h/gps/a", 2, 60, MQTT_REPEATS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t before = mqtt_count(mq_system(), rows[i].count);
        wall_format_rfc3339((struct wall_time){now_ms + 1000 * rows[i].s}, TIME_ZONE_SHANGHAI, stamp);
        snprintf(text, sizeof text, "{\"phone\":\"%zu\",\"serial\":%d,\"at\":\"%s\"}", i, rows[i].serial, stamp);
        send_text(rows[i].topic, text);
        mq_wait_count(rows[i].count, before + 1);
    }
    send_text("cb/h/gps/a", "{\"phone\":\"no time\"}");
    mq_wait_count(MQTT_WRONG_TYPE, 1);
    mq_city_finish();
}

/* The id of number `i`. Each place of the table is the home of some hundred, which push each other on and over the table's end. */
static const uint8_t *colliding_id(uint32_t i)
{
    static uint8_t id[16];
    uint64_t hash = 4 * MQTT_REPEATS_MAX - 3000 + i % 7 * 31 + i * UINT64_C(0x9e3779b97f4a7c15) % 97 * 128;
    memcpy(id, &hash, 8);
    memcpy(id + 8, &i, 4);
    return id;
}

/* More ids than are remembered: the newest are, the oldest are not, and memory stands still. */
static void many_ids(void **state)
{
    static struct mqtt_system system;
    assert_ok(mqtt_repeats_create(&system));
    for (uint32_t i = 0; i < 5 * MQTT_REPEATS_MAX; i++) {
        assert_false(mqtt_repeats_has(&system, colliding_id(i)));
        mqtt_repeats_add(&system, colliding_id(i));
        assert_true(mqtt_repeats_has(&system, colliding_id(i)));
        if (i >= MQTT_REPEATS_MAX) {
            assert_false(mqtt_repeats_has(&system, colliding_id(i - MQTT_REPEATS_MAX)));
            assert_true(mqtt_repeats_has(&system, colliding_id(i - MQTT_REPEATS_MAX + 1)));
        }
    }
    mqtt_repeats_destroy(&system);
}

/* The brain is away for a while: the broker keeps what comes. */
static void kept_while_away(void **state)
{
    make("", MQ_BIND);
    load_and_hear();
    mq_city_unload();
    for (unsigned i = 0; i < 30; i++)
        send_text("cb/h/gps/bus", mq_position("kept", 2000 + i));
    const struct mono_time begun = clock_mono(clock_system());
    while (!all_taken(NULL) && mono_ms_between(begun, clock_mono(clock_system())) < 30000)
        usleep(1000);
    assert_true(all_taken(NULL));
    mq_city_load(0);
    mq_wait_rows(30);
    mq_city_finish();
}

/* How many of v04 … v59 have come. */
static size_t n_of_v(bool has_come[60])
{
    struct str all = buf_str(&mq_rows);
    size_t n = 0;
    for (size_t i = 0; i + 3 <= all.len; i++)
        if (all.ptr[i] == 'v' && (i == 0 || all.ptr[i - 1] == ';'))
            has_come[(all.ptr[i + 1] - '0') * 10 + all.ptr[i + 2] - '0'] = true;
    for (size_t i = 4; i < 60; i++)
        n += has_come[i];
    return n;
}

/* A subscriber that is behind: what was not handed over is not acknowledged, and comes again to whoever comes next. */
static void behind(void **state)
{
    bool has_come[60] = {false};
    make("", MQ_BIND);
    load_and_hear();
    mq_city_unload();
    mq_city_load(4);
    for (unsigned i = 0; i < 60; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%02u", i);
        send_text("cb/h/gps/bus", mq_position(name, 3000 + i));
    }
    const struct mono_time begun = clock_mono(clock_system()); /* the loop does not run: nobody takes anything */
    while (mqtt_count(mq_system(), MQTT_ROWS) < 4 && mono_ms_between(begun, clock_mono(clock_system())) < 30000)
        usleep(1000);
    for (int i = 0; i < 200; i++)
        assert_int_equal(mqtt_count(mq_system(), MQTT_ROWS), 4);
    mq_city_unload(); /* four may be lost with the subscriber's memory, no more: they alone were handed over */
    mq_n_rows = 0;
    buf_reset(&mq_rows);
    mq_city_load(0);
    /* The four come again, too, when their acknowledgements were not on the wire: so not 56 rows are waited for, but those 56. */
    for (size_t n = 56; n_of_v(has_come) < 56; n++)
        mq_wait_rows(n);
    mq_city_finish();
}

static void away_and_back(void **state)
{
    struct fake_proxy *proxy = fake_proxy_start(broker_port());
    mq_city_make(fake_proxy_port(proxy), "  client: proxied\n", MQ_BIND);
    load_and_hear();
    fake_proxy_set(proxy, FAKE_PROXY_CLOSED);
    mq_wait_health(HUB_DOWN, "broker_");
    for (unsigned i = 0; i < 10; i++)
        send_text("cb/h/gps/bus", mq_position("meanwhile", 4000 + i));
    fake_proxy_set(proxy, FAKE_PROXY_PASS);
    mq_wait_rows(10);
    mq_wait_health(HUB_FRESH, "");
    fake_proxy_set(proxy, FAKE_PROXY_CLOSED);
    mq_wait_health(HUB_DOWN, "broker_");
    fake_proxy_set(proxy, FAKE_PROXY_SILENT);
    mq_wait_health(HUB_DOWN, "broker_silent");
    fake_proxy_set(proxy, FAKE_PROXY_CLOSED);
    fake_proxy_set(proxy, FAKE_PROXY_PASS);
    send_text("cb/h/gps/bus", mq_position("again", 4100));
    mq_wait_rows(11);
    mq_city_unload();
    fake_proxy_stop(proxy);
    mq_city_finish();
}

static void silence_and_will(void **state)
{
    make("  silent_after: 300ms\n  will: {topic: cb/h/gateway, gone: offline}\n", MQ_BIND);
    mq_city_load(0);
    mq_wait_health(HUB_STALE, "nothing_yet");
    send_text("cb/h/gps/bus", mq_position("a", 5000));
    mq_wait_rows(1);
    mq_wait_health(HUB_STALE, "nothing_lately");
    send_text("cb/h/gateway", "offline");
    mq_wait_health(HUB_STALE, "gateway_gone");
    send_text("cb/h/gateway", "online");
    mq_wait_health(HUB_STALE, "nothing_lately");
    mq_city_finish();
}

static void tls_and_passwords(void **state)
{
    static const struct {
        const char *tls, *ca, *password, *detail;
    } rows[] = {
        {"verify-full", "server.crt", "geheim 雨\n", ""},
        {"verify-full", "other.crt", "geheim 雨\n", "broker_tls"},
        {"verify-full", "server.crt", "wrong\n", "broker_sign_in"},
        {"require", NULL, "geheim 雨\n", ""},
        {"disable", NULL, "geheim 雨\n", "broker_"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char more[400], ca[300] = "";
        if (rows[i].ca)
            snprintf(ca, sizeof ca, "  tls_ca: %s/%s\n", need("CITYBRAIN_MOSQUITTO_SOCKET_DIR"), rows[i].ca);
        snprintf(more, sizeof more, "  client: tls-%zu\n  user: hub\n  password_file: \"{data}/secrets/mqtt\"\n  tls: %s\n%s", i,
            rows[i].tls, ca);
        mq_city_make((int)strtol(need("CITYBRAIN_MOSQUITTO_TLS_PORT"), NULL, 10), more, MQ_BIND);
        fake_department_secret(&mq_city, "mqtt", rows[i].password);
        if (rows[i].detail[0]) {
            mq_city_load(0);
            mq_wait_health(HUB_DOWN, rows[i].detail);
        } else {
            load_and_hear();
            for (unsigned j = 0; j < 200; j++) /* more than a TLS record */
                send_text("cb/h/gps/bus", mq_position("sealed", 6000 + j));
            mq_wait_rows(200);
        }
        mq_city_finish();
    }
}

static void files_that_are_wrong(void **state)
{
    static const struct {
        const char *more, *bind, *says;
    } rows[] = {
        {"", "rows: /a", "topic"},
        {"", "topic: \"#\"", "the first one fixed"},
        {"", "topic: +/a", "the first one fixed"},
        {"", "topic: $SYS/a", "the first one fixed"},
        {"", "topic: a/b#", "the first one fixed"},
        {"", "topic: a/b/c/d/e/f/g/h/i", "the first one fixed"},
        {"", "topic: a/b, levels: {fleet: 3}", "levels:"},
        {"", "topic: a/b, levels: {lat: 1}", "levels:"},
        {"", "topic: a/b, time: lat", "time: names the field"},
        {"", "topic: a/b, id: serial", "id: is a pointer"},
        {"", "topic: a/b, fields: {nobody: /x}", "is no declared field"},
        {"", "topic: a/b, table: x", "table"},
        {"  keepalive: 1s\n", MQ_BIND, "keepalive:"},
        {"  will: {topic: a/+, gone: x}\n", MQ_BIND, "will:"},
        {"  password_file: x\n", MQ_BIND, "goes with user:"},
        {"  tls: verify-full\n", MQ_BIND, "tls: verify-full needs the authority"},
        {"  database: x\n", MQ_BIND, "database"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list diags;
        mq_city_make(1883, rows[i].more, rows[i].bind);
        enum err err = fake_city_load(&mq_city, &diags);
        if (!err || !strstr(diags.diags[0].text, rows[i].says) || !strstr(diags.diags[0].text, "systems/police.yaml:"))
            fail_msg("row %zu: %s", i, diags.n ? diags.diags[0].text : "accepted");
        mq_city_finish();
    }
}

static int start(void **state)
{
    mosquitto_lib_init();
    publisher = mosquitto_new("publisher", true, NULL);
    mosquitto_publish_callback_set(publisher, taken);
    mosquitto_max_inflight_messages_set(publisher, 0);
    assert_int_equal(mosquitto_connect(publisher, "127.0.0.1", broker_port(), 60), 0);
    assert_int_equal(mosquitto_loop_start(publisher), 0);
    return 0;
}

static int stop(void **state)
{
    mosquitto_disconnect(publisher);
    mosquitto_loop_stop(publisher, false);
    mosquitto_destroy(publisher);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_come), cmocka_unit_test(lists_of_rows), cmocka_unit_test(refusals),
        cmocka_unit_test(times_and_repeats), cmocka_unit_test(many_ids), cmocka_unit_test(kept_while_away), cmocka_unit_test(behind),
        cmocka_unit_test(away_and_back), cmocka_unit_test(silence_and_will), cmocka_unit_test(tls_and_passwords),
        cmocka_unit_test(files_that_are_wrong)};
    return cmocka_run_group_tests(tests, start, stop);
}
