/*
 * Which entries are old enough. See ledger/retention.h.
 */
#include "ledger/retention.h"

#include "ledger/tile.h"

#include <errno.h>
#include <sys/stat.h>

static enum err bundle_time(const char *static_dir, uint64_t n, struct wall_time *ret_time)
{
    char path[FILE_PATH_MAX];
    struct stat status;
    enum err err = tile_path(path, static_dir, TILE_ENTRIES, n, MERKLE_TILE);
    if (err)
        return err;
    if (stat(path, &status) != 0)
        return err_from_errno(errno);
    *ret_time = (struct wall_time){(int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000};
    return ERR_OK;
}

enum err retention_minimum(const char *static_dir, uint64_t size, struct wall_time since, uint64_t *ret_index)
{
    uint64_t low = 0, high = size / MERKLE_TILE; /* bundles below `low` are older, those from `high` on are not */
    while (low < high) {
        struct wall_time time;
        uint64_t middle = low + (high - low) / 2;
        enum err err = bundle_time(static_dir, middle, &time);
        if (err)
            return err;
        if (time.ms < since.ms)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_index = low * MERKLE_TILE;
    return ERR_OK;
}

bool retention_is_pruned(struct str path, uint64_t minimum)
{
    struct str head = STR_INIT("entries/"), group, rest;
    uint64_t n = 0, part;
    if (!str_starts_with(path, head))
        return false;
    rest = str_slice(path, head.len, path.len);
    if (rest.len == 0)
        return false;
    while (rest.len > 0) {
        if (!str_cut(rest, '/', &group, &rest)) {
            group = rest;
            rest = STR_NONE;
        }
        if (group.len == 4 && group.ptr[0] == 'x')
            group = str_slice(group, 1, 3);
        if (group.len != 3 || str_to_u64(group, &part) || n > UINT64_MAX / MERKLE_TILE / 1000 - 1)
            return false; /* a partial bundle, or no bundle at all */
        n = n * 1000 + part;
    }
    return (n + 1) * MERKLE_TILE <= minimum;
}
