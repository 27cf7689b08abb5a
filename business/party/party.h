/*
 * Who is there (主体): people and officials with posts, who sign in with a password and get a session; programs, which carry a
 * bearer token. Gives the HTTP server its `struct http_auth`.
 *
 * People and programs are declared in parties.yaml (docs/city.md). Passwords are kept as Argon2id, sessions and tokens as
 * SHA-256: what is on disk signs nobody in.
 */
#ifndef BUSINESS_PARTY_PARTY_H
#define BUSINESS_PARTY_PARTY_H

#include "base/clock.h"
#include "http/server.h"
#include "hub/area.h"

#define PARTY_PEOPLE_MAX 100000 /* officials of a city; 浙政钉 counted 720,000 in a province */
#define PARTY_PROGRAMS_MAX 10000
#define PARTY_SESSIONS_MAX 20000               /* past it the one unused for longest is signed out */
#define PARTY_SESSION_IDLE_MS (12 * 3600000LL) /* a working day's screen stays signed in by its requests and its live stream */
#define PARTY_SESSION_LONGEST_MS (7 * 86400000LL)
#define PARTY_SIGN_INS_WAITING 32 /* Argon2id takes about 30 ms: one second's worth; past it 503 */
#define PARTY_DEMO_PASSWORD "citybrain-demo"

struct party_options {
    const char *parties_path;                                 /* parties.yaml */
    const char *store_path;                                   /* SQLite */
    const char *tokens_folder;                                /* {data}/tokens: one file a program, mode 0600 */
    bool is_demo;                                             /* `password: demo` and `token: demo` are allowed */
    struct str city, city_title_zh, city_title_en, zone_name; /* for the session's answer; kept */
    const struct area_tree *areas;                            /* kept */
    bool are_tokens_told; /* a replica of the hub: it has no files of tokens, its desk tells their hashes; see party_programs_read() */
    struct clock *clock;
    void (*fatal)(void *context, const char *part, enum err err); /* the disk refused; may be NULL */
    void *fatal_context;
};

struct party_people; /* the whole of it */

/* Reads, opens, makes what is missing (tokens; demo passwords, in the background). Errors in `diags`. */
enum err party_open(const struct party_options *options, struct diag_list *diags, struct party_people **ret_people) MUST_CHECK;
void party_close(struct party_people *people); /* after the servers, while their loops still run; takes NULL */
/* `citybrain check`: the file only. */
enum err party_check(const struct party_options *options, struct diag_list *diags);

/* Slots of `struct http_auth`; context: a struct party_people. Any thread. ERR_UNAVAILABLE: tokens are told, and were not yet. */
enum err party_token(void *people, struct str token, struct http_identity *ret_identity);
enum err party_session(void *people, struct str session, struct http_identity *ret_identity);

/* POST, GET, DELETE /party/v1/session */
struct http_mount party_mount(struct party_people *people);

/* Which programs there are, by the SHA-256 of their tokens, from one process of a hub to the others: u32 how many | for each 32 bytes hash,
 * u32 length, name. Check out->err. Any thread. */
void party_programs_write(const struct party_people *people, struct buf *out);
/* From now on these are known, and no others; those that parties.yaml does not declare with a token are passed over. One thread.
 * ERR_SYNTAX, ERR_NO_MEMORY: what was known is known still. */
enum err party_programs_read(struct party_people *people, struct str bytes) MUST_CHECK;
bool party_programs_are_known(const struct party_people *people); /* their tokens have been told, or need not be. Any thread */

void party_measure(struct party_people *people, struct metric_page *page); /* any thread */

/* Sets a person's password in the store; for `citybrain password`. Waits. ERR_NOT_FOUND: no such person; ERR_RANGE: shorter than 10 bytes.
 */
enum err party_set_password(struct party_people *people, struct str person, struct str password, struct diag *diag) MUST_CHECK;

#endif
