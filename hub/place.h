/*
 * Places in a stream that is subscribed from afar: whoever asks numbers what it has, whoever gives numbers what it keeps (hub/record.h),
 * and a record that comes twice is known by its number. Pure: no clock, no disk; over the bus (system/bus) and between hubs (district) it
 * is the same.
 *
 * What was handed over is confirmed HUB_PLACE_CONFIRM_MS later, so that subscribers have that long to write down what they took. When the
 * process that asks is killed, the next one gets from the last confirmation on.
 *
 * Each life of a record has an epoch. A copy of an older day gives numbers anew that the asker has had for others: from where the copy was
 * made on they are not the same, and so they are not skipped.
 */
#ifndef HUB_PLACE_H
#define HUB_PLACE_H

#include <stddef.h>
#include <stdint.h>

#define HUB_PLACE_CONFIRM_MS 2000

/* ---- of who asks ---- */
struct hub_place {
    uint64_t epoch, next;       /* to be asked for; epoch 0: nothing is known yet */
    uint64_t confirmed, marked; /* `marked`: what had been handed over at `marked_ms` */
    int64_t marked_ms;
};
/* Before the next asking, when all that came is handed over. */
void hub_place_confirm(struct hub_place *place, int64_t now_ms);
/* An answer with `n` records from `first` on: *ret_skip of them came before, the others are taken, each with `place->next++`. Returns how
 * many are not there any more that nobody has had. */
uint64_t hub_place_answer(struct hub_place *place, uint64_t epoch, uint64_t first, size_t n, size_t *ret_skip);

/* ---- of who gives ---- */
struct hub_place_kept {
    uint64_t epoch, first, end; /* [first, end) are there */
    uint64_t confirmed;         /* by this asker, of this epoch; UINT64_MAX: never, it begins with what comes */
    uint64_t agreed;            /* up to where the numbers of the epoch that was asked with are these (hub_record_agreed()); 0: not known */
};
enum hub_place_give {
    HUB_PLACE_READ,  /* from *ret_from on */
    HUB_PLACE_WAIT,  /* there is nothing yet */
    HUB_PLACE_TELL,  /* it asks by another numbering: that it goes on at *ret_from, where it was as far as the two agree; also when that is
                        dropped: it asks from there then, and sees by the answer how many are gone */
    HUB_PLACE_RENEW, /* numbers past the end were given, so the disk is of an older day: a new epoch, then ask again */
};
enum hub_place_give hub_place_give(const struct hub_place_kept *kept, uint64_t epoch, uint64_t from, uint64_t *ret_from);

#endif
