/*
 * What the files of this folder share.
 */
#ifndef SYSTEM_MQTT_INSIDE_H
#define SYSTEM_MQTT_INSIDE_H

#include "hub/mapping.h"
#include "system/mqtt/mqtt.h"

#include <mosquitto.h>
#include <pthread.h>
#include <stdatomic.h>

#define MQTT_PAYLOAD_MAX (256u << 10)
#define MQTT_PACKET_MAX                                                                                                                    \
    (1u << 20)              /* what is taken from the broker; past it the connection ends, and the department is told (README.md)          \
                             */
#define MQTT_ROWS_MAX 10000 /* of one message */
#define MQTT_ROWS_BYTES (16u << 20)
#define MQTT_TOPIC_MAX 256
#define MQTT_LEVELS_MAX 8
#define MQTT_PENDING_MAX 256 /* messages that came and are not handed over; past it the connection ends, unacknowledged */
#define MQTT_PENDING_BYTES (8u << 20)
#define MQTT_HOLD_MS 10000 /* for so long a subscriber may be behind; then the same */
#define MQTT_CONNECT_MS 5000
#define MQTT_REPEATS_MAX 8192 /* ids remembered */
#define MQTT_SOURCES_MAX 4096 /* topics whose newest time is remembered, a resource */
#define MQTT_RESOURCES_MAX 32

struct mqtt_source {
    uint8_t topic[16]; /* of its SHA-256 */
    int64_t newest_ms;
    uint64_t used; /* 0: free */
};

struct mqtt_stream { /* a resource's binding */
    const struct hub_resource *resource;
    char topic[MQTT_TOPIC_MAX]; /* with + and # */
    struct hub_pointer rows, id;
    bool has_id;
    struct hub_mapping mapping;
    uint8_t levels[HUB_FIELDS_MAX]; /* of the topic, from 1, where a field is taken from there; 0: from the payload */
    int time;                       /* the field; -1: none */
    int64_t late_ms, ahead_ms;
    struct mqtt_source *sources;
    uint64_t n_used;
};

struct mqtt_message {
    struct str topic, payload; /* with a NUL after the topic */
    struct mqtt_message *next;
    char bytes[];
};

struct mqtt_system {
    struct hub_department department;
    struct hub_server server;
    char client_id[96], will_topic[MQTT_TOPIC_MAX], will_gone[64];
    int64_t silent_after_ms, keepalive_ms;
    struct mqtt_stream streams[MQTT_RESOURCES_MAX];
    size_t n_streams;
    struct loop_timer start; /* of the hub's loop: everything is loaded then */
    pthread_t thread;
    bool has_thread;
    int wake_fd;
    _Atomic bool is_stopping;
    _Atomic uint64_t counts[MQTT_N_COUNTS];
    _Atomic size_t n_pending;                /* of the list below */
    struct metric_counter n_behind, n_losts; /* connections ended: a subscriber was behind; and all that ended by themselves */
    /* the thread's */
    struct mosquitto *client;
    bool is_connected, is_subscribed, is_lost, is_gone; /* is_gone: the last will says so */
    bool is_in_packet;                                  /* its header was looked at, and not all of it has come */
    const char *lost_detail;
    struct mqtt_message *first, **last;
    size_t pending_bytes;
    struct mono_time began, held_since, heard, started, reported;
    int64_t back_off_ms;
    uint8_t (*repeats)[16]; /* a ring, and a table over it */
    uint16_t *repeat_table;
    size_t n_repeats, at_repeat;
};

/* ---- binding.c ---- */
enum err mqtt_read_connection(struct mqtt_system *system, struct yaml_node connection, struct diag_list *diags) MUST_CHECK;
enum err mqtt_bind(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags) MUST_CHECK;

/* ---- message.c ---- */
/* One message to every stream that its topic is of. ERR_FULL: a subscriber is behind; nothing was handed over to the stream that is full,
 * and what was to others is known by *at, from where it goes on the next time. What is refused is counted, and is ERR_OK. */
enum err mqtt_deliver(struct mqtt_system *system, const struct mqtt_message *message, size_t *at) MUST_CHECK;

/* ---- repeats.c ---- */
enum err mqtt_repeats_create(struct mqtt_system *system) MUST_CHECK;
void mqtt_repeats_destroy(struct mqtt_system *system);
bool mqtt_repeats_has(const struct mqtt_system *system, const uint8_t id[16]);
void mqtt_repeats_add(struct mqtt_system *system, const uint8_t id[16]);
/* Whether a row of this topic at this time is in time; remembers the newest. */
bool mqtt_is_in_time(struct mqtt_stream *stream, const uint8_t topic[16], int64_t ms);

/* ---- packet.c: what a packet says of itself, before libmosquitto takes it ---- */
enum mqtt_packet { MQTT_PACKET_GREETING, MQTT_PACKET_NONE, MQTT_PACKET_PART, MQTT_PACKET_FITS, MQTT_PACKET_TOO_LARGE, MQTT_PACKET_FOREIGN };
/* Looks at the next packet's header without taking it. GREETING: that of TLS is under way, which libmosquitto goes on with, and takes no
 * packet; NONE, PART: it is not there yet, not all of it; FOREIGN: of a kind that nobody asked
 * for. */
enum mqtt_packet mqtt_packet_look(struct mqtt_system *system);

/* ---- session.c: the thread ---- */
void *mqtt_work(void *system);

#endif
