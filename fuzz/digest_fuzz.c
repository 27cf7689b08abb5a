/* The Authorization header of a camera: what is parsed lies inside of the header, and checking it never lets anybody in. */
#include "http/digest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct str part, const uint8_t *data, size_t size)
{
    if (part.ptr && ((const uint8_t *)part.ptr < data || (const uint8_t *)part.ptr + part.len > data + size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_nonces *nonces;
    const char ha1[33] = "5f4dcc3b5aa765d61d8327deb882cf99";
    struct http_digest digest;

    if (!nonces && http_nonces_create(&nonces))
        abort();
    if (http_digest_parse((struct str){(const char *)data, size}, &digest))
        return 0;
    check_inside(digest.user, data, size);
    check_inside(digest.realm, data, size);
    check_inside(digest.nonce, data, size);
    check_inside(digest.uri, data, size);
    check_inside(digest.cnonce, data, size);
    check_inside(digest.algorithm, data, size);
    if (!http_digest_check(nonces, &digest, "POST", digest.uri, ha1, (struct mono_time){0}))
        abort(); /* it cannot know a nonce of ours */
    return 0;
}
