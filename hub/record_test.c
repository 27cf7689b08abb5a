/*
 * The record of a department's streams, on a real disk: what was kept is there after a start anew, in its order and from where the hub has
 * confirmed on; a folder that is gone, or of an older day, is another numbering.
 */
#include "hub/record.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/test.h"
#include "hub/events.h"
#include "hub/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fake_city city;
static struct diag_list diags;
static struct hub_record *record;
static const struct hub_resource *passage;
static char dir[128];
static uint64_t waiting_max; /* 0: as ever */
static _Atomic int n_told;
static _Atomic bool is_disk_held; /* what is written is not durable yet */
static struct file_ops files;
static char key_path[160];
static bool is_plain; /* as older files have it */

static void told(void *context)
{
    atomic_fetch_add(&n_told, 1);
}

static int held_sync(struct file_ops *ops, const int *fds, size_t n)
{
    while (is_disk_held)
        usleep(1000);
    return file_ops_system()->sync(file_ops_system(), fds, n);
}

static enum err try_open(struct diag *diag)
{
    files = *file_ops_system();
    files.sync = held_sync;
    snprintf(key_path, sizeof key_path, "%s/secrets/streams", city.data);
    const struct hub_record_options options = {.waiting_max = waiting_max, .files = &files, .key_path = is_plain ? NULL : key_path};
    assert_ok(hub_record_create(&options, &record));
    enum err err = hub_record_open(record, city.hub, STR("h/police"), dir, diag);
    hub_record_on_durable(record, told, NULL);
    return err;
}

static void open_record(void)
{
    struct diag diag = {""};
    assert_ok(try_open(&diag));
}

static int make(void **state)
{
    fake_city_make(&city);
    fake_ledger_reset();
    city.ledger = fake_ledger();
    assert_ok(fake_city_load(&city, &diags));
    passage = hub_resource_find(city.hub, STR("h/police/passage"));
    snprintf(dir, sizeof dir, "%s/streams", city.data);
    open_record();
    return 0;
}

static int finish(void **state)
{
    hub_record_destroy(record);
    fake_city_unload(&city);
    fake_city_remove(&city);
    fake_ledger_reset();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

static enum err keep_one(size_t n_rows, const char *text, bool waits)
{
    struct hub_keeper *keeper = hub_record_keeper(record);
    struct rows *rows;
    struct value values[HUB_FIELDS_MAX];
    for (size_t i = 0; i < passage->n_fields; i++)
        values[i] = passage->fields[i].type == VALUE_TEXT ? value_text(str_from_c(text)) : VALUE_NONE;
    assert_ok(rows_create(passage->n_fields, 16u << 20, &rows));
    for (size_t i = 0; i < n_rows; i++)
        assert_ok(rows_add(rows, values));
    enum err err = keeper->keep(keeper, passage, rows);
    rows_release(rows);
    if (!err && waits)
        assert_ok(keeper->settle(keeper));
    return err;
}

static enum err keep(size_t n_rows, const char *text)
{
    return keep_one(n_rows, text, true);
}

struct got {
    struct rows **rows;
};

static bool read_one(void *context, uint64_t index, struct str bytes)
{
    struct got *got = context;
    int64_t time_ms;
    assert_ok(hub_events_read(bytes, passage, UINT64_MAX, &time_ms, got->rows));
    return true;
}

struct seen {
    uint64_t first, n, n_rows, stop_after;
};

static bool see(void *context, uint64_t index, struct str bytes)
{
    struct seen *seen = context;
    struct rows *rows;
    int64_t time_ms;
    if (seen->n == seen->stop_after)
        return false;
    assert_ok(hub_events_read(bytes, passage, UINT64_MAX, &time_ms, &rows));
    assert_int_equal(index, seen->first + seen->n);
    seen->n++;
    seen->n_rows += rows_n(rows);
    rows_release(rows);
    return true;
}

static struct seen read_from(uint64_t from, uint64_t n_max)
{
    struct seen seen = {.first = from, .stop_after = n_max};
    assert_ok(hub_record_read(hub_record_find(record, passage), from, see, &seen));
    return seen;
}

static void kept_over_a_start(void **state)
{
    struct hub_record_stream *stream = hub_record_find(record, passage);
    assert_non_null(stream);
    assert_null(hub_record_find(record, hub_resource_find(city.hub, STR("h/count/indicator")))); /* another party's */
    for (size_t i = 0; i < 5; i++)
        assert_ok(keep(1 + i, "浙A1"));
    for (int i = 0; i < 10000 && atomic_load(&n_told) < 5; i++) /* told by another thread, a moment after it is settled */
        usleep(1000);
    assert_int_equal(atomic_load(&n_told), 5);
    struct hub_record_place place = hub_record_place(stream);
    assert_true(place.first == 0 && place.end == 5 && place.confirmed == 0 && place.epoch != 0);
    assert_int_equal(read_from(0, 2).n, 2);
    assert_int_equal(read_from(2, 9).n_rows, 3 + 4 + 5); /* the one at which the reader said no is not lost to it */
    assert_int_equal(read_from(2, 9).n, 3);              /* nor is what is asked for again */
    hub_record_confirm(stream, 3);
    hub_record_confirm(stream, 1);  /* back is no way, */
    hub_record_confirm(stream, 99); /* nor past the end */
    hub_record_destroy(record);
    open_record();
    stream = hub_record_find(record, passage);
    struct hub_record_place again = hub_record_place(stream);
    assert_true(again.epoch != place.epoch && again.confirmed == 3 && again.end == 5);
    assert_int_equal(hub_record_agreed(stream, place.epoch), 5); /* who has the last life's numbers goes on with them */
    assert_int_equal(hub_record_agreed(stream, place.epoch + 2), 0);
    assert_ok(keep(1, "浙A2"));
    assert_int_equal(read_from(3, 9).n_rows, 4 + 5 + 1);
}

static void long_batches(void **state)
{
    static char text[1001];
    memset(text, 'x', sizeof text - 1);
    assert_ok(keep(250, text)); /* 250 KB of each text field: in parts */
    struct seen seen = read_from(0, 99);
    assert_true(seen.n > 1);
    assert_int_equal(seen.n_rows, 250);
    assert_err(keep(5000, text), ERR_TOO_LARGE); /* more than an append of a journal */
    assert_ok(keep(1, "after it"));
}

/* How many batches of one row it takes before it refuses one. */
static size_t fill(const char *text)
{
    size_t n = 0;
    enum err err;
    while (!(err = keep(1, text)) && n < 1000)
        n++;
    assert_err(err, ERR_FULL);
    return n;
}

/*
 * As much as may wait, and no byte more: then the source is refused, whoever comes after it, and after a start anew too, until the hub has
 * confirmed. What was accepted is all there, in order, without a gap.
 */
static void as_much_as_may_wait(void **state)
{
    static char text[1001];
    memset(text, 'x', sizeof text - 1);
    hub_record_destroy(record);
    waiting_max = 40000;
    open_record();
    size_t n = fill(text);
    assert_in_range(n, 15, 20); /* of two texts and what is around them */
    assert_err(keep(1, text), ERR_FULL);
    assert_ok(keep(1, "")); /* what still fits is taken */
    n++;
    struct seen all = read_from(0, 999);
    assert_true(all.n == n && all.n_rows == n);
    hub_record_destroy(record);
    open_record();
    assert_err(keep(1, text), ERR_FULL);
    hub_record_confirm(hub_record_find(record, passage), 5);
    assert_int_equal(fill(text), 5);
    hub_record_confirm(hub_record_find(record, passage), n + 5);
    assert_in_range(fill(text), n - 1, n);
    assert_true(read_from(n + 5, 999).n >= n - 1);
    waiting_max = 0;
}

/* All that is durable is confirmed while more is on its way to the disk: that still waits, and counts. */
static void confirmed_while_more_comes(void **state)
{
    struct hub_record_stream *stream = hub_record_find(record, passage);
    struct hub_keeper *keeper = hub_record_keeper(record);
    for (int i = 0; i < 5; i++)
        assert_ok(keep(1, "浙A1"));
    uint64_t one = hub_record_n_waiting(stream) / 5;
    is_disk_held = true;
    for (int i = 0; i < 3; i++)
        assert_ok(keep_one(1, "浙A1", false));
    assert_int_equal(hub_record_place(stream).end, 5);
    hub_record_confirm(stream, 5);
    assert_int_equal(hub_record_place(stream).confirmed, 5);
    assert_int_equal(hub_record_n_waiting(stream), 3 * one);
    is_disk_held = false;
    assert_ok(keeper->settle(keeper));
    hub_record_confirm(stream, 7);
    assert_int_equal(hub_record_n_waiting(stream), one);
    hub_record_confirm(stream, 8);
    assert_int_equal(hub_record_n_waiting(stream), 0);
}

static void open_again(void)
{
    hub_record_destroy(record);
    open_record();
}

static bool is_on_disk(const char *text)
{
    char command[256];
    snprintf(command, sizeof command, "grep -rqF '%s' '%s'", text, dir);
    return system(command) == 0;
}

/* What lies on the disk is sealed; what an older program left there is read. */
static void sealed(void **state)
{
    is_plain = true;
    open_again();
    assert_ok(keep(2, "plain-A1"));
    is_plain = false;
    open_again();
    assert_true(is_on_disk("plain-A1"));
    for (int i = 0; i < 3; i++) {
        assert_ok(keep(2, "sealed-A1"));
        open_again();
    }
    assert_false(is_on_disk("sealed-A1"));
    assert_int_equal(read_from(0, 9).n_rows, 8);
    assert_int_equal(read_from(2, 9).n_rows, 4);
    hub_record_confirm(hub_record_find(record, passage), 3); /* counted without opening */
    open_again();
    uint64_t waiting = hub_record_n_waiting(hub_record_find(record, passage));
    hub_record_confirm(hub_record_find(record, passage), 4);
    assert_int_equal(hub_record_n_waiting(hub_record_find(record, passage)), 0);
    assert_true(waiting > 0 && waiting < 1000);
}

/* The start is refused, with the key's file, the folder and the mend; what is there stays as it is. */
static void assert_refused(const char *says)
{
    struct diag diag = {""};
    struct rows *rows;
    assert_err(try_open(&diag), ERR_CRYPTO);
    assert_memory_equal(diag.text, key_path, strlen(key_path));
    assert_non_null(strstr(diag.text, says));
    assert_non_null(strstr(diag.text, "/streams/h~police~passage, from record 1 on; put that file back"));
    assert_ok(rows_create(passage->n_fields, 1000, &rows));
    assert_err(hub_record_keeper(record)->keep(hub_record_keeper(record), passage, rows), ERR_FULL); /* nothing of it is served */
    rows_release(rows);
    hub_record_destroy(record);
}

static void key_file(bool is_copied_away)
{
    char command[400];
    snprintf(command, sizeof command, is_copied_away ? "mv '%s' '%s.away'" : "mv -f '%s.away' '%s'", key_path, key_path);
    assert_int_equal(system(command), 0);
}

/*
 * A folder that was restored without its key, or with another one: what was accepted and is not confirmed is not lost without a word, the
 * start is refused until the key is back. Nor is a key made that would hide it. What was confirmed needs none.
 */
static void without_its_key(void **state)
{
    struct hub_record_stream *stream;
    uint8_t other[32];
    for (int i = 0; i < 2; i++) {
        assert_ok(keep(2, "sealed-A1"));
        open_again();
    }
    stream = hub_record_find(record, passage);
    hub_record_confirm(stream, 1);
    uint64_t epoch = hub_record_place(stream).epoch;
    hub_record_destroy(record);
    key_file(true);
    for (int i = 0; i < 2; i++)
        assert_refused("this file is not there");
    assert_int_equal(access(key_path, F_OK), -1);
    assert_ok(crypto_key_file(key_path, other));
    assert_refused("this is not the key");
    key_file(false);
    open_record();
    stream = hub_record_find(record, passage);
    assert_int_equal(read_from(1, 9).n_rows, 2);
    assert_int_equal(hub_record_agreed(stream, epoch), 2); /* the refused ones were no lives */
    assert_int_equal(hub_record_place(stream).confirmed, 1);
    hub_record_confirm(stream, 2);
    hub_record_destroy(record);
    key_file(true);
    open_record(); /* all is confirmed: with a new key as in a new folder */
    assert_ok(keep(1, "sealed-A2"));
    open_again();
    assert_int_equal(read_from(2, 9).n_rows, 1);
}

/* A copy of an older day agrees with what was said since as far as it goes, and no further; over as many lives as are remembered. */
static void a_copy_of_an_older_day(void **state)
{
    struct hub_record_stream *stream = hub_record_find(record, passage);
    char command[512];
    assert_ok(keep(1, "浙A1"));
    uint64_t first = hub_record_place(stream).epoch;
    hub_record_destroy(record);
    snprintf(command, sizeof command, "cp -r '%s' '%s-old'", dir, dir);
    assert_int_equal(system(command), 0);
    open_record();
    stream = hub_record_find(record, passage);
    uint64_t lost = hub_record_place(stream).epoch;
    assert_ok(keep(1, "浙A2"));
    hub_record_destroy(record);
    snprintf(command, sizeof command, "rm -r '%s' && mv '%s-old' '%s'", dir, dir, dir);
    assert_int_equal(system(command), 0);
    open_record();
    stream = hub_record_find(record, passage);
    for (int i = 0; i < 3; i++)
        assert_ok(keep(1, "浙A3"));
    assert_int_equal(hub_record_agreed(stream, first), 1);
    assert_int_equal(hub_record_agreed(stream, lost), 0); /* this copy knows nothing of it */
    for (int i = 0; i < 40; i++) {
        uint64_t epoch = hub_record_place(stream).epoch;
        hub_record_destroy(record);
        open_record();
        stream = hub_record_find(record, passage);
        assert_int_equal(hub_record_agreed(stream, epoch), 4);
        assert_int_equal(hub_record_agreed(stream, first), i < 31 ? 1 : 0);
    }
    hub_record_renew(stream);
    assert_int_equal(hub_record_agreed(stream, hub_record_place(stream).epoch), 4);
    assert_int_equal(hub_record_agreed(stream, first), 0);
}

static void another_numbering(void **state)
{
    struct hub_record_stream *stream = hub_record_find(record, passage);
    char command[256];
    assert_ok(keep(1, "浙A1"));
    assert_ok(keep(1, "浙A2"));
    hub_record_confirm(stream, 2);
    uint64_t epoch = hub_record_place(stream).epoch;
    hub_record_renew(stream);
    assert_true(hub_record_place(stream).epoch != epoch);
    epoch = hub_record_place(stream).epoch;
    hub_record_destroy(record);
    snprintf(command, sizeof command, "rm -r '%s/h~police~passage'", dir); /* the journal is gone, what was confirmed of it is not */
    assert_int_equal(system(command), 0);
    open_record();
    struct hub_record_place place = hub_record_place(hub_record_find(record, passage));
    assert_true(place.epoch != epoch && place.epoch != 0 && place.confirmed == 0 && place.end == 0);
}

/* What waits is bounded: past it a source is refused, unless the oldest are dropped; and what is left is read on. */
static void bounded(void **state)
{
    struct hub_record_stream *stream = hub_record_find(record, passage);
    static char text[10001];
    memset(text, 'x', sizeof text - 1);
    uint64_t n = 0, before;
    while (!keep(1, text))
        n++;
    assert_err(keep(1, text), ERR_FULL);
    assert_true(n > 10 && hub_record_n_waiting(stream) <= waiting_max);
    before = hub_record_n_waiting(stream);
    uint64_t n_dropped = hub_record_trim(stream, before / 2);
    assert_true(n_dropped >= n / 3 && n_dropped <= 2 * n / 3);
    assert_true(hub_record_n_waiting(stream) <= before / 2);
    assert_int_equal(hub_record_place(stream).confirmed, n_dropped);
    assert_ok(keep(1, text));
    assert_int_equal(read_from(n_dropped, 9999).n, n - n_dropped + 1);
    assert_int_equal(hub_record_trim(stream, waiting_max), 0);
}

/* Only the fields that somebody may have are on the disk. */
static void masked(void **state)
{
    struct hub_record_stream *stream = hub_record_find(record, passage);
    size_t at = passage->n_fields;
    while (at-- > 0 && passage->fields[at].type != VALUE_TEXT) {
    }
    hub_record_mask(stream, UINT64_C(1) << at);
    assert_ok(keep(2, "浙A9"));
    struct rows *rows = NULL;
    struct got got = {.rows = &rows};
    assert_ok(hub_record_read(stream, 0, read_one, &got));
    assert_int_equal(rows_n(rows), 2);
    for (size_t i = 0; i < passage->n_fields; i++)
        assert_int_equal(rows_at(rows, 1)[i].type, i == at ? VALUE_TEXT : VALUE_NULL);
    rows_release(rows);
    hub_record_mask(stream, 0); /* nobody may have any */
    assert_err(keep(1, "浙A9"), ERR_RANGE);
}

static struct hub_settle settle;
static bool is_settled;

static void on_settled(struct loop_task *task)
{
    is_settled = true;
}

/* Told on the loop when all before is on the disk; at once when nothing of it is kept. */
static void settled(void **state)
{
    struct hub_keeper *keeper = hub_record_keeper(record);
    const struct hub_resource *all[] = {passage, hub_resource_find(city.hub, STR("h/count/indicator"))};
    struct loop *loop;
    assert_ok(loop_create(clock_system(), &loop));
    for (int i = 0; i < 20; i++) {
        settle = (struct hub_settle){.loop = loop, .task = {.fn = on_settled}};
        is_settled = false;
        if (i % 2 == 0)
            assert_ok(keep_one(1, "浙A1", false));
        keeper->settled(keeper, all[i % 2], &settle);
        while (!is_settled)
            assert_ok(loop_run_once(loop, 100));
        assert_ok(settle.err);
        assert_int_equal(hub_record_place(hub_record_find(record, passage)).end, i / 2 + 1);
    }
    loop_destroy(loop);
}

static int make_small(void **state)
{
    waiting_max = 2000000;
    return make(state);
}

static int finish_small(void **state)
{
    waiting_max = 0;
    return finish(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kept_over_a_start, make, finish),
        cmocka_unit_test_setup_teardown(long_batches, make, finish),
        cmocka_unit_test_setup_teardown(as_much_as_may_wait, make, finish),
        cmocka_unit_test_setup_teardown(confirmed_while_more_comes, make, finish),
        cmocka_unit_test_setup_teardown(sealed, make, finish),
        cmocka_unit_test_setup_teardown(without_its_key, make, finish),
        cmocka_unit_test_setup_teardown(a_copy_of_an_older_day, make, finish),
        cmocka_unit_test_setup_teardown(another_numbering, make, finish),
        cmocka_unit_test_setup_teardown(bounded, make_small, finish_small),
        cmocka_unit_test_setup_teardown(masked, make, finish),
        cmocka_unit_test_setup_teardown(settled, make, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
