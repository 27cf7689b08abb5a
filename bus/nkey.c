/* The text form of nkeys (github.com/nats-io/nkeys): base32 without padding of prefix, key and a CRC-16/XMODEM, low byte first. */
#include "bus/nkey.h"

#include "base/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX_SEED (18 << 3) /* 'S' */
#define PREFIX_USER (20 << 3) /* 'U' */
#define SEED_RAW 36           /* two of prefix, 32 of seed, two of CRC */
#define PUBLIC_RAW 35
#define SEED_TEXT 58

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; /* RFC 4648 §6 */

static uint16_t crc16(const uint8_t *bytes, size_t len)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc ^= (uint16_t)(bytes[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

/* `raw` has room for the CRC behind its first `len` bytes. */
static void encode(uint8_t *raw, size_t len, char *out)
{
    uint16_t crc = crc16(raw, len);
    uint32_t held = 0;
    int n_bits = 0;
    raw[len] = (uint8_t)crc;
    raw[len + 1] = (uint8_t)(crc >> 8);
    for (size_t i = 0; i < len + 2; i++) {
        held = held << 8 | raw[i];
        for (n_bits += 8; n_bits >= 5; n_bits -= 5)
            *out++ = alphabet[held >> (n_bits - 5) & 31];
    }
    if (n_bits > 0)
        *out++ = alphabet[held << (5 - n_bits) & 31];
    *out = '\0';
}

static enum err decode_seed(struct str text, uint8_t ret_seed[32])
{
    uint8_t raw[SEED_RAW + 1];
    size_t n = 0;
    uint32_t held = 0;
    int n_bits = 0;
    if (text.len != SEED_TEXT)
        return ERR_SYNTAX;
    for (size_t i = 0; i < text.len; i++) {
        const char *at = memchr(alphabet, text.ptr[i], sizeof alphabet - 1);
        if (!at)
            return ERR_SYNTAX;
        held = held << 5 | (uint32_t)(at - alphabet);
        if ((n_bits += 5) >= 8) {
            n_bits -= 8;
            raw[n++] = (uint8_t)(held >> n_bits);
        }
    }
    uint16_t crc = crc16(raw, SEED_RAW - 2);
    bool is_good = raw[0] == (PREFIX_SEED | PREFIX_USER >> 5) && raw[1] == (uint8_t)((PREFIX_USER & 31) << 3) &&
                   raw[SEED_RAW - 2] == (uint8_t)crc && raw[SEED_RAW - 1] == (uint8_t)(crc >> 8);
    if (is_good)
        memcpy(ret_seed, raw + 2, 32);
    crypto_wipe(raw, sizeof raw);
    return is_good ? ERR_OK : ERR_SYNTAX;
}

enum err bus_nkey_make(const char *path, struct diag *diag)
{
    uint8_t raw[SEED_RAW] = {PREFIX_SEED | PREFIX_USER >> 5, (uint8_t)((PREFIX_USER & 31) << 3)};
    char text[BUS_NKEY_TEXT];
    crypto_random(raw + 2, 32);
    encode(raw, SEED_RAW - 2, text);
    crypto_wipe(raw, sizeof raw);
    memcpy(text + SEED_TEXT, "\n", 2);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return diag_set(diag, err_from_errno(errno), path, 0, "the key cannot be written: %s", strerror(errno));
    bool is_written = write(fd, text, SEED_TEXT + 1) == SEED_TEXT + 1 && fsync(fd) == 0;
    crypto_wipe(text, sizeof text);
    close(fd);
    if (is_written)
        return ERR_OK;
    unlink(path);
    return diag_set(diag, ERR_IO, path, 0, "the key cannot be written: the disk refuses");
}

enum err bus_nkey_public(const char *path, struct diag *diag, char ret_public[BUS_NKEY_TEXT])
{
    char text[256];
    uint8_t seed[32], raw[PUBLIC_RAW] = {PREFIX_USER};
    struct crypto_key *key;
    FILE *file = fopen(path, "re");
    if (!file)
        return diag_set(diag, err_from_errno(errno), path, 0, "the bus key cannot be read: %s", strerror(errno));
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    enum err err = decode_seed(str_trim((struct str){text, len}), seed);
    crypto_wipe(text, sizeof text);
    if (err)
        return diag_set(diag, err, path, 0, "this is no seed of a NATS user (SU…); `citybrain bus-key FILE` makes one");
    err = crypto_key_from_seed(seed, &key);
    crypto_wipe(seed, sizeof seed);
    if (err)
        return err;
    crypto_key_public(key, raw + 1);
    crypto_key_destroy(key);
    encode(raw, PUBLIC_RAW - 2, ret_public);
    return ERR_OK;
}
