/* Messages as bytes. */
#include "district/message.h"

#include <string.h>

#define FORMAT 1

static void write_receipts(const struct district_message *message, struct bytes_writer *out)
{
    bytes_write_u64be(out, message->receipts.first);
    bytes_write_u8(out, message->receipts.n);
    for (size_t i = 0; i < message->receipts.n; i++) {
        bytes_write_u8(out, message->receipts.entries[i].kind);
        bytes_write_u64be(out, message->receipts.entries[i].intent);
        bytes_write_u64be(out, message->receipts.entries[i].leaf);
    }
}

static void write_states(const struct district_message *message, struct bytes_writer *out)
{
    bytes_write_u64be(out, message->states.version);
    bytes_write_u64be(out, message->states.at);
    bytes_write_u64be(out, message->states.n_all);
    bytes_write_u8(out, message->states.n);
    for (size_t i = 0; i < message->states.n; i++) {
        bytes_write(out, message->states.entries[i].hash, sizeof message->states.entries[i].hash);
        bytes_write_u8(out, message->states.entries[i].state);
    }
}

static void write_beat(const struct district_message *message, struct bytes_writer *out)
{
    bytes_write_u64be(out, message->beat.seq);
    bytes_write_u64be(out, (uint64_t)message->beat.sent_ms);
    bytes_write_u64be(out, message->beat.echo_boot);
    bytes_write_u64be(out, (uint64_t)message->beat.echo_ms);
    bytes_write(out, message->beat.agreement.bytes, sizeof message->beat.agreement.bytes);
    bytes_write_u8(out, (uint8_t)message->beat.word.state);
    bytes_write_u64be(out, (uint64_t)message->beat.word.since_ms);
    bytes_write(out, message->beat.word.signature, sizeof message->beat.word.signature);
    bytes_write_u64be(out, message->beat.version);
    bytes_write_u64be(out, message->beat.got);
}

void district_message_write(const struct district_message *message, struct bytes_writer *out)
{
    bytes_write_u8(out, FORMAT);
    bytes_write_u8(out, message->kind);
    bytes_write_u64be(out, message->boot);
    switch ((enum district_kind)message->kind) {
    case DISTRICT_BEAT:
        write_beat(message, out);
        return;
    case DISTRICT_NEED:
        bytes_write_u64be(out, message->need.version);
        bytes_write_u64be(out, message->need.at);
        return;
    case DISTRICT_STATES:
        write_states(message, out);
        return;
    case DISTRICT_FORWARD:
    case DISTRICT_STOP:
        bytes_write_u64be(out, message->forward.intent);
        bytes_write_u64be(out, message->forward.to_boot);
        bytes_write_u32be(out, message->forward.part);
        return;
    case DISTRICT_ANSWER:
        bytes_write_u64be(out, message->answer.intent);
        bytes_write_u64be(out, message->answer.leaf);
        bytes_write_u32be(out, message->answer.part);
        bytes_write_u8(out, message->answer.has_leaf);
        return;
    case DISTRICT_RECEIPTS:
        write_receipts(message, out);
        return;
    }
}

static void read_bytes(struct bytes_reader *in, uint8_t *out, size_t n)
{
    struct str bytes = bytes_read_str(in, n);
    if (bytes.len == n)
        memcpy(out, bytes.ptr, n);
}

static void read_hash(struct bytes_reader *in, uint8_t out[32])
{
    read_bytes(in, out, 32);
}

static enum err read_receipts(struct bytes_reader *in, struct district_message *message)
{
    message->receipts.first = bytes_read_u64be(in);
    message->receipts.n = bytes_read_u8(in);
    if (message->receipts.n > DISTRICT_BATCH || message->receipts.first == 0 || message->receipts.first > UINT64_MAX - DISTRICT_BATCH)
        return ERR_SYNTAX;
    for (size_t i = 0; i < message->receipts.n; i++) {
        struct district_receipt *entry = &message->receipts.entries[i];
        entry->kind = bytes_read_u8(in);
        entry->intent = bytes_read_u64be(in);
        entry->leaf = bytes_read_u64be(in);
        if (entry->kind != DISTRICT_SERVED && entry->kind != DISTRICT_NAMED)
            return ERR_SYNTAX;
    }
    return ERR_OK;
}

static enum err read_states(struct bytes_reader *in, struct district_message *message)
{
    message->states.version = bytes_read_u64be(in);
    message->states.at = bytes_read_u64be(in);
    message->states.n_all = bytes_read_u64be(in);
    message->states.n = bytes_read_u8(in);
    if (message->states.n > DISTRICT_BATCH)
        return ERR_SYNTAX;
    for (size_t i = 0; i < message->states.n; i++) {
        read_hash(in, message->states.entries[i].hash);
        message->states.entries[i].state = bytes_read_u8(in);
    }
    return ERR_OK;
}

static void read_beat(struct bytes_reader *in, struct district_message *message)
{
    message->beat.seq = bytes_read_u64be(in);
    message->beat.sent_ms = (int64_t)bytes_read_u64be(in);
    message->beat.echo_boot = bytes_read_u64be(in);
    message->beat.echo_ms = (int64_t)bytes_read_u64be(in);
    read_hash(in, message->beat.agreement.bytes);
    message->beat.word.state = bytes_read_u8(in);
    message->beat.word.since_ms = (int64_t)bytes_read_u64be(in);
    read_bytes(in, message->beat.word.signature, sizeof message->beat.word.signature);
    message->beat.version = bytes_read_u64be(in);
    message->beat.got = bytes_read_u64be(in);
}

/* The fields of a kind; *ret_has_rest: something may follow. */
static enum err read_body(struct bytes_reader *in, struct district_message *message, bool *ret_has_rest)
{
    *ret_has_rest = false;
    switch (message->kind) {
    case DISTRICT_BEAT:
        read_beat(in, message);
        return ERR_OK;
    case DISTRICT_NEED:
        message->need.version = bytes_read_u64be(in);
        message->need.at = bytes_read_u64be(in);
        return ERR_OK;
    case DISTRICT_STATES:
        return read_states(in, message);
    case DISTRICT_FORWARD:
    case DISTRICT_STOP:
        message->forward.intent = bytes_read_u64be(in);
        message->forward.to_boot = bytes_read_u64be(in);
        message->forward.part = bytes_read_u32be(in);
        *ret_has_rest = message->kind == DISTRICT_FORWARD;
        return ERR_OK;
    case DISTRICT_ANSWER:
        message->answer.intent = bytes_read_u64be(in);
        message->answer.leaf = bytes_read_u64be(in);
        message->answer.part = bytes_read_u32be(in);
        message->answer.has_leaf = bytes_read_u8(in) == 1;
        *ret_has_rest = true;
        return ERR_OK;
    case DISTRICT_RECEIPTS:
        return read_receipts(in, message);
    default:
        return ERR_UNSUPPORTED;
    }
}

enum err district_message_read(struct str bytes, struct district_message *ret_message, struct str *ret_rest)
{
    struct bytes_reader in;
    struct district_message message;
    bool has_rest;
    memset(&message, 0, sizeof message);
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    if (bytes_read_u8(&in) != FORMAT)
        return bytes.len ? ERR_UNSUPPORTED : ERR_SYNTAX;
    message.kind = bytes_read_u8(&in);
    message.boot = bytes_read_u64be(&in);
    enum err err = read_body(&in, &message, &has_rest);
    if (!err)
        err = in.err;
    if (!err && !has_rest && bytes_reader_left(&in) > 0)
        err = ERR_SYNTAX;
    if (err)
        return err;
    *ret_rest = bytes_read_str(&in, bytes_reader_left(&in));
    *ret_message = message;
    return ERR_OK;
}
