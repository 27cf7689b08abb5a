/*
 * The usual day (平日): what the delay index of each road and area is at this quarter of an hour on a day of this kind, and whether now is
 * outside of it. Pure: time comes with each call, nothing is written here.
 *
 * Learned on line: a quarter's mean, when at least half of it was observed, becomes one value of its day. Of each key, kind of day and
 * quarter the last COUNT_USUAL_DAYS days are kept; their median and median absolute deviation (MAD) are exact, so that half of the days may
 * be wild before the usual follows them (a breakdown point of 50 %; F. R. Hampel 1974). Until `least_days` days are known nothing is said.
 *
 * Abnormal (异常) is a key whose index lies `begin` spreads or more from the median for `lasts_ms`; it is usual again when it was within
 * `end` spreads for as long. What is not observed changes nothing: an abnormal road stays so until it is measured again.
 */
#ifndef SCENE_COUNT_USUAL_H
#define SCENE_COUNT_USUAL_H

#include "base/clock.h"
#include "base/yaml.h"

#define COUNT_SLOT_MS 900000
#define COUNT_SLOTS 96      /* of a day */
#define COUNT_USUAL_DAYS 15 /* three weeks of working days, seven weekends; odd, so that the median is a day's own value */
#define COUNT_DAY_KINDS_MAX 4
#define COUNT_USUAL_DATES_MAX 400 /* days of their own kind: holidays, and working days in their stead */
#define COUNT_USUAL_BLOCKS_MAX                                                                                                             \
    40000u /* keys times kinds of day that are learned: 3 KiB each; past it a key is not learned, and counted                              \
            */

struct count_day_kind {
    struct str name, title_zh, title_en;
    uint8_t weekdays; /* a bit each, Monday the lowest */
};

struct count_usual_date {
    int64_t day; /* since 1970-01-01 */
    uint8_t kind;
};

struct count_usual_rules { /* texts borrow from the file */
    size_t n_kinds, n_dates;
    struct count_day_kind kinds[COUNT_DAY_KINDS_MAX];
    struct count_usual_date dates[COUNT_USUAL_DATES_MAX];
    int64_t least_days, lasts_ms;
    double begin, end;    /* in spreads: 1.4826 MAD, the standard deviation of a normal distribution */
    double least_spread;  /* of the median: less than this is no spread, however alike a few days were */
    struct str alerts_at; /* level of the areas whose roads are told: "district" */
};

/* The map under `usual:` of an index object. Every mistake is told in `diags`; the first is returned. */
enum err count_usual_read(struct yaml_node node, struct diag_list *diags, struct count_usual_rules *ret_rules) MUST_CHECK;
/* The kind of the day that holds `now_ms` in `zone`. */
uint8_t count_usual_kind(const struct count_usual_rules *rules, int64_t now_ms, struct time_zone zone);

enum count_usual_state { COUNT_LEARNING, COUNT_USUAL, COUNT_SLOWER, COUNT_FASTER };
extern const char *const count_usual_state_names[]; /* "learning" … */

struct count_usual_now {
    double usual, spread; /* NAN: not known yet */
    uint32_t n_days;      /* it rests on, of this kind and quarter */
    enum count_usual_state state;
    int64_t since_ms; /* of SLOWER and FASTER: when it began */
    bool is_changed;  /* by this value: it became SLOWER or FASTER, or ceased to be */
};

struct count_usual_slot { /* that has ended and was learned */
    bool is_there;
    bool was_ahead; /* what was learned last was of a clock more than a day ahead: that is forgotten, and learning goes on */
    uint8_t kind, slot;
};

struct count_usual;

/* `rules` is kept. Keys are numbers below `n_keys`. ERR_NO_MEMORY. */
enum err count_usual_create(
    const struct count_usual_rules *rules, uint32_t n_keys, struct time_zone zone, struct count_usual **ret_usual) MUST_CHECK;
void count_usual_destroy(struct count_usual *usual); /* takes NULL */
/* Time goes on: first of each tick. When a quarter has ended, it is learned, and told which it was. A clock that is set back by
 * less than a day learns nothing until it has passed where it was. */
struct count_usual_slot count_usual_begin(struct count_usual *usual, int64_t now_ms);
/* A key's index at this moment; each key at most once a tick, those that are not observed not at all. */
struct count_usual_now count_usual_take(struct count_usual *usual, uint32_t key, double value);
/* What is known without a new value. */
struct count_usual_now count_usual_look(const struct count_usual *usual, uint32_t key);
uint64_t count_usual_n_unlearned(const struct count_usual *usual); /* values that found no room */
size_t count_usual_bytes(const struct count_usual *usual);         /* that it holds */

/* For the store. Values in the order of their days, oldest first; how many there are is returned. */
size_t count_usual_cell(const struct count_usual *usual, uint32_t key, uint8_t kind, uint8_t slot, uint16_t values[COUNT_USUAL_DAYS]);
/* Of a store: at most COUNT_USUAL_DAYS. ERR_FULL, ERR_NO_MEMORY: it is not learned. */
enum err count_usual_put(struct count_usual *usual, uint32_t key, uint8_t kind, uint8_t slot, const uint16_t *values, size_t n) MUST_CHECK;
/* A key that was SLOWER or FASTER when the process ended. */
void count_usual_restore(struct count_usual *usual, uint32_t key, enum count_usual_state state, int64_t since_ms);
int64_t count_usual_learned_ms(const struct count_usual *usual); /* end of the last quarter that was learned; INT64_MIN */
void count_usual_set_learned(struct count_usual *usual, int64_t learned_ms);

#endif
