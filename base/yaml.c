/*
 * Loading YAML: libyaml twice over the same text.
 *
 * The first pass reads events and refuses what a city file does not need (anchors, aliases, tags, several documents, deep nesting, NUL
 * bytes), so that the second, which builds the document tree, only meets plain data. Then every map is checked for keys given twice.
 * The typed getters are in yaml_get.c.
 */
#include "base/yaml.h"

#include "base/mem.h"
#include "base/yaml_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLAIN_DATA "write plain data: maps, lists and values"

static void parser_open(yaml_parser_t *parser, struct str text)
{
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)(text.ptr ? text.ptr : ""), text.len);
}

static enum err parser_error(const yaml_parser_t *parser, const char *name, struct diag_list *diags)
{
    int line = (int)parser->problem_mark.line + 1;

    if (parser->error == YAML_MEMORY_ERROR)
        return diag_add(diags, ERR_NO_MEMORY, name, 0, "not enough memory to read it");
    return diag_add(diags, ERR_SYNTAX, name, line, "%s%s%s; correct the YAML there", parser->context ? parser->context : "",
        parser->context ? ", " : "", parser->problem ? parser->problem : "not valid YAML");
}

struct first_pass {
    const char *name;
    struct diag_list *diags;
    int depth, n_documents;
    bool ended;
};

static enum err check_scalar(const struct first_pass *pass, const yaml_event_t *event, int line)
{
    if (event->data.scalar.anchor)
        return diag_add(pass->diags, ERR_SYNTAX, pass->name, line, "an anchor; " PLAIN_DATA);
    if (event->data.scalar.tag)
        return diag_add(pass->diags, ERR_SYNTAX, pass->name, line, "a tag; " PLAIN_DATA);
    if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
        return diag_add(pass->diags, ERR_SYNTAX, pass->name, line, "a NUL character in a value; take it out");
    return ERR_OK;
}

static enum err check_start(struct first_pass *pass, const yaml_char_t *anchor, const yaml_char_t *tag, int line)
{
    if (anchor)
        return diag_add(pass->diags, ERR_SYNTAX, pass->name, line, "an anchor; " PLAIN_DATA);
    if (tag)
        return diag_add(pass->diags, ERR_SYNTAX, pass->name, line, "a tag; " PLAIN_DATA);
    if (++pass->depth > YAML_DEPTH_MAX)
        return diag_add(pass->diags, ERR_TOO_LARGE, pass->name, line, "nested deeper than %d levels; flatten it", YAML_DEPTH_MAX);
    return ERR_OK;
}

static enum err check_event(struct first_pass *pass, const yaml_event_t *event)
{
    int line = (int)event->start_mark.line + 1;

    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return diag_add(pass->diags, ERR_SYNTAX, pass->name, line, "an alias; " PLAIN_DATA);
    case YAML_SCALAR_EVENT:
        return check_scalar(pass, event, line);
    case YAML_SEQUENCE_START_EVENT:
        return check_start(pass, event->data.sequence_start.anchor, event->data.sequence_start.tag, line);
    case YAML_MAPPING_START_EVENT:
        return check_start(pass, event->data.mapping_start.anchor, event->data.mapping_start.tag, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        pass->depth--;
        return ERR_OK;
    case YAML_DOCUMENT_START_EVENT:
        if (++pass->n_documents > 1)
            return diag_add(pass->diags, ERR_SYNTAX, pass->name, line, "a second document (---); keep one document a file");
        return ERR_OK;
    case YAML_STREAM_END_EVENT:
        pass->ended = true;
        return ERR_OK;
    default:
        return ERR_OK;
    }
}

static enum err check_events(struct str text, const char *name, struct diag_list *diags)
{
    struct first_pass pass = {.name = name, .diags = diags};
    yaml_parser_t parser;
    enum err err = ERR_OK;

    if (!yaml_parser_initialize(&parser))
        return diag_add(diags, ERR_NO_MEMORY, name, 0, "not enough memory to read it");
    parser_open(&parser, text);
    while (!err && !pass.ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            err = parser_error(&parser, name, diags);
        } else {
            err = check_event(&pass, &event);
            yaml_event_delete(&event);
        }
    }
    yaml_parser_delete(&parser);
    if (!err && pass.n_documents == 0)
        err = diag_add(diags, ERR_SYNTAX, name, 1, "the file is empty; fill it or remove it");
    return err;
}

struct keyed {
    struct str key;
    int line;
};

static int compare_keyed(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int order = str_compare(x->key, y->key);

    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static enum err check_map(struct yaml_node map, struct diag_list *diags)
{
    size_t n = yaml_n_items(map);
    struct keyed *keys;
    enum err err = ERR_OK;

    if (n == 0)
        return ERR_OK;
    keys = mem_alloc_zero(n, sizeof(*keys));
    if (!keys)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        struct yaml_node key = yaml_map_key(map, i);
        if (yaml_kind(key) != YAML_SCALAR)
            err = yaml_error(key, diags, ERR_SYNTAX, "a list or map as a key; write a plain word");
        keys[i] = (struct keyed){yaml_text(key), yaml_line(key)};
    }
    qsort(keys, n, sizeof(*keys), compare_keyed);
    for (size_t i = 1; i < n && !err; i++)
        if (str_equal(keys[i - 1].key, keys[i].key))
            err = diag_add(diags, ERR_EXISTS, yaml_name(map.yaml), keys[i].line,
                "key \"" STR_FORMAT "\" is given twice (first in line %d); keep one", STR_ARG(keys[i].key), keys[i - 1].line);
    mem_free(keys);
    return err;
}

static enum err check_maps(const struct yaml *yaml, struct diag_list *diags)
{
    enum err first = ERR_OK;

    for (int index = 1; yaml_internal_node(yaml, index); index++) {
        struct yaml_node node = {yaml, index};
        enum err err = yaml_kind(node) == YAML_MAP ? check_map(node, diags) : ERR_OK;
        if (!first)
            first = err;
    }
    return first;
}

static enum err build(struct yaml *yaml, struct str text, struct diag_list *diags)
{
    yaml_parser_t parser;
    enum err err = ERR_OK;

    if (!yaml_parser_initialize(&parser))
        return diag_add(diags, ERR_NO_MEMORY, yaml->name, 0, "not enough memory to read it");
    parser_open(&parser, text);
    if (!yaml_parser_load(&parser, &yaml->document))
        err = parser_error(&parser, yaml->name, diags);
    else
        yaml->is_loaded = true;
    yaml_parser_delete(&parser);
    return err;
}

enum err yaml_load_str(struct str text, const char *name, struct diag_list *diags, struct yaml **ret_yaml)
{
    struct yaml *yaml;
    size_t name_size = strlen(name) + 1;
    enum err err;

    if (text.len > YAML_FILE_MAX)
        return diag_add(diags, ERR_TOO_LARGE, name, 0, "larger than %u bytes; split it", YAML_FILE_MAX);
    err = check_events(text, name, diags);
    if (err)
        return err;
    yaml = mem_alloc_zero(1, sizeof(*yaml) + name_size);
    if (!yaml)
        return ERR_NO_MEMORY;
    memcpy(yaml->name, name, name_size);
    err = build(yaml, text, diags);
    if (!err)
        err = check_maps(yaml, diags);
    if (err) {
        yaml_destroy(yaml);
        return err;
    }
    *ret_yaml = yaml;
    return ERR_OK;
}

/* The whole file in a block that the caller frees. */
static enum err read_file(const char *path, struct diag_list *diags, struct str *ret_text)
{
    struct stat status;
    char *text = NULL;
    size_t len = 0;
    enum err err = ERR_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return diag_add(diags, err_from_errno(errno), path, 0, "cannot be opened (%s); make it or correct its name", strerror(errno));
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        err = diag_add(diags, ERR_IO, path, 0, "is not a file; put one there");
    else if (status.st_size > (off_t)YAML_FILE_MAX)
        err = diag_add(diags, ERR_TOO_LARGE, path, 0, "larger than %u bytes; split it", YAML_FILE_MAX);
    else if (!(text = mem_alloc((size_t)status.st_size + 1)))
        err = ERR_NO_MEMORY;
    while (!err && len < (size_t)status.st_size) {
        ssize_t n = read(fd, text + len, (size_t)status.st_size - len);
        if (n < 0 && errno != EINTR)
            err = diag_add(diags, ERR_IO, path, 0, "cannot be read (%s)", strerror(errno));
        else if (n == 0)
            break;
        else if (n > 0)
            len += (size_t)n;
    }
    close(fd);
    if (err) {
        mem_free(text);
        return err;
    }
    *ret_text = (struct str){text, len};
    return ERR_OK;
}

enum err yaml_load_file(const char *path, struct diag_list *diags, struct yaml **ret_yaml)
{
    struct str text;
    enum err err = read_file(path, diags, &text);

    if (err)
        return err;
    err = yaml_load_str(text, path, diags, ret_yaml);
    mem_free((char *)text.ptr);
    return err;
}

void yaml_destroy(struct yaml *yaml)
{
    if (!yaml)
        return;
    if (yaml->is_loaded)
        yaml_document_delete(&yaml->document);
    mem_free(yaml);
}
