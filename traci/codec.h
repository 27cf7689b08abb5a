/*
 * TraCI's wire format (SUMO 1.15, API version 20): commands out, answers in, with checked bounds.
 *
 *     message : int32 total length | command | command ...          big endian
 *     command : u8 0 | int32 length | u8 id | content               the extended form, which every length may use
 *     answer  : status of each command, followed by its result where it has one
 *
 * Source: https://sumo.dlr.de/docs/TraCI/Protocol.html. Only what this project uses is here; polygons, persons, contexts
 * and the rest of TraCI are absent on purpose.
 */
#ifndef TRACI_CODEC_H
#define TRACI_CODEC_H

#include "base/bytes.h"

#define TRACI_MESSAGE_MAX (64u << 20) /* bytes of one message: 100,000 vehicle ids are 2 MB */
#define TRACI_DEPTH_MAX 4             /* compounds within compounds; SUMO nests two */

enum traci_command {
    TRACI_GET_VERSION = 0x00,
    TRACI_STEP = 0x02,
    TRACI_CLOSE = 0x7F,
    /* what is asked about; get | set | subscribe | the answer to a get | results of subscriptions are this plus an offset */
    TRACI_LOOP = 0xA0, /* E1 induction loop */
    TRACI_SIGNAL = 0xA2,
    TRACI_LANE = 0xA3,
    TRACI_VEHICLE = 0xA4,
    TRACI_ROUTE = 0xA6,
    TRACI_EDGE = 0xAA,
    TRACI_SIMULATION = 0xAB,
};
#define TRACI_ANSWER 0x10
#define TRACI_SET 0x20
#define TRACI_SUBSCRIBE 0x30
#define TRACI_RESULTS 0x40

enum traci_variable_id {
    TRACI_IDS = 0x00,          /* string list; object "" */
    TRACI_N_IDS = 0x01,        /* integer; object "" */
    TRACI_N_VEHICLES = 0x10,   /* of loop, lane, edge in the last step: integer */
    TRACI_VEHICLE_IDS = 0x12,  /* of lane, edge: string list */
    TRACI_VEHICLE_DATA = 0x17, /* of loop: compound, see traci_read_crossing() */
    TRACI_SIGNAL_STATE = 0x20, /* "rygGs…" */
    TRACI_SIGNAL_PHASE = 0x28, /* to set: TRACI_SIGNAL_SET_PHASE */
    TRACI_SIGNAL_SET_PHASE = 0x22,
    TRACI_SIGNAL_PROGRAM = 0x29, /* to set: TRACI_SIGNAL_SET_PROGRAM */
    TRACI_SIGNAL_SET_PROGRAM = 0x23,
    TRACI_SIGNAL_SET_DURATION = 0x24, /* double: seconds that the running phase has left */
    TRACI_SIGNAL_NEXT_SWITCH = 0x2D,  /* double: simulated seconds */
    TRACI_SPEED = 0x40,
    TRACI_POSITION = 0x42,
    TRACI_ROAD = 0x50,
    TRACI_ON_LANE = 0x56,  /* of a vehicle: metres from the lane's start, double */
    TRACI_TIME = 0x66,     /* simulation: double, seconds */
    TRACI_DEPARTED = 0x73, /* simulation, last step: number of vehicles, integer */
    TRACI_ARRIVED = 0x79,
    TRACI_ARRIVED_IDS = 0x7A, /* string list */
    TRACI_TELEPORTED = 0x75,  /* started to, in the last step */
    TRACI_ADD = 0x80,         /* route: string list of edges */
    TRACI_VEHICLE_ADD = 0x85, /* vehicle: compound of 14 */
};

enum traci_tag {
    TRACI_U8 = 0x07,
    TRACI_I8 = 0x08,
    TRACI_I32 = 0x09,
    TRACI_F64 = 0x0B,
    TRACI_STRING = 0x0C,
    TRACI_STRINGS = 0x0E,
    TRACI_COMPOUND = 0x0F,
    TRACI_POINT_2D = 0x01
};

/* ---- commands out; the writer's error sticks (base/bytes.h) ---- */
void traci_write_message_begin(struct bytes_writer *writer);
void traci_write_message_end(struct bytes_writer *writer); /* puts the total length at the start */
/* A command is opened, its content written, then closed: `at` is what open returned. */
size_t traci_write_open(struct bytes_writer *writer, uint8_t command);
void traci_write_close(struct bytes_writer *writer, size_t at);
void traci_write_string(struct bytes_writer *writer, struct str s); /* int32 length, bytes */
/* A tagged value. */
void traci_write_i32(struct bytes_writer *writer, int32_t i);
void traci_write_f64(struct bytes_writer *writer, double r);
void traci_write_text(struct bytes_writer *writer, struct str s);
void traci_write_texts(struct bytes_writer *writer, const struct str *texts, size_t n);

/* ---- answers in ---- */
struct traci_status {
    uint8_t command;
    uint8_t result;  /* 0 done, 1 not implemented, 0xFF refused */
    struct str text; /* why; borrowed from the message */
};
/* `reader` stands at a command of a message's body. ERR_SYNTAX. */
enum err traci_read_status(struct bytes_reader *reader, struct traci_status *ret_status) MUST_CHECK;
/* The head of the command that follows: its id, and a reader over its content. ERR_SYNTAX. */
enum err traci_read_command(struct bytes_reader *reader, uint8_t *ret_command, struct bytes_reader *ret_content) MUST_CHECK;

/* A tagged value. Texts borrow. Of a list `n` is the number of strings, each read with traci_read_string(); of a compound the
 * number of members, each a tagged value. */
struct traci_value {
    uint8_t tag;
    uint32_t n;
    int32_t i;
    double r, y; /* y: of a point */
    struct str s;
};
enum err traci_read_value(struct bytes_reader *reader, struct traci_value *ret_value) MUST_CHECK;
struct str traci_read_string(struct bytes_reader *reader); /* bounded; the reader's error sticks */
enum err traci_skip_value(struct bytes_reader *reader) MUST_CHECK;

/* One variable of one object, from a get or a subscription. */
struct traci_variable {
    uint8_t domain; /* TRACI_LOOP … */
    struct str object;
    uint8_t variable;
    uint8_t result;            /* not 0: `value` is a string that says why */
    struct bytes_reader value; /* at the tag */
};
typedef void (*traci_variable_fn)(void *context, const struct traci_variable *variable);
/* The results that follow a step's status: `n` of them. ERR_SYNTAX; what came before the fault has been handed over. */
enum err traci_read_results(struct bytes_reader *reader, traci_variable_fn fn, void *context) MUST_CHECK;

/* One crossing of an induction loop, from TRACI_VEHICLE_DATA. */
struct traci_crossing {
    struct str vehicle, type;
    double length_m, entered_s, left_s; /* left_s < 0: still on the loop */
};
/* The compound's head, giving the number of crossings; then that many traci_read_crossing(). */
enum err traci_read_crossings(struct bytes_reader *reader, uint32_t *ret_n) MUST_CHECK;
enum err traci_read_crossing(struct bytes_reader *reader, struct traci_crossing *ret_crossing) MUST_CHECK;

#endif
