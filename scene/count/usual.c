/* The usual day; see usual.h. */
#include "scene/count/usual.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define MAD_TO_DEVIATION 1.4826 /* of a normal distribution */
#define STEP 0.001              /* of an index, as it is kept: 0 to 65.535 */
#define SILENT_MS 60000         /* what was not observed for so long is not "all the time" */
#define TICK_MAX_MS 60000       /* a longer gap between ticks was not observed */

const char *const count_usual_state_names[] = {"learning", "usual", "slower", "faster"};

struct cell { /* of one key, kind of day and quarter */
    uint16_t values[COUNT_USUAL_DAYS];
    uint8_t n, next; /* next: where the next day goes, once all are there */
};

struct key {
    float sum, ms;         /* of the quarter that is running: index times milliseconds; milliseconds */
    float median, spread;  /* of this quarter and kind; NAN: not known */
    uint8_t n_days, state; /* state: enum count_usual_state, but LEARNING, which follows from the median */
    int8_t leaning;        /* 1: `turn_ms` is since when it is far above, -1: far below, or, of an abnormal one, since when it is back */
    int64_t slot_number;   /* that median and spread are of; INT64_MIN: none */
    int64_t since_ms, turn_ms, seen_ms;
};

struct count_usual {
    const struct count_usual_rules *rules;
    struct time_zone zone;
    uint32_t n_keys, n_blocks;
    struct key *keys;
    struct cell **blocks;                                 /* [n_keys * n_kinds] of COUNT_SLOTS cells; NULL: nothing learned */
    int64_t now_ms, tick_ms, slot_number, learned_number; /* numbers: of quarters since 1970 in the zone */
    uint8_t kind;
    uint64_t n_unlearned;
};

/* ---- kinds of day ---- */

uint8_t count_usual_kind(const struct count_usual_rules *rules, int64_t now_ms, struct time_zone zone)
{
    int64_t day = wall_day_number((struct wall_time){now_ms}, zone);
    for (size_t i = 0; i < rules->n_dates; i++)
        if (rules->dates[i].day == day)
            return rules->dates[i].kind;
    int weekday = (int)(((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    for (uint8_t i = 0; i < rules->n_kinds; i++)
        if (rules->kinds[i].weekdays >> weekday & 1)
            return i;
    return 0;
}

/* ---- life ---- */

enum err count_usual_create(const struct count_usual_rules *rules, uint32_t n_keys, struct time_zone zone, struct count_usual **ret_usual)
{
    struct count_usual *usual = mem_alloc_zero(1, sizeof(*usual));
    if (usual == NULL)
        return ERR_NO_MEMORY;
    *usual = (struct count_usual){
        .rules = rules, .zone = zone, .n_keys = n_keys, .tick_ms = INT64_MIN, .slot_number = INT64_MIN, .learned_number = INT64_MIN};
    usual->keys = mem_alloc_zero(n_keys + 1, sizeof(*usual->keys));
    usual->blocks = mem_alloc_zero((size_t)n_keys * rules->n_kinds + 1, sizeof(struct cell *));
    if (usual->keys == NULL || usual->blocks == NULL) {
        count_usual_destroy(usual);
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < n_keys; i++)
        usual->keys[i] = (struct key){.state = COUNT_USUAL, .slot_number = INT64_MIN, .seen_ms = INT64_MIN};
    *ret_usual = usual;
    return ERR_OK;
}

void count_usual_destroy(struct count_usual *usual)
{
    if (usual == NULL)
        return;
    for (size_t i = 0; usual->blocks != NULL && i < (size_t)usual->n_keys * usual->rules->n_kinds; i++)
        mem_free(usual->blocks[i]);
    mem_free(usual->blocks);
    mem_free(usual->keys);
    mem_free(usual);
}

uint64_t count_usual_n_unlearned(const struct count_usual *usual)
{
    return usual->n_unlearned;
}

size_t count_usual_bytes(const struct count_usual *usual)
{
    return sizeof(*usual) + usual->n_keys * (sizeof(struct key) + usual->rules->n_kinds * sizeof(struct cell *)) +
           usual->n_blocks * COUNT_SLOTS * sizeof(struct cell);
}

/* ---- what was learned ---- */

static struct cell *block_of(const struct count_usual *usual, uint32_t key, uint8_t kind)
{
    return usual->blocks[(size_t)key * usual->rules->n_kinds + kind];
}

/* Made when it is not there; NULL: no room. */
static struct cell *need_block(struct count_usual *usual, uint32_t key, uint8_t kind, enum err *ret_err)
{
    struct cell **block = &usual->blocks[(size_t)key * usual->rules->n_kinds + kind];
    *ret_err = ERR_OK;
    if (*block != NULL)
        return *block;
    *ret_err = usual->n_blocks == COUNT_USUAL_BLOCKS_MAX ? ERR_FULL : ERR_NO_MEMORY;
    if (usual->n_blocks < COUNT_USUAL_BLOCKS_MAX)
        *block = mem_alloc_zero(COUNT_SLOTS, sizeof(**block));
    usual->n_blocks += *block != NULL;
    return *block;
}

static void add_day(struct cell *cell, uint16_t value)
{
    if (cell->n < COUNT_USUAL_DAYS) {
        cell->values[cell->n++] = value;
        return;
    }
    cell->values[cell->next] = value;
    cell->next = (uint8_t)((cell->next + 1) % COUNT_USUAL_DAYS);
}

size_t count_usual_cell(const struct count_usual *usual, uint32_t key, uint8_t kind, uint8_t slot, uint16_t values[COUNT_USUAL_DAYS])
{
    const struct cell *block = block_of(usual, key, kind);
    if (block == NULL)
        return 0;
    const struct cell *cell = &block[slot];
    for (size_t i = 0; i < cell->n; i++)
        values[i] = cell->values[(cell->next + i) % COUNT_USUAL_DAYS];
    return cell->n;
}

enum err count_usual_put(struct count_usual *usual, uint32_t key, uint8_t kind, uint8_t slot, const uint16_t *values, size_t n)
{
    enum err err;
    assert(key < usual->n_keys && kind < usual->rules->n_kinds && slot < COUNT_SLOTS && n <= COUNT_USUAL_DAYS);
    struct cell *block = n > 0 ? need_block(usual, key, kind, &err) : NULL;
    if (n > 0 && block == NULL)
        return err;
    for (size_t i = 0; i < n; i++)
        add_day(&block[slot], values[i]);
    return ERR_OK;
}

void count_usual_restore(struct count_usual *usual, uint32_t key, enum count_usual_state state, int64_t since_ms)
{
    assert(key < usual->n_keys);
    usual->keys[key].state = (uint8_t)state;
    usual->keys[key].since_ms = since_ms;
}

int64_t count_usual_learned_ms(const struct count_usual *usual)
{
    return usual->learned_number == INT64_MIN ? INT64_MIN
                                              : (usual->learned_number + 1) * COUNT_SLOT_MS - (int64_t)usual->zone.offset_s * 1000;
}

void count_usual_set_learned(struct count_usual *usual, int64_t learned_ms)
{
    usual->learned_number = (learned_ms + (int64_t)usual->zone.offset_s * 1000) / COUNT_SLOT_MS - 1;
}

/* The middle one of sorted values; of an even number the mean of both. */
static double middle(double *values, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && values[k - 1] > values[k]; k--) {
            double swap = values[k];
            values[k] = values[k - 1];
            values[k - 1] = swap;
        }
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Median and spread of this quarter, once a quarter. */
static void refresh(const struct count_usual *usual, struct key *key, uint32_t number)
{
    uint16_t days[COUNT_USUAL_DAYS];
    double values[COUNT_USUAL_DAYS];
    size_t n = count_usual_cell(usual, number, usual->kind, (uint8_t)(usual->slot_number % COUNT_SLOTS), days);
    key->slot_number = usual->slot_number;
    key->n_days = (uint8_t)n;
    key->median = key->spread = NAN;
    if (n == 0 || (int64_t)n < usual->rules->least_days)
        return;
    for (size_t i = 0; i < n; i++)
        values[i] = days[i] * STEP;
    double median = middle(values, n);
    for (size_t i = 0; i < n; i++)
        values[i] = fabs(days[i] * STEP - median);
    key->median = (float)median;
    key->spread = (float)fmax(MAD_TO_DEVIATION * middle(values, n), usual->rules->least_spread * median);
}

/* The quarter that has ended becomes a day's value of each key that was observed for half of it. */
static void learn(struct count_usual *usual)
{
    uint8_t slot = (uint8_t)(usual->slot_number % COUNT_SLOTS);
    for (uint32_t i = 0; i < usual->n_keys; i++) {
        struct key *key = &usual->keys[i];
        if ((double)key->ms * 2 < COUNT_SLOT_MS)
            continue;
        enum err err;
        struct cell *block = need_block(usual, i, usual->kind, &err);
        if (block == NULL) {
            usual->n_unlearned++;
            continue;
        }
        double steps = round((double)(key->sum / key->ms) / STEP);
        add_day(&block[slot], (uint16_t)fmin(fmax(steps, 0), UINT16_MAX));
    }
    usual->learned_number = usual->slot_number;
}

struct count_usual_slot count_usual_begin(struct count_usual *usual, int64_t now_ms)
{
    struct count_usual_slot ended = {.is_there = false};
    int64_t number = (now_ms + (int64_t)usual->zone.offset_s * 1000) / COUNT_SLOT_MS;
    usual->tick_ms = usual->tick_ms == INT64_MIN ? now_ms : usual->now_ms;
    usual->now_ms = now_ms;
    if (number == usual->slot_number)
        return ended;
    if (usual->learned_number != INT64_MIN && usual->learned_number > number + COUNT_SLOTS) {
        usual->learned_number = number - 1;
        ended.was_ahead = true;
    }
    bool is_new = usual->slot_number != INT64_MIN && usual->slot_number > usual->learned_number && number > usual->slot_number;
    if (is_new) {
        learn(usual);
        ended = (struct count_usual_slot){true, ended.was_ahead, usual->kind, (uint8_t)(usual->slot_number % COUNT_SLOTS)};
    }
    for (uint32_t i = 0; i < usual->n_keys; i++)
        usual->keys[i].sum = usual->keys[i].ms = 0;
    usual->slot_number = number;
    usual->kind = count_usual_kind(usual->rules, now_ms, usual->zone);
    return ended;
}

/* ---- is it usual ---- */

/* Spreads from the median; positive is slower. */
static double deviation(const struct key *key, double value)
{
    return (value - (double)key->median) / (double)key->spread;
}

/* Not abnormal yet: far out for long enough makes it so. */
static bool turn_abnormal(const struct count_usual *usual, struct key *key, double out)
{
    int8_t leaning = out >= usual->rules->begin ? 1 : out <= -usual->rules->begin ? -1 : 0;
    if (leaning != 0 && leaning != key->leaning) {
        key->leaning = leaning;
        key->turn_ms = usual->now_ms;
    } else if (fabs(out) < usual->rules->end || out * key->leaning < 0) {
        key->leaning = 0;
    }
    if (leaning == 0 || key->leaning != leaning || usual->now_ms - key->turn_ms < usual->rules->lasts_ms)
        return false;
    key->state = leaning > 0 ? COUNT_SLOWER : COUNT_FASTER;
    key->since_ms = key->turn_ms;
    key->leaning = 0;
    return true;
}

/* Abnormal: back for long enough ends it. */
static bool turn_usual(const struct count_usual *usual, struct key *key, double out)
{
    double outward = key->state == COUNT_SLOWER ? out : -out;
    if (outward >= usual->rules->end) {
        key->leaning = 0;
        return false;
    }
    if (key->leaning == 0) {
        key->leaning = 1;
        key->turn_ms = usual->now_ms;
    }
    if (usual->now_ms - key->turn_ms < usual->rules->lasts_ms)
        return false;
    key->state = COUNT_USUAL;
    key->leaning = 0;
    return true;
}

static struct count_usual_now now_of(const struct key *key, bool is_changed)
{
    bool is_abnormal = key->state == COUNT_SLOWER || key->state == COUNT_FASTER;
    return (struct count_usual_now){.usual = (double)key->median,
        .spread = (double)key->spread,
        .n_days = key->n_days,
        .state = !is_abnormal && isnan(key->median) ? COUNT_LEARNING : (enum count_usual_state)key->state,
        .since_ms = is_abnormal ? key->since_ms : 0,
        .is_changed = is_changed};
}

struct count_usual_now count_usual_take(struct count_usual *usual, uint32_t number, double value)
{
    struct key *key = &usual->keys[number];
    int64_t passed_ms = usual->now_ms - usual->tick_ms;
    bool is_changed = false;
    assert(number < usual->n_keys && !isnan(value));
    if (key->slot_number != usual->slot_number)
        refresh(usual, key, number);
    if (passed_ms > 0 && passed_ms <= TICK_MAX_MS) {
        key->sum += (float)value * (float)passed_ms;
        key->ms += (float)passed_ms;
    }
    if (key->seen_ms == INT64_MIN || usual->now_ms - key->seen_ms > SILENT_MS || usual->now_ms < key->seen_ms)
        key->leaning = 0;
    key->seen_ms = usual->now_ms;
    if (isnan(key->median))
        key->leaning = 0; /* no opinion: what is abnormal stays so */
    else if (key->state == COUNT_USUAL)
        is_changed = turn_abnormal(usual, key, deviation(key, value));
    else
        is_changed = turn_usual(usual, key, deviation(key, value));
    return now_of(key, is_changed);
}

struct count_usual_now count_usual_look(const struct count_usual *usual, uint32_t number)
{
    struct key key = usual->keys[number];
    if (key.slot_number != usual->slot_number && usual->slot_number != INT64_MIN)
        refresh(usual, &key, number);
    if (key.slot_number == INT64_MIN)
        key.median = key.spread = NAN;
    return now_of(&key, false);
}
