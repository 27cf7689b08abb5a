/*
 * Who looks at cases, told at once when one that they may see has changed: server-sent events, so that a screen need not ask again and
 * again.
 *
 * An event says no more than that: `changed`, {"time":…}. What has changed the screen reads by the ordinary way, under the ordinary rules.
 * Many changes within half a second are one event. `ping` comes at first and every 10 seconds.
 */
#ifndef BUSINESS_CASE_LIVE_H
#define BUSINESS_CASE_LIVE_H

#include "business/case/store.h"
#include "http/server.h"

#define CASE_CHANGES_MAX 16 /* of one write; past it everybody is told */

/* What a write has changed, as far as it decides who may see it: filled while it is written, told when it is on disk. */
struct case_changes {
    size_t n;
    bool is_many;
    struct case_change {
        char area[72], party[136], owner[136]; /* names have at most 64 bytes a part */
        bool is_private;
    } at[CASE_CHANGES_MAX];
};

void case_changes_add(struct case_changes *changes, const struct case_record *record);

struct case_live;
enum err case_live_create(struct case_live **ret_live) MUST_CHECK;
void case_live_destroy(struct case_live *live); /* takes NULL; when the doors are closed */
/* Answers with the stream, or refuses by itself. On the exchange's loop; strings of `who` are copied. */
void case_live_open(struct case_live *live, struct http_exchange *x, const struct case_viewer *who);
void case_live_tell(struct case_live *live, const struct case_changes *changes); /* any thread */

#endif
