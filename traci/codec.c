/*
 * TraCI's wire format: see codec.h. Pure: bytes in, bytes out; no socket here.
 */
#include "traci/codec.h"

#include <assert.h>

#define HEAD_BYTES 4u  /* a message's length */
#define OPEN_BYTES 6u  /* u8 0, int32 length, u8 id */
#define TEXT_MAX 65536 /* bytes of one id or text; SUMO's own are under 1,000 */

/* ---- out ---- */

static void put_length(struct bytes_writer *writer, size_t at, size_t length)
{
    if (writer->err)
        return;
    struct bytes_writer part;
    bytes_writer_init(&part, &writer->ptr[at], 4);
    bytes_write_u32be(&part, (uint32_t)length);
}

void traci_write_message_begin(struct bytes_writer *writer)
{
    assert(writer->len == 0);
    bytes_write_u32be(writer, 0);
}

void traci_write_message_end(struct bytes_writer *writer)
{
    put_length(writer, 0, writer->len);
}

size_t traci_write_open(struct bytes_writer *writer, uint8_t command)
{
    size_t at = writer->len;
    bytes_write_u8(writer, 0);
    bytes_write_u32be(writer, 0);
    bytes_write_u8(writer, command);
    return at;
}

void traci_write_close(struct bytes_writer *writer, size_t at)
{
    put_length(writer, at + 1, writer->len - at);
}

void traci_write_string(struct bytes_writer *writer, struct str s)
{
    bytes_write_u32be(writer, (uint32_t)s.len);
    bytes_write(writer, s.ptr, s.len);
}

void traci_write_i32(struct bytes_writer *writer, int32_t i)
{
    bytes_write_u8(writer, TRACI_I32);
    bytes_write_u32be(writer, (uint32_t)i);
}

void traci_write_f64(struct bytes_writer *writer, double r)
{
    bytes_write_u8(writer, TRACI_F64);
    bytes_write_f64be(writer, r);
}

void traci_write_text(struct bytes_writer *writer, struct str s)
{
    bytes_write_u8(writer, TRACI_STRING);
    traci_write_string(writer, s);
}

void traci_write_texts(struct bytes_writer *writer, const struct str *texts, size_t n)
{
    bytes_write_u8(writer, TRACI_STRINGS);
    bytes_write_u32be(writer, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        traci_write_string(writer, texts[i]);
}

/* ---- in ---- */

struct str traci_read_string(struct bytes_reader *reader)
{
    uint32_t len = bytes_read_u32be(reader);
    if (len > TEXT_MAX && !reader->err)
        reader->err = ERR_SYNTAX;
    return reader->err ? STR_NONE : bytes_read_str(reader, len);
}

enum err traci_read_command(struct bytes_reader *reader, uint8_t *ret_command, struct bytes_reader *ret_content)
{
    size_t length = bytes_read_u8(reader);
    size_t head = 2;
    if (length == 0) {
        length = bytes_read_u32be(reader);
        head = OPEN_BYTES;
    }
    uint8_t command = bytes_read_u8(reader);
    if (reader->err || length < head)
        return ERR_SYNTAX;
    struct str content = bytes_read_str(reader, length - head);
    if (reader->err)
        return ERR_SYNTAX;
    *ret_command = command;
    bytes_reader_init(ret_content, content.ptr, content.len);
    return ERR_OK;
}

enum err traci_read_status(struct bytes_reader *reader, struct traci_status *ret_status)
{
    struct traci_status status;
    struct bytes_reader content;
    enum err err = traci_read_command(reader, &status.command, &content);
    if (err)
        return err;
    status.result = bytes_read_u8(&content);
    status.text = traci_read_string(&content);
    if (content.err)
        return ERR_SYNTAX;
    *ret_status = status;
    return ERR_OK;
}

enum err traci_read_value(struct bytes_reader *reader, struct traci_value *ret_value)
{
    struct traci_value value = {.tag = bytes_read_u8(reader)};
    switch (value.tag) {
    case TRACI_U8:
    case TRACI_I8:
        value.i = bytes_read_u8(reader);
        value.i = value.tag == TRACI_I8 ? (int8_t)value.i : value.i;
        break;
    case TRACI_I32:
        value.i = (int32_t)bytes_read_u32be(reader);
        break;
    case TRACI_F64:
        value.r = bytes_read_f64be(reader);
        break;
    case TRACI_POINT_2D:
        value.r = bytes_read_f64be(reader);
        value.y = bytes_read_f64be(reader);
        break;
    case TRACI_STRING:
        value.s = traci_read_string(reader);
        break;
    case TRACI_STRINGS:
    case TRACI_COMPOUND:
        /* A string takes 4 bytes, a tagged value 2: no honest count is larger than what is left. */
        value.n = bytes_read_u32be(reader);
        if (!reader->err && value.n > bytes_reader_left(reader) / 2)
            reader->err = ERR_SYNTAX;
        break;
    default:
        reader->err = reader->err ? reader->err : ERR_SYNTAX;
    }
    if (reader->err)
        return ERR_SYNTAX;
    *ret_value = value;
    return ERR_OK;
}

static enum err skip_value(struct bytes_reader *reader, int depth)
{
    struct traci_value value;
    enum err err = traci_read_value(reader, &value);
    if (err || (value.tag != TRACI_STRINGS && value.tag != TRACI_COMPOUND))
        return err;
    if (depth >= TRACI_DEPTH_MAX)
        return ERR_SYNTAX;
    for (uint32_t i = 0; i < value.n && !err; i++) {
        if (value.tag == TRACI_COMPOUND)
            err = skip_value(reader, depth + 1);
        else
            (void)traci_read_string(reader);
        if (reader->err)
            return ERR_SYNTAX;
    }
    return err;
}

enum err traci_skip_value(struct bytes_reader *reader)
{
    return skip_value(reader, 0);
}

/* SUMO counts the members of this compound wrongly in some versions, so its end is told by the number of crossings, not by `n`.
 * A crossing takes at least 40 bytes. */
enum err traci_read_crossings(struct bytes_reader *reader, uint32_t *ret_n)
{
    struct traci_value head, n;
    if (traci_read_value(reader, &head) || head.tag != TRACI_COMPOUND || traci_read_value(reader, &n) || n.tag != TRACI_I32)
        return ERR_SYNTAX;
    if (n.i < 0 || (size_t)n.i > bytes_reader_left(reader) / 40)
        return ERR_SYNTAX;
    *ret_n = (uint32_t)n.i;
    return ERR_OK;
}

enum err traci_read_crossing(struct bytes_reader *reader, struct traci_crossing *ret_crossing)
{
    static const uint8_t tags[5] = {TRACI_STRING, TRACI_F64, TRACI_F64, TRACI_F64, TRACI_STRING};
    struct traci_value members[5];
    for (size_t i = 0; i < 5; i++) {
        enum err err = traci_read_value(reader, &members[i]);
        if (err || members[i].tag != tags[i])
            return ERR_SYNTAX;
    }
    *ret_crossing = (struct traci_crossing){
        .vehicle = members[0].s, .length_m = members[1].r, .entered_s = members[2].r, .left_s = members[3].r, .type = members[4].s};
    return ERR_OK;
}

/* One subscription's results: object, number of variables, then each with its result and value. */
static enum err read_result(uint8_t command, struct bytes_reader *content, traci_variable_fn fn, void *context)
{
    struct traci_variable variable = {.domain = (uint8_t)(command - TRACI_RESULTS), .object = traci_read_string(content)};
    uint8_t n = bytes_read_u8(content);
    for (uint8_t i = 0; i < n; i++) {
        variable.variable = bytes_read_u8(content);
        variable.result = bytes_read_u8(content);
        if (content->err)
            return ERR_SYNTAX;
        variable.value = *content;
        bool is_crossings = variable.domain == TRACI_LOOP && variable.variable == TRACI_VEHICLE_DATA && !variable.result;
        if (is_crossings) {
            uint32_t n_crossings;
            struct traci_crossing crossing;
            if (traci_read_crossings(content, &n_crossings))
                return ERR_SYNTAX;
            for (uint32_t c = 0; c < n_crossings; c++)
                if (traci_read_crossing(content, &crossing))
                    return ERR_SYNTAX;
        } else if (traci_skip_value(content)) {
            return ERR_SYNTAX;
        }
        fn(context, &variable);
    }
    return content->err;
}

enum err traci_read_results(struct bytes_reader *reader, traci_variable_fn fn, void *context)
{
    uint32_t n = bytes_read_u32be(reader);
    if (reader->err)
        return ERR_SYNTAX;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t command;
        struct bytes_reader content;
        enum err err = traci_read_command(reader, &command, &content);
        if (err)
            return err;
        if (command < TRACI_RESULTS + TRACI_LOOP)
            return ERR_SYNTAX;
        err = read_result(command, &content, fn, context);
        if (err)
            return err;
    }
    return ERR_OK;
}
