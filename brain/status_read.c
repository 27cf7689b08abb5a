/* Reads Prometheus text as this program writes it (base/metric.c): comments, then "name{label="value",…} number", one sample a line. */
#include "brain/status.h"

#include <string.h>

/* A quoted value from *text on, which is moved behind it; without its escapes. */
static enum err read_quoted(struct str *text, json_t **ret_value)
{
    char value[512];
    size_t len = 0, at = 1;
    if (text->len == 0 || text->ptr[0] != '"')
        return ERR_SYNTAX;
    for (; at < text->len && text->ptr[at] != '"' && len < sizeof(value); at++) {
        char c = text->ptr[at];
        if (c == '\\' && at + 1 < text->len) {
            c = text->ptr[++at];
            c = c == 'n' ? '\n' : c;
        }
        value[len++] = c;
    }
    if (at >= text->len || text->ptr[at] != '"')
        return ERR_SYNTAX;
    *text = str_slice(*text, at + 1, text->len);
    *ret_value = json_stringn(value, len);
    return *ret_value ? ERR_OK : ERR_NO_MEMORY;
}

/* From behind '{' to behind '}'. */
static enum err read_labels(struct str *text, json_t *labels)
{
    struct str name, rest;
    json_t *value;
    while (str_cut(*text, '=', &name, &rest)) {
        *text = rest;
        enum err err = read_quoted(text, &value);
        if (err)
            return err;
        if (json_object_setn_new(labels, name.ptr, name.len, value) != 0)
            return ERR_NO_MEMORY;
        if (text->len == 0)
            return ERR_SYNTAX;
        char c = text->ptr[0];
        *text = str_slice(*text, 1, text->len);
        if (c == '}')
            return ERR_OK;
        if (c != ',')
            return ERR_SYNTAX;
    }
    return ERR_SYNTAX;
}

static enum err add_sample(json_t *samples, struct str name, json_t *labels, double value)
{
    char key[128];
    enum err err = str_to_c(name, key, sizeof(key));
    if (err)
        return ERR_SYNTAX;
    json_t *list = json_object_get(samples, key), *sample = json_object();
    if (!list && (list = json_array()) && json_object_set_new(samples, key, list) != 0)
        list = NULL;
    if (!list || !sample || json_object_set(sample, "labels", labels) != 0 || json_object_set_new(sample, "value", json_real(value)) != 0 ||
        json_array_append(list, sample) != 0)
        err = ERR_NO_MEMORY;
    json_decref(sample);
    return err;
}

static enum err read_line(json_t *samples, struct str line)
{
    size_t end = 0;
    double value;
    while (end < line.len && line.ptr[end] != '{' && line.ptr[end] != ' ')
        end++;
    struct str name = str_slice(line, 0, end), rest = str_slice(line, end, line.len);
    json_t *labels = json_object();
    enum err err = labels ? ERR_OK : ERR_NO_MEMORY;
    if (!err && str_starts_with(rest, STR("{"))) {
        rest = str_slice(rest, 1, rest.len);
        err = read_labels(&rest, labels);
    }
    if (!err && str_to_double(str_trim(rest), &value) == ERR_OK) /* NaN and infinities are nothing to show */
        err = name.len > 0 ? add_sample(samples, name, labels, value) : ERR_SYNTAX;
    json_decref(labels);
    return err;
}

enum err status_read(struct str page, json_t **ret_samples)
{
    struct str line, rest = page;
    json_t *samples = json_object();
    enum err err = samples ? ERR_OK : ERR_NO_MEMORY;
    while (!err && str_cut(rest, '\n', &line, &rest))
        if (!str_starts_with(line, STR("#")))
            err = read_line(samples, line);
    if (!err && json_object_size(samples) == 0)
        err = ERR_SYNTAX;
    if (err)
        json_decref(samples);
    else
        *ret_samples = samples;
    return err;
}
