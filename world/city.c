/* Reads a city's files for the world: see city.h. */
#include "world/city.h"

#include "base/mem.h"
#include "base/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 1024

static enum err copy_str(struct yaml_node node, struct str text, char *out, size_t size, struct diag_list *diags)
{
    if (str_to_c(text, out, size))
        return yaml_error(node, diags, ERR_TOO_LARGE, "\"" STR_FORMAT "\" is longer than %zu bytes; shorten it", STR_ARG(text), size - 1);
    return ERR_OK;
}

static enum err get_text(struct yaml_node map, const char *key, struct diag_list *diags, char *out, size_t size)
{
    struct str text;
    enum err err = yaml_get_str(map, key, true, diags, &text);
    return err ? err : copy_str(map, text, out, size, diags);
}

static enum err read_point(struct yaml_node pair, struct diag_list *diags, struct road_point *ret_point)
{
    struct road_point point;
    if (yaml_is_none(pair) || yaml_n_items(pair) != 2 || str_to_double(yaml_text(yaml_item(pair, 0)), &point.lon) ||
        str_to_double(yaml_text(yaml_item(pair, 1)), &point.lat))
        return yaml_error(pair, diags, ERR_SYNTAX, "not a place; write [longitude, latitude]");
    *ret_point = point;
    return ERR_OK;
}

static enum err join(char out[PATH_BYTES], const char *folder, const char *name)
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", folder, name);
    return n < 0 || n >= PATH_BYTES ? ERR_TOO_LARGE : ERR_OK;
}

/* ---- city.yaml ---- */

static enum err load_city(const char *city_dir, struct diag_list *diags, struct world_city *city)
{
    char path[PATH_BYTES];
    struct yaml *yaml;
    enum err err = join(path, city_dir, "city.yaml");
    err = err ? err : yaml_load_file(path, diags, &yaml);
    if (err)
        return err;
    struct yaml_node root = yaml_root(yaml), http = yaml_get(root, "http");
    err = get_text(root, "city", diags, city->name, sizeof city->name);
    if (!err && !yaml_is_none(http)) {
        err = get_text(http, "address", diags, city->address, sizeof city->address);
        err = err ? err : yaml_get_i64(http, "port", true, diags, 1, 65535, &city->port);
    }
    yaml_destroy(yaml);
    return err;
}

/* ---- areas.yaml ---- */

static int find_area(const struct world_city *city, struct str name)
{
    for (uint32_t i = 0; i < city->n_areas; i++)
        if (str_equal_c(name, city->areas[i].name))
            return (int)i;
    return -1;
}

static enum err read_area(struct world_city *city, struct yaml_node item, struct diag_list *diags)
{
    struct world_area *area = &city->areas[city->n_areas];
    struct str head, tail;
    enum err err = get_text(item, "name", diags, area->name, sizeof area->name);
    if (err)
        return err;
    area->parent = str_cut_last(str_from_c(area->name), '.', &head, &tail) ? find_area(city, head) : -1;
    city->n_areas++;
    struct yaml_node outline = yaml_get(item, "outline");
    size_t n = yaml_is_none(outline) ? 0 : yaml_n_items(outline);
    if (n > WORLD_OUTLINE_MAX)
        return yaml_error(outline, diags, ERR_TOO_LARGE, "%zu points; keep at most %d", n, WORLD_OUTLINE_MAX);
    if (n == 0)
        return ERR_OK;
    area->outline = mem_alloc_zero(n, sizeof *area->outline);
    if (!area->outline)
        return ERR_NO_MEMORY;
    area->n_points = (uint32_t)n;
    for (size_t i = 0; i < n && !err; i++)
        err = read_point(yaml_item(outline, i), diags, &area->outline[i]);
    return err;
}

static enum err load_areas(const char *city_dir, struct diag_list *diags, struct world_city *city)
{
    char path[PATH_BYTES];
    struct yaml *yaml;
    enum err err = join(path, city_dir, "areas.yaml");
    err = err ? err : yaml_load_file(path, diags, &yaml);
    if (err)
        return err;
    struct yaml_node areas = yaml_get(yaml_root(yaml), "areas");
    size_t n = yaml_is_none(areas) ? 0 : yaml_n_items(areas);
    if (n == 0 || n > WORLD_AREAS_MAX) {
        err = yaml_error(yaml_root(yaml), diags, ERR_RANGE, "%zu areas; list 1 to %d under \"areas\"", n, WORLD_AREAS_MAX);
        goto done;
    }
    city->areas = mem_alloc_zero(n, sizeof *city->areas);
    err = city->areas ? ERR_OK : ERR_NO_MEMORY;
    for (size_t i = 0; i < n && !err; i++)
        err = read_area(city, yaml_item(areas, i), diags);
done:
    yaml_destroy(yaml);
    return err;
}

/* ---- the files of systems/ whose connector is vehicle_camera ---- */

static enum err read_camera(struct world_city *city, struct yaml_node item, struct diag_list *diags)
{
    struct world_camera *camera = &city->cameras[city->n_cameras];
    enum err err = get_text(item, "device", diags, camera->device, sizeof camera->device);
    err = err ? err : yaml_get_real(item, "heading", true, diags, &camera->heading);
    err = err ? err : read_point(yaml_get(item, "place"), diags, &camera->place);
    if (!err)
        city->n_cameras++;
    return err;
}

static enum err read_cameras(struct world_city *city, struct yaml_node cameras, struct diag_list *diags)
{
    size_t n = yaml_n_items(cameras);
    if (city->n_cameras + n > WORLD_CAMERAS_MAX)
        return yaml_error(cameras, diags, ERR_TOO_LARGE, "more than %d cameras; split the city", WORLD_CAMERAS_MAX);
    if (n == 0)
        return ERR_OK;
    struct world_camera *grown = mem_resize(city->cameras, (city->n_cameras + n) * sizeof *grown);
    if (!grown)
        return ERR_NO_MEMORY;
    city->cameras = grown;
    enum err err = ERR_OK;
    for (size_t i = 0; i < n && !err; i++)
        err = read_camera(city, yaml_item(cameras, i), diags);
    return err;
}

/* `{data}` is the data folder. */
static enum err expand(struct str file, const char *data_dir, char out[PATH_BYTES])
{
    const struct str data = STR("{data}");
    int n = str_starts_with(file, data) ? snprintf(out, PATH_BYTES, "%s" STR_FORMAT, data_dir, STR_ARG(str_slice(file, data.len, file.len)))
                                        : snprintf(out, PATH_BYTES, STR_FORMAT, STR_ARG(file));
    return n < 0 || n >= PATH_BYTES ? ERR_TOO_LARGE : ERR_OK;
}

static enum err read_password(struct world_city *city, const char *data_dir, struct yaml_node connection, struct diag_list *diags)
{
    char path[PATH_BYTES], line[256];
    struct str file;
    enum err err = yaml_get_str(connection, "password_file", true, diags, &file);
    if (err)
        return err;
    err = expand(file, data_dir, path);
    if (err)
        return err;
    FILE *opened = fopen(path, "re");
    if (!opened)
        return diag_add(diags, ERR_IO, path, 0, "the cameras' password cannot be read (%s); make it with tools/make_city", strerror(errno));
    struct str password = STR_NONE, device, own;
    while (str_is_empty(password) && fgets(line, sizeof line, opened)) {
        struct str text = str_trim(str_from_c(line));
        if (!str_starts_with(text, STR("#")) && !str_cut(text, ' ', &device, &own)) /* one word: the password of all */
            password = text;
    }
    (void)fclose(opened);
    if (str_is_empty(password))
        return diag_add(
            diags, ERR_SYNTAX, path, 0, "no line with one word, the password of all cameras; make it again with tools/make_city");
    return copy_str(connection, password, city->password, sizeof city->password, diags);
}

/* ---- and those whose brokers gateways speak to ---- */

/* The first stream of that name of a broker: its topic's last level is `level`. */
static enum err read_broker(struct yaml_node root, const char *data_dir, const char *stream, const char *level, struct diag_list *diags,
    struct world_broker *broker)
{
    struct yaml_node connection = yaml_get(root, "connection"), resources = yaml_get(root, "resources");
    char path[PATH_BYTES];
    struct str host, name, topic;
    for (size_t i = 0; i < (yaml_is_none(resources) ? 0 : yaml_n_items(resources)); i++) {
        struct yaml_node one = yaml_item(resources, i);
        if (yaml_get_str(one, "name", false, diags, &name) || !str_equal_c(name, stream) ||
            yaml_get_str(yaml_get(one, "bind"), "topic", false, diags, &topic) || !str_ends_with(topic, STR("/+")) || broker->broker[0])
            continue;
        enum err err = yaml_get_str(connection, "host", true, diags, &host);
        err = err ? err : expand(host, data_dir ? data_dir : "", path);
        err = err ? err : copy_str(connection, str_from_c(path), broker->broker, sizeof broker->broker, diags);
        int n = snprintf(broker->topic, sizeof broker->topic, STR_FORMAT "/%s", STR_ARG(str_slice(topic, 0, topic.len - 2)), level);
        err = err ? err : n < 0 || n >= (int)sizeof broker->topic ? ERR_TOO_LARGE : ERR_OK;
        if (err)
            return err;
        broker->port = 1883;
        err = yaml_get_i64(connection, "port", false, diags, 1, 65535, &broker->port);
        if (broker->broker[0] == '/' || str_starts_with(host, STR("{data}")))
            broker->port = 0;
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    return ERR_OK;
}

static enum err load_system(const char *path, const char *data_dir, struct diag_list *diags, struct world_city *city)
{
    struct yaml *yaml;
    struct str connector, zone;
    enum err err = yaml_load_file(path, diags, &yaml);
    if (err)
        return err;
    struct yaml_node root = yaml_root(yaml), connection = yaml_get(root, "connection"), cameras = yaml_get(root, "cameras");
    err = yaml_get_str(root, "connector", true, diags, &connector);
    if (!err && str_equal_c(connector, "mqtt"))
        err = read_broker(root, data_dir, "position", "taxi", diags, &city->fleet);
    if (!err && str_equal_c(connector, "mqtt"))
        err = read_broker(root, data_dir, "loop", "roadside", diags, &city->loops);
    if (err || !str_equal_c(connector, "vehicle_camera"))
        goto done;
    if (yaml_is_none(cameras) || yaml_kind(cameras) != YAML_LIST) {
        err = yaml_error(root, diags, ERR_NOT_FOUND, "no list \"cameras\"; the world needs to know where they stand");
        goto done;
    }
    if (yaml_get_str(connection, "zone", false, diags, &zone) == ERR_OK && time_zone_parse(zone, &city->zone)) {
        err = yaml_error(connection, diags, ERR_SYNTAX, "zone \"" STR_FORMAT "\" is unknown; write it as \"+08:00\"", STR_ARG(zone));
        goto done;
    }
    err = data_dir ? read_password(city, data_dir, connection, diags) : ERR_OK;
    err = err ? err : read_cameras(city, cameras, diags);
done:
    yaml_destroy(yaml);
    return err;
}

static enum err load_systems(const char *city_dir, const char *data_dir, struct diag_list *diags, struct world_city *city)
{
    char folder[PATH_BYTES], path[PATH_BYTES];
    struct dirent **names;
    enum err err = join(folder, city_dir, "systems");
    if (err)
        return err;
    int n = scandir(folder, &names, NULL, alphasort);
    if (n < 0)
        return diag_add(diags, ERR_IO, folder, 0, "cannot be read (%s); a city keeps its departments' files there", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct str name = str_from_c(names[i]->d_name);
        if (!err && str_ends_with(name, STR(".yaml"))) {
            err = join(path, folder, names[i]->d_name);
            err = err ? err : load_system(path, data_dir, diags, city);
        }
        free(names[i]);
    }
    free(names);
    return err;
}

enum err world_city_load(const char *city_dir, const char *data_dir, struct diag_list *diags, struct world_city *ret_city)
{
    struct world_city city = {.port = 8080, .address = "127.0.0.1", .zone = TIME_ZONE_SHANGHAI};
    enum err err = load_city(city_dir, diags, &city);
    err = err ? err : load_areas(city_dir, diags, &city);
    err = err ? err : load_systems(city_dir, data_dir, diags, &city);
    if (!err && city.n_cameras == 0)
        err = diag_add(diags, ERR_NOT_FOUND, city_dir, 0, "no camera in any file of systems/; without cameras nothing reaches the brain");
    if (err)
        world_city_finish(&city);
    else
        *ret_city = city;
    return err;
}

void world_city_finish(struct world_city *city)
{
    for (uint32_t i = 0; i < city->n_areas; i++)
        mem_free(city->areas[i].outline);
    mem_free(city->areas);
    mem_free(city->cameras);
    *city = (struct world_city){0};
}

/* Even-odd rule (Shimrat, CACM 1962, Algorithm 112). */
static bool holds(const struct world_area *area, struct road_point p)
{
    bool odd = false;
    for (uint32_t i = 0, j = area->n_points - 1; i < area->n_points; j = i++) {
        struct road_point a = area->outline[i], b = area->outline[j];
        if ((a.lat > p.lat) != (b.lat > p.lat) && p.lon < (b.lon - a.lon) * (p.lat - a.lat) / (b.lat - a.lat) + a.lon)
            odd = !odd;
    }
    return odd;
}

static int depth(const struct world_city *city, int area)
{
    int n = 0;
    for (; area >= 0; area = city->areas[area].parent)
        n++;
    return n;
}

int world_area_of(const struct world_city *city, struct road_point point)
{
    int best = 0, best_depth = 0;
    for (uint32_t i = 0; i < city->n_areas; i++) {
        int d = depth(city, (int)i);
        if (d > best_depth && city->areas[i].n_points > 2 && holds(&city->areas[i], point)) {
            best = (int)i;
            best_depth = d;
        }
    }
    return best;
}
