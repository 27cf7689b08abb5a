/*
 * The list of cameras from the city's file, and the sweep that finds the silent ones (camera.h).
 */
#include "system/vehicle_camera/camera.h"

#include "base/crypto.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define REPORT_EVERY_NS (30LL * 1000000000) /* an unchanged camera is reported this often, so that the hub knows we are alive */
#define CAMERA_BYTES_MAX ((size_t)CAMERA_N_MAX * 1024)

static enum err keep_str(struct arena *arena, struct str *s)
{
    return arena_copy_str(arena, *s, s);
}

static enum err read_place(struct yaml_node item, struct diag_list *diags, struct point *ret_place)
{
    struct yaml_node place = yaml_get(item, "place");
    if (yaml_is_null(place))
        return ERR_OK;
    double lon = 0, lat = 0;
    if (yaml_kind(place) != YAML_LIST || yaml_n_items(place) != 2 || str_to_double(yaml_text(yaml_item(place, 0)), &lon) != ERR_OK ||
        str_to_double(yaml_text(yaml_item(place, 1)), &lat) != ERR_OK || fabs(lon) > 180 || fabs(lat) > 90)
        return yaml_error(place, diags, ERR_SYNTAX, "a place is [longitude, latitude] in degrees of WGS 84, as in [120.13, 30.28]");
    *ret_place = (struct point){lon, lat};
    return ERR_OK;
}

static enum err read_area(struct yaml_node item, const struct area_tree *areas, struct diag_list *diags, struct str *ret_area)
{
    enum err err = yaml_get_str(item, "area", true, diags, ret_area);
    if (err == ERR_OK && areas != NULL && area_find(areas, *ret_area) < 0)
        return yaml_error(yaml_get(item, "area"), diags, ERR_NOT_FOUND,
            "area \"" STR_FORMAT "\" is not in areas.yaml; give the camera one of those", STR_ARG(*ret_area));
    return err;
}

static enum err read_title(struct yaml_node item, struct diag_list *diags, struct camera *camera)
{
    static const char *const keys[] = {"zh", "en", NULL};
    struct yaml_node title = yaml_get(item, "title");
    camera->title_zh = camera->title_en = camera->device;
    if (yaml_is_none(title))
        return ERR_OK;
    enum err err = yaml_check_keys(title, keys, diags);
    if (err == ERR_OK)
        err = yaml_get_str(title, "zh", true, diags, &camera->title_zh);
    if (err == ERR_OK)
        err = yaml_get_str(title, "en", true, diags, &camera->title_en);
    return err;
}

/* One camera or platform; texts still borrow from the file. */
static enum err read_camera(struct yaml_node item, const struct area_tree *areas, struct diag_list *diags, struct camera *camera)
{
    static const char *const keys[] = {"device", "title", "area", "place", "heading", NULL};
    enum err err = yaml_check_keys(item, keys, diags);
    if (err == ERR_OK)
        err = yaml_get_str(item, "device", true, diags, &camera->device);
    if (err == ERR_OK && (camera->device.len == 0 || camera->device.len > CAMERA_DEVICE_MAX))
        err = yaml_error(item, diags, ERR_RANGE, "a device has 1 to %d characters; the standard's have 20 digits", CAMERA_DEVICE_MAX);
    if (err == ERR_OK)
        err = read_title(item, diags, camera);
    if (err == ERR_OK)
        err = read_area(item, areas, diags, &camera->area);
    if (err == ERR_OK)
        err = read_place(item, diags, &camera->place);
    camera->heading = NAN;
    if (err == ERR_OK && !yaml_is_none(yaml_get(item, "heading"))) {
        err = yaml_get_real(item, "heading", true, diags, &camera->heading);
        if (err == ERR_OK && !(camera->heading >= 0 && camera->heading <= 360))
            err = yaml_error(item, diags, ERR_RANGE, "a heading is 0 to 360 degrees from north");
    }
    return err;
}

static enum err add_camera(struct camera_list *list, struct yaml_node item, const struct camera *read, struct diag_list *diags)
{
    uint32_t number = 0;
    if (camera_find(list, read->device) != NULL)
        return yaml_error(
            item, diags, ERR_EXISTS, "device \"" STR_FORMAT "\" is on the list twice; take one of them out", STR_ARG(read->device));
    struct camera *camera = &list->cameras[list->n];
    *camera = *read;
    enum err err = str_map_add(&list->by_device, read->device, &number);
    struct str *const texts[] = {&camera->device, &camera->title_zh, &camera->title_en, &camera->area};
    for (size_t i = 0; i < 4 && err == ERR_OK; i++)
        err = keep_str(&list->arena, texts[i]);
    if (err == ERR_OK)
        list->n++;
    return err;
}

/* Goes on after an error, so that a person sees all of them at once; the first one is returned. */
static enum err load_part(
    struct camera_list *list, struct yaml_node part, bool is_platform, const struct area_tree *areas, struct diag_list *diags)
{
    enum err first = ERR_OK;
    for (size_t i = 0; i < yaml_n_items(part) && first != ERR_NO_MEMORY; i++) {
        struct camera camera;
        memset(&camera, 0, sizeof camera);
        camera.is_platform = is_platform;
        enum err err = read_camera(yaml_item(part, i), areas, diags, &camera);
        if (err == ERR_OK)
            err = add_camera(list, yaml_item(part, i), &camera, diags);
        if (first == ERR_OK)
            first = err;
    }
    return first;
}

enum err camera_list_load(struct camera_list *list, struct yaml_node system, const struct area_tree *areas, struct diag_list *diags)
{
    struct yaml_node cameras = yaml_get(system, "cameras"), platforms = yaml_get(system, "platforms");
    uint64_t seed = 0;
    memset(list, 0, sizeof *list);
    crypto_random(&seed, sizeof seed);
    str_map_init(&list->by_device, CAMERA_N_MAX, seed);
    arena_init(&list->arena, CAMERA_BYTES_MAX);
    enum err err = ERR_OK;
    if (yaml_is_none(cameras) || yaml_kind(cameras) != YAML_LIST || yaml_n_items(cameras) == 0)
        err = yaml_error(system, diags, ERR_SYNTAX, "there is no list \"cameras\"; give each camera its device, title, area and place");
    else if (!yaml_is_null(platforms) && yaml_kind(platforms) != YAML_LIST)
        err = yaml_error(platforms, diags, ERR_SYNTAX, "\"platforms\" is a list of those who speak for other cameras");
    if (err == ERR_OK) {
        size_t n = yaml_n_items(cameras) + (yaml_is_null(platforms) ? 0 : yaml_n_items(platforms));
        if (n > CAMERA_N_MAX)
            err = yaml_error(cameras, diags, ERR_TOO_LARGE, "%zu cameras on one list; at most %d", n, CAMERA_N_MAX);
        else if ((list->cameras = arena_alloc_zero(&list->arena, n, sizeof *list->cameras)) == NULL)
            err = yaml_error(cameras, diags, ERR_NO_MEMORY, "no memory for the list of cameras");
    }
    if (err == ERR_OK) {
        err = load_part(list, cameras, false, areas, diags);
        enum err more = yaml_is_null(platforms) ? ERR_OK : load_part(list, platforms, true, areas, diags);
        err = err == ERR_OK ? more : err;
    }
    if (err != ERR_OK)
        camera_list_finish(list);
    return err;
}

void camera_list_finish(struct camera_list *list)
{
    str_map_finish(&list->by_device);
    arena_finish(&list->arena);
    list->cameras = NULL;
    list->n = 0;
}

struct camera *camera_find(const struct camera_list *list, struct str device)
{
    int64_t number = str_map_find(&list->by_device, device);
    return number < 0 ? NULL : &list->cameras[number];
}

void camera_hear(struct camera *camera, struct clock *clock)
{
    atomic_store_explicit(&camera->heard_wall_ms, clock_wall(clock).ms, memory_order_relaxed);
    atomic_store_explicit(&camera->heard_mono_ns, clock_mono(clock).ns, memory_order_relaxed);
    atomic_store_explicit(&camera->has_left, false, memory_order_relaxed);
}

void camera_leave(struct camera *camera)
{
    atomic_store_explicit(&camera->has_left, true, memory_order_relaxed);
}

static void report(
    struct camera *camera, struct hub *hub, struct str party, enum hub_health health, int64_t wall_ms, int64_t silent_after_ms)
{
    char name[CAMERA_DEVICE_MAX + 16], detail[96] = "";
    (void)snprintf(name, sizeof name, "camera/%.*s", (int)camera->device.len, camera->device.ptr);
    if (health == HUB_STALE && wall_ms == 0)
        (void)snprintf(detail, sizeof detail, "%s", HUB_DETAIL(never));
    else if (health == HUB_STALE && atomic_load_explicit(&camera->has_left, memory_order_relaxed))
        (void)snprintf(detail, sizeof detail, "%s", HUB_DETAIL(unregistered));
    else if (health == HUB_STALE)
        hub_detail_put(detail, sizeof detail, HUB_DETAIL(silent), "%lld", (long long)(silent_after_ms / 1000));
    const struct hub_source source = {
        .party = party,
        .source = str_from_c(name),
        .area = camera->area,
        .title_zh = camera->title_zh,
        .title_en = camera->title_en,
        .place = camera->place,
        .health = health,
        .last_heard = {wall_ms},
        .detail = str_from_c(detail),
    };
    hub_source_report(hub, &source);
}

void camera_list_sweep(struct camera_list *list, struct hub *hub, struct str party, struct clock *clock, int64_t silent_after_ms)
{
    int64_t now_ns = clock_mono(clock).ns;
    for (size_t i = 0; i < list->n; i++) {
        struct camera *camera = &list->cameras[i];
        int64_t wall_ms = atomic_load_explicit(&camera->heard_wall_ms, memory_order_relaxed);
        int64_t mono_ns = atomic_load_explicit(&camera->heard_mono_ns, memory_order_relaxed);
        bool is_silent =
            wall_ms == 0 || (now_ns - mono_ns) / 1000000 > silent_after_ms || atomic_load_explicit(&camera->has_left, memory_order_relaxed);
        enum hub_health health = is_silent ? HUB_STALE : HUB_FRESH;
        if (camera->is_platform ||
            (camera->was_reported && camera->reported == health && now_ns - camera->reported_mono_ns < REPORT_EVERY_NS))
            continue;
        report(camera, hub, party, health, wall_ms, silent_after_ms);
        camera->was_reported = true;
        camera->reported = health;
        camera->reported_mono_ns = now_ns;
    }
}
