/* Plates, faults and the two clocks: the world's pure parts, by table and by law. */
#include "base/test.h"
#include "world/brain_clock.h"
#include "world/faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_file(char path[64], const char *text)
{
    (void)snprintf(path, 64, "/tmp/world-plates-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

static void plates_are_read_taken_and_given_back(void **state)
{
    char path[64];
    char text[4096] = "";
    for (int i = 0; i < 20; i++)
        (void)snprintf(&text[strlen(text)], sizeof text - strlen(text), "浙A%05d 02 K33\n", i);
    write_file(path, text);
    struct plates plates;
    assert_ok(plates_load(path, NULL, &plates));
    (void)unlink(path);
    assert_int_equal(plates.n, 20);
    assert_string_equal(plates.plates[7].text, "浙A00007");
    assert_string_equal(plates.plates[7].plate_class, "02");
    assert_string_equal(plates.plates[7].vehicle_type, "K33");
    struct rng rng = {1};
    uint32_t number, first = 0;
    bool seen[20] = {false};
    for (int i = 0; i < 18; i++) { /* nine tenths; each is in one place only */
        assert_ok(plates_take(&plates, &rng, &number));
        assert_false(seen[number]);
        seen[number] = true;
        first = i == 0 ? number : first;
    }
    assert_err(plates_take(&plates, &rng, &number), ERR_FULL);
    plates_give_back(&plates, first);
    plates_give_back(&plates, first); /* twice is once */
    assert_int_equal(plates.n_on_road, 17);
    assert_ok(plates_take(&plates, &rng, &number));
    plates_finish(&plates);
}

static void bad_plate_files_name_their_line(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"浙A00001 02 K33\n浙A00002\n", ":2: not"},
        {"浙A00001 02\n", ":1: not"},
        {"浙A00001 021 K33\n", ":1: not"},
        {"\xff\xff\xff\xff 02 K33\n", ":1: not"},
        {"浙A0000000000000 02 K33\n", ":1: not"},
        {"", "holds no plate"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[64];
        struct plates plates;
        struct diag diag = {""};
        write_file(path, rows[i].text);
        assert_err(plates_load(path, &diag, &plates), ERR_SYNTAX);
        assert_non_null(strstr(diag.text, rows[i].words));
        (void)unlink(path);
    }
    struct plates plates;
    struct diag diag = {""};
    assert_err(plates_load("/nowhere/plates.txt", &diag, &plates), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "tools/make_city"));
}

static void a_misread_plate_differs_in_one_place(void **state)
{
    struct rng rng = {7};
    for (int i = 0; i < 20000; i++) {
        static const char *const plates[] = {"浙A12345", "浙AD00861", "浙AZZZ00", "浙AMNPQR", "浙A7H8J9"};
        const char *plate = plates[i % 5];
        char wrong[PLATE_BYTES_MAX];
        plate_misread(plate, &rng, wrong);
        assert_int_equal(strlen(wrong), strlen(plate));
        int n = 0;
        for (size_t at = 0; at < strlen(plate); at++) {
            n += wrong[at] != plate[at];
            assert_true(at >= 4 || wrong[at] == plate[at]); /* province and city stand */
            assert_true(at < 4 || (wrong[at] >= '0' && wrong[at] <= '9') || (wrong[at] >= 'A' && wrong[at] <= 'Z'));
            assert_true(wrong[at] != 'I' && wrong[at] != 'O');
        }
        assert_int_equal(n, 1);
    }
}

static void faults_come_as_often_as_asked(void **state)
{
    const struct faults faults = {.recall = 0.9, .misread = 0.05, .duplicates = 0.1};
    struct rng rng = {3}, again = {3};
    int n_read = 0, n_wrong = 0, n_twice = 0, n = 50000;
    for (int i = 0; i < n; i++) {
        struct reading reading = faults_read(&faults, &rng, "浙A12345"), same = faults_read(&faults, &again, "浙A12345");
        assert_memory_equal(&reading, &same, sizeof reading); /* one seed, one world */
        assert_true(reading.confidence >= 45 && reading.confidence <= 100);
        n_read += reading.is_read;
        n_wrong += strcmp(reading.plate, "浙A12345") != 0;
        n_twice += reading.is_twice;
    }
    assert_true(abs(n_read - 45000) < 300 && abs(n_wrong - 2500) < 250 && abs(n_twice - 4500) < 300);
    const struct faults none = {.recall = 1};
    for (int i = 0; i < 1000; i++) {
        struct reading reading = faults_read(&none, &rng, "浙A12345");
        assert_true(reading.is_read && !reading.is_twice && strcmp(reading.plate, "浙A12345") == 0);
    }
}

static void exactly_so_many_cameras_are_dead(void **state)
{
    for (uint32_t n_dead = 0; n_dead <= 12; n_dead++) {
        struct rng rng = {n_dead};
        const struct faults faults = {.n_dead = n_dead};
        bool is_dead[10] = {false};
        uint32_t n = 0;
        faults_choose_dead(&faults, &rng, is_dead, 10);
        for (int i = 0; i < 10; i++)
            n += is_dead[i];
        assert_int_equal(n, n_dead < 10 ? n_dead : 10);
    }
}

static void poisson_has_its_mean(void **state)
{
    struct rng rng = {11};
    uint64_t sum = 0;
    for (int i = 0; i < 20000; i++)
        sum += rng_poisson(&rng, 7.5);
    assert_true(sum > 148000 && sum < 152000);
    assert_int_equal(rng_poisson(&rng, 0), 0);
}

/* A brain whose clock runs `speed` times as fast is known to a few milliseconds after some answers, whatever the second they fall in. */
static void the_brains_clock_is_learned(void **state)
{
    static const double speeds[] = {1, 0.5, 10};
    for (size_t s = 0; s < 3; s++) {
        struct brain_clock clock;
        brain_clock_init(&clock, speeds[s]);
        struct rng rng = {s + 5};
        const double offset = 1.7e12 + 123.4;
        double now_ms = 5000;
        for (int i = 0; i < 400; i++) {
            now_ms += 37.31;
            double asked = now_ms, there = asked + 2 * rng_unit(&rng), back = there + 2 * rng_unit(&rng);
            const struct wall_time told = {(int64_t)((offset + speeds[s] * there) / 1000) * 1000};
            brain_clock_hear(&clock, told, (struct mono_time){(int64_t)(asked * 1e6)}, (struct mono_time){(int64_t)(back * 1e6)});
        }
        const struct wall_time guess = brain_clock_at(&clock, (struct mono_time){(int64_t)(now_ms * 1e6)});
        double error = (double)guess.ms - (offset + speeds[s] * now_ms);
        assert_true(error > -60 && error < 60);
        /* A brain that comes back with another clock is believed at once. */
        const struct wall_time told = {1600000000000};
        brain_clock_hear(&clock, told, (struct mono_time){(int64_t)(now_ms * 1e6)}, (struct mono_time){(int64_t)(now_ms * 1e6)});
        const struct wall_time now = brain_clock_at(&clock, (struct mono_time){(int64_t)(now_ms * 1e6)});
        assert_true(now.ms >= told.ms && now.ms <= told.ms + 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plates_are_read_taken_and_given_back),
        cmocka_unit_test(bad_plate_files_name_their_line),
        cmocka_unit_test(a_misread_plate_differs_in_one_place),
        cmocka_unit_test(faults_come_as_often_as_asked),
        cmocka_unit_test(exactly_so_many_cameras_are_dead),
        cmocka_unit_test(poisson_has_its_mean),
        cmocka_unit_test(the_brains_clock_is_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
