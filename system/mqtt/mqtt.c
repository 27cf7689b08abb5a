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

const struct hub_system_ops system_mqtt_ops = {
    .connector = "mqtt",
    .open = mqtt_open,
    .bind = mqtt_bind,
    .close = mqtt_close,
};
