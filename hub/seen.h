/*
 * Whom the rows of a use were about, where it has no key to tell: queries and subscriptions.
 *
 * The intent leaf of a call by key says whom it is about, as a pseudonym. Of a query or a window of a stream nobody knows before the rows
 * come, and a list of pseudonyms in a public ledger would tell strangers who was seen together. So the hub takes note for itself, for who
 * asks about their own data (hub/uses.h): pseudonyms of the day and the number of the intent leaf, never a key.
 */
#ifndef HUB_SEEN_H
#define HUB_SEEN_H

#include "base/buf.h"
#include "base/value.h"
#include "hub/hub.h"

#define HUB_SUBJECTS_MAX 8 /* keys of one person, and personal keys that one use is asked by: plate, licence, … */

/* Personal keys of one use, each alone as canonical JSON: {"plate":"…"}. */
struct hub_subjects {
    struct str json[HUB_SUBJECTS_MAX]; /* in `text`, once they are read */
    size_t n, ends[HUB_SUBJECTS_MAX];
    struct buf text;
};
void hub_subjects_init(struct hub_subjects *subjects);
/* Those that are not personal, are NULL or are past HUB_SUBJECTS_MAX are passed over. */
void hub_subjects_add(struct hub_subjects *subjects, const struct hub_field *field, struct value value);
/* Sets `json`. ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err hub_subjects_read(struct hub_subjects *subjects) MUST_CHECK;
void hub_subjects_finish(struct hub_subjects *subjects);

#define HUB_SEEN_BYTES 16   /* of a pseudonym */
#define HUB_SEEN_MAX 100000 /* of one use; past it they are counted as not noted (citybrain_uses_unnoted_subjects_total) */

/* Gathers for one use. Zeroed: gathers nothing. */
struct hub_seen_subjects {
    struct hub *hub;                     /* NULL: nobody listens, or nothing here is personal */
    uint8_t (*subjects)[HUB_SEEN_BYTES]; /* owned */
    size_t n, cap;
    uint64_t n_unnoted;
    struct wall_time now; /* of the intent: its day's key makes the pseudonyms */
};

/* Who takes note. */
struct hub_uses;
struct hub_noting {
    struct hub_uses *uses; /* NULL: nobody does */
    /* Any thread, under hub->waiting_lock; waits for no disk; `subjects` are borrowed. */
    void (*note)(struct hub_uses *uses, uint64_t intent, uint8_t (*subjects)[HUB_SEEN_BYTES], size_t n, uint64_t n_unnoted);
};

/* Does a row with this field tell whom it is about? A personal key; of a stream any personal field, as streams have no keys. */
bool hub_seen_tells(const struct hub_resource *resource, const struct hub_field *field);
void hub_seen_init(struct hub_seen_subjects *seen, struct hub *hub, struct wall_time now);
/* The value stands in a row, or was asked for, in a field that tells. What has no canonical JSON of its own (NULL) is nobody. */
void hub_seen_add(struct hub_seen_subjects *seen, const struct hub_field *field, struct value value);
/* Hands over what was gathered as being of this intent. Any thread; waits for no disk. */
void hub_seen_tell(struct hub_seen_subjects *seen, uint64_t intent);
void hub_seen_finish(struct hub_seen_subjects *seen); /* frees what was not told */

#endif
