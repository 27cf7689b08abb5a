/*
 * JSON from outside as rows of a resource: where in an object each declared field stands (a pointer, RFC 6901), and in which form. What the
 * connectors http and mqtt share.
 *
 *     fields: {lot: /id, free: /state/free, updated: {at: /ts, form: seconds}, speed: {at: /speed, scale: 0.1}}
 *
 * A field that is not named stands under its own name; null, or nothing there, is NULL. Anything of the wrong type refuses the row.
 */
#ifndef HUB_MAPPING_H
#define HUB_MAPPING_H

#include "base/clock.h"
#include "base/json.h"
#include "hub/department.h"

#define HUB_POINTER_DEPTH_MAX 8
struct hub_pointer {
    struct str tokens[HUB_POINTER_DEPTH_MAX];
    size_t n; /* 0: the whole */
};
/* Tokens are copied into `arena`. ERR_SYNTAX: neither "" nor "/…", or a '~' that escapes nothing; ERR_TOO_LARGE. */
enum err hub_pointer_parse(struct arena *arena, struct str text, struct hub_pointer *ret_pointer) MUST_CHECK;
const json_t *hub_pointer_find(const struct hub_pointer *pointer, const json_t *json); /* NULL: nothing there. Borrows */

/* How a value is written. PLAIN: times in RFC 3339 or as whole milliseconds since 1970 UTC, bytes as Base64, the others as themselves. */
enum hub_form {
    HUB_FORM_PLAIN,
    HUB_FORM_SECONDS, /* times: since 1970 UTC, whole or broken */
    HUB_FORM_LOCAL,   /* times: "2026-11-22 08:30:00", with or without a T and a fraction, in the department's zone */
    HUB_FORM_COMPACT, /* times: "20261122083000" or "261122083000" (JT/T 808), in the department's zone */
    HUB_FORM_TEXT,    /* numbers: "12.5"; booleans: "true", "1"; texts: also from a number */
    HUB_FORM_NUMBER,  /* booleans: 0 and 1 */
};

struct hub_mapped {
    struct hub_pointer at;
    enum hub_form form;
    double scale, divisor; /* reals: multiplied with, or divided by, which is exact for 0.1 or 0.000001; 1: as they are */
};
struct hub_mapping {
    const struct hub_resource *resource;
    struct time_zone zone;
    struct hub_mapped *fields; /* of the resource's, in their order */
};

/* The member `fields:` of `binding`, which may be absent. What is kept lives in the department's arena. */
enum err hub_mapping_read(struct hub_department *department, const struct hub_resource *resource, struct yaml_node binding,
    struct time_zone zone, struct diag_list *diags, struct hub_mapping *ret_mapping) MUST_CHECK;
/* The fields of `wanted` (a bit each), the others NULL, as values that borrow from `row` or live in `arena`. ERR_SYNTAX: *ret_field has a
 * value of another type, or `row` is no object (then *ret_field is the first); ERR_NO_MEMORY. */
enum err hub_mapping_row(const struct hub_mapping *mapping, const json_t *row, uint64_t wanted, struct arena *arena, struct value *values,
    size_t *ret_field) MUST_CHECK;
/* A value in the form in which the department writes the field: for questions. ERR_UNSUPPORTED: bytes, or a scaled number. */
enum err hub_mapping_write(const struct hub_mapping *mapping, size_t field, struct value value, struct buf *out) MUST_CHECK;

#endif
