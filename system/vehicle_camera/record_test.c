/*
 * Records and the memory of repeats: what is sealed comes back; a byte changed anywhere, a cut, another key are refused; no nonce twice;
 * the set of fingerprints against a plain list, under a printed seed.
 */
#include "system/vehicle_camera/record.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "base/test.h"
#include "system/vehicle_camera/repeats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const uint8_t master[32] = {1, 2, 3};
static const uint8_t start[RECORD_START_SIZE] = {9, 8, 7};

static struct passage a_passage(const char *id, const char *plate)
{
    struct passage passage = {.id = str_from_c(id),
        .camera = STR("33010600001190000001"),
        .time_ms = 1795320000000,
        .speed_mps = 11.5,
        .lane = 2,
        .confidence = -1,
        .plate_len = (uint8_t)strlen(plate),
        .plate_class_len = 2,
        .vehicle_len = 4,
        .fingerprint = UINT64_C(0xfedcba9876543210)};
    memcpy(passage.plate, plate, passage.plate_len);
    memcpy(passage.plate_class, "02", 2);
    memcpy(passage.vehicle, "beef", 4);
    return passage;
}

struct sealed {
    uint8_t bytes[4096];
    size_t len;
};

static void seal(struct sealed *sealed, uint64_t counter, size_t n)
{
    const struct passage passages[] = {a_passage("id-1", "浙A12345"), a_passage("", ""), a_passage("id-3", "浙A1-345")};
    const struct passage *pointers[] = {&passages[0], &passages[1], &passages[2]};
    struct record_head head = {.counter = counter, .arrived_ms = 1795320001000, .n_before = 77, .n = (uint32_t)n};
    struct seal_key key = {.is_set = false};
    struct buf plain;
    buf_init(&plain, RECORD_SIZE_MAX);
    record_key_derive(&key, master, start);
    memcpy(head.start, start, sizeof start);
    assert_true(record_size(pointers, n) <= sizeof sealed->bytes);
    assert_ok(record_seal(&key, &head, pointers, &plain, sealed->bytes, &sealed->len));
    assert_int_equal(sealed->len, record_size(pointers, n));
    buf_finish(&plain);
}

static enum err open_all(const uint8_t *bytes, size_t len, const uint8_t key_file[32], size_t *ret_n)
{
    struct seal_key key = {.is_set = false};
    struct record_head head;
    struct bytes_reader reader;
    struct passage passage;
    struct buf plain;
    buf_init(&plain, RECORD_SIZE_MAX);
    enum err err = record_open((struct str){(const char *)bytes, len}, key_file, &key, &plain, &head, &reader);
    for (*ret_n = 0; err == ERR_OK && *ret_n < head.n; (*ret_n)++)
        err = record_next(&reader, &head, &passage);
    if (err == ERR_OK && head.n > 0) { /* the last one of seal() */
        assert_str(passage.id, "id-3");
        assert_str(((struct str){passage.plate, passage.plate_len}), "浙A1-345");
        assert_str(((struct str){passage.vehicle, passage.vehicle_len}), "beef");
        assert_true(passage.time_ms == 1795320000000 && passage.arrived_ms == 1795320001000 && passage.speed_mps == 11.5);
        assert_true(passage.lane == 2 && passage.confidence == -1 && passage.fingerprint == UINT64_C(0xfedcba9876543210));
        assert_int_equal(head.n_before, 77);
        assert_int_equal(bytes_reader_left(&reader), 0);
    }
    buf_finish(&plain);
    return err;
}

static void what_is_sealed_comes_back(void **state)
{
    struct sealed sealed;
    size_t n = 0;
    seal(&sealed, 0, 3);
    assert_ok(open_all(sealed.bytes, sealed.len, master, &n));
    assert_int_equal(n, 3);
    assert_null(memmem(sealed.bytes, sealed.len, "12345", 5));
    seal(&sealed, 1, 0); /* the empty record that a repeat waits behind */
    assert_ok(open_all(sealed.bytes, sealed.len, master, &n));
    assert_int_equal(n, 0);
}

static void what_was_changed_is_refused(void **state)
{
    static const uint8_t other[32] = {3, 2, 1};
    struct sealed sealed;
    size_t n = 0;
    seal(&sealed, 5, 3);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.bytes[i] ^= 0x10;
        assert_true(open_all(sealed.bytes, sealed.len, master, &n) != ERR_OK);
        assert_int_equal(n, 0); /* nothing of it is believed */
        sealed.bytes[i] ^= 0x10;
    }
    for (size_t len = 0; len < sealed.len; len++)
        assert_true(open_all(sealed.bytes, len, master, &n) != ERR_OK);
    assert_err(open_all(sealed.bytes, sealed.len, other, &n), ERR_CRYPTO);
    assert_ok(open_all(sealed.bytes, sealed.len, master, &n));
}

/* The same content twice: another nonce, so nothing of the two is alike. */
static void no_two_records_are_alike(void **state)
{
    struct sealed a, b;
    size_t n_equal = 0;
    seal(&a, 6, 3);
    seal(&b, 7, 3);
    assert_int_equal(a.len, b.len);
    for (size_t i = RECORD_HEAD_SIZE; i < a.len; i++)
        n_equal += a.bytes[i] == b.bytes[i];
    assert_true(n_equal < (a.len - RECORD_HEAD_SIZE) / 8); /* by chance, one in 256 */
}

/* ---- repeats ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = *seed;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#define N_ADDED 40000
#define LIMIT 20000

/* The newest half of the limit is always known, nothing that was never added is, and what is taken back is as if it had never come. */
static void remembers_as_it_says(void **state)
{
    static uint64_t added[N_ADDED];
    uint64_t seed = (uint64_t)time(NULL), first_seed = seed;
    struct repeats repeats;
    size_t n = 0;
    repeats_init(&repeats, LIMIT);
    while (n < N_ADDED) {
        size_t batch = 1 + next_random(&seed) % 700;
        bool is_taken_back = next_random(&seed) % 5 == 0;
        uint64_t fresh[700];
        assert_ok(repeats_reserve(&repeats, batch));
        for (size_t i = 0; i < batch; i++) {
            fresh[i] = next_random(&seed) % 3 == 0 ? next_random(&seed) << 20 : next_random(&seed); /* many share their low bits */
            if (!repeats_add(&repeats, fresh[i]))
                fail_msg("seed %llu: a new one was known", (unsigned long long)first_seed);
        }
        for (size_t i = batch; is_taken_back && i > 0; i--)
            repeats_undo(&repeats, fresh[i - 1]);
        for (size_t i = 0; !is_taken_back && i < batch && n < N_ADDED; i++)
            added[n++] = fresh[i];
        if (next_random(&seed) % 8 == 0 && n > 0) {
            size_t known = n < LIMIT / 2 - 700 ? n : LIMIT / 2 - 700;
            assert_ok(repeats_reserve(&repeats, 1));
            uint64_t one = added[n - 1 - next_random(&seed) % known];
            if (repeats_add(&repeats, one))
                fail_msg("seed %llu: a recent one was forgotten", (unsigned long long)first_seed);
        }
    }
    assert_ok(repeats_reserve(&repeats, 2));
    assert_true(repeats_add(&repeats, 0)); /* the value that marks a free slot */
    assert_false(repeats_add(&repeats, 0));
    repeats_finish(&repeats);
}

static void repeats_need_their_memory(void **state)
{
    struct repeats repeats;
    repeats_init(&repeats, LIMIT);
    mem_fail_nth(1);
    assert_err(repeats_reserve(&repeats, 10), ERR_NO_MEMORY);
    mem_fail_nth(0);
    assert_ok(repeats_reserve(&repeats, 10));
    assert_true(repeats_add(&repeats, 7));
    mem_fail_nth(1);
    assert_err(repeats_reserve(&repeats, 5000), ERR_NO_MEMORY); /* and what there was is still there */
    mem_fail_nth(0);
    assert_false(repeats_add(&repeats, 7));
    repeats_finish(&repeats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_comes_back),
        cmocka_unit_test(what_was_changed_is_refused),
        cmocka_unit_test(no_two_records_are_alike),
        cmocka_unit_test(remembers_as_it_says),
        cmocka_unit_test(repeats_need_their_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
