/*
 * Signing in. One sign-in's way: POST /party/v1/session on an HTTP loop → the sign-in thread, where Argon2id takes its 30 ms →
 * a session, on disk → back on the HTTP loop, the cookie.
 *
 * Unknown names cost the same time as known ones and get the same words. Who guesses is slowed down (limit.h), and nobody is locked
 * out for good.
 */
#include "base/log.h"
#include "base/mem.h"
#include "business/party/people.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX 4096
#define PASSWORD_MIN 10

/* "citybrain-nobody" as salt, and a hash that no password has. */
const char party_nobody[] = "$argon2id$v=19$m=19456,t=2,p=1$Y2l0eWJyYWluLW5vYm9keQ$T0S5n8y8n2g5oXn0v3r1K0bq1mJH0m3d5Q1x0o6d5mE";

/* ---- what a session is told about itself ---- */

static void put_text(struct json_writer *w, const char *key, struct str zh, struct str en)
{
    json_key(w, key);
    json_begin_object(w);
    json_field_str(w, "zh", zh);
    json_field_str(w, "en", en);
    json_end_object(w);
}

static void reply_person(struct http_exchange *x, struct party_people *people, const struct party_person *person)
{
    const struct party_options *options = &people->options;
    int area = area_find(options->areas, person->area);
    struct buf out;
    struct json_writer w;
    buf_init(&out, 1u << 16);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_str(&w, "person", person->name);
    json_field_str(&w, "party", person->post);
    json_field_str(&w, "for", person->acts_for);
    json_key(&w, "roles");
    json_begin_array(&w);
    for (size_t i = 0; party_role_names[i]; i++)
        if (person->roles & 1u << i)
            json_put_str(&w, str_from_c(party_role_names[i]));
    json_end_array(&w);
    json_field_str(&w, "area", person->area);
    json_field_str(&w, "level", area >= 0 ? area_at(options->areas, (size_t)area)->level : STR_NONE);
    put_text(&w, "title", person->title_zh, person->title_en);
    json_key(&w, "city");
    json_begin_object(&w);
    json_field_str(&w, "name", options->city);
    put_text(&w, "title", options->city_title_zh, options->city_title_en);
    json_end_object(&w);
    json_field_str(&w, "time_zone", options->zone_name);
    json_field_bool(&w, "citizen", !str_is_empty(person->subject));
    json_field_bool(&w, "demo", options->is_demo);
    json_end_object(&w);
    http_add_header(x, "Cache-Control", STR("no-store"));
    http_reply_json(x, 200, buf_str(&out));
    buf_finish(&out);
}

/* ---- signing in ---- */

struct attempt { /* in the exchange's arena, which lives until the reply */
    struct loop_task task;
    struct party_people *people;
    struct http_exchange *x;
    struct loop *http_loop;
    struct str name, password; /* of the exchange's body */
    struct str address;        /* in the exchange's arena */
    enum err err;
    uint32_t person;
    char token[65];
};

/* The last that touches `people` is the count: party_close() waits for it. */
static void reply_attempt(struct attempt *attempt)
{
    struct http_exchange *x = attempt->x;
    struct party_people *people = attempt->people;
    char cookie[256];
    if (attempt->err == ERR_UNAUTHENTICATED)
        http_reply_problem(x, 401, STR("name or password is wrong"), -1);
    else if (attempt->err == ERR_BUSY) {
        http_reply_problem(x, 429, STR("too many wrong passwords; wait half a minute"), -1);
    } else if (attempt->err != ERR_OK)
        http_reply_err(x, attempt->err, STR("the session could not be stored; try again"));
    else {
        bool is_secure = str_equal_c(http_header(x, "X-Forwarded-Proto"), "https");
        int len = snprintf(cookie, sizeof(cookie), "citybrain=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=%lld%s", attempt->token,
            PARTY_SESSION_LONGEST_MS / 1000, is_secure ? "; Secure" : "");
        http_add_header(x, "Set-Cookie", (struct str){cookie, (size_t)len});
        reply_person(x, people, &people->people[attempt->person]);
    }
    atomic_fetch_sub(&people->n_waiting, 1);
}

static void back_on_http(struct loop_task *task)
{
    reply_attempt(container_of(task, struct attempt, task));
}

static void go_back(struct attempt *attempt, enum err err)
{
    attempt->err = err;
    attempt->task.fn = back_on_http;
    loop_post(attempt->http_loop, &attempt->task);
}

static void session_stored(struct party_session_write *write, enum err err)
{
    struct attempt *attempt = write->context;
    attempt->err = err;
    if (err != ERR_OK)
        party_session_drop(attempt->people, &write->hash);
    reply_attempt(attempt); /* on the HTTP loop already */
}

static enum err check_password(struct attempt *attempt, struct party_person *person)
{
    struct mono_time now = clock_mono(attempt->people->options.clock);
    if (party_limit_must_wait(attempt->people->limit, attempt->name, attempt->address, now))
        return ERR_BUSY;
    const char *encoded = person && person->encoded[0] ? person->encoded : party_nobody;
    enum err err = crypto_password_check(attempt->password, encoded);
    if (person && person->encoded[0] && err == ERR_OK) {
        party_limit_succeeded(attempt->people->limit, attempt->name, attempt->address);
        return ERR_OK;
    }
    party_limit_failed(attempt->people->limit, attempt->name, attempt->address, now);
    log_write(LOG_NOTICE, "party", "a sign-in failed", LOG_STR("post", person ? person->post : STR("unknown")), LOG_END);
    return ERR_UNAUTHENTICATED;
}

static void try_on_thread(struct loop_task *task)
{
    struct attempt *attempt = container_of(task, struct attempt, task);
    struct party_person *person = party_person_find(attempt->people, attempt->name);
    enum err err = check_password(attempt, person);
    if (err == ERR_OK) {
        attempt->person = (uint32_t)(person - attempt->people->people);
        err = party_session_begin(attempt->people, attempt->person, attempt->http_loop, session_stored, attempt, attempt->token);
        if (err == ERR_OK)
            return;
    }
    go_back(attempt, err);
}

static void handle_sign_in(struct http_exchange *x, void *context)
{
    struct party_people *people = context;
    json_t *body;
    struct str name, password;
    if (http_body_json(x, &body) != ERR_OK)
        return;
    if (json_get_str(body, "name", &name) != ERR_OK || json_get_str(body, "password", &password) != ERR_OK) {
        http_reply_problem(x, 400, STR("give {\"name\":…,\"password\":…}"), -1);
        return;
    }
    struct attempt *attempt = arena_alloc_zero(http_arena(x), 1, sizeof(*attempt));
    if (!attempt) {
        http_reply_err(x, ERR_NO_MEMORY, STR("no memory"));
        return;
    }
    if (atomic_fetch_add(&people->n_waiting, 1) >= PARTY_SIGN_INS_WAITING) {
        atomic_fetch_sub(&people->n_waiting, 1);
        metric_add(&people->n_refused, 1);
        http_reply_problem(x, 503, STR("too many are signing in just now; try again in a second"), -1);
        return;
    }
    *attempt = (struct attempt){.task = {.fn = try_on_thread},
        .people = people,
        .x = x,
        .http_loop = http_loop(x),
        .name = name,
        .password = password,
        .address = http_remote_address(x)};
    loop_post(loop_thread_loop(people->sign_in), &attempt->task);
}

static void handle_who(struct http_exchange *x, void *context)
{
    struct party_people *people = context;
    const struct party_person *person = party_person_find(people, http_identity(x)->person);
    if (person)
        reply_person(x, people, person);
    else
        http_reply_problem(x, 404, STR("a program has no session; it carries its token"), -1);
}

/* ---- signing out ---- */

static void reply_signed_out(struct http_exchange *x)
{
    http_add_header(x, "Set-Cookie", STR("citybrain=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"));
    http_reply(x, 204, NULL, STR_NONE);
}

static void sign_out_stored(struct party_session_write *write, enum err err)
{
    if (err == ERR_OK)
        reply_signed_out(write->context);
    else
        http_reply_err(write->context, err, STR("signing out could not be stored; try again"));
}

static void handle_sign_out(struct http_exchange *x, void *context)
{
    enum err err = party_session_end(context, http_cookie(x, "citybrain"), http_loop(x), sign_out_stored, x);
    if (err == ERR_NOT_FOUND)
        reply_signed_out(x);
    else if (err != ERR_OK)
        http_reply_err(x, err, STR("signing out could not be stored; try again"));
}

const struct http_route party_routes[] = {
    {HTTP_POST, "/party/v1/session", HTTP_PUBLIC, BODY_MAX, handle_sign_in, "Sign in with name and password", .body = "SignIn",
        .answer = "Person"},
    {HTTP_GET, "/party/v1/session", HTTP_SIGNED_IN, 0, handle_who, "Who is signed in", .answer = "Person"},
    {HTTP_DELETE, "/party/v1/session", HTTP_SIGNED_IN, 0, handle_sign_out, "Sign out"},
};
const size_t party_n_routes = sizeof(party_routes) / sizeof(party_routes[0]);

/* ---- passwords ---- */

struct demo_task {
    struct loop_task task;
    struct party_people *people;
};

static enum err set_password(struct party_people *people, struct party_person *person, struct str password, bool is_demo)
{
    char encoded[PARTY_ENCODED_MAX];
    enum err err = crypto_password_hash(password, encoded, sizeof(encoded));
    if (err == ERR_OK)
        err = party_password_store(people, person->name, encoded, is_demo);
    if (err == ERR_OK)
        memcpy(person->encoded, encoded, sizeof(encoded));
    return err;
}

static void make_on_thread(struct loop_task *task)
{
    struct demo_task *demo = container_of(task, struct demo_task, task);
    struct party_people *people = demo->people;
    for (size_t i = 0; i < people->n_people; i++) {
        struct party_person *person = &people->people[i];
        if (!person->has_demo_password || person->encoded[0])
            continue;
        enum err err = set_password(people, person, STR(PARTY_DEMO_PASSWORD), true);
        if (err != ERR_OK)
            log_write(LOG_ERROR, "party", "a demo password could not be set", LOG_STR("post", person->post), LOG_ERR(err), LOG_END);
    }
    mem_free(demo);
}

void party_make_demo_passwords(struct party_people *people)
{
    struct demo_task *demo = mem_alloc(sizeof(*demo));
    if (!demo) {
        log_write(LOG_ERROR, "party", "no memory for the demo passwords", LOG_END);
        return;
    }
    *demo = (struct demo_task){.task = {.fn = make_on_thread}, .people = people};
    loop_post(loop_thread_loop(people->sign_in), &demo->task);
}

struct set_call {
    struct party_people *people;
    struct party_person *person;
    struct str password;
    enum err err;
};

static void set_on_thread(void *context)
{
    struct set_call *call = context;
    call->err = set_password(call->people, call->person, call->password, false);
}

enum err party_set_password(struct party_people *people, struct str name, struct str password, struct diag *diag)
{
    struct set_call call = {.people = people, .person = party_person_find(people, name), .password = password};
    if (!call.person)
        return diag_set(
            diag, ERR_NOT_FOUND, NULL, 0, "no person is called \"" STR_FORMAT "\"; parties.yaml lists them under people:", STR_ARG(name));
    if (password.len < PASSWORD_MIN)
        return diag_set(diag, ERR_RANGE, NULL, 0, "the password is shorter than %d letters; choose a longer one", PASSWORD_MIN);
    loop_thread_call(people->sign_in, set_on_thread, &call);
    return call.err == ERR_OK ? ERR_OK : diag_set(diag, call.err, NULL, 0, "the password could not be stored: %s", err_text(call.err));
}
