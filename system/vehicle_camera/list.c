/* Opens the journal as the door does, opens each record with the door's key, hands out its passages. */
#include "system/vehicle_camera/list.h"

#include "base/crypto.h"
#include "base/journal.h"
#include "system/vehicle_camera/record.h"

#include <stdio.h>
#include <unistd.h>

struct listing {
    uint8_t master[32];
    struct seal_key key;
    struct buf plain;
    bool (*fn)(void *context, const struct passage *passage);
    void *context;
    uint64_t index; /* of the record in hand, for the error */
    enum err err;
};

static bool list_record(void *context, uint64_t index, struct str record)
{
    struct listing *listing = context;
    struct record_head head;
    struct bytes_reader reader;
    listing->index = index;
    listing->err = record_open(record, listing->master, &listing->key, &listing->plain, &head, &reader);
    for (uint32_t i = 0; i < head.n && listing->err == ERR_OK; i++) {
        struct passage passage = {.lane = -1};
        listing->err = record_next(&reader, &head, &passage);
        if (listing->err == ERR_OK && !listing->fn(listing->context, &passage))
            return false;
    }
    return listing->err == ERR_OK;
}

enum err vehicle_camera_list(
    const char *data_dir, struct diag *diag, bool (*fn)(void *context, const struct passage *passage), void *context)
{
    char key_path[512], dir[512];
    struct journal *journal = NULL;
    struct listing listing = {.fn = fn, .context = context};
    if (snprintf(key_path, sizeof(key_path), "%s/secrets/journal", data_dir) >= (int)sizeof(key_path) ||
        snprintf(dir, sizeof(dir), "%s/passages", data_dir) >= (int)sizeof(dir))
        return diag_set(diag, ERR_TOO_LARGE, data_dir, 0, "the path is too long; give a shorter one");
    if (access(key_path, R_OK) != 0)
        return diag_set(
            diag, ERR_NOT_FOUND, key_path, 0, "there is no key, so nothing was ever stored here; give the brain's own --data folder");
    enum err err = crypto_key_file(key_path, listing.master);
    if (err != ERR_OK)
        return diag_set(diag, err, key_path, 0, "the key cannot be read: %s", err_text(err));
    struct journal_options options = {.dir = dir, .record_max_bytes = RECORD_SIZE_MAX};
    err = journal_open(&options, diag, &journal);
    if (err == ERR_OK) {
        buf_init(&listing.plain, RECORD_SIZE_MAX);
        err = journal_read(journal, journal_first_index(journal), list_record, &listing);
        if (err == ERR_OK && listing.err != ERR_OK)
            err = diag_set(
                diag, listing.err, dir, 0, "record %llu cannot be opened: %s", (unsigned long long)listing.index, err_text(listing.err));
        buf_finish(&listing.plain);
        journal_close(journal);
    }
    crypto_wipe(&listing, sizeof(listing));
    return err;
}
