/*
 * What the scene keeps over a restart: what its core knows of the day, in DATA/zone/PARTY.snapshot, written each ZONE_KEPT_MS and at the
 * end.
 */
#ifndef SCENE_ZONE_KEPT_H
#define SCENE_ZONE_KEPT_H

#include "scene/keeper.h"
#include "scene/scene.h"
#include "scene/zone/core.h"

#define ZONE_KEPT_MS 60000 /* far within what the stream is replayed of */

struct zone_kept {
    struct clock *clock;
    struct scene_keeper *keeper; /* NULL: there is no folder for it */
    struct mono_time since;      /* the last snapshot */
};

/* The core as it was stopped, or a new one where there is no snapshot that fits; why it does not is logged. `replay_ms`: of what came
 * before the start as much is handed over anew; what is missing before it the core is told. ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err zone_kept_start(struct zone_kept *kept, const struct scene_env *env, const struct zone_settings *settings,
    const struct zones *zones, int64_t replay_ms, struct zone_core **ret_core) MUST_CHECK;
void zone_kept_tick(struct zone_kept *kept, const struct zone_core *core); /* each second */
/* Writes the last snapshot and waits for it. Also of what was never started. */
void zone_kept_finish(struct zone_kept *kept, const struct zone_core *core);

#endif
