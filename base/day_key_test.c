/* Keys of days: the same for one day and after a restart, none the same for two, gone when erased. */
#include "base/clock.h"
#include "base/day_key.h"
#include "base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], dir[80];

static int make(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/citybrain_day_key_XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    snprintf(dir, sizeof dir, "%s/day", folder);
    return 0;
}

static int finish(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static bool is_there(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void a_day_has_one_key(void **state)
{
    struct day_keys keys;
    uint8_t first[32], other[32], again[32];
    assert_ok(day_keys_init(&keys, dir));
    assert_err(day_keys_read(&keys, 20779, again), ERR_NOT_FOUND); /* reading makes none */
    assert_ok(day_keys_get(&keys, 20779, first));
    assert_true(is_there("2026-11-22"));
    assert_ok(day_keys_get(&keys, 20780, other));
    assert_memory_not_equal(first, other, 32);
    for (int64_t day = 20781; day < 20790; day++) /* more than are kept in memory */
        assert_ok(day_keys_get(&keys, day, again));
    assert_ok(day_keys_get(&keys, 20779, again));
    assert_memory_equal(first, again, 32);
    day_keys_finish(&keys);
    assert_ok(day_keys_init(&keys, dir));
    assert_ok(day_keys_get(&keys, 20779, again));
    assert_memory_equal(first, again, 32);
    assert_ok(day_keys_read(&keys, 20779, again));
    assert_memory_equal(first, again, 32);
    day_keys_finish(&keys);
}

static void what_is_erased_is_gone(void **state)
{
    struct day_keys keys;
    uint8_t key[32], again[32];
    char path[128];
    assert_ok(day_keys_init(&keys, dir));
    for (int64_t day = 20776; day < 20782; day++)
        assert_ok(day_keys_get(&keys, day, key));
    static const char *const others[] = {"notes", "2026-1-1", "2026-02-30", "20260101ab", "2026-01-01.7.new"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, others[i]);
        close(open(path, O_CREAT | O_WRONLY, 0600));
    }
    assert_ok(day_keys_get(&keys, 20779, key));
    assert_ok(day_keys_drop_before(&keys, 20780));
    assert_false(is_there("2026-11-19"));
    assert_false(is_there("2026-11-22"));
    assert_true(is_there("2026-11-23"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(is_there(others[i]));
    assert_err(day_keys_read(&keys, 20779, again), ERR_NOT_FOUND);
    assert_ok(day_keys_read(&keys, 20780, again));
    assert_ok(day_keys_get(&keys, 20779, again)); /* a new one: nothing of the old is left in memory */
    assert_memory_not_equal(key, again, 32);
    snprintf(path, sizeof path, "%s/2026-11-23", dir);
    unlink(path); /* by hand */
    assert_err(day_keys_read(&keys, 20780, again), ERR_NOT_FOUND);
    day_keys_finish(&keys);
}

static void errors_are_told(void **state)
{
    struct day_keys keys;
    char long_path[600];
    uint8_t key[32];
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    assert_err(day_keys_init(&keys, long_path), ERR_TOO_LARGE);
    assert_err(day_keys_init(&keys, "/nowhere/at/all"), ERR_NOT_FOUND);
    assert_ok(day_keys_init(&keys, dir));
    assert_int_equal(rmdir(dir), 0);
    assert_err(day_keys_get(&keys, 1, key), ERR_NOT_FOUND);
    assert_err(day_keys_drop_before(&keys, 1), ERR_NOT_FOUND);
    day_keys_finish(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_day_has_one_key, make, finish),
        cmocka_unit_test_setup_teardown(what_is_erased_is_gone, make, finish),
        cmocka_unit_test_setup_teardown(errors_are_told, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
