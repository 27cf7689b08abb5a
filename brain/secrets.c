/* Forms that nothing else has: PEM's and our own private keys, and "scheme://user:password@host". */
#include "brain/secrets.h"

#include "base/mem.h"
#include "base/yaml.h"
#include "brain/backup_files.h"

#include <stdio.h>
#include <string.h>

struct checking {
    const char *root;
    struct diag_list *diags;
    struct diag_list *told_elsewhere; /* a file's own errors are its reader's to tell */
};

static bool has(struct str text, const char *part)
{
    return text.ptr && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* "://user:password@" before the path. */
static bool has_password(struct str text)
{
    const char *at = text.len ? memmem(text.ptr, text.len, "://", 3) : NULL;
    struct str rest = at ? str_slice(text, (size_t)(at - text.ptr) + 3, text.len) : STR_NONE, authority, path, user, host, name, password;
    if (!str_cut(rest, '/', &authority, &path))
        authority = rest;
    return str_cut_last(authority, '@', &user, &host) && str_cut(user, ':', &name, &password) && password.len > 0;
}

static void look(struct yaml_node node, struct diag_list *diags)
{
    struct str text = yaml_text(node);
    if (has(text, "PRIVATE KEY-----") || has(text, "citybrain-key:"))
        yaml_error(node, diags, ERR_DENIED,
            "a private key does not belong into a city's files; keep it in {data}/secrets, mode 0600, and take a new one");
    else if (has_password(text))
        yaml_error(node, diags, ERR_DENIED,
            "an address with a password does not belong into a city's files; name a file by password_file: and change the password");
    for (size_t i = 0; yaml_kind(node) != YAML_SCALAR && i < yaml_n_items(node); i++)
        look(yaml_kind(node) == YAML_MAP ? yaml_map_value(node, i) : yaml_item(node, i), diags);
}

static enum err check_file(void *context, const char *relative, bool is_folder, bool *ret_enter, struct diag *diag)
{
    struct checking *checking = context;
    struct yaml *yaml = NULL;
    char path[FILE_PATH_MAX];
    if (is_folder || !str_ends_with(str_from_c(relative), STR(".yaml")) || file_join(path, checking->root, relative) != ERR_OK)
        return ERR_OK;
    if (yaml_load_file(path, checking->told_elsewhere, &yaml) == ERR_OK)
        look(yaml_root(yaml), checking->diags);
    yaml_destroy(yaml);
    return ERR_OK;
}

void secrets_check(const char *city_dir, struct diag_list *diags)
{
    struct checking checking = {.root = city_dir, .diags = diags, .told_elsewhere = mem_alloc_zero(1, sizeof(*diags))};
    struct diag diag = {""};
    if (checking.told_elsewhere && backup_walk(city_dir, check_file, &checking, &diag) != ERR_OK)
        diag_add(diags, ERR_IO, city_dir, 0, "the city's files cannot be looked through: %s", diag.text);
    mem_free(checking.told_elsewhere);
}
