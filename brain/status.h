/*
 * `citybrain status`: a running brain's figures as a table for people. It knows no more than any monitor does: the page of /metrics, read
 * back, and /readyz.
 */
#ifndef BRAIN_STATUS_H
#define BRAIN_STATUS_H

#include "base/json.h"
#include "base/str.h"

#include <stdio.h>

struct status_of {
    const char *title_zh, *title_en, *url, *log;
    bool is_zh;
};

/* The samples of a page: {"name":[{"labels":{…},"value":…},…],…}. ERR_SYNTAX: no such page; ERR_NO_MEMORY. */
enum err status_read(struct str page, json_t **ret_samples) MUST_CHECK;
void status_print(const json_t *samples, const json_t *readiness, const struct status_of *of, FILE *out);

#endif
