/*
 * What two hubs say to each other (district/step.h says when and why), and its bytes: fixed fields, big-endian, in the order below
 * (docs/district.md). A use's question and its answer follow theirs as they are.
 */
#ifndef DISTRICT_MESSAGE_H
#define DISTRICT_MESSAGE_H

#include "base/bytes.h"
#include "base/crypto.h"

#define DISTRICT_BATCH 128        /* receipts, or states, in one message: 5 kB */
#define DISTRICT_MESSAGE_MAX 5120 /* bytes, without question or answer */

enum district_receipt_kind {
    DISTRICT_SERVED = 1, /* the provider's intent leaf, which names the asker's */
    DISTRICT_NAMED = 2   /* the asker's leaf that names the provider's */
};
struct district_receipt {
    uint8_t kind;
    uint64_t intent; /* the asker's leaf: the use's id */
    uint64_t leaf;   /* in the log of the one who tells */
};

/* What a hub says of an agreement. All of its bytes are set, so that words are compared as a whole. */
struct district_word {
    int64_t since_ms; /* wall clock */
    uint64_t state;   /* enum district_agreement */
    uint8_t signature[64];
};

/* ---- messages ---- */
enum district_kind {
    DISTRICT_BEAT = 1,
    DISTRICT_NEED,
    DISTRICT_STATES,
    DISTRICT_FORWARD,
    DISTRICT_ANSWER,
    DISTRICT_RECEIPTS,
    DISTRICT_STOP
};
struct district_state_entry {
    uint8_t hash[32]; /* of the contract's content */
    uint8_t state;    /* enum hub_contract_state */
};
struct district_message {
    uint8_t kind;
    uint64_t boot; /* of the sender: grows with each of its starts */
    union {
        struct {
            uint64_t seq;              /* within the boot */
            int64_t sent_ms;           /* the sender's steady clock */
            uint64_t echo_boot;        /* the receiver's beat that this one answers: its boot */
            int64_t echo_ms;           /* and its sent_ms */
            struct sha256 agreement;   /* hash of its content */
            struct district_word word; /* the sender's side of it */
            uint64_t version;          /* of the states of the sender's contracts */
            uint64_t got;              /* the receiver's receipts up to this number are on the sender's disk */
        } beat;
        struct {
            uint64_t version, at; /* entries from `at` on */
        } need;
        struct {
            uint64_t version, at, n_all;
            uint8_t n;
            struct district_state_entry entries[DISTRICT_BATCH];
        } states;
        struct { /* and, beside the step, the question; STOP, without one, has the same fields */
            uint64_t intent, to_boot;
            uint32_t part; /* of the use: 0, 1, 2 … */
        } forward;
        struct { /* and, beside the step, the answer */
            uint64_t intent, leaf;
            uint32_t part;
            bool has_leaf;
        } answer;
        struct {
            uint64_t first;
            uint8_t n;
            struct district_receipt entries[DISTRICT_BATCH];
        } receipts;
    };
};

/* Appends nothing past `out`'s capacity: look at out->err. */
void district_message_write(const struct district_message *message, struct bytes_writer *out);
/* ERR_SYNTAX, ERR_UNSUPPORTED (a kind or version of later times). *ret_rest: what follows a FORWARD or an ANSWER, borrowed; empty for the
 * others, where bytes too many are ERR_SYNTAX. */
enum err district_message_read(struct str bytes, struct district_message *ret_message, struct str *ret_rest) MUST_CHECK;

#endif
