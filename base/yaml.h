/*
 * YAML with line marks: libyaml's document tree behind typed getters whose errors name file, line, cause and mend.
 *
 * A city's files are read through this only. Anchors, aliases and tags are refused: a city file is plain data.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/diag.h"
#include "base/str.h"

#define YAML_FILE_MAX (8u << 20) /* bytes: a city's largest file, its cameras, is under 1 MB */
#define YAML_DEPTH_MAX 16

struct yaml; /* one document; owns all its text */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
    const struct yaml *yaml; /* borrowed */
    int index;               /* libyaml's node number, from 1; 0 is no node */
};

/* ERR_IO, ERR_SYNTAX, ERR_TOO_LARGE, ERR_EXISTS (a key twice); every error is told in `diags`. */
enum err yaml_load_file(const char *path, struct diag_list *diags, struct yaml **ret_yaml) MUST_CHECK;
enum err yaml_load_str(struct str text, const char *name, struct diag_list *diags, struct yaml **ret_yaml) MUST_CHECK;
void yaml_destroy(struct yaml *yaml);           /* takes NULL */
const char *yaml_name(const struct yaml *yaml); /* the path, as errors show it */
struct yaml_node yaml_root(const struct yaml *yaml);

enum yaml_kind yaml_kind(struct yaml_node node);
int yaml_line(struct yaml_node node); /* from 1 */
bool yaml_is_none(struct yaml_node node);
struct str yaml_text(struct yaml_node node); /* a scalar's text; empty for others. Borrowed until yaml_destroy() */
bool yaml_is_null(struct yaml_node node);    /* absent, or a plain `null`, `~` or empty scalar */
size_t yaml_n_items(struct yaml_node node);  /* of a list or a map */
struct yaml_node yaml_item(struct yaml_node list, size_t at);
struct yaml_node yaml_map_key(struct yaml_node map, size_t at);
struct yaml_node yaml_map_value(struct yaml_node map, size_t at);
struct yaml_node yaml_get(struct yaml_node map, const char *key); /* none when absent */

/* Typed members of a map. When the key is absent: ERR_NOT_FOUND, and with `required` an error in `diags` that says which key of what is
 * missing. When it is of the wrong form: an error in `diags` and ERR_SYNTAX. Outputs are untouched on failure. */
enum err yaml_get_str(struct yaml_node map, const char *key, bool required, struct diag_list *diags, struct str *ret_s);
enum err yaml_get_i64(
    struct yaml_node map, const char *key, bool required, struct diag_list *diags, int64_t min, int64_t max, int64_t *ret_i);
enum err yaml_get_real(struct yaml_node map, const char *key, bool required, struct diag_list *diags, double *ret_r);
enum err yaml_get_bool(struct yaml_node map, const char *key, bool required, struct diag_list *diags, bool *ret_b);
/* One of `choices` (NULL-terminated); the index is returned, and the error lists them. */
enum err yaml_get_choice(
    struct yaml_node map, const char *key, bool required, struct diag_list *diags, const char *const *choices, size_t *ret_at);
/* RFC 3339 or a bare date (midnight in `zone_offset_s`), as milliseconds. */
enum err yaml_get_time_ms(
    struct yaml_node map, const char *key, bool required, struct diag_list *diags, int32_t zone_offset_s, int64_t *ret_ms);
/* "1500ms", "30s", "15min", "2h", "7d" as milliseconds. */
enum err yaml_get_duration_ms(struct yaml_node map, const char *key, bool required, struct diag_list *diags, int64_t *ret_ms);
/* Every key of `map` must be among `keys` (NULL-terminated); each other one is an error that names the nearest known key. */
enum err yaml_check_keys(struct yaml_node map, const char *const *keys, struct diag_list *diags);
/* "path:line: …" for errors that the caller words. */
enum err yaml_error(struct yaml_node node, struct diag_list *diags, enum err err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
