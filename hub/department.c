/*
 * What the connectors to departments' databases share.
 */
#include "hub/department.h"

#include "base/file.h"
#include "base/log.h"
#include "hub/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STALE_MS 1000   /* for how long single errors make a source stale */
#define REPORT_MS 30000 /* how often a health that does not change is told */
#define ARENA_MAX (16u << 20)
#define ENV "env:" /* in the place of a path: a secret in the environment */
#define SECRET "CITYBRAIN_SECRET_"

enum err hub_department_init(struct hub_department *department, const struct hub_system_env *env, const char *connector,
    struct yaml_node root, struct diag_list *diags, struct yaml_node *ret_connection)
{
    static const char *const keys[] = {"party", "connector", "connection", "audit", "resources", NULL};
    struct str rest = env->party;
    *department = (struct hub_department){
        .hub = env->hub, .clock = env->clock, .connector = connector, .city_dir = env->city_dir, .data_dir = env->data_dir, .root = root};
    pthread_mutex_init(&department->lock, NULL);
    arena_init(&department->arena, ARENA_MAX);
    enum err err = arena_copy_str(&department->arena, env->party, &department->party);
    if (!err)
        err = arena_copy_str(&department->arena, env->name, &department->name);
    if (!err)
        err = arena_printf(&department->arena, &department->source, "%s/" STR_FORMAT, connector, STR_ARG(env->name));
    if (!err && str_cut(department->party, '/', &department->area, &rest))
        err = yaml_check_keys(root, keys, diags);
    struct yaml_node connection = yaml_get(root, "connection");
    if (!err && (yaml_is_none(connection) || yaml_kind(connection) != YAML_MAP))
        err = yaml_error(
            root, diags, ERR_NOT_FOUND, "connection: is missing; say how the department's system is reached (docs/connector.md)");
    if (!err)
        *ret_connection = connection;
    return err;
}

void hub_department_finish(struct hub_department *department)
{
    arena_finish(&department->arena);
    pthread_mutex_destroy(&department->lock);
}

/* ---- the file ---- */

enum err hub_department_path(const struct hub_department *department, struct str file, char out[HUB_DEPARTMENT_PATH_MAX])
{
    const char *base = department->city_dir;
    if (str_starts_with(file, STR("{data}/"))) {
        base = department->data_dir;
        file = str_slice(file, 7, file.len);
    }
    if (memchr(file.ptr ? file.ptr : "", '\0', file.len))
        return ERR_SYNTAX;
    int n = file.len && file.ptr[0] == '/' ? snprintf(out, HUB_DEPARTMENT_PATH_MAX, STR_FORMAT, STR_ARG(file))
                                           : snprintf(out, HUB_DEPARTMENT_PATH_MAX, "%s/" STR_FORMAT, base, STR_ARG(file));
    return n < 0 || n >= HUB_DEPARTMENT_PATH_MAX ? ERR_TOO_LARGE : ERR_OK;
}

/* A city's file cannot make the program send any other variable of its environment to a server. */
static bool is_secret_name(struct str name)
{
    bool is = name.len > sizeof SECRET - 1 && str_starts_with(name, STR(SECRET));
    for (size_t i = 0; i < name.len; i++)
        is = is && ((name.ptr[i] >= 'A' && name.ptr[i] <= 'Z') || (name.ptr[i] >= '0' && name.ptr[i] <= '9') || name.ptr[i] == '_');
    return is;
}

enum err hub_department_get_path(const struct hub_department *department, struct yaml_node connection, const char *key,
    struct diag_list *diags, char out[HUB_DEPARTMENT_PATH_MAX])
{
    struct str file;
    enum err err = yaml_get_str(connection, key, false, diags, &file);
    out[0] = '\0';
    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    if (str_starts_with(file, STR(ENV))) {
        if (!str_ends_with(str_from_c(key), STR("_file")) || !is_secret_name(str_slice(file, sizeof ENV - 1, file.len)) ||
            str_to_c(file, out, HUB_DEPARTMENT_PATH_MAX))
            return yaml_error(yaml_get(connection, key), diags, ERR_RANGE,
                "%s: of the environment only variables " SECRET "… (capitals, digits, _) are read, and only as secrets; write \"env:" SECRET
                "POLICE\"",
                key);
        return ERR_OK;
    }
    if (str_is_empty(file) || hub_department_path(department, file, out))
        return yaml_error(yaml_get(connection, key), diags, ERR_RANGE, "%s: is not a path that can be; write \"{data}/secrets/…\"", key);
    return ERR_OK;
}

enum err hub_department_secret(const char *path, char out[HUB_DEPARTMENT_SECRET_MAX])
{
    struct stat status;
    struct buf text;
    if (strncmp(path, ENV, sizeof ENV - 1) == 0) {
        const char *secret = getenv(path + sizeof ENV - 1);
        return secret ? str_to_c(str_from_c(secret), out, HUB_DEPARTMENT_SECRET_MAX) : ERR_NOT_FOUND;
    }
    if (stat(path, &status) != 0)
        return ERR_NOT_FOUND;
    if (status.st_mode & (S_IRWXO | S_IWGRP))
        return ERR_DENIED;
    buf_init(&text, 2 * HUB_DEPARTMENT_SECRET_MAX);
    enum err err = file_read(path, &text);
    if (!err) {
        struct str line = buf_str(&text), rest;
        (void)!str_cut(line, '\n', &line, &rest);
        if (str_ends_with(line, STR("\r")))
            line.len--;
        err = str_to_c(line, out, HUB_DEPARTMENT_SECRET_MAX);
    }
    if (text.ptr)
        explicit_bzero(text.ptr, text.cap);
    buf_finish(&text);
    return err;
}

struct yaml_node hub_department_field_node(const struct hub_department *department, const struct hub_resource *resource, struct str field)
{
    struct yaml_node list = yaml_get(department->root, "resources");
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        struct yaml_node item = yaml_item(list, i), fields = yaml_get(item, "fields");
        struct str name = yaml_text(yaml_get(item, "name"));
        if (!str_ends_with(resource->name, name) || resource->name.len != department->party.len + 1 + name.len)
            continue;
        for (size_t j = 0; j < yaml_n_items(fields); j++)
            if (str_equal(yaml_text(yaml_get(yaml_item(fields, j), "name")), field))
                return yaml_item(fields, j);
        return item;
    }
    return department->root;
}

enum err hub_department_binding(const struct hub_department *department, const struct hub_resource *resource, struct yaml_node binding,
    struct diag_list *diags, enum hub_binding *ret_kind, struct str *ret_text)
{
    static const char *const keys[] = {"table", "view", "select", NULL};
    if (yaml_is_none(binding) || yaml_kind(binding) != YAML_MAP || yaml_n_items(binding) != 1)
        return yaml_error(yaml_is_none(binding) ? hub_department_field_node(department, resource, STR_NONE) : binding, diags, ERR_SYNTAX,
            "resource \"" STR_FORMAT "\" needs one binding; write bind: {table: …}, {view: …} or {select: \"SELECT …\"}",
            STR_ARG(resource->name));
    enum err err = yaml_check_keys(binding, keys, diags);
    if (err)
        return err;
    struct str text = str_trim(yaml_text(yaml_map_value(binding, 0)));
    enum hub_binding kind = HUB_BIND_TABLE;
    while (!str_equal_c(yaml_text(yaml_map_key(binding, 0)), keys[kind]))
        kind++;
    if (str_is_empty(text) || memchr(text.ptr, '\0', text.len))
        return yaml_error(binding, diags, ERR_SYNTAX, "the binding names nothing; write the table, the view or the SELECT");
    *ret_kind = kind;
    *ret_text = text;
    return ERR_OK;
}

enum err hub_department_wrong(const struct hub_department *department, const struct hub_resource *resource, size_t field,
    struct arena *arena, struct str *wrong, struct diag_list *diags, enum err err, const char *code, const char *more, const char *text)
{
    const struct hub_field *it = &resource->fields[field];
    if (str_is_empty(*wrong) &&
        arena_printf(arena, wrong, "%s|" STR_FORMAT "|" STR_FORMAT "%s", code, STR_ARG(it->name), STR_ARG(resource->name), more))
        return ERR_NO_MEMORY;
    if (!diags)
        return ERR_OK;
    return yaml_error(
        hub_department_field_node(department, resource, it->name), diags, err, "field \"" STR_FORMAT "\" %s", STR_ARG(it->name), text);
}

/* ---- health ---- */

static void tell(struct hub_department *department, enum hub_health health, struct wall_time last_heard, const char *detail)
{
    const struct hub_party *party = hub_party_find(department->hub, department->party);
    struct hub_source source = {
        .party = department->party,
        .source = department->source,
        .area = department->area,
        .title_zh = party ? party->title_zh : STR_NONE,
        .title_en = party ? party->title_en : STR_NONE,
        .health = health,
        .last_heard = last_heard,
        .detail = str_from_c(detail),
    };
    hub_source_report(department->hub, &source);
}

void hub_department_report(struct hub_department *department, enum hub_health health, const char *detail)
{
    struct mono_time now = clock_mono(department->clock);
    struct wall_time wall = clock_wall(department->clock);
    pthread_mutex_lock(&department->lock);
    bool is_first = !department->reported.ns;
    bool is_same = !is_first && health == department->health && (health == HUB_FRESH || strcmp(detail, department->detail) == 0);
    bool is_damped =
        department->health == HUB_STALE && health != HUB_DOWN && !is_first && mono_ms_between(department->stale_since, now) < STALE_MS;
    if (health == HUB_STALE && !is_damped)
        department->stale_since = now;
    is_same = is_same || is_damped;
    bool is_due = !is_same || mono_ms_between(department->reported, now) >= REPORT_MS;
    if (health == HUB_FRESH)
        department->last_heard = wall;
    if (is_due && !is_damped) {
        department->health = health;
        department->reported = now;
        snprintf(department->detail, sizeof department->detail, "%s", detail);
    }
    wall = department->last_heard;
    pthread_mutex_unlock(&department->lock);
    if (!is_same && (!is_first || health != HUB_FRESH)) {
        char english[HUB_DEPARTMENT_DETAIL_MAX + 100];
        hub_detail_english(str_from_c(detail), english, sizeof english);
        log_write(health == HUB_FRESH ? LOG_NOTICE : LOG_WARNING, department->connector,
            health == HUB_FRESH   ? "the department is back"
            : health == HUB_STALE ? "the department answers with errors"
                                  : "the department is down",
            LOG_STR("source", department->source), LOG_TEXT("detail", english), LOG_END);
    }
    if (is_due && !is_damped)
        tell(department, health, wall, detail);
}

void hub_department_heard(struct hub_department *department)
{
    pthread_mutex_lock(&department->lock);
    department->last_heard = clock_wall(department->clock);
    bool is_fresh = department->reported.ns && department->health == HUB_FRESH;
    pthread_mutex_unlock(&department->lock);
    if (is_fresh)
        hub_department_report(department, HUB_FRESH, "");
}

/* ---- figures ---- */

void hub_department_measure_connections(struct metric_page *page, struct str name, uint64_t n)
{
    static const struct metric connections = {
        "citybrain_department_connections", METRIC_GAUGE, "Connections to its system, or requests under way", {"department"}};
    metric_put_count(page, &connections, n, &name);
}
