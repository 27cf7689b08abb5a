/*
 * An object from the shell. It knows no more than any program does: the bytes, the receipt's name, and, as the use's consumer, the salt of
 * the outcome leaf, with which the digest of what came is held against the ledger.
 */
#include "hub/cli_object.h"

#include "base/crypto.h"
#include "base/json.h"
#include "http/client.h"
#include "hub/cli_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define URL_MAX 4096
#define SILENCE_MS 60000  /* nothing may come for so long */
#define OUTCOME_TRIES 200 /* of 50 ms: the outcome follows the last byte */
#define PROGRESS_BYTES (4u << 20)

enum { WANTED_RECEIPT, WANTED_TYPE, WANTED_LENGTH };

struct coming {
    const struct hub_cli_object *object;
    FILE *file, *error;
    struct crypto_hash *hash;
    uint64_t n, n_shown;
};

static enum err take(void *context, struct str bytes)
{
    struct coming *coming = context;
    if (fwrite(bytes.ptr, 1, bytes.len, coming->file) != bytes.len)
        return errno == ENOSPC ? ERR_DISK_FULL : ERR_IO;
    coming->n += bytes.len;
    if (coming->object->has_progress && coming->n - coming->n_shown >= PROGRESS_BYTES) {
        coming->n_shown = coming->n;
        fprintf(coming->error, "\r%llu MB", (unsigned long long)(coming->n >> 20));
        fflush(coming->error);
    }
    return crypto_hash_add(coming->hash, bytes);
}

static enum err make_url(const struct hub_cli_object *object, char url[URL_MAX])
{
    struct buf text;
    buf_init(&text, URL_MAX);
    buf_printf(&text, "%s/hub/v1/object/%s", object->url, object->resource);
    hub_cli_put(&text, "?purpose=", object->purpose);
    if (object->key)
        hub_cli_put(&text, "&key=", object->key);
    if (object->contract)
        hub_cli_put(&text, "&contract=", object->contract);
    enum err err = text.err ? text.err : str_to_c(buf_str(&text), url, URL_MAX);
    buf_finish(&text);
    return err;
}

/* The outcome leaf with its salt; it may be behind the last byte by a moment. */
static enum err get_outcome(const struct hub_cli_object *object, const char *receipt, json_t **ret_opening)
{
    char url[URL_MAX];
    const char *slash = strrchr(receipt, '/');
    const struct timespec pause = {.tv_nsec = 50000000};
    enum err err = ERR_TIMEOUT;
    snprintf(url, sizeof url, "%s/hub/v1/outcome/%s", object->url, slash ? slash + 1 : "");
    for (int i = 0; i < OUTCOME_TRIES; i++) {
        struct http_response response;
        const struct http_request request = {.method = "GET", .url = url, .bearer = object->token};
        err = http_client_perform(&request, &response);
        if (err)
            return err;
        int status = response.status;
        if (status == 200)
            err = json_read(buf_str(&response.body), NULL, ret_opening);
        buf_finish(&response.body);
        if (status == 200)
            return err;
        if (status != 409)
            return ERR_NOT_FOUND;
        nanosleep(&pause, NULL);
    }
    return ERR_TIMEOUT;
}

/* Does the outcome say that these bytes were given? */
static enum err check_outcome(const json_t *opening, uint64_t n, const struct sha256 *digest)
{
    const json_t *leaf = json_object_get(opening, "leaf");
    struct str hex, told, status;
    uint8_t salt[32];
    char expected[65];
    int64_t bytes;
    if (json_get_str(opening, "salt", &hex) || crypto_unhex(hex, salt, sizeof salt) || json_get_str(leaf, "digest", &told) ||
        json_get_str(leaf, "status", &status) || json_get_i64(leaf, "bytes", &bytes))
        return ERR_CORRUPT;
    struct sha256 commitment = crypto_hmac_sha256((struct str){(char *)salt, 32}, (struct str){(const char *)digest->bytes, 32});
    crypto_hex(commitment.bytes, 32, expected);
    return (uint64_t)bytes == n && str_equal_c(status, "ok") && str_equal_c(told, expected) ? ERR_OK : ERR_CORRUPT;
}

static int check(const struct coming *coming, const struct http_response *response, FILE *out)
{
    const struct hub_cli_object *object = coming->object;
    struct sha256 digest;
    json_t *opening = NULL;
    char hex[65];
    const char *receipt = response->wanted[WANTED_RECEIPT];
    enum err err = crypto_hash_end(coming->hash, &digest);
    if (!err)
        err = get_outcome(object, receipt, &opening);
    if (!err)
        err = check_outcome(opening, coming->n, &digest);
    json_decref(opening);
    if (err) {
        fprintf(coming->error, "citybrain object: what came is not what %s says was given (%s); nothing is kept\n", receipt, err_text(err));
        return 1;
    }
    crypto_hex(digest.bytes, 32, hex);
    fprintf(out, "%llu bytes, sha256 %s, %s, receipt %s\n", (unsigned long long)coming->n, hex, response->wanted[WANTED_TYPE], receipt);
    return 0;
}

static int fetch(struct coming *coming, FILE *out)
{
    const struct hub_cli_object *object = coming->object;
    char url[URL_MAX], range[128];
    const char *headers[] = {range, NULL};
    struct http_response response;
    snprintf(range, sizeof range, "Range: bytes=%s", object->range ? object->range : "");
    const struct http_request request = {
        .method = "GET",
        .url = url,
        .bearer = object->token,
        .headers = object->range ? headers : NULL,
        .timeout_ms = SILENCE_MS,
        .on_bytes = take,
        .context = coming,
        .wanted = {[WANTED_RECEIPT] = "Citybrain-Receipt", [WANTED_TYPE] = "Content-Type", [WANTED_LENGTH] = "Content-Length"},
    };
    enum err err = make_url(object, url);
    if (!err)
        err = http_client_perform(&request, &response);
    if (object->has_progress && coming->n_shown)
        fputc('\r', coming->error);
    if (err) {
        fprintf(coming->error, "citybrain object: %s after %llu bytes (%s); nothing is kept\n", err_text(err),
            (unsigned long long)coming->n, object->url);
        return 2;
    }
    int code = response.status == 401 ? 2 : 1;
    if (response.status == 200 || response.status == 206) {
        code = check(coming, &response, out);
    } else {
        struct str text = buf_str(&response.body);
        fprintf(coming->error, STR_FORMAT "\n", STR_ARG(text));
    }
    buf_finish(&response.body);
    return code;
}

int hub_cli_object(const struct hub_cli_object *object, FILE *out, FILE *error)
{
    char beside[URL_MAX];
    struct coming coming = {.object = object, .error = error};
    int n = snprintf(beside, sizeof beside, "%s.part", object->path);
    if (n > 0 && (size_t)n < sizeof beside)
        coming.file = fopen(beside, "wx");
    if (!coming.file) {
        fprintf(error, "citybrain object: %s.part cannot be made (%s); is another one under way?\n", object->path, strerror(errno));
        return 2;
    }
    int code = crypto_hash_create(&coming.hash) ? 2 : fetch(&coming, out);
    crypto_hash_destroy(coming.hash);
    if ((fflush(coming.file) != 0 || fsync(fileno(coming.file)) != 0) && code == 0)
        code = 2;
    if (fclose(coming.file) != 0 && code == 0)
        code = 2;
    if (code == 0 && rename(beside, object->path) != 0)
        code = 2;
    if (code != 0)
        unlink(beside);
    return code;
}
