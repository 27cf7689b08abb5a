/*
 * Who is speaking (会话): a session of two parties. It is opened once with both parties' keys (base/sign.h: Ed25519, or SM2) and yields two
 * symmetric keys, one a direction. Each message then carries a counter, a time, and a tag over all of it (AES-256-GCM: one pass that is the
 * MAC and hides the bytes from whoever carries them). An answer's tag covers its question's, so an answer fits one question only.
 *
 * A pure core: no clock, no random source, no socket, no allocation but in the buffers handed in. Bytes: docs/bus.md. One opens sessions
 * and asks, the other accepts and answers; who wants to ask back opens one of his own.
 */
#ifndef BUS_SESSION_H
#define BUS_SESSION_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/sign.h"

#define BUS_SESSION_WINDOW 4096                    /* counters behind the highest that may still come, each once */
#define BUS_SESSION_SKEW_MS 60000                  /* how far two parties' clocks may be apart, and how old a message may be */
#define BUS_SESSION_LIFE_MS (INT64_C(3600) * 1000) /* of its keys; then the opener opens a new one */
#define BUS_SESSION_OVERHEAD 80                    /* bytes that sealing adds at most */
#define BUS_PARTY_MAX 200                          /* bytes of a party's name */
#define BUS_INSTANCE_MAX 32                        /* bytes of the name of one of a party's processes */

/* The first byte of every message: of what is said on the bus, under sessions too. All processes of a bus speak one; raised when what an
 * older program says would be misunderstood. It is looked at when a session is opened. */
#define BUS_PROTOCOL 1

enum bus_kind { BUS_QUESTION = 1, BUS_ANSWER = 2, BUS_HELLO = 4, BUS_WELCOME = 5, BUS_UNKNOWN = 6, BUS_OTHER = 7 };

struct bus_mark { /* one sealed message, as nobody else's */
    uint64_t counter;
    uint8_t tag[16];
};

struct bus_session {
    uint8_t id[8];
    uint8_t key_out[32], key_in[32];
    uint64_t next;    /* counter of the next message out */
    uint64_t highest; /* that came */
    uint64_t seen[BUS_SESSION_WINDOW / 64];
    struct wall_time made;
};

struct bus_frame {
    uint32_t part; /* of an answer, from 0 */
    bool is_last;
    struct str bytes;
};

/* ---- opening ---- */

struct bus_opening { /* between hello and welcome */
    struct sha256 hello;
    uint8_t secret[32];
};

/* The opener's first message into `out`. `secret`: 32 random bytes, never used twice. ERR_TOO_LARGE, ERR_CRYPTO, ERR_NO_MEMORY. */
enum err bus_session_hello(struct str self, const struct sign_key *key, struct str peer, struct wall_time now, const uint8_t secret[32],
    struct buf *out, struct bus_opening *ret_opening) MUST_CHECK;
/* Whose hello this claims to be; nothing is proven yet. Of any protocol: up to the names a hello is the same in all of them, and its
 * signature is the last of it. ERR_SYNTAX. `ret_party` borrows from `hello`. */
enum err bus_session_hello_from(struct str hello, struct str *ret_party) MUST_CHECK;
/* The other side's: checks the hello against its sender's public key, answers into `out`. `instance`: the name of this process among the
 * party's. ERR_SYNTAX; ERR_DENIED: meant for another party; ERR_RANGE: too old or too new; ERR_CRYPTO: not signed by that key;
 * ERR_UNSUPPORTED: all that is well, but it is of another protocol, hello.ptr[0]; then `out` has what tells its sender so. */
enum err bus_session_accept(struct str self, const struct sign_key *key, const struct sign_public *peer_key, struct str hello,
    struct wall_time now, const uint8_t secret[32], struct str instance, struct buf *out, struct bus_session *ret_session) MUST_CHECK;
/* The opener's end of it. Errors as above; ERR_DENIED: an answer to another hello; ERR_UNSUPPORTED: that party, by its key, speaks another
 * protocol, welcome.ptr[0]. `ret_instance`, NUL-terminated, is a name (str_is_name). */
enum err bus_session_complete(struct bus_opening *opening, const struct sign_public *peer_key, struct str welcome, struct wall_time now,
    struct bus_session *ret_session, char ret_instance[BUS_INSTANCE_MAX + 1]) MUST_CHECK;

/* ---- messages ---- */

/* `question` NULL: a question; else a part of its answer. Appends to `out`; *ret_mark is what the answer will be bound to. */
enum err bus_session_seal(struct bus_session *session, struct wall_time now, const struct bus_mark *question, const struct bus_frame *frame,
    struct buf *out, struct bus_mark *ret_mark) MUST_CHECK;
/* `question` NULL: a question is expected; else an answer to just that one. `room` takes message.len bytes; the frame borrows from it.
 * Nothing of the session changes unless ERR_OK. ERR_SYNTAX: no such form; ERR_NOT_FOUND: another session's; ERR_RANGE: its time is too far
 * from `now`; ERR_EXISTS: it came already, or is too far behind; ERR_CRYPTO: forged; ERR_DENIED: the answer to another question. */
enum err bus_session_open(struct bus_session *session, struct wall_time now, const struct bus_mark *question, struct str message,
    uint8_t *room, struct bus_frame *ret_frame, struct bus_mark *ret_mark) MUST_CHECK;
/* Which session a message says to be of, to find it by. ERR_SYNTAX. */
enum err bus_session_id(struct str message, uint8_t ret_id[8]) MUST_CHECK;
/* "I know no such session", to who sent `message`: signed, and about that message alone, so that nobody else can make anybody ask again.
 * ERR_SYNTAX: that is no message of a session. */
enum err bus_session_unknown(const struct sign_key *key, struct str message, struct buf *out) MUST_CHECK;
/* Is it just that, about the question `question`? ERR_SYNTAX: no; ERR_DENIED: about another one; ERR_CRYPTO: not signed by that key. */
enum err bus_session_check_unknown(
    const struct bus_session *session, const struct sign_public *peer_key, const struct bus_mark *question, struct str message) MUST_CHECK;
bool bus_session_is_old(const struct bus_session *session, struct wall_time now); /* its keys have served long enough */
void bus_session_wipe(struct bus_session *session);

#endif
