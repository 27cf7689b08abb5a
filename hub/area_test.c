/*
 * The tree of areas: parents, points, and every way in which areas.yaml can be wrong.
 */
#include "base/test.h"
#include "hub/area.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/citybrain_area_XXXXXX";

static int make_file(void **state)
{
    int fd = mkstemp(path);
    close(fd);
    return fd < 0;
}

static int remove_file(void **state)
{
    return unlink(path);
}

static enum err load(const char *text, struct diag_list *diags, struct area_tree **ret_tree)
{
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    *diags = (struct diag_list){0};
    return area_tree_load(path, diags, ret_tree);
}

#define TITLE ", title: {zh: 甲, en: A}, "

static void a_tree(void **state)
{
    struct diag_list diags;
    struct area_tree *tree;
    assert_ok(load("areas:\n"
                   "  - {name: h" TITLE "level: city, outline: [[0, 0], [10, 0], [10, 10], [0, 10]]}\n"
                   "  - {name: h.x" TITLE "level: district, outline: [[0, 0], [5, 0], [5, 10], [0, 10]]}\n"
                   "  - {name: h.x.g" TITLE "level: street, outline: [[0, 0], [5, 0], [0, 5]]}\n"
                   "  - {name: h.y" TITLE "level: district}\n",
        &diags, &tree));
    assert_int_equal(area_n(tree), 4);
    assert_int_equal(area_at(tree, 0)->parent, -1);
    assert_int_equal(area_at(tree, 2)->parent, 1);
    assert_int_equal(area_at(tree, 2)->depth, 2);
    assert_null(area_at(tree, 4));
    assert_int_equal(area_find(tree, STR("h.y")), 3);
    assert_int_equal(area_find(tree, STR("h.")), -1);
    assert_int_equal(area_of_point(tree, (struct point){1, 1}), 2);
    assert_int_equal(area_of_point(tree, (struct point){4, 4}), 1);
    assert_int_equal(area_of_point(tree, (struct point){7, 7}), 0);
    assert_int_equal(area_of_point(tree, (struct point){11, 7}), -1);
    area_tree_destroy(tree);
}

static void within(void **state)
{
    assert_true(area_is_within(STR("h.x"), STR("h")));
    assert_true(area_is_within(STR("h.x"), STR("h.x")));
    assert_false(area_is_within(STR("h.xy"), STR("h.x")));
    assert_false(area_is_within(STR("h"), STR("h.x")));
}

static void wrong_files(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"areas: []\n", "there is no area"},
        {"area: []\n", "area"},
        {"areas:\n  - {name: h" TITLE "level: town}\n", ":2: "},
        {"areas:\n  - {name: H" TITLE "level: city}\n", "is not a name"},
        {"areas:\n  - {name: h, level: city}\n", "title"},
        {"areas:\n  - {name: h" TITLE "level: city, outlin: []}\n", "outline"},
        {"areas:\n  - {name: h" TITLE "level: city}\n  - {name: h" TITLE "level: city}\n", "declared twice"},
        {"areas:\n  - {name: h" TITLE "level: city}\n  - {name: k" TITLE "level: city}\n", "second root"},
        {"areas:\n  - {name: h" TITLE "level: city}\n  - {name: h.x.g" TITLE "level: street}\n", "declare \"h.x\" before it"},
        {"areas:\n  - {name: h" TITLE "level: city, outline: [[0, 0], [1, 1]]}\n", "three points"},
        {"areas:\n  - {name: h" TITLE "level: city, outline: [[0, 0], [1, 1], [200, 1]]}\n", "is not a coordinate"},
        {"areas:\n  - {name: h" TITLE "level: city, outline: [[0, 0], [1, 1], [1, x]]}\n", "is not a coordinate"},
        {"areas:\n  - {name: h" TITLE "level: city, outline: [[0, 0], [1, 1], [1]]}\n", "longitude"},
        {"areas:\n  - h\n", "is a map"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list diags;
        struct area_tree *tree = NULL;
        assert_int_not_equal(load(rows[i].text, &diags, &tree), ERR_OK);
        assert_null(tree);
        assert_int_not_equal(diags.n, 0);
        if (!strstr(diags.diags[0].text, rows[i].says) || !strstr(diags.diags[0].text, path))
            fail_msg("row %zu says: %s", i, diags.diags[0].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_tree), cmocka_unit_test(within), cmocka_unit_test(wrong_files)};
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
