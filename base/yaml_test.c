/* YAML: each refusal with its place and mend, as a person who edits a city's file sees it. */
#include "base/mem.h"
#include "base/test.h"
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct diag_list diags; /* 50 KB: not for the stack */

static struct yaml *load(const char *text)
{
    struct yaml *yaml = NULL;

    memset(&diags, 0, sizeof(diags));
    assert_ok(yaml_load_str(str_from_c(text), "f.yaml", &diags, &yaml));
    return yaml;
}

static void loads_refuse(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        const char *says;
    } rows[] = {
        {"", ERR_SYNTAX, "f.yaml:1: the file is empty"},
        {"# nothing\n", ERR_SYNTAX, "the file is empty"},
        {"a: [1, 2\nb: 3\n", ERR_SYNTAX, "f.yaml:2: "},
        {"a: 1\n\tb: 2\n", ERR_SYNTAX, "f.yaml:2: "},
        {"a: &x 1\n", ERR_SYNTAX, "f.yaml:1: an anchor"},
        {"a: 1\nb: &x [1]\nc: *x\n", ERR_SYNTAX, "f.yaml:2: an anchor"},
        {"a: *x\n", ERR_SYNTAX, "an alias"},
        {"a: !!str 1\n", ERR_SYNTAX, "a tag"},
        {"a: !x [1]\n", ERR_SYNTAX, "a tag"},
        {"a: 1\n---\nb: 2\n", ERR_SYNTAX, "f.yaml:2: a second document"},
        {"a: 1\nb: 2\na: 3\n", ERR_EXISTS, "f.yaml:3: key \"a\" is given twice (first in line 1)"},
        {"l:\n  - {x: 1, y: 2, x: 3}\n", ERR_EXISTS, "f.yaml:2: key \"x\" is given twice"},
        {"[1, 2]: 3\n", ERR_SYNTAX, "as a key"},
        {"a: \"x\\0y\"\n", ERR_SYNTAX, "NUL"},
        {"a: \xff\n", ERR_SYNTAX, "f.yaml:1: "},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", ERR_TOO_LARGE, "deeper than 16"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct yaml *yaml = NULL;
        memset(&diags, 0, sizeof(diags));
        assert_err(yaml_load_str(str_from_c(rows[i].text), "f.yaml", &diags, &yaml), rows[i].err);
        assert_null(yaml);
        assert_int_equal(diags.n, 1);
        if (!strstr(diags.diags[0].text, rows[i].says))
            fail_msg("row %zu says \"%s\", not \"%s\"", i, diags.diags[0].text, rows[i].says);
    }
}

static void walks_a_tree(void **state)
{
    struct yaml *yaml =
        load("city: hangzhou\ntitle: {zh: 杭州, en: Hangzhou}\nempty:\nnone: ~\nquoted: \"null\"\nlist:\n  - 1\n  - [2, 3]\n");
    struct yaml_node root = yaml_root(yaml), list = yaml_get(root, "list");

    assert_string_equal(yaml_name(yaml), "f.yaml");
    assert_int_equal(yaml_kind(root), YAML_MAP);
    assert_int_equal(yaml_n_items(root), 6);
    assert_str(yaml_text(yaml_get(yaml_get(root, "title"), "zh")), "杭州");
    assert_int_equal(yaml_line(yaml_get(root, "title")), 2);
    assert_true(yaml_is_null(yaml_get(root, "empty")));
    assert_true(yaml_is_null(yaml_get(root, "none")));
    assert_false(yaml_is_null(yaml_get(root, "quoted")));
    assert_true(yaml_is_none(yaml_get(root, "absent")));
    assert_true(yaml_is_null(yaml_get(yaml_get(root, "absent"), "deeper")));
    assert_int_equal(yaml_kind(list), YAML_LIST);
    assert_int_equal(yaml_n_items(list), 2);
    assert_str(yaml_text(yaml_item(yaml_item(list, 1), 1)), "3");
    assert_true(yaml_is_none(yaml_item(list, 2)));
    assert_str(yaml_text(yaml_map_key(root, 5)), "list");
    assert_true(yaml_is_none(yaml_map_value(root, 6)));
    yaml_destroy(yaml);
    yaml_destroy(NULL);
}

static void gets_typed_values(void **state)
{
    static const char *const choices[] = {"open", "internal", NULL};
    struct yaml *yaml = load("s: text\ni: -3\nr: 2.5\nb: true\nc: internal\nday: 2026-01-01\nat: 2026-01-01T00:00:00Z\n"
                             "ms: 1500ms\nsec: 30s\nmin: 15min\nh: 2h\nd: 7d\n");
    struct yaml_node root = yaml_root(yaml);
    struct str s = STR_NONE;
    int64_t i = 0;
    double r = 0;
    bool b = false;
    size_t at = 9;
    static const struct {
        const char *key;
        int64_t ms;
    } durations[] = {{"ms", 1500}, {"sec", 30000}, {"min", 900000}, {"h", 7200000}, {"d", 604800000}};

    assert_ok(yaml_get_str(root, "s", true, &diags, &s));
    assert_str(s, "text");
    assert_ok(yaml_get_i64(root, "i", true, &diags, -5, 5, &i));
    assert_int_equal(i, -3);
    assert_ok(yaml_get_real(root, "r", true, &diags, &r));
    assert_true(r == 2.5);
    assert_ok(yaml_get_bool(root, "b", true, &diags, &b));
    assert_true(b);
    assert_ok(yaml_get_choice(root, "c", true, &diags, choices, &at));
    assert_int_equal(at, 1);
    assert_ok(yaml_get_time_ms(root, "day", true, &diags, 8 * 3600, &i));
    assert_true(i == INT64_C(1767196800000));
    assert_ok(yaml_get_time_ms(root, "at", true, &diags, 8 * 3600, &i));
    assert_true(i == INT64_C(1767225600000));
    for (size_t row = 0; row < sizeof(durations) / sizeof(durations[0]); row++) {
        assert_ok(yaml_get_duration_ms(root, durations[row].key, true, &diags, &i));
        assert_true(i == durations[row].ms);
    }
    assert_err(yaml_get_str(root, "absent", false, &diags, &s), ERR_NOT_FOUND);
    assert_int_equal(diags.n, 0);
    yaml_destroy(yaml);
}

static void wrong_values_are_told(void **state)
{
    static const char *const choices[] = {"open", "internal", NULL};
    static const char *const keys[] = {"name", "title", "fields", NULL};
    static const char *const says[] = {
        "f.yaml:1: \"absent\" is missing here; add `absent: …`",
        "f.yaml:1: \"i\" is not a whole number: \"1x\"",
        "f.yaml:2: \"big\" is 70000; give it a number from 1 to 65535",
        "f.yaml:3: \"r\" is not a number: \"1,5\"",
        "f.yaml:4: \"b\" is \"yes\"; give it true or false",
        "f.yaml:5: \"c\" is \"secret\"; give it one of open, internal",
        "f.yaml:1: \"class\" is missing here; give it one of open, internal",
        "f.yaml:6: \"t\" is not a time: \"2026-02-30\"",
        "f.yaml:7: \"d\" is not a length of time: \"5 s\"",
        "f.yaml:8: \"l\" is a list; give it one value",
        "f.yaml:9: \"titel\" is not a key here; did you mean \"title\"?",
        "f.yaml:9: \"zzzzzzzz\" is not a key here; the keys are name, title, fields",
        "f.yaml:5: a map should stand here; its keys are name, title, fields",
    };
    struct yaml *yaml = load("i: 1x\nbig: 70000\nr: 1,5\nb: yes\nc: secret\nt: 2026-02-30\nd: 5 s\nl: [1]\nm: {titel: 1, zzzzzzzz: 2}\n");
    struct yaml_node root = yaml_root(yaml);
    struct str s = STR_NONE;
    int64_t i = 0;
    double r = 0;
    bool b = false;
    size_t at = 9;

    assert_err(yaml_get_str(root, "absent", true, &diags, &s), ERR_NOT_FOUND);
    assert_err(yaml_get_i64(root, "i", true, &diags, 0, 9, &i), ERR_SYNTAX);
    assert_err(yaml_get_i64(root, "big", true, &diags, 1, 65535, &i), ERR_SYNTAX);
    assert_err(yaml_get_real(root, "r", true, &diags, &r), ERR_SYNTAX);
    assert_err(yaml_get_bool(root, "b", true, &diags, &b), ERR_SYNTAX);
    assert_err(yaml_get_choice(root, "c", true, &diags, choices, &at), ERR_SYNTAX);
    assert_err(yaml_get_choice(root, "class", true, &diags, choices, &at), ERR_NOT_FOUND);
    assert_err(yaml_get_time_ms(root, "t", true, &diags, 0, &i), ERR_SYNTAX);
    assert_err(yaml_get_duration_ms(root, "d", true, &diags, &i), ERR_SYNTAX);
    assert_err(yaml_get_str(root, "l", true, &diags, &s), ERR_SYNTAX);
    assert_err(yaml_check_keys(yaml_get(root, "m"), keys, &diags), ERR_SYNTAX);
    assert_err(yaml_check_keys(yaml_get(root, "c"), keys, &diags), ERR_SYNTAX);
    assert_int_equal(diags.n, sizeof(says) / sizeof(says[0]));
    for (size_t row = 0; row < diags.n; row++)
        if (!strstr(diags.diags[row].text, says[row]))
            fail_msg("\"%s\", not \"%s\"", diags.diags[row].text, says[row]);
    yaml_destroy(yaml);
}

static void loads_files(void **state)
{
    char path[] = "/tmp/yaml_test_XXXXXX";
    struct yaml *yaml = NULL;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: 1\n", 5), 5);
    close(fd);
    memset(&diags, 0, sizeof(diags));
    assert_ok(yaml_load_file(path, &diags, &yaml));
    assert_string_equal(yaml_name(yaml), path);
    yaml_destroy(yaml);
    assert_int_equal(truncate(path, YAML_FILE_MAX + 1), 0);
    assert_err(yaml_load_file(path, &diags, &yaml), ERR_TOO_LARGE);
    unlink(path);
    assert_err(yaml_load_file(path, &diags, &yaml), ERR_NOT_FOUND);
    assert_err(yaml_load_file("/tmp", &diags, &yaml), ERR_IO);
    assert_int_equal(diags.n, 3);
    assert_non_null(strstr(diags.diags[1].text, "cannot be opened (No such file"));
}

static void survives_failing_memory(void **state)
{
    enum err err = ERR_NO_MEMORY;

    for (uint64_t nth = 1; err; nth++) {
        struct yaml *yaml = NULL;
        mem_fail_nth(nth);
        err = yaml_load_str(STR("a: {b: 1}\n"), "f.yaml", &diags, &yaml);
        mem_fail_nth(0);
        if (err)
            assert_err(err, ERR_NO_MEMORY);
        else
            assert_true(nth > 1);
        yaml_destroy(yaml);
        assert_int_equal(mem_n_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_refuse),
        cmocka_unit_test(walks_a_tree),
        cmocka_unit_test(gets_typed_values),
        cmocka_unit_test(wrong_values_are_told),
        cmocka_unit_test(loads_files),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
