/*
 * The usual day on disk: what usual.h has learned, and what is abnormal, in a SQLite file of the scene's own. Read once at the start;
 * written when a quarter of an hour has ended (one row of it, for all roads) and when a road becomes abnormal or ceases to be, on a thread
 * of its own.
 *
 * Nobody was told that a quarter is learned, so a write that fails is logged and forgotten: the quarter is one day poorer after a restart.
 */
#ifndef SCENE_COUNT_USUAL_STORE_H
#define SCENE_COUNT_USUAL_STORE_H

#include "base/diag.h"
#include "scene/count/usual.h"

struct count_usual_store;

/* The key's name on disk, which outlives its number: "hangzhou.xihu/天目山路". Into `out`; false: it has none, and is not kept. */
typedef bool (*count_usual_name_fn)(void *context, uint32_t key, char *out, size_t size);

/* Opens or makes the file, and fills `usual` from it. Names of kinds of day are those of `rules`; what is of no kind or key any more is
 * passed over. `usual` and `rules` are kept. */
enum err count_usual_store_open(const char *path, const struct count_usual_rules *rules, struct count_usual *usual, uint32_t n_keys,
    count_usual_name_fn name_of, void *context, struct diag *diag, struct count_usual_store **ret_store) MUST_CHECK;
void count_usual_store_close(struct count_usual_store *store); /* what waits is written; takes NULL */
/* A quarter was learned: all keys' days of it. */
void count_usual_store_slot(struct count_usual_store *store, struct count_usual_slot slot);
/* USUAL forgets the key. */
void count_usual_store_state(struct count_usual_store *store, uint32_t key, enum count_usual_state state, int64_t since_ms);

#endif
