/* What the files of business/party share; nobody else includes it. */
#ifndef BUSINESS_PARTY_PEOPLE_H
#define BUSINESS_PARTY_PEOPLE_H

#include "base/crypto.h"
#include "base/json.h"
#include "base/yaml.h"
#include "business/party/limit.h"
#include "business/party/party.h"
#include "db/db.h"

#include <pthread.h>

#define PARTY_SUBJECT_KEYS_MAX 8
#define PARTY_SUBJECT_MAX 2048 /* bytes of them as JSON */
#define PARTY_TOKEN_HEX 64
#define PARTY_ENCODED_MAX 128 /* "$argon2id$v=19$m=19456,t=2,p=1$…": 97 bytes */

struct party_person {
    struct str name, post, area, title_zh, title_en;
    struct str acts_for; /* the post itself, unless `for:` says another party */
    struct str subject;  /* a citizen's own keys as canonical JSON, owned; empty: an official */
    unsigned roles;      /* bits of enum http_role */
    bool has_demo_password;
    char encoded[PARTY_ENCODED_MAX]; /* "": no password, nobody signs in. The sign-in thread's after the start */
};

struct party_program {
    struct str name, area;
    unsigned roles;      /* HTTP_OPERATE or none */
    struct sha256 token; /* its hash */
};

struct party_session_row { /* one who is signed in */
    struct sha256 hash;
    uint32_t person;
    bool is_used;
    int64_t created_ms, seen_ms, stored_ms; /* stored_ms: seen_ms as it is on disk */
};

struct party_people {
    struct party_options options;
    struct yaml *yaml;
    struct party_person *people; /* sorted by name */
    size_t n_people;
    struct party_program *programs; /* sorted by hash of the token; under `mutex` where tokens are told */
    size_t n_programs;
    struct party_program *declared; /* where tokens are told: those of parties.yaml, sorted by name */
    size_t n_declared;
    _Atomic bool is_told; /* they have been */
    struct db_writer *writer;
    struct loop_thread *sign_in; /* Argon2id */
    struct party_limit *limit;   /* the sign-in thread's */
    _Atomic int n_waiting;
    struct metric_counter n_refused;    /* sign-ins for which there was no room */
    pthread_mutex_t mutex;              /* guards the sessions */
    struct party_session_row *sessions; /* open addressing by hash */
    size_t n_sessions;
};

extern const char *const party_role_names[]; /* by bit of enum http_role; ends with NULL */
struct party_person *party_person_find(struct party_people *people, struct str name);

/* program.c: after parties.yaml was read. */
void party_programs_sort(struct party_people *people);

/* session.c: the table and its copy on disk. */
enum err party_sessions_load(struct party_people *people, struct db *db, struct diag *diag) MUST_CHECK;
/* A new session of `person`; the token goes into the cookie. `done` runs on `loop` once it is on disk. */
struct party_session_write {
    struct db_write write;
    struct party_people *people;
    struct sha256 hash;
    uint32_t person;
    int64_t created_ms, seen_ms;
    bool is_end;
    void (*done)(struct party_session_write *write, enum err err);
    void *context;
};
enum err party_session_begin(struct party_people *people, uint32_t person, struct loop *loop,
    void (*done)(struct party_session_write *write, enum err err), void *context, char ret_token[65]) MUST_CHECK;
/* Forgets a session that could not be stored, so that none lives in memory only. */
void party_session_drop(struct party_people *people, const struct sha256 *hash);
enum err party_session_end(struct party_people *people, struct str token, struct loop *loop,
    void (*done)(struct party_session_write *write, enum err err), void *context) MUST_CHECK;

/* sign_in.c */
extern const char party_schemas[]; /* business/party/sign_in.schema.json */
extern const struct http_route party_routes[];
extern const size_t party_n_routes;
extern const char party_nobody[]; /* a well-formed hash that nobody has: an unknown name must cost what a known one costs */
/* Hashes the demo passwords that the store does not have yet, on the sign-in thread, before the first sign-in is looked at. */
void party_make_demo_passwords(struct party_people *people);

/* store.c */
extern const char *const party_migrations[];
extern const size_t party_n_migrations;
enum err party_passwords_load(struct party_people *people, struct db *db, struct diag *diag) MUST_CHECK;
/* Writes and waits for the disk; on the sign-in thread or a tool's. */
enum err party_password_store(struct party_people *people, struct str person, const char *encoded, bool is_demo) MUST_CHECK;

#endif
