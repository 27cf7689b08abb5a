/* What the cockpit's tests share: a small city's areas and indicators, written to files and read back by the real readers. */
#ifndef COCKPIT_COCKPIT_TEST_H
#define COCKPIT_COCKPIT_TEST_H

#include "base/mem.h"
#include "base/test.h"
#include "cockpit/indicator.h"
#include "hub/area.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEST_TITLE "title: {zh: 题, en: title}"

static const char test_areas_yaml[] =
    "areas:\n"
    "  - {name: h, " TEST_TITLE ", level: city, outline: [[120.0, 30.0], [120.4, 30.0], [120.4, 30.4], [120.0, 30.4]]}\n"
    "  - {name: h.x, " TEST_TITLE ", level: district, outline: [[120.0, 30.0], [120.2, 30.0], [120.2, 30.4], [120.0, 30.4]]}\n"
    "  - {name: h.y, " TEST_TITLE ", level: district, outline: [[120.2, 30.0], [120.4, 30.0], [120.4, 30.4], [120.2, 30.4]]}\n"
    "  - {name: h.x.a, " TEST_TITLE ", level: street, outline: [[120.0, 30.0], [120.1, 30.0], [120.1, 30.4], [120.0, 30.4]]}\n"
    "  - {name: h.x.b, " TEST_TITLE ", level: street, outline: [[120.1, 30.0], [120.2, 30.0], [120.2, 30.4], [120.1, 30.4]]}\n";

#define TEST_INDICATOR(name, source, roll_up, more)                                                                                        \
    "  - name: " name                                                                                                                      \
    "\n    title: {zh: 一, en: one}\n    definition: {zh: 二, en: two}\n    unit: {zh: 辆, en: vehicles}\n    owner: h/police\n"        \
    "    source: " source                                                                                                                  \
    "\n    formula: {name: f, version: 1, text: {zh: 三, en: three}}\n    period: 120s\n    stale_after: 10s\n    roll_up: " roll_up       \
    "\n" more

static const char test_indicators_yaml[] = "party: h/cockpit\npurpose: show\nindicators:\n" TEST_INDICATOR("count", "h/count/indicator",
    "none", "    decimals: 0\n") TEST_INDICATOR("truth", "h/world/truth", "sum", "    sampled: true\n") TEST_INDICATOR("speed",
    "h/count/indicator", "weighted", "    decimals: 1\n    scale: 3.6\n    thresholds: {amber: 5, red: 3, direction: below}\n")
    TEST_INDICATOR("delay", "h/count/indicator", "mean", "    decimals: 2\n    thresholds: {amber: 1.8, red: 2.5, direction: above}\n");

/* The path of a new file that holds `text`; the caller unlinks and frees it. */
static char *test_file(const char *text)
{
    char *path = strdup("/tmp/cockpit-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void test_remove(char *path)
{
    unlink(path);
    free(path);
}

__attribute__((unused)) static struct area_tree *test_areas(void)
{
    struct area_tree *areas;
    char *path = test_file(test_areas_yaml);
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    enum err err = area_tree_load(path, diags, &areas);
    if (err != ERR_OK)
        fail_msg("%s", diags->diags[0].text);
    mem_free(diags);
    test_remove(path);
    return areas;
}

__attribute__((unused)) static struct cockpit_config *test_config(void)
{
    struct cockpit_config *config;
    char *path = test_file(test_indicators_yaml);
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    enum err err = cockpit_config_load(path, diags, &config);
    if (err != ERR_OK)
        fail_msg("%s", diags->diags[0].text);
    mem_free(diags);
    test_remove(path);
    return config;
}

#endif
