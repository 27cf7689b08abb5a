/*
 * The face of a scene (场景): an application that needs contracts, publishes indicators, opens cases. Two scenes meet only as
 * resources on the hub.
 */
#ifndef SCENE_SCENE_H
#define SCENE_SCENE_H

#include "base/metric.h"
#include "base/yaml.h"
#include "hub/hub.h"

/* A scene's further processes, which have a part of its work each, over the bus. On the scene's loop. */
struct scene_parts_options {
    struct str party; /* the scene's; its processes answer */
    struct loop *loop;
    uint32_t n;                                                         /* parts */
    void (*on_answer)(void *context, uint32_t part, struct str answer); /* borrows; may ask again */
    void *context;
};
struct scene_parts_ops {
    enum err (*open)(void *context, const struct scene_parts_options *options, void **ret_parts);
    /* Brings it to the part again and again until it answers, or close(); borrowed until then. Must not block. */
    void (*ask)(void *parts, uint32_t part, struct str question);
    int64_t (*waited_ms)(const void *parts, uint32_t part); /* for how long it has been asked in vain; 0: it is not asked */
    void (*close)(void *parts);                             /* no answer comes after it */
};

struct scene_env {
    struct hub *hub;
    struct loop *loop; /* the scene's own thread: every slot below runs on it, but start and stop, which run with the loop at rest */
    struct clock *clock;
    struct time_zone zone;
    const char *city_dir, *data_dir;
    struct str party; /* "hangzhou/scene.count" */
    /* `citybrain check`: start() reads and checks the file's keys, tells every error, and starts nothing: no loop, no scene. `hub` has only
     * read the city's files then, or is NULL because those have errors; what lies in the data folder is not looked at. */
    bool check_only;
    const struct scene_parts_ops *parts; /* NULL: there is no bus */
    void *parts_context;
};

struct scene_need {
    const char *name;          /* the key under `needs:` of the scene's file, whose value is a resource name */
    const char *purpose;       /* code of the purpose */
    const char *const *fields; /* NULL-terminated, in the order of the rows */
    int64_t replay_ms;         /* of what came before the start */
    bool is_optional;          /* the scene's file may leave it out; then no row of it ever comes */
};

struct scene_ops {
    const char *name; /* "count": the `scene:` of scenes/count.yaml */
    const struct scene_need *needs;
    size_t n_needs;
    /* `config`: the scene's file. Reads what it needs of the disk here, not later. With env->check_only *ret_scene stays untouched. */
    enum err (*start)(const struct scene_env *env, struct yaml_node config, struct diag_list *diags, void **ret_scene);
    /* Rows of the need number `need`; borrows. Must not block. */
    void (*on_event)(void *scene, size_t need, const struct hub_window *window, struct rows *rows);
    /* Every second. Must not block. */
    void (*on_tick)(void *scene, struct wall_time now);
    void (*stop)(void *scene);
    /* The scene's figures for who operates it; NULL: it has none. Any thread, between start() and stop(): what it reads the scene left in
     * atomics. Must not block. */
    void (*measure)(const void *scene, struct metric_page *page);
};

#endif
