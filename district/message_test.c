/* Each kind of message there and back; cut, prolonged and turned bytes are refused or read within bounds. */
#include "base/test.h"
#include "district/message.h"

#include <string.h>

static struct district_message example(uint8_t kind)
{
    struct district_message message;
    memset(&message, 0, sizeof message);
    message.kind = kind;
    message.boot = 0x0102030405060708;
    switch (kind) {
    case DISTRICT_BEAT:
        message.beat.seq = 9;
        message.beat.sent_ms = -5;
        message.beat.echo_boot = 3;
        message.beat.echo_ms = INT64_MAX;
        memset(message.beat.agreement.bytes, 0xa5, 32);
        message.beat.word.state = 2;
        message.beat.word.since_ms = 1795000000000;
        memset(message.beat.word.signature, 0x5a, 64);
        message.beat.version = 1;
        message.beat.got = 48211;
        break;
    case DISTRICT_NEED:
        message.need.version = 7;
        message.need.at = 128;
        break;
    case DISTRICT_STATES:
        message.states.version = 7;
        message.states.at = 1;
        message.states.n_all = 200;
        message.states.n = DISTRICT_BATCH;
        for (size_t i = 0; i < DISTRICT_BATCH; i++)
            memset(&message.states.entries[i], (int)i, sizeof message.states.entries[i]);
        break;
    case DISTRICT_FORWARD:
    case DISTRICT_STOP:
        message.forward.intent = 48211;
        message.forward.to_boot = 4;
        message.forward.part = 70000;
        break;
    case DISTRICT_ANSWER:
        message.answer.intent = 48211;
        message.answer.leaf = 77;
        message.answer.part = 3;
        message.answer.has_leaf = true;
        break;
    default:
        message.receipts.first = 5;
        message.receipts.n = DISTRICT_BATCH;
        for (size_t i = 0; i < DISTRICT_BATCH; i++) {
            message.receipts.entries[i].kind = i % 2 ? DISTRICT_SERVED : DISTRICT_NAMED;
            message.receipts.entries[i].intent = i * 3;
            message.receipts.entries[i].leaf = i * 5;
        }
    }
    return message;
}

static void goes_there_and_back(void **state)
{
    for (uint8_t kind = DISTRICT_BEAT; kind <= DISTRICT_STOP; kind++) {
        uint8_t bytes[DISTRICT_MESSAGE_MAX + 16];
        struct district_message message = example(kind), back;
        struct bytes_writer out;
        struct str rest;
        bool has_rest = kind == DISTRICT_FORWARD || kind == DISTRICT_ANSWER;
        bytes_writer_init(&out, bytes, DISTRICT_MESSAGE_MAX);
        district_message_write(&message, &out);
        assert_ok(out.err);
        assert_ok(district_message_read((struct str){(char *)bytes, out.len}, &back, &rest));
        assert_memory_equal(&message, &back, sizeof back);
        for (size_t len = 0; len < out.len; len++)
            assert_int_not_equal(district_message_read((struct str){(char *)bytes, len}, &back, &rest), ERR_OK);
        memcpy(bytes + out.len, "more", 4);
        enum err err = district_message_read((struct str){(char *)bytes, out.len + 4}, &back, &rest);
        if (has_rest) {
            assert_ok(err);
            assert_str(rest, "more");
        } else {
            assert_err(err, ERR_SYNTAX);
        }
    }
}

static void refuses_what_it_does_not_know(void **state)
{
    struct district_message message;
    struct str rest;
    uint8_t bytes[64] = {1, 99};
    assert_err(district_message_read((struct str){(char *)bytes, 10}, &message, &rest), ERR_UNSUPPORTED);
    bytes[0] = 2;
    assert_err(district_message_read((struct str){(char *)bytes, 10}, &message, &rest), ERR_UNSUPPORTED);
    assert_err(district_message_read(STR_NONE, &message, &rest), ERR_SYNTAX);
    bytes[0] = 1; /* receipts that are more than a batch, and of number 0 */
    bytes[1] = DISTRICT_RECEIPTS;
    bytes[17] = 1;
    bytes[18] = 255;
    assert_err(district_message_read((struct str){(char *)bytes, sizeof bytes}, &message, &rest), ERR_SYNTAX);
    bytes[17] = bytes[18] = 0;
    assert_err(district_message_read((struct str){(char *)bytes, 19}, &message, &rest), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(goes_there_and_back), cmocka_unit_test(refuses_what_it_does_not_know)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
