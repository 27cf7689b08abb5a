/*
 * The truth (真值): how many vehicles are really on the road, by area, pushed to the hub as rows of AREA/world/truth. A resource
 * like any other, under contract; the cockpit shows it beside the count, and the count never sees it.
 *
 * Each second for the screen, each two minutes of the brain's clock for the record. What could not be sent is not sent later: a
 * gap is the truth about a gap.
 */
#ifndef WORLD_TRUTH_H
#define WORLD_TRUTH_H

#include "base/loop.h"
#include "http/client.h"
#include "world/brain_clock.h"
#include "world/city.h"

#define TRUTH_RECORD_MS 120000 /* as the counting scene records (scenes/count.yaml, record_every) */

struct truth;

struct truth_counts {
    uint64_t n_accepted, n_failed; /* messages */
    char why[160];
};

/* Kept: `client`, `city`, `clock`, `brain` and `token_path` ({data}/tokens/CITY_world, made by the brain, read when needed). */
enum err truth_create(struct http_client *client, const struct world_city *city, const char *brain, const struct brain_clock *clock,
    const char *token_path, struct truth **ret_truth) MUST_CHECK;
void truth_destroy(struct truth *truth); /* after the client; takes NULL */
/* `counts` [n_areas] hold at `now`. At most one message is under way; while it is, nothing is sent. */
void truth_publish(struct truth *truth, const uint32_t *counts, struct mono_time now);
void truth_count(const struct truth *truth, struct truth_counts *ret_counts);
/* The message's body; for tests too. */
void truth_write(const struct world_city *city, const uint32_t *counts, struct wall_time time, bool is_record, struct buf *out);

#endif
