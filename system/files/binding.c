/*
 * What a department's file says about its folder: which file is meant by a key. A key is one name within the pattern, never a path.
 */
#include "http/server.h"
#include "system/files/inside.h"

#include <stdio.h>
#include <string.h>

enum err files_read_connection(struct files_system *system, struct yaml_node connection, struct diag_list *diags)
{
    static const char *const keys[] = {"folder", NULL};
    enum err err = yaml_check_keys(connection, keys, diags);
    if (!err && yaml_is_none(yaml_get(connection, "folder")))
        err = yaml_error(connection, diags, ERR_NOT_FOUND, "folder: is missing; write connection: {folder: \"{data}/departments/NAME\"}");
    return err ? err : hub_department_get_path(&system->department, connection, "folder", diags, system->folder);
}

/* Names below the folder, each a plain one. */
static bool is_relative(struct str pattern)
{
    struct str rest = pattern, name;
    if (str_is_empty(pattern) || pattern.len >= FILES_NAME_MAX || memchr(pattern.ptr, '\0', pattern.len))
        return false;
    for (bool has_more = true; has_more;) {
        struct str tail = STR_NONE;
        has_more = str_cut(rest, '/', &name, &tail);
        if (!has_more)
            name = rest;
        if (str_is_empty(name) || str_equal_c(name, ".") || str_equal_c(name, ".."))
            return false;
        rest = tail;
    }
    return true;
}

static const struct hub_field *key_field(const struct hub_resource *resource)
{
    for (size_t i = 0; i < resource->n_fields; i++)
        if (resource->fields[i].is_key)
            return &resource->fields[i];
    return NULL;
}

/* "{examination}.png" into what stands before and after the key. */
static enum err cut_pattern(
    struct files_binding *binding, const struct hub_field *key, struct str pattern, struct yaml_node node, struct diag_list *diags)
{
    struct str before = pattern, rest = STR_NONE, name = STR_NONE, after = STR_NONE;
    bool has_hole = str_cut(pattern, '{', &before, &rest) && str_cut(rest, '}', &name, &after);
    if (!key && memchr(pattern.ptr, '{', pattern.len))
        return yaml_error(
            node, diags, ERR_SYNTAX, "file: has a place for a key, but the object has no key field; declare one with key: true");
    if (key && (!has_hole || !str_equal(name, key->name) || memchr(after.ptr ? after.ptr : "", '{', after.len)))
        return yaml_error(node, diags, ERR_SYNTAX, "file: has to hold the key once, \"{" STR_FORMAT "}.png\"", STR_ARG(key->name));
    binding->before = key ? before : pattern;
    binding->after = after;
    return ERR_OK;
}

enum err files_bind(void *context, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    static const char *const keys[] = {"file", "media_type", NULL};
    struct files_system *system = context;
    struct yaml_node place = hub_department_field_node(&system->department, resource, STR_NONE);
    struct str pattern, type;
    if (resource->kind != HUB_OBJECT)
        return yaml_error(place, diags, ERR_UNSUPPORTED, "connector files offers objects only; write kind: object");
    if (yaml_is_none(binding) || yaml_kind(binding) != YAML_MAP)
        return yaml_error(yaml_is_none(binding) ? place : binding, diags, ERR_NOT_FOUND,
            "resource \"" STR_FORMAT "\" needs a binding; write bind: {file: \"{KEY}.png\"}", STR_ARG(resource->name));
    enum err err = yaml_check_keys(binding, keys, diags);
    if (!err)
        err = yaml_get_str(binding, "file", true, diags, &pattern);
    if (err)
        return err;
    struct yaml_node node = yaml_get(binding, "file");
    if (!is_relative(pattern))
        return yaml_error(
            node, diags, ERR_RANGE, "file: is no name below the folder; leave out a slash at its beginning, \".\" and \"..\"");
    struct files_binding *made = arena_alloc_zero(&system->department.arena, 1, sizeof *made);
    if (!made)
        return ERR_NO_MEMORY;
    made->resource = resource;
    err = yaml_get_str(binding, "media_type", false, diags, &type);
    if (!err && (type.len < 3 || type.len >= HUB_MEDIA_TYPE_MAX || !memchr(type.ptr, '/', type.len)))
        return yaml_error(yaml_get(binding, "media_type"), diags, ERR_SYNTAX, "media_type: is like image/png");
    if (!err)
        err = arena_copy_str(&system->department.arena, type, &type);
    if (err && err != ERR_NOT_FOUND)
        return err;
    made->media_type = err ? NULL : type.ptr;
    err = cut_pattern(made, key_field(resource), pattern, node, diags);
    if (err)
        return err;
    made->next = system->bindings;
    system->bindings = made;
    return ERR_OK;
}

enum err files_name(const struct files_binding *binding, struct value key, char out[FILES_NAME_MAX])
{
    char digits[24];
    struct str text = key.type == VALUE_TEXT ? key.s : STR_NONE;
    if (key.type == VALUE_INTEGER) {
        snprintf(digits, sizeof digits, "%lld", (long long)key.i);
        text = str_from_c(digits);
    }
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '/' || (unsigned char)text.ptr[i] < ' ')
            return ERR_NOT_FOUND;
    if (str_starts_with(text, STR(".")))
        return ERR_NOT_FOUND;
    int n =
        snprintf(out, FILES_NAME_MAX, STR_FORMAT STR_FORMAT STR_FORMAT, STR_ARG(binding->before), STR_ARG(text), STR_ARG(binding->after));
    return n > 0 && n < FILES_NAME_MAX ? ERR_OK : ERR_NOT_FOUND;
}
