/*
 * The connector: its slots, and the thread's life.
 */
#include "system/mqtt/inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_library(void)
{
    mosquitto_lib_init();
}

static void start(struct loop_timer *timer)
{
    struct mqtt_system *system = container_of(timer, struct mqtt_system, start);
    system->has_thread = system->n_streams > 0 && pthread_create(&system->thread, NULL, mqtt_work, system) == 0;
    if (!system->has_thread && system->n_streams > 0)
        hub_department_report(&system->department, HUB_DOWN, HUB_DETAIL(no_thread));
}

static void destroy(struct mqtt_system *system)
{
    if (system->wake_fd >= 0)
        close(system->wake_fd);
    mqtt_repeats_destroy(system);
    hub_department_finish(&system->department);
    mem_free(system);
}

static void mqtt_close(void *context)
{
    struct mqtt_system *system = context;
    uint64_t one = 1;
    if (!system)
        return;
    loop_timer_stop(&system->start);
    atomic_store(&system->is_stopping, true);
    (void)!write(system->wake_fd, &one, sizeof one);
    if (system->has_thread)
        pthread_join(system->thread, NULL);
    destroy(system);
}

static enum err mqtt_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct mqtt_system *system = mem_alloc_zero(1, sizeof *system);
    struct yaml_node connection;
    if (!system)
        return ERR_NO_MEMORY;
    pthread_once(&once, init_library);
    system->last = &system->first;
    system->start.fn = start;
    system->server.zone = env->zone;
    system->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    enum err err = hub_department_init(&system->department, env, "mqtt", root, diags, &connection);
    if (!err)
        err = mqtt_read_connection(system, connection, diags);
    if (!err)
        err = system->wake_fd < 0 ? ERR_IO : mqtt_repeats_create(system);
    if (!err && !env->check_only)
        err = loop_timer_start(env->loop, &system->start, 0);
    if (err) {
        destroy(system);
        return err;
    }
    *ret_system = system;
    return ERR_OK;
}

static void mqtt_measure(void *context, struct metric_page *page, struct str name)
{
    static const struct metric messages = {"citybrain_mqtt_messages_total", METRIC_COUNTER, "Messages of the broker, all", {"department"}};
    static const struct metric rows = {"citybrain_mqtt_rows_total", METRIC_COUNTER, "Their rows that were handed over", {"department"}};
    static const struct metric refused = {
        "citybrain_mqtt_refused_total", METRIC_COUNTER, "Messages that were not handed over, by why", {"department", "why"}};
    static const struct metric lost = {
        "citybrain_mqtt_connections_lost_total", METRIC_COUNTER, "Connections to the broker that failed or ended", {"department"}};
    static const char *const whys[] = {[MQTT_REPEATS] = "repeated",
        [MQTT_TOO_LARGE] = "too large",
        [MQTT_NO_JSON] = "no JSON",
        [MQTT_WRONG_TYPE] = "wrong type",
        [MQTT_LATE] = "late",
        [MQTT_AHEAD] = "ahead"};
    struct mqtt_system *system = context;
    metric_put_count(page, &messages, mqtt_count(system, MQTT_MESSAGES), &name);
    metric_put_count(page, &rows, mqtt_count(system, MQTT_ROWS), &name);
    for (enum mqtt_count why = MQTT_REPEATS; why < MQTT_N_COUNTS; why++)
        metric_put_count(page, &refused, mqtt_count(system, why), METRIC_VALUES(name, str_from_c(whys[why])));
    metric_put_counter(page, &lost, &system->n_losts, &name);
    metric_put_queue(page, "mqtt", name, atomic_load(&system->n_pending), MQTT_PENDING_MAX, &system->n_behind);
}

static const struct hub_system_door figures = {.measure = mqtt_measure};

const struct hub_system_ops system_mqtt_ops = {
    .connector = "mqtt",
    .open = mqtt_open,
    .bind = mqtt_bind,
    .door = &figures,
    .close = mqtt_close,
};
