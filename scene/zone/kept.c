/* The snapshot's way to the disk and back; see kept.h. */
#include "scene/zone/kept.h"

#include "base/log.h"
#include "scene/zone/snapshot.h"

/* Into memory here; sealed and written by the keeper's thread. */
static void write_snapshot(struct zone_kept *kept, const struct zone_core *core)
{
    struct buf *out = scene_keeper_begin(kept->keeper);
    if (out == NULL)
        return; /* the disk is slow: the next tick tries again */
    zone_snapshot_write(core, out);
    scene_keeper_commit(kept->keeper);
    kept->since = clock_mono(kept->clock);
}

void zone_kept_tick(struct zone_kept *kept, const struct zone_core *core)
{
    if (kept->keeper != NULL && mono_ms_between(kept->since, clock_mono(kept->clock)) >= ZONE_KEPT_MS)
        write_snapshot(kept, core);
}

void zone_kept_finish(struct zone_kept *kept, const struct zone_core *core)
{
    if (kept->keeper == NULL)
        return;
    scene_keeper_wait(kept->keeper);
    write_snapshot(kept, core);
    scene_keeper_destroy(kept->keeper);
    kept->keeper = NULL;
}

/* Where nothing lies nothing was counted before: the day is missing until now, of what is handed over anew nobody knows how far back it
 * goes. What cannot be used was the day's, and that is missing. */
static enum err go_on(const char *path, const struct zone_settings *settings, const struct zones *zones, int64_t now_ms, int64_t replay_ms,
    struct zone_core **ret_core)
{
    struct buf bytes;
    struct str body;
    int64_t until_ms = 0;
    buf_init(&bytes, ZONE_SNAPSHOT_MAX + SCENE_SEAL_LEN);
    enum err err = file_read(path, &bytes);
    bool is_there = err != ERR_NOT_FOUND;
    if (err == ERR_OK && !scene_unseal(buf_str(&bytes), &body))
        err = ERR_CORRUPT;
    if (err == ERR_OK)
        err = zone_snapshot_read(body, settings, zones, ret_core, &until_ms);
    bool is_read = err == ERR_OK;
    if (is_there && !is_read)
        log_write(LOG_WARNING, "scene/zone", "the day's figures of the zones begin anew: their snapshot cannot be used",
            LOG_STR("file", str_from_c(path)), LOG_STR("why", str_from_c(err == ERR_STATE ? "it is of other zones" : err_text(err))),
            LOG_END);
    buf_finish(&bytes);
    if (!is_read)
        err = zone_create(settings, zones, ret_core);
    if (err == ERR_OK)
        zone_missed(*ret_core, until_ms > 0 ? until_ms : 0, is_there ? now_ms - replay_ms : now_ms);
    return err;
}

enum err zone_kept_start(struct zone_kept *kept, const struct scene_env *env, const struct zone_settings *settings,
    const struct zones *zones, int64_t replay_ms, struct zone_core **ret_core)
{
    char path[FILE_PATH_MAX];
    *kept = (struct zone_kept){.clock = env->clock, .since = clock_mono(env->clock)};
    enum err err = scene_keeper_path(env->data_dir, "zone", env->party, path);
    if (err == ERR_OK)
        err = go_on(path, settings, zones, clock_wall(env->clock).ms, replay_ms, ret_core);
    if (err != ERR_OK)
        return err;
    err = scene_keeper_create(path, ZONE_SNAPSHOT_MAX, "scene/zone", &kept->keeper);
    if (err == ERR_OK || err == ERR_NO_MEMORY)
        return err;
    log_write(LOG_WARNING, "scene/zone", "no snapshots are kept: after a restart today's figures begin an hour before it",
        LOG_STR("file", str_from_c(path)), LOG_STR("why", str_from_c(err_text(err))), LOG_END);
    return ERR_OK;
}
