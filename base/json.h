/*
 * JSON: jansson for reading on the control path, an append-only writer of our own, and RFC 8785 (JCS) for what is hashed or signed.
 *
 * Reading is strict: UTF-8, no key twice, nesting to JSON_DEPTH_MAX, the caller's limit on bytes. The hot ingest path has
 * its own reader (system/vehicle_camera, simdjson).
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/value.h"

#include <jansson.h>

#define JSON_DEPTH_MAX 32

/* ---- reading ---- */
/* The whole of `text` as one JSON value. ERR_SYNTAX with place and cause in `diag` (may be NULL), ERR_TOO_LARGE (depth), ERR_EXISTS (a key
 * twice). The caller drops *ret_json with json_decref(). */
enum err json_read(struct str text, struct diag *diag, json_t **ret_json) MUST_CHECK;
/* Whether a zero byte stands in the text; then it is no JSON, whatever jansson says. For those who call jansson themselves. */
bool json_has_nul(struct str text);
/* A member of an object: ERR_NOT_FOUND when absent or null, ERR_SYNTAX when of another type. Strings borrow from `object`. */
enum err json_get_str(const json_t *object, const char *key, struct str *ret_s) MUST_CHECK;
enum err json_get_i64(const json_t *object, const char *key, int64_t *ret_i) MUST_CHECK;
enum err json_get_bool(const json_t *object, const char *key, bool *ret_b) MUST_CHECK;
/* A JSON scalar as a value of the wanted type (numbers to integer only when whole; times as RFC 3339 text or integer ms). ERR_SYNTAX.
 * Borrows. */
enum err json_to_value(const json_t *json, enum value_type type, struct value *ret_value) MUST_CHECK;

/* ---- writing: append-only into a buf; commas are the writer's business; errors stick in the buf ---- */
struct json_writer {
    struct buf *out;   /* kept */
    uint64_t has_item; /* one bit a level: is a comma due */
    uint32_t depth;
    bool after_key;
};
void json_writer_init(struct json_writer *w, struct buf *out);
void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_key_str(struct json_writer *w, struct str key);
void json_put_str(struct json_writer *w, struct str s); /* invalid UTF-8 becomes U+FFFD */
void json_put_c(struct json_writer *w, const char *text);
void json_put_i64(struct json_writer *w, int64_t i);
void json_put_u64(struct json_writer *w, uint64_t i);
void json_put_real(struct json_writer *w, double r); /* shortest form that reads back; not finite: null */
void json_put_fixed(struct json_writer *w, double r, int decimals);
void json_put_bool(struct json_writer *w, bool b);
void json_put_null(struct json_writer *w);
void json_put_value(struct json_writer *w, struct value value); /* time as RFC 3339 UTC, bytes as Base64 */
void json_put_raw(struct json_writer *w, struct str json);      /* already JSON */
/* key and value in one */
void json_field_str(struct json_writer *w, const char *key, struct str s);
void json_field_c(struct json_writer *w, const char *key, const char *text);
void json_field_i64(struct json_writer *w, const char *key, int64_t i);
void json_field_real(struct json_writer *w, const char *key, double r);
void json_field_bool(struct json_writer *w, const char *key, bool b);

/* ---- canonical form: RFC 8785 ---- */
/* ERR_UNSUPPORTED for integers outside of ±2^53, which JCS cannot carry. */
enum err json_write_canonical(const json_t *json, struct buf *out) MUST_CHECK;

#endif
