/* One scene: one file, one thread, one subscription a need, one tick a second. */
#include "brain/scenes.h"

#include "base/log.h"
#include "base/mem.h"
#include "brain/count_bus.h"
#include "brain/files.h"
#include "hub/keep.h"
#include "hub/need.h"
#include "scene/census/scene.h"
#include "scene/count/scene.h"
#include "scene/zone/scene.h"

#include <stddef.h>
#include <string.h>

#define TICK_MS 1000

const struct scene_ops *const scenes_known[] = {&scene_count_ops, &scene_census_ops, &scene_zone_ops, NULL};

struct scene_host;

struct scene_input { /* one need, subscribed */
    struct scene_host *host;
    size_t need;
    struct str resource;
    struct hub_keep *keep;
};

struct scene_host {
    struct scenes *scenes;
    const struct scene_ops *ops;
    struct yaml *yaml;
    struct scene_env env;
    struct loop_thread *thread;
    void *scene; /* NULL: not started */
    struct scene_input inputs[SCENE_NEEDS_MAX];
    size_t n_inputs;
    struct loop_timer tick;
    struct diag_list *diags; /* during the start */
    enum err err;
};

struct scenes {
    struct hub *hub;
    const struct city *city;
    struct clock *clock;
    struct bus_peer *peer; /* NULL: there is no bus */
    struct diag_list *diags;
    bool check_only;
    enum err check_err; /* the first; a check goes on */
    size_t n;
    struct scene_host hosts[SCENES_MAX];
};

static const struct scene_ops *find_ops(struct str name)
{
    for (size_t i = 0; scenes_known[i]; i++)
        if (str_equal_c(name, scenes_known[i]->name))
            return scenes_known[i];
    return NULL;
}

static void on_rows(void *context, const struct hub_window *window, struct rows *rows)
{
    struct scene_input *input = context;
    input->host->ops->on_event(input->host->scene, input->need, window, rows);
}

static void on_tick(struct loop_timer *timer)
{
    struct scene_host *host = container_of(timer, struct scene_host, tick);
    host->ops->on_tick(host->scene, clock_wall(host->env.clock));
    enum err err = loop_timer_start(timer->loop, timer, TICK_MS);
    if (err != ERR_OK)
        log_write(LOG_ERROR, "scene", "the tick stopped", LOG_TEXT("scene", host->ops->name), LOG_ERR(err), LOG_END);
}

/* What may be left out, and was, is not. */
static bool is_needed(const struct scene_need *need, struct yaml_node needs)
{
    return !need->is_optional || !yaml_is_none(yaml_get(needs, need->name));
}

static enum err subscribe(struct scene_host *host, size_t need_at)
{
    const struct scene_need *need = &host->ops->needs[need_at];
    struct str fields[HUB_FIELDS_MAX];
    size_t n_fields = 0;
    struct hub_refusal refusal = {0};
    struct scene_input *input = &host->inputs[host->n_inputs];
    struct yaml_node needs = yaml_get(yaml_root(host->yaml), "needs");
    *input = (struct scene_input){.host = host, .need = need_at};
    enum err err = yaml_get_str(needs, need->name, true, host->diags, &input->resource);
    if (err != ERR_OK)
        return err;
    for (; need->fields[n_fields]; n_fields++)
        fields[n_fields] = str_from_c(need->fields[n_fields]);
    struct hub_subscribe_options options = {.party = host->env.party,
        .resource = input->resource,
        .purpose = str_from_c(need->purpose),
        .fields = fields,
        .n_fields = n_fields,
        .loop = host->env.loop,
        .when_full = BUS_REFUSE,
        .on_rows = on_rows,
        .context = input};
    if (need->replay_ms > 0)
        options.from_ms = clock_wall(host->env.clock).ms - need->replay_ms;
    err = hub_keep_start(host->env.hub, &options, &refusal, &input->keep);
    if (err == ERR_OK)
        host->n_inputs++;
    else
        yaml_error(yaml_get(needs, need->name), host->diags, err,
            STR_FORMAT " may not use " STR_FORMAT " for %s (rule %d); it needs an agreed contract in contracts/", STR_ARG(host->env.party),
            STR_ARG(input->resource), need->purpose, refusal.rule);
    return err;
}

/* On the scene's own thread. */
static void start_on_loop(void *context)
{
    struct scene_host *host = context;
    host->err = host->ops->start(&host->env, yaml_root(host->yaml), host->diags, &host->scene);
    for (size_t i = 0; i < host->ops->n_needs && host->err == ERR_OK; i++)
        if (is_needed(&host->ops->needs[i], yaml_get(yaml_root(host->yaml), "needs")))
            host->err = subscribe(host, i);
    if (host->err == ERR_OK)
        host->err = loop_timer_start(host->env.loop, &host->tick, TICK_MS);
}

/* A key under `needs:` that the scene does not know would be a contract that nobody uses. */
static enum err check_needs(const struct scene_ops *ops, struct yaml_node needs, struct diag_list *diags)
{
    const char *names[SCENE_NEEDS_MAX + 1] = {NULL};
    struct str resource;
    enum err err = ERR_OK;
    for (size_t i = 0; i < ops->n_needs; i++) {
        names[i] = ops->needs[i].name;
        enum err one = is_needed(&ops->needs[i], needs) ? yaml_get_str(needs, names[i], true, diags, &resource) : ERR_OK;
        err = err != ERR_OK ? err : one;
    }
    enum err one = yaml_is_none(needs) ? ERR_OK : yaml_check_keys(needs, names, diags);
    return err != ERR_OK ? err : one;
}

static enum err read_file(struct scene_host *host, const char *path, struct diag_list *diags)
{
    struct str name;
    enum err err = yaml_load_file(path, diags, &host->yaml);
    if (err != ERR_OK)
        return err;
    struct yaml_node root = yaml_root(host->yaml);
    if ((err = yaml_get_str(root, "scene", true, diags, &name)) != ERR_OK ||
        (err = yaml_get_str(root, "party", true, diags, &host->env.party)) != ERR_OK)
        return err;
    host->ops = find_ops(name);
    if (!host->ops)
        return yaml_error(yaml_get(root, "scene"), diags, ERR_NOT_FOUND,
            "no scene is called \"" STR_FORMAT "\" here; see scene/ for those there are", STR_ARG(name));
    if (host->ops->n_needs > SCENE_NEEDS_MAX)
        return yaml_error(root, diags, ERR_FULL, "a scene has at most %d needs", SCENE_NEEDS_MAX);
    struct yaml_node needs = yaml_get(root, "needs");
    if (host->ops->n_needs > 0 && yaml_is_none(needs))
        return yaml_error(root, diags, ERR_NOT_FOUND, "the scene names nothing that it needs; add needs: {%s: AREA/PARTY/NAME}",
            host->ops->needs[0].name);
    return check_needs(host->ops, needs, diags);
}

static struct scene_env env_of(const struct scenes *scenes, struct str party)
{
    return (struct scene_env){.hub = scenes->hub,
        .clock = scenes->clock,
        .zone = scenes->city->zone,
        .city_dir = scenes->city->dir,
        .data_dir = scenes->city->data_dir,
        .party = party,
        .check_only = scenes->check_only,
        .parts = scenes->peer != NULL ? &count_bus_ops : NULL,
        .parts_context = scenes->peer};
}

/* What start_on_loop() would say of the file. */
static enum err check_one(struct scenes *scenes, struct scene_host *host)
{
    struct yaml_node root = yaml_root(host->yaml), needs = yaml_get(root, "needs");
    host->env = env_of(scenes, host->env.party);
    enum err err = host->ops->start(&host->env, root, scenes->diags, &host->scene);
    for (size_t i = 0; i < host->ops->n_needs && scenes->hub; i++) {
        const struct scene_need *need = &host->ops->needs[i];
        if (!is_needed(need, needs))
            continue;
        struct hub_need wanted = {.party = host->env.party,
            .resource = yaml_text(yaml_get(needs, need->name)),
            .purpose = str_from_c(need->purpose),
            .kind = HUB_STREAM,
            .fields = need->fields};
        while (need->fields[wanted.n_fields])
            wanted.n_fields++;
        enum err one = hub_need_check(scenes->hub, &wanted, yaml_get(needs, need->name), scenes->diags);
        err = err != ERR_OK ? err : one;
    }
    return err;
}

static enum err start_one(struct scenes *scenes, const char *path)
{
    if (scenes->n == SCENES_MAX)
        return diag_add(scenes->diags, ERR_FULL, path, 0, "more than %d scenes; run the others in a second brain", SCENES_MAX);
    struct scene_host *host = &scenes->hosts[scenes->n++];
    *host = (struct scene_host){.scenes = scenes, .diags = scenes->diags, .tick = {.fn = on_tick}};
    enum err err = read_file(host, path, scenes->diags);
    if (err != ERR_OK)
        return err;
    if (scenes->check_only)
        return check_one(scenes, host);
    char name[16];
    snprintf(name, sizeof(name), "%.15s", host->ops->name);
    err = loop_thread_start(scenes->clock, name, &host->thread);
    if (err != ERR_OK)
        return err;
    host->env = env_of(scenes, host->env.party);
    host->env.loop = loop_thread_loop(host->thread);
    loop_thread_call(host->thread, start_on_loop, host);
    return host->err;
}

static enum err visit(void *context, const char *path)
{
    struct scenes *scenes = context;
    enum err err = start_one(scenes, path);
    if (!scenes->check_only)
        return err;
    scenes->check_err = scenes->check_err != ERR_OK ? scenes->check_err : err;
    return ERR_OK; /* the next file has its mistakes, too */
}

static enum err start_all(struct scenes *scenes)
{
    char folder[CITY_PATH_MAX];
    enum err err = city_path(scenes->city->dir, "scenes", folder);
    return err == ERR_OK ? files_each(folder, ".yaml", visit, scenes) : err;
}

enum err scenes_start(struct hub *hub, const struct city *city, struct clock *clock, struct bus_peer *peer, struct diag_list *diags,
    struct scenes **ret_scenes)
{
    struct scenes *scenes = mem_alloc_zero(1, sizeof(*scenes));
    if (!scenes)
        return ERR_NO_MEMORY;
    *scenes = (struct scenes){.hub = hub, .city = city, .clock = clock, .peer = peer, .diags = diags};
    enum err err = start_all(scenes);
    *ret_scenes = scenes; /* also what did not start whole is the caller's: its loops must outlive the ledger */
    return err;
}

static void stop_on_loop(void *context)
{
    struct scene_host *host = context;
    loop_timer_stop(&host->tick);
    for (size_t i = 0; i < host->n_inputs; i++)
        hub_keep_stop(host->inputs[i].keep);
    host->n_inputs = 0;
    if (host->scene)
        host->ops->stop(host->scene);
    host->scene = NULL;
}

void scenes_stop(struct scenes *scenes)
{
    for (size_t i = 0; scenes && i < scenes->n; i++)
        if (scenes->hosts[i].thread)
            loop_thread_call(scenes->hosts[i].thread, stop_on_loop, &scenes->hosts[i]);
}

static void nothing(void *context) {}

void scenes_settle(struct scenes *scenes)
{
    for (size_t i = 0; scenes && i < scenes->n; i++)
        if (scenes->hosts[i].thread)
            loop_thread_call(scenes->hosts[i].thread, nothing, NULL);
}

void scenes_measure(const struct scenes *scenes, struct metric_page *page)
{
    for (size_t i = 0; scenes && i < scenes->n; i++)
        if (scenes->hosts[i].scene && scenes->hosts[i].ops->measure)
            scenes->hosts[i].ops->measure(scenes->hosts[i].scene, page);
}

void scenes_destroy(struct scenes *scenes)
{
    if (!scenes)
        return;
    for (size_t i = 0; i < scenes->n; i++) {
        loop_thread_stop(scenes->hosts[i].thread);
        yaml_destroy(scenes->hosts[i].yaml);
    }
    mem_free(scenes);
}

enum err scenes_check(struct hub *hub, const struct city *city, struct diag_list *diags)
{
    struct scenes *scenes = mem_alloc_zero(1, sizeof(*scenes));
    if (!scenes)
        return ERR_NO_MEMORY;
    *scenes = (struct scenes){.hub = hub, .city = city, .clock = clock_system(), .diags = diags, .check_only = true};
    enum err err = start_all(scenes);
    err = err != ERR_OK ? err : scenes->check_err;
    scenes_destroy(scenes);
    return err;
}
