/*
 * The connector's table of functions: from a city's file to a door, a journal and a list of cameras, and back down in order.
 */
#include "system/vehicle_camera/vehicle_camera.h"

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "system/vehicle_camera/door.h"
#include "system/vehicle_camera/settings.h"

#include <stdio.h>
#include <string.h>

#define SWEEP_MS 1000
#define DROP_MS (3600 * 1000) /* retention, once an hour */
#define PARTY_MAX 160

struct vehicle_camera {
    struct hub_system_env env;
    char data_dir[SETTINGS_PATH_MAX];
    char party[PARTY_MAX], area[PARTY_MAX];
    struct settings settings;
    struct camera_list cameras;
    struct passwords *passwords;
    struct store *store;
    struct door *door;
    const struct hub_resource *passage; /* set by bind(), before loops run */
    struct loop_timer sweep, drop;
};

/* ---- the store's call-backs ---- */

static enum err publish(void *context, struct rows *rows)
{
    struct vehicle_camera *system = context;
    return system->passage == NULL ? ERR_OK : hub_publish(system->env.hub, system->passage, rows);
}

static void on_fatal(void *context, enum err err)
{
    struct vehicle_camera *system = context;
    log_write(LOG_ERROR, "camera", "passages cannot be kept any more, the door takes nothing", LOG_ERR(err), LOG_END);
    if (system->env.fatal != NULL)
        system->env.fatal(system->env.fatal_context, "camera", err);
}

/* ---- timers on the hub's loop ---- */

static void start_timer(struct vehicle_camera *system, struct loop_timer *timer, int64_t delay_ms)
{
    enum err err = loop_timer_start(system->env.loop, timer, delay_ms);
    if (err != ERR_OK)
        log_write(LOG_ERROR, "camera", "a timer cannot be started", LOG_ERR(err), LOG_END);
}

static void run_sweep(struct loop_timer *timer)
{
    struct vehicle_camera *system = container_of(timer, struct vehicle_camera, sweep);
    camera_list_sweep(&system->cameras, system->env.hub, system->env.party, system->env.clock, system->settings.silent_after_ms);
    start_timer(system, timer, SWEEP_MS);
}

static void run_drop(struct loop_timer *timer)
{
    struct vehicle_camera *system = container_of(timer, struct vehicle_camera, drop);
    store_drop_old(system->store);
    start_timer(system, timer, DROP_MS);
}

/* ---- open ---- */

static enum err open_store(struct vehicle_camera *system, struct diag_list *diags)
{
    struct diag diag = {""};
    const struct store_options options = {
        .data_dir = system->data_dir,
        .clock = system->env.clock,
        .zone = system->settings.zone,
        .kept_ms = system->settings.kept_ms,
        .accept_past_ms = system->settings.accept_past_ms,
        .accept_future_ms = system->settings.accept_future_ms,
        .n_repeats = (size_t)system->settings.n_repeats,
        .cameras = &system->cameras,
        .locals = &system->settings.locals,
        .publish = publish,
        .fatal = on_fatal,
        .context = system,
    };
    enum err err = store_open(&options, &diag, &system->store);
    return err == ERR_OK ? ERR_OK : diag_add(diags, err, NULL, 0, "%s", diag.text[0] != 0 ? diag.text : err_text(err));
}

static enum err open_door(struct vehicle_camera *system, struct diag_list *diags)
{
    const struct door_options options = {
        .store = system->store,
        .cameras = &system->cameras,
        .rules = {.cameras = &system->cameras,
            .zone = system->settings.zone,
            .accept_future_ms = system->settings.accept_future_ms,
            .accept_past_ms = system->settings.accept_past_ms,
            .needs_standard = system->settings.needs_standard},
        .clock = system->env.clock,
        .zone_text = system->settings.zone_text,
        .status_as_integer = system->settings.status_as_integer,
    };
    enum err err = door_create(&options, &system->door);
    return err == ERR_OK ? ERR_OK : diag_add(diags, err, NULL, 0, "the camera door cannot be opened: %s", err_text(err));
}

/* Texts of the environment that must outlive the call. */
static enum err keep_env(struct vehicle_camera *system, const struct hub_system_env *env)
{
    struct str area, name;
    system->env = *env;
    enum err err = str_to_c(env->party, system->party, sizeof system->party);
    if (err == ERR_OK)
        err = str_to_c(str_from_c(env->data_dir), system->data_dir, sizeof system->data_dir);
    if (err == ERR_OK && str_cut(env->party, '/', &area, &name))
        err = str_to_c(area, system->area, sizeof system->area);
    system->env.party = str_from_c(system->party);
    system->env.data_dir = system->data_dir;
    return err;
}

static void vehicle_camera_close(void *context)
{
    struct vehicle_camera *system = context;
    if (system == NULL)
        return;
    loop_timer_stop(&system->sweep);
    loop_timer_stop(&system->drop);
    store_close(system->store);
    door_destroy(system->door);
    passwords_destroy(system->passwords);
    camera_list_finish(&system->cameras);
    mem_free(system);
}

static enum err vehicle_camera_open(const struct hub_system_env *env, struct yaml_node file, struct diag_list *diags, void **ret_system)
{
    static const char *const keys[] = {"party", "connector", "connection", "resources", "cameras", "platforms", NULL};
    struct vehicle_camera *system = mem_alloc_zero(1, sizeof *system);
    if (system == NULL)
        return diag_add(diags, ERR_NO_MEMORY, yaml_name(file.yaml), 0, "no memory for the camera door");
    system->sweep.fn = run_sweep;
    system->drop.fn = run_drop;
    enum err err = keep_env(system, env);
    if (err != ERR_OK)
        err = yaml_error(file, diags, err, "the party's name or the data folder's path is too long");
    if (err == ERR_OK)
        err = yaml_check_keys(file, keys, diags);
    if (err == ERR_OK)
        err = settings_read(env, file, diags, &system->settings);
    enum err cameras_err = camera_list_load(&system->cameras, file, hub_areas(env->hub), diags);
    if (err == ERR_OK)
        err = cameras_err;
    if (err == ERR_OK && !env->check_only) {
        err = open_store(system, diags);
        if (err == ERR_OK)
            err = passwords_load(system->settings.password_path, diags, &system->passwords);
        if (err == ERR_OK)
            err = open_door(system, diags);
    }
    if (err == ERR_OK && !env->check_only) {
        err = loop_timer_start(env->loop, &system->sweep, 0);
        if (err == ERR_OK)
            err = loop_timer_start(env->loop, &system->drop, 0);
        if (err != ERR_OK)
            err = diag_add(diags, err, NULL, 0, "the camera door cannot watch its cameras: %s", err_text(err));
    }
    if (err != ERR_OK) {
        vehicle_camera_close(system);
        return err;
    }
    *ret_system = system;
    return ERR_OK;
}

/* ---- the other slots ---- */

/* The resource is the stream `passage`, with exactly our fields: what else could a camera say? */
static enum err vehicle_camera_bind(void *context, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    struct vehicle_camera *system = context;
    if (resource->kind != HUB_STREAM || !str_ends_with(resource->name, STR("/passage")))
        return yaml_error(binding, diags, ERR_UNSUPPORTED, "a camera door has one resource: the stream \"passage\", not \"" STR_FORMAT "\"",
            STR_ARG(resource->name));
    for (size_t i = 0; i < PASSAGE_N_FIELDS || i < resource->n_fields; i++) {
        const char *wanted = i < PASSAGE_N_FIELDS ? passage_fields[i].name : "nothing";
        if (i >= resource->n_fields || i >= PASSAGE_N_FIELDS || !str_equal_c(resource->fields[i].name, wanted) ||
            resource->fields[i].type != passage_fields[i].type)
            return yaml_error(binding, diags, ERR_SYNTAX,
                "field %zu of \"" STR_FORMAT "\" must be \"%s\"%s%s; docs/camera.md lists the %d fields in order", i + 1,
                STR_ARG(resource->name), wanted, i < PASSAGE_N_FIELDS ? " of type " : "",
                i < PASSAGE_N_FIELDS ? value_type_name(passage_fields[i].type) : "", PASSAGE_N_FIELDS);
    }
    system->passage = resource;
    return ERR_OK;
}

static enum err vehicle_camera_replay(void *context, const struct hub_resource *resource, struct wall_time from,
    enum err (*emit)(void *emit_context, struct rows *rows), void *emit_context)
{
    struct vehicle_camera *system = context;
    return system->store == NULL ? ERR_STATE : store_replay(system->store, from, emit, emit_context);
}

static void vehicle_camera_mount(void *context, struct http_mount *ret_mount)
{
    struct vehicle_camera *system = context;
    door_mount(system->door, ret_mount);
}

static enum err vehicle_camera_digest_ha1(void *context, struct str user, char ret_ha1[33], struct http_identity *ret_identity)
{
    struct vehicle_camera *system = context;
    const struct camera *camera = camera_find(&system->cameras, user);
    struct str password;
    char text[CAMERA_DEVICE_MAX + sizeof system->settings.realm + 256];
    if (system->passwords == NULL || camera == NULL || !passwords_find(system->passwords, user, &password))
        return ERR_UNAUTHENTICATED;
    int n = snprintf(text, sizeof text, "%.*s:%s:%.*s", (int)user.len, user.ptr, system->settings.realm, (int)password.len, password.ptr);
    if (n < 0 || n >= (int)sizeof text)
        return ERR_UNAUTHENTICATED;
    crypto_md5_hex((struct str){text, (size_t)n}, ret_ha1);
    crypto_wipe(text, sizeof text);
    *ret_identity = (struct http_identity){.party = system->env.party, .area = str_from_c(system->area), .device = camera->device};
    return ERR_OK;
}

static void vehicle_camera_measure(void *context, struct metric_page *page, struct str name)
{
    struct vehicle_camera *system = context;
    store_measure(system->store, page, name);
    door_measure(system->door, page, name);
}

static bool vehicle_camera_is_ready(void *context)
{
    struct vehicle_camera *system = context;
    return store_is_ready(system->store) && store_error(system->store) == ERR_OK;
}

static const struct hub_system_door door_slot = {.mount = vehicle_camera_mount,
    .digest_ha1 = vehicle_camera_digest_ha1,
    .measure = vehicle_camera_measure,
    .is_ready = vehicle_camera_is_ready};

static const struct hub_system_streams streams = {.replay = vehicle_camera_replay};

const struct hub_system_ops system_vehicle_camera_ops = {
    .connector = "vehicle_camera",
    .open = vehicle_camera_open,
    .bind = vehicle_camera_bind,
    .streams = &streams,
    .door = &door_slot,
    .close = vehicle_camera_close,
};
