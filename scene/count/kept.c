/* The scene's state on the disk; see kept.h. */
#include "scene/count/kept.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "scene/count/snapshot.h"

#include <stdio.h>
#include <string.h>

/* ---- devices ---- */

bool count_kept_find(const struct count_kept *kept, struct str name, uint32_t *ret_number)
{
    int64_t known = str_map_find(&kept->cameras, name);
    if (known < 0 || kept->is_old[known])
        return false;
    *ret_number = kept->numbers[known];
    return true;
}

static void place(struct count_kept *kept, uint32_t device, struct str name, uint32_t edge)
{
    uint32_t before = kept->numbers[device];
    uint8_t told = kept->told_at_first;
    if (before != COUNT_NONE) { /* it stood there, and nobody does now; what was told of it is still to be taken back */
        kept->devices[before] = COUNT_NONE;
        told = kept->told[before];
        kept->told[before] = 0;
    }
    kept->numbers[device] = COUNT_NONE;
    if (edge == ROAD_NONE)
        log_write(LOG_WARNING, "scene/count", "a camera watches no road of the network; mend its place or heading", LOG_STR("camera", name),
            LOG_END);
    else if (count_camera_add(kept->count, edge, &kept->numbers[device]) != ERR_OK)
        log_write(LOG_WARNING, "scene/count", "no room for another camera", LOG_STR("camera", name), LOG_END);
    else {
        kept->devices[kept->numbers[device]] = device;
        kept->told[kept->numbers[device]] = told;
    }
}

uint32_t count_kept_place(struct count_kept *kept, struct str name, uint32_t edge)
{
    uint32_t device;
    int64_t known = str_map_find(&kept->cameras, name);
    if (known < 0) {
        if (str_map_add(&kept->cameras, name, &device) != ERR_OK)
            return COUNT_NONE;
        kept->numbers[device] = COUNT_NONE;
        place(kept, device, name, edge);
        return kept->numbers[device];
    }
    kept->is_old[known] = false;
    if (kept->numbers[known] == COUNT_NONE || edge != count_camera_edge(kept->count, kept->numbers[known]))
        place(kept, (uint32_t)known, name, edge);
    return kept->numbers[known];
}

struct str count_kept_name(const struct count_kept *kept, uint32_t camera)
{
    return kept->devices[camera] != COUNT_NONE ? str_map_key(&kept->cameras, kept->devices[camera]) : STR_NONE;
}

/* By our clock it has not come yet: it came before that clock was set back, and a count of that time is no more. */
static bool is_ahead(struct count_kept *kept, int64_t arrived_ms)
{
    return arrived_ms > clock_wall(kept->clock).ms + kept->ahead_max_ms;
}

bool count_kept_was_taken(struct count_kept *kept, int64_t arrived_ms)
{
    if (arrived_ms < 0)
        return false; /* the core refuses it */
    if (is_ahead(kept, arrived_ms)) {
        kept->n_ahead++;
        if ((kept->n_ahead & (kept->n_ahead - 1)) == 0)
            log_write(LOG_WARNING, "scene/count", "passages that arrived in the future are left out: a clock was ahead, or is",
                LOG_INT("passages", (int64_t)kept->n_ahead), LOG_END);
        return true;
    }
    return count_place_was_taken(&kept->resume, arrived_ms);
}

void count_kept_take(struct count_kept *kept, int64_t arrived_ms)
{
    if (arrived_ms >= 0)
        count_place_take(&kept->place, arrived_ms);
}

/* ---- onto the disk ---- */

static struct count_resume_camera camera_of(void *context, uint32_t camera)
{
    const struct count_kept *kept = context;
    return (struct count_resume_camera){count_kept_name(kept, camera), kept->told[camera]};
}

void count_kept_write(struct count_kept *kept, const struct count_parts_mark *mark)
{
    struct buf *out = kept->keeper != NULL ? scene_keeper_begin(kept->keeper) : NULL;
    if (out == NULL)
        return;
    struct buf extra;
    buf_init(&extra, COUNT_SNAPSHOT_MAX);
    count_resume_write(&kept->place, mark, count_n_cameras(kept->count), camera_of, kept, &extra);
    if (extra.err == ERR_OK)
        count_snapshot_write(kept->count, buf_str(&extra), out);
    else
        out->err = extra.err;
    buf_finish(&extra);
    scene_keeper_commit(kept->keeper);
    kept->writing = *mark;
    kept->is_writing = true;
}

/* What is on the disk. False: more is on its way there. */
static bool look_at_disk(struct count_kept *kept)
{
    enum err err = ERR_OK;
    if (kept->keeper == NULL || !kept->is_writing)
        return true;
    if (!scene_keeper_is_idle(kept->keeper, &err))
        return false;
    kept->is_writing = false;
    if (err == ERR_OK)
        kept->held = kept->writing;
    return true;
}

bool count_kept_tick(struct count_kept *kept, bool is_urgent)
{
    uint64_t n_resets = count_counters(kept->count)->n_resets;
    if (n_resets != kept->n_resets) { /* the clock was set back: what was taken, and what had been, is of a time that has not come */
        kept->n_resets = n_resets;
        kept->place = kept->resume = COUNT_PLACE_NONE;
        log_write(LOG_WARNING, "scene/count", "the clock was set back: the count begins anew", LOG_END);
    }
    if (!look_at_disk(kept) || (!is_urgent && mono_ms_between(kept->since, clock_mono(kept->clock)) < kept->keep_ms))
        return false; /* where the disk is slow the next tick tries again */
    kept->since = clock_mono(kept->clock);
    return true;
}

const struct count_parts_mark *count_kept_from(const struct count_kept *kept)
{
    return kept->held.n > 0 ? &kept->held : NULL;
}

void count_kept_finish(struct count_kept *kept)
{
    if (kept->keeper != NULL) {
        scene_keeper_wait(kept->keeper);
        if (kept->n_parts == 0)
            count_kept_write(kept, &(struct count_parts_mark){.n = 0});
        scene_keeper_destroy(kept->keeper);
    }
    count_destroy(kept->count);
    str_map_finish(&kept->cameras);
    mem_free(kept->numbers);
    mem_free(kept->devices);
    mem_free(kept->is_old);
    mem_free(kept->told);
    *kept = (struct count_kept){.count = NULL};
}

/* ---- and back ---- */

static enum err on_camera(void *context, uint32_t camera, struct count_resume_camera known)
{
    struct count_kept *kept = context;
    uint32_t device;
    kept->devices[camera] = COUNT_NONE;
    if (str_is_empty(known.name))
        return ERR_OK;
    if (str_map_find(&kept->cameras, known.name) >= 0)
        return ERR_CORRUPT;
    enum err err = str_map_add(&kept->cameras, known.name, &device);
    if (err != ERR_OK)
        return err;
    kept->numbers[device] = camera;
    kept->devices[camera] = device;
    kept->is_old[device] = true;
    kept->told[camera] = known.told;
    return ERR_OK;
}

/* No camera, no passage. Names of devices come over the wire: their order in the table must not be foreseeable. */
static void forget_cameras(struct count_kept *kept)
{
    str_map_finish(&kept->cameras);
    str_map_init(&kept->cameras, COUNT_CAMERA_NAMES_MAX, (uint64_t)clock_mono(kept->clock).ns);
    memset(kept->is_old, 0, COUNT_CAMERA_NAMES_MAX);
    memset(kept->told, 0, COUNT_CAMERA_NAMES_MAX);
    kept->place = kept->resume = COUNT_PLACE_NONE;
}

static enum err go_on(struct count_kept *kept, const char *path, const struct count_settings *settings, const struct count_map *map)
{
    struct buf bytes;
    struct diag diag = {""};
    struct str extra;
    buf_init(&bytes, COUNT_SNAPSHOT_MAX);
    enum err err = file_read(path, &bytes);
    bool is_there = err != ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = count_snapshot_read(buf_str(&bytes), settings, map, &diag, &extra, &kept->count);
    if (err == ERR_OK)
        err = count_resume_read(extra, count_n_cameras(kept->count), &kept->place, &kept->held, on_camera, kept);
    if (err == ERR_OK && kept->held.n != kept->n_parts)
        err = diag_set(&diag, ERR_STATE, NULL, 0,
            "its plates were in %u parts (0: in this process), and are to be in %u; what came in the last hour is counted again",
            kept->held.n, kept->n_parts);
    if (err == ERR_OK && is_ahead(kept, kept->place.arrived_ms))
        err = diag_set(&diag, ERR_STATE, NULL, 0, "it was made by a clock that was ahead");
    if (err == ERR_OK) {
        kept->resume = kept->place;
        kept->n_resets = count_counters(kept->count)->n_resets;
        log_write(LOG_NOTICE, "scene/count", "the count goes on from its snapshot",
            LOG_INT("vehicles", (int64_t)count_known_vehicles(kept->count)->n_known), LOG_INT("parts", kept->n_parts), LOG_END);
    } else if (is_there) {
        log_write(LOG_WARNING, "scene/count", "the count begins anew: its snapshot cannot be used", LOG_STR("file", str_from_c(path)),
            LOG_STR("why", str_from_c(diag.text[0] != 0 ? diag.text : err_text(err))), LOG_END);
    }
    buf_finish(&bytes);
    if (err == ERR_OK)
        return ERR_OK;
    count_destroy(kept->count);
    kept->count = NULL;
    kept->held = (struct count_parts_mark){.n = 0};
    forget_cameras(kept);
    kept->told_at_first = is_there ? COUNT_TOLD_UNKNOWN : 0;
    return count_create(settings, map, &kept->count);
}

enum err count_kept_start(struct count_kept *kept, const struct scene_env *env, uint32_t n_parts, int64_t keep_ms,
    const struct count_settings *settings, const struct count_map *map, struct count **ret_count)
{
    char path[FILE_PATH_MAX];
    *kept = (struct count_kept){.clock = env->clock, .ahead_max_ms = settings->late_max_ms, .n_parts = n_parts, .keep_ms = keep_ms};
    kept->numbers = mem_alloc_zero(COUNT_CAMERA_NAMES_MAX, sizeof(*kept->numbers));
    kept->devices = mem_alloc_zero(COUNT_CAMERA_NAMES_MAX, sizeof(*kept->devices));
    kept->is_old = mem_alloc_zero(COUNT_CAMERA_NAMES_MAX, sizeof(*kept->is_old));
    kept->told = mem_alloc_zero(COUNT_CAMERA_NAMES_MAX, sizeof(*kept->told));
    if (kept->numbers == NULL || kept->devices == NULL || kept->is_old == NULL || kept->told == NULL)
        return ERR_NO_MEMORY;
    forget_cameras(kept);
    kept->since = clock_mono(kept->clock);
    if (env->data_dir == NULL) {
        enum err err = count_create(settings, map, &kept->count);
        *ret_count = kept->count;
        return err;
    }
    enum err err = scene_keeper_path(env->data_dir, "count", env->party, path);
    if (err == ERR_OK)
        err = go_on(kept, path, settings, map);
    if (err != ERR_OK)
        return err;
    *ret_count = kept->count;
    err = scene_keeper_create(path, COUNT_SNAPSHOT_MAX, "scene/count", &kept->keeper);
    if (err == ERR_OK || err == ERR_NO_MEMORY)
        return err;
    log_write(LOG_WARNING, "scene/count", "no snapshots are kept", LOG_STR("file", str_from_c(path)),
        LOG_STR("why", str_from_c(err_text(err))), LOG_END);
    return ERR_OK;
}
