/*
 * Typed getters over a loaded YAML document. Each wrong or missing value is one line that names file, line, cause and mend.
 */
#include "base/yaml.h"

#include "base/clock.h"
#include "base/yaml_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEY_LENGTH_MAX 64 /* longer unknown keys get no proposal */
#define LIST_TEXT_MAX 256

static const yaml_node_t *raw(struct yaml_node node)
{
    return node.yaml && node.index > 0 ? yaml_internal_node(node.yaml, node.index) : NULL;
}

const char *yaml_name(const struct yaml *yaml)
{
    return yaml->name;
}

struct yaml_node yaml_root(const struct yaml *yaml)
{
    return (struct yaml_node){yaml, 1};
}

bool yaml_is_none(struct yaml_node node)
{
    return !raw(node);
}

enum yaml_kind yaml_kind(struct yaml_node node)
{
    const yaml_node_t *n = raw(node);

    if (n && n->type == YAML_SEQUENCE_NODE)
        return YAML_LIST;
    return n && n->type == YAML_MAPPING_NODE ? YAML_MAP : YAML_SCALAR;
}

int yaml_line(struct yaml_node node)
{
    const yaml_node_t *n = raw(node);

    return n ? (int)n->start_mark.line + 1 : 0;
}

struct str yaml_text(struct yaml_node node)
{
    const yaml_node_t *n = raw(node);

    if (!n || n->type != YAML_SCALAR_NODE)
        return STR_NONE;
    return (struct str){(const char *)n->data.scalar.value, n->data.scalar.length};
}

bool yaml_is_null(struct yaml_node node)
{
    const yaml_node_t *n = raw(node);
    struct str text = yaml_text(node);

    if (!n)
        return true;
    if (n->type != YAML_SCALAR_NODE || n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    return str_is_empty(text) || str_equal_c(text, "~") || str_equal_c(text, "null");
}

size_t yaml_n_items(struct yaml_node node)
{
    const yaml_node_t *n = raw(node);

    if (n && n->type == YAML_SEQUENCE_NODE)
        return (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
    if (n && n->type == YAML_MAPPING_NODE)
        return (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
    return 0;
}

struct yaml_node yaml_item(struct yaml_node list, size_t at)
{
    const yaml_node_t *n = raw(list);

    if (!n || n->type != YAML_SEQUENCE_NODE || at >= yaml_n_items(list))
        return (struct yaml_node){list.yaml, 0};
    return (struct yaml_node){list.yaml, n->data.sequence.items.start[at]};
}

static const yaml_node_pair_t *pair(struct yaml_node map, size_t at)
{
    const yaml_node_t *n = raw(map);

    return n && n->type == YAML_MAPPING_NODE && at < yaml_n_items(map) ? &n->data.mapping.pairs.start[at] : NULL;
}

struct yaml_node yaml_map_key(struct yaml_node map, size_t at)
{
    const yaml_node_pair_t *p = pair(map, at);

    return (struct yaml_node){map.yaml, p ? p->key : 0};
}

struct yaml_node yaml_map_value(struct yaml_node map, size_t at)
{
    const yaml_node_pair_t *p = pair(map, at);

    return (struct yaml_node){map.yaml, p ? p->value : 0};
}

struct yaml_node yaml_get(struct yaml_node map, const char *key)
{
    for (size_t i = 0; pair(map, i); i++)
        if (str_equal_c(yaml_text(yaml_map_key(map, i)), key))
            return yaml_map_value(map, i);
    return (struct yaml_node){map.yaml, 0};
}

enum err yaml_error(struct yaml_node node, struct diag_list *diags, enum err err, const char *format, ...)
{
    char text[DIAG_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return diag_add(diags, err, node.yaml ? yaml_name(node.yaml) : NULL, yaml_line(node), "%s", text);
}

/* The scalar under `key`: what every typed getter begins with. */
static enum err scalar(struct yaml_node map, const char *key, bool required, struct diag_list *diags, struct yaml_node *ret_node)
{
    struct yaml_node node = yaml_get(map, key);

    if (!yaml_is_none(map) && yaml_kind(map) != YAML_MAP)
        return yaml_error(map, diags, ERR_SYNTAX, "a map with the key \"%s\" should stand here; write `%s: …`", key, key);
    if (yaml_is_null(node)) {
        if (required)
            yaml_error(map, diags, ERR_NOT_FOUND, "\"%s\" is missing here; add `%s: …`", key, key);
        return ERR_NOT_FOUND;
    }
    if (yaml_kind(node) != YAML_SCALAR)
        return yaml_error(node, diags, ERR_SYNTAX, "\"%s\" is a %s; give it one value", key, yaml_kind(node) == YAML_LIST ? "list" : "map");
    *ret_node = node;
    return ERR_OK;
}

enum err yaml_get_str(struct yaml_node map, const char *key, bool required, struct diag_list *diags, struct str *ret_s)
{
    struct yaml_node node;
    enum err err = scalar(map, key, required, diags, &node);

    if (!err)
        *ret_s = yaml_text(node);
    return err;
}

enum err yaml_get_i64(
    struct yaml_node map, const char *key, bool required, struct diag_list *diags, int64_t min, int64_t max, int64_t *ret_i)
{
    struct yaml_node node;
    int64_t i;
    enum err err = scalar(map, key, required, diags, &node);

    if (err)
        return err;
    if (str_to_i64(yaml_text(node), &i))
        return yaml_error(
            node, diags, ERR_SYNTAX, "\"%s\" is not a whole number: \"" STR_FORMAT "\"; write digits only", key, STR_ARG(yaml_text(node)));
    if (i < min || i > max)
        return yaml_error(node, diags, ERR_SYNTAX, "\"%s\" is %lld; give it a number from %lld to %lld", key, (long long)i, (long long)min,
            (long long)max);
    *ret_i = i;
    return ERR_OK;
}

enum err yaml_get_real(struct yaml_node map, const char *key, bool required, struct diag_list *diags, double *ret_r)
{
    struct yaml_node node;
    double r;
    enum err err = scalar(map, key, required, diags, &node);

    if (err)
        return err;
    if (str_to_double(yaml_text(node), &r))
        return yaml_error(
            node, diags, ERR_SYNTAX, "\"%s\" is not a number: \"" STR_FORMAT "\"; write one like 12.5", key, STR_ARG(yaml_text(node)));
    *ret_r = r;
    return ERR_OK;
}

enum err yaml_get_bool(struct yaml_node map, const char *key, bool required, struct diag_list *diags, bool *ret_b)
{
    struct yaml_node node;
    enum err err = scalar(map, key, required, diags, &node);

    if (err)
        return err;
    if (str_equal_c(yaml_text(node), "true"))
        *ret_b = true;
    else if (str_equal_c(yaml_text(node), "false"))
        *ret_b = false;
    else
        return yaml_error(node, diags, ERR_SYNTAX, "\"%s\" is \"" STR_FORMAT "\"; give it true or false", key, STR_ARG(yaml_text(node)));
    return ERR_OK;
}

/* "open, internal, personal" cut to what fits. */
static void join(const char *const *words, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; words[i] && len < size; i++) {
        int n = snprintf(out + len, size - len, "%s%s", i ? ", " : "", words[i]);
        len += n > 0 ? (size_t)n : 0;
    }
}

enum err yaml_get_choice(
    struct yaml_node map, const char *key, bool required, struct diag_list *diags, const char *const *choices, size_t *ret_at)
{
    struct yaml_node node;
    char list[LIST_TEXT_MAX];
    enum err err = scalar(map, key, false, diags, &node);

    if (err == ERR_NOT_FOUND && required) {
        join(choices, list, sizeof(list));
        return yaml_error(map, diags, ERR_NOT_FOUND, "\"%s\" is missing here; give it one of %s", key, list);
    }
    if (err)
        return err;
    for (size_t i = 0; choices[i]; i++) {
        if (str_equal_c(yaml_text(node), choices[i])) {
            *ret_at = i;
            return ERR_OK;
        }
    }
    join(choices, list, sizeof(list));
    return yaml_error(node, diags, ERR_SYNTAX, "\"%s\" is \"" STR_FORMAT "\"; give it one of %s", key, STR_ARG(yaml_text(node)), list);
}

enum err yaml_get_time_ms(
    struct yaml_node map, const char *key, bool required, struct diag_list *diags, int32_t zone_offset_s, int64_t *ret_ms)
{
    struct yaml_node node;
    struct wall_time wall;
    struct str text;
    enum err err = scalar(map, key, required, diags, &node);

    if (err)
        return err;
    text = yaml_text(node);
    if (text.len == 10 && text.ptr[4] == '-' && text.ptr[7] == '-') {
        int64_t year, month, day;
        struct civil_time civil;
        if (!str_to_i64(str_slice(text, 0, 4), &year) && !str_to_i64(str_slice(text, 5, 2), &month) &&
            !str_to_i64(str_slice(text, 8, 2), &day)) {
            civil = (struct civil_time){.year = (int32_t)year, .month = (int32_t)month, .day = (int32_t)day};
            if (!civil_to_wall(civil, (struct time_zone){zone_offset_s}, &wall)) {
                *ret_ms = wall.ms;
                return ERR_OK;
            }
        }
    } else if (!wall_parse_rfc3339(text, &wall)) {
        *ret_ms = wall.ms;
        return ERR_OK;
    }
    return yaml_error(node, diags, ERR_SYNTAX, "\"%s\" is not a time: \"" STR_FORMAT "\"; write 2026-11-22 or 2026-11-22T08:30:00+08:00",
        key, STR_ARG(text));
}

enum err yaml_get_duration_ms(struct yaml_node map, const char *key, bool required, struct diag_list *diags, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    struct yaml_node node;
    struct str text;
    size_t n_digits = 0;
    int64_t number;
    enum err err = scalar(map, key, required, diags, &node);

    if (err)
        return err;
    text = yaml_text(node);
    while (n_digits < text.len && text.ptr[n_digits] >= '0' && text.ptr[n_digits] <= '9')
        n_digits++;
    if (!str_to_i64(str_slice(text, 0, n_digits), &number)) {
        struct str unit = str_slice(text, n_digits, text.len - n_digits);
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
            if (str_equal_c(unit, units[i].name) && number <= INT64_MAX / units[i].ms) {
                *ret_ms = number * units[i].ms;
                return ERR_OK;
            }
        }
    }
    return yaml_error(node, diags, ERR_SYNTAX,
        "\"%s\" is not a length of time: \"" STR_FORMAT "\"; write a number and ms, s, min, h or d, like 30s", key, STR_ARG(text));
}

/* Levenshtein's distance; both at most KEY_LENGTH_MAX long. */
static size_t distance(struct str a, struct str b)
{
    size_t row[KEY_LENGTH_MAX + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            diagonal = row[j];
            row[j] = change < least ? change : least;
        }
    }
    return row[b.len];
}

static const char *nearest(struct str key, const char *const *keys)
{
    const char *best = NULL;
    size_t best_distance = key.len / 2 + 1; /* farther than half of the letters is no misspelling */

    for (size_t i = 0; key.len <= KEY_LENGTH_MAX && keys[i]; i++) {
        struct str known = str_from_c(keys[i]);
        size_t d = known.len <= KEY_LENGTH_MAX ? distance(key, known) : best_distance;
        if (d < best_distance) {
            best_distance = d;
            best = keys[i];
        }
    }
    return best;
}

enum err yaml_check_keys(struct yaml_node map, const char *const *keys, struct diag_list *diags)
{
    enum err err = ERR_OK;
    char list[LIST_TEXT_MAX];

    if (yaml_kind(map) != YAML_MAP) {
        join(keys, list, sizeof(list));
        return yaml_error(map, diags, ERR_SYNTAX, "a map should stand here; its keys are %s", list);
    }
    for (size_t i = 0; i < yaml_n_items(map); i++) {
        struct yaml_node key = yaml_map_key(map, i);
        struct str text = yaml_text(key);
        size_t at = 0;
        while (keys[at] && !str_equal_c(text, keys[at]))
            at++;
        if (keys[at])
            continue;
        const char *meant = nearest(text, keys);
        join(keys, list, sizeof(list));
        if (meant)
            err = yaml_error(key, diags, ERR_SYNTAX, "\"" STR_FORMAT "\" is not a key here; did you mean \"%s\"?", STR_ARG(text), meant);
        else
            err = yaml_error(key, diags, ERR_SYNTAX, "\"" STR_FORMAT "\" is not a key here; the keys are %s", STR_ARG(text), list);
    }
    return err;
}
