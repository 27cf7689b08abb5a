/*
 * Digest: parsing, nonces, checking.
 *
 * A nonce carries its time and number under our MAC, so that issuing one costs no memory and a flood of unauthenticated
 * requests pushes nothing out. Only a nonce that was used rightly takes a place in the table, which remembers the
 * counters seen (a window of 64, as several connections of one camera may overtake each other). When the table is full the
 * oldest place is reused, and from then on no nonce issued up to that one's time is accepted anew: nothing can be replayed.
 */
#include "http/digest.h"

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/mem.h"

#include <string.h>

#define N_PLACES 16384 /* nonces in use at a time: cameras of a city, each with one or two; 640 KB once cameras are there */
#define N_CHAINS 16384
#define MAC_LENGTH 12
#define PART_MAX 256 /* bytes of one part of the header; a target may be longer */

struct place {
    int64_t issued_ms;
    uint32_t number, next; /* next: place + 1 in the chain */
    uint64_t highest;      /* largest nc seen */
    uint64_t seen;         /* bit i: highest - i was seen */
};

struct http_nonces {
    uint8_t key[32];
    uint32_t next_number, n_used; /* n_used: places ever taken */
    int64_t refused_until_ms;     /* of a place that was reused: see above */
    struct place *places;         /* NULL until the first right answer */
    uint32_t *chains;             /* place + 1 */
};

/* ---- parsing ---- */

static bool is_token(char c)
{
    return c > 0x20 && c < 0x7f && !strchr("()<>@,;:\\\"/[]?={}", c);
}

static struct str skip_blanks(struct str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = str_slice(s, 1, s.len);
    return s;
}

/* Takes `name = value` from the front of *rest; the value bare or in quotes. */
static enum err take_part(struct str *rest, struct str *ret_name, struct str *ret_value)
{
    struct str s = skip_blanks(*rest);
    size_t n = 0;

    while (n < s.len && is_token(s.ptr[n]))
        n++;
    *ret_name = str_slice(s, 0, n);
    s = skip_blanks(str_slice(s, n, s.len));
    if (n == 0 || s.len == 0 || s.ptr[0] != '=')
        return ERR_SYNTAX;
    s = skip_blanks(str_slice(s, 1, s.len));
    n = 0;
    if (s.len && s.ptr[0] == '"') {
        s = str_slice(s, 1, s.len);
        while (n < s.len && s.ptr[n] != '"') {
            /* a quoted pair would be hashed in two ways by different clients; control characters belong nowhere here */
            if (s.ptr[n] == '\\' || (unsigned char)s.ptr[n] < 0x20 || s.ptr[n] == 0x7f)
                return ERR_SYNTAX;
            n++;
        }
        if (n == s.len)
            return ERR_SYNTAX;
        *ret_value = str_slice(s, 0, n);
        s = str_slice(s, n + 1, s.len);
    } else {
        while (n < s.len && is_token(s.ptr[n]))
            n++;
        if (n == 0)
            return ERR_SYNTAX;
        *ret_value = str_slice(s, 0, n);
        s = str_slice(s, n, s.len);
    }
    *rest = s;
    return ERR_OK;
}

static enum err check_parts(const struct http_digest *digest)
{
    const struct str *bounded[] = {&digest->user, &digest->realm, &digest->nonce, &digest->cnonce};

    if (!digest->user.ptr || !digest->realm.ptr || !digest->nonce.ptr || !digest->uri.ptr || !digest->cnonce.ptr ||
        digest->response.len != 32 || digest->nc.len != 8 || !str_equal_nocase(digest->qop, STR("auth")))
        return ERR_SYNTAX;
    if (digest->algorithm.ptr && !str_equal_nocase(digest->algorithm, STR("MD5")))
        return ERR_SYNTAX;
    for (size_t i = 0; i < sizeof(bounded) / sizeof(bounded[0]); i++)
        if (bounded[i]->len == 0 || bounded[i]->len > PART_MAX)
            return ERR_SYNTAX;
    return ERR_OK;
}

enum err http_digest_parse(struct str header, struct http_digest *ret_digest)
{
    struct http_digest digest = {0};
    const struct {
        const char *name;
        struct str *part;
    } parts[] = {{"username", &digest.user}, {"realm", &digest.realm}, {"nonce", &digest.nonce}, {"uri", &digest.uri},
        {"response", &digest.response}, {"qop", &digest.qop}, {"nc", &digest.nc}, {"cnonce", &digest.cnonce},
        {"algorithm", &digest.algorithm}};
    struct str rest;

    if (!str_equal_nocase(str_slice(header, 0, 7), STR("Digest ")))
        return ERR_SYNTAX;
    rest = str_slice(header, 7, header.len);
    for (;;) {
        struct str name, value;
        if (take_part(&rest, &name, &value))
            return ERR_SYNTAX;
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            if (!str_equal_nocase(name, str_from_c(parts[i].name)))
                continue;
            if (parts[i].part->ptr)
                return ERR_SYNTAX;
            *parts[i].part = value;
        }
        rest = skip_blanks(rest);
        if (rest.len == 0)
            break;
        if (rest.ptr[0] != ',')
            return ERR_SYNTAX;
        rest = str_slice(rest, 1, rest.len);
    }
    if (check_parts(&digest))
        return ERR_SYNTAX;
    *ret_digest = digest;
    return ERR_OK;
}

/* ---- nonces ---- */

enum err http_nonces_create(struct http_nonces **ret_nonces)
{
    struct http_nonces *nonces = mem_alloc_zero(1, sizeof(*nonces));

    if (!nonces)
        return ERR_NO_MEMORY;
    crypto_random(nonces->key, sizeof(nonces->key));
    nonces->refused_until_ms = INT64_MIN;
    *ret_nonces = nonces;
    return ERR_OK;
}

void http_nonces_destroy(struct http_nonces *nonces)
{
    if (!nonces)
        return;
    crypto_wipe(nonces->key, sizeof(nonces->key));
    mem_free(nonces->places);
    mem_free(nonces->chains);
    mem_free(nonces);
}

/* time (8 bytes) | number (4) | MAC of both (12) */
static void nonce_bytes(const struct http_nonces *nonces, int64_t issued_ms, uint32_t number, uint8_t out[24])
{
    struct bytes_writer writer;
    struct sha256 mac;

    bytes_writer_init(&writer, out, 24);
    bytes_write_u64be(&writer, (uint64_t)issued_ms);
    bytes_write_u32be(&writer, number);
    mac = crypto_hmac_sha256((struct str){(const char *)nonces->key, sizeof(nonces->key)}, (struct str){(const char *)out, 12});
    bytes_write(&writer, mac.bytes, MAC_LENGTH);
}

void http_nonce_issue(struct http_nonces *nonces, struct mono_time now, char out[HTTP_NONCE_LENGTH + 1])
{
    uint8_t bytes[24];

    nonce_bytes(nonces, now.ns / 1000000, nonces->next_number++, bytes);
    crypto_hex(bytes, sizeof(bytes), out);
}

static bool nonce_is_ours(const struct http_nonces *nonces, struct str nonce, int64_t *ret_issued_ms, uint32_t *ret_number)
{
    uint8_t sent[24], wanted[24];
    struct bytes_reader reader;

    if (crypto_unhex(nonce, sent, sizeof(sent)))
        return false;
    bytes_reader_init(&reader, sent, sizeof(sent));
    *ret_issued_ms = (int64_t)bytes_read_u64be(&reader);
    *ret_number = bytes_read_u32be(&reader);
    nonce_bytes(nonces, *ret_issued_ms, *ret_number, wanted);
    return crypto_equal(sent, wanted, sizeof(sent));
}

static uint32_t *chain_of(const struct http_nonces *nonces, uint32_t number)
{
    return &nonces->chains[number % N_CHAINS]; /* numbers are ours and count up: no hash is needed */
}

static struct place *find_place(const struct http_nonces *nonces, int64_t issued_ms, uint32_t number)
{
    for (uint32_t at = *chain_of(nonces, number); at; at = nonces->places[at - 1].next) {
        struct place *place = &nonces->places[at - 1];
        if (place->number == number && place->issued_ms == issued_ms)
            return place;
    }
    return NULL;
}

static void unchain(struct http_nonces *nonces, uint32_t index)
{
    uint32_t *at = chain_of(nonces, nonces->places[index].number);

    while (*at != index + 1)
        at = &nonces->places[*at - 1].next;
    *at = nonces->places[index].next;
}

static struct place *take_place(struct http_nonces *nonces, int64_t issued_ms, uint32_t number)
{
    uint32_t index = nonces->n_used % N_PLACES;
    struct place *place = &nonces->places[index];
    uint32_t *chain = chain_of(nonces, number);

    if (nonces->n_used >= N_PLACES) {
        if (place->issued_ms > nonces->refused_until_ms)
            nonces->refused_until_ms = place->issued_ms;
        unchain(nonces, index);
    }
    nonces->n_used = nonces->n_used + 1 < 2 * N_PLACES ? nonces->n_used + 1 : N_PLACES;
    *place = (struct place){.issued_ms = issued_ms, .number = number, .next = *chain};
    *chain = index + 1;
    return place;
}

/* Marks `nc` as seen; false when it was before, or is too far behind to know. */
static bool count_once(struct place *place, uint64_t nc)
{
    uint64_t behind;

    if (nc > place->highest) {
        uint64_t ahead = nc - place->highest;
        place->seen = ahead < 64 ? place->seen << ahead | 1 : 1;
        place->highest = nc;
        return true;
    }
    behind = place->highest - nc;
    if (nc == 0 || behind >= 64 || (place->seen >> behind & 1))
        return false;
    place->seen |= UINT64_C(1) << behind;
    return true;
}

static enum err use_nonce(struct http_nonces *nonces, const struct http_digest *digest, struct mono_time now)
{
    uint8_t nc_bytes[4];
    struct bytes_reader reader;
    struct place *place;
    int64_t issued_ms, age_ms;
    uint32_t number, nc;

    if (crypto_unhex(digest->nc, nc_bytes, sizeof(nc_bytes)) || !nonce_is_ours(nonces, digest->nonce, &issued_ms, &number))
        return ERR_STATE;
    bytes_reader_init(&reader, nc_bytes, sizeof(nc_bytes));
    nc = bytes_read_u32be(&reader);
    age_ms = now.ns / 1000000 - issued_ms;
    if (age_ms < 0 || age_ms > HTTP_NONCE_LIFE_MS)
        return ERR_STATE;
    if (!nonces->places) {
        nonces->places = mem_alloc_zero(N_PLACES, sizeof(*nonces->places));
        nonces->chains = mem_alloc_zero(N_CHAINS, sizeof(*nonces->chains));
        if (!nonces->places || !nonces->chains) {
            mem_free(nonces->places);
            mem_free(nonces->chains);
            nonces->places = NULL;
            nonces->chains = NULL;
            return ERR_STATE; /* nobody is let in whom we could not remember */
        }
    }
    place = find_place(nonces, issued_ms, number);
    if (!place) {
        if (issued_ms <= nonces->refused_until_ms)
            return ERR_STATE;
        place = take_place(nonces, issued_ms, number);
    }
    return count_once(place, nc) ? ERR_OK : ERR_STATE;
}

/* ---- checking ---- */

/* Some cameras send the whole URL; its path and query must be those of the request. */
static struct str target_of(struct str uri)
{
    struct str scheme = STR("http://");

    if (uri.len > scheme.len && str_equal_nocase(str_slice(uri, 0, scheme.len), scheme)) {
        struct str rest = str_slice(uri, scheme.len, uri.len);
        const char *slash = memchr(rest.ptr, '/', rest.len);
        return slash ? str_slice(rest, (size_t)(slash - rest.ptr), rest.len) : STR("/");
    }
    return uri;
}

/* MD5 of the parts with colons between, in hex; false when they are too long together. */
static bool md5_of(const struct str *parts, size_t n, char out[33])
{
    char text[4096];
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (len + parts[i].len + 1 > sizeof(text))
            return false;
        if (i)
            text[len++] = ':';
        if (parts[i].len)
            memcpy(text + len, parts[i].ptr, parts[i].len);
        len += parts[i].len;
    }
    crypto_md5_hex((struct str){text, len}, out);
    return true;
}

enum err http_digest_check(struct http_nonces *nonces, const struct http_digest *digest, const char *method, struct str target,
    const char ha1[33], struct mono_time now)
{
    char ha2[33], wanted[33];
    uint8_t sent_bytes[16], wanted_bytes[16];

    if (!str_equal(target_of(digest->uri), target))
        return ERR_SYNTAX;
    if (!md5_of((struct str[]){str_from_c(method), digest->uri}, 2, ha2) ||
        !md5_of((struct str[]){{ha1, 32}, digest->nonce, digest->nc, digest->cnonce, digest->qop, {ha2, 32}}, 6, wanted))
        return ERR_CRYPTO;
    if (crypto_unhex(digest->response, sent_bytes, 16) || crypto_unhex((struct str){wanted, 32}, wanted_bytes, 16) ||
        !crypto_equal(sent_bytes, wanted_bytes, 16))
        return ERR_CRYPTO;
    return use_nonce(nonces, digest, now);
}
