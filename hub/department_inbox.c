/*
 * What a department's file says of a command: who may write into its inbox, the statements with their parameters, held against the
 * database.
 */
#include "hub/department_command.h"

#include "base/mem.h"

#include <string.h>

#define SQL_MAX (64u << 10)

/* ---- parameters ---- */

/* Past a quoted text, a quoted name or a comment that begins at `at`; else `at`. */
static size_t skip_quoted(struct str sql, size_t at, bool has_backslashes)
{
    char quote = sql.ptr[at], next = at + 1 < sql.len ? sql.ptr[at + 1] : '\0';
    if (quote == '\'' || quote == '"' || quote == '`') {
        for (at++; at < sql.len && sql.ptr[at] != quote; at++)
            at += has_backslashes && quote != '`' && sql.ptr[at] == '\\';
        return at < sql.len ? at + 1 : sql.len;
    }
    if (quote == '-' && next == '-')
        while (at < sql.len && sql.ptr[at] != '\n')
            at++;
    if (quote == '/' && next == '*') {
        for (at += 2; at < sql.len && !(sql.ptr[at] == '/' && sql.ptr[at - 1] == '*'); at++)
            ;
        return at < sql.len ? at + 1 : at;
    }
    return at;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static enum err append_placeholder(const char *placeholder, struct str name, struct buf *out, struct hub_statement *statement)
{
    bool is_numbered = strcmp(placeholder, "?") != 0;
    size_t i = is_numbered ? 0 : statement->n;
    while (i < statement->n && !str_equal(statement->names[i], name))
        i++;
    if (i == HUB_PARAMETERS_MAX)
        return ERR_TOO_LARGE;
    if (i == statement->n)
        statement->names[statement->n++] = name;
    if (is_numbered)
        buf_printf(out, "%.1s%zu", placeholder, i + 1);
    else
        buf_append_c(out, placeholder);
    return out->err;
}

/* :name as the database's placeholder; a cast's two colons stay. */
static enum err place_parameters(const struct hub_command_ops *ops, struct str sql, struct buf *out, struct hub_statement *statement)
{
    enum err err = ERR_OK;
    for (size_t at = 0; at < sql.len && !err;) {
        size_t past = skip_quoted(sql, at, ops->has_backslashes);
        if (past > at) {
            buf_append(out, sql.ptr + at, past - at);
            at = past;
            continue;
        }
        bool is_cast = sql.ptr[at] == ':' && at + 1 < sql.len && sql.ptr[at + 1] == ':';
        size_t end = at + 1;
        while (sql.ptr[at] == ':' && !is_cast && end < sql.len && is_name(sql.ptr[end]))
            end++;
        if (is_cast || end == at + 1) {
            buf_append(out, sql.ptr + at, is_cast ? 2 : 1);
            at += is_cast ? 2 : 1;
            continue;
        }
        err = append_placeholder(ops->placeholder, str_slice(sql, at + 1, end - at - 1), out, statement);
        at = end;
    }
    buf_append_byte(out, '\0');
    return err ? err : out->err;
}

/* ---- the binding ---- */

static enum err read_statement(struct hub_commands *commands, struct hub_command *command, struct yaml_node binding, const char *key,
    bool is_needed, struct diag_list *diags, struct hub_statement *statement)
{
    struct str text, copy;
    struct buf sql;
    bool has_key = false;
    struct yaml_node node = yaml_get(binding, key);
    if (!is_needed && yaml_is_none(node))
        return ERR_OK;
    enum err err = yaml_get_str(binding, key, true, diags, &text);
    if (err)
        return err;
    buf_init(&sql, SQL_MAX);
    err = place_parameters(commands->ops, text, &sql, statement);
    if (!err)
        err = arena_copy_str(&commands->department->arena, buf_str(&sql), &copy);
    buf_finish(&sql);
    if (err)
        return yaml_error(node, diags, err, "%s: is too long, or has more than %d parameters", key, HUB_PARAMETERS_MAX);
    statement->sql = str_slice(copy, 0, copy.len - 1);
    for (size_t i = 0; i < statement->n; i++) {
        struct value value;
        if (!hub_command_parameter(command->resource, statement->names[i], NULL, &value))
            return yaml_error(node, diags, ERR_NOT_FOUND,
                "%s: has the parameter \":" STR_FORMAT
                "\", which is no field of the command; use its fields, :act_key, :act_party, :act_time or "
                ":act_receipt",
                key, STR_ARG(statement->names[i]));
        has_key = has_key || str_equal_c(statement->names[i], "act_key");
    }
    if (!has_key && !command->resource->is_at_most_once)
        return yaml_error(node, diags, ERR_NOT_FOUND,
            "%s: does not use :act_key, so nobody could tell whether it was done; store the key, or declare at_most_once: true", key);
    return ERR_OK;
}

/* Looked at and not run, as who will run them; a department that is down is no fault of the file. */
static enum err check_statements(
    struct hub_commands *commands, struct hub_command *command, struct yaml_node binding, struct diag_list *diags)
{
    static const char *const keys[] = {"run", "answer"};
    const struct hub_statement *statements[] = {&command->run, &command->answer};
    char detail[HUB_DEPARTMENT_DETAIL_MAX], words[HUB_WORDS_MAX] = "";
    void *session;
    enum err err = ERR_OK;
    if (commands->ops->open(commands->system, command, detail, &session))
        return ERR_OK;
    for (size_t i = 0; i < 2 && !err; i++) {
        enum err one = statements[i]->sql.len ? commands->ops->check(session, statements[i], i == 1, words) : ERR_OK;
        if (one == ERR_SYNTAX)
            err = yaml_error(yaml_get(binding, keys[i]), diags, one,
                "%s: the department's database refuses the command: %s; mend run: or answer:", keys[i], words);
        else if (one == ERR_RANGE)
            err = yaml_error(yaml_get(binding, keys[i]), diags, one, "%s: %s", keys[i], words);
    }
    commands->ops->close(session);
    return err;
}

static enum err read_place(struct hub_commands *commands, struct hub_command *command, struct yaml_node binding, struct diag_list *diags)
{
    const struct hub_command_ops *ops = commands->ops;
    const char *key = ops->is_file ? "file" : "user";
    bool is_there = !yaml_is_none(yaml_get(binding, key));
    struct str user;
    if (!is_there && !ops->is_userless)
        return yaml_error(binding, diags, ERR_NOT_FOUND, "%s: is missing; it names %s", key,
            ops->is_file ? "the file of the department's inbox" : "who may write into the department's inbox, and nowhere else");
    if (ops->is_file)
        return hub_department_get_path(commands->department, binding, key, diags, command->file);
    enum err err = is_there ? yaml_get_str(binding, key, true, diags, &user) : ERR_OK;
    if (!err && is_there &&
        (str_is_empty(user) || str_to_c(user, command->user, sizeof command->user) || strpbrk(command->user, "{};=\r\n")))
        err = yaml_error(yaml_get(binding, key), diags, ERR_RANGE, "user: is empty, longer than 127 bytes, or has one of {};=");
    return err ? err : hub_department_get_path(commands->department, binding, "password_file", diags, command->password_file);
}

enum err hub_commands_bind(
    struct hub_commands *commands, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    static const char *const by_user[] = {"user", "password_file", "run", "answer", NULL}, *const by_file[] = {
                                                                                               "file", "run", "answer", NULL};
    bool is_file = commands->ops->is_file;
    if (yaml_is_none(binding) || yaml_kind(binding) != YAML_MAP)
        return yaml_error(hub_department_field_node(commands->department, resource, STR_NONE), diags, ERR_NOT_FOUND,
            "command \"" STR_FORMAT "\" needs bind: {%s: …, run: …, answer: …}", STR_ARG(resource->name),
            is_file ? "file" : "user: …, password_file");
    struct hub_command *command = arena_alloc_zero(&commands->department->arena, 1, sizeof *command);
    if (!command)
        return ERR_NO_MEMORY;
    command->resource = resource;
    enum err err = yaml_check_keys(binding, is_file ? by_file : by_user, diags);
    if (!err)
        err = read_place(commands, command, binding, diags);
    if (!err)
        err = read_statement(commands, command, binding, "run", true, diags, &command->run);
    if (!err)
        err = read_statement(commands, command, binding, "answer", !resource->is_at_most_once, diags, &command->answer);
    if (!err && !commands->check_only)
        err = check_statements(commands, command, binding, diags);
    if (err)
        return err;
    command->next = commands->first;
    commands->first = command;
    return ERR_OK;
}
