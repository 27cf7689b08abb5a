/*
 * For this folder's tests: a city with one stream from a broker, and who subscribes to it.
 */
#ifndef SYSTEM_MQTT_MQTT_TESTING_H
#define SYSTEM_MQTT_MQTT_TESTING_H

#include "base/test.h"
#include "hub/department_testing.h"
#include "system/mqtt/inside.h"

extern struct fake_city mq_city;
extern struct buf mq_rows; /* what came: "a|b;c|d;" */
extern size_t mq_n_rows;

#define MQ_FIELDS                                                                                                                          \
    "fields: [{name: vehicle, type: text, class: personal}, {name: fleet, type: text, class: open}, {name: lat, type: real, class: "       \
    "open}, "                                                                                                                              \
    "{name: speed, type: real, class: open}, {name: at, type: time, class: open}, {name: driver, type: text, class: secret}]}\n"
/* As a public gateway of JT/T 808 writes positions (docs/connector.md). */
#define MQ_BIND                                                                                                                            \
    "topic: cb/h/gps/+, levels: {fleet: 4}, id: /serial, fields: {vehicle: /phone, lat: {at: /lat, scale: 0.000001}, speed: {at: /speed, " \
    "scale: 0.1}, at: {at: /time, form: compact}}"

void mq_city_make(int port, const char *more, const char *bind);
/* Loads, and subscribes with the fields vehicle, fleet, lat, speed, at; limit 0: the hub's own. */
void mq_city_load(size_t limit);
void mq_city_unload(void);
void mq_city_finish(void); /* unloads what is loaded */
const struct mqtt_system *mq_system(void);
/* Runs the loop until `is_so` says yes, for 30 s at most; false: it never did. */
bool mq_wait(bool (*is_so)(const void *context), const void *context);
void mq_wait_rows(size_t n);
void mq_wait_health(enum hub_health health, const char *detail);
void mq_wait_count(enum mqtt_count count, uint64_t n);
/* One position as a payload; the text of this thread's newest one. */
const char *mq_position(const char *vehicle, unsigned serial);

#endif
