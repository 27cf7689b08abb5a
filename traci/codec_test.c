/* TraCI's format against bytes recorded from SUMO 1.15, and against bytes that are not of the form. */
#include "base/crypto.h"
#include "base/test.h"
#include "traci/codec.h"

#include <string.h>

/* Answer to a step: a loop that a vehicle has just left, an edge, and what arrived. */
#define STEP_ANSWER                                                                                                                        \
    "07020000000000000000030000000043e0000000024c310117000f0000000609000000010c0000000276370b40140000000000000b401b337ed77c88a80b401c9e"   \
    "d8335f173b0c000000036361720000000016ea0000000441304131011000090000000000000000"                                                       \
    "1feb0000000002790009000000017a000e00000001000000027637"

struct seen {
    int n;
    int n_crossings;
    struct traci_crossing crossing;
    int32_t vehicles, arrived;
    struct str arrived_id;
};

static void see(void *context, const struct traci_variable *variable)
{
    struct seen *seen = context;
    struct bytes_reader reader = variable->value;
    struct traci_value value;
    uint32_t n;
    seen->n++;
    if (variable->domain == TRACI_LOOP) {
        assert_str(variable->object, "L1");
        assert_ok(traci_read_crossings(&reader, &n));
        for (uint32_t i = 0; i < n; i++, seen->n_crossings++)
            assert_ok(traci_read_crossing(&reader, &seen->crossing));
        return;
    }
    assert_ok(traci_read_value(&reader, &value));
    if (variable->domain == TRACI_EDGE)
        seen->vehicles = value.i;
    if (variable->variable == TRACI_ARRIVED)
        seen->arrived = value.i;
    if (variable->variable == TRACI_ARRIVED_IDS)
        seen->arrived_id = value.n ? traci_read_string(&reader) : STR_NONE;
}

static size_t unhex(const char *hex, uint8_t *out, size_t size)
{
    size_t len = strlen(hex) / 2;
    assert_true(len <= size);
    assert_ok(crypto_unhex(str_from_c(hex), out, len));
    return len;
}

static void reads_a_recorded_step(void **state)
{
    uint8_t bytes[512];
    struct bytes_reader reader;
    bytes_reader_init(&reader, bytes, unhex(STEP_ANSWER, bytes, sizeof bytes));
    struct traci_status status;
    assert_ok(traci_read_status(&reader, &status));
    assert_int_equal(status.command, TRACI_STEP);
    assert_int_equal(status.result, 0);
    struct seen seen = {0};
    assert_ok(traci_read_results(&reader, see, &seen));
    assert_int_equal(bytes_reader_left(&reader), 0);
    assert_int_equal(seen.n, 4);
    assert_int_equal(seen.n_crossings, 1);
    assert_str(seen.crossing.vehicle, "v7");
    assert_str(seen.crossing.type, "car");
    assert_true(seen.crossing.length_m == 5.0);
    assert_true(seen.crossing.entered_s > 6.80 && seen.crossing.entered_s < 6.81);
    assert_true(seen.crossing.left_s > 7.15 && seen.crossing.left_s < 7.16);
    assert_int_equal(seen.arrived, 1);
    assert_str(seen.arrived_id, "v7");
}

/* Every prefix of a good answer ends in an error, never in a read past the end (the sanitizers look on). */
static void refuses_every_cut(void **state)
{
    uint8_t bytes[512];
    size_t len = unhex(STEP_ANSWER, bytes, sizeof bytes);
    for (size_t cut = 0; cut < len; cut++) {
        struct bytes_reader reader;
        bytes_reader_init(&reader, bytes, cut);
        struct traci_status status;
        struct seen seen = {0};
        enum err err = traci_read_status(&reader, &status);
        if (!err)
            err = traci_read_results(&reader, see, &seen);
        assert_err(err, ERR_SYNTAX);
    }
}

static void refuses_counts_that_cannot_be(void **state)
{
    static const char *const bad[] = {
        "0e7fffffff00000000",                                                     /* two thousand million strings in four bytes */
        "0fffffffff09",                                                           /* so many members */
        "0f000000010f000000010f000000010f000000010f000000010f000000010900000000", /* nested too deep */
        "0c00020000",                                                             /* a string longer than the message */
        "55",                                                                     /* no such tag */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[128];
        struct bytes_reader reader;
        bytes_reader_init(&reader, bytes, unhex(bad[i], bytes, sizeof bytes));
        assert_err(traci_skip_value(&reader), ERR_SYNTAX);
    }
    uint8_t bytes[32];
    struct bytes_reader reader;
    uint32_t n;
    bytes_reader_init(&reader, bytes, unhex("0f00000006097fffffff00000000", bytes, sizeof bytes));
    assert_err(traci_read_crossings(&reader, &n), ERR_SYNTAX);
}

static void reads_a_refusal(void **state)
{
    uint8_t bytes[128];
    struct bytes_reader reader;
    bytes_reader_init(&reader, bytes,
        unhex("2bc4ff00000024496e76616c696420726f75746520276e722720666f722076656869636c6520277638272e", bytes, sizeof bytes));
    struct traci_status status;
    assert_ok(traci_read_status(&reader, &status));
    assert_int_equal(status.command, 0xc4);
    assert_int_equal(status.result, 0xff);
    assert_str(status.text, "Invalid route 'nr' for vehicle 'v8'.");
}

/* The bytes of a subscription as a client that ran against SUMO sent them. */
static void writes_a_command(void **state)
{
    uint8_t bytes[128];
    struct bytes_writer writer;
    bytes_writer_init(&writer, bytes, sizeof bytes);
    traci_write_message_begin(&writer);
    size_t at = traci_write_open(&writer, TRACI_SIGNAL + TRACI_SET);
    bytes_write_u8(&writer, TRACI_SIGNAL_STATE);
    traci_write_string(&writer, STR("A0"));
    traci_write_text(&writer, STR("Gr"));
    traci_write_close(&writer, at);
    traci_write_message_end(&writer);
    assert_ok(writer.err);
    char hex[2 * sizeof bytes + 1];
    crypto_hex(bytes, writer.len, hex);
    assert_string_equal(hex, "00000018"
                             "0000000014c2"
                             "20"
                             "000000024130"
                             "0c000000024772");
    uint8_t small[8];
    bytes_writer_init(&writer, small, sizeof small);
    traci_write_message_begin(&writer);
    traci_write_close(&writer, traci_write_open(&writer, TRACI_STEP));
    traci_write_message_end(&writer);
    assert_err(writer.err, ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_recorded_step),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(refuses_counts_that_cannot_be),
        cmocka_unit_test(reads_a_refusal),
        cmocka_unit_test(writes_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
