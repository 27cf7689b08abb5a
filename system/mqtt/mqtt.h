/*
 * The connector to a department's MQTT broker: messages of its topics as rows of streams.
 */
#ifndef SYSTEM_MQTT_MQTT_H
#define SYSTEM_MQTT_MQTT_H

#include "hub/system.h"

extern const struct hub_system_ops system_mqtt_ops;

/* What came and what became of it, since the start. For tests and figures. */
enum mqtt_count {
    MQTT_MESSAGES,
    MQTT_ROWS,      /* handed over */
    MQTT_REPEATS,   /* messages whose id came before */
    MQTT_TOO_LARGE, /* refused, as the next ones */
    MQTT_NO_JSON,
    MQTT_WRONG_TYPE,
    MQTT_LATE,
    MQTT_AHEAD,
    MQTT_N_COUNTS,
};
uint64_t mqtt_count(const void *system, enum mqtt_count count);

#endif
