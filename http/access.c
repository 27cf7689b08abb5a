/*
 * Who is asking: a program by its token, a person by a session cookie, a camera by Digest. Nobody gets in by default. What is not for them
 * looks to those who are signed in like what does not exist.
 *
 * A cookie comes along with any request a browser makes, also one that another site made it send. So what changes something
 * under a cookie must come from our own pages (Sec-Fetch-Site, Origin) and be JSON, which a foreign form cannot send.
 */
#include "http/internal.h"

#include "base/crypto.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define SESSION_COOKIE "citybrain"
#define REALM_DEFAULT "citybrain"

static enum err keep_identity(struct http_exchange *x, const struct http_identity *identity)
{
    enum err err = arena_copy_str(&x->arena, identity->party, &x->identity.party);

    if (!err)
        err = arena_copy_str(&x->arena, identity->area, &x->identity.area);
    if (!err)
        err = arena_copy_str(&x->arena, identity->person, &x->identity.person);
    if (!err)
        err = arena_copy_str(&x->arena, identity->device, &x->identity.device);
    if (!err)
        err = arena_copy_str(&x->arena, identity->acts_for, &x->identity.acts_for);
    if (!err)
        err = arena_copy_str(&x->arena, identity->subject, &x->identity.subject);
    x->identity.roles = identity->roles;
    if (err)
        http_reply_refusal(x, 503, "not enough memory");
    return err;
}

struct str http_cookie_find(struct str cookies, const char *name)
{
    while (cookies.len > 0) {
        struct str item = cookies, rest = STR_NONE, key, value;
        if (!str_cut(cookies, ';', &item, &rest)) {
            item = cookies;
            rest = STR_NONE;
        }
        item = str_trim(item);
        if (str_cut(item, '=', &key, &value) && str_equal_c(key, name))
            return value;
        cookies = rest;
    }
    return STR_NONE;
}

struct str http_cookie(const struct http_exchange *x, const char *name)
{
    return http_cookie_find(x->mhd ? x->cookie : STR_NONE, name); /* it borrows from the connection */
}

/* Does the page that sent this come from the host it was sent to? Browsers say so in Sec-Fetch-Site, older ones in Origin only. */
static bool is_same_origin(const struct http_exchange *x)
{
    struct str scheme, host;

    if (!str_is_empty(x->sec_fetch_site) && !str_equal_c(x->sec_fetch_site, "same-origin") && !str_equal_c(x->sec_fetch_site, "none"))
        return false;
    if (str_is_empty(x->origin))
        return true;
    if (!str_cut(x->origin, '/', &scheme, &host) || !str_starts_with(host, STR("/")))
        return false; /* "null" */
    return str_equal_nocase(str_slice(host, 1, host.len), x->host);
}

static bool changes_something(const struct http_exchange *x)
{
    return x->method != HTTP_GET && x->method != HTTP_HEAD;
}

static bool is_json_type(struct str type)
{
    struct str head, rest;

    if (!str_cut(type, ';', &head, &rest))
        head = type;
    return str_equal_nocase(str_trim(head), STR("application/json"));
}

/* What a browser must prove before its cookie counts, or before it signs somebody in. */
static enum err check_browser(struct http_exchange *x)
{
    if (!changes_something(x))
        return ERR_OK;
    if (!is_same_origin(x)) {
        http_reply_refusal(x, 403, "this came from another site's page");
        return ERR_DENIED;
    }
    if (x->method != HTTP_DELETE && x->match.routed->route->body_max > 0 && !is_json_type(x->content_type)) {
        http_reply_refusal(x, 415, "send JSON, with Content-Type: application/json");
        return ERR_DENIED;
    }
    return ERR_OK;
}

static enum err unauthenticated(struct http_exchange *x, const char *detail)
{
    http_add_header(x, "WWW-Authenticate", STR("Bearer realm=\"" REALM_DEFAULT "\""));
    http_reply_refusal(x, 401, detail);
    return ERR_UNAUTHENTICATED;
}

/* The token after "Bearer "; NULL: the header says something else. */
static struct str bearer(struct str authorization)
{
    if (!str_equal_nocase(str_slice(authorization, 0, 7), STR("Bearer ")))
        return STR_NONE;
    return str_trim(str_slice(authorization, 7, authorization.len));
}

static enum err ask(const struct http_auth *auth, bool is_token, struct str shown, struct http_identity *ret_identity)
{
    enum err (*slot)(void *, struct str, struct http_identity *) = is_token ? auth->token : auth->session;

    return slot ? slot(auth->context, shown, ret_identity) : ERR_UNAUTHENTICATED;
}

static bool needs_sign_in(enum http_access access)
{
    return access == HTTP_SIGNED_IN || access == HTTP_OFFICIAL || access == HTTP_CITIZEN;
}

/* Is a route with this access for who has signed in? */
static bool is_for(enum http_access access, const struct http_identity *who)
{
    bool is_citizen = !str_is_empty(who->subject);

    if (access == HTTP_OFFICIAL)
        return !str_is_empty(who->person) && !is_citizen;
    return access == HTTP_SIGNED_IN || (access == HTTP_CITIZEN && is_citizen);
}

static enum err admit(struct http_exchange *x, const struct http_identity *identity)
{
    if (!is_for(x->match.routed->route->access, identity)) {
        http_reply_refusal(x, 404, "there is nothing at this path");
        return ERR_NOT_FOUND;
    }
    return keep_identity(x, identity);
}

static enum err check_signed_in(struct http_exchange *x)
{
    const struct http_auth *auth = &x->server->auth;
    struct http_identity identity = {0};
    struct str shown;

    if (x->n_authorization > 1)
        return unauthenticated(x, "more than one Authorization header");
    if (x->n_authorization == 1) {
        shown = bearer(x->authorization);
        if (!shown.ptr)
            return unauthenticated(x, "send a bearer token");
        enum err err = ask(auth, true, shown, &identity);
        if (err == ERR_UNAVAILABLE) { /* nobody can tell yet: no reason for a program to give its token up */
            http_reply_refusal(x, 503, "programs are not known yet; ask again");
            return err;
        }
        if (err)
            return unauthenticated(x, "this token is not known");
        return admit(x, &identity);
    }
    shown = http_cookie(x, SESSION_COOKIE);
    if (str_is_empty(shown))
        return unauthenticated(x, "sign in, or send a bearer token");
    if (ask(auth, false, shown, &identity))
        return unauthenticated(x, "the session has ended; sign in again");
    if (check_browser(x))
        return ERR_DENIED;
    return admit(x, &identity);
}

enum err http_access_keep(const struct http_exchange *x, struct http_credential *ret_credential)
{
    bool is_token = x->n_authorization == 1;
    struct str shown = is_token ? bearer(x->authorization) : http_cookie(x, SESSION_COOKIE);
    char *text;

    *ret_credential = (struct http_credential){0};
    if (!needs_sign_in(x->match.routed->route->access))
        return ERR_OK;
    text = mem_alloc(shown.len + 1);
    if (!text)
        return ERR_NO_MEMORY;
    if (shown.len)
        memcpy(text, shown.ptr, shown.len);
    *ret_credential =
        (struct http_credential){.text = text, .len = shown.len, .is_token = is_token, .access = x->match.routed->route->access};
    return ERR_OK;
}

bool http_access_holds(const struct http_server *server, const struct http_credential *credential)
{
    struct http_identity identity = {0};

    return !credential->text ||
           (ask(&server->auth, credential->is_token, (struct str){credential->text, credential->len}, &identity) == ERR_OK &&
               is_for(credential->access, &identity));
}

void http_credential_finish(struct http_credential *credential)
{
    if (!credential->text)
        return;
    crypto_wipe(credential->text, credential->len);
    mem_free(credential->text);
    credential->text = NULL;
}

static enum err challenge(struct http_exchange *x, bool is_stale, const char *detail)
{
    char nonce[HTTP_NONCE_LENGTH + 1], text[512];
    const char *realm = x->server->auth.digest_realm ? x->server->auth.digest_realm : REALM_DEFAULT;

    http_nonce_issue(x->server->nonces, clock_mono(loop_clock(x->server->loop)), nonce);
    snprintf(text, sizeof(text), "Digest realm=\"%s\", qop=\"auth\", algorithm=\"MD5\", nonce=\"%s\"%s", realm, nonce,
        is_stale ? ", stale=true" : "");
    http_add_header(x, "WWW-Authenticate", str_from_c(text));
    http_reply_refusal(x, 401, detail);
    return ERR_UNAUTHENTICATED;
}

static enum err check_digest(struct http_exchange *x)
{
    const struct http_auth *auth = &x->server->auth;
    const char *realm = auth->digest_realm ? auth->digest_realm : REALM_DEFAULT;
    struct http_identity identity = {0};
    struct http_digest digest;
    uint8_t nobodys[16];
    char ha1[33];
    bool is_known;
    enum err err;

    if (x->n_authorization == 0)
        return challenge(x, false, "sign with Digest");
    if (x->n_authorization > 1 || http_digest_parse(x->authorization, &digest) || !str_equal_c(digest.realm, realm))
        return challenge(x, false, "the Authorization header is not a Digest answer with qop=auth and MD5");
    crypto_random(nobodys, sizeof(nobodys)); /* an unknown device takes as long as a wrong password, and cannot be right */
    crypto_hex(nobodys, sizeof(nobodys), ha1);
    is_known = auth->digest_ha1 && !auth->digest_ha1(auth->context, digest.user, ha1, &identity);
    err = http_digest_check(x->server->nonces, &digest, x->method_name, x->target, ha1, clock_mono(loop_clock(x->server->loop)));
    crypto_wipe(ha1, sizeof(ha1));
    if (!is_known || err == ERR_CRYPTO)
        return challenge(x, false, "unknown device, or wrong password");
    if (err == ERR_SYNTAX) {
        http_reply_refusal(x, 400, "the Digest answer is about another address");
        return ERR_UNAUTHENTICATED;
    }
    if (err)
        return challenge(x, true, "the nonce has expired or was used before");
    identity.device = digest.user;
    return keep_identity(x, &identity);
}

enum err http_access_check(struct http_exchange *x)
{
    switch (x->match.routed->route->access) {
    case HTTP_PUBLIC:
        return check_browser(x);
    case HTTP_SIGNED_IN:
    case HTTP_OFFICIAL:
    case HTTP_CITIZEN:
        return check_signed_in(x);
    case HTTP_DIGEST:
        return check_digest(x);
    case HTTP_SIGNED_BODY:
        return ERR_OK;
    }
    return unauthenticated(x, "sign in, or send a bearer token");
}
