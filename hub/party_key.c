/*
 * The keys of parties. A party that keeps its key itself declares the public half in parties.yaml (`key:`) and signs offline; in a demo the
 * hub makes and keeps one for every other party, {data}/secrets/party/AREA_NAME, mode 0600, so that signing can be shown.
 */
#include "hub/desk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_PATH_MAX 4096

static enum err key_path(struct hub *hub, struct str party, char path[KEY_PATH_MAX])
{
    struct str area, name;
    if (!str_cut(party, '/', &area, &name))
        return ERR_SYNTAX;
    const char *const folders[] = {"secrets", "secrets/party"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, KEY_PATH_MAX, "%s/%s", hub->data_dir.ptr, folders[i]);
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return err_from_errno(errno);
    }
    int n = snprintf(path, KEY_PATH_MAX, "%s/secrets/party/" STR_FORMAT "_" STR_FORMAT, hub->data_dir.ptr, STR_ARG(area), STR_ARG(name));
    return n < 0 || n >= KEY_PATH_MAX ? ERR_TOO_LARGE : ERR_OK;
}

static enum err make_key(const char *path, struct sign_key **ret_key)
{
    char text[SIGN_TEXT_MAX];
    struct sign_key *key;
    enum err err = sign_key_make(SIGN_ED25519, &key);
    if (err)
        return err;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    sign_key_text(key, text);
    size_t len = strlen(text);
    bool is_written = fd >= 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    crypto_wipe(text, sizeof text);
    if (is_written) {
        *ret_key = key;
        return ERR_OK;
    }
    sign_key_destroy(key);
    return ERR_IO;
}

/* The demo's key of a party. */
static enum err held_key(struct hub *hub, struct str party, struct sign_key **ret_key)
{
    char path[KEY_PATH_MAX];
    char text[SIGN_TEXT_MAX];
    if (!hub->is_demo)
        return ERR_NOT_FOUND;
    enum err err = key_path(hub, party, path);
    if (err)
        return err;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? make_key(path, ret_key) : err_from_errno(errno);
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    err = n > 0 ? sign_key_read((struct str){text, (size_t)n}, ret_key) : ERR_CORRUPT;
    crypto_wipe(text, sizeof text);
    return err == ERR_SYNTAX ? ERR_CORRUPT : err;
}

enum err hub_party_public(struct hub *hub, struct str name, struct sign_public *ret_public)
{
    const struct hub_party *party = hub_party_find(hub, name);
    struct sign_key *key = NULL;
    if (!party)
        return ERR_NOT_FOUND;
    if (!str_is_empty(party->key))
        return sign_public_read(party->key, ret_public);
    enum err err = held_key(hub, name, &key);
    if (err || !key)
        return err;
    sign_key_public(key, ret_public);
    sign_key_destroy(key);
    return ERR_OK;
}

enum err hub_party_sign(struct hub *hub, struct str name, struct str message, struct diag *diag, struct hub_signature *ret_signature)
{
    const struct hub_party *party = hub_party_find(hub, name);
    struct sign_key *key = NULL;
    if (!party || !str_is_empty(party->key) || !hub->is_demo)
        return diag_set(diag, ERR_DENIED, NULL, 0,
            "\"" STR_FORMAT "\" keeps its key itself: sign with `citybrain contract sign CONTRACT --key FILE`%s", STR_ARG(name),
            party && str_is_empty(party->key) ? ", and declare its public half as key: in parties.yaml" : "");
    enum err err = held_key(hub, name, &key);
    if (err || !key)
        return diag_set(diag, err, NULL, 0, "the key of \"" STR_FORMAT "\" could not be read: %s", STR_ARG(name), err_text(err));
    sign_key_public(key, &ret_signature->key);
    err = sign_make(key, message, ret_signature->bytes);
    sign_key_destroy(key);
    ret_signature->is_there = !err;
    return err;
}
