/* Digest: RFC 2617's example, what is refused, and that no answer counts twice. */
#include "base/crypto.h"
#include "base/mem.h"
#include "base/test.h"
#include "http/digest.h"

#include <stdio.h>
#include <string.h>

#define TARGET "/VIID/System/Register"

/* RFC 2617, §3.5; its nonce is not ours, so that the right answer is a stale one. */
static void knows_the_standards_example(void **state)
{
    static const char header[] = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                                 "uri=\"/dir/index.html\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", "
                                 "response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
    struct http_nonces *nonces = NULL;
    struct http_digest digest;
    char ha1[33];

    assert_ok(http_nonces_create(&nonces));
    assert_ok(http_digest_parse(STR(header), &digest));
    assert_str(digest.user, "Mufasa");
    crypto_md5_hex(STR("Mufasa:testrealm@host.com:Circle Of Life"), ha1);
    assert_err(http_digest_check(nonces, &digest, "GET", STR("/dir/index.html"), ha1, (struct mono_time){0}), ERR_STATE);
    assert_err(http_digest_check(nonces, &digest, "POST", STR("/dir/index.html"), ha1, (struct mono_time){0}), ERR_CRYPTO);
    assert_err(http_digest_check(nonces, &digest, "GET", STR("/dir/other.html"), ha1, (struct mono_time){0}), ERR_SYNTAX);
    ha1[0] ^= 1;
    assert_err(http_digest_check(nonces, &digest, "GET", STR("/dir/index.html"), ha1, (struct mono_time){0}), ERR_CRYPTO);
    http_nonces_destroy(nonces);
}

static void parses(void **state)
{
#define GOOD                                                                                                                               \
    "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"/\", response=\"0123456789abcdef0123456789abcdef\", qop=auth, nc=00000001, "   \
    "cnonce=\"c\""
    static const struct {
        const char *header;
        enum err err;
    } rows[] = {
        {GOOD, ERR_OK},
        {GOOD ", algorithm=MD5", ERR_OK},
        {GOOD ",algorithm=\"MD5\" , opaque=\"\" ,foo=bar", ERR_OK},
        {"digest  username=\"u\",realm=\"r\",nonce=\"n\",uri=\"/\",response=\"0123456789abcdef0123456789abcdef\",qop=\"auth\","
         "nc=00000001,cnonce=\"c\"",
            ERR_OK},
        {"", ERR_SYNTAX},
        {"Digest", ERR_SYNTAX},
        {"Digest ", ERR_SYNTAX},
        {"Basic dTpw", ERR_SYNTAX},
        {GOOD ",", ERR_SYNTAX},
        {GOOD ", algorithm=SHA-256", ERR_SYNTAX},
        {GOOD ", username=\"v\"", ERR_SYNTAX},
        {GOOD ", x=\"", ERR_SYNTAX},
        {GOOD ", x", ERR_SYNTAX},
        {GOOD " x=y", ERR_SYNTAX},
        {GOOD ", x=\"a\\\"b\"", ERR_SYNTAX},
        {"Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"/\", response=\"0123456789abcdef0123456789abcdef\"", ERR_SYNTAX},
        {"Digest username=\"\", realm=\"r\", nonce=\"n\", uri=\"/\", response=\"0123456789abcdef0123456789abcdef\", qop=auth, nc=00000001, "
         "cnonce=\"c\"",
            ERR_SYNTAX},
        {"Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"/\", response=\"0123\", qop=auth, nc=00000001, cnonce=\"c\"", ERR_SYNTAX},
        {"Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"/\", response=\"0123456789abcdef0123456789abcdef\", qop=auth-int, "
         "nc=00000001, cnonce=\"c\"",
            ERR_SYNTAX},
        {"Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"/\", response=\"0123456789abcdef0123456789abcdef\", qop=auth, nc=1, "
         "cnonce=\"c\"",
            ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_digest digest;
        enum err err = http_digest_parse(str_from_c(rows[i].header), &digest);
        if (err != rows[i].err)
            fail_msg("row %zu: %s, not %s", i, err_text(err), err_text(rows[i].err));
    }
}

/* What a client with the right password makes of a nonce. */
static enum err answer(struct http_nonces *nonces, const char *nonce, unsigned nc, int64_t now_ms)
{
    struct http_digest digest;
    char ha1[33], ha2[33], response[33], text[512], header[1024];

    crypto_md5_hex(STR("camera:citybrain:secret"), ha1);
    crypto_md5_hex(STR("POST:" TARGET), ha2);
    snprintf(text, sizeof(text), "%s:%s:%08x:abc:auth:%s", ha1, nonce, nc, ha2);
    crypto_md5_hex(str_from_c(text), response);
    snprintf(header, sizeof(header),
        "Digest username=\"camera\", realm=\"citybrain\", nonce=\"%s\", uri=\"" TARGET "\", response=\"%s\", qop=auth, nc=%08x, "
        "cnonce=\"abc\"",
        nonce, response, nc);
    assert_ok(http_digest_parse(str_from_c(header), &digest));
    return http_digest_check(nonces, &digest, "POST", STR(TARGET), ha1, (struct mono_time){now_ms * 1000000});
}

static void an_answer_counts_once(void **state)
{
    struct http_nonces *nonces = NULL;
    char nonce[HTTP_NONCE_LENGTH + 1], other[HTTP_NONCE_LENGTH + 1];

    assert_ok(http_nonces_create(&nonces));
    http_nonce_issue(nonces, (struct mono_time){1000 * 1000000LL}, nonce);
    http_nonce_issue(nonces, (struct mono_time){1000 * 1000000LL}, other);
    assert_string_not_equal(nonce, other);
    assert_ok(answer(nonces, nonce, 1, 1001));
    assert_err(answer(nonces, nonce, 1, 1002), ERR_STATE);
    assert_ok(answer(nonces, nonce, 3, 1003)); /* two connections overtake each other */
    assert_ok(answer(nonces, nonce, 2, 1003));
    assert_err(answer(nonces, nonce, 2, 1003), ERR_STATE);
    assert_err(answer(nonces, nonce, 3, 1003), ERR_STATE);
    assert_err(answer(nonces, nonce, 0, 1003), ERR_STATE);
    assert_ok(answer(nonces, nonce, 200, 1004));
    assert_err(answer(nonces, nonce, 100, 1004), ERR_STATE); /* too far behind to be known */
    assert_ok(answer(nonces, nonce, 137, 1004));
    assert_ok(answer(nonces, other, 1, 1004));
    assert_ok(answer(nonces, nonce, 0xffffffff, 1004));
    assert_err(answer(nonces, nonce, 201, 1000 + HTTP_NONCE_LIFE_MS + 1), ERR_STATE);
    assert_err(answer(nonces, nonce, 201, 999), ERR_STATE); /* from the future */
    nonce[20] = nonce[20] == '0' ? '1' : '0';
    assert_err(answer(nonces, nonce, 1, 1004), ERR_STATE);
    http_nonces_destroy(nonces);
    assert_int_equal(mem_n_live(), 0);
}

/* More nonces than there are places: the oldest are forgotten, and never accepted again. */
static void forgetting_opens_nothing(void **state)
{
    struct http_nonces *nonces = NULL;
    char first[HTTP_NONCE_LENGTH + 1], unused[HTTP_NONCE_LENGTH + 1], nonce[HTTP_NONCE_LENGTH + 1];

    assert_ok(http_nonces_create(&nonces));
    http_nonce_issue(nonces, (struct mono_time){1000 * 1000000LL}, first);
    http_nonce_issue(nonces, (struct mono_time){1000 * 1000000LL}, unused);
    assert_ok(answer(nonces, first, 1, 1000));
    for (int i = 0; i < 40000; i++) {
        int64_t now_ms = 1001 + i / 10;
        http_nonce_issue(nonces, (struct mono_time){now_ms * 1000000}, nonce);
        assert_ok(answer(nonces, nonce, 1, now_ms));
        if (i % 1000 == 0)
            assert_err(answer(nonces, nonce, 1, now_ms), ERR_STATE);
    }
    assert_err(answer(nonces, first, 1, 6000), ERR_STATE);
    assert_err(answer(nonces, first, 2, 6000), ERR_STATE);
    assert_err(answer(nonces, unused, 1, 6000), ERR_STATE);
    http_nonces_destroy(nonces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_standards_example),
        cmocka_unit_test(parses),
        cmocka_unit_test(an_answer_counts_once),
        cmocka_unit_test(forgetting_opens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
