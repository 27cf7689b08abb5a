/* Plain lines; see plain.h. */
#include "scene/count/plain.h"

#include "base/mem.h"
#include "scene/count/words.h"

#define SHORT_MAX 15u /* bytes of a name or plate */
#define SLOTS_FIRST 1024u

/* ---- cameras ---- */

static uint32_t home_of(const struct count_plain *plain, uint64_t low, uint64_t high)
{
    uint64_t hash = (low ^ high * 0xff51afd7ed558ccdu) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(hash >> 32) & (plain->n_slots - 1);
}

/* Its slot, looked for from `at` on, or the free one where it belongs. */
static uint32_t slot_of(const struct count_plain *plain, uint64_t low, uint64_t high, uint32_t at)
{
    while (plain->cameras[at].high != 0 && (plain->cameras[at].low != low || plain->cameras[at].high != high))
        at = (at + 1) & (plain->n_slots - 1);
    return at;
}

void count_plain_finish(struct count_plain *plain)
{
    mem_free(plain->cameras);
    *plain = (struct count_plain){.n = 0};
}

static bool grow(struct count_plain *plain)
{
    struct count_plain old = *plain, grown = {.n = old.n, .n_slots = old.n_slots == 0 ? SLOTS_FIRST : old.n_slots * 2};
    grown.cameras = mem_alloc_zero(grown.n_slots, sizeof(*grown.cameras));
    if (grown.cameras == NULL)
        return false;
    for (uint32_t i = 0; i < old.n_slots; i++)
        if (old.cameras[i].high != 0)
            grown.cameras[slot_of(&grown, old.cameras[i].low, old.cameras[i].high,
                home_of(&grown, old.cameras[i].low, old.cameras[i].high))] = old.cameras[i];
    mem_free(old.cameras);
    *plain = grown;
    return true;
}

void count_plain_learn(struct count_plain *plain, struct str name, uint32_t camera)
{
    char bytes[16] = {0};
    if (!COUNT_WORDS || name.len == 0 || name.len > SHORT_MAX || (plain->n * 2 >= plain->n_slots && !grow(plain)))
        return;
    memcpy(bytes, name.ptr, name.len);
    uint64_t low = count_word(bytes), high = count_word(bytes + 8) | (uint64_t)name.len << 56;
    struct count_plain_camera *slot = &plain->cameras[slot_of(plain, low, high, home_of(plain, low, high))];
    plain->n += slot->high == 0;
    *slot = (struct count_plain_camera){low, high, camera};
}

/* ---- a line ---- */

/* What follows the number and its end, `end`; NULL: there is something else. */
static inline const char *read_time(const char *at, int64_t *ret_ms)
{
    static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    uint32_t n, n_more;
    uint64_t ms = count_word_number(count_word(at), &n);
    if (n == 8) {
        uint64_t more = count_word_number(count_word(at + 8), &n_more);
        ms = ms * powers[n_more] + more;
        n += n_more;
    }
    *ret_ms = (int64_t)ms;
    return n > 0 && at[n] == ',' && ms <= COUNT_TIME_FILE_MAX ? at + n + 1 : NULL;
}

/* A small number, or nothing: up to three digits. */
static inline const char *read_small(const char *at, uint32_t max, uint8_t none, uint8_t *ret_value)
{
    uint32_t value = 0, n = 0, digit;
    for (; n < 3 && (digit = (uint32_t)(unsigned char)at[n] - '0') <= 9; n++)
        value = value * 10 + digit;
    *ret_value = n == 0 ? none : (uint8_t)value;
    return value <= max ? at + n : NULL;
}

size_t count_plain_read(const struct count_plain *plain, const char *at, struct count_plain_line *ret_line)
{
    struct count_record *record = &ret_line->record;
    const char *next;
    if (!COUNT_WORDS || plain->n == 0 || (next = read_time(at, &record->pass_ms)) == NULL ||
        (next = read_time(next, &record->arrived_ms)) == NULL)
        return 0;
    uint64_t low = count_word(next), high = count_word(next + 8);
    uint32_t end, n = count_find_comma(next, &end);
    if (n == 0 || n > SHORT_MAX || end < n)
        return 0;
    ret_line->low = n < 8 ? count_word_head(low, n) : low;
    ret_line->high = (n > 8 ? count_word_head(high, n - 8) : 0) | (uint64_t)n << 56;
    ret_line->slot = home_of(plain, ret_line->low, ret_line->high);
    __builtin_prefetch(&plain->cameras[ret_line->slot]);
    next = read_small(next + n + 1, 255, COUNT_LANE_NONE, &record->lane);
    if (next == NULL || *next != ',')
        return 0;
    const char *plate = next + 1;
    n = count_find_comma(plate, &end);
    if (n == 0 || n > SHORT_MAX || end < n)
        return 0;
    record->plate = (struct str){plate, n};
    next = read_small(plate + n + 1, 100, COUNT_CONFIDENCE_NONE, &record->confidence);
    if (next == NULL)
        return 0;
    next += *next == '\r';
    if (*next != '\n')
        return 0;
    record->vehicle = str_hash(record->plate);
    return (size_t)(next + 1 - at);
}

uint32_t count_plain_camera(const struct count_plain *plain, const struct count_plain_line *line)
{
    const struct count_plain_camera *slot = &plain->cameras[slot_of(plain, line->low, line->high, line->slot)];
    return slot->high == 0 ? UINT32_MAX : slot->camera;
}
