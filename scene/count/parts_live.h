/*
 * The scene's plates in other processes (parts.h): the questions go out over the bus (scene_parts_ops), and while a part does not answer,
 * passages wait and no figure is told. A part that was started anew is asked again what it does not know. One that cannot have it back, or
 * so long a silence that there is no more room to wait, makes the count begin anew: it was told as stale before, and is told again when
 * there is something to tell.
 *
 * With a mark to go on from, the parts go on with what they kept at it. Where one cannot, the count begins anew, too.
 *
 * With no parts (n 0) everything goes straight to the core, and nothing here is made.
 */
#ifndef SCENE_COUNT_PARTS_LIVE_H
#define SCENE_COUNT_PARTS_LIVE_H

#include "scene/count/parts.h"
#include "scene/scene.h"

struct count_live_options {
    const struct scene_env *env; /* its bus, loop, party and hub; kept */
    struct count *count;         /* not stepped by anybody else; kept */
    const struct count_map *map;
    const struct count_settings *settings;
    const struct count_parts_mark *from;                                    /* `count` is as it was then; NULL: it has just been made */
    void (*on_updates)(void *context, const struct count_updates *updates); /* of each tick */
    void (*on_taken)(void *context, const struct count_event *event);       /* a passage is in the sums */
    void (*on_mark)(void *context, const struct count_parts_mark *mark);    /* what the sums are now is to be kept with it (parts.h) */
    void *context;
};

struct count_live {
    struct count_live_options options; /* `map` and `settings` are the two below, `from` is of the first beginning alone */
    struct count_map map;
    struct count_settings settings;
    uint32_t n;
    struct count_parts *parts; /* NULL: the plates are here */
    void *link;
    int64_t told_ms;                  /* the last tick that was told; INT64_MIN: none */
    struct count_area_figures *stale; /* [n_areas of the map] */
    bool has_tick;                    /* one waits */
    bool is_broken;                   /* the count is to begin anew */
    uint64_t n_begun;
    uint64_t n_bare;                 /* marks that not all parts kept, as they were logged */
    bool is_bare[COUNT_PARTS_MAX];   /* as it was logged */
    bool is_silent[COUNT_PARTS_MAX]; /* as it was reported */
    bool is_reported;
};

/* `parts:` of the scene's file, before all else. Every mistake is told; ERR_NOT_FOUND: the key is not there. */
enum err count_live_read(struct yaml_node config, const struct scene_env *env, struct diag_list *diags, struct count_live *live) MUST_CHECK;
/* As many parts as were read, of the party of `env`. ERR_NO_MEMORY. */
enum err count_live_start(struct count_live *live, const struct count_live_options *options) MUST_CHECK;
void count_live_stop(struct count_live *live); /* harmless when not started */
void count_live_passage(struct count_live *live, const struct count_event *event);
/* `on_mark` is called at once, or when all parts have kept themselves; not at all, where one of them does not. `held`: the one that is on
 * the sums' disk, which they hold until then; NULL: none. */
void count_live_mark(struct count_live *live, const struct count_parts_mark *held);
bool count_live_is_full(const struct count_live *live); /* it is time for a mark (parts.h) */
/* Each second: `on_updates` is called at once, or when all parts have answered. When that was longer ago than `stale_after_ms` of the
 * settings, answers what is to be told instead: of no area is anything known, since the last that was told. Otherwise NULL. */
const struct count_area_figures *count_live_tick(struct count_live *live, const struct count_event *event);

#endif
