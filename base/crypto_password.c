/*
 * Passwords (Argon2id) and key files: the slow and the stored sides of base/crypto.h.
 */
#include "base/crypto.h"

#include <argon2.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGON2_PASSES 2
#define ARGON2_MEMORY_KIB 19456
#define ARGON2_LANES 1
#define ARGON2_SALT_LENGTH 16
#define ARGON2_HASH_LENGTH 32
#define KEY_LENGTH 32

static enum err err_from_argon2(int code)
{
    switch (code) {
    case ARGON2_OK:
        return ERR_OK;
    case ARGON2_VERIFY_MISMATCH:
        return ERR_CRYPTO;
    case ARGON2_MEMORY_ALLOCATION_ERROR:
        return ERR_NO_MEMORY;
    case ARGON2_ENCODING_FAIL:
        return ERR_TOO_LARGE;
    default:
        return ERR_CORRUPT;
    }
}

enum err crypto_password_hash(struct str password, char *out, size_t size)
{
    uint8_t salt[ARGON2_SALT_LENGTH];

    crypto_random(salt, sizeof(salt));
    return err_from_argon2(argon2id_hash_encoded(
        ARGON2_PASSES, ARGON2_MEMORY_KIB, ARGON2_LANES, password.ptr, password.len, salt, sizeof(salt), ARGON2_HASH_LENGTH, out, size));
}

enum err crypto_password_check(struct str password, const char *encoded)
{
    return err_from_argon2(argon2id_verify(encoded, password.ptr, password.len));
}

/* 0600 from the start, on disk before it has its name, never over an existing one. */
static enum err key_file_make(const char *path)
{
    char temporary[PATH_MAX];
    uint8_t key[KEY_LENGTH];
    enum err err = ERR_OK;
    int fd;

    if (snprintf(temporary, sizeof(temporary), "%s.%ld.new", path, (long)getpid()) >= (int)sizeof(temporary))
        return ERR_TOO_LARGE;
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_from_errno(errno);
    crypto_random(key, sizeof(key));
    if (write(fd, key, sizeof(key)) != (ssize_t)sizeof(key) || fsync(fd) != 0)
        err = err_from_errno(errno);
    close(fd);
    crypto_wipe(key, sizeof(key));
    if (!err && link(temporary, path) != 0 && errno != EEXIST) /* EEXIST: another process was faster; its key is taken */
        err = err_from_errno(errno);
    unlink(temporary);
    return err;
}

/* The file's name is on disk as well. */
static enum err folder_sync(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    enum err err = ERR_OK;
    int fd;

    if (slash && (size_t)(slash - path) >= sizeof(folder))
        return ERR_TOO_LARGE;
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    if (fsync(fd) != 0)
        err = err_from_errno(errno);
    close(fd);
    return err;
}

enum err crypto_key_file_read(const char *path, uint8_t ret_key[32])
{
    uint8_t key[KEY_LENGTH + 1];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_from_errno(errno);
    n = read(fd, key, sizeof(key));
    close(fd);
    if (n < 0)
        return err_from_errno(errno);
    if (n == KEY_LENGTH)
        memcpy(ret_key, key, KEY_LENGTH);
    crypto_wipe(key, sizeof(key));
    return n == KEY_LENGTH ? ERR_OK : ERR_CORRUPT;
}

enum err crypto_key_file(const char *path, uint8_t ret_key[32])
{
    enum err err = crypto_key_file_read(path, ret_key);
    if (err != ERR_NOT_FOUND)
        return err;
    err = key_file_make(path);
    if (!err)
        err = folder_sync(path);
    return err ? err : crypto_key_file_read(path, ret_key);
}
