/*
 * Files from disk: the screens' own static files and the ledger's tiles.
 *
 * A brotli or gzip form that lies beside a file (app.js.br, app.js.gz) is sent to those who take it. Pages carry the policy that lets a
 * browser run our code only: the map library needs workers from blobs, images from data and blobs, and inline styles.
 */
#include "http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENT_POLICY                                                                                                                     \
    "default-src 'self'; script-src 'self'; worker-src 'self' blob:; child-src 'self' blob:; img-src 'self' data: blob:; "                 \
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "                    \
    "form-action 'self'; frame-ancestors 'none'"

const char *http_media_type(const char *path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".geojson", "application/geo+json"},
        {".webmanifest", "application/manifest+json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".tif", "image/tiff"},
        {".dcm", "application/dicom"},
        {".pdf", "application/pdf"},
        {".csv", "text/csv; charset=utf-8"},
        {".mp4", "video/mp4"},
        {".zip", "application/zip"},
        {".webp", "image/webp"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".wasm", "application/wasm"},
        {".txt", "text/plain; charset=utf-8"},
    };
    struct str name = str_from_c(path);

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (str_ends_with(name, str_from_c(types[i].ending)))
            return types[i].type;
    return "application/octet-stream";
}

/* Is `coding` among "gzip, deflate;q=0.5, br"? One with q=0 is refused by its sender. */
static bool accepts(struct str header, struct str coding)
{
    while (header.len > 0) {
        struct str item = header, rest = STR_NONE, name, parameter = STR_NONE;
        if (!str_cut(header, ',', &item, &rest)) {
            item = header;
            rest = STR_NONE;
        }
        if (!str_cut(item, ';', &name, &parameter))
            name = item;
        parameter = str_trim(parameter);
        if (str_equal_nocase(str_trim(name), coding))
            return !str_equal_c(parameter, "q=0") && !str_equal_c(parameter, "q=0.0");
        header = rest;
    }
    return false;
}

/* Opens a plain file; -1 when there is none. Links are followed: a build folder may be one. */
static int open_file(const char *path, struct stat *ret_status)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0 && (fstat(fd, ret_status) != 0 || !S_ISREG(ret_status->st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

static int open_encoded(struct http_exchange *x, const char *path, struct stat *ret_status, const char **ret_coding)
{
    static const struct {
        const char *coding, *ending;
    } forms[] = {{"br", ".br"}, {"gzip", ".gz"}};
    struct str header = http_header(x, "Accept-Encoding");
    char encoded[PATH_MAX];

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (!accepts(header, str_from_c(forms[i].coding)) ||
            snprintf(encoded, sizeof(encoded), "%s%s", path, forms[i].ending) >= (int)sizeof(encoded))
            continue;
        int fd = open_file(encoded, ret_status);
        if (fd >= 0) {
            *ret_coding = forms[i].coding;
            return fd;
        }
    }
    return open_file(path, ret_status);
}

static void add_headers(struct http_exchange *x, const char *type, const char *coding, const char *etag, const char *cache_control)
{
    http_add_header(x, "ETag", str_from_c(etag));
    http_add_header(x, "Vary", STR("Accept-Encoding"));
    http_add_header(x, "X-Content-Type-Options", STR("nosniff"));
    if (cache_control)
        http_add_header(x, "Cache-Control", str_from_c(cache_control));
    if (coding)
        http_add_header(x, "Content-Encoding", str_from_c(coding));
    if (strncmp(type, "text/html", 9) == 0) {
        http_add_header(x, "Content-Security-Policy", STR(CONTENT_POLICY));
        http_add_header(x, "Referrer-Policy", STR("same-origin"));
    }
}

void http_reply_file(struct http_exchange *x, const char *path, const char *cache_control)
{
    const char *type = http_media_type(path), *coding = NULL;
    struct MHD_Response *response;
    struct stat status;
    char etag[80];
    int fd;

    if (!x->server) {
        http_exchange_answer(x, 404, NULL);
        return;
    }
    fd = open_encoded(x, path, &status, &coding);
    if (fd < 0) {
        http_reply_refusal(x, 404, "there is nothing at this path");
        return;
    }
    snprintf(etag, sizeof(etag), "\"%llx-%llx%lx%s%s\"", (unsigned long long)status.st_size, (unsigned long long)status.st_mtim.tv_sec,
        (unsigned long)status.st_mtim.tv_nsec, coding ? "-" : "", coding ? coding : "");
    add_headers(x, type, coding, etag, cache_control);
    if (str_equal_c(http_header(x, "If-None-Match"), etag)) {
        close(fd);
        http_reply(x, 304, NULL, STR_NONE);
        return;
    }
    response = MHD_create_response_from_fd64((uint64_t)status.st_size, fd); /* closes it */
    if (!response)
        close(fd);
    if (response && MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) != MHD_YES) {
        MHD_destroy_response(response);
        response = NULL;
    }
    http_exchange_answer(x, 200, response);
}
