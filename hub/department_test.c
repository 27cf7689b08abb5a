/* Where a department's secrets come from: files that are private, and of the environment what is meant for it. */
#include "hub/department.h"

#include "base/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err get(const char *value, const char *key, char out[HUB_DEPARTMENT_PATH_MAX])
{
    static const struct hub_department department = {.city_dir = "/city", .data_dir = "/data"};
    char text[512];
    struct diag_list diags = {0};
    struct yaml *yaml;
    snprintf(text, sizeof text, "%s: \"%s\"\n", key, value);
    assert_ok(yaml_load_str(str_from_c(text), "police.yaml", &diags, &yaml));
    enum err err = hub_department_get_path(&department, yaml_root(yaml), key, &diags, out);
    if (err)
        assert_non_null(strstr(diags.diags[0].text, "police.yaml:1: "));
    yaml_destroy(yaml);
    return err;
}

static void where_a_secret_is(void **state)
{
    static const struct {
        const char *key, *value, *path; /* NULL: refused */
    } rows[] = {
        {"password_file", "{data}/secrets/x", "/data/secrets/x"}, {"password_file", "/run/x", "/run/x"},
        {"password_file", "env:CITYBRAIN_SECRET_POLICE_2", "env:CITYBRAIN_SECRET_POLICE_2"},
        {"token_file", "env:CITYBRAIN_SECRET_A", "env:CITYBRAIN_SECRET_A"}, {"password_file", "env:CITYBRAIN_SECRET_", NULL},
        {"password_file", "env:AWS_SECRET_ACCESS_KEY", NULL}, /* nobody's other secrets are sent to a server of a city's file */
        {"password_file", "env:CITYBRAIN_SECRET_a", NULL}, {"password_file", "env:CITYBRAIN_SECRET_A=B", NULL},
        {"password_file", "env:PATH", NULL}, {"tls_ca", "env:CITYBRAIN_SECRET_A", NULL}, /* a file for a library */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[HUB_DEPARTMENT_PATH_MAX] = "";
        assert_err(get(rows[i].value, rows[i].key, path), rows[i].path ? ERR_OK : ERR_RANGE);
        if (rows[i].path)
            assert_string_equal(path, rows[i].path);
    }
}

static void what_it_is(void **state)
{
    char secret[HUB_DEPARTMENT_SECRET_MAX] = "", path[] = "/tmp/citybrain-secret-XXXXXX";
    assert_err(hub_department_secret("env:CITYBRAIN_SECRET_OF_THIS_TEST", secret), ERR_NOT_FOUND);
    setenv("CITYBRAIN_SECRET_OF_THIS_TEST", "geheim 雨", 1);
    assert_ok(hub_department_secret("env:CITYBRAIN_SECRET_OF_THIS_TEST", secret));
    assert_string_equal(secret, "geheim 雨");
    char long_one[HUB_DEPARTMENT_SECRET_MAX + 2];
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    setenv("CITYBRAIN_SECRET_OF_THIS_TEST", long_one, 1);
    assert_err(hub_department_secret("env:CITYBRAIN_SECRET_OF_THIS_TEST", secret), ERR_TOO_LARGE);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "first\r\nsecond\n", 14), 14);
    close(fd);
    assert_ok(hub_department_secret(path, secret));
    assert_string_equal(secret, "first");
    assert_int_equal(chmod(path, 0604), 0);
    assert_err(hub_department_secret(path, secret), ERR_DENIED);
    assert_int_equal(remove(path), 0);
    assert_err(hub_department_secret(path, secret), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_a_secret_is),
        cmocka_unit_test(what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
