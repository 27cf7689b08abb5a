/*
 * Resources (资源) as a department's or a scene's file declares them: read, checked, entered under their name.
 *
 * Whether the fields are really there is the connector's to say (hub_system_ops.bind).
 */
#include "base/mem.h"
#include "hub/offer.h"
#include "hub/parts.h"

const char *const hub_kind_names[] = {"table", "stream", "command", "object", NULL};
const char *const hub_class_names[] = {"open", "internal", "personal", "secret", NULL};
const char *const hub_use_names[] = {"call", "query", "subscribe", "act", NULL};

enum err hub_read_title(
    struct yaml_node node, const char *key, bool required, struct diag_list *diags, struct str *ret_zh, struct str *ret_en)
{
    static const char *const keys[] = {"zh", "en", NULL};
    struct yaml_node title = yaml_get(node, key);
    if (yaml_is_none(title) && !required)
        return ERR_OK;
    if (yaml_is_none(title) || yaml_kind(title) != YAML_MAP)
        return yaml_error(yaml_is_none(title) ? node : title, diags, ERR_SYNTAX,
            "%s is missing or not in two languages; write %s: {zh: …, en: …}", key, key);
    enum err err = yaml_check_keys(title, keys, diags);
    if (!err)
        err = yaml_get_str(title, "zh", true, diags, ret_zh);
    if (!err)
        err = yaml_get_str(title, "en", true, diags, ret_en);
    return err;
}

/* As a title, or one text that stands for both languages; none is empty. */
static enum err read_words(struct yaml_node node, const char *key, struct diag_list *diags, struct str *ret_zh, struct str *ret_en)
{
    struct yaml_node words = yaml_get(node, key);
    if (yaml_is_none(words) || yaml_kind(words) == YAML_MAP)
        return hub_read_title(node, key, false, diags, ret_zh, ret_en);
    struct str text;
    enum err err = yaml_get_str(node, key, true, diags, &text);
    if (!err)
        *ret_zh = *ret_en = text;
    return err;
}

static enum err read_field(struct yaml_node node, struct diag_list *diags, struct hub_field *field)
{
    static const char *const keys[] = {"name", "type", "class", "key", "meaning", "unit", NULL};
    struct str type;
    size_t class;
    if (yaml_kind(node) != YAML_MAP)
        return yaml_error(node, diags, ERR_SYNTAX, "a field is a map: {name: …, type: …, class: …, meaning: …}");
    enum err err = yaml_check_keys(node, keys, diags);
    if (!err)
        err = yaml_get_str(node, "name", true, diags, &field->name);
    if (err)
        return err;
    if (!str_is_name(field->name))
        return yaml_error(node, diags, ERR_SYNTAX,
            "field \"" STR_FORMAT "\": a name has small letters, digits, dot, dash and underscore only", STR_ARG(field->name));
    if (yaml_is_none(yaml_get(node, "class")))
        return yaml_error(node, diags, ERR_NOT_FOUND,
            "field \"" STR_FORMAT "\" has no class; give it one of open, internal, personal, secret", STR_ARG(field->name));
    if (yaml_is_none(yaml_get(node, "type")))
        return yaml_error(node, diags, ERR_NOT_FOUND,
            "field \"" STR_FORMAT "\" has no type; give it one of boolean, integer, real, text, time, bytes", STR_ARG(field->name));
    err = yaml_get_choice(node, "class", true, diags, hub_class_names, &class);
    if (!err)
        err = yaml_get_str(node, "type", true, diags, &type);
    if (err)
        return err;
    if (value_type_parse(type, &field->type) || field->type == VALUE_NULL)
        return yaml_error(yaml_get(node, "type"), diags, ERR_SYNTAX,
            "field \"" STR_FORMAT "\": \"" STR_FORMAT "\" is not a type; give it one of boolean, integer, real, text, time, bytes",
            STR_ARG(field->name), STR_ARG(type));
    field->class = (enum hub_class) class;
    err = yaml_get_bool(node, "key", false, diags, &field->is_key);
    if (!err || err == ERR_NOT_FOUND)
        err = read_words(node, "meaning", diags, &field->meaning_zh, &field->meaning_en);
    if (!err)
        err = read_words(node, "unit", diags, &field->unit_zh, &field->unit_en);
    return err;
}

static enum err read_fields(struct hub *hub, struct hub_entry *entry, struct diag_list *diags)
{
    struct yaml_node list = yaml_get(entry->node, "fields");
    struct hub_resource *resource = &entry->resource;
    size_t n = yaml_is_none(list) || yaml_kind(list) != YAML_LIST ? 0 : yaml_n_items(list);
    enum err err = ERR_OK;
    if (n == 0)
        return yaml_error(yaml_is_none(list) ? entry->node : list, diags, ERR_NOT_FOUND,
            "resource \"" STR_FORMAT "\" has no fields; add fields: with a list of {name: …, type: …, class: …}", STR_ARG(resource->name));
    if (n > HUB_FIELDS_MAX)
        return yaml_error(list, diags, ERR_TOO_LARGE, "resource \"" STR_FORMAT "\" has %zu fields; %d are allowed, declare two resources",
            STR_ARG(resource->name), n, HUB_FIELDS_MAX);
    struct hub_field *fields = arena_alloc_zero(&hub->arena, n, sizeof *fields);
    struct sql_column *columns = arena_alloc_zero(&hub->arena, n, sizeof *columns);
    if (!fields || !columns)
        return ERR_NO_MEMORY;
    resource->fields = fields;
    resource->columns = columns;
    for (size_t i = 0; i < n; i++) {
        struct hub_field field = {0};
        enum err one = read_field(yaml_item(list, i), diags, &field);
        if (!one && hub_field_find(resource, field.name) >= 0)
            one = yaml_error(
                yaml_item(list, i), diags, ERR_EXISTS, "field \"" STR_FORMAT "\" is declared twice; leave out one", STR_ARG(field.name));
        if (!one) {
            columns[resource->n_fields] = (struct sql_column){field.name, field.type};
            fields[resource->n_fields++] = field;
        } else if (!err) {
            err = one;
        }
    }
    return err;
}

static bool is_bytes(const struct hub_field *field)
{
    return str_equal(field->name, STR("bytes")) && field->type == VALUE_BYTES && !field->is_key;
}

/* The field that a department's objects are asked by. */
static bool is_object_key(const struct hub_field *field)
{
    return field->is_key && (field->type == VALUE_TEXT || field->type == VALUE_INTEGER);
}

/* An object has one field, its bytes, so that contracts and decisions need no case of their own for it; a department's may have a second,
 * the key. */
static enum err object_fields(struct hub *hub, struct hub_entry *entry, struct diag_list *diags)
{
    struct yaml_node list = yaml_get(entry->node, "fields");
    struct hub_resource *resource = &entry->resource;
    if (yaml_is_none(list)) {
        struct hub_field *field = arena_alloc_zero(&hub->arena, 1, sizeof *field);
        if (!field)
            return ERR_NO_MEMORY;
        *field = (struct hub_field){.name = STR("bytes"), .type = VALUE_BYTES, .class = HUB_INTERNAL};
        resource->fields = field;
        resource->n_fields = 1;
        return ERR_OK;
    }
    enum err err = read_fields(hub, entry, diags);
    if (err)
        return err;
    const struct hub_field *fields = resource->fields;
    if (resource->n_fields == 2 && entry->system)
        entry->object_key = is_object_key(&fields[0]) ? &fields[0] : is_object_key(&fields[1]) ? &fields[1] : NULL;
    if ((resource->n_fields == 1 && is_bytes(&fields[0])) ||
        (entry->object_key && is_bytes(entry->object_key == fields ? &fields[1] : fields)))
        return ERR_OK;
    return yaml_error(list, diags, ERR_SYNTAX,
        "an object has one field, {name: bytes, type: bytes, class: …}, and a department's may have a key of type text or integer beside "
        "it; write "
        "that, or leave out fields:");
}

/* A command needs a connector that gives commands; only it may say `at_most_once`. */
static enum err read_command(struct hub_entry *entry, struct diag_list *diags)
{
    struct hub_resource *resource = &entry->resource;
    enum err err = yaml_get_bool(entry->node, "at_most_once", false, diags, &resource->is_at_most_once);
    err = err == ERR_NOT_FOUND ? ERR_OK : err;
    if (!err && resource->kind != HUB_COMMAND && resource->is_at_most_once)
        err = yaml_error(yaml_get(entry->node, "at_most_once"), diags, ERR_UNSUPPORTED, "at_most_once: is for commands only; leave it out");
    if (!err && resource->kind == HUB_COMMAND && (!entry->system || (entry->system->ops && !entry->system->ops->act)))
        err = yaml_error(entry->node, diags, ERR_UNSUPPORTED,
            "command \"" STR_FORMAT "\" needs a connector that gives commands; use connector: sqlite, postgres or http",
            STR_ARG(resource->name));
    return err;
}

/* `subject:` names the field that says whom a row is about: statistics-only contracts count people by it (hub/query_statistic.c). */
static enum err read_subject(struct hub_entry *entry, struct diag_list *diags)
{
    struct hub_resource *resource = &entry->resource;
    struct yaml_node node = yaml_get(entry->node, "subject");
    struct str name;
    enum err err = yaml_get_str(entry->node, "subject", false, diags, &name);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    int at = hub_field_find(resource, name);
    if (resource->kind != HUB_TABLE)
        return yaml_error(node, diags, ERR_UNSUPPORTED, "subject: is for tables only; leave it out");
    if (at < 0 || (resource->fields[at].type != VALUE_TEXT && resource->fields[at].type != VALUE_INTEGER))
        return yaml_error(node, diags, ERR_NOT_FOUND,
            "subject: names no field of type text or integer; write the field that says whom a row is about, which need not be granted");
    resource->subject = &resource->fields[at];
    return ERR_OK;
}

static enum err check_kind(struct hub_entry *entry, struct diag_list *diags)
{
    const struct hub_resource *resource = &entry->resource;
    bool has_key = false;
    for (size_t i = 0; i < resource->n_fields; i++) {
        const struct hub_field *field = &resource->fields[i];
        has_key = has_key || field->is_key;
        entry->has_personal_key = entry->has_personal_key || (field->is_key && field->class >= HUB_PERSONAL);
    }
    if (resource->kind == HUB_OBJECT && entry->system && entry->system->ops && !entry->system->ops->objects)
        return yaml_error(entry->node, diags, ERR_UNSUPPORTED,
            "object \"" STR_FORMAT "\" needs a connector that gives objects; use connector: files", STR_ARG(resource->name));
    if (resource->kind != HUB_TABLE)
        return ERR_OK;
    if (!has_key)
        return yaml_error(entry->node, diags, ERR_NOT_FOUND,
            "table \"" STR_FORMAT "\" has no key; mark the fields it is asked by with key: true", STR_ARG(resource->name));
    if (entry->offer && !yaml_is_none(entry->binding))
        return yaml_error(entry->binding, diags, ERR_UNSUPPORTED,
            "table \"" STR_FORMAT "\" is computed by its scene when it is asked; leave out bind:", STR_ARG(resource->name));
    if (!entry->system || (entry->system->ops && !entry->system->ops->tables))
        return yaml_error(entry->node, diags, ERR_UNSUPPORTED,
            "table \"" STR_FORMAT "\" needs a connector that reads tables; use connector: sqlite", STR_ARG(resource->name));
    return ERR_OK;
}

static enum err add_entry(struct hub *hub, struct hub_entry *entry)
{
    struct str subject;
    if (hub->n_entries == hub->cap_entries) {
        size_t cap = hub->cap_entries ? 2 * hub->cap_entries : 64;
        struct hub_entry **entries = mem_resize(hub->entries, cap * sizeof(struct hub_entry *));
        if (!entries)
            return ERR_NO_MEMORY;
        hub->entries = entries;
        hub->cap_entries = cap;
    }
    enum err err = arena_copy_str(&hub->arena, entry->resource.name, &subject);
    if (err)
        return err;
    for (size_t i = 0; i < subject.len; i++)
        if (subject.ptr[i] == '/')
            ((char *)subject.ptr)[i] = '.';
    entry->subject = subject;
    err = names_put(&hub->entry_names, entry->resource.name, entry);
    if (err)
        return err;
    pthread_mutex_init(&entry->lock, NULL);
    hub->entries[hub->n_entries++] = entry;
    return ERR_OK;
}

static enum err read_resource(struct hub *hub, struct str party, struct hub_system *system, struct yaml_node node, struct diag_list *diags,
    struct hub_entry **ret_entry)
{
    static const char *const keys[] = {"name", "title", "kind", "bind", "at_most_once", "subject", "fields", "quality", NULL};
    struct str name;
    size_t kind;
    if (yaml_kind(node) != YAML_MAP)
        return yaml_error(node, diags, ERR_SYNTAX, "a resource is a map with name:, title:, kind: and fields:");
    enum err err = yaml_check_keys(node, keys, diags);
    if (!err)
        err = yaml_get_str(node, "name", true, diags, &name);
    if (err)
        return err;
    if (!str_is_name(name))
        return yaml_error(yaml_get(node, "name"), diags, ERR_SYNTAX,
            "\"" STR_FORMAT "\" is not a resource's name; use small letters, digits, dot, dash and underscore, without the party before it",
            STR_ARG(name));
    struct hub_entry *entry = arena_alloc_zero(&hub->arena, 1, sizeof *entry);
    if (!entry)
        return ERR_NO_MEMORY;
    entry->node = node;
    entry->binding = yaml_get(node, "bind");
    entry->system = system;
    entry->is_kept = system && hub->keeper;
    entry->resource.party = party;
    err = arena_printf(&hub->arena, &entry->resource.name, STR_FORMAT "/" STR_FORMAT, STR_ARG(party), STR_ARG(name));
    if (err)
        return err;
    struct hub_entry *other = names_get(&hub->entry_names, entry->resource.name);
    if (other)
        return yaml_error(node, diags, ERR_EXISTS, "resource \"" STR_FORMAT "\" is declared twice, also in %s:%d; leave out one",
            STR_ARG(entry->resource.name), yaml_is_none(other->node) ? "the program" : yaml_name(other->node.yaml),
            yaml_is_none(other->node) ? 0 : yaml_line(other->node));
    err = hub_read_title(node, "title", true, diags, &entry->resource.title_zh, &entry->resource.title_en);
    enum err second = yaml_get_choice(node, "kind", true, diags, hub_kind_names, &kind);
    if (second)
        return err ? err : second;
    entry->resource.kind = (enum hub_kind)kind;
    if (kind == HUB_TABLE && !system && hub_offer_declare(hub, entry))
        return ERR_NO_MEMORY;
    second = read_command(entry, diags);
    if (!err)
        err = second;
    second = kind == HUB_OBJECT ? object_fields(hub, entry, diags) : read_fields(hub, entry, diags);
    if (!err)
        err = second ? second : check_kind(entry, diags);
    if (!err)
        err = read_subject(entry, diags);
    if (!err)
        *ret_entry = entry;
    return err;
}

enum err hub_declare(struct hub *hub, struct str party, struct hub_system *system, struct yaml_node list, struct diag_list *diags)
{
    enum err err = ERR_OK;
    if (yaml_kind(list) != YAML_LIST)
        return yaml_error(list, diags, ERR_SYNTAX, "resources: is a list");
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        struct hub_entry *entry = NULL;
        enum err one = hub->n_entries < HUB_RESOURCES_MAX
                           ? read_resource(hub, party, system, yaml_item(list, i), diags, &entry)
                           : yaml_error(list, diags, ERR_TOO_LARGE, "more than %d resources", HUB_RESOURCES_MAX);
        if (!one)
            one = add_entry(hub, entry);
        if (!one && system && system->system && system->ops->bind)
            one = system->ops->bind(system->system, &entry->resource, entry->binding, diags);
        if (!one)
            one = hub_quality_read(hub, entry, diags);
        if (one && !err)
            err = one;
    }
    return err;
}

enum err hub_declare_own(struct hub *hub, const struct hub_resource *resource, struct hub_entry **ret_entry)
{
    struct hub_entry *entry = arena_alloc_zero(&hub->arena, 1, sizeof *entry);
    if (!entry)
        return ERR_NO_MEMORY;
    entry->resource = *resource;
    enum err err = add_entry(hub, entry);
    if (!err)
        *ret_entry = entry;
    return err;
}

bool hub_resource_is_remote(const struct hub_resource *resource)
{
    const struct hub_system *system = hub_entry_of(resource)->system;
    return system && system->ops && system->ops->tables && system->ops->tables->is_remote;
}

const struct hub_resource *hub_resource_find(const struct hub *hub, struct str name)
{
    const struct hub_entry *entry = names_get(&hub->entry_names, name);
    return entry ? &entry->resource : NULL;
}

size_t hub_n_resources(const struct hub *hub)
{
    return hub->n_entries;
}

const struct hub_resource *hub_resource_at(const struct hub *hub, size_t at)
{
    return at < hub->n_entries ? &hub->entries[at]->resource : NULL;
}

int hub_field_find(const struct hub_resource *resource, struct str name)
{
    for (size_t i = 0; i < resource->n_fields; i++)
        if (str_equal(resource->fields[i].name, name))
            return (int)i;
    return -1;
}
