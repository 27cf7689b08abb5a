/*
 * A city's file for the door: each setting, each error with its place and mend, the list of cameras, the file of passwords, and the
 * resource's fields.
 */
#include "system/vehicle_camera/settings.h"

#include "base/file_sim.h"
#include "base/mem.h"
#include "base/test.h"
#include "system/vehicle_camera/test_hub.h"
#include "system/vehicle_camera/vehicle_camera.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[FILE_PATH_MAX];
static struct diag_list *diags;

static int set_up(void **state)
{
    file_sim_make_root(dir);
    diags = calloc(1, sizeof *diags);
    return diags == NULL;
}

static int tear_down(void **state)
{
    file_sim_remove_tree(dir);
    free(diags);
    return 0;
}

static void write_file(const char *name, const char *text)
{
    char path[FILE_PATH_MAX];
    assert_ok(file_join(path, dir, name));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static struct hub_system_env env(void)
{
    return (struct hub_system_env){.clock = clock_system(),
        .city_dir = dir,
        .data_dir = dir,
        .party = STR("hangzhou/police"),
        .name = STR("cameras"),
        .check_only = true};
}

static enum err read_settings(const char *connection, struct settings *ret_settings)
{
    char text[1024];
    struct yaml *yaml = NULL;
    const struct hub_system_env e = env();
    memset(diags, 0, sizeof *diags);
    snprintf(text, sizeof text, "party: hangzhou/police\n%s", connection);
    assert_ok(yaml_load_str(str_from_c(text), "cameras.yaml", diags, &yaml));
    enum err err = settings_read(&e, yaml_root(yaml), diags, ret_settings);
    yaml_destroy(yaml);
    return err;
}

static void has_defaults(void **state)
{
    struct settings s;
    char path[FILE_PATH_MAX];
    assert_ok(read_settings("", &s));
    assert_string_equal(s.realm, "citybrain");
    assert_ok(file_join(path, dir, "secrets/camera"));
    assert_string_equal(s.password_path, path);
    assert_int_equal(s.zone.offset_s, 8 * 3600);
    assert_int_equal(s.silent_after_ms, 60000);
    assert_int_equal(s.accept_future_ms, 300000);
    assert_int_equal(s.accept_past_ms, 86400000);
    assert_int_equal(s.kept_ms, 7 * 86400000LL);
    assert_false(s.status_as_integer);
    assert_true(s.needs_standard);
}

static void reads_each_setting(void **state)
{
    struct settings s;
    write_file("city.yaml", "city: hangzhou\npassages_kept: 3d\n");
    assert_ok(read_settings("connection: {realm: viid, password_file: passwords, zone: UTC, silent_after: 5s, status_code: integer, "
                            "accept_future: 0s, accept_past: 2h, required: used, repeats_remembered: 5000}",
        &s));
    assert_string_equal(s.realm, "viid");
    assert_non_null(strstr(s.password_path, "/passwords")); /* below the city's folder */
    assert_int_equal(s.zone.offset_s, 0);
    assert_int_equal(s.silent_after_ms, 5000);
    assert_int_equal(s.accept_future_ms, 0);
    assert_int_equal(s.accept_past_ms, 7200000);
    assert_int_equal(s.kept_ms, 3 * 86400000LL);
    assert_int_equal(s.n_repeats, 5000);
    assert_true(s.status_as_integer);
    assert_false(s.needs_standard);
}

static void tells_each_error(void **state)
{
    static const char *const rows[][2] = {
        {"connection: {silent: 5s}", "silent"},
        {"connection: 17", "cameras.yaml:2"},
        {"connection: {silent_after: fast}", "silent_after"},
        {"connection: {silent_after: 10ms}", "silent_after is at least 1000 ms"},
        {"connection: {zone: Mars}", "\"Mars\" is no zone"},
        {"connection: {status_code: roman}", "integer"},
        {"connection: {required: nothing}", "used"},
        {"connection: {repeats_remembered: 5}", "repeats_remembered"},
        {"connection: {realm: 'a\"b'}", "a realm has at most 63 bytes and no quotes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct settings s = {.silent_after_ms = -1};
        if (read_settings(rows[i][0], &s) == ERR_OK)
            fail_msg("%s was taken", rows[i][0]);
        assert_int_equal(s.silent_after_ms, -1); /* untouched */
        if (strstr(diags->diags[0].text, rows[i][1]) == NULL || strstr(diags->diags[0].text, "cameras.yaml:2") == NULL)
            fail_msg("%s: \"%s\" does not say %s", rows[i][0], diags->diags[0].text, rows[i][1]);
    }
    struct settings s;
    write_file("city.yaml", "city: hangzhou\npassages_kept: forever\n");
    assert_true(read_settings("", &s) != ERR_OK);
    assert_non_null(strstr(diags->diags[0].text, "city.yaml:2"));
}

/* ---- the list of cameras ---- */

static enum err load_cameras(const char *text, struct camera_list *list)
{
    struct yaml *yaml = NULL;
    memset(diags, 0, sizeof *diags);
    assert_ok(yaml_load_str(str_from_c(text), "cameras.yaml", diags, &yaml));
    enum err err = camera_list_load(list, yaml_root(yaml), NULL, diags);
    yaml_destroy(yaml);
    return err;
}

static void lists_its_cameras(void **state)
{
    struct camera_list list;
    assert_ok(load_cameras(fake_city_file, &list));
    assert_int_equal(list.n, 4);
    const struct camera *camera = camera_find(&list, STR(FAKE_CAMERA_1));
    assert_non_null(camera);
    assert_str(camera->title_zh, "古翠路"); /* the file is gone, the texts are kept */
    assert_str(camera->area, "hangzhou.xihu.gudang");
    assert_true(camera->place.lon == 120.13 && camera->heading == 87 && !camera->is_platform);
    camera = camera_find(&list, STR(FAKE_CAMERA_3));
    assert_str(camera->title_en, FAKE_CAMERA_3);
    assert_true(isnan(camera->heading));
    assert_true(camera_find(&list, STR(FAKE_PLATFORM))->is_platform);
    assert_null(camera_find(&list, STR("33010600001190009999")));
    camera_list_finish(&list);
}

static void tells_each_error_of_the_list(void **state)
{
    static const char *const rows[][3] = {
        {"party: p\n", ":1", "there is no list \"cameras\""},
        {"cameras: {}\n", ":1", "there is no list \"cameras\""},
        {"cameras: []\n", ":1", "there is no list \"cameras\""},
        {"cameras:\n  - {area: a}\n", ":2", "device"},
        {"cameras:\n  - {device: x, area: a, colour: red}\n", ":2", "colour"},
        {"cameras:\n  - {device: x}\n", ":2", "area"},
        {"cameras:\n  - {device: '', area: a}\n", ":2", "1 to 64 characters"},
        {"cameras:\n  - {device: x, area: a, place: here}\n", ":2", "[longitude, latitude]"},
        {"cameras:\n  - {device: x, area: a, place: [30.28]}\n", ":2", "[longitude, latitude]"},
        {"cameras:\n  - {device: x, area: a, place: [120.1, 130.28]}\n", ":2", "[longitude, latitude]"},
        {"cameras:\n  - {device: x, area: a, heading: 400}\n", ":2", "0 to 360"},
        {"cameras:\n  - {device: x, area: a, title: {zh: 甲}}\n", ":2", "en"},
        {"cameras:\n  - {device: x, area: a}\n  - {device: y, area: a}\n  - {device: x, area: a}\n", ":4", "twice"},
        {"cameras:\n  - {device: x, area: a}\nplatforms:\n  - {device: x, area: a}\n", ":4", "twice"},
        {"cameras:\n  - {device: x, area: a}\nplatforms: all\n", ":3", "\"platforms\" is a list"},
    };
    int64_t n_before = mem_n_live();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct camera_list list;
        char place[64];
        if (load_cameras(rows[i][0], &list) == ERR_OK)
            fail_msg("%s was taken", rows[i][0]);
        snprintf(place, sizeof place, "cameras.yaml%s", rows[i][1]);
        if (strstr(diags->diags[0].text, place) == NULL || strstr(diags->diags[0].text, rows[i][2]) == NULL)
            fail_msg("%s: \"%s\" does not say %s %s", rows[i][0], diags->diags[0].text, place, rows[i][2]);
    }
    assert_int_equal(mem_n_live(), n_before);
    struct camera_list list; /* both errors of a file at once */
    assert_true(load_cameras("cameras:\n  - {device: x}\n  - {device: y, area: a, heading: 400}\n", &list) != ERR_OK);
    assert_int_equal(diags->n, 2);
}

static void loads_without_memory(void **state)
{
    bool has_passed = false;
    struct yaml *yaml = NULL;
    assert_ok(yaml_load_str(str_from_c(fake_city_file), "cameras.yaml", diags, &yaml));
    int64_t n_before = mem_n_live();
    for (uint64_t nth = 1; !has_passed; nth++) {
        struct camera_list list;
        assert_true(nth < 50);
        mem_fail_nth(nth);
        enum err err = camera_list_load(&list, yaml_root(yaml), NULL, NULL);
        mem_fail_nth(0);
        has_passed = err == ERR_OK;
        if (has_passed)
            camera_list_finish(&list);
        else
            assert_err(err, ERR_NO_MEMORY);
        assert_int_equal(mem_n_live(), n_before);
    }
    yaml_destroy(yaml);
}

/* ---- passwords ---- */

static enum err load_passwords(const char *text, struct passwords **ret_passwords)
{
    char path[FILE_PATH_MAX];
    memset(diags, 0, sizeof *diags);
    write_file("passwords", text);
    assert_ok(file_join(path, dir, "passwords"));
    return passwords_load(path, diags, ret_passwords);
}

static void keeps_passwords(void **state)
{
    struct passwords *passwords = NULL;
    struct str password;
    assert_ok(load_passwords("# the street's\n\nshared\n" FAKE_CAMERA_1 " its own \r\nx y\n", &passwords));
    assert_true(passwords_find(passwords, STR(FAKE_CAMERA_1), &password));
    assert_str(password, "its own");
    assert_true(passwords_find(passwords, STR("x"), &password));
    assert_str(password, "y");
    assert_true(passwords_find(passwords, STR("another"), &password));
    assert_str(password, "shared");
    passwords_destroy(passwords);
    passwords = NULL;
    assert_ok(load_passwords("x y", &passwords));
    assert_false(passwords_find(passwords, STR("another"), &password)); /* none for all */
    passwords_destroy(passwords);
    passwords_destroy(NULL);
    assert_err(load_passwords("\n# nothing\n", &passwords), ERR_SYNTAX);
    assert_non_null(strstr(diags->diags[0].text, "holds no password"));
    assert_err(load_passwords("a\nb\n", &passwords), ERR_EXISTS);
    assert_non_null(strstr(diags->diags[0].text, "passwords:2"));
    assert_err(load_passwords("x a\nx b\n", &passwords), ERR_EXISTS);
}

static void makes_a_password(void **state)
{
    char path[FILE_PATH_MAX];
    struct passwords *passwords = NULL;
    struct str password;
    struct stat st;
    assert_ok(file_join(path, dir, "secrets/camera"));
    assert_ok(passwords_load(path, diags, &passwords));
    assert_true(passwords_find(passwords, STR("x"), &password));
    assert_int_equal(password.len, 32);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct passwords *again = NULL;
    struct str same;
    assert_ok(passwords_load(path, diags, &again));
    assert_true(passwords_find(again, STR("x"), &same));
    assert_true(str_equal(password, same));
    passwords_destroy(passwords);
    passwords_destroy(again);
    assert_true(passwords_load("/proc/nowhere/camera", diags, &again) != ERR_OK);
    assert_non_null(strstr(diags->diags[0].text, "/proc/nowhere/camera"));
}

/* ---- `citybrain check` ---- */

static void checks_without_touching(void **state)
{
    struct hub_system_env e = env();
    struct yaml *yaml = NULL;
    void *system = NULL;
    char data[FILE_PATH_MAX];
    assert_ok(file_join(data, dir, "data"));
    e.data_dir = data;
    assert_ok(yaml_load_str(str_from_c(fake_city_file), "cameras.yaml", diags, &yaml));
    assert_ok(system_vehicle_camera_ops.open(&e, yaml_root(yaml), diags, &system));
    assert_int_not_equal(access(data, F_OK), 0);
    assert_ok(system_vehicle_camera_ops.bind(system, &fake_passage, yaml_root(yaml), diags));
    struct hub_resource wrong = fake_passage;
    wrong.n_fields = PASSAGE_N_FIELDS - 1;
    assert_true(system_vehicle_camera_ops.bind(system, &wrong, yaml_root(yaml), diags) != ERR_OK);
    assert_non_null(strstr(diags->diags[0].text, "field 13 of \"hangzhou/police/passage\" must be \"plate_group\" of type text"));
    struct hub_field fields[PASSAGE_N_FIELDS + 1];
    memcpy(fields, fake_passage.fields, sizeof(struct hub_field) * PASSAGE_N_FIELDS);
    fields[PASSAGE_N_FIELDS] = (struct hub_field){.name = STR("colour"), .type = VALUE_TEXT};
    wrong.fields = fields;
    wrong.n_fields = PASSAGE_N_FIELDS + 1;
    assert_true(system_vehicle_camera_ops.bind(system, &wrong, yaml_root(yaml), diags) != ERR_OK);
    wrong.n_fields = PASSAGE_N_FIELDS;
    fields[PASSAGE_TIME].type = VALUE_TEXT;
    assert_true(system_vehicle_camera_ops.bind(system, &wrong, yaml_root(yaml), diags) != ERR_OK);
    assert_non_null(strstr(diags->diags[2].text, "must be \"time\" of type time"));
    wrong = fake_passage;
    wrong.kind = HUB_TABLE;
    assert_err(system_vehicle_camera_ops.bind(system, &wrong, yaml_root(yaml), diags), ERR_UNSUPPORTED);
    system_vehicle_camera_ops.close(system);
    system_vehicle_camera_ops.close(NULL);
    yaml_destroy(yaml);
}

static void opening_survives_each_failed_allocation(void **state)
{
    struct hub_system_env e = env();
    struct yaml *yaml = NULL;
    struct loop *loop = NULL;
    bool has_passed = false;
    e.check_only = false;
    assert_ok(loop_create(clock_system(), &loop));
    e.loop = loop;
    assert_ok(yaml_load_str(str_from_c(fake_city_file), "cameras.yaml", diags, &yaml));
    for (uint64_t nth = 1; !has_passed; nth++) {
        void *system = NULL;
        assert_true(nth < 200);
        int64_t n_before = mem_n_live();
        mem_fail_nth(nth);
        enum err err = system_vehicle_camera_ops.open(&e, yaml_root(yaml), diags, &system);
        mem_fail_nth(0);
        has_passed = err == ERR_OK;
        if (err == ERR_OK)
            system_vehicle_camera_ops.close(system);
        else
            assert_err(err, ERR_NO_MEMORY);
        assert_in_range(mem_n_live(), n_before, n_before + 1); /* the loop keeps its array of timers */
    }
    yaml_destroy(yaml);
    loop_destroy(loop);
}

int main(void)
{
#define ROW(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(has_defaults),
        ROW(reads_each_setting),
        ROW(tells_each_error),
        ROW(lists_its_cameras),
        ROW(tells_each_error_of_the_list),
        ROW(loads_without_memory),
        ROW(keeps_passwords),
        ROW(makes_a_password),
        ROW(checks_without_touching),
        ROW(opening_survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
