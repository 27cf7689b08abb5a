/*
 * The scene's plates in other processes (parts.h): the questions go out over the bus (scene_parts_ops), and while a part does not answer,
 * passages wait and no figure is told. A part that was started anew is asked again what it does not know. One that cannot have it back, or
 * so long a silence that there is no more room to wait, makes the count begin anew: it was told as stale before, and is told again when
 * there is something to tell.
 *
 * With no parts (n 0) everything goes straight to the core, and nothing here is made.
 */
#ifndef SCENE_COUNT_PARTS_LIVE_H
#define SCENE_COUNT_PARTS_LIVE_H

#include "scene/count/parts.h"
#include "scene/scene.h"

struct count_live {
    const struct scene_env *env; /* its bus, loop, party and hub; NULL: no parts */
    struct count *count;
    struct count_map map;
    struct count_settings settings;
    uint32_t n;
    struct count_parts *parts; /* NULL: the plates are here */
    void *link;
    void (*on_updates)(void *context, const struct count_updates *updates);
    void *context;
    int64_t told_ms;                  /* the last tick that was told; INT64_MIN: none */
    struct count_area_figures *stale; /* [n_areas of the map] */
    bool has_tick;                    /* one waits */
    bool is_broken;                   /* the count is to begin anew */
    uint64_t n_begun, n_ticks;
    bool is_silent[COUNT_PARTS_MAX]; /* as it was reported */
    bool is_reported;
};

/* `parts:` of the scene's file, before all else. Every mistake is told; ERR_NOT_FOUND: the key is not there. */
enum err count_live_read(struct yaml_node config, const struct scene_env *env, struct diag_list *diags, struct count_live *live) MUST_CHECK;
/* As many parts as were read, of the party of `env`, which is kept. `count` is not stepped by anybody else. ERR_NO_MEMORY. */
enum err count_live_start(struct count_live *live, const struct scene_env *env, struct count *count, const struct count_map *map,
    const struct count_settings *settings, void (*on_updates)(void *context, const struct count_updates *updates),
    void *context) MUST_CHECK;
void count_live_stop(struct count_live *live); /* harmless when not started */
void count_live_passage(struct count_live *live, const struct count_event *event);
/* Each second: `on_updates` is called at once, or when all parts have answered. When that was longer ago than `stale_after_ms` of the
 * settings, answers what is to be told instead: of no area is anything known, since the last that was told. Otherwise NULL. */
const struct count_area_figures *count_live_tick(struct count_live *live, const struct count_event *event);

#endif
