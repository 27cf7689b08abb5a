/* Reading the door's settings, and the file of the cameras' passwords (settings.h). */
#include "system/vehicle_camera/settings.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORDS_BYTES_MAX (16u << 20)
#define PASSWORDS_MAX 100000
#define DAY_MS (24LL * 3600 * 1000)

/* "{data}/secrets/camera" below the data folder, another relative path below the city's. */
static enum err expand_path(const struct hub_system_env *env, struct str path, char out[SETTINGS_PATH_MAX])
{
    struct str data = STR("{data}");
    int n;
    if (str_starts_with(path, data))
        n = snprintf(out, SETTINGS_PATH_MAX, "%s%.*s", env->data_dir, (int)(path.len - data.len), path.ptr + data.len);
    else if (str_starts_with(path, STR("/")))
        n = snprintf(out, SETTINGS_PATH_MAX, "%.*s", (int)path.len, path.ptr);
    else
        n = snprintf(out, SETTINGS_PATH_MAX, "%s/%.*s", env->city_dir, (int)path.len, path.ptr);
    return n >= 0 && n < SETTINGS_PATH_MAX ? ERR_OK : ERR_TOO_LARGE;
}

/* An absent duration leaves the default. */
static enum err read_duration(struct yaml_node map, const char *key, int64_t min_ms, struct diag_list *diags, int64_t *ret_ms)
{
    if (yaml_is_none(yaml_get(map, key)))
        return ERR_OK;
    int64_t ms = 0;
    enum err err = yaml_get_duration_ms(map, key, true, diags, &ms);
    if (err == ERR_OK && ms < min_ms)
        return yaml_error(yaml_get(map, key), diags, ERR_RANGE, "%s is at least %lld ms", key, (long long)min_ms);
    if (err == ERR_OK)
        *ret_ms = ms;
    return err;
}

static enum err read_texts(const struct hub_system_env *env, struct yaml_node connection, struct diag_list *diags, struct settings *s)
{
    struct str realm = STR("citybrain"), password = STR("{data}/secrets/camera"), zone = STR("+08:00");
    enum err err = ERR_OK;
    if (!yaml_is_none(yaml_get(connection, "realm")))
        err = yaml_get_str(connection, "realm", true, diags, &realm);
    if (err == ERR_OK && !yaml_is_none(yaml_get(connection, "password_file")))
        err = yaml_get_str(connection, "password_file", true, diags, &password);
    if (err == ERR_OK && !yaml_is_none(yaml_get(connection, "zone")))
        err = yaml_get_str(connection, "zone", true, diags, &zone);
    if (err != ERR_OK)
        return err;
    if (str_to_c(realm, s->realm, sizeof s->realm) != ERR_OK || memchr(realm.ptr, '"', realm.len) != NULL)
        return yaml_error(yaml_get(connection, "realm"), diags, ERR_RANGE, "a realm has at most 63 bytes and no quotes");
    if (str_to_c(zone, s->zone_text, sizeof s->zone_text) != ERR_OK || time_zone_parse(zone, &s->zone) != ERR_OK)
        return yaml_error(
            yaml_get(connection, "zone"), diags, ERR_RANGE, "\"" STR_FORMAT "\" is no zone; write +08:00 or Asia/Shanghai", STR_ARG(zone));
    if (expand_path(env, password, s->password_path) != ERR_OK)
        return yaml_error(
            yaml_get(connection, "password_file"), diags, ERR_TOO_LARGE, "the path is longer than %d bytes", SETTINGS_PATH_MAX);
    return ERR_OK;
}

static enum err read_choice(
    struct yaml_node connection, const char *key, const char *const *choices, struct diag_list *diags, size_t *ret_at)
{
    return yaml_is_none(yaml_get(connection, key)) ? ERR_OK : yaml_get_choice(connection, key, true, diags, choices, ret_at);
}

/* city.yaml, one key of it; the composition checks the rest. Without the file the default stands. */
static enum err read_kept(const struct hub_system_env *env, struct diag_list *diags, int64_t *ret_ms)
{
    char path[SETTINGS_PATH_MAX];
    struct yaml *yaml = NULL;
    if (snprintf(path, sizeof path, "%s/city.yaml", env->city_dir) >= (int)sizeof path || access(path, F_OK) != 0)
        return ERR_OK;
    enum err err = yaml_load_file(path, diags, &yaml);
    if (err == ERR_OK)
        err = read_duration(yaml_root(yaml), "passages_kept", 1000, diags, ret_ms);
    yaml_destroy(yaml);
    return err;
}

static enum err read_locals(struct yaml_node connection, struct diag_list *diags, struct plate_locals *locals)
{
    struct yaml_node list = yaml_get(connection, "local_plates");
    if (yaml_is_none(list))
        return ERR_OK;
    if (yaml_kind(list) != YAML_LIST || yaml_n_items(list) == 0 || yaml_n_items(list) > PLATE_LOCALS_MAX)
        return yaml_error(
            list, diags, ERR_RANGE, "local_plates: lists 1 to %d beginnings of this city's plates, as in [浙A]", PLATE_LOCALS_MAX);
    for (size_t i = 0; i < yaml_n_items(list); i++)
        if (plate_locals_add(locals, yaml_text(yaml_item(list, i))) != ERR_OK)
            return yaml_error(yaml_item(list, i), diags, ERR_SYNTAX,
                "\"" STR_FORMAT "\" begins no plate; write a province's character with or without a letter, as in 浙A",
                STR_ARG(yaml_text(yaml_item(list, i))));
    return ERR_OK;
}

enum err settings_read(const struct hub_system_env *env, struct yaml_node system, struct diag_list *diags, struct settings *ret_settings)
{
    static const char *const keys[] = {"realm", "password_file", "zone", "silent_after", "status_code", "accept_future", "accept_past",
        "required", "repeats_remembered", "local_plates", NULL};
    static const char *const codes[] = {"string", "integer", NULL};
    static const char *const required[] = {"standard", "used", NULL};
    struct settings s = {.silent_after_ms = 60000, .accept_future_ms = 300000, .accept_past_ms = DAY_MS, .kept_ms = 7 * DAY_MS};
    struct yaml_node connection = yaml_get(system, "connection");
    size_t code = 0, which = 0;
    enum err err = ERR_OK;
    if (!yaml_is_none(connection)) {
        if (yaml_kind(connection) != YAML_MAP)
            return yaml_error(connection, diags, ERR_SYNTAX, "\"connection\" is a map, as in {realm: citybrain, silent_after: 60s}");
        err = yaml_check_keys(connection, keys, diags);
    }
    if (err == ERR_OK)
        err = read_texts(env, connection, diags, &s);
    if (err == ERR_OK)
        err = read_duration(connection, "silent_after", 1000, diags, &s.silent_after_ms);
    if (err == ERR_OK)
        err = read_duration(connection, "accept_future", 0, diags, &s.accept_future_ms);
    if (err == ERR_OK)
        err = read_duration(connection, "accept_past", 1000, diags, &s.accept_past_ms);
    if (err == ERR_OK)
        err = read_choice(connection, "status_code", codes, diags, &code);
    if (err == ERR_OK)
        err = read_choice(connection, "required", required, diags, &which);
    if (err == ERR_OK && !yaml_is_none(yaml_get(connection, "repeats_remembered")))
        err = yaml_get_i64(connection, "repeats_remembered", true, diags, 1000, 100000000, &s.n_repeats);
    if (err == ERR_OK)
        err = read_locals(connection, diags, &s.locals);
    if (err == ERR_OK)
        err = read_kept(env, diags, &s.kept_ms);
    if (err != ERR_OK)
        return err;
    s.status_as_integer = code == 1;
    s.needs_standard = which == 0;
    *ret_settings = s;
    return ERR_OK;
}

/* ---- passwords ---- */

struct passwords {
    struct buf text;          /* the file */
    struct str shared;        /* empty: none */
    struct str_map by_device; /* number → own[] */
    struct str *own;          /* owned */
};

static enum err write_all(int fd, const char *text, size_t len)
{
    return file_write_all(file_ops_system(), fd, text, len, 0);
}

/* A new file with one random password, whole or not at all. */
static enum err make_file(const char *path)
{
    uint8_t bytes[16];
    char text[34], parent[SETTINGS_PATH_MAX];
    struct str head, tail;
    if (str_cut_last(str_from_c(path), '/', &head, &tail) && str_to_c(head, parent, sizeof parent) == ERR_OK && mkdir(parent, 0700) != 0 &&
        errno != EEXIST && errno != ENOENT)
        return err_from_errno(errno);
    crypto_random(bytes, sizeof bytes);
    crypto_hex(bytes, sizeof bytes, text);
    text[32] = '\n';
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? ERR_OK : err_from_errno(errno);
    enum err err = write_all(fd, text, 33);
    if (err == ERR_OK && fsync(fd) != 0)
        err = err_from_errno(errno);
    close(fd);
    if (err != ERR_OK)
        unlink(path);
    crypto_wipe(text, sizeof text);
    return err;
}

/* One line: nothing, the password of all, or a device and its own. */
static enum err read_line(struct passwords *passwords, struct str line)
{
    struct str device, password;
    uint32_t number = 0;
    line = str_trim(line);
    if (str_is_empty(line) || str_starts_with(line, STR("#")))
        return ERR_OK;
    if (!str_cut(line, ' ', &device, &password)) {
        if (!str_is_empty(passwords->shared))
            return ERR_EXISTS;
        passwords->shared = line;
        return ERR_OK;
    }
    if (str_map_find(&passwords->by_device, device) >= 0)
        return ERR_EXISTS;
    enum err err = str_map_add(&passwords->by_device, device, &number);
    if (err != ERR_OK)
        return err;
    struct str *own = mem_resize(passwords->own, (number + 1) * sizeof *own);
    if (own == NULL)
        return ERR_NO_MEMORY;
    passwords->own = own;
    passwords->own[number] = str_trim(password);
    return ERR_OK;
}

static enum err read_lines(struct passwords *passwords, const char *path, struct diag_list *diags)
{
    struct str rest = buf_str(&passwords->text), line;
    for (int at = 1; !str_is_empty(rest); at++) {
        line = rest;
        if (!str_cut(rest, '\n', &line, &rest))
            rest = STR_NONE;
        enum err err = read_line(passwords, line);
        if (err == ERR_EXISTS)
            return diag_add(diags, err, path, at, "a second password for the same; keep one line for each device and one alone for all");
        if (err != ERR_OK)
            return diag_add(diags, err, path, at, "%s", err_text(err));
    }
    if (str_is_empty(passwords->shared) && passwords->by_device.n == 0)
        return diag_add(diags, ERR_SYNTAX, path, 0, "holds no password; write one word, or delete the file to have one made");
    return ERR_OK;
}

enum err passwords_load(const char *path, struct diag_list *diags, struct passwords **ret_passwords)
{
    uint64_t seed = 0;
    struct passwords *passwords = mem_alloc_zero(1, sizeof *passwords);
    if (passwords == NULL)
        return diag_add(diags, ERR_NO_MEMORY, path, 0, "no memory for the cameras' passwords");
    crypto_random(&seed, sizeof seed);
    buf_init(&passwords->text, PASSWORDS_BYTES_MAX);
    str_map_init(&passwords->by_device, PASSWORDS_MAX, seed);
    enum err err = access(path, F_OK) == 0 ? ERR_OK : make_file(path);
    if (err == ERR_OK)
        err = file_read(path, &passwords->text);
    if (err != ERR_OK)
        err = diag_add(
            diags, err, path, 0, "the cameras' passwords cannot be read or made: %s; look at the folder and its rights", err_text(err));
    else
        err = read_lines(passwords, path, diags);
    if (err != ERR_OK) {
        passwords_destroy(passwords);
        return err;
    }
    *ret_passwords = passwords;
    return ERR_OK;
}

void passwords_destroy(struct passwords *passwords)
{
    if (passwords == NULL)
        return;
    if (passwords->text.ptr != NULL)
        crypto_wipe(passwords->text.ptr, passwords->text.len);
    buf_finish(&passwords->text);
    str_map_finish(&passwords->by_device);
    mem_free(passwords->own);
    mem_free(passwords);
}

bool passwords_find(const struct passwords *passwords, struct str device, struct str *ret_password)
{
    int64_t number = str_map_find(&passwords->by_device, device);
    struct str password = number >= 0 ? passwords->own[number] : passwords->shared;
    if (str_is_empty(password))
        return false;
    *ret_password = password;
    return true;
}
