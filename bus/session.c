/*
 * Opening: both sides sign what they send, the second one over the first one's digest, and each sends half of an X25519 agreement; so who
 * holds the keys afterwards is who signed (the SIGMA family; the names are under the signatures). Messages: a header in the clear, which
 * the tag covers, then the bytes, sealed; the counter is the nonce, and each direction has its own key.
 */
#include "bus/session.h"

#include "base/bytes.h"

#include <string.h>

#define TAG_LEN 16
#define QUESTION_HEAD 26                         /* version, kind, session, counter, time */
#define ANSWER_HEAD (QUESTION_HEAD + 8 + 16 + 5) /* and the question's counter and tag, part, whether it is the last */
#define HELLO_MAX 1024
#define COUNTER_MAX (UINT64_C(1) << 40)

static const char sign_head[] = "citybrain bus 1\n";
static const char keys_info[] = "citybrain bus 1 keys";

_Static_assert(ANSWER_HEAD + TAG_LEN <= BUS_SESSION_OVERHEAD, "what sealing adds");

static bool is_near(int64_t a, int64_t b)
{
    return (a >= b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a) <= BUS_SESSION_SKEW_MS;
}

/* ---- opening ---- */

static struct str for_signature(struct str message, uint8_t room[HELLO_MAX + sizeof sign_head])
{
    memcpy(room, sign_head, sizeof sign_head - 1);
    memcpy(room + sizeof sign_head - 1, message.ptr, message.len);
    return (struct str){(const char *)room, sizeof sign_head - 1 + message.len};
}

/* Puts the signature of what is written so far behind it, and all of it into `out`. */
static enum err sign_and_append(struct bytes_writer *writer, const struct sign_key *key, struct buf *out)
{
    uint8_t signature[SIGN_SIGNATURE_LEN], room[HELLO_MAX + sizeof sign_head];
    if (writer->err)
        return writer->err;
    enum err err = sign_make(key, for_signature((struct str){(char *)writer->ptr, writer->len}, room), signature);
    bytes_write(writer, signature, sizeof signature);
    err = err ? err : writer->err;
    if (!err)
        buf_append(out, writer->ptr, writer->len);
    return err ? err : out->err;
}

static enum err check_signature(struct str message, const struct sign_public *key)
{
    uint8_t room[HELLO_MAX + sizeof sign_head];
    if (message.len <= SIGN_SIGNATURE_LEN || message.len > HELLO_MAX)
        return ERR_SYNTAX;
    size_t len = message.len - SIGN_SIGNATURE_LEN;
    return sign_check(key, for_signature((struct str){message.ptr, len}, room), (const uint8_t *)message.ptr + len);
}

struct hello {
    uint8_t protocol;
    int64_t time_ms;
    struct str from, to, half; /* half: of ours only */
};

static enum err read_hello(struct str message, struct hello *ret_hello)
{
    struct bytes_reader reader;
    bytes_reader_init(&reader, message.ptr, message.len);
    struct hello hello = {.protocol = bytes_read_u8(&reader)};
    uint8_t kind = bytes_read_u8(&reader);
    hello.time_ms = (int64_t)bytes_read_u64be(&reader);
    hello.from = bytes_read_str(&reader, bytes_read_u8(&reader));
    hello.to = bytes_read_str(&reader, bytes_read_u8(&reader));
    if (hello.protocol == BUS_PROTOCOL) {
        hello.half = bytes_read_str(&reader, 32);
        bytes_read_str(&reader, SIGN_SIGNATURE_LEN);
    }
    if (reader.err || (hello.protocol == BUS_PROTOCOL && bytes_reader_left(&reader)) || hello.protocol == 0 || kind != BUS_HELLO ||
        hello.from.len > BUS_PARTY_MAX)
        return ERR_SYNTAX;
    *ret_hello = hello;
    return ERR_OK;
}

enum err bus_session_hello_from(struct str message, struct str *ret_party)
{
    struct hello hello;
    enum err err = read_hello(message, &hello);
    if (!err)
        *ret_party = hello.from;
    return err;
}

enum err bus_session_hello(struct str self, const struct sign_key *key, struct str peer, struct wall_time now, const uint8_t secret[32],
    struct buf *out, struct bus_opening *ret_opening)
{
    uint8_t room[HELLO_MAX], half[32];
    struct bytes_writer writer;
    size_t before = out->len;
    if (self.len > BUS_PARTY_MAX || peer.len > BUS_PARTY_MAX)
        return ERR_TOO_LARGE;
    enum err err = crypto_agree_public(secret, half);
    if (err)
        return err;
    bytes_writer_init(&writer, room, sizeof room);
    bytes_write_u8(&writer, BUS_PROTOCOL);
    bytes_write_u8(&writer, BUS_HELLO);
    bytes_write_u64be(&writer, (uint64_t)now.ms);
    bytes_write_u8(&writer, (uint8_t)self.len);
    bytes_write(&writer, self.ptr, self.len);
    bytes_write_u8(&writer, (uint8_t)peer.len);
    bytes_write(&writer, peer.ptr, peer.len);
    bytes_write(&writer, half, sizeof half);
    err = sign_and_append(&writer, key, out);
    if (err)
        return err;
    ret_opening->hello = crypto_sha256((struct str){out->ptr + before, out->len - before});
    memcpy(ret_opening->secret, secret, 32);
    return ERR_OK;
}

/* Both directions' keys and the session's id of the agreement, bound to all that was said. */
static enum err derive(
    struct bus_session *session, const uint8_t secret[32], struct str other_half, struct sha256 hello, struct str welcome, bool is_opener)
{
    uint8_t shared[32], keys[72];
    struct sha256 both = crypto_sha256_2((struct str){(char *)hello.bytes, 32}, welcome);
    enum err err = crypto_agree(secret, (const uint8_t *)other_half.ptr, shared);
    if (!err)
        err = crypto_hkdf_sha256((struct str){(char *)shared, 32}, (struct str){(char *)both.bytes, 32},
            (struct str){keys_info, sizeof keys_info - 1}, keys, sizeof keys);
    if (!err) {
        memcpy(is_opener ? session->key_out : session->key_in, keys, 32);
        memcpy(is_opener ? session->key_in : session->key_out, keys + 32, 32);
        memcpy(session->id, keys + 64, 8);
        session->next = 1;
    }
    crypto_wipe(shared, sizeof shared);
    crypto_wipe(keys, sizeof keys);
    return err;
}

/* What it hears who says hello in another protocol; of the same form in all of them. */
static enum err write_other(const struct sign_key *key, struct sha256 hello, struct buf *out)
{
    uint8_t room[HELLO_MAX];
    struct bytes_writer writer;
    bytes_writer_init(&writer, room, sizeof room);
    bytes_write_u8(&writer, BUS_PROTOCOL);
    bytes_write_u8(&writer, BUS_OTHER);
    bytes_write(&writer, hello.bytes, 32);
    return sign_and_append(&writer, key, out);
}

static enum err read_other(const struct bus_opening *opening, const struct sign_public *peer_key, struct str message)
{
    struct bytes_reader reader;
    bytes_reader_init(&reader, message.ptr, message.len);
    uint8_t protocol = bytes_read_u8(&reader), kind = bytes_read_u8(&reader);
    struct str digest = bytes_read_str(&reader, 32);
    bytes_read_str(&reader, SIGN_SIGNATURE_LEN);
    if (reader.err || bytes_reader_left(&reader) || protocol == BUS_PROTOCOL || protocol == 0 || kind != BUS_OTHER)
        return ERR_SYNTAX;
    if (!crypto_equal(digest.ptr, opening->hello.bytes, 32))
        return ERR_DENIED;
    enum err err = check_signature(message, peer_key);
    return err ? err : ERR_UNSUPPORTED;
}

enum err bus_session_accept(struct str self, const struct sign_key *key, const struct sign_public *peer_key, struct str message,
    struct wall_time now, const uint8_t secret[32], struct str instance, struct buf *out, struct bus_session *ret_session)
{
    struct hello hello;
    struct bytes_writer writer;
    struct bus_session session = {.made = now};
    uint8_t room[HELLO_MAX], half[32];
    size_t before = out->len;
    struct sha256 digest = crypto_sha256(message);
    enum err err = read_hello(message, &hello);
    if (!err && !str_equal(hello.to, self))
        err = ERR_DENIED;
    if (!err && !is_near(hello.time_ms, now.ms))
        err = ERR_RANGE;
    if (!err)
        err = check_signature(message, peer_key);
    if (!err && hello.protocol != BUS_PROTOCOL) {
        err = write_other(key, digest, out);
        return err ? err : ERR_UNSUPPORTED;
    }
    if (!err)
        err = crypto_agree_public(secret, half);
    if (err)
        return err;
    bytes_writer_init(&writer, room, sizeof room);
    bytes_write_u8(&writer, BUS_PROTOCOL);
    bytes_write_u8(&writer, BUS_WELCOME);
    bytes_write_u64be(&writer, (uint64_t)now.ms);
    bytes_write(&writer, digest.bytes, 32);
    bytes_write(&writer, half, sizeof half);
    bytes_write_u8(&writer, (uint8_t)instance.len);
    bytes_write(&writer, instance.ptr, instance.len);
    err = sign_and_append(&writer, key, out);
    if (!err)
        err = derive(&session, secret, hello.half, digest, (struct str){out->ptr + before, out->len - before}, false);
    if (!err)
        *ret_session = session;
    bus_session_wipe(&session);
    return err;
}

enum err bus_session_complete(struct bus_opening *opening, const struct sign_public *peer_key, struct str message, struct wall_time now,
    struct bus_session *ret_session, char ret_instance[BUS_INSTANCE_MAX + 1])
{
    struct bytes_reader reader;
    struct bus_session session = {.made = now};
    if (message.len > 1 && message.ptr[1] == BUS_OTHER)
        return read_other(opening, peer_key, message);
    bytes_reader_init(&reader, message.ptr, message.len);
    uint8_t version = bytes_read_u8(&reader), kind = bytes_read_u8(&reader);
    int64_t time_ms = (int64_t)bytes_read_u64be(&reader);
    struct str digest = bytes_read_str(&reader, 32), half = bytes_read_str(&reader, 32);
    struct str instance = bytes_read_str(&reader, bytes_read_u8(&reader));
    bytes_read_str(&reader, SIGN_SIGNATURE_LEN);
    if (reader.err || bytes_reader_left(&reader) || version != BUS_PROTOCOL || kind != BUS_WELCOME)
        return ERR_SYNTAX;
    if (!crypto_equal(digest.ptr, opening->hello.bytes, 32))
        return ERR_DENIED;
    if (!is_near(time_ms, now.ms))
        return ERR_RANGE;
    enum err err = check_signature(message, peer_key);
    if (!err && (instance.len > BUS_INSTANCE_MAX || !str_is_name(instance) || memchr(instance.ptr, '.', instance.len)))
        err = ERR_SYNTAX;
    if (!err)
        err = derive(&session, opening->secret, half, opening->hello, message, true);
    if (!err) {
        *ret_session = session;
        memcpy(ret_instance, instance.ptr, instance.len);
        ret_instance[instance.len] = '\0';
        crypto_wipe(opening, sizeof *opening);
    }
    bus_session_wipe(&session);
    return err;
}

/* ---- messages ---- */

static void nonce_of(uint64_t counter, uint8_t out[12])
{
    struct bytes_writer writer;
    bytes_writer_init(&writer, out, 12);
    bytes_write_u32be(&writer, 0);
    bytes_write_u64be(&writer, counter);
}

enum err bus_session_seal(struct bus_session *session, struct wall_time now, const struct bus_mark *question, const struct bus_frame *frame,
    struct buf *out, struct bus_mark *ret_mark)
{
    uint8_t nonce[12];
    struct bytes_writer writer;
    size_t head = question ? ANSWER_HEAD : QUESTION_HEAD;
    if (session->next >= COUNTER_MAX)
        return ERR_STATE;
    uint8_t *at = (uint8_t *)buf_reserve(out, head + frame->bytes.len + TAG_LEN);
    if (!at)
        return out->err;
    bytes_writer_init(&writer, at, head);
    bytes_write_u8(&writer, BUS_PROTOCOL);
    bytes_write_u8(&writer, question ? BUS_ANSWER : BUS_QUESTION);
    bytes_write(&writer, session->id, sizeof session->id);
    bytes_write_u64be(&writer, session->next);
    bytes_write_u64be(&writer, (uint64_t)now.ms);
    if (question) {
        bytes_write_u64be(&writer, question->counter);
        bytes_write(&writer, question->tag, sizeof question->tag);
        bytes_write_u32be(&writer, frame->part);
        bytes_write_u8(&writer, frame->is_last);
    }
    nonce_of(session->next, nonce);
    enum err err = writer.err ? writer.err : crypto_seal(session->key_out, nonce, (struct str){(char *)at, head}, frame->bytes, at + head);
    if (err)
        return err;
    ret_mark->counter = session->next++;
    memcpy(ret_mark->tag, at + head + frame->bytes.len, TAG_LEN);
    buf_advance(out, head + frame->bytes.len + TAG_LEN);
    return ERR_OK;
}

enum err bus_session_id(struct str message, uint8_t ret_id[8])
{
    if (message.len < QUESTION_HEAD + TAG_LEN)
        return ERR_SYNTAX;
    memcpy(ret_id, message.ptr + 2, 8);
    return ERR_OK;
}

enum err bus_session_unknown(const struct sign_key *key, struct str message, struct buf *out)
{
    uint8_t room[HELLO_MAX];
    struct bytes_writer writer;
    if (message.len < QUESTION_HEAD + TAG_LEN)
        return ERR_SYNTAX;
    bytes_writer_init(&writer, room, sizeof room);
    bytes_write_u8(&writer, BUS_PROTOCOL);
    bytes_write_u8(&writer, BUS_UNKNOWN);
    bytes_write(&writer, message.ptr + 2, 16); /* session and counter */
    bytes_write(&writer, message.ptr + message.len - TAG_LEN, TAG_LEN);
    return sign_and_append(&writer, key, out);
}

enum err bus_session_check_unknown(
    const struct bus_session *session, const struct sign_public *peer_key, const struct bus_mark *question, struct str message)
{
    struct bytes_reader reader;
    bytes_reader_init(&reader, message.ptr, message.len);
    uint8_t version = bytes_read_u8(&reader), kind = bytes_read_u8(&reader);
    struct str id = bytes_read_str(&reader, sizeof session->id);
    uint64_t counter = bytes_read_u64be(&reader);
    struct str tag = bytes_read_str(&reader, TAG_LEN);
    bytes_read_str(&reader, SIGN_SIGNATURE_LEN);
    if (reader.err || bytes_reader_left(&reader) || version != BUS_PROTOCOL || kind != BUS_UNKNOWN)
        return ERR_SYNTAX;
    if (!crypto_equal(id.ptr, session->id, sizeof session->id) || counter != question->counter ||
        !crypto_equal(tag.ptr, question->tag, sizeof question->tag))
        return ERR_DENIED;
    return check_signature(message, peer_key);
}

static bool was_seen(const struct bus_session *session, uint64_t counter)
{
    if (counter > session->highest)
        return false;
    uint64_t bit = counter % BUS_SESSION_WINDOW;
    return session->highest - counter >= BUS_SESSION_WINDOW || (session->seen[bit / 64] >> bit % 64 & 1);
}

static void see(struct bus_session *session, uint64_t counter)
{
    /* What the window leaves behind is forgotten, so that its places serve the new ones. */
    if (counter > session->highest) {
        uint64_t n = counter - session->highest;
        if (n >= BUS_SESSION_WINDOW)
            memset(session->seen, 0, sizeof session->seen);
        else
            for (uint64_t one = session->highest + 1; one <= counter; one++)
                session->seen[one % BUS_SESSION_WINDOW / 64] &= ~(UINT64_C(1) << one % BUS_SESSION_WINDOW % 64);
        session->highest = counter;
    }
    session->seen[counter % BUS_SESSION_WINDOW / 64] |= UINT64_C(1) << counter % BUS_SESSION_WINDOW % 64;
}

enum err bus_session_open(struct bus_session *session, struct wall_time now, const struct bus_mark *question, struct str message,
    uint8_t *room, struct bus_frame *ret_frame, struct bus_mark *ret_mark)
{
    uint8_t nonce[12];
    struct bytes_reader reader;
    struct bus_frame frame = {.is_last = true};
    struct bus_mark mark, bound = {0};
    size_t head = question ? ANSWER_HEAD : QUESTION_HEAD;
    bytes_reader_init(&reader, message.ptr, message.len);
    uint8_t version = bytes_read_u8(&reader), kind = bytes_read_u8(&reader);
    struct str id = bytes_read_str(&reader, sizeof session->id);
    mark.counter = bytes_read_u64be(&reader);
    int64_t time_ms = (int64_t)bytes_read_u64be(&reader);
    if (question) {
        bound.counter = bytes_read_u64be(&reader);
        struct str tag = bytes_read_str(&reader, sizeof bound.tag);
        if (!reader.err)
            memcpy(bound.tag, tag.ptr, sizeof bound.tag);
        frame.part = bytes_read_u32be(&reader);
        frame.is_last = bytes_read_u8(&reader) == 1;
    }
    if (reader.err || message.len < head + TAG_LEN || version != BUS_PROTOCOL || kind != (question ? BUS_ANSWER : BUS_QUESTION))
        return ERR_SYNTAX;
    if (!crypto_equal(id.ptr, session->id, sizeof session->id))
        return ERR_NOT_FOUND;
    if (!is_near(time_ms, now.ms))
        return ERR_RANGE;
    if (was_seen(session, mark.counter))
        return ERR_EXISTS;
    nonce_of(mark.counter, nonce);
    struct str sealed = str_slice(message, head, message.len - head);
    enum err err = crypto_open(session->key_in, nonce, (struct str){message.ptr, head}, sealed, room);
    if (err)
        return err;
    if (question && (bound.counter != question->counter || !crypto_equal(bound.tag, question->tag, sizeof bound.tag)))
        return ERR_DENIED;
    see(session, mark.counter);
    memcpy(mark.tag, sealed.ptr + sealed.len - TAG_LEN, TAG_LEN);
    frame.bytes = (struct str){(char *)room, sealed.len - TAG_LEN};
    *ret_frame = frame;
    *ret_mark = mark;
    return ERR_OK;
}

bool bus_session_is_old(const struct bus_session *session, struct wall_time now)
{
    return now.ms - session->made.ms >= BUS_SESSION_LIFE_MS || session->next >= COUNTER_MAX - 1 ||
           now.ms < session->made.ms - BUS_SESSION_SKEW_MS;
}

void bus_session_wipe(struct bus_session *session)
{
    crypto_wipe(session, sizeof *session);
}
